"""Which items of a queue of the inbox are listed, and which come first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from server.store.scoping import UNPLACED, Condition, among


@dataclass(frozen=True, slots=True)
class Sieve:
    """Which items of a queue are listed, and in which order.

    Attributes
    ----------
    home : only those about records of this home stream; what is about no record yet counts as being in no cell
    asked : only those that this person was asked to see to
    harms : how harmful items of a record type are (of findings: of a `group_key`), 0 the most; all others `LESS`
    only : findings of these group keys only; None for all
    """

    home: str | None = None
    asked: str | None = None
    harms: Mapping[str, int] = field(default_factory=dict)
    only: tuple[str, ...] | None = None


LESS = 2
EVERYTHING = Sieve()
_ENDS = "('delete', 'restore', 'command')"


def rank(expression: str, sieve: Sieve, more: str = "") -> Condition:
    """SQL of the harm of an item; ``more`` is a condition by which it is 1 at least."""
    if not sieve.harms:
        return str(LESS), []
    text, values = "", list[Any]()
    for harm in sorted({*sieve.harms.values(), *((1,) if more else ())}):
        found, names = among(expression, sorted(name for name, one in sieve.harms.items() if one == harm))
        text += f" WHEN {found}{more if harm == 1 else ''} THEN {harm}"
        values += names
    return f"CASE{text} ELSE {LESS} END", values


def sifted(alias: str, sieve: Sieve) -> Condition:
    """SQL of what the sieve leaves of items ``alias`` about records ``r``."""
    text, values = "1 = 1", list[Any]()
    here = "(r.home = ? OR r.id IS NULL)" if sieve.home == UNPLACED else "r.home = ?"
    for condition, value in ((here, sieve.home), (f"{alias}.delegated_to = ?", sieve.asked)):
        if value is not None:
            text, values = f"{text} AND {condition}", [*values, value]
    return text, values


def operation_rank(sieve: Sieve) -> Condition:
    """SQL of the harm of an operation ``o``: what its record type tells, and 1 at least where something ends or many records change."""
    return rank("o.record_type", sieve, f" OR o.kind IN {_ENDS}")
