"""Real ground: cells, compounds, stations and coordinates as they are found in the field, dirt included.

Collected only where DISHU_FIELD_DATA names a folder (see conftest.py); its SOURCES.md says where each file comes from
and which figures were found there by others. Nothing of it ships with the project.
"""

import csv
import gzip
import io
import json
import os
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import shapely
from pyproj import Geod

from geo.area import area_m2
from geo.baidu_metres import bd09_to_metres, metres_to_bd09
from geo.cell import Cell
from geo.cells import read_cells
from geo.china_offset import bd09_to_gcj02, gcj02_to_bd09, gcj02_to_wgs84, wgs84_to_gcj02
from geo.datum import from_cgcs2000, to_cgcs2000
from geo.edition import check_edition
from geo.errors import MalformedGeoJSON
from geo.geojson_out import cells_to_geojson
from geo.locate import CellIndex
from geo.location import canonical_location
from geo.place import place_fixes
from geo.profile import profile_from_dict
from geo.repairs import Limits, apply, propose_repairs
from geo.rings import validity_problem

FOLDER = Path(os.environ.get("DISHU_FIELD_DATA") or ".")
__test__ = bool(os.environ.get("DISHU_FIELD_DATA"))

GEOD = Geod(ellps="WGS84")
ANY_CODE = profile_from_dict({"name": "any", "pattern": "[0-9]+"})


def text_of(name):
    raw = (FOLDER / name).read_bytes()
    return (gzip.decompress(raw) if name.endswith(".gz") else raw).decode("utf-8")


def rows_of(name):
    return list(csv.DictReader(io.StringIO(text_of(name))))


def column(rows, name):
    return np.array([float(row[name] or "nan") for row in rows])


@pytest.fixture(scope="module")
def shenzhen():
    return read_cells(text_of("geo/shenzhen_taz.geojson"), datum="wgs84", mapping={"code": "taz_id", "name": "zone"})


@pytest.fixture(scope="module")
def shenzhen_certificate(shenzhen):
    return check_edition(shenzhen, profile=ANY_CODE)


def sizes(certificate, code):
    return np.array([problem.size_m2 for problem in certificate.problems if problem.code == code])


def test_shenzhen_zones_come_in_with_every_ring_turned(shenzhen):
    """491 zones, one of two parts, every outer ring clockwise: told and turned, none lost."""
    assert len(shenzhen.cells) == 491
    told = Counter(problem.code for problem in shenzhen.problems)
    assert told == {"ring_clockwise": 492, "code_is_number": 491}
    assert all(validity_problem(cell.geometry, cell.code) is None for cell in shenzhen.cells)


def test_shenzhen_overlaps_are_found_to_the_pair(shenzhen_certificate):
    """519 overlapping pairs, 374 of them over 100 m², 0.53 km² in all: a pair is a pair, so the counts are exact."""
    overlaps = sizes(shenzhen_certificate, "overlap")
    assert len(overlaps) == 519
    assert (overlaps > 100).sum() == 374
    assert overlaps.sum() == pytest.approx(530_000, rel=0.01)
    assert not shenzhen_certificate.ok
    for problem in shenzhen_certificate.problems:
        if problem.code == "overlap":
            assert len(problem.cell_codes) == 2
            assert 113.7 < problem.lon < 114.7


def test_shenzhen_gaps_are_found(shenzhen_certificate):
    """664 gaps, 537 of them under 1,000 m², 0.43 km² in all.

    The count may differ by 15: holes that meet in one point are one or two, as the overlay's precision (here the 1e-7
    grid) has it. The area, which people would have to share out, agrees to 2 percent.
    """
    gaps = sizes(shenzhen_certificate, "gap")
    assert abs(len(gaps) - 664) <= 15
    assert abs((gaps < 1000).sum() - 537) <= 15
    assert gaps.sum() == pytest.approx(430_000, rel=0.02)
    assert shenzhen_certificate.area_m2 == pytest.approx(1_954e6, rel=0.005)


def stations():
    return rows_of("points/shenzhen_ev_stations.csv")


def test_shenzhen_stations_fall_into_zones_once_their_datum_is_told(shenzhen):
    """1,645 of 1,706 stations lie in a zone as the numbers stand, 1,704 as GCJ-02, and one more within 6 m of one.

    SOURCES.md counts 1,705. The one between lies 5.4 m outside the union of the zones, whether GCJ-02 is undone in
    one step or exactly, on the grid or not: it is outside, and its nearest zone is told.
    """
    rows = stations()
    index = CellIndex(shenzhen.cells)
    lons, lats = column(rows, "lng"), column(rows, "lat")
    assert (index.locate_many(lons=lons, lats=lats) >= 0).sum() == 1645
    shifted = to_cgcs2000(lon=lons, lat=lats, datum="gcj02")
    assert (index.locate_many(lons=shifted[0], lats=shifted[1]) >= 0).sum() == 1704
    strays = np.flatnonzero(index.locate_many(lons=shifted[0], lats=shifted[1]) < 0)
    distances_m = sorted(index.nearest(lon=shifted[0][at], lat=shifted[1][at])[1] for at in strays)
    assert distances_m == [pytest.approx(5.4, abs=0.1), pytest.approx(88.2, abs=0.2)]


