"""What became of each cell between two editions: who takes its ground, which share of it, and what that is called (L4).

Measured on the ground alone: codes and names may change freely, and a code may even go to other ground.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray

from geo.cell import Cell
from geo.locate import CellIndex
from geo.metric import units_area_m2
from geo.snap import units_geometry

# Common ground below this is what borders lose by rounding.
LEAST_M2 = 1.0
# A common ground counts for the kind from this share of one of the two cells on; less is a shifted border.
SHARE_THAT_COUNTS = 0.05

Kind = Literal["same", "reshape", "split", "merge", "transfer", "new", "end"]
KINDS: dict[str, tuple[str, str]] = {
    "same": ("不变", "unchanged"),
    "reshape": ("调整边界", "border shifted"),
    "split": ("拆分", "split"),
    "merge": ("合并", "merged"),
    "transfer": ("互有划转", "ground exchanged"),
    "new": ("新增", "new ground"),
    "end": ("撤销", "ground given up"),
}
"""Every kind with its Chinese and English word."""


@dataclass(frozen=True, slots=True)
class Part:
    """Ground that an old and a new cell have in common (None: that was, or is, in no cell).

    Shares are 0 to 1 of the whole old and the whole new cell. ``households`` lie in this ground; None where they were
    not counted. ``kind`` is that of the group of cells that hang together; ``counts`` says whether the part decides it.
    """

    old_id: str | None
    new_id: str | None
    kind: Kind
    area_m2: float
    share_of_old: float
    share_of_new: float
    households: int | None = None
    household_share_of_old: float | None = None
    household_share_of_new: float | None = None
    counts: bool = True


@dataclass(frozen=True, slots=True)
class Lineage:
    """All parts, by old and new cell in tie order."""

    parts: tuple[Part, ...]
    _successors: Mapping[str, tuple[str, ...]] = field(default_factory=dict, repr=False)

    def successors(self, old_id: str) -> tuple[str, ...]:
        """The new cells that took what counts of an old cell's ground, largest first; () when nobody did."""
        return self._successors.get(old_id, ())

    def kind_of(self, old_id: str) -> Kind:
        """What became of an old cell; KeyError for one that was not there."""
        for part in self.parts:
            if part.old_id == old_id and part.counts:
                return part.kind
        raise KeyError(old_id)

    def heirs(self) -> list[tuple[str, str]]:
        """(old, new) pairs of whom an old cell's people look after next.

        Every new cell is looked after by those of the old cell that it has most of, and whoever looked after an old cell
        looks after the new one that has most of it: so a split gives all its parts to the same people, a merger brings
        people together, and a shifted border changes nothing.
        """
        counted = [part for part in self.parts if part.old_id is not None and part.new_id is not None and part.counts]
        pairs: dict[tuple[str, str], None] = {}
        for side in ("new_id", "old_id"):
            best: dict[str, Part] = {}
            for part in counted:
                known = best.get(getattr(part, side))
                if known is None or part.area_m2 > known.area_m2:
                    best[getattr(part, side)] = part
            pairs |= {(str(part.old_id), str(part.new_id)): None for part in best.values()}
        return sorted(pairs)


