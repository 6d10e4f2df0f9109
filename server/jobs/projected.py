"""A finished GeoPackage turned into metres of the local 3° zone of Gauss and Krüger (CGCS2000): places, index, extents."""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pyproj
import shapely

from geo.gauss_krueger import Zone, to_zone, zone_of
from server.jobs.geopackage_index import Boxes, write_index

_BATCH = 5_000
_ENVELOPES = (0, 32, 48, 48, 64)  # bytes, by the code in the flags


def zone_over(outlines: Iterable[bytes]) -> Zone:
    """The zone of the middle of what is exported (WKB in degrees); of 117° where there is nothing."""
    shapes = shapely.from_wkb(list(outlines))
    if len(shapes) == 0:
        return zone_of(lon=117.0)
    west, _, east, _ = shapely.total_bounds(shapes).tolist()
    return zone_of(lon=(west + east) / 2)


def told(zone: Zone) -> str:
    """The zone in words."""
    return f"EPSG:{zone.epsg} CGCS2000 / 3-degree Gauss-Krüger, central meridian {zone.meridian:g}°E, metres (x east, y north)"


def project_geopackage(path: Path, zone: Zone) -> None:
    """Turn every layer of a closed GeoPackage from degrees into metres of a zone, in place; memory holds one batch.

    A vertex is turned by itself: an edge of a kilometre bends by less than a millimetre between its ends.
    """
    crs = pyproj.CRS.from_epsg(zone.epsg)
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("PRAGMA synchronous = OFF")
        database.execute("BEGIN")
        database.execute(
            "INSERT INTO gpkg_spatial_ref_sys (srs_name, srs_id, organization, organization_coordsys_id, definition, description) "
            "VALUES (?, ?, 'EPSG', ?, ?, ?)",
            (crs.name, zone.epsg, zone.epsg, crs.to_wkt("WKT1_GDAL"), "easting/northing, metres"),
        )
        names = [name for (name,) in database.execute("SELECT table_name FROM gpkg_geometry_columns ORDER BY table_name").fetchall()]
        for name in names:
            _project(database, path, name, zone)
        database.execute("COMMIT")
        database.execute("VACUUM")


def _project(database: sqlite3.Connection, path: Path, name: str, zone: Zone) -> None:
    index = f"rtree_{name}_geom"
    for (trigger,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = ?", (name,)).fetchall():
        database.execute(f'DROP TRIGGER "{trigger}"')
    database.execute(f'DROP TABLE "{index}"')
    database.execute("DELETE FROM gpkg_extensions WHERE table_name = ? AND extension_name = 'gpkg_rtree_index'", (name,))
    boxes = Boxes(path.parent)
    last = 0
    while True:
        rows = database.execute(
            f'SELECT fid, geom FROM "{name}" WHERE geom IS NOT NULL AND fid > ? ORDER BY fid LIMIT {_BATCH}', (last,)
        ).fetchall()
        if not rows:
            break
        last = rows[-1][0]
        shapes = shapely.transform(shapely.from_wkb([_body(blob) for _, blob in rows]), lambda at: _metres(at, zone))
        bounds = shapely.bounds(shapes)
        blobs = [_blob(*one, srs=zone.epsg) for one in zip(shapely.to_wkb(shapes, byte_order=1), shapes, bounds.tolist(), strict=True)]
        database.executemany(
            f'UPDATE "{name}" SET geom = ? WHERE fid = ?', [(blob, fid) for blob, (fid, _) in zip(blobs, rows, strict=True)]
        )
        boxes.add(np.array([fid for fid, _ in rows], dtype=np.int64), bounds)
    database.execute(
        "UPDATE gpkg_contents SET srs_id = ?, min_x = ?, min_y = ?, max_x = ?, max_y = ? WHERE table_name = ?",
        (zone.epsg, *(boxes.extent or (None,) * 4), name),
    )
    database.execute("UPDATE gpkg_geometry_columns SET srs_id = ? WHERE table_name = ?", (zone.epsg, name))
    write_index(database, name, boxes)


def _metres(at: Any, zone: Zone) -> Any:
    return np.column_stack(to_zone(lon=at[:, 0], lat=at[:, 1], zone=zone))


def _body(blob: bytes) -> bytes:
    return blob[8 + _ENVELOPES[blob[3] >> 1 & 7] :]


def _blob(body: bytes, shape: Any, bounds: list[float], *, srs: int) -> bytes:
    if shape.geom_type == "Point":
        return b"GP\x00\x01" + struct.pack("<i", srs) + body
    west, south, east, north = bounds
    return b"GP\x00\x03" + struct.pack("<idddd", srs, west, east, south, north) + body
