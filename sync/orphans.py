"""Living records that stand in a deleted one: found and shown, never deleted along (S5)."""

from __future__ import annotations

from sync.memory import Found, Memory
from sync.record import Record


def keep_orphans(parent: Record, memory: Memory) -> None:
    """A container was deleted or restored: its living children become orphans, or are none any more."""
    for child_id in sorted(memory.children.get(parent.id, ())):
        child = memory.records.get(child_id)
        if child is not None and child.life == "live" and child.place_parent == parent.id:
            memory.findings.append(Found("orphaned", parent.type, child_id, (), parent.life == "deleted"))


def keep_orphan(record: Record, memory: Memory, old_parent: str | None = None) -> None:
    """A record was written, moved, deleted or restored: does it live in a deleted container now, or no longer?"""
    if record.place_parent is None and old_parent is None:
        return
    left = memory.records.get(old_parent) if old_parent is not None and old_parent != record.place_parent else None
    if left is not None and left.life == "deleted":
        memory.findings.append(Found("orphaned", left.type, record.id, (), False))
    parent = memory.records.get(record.place_parent) if record.place_parent is not None else None
    if parent is not None and parent.life == "deleted":
        memory.findings.append(Found("orphaned", parent.type, record.id, (), record.life == "live"))
