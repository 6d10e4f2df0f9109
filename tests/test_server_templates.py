"""Tables out (一表通): a department's workbook is checked, kept, filled, traced and compared over HTTP."""

from __future__ import annotations

import io
import zipfile
from datetime import timedelta

import pytest
from click.testing import CliRunner
from front_door import problem
from openpyxl import Workbook, load_workbook
from openpyxl.chart import BarChart
from openpyxl.formatting.rule import FormulaRule
from openpyxl.styles import Font
from openpyxl.workbook.defined_name import DefinedName
from openpyxl.worksheet.datavalidation import DataValidation
from records_kit import CODE_A, CODE_B, IDS, ZHANG_NUMBER, actor_of, office_with_records, write_operation

from server.cli.tables import command
from server.house import uuid7
from server.jobs.worker import Worker
from server.services.push import accept_user_operation
from server.services.template_rows import RowMap, shifted
from server.store.database import read, run

PURPOSE = "民政报表"


@pytest.fixture
def office(prepared_database, tmp_path, clock):
    found = office_with_records(prepared_database, tmp_path, clock)
    yield found
    found.house.engine.dispose()


def a_form() -> Workbook:
    """A department's form: merged heading, one line for the list, totals below, a second sheet that refers to them."""
    book = Workbook()
    page = book.active
    page.title = "老人"
    page["A1"] = "{{社区}}老年人名册（截至{{日期}}，共{{人员: 年龄>=60 且 生存状态!=deceased|计数}}人）"
    page.merge_cells("A1:F1")
    page.append(["序号", "姓名", None, "年龄", "两倍", "累计"])
    page["A3"], page["B3"] = "{{序号}}", "{{人员: 年龄>=60 且 生存状态!=deceased | 姓名 | 按 年龄 降序}}"
    page["D3"], page["E3"], page["F3"] = "{{.年龄}}", "=D3*2", "=SUM(D$3:D3)"
    page.merge_cells("B3:C3")
    page["A4"], page["D4"], page["E4"] = "合计", "=SUM(D3)", "=AVERAGE(D3:D3)"
    page["A3"].font = Font(bold=True, name="宋体")
    page.row_dimensions[3].height, page.row_dimensions[4].height = 31, 22
    page.column_dimensions["B"].width = 17
    page.print_area, page.print_title_rows, page.freeze_panes = "A1:F4", "1:2", "A3"
    page.page_setup.orientation = "landscape"
    page.conditional_formatting.add("D3:D3", FormulaRule(formula=["$D3>=80"], font=Font(color="FF0000")))
    rule = DataValidation(type="whole", formula1="0", formula2="$D$4")
    rule.add("D3")
    page.add_data_validation(rule)
    other = book.create_sheet("汇总")
    other["A1"] = "=老人!D4/COUNT(老人!D3:D3)"
    book.defined_names["总岁数"] = DefinedName("总岁数", attr_text="老人!$D$4")
    book.defined_names["资源数"] = DefinedName("资源数", attr_text="汇总!$B$2", comment="{{资源|计数}}")
    return book


def content(book: Workbook) -> bytes:
    target = io.BytesIO()
    book.save(target)
    return target.getvalue()


def sent(person, book: Workbook, name="民政老人表.xlsx", path="/api/v1/templates", **more):
    return person.post(path, data={"file": (io.BytesIO(content(book)), name), **more}, content_type="multipart/form-data")


def filled(office, person, template_id, purpose=PURPOSE, **asked):
    """Ask, let a worker run, fetch: (run, file answer)."""
    answer = person.post(f"/api/v1/templates/{template_id}/runs", json={"purpose": purpose} | asked)
    assert answer.status_code == 202, answer.data
    Worker(office.house).run_all()
    run = person.get(answer.headers["Location"]).json
    assert run["state"] == "done", run
    return run, person.get(run["file"]["href"])


