"""Jobs: rows that one worker at a time holds by a lease; a worker that dies loses its lease, never the job."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import Connection

from server.models import job
from server.store.database import insert_rows, run, stamp
from server.store.scoping import among, is_postgres

MOST_ATTEMPTS = 3

_COLUMNS = (
    "community_id, job_id, kind, state, arguments, requested_by, requested_at, lease_until, worker, "
    "done_count, total_count, result, error, ended_at, attempt"
)


@dataclass(frozen=True, slots=True)
class Job:
    """One piece of long work. ``state`` is queued, running, done or failed; ``result`` is set when done."""

    community_id: str
    job_id: str
    kind: str
    state: str
    arguments: dict[str, Any]
    requested_by: str
    requested_at: str
    lease_until: str | None
    worker: str | None
    done_count: int
    total_count: int | None
    result: dict[str, Any] | None
    error: str | None
    ended_at: str | None
    attempt: int


def _job(row: Any) -> Job:
    values = dict(row._mapping)
    values["arguments"] = orjson.loads(values["arguments"])
    values["result"] = None if values["result"] is None else orjson.loads(values["result"])
    return Job(**values)


def add(
    connection: Connection,
    *,
    community_id: str,
    job_id: str,
    kind: str,
    arguments: dict[str, Any],
    requested_by: str,
    at: datetime,
) -> None:
    """Queue a job."""
    columns = ("community_id", "job_id", "kind", "state", "arguments", "requested_by", "requested_at")
    insert_rows(
        connection,
        job,
        columns,
        [(community_id, job_id, kind, "queued", orjson.dumps(arguments).decode(), requested_by, stamp(at))],
    )


def find(connection: Connection, community_id: str, job_id: str) -> Job | None:
    """One job, None when there is none."""
    row = run(connection, f"SELECT {_COLUMNS} FROM job WHERE community_id = ? AND job_id = ?", (community_id, job_id))
    found = row.first()
    return None if found is None else _job(found)


def of_community(connection: Connection, community_id: str, kind: str, limit: int = 100, *, since: str | None = None) -> list[Job]:
    """The newest jobs of a kind in a community; all of those that were asked for since a time where one is given."""
    later, given = ("AND requested_at >= ? ", (since,)) if since is not None else ("", ())
    tail, most = ("", ()) if since is not None else (" LIMIT ?", (limit,))
    rows = run(
        connection,
        f"SELECT {_COLUMNS} FROM job WHERE community_id = ? AND kind = ? {later}ORDER BY requested_at DESC, job_id DESC{tail}",
        (community_id, kind, *given, *most),
    )
    return [_job(row) for row in rows]


def claim(connection: Connection, *, worker: str, kinds: tuple[str, ...], at: datetime, lease: timedelta) -> Job | None:
    """Take the oldest job that is queued or whose lease has run out; None when nothing waits.

    Run it in a write transaction. A job that has used up its attempts is marked failed instead of taken.
    """
    now = stamp(at)
    marks = ", ".join("?" * len(kinds))
    free = f"kind IN ({marks}) AND (state = 'queued' OR (state = 'running' AND lease_until < ?))"
    run(
        connection,
        f"UPDATE job SET state = 'failed', error = 'abandoned', ended_at = ?, lease_until = NULL "
        f"WHERE {free} AND attempt >= ?",
        (now, *kinds, now, MOST_ATTEMPTS),
    )
    lock = " FOR UPDATE SKIP LOCKED" if is_postgres(connection) else ""
    chosen = run(
        connection,
        f"SELECT community_id, job_id FROM job WHERE {free} ORDER BY requested_at, job_id LIMIT 1{lock}",
        (*kinds, now),
    ).first()
    if chosen is None:
        return None
    run(
        connection,
        "UPDATE job SET state = 'running', worker = ?, lease_until = ?, attempt = attempt + 1, done_count = 0 "
        "WHERE community_id = ? AND job_id = ?",
        (worker, stamp(at + lease), *chosen),
    )
    return find(connection, *chosen)


def heartbeat(
    connection: Connection, taken: Job, *, at: datetime, lease: timedelta, done: int, total: int | None
) -> bool:
    """Note the progress and renew the lease; False when another worker has taken the job meanwhile."""
    changed = run(
        connection,
        "UPDATE job SET lease_until = ?, done_count = ?, total_count = ? "
        "WHERE community_id = ? AND job_id = ? AND state = 'running' AND worker = ? AND attempt = ?",
        (stamp(at + lease), done, total, taken.community_id, taken.job_id, taken.worker, taken.attempt),
    )
    return bool(changed.rowcount)


def finish(connection: Connection, taken: Job, *, at: datetime, result: dict[str, Any], done: int) -> bool:
    """Mark a job done; False when it is no longer ours."""
    changed = run(
        connection,
        "UPDATE job SET state = 'done', result = ?, done_count = ?, total_count = ?, ended_at = ?, lease_until = NULL, "
        "error = NULL WHERE community_id = ? AND job_id = ? AND state = 'running' AND worker = ? AND attempt = ?",
        (
            orjson.dumps(result).decode(),
            done,
            done,
            stamp(at),
            taken.community_id,
            taken.job_id,
            taken.worker,
            taken.attempt,
        ),
    )
    return bool(changed.rowcount)


def give_back(connection: Connection, taken: Job, *, at: datetime, error: str, final: bool = False) -> None:
    """Return a job that failed to the queue, or mark it failed when it is final or was its last attempt.

    ``error`` is a class name or a code, never a message that could hold a value.
    """
    state = "failed" if final or taken.attempt >= MOST_ATTEMPTS else "queued"
    run(
        connection,
        "UPDATE job SET state = ?, error = ?, lease_until = NULL, ended_at = ? "
        "WHERE community_id = ? AND job_id = ? AND state = 'running' AND worker = ? AND attempt = ?",
        (
            state,
            error,
            stamp(at) if state == "failed" else None,
            taken.community_id,
            taken.job_id,
            taken.worker,
            taken.attempt,
        ),
    )


def ended_before(connection: Connection, kind: str, before: datetime) -> list[Job]:
    """Jobs of a kind that ended before a time."""
    rows = run(
        connection,
        f"SELECT {_COLUMNS} FROM job WHERE kind = ? AND ended_at < ? ORDER BY ended_at",
        (kind, stamp(before)),
    )
    return [_job(row) for row in rows]


def finish_queued(connection: Connection, community_id: str, job_id: str, at: datetime) -> None:
    """Somebody did by hand what a job was queued for; nothing where a worker has taken it."""
    statement = "UPDATE job SET state = 'done', ended_at = ?, result = '{}' WHERE community_id = ? AND job_id = ? AND state = 'queued'"
    run(connection, statement, (stamp(at), community_id, job_id))


def mark_removed(connection: Connection, gone: Job) -> None:
    """Note that the file of a job is no longer kept."""
    result = orjson.dumps((gone.result or {}) | {"removed": True}).decode()
    run(
        connection,
        "UPDATE job SET result = ? WHERE community_id = ? AND job_id = ?",
        (result, gone.community_id, gone.job_id),
    )


def find_any(connection: Connection, job_id: str, community_ids: tuple[str, ...] | None) -> Job | None:
    """A job by its id alone, in these communities (None: in any)."""
    condition, values = ("1 = 1", []) if community_ids is None else among("community_id", community_ids)
    row = run(connection, f"SELECT {_COLUMNS} FROM job WHERE job_id = ? AND {condition}", (job_id, *values)).first()
    return None if row is None else _job(row)
