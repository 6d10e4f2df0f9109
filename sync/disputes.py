"""The open conflicts of a transaction: which values stand side by side, which are settled (S4, S5, L5)."""

from __future__ import annotations

from sync.memory import Closing, Listed, Memory, OpenConflict, OpenSibling, Reopening, Writer
from sync.merge import Dispute, Siblings
from sync.operation import Operation
from sync.record import Record


def open_siblings(record: Record, memory: Memory) -> Siblings:
    """The open siblings of a record's conflicts, as merging looks at them."""
    return {
        unit: {one.op_id: (one.install, one.n, one.role) for one in memory.conflicts[record.id, unit].siblings}
        for unit in record.open_units
        if (record.id, unit) in memory.conflicts
    }


def keep_dispute(record: Record, dispute: Dispute, operation: Operation, n: int, writer: Writer, memory: Memory) -> None:
    """List a dispute. One conflict is open for a (record, unit), with one sibling per chain: a later one replaces it."""
    key = (record.id, dispute.unit)
    found = memory.conflicts.get(key) if dispute.open else None
    conflict = found if found is not None else OpenConflict("", [])
    if dispute.open:
        memory.conflicts[key] = conflict
        if dispute.unit not in record.open_units:
            record.open_units = sorted([*record.open_units, dispute.unit])
    _, install, standing_n = dispute.stamp
    standing = None
    if all((one.install, one.n) != (install, standing_n) for one in conflict.siblings):
        standing = OpenSibling("", install, standing_n, "overwritten" if dispute.new_stands else "current")
        conflict.siblings.append(standing)
    newcomer = None
    replaces: tuple[str, ...] = ()
    if dispute.newcomer is not None:
        own = [one for one in conflict.siblings if one.role == "set_aside" and writer.chain.has(one.install, one.n)]
        replaces = tuple(one.op_id for one in own)
        conflict.siblings = [one for one in conflict.siblings if one not in own]
        newcomer = OpenSibling(operation.op_id, writer.install_id, n, "current" if dispute.new_stands else "set_aside")
        conflict.siblings.append(newcomer)
    memory.disputes.append(
        Listed(
            record.id,
            record.subject_id,
            dispute,
            operation,
            n,
            conflict,
            found is None,
            standing,
            newcomer,
            replaces,
        )
    )


def close_siblings(
    record: Record, unit: str, siblings: tuple[str, ...], operation: Operation, n: int, memory: Memory
) -> None:
    """Settle the named siblings; the conflict stays open while another value waits."""
    conflict = memory.conflicts.get((record.id, unit))
    if conflict is None:
        return
    named = list(conflict.siblings)
    conflict.siblings = [one for one in conflict.siblings if one.op_id not in siblings]
    settles = not conflict.waits(record.stamp(unit))
    if settles and record.life == "deleted":
        conflict.siblings = named  # the very conflict: one of this transaction has no id of its own yet
        memory.settled[record.id, unit] = conflict
    memory.disputes.append(Closing(record.id, unit, siblings, operation.op_id, n, conflict, settles))
    if settles:
        del memory.conflicts[record.id, unit]
        record.open_units = [one for one in record.open_units if one != unit]


def reopen_settled(record: Record, memory: Memory) -> None:
    """S5: restoring a record opens again what was settled while it was deleted: the question is whether that still holds."""
    for (record_id, unit), conflict in sorted(memory.settled.items()):
        if record_id != record.id or unit in record.open_units:
            continue
        memory.conflicts[record_id, unit] = conflict
        record.open_units = sorted([*record.open_units, unit])
        memory.disputes.append(Reopening(record_id, unit, conflict))
    memory.settled = {key: one for key, one in memory.settled.items() if key[0] != record.id}
