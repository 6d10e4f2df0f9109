"""Writing a GeoPackage 1.3 with SQLite itself: rows as they come, titles, code lists, styles, metadata, a packed index.

One shot, journal mode DELETE: opened from a network drive or read-only it needs no side files. Memory holds a batch
of rows; what the spatial index of a layer needs of each feature waits in a file.
"""

from __future__ import annotations

import sqlite3
import struct
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import numpy as np
import pyproj
import shapely

from server.jobs.geopackage_index import Boxes, write_index
from server.jobs.geopackage_schema import SCHEMA, SRS
from server.jobs.styles import STYLE_TABLE, default_style
from server.services.layers import NOTHING, Feature, Layer, Place, Swift
from server.services.tables import Column

CRS = "EPSG:4490"
NOTES = "dishu_notes"
_POINT_HEAD = b"GP\x00\x01" + struct.pack("<i", SRS) + b"\x01" + struct.pack("<I", 1)
_POINT = struct.Struct("<dd")
_TYPES = {"text": "TEXT", "integer": "INTEGER", "decimal": "REAL", "boolean": "BOOLEAN", "date": "DATE", "datetime": "DATETIME"}
_RESERVED = ("fid", "geom")
_WAITING = 10_000  # bounds of features that are put into the file together

Told = Callable[[int], None]


def write_geopackage(path: Path, layers: Sequence[Layer], notes: Mapping[str, str], told: Told) -> int:
    """Write all layers into a new file; returns the number of features.

    Parameters
    ----------
    path : a file that does not exist yet
    notes : what the file says about itself: as-of time, community, edition, datum
    told : called with the number of features after each batch
    """
    database = sqlite3.connect(path, isolation_level=None)
    try:
        # What is not whole is thrown away, so nothing is journaled while it is written.
        for pragma in ("page_size = 4096", "application_id = 1196444487", "user_version = 10300", "synchronous = OFF"):
            database.execute(f"PRAGMA {pragma}")
        database.execute("PRAGMA journal_mode = OFF")
        database.execute("BEGIN")
        _lay_ground(database)
        count = sum(_write_layer(database, path, layer, str(notes.get("as_of", "")), told) for layer in layers)
        _write_notes(database, notes)
        for number, layer in enumerate(layers):
            _describe(database, layer)
            _write_style(database, layer, number)
        _write_metadata(database, notes)
        database.execute("COMMIT")
        database.execute("PRAGMA journal_mode = DELETE")
    finally:
        database.close()
    return count


def _lay_ground(database: sqlite3.Connection) -> None:
    for statement in SCHEMA.split(";\n"):
        if statement.strip():
            database.execute(statement)
    wgs, ours = (pyproj.CRS.from_user_input(one) for one in ("EPSG:4326", CRS))
    database.executemany(
        "INSERT INTO gpkg_spatial_ref_sys (srs_name, srs_id, organization, organization_coordsys_id, definition, description) "
        "VALUES (?, ?, ?, ?, ?, ?)",
        [
            ("Undefined Cartesian SRS", -1, "NONE", -1, "undefined", None),
            ("Undefined geographic SRS", 0, "NONE", 0, "undefined", None),
            (wgs.name, 4326, "EPSG", 4326, wgs.to_wkt("WKT1_GDAL"), "longitude/latitude"),
            (ours.name, SRS, "EPSG", SRS, ours.to_wkt("WKT1_GDAL"), "longitude/latitude"),
        ],
    )


