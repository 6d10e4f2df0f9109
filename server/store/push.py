"""Reading and locking for a push, in the order of S15: install row, placement, counters, then everything else."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import orjson
from sqlalchemy import Connection

from server.models import (
    conflict,
    conflict_sibling,
    data_key,
    finding,
    held_wait,
    history,
    install,
    journal_payload,
    operation,
    placement_ledger,
    record,
    stream,
)
from server.store.database import insert_rows, rows_of, run, tuples_of
from server.store.waits import in_line
from sync.digest import ZERO_DIGEST
from sync.memory import OpenConflict, OpenSibling
from sync.record import Record

MOST_IN_A_GROUP = 2000

_RECORD_COLUMNS = (
    "id", "type", "v", "tag", "life", "home", "place_parent", "subject_id", "fields", "stamps", "conflicts",
    "confirmed", "form_version", "created_install", "created_n", "dedicated", "placement", "lon", "lat", "secret",
)  # fmt: skip


def lock_install(connection: Connection, community_id: str, install_id: str) -> Any | None:
    """The install's row, locked until the end of the transaction; None when there is no such install."""
    tail = " FOR UPDATE" if connection.dialect.name == "postgresql" else ""
    statement = (
        "SELECT install_id, kind, user_id, last_n, last_op_id, revoked_at, revoked_reason, parent_install_id, parent_n, departures_seen "
        "FROM install WHERE community_id = ? AND install_id = ?" + tail
    )
    with in_line(connection, community_id, install_id):
        return run(connection, statement, (community_id, install_id)).first()


def lock_placement(connection: Connection, community_id: str, *, exclusive: bool) -> int:
    """Take the community's placement lock and return its placement version (S15).

    SQLite has one writer, so the lock is the transaction itself.
    """
    if connection.dialect.name == "postgresql":
        number = int.from_bytes(hashlib.blake2b(f"placement/{community_id}".encode(), digest_size=8).digest(), "big")
        suffix = "" if exclusive else "_shared"
        with in_line(connection, community_id):
            run(connection, f"SELECT pg_advisory_xact_lock{suffix}(?)", (number - (1 << 63),))
    row = run(connection, "SELECT placement_version FROM community WHERE community_id = ?", (community_id,)).first()
    return int(row[0]) if row is not None else 0


def raise_placement_version(connection: Connection, community_id: str) -> None:
    """Say that an exclusive transaction has moved records."""
    run(connection, "UPDATE community SET placement_version = placement_version + 1 WHERE community_id = ?", (community_id,))


def homes_of(connection: Connection, community_id: str, ids: Sequence[str]) -> list[tuple[str, str, str]]:
    """(id, home stream, install that created it) of those of these records that exist."""
    rows = rows_of(connection, record, ("id", "home", "created_install"), community_id, "id", ids)
    return [(row.id, row.home, row.created_install) for row in rows]


def dependants(connection: Connection, community_id: str, ids: Iterable[str]) -> list[tuple[str, str, str, str]]:
    """(id, type, home, creating install) of everything placed, through any number of steps, by these records."""
    found: dict[str, tuple[str, str, str, str]] = {}
    frontier = list(ids)
    while frontier:
        rows = rows_of(connection, record, ("id", "type", "home", "created_install"), community_id, "place_parent", frontier)
        frontier = []
        for row in rows:
            if row.id not in found:
                found[row.id] = (row.id, row.type, row.home, row.created_install)
                frontier.append(row.id)
    return list(found.values())


