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

from geo.metric import metres_per_degree
from geo.snap import UNITS_PER_DEGREE

_TOUCHES = 1.5  # grid units: neighbours whose corners were rounded apart


def made_in_groups(
    units: NDArray[Any], make: Callable[[NDArray[Any]], NDArray[Any] | None], is_modest: Callable[[NDArray[Any], NDArray[Any]], NDArray[np.bool_]]
) -> NDArray[Any]:
    """Cells with what ``make`` changes, where the change is modest and lets borders fit better.

    Parameters
    ----------
    units : ndarray of shapely polygons, shape (n,)
        Valid cells on whole grid units.
    make : as many cells as it is given, in their order, drawn anew; None where it can do nothing
    is_modest : whether each cell, before and after, changes no more than it may

    Returns
    -------
    ndarray, shape (n,)
        The same objects where nothing changes. Of a group in which a cell changes too much the other cells are tried again
        without it.
    """
    result = _modest(units, make, is_modest)
    for group in _groups(units, result):
        near = np.unique(shapely.STRtree(units).query(np.concatenate([units[group], result[group]]), predicate="intersects")[1])
        fits = bad_edges_m(result[near]) < bad_edges_m(units[near])
        # Fitted to each other they may come to lie over one that was left out.
        if not fits or not _overlaps(result[near]) <= _overlaps(units[near]):
            result[group] = units[group]
    return result


def _modest(units: NDArray[Any], make: Any, is_modest: Any) -> NDArray[Any]:
    result, made = units.copy(), make(units)
    if made is None or len(made) != len(units):
        return result
    for group in _groups(units, made):
        calm = group[is_modest(units[group], made[group])]
        if len(calm) == len(group):
            result[group] = made[group]
        elif len(calm):
            result[calm] = _modest(units[calm], make, is_modest)
    return result


def _overlaps(units: NDArray[Any]) -> set[tuple[int, int]]:
    """Places of the cells that share ground, two by two."""
    first, second = shapely.STRtree(units).query(units, predicate="intersects")
    first, second = first[first < second], second[first < second]
    share = shapely.relate_pattern(units[first], units[second], "T********")
    return set(zip(first[share].tolist(), second[share].tolist(), strict=True))


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


def bad_edges_m(units: NDArray[Any]) -> float:
    """Length, in grid units, of the borders that do not fit their neighbours'."""
    return float(np.nansum(shapely.length(shapely.coverage_invalid_edges(units))))


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
