"""Drafts drawn by hand at the console: begun from an edition, borders moved, a cell cut in two, two made one (L4).

A draft may be broken in between; only its certificate decides about publishing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from geo.cell import Cell
from geo.cells import DraftEdition
from geo.codes import free_code
from geo.errors import GeoError
from geo.problem import Problem
from geo.redraw import merge_cells, split_cell
from geo.unread import still_true, unread_names
from server.errors import InputError, InvalidInput, NotFound
from server.permissions import Actor
from server.services.code_profiles import profile_of
from server.services.draft_repairs import keep_changed, kept_draft
from server.services.drafts import demand_publisher, edition_row, keep_draft
from server.services.places import cell_of_row
from server.store import places as store
from server.store.database import read, write

if TYPE_CHECKING:
    from server.house import House

Line = Sequence[tuple[float, float]]
# Reckoned from the shape whenever a cell is told; they are no words of the cell itself.
_DERIVED = frozenset({"area_m2", "label_lon", "label_lat", "cell_id", "datum"})


def begin_draft(house: House, actor: Actor, community_id: str, edition_id: str) -> str:
    """A draft with the cells of an edition, identities and codes kept; returns its id. NotFound without that edition."""
    demand_publisher(actor, community_id)
    with read(house.engine) as connection:
        row = edition_row(connection, community_id, edition_id)
        cells = tuple(cell_of_row(one, row.layer) for one in store.cells_of(connection, community_id, edition_id))
    made, _ = keep_draft(house, actor, community_id, DraftEdition(cells, (), "cgcs2000"), revives=edition_id)
    return made


def redraw(
    house: House, actor: Actor, community_id: str, edition_id: str, draft: DraftEdition, *, seen: str | None = None,
    dropped: Collection[str] = (),
) -> None:  # fmt: skip
    """Give a draft the cells that were drawn for it.

    A cell of its file that could not be read forbids publishing until one of its code is drawn, or it is dropped by name.

    Parameters
    ----------
    draft : all its cells, of the same layer; identities as given
    seen : hash of the draft that the drawing began from; None: whatever it is
    dropped : codes (``#3`` without one) of unread cells that somebody says are not wanted

    Raises
    ------
    InvalidInput
        The draft was changed meanwhile (``stale_draft``), a cell is of another layer, or what is dropped is not among
        the unread (``nothing_unread``).
    NotFound, OutsideScope
    """

    def drawn(before: DraftEdition) -> tuple[Cell, ...]:
        layer = before.cells[0].layer if before.cells else None
        wrong = [one for one in draft.cells if layer is not None and one.layer != layer]
        if wrong:
            raise _wrong("/features", "another_layer", f"only cells of the layer {layer} are taken here")
        plain = (replace(one, properties=_own(one)) for one in draft.cells)
        return tuple(plain)

    _change(house, actor, community_id, edition_id, drawn, seen, dropped=dropped, found=draft.problems)


def split(
    house: House, actor: Actor, community_id: str, edition_id: str, cell_id: str, line: Line, *,
    name: str | None = None, seen: str | None = None,
) -> str:  # fmt: skip
    """Cut a cell of a draft in two along a line of (lon, lat); returns the id of the new, smaller cell.

    It gets the next code that no cell ever had, and ``name`` or the old name with a number. Raises as `redraw`, and
    InvalidInput where the line does not divide the cell (``no_cut``, ``many_pieces``, ``short_line``, ``unknown_cell``).
    """
    with read(house.engine) as connection:
        community = store.community_row(connection, community_id)
        if community is None:
            raise NotFound("there is no such community")
        ever = store.retired_codes(connection, community_id, "")
    new_id = house.new_id()

    def cut(before: DraftEdition) -> tuple[Cell, ...]:
        # The code of a cell that could not be read is its own still.
        taken = ever | {one.code for one in before.cells} | set(unread_names(before))
        code = free_code(profile_of(house, community), community.code, taken)
        old = next((one.name for one in before.cells if one.cell_id == cell_id), "")
        names = {one.name for one in before.cells}
        called = name or next(f"{old}{n}" for n in range(2, len(names) + 3) if f"{old}{n}" not in names)
        return split_cell(before.cells, cell_id, line, new_id=new_id, code=code, name=called)

    _change(house, actor, community_id, edition_id, cut, seen)
    return new_id


def merge(
    house: House, actor: Actor, community_id: str, edition_id: str, kept_id: str, other_id: str, *, seen: str | None = None
) -> None:
    """Make two neighbours of a draft one cell, which keeps what the first was.

    Raises as `redraw`, and InvalidInput for cells that share no border (``not_neighbours``, ``same_cell``,
    ``unknown_cell``).
    """
    _change(
        house, actor, community_id, edition_id, lambda before: merge_cells(before.cells, kept_id, other_id), seen
    )


def throw_away(house: House, actor: Actor, community_id: str, edition_id: str) -> None:
    """Throw a draft away; NotFound when there is none, or when it was published."""
    demand_publisher(actor, community_id)
    with write(house.engine) as connection:
        if not store.remove_draft(connection, community_id, edition_id):
            raise NotFound("there is no such draft: a published edition stays")


def _change(
    house: House, actor: Actor, community_id: str, edition_id: str,
    change: Callable[[DraftEdition], tuple[Cell, ...]], seen: str | None, *,
    dropped: Collection[str] = (), found: Sequence[Problem] = (),
) -> None:  # fmt: skip
    demand_publisher(actor, community_id)
    draft, report = kept_draft(house, community_id, edition_id)
    if seen is not None and report.get("hash") != seen:
        raise _wrong("/hash", "stale_draft", "somebody has changed this draft meanwhile; look at it again")
    unknown = sorted(set(dropped) - set(unread_names(draft)))
    if unknown:
        raise _wrong("/drop", "nothing_unread", f"nothing of {', '.join(unknown)} is left unread in this draft")
    try:
        cells = change(draft)
    except GeoError as error:
        raise _wrong("", error.code, error.message) from error
    problems = (*still_true(draft, cells, dropped=dropped), *found)
    keep_changed(house, community_id, edition_id, replace(draft, cells=cells, problems=problems), report)


def _own(cell: Cell) -> dict[str, object]:
    return {name: value for name, value in cell.properties.items() if name not in _DERIVED}


def _wrong(pointer: str, code: str, message: str) -> InvalidInput:
    return InvalidInput(message, errors=[InputError(pointer, code, message)])
