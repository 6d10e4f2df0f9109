from __future__ import annotations

import json
import uuid
from itertools import pairwise

import pytest
import shapely
from front_door import COMMUNITY
from records_kit import CODE_A, CODE_B, IDS, actor_of, office_with_records
from test_server_exports import exported

from geo.cell import Cell
from geo.cells import DraftEdition
from server.services.editions import publish_edition
from server.services.figures import MEASURES, TOTAL, figures
from server.store.database import write

PATH = f"/api/v1/communities/{COMMUNITY}/baseline"


@pytest.fixture
def office(prepared_database, tmp_path, clock):
    found = office_with_records(prepared_database, tmp_path, clock)
    yield found
    found.house.engine.dispose()


def crowd(office, cell, count, *, households=5, like="zhang", changes=None):
    """Copies of a person, living in so many households of a cell."""
    with write(office.house.engine) as connection:
        row = dict(connection.exec_driver_sql(f"SELECT * FROM record WHERE id = '{IDS[like]}'").mappings().one())
        for number in range(count):
            fields = json.loads(row["fields"]) | (changes or {})
            fields["residence_household"] = f"household-{cell}-{number % households}"
            row |= {"id": str(uuid.uuid4()), "home": f"cell/{cell}", "fields": json.dumps(fields)}
            marks = ", ".join(f"%({name})s" if connection.dialect.name == "postgresql" else f":{name}" for name in row)
            names = ", ".join(row)
            connection.exec_driver_sql(f"INSERT INTO record ({names}) VALUES ({marks})", row)


def told(office):
    return figures(office.house, COMMUNITY).values


def test_a_small_community_tells_nothing_about_people(office):
    """With five persons on record no count of people leaves for a planner: not in files, not over OGC, not as baseline."""
    _, answer = exported(office, role="planner", layers=["figures"])
    rows = [one["properties"] for one in answer.json["features"]]
    assert [row["code"] for row in rows] == [CODE_A, f"{CODE_A[:-1]}2"]
    assert all(row[measure] is None for row in rows for measure in MEASURES)
    assert "人员数" in rows[0]["withheld"]
    _, answer = exported(office, role="planner", layers=["cells"])
    cell = answer.json["features"][0]["properties"]
    assert (cell["person_count"], cell["household_count"], cell["dwelling_count"]) == (None, None, 1)
    planner = office.signed_in("planner")
    items = planner.get("/ogc/collections/figures/items").json["features"]
    assert [one["properties"]["person_count"] for one in items] == [None, None]
    baseline = planner.get(PATH).json
    assert baseline["total"]["counts"]["person"] is None and baseline["total"]["counts"]["dwelling"] == 3
    for summary in (*baseline["cells"], baseline["total"], baseline["unplaced"]):
        assert (summary["coverage"]["surveyed_dwellings"], summary["coverage"]["share"]) == (None, None)
        if summary["freshness"] is not None:
            assert [summary["freshness"][name] for name in ("records", "median_days", "oldest_days")] == [None, None, None]
    assert (cell["median_days"], cell["surveyed_dwellings"], cell["coverage"]) == (None, None, None)
    assert cell["expected_dwellings"] is not None
    overview = planner.get(f"/api/v1/communities/{COMMUNITY}/overview").json
    assert all(one["coverage"]["surveyed_dwellings"] is None for one in (*overview["cells"], overview["total"]))
    assert office.signed_in("secretary").get(PATH).json["total"]["counts"]["person"] == 4


def test_enough_people_are_told_rounded(office):
    """Counts with enough behind them are told, near the truth, in fives; cells and community alike in every interface."""
    crowd(office, "cell-a", 63)
    crowd(office, "cell-b", 48)
    values = told(office)
    assert values["cell-a"]["person_count"] in (65, 70)
    assert values["cell-b"]["person_count"] == 50 or values["cell-b"]["person_count"] == 45
    assert values[TOTAL]["person_count"] in (110, 115)
    assert values["cell-a"]["female"] is None and values["cell-a"]["male"] is None
    planner = office.signed_in("planner")
    _, answer = exported(office, role="planner", layers=["figures"])
    by_file = {one["id"]: one["properties"]["person_count"] for one in answer.json["features"]}
    by_ogc = {
        one["id"]: one["properties"]["person_count"]
        for one in planner.get("/ogc/collections/figures/items").json["features"]
    }
    by_baseline = {one["cell_id"]: one["counts"]["person"] for one in planner.get(PATH).json["cells"]}
    assert by_file == by_ogc == by_baseline == {cell: values[cell]["person_count"] for cell in ("cell-a", "cell-b")}
    one = planner.get("/ogc/collections/figures/items/cell-a").json["properties"]
    assert one["person_count"] == by_file["cell-a"]
    found = planner.get("/ogc/collections/figures/items?filter=person_count > 60").json["features"]
    assert [each["id"] for each in found] == ["cell-a"]


def test_a_dormitory_is_not_told(office):
    """A cell in which nearly everybody lives in one household is withheld, and so is what would give it away."""
    crowd(office, "cell-a", 80, households=1)
    crowd(office, "cell-b", 60)
    values = told(office)
    assert values["cell-a"]["resident_person_count"] is None
    assert values["cell-b"]["resident_person_count"] is None  # else community minus cell b is cell a


def test_a_month_is_told_once(office, clock):
    """Somebody who moves in changes no file of this month, so two files of it differ in nothing."""
    crowd(office, "cell-a", 63)
    crowd(office, "cell-b", 48)
    before = figures(office.house, COMMUNITY)
    crowd(office, "cell-a", 30)
    assert figures(office.house, COMMUNITY) == before
    clock.advance(days=31)
    later = figures(office.house, COMMUNITY)
    assert later.period != before.period
    assert later.values["cell-a"]["person_count"] in (95, 100)
    assert later.values["cell-b"] == before.values["cell-b"]  # what did not change is told the same


