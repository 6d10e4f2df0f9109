"""How a command enters: its plain changes merged record by record, then episodes and cards once for all of them (S8, S24)."""

from __future__ import annotations

from collections.abc import Iterable

from sync.arguments import COMMANDS, made_records, named_records, target_community
from sync.commands import Expansion, Step, expand
from sync.crossing import leave
from sync.effects import CARD, CARD_CAUSES, EPISODE, Leaving, episodes_of, keep_card, moved_persons
from sync.entering import change, enter, merged, write, write_life
from sync.memory import Decided, Found, Memory, Prepared, Writer
from sync.merge import Merge
from sync.operation import Fields, Operation
from sync.outcome import APPLIED, CONFLICT, ERASED, MERGED, UNCHANGED
from sync.placing import replace_record
from sync.record import Record, by_unit, unit_fields

_WORSE = (UNCHANGED, APPLIED, MERGED, CONFLICT)
_ORDER = {"create": 0, "patch": 1, "end": 3, "revive": 3}


def targets_of(operation: Operation) -> set[str]:
    """The records that an operation is about: one, or all that a command names or makes."""
    if operation.kind != "command" or operation.name not in COMMANDS:
        return {operation.id}
    try:
        return {*named_records(operation), *made_records(operation)}
    except (TypeError, ValueError):  # arguments of another shape: it is quarantined for them
        return {operation.id}


def enter_command(prepared: Prepared, writer: Writer, memory: Memory) -> Decided:
    """Enter a command that was judged; the worst of its parts is what became of it."""
    operation = prepared.operation
    assert operation is not None
    principal = memory.records[operation.id]
    if principal.life == "erased":
        return Decided(prepared, ERASED)
    if target_community(operation) is not None:
        return leave(prepared, operation, writer, memory)
    expansion = _expanded(operation, memory)
    old = {one: dict(memory.records[one].fields) for one in expansion.steps if one in memory.records}
    moves_before = len(memory.moves)
    outcomes = [UNCHANGED]
    changed: dict[str, set[str]] = {}
    for step in sorted(expansion.steps.values(), key=lambda one: (_ORDER[one.kind], one.type == "person", one.id)):
        outcomes.append(_enter_step(step, expansion, prepared, operation, writer, memory, changed))
    ends = [step.id for step in expansion.steps.values() if step.kind in ("end", "revive")]
    if ends:
        _place_again(ends, expansion, memory)
    if not expansion.corrects:
        _keep_episodes(expansion, old, changed, operation, prepared.n, writer, memory)
    for person in _persons(changed, ends, moves_before, memory):
        keep_card(person, operation, prepared.n, writer, memory)
    outcome = max(outcomes, key=_WORSE.index)
    return Decided(prepared, outcome, v=principal.v, tag=principal.tag)


def _expanded(operation: Operation, memory: Memory) -> Expansion:
    merge = memory.merge_of(operation.arguments["command"]) if operation.name == "undo" else None
    past = memory.past_of(merge.survivor) if merge is not None else ()
    return expand(operation, memory.records, memory.today, memory.forms, merge, past)


def _place_again(ends: Iterable[str], expansion: Expansion, memory: Memory) -> None:
    """What stands by a record that leads elsewhere now, or no longer, stands by the one that its reference leads to (S8)."""
    parents = {*ends, *expansion.steps}
    for child_id in sorted({child for parent in parents for child in memory.children.get(parent, ())}):
        child = memory.records.get(child_id)
        if child is not None and child.type not in (CARD, EPISODE):
            memory.touch(child)
            replace_record(memory.forms(child.type), child, memory)


