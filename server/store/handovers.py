"""Outside systems that get rows of rosters, and what each record was when it was handed over last."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from server.models import external_ref, handover_system
from server.store.database import insert_rows, run


@dataclass(frozen=True, slots=True)
class Handed:
    """What an outside system got of a record; ``mark`` is empty where it was told that the record is gone."""

    record_id: str
    external_key: str | None
    handed_v: int
    mark: str
    handed_at: str
    handed_by: str


def systems(connection: Connection, community_id: str) -> list[Any]:
    """The outside systems of a community, by name."""
    statement = "SELECT system_id, name, roster, created_by, created_at, sealed FROM handover_system WHERE community_id = ? ORDER BY name, system_id"
    return list(run(connection, statement, (community_id,)))


def find(connection: Connection, community_id: str, system_id: str) -> Any | None:
    """One outside system; None when there is none."""
    return next((row for row in systems(connection, community_id) if row.system_id == system_id), None)


def keep(connection: Connection, community_id: str, system_id: str, user_id: str, at: str, *, name: str, roster: str, sealed: bytes) -> None:
    """Keep an outside system."""
    columns = ("community_id", "system_id", "name", "roster", "created_by", "created_at", "sealed")
    insert_rows(connection, handover_system, columns, [(community_id, system_id, name, roster, user_id, at, sealed)])


def remove(connection: Connection, community_id: str, system_id: str) -> bool:
    """Remove an outside system with what is known of its records; whether there was one."""
    run(connection, "DELETE FROM external_ref WHERE community_id = ? AND system_id = ?", (community_id, system_id))
    gone = run(connection, "DELETE FROM handover_system WHERE community_id = ? AND system_id = ?", (community_id, system_id))
    return gone.rowcount == 1


def handed(connection: Connection, community_id: str, system_id: str) -> dict[str, Handed]:
    """What a system got, by record."""
    statement = (
        "SELECT record_id, external_key, handed_v, mark, handed_at, handed_by FROM external_ref "
        "WHERE community_id = ? AND system_id = ?"
    )
    return {row[0]: Handed(*row) for row in run(connection, statement, (community_id, system_id))}


def of_record(connection: Connection, community_id: str, record_id: str) -> list[tuple[str, Handed]]:
    """(name of the system, what it got) of one record, by name."""
    statement = (
        "SELECT s.name, e.record_id, e.external_key, e.handed_v, e.mark, e.handed_at, e.handed_by FROM external_ref e "
        "JOIN handover_system s ON s.community_id = e.community_id AND s.system_id = e.system_id "
        "WHERE e.community_id = ? AND e.record_id = ? ORDER BY s.name"
    )
    return [(row[0], Handed(*row[1:])) for row in run(connection, statement, (community_id, record_id))]


def tick(connection: Connection, community_id: str, system_id: str, given: Iterable[Handed]) -> None:
    """Note what was handed over; a key that the other system gave stays where none is given anew."""
    columns = ("community_id", "system_id", "record_id", "external_key", "handed_v", "mark", "handed_at", "handed_by")
    rows: Sequence[tuple[Any, ...]] = [
        (community_id, system_id, one.record_id, one.external_key, one.handed_v, one.mark, one.handed_at, one.handed_by) for one in given
    ]
    tail = (
        "ON CONFLICT (community_id, system_id, record_id) DO UPDATE SET "
        "external_key = COALESCE(excluded.external_key, external_ref.external_key), handed_v = excluded.handed_v, "
        "mark = excluded.mark, handed_at = excluded.handed_at, handed_by = excluded.handed_by"
    )
    if rows:
        insert_rows(connection, external_ref, columns, rows, tail)
