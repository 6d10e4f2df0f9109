"""Repairs that are shown before they are made, and never swallow a cell (rule L4: a person decides).

Ask, show, apply, ask again: later repairs are proposed on cells that are sound already. Every proposal says which cells
change, by how much, and which findings it settles. What needs a decision (who owns an overlap of some metres) is not
guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import shapely

from geo.cell import BASE_LAYER, Cell
from geo.cells import DraftEdition
from geo.code_repairs import Numbering as Numbering
from geo.code_repairs import code_repairs, with_new_code
from geo.coverage import STRIP_LEAST_M2
from geo.datum import from_cgcs2000, to_cgcs2000
from geo.filling import filled
from geo.grouping import bad_edges_m, made_in_groups, moved_wider
from geo.metric import metres_per_degree, units_area_m2
from geo.noding import matched_edges
from geo.problem import Problem, a_problem
from geo.repair import Change as Change
from geo.repair import Repair as Repair
from geo.repair import StaleRepair as StaleRepair
from geo.repair import codes_of, name_of, offered
from geo.rings import tidy, validity_problem
from geo.snap import UNITS_PER_DEGREE, degrees_geometry, snap_units, units_geometry

# Corners nearer than this to a neighbour's edge belong on it: three grid units, what rounding can open.
EDGE_TOLERANCE_M = 0.03
# Overlaps and gaps up to this width are closed together; wider ones are somebody's ground.
CLEAN_WIDTH_M = 0.5
# A proposal that takes a larger share of a cell, or gives it more, is not made.
SHARE_AT_MOST = 0.01
_OTHER_READINGS = ("wgs84", "gcj02", "bd09")

def suspect_datum(draft: DraftEdition, boundary: Any) -> Problem | None:
    """Whether the cells fit their community only when read in another datum.

    ``boundary`` is the community in CGCS2000 degrees. A finding when less than half of the cells' area lies in it as
    declared, and more than nine tenths under another reading; None otherwise, and where nothing can be told.
    """
    reading = _better_reading(draft, boundary)
    if reading is None:
        return None
    return a_problem("datum_suspect", [name_of(cell) for cell in draft.cells], detail=reading)


@dataclass(frozen=True, slots=True)
class Limits:
    """How far a proposal may go. Wider limits are a person's decision: the proposal shows what they mean for each cell."""

    clean_width_m: float = CLEAN_WIDTH_M
    share_at_most: float = SHARE_AT_MOST
    keeps_parts: bool = True


def propose_repairs(
    draft: DraftEdition, *, boundary: Any = None, limits: Limits = Limits(), numbering: Numbering | None = None
) -> list[Repair]:
    """What could be repaired without a decision about anybody's ground.

    Parameters
    ----------
    draft : DraftEdition
        As read, or as an earlier repair left it.
    boundary : shapely polygon in CGCS2000 degrees, optional
        The community; needed to suspect a datum, and to fill narrow gaps that open to its border.
    limits : Limits
        For closing overlaps and gaps.
    numbering : Numbering, optional
        How codes are given here; without it no code is proposed.

    Returns
    -------
    list of Repair
        Of one stage: place (axes, datum), then rings, then edges of the base layer (matching; where that settles
        nothing, narrow overlaps and gaps; then gaps that open to the border), and codes for
        cells without a usable one. Of cells whose borders hang together either all or, without those that would change too
        much, the others are fitted; what is too wide in one place takes nothing away elsewhere. [] when nothing is left that this module would dare. Deterministic.
    """
    first = _place_repairs(draft, boundary) or _ring_repairs(draft)
    if first:
        return first
    edges = _edge_repairs(draft, limits) or _border_repairs(draft, boundary, limits)
    return edges + (code_repairs(draft, numbering) if numbering is not None else [])


