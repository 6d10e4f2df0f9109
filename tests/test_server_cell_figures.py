"""The counts behind the overview are those of the records at every moment, whoever changed what and wherever it went."""

from __future__ import annotations

import random

import pytest
from server_kit import COMMUNITY, anchor, furnish, home, open_ground, operation, patch, resident

from server.permissions import Scope
from server.services import cell_figures, placement
from server.services.erasing import By, erase, target_of
from server.services.verify import verify
from server.store.database import read, run, write

WHOLE = Scope((COMMUNITY,))


@pytest.fixture
def ground(prepared_database, tmp_path, clock):
    found = open_ground(prepared_database(furnish), tmp_path, clock)
    yield found
    found.close()


def told(ground):
    with read(ground.house.engine) as connection:
        return cell_figures.home_figures(ground.house, connection, WHOLE, COMMUNITY)


def counted(ground):
    with read(ground.house.engine) as connection:
        return cell_figures._counted(ground.house, connection, WHOLE, COMMUNITY)


def plain(figures):
    """Homes in which something stands, with their counts in one order."""
    return {
        name: (sorted((one.type, one.count, one.resident, one.expected, one.surveyed, one.conflicts) for one in found.types),
               dict(found.confirmed), found.births)
        for name, found in figures.items()
        if found.types
    }  # fmt: skip


