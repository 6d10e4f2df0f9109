"""A second community: households are sent to it and come back, while phones go on writing about them (S30)."""

from __future__ import annotations

import secrets
from contextlib import suppress
from random import Random
from typing import TYPE_CHECKING

from server.errors import AlreadyDecided, NotFound
from server.house import House
from server.permissions import Actor
from server.services import accounts, crossing
from server.services.accounts import OPERATOR
from server.services.deciding import Waiting
from server.services.push import accept_user_group, user_operation
from server.store import assignments as places
from server.store import crossings, people
from server.store import push as reading
from server.store.database import read, run, stamp, write
from sync.device import PhoneError

if TYPE_CHECKING:
    from server.simulation.world import World

NEIGHBOUR, CODE = "c-neighbour", "999999004002"


def furnish_neighbour(house: House) -> None:
    """Put a community with a secretary and a home for those who come beside the one that is played; no cells."""
    with write(house.engine) as connection:
        new = places.Community(NEIGHBOUR, CODE, "邻近社区", CODE[:9], CODE[:6], "cn-grid-15")
        places.add_community(connection, new, at=stamp(house.clock()))
    accounts.add_user(
        house, OPERATOR, login="secretary-of-neighbour", name="邻社区书记", role="secretary", password=secrets.token_hex(),
        community_id=NEIGHBOUR,
    )  # fmt: skip
    building, dwelling = house.new_id(), house.new_id()
    made = [
        {"kind": "create", "type": "building", "id": building, "set": {"name": "邻楼"}},
        {"kind": "create", "type": "dwelling", "id": dwelling, "set": {"building": building, "door_number": "1"}},
    ]
    accept_user_group(house, _secretary(house), [user_operation(house, one) for one in made])


def _secretary(house: House) -> Actor:
    with read(house.engine) as connection:
        found = next(one for one in people.users(connection, [NEIGHBOUR]) if one.role == "secretary")
    return Actor(found.user_id, "secretary", NEIGHBOUR, name=found.name)


def moves(world: World, random: Random) -> str:
    """A household or a person is asked away, accepted or refused there, or sent back."""
    draw = random.random()
    if draw < 0.4:
        return _ask(world, random)
    if draw < 0.8:
        return arrival(world, random)
    if draw < 0.87:
        return _send_back(world, random)
    return _from_memory(world, random) if draw < 0.97 else _answer(world, random, world.secretary.community_id)


def ask_away(world: World, random: Random) -> None:
    """Somebody is asked away, and the request has come to the server, if the phones have a line."""
    _ask(world, random)
    for phone in world.phones:
        with suppress(PhoneError):
            phone.sync()


def arrival(world: World, random: Random) -> str:
    """The neighbour decides about whoever wants to come."""
    return _answer(world, random, NEIGHBOUR)


def _from_memory(world: World, random: Random) -> str:
    """A phone, or the office, writes of a person who has left, whom a phone that has read of it does not show any more."""
    with read(world.house.engine) as connection:
        rows = run(
            connection, "SELECT d.id FROM departure d JOIN record r ON r.community_id = d.community_id AND r.id = d.id "
            "WHERE d.community_id = ? AND r.type = 'person' ORDER BY d.id", (world.secretary.community_id,),
        )  # fmt: skip
        ids = [row.id for row in rows]
    if not ids:
        return "nobody who left is remembered"
    number, chosen = random.randrange(len(world.phones) + 1), random.choice(ids)
    written = {"kind": "patch", "type": "person", "id": chosen, "base": None, "set": {"note": f"记得{random.randrange(1000)}"}, "was": {}}
    if number == len(world.phones):
        accept_user_group(world.house, world.secretary, [user_operation(world.house, written)])
        return "the office writes of somebody who has left"
    phone = world.phones[number]
    try:
        phone.write_raw({"op_id": phone.new_id(), "form_version": world.house.registry.latest("person").version, **written})
    except PhoneError as error:
        return f"phone {number} cannot write: {type(error).__name__}"
    return f"phone {number} writes of somebody who has left"