def apply(draft: DraftEdition, repairs: Iterable[Repair]) -> DraftEdition:
    """The draft with repairs made: as many cells as before, in the same order.

    Findings that a repair settles go; changed cells are looked at again. StaleRepair when a cell is no longer what the
    proposal was made for, so one proposal is never applied twice.
    """
    cells, problems, datum = list(draft.cells), list(draft.problems), draft.datum
    for repair in repairs:
        for settled in repair.settles:
            if settled in problems:
                problems.remove(settled)
        for change in repair.changes:
            if change.at >= len(cells):
                raise StaleRepair()
            cell = cells[change.at]
            if change.new_code is not None:
                if name_of(cell) != change.cell_code or any(one.code == change.new_code for one in cells):
                    raise StaleRepair()
                cells[change.at], problems = with_new_code(cell, change.new_code, problems)
                continue
            if not shapely.equals_exact(cell.geometry, change.before):
                raise StaleRepair()
            cells[change.at] = replace(cell, geometry=change.after)
        for change in repair.changes:
            found = validity_problem(change.after, change.cell_code) if change.new_code is None else None
            if found is not None and found not in problems:
                problems.append(found)
        if repair.kind == "redeclare_datum":
            datum = repair.detail
    return replace(draft, cells=tuple(cells), problems=tuple(problems), datum=datum)


def _place_repairs(draft: DraftEdition, boundary: Any) -> list[Repair]:
    swapped = [problem for problem in draft.problems if problem.code == "axes_swapped"]
    if swapped:
        names = set(codes_of(swapped))
        turned = _changed(
            draft.cells, lambda cell: _turned(cell, draft.datum or "cgcs2000") if name_of(cell) in names else None
        )
        return offered("swap_axes", turned, swapped)
    reading, declared = _better_reading(draft, boundary), draft.datum
    if reading is None or declared is None:
        return []
    moved = _changed(draft.cells, lambda cell: tidy(_reread(cell.geometry, declared, reading)))
    suspects = [problem for problem in draft.problems if problem.code == "datum_suspect"]
    return offered("redeclare_datum", moved, suspects, detail=reading)


def _better_reading(draft: DraftEdition, boundary: Any) -> str | None:
    cells = [cell for cell in draft.cells if cell.geometry.is_valid and cell.geometry.area > 0]
    if not cells or boundary is None or draft.datum is None:
        return None
    if _share_inside(cells, draft.datum, draft.datum, boundary) >= 0.5:
        return None
    shares = {reading: _share_inside(cells, draft.datum, reading, boundary) for reading in _OTHER_READINGS}
    best = max(_OTHER_READINGS, key=lambda reading: shares[reading])
    return best if shares[best] > 0.9 else None


def _turned(cell: Cell, datum: str) -> Any:
    """As if the file had been read with its columns exchanged: the pair of the file is turned, then converted."""

    def move(vertices: Any) -> Any:
        raw = from_cgcs2000(lon=vertices[:, 0], lat=vertices[:, 1], datum=datum)
        return np.column_stack(to_cgcs2000(lon=raw[1], lat=raw[0], datum=datum))

    return tidy(shapely.transform(cell.geometry, move))


def _reread(geometry: Any, declared: str, reading: str) -> Any:
    def move(vertices: Any) -> Any:
        raw = from_cgcs2000(lon=vertices[:, 0], lat=vertices[:, 1], datum=declared)
        return np.column_stack(to_cgcs2000(lon=raw[0], lat=raw[1], datum=reading))

    return shapely.transform(geometry, move)


def _share_inside(cells: Sequence[Cell], declared: str, reading: str, boundary: Any) -> float:
    moved = _reread(np.array([cell.geometry for cell in cells], dtype=object), declared, reading)
    whole = float(shapely.area(moved).sum())
    return float(shapely.area(shapely.intersection(moved, boundary)).sum()) / whole if whole else 0.0


