"""Why a record stands where it stands: words, candidates, the queue, the secretary's pin and what becomes of it (L3)."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from server_kit import COMMUNITY, SIZE, anchor, create, furnish, home, open_ground, operation, patch
from stream_oracle import recount
from test_server_editions import divided

from server.errors import InvalidInput, NotFound, OutsideScope
from server.permissions import Actor, Scope
from server.services import inbox, placement
from server.services import waiting as waiting_room
from server.services.audit import Look
from server.services.editions import publish_edition
from server.services.record_page import record_page
from server.services.verify import verify
from sync.memory import UNPLACED


@pytest.fixture
def ground(prepared_database, tmp_path, clock):
    ground = open_ground(prepared_database(furnish), tmp_path, clock)
    yield ground
    recount(ground)
    report = verify(ground.house)
    assert report.agrees, report.difference
    ground.close()


WHOLE = Scope((COMMUNITY,))


def told(ground, kind, record_id, scope=WHOLE):
    look = Look(ground.secretary, "read", "placement", None)
    return placement.explain(ground.house, scope, COMMUNITY, kind, record_id, look)


def pinned(ground, kind, record_id, cell, reason="院门在这一侧", actor=None):
    return placement.pin(ground.house, actor or ground.secretary, WHOLE, COMMUNITY, kind, record_id, cell=cell, reason=reason)


def waiting(ground, **more):
    return placement.queue(ground.house, WHOLE, COMMUNITY, Look(ground.secretary, "read", "queue", None), **more)


def fix(number, accuracy_m=25.0):
    """A phone's fix near the middle of a cell by its number, 95 % radius."""
    return anchor(number) | {"method": "gps", "accuracy_m": accuracy_m, "confidence": 0.95}


def near_border(metres):
    """A number for `anchor` so many metres east of the border between the first two cells."""
    return 0.5 + metres / (SIZE * 95_000)


def test_a_building_explains_everything_in_it(ground):
    """A secretary reads which building decides, and the way from the person to it, in both languages."""
    phone = ground.worker(0)
    made = home(0, "张一")
    phone.write(*made.operations)
    found = told(ground, "person", made.persons[0])
    assert found["decision"] == "inside" and found["home"]["cell_id"] == ground.cells[0]
    assert [one["type"] for one in found["chain"]] == ["person", "household", "dwelling", "building"]
    assert "楼栋“某幢”的位置（实测）落在第1网格" in found["zh"] and "张一" in found["zh"]
    assert "building 某幢 (survey) lies in cell" in found["en"] and not found["needs_confirmation"]
    blind = told(ground, "building", made.building, Scope((COMMUNITY,), fields="internal", topics=()))
    assert "某幢" in blind["zh"]


def test_a_wide_fix_says_how_probably_it_lies_in_no_cell(ground):
    """The shares that are told make a whole: what the cells leave over is said."""
    phone = ground.worker(0)
    stall = create("resource", {"name": "岗亭", "kind": "place", "category": "shelter", "anchor": fix(near_border(18), 2_000)})
    phone.write(stall)
    found = told(ground, "resource", stall["id"])
    shares = [int(one) for one in re.findall(r"(\d+)%", found["zh"].replace("（95%）", ""))]
    assert "不在任何网格" in found["zh"] and "in no cell" in found["en"] and 97 <= sum(shares) <= 103, found["zh"]


def test_a_fix_beside_a_border_waits_with_its_candidates(ground):
    """A phone's fix of ±25 m, 18 m from the border: both cells with their share, in the queue, never for a building's home."""
    phone = ground.worker(0, 1)
    stall = create("resource", {"name": "岗亭", "kind": "place", "category": "shelter", "anchor": fix(near_border(18))})
    made = home(0, "张一")
    phone.write(stall, *made.operations)
    [row] = waiting(ground)["rows"]
    assert row["record"]["id"] == stall["id"] and waiting(ground)["count"] == 1
    assert [one["cell"]["cell_id"] for one in row["candidates"]] == [ground.cells[1], ground.cells[0]]
    assert sum(one["probability"] for one in row["candidates"]) == pytest.approx(1, abs=0.01)
    assert row["candidates"][1]["distance_m"] == pytest.approx(18, abs=1.5)
    assert "误差 ±25 米" in row["zh"] and "%" in row["zh"] and "请确认所属网格" in row["zh"]
    assert "GPS fix ± 25 m (95 %)" in row["en"] and "overlaps" in row["en"]
    assert inbox.counts(ground.house, WHOLE, COMMUNITY)["counts"]["placements"] == 1


