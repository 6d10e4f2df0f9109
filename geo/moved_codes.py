"""Codes that stand on other ground than before: two that were swapped, or one given to another cell. A warning, for both may be meant."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from geo.cell import Cell
from geo.lineage import Lineage, Part
from geo.problem import Problem, a_problem

MOST_OF_IT = 0.5
"""A code is on other ground where more than this share of its cell was another cell's."""


def moved_codes(standing: Iterable[Cell], cells: Sequence[Cell], lineage: Lineage) -> list[Problem]:
    """Warn of every code in force whose cell is now mostly ground that another cell in force had.

    Parameters
    ----------
    standing : the cells in force
    cells : those of the draft; each has an identity of its own
    lineage : from the one to the other; with households where they were counted

    Returns
    -------
    list of Problem
        By code; two codes that have swapped their ground are one finding, which names both.
    """
    before = {cell.cell_id: cell.code for cell in standing}
    known = set(before.values())
    most: dict[str, Part] = {}
    for part in lineage.parts:
        if part.old_id is not None and part.new_id is not None and part.share_of_new > MOST_OF_IT:
            most[part.new_id] = part
    came = {
        cell.code: (before[most[cell.cell_id].old_id or ""], most[cell.cell_id], cell)
        for cell in cells
        if cell.code in known and cell.cell_id in most and before[most[cell.cell_id].old_id or ""] != cell.code
    }
    found = []
    for code, (source, part, cell) in sorted(came.items()):
        other = came.get(source)
        swapped = other is not None and other[0] == code
        if swapped and source < code:
            continue
        told = [(code, source, part)] + ([(source, code, other[1])] if swapped and other is not None else [])
        place = cell.geometry.representative_point()
        found.append(
            a_problem(
                "codes_swapped" if swapped else "code_on_other_ground",
                (code, source),
                at=(place.x, place.y),
                detail="; ".join(_said(*one, "{1:.0%} of the ground of {0} was that of {2}", ", and {:.0%} of its households") for one in told),
                detail_zh="；".join(_said(*one, "{0} 的面积有 {1:.0%} 原属 {2}", "，户数有 {:.0%}") for one in told),
            )
        )
    return found


def _said(code: str, source: str, part: Part, ground: str, homes: str) -> str:
    said = ground.format(code, part.share_of_new, source)
    return said if part.household_share_of_new is None else said + homes.format(part.household_share_of_new)