# ---------------------------------------------------------------- features
def _write_layer(database: sqlite3.Connection, path: Path, layer: Layer, at: str, told: Told) -> int:
    kind = "MULTIPOLYGON" if layer.geometry == "Polygon" else "POINT"
    if any(column.name in _RESERVED for column in layer.columns):
        raise ValueError("a column may not be called fid or geom")
    columns = "".join(f', "{column.name}" {_TYPES[column.kind]}' for column in layer.columns)
    database.execute(
        f'CREATE TABLE "{layer.name}" (fid INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, geom {kind}{columns})'
    )
    marks = ", ".join("?" * (len(layer.columns) + 1))
    names = ", ".join(f'"{column.name}"' for column in layer.columns)
    insert = f'INSERT INTO "{layer.name}" (geom, {names}) VALUES ({marks})'
    boxes = Boxes(path.parent)
    if layer.swift is not None:
        count = _insert_swiftly(database, insert, layer.swift, boxes, told)
    else:
        count = _insert(database, insert, layer, boxes, told)
    database.execute(
        "INSERT INTO gpkg_contents (table_name, data_type, identifier, description, last_change, min_x, min_y, max_x, "
        "max_y, srs_id) VALUES (?, 'features', ?, '', ?, ?, ?, ?, ?, ?)",
        (layer.name, layer.title, at, *(boxes.extent or (None,) * 4), SRS),
    )
    database.execute(
        "INSERT INTO gpkg_geometry_columns VALUES (?, 'geom', ?, ?, 0, 0)", (layer.name, kind, SRS)
    )  # fmt: skip
    write_index(database, layer.name, boxes)
    return count


def _insert(database: sqlite3.Connection, insert: str, layer: Layer, boxes: Boxes, told: Told) -> int:
    bounds, fids = array("d"), array("q")  # west, south, east, north of what has a place, and its row; not in the file yet
    count = 0

    def keep() -> None:
        boxes.add(np.array(fids, dtype=np.int64), np.array(bounds, dtype=np.float64).reshape(-1, 4))
        del bounds[:], fids[:]

    shape = _outlines if layer.geometry == "Polygon" else _points
    for batch in layer.batches():
        shapes = shape(batch, count, bounds, fids)
        database.executemany(insert, [(place, *feature[1]) for place, feature in zip(shapes, batch, strict=True)])
        count += len(batch)
        told(len(batch))
        if len(fids) >= _WAITING:
            keep()
    keep()
    return count


def _insert_swiftly(
    database: sqlite3.Connection, insert: str, swift: Callable[[Place], Iterator[Swift]], boxes: Boxes, told: Told
) -> int:
    """Rows as they come, many on one point, which is made once.

    What stands for nothing and a bytearray are bound at once: for None and for bytes the module looks for adapters.
    """
    known: dict[tuple[float | None, float | None], bytearray | float] = {(None, None): NOTHING}
    lons: list[float | None] = []
    lats: list[float | None] = []
    count = kept = 0

    def place(lon: float | None, lat: float | None) -> bytearray | float:
        found = known.get((lon, lat))
        if found is None:
            if len(known) > _WAITING:
                known.clear()
                known[None, None] = NOTHING
            found = known[lon, lat] = bytearray(_POINT_HEAD + _POINT.pack(lon, lat))
        return found

    def keep() -> None:
        spots = np.array([lons, lats], dtype=np.float64)
        at = np.flatnonzero(~np.isnan(spots[0]))
        boxes.add(kept + 1 + at, spots[:, at].T[:, [0, 1, 0, 1]])
        del lons[:], lats[:]

    for batch, east, north in swift(place):
        database.executemany(insert, batch)
        lons += east
        lats += north
        count += len(batch)
        told(len(batch))
        if len(lons) >= _WAITING:
            keep()
            kept = count
    keep()
    return count


def _points(batch: Sequence[Feature], before: int, bounds: Any, fids: Any) -> list[bytearray | float]:
    pack, head = _POINT.pack, _POINT_HEAD
    found: list[bytearray | float] = []
    for fid, (_, _, lon, lat, *_) in enumerate(batch, before + 1):
        if lon is None or lat is None:
            found.append(NOTHING)
            continue
        found.append(bytearray(head + pack(lon, lat)))
        bounds.extend((lon, lat, lon, lat))
        fids.append(fid)
    return found


