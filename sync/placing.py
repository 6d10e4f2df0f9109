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


PIN = "pin"
"""The field of a record with an own location that says its cell against geometry: {"cell", "edition", "reason", …} (L3)."""


@cache
def placing_fields(form: RecordType) -> frozenset[str]:
    """The fields whose change can move a record of this type."""
    named = {"anchor" if source == "@anchor" else source for source in form.placed_by}
    return frozenset({*named, PIN} if "anchor" in named else named)


def pinned_cell(fields: Fields) -> str | None:
    """The id of the cell that a pin names; None without a pin."""
    pin = fields.get(PIN)
    cell = pin.get("cell") if isinstance(pin, dict) else None
    return cell if isinstance(cell, str) and cell else None


def pinned_note(cell_id: str, edition_id: str | None) -> Fields:
    """What a record keeps about a place that a pin decided."""
    return {"decision": "pinned", "pin": cell_id, "edition": edition_id}


def place_record(form: RecordType, record: Record, memory: Memory) -> tuple[str, str | None]:
    """Set the record's place from its fields and return the stream it belongs to, and that of its dedicated cell.

    The first source of ``placed_by`` that has a value decides; a location outside every cell and a parent without a
    place leave it unplaced. The record's ``home`` is not changed here.
    """
    record.place_parent = None
    record.placement = None
    record.lon = record.lat = None
    pin = pinned_cell(record.fields) if PIN in placing_fields(form) else None
    if pin is not None and memory.has_cell(pin):
        location = record.fields.get("anchor")
        place = memory.place(location) if location is not None else None
        record.placement = pinned_note(pin, place.note.get("edition") if place is not None else None)
        if place is not None:
            record.lon, record.lat = place.lon, place.lat
        return f"cell/{pin}", place.dedicated if place is not None else None
    for source in form.placed_by:
        if source == "@anchor":
            location = record.fields.get("anchor")
            if location is None:
                continue
            place = memory.place(location)
            record.placement = place.note
            record.lon, record.lat = place.lon, place.lat
            return place.home, place.dedicated
        parent_id = record.fields.get(source)
        if parent_id is None:
            continue
        if memory.redirects:
            parent_id = memory.root(parent_id)
        record.place_parent = parent_id
        parent = memory.records.get(parent_id)
        return (parent.home, parent.dedicated) if parent is not None else (UNPLACED, None)
    return UNPLACED, None


def move(record: Record, home: str, memory: Memory, reason: str, dedicated: str | None = None) -> None:
    """Change the record's home and dedicated cell, and those of everything placed by it, without raising versions.

    Raises IncompletePlan when the record's dependants were not read.
    """
    pending = [(record, home)]
    while pending:
        one, target = pending.pop()
        if one.home == target and one.dedicated == dedicated:
            continue
        if one.id not in memory.created and one.id not in memory.movable:
            raise IncompletePlan(one.id)
        memory.touch(one)
        if one.id not in memory.created and one.home != target:
            memory.moves.append(Move(one.id, one.v, one.home, target, reason))
        one.home, one.dedicated = target, dedicated
        for child_id in sorted(memory.children.get(one.id, ()), reverse=True):
            child = memory.records[child_id]
            if child.place_parent == one.id and child.lon is None:
                pending.append((child, target))


def replace_record(form: RecordType, record: Record, memory: Memory) -> None:
    """Place an existing record anew after a change of its placing fields."""
    old_parent = record.place_parent
    home, dedicated = place_record(form, record, memory)
    if record.place_parent != old_parent:
        if old_parent is not None:
            memory.children.get(old_parent, set()).discard(record.id)
        if record.place_parent is not None:
            memory.children.setdefault(record.place_parent, set()).add(record.id)
    move(record, home, memory, "moved", dedicated)


def placing_refs(form: RecordType, fields: Fields) -> list[str]:
    """The record ids that may place a record with these fields."""
    found = []
    for source in form.placed_by:
        value = fields.get(source) if source != "@anchor" else None
        if isinstance(value, str):
            found.append(value)
    return found