def _enter_step(
    step: Step,
    expansion: Expansion,
    prepared: Prepared,
    operation: Operation,
    writer: Writer,
    memory: Memory,
    changed: dict[str, set[str]],
) -> str:
    record = memory.records.get(step.id)
    form = memory.forms(step.type)
    if record is None:
        if step.kind != "create":
            return UNCHANGED
        part = _part(step, operation, form.version, None)
        return enter(Prepared(prepared.n, operation.op_id, b"", b"", part, form, step.set), writer, memory).outcome
    if record.life == "erased" or record.type != step.type:
        return UNCHANGED
    part = _part(step, operation, form.version, record)
    if step.kind == "end":
        return _end(record, part, expansion.redirects[step.id], prepared.n, writer, memory)
    if step.kind == "revive":
        return _revive(record, step, part, prepared.n, writer, memory, changed, expansion)
    if not step.set:
        return UNCHANGED
    result = change(form, record, part, prepared.n, dict(step.set), writer, memory)
    changed[record.id] = result.fields
    return result.outcome


def _part(step: Step, operation: Operation, form_version: int, record: Record | None) -> Operation:
    """The operation that one record's part of a command would be by itself."""
    base, was = operation.base, operation.was
    if step.id != operation.id:
        other = operation.others.get(step.id)
        base, was = (other.base, other.was) if other is not None else (None, {})
    if base is None and record is not None and step.kind != "create":
        base = (record.v, record.tag)
    kind = {"end": "delete", "revive": "restore"}.get(step.kind, step.kind)
    return Operation(
        operation.op_id, step.type, step.id, kind, base, step.set, was, form_version, operation.claimed_at
    )


def _end(record: Record, part: Operation, target_id: str, n: int, writer: Writer, memory: Memory) -> str:
    """A record ends by leading to another one. What its author had not seen stays in it, and is told of the survivor."""
    if record.life != "live":
        return UNCHANGED
    form = memory.forms(record.type)
    unseen = merged(form, record, part, {}, writer, memory)
    for dispute in unseen.disputes:
        memory.findings.append(Found("merged_unseen", dispute.unit, target_id, (dispute.unit,)))
    write_life(record, "merged", part, n, writer, memory)
    memory.lead(record.id, target_id)
    return MERGED if unseen.outcome != APPLIED else APPLIED


def _revive(
    record: Record,
    step: Step,
    part: Operation,
    n: int,
    writer: Writer,
    memory: Memory,
    changed: dict[str, set[str]],
    expansion: Expansion,
) -> str:
    """A merged record stands by itself again, with what was written to its id meanwhile."""
    form = memory.forms(record.type)
    result = Merge(APPLIED, life="live")
    for unit, values in by_unit(form, step.set).items():
        current = record.unit_value(unit_fields(form, unit))
        fresh = {name: value for name, value in values.items() if value != current.get(name)}
        if fresh:
            result.applied[unit], result.previous[unit] = fresh, current
    memory.touch(record)
    write(record, part, n, result, writer, memory)
    target_id = memory.redirects[record.id]
    memory.lead(record.id, None)
    replace_record(form, record, memory)
    changed[record.id] = result.fields
    if expansion.review:
        memory.findings.append(Found("merge_undone", part.op_id, target_id, expansion.review))
    return APPLIED


def _keep_episodes(
    expansion: Expansion,
    old: dict[str, Fields],
    changed: dict[str, set[str]],
    operation: Operation,
    n: int,
    writer: Writer,
    memory: Memory,
) -> None:
    moved = expansion.moved_from is not None and "dwelling" in changed.get(operation.id, ())
    leaving = Leaving(expansion.left_reason, expansion.left_on, expansion.moved_from if moved else None)
    for person_id, names in changed.items():
        person = memory.records[person_id]
        if person.type == "person" and names:
            episodes_of(person, old[person_id], names, operation, n, writer, memory, leaving)


def _persons(
    changed: dict[str, set[str]], ends: Iterable[str], moves_before: int, memory: Memory
) -> Iterable[Record]:
    """Whose reference card may have changed, each once."""
    found = {
        one: memory.records[one]
        for one, names in changed.items()
        if memory.records[one].type == "person" and not names.isdisjoint(CARD_CAUSES)
    }
    found.update((one, memory.records[one]) for one in ends if memory.records[one].type == "person")
    found.update((one.id, one) for one in moved_persons(memory, moves_before))
    return found.values()
