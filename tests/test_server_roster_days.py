"""Rosters and figures of another day and of another edition: what was true, not only what was known (L4)."""

from __future__ import annotations

import pytest
from cells_kit import cell, collection, path_of
from front_door import COMMUNITY, problem
from records_kit import CODE_A, CODE_B, IDS, actor_of, office_with_records, write_operation
from sqlalchemy import select

from server.models import record
from server.permissions import Scope
from server.services import placement
from server.store.database import read


@pytest.fixture
def office(prepared_database, tmp_path, clock):
    found = office_with_records(prepared_database, tmp_path, clock)
    yield found
    found.house.engine.dispose()


def listed(person, code, **asked):
    words = "&".join(f"{name}={value}" for name, value in asked.items())
    answer = person.get(f"/api/v1/cells/{code}/roster/persons?{words}")
    assert answer.status_code == 200, answer.data
    return {row["name"] for row in answer.json["rows"]}


def figures(person, **asked):
    words = "&".join(f"{name}={value}" for name, value in asked.items())
    answer = person.get(f"/api/v1/communities/{COMMUNITY}/baseline?{words}")
    assert answer.status_code == 200, answer.data
    return answer.json


def moved(office):
    """王五 moves from cell b to cell a on 2026-03-15, which is written down on the day that the records kit has now."""
    values = {"residence_household": IDS["household_a"], "relation_to_head": "97", "resident_from": "2026-03-15"}
    result = write_operation(office.house, actor_of(office, "secretary"), "patch", "wang", values, base={"v": 1, "tag": _tag(office)})
    assert result["now"]["outcome"] == "applied", result


def _tag(office):
    with read(office.house.engine) as connection:
        return connection.execute(select(record.c.tag).where(record.c.id == IDS["wang"])).scalar()


def test_who_lived_where_on_a_day(office, clock):
    """As of a day before the move he is on the roster of the old cell; the day he moved counts for the new one."""
    moved(office)
    secretary = office.signed_in("secretary")
    assert "王五" in listed(secretary, CODE_A) and "王五" not in listed(secretary, CODE_B)
    assert "王五" in listed(secretary, CODE_B, as_of="2026-03-14") and "王五" not in listed(secretary, CODE_A, as_of="2026-03-14")
    assert "王五" in listed(secretary, CODE_A, as_of="2026-03-15") and "王五" not in listed(secretary, CODE_B, as_of="2026-03-15")
    book = f"/api/v1/communities/{COMMUNITY}/roster/household_book"
    assert [row["members_count"] for row in secretary.get(f"{book}?as_of=2026-03-14").json["rows"]] == [3, 1]
    assert [row["members_count"] for row in secretary.get(f"{book}?as_of=2026-03-15").json["rows"]] == [4, 0]
    row = next(
        one
        for one in secretary.get(f"/api/v1/cells/{CODE_B}/roster/persons?as_of=2026-03-14").json["rows"]
        if one["name"] == "王五"
    )
    assert row["relation_to_head"] == "02" and row["door_number"] == "1001"


def test_births_and_deaths_of_a_day(office):
    """Who was not born is not listed, who died later was alive; ages are those of the day."""
    secretary = office.signed_in("secretary")
    assert "张小小" not in listed(secretary, CODE_A, as_of="2020-05-31")
    rows = secretary.get(f"/api/v1/cells/{CODE_A}/roster/persons?as_of=2020-06-01").json["rows"]
    assert {row["name"]: row["age"] for row in rows}["张小小"] == 0
    before, after = figures(secretary, as_of="2026-01-04"), figures(secretary, as_of="2026-01-05")
    assert before["total"]["counts"]["person"] == after["total"]["counts"]["person"] + 1
    assert before["true_on"] == "2026-01-04" and before["cells"][0]["freshness"] is None


