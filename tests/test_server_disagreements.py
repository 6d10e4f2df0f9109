"""What was asked and disagrees with a derived fact reaches the secretary's findings, and leaves them when it agrees again."""

from __future__ import annotations

from datetime import timedelta
from json import loads

import pytest
from records_kit import IDS, actor_of, office_with_records, write_operation
from sqlalchemy import func, select

from forms.observed import DISAGREEMENTS
from server.house import uuid7
from server.jobs.kinds import SWEEPERS
from server.models import journal, record
from server.services import disagreements
from server.services.push import accept_user_operation
from server.store.database import read


@pytest.fixture
def office(prepared_database, tmp_path, clock):
    found = office_with_records(prepared_database, tmp_path, clock)
    clock.advance(hours=1)
    disagreements.sweep(found.house)
    yield found
    found.house.engine.dispose()


def made(office, kind, values):
    one = {"kind": "create", "type": kind, "id": uuid7(), "set": values}
    assert accept_user_operation(office.house, actor_of(office, "secretary"), one)["now"]["outcome"] == "applied"
    return one["id"]


def changed(office, name, values):
    with read(office.house.engine) as connection:
        row = connection.execute(select(record.c.v, record.c.tag).where(record.c.id == IDS[name])).one()
    base = {"v": row.v, "tag": row.tag}
    told = write_operation(office.house, actor_of(office, "secretary"), "patch", name, values, base=base)
    assert told["now"]["outcome"] == "applied", told


def open_ones(office, role="secretary"):
    rows = office.signed_in(role).get("/api/v1/inbox/findings").json["rows"]
    return {(row["name"], row["record"]["id"]): row for row in rows if row["kind"] == "derived"}


def test_living_alone_that_is_no_longer_so(office):
    """王五 is in care as living alone; a grandson moves in; the secretary is told in both languages, until he has left."""
    care = made(office, "care_status", {"person": IDS["wang"], "kind": "living_alone", "level": "weekly", "from_date": "2026-03-01", "to_date": "2026-12-31"})
    assert disagreements.sweep(office.house) == 0 and open_ones(office) == {}
    changed(office, "child", {"residence_household": IDS["household_b"]})
    assert disagreements.sweep(office.house) == 1
    (row,) = open_ones(office).values()
    assert (row["record"]["id"], row["message"]) == (care, DISAGREEMENTS["care_arrangement"])
    assert row["record"]["title"] == "王五", "a care record is called by whom it is about"
    counted = office.signed_in("secretary").get("/api/v1/inbox").json["counts"]["findings"]
    page = office.signed_in("secretary").get(f"/api/v1/records/care_status/{care}").json
    assert [one["message"]["zh"] for one in page["findings"]] == [DISAGREEMENTS["care_arrangement"]["zh"]] and counted >= 1
    assert disagreements.sweep(office.house) == 0  # once is enough
    changed(office, "child", {"residence_household": IDS["household_a"]})
    assert disagreements.sweep(office.house) == 1 and open_ones(office) == {}


def test_a_birthday_changes_it_without_a_write(office, clock):
    """Turning sixty makes a couple an empty nest: the day is enough to compare again."""
    changed(office, "li", {"birth_date": "1966-04-01"})
    changed(office, "child", {"residence_household": IDS["household_b"]})
    made(office, "care_status", {"person": IDS["zhang"], "kind": "empty_nest", "from_date": "2026-03-01"})
    disagreements.sweep(office.house)
    assert [name for name, _ in open_ones(office)] == ["care_arrangement"]
    clock.advance(days=40)
    disagreements.sweep(office.house)
    assert open_ones(office) == {}


def test_an_empty_dwelling_with_people_and_a_visit_that_found_them_gone(office, clock):
    """The dwelling's own answer and the outcome at the door are held against the records, and a confirmation settles it."""
    changed(office, "dwelling_a", {"occupancy": "empty"})
    clock.advance(hours=2)
    at = (clock.now - timedelta(minutes=5)).isoformat()
    made(office, "visit", {"household": IDS["household_b"], "outcome": "moved_away", "visited_at": at})
    disagreements.sweep(office.house)
    assert set(open_ones(office)) == {("occupancy_empty", IDS["dwelling_a"]), ("visit_moved_away", IDS["household_b"])}
    assert set(open_ones(office, "grid_worker")) == {("occupancy_empty", IDS["dwelling_a"])}  # L10: their own cell
    clock.advance(hours=1)
    write_operation(office.house, actor_of(office, "secretary"), "confirm", "wang")
    changed(office, "dwelling_a", {"occupancy": "owner_lived"})
    disagreements.sweep(office.house)
    assert open_ones(office) == {}