def test_the_secretarys_pin_beats_geometry_and_moves_everything_along(ground):
    """The pin names a cell with its reason; what stands in the building follows; taking it away lets geometry decide."""
    phone, other = ground.worker(0), ground.worker(2)
    made = home(0, "张一")
    phone.write(*made.operations)
    assert pinned(ground, "building", made.building, ground.cells[2])["now"]["outcome"] == "applied"
    assert {ground.record(one).home for one in (made.building, made.dwelling, *made.persons)} == {ground.streams[2]}
    found = told(ground, "person", made.persons[0])
    assert found["decision"] == "pinned" and "院门在这一侧" in found["zh"] and "院门在这一侧" in found["en"]
    assert found["pin"]["holds"] and found["history"][0]["to"]["cell_id"] == ground.cells[2]
    phone.pull()
    other.pull()
    assert phone.visible == set() and made.building in other.visible
    other.write(patch(ground, made.building, {"anchor": anchor(1)}))
    assert ground.record(made.household).home == ground.streams[2], "a new fix does not undo the pin"
    placement.pin(ground.house, ground.secretary, WHOLE, COMMUNITY, "building", made.building, cell=None)
    assert ground.record(made.household).home == ground.streams[1]


def test_a_pin_is_of_the_day_that_it_was_in_china(ground, clock):
    """Before eight in the morning there it is the day before in UTC."""
    phone = ground.worker(0)
    made = home(0, "张一")
    phone.write(*made.operations)
    clock.now = datetime(2026, 3, 2, 22, 30, tzinfo=UTC)
    pinned(ground, "building", made.building, ground.cells[2])
    assert "于 2026-03-03 指定" in told(ground, "building", made.building)["zh"]


def test_who_reads_no_personal_fields_reads_no_reason(ground):
    """A reason is free text: a planner reads that a cell was chosen and when, neither why in whose words nor by whom."""
    phone = ground.worker(0)
    made = home(0, "张一")
    phone.write(*made.operations)
    pinned(ground, "building", made.building, ground.cells[2])
    blind = told(ground, "building", made.building, Scope((COMMUNITY,), fields="internal", topics=()))
    assert blind["decision"] == "pinned" and set(blind["pin"]) == {"cell", "at", "kind", "holds"}
    written = json.dumps(blind, ensure_ascii=False)
    assert "院门在这一侧" not in written and ground.secretary.name not in written
    assert told(ground, "building", made.building)["pin"]["by"] == ground.secretary.name
    look = Look(ground.secretary, "read", "record", None)
    planner = Actor("u-p", "planner", COMMUNITY, name="某规划师")
    page = record_page(ground.house, planner, Scope((COMMUNITY,), fields="internal", topics=()), COMMUNITY, "building", made.building, look)
    assert "院门在这一侧" not in json.dumps(page, ensure_ascii=False)


def test_the_unplaced_queue_names_the_nearest_cell_in_force(ground):
    """After an edition the nearest cell of what lies outside is one of the new cells, never one that is gone."""
    phone = ground.worker(0)
    house = create("building", {"name": "远楼", "anchor": anchor(40)})
    dwelling = create("dwelling", {"door_number": "1"})
    phone.write(house, dwelling)

    def near():
        rows = waiting_room.unplaced(ground.house, WHOLE, COMMUNITY, Look(ground.secretary, "read", "queue", None))["rows"]
        return {row["record"]["id"]: (row["placement"] or {}).get("nearest") for row in rows}

    before = near()
    assert before[house["id"]][0] == ground.cells[2] and before[dwelling["id"]] is None
    publish_edition(ground.house, ground.secretary, COMMUNITY, divided(ground, 1, 2, names=["a", "b", "c"]))
    assert near() == {house["id"]: ["c", before[house["id"]][1]], dwelling["id"]: None}


