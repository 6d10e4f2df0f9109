"""Writing a GeoPackage: rows through GDAL (pyogrio), then titles, code lists and notes in its own tables.

One shot, journal mode DELETE, vacuumed: opened from a network drive or read-only it needs no side files.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import shapely

from server.services.layers import Feature, Layer
from server.services.tables import Column

CRS = "EPSG:4490"
NOTES = "dishu_notes"

# GeoPackage 1.3, extension "schema".
_SCHEMA = """
CREATE TABLE IF NOT EXISTS gpkg_data_columns (
  table_name TEXT NOT NULL, column_name TEXT NOT NULL, name TEXT, title TEXT, description TEXT, mime_type TEXT,
  constraint_name TEXT, CONSTRAINT pk_gdc PRIMARY KEY (table_name, column_name),
  CONSTRAINT gdc_tn UNIQUE (table_name, name));
CREATE TABLE IF NOT EXISTS gpkg_data_column_constraints (
  constraint_name TEXT NOT NULL, constraint_type TEXT NOT NULL, value TEXT, min NUMERIC, min_is_inclusive BOOLEAN,
  max NUMERIC, max_is_inclusive BOOLEAN, description TEXT,
  CONSTRAINT gdcc_ntv UNIQUE (constraint_name, constraint_type, value));
CREATE TABLE IF NOT EXISTS gpkg_extensions (
  table_name TEXT, column_name TEXT, extension_name TEXT NOT NULL, definition TEXT NOT NULL, scope TEXT NOT NULL,
  CONSTRAINT ge_tce UNIQUE (table_name, column_name, extension_name));
"""
_EXTENSION = ("gpkg_schema", "http://www.geopackage.org/spec/#extension_schema", "read-write")


def write_geopackage(path: Path, layers: Sequence[Layer], notes: Mapping[str, str], told: Callable[[int], None]) -> int:
    """Write all layers into a new file; returns the number of features.

    Parameters
    ----------
    path : a file that does not exist yet
    notes : what the file says about itself: as-of time, community, edition, datum
    told : called with the number of features after each batch
    """
    count = 0
    for layer in layers:
        begun = False
        for batch in layer.batches():
            _append(path, layer, batch, append=begun)
            begun = True
            count += len(batch)
            told(len(batch))
        if not begun:
            _append(path, layer, [], append=False)
    _write_notes(path, notes)
    _finish(path, layers)
    return count


def _append(path: Path, layer: Layer, batch: Sequence[Feature], *, append: bool) -> None:
    from pyogrio import raw

    data, masks = [], []
    for position, column in enumerate(layer.columns):
        values, mask = _array(column, [feature.values[position] for feature in batch])
        data.append(values)
        masks.append(mask)
    raw.write(
        path,
        geometry=_geometry(layer, batch),
        field_data=data,
        fields=np.array([column.name for column in layer.columns], dtype=object),
        field_mask=masks,
        layer=layer.name,
        driver="GPKG",
        geometry_type="MultiPolygon" if layer.geometry == "Polygon" else layer.geometry,
        crs=CRS,
        promote_to_multi=layer.geometry == "Polygon",
        append=append,
        layer_options={"IDENTIFIER": layer.title, "GEOMETRY_NAME": "geom"} if not append else {},
    )


def _geometry(layer: Layer, batch: Sequence[Feature]) -> Any:
    found = np.empty(len(batch), dtype=object)
    for position, feature in enumerate(batch):
        if layer.geometry == "Polygon":
            shape: Any = shapely.from_wkb(feature.outline)
            found[position] = shapely.to_wkb(shapely.multipolygons([shape]) if shape.geom_type == "Polygon" else shape)
        elif feature.lon is not None and feature.lat is not None:
            found[position] = shapely.to_wkb(shapely.Point(feature.lon, feature.lat))
        else:
            found[position] = None
    return found


def _array(column: Column, values: Sequence[Any]) -> tuple[Any, Any]:
    """Values as an array and its mask of nulls; text is an array of objects, which needs no mask."""
    if column.kind == "text":
        texts = np.empty(len(values), dtype=object)
        texts[:] = [None if value is None else str(value) for value in values]
        return texts, None
    mask = np.array([value is None for value in values], dtype=bool)
    dtype = {"integer": np.int64, "decimal": np.float64, "boolean": bool}[column.kind]
    return np.array([0 if value is None else value for value in values], dtype=dtype), mask


def _write_notes(path: Path, notes: Mapping[str, str]) -> None:
    from pyogrio import raw

    columns = [np.array(list(notes), dtype=object), np.array(list(notes.values()), dtype=object)]
    raw.write(
        path, geometry=None, field_data=columns, fields=np.array(["name", "value"], dtype=object), layer=NOTES,
        driver="GPKG", geometry_type=None, crs=None,
    )  # fmt: skip


def _finish(path: Path, layers: Sequence[Layer]) -> None:
    """Titles and code lists of the columns, then one clean file without side files."""
    database = sqlite3.connect(path)
    try:
        database.executescript(_SCHEMA)
        for table in ("gpkg_data_columns", "gpkg_data_column_constraints"):
            database.execute(
                "INSERT OR IGNORE INTO gpkg_extensions (table_name, extension_name, definition, scope) VALUES (?, ?, ?, ?)",
                (table, *_EXTENSION),
            )
        for layer in layers:
            _describe(database, layer)
        database.commit()
        database.execute("PRAGMA journal_mode = DELETE")
        database.execute("VACUUM")
    finally:
        database.close()


def _describe(database: sqlite3.Connection, layer: Layer) -> None:
    titles: set[str] = set()
    for column in layer.columns:
        title = column.title if column.title not in titles else f"{column.title} ({column.name})"
        titles.add(title)
        codes = layer.codes.get(column.name)
        constraint = f"{layer.name}_{column.name}" if codes else None
        database.execute(
            "INSERT INTO gpkg_data_columns (table_name, column_name, name, title, constraint_name) VALUES (?, ?, ?, ?, ?)",
            (layer.name, column.name, title, title, constraint),
        )
        for code, label in (codes or {}).items():
            database.execute(
                "INSERT INTO gpkg_data_column_constraints (constraint_name, constraint_type, value, description) "
                "VALUES (?, 'enum', ?, ?)",
                (constraint, code, label),
            )
