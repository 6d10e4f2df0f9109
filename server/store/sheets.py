"""What planning and undoing the import of a table reads: living records with their versions; mappings that were used before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import Connection

from server.models import history, record, sheet_mapping
from server.store.database import insert_rows, rows_of, run
from server.store.scoping import among

_COLUMNS = ("id", "type", "life", "v", "tag", "fields")


def living(connection: Connection, community_id: str, kinds: Sequence[str], size: int = 2_000) -> Iterator[list[Any]]:
    """(id, type, life, v, tag, fields) of every living record of these types of a community, page by page in the order of their ids."""
    wanted, values = among("r.type", kinds)
    names = ", ".join(f"r.{name}" for name in _COLUMNS)
    statement = f"SELECT {names} FROM record r WHERE r.community_id = ? AND r.id > ? AND {wanted} AND r.life = 'live' ORDER BY r.id LIMIT ?"
    after = ""
    while rows := list(run(connection, statement, (community_id, after, *values, size))):
        yield rows
        after = rows[-1].id


def some(connection: Connection, community_id: str, ids: Iterable[str]) -> list[Any]:
    """The same of these records, whatever their type and life."""
    return rows_of(connection, record, _COLUMNS, community_id, "id", sorted(set(ids)))


def persons_of(connection: Connection, community_id: str, household_ids: Iterable[str]) -> list[Any]:
    """(id, place_parent, fields) of the living persons in these households."""
    rows = rows_of(connection, record, ("id", "type", "life", "place_parent", "fields"), community_id, "place_parent", sorted(household_ids))
    return [row for row in rows if row.type == "person" and row.life == "live"]


def written_by(connection: Connection, community_id: str, install_id: str, record_ids: Sequence[str]) -> list[Any]:
    """(record id, v, units, life, subject, sealed, install, number) of the versions of these records that an install has written,
    the latest first."""
    columns = ("record_id", "v", "units", "life", "subject_id", "sealed", "install_id", "number")
    rows = rows_of(connection, history, columns, community_id, "record_id", sorted(record_ids))
    return sorted((row for row in rows if row.install_id == install_id), key=lambda row: (row.number, row.v), reverse=True)


def made_by(connection: Connection, community_id: str, install_id: str) -> Iterator[str]:
    """Ids of the living records that an install has made, the latest first."""
    statement = "SELECT id FROM record WHERE community_id = ? AND created_install = ? AND life = 'live' ORDER BY created_n DESC"
    for row in run(connection, statement, (community_id, install_id)):
        yield row[0]


def changed_by(connection: Connection, community_id: str, install_id: str) -> Iterator[str]:
    """Ids of the records that an install has changed and others have made, in order."""
    statement = (
        "SELECT DISTINCT h.record_id FROM history h JOIN record r ON r.community_id = h.community_id AND r.id = h.record_id"
        " WHERE h.community_id = ? AND h.install_id = ? AND r.created_install <> ? AND r.life = 'live' ORDER BY h.record_id"
    )
    for row in run(connection, statement, (community_id, install_id, install_id)):
        yield row[0]


def stamps_of(connection: Connection, community_id: str, ids: Iterable[str]) -> dict[str, Any]:
    """(id, type, life, v, tag, stamps, created_install) of records, by id."""
    rows = rows_of(connection, record, ("id", "type", "life", "v", "tag", "stamps", "created_install"), community_id, "id", sorted(set(ids)))
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
