"""Cells in over HTTP, in every format the customers have; repairs are shown before they are made (L4)."""

from __future__ import annotations

import io
import json
import zipfile

import numpy as np
import pyogrio.raw
import pytest
import shapely
from cells_kit import CODE, bow_tie, cell, collection, path_of, populate_ground, row_of_cells
from front_door import COMMUNITY, open_office, problem
from sqlalchemy import text

from server.house import uuid7
from server.store.database import write


@pytest.fixture
def office(prepared_database, tmp_path, clock):
    found = open_office(prepared_database(populate_ground), tmp_path, clock, uuid7)
    yield found
    found.house.engine.dispose()


@pytest.fixture
def secretary(office):
    return office.signed_in("secretary")


SHAPES = np.array([shapely.box(120.6, 31.3, 120.61, 31.31), shapely.box(120.61, 31.3, 120.62, 31.31)], dtype=object)
CODES = np.array([f"{CODE}011", f"{CODE}012"], dtype=object)
NAMES = np.array(["东一网格", "东二网格"], dtype=object)
DRIVERS = {"gpkg": "GPKG", "shp": "ESRI Shapefile", "kml": "KML", "fgb": "FlatGeobuf", "geojson": "GeoJSON"}


def drawn(folder, suffix, **options):
    """A file of two cells as GIS programs write it; every part of it by name."""
    folder.mkdir(exist_ok=True)
    columns = ["code", "Name"] if suffix == "kml" else ["网格编码", "网格名称"]
    households = np.array([320, 410], dtype=np.int32)
    pyogrio.raw.write(
        folder / f"网格.{suffix}", shapely.to_wkb(SHAPES), [CODES, NAMES, households], fields=[*columns, "户数"],
        geometry_type="Polygon", crs="EPSG:4326" if suffix == "kml" else "EPSG:4490", driver=DRIVERS[suffix], **options,
    )  # fmt: skip
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def zipped(parts, encoding="utf-8"):
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name if encoding == "utf-8" else name.encode(encoding).decode("cp437"), content)
    return target.getvalue()


def upload(person, parts, path="", **fields):
    files = [(io.BytesIO(content), name) for name, content in parts.items()]
    return person.client.post(
        f"{path_of()}{path}", data={"file": files, **fields}, headers=person.headers, content_type="multipart/form-data"
    )


@pytest.mark.parametrize("suffix", DRIVERS)
def test_every_format_comes_in_and_tells_how_it_was_read(secretary, tmp_path, suffix):
    """Codes, Chinese names and households arrive whole, whatever the program that drew the cells."""
    parts = drawn(tmp_path / "drawn", suffix, **({"encoding": "GBK"} if suffix == "shp" else {}))
    answer = upload(secretary, parts, datum="cgcs2000")
    assert answer.status_code == 201, answer.data
    assert answer.json["certificate"]["ok"], answer.json["certificate"]
    read = answer.json["file"]
    assert read["mapping"]["code"] == ("code" if suffix == "kml" else "网格编码")
    assert suffix == "kml" or (read["mapping"]["households"] == "户数" and set(read["guessed"]) >= {"code", "name", "households"})
    told = secretary.get(f"{path_of()}/{answer.json['edition_id']}").json
    found = {one["properties"]["code"]: one["properties"]["name"] for one in told["cells"]["features"]}
    assert found == dict(zip(CODES.tolist(), NAMES.tolist(), strict=True))
    assert {one["properties"]["households"] for one in told["cells"]["features"]} == {320, 410}


def test_a_zip_from_a_chinese_windows_is_read(secretary, tmp_path):
    """Names of the parts are GBK without saying so, the text inside too; nobody unpacks anything by hand."""
    parts = drawn(tmp_path / "drawn", "shp", encoding="GBK")
    answer = upload(secretary, {"网格.zip": zipped(parts, "gbk")}, datum="cgcs2000")
    assert answer.status_code == 201 and answer.json["file"]["kind"] == "shapefile", answer.data
    assert answer.json["certificate"]["counts"]["cells"] == 2


def test_what_cannot_be_read_is_said_in_words(secretary, tmp_path):
    """No file, two files, a broken zip, a zip with nothing in it, a file of another kind, a missing column."""
    geojson = drawn(tmp_path / "drawn", "geojson")
    two = {"a.geojson": next(iter(geojson.values())), "b.geojson": b"{}"}
    assert problem(upload(secretary, {})) == (415, "unsupported-body")
    for parts, code in (
        (two, "several_files"), ({"x.zip": b"PK\x03\x04 not a zip"}, "unreadable_file"),
        ({"x.zip": zipped({"readme.txt": b"hello"})}, "no_file"), ({"x.gpkg": b"SQLite format 3\x00 broken"}, "unreadable_file"),
    ):  # fmt: skip
        answer = upload(secretary, parts, datum="wgs84")
        assert problem(answer) == (422, "invalid-input"), answer.data
        assert [one["code"] for one in answer.json["errors"]] == [code]
    assert problem(upload(secretary, {"x.bin": b"\x00\x01"}, datum="wgs84"))[0] in (400, 422)
    answer = upload(secretary, geojson, datum="wgs84", households_property="没有这一列")
    assert answer.json["errors"][0]["code"] == "unknown_column"
    assert problem(upload(secretary, geojson, datum="wgs84", layer="third")) == (422, "invalid-input")


