"""空挂, 空巢 and 人户 states in the roster, in tables and on a person's page: from everybody behind the door."""

from __future__ import annotations

from typing import Any

import pytest
from front_door import COMMUNITY
from records_kit import IDS, actor_of, office_with_records, write_operation
from sqlalchemy import select

from server.models import record
from server.store.database import read


@pytest.fixture
def office(prepared_database, tmp_path, clock):
    found = office_with_records(prepared_database, tmp_path, clock)
    yield found
    found.house.engine.dispose()


def patch(office: Any, name: str, **values: Any) -> None:
    with read(office.house.engine) as connection:
        row = connection.execute(select(record.c.v, record.c.tag).where(record.c.id == IDS[name])).one()
    write_operation(office.house, actor_of(office, "secretary"), "patch", name, values, base={"v": row.v, "tag": row.tag})


def column(office: Any, name: str, role: str = "secretary", **more: Any) -> dict[str, Any]:
    """The values of a column by the names of the people."""
    body = {"columns": ["name", name], "filters": []} | more
    told = office.signed_in(role).post(f"/api/v1/communities/{COMMUNITY}/roster/persons/search", json=body)
    assert told.status_code == 200, told.data
    return {row["name"]: row.get(f"{name}_label", row[name]) for row in told.json["rows"]}


def test_an_empty_nest_counts_everybody_behind_the_door(office):
    """Two old people alone are an empty nest; a young lodger in a household of their own ends it."""
    assert column(office, "arrangement")["王五"] == "独居"
    patch(office, "zhang", residence_household=IDS["household_b"], birth_date="1950-01-01")
    found = column(office, "arrangement")
    assert found["王五"] == found["张三"] == "空巢"
    asked = [{"column": "arrangement", "op": "in", "value": ["empty_nest"]}]
    assert set(column(office, "arrangement", filters=asked)) == {"王五", "张三"}
    patch(office, "household_a", dwelling=IDS["dwelling_b"])
    assert column(office, "arrangement")["王五"] == "与他人同住"


def test_a_registration_hangs_until_one_of_the_register_lives_there(office):
    """空挂 as a state, a filter, a question and on the page of the person; who lives elsewhere in the community keeps the own state beside it."""
    registered = {"registration_dwelling": IDS["dwelling_a"]}
    for name in ("li", "child"):
        patch(office, name, residence_household=None, **registered)
    patch(office, "wang", **registered)
    found = column(office, "residence_state")
    assert (found["李四"], found["张小小"], found["王五"]) == ("空挂", "空挂", "人在户不在")
    assert {name for name, hangs in column(office, "registration_hangs").items() if hangs} == {"李四", "张小小", "王五"}
    asked = [{"column": "registration_hangs", "op": "eq", "value": True}]
    assert set(column(office, "name", filters=asked)) == {"李四", "张小小", "王五"}
    page = office.signed_in("secretary").get(f"/api/v1/records/person/{IDS['wang']}").json
    told = {one["name"]: one["text"] for one in page["derived"]}
    assert told["residence_state"] == "人在户不在" and told["arrangement"] == "独居" and "registration_hangs" in told
    patch(office, "zhang", **registered)
    found = column(office, "residence_state")
    assert (found["张三"], found["李四"], found["王五"]) == ("人在户在", "户在人不在", "人在户不在")
    assert not any(column(office, "registration_hangs").values())
    patch(office, "zhang", presence="away_long")
    assert column(office, "residence_state")["张三"] == "空挂"


def test_a_registration_in_another_cell_is_judged_by_who_lives_there(office):
    """空挂 of one cell and of a worker of it, now, as known at a time and as of a day: who lives behind a door in the next cell counts."""
    door = {"registration_dwelling": IDS["dwelling_b"]}
    patch(office, "wang", **door)
    patch(office, "li", presence="away_long", **door)
    times = {}, {"known_at": "2026-06-01T00:00:00Z"}, {"as_of": "2026-06-01"}, {"known_at": "2026-06-01T00:00:00Z", "as_of": "2026-06-01"}
    for role, hangs in (("secretary", False), ("grid_worker", None)):  # nobody is told of doors outside their cells
        for time in times:
            found = column(office, "residence_state", role, **time)
            assert found["李四"] == "户在人不在", (role, time)
            assert column(office, "registration_hangs", role, **time)["李四"] is hangs, (role, time)


def test_who_lives_at_a_door_of_another_cell_is_not_told_by_the_state_of_who_is_registered_there(office):
    """The worker of cell a reads the same of their own person whoever moves in behind a door of cell b; the secretary reads what is so."""
    patch(office, "li", presence="away_long", registration_dwelling=IDS["dwelling_b"])
    read_by = {role: column(office, "residence_state", role)["李四"] for role in ("grid_worker", "secretary")}
    assert read_by == {"grid_worker": "户在人不在", "secretary": "空挂"}
    pages = {role: office.signed_in(role).get(f"/api/v1/records/person/{IDS['li']}").json["derived"] for role in read_by}
    assert {role: one["text"] for role, page in pages.items() for one in page if one["name"] == "residence_state"} == read_by
    patch(office, "wang", registration_dwelling=IDS["dwelling_b"])
    read_by = {role: column(office, "residence_state", role)["李四"] for role in ("grid_worker", "secretary")}
    assert read_by == {"grid_worker": "户在人不在", "secretary": "户在人不在"}
    asked = [{"column": "residence_state", "op": "eq", "value": "registered_hanging"}]
    patch(office, "wang", registration_dwelling=None)
    assert column(office, "name", "grid_worker", filters=asked) == {} and set(column(office, "name", filters=asked)) == {"李四"}