def _ring_repairs(draft: DraftEdition) -> list[Repair]:
    opened = [problem for problem in draft.problems if problem.code == "ring_not_closed"]
    names = {name_of(cell) for cell in draft.cells}
    opened = [problem for problem in opened if set(problem.cell_codes) <= names]
    rebuilt = _changed(draft.cells, _rebuilt)
    broken = {change.cell_code for change in rebuilt}
    crossing = [
        problem
        for problem in draft.problems
        if problem.code in ("ring_self_crossing", "polygon_invalid") and set(problem.cell_codes) <= broken
    ]
    repairs = offered("close_ring", (), opened) if opened else []
    lost = {one.feature_index for one in draft.problems if one.code == "outside_box"}
    # The cell stands without such a ring; what is nothing but such a ring is no cell that could be kept.
    dropped = [
        one for one in draft.problems
        if one.code == "ring_degenerate" and one.feature_index not in lost and set(one.cell_codes) <= names
    ]  # fmt: skip
    repairs += offered("drop_ring", (), dropped) if dropped else []
    return repairs + (offered("rebuild_ring", rebuilt, crossing) if rebuilt else [])


def _rebuilt(cell: Cell) -> Any:
    units = units_geometry(cell.geometry)
    if units.is_valid:
        return None
    made = shapely.make_valid(units, method="structure", keep_collapsed=False)
    polygons = [one for one in shapely.get_parts(made) if one.geom_type == "Polygon"]
    for _ in range(3):
        # New crossings rarely fall on the grid, and snapping may cross borders again.
        snapped = shapely.transform(shapely.MultiPolygon(polygons), np.round)
        if snapped.is_valid:
            whole = snapped.geoms[0] if len(snapped.geoms) == 1 else snapped
            return None if whole.is_empty or whole.area == 0 else tidy(degrees_geometry(whole))
        made = shapely.make_valid(snapped, method="structure", keep_collapsed=False)
        polygons = [one for one in shapely.get_parts(made) if one.geom_type == "Polygon"]
    return None


def _edge_repairs(draft: DraftEdition, limits: Limits) -> list[Repair]:
    """Widths are of latitude here: one given eastwards is narrower than said, at 30 degrees by an eighth."""
    members, units, per_metre = _base_units(draft)
    width, tolerance = limits.clean_width_m * per_metre, EDGE_TOLERANCE_M * per_metre
    if not len(units) or not shapely.is_valid(units).all() or bad_edges_m(units, gap_width=width) == 0:
        return []

    def matched(all_units: Any, some: Any) -> Any:
        return matched_edges(all_units[some], tolerance=tolerance)

    def cleaned(all_units: Any, some: Any) -> Any:
        made = matched(all_units, some)
        # What matching would tear, cleaning takes as it was drawn.
        return _cleaned(np.where(shapely.is_valid(made), made, all_units[some]), width)

    # Matching bends by its tolerance also where overlaps and gaps are to be left as they are, and closes no wider gap.
    steps = (
        ("match_edges", matched, max(limits.clean_width_m, EDGE_TOLERANCE_M), tolerance, ""),
        ("clean_coverage", cleaned, limits.clean_width_m, width, f"{limits.clean_width_m:g}"),
    )
    for kind, make, width_m, gap_width, detail in steps:
        is_modest = partial(_stays_close, limits=limits, width_m=width_m)
        made = made_in_groups(units, make, is_modest, partial(_fits_better, gap_width=gap_width))
        if changes := _drawn_anew(draft, members, units, made):
            return offered(kind, changes, (), detail=detail)
    return []


def _fits_better(before: Any, after: Any, *, gap_width: float) -> bool:
    return bad_edges_m(after, gap_width=gap_width) < bad_edges_m(before, gap_width=gap_width)