def test_a_check_keeps_nothing_and_shows_repairs(secretary):
    """Before anything is kept the secretary sees what is wrong, and each cell before and after its repair."""
    before = secretary.get(path_of()).json
    document = collection(bow_tie(1), cell(2, 120.61, 31.3, 120.62, 31.31))
    answer = upload(secretary, {"cells.geojson": json.dumps(document).encode()}, "/check", datum="wgs84")
    assert answer.status_code == 200, answer.data
    assert not answer.json["certificate"]["ok"] and len(answer.json["cells"]["features"]) == 2
    [repair] = answer.json["repairs"]
    assert repair["kind"] == "rebuild_ring" and repair["settles"][0]["code"] == "ring_self_crossing"
    [change] = repair["changes"]
    assert change["cell"] == f"{CODE}001" and change["before"] != change["after"] and change["area_after_m2"] > 0
    assert secretary.get(path_of()).json == before


def test_repairs_are_made_on_request_until_the_draft_can_be_published(secretary):
    """T-junctions: the proposal is shown, made once, and the draft passes the gate with as many cells as before."""
    document = collection(
        cell(1, 120.6, 31.3, 120.61, 31.31), cell(2, 120.61, 31.3, 120.62, 31.304), cell(3, 120.61, 31.304, 120.62, 31.31)
    )
    edition_id = secretary.post(path_of() + "?datum=wgs84", document).json["edition_id"]
    place = f"{path_of()}/{edition_id}"
    assert problem(secretary.post(f"{place}/publish")) == (422, "invalid-cells")
    [repair] = secretary.get(f"{place}/repairs").json["repairs"]
    assert repair["kind"] == "match_edges" and repair["largest_area_change_m2"] < 1
    made = secretary.post(f"{place}/repairs", {"repairs": [repair["repair_id"]]})
    assert made.status_code == 200 and made.json["certificate"]["ok"] and len(made.json["cells"]["features"]) == 3
    assert made.json["certificate"]["repaired"] == [{"kind": "match_edges", "cells": repair["cells"]}]
    again = secretary.post(f"{place}/repairs", {"repairs": [repair["repair_id"]]})
    assert problem(again) == (422, "invalid-input") and again.json["errors"][0]["code"] == "stale_repair"
    assert secretary.get(f"{place}/repairs").json["repairs"] == []
    assert secretary.post(f"{place}/publish").status_code == 200
    assert problem(secretary.get(f"{place}/repairs")) == (404, "not-found")


def test_a_code_used_twice_is_given_anew_when_somebody_agrees(secretary):
    """The proposal says which cell gets which code before it is made; then the draft passes the gate with every cell."""
    document = collection(cell(1, 120.6, 31.3, 120.61, 31.31), cell(1, 120.61, 31.3, 120.62, 31.31, cell_id="other"))
    place = f"{path_of()}/{secretary.post(path_of() + '?datum=wgs84', document).json['edition_id']}"
    [repair] = secretary.get(f"{place}/repairs").json["repairs"]
    [change] = repair["changes"]
    assert repair["kind"] == "new_code" and change["cell"] == f"{CODE}001" and change["before"] == change["after"]
    meant = {one["id"]: one["geometry"] for one in secretary.get(place).json["cells"]["features"]}
    assert len(meant) == 2 and meant[change["cell_id"]] == change["before"], "the cell that is meant, not its namesake"
    assert change["new_code"] not in (None, f"{CODE}001") and change["new_code"] in repair["zh"]
    made = secretary.post(f"{place}/repairs", {"repairs": [repair["repair_id"]]}).json
    assert made["certificate"]["ok"], made["certificate"]["problems"]
    assert {one["properties"]["code"] for one in made["cells"]["features"]} == {f"{CODE}001", change["new_code"]}
    assert secretary.get(f"{place}/repairs").json["repairs"] == []


