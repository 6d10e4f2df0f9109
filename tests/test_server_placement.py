"""Where records live and what moves with them (S15, S24, L3): exclusive moves, cards, episodes, unplaced work, editions."""

from __future__ import annotations

import pytest
from server_kit import (
    COMMUNITY,
    anchor,
    building,
    cells,
    create,
    furnish,
    furnish_empty,
    home,
    open_ground,
    operation,
    patch,
)
from stream_oracle import recount

from server.services.editions import publish_edition
from server.services.push import accept_user_operation
from sync.digest import made_id
from sync.memory import UNPLACED


@pytest.fixture
def ground(prepared_database, tmp_path):
    ground = open_ground(prepared_database(furnish), tmp_path)
    yield ground
    recount(ground)
    ground.close()


@pytest.fixture
def bare(prepared_database, tmp_path):
    """The community before its first edition."""
    ground = open_ground(prepared_database(furnish_empty), tmp_path)
    yield ground
    recount(ground)
    ground.close()


def homes(ground, made):
    return {ground.record(one).home for one in (made.building, made.dwelling, made.household, *made.persons)}


# ---------------------------------------------------------------- moving
def test_a_moved_building_takes_everything_along_and_says_so(ground):
    """L3, trap 19: its dwellings, households and persons follow; the old cell hears REMOVE(moved), the new one PUT; no version rises."""
    phone, target = ground.worker(0), ground.worker(2)
    made = home(0, "张一", "张二")
    care = create("care_status", {"person": made.persons[0], "kind": "living_alone"})
    phone.write(*made.operations)
    assert phone.push([care])[0]["now"]["outcome"] == "applied", care
    phone.pull()
    before = {one: ground.record(one).v for one in (made.dwelling, made.household, *made.persons, care["id"])}
    phone.write(patch(ground, made.building, {"anchor": anchor(2)}))
    assert homes(ground, made) == {ground.streams[2]}
    assert {one: ground.record(one).v for one in before} == before, "a change of cell alone raises no version"
    phone.pull()
    target.pull()
    everything = {made.building, made.dwelling, made.household, *made.persons, care["id"]}
    assert phone.visible == set() and target.visible == everything
    assert {(one, reason) for _, one, reason in phone.removed} == {(one, "moved") for one in everything}


def test_a_household_moves_by_a_patch_of_its_dwelling(ground):
    """S15: the text tells that records move; members follow their household."""
    phone = ground.worker(0, 1)
    here, there = home(0, "张一"), home(1)
    phone.write(*here.operations, *there.operations)
    phone.write(patch(ground, here.household, {"dwelling": there.dwelling}))
    assert ground.record(here.household).home == ground.record(here.persons[0]).home == ground.streams[1]
    assert ground.record(here.dwelling).home == ground.streams[0]


def test_a_move_there_and_back_in_one_batch(ground):
    """S15: several moves of one record in one batch end where the last one says."""
    phone = ground.worker(0, 1, 2)
    made = home(0, "张一")
    phone.write(*made.operations)
    base = ground.base(made.building)
    moves = [operation("patch", "building", made.building, {"anchor": anchor(to)}, base=base) for to in (1, 2, 0)]
    assert {one for one, _ in phone.outcomes(*[[one] for one in moves])} == {"applied"}
    assert homes(ground, made) == {ground.streams[0]}
    for to in (1, 0, 1, 2):
        phone.write(patch(ground, made.building, {"anchor": anchor(to)}))
    assert homes(ground, made) == {ground.streams[2]}


def test_a_restored_journal_number_never_breaks_a_move(ground):
    """S15: journal numbers rise for ever; a move in the far future is written like the first."""
    phone = ground.worker(0, 1)
    made = home(0)
    phone.write(*made.operations)
    from server.store.database import run, write

    with write(ground.house.engine) as connection:
        if connection.dialect.name == "postgresql":
            run(connection, "SELECT setval('journal_number', 40000000)")
        else:
            run(connection, "UPDATE sequence SET value = 40000000")
    phone.write(patch(ground, made.building, {"anchor": anchor(1)}))
    assert ground.record(made.household).home == ground.streams[1]