def test_a_departments_form_is_filled_with_its_looks_and_formulas_kept(office):
    """Rows are added with their looks, formulas below sum the list, merged cells, formats, print settings and names follow."""
    person = office.signed_in("secretary")
    made = sent(person, a_form())
    assert made.status_code == 201, made.data
    run, answer = filled(office, person, made.json["template_id"])
    assert run["rows"] == 3
    book = load_workbook(io.BytesIO(answer.data))
    page = book["老人"]
    assert page["A1"].value == "社区老年人名册（截至2026-03-02，共3人）"
    rows = [tuple(cell.value for cell in row) for row in page["A3:F5"]]
    assert rows == [
        (1, "王五", None, 86, "=D3*2", "=SUM(D$3:D3)"),
        (2, "张三", None, 66, "=D4*2", "=SUM(D$3:D4)"),
        (3, "李四", None, 63, "=D5*2", "=SUM(D$3:D5)"),
    ]
    assert (page["D6"].value, page["E6"].value) == ("=SUM(D3:D5)", "=AVERAGE(D3:D5)")
    assert {str(area) for area in page.merged_cells.ranges} == {"A1:F1", "B3:C3", "B4:C4", "B5:C5"}
    assert [page.row_dimensions[row].height for row in (3, 4, 5, 6)] == [31, 31, 31, 22]
    assert page["A5"].font.bold and page["A5"].font.name == "宋体" and page.column_dimensions["B"].width == 17
    assert (page.print_area, page.print_title_rows, page.freeze_panes) == ("'老人'!$A$1:$F$6", "$1:$2", "A3")
    assert page.page_setup.orientation == "landscape"
    assert [str(one.sqref) for one in page.conditional_formatting] == ["D3:D5"]
    rule = page.data_validations.dataValidation[0]
    assert (str(rule.sqref), rule.formula2) == ("D3:D5", "$D$6")
    assert book["汇总"]["A1"].value == "=老人!D6/COUNT(老人!D3:D5)"
    assert book.defined_names["总岁数"].attr_text == "老人!$D$6"
    assert book["汇总"]["B2"].value == 1 and not book.defined_names["资源数"].comment


def test_every_bad_placeholder_is_named_and_nothing_is_kept(office):
    """A form with mistakes is refused as a whole: sheet, cell and reason of each."""
    person = office.signed_in("secretary")
    book = a_form()
    page = book["老人"]
    page["D3"], page["G4"], page["H4"] = "{{.年岁}}", "{{天气}}", "=SUM({{人员|计数}})"
    book["汇总"]["C1"], book["汇总"]["D1"] = "{{人员|姓名}}", "{{住户|户主}}"
    answer = sent(person, book)
    assert problem(answer) == (422, "invalid-input")
    found = {one["pointer"]: one["code"] for one in answer.json["errors"]}
    assert found == {
        "/sheets/老人/D3": "unknown_column", "/sheets/老人/G4": "unknown_word", "/sheets/老人/H4": "in_formula",
        "/sheets/汇总/D1": "two_lists",
    }  # fmt: skip
    checked = sent(person, book, path="/api/v1/templates/check").json
    assert not checked["ok"] and {(one["sheet"], one["cell"]) for one in checked["problems"]} == {
        ("老人", "D3"), ("老人", "G4"), ("老人", "H4"), ("汇总", "D1")
    }  # fmt: skip
    assert all(one["message_zh"] for one in checked["problems"])
    assert all(one["ready"] for one in person.get("/api/v1/templates").json["templates"])


def test_what_filling_would_lose_is_refused(office):
    """A chart would be gone from the filled workbook, so the template is refused and says why; so is what is no workbook."""
    person = office.signed_in("secretary")
    book = a_form()
    book["汇总"].add_chart(BarChart(), "F1")
    assert {one["code"] for one in sent(person, book).json["errors"]} == {"chart_lost"}
    answer = person.post("/api/v1/templates", data={"file": (io.BytesIO(b"name,age"), "a.xlsx")}, content_type="multipart/form-data")
    assert answer.json["errors"][0]["code"] == "unreadable"
    empty = Workbook()
    assert sent(person, empty).json["errors"][0]["code"] == "no_placeholders"


def test_one_workbook_for_each_cell_and_one_of_a_day(office):
    """The same form is filled for every cell in a ZIP, for one cell, and as things were on a day."""
    person = office.signed_in("secretary")
    template = sent(person, a_form()).json["template_id"]
    _, answer = filled(office, person, template, per="cells")
    with zipfile.ZipFile(io.BytesIO(answer.data)) as archive:
        names = {name[: len(CODE_A)]: load_workbook(io.BytesIO(archive.read(name)))["老人"] for name in archive.namelist()}
    assert {code: page["B3"].value for code, page in names.items()} == {CODE_A: "张三", CODE_B: "王五"}
    run, answer = filled(office, person, template, per="cell", cell=CODE_B)
    assert (run["rows"], load_workbook(io.BytesIO(answer.data))["老人"]["B3"].value) == (1, "王五")
    _, answer = filled(office, person, template, day="2025-12-31")
    page = load_workbook(io.BytesIO(answer.data))["老人"]
    assert "截至2025-12-31，共4人" in page["A1"].value  # 赵六 was still alive
    assert problem(person.post(f"/api/v1/templates/{template}/runs", json={"purpose": PURPOSE, "day": "2027-01-01"}))[0] == 422
    assert problem(person.post(f"/api/v1/templates/{template}/runs", json={"purpose": PURPOSE, "per": "cell", "cell": "1"}))[0] == 404


