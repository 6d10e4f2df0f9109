"""Repairs that are shown before they are made, and never swallow a cell (rule L4: a person decides).

Ask, show, apply, ask again: later repairs are proposed on cells that are sound already. Every proposal says which cells
change, by how much, and which findings it settles. What needs a decision (who owns an overlap of some metres, which
code a cell should have) is not guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import shapely

from geo.area import area_m2
from geo.cell import BASE_LAYER, Cell
from geo.cells import DraftEdition
from geo.datum import from_cgcs2000, to_cgcs2000
from geo.errors import GeoError
from geo.filling import filled, open_gaps
from geo.metric import metres_per_degree, units_area_m2
from geo.noding import matched_edges
from geo.problem import Problem, a_problem
from geo.rings import tidy, validity_problem
from geo.snap import UNITS_PER_DEGREE, degrees_geometry, snap_units, units_geometry

# Corners nearer than this to a neighbour's edge belong on it: three grid units, what rounding can open.
EDGE_TOLERANCE_M = 0.03
# Overlaps and gaps up to this width are closed together; wider ones are somebody's ground.
CLEAN_WIDTH_M = 0.5
# A proposal that takes a larger share of a cell, or gives it more, is not made.
SHARE_AT_MOST = 0.01
_OTHER_READINGS = ("wgs84", "gcj02", "bd09")

_TEXTS = {
    "swap_axes": ("exchange longitude and latitude of {n} cells", "将 {n} 个网格的经度与纬度对调"),
    "redeclare_datum": ("read {n} cells as {detail}", "将 {n} 个网格改按 {detail} 坐标系读取"),
    "close_ring": ("close the open rings of {n} cells", "闭合 {n} 个网格的边界环"),
    "rebuild_ring": ("rebuild the crossing border of {n} cells", "重建 {n} 个网格自相交的边界"),
    "match_edges": ("put shared corners into the borders of {n} cells", "为 {n} 个网格的公共边补齐顶点"),
    "clean_coverage": (
        "close overlaps, and gaps up to {detail} m, between {n} cells",
        "消除 {n} 个网格之间的重叠以及不超过 {detail} 米的缝隙",
    ),
    "fill_to_boundary": (
        "fill gaps up to {detail} m wide that open to the community's border, with {n} cells",
        "将 {n} 个网格补到社区边界，填上通向边界、宽不超过 {detail} 米的缝隙",
    ),
}


@dataclass(frozen=True, slots=True)
class Change:
    """One cell before and after; ``at`` is its place in the draft."""

    at: int
    cell_code: str
    before: Any
    after: Any

    @property
    def area_change_m2(self) -> float:
        """What the cell wins (or loses, below 0) in m²."""
        return area_m2(self.after) - area_m2(self.before)


@dataclass(frozen=True, slots=True)
class Repair:
    """A proposal.

    Invariants: every ``after`` has area; no cell comes twice; ``settles`` are findings of the draft that go when the
    proposal is applied (findings of the certificate go when it is asked again).
    """

    kind: str
    changes: tuple[Change, ...]
    settles: tuple[Problem, ...]
    message_en: str
    message_zh: str
    detail: str = ""

    @property
    def cell_codes(self) -> tuple[str, ...]:
        """The cells that change, or whose finding is settled."""
        return tuple(dict.fromkeys([change.cell_code for change in self.changes] + _codes(self.settles)))

    @property
    def largest_area_change_m2(self) -> float:
        """The largest win or loss of a single cell, without sign."""
        return max((abs(change.area_change_m2) for change in self.changes), default=0.0)


class StaleRepair(GeoError):
    """A proposal for a draft that has changed since."""

    def __init__(self) -> None:
        super().__init__("the draft has changed since this repair was proposed", code="stale_repair")


def suspect_datum(draft: DraftEdition, boundary: Any) -> Problem | None:
    """Whether the cells fit their community only when read in another datum.

    ``boundary`` is the community in CGCS2000 degrees. A finding when less than half of the cells' area lies in it as
    declared, and more than nine tenths under another reading; None otherwise, and where nothing can be told.
    """
    reading = _better_reading(draft, boundary)
    if reading is None:
        return None
    return a_problem("datum_suspect", [_name(cell) for cell in draft.cells], detail=reading)


@dataclass(frozen=True, slots=True)
class Limits:
    """How far a proposal may go. Wider limits are a person's decision: the proposal shows what they mean for each cell."""

    clean_width_m: float = CLEAN_WIDTH_M
    share_at_most: float = SHARE_AT_MOST
    keeps_parts: bool = True


