"""GCJ-02 and BD-09, the two shifted datums of Chinese map services, to and from WGS-84.

The formulas are the publicly known, reverse-engineered ones (constants as in many public converters; see
``tests/vectors/datum``). GCJ-02 is shifted only inside a box around China; BD-09 is shifted from GCJ-02
everywhere. Neither has a closed inverse: both are inverted by fixed-point steps, which shrink the error some
400-fold (GCJ-02) and 60-fold (BD-09) each, so the steps taken here leave far less than 1 mm.

Every function takes floats or arrays and returns the same kind; arrays broadcast.
"""

from __future__ import annotations

import math
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Coordinate = TypeVar("Coordinate", float, NDArray[np.float64])

# The box inside which the public GCJ-02 formula is applied (degrees). A box is not a border: near the coasts and
# in neighbouring countries it shifts points that map services do not shift.
GCJ_BOX_LON = (72.004, 137.8347)
GCJ_BOX_LAT = (0.8293, 55.8271)

_AXIS_M = 6378245.0  # Krasovsky 1940 semi-major axis
_ECCENTRICITY2 = 0.00669342162296594323
_BD_TURN = math.pi * 3000.0 / 180.0
_BD_LON, _BD_LAT = 0.0065, 0.006

_GCJ_STEPS = 5  # 3 steps leave 0.2 mm, 5 leave nanometres
_BD_STEPS = 6


def _gcj_shift(lon: Any, lat: Any, maths: Any) -> tuple[Any, Any]:
    """Degrees to add to a WGS-84 pair; ``maths`` is the module (math or numpy) that fits the argument."""
    sin, pi = maths.sin, math.pi
    x, y = lon - 105.0, lat - 35.0
    root = maths.sqrt(abs(x))
    waves = 20.0 * sin(6.0 * pi * x) + 20.0 * sin(2.0 * pi * x)
    north = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root
    north += (waves + 20.0 * sin(pi * y) + 40.0 * sin(pi * y / 3.0)) * 2.0 / 3.0
    north += (160.0 * sin(pi * y / 12.0) + 320.0 * sin(pi * y / 30.0)) * 2.0 / 3.0
    east = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root
    east += (waves + 20.0 * sin(pi * x) + 40.0 * sin(pi * x / 3.0)) * 2.0 / 3.0
    east += (150.0 * sin(pi * x / 12.0) + 300.0 * sin(pi * x / 30.0)) * 2.0 / 3.0
    phi = lat * (pi / 180.0)
    flattening = 1.0 - _ECCENTRICITY2 * sin(phi) * sin(phi)
    meridian_m = _AXIS_M * (1.0 - _ECCENTRICITY2) / (flattening * maths.sqrt(flattening))
    parallel_m = _AXIS_M / maths.sqrt(flattening) * maths.cos(phi)
    return east * (180.0 / pi) / parallel_m, north * (180.0 / pi) / meridian_m


def _in_box(lon: Any, lat: Any) -> Any:
    return (lon >= GCJ_BOX_LON[0]) & (lon <= GCJ_BOX_LON[1]) & (lat >= GCJ_BOX_LAT[0]) & (lat <= GCJ_BOX_LAT[1])


def _is_scalar(lon: Any, lat: Any) -> bool:
    return isinstance(lon, (int, float)) and isinstance(lat, (int, float))


def _arrays(lon: Any, lat: Any) -> tuple[Any, Any]:
    lons, lats = np.broadcast_arrays(np.asarray(lon, dtype=np.float64), np.asarray(lat, dtype=np.float64))
    return lons, lats


def wgs84_to_gcj02(*, lon: Coordinate, lat: Coordinate) -> tuple[Coordinate, Coordinate]:
    """Shift WGS-84 degrees to GCJ-02; points outside the box are returned as they are, NaN stays NaN."""
    if _is_scalar(lon, lat):
        if not _in_box(lon, lat):
            return lon, lat
        east, north = _gcj_shift(lon, lat, math)
        return lon + east, lat + north
    lons, lats = _arrays(lon, lat)
    inside = _in_box(lons, lats)
    east, north = _gcj_shift(lons, lats, np)
    return lons + np.where(inside, east, 0.0), lats + np.where(inside, north, 0.0)


def gcj02_to_wgs84(*, lon: Coordinate, lat: Coordinate) -> tuple[Coordinate, Coordinate]:
    """Undo :func:`wgs84_to_gcj02` to below 1 mm. The box is tested on the GCJ-02 side (within 0.7 km of its edge
    the shift has no unique inverse)."""
    if _is_scalar(lon, lat):
        if not _in_box(lon, lat):
            return lon, lat
        at_lon, at_lat = lon, lat
        for _ in range(_GCJ_STEPS):
            east, north = _gcj_shift(at_lon, at_lat, math)
            at_lon, at_lat = lon - east, lat - north
        return at_lon, at_lat
    lons, lats = _arrays(lon, lat)
    inside = _in_box(lons, lats)
    at_lons, at_lats = lons, lats
    for _ in range(_GCJ_STEPS):
        east, north = _gcj_shift(at_lons, at_lats, np)
        at_lons, at_lats = lons - east, lats - north
    return np.where(inside, at_lons, lons), np.where(inside, at_lats, lats)


def _bd_forward(lon: Any, lat: Any, maths: Any) -> tuple[Any, Any]:
    atan2 = maths.atan2
    radius = maths.sqrt(lon * lon + lat * lat) + 0.00002 * maths.sin(lat * _BD_TURN)
    angle = atan2(lat, lon) + 0.000003 * maths.cos(lon * _BD_TURN)
    return radius * maths.cos(angle) + _BD_LON, radius * maths.sin(angle) + _BD_LAT


def gcj02_to_bd09(*, lon: Coordinate, lat: Coordinate) -> tuple[Coordinate, Coordinate]:
    """Shift GCJ-02 degrees to BD-09 (about 0.9 km); NaN stays NaN."""
    if _is_scalar(lon, lat):
        return _bd_forward(lon, lat, math)
    lons, lats = _arrays(lon, lat)
    return _bd_forward(lons, lats, np)


def bd09_to_gcj02(*, lon: Coordinate, lat: Coordinate) -> tuple[Coordinate, Coordinate]:
    """Undo :func:`gcj02_to_bd09` to below 1 mm (the usual one-step inverse leaves up to 0.22 m)."""
    scalar = _is_scalar(lon, lat)
    maths: Any = math if scalar else np
    goal_lon, goal_lat = (lon, lat) if scalar else _arrays(lon, lat)
    at_lon: Any = goal_lon - _BD_LON
    at_lat: Any = goal_lat - _BD_LAT
    for _ in range(_BD_STEPS):
        got_lon, got_lat = _bd_forward(at_lon, at_lat, maths)
        at_lon, at_lat = at_lon + (goal_lon - got_lon), at_lat + (goal_lat - got_lat)
    return at_lon, at_lat
