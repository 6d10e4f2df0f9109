"""Pairs of records of which somebody has said that they are not the same; who is in care."""

from __future__ import annotations

from sqlalchemy import Connection, delete

from server.models import distinct_pair
from server.permissions import Scope
from server.store.database import insert_rows, run
from server.store.scoping import json_text, record_cut


def distinct_pairs(connection: Connection, community_id: str) -> frozenset[tuple[str, str]]:
    """All of them, the smaller id first."""
    rows = run(connection, "SELECT first_id, second_id FROM distinct_pair WHERE community_id = ?", (community_id,))
    return frozenset((row[0], row[1]) for row in rows)


def set_distinct(connection: Connection, community_id: str, pair: tuple[str, str], *, at: str, by: str) -> None:
    """Say that a pair is two; saying it again changes nothing."""
    columns = ("community_id", "first_id", "second_id", "decided_at", "decided_by")
    insert_rows(connection, distinct_pair, columns, [(community_id, *pair, at, by)], "ON CONFLICT DO NOTHING")


def unset_distinct(connection: Connection, community_id: str, pair: tuple[str, str]) -> bool:
    """Take that back; whether it had been said."""
    table = distinct_pair.c
    gone = connection.execute(
        delete(distinct_pair).where(
            table.community_id == community_id, table.first_id == pair[0], table.second_id == pair[1]
        )
    )
    return gone.rowcount > 0


def in_care(connection: Connection, scope: Scope, community_id: str, day: str) -> set[str]:
    """The persons who have a care record that the scope sees and that has not ended before the day."""
    cut, values = record_cut(connection, scope, community_id)
    until = json_text(connection, "r", "to_date")
    found = run(
        connection,
        f"SELECT DISTINCT r.place_parent FROM record r WHERE {cut} AND r.type = 'care_status' AND r.life = 'live' "
        f"AND ({until} IS NULL OR {until} >= ?)",
        (*values, day),
    )
    return {row[0] for row in found}
