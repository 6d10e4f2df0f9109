"""Writing at the console: the one write path, with a session."""

from __future__ import annotations

import json

import pytest
from front_door import problem
from records_kit import IDS, office_with_records
from sqlalchemy import func, select

from server.house import uuid7
from server.models import install, journal, operation, record
from server.store.database import read

GROUPS = "/api/v1/groups"


@pytest.fixture
def office(prepared_database, tmp_path, clock):
    found = office_with_records(prepared_database, tmp_path, clock)
    yield found
    found.house.engine.dispose()


def stored(office, record_id):
    with read(office.house.engine) as connection:
        return connection.execute(select(record).where(record.c.id == record_id)).one_or_none()


def base(office, name):
    row = stored(office, IDS[name])
    return {"v": row.v, "tag": row.tag}


def patch(office, name, values, **more):
    return {"kind": "patch", "type": stored(office, IDS[name]).type, "id": IDS[name], "base": base(office, name),
            "set": values, **more}  # fmt: skip


def outcomes(answer):
    assert answer.status_code == 200, answer.data
    return [one["now"]["outcome"] for one in answer.json["results"]]


def operations(office):
    with read(office.house.engine) as connection:
        return connection.execute(select(func.count()).select_from(operation)).scalar_one()


def test_a_group_goes_in_whole_through_the_one_path(office):
    """A new household with its people is written together, journaled as the console's, by the user's own install."""
    household, person = uuid7(), uuid7()
    answer = office.signed_in("secretary").post(GROUPS, json={"ops": [
        {"kind": "create", "type": "household", "id": household, "set": {"dwelling": IDS["dwelling_c"], "kind": "family"}},
        {"kind": "create", "type": "person", "id": person,
         "set": {"name": "吴九", "residence_household": household, "document_missing_reason": "not_asked"}},
        patch(office, "dwelling_c", {"occupancy": "owner_lived"}),
    ]})  # fmt: skip
    assert outcomes(answer) == ["applied"] * 3
    assert stored(office, person).home == stored(office, IDS["dwelling_c"]).home
    with read(office.house.engine) as connection:
        last = connection.execute(select(journal).order_by(journal.c.number.desc()).limit(1)).one()
        writer = connection.execute(select(install).where(install.c.install_id == last.install_id)).one()
    assert (last.source, last.actor_id, writer.kind) == ("console", office.users["secretary"], "user")


def test_what_the_form_refuses_is_told_at_once(office):
    """Every wrong value is named with its place; nothing of the group is written or journaled."""
    before = operations(office)
    answer = office.signed_in("secretary").post(GROUPS, json={"ops": [
        patch(office, "li", {"education_code": "10"}),
        patch(office, "wang", {"sex": "unheard-of", "birth_date": "yesterday"}),
        {"kind": "create", "type": "nothing", "id": uuid7(), "set": {}},
        {"kind": "patch", "type": "person", "id": IDS["li"], "base": None, "set": {}},
    ]})  # fmt: skip
    assert problem(answer) == (422, "invalid-input")
    pointers = {error["pointer"] for error in answer.json["errors"]}
    assert pointers == {"/ops/1/set/sex", "/ops/1/set/birth_date", "/ops/2/type", "/ops/3/set"}
    assert "unheard-of" not in answer.get_data(as_text=True)
    assert operations(office) == before and "education_code" not in stored(office, IDS["li"]).fields


def test_two_people_at_the_office_disagree_like_phones(office):
    """A value written from an outdated page is a conflict, not an overwrite."""
    old = base(office, "dwelling_b")
    for floor, wanted in ((10, "applied"), (11, "conflict")):
        answer = office.signed_in("secretary" if floor == 10 else "community_worker").post(GROUPS, json={"ops": [
            patch(office, "dwelling_b", {"building": IDS["building_b"], "floor_number": floor}, base=old)]})  # fmt: skip
        assert outcomes(answer) == [wanted]
    assert json.loads(stored(office, IDS["dwelling_b"]).fields)["floor_number"] == 10


