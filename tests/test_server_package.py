from __future__ import annotations

import csv
import io
import json
import re
import sqlite3
import subprocess
import xml.etree.ElementTree as xml
import zipfile

import numpy as np
import openpyxl
import orjson
import pyogrio
import pyproj
import pytest
import shapely
from conftest import required_program
from front_door import COMMUNITY, NEIGHBOUR, problem
from hypothesis import given
from hypothesis import strategies as st
from pyogrio import raw
from records_kit import CODE_A, ZHANG_NUMBER, office_with_records
from test_server_exports import PERSONAL, PLACES

from forms.registry import load_registry
from geo.gauss_krueger import Zone, from_zone, to_zone
from server.jobs.dictionary import short_names
from server.jobs.geopackage import write_geopackage
from server.jobs.worker import Worker
from server.permissions import Scope
from server.services import accounts
from server.services.layers import NOTHING, Feature, Layer, record_layer
from server.services.tables import Column
from server.store import exports as exports_store
from server.store.database import read

REGISTRY = load_registry()
RECORDS = {"estates": 1, "buildings": 2, "entrances": 1, "dwellings": 3, "organizations": 1, "resources": 1}


@pytest.fixture
def office(prepared_database, tmp_path, clock):
    found = office_with_records(prepared_database, tmp_path, clock)
    yield found
    found.house.engine.dispose()


def packed(person, office, folder, **asked):
    """Ask for a package, let a worker make it, unpack it; the folder."""
    answer = person.post("/api/v1/exports", json={"format": "package"} | asked)
    assert answer.status_code == 202, answer.data
    Worker(office.house).run_all()
    job = person.get(answer.headers["Location"]).json
    assert job["state"] == "done", job
    with zipfile.ZipFile(io.BytesIO(person.get(job["file"]["href"]).data)) as archive:
        archive.extractall(folder)
    assert not list(folder.rglob("*.aux.xml")), "no side files"
    left = [path.name for path in (office.house.settings.data_dir / "exports").iterdir() if path.suffix != ".zip"]
    assert left == []
    return folder


def counts(path, layers):
    return {name: pyogrio.read_info(path, layer=name)["features"] for name in layers}


def test_a_package_holds_the_same_in_every_format(office, tmp_path):
    """One click gives every format, and each of them, reopened by GDAL, holds the same features and Chinese values."""
    folder = packed(office.signed_in("planner"), office, tmp_path / "package")
    expected = {"cells": 2, "figures": 2, **RECORDS}
    assert counts(folder / "dishu.gpkg", expected) == expected
    assert counts(folder / "dishu.gdb", expected) == expected
    for place, suffix in (("flatgeobuf", "fgb"), ("geojson", "geojson"), ("shapefile", "shp"), ("kml", "kml")):
        found = {name: pyogrio.read_info(folder / place / f"{name}.{suffix}")["features"] for name in expected}
        assert found == expected, place
        _, _, shapes, data = raw.read(folder / place / f"resources.{suffix}")
        assert shapely.from_wkb(shapes[0]).equals_exact(shapely.Point(120.604, 31.304), 1e-7), place
        assert any("急救箱" in str(column[0]) for column in data), place
    for name in ("cells", "figures"):
        tiles = pyogrio.read_info(folder / "tiles" / f"{name}.pmtiles")
        assert (tiles["driver"], tiles["layer_name"]) == ("PMTiles", name)
        kept, cut = (raw.read(path, layer=name) for path in (folder / "dishu.gpkg", folder / "tiles" / f"{name}.pmtiles"))
        assert list(cut[0]["fields"]) == ["mvt_id", *kept[0]["fields"]], name
        plain = [at for at, column in enumerate(kept[3]) if column.dtype.kind != "M"]  # tiles know no instants: text
        rows, pieces = (
            {tuple(None if value != value else value for value in (found[3][column + first][at] for column in plain)) for at in range(len(found[2]))}
            for found, first in ((kept, 0), (cut, 1))
        )
        assert len(rows) == 2 and pieces == rows, name
    assert not (folder / "tiles" / "buildings.pmtiles").exists()  # single records never become tiles
    assert "CGCS2000" in (folder / "README.txt").read_text("utf-8")