def test_shenzhen_stations_with_a_wrong_datum_are_suspected(shenzhen):
    """Declared as WGS-84, every station outside that GCJ-02 would bring in is flagged with that word."""
    index = CellIndex(shenzhen.cells)
    locations = [
        canonical_location({"lon": float(row["lng"]), "lat": float(row["lat"]), "datum": "wgs84", "method": "import"})
        for row in stations()
    ]
    outside = [decision for decision in place_fixes(index, locations) if decision.decision == "outside"]
    assert len(outside) == 1706 - 1645
    suspected = [decision for decision in outside if "gcj02" in decision.datum_suspect]
    assert len(suspected) == 1704 - 1645
    assert all(decision.nearest is not None for decision in outside)
    honest = [canonical_location({**location["raw"], "datum": "gcj02", "method": "import"}) for location in locations]
    left = [decision for decision in place_fixes(index, honest) if decision.decision == "outside"]
    assert len(left) == 2
    assert not any("wgs84" in decision.datum_suspect for decision in left if decision.nearest[1] > 50)


def test_every_order_of_the_file_gives_every_station_the_same_zone(shenzhen):
    """The zones overlap in 519 places; still each station has one zone, whatever the order of the file."""
    rows = stations()
    lons, lats = to_cgcs2000(lon=column(rows, "lng"), lat=column(rows, "lat"), datum="gcj02")
    answers = set()
    for cells in (shenzhen.cells, shenzhen.cells[::-1], sorted(shenzhen.cells, key=lambda cell: cell.name)):
        index = CellIndex(cells)
        answers.add(tuple(index.cell_ids[at] if at >= 0 else "" for at in index.locate_many(lons=lons, lats=lats)))
    assert len(answers) == 1


def test_compounds_from_bd09_come_in_with_their_open_rings_told():
    """8,449 of 8,470 rings are open and 16 have too few points; the rest lie where they lie on the ground.

    Eight of Beijing's cross or touch themselves in the file's own numbers. One of them (1420) has a vertex that lies
    exactly on its own edge in BD-09 and a hair beside it once converted, so seven are left on the ground.
    """
    draft = read_cells(text_of("geo/beijing_xiaoqu_bd09_raw.geojson.gz"), datum="bd09", mapping={"code": "seq"})
    told = Counter(problem.code for problem in draft.problems)
    assert told["ring_not_closed"] == 8449
    assert told["ring_too_short"] == 16
    assert len(draft.cells) == 8470 - 16
    beijing = [
        cell
        for cell in draft.cells
        if 115.4 < cell.geometry.bounds[0] < 117.6 and 39.4 < cell.geometry.bounds[1] < 41.1
    ]
    assert abs(len(beijing) - 3700) <= 3
    broken = ("ring_self_crossing", "polygon_invalid")
    crossing = {name for p in draft.problems if p.code in broken for name in p.cell_codes}
    crossing &= {cell.code for cell in beijing}
    assert crossing == {"22", "3866", "5920", "5995", "6779", "7328", "8124"}
    raw = json.loads(text_of("geo/beijing_xiaoqu_bd09_raw.geojson.gz"))["features"]
    by_code = {str(feature["properties"]["seq"]): feature["geometry"]["coordinates"][0] for feature in raw}
    for cell in beijing[:200]:
        lon, lat = by_code[cell.code][0][:2]
        moved_m = GEOD.inv(lon, lat, *to_cgcs2000(lon=float(lon), lat=float(lat), datum="bd09"))[2]
        assert 700 < moved_m < 2000


def test_taiwan_villages_are_a_clean_coverage_but_for_one_ring():
    """1,465 small cells that share every border: no overlap, three holes that are other cities, one ring at fault."""
    draft = read_cells(
        text_of("geo/taiwan_villages_taipei_newtaipei.geojson.gz"),
        datum="wgs84",
        mapping={"code": "VILLCODE", "name": "VILLNAME"},
    )
    certificate = check_edition(draft, profile=profile_from_dict({"name": "vill", "pattern": "[0-9A-Z-]{11}"}))
    assert len(draft.cells) == 1465
    assert {code: certificate.counts.get(code, 0) for code in ("overlap", "gap", "polygon_invalid")} == {
        "overlap": 0,
        "gap": 3,
        "polygon_invalid": 1,
    }
    again = read_cells(cells_to_geojson(draft.cells), datum="cgcs2000")
    assert check_edition(again, profile=ANY_CODE).hash == certificate.hash


