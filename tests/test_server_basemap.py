"""The customer's own map: checked when it is put in place, given in pieces to people and phones of the house."""

from __future__ import annotations

import pytest
from front_door import COMMUNITY, NEIGHBOUR, furnish, open_office
from pmtiles_kit import PICTURES, VECTOR, archive, picture, tile_at, vector_tile
from terminal_kit import terminal

from server.errors import InvalidInput
from server.house import uuid7
from server.services.basemap import read_basemap

pytestmark = pytest.mark.parametrize("prepared_database", ["sqlite"], indirect=True)
HERE = (120.5, 31.2, 120.8, 31.4)
FILE = "/api/v1/basemap/file"


@pytest.fixture
def office(prepared_database, tmp_path, clock):
    found = open_office(prepared_database(furnish), tmp_path, clock, uuid7)
    yield found
    found.house.engine.dispose()


@pytest.fixture
def dishu(office, tmp_path):
    return terminal(office.house, tmp_path)


def small(kind=PICTURES, bounds=HERE):
    content = picture(200, 220, 240) if kind == PICTURES else vector_tile({"roads": (2, [(0, 0), (4096, 4096)])})
    return archive({tile_at(120.65, 31.3, 14): content}, kind=kind, bounds=bounds)


def written(tmp_path, content, name="town.pmtiles"):
    path = tmp_path / name
    path.write_bytes(content)
    return path


def test_a_basemap_is_put_in_place_told_and_given_in_pieces(office, dishu, tmp_path):
    """A phone is told the size first, fetches pieces by ranges, and sees from the version that the file has changed."""
    secretary = office.signed_in("secretary")
    assert secretary.get("/api/v1/basemap").json == {"basemap": None}
    assert secretary.get(FILE).status_code == 404
    content = small()
    status, said, complained = dishu("basemap", "add", written(tmp_path, content))
    assert (status, complained) == (0, "")
    assert said.startswith("all\traster\t")
    told = secretary.get("/api/v1/basemap").json["basemap"]
    assert (told["size"], told["kind"], told["min_zoom"], told["max_zoom"], tuple(told["bounds"])) == (len(content), "raster", 14, 14, HERE)
    piece = secretary.get(FILE, headers={"Range": "bytes=10-99"})
    assert (piece.status_code, piece.data, piece.headers["Content-Range"]) == (206, content[10:100], f"bytes 10-99/{len(content)}")
    assert piece.headers["ETag"] == f'"{told["version"]}"'
    assert secretary.get(FILE).data == content
    assert secretary.get(FILE, headers={"If-None-Match": piece.headers["ETag"]}).status_code == 304
    assert dishu("basemap", "add", written(tmp_path, small(VECTOR)))[0] == 0
    again = secretary.get("/api/v1/basemap").json["basemap"]
    assert again["kind"] == "vector" and again["version"] != told["version"]
    assert secretary.get(FILE, headers={"Range": "bytes=0-9", "If-Range": piece.headers["ETag"]}).status_code == 200


def test_the_map_is_for_people_of_the_house_and_a_community_may_have_its_own(office, dishu, tmp_path):
    """Nobody without a sign-in gets a byte; a community's own map goes before the house's; nobody reaches a neighbour's."""
    stranger = office.client()
    assert stranger.get("/api/v1/basemap").status_code == stranger.get(FILE).status_code == 401
    assert dishu("basemap", "add", written(tmp_path, small()))[0] == 0
    assert dishu("basemap", "add", written(tmp_path, small(VECTOR)), "--community", COMMUNITY)[0] == 0
    worker = office.signed_in("grid_worker")
    assert worker.get("/api/v1/basemap").json["basemap"]["kind"] == "vector"
    assert worker.get(f"/api/v1/basemap?community_id={NEIGHBOUR}").status_code == 403
    admin = office.signed_in("admin")
    assert admin.get(f"/api/v1/basemap?community_id={NEIGHBOUR}").json["basemap"]["kind"] == "raster"
    assert admin.get("/api/v1/basemap?community_id=../house").status_code == 404
    assert [line.split("\t")[0] for line in dishu("basemap", "list")[1].splitlines()] == ["all", COMMUNITY]
    assert dishu("basemap", "remove", "--community", COMMUNITY)[0] == 0
    assert worker.get("/api/v1/basemap").json["basemap"]["kind"] == "raster"
    assert dishu("basemap", "remove", "--community", COMMUNITY)[0] == 1


def test_a_file_that_phones_could_not_draw_is_refused_with_the_reason(office, dishu, tmp_path):
    """Not PMTiles, an older version, cut off, packed with brotli, tiles of an unknown kind, nowhere: one line each, nothing replaced."""
    good = small()
    wrong = {
        "not_pmtiles": b"PK\x03\x04" + good[4:],
        "pmtiles_version": good[:7] + b"\x02" + good[8:],
        "pmtiles_cut": good[:-1],
        "pmtiles_packed": good[:98] + b"\x03" + good[99:],
        "pmtiles_kind": good[:99] + b"\x05" + good[100:],
        "pmtiles_bounds": good[:102] + bytes(16) + good[118:],
    }
    for code, content in wrong.items():
        with pytest.raises(InvalidInput) as refused:
            read_basemap(written(tmp_path, content))
        assert [one.code for one in refused.value.errors] == [code]
    assert dishu("basemap", "add", written(tmp_path, good[:100]))[0] == 1
    assert dishu("basemap", "list")[1] == ""
    by_hand = office.house.settings.data_dir / "basemaps"
    by_hand.mkdir(exist_ok=True)
    (by_hand / "all.pmtiles").write_bytes(b"somebody's notes")
    assert office.signed_in("secretary").get("/api/v1/basemap").json == {"basemap": None}
    assert "cannot be used" in dishu("basemap", "list")[1]


def test_a_map_of_another_place_is_noticed(office, dishu, tmp_path):
    """A file that does not touch the published cells is kept, with a word that it may be shifted or of elsewhere."""
    status, _, complained = dishu("basemap", "add", written(tmp_path, small(bounds=(10, 50, 11, 51))))
    assert status == 0 and "does not touch" in complained