def test_ogrinfo_finds_aliases_codes_and_metadata(office, tmp_path, ogrinfo):
    """Another program sees value domains in the GeoPackage, aliases in the File Geodatabase, metadata and no side file."""
    folder = packed(office.signed_in("planner"), office, tmp_path / "package")

    def said(path, *more):
        return subprocess.run([ogrinfo, "-ro", *more, path], capture_output=True, text=True, check=True).stdout

    dwellings = said(folder / "dishu.gpkg", "-so", "-al")
    assert "use: String (0.0), domain name=dwellings_use" in dwellings
    assert "COMMUNITY_ID=" in said(folder / "dishu.gpkg") and "CGCS2000" in dwellings
    domain = subprocess.run([ogrinfo, "-ro", "-fielddomain", "dwellings_use", folder / "dishu.gpkg"],
                            capture_output=True, text=True, check=True).stdout  # fmt: skip
    assert "home: 住宅" in domain
    geodatabase = said(folder / "dishu.gdb", "-so", "-al")
    assert 'use: String (0.0), alternative name="用途", domain name=dwellings_use' in geodatabase
    domain = subprocess.run([ogrinfo, "-ro", "-fielddomain", "dwellings_use", folder / "dishu.gdb"],
                            capture_output=True, text=True, check=True).stdout  # fmt: skip
    assert "Type: coded" in domain and "home: 住宅" in domain
    assert 'alternative name="楼栋编号"' in geodatabase or 'alternative name="编号"' in geodatabase
    assert "Feature Count: 3" in said(folder / "dishu.gdb", "-so", "-al", "-nomd")
    table = said(folder / "shapefile" / "dwellings.shp", "-al")
    assert "住宅" in table
    expected = {"cells": 2, "dedicated_cells": 0, "figures": 2, **RECORDS}
    layers = [folder / "flatgeobuf", folder / "shapefile", *(folder / "kml" / f"{name}.kml" for name in expected)]
    told = [re.findall(r"Layer name: (\w+)\n.*?Feature Count: (\d+)", said(one, "-so", "-al"), re.DOTALL) for one in layers]
    assert [{name: int(count) for name, count in one} for one in told] == [expected, expected, *({name: count} for name, count in expected.items())]
    for file in ("flatgeobuf/resources.fgb", "shapefile/resources.shp", "kml/resources.kml"):
        assert "急救箱" in said(folder / file, "-al"), file
    copy = tmp_path / "copy.gpkg"
    subprocess.run([required_program("ogr2ogr"), "-f", "GPKG", copy, folder / "dishu.gpkg", "dwellings"], check=True)
    assert pyogrio.read_info(copy)["features"] == 3
    assert not list(folder.glob("dishu.gpkg-*"))


def test_a_geopackage_is_as_the_standard_wants(office, tmp_path):
    """Version 1.3, integer SRS, spatial index that SQLite finds right, aliases, styles that are the default."""
    folder = packed(office.signed_in("secretary"), office, tmp_path / "p", formats=["geopackage"])
    assert {path.name for path in folder.iterdir()} == {"dishu.gpkg", "dictionary.xlsx", "README.txt"}
    database = sqlite3.connect(folder / "dishu.gpkg")
    assert database.execute("PRAGMA application_id").fetchone() == (0x47504B47,)
    assert database.execute("PRAGMA user_version").fetchone() == (10300,)
    assert database.execute("PRAGMA foreign_key_check").fetchall() == []
    assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert database.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    for name in ("cells", "dedicated_cells", "figures", *RECORDS):
        assert database.execute(f"SELECT rtreecheck('rtree_{name}_geom')").fetchone() == ("ok",)
    styles = database.execute("SELECT f_table_name, styleQML, styleSLD, useAsDefault FROM layer_styles").fetchall()
    assert {name for name, *_ in styles} == {"cells", "dedicated_cells", "figures", *RECORDS}
    for name, qml, sld, default in styles:
        tree = xml.fromstring(qml[qml.index("<qgis") :])
        assert tree.find("renderer-v2/symbols/symbol") is not None and default == 1, name
        xml.fromstring(sld)
    dwellings = next(qml for name, qml, *_ in styles if name == "dwellings")
    assert 'attr="use"' in dwellings and 'label="住宅"' in dwellings
    bounds = database.execute("SELECT min_x, min_y, max_x, max_y, srs_id FROM gpkg_contents WHERE table_name = 'cells'")
    assert bounds.fetchone() == (120.6, 31.3, 120.62, 31.31, 4490)
    database.close()


