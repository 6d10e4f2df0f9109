"""Cells in metres around a fix: which ones a circle touches, how probable each is, which is nearest.

Each cell is measured in the plane of its own middle latitude (see ``metric``). The probability of a cell under a
circular normal error is a line integral along its border (Green's theorem), summed by Gauss-Legendre quadrature: no
sampling, so the same fix always gives the same figures.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray

from geo.metric import metres_per_degree
from geo.snap import UNITS_PER_DEGREE, snap

# A 95 % radius in standard deviations of a circular normal error: sqrt(-2 ln 0.05).
SIGMAS_OF_R95 = math.sqrt(-2.0 * math.log(0.05))

# Beyond this many standard deviations exp(-r²/2) is below the last bit of a double.
_REACH_SIGMAS = 9.0
_PANELS = 12
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(6)


class CellSurroundings:
    """Metric twins of an index's cells.

    Parameters
    ----------
    units : ndarray of shapely polygons, shape (n,)
        On grid units, outer rings counter-clockwise, holes clockwise.
    tree : shapely.STRtree
        Over ``units``.
    """

    def __init__(self, units: Any, tree: Any) -> None:
        self._tree = tree
        bounds = shapely.bounds(units)
        self._origin = np.column_stack([(bounds[:, 0] + bounds[:, 2]) / 2, (bounds[:, 1] + bounds[:, 3]) / 2])
        self._scale = np.column_stack(metres_per_degree(self._origin[:, 1] / UNITS_PER_DEGREE)) / UNITS_PER_DEGREE
        vertices, owner = shapely.get_coordinates(units, return_index=True)
        twins = units.copy()
        shapely.set_coordinates(twins, (vertices - self._origin[owner]) * self._scale[owner])
        shapely.prepare(twins)
        # As in CellIndex: search trees are built at the first question, so ask both kinds (inside, far) before
        # threads do.
        if len(twins):
            shapely.dwithin(twins, shapely.points(shapely.bounds(twins)[:, :2]), 0.0)
            shapely.dwithin(twins, shapely.points(1e9, 1e9), 0.0)
        self._twins = twins

    def _offsets(self, cells: Any, x: Any, y: Any) -> Any:
        """Metres of grid points (n,) in the planes of the cells (n,) → (n, 2)."""
        return (np.column_stack([x, y]) - self._origin[cells]) * self._scale[cells]

    def touched(
        self, *, lons: ArrayLike, lats: ArrayLike, radii_m: ArrayLike
    ) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Pairs (fix, cell position) where the circle of a fix touches the cell.

        All three arguments have shape (n,) and are finite; both answers have shape (k,). A radius of 0 touches the
        cells that cover the point.
        """
        lon, lat, radius_m = (np.asarray(values, dtype=np.float64) for values in (lons, lats, radii_m))
        x, y = np.floor(lon * UNITS_PER_DEGREE + 0.5), np.floor(lat * UNITS_PER_DEGREE + 0.5)
        east_m, north_m = metres_per_degree(lat)
        # A little wide, for the exact distance below is taken at the cell's latitude, not at the fix's.
        wide = radius_m * UNITS_PER_DEGREE * 1.02
        reach_x, reach_y = wide / east_m + 1, wide / north_m + 1
        fixes, cells = self._tree.query(shapely.box(x - reach_x, y - reach_y, x + reach_x, y + reach_y))
        at = shapely.points(self._offsets(cells, x[fixes], y[fixes]))
        near = shapely.dwithin(self._twins[cells], at, radius_m[fixes])
        return fixes[near], cells[near]

    def nearest(self, *, lon: float, lat: float) -> tuple[int, float]:
        """Position and distance in metres of the nearest cell; the smaller position when equally near."""
        x, y = snap(lon), snap(lat)
        first = int(self._tree.query_nearest(shapely.points(x, y), all_matches=False)[0])
        reach_m = self._distance_m(np.array([first]), x, y)[0]
        # Nearest in degrees is not always nearest in metres: ask again for all within that distance.
        _, others = self.touched(lons=[lon], lats=[lat], radii_m=[reach_m])
        positions = np.unique(np.append(others, first))
        distances_m = self._distance_m(positions, x, y)
        best = int(np.argmin(distances_m))
        return int(positions[best]), float(distances_m[best])

    def distance(self, cell: int, *, lon: float, lat: float) -> float:
        """Metres from a point to a cell (position)."""
        return float(self._distance_m(np.array([cell]), snap(lon), snap(lat))[0])

    def _distance_m(self, cells: NDArray[np.intp], x: int, y: int) -> NDArray[np.float64]:
        offsets = self._offsets(cells, np.full(len(cells), x), np.full(len(cells), y))
        return np.asarray(shapely.distance(self._twins[cells], shapely.points(offsets)))

    def share(self, cell: int, *, lon: float, lat: float, radius_m95: float) -> float:
        """Probability that the true point lies in a cell (position), 0 to 1; ``radius_m95`` > 0 in metres."""
        at = self._offsets(np.array([cell]), [snap(lon)], [snap(lat)])[0]
        return normal_share(self._twins[cell], at_x=at[0], at_y=at[1], sigma=radius_m95 / SIGMAS_OF_R95)


