"""Counts of home streams as they are kept, each beside the position of the stream that it stands for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy import Connection

from server.models import home_count
from server.store.database import insert_rows, run

_HOMES = "(s.stream_id LIKE 'cell/%' OR s.stream_id IN ('~unplaced', '~reference'))"


def heads(connection: Connection, community_id: str) -> dict[str, int]:
    """The position of every stream of a community that can be a record's home."""
    statement = f"SELECT s.stream_id, s.seq FROM stream s WHERE s.community_id = ? AND {_HOMES}"
    return {row[0]: int(row[1]) for row in run(connection, statement, (community_id,))}


def kept(connection: Connection, community_id: str, life: str | None) -> Iterator[tuple[str, int, str]]:
    """(home, seq, figures) of every kept count of a community that was made in this life of the database."""
    statement = "SELECT h.home, h.seq, h.figures FROM home_count h WHERE h.community_id = ? AND h.epoch = ? ORDER BY h.home"
    for row in run(connection, statement, (community_id, life or "")):
        yield row[0], int(row[1]), row[2]


def keep(connection: Connection, community_id: str, life: str, rows: Sequence[tuple[str, int, str]]) -> None:
    """Keep (home, seq, figures); a later position that another worker has kept meanwhile stands."""
    insert_rows(
        connection, home_count, ("community_id", "home", "seq", "epoch", "figures"),
        [(community_id, home, seq, life, figures) for home, seq, figures in rows],
        "ON CONFLICT (community_id, home) DO UPDATE SET seq = excluded.seq, epoch = excluded.epoch, figures = excluded.figures "
        "WHERE home_count.epoch <> excluded.epoch OR home_count.seq < excluded.seq",
    )  # fmt: skip


def behind(connection: Connection, life: str, limit: int) -> list[tuple[str, str]]:
    """(community, home) of the streams whose position no kept count stands for, the farthest behind first."""
    statement = (
        "SELECT s.community_id, s.stream_id FROM stream s LEFT JOIN home_count h ON h.community_id = s.community_id "
        f"AND h.home = s.stream_id AND h.epoch = ? WHERE {_HOMES} AND (h.seq IS NULL OR h.seq < s.seq) "
        "ORDER BY s.seq - COALESCE(h.seq, 0) DESC, s.community_id, s.stream_id LIMIT ?"
    )
    return [(row[0], row[1]) for row in run(connection, statement, (life, limit))]


def forget(connection: Connection, community_id: str) -> None:
    """Keep no count of a community: somebody was erased whose day of birth may be in one."""
    run(connection, "DELETE FROM home_count WHERE community_id = ?", (community_id,))