def test_what_was_withheld_stays_withheld(office, clock):
    """A cell that grows past the threshold is not told suddenly: the earlier month would follow from the difference."""
    crowd(office, "cell-b", 48)
    assert told(office)["cell-a"]["person_count"] is None
    crowd(office, "cell-a", 63)
    clock.advance(days=31)
    assert told(office)["cell-a"]["person_count"] is None


def renamed(office, *names, west=(120.6, 120.61, 120.62)):
    """Another edition of the two cells, under other names, their common border where ``west`` puts it."""
    drawn = [shapely.box(a, 31.3, b, 31.31) for a, b in pairwise(west)]
    draft = DraftEdition(
        tuple(
            Cell(cell, code, name, shapely.set_precision(box, 1e-7))
            for cell, code, name, box in zip(("cell-a", "cell-b"), (CODE_A, CODE_B), names, drawn, strict=True)
        ), (), "cgcs2000",
    )  # fmt: skip
    return publish_edition(office.house, actor_of(office, "secretary"), COMMUNITY, draft)


def test_another_edition_undoes_no_suppression(office, clock):
    """Renaming a cell neither tells what was withheld of it, nor what was withheld beside it, nor a second time this month."""
    crowd(office, "cell-b", 48)
    first = figures(office.house, COMMUNITY)
    withheld = {(cell, name) for cell, by in first.values.items() for name, value in by.items() if value is None}
    assert {("cell-a", "person_count"), ("cell-b", "person_count")} <= withheld
    crowd(office, "cell-a", 63)
    for name, days in (("甲", 0), ("乙", 0), ("丙", 31)):
        clock.advance(days=days)
        edition = renamed(office, name, "第2网格")
        later = figures(office.house, COMMUNITY)
        assert later.edition_id == edition
        assert all(later.values[cell][measure] is None for cell, measure in withheld)
        if not days:
            assert later.values == first.values
    assert later.values[TOTAL]["person_count"] != first.values[TOTAL]["person_count"]


def test_a_border_over_empty_ground_undoes_no_suppression(office, clock):
    """A border that moves where nobody lives makes no other cell: what was withheld of those in it stays withheld."""
    crowd(office, "cell-b", 48, like="wang")
    first = figures(office.house, COMMUNITY).values
    assert first["cell-b"]["person_count"] is None
    crowd(office, "cell-a", 63)
    clock.advance(days=31)
    renamed(office, "甲", "乙", west=(120.6, 120.611, 120.62))
    assert told(office)["cell-b"]["person_count"] is None


@pytest.mark.parametrize("crossing", [3, 20])
def test_a_border_that_moves_over_a_few_people_tells_neither_side(office, clock, crossing):
    """Three people who come to another cell with their ground do not follow from two editions' files; of twenty both sides are told."""
    crowd(office, "cell-a", 63)
    crowd(office, "cell-b", 48, like="wang")
    crowd(office, "cell-a", crossing, households=3)
    move = "UPDATE record SET {} WHERE id IN (SELECT id FROM record WHERE {} ORDER BY id DESC LIMIT %d)" % crossing  # noqa: UP031
    with write(office.house.engine) as connection:
        connection.exec_driver_sql(move.format("lon = 120.609, lat = 31.304", "home = 'cell/cell-a' AND type = 'person'"))
    first = told(office)
    renamed(office, "甲", "乙", west=(120.6, 120.6085, 120.62))
    with write(office.house.engine) as connection:
        connection.exec_driver_sql(move.format("home = 'cell/cell-b'", "lon = 120.609"))
    for days in (0, 31):
        clock.advance(days=days)
        values = told(office)
        assert values[TOTAL]["person_count"] == first[TOTAL]["person_count"] is not None
        assert first["cell-a"]["person_count"] is not None
        is_told = [values[cell]["person_count"] is not None for cell in ("cell-a", "cell-b")]
        assert is_told == ([True, True] if crossing == 20 else [False, False])


def test_figures_are_kept_for_everybody(office):
    """A secretary's figures layer is the planner's: it is one publication, whoever asks first."""
    crowd(office, "cell-a", 63)
    crowd(office, "cell-b", 48)
    _, first = exported(office, role="secretary", layers=["figures"])
    _, second = exported(office, role="planner", layers=["figures"])
    assert first.json["features"] == second.json["features"]


def test_other_days_and_cells_tell_nothing_more(office, clock):
    """A planner who asks for yesterday, or under another edition, gets no count of people to compare with today's, nor what
    would tell with the occupancies how many dwellings have a household."""
    crowd(office, "cell-a", 63)
    crowd(office, "cell-b", 48)
    planner, secretary = office.signed_in("planner"), office.signed_in("secretary")
    for query in ("?as_of=2026-03-01", "?edition=1", "?known_at=2026-03-01"):
        told, known = planner.get(PATH + query).json, secretary.get(PATH + query).json
        counts = told["total"]["counts"]
        for summary in (*told["cells"], told["unplaced"], told["total"]):
            assert (summary["coverage"]["surveyed_dwellings"], summary["coverage"]["share"]) == (None, None)
        assert told["total"]["coverage"]["expected_dwellings"] == known["total"]["coverage"]["expected_dwellings"]
        assert known["total"]["coverage"]["surveyed_dwellings"] is not None
        assert (counts["person"], counts["household"], counts["resident_person"]) == (None, None, None)
        assert counts["dwelling"] is not None
        assert known["total"]["counts"]["person"] is not None
