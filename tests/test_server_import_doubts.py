"""Tables that would make two one, or one two: what a row does not say for certain is told, never guessed."""

from __future__ import annotations

import io
from typing import Any

import openpyxl
from test_server_imports import (  # noqa: F401
    CORRECTED,
    LI,
    WANG,
    ZHAO,
    living,
    office,
    outcomes,
    rows_of_report,
    run_act,
    secretary,
    workbook,
)

from server.house import uuid7


def add_building(person: Any) -> None:
    """A building 8 of which nobody has recorded the entrances."""
    anchor = {"lon": 120.605, "lat": 31.305, "datum": "cgcs2000", "accuracy_m": 5, "confidence": 0.95, "method": "survey"}
    added = {"ops": [{"kind": "create", "type": "building", "id": uuid7(), "set": {"number": "8", "anchor": anchor}}]}
    assert person.post("/api/v1/groups", added).status_code == 200


def test_two_stairways_of_a_building_without_entrances_stay_two_homes(office, secretary):  # noqa: F811
    """The same door number in two stairways nobody has recorded: two homes that wait for their place, with the reason; again nothing changes."""
    add_building(secretary)
    rows = [["李一", LI, "", "8幢", "1单元", "501"], ["王二", WANG, "", "8幢", "2单元", "501"]]
    said = run_act(office, secretary, workbook(rows, headings=CORRECTED), "write")
    assert outcomes(said) == {"unplaced": 2}
    assert [one["place"] for one in rows_of_report(secretary, said)] == ["no_entrance", "no_entrance"]
    assert len({one["residence_household"] for one in living(office, "person")}) == len(living(office, "dwelling")) == 2
    assert outcomes(run_act(office, secretary, workbook(rows, headings=CORRECTED), "write")) == {"same": 2}


def test_a_family_whose_address_is_merged_lives_behind_one_door(office, secretary):  # noqa: F811
    """Building, door and head are written once beside a family, as on paper: everybody lives there; lines left blank in the block are none."""
    headings = ["户主姓名", "楼栋", "单元", "室号", "姓名", "身份证号码"]
    rows = [["李一", "3幢", "2单元", "501室", "李一", LI], [None, None, None, None, "王二", WANG], [], [None, None, None, None, "钱四", None]]
    book = openpyxl.load_workbook(io.BytesIO(workbook(rows, headings=headings)))
    page = book.active
    last = page.max_row
    for column in "ABCD":
        page.merge_cells(f"{column}{last - 3}:{column}{last + 2}")
    file = io.BytesIO()
    book.save(file)
    assert outcomes(run_act(office, secretary, file.getvalue(), "write")) == {"new": 3}
    assert len({one["residence_household"] for one in living(office, "person")}) == len(living(office, "dwelling")) == 1
    assert {one["home"] for one in living(office, "person")} == {"cell/cell-a"}


def test_somebody_without_an_address_is_told_as_unplaced(office, secretary):  # noqa: F811
    """Nobody new goes in as if the table had said where they live; one who is known already is not bothered. A dash for the entrance names none."""
    add_building(secretary)
    rows = [["李一", LI, "", "", "", ""], ["王二", WANG, "", "3", "2", ""], ["赵三", ZHAO, "", "8", "/", "101"]]
    said = run_act(office, secretary, workbook(rows, headings=CORRECTED), "write")
    assert outcomes(said) == {"unplaced": 2, "new": 1}
    assert [one["place"] for one in rows_of_report(secretary, said)] == ["no_address", "no_address", "new_dwelling"]
    again = run_act(office, secretary, workbook(rows, headings=CORRECTED), "plan")
    assert outcomes(again) == {"same": 3} and not any(one.get("place") for one in rows_of_report(secretary, again))


def test_who_lives_behind_a_door_without_entrance_does_not_move_out(office, secretary):  # noqa: F811
    """A later table names the stairway that nobody has recorded: the home stays; a name that is not certain is doubtful."""
    add_building(secretary)
    before = [["李一", LI, "", "8", "", "501"], ["钱四", "", "", "8", "", "501"]]
    assert outcomes(run_act(office, secretary, workbook(before, headings=CORRECTED), "write")) == {"new": 2}
    after = [["李一", LI, "", "8", "1", "501"], ["钱四", "", "", "8", "1", "501"]]
    said = run_act(office, secretary, workbook(after, headings=[*CORRECTED, "民族"]), "write")  # no later edition of the same table
    assert outcomes(said) == {"same": 1, "doubtful": 1}
    assert len(living(office, "person")) == 2 and len(living(office, "household")) == 1


def test_a_number_with_somebody_elses_name_overwrites_nobody(office, secretary):  # noqa: F811
    """The row is doubtful and names whom the number belongs to; one character, or another one of the same sound, is a correction."""
    first = [["李一", LI, "", "3", "2", "501"], ["王尔", WANG, "", "3", "2", "502"], ["赵三", ZHAO, "", "3", "1", "101"]]
    assert outcomes(run_act(office, secretary, workbook(first, headings=CORRECTED), "write")) == {"new": 3}
    there = {one["name"]: one["id"] for one in living(office, "person")}
    second = [["周建国", LI, "", "3", "2", "501"], ["王二", WANG, "", "3", "2", "502"], ["肇叁", ZHAO, "", "3", "1", "101"]]
    for headings in ([*CORRECTED, "民族"], CORRECTED):  # as a table of its own, and as the next edition of the first
        said = run_act(office, secretary, workbook(second, headings=headings), "plan")
        assert outcomes(said) == {"doubtful": 1, "changed": 2}
        assert rows_of_report(secretary, said)[0]["candidates"] == [there["李一"]]


def test_one_number_with_two_names_in_one_table_is_told(office, secretary):  # noqa: F811
    """The second row is no repetition of the first: it is doubtful, and says of which row the number is."""
    rows = [["李一", LI, "", "3", "2", "501"], ["周建国", LI, "", "3", "2", "502"], ["李壹", LI, "", "3", "2", "501"]]
    said = run_act(office, secretary, workbook(rows, headings=CORRECTED), "write")
    assert outcomes(said) == {"new": 1, "doubtful": 1, "duplicate": 1}
    told = rows_of_report(secretary, said)
    assert told[1]["of_row"] == told[2]["of_row"] == told[0]["row"]
    assert [one["name"] for one in living(office, "person")] == ["李一"]
