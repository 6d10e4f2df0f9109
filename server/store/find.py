"""What the search box looks through: records of a community as they are, and which of them have changed since."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import Connection

from server.models import record
from server.store.database import rows_of, run
from server.store.scoping import among

_COLUMNS = ("id", "type", "life", "home", "v", "fields")


def heads(connection: Connection, community_id: str) -> dict[str, tuple[int, int]]:
    """(seq, floor) of every stream of the community that records can stand in: cells and what is unplaced."""
    return {
        row[0]: (int(row[1]), int(row[2]))
        for row in run(
            connection,
            "SELECT stream_id, seq, floor FROM stream WHERE community_id = ? "
            "AND (stream_id LIKE 'cell/%' OR stream_id = '~unplaced')",
            (community_id,),
        )
    }


def changed(connection: Connection, community_id: str, since: Iterable[tuple[str, int]]) -> set[str]:
    """Ids of the records that entered, changed in or left these streams after a sequence number."""
    found: set[str] = set()
    for stream_id, seq in since:
        found |= {
            row[0]
            for row in run(
                connection,
                "SELECT record_id FROM feed WHERE community_id = ? AND stream_id = ? AND seq > ?",
                (community_id, stream_id, seq),
            )
        }
    return found


def all_of(connection: Connection, community_id: str, kinds: Sequence[str]) -> Iterator[Any]:
    """(id, type, life, home, v, fields) of every live record of these types. Cut by no scope: see `services.find`."""
    wanted, values = among("r.type", kinds)
    yield from run(
        connection,
        f"SELECT r.id, r.type, r.life, r.home, r.v, r.fields FROM record r WHERE r.community_id = ? AND {wanted} "
        "AND r.life = 'live'",
        (community_id, *values),
    )


def some_of(connection: Connection, community_id: str, ids: Iterable[str]) -> list[Any]:
    """The same of these records, whatever their type and life."""
    return rows_of(connection, record, _COLUMNS, community_id, "id", sorted(ids))
