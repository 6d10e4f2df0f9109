"""What an edition moves, laid out in temporary tables before the lock is taken, and written from there in sets (S29)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import BigInteger, Column, Connection, Index, Integer, MetaData, Table, Text

from server.store.database import insert_rows, run, update_rows

_TEMPORARY = MetaData()

# Of one connection; by id, so that the rows of every table, and of every stream in it, are written one beside the other.
moving = Table(
    "moving",
    _TEMPORARY,
    Column("place", Integer, primary_key=True, autoincrement=False),
    Column("id", Text, nullable=False),
    Column("v", Integer, nullable=False),
    Column("tag", Text, nullable=False),
    Column("from_home", Text, nullable=False),
    Column("to_home", Text, nullable=False),
    Column("note", Text),
    Column("left_rank", BigInteger, nullable=False),
    Column("came_rank", BigInteger, nullable=False),
    prefixes=["TEMPORARY"],
    postgresql_on_commit="DROP",
)
Index("ix_moving_id", moving.c.id, unique=True)
Index("ix_moving_left", moving.c.from_home, moving.c.place)
Index("ix_moving_came", moving.c.to_home, moving.c.place)

moving_stream = Table(
    "moving_stream",
    _TEMPORARY,
    Column("stream_id", Text, primary_key=True),
    Column("seq", BigInteger, nullable=False),
    prefixes=["TEMPORARY"],
    postgresql_on_commit="DROP",
)

_COLUMNS = ("place", "id", "v", "tag", "from_home", "to_home", "note", "left_rank", "came_rank")
_TAIL = (
    "ON CONFLICT (community_id, stream_id, record_id) DO UPDATE SET "
    "seq = excluded.seq, kind = excluded.kind, reason = excluded.reason, v = excluded.v, tag = excluded.tag"
)


def lay_out(connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    """Make the tables and fill them: (place, id, v, tag, from, to, note or None, rank in the old stream, rank in the new one)."""
    clear(connection)
    for table in (moving, moving_stream):
        table.create(connection, checkfirst=False)
    insert_rows(connection, moving, _COLUMNS, rows)
    if connection.dialect.name == "postgresql":
        run(connection, "ANALYZE moving")


def clear(connection: Connection) -> None:
    """Take the tables away, where they are."""
    for table in (moving, moving_stream):
        run(connection, f"DROP TABLE IF EXISTS {table.name}")


def renew_versions(connection: Connection, rows: Sequence[tuple[int, str, str]]) -> None:
    """(v, tag, id) of records that were written since the tables were filled."""
    update_rows(connection, moving, ("id",), ("v", "tag"), rows)


def write_moves(connection: Connection, community_id: str, heads: Mapping[str, int], *, number: int, at: str) -> None:
    """Homes, ledger and feed of everything that is laid out; ``heads`` is the seq of each stream before."""
    insert_rows(connection, moving_stream, ("stream_id", "seq"), list(heads.items()))
    run(
        connection,
        "UPDATE record SET home = m.to_home, updated_at = ?, placement = coalesce(m.note, record.placement) "
        "FROM moving m WHERE record.community_id = ? AND record.id = m.id",
        (at, community_id),
    )
    run(
        connection,
        "INSERT INTO placement_ledger (community_id, record_id, v, step, from_home, to_home, number, at, reason) "
        "SELECT ?, m.id, m.v, ?, m.from_home, m.to_home, ?, ?, 'edition' FROM moving m ORDER BY m.place",
        (community_id, number, number, at),
    )
    # Farewells first: where a record comes back to a stream that it left before, its row there is another one.
    for home, rank, kind, reason in (("from_home", "left_rank", "REMOVE", "moved"), ("to_home", "came_rank", "PUT", None)):
        run(
            connection,
            "INSERT INTO feed (community_id, stream_id, seq, record_id, kind, reason, v, tag) "
            f"SELECT ?, m.{home}, s.seq + m.{rank}, m.id, ?, ?, m.v, m.tag FROM moving m "
            f"JOIN moving_stream s ON s.stream_id = m.{home} WHERE true ORDER BY m.{home}, m.place {_TAIL}",
            (community_id, kind, reason),
        )
