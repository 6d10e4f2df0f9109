"""How one operation changes one record (S1–S6, S9). Decides only: nothing is stored, nothing is looked up.

The browser never merges; it lays unsent operations over the server's copy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from forms.definition import RecordType
from sync.operation import Fields, Operation
from sync.policies import POLICIES, Verdict, add, append, last, review, union
from sync.record import Chain, PastVersion, Record, Stamp, by_unit, unit_fields, value_at

_ONCE_ALWAYS = frozenset({"union", "add"})


@dataclass(frozen=True, slots=True)
class Dispute:
    """A value that somebody overwrote or that was set aside without having been seen: one conflict row (L5).

    ``standing`` is the value in the record before the operation with its writer's ``stamp``; ``newcomer`` the
    operation's own value (None for a deletion). ``base`` is what the newcomer had seen, None where that is not known.
    """

    unit: str
    kind: str  # value | delete_over_edit | edit_over_delete
    policy: str
    base: Fields | None
    standing: Fields
    stamp: Stamp
    newcomer: Fields | None
    new_stands: bool
    open: bool


@dataclass(slots=True)
class Merge:
    """What an operation does to a record, before it is done.

    ``applied`` maps units to the values to write, ``previous`` to the values they replace. ``outcome`` is ``unchanged``
    exactly when nothing here would change the record, its life or its conflicts.
    """

    outcome: str = "unchanged"
    applied: dict[str, Fields] = field(default_factory=dict)
    previous: dict[str, Fields] = field(default_factory=dict)
    set_aside: dict[str, Fields] = field(default_factory=dict)
    disputes: list[Dispute] = field(default_factory=list)
    confirmed: list[str] = field(default_factory=list)
    outdated: list[str] = field(default_factory=list)  # units whose confirmation came too late: findings
    closes: tuple[str, tuple[str, ...]] | None = None  # (unit, siblings seen) of a resolution
    life: str | None = None

    @property
    def changes(self) -> bool:
        """Whether the record gets a new version."""
        return bool(
            self.applied or self.set_aside or self.disputes or self.confirmed or self.closes or self.life is not None
        )


class _View:
    """What the author of an operation had seen of a record."""

    __slots__ = ("base", "chain", "known", "operation", "past", "record")

    def __init__(
        self, record: Record, operation: Operation, chain: Chain, known: bool, past: Sequence[PastVersion]
    ) -> None:
        self.record = record
        self.operation = operation
        self.chain = chain
        self.known = known
        self.past = past
        self.base = operation.base[0] if known and operation.base else 0

    def concurrent(self, unit: str) -> bool:
        """S1: the unit's last write is newer than a known base (any write with an unknown one) and not in the chain."""
        v, install, n = self.record.stamp(unit)
        return (not self.known or v > self.base) and not self.chain.has(install, n)

    def seen(self, unit: str, names: tuple[str, ...]) -> Fields | None:
        """S2: the chain's own later write, else the value in history at base, else ``was``; None when none is there."""
        current = self.record.unit_value(names)
        for row in reversed(self.past):
            if row.v > self.base and self.chain.has(row.install, row.n):
                if unit in row.units:
                    return value_at(self.past, unit, row.v, current)
                if unit in row.set_aside:
                    return dict(row.set_aside[unit])
        if self.known:
            return value_at(self.past, unit, self.base, current)
        was = self.operation.was
        if any(name in was for name in names):
            return {name: was.get(name) for name in names}
        return None

    def others_wrote(self) -> bool:
        """Whether somebody outside the chain changed the record since the base."""
        if self.known and self.record.v == self.base:
            return False
        return any(row.v > self.base and not self.chain.has(row.install, row.n) for row in self.past)


def merge(
    form: RecordType,
    record: Record,
    operation: Operation,
    values: Fields,
    chain: Chain,
    *,
    base_known: bool,
    past: Sequence[PastVersion] = (),
    sibling_stamps: frozenset[tuple[str, int]] = frozenset(),
) -> Merge:
    """Decide what ``operation`` does to ``record``.

    ``values`` are the operation's ``set`` after normalisation; None clears a field. ``past`` holds, ascending, the rows
    of history from the base on (all rows when the base is unknown) and may be empty when the base is the present
    version. ``sibling_stamps`` are the (install, n) of the siblings that a resolution saw.
    """
    view = _View(record, operation, chain, base_known, past)
    kind = operation.kind
    if kind == "confirm":
        return _confirm(form, view)
    if kind == "delete":
        return _delete(form, view)
    if kind == "restore":
        return Merge("applied", life="live") if record.life == "deleted" else Merge()
    result = Merge()
    for unit, change in by_unit(form, values).items():
        _merge_unit(form, view, unit, change, result, sibling_stamps)
    if kind == "resolve" and operation.unit is not None:
        result.closes = (operation.unit, operation.siblings)
    _list_edits_of_deleted(form, view, result)
    if any(dispute.open or not dispute.new_stands for dispute in result.disputes):
        result.outcome = "conflict"
    elif result.changes:
        result.outcome = "merged" if view.others_wrote() else "applied"
    return result


