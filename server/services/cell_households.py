"""How many households stand in each cell of a division, in force or not: by the pin of what places them, else by where that lies (L3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from geo.cell import BASE_LAYER, Cell
from geo.lineage import trace
from geo.locate import CellIndex
from server.permissions import cell_stream
from server.services.drafts import cells_in_force, is_sound
from server.services.footing import footing_of
from server.services.move_plan import Planner
from server.services.places import Places
from server.store import places as store

if TYPE_CHECKING:
    from server.house import House
    from server.store.database import Connection


def count_households(
    connection: Connection, house: House, community_id: str, cells: Sequence[Cell], *, in_force: bool = False
) -> tuple[dict[str, int], int]:
    """Households today by the code of each cell, 0 where there are none; and how many stand in no cell.

    Parameters
    ----------
    cells : of one layer, under the identities that they have or would have
    in_force : they are the cells of now; else a pin goes where putting them in force would take it (S29)
    """
    index = CellIndex(cells, layer=None)
    holders = store.household_holders(connection, community_id)
    number = np.array([one.households for one in holders], dtype=np.int64)
    at = index.locate_many(lons=np.array([one.lon for one in holders], dtype=float), lats=np.array([one.lat for one in holders], dtype=float))
    pinned = [one for one in holders if one.is_pinned]
    if pinned and cells and cells[0].layer == BASE_LAYER:
        homes = {one.id: one.home for one in pinned}
        if not in_force:
            sound = [cell for cell in cells if is_sound(cell)]
            lineage = trace(cells_in_force(connection, community_id, BASE_LAYER), sound)
            planner = Planner(house.registry, community_id, Places(None, index, {}), lineage)
            moves = planner.plan(connection, 0, footing=footing_of(connection, house.registry, community_id, list(homes))).moves
            homes |= {name: moves[name].to_home for name in homes.keys() & moves.keys()}
        position = {cell_stream(cell_id): place for place, cell_id in enumerate(index.cell_ids)}
        for place, one in enumerate(holders):
            if one.is_pinned:
                at[place] = position.get(homes[one.id], -1)
    counted = np.bincount(at[at >= 0], weights=number[at >= 0], minlength=len(index))
    by_code = dict.fromkeys(index.codes, 0)
    for code, many in zip(index.codes, counted, strict=True):  # a draft may have one code twice
        by_code[code] += int(many)
    return by_code, int(number[at < 0].sum())
