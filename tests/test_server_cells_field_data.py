"""Real zones and real stations through the server: dirt is kept and told, publishing waits until it is gone.

Collected only where DISHU_FIELD_DATA names a folder (see conftest.py); nothing of it ships with the project.
"""

from __future__ import annotations

import csv
import json
from collections import Counter
from datetime import timedelta

import numpy as np
import pytest
import shapely
from cells_kit import CODE, collection, path_of, populate_ground
from front_door import COMMUNITY, FIRST_DAY, open_office, problem
from hand_phone import HandPhone
from sqlalchemy import select

from geo.cells import read_cells
from geo.datum import to_cgcs2000
from server.house import uuid7
from server.models import record
from server.store.database import read


@pytest.fixture
def office(prepared_database, tmp_path, clock):
    clock.now = FIRST_DAY + timedelta(days=1)
    found = open_office(prepared_database(populate_ground), tmp_path, clock, uuid7)
    yield found
    found.house.engine.dispose()


@pytest.fixture(scope="module")
def zones(field_data) -> str:
    return (field_data / "geo" / "shenzhen_taz.geojson").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def repaired(zones):
    """The same ground without overlaps, gaps and clockwise rings, coded by the profile.

    The borders of all zones cut the ground into faces; each face goes to the first zone that covers it, a face of
    a gap to the nearest zone. Faces share their edges, so zones made of them do, too.
    """
    draft = read_cells(zones, datum="wgs84", mapping={"code": "taz_id"})
    # Whole units of the 1e-7 grid, so that cutting and joining make no vertex off it.
    shapes = shapely.transform([cell.geometry for cell in draft.cells], lambda degrees: np.round(degrees * 1e7))
    lines = shapely.union_all(shapely.boundary(shapes), grid_size=1)
    faces = shapely.get_parts(shapely.polygonize(shapely.get_parts(lines)))
    tree = shapely.STRtree(shapes)
    members: dict[int, list] = {}
    for face in faces:
        point = shapely.point_on_surface(face)
        covering = tree.query(point, predicate="within")
        zone = int(min(covering)) if len(covering) else int(tree.nearest(point))
        members.setdefault(zone, []).append(face)
    features = []
    for number, zone in enumerate(sorted(members), 1):
        shape = shapely.transform(shapely.coverage_union_all(members[zone]), lambda units: units / 1e7)
        features.append(
            {
                "type": "Feature",
                "properties": {"code": f"{CODE}{number:03d}", "name": draft.cells[zone].name, "order": number},
                "geometry": json.loads(shapely.to_geojson(shape)),
            }
        )
    return collection(*features)


@pytest.fixture(scope="module")
def stations(field_data) -> list[tuple[float, float]]:
    with (field_data / "points" / "shenzhen_ev_stations.csv").open(encoding="utf-8") as file:
        return [(float(row["lng"]), float(row["lat"])) for row in csv.DictReader(file)]


def charging_points(stations, datum: str) -> list[dict]:
    return [
        {
            "op_id": uuid7(), "type": "resource", "id": uuid7(), "kind": "create", "base": None, "was": {},
            "form_version": 1, "claimed_at": "2026-03-03T01:00:00Z",
            "set": {
                "name": f"充电站 {number}", "kind": "facility",
                "anchor": {"lon": lon, "lat": lat, "datum": datum, "method": "import"},
            },
        }
        for number, (lon, lat) in enumerate(stations, 1)
    ]  # fmt: skip


def stored(office, operations) -> list:
    wanted = {one["id"] for one in operations}
    with read(office.house.engine) as connection:
        rows = connection.execute(
            select(record.c.id, record.c.home, record.c.placement, record.c.lon, record.c.lat).where(
                record.c.type == "resource"
            )
        )
        found = {row.id: row for row in rows if row.id in wanted}
    return [found[one["id"]] for one in operations]


def publish(office, document) -> None:
    secretary = office.signed_in("secretary")
    sent = secretary.post(f"{path_of()}?datum=cgcs2000", document)
    errors = [one for one in sent.json["certificate"]["problems"] if one["severity"] == "error"]
    assert (sent.status_code, errors) == (201, [])
    answer = secretary.post(f"{path_of()}/{sent.json['edition_id']}/publish")
    assert answer.status_code == 200, answer.data


