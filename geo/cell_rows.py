"""Cells as rows of a store: plain text, numbers and WKB bytes, so that any database keeps them without extensions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import shapely

from geo.area import area_m2, label_point
from geo.cell import BASE_LAYER, Cell
from geo.snap import degrees_geometry, units_geometry


def cell_to_row(cell: Cell) -> dict[str, Any]:
    """A cell as a row.

    Returns
    -------
    dict
        ``cell_id, code, name, layer, sort_order``, ``geometry_wkb`` (bytes, little-endian WKB in CGCS2000 degrees on
        the grid), ``properties_json`` (text), ``min_lon, min_lat, max_lon, max_lat``, ``area_m2`` (0.1 m²),
        ``label_lon, label_lat``. The last seven are derived and not read back.
    """
    west, south, east, north = cell.geometry.bounds
    label = label_point(cell.geometry) or (None, None)
    return {
        "cell_id": cell.cell_id,
        "code": cell.code,
        "name": cell.name,
        "layer": cell.layer,
        "sort_order": cell.order,
        "geometry_wkb": shapely.to_wkb(cell.geometry, output_dimension=2, byte_order=1),
        "properties_json": json.dumps(dict(cell.properties), ensure_ascii=False, sort_keys=True, separators=(",", ":")),
        "min_lon": west,
        "min_lat": south,
        "max_lon": east,
        "max_lat": north,
        "area_m2": round(area_m2(cell.geometry), 1),
        "label_lon": label[0],
        "label_lat": label[1],
    }


def cell_from_row(row: Mapping[str, Any]) -> Cell:
    """The cell of a row made by :func:`cell_to_row`; further columns are ignored. Equal to the cell that went in."""
    geometry = shapely.from_wkb(bytes(row["geometry_wkb"]))
    return Cell(
        cell_id=row["cell_id"],
        code=row["code"],
        name=row["name"],
        geometry=degrees_geometry(units_geometry(geometry)),
        layer=row.get("layer", BASE_LAYER),
        order=row.get("sort_order", 0),
        properties=json.loads(row.get("properties_json") or "{}"),
    )
