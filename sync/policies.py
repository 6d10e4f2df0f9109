"""The closed list of merge policies (S3): what stands when two people wrote a unit without seeing each other.

Each function takes the unit's value that was seen, the value that stands and the new one, and answers what stands now
and whether a person must decide. ``union`` and ``add`` are not disputes: they apply once per operation, always.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sync.operation import Fields


@dataclass(frozen=True, slots=True)
class Verdict:
    """What stands after a dispute. ``open``: a person must decide; ``new_stands``: the newcomer's value was taken."""

    value: Fields
    new_stands: bool
    open: bool


def last(seen: Fields, current: Fields, new: Fields) -> Verdict:
    """The later arrival stands; the value that it covered is listed."""
    return Verdict(new, True, False)


def keep(seen: Fields, current: Fields, new: Fields) -> Verdict:
    """The value that stands stays; the newcomer is listed."""
    return Verdict(current, False, False)


def review(seen: Fields, current: Fields, new: Fields) -> Verdict:
    """The value that stands stays until a person decides."""
    return Verdict(current, False, True)


def _comparable(value: Any) -> Any:
    return (value is not None, value if value is not None else 0)


def greatest(seen: Fields, current: Fields, new: Fields) -> Verdict:
    """The greater value of the unit's first field stands; a missing value is the least."""
    name = next(iter(current))
    wins = _comparable(new.get(name)) > _comparable(current.get(name))
    return Verdict(new if wins else current, wins, False)


def least(seen: Fields, current: Fields, new: Fields) -> Verdict:
    """The lesser value of the unit's first field stands; a missing value loses."""
    name = next(iter(current))
    old, fresh = current.get(name), new.get(name)
    wins = fresh is not None and (old is None or fresh < old)
    return Verdict(new if wins else current, wins, False)


def append(starts: Mapping[str, Sequence[str]], current: Fields, new: Fields) -> Fields | None:
    """The suffix that was added goes behind what stands; None means: any other edit, which is ``last``.

    ``starts`` are the texts that the author may have had before them, for each field; the longest that fits counts.
    """
    value = dict(current)
    for name, fresh in new.items():
        if not isinstance(fresh, str):
            return None
        fitting = [start for start in starts[name] if fresh.startswith(start)]
        if not fitting:
            return None
        value[name] = (current.get(name) or "") + fresh[max(map(len, fitting)) :] or None
    return value


POLICIES: dict[str, Callable[[Fields, Fields, Fields], Verdict]] = {
    "last": last,
    "keep": keep,
    "review": review,
    "max": greatest,
    "min": least,
}


def union(current: Any, change: Any, seen: Any) -> list[Any] | None:
    """The set after ``change``: {"add", "remove"}, or a whole list compared with what was seen. None when empty.

    The order of what stands is kept; what is added comes behind, in its own order.
    """
    stands = list(current or [])
    added: list[Any]
    removed: list[Any]
    if change is None:
        added, removed = [], list(stands if seen is None else seen)
    elif isinstance(change, dict):
        added, removed = change.get("add") or [], change.get("remove") or []
    else:
        before = list(seen or [])
        added = [one for one in change if one not in before]
        removed = [one for one in before if one not in change]
    kept = [one for one in stands if one not in removed]
    kept += [one for one in dict.fromkeys(added) if one not in kept]
    return kept or None


def union_change(shown: Any, before: Any, after: Any) -> Any:
    """``shown`` after the elements that a write added and took away between ``before`` and ``after``."""
    old, new = before or [], after or []
    return union(shown, {"add": [one for one in new if one not in old], "remove": [one for one in old if one not in new]}, None)


def add(current: Any, change: Any) -> Any:
    """What stands plus a delta, {"delta": number} or the number; a missing value counts as 0.

    Decimals are added as they are written, so that 0.1 and 0.2 make 0.3, in any order.
    """
    if change is None:
        return current
    delta = change["delta"] if isinstance(change, dict) else change
    if isinstance(current, float) or isinstance(delta, float):
        total = Decimal(repr(current or 0)) + Decimal(repr(delta))
        return int(total) if total == total.to_integral_value() else float(total)
    return (current or 0) + delta