def test_a_finding_about_a_home_says_which(office):
    """A dwelling is called by building, entrance and door, not by the door's number alone."""
    changed(office, "dwelling_a", {"occupancy": "empty"})
    disagreements.sweep(office.house)
    titles = [row["record"]["title"] for (_, found), row in open_ones(office).items() if found == IDS["dwelling_a"]]
    with read(office.house.engine) as connection:
        door = loads(connection.execute(select(record.c.fields).where(record.c.id == IDS["dwelling_a"])).scalar_one())["door_number"]
    assert titles and all(one != door and one.endswith(f"-{door}") for one in titles), titles


def test_a_head_whom_the_members_do_not_have(office):
    """The household names its head; the members' relations say somebody else: the secretary is told, until both say the same."""
    changed(office, "li", {"relation_to_head": "02"})
    disagreements.sweep(office.house)
    (row,) = open_ones(office).values()
    assert (row["record"]["id"], row["message"]) == (IDS["household_a"], DISAGREEMENTS["head"])
    changed(office, "household_a", {"head": IDS["li"]})
    changed(office, "zhang", {"relation_to_head": "11"})
    disagreements.sweep(office.house)
    assert open_ones(office) == {}


def merged(office, kind, stays, goes):
    """Merge one record into another of its type, as the secretary does."""
    with read(office.house.engine) as connection:
        rows = connection.execute(select(record.c.id, record.c.v, record.c.tag).where(record.c.id.in_((stays, goes))))
        base = {row.id: {"v": row.v, "tag": row.tag} for row in rows}
    merge = {"kind": "command", "type": kind, "id": stays, "base": base[stays], "name": f"merge_{kind}s",
             "arguments": {"merged": goes}, "others": {goes: {"base": base[goes], "was": {}}}}  # fmt: skip
    told = office.signed_in("secretary").post("/api/v1/groups", json={"ops": [merge]}).json
    assert told["results"][0]["now"]["outcome"] in {"applied", "merged", "conflict"}, told


def test_a_head_who_stood_twice_is_still_the_head(office):
    """The head named by the household was the copy that went; nobody is told that the household has no such head."""
    twin = made(office, "person", {
        "name": "张三", "sex": "1", "birth_date": "1960-01-01", "birth_precision": "day", "document_missing_reason": "not_asked",
        "residence_household": IDS["household_a"], "relation_to_head": "02", "presence": "present",
    })  # fmt: skip
    changed(office, "household_a", {"head": twin})
    merged(office, "person", IDS["zhang"], twin)
    disagreements.sweep(office.house)
    assert open_ones(office) == {}
    changed(office, "household_a", {"head": IDS["li"]})
    disagreements.sweep(office.house)
    assert set(open_ones(office)) == {("head", IDS["household_a"])}


def test_members_of_a_household_that_was_merged_are_members_of_the_one_that_stays(office):
    """Nobody of theirs is written anew: they count as members, with their care, and live with the others behind the door."""
    care = made(office, "care_status", {"person": IDS["wang"], "kind": "living_alone", "level": "weekly", "from_date": "2026-03-01"})
    disagreements.sweep(office.house)
    assert open_ones(office) == {}
    changed(office, "household_b", {"members_count_stated": 4, "head": IDS["zhang"]})
    changed(office, "wang", {"relation_to_head": "11"})
    merged(office, "household", IDS["household_b"], IDS["household_a"])
    disagreements.sweep(office.house)
    assert set(open_ones(office)) == {("care_arrangement", care)}


def test_only_what_changed_is_read_again(office, clock, monkeypatch):
    """A push costs nothing for it: the sweeper reads the streams that moved, at most so many at once, and writes no journal."""
    assert disagreements.sweep in SWEEPERS
    with read(office.house.engine) as connection:
        before = connection.execute(select(func.max(journal.c.number))).scalar_one()
    read_homes = []
    whole = disagreements.compared
    monkeypatch.setattr(disagreements, "compared", lambda house, community, home, day: read_homes.append(home) or whole(house, community, home, day))
    assert disagreements.sweep(office.house) == 0 and read_homes == []
    changed(office, "household_a", {"members_count_stated": 9})
    assert disagreements.sweep(office.house) == 1 and read_homes == ["cell/cell-a"]
    clock.advance(days=1)
    monkeypatch.setattr(disagreements, "MOST_AT_ONCE", 1)
    disagreements.sweep(office.house)
    disagreements.sweep(office.house)
    assert len(read_homes) == len(set(read_homes[1:])) + 1 == 3  # one stream at each sweep
    with read(office.house.engine) as connection:
        assert connection.execute(select(func.max(journal.c.number))).scalar_one() == before + 1
