"""Which figures may be told: threshold, dominance, complements, and rounding that comparing two files cannot undo. Pure.

A figure is withheld where fewer than ten stand behind it or one of them makes up most of it (primary), and where it would
let somebody compute a withheld one from sums (secondary). What is told is rounded to fives by chance, the same chance for
the same place and count, so that two files of the same count agree and two files of different counts do not tell by how much.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

THRESHOLD = 10
"""Fewer than this are never told, none neither: nobody learns whether there is one."""

DOMINANCE = 0.85
"""One contributor makes up at most this share of what is told."""

BASE = 5
"""What is told is a multiple of this."""

_PRIME = (1 << 61) - 1

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Figure:
    """A true count, and how much of it its largest contributor makes up (a household among persons)."""

    value: int
    largest: int = 1


@dataclass(frozen=True, slots=True)
class Sum:
    """``total`` is the sum of ``parts``, and everybody knows it."""

    total: Hashable
    parts: tuple[Hashable, ...]


def withheld(
    figures: Mapping[Key, Figure], sums: Sequence[Sum], before: Collection[Key] = (), told: Collection[Key] = ()
) -> frozenset[Key]:
    """Which figures may not be told.

    Parameters
    ----------
    figures : every figure that could be told
    sums : how they hang together; every key of a sum is a figure
    before : what was withheld when figures of the same places were told earlier, and so stays withheld
    told : what is out already and cannot be taken back: never among what is withheld

    Returns
    -------
    frozenset
        Of every sum none, or at least two are withheld, and where its total is told, what is withheld of it together
        passes threshold and dominance; no withheld figure follows from all sums together, but for what ``told`` gives away
        by itself. All that can be, where nothing less will do.
    """
    out = frozenset(told)
    hidden = {key for key, figure in figures.items() if key not in out and is_risky([figure])}
    hidden |= {key for key in before if key in figures and key not in out}
    lost = _determined(sums, frozenset(figures) - out) if out else set()
    given_up: set[int] = set()
    while True:
        at = next((n for n, one in enumerate(sums) if n not in given_up and _weak(figures, one, hidden)), None)
        if at is None:
            exposed = _determined(sums, hidden) - lost
            if not exposed:
                return frozenset(hidden)
            free = hidden | out
            at = next((n for n, one in enumerate(sums) if _members(one) & exposed and _members(one) - free), None)
            if at is None:
                return frozenset(figures) - out
        found = _complement(figures, sums[at], hidden, out)
        if found is None:
            given_up.add(at)
        else:
            hidden.add(found)


def is_risky(together: Iterable[Figure]) -> bool:
    """Whether these figures, known as one sum, may not be told."""
    known = list(together)
    value = sum(figure.value for figure in known)
    return value < THRESHOLD or max(figure.largest for figure in known) > DOMINANCE * value


def _members(one: Sum) -> set[Hashable]:
    return {one.total, *one.parts}


def _weak(figures: Mapping[Key, Figure], one: Sum, hidden: Collection[Hashable]) -> bool:
    """Whether a withheld figure of this sum follows from the rest of it, or too few stand behind what does."""
    parts = [part for part in one.parts if part in hidden]
    if one.total in hidden:
        return not parts and bool(one.parts)
    if not parts:
        return False
    return len(parts) == 1 or is_risky(figures[part] for part in parts)  # type: ignore[index]


def _complement(figures: Mapping[Key, Figure], one: Sum, hidden: Collection[Hashable], out: Collection[Hashable]) -> Key | None:
    """The next figure to withhold: the smallest part that is told, else the total; None where all that is left is out."""
    free = [part for part in one.parts if part not in hidden and part not in out]
    order = sorted(free, key=lambda part: (figures[part].value, repr(part)))  # type: ignore[index]
    if order:
        return order[0]  # type: ignore[return-value]
    return None if one.total in hidden or one.total in out else one.total  # type: ignore[return-value]


def _determined(sums: Sequence[Sum], hidden: Collection[Hashable]) -> set[Hashable]:
    """Withheld figures that have one value only, given everything that is told: sums solved as linear equations."""
    rows: dict[Hashable, dict[Hashable, int]] = {}
    for one in sums:
        row = {part: 1 for part in one.parts if part in hidden}
        if one.total in hidden:
            row[one.total] = _PRIME - 1
        for pivot in [key for key in row if key in rows]:
            if pivot in row:
                _subtract(row, rows[pivot], row[pivot])
        if not row:
            continue
        pivot, factor = next(iter(row.items()))
        inverse = pow(factor, -1, _PRIME)
        row = {key: value * inverse % _PRIME for key, value in row.items()}
        for other in rows.values():
            if pivot in other:
                _subtract(other, row, other[pivot])
        rows[pivot] = row
    return {pivot for pivot, row in rows.items() if len(row) == 1}


def _subtract(row: dict[Hashable, int], other: Mapping[Hashable, int], factor: int) -> None:
    for key, value in other.items():
        left = (row.get(key, 0) - factor * value) % _PRIME
        if left:
            row[key] = left
        else:
            row.pop(key, None)


def rounded(secret: bytes, name: str, value: int) -> int:
    """A count to be told: the multiple of five below or above it, by a chance that is kept.

    Parameters
    ----------
    secret : of the house; without it nobody knows which way a count goes
    name : of the place and the measure, the same in every file

    Returns
    -------
    int
        The same for the same name and count; on average over names the count itself. A multiple stays.
    """
    below, rest = value - value % BASE, value % BASE
    if rest == 0:
        return value
    digest = hmac.new(secret, f"figure\0{name}\0{value}".encode(), hashlib.sha256).digest()
    return below + BASE if int.from_bytes(digest[:8], "big") * BASE < rest << 64 else below