def test_metres_of_the_local_zone(office, tmp_path, ogrinfo):
    """On demand everything lies in metres of the community's own 3° zone, but for formats that know degrees only; nothing else differs."""
    planner = office.signed_in("planner")
    folder = packed(planner, office, tmp_path / "metres", projected=True)
    degrees = packed(planner, office, tmp_path / "degrees", formats=["geopackage"])
    zone = to_zone(lon=120.604, lat=31.304, zone=Zone(4549))  # central meridian 120° E
    for place in ("dishu.gpkg", "dishu.gdb", "flatgeobuf/resources.fgb", "shapefile/resources.shp"):
        layer = "resources" if place.startswith("dishu") else None
        meta, _, shapes, data = raw.read(folder / place, layer=layer)
        assert pyproj.CRS(meta["crs"]).to_epsg(min_confidence=20) == 4549, (place, meta["crs"])
        assert shapely.from_wkb(shapes[0]).equals_exact(shapely.Point(*zone), 0.001), place
        assert any("急救箱" in str(column[0]) for column in data), place
    for place in ("geojson/resources.geojson", "kml/resources.kml"):
        _, _, shapes, _ = raw.read(folder / place)
        assert shapely.from_wkb(shapes[0]).equals_exact(shapely.Point(120.604, 31.304), 1e-7), place
    made, plain = sqlite3.connect(folder / "dishu.gpkg"), sqlite3.connect(degrees / "dishu.gpkg")
    for name in ("cells", "figures", *RECORDS):
        assert made.execute(f"SELECT rtreecheck('rtree_{name}_geom')").fetchone() == ("ok",)
        found, usual = raw.read(folder / "dishu.gpkg", layer=name), raw.read(degrees / "dishu.gpkg", layer=name)
        assert all((one == other).all() for one, other in zip(found[3], usual[3], strict=True) if one.dtype.kind not in "fM"), name
        back = [shapely.transform(one, lambda at: np.column_stack(from_zone(east=at[:, 0], north=at[:, 1], zone=Zone(4549))))
                for one in shapely.from_wkb(found[2])]  # fmt: skip
        assert shapely.equals_exact(back, shapely.from_wkb(usual[2]), tolerance=1e-9).all(), name
    assert made.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert {row[0] for row in made.execute("SELECT srs_id FROM gpkg_geometry_columns")} == {4549}
    assert "EPSG:4549" in (folder / "README.txt").read_text("utf-8")
    said = subprocess.run([ogrinfo, "-ro", "-so", folder / "dishu.gpkg", "cells"], capture_output=True, text=True, check=True).stdout
    assert "CGCS2000 / 3-degree Gauss-Kruger CM 120E" in said
    refused = planner.post("/api/v1/exports", json={"format": "csv", "layers": ["cells"], "projected": True})
    assert problem(refused) == (422, "invalid-input") and refused.json["errors"][0]["pointer"] == "/projected"
    made.close()
    plain.close()


