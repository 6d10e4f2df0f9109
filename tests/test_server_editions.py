"""Publishing: the dry run tells what will happen, only what moves is written, nobody's work is lost (L4, S18, S29)."""

from __future__ import annotations

import itertools
import json
import random
from dataclasses import replace

import pytest
import shapely
from server_kit import COMMUNITY, anchor, building, cells, create, furnish, home, open_ground, operation, patch
from stream_oracle import recount

from geo.cell import Cell
from geo.cells import DraftEdition
from server.permissions import Scope
from server.services import editions, moves_told
from server.services.audit import Look
from server.services.drafts import keep_draft
from server.services.editions import publish_edition, republish
from server.services.verify import verify
from server.store.database import queue_of, read, write
from sync.memory import UNPLACED


@pytest.fixture
def ground(prepared_database, tmp_path):
    ground = open_ground(prepared_database(furnish), tmp_path)
    yield ground
    recount(ground)
    report = verify(ground.house)
    assert report.agrees, report.difference
    ground.close()


def divided(ground, *cuts, names=None):
    """The ground of the three cells cut anew, west to east, at shares of its width (0 to 3)."""
    standing = cells(3).cells
    west, south, east, north = shapely.total_bounds([one.geometry for one in standing])
    edges = [0.0, *cuts, 3.0]
    made = []
    for number, (a, b) in enumerate(itertools.pairwise(edges)):
        box = shapely.box(west + (east - west) * a / 3, south, west + (east - west) * b / 3, north)
        name = names[number] if names else f"new-{number}"
        made.append(Cell(name, f"{standing[0].code[:-3]}{100 + number}" , "", shapely.set_precision(box, 1e-7)))
    return DraftEdition(tuple(made), (), "cgcs2000")


def kept(ground, draft):
    edition_id, certificate = keep_draft(ground.house, ground.secretary, COMMUNITY, draft)
    assert certificate.ok, certificate.problems
    return edition_id


def told(ground, edition_id, **more):
    look = Look(ground.secretary, "read", "dry run", None)
    return moves_told.dry_run(ground.house, Scope((COMMUNITY,)), COMMUNITY, edition_id, look, **more)


def homes(ground):
    return {row.id: row.home for row in ground.rows("SELECT id, home FROM record WHERE community_id = ?", COMMUNITY)}


def test_the_dry_run_tells_exactly_what_publishing_does(ground):
    """Which households, persons and resources move, from where to where and why; nothing else is written."""
    phone = ground.worker(0, 1, 2)
    made = [home(number, f"张{number}") for number in (0, 0.3, 1, 2)]
    phone.write(*[one for each in made for one in each.operations])
    phone.write(create("resource", {"name": "仓库", "kind": "place", "category": "shelter", "anchor": anchor(0.3)}))
    before, versions = homes(ground), {one.id: one.updated_at for one in ground.rows("SELECT id, updated_at FROM record")}
    draft = divided(ground, 0.6, 1, 2, names=["n0", "n1", ground.cells[1], ground.cells[2]])
    edition_id = kept(ground, replace(draft, cells=tuple(replace(one, name="第十格") for one in draft.cells)))
    first = told(ground, edition_id, limit=3)
    rows, page = list(first["rows"]), first
    while page["next"]:
        page = told(ground, edition_id, cursor=page["next"], limit=3)
        rows += page["rows"]
    assert homes(ground) == before, "a dry run changes nothing"
    assert first["moves"]["count"] == len(rows) == len({one["id"] for one in rows})
    assert first["moves"]["types"] == {"building": 2, "dwelling": 2, "household": 2, "person": 2, "resource": 1}
    assert first["lineage"]["split"] == 1 and first["lineage"]["same"] == 2
    person = next(one for one in rows if one["type"] == "person")
    assert person["why"] == "follows" and person["title"].startswith("张") and person["because"]["id"] in {x.building for x in made}
    was = f"{person['from']['code']}（{person['from']['name']}）" if person["from"]["name"] else person["from"]["code"]
    assert person["zh"] == f"随“{person['because']['title']}”归入网格 {person['to']['code']}（第十格）（原在 {was}）"
    store = next(one for one in rows if one["type"] == "resource")
    was = f"{store['from']['code']} ({store['from']['name']})" if store["from"]["name"] else store["from"]["code"]
    assert store["en"] == f"its own location lies in cell {store['to']['code']} (第十格) (before in {was})"
    assert sum(one["count"] for one in first["moves"]["pairs"]) == len(rows)
    editions.publish_draft(ground.house, ground.secretary, COMMUNITY, edition_id)
    after = homes(ground)
    moved = {one: after[one] for one in before if before[one] != after[one]}
    assert {one["id"]: f"cell/{one['to']['cell_id']}" for one in rows} == moved
    now = {one.id: one.updated_at for one in ground.rows("SELECT id, updated_at FROM record")}
    assert all(now[one] == versions[one] for one in before if one not in moved), "what stays is not written"
    ledger = moves_told.moved(
        ground.house, Scope((COMMUNITY,)), COMMUNITY, edition_id, Look(ground.secretary, "read", "x", None), limit=500
    )
    assert {one["id"]: f"cell/{one['to']['cell_id']}" for one in ledger["rows"]} == moved
    assert ledger["moves"]["types"] == first["moves"]["types"]


