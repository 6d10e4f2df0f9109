"""Comparing derived facts with what was asked: which streams have to be looked at again, and what stands open about them."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from server.models import checked_stream
from server.store.database import insert_rows, run


def streams_to_compare(connection: Connection, day: str) -> list[tuple[str, str, int, int]]:
    """(community, home stream, its number, its records) of every stream that has changed since it was compared, or was not compared on this day.

    Those never compared first, then those compared longest ago.
    """
    rows = run(
        connection,
        "SELECT s.community_id, s.stream_id, s.seq, s.count FROM stream s LEFT JOIN checked_stream c "
        "ON c.community_id = s.community_id AND c.stream_id = s.stream_id "
        "WHERE (s.stream_id LIKE 'cell/%' OR s.stream_id = '~unplaced') AND s.seq > 0 "
        "AND (c.seq IS NULL OR c.seq <> s.seq OR c.day <> ?) "
        "ORDER BY CASE WHEN c.day IS NULL THEN '' ELSE c.day END, s.community_id, s.stream_id",
        (day,),
    )
    return [(row[0], row[1], int(row[2]), int(row[3])) for row in rows]


def open_of(connection: Connection, community_id: str, kind: str, home: str) -> set[tuple[str, str]]:
    """(name, record id) of the open findings of a kind about records of a home, whatever their life."""
    rows = run(
        connection,
        "SELECT f.name, f.record_id FROM finding f JOIN record r ON r.community_id = f.community_id AND r.id = f.record_id "
        "WHERE f.community_id = ? AND f.state = 'open' AND f.kind = ? AND r.home = ?",
        (community_id, kind, home),
    )
    return {(row[0], row[1]) for row in rows}


def mark_compared(connection: Connection, marks: Sequence[tuple[str, str, int, str]]) -> None:
    """Remember how far streams were compared: (community, stream, number, day)."""
    tail = "ON CONFLICT (community_id, stream_id) DO UPDATE SET seq = excluded.seq, day = excluded.day"
    insert_rows(connection, checked_stream, ("community_id", "stream_id", "seq", "day"), marks, tail)