def test_real_zones_are_kept_as_a_draft_and_not_published(office, zones):
    """All 491 zones are kept; 519 overlaps, some 664 gaps and the clockwise rings of all are told; the gate stays shut."""
    secretary = office.signed_in("secretary")
    sent = secretary.post(f"{path_of()}?datum=wgs84&code_property=taz_id&name_property=zone", json.loads(zones))
    assert sent.status_code == 201, sent.data
    certificate = sent.json["certificate"]
    found = Counter(one["code"] for one in certificate["problems"])
    assert certificate["counts"]["cells"] == 491
    assert found["overlap"] == 519 and abs(found["gap"] - 664) <= 15
    assert (
        len({name for one in certificate["problems"] if one["code"] == "ring_clockwise" for name in one["cells"]})
        == 491
    )
    overlaps = [one for one in certificate["problems"] if one["code"] == "overlap"]
    assert all(len(one["cells"]) == 2 and one["size_m2"] > 0 and 113.7 < one["lon"] < 114.7 for one in overlaps)
    assert not certificate["ok"]
    told = secretary.get(f"{path_of()}/{sent.json['edition_id']}").json
    assert len(told["cells"]["features"]) == 491 and told["certificate"] == certificate
    refused = secretary.post(f"{path_of()}/{sent.json['edition_id']}/publish")
    assert problem(refused) == (422, "invalid-cells")
    said = Counter(one["code"] for one in refused.json["errors"])
    assert said["overlap"] == 519 and said["gap"] >= 600
    assert all(
        "113." in one["message"] or "114." in one["message"]
        for one in refused.json["errors"]
        if one["code"] == "overlap"
    )
    states = {one["edition_id"]: one["state"] for one in secretary.get(path_of()).json["editions"]}
    assert states == {"e1": "published", sent.json["edition_id"]: "draft"}


def test_real_stations_land_in_cells_once_their_datum_is_told(office, repaired, stations):
    """Pushed as GCJ-02, all stations but two at the edge lie in exactly one of the repaired zones, moved by some 500 m."""
    publish(office, repaired)
    operations = charging_points(stations, "gcj02")
    results = HandPhone(office).push(operations)
    assert Counter(one["now"]["outcome"] for one in results) == {"applied": 1706}
    rows = stored(office, operations)
    homes = [row.home for row in rows]
    assert sum(home.startswith("cell/") for home in homes) >= 1704
    cells = {
        one["properties"]["code"]: shapely.from_geojson(json.dumps(one["geometry"])) for one in repaired["features"]
    }
    for row, (lon, lat) in list(zip(rows, stations, strict=True))[::17]:
        wanted = to_cgcs2000(lon=lon, lat=lat, datum="gcj02")
        assert (row.lon, row.lat) == pytest.approx(wanted, abs=1e-7)
        covering = [code for code, shape in cells.items() if shape.covers(shapely.Point(row.lon, row.lat))]
        assert len(covering) <= 1 and row.home == (f"cell/{covering[0]}" if covering else "~unplaced")
    assert not any("datum_suspect" in json.loads(row.placement) for row in rows if row.home.startswith("cell/"))
    total = office.signed_in("secretary").get(f"/api/v1/communities/{COMMUNITY}/roster/resources?limit=1").json["count"]
    assert total == 1706 + 1


def test_real_stations_with_a_wrong_datum_are_flagged(office, repaired, stations):
    """Declared as WGS-84, every station that falls outside but belongs inside says which datum it may be."""
    publish(office, repaired)
    operations = charging_points(stations, "wgs84")
    assert {one["now"]["outcome"] for one in HandPhone(office).push(operations)} == {"applied"}
    strays = [json.loads(row.placement) for row in stored(office, operations) if row.home == "~unplaced"]
    flagged = [note for note in strays if "gcj02" in note.get("datum_suspect", ())]
    assert len(strays) > 50 and len(flagged) >= len(strays) - 2
    assert all(note["decision"] == "outside" and note["nearest"][1] > 0 for note in strays)