@pytest.mark.parametrize("seed", range(3))
def test_publishing_moves_what_placing_every_record_anew_would_move(ground, seed):
    """Whatever the new division, every record stands where its place or its holder says (L1, L3)."""
    dice = random.Random(seed)
    phone = ground.worker(0, 1, 2)
    made = [home(dice.uniform(-0.4, 2.4), "张") for _ in range(6)]
    phone.write(*[one for each in made for one in each.operations])
    for one in made[:3]:
        phone.write(patch(ground, one.persons[0], {"registration_dwelling": made[dice.randrange(6)].dwelling}))
    for _ in range(2):
        cuts = sorted(dice.uniform(0.1, 2.9) for _ in range(dice.randrange(1, 4)))
        publish_edition(ground.house, ground.secretary, COMMUNITY, _fresh(ground, cuts))
        with read(ground.house.engine) as connection:
            from server.services.places import places_in_force

            places = places_in_force(connection, "test", COMMUNITY)
        for one in made:
            fields = json.loads(ground.rows("SELECT fields FROM record WHERE id = ?", one.building)[0].fields)
            home_now = places.place(fields["anchor"]).home
            assert {ground.record(x).home for x in (one.building, one.dwelling, one.household, *one.persons)} == {home_now}
        for row in ground.rows("SELECT id, fields, home, life FROM record WHERE type = 'reference_card'"):
            fields = json.loads(row.fields)
            dwelling, person = ground.record(fields["registration_dwelling"]), ground.record(fields["person"])
            assert (row.life == "live") == (dwelling.home != person.home and dwelling.home != UNPLACED)
            assert row.life != "live" or row.home == dwelling.home


_numbers = iter(range(100, 999))


def _fresh(ground, cuts):
    draft = divided(ground, *cuts)
    renamed = []
    for one in draft.cells:
        number = next(_numbers)
        renamed.append(Cell(f"{one.code[:-3]}{number}", f"{one.code[:-3]}{number}", "", one.geometry))
    return DraftEdition(tuple(renamed), (), "cgcs2000")


def test_what_is_written_between_plan_and_lock_lands_in_its_new_cell(ground):
    """S29: records that came in since the plan are judged again under the lock, and a move since then makes a new plan."""
    phone = ground.worker(0, 1, 2)
    old = home(0.3, "张一")
    phone.write(*old.operations)
    edition_id = kept(ground, divided(ground, 0.6, 1, 2, names=["n0", "n1", *ground.cells[1:]]))
    with read(ground.house.engine) as connection:
        prospect = editions.foresee(connection, ground.house, COMMUNITY, edition_id)
    new = home(0.3, "李二")
    late = create("household", {"dwelling": old.dwelling, "kind": "family"})
    phone.write(*new.operations, late, patch(ground, old.persons[0], {"name": "张壹"}))
    with write(ground.house.engine) as connection:
        editions._publish(connection, ground.house, ground.secretary, COMMUNITY, prospect, insists=False)
    moved = {old.building, old.dwelling, old.household, *old.persons, new.building, new.dwelling, new.household, *new.persons}
    assert {ground.record(one).home for one in {*moved, late["id"]}} == {"cell/n1"}


def test_what_is_written_after_everything_was_laid_out_is_told_as_it_is_now(ground):
    """S29: moves lie ready before the lock; who was changed or came in since is moved as they are under the lock."""
    from server.services.carry_moves import stage_moves

    phone = ground.worker(0, 1, 2)
    old, new = home(0.3, "张一"), home(0.3, "李二")
    phone.write(*old.operations)
    edition_id = kept(ground, divided(ground, 0.6, 1, 2, names=["n0", "n1", *ground.cells[1:]]))
    with read(ground.house.engine) as connection:
        prospect = editions.foresee(connection, ground.house, COMMUNITY, edition_id)
    staged = []

    def meanwhile(connection):
        staged.append(stage_moves(connection, ground.house, COMMUNITY, prospect.plan))
        phone.write(*new.operations, patch(ground, old.persons[0], {"name": "张壹"}))

    with write(ground.house.engine, meanwhile) as connection:
        editions._publish(connection, ground.house, ground.secretary, COMMUNITY, prospect, insists=False, staged=staged[0])
    phone.pull()
    assert {ground.record(one).home for one in (old.household, *old.persons, new.building, *new.persons)} == {"cell/n1"}
    assert {*old.persons, *new.persons} <= phone.visible


