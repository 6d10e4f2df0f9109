"""Two communities in one house: the ground of `server_kit` and a neighbour with one cell, and what is asked of both (S30)."""

from __future__ import annotations

import json
import tempfile
from contextlib import contextmanager
from pathlib import Path

import shapely
from server_kit import COMMUNITY, FIRST_DAY, PASSWORD, create, furnish, home, open_ground, operation, patch, uuid7
from stream_oracle import recount

from geo.cells import read_cells
from server.permissions import Actor
from server.services import accounts, crossing
from server.services.accounts import OPERATOR
from server.services.deciding import Waiting
from server.services.editions import publish_edition
from server.services.push import accept_user_group, user_operation
from server.services.verify import verify
from server.store import assignments as places
from server.store import crossings, people
from server.store.database import read, run, stamp, write

OTHER, OTHER_CODE = "c-other", "999999003002"
NOWHERE = crossing.Place()


def furnish_two(url):
    """As `furnish`, with a second community that has a cell of its own."""
    furnish(url)
    with tempfile.TemporaryDirectory() as folder:
        house = open_ground(url, Path(folder)).house
        with write(house.engine) as connection:
            new = places.Community(OTHER, OTHER_CODE, "邻近社区", OTHER_CODE[:9], OTHER_CODE[:6], "cn-grid-15")
            places.add_community(connection, new, at=stamp(FIRST_DAY))
        accounts.add_user(
            house, OPERATOR, login="secretary-2", name="邻社区书记", role="secretary", password=PASSWORD, community_id=OTHER
        )
        box = shapely.box(120.70, 31.30, 120.71, 31.31)
        cell = {"type": "Feature", "properties": {"code": f"{OTHER_CODE}001", "name": "邻格"}, "geometry": json.loads(shapely.to_geojson(box))}
        publish_edition(house, secretary_of(house), OTHER, read_cells({"type": "FeatureCollection", "features": [cell]}, datum="cgcs2000"))
        house.engine.dispose()


@contextmanager
def two_communities(prepared_database, tmp_path, clock, *, again=True):
    """The ground of both; at the end counts are recounted and the journal is folded, decided ``again`` too where nothing keeps it."""
    ground = open_ground(prepared_database(furnish_two), tmp_path, clock)
    yield ground
    recount(ground)
    report = verify(ground.house, again=again)
    assert report.agrees, str(report.difference)
    ground.close()


def secretary_of(house):
    """The secretary of the other community."""
    with read(house.engine) as connection:
        found = next(one for one in people.users(connection, [OTHER]) if one.role == "secretary")
    return Actor(found.user_id, "secretary", OTHER, name=found.name)


def third_community(ground):
    """One more community, without cells; its secretary."""
    with write(ground.house.engine) as connection:
        new = places.Community("c-third", "999999003003", "第三社区", "999999003", "999999", "cn-grid-15")
        places.add_community(connection, new, at=stamp(FIRST_DAY))
    made = accounts.add_user(
        ground.house, OPERATOR, login="secretary-3", name="第三社区书记", role="secretary", password=PASSWORD, community_id="c-third"
    )
    return Actor(made.user_id, "secretary", "c-third", name=made.name)


def send_on(ground, household, actor):
    """The other community asks that a household moves on to the community of ``actor``, who accepts."""
    row = there(ground, household)
    on = {
        "kind": "command", "type": "household", "id": household, "name": "move_household", "base": {"v": row.v, "tag": row.tag},
        "arguments": {"community": actor.community_id},
    }  # fmt: skip
    accept_user_group(ground.house, secretary_of(ground.house), [user_operation(ground.house, on)])
    with read(ground.house.engine) as connection:
        (one,) = crossings.requests(connection, actor.community_id)
    return crossing.accept(ground.house, actor, Waiting(OTHER, one["install_id"], one["n"]), NOWHERE)


def there(ground, record_id, community_id=OTHER):
    """A record as a community has it; None where it has none."""
    with read(ground.house.engine) as connection:
        return run(connection, "SELECT * FROM record WHERE community_id = ? AND id = ?", (community_id, record_id)).first()


def rows(ground, statement, *values):
    with read(ground.house.engine) as connection:
        return list(run(connection, statement, values))


def ask(ground, phone, household, community_id=OTHER, **arguments):
    """A phone asks that a household moves to another community; the request as the other community names it."""
    asked = operation(
        "command", "household", household, base=ground.base(household), name="move_household",
        arguments={"community": community_id, **arguments},
    )  # fmt: skip
    said = phone.push([asked])[0]
    assert (said["now"]["outcome"], said["now"]["reason"]) == ("held", "proposal"), said
    return asked, Waiting(COMMUNITY, phone.install_id, said["n"])


def waiting_there(ground):
    with read(ground.house.engine) as connection:
        return crossings.requests(connection, OTHER)


def accept(ground, waiting, place=NOWHERE):
    return crossing.accept(ground.house, secretary_of(ground.house), waiting, place)


def dwelling_there(ground):
    """A building and a dwelling in the other community; the dwelling's id."""
    actor = secretary_of(ground.house)
    building, dwelling = uuid7(), uuid7()
    location = {"lon": 120.705, "lat": 31.305, "datum": "cgcs2000", "accuracy_m": 2, "confidence": 0.95, "method": "survey"}
    made = [
        {"kind": "create", "type": "building", "id": building, "set": {"name": "邻楼", "anchor": location}},
        {"kind": "create", "type": "dwelling", "id": dwelling, "set": {"building": building, "door_number": "9"}},
    ]
    said = accept_user_group(ground.house, actor, [user_operation(ground.house, one) for one in made])
    assert [one["now"]["outcome"] for one in said] == ["applied", "applied"], said
    return dwelling


def family(phone):
    """A family of two in the first cell, with an edit in its past and a visit; (home, visit id)."""
    near = home(0, "张一", "张二")
    phone.push(near.operations)
    visit = create("visit", {"household": near.household, "method": "door", "outcome": "met", "attempt_number": 1})
    phone.write(visit, patch(phone.ground, near.persons[0], {"phones": ["13700000001"]}))
    return near, visit["id"]


def tag_of(ground, record_id, v):
    return rows(ground, "SELECT tag FROM history WHERE community_id = ? AND record_id = ? AND v = ?", COMMUNITY, record_id, v)[0].tag