def test_many_moves_between_many_cells_in_one_batch(ground):
    """S15: one batch may move many records whose cards and cells are all different; it never gives up."""
    phone = ground.worker(0, 1, 2)
    made = [home(number % 3, f"张{number}") for number in range(6)]
    phone.write(*[one for each in made for one in each.operations])
    registered = [patch(ground, one.persons[0], {"registration_dwelling": made[(n + 1) % 6].dwelling}) for n, one in enumerate(made)]
    phone.write(*registered)
    assert cards(ground) == {made_id("card", one.persons[0]): made[(n + 1) % 6].dwelling for n, one in enumerate(made)}
    again = [patch(ground, one.persons[0], {"registration_dwelling": made[(n + 2) % 6].dwelling}) for n, one in enumerate(made)]
    phone.write(*again)
    assert cards(ground) == {made_id("card", one.persons[0]): made[(n + 2) % 6].dwelling for n, one in enumerate(made)}
    phone.write(*[patch(ground, one.building, {"anchor": anchor((n + 1) % 3)}) for n, one in enumerate(made)])
    assert len(cards(ground)) == 6


def cards(ground):
    """Live reference cards: id → dwelling."""
    import json

    statement = "SELECT id, fields, home FROM record WHERE community_id = ? AND type = 'reference_card' AND life = 'live'"
    found = {row.id: json.loads(row.fields)["registration_dwelling"] for row in ground.rows(statement, COMMUNITY)}
    for row in ground.rows(statement, COMMUNITY):
        assert row.home == ground.record(found[row.id]).home, "a card stands where the registered dwelling stands"
    return found


# ---------------------------------------------------------------- cards and episodes
def test_who_is_registered_here_and_lives_elsewhere_is_known_here_by_a_card(ground):
    """S24: the cell of the registered dwelling receives a card, not the person; it follows name, move and end."""
    lives, registered = ground.worker(0), ground.worker(1)
    here, there = home(0, "张一"), home(1)
    registered.write(*there.operations)
    lives.write(*here.operations)
    person = here.persons[0]
    ground.worker(0, 1).write(patch(ground, person, {"registration_dwelling": there.dwelling}))
    registered.pull()
    card = made_id("card", person)
    assert registered.bodies[card]["type"] == "reference_card" and registered.bodies[card]["fields"]["name"] == "张一"
    assert person not in registered.visible
    lives.pull()
    lives.write(patch(ground, person, {"name": "张壹"}))
    registered.pull()
    assert registered.bodies[card]["fields"]["name"] == "张壹"
    ground.worker(0, 1).write(patch(ground, here.building, {"anchor": anchor(1)}))
    registered.pull()
    assert person in registered.visible and card not in registered.visible, "who lives here needs no card"
    assert (ground.streams[1], card, "deleted") in registered.removed
    assert lives.outcomes([operation("patch", "reference_card", card, {"name": "假"})])[0][1] == "server_made"


def test_leaving_a_household_closes_an_episode_that_stays_with_the_person(ground):
    """S24: a closed residence episode is made by the server and travels with the person's cell."""
    phone, target = ground.worker(0, 1), ground.worker(1)
    old, new = home(0, "张一"), home(1)
    phone.write(*old.operations, *new.operations)
    person = old.persons[0]
    move = patch(ground, person, {"residence_household": new.household, "relation_to_head": "02", "resident_from": "2026-03-01"})
    phone.write(move)
    target.pull()
    episode = target.bodies[made_id("residence", person, move["op_id"])]
    assert episode["fields"]["household"] == old.household and episode["fields"]["resident_to"] == "2026-03-01"
    assert episode["home"] == ground.streams[1]
    phone.write(patch(ground, new.building, {"anchor": anchor(0)}))
    assert ground.record(episode["id"]).home == ground.streams[0]


# ---------------------------------------------------------------- delete and restore
def test_deleted_leaves_and_restored_comes_back(ground):
    """S5: REMOVE(deleted), later PUT again; children are orphaned, shown, and keep their place."""
    phone, other = ground.worker(0), ground.worker(0)
    made = home(0, "张一")
    phone.write(*made.operations)
    other.pull()
    phone.write(operation("delete", "household", made.household, base=ground.base(made.household)))
    other.pull()
    assert made.household not in other.visible and made.persons[0] in other.visible
    assert (ground.streams[0], made.household, "deleted") in other.removed
    found = ground.rows("SELECT record_id FROM finding WHERE kind = 'orphaned' AND state = 'open'")
    assert [row.record_id for row in found] == made.persons
    phone.write(operation("restore", "household", made.household, base=ground.base(made.household)))
    other.pull()
    assert made.household in other.visible
    assert ground.rows("SELECT 1 FROM finding WHERE kind = 'orphaned' AND state = 'open'") == []
    fresh = ground.worker(0)
    assert fresh.visible == other.visible and fresh.removed == [], "tombstones are no news to a new phone (trap 25)"


