"""`make bench`: every measure beside its floor, in one run. ``ARGS=--quick`` fills to 20,000 records instead of 200,000.

``ARGS="--quick --only sync,house"`` runs some sections; each prints its lines when it is done. ``ARGS="--only editions,exports
--records 1000000"`` runs those that grow with the records at a million of them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping

from bench.measure_crowd import crowd, workers
from bench.measure_editions import publishing
from bench.measure_exports import measure_exports
from bench.measure_house import HouseSize, measure_house
from bench.measure_inbox import measure_inbox
from bench.measure_line import line_lines
from bench.measure_locate import locating
from bench.measure_map import MapSize, measure_map
from bench.measure_odk import submissions
from bench.measure_office import placement
from bench.measure_phone import phone_lines
from bench.measure_sync import Size, measure
from bench.measure_tables import duplicates, tables
from bench.report import Line, missed, table

SCALES = ("full", "quick", "tiny")
_SYNC = {
    "full": Size(),
    "quick": Size(small=5_000, large=20_000, households=500, rounds=6),
    "tiny": Size(small=4_000, large=6_000, households=50, rounds=2),
}
_HOUSE = {"full": HouseSize(), "quick": HouseSize(1, 2, 6), "tiny": HouseSize(1, 1, 2)}


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


SECTIONS: Mapping[str, Callable[[str], list[Line]]] = {
    "sync": lambda scale: measure(_SYNC[scale], _say),
    "line": lambda scale: line_lines({"full": 10_000, "quick": 10_000, "tiny": 800}[scale], _say),
    "crowd": lambda scale: crowd(*{"full": (512, 4), "quick": (512, 2), "tiny": (24, 1)}[scale], _say),
    "workers": lambda scale: workers({"full": 10, "quick": 4, "tiny": 1}[scale], _say),
    "places": lambda scale: [placement(20_000 if scale == "tiny" else 1_000_000)],
    "locate": lambda scale: locating(*{"full": (1_000_000, 100, 3), "quick": (200_000, 50, 3), "tiny": (5_000, 10, 1)}[scale], _say),
    "editions": lambda scale: publishing({"full": 200_000, "quick": 20_000, "tiny": 2_000}[scale]),
    "odk": lambda scale: submissions({"full": 200, "quick": 60, "tiny": 5}[scale], _say),
    "tables": tables,
    "duplicates": lambda scale: duplicates({"full": 20_000, "quick": 5_000, "tiny": 500}[scale]),
    "exports": lambda scale: measure_exports({"full": 200_000, "quick": 20_000, "tiny": 1_000}[scale]),
    "house": lambda scale: measure_house(_HOUSE[scale], _say),
    "inbox": lambda scale: measure_inbox({"full": 60, "quick": 20, "tiny": 3}[scale], _say),
    "map": lambda scale: measure_map(MapSize(10, 20, 2_000) if scale == "tiny" else MapSize(), _say),
    "phone": lambda scale: phone_lines(npm=scale != "tiny"),
}
"""What can be measured, by name; each takes a scale."""
SIZED: Mapping[str, Callable[[int], list[Line]]] = {"editions": publishing, "exports": measure_exports}
"""Those that take a number of records of somebody's own choice, too."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", dest="scale", action="store_const", const="quick", default="full", help="fewer records and rounds")
    parser.add_argument("--tiny", dest="scale", action="store_const", const="tiny", help="only to see that everything runs")
    parser.add_argument("--only", metavar="NAMES", help=f"sections, with commas: {', '.join(SECTIONS)}")
    parser.add_argument("--records", type=int, metavar="N", help=f"how many records for {' and '.join(SIZED)}")
    chosen = parser.parse_args()
    names = chosen.only.split(",") if chosen.only else list(SECTIONS)
    unknown = [name for name in names if name not in SECTIONS]
    if unknown:
        parser.error(f"there is no section {', '.join(unknown)}; there are {', '.join(SECTIONS)}")
    is_missed = False
    for name in names:
        lines = SIZED[name](chosen.records) if chosen.records and name in SIZED else SECTIONS[name](chosen.scale)
        print(f"\n{name}\n{table(lines)}", flush=True)
        is_missed |= missed(lines)
    return 1 if is_missed else 0


if __name__ == "__main__":
    sys.exit(main())
