"""Reading what an edition would move, and writing it set by set (S29). Nothing is written of what stays."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import starmap
from typing import Any, NamedTuple

from sqlalchemy import Connection

from server.models import feed, placement_ledger, record, stream
from server.store.database import insert_rows, rows_of, run, tuples_of, update_rows
from server.store.scoping import among, chunks


class Head(NamedTuple):
    """What is known of a record whose place is asked about; there may be millions of them."""

    id: str
    type: str
    life: str
    v: int
    tag: str
    home: str
    created_install: str
    dedicated: str | None
    place_parent: str | None
    lon: float | None
    lat: float | None


_COLUMNS = Head._fields
DECIDES, DOUBTFUL, PINNED, LIVE = 1, 2, 4, 8
"""Marks of a record: it has a location or a pin of its own; its fix may touch several cells; a person has chosen its cell; it is
neither deleted nor merged."""

# A location whose note of uncertainty may change with the cells around it; text of a person is escaped in JSON, so that
# no value can look like this member.
_UNSURE = f"CASE WHEN r.fields LIKE '%\"method\":\"survey\"%' OR r.fields LIKE '%\"method\":\"map_pick\"%' THEN 0 ELSE {DOUBTFUL} END"
PINNED_SQL = "r.fields LIKE '%\"pin\":{%'"
_SLICE = 20_000
_NEAR = 500  # rows that are worked on together: they stay near the processor


def stream_heads(connection: Connection, community_id: str) -> dict[str, int]:
    """The highest seq of every stream that shows records."""
    rows = run(connection, "SELECT stream_id, seq FROM stream WHERE community_id = ?", (community_id,))
    return {row.stream_id: int(row.seq) for row in rows if not row.stream_id.startswith("~reference")}


def standing(
    connection: Connection, community_id: str, types: Sequence[str], ids: Sequence[str] | None = None
) -> Iterator[list[tuple[Any, ...]]]:
    """Every record (among ``ids`` where given): id, type, home, what places it, lon, lat, marks; some thousands together.

    ``types`` are those that may have a location of their own.
    """
    marks = (
        f"CASE WHEN r.type NOT IN ({', '.join('?' * len(types))}) THEN 0 WHEN {PINNED_SQL} THEN {DECIDES + PINNED} + {_UNSURE} "
        f"WHEN r.lon IS NULL THEN 0 ELSE {DECIDES} + {_UNSURE} END + CASE r.life WHEN 'live' THEN {LIVE} ELSE 0 END"
    )
    for part in [None] if ids is None else chunks(ids, _SLICE):
        only, values = ("", []) if part is None else among("r.id", part)
        result = run(
            connection,
            f"SELECT r.id, r.type, r.home, r.place_parent, r.lon, r.lat, {marks} FROM record r "
            "WHERE r.community_id = ?" + (f" AND {only}" if only else ""),
            (*types, community_id, *values),
        )
        while rows := result.cursor.fetchmany(_NEAR):
            yield rows
        result.close()


def located(connection: Connection, community_id: str, types: Sequence[str]) -> list[Head]:
    """Every record of these types with a location of its own."""
    names, marks = ", ".join(f"r.{name}" for name in _COLUMNS), ", ".join("?" * len(types))
    result = run(
        connection,
        f"SELECT {names} FROM record r WHERE r.community_id = ? AND r.type IN ({marks}) AND r.lon IS NOT NULL",
        (community_id, *types),
    )
    found = list(starmap(Head, result.cursor.fetchall()))  # plain tuples: a third of what rows cost
    result.close()
    return found


def bodies(connection: Connection, community_id: str, ids: Sequence[str]) -> dict[str, tuple[str, str | None]]:
    """Fields and placement of records, as JSON texts."""
    found = {}
    for part in chunks(ids, _SLICE):
        for row in rows_of(connection, record, ("id", "fields", "placement"), community_id, "id", part):
            found[row.id] = (row.fields, row.placement)
    return found


def placed_by(connection: Connection, community_id: str, ids: Sequence[str]) -> Iterator[Head]:
    """Records whose place is that of one of these."""
    for part in chunks(ids, _SLICE):
        yield from starmap(
            Head, tuples_of(connection, record, _COLUMNS, community_id, "place_parent", part, "t.lon IS NULL")
        )


def heads(connection: Connection, community_id: str, ids: Sequence[str]) -> list[Head]:
    """These records."""
    return [
        Head(*row) for part in chunks(ids, _SLICE) for row in tuples_of(connection, record, _COLUMNS, community_id, "id", part)
    ]


def registered_somewhere(connection: Connection, community_id: str, ids: Sequence[str]) -> list[Any]:
    """Those of these persons whose registration names a dwelling: id and fields."""
    also = "t.fields LIKE '%\"registration_dwelling\":%'"
    return [
        row
        for part in chunks(ids, _SLICE)
        for row in rows_of(connection, record, ("id", "fields"), community_id, "id", part, also)
    ]


def changed_since(connection: Connection, community_id: str, seqs: Mapping[str, int]) -> list[str]:
    """Records with a row above the given seq in any stream of records, also in streams that were not there."""
    head = "SELECT DISTINCT f.record_id FROM feed f WHERE f.community_id = ? AND f.kind <> 'STATUS' AND f.stream_id = ? AND f.seq > ?"
    found: set[str] = set()
    for stream_id, seq in stream_heads(connection, community_id).items():
        if seq > seqs.get(stream_id, 0):
            found.update(row.record_id for row in run(connection, head, (community_id, stream_id, seqs.get(stream_id, 0))))
    return sorted(found)


def write_homes(connection: Connection, community_id: str, rows: Iterable[tuple[str, str | None, str | None]], at: str) -> None:
    """New homes: (id, home or None where it stays, placement note as JSON or None where it stays)."""
    moved, noted, both = [], [], []
    for record_id, home, note in rows:
        if home is not None and note is not None:
            both.append((home, note, at, community_id, record_id))
        elif home is not None:
            moved.append((home, at, community_id, record_id))
        elif note is not None:
            noted.append((note, community_id, record_id))
    keys = ("community_id", "id")
    update_rows(connection, record, keys, ("home", "placement", "updated_at"), sorted(both, key=lambda row: row[-1]))
    update_rows(connection, record, keys, ("home", "updated_at"), sorted(moved, key=lambda row: row[-1]))
    update_rows(connection, record, keys, ("placement",), sorted(noted, key=lambda row: row[-1]))


def write_dedicated(connection: Connection, community_id: str, rows: Sequence[tuple[str | None, str]], at: str) -> None:
    """New dedicated streams: (stream or None, id)."""
    values = [(dedicated, at, community_id, record_id) for dedicated, record_id in rows]
    update_rows(connection, record, ("community_id", "id"), ("dedicated", "updated_at"), values)


def write_ledger(connection: Connection, community_id: str, rows: Iterable[tuple[str, int, str, str]], number: int, at: str, reason: str) -> None:
    """Changes of home: (id, v, from, to)."""
    columns = ("community_id", "record_id", "v", "step", "from_home", "to_home", "number", "at", "reason")
    values = [(community_id, one, v, number, source, target, number, at, reason) for one, v, source, target in rows]
    insert_rows(connection, placement_ledger, columns, values)


def write_feed(connection: Connection, community_id: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """Feed rows: stream, seq, record, kind, reason, v, tag; each takes the place of the record's row in that stream."""
    columns = ("community_id", "stream_id", "seq", "record_id", "kind", "reason", "v", "tag")
    tail = (
        "ON CONFLICT (community_id, stream_id, record_id) DO UPDATE SET "
        "seq = excluded.seq, kind = excluded.kind, reason = excluded.reason, v = excluded.v, tag = excluded.tag"
    )
    insert_rows(connection, feed, columns, [(community_id, *row) for row in rows], tail)