def test_shapefiles_keep_chinese_and_say_what_their_columns_are(office, tmp_path):
    """UTF-8 is declared, column names fit, and a table leads from each of them to the full name."""
    folder = packed(office.signed_in("secretary"), office, tmp_path / "p", formats=["shapefile"],
                    layers=["dwellings", "persons"], personal=True, purpose="核对")  # fmt: skip
    assert (folder / "shapefile" / "dwellings.cpg").read_text().strip().upper() == "UTF-8"
    info = pyogrio.read_info(folder / "shapefile" / "persons.shp")
    assert info["encoding"] == "UTF-8"
    with (folder / "shapefile" / "fields.csv").open(encoding="utf-8-sig") as handle:
        rows = [row for row in csv.DictReader(handle) if row["图层"] == "persons"]
    assert [row["Shapefile 字段"] for row in rows] == list(info["fields"])
    meta, _, _, data = raw.read(folder / "shapefile" / "persons.shp")
    assert "张小小" in set(data[list(meta["fields"]).index("name")])


def test_the_dictionary_explains_every_column(office, tmp_path):
    """The workbook names every layer, every column with its class, and every code with its label."""
    folder = packed(office.signed_in("planner"), office, tmp_path / "p", formats=["flatgeobuf"])
    book = openpyxl.load_workbook(folder / "dictionary.xlsx")
    assert book.sheetnames == ["图层", "字段", "代码", "说明"]
    assert {row[0] for row in book["图层"].iter_rows(min_row=2, values_only=True)} >= {"cells", *RECORDS}
    fields = [row for row in book["字段"].iter_rows(min_row=2, values_only=True) if row[0] == "dwellings"]
    assert [row[1] for row in fields] == list(pyogrio.read_info(folder / "flatgeobuf" / "dwellings.fgb")["fields"])
    assert ("dwellings", "use", "home", "住宅") in set(book["代码"].iter_rows(min_row=2, values_only=True))
    assert all(row[7] != "个人信息" for row in fields)


def test_personal_fields_are_for_those_who_may(office, tmp_path):
    """A secretary's personal package has persons with masked numbers; a planner's asks in vain, and gets no trace of them."""
    planner = office.signed_in("planner")
    for asked in ({"personal": True}, {"layers": ["persons"]}):
        answer = planner.post("/api/v1/exports", json={"format": "package"} | asked)
        assert problem(answer) == (403, "outside-your-scope")
    plain = packed(planner, office, tmp_path / "plain")
    for path in plain.rglob("*"):
        if path.is_file():
            assert "钱八".encode() not in path.read_bytes(), path
    whole = packed(office.signed_in("secretary"), office, tmp_path / "whole", personal=True, purpose="核对",
                   formats=["geopackage", "geojson"])  # fmt: skip
    assert counts(whole / "dishu.gpkg", PLACES + PERSONAL)["persons"] == 5
    text = (whole / "geojson" / "persons.geojson").read_text("utf-8")
    assert ZHANG_NUMBER not in text and f"****{ZHANG_NUMBER[-4:]}" in text


def test_what_has_no_place_is_in_every_format(office, tmp_path):
    """A party member of whom nobody knows where they live is in every file, without a place."""
    folder = packed(office.signed_in("secretary"), office, tmp_path / "p", personal=True, purpose="核对",
                    layers=["cells", *PERSONAL])  # fmt: skip
    expected = {"households": 2, "persons": 5, "party_members": 2}
    assert counts(folder / "dishu.gpkg", expected) == counts(folder / "dishu.gdb", expected) == expected
    for place, suffix in (("flatgeobuf", "fgb"), ("geojson", "geojson"), ("shapefile", "shp"), ("kml", "kml")):
        _, _, shapes, data = raw.read(folder / place / f"party_members.{suffix}")
        assert sum(shape is None for shape in shapes) == 1, place
        assert any("周七" in column for column in data if column.dtype == object), place