# ---------------------------------------------------------------- unplaced, editions
def test_unplaced_work_stays_with_its_phone_until_an_edition_places_it(bare):
    """S23, L4: before the first edition a phone sees its own work in its own stream; publishing places all of it."""
    phone = bare.worker()
    made = home(0, "张一")
    phone.write(*made.operations)
    phone.pull()
    everything = {made.building, made.dwelling, made.household, *made.persons}
    assert phone.visible == everything and set(phone.copies[f"install/{phone.install_id}"]) == everything
    publish_edition(bare.house, bare.secretary, COMMUNITY, cells(3))
    bare.cells.extend(row.cell_id for row in bare.rows("SELECT cell_id FROM cell ORDER BY code"))
    owner = bare.worker(0)
    assert owner.visible == everything
    phone.pull()
    assert phone.visible == set() and {reason for _, _, reason in phone.removed} == {"moved"}
    assert homes(bare, made) == {bare.streams[0]}


def test_unplaced_work_of_many_phones_moves_in_one_batch(bare):
    """S15: the streams of all phones that made something here are told, however many there are."""
    phones = [bare.worker() for _ in range(5)]
    house = create("building", {"name": "某幢", "anchor": anchor(50)})
    phones[0].write(house)
    for phone in phones:
        dwelling = create("dwelling", {"door_number": "1"})
        phone.write(dwelling)
        office(bare, dwelling["id"], {"building": house["id"]})
    publish_edition(bare.house, bare.secretary, COMMUNITY, cells(3))
    bare.cells.extend(row.cell_id for row in bare.rows("SELECT cell_id FROM cell ORDER BY code"))
    assert bare.record(house["id"]).home == UNPLACED
    office(bare, house["id"], {"anchor": anchor(1)})
    assert {row.home for row in bare.rows("SELECT home FROM record WHERE type = 'dwelling'")} == {bare.streams[1]}
    for phone in phones:
        phone.pull()
        assert phone.visible == set()
    office(bare, house["id"], {"anchor": anchor(60)})
    for phone in phones:
        phone.pull()
        assert len(phone.visible) == (2 if phone is phones[0] else 1)


def office(ground, record_id, values):
    """A patch from the office, of the record as it is now."""
    asked = {"kind": "patch", "type": ground.record(record_id).type, "id": record_id, "set": values, "was": {}}
    result = accept_user_operation(ground.house, ground.secretary, asked | {"base": ground.base(record_id)})
    assert result["now"]["outcome"] in {"applied", "merged"}, result


def test_an_edition_that_changes_nothing_sends_nothing(ground):
    """S29: publishing the same cells again moves no record and no counter."""
    phone = ground.worker(0, 1, 2)
    for number in range(3):
        phone.write(*home(number, "张一").operations)
    phone.pull()
    before = {row.stream_id: row.seq for row in ground.rows("SELECT stream_id, seq FROM stream")}
    publish_edition(ground.house, ground.secretary, COMMUNITY, cells(3))
    assert {row.stream_id: row.seq for row in ground.rows("SELECT stream_id, seq FROM stream")} == before
    assert phone.pull()[-1]["rows"] == []


def test_an_edition_moves_only_what_lies_elsewhere_now(ground):
    """L4, S29: half a cell westwards: records cross the border with everything that they hold, the others stay."""
    west, east = ground.worker(0), ground.worker(1)
    made = [home(0.35, "张一"), home(-0.3, "李二")]
    west.write(*made[0].operations, *made[1].operations)
    publish_edition(ground.house, ground.secretary, COMMUNITY, cells(3, shift=-0.002))
    assert homes(ground, made[0]) == {ground.streams[1]} and homes(ground, made[1]) == {ground.streams[0]}
    west.pull()
    east.pull()
    assert made[0].household in east.visible and made[0].household not in west.visible
    assert made[1].household in west.visible


def test_a_location_outside_every_cell_is_unplaced_and_shown(ground):
    """L3: nobody's cell, but the maker keeps seeing it, and the community does."""
    phone, other = ground.worker(0), ground.worker(0, 1, 2)
    lost = building(40)
    phone.write(lost)
    phone.pull()
    other.pull()
    assert lost["id"] in phone.visible and lost["id"] not in other.visible
    member = create("organization", {"name": "示例小学"})
    phone.write(member)
    assert ground.record(member["id"]).home == UNPLACED
    phone.write(patch(ground, lost["id"], {"anchor": anchor(0)}))
    phone.pull()
    assert lost["id"] in phone.copies[ground.streams[0]] and lost["id"] not in phone.copies[f"install/{phone.install_id}"]
    phone.write(patch(ground, lost["id"], {"anchor": None}))
    phone.pull()
    assert lost["id"] in phone.copies[f"install/{phone.install_id}"]
