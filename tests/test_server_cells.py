"""Editions of cells over HTTP: drafts may be broken and say where, published editions cannot (L4)."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
import shapely
from cells_kit import CODE, SIDE, SOUTH, WEST, bow_tie, cell, collection, counts, path_of, populate_ground, row_of_cells
from front_door import COMMUNITY, FIRST_DAY, NEIGHBOUR, open_office, problem
from hypothesis import given, settings
from hypothesis import strategies as st
from records_kit import IDS
from sqlalchemy import select, text

from server.house import uuid7
from server.models import feed, record
from server.services import drafts, editions
from server.services.accounts import OPERATOR
from server.store.database import read, write


@pytest.fixture
def office(prepared_database, tmp_path, clock):
    clock.now = FIRST_DAY + timedelta(days=1)
    found = open_office(prepared_database(populate_ground), tmp_path, clock, uuid7)
    yield found
    found.house.engine.dispose()


@pytest.fixture
def secretary(office):
    return office.signed_in("secretary")


def send(person, document, query="?datum=wgs84"):
    return person.post(path_of() + query, document)


def sent(person, document):
    answer = send(person, document)
    assert answer.status_code == 201, answer.data
    return answer.json["edition_id"], answer.json["certificate"]


def homes(office) -> dict[str, str]:
    with read(office.house.engine) as connection:
        found = dict(connection.execute(select(record.c.id, record.c.home)).all())
    return {name: found[record_id] for name, record_id in IDS.items() if record_id in found}


def test_a_clean_draft_is_published_and_every_record_placed_anew(office, secretary):
    """A new division comes into force as a whole: the office sees its cells, homes and feeds follow."""
    before = homes(office)
    assert before["zhang"] == "cell/cell-a"
    edition_id, certificate = sent(secretary, row_of_cells(11, 12))
    assert certificate["ok"] and certificate["counts"]["cells"] == 2
    assert homes(office) == before, "a draft moves nobody"
    answer = secretary.post(f"{path_of()}/{edition_id}/publish")
    assert answer.status_code == 200, answer.data
    assert answer.json["edition"]["state"] == "published"
    after = homes(office)
    assert {before[name]: after[name] for name in before if before[name] != "~unplaced"} == {
        "cell/cell-a": "cell/cell-11", "cell/cell-b": "cell/cell-12",
    }  # fmt: skip
    assert after["stranger"] == before["stranger"] == "~unplaced"
    listed = secretary.get(path_of()).json["editions"]
    assert [(one["number"], one["state"]) for one in listed] == [(1, "retired"), (2, "published")]
    with read(office.house.engine) as connection:
        rows = connection.execute(
            select(feed.c.stream_id, feed.c.kind, feed.c.reason).where(feed.c.record_id == IDS["zhang"])
        )
        assert sorted(map(tuple, rows)) == [("cell/cell-11", "PUT", None), ("cell/cell-a", "REMOVE", "moved")]
    names = {cell["properties"]["code"] for cell in secretary.get("/api/v1/reference").json["cells"]["features"]}
    assert names == {f"{CODE}011", f"{CODE}012"}


def test_an_edition_is_shown_as_it_was_sent(secretary):
    """Cells come back as GeoJSON with every digit and every property of the file, beside their certificate."""
    document = collection(cell(1, WEST, SOUTH, WEST + SIDE, SOUTH + SIDE, lead="某某", households=120))
    edition_id, certificate = sent(secretary, document)
    told = secretary.get(f"{path_of()}/{edition_id}").json
    assert told["certificate"] == certificate
    [feature] = told["cells"]["features"]
    wanted = shapely.from_geojson(json.dumps(document["features"][0]["geometry"]))
    assert shapely.from_geojson(json.dumps(feature["geometry"])).equals(wanted)
    properties = feature["properties"]
    assert (properties["lead"], properties["households"], properties["code"]) == ("某某", 120, f"{CODE}001")


def test_who_publishes_no_cells_sees_those_that_were_in_force(office, secretary):
    """A planner who looks at a past day gets the cells of that day, without the certificate, a worker the own ones; no draft is shown to them."""
    standing = secretary.get(path_of()).json["editions"][0]["edition_id"]
    draft, _ = sent(secretary, collection(cell(1, WEST, SOUTH, WEST + SIDE, SOUTH + SIDE)))
    whole = secretary.get(f"{path_of()}/{standing}").json
    assert whole["certificate"] is not None or whole["edition"]["state"] == "published"
    planner = office.signed_in("planner")
    seen = planner.get(f"{path_of()}/{standing}").json
    assert (seen["cells"], seen["certificate"]) == (whole["cells"], None)
    own = office.signed_in("grid_worker").get(f"{path_of()}/{standing}").json["cells"]["features"]
    assert [one["id"] for one in own] == [one["cell_id"] for one in office.signed_in("grid_worker").get(f"/api/v1/communities/{COMMUNITY}/overview").json["cells"]]
    assert len(own) < len(whole["cells"]["features"])
    assert secretary.get(f"{path_of()}/{draft}").status_code == 200
    assert problem(planner.get(f"{path_of()}/{draft}")) == (403, "outside-your-scope")
    assert problem(planner.get(path_of())) == (403, "outside-your-scope")


BROKEN = {
    "overlap": collection(cell(1, 120.6, 31.3, 120.611, 31.31), cell(2, 120.61, 31.3, 120.62, 31.31)),
    "gap": collection(
        cell(1, 120.60, 31.30, 120.61, 31.33), cell(2, 120.61, 31.30, 120.62, 31.31),
        cell(3, 120.61, 31.32, 120.62, 31.33), cell(4, 120.62, 31.30, 120.63, 31.33),
    ),
    "ring_self_crossing": collection(bow_tie(1)),
    "code_outside_profile": collection(cell(1, 120.6, 31.3, 120.61, 31.31, code="99999900100100A")),
    "code_other_community": collection(cell(1, 120.6, 31.3, 120.61, 31.31, code="999999002001001")),
    "duplicate_code": collection(
        cell(1, 120.6, 31.3, 120.61, 31.31), cell(2, 120.61, 31.3, 120.62, 31.31, code=f"{CODE}001")
    ),
    "duplicate_cell_id": collection(
        cell(1, 120.6, 31.3, 120.61, 31.31), cell(2, 120.61, 31.3, 120.62, 31.31, cell_id="cell-1")
    ),
    "geometry_missing": collection(cell(1, 120.6, 31.3, 120.61, 31.31), {**cell(2, 0, 0, 1, 1), "geometry": None}),
    "axes_swapped": collection(cell(1, 120.6, 31.3, 120.61, 31.31), cell(2, 31.3, 120.6, 31.31, 120.61)),
}  # fmt: skip


@pytest.mark.parametrize("code", BROKEN)
def test_a_broken_draft_is_kept_and_never_published(office, secretary, code):
    """Whatever is wrong stays on record with its place, publishing is refused with the same words, nobody moves."""
    before = homes(office)
    edition_id, certificate = sent(secretary, BROKEN[code])
    assert not certificate["ok"]
    found = [one for one in certificate["problems"] if one["code"] == code]
    assert found and all(one["severity"] == "error" and one["cells"] and one["zh"] and one["en"] for one in found)
    assert code == "geometry_missing" or all(
        one["lon"] is not None or one["feature_index"] is not None or one["code"].startswith(("code_", "duplicate_"))
        for one in found
    )
    assert secretary.get(f"{path_of()}/{edition_id}").json["certificate"] == certificate
    refused = secretary.post(f"{path_of()}/{edition_id}/publish")
    assert problem(refused) == (422, "invalid-cells")
    errors = refused.json["errors"]
    assert {one["code"] for one in errors} >= {
        one["code"] for one in certificate["problems"] if one["severity"] == "error"
    }
    assert all(one["pointer"] and one["message"] for one in errors)
    assert [one["state"] for one in secretary.get(path_of()).json["editions"]] == ["published", "draft"]
    assert homes(office) == before


def test_an_overlap_is_told_with_both_cells_place_and_size(secretary):
    """The person who drew it finds the spot without searching."""
    edition_id, _ = sent(secretary, BROKEN["overlap"])
    errors = secretary.post(f"{path_of()}/{edition_id}/publish").json["errors"]
    [overlap] = [one for one in errors if one["code"] == "overlap"]
    assert overlap["pointer"] == f"/cells/{CODE}001,{CODE}002"
    assert "m²" in overlap["message"] and "120.610" in overlap["message"] and "重叠" in overlap["message"]


def test_cells_must_fill_the_community_and_stay_inside(office, secretary):
    """Against the community's outline, what belongs to no cell and what reaches beyond are named."""
    outline = shapely.box(120.60, 31.30, 120.615, 31.315)
    with write(office.house.engine) as connection:
        connection.execute(
            text("UPDATE community SET boundary = :wkb WHERE community_id = :id"),
            {"wkb": shapely.to_wkb(outline), "id": COMMUNITY},
        )
    _, certificate = sent(secretary, row_of_cells(1, 2))
    assert {one["code"] for one in certificate["problems"]} >= {"gap_at_boundary", "outside_boundary"}


