"""Telling phones that the forms have a new version: a record of the reference stream of every community."""

from __future__ import annotations

from typing import TYPE_CHECKING

from server.services.carry import Entry, Opened, carry_out
from server.services.community_forms import at_home, community_registry
from server.services.keys import DataKeys
from server.services.transact import forms_id
from server.services.unsealing import learn
from server.store import assignments as communities
from server.store import push as reading
from server.store.database import next_journal_number, read, stamp, write
from sync.days import day_at
from sync.digest import made_id
from sync.effects import REFERENCE, REFERENCE_STREAM, keep_reference
from sync.feedrows import Counter
from sync.memory import UNPLACED, Memory, Place, Writer
from sync.operation import Fields, Operation
from sync.record import Chain

if TYPE_CHECKING:
    from server.house import House
    from server.store.database import Connection

SYSTEM_INSTALL = "~system"


def announce_forms(house: House) -> int:
    """Say in every community that has another set of forms than the last time; how many were told.

    Called at start, before anything is served; a second call tells nobody.
    """
    with read(house.engine) as connection:
        present = {one.community_id: forms_id(community_registry(house, one.community_id, connection)) for one in communities.communities(connection)}
        behind = [community_id for community_id, forms in present.items() if _announced(connection, community_id) != forms]
    for community_id in behind:
        announce_forms_of(house, community_id)
    return len(behind)


def announce_forms_of(house: House, community_id: str) -> None:
    """Say in one community which forms there are now; nothing where that was said last."""
    home = at_home(house, community_id)
    with write(house.engine) as connection:
        _announce(connection, home, community_id, forms_id(home.registry))


def _announced(connection: Connection, community_id: str) -> str | None:
    record_id = made_id(REFERENCE, "forms")
    records, _ = reading.load_records(connection, community_id, [record_id])
    return records[record_id].fields.get("content_hash") if records else None


def _nowhere(_: Fields) -> Place:
    return Place(UNPLACED, {})


def _announce(connection: Connection, house: House, community_id: str, present: str) -> None:
    at = stamp(house.clock())
    counters = reading.lock_streams(connection, community_id, {REFERENCE_STREAM})
    records, secrets = reading.load_records(connection, community_id, [made_id(REFERENCE, "forms")])
    memory = Memory(records=records, place=_nowhere, forms=house.registry.latest, arrived_at=at, today=day_at(at))
    number = next_journal_number(connection)
    operation = Operation(house.new_id(), REFERENCE, SYSTEM_INSTALL, "patch", None, {}, {}, 1, None)
    writer = Writer(SYSTEM_INSTALL, "system", Chain(SYSTEM_INSTALL), system=True)
    keep_reference("forms", present, operation, number, writer, memory)
    entry = Entry(number, "forms", at, "~system", SYSTEM_INSTALL, "system", {"forms": present})
    keys = DataKeys(house.keys)
    learn(keys, connection, community_id, [None])  # the community has its key as soon as anything was written there
    opened = Opened(secrets, {one: Counter.read(*row) for one, row in counters.items()}, keys, frozenset())
    carry_out(connection, house, community_id, memory, opened, entry)
