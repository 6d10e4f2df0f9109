"""What could not be read of a file of cells, so that no later step forgets it (rule L4)."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from geo.cell import Cell
from geo.cells import DraftEdition
from geo.problem import Problem

LEFT_OUT = frozenset(
    {"geometry_missing", "not_a_polygon", "datum_missing", "outside_box", "ring_too_short", "ring_degenerate"}
)
"""Findings by which a cell, a part of it or a hole is not among the cells that were read."""

# True of an outline for as long as nobody has drawn it anew.
_OF_OUTLINE = LEFT_OUT | {"ring_not_closed", "axes_swapped"}


def unread_names(draft: DraftEdition) -> tuple[str, ...]:
    """Codes (``#3`` without one) of cells that are not, or not whole, among the cells of the draft; in the file's order."""
    return tuple(dict.fromkeys(name for one in draft.problems if one.code in LEFT_OUT for name in one.cell_codes))


def still_true(draft: DraftEdition, cells: Sequence[Cell], *, dropped: Collection[str] = ()) -> tuple[Problem, ...]:
    """What reading the draft found and what still holds when its cells are changed to these.

    A finding about a cell that was not read stays until a cell of that code is drawn, or its name is ``dropped``. One
    about the outline of a cell that was read stays while that outline is as it was. Other findings are looked for anew.
    """
    before, after = _names(draft.cells), _names(cells)
    unread = set(unread_names(draft))
    now = {cell.cell_id: cell for cell in cells}

    def holds(one: Problem, name: str) -> bool:
        if name in dropped and (name not in before or one.code in LEFT_OUT):
            return False
        if name not in before:
            return name in unread and name not in after
        cell = before[name]
        same = now.get(cell.cell_id)
        return (
            one.code in _OF_OUTLINE
            and same is not None
            and bool(same.geometry.normalize().equals_exact(cell.geometry.normalize(), 0.0))
        )

    return tuple(one for one in draft.problems if all(holds(one, name) for name in one.cell_codes))


def _names(cells: Sequence[Cell]) -> dict[str, Cell]:
    named = {cell.cell_id: cell for cell in cells}
    return named | {cell.code: cell for cell in cells if cell.code}
