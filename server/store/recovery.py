"""Copies that phones offered of records that a restored database lacks (S25)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from server.models import history, recovery
from server.permissions import Scope
from server.store.database import insert_rows, rows_of, run
from server.store.scoping import Condition, among, see_community

_COLUMNS = (
    "recovery_id", "record_id", "record_type", "v", "tag", "home", "epoch", "install_id", "offered_at", "state",
    "subject_id", "sealed",
)  # fmt: skip


def known_versions(connection: Connection, community_id: str, record_ids: Sequence[str]) -> set[tuple[str, int, str]]:
    """(record, v, tag) of every version that the history of these records has."""
    rows = rows_of(connection, history, ("record_id", "v", "tag"), community_id, "record_id", record_ids)
    return {(row.record_id, int(row.v), row.tag) for row in rows}


def known_offers(connection: Connection, community_id: str, recovery_ids: Sequence[str]) -> set[str]:
    """Which of these copies were offered before."""
    return {
        row[0] for row in rows_of(connection, recovery, ("recovery_id",), community_id, "recovery_id", recovery_ids)
    }


def add_offers(connection: Connection, community_id: str, rows: Sequence[Sequence[Any]]) -> None:
    """Keep copies: the columns of the table in order, without the community. The first offer of a copy stays."""
    columns = ("community_id", *_COLUMNS)
    insert_rows(connection, recovery, columns, [(community_id, *row) for row in rows], "ON CONFLICT DO NOTHING")


# What its author brought back meanwhile has its version in history again: tags depend on operations alone.
_CAME_BACK = (
    "EXISTS (SELECT 1 FROM history h WHERE h.community_id = q.community_id AND h.record_id = q.record_id "
    "AND h.v = q.v AND h.tag = q.tag)"
)


def _where(scope: Scope, community_id: str) -> Condition:
    see_community(scope, community_id)
    text, values = f"q.community_id = ? AND q.state = 'open' AND NOT {_CAME_BACK}", [community_id]
    if scope.fields != "all":
        return "1 = 0", []
    if scope.topics is not None:
        text += " AND q.record_type <> 'care_status'"
    if scope.streams is not None:
        homes, names = among("q.home", sorted(one for one in scope.streams if not one.startswith("install/")))
        text, values = f"{text} AND {homes}", [*values, *names]
    return text, values


def open_offers(
    connection: Connection, scope: Scope, community_id: str, *, after: Sequence[Any] | None, limit: int, only: str | None = None
) -> list[dict[str, Any]]:
    """Copies that wait, oldest first, with the version that the record has now (None: it is not there); ``only`` the one of this id."""
    text, values = _where(scope, community_id)
    if only is not None:
        text, values = f"{text} AND q.recovery_id = ?", [*values, only]
    if after is not None:
        text, values = f"{text} AND (q.offered_at, q.recovery_id) > (?, ?)", [*values, *after]
    found = run(
        connection,
        f"SELECT q.{', q.'.join(_COLUMNS)}, r.v AS present_v, r.tag AS present_tag, r.life AS present_life, "
        "r.fields AS present_fields, r.home AS present_home "
        "FROM recovery q LEFT JOIN record r ON r.community_id = q.community_id AND r.id = q.record_id "
        f"WHERE {text} ORDER BY q.offered_at, q.recovery_id LIMIT ?",
        (*values, limit),
    )
    return [dict(row._mapping) for row in found]


def count_open(connection: Connection, scope: Scope, community_id: str) -> int:
    """How many copies `open_offers` lists."""
    text, values = _where(scope, community_id)
    return int(run(connection, f"SELECT COUNT(*) FROM recovery q WHERE {text}", values).scalar_one())


def close_offer(connection: Connection, scope: Scope, community_id: str, recovery_id: str, *, at: str, by: str) -> bool:
    """Say that a copy was dealt with; whether it was there and open."""
    text, values = _where(scope, community_id)
    done = run(
        connection,
        "UPDATE recovery SET state = 'closed', closed_at = ?, closed_by = ? WHERE community_id = ? AND recovery_id IN "
        f"(SELECT q.recovery_id FROM recovery q WHERE {text} AND q.recovery_id = ?)",
        (at, by, community_id, *values, recovery_id),
    )
    return bool(done.rowcount)
