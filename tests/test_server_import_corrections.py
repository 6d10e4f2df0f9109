"""A table that comes again corrected: only what was corrected is written, nobody is made twice, later work of others stands."""

from __future__ import annotations

from typing import Any

from records_kit import id_number
from test_server_imports import (  # noqa: F401
    CORRECTED,
    LI,
    WANG,
    family,
    finish,
    living,
    office,
    outcomes,
    rows_of_report,
    run_act,
    secretary,
    workbook,
)

from server.services.sheet_import import folder
from server.services.verify import verify
from server.store.database import read, run

Rows = list[list[Any]]


def change(office: Any, person: Any, record_id: str, act: str = "patch", of: str = "person", **fields: Any) -> None:  # noqa: F811
    """Somebody at the office changes a record after the table was written, having seen it."""
    with read(office.house.engine) as connection:
        row = run(connection, "SELECT v, tag FROM record WHERE id = ?", (record_id,)).one()
    one = {"kind": act, "type": of, "id": record_id, "base": {"v": row.v, "tag": row.tag}, "set": fields}
    answer = person.post("/api/v1/groups", {"ops": [one]})
    assert [found["now"]["outcome"] for found in answer.json["results"]] == ["applied"], answer.data


def people(office: Any) -> dict[str, dict[str, Any]]:  # noqa: F811
    return {one["name"]: one for one in living(office, "person")}


def test_a_row_put_right_stays_the_person_that_it_was_written_to(office, secretary):  # noqa: F811
    """Number, birthday or name corrected in the table: the plan names the earlier row, the person is put right, and taken back as one act."""
    number = id_number
    corrections: list[tuple[list[str], list[str], list[str]]] = [
        (["李一", number("19800102", "001"), ""], ["李一", number("19800103", "001"), ""], ["birth_date", "document_number"]),
        (["李二", number("19810102", "001"), ""], ["李二", number("19810102", "007"), ""], ["document_number"]),
        (["李三", "", "1982-01-02"], ["李三", "", "1982-01-20"], ["birth_date"]),
        (["李四", "", "1983-01-02"], ["李思", "", "1983-01-02"], ["name"]),
        (["李五", "", ""], ["李武", "", ""], ["name"]),
    ]
    tables = [[[*one[which], "3", "2", f"50{door}"] for door, one in enumerate(corrections)] for which in (0, 1)]
    assert outcomes(run_act(office, secretary, workbook(tables[0], headings=CORRECTED), "write")) == {"new": 5}
    before = people(office)
    later = [["周六", "", "1990-01-01", "3", "2", "601"], *tables[1]]  # a row above them moves all others down
    plan = run_act(office, secretary, workbook(later, headings=CORRECTED), "plan")
    assert outcomes(plan) == {"new": 1, "changed": 5}
    told = rows_of_report(secretary, plan)[1:]
    assert [(one["record_id"], one["fields"]) for one in told] == [(before[was[0]]["id"], fields) for was, _, fields in corrections]
    assert [one["of_earlier"] for one in told] == [one["row"] - 1 for one in told]
    assert people(office) == before  # a plan writes nothing
    said = run_act(office, secretary, workbook(later, headings=CORRECTED), "write")
    assert outcomes(said) == {"new": 1, "changed": 5}
    after = people(office)
    assert {one["id"] for one in after.values()} > {one["id"] for one in before.values()} and len(after) == 6
    assert after["李思"]["id"] == before["李四"]["id"] and after["李三"]["birth_date"] == "1982-01-20" and after["李一"]["birth_date"] == "1980-01-03"
    assert after["李二"]["document_number"] != before["李二"]["document_number"]
    assert len(living(office, "household")) == 6
    assert outcomes(run_act(office, secretary, workbook(later, headings=CORRECTED), "plan")) == {"same": 6}
    finish(office, secretary, secretary.post(f"/api/v1/imports/{said['import_id']}/undo", {}).json["import_id"])
    restored = people(office)
    assert {name: {**one, "v": 0} for name, one in restored.items()} == {name: {**one, "v": 0} for name, one in before.items()}
    assert verify(office.house).difference is None


def test_what_others_have_changed_since_is_not_put_back(office, secretary):  # noqa: F811
    """A corrected table touches the corrected cells alone; a fact that somebody else has changed since is told, in the plan already."""
    run_act(office, secretary, workbook(family()), "write")
    wang = people(office)["王二"]["id"]
    change(office, secretary, wang, political_code="13", phones={"add": ["13700000000"], "remove": []}, birth_date="1982-03-05")
    rows = family(phone="13800000000")
    rows[1][11] = "热心 会弹琴"
    for act in ("plan", "write"):
        said = run_act(office, secretary, workbook(rows), act)
        assert outcomes(said) == {"changed": 2, "same": 1}
        told = {one["row"]: one for one in rows_of_report(secretary, said)}
        (row,) = [one for one in told.values() if one["record_id"] == wang]
        assert row["fields"] == ["note"] and row["kept"] == ["birth_date", "political_code"] and row["against"] == []
    now = people(office)["王二"]
    assert (now["political_code"], now["phones"], now["note"], now["birth_date"]) == ("13", ["13700000000"], "热心 会弹琴", "1982-03-05")