def test_a_wrong_datum_is_noticed_by_the_boundary_and_can_be_corrected(office, secretary):
    """Cells drawn on a shifted map lie 500 m off: the boundary tells, the proposal reads them again."""
    with write(office.house.engine) as connection:
        connection.execute(
            text("UPDATE community SET boundary = :wkb WHERE community_id = :id"),
            {"wkb": shapely.to_wkb(shapely.box(120.6, 31.3, 120.602, 31.302)), "id": COMMUNITY},
        )
    from geo.datum import from_cgcs2000

    ring = [[120.6, 31.3], [120.602, 31.3], [120.602, 31.302], [120.6, 31.302], [120.6, 31.3]]
    feature = cell(1, 0, 0, 1, 1)
    feature["geometry"]["coordinates"] = [[list(from_cgcs2000(lon=x, lat=y, datum="gcj02")) for x, y in ring]]
    answer = secretary.post(path_of() + "?datum=wgs84", collection(feature))
    assert "datum_suspect" in {one["code"] for one in answer.json["certificate"]["problems"]}
    place = f"{path_of()}/{answer.json['edition_id']}"
    [repair] = secretary.get(f"{place}/repairs").json["repairs"]
    assert (repair["kind"], repair["detail"]) == ("redeclare_datum", "gcj02")
    made = secretary.post(f"{place}/repairs", {"repairs": [repair["repair_id"]]}).json
    assert made["certificate"]["datum"] == "gcj02"
    assert "datum_suspect" not in {one["code"] for one in made["certificate"]["problems"]}


def test_how_far_a_repair_may_go_is_asked_with_it(secretary):
    """Two cells that share five metres: offered and made only by who widens both limits, with the change of each cell; a wrong limit is named."""
    drawn = collection(cell(1, 120.6, 31.3, 120.61, 31.31), cell(2, 120.60995, 31.3, 120.62, 31.31))
    place = f"{path_of()}/{secretary.post(path_of() + '?datum=wgs84', drawn).json['edition_id']}"

    def offered(words=""):
        return [one for one in secretary.get(f"{place}/repairs{words}").json["repairs"] if one["kind"] == "clean_coverage"]

    def matched():
        for one in secretary.get(f"{place}/repairs").json["repairs"]:
            assert secretary.post(f"{place}/repairs", {"repairs": [one["repair_id"]]}).status_code == 200

    matched()
    assert offered() == offered("?clean_width_m=6&share_at_most=0.001") == offered("?clean_width_m=4&share_at_most=0.02") == []
    wide = "?clean_width_m=6&share_at_most=0.02"
    [repair] = offered(wide)
    assert 4_000 < repair["largest_area_change_m2"] < 6_000
    assert [round(one["area_change_m2"]) for one in repair["changes"] if round(one["area_change_m2"])] == [-round(repair["largest_area_change_m2"])]
    wanted = {"repairs": [repair["repair_id"]]}
    assert problem(secretary.post(f"{place}/repairs", wanted)) == (422, "invalid-input")
    assert secretary.post(f"{place}/repairs{wide}", wanted).json["certificate"]["ok"]
    for wrong in ("clean_width_m=51", "share_at_most=0.6", "share_at_most=x"):
        answer = secretary.get(f"{place}/repairs?{wrong}")
        assert problem(answer) == (422, "invalid-input") and answer.json["errors"][0]["pointer"] == f"/{wrong.partition('=')[0]}"


def test_households_outside_the_band_are_told(secretary):
    """A column with households is held against the profile's band, as a warning that names the cell and stops nobody."""
    document = row_of_cells(1, 2)
    document["features"][0]["properties"]["户数"] = "9000"
    document["features"][1]["properties"]["户数"] = 400
    answer = secretary.post(path_of() + "?datum=wgs84", document)
    found = [one for one in answer.json["certificate"]["problems"] if one["code"].startswith("households_")]
    assert answer.json["certificate"]["ok"]
    assert [(one["code"], one["severity"], one["cells"]) for one in found] == [("households_above", "warning", [f"{CODE}001"])]


def test_the_lineage_of_a_draft_and_of_what_was_published(secretary):
    """Before publishing: what would become of each cell. Cells keep their identity where only the code changed."""
    document = collection(
        cell(11, 120.6, 31.3, 120.61, 31.31, cell_id=None), cell(12, 120.61, 31.3, 120.615, 31.31, cell_id=None),
        cell(13, 120.615, 31.3, 120.62, 31.31, cell_id=None),
    )  # fmt: skip
    edition_id = secretary.post(path_of() + "?datum=wgs84", document).json["edition_id"]
    told = secretary.get(f"{path_of()}/{edition_id}/lineage").json
    assert told["counts"] == {"same": 1, "reshape": 0, "split": 1, "merge": 0, "transfer": 0, "new": 0, "end": 0}
    assert told["from"]["edition_id"] == "e1" and told["to"]["edition_id"] == edition_id
    first, *parts = told["parts"]
    assert (first["kind"], first["new"]["cell_id"], first["new"]["code"]) == ("same", "cell-a", f"{CODE}011")
    assert [round(one["share_of_old"], 2) for one in parts] == [0.5, 0.5]
    assert sum(one["households"] for one in parts) == 1 and first["households"] == 1
    assert problem(secretary.get(f"{path_of()}/{edition_id}/lineage?against=nowhere")) == (404, "not-found")


