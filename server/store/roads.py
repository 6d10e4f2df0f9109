"""The road network of a community."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from server.models import road_network
from server.store.database import insert_rows, run

_FACTS = "name, datum, joins, content_hash, line_count, length_m, added_at, added_by"
_COLUMNS = (
    "community_id", "name", "datum", "joins", "lines", "content_hash", "line_count", "length_m", "added_at", "added_by"
)  # fmt: skip


def facts(connection: Connection, community_id: str) -> Any | None:
    """What is known of the network, without its lines; None where there is none."""
    return run(connection, f"SELECT {_FACTS} FROM road_network WHERE community_id = ?", (community_id,)).first()


def lines(connection: Connection, community_id: str) -> bytes | None:
    """The lines as WKB; None where there is no network."""
    found = run(connection, "SELECT lines FROM road_network WHERE community_id = ?", (community_id,)).scalar()
    return None if found is None else bytes(found)


def replace(connection: Connection, row: Sequence[Any]) -> None:
    """Keep a network in the place of the one before."""
    remove(connection, str(row[0]))
    insert_rows(connection, road_network, _COLUMNS, [tuple(row)])


def remove(connection: Connection, community_id: str) -> bool:
    """Whether there was one."""
    return bool(run(connection, "DELETE FROM road_network WHERE community_id = ?", (community_id,)).rowcount)
