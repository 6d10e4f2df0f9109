"""Narrow gaps that open to the outer border, filled up to the given boundary of the community.

Closed gaps are somebody's question of two neighbours (`geo.repairs`); here the ground is the community's, beyond it is
nobody of ours, and only who gets it is asked: the cell with the longest border to it first.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from geo.coverage import STRIP_LEAST_M2
from geo.metric import metres_per_degree
from geo.noding import matched_edges
from geo.snap import UNITS_PER_DEGREE

MOST_GAPS = 2_000
"""So many are looked at in one proposal."""

_TOUCHES_M = 0.02  # a gap's edge and the cell's differ by the rounding of their corners


def open_gaps(units: NDArray[Any], boundary: Any, *, width_m: float) -> list[Any]:
    """Ground of the community that no cell covers, narrower than ``width_m`` throughout and reaching its border.

    Parameters
    ----------
    units : ndarray of shapely polygons, shape (n,)
        Valid cells on whole grid units.
    boundary : shapely polygon
        The community on grid units.
    width_m : float
        Metres.

    Returns
    -------
    list of shapely polygons on grid units
        Each of ``STRIP_LEAST_M2`` at least, the largest ``MOST_GAPS``; what is smaller is only warned of.
    """
    scale = _scale(boundary)
    edge = boundary.boundary
    found = []
    for piece in shapely.get_parts(shapely.difference(boundary, shapely.union_all(units))):
        plane = _to_plane(piece, scale)
        is_open = shapely.dwithin(piece, edge, 1.0)
        if plane.area >= STRIP_LEAST_M2 and is_open and shapely.buffer(plane, -width_m / 2).is_empty:
            found.append((plane.area, piece))
    found.sort(key=lambda one: -one[0])
    return [piece for _, piece in found[:MOST_GAPS]]


def filled(
    units: NDArray[Any], boundary: Any, *, width_m: float, tolerance: float, among: NDArray[np.intp]
) -> NDArray[Any] | None:
    """Cells with their open gaps, or None where there are none.

    Parameters
    ----------
    units, boundary, width_m : as in :func:`open_gaps`
    tolerance : grid units, as in :func:`geo.noding.matched_edges`
    among : places of the cells that may win ground; what lies along the others stays open

    Returns
    -------
    ndarray, shape (n,), or None
        On whole grid units; the same objects where nothing was added. A result may be invalid: the caller checks.
    """
    scale = _scale(boundary)
    gaps = open_gaps(units, boundary, width_m=width_m)
    if not gaps:
        return None
    tree, may_win = shapely.STRtree(units), set(among.tolist())
    result = units.copy()
    for gap in gaps:
        rest = _to_plane(gap, scale)
        beside = tree.query(gap, predicate="dwithin", distance=width_m / float(scale.min())).tolist()
        shapes = {at: _to_plane(units[at], scale) for at in beside}
        shared = {
            at: shapely.intersection(rest.boundary, shapely.buffer(one, _TOUCHES_M)).length
            for at, one in shapes.items()
        }
        # Each cell gets what lies beside it, as deep as the gap is on the whole; what is left where it is wider goes after.
        full_m = width_m * 1.5
        for reach_m in (min(1.5 * 2.0 * rest.area / rest.length, full_m), full_m):
            for at in sorted(beside, key=lambda at: (at in may_win, -shared[at], at)):
                # As far as it is wide, corners too; what lies along the next cell is the next one's.
                reach = shapely.buffer(shapes[at], reach_m, join_style="mitre", mitre_limit=2.0)
                gained = [one for one in shapely.get_parts(shapely.intersection(rest, reach)) if one.geom_type == "Polygon"]
                if not gained or shared[at] == 0:
                    continue
                rest = shapely.difference(rest, reach)
                if at not in may_win:
                    continue
                back = [shapely.transform(one, lambda vertices: np.round(vertices / scale)) for one in gained]
                result[at] = shapely.union_all(
                    [result[at], *(one for one in back if one.is_valid and one.area > 0)], grid_size=1.0
                )
    return matched_edges(result, tolerance=tolerance)


def _scale(boundary: Any) -> NDArray[np.float64]:
    """Metres of one grid unit east and north."""
    _, south, _, north = boundary.bounds
    east_m, north_m = metres_per_degree((south + north) / 2 / UNITS_PER_DEGREE)
    return np.array([float(east_m), float(north_m)]) / UNITS_PER_DEGREE


def _to_plane(shape: Any, scale: NDArray[np.float64]) -> Any:
    return shapely.transform(shape, lambda vertices: vertices * scale)
