"""What commands leave beside records: ids that lead to others, the records of a command, what waits as a proposal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from server.models import operation, operation_target, redirect
from server.store.database import insert_rows, rows_of, run, update_rows
from server.store.scoping import Condition
from server.store.sieve import EVERYTHING, Sieve, operation_rank, sifted
from sync.duplicates import PastMerge


def redirects_of(connection: Connection, community_id: str, ids: Iterable[str]) -> dict[str, str]:
    """Of these ids, and of those that they lead to, where each merged one leads (S8)."""
    if run(connection, "SELECT 1 FROM redirect WHERE community_id = ? LIMIT 1", (community_id,)).first() is None:
        return {}
    found: dict[str, str] = {}
    frontier = sorted(set(ids))
    while frontier:
        rows = rows_of(connection, redirect, ("id", "target_id"), community_id, "id", frontier)
        fresh = {row.id: row.target_id for row in rows if row.id not in found}
        found |= fresh
        frontier = sorted(set(fresh.values()) - found.keys())
    return found


def all_redirects(connection: Connection, community_id: str, *, by: str | None = None) -> dict[str, str]:
    """Where every merged id of a community leads, one step; ``by``: only of merges that were made by this time."""
    statement = "SELECT d.id, d.target_id FROM redirect d WHERE d.community_id = ?"
    if by is not None:
        statement = statement.replace(
            " WHERE", " JOIN journal j ON j.community_id = d.community_id AND j.number = d.number AND j.at <= ? WHERE"
        )
    rows = run(connection, statement, (community_id,) if by is None else (by, community_id))
    return {row.id: row.target_id for row in rows}


def leading_to(connection: Connection, community_id: str, ids: Iterable[str]) -> dict[str, str]:
    """The ids that lead to one of these, through any number of merges, and where each leads."""
    found: dict[str, str] = {}
    targets = set(ids)
    pending = all_redirects(connection, community_id)
    while True:
        fresh = {one: target for one, target in pending.items() if target in targets and one not in found}
        if not fresh:
            return found
        found |= fresh
        targets |= fresh.keys()


def past_merges(connection: Connection, community_id: str, op_ids: Iterable[str]) -> dict[str, PastMerge]:
    """The merges that these commands made and that still hold, by op_id."""
    found: dict[str, PastMerge] = {}
    for op_id in sorted(op_ids):
        row = run(
            connection,
            "SELECT d.id, d.target_id, d.number FROM redirect d JOIN record r ON r.community_id = d.community_id AND r.id = d.id "
            "JOIN history h ON h.community_id = r.community_id AND h.record_id = r.id AND h.v = r.v "
            "WHERE d.community_id = ? AND h.op_id = ?",
            (community_id, op_id),
        ).first()
        if row is None:
            continue
        later = run(
            connection,
            "SELECT 1 FROM redirect WHERE community_id = ? AND (id = ? OR (target_id = ? AND number > ?)) LIMIT 1",
            (community_id, row.target_id, row.target_id, row.number),
        ).first()
        family = [row.id, *leading_to(connection, community_id, [row.id])]
        addressed = [
            (one.install_id, int(one.n))
            for one in run(
                connection,
                "SELECT install_id, n, record_id FROM operation WHERE community_id = ? AND entered_id = ? "
                "AND entered_id IS NOT NULL",
                (community_id, row.target_id),
            )
            if one.record_id in family
        ]
        found[op_id] = PastMerge(row.target_id, row.id, later is None, frozenset(addressed))
    return found


def write_redirects(connection: Connection, community_id: str, led: Mapping[str, str | None], number: int) -> None:
    """Let ids lead to other records from now on, or (None) to their own again."""
    for record_id in led:
        run(connection, "DELETE FROM redirect WHERE community_id = ? AND id = ?", (community_id, record_id))
    rows = [(community_id, one, target, number) for one, target in led.items() if target is not None]
    insert_rows(connection, redirect, ("community_id", "id", "target_id", "number"), rows)


def insert_targets(connection: Connection, community_id: str, rows: Sequence[tuple[str, int, str]]) -> None:
    """The records of commands: install, n, record."""
    columns = ("community_id", "install_id", "n", "record_id")
    insert_rows(connection, operation_target, columns, [(community_id, *row) for row in rows], "ON CONFLICT DO NOTHING")


def note_entered(connection: Connection, community_id: str, rows: Sequence[tuple[str, str, int]]) -> None:
    """The record that an operation entered where its text names another one: record, install, n."""
    values = [(entered, community_id, install_id, n) for entered, install_id, n in rows]
    update_rows(connection, operation, ("community_id", "install_id", "n"), ("entered_id",), values)


def note_repairs(connection: Connection, community_id: str, rows: Sequence[tuple[int, str | None, str, int]]) -> None:
    """Where the repaired text of an operation is: journal number, subject, install, n."""
    values = [(number, subject, community_id, install_id, n) for number, subject, install_id, n in rows]
    columns = ("repaired_number", "repaired_subject")
    update_rows(connection, operation, ("community_id", "install_id", "n"), columns, values)


def note_subjects(connection: Connection, community_id: str, rows: Sequence[tuple[str | None, str, str, str, int]]) -> None:
    """What is wrong with an operation now and what it is about: detail, type, record, install, n."""
    values = [(detail, kind, record_id, community_id, install_id, n) for detail, kind, record_id, install_id, n in rows]
    columns = ("detail", "record_type", "record_id")
    update_rows(connection, operation, ("community_id", "install_id", "n"), columns, values)


def targets_of(connection: Connection, community_id: str, install_id: str, ns: Sequence[int]) -> dict[int, list[str]]:
    """The records of an install's commands by n."""
    found: dict[int, list[str]] = {}
    rows = run(
        connection,
        "SELECT n, record_id FROM operation_target WHERE community_id = ? AND install_id = ? AND n BETWEEN ? AND ? "
        "ORDER BY n, record_id",
        (community_id, install_id, min(ns), max(ns)),
    )
    for row in rows:
        found.setdefault(row.n, []).append(row.record_id)
    return found