def lock_streams(connection: Connection, community_id: str, stream_ids: Iterable[str]) -> dict[str, list[Any]]:
    """Lock the counter rows in one global order; id → [seq, count, digest text]. Missing rows are made first."""
    wanted = sorted(set(stream_ids))
    if not wanted:
        return {}
    postgres = connection.dialect.name == "postgresql"
    if postgres:
        # Rows that are missing are made before the first lock is taken, in the same order: nobody holds one row while
        # waiting for the birth of another.
        there = {row.stream_id for row in rows_of(connection, stream, ("stream_id",), community_id, "stream_id", wanted)}
        _make_streams(connection, community_id, [one for one in wanted if one not in there])
        statement = (
            "SELECT stream_id, seq, count, digest FROM stream "
            "WHERE community_id = ? AND stream_id = ANY(?::text[]) ORDER BY stream_id FOR UPDATE"
        )
        shared = tuple(one for one in wanted if not one.startswith("install/"))
        with in_line(connection, community_id, shared):
            rows = run(connection, statement, (community_id, wanted))
        return {stream_id: [seq, count, digest] for stream_id, seq, count, digest in rows}
    columns = ("stream_id", "seq", "count", "digest")
    found = {row[0]: list(row[1:]) for row in rows_of(connection, stream, columns, community_id, "stream_id", wanted)}
    missing = [one for one in wanted if one not in found]
    _make_streams(connection, community_id, missing)
    return found | {one: [0, 0, ZERO_DIGEST] for one in missing}


def _make_streams(connection: Connection, community_id: str, stream_ids: Sequence[str]) -> None:
    columns = ("community_id", "stream_id", "seq", "count", "digest", "floor")
    rows = [(community_id, one, 0, 0, ZERO_DIGEST, 0) for one in stream_ids]
    insert_rows(connection, stream, columns, rows, "ON CONFLICT DO NOTHING")


def load_early(
    connection: Connection, community_id: str, ids: Sequence[str]
) -> tuple[dict[str, Record], dict[str, bytes]] | None:
    """As `load_records` before the counters are locked, where that is late enough: SQLite has one writer, and it is us."""
    return load_records(connection, community_id, ids) if connection.dialect.name == "sqlite" else None


def load_records(connection: Connection, community_id: str, ids: Sequence[str]) -> tuple[dict[str, Record], dict[str, bytes]]:
    """Working copies of the records that exist, and the sealed secret part of those that have one.

    Secret fields are masks until the service opens them; ``secret_open`` says so.
    """
    records: dict[str, Record] = {}
    secrets: dict[str, bytes] = {}
    loads = orjson.loads
    for row in tuples_of(connection, record, _RECORD_COLUMNS, community_id, "id", ids):
        (
            record_id, type_, v, tag, life, home, place_parent, subject_id, fields, stamps, conflicts, confirmed,
            form_version, created_install, created_n, dedicated, placement, lon, lat, secret,
        ) = row  # fmt: skip
        if secret is not None:
            secrets[record_id] = bytes(secret)
        records[record_id] = Record(
            id=record_id,
            type=type_,
            v=v,
            tag=tag,
            life=life,
            home=home,
            place_parent=place_parent,
            subject_id=subject_id,
            fields=loads(fields),
            stamps={unit: tuple(value) for unit, value in loads(stamps).items()} if stamps != "{}" else {},
            open_units=loads(conflicts) if conflicts != "[]" else [],
            confirmed=loads(confirmed) if confirmed != "{}" else {},
            form_version=form_version,
            created_install=created_install,
            created_n=created_n,
            dedicated=dedicated,
            placement=loads(placement) if placement else None,
            lon=lon,
            lat=lat,
            secret_open=secret is None,
        )
    return records, secrets


def past_rows(connection: Connection, community_id: str, since: dict[str, int]) -> list[Any]:
    """History of each record from a version on (0: all of it), ascending by version."""
    if not since:
        return []
    columns = "h.record_id, h.v, h.tag, h.op_id, h.install_id, h.n, h.units, h.set_aside, h.life, h.subject_id, h.sealed"
    if connection.dialect.name == "postgresql":
        statement = (
            f"SELECT {columns} FROM unnest(?::text[], ?::integer[]) AS k(id, v) "
            "JOIN history h ON h.community_id = ? AND h.record_id = k.id AND h.v >= k.v ORDER BY h.record_id, h.v"
        )
        parameters: tuple[Any, ...] = (list(since), list(since.values()), community_id)
    else:
        statement = (
            f"SELECT {columns} FROM json_each(?) k CROSS JOIN history h "
            "ON h.community_id = ? AND h.record_id = k.key AND h.v >= k.value ORDER BY h.record_id, h.v"
        )
        parameters = (orjson.dumps(since).decode(), community_id)
    return list(run(connection, statement, parameters))


