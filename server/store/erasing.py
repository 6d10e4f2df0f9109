"""What is stored about somebody, found and taken away (S28). Envelopes stay: ids, versions, outcomes, where records stood."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Connection, Engine

from server.models import (
    blob,
    data_key,
    external_ref,
    handover_system,
    history,
    journal_payload,
    operation,
    record,
    recovery,
    upload,
)
from server.store.database import insert_rows, rewrite, rows_of, run, update_rows
from server.store.push import pieces
from server.store.search import fold

_COLUMNS = (
    "id", "type", "v", "tag", "life", "home", "dedicated", "subject_id", "fields", "secret", "created_install", "conflicts",
)  # fmt: skip


# ---------------------------------------------------------------- what there is
def about(connection: Connection, community_id: str, subjects: Iterable[str], types: Sequence[str]) -> list[Any]:
    """Records sealed under the keys of these subjects, and those of ``types`` whose fields name one of them, by id."""
    named = ", ".join(f"r.{one}" for one in _COLUMNS)
    found: dict[str, Any] = {}
    for subject in sorted(set(subjects)):
        marks = ", ".join("?" * len(types)) or "NULL"
        rows = run(
            connection,
            f"SELECT {named} FROM record r WHERE r.community_id = ? AND (r.subject_id = ? OR r.id = ? "
            f"OR (r.type IN ({marks}) AND r.fields LIKE ?))",
            (community_id, subject, subject, *types, f'%"{subject}"%'),
        )
        found.update((row.id, row) for row in rows)
    return [found[one] for one in sorted(found)]


def mentions(connection: Connection, community_id: str, needles: Sequence[str], limit: int) -> list[Any]:
    """(id, type, fields) of living records whose fields hold one of these texts, at most ``limit``."""
    if not needles:
        return []
    either = " OR ".join(["r.fields LIKE ? ESCAPE '\\'"] * len(needles))
    rows = run(
        connection,
        f"SELECT r.id, r.type, r.fields FROM record r WHERE r.community_id = ? AND r.life IN ('live', 'deleted') AND ({either}) "
        "ORDER BY r.type, r.id LIMIT ?",
        (community_id, *(f"%{_plain(one)}%" for one in needles), limit),
    )
    return list(rows)


def _plain(text: str) -> str:
    """A text as it stands in the JSON of fields, for LIKE."""
    written = orjson.dumps(text).decode()[1:-1]
    return written.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def keys_there(connection: Connection, community_id: str, subjects: Sequence[str]) -> dict[str, bool]:
    """Subject → whether its key is still there (False: destroyed); absent where there never was one."""
    rows = rows_of(connection, data_key, ("subject_id", "destroyed_at"), community_id, "subject_id", subjects)
    return {row.subject_id: row.destroyed_at is None for row in rows}


def subjects_of(connection: Connection, community_id: str, ids: Iterable[str]) -> dict[str, str | None]:
    """Of these ids, those that are records here: under whose key each is sealed."""
    rows = rows_of(connection, record, ("id", "subject_id"), community_id, "id", sorted(set(ids)))
    return {row.id: row.subject_id for row in rows}


def photos_elsewhere(connection: Connection, community_id: str, names: Sequence[str], gone: Sequence[str]) -> set[str]:
    """Of these photos, those that a record beside ``gone`` shows."""
    left = set()
    for name in names:
        rows = run(
            connection,
            "SELECT id FROM record WHERE community_id = ? AND fields LIKE ? AND life <> 'erased'",
            (community_id, f'%"{name}"%'),
        )
        if any(row.id not in gone for row in rows):
            left.add(name)
    return left


def raw_subjects(connection: Connection, community_id: str, record_ids: Sequence[str]) -> set[str]:
    """Keys of texts about one of these records that are no record's own: of bytes that were unread, of unknown forms."""
    found = set()
    columns = ("subject_id", "repaired_subject", "record_id")
    for row in rows_of(connection, operation, columns, community_id, "record_id", record_ids):
        found |= {one for one in (row.subject_id, row.repaired_subject) if one is not None}
    there = {row.id for row in rows_of(connection, record, ("id",), community_id, "id", sorted(found))}
    return found - there


