"""`make bench`: every measure beside its floor, in one run. ``ARGS=--quick`` fills to 20,000 instead of 200,000."""

from __future__ import annotations

import argparse
import sys

from bench.measure_editions import publishing
from bench.measure_office import placement
from bench.measure_sync import Size, measure
from bench.report import table

SIZES = {
    "full": Size(),
    "quick": Size(small=5_000, large=20_000, households=500, rounds=6),
    "tiny": Size(small=4_000, large=6_000, households=50, rounds=2),
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fill to 20,000 records, fewer rounds")
    parser.add_argument("--tiny", action="store_true", help="only to see that everything runs")
    chosen = parser.parse_args()
    size = SIZES["tiny" if chosen.tiny else "quick" if chosen.quick else "full"]
    lines = measure(size, lambda text: print(text, file=sys.stderr, flush=True))
    lines.append(placement(20_000 if chosen.tiny else 1_000_000))
    lines += publishing(2_000 if chosen.tiny else 20_000 if chosen.quick else 200_000)
    print(table(lines))
    return 0 if all(one.verdict != "NOT MET" for one in lines) else 1


if __name__ == "__main__":
    sys.exit(main())
