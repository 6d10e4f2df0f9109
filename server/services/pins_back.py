"""Which cells of an earlier edition had the ground of later ones: pins that followed their cell are led back to it (L4)."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Any

from server.store import places as store

if TYPE_CHECKING:
    from server.store.database import Connection

_Shares = dict[str, dict[str, float]]


def heirs_now(connection: Connection, community_id: str, cells: Collection[str]) -> dict[str, list[tuple[str, float]]]:
    """Of cells that are gone: the cells in force that have their ground, with the share of it that each has, largest first.

    One whose ground was all given up since is left out.
    """
    present = store.published_edition(connection, community_id)
    now = present.edition_id if present is not None else None
    after: _Shares | None = None
    found: dict[str, list[tuple[str, float]]] = {}
    while now is not None and (left := set(cells) - found.keys()):
        rows = store.lineage_rows(connection, community_id, now)
        after = _through(((row.old_cell_id, row.new_cell_id, row.share_of_old) for row in rows if row.counts), after)
        for cell in left & after.keys():
            found[cell] = sorted(after[cell].items(), key=lambda one: (-one[1], one[0]))
        now = rows[0].from_edition_id if rows else None
    return found


def forebears(connection: Connection, community_id: str, edition_id: str) -> dict[str, tuple[str, ...]]:
    """Of every cell of the editions behind one: the cells of that one which its ground comes from, most of it first.

    By the lineage that was kept when each was published; what is too little to count is left out, and so are cells whose
    ground came in later. Empty for the edition in force, and for one that does not lead to it.
    """
    present = store.published_edition(connection, community_id)
    steps: list[list[Any]] = []
    now = present.edition_id if present is not None else edition_id
    while now != edition_id:
        rows = store.lineage_rows(connection, community_id, now)
        if not rows or rows[0].from_edition_id is None or len(steps) > 10_000:
            return {}
        steps.append([row for row in rows if row.counts])
        now = rows[0].from_edition_id
    shares: _Shares = {}
    before: _Shares | None = None
    for step in reversed(steps):
        before = _through(((row.new_cell_id, row.old_cell_id, row.share_of_new) for row in step), before)
        shares |= before
    return {
        cell: tuple(sorted(found, key=lambda one: (-found[one], one))) for cell, found in shares.items()
    }  # fmt: skip


def _through(parts: Iterable[tuple[str, str, float]], known: _Shares | None) -> _Shares:
    """One step on: (cell, cell beside it in the next edition, share of its ground) to the shares of each in the cells at the end.

    ``known`` : the shares of the next edition's cells; None where that is the end itself. Ground that does not reach it is left out.
    """
    made: _Shares = {}
    for cell, beside, share in parts:
        reached = known.get(beside, {}) if known is not None else {beside: 1.0} if beside else {}
        for end, part in reached.items() if cell else ():
            shares = made.setdefault(cell, {})
            shares[end] = shares.get(end, 0.0) + part * share
    return made
