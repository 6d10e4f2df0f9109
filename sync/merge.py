"""How one operation changes one record (S1–S6, S9). Decides only: nothing is stored, nothing is looked up.

The browser never merges; it lays unsent operations over the server's copy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from forms.definition import RecordType
from sync.operation import Fields, Operation
from sync.policies import POLICIES, Verdict, add, append, last, review, union
from sync.record import Chain, PastVersion, Record, Stamp, by_unit, unit_fields
from sync.seen import Seen

_ONCE_ALWAYS = frozenset({"union", "add"})

Siblings = Mapping[str, Mapping[str, tuple[str, int, str]]]
"""Unit → {op_id: (install, n, role)} of the open siblings of a record's open conflicts."""


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

    ``applied`` maps units to the fields that change with their new values, ``previous`` to the whole units that they
    replace. ``outcome`` is ``unchanged`` exactly when nothing here would change the record, its life or its conflicts.
    """

    outcome: str = "unchanged"
    applied: dict[str, Fields] = field(default_factory=dict)
    previous: dict[str, Fields] = field(default_factory=dict)
    set_aside: dict[str, Fields] = field(default_factory=dict)
    disputes: list[Dispute] = field(default_factory=list)
    confirmed: list[str] = field(default_factory=list)
    outdated: list[str] = field(default_factory=list)  # units whose confirmation came too late: findings
    closes: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)  # (unit, siblings that are settled)
    life: str | None = None
    was: dict[str, Fields] = field(default_factory=dict)  # applied units as the author saw them, with an unknown base

    @property
    def fields(self) -> set[str]:
        """Names of the fields that change."""
        return {name for values in self.applied.values() for name in values}

    @property
    def changes(self) -> bool:
        """Whether the record gets a new version."""
        return bool(
            self.applied or self.set_aside or self.disputes or self.confirmed or self.closes or self.life is not None
        )


def merge(
    form: RecordType,
    record: Record,
    operation: Operation,
    values: Fields,
    chain: Chain,
    *,
    base_known: bool,
    past: Sequence[PastVersion] = (),
    siblings: Siblings | None = None,
) -> Merge:
    """Decide what ``operation`` does to ``record``.

    Parameters
    ----------
    values : dict
        The operation's ``set`` after normalisation; None clears a field.
    base_known : bool
        Whether history has exactly the operation's base.
    past : sequence of PastVersion
        Ascending, the rows of history from the base on (all rows when the base is unknown); may be empty when the base
        is the present version.
    siblings : mapping, optional
        The open siblings of the record's open conflicts, unit → {op_id: (install, n, role)}.

    Returns
    -------
    Merge
        Nothing is changed by this function.
    """
    seen = Seen(form, record, operation, chain, base_known, past)
    kind = operation.kind
    if kind == "confirm":
        return _confirm(form, seen)
    if kind == "delete":
        return _delete(form, seen)
    if kind == "restore":
        return _restore(seen)
    result = Merge()
    named = _named(operation, siblings)
    for unit, change in by_unit(form, values).items():
        _merge_unit(form, seen, unit, change, result, named)
    if named and operation.unit is not None:
        result.closes.append((operation.unit, tuple(named)))
    elif siblings:
        _withdraw(form, seen, values, siblings, result)
    if record.life == "deleted" and result.applied and not seen.knew_deletion():
        _list_edits_of_deleted(form, seen, result)
    if not base_known and operation.base is not None:
        result.was = {unit: told for unit in result.applied if (told := seen.told(unit_fields(form, unit)))}
    if any(dispute.open or not dispute.new_stands for dispute in result.disputes):
        result.outcome = "conflict"
    elif result.changes:
        result.outcome = "merged" if seen.others_wrote() else "applied"
    return result


def _named(operation: Operation, siblings: Siblings | None) -> dict[str, tuple[str, int]]:
    """The open siblings that a resolution names: op_id → (install, n)."""
    if operation.kind != "resolve" or siblings is None or operation.unit is None:
        return {}
    there = siblings.get(operation.unit, {})
    return {op_id: there[op_id][:2] for op_id in dict.fromkeys(operation.siblings) if op_id in there}


def _withdraw(form: RecordType, seen: Seen, values: Fields, siblings: Siblings, result: Merge) -> None:
    """S4: a later own operation replaces its sibling: where its value stands now, the one set aside is withdrawn."""
    for unit in by_unit(form, values):
        if unit in result.set_aside:
            continue
        own = tuple(
            op_id
            for op_id, (install, n, role) in siblings.get(unit, {}).items()
            if role == "set_aside" and seen.chain.has(install, n)
        )
        if own:
            result.closes.append((unit, own))


def _merge_unit(
    form: RecordType,
    seen: Seen,
    unit: str,
    change: Fields,
    result: Merge,
    named: Mapping[str, tuple[str, int]],
) -> None:
    record = seen.record
    spec = form.units.get(unit)
    names = spec.fields if spec is not None else (unit,)
    policy = spec.policy if spec is not None else "last"
    current = record.unit_value(names)
    if policy in _ONCE_ALWAYS:
        _apply(result, unit, current, _once(seen, unit, change, current, policy))
        return
    settled = bool(named) and unit == seen.operation.unit and record.stamp(unit)[1:] in named.values()
    appends = policy == "append" and not seen.present and seen.operation.kind != "resolve"
    if settled or not (appends or seen.concurrent(unit, current)):
        _apply(result, unit, current, change)
        return
    before = seen.shown(unit, current, policy) if appends and seen.known else seen.value(unit, current, change)
    new = {**(current if before is None else before), **change}
    if new == current:
        return  # agreement: equal values never conflict
    if seen.written_upon(unit, new):
        return  # S25: whoever wrote the present value had seen this one
    if before == current:
        _apply(result, unit, current, new)
        return
    if appends:
        longer = append(_starts(seen, change, before, current), current, change)
        if longer is not None:
            _apply(result, unit, current, longer)
            return
        if all(name in seen.was and seen.was[name] == current[name] for name in names):
            _apply(result, unit, current, new)
            return
        policy = "last"
    verdict = _judge(policy if seen.operation.kind != "resolve" else "review", before or {}, current, new)
    if verdict.new_stands:
        _apply(result, unit, current, verdict.value)
    else:
        result.set_aside[unit] = new
    named_policy = policy if seen.operation.kind != "resolve" else "review"
    result.disputes.append(
        Dispute(unit, "value", named_policy, before, current, record.stamp(unit), new, verdict.new_stands, verdict.open)
    )


def _apply(result: Merge, unit: str, current: Fields, new: Fields) -> None:
    """Write what differs; nothing where nothing does."""
    changed = {name: value for name, value in new.items() if current[name] != value}
    if changed:
        result.applied[unit] = changed
        result.previous[unit] = current


def _judge(policy: str, before: Fields, current: Fields, new: Fields) -> Verdict:
    return (last if policy == "last" else POLICIES.get(policy, review))(before, current, new)


def _once(seen: Seen, unit: str, change: Fields, current: Fields, policy: str) -> Fields:
    """S3: ``add`` and ``union`` apply once per operation, whatever was seen; a whole list only says what it changed."""
    if policy == "add":
        return {name: add(current[name], value) for name, value in change.items()}
    shown: Fields | None = None
    new: Fields = {}
    for name, value in change.items():
        before = None
        if type(value) is not dict:
            if name in seen.operation.was:
                before = seen.was.get(name) or []
            else:
                shown = seen.shown(unit, current, policy) if shown is None else shown
                before = shown[name] if seen.known or shown[name] is not None else None
                if seen.known and before is None:
                    before = []
        new[name] = union(current[name], value, before)
    return new


def _starts(seen: Seen, change: Fields, before: Fields | None, current: Fields) -> dict[str, list[str]]:
    """The texts that the author of an appended text may have had before them, for each field."""
    starts: dict[str, list[str]] = {}
    for name in change:
        found = [before.get(name)] if before is not None and seen.known else []
        if name in seen.was:
            found.append(seen.was[name])
        elif not seen.known:
            found += [seen.shown(name, current, "append").get(name), current[name]]
        starts[name] = [one if isinstance(one, str) else "" for one in found]
    return starts


def _units_with_values(form: RecordType, record: Record) -> dict[str, tuple[str, ...]]:
    return {unit: unit_fields(form, unit) for unit in by_unit(form, record.fields)}


def _confirm(form: RecordType, seen: Seen) -> Merge:
    """S9: units seen unchanged are confirmed; those that changed since, or whose record was deleted, are findings."""
    record, operation = seen.record, seen.operation
    present = _units_with_values(form, record)
    gone = record.life == "deleted" and not seen.knew_deletion()
    result = Merge()
    for unit in dict.fromkeys(operation.units) if operation.units is not None else present:
        names = present.get(unit) or unit_fields(form, unit)
        current = record.unit_value(names)
        fresh = not seen.concurrent(unit, current)
        if not seen.known and not fresh:
            fresh = any(name in seen.was for name in names) and {name: seen.was.get(name) for name in names} == current
        (result.confirmed if fresh and not gone else result.outdated).append(unit)
    if result.confirmed:
        result.outcome = "merged" if seen.others_wrote() else "applied"
    return result


def _delete(form: RecordType, seen: Seen) -> Merge:
    """S5: a deletion stands; every value that the deleter had not seen is listed."""
    record = seen.record
    if record.life != "live":
        return Merge()
    result = Merge("applied", life="deleted")
    units = _units_with_values(form, record)
    for unit in record.stamps:  # a value that was cleared unseen is news too
        units.setdefault(unit, unit_fields(form, unit))
    for unit, names in units.items():
        current = record.unit_value(names)
        if seen.concurrent(unit, current):
            before = seen.value(unit, current, {})
            if before != current:
                result.disputes.append(
                    Dispute(
                        unit,
                        "delete_over_edit",
                        form.policy_of(unit),
                        before,
                        current,
                        record.stamp(unit),
                        None,
                        True,
                        True,
                    )
                )
    if result.disputes:
        result.outcome = "conflict"
    elif seen.others_wrote():
        result.outcome = "merged"
    return result


def _restore(seen: Seen) -> Merge:
    if seen.record.life != "deleted":
        return Merge()
    return Merge("merged" if seen.others_wrote() else "applied", life="live")


def _list_edits_of_deleted(form: RecordType, seen: Seen, result: Merge) -> None:
    """S5: a write that had not seen the deletion goes into the record and is listed; the record stays deleted."""
    disputed = {dispute.unit for dispute in result.disputes}
    for unit, value in result.applied.items():
        if unit not in disputed:
            before = result.previous[unit]
            result.disputes.append(
                Dispute(
                    unit,
                    "edit_over_delete",
                    form.policy_of(unit),
                    None,
                    before,
                    seen.record.stamp(unit),
                    {**before, **value},
                    True,
                    True,
                )
            )
