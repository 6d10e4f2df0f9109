"""Metres for lengths and areas of cell size.

Cells are measured in a local plane: degrees times the length of a degree of the WGS-84 ellipsoid at one latitude
(CGCS2000's differs in the tenth digit). Within a community (a few km) that is exact to about 1 in 10,000. Areas of
whole cells, which people quote, are geodesic (``area``).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray

from geo.snap import UNITS_PER_DEGREE

_AXIS_M = 6378137.0
_ECCENTRICITY2 = 0.00669437999014


def metres_per_degree(lat: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Length in metres of one degree of longitude and of latitude at ``lat`` (degrees, any shape in and out)."""
    phi = np.radians(np.asarray(lat, dtype=np.float64))
    flattening = 1.0 - _ECCENTRICITY2 * np.sin(phi) ** 2
    parallel_m = _AXIS_M / np.sqrt(flattening) * np.cos(phi)
    meridian_m = _AXIS_M * (1.0 - _ECCENTRICITY2) / flattening**1.5
    return np.asarray(parallel_m * math.pi / 180.0), np.asarray(meridian_m * math.pi / 180.0)


def units_area_m2(geometry: Any) -> NDArray[np.float64]:
    """Areas in m² of geometries on grid units, shape (n,) in and out; 0 for None, empty and lines."""
    areas = np.nan_to_num(shapely.area(geometry))
    bounds = shapely.bounds(geometry)
    mid_lat = np.nan_to_num((bounds[..., 1] + bounds[..., 3]) / 2 / UNITS_PER_DEGREE)
    east_m, north_m = metres_per_degree(mid_lat)
    return np.asarray(areas * (east_m / UNITS_PER_DEGREE) * (north_m / UNITS_PER_DEGREE))


def units_length_m(geometry: Any) -> float:
    """Length in metres of one line geometry on grid units; 0 when empty."""
    if geometry is None or geometry.is_empty:
        return 0.0
    mid_lat = (geometry.bounds[1] + geometry.bounds[3]) / 2 / UNITS_PER_DEGREE
    east_m, north_m = metres_per_degree(mid_lat)
    scale = np.array([float(east_m), float(north_m)]) / UNITS_PER_DEGREE
    return float(shapely.transform(geometry, lambda units: units * scale).length)