def trace(
    old: Iterable[Cell],
    new: Iterable[Cell],
    *,
    lons: ArrayLike = (),
    lats: ArrayLike = (),
    households: ArrayLike | None = None,
) -> Lineage:
    """What became of the cells of one layer.

    Parameters
    ----------
    old, new : iterable of Cell
        Two editions of one layer, valid; either may be empty.
    lons, lats : array_like of float, shape (n,)
        Anchors in CGCS2000 degrees.
    households : array_like of int, shape (n,), optional
        Households at each anchor; None: shares of households are not told.

    Returns
    -------
    Lineage
        Deterministic, whatever the order of cells. ``same`` needs one old and one new cell whose outlines differ by less
        than ``LEAST_M2``; a border that shifts by less than ``SHARE_THAT_COUNTS`` of both neighbours is a ``reshape`` of
        each; more than that makes them one group: ``split`` (one to many), ``merge`` (many to one) or ``transfer``.
    """
    before, after = CellIndex(old, layer=None), CellIndex(new, layer=None)
    area_old, area_new = _areas(before.cells), _areas(after.cells)
    first, second, common = _common(before.cells, after.cells)
    counted = (common >= SHARE_THAT_COUNTS * area_old[first]) | (common >= SHARE_THAT_COUNTS * area_new[second])
    held = None if households is None else _households(before, after, lons, lats, households)
    group_old, group_new = _groups(len(before), len(after), first[counted], second[counted])
    kinds = {
        group: _kind(before, after, group_old, group_new, group, common[counted], first[counted], second[counted], area_old, area_new)
        for group in sorted({*group_old.tolist(), *group_new.tolist()})
    }
    parts: list[Part] = []
    successors: dict[str, list[tuple[float, int]]] = {}
    for a, b, ground, is_counted in zip(first.tolist(), second.tolist(), common.tolist(), counted.tolist(), strict=True):
        kind = kinds[int(group_old[a])]
        parts.append(_part(before, after, a, b, kind, ground, area_old, area_new, held, is_counted))
        if is_counted:
            successors.setdefault(before.cell_ids[a], []).append((-ground, b))
    for a in np.flatnonzero(area_old - np.bincount(first, common, len(before)) >= LEAST_M2).tolist():
        left = float(area_old[a] - common[first == a].sum())
        parts.append(_part(before, after, a, None, kinds[int(group_old[a])], left, area_old, area_new, held, left == area_old[a]))
    for b in np.flatnonzero(area_new - np.bincount(second, common, len(after)) >= LEAST_M2).tolist():
        left = float(area_new[b] - common[second == b].sum())
        parts.append(_part(before, after, None, b, kinds[int(group_new[b])], left, area_old, area_new, held, left == area_new[b]))
    rank_old = {cell_id: at for at, cell_id in enumerate(before.cell_ids)}
    rank_new = {cell_id: at for at, cell_id in enumerate(after.cell_ids)}
    last = len(rank_old) + len(rank_new)
    parts.sort(key=lambda part: (rank_old.get(part.old_id or "", last), rank_new.get(part.new_id or "", last)))
    ordered = {cell_id: tuple(after.cell_ids[b] for _, b in sorted(found)) for cell_id, found in successors.items()}
    return Lineage(tuple(parts), ordered)


def keep_identities(draft: Sequence[Cell], published: Iterable[Cell]) -> list[Cell]:
    """Cells of a draft with the identity of the published cell whose ground they have, so that its stream goes on (S29).

    Only cells whose identity was nothing but their code take another one, and only from a published cell that they alone
    succeed (``same`` and ``reshape``). The order stays.
    """
    standing = list(published)
    sound = [cell for cell in draft if cell.geometry is not None and cell.geometry.is_valid and not cell.geometry.is_empty]
    used = {cell.cell_id for cell in draft}
    if not standing or len({cell.cell_id for cell in sound}) < len(sound):
        return list(draft)
    taken: dict[str, str] = {}
    for part in trace(standing, sound).parts:
        if part.counts and part.kind in ("same", "reshape") and part.old_id and part.new_id and part.old_id not in used:
            taken[part.new_id] = part.old_id
    return [_renamed(cell, taken[cell.cell_id]) if cell.cell_id == cell.code and cell.cell_id in taken else cell for cell in draft]


def _renamed(cell: Cell, cell_id: str) -> Cell:
    return Cell(cell_id, cell.code, cell.name, cell.geometry, cell.layer, cell.order, cell.properties)


def _areas(cells: Sequence[Cell]) -> NDArray[np.float64]:
    return units_area_m2(_units(cells)) if cells else np.zeros(0)


