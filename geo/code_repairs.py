"""Codes proposed for cells that cannot keep theirs: the next ones that no cell ever had. Shown before they are given (L4)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import shapely

from geo.cell import Cell
from geo.cells import DraftEdition
from geo.codes import free_code
from geo.errors import GeoError
from geo.problem import Problem
from geo.profile import CodeProfile
from geo.repair import Change, Repair, name_of, offered
from geo.unread import unread_names

_NAMED = 5
"""So many codes stand in the sentence; the changes have them all."""


@dataclass(frozen=True, slots=True)
class Numbering:
    """How codes are given in a community.

    ``ever`` are all codes that its cells have or had; ``retired`` those of them that no cell may have any more;
    ``standing`` the cells in force, by which it is told who keeps a code that is used twice.
    """

    profile: CodeProfile
    community_code: str
    ever: Collection[str] = frozenset()
    retired: Collection[str] = frozenset()
    standing: Sequence[Cell] = ()


def code_repairs(draft: DraftEdition, numbering: Numbering) -> list[Repair]:
    """One proposal for all cells whose code is missing, used twice, given up before or reserved.

    Of cells with one code the one keeps it that has most of the ground of the cell in force with that code, else the
    first. Codes that merely do not fit the profile are left: they are slips of the pen that only a person can read. []
    when there is nothing to do, or the profile has no code to give.
    """
    taken = {*numbering.ever, *(cell.code for cell in draft.cells if cell.code), *unread_names(draft)}
    changes = []
    for at in _without_own(draft.cells, numbering):
        cell = draft.cells[at]
        try:
            code = free_code(numbering.profile, numbering.community_code, taken)
        except GeoError:
            break
        taken.add(code)
        changes.append(Change(at, name_of(cell), cell.geometry, cell.geometry, code))
    if not changes:
        return []
    told = [f"{one.cell_code} → {one.new_code}" for one in changes[:_NAMED]] + ["…"] * (len(changes) > _NAMED)
    names = {cell.code for cell in draft.cells}
    settled = [
        one for one in draft.problems
        if one.code == "code_missing" and set(one.cell_codes) <= {change.cell_code for change in changes} - names
    ]  # fmt: skip
    return offered("new_code", changes, settled, detail=", ".join(told))


def with_new_code(cell: Cell, code: str, problems: Iterable[Problem]) -> tuple[Cell, list[Problem]]:
    """The cell under its new code; findings that name it by its place in the file name it by the code."""
    was = name_of(cell)
    known_by_code = cell.cell_id in (cell.code, was)
    made = replace(cell, code=code, cell_id=code if known_by_code else cell.cell_id)
    if cell.code:
        return made, list(problems)
    return made, [
        replace(one, cell_codes=tuple(code if name == was else name for name in one.cell_codes)) for one in problems
    ]


def _without_own(cells: Sequence[Cell], numbering: Numbering) -> list[int]:
    """Places of the cells that need another code, in their order."""
    uses = Counter(cell.code for cell in cells if cell.code)
    keeper = {code: _keeper(code, cells, numbering.standing) for code, times in uses.items() if times > 1}
    profile = numbering.profile
    found = []
    for at, cell in enumerate(cells):
        is_unusable = cell.code in numbering.retired or (
            profile.misfit(cell.code) is None and profile.reserved_told(cell.code) is not None
        )
        if not cell.code or is_unusable or keeper.get(cell.code, at) != at:
            found.append(at)
    return found


def _keeper(code: str, cells: Sequence[Cell], standing: Sequence[Cell]) -> int:
    places = [at for at, cell in enumerate(cells) if cell.code == code]
    ground = next((one.geometry for one in standing if one.code == code), None)
    if ground is None:
        return places[0]
    return max(places, key=lambda at: (_shared(cells[at].geometry, ground), -at))


def _shared(one: Any, other: Any) -> float:
    return float(shapely.area(shapely.intersection(one, other))) if one.is_valid and other.is_valid else 0.0
