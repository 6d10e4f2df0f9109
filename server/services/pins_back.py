"""Which cells of an earlier edition had the ground of later ones: pins that followed their cell are led back to it (L4)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from server.store import places as store

if TYPE_CHECKING:
    from server.store.database import Connection


def heirs_now(connection: Connection, community_id: str, cells: Collection[str]) -> dict[str, list[tuple[str, float]]]:
    """Of cells that are gone: the cells in force that have their ground, with the share of it that each has, largest first."""
    present = store.published_edition(connection, community_id)
    now = present.edition_id if present is not None else None
    after: dict[str, dict[str, float]] = {}  # of the cells of the edition that is walked from: their shares in cells in force
    found: dict[str, list[tuple[str, float]]] = {}
    while now is not None and (left := set(cells) - found.keys()):
        rows = store.lineage_rows(connection, community_id, now)
        before: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
        for row in rows:
            if row.counts and row.old_cell_id and row.new_cell_id:
                for cell, share in after.get(row.new_cell_id, {row.new_cell_id: 1.0}).items():
                    before[row.old_cell_id][cell] += row.share_of_old * share
        for cell in left & before.keys():
            found[cell] = sorted(before[cell].items(), key=lambda one: (-one[1], one[0]))
        after, now = before, rows[0].from_edition_id if rows else None
    return found


def forebears(connection: Connection, community_id: str, edition_id: str) -> dict[str, tuple[str, ...]]:
    """Of every cell of the editions behind one: the cells of that one which its ground comes from, most of it first.

    By the lineage that was kept when each was published; what is too little to count is left out. Empty for the edition in
    force, and for one that does not lead to it.
    """
    present = store.published_edition(connection, community_id)
    steps: list[list[Any]] = []
    now = present.edition_id if present is not None else edition_id
    while now != edition_id:
        rows = store.lineage_rows(connection, community_id, now)
        if not rows or rows[0].from_edition_id is None or len(steps) > 10_000:
            return {}
        steps.append([row for row in rows if row.counts and row.old_cell_id and row.new_cell_id])
        now = rows[0].from_edition_id
    shares: dict[str, dict[str, float]] = {}
    for step in reversed(steps):
        after: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
        for row in step:
            for cell, share in shares.get(row.old_cell_id, {row.old_cell_id: 1.0}).items():
                after[row.new_cell_id][cell] += share * row.share_of_new
        shares |= after
    return {
        cell: tuple(sorted(found, key=lambda one: (-found[one], one))) for cell, found in shares.items()
    }  # fmt: skip
