"""Cells drawn anew by hand: one is cut in two along a line, two become one (rule L4).

All on the grid. Where a cut meets a border its corner is put into the neighbour's edge too, so that the cells still share
their borders afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import shapely
from shapely.ops import split as split_along

from geo.cell import Cell
from geo.errors import GeoError
from geo.metric import units_area_m2
from geo.noding import matched_edges
from geo.rings import tidy
from geo.snap import degrees_geometry, units_geometry

LEAST_PIECE_M2 = 1.0
"""A piece below this is a slip of the hand, not a cell."""

# A corner of the cut is rounded to the grid, half a unit off the edge that it lies on at most.
_TOUCHES_UNITS = 1.0


def split_cell(
    cells: Sequence[Cell], cell_id: str, line: Sequence[tuple[float, float]], *, new_id: str, code: str, name: str
) -> tuple[Cell, ...]:
    """Cut one cell in two along a line.

    Parameters
    ----------
    cells : every cell of the edition; their order is kept, the new cell comes last
    line : (lon, lat) in degrees, CGCS2000, at least two points; it begins and ends on the border or beyond it
    new_id, code, name : of the smaller piece; the larger one stays what it was

    Raises
    ------
    GeoError
        ``unknown_cell``; ``short_line`` with fewer than two points; ``no_cut`` where the line does not divide the cell,
        ``many_pieces`` where it crosses it more than once.
    """
    at = _index_of(cells, cell_id)
    if len(set(line)) < 2:
        raise GeoError("a line needs at least two points", code="short_line")
    whole = units_geometry(cells[at].geometry)
    cut = units_geometry(shapely.LineString(line))
    pieces, untouched = [], []
    for part in shapely.get_parts(whole):
        found = [one for one in split_along(part, cut).geoms if units_area_m2(one) >= LEAST_PIECE_M2]
        if len(found) > 1:
            pieces += found
        else:
            untouched.append(part)
    if not pieces:
        raise GeoError("the line does not divide the cell: draw it from border to border", code="no_cut")
    if len(pieces) > 2:
        raise GeoError(f"the line cuts the cell into {len(pieces)} pieces; two are expected", code="many_pieces")
    larger, smaller = sorted((_rounded(one) for one in pieces), key=units_area_m2, reverse=True)
    if untouched:
        larger = shapely.MultiPolygon([larger, *untouched])
    made = list(cells)
    made[at] = replace(cells[at], geometry=larger)
    made.append(Cell(new_id, code, name, smaller, layer=cells[at].layer, order=cells[at].order))
    shapes = np.array(
        [units_geometry(one.geometry) if n not in (at, len(made) - 1) else one.geometry for n, one in enumerate(made)],
        dtype=object,
    )
    near = np.flatnonzero(
        shapely.intersects(shapely.envelope(shapes), shapely.box(*shapely.bounds(shapely.buffer(whole, 2))))
    )
    shapes[near] = matched_edges(shapes[near], tolerance=_TOUCHES_UNITS)
    touched = {*near.tolist()}
    return tuple(
        replace(one, geometry=tidy(degrees_geometry(shapes[n]))) if n in touched else one for n, one in enumerate(made)
    )


def merge_cells(cells: Sequence[Cell], kept_id: str, other_id: str) -> tuple[Cell, ...]:
    """Two neighbours become one, which keeps identity, code and name of the first.

    Raises
    ------
    GeoError
        ``unknown_cell``; ``same_cell``; ``not_neighbours`` where they share no border.
    """
    at, other = _index_of(cells, kept_id), _index_of(cells, other_id)
    if at == other:
        raise GeoError("two different cells are expected", code="same_cell")
    first, second = units_geometry(cells[at].geometry), units_geometry(cells[other].geometry)
    union = shapely.union_all([first, second])
    if len(shapely.get_parts(union)) >= len(shapely.get_parts(first)) + len(shapely.get_parts(second)):
        raise GeoError("they share no border", code="not_neighbours")
    made = [replace(one, geometry=tidy(degrees_geometry(union))) if n == at else one for n, one in enumerate(cells)]
    return tuple(one for n, one in enumerate(made) if n != other)


def _index_of(cells: Sequence[Cell], cell_id: str) -> int:
    for at, one in enumerate(cells):
        if one.cell_id == cell_id:
            return at
    raise GeoError("there is no such cell in this edition", code="unknown_cell")


def _rounded(units: Any) -> Any:
    """Corners that the cut made, on whole units."""
    return shapely.transform(units, np.round)
