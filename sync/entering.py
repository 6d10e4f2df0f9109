"""How one operation enters one record: merged, placed, with its effects, in memory (S1–S7, S24)."""

from __future__ import annotations

from forms.definition import RecordType
from sync.digest import ZERO_TAG, version_tag
from sync.disputes import close_siblings, keep_dispute, open_siblings, reopen_settled
from sync.effects import CARD_CAUSES, episodes_of, keep_card, keep_findings, moved_persons
from sync.memory import Decided, Found, Memory, Prepared, Version, Writer
from sync.merge import Merge, merge
from sync.operation import Fields, Operation
from sync.orphans import keep_orphan, keep_orphans
from sync.outcome import APPLIED, ERASED
from sync.placing import place_record, placing_fields, replace_record
from sync.policies import add, union
from sync.record import Record, shape_of


def enter(prepared: Prepared, writer: Writer, memory: Memory) -> Decided:
    """Enter an operation that was judged; what became of it."""
    operation, form = prepared.operation, prepared.form
    assert operation is not None and form is not None
    record = memory.records.get(operation.id)
    if record is None:
        return _create(prepared, operation, form, writer, memory)
    if record.life == "erased":  # through a redirect that an earlier member of its group has made
        return Decided(prepared, ERASED)
    # a record that this transaction touches now for the first time is remembered as it was anyway
    old = dict(record.fields) if form.name == "person" and record.id in memory.touched else None
    moves_before = len(memory.moves)
    result = change(form, record, operation, prepared.n, prepared.values, writer, memory)
    if not result.changes:
        return Decided(prepared, result.outcome, v=record.v, tag=record.tag)
    changed = result.fields
    if form.name == "person":
        before = memory.before[record.id].fields if old is None else old
        episodes_of(record, before, changed, operation, prepared.n, writer, memory)
        if result.life is not None or not changed.isdisjoint(CARD_CAUSES):
            keep_card(record, operation, prepared.n, writer, memory)
    for person in moved_persons(memory, moves_before):
        keep_card(person, operation, prepared.n, writer, memory)
    return Decided(prepared, result.outcome, v=record.v, tag=record.tag)


def change(
    form: RecordType, record: Record, operation: Operation, n: int, values: Fields, writer: Writer, memory: Memory
) -> Merge:
    """Merge an operation into a record and place it anew; what happened. Episodes and cards are left to the caller."""
    result = merged(form, record, operation, values, writer, memory)
    for unit in result.outdated:
        memory.findings.append(Found("confirm", "outdated", record.id, (unit,)))
    if not result.changes:
        return result
    memory.touch(record)
    write(record, operation, n, result, writer, memory)
    changed = result.fields
    old_parent = record.place_parent
    if not placing_fields(form).isdisjoint(changed):
        replace_record(form, record, memory)
    if result.life is not None:
        keep_orphans(record, memory)
    if result.life is not None or record.place_parent != old_parent:
        keep_orphan(record, memory, old_parent)
    if changed:
        keep_findings(form, record, memory, changed)
    return result


def merged(
    form: RecordType, record: Record, operation: Operation, values: Fields, writer: Writer, memory: Memory
) -> Merge:
    """What an operation does to a record, before it is done."""
    present = operation.base == (record.v, record.tag)
    return merge(
        form,
        record,
        operation,
        values,
        writer.chain,
        base_known=present or _is_known(record, operation, memory),
        past=() if present else memory.past_of(record.id),
        siblings=open_siblings(record, memory) if record.open_units else None,
    )


def _is_known(record: Record, operation: Operation, memory: Memory) -> bool:
    """Whether the base is a version in history, or the one that the record had when the transaction began."""
    if operation.base is None:
        return False
    before = memory.before.get(record.id)
    if before is not None and operation.base == (before.v, before.tag):
        return True
    return (record.id, *operation.base) in memory.known


def first_values(form: RecordType, values: Fields) -> Fields:
    """The fields of a new record: no nulls; a first change of a set or a sum is made of nothing."""
    fields = values.copy() if None not in values.values() else {n: value for n, value in values.items() if value is not None}
    for name in shape_of(form, tuple(fields)).changes:
        value = fields[name]
        if type(value) is dict:
            value = union(None, value, None) if form.units[form.unit_of[name]].policy == "union" else add(None, value)
            if value is None:
                del fields[name]
            else:
                fields[name] = value
    return fields


_NOTHING: dict[str, Fields] = {}


def _create(
    prepared: Prepared, operation: Operation, form: RecordType, writer: Writer, memory: Memory
) -> Decided:
    fields = first_values(form, prepared.values)
    units = shape_of(form, tuple(fields)).units
    record = Record(  # in the order of its fields: filling a community passes here for everybody in it
        operation.id, operation.type, 1, version_tag(ZERO_TAG, operation.op_id, units), "live", "", None,
        subject_of(form, operation.id, fields), fields, {}, [], {}, operation.form_version, writer.install_id, prepared.n,
    )  # fmt: skip
    record.home, record.dedicated = place_record(form, record, memory)
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
            _NOTHING,
            _NOTHING,
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
    """Whose data key seals a record: its own, that of the person it is about, or (None) the community's.

    A record about somebody who is not known yet has a key of its own, which goes with the person once known (S28).
    """
    if form.subject is None:
        return None
    if form.subject == "self":
        return record_id
    subject = fields.get(form.subject)
    return subject if isinstance(subject, str) else record_id


def write(
    record: Record,
    operation: Operation,
    n: int,
    result: Merge,
    writer: Writer,
    memory: Memory,
) -> None:
    """Make a version of a record: its fields, life, confirmations and conflicts, and its row of history."""
    units = tuple(sorted(result.applied))
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
    if operation.kind == "restore" and result.life == "live" and memory.settled:
        reopen_settled(record, memory)
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


def write_life(record: Record, life: str, operation: Operation, n: int, writer: Writer, memory: Memory) -> None:
    """A version of a record that changes nothing but its life."""
    memory.touch(record)
    record.v += 1
    record.tag = version_tag(record.tag, operation.op_id, ())
    record.life = life
    memory.wrote(
        Version(
            record.id, record.v, record.tag, operation.op_id, writer.install_id, n, (), {}, {}, life, record.subject_id,
            tuple(record.open_units),
        )
    )  # fmt: skip