def test_a_boundary_set_after_the_draft_counts_when_it_is_published(office, secretary):
    """A draft that was clean when it was kept is checked again at the gate."""
    edition_id, certificate = sent(secretary, row_of_cells(1, 2))
    assert certificate["ok"]
    with write(office.house.engine) as connection:
        connection.execute(
            text("UPDATE community SET boundary = :wkb"),
            {"wkb": shapely.to_wkb(shapely.box(120.6, 31.3, 120.61, 31.31))},
        )
    refused = secretary.post(f"{path_of()}/{edition_id}/publish")
    assert problem(refused) == (422, "invalid-cells")
    assert {one["code"] for one in refused.json["errors"]} == {"outside_boundary"}


def test_a_draft_is_published_once(secretary):
    """A second click, and a click on an edition of the past, change nothing."""
    edition_id, _ = sent(secretary, row_of_cells(1, 2))
    assert secretary.post(f"{path_of()}/{edition_id}/publish").status_code == 200
    assert problem(secretary.post(f"{path_of()}/{edition_id}/publish")) == (404, "not-found")
    assert problem(secretary.post(f"{path_of()}/e1/publish")) == (404, "not-found")
    assert problem(secretary.post(f"{path_of()}/no-such/publish")) == (404, "not-found")
    assert problem(secretary.get(f"{path_of()}/no-such")) == (404, "not-found")