def test_a_fact_corrected_in_the_table_and_at_the_door_is_a_conflict(office, secretary):  # noqa: F811
    """Both values are kept for the secretary to decide, and the plan says so before anything is written."""
    rows: Rows = [["李三", "", "1982-01-02", "3", "2", "501"], ["赵四", "", "1983-01-02", "3", "2", "502"]]
    run_act(office, secretary, workbook(rows, headings=CORRECTED), "write")
    li = people(office)["李三"]["id"]
    change(office, secretary, li, birth_date="1982-02-02")
    rows[0][2] = "1982-01-20"
    plan = run_act(office, secretary, workbook(rows, headings=CORRECTED), "plan")
    assert rows_of_report(secretary, plan)[0]["against"] == ["birth_date"]
    said = run_act(office, secretary, workbook(rows, headings=CORRECTED), "write")
    assert outcomes(said) == {"conflict": 1, "same": 1}
    with read(office.house.engine) as connection:
        open_ones = run(connection, "SELECT record_id, unit FROM conflict").all()
    assert [tuple(one) for one in open_ones] == [(li, "birth")]
    assert verify(office.house).difference is None


def test_who_has_moved_or_gone_since_is_not_brought_back(office, secretary):  # noqa: F811
    """The table still says the old door: whoever moved stays where they live; whoever was deleted is told, and not made again."""
    rows: Rows = [[name, "", f"198{at}-01-02", "3", "2", f"50{at}"] for at, name in enumerate(("李三", "赵四", "王五"))]
    run_act(office, secretary, workbook(rows, headings=CORRECTED), "write")
    there = people(office)
    change(office, secretary, there["李三"]["id"], residence_household=there["赵四"]["residence_household"])
    change(office, secretary, there["王五"]["id"], "delete")
    said = run_act(office, secretary, workbook(rows, headings=CORRECTED), "write")
    assert outcomes(said) == {"same": 2, "doubtful": 1}
    told = rows_of_report(secretary, said)
    assert told[0]["kept"] == ["residence_household"]
    assert (told[2]["gone"], told[2]["candidates"]) == (True, [there["王五"]["id"]])
    assert people(office)["李三"]["residence_household"] == there["赵四"]["residence_household"]
    rows[0][5] = "503"  # now the table says another door than before: that is a correction
    assert outcomes(run_act(office, secretary, workbook(rows, headings=CORRECTED), "plan"))["changed"] == 1


def test_a_table_that_comes_after_its_earlier_one_is_forgotten_replaces_nothing_unseen(office, secretary):  # noqa: F811
    """Nothing tells any more which cells were corrected: what only tables have written is put right, what somebody wrote by hand is a conflict."""
    run_act(office, secretary, workbook(family()), "write")
    there = people(office)
    change(office, secretary, there["王二"]["id"], political_code="13", birth_date="1982-03-05")
    for file in folder(office.house).iterdir():  # as after thirty days
        file.unlink()
    rows = family(phone="13800000000")
    rows[2][10] = "党员"
    plan = run_act(office, secretary, workbook(rows), "plan")
    assert [(one["fields"], one["against"], one["kept"]) for one in rows_of_report(secretary, plan)] == [
        (["phones"], [], []), (["birth_date"], ["birth_date"], ["political_code"]), (["political_code"], [], []),
    ]  # fmt: skip
    assert outcomes(run_act(office, secretary, workbook(rows), "write")) == {"changed": 2, "conflict": 1}
    now = people(office)
    assert now["李一"]["phones"] == ["13912340000", "13800000000"] and now["赵三"]["political_code"] == "01"
    assert now["王二"]["political_code"] == "13"
    with read(office.house.engine) as connection:
        open_ones = run(connection, "SELECT record_id, unit FROM conflict").all()
    assert [tuple(one) for one in open_ones] == [(there["王二"]["id"], "birth")]
    assert verify(office.house).difference is None


def test_a_table_is_written_and_taken_back_as_by_its_importer(office, secretary):  # noqa: F811
    """The journal says of all of it: an import, by whom, through which one."""
    import_id = run_act(office, secretary, workbook(family()), "write")["import_id"]
    finish(office, secretary, secretary.post(f"/api/v1/imports/{import_id}/undo", {}).json["import_id"])
    with read(office.house.engine) as connection:
        told = run(
            connection,
            "SELECT j.source, j.actor_id, j.install_id FROM journal j JOIN operation o ON o.community_id = j.community_id AND o.number = j.number "
            "WHERE o.record_type = 'person' ORDER BY o.n",
        ).all()
    assert {tuple(one) for one in told} == {("import", office.users["secretary"], import_id)} and len(told) == 6


