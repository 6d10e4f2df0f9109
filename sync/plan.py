"""Decide a batch: groups in order, each whole or not at all, in memory (S13, S15). The service carries the plan out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from forms.definition import RecordType
from sync.digest import ZERO_TAG, version_tag
from sync.effects import CARD_CAUSES, episode_of, keep_card, keep_findings, moved_persons
from sync.memory import Closing, Decided, Found, Listed, Memory, Prepared, Version, Writer
from sync.merge import Merge, merge
from sync.operation import Operation
from sync.outcome import APPLIED, ERASED, HELD, QUARANTINED, Refusal, worst
from sync.placing import place_record, placing_fields, replace_record
from sync.record import Record, by_unit


def decide(groups: Iterable[Sequence[Prepared]], writer: Writer, memory: Memory) -> None:
    """Decide every group in order; the results are in ``memory``.

    A group is judged before any of its members is applied, so that a refused group leaves no trace. Raises
    IncompletePlan when something must be read first.
    """
    for group in groups:
        _decide_group(group, writer, memory)


def _decide_group(group: Sequence[Prepared], writer: Writer, memory: Memory) -> None:
    group_n = group[0].n
    fresh: dict[str, str] = {}
    refusals: list[Refusal] = []
    waits_for: dict[int, Refusal] = {}
    for prepared in group:
        if prepared.repeat_of is not None:
            continue
        refusal = prepared.refusal or _judge(prepared, writer, memory, fresh)
        if refusal is not None:
            refusals.append(refusal)
            waits_for[prepared.n] = refusal
        operation = prepared.operation
        if operation is not None and operation.kind == "create":
            fresh.setdefault(operation.id, operation.type)
    refusal = worst(refusals)
    if refusal is not None:
        for prepared in group:
            own = waits_for.get(prepared.n)
            if prepared.operation is not None:
                memory.blocked.add(prepared.operation.id)
            memory.decided.append(
                Decided(
                    prepared,
                    refusal.outcome,
                    refusal.reason,
                    waits_for=own.waits_for if own else refusal.waits_for,
                    group_n=group_n,
                    errors=own.errors if own else [],
                )
            )
        return
    for prepared in group:
        if prepared.repeat_of is not None:
            decided = Decided(prepared, prepared.repeat_of[2], prepared.repeat_of[3])
        else:
            decided = _apply(prepared, writer, memory)
        decided.group_n = group_n
        memory.decided.append(decided)


def _judge(prepared: Prepared, writer: Writer, memory: Memory, fresh: dict[str, str]) -> Refusal | None:
    """Why an operation cannot enter the records now, or None."""
    operation, form = prepared.operation, prepared.form
    if operation is None or form is None:
        return Refusal(QUARANTINED, "malformed")
    if form.server_made and not writer.system:
        return Refusal(QUARANTINED, "server_made")
    record = memory.records.get(operation.id)
    if operation.id in memory.blocked:
        return Refusal(HELD, "behind", operation.id)
    if record is None and operation.id not in fresh:
        if operation.kind != "create":
            return Refusal(HELD, "parent", operation.id)
    elif (record is not None and record.type != operation.type) or (operation.id in fresh and fresh[operation.id] != operation.type):
        return Refusal(QUARANTINED, "type_differs", errors=[_error("/type", "type_differs", "another record type")])
    missing = _missing_reference(form, prepared, memory, fresh)
    if missing is not None:
        return missing
    return _outside_scope(form, prepared, record, writer, memory, fresh)


def _error(pointer: str, code: str, message: str) -> dict[str, str]:
    return {"pointer": pointer, "code": code, "message": message}


def _missing_reference(
    form: RecordType, prepared: Prepared, memory: Memory, fresh: dict[str, str]
) -> Refusal | None:
    values = prepared.values
    for name in form.parents:
        target = values.get(name)
        if not isinstance(target, str):
            continue
        expected = form.fields[name].ref_type
        found = memory.records.get(target)
        actual = found.type if found is not None else fresh.get(target)
        if target in memory.blocked and found is None:
            return Refusal(HELD, "behind", target)
        if actual is None:
            return Refusal(HELD, "parent", target)
        if expected is not None and actual != expected:
            error = _error(f"/set/{name}", "wrong_type", f"refers to a record that is not a {expected}")
            return Refusal(QUARANTINED, "invalid", errors=[error])
    return None


def _outside_scope(
    form: RecordType,
    prepared: Prepared,
    record: Record | None,
    writer: Writer,
    memory: Memory,
    fresh: dict[str, str],
) -> Refusal | None:
    scope, operation = writer.scope, prepared.operation
    if scope is None or operation is None:
        return None
    refused = Refusal(QUARANTINED, "out_of_scope", errors=[_error("/id", "out_of_scope", "not in your cells")])
    if record is not None:
        return None if scope.allows(record, prepared.n, writer.chain) else refused
    if operation.id in fresh:
        return None
    parents = [prepared.values.get(name) for name in form.parents]
    named = [parent for parent in parents if isinstance(parent, str)]
    if not named or any(parent in fresh for parent in named):
        return None  # it stands by its own place: accepted in the community and routed
    found = [memory.records[parent] for parent in named if parent in memory.records]
    if any(scope.allows(parent, prepared.n, writer.chain) for parent in found):
        return None
    return refused


def _apply(prepared: Prepared, writer: Writer, memory: Memory) -> Decided:
    operation, form = prepared.operation, prepared.form
    assert operation is not None and form is not None
    record = memory.records.get(operation.id)
    if record is None:
        return _create(prepared, operation, form, writer, memory)
    if record.life == "erased":
        return Decided(prepared, ERASED)
    known = operation.base is not None and (
        (record.id, *operation.base) in memory.known or _is_present(record, operation, memory)
    )
    siblings = _sibling_stamps(operation, memory)
    result = merge(
        form,
        record,
        operation,
        prepared.values,
        writer.chain,
        base_known=known,
        past=memory.past.get(record.id, ()),
        sibling_stamps=siblings,
    )
    for unit in result.outdated:
        memory.findings.append(Found("confirm", "outdated", record.id, (unit,)))
    if not result.changes:
        return Decided(prepared, result.outcome, v=record.v, tag=record.tag)
    memory.touch(record)
    old = dict(record.fields) if result.applied else record.fields
    _write(form, record, operation, prepared.n, result, writer, memory)
    if result.life is not None:
        memory.findings.extend(_orphans(record, memory))
    moves_before = len(memory.moves)
    changed = {name for values in result.applied.values() for name in values}
    if changed & placing_fields(form):
        replace_record(form, record, memory)
    if form.name == "person":
        episode_of(record, old, changed, operation, prepared.n, writer, memory)
        if result.life is not None or changed & CARD_CAUSES:
            keep_card(record, operation, prepared.n, writer, memory)
    for person in moved_persons(memory, moves_before):
        keep_card(person, operation, prepared.n, writer, memory)
    if changed:
        keep_findings(form, record, memory)
    return Decided(prepared, result.outcome, v=record.v, tag=record.tag)


def _is_present(record: Record, operation: Operation, memory: Memory) -> bool:
    """Whether the base is the version that the record had when the transaction began, or has now."""
    if operation.base == (record.v, record.tag):
        return True
    before = memory.before.get(record.id)
    return before is not None and operation.base == (before.v, before.tag)


def _sibling_stamps(operation: Operation, memory: Memory) -> frozenset[tuple[str, int]]:
    if operation.kind != "resolve" or operation.unit is None:
        return frozenset()
    found = memory.conflicts.get((operation.id, operation.unit))
    if found is None:
        return frozenset()
    return frozenset((one.install, one.n) for one in found.siblings if one.op_id in operation.siblings)


def _create(
    prepared: Prepared, operation: Operation, form: RecordType, writer: Writer, memory: Memory
) -> Decided:
    fields = {}
    for name, value in prepared.values.items():
        spec = form.fields.get(name)
        if value is None:
            continue
        if type(value) is dict and spec is not None and spec.type != "location":
            value = value.get("delta") if "delta" in value else value.get("add")  # a first `add` or `union`
        fields[name] = value
    units = sorted(by_unit(form, fields))
    record = Record(
        id=operation.id,
        type=operation.type,
        v=1,
        tag=version_tag(ZERO_TAG, operation.op_id, units),
        life="live",
        home="",
        place_parent=None,
        subject_id=subject_of(form, operation.id, fields),
        fields=fields,
        stamps={},
        open_units=[],
        confirmed={},
        form_version=operation.form_version,
        created_install=writer.install_id,
        created_n=prepared.n,
    )
    record.home = place_record(form, record, memory)
    memory.add(record)
    memory.versions.append(
        Version(
            record.id,
            1,
            record.tag,
            operation.op_id,
            writer.install_id,
            prepared.n,
            units,
            {},
            {},
            "live",
            record.subject_id,
        )
    )
    if form.name == "person":
        keep_card(record, operation, prepared.n, writer, memory)
    keep_findings(form, record, memory)
    return Decided(prepared, APPLIED, v=1, tag=record.tag)


def subject_of(form: RecordType, record_id: str, fields: dict[str, object]) -> str | None:
    """Whose data key seals a record: its own, that of the person it is about, or (None) the community's."""
    if form.subject is None:
        return None
    if form.subject == "self":
        return record_id
    subject = fields.get(form.subject)
    return subject if isinstance(subject, str) else None


