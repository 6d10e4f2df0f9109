"""What an edition moves, laid out in temporary tables before the lock is taken, and written from there in sets (S29).

Each table lies in the order in which it is written: pages of the database are then changed one beside the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, Column, Connection, Index, Integer, MetaData, Table, Text

from server.models import record
from server.store.database import insert_rows, run, update_rows

_TEMPORARY = MetaData()


def _temporary(name: str, *columns: Column[Any]) -> Table:
    place: Column[Any] = Column("place", Integer, primary_key=True, autoincrement=False)
    return Table(name, _TEMPORARY, place, *columns, prefixes=["TEMPORARY"], postgresql_on_commit="DROP")


def _feed(name: str) -> Table:
    return _temporary(
        name,
        Column("stream_id", Text, nullable=False),
        Column("rank", BigInteger, nullable=False),
        Column("id", Text, nullable=False),
        Column("v", Integer, nullable=False),
        Column("tag", Text, nullable=False),
    )


moving = _temporary(
    "moving",
    Column("id", Text, nullable=False),
    Column("v", Integer, nullable=False),
    Column("from_home", Text, nullable=False),
    Column("to_home", Text, nullable=False),
    Column("note", Text),
)
leaving, coming = _feed("leaving"), _feed("coming")
heads = _temporary("heads", Column("stream_id", Text, nullable=False), Column("seq", BigInteger, nullable=False))
Index("ix_moving_id", moving.c.id)
Index("ix_leaving_id", leaving.c.id)
Index("ix_coming_id", coming.c.id)
Index("ix_heads_stream_id", heads.c.stream_id)
_TABLES = (moving, leaving, coming, heads)


class Laid(NamedTuple):
    """One record that goes from one stream to another; ranks count the rows that each stream gets."""

    id: str
    v: int
    tag: str
    from_home: str
    to_home: str
    note: str | None
    left_rank: int
    came_rank: int


Homes = tuple[list[tuple[str, int, str]], list[tuple[str, str, int, str]]]
"""(home, row, id) of what keeps its note, (home, note, row, id) of what gets one, as SQLite's index of homes lies."""


def lay_out(connection: Connection, community_id: str, rows: Sequence[Laid]) -> Homes:
    """Make the tables anew and fill them with the moves, which are given by id.

    Returns
    -------
    Homes
        What SQLite writes row by row; empty on PostgreSQL, which writes it as one set.
    """
    for table in _TABLES:
        run(connection, f"DROP TABLE IF EXISTS {table.name}")
        table.create(connection, checkfirst=False)
    columns = ("place", "id", "v", "from_home", "to_home", "note")
    places = range(len(rows))
    given = [(at, row.id, row.v, row.from_home, row.to_home, row.note) for at, row in zip(places, rows, strict=True)]
    insert_rows(connection, moving, columns, given)
    columns = ("place", "stream_id", "rank", "id", "v", "tag")
    left = sorted([(row.from_home, row.left_rank, row.id, row.v, row.tag) for row in rows])
    insert_rows(connection, leaving, columns, [(at, *row) for at, row in zip(places, left, strict=True)])
    came = sorted([(row.to_home, row.came_rank, row.id, row.v, row.tag) for row in rows])
    insert_rows(connection, coming, columns, [(at, *row) for at, row in zip(places, came, strict=True)])
    if connection.dialect.name == "postgresql":
        run(connection, "ANALYZE moving")
        return [], []
    found = run(
        connection,
        "SELECT m.to_home, m.note, r.rowid, r.id FROM moving m CROSS JOIN record r ON r.community_id = ? AND r.id = m.id "
        "ORDER BY r.type, r.home, r.id",
        (community_id,),
    )
    both = found.cursor.fetchall()
    found.close()
    return [(home, at, one) for home, note, at, one in both if note is None], [row for row in both if row[1] is not None]


def renew_versions(connection: Connection, rows: Sequence[tuple[int, str, str]]) -> None:
    """(v, tag, id) of records that were written since the tables were filled."""
    update_rows(connection, moving, ("id",), ("v",), [(v, one) for v, _, one in rows])
    for table in (leaving, coming):
        update_rows(connection, table, ("id",), ("v", "tag"), rows)


def write_moves(
    connection: Connection, community_id: str, homes: Homes, seqs: Mapping[str, int], *, number: int, at: str
) -> None:
    """Homes, ledger and feed of everything that is laid out; ``seqs`` is the seq of each stream before."""
    insert_rows(connection, heads, ("place", "stream_id", "seq"), [(place, *row) for place, row in enumerate(seqs.items())])
    _write_homes(connection, community_id, homes, at)
    run(
        connection,
        "INSERT INTO placement_ledger (community_id, record_id, v, step, from_home, to_home, number, at, reason) "
        "SELECT ?, m.id, m.v, ?, m.from_home, m.to_home, ?, ?, 'edition' FROM moving m ORDER BY m.place",
        (community_id, number, number, at),
    )
    postgres = connection.dialect.name == "postgresql"
    insert = "INSERT" if postgres else "INSERT OR REPLACE"  # each row takes the place of the record's row in that stream
    tail = (
        "ON CONFLICT (community_id, stream_id, record_id) DO UPDATE SET "
        "seq = excluded.seq, kind = excluded.kind, reason = excluded.reason, v = excluded.v, tag = excluded.tag"
    )
    for table, kind, reason in ((leaving, "REMOVE", "moved"), (coming, "PUT", None)):
        run(
            connection,
            f"{insert} INTO feed (community_id, stream_id, seq, record_id, kind, reason, v, tag) "
            f"SELECT ?, m.stream_id, s.seq + m.rank, m.id, ?, ?, m.v, m.tag FROM {table.name} m "
            f"CROSS JOIN heads s WHERE s.stream_id = m.stream_id ORDER BY m.place {tail if postgres else ''}",
            (community_id, kind, reason),
        )


def _write_homes(connection: Connection, community_id: str, homes: Homes, at: str) -> None:
    if connection.dialect.name == "postgresql":
        run(
            connection,
            "UPDATE record SET home = m.to_home, updated_at = ?, placement = coalesce(m.note, record.placement) "
            "FROM moving m WHERE record.community_id = ? AND record.id = m.id",
            (at, community_id),
        )
        return
    plain = [(home, at, row, one) for home, row, one in homes[0]]
    noted = [(home, note, at, row, one) for home, note, row, one in homes[1]]
    before = _changes(connection)
    update_rows(connection, record, ("rowid", "id"), ("home", "updated_at"), plain)
    update_rows(connection, record, ("rowid", "id"), ("home", "placement", "updated_at"), noted)
    # Rows have other numbers when the file was rewritten meanwhile: then by id.
    if _changes(connection) - before != len(plain) + len(noted):
        keys = ("community_id", "id")
        update_rows(connection, record, keys, ("home", "updated_at"), [(home, at, community_id, one) for home, _, one in homes[0]])
        update_rows(
            connection, record, keys, ("home", "placement", "updated_at"),
            [(home, note, at, community_id, one) for home, note, _, one in homes[1]],
        )  # fmt: skip


def _changes(connection: Connection) -> int:
    return int(run(connection, "SELECT total_changes()").scalar_one())