def acts(ground, chance, phones, clock):
    """One random change of the community after the other, each said by its name."""
    homes = [home(number, "赵", "钱", birth_date="1940-05-06", birth_precision="day") for number in (0, 0.1, 1, 1.1)]
    for number, one in enumerate(homes):
        phones[number // 2].write(*one.operations)
        yield "a new home"
    # Each worker writes from the state that was pulled first: the later the writing, the more is in dispute.
    bases = {one: ground.base(one) for found in homes for one in (found.household, found.dwelling, *found.persons)}
    while True:
        number = chance.randrange(len(homes))
        one, phone = homes[number], phones[number // 2]
        person, base = chance.choice(one.persons), None
        base = chance.choice([bases[person], "now"])
        act = chance.choice(["birth", "birthday", "death", "delete", "restore", "confirm", "occupancy", "walk", "move", "pin"])
        if act == "birth":
            phone.push([resident(one.household, "孙", birth_date=f"20{chance.randrange(10, 26)}-01-0{chance.randrange(1, 9)}", birth_precision="day")])
        elif act == "birthday":
            day = f"19{chance.randrange(30, 99)}-02-03"
            chance.choice(phones).push([patch(ground, person, {"birth_date": day, "birth_precision": "day"}, base=base)])
        elif act == "death":
            phone.push([patch(ground, person, {"vital_status": chance.choice(["deceased", "living"])}, base=base)])
        elif act in {"delete", "restore"}:
            kind, record_id = chance.choice([("person", person), ("household", one.household)])
            phone.push([operation(act, kind, record_id, base=ground.base(record_id))])
        elif act == "confirm":
            clock.advance(days=1)
            phone.push([operation("confirm", "household", one.household, base=ground.base(one.household), units=["kind"])])
        elif act == "occupancy":
            values = {"occupancy": chance.choice(["empty", "unknown"]), "expected": chance.choice([True, False])}
            phone.push([patch(ground, one.dwelling, values)])
        elif act == "walk":
            phone.push([patch(ground, one.building, {"anchor": anchor(chance.choice([0, 1, 9]))})])
        elif act == "move":
            phone.push([patch(ground, person, {"residence_household": chance.choice(homes).household}, base=base)])
        else:
            cell = chance.choice([*ground.cells, None])
            placement.pin(ground.house, ground.secretary, WHOLE, COMMUNITY, "building", one.building, cell=cell, reason="院门")
        yield act


@pytest.mark.parametrize("seed", range(3))
def test_kept_counts_are_the_counts_of_the_records(ground, clock, seed):
    """After births, deaths, moves, disputes, deletions and pins the kept figures are those that counting anew would find."""
    chance = random.Random(seed)
    phones = [ground.worker(0), ground.worker(1)]
    done = set()
    for _, act in zip(range(60), acts(ground, chance, phones, clock), strict=False):
        assert plain(told(ground)) == plain(counted(ground)), act
        done.add(act)
    assert len(done) > 8, "the story was too dull"


def test_only_cells_that_moved_are_counted_again(ground, monkeypatch):
    """An overview that is asked for twice reads nothing; after a change in one cell, that cell."""
    phone = ground.worker(0, 1)
    for number in (0, 1, 2):
        ground.worker(number).write(*home(number, "李").operations)
    told(ground)
    asked = []
    real = cell_figures._counted
    monkeypatch.setattr(cell_figures, "_counted", lambda house, c, scope, one: asked.append(scope.streams) or real(house, c, scope, one))
    told(ground)
    assert asked == []
    phone.write(home(0).operations[0])
    told(ground)
    assert asked == [frozenset({ground.streams[0]})]


def begun_again():
    """As after a start: nothing is in memory."""
    cell_figures._kept.clear()


def counts(figures):
    return {name: (cell_figures._by_type(found), dict(found.confirmed), found.births) for name, found in figures.items() if found.types}


def test_counts_that_were_kept_outlive_a_start(ground, clock):
    """Kept now and then, read after a start, they are those of the records after every act; verifying finds them right."""
    chance = random.Random(7)
    phones = [ground.worker(0), ground.worker(1)]
    for number, act in zip(range(30), acts(ground, chance, phones, clock), strict=False):
        if number % 7 == 0:
            cell_figures.sweep(ground.house)
        begun_again()
        assert counts(told(ground)) == counts(counted(ground)), act
    while cell_figures.sweep(ground.house):
        pass
    report = verify(ground.house)
    assert report.agrees and report.counts["kept counts of cells"] >= 2
    assert report.counts["kept counts of cells that have moved since"] == 0


def test_after_a_start_only_cells_are_counted_that_moved_since_theirs_were_kept(ground, monkeypatch):
    """The first look after a start reads what was kept; a cell that somebody has changed meanwhile is counted."""
    for number in (0, 1, 2):
        ground.worker(number).write(*home(number, "李").operations)
    assert cell_figures.sweep(ground.house) > 0 == cell_figures.sweep(ground.house)
    asked = []
    real = cell_figures._counted
    monkeypatch.setattr(cell_figures, "_counted", lambda house, c, scope, one: asked.append(scope.streams) or real(house, c, scope, one))
    begun_again()
    told(ground)
    assert asked == []
    ground.worker(0, 1).write(home(0).operations[0])
    begun_again()
    told(ground)
    assert asked == [frozenset({ground.streams[0]})]


@pytest.mark.parametrize("change", ["figures = replace(figures, 'person', 'poison')", "seq = seq + 1000"])
def test_kept_counts_that_are_wrong_are_found(ground, change):
    """`dishu verify` counts again, and names the cell and what differs, no value of anybody."""
    ground.worker(0).write(*home(0, "李", birth_date="1940-05-06", birth_precision="day").operations)
    cell_figures.sweep(ground.house)
    assert verify(ground.house).agrees
    with write(ground.house.engine) as connection:
        run(connection, f"UPDATE home_count SET {change} WHERE home = ?", (ground.streams[0],))
    difference = verify(ground.house).difference
    assert difference is not None and (difference.kind, difference.name) == ("stream", ground.streams[0])
    assert difference.what in {"kept counts by type", "kept position"} and "1940" not in str(difference)


def test_a_day_of_birth_is_not_kept_behind_an_erasure(ground):
    """Counts are by day of birth: whoever is erased leaves none that were kept before."""
    one = home(0, "李", birth_date="1940-05-06", birth_precision="day")
    ground.worker(0).write(*one.operations)
    cell_figures.sweep(ground.house)
    with read(ground.house.engine) as connection:
        target = target_of(connection, ground.house, COMMUNITY, one.persons[0])
    erase(ground.house, target, By("~operator", "request"))
    with read(ground.house.engine) as connection:
        assert not list(run(connection, "SELECT home FROM home_count WHERE figures LIKE '%1940-05-06%'"))
