"""Which cell holds a point: exactly one, whatever the order of the file (rule L1).

Cells and points are whole grid units (see ``snap``), the predicate is *covers* (borders belong), a point of several
cells goes to the smallest (order number, code). Vectors for every language: ``tests/vectors/locate``.
An index never changes once built, so threads may share it: build one per edition and swap it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import cached_property
from typing import Any

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray

from geo.cell import BASE_LAYER, Cell
from geo.near import CellSurroundings
from geo.snap import UNITS_PER_DEGREE, snap_units, units_geometry
from geo.squares import CROWDED, OUTSIDE, Squares


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
    def squares(self) -> Squares:
        """The short cut over the cells; built at the first question."""
        return Squares(self._units)

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
        try:
            x = math.floor(lon * UNITS_PER_DEGREE + 0.5)
            y = math.floor(lat * UNITS_PER_DEGREE + 0.5)
        except (ValueError, OverflowError):
            return None
        entry = self.squares.look(x, y)
        if entry >= 0:
            return self.cell_ids[entry]
        if entry == OUTSIDE:
            return None
        if entry == CROWDED:
            near: list[int] = sorted(self._tree.query(shapely.points(x, y)).tolist())
        else:
            near = self.squares.sharing(entry)
        for at in near:
            if shapely.intersects_xy(self._units[at], x, y):
                return self.cell_ids[at]
        return None

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
        return self._answer(*_pair(lons, lats), is_counting=False)[0]

    def locate_counted(self, *, lons: ArrayLike, lats: ArrayLike) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Like :meth:`locate_many`, with the number of cells that cover each point (2 or more: the tie rule spoke)."""
        return self._answer(*_pair(lons, lats), is_counting=True)

    def locate_exactly(self, *, lons: ArrayLike, lats: ArrayLike) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """What :meth:`locate_counted` answers, with the exact test for every point: the measure of the short cut."""
        return self._ask_tree(*_pair(lons, lats))

    def _answer(
        self, x: NDArray[np.float64], y: NDArray[np.float64], *, is_counting: bool
    ) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        entries = self.squares.look_many(x, y)
        best = np.maximum(entries, OUTSIDE).astype(np.intp)
        counts = (entries >= 0).astype(np.intp)
        crowded = np.flatnonzero(entries == CROWDED)
        best[crowded], counts[crowded] = self._ask_tree(x[crowded], y[crowded])
        points = np.flatnonzero(entries < CROWDED)
        first, number = self.squares.sharing_many(entries[points])
        # Candidate by candidate in tie order: unless all are counted, the first that covers a point ends its search.
        for turn in range(int(number.max(initial=0))):
            is_left = number > turn
            if not is_counting:
                is_left &= best[points] < 0
            points, first, number = points[is_left], first[is_left], number[is_left]
            near = self.squares.candidates[first + turn]
            covered = self._covers(near, x[points], y[points])
            hit, near = points[covered], near[covered]
            counts[hit] += 1
            best[hit] = np.where(best[hit] < 0, near, best[hit])
        return best, counts

    def _ask_tree(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Positions and numbers of covering cells of points on grid units, both (n,)."""
        usable = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
        points, near = self._tree.query(shapely.points(x[usable], y[usable]))
        points = usable[points]
        covered = self._covers(near, x[points], y[points])
        points, near = points[covered], near[covered]
        best = np.full(len(x), len(self.cells), dtype=np.intp)
        np.minimum.at(best, points, near)
        best[best == len(self.cells)] = OUTSIDE
        return best, np.bincount(points, minlength=len(x))

    def _covers(self, cells: NDArray[Any], x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Whether cell i covers point i, all (k,)."""
        # Cell by cell, so that one polygon's search tree stays in the processor's cache: three times as fast on
        # detailed borders.
        order = np.argsort(cells, kind="stable")
        covered = np.empty(len(cells), dtype=bool)
        covered[order] = shapely.intersects_xy(self._units[cells[order]], x[order], y[order])
        return covered

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

    def distance_m(self, cell_id: str, *, lon: float, lat: float) -> float:
        """Metres from a point to a cell, 0 inside and on its border; KeyError for a cell that is not here."""
        try:
            at = self.cell_ids.index(cell_id)
        except ValueError:
            raise KeyError(cell_id) from None
        return self.surroundings.distance(at, lon=lon, lat=lat)

    def nearest(self, *, lon: float, lat: float) -> tuple[str, float] | None:
        """The nearest cell and its distance in metres (0 inside); ties in tie order; None without cells."""
        if not self.cells or not (math.isfinite(lon) and math.isfinite(lat)):
            return None
        at, distance_m = self.surroundings.nearest(lon=lon, lat=lat)
        return self.cell_ids[at], distance_m


def _pair(lons: ArrayLike, lats: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    x, y = snap_units(lons), snap_units(lats)
    if x.shape != y.shape or x.ndim != 1:
        raise ValueError("lons and lats must be of one shape (n,)")
    return x, y
