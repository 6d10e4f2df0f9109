"""Decide a batch: groups in order, each whole or not at all, in memory (S13, S15). The service carries the plan out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from forms.definition import RecordType
from sync.digest import ZERO_TAG, version_tag
from sync.disputes import close_siblings, keep_dispute, open_siblings
from sync.effects import CARD_CAUSES, episodes_of, keep_card, keep_findings, moved_persons
from sync.judging import refusal_of
from sync.memory import Decided, Found, Memory, Prepared, Version, Writer
from sync.merge import Merge, merge
from sync.operation import Fields, Operation
from sync.orphans import keep_orphan, keep_orphans
from sync.outcome import APPLIED, ERASED, OPEN, Refusal, worst
from sync.placing import place_record, placing_fields, replace_record
from sync.policies import add, union
from sync.record import Record, unit_names


def decide(groups: Iterable[Sequence[Prepared]], writer: Writer, memory: Memory) -> None:
    """Decide every group in order; the results are in ``memory``.

    A group is judged before any of its members is applied, so that a refused group leaves no trace. Raises
    IncompletePlan when something must be read first.
    """
    for group in groups:
        _decide_group(group, writer, memory)


def _decide_group(group: Sequence[Prepared], writer: Writer, memory: Memory) -> None:
    coming: dict[str, str] = {}
    if len(group) > 1:
        for prepared in group:
            operation = prepared.operation
            if operation is not None and operation.kind == "create" and prepared.repeat_of is None:
                coming.setdefault(operation.id, operation.type)
    made: dict[str, str] = {}
    refusals: list[Refusal] = []
    own: dict[int, Refusal] = {}
    for prepared in group:
        operation = prepared.operation
        if prepared.repeat_of is not None:
            if operation is not None and prepared.repeat_of[2] in OPEN:
                memory.blocked.add(operation.id)  # what came before under another number still waits
            continue
        refusal = prepared.refusal or refusal_of(prepared, writer, memory, made, coming)
        if refusal is not None:
            refusals.append(refusal)
            own[prepared.n] = refusal
        if operation is not None and operation.kind == "create":
            made.setdefault(operation.id, operation.type)
    shared = worst(refusals)
    if shared is not None:
        _refuse(group, shared, own, memory)
        return
    decided = {}
    for prepared in _parents_first(group, coming):
        if prepared.repeat_of is not None:
            decided[prepared.n] = Decided(prepared, prepared.repeat_of[2], prepared.repeat_of[3])
        else:
            decided[prepared.n] = _enter(prepared, writer, memory)
        decided[prepared.n].group_n = group[0].n
    memory.decided.extend(decided[prepared.n] for prepared in group)


def _refuse(group: Sequence[Prepared], shared: Refusal, own: dict[int, Refusal], memory: Memory) -> None:
    """S13: the worst member decides for the group; later operations on its records wait behind."""
    for prepared in group:
        mine = own.get(prepared.n)
        if prepared.operation is not None:
            memory.blocked.add(prepared.operation.id)
        memory.decided.append(
            Decided(
                prepared,
                shared.outcome,
                shared.reason,
                waits_for=mine.waits_for if mine else shared.waits_for,
                group_n=group[0].n,
                errors=mine.errors if mine else [],
            )
        )


def _parents_first(group: Sequence[Prepared], coming: dict[str, str]) -> Iterable[Prepared]:
    """The members in order, but a record that another one of the group stands in is created before it."""
    if len(coming) < 2:
        return group
    makers: dict[str, Prepared] = {}
    for prepared in group:
        operation = prepared.operation
        if operation is not None and operation.kind == "create" and prepared.repeat_of is None:
            makers.setdefault(operation.id, prepared)
    ordered: dict[int, Prepared] = {}
    open_now: set[int] = set()

    def enter(prepared: Prepared) -> None:
        if prepared.n in ordered or prepared.n in open_now:
            return
        open_now.add(prepared.n)
        if prepared.form is not None and prepared.repeat_of is None:
            for name in prepared.form.parents:
                parent = makers.get(prepared.values.get(name) or "")
                if parent is not None:
                    enter(parent)
        ordered[prepared.n] = prepared

    for prepared in group:
        enter(prepared)
    return ordered.values()


def _enter(prepared: Prepared, writer: Writer, memory: Memory) -> Decided:
    operation, form = prepared.operation, prepared.form
    assert operation is not None and form is not None
    record = memory.records.get(operation.id)
    if record is None:
        return _create(prepared, operation, form, writer, memory)
    if record.life == "erased":
        return Decided(prepared, ERASED)
    present = operation.base == (record.v, record.tag)
    result = merge(
        form,
        record,
        operation,
        prepared.values,
        writer.chain,
        base_known=present or _is_known(record, operation, memory),
        past=() if present else memory.past_of(record.id),
        siblings=open_siblings(record, memory) if record.open_units else None,
    )
    for unit in result.outdated:
        memory.findings.append(Found("confirm", "outdated", record.id, (unit,)))
    if not result.changes:
        return Decided(prepared, result.outcome, v=record.v, tag=record.tag)
    memory.touch(record)
    old = dict(record.fields) if form.name == "person" else record.fields
    _write(record, operation, prepared.n, result, writer, memory)
    moves_before = len(memory.moves)
    changed = {name for values in result.applied.values() for name in values}
    old_parent = record.place_parent
    if not changed.isdisjoint(placing_fields(form)):
        replace_record(form, record, memory)
    if result.life is not None:
        keep_orphans(record, memory)
    if result.life is not None or record.place_parent != old_parent:
        keep_orphan(record, memory, old_parent)
    if form.name == "person":
        episodes_of(record, old, changed, operation, prepared.n, writer, memory)
        if result.life is not None or not changed.isdisjoint(CARD_CAUSES):
            keep_card(record, operation, prepared.n, writer, memory)
    for person in moved_persons(memory, moves_before):
        keep_card(person, operation, prepared.n, writer, memory)
    if changed:
        keep_findings(form, record, memory, changed)
    return Decided(prepared, result.outcome, v=record.v, tag=record.tag)


def _is_known(record: Record, operation: Operation, memory: Memory) -> bool:
    """Whether the base is a version in history, or the one that the record had when the transaction began."""
    if operation.base is None:
        return False
    before = memory.before.get(record.id)
    if before is not None and operation.base == (before.v, before.tag):
        return True
    return (record.id, *operation.base) in memory.known


def _first_values(form: RecordType, values: Fields) -> Fields:
    """The fields of a new record: no nulls; a first change of a set or a sum is made of nothing."""
    fields: Fields = {name: value for name, value in values.items() if value is not None and type(value) is not dict}
    if len(fields) == len(values):
        return fields
    fields = {}
    for name, value in values.items():
        if type(value) is dict and name in form.fields:
            policy = form.units[form.unit_of[name]].policy
            if policy == "union":
                value = union(None, value, None)
            elif policy == "add":
                value = add(None, value)
        if value is not None:
            fields[name] = value
    return fields


def _create(
    prepared: Prepared, operation: Operation, form: RecordType, writer: Writer, memory: Memory
) -> Decided:
    fields = _first_values(form, prepared.values)
    units = list(unit_names(form, tuple(fields)))
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
    memory.wrote(
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
    if form.name == "person" and "registration_dwelling" in fields:
        keep_card(record, operation, prepared.n, writer, memory)
    keep_findings(form, record, memory)
    keep_orphan(record, memory)
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
    for unit in {*result.confirmed, *(unit for unit in units if unit in record.confirmed)}:  # a write confirms its units
        record.confirmed = {
            **record.confirmed,
            unit: {"op_id": operation.op_id, "claimed_at": operation.claimed_at, "arrived_at": memory.arrived_at},
        }
    for unit, siblings in result.closes:
        close_siblings(record, unit, siblings, operation, n, memory)
    for dispute in result.disputes:
        keep_dispute(record, dispute, operation, n, writer, memory)
    memory.wrote(
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
            result.was,
        )
    )
