"""Values in a story: copies hold what the server holds (L7), and nothing that somebody typed is hidden (L5)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from server.house import House
from server.services.unsealing import open_sealed
from server.simulation.neighbour import NEIGHBOUR
from server.simulation.world import COMMUNITY, World
from server.store import push as reading
from server.store.database import read, run
from sync.device import Copy, Phone
from sync.device.view import policy_of

_WRITES = ("create", "patch", "resolve")
_TAKEN = ("applied", "merged", "conflict")

Kept = dict[tuple[str, str], list[Any]]
"""(record id, field) → every value of it that somebody can still look at."""


# ---------------------------------------------------------------- copies
def differing(world: World, phone: Phone) -> str | None:
    """What of a phone's copies is not what the server has; None where all is. Bare envelopes have nothing to compare but their version (S23)."""
    copies = phone.copies()
    with read(world.house.engine) as connection:
        records, _ = reading.load_records(connection, COMMUNITY, [one.id for one in copies])
    for one in copies:
        record = records.get(one.id)
        if record is None:
            return f"record {one.id} is not at the server"
        if (one.v, one.tag) != (record.v, record.tag):
            if one.shown:
                return f"record {one.id} is at version {one.v}, at the server at {record.v}"
            continue  # it was deleted when it was last seen, and lives in another cell since
        if one.type is None:
            continue
        theirs: dict[str, Any] = {"type": record.type, "life": record.life}
        if one.shown:
            theirs |= {
                "form_version": record.form_version, "home": record.home, "conflicts": record.open_units, "confirmed": record.confirmed,
                **{f"field {name}": value for name, value in record.fields.items()},
            }  # fmt: skip
        mine = _told(one)
        wrong = sorted(name for name in mine.keys() | theirs.keys() if mine.get(name) != theirs.get(name))
        if wrong:
            return f"record {one.id} ({record.type}) at version {one.v} has another {wrong[0]} than the server"
    return None


def _told(one: Copy) -> dict[str, Any]:
    told: dict[str, Any] = {"type": one.type, "life": one.life}
    if one.shown:
        told |= {"form_version": one.form_version, "home": one.home, "conflicts": one.conflicts, "confirmed": one.confirmed}
    return told | {f"field {name}": value for name, value in one.fields.items()}


# ---------------------------------------------------------------- nothing typed is hidden
def hidden(world: World) -> str | None:
    """Which field of which operation was taken and is nowhere any more: not in a record, its history or a conflict; None where all are there."""
    with read(world.house.engine) as connection:
        rows = reading.seen_operations(connection, COMMUNITY, sorted(world.book.written))
        told = [(operation, rows[op_id]) for op_id, operation in world.book.written.items() if op_id in rows and _counts(operation, rows[op_id])]
        leads = {
            row.id: row.target_id
            for row in run(connection, "SELECT id, target_id FROM redirect WHERE community_id IN (?, ?) ORDER BY community_id", (COMMUNITY, NEIGHBOUR))
        }
        entered = {operation["op_id"]: {*_led(operation["id"], leads), *_led(row.entered_id, leads)} for operation, row in told}
        ids = sorted({one for found in entered.values() for one in found})
        kept: Kept = {}
        for community_id in (COMMUNITY, NEIGHBOUR):  # who has moved took their past along, or left it here
            _gather(kept, connection, world.house, community_id, ids)
    for operation, row in told:
        form = world.house.registry.latest(operation["type"])
        for name, value in operation["set"].items():
            there = [value for one in sorted(entered[operation["op_id"]]) for value in kept.get((one, name), ())]
            if not _is_kept(policy_of(form, name), value, (operation.get("was") or {}).get(name), there):
                return f"{operation['type']}.{name} of an operation ({operation['kind']}, {row.now}) is in no record, history or conflict"
    return None


def _led(record_id: str | None, leads: Mapping[str, str]) -> list[str]:
    """A record and those that its id leads to, since it was merged into them (S8); what was written to it may have entered any of them."""
    found: list[str] = []
    while record_id is not None and record_id not in found:
        found.append(record_id)
        record_id = leads.get(record_id)
    return found


def _counts(operation: Mapping[str, Any], row: Any) -> bool:
    """Whether its values were taken as they were written; what somebody discarded, or wrote anew because it was no value, is in the journal."""
    taken = row.now in _TAKEN or (row.now == "unchanged" and row.now_reason is None)
    return operation["kind"] in _WRITES and taken and row.first_reason != "invalid"


def _gather(kept: Kept, connection: Any, house: House, community_id: str, ids: Sequence[str]) -> None:
    records, secrets = reading.load_records(connection, community_id, ids)
    past = reading.past_rows(connection, community_id, dict.fromkeys(ids, 0))
    beside = list(
        run(
            connection,
            "SELECT k.record_id, k.subject_id, s.sealed FROM conflict_sibling s JOIN conflict k ON k.community_id = s.community_id "
            "AND k.conflict_id = s.conflict_id WHERE s.community_id = ?",
            (community_id,),
        )
    )
    sealed = [(records[one].subject_id, secret) for one, secret in secrets.items()]
    sealed += [(row.subject_id, row.sealed) for row in (*past, *beside)]
    opened = iter(open_sealed(connection, house, community_id, sealed))
    for one, record in records.items():
        _note(kept, one, [record.fields])
    for one in secrets:
        _note(kept, one, [next(opened)])
    for row in past:
        content = next(opened) or {}
        _note(kept, row.record_id, [*content.get("previous", {}).values(), *content.get("set_aside", {}).values()])
    for row in beside:
        _note(kept, row.record_id, [next(opened)])


def _note(kept: Kept, record_id: str, found: Iterable[Any]) -> None:
    for values in found:
        for name, value in (values or {}).items():
            kept.setdefault((record_id, name), []).append(value)


def _is_kept(policy: str, value: Any, was: Any, there: Sequence[Any]) -> bool:
    """Whether a value that was typed can still be found; of sets every element that was added, of notes what was written to their end."""
    if value is None or policy == "add":  # nothing was typed; of what was added together only the sum is there
        return True
    if policy == "union":
        added = value.get("add") or () if isinstance(value, dict) else [one for one in value if one not in (was or ())]
        return {*added} <= {element for one in there for element in _elements(one)}
    if policy == "append" and isinstance(value, str) and value.startswith(was or ""):
        return any(value[len(was or "") :] in one for one in there if isinstance(one, str))
    if isinstance(value, dict):  # a place: the server notes more about it than was typed
        return any(isinstance(one, dict) and value.items() <= one.items() for one in there)
    return value in there


def _elements(value: Any) -> Iterable[Any]:
    return value.get("add") or () if isinstance(value, dict) else value or ()
