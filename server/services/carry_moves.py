"""Carry out what an edition moves: homes, ledger, feed and counters, set by set; then what follows from it (S24, S29)."""

from __future__ import annotations

from collections import Counter as Counts
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from server.services.carry import ENGINE_VERSION, Entry, Opened, carry_out
from server.services.keys import DataKeys
from server.services.move_plan import Moved, MovePlan, hash_of, learn_versions
from server.services.places import Places
from server.services.transact import forms_id
from server.store import moving as store
from server.store import push as reading
from server.store import search, staging, writing
from server.store.database import next_journal_number
from sync.days import day_at
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


@dataclass(slots=True)
class Staged:
    """What lies ready in the temporary tables, and what follows from it for the counters.

    ``told`` is what the journal says of each of these records; ``rows`` and ``steps`` are by stream how many rows it gets,
    and what its count and digest change by. ``owners`` are the persons whose reference card may change.
    """

    told: dict[str, list[Any]]
    rows: Counts[str]
    steps: dict[str, list[int]]
    owners: set[str]
    homes: staging.Homes = ([], [])


def is_plain(one: Moved) -> bool:
    """Nearly all go from cell to cell; what is deleted, or unplaced before or after, is looked at stream by stream."""
    return one.life == "live" and one.from_home != UNPLACED != one.to_home


def stage_moves(connection: Connection, house: House, community_id: str, plan: MovePlan) -> Staged:
    """Lay out all plain moves beside the database: everything that can be done before the lock is taken."""
    learn_versions(connection, community_id, plan.moves.values())
    staged = Staged({}, Counts(), {}, _owners(connection, house, community_id, plan))
    rows, steps, laid = staged.rows, staged.steps, []
    for one in sorted(filter(is_plain, plan.moves.values()), key=lambda one: one.id):
        weight = one.weight = hash_of(one)
        left, came = rows[one.from_home] + 1, rows[one.to_home] + 1
        rows[one.from_home], rows[one.to_home] = left, came
        _step(steps, one.from_home, -1, -weight)
        _step(steps, one.to_home, 1, weight)
        staged.told[one.id] = [one.v, one.to_home]
        laid.append(staging.Laid(one.id, one.v, one.tag, one.from_home, one.to_home, one.note, left, came))
    staged.homes = staging.lay_out(connection, community_id, laid)
    plan.renewed.clear()
    return staged


def _step(steps: dict[str, list[int]], stream: str, count: int, weight: int) -> None:
    known = steps.get(stream)
    if known is None:
        steps[stream] = [count, weight]
    else:
        known[0] += count
        known[1] += weight


def carry_moves(
    connection: Connection,
    house: House,
    actor: Actor,
    community_id: str,
    plan: MovePlan,
    staged: Staged,
    *,
    layer: str,
    number: int,
    at: str,
) -> Staged:
    """Write every planned move, and the journal entry ``number`` that tells them. No version rises: only homes change.

    Returns what was staged in the end: again from the beginning where a staged record was deleted meanwhile.
    """
    if any(one in staged.told and not is_plain(plan.moves[one]) for one in plan.renewed):
        staged = stage_moves(connection, house, community_id, plan)
    _renew(connection, plan, staged)
    others = sorted((one for one in plan.moves.values() if one.id not in staged.told), key=lambda one: one.id)
    learn_versions(connection, community_id, others)
    devices = reading.device_installs(connection, community_id, sorted({one.maker for one in others}))
    shown = [(one, _streams(one, one.from_home, devices), _streams(one, one.to_home, devices)) for one in others]
    streams = {*staged.rows, *(stream for _, was, now in shown for stream in (*was, *now))}
    counters = {
        stream: Counter.read(*row) for stream, row in reading.lock_streams(connection, community_id, streams).items()
    }
    seqs = {stream: counters[stream].seq for stream in staged.rows}
    staging.write_moves(connection, community_id, staged.homes, seqs, number=number, at=at)
    for stream, rows in staged.rows.items():
        counter, (count, weight) = counters[stream], staged.steps[stream]
        counter.seq, counter.count = counter.seq + rows, counter.count + count
        counter.digest = (counter.digest + weight) % MODULUS
    rows_of_others = sorted(_feed_rows(shown, counters))
    store.write_homes(
        connection,
        community_id,
        [*((one.id, one.to_home, one.note) for one in others), *((one, None, note) for one, note in plan.notes.items())],
        at,
    )
    store.write_ledger(
        connection, community_id, ((one.id, one.v, one.from_home, one.to_home) for one in others), number, at, "edition"
    )
    store.write_feed(connection, community_id, rows_of_others)
    told = {stream: counter.row() for stream, counter in counters.items()}
    store.write_counters(connection, community_id, [(stream, *row) for stream, row in told.items()])
    touched = {*staged.rows, *(row[0] for row in rows_of_others)}
    effects = {
        "records": {},
        "moves": staged.told | {one.id: [one.v, one.to_home] for one in others},
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
    return staged


def _renew(connection: Connection, plan: MovePlan, staged: Staged) -> None:
    """Bring what was written since it was laid out up to date, in the tables and in the sums."""
    fresh = []
    for record_id, weight in plan.renewed.items():
        one = plan.moves[record_id]
        if record_id not in staged.told:
            continue
        now = hash_of(one)
        # its farewell takes away what its last row in the old stream counts now
        _step(staged.steps, one.from_home, 0, weight - now)
        _step(staged.steps, one.to_home, 0, now - weight)
        staged.told[record_id] = [one.v, one.to_home]
        fresh.append((one.v, one.tag, record_id))
    staging.renew_versions(connection, fresh)


def _streams(one: Moved, home: str, devices: frozenset[str]) -> set[str]:
    return streams_of(home, one.life, one.maker, devices)


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
    owners: set[str],
) -> None:
    """Reference cards of who moved or whose registered dwelling did, pins that follow, and the news of the edition."""
    # Whoever was written since they were looked for may be one, too; who is not stays as they are.
    persons = owners | plan.changed
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
        today=day_at(at),
        movable=frozenset(records),
        children={},
    )
    number = next_journal_number(connection)
    operation = Operation(house.new_id(), "edition", SYSTEM_INSTALL, "patch", None, {}, {}, 1, None)
    writer = Writer(SYSTEM_INSTALL, "system", Chain(SYSTEM_INSTALL), system=True)
    for person_id in sorted(persons):
        if person_id in records and records[person_id].type == "person":
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
