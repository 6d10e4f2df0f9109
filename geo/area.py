"""Area and label point of a cell."""

from __future__ import annotations

from typing import Any

import shapely
from pyproj import Geod

from geo.metric import metres_per_degree
from geo.snap import snap_degrees

# CGCS2000's own ellipsoid (EPSG:4490): a = 6378137 m, 1/f = 298.257222101.
_ELLIPSOID = Geod(a=6378137.0, rf=298.257222101)


def area_m2(geometry: Any) -> float:
    """Geodesic area in m² of a polygon in CGCS2000 degrees, holes taken out, whatever its orientation.

    0 for None, empty and anything without area, and for what lies on no globe (a draft with exchanged axes). Of an
    invalid polygon (a draft's) the figure means nothing.
    """
    if geometry is None or geometry.is_empty:
        return 0.0
    if not _on_globe(geometry):
        return 0.0
    total = 0.0
    for part in shapely.get_parts(geometry):
        if part.geom_type == "Polygon":
            total += abs(_ELLIPSOID.geometry_area_perimeter(shapely.orient_polygons(part))[0])
    return float(total)


def label_point(geometry: Any) -> tuple[float, float] | None:
    """Where to write a cell's name: (lon, lat) in degrees on the grid, well inside the largest part; None when empty or on no globe.

    The centre of the largest inscribed circle, found to a metre in the local metric plane. Where a cell is thinner than
    the grid can show, any inner point serves.
    """
    if geometry is None or geometry.is_empty or not _on_globe(geometry):
        return None
    part = max(shapely.get_parts(geometry), key=lambda one: one.area)
    middle = part.centroid
    east_m, north_m = (float(metres) for metres in metres_per_degree(middle.y))
    if part.is_valid and part.area > 0:
        plane = shapely.transform(part, lambda vertices: (vertices - (middle.x, middle.y)) * (east_m, north_m))
        reach = min(plane.bounds[2] - plane.bounds[0], plane.bounds[3] - plane.bounds[1])
        radius = shapely.maximum_inscribed_circle(plane, tolerance=max(min(1.0, reach / 50), 0.01))
        at_x, at_y = shapely.get_coordinates(radius)[0]
        lon, lat = snap_degrees(middle.x + at_x / east_m), snap_degrees(middle.y + at_y / north_m)
        if shapely.intersects_xy(part, lon, lat):
            return (lon, lat)
    point = shapely.point_on_surface(part)
    return (snap_degrees(point.x), snap_degrees(point.y))


def _on_globe(geometry: Any) -> bool:
    west, south, east, north = geometry.bounds
    return bool(-360 <= west <= east <= 360 and -90 <= south <= north <= 90)