def test_who_may_pin_what(ground):
    """A reason is asked for; a cell must be in force; what stands in a holder has no pin of its own."""
    phone = ground.worker(0)
    made = home(0, "张一")
    phone.write(*made.operations)
    with pytest.raises(InvalidInput):
        pinned(ground, "building", made.building, ground.cells[1], reason=" ")
    with pytest.raises(NotFound):
        pinned(ground, "building", made.building, "no-such-cell")
    with pytest.raises(InvalidInput):
        pinned(ground, "household", made.household, ground.cells[1])


def test_a_grid_workers_phone_confirms_a_candidate_and_nothing_else(ground):
    """At the door the worker says which of the cells it is; any other cell is refused and moves nothing."""
    phone = ground.worker(0, 1)
    stall = create("resource", {"name": "岗亭", "kind": "place", "category": "shelter", "anchor": fix(near_border(5))})
    phone.write(stall)
    assert ground.record(stall["id"]).home == ground.streams[1]
    far = patch(ground, stall["id"], {"pin": {"cell": ground.cells[2], "kind": "confirmed"}})
    assert phone.outcomes([far]) == [("quarantined", "invalid")]
    second = ground.worker(0, 1)
    near = patch(ground, stall["id"], {"pin": {"cell": ground.cells[0], "kind": "confirmed"}})
    assert second.outcomes([near]) == [("applied", None)]
    assert ground.record(stall["id"]).home == ground.streams[0] and waiting(ground)["count"] == 0
    community_worker = type(ground.secretary)("u-x", "community_worker", COMMUNITY, name="某某")
    with pytest.raises(OutsideScope):
        pinned(ground, "resource", stall["id"], ground.cells[2], actor=community_worker)


def test_a_pin_follows_its_cell_where_one_successor_fits(ground):
    """S29: renamed or merged, the pin goes along; split where the place itself tells which part, that one."""
    phone = ground.worker(0, 1, 2)
    made = home(0.2, "张一")
    phone.write(*made.operations)
    pinned(ground, "building", made.building, ground.cells[1])
    publish_edition(ground.house, ground.secretary, COMMUNITY, divided(ground, 1, names=["w", "joined"]))
    assert ground.record(made.persons[0]).home == "cell/joined"
    pin = json.loads(ground.rows("SELECT fields FROM record WHERE id = ?", made.building)[0].fields)["pin"]
    assert pin["cell"] == "joined" and pin["reason"] == "院门在这一侧"


def test_a_pin_is_reopened_where_several_successors_fit(ground):
    """S29: never dropped: the record waits in the queue, the old pin stands in its history."""
    phone = ground.worker(0, 1, 2)
    made = home(0, "张一")
    phone.write(*made.operations)
    pinned(ground, "building", made.building, ground.cells[1])
    publish_edition(ground.house, ground.secretary, COMMUNITY, divided(ground, 1, 1.5, 2, names=[ground.cells[0], "b", "c", ground.cells[2]]))
    assert ground.record(made.persons[0]).home == ground.streams[0], "geometry decides meanwhile"
    [row] = waiting(ground)["rows"]
    assert row["record"]["id"] == made.building and row["reopened"]["cell_id"] == ground.cells[1]
    units = ground.rows("SELECT units FROM history WHERE record_id = ? ORDER BY v", made.building)
    assert sum("pin" in row.units for row in units) == 2


