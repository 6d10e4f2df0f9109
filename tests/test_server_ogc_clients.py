from __future__ import annotations

import re
import subprocess
import threading

import pyogrio
import pytest
from live import anchor, live_server  # noqa: F401
from owslib.ogcapi.features import Features
from owslib.util import Authentication
from pyogrio import raw

from server.services import accounts, sign_in
from server.services.push import accept_user_operation
from server.store.database import read, run

BUILDINGS = 130


@pytest.fixture(scope="module")
def place(live_server):  # noqa: F811
    """A community with many buildings, and read tokens of its secretary and of a planner."""
    ground = live_server.community()
    for number in range(BUILDINGS):
        build(ground, number)
    planner = accounts.add_user(
        live_server.house, ground.secretary, login=f"p-{ground.community_id[-12:]}", name="测试规划师", role="planner",
        password="correct horse battery staple",
    )  # fmt: skip
    write_resource(ground)
    tokens = {
        "secretary": sign_in.make_read_token(live_server.house, ground.secretary, label="test")[0],
        "planner": sign_in.make_read_token(live_server.house, sign_in.actor_of(planner), label="test")[0],
    }
    return ground, tokens


def build(ground, number):
    """A building in one of the three cells; its id."""
    record_id = ground.server.house.new_id()
    values = {"number": str(number), "floors_count": number % 7 + 1, "anchor": anchor(number % 3)}
    _write(ground, {"kind": "create", "type": "building", "id": record_id, "set": values, "was": {}})
    return record_id


def write_resource(ground):
    values = {"name": "急救箱", "kind": "supply", "anchor": anchor(0), "contact_name": "钱八"}
    record_id = ground.server.house.new_id()
    _write(ground, {"kind": "create", "type": "resource", "id": record_id, "set": values, "was": {}})


def _write(ground, operation):
    done = accept_user_operation(ground.server.house, ground.secretary, operation)
    assert done["now"]["outcome"] == "applied", done


def kept(ground):
    """Ids of every building on record, in order: what a client must read, each exactly once."""
    with read(ground.server.house.engine) as connection:
        return [row.id for row in run(connection, "SELECT id FROM record WHERE community_id = ? AND type = 'building' ORDER BY id", (ground.community_id,))]


def connection(ground, token, **options):
    options = {"USERPWD": f"anybody:{token}", **options}
    return f"OAPIF:{ground.server.url}/ogc/", options


def test_pyogrio_reads_every_feature_exactly_once_while_others_write(place):
    """GDAL 3.12 follows the pages to the end and meets every building once, though more are written meanwhile."""
    ground, tokens = place
    address, options = connection(ground, tokens["planner"], PAGE_SIZE="10", INITIAL_REQUEST_PAGE_SIZE="10")
    stop, written, before = threading.Event(), [], kept(ground)

    def others():
        while not stop.is_set():
            written.append(build(ground, 1000 + len(written)))

    def existing():
        meta, _, _, data = raw.read(address, layer="buildings", columns=["id", "number"], **options)
        return [str(one) for one in data[list(meta["fields"]).index("id")]]

    thread = threading.Thread(target=others)
    thread.start()
    try:
        found = existing()
    finally:
        stop.set()
        thread.join()
    assert written
    assert len(found) == len(set(found)) and set(before) <= set(found) <= {*before, *written}
    assert sorted(existing()) == kept(ground)


def test_pyogrio_sees_types_places_and_areas(place):
    """GDAL reads columns with their types, the extent, a box and an attribute filter."""
    ground, tokens = place
    address, options = connection(ground, tokens["planner"])
    info = pyogrio.read_info(address, layer="buildings", **options)
    assert info["geometry_type"] == "Point"
    kinds = dict(zip(info["fields"], info["dtypes"], strict=True))
    assert (kinds["number"], kinds["floors_count"]) == ("object", "int32")
    west = (120.60, 31.30, 120.61, 31.31)
    _, _, shapes, _ = raw.read(address, layer="buildings", bbox=west, **options)
    assert len(shapes) >= BUILDINGS // 3
    meta, _, _, data = raw.read(address, layer="buildings", where="floors_count = 7 AND number = '6'", **options)
    assert list(data[list(meta["fields"]).index("number")]) == ["6"]
    info = pyogrio.read_info(address, layer="cells", force_total_bounds=True, **options)
    assert info["geometry_type"] == "Polygon"
    assert tuple(round(float(one), 6) for one in info["total_bounds"]) == (120.6, 31.3, 120.63, 31.31)


def test_ogrinfo_reads_the_service(place, ogrinfo):
    """Debian's ogrinfo lists the collections of the role and counts every feature, with Chinese values whole."""
    ground, tokens = place

    def said(token, *more):
        command = [
            ogrinfo,
            "-ro",
            "-oo",
            f"USERPWD=x:{token}",
            "-oo",
            "PAGE_SIZE=40",
            f"OAPIF:{ground.server.url}/ogc",
            *more,
        ]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    planner = said(tokens["planner"])
    assert "buildings" in planner and "cells" in planner
    assert "households" not in planner and "persons" not in planner
    assert "households" in said(tokens["secretary"])
    summary = said(tokens["planner"], "-so", "cells")
    assert "Feature Count: 3" in summary and "Geometry: Polygon" in summary
    listed = re.findall(r"^  id \(String\) = (.+)$", said(tokens["planner"], "-geom=NO", "buildings"), re.MULTILINE)
    assert sorted(listed) == kept(ground)
    assert f"Feature Count: {len(listed)}\n" in said(tokens["planner"], "-so", "buildings")
    assert "急救箱" in said(tokens["planner"], "-al", "resources")
    assert "钱八" not in said(tokens["planner"], "resources")
    assert "钱八" in said(tokens["secretary"], "resources")
    refused = subprocess.run([ogrinfo, "-ro", f"OAPIF:{ground.server.url}/ogc"], capture_output=True, text=True)
    assert refused.returncode != 0 or "401" in refused.stderr


def test_owslib_walks_the_service(place):
    """OWSLib finds landing page, conformance, API document, queryables, and walks the pages by their links."""
    ground, tokens = place
    service = Features(f"{ground.server.url}/ogc/", auth=Authentication("anybody", tokens["planner"]))
    assert service.links
    assert any(one.endswith("conf/core") for one in service.conformance()["conformsTo"])
    assert service.api()["openapi"].startswith("3.0")
    assert "buildings" in service.feature_collections()
    assert service.collection("buildings")["itemType"] == "feature"
    assert "floors_count" in service.collection_queryables("buildings")["properties"]
    found, page = [], service.collection_items("buildings", limit=50)
    while True:
        found += [feature["id"] for feature in page["features"]]
        following = next((link["href"] for link in page["links"] if link["rel"] == "next"), None)
        if following is None:
            break
        page = service.collection_items("buildings", limit=50, next=following.partition("next=")[2].partition("&")[0])
    assert sorted(found) == kept(ground) and len(found) >= BUILDINGS
    one = service.collection_item("buildings", found[0])
    assert one["id"] == found[0]
    filtered = service.collection_items("buildings", filter="floors_count = 7", limit=1000)
    assert {feature["properties"]["floors_count"] for feature in filtered["features"]} == {7}
    boxed = service.collection_items("buildings", bbox=[120.60, 31.30, 120.61, 31.31], limit=1000)
    assert all(feature["geometry"]["coordinates"][0] <= 120.61 for feature in boxed["features"])
