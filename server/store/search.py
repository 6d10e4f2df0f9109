"""Exact search by keyed hashes: the tree ``record_index``, and in front of it the entries that are not yet in it.

A hash lands anywhere in the tree, so that each new record would change pages all over it. New entries are kept in one
row per journal entry instead, and go into the tree some ten thousands at a time, in its order. Who searches looks at both.
"""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Iterable, Sequence
from uuid import UUID

from sqlalchemy import Connection

from server.models import record_index, record_index_new
from server.store.database import delete_rows, insert_rows, rows_of, run
from server.store.scoping import Condition, among, is_postgres

Entries = Sequence[bytes]
"""Each the eight bytes of a search key (`KeyRing.search_bytes`) and the sixteen of a record's id."""

MOST_NEW = 40_000
"""So many entries of a community wait at most; to look through them takes some milliseconds."""
_MOST_ROWS = 400

_ENTRY = struct.Struct(">q16s")
_COLUMNS = ("community_id", "key", "record_uuid")


def id_bytes(record_id: str) -> bytes:
    """The sixteen bytes of a record's id."""
    return bytes.fromhex(record_id.replace("-", ""))


def write_index(connection: Connection, community_id: str, number: int, old: Entries, new: Entries) -> None:
    """Search entries that went and that came with a journal entry.

    SQLite: where any went, all go to the tree at once. PostgreSQL: only the rows that hold what went are written, so that pushes in
    different cells do not wait for each other.
    """
    if old and is_postgres(connection):
        _take_out(connection, community_id, old)
    elif old:
        fold(connection, community_id)
        delete_rows(connection, record_index, _COLUMNS, [(community_id, *_ENTRY.unpack(one)) for one in old])
        _into_tree(connection, community_id, map(_ENTRY.unpack, new))
        return
    if new:
        rows = [(community_id, number, b"".join(new))]
        insert_rows(connection, record_index_new, ("community_id", "number", "entries"), rows)
        statement = "SELECT count(*), sum(length(entries)) FROM record_index_new WHERE community_id = ?"
        count, size = run(connection, statement, (community_id,)).one()
        if count > _MOST_ROWS or size > MOST_NEW * _ENTRY.size:
            fold(connection, community_id, all_of_them=False)


def _take_out(connection: Connection, community_id: str, old: Entries) -> None:
    """PostgreSQL: these entries are neither in new rows nor in the tree any more.

    New rows first: one that somebody brings into the tree meanwhile is awaited, and then found there.
    """
    gone = frozenset(old)
    size = _ENTRY.size
    rows = run(connection, "SELECT number, entries FROM record_index_new WHERE community_id = ?", (community_id,)).all()
    holding = [row[0] for row in rows if any(one in bytes(row[1]) for one in gone)]
    # Read again under the lock of each row: what another push has taken out meanwhile must not come back.
    wanted, numbers = among("number", holding)
    statement = f"SELECT number, entries FROM record_index_new WHERE community_id = ? AND {wanted} ORDER BY number FOR UPDATE"
    for number, raw in run(connection, statement, (community_id, *numbers)).all() if holding else ():
        entries = bytes(raw)
        left = b"".join(one for at in range(0, len(entries), size) if (one := entries[at : at + size]) not in gone)
        if len(left) < len(entries):
            statement = "UPDATE record_index_new SET entries = ? WHERE community_id = ? AND number = ?"
            run(connection, statement, (left, community_id, number))
    delete_rows(connection, record_index, _COLUMNS, [(community_id, *_ENTRY.unpack(one)) for one in old])


def fold(connection: Connection, community_id: str, *, all_of_them: bool = True) -> None:
    """Bring the new entries of a community into the tree; unless all, those that nobody else is writing at this moment."""
    where = "community_id = ?"
    if not all_of_them and is_postgres(connection):
        where = "(community_id, number) IN (SELECT community_id, number FROM record_index_new WHERE community_id = ? FOR UPDATE SKIP LOCKED)"
    gone = run(connection, f"DELETE FROM record_index_new WHERE {where} RETURNING entries", (community_id,))
    _into_tree(connection, community_id, [entry for row in gone for entry in _ENTRY.iter_unpack(bytes(row[0]))])


def _into_tree(connection: Connection, community_id: str, entries: Iterable[tuple[int, bytes]]) -> None:
    rows = sorted({(community_id, *one) for one in entries})
    insert_rows(connection, record_index, _COLUMNS, rows, "ON CONFLICT DO NOTHING")


def new_entries(connection: Connection, community_id: str) -> list[tuple[int, bytes]]:
    """(search key, 16 bytes of the record's id) of the entries that are not in the tree."""
    rows = run(connection, "SELECT entries FROM record_index_new WHERE community_id = ?", (community_id,))
    return [entry for row in rows for entry in _ENTRY.iter_unpack(bytes(row[0]))]


def found_under(connection: Connection, community_id: str, keys: Sequence[int]) -> list[tuple[int, str]]:
    """(search key, record id) of the records that have one of these search keys; none twice."""
    if not keys:
        return []
    wanted = frozenset(keys)
    found = {entry for entry in new_entries(connection, community_id) if entry[0] in wanted}
    rows = rows_of(connection, record_index, ("key", "record_uuid"), community_id, "key", sorted(wanted))
    found.update((int(row[0]), bytes(row[1])) for row in rows)
    return sorted((key, str(UUID(bytes=record_uuid))) for key, record_uuid in found)


def shared(connection: Connection, community_id: str, most: int = 60) -> dict[int, list[str]]:
    """Search key → ids of the records that have it, of the keys that two to ``most`` records have."""
    statement = f"SELECT key FROM record_index WHERE community_id = ? GROUP BY key HAVING count(*) BETWEEN 2 AND {most:d}"
    keys = {int(row[0]) for row in run(connection, statement, (community_id,))}
    keys.update(key for key, _ in new_entries(connection, community_id))
    found: dict[int, list[str]] = defaultdict(list)
    for key, record_id in found_under(connection, community_id, sorted(keys)):
        found[key].append(record_id)
    return {key: ids for key, ids in found.items() if 2 <= len(ids) <= most}


_ID_POSTGRES = "encode(x.record_uuid, 'hex')::uuid::text"
_ID_SQLITE = "lower(" + " || '-' || ".join(
    f"substr(hex(x.record_uuid), {start}, {length})" for start, length in ((1, 8), (9, 4), (13, 4), (17, 4), (21, 12))
) + ")"  # fmt: skip


def indexed(connection: Connection, key: int, community_id: str) -> Condition:
    """Records ``r`` with this search key (the keyed hash of an indexed field and its normalised text)."""
    record_id = _ID_POSTGRES if is_postgres(connection) else _ID_SQLITE
    condition = f"r.id IN (SELECT {record_id} FROM record_index x WHERE x.community_id = ? AND x.key = ?)"
    fresh = [str(UUID(bytes=one)) for its_key, one in new_entries(connection, community_id) if its_key == key]
    if not fresh:
        return condition, [community_id, key]
    also, ids = among("r.id", fresh)
    return f"({condition} OR {also})", [community_id, key, *ids]
