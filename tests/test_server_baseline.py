from __future__ import annotations

from datetime import UTC, datetime

import pytest
from front_door import COMMUNITY, NEIGHBOUR, problem
from records_kit import CODE_A, CODE_B, IDS, actor_of, office_with_records, write_operation
from sqlalchemy import select

from server.models import record
from server.store.database import read


@pytest.fixture
def office(prepared_database, tmp_path, clock):
    found = office_with_records(prepared_database, tmp_path, clock)
    yield found
    found.house.engine.dispose()


def figures(office, role="secretary"):
    answer = office.signed_in(role).get(f"/api/v1/communities/{COMMUNITY}/baseline")
    assert answer.status_code == 200, answer.data
    return answer.json


def test_the_baseline_counts_each_cell(office):
    """Each cell has its counts; the dead are not counted, nor are reference cards; the total is the sum."""
    found = figures(office)
    cells = {cell["code"]: cell for cell in found["cells"]}
    assert list(cells) == [CODE_A, CODE_B]
    assert {name: cells[CODE_A]["counts"][name] for name in ("building", "dwelling", "household", "person", "party_member", "resource")} == {
        "building": 1, "dwelling": 1, "household": 1, "person": 3, "party_member": 1, "resource": 1,
    }  # fmt: skip
    assert cells[CODE_B]["counts"]["person"] == 1
    assert found["unplaced"]["counts"]["party_member"] == 1
    for kind, count in found["total"]["counts"].items():
        assert count == sum(cell["counts"][kind] for cell in found["cells"]) + found["unplaced"]["counts"][kind]
    assert (found["edition"]["number"], found["partial"]) == (1, False)


def test_somebody_registered_elsewhere_is_counted_once(office):
    """Who lives in cell a and is registered in cell b is counted in a; the reference card in b counts for nobody."""
    before = figures(office)
    values = {"registration_dwelling": IDS["dwelling_b"], "registration_kind": "family"}
    write_operation(office.house, actor_of(office, "secretary"), "patch", "li", values)
    with read(office.house.engine) as connection:
        cards = connection.execute(select(record.c.home).where(record.c.type == "reference_card")).scalars().all()
    assert cards == ["cell/cell-b"]
    assert [cell["counts"] for cell in figures(office)["cells"]] == [cell["counts"] for cell in before["cells"]]
    rows = office.signed_in("secretary").get(f"/api/v1/cells/{CODE_B}/roster/persons").json["rows"]
    assert "李四" not in {row["name"] for row in rows}


def test_coverage_is_surveyed_of_expected_dwellings(office):
    """A dwelling counts as surveyed once its occupancy is known or a household is recorded in it."""
    cells = {cell["code"]: cell["coverage"] for cell in figures(office)["cells"]}
    assert cells[CODE_A] == {"expected_dwellings": 1, "surveyed_dwellings": 1, "share": 1.0}
    assert cells[CODE_B] == {"expected_dwellings": 2, "surveyed_dwellings": 1, "share": 0.5}
    write_operation(office.house, actor_of(office, "secretary"), "patch", "dwelling_c", {"occupancy": "empty"})
    assert figures(office)["total"]["coverage"]["share"] == 1.0


def test_freshness_is_days_since_the_last_confirmation(office, clock):
    """Ten days later everything is ten or eleven days old, but for the household that was confirmed."""
    clock.advance(days=10)
    write_operation(office.house, actor_of(office, "secretary"), "patch", "household_b", {"kind": "collective"})
    cells = {cell["code"]: cell["freshness"] for cell in figures(office)["cells"]}
    assert cells[CODE_A] == {"records": 4, "median_days": 11, "oldest_days": 11}
    assert cells[CODE_B]["oldest_days"] == 11
    assert cells[CODE_B]["records"] == 3


