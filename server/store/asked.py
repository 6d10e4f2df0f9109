"""What somebody was asked to see to at the door: conflicts, findings, work that waits and what is worked out anew, handed on at the office."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from server.permissions import Scope
from server.store.database import run
from server.store.handed import DOUBTFUL, DUPLICATE, handed_where
from server.store.inbox import findings_where, operations_where
from server.store.scoping import among, record_cut

Rows = list[dict[str, Any]]

CHECK = "door_check"
"""Record type of what was found at the door."""

# One statement, by three small partial indexes: it is asked at the end of every pull.
MARKS = (
    "SELECT 'conflict/' || k.conflict_id AS item, k.delegated_at AS at, r.home, r.life, k.unit AS more "
    "FROM conflict k LEFT JOIN record r ON r.community_id = k.community_id AND r.id = k.record_id "
    "WHERE k.community_id = ? AND k.delegated_to = ? AND k.state = 'open' "
    "UNION ALL SELECT 'finding/' || f.finding_id, f.delegated_at, r.home, r.life, f.units || COALESCE(CASE "
    f"WHEN f.kind = '{DUPLICATE}' THEN (SELECT q.life FROM record q WHERE q.community_id = f.community_id AND q.id = f.name) "
    f"WHEN f.kind = '{DOUBTFUL}' THEN r.placement END, '') "
    "FROM finding f LEFT JOIN record r ON r.community_id = f.community_id AND r.id = f.record_id "
    "WHERE f.community_id = ? AND f.delegated_to = ? AND f.state = 'open' "
    "UNION ALL SELECT 'operation/' || o.install_id || '/' || o.n, o.delegated_at, r.home, r.life, o.now || COALESCE(o.now_reason, '') "
    "FROM operation o LEFT JOIN record r ON r.community_id = o.community_id AND r.id = o.record_id "
    "WHERE o.community_id = ? AND o.delegated_to = ? AND o.now IN ('held', 'quarantined')"
)


def marks(connection: Connection, community_id: str, user_id: str) -> list[tuple[Any, ...]]:
    """What tells whether somebody is asked the same as before: (item, since, home, life, more) of all of it, sorted; not cut."""
    rows = run(connection, MARKS, (community_id, user_id) * 3)
    return sorted(tuple("" if value is None else str(value) for value in row) for row in rows)


def asked_of(connection: Connection, scope: Scope, community_id: str, user_id: str) -> Rows:
    """What this person was asked and what the scope sees, oldest question first.

    Each row has ``item``, ``kind`` (conflict | finding | held | quarantined), ``asked_at``, ``record_id``, ``type``, ``units`` (JSON),
    ``finding``, ``name``, ``reason``, ``detail`` (JSON), ``install_id``, ``claimed_at``; null where a kind has none.
    """
    cut, values = record_cut(connection, scope, community_id)
    found = run(
        connection,
        "SELECT 'conflict/' || k.conflict_id AS item, 'conflict' AS kind, k.delegated_at AS asked_at, k.record_id, r.type, "
        "k.unit AS units, k.kind AS finding, NULL AS name, NULL AS reason, NULL AS detail, NULL AS install_id, NULL AS claimed_at "
        "FROM conflict k JOIN record r ON r.community_id = k.community_id AND r.id = k.record_id "
        "WHERE k.community_id = ? AND k.delegated_to = ? AND k.state = 'open' AND r.life NOT IN ('merged', 'erased') "
        f"AND {cut}",
        (community_id, user_id, *values),
    )
    rows = [dict(row._mapping) for row in found]
    for where in (findings_where, handed_where):
        text, given = where(connection, scope, community_id)
        found = run(
            connection,
            "SELECT 'finding/' || f.finding_id AS item, 'finding' AS kind, f.delegated_at AS asked_at, r.id AS record_id, r.type, f.units, "
            "f.kind AS finding, f.name, NULL AS reason, f.detail, NULL AS install_id, NULL AS claimed_at "
            f"{text} AND f.delegated_to = ?",
            (*given, user_id),
        )
        rows += [dict(row._mapping) for row in found]
    for now in ("held", "quarantined"):
        text, given = operations_where(connection, scope, community_id, now, proposals=True)
        found = run(
            connection,
            f"SELECT 'operation/' || o.install_id || '/' || o.n AS item, '{now}' AS kind, o.delegated_at AS asked_at, o.record_id, "
            "COALESCE(r.type, o.record_type) AS type, '[]' AS units, o.kind AS finding, NULL AS name, o.now_reason AS reason, o.detail, "
            f"o.install_id, o.claimed_at {text} AND o.delegated_to = ?",
            (*given, user_id),
        )
        rows += [dict(row._mapping) for row in found]
    return sorted(rows, key=lambda row: (row["asked_at"] or "", row["item"]))


def checks_by_id(connection: Connection, scope: Scope, community_id: str, ids: Sequence[str]) -> list[Any]:
    """(id, fields, form_version, created_at, created_install) of those of these records that tell what was found at a door."""
    cut, values = record_cut(connection, scope, community_id)
    wanted, names = among("r.id", ids)
    rows = run(
        connection,
        "SELECT r.id, r.fields, r.form_version, r.created_at, r.created_install FROM record r "
        f"WHERE r.type = '{CHECK}' AND r.life = 'live' AND {wanted} AND {cut} ORDER BY r.created_at, r.id",
        (*names, *values),
    )
    return list(rows)