def _merge_unit(
    form: RecordType,
    view: _View,
    unit: str,
    change: Fields,
    result: Merge,
    sibling_stamps: frozenset[tuple[str, int]],
) -> None:
    record = view.record
    names = unit_fields(form, unit)
    policy = form.units[unit].policy if unit in form.units else "last"
    current = record.unit_value(names)
    if policy in _ONCE_ALWAYS:
        new = dict(current)
        seen = (view.seen(unit, names) if policy == "union" and view.concurrent(unit) else None) or current
        for name, value in change.items():
            was = view.operation.was.get(name, seen.get(name))
            new[name] = add(current.get(name), value) if policy == "add" else union(current.get(name), value, was)
        if new != current:
            result.applied[unit] = {name: new[name] for name in names if new[name] != current[name]}
            result.previous[unit] = current
        return
    if not view.concurrent(unit) or _settled_by(view, unit, sibling_stamps):
        new = {**current, **change} if len(names) > 1 else change
        if new != current:
            result.applied[unit] = change
            result.previous[unit] = current
        return
    seen_value = view.seen(unit, names)
    new = {**(seen_value or current), **change}
    if new == current:
        return  # agreement: equal values never conflict
    if seen_value is not None and current == seen_value:
        result.applied[unit] = new
        result.previous[unit] = current
        return
    verdict, named = _judge(policy if view.operation.kind != "resolve" else "review", seen_value or {}, current, new)
    if verdict.new_stands:
        result.applied[unit] = verdict.value
        result.previous[unit] = current
    else:
        result.set_aside[unit] = new
    if named != "append":
        result.disputes.append(
            Dispute(
                unit, "value", named, seen_value, current, record.stamp(unit), new, verdict.new_stands, verdict.open
            )
        )


def _judge(policy: str, seen: Fields, current: Fields, new: Fields) -> tuple[Verdict, str]:
    if policy == "append":
        verdict = append(seen, current, new)
        return (verdict, "append") if verdict is not None else (last(seen, current, new), "last")
    return POLICIES.get(policy, review)(seen, current, new), policy


def _settled_by(view: _View, unit: str, sibling_stamps: frozenset[tuple[str, int]]) -> bool:
    """A resolution has seen the writers of the siblings that it names."""
    _, install, n = view.record.stamp(unit)
    return view.operation.kind == "resolve" and (install, n) in sibling_stamps


def _units_with_values(form: RecordType, record: Record) -> dict[str, tuple[str, ...]]:
    return {unit: unit_fields(form, unit) for unit in by_unit(form, record.fields)}


def _confirm(form: RecordType, view: _View) -> Merge:
    """S9: units seen unchanged are confirmed; those that changed since are findings."""
    record, operation = view.record, view.operation
    present = _units_with_values(form, record)
    result = Merge()
    for unit in operation.units if operation.units is not None else present:
        names = present.get(unit) or unit_fields(form, unit)
        if view.known:
            fresh = not view.concurrent(unit)
        else:
            _, install, n = record.stamp(unit)
            was = {name: operation.was.get(name) for name in names}
            fresh = view.chain.has(install, n) or (
                any(name in operation.was for name in names) and was == record.unit_value(names)
            )
        (result.confirmed if fresh else result.outdated).append(unit)
    if result.confirmed:
        result.outcome = "merged" if view.others_wrote() else "applied"
    return result


def _delete(form: RecordType, view: _View) -> Merge:
    """S5: a deletion stands; every value that the deleter had not seen is listed."""
    record = view.record
    if record.life != "live":
        return Merge()
    result = Merge("applied", life="deleted")
    for unit, names in _units_with_values(form, record).items():
        if view.concurrent(unit):
            seen = view.seen(unit, names)
            current = record.unit_value(names)
            if seen == current:
                continue
            policy = form.units[unit].policy if unit in form.units else "last"
            result.disputes.append(
                Dispute(unit, "delete_over_edit", policy, seen, current, record.stamp(unit), None, True, True)
            )
    if result.disputes:
        result.outcome = "conflict"
    elif view.others_wrote():
        result.outcome = "merged"
    return result


def _list_edits_of_deleted(form: RecordType, view: _View, result: Merge) -> None:
    """S5: a write to a deleted record goes into it and is listed; the record stays deleted until it is restored."""
    if view.record.life != "deleted":
        return
    disputed = {dispute.unit for dispute in result.disputes}
    for unit, value in result.applied.items():
        if unit not in disputed:
            policy = form.units[unit].policy if unit in form.units else "last"
            previous = result.previous[unit]
            result.disputes.append(
                Dispute(
                    unit,
                    "edit_over_delete",
                    policy,
                    None,
                    previous,
                    view.record.stamp(unit),
                    {**previous, **value},
                    True,
                    True,
                )
            )
