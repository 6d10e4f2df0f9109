"""Whether an operation can enter the records now: what it refers to, whose cells it touches (S13, S18)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from forms.definition import RecordType
from sync.arguments import made_records, named_records, pointer_of, target_community
from sync.memory import Memory, Prepared, Writer
from sync.operation import Operation
from sync.outcome import ASKED_THERE, ELSEWHERE, HELD, MOVED, MOVED_AWAY, PROPOSAL, QUARANTINED, Refusal
from sync.placing import PIN, pinned_cell
from sync.record import Record, shape_of, value_at
from sync.scope import CARE, LINE


def refusal_of(
    prepared: Prepared, writer: Writer, memory: Memory, made: Mapping[str, str], coming: Mapping[str, str]
) -> Refusal | None:
    """Why an operation cannot enter the records now, or None.

    ``made`` are the records that earlier members of its group create, id → type; ``coming`` those that any member does.
    """
    operation, form = prepared.operation, prepared.form
    if operation is None or form is None:
        return Refusal(QUARANTINED, "malformed")
    if form.server_made and not writer.system:
        return Refusal(QUARANTINED, "server_made")
    if operation.kind == "command":
        return _refusal_of_command(operation, prepared.n, writer, memory, made, coming)
    if operation.id in memory.blocked:
        return Refusal(HELD, "behind", operation.id)
    record = memory.records.get(operation.id)
    known_type = record.type if record is not None else made.get(operation.id)
    if known_type is None and operation.id in memory.gone:  # made there by late work: it was never here
        return _moved(memory, writer, operation, prepared.n, [operation.id])
    if known_type is None:
        if operation.kind != "create":
            return Refusal(HELD, "parent", operation.id)
    elif known_type != operation.type:
        return Refusal(QUARANTINED, "type_differs", errors=[_error("/type", "type_differs", "another record type")])
    shape = prepared.shape or shape_of(form, tuple(prepared.values))
    parents = [(name, target) for name in shape.parents if isinstance(target := prepared.values[name], str)]
    missing = _missing_reference(form, parents, prepared, writer, memory, coming)
    if missing is not None:
        return missing
    if writer.scope is not None and PIN in prepared.values and not _may_pin(prepared, record):
        error = _error(f"/set/{PIN}", "not_a_candidate", "only a cell that the record's own fix touches")
        return Refusal(QUARANTINED, "invalid", errors=[error])
    outside = _outside_scope([target for _, target in parents], prepared, record, writer, memory, made, coming)
    return outside or _moved(memory, writer, operation, prepared.n, [operation.id, *[target for _, target in parents]])


def _moved(memory: Memory, writer: Writer, operation: Operation, n: int, ids: Iterable[str]) -> Refusal | None:
    """What is about a record that lives in another community now is decided there, where its author could not know of it (S30).

    Whoever could know has written of a record that is not theirs any more: it waits for their own office.
    """
    gone = []
    for record_id in ids:
        record = memory.records.get(record_id)
        if record.life == MOVED if record is not None else record_id in memory.gone:
            gone.append(record_id)
    if not gone:
        return None
    knowledge = writer.knowledge
    for record_id in gone if knowledge is not None else ():
        record, departure = memory.records.get(record_id), memory.gone_by.get(record_id)
        looked_at = record is not None and record_id == operation.id and operation.base == (record.v, record.tag)
        if looked_at or (knowledge is not None and departure is not None and knowledge.knows(departure, n)):
            error = _error("/id", MOVED_AWAY, "lives in another community, as its author could know")
            return Refusal(QUARANTINED, MOVED_AWAY, errors=[error])
    return Refusal(HELD, MOVED, f"{MOVED}/{gone[0]}")


def is_erased(prepared: Prepared, memory: Memory) -> bool:
    """Whether an operation is about somebody whose data was lawfully erased: it is answered so, and not kept (S28)."""
    operation = prepared.operation
    if operation is None:
        return False
    record = memory.records.get(operation.id)
    if record is not None and record.life == "erased":
        return True
    if not memory.erased:
        return False
    named = {operation.id, record.subject_id if record is not None else None}
    if prepared.form is not None and prepared.form.subject not in (None, "self"):
        named.add(operation.set.get(prepared.form.subject))
    return not memory.erased.isdisjoint(one for one in named if isinstance(one, str))


def _refusal_of_command(
    operation: Operation, n: int, writer: Writer, memory: Memory, made: Mapping[str, str], coming: Mapping[str, str]
) -> Refusal | None:
    """A command waits for every record that it names, and is a proposal where one is outside its author's scope (S18)."""
    named = named_records(operation)
    new = made_records(operation)
    for record_id in sorted({*named, *new} & memory.blocked):
        return Refusal(HELD, "behind", record_id)
    for record_id, expected in {**named, **new}.items():
        record = memory.records.get(record_id)
        actual = record.type if record is not None else made.get(record_id) or coming.get(record_id)
        if actual is None and record_id in named and record_id not in memory.gone:
            return Refusal(HELD, "parent", record_id)
        if actual is not None and actual != expected:
            error = _error(pointer_of(operation, record_id), "wrong_type", f"a {expected} is expected")
            return Refusal(QUARANTINED, "invalid", errors=[error])
    if operation.name == "undo":
        merge = memory.merge_of(operation.arguments["command"])
        if merge is not None and not (merge.latest and operation.id == merge.survivor):
            error = _error("/arguments/command", "not_the_latest", "a later merge has to be undone first")
            return Refusal(QUARANTINED, "invalid", errors=[error])
        named = {**named, **({merge.merged: operation.type} if merge is not None else {})}
    target = target_community(operation)
    if target is not None and target not in memory.communities:
        error = _error("/arguments/community", "no_such_community", "no other community of this house")
        return Refusal(QUARANTINED, "invalid", errors=[error])
    for record_id in named if writer.scope is not None else ():
        record = memory.records.get(record_id)
        if record is not None and not _in_scope(record, n, writer, memory):
            return Refusal(HELD, PROPOSAL)  # somebody over all of it here, before anybody elsewhere is asked, or decides about who has moved
    moved = _moved(memory, writer, operation, n, named)
    if moved is not None:
        return moved
    if target is not None and (memory.crossing is None or memory.crossing.community_id != target):
        said = _error("/arguments/community", ASKED_THERE, "the other community was asked, and has to accept it")
        return Refusal(HELD, PROPOSAL, ELSEWHERE + target, errors=[said])
    return None


