"""What became of each cell between two editions of a community, with shares of ground and households (L4)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from geo.cell import BASE_LAYER, Cell
from geo.lineage import KINDS, Lineage, Part, keep_identities, trace
from server.errors import NotFound
from server.services.drafts import cells_in_force, edition_row
from server.services.places import cell_of_row
from server.store import places as store
from server.store.database import read

if TYPE_CHECKING:
    from server.house import House
    from server.services.footing import Footing
    from server.store.database import Connection


def between(
    connection: Connection, community_id: str, old: Iterable[Cell], new: Iterable[Cell], footing: Footing | None = None
) -> Lineage:
    """The lineage from some cells to others, with the households that live there today; ``footing`` where the caller has read it."""
    if footing is not None:
        lons, lats = footing.household_points()
        return trace(old, new, lons=lons, lats=lats, households=np.ones(len(lons), dtype=int))
    anchors = store.household_anchors(connection, community_id)
    return trace(
        old,
        new,
        lons=[row.lon for row in anchors],
        lats=[row.lat for row in anchors],
        households=[row.households for row in anchors],
    )


def lineage_of(house: House, community_id: str, edition_id: str, *, against: str | None = None) -> dict[str, Any]:
    """How an edition differs from another one.

    Parameters
    ----------
    against : the other edition; None: the one that it replaced when it was published, for a draft the one in force

    Returns
    -------
    dict
        ``from`` and ``to`` (editions; from is None for a first one), ``counts`` of old cells by kind, ``kinds`` with their
        words, ``renamed`` (how many go on under another code or name), and ``parts``. What was kept at publishing is told as it was then.

    Raises
    ------
    NotFound
    """
    with read(house.engine) as connection:
        to = edition_row(connection, community_id, edition_id)
        kept = store.lineage_rows(connection, community_id, edition_id)
        before_id = kept[0].from_edition_id if kept else None
        if against is None and to.state != "draft":
            against = before_id
        elif against is None:
            standing = store.published_edition(connection, community_id, to.layer)
            against = standing.edition_id if standing is not None else None
        before = edition_row(connection, community_id, against) if against else None
        if before is not None and before.layer != to.layer:
            raise NotFound("there is no such edition of this layer")
        new = _cells(connection, community_id, to)
        old = _cells(connection, community_id, before) if before is not None else []
        if kept and against == before_id:
            parts = [_kept(row) for row in kept]
        else:
            parts = list(between(connection, community_id, old, new).parts)
    told = parts_told(parts, old, new)
    return {
        "from": edition_told(before),
        "to": edition_told(to),
        "kinds": {kind: {"zh": zh, "en": en} for kind, (zh, en) in KINDS.items()},
        "counts": counts_of(parts),
        "renamed": sum(1 for one in told if one["renamed"]),
        "parts": told,
    }


def against_published(house: House, community_id: str, cells: Sequence[Cell]) -> tuple[list[Cell], list[Cell], Lineage]:
    """Cells of one layer against the edition in force: its cells, the given ones that are sound, and the lineage."""
    sound = [cell for cell in cells if cell.geometry.is_valid and not cell.geometry.is_empty]
    layer = sound[0].layer if sound else BASE_LAYER
    with read(house.engine) as connection:
        standing = cells_in_force(connection, community_id, layer)
        kept = keep_identities(sound, standing)
        return standing, kept, between(connection, community_id, standing, kept)


def counts_of(parts: Iterable[Part]) -> dict[str, int]:
    """Cells by what became of them: old ones, and new ones on new ground."""
    found = Counter(dict.fromkeys(KINDS, 0))
    seen: set[tuple[bool, str]] = set()
    for part in parts:
        cell = (True, part.old_id) if part.old_id is not None else (False, str(part.new_id))
        if part.counts and (part.old_id is not None or part.kind == "new") and cell not in seen:
            seen.add(cell)
            found[part.kind] += 1
    return dict(found)


def parts_told(parts: Iterable[Part], old: Sequence[Cell], new: Sequence[Cell]) -> list[dict[str, Any]]:
    """Parts with the codes and names of their cells; ``renamed`` where a cell goes on under another code or name."""
    before, after = {cell.cell_id: cell for cell in old}, {cell.cell_id: cell for cell in new}
    return [
        {
            "kind": part.kind,
            "renamed": _is_renamed(part, before, after),
            "old": _cell_told(before.get(part.old_id or "")),
            "new": _cell_told(after.get(part.new_id or "")),
            "area_m2": part.area_m2,
            "share_of_old": part.share_of_old,
            "share_of_new": part.share_of_new,
            "households": part.households,
            "household_share_of_old": part.household_share_of_old,
            "household_share_of_new": part.household_share_of_new,
            "counts": part.counts,
        }
        for part in parts
    ]


def _is_renamed(part: Part, before: Mapping[str, Cell], after: Mapping[str, Cell]) -> bool:
    """Whether one cell goes on as one cell under another code or name."""
    old, new = before.get(part.old_id or ""), after.get(part.new_id or "")
    if old is None or new is None or not part.counts or part.kind not in ("same", "reshape"):
        return False
    return (old.code, old.name) != (new.code, new.name)


def edition_told(row: Any | None) -> dict[str, Any] | None:
    """Which edition it is."""
    if row is None:
        return None
    return {"edition_id": row.edition_id, "layer": row.layer, "number": row.number, "published_at": row.published_at}


def lineage_rows(community_id: str, edition_id: str, from_edition_id: str | None, lineage: Lineage) -> list[tuple[Any, ...]]:
    """A lineage as it is kept with the edition that it led to."""
    return [
        (
            community_id, edition_id, part.old_id or "", part.new_id or "", from_edition_id, part.kind, part.area_m2,
            part.share_of_old, part.share_of_new, part.households, part.household_share_of_old,
            part.household_share_of_new, int(part.counts),
        )
        for part in lineage.parts
    ]  # fmt: skip


def _kept(row: Any) -> Part:
    return Part(
        row.old_cell_id or None, row.new_cell_id or None, row.kind, row.area_m2, row.share_of_old, row.share_of_new,
        row.households, row.household_share_of_old, row.household_share_of_new, bool(row.counts),
    )  # fmt: skip


def _cells(connection: Connection, community_id: str, row: Any) -> list[Cell]:
    found = [cell_of_row(one, row.layer) for one in store.cells_of(connection, community_id, row.edition_id)]
    # A draft may be broken: what has no sound outline cannot be measured.
    return [cell for cell in found if cell.geometry.is_valid and not cell.geometry.is_empty]


def _cell_told(cell: Cell | None) -> dict[str, str] | None:
    return None if cell is None else {"cell_id": cell.cell_id, "code": cell.code, "name": cell.name}
