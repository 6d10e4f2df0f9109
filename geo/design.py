"""Cells proposed from buildings and their households; a person edits and decides.

Balanced and connected by ``division``, never through a building and cheapest along given lines by ``base_units``. The
result is a draft like any other and goes through the same publish gate.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import shapely

from geo.base_units import BaseUnits, Building, base_units
from geo.cell import Cell
from geo.cells import DraftEdition
from geo.codes import free_codes
from geo.division import divide
from geo.errors import GeoError
from geo.locate import CellIndex
from geo.profile import CN15, CodeProfile
from geo.rings import tidy
from geo.snap import degrees_geometry


@dataclass(frozen=True, slots=True)
class Proposal:
    """A division.

    ``households`` and ``deviations`` (share of the mean, -0.05 is 5 % fewer) go by cell code, ``cell_of_building`` by the
    building's place in the input (None: outside the boundary). ``target`` is the mean that the division aimed at.
    """

    draft: DraftEdition
    households: Mapping[str, int]
    deviations: Mapping[str, float]
    cell_of_building: tuple[str | None, ...]
    target: float
    outside: tuple[str, ...] = ()

    @property
    def largest_deviation(self) -> float:
        """The share by which the worst cell misses the mean, without sign."""
        return max((abs(share) for share in self.deviations.values()), default=0.0)


def propose_cells(
    boundary: Any,
    buildings: Sequence[Building],
    *,
    lines: Sequence[Any] = (),
    cells: int | None = None,
    profile: CodeProfile = CN15,
    community_code: str | None = None,
    retired: Collection[str] = frozenset(),
    seed: int = 1,
) -> Proposal:
    """Propose a division of a community.

    Parameters
    ----------
    boundary : shapely polygon, CGCS2000 degrees
        The community; a polygon in one part.
    buildings, lines
        As in :func:`geo.base_units.base_units`.
    cells : int, optional
        How many; else as many as bring the mean nearest to the profile's target and inside its band.
    profile, community_code, retired
        Codes are numbered west to east, leaving out retired ones; without ``community_code`` they are plain numbers.
    seed : int
        Another seed may give another division of like quality; one seed always gives the same.

    Returns
    -------
    Proposal
        Its cells are a coverage of the boundary without gap or overlap, each connected.

    Raises
    ------
    GeoError
        ``no_households`` without a household inside, ``no_target`` when neither the number nor a band is given,
        ``too_many_groups`` for more cells than buildings, ``not_connected`` for a boundary in parts.
    """
    units = base_units(boundary, buildings, lines)
    total = sum(units.weights)
    if total == 0:
        raise GeoError("there are no households to divide", code="no_households")
    count = cells if cells is not None else _how_many(total, profile)
    group = np.array(divide(units.weights, units.links, count, seed=seed))
    shapes = [_outline(units, group, number) for number in range(count)]
    order = sorted(range(count), key=lambda number: shapes[number].bounds[:2])
    codes = dict(zip(order, _codes(count, profile, community_code, retired), strict=True))
    made = tuple(Cell(codes[number], codes[number], "", shapes[number]) for number in order)
    held = np.bincount(group, weights=units.weights, minlength=count)
    mean = total / count
    code_of_building = {id(one): codes[int(group[at])] for at, one in enumerate(units.buildings)}
    return Proposal(
        draft=DraftEdition(made, (), "cgcs2000"),
        households={codes[number]: int(held[number]) for number in order},
        deviations={codes[number]: round(float(held[number] / mean - 1.0), 4) for number in order},
        cell_of_building=tuple(code_of_building.get(id(building)) for building in buildings),
        target=mean,
        outside=units.outside,
    )


def households_by_code(cells: Iterable[Cell], buildings: Iterable[Building]) -> dict[str, int]:
    """Households of each base cell after an edit: a building counts where its middle (an inner point) lies.

    Buildings outside every cell count nowhere. Feed it to ``check_edition(..., households=...)``.
    """
    index = CellIndex(cells)
    counted = dict.fromkeys(index.codes, 0)
    known = [building for building in buildings if building.geometry is not None and not building.geometry.is_empty]
    if not known:
        return counted
    middles = shapely.point_on_surface(np.array([building.geometry for building in known], dtype=object))
    found = index.locate_many(lons=shapely.get_x(middles), lats=shapely.get_y(middles))
    for building, at in zip(known, found.tolist(), strict=True):
        if at >= 0:
            counted[index.codes[at]] += building.households
    return counted


def _how_many(total: int, profile: CodeProfile) -> int:
    band = profile.households
    if band is None:
        raise GeoError("say how many cells, or take a profile with a household band", code="no_target")
    count = max(round(total / band.target), 1)
    if total / count > band.maximum:
        count += 1
    return count


def _outline(units: BaseUnits, group: Any, number: int) -> Any:
    faces = units.faces[group[units.unit_of_face] == number]
    return tidy(degrees_geometry(shapely.coverage_union_all(faces)))


def _codes(count: int, profile: CodeProfile, community_code: str | None, retired: Collection[str]) -> list[str]:
    if community_code is None:
        return [str(number) for number in range(1, count + 1)]
    codes = list(islice(free_codes(profile, community_code, retired), count))
    if len(codes) < count:
        raise GeoError("the profile has fewer numbers than cells", code="too_many_groups")
    return codes
