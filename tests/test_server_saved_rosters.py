"""Lists of one's own: kept sealed, shared with those who may see them, asked again as they were saved."""

from __future__ import annotations

import pytest
from front_door import COMMUNITY, problem
from records_kit import office_with_records
from sqlalchemy import select

from server.models import audit, saved_roster
from server.store.database import read

SAVED = "/api/v1/saved-rosters"
OLD = {
    "name": "高龄老人", "roster": "persons", "columns": ["name", "age", "door_number"], "sort": ["-age"],
    "filters": [{"column": "age", "op": "gte", "value": 60}, {"column": "name", "op": "contains", "value": "张"}],
}  # fmt: skip


@pytest.fixture
def office(prepared_database, tmp_path, clock):
    found = office_with_records(prepared_database, tmp_path, clock)
    yield found
    found.house.engine.dispose()


def saved(office, role="secretary"):
    answer = office.signed_in(role).get(SAVED)
    assert answer.status_code == 200, answer.data
    return answer.json["saved_rosters"]


def save(office, role="secretary", tail="", **changes):
    return office.signed_in(role).post(SAVED + tail, json=OLD | changes)


def test_a_saved_list_is_asked_as_it_was_saved(office):
    """Columns, filters and order come back, and give the list when they are sent to the roster."""
    assert save(office).status_code == 201
    (one,) = saved(office)
    assert {name: one[name] for name in ("name", "columns", "filters", "sort", "mine", "shared", "usable")} == {
        **{name: OLD[name] for name in ("name", "columns", "filters", "sort")}, "mine": True, "shared": False, "usable": True,
    }  # fmt: skip
    body = {name: one[name] for name in ("columns", "filters", "sort")}
    answer = office.signed_in("secretary").post(f"/api/v1/communities/{COMMUNITY}/roster/persons/search", json=body)
    assert [row["name"] for row in answer.json["rows"]] == ["张三"]


def test_a_saved_question_knows_its_question_and_a_saved_day_its_day(office):
    """What made the filters comes back with them, so that days are counted from when the list is opened."""
    assert save(office, question="children_under_3", list="children", as_of="2026-03-02").status_code == 201
    assert save(office, name="不是日子", as_of="2026-03-99").status_code == 422
    (one,) = saved(office)
    assert (one["question"], one["list"], one["as_of"]) == ("children_under_3", "children", "2026-03-02")


def test_what_somebody_is_called_is_sealed(office):
    """A filter may hold a name: it does not stand in the table."""
    save(office)
    with read(office.house.engine) as connection:
        (row,) = connection.execute(select(saved_roster)).all()
    assert "张".encode() not in bytes(row.sealed) and b"age" not in bytes(row.sealed)


def test_lists_are_shared_with_those_who_may_see_them(office):
    """A shared list is seen by the community's workers, not by the planner; others' filters on names are looks."""
    save(office)
    assert saved(office, "community_worker") == []
    save(office, name="共用", shared=True)
    save(office, name="空房", roster="dwellings", columns=None, sort=None, shared=True,
         filters=[{"column": "occupancy", "op": "eq", "value": "empty"}])  # fmt: skip
    assert {(one["name"], one["mine"]) for one in saved(office, "community_worker")} == {("共用", False), ("空房", False)}
    assert [one["name"] for one in saved(office, "planner")] == ["空房"]
    with read(office.house.engine) as connection:
        lines = connection.execute(select(audit).where(audit.c.purpose == "saved rosters")).all()
    assert {line.actor_id for line in lines} == {office.users["community_worker"]}
    assert "persons.name" in lines[0].fields


def test_one_changes_and_removes_ones_own_only(office):
    """Changed and removed by whoever saved it; somebody else's list is not found."""
    made = save(office, shared=True).json["saved_id"]
    assert problem(save(office, "community_worker", f"/{made}", name="别人的")) == (404, "not-found")
    assert save(office, tail=f"/{made}", name="八十岁以上", columns=["name"]).status_code == 200
    assert [(one["name"], one["columns"]) for one in saved(office)] == [("八十岁以上", ["name"])]
    other = office.signed_in("community_worker")
    assert problem(other.client.delete(f"{SAVED}/{made}", headers=other.headers)) == (404, "not-found")
    mine = office.signed_in("secretary")
    assert mine.client.delete(f"{SAVED}/{made}", headers=mine.headers).status_code == 204
    assert saved(office) == []


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"filters": [{"column": "nothing", "op": "eq", "value": 1}]}, "/filters/0"),
        ({"columns": ["nothing"]}, "/columns"),
        ({"sort": ["document_number"]}, "/sort"),
        ({"name": "  "}, "/name"),
    ],
)
def test_a_list_that_cannot_be_asked_is_not_saved(office, changes, wanted):
    """What a roster does not take is named with its place when it is saved, not when it is asked."""
    answer = save(office, **changes)
    assert problem(answer) == (422, "invalid-input")
    assert answer.json["errors"][0]["pointer"] == wanted
    assert saved(office) == []


def test_who_may_save_what(office):
    """A planner saves no list of people; an auditor none at all."""
    assert problem(save(office, "planner")) == (403, "outside-your-scope")
    assert problem(save(office, "auditor")) == (403, "outside-your-scope")
    assert problem(save(office, roster="nothing")) == (404, "not-found")