def test_who_lives_in_a_pinned_building_without_a_location_keeps_a_cell(ground):
    """S29: its cell is split: it goes with its estate, else with most of the ground, is asked about again, and nobody becomes unplaced."""
    phone = ground.worker(0, 1, 2)
    estate = create("estate", {"name": "某小区", "kind": "open_estate", "anchor": anchor(1.2)})
    held, loose = (create("building", {"name": name, **more}) for name, more in (("一幢", {"estate": estate["id"]}), ("二幢", {})))
    phone.write(estate, held, loose)
    rooms = {}
    for house in (held, loose):
        pinned(ground, "building", house["id"], ground.cells[1])
        rooms[house["id"]] = create("dwelling", {"door_number": "1", "building": house["id"]})
    phone.write(*rooms.values())
    publish_edition(ground.house, ground.secretary, COMMUNITY, divided(ground, 1, 1.6, 2, names=[ground.cells[0], "b", "c", ground.cells[2]]))
    for names in (None, ["w", "b", "c", ground.cells[2]]):
        if names is not None:  # another edition answers nothing
            publish_edition(ground.house, ground.secretary, COMMUNITY, divided(ground, 1, 1.6, 2, names=names))
        for house, cell in ((held, "cell/c"), (loose, "cell/b")):
            assert {ground.record(one).home for one in (house["id"], rooms[house["id"]]["id"])} == {cell}
            assert told(ground, "building", house["id"])["needs_confirmation"]
        rows = waiting(ground)["rows"]
        assert {(row["record"]["id"], row["reopened"]["cell_id"]) for row in rows} == {(one["id"], ground.cells[1]) for one in (held, loose)}
        offered = [[(one["cell"]["cell_id"], round(one["probability"], 2)) for one in row["candidates"]] for row in rows]
        assert offered == [[("b", 0.6), ("c", 0.4)]] * 2  # the cells that have the ground now, to choose from
    pinned(ground, "building", loose["id"], "b")
    assert [row["record"]["id"] for row in waiting(ground)["rows"]] == [held["id"]]
    assert not told(ground, "building", loose["id"])["needs_confirmation"]


def test_only_cells_in_force_are_offered_for_a_divided_one(ground):
    """Part of the ground of the pinned cell was given up later: what had it in between is no cell to choose any more."""
    phone = ground.worker(0, 1, 2)
    house = create("building", {"name": "一幢"})
    phone.write(house)
    pinned(ground, "building", house["id"], ground.cells[2])
    names = [*ground.cells[:2], "b", "c"]
    publish_edition(ground.house, ground.secretary, COMMUNITY, divided(ground, 1, 2, 2.6, names=names))
    smaller = divided(ground, 1, 2, 2.6, names=names)
    publish_edition(ground.house, ground.secretary, COMMUNITY, replace(smaller, cells=smaller.cells[:3]))
    [row] = waiting(ground)["rows"]
    assert [one["cell"]["cell_id"] for one in row["candidates"]] == ["b"] and "请书记指定网格" in row["zh"]
    others = Actor("u-x", "community_worker", COMMUNITY, name="某某")
    [row] = placement.queue(ground.house, WHOLE, COMMUNITY, Look(others, "read", "queue", None))["rows"]
    assert row["candidates"] == [] and row["reopened"]["cell_id"] == ground.cells[2], "nothing is offered that would be refused"
    assert pinned(ground, "building", house["id"], "b")["now"]["outcome"] == "applied" and waiting(ground)["count"] == 0


def test_unplaced_work_is_placed_by_a_pin_or_by_its_building(ground):
    """The unplaced queue can be worked off: name the cell of the building, or the building of the dwelling."""
    phone = ground.worker(0)
    house = create("building", {"name": "远楼", "anchor": anchor(40)})
    dwelling = create("dwelling", {"door_number": "1"})
    phone.write(house, dwelling)
    found = told(ground, "building", house["id"])
    assert found["decision"] == "outside" and found["nearest"]["distance_m"] > 1000 and "最近的是" in found["zh"]
    assert told(ground, "dwelling", dwelling["id"])["decision"] == "unlocated"
    pinned(ground, "building", house["id"], ground.cells[2])
    assert ground.record(house["id"]).home == ground.streams[2]
    result = placement.hold(ground.house, ground.secretary, WHOLE, COMMUNITY, "dwelling", dwelling["id"], {"building": house["id"]})
    assert result["now"]["outcome"] == "applied" and ground.record(dwelling["id"]).home == ground.streams[2]
    with pytest.raises(InvalidInput):
        placement.hold(ground.house, ground.secretary, WHOLE, COMMUNITY, "dwelling", dwelling["id"], {"door_number": "2"})
    with pytest.raises(NotFound):
        placement.hold(ground.house, ground.secretary, WHOLE, COMMUNITY, "dwelling", dwelling["id"], {"building": dwelling["id"]})
    phone.write(operation("delete", "building", house["id"], base=ground.base(house["id"])))
    assert ground.record(dwelling["id"]).home == ground.streams[2] != UNPLACED


