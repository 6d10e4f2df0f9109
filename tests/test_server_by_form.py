"""Tenures and services, which no screen was made for by hand: on the pages of what they name, in rosters, tables and exports."""

from __future__ import annotations

import io

import pytest
from openpyxl import load_workbook
from records_kit import CODE_A, IDS, actor_of, office_with_records

from server.house import uuid7
from server.services.push import accept_user_operation


@pytest.fixture
def office(prepared_database, tmp_path, clock):
    found = office_with_records(prepared_database, tmp_path, clock)
    yield found
    found.house.engine.dispose()


def made(office, kind, values):
    one = {"kind": "create", "type": kind, "id": uuid7(), "set": values}
    told = accept_user_operation(office.house, actor_of(office, "secretary"), one)
    assert told["now"]["outcome"] == "applied", told
    return one["id"]


def test_who_owns_a_dwelling_and_what_a_member_did_are_found_where_one_looks(office):
    """On the pages of the door and the member, one row each in rosters, their workbooks and the member's number of services."""
    owner = made(office, "tenure", {"dwelling": IDS["dwelling_a"], "kind": "owner", "person": IDS["zhang"], "share_percent": 50, "from_date": "2020-01-01"})
    made(office, "tenure", {"dwelling": IDS["dwelling_a"], "kind": "co_owner", "holder_text": "外地亲属", "share_percent": 50})
    service = made(office, "service_record", {"party_member": IDS["member"], "kind": "environment", "served_on": "2026-02-20", "hours": 2})
    person = office.signed_in("secretary")

    def related(kind, name):
        page = person.get(f"/api/v1/records/{kind}/{IDS[name]}").json
        return {one["relation"]: [row["id"] for row in one["rows"]] for one in page["related"]}

    assert owner in related("dwelling", "dwelling_a")["tenure.dwelling"] and related("person", "zhang")["tenure.person"] == [owner]
    assert related("party_member", "member")["service_record.party_member"] == [service]
    rows = person.get(f"/api/v1/cells/{CODE_A}/roster/tenures").json["rows"]
    assert sorted((row["door_number"], row["holder"], row["share_percent"]) for row in rows) == [("201", "外地亲属", 50), ("201", "张三", 50)]
    (row,) = person.get(f"/api/v1/cells/{CODE_A}/roster/service_records").json["rows"]
    assert (row["member_name"], row["organization"], row["served_on"], row["hours"]) == ("张三", "示例小学", "2026-02-20", 2)
    book = person.get(f"/api/v1/cells/{CODE_A}/roster/tenures?format=xlsx")
    assert load_workbook(io.BytesIO(book.data)).worksheets[0].max_row == 3
    members = person.get(f"/api/v1/cells/{CODE_A}/roster/party_members").json["rows"]
    assert [(one["name"], one["services_count"]) for one in members] == [("张三", 1)]
    layers = {one["name"] for one in person.get("/api/v1/rosters").json["rosters"]}
    assert {"tenures", "service_records"} <= layers