def _ask(world: World, random: Random) -> str:
    number = random.randrange(len(world.phones))
    phone = world.phones[number]
    kind = random.choice(("household", "household", "person"))
    found = phone.find(kind)
    if not found:
        return "nobody moves away"
    chosen = random.choice(found[:3])
    try:
        phone.command(f"move_{kind}", chosen.id, community=NEIGHBOUR)
    except PhoneError as error:
        return f"phone {number} cannot ask: {type(error).__name__}"
    return f"phone {number} asks that a {kind} moves to the neighbour"


def _answer(world: World, random: Random, community_id: str) -> str:
    with read(world.house.engine) as connection:
        found = crossings.requests(connection, community_id)
    if not found:
        return "nobody waits to be taken"
    actor = _secretary(world.house) if community_id == NEIGHBOUR else world.secretary
    waiting = Waiting(found[0]["community_id"], found[0]["install_id"], found[0]["n"])
    try:
        if random.random() < 0.2:
            crossing.refuse(world.house, actor, waiting)
            return f"{community_id} refuses those who come"
        place = crossing.Place(dwelling=_home(world, community_id)) if random.random() < 0.7 else crossing.Place()
        said = crossing.accept(world.house, actor, waiting, place)
    except (AlreadyDecided, NotFound) as error:
        return f"{community_id} cannot take them: {type(error).__name__}"
    return f"{community_id} takes {said['moved']} records"


def _home(world: World, community_id: str) -> str | None:
    with read(world.house.engine) as connection:
        row = run(
            connection, "SELECT min(id) AS id FROM record WHERE community_id = ? AND type = 'dwelling' AND life = 'live'", (community_id,)
        ).first()
    return row.id if row is not None else None


def _send_back(world: World, random: Random) -> str:
    actor = _secretary(world.house)
    with read(world.house.engine) as connection:
        rows = run(
            connection, "SELECT id FROM record WHERE community_id = ? AND type = 'household' AND life = 'live' ORDER BY id", (NEIGHBOUR,)
        )
        ids = [row.id for row in rows]
        if not ids:
            return "nobody is there to come back"
        chosen = random.choice(ids)
        record = reading.load_records(connection, NEIGHBOUR, [chosen])[0][chosen]
    asked = {
        "kind": "command", "type": "household", "id": chosen, "name": "move_household", "base": {"v": record.v, "tag": record.tag},
        "arguments": {"community": world.secretary.community_id},
    }  # fmt: skip
    accept_user_group(world.house, actor, [user_operation(world.house, asked)])
    return "the neighbour asks to send a household back"


def astray(world: World) -> str | None:
    """What is wrong with those who moved: each is in exactly one of the two communities, in none of them by a lower version.

    Nobody who could know of the move has changed them through the community that they left.
    """
    with read(world.house.engine) as connection:
        rows = list(
            run(
                connection,
                "SELECT d.id, h.v AS left_v, t.v, t.life FROM departure d "
                "JOIN record h ON h.community_id = d.community_id AND h.id = d.id "
                "LEFT JOIN record t ON t.community_id = d.to_community AND t.id = d.id ORDER BY d.id",
            )
        )
        twice = run(
            connection,
            "SELECT id FROM record WHERE life = 'live' AND type NOT IN ('reference', 'reference_card') GROUP BY id HAVING count(*) > 1",
        ).first()
        meddled = run(
            connection,
            "SELECT o.n FROM operation o JOIN departure d ON d.community_id = o.community_id AND d.id = o.record_id "
            "JOIN install i ON i.community_id = o.community_id AND i.install_id = o.install_id "
            "WHERE o.now_reason = 'moved' AND o.now IN ('applied', 'merged', 'conflict', 'unchanged') AND ("
            "(i.kind = 'user' AND o.number > d.number) OR EXISTS (SELECT 1 FROM departure_told t WHERE t.community_id = o.community_id "
            "AND t.install_id = o.install_id AND t.seen >= d.number AND t.last_n < o.n AND (t.until_n = 0 OR o.n <= t.until_n)))",
        ).first()
    if meddled is not None:
        return f"operation {meddled.n} changed a record that its author knew to have left"
    if twice is not None:
        return f"record {twice.id} lives in two communities"
    return next((f"record {row.id} has left and has not arrived" for row in rows if row.v is None or row.v < row.left_v), None)