def _units(cells: Sequence[Cell]) -> NDArray[Any]:
    made = np.empty(len(cells), dtype=object)
    made[:] = [cell.geometry for cell in cells]
    return np.asarray(units_geometry(made), dtype=object)


def _common(
    old: Sequence[Cell], new: Sequence[Cell]
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]:
    """Pairs of positions with ground in common, and that ground in m², all (k,)."""
    if not old or not new:
        return np.zeros(0, dtype=np.intp), np.zeros(0, dtype=np.intp), np.zeros(0)
    a, b = _units(old), _units(new)
    first, second = shapely.STRtree(b).query(a, predicate="intersects")
    alike = shapely.equals_exact(a[first], b[second])
    ground = np.where(alike, units_area_m2(a[first]), 0.0)
    others = np.flatnonzero(~alike)
    if len(others):
        ground[others] = units_area_m2(shapely.intersection(a[first[others]], b[second[others]]))
    kept = ground >= LEAST_M2
    order = np.lexsort((second[kept], first[kept]))
    return first[kept][order], second[kept][order], ground[kept][order]


def _households(
    before: CellIndex, after: CellIndex, lons: ArrayLike, lats: ArrayLike, households: ArrayLike
) -> NDArray[np.int64]:
    """Households by old and new position, shape (old + 1, new + 1); the last ones are those outside."""
    counts = np.asarray(households, dtype=np.int64)
    made = np.zeros((len(before) + 1, len(after) + 1), dtype=np.int64)
    if len(counts):
        np.add.at(made, (before.locate_many(lons=lons, lats=lats), after.locate_many(lons=lons, lats=lats)), counts)
    return made


def _groups(
    old: int, new: int, first: NDArray[np.intp], second: NDArray[np.intp]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Numbers of the groups that old and new cells hang together in."""
    root = list(range(old + new))

    def find(one: int) -> int:
        while root[one] != one:
            root[one] = root[root[one]]
            one = root[one]
        return one

    for a, b in zip(first.tolist(), second.tolist(), strict=True):
        root[find(a)] = find(old + b)
    found = np.array([find(one) for one in range(old + new)], dtype=np.intp)
    return found[:old], found[old:]


def _kind(
    before: CellIndex, after: CellIndex, group_old: Any, group_new: Any, group: int, common: Any, first: Any, second: Any,
    area_old: Any, area_new: Any,
) -> Kind:  # fmt: skip
    old, new = np.flatnonzero(group_old == group), np.flatnonzero(group_new == group)
    if not len(new):
        return "end"
    if not len(old):
        return "new"
    if len(old) == 1 and len(new) == 1:
        a, b = int(old[0]), int(new[0])
        ground = float(common[(first == a) & (second == b)].sum())
        off = (area_old[a] - ground) + (area_new[b] - ground)
        return "same" if off < LEAST_M2 else "reshape"
    if len(old) == 1:
        return "split"
    return "merge" if len(new) == 1 else "transfer"


def _part(
    before: CellIndex, after: CellIndex, a: int | None, b: int | None, kind: Kind, ground: float, area_old: Any,
    area_new: Any, held: NDArray[np.int64] | None, counts: bool,
) -> Part:  # fmt: skip
    homes = of_old = of_new = None
    if held is not None:
        homes = int(held[-1 if a is None else a, -1 if b is None else b])
        of_old = _share(homes, 0 if a is None else int(held[a].sum()))
        of_new = _share(homes, 0 if b is None else int(held[:, b].sum()))
    return Part(
        None if a is None else before.cell_ids[a],
        None if b is None else after.cell_ids[b],
        kind,
        round(ground, 1),
        _share(ground, 0.0 if a is None else float(area_old[a])) or 0.0,
        _share(ground, 0.0 if b is None else float(area_new[b])) or 0.0,
        homes,
        of_old,
        of_new,
        counts,
    )


def _share(part: float, whole: float) -> float | None:
    return round(min(part / whole, 1.0), 6) if whole else None
