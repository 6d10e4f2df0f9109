"""A move to another community: records close here and are created there with the same id, v and tag (S30, S24).

Pure, in two halves: `leave` is how the command enters where the records were, `arrive` how they enter where they go to. What the
records say is not changed by either; both communities get the same version for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from sync.arguments import target_community
from sync.effects import CARD, change_fields, keep_card
from sync.entering import write_life
from sync.memory import Decided, Found, Memory, Move, Prepared, Version, Writer
from sync.operation import Operation
from sync.outcome import APPLIED, MOVED, UNCHANGED
from sync.placing import place_record
from sync.record import Record

LEFT_BEHIND = "left_behind"
"""The finding about a record that stays where its household or person does not live any more."""


def leave(prepared: Prepared, operation: Operation, writer: Writer, memory: Memory) -> Decided:
    """Close a household or a person, and everything that stands by them, where they have lived.

    What the other community does not know as a record type stays with the finding `LEFT_BEHIND`, and so do reference cards: who is registered here is known
    here. Ids of merged records that lead to somebody who goes, go along, so that a merge can be undone there.
    """
    principal, target = memory.records[operation.id], target_community(operation)
    if principal.life != "live" or memory.crossing is None or target is None:
        return Decided(prepared, UNCHANGED, v=principal.v, tag=principal.tag)
    going = leaving(principal.id, memory)
    for record in going:
        memory.touch(record)
        memory.left[record.id] = (record.life, list(record.open_units))
        memory.parted[record.id] = target
        record.open_units = []
        write_life(record, MOVED, operation, prepared.n, writer, memory)
    memory.gone = {**memory.gone, **dict.fromkeys((one.id for one in going), target)}
    _tell_of_those_who_stay(going, memory)
    for record in going:
        if record.type == "person":
            _leave_headless(record, operation, prepared.n, writer, memory)
            if memory.left[record.id][0] == "live":
                keep_card(record, operation, prepared.n, writer, memory)
    return Decided(prepared, APPLIED, v=principal.v, tag=principal.tag)


def _tell_of_those_who_stay(going: Sequence[Record], memory: Memory) -> None:
    """What the other community has no form for stays readable here, and the secretary is told of it."""
    for record in going:
        for child_id in sorted(memory.children.get(record.id, ())):
            child = memory.records.get(child_id)
            if child is not None and child.life == "live" and child.type != CARD:
                memory.findings.append(Found(LEFT_BEHIND, record.type, child.id, ()))


def leaving(principal: str, memory: Memory) -> list[Record]:
    """Everything that goes along with a record, itself first: what is placed by it, through any number of steps."""
    types = memory.crossing.types if memory.crossing is not None else frozenset()
    merged: dict[str, list[str]] = {}
    for one, survivor in memory.redirects.items():
        merged.setdefault(survivor, []).append(one)
    found: dict[str, Record] = {}
    pending = [principal]
    while pending:
        record_id = pending.pop()
        record = memory.records.get(record_id)
        if record is None or record_id in found or record.type == CARD or record.type not in types:
            continue
        if record.life in ("erased", MOVED):
            continue
        found[record_id] = record
        pending += sorted({*memory.children.get(record_id, ()), *merged.get(record_id, ())}, reverse=True)
    return list(found.values())


def _leave_headless(person: Record, operation: Operation, n: int, writer: Writer, memory: Memory) -> None:
    """A household that stays has no head who has left the community."""
    household = memory.records.get(str(person.fields.get("residence_household")))
    if household is not None and household.life == "live" and household.fields.get("head") == person.id:
        kept = {name: value for name, value in household.fields.items() if name != "head"}
        change_fields(household, kept, operation, n, writer, memory)


def follow_card(card: Record, there: Record | None, community_id: str, operation: Operation, writer: Writer, memory: Memory) -> None:
    """Let the card of somebody who lives in another community say what is said of them there; it ends where they are not registered here."""
    dwelling = card.fields.get("registration_dwelling")
    if there is None or there.life != "live" or there.fields.get("registration_dwelling") != dwelling:
        write_life(card, "deleted", operation, 0, writer, memory)
        return
    said = {name: there.fields.get(name) for name in ("name", "residence_household")} | {"home_cell": community_id}
    fields = {name: value for name, value in {**card.fields, **said}.items() if value is not None}
    change_fields(card, fields, operation, 0, writer, memory)


@dataclass(frozen=True, slots=True)
class Arrival:
    """A record that comes from another community: as it stood there before it closed, with every version of its history.

    ``leads_to``: where its id leads, of a merged one. ``findings`` are the open ones about it.
    """

    record: Record
    versions: Sequence[Version]
    fresh_at: str
    leads_to: str | None = None
    findings: Sequence[Found] = ()


def arrive(arrivals: Iterable[Arrival], operation: Operation, n: int, writer: Writer, memory: Memory) -> None:
    """Enter records that come from another community, each placed here, with all versions that this community lacks.

    A record that was here before goes on from its last version here. ``memory.records`` has the present copies of those, what may
    place the arrivals, their cards, and the dwellings where they are registered.
    """
    coming = {one.record.id: one for one in arrivals}
    for arrival in coming.values():
        _enter(arrival, memory)
    placed: set[str] = set()
    for record_id in coming:
        _place(record_id, coming.keys(), placed, memory)
    for record_id, arrival in coming.items():
        record = memory.records[record_id]
        if record.type == "person":  # of a merged one too: its card ends, the survivor's says where that is registered
            keep_card(record, operation, n, writer, memory)
        memory.findings += arrival.findings
        memory.fresh[record_id] = arrival.fresh_at


def _enter(arrival: Arrival, memory: Memory) -> None:
    came = arrival.record
    present = memory.records.get(came.id)
    known = 0
    if present is not None or came.id in memory.gone:
        memory.parted[came.id] = None
    if present is None:
        memory.add(replace(came, home=""))
    else:
        memory.touch(present)
        known = present.v
        for name in ("v", "tag", "life", "subject_id", "fields", "stamps", "open_units", "confirmed", "form_version"):
            setattr(present, name, getattr(came, name))
        present.secret_open = True
    # there it closed the record; here nothing happened to it, or it lives here again
    arrival.versions[-1].life = came.life if present is not None else None
    for version in arrival.versions:
        if version.v > known:
            memory.wrote(version)
    if memory.redirects.get(came.id) != arrival.leads_to:
        memory.lead(came.id, arrival.leads_to)


def _place(record_id: str, coming: Iterable[str], placed: set[str], memory: Memory) -> None:
    """Place an arrival after those that it stands by."""
    if record_id in placed:
        return
    placed.add(record_id)
    record = memory.records[record_id]
    form = memory.forms(record.type)
    for source in form.placed_by:
        parent = memory.root(str(record.fields.get(source))) if source != "@anchor" else None
        if parent is not None and parent in coming:
            _place(parent, coming, placed, memory)
    home, dedicated = place_record(form, record, memory)
    if record.id not in memory.created and record.home != home:
        memory.moves.append(Move(record.id, record.v, record.home, home, MOVED))
    record.home, record.dedicated = home, dedicated
    if record.place_parent is not None:
        memory.children.setdefault(record.place_parent, set()).add(record.id)