def consumed(connection: Connection, community_id: str, install_id: str, first: int, last: int) -> dict[int, Any]:
    """The rows of operations that the server has consumed from this install, n → row, first ≤ n ≤ last."""
    rows = run(
        connection,
        "SELECT n, op_id, canonical, content_hash, coalesce(entered_id, record_id) AS record_id, first, first_reason, now, "
        "now_reason, status, v, tag, detail, subject_id FROM operation WHERE community_id = ? AND install_id = ? AND n BETWEEN ? AND ?",
        (community_id, install_id, first, last),
    )
    return {row.n: row for row in rows}


def seen_operations(connection: Connection, community_id: str, op_ids: Sequence[str]) -> dict[str, Any]:
    """The row that answers for each op_id that any install of the community has sent before."""
    columns = (
        "op_id", "canonical", "content_hash", "record_id", "first", "first_reason", "now", "now_reason", "status",
        "v", "tag", "detail", "install_id", "n", "entered_id",
    )  # fmt: skip
    rows = rows_of(connection, operation, columns, community_id, "op_id", op_ids, "t.canonical = 1")
    return {row.op_id: row for row in rows}


def version_after(row: Any) -> tuple[str, int, str] | None:
    """(record, v, tag) after an operation of `seen_operations`; None where it made no version."""
    return (row.entered_id or row.record_id, row.v, row.tag) if row.v is not None else None


def blocked_records(connection: Connection, community_id: str, install_id: str, before_n: int) -> set[str]:
    """Records on which an operation of this install before ``before_n`` is held or in open quarantine (S13)."""
    rows = run(
        connection,
        "SELECT record_id FROM operation WHERE community_id = ? AND now IN ('held', 'quarantined') "
        "AND install_id = ? AND group_n < ? AND record_id IS NOT NULL AND coalesce(now_reason, '') <> 'proposal' "
        "UNION ALL SELECT t.record_id FROM operation o JOIN operation_target t ON t.community_id = o.community_id "
        "AND t.install_id = o.install_id AND t.n = o.n WHERE o.community_id = ? AND o.now IN ('held', 'quarantined') "
        "AND o.install_id = ? AND o.group_n < ? AND o.kind = 'command' AND coalesce(o.now_reason, '') <> 'proposal'",
        (community_id, install_id, before_n, community_id, install_id, before_n),
    )
    return {row.record_id for row in rows}


def open_conflicts(connection: Connection, community_id: str, record_ids: Sequence[str]) -> dict[tuple[str, str], OpenConflict]:
    """The open conflicts of these records with their open siblings."""
    rows = rows_of(connection, conflict, ("conflict_id", "record_id", "unit", "state"), community_id, "record_id", record_ids)
    opened = {row.conflict_id: (row.record_id, row.unit) for row in rows if row.state == "open"}
    found = {key: OpenConflict(conflict_id, []) for conflict_id, key in opened.items()}
    columns = ("conflict_id", "op_id", "role", "state", "install_id", "n")
    for row in rows_of(connection, conflict_sibling, columns, community_id, "conflict_id", list(opened)):
        if row.state == "open":
            found[opened[row.conflict_id]].siblings.append(OpenSibling(row.op_id, row.install_id, row.n, row.role))
    return found


def settled_conflicts(connection: Connection, community_id: str, record_ids: Sequence[str]) -> dict[tuple[str, str], OpenConflict]:
    """Conflicts that somebody settled since each of these records was deleted last, the latest of each unit (S5)."""
    found: dict[tuple[str, str], OpenConflict] = {}
    for record_id in record_ids:
        rows = run(
            connection,
            "SELECT k.conflict_id, k.unit FROM conflict k WHERE k.community_id = ? AND k.record_id = ? AND k.state = 'closed' "
            "AND coalesce(k.closed_by, '') <> 'policy' AND k.closed_number > (SELECT max(h.number) FROM history h "
            "WHERE h.community_id = k.community_id AND h.record_id = k.record_id AND h.life = 'deleted') ORDER BY k.closed_number",
            (community_id, record_id),
        )
        for row in rows:
            found[record_id, row.unit] = OpenConflict(row.conflict_id, [])
    of = {one.conflict_id: key for key, one in found.items()}
    columns = ("conflict_id", "op_id", "role", "state", "install_id", "n")
    for row in rows_of(connection, conflict_sibling, columns, community_id, "conflict_id", list(of)):
        if row.state == "closed":
            found[of[row.conflict_id]].siblings.append(OpenSibling(row.op_id, row.install_id, row.n, row.role))
    return found