def handed_to(connection: Connection, community_id: str, record_ids: Sequence[str]) -> list[str]:
    """Names of the outside systems that one of these records was handed to."""
    rows = rows_of(connection, external_ref, ("system_id",), community_id, "record_id", record_ids)
    systems = {row.system_id for row in rows}
    names = rows_of(connection, handover_system, ("name",), community_id, "system_id", sorted(systems))
    return sorted(row.name for row in names)


def open_operations(connection: Connection, community_id: str, record_ids: Sequence[str], subjects: Sequence[str]) -> list[Any]:
    """Held and quarantined operations about one of these records or sealed under one of these keys, with their install's kind."""
    rows = run(
        connection,
        "SELECT o.install_id, o.n, o.op_id, o.number, o.group_n, o.status, o.record_id, o.subject_id, o.repaired_subject, i.kind "
        "FROM operation o LEFT JOIN install i ON i.community_id = o.community_id AND i.install_id = o.install_id "
        "WHERE o.community_id = ? AND o.now IN ('held', 'quarantined') ORDER BY o.install_id, o.n",
        (community_id,),
    )
    ids, keys = set(record_ids), set(subjects)
    return [row for row in rows if row.record_id in ids or not keys.isdisjoint((row.subject_id, row.repaired_subject))]


def sealed_about(
    connection: Connection, community_id: str, record_ids: Sequence[str], subjects: Sequence[str]
) -> list[tuple[str | None, bytes]]:
    """(subject, sealed JSON) of the past of these records, of copies that phones offered, and of operations' texts under these keys."""
    found: list[tuple[str | None, bytes]] = []
    for table in (history, recovery):
        rows = rows_of(connection, table, ("subject_id", "sealed"), community_id, "record_id", record_ids)
        found += [(row.subject_id, bytes(row.sealed)) for row in rows if row.sealed is not None]
    sent = rows_of(connection, operation, ("number", "repaired_number"), community_id, "record_id", record_ids)
    numbers = {one for row in sent for one in row if one is not None}
    numbers |= {row.number for row in open_operations(connection, community_id, record_ids, subjects)}
    beside = run(connection, "SELECT number FROM journal WHERE community_id = ? AND command = 'reused'", (community_id,))
    numbers |= {row.number for row in beside}
    keys = set(subjects)
    for row in rows_of(connection, journal_payload, ("parts", "sealed"), community_id, "number", sorted(numbers)):
        found += [piece for piece in pieces(row.parts, bytes(row.sealed)) if piece[0] in keys]
    return found


def photos_there(connection: Connection, community_id: str, names: Sequence[str]) -> set[str]:
    """Of these names, those of photos that are kept, or are being uploaded."""
    kept = rows_of(connection, blob, ("sha256",), community_id, "sha256", names, "t.wrapped_key IS NOT NULL")
    return {row.sha256 for row in [*kept, *rows_of(connection, upload, ("sha256",), community_id, "sha256", names)]}


# ---------------------------------------------------------------- what goes
def empty_records(connection: Connection, community_id: str, rows: Sequence[tuple[str, int, str]], at: str) -> None:
    """Nothing but the envelope is left of these records: (id, v, tag)."""
    columns = ("v", "tag", "updated_at", "fresh_at")
    update_rows(connection, record, ("community_id", "id"), columns, [(v, tag, at, at, community_id, one) for one, v, tag in rows])
    for one, _, _ in rows:
        run(
            connection,
            "UPDATE record SET life = 'erased', fields = '{}', secret = NULL, conflicts = '[]', confirmed = '{}', "
            "placement = NULL, lon = NULL, lat = NULL, place_parent = NULL WHERE community_id = ? AND id = ?",
            (community_id, one),
        )


def add_versions(connection: Connection, rows: Sequence[Sequence[Any]]) -> None:
    """History of an erasure: community, record, v, tag, number, op_id, install, n, at, units, life, subject."""
    columns = ("community_id", "record_id", "v", "tag", "number", "op_id", "install_id", "n", "at", "units", "life", "subject_id")
    insert_rows(connection, history, columns, rows)