def test_every_filled_cell_leads_to_its_records(office):
    """A row of the list leads to its person, a figure to everybody whom it counts; formulas and headings to nothing."""
    person = office.signed_in("secretary")
    run, _ = filled(office, person, sent(person, a_form()).json["template_id"])
    where = f"/api/v1/template-runs/{run['run_id']}/sources"
    row = person.get(where, query_string={"sheet": "老人", "cell": "D4"}).json["sources"]
    assert row == [{"source": "persons", "count": 1, "records": [{"type": "person", "id": IDS["zhang"], "title": "张三", "gone": False}]}]
    counted = person.get(where, query_string={"sheet": "老人", "cell": "A1"}).json["sources"][0]
    assert {one["id"] for one in counted["records"]} == {IDS["zhang"], IDS["li"], IDS["wang"]}
    assert problem(person.get(where, query_string={"sheet": "老人", "cell": "A2"}))[0] == 404
    assert problem(person.get(where, query_string={"sheet": "老人", "cell": "?"}))[0] == 422
    places = person.get(where).json["places"]
    assert {"part": "", "sheet": "老人", "first": 3, "last": 5, "source": "persons", "count": 3} in places


def test_what_changed_since_last_month_is_told(office, clock):
    """Who came, who went, whose columns changed, and which figures are others: on screen and as a workbook."""
    person = office.signed_in("secretary")
    template = sent(person, a_form()).json["template_id"]
    before, _ = filled(office, person, template)
    clock.now += timedelta(days=30)
    person = office.signed_in("secretary")
    secretary = actor_of(office, "secretary")
    write_operation(office.house, secretary, "patch", "li", {"name": "李思"}, was={"name": "李四"})
    write_operation(office.house, secretary, "patch", "wang", {"vital_status": "deceased", "died_on": "2026-03-20"})
    write_operation(office.house, secretary, "patch", "child", {"birth_date": "1950-06-01"}, was={"birth_date": "2020-06-01"})
    now, _ = filled(office, person, template)
    told = person.get(f"/api/v1/template-runs/{now['run_id']}/changes", query_string={"against": before["run_id"]}).json
    [found] = told["lists"]
    assert [one["id"] for one in found["came"]] == [IDS["child"]]
    assert [(one["id"], one["values"]["name"]) for one in found["went"]] == [(IDS["wang"], "王五")]
    assert [(one["id"], one["changes"]) for one in found["changed"]] == [
        (IDS["li"], [{"column": "name", "before": "李四", "now": "李思"}])
    ]
    assert found["same"] == 1
    answer = person.get(f"/api/v1/template-runs/{now['run_id']}/changes", query_string={"against": before["run_id"], "format": "xlsx"})
    book = load_workbook(io.BytesIO(answer.data))
    assert book["新增 老人"]["A2"].value == "张小小" and book["减少 老人"]["A2"].value == "王五"
    assert [cell.value for cell in book["变化 老人"][2]] == ["李思", 63, "姓名", "李四", "李思"]
    assert person.get(f"/api/v1/template-runs/{now['run_id']}/changes").json == told  # the one before it, where none is named
    alone = person.get(f"/api/v1/template-runs/{before['run_id']}/changes")
    assert (alone.status_code, [one["code"] for one in alone.json["errors"]]) == (422, ["nothing_before"])
    other, _ = filled(office, person, template, per="cell", cell=CODE_A)
    assert problem(person.get(f"/api/v1/template-runs/{other['run_id']}/changes", query_string={"against": before["run_id"]}))[0] == 422


def test_personal_columns_go_where_the_role_may_and_with_a_purpose(office):
    """A planner fills tables of places only; a purpose is asked for; every filling and download is in the audit log."""
    secretary = office.signed_in("secretary")
    template = sent(secretary, a_form()).json["template_id"]
    assert problem(secretary.post(f"/api/v1/templates/{template}/runs", json={}))[0] == 422
    planner = office.signed_in("planner")
    assert problem(planner.post(f"/api/v1/templates/{template}/runs", json={"purpose": "x"})) == (403, "outside-your-scope")
    assert problem(sent(planner, a_form()))[0] == 403
    run, _ = filled(office, secretary, template)
    assert problem(planner.get(run["file"]["href"]))[0] == 404
    book = Workbook()
    book.active["A1"] = "{{房屋: 用途=住宅|计数}}"
    plain = sent(secretary, book).json["template_id"]
    _, answer = filled(office, planner, plain, purpose="")
    assert load_workbook(io.BytesIO(answer.data)).active["A1"].value == 2
    lines = [one for one in secretary.get("/api/v1/audit", query_string={"action": "export"}).json["lines"] if one["purpose"] == PURPOSE]
    assert len(lines) == 2 and all("persons.age" in one["fields"] for one in lines)
    assert ZHANG_NUMBER not in answer.get_data(as_text=False).decode("latin1")


