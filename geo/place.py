"""From fixes to cells: what may be decided at once, and what a person has to confirm (rule L3).

Pins, entrances and queues are the server's business. Here only geometry speaks: a surveyed or map-picked point is
final; a phone fix whose 95 % circle touches several cells keeps them all with their probabilities; nothing outside is
dropped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from geo.datum import to_cgcs2000
from geo.locate import CellIndex
from geo.location import radius_m95

# Stored with every placement: a change of any rule here, of the snapping or of the tie rule needs a new number.
RULE_VERSION = 1

# A person pointed at the place; their word is not a guess about a radio signal.
FINAL_METHODS = ("survey", "map_pick")

# The readings that a pair of numbers can have (WGS-84 and CGCS2000 are one).
_READINGS = ("cgcs2000", "gcj02", "bd09")

Decision = Literal["inside", "tie_rule", "outside", "unlocated"]


@dataclass(frozen=True, slots=True)
class PlacementDecision:
    """Where one location belongs.

    Invariants: ``cell_id`` is set exactly for ``inside`` and ``tie_rule`` (the point lies on a border and the
    smallest order number and code won). ``candidates`` is empty or holds (cell_id, probability), most probable first,
    and then ``needs_confirmation`` is true. ``nearest`` (cell_id, metres) and ``datum_suspect`` (datums under which
    the raw pair would lie in a cell) are given for ``outside`` only.
    """

    cell_id: str | None
    decision: Decision
    candidates: tuple[tuple[str, float], ...] = ()
    needs_confirmation: bool = False
    nearest: tuple[str, float] | None = None
    datum_suspect: tuple[str, ...] = ()


_UNLOCATED = PlacementDecision(cell_id=None, decision="unlocated")


def place_fixes(index: CellIndex, locations: Sequence[Mapping[str, Any] | None]) -> list[PlacementDecision]:
    """Decide for a batch of locations.

    Parameters
    ----------
    index : CellIndex
        The base layer of the edition that is in force; its cells are the community.
    locations : sequence of (mapping or None), shape (n,)
        Canonical locations (``location.canonical_location``); None where a record has none.

    Returns
    -------
    list of PlacementDecision, length n
        In the order given; empty in, empty out. Deterministic: no sampling, no dependence on the other members of the
        batch.
    """
    decisions = [_UNLOCATED] * len(locations)
    present = [(at, location) for at, location in enumerate(locations) if location is not None]
    if not present:
        return decisions
    fixes = [location for _, location in present]
    lons = np.array([fix["lon"] for fix in fixes], dtype=np.float64)
    lats = np.array([fix["lat"] for fix in fixes], dtype=np.float64)
    positions, covering = index.locate_counted(lons=lons, lats=lats)
    candidates = _candidates(index, fixes, lons, lats, positions)
    suspects = _datum_suspects(index, fixes, np.flatnonzero(positions < 0))
    for number, (at, _) in enumerate(present):
        chosen = candidates.get(number, ())
        if positions[number] >= 0:
            decisions[at] = PlacementDecision(
                cell_id=index.cell_ids[positions[number]],
                decision="tie_rule" if covering[number] > 1 else "inside",
                candidates=chosen,
                needs_confirmation=bool(chosen),
            )
        else:
            decisions[at] = PlacementDecision(
                cell_id=None,
                decision="outside",
                candidates=chosen,
                needs_confirmation=bool(chosen),
                nearest=index.nearest(lon=lons[number], lat=lats[number]),
                datum_suspect=suspects.get(number, ()),
            )
    return decisions


def place_fix(index: CellIndex, location: Mapping[str, Any] | None) -> PlacementDecision:
    """One location; see :func:`place_fixes`."""
    return place_fixes(index, [location])[0]


def _candidates(
    index: CellIndex,
    fixes: Sequence[Mapping[str, Any]],
    lons: NDArray[np.float64],
    lats: NDArray[np.float64],
    positions: NDArray[np.intp],
) -> dict[int, tuple[tuple[str, float], ...]]:
    """Cells touched by the circles of the uncertain fixes, weighed only where a choice exists."""
    radii_m = np.array([0.0 if fix.get("method") in FINAL_METHODS else radius_m95(fix) for fix in fixes])
    uncertain = np.flatnonzero((radii_m > 0) & np.isfinite(lons) & np.isfinite(lats))
    if not len(uncertain) or not len(index):
        return {}
    which, cells = index.surroundings.touched(lons=lons[uncertain], lats=lats[uncertain], radii_m=radii_m[uncertain])
    touched: dict[int, list[int]] = {}
    for fix, cell in zip(uncertain[which].tolist(), cells.tolist(), strict=True):
        touched.setdefault(fix, []).append(cell)
    # A circle that stays in the cell of its centre leaves no choice, and most do.
    open_to_doubt = {fix: held for fix, held in touched.items() if len(held) > 1 or positions[fix] < 0}
    return {
        fix: tuple(index.weigh(np.array(held), lon=lons[fix], lat=lats[fix], radius_m95=float(radii_m[fix])))
        for fix, held in open_to_doubt.items()
    }


def _datum_suspects(
    index: CellIndex, fixes: Sequence[Mapping[str, Any]], outside: NDArray[np.intp]
) -> dict[int, tuple[str, ...]]:
    """Other datums under which the raw pairs of outside fixes would lie in a cell (rule L2)."""
    if not len(outside):
        return {}
    raw = [fixes[at].get("raw", fixes[at]) for at in outside]
    lons = np.array([pair["lon"] for pair in raw], dtype=np.float64)
    lats = np.array([pair["lat"] for pair in raw], dtype=np.float64)
    declared = np.array([_reading(fixes[at].get("datum")) for at in outside])
    found: dict[int, tuple[str, ...]] = {}
    for reading in _READINGS:
        twin_lons, twin_lats = to_cgcs2000(lon=lons, lat=lats, datum=reading)
        is_inside = (index.locate_many(lons=twin_lons, lats=twin_lats) >= 0) & (declared != reading)
        for at in outside[is_inside].tolist():
            found[at] = (*found.get(at, ()), "wgs84" if reading == "cgcs2000" else reading)
    return found


def _reading(datum: Any) -> str:
    return "cgcs2000" if datum == "wgs84" else str(datum)
