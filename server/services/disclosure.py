"""What may be told of people: threshold, dominance, and rounding that comparing two files cannot undo. Pure.

A figure is withheld where fewer than ten stand behind it or one of them makes up most of it, and where it would let somebody
compute such a one from sums (`disclosure_editions`). What is told is rounded to fives by chance, the same chance for
the same place and count, so that two files of the same count agree and two files of different counts do not tell by how much.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass

THRESHOLD = 10
"""Fewer than this are never told, none neither: nobody learns whether there is one."""

DOMINANCE = 0.85
"""One contributor makes up at most this share of what is told."""

BASE = 5
"""What is told is a multiple of this."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A true count, and how much of it its largest contributor makes up (a household among persons)."""

    value: int
    largest: int = 1


@dataclass(frozen=True, slots=True)
class Sum:
    """A measure that is the sum of others in every place, and everybody knows it."""

    total: str
    parts: tuple[str, ...]

    @property
    def members(self) -> tuple[str, ...]:
        """All measures that hang together by it."""
        return (self.total, *self.parts)


def is_risky(together: Iterable[Figure]) -> bool:
    """Whether these figures, known as one sum, may not be told."""
    known = list(together)
    value = sum(figure.value for figure in known)
    return value < THRESHOLD or max(figure.largest for figure in known) > DOMINANCE * value


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
