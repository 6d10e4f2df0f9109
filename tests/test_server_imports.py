"""Tables in (台账): looked at, planned row by row, written once, taken back as one act."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import openpyxl
import orjson
import pytest
from front_door import COMMUNITY, NEIGHBOUR, PASSWORD, Office, Person, furnish, open_office
from hand_phone import HandPhone
from openpyxl import Workbook
from records_kit import id_number

from server.house import uuid7
from server.jobs.worker import Worker
from server.services import accounts
from server.services.verify import verify
from server.store.database import read, run

HEADINGS = ["序号", "姓名", "性别", "身份证号码", "与户主关系", "联系电话", "楼栋", "单元", "室号", "户主姓名", "政治面貌", "备注"]
LI, WANG, ZHAO = (id_number(birth, serial) for birth, serial in (("19800102", "001"), ("19820304", "002"), ("19500506", "003")))


@pytest.fixture
def office(prepared_database: Any, tmp_path: Path, clock: Any) -> Any:
    made = open_office(prepared_database(furnish), tmp_path, clock, uuid7)
    yield made
    made.house.engine.dispose()


@pytest.fixture
def secretary(office: Office) -> Person:
    """A secretary whose community has building 3 with two entrances."""
    phone = HandPhone(office)
    anchor = {"lon": 120.605, "lat": 31.305, "datum": "cgcs2000", "accuracy_m": 5, "confidence": 0.95, "method": "survey"}
    building, first, second = uuid7(), uuid7(), uuid7()
    made = [("building", building, {"number": "3", "anchor": anchor})]
    made += [("entrance", one, {"number": str(number), "building": building}) for number, one in enumerate((first, second), 1)]
    results = phone.push([
        {"op_id": uuid7(), "type": kind, "id": one, "kind": "create", "base": None, "set": fields, "form_version": 1,
         "claimed_at": "2026-03-01T09:00:00+08:00"}
        for kind, one, fields in made
    ])  # fmt: skip
    assert {one["now"]["outcome"] for one in results} == {"applied"}
    return office.signed_in("secretary")


def workbook(rows: list[list[Any]], *, headings: list[str] | None = None, title: str | None = "某社区居民台账") -> bytes:
    """An XLSX file as communities have it: a title above, then the headings, then rows."""
    book = Workbook()
    sheet = book.active
    if title:
        sheet.append([title])
        sheet.append([])
    sheet.append(headings or HEADINGS)
    for row in rows:
        sheet.append(row)
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def family(*, phone: str = "13912340000") -> list[list[Any]]:
    return [
        [1, "李一", "男", LI, "户主", phone, "3幢", "2单元", "501室", "李一", "群众", None],
        [2, "王二", "女", WANG, "配偶", None, "3幢", "2单元", "501室", "李一", "党员", "热心"],
        [3, "赵三", "男", ZHAO, "户主", "0512-60000000", "03幢", "1", "101", "赵三", "群众", None],
    ]


def upload(person: Person, content: bytes) -> Any:
    return person.client.post(
        "/api/v1/imports/files", data={"file": (io.BytesIO(content), "台账.xlsx")}, headers=person.headers
    )


def run_act(office: Office, person: Person, content: bytes, act: str, **more: Any) -> dict[str, Any]:
    """Upload a table, plan or write it, and give what became of it."""
    found = upload(person, content)
    assert found.status_code == 201, found.data
    asked = person.post("/api/v1/imports", {"act": act, "file_id": found.json["file_id"], "name": "台账.xlsx"} | more)
    assert asked.status_code == 202, asked.data
    return finish(office, person, asked.json["import_id"])


def finish(office: Office, person: Person, import_id: str) -> dict[str, Any]:
    Worker(office.house).run_all()
    said = person.client.get(f"/api/v1/imports/{import_id}").json
    assert said["state"] == "done", said
    assert said["done"] == said["total"], "the bar is full when it is done"
    return said


def outcomes(said: dict[str, Any]) -> dict[str, int]:
    return {name: count for name, count in said["result"]["outcomes"].items() if count}


def living(office: Office, kind: str) -> list[dict[str, Any]]:
    """Fields of the living records of a type, with the home and the id."""
    with read(office.house.engine) as connection:
        rows = run(connection, "SELECT id, home, v, fields FROM record WHERE community_id = ? AND type = ? AND life = 'live' ORDER BY id", (COMMUNITY, kind)).all()
    return [{"id": row.id, "home": row.home, "v": row.v} | orjson.loads(row.fields) for row in rows]


def test_the_headings_are_found_below_the_title_and_mapped(office, secretary):
    """The secretary sees at once which column goes where, and which is left out."""
    found = upload(secretary, workbook(family()))
    assert found.status_code == 201
    assert found.json["heading_row"] == 3
    chosen = {one["heading"]: one["target"] for one in found.json["columns"]}
    assert chosen["身份证号码"] == "person.document_number" and chosen["室号"] == "place.door" and chosen["序号"] is None


def test_a_plan_tells_every_row_and_writes_nothing(office, secretary):
    """Before anything is written the secretary knows what would become of each row."""
    rows = [*family(), [4, "李一", "男", LI, "户主", "", "3幢", "2单元", "501室", "李一", "群众", ""], [5, "", "男", "", "", "", "", "", "", "", "", ""]]
    said = run_act(office, secretary, workbook([*rows, *[[""] * 12] * 3]), "plan")  # as tables end: with rows that hold nothing
    assert said["total"] == 5
    assert outcomes(said) == {"new": 3, "duplicate": 1, "rejected": 1}
    report = secretary.client.get(f"/api/v1/imports/{said['import_id']}/rows").json["rows"]
    assert [(one["row"], one["outcome"], one["of_row"]) for one in report] == [
        (4, "new", None), (5, "new", None), (6, "new", None), (7, "duplicate", 4), (8, "rejected", None),
    ]  # fmt: skip
    assert {"name", "document_number", "phones"} <= set(report[0]["fields"])
    assert report[4]["errors"][0]["column"] == "B" and report[4]["errors"][0]["code"] == "required"
    assert living(office, "person") == [] and living(office, "household") == []


def test_what_was_written_stands_in_its_cell_with_its_household(office, secretary):
    """One row per person becomes dwellings, households with their heads, and persons in the cell of their building."""
    assert outcomes(run_act(office, secretary, workbook(family()), "write")) == {"new": 3}
    dwellings, households, persons = living(office, "dwelling"), living(office, "household"), living(office, "person")
    assert sorted(one["door_number"] for one in dwellings) == ["101", "501"]
    heads = {one["name"]: one["id"] for one in persons}
    assert sorted(one["head"] for one in households) == sorted([heads["李一"], heads["赵三"]])
    assert {one["home"] for one in persons} == {"cell/cell-a"}
    li = next(one for one in persons if one["name"] == "李一")
    assert (li["sex"], li["birth_date"], li["document_type"], li["phones"]) == ("1", "1980-01-02", "resident_id", ["13912340000"])
    assert verify(office.house).difference is None


def test_the_same_table_again_changes_nothing(office, secretary):
    """Importing twice by mistake is harmless."""
    run_act(office, secretary, workbook(family()), "write")
    before = [(one["id"], one["v"]) for kind in ("dwelling", "household", "person") for one in living(office, kind)]
    assert outcomes(run_act(office, secretary, workbook(family()), "write")) == {"same": 3}
    assert [(one["id"], one["v"]) for kind in ("dwelling", "household", "person") for one in living(office, kind)] == before


def test_a_corrected_table_changes_what_was_corrected(office, secretary):
    """One telephone number put right: one person changes, the wrong number goes, empty cells clear nothing."""
    run_act(office, secretary, workbook(family()), "write")
    before = {one["id"]: one["v"] for kind in ("dwelling", "household", "person") for one in living(office, kind)}
    rows = family(phone="13800000000")
    rows[1][11] = None
    said = run_act(office, secretary, workbook(rows), "write")
    assert outcomes(said) == {"changed": 1, "same": 2}
    after = {one["id"]: (one["v"], one.get("name")) for kind in ("dwelling", "household", "person") for one in living(office, kind)}
    assert [name for one, (v, name) in after.items() if v != before[one]] == ["李一"] and after.keys() == before.keys()
    (row,) = secretary.client.get(f"/api/v1/imports/{said['import_id']}/rows?outcome=changed").json["rows"]
    assert row["fields"] == ["phones"]
    persons = {one["name"]: one for one in living(office, "person")}
    assert persons["李一"]["phones"] == ["13800000000"]
    assert persons["王二"]["note"] == "热心"


def test_an_address_that_leads_nowhere_waits_in_the_unplaced_queue(office, secretary):
    """A row of an unknown building is not lost and not guessed: it is recorded, and waits for its place; again it changes nothing."""
    rows = [[1, "钱四", "女", "", "户主", "", "99幢", "1", "101", "", "", ""], [2, "钱五", "男", "", "子", "", "99栋", "1", "101室", "钱四", "", ""]]
    assert outcomes(run_act(office, secretary, workbook(rows), "write")) == {"unplaced": 2}
    assert {one["home"] for one in living(office, "person")} == {"~unplaced"}
    assert len(living(office, "dwelling")) == len(living(office, "household")) == 1  # whoever has one door lives behind it, placed or not
    assert outcomes(run_act(office, secretary, workbook(rows), "write")) == {"same": 2}
    assert secretary.client.get("/api/v1/inbox").json["counts"]["unplaced"] >= 1


def test_an_address_in_one_line_is_taken_apart(office, secretary):
    """Many tables have one column for the address."""
    headings = ["姓名", "身份证号", "住址"]
    rows = [["李一", LI, "桂花新村3幢2单元501室"], ["王二", WANG, "3-2-501"]]
    assert outcomes(run_act(office, secretary, workbook(rows, headings=headings), "write")) == {"new": 2}
    assert len(living(office, "dwelling")) == len(living(office, "household")) == 1
    assert {one["home"] for one in living(office, "person")} == {"cell/cell-a"}


def test_two_persons_of_one_name_are_not_made_one(office, secretary):
    """Without a document or a birth date that fits, a namesake elsewhere is somebody else."""
    run_act(office, secretary, workbook([[1, "李一", "男", LI, "户主", "", "3", "2", "501", "", "", ""]]), "write")
    said = run_act(office, secretary, workbook([[1, "李一", "男", "", "户主", "", "3", "1", "102", "", "", ""]]), "write")
    assert outcomes(said) == {"new": 1}
    said = run_act(office, secretary, workbook([[1, "李一", "男", "", "户主", "13900000000", "3", "2", "501", "", "", ""]]), "write")
    assert outcomes(said) == {"changed": 1}


def test_a_number_that_the_workbook_has_spoiled_is_refused_by_its_cell(office, secretary):
    """Excel keeps fifteen digits of a number: the row says so instead of recording a wrong document."""
    rows = [[1, "李一", "男", float(LI[:17] + "0"), "户主", "", "3", "2", "501", "", "", ""]]
    said = run_act(office, secretary, workbook(rows), "plan")
    (row,) = secretary.client.get(f"/api/v1/imports/{said['import_id']}/rows").json["rows"]
    assert row["outcome"] == "rejected"
    assert (row["errors"][0]["column"], row["errors"][0]["heading"], row["errors"][0]["code"]) == ("D", "身份证号码", "digits_lost")
    assert LI[:15] not in orjson.dumps(row).decode()


def test_a_resident_number_with_a_wrong_check_digit_is_told_before_anything_is_written(office, secretary):
    """The plan names row and cell; as another kind of document the same number is taken as it is."""
    wrong = LI[:17] + ("1" if LI[17] != "1" else "2")
    rows = [[1, "李一", "男", wrong, "户主", "", "3", "2", "501", "", "", ""]]
    said = run_act(office, secretary, workbook(rows), "plan")
    (row,) = secretary.client.get(f"/api/v1/imports/{said['import_id']}/rows").json["rows"]
    assert (row["outcome"], row["errors"][0]["column"], row["errors"][0]["code"]) == ("rejected", "D", "wrong_check_digit")
    assert wrong not in orjson.dumps(row).decode()


def test_a_heading_that_stands_twice_is_mapped_by_its_column(office, secretary):
    """Two columns of one heading are told apart by letter, which is remembered; the sheet can be chosen."""
    book = openpyxl.load_workbook(io.BytesIO(workbook([[1, "李一", "男", LI, "户主", "", "3", "2", "501", "", "", ""]])))
    page = book.active
    heads = next(row for row in range(1, 20) if page.cell(row, 2).value == "姓名")
    page.cell(heads, 13, "姓名")
    page.cell(heads + 1, 13, "李某某")
    book.create_sheet("说明", 0).append(["看第二张"])
    target = io.BytesIO()
    book.save(target)
    found = upload(secretary, target.getvalue()).json
    assert (found["sheets"], found["sheet"]) == (["说明", page.title], page.title)
    made = secretary.post(
        "/api/v1/imports/files", data={"file": (io.BytesIO(target.getvalue()), "a.xlsx"), "sheet": page.title}, content_type="multipart/form-data"
    ).json
    mapping = {one["key"]: one["target"] for one in made["columns"]}
    assert (mapping["#B"], mapping["#M"]) == ("person.name", None)
    asked = {"act": "write", "file_id": made["file_id"], "sheet": page.title, "mapping": mapping | {"#B": None, "#M": "person.name"}}
    said = finish(office, secretary, secretary.post("/api/v1/imports", json=asked).json["import_id"])
    assert outcomes(said) == {"new": 1}
    assert "李某某" in [one["name"] for one in living(office, "person")]
    again = secretary.post(
        "/api/v1/imports/files", data={"file": (io.BytesIO(target.getvalue()), "a.xlsx"), "sheet": page.title}, content_type="multipart/form-data"
    ).json
    assert {one["key"]: one["target"] for one in again["columns"]}["#M"] == "person.name"


def test_an_import_is_taken_back_as_one_act(office, secretary):
    """What it made goes, what it changed gets its former values, what others have written since stays."""
    first = run_act(office, secretary, workbook(family()), "write")
    second = run_act(office, secretary, workbook([*family(phone="13800000000"), [9, "孙五", "男", "", "子", "", "3", "2", "501", "李一", "", ""]]), "write")
    assert outcomes(second) == {"new": 1, "changed": 1, "same": 2}
    undone = finish(office, secretary, secretary.post(f"/api/v1/imports/{second['import_id']}/undo", {}).json["import_id"])
    assert undone["result"] == {"deleted": 1, "restored": 1, "kept": 0}
    persons = {one["name"]: one for one in living(office, "person")}
    assert sorted(persons) == ["李一", "王二", "赵三"] and persons["李一"]["phones"] == ["13912340000"]
    assert secretary.post(f"/api/v1/imports/{second['import_id']}/undo", {}).status_code == 409
    note = {"ops": [{"kind": "patch", "type": "person", "id": persons["赵三"]["id"], "set": {"employer_text": "退休"}}]}
    assert secretary.post("/api/v1/groups", note).status_code == 200
    undone = finish(office, secretary, secretary.post(f"/api/v1/imports/{first['import_id']}/undo", {}).json["import_id"])
    assert undone["result"] == {"deleted": 1, "restored": 0, "kept": 6}  # what two stay in stays with them
    assert sorted(one["name"] for one in living(office, "person")) == ["李一", "赵三"]
    assert len(living(office, "household")) == len(living(office, "dwelling")) == 2
    assert verify(office.house).difference is None


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"PK\x03\x04 not a workbook", "unreadable"),
        (b"\xd0\xcf\x11\xe0 an old one", "xls"),
        (b"one\ntwo\n", "no_headings"),
        (("姓名,楼栋\n李一," + "长" * 200_000 + "\n").encode(), "unreadable"),  # longer than any cell
        (b"", "no_headings"),
    ],
)
def test_a_file_that_is_no_table_is_refused_by_name(office, secretary, content, code):
    """The secretary learns what to do with the file."""
    answer = upload(secretary, content)
    assert (answer.status_code, answer.json["errors"][0]["code"]) == (422, code)


@pytest.mark.parametrize(("parted_by", "encoding"), [("\t", "utf-16"), (";", "utf-8"), ("\t", "gb18030")])
def test_a_text_file_is_read_whatever_parts_its_columns(office, secretary, parted_by, encoding):
    """What spreadsheets save as "Unicode text", and what programs of other countries call CSV."""
    text = parted_by.join(("姓名", "楼栋", "室号")) + "\r\n" + parted_by.join(("李一", "3幢", "501,502")) + "\r\n"
    answer = upload(secretary, text.encode(encoding))
    assert (answer.status_code, [one["heading"] for one in answer.json["columns"]]) == (201, ["姓名", "楼栋", "室号"]), answer.json


def test_a_csv_file_from_an_old_program_is_read(office, secretary):
    """GB18030 is what spreadsheets in China still write."""
    text = "姓名,身份证号,楼栋,单元,室号\r\n李一," + LI + ",3幢,2单元,501室\r\n"
    assert outcomes(run_act(office, secretary, text.encode("gb18030"), "write")) == {"new": 1}


def next_door(office: Office) -> Person:
    """The secretary of another community of the house."""
    login = {"login": "neighbour-1", "name": "某某", "role": "secretary", "password": PASSWORD, "community_id": NEIGHBOUR}
    accounts.add_user(office.house, accounts.OPERATOR, **login)
    neighbour = Person(office.client())
    neighbour.sign_in("neighbour-1")
    return neighbour


def test_a_mapping_is_remembered_for_the_next_table(office, secretary):
    """What was put right by hand is proposed the next time, in the community where it was."""
    headings = ["名字", "号码", "地址"]
    content = workbook([["李一", LI, "3-2-501"]], headings=headings)
    mapping = {"名字": "person.name", "号码": "person.document_number", "地址": "place.address"}
    run_act(office, secretary, content, "write", mapping=mapping)
    found = upload(secretary, content).json
    assert found["remembered"] and {one["heading"]: one["target"] for one in found["columns"]} == mapping
    assert not upload(next_door(office), content).json["remembered"]


@pytest.mark.parametrize("mapping", [{"没有这列": "person.name"}, {"姓名": "person.nothing"}, {"备注": "person.note"}])
def test_a_mapping_that_cannot_be_used_is_refused(office, secretary, mapping):
    """An unknown heading, an unknown field, no name."""
    file_id = upload(secretary, workbook(family())).json["file_id"]
    assert secretary.post("/api/v1/imports", {"act": "plan", "file_id": file_id, "mapping": mapping}).status_code == 422


def test_only_the_secretary_imports(office, secretary):
    """A grid worker's or a planner's session does not."""
    for role in ("grid_worker", "planner"):
        assert upload(office.signed_in(role), workbook(family())).status_code == 403


def test_a_neighbour_cannot_import_a_table_by_its_id(office, secretary):
    """L10: whoever learns the id of an uploaded table in another community gets nothing of it, and not even that it is there."""
    file_id = upload(secretary, workbook(family())).json["file_id"]
    assert next_door(office).post("/api/v1/imports", {"act": "plan", "file_id": file_id}).status_code == 404


def rows_of_report(person: Person, said: dict[str, Any]) -> list[dict[str, Any]]:
    return person.client.get(f"/api/v1/imports/{said['import_id']}/rows").json["rows"]


CORRECTED = ["姓名", "身份证号码", "出生日期", "楼栋", "单元", "室号"]


def test_a_corrected_row_makes_nobody_twice(office, secretary):
    """A number, a birthday or a name differs in another table: the row is doubtful and names the person, and nothing of it is written."""
    number = id_number
    corrections = [
        (["李一", number("19800102", "001"), ""], ["李一", number("19800103", "001"), ""]),  # a digit of the day, the check digit with it
        (["李二", number("19810102", "001"), ""], ["李二", number("19810102", "007"), ""]),  # a digit that is none of the day
        (["李三", "", "1982-01-02"], ["李三", "", "1982-01-20"]),
        (["李四", "", "1983-01-02"], ["李思", "", "1983-01-02"]),
        (["李五", "", ""], ["李武", "", ""]),
        (["李六", "", "1984-01-02"], ["李六", number("19850102", "001"), ""]),
    ]
    tables = [
        workbook([[*pair[which], "3", "2", f"50{door}"] for door, pair in enumerate(corrections)], headings=[*CORRECTED, *another])
        for which, another in ((0, []), (1, ["民族"]))
    ]  # fmt: skip
    assert outcomes(run_act(office, secretary, tables[0], "write")) == {"new": 6}
    there = {one["name"]: one["id"] for one in living(office, "person")}
    for act in ("plan", "write"):
        said = run_act(office, secretary, tables[1], act)
        assert outcomes(said) == {"doubtful": 6}
        assert [one["candidates"] for one in rows_of_report(secretary, said)] == [[there[before[0]]] for before, _ in corrections]
    assert len(living(office, "person")) == len(living(office, "household")) == 6


def test_a_month_of_birth_is_no_day(office, secretary):
    """What a table knows of a birth is kept as far as it goes; a number that agrees says the day; a later table with the month changes nothing."""
    table = "姓名,身份证号,出生日期,楼栋,单元,室号\r\n" f"李一,{LI},{LI[6:10]}年,3幢,2单元,501\r\n" "王二,,1960年3月,3幢,2单元,502\r\n" "赵三,,1950,3幢,2单元,503\r\n"
    run_act(office, secretary, table.encode(), "write")
    people = {one["name"]: (one["birth_date"], one.get("birth_precision")) for one in living(office, "person")}
    assert people == {"李一": (f"{LI[6:10]}-{LI[10:12]}-{LI[12:14]}", None), "王二": ("1960-03-01", "month"), "赵三": ("1950-01-01", "year")}
    again = run_act(office, secretary, table.encode(), "plan")
    assert outcomes(again) == {"same": 3}


def test_people_who_look_alike_in_one_table_are_two(office, secretary):
    """Twins, and a father and a son of one name, stand in one table; the same table again changes nothing."""
    rows = [
        ["李一", LI, "", "3", "2", "501"], ["李伊", id_number("19800102", "003"), "", "3", "2", "501"],
        ["赵三", "", "1950-05-06", "3", "2", "502"], ["赵三", "", "1980-05-06", "3", "2", "502"],
    ]  # fmt: skip
    assert outcomes(run_act(office, secretary, workbook(rows, headings=CORRECTED), "write")) == {"new": 4}
    assert outcomes(run_act(office, secretary, workbook(rows, headings=CORRECTED), "write")) == {"same": 4}
    more = [*rows, ["李衣", id_number("19800102", "005"), "", "3", "2", "501"]]  # a third, beside the two that the table names
    assert outcomes(run_act(office, secretary, workbook(more, headings=CORRECTED), "write")) == {"same": 4, "new": 1}
    assert len(living(office, "person")) == 5


def test_a_doubtful_row_leaves_no_household_half_made(office, secretary):
    """The next row of its door makes what the doubtful one did not."""
    namesakes = [["李一", "", "1980-01-02", "3", "1", "101"], ["李一", "", "1980-01-02", "3", "1", "102"]]
    assert outcomes(run_act(office, secretary, workbook(namesakes, headings=CORRECTED), "write")) == {"new": 2}
    rows = [["李一", "", "1980-01-02", "3", "2", "601"], ["王二", WANG, "", "3", "2", "601"]]
    said = run_act(office, secretary, workbook(rows, headings=CORRECTED), "write")
    assert outcomes(said) == {"doubtful": 1, "new": 1}
    assert len(rows_of_report(secretary, said)[0]["candidates"]) == 2
    assert sorted(one["door_number"] for one in living(office, "dwelling")) == ["101", "102", "601"]
    assert {one["home"] for one in living(office, "person")} == {"cell/cell-a"}
