"""Regular squares and hexagons over a community, for heat maps and aggregates: not cells, and nobody is placed by them.

A lattice lies in the local Gauss–Krüger zone and starts at its origin, so two communities of one city, and two exports of
one year, share the same tiles whatever their boundaries.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray

from geo.errors import GeoError
from geo.gauss_krueger import Zone, from_zone, to_zone, zone_of

TILES_AT_MOST = 200_000
_ROOT3 = math.sqrt(3.0)
Whole = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Tile:
    """One tile: its column and row, what the boundary leaves of it (CGCS2000 degrees), and which share that is (0 to 1]."""

    key: str
    column: int
    row: int
    geometry: Any
    share: float


@dataclass(frozen=True, slots=True)
class Lattice:
    """Squares of side ``size_m``, or hexagons (corner up) ``size_m`` wide from flat to flat."""

    shape: Literal["square", "hexagon"]
    size_m: float
    zone: Zone

    def places(self, *, lons: ArrayLike, lats: ArrayLike) -> tuple[Whole, Whole]:
        """Column and row of points in CGCS2000 degrees, shapes (n,): exactly one tile each.

        Values that are not finite raise GeoError ``not_a_number``.
        """
        lon, lat = np.asarray(lons, dtype=np.float64), np.asarray(lats, dtype=np.float64)
        if not (np.isfinite(lon).all() and np.isfinite(lat).all()):
            raise GeoError("a lattice needs finite coordinates", code="not_a_number")
        east, north = to_zone(lon=lon, lat=lat, zone=self.zone)
        if self.shape == "square":
            return np.floor(east / self.size_m).astype(np.int64), np.floor(north / self.size_m).astype(np.int64)
        # Cube rounding: the hexagon whose centre is nearest.
        height = self.size_m / _ROOT3 * 1.5
        r = north / height
        q = east / self.size_m - r / 2
        whole_q, whole_r, whole_s = np.round(q), np.round(r), np.round(-q - r)
        off_q, off_r, off_s = np.abs(whole_q - q), np.abs(whole_r - r), np.abs(whole_s + q + r)
        fix_q = (off_q > off_r) & (off_q > off_s)
        fix_r = ~fix_q & (off_r > off_s)
        whole_q = np.where(fix_q, -whole_r - whole_s, whole_q)
        whole_r = np.where(fix_r, -whole_q - whole_s, whole_r)
        row = whole_r.astype(np.int64)
        return whole_q.astype(np.int64) + (row - (row & 1)) // 2, row

    def key(self, column: int, row: int) -> str:
        """The name of a tile, the same in every export: shape, size, zone, column, row."""
        return f"{self.shape[0]}{self.size_m:g}-{self.zone.epsg}-{column}-{row}"

    def outlines(self, columns: ArrayLike, rows: ArrayLike) -> NDArray[Any]:
        """Tiles as polygons in CGCS2000 degrees, shape (n,), counter-clockwise."""
        column, row = np.asarray(columns, dtype=np.float64), np.asarray(rows, dtype=np.float64)
        if self.shape == "square":
            turns = np.array([(0, 0), (1, 0), (1, 1), (0, 1)]) * self.size_m
            at = np.column_stack([column, row]) * self.size_m
        else:
            radius = self.size_m / _ROOT3
            angles = np.radians(np.arange(6) * 60 - 90)
            turns = np.column_stack([np.cos(angles), np.sin(angles)]) * radius
            at = np.column_stack([(column + (row % 2) / 2) * self.size_m, row * radius * 1.5])
        corners = at[:, None, :] + turns
        lon, lat = from_zone(east=corners[..., 0].ravel(), north=corners[..., 1].ravel(), zone=self.zone)
        rings = np.stack([lon, lat], axis=-1).reshape(len(at), len(turns), 2)
        return np.asarray(shapely.polygons(np.concatenate([rings, rings[:, :1]], axis=1)), dtype=object)


def lattice_over(
    boundary: Any, *, shape: Literal["square", "hexagon"], size_m: float, zone: Zone | None = None
) -> tuple[Lattice, list[Tile]]:
    """The tiles that a boundary touches, clipped to it.

    Parameters
    ----------
    boundary : shapely Polygon or MultiPolygon
        Valid, CGCS2000 degrees; empty gives no tiles.
    shape, size_m
        See :class:`Lattice`; ``size_m`` above 0.
    zone : Zone, optional
        Else the zone of the boundary's middle. Give the city's, so that its communities share one lattice.

    Returns
    -------
    (Lattice, list of Tile)
        In order of row and column. Pieces without area are left out. The tiles' pieces cover the boundary once.

    Raises
    ------
    GeoError
        ``bad_lattice``: the size is not above 0; ``too_many_tiles`` above ``TILES_AT_MOST``.
    """
    if not (math.isfinite(size_m) and size_m > 0) or shape not in ("square", "hexagon"):
        raise GeoError("a lattice is of squares or hexagons with a size above 0 metres", code="bad_lattice")
    if boundary is None or boundary.is_empty:
        return Lattice(shape, size_m, zone or Zone(4547)), []
    west, south, east, north = boundary.bounds
    lattice = Lattice(shape, size_m, zone or zone_of(lon=(west + east) / 2))
    # The box bends in the zone: its corners and middles bound it well enough with a tile to spare.
    lons, lats = np.meshgrid(np.linspace(west, east, 5), np.linspace(south, north, 5))
    column, row = lattice.places(lons=lons.ravel(), lats=lats.ravel())
    columns = np.arange(column.min() - 2, column.max() + 3)
    rows = np.arange(row.min() - 2, row.max() + 3)
    if len(columns) * len(rows) > TILES_AT_MOST * 4:
        raise GeoError(f"more than {TILES_AT_MOST} tiles; choose a larger size", code="too_many_tiles")
    all_columns, all_rows = (axis.ravel() for axis in np.meshgrid(columns, rows))
    outlines = lattice.outlines(all_columns, all_rows)
    shapely.prepare(boundary)
    touched = np.flatnonzero(shapely.intersects(boundary, outlines))
    if len(touched) > TILES_AT_MOST:
        raise GeoError(f"more than {TILES_AT_MOST} tiles; choose a larger size", code="too_many_tiles")
    is_inner = shapely.contains_properly(boundary, outlines[touched])
    pieces = np.where(is_inner, outlines[touched], shapely.intersection(boundary, outlines[touched]))
    tiles = []
    for at, piece in zip(touched.tolist(), pieces, strict=True):
        if piece.area > 0:
            place = int(all_columns[at]), int(all_rows[at])
            share = min(float(piece.area / outlines[at].area), 1.0)
            tiles.append(Tile(lattice.key(*place), *place, piece, share))
    return lattice, tiles