def ledger_homes(connection: Connection, community_id: str, record_ids: Sequence[str]) -> dict[str, frozenset[str]]:
    """Every stream that these records have left or entered, by record."""
    homes: dict[str, set[str]] = {}
    columns = ("record_id", "from_home", "to_home")
    for row in rows_of(connection, placement_ledger, columns, community_id, "record_id", record_ids):
        homes.setdefault(row.record_id, set()).update((row.from_home, row.to_home))
    return {record_id: frozenset(streams) for record_id, streams in homes.items()}


def wrapped_keys(connection: Connection, community_id: str, subjects: Sequence[str]) -> dict[str, bytes | None]:
    """Subject → wrapped data key; None for a destroyed one; absent where there is none yet."""
    rows = rows_of(connection, data_key, ("subject_id", "wrapped"), community_id, "subject_id", subjects)
    return {row.subject_id: bytes(row.wrapped) if row.wrapped is not None else None for row in rows}


def writers_of(connection: Connection, community_id: str, stamps: Iterable[tuple[str, int, int]]) -> dict[tuple[str, int], Any]:
    """(record, v) → the history row that wrote that version, for the siblings of new conflicts."""
    wanted = {(record_id, v) for record_id, v, _ in stamps}
    columns = ("record_id", "v", "op_id", "install_id", "n", "at")
    rows = rows_of(connection, history, columns, community_id, "record_id", sorted({one for one, _ in wanted}))
    return {(row.record_id, row.v): row for row in rows if (row.record_id, row.v) in wanted}


def users_of(connection: Connection, community_id: str, install_ids: Sequence[str]) -> dict[str, str | None]:
    """Install → the user who writes through it."""
    rows = rows_of(connection, install, ("install_id", "user_id"), community_id, "install_id", install_ids)
    return {row.install_id: row.user_id for row in rows}


def claims_of(connection: Connection, community_id: str, op_ids: Sequence[str]) -> dict[str, Any]:
    """op_id → when its author says it was written, and where its text lies."""
    columns = ("op_id", "n", "claimed_at", "number", "subject_id", "repaired_number", "repaired_subject")
    rows = rows_of(connection, operation, columns, community_id, "op_id", op_ids, "t.canonical = 1")
    return {row.op_id: row for row in rows}


def device_installs(connection: Connection, community_id: str, install_ids: Sequence[str]) -> frozenset[str]:
    """Those of these installs that are phones: they have a stream of their own."""
    rows = rows_of(connection, install, ("install_id", "kind"), community_id, "install_id", install_ids)
    return frozenset(row.install_id for row in rows if row.kind == "device")


def findings_known(connection: Connection, community_id: str, finding_ids: Sequence[str]) -> set[str]:
    """Those of these findings that were ever raised."""
    rows = rows_of(connection, finding, ("finding_id",), community_id, "finding_id", finding_ids)
    return {row.finding_id for row in rows}


