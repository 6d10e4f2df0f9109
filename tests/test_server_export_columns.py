"""What the columns of an export hold: real days and instants, names beside identifiers, the dedicated cell of a record."""

from __future__ import annotations

import json
import re
import subprocess

import numpy as np
import pytest
import shapely
from front_door import COMMUNITY
from pyogrio import raw
from records_kit import CODE_A, IDS, actor_of, office_with_records, write_operation
from test_server_package import packed

from geo.cell import DEDICATED_LAYER, Cell
from geo.cells import DraftEdition
from server.services.assignments import assign
from server.services.editions import publish_edition

MARKET = CODE_A[:-3] + "901"
DAY, INSTANT = "2026-09-30", re.compile(r"2026-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


@pytest.fixture
def office(prepared_database, tmp_path, clock):
    """The office, with a market over building 2 of cell a and a day until which the first-aid kit is good."""
    found = office_with_records(prepared_database, tmp_path, clock)
    secretary = actor_of(found, "secretary")
    box = shapely.set_precision(shapely.box(120.603, 31.303, 120.6045, 31.3045), 1e-7)
    cell = Cell("market", MARKET, "示例市场", box, DEDICATED_LAYER)
    publish_edition(found.house, secretary, COMMUNITY, DraftEdition((cell,), (), "cgcs2000"))
    told = write_operation(found.house, secretary, "patch", "resource", {"valid_until": DAY})
    assert told["now"]["outcome"] in {"applied", "merged"}, told
    yield found
    found.house.engine.dispose()


def values(path, layer, name):
    """(types that GDAL names, values of a column) of one layer."""
    meta, _, _, data = raw.read(path, layer=layer)
    return data[list(meta["fields"]).index(name)]


def test_a_package_tells_days_names_and_the_dedicated_cell(office, tmp_path, ogrinfo):
    """Days and instants are days and instants to GDAL, a reference has its name beside it, a record its dedicated cell."""
    folder = packed(office.signed_in("planner"), office, tmp_path / "package")

    def said(path, *layers):
        done = subprocess.run([ogrinfo, "-ro", "-al", path, *layers], capture_output=True, text=True, check=True)
        assert "Warning" not in done.stderr, done.stderr
        return done.stdout

    # days and instants: what each format has for them
    for place, day in (("dishu.gpkg", "Date"), ("dishu.gdb", "DateTime"), ("flatgeobuf/resources.fgb", "DateTime")):
        told = said(folder / place)
        assert f"valid_until: {day} " in told and "updated_at: DateTime " in told, place
        assert re.search(r"valid_until \(Date(Time)?\) = 2026/09/30", told), place
        assert re.search(r"updated_at \(DateTime\) = 2026/\d\d/\d\d \d\d:\d\d:\d\d", told), place
        layer = "resources" if place.startswith("dishu") else None
        (day_of,), (moment,) = (values(folder / place, layer, name) for name in ("valid_until", "updated_at"))
        assert day_of.astype("datetime64[D]") == np.datetime64(DAY), place
        assert str(moment.astype("datetime64[s]")).startswith("2026-"), place
    assert "as_of: DateTime " in said(folder / "dishu.gpkg") and "made_at: DateTime " in said(folder / "dishu.gpkg")
    table = said(folder / "shapefile" / "resources.shp")
    assert re.search(r"= 2026/09/30", table) and INSTANT.search(table)
    (plain,) = json.loads((folder / "geojson" / "resources.geojson").read_text("utf-8"))["features"]
    assert plain["properties"]["valid_until"] == DAY and INSTANT.fullmatch(plain["properties"]["updated_at"])
    (saved,) = values(folder / "dishu.gdb", "resources", "updated_at")
    assert str(saved.astype("datetime64[s]")) == plain["properties"]["updated_at"][:19], "an instant is the same in every format"

    # names beside identifiers
    dwellings = {row["properties"]["door_number"]: row["properties"] for row in
                 json.loads((folder / "geojson" / "dwellings.geojson").read_text("utf-8"))["features"]}  # fmt: skip
    assert (dwellings["201"]["entrance"], dwellings["201"]["entrance_name"]) == (IDS["entrance_a"], "1")
    assert (dwellings["1001"]["building"], dwellings["1001"]["building_name"]) == (IDS["building_b"], "10")
    assert dwellings["201"]["building_name"] is None
    assert set(values(folder / "dishu.gpkg", "buildings", "estate_name")) == {"听雨苑"}

    # the second layer of cells, and who lies in it
    for place in ("dishu.gpkg", "dishu.gdb", "flatgeobuf/dedicated_cells.fgb", "geojson/dedicated_cells.geojson",
                  "shapefile/dedicated_cells.shp", "tiles/dedicated_cells.pmtiles"):  # fmt: skip
        layer = "dedicated_cells" if place.startswith("dishu") else None
        assert MARKET in values(folder / place, layer, "code"), place
    assert f"= {MARKET}" in said(folder / "kml" / "dedicated_cells.kml")
    assert (dwellings["201"]["dedicated_code"], dwellings["201"]["dedicated_name"]) == (MARKET, "示例市场")
    assert dwellings["1001"]["dedicated_code"] is None
    assert dwellings["201"]["cell_code"] == CODE_A

    # KML shows titles, and calls a place by its name
    kml = said(folder / "kml" / "resources.kml")
    assert "网格编码 (String) = " + CODE_A in kml and "有效期至 (String) = 2026-09-30" in kml
    assert "Name (String) = 急救箱" in kml and "valid_until" not in kml


def test_a_package_of_a_cell_holds_the_dedicated_cells_on_it(office, tmp_path):
    """Of one cell, only the dedicated cells that share ground with it come along."""
    planner = office.signed_in("planner")
    for code, expected in ((CODE_A, 1), (CODE_A[:-1] + "2", 0)):
        folder = packed(planner, office, tmp_path / code, cell=code, formats=["geojson"])
        found = json.loads((folder / "geojson" / "dedicated_cells.geojson").read_text("utf-8"))
        assert len(found["features"]) == expected, code


def test_a_dedicated_cell_is_served_to_those_who_see_it(office):
    """OGC API: the second layer of cells as a collection, for a worker only their own; records tell their dedicated cell."""
    planner, worker = office.signed_in("planner"), office.signed_in("grid_worker")
    (market,) = planner.get("/ogc/collections/dedicated_cells/items").json["features"]
    assert (market["id"], market["properties"]["code"]) == ("market", MARKET)
    assert planner.get("/ogc/collections/dedicated_cells/items/market").json["properties"]["name"] == "示例市场"
    assert planner.get("/ogc/collections/cells/items/market").status_code == 404
    asked = planner.get("/ogc/collections/dwellings/items", query_string={"dedicated_code": MARKET}).json["features"]
    assert [one["id"] for one in asked] == [IDS["dwelling_a"]]
    assert asked[0]["properties"]["entrance_name"] == "1"
    later = planner.get("/ogc/collections/resources/items", query_string={"filter": f"valid_until >= DATE('{DAY}')"}).json
    assert [one["id"] for one in later["features"]] == [IDS["resource"]]
    assert worker.get("/ogc/collections/dedicated_cells/items").json["features"] == []
    assign(office.house, actor_of(office, "secretary"), user_id=office.users["grid_worker"], cell_id="market", community_id=COMMUNITY)
    assert [one["id"] for one in worker.get("/ogc/collections/dedicated_cells/items").json["features"]] == ["market"]
