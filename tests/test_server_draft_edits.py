"""Drafts drawn by hand over HTTP: begun from an edition, redrawn, cut, joined, thrown away; then published like any other (L4)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from cells_kit import CODE, SIDE, SOUTH, WEST, cell, collection, path_of, populate_ground, row_of_cells
from front_door import FIRST_DAY, open_office

from server.house import uuid7


@pytest.fixture
def office(prepared_database, tmp_path, clock):
    clock.now = FIRST_DAY + timedelta(days=1)
    found = open_office(prepared_database(populate_ground), tmp_path, clock, uuid7)
    yield found
    found.house.engine.dispose()


@pytest.fixture
def secretary(office):
    return office.signed_in("secretary")


def in_force(secretary):
    """Two cells that are published."""
    edition_id = secretary.post(path_of() + "?datum=wgs84", row_of_cells(1, 2)).json["edition_id"]
    assert secretary.post(f"{path_of()}/{edition_id}/publish").status_code == 200
    return edition_id


def begun(secretary):
    """A draft that starts as they stand; its address and content."""
    edition_id = in_force(secretary)
    answer = secretary.post(f"{path_of()}/{edition_id}/draft")
    assert answer.status_code == 201, answer.data
    path = f"{path_of()}/{answer.json['edition_id']}"
    return path, secretary.get(path).json


def thrown(person, path):
    return person.client.delete(path, headers=person.headers)


def test_a_border_is_moved_with_both_its_cells_and_published(secretary):
    """The secretary draws the border further east; both cells are checked together, keep their identity and come into force."""
    path, draft = begun(secretary)
    assert draft["certificate"]["ok"] and draft["edition"]["state"] == "draft"
    border, moved = WEST + SIDE, WEST + SIDE + 0.001
    for feature in draft["cells"]["features"]:
        ring = feature["geometry"]["coordinates"][0]
        feature["geometry"]["coordinates"] = [[[moved if abs(lon - border) < 1e-9 else lon, lat] for lon, lat in ring]]
    answer = secretary.post(f"{path}/cells?hash={draft['certificate']['hash']}", draft["cells"])
    assert answer.status_code == 200, answer.data
    assert answer.json["certificate"]["ok"]
    areas = {one["id"]: one["properties"]["area_m2"] for one in answer.json["cells"]["features"]}
    assert areas["cell-1"] > areas["cell-2"]
    assert secretary.post(f"{path}/publish").status_code == 200
    lineage = secretary.get(f"{path}/lineage").json["counts"]
    assert lineage.get("split", 0) == lineage.get("merge", 0) == 0
    stale = secretary.post(f"{path}/cells", draft["cells"])
    assert stale.status_code == 404, "what is published stays as it is"


def test_half_a_move_is_kept_as_a_draft_but_not_published(secretary):
    """Where only one of two neighbours was moved they overlap: kept, named, and refused by the gate."""
    path, draft = begun(secretary)
    ring = draft["cells"]["features"][0]["geometry"]["coordinates"][0]
    draft["cells"]["features"][0]["geometry"]["coordinates"] = [[[lon + 0.001 if lon > WEST else lon, lat] for lon, lat in ring]]
    answer = secretary.post(f"{path}/cells", draft["cells"]).json
    assert not answer["certificate"]["ok"]
    assert "overlap" in {one["code"] for one in answer["certificate"]["problems"]}
    assert secretary.post(f"{path}/publish").status_code == 422


def test_a_cell_is_cut_in_two_and_made_one_again(secretary):
    """The smaller piece is a new cell with the next code; joined, the draft is as it was, and codes of drafts are not used up."""
    path, draft = begun(secretary)
    line = [[WEST + SIDE * 0.3, SOUTH - 0.001], [WEST + SIDE * 0.3, SOUTH + SIDE + 0.001]]
    answer = secretary.post(f"{path}/split", {"cell": "cell-1", "line": line, "hash": draft["certificate"]["hash"]})
    assert answer.status_code == 200, answer.data
    cells = {one["id"]: one["properties"] for one in answer.json["cells"]["features"]}
    new = answer.json["new_cell_id"]
    assert cells[new]["code"] == f"{CODE}003" and cells[new]["name"] == "第1网格2"
    assert cells[new]["area_m2"] < cells["cell-1"]["area_m2"]
    assert answer.json["certificate"]["ok"], answer.json["certificate"]["problems"]
    stale = secretary.post(f"{path}/merge", {"cell": "cell-1", "other": new, "hash": draft["certificate"]["hash"]})
    assert stale.status_code == 422 and stale.json["errors"][0]["code"] == "stale_draft"
    answer = secretary.post(f"{path}/merge", {"cell": "cell-1", "other": new})
    assert [one["id"] for one in answer.json["cells"]["features"]] == ["cell-1", "cell-2"]
    assert answer.json["certificate"]["ok"]


def test_what_cannot_be_drawn_is_told_in_a_word(secretary):
    """A line that divides nothing, a cell of another draft, a body that is no collection: refused, and the draft stays."""
    path, draft = begun(secretary)
    for where, body, code in (
        ("split", {"cell": "cell-1", "line": [[WEST - 1, SOUTH], [WEST - 1, SOUTH + 1]]}, "no_cut"),
        ("split", {"cell": "nobody", "line": [[WEST, SOUTH], [WEST, SOUTH + 1]]}, "unknown_cell"),
        ("merge", {"cell": "cell-1", "other": "cell-1"}, "same_cell"),
    ):
        answer = secretary.post(f"{path}/{where}", body)
        assert answer.status_code == 422, answer.data
        assert answer.json["errors"][0]["code"] == code
    assert secretary.post(f"{path}/split", {"cell": "cell-1", "line": [[1, 2, 3], [WEST, 0]]}).status_code == 422
    assert secretary.post(f"{path}/cells", {"type": "Nonsense"}).status_code == 422
    assert secretary.get(path).json["certificate"]["hash"] == draft["certificate"]["hash"]


def test_a_draft_is_thrown_away_and_an_edition_is_not(office, secretary):
    """A try that nobody wants leaves the list; what was in force cannot be removed, and a planner cannot draw."""
    path, _ = begun(secretary)
    assert thrown(secretary, path).status_code == 204
    assert secretary.get(path).status_code == 404
    assert thrown(secretary, path).status_code == 404
    standing = next(one for one in secretary.get(path_of()).json["editions"] if one["state"] == "published")
    assert thrown(secretary, f"{path_of()}/{standing['edition_id']}").status_code == 404
    planner = office.signed_in("planner")
    assert planner.post(f"{path_of()}/{standing['edition_id']}/draft").status_code in (403, 404)


def short_ring(number):
    """A cell whose ring has two points only: it cannot be read."""
    feature = cell(number, WEST, SOUTH, WEST + SIDE, SOUTH + SIDE)
    ring = feature["geometry"]["coordinates"][0]
    feature["geometry"]["coordinates"] = [[ring[0], ring[1], ring[0]]]
    return feature


def test_a_cell_that_could_not_be_read_is_not_lost_by_saving(secretary):
    """Saving the draft as it stands keeps it unpublishable, and so does a cut; only naming the unread cell lets go of it."""
    in_force(secretary)
    file = collection(cell(801, WEST, SOUTH, WEST + 0.001, SOUTH + 0.001), short_ring(802))
    draft = secretary.post(path_of() + "?datum=cgcs2000&layer=dedicated", file)
    path = f"{path_of()}/{draft.json['edition_id']}"
    for _ in range(2):
        answer = secretary.post(f"{path}/cells", secretary.get(path).json["cells"])
        assert answer.status_code == 200, answer.data
        found = [one for one in answer.json["certificate"]["problems"] if one["code"] == "ring_too_short"]
        assert [one["cells"] for one in found] == [[f"{CODE}802"]] and not answer.json["certificate"]["ok"]
    assert secretary.post(f"{path}/publish").status_code == 422
    line = [[WEST + 0.0003, SOUTH - 0.001], [WEST + 0.0003, SOUTH + 0.002]]
    assert not secretary.post(f"{path}/split", {"cell": "cell-801", "line": line}).json["certificate"]["ok"]
    cells = secretary.get(path).json["cells"]
    wrong = secretary.post(f"{path}/cells?drop={CODE}801", cells)
    assert wrong.status_code == 422 and wrong.json["errors"][0]["code"] == "nothing_unread"
    answer = secretary.post(f"{path}/cells?drop={CODE}802", cells).json
    assert "ring_too_short" not in {one["code"] for one in answer["certificate"]["problems"]}


def test_an_unread_cell_is_settled_by_drawing_it(secretary):
    """A cell drawn under the code of the unread one takes its place; one sent unreadable again is told again."""
    in_force(secretary)
    good = cell(801, WEST, SOUTH, WEST + 0.001, SOUTH + 0.001)
    draft = secretary.post(path_of() + "?datum=cgcs2000&layer=dedicated", collection(good, short_ring(802)))
    path = f"{path_of()}/{draft.json['edition_id']}"
    again = secretary.post(f"{path}/cells?drop={CODE}802", collection(good, short_ring(803))).json["certificate"]
    assert not again["ok"] and [one["cells"] for one in again["problems"]] == [[f"{CODE}803"]]
    drawn = secretary.post(f"{path}/cells", collection(good, cell(803, WEST + 0.002, SOUTH, WEST + 0.003, SOUTH + 0.001)))
    assert drawn.json["certificate"]["ok"], drawn.json["certificate"]["problems"]
    assert secretary.post(f"{path}/publish").status_code == 200