def test_a_template_is_replaced_and_removed(office):
    """A corrected form takes the place of the old one; what is removed can no longer be filled."""
    person = office.signed_in("secretary")
    template = sent(person, a_form(), name="表.xlsx").json["template_id"]
    book = Workbook()
    book.active["A1"] = "{{社区}}"
    assert sent(person, book, path=f"/api/v1/templates/{template}").json["template_id"] == template
    _, answer = filled(office, person, template)
    assert load_workbook(io.BytesIO(answer.data)).active["A1"].value == "社区"
    original = person.get(f"/api/v1/templates/{template}/file")
    assert load_workbook(io.BytesIO(original.data)).active["A1"].value == "{{社区}}"
    assert person.client.delete(f"/api/v1/templates/{template}", headers=person.headers).status_code == 204
    assert problem(person.post(f"/api/v1/templates/{template}/runs", json={}))[0] == 404


def test_the_months_changes_add_up_person_by_person(office):
    """One event of each kind: who moved in, out, was born or died counts once; a move inside the community and a split on neither side;
    who came and went again is told apart. The lists name exactly those who are counted, and only residents are counted at the end."""
    house, secretary = office.house, actor_of(office, "secretary")

    def wrote(kind, record_type, record_id, **more):
        result = accept_user_operation(house, secretary, {"kind": kind, "type": record_type, "id": record_id, "set": {}, "was": {}} | more)
        assert result["now"]["outcome"] == "applied", result

    def person(name, household, since, reason, birth="1980-01-01"):
        record_id = uuid7()
        said = {"name": name, "sex": "1", "birth_date": birth, "birth_precision": "day", "document_missing_reason": "not_asked"}
        lives = {"residence_household": IDS[household], "resident_from": since, "joined_reason": reason} if household else {}
        wrote("create", "person", record_id, set=said | lives)
        return record_id

    def commanded(name, record_type, record_id, **arguments):
        with read(house.engine) as connection:
            row = run(connection, "SELECT v, tag FROM record WHERE id = ?", (record_id,)).one()
        wrote("command", record_type, record_id, name=name, base={"v": row.v, "tag": row.tag}, arguments=arguments, others={})

    person("新来", "household_a", "2026-03-01", "moved_in")
    person("新生", "household_a", "2026-03-01", "born", birth="2026-03-01")
    person("户籍在此", None, "", "")
    person("漏登", "household_a", "2026-03-01", "missed_before")
    gone, passed, dead, inside, apart, fact, both = (
        person(name, "household_b", since, "survey")
        for name, since in (("走了", "2020-01-01"), ("来去", "2026-03-01"), ("去世", "2020-01-01"), ("搬家", "2020-01-01"), ("分户", "2020-01-01"),
                            ("已故", "2020-01-01"), ("故去", "2020-01-01"))
    )
    wrote("patch", "person", passed, set={"joined_reason": "rented"}, was={"joined_reason": "survey"})
    for one in (gone, passed):
        commanded("person_left", "person", one, household=IDS["household_b"], reason="moved_out", on="2026-03-02")
    commanded("person_died", "person", dead, on="2026-03-02", household=IDS["household_b"])
    wrote("patch", "person", inside, set={"residence_household": IDS["household_a"], "resident_from": "2026-03-02", "joined_reason": "moved_in"},
          was={"residence_household": IDS["household_b"], "resident_from": "2020-01-01", "joined_reason": "survey"})  # fmt: skip
    wrote("patch", "person", fact, set={"vital_status": "deceased", "died_on": "2026-03-02"})  # as a fact, without the step
    wrote("patch", "person", both, set={"vital_status": "deceased", "died_on": "2026-03-02", "residence_household": None, "resident_from": None, "joined_reason": None},
          was={"residence_household": IDS["household_b"], "resident_from": "2020-01-01", "joined_reason": "survey"})  # fmt: skip
    commanded("split_household", "household", IDS["household_b"], new_household=uuid7(), members=[apart], on="2026-03-02")
    _, answer = filled(office, office.signed_in("secretary"), "ready-population_changes", begins="2026-03-01", ends="2026-03-31")
    book = load_workbook(io.BytesIO(answer.data))
    figures = {book["汇总"].cell(4, column).value: book["汇总"].cell(5, column).value for column in range(1, 8)}
    # at the end: 张三, 李四, 张小小, 王五 and 新来, 新生, 漏登, 搬家, 分户
    assert figures == {"迁入": 1, "出生": 1, "迁出": 2, "死亡": 3, "期内来又离开": 1, "净增": "=A5+B5+E5-C5-D5", "期末人数": 9}
    names = {title: {row[1].value for row in book[title].iter_rows(min_row=5) if row[1].value} for title in ("迁入与出生", "迁出与死亡", "去世仍在户")}
    assert names == {"迁入与出生": {"新来", "新生"}, "迁出与死亡": {"走了", "来去", "去世", "故去"}, "去世仍在户": {"已故"}}
    _, answer = filled(office, office.signed_in("secretary"), "ready-persons")
    page = load_workbook(io.BytesIO(answer.data))["人员"]
    assert {row[6].value for row in page.iter_rows(min_row=5) if row[6].value} == {
        "张三", "李四", "张小小", "王五", "新来", "新生", "漏登", "搬家", "分户"
    }  # fmt: skip
    assert "共9人" in page["A2"].value


