"""Carry out what an edition moves: homes, ledger, feed and counters, set by set; then what follows from it (S24, S29)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import orjson

from server.services.carry import ENGINE_VERSION, Entry, Opened, carry_out
from server.services.keys import DataKeys
from server.services.move_plan import Moved, MovePlan, hash_of
from server.services.places import Places
from server.services.transact import forms_id
from server.store import moving as store
from server.store import push as reading
from server.store import search, writing
from server.store.database import next_journal_number
from sync.digest import MODULUS, made_id
from sync.effects import CARD, REFERENCE, change_fields, keep_card, keep_reference
from sync.feedrows import PUT, REMOVE, Counter, streams_of
from sync.memory import UNPLACED, Memory, Writer
from sync.operation import Operation
from sync.placing import PIN
from sync.record import Chain, Record

if TYPE_CHECKING:
    from server.house import House
    from server.permissions import Actor
    from server.store.database import Connection

SYSTEM_INSTALL = "~system"
PUBLISH, FOLLOW = "publish", "publish_effects"


def carry_moves(
    connection: Connection, actor: Actor, community_id: str, plan: MovePlan, *, layer: str, number: int, at: str
) -> None:
    """Write every planned move, and the journal entry ``number`` that tells them. No version rises: only homes change."""
    # By id: the rows of every table, and of every stream in it, are then written one beside the other.
    moves = sorted(plan.moves.values(), key=lambda one: one.id)
    makers = {one.maker for one in moves if UNPLACED in (one.from_home, one.to_home)}
    devices = reading.device_installs(connection, community_id, sorted(makers))
    # Nearly all go from cell to cell; what is deleted, or unplaced before or after, is looked at stream by stream.
    plain = [one for one in moves if one.life == "live" and one.from_home != UNPLACED != one.to_home]
    shown = [
        (one, _streams(one, one.from_home, devices), _streams(one, one.to_home, devices))
        for one in moves
        if one.life != "live" or UNPLACED in (one.from_home, one.to_home)
    ]
    streams = {one.from_home for one in plain} | {one.to_home for one in plain}
    streams.update(stream for _, was, now in shown for stream in (*was, *now))
    counters = {
        stream: Counter.read(*row) for stream, row in reading.lock_streams(connection, community_id, streams).items()
    }
    rows = _plain_rows(plain, counters) + _feed_rows(shown, counters)
    rows.sort()
    store.write_homes(
        connection,
        community_id,
        [*((one.id, one.to_home, one.note) for one in moves), *((one, None, note) for one, note in plan.notes.items())],
        at,
    )
    store.write_ledger(
        connection, community_id, ((one.id, one.v, one.from_home, one.to_home) for one in moves), number, at, "edition"
    )
    store.write_feed(connection, community_id, rows)
    told = {stream: counter.row() for stream, counter in counters.items()}
    store.write_counters(connection, community_id, [(stream, *row) for stream, row in told.items()])
    touched = {row[0] for row in rows}
    effects = {
        "records": {},
        "moves": {one.id: [one.v, one.to_home] for one in moves},
        "streams": {stream: row for stream, row in told.items() if stream in touched},
    }
    configuration = {"edition": plan.edition_id, "layer": layer}
    writing.insert_journal(
        connection,
        (
            community_id, number, PUBLISH, at, actor.user_id, SYSTEM_INSTALL, "console", ENGINE_VERSION,
            orjson.dumps(configuration).decode(), orjson.dumps(effects).decode(),
        ),
    )  # fmt: skip


def _streams(one: Moved, home: str, devices: frozenset[str]) -> set[str]:
    return streams_of(home, one.life, one.maker, devices)


def _plain_rows(moves: Iterable[Moved], counters: Mapping[str, Counter]) -> list[tuple[Any, ...]]:
    """REMOVE(moved) in one cell and PUT in another, for live records."""
    rows: list[tuple[Any, ...]] = []
    keep = rows.append
    for one in moves:
        weight = one.weight or hash_of(one)
        left, entered = counters[one.from_home], counters[one.to_home]
        left.seq += 1
        left.count -= 1
        left.digest -= weight
        keep((one.from_home, left.seq, one.id, REMOVE, "moved", one.v, one.tag))
        entered.seq += 1
        entered.count += 1
        entered.digest += weight
        keep((one.to_home, entered.seq, one.id, PUT, None, one.v, one.tag))
    for counter in counters.values():
        counter.digest %= MODULUS
    return rows


def _feed_rows(
    shown: Iterable[tuple[Moved, set[str], set[str]]], counters: Mapping[str, Counter]
) -> list[tuple[Any, ...]]:
    """REMOVE(moved) where a record leaves, PUT where it arrives; the counters move along."""
    rows: list[tuple[Any, ...]] = []
    for one, was, now in shown:
        if was == now:
            continue
        weight = one.weight or hash_of(one)
        for stream, kind, reason, step in (
            *((stream, REMOVE, "moved", -1) for stream in was - now),
            *((stream, PUT, None, 1) for stream in now - was),
        ):
            counter = counters[stream]
            counter.seq += 1
            counter.count += step
            counter.digest = (counter.digest + step * weight) % MODULUS
            rows.append((stream, counter.seq, one.id, kind, reason, one.v, one.tag))
    return rows


# ---------------------------------------------------------------- what follows
def carry_cards(
    connection: Connection,
    house: House,
    actor: Actor,
    community_id: str,
    plan: MovePlan,
    places: Places,
    content_hash: str,
    *,
    at: str,
) -> None:
    """Reference cards of who moved or whose registered dwelling did, pins that follow, and the news of the edition."""
    persons = _owners(connection, house, community_id, plan)
    cards = [made_id("card", one) for one in persons]
    wanted = {*persons, *cards, *plan.cards, *plan.pins, made_id(REFERENCE, "edition"), made_id(REFERENCE, "forms")}
    records, secrets = reading.load_records(connection, community_id, sorted(wanted))
    dwellings = sorted({str(one.fields["registration_dwelling"]) for one in records.values() if "registration_dwelling" in one.fields})
    more, sealed = reading.load_records(connection, community_id, [one for one in dwellings if one not in records])
    records, secrets = records | more, secrets | sealed
    keys = DataKeys(house.keys)
    subjects = keys.missing([None, *(record.subject_id for record in records.values())])
    keys.learn(subjects, reading.wrapped_keys(connection, community_id, subjects))
    memory = Memory(
        records=records,
        place=places.place,
        forms=house.registry.latest,
        arrived_at=at,
        today=at[:10],
        movable=frozenset(records),
        children={},
    )
    number = next_journal_number(connection)
    operation = Operation(house.new_id(), "edition", SYSTEM_INSTALL, "patch", None, {}, {}, 1, None)
    writer = Writer(SYSTEM_INSTALL, "system", Chain(SYSTEM_INSTALL), system=True)
    for person_id in sorted(persons):
        if person_id in records:
            keep_card(records[person_id], operation, number, writer, memory)
    for record_id, cell_id in sorted(plan.pins.items()):
        if record_id in records:
            _follow_pin(records[record_id], cell_id, plan.edition_id, operation, number, writer, memory)
    keep_reference("edition", content_hash, operation, number, writer, memory)
    keep_reference("forms", forms_id(house.registry), operation, number, writer, memory)
    touched = memory.touched.values()
    if not touched:
        return
    devices = reading.device_installs(connection, community_id, sorted({record.created_install for record in touched}))
    streams: set[str] = set()
    for record in touched:
        before = memory.before.get(record.id)
        for one in (record, before):
            if one is not None:
                streams |= streams_of(one.home, one.life, record.created_install, devices, one.dedicated)
    counters = reading.lock_streams(connection, community_id, streams)
    entry = Entry(
        number, FOLLOW, at, actor.user_id, SYSTEM_INSTALL, "console", {"edition": plan.edition_id}
    )
    opened = Opened(secrets, {one: Counter.read(*row) for one, row in counters.items()}, keys, devices)
    carry_out(connection, house, community_id, memory, opened, entry)


def _follow_pin(
    record: Record, cell_id: str | None, edition_id: str, operation: Operation, number: int, writer: Writer, memory: Memory
) -> None:
    """Let a pin name the successor of its cell, or take it away where several fit: then somebody is asked again."""
    fields = {name: value for name, value in record.fields.items() if name != PIN}
    if cell_id is not None:
        fields[PIN] = {**record.fields[PIN], "cell": cell_id, "edition": edition_id}
    change_fields(record, fields, operation, number, writer, memory)


def _owners(connection: Connection, house: House, community_id: str, plan: MovePlan) -> set[str]:
    """Persons whose reference card may change: registered elsewhere than they live, before or after."""
    moved = plan.moves
    dwellings = [one.id for one in moves_of(plan, "dwelling")]
    keys = [house.keys.search_key("registration_dwelling", one) for one in dwellings]
    owners = {one for _, one in search.found_under(connection, community_id, keys)}
    registered = store.registered_somewhere(connection, community_id, [one.id for one in moves_of(plan, "person")])
    at_home: set[str] = set()
    for row in registered:
        dwelling = moved.get(str(orjson.loads(row.fields).get("registration_dwelling")))
        # Whoever moves along with their registered dwelling needs no card before nor after.
        mine = moved[row.id]
        if dwelling is not None and (dwelling.from_home, dwelling.to_home) == (mine.from_home, mine.to_home):
            at_home.add(row.id)
        else:
            owners.add(row.id)
    return owners - at_home


def moves_of(plan: MovePlan, record_type: str) -> list[Moved]:
    """The moves of one record type."""
    return [one for one in plan.moves.values() if one.type == record_type and one.type != CARD]
