"""The audit log (L11): one line for every look at personal fields and every change of who may look.

Lines are only ever added; the database itself refuses to change or remove one.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import Connection, and_, insert, or_, select

from server.models import audit


@dataclass(frozen=True, slots=True)
class AuditLine:
    """Who looked at what, what for, within which scope. Field names and ids, never a value."""

    community_id: str
    audit_id: str
    at: str
    actor_id: str
    role: str
    action: str
    purpose: str
    scope: str
    record_type: str | None = None
    record_id: str | None = None
    fields: tuple[str, ...] = ()
    count: int | None = None
    request_id: str | None = None


_LINE = audit.c
_COLUMNS = tuple(
    _LINE[name]
    for name in (
        "community_id", "audit_id", "at", "actor_id", "role", "action", "purpose", "scope", "record_type",
        "record_id", "fields", "count", "request_id",
    )
)  # fmt: skip


def append(connection: Connection, line: AuditLine) -> None:
    """Add a line."""
    connection.execute(insert(audit).values(asdict(line) | {"fields": json.dumps(list(line.fields))}))


def lines(
    connection: Connection,
    community_ids: Collection[str] | None,
    *,
    since: str | None = None,
    until: str | None = None,
    actor_id: str | None = None,
    record_id: str | None = None,
    action: str | None = None,
    before: tuple[str, str] | None = None,
    limit: int = 100,
) -> Sequence[AuditLine]:
    """Lines of communities (None: of all), newest first.

    Parameters
    ----------
    since, until : stamps; the first included, the last not
    before : (at, audit_id) of the last line of the page before; ties in time go by id
    limit : the most that is given
    """
    query = select(*_COLUMNS).order_by(_LINE.at.desc(), _LINE.audit_id.desc()).limit(limit)
    if community_ids is not None:
        query = query.where(_LINE.community_id.in_(list(community_ids)))
    if since is not None:
        query = query.where(_LINE.at >= since)
    if until is not None:
        query = query.where(_LINE.at < until)
    for column, wanted in ((_LINE.actor_id, actor_id), (_LINE.record_id, record_id), (_LINE.action, action)):
        if wanted is not None:
            query = query.where(column == wanted)
    if before is not None:
        query = query.where(or_(_LINE.at < before[0], and_(_LINE.at == before[0], _LINE.audit_id < before[1])))
    return [
        AuditLine(**(dict(row._mapping) | {"fields": tuple(json.loads(row.fields))}))
        for row in connection.execute(query)
    ]
