"""What ODK needs to know of the records, and rows of filled forms. No form is read here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import orjson
from sqlalchemy import Connection

from server.models import odk_branch
from server.permissions import Scope
from server.store.database import insert_rows, rows_of, run
from server.store.scoping import among, both, record_cut

_SUBMISSION = (
    "instance_id", "install_id", "form_id", "form_version", "content_hash", "device_id", "user_agent", "arrived_at", "first_n",
    "count", "files", "metadata", "review_state",
)  # fmt: skip


# ---------------------------------------------------------------- records for lists
def listed(connection: Connection, scope: Scope, community_id: str, kinds: Iterable[str]) -> list[Any]:
    """(id, type, v, tag, fields) of the living records of these types in the scope, in order of type and id."""
    cut, values = both(record_cut(connection, scope, community_id), among("r.type", sorted(kinds)))
    statement = f"SELECT r.id, r.type, r.v, r.tag, r.fields FROM record r WHERE {cut} AND r.life = 'live' ORDER BY r.type, r.id"
    return [(row.id, row.type, row.v, row.tag, orjson.loads(row.fields)) for row in run(connection, statement, values)]


def known(connection: Connection, community_id: str, record_ids: Sequence[str]) -> dict[str, Any]:
    """Rows (id, type, v, tag, created_install, fields) of records by id, whoever may see them; unknown ids are left out."""
    from server.models import record

    columns = ("id", "type", "v", "tag", "created_install", "fields")
    return {row.id: row for row in rows_of(connection, record, columns, community_id, "id", list(record_ids))}


def listed_among(connection: Connection, scope: Scope, community_id: str, record_ids: Sequence[str]) -> list[Any]:
    """As `listed`, of these ids only."""
    found: list[Any] = []
    for start in range(0, len(record_ids), 500):
        cut, values = both(record_cut(connection, scope, community_id), among("r.id", record_ids[start : start + 500]))
        statement = f"SELECT r.id, r.type, r.v, r.tag, r.fields FROM record r WHERE {cut} AND r.life = 'live'"
        found += [(row.id, row.type, row.v, row.tag, orjson.loads(row.fields)) for row in run(connection, statement, values)]
    return found


def written_by(connection: Connection, community_id: str, install_id: str, first_n: int, count: int) -> list[Any]:
    """(record id, type, kind, outcome now) of the operations of a filled form, in order."""
    statement = (
        "SELECT record_id, record_type, kind, now FROM operation WHERE community_id = ? AND install_id = ? AND n > ? AND n <= ? ORDER BY n"
    )
    return list(run(connection, statement, (community_id, install_id, first_n, first_n + count)))


def set_review(connection: Connection, community_id: str, instance_id: str, state: str) -> None:
    """Say what somebody made of a filled form."""
    statement = "UPDATE odk_submission SET review_state = ? WHERE community_id = ? AND instance_id = ?"
    run(connection, statement, (state, community_id, instance_id))


def record_times(connection: Connection, community_id: str, record_ids: Sequence[str]) -> dict[str, tuple[str, str]]:
    """(made, last changed) of records."""
    from server.models import record

    rows = rows_of(connection, record, ("id", "created_at", "updated_at"), community_id, "id", list(record_ids))
    return {row.id: (row.created_at, row.updated_at) for row in rows}


def seen_ids(connection: Connection, scope: Scope, community_id: str, record_ids: Sequence[str]) -> set[str]:
    """Of these ids, those of living records in the scope."""
    found: set[str] = set()
    for start in range(0, len(record_ids), 500):
        cut, values = both(record_cut(connection, scope, community_id), among("r.id", record_ids[start : start + 500]))
        found.update(row[0] for row in run(connection, f"SELECT r.id FROM record r WHERE {cut} AND r.life = 'live'", values))
    return found


def counters(connection: Connection, community_id: str, stream_ids: Iterable[str] | None) -> list[tuple[str, int]]:
    """(stream, last number) of these streams, of all of the community for None, in order."""
    if stream_ids is None:
        rows = run(connection, "SELECT stream_id, seq FROM stream WHERE community_id = ? ORDER BY stream_id", (community_id,))
    else:
        wanted, values = among("s.stream_id", sorted(stream_ids))
        statement = f"SELECT s.stream_id, s.seq FROM stream s WHERE s.community_id = ? AND {wanted} ORDER BY s.stream_id"
        rows = run(connection, statement, (community_id, *values))
    return [(row[0], int(row[1])) for row in rows]


def later_versions(connection: Connection, community_id: str, record_id: str, v: int) -> list[Any]:
    """(v, install_id, units, subject_id, sealed) of every version of a record above one, ascending."""
    return list(
        run(
            connection,
            "SELECT h.v, h.install_id, h.units, h.subject_id, h.sealed FROM history h WHERE h.community_id = ? "
            "AND h.record_id = ? AND h.v > ? ORDER BY h.v",
            (community_id, record_id, v),
        )
    )


def tag_at(connection: Connection, community_id: str, record_id: str, v: int) -> str | None:
    """The tag of a version of a record, None where it never had one."""
    statement = "SELECT tag FROM history WHERE community_id = ? AND record_id = ? AND v = ?"
    found: str | None = run(connection, statement, (community_id, record_id, v)).scalar()
    return found


# ---------------------------------------------------------------- filled forms
def add_submission(connection: Connection, row: Sequence[Any]) -> bool:
    """Keep a new filled form (community, then the columns up to ``metadata``); False where one of this id is there."""
    columns = ("community_id", *_SUBMISSION[:-1])
    statement = f"INSERT INTO odk_submission ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))}) ON CONFLICT DO NOTHING"
    return bool(run(connection, statement, row).rowcount)


def submission_of(connection: Connection, community_id: str, instance_id: str) -> Any | None:
    """A filled form by its own id."""
    statement = f"SELECT {', '.join(_SUBMISSION)} FROM odk_submission WHERE community_id = ? AND instance_id = ?"
    return run(connection, statement, (community_id, instance_id)).first()


def submissions(connection: Connection, community_id: str, form_id: str, *, limit: int, offset: int = 0) -> list[Any]:
    """Filled forms of one form, the newest first."""
    statement = (
        f"SELECT {', '.join(_SUBMISSION)} FROM odk_submission WHERE community_id = ? AND form_id = ? "
        "ORDER BY arrived_at DESC, instance_id LIMIT ? OFFSET ?"
    )
    return list(run(connection, statement, (community_id, form_id, limit, offset)))


def submission_counts(connection: Connection, community_id: str) -> dict[str, tuple[int, str]]:
    """(how many, when the last arrived) of filled forms by form."""
    statement = "SELECT form_id, count(*), max(arrived_at) FROM odk_submission WHERE community_id = ? GROUP BY form_id"
    return {row[0]: (int(row[1]), row[2]) for row in run(connection, statement, (community_id,))}


def branch_base(connection: Connection, community_id: str, branch_id: str, record_id: str) -> int | None:
    """How far the chain of updates of one record was taken in, as its base version; None for an unknown chain."""
    statement = "SELECT base_version FROM odk_branch WHERE community_id = ? AND branch_id = ? AND record_id = ?"
    found: int | None = run(connection, statement, (community_id, branch_id, record_id)).scalar()
    return found


def advance_branch(connection: Connection, community_id: str, branch_id: str, record_id: str, base_version: int) -> None:
    """Note that a chain of updates was taken in up to here; never backwards."""
    columns = ("community_id", "branch_id", "record_id", "base_version")
    tail = (
        "ON CONFLICT (community_id, branch_id, record_id) DO UPDATE SET base_version = excluded.base_version "
        "WHERE odk_branch.base_version < excluded.base_version"
    )
    insert_rows(connection, odk_branch, columns, [(community_id, branch_id, record_id, base_version)], tail)


def phones_of(connection: Connection, community_id: str, app_user_id: str) -> list[str]:
    """Ids of the installs of phones that write with this code."""
    statement = "SELECT install_id FROM install WHERE community_id = ? AND kind = 'odk_phone' AND parent_install_id IS NULL AND label = ?"
    return [row[0] for row in run(connection, statement, (community_id, app_user_id))]