def drop_search(connection: Connection, community_id: str, record_ids: Sequence[str]) -> None:
    """No search entry of these records is left."""
    fold(connection, community_id)
    for one in record_ids:
        run(
            connection,
            "DELETE FROM record_index WHERE community_id = ? AND record_uuid = ?",
            (community_id, UUID(one).bytes),
        )


def destroy_keys(connection: Connection, community_id: str, subjects: Sequence[str], at: str) -> int:
    """Destroy these data keys, and see that none is ever made for them again; how many there were."""
    there = [one for one, alive in keys_there(connection, community_id, subjects).items() if alive]
    update_rows(
        connection, data_key, ("community_id", "subject_id"), ("wrapped", "destroyed_at"),
        [(None, at, community_id, one) for one in there],
    )  # fmt: skip
    columns = ("community_id", "subject_id", "wrapped", "destroyed_at")
    rows = [(community_id, one, None, at) for one in subjects]
    insert_rows(connection, data_key, columns, rows, "ON CONFLICT DO NOTHING")
    return len(there)


def drop_keys(connection: Connection, community_id: str, prefix: str) -> None:
    """Destroy the keys whose names begin so; others may be made for the same names."""
    statement = "DELETE FROM data_key WHERE community_id = ? AND subject_id >= ? AND subject_id < ?"
    run(connection, statement, (community_id, prefix, prefix + "\U0010ffff"))


def close_what_is_open(connection: Connection, community_id: str, record_ids: Sequence[str], number: int, at: str) -> None:
    """Conflicts, findings, offered copies, pairs and what other systems call these records are over."""
    for one in record_ids:
        run(
            connection,
            "UPDATE conflict SET state = 'closed', closed_at = ?, closed_number = ?, closed_by = 'policy' "
            "WHERE community_id = ? AND record_id = ? AND state = 'open'",
            (at, number, community_id, one),
        )
        run(
            connection,
            "UPDATE finding SET state = 'closed', closed_at = ? WHERE community_id = ? AND record_id = ? AND state = 'open'",
            (at, community_id, one),
        )
        run(connection, "DELETE FROM recovery WHERE community_id = ? AND record_id = ?", (community_id, one))
        run(connection, "DELETE FROM external_ref WHERE community_id = ? AND record_id = ?", (community_id, one))
        run(
            connection,
            "DELETE FROM distinct_pair WHERE community_id = ? AND (first_id = ? OR second_id = ?)",
            (community_id, one, one),
        )


def drop_photos(connection: Connection, community_id: str, names: Sequence[str]) -> list[str]:
    """Destroy the keys of these photos; ids of uploads under way of the same files, which are forgotten."""
    uploads = []
    for name in names:
        run(connection, "UPDATE blob SET wrapped_key = NULL WHERE community_id = ? AND sha256 = ?", (community_id, name))
        run(connection, "DELETE FROM blob_holder WHERE community_id = ? AND sha256 = ?", (community_id, name))
        rows = run(
            connection, "DELETE FROM upload WHERE community_id = ? AND sha256 = ? RETURNING upload_id", (community_id, name)
        )
        uploads += [row.upload_id for row in rows]
    return uploads


def erasures(connection: Connection, community_id: str) -> list[Any]:
    """(number, at, actor, effects) of the erasures of a community, newest first."""
    statement = (
        "SELECT number, at, actor_id, effects FROM journal WHERE community_id = ? AND command = 'erase' ORDER BY number DESC"
    )
    return list(run(connection, statement, (community_id,)))


def saved_lists(connection: Connection, community_id: str) -> list[Any]:
    """(id, name, sealed) of every saved list of a community."""
    return list(run(connection, "SELECT saved_id, name, sealed FROM saved_roster WHERE community_id = ?", (community_id,)))


# ---------------------------------------------------------------- what is left in the files
_REWRITTEN = ("record", "record_index", "record_index_new", "data_key", "blob", "recovery", "distinct_pair", "external_ref", "upload")


def scrub(engine: Engine) -> None:
    """Write the database anew, so that what was deleted or written over is in none of its files; others wait meanwhile.

    SQLite: the whole file and its log. PostgreSQL: the tables that hold values; its own log goes round by itself.
    """
    rewrite(engine, _REWRITTEN)

