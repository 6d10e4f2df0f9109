"""The second half of a move to another community: what closed there is created here, under the data keys of this one (S30, S28)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from server.sealing import unseal
from server.services import photos_along
from server.services.carry import Entry, Opened, carry_out
from server.services.keys import DataKeys
from server.services.places import places_in_force
from server.services.transact import forms_id
from server.services.unsealing import learn
from server.store import commands, crossings, writing
from server.store import push as reading
from server.store.database import next_journal_number
from sync.crossing import LEFT_BEHIND, Arrival, arrive
from sync.days import day_at
from sync.digest import made_id
from sync.feedrows import Counter, streams_of
from sync.memory import Found, Memory, Prepared, Version, Writer
from sync.placing import placing_refs
from sync.record import Chain, Record

if TYPE_CHECKING:
    from server.house import House
    from server.store.database import Connection


@dataclass(frozen=True, slots=True)
class Route:
    """From where to where, whose command it was, who accepted it, when, and the entry that closed the records there."""

    from_community: str
    to_community: str
    install_id: str
    kind: str
    actor_id: str
    at: str
    number: int


def bring(connection: Connection, there: House, here: House, route: Route, left: Memory, asked: Prepared) -> None:
    """Create here what has closed there a moment ago, in the same transaction, and write the ``move_in`` entry.

    Every version comes along and is sealed anew; so do disputes, findings and photos. What stays there is what the journal of that
    community needs: its own history, sealed under its own keys.
    """
    assert asked.operation is not None
    from_community, to_community = route.from_community, route.to_community
    ids = sorted(left.left)
    ours = DataKeys(here.keys)
    arrivals, conflicts, siblings = _taken(connection, there, route, left, ours)
    learn(ours, connection, to_community, {one.record.subject_id for one in arrivals})
    places = places_in_force(connection, str(here.engine.url), to_community)
    wanted = {*ids, *(made_id("card", one.record.id) for one in arrivals if one.record.type == "person")}
    for one in arrivals:
        wanted.update(placing_refs(here.registry.latest(one.record.type), one.record.fields))
        wanted.update(value for value in (one.record.fields.get("registration_dwelling"),) if isinstance(value, str))
    records, secrets = reading.load_records(connection, to_community, sorted(wanted))
    _open(connection, here, to_community, records, secrets, ours)
    redirects = commands.redirects_of(connection, to_community, wanted)
    memory = Memory(
        records=records,
        place=places.place,
        has_cell=places.has_cell,
        forms=here.registry.latest,
        arrived_at=route.at,
        today=day_at(route.at),
        movable=frozenset(wanted),
        redirects=redirects,
        gone=crossings.departures_of(connection, to_community, {*records, *ids}),
    )
    writer = Writer(route.install_id, route.kind, Chain(route.install_id), user_id=route.actor_id)
    arrive(arrivals, asked.operation, asked.n, writer, memory)
    for stays in reading.dependants(connection, to_community, ids):  # what had stayed here when they left stands by them again
        memory.findings += [Found(LEFT_BEHIND, form, stays[0], (), False) for form in ("household", "person") if stays[0] not in left.left]
    opened = Opened(secrets, _locked(connection, to_community, memory), ours, _makers(connection, to_community, memory))
    learn(ours, connection, to_community, {one.subject_id for one in memory.touched.values()})
    configuration = {"edition": places.edition_id, "forms": forms_id(here.registry)}
    entry = Entry(next_journal_number(connection), "move_in", route.at, route.actor_id, route.install_id, "console", configuration)
    entry.more["arrived"] = {"from": from_community, "op_id": asked.op_id, "records": len(arrivals)}
    _bring_conflicts(connection, here, route, entry, ours, conflicts, siblings)
    shown_by: dict[str, list[str]] = {}
    for one in arrivals:
        for name in photos_along.named_in(one.record.fields):
            shown_by.setdefault(name, []).append(one.record.id)
    photos_along.bring(connection, here, from_community, to_community, shown_by, route.at)
    carry_out(connection, here, to_community, memory, opened, entry)
    reading.raise_placement_version(connection, to_community)


def _taken(
    connection: Connection, there: House, route: Route, left: Memory, ours: DataKeys
) -> tuple[list[Arrival], list[dict[str, Any]], list[dict[str, Any]]]:
    """What goes, opened: records with their past, disputes with their values. Open disputes and findings close there."""
    community_id, ids = route.from_community, sorted(left.left)
    records, secrets = reading.load_records(connection, community_id, ids)
    theirs = DataKeys(there.keys)
    _open(connection, there, community_id, records, secrets, theirs)
    past = crossings.past_of(connection, community_id, ids)
    learn(theirs, connection, community_id, {row.subject_id for rows in past.values() for row in rows})
    subjects = {row.subject_id for rows in past.values() for row in rows} - theirs.erased
    learn(ours, connection, route.to_community, subjects)
    led = commands.redirects_of(connection, community_id, ids)
    fresh = crossings.fresh_of(connection, community_id, ids)
    findings = crossings.findings_of(connection, community_id, ids)
    arrivals = []
    for record_id in ids:
        record = records[record_id]
        record.life, record.open_units = left.left[record_id][0], list(left.left[record_id][1])
        versions = [_version(row, theirs) for row in past[record_id]]
        versions[-1].open_units = tuple(record.open_units)
        arrivals.append(Arrival(record, versions, fresh[record_id], led.get(record_id), findings.get(record_id, [])))
    closed = [Found(one.kind, one.name, one.record_id, one.units, False) for found in findings.values() for one in found]
    writing.write_findings(connection, community_id, closed, route.number, route.at)
    conflicts, siblings = crossings.conflicts_of(connection, community_id, ids)
    for one in conflicts:
        one["sealed"] = _plain(theirs, one["subject_id"], one["sealed"])
    subject = {one["conflict_id"]: one["subject_id"] for one in conflicts}
    for one in siblings:
        one["sealed"] = _plain(theirs, subject[one["conflict_id"]], one["sealed"])
    still_open = [one["conflict_id"] for one in conflicts if one["state"] == "open"]
    crossings.close_conflicts(connection, community_id, still_open, route.at, route.number)
    return arrivals, conflicts, siblings


def _version(row: Any, keys: DataKeys) -> Version:
    said = orjson.loads(_plain(keys, row.subject_id, row.sealed) or b"{}")
    return Version(
        row.record_id, row.v, row.tag, row.op_id, row.install_id, row.n, tuple(orjson.loads(row.units)), said.get("previous", {}),
        said.get("set_aside", {}), row.life, row.subject_id, (), said.get("was", {}), row.at,
    )  # fmt: skip


def _plain(keys: DataKeys, subject: str | None, sealed: bytes | None) -> bytes | None:
    """What was sealed; None where there is nothing, or nobody can open it any more."""
    if sealed is None or subject in keys.erased:
        return None
    return unseal(keys.of(subject), bytes(sealed))


def _open(
    connection: Connection, house: House, community_id: str, records: Mapping[str, Record], secrets: Mapping[str, bytes], keys: DataKeys
) -> None:
    learn(keys, connection, community_id, {one.subject_id for one in records.values()})
    for record_id, sealed in secrets.items():
        record = records[record_id]
        if record.life != "erased":
            record.fields.update(orjson.loads(unseal(keys.of(record.subject_id), sealed)))
            record.secret_open = True


def _makers(connection: Connection, community_id: str, memory: Memory) -> frozenset[str]:
    return reading.device_installs(connection, community_id, sorted({one.created_install for one in memory.touched.values()}))


def _locked(connection: Connection, community_id: str, memory: Memory) -> dict[str, Counter]:
    """The counters of all streams that change. The placement lock is ours alone, so that nobody else holds or awaits one."""
    devices = _makers(connection, community_id, memory)
    streams: set[str] = set()
    for one in memory.touched.values():
        streams |= streams_of(one.home, one.life, one.created_install, devices, one.dedicated)
        before = memory.before.get(one.id)
        if before is not None:
            streams |= streams_of(before.home, before.life, one.created_install, devices, before.dedicated)
    return {name: Counter.read(*row) for name, row in reading.lock_streams(connection, community_id, streams).items()}


def _bring_conflicts(
    connection: Connection,
    house: House,
    route: Route,
    entry: Entry,
    keys: DataKeys,
    conflicts: Sequence[dict[str, Any]],
    siblings: Sequence[dict[str, Any]],
) -> None:
    learn(keys, connection, route.to_community, {one["subject_id"] for one in conflicts})
    subject = {one["conflict_id"]: one["subject_id"] for one in conflicts}
    for one in conflicts:
        one["opened_number"], one["delegated_to"] = entry.number, None  # who was asked there is nobody here
        one["closed_number"] = entry.number if one["closed_number"] is not None else None
        one["sealed"] = keys.seal(one["subject_id"], one["sealed"]) if one["sealed"] is not None else None
    for one in siblings:
        one["sealed"] = keys.seal(subject[one["conflict_id"]], one["sealed"]) if one["sealed"] is not None else None
    crossings.bring_conflicts(connection, route.to_community, conflicts, siblings)