def write_counters(connection: Connection, community_id: str, rows: Sequence[tuple[str, int, int, str]]) -> None:
    """Counters: stream, seq, count, digest."""
    values = [(seq, count, digest, community_id, stream_id) for stream_id, seq, count, digest in rows]
    update_rows(connection, stream, ("community_id", "stream_id"), ("seq", "count", "digest"), values)


def typed_bodies(connection: Connection, community_id: str, ids: Sequence[str]) -> list[Any]:
    """Id, type and fields of records."""
    return [row for part in chunks(ids, _SLICE) for row in rows_of(connection, record, ("id", "type", "fields"), community_id, "id", part)]


def ledger_of(connection: Connection, community_id: str, number: int, after: str | None, limit: int) -> list[Any]:
    """Moves of one journal entry by record, with the records' types; ``after`` is the last one seen."""
    return list(
        run(
            connection,
            "SELECT l.record_id, r.type, l.from_home, l.to_home, l.at FROM placement_ledger l JOIN record r "
            "ON r.community_id = l.community_id AND r.id = l.record_id WHERE l.community_id = ? AND l.number = ? "
            "AND l.record_id > ? ORDER BY l.record_id LIMIT ?",
            (community_id, number, after or "", limit),
        )
    )


def ledger_pairs(connection: Connection, community_id: str, number: int) -> list[Any]:
    """How many records of each type one journal entry has moved from which home to which."""
    return list(
        run(
            connection,
            "SELECT r.type, l.from_home, l.to_home, count(*) AS count FROM placement_ledger l JOIN record r "
            "ON r.community_id = l.community_id AND r.id = l.record_id WHERE l.community_id = ? AND l.number = ? "
            "GROUP BY r.type, l.from_home, l.to_home",
            (community_id, number),
        )
    )
