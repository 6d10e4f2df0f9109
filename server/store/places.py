"""Communities, editions and cells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from server.models import cell, cell_lineage, community, edition
from server.store.database import insert_rows, run
from server.store.moving import PINNED_SQL

_LINEAGE = (
    "community_id", "edition_id", "old_cell_id", "new_cell_id", "from_edition_id", "kind", "area_m2", "share_of_old",
    "share_of_new", "households", "household_share_of_old", "household_share_of_new", "counts",
)  # fmt: skip
_CELL = (
    "cell_id", "code", "name", "order_number", "geometry", "area_m2", "label_lon", "label_lat", "properties"
)  # fmt: skip


def community_row(connection: Connection, community_id: str) -> Any | None:
    """One community; None when it is not there."""
    return run(
        connection,
        "SELECT community_id, code, name, subdistrict_code, district_code, code_profile, boundary, placement_version "
        "FROM community WHERE community_id = ?",
        (community_id,),
    ).first()


def insert_community(connection: Connection, row: Sequence[Any]) -> None:
    """A new community: id, code, name, subdistrict code, district code, profile, boundary, created_at."""
    columns = (
        "community_id", "code", "name", "subdistrict_code", "district_code", "code_profile", "boundary", "created_at"
    )  # fmt: skip
    insert_rows(connection, community, columns, [row])


def set_boundary(connection: Connection, community_id: str, boundary: bytes) -> None:
    """Keep the outline of a community."""
    run(connection, "UPDATE community SET boundary = ? WHERE community_id = ?", (boundary, community_id))


def published_edition(connection: Connection, community_id: str, layer: str = "base") -> Any | None:
    """The edition in force in a layer; None before the first is published."""
    return run(
        connection,
        "SELECT edition_id, layer, number, profile, content_hash, published_at, certificate FROM edition "
        "WHERE community_id = ? AND layer = ? AND state = 'published'",
        (community_id, layer),
    ).first()


def published_editions(connection: Connection, community_id: str) -> dict[str, Any]:
    """The edition in force of each layer: id and content hash."""
    rows = run(
        connection,
        "SELECT layer, edition_id, content_hash FROM edition WHERE community_id = ? AND state = 'published'",
        (community_id,),
    )
    return {row.layer: row for row in rows}


def dedicated_cells(connection: Connection, community_id: str) -> frozenset[str]:
    """Ids of every dedicated cell that was ever in force."""
    rows = run(
        connection,
        "SELECT DISTINCT c.cell_id FROM cell c JOIN edition e ON e.community_id = c.community_id "
        "AND e.edition_id = c.edition_id WHERE e.community_id = ? AND e.layer = 'dedicated' AND e.state <> 'draft'",
        (community_id,),
    )
    return frozenset(row.cell_id for row in rows)


def editions_of(connection: Connection, community_id: str) -> list[Any]:
    """Every edition, oldest first."""
    return list(
        run(
            connection,
            "SELECT edition_id, layer, number, state, profile, content_hash, certificate, created_at, published_at, "
            "published_by, journal_number FROM edition WHERE community_id = ? ORDER BY layer, number",
            (community_id,),
        )
    )


def cells_of(connection: Connection, community_id: str, edition_id: str) -> list[Any]:
    """The cells of an edition in code order."""
    names = ", ".join(_CELL)
    return list(
        run(
            connection,
            f"SELECT {names} FROM cell WHERE community_id = ? AND edition_id = ? ORDER BY code, cell_id",
            (community_id, edition_id),
        )
    )


def retired_codes(connection: Connection, community_id: str, edition_id: str) -> set[str]:
    """Codes of other editions that were in force once; a code is never given to another cell."""
    rows = run(
        connection,
        "SELECT DISTINCT c.code FROM cell c JOIN edition e ON e.community_id = c.community_id "
        "AND e.edition_id = c.edition_id WHERE c.community_id = ? AND e.edition_id <> ? AND e.state <> 'draft'",
        (community_id, edition_id),
    )
    return {row.code for row in rows}


def insert_edition(connection: Connection, row: Sequence[Any]) -> None:
    """A draft: community, edition, layer, number, state, profile, certificate, content hash, created_at."""
    columns = (
        "community_id", "edition_id", "layer", "number", "state", "profile", "certificate", "content_hash", "created_at"
    )  # fmt: skip
    insert_rows(connection, edition, columns, [row])


def insert_cells(connection: Connection, rows: Sequence[Sequence[Any]]) -> None:
    """Cells: community, edition, then cell_id, code, name, order, geometry, area, label lon and lat, properties."""
    insert_rows(connection, cell, ("community_id", "edition_id", *_CELL), rows)


def put_in_force(
    connection: Connection, community_id: str, edition_id: str, layer: str, at: str, by: str, number: int
) -> None:
    """Publish one edition and retire the one before it; ``number`` is the journal entry that tells what moved."""
    run(
        connection,
        "UPDATE edition SET state = 'retired' WHERE community_id = ? AND layer = ? AND state = 'published'",
        (community_id, layer),
    )
    run(
        connection,
        "UPDATE edition SET state = 'published', published_at = ?, published_by = ?, journal_number = ? "
        "WHERE community_id = ? AND edition_id = ?",
        (at, by, number, community_id, edition_id),
    )


def located_ids(connection: Connection, community_id: str) -> list[str]:
    """Every record, for a re-placement of the whole community."""
    rows = run(connection, "SELECT id FROM record WHERE community_id = ?", (community_id,))
    return [row.id for row in rows]


def replace_cells(
    connection: Connection, community_id: str, edition_id: str, rows: Sequence[Sequence[Any]], certificate: str, content_hash: str
) -> None:
    """Give a draft other cells and the certificate that goes with them."""
    run(connection, "DELETE FROM cell WHERE community_id = ? AND edition_id = ?", (community_id, edition_id))
    insert_cells(connection, rows)
    run(
        connection,
        "UPDATE edition SET certificate = ?, content_hash = ? WHERE community_id = ? AND edition_id = ? AND state = 'draft'",
        (certificate, content_hash, community_id, edition_id),
    )


def remove_draft(connection: Connection, community_id: str, edition_id: str) -> bool:
    """Throw a draft away with its cells; False where there is no such draft."""
    found = run(
        connection,
        "DELETE FROM edition WHERE community_id = ? AND edition_id = ? AND state = 'draft' RETURNING edition_id",
        (community_id, edition_id),
    ).all()
    if not found:
        return False
    run(connection, "DELETE FROM cell WHERE community_id = ? AND edition_id = ?", (community_id, edition_id))
    return True


def household_anchors(connection: Connection, community_id: str) -> list[Any]:
    """Households by where they live: lon, lat of the entrance or building that places them, and how many."""
    return list(
        run(
            connection,
            "SELECT coalesce(a.lon, b.lon, c.lon, d.lon) AS lon, coalesce(a.lat, b.lat, c.lat, d.lat) AS lat, "
            "count(*) AS households FROM record h "
            "JOIN record a ON a.community_id = h.community_id AND a.id = h.place_parent "
            "LEFT JOIN record b ON b.community_id = a.community_id AND b.id = a.place_parent "
            "LEFT JOIN record c ON c.community_id = b.community_id AND c.id = b.place_parent "
            "LEFT JOIN record d ON d.community_id = c.community_id AND d.id = c.place_parent "
            "WHERE h.community_id = ? AND h.type = 'household' AND h.life = 'live' "
            "AND coalesce(a.lon, b.lon, c.lon, d.lon) IS NOT NULL GROUP BY 1, 2 ORDER BY 1, 2",
            (community_id,),
        )
    )


def household_holders(connection: Connection, community_id: str) -> list[Any]:
    """What places live households by a point or a pin of its own: id, home, lon, lat, is_pinned, how many households."""
    return list(
        run(
            connection,
            f"SELECT r.id, r.home, r.lon, r.lat, CASE WHEN {PINNED_SQL} THEN 1 ELSE 0 END AS is_pinned, x.households FROM "
            "(SELECT coalesce(d.id, c.id, b.id, a.id) AS holder, count(*) AS households FROM record h "
            "JOIN record a ON a.community_id = h.community_id AND a.id = h.place_parent "
            "LEFT JOIN record b ON b.community_id = a.community_id AND b.id = a.place_parent "
            "LEFT JOIN record c ON c.community_id = b.community_id AND c.id = b.place_parent "
            "LEFT JOIN record d ON d.community_id = c.community_id AND d.id = c.place_parent "
            "WHERE h.community_id = ? AND h.type = 'household' AND h.life = 'live' GROUP BY 1) x "
            "JOIN record r ON r.community_id = ? AND r.id = x.holder "
            f"WHERE r.lon IS NOT NULL OR {PINNED_SQL} ORDER BY r.id",
            (community_id, community_id),
        )
    )


def holds_more_than(connection: Connection, community_id: str, count: int) -> bool:
    """Whether a community has more records than that; no more are counted."""
    found = run(connection, "SELECT 1 FROM record WHERE community_id = ? LIMIT 1 OFFSET ?", (community_id, count))
    return found.first() is not None


def insert_lineage(connection: Connection, rows: Sequence[Sequence[Any]]) -> None:
    """What became of the cells that an edition replaced, in the order of the columns."""
    insert_rows(connection, cell_lineage, _LINEAGE, rows)


def lineage_rows(connection: Connection, community_id: str, edition_id: str) -> list[Any]:
    """The lineage kept with an edition; [] for drafts."""
    names = ", ".join(_LINEAGE)
    return list(
        run(
            connection,
            f"SELECT {names} FROM cell_lineage WHERE community_id = ? AND edition_id = ? "
            "ORDER BY old_cell_id = '', old_cell_id, new_cell_id = '', new_cell_id",
            (community_id, edition_id),
        )
    )
