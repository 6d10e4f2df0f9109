"""Which stream a record lives in: its own anchor, else the record that places it; and all that moves along (L3, S24)."""

from __future__ import annotations

from functools import cache

from forms.definition import RecordType
from sync.memory import UNPLACED, Memory, Move
from sync.operation import Fields
from sync.record import Record


class IncompletePlan(Exception):
    """A record would move, but what is placed by it was not read: the transaction starts again with it."""

    def __init__(self, record_id: str) -> None:
        super().__init__(record_id)
        self.record_id = record_id


@cache
def placing_fields(form: RecordType) -> frozenset[str]:
    """The fields whose change can move a record of this type."""
    return frozenset("anchor" if source == "@anchor" else source for source in form.placed_by)


def place_record(form: RecordType, record: Record, memory: Memory) -> str:
    """Set the record's place from its fields and return the stream it belongs to.

    The first source of ``placed_by`` that has a value decides; a location outside every cell and a parent without a
    place leave it unplaced. The record's ``home`` is not changed here.
    """
    record.place_parent = None
    record.placement = None
    record.lon = record.lat = None
    for source in form.placed_by:
        if source == "@anchor":
            location = record.fields.get("anchor")
            if location is None:
                continue
            place = memory.place(location)
            record.placement = place.note
            record.lon, record.lat = place.lon, place.lat
            return place.home
        parent_id = record.fields.get(source)
        if parent_id is None:
            continue
        if memory.redirects:
            parent_id = memory.root(parent_id)
        record.place_parent = parent_id
        parent = memory.records.get(parent_id)
        return parent.home if parent is not None else UNPLACED
    return UNPLACED


def move(record: Record, home: str, memory: Memory, reason: str) -> None:
    """Change the record's home, and that of everything placed by it, without raising versions.

    Raises IncompletePlan when the record's dependants were not read.
    """
    pending = [(record, home)]
    while pending:
        one, target = pending.pop()
        if one.home == target:
            continue
        if one.id not in memory.created and one.id not in memory.movable:
            raise IncompletePlan(one.id)
        memory.touch(one)
        if one.id not in memory.created:
            memory.moves.append(Move(one.id, one.v, one.home, target, reason))
        one.home = target
        for child_id in sorted(memory.children.get(one.id, ()), reverse=True):
            child = memory.records[child_id]
            if child.place_parent == one.id and child.lon is None:
                pending.append((child, target))


def replace_record(form: RecordType, record: Record, memory: Memory) -> None:
    """Place an existing record anew after a change of its placing fields."""
    old_parent = record.place_parent
    home = place_record(form, record, memory)
    if record.place_parent != old_parent:
        if old_parent is not None:
            memory.children.get(old_parent, set()).discard(record.id)
        if record.place_parent is not None:
            memory.children.setdefault(record.place_parent, set()).add(record.id)
    move(record, home, memory, "moved")


def placing_refs(form: RecordType, fields: Fields) -> list[str]:
    """The record ids that may place a record with these fields."""
    found = []
    for source in form.placed_by:
        value = fields.get(source) if source != "@anchor" else None
        if isinstance(value, str):
            found.append(value)
    return found
