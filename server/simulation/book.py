"""What people wrote in a story, and which of it the server owes them in the end (L5).

An older state that is put in the place of the database owes what it held, and what phones still have and offer again (S25). What phones had
forgotten because two archives that `dishu backup` made hold it is lost with those: that is what an older one costs, and all that it may cost.
What a phone forgot earlier is no such cost, and breaks the law at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import orjson

from server.house import House
from server.store.database import read, run
from sync.device import Phone


class LawBroken(Exception):
    """A law does not hold; the message names it and what was found, never a value."""


@dataclass
class Book:
    """``written``: every operation that ever stood in a phone's log, by its op_id, as it was frozen. ``owed``: op_ids of those that the server owes."""

    written: dict[str, dict[str, Any]] = field(default_factory=dict)
    owed: set[str] = field(default_factory=set)
    _held: dict[str, frozenset[str]] = field(default_factory=dict)
    _archived: dict[str, frozenset[str]] = field(default_factory=dict)

    def note(self, phones: Iterable[Phone]) -> None:
        """Whatever stands in a log by now is never to be lost."""
        for operation in _logged(phones):
            self.written.setdefault(operation["op_id"], operation)
            self.owed.add(operation["op_id"])

    def copied(self, name: str, held: frozenset[str]) -> None:
        """A copy of the database was made by hand, under a name; nobody verified it, no phone forgets anything for it."""
        self._held[name] = held

    def archived(self, name: str, held: frozenset[str]) -> None:
        """`dishu backup` made a verified archive."""
        self._held[name] = self._archived[name] = held

    def put_back(self, name: str, phones: Iterable[Phone]) -> None:
        """That copy took the place of the database.

        Raises
        ------
        LawBroken
            Phones had forgotten what fewer than two archives hold.
        """
        lost = self.owed - self._held[name] - {operation["op_id"] for operation in _logged(phones)}
        early = [one for one in lost if sum(one in held for held in self._archived.values()) < 2]
        if early:
            raise LawBroken(f"L5: phones had forgotten {len(early)} operations that fewer than two archives hold")
        self.owed -= lost


def held_now(house: House, community_id: str) -> frozenset[str]:
    """The op_ids that the database holds."""
    with read(house.engine) as connection:
        rows = run(connection, "SELECT op_id FROM operation WHERE community_id = ? AND canonical = 1", (community_id,))
        return frozenset(row.op_id for row in rows)


def _logged(phones: Iterable[Phone]) -> Iterable[dict[str, Any]]:
    for phone in phones:
        for group in orjson.loads(phone.rescue_file())["groups"]:
            yield from (orjson.loads(one["op"]) for one in group)
