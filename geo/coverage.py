"""Do cells fill their community without overlap and without gap?

All on the 1e-7 grid, so that what is checked is what is used. Overlays run on grid units; findings carry square
metres or metres and a point inside the place.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from geo.metric import metres_per_degree, units_area_m2, units_length_m
from geo.problem import Problem, a_problem
from geo.snap import UNITS_PER_DEGREE, units_geometry

# Below this an overlap or gap is the arithmetic noise of an overlay: a thousandth of one grid square (1e-4 m²) or so.
NOISE_M2 = 1e-6

# The community's outline usually comes from another file than its cells. A difference below this cannot hide a
# building.
BOUNDARY_SLIVER_M2 = 1.0

# A strip of a centimetre along ten metres of border: below this a difference is the rounding of corners.
STRIP_LEAST_M2 = 0.05

# Open strips narrower than this are taken for drawing errors: less than any lane.
STRIP_WIDTH_M = 2.0


def repaired(geometries: NDArray[Any]) -> NDArray[Any]:
    """The polygons on grid units, invalid ones replaced by what they enclose, so that overlays do not fail on them."""
    units = np.array(units_geometry(geometries), dtype=object)
    for at in np.flatnonzero(~shapely.is_valid(units)):
        parts = shapely.get_parts(shapely.make_valid(units[at], method="structure", keep_collapsed=False))
        units[at] = shapely.union_all([part for part in parts if part.geom_type in ("Polygon", "MultiPolygon")])
    return units


def find_overlaps(units: NDArray[Any], names: Sequence[str]) -> list[Problem]:
    """Every pair of cells that share area, largest first; ``units`` as from :func:`repaired`, shape (n,)."""
    tree = shapely.STRtree(units)
    first, second = tree.query(units, predicate="intersects")
    once = first < second
    first, second = first[once], second[once]
    # Neighbours that only touch make most pairs; asking for a common interior costs less than an overlay.
    inner = shapely.relate_pattern(units[first], units[second], "T********")
    first, second = first[inner], second[inner]
    shared = shapely.intersection(units[first], units[second])
    areas_m2 = units_area_m2(shared)
    found = []
    for at in np.argsort(-areas_m2, kind="stable"):
        if areas_m2[at] <= NOISE_M2:
            break
        pair = sorted((names[first[at]], names[second[at]]))
        found.append(a_problem("overlap", pair, at=_place(shared[at]), size_m2=_figure(areas_m2[at])))
    return found


def find_gaps(units: NDArray[Any], names: Sequence[str], *, boundary: Any = None) -> list[Problem]:
    """Places that no cell covers, and places outside the community that a cell covers.

    Parameters
    ----------
    units : ndarray of shapely polygons, shape (n,)
        As from :func:`repaired`.
    names : sequence of str
        Their codes.
    boundary : shapely polygon, optional
        The community on grid units. Without it only holes of the union are gaps: a strip that is missing at the
        outer edge cannot be told from the outside. With it a hole of the community itself is no gap.

    Returns
    -------
    list of Problem
        ``gap`` (within the cells' union), ``gap_at_boundary`` and ``outside_boundary`` (at least
        ``BOUNDARY_SLIVER_M2``), and ``boundary_sliver`` (warning, below it); largest first within each kind.
    """
    union = shapely.union_all(units)
    tree = shapely.STRtree(units)
    filled = shapely.union_all([shapely.Polygon(part.exterior) for part in shapely.get_parts(union)])
    holes = shapely.get_parts(shapely.difference(filled, union))
    if boundary is None:
        return _placed("gap", holes, tree, units, names)
    inside = shapely.intersection(holes, boundary) if len(holes) else holes
    missing = shapely.get_parts(shapely.difference(boundary, filled))
    beyond = shapely.get_parts(shapely.difference(union, boundary))
    found = _placed("gap", inside, tree, units, names)
    for code, pieces in (("gap_at_boundary", missing), ("outside_boundary", beyond)):
        is_small = units_area_m2(pieces) < BOUNDARY_SLIVER_M2
        found += _placed(code, pieces[~is_small], tree, units, names)
        found += _placed("boundary_sliver", pieces[is_small], tree, units, names)
    return found


def find_strips(units: NDArray[Any], names: Sequence[str], *, width_m: float = STRIP_WIDTH_M) -> list[Problem]:
    """Strips between cells narrower than ``width_m`` that are open to the outside, largest first (warnings).

    Closed gaps are found by :func:`find_gaps` at any width, and against a boundary everything is; without one, a strip
    that reaches the outer edge would pass as outside. Each cell is grown by half the width and the whole is shrunk
    again: what remains beyond the cells is too narrow to be anything but a drawing error. Strips below
    ``STRIP_LEAST_M2`` are left out.
    """
    if not len(units):
        return []
    west, south, _, north = shapely.total_bounds(units)
    east_m, north_m = metres_per_degree((south + north) / 2 / UNITS_PER_DEGREE)
    scale = np.array([float(east_m), float(north_m)]) / UNITS_PER_DEGREE
    plane = shapely.transform(units, lambda vertices: (vertices - (west, south)) * scale)
    union = shapely.union_all(plane)
    grown = shapely.buffer(union, width_m / 2, join_style="mitre", mitre_limit=2.0)
    closed = shapely.buffer(grown, -width_m / 2, join_style="mitre", mitre_limit=2.0)
    filled = shapely.union_all([shapely.Polygon(part.exterior) for part in shapely.get_parts(union)])
    strips = [piece for piece in shapely.get_parts(shapely.difference(closed, filled)) if piece.area > 0]
    # Mitred corners and ragged outlines leave crumbs and shallow bays; a strip is several times as long as wide.
    strips = [one for one in strips if one.length / 2 > 5 * width_m and one.area >= STRIP_LEAST_M2]
    back = shapely.transform(np.array(strips, dtype=object), lambda vertices: vertices / scale + (west, south))
    tree = shapely.STRtree(units)
    between = [piece for piece in back if len(_beside(piece, tree, names)) > 1]
    return _placed("gap_strip", between, tree, units, names)


def find_edge_mismatches(units: NDArray[Any], names: Sequence[str]) -> list[Problem]:
    """Cells whose border does not match their neighbours' vertex by vertex: T-junctions, near misses, overlaps.

    Such borders open or overlap as soon as anybody simplifies or reprojects them, so they are errors even where the
    vertex lies exactly on the neighbour's edge. ``size_m`` is the length of the edges concerned.
    """
    found = []
    edges = shapely.coverage_invalid_edges(units)
    for at in np.flatnonzero(~shapely.is_empty(edges) & ~shapely.is_missing(edges)):
        middle = edges[at].interpolate(0.5, normalized=True) if edges[at].geom_type == "LineString" else edges[at]
        place = shapely.point_on_surface(middle)
        where = (place.x / UNITS_PER_DEGREE, place.y / UNITS_PER_DEGREE)
        found.append(a_problem("edge_mismatch", (names[int(at)],), at=where, size_m=_figure(units_length_m(edges[at]))))
    return found


def find_cut_buildings(
    units: NDArray[Any], names: Sequence[str], buildings: Sequence[tuple[str, Any]]
) -> list[Problem]:
    """Buildings that stand in several cells with at least 1 m² each: the entrance decides, so this is a warning.

    Parameters
    ----------
    buildings : sequence of (name, shapely polygon in CGCS2000 degrees)
        Invalid outlines are repaired first; empty ones are left out.
    """
    present = [(name, outline) for name, outline in buildings if outline is not None and not outline.is_empty]
    if not present:
        return []
    outlines = repaired(np.array([outline for _, outline in present], dtype=object))
    tree = shapely.STRtree(units)
    which, cell = tree.query(outlines, predicate="intersects")
    areas_m2 = units_area_m2(shapely.intersection(outlines[which], units[cell]))
    found = []
    for at in np.unique(which):
        parts = [(areas_m2[i], names[int(cell[i])]) for i in np.flatnonzero(which == at).tolist() if areas_m2[i] >= 1.0]
        if len(parts) > 1:
            smaller_m2 = sum(area for area, _ in parts) - max(area for area, _ in parts)
            cells = sorted(name for _, name in parts)
            place = _place(outlines[at])
            found.append(
                a_problem("building_cut", cells, at=place, size_m2=_figure(smaller_m2), detail=present[int(at)][0])
            )
    return found


def _placed(code: str, pieces: Any, tree: Any, units: NDArray[Any], names: Sequence[str]) -> list[Problem]:
    found = []
    pieces = np.asarray([piece for piece in pieces if piece.geom_type.endswith("Polygon")], dtype=object)
    areas_m2 = units_area_m2(pieces) if len(pieces) else np.array([])
    for at in np.argsort(-areas_m2, kind="stable"):
        if areas_m2[at] <= NOISE_M2:
            break
        cells = _beside(pieces[at], tree, names)
        found.append(a_problem(code, cells, at=_place(pieces[at]), size_m2=_figure(areas_m2[at])))
    return found


def _beside(piece: Any, tree: Any, names: Sequence[str]) -> list[str]:
    # Overlay corners are rarely whole units, so a neighbour may be a fraction of a unit away.
    beside = tree.query(shapely.buffer(piece, 0.5, quad_segs=1), predicate="intersects")
    return sorted({names[i] for i in beside})


def _place(geometry: Any) -> tuple[float, float]:
    point = shapely.point_on_surface(geometry)
    return (point.x / UNITS_PER_DEGREE, point.y / UNITS_PER_DEGREE)


def _figure(number: float) -> float:
    """Six significant digits: more would only show the order in which an overlay was summed."""
    return float(f"{number:.6g}")