def test_an_import_that_was_taken_back_is_no_earlier_table(office, secretary):  # noqa: F811
    """After an undo the same table makes its people anew."""
    first = run_act(office, secretary, workbook(family()), "write")
    finish(office, secretary, secretary.post(f"/api/v1/imports/{first['import_id']}/undo", {}).json["import_id"])
    assert outcomes(run_act(office, secretary, workbook(family()), "write")) == {"new": 3}


def test_a_column_more_puts_back_nothing_that_was_changed_by_hand(office, secretary):  # noqa: F811
    """The same table with a column added, renamed and moved: what somebody changed since stays, the new column is written."""
    headings = [*CORRECTED, "职业"]
    rows: Rows = [["李三", LI, "", "3", "2", "501", "教师"], ["王五", WANG, "", "3", "2", "502", "司机"]]
    run_act(office, secretary, workbook(rows, headings=headings), "write")
    there = people(office)
    change(office, secretary, there["李三"]["id"], occupation_text="校长", residence_household=there["王五"]["residence_household"])
    wider = ["身份证号", "姓名", *headings[2:], "籍贯地址不导入", "民族"]
    later = [[row[1], row[0], *row[2:], "", "汉族"] for row in rows]
    later[1][6] = "电工"
    for act in ("plan", "write"):
        said = run_act(office, secretary, workbook(later, headings=wider), act)
        assert outcomes(said) == {"changed": 2}
        told = rows_of_report(secretary, said)
        assert [(one["fields"], one["kept"], one["against"]) for one in told] == [
            (["ethnic_code"], ["residence_household", "occupation_text"], []), (["ethnic_code", "occupation_text"], [], []),
        ]  # fmt: skip
    now = people(office)
    assert (now["李三"]["occupation_text"], now["王五"]["occupation_text"]) == ("校长", "电工")
    assert now["李三"]["residence_household"] == there["王五"]["residence_household"]
    change(office, secretary, there["王五"]["id"], occupation_text="退休")
    narrow = run_act(office, secretary, workbook([[*row[:6], old] for row, old in zip(rows, ("教师", "电工"), strict=True)], headings=headings), "write")
    assert outcomes(narrow) == {"same": 2}  # the first headings again, with what the wider table had said
    assert people(office)["王五"]["occupation_text"] == "退休"
    for file in folder(office.house).iterdir():  # as after thirty days
        file.unlink()
    other = run_act(office, secretary, workbook([[*row, "汉族"] for row in rows], headings=[*headings, "族别"]), "write")
    assert [one["kept"] for one in rows_of_report(secretary, other)] == [["occupation_text"], ["occupation_text"]]
    assert {name: one["occupation_text"] for name, one in people(office).items()} == {"李三": "校长", "王五": "退休"}
    assert verify(office.house).difference is None


def test_no_earlier_table_is_forgotten_while_it_is_kept(office, secretary):  # noqa: F811
    """Each building has its own table: the seventh one still knows what the first one said."""
    headings = [*CORRECTED, "职业"]
    for at in range(7):
        assert outcomes(run_act(office, secretary, workbook([[f"李{at}", "", f"198{at}-01-02", "3", "2", f"50{at}", "教师"]], headings=headings), "write")) == {"new": 1}
    first = people(office)["李0"]
    change(office, secretary, first["id"], birth_date="1980-02-02", occupation_text="校长")
    again = run_act(office, secretary, workbook([["李0", "", "1980-01-02", "3", "2", "500", "园丁"]], headings=headings), "plan")
    (row,) = rows_of_report(secretary, again)
    assert (row["record_id"], row["kept"], row["against"]) == (first["id"], ["birth_date"], ["occupation_text"])


def test_what_others_have_changed_in_dwelling_and_household_is_told_too(office, secretary):  # noqa: F811
    """The plan names what stays as somebody wrote it since, and what was corrected on both sides, of the home as of the person."""
    headings = [*CORRECTED, "房屋用途", "业主电话", "户类型"]
    row = ["李三", LI, "", "3", "2", "501", "居住", "0512-60000001", "家庭"]
    run_act(office, secretary, workbook([row], headings=headings), "write")
    (dwelling,), (household,) = living(office, "dwelling"), living(office, "household")
    change(office, secretary, dwelling["id"], of="dwelling", use="shop", owner_phone="0512-60000009")
    change(office, secretary, household["id"], of="household", kind="collective")
    row[7] = "0512-60000002"
    said = run_act(office, secretary, workbook([row], headings=headings), "write")
    assert outcomes(said) == {"changed": 1}
    (told,) = rows_of_report(secretary, said)
    assert (told["kept"], told["against"]) == (["dwelling.use", "household.kind"], ["dwelling.owner_phone"])
    (dwelling,), (household,) = living(office, "dwelling"), living(office, "household")
    assert (dwelling["use"], household["kind"]) == ("shop", "collective")
    assert verify(office.house).difference is None