def normal_share(polygon: Any, *, at_x: float, at_y: float, sigma: float) -> float:
    """Share of a circular normal distribution that falls in a polygon.

    Parameters
    ----------
    polygon : shapely Polygon or MultiPolygon
        Outer rings counter-clockwise, holes clockwise; any plane unit.
    at_x, at_y : float
        Centre of the distribution, in the same unit.
    sigma : float
        Standard deviation along each axis, in the same unit, > 0.

    Returns
    -------
    float
        0 to 1, good to about 1e-9; 0 for an empty polygon.

    Notes
    -----
    With p the position from the centre and r its length, the share is 1/2π of the integral of
    (1 - exp(-r²/2σ²)) dθ along the border. On one edge dθ = d·ds/(s² + d²), where d is the edge's signed distance
    from the centre and s runs along it: smooth everywhere, also when the centre lies on the border.
    """
    starts, ends = _edges(polygon)
    starts, ends = (starts - (at_x, at_y)) / sigma, (ends - (at_x, at_y)) / sigma
    along = ends - starts
    length = np.hypot(along[:, 0], along[:, 1])
    kept = length > 0
    starts, along, length = starts[kept], along[kept] / length[kept, None], length[kept]
    begin = (starts * along).sum(axis=1)
    end = begin + length
    apart = starts[:, 0] * along[:, 1] - starts[:, 1] * along[:, 0]
    window = np.sqrt(np.maximum(_REACH_SIGMAS**2 - apart**2, 0.0))
    low, high = np.maximum(begin, -window), np.minimum(end, window)

    # Far from the centre the whole angle counts.
    total = _angle(apart, begin, np.clip(-window, begin, end)) + _angle(apart, np.clip(window, begin, end), end)
    is_near = high > low
    far_only = ~is_near
    total = np.where(far_only, _angle(apart, begin, end), total)

    low, width, apart = low[is_near], (high - low)[is_near] / _PANELS, apart[is_near]
    middles = low[:, None] + width[:, None] * (np.arange(_PANELS) + 0.5)
    s = middles[:, :, None] + width[:, None, None] / 2 * _NODES
    half_r2 = (s**2 + apart[:, None, None] ** 2) / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        density = np.where(half_r2 > 0, -np.expm1(-half_r2) / (2 * half_r2), 0.5)
    near_sum = (density @ _WEIGHTS).sum(axis=1) * width / 2 * apart
    return float(min(max((total.sum() + near_sum.sum()) / (2 * math.pi), 0.0), 1.0))


def _edges(polygon: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Start and end points of all edges, both (k, 2), in ring direction."""
    rings = shapely.get_rings(shapely.get_parts(polygon))
    vertices, ring = shapely.get_coordinates(rings, return_index=True)
    joined = ring[1:] == ring[:-1]
    return vertices[:-1][joined], vertices[1:][joined]


def _angle(apart: Any, begin: Any, end: Any) -> Any:
    """Signed angle under which the stretch [begin, end] of a line at distance ``apart`` is seen."""
    return np.arctan2(apart * (end - begin), apart**2 + begin * end)
