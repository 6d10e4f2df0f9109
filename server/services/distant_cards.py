"""Reference cards of people who live in another community now: they follow what is said of them there (S24, S14).

A journaled command of its own in the community of the card, by the sweeper: nobody's write waits for a neighbour.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

from server.services.carry import Entry, Opened, carry_out
from server.services.keys import DataKeys
from server.services.places import places_in_force
from server.services.unsealing import learn
from server.store import commands, crossings
from server.store import push as reading
from server.store.database import next_journal_number, read, stamp, write
from sync.crossing import follow_card
from sync.days import day_at
from sync.feedrows import Counter, streams_of
from sync.memory import Memory, Writer
from sync.operation import Operation
from sync.outcome import MOVED
from sync.record import Chain, Record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from server.house import House
    from server.store.database import Connection

SYSTEM_INSTALL = "~system"
MOST_AT_ONCE = 500


def sweep(house: House) -> int:
    """Bring the cards up to date, community by community; how many changed."""
    with read(house.engine) as connection:
        rows = crossings.cards_of_departed(connection)
        outdated = [row for (here, there), found in _by_road(rows).items() for row in _outdated(connection, here, there, found)]
    changed = 0
    for community_id, of in groupby(sorted(outdated, key=lambda row: (row.community_id, row.card_id)), key=lambda row: row.community_id):
        found = list(of)
        for start in range(0, len(found), MOST_AT_ONCE):
            changed += _follow(house, community_id, found[start : start + MOST_AT_ONCE])
    return changed


def _by_road(rows: Sequence[Any]) -> dict[tuple[str, str], list[Any]]:
    found: dict[tuple[str, str], list[Any]] = {}
    for row in rows:
        found.setdefault((row.community_id, row.to_community), []).append(row)
    return found


def _outdated(connection: Connection, community_id: str, to_community: str, rows: Sequence[Any]) -> list[Any]:
    cards, _ = reading.load_records(connection, community_id, [row.card_id for row in rows])
    persons, _ = reading.load_records(connection, to_community, [row.person_id for row in rows])
    found = []
    for row in rows:
        person, where = persons.get(row.person_id), to_community
        if person is not None and person.life in (MOVED, "merged"):
            person, where = _there(connection, row)
        if _differs(cards[row.card_id], person, where):
            found.append(row)
    return found


def _there(connection: Connection, row: Any) -> tuple[Record | None, str]:
    """The person where they live now, and which community that is: through every one that they went to, and every merge (S8)."""
    where, person_id = row.to_community, row.person_id
    for _ in range(16):
        step = crossings.departures_of(connection, where, [person_id]).get(person_id)
        survivor = None if step is not None else commands.redirects_of(connection, where, [person_id]).get(person_id)
        if step is None and survivor is None:
            break
        where, person_id = step or where, survivor or person_id
    return reading.load_records(connection, where, [person_id])[0].get(person_id), where


def _differs(card: Record, there: Record | None, where: str) -> bool:
    if there is None or there.life != "live":
        return True
    names = ("name", "residence_household", "registration_dwelling")
    return card.fields.get("home_cell") != where or any(card.fields.get(name) != there.fields.get(name) for name in names)


def _follow(house: House, community_id: str, rows: Sequence[Any]) -> int:
    with write(house.engine) as connection:
        reading.lock_placement(connection, community_id, exclusive=True)
        cards, secrets = reading.load_records(connection, community_id, [row.card_id for row in rows])
        living = [(cards[row.card_id], *_there(connection, row)) for row in rows if cards[row.card_id].life == "live"]
        streams = {stream for card, _, _ in living for stream in streams_of(card.home, card.life, "", frozenset(), card.dedicated)}
        counters = {name: Counter.read(*row) for name, row in reading.lock_streams(connection, community_id, streams).items()}
        at = stamp(house.clock())
        memory = Memory(
            records=cards,
            place=places_in_force(connection, str(house.engine.url), community_id).place,
            forms=house.registry.latest,
            arrived_at=at,
            today=day_at(at),
            movable=frozenset(cards),
        )
        operation = Operation(house.new_id(), "reference_card", SYSTEM_INSTALL, "patch", None, {}, {}, 1, None)
        writer = Writer(SYSTEM_INSTALL, "system", Chain(SYSTEM_INSTALL), system=True)
        for card, there, where in living:
            follow_card(card, there, where, operation, writer, memory)
        if not memory.touched:
            return 0
        keys = DataKeys(house.keys)
        learn(keys, connection, community_id, {None, *(card.subject_id for card in cards.values())})
        entry = Entry(next_journal_number(connection), "card", at, SYSTEM_INSTALL, SYSTEM_INSTALL, "system", {})
        carry_out(connection, house, community_id, memory, Opened(secrets, counters, keys, frozenset()), entry)
        return len(memory.touched)
