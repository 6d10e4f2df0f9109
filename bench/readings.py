"""What the phone knows of how characters sound, written from what the server knows: ``python -m bench.readings`` renews it.

Both ask whether two names sound alike; with one table they answer alike (tests/vectors/names/alike.json).
"""

from __future__ import annotations

import json
from pathlib import Path

from server.services.pinyin import syllables

TABLE = Path(__file__).resolve().parent.parent / "web" / "shared" / "pinyin" / "table.json"
FIRST, LAST = 0x4E00, 0x9FA5


def table() -> str:
    """The file: for the first reading of characters, the second and so on, reading to characters."""
    ranks: list[dict[str, str]] = []
    for code in range(FIRST, LAST + 1):
        for rank, reading in enumerate(syllables(chr(code))):
            while len(ranks) <= rank:
                ranks.append({})
            ranks[rank][reading] = ranks[rank].get(reading, "") + chr(code)
    lines = ["{\n" + ",\n".join(f"{json.dumps(key)}:{json.dumps(rank[key], ensure_ascii=False)}" for key in sorted(rank)) + "\n}" for rank in ranks]
    return "[\n" + ",\n".join(lines) + "\n]\n"


if __name__ == "__main__":
    TABLE.write_text(table(), encoding="utf-8")
