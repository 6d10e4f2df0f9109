"""Dedicated cells on top of base cells: streams of their own, and nobody's home changes (L4, S20)."""

from __future__ import annotations

import pytest
import shapely
from server_kit import COMMUNITY, SIZE, SOUTH, WEST, anchor, building, furnish, home, open_ground, operation, patch
from stream_oracle import recount
from test_server_editions import divided

from geo.cell import DEDICATED_LAYER, Cell
from geo.cells import DraftEdition
from server.permissions import Scope
from server.services import moves_told
from server.services.assignments import assign
from server.services.audit import Look
from server.services.drafts import keep_draft
from server.services.editions import publish_draft, publish_edition
from server.services.verify import verify


@pytest.fixture
def ground(prepared_database, tmp_path):
    ground = open_ground(prepared_database(furnish), tmp_path)
    yield ground
    recount(ground)
    report = verify(ground.house)
    assert report.agrees, report.difference
    ground.close()


def market(ground, west=0.25, east=0.75, name="market"):
    """A dedicated cell over part of the first cell."""
    box = shapely.box(WEST + west * SIZE, SOUTH, WEST + east * SIZE, SOUTH + SIZE)
    code = ground.rows("SELECT code FROM cell ORDER BY code")[0].code[:-3] + ("901" if name == "market" else "902")
    return DraftEdition((Cell(name, code, "示例市场", shapely.set_precision(box, 1e-7), DEDICATED_LAYER),), (), "cgcs2000")


def published(ground, draft):
    return publish_edition(ground.house, ground.secretary, COMMUNITY, draft)


def dedicated(ground, record_id):
    return ground.rows("SELECT dedicated FROM record WHERE id = ?", record_id)[0].dedicated


def keeper(ground, cell_id="market"):
    """A grid worker who is assigned to the dedicated cell alone."""
    phone = ground.worker()
    assign(ground.house, ground.secretary, user_id=phone.user_id, cell_id=cell_id, community_id=COMMUNITY)
    return phone


def test_a_dedicated_cell_shows_its_records_to_its_worker_and_leaves_their_homes(ground):
    """The market's worker gets the market's buildings and everything in them; the base cell's worker keeps them too."""
    base = ground.worker(0)
    inside, outside = home(0, "张一"), home(-0.4, "李二")
    base.write(*inside.operations, *outside.operations)
    published(ground, market(ground))
    phone = keeper(ground)
    phone.pull()
    everything = {inside.building, inside.dwelling, inside.household, *inside.persons}
    assert phone.visible == everything and set(phone.copies["dedicated/market"]) == everything
    base.pull()
    assert everything < base.visible
    answer = ground.app.test_client().get("/api/v1/reference", headers={"Authorization": f"Bearer {phone.token}"})
    assert [(one["id"], one["properties"]["layer"]) for one in answer.json["cells"]["features"]] == [("market", DEDICATED_LAYER)]
    assert {ground.record(one).home for one in everything} == {ground.streams[0]}
    assert {dedicated(ground, one) for one in everything} == {"dedicated/market"}
    assert dedicated(ground, outside.building) is None


def test_writes_in_a_dedicated_cell_reach_both_streams(ground):
    """What either worker writes, the other sees; a building that moves out leaves the market's stream alone."""
    published(ground, market(ground))
    base, phone = ground.worker(0), keeper(ground)
    made = home(0, "张一")
    phone.pull()
    phone.write(*made.operations)
    base.pull()
    everything = {made.building, made.dwelling, made.household, *made.persons}
    assert base.visible == everything
    base.write(patch(ground, made.persons[0], {"name": "张壹"}))
    phone.pull()
    assert phone.bodies[made.persons[0]]["fields"]["name"] == "张壹"
    base.write(patch(ground, made.building, {"anchor": anchor(-0.45)}))
    phone.pull()
    base.pull()
    assert phone.visible == set() and base.visible == everything
    assert {reason for stream, _, reason in phone.removed if stream == "dedicated/market"} == {"moved"}
    base.write(patch(ground, made.building, {"anchor": anchor(0)}))
    base.write(operation("delete", "household", made.household, base=ground.base(made.household)))
    phone.pull()
    assert phone.visible == everything - {made.household}


def test_a_new_edition_of_dedicated_cells_tells_who_comes_and_goes(ground):
    """The dry run names them; streams change, homes and versions do not; the way is open for a base edition too."""
    base = ground.worker(0)
    left, right = building(-0.2), building(0.4)
    base.write(left, right)
    published(ground, market(ground))
    assert dedicated(ground, left["id"]) == "dedicated/market" and dedicated(ground, right["id"]) is None
    draft = market(ground, 0.6, 1.0, name="hall")
    edition_id, certificate = keep_draft(ground.house, ground.secretary, COMMUNITY, draft)
    assert certificate.ok, certificate.problems
    look = Look(ground.secretary, "read", "x", None)
    told = moves_told.dry_run(ground.house, Scope((COMMUNITY,)), COMMUNITY, edition_id, look)
    found = {one["id"]: (one["from"] and one["from"]["cell_id"], one["to"] and one["to"]["cell_id"]) for one in told["rows"]}
    assert found == {left["id"]: ("market", None), right["id"]: (None, "hall")}
    before = {one["id"]: ground.record(one["id"]).v for one in (left, right)}
    publish_draft(ground.house, ground.secretary, COMMUNITY, edition_id)
    assert dedicated(ground, left["id"]) is None and dedicated(ground, right["id"]) == "dedicated/hall"
    assert {one: ground.record(one).v for one in before} == before
    publish_edition(ground.house, ground.secretary, COMMUNITY, divided(ground, 0.5, 1, 2, names=["w", "e", *ground.cells[1:]]))
    assert ground.record(right["id"]).home == "cell/e" and dedicated(ground, right["id"]) == "dedicated/hall"


def test_the_roster_of_a_dedicated_cell_lists_who_lies_in_it(ground):
    """The market's worker and the secretary ask by its code; each row says its base cell; others are not let in."""
    from server.errors import OutsideScope
    from server.permissions import scope_of
    from server.services import rosters
    from server.services.roster_query import from_address

    base = ground.worker(0)
    inside, outside = home(0, "张一"), home(-0.4, "李二")
    base.write(*inside.operations, *outside.operations)
    draft = market(ground)
    published(ground, draft)
    roster = rosters.find_roster(ground.house, "persons")
    query = from_address(roster, [], personal=True)
    keeper_scope = Scope((COMMUNITY,), frozenset({"dedicated/market"}))
    for scope in (Scope((COMMUNITY,)), keeper_scope):
        found = rosters.cell_ground(ground.house, scope, draft.cells[0].code, query)
        answer = rosters.page(ground.house, scope, found, query, Look(ground.secretary, "read", "x", None))
        assert [row["name"] for row in answer["rows"]] == ["张一"]
        assert answer["rows"][0]["cell_code"] == ground.rows("SELECT code FROM cell ORDER BY code")[0].code
    stranger = scope_of(type(ground.secretary)("u", "grid_worker", COMMUNITY), [ground.cells[2]])
    with pytest.raises(OutsideScope):
        rosters.cell_ground(ground.house, stranger, draft.cells[0].code, query)