def ready_groups(connection: Connection, community_id: str, waits_for: Sequence[str] | None) -> list[tuple[str, int]]:
    """(install, group_n) of held groups that wait for one of these, in order.

    ``waits_for`` None: of all whose awaited record exists now, here or elsewhere, or whose first sending is not held any more. What waits
    behind an earlier operation of its install on that record is left out as long as that one is open: trying it would fail.
    """
    if waits_for is not None:
        rows = rows_of(connection, held_wait, ("install_id", "group_n"), community_id, "waits_for", waits_for)
        return sorted({(row.install_id, row.group_n) for row in rows})
    found = run(
        connection,
        "WITH unsettled AS (SELECT install_id, record_id, min(group_n) AS group_n FROM operation "
        "WHERE community_id = ? AND now IN ('held', 'quarantined') AND record_id IS NOT NULL "
        "AND coalesce(now_reason, '') <> 'proposal' GROUP BY install_id, record_id) "
        "SELECT w.install_id, w.group_n FROM held_wait w LEFT JOIN unsettled u "
        "ON u.install_id = w.install_id AND u.record_id = w.waits_for AND u.group_n < w.group_n "
        "WHERE w.community_id = ? AND u.group_n IS NULL "
        "AND (EXISTS (SELECT 1 FROM record r WHERE r.community_id = w.community_id AND r.id = w.waits_for) "
        "OR EXISTS (SELECT 1 FROM departure d WHERE d.community_id = w.community_id AND d.id = w.waits_for)) "
        "UNION SELECT w.install_id, w.group_n FROM held_wait w JOIN operation o "
        "ON o.community_id = w.community_id AND o.op_id = substr(w.waits_for, 4) AND o.canonical = 1 "
        "WHERE w.community_id = ? AND w.waits_for LIKE 'op/%' AND o.now <> 'held'",
        (community_id, community_id, community_id),
    )
    return sorted((row.install_id, row.group_n) for row in found)


def group_of(connection: Connection, community_id: str, install_id: str, n: int) -> int | None:
    """The n of the first member of an operation's group; None where there is no such operation."""
    row = run(
        connection,
        "SELECT group_n FROM operation WHERE community_id = ? AND install_id = ? AND n = ?",
        (community_id, install_id, n),
    ).first()
    return int(row.group_n) if row is not None else None


def group_operations(connection: Connection, community_id: str, install_id: str, group_n: int) -> list[Any]:
    """The operations of one group in order of n."""
    return list(
        run(
            connection,
            "SELECT n, op_id, coalesce(repaired_number, number) AS number, "
            "CASE WHEN repaired_number IS NULL THEN subject_id ELSE repaired_subject END AS subject_id, now, now_reason, "
            "status, record_type, record_id FROM operation "
            "WHERE community_id = ? AND install_id = ? AND n >= ? AND n < ? AND group_n = ? ORDER BY n",
            (community_id, install_id, group_n, group_n + MOST_IN_A_GROUP, group_n),
        )
    )


def payload(connection: Connection, community_id: str, number: int, subject_id: str) -> bytes | None:
    """The sealed texts of one (entry, data key)."""
    return payloads(connection, community_id, [number]).get((number, subject_id))


def payloads(connection: Connection, community_id: str, numbers: Sequence[int]) -> dict[tuple[int, str], bytes]:
    """The sealed texts of entries by (number, subject)."""
    rows = rows_of(connection, journal_payload, ("number", "parts", "sealed"), community_id, "number", numbers)
    return {(row.number, subject_id): sealed for row in rows for subject_id, sealed in pieces(row.parts, bytes(row.sealed))}


def pieces(parts: str, sealed: bytes) -> Iterator[tuple[str, bytes]]:
    """(subject, sealed texts) of a journal entry, from its one row; a piece that is not there is short or empty."""
    at = 0
    for subject_id, length in orjson.loads(parts):
        yield subject_id, sealed[at : at + length]
        at += length


def communities_with_held(connection: Connection) -> list[str]:
    """Communities in which something waits."""
    return [row.community_id for row in run(connection, "SELECT DISTINCT community_id FROM held_wait")]


def forms_awaited(connection: Connection, community_id: str) -> list[str]:
    """The form versions (``form/type/version``) that held groups wait for."""
    statement = "SELECT DISTINCT waits_for FROM held_wait WHERE community_id = ? AND waits_for >= ? AND waits_for < ?"
    return [row.waits_for for row in run(connection, statement, (community_id, "form/", "form0"))]


def consumed_up_to(connection: Connection, community_id: str, install_id: str) -> tuple[int, str | None]:
    """(n, op_id) of the last operation that the server has consumed from an install."""
    row = run(
        connection,
        "SELECT last_n, last_op_id FROM install WHERE community_id = ? AND install_id = ?",
        (community_id, install_id),
    ).first()
    return (int(row.last_n), row.last_op_id) if row is not None else (0, None)