def test_a_package_of_a_cell_and_of_an_area(office, tmp_path):
    """A package holds one cell, or all communities of a subdistrict or district with the community in every row."""
    planner = office.signed_in("planner")
    one = packed(planner, office, tmp_path / "cell", cell=CODE_A, formats=["geopackage"])
    assert counts(one / "dishu.gpkg", ["cells", "dwellings"]) == {"cells": 1, "dwellings": 1}
    accounts.add_user(office.house, accounts.OPERATOR, login="planner-9", name="某某", role="planner",
                      password="a-made-up-password", community_id="~house")  # fmt: skip
    house_planner = office.signed_in("planner")
    house_planner.sign_in("planner-9")
    area = packed(house_planner, office, tmp_path / "area", area="999999", formats=["geojson"])
    buildings = json.loads((area / "geojson" / "buildings.geojson").read_text("utf-8"))["features"]
    assert {one["properties"]["community_code"] for one in buildings} == {CODE_A[:12]}
    assert f"{COMMUNITY},{NEIGHBOUR}" in (area / "README.txt").read_text("utf-8")
    officer = packed(
        office.signed_in("subdistrict"), office, tmp_path / "officer", area="999999001", formats=["geojson"]
    )
    assert (officer / "geojson" / "buildings.geojson").exists()
    for person, asked, expected in (
        (planner, {"area": "999999"}, (403, "outside-your-scope")),
        (office.signed_in("subdistrict"), {"area": "999999"}, (403, "outside-your-scope")),
        (house_planner, {"area": "111111"}, (404, "not-found")),
        (house_planner, {"area": "9"}, (422, "invalid-input")),
        (planner, {"area": "999999001", "cell": CODE_A}, (422, "invalid-input")),
        (planner, {"formats": ["dxf"]}, (422, "invalid-input")),
    ):
        assert problem(person.post("/api/v1/exports", json={"format": "package"} | asked)) == expected, asked


@given(st.lists(st.from_regex(r"[a-z][a-z0-9_]{0,30}", fullmatch=True), max_size=60, unique=True))
def test_short_names_are_short_and_distinct(names):
    """Whatever columns a form has, their Shapefile names fit, differ, and are the same every time."""
    made = short_names(names)
    assert list(made) == names and made == short_names(names)
    assert all(0 < len(short) <= 10 for short in made.values())
    assert len({short.lower() for short in made.values()}) == len(names)


@given(st.integers(0, 3000), st.integers(0, 2**32 - 1))
def test_the_packed_index_finds_what_a_scan_finds(tmp_path_factory, count, seed):
    """However many features a layer has, its spatial index is sound and finds exactly what lies in a box."""
    path = tmp_path_factory.mktemp("index") / "a.gpkg"
    chance = np.random.default_rng(seed)
    spots = np.round(chance.uniform((73, 3), (135, 54), (count, 2)), 7)
    features = [Feature(str(n), (str(n),), *spot) for n, spot in enumerate(spots.tolist())]
    layer = Layer(
        "a", "点", "Point", (Column("id", "编号"),), {}, (), count, lambda: iter([features] if features else [])
    )
    assert write_geopackage(path, [layer], {"as_of": "2026-03-02T01:00:00.000Z"}, lambda _count: None) == count
    with sqlite3.connect(path) as database:
        assert database.execute("SELECT rtreecheck('rtree_a_geom')").fetchone() == ("ok",)
    database.close()
    box = (100.0, 20.0, 120.0, 40.0)
    inside = ((spots >= box[:2]) & (spots <= box[2:])).all(axis=1).sum() if count else 0
    assert pyogrio.read_info(path, layer="a")["features"] == count
    _, _, shapes, _ = raw.read(path, layer="a", bbox=box)
    assert len(shapes) == inside


def test_one_command_makes_the_package(prepared_database, tmp_path):
    """`dishu export package` writes the ZIP in somebody's name; without a name or a purpose it says what is missing."""
    from records_kit import populate
    from test_server_cli import KEY, dishu

    env = {"DISHU_DATA": str(tmp_path / "data"), "DISHU_KEY": KEY, "DISHU_DATABASE_URL": prepared_database(populate)}
    target = tmp_path / "all.zip"
    words = ("export", "package", "--as", "planner-1", "--format", "geopackage", "--output", str(target))
    made = dishu(*words, env=env)
    assert made.exit_code == 0, made.output
    assert "13 rows" in made.output
    with zipfile.ZipFile(target) as archive:
        assert sorted(archive.namelist()) == ["README.txt", "dictionary.xlsx", "dishu.gpkg"]
    assert "--as is required" in dishu("export", "package", env=env).output
    asked = ("export", "package", "--as", "secretary-1", "--personal")
    assert "--personal needs --purpose" in dishu(*asked, env=env).output
    plain = dishu(
        "export", "--as", "planner-1", "--format", "csv", "--layer", "cells", "--output", str(target), env=env
    )
    assert plain.exit_code == 0 and "2 rows" in plain.output