def test_fifty_thousand_towns_lie_in_their_own_municipality():
    """50,363 of 50,490 points fall in the municipality that they belong to, over 648,153 vertices."""
    draft = read_cells(text_of("geo/japan_tokai_municipalities.geojson.gz"), datum="wgs84")
    index = CellIndex(draft.cells)
    rows = rows_of("points/japan_tokai_town_points.csv.gz")
    lons, lats = column(rows, "lng"), column(rows, "lat")
    began = time.perf_counter()
    found = index.locate_many(lons=lons, lats=lats)
    assert time.perf_counter() - began < 10
    own = sum(at >= 0 and index.codes[at] == row["city_code"] for at, row in zip(found, rows, strict=True))
    assert own == 50_363
    assert sum(at >= 0 and index.codes[at] != row["city_code"] for at, row in zip(found, rows, strict=True)) == 2


def test_buildings_cut_by_new_borders_are_listed():
    """A straight line through 3,076 real footprints names every house that it cuts, and only those."""
    buildings = read_cells(text_of("geo/suzhou_buildings.geojson.gz"), datum="wgs84", mapping={"code": "id"})
    outlines = [(str(number), cell.geometry) for number, cell in enumerate(buildings.cells)]
    assert len(outlines) == 3076
    bounds = np.array([outline.bounds for _, outline in outlines])
    west, south, east, north = *bounds[:, :2].min(axis=0), *bounds[:, 2:].max(axis=0)
    middle = round((west + east) / 2, 7)
    halves = [
        Cell(cell_id=code, code=code, name="", geometry=geometry)
        for code, geometry in (("1", box(west, south, middle, north)), ("2", box(middle, south, east, north)))
    ]
    certificate = check_edition(halves, profile=ANY_CODE, buildings=outlines)
    cut = [problem for problem in certificate.problems if problem.code == "building_cut"]
    crossing = sum(low < middle < high for low, high in bounds[:, [0, 2]])
    assert certificate.ok
    assert 0 < len(cut) <= crossing


def box(west, south, east, north):
    return shapely.box(*(round(value, 7) for value in (west, south, east, north)))


# ---------------------------------------------------------------- coordinates


def off_m(a, b):
    return GEOD.inv(a[0], a[1], b[0], b[1])[2]


def test_all_cities_agree_in_three_datums():
    """443 city centres in WGS-84, GCJ-02 and BD-09 agree with a published converter within its own tolerance."""
    rows = rows_of("coords/china_cities_six_systems.csv")
    wgs84, gcj02, bd09 = (
        (column(rows, f"lng_{name}"), column(rows, f"lat_{name}")) for name in ("wgs84", "gcj02", "bd09")
    )

    def moved(convert, pair):
        return convert(lon=pair[0], lat=pair[1])

    assert len(rows) == 443
    assert off_m(moved(wgs84_to_gcj02, wgs84), gcj02).max() <= 0.75
    assert off_m(moved(gcj02_to_wgs84, gcj02), wgs84).max() <= 0.75
    assert off_m(moved(gcj02_to_bd09, gcj02), bd09).max() <= 0.025
    assert off_m(moved(bd09_to_gcj02, bd09), gcj02).max() <= 0.2
    for datum, pair in (("gcj02", gcj02), ("bd09", bd09)):
        there = to_cgcs2000(lon=pair[0], lat=pair[1], datum=datum)
        assert off_m(from_cgcs2000(lon=there[0], lat=there[1], datum=datum), pair).max() < 0.001


# One-step inverses of others are metres off by construction; theirs is compared with that in mind.
_OPERATIONS = {
    "wgs84_to_gcj02": (lambda **pair: from_cgcs2000(**pair, datum="gcj02"), 0.0),
    "wgs84_to_bd09": (lambda **pair: from_cgcs2000(**pair, datum="bd09"), 0.0),
    "gcj02_to_wgs84_exact": (lambda **pair: to_cgcs2000(**pair, datum="gcj02"), 0.0),
    "gcj02_to_wgs84": (lambda **pair: to_cgcs2000(**pair, datum="gcj02"), 5.0),
    "bd09_to_gcj02": (bd09_to_gcj02, 0.25),
}


