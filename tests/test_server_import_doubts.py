"""Tables that would make two one, or one two: what a row does not say for certain is told, never guessed."""

from __future__ import annotations

from typing import Any

from test_server_imports import (  # noqa: F401
    CORRECTED,
    LI,
    WANG,
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


def test_who_lives_behind_a_door_without_entrance_does_not_move_out(office, secretary):  # noqa: F811
    """A later table names the stairway that nobody has recorded: the home stays; a name that is not certain is doubtful."""
    add_building(secretary)
    before = [["李一", LI, "", "8", "", "501"], ["钱四", "", "", "8", "", "501"]]
    assert outcomes(run_act(office, secretary, workbook(before, headings=CORRECTED), "write")) == {"new": 2}
    after = [["李一", LI, "", "8", "1", "501"], ["钱四", "", "", "8", "1", "501"]]
    said = run_act(office, secretary, workbook(after, headings=[*CORRECTED, "民族"]), "write")  # no later edition of the same table
    assert outcomes(said) == {"same": 1, "doubtful": 1}
    assert len(living(office, "person")) == 2 and len(living(office, "household")) == 1
