"""Wrapped keys, read and written again some at a time while others work."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, Engine

from server.models import blob, data_key
from server.store.database import read, run

_TABLES = ((data_key.name, "subject_id", "wrapped"), (blob.name, "sha256", "wrapped_key"))
Place = tuple[str, str, str]
"""(table, community, id) of a wrapped key."""


def wrapped(engine: Engine, rows: int) -> Iterator[list[tuple[Place, bytes]]]:
    """Every wrapped key with its place, at most ``rows`` at a time, each time from a snapshot of its own."""
    for table, name, column in _TABLES:
        after = ("", "")
        while True:
            with read(engine) as connection:
                found = run(
                    connection,
                    f"SELECT community_id, {name}, {column} FROM {table} WHERE {column} IS NOT NULL "
                    f"AND (community_id > ? OR (community_id = ? AND {name} > ?)) ORDER BY community_id, {name} LIMIT ?",
                    (after[0], after[0], after[1], rows),
                ).all()
            if not found:
                break
            yield [((table, row[0], row[1]), bytes(row[2])) for row in found]
            after = (found[-1][0], found[-1][1])


def replace(connection: Connection, place: Place, before: bytes, after: bytes) -> bool:
    """Put a key wrapped anew in the place of the one that was read; False where it was destroyed or changed meanwhile."""
    table, community_id, one_id = place
    _, name, column = next(one for one in _TABLES if one[0] == table)
    statement = f"UPDATE {table} SET {column} = ? WHERE community_id = ? AND {name} = ? AND {column} = ?"
    result: Any = run(connection, statement, (after, community_id, one_id, before))
    return bool(result.rowcount)


def rewrapped_tables() -> list[str]:
    """The tables that hold wrapped keys."""
    return [table for table, _, _ in _TABLES]
