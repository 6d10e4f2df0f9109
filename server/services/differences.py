"""What `dishu verify` says: counts, and the first difference; and how it walks ordered lanes side by side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Any, NoReturn

import orjson

from server.sealing import KeyRing, WrongKey, cipher, unseal

if TYPE_CHECKING:
    from server.house import House

_TOLD_EVERY = 1_000
Progress = Callable[[int, int], None]
"""Told (rows read, rows in all)."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Where journal and present state part. ``expected`` and ``found`` are numbers, names, ids and tags; never values.

    ``kind`` says what ``name`` names: record, stream, install, journal entry, data key, assignment or edition layer.
    """

    community_id: str
    kind: str
    name: str
    what: str
    expected: str
    found: str

    def __str__(self) -> str:
        return f"community {self.community_id}, {self.kind} {self.name}: {self.what}: expected {self.expected}, found {self.found}"


class DifferenceFound(Exception):
    """Ends a comparison at its first difference."""

    def __init__(self, difference: Difference) -> None:
        super().__init__(str(difference))
        self.difference = difference


@dataclass(slots=True)
class Watch:
    """Counts what was compared in one community, tells progress, and stops at a difference."""

    house: House
    community_id: str
    counts: Counter[str]
    progress: Callable[[int], None] | None = None
    passed: int = 0
    floors: dict[str, int] = field(default_factory=dict)
    missing: dict[tuple[str, int], tuple[int, str]] = field(default_factory=dict)  # install, first n → last n, its op_id
    stored: frozenset[str] = frozenset()  # SHA-256 of the community's files
    bare: dict[str, int] = field(default_factory=dict)  # install → first n that names a file which is not stored

    def differs(self, kind: str, name: object, what: str, expected: object, found: object) -> NoReturn:
        """Stop here."""
        raise DifferenceFound(
            Difference(self.community_id, kind, str(name), what, _said(expected), _said(found))
        )

    def same(self, kind: str, name: object, what: str, expected: object, found: object) -> None:
        """Stop here unless both are equal."""
        if expected != found:
            self.differs(kind, name, what, expected, found)

    def seen(self, lane: Iterable[Any]) -> Iterator[Any]:
        """The rows of a lane, counted for the progress."""
        for row in lane:
            self.passed += 1
            if self.progress is not None and self.passed % _TOLD_EVERY == 0:
                self.progress(_TOLD_EVERY)
            yield row

    def read_json(self, kind: str, name: object, what: str, text: str | bytes) -> Any:
        """A stored JSON value."""
        try:
            return orjson.loads(text)
        except orjson.JSONDecodeError:
            self.differs(kind, name, what, "readable JSON", "something else")

    def opened(self, kind: str, name: object, what: str, sealed: bytes, has_key: str | None, wrapped: bytes | None) -> Any:
        """The JSON value in sealed bytes; None (counted) where its data key was destroyed."""
        if has_key is None:
            self.differs(kind, name, what, "sealed under a data key", "no such data key")
        if wrapped is None:
            self.counts["sealed values whose key was destroyed"] += 1
            return None
        try:
            plain = unseal(cipher(self.keys.unwrap(bytes(wrapped))), bytes(sealed))
        except WrongKey:
            self.differs(kind, name, what, "opens with its data key", "does not open")
        return self.read_json(kind, name, what, plain)

    @property
    def keys(self) -> KeyRing:
        """The keys of the house."""
        return self.house.keys


def _said(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, list | tuple | set | frozenset):
        names = sorted(map(str, value)) if isinstance(value, set | frozenset) else map(str, value)
        return ", ".join(names) or "none"
    return str(value)


def grouped(width: int, *lanes: Iterable[Any]) -> Iterator[tuple[tuple[Any, ...], list[list[Any]]]]:
    """Walk lanes side by side: for every key that any of them has, in order, the rows of each lane.

    Parameters
    ----------
    width : how many leading columns are the key
    lanes : rows in ascending order of the key; RuntimeError when one is not, since nothing could be concluded then

    Yields
    ------
    (key, one list of rows per lane)
        Only the rows of one key are in memory.
    """

    def runs(lane: Iterable[Any]) -> Iterator[tuple[tuple[Any, ...], list[Any]]]:
        last: tuple[Any, ...] | None = None
        for key, rows in groupby(lane, key=lambda row: tuple(row[:width])):
            if last is not None and key <= last:
                raise RuntimeError("a lane is not in order")
            last = key
            yield key, list(rows)

    sources = [runs(lane) for lane in lanes]
    heads = [next(source, None) for source in sources]
    while True:
        waiting = [head[0] for head in heads if head is not None]
        if not waiting:
            return
        key = min(waiting)
        found: list[list[Any]] = []
        for place, head in enumerate(heads):
            if head is not None and head[0] == key:
                found.append(head[1])
                heads[place] = next(sources[place], None)
            else:
                found.append([])
        yield key, found