def _border_repairs(draft: DraftEdition, boundary: Any, limits: Limits) -> list[Repair]:
    members, units, per_metre = _base_units(draft)
    if boundary is None or not len(units) or not shapely.is_valid(units).all():
        return []
    outline, width_m = units_geometry(boundary), limits.clean_width_m
    tolerance, gap_width = EDGE_TOLERANCE_M * per_metre, width_m * per_metre

    def reaching(all_units: Any, some: Any) -> Any:
        made = filled(all_units, outline, width_m=width_m, tolerance=tolerance, among=some)
        return None if made is None else made[some]

    # A strip as thin as the rounding of its corners may need its neighbours fitted to each other once more.
    def reaching_fitted(all_units: Any, some: Any) -> Any:
        made = reaching(all_units, some)
        return None if made is None else _cleaned(made, tolerance)

    def fits(before: Any, after: Any) -> bool:
        won = (shapely.intersection(shapely.union_all(some), outline) for some in (before, after))
        had_m2, has_m2 = units_area_m2(np.array(list(won), dtype=object))
        if has_m2 - had_m2 < STRIP_LEAST_M2 / 2:  # the corners of the thinnest strip were rounded
            return False
        return bad_edges_m(after, gap_width=gap_width) <= bad_edges_m(before, gap_width=gap_width)

    is_modest = partial(_stays_close, limits=limits, width_m=width_m)
    for make in (reaching, reaching_fitted):
        if changes := _drawn_anew(draft, members, units, made_in_groups(units, make, is_modest, fits)):
            return offered("fill_to_boundary", changes, (), detail=f"{width_m:g}")
    return []


def _base_units(draft: DraftEdition) -> tuple[list[int], Any, float]:
    """Places of the cells of the base layer, the cells on grid units, and how many of those are a metre north."""
    members = [at for at, cell in enumerate(draft.cells) if cell.layer == BASE_LAYER]
    units = np.array(units_geometry([draft.cells[at].geometry for at in members]), dtype=object)
    south = np.nan_to_num(shapely.total_bounds(units)[1]) / UNITS_PER_DEGREE
    return members, units, UNITS_PER_DEGREE / float(metres_per_degree(south)[1])


def _drawn_anew(draft: DraftEdition, members: Sequence[int], units: Any, made: Any) -> list[Change]:
    changes = []
    for at, before, after in zip(members, units, made, strict=True):
        if after is not before and not shapely.equals_exact(after, before):
            cell = draft.cells[at]
            changes.append(Change(at, name_of(cell), cell.geometry, tidy(degrees_geometry(after))))
    return changes


def _cleaned(units: Any, width: float) -> Any:
    if not hasattr(shapely, "coverage_clean"):  # shapely before 2.2
        return None
    try:
        made = shapely.coverage_clean(units, gap_width=width, snapping_distance=1.0)
    except shapely.errors.GEOSException:
        return None
    # Only whole units are kept, so what snapping breaks is seen by the checks that follow.
    return np.array(shapely.transform(made, lambda vertices: snap_units(vertices / UNITS_PER_DEGREE)), dtype=object)


def _stays_close(before: Any, after: Any, *, limits: Limits, width_m: float) -> Any:
    return _are_modest(before, after, limits) & ~moved_wider(before, after, width_m=width_m)


def _are_modest(before: Any, after: Any, limits: Limits) -> Any:
    """Whether each cell is still there, valid and nearly as large, in as many parts unless that may change."""
    old, new = units_area_m2(before), units_area_m2(after)
    same_parts = (shapely.get_num_geometries(before) == shapely.get_num_geometries(after)) | (not limits.keeps_parts)
    is_sound = shapely.is_valid(after) & ~shapely.is_empty(after)
    return is_sound & (np.abs(new - old) <= old * limits.share_at_most) & (new > 0) & same_parts


def _changed(cells: Sequence[Cell], change: Callable[[Cell], Any]) -> tuple[Change, ...]:
    made = ((at, cell, change(cell)) for at, cell in enumerate(cells))
    return tuple(
        Change(at, name_of(cell), cell.geometry, after)
        for at, cell, after in made
        if after is not None and not after.is_empty
    )
