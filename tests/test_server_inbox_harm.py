"""Records without a sure place are listed by harm: who depends on them, then since when they wait; pages never repeat nor miss one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from server_kit import create, furnish, home, open_ground
from stream_oracle import recount
from test_server_asked import Desk
from test_server_placement_words import fix, near_border

from server.services import harms
from server.store.resting import Resting


@pytest.fixture
def ground(prepared_database, tmp_path):
    ground = open_ground(prepared_database(furnish), tmp_path)
    yield ground
    recount(ground)
    ground.close()


def far(number, *names, **person):
    """A home a long way outside every cell."""
    return home(number + 20, *names, **person)


def test_who_is_very_old_and_alone_comes_before_many_people_and_these_before_things(ground):
    """A household in no cell of somebody of 91 who lives alone is first, though it came last; then the most people; a supply without people is last."""
    phone = ground.worker(0)
    supply = create("resource", {"name": "沙袋", "kind": "supply"})
    pair = far(0, "李一", "李二", birth_date="1930-01-01")
    four = far(1, "王一", "王二", "王三", "王四")
    alone = far(2, "赵一", birth_date="1935-01-01")
    young = far(3, "钱一", birth_date="1995-01-01")
    for operations in ([supply], pair.operations, four.operations, young.operations, alone.operations):
        phone.write(*operations)
    cared = create("care_status", {"person": young.persons[0], "kind": "low_income", "from_date": "2026-01-01"})
    phone.write(cared)

    def listed(limit):
        rows, following = [], None
        while True:
            answer = Desk(ground).client.get(
                "/api/v1/inbox/unplaced", query_string={"limit": limit} | ({"next": following} if following else {})
            ).json
            rows += answer["rows"]
            assert answer["count"] >= len(rows)
            if (following := answer["next"]) is None:
                return rows

    rows = listed(200)
    place = {row["record"]["id"]: n for n, row in enumerate(rows)}
    by_id = {row["record"]["id"]: row for row in rows}
    assert place[alone.household] < place[four.household] < place[pair.household] < place[supply["id"]]
    assert place[young.household] < place[four.household]  # in care
    assert [(by_id[one]["harm"], by_id[one]["people"]) for one in (alone.building, young.household, four.building, pair.household, supply["id"])] == [
        (0, 1), (0, 1), (1, 4), (1, 2), (2, 0),
    ]  # fmt: skip
    assert [row["record"]["id"] for row in listed(3)] == [row["record"]["id"] for row in rows]
    assert len(place) == len(rows)


def test_doubtful_places_are_listed_by_who_lives_there(ground):
    """Between two cells: a building in which people live comes before a stall that waits longer."""
    phone = ground.worker(0, 1)
    stall = create("resource", {"name": "岗亭", "kind": "place", "category": "shelter", "anchor": fix(near_border(18))})
    phone.write(stall)
    made = home(0, "张一", "张二")
    made.operations[0]["set"]["anchor"] = fix(near_border(12))
    phone.write(*made.operations)
    rows = Desk(ground).client.get("/api/v1/inbox/placements").json["rows"]
    assert [(row["record"]["id"], row["harm"], row["people"]) for row in rows] == [(made.building, 1, 2), (stall["id"], 2, 0)]
    first = Desk(ground).client.get("/api/v1/inbox/placements?limit=1").json
    second = Desk(ground).client.get(f"/api/v1/inbox/placements?limit=1&next={first['next']}").json
    assert [first["rows"][0]["record"]["id"], second["rows"][0]["record"]["id"]] == [made.building, stall["id"]] and second["next"] is None


def test_the_inbox_says_where_most_harm_is_done(ground):
    """Of each kind in which something waits its worst item is told; a kind in which nothing waits is not named."""
    phone = ground.worker(0)
    phone.write(create("resource", {"name": "沙袋", "kind": "supply"}))
    office = Desk(ground).client
    assert office.get("/api/v1/inbox?harms=true").json["harms"] == {"unplaced": 2}
    phone.write(*far(1, "赵一", birth_date="1935-01-01").operations)
    assert office.get("/api/v1/inbox?harms=true").json["harms"]["unplaced"] == 0
    there = office.get("/api/v1/inbox?harms=true&cell=~unplaced").json
    assert set(there["harms"]) == {kind for kind, number in there["counts"].items() if number} == {"findings"}
    assert "harms" not in office.get("/api/v1/inbox").json


@given(st.lists(st.builds(Resting, st.uuids().map(str), st.sampled_from(["2026-01-01", "2026-02-01"]), st.integers(0, 3), st.booleans()), unique_by=lambda one: one.id), st.integers(1, 4))
def test_pages_hold_every_place_once_in_the_order_of_harm(found, size):
    """Law: pages of any size, put together, are the whole list in its order."""
    places = sorted(map(harms.place_of, found))
    paged, after = [], None
    while True:
        page, after = harms.page_of(places, after, size)
        paged += page
        if after is None:
            break
    assert paged == places and [one[0] for one in paged] == sorted(one[0] for one in paged)