def propose_repairs(draft: DraftEdition, *, boundary: Any = None, limits: Limits = Limits()) -> list[Repair]:
    """What could be repaired without a decision about anybody's ground.

    Parameters
    ----------
    draft : DraftEdition
        As read, or as an earlier repair left it.
    boundary : shapely polygon in CGCS2000 degrees, optional
        The community; needed to suspect a datum, and to fill narrow gaps that open to its border.
    limits : Limits
        For closing overlaps and gaps.

    Returns
    -------
    list of Repair
        Of one stage: place (axes, datum), then rings, then edges of the base layer (matching; where that settles
        nothing, narrow overlaps and gaps; then gaps that open to the border). [] when nothing is left that this module would dare. Deterministic.
    """
    return (
        _place_repairs(draft, boundary)
        or _ring_repairs(draft)
        or _edge_repairs(draft, limits)
        or _border_repairs(draft, boundary, limits)
    )


def apply(draft: DraftEdition, repairs: Iterable[Repair]) -> DraftEdition:
    """The draft with repairs made: as many cells as before, in the same order.

    Findings that a repair settles go; changed cells are looked at again. StaleRepair when a cell is no longer what the
    proposal was made for, so one proposal is never applied twice.
    """
    cells, problems, datum = list(draft.cells), list(draft.problems), draft.datum
    for repair in repairs:
        for change in repair.changes:
            if change.at >= len(cells) or not shapely.equals_exact(cells[change.at].geometry, change.before):
                raise StaleRepair()
            cells[change.at] = replace(cells[change.at], geometry=change.after)
        for settled in repair.settles:
            if settled in problems:
                problems.remove(settled)
        for change in repair.changes:
            found = validity_problem(change.after, change.cell_code)
            if found is not None and found not in problems:
                problems.append(found)
        if repair.kind == "redeclare_datum":
            datum = repair.detail
    return replace(draft, cells=tuple(cells), problems=tuple(problems), datum=datum)


def _place_repairs(draft: DraftEdition, boundary: Any) -> list[Repair]:
    swapped = [problem for problem in draft.problems if problem.code == "axes_swapped"]
    if swapped:
        names = set(_codes(swapped))
        turned = _changed(
            draft.cells, lambda cell: _turned(cell, draft.datum or "cgcs2000") if _name(cell) in names else None
        )
        return _offered("swap_axes", turned, swapped)
    reading, declared = _better_reading(draft, boundary), draft.datum
    if reading is None or declared is None:
        return []
    moved = _changed(draft.cells, lambda cell: tidy(_reread(cell.geometry, declared, reading)))
    suspects = [problem for problem in draft.problems if problem.code == "datum_suspect"]
    return _offered("redeclare_datum", moved, suspects, detail=reading)


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
    names = {_name(cell) for cell in draft.cells}
    opened = [problem for problem in opened if set(problem.cell_codes) <= names]
    rebuilt = _changed(draft.cells, _rebuilt)
    broken = {change.cell_code for change in rebuilt}
    crossing = [
        problem
        for problem in draft.problems
        if problem.code in ("ring_self_crossing", "polygon_invalid") and set(problem.cell_codes) <= broken
    ]
    repairs = _offered("close_ring", (), opened) if opened else []
    return repairs + (_offered("rebuild_ring", rebuilt, crossing) if rebuilt else [])


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
    members = [at for at, cell in enumerate(draft.cells) if cell.layer == BASE_LAYER]
    units = np.array(units_geometry([draft.cells[at].geometry for at in members]), dtype=object)
    if not len(units) or not shapely.is_valid(units).all():
        return []
    bad = _bad_edges_m(units)
    if bad == 0:
        return []
    per_metre = UNITS_PER_DEGREE / float(metres_per_degree(shapely.total_bounds(units)[1] / UNITS_PER_DEGREE)[1])
    matched = matched_edges(units, tolerance=EDGE_TOLERANCE_M * per_metre)
    for kind, proposed, detail in (
        ("match_edges", matched, ""),
        ("clean_coverage", _cleaned(matched, limits.clean_width_m * per_metre), f"{limits.clean_width_m:g}"),
    ):
        if proposed is None or not _is_modest(units, proposed, limits) or not _bad_edges_m(proposed) < bad:
            continue
        if changes := _drawn_anew(draft, members, units, proposed):
            return _offered(kind, changes, (), detail=detail)
    return []