def test_the_dry_run_the_ledger_and_the_way_back_over_http(office, secretary):
    """What the console shows before publishing, after it, and when somebody wants to go back; personal titles are audited."""
    document = collection(
        cell(11, 120.6, 31.3, 120.61, 31.31), cell(12, 120.61, 31.3, 120.615, 31.31), cell(13, 120.615, 31.3, 120.62, 31.31)
    )
    edition_id = secretary.post(path_of() + "?datum=wgs84", document).json["edition_id"]
    place = f"{path_of()}/{edition_id}"
    told = secretary.get(f"{place}/dry-run?limit=5").json
    assert told["moves"]["count"] > 5 and len(told["rows"]) == 5 and told["next"]
    [person, *_] = secretary.get(f"{place}/dry-run?type=person").json["rows"]
    assert person["title"] and person["from"]["cell_id"] in ("cell-a", "cell-b") and person["zh"] and person["en"]
    assert problem(secretary.get(f"{place}/dry-run?limit=0")) == (422, "invalid-input")
    assert problem(secretary.get(f"{place}/dry-run?next=x")) == (422, "invalid-input")
    blind = office.signed_in("admin").get(f"{place}/dry-run?type=person").json
    assert blind["moves"] == told["moves"] and {one["title"] for one in blind["rows"]} == {None}
    assert problem(office.signed_in("planner").get(f"{place}/dry-run")) == (403, "outside-your-scope")
    assert problem(secretary.get(f"{place}/moves")) == (404, "not-found")
    assert secretary.post(f"{place}/publish").status_code == 200
    ledger = secretary.get(f"{place}/moves?limit=500").json
    assert ledger["moves"]["types"] == told["moves"]["types"] and len(ledger["rows"]) == told["moves"]["count"]
    assert problem(secretary.get(f"{place}/dry-run")) == (404, "not-found")
    back = secretary.post(f"{path_of()}/previous/republish")
    assert back.status_code == 201 and back.json["number"] == 3, back.data
    again = secretary.get(f"{path_of()}/{back.json['edition_id']}/moves").json
    assert again["moves"]["count"] == told["moves"]["count"]
    assert problem(secretary.post(f"{path_of()}/{back.json['edition_id']}/republish")) == (404, "not-found")
    lines = secretary.get("/api/v1/audit").json
    assert any("person.name" in str(one) and "edition=" in str(one) for one in lines.get("lines", lines.get("rows", [])))


def test_placement_over_http(office, secretary):
    """The console asks why, pins with a reason, takes the pin back, and works off what has no place."""
    from records_kit import IDS

    place = f"/api/v1/records/building/{IDS['building_a']}/placement"
    assert secretary.get(place).json["decision"] == "inside"
    answer = secretary.post(f"{place}/pin", {"cell": f"{CODE}002", "reason": "正门在东侧"})
    assert answer.status_code == 200, answer.data
    assert answer.json["placement"]["decision"] == "pinned" and answer.json["placement"]["home"]["cell_id"] == "cell-b"
    assert secretary.get(f"/api/v1/records/entrance/{IDS['entrance_a']}/placement").json["decision"] == "inside"
    back = secretary.client.delete(f"{place}/pin", headers=secretary.headers)
    assert back.json["placement"]["home"]["cell_id"] == "cell-a"
    assert problem(secretary.post(f"{place}/pin", {"cell": f"{CODE}002"})) == (422, "invalid-input")
    assert problem(secretary.post(f"{place}/pin", {"cell": "nowhere", "reason": "x"})) == (404, "not-found")
    assert problem(secretary.get("/api/v1/records/building/nobody/placement")) == (404, "not-found")
    planner = office.signed_in("planner")
    assert problem(planner.post(f"{place}/pin", {"cell": f"{CODE}002", "reason": "x"})) == (403, "outside-your-scope")
    held = secretary.post(f"/api/v1/records/dwelling/{IDS['dwelling_c']}/placement/holder", {"set": {"building": IDS["building_a"]}})
    assert held.status_code == 200 and held.json["placement"]["home"]["cell_id"] == "cell-a", held.data
    assert secretary.get("/api/v1/inbox/placements").json["rows"] == []
    assert "placements" in secretary.get("/api/v1/inbox").json["counts"]