def proposals(
    connection: Connection, community_id: str, *, after: Sequence[Any] | None, limit: int, sieve: Sieve = EVERYTHING
) -> list[dict[str, Any]]:
    """Held operations of groups that wait for somebody's confirmation, by harm, then the oldest arrival; never their content.

    ``after`` is (harm, arrived_at, install_id, n) of the last one seen.
    """
    text, values = _proposals(community_id, sieve)
    harm, harms = operation_rank(sieve)
    later = "1 = 1" if after is None else "(harm, arrived_at, install_id, n) > (?, ?, ?, ?)"
    rows = run(
        connection,
        f"SELECT * FROM (SELECT {harm} AS harm, o.install_id, o.n, o.op_id, o.group_n, o.number, o.subject_id, o.repaired_number, "
        "o.repaired_subject, o.record_type, o.record_id, o.kind, o.claimed_at, o.arrived_at, o.status, o.delegated_to "
        f"{text}) q WHERE {later} ORDER BY harm, arrived_at, install_id, n LIMIT ?",
        (*harms, *values, *(after or ()), limit),
    )
    return [dict(row._mapping) for row in rows]


def count_proposals(connection: Connection, community_id: str, sieve: Sieve = EVERYTHING) -> int:
    """How many operations `proposals` lists."""
    text, values = _proposals(community_id, sieve)
    return int(run(connection, f"SELECT COUNT(*) {text}", values).scalar_one())


def _proposals(community_id: str, sieve: Sieve) -> Condition:
    chosen, values = sifted("o", sieve)
    return (
        "FROM operation o LEFT JOIN record r ON r.community_id = o.community_id AND r.id = o.record_id WHERE o.community_id = ? "
        f"AND o.now IN ('held', 'quarantined') AND o.now = 'held' AND o.now_reason = 'proposal' AND {chosen}"
    ), [community_id, *values]
