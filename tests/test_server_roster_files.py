"""Lists as files: what spreadsheets need, and what the screen says of the list."""

from __future__ import annotations

import csv
import io

import openpyxl
import pytest
from front_door import COMMUNITY, problem
from records_kit import CODE_A, IDS, ZHANG_NUMBER, actor_of, office_with_records, write_operation
from sqlalchemy import select

from server.house import uuid7
from server.models import audit
from server.services.push import accept_user_operation
from server.services.tables import XLSX_MEDIA
from server.store.database import read


@pytest.fixture
def office(prepared_database, tmp_path, clock):
    found = office_with_records(prepared_database, tmp_path, clock)
    yield found
    found.house.engine.dispose()


def audit_lines(office):
    with read(office.house.engine) as connection:
        return connection.execute(select(audit).where(audit.c.action.in_(["read", "search", "export"]))).all()


def _tag(office, name: str) -> str:
    from server.models import record

    with read(office.house.engine) as connection:
        return connection.execute(select(record.c.tag).where(record.c.id == IDS[name])).scalar_one()


def test_csv_for_spreadsheets(office):
    """The CSV opens in a Chinese spreadsheet, keeps codes as they are, and no cell is run as a formula."""
    answer = office.signed_in("secretary").get(
        f"/api/v1/communities/{COMMUNITY}/roster/dwellings", headers={"Accept": "text/csv"}
    )
    assert answer.content_type == "text/csv; charset=utf-8"
    text = answer.data.decode("utf-8")
    assert text.startswith("\ufeff") and "\r\n" in text
    rows = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))
    assert [row["门牌号"] for row in rows] == ["201", "1001", "1002"]
    assert rows[0]["网格"] == CODE_A
    assert (rows[0]["用途"], rows[0]["用途代码"]) == ("住宅", "home")
    assert rows[2]["产权人"] == "'=cmd|'/c calc'!A1"
    seen = office.signed_in("secretary").get(f"/api/v1/communities/{COMMUNITY}/roster/dwellings?format=csv&codes=false").data.decode("utf-8-sig")
    words = list(csv.DictReader(io.StringIO(seen)))  # as a screen shows it: a word for each code, the cell's name
    reference = office.signed_in("secretary").get("/api/v1/reference").json["cells"]["features"]
    names_of = {one["properties"]["code"]: one["properties"]["name"] for one in reference}
    assert [(row["网格"], row["用途"], row["门牌号"]) for row in words] == [(names_of[row["网格"]], row["用途"], row["门牌号"]) for row in rows]
    assert not any(name.endswith("代码") for name in words[0]) and "建筑面积 (m2)" in words[0]
    assert "filename*=UTF-8''" in answer.headers["Content-Disposition"]
    assert audit_lines(office)[-1].action == "export"


def test_xlsx_keeps_codes_as_text(office):
    """In the workbook every code is a text cell, no cell is a formula, and a second sheet says what it is."""
    answer = office.signed_in("secretary").get(f"/api/v1/communities/{COMMUNITY}/roster/dwellings?format=xlsx")
    assert answer.content_type == XLSX_MEDIA
    book = openpyxl.load_workbook(io.BytesIO(answer.data))
    page = book["房屋台账"]
    head = [cell.value for cell in page[1]]
    cells = dict(zip(head, page[2], strict=True))
    assert (cells["网格"].value, cells["网格"].data_type, cells["网格"].number_format) == (CODE_A, "s", "@")
    owner = dict(zip(head, page[4], strict=True))["产权人"]
    assert (owner.value, owner.data_type) == ("=cmd|'/c calc'!A1", "s")
    assert cells["所在层"].value == 2
    assert dict(book["说明"].values)["行数"] == "3"


def test_a_file_says_what_the_screen_says_in_the_language_of_the_reader(office):
    """By what it was filtered, what is in doubt and what is missing stand beside the rows; words, headings and name are those of the screen; a number that was searched is not written."""
    seen = {"v": 1, "tag": _tag(office, "dwelling_b")}
    outcomes = [
        write_operation(office.house, actor_of(office, role), "patch", "dwelling_b", {"floor_number": floor}, base=seen)["now"]["outcome"]
        for role, floor in (("secretary", 10), ("community_worker", 11))
    ]
    assert outcomes == ["applied", "conflict"]
    made = {"kind": "create", "type": "resource", "id": uuid7(), "set": {"name": "远处", "kind": "place"}}
    assert accept_user_operation(office.house, actor_of(office, "secretary"), made)["now"]["outcome"] == "applied"
    secretary = office.signed_in("secretary")

    def book(roster: str, **asked):
        told = secretary.post(f"/api/v1/communities/{COMMUNITY}/roster/{roster}/search", json={"format": "xlsx", "codes": False, **asked})
        assert told.status_code == 200, told.data
        return told, openpyxl.load_workbook(io.BytesIO(told.data))

    filters = [{"column": "door_number", "op": "starts_with", "value": "10"}, {"column": "occupancy", "op": "is_null", "value": True}]
    told, english = book("dwellings", filters=filters, language="en", columns=["cell_code", "door_number", "use", "expected"])
    assert "Dwellings_" in told.headers["Content-Disposition"]
    rows, about = list(english["Dwellings"].values), dict(english["About"].values)
    assert rows[0] == ("Cell", "Door number", "Use", "Expected in the survey", "In doubt")
    assert [(row[1], row[2], row[4]) for row in rows[1:]] == [("1001", "Home", "Where it is"), ("1002", None, None)]
    assert (about["Filters"], about["Rows"]) == ("Door number: Starts with 10; Occupancy: Not filled in", "2")
    assert (about["In doubt"], about["Missing"]) == ("1 in doubt", "Nothing is missing")
    _, chinese = book("dwellings", filters=filters)
    about = dict(chinese["说明"].values)
    assert (about["筛选"], about["存疑"], about["遗漏"]) == ("门牌号：开头是 10；居住状况：未填写", "1 条有疑问", "没有遗漏")
    assert dict(book("resources")[1]["说明"].values)["遗漏"] == "另有 1 条未落格"
    _, people = book("persons", filters=[{"column": "document_number", "op": "eq", "value": ZHANG_NUMBER}])
    assert dict(people["说明"].values)["筛选"] == "证件号码：（不写出）" and ZHANG_NUMBER not in str([list(sheet.values) for sheet in people])
    wrong = secretary.get(f"/api/v1/communities/{COMMUNITY}/roster/dwellings?language=fr")
    assert problem(wrong) == (422, "invalid-input") and wrong.json["errors"][0]["pointer"] == "/language"