def test_a_geopackage_tells_nothing_from_empty(tmp_path):
    """What is not known is NULL, an empty text, a zero and a no stay themselves, with a place and without."""
    values = ("a", None, "", "NaN", 0, False, 0.5)
    kinds = ("text", "text", "text", "text", "integer", "boolean", "decimal")
    columns = tuple(Column(f"c{n}", f"列{n}", kind) for n, kind in enumerate(kinds))
    features = [Feature("a", values, 120.0, 31.0), Feature("b", values)]
    path = tmp_path / "a.gpkg"
    write_geopackage(path, [Layer("a", "点", "Point", columns, {}, (), 2, lambda: iter([features]))], {}, lambda _count: None)
    with sqlite3.connect(path) as database:
        rows = database.execute("SELECT geom IS NULL, typeof(geom), c0, c1, c2, c3, c4, c5, c6 FROM a").fetchall()
    database.close()
    assert rows == [(0, "blob", *values), (1, "null", *values)]


def test_a_layer_is_whole_however_it_is_read(office, monkeypatch):
    """Every record comes once and stands where its place is, whatever number is read together, and the quick way too."""
    scope = Scope((COMMUNITY,), None, "all", None)

    def layer():
        with read(office.house.engine) as connection:
            found = record_layer(
                connection, REGISTRY, scope, COMMUNITY, "persons", personal=True, homes=None, cells={}
            )  # fmt: skip
            features = [feature for batch in found.batches() for feature in batch]
            swift = [row for batch, _, _ in found.swift(lambda lon, lat: (lon, lat)) for row in batch]
            assert [tuple(None if one is NOTHING else one for one in row) for row in swift] == [
                ((one.lon, one.lat), *one.values) for one in features
            ]
            points = {(one.lon, one.lat): orjson.dumps((one.lon, one.lat)) for one in features}
            texts = [orjson.loads(one) for batch in found.texts(points) for one in batch]
            assert [(one["id"], tuple(one["geometry"]), tuple(one["properties"].values())) for one in texts] == [
                (one.feature_id, (one.lon, one.lat), one.values) for one in features
            ]
            return features

    at_once = layer()
    assert len({feature.feature_id for feature in at_once}) == len(at_once) == 5
    for asked, batch in ((1, 1), (2, 1), (3, 2), (5, 3)):
        monkeypatch.setattr(exports_store, "_ASKED", asked)
        monkeypatch.setattr(exports_store, "_BATCH", batch)
        assert layer() == at_once


def test_memory_does_not_grow_with_the_rows(tmp_path):
    """Eight times as many features take hardly more memory: what grows is the spatial index, 40 bytes for each."""
    import tracemalloc

    def features(count):
        for start in range(0, count, 1000):
            yield [Feature(f"id-{n}", (f"id-{n}", "某" * 100), 120 + n / 1e6, 31.0) for n in range(start, start + 1000)]

    def peak(count):
        layer = Layer(
            "a", "点", "Point", (Column("id", "编号"), Column("text", "文字")), {}, (), count, lambda: features(count)
        )
        tracemalloc.start()
        write_geopackage(
            tmp_path / f"{count}.gpkg", [layer], {"as_of": "2026-03-02T01:00:00.000Z"}, lambda _count: None
        )
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    small, large = peak(5_000), peak(40_000)
    assert (
        large - small < 35_000 * 400
    )  # packing the index holds some copies of it for a moment; the rows alone are 16 MB
