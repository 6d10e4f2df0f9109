"""Reading streams: one page is one snapshot, content is joined as it is read (S19, S20)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
from sqlalchemy import Connection

from server.models import operation, stream
from server.permissions import WHOLE, Projection
from server.store.database import rows_of, run
from server.store.scoping import line_cut

# A PUT row as it is sent, put together where its parts lie: no part becomes an object on the way. The long part is last.
_PUT = (
    """'{"stream":' || CAST(? AS text) || ',"seq":' || f.seq || ',"kind":"PUT","record":{"id":"' || r.id """
    """|| '","type":"' || r.type || '","v":' || r.v || ',"tag":"' || r.tag || '","life":"' || r.life """
    """|| '","form_version":' || r.form_version || ',"home":' || QUOTED_HOME || ',"conflicts":' || r.conflicts """
    """|| ',"confirmed":' || r.confirmed || ',"fields":' || r.fields || '}}'"""
)
_PUT_SQLITE = _PUT.replace("QUOTED_HOME", "json_quote(r.home)")
_PUT_POSTGRES = _PUT.replace("QUOTED_HOME", "to_json(r.home)::text")
# What a projection hides whole: the envelope alone, so that count and digest agree (S23).
_BARE = (
    """'{"stream":' || CAST(? AS text) || ',"seq":' || f.seq || ',"kind":"PUT","record":{"id":"' || r.id """
    """|| '","v":' || r.v || ',"tag":"' || r.tag || '"}}'"""
)


def counters(
    connection: Connection, community_id: str, stream_ids: Sequence[str]
) -> dict[str, tuple[int, int, str, int]]:
    """(seq, count, digest, floor) of these streams; a stream that nothing ever entered has none."""
    columns = ("stream_id", "seq", "count", "digest", "floor")
    rows = rows_of(connection, stream, columns, community_id, "stream_id", stream_ids)
    return {stream_id: (seq, count, digest, floor) for stream_id, seq, count, digest, floor in rows}


def stream_rows(
    connection: Connection,
    community_id: str,
    stream_id: str,
    after: int,
    limit: int,
    removes_after: int,
    projection: Projection = WHOLE,
) -> list[tuple[Any, ...]]:
    """Rows of one stream above ``after`` in order of seq: seq, record_id, kind, reason, v, tag, put.

    ``put`` is the JSON of a PUT row as it is sent (text or UTF-8), None for other kinds. REMOVE rows up to ``removes_after`` are left out: a reader who began from zero after them has nothing to remove.
    """
    condition = " AND (f.kind <> 'REMOVE' OR f.seq > ?)" if removes_after > after else ""
    skip = (removes_after,) if condition else ()
    is_postgres = connection.dialect.name == "postgresql"
    name = orjson.dumps(stream_id).decode()
    put, given = _PUT_POSTGRES if is_postgres else _PUT_SQLITE, [name]
    if projection.lines is not None:
        seen, lines = line_cut(connection, projection.lines)
        put, given = f"CASE WHEN {seen} THEN {put} ELSE {_BARE} END", [*lines, name, name]
    if not is_postgres:
        put = f"CAST({put} AS BLOB)"
    statement = (
        f"SELECT f.seq, f.record_id, f.kind, f.reason, f.v, f.tag, {put} AS put FROM feed f LEFT JOIN record r ON r.community_id = f.community_id AND r.id = f.record_id "
        f"AND f.kind = 'PUT' WHERE f.community_id = ? AND f.stream_id = ? AND f.seq > ?{condition} "
        "ORDER BY f.seq LIMIT ?"
    )
    result = run(connection, statement, (*given, community_id, stream_id, after, *skip, limit))
    found: list[tuple[Any, ...]] = result.cursor.fetchall()  # a page is a thousand rows: plain tuples, not row objects
    result.close()
    return found


def statuses(connection: Connection, community_id: str, op_ids: Sequence[str]) -> dict[str, Any]:
    """What has become of operations, by op_id: the row that answers for each of them."""
    columns = ("op_id", "now", "now_reason", "status", "v", "tag", "record_id", "entered_id", "detail")
    rows = rows_of(connection, operation, columns, community_id, "op_id", op_ids, "t.canonical = 1")
    return {row.op_id: row for row in rows}


def install_head(connection: Connection, community_id: str, install_id: str) -> Any | None:
    """How far the server has consumed an install."""
    return run(
        connection,
        "SELECT last_n, last_op_id, user_id, kind FROM install WHERE community_id = ? AND install_id = ?",
        (community_id, install_id),
    ).first()