def test_who_was_seen_before_breakfast_was_seen_today(office, clock):
    """Early in the morning in the communities it is the day before in UTC: days are counted there, at any hour."""
    clock.now = datetime(2026, 3, 2, 22, 30, tzinfo=UTC)  # half past six in the morning of the third
    for name, values in (("household_b", {"kind": "collective"}), ("wang", {"sex": "2"}), ("old", {"sex": "1"})):
        write_operation(office.house, actor_of(office, "secretary"), "patch", name, values)
    for moment, days in ((clock.now, 0), (datetime(2026, 3, 3, 15, 59, tzinfo=UTC), 0), (datetime(2026, 3, 3, 16, tzinfo=UTC), 1)):
        clock.now = moment
        east = next(cell for cell in figures(office)["cells"] if cell["code"] == CODE_B)
        assert east["freshness"] == {"records": 3, "median_days": days, "oldest_days": days}, moment


def test_who_may_read_figures(office):
    """Officers read figures, planners and auditors those that may be told; a grid worker those of the own cell; nobody
    those of a neighbour."""
    for role, told in (("planner", None), ("auditor", None), ("subdistrict", 4)):
        assert figures(office, role)["total"]["counts"]["person"] == told
    own = figures(office, "grid_worker")
    assert [cell["code"] for cell in own["cells"]] == [CODE_A]
    assert own["partial"] and own["total"]["counts"]["person"] == 3
    path = f"/api/v1/communities/{NEIGHBOUR}/baseline"
    assert problem(office.signed_in("secretary").get(path)) == (403, "outside-your-scope")
    assert problem(office.client().get(path)) == (401, "not-signed-in")


def test_a_community_without_cells_has_an_empty_baseline(office):
    """Before the first edition there are no cells, no shares and no days, and nothing fails."""
    found = office.signed_in("auditor").get(f"/api/v1/communities/{NEIGHBOUR}/baseline").json
    assert (found["cells"], found["edition"]) == ([], None)
    assert found["total"]["coverage"]["share"] is None
    assert found["total"]["freshness"] == {"records": None, "median_days": None, "oldest_days": None}


_LISTS = {
    "household": ("household_book", []),
    "person": ("persons", [{"column": "vital_status", "op": "not_in", "value": ["deceased"]}]),
    "resident_person": ("persons", [{"column": "lives_here", "value": True}]),
    "dwelling": ("dwellings", []),
    "building": ("buildings", []),
    "party_member": ("party_members", []),
    "organization": ("organizations", []),
    "resource": ("resources", []),
}
_UNSURVEYED = [
    {"column": "expected", "value": True},
    {"column": "households_count", "value": 0},
    {"column": "occupancy", "op": "not_in", "value": ["owner_lived", "let", "group_let", "lent", "empty", "under_works"]},
]


def test_behind_every_figure_is_a_list_as_long_as_the_figure(office):
    """Of a cell, of what is in no cell and of the whole community: the list, and its count, have as many rows as were told."""
    secretary = office.signed_in("secretary")
    told = figures(office)
    nowhere = [{"column": "cell_code", "op": "is_null", "value": True}]
    places = [(cell, f"cells/{cell['code']}", []) for cell in told["cells"]]
    places += [(told["unplaced"], f"communities/{COMMUNITY}", nowhere), (told["total"], f"communities/{COMMUNITY}", [])]
    lists = [(lambda one, kind=kind: one["counts"][kind], *asked) for kind, asked in _LISTS.items()]
    lists.append((lambda one: one["coverage"]["expected_dwellings"] - one["coverage"]["surveyed_dwellings"], "dwellings", _UNSURVEYED))
    for figure, path, cut in places:
        for value_of, roster, filters in lists:
            asked = {"filters": filters + cut}
            rows = secretary.post(f"/api/v1/{path}/roster/{roster}/search", json=asked).json["rows"]
            count = secretary.post(f"/api/v1/{path}/roster/{roster}/count", json=asked).json["count"]
            assert (len(rows), count) == (value_of(figure), value_of(figure)), (path, roster, cut)