def _in_scope(record: Record, n: int, writer: Writer, memory: Memory) -> bool:
    before = memory.before.get(record.id)
    home = before.home if before is not None else record.home
    return writer.scope is None or writer.scope.allows(record, n, writer.chain, home)


def _may_pin(prepared: Prepared, record: Record | None) -> bool:
    """Whoever works single cells confirms one of the cells that a fix may lie in; any other pin is the secretary's (L3)."""
    note = record.placement if record is not None else None
    cell = pinned_cell(prepared.values)
    return cell is not None and cell in {one[0] for one in (note or {}).get("candidates", ())}


def _error(pointer: str, code: str, message: str) -> dict[str, str]:
    return {"pointer": pointer, "code": code, "message": message}


def _missing_reference(
    form: RecordType,
    parents: Iterable[tuple[str, str]],
    prepared: Prepared,
    writer: Writer,
    memory: Memory,
    coming: Mapping[str, str],
) -> Refusal | None:
    operation = prepared.operation
    for name, target in parents:
        expected = form.fields[name].ref_type
        found = memory.records.get(target)
        actual = found.type if found is not None else coming.get(target)
        if found is None and target in memory.blocked:
            return Refusal(HELD, "behind", target)
        if actual is None:
            moved = _moved(memory, writer, operation, prepared.n, [target]) if operation is not None else None
            return moved or Refusal(HELD, "parent", target)
        if expected is not None and actual != expected:
            error = _error(f"/set/{name}", "wrong_type", f"refers to a record that is not a {expected}")
            return Refusal(QUARANTINED, "invalid", errors=[error])
    return None


def _outside_scope(
    named: Sequence[str],
    prepared: Prepared,
    record: Record | None,
    writer: Writer,
    memory: Memory,
    made: Mapping[str, str],
    coming: Mapping[str, str],
) -> Refusal | None:
    scope, operation = writer.scope, prepared.operation
    if scope is None or operation is None:
        return None
    if not _line_is_read(prepared, record, writer, memory):
        return _not_in_scope("not of your lines of work")
    if record is not None:
        addressed = memory.records.get(operation.addressed) if operation.addressed is not None else None
        theirs = addressed is not None and _in_scope(addressed, prepared.n, writer, memory)
        return None if theirs or _in_scope(record, prepared.n, writer, memory) else _not_in_scope()
    if operation.id in made:
        return None
    if not named or any(parent in coming for parent in named):
        return None  # it stands by its own place: accepted in the community and routed
    found = [memory.records[parent] for parent in named if parent in memory.records]
    if any(scope.allows(parent, prepared.n, writer.chain, parent.home) for parent in found):
        return None
    return _not_in_scope()


def _line_is_read(prepared: Prepared, record: Record | None, writer: Writer, memory: Memory) -> bool:
    """S23: whether the author's phone was shown this care record, and may put it where the operation puts it.

    A record that went to another line meanwhile counts by the line that it had in the version that the author was looking at.
    """
    scope, operation = writer.scope, prepared.operation
    if scope is None or scope.lines is None or operation is None or operation.type != CARE:
        return True
    makes = record is None and operation.kind == "create"
    if (makes or LINE in prepared.values) and not scope.reads_line(prepared.values.get(LINE), prepared.n):
        return False
    if record is None or writer.chain.has(record.created_install, record.created_n):
        return True
    now = {LINE: record.fields.get(LINE)}
    if scope.reads_line(now[LINE], prepared.n):
        return True
    base = operation.base
    if base is None or (record.id, *base) not in memory.known:
        return False
    return scope.reads_line(value_at(memory.past_of(record.id), LINE, base[0], now).get(LINE), prepared.n)


def _not_in_scope(message: str = "not in your cells") -> Refusal:
    return Refusal(QUARANTINED, "out_of_scope", errors=[_error("/id", "out_of_scope", message)])
