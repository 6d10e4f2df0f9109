"""Metres that people bring and take away: Baidu's Mercator and the local 3° Gauss–Krüger zone."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo.baidu_metres import bd09_to_metres, metres_to_bd09
from geo.cells import read_cells
from geo.datum import DATUMS, from_cgcs2000, to_cgcs2000
from geo.errors import GeoError, LocationError
from geo.gauss_krueger import Zone, from_zone, to_zone, zone_from_epsg, zone_of
from geo.location import canonical_location

VECTORS = json.loads((Path(__file__).parent / "vectors" / "datum" / "metres.json").read_text("utf-8"))
M_PER_DEGREE = 111_320.0


@pytest.mark.parametrize("case", VECTORS["bd09mc"], ids=lambda case: case["source"])
def test_baidu_metres_agree_with_published_values(case):
    """A pair in Baidu's metres is the place that other converters say, there and back."""
    x, y = bd09_to_metres(lon=case["bd09"][0], lat=case["bd09"][1])
    assert (x, y) == pytest.approx(case["bd09mc"], abs=case["tolerance_m"])
    lon, lat = metres_to_bd09(x=case["bd09mc"][0], y=case["bd09mc"][1])
    assert (lon, lat) == pytest.approx(case["bd09"], abs=case["tolerance_m"] / 80_000)


def test_baidu_metres_come_back_within_a_millimetre_over_the_whole_country():
    """72 to 138° and 1 to 56°, the edges of the belts and their neighbours included."""
    lats = np.concatenate([np.linspace(1.0, 56.0, 401), [15, 30, 45], np.array([15, 30, 45]) + 1e-7])
    lons, lats = np.meshgrid(np.linspace(72.0, 138.0, 133), lats)
    x, y = bd09_to_metres(lon=lons, lat=lats)
    back_lons, back_lats = metres_to_bd09(x=x, y=y)
    assert np.abs(back_lons - lons).max() * M_PER_DEGREE < 0.001
    assert np.abs(back_lats - lats).max() * M_PER_DEGREE < 0.001
    whole = from_cgcs2000(lon=lons, lat=lats, datum="bd09mc")
    again = to_cgcs2000(lon=whole[0], lat=whole[1], datum="bd09mc")
    # Where the shift carries a point over the edge of two belts, the rule itself has a hole (41 cm at 45°).
    bd09 = from_cgcs2000(lon=lons, lat=lats, datum="bd09")[1]
    apart = np.abs(bd09[..., None] - np.array([15.0, 30.0, 45.0])).min(axis=-1) > 1e-5
    assert np.abs(again[0] - lons).max() * M_PER_DEGREE < 0.001
    assert np.abs(again[1] - lats)[apart].max() * M_PER_DEGREE < 0.001


def test_cells_come_in_baidu_metres_but_a_location_does_not():
    """A drawing in Baidu's metres can be read; a phone's location is always in degrees."""
    ring = [[120.61, 31.31], [120.62, 31.31], [120.62, 31.32], [120.61, 31.32], [120.61, 31.31]]
    metres = [list(from_cgcs2000(lon=lon, lat=lat, datum="bd09mc")) for lon, lat in ring]
    feature = {"type": "Feature", "properties": {"code": "1"}, "geometry": {"type": "Polygon", "coordinates": [metres]}}
    draft = read_cells({"type": "FeatureCollection", "features": [feature]}, datum="bd09mc")
    assert not draft.problems
    assert draft.cells[0].geometry.bounds == pytest.approx((120.61, 31.31, 120.62, 31.32), abs=1e-7)
    assert "bd09mc" not in DATUMS
    with pytest.raises(LocationError):
        canonical_location({"lon": metres[0][0], "lat": metres[0][1], "datum": "bd09mc"})


def test_the_zone_is_the_nearest_meridian():
    """Every longitude of the country has one zone; half-way the eastern one; beyond the ends the last one."""
    assert zone_of(lon=114.3) == Zone(4547)
    assert zone_of(lon=116.4).meridian == 117.0
    assert zone_of(lon=121.5) == Zone(4550)
    assert zone_of(lon=121.4999) == Zone(4549)
    assert (zone_of(lon=73.0), zone_of(lon=136.9)) == (Zone(4534), Zone(4554))
    assert zone_from_epsg(4549) == Zone(4549)
    for wrong in (4533, 4555, 4326, True):
        with pytest.raises(GeoError):
            zone_from_epsg(wrong)
    with pytest.raises(GeoError):
        zone_of(lon=float("nan"))


def test_gauss_krueger_comes_back_within_a_millimetre_over_the_whole_country():
    """In its own zone, and for a drawing that reaches far beyond it."""
    lons, lats = np.meshgrid(np.linspace(73.0, 136.0, 127), np.linspace(3.0, 54.0, 103))
    for epsg in range(4534, 4555):
        zone = Zone(epsg)
        near = np.abs(lons - zone.meridian) <= 1.6
        east, north = to_zone(lon=lons[near], lat=lats[near], zone=zone)
        assert ((east > 300_000) & (east < 700_000)).all()
        back = from_zone(east=east, north=north, zone=zone)
        assert np.abs(back[0] - lons[near]).max() * M_PER_DEGREE < 0.001
        assert np.abs(back[1] - lats[near]).max() * M_PER_DEGREE < 0.001
    east, north = to_zone(lon=lons, lat=lats, zone=Zone(4544))
    back = from_zone(east=east, north=north, zone=Zone(4544))
    assert max(np.abs(back[0] - lons).max(), np.abs(back[1] - lats).max()) * M_PER_DEGREE < 0.001


@given(lon=st.floats(73.5, 136.0), lat=st.floats(3.5, 53.5))
def test_on_the_meridian_easting_is_500_km_and_one_pair_converts_like_many(lon, lat):
    """Surveyors recognise their zone, and one corner alone is where it is in the drawing."""
    zone = zone_of(lon=lon)
    assert abs(lon - zone.meridian) <= 1.5
    alone = to_zone(lon=lon, lat=lat, zone=zone)
    batch = to_zone(lon=np.array([lon, zone.meridian]), lat=np.array([lat, lat]), zone=zone)
    assert alone == pytest.approx((batch[0][0], batch[1][0]), abs=1e-9)
    assert batch[0][1] == pytest.approx(500_000.0, abs=1e-6)
