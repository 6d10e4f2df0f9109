"""Bad cells: told with cells and place, never in force, and nobody's records move."""

from __future__ import annotations

from datetime import timedelta

import pytest
from cells_kit import CODE, bow_tie, cell, collection, counts, path_of, populate_ground, row_of_cells
from front_door import FIRST_DAY, open_office, problem
from records_kit import CODE_A

from server.house import uuid7


@pytest.fixture
def office(prepared_database, tmp_path, clock):
    clock.now = FIRST_DAY + timedelta(days=1)
    found = open_office(prepared_database(populate_ground), tmp_path, clock, uuid7)
    yield found
    found.house.engine.dispose()


BAD_CELLS = {
    "ring_self_crossing": (collection(bow_tie(1)), "/features/0"),
    "overlap": (
        collection(cell(1, 120.6, 31.3, 120.611, 31.31), cell(2, 120.61, 31.3, 120.62, 31.31)),
        f"/cells/{CODE}001,{CODE}002",
    ),
    "code_outside_profile": (collection(cell(1, 120.6, 31.3, 120.62, 31.31, code="12345")), "/cells/12345"),
}


@pytest.mark.parametrize("code", BAD_CELLS)
def test_bad_cells_never_come_into_force(office, code):
    """The problem is named with cells and place; the draft stays, the edition in force and all records as they were."""
    document, pointer = BAD_CELLS[code]
    secretary = office.signed_in("secretary")
    before = counts(office.house)
    roster = secretary.get(f"/api/v1/cells/{CODE_A}/roster/persons").json["rows"]
    sent = secretary.post(f"{path_of()}?datum=wgs84", document)
    assert sent.status_code == 201
    refused = secretary.post(f"{path_of()}/{sent.json['edition_id']}/publish")
    assert problem(refused) == (422, "invalid-cells")
    assert (pointer, code) in {(one["pointer"], one["code"]) for one in refused.json["errors"]}
    after = counts(office.house)
    assert after["edition"] == before["edition"] + 1 and after["cell"] == before["cell"] + len(document["features"])
    assert {name: after[name] for name in after if name not in {"edition", "cell"}} == {
        name: before[name] for name in before if name not in {"edition", "cell"}
    }
    assert secretary.get(f"/api/v1/cells/{CODE_A}/roster/persons").json["rows"] == roster


@pytest.mark.parametrize(
    ("query", "status", "pointers"),
    [
        ("", "invalid-cells", ["/features/0", "/features/1"]),
        ("?datum=wgs48", "invalid-input", ["/datum"]),
    ],
)
def test_cells_without_a_known_datum_are_not_kept(office, query, status, pointers):
    """Nobody guesses where the cells lie: every feature is named, nothing is kept."""
    before = counts(office.house)
    answer = office.signed_in("secretary").post(path_of() + query, row_of_cells(1, 2))
    assert problem(answer) == (422, status)
    assert [one["pointer"] for one in answer.json["errors"]] == pointers
    assert counts(office.house) == before


@pytest.mark.parametrize(
    ("body", "wanted", "pointer"),
    [
        (b'{"type": "FeatureCollection", "features": [', (400, "malformed-body"), None),
        (b'{"type": "Topology"}', (422, "invalid-input"), ""),
        (
            b'{"type":"FeatureCollection","features":[{"type":"Feature","geometry":{"type":"Polygon","coordinates":7}}]}',
            (422, "invalid-input"), "/features/0",
        ),
    ],
)  # fmt: skip
def test_a_file_that_is_not_geojson_is_refused_with_its_place(office, body, wanted, pointer):
    """What cannot be read at all is refused, and nothing is kept."""
    before = counts(office.house)
    secretary = office.signed_in("secretary")
    answer = secretary.client.post(
        f"{path_of()}?datum=wgs84", data=body, content_type="application/geo+json", headers=secretary.headers
    )
    assert problem(answer) == wanted
    assert pointer is None or answer.json["errors"][0]["pointer"] == pointer
    assert counts(office.house) == before
    odd = secretary.client.post(path_of(), data=body, content_type="text/csv", headers=secretary.headers)
    assert problem(odd) == (415, "unsupported-body")


def test_an_expired_cell_code_does_not_come_back(office):
    """A code that was given up is never given to another piece of ground."""
    secretary = office.signed_in("secretary")
    new = secretary.post(f"{path_of()}?datum=wgs84", row_of_cells(11, 12)).json["edition_id"]
    assert secretary.post(f"{path_of()}/{new}/publish").status_code == 200
    back = secretary.post(f"{path_of()}?datum=wgs84", row_of_cells(1, 12))
    assert not back.json["certificate"]["ok"]
    before = counts(office.house)
    refused = secretary.post(f"{path_of()}/{back.json['edition_id']}/publish")
    assert problem(refused) == (422, "invalid-cells")
    assert [(one["pointer"], one["code"]) for one in refused.json["errors"]] == [(f"/cells/{CODE}001", "code_retired")]
    assert counts(office.house) == before
