"""What planning and undoing the import of a table reads: living records with their versions; mappings that were used before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import Connection

from server.models import record, sheet_mapping
from server.store.database import insert_rows, rows_of, run
from server.store.scoping import among

_COLUMNS = ("id", "type", "life", "v", "tag", "fields")


def living(connection: Connection, community_id: str, kinds: Sequence[str]) -> Iterator[Any]:
    """(id, type, life, v, tag, fields) of every living record of these types of a community."""
    wanted, values = among("r.type", kinds)
    names = ", ".join(f"r.{name}" for name in _COLUMNS)
    statement = f"SELECT {names} FROM record r WHERE r.community_id = ? AND {wanted} AND r.life = 'live'"
    yield from run(connection, statement, (community_id, *values))


def some(connection: Connection, community_id: str, ids: Iterable[str]) -> list[Any]:
    """The same of these records, whatever their type and life."""
    return rows_of(connection, record, _COLUMNS, community_id, "id", sorted(set(ids)))


def written_by(connection: Connection, community_id: str, install_id: str) -> list[Any]:
    """(record id, v, units, life, subject, sealed) of every version that an install has written, the latest first."""
    return list(
        run(
            connection,
            "SELECT record_id, v, units, life, subject_id, sealed FROM history WHERE community_id = ? AND install_id = ?"
            " ORDER BY number DESC, v DESC",
            (community_id, install_id),
        )
    )


def created_by(connection: Connection, community_id: str, install_id: str) -> list[Any]:
    """(id, type, life, v, tag, stamps) of the records that an install has made."""
    return list(
        run(
            connection,
            "SELECT id, type, life, v, tag, stamps FROM record WHERE community_id = ? AND created_install = ? ORDER BY created_n DESC",
            (community_id, install_id),
        )
    )


def stamps_of(connection: Connection, community_id: str, ids: Iterable[str]) -> dict[str, Any]:
    """(id, type, life, v, tag, stamps) of records, by id."""
    rows = rows_of(connection, record, ("id", "type", "life", "v", "tag", "stamps"), community_id, "id", sorted(set(ids)))
    return {row.id: row for row in rows}


def placed_in(connection: Connection, community_id: str, ids: Iterable[str]) -> list[tuple[str, str]]:
    """(record, the one whose place is its place) of the living records that stand in one of these."""
    rows = rows_of(connection, record, ("id", "place_parent", "life"), community_id, "place_parent", sorted(ids))
    return [(row.id, row.place_parent) for row in rows if row.life == "live"]


def mapping_of(connection: Connection, community_id: str, heading_hash: str) -> Mapping[str, str | None] | None:
    """The mapping that was last used for a table with these headings."""
    statement = "SELECT mapping FROM sheet_mapping WHERE community_id = ? AND heading_hash = ?"
    found = run(connection, statement, (community_id, heading_hash)).scalar()
    return None if found is None else dict(orjson.loads(found))


def keep_mapping(connection: Connection, community_id: str, heading_hash: str, mapping: Mapping[str, str | None], at: str) -> None:
    """Remember a mapping of headings to targets for the next table of this kind."""
    row = (community_id, heading_hash, orjson.dumps(dict(mapping)).decode(), at)
    tail = "ON CONFLICT (community_id, heading_hash) DO UPDATE SET mapping = excluded.mapping, used_at = excluded.used_at"
    insert_rows(connection, sheet_mapping, ("community_id", "heading_hash", "mapping", "used_at"), [row], tail)