def _border_repairs(draft: DraftEdition, boundary: Any, limits: Limits) -> list[Repair]:
    members = [at for at, cell in enumerate(draft.cells) if cell.layer == BASE_LAYER]
    units = np.array(units_geometry([draft.cells[at].geometry for at in members]), dtype=object)
    if boundary is None or not len(units) or not shapely.is_valid(units).all():
        return []
    outline, width = units_geometry(boundary), limits.clean_width_m
    per_metre = UNITS_PER_DEGREE / float(metres_per_degree(shapely.total_bounds(units)[1] / UNITS_PER_DEGREE)[1])
    made = filled(units, outline, width_m=width, tolerance=EDGE_TOLERANCE_M * per_metre)
    if made is None:
        return []
    bad, gaps = _bad_edges_m(units), len(open_gaps(units, outline, width_m=width))
    # A strip as thin as the rounding of its corners may need its neighbours fitted to each other once more.
    for proposed in (made, _cleaned(made, EDGE_TOLERANCE_M * per_metre)):
        if proposed is None or not _is_modest(units, proposed, limits) or _bad_edges_m(proposed) > bad:
            continue
        changes = _drawn_anew(draft, members, units, proposed)
        if changes and len(open_gaps(proposed, outline, width_m=width)) < gaps:
            return _offered("fill_to_boundary", changes, (), detail=f"{width:g}")
    return []


def _drawn_anew(draft: DraftEdition, members: Sequence[int], units: Any, made: Any) -> list[Change]:
    changes = []
    for at, before, after in zip(members, units, made, strict=True):
        if after is not before and not shapely.equals_exact(after, before):
            cell = draft.cells[at]
            changes.append(Change(at, _name(cell), cell.geometry, tidy(degrees_geometry(after))))
    return changes


def _bad_edges_m(units: Any) -> float:
    edges = shapely.coverage_invalid_edges(units)
    return float(np.nansum(shapely.length(edges)))


def _cleaned(units: Any, width: float) -> Any:
    if not hasattr(shapely, "coverage_clean"):  # shapely before 2.2
        return None
    try:
        made = shapely.coverage_clean(units, gap_width=width, snapping_distance=1.0)
    except shapely.errors.GEOSException:
        return None
    # Only whole units are kept, so what snapping breaks is seen by the checks that follow.
    return np.array(shapely.transform(made, lambda vertices: snap_units(vertices / UNITS_PER_DEGREE)), dtype=object)


def _is_modest(before: Any, after: Any, limits: Limits) -> bool:
    """Every cell is still there, valid and nearly as large, in as many parts unless that may change."""
    if len(before) != len(after) or not shapely.is_valid(after).all() or shapely.is_empty(after).any():
        return False
    old, new = units_area_m2(before), units_area_m2(after)
    same_parts = (shapely.get_num_geometries(before) == shapely.get_num_geometries(after)) | (not limits.keeps_parts)
    return bool((np.abs(new - old) <= old * limits.share_at_most).all() and (new > 0).all() and same_parts.all())


def _changed(cells: Sequence[Cell], change: Callable[[Cell], Any]) -> tuple[Change, ...]:
    made = ((at, cell, change(cell)) for at, cell in enumerate(cells))
    return tuple(
        Change(at, _name(cell), cell.geometry, after)
        for at, cell, after in made
        if after is not None and not after.is_empty
    )


def _offered(kind: str, changes: Sequence[Change], settles: Sequence[Problem], *, detail: str = "") -> list[Repair]:
    repair = Repair(kind, tuple(changes), tuple(settles), "", "")
    english, chinese = (text.format(n=len(repair.cell_codes), detail=detail) for text in _TEXTS[kind])
    return [replace(repair, message_en=english, message_zh=chinese, detail=detail)]


def _codes(problems: Iterable[Problem]) -> list[str]:
    return [code for problem in problems for code in problem.cell_codes]


def _name(cell: Cell) -> str:
    return cell.code or cell.cell_id