def test_properties_of_the_file_may_have_other_names(secretary):
    """A file from somewhere else comes in without being rewritten first."""
    feature = cell(1, 120.6, 31.3, 120.61, 31.31)
    feature["properties"] = {"grid_id": f"{CODE}001", "wgmc": "第一网格"}
    answer = send(secretary, collection(feature), "?datum=gcj02&code_property=grid_id&name_property=wgmc")
    assert answer.status_code == 201 and answer.json["certificate"]["ok"]
    told = secretary.get(f"{path_of()}/{answer.json['edition_id']}").json["cells"]["features"][0]
    assert (told["properties"]["code"], told["properties"]["name"]) == (f"{CODE}001", "第一网格")
    west = told["geometry"]["coordinates"][0][0][0]
    assert 0.003 < 120.6 - west < 0.006, "GCJ-02 lies some 400 m east here"


@pytest.mark.parametrize("role", ["grid_worker", "community_worker", "planner", "auditor", "subdistrict"])
def test_cells_are_the_secretarys_business(office, role):
    """Others neither see drafts nor send nor publish."""
    person = office.signed_in(role)
    edition_id, _ = sent(office.signed_in("secretary"), row_of_cells(1, 2))
    before = counts(office.house)
    for answer in (
        send(person, row_of_cells(1, 2)), person.get(path_of()), person.get(f"{path_of()}/{edition_id}"),
        person.post(f"{path_of()}/{edition_id}/publish"),
    ):  # fmt: skip
        assert problem(answer) == (403, "outside-your-scope")
    assert counts(office.house) == before


