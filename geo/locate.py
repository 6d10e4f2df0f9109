"""Which cell holds a point: exactly one, whatever the order of the file (rule L1).

Cells and points are whole grid units (see ``snap``), the predicate is *covers* (borders belong), a point of several
cells goes to the smallest (order number, code). Vectors for every language: ``tests/vectors/locate``.
An index never changes once built, so threads may share it: build one per edition and swap it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import cached_property

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray

from geo.cell import BASE_LAYER, Cell
from geo.near import CellSurroundings
from geo.snap import snap, snap_units, units_geometry


class CellIndex:
    """The cells of one layer, ready to be asked.

    Parameters
    ----------
    cells : iterable of Cell
        In any order. Cells without area (empty or no geometry) hold no point and are left out.
    layer : str or None
        Only cells of this layer; None takes all (then overlapping layers fall under the tie rule).

    Attributes
    ----------
    cells, cell_ids, codes : tuple
        In tie order: the position of a cell is its rank, and positions are what batches answer.
    """

    def __init__(self, cells: Iterable[Cell], *, layer: str | None = BASE_LAYER) -> None:
        wanted = (cell for cell in cells if layer is None or cell.layer == layer)
        present = (cell for cell in wanted if cell.geometry is not None and not cell.geometry.is_empty)
        self.cells: tuple[Cell, ...] = tuple(sorted(present, key=lambda cell: cell.tie_key))
        self.cell_ids: tuple[str, ...] = tuple(cell.cell_id for cell in self.cells)
        self.codes: tuple[str, ...] = tuple(cell.code for cell in self.cells)
        geometries = np.empty(len(self.cells), dtype=object)
        geometries[:] = [cell.geometry for cell in self.cells]
        self._units = shapely.orient_polygons(units_geometry(geometries))
        self._tree = shapely.STRtree(self._units)
        # GEOS builds a prepared polygon's search tree at its first question. Asking here makes later ones read only.
        shapely.prepare(self._units)
        if self.cells:
            shapely.intersects_xy(self._units, *shapely.bounds(self._units).T[:2])
            self._tree.query(shapely.points(0, 0))

    def __len__(self) -> int:
        return len(self.cells)

    @cached_property
    def surroundings(self) -> CellSurroundings:
        """Distances and circles in metres; built at the first fix that needs them."""
        return CellSurroundings(self._units, self._tree)

    def locate(self, *, lon: float, lat: float) -> str | None:
        """Find the cell that holds a point.

        Parameters
        ----------
        lon, lat : float
            CGCS2000 degrees; snapped to the grid here. Other datums are the caller's mistake (see ``datum``).

        Returns
        -------
        str or None
            The ``cell_id``; None outside every cell and for values that are not finite. On a shared border the
            smallest (order, code) wins.
        """
        if not (math.isfinite(lon) and math.isfinite(lat)):
            return None
        x, y = snap(lon), snap(lat)
        near = self._tree.query(shapely.points(x, y))
        if near.size == 0:
            return None
        hits = near[shapely.intersects_xy(self._units[near], x, y)]
        return self.cell_ids[hits.min()] if hits.size else None

    def locate_many(self, *, lons: ArrayLike, lats: ArrayLike) -> NDArray[np.intp]:
        """Find the cells of many points at once.

        Parameters
        ----------
        lons, lats : array_like of float, shape (n,)
            CGCS2000 degrees.

        Returns
        -------
        ndarray of int, shape (n,)
            Positions in ``cell_ids``; -1 outside every cell and for values that are not finite. Empty in, empty out.
        """
        return self.locate_counted(lons=lons, lats=lats)[0]

    def locate_counted(self, *, lons: ArrayLike, lats: ArrayLike) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Like :meth:`locate_many`, with the number of cells that cover each point (2 or more: the tie rule spoke)."""
        x, y = snap_units(lons), snap_units(lats)
        if x.shape != y.shape or x.ndim != 1:
            raise ValueError("lons and lats must be of one shape (n,)")
        count = len(x)
        usable = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
        points, near = self._tree.query(shapely.points(x[usable], y[usable]))
        # Cell by cell, so that one polygon's search tree stays in the processor's cache: three times as fast on
        # detailed borders.
        by_cell = np.argsort(near, kind="stable")
        points, near = usable[points[by_cell]], near[by_cell]
        covered = shapely.intersects_xy(self._units[near], x[points], y[points])
        points, near = points[covered], near[covered]
        best = np.full(count, len(self.cells), dtype=np.intp)
        np.minimum.at(best, points, near)
        best[best == len(self.cells)] = -1
        return best, np.bincount(points, minlength=count)

    def candidates(self, *, lon: float, lat: float, radius_m95: float) -> list[tuple[str, float]]:
        """Cells that a fix may lie in, with their probabilities (rule L3).

        Parameters
        ----------
        lon, lat : float
            CGCS2000 degrees of the fix.
        radius_m95 : float
            95 % radius in metres (see ``location.radius_m95``); 0 or less means an exact point.

        Returns
        -------
        list of (cell_id, probability)
            Every cell that the circle touches, most probable first, ties in tie order; [] when it touches none. The
            error is taken as circular normal. What is missing to 1 lies in no cell, or beyond the circle.
        """
        if not (math.isfinite(lon) and math.isfinite(lat)):
            return []
        if radius_m95 <= 0:
            cell_id = self.locate(lon=lon, lat=lat)
            return [] if cell_id is None else [(cell_id, 1.0)]
        _, touched = self.surroundings.touched(lons=[lon], lats=[lat], radii_m=[radius_m95])
        return self.weigh(touched, lon=lon, lat=lat, radius_m95=radius_m95)

    def weigh(
        self, positions: NDArray[np.intp], *, lon: float, lat: float, radius_m95: float
    ) -> list[tuple[str, float]]:
        """Probabilities of given cells (positions) for one fix; order as in :meth:`candidates`.

        Rounded to six decimals: the digits behind would differ between machines and planes, and mean nothing to a
        person.
        """
        ranked = sorted(
            (-round(self.surroundings.share(int(at), lon=lon, lat=lat, radius_m95=radius_m95), 6), int(at))
            for at in positions
        )
        return [(self.cell_ids[at], -share) for share, at in ranked]

    def nearest(self, *, lon: float, lat: float) -> tuple[str, float] | None:
        """The nearest cell and its distance in metres (0 inside); ties in tie order; None without cells."""
        if not self.cells or not (math.isfinite(lon) and math.isfinite(lat)):
            return None
        at, distance_m = self.surroundings.nearest(lon=lon, lat=lat)
        return self.cell_ids[at], distance_m