def test_sending_again_writes_nothing_twice(office, clock):
    """The browser lost the answer and sends the same group again, minutes later: the same answer, one write."""
    person = office.signed_in("secretary")
    group = {"ops": [{"kind": "create", "type": "estate", "id": uuid7(), "op_id": uuid7(), "set": {"name": "新苑"}},
                     patch(office, "estate", {"gates_count": 3}, op_id=uuid7())]}  # fmt: skip
    first = person.post(GROUPS, json=group)
    count = operations(office)
    clock.advance(minutes=7)
    again = person.post(GROUPS, json=group)
    assert (first.json["repeated"], again.json["repeated"]) == (False, True)
    assert [one["record"] for one in again.json["results"]] == [one["record"] for one in first.json["results"]]
    assert operations(office) == count


def test_confirm_delete_and_restore(office):
    """Seen and unchanged, deleted, back again: each through the same door."""
    person = office.signed_in("secretary")
    for kind, life in (("confirm", "live"), ("delete", "deleted"), ("restore", "live")):
        answer = person.post(GROUPS, json={"ops": [
            {"kind": kind, "type": "resource", "id": IDS["resource"], "base": base(office, "resource")}]})  # fmt: skip
        assert outcomes(answer) == ["applied"]
        assert stored(office, IDS["resource"]).life == life


def test_a_group_with_a_missing_parent_waits(office):
    """A household in a dwelling that nobody knows waits, as it would from a phone."""
    answer = office.signed_in("secretary").post(GROUPS, json={"ops": [
        {"kind": "create", "type": "household", "id": uuid7(), "set": {"dwelling": uuid7()}}]})  # fmt: skip
    assert outcomes(answer) == ["held"]


def test_who_may_write_and_what(office):
    """A grid worker writes in the own cells only, a community worker no care record of another line, a planner nothing."""
    worker = office.signed_in("grid_worker")
    assert outcomes(worker.post(GROUPS, json={"ops": [patch(office, "li", {"education_code": "10"})]})) == ["applied"]
    answer = worker.post(GROUPS, json={"ops": [patch(office, "wang", {"education_code": "10"})]})
    assert problem(answer) == (404, "not-found")
    answer = worker.post(GROUPS, json={"ops": [
        {"kind": "create", "type": "household", "id": uuid7(), "set": {"dwelling": IDS["dwelling_c"]}}]})  # fmt: skip
    assert outcomes(answer) == ["quarantined"]
    assert answer.json["results"][0]["now"]["reason"] == "out_of_scope"
    care = {"kind": "create", "type": "care_status", "id": uuid7(),
            "set": {"person": IDS["wang"], "kind": "living_alone", "line_of_work": "civil_affairs"}}  # fmt: skip
    answer = office.signed_in("community_worker").post(GROUPS, json={"ops": [care]})
    assert problem(answer) == (403, "outside-your-scope")
    for role in ("planner", "auditor", "subdistrict", "admin"):
        answer = office.signed_in(role).post(GROUPS, json={"ops": [patch(office, "li", {"note": "x"})]})
        assert problem(answer) == (403, "outside-your-scope"), role


def test_a_change_needs_the_sessions_own_token(office):
    """Another site cannot write with somebody's cookie."""
    person = office.signed_in("secretary")
    person.headers = {}
    answer = person.post(GROUPS, json={"ops": [patch(office, "li", {"education_code": "10"})]})
    assert problem(answer) == (403, "csrf-refused")


@pytest.mark.parametrize("body", [{"ops": []}, {"ops": [{}] * 201}, {}, {"ops": "x"}, {"ops": [{"type": "person", "op_id": "x"}]}])
def test_an_envelope_that_is_no_group(office, body):
    """No operations, too many, something else: told with its place."""
    assert problem(office.signed_in("secretary").post(GROUPS, json=body)) == (422, "invalid-input")
