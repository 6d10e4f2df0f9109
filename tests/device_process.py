"""A phone in a process of its own, to be killed: ``python -m tests.device_process <file> <url> <seed>``.

Prints ``wrote <record id>`` after each group is on disk, and the name of every step of the phone.
"""

from __future__ import annotations

import random
import sys
from datetime import UTC, datetime

from forms.registry import load_registry
from server.house import uuid7
from sync.device import HttpTransport, Phone
from tests.live import home


def say(text: str) -> None:
    """One line, at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main(path: str, url: str, seed: str) -> None:
    """Write, push and pull for ever, in an order that the seed decides."""
    chance = random.Random(int(seed))
    phone = Phone(path, HttpTransport(url), lambda: datetime.now(UTC), uuid7, load_registry(), say)
    while True:
        todo = chance.random()
        if todo < 0.35:
            for one in home(phone, chance.randrange(2), "王一", "王二")["persons"]:
                say(f"wrote {one}")
        elif todo < 0.55:
            for view in phone.find("household")[:3]:
                phone.patch(
                    view.id, phone=f"1380000{chance.randrange(10_000):04d}", tags={"add": [str(chance.randrange(9))]}
                )
        elif todo < 0.75:
            phone.push()
        else:
            phone.pull(limit=3)


if __name__ == "__main__":
    main(*sys.argv[1:])
