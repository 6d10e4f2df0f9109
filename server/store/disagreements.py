"""What follows from the records of a stream, compared with what stands open: which streams have to be looked at again, and what is open about them."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from server.models import checked_stream
from server.store.database import insert_rows, run
from server.store.scoping import among


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


def open_of(connection: Connection, community_id: str, kinds: Sequence[str], home: str) -> set[tuple[str, str, str]]:
    """(kind, name, record id) of the open findings of some kinds about records of a home, whatever their life."""
    wanted, names = among("f.kind", kinds)
    rows = run(
        connection,
        # From the records of the home to their findings; the other way round SQLite would read all findings of the community.
        "SELECT f.kind, f.name, f.record_id FROM record r CROSS JOIN finding f WHERE r.community_id = ? AND r.home = ? "
        f"AND f.community_id = r.community_id AND f.record_id = r.id AND f.state = 'open' AND {wanted}",
        (community_id, home, *names),
    )
    return {(row[0], row[1], row[2]) for row in rows}


def mark_compared(connection: Connection, marks: Sequence[tuple[str, str, int, str]]) -> None:
    """Remember how far streams were compared: (community, stream, number, day)."""
    tail = "ON CONFLICT (community_id, stream_id) DO UPDATE SET seq = excluded.seq, day = excluded.day"
    insert_rows(connection, checked_stream, ("community_id", "stream_id", "seq", "day"), marks, tail)


def compare_again(connection: Connection, community_id: str) -> None:
    """Forget how far the streams of a community were compared, because its rules have changed."""
    run(connection, "DELETE FROM checked_stream WHERE community_id = ?", (community_id,))