def test_no_text_of_a_record_becomes_a_formula(office):
    """What somebody typed into a record is text in the table, whatever it begins with."""
    person = office.signed_in("secretary")
    book = Workbook()
    book.active["A1"] = "{{房屋: owner_text 不为空|owner_text}}"
    _, answer = filled(office, person, sent(person, book).json["template_id"])
    cell = load_workbook(io.BytesIO(answer.data)).active["A1"]
    assert (cell.value, cell.data_type) == ("=cmd|'/c calc'!A1", "s")


@pytest.mark.parametrize(
    ("formula", "row", "copied", "after"),
    [
        ("=SUM(D5)", 6, 0, "=SUM(D5:D7)"),
        ("=SUM(D4:D6)", 9, 0, "=SUM(D4:D8)"),
        ("=D5+D6", 6, 0, "=D5+D8"),
        ("=D5*2", 5, 2, "=D7*2"),
        ("=D4+E5", 5, 2, "=D6+E7"),
        ("=D$5/D$6", 5, 1, "=D$5/D$8"),
        ("=SUM(D$5:D5)", 5, 1, "=SUM(D$5:D6)"),
        ("=SUM(其他!D5)&'老 人'!A1", 5, 1, "=SUM(其他!D5)&'老 人'!A1"),
        ('=IF(D5="","D5",COUNTIF(D5:D5,">"&D3))', 6, 0, '=IF(D5="","D5",COUNTIF(D5:D7,">"&D3))'),
        ("=SUM(5:5)+SUM(D:D)", 6, 0, "=SUM(5:7)+SUM(D:D)"),
    ],
)
def test_formulas_follow_the_rows(formula, row, copied, after):
    """Three records in row 5: what is below moves down by two, ranges over the list take all of it, text stays."""
    maps = {"表": RowMap({5: 3}), "其他": RowMap({})}
    assert shifted(formula, "表", maps, row, copied) == after


def test_tables_are_checked_and_filled_at_a_terminal(office, tmp_path, monkeypatch):
    """`dishu table` lists, checks with sheet and cell, keeps and fills in the name of an account."""
    house = office.house
    monkeypatch.setattr("server.cli.tables.open_house", lambda: house)
    runner = CliRunner()
    told = runner.invoke(command, ["list", "--as", "secretary-1"])
    assert "ready-baseline  底数汇总" in told.output
    form, target = tmp_path / "老人表.xlsx", tmp_path / "filled.xlsx"
    form.write_bytes(content(a_form()))
    assert "1 lists, 2 fields, 2 figures, 2 values" in runner.invoke(command, ["check", str(form)]).output
    done = runner.invoke(command, ["fill", str(form), "--as", "secretary-1", "--purpose", PURPOSE, "--cell", CODE_B, "--output", str(target)])
    assert done.exit_code == 0, done.output
    assert load_workbook(target)["老人"]["B3"].value == "王五" and target.stat().st_mode & 0o077 == 0
    book = a_form()
    book["老人"]["D3"] = "{{.年岁}}"
    form.write_bytes(content(book))
    assert "老人!D3" in str(runner.invoke(command, ["check", str(form)]).exception)