def test_the_neighbours_cells_are_out_of_reach(office, secretary):
    """A secretary works on their own community; an edition of one is not found through another."""
    assert problem(secretary.post(f"{path_of(NEIGHBOUR)}?datum=wgs84", row_of_cells(1))) == (403, "outside-your-scope")
    assert problem(secretary.get(path_of(NEIGHBOUR))) == (403, "outside-your-scope")
    edition_id, _ = sent(secretary, row_of_cells(1, 2))
    admin = office.signed_in("admin")
    assert problem(admin.get(f"{path_of(NEIGHBOUR)}/{edition_id}")) == (404, "not-found")
    assert problem(admin.post(f"{path_of(NEIGHBOUR)}/{edition_id}/publish")) == (404, "not-found")
    assert problem(admin.get(path_of("c-nowhere"))) == (404, "not-found")
    assert admin.post(f"{path_of()}/{edition_id}/publish").status_code == 200


def test_two_editions_that_were_clean_when_kept_do_not_bring_a_retired_code_back(secretary):
    """A code that was given up stays given up, even in a draft from before."""
    older, _ = sent(secretary, row_of_cells(1, 2))
    newer, _ = sent(secretary, row_of_cells(3, 4))
    assert secretary.post(f"{path_of()}/{newer}/publish").status_code == 200
    refused = secretary.post(f"{path_of()}/{older}/publish")
    assert problem(refused) == (422, "invalid-cells")
    assert {one["code"] for one in refused.json["errors"]} == {"code_retired"}


_number = st.sampled_from([120.6, 120.605, 120.61, 31.3, 31.305, 31.31, 0, 180.5, -1e9, 120.60000001])
_ring = st.lists(st.lists(_number, min_size=2, max_size=3), max_size=7)
_word = st.one_of(
    st.none(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=5),
    st.sampled_from([f"{CODE}001", "~1/x", "gcj02", "base", "dedicated", {"a": []}, [1], True, 1e300]),
)  # fmt: skip
_feature = st.fixed_dictionaries(
    {
        "type": st.just("Feature"),
        "properties": st.dictionaries(st.sampled_from(["code", "name", "order", "layer", "cell_id", "datum", "x"]), _word),
        "geometry": st.one_of(
            st.none(),
            st.fixed_dictionaries({"type": st.just("Polygon"), "coordinates": st.lists(_ring, max_size=2)}),
            st.fixed_dictionaries({"type": st.just("MultiPolygon"), "coordinates": st.lists(st.lists(_ring, max_size=2), max_size=2)}),
            st.fixed_dictionaries({"type": st.just("Point"), "coordinates": st.lists(_number, max_size=2)}),
        ),
    }
)  # fmt: skip


def test_no_file_of_cells_breaks_the_office(office, secretary):
    """However odd a file is, it is kept with a certificate or refused with a place; never an unexpected error."""

    @settings(max_examples=60)
    @given(st.lists(_feature, max_size=4), st.sampled_from(["", "?datum=wgs84", "?datum=bd09"]))
    def holds(features, query):
        answer = send(secretary, collection(*features), query)
        if answer.status_code == 201:
            edition_id = answer.json["edition_id"]
            assert secretary.get(f"{path_of()}/{edition_id}").status_code == 200
            published = secretary.post(f"{path_of()}/{edition_id}/publish")
            ok = answer.json["certificate"]["ok"]
            assert published.status_code == 200 if ok else problem(published) == (422, "invalid-cells")
        else:
            assert problem(answer)[0] == 422, answer.data
            assert answer.json["errors"]

    holds()


def test_publishing_tells_how_far_it_is(office):
    """Whoever waits sees how many records are placed."""
    told = []
    draft = drafts.read_draft(json.dumps(row_of_cells(1, 2)).encode(), datum="wgs84")
    editions.publish_edition(
        office.house, OPERATOR, COMMUNITY, draft, progress=lambda done, of: told.append((done, of))
    )
    assert told[0][0] == 0 and told[-1][0] == told[-1][1] > 0