def test_published_vectors_agree():
    """Vectors of four other converters agree; the one that is known to be wrong does not."""
    seen = Counter()
    for row in rows_of("coords/published_vectors.csv"):
        given = {"lon": float(row["in_1"]), "lat": float(row["in_2"])}
        expected = (float(row["expected_1"]), float(row["expected_2"]))
        if row["operation"] == "bd09_to_wgs84":
            assert "KNOWN WRONG" in row["note"]
            assert 5 < off_m(to_cgcs2000(**given, datum="bd09"), expected) < 100
            seen["trap"] += 1
        elif row["operation"] in _OPERATIONS:
            convert, extra_m = _OPERATIONS[row["operation"]]
            allowed_m = float(row["tolerance"]) * (1 if row["tolerance_unit"] == "metre" else 157_000) + extra_m
            assert off_m(convert(**given), expected) <= allowed_m, row["source"]
            seen["agreed"] += 1
    assert seen == {"trap": 1, "agreed": 16}


def test_route_vertices_and_waterlogging_points_convert():
    """29,387 route vertices agree with a published converter to 0.3 m, and 238 places move by the usual distance."""
    rows = rows_of("points/beijing_route_vertices_bd09mc.csv.gz")
    there = to_cgcs2000(lon=column(rows, "lng_bd09"), lat=column(rows, "lat_bd09"), datum="bd09")
    assert off_m(there, (column(rows, "lng_wgs84"), column(rows, "lat_wgs84"))).max() <= 0.5
    places = rows_of("points/chengdu_waterlogging_points_bd09.csv")
    pair = (column(places, "lng_bd09"), column(places, "lat_bd09"))
    shift_m = off_m(to_cgcs2000(lon=pair[0], lat=pair[1], datum="bd09"), pair)
    assert ((shift_m > 700) & (shift_m < 2000)).all()


@pytest.mark.parametrize("kind", ["good", "bad"])
def test_files_of_a_geojson_checker_never_break_the_reader(kind):
    """Twelve valid and 29 invalid GeoJSON files: each is read, or refused with a sentence."""
    files = sorted((FOLDER / "conformance" / "geojson" / kind).glob("*.geojson"))
    assert len(files) > 10
    for path in files:
        try:
            draft = read_cells(path.read_bytes(), datum="wgs84", box=(-180, -90, 180, 90))
        except MalformedGeoJSON as error:
            assert error.message, path.name
        else:
            assert draft.cells or draft.problems or b'"features"' in path.read_bytes(), path.name


def test_route_vertices_in_baidu_metres_are_where_their_degrees_are():
    """29,387 pairs in Baidu's metres agree with a published converter to a decimetre, and 443 places to a centimetre."""
    rows = rows_of("points/beijing_route_vertices_bd09mc.csv.gz")
    there = metres_to_bd09(x=column(rows, "x_bd09mc"), y=column(rows, "y_bd09mc"))
    assert off_m(there, (column(rows, "lng_bd09"), column(rows, "lat_bd09"))).max() <= 0.1
    rows = rows_of("coords/china_cities_six_systems.csv")
    x, y = bd09_to_metres(lon=column(rows, "lng_bd09"), lat=column(rows, "lat_bd09"))
    off = np.hypot(x - column(rows, "x_bd09mc"), y - column(rows, "y_bd09mc"))
    assert off.max() <= 0.012  # degrees there have seven decimals


def test_shenzhen_can_be_repaired_into_a_lawful_edition(shenzhen):
    """Of 519 real overlaps only those are closed that are narrow in all that hangs together; under widened limits all 491 zones become
    one clean coverage."""
    by_default = propose_repairs(shenzhen)
    assert [repair.kind for repair in by_default] == ["match_edges"]
    draft = apply(shenzhen, by_default)
    mended, rounds = draft, 0
    while narrow := propose_repairs(mended):
        assert {repair.kind for repair in narrow} <= {"match_edges", "clean_coverage"} and rounds < 5
        assert all(abs(change.area_change_m2) <= 0.01 * area_m2(change.before) for change in narrow[0].changes)
        mended, rounds = apply(mended, narrow), rounds + 1
    before, after = ({one.cell_codes for one in check_edition(some, profile=ANY_CODE).problems if one.code == "overlap"} for some in (draft, mended))
    assert 400 < len(after) < len(before) <= 519 and after <= before
    wide = Limits(clean_width_m=100.0, share_at_most=0.05, keeps_parts=False)
    (repair,) = propose_repairs(draft, limits=wide)
    mended = apply(draft, [repair])
    assert len(mended.cells) == 491
    assert check_edition(mended, profile=ANY_CODE).ok
    shares = [abs(change.area_change_m2) / area_m2(change.before) for change in repair.changes]
    assert max(shares) < 0.03
