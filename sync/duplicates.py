"""The same person or household recorded twice: merging both into one, and taking that back (S8)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from forms.definition import RecordType
from sync.operation import Fields, Operation
from sync.policies import union
from sync.record import PastVersion, Record, by_unit, unit_fields, value_at


@dataclass(frozen=True, slots=True)
class PastMerge:
    """A merge that an ``undo`` names: who stays, who ended, and since when.

    ``latest``: nothing was merged into the survivor after it. ``addressed`` are the operations since then whose text names the
    one that ended, as (install, n).
    """

    survivor: str
    merged: str
    latest: bool
    addressed: frozenset[tuple[str, int]] = frozenset()


@dataclass(slots=True)
class Undone:
    """What taking a merge back does: values of both records by unit, and the units that were written to the survivor since."""

    survivor: Fields = field(default_factory=dict)
    merged: Fields = field(default_factory=dict)
    review: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Compared:
    """One unit of two records side by side; ``becomes`` is what the survivor has after a merge that decides nothing by hand."""

    unit: str
    state: str  # same | only_survivor | only_merged | differs | joined
    survivor: Fields
    merged: Fields
    becomes: Fields


def compare(form: RecordType, survivor: Record, merged: Record) -> list[Compared]:
    """Every unit that one of the two has a value for, in byte order.

    What only the other has is taken over, sets are joined, notes are put one behind the other; where both have a value and
    they differ, the survivor's stands unless somebody decides otherwise.
    """
    return compare_fields(form, survivor.fields, merged.fields)


def compare_fields(form: RecordType, survivor: Fields, merged: Fields) -> list[Compared]:
    """`compare` for the bare values of two records, or of a record and a copy of it."""
    found = []
    for unit in sorted(by_unit(form, {**survivor, **merged})):
        names = unit_fields(form, unit)
        mine, other = {name: survivor.get(name) for name in names}, {name: merged.get(name) for name in names}
        state, becomes = _compared(form.policy_of(unit), mine, other)
        found.append(Compared(unit, state, mine, other, becomes))
    return found


def _compared(policy: str, mine: Fields, other: Fields) -> tuple[str, Fields]:
    if mine == other:
        return "same", mine
    if all(value is None for value in other.values()):
        return "only_survivor", mine
    if all(value is None for value in mine.values()):
        return "only_merged", other
    if policy == "union":
        return "joined", {name: union(value, {"add": other[name] or []}, None) for name, value in mine.items()}
    if policy == "append":
        return "joined", {name: _appended(value, other[name]) for name, value in mine.items()}
    return "differs", mine


def _appended(mine: Any, other: Any) -> Any:
    if not mine or not other or other in mine:
        return mine or other
    return f"{mine}\n{other}"


def values_of_merge(operation: Operation, form: RecordType, survivor: Record, merged: Record) -> Fields:
    """What the survivor takes over: what only the other has, and what was decided by hand in ``set``."""
    decided: Fields = operation.arguments.get("set", {})
    taken: Fields = {}
    for one in compare(form, survivor, merged):
        if one.becomes != one.survivor and not any(name in decided for name in one.survivor):
            taken |= {name: value for name, value in one.becomes.items() if value != one.survivor[name]}
    return taken | decided


def undo(
    form: RecordType, survivor: Record, command_op_id: str, merge: PastMerge, past: Sequence[PastVersion]
) -> Undone:
    """Fold what happened since a merge by the id that each operation addressed (S8).

    Parameters
    ----------
    past : the survivor's history, ascending, from the version before the merge on

    Returns
    -------
    Undone
        The survivor gets back what it had before, with what was written to its own id since; the other one gets what was
        written to its id since.
    """
    began = next((row.v for row in past if row.op_id == command_op_id), None)
    if began is None:
        began = max((row.v for row in past), default=0) + 1  # the merge changed nothing of the survivor
    result, review = Undone(), set()
    written: dict[str, list[tuple[int, str]]] = {}
    for row in past:
        if row.v < began:
            continue
        whose = "merge" if row.op_id == command_op_id else "merged" if (row.install, row.n) in merge.addressed else "survivor"
        for unit in row.units:
            written.setdefault(unit, []).append((row.v, whose))
            if whose == "survivor":
                review.add(unit)
    for unit, rows in written.items():
        current = survivor.unit_value(unit_fields(form, unit))
        own = [v for v, whose in rows if whose == "survivor"]
        back = value_at(past, unit, own[-1] if own else began - 1, current)
        result.survivor |= {name: value for name, value in back.items() if value != current.get(name)}
        theirs = [v for v, whose in rows if whose == "merged"]
        if theirs:
            result.merged |= value_at(past, unit, theirs[-1], current)
    result.review = tuple(sorted(review))
    return result