def _write(
    form: RecordType,
    record: Record,
    operation: Operation,
    n: int,
    result: Merge,
    writer: Writer,
    memory: Memory,
) -> None:
    units = sorted(result.applied)
    record.v += 1
    record.tag = version_tag(record.tag, operation.op_id, units)
    for unit, values in result.applied.items():
        for name, value in values.items():
            if value is None:
                record.fields.pop(name, None)
            else:
                record.fields[name] = value
        record.stamps[unit] = (record.v, writer.install_id, n)
    if result.life is not None:
        record.life = result.life
    record.form_version = max(record.form_version, operation.form_version)
    for unit in result.confirmed:
        record.confirmed[unit] = {
            "op_id": operation.op_id,
            "claimed_at": operation.claimed_at,
            "arrived_at": memory.arrived_at,
        }
    for dispute in result.disputes:
        memory.listed.append(Listed(record.id, record.subject_id, dispute, operation, n))
        if dispute.open and dispute.unit not in record.open_units:
            record.open_units = sorted([*record.open_units, dispute.unit])
    if result.closes is not None:
        _close(record, result.closes, operation, n, memory)
    memory.versions.append(
        Version(
            record.id,
            record.v,
            record.tag,
            operation.op_id,
            writer.install_id,
            n,
            units,
            result.previous,
            result.set_aside,
            result.life,
            record.subject_id,
            tuple(record.open_units),
        )
    )


def _close(
    record: Record, closes: tuple[str, tuple[str, ...]], operation: Operation, n: int, memory: Memory
) -> None:
    """S4: a resolution closes the siblings that it saw; the conflict stays open while one is left."""
    unit, siblings = closes
    memory.closings.append(Closing(record.id, unit, siblings, operation.op_id, n))
    found = memory.conflicts.get((record.id, unit))
    if found is None:
        return
    found.siblings = [one for one in found.siblings if one.op_id not in siblings]
    waiting = [one for one in found.siblings if one.role == "set_aside"]
    if not waiting and unit in record.open_units:
        record.open_units = [one for one in record.open_units if one != unit]


def _orphans(record: Record, memory: Memory) -> list[Found]:
    """S5: living children of a deleted record are found and shown; they keep their place."""
    opens = record.life == "deleted"
    found = []
    for child_id in sorted(memory.children.get(record.id, ())):
        child = memory.records.get(child_id)
        if child is not None and child.life == "live":
            found.append(Found("orphaned", record.type, child_id, (), opens))
    return found