def test_who_pushes_while_an_edition_is_published_waits_and_lands_right(ground, monkeypatch):
    """S16, S29: the work of a phone that comes in under the lock waits for it, and is written after it, in the new cells."""
    import threading
    import time

    phone = ground.worker(0, 1, 2)
    made, late = home(0.3, "张一"), home(0.3, "李二")
    phone.write(*made.operations)
    pushing = threading.Thread(target=phone.write, args=late.operations)
    follow, waited = editions.follow_lineage, []

    def waits() -> bool:
        """Whether the push stands before the lock that publishing holds."""
        engine = ground.house.engine
        if engine.dialect.name == "sqlite":
            return bool(queue_of(engine)._waiting)
        return bool(ground.rows("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"))

    def slowly(*given, **more):
        pushing.start()
        deadline = time.monotonic() + 20
        while not waits() and time.monotonic() < deadline:
            time.sleep(0.001)
        waited.append(waits() and not ground.rows("SELECT 1 FROM record WHERE id = ?", late.household))
        return follow(*given, **more)

    monkeypatch.setattr(editions, "follow_lineage", slowly)
    publish_edition(ground.house, ground.secretary, COMMUNITY, divided(ground, 0.6, 1, 2, names=["n0", "n1", *ground.cells[1:]]))
    pushing.join(30)
    assert waited == [True] and not pushing.is_alive()
    assert {ground.record(one).home for one in (made.household, late.household, *late.persons)} == {"cell/n1"}


def test_a_plan_that_a_move_has_overtaken_is_made_again(ground):
    """S29: the placement version tells; the caller plans again instead of moving by an old plan."""
    from server.store.errors import PlanOutdated

    phone = ground.worker(0, 1, 2)
    made = home(0, "张一")
    phone.write(*made.operations)
    edition_id = kept(ground, divided(ground, 0.6, 1, 2, names=["n0", "n1", *ground.cells[1:]]))
    with read(ground.house.engine) as connection:
        prospect = editions.foresee(connection, ground.house, COMMUNITY, edition_id)
    phone.write(patch(ground, made.building, {"anchor": anchor(1)}))
    with pytest.raises(PlanOutdated), write(ground.house.engine) as connection:
        editions._publish(connection, ground.house, ground.secretary, COMMUNITY, prospect, insists=False)
    with write(ground.house.engine) as connection:
        editions._publish(connection, ground.house, ground.secretary, COMMUNITY, prospect, insists=True)
    assert ground.record(made.household).home == ground.streams[1]


def test_workers_follow_their_ground_and_their_late_work_lands_right(ground):
    """S18, L10: a phone that was offline while its cell was split keeps all its work, and goes on in both parts."""
    phone, neighbour = ground.worker(0), ground.worker(1)
    west, east = home(-0.3, "张一"), home(0.3, "李二")
    phone.write(*west.operations, *east.operations)
    phone.pull()
    late = [
        patch(ground, east.persons[0], {"name": "李贰"}),
        create("household", {"dwelling": west.dwelling, "kind": "family"}),
        building(0.35),
    ]
    publish_edition(ground.house, ground.secretary, COMMUNITY, divided(ground, 0.5, 1, 2, names=["w", "e", *ground.cells[1:]]))
    assert {one for one, _ in phone.outcomes(*[[one] for one in late])} == {"applied"}
    assert ground.record(east.persons[0]).home == "cell/e"
    assert ground.record(late[1]["id"]).home == "cell/w" and ground.record(late[2]["id"]).home == "cell/e"
    phone.pull()
    everything = {west.building, west.dwelling, west.household, *west.persons, late[1]["id"], late[2]["id"],
                  east.building, east.dwelling, east.household, *east.persons}  # fmt: skip
    assert phone.visible == everything
    assert set(phone.copies) >= {"cell/w", "cell/e"} and ground.streams[0] not in phone.copies
    neighbour.pull()
    assert neighbour.visible == set()
    cells_now = {row.cell_id for row in ground.rows("SELECT cell_id FROM assignment WHERE user_id = ? AND revoked_at IS NULL", phone.user_id)}
    assert cells_now == {"w", "e"}