def test_the_figures_of_today_are_the_same_by_both_ways(office, clock):
    """Counted from the records, or by the database: one truth."""
    secretary = office.signed_in("secretary")
    now = figures(secretary)
    then = figures(secretary, as_of=clock.now.date().isoformat())
    for one, other in zip([*now["cells"], now["unplaced"], now["total"]], [*then["cells"], then["unplaced"], then["total"]], strict=True):
        assert one["counts"] == other["counts"] and one["coverage"] == other["coverage"]


def test_rosters_of_another_edition(office, clock):
    """A division of the past, or the present one for the past: everybody is listed once, in the cells that were asked for."""
    secretary = office.signed_in("secretary")
    first = figures(secretary)
    document = collection(cell(11, 120.6, 31.3, 120.62, 31.304), cell(12, 120.6, 31.304, 120.62, 31.31))
    edition_id = secretary.post(path_of() + "?datum=wgs84", document).json["edition_id"]
    assert secretary.post(f"{path_of()}/{edition_id}/publish").status_code == 200
    path = f"/api/v1/communities/{COMMUNITY}/roster/persons"
    now, old = secretary.get(path).json, secretary.get(f"{path}?edition=1").json
    assert {row["id"] for row in now["rows"]} == {row["id"] for row in old["rows"]}
    assert {row["cell_code"] for row in old["rows"]} >= {CODE_A, CODE_B} and old["edition"]["number"] == 1
    assert {row["cell_code"] for row in now["rows"] if row["cell_code"]} <= {f"{CODE_A[:-3]}011", f"{CODE_A[:-3]}012"}
    assert listed(secretary, CODE_A, edition="1") == {"张三", "李四", "张小小"}
    assert problem(secretary.get(f"/api/v1/cells/{CODE_A}/roster/persons")) == (404, "not-found")
    assert problem(secretary.get(f"{path}?edition=99")) == (404, "not-found")
    told = figures(secretary, edition="1")
    assert [one["counts"] for one in told["cells"]] == [one["counts"] for one in first["cells"]]
    assert [one["code"] for one in told["cells"]] == [one["code"] for one in first["cells"]]
    assert figures(secretary, edition="2")["total"]["counts"] == first["total"]["counts"]


@pytest.mark.parametrize("divided", [False, True])
def test_a_pin_is_where_it_was_under_a_past_edition(office, divided):
    """An entrance pinned across the border stands there under the edition of then, too, when its cell has another identity now, or was
    divided and the pin was taken away with it: it does not fall back to where its point lies."""
    secretary = office.signed_in("secretary")
    pinned = placement.pin(
        office.house, actor_of(office, "secretary"), Scope((COMMUNITY,)), COMMUNITY, "entrance", IDS["entrance_a"], cell="cell-b", reason="院门在东侧"
    )
    assert pinned["now"]["outcome"] == "applied"
    assert "张三" in listed(secretary, CODE_B)
    east = [cell(12, 120.61, 31.3, 120.615, 31.31), cell(13, 120.615, 31.3, 120.62, 31.31)] if divided else [cell(12, 120.61, 31.3, 120.62, 31.31)]
    document = collection(cell(11, 120.6, 31.3, 120.61, 31.31, cell_id="new-west"), *east)
    edition_id = secretary.post(path_of() + "?datum=wgs84", document).json["edition_id"]
    assert secretary.post(f"{path_of()}/{edition_id}/publish").status_code == 200
    assert "张三" in listed(secretary, CODE_B, edition="1") and "张三" not in listed(secretary, CODE_A, edition="1")
    counts = {one["code"]: one["counts"]["entrance"] for one in figures(secretary, edition="1")["cells"]}
    assert (counts[CODE_A], counts[CODE_B]) == (0, 1)


