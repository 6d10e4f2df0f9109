"""GeoJSON as RFC 7946 wants it: (lon, lat), seven decimals, outer rings counter-clockwise, no ``crs`` member.

RFC 7946 calls its coordinates WGS 84; ours are CGCS2000, equal to about a metre (see ``datum``), and ``DATUM_NOTE``
says so in every file. Written with the standard json module, feature by feature, so that a whole city needs no memory.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import geojson
import shapely

from geo.cell import Cell
from geo.errors import GeoError
from geo.snap import snap_degrees

DATUM_NOTE = "CGCS2000 (EPSG:4490), taken as equal to WGS 84; longitude, latitude"

# The geojson package rounds to 6 decimals (0.1 m) silently, on construction and on loads, unless told otherwise. Six
# decimals would move borders off the 1e-7 grid, so whoever uses its classes through this room keeps all digits.
geojson.geometry.DEFAULT_PRECISION = 15


def geometry_to_geojson(geometry: Any) -> dict[str, Any] | None:
    """A shapely geometry in degrees → a GeoJSON geometry object on the 1e-7 grid, right-hand rule; None when empty."""
    if geometry is None or geometry.is_empty:
        return None
    mapping = shapely.geometry.mapping(shapely.orient_polygons(geometry))
    return {"type": mapping["type"], "coordinates": _positions(mapping["coordinates"])}


def point_feature(
    *, lon: float | None, lat: float | None, properties: Mapping[str, Any], feature_id: str | None = None
) -> dict[str, Any]:
    """A Feature with a Point in CGCS2000 degrees; without coordinates its geometry is null, as RFC 7946 allows."""
    geometry = None
    if lon is not None and lat is not None:
        geometry = {"type": "Point", "coordinates": [snap_degrees(lon), snap_degrees(lat)]}
    return _feature(geometry, properties, feature_id)


def cell_feature(cell: Cell, properties: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """A Feature of one cell: ``id`` is its cell_id; its words stand in the properties, before ``properties``."""
    own = {**cell.properties, "code": cell.code, "name": cell.name, "layer": cell.layer, "order": cell.order}
    return _feature(geometry_to_geojson(cell.geometry), {**own, **(properties or {})}, cell.cell_id)


def feature_collection(
    features: Iterable[Mapping[str, Any]], *, members: Mapping[str, Any] | None = None
) -> Iterator[str]:
    """Write a FeatureCollection piece by piece.

    Parameters
    ----------
    features : iterable of feature objects
        Read once, one at a time; none gives a valid empty collection.
    members : mapping, optional
        Foreign members of the collection, such as ``edition`` and its ``hash``; they may not reuse GeoJSON's own names.

    Yields
    ------
    str
        Pieces of UTF-8 text; joined they are one JSON document ending in a line feed, one feature on each line.

    Raises
    ------
    GeoError
        ``reserved_member``, or ``not_json`` for a value that JSON cannot carry (such as NaN): nothing half-true is
        written.
    """
    extra = {"datum_note": DATUM_NOTE, **(members or {})}
    reserved = {"type", "features", "crs", "coordinates", "geometry", "geometries", "properties"} & set(extra)
    if reserved:
        raise GeoError(f"member {sorted(reserved)[0]} is GeoJSON's own", code="reserved_member")
    head = _dumps({"type": "FeatureCollection", **extra})
    yield head[:-1] + ',"features":['
    separator = "\n"
    for feature in features:
        yield separator + _dumps(feature)
        separator = ",\n"
    yield "\n]}\n"


def cells_to_geojson(cells: Iterable[Cell], *, members: Mapping[str, Any] | None = None) -> str:
    """The whole text for a set of cells; ``cells.read_cells(text, datum="cgcs2000")`` gives the same cells back."""
    return "".join(feature_collection(map(cell_feature, cells), members=members))


def load_features(text: str) -> Any:
    """Parse with the geojson package without losing the seventh decimal (see ``DEFAULT_PRECISION`` above)."""
    return geojson.loads(text)


def _feature(geometry: Any, properties: Mapping[str, Any], feature_id: str | None) -> dict[str, Any]:
    feature: dict[str, Any] = {"type": "Feature"}
    if feature_id is not None:
        feature["id"] = feature_id
    return feature | {"geometry": geometry, "properties": dict(properties)}


def _positions(coordinates: Any) -> Any:
    if isinstance(coordinates[0], (int, float)):
        return [snap_degrees(coordinates[0]), snap_degrees(coordinates[1])]
    return [_positions(inner) for inner in coordinates]


def _dumps(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError) as error:
        raise GeoError("a property holds a value that JSON cannot carry", code="not_json") from error