def test_a_border_that_shifts_tells_both_phones(ground):
    """L10: what crosses the border says REMOVE(moved) to one phone and PUT to the other; streams of both cells survive."""
    here, there = ground.worker(0), ground.worker(1)
    made = home(0.45, "张一")
    here.write(*made.operations)
    here.pull()
    there.pull()
    publish_edition(ground.house, ground.secretary, COMMUNITY, divided(ground, 0.9, 2, names=ground.cells))
    everything = {made.building, made.dwelling, made.household, *made.persons}
    here.pull()
    there.pull()
    assert here.visible == set() and there.visible == everything
    assert {(one, reason) for _, one, reason in here.removed} == {(one, "moved") for one in everything}
    assert set(here.copies) >= {ground.streams[0]}


def test_merged_cells_bring_their_workers_together(ground):
    """Two cells become one: both workers go on in it, each with the duty they had."""
    one, other = ground.worker(0), ground.worker(1)
    publish_edition(ground.house, ground.secretary, COMMUNITY, divided(ground, 2, names=["joined", ground.cells[2]]))
    rows = ground.rows("SELECT user_id FROM assignment WHERE cell_id = 'joined' AND revoked_at IS NULL ORDER BY user_id")
    assert [row.user_id for row in rows] == sorted([one.user_id, other.user_id])


def test_the_way_back_is_one_call(ground):
    """A division that was a mistake is taken back: same cells, same codes, same homes, and nothing of the work is lost."""
    phone = ground.worker(0, 1, 2)
    made = home(0.3, "张一")
    phone.write(*made.operations)
    before = homes(ground)
    first = ground.rows("SELECT edition_id FROM edition WHERE state = 'published'")[0].edition_id
    second = publish_edition(ground.house, ground.secretary, COMMUNITY, divided(ground, 0.6, 1, 2, names=["n0", "n1", "n2", "n3"]))
    assert homes(ground) != before
    phone.pull()
    new = home(0.3, "李二")
    phone.write(*new.operations)
    assert editions.previous_edition(ground.house, COMMUNITY) == first
    third = republish(ground.house, ground.secretary, COMMUNITY, first)
    assert third not in (first, second)
    after = homes(ground)
    assert {one: after[one] for one in before} == before
    assert ground.record(new.household).home == ground.streams[0]
    assert {row.cell_id for row in ground.rows("SELECT cell_id FROM assignment WHERE user_id = ? AND revoked_at IS NULL", phone.user_id)} == set(ground.cells)
    states = {row.edition_id: row.state for row in ground.rows("SELECT edition_id, state FROM edition")}
    assert (states[first], states[second], states[third]) == ("retired", "retired", "published")


def test_lineage_is_kept_as_it_was_when_it_was_published(ground):
    """Years later the shares of ground and households of that day can be read, whatever moved since."""
    from server.services.lineages import lineage_of

    phone = ground.worker(0, 1, 2)
    phone.write(*home(0.3, "张一").operations)
    edition_id = publish_edition(ground.house, ground.secretary, COMMUNITY, divided(ground, 0.6, 1, 2, names=["n0", "n1", *ground.cells[1:]]))
    before = lineage_of(ground.house, COMMUNITY, edition_id)
    assert before["counts"]["split"] == 1
    phone.pull()
    phone.write(*home(0.3, "李二").operations)
    assert lineage_of(ground.house, COMMUNITY, edition_id) == before
    assert sum(one["households"] or 0 for one in before["parts"]) == 1
    rows = ground.rows("SELECT kind FROM cell_lineage WHERE edition_id = ?", edition_id)
    assert sorted(row.kind for row in rows) == ["same", "same", "split", "split"]


def test_deleted_records_keep_their_place_without_a_row_in_any_stream(ground):
    """S5: what was deleted moves along quietly, and comes back in its new cell when it is restored."""
    phone = ground.worker(0, 1, 2)
    made = home(0.3, "张一")
    phone.write(*made.operations)
    phone.write(operation("delete", "household", made.household, base=ground.base(made.household)))
    publish_edition(ground.house, ground.secretary, COMMUNITY, divided(ground, 0.6, 1, 2, names=["n0", "n1", *ground.cells[1:]]))
    phone.pull()
    assert ground.record(made.household).home == "cell/n1" and made.household not in phone.visible
    phone.write(operation("restore", "household", made.household, base=ground.base(made.household)))
    phone.pull()
    assert made.household in phone.copies["cell/n1"]