def test_a_pin_on_ground_that_came_in_later_names_no_cell_of_then(office):
    """Two editions later an entrance is pinned into a cell whose ground belonged to nobody at first: under the first edition it stands
    where its point lies, in a cell that there was."""
    secretary = office.signed_in("secretary")
    before = listed(secretary, CODE_A)
    for east in ("east", "further"):
        grown = collection(
            cell(1, 120.6, 31.3, 120.61, 31.31, cell_id="cell-a"), cell(2, 120.61, 31.3, 120.62, 31.31, cell_id="cell-b"),
            cell(13, 120.62, 31.3, 120.63, 31.31, cell_id=east),
        )  # fmt: skip
        edition_id = secretary.post(path_of() + "?datum=wgs84", grown).json["edition_id"]
        answer = secretary.post(f"{path_of()}/{edition_id}/publish")
        assert answer.status_code == 200, answer.data
        if east == "east":
            placement.pin(
                office.house, actor_of(office, "secretary"), Scope((COMMUNITY,)), COMMUNITY, "entrance", IDS["entrance_a"], cell="east", reason="院门在东侧"
            )  # fmt: skip
    assert listed(secretary, CODE_A, edition="1") == before
    assert {row["cell_code"] for row in secretary.get(f"/api/v1/communities/{COMMUNITY}/roster/persons?edition=1").json["rows"]} == {CODE_A, CODE_B}


def test_what_was_known_then_is_told_in_the_cells_of_then(office, clock):
    """known_at goes back to the edition of that time by the ledger, without placing anything anew: the roster and the figures of then,
    whatever was deleted, filled in and moved since."""
    secretary = office.signed_in("secretary")
    then = clock.now.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    before = secretary.get(f"/api/v1/communities/{COMMUNITY}/roster/persons").json["rows"]
    counted = figures(secretary)
    from datetime import timedelta

    clock.now += timedelta(hours=1)
    deleted = write_operation(office.house, actor_of(office, "secretary"), "delete", "wang", {}, base={"v": 1, "tag": _tag(office)})
    filled = write_operation(office.house, actor_of(office, "secretary"), "patch", "dwelling_c", {"occupancy": "empty"})
    assert [one["now"]["outcome"] for one in (deleted, filled)] == ["applied", "applied"]
    document = collection(cell(11, 120.6, 31.3, 120.62, 31.304), cell(12, 120.6, 31.304, 120.62, 31.31))
    edition_id = secretary.post(path_of() + "?datum=wgs84", document).json["edition_id"]
    assert secretary.post(f"{path_of()}/{edition_id}/publish").status_code == 200
    path = f"/api/v1/communities/{COMMUNITY}/roster/persons"
    assert {row["cell_code"] for row in secretary.get(path).json["rows"]}.isdisjoint({CODE_A, CODE_B})
    after = secretary.get(f"{path}?known_at={then}").json
    assert [(row["id"], row["cell_code"]) for row in after["rows"]] == [(row["id"], row["cell_code"]) for row in before]
    assert after["edition"]["number"] == 1
    told, now = figures(secretary, known_at=then), figures(secretary)
    assert (told["known_at"], told["edition"]["number"]) == (then, 1)
    for part in ("counts", "coverage"):
        assert [one[part] for one in told["cells"]] == [one[part] for one in counted["cells"]], part
        assert told["total"][part] == counted["total"][part] != now["total"][part], part
    assert [one["code"] for one in told["cells"]] == [CODE_A, CODE_B] != [one["code"] for one in now["cells"]]
    assert told["total"]["counts"]["person"] == now["total"]["counts"]["person"] + 1
    assert now["total"]["coverage"]["share"] == 1.0
    assert figures(secretary, known_at="2026-02-01")["total"]["counts"]["person"] == 0


def test_a_day_that_is_no_day_is_said(office):
    """A slip of the pen gets a place, not a wrong roster."""
    secretary = office.signed_in("secretary")
    answer = secretary.get(f"/api/v1/communities/{COMMUNITY}/roster/persons?as_of=yesterday")
    assert problem(answer) == (422, "invalid-input") and answer.json["errors"][0]["pointer"] == "/as_of"
    assert problem(secretary.get(f"/api/v1/communities/{COMMUNITY}/baseline?as_of=2026-02-30")) == (422, "invalid-input")
