"""Datums: nothing is accepted undeclared, and a conversion undoes itself to the millimetre (rule L2)."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Geod

from geo.datum import CONVERTER_VERSION, DATUMS, from_cgcs2000, to_cgcs2000
from geo.errors import LocationError, UnknownDatum
from geo.location import UNKNOWN_GPS_RADIUS_M, canonical_location, radius_m95

VECTORS = Path(__file__).parent / "vectors" / "datum"
GEOD = Geod(ellps="WGS84")
CITIES = json.loads((VECTORS / "cities_excerpt.json").read_text("utf-8"))
LOCATIONS = json.loads((VECTORS / "locations.json").read_text("utf-8"))


def metres(a, b):
    return GEOD.inv(a[0], a[1], b[0], b[1])[2]


@pytest.mark.parametrize("place", CITIES["places"], ids=lambda p: p["name"])
def test_conversions_agree_with_a_published_implementation(place):
    """A pair from a Chinese map lands where other well-known converters put it."""
    allowed = CITIES["tolerance_m"]
    wgs84, gcj02, bd09 = place["wgs84"], place["gcj02"], place["bd09"]
    assert metres(to_cgcs2000(lon=gcj02[0], lat=gcj02[1], datum="gcj02"), wgs84) <= allowed["wgs84_gcj02"]
    assert metres(from_cgcs2000(lon=wgs84[0], lat=wgs84[1], datum="gcj02"), gcj02) <= allowed["wgs84_gcj02"]
    assert metres(to_cgcs2000(lon=bd09[0], lat=bd09[1], datum="bd09"), wgs84) <= allowed["wgs84_bd09"] + 0.2
    assert metres(from_cgcs2000(lon=wgs84[0], lat=wgs84[1], datum="bd09"), bd09) <= allowed["wgs84_bd09"]


@pytest.mark.parametrize("datum", ["gcj02", "bd09"])
def test_going_there_and_back_loses_less_than_a_millimetre(datum):
    """A converted coordinate can always be shown again in the datum in which it was typed."""
    lons, lats = np.meshgrid(np.linspace(73.5, 135.0, 211), np.linspace(3.5, 53.5, 239))
    lons, lats = np.append(lons.ravel(), 105.0), np.append(lats.ravel(), 35.0)
    shifted = from_cgcs2000(lon=lons, lat=lats, datum=datum)
    back = to_cgcs2000(lon=shifted[0], lat=shifted[1], datum=datum)
    _, _, off_m = GEOD.inv(lons, lats, back[0], back[1])
    assert off_m.max() < 0.001
    _, _, shift_m = GEOD.inv(lons, lats, shifted[0], shifted[1])
    assert shift_m.max() < 2500
    assert np.median(shift_m) > 200


@given(lon=st.floats(72.1, 137.7), lat=st.floats(0.9, 55.7), datum=st.sampled_from(DATUMS))
@settings(max_examples=60, deadline=None)
def test_one_pair_and_a_batch_convert_alike(lon, lat, datum):
    """A point converts alike alone and among thousands, to a fraction of the grid."""
    for convert in (to_cgcs2000, from_cgcs2000):
        alone = convert(lon=lon, lat=lat, datum=datum)
        batch = convert(lon=np.array([lon, 1.0]), lat=np.array([lat, 1.0]), datum=datum)
        assert isinstance(alone[0], float)
        assert math.isclose(alone[0], batch[0][0], abs_tol=1e-11)
        assert math.isclose(alone[1], batch[1][0], abs_tol=1e-11)


def test_edges_of_conversion():
    """Nothing is shifted outside the box, empty stays empty, and not-a-number stays what it is."""
    assert to_cgcs2000(lon=2.35, lat=48.85, datum="gcj02") == (2.35, 48.85)
    assert to_cgcs2000(lon=120.5, lat=31.5, datum="wgs84") == (120.5, 31.5)
    lons, lats = to_cgcs2000(lon=np.array([]), lat=np.array([]), datum="bd09")
    assert lons.shape == lats.shape == (0,)
    lons, lats = to_cgcs2000(lon=np.array([np.nan, 120.0]), lat=np.array([31.0, 31.0]), datum="gcj02")
    assert np.isnan(lons[0])
    assert not np.isnan(lons[1])


@pytest.mark.parametrize("datum", [None, "", "WGS84", "beijing54", 4326])
def test_an_undeclared_datum_converts_nothing(datum):
    """A coordinate without a declared datum is refused, never guessed."""
    with pytest.raises(UnknownDatum):
        to_cgcs2000(lon=120.0, lat=31.0, datum=datum)


@pytest.mark.parametrize("case", LOCATIONS, ids=lambda c: c["name"])
def test_location_vectors(case):
    """A location is kept whole with its raw pair, or refused with the place and the reason."""
    if "error" in case:
        with pytest.raises(LocationError) as caught:
            canonical_location(case["value"])
        assert (caught.value.pointer, caught.value.code) == (case["error"]["pointer"], case["error"]["code"])
    else:
        assert canonical_location(case["value"]) == case["canonical"]


@given(
    lon=st.floats(73.5, 135.0), lat=st.floats(3.6, 53.5), datum=st.sampled_from(DATUMS),
    accuracy_m=st.none() | st.floats(0, 500), method=st.none() | st.sampled_from(["gps", "survey", "import"]),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_a_location_that_travels_back_stays_the_same(lon, lat, datum, accuracy_m, method):
    """A phone may send back the location that it received, through JSON, and nothing changes."""
    value = {"lon": lon, "lat": lat, "datum": datum, "accuracy_m": accuracy_m, "method": method, "floor_hint": "3"}
    once = canonical_location(value)
    assert canonical_location(json.loads(json.dumps(once))) == once
    assert list(canonical_location(once)) == list(once)
    assert once["raw"] == {"lon": lon, "lat": lat}
    assert once["converter"] == CONVERTER_VERSION
    assert once["floor_hint"] == "3"
    assert round(once["lon"], 7) == once["lon"]


def test_an_error_never_repeats_the_coordinate():
    """Where somebody lives does not leak into messages and logs."""
    with pytest.raises(LocationError) as caught:
        canonical_location({"lon": 12.3456789, "lat": 31.3, "datum": "wgs84"})
    assert "12.34" not in str(caught.value)


@pytest.mark.parametrize(
    ("location", "radius"),
    [
        ({"accuracy_m": 10, "confidence": 0.95, "method": "gps"}, 10.0),
        ({"accuracy_m": 10, "confidence": 0.68, "method": "gps"}, 16.2146),  # what Android gives
        ({"accuracy_m": 10, "method": "gps"}, 16.2146),  # unsaid: the cautious reading
        ({"method": "gps"}, UNKNOWN_GPS_RADIUS_M),
        ({"accuracy_m": 0, "method": "gps"}, UNKNOWN_GPS_RADIUS_M),  # some SDKs mean "unknown"
        ({"method": "address"}, 0.0),
        ({"accuracy_m": 30, "confidence": 0.95, "method": "address"}, 30.0),
    ],
)
def test_every_accuracy_becomes_a_95_percent_radius(location, radius):
    """Phones that mean 68 % and phones that mean 95 % are compared on one scale."""
    assert radius_m95(location) == pytest.approx(radius, abs=0.01)
