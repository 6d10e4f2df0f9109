"""The publish gate: a draft edition goes in, a certificate comes out (rule L4).

Drafts may be broken, published editions cannot: publish only on ``certificate.ok``. The hash names the content of an
edition (codes, names, layers, order numbers, outlines), not the file that it came from.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import shapely

from geo.area import area_m2
from geo.cell import BASE_LAYER, Cell
from geo.cells import DraftEdition
from geo.coverage import find_cut_buildings, find_edge_mismatches, find_gaps, find_overlaps, find_strips, repaired
from geo.problem import Problem, a_problem, has_errors
from geo.profile import CN15, CodeProfile, check_code, check_code_set
from geo.rings import validity_problem
from geo.snap import units_geometry

HASH_RULE = "dishu-cells-1"


@dataclass(frozen=True, slots=True)
class Certificate:
    """What the gate found.

    Invariants: ``ok`` exactly when no problem is an error. ``hash`` depends on the cells alone. ``problems`` are in a
    fixed order: as read, then codes, outlines, coverage, buildings, households. ``counts`` has cells, cells per layer, errors,
    warnings, and how often each problem code came; ``area_m2`` is the area of the base layer's cells.
    """

    ok: bool
    problems: tuple[Problem, ...]
    hash: str
    counts: Mapping[str, int] = field(default_factory=dict)
    area_m2: float = 0.0
    profile: str = ""


def check_edition(
    draft: DraftEdition | Iterable[Cell],
    *,
    boundary: Any = None,
    profile: CodeProfile = CN15,
    buildings: Sequence[tuple[str, Any]] | None = None,
    community_code: str | None = None,
    retired: Collection[str] = frozenset(),
    households: Mapping[str, int] | None = None,
) -> Certificate:
    """Check a whole edition of one community.

    Parameters
    ----------
    draft : DraftEdition or iterable of Cell
        Cells in CGCS2000; what reading found counts too.
    boundary : shapely polygon in CGCS2000 degrees, optional
        The community. Gaps against it and cells beyond it are errors from 1 m², warnings below.
    profile : CodeProfile
        Rule of the codes.
    buildings : sequence of (name, shapely polygon), optional
        Those that a border cuts are listed as warnings.
    community_code : str, optional
        Every code must belong to it.
    retired : collection of str
        Codes of earlier editions that have expired: never used again.
    households : mapping of code to number, optional
        Households of each cell; base cells outside the profile's band are warnings. A code that is not named is not
        judged.

    Returns
    -------
    Certificate
        Every problem at once. An edition without cells is an error. Overlaps, gaps and edges are looked at in
        the base layer; in other layers only overlaps, which are errors there too.
    """
    read_problems = draft.problems if isinstance(draft, DraftEdition) else ()
    given = draft.cells if isinstance(draft, DraftEdition) else draft
    # A fixed order, so that the same content gives the same certificate whatever the file's order.
    cells = sorted(given, key=lambda cell: (cell.layer, cell.code, cell.cell_id))
    problems: list[Problem] = list(read_problems)
    if not cells:
        problems.append(a_problem("no_cells"))
    told = {(problem.code, problem.cell_codes) for problem in read_problems}
    found = _code_problems(cells, profile, community_code, retired)
    problems += [problem for problem in found if (problem.code, problem.cell_codes) not in told]
    problems += _new_validity_problems(cells, read_problems)
    for layer in sorted({cell.layer for cell in cells}):
        members = [cell for cell in cells if cell.layer == layer]
        names = [_name(cell) for cell in members]
        units = repaired(np.array([cell.geometry for cell in members], dtype=object))
        problems += find_overlaps(units, names)
        if layer == BASE_LAYER:
            outline = None if boundary is None else repaired(np.array([boundary], dtype=object))[0]
            problems += find_gaps(units, names, boundary=outline)
            problems += find_strips(units, names) if outline is None else []
            problems += find_edge_mismatches(units, names)
            problems += find_cut_buildings(units, names, buildings or ())
    problems += _household_problems(cells, profile, households or {})
    unique = tuple(dict.fromkeys(_placed(cells, problems)))
    return Certificate(
        ok=not has_errors(unique),
        problems=unique,
        hash=edition_hash(cells),
        counts=_counts(cells, unique),
        area_m2=round(float(sum(area_m2(cell.geometry) for cell in cells if cell.layer == BASE_LAYER)), 1),
        profile=profile.name,
    )


def _placed(cells: Sequence[Cell], problems: Iterable[Problem]) -> list[Problem]:
    """Findings that are about cells and say no place get the one of the first cell that they name."""
    first: dict[str, Cell] = {}
    for cell in cells:
        first.setdefault(_name(cell), cell)
    made = []
    for one in problems:
        named = [first[name] for name in one.cell_codes if name in first] if one.lon is None else []
        if named and not shapely.is_empty(named[0].geometry):
            lon, lat = _inner(named[0])
            made.append(replace(one, lon=round(lon, 7), lat=round(lat, 7)))
        else:
            made.append(one)
    return made


def edition_hash(cells: Iterable[Cell]) -> str:
    """SHA-256 (hex) over the content of cells.

    Stable against the order of cells, parts and holes, the start and direction of rings, the datum and the formatting
    of the file; any other change of code, name, layer, order number or outline changes it. ``cell_id`` and
    free properties do not count. The rule is spelled out here so that other languages can repeat it: JSON without
    blanks, UTF-8, of [rule, [[layer, code, name, order, parts], …] sorted], a part being its rings as whole
    units, outer ring first (counter-clockwise), holes (clockwise) sorted, each starting at its smallest vertex.
    """
    rows = sorted([cell.layer, cell.code, cell.name, cell.order, _outline(cell.geometry)] for cell in cells)
    text = json.dumps([HASH_RULE, rows], ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def _outline(geometry: Any) -> list[list[list[list[int]]]]:
    oriented = shapely.orient_polygons(units_geometry(geometry))
    parts = []
    for part in shapely.get_parts(oriented):
        outer = _ring(part.exterior)
        parts.append([outer, *sorted(_ring(hole) for hole in part.interiors)])
    return sorted(parts)


def _ring(ring: Any) -> list[list[int]]:
    vertices = [[int(x), int(y)] for x, y in shapely.get_coordinates(ring)[:-1]]
    # A vertex may come twice (a ring that touches itself): the smallest rotation is unique all the same.
    starts = [at for at, vertex in enumerate(vertices) if vertex == min(vertices)]
    return min(vertices[at:] + vertices[:at] for at in starts)


def _name(cell: Cell) -> str:
    return cell.code or cell.cell_id


def _code_problems(
    cells: Sequence[Cell], profile: CodeProfile, community_code: str | None, retired: Collection[str]
) -> list[Problem]:
    problems: list[Problem] = []
    uses = Counter(cell.code for cell in cells if cell.code)
    for code, times in sorted(uses.items()):
        if times > 1:
            place = next(_inner(cell) for cell in cells if cell.code == code)
            problems.append(a_problem("duplicate_code", (code,), at=place, detail=times))
        found = check_code(code, community_code, profile=profile, retired=retired)
        problems += found
    by_id: dict[str, list[str]] = {}
    for cell in cells:
        by_id.setdefault(cell.cell_id, []).append(_name(cell))
        if not cell.code:
            problems.append(a_problem("code_missing", (_name(cell),), at=_inner(cell)))
    for names in by_id.values():
        if len(set(names)) > 1:
            problems.append(a_problem("duplicate_cell_id", sorted(names)))
    return problems + check_code_set(cells, profile)


def _household_problems(cells: Sequence[Cell], profile: CodeProfile, households: Mapping[str, int]) -> list[Problem]:
    band, found = profile.households, []
    for cell in cells:
        number = households.get(cell.code)
        if band is None or number is None or cell.layer != BASE_LAYER or band.minimum <= number <= band.maximum:
            continue
        code = "households_below" if number < band.minimum else "households_above"
        found.append(a_problem(code, (cell.code,), at=_inner(cell), detail=number))
    return found


def _new_validity_problems(cells: Sequence[Cell], known: Sequence[Problem]) -> list[Problem]:
    told = {(problem.code, problem.lon, problem.lat) for problem in known}
    found = (validity_problem(cell.geometry, _name(cell)) for cell in cells)
    return [problem for problem in found if problem and (problem.code, problem.lon, problem.lat) not in told]


def _inner(cell: Cell) -> tuple[float, float]:
    point = shapely.point_on_surface(cell.geometry)
    return (point.x, point.y)


def _counts(cells: Sequence[Cell], problems: Sequence[Problem]) -> dict[str, int]:
    layers = Counter(cell.layer for cell in cells)
    severities = Counter(problem.severity for problem in problems)
    codes = Counter(problem.code for problem in problems)
    counts = {"cells": len(cells), "errors": severities["error"], "warnings": severities["warning"]}
    counts |= {f"cells_{layer}": number for layer, number in sorted(layers.items())}
    return counts | dict(sorted(codes.items()))
