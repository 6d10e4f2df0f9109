"""Changes of a coverage taken group by group: what goes too far in one place takes no repair away in another.

Cells that change and touch each other change together or not at all, because they share borders. A group's other neighbours
stay as they are, on both sides of their borders.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.affinity import affine_transform

from geo.coverage import NOISE_M2
from geo.metric import metres_per_degree, units_area_m2
from geo.snap import UNITS_PER_DEGREE

_TOUCHES = 1.5  # grid units: neighbours whose corners were rounded apart
_ROUNDING = 0.5  # grid units by which the outline of ground that two cells share already may move
_MOST_TRIALS = 10
"""So often cells are left out of a group and the others tried again; what is not at rest then stays as it is."""

Make = Callable[[NDArray[Any], NDArray[np.intp]], NDArray[Any] | None]
Judge = Callable[[NDArray[Any], NDArray[Any]], NDArray[np.bool_]]


def made_in_groups(units: NDArray[Any], make: Make, is_modest: Judge, fits: Callable[[NDArray[Any], NDArray[Any]], bool]) -> NDArray[Any]:
    """Cells with what ``make`` changes, where the change is modest, takes no cell further into another, and fits.

    Parameters
    ----------
    units : ndarray of shapely polygons, shape (n,)
        Valid cells on whole grid units.
    make : of all the cells those at some places, in their order, drawn anew; None where it can do nothing
    is_modest : whether each cell, before and after, changes no more than it may
    fits : whether a group with its neighbours is better after than before

    Returns
    -------
    ndarray, shape (n,)
        The same objects where nothing changes. Of a group in which a cell changes too much, or would come to share ground with
        another (or more than before), the other cells are tried again without it.
    """
    return _made(units, np.arange(len(units)), make, is_modest, fits, _MOST_TRIALS)


def _made(units: NDArray[Any], some: NDArray[np.intp], make: Make, is_modest: Judge, fits: Any, trials: int) -> NDArray[Any]:
    result, made = units.copy(), make(units, some)
    if made is None or len(made) != len(some):
        return result
    for group in _groups(units[some], made):
        at, tried = some[group], units.copy()
        tried[at] = made[group]
        calm = at[is_modest(units[at], tried[at])]
        if len(calm) == len(at):
            calm = at[~_crowds(units, tried, at)]
        if len(calm) < len(at):
            if len(calm) and trials:
                anew = _made(units, calm, make, is_modest, fits, trials - 1)
                result[at] = anew[at]
            continue
        near = np.unique(shapely.STRtree(units).query(np.concatenate([units[at], tried[at]]), predicate="intersects")[1])
        if fits(units[near], tried[near]):
            result[at] = tried[at]
    return result


def _crowds(before: NDArray[Any], after: NDArray[Any], at: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Whether each of the cells at these places shares ground with another one that they did not share, or more than they did."""
    mine, other = shapely.STRtree(after).query(after[at], predicate="intersects")
    mine, other = mine[at[mine] != other], other[at[mine] != other]
    meets = shapely.relate_pattern(after[at[mine]], after[other], "T********")
    mine, other = mine[meets], other[meets]
    had = shapely.relate_pattern(before[at[mine]], before[other], "T********")
    shared = shapely.intersection(before[at[mine]], before[other])
    parts, of = shapely.get_parts(shared, return_index=True)
    outline = np.bincount(of, weights=np.where(shapely.area(parts) > 0, shapely.length(parts), 0.0), minlength=len(shared))
    most = shapely.area(shared) + _ROUNDING * outline
    larger = shapely.area(shapely.intersection(after[at[mine]], after[other])) > most
    return np.isin(np.arange(len(at)), mine[~had | larger])


def _groups(before: NDArray[Any], after: NDArray[Any]) -> list[NDArray[np.intp]]:
    """The places of cells that differ, those together that touch each other before or after."""
    # A ring that only begins elsewhere is the same cell.
    changed = np.flatnonzero(~shapely.equals_exact(shapely.normalize(before), shapely.normalize(after), 0.0))
    beside: dict[int, set[int]] = {at: set() for at in changed.tolist()}
    for shapes in (before[changed], after[changed]):
        pairs = shapely.STRtree(shapes).query(shapes, predicate="dwithin", distance=_TOUCHES)
        for one, other in changed[pairs].T.tolist():
            beside[one].add(other)
    found: list[NDArray[np.intp]] = []
    while beside:
        group, ahead = set[int](), {next(iter(beside))}
        while ahead:
            group |= ahead
            ahead = set[int]().union(*(beside.pop(at) for at in ahead)) - group
        found.append(np.array(sorted(group), dtype=np.intp))
    return found


def bad_edges_m(units: NDArray[Any], *, gap_width: float) -> float:
    """Length, in grid units, of the borders that do not fit their neighbours', and of those around closed gaps.

    ``gap_width`` : grid units; gaps that are wider somewhere are somebody's ground and not counted.
    """
    unfit = float(np.nansum(shapely.length(shapely.coverage_invalid_edges(units))))
    return unfit + sum((float(gap.length) for gap in _closed_gaps(units, gap_width)), 0.0)


def _closed_gaps(units: NDArray[Any], width: float) -> list[Any]:
    # The width that GEOS takes for invalid edges misses gaps whose sides are short: what nobody covers is asked for itself.
    parts = shapely.get_parts(shapely.union_all(units))
    holes = np.array([shapely.Polygon(ring) for part in parts for ring in part.interiors], dtype=object)
    return [hole for hole in holes[units_area_m2(holes) > NOISE_M2] if shapely.buffer(hole, -width / 2).is_empty]


def moved_wider(before: NDArray[Any], after: NDArray[Any], *, width_m: float) -> NDArray[np.bool_]:
    """Whether what each cell wins or loses is wider than ``width_m`` (metres) somewhere; shapes (n,) on grid units.

    False for a cell that is not valid afterwards: there is nothing to be measured.
    """
    south = shapely.bounds(before)[:, 1] / UNITS_PER_DEGREE
    east_m, north_m = metres_per_degree(south)
    wide = np.zeros(len(before), dtype=bool)
    for at in np.flatnonzero(shapely.is_valid(after)):
        to_metres = (east_m[at] / UNITS_PER_DEGREE, 0.0, 0.0, north_m[at] / UNITS_PER_DEGREE, 0.0, 0.0)
        moved = affine_transform(shapely.symmetric_difference(before[at], after[at]), to_metres)
        wide[at] = not shapely.buffer(moved, -width_m / 2).is_empty
    return wide