def _outlines(batch: Sequence[Feature], before: int, bounds: Any, fids: Any) -> list[bytearray | float]:
    shapes: list[Any] = [shapely.from_wkb(feature.outline) for feature in batch]
    whole: list[Any] = [
        shapely.multipolygons([one]) if one is not None and one.geom_type == "Polygon" else one for one in shapes
    ]
    found: list[bytearray | float] = []
    for fid, shape in enumerate(whole, before + 1):
        if shape is None or shape.is_empty:
            found.append(NOTHING)
            continue
        west, south, east, north = shape.bounds
        envelope = struct.pack("<dddd", west, east, south, north)
        found.append(bytearray(b"GP\x00\x03" + struct.pack("<i", SRS) + envelope + shapely.to_wkb(shape, byte_order=1)))
        bounds.extend((west, south, east, north))
        fids.append(fid)
    return found


# ---------------------------------------------------------------- what it says about itself
def _write_notes(database: sqlite3.Connection, notes: Mapping[str, str]) -> None:
    database.execute(f"CREATE TABLE {NOTES} (fid INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, name TEXT, value TEXT)")
    database.executemany(f"INSERT INTO {NOTES} (name, value) VALUES (?, ?)", notes.items())
    _attributes(database, NOTES, "说明", str(notes.get("as_of", "")))


def _attributes(database: sqlite3.Connection, name: str, title: str, at: str) -> None:
    database.execute(
        "INSERT INTO gpkg_contents (table_name, data_type, identifier, description, last_change, srs_id) "
        "VALUES (?, 'attributes', ?, '', ?, 0)",
        (name, title, at),
    )


def distinct_titles(columns: Sequence[Column]) -> list[tuple[Column, str]]:
    """Columns with their titles; a title that came before is told apart by the column's name."""
    titles: set[str] = set()
    found = []
    for column in columns:
        title = column.title if column.title not in titles else f"{column.title} ({column.name})"
        titles.add(title)
        found.append((column, title))
    return found


def _describe(database: sqlite3.Connection, layer: Layer) -> None:
    """Titles of the columns as aliases, code lists as value domains."""
    for column, title in distinct_titles(layer.columns):
        codes = layer.codes.get(column.name)
        constraint = f"{layer.name}_{column.name}" if codes else None
        database.execute(
            "INSERT INTO gpkg_data_columns (table_name, column_name, name, title, constraint_name) VALUES (?, ?, ?, ?, ?)",
            (layer.name, column.name, title, title, constraint),
        )
        database.executemany(
            "INSERT INTO gpkg_data_column_constraints (constraint_name, constraint_type, value, description) "
            "VALUES (?, 'enum', ?, ?)",
            [(constraint, code, label) for code, label in (codes or {}).items()],
        )


def _write_style(database: sqlite3.Connection, layer: Layer, number: int) -> None:
    if number == 0:
        database.execute(STYLE_TABLE)
        _attributes(database, "layer_styles", "样式", "")
        database.execute(
            "UPDATE gpkg_contents SET last_change = strftime('%Y-%m-%dT%H:%M:%fZ', 'now') WHERE last_change = ''"
        )
    qml, sld = default_style(layer, number)
    database.execute(
        "INSERT INTO layer_styles (f_table_catalog, f_table_schema, f_table_name, f_geometry_column, styleName, styleQML, "
        "styleSLD, useAsDefault, description, owner) VALUES ('', '', ?, 'geom', 'default', ?, ?, 1, ?, '')",
        (layer.name, qml, sld, layer.title),
    )


def _write_metadata(database: sqlite3.Connection, notes: Mapping[str, str]) -> None:
    """The notes once more where GDAL and QGIS look for metadata."""
    items = chain((("TITLE", "底数 Dishu"),), ((name.upper(), value) for name, value in notes.items()))
    lines = "".join(f"<MDI key={quoteattr(name)}>{escape(value)}</MDI>" for name, value in items)
    text = f"<GDALMultiDomainMetadata><Metadata>{lines}</Metadata></GDALMultiDomainMetadata>"
    database.execute(
        "INSERT INTO gpkg_metadata (id, md_scope, md_standard_uri, mime_type, metadata) "
        "VALUES (1, 'dataset', 'http://gdal.org', 'text/xml', ?)",
        (text,),
    )
    database.execute(
        "INSERT INTO gpkg_metadata_reference (reference_scope, timestamp, md_file_id) VALUES ('geopackage', ?, 1)",
        (notes.get("as_of") or "1970-01-01T00:00:00.000Z",),
    )
