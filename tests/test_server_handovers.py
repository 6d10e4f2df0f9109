"""What was handed over to an outside system is ticked off; a later change brings it back."""

from __future__ import annotations

import io
from datetime import timedelta

import pytest
from front_door import problem
from openpyxl import load_workbook
from records_kit import IDS, actor_of, office_with_records, write_operation


@pytest.fixture
def office(prepared_database, tmp_path, clock):
    found = office_with_records(prepared_database, tmp_path, clock)
    yield found
    found.house.engine.dispose()


def a_system(person, **more):
    asked = {"name": "民政系统", "roster": "persons", "columns": ["name", "sex", "door_number"],
             "filters": [{"column": "vital_status", "op": "not_in", "value": ["deceased"]}]} | more  # fmt: skip
    made = person.post("/api/v1/handovers", json=asked)
    assert made.status_code == 201, made.data
    return f"/api/v1/handovers/{made.json['system_id']}"


def due(person, path):
    told = person.get(f"{path}/due").json
    return told, {one["id"]: one["state"] for one in told["rows"]}


def test_what_was_handed_over_is_due_again_only_when_it_changes(office, clock):
    """Everything is due at first; ticked off nothing is; a change of a column that was given, also of the door, brings it back."""
    person = office.signed_in("secretary")
    path = a_system(person)
    told, states = due(person, path)
    assert states == {IDS[name]: "new" for name in ("zhang", "li", "child", "wang")}
    assert next(one["values"] for one in told["rows"] if one["id"] == IDS["zhang"]) == {"name": "张三", "sex": "男", "door_number": "201"}
    clock.now += timedelta(minutes=5)
    done = person.post(f"{path}/ticks", json={"as_of": told["as_of"], "keys": {IDS["zhang"]: "MZ-001"}})
    assert done.json == {"handed": 4, "gone": 0}
    assert due(person, path)[0]["same"] == 4
    refs = person.get(f"/api/v1/handovers/records/{IDS['zhang']}").json["external_refs"]
    assert [(one["system"], one["external_key"], one["v"], one["withdrawn"]) for one in refs] == [("民政系统", "MZ-001", 1, False)]

    secretary = actor_of(office, "secretary")
    write_operation(office.house, secretary, "patch", "li", {"occupation_text": "教师"})  # no column of this system
    assert due(person, path)[1] == {}
    write_operation(office.house, secretary, "patch", "zhang", {"name": "张山"}, was={"name": "张三"})
    write_operation(office.house, secretary, "patch", "wang", {"vital_status": "deceased", "died_on": "2026-03-01"})
    told, states = due(person, path)
    assert states == {IDS["zhang"]: "changed"} and told["rows"][0]["external_key"] == "MZ-001"
    assert [one["id"] for one in told["gone"]] == [IDS["wang"]]
    write_operation(office.house, secretary, "patch", "dwelling_a", {"door_number": "202"}, was={"door_number": "201"})
    assert set(due(person, path)[1]) == {IDS["zhang"], IDS["li"], IDS["child"]}


def test_what_changes_between_export_and_tick_stays_due(office, clock):
    """Only what was in the exported file is ticked off, as it was then; the file says who is new, changed and gone."""
    person = office.signed_in("secretary")
    path = a_system(person)
    answer = person.get(f"{path}/due", query_string={"format": "xlsx"})
    rows = list(load_workbook(io.BytesIO(answer.data)).worksheets[0].iter_rows(values_only=True))
    assert rows[0][:3] == ("状态", "对方编号", "门牌号") and {row[0] for row in rows[1:]} == {"新增"} and len(rows) == 5
    clock.now += timedelta(minutes=10)
    secretary = actor_of(office, "secretary")
    write_operation(office.house, secretary, "patch", "li", {"name": "李思"}, was={"name": "李四"})
    clock.now += timedelta(minutes=10)
    assert person.post(f"{path}/ticks", json={"as_of": answer.headers["X-As-Of"]}).json["handed"] == 4
    assert due(person, path)[1] == {IDS["li"]: "changed"}
    write_operation(office.house, secretary, "patch", "wang", {"vital_status": "deceased", "died_on": "2026-03-01"})
    told, _ = due(person, path)
    clock.now += timedelta(minutes=1)
    assert person.post(f"{path}/ticks", json={"as_of": told["as_of"], "ids": [IDS["wang"]]}).json == {"handed": 0, "gone": 1}
    told, states = due(person, path)
    assert (told["gone"], states) == ([], {IDS["li"]: "changed"})


def test_handing_over_is_for_those_who_may(office):
    """A planner hands nothing over, a mistyped column is refused, two systems of one name are one too many; each look is on record."""
    person = office.signed_in("secretary")
    path = a_system(person)
    assert problem(office.signed_in("planner").get(f"{path}/due"))[0] == 403
    assert problem(person.post("/api/v1/handovers", json={"name": "民政系统", "roster": "persons"})) == (422, "invalid-input")
    assert problem(person.post("/api/v1/handovers", json={"name": "b", "roster": "persons", "columns": ["nmae"]}))[0] == 422
    assert problem(person.post(f"{path}/ticks", json={"as_of": "2031-01-01T00:00:00Z"}))[0] == 422
    person.get(f"{path}/due")
    lines = person.get("/api/v1/audit", query_string={"action": "export"}).json["lines"]
    assert any(set(one["fields"]) >= {"name", "sex"} for one in lines)
    assert [one["name"] for one in person.get("/api/v1/handovers").json["systems"]] == ["民政系统"]
    assert person.client.delete(path, headers=person.headers).status_code == 204
    assert problem(person.get(f"{path}/due"))[0] == 404
