"""Every write of a push, one statement per table (S15). Rows are plain tuples in the order of the column lists."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
from sqlalchemy import Connection

from server.models import (
    conflict,
    conflict_sibling,
    data_key,
    feed,
    finding,
    held_wait,
    history,
    journal,
    journal_payload,
    operation,
    operation_status,
    placement_ledger,
    record,
    stream,
)
from server.store.database import insert_rows, run, update_rows
from sync.digest import made_id
from sync.feedrows import FeedRow
from sync.memory import Found

Rows = Sequence[Sequence[Any]]

_PLACE = ("home", "place_parent")
_CONTENT = (
    "v", "tag", "life", "dedicated", "subject_id", "fields", "stamps", "conflicts", "confirmed", "placement", "lon",
    "lat", "form_version", "updated_at",
)  # fmt: skip
_RECORD = _PLACE + _CONTENT
_OPERATION = (
    "install_id", "n", "op_id", "canonical", "group_n", "number", "content_hash", "record_type", "record_id",
    "subject_id", "kind", "first", "first_reason", "now", "now_reason", "status", "v", "tag", "detail", "claimed_at",
    "arrived_at",
)  # fmt: skip
_HISTORY = (
    "record_id", "v", "tag", "number", "op_id", "install_id", "n", "at", "units", "set_aside", "life", "subject_id",
    "sealed",
)  # fmt: skip


def _led(community_id: str, rows: Rows) -> list[tuple[Any, ...]]:
    return [(community_id, *row) for row in rows]


def insert_records(connection: Connection, rows: Rows) -> None:
    """New records: community, id, type, the common columns, secret, fresh_at, created_install, created_n, created_at."""
    columns = (
        "community_id", "id", "type", *_RECORD, "secret", "fresh_at", "created_install", "created_n", "created_at"
    )  # fmt: skip
    insert_rows(connection, record, columns, rows)


def update_records(connection: Connection, community_id: str, rows: Rows) -> None:
    """Changed records: the common columns, secret, fresh_at (None: as it was), id, whether secret and place stay.

    Columns that stay are not named, so that their indexes are left alone.
    """
    shapes: dict[tuple[bool, bool, bool], list[tuple[Any, ...]]] = {}
    for home, place_parent, *values, secret, fresh_at, record_id, secret_stays, place_stays in rows:
        if not place_stays:
            values += (home, place_parent)
        if not secret_stays:
            values.append(secret)
        if fresh_at is not None:
            values.append(fresh_at)
        shape = (bool(place_stays), bool(secret_stays), fresh_at is None)
        shapes.setdefault(shape, []).append((*values, community_id, record_id))
    for (place_stays, secret_stays, fresh_stays), changed in shapes.items():
        columns = _CONTENT + (() if place_stays else _PLACE)
        columns += (() if secret_stays else ("secret",)) + (() if fresh_stays else ("fresh_at",))
        update_rows(connection, record, ("community_id", "id"), columns, changed)


def insert_history(connection: Connection, rows: Rows) -> None:
    """Rows of history, each led by its community."""
    insert_rows(connection, history, ("community_id", *_HISTORY), rows)


def insert_moves(connection: Connection, community_id: str, rows: Rows) -> None:
    """Changes of stream: record, v, step (rises with every transaction), from, to, number, at, reason."""
    columns = ("community_id", "record_id", "v", "step", "from_home", "to_home", "number", "at", "reason")
    insert_rows(connection, placement_ledger, columns, _led(community_id, rows))


def insert_operations(connection: Connection, rows: Rows) -> None:
    """Consumed operations, each led by its community."""
    insert_rows(connection, operation, ("community_id", *_OPERATION), rows)


def insert_payloads(connection: Connection, community_id: str, rows: Sequence[tuple[int, str, bytes]]) -> None:
    """Sealed texts (number, subject, sealed): all of an entry in one row, one piece after the other."""
    entries: dict[int, list[tuple[str, bytes]]] = {}
    for number, subject_id, sealed in rows:
        entries.setdefault(number, []).append((subject_id, sealed))
    packed = [
        (community_id, number, orjson.dumps([(one, len(sealed)) for one, sealed in pieces]).decode(), b"".join([sealed for _, sealed in pieces]))
        for number, pieces in entries.items()
    ]
    insert_rows(connection, journal_payload, ("community_id", "number", "parts", "sealed"), packed)


def insert_journal(connection: Connection, row: Sequence[Any]) -> None:
    """One journal entry."""
    columns = (
        "community_id", "number", "command", "at", "actor_id", "install_id", "source", "engine_version",
        "configuration", "effects",
    )  # fmt: skip
    insert_rows(connection, journal, columns, [row])


def insert_keys(connection: Connection, community_id: str, rows: Rows) -> None:
    """New data keys: subject, wrapped. A race for the same subject fails the transaction, which starts again."""
    insert_rows(connection, data_key, ("community_id", "subject_id", "wrapped"), _led(community_id, rows))


def insert_waits(connection: Connection, community_id: str, rows: Rows) -> None:
    """What held groups wait for: waits_for, install, group_n, since."""
    columns = ("community_id", "waits_for", "install_id", "group_n", "since")
    insert_rows(connection, held_wait, columns, _led(community_id, rows), "ON CONFLICT DO NOTHING")


def change_groups(connection: Connection, rows: Rows) -> None:
    """Operations that belong to another group from now on: group_n, community, install, n."""
    update_rows(connection, operation, ("community_id", "install_id", "n"), ("group_n",), rows)


def change_statuses(connection: Connection, community_id: str, rows: Rows) -> None:
    """New outcomes of operations: now, reason, status, v, tag, number, at, install, n."""
    keys = ("community_id", "install_id", "n")
    update_rows(
        connection,
        operation,
        keys,
        ("now", "now_reason", "status", "v", "tag"),
        [(now, reason, status, v, tag, community_id, install, n) for now, reason, status, v, tag, _, _, install, n in rows],
    )
    columns = ("community_id", "install_id", "n", "status", "outcome", "reason", "number", "at")
    insert_rows(
        connection,
        operation_status,
        columns,
        [(community_id, install, n, status, now, reason, number, at) for now, reason, status, _, _, number, at, install, n in rows],
    )


def write_feed(connection: Connection, community_id: str, rows: Sequence[tuple[FeedRow, int]]) -> None:
    """Put each (stream, record) at its new number."""
    columns = ("community_id", "stream_id", "seq", "record_id", "kind", "reason", "v", "tag")
    tail = (
        "ON CONFLICT (community_id, stream_id, record_id) DO UPDATE SET "
        "seq = excluded.seq, kind = excluded.kind, reason = excluded.reason, v = excluded.v, tag = excluded.tag"
    )
    values: Rows = [
        (community_id, stream_id, seq, record_id, kind, reason, v, tag)
        for (stream_id, record_id, kind, reason, v, tag), seq in rows
    ]
    insert_rows(connection, feed, columns, values, tail)


def write_counters(connection: Connection, community_id: str, rows: Rows) -> None:
    """Counter rows: stream, seq, count, digest."""
    values = [(seq, count, digest, community_id, stream_id) for stream_id, seq, count, digest in rows]
    update_rows(connection, stream, ("community_id", "stream_id"), ("seq", "count", "digest"), values)


def finding_id(one: Found) -> str:
    """A finding is the same one whenever the same thing is wrong with the same record."""
    return made_id("finding", one.kind, one.name, one.record_id)


def write_findings(connection: Connection, community_id: str, found: Sequence[Found], number: int, at: str) -> None:
    """Open and close findings; the last word of a transaction on one finding counts."""
    latest = {finding_id(one): one for one in found}
    opened = [
        (community_id, finding_id, one.kind, one.name, one.record_id, orjson.dumps(one.units).decode(), "open", at, number)
        for finding_id, one in latest.items()
        if one.opens
    ]
    columns = (
        "community_id", "finding_id", "kind", "name", "record_id", "units", "state", "opened_at", "opened_number"
    )  # fmt: skip
    tail = (
        "ON CONFLICT (community_id, finding_id) DO UPDATE SET state = excluded.state, units = excluded.units, "
        "opened_at = CASE WHEN finding.state = 'open' THEN finding.opened_at ELSE excluded.opened_at END, "
        "opened_number = CASE WHEN finding.state = 'open' THEN finding.opened_number ELSE excluded.opened_number END, "
        "delegated_to = CASE WHEN finding.state = 'open' THEN finding.delegated_to END"
    )
    insert_rows(connection, finding, columns, opened, tail)
    closed = [("closed", at, community_id, finding_id) for finding_id, one in latest.items() if not one.opens]
    update_rows(connection, finding, ("community_id", "finding_id"), ("state", "closed_at"), closed)


def write_conflicts(connection: Connection, community_id: str, rows: dict[str, list[tuple[Any, ...]]]) -> None:
    """Conflict rows: ``conflicts`` and ``siblings`` to insert, new states of siblings, ``closed``, ``reopened``.

    What is closed is closed first: of one unit of a record only one conflict may be open, and the next may be among those to insert.
    """
    ended = ("state", "closed_at", "closed_number", "closed_by")
    closed = [("closed", at, number, by, community_id, conflict_id) for conflict_id, at, number, by in rows["closed"]]
    update_rows(connection, conflict, ("community_id", "conflict_id"), ended, closed)
    columns = (
        "community_id", "conflict_id", "record_id", "unit", "kind", "policy", "state", "opened_at", "opened_number",
        "closed_at", "closed_number", "closed_by", "subject_id", "sealed",
    )  # fmt: skip
    insert_rows(connection, conflict, columns, _led(community_id, rows["conflicts"]))
    sibling_columns = (
        "community_id", "conflict_id", "op_id", "role", "state", "install_id", "n", "user_id", "claimed_at",
        "arrived_at", "form_version", "sealed",
    )  # fmt: skip
    tail = "ON CONFLICT (community_id, conflict_id, op_id) DO UPDATE SET state = excluded.state, sealed = excluded.sealed"
    insert_rows(connection, conflict_sibling, sibling_columns, _led(community_id, rows["siblings"]), tail)
    # after the inserts: a value of this transaction may have been replaced or settled by a later one of it
    changed = [(state, community_id, conflict_id, op_id) for state, conflict_id, op_id in rows["sibling_states"]]
    update_rows(connection, conflict_sibling, ("community_id", "conflict_id", "op_id"), ("state",), changed)
    reopened = [("open", None, None, None, community_id, conflict_id) for (conflict_id,) in rows["reopened"]]
    update_rows(connection, conflict, ("community_id", "conflict_id"), ended, reopened)


def advance_install(
    connection: Connection, community_id: str, install_id: str, n: int, op_id: str, at: str, skew_s: float | None
) -> None:
    """Say how far the server has consumed an install."""
    run(
        connection,
        "UPDATE install SET last_n = ?, last_op_id = ?, last_seen_at = ?, skew_s = coalesce(?, skew_s) "
        "WHERE community_id = ? AND install_id = ?",
        (n, op_id, at, skew_s, community_id, install_id),
    )


def flag_install(connection: Connection, community_id: str, install_id: str, flag: str) -> None:
    """Mark an install for the secretary's eyes."""
    run(
        connection,
        "UPDATE install SET flag = ? WHERE community_id = ? AND install_id = ?",
        (flag, community_id, install_id),
    )


def drop_waits(connection: Connection, community_id: str, install_id: str, group_n: int) -> None:
    """A group waits no longer for what it waited for."""
    run(
        connection,
        "DELETE FROM held_wait WHERE community_id = ? AND install_id = ? AND group_n = ?",
        (community_id, install_id, group_n),
    )
