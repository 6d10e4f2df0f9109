"""What waits for a person's decision: conflicts, quarantined and held operations, unplaced records, findings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection

from server.models import HOUSE, conflict_sibling, held_wait, install, user_account
from server.permissions import Scope
from server.store.database import rows_of, run
from server.store.handed import KINDS
from server.store.scoping import UNPLACED, Condition, among, both, record_cut, see_community
from server.store.sieve import EVERYTHING, Sieve, operation_rank, rank, sifted

Rows = list[dict[str, Any]]

ESCALATED = "escalated"
"""Kind of the findings about households that the office has to look at: counted and listed among the visits."""
LISTED_ELSEWHERE = f"('{ESCALATED}', {KINDS})"
"""Kinds of findings that stand in queues of their own."""

QUEUE = "CASE WHEN o.now = 'held' AND o.now_reason = 'proposal' THEN 'proposals' ELSE o.now END"
"""The queue in which an operation that waits stands, for those who see the whole community."""

# The planner of SQLite uses the partial index only where its own words stand in the query.
_OPEN_OPERATION = "o.now IN ('held', 'quarantined')"


def _rows(found: Iterable[Any]) -> Rows:
    return [dict(row._mapping) for row in found]


def _after(columns: str, after: Sequence[Any] | None) -> Condition:
    if after is None:
        return "1 = 1", []
    return f"({columns}) > ({', '.join('?' * len(after))})", list(after)


def counts(connection: Connection, scope: Scope, community_id: str, sieve: Sieve = EVERYTHING) -> dict[str, int]:
    """How many items of each kind wait in the scope; what the sieve leaves of the kinds that it is made for."""
    cut, values = record_cut(connection, scope, community_id)
    chosen, asked = sifted("k", sieve)
    found = {
        "conflicts": run(
            connection,
            "SELECT COUNT(*) FROM conflict k JOIN record r ON r.community_id = k.community_id AND r.id = k.record_id "
            f"WHERE k.community_id = ? AND k.state = 'open' AND r.life <> 'merged' AND {cut} AND {chosen}",
            (community_id, *values, *asked),
        ).scalar_one()
    }
    for kind, now in (("quarantine", "quarantined"), ("held", "held")):
        found[kind] = count_operations(connection, scope, community_id, now, sieve)
    text, given = findings_where(connection, scope, community_id)
    chosen, asked = sifted("f", sieve)
    found["findings"] = run(connection, f"SELECT COUNT(*) {text} AND {chosen}", (*given, *asked)).scalar_one()
    if sieve != EVERYTHING:
        return {kind: int(number) for kind, number in found.items()}
    if scope.streams is None and scope.fields == "all" and scope.topics is None:
        # Live records of a stream are what its counter counts; no index begins with the home alone.
        statement = "SELECT COALESCE(SUM(count), 0) FROM stream WHERE community_id = ? AND stream_id = ?"
        found["unplaced"] = run(connection, statement, (community_id, UNPLACED)).scalar_one()
    else:
        found["unplaced"] = run(
            connection,
            f"SELECT COUNT(*) FROM record r WHERE {cut} AND r.home = ? AND r.life = 'live'",
            (*values, UNPLACED),
        ).scalar_one()
    found["visits"] = run(
        connection,
        "SELECT COUNT(*) FROM finding f JOIN record r ON r.community_id = f.community_id AND r.id = f.record_id "
        f"WHERE f.community_id = ? AND f.state = 'open' AND f.kind = '{ESCALATED}' AND {cut}",
        (community_id, *values),
    ).scalar_one()
    return {kind: int(number) for kind, number in found.items()}


# ---------------------------------------------------------------- conflicts
_CONFLICT = (
    "SELECT k.conflict_id, k.record_id, k.unit, k.kind, k.policy, k.opened_at, k.delegated_to, k.delegated_at, k.subject_id, k.sealed, "
    "r.type, r.home, r.v, r.tag, r.life, r.fields, r.secret, r.subject_id AS owner, r.stamps, r.form_version "
    "FROM conflict k JOIN record r ON r.community_id = k.community_id AND r.id = k.record_id "
)


def open_conflicts(connection: Connection, scope: Scope, community_id: str) -> Rows:
    """Every open conflict in the scope, light: ids, unit, kind, when it was opened, type of record."""
    cut, values = record_cut(connection, scope, community_id)
    return _rows(
        run(
            connection,
            "SELECT k.conflict_id, k.unit, k.kind, k.opened_at, r.type, r.form_version FROM conflict k "
            "JOIN record r ON r.community_id = k.community_id AND r.id = k.record_id "
            f"WHERE k.community_id = ? AND k.state = 'open' AND r.life <> 'merged' AND {cut}",
            (community_id, *values),
        )
    )


def conflicts_by_id(connection: Connection, scope: Scope, community_id: str, ids: Sequence[str]) -> Rows:
    """Open conflicts in full, in the order of their ids given; those outside the scope or closed are left out."""
    cut, values = record_cut(connection, scope, community_id)
    wanted, marks = among("k.conflict_id", ids)
    found = _rows(
        run(
            connection,
            f"{_CONFLICT} WHERE k.community_id = ? AND k.state = 'open' AND r.life <> 'merged' AND {wanted} AND {cut}",
            (community_id, *marks, *values),
        )
    )
    place = {conflict_id: position for position, conflict_id in enumerate(ids)}
    return sorted(found, key=lambda row: place[row["conflict_id"]])


def conflicts_of(connection: Connection, scope: Scope, community_id: str, record_ids: Sequence[str]) -> list[str]:
    """The open conflicts of these records that are in the scope, oldest first."""
    cut, values = record_cut(connection, scope, community_id)
    wanted, marks = among("k.record_id", record_ids)
    found = run(
        connection,
        f"{_CONFLICT} WHERE k.community_id = ? AND k.state = 'open' AND r.life <> 'merged' AND {wanted} AND {cut} "
        "ORDER BY k.opened_at, k.conflict_id",
        (community_id, *marks, *values),
    )
    return [row.conflict_id for row in found]


def deletions(connection: Connection, community_id: str, record_ids: Iterable[str]) -> dict[str, Any]:
    """The last deletion of each of these records, as (record_id, install_id, at, claimed_at); none where there was none."""
    wanted, marks = among("h.record_id", sorted(set(record_ids)))
    found = run(
        connection,
        "SELECT h.record_id, h.install_id, h.at, o.claimed_at FROM history h "
        "LEFT JOIN operation o ON o.community_id = h.community_id AND o.op_id = h.op_id AND o.canonical = 1 "
        f"WHERE h.community_id = ? AND h.life = 'deleted' AND {wanted} ORDER BY h.v",
        (community_id, *marks),
    )
    return {row.record_id: row for row in found}


def delegate(connection: Connection, community_id: str, conflict_id: str, user_id: str | None, at: str) -> None:
    """Say who is asked to settle a conflict, and since when."""
    run(
        connection,
        "UPDATE conflict SET delegated_to = ?, delegated_at = ? WHERE community_id = ? AND conflict_id = ?",
        (user_id, at, community_id, conflict_id),
    )


def siblings(connection: Connection, community_id: str, conflict_ids: Sequence[str]) -> Rows:
    """The values that stand side by side in these conflicts, open ones only, oldest arrival first."""
    columns = (
        "conflict_id", "op_id", "role", "state", "install_id", "n", "user_id", "claimed_at", "arrived_at",
        "form_version", "sealed",
    )  # fmt: skip
    found = _rows(rows_of(connection, conflict_sibling, columns, community_id, "conflict_id", conflict_ids))
    return sorted(
        (row for row in found if row["state"] == "open"),
        key=lambda row: (row["arrived_at"], row["install_id"], row["n"]),
    )


# ---------------------------------------------------------------- operations that wait
def operations_where(
    connection: Connection, scope: Scope, community_id: str, now: str, *, proposals: bool = False
) -> Condition:
    """FROM and WHERE of operations ``o`` that are ``now`` so, and their records ``r``, in the scope."""
    see_community(scope, community_id)
    text = (
        "FROM operation o LEFT JOIN record r ON r.community_id = o.community_id AND r.id = o.record_id "
        f"WHERE o.community_id = ? AND {_OPEN_OPERATION} AND o.now = ?"
    )
    values: list[Any] = [community_id, now]
    if scope.streams is None and now == "held" and not proposals:
        text += " AND COALESCE(o.now_reason, '') <> 'proposal'"  # in a queue of its own for those who see it
    if scope.streams is not None:
        installs = sorted(name.removeprefix("install/") for name in scope.streams if name.startswith("install/"))
        own, names = among("o.install_id", installs)
        cut, given = record_cut(connection, scope, community_id)
        text += f" AND ({own} OR ({cut}))"
        values += [*names, *given]
    return text, values


def waiting_operations(
    connection: Connection,
    scope: Scope,
    community_id: str,
    now: str,
    *,
    after: Sequence[Any] | None,
    limit: int,
    sieve: Sieve = EVERYTHING,
) -> Rows:
    """Operations that are ``held`` or ``quarantined``, by harm, then the oldest arrival; never their content.

    ``after`` is (harm, arrived_at, install_id, n) of the last one seen.
    """
    text, values = operations_where(connection, scope, community_id, now)
    chosen, asked = sifted("o", sieve)
    harm, harms = operation_rank(sieve)
    later, given = _after("harm, arrived_at, install_id, n", after)
    return _rows(
        run(
            connection,
            f"SELECT * FROM (SELECT {harm} AS harm, o.install_id, o.n, o.op_id, o.group_n, o.record_type, o.record_id, o.kind, "
            "o.now_reason, o.detail, o.claimed_at, o.arrived_at, o.delegated_to, r.home, r.type AS present_type "
            f"{text} AND {chosen}) q WHERE {later} ORDER BY harm, arrived_at, install_id, n LIMIT ?",
            (*harms, *values, *asked, *given, limit),
        )
    )


def count_operations(connection: Connection, scope: Scope, community_id: str, now: str, sieve: Sieve = EVERYTHING) -> int:
    """How many operations `waiting_operations` lists."""
    text, values = operations_where(connection, scope, community_id, now)
    chosen, asked = sifted("o", sieve)
    return int(run(connection, f"SELECT COUNT(*) {text} AND {chosen}", (*values, *asked)).scalar_one())


def hand_operation(
    connection: Connection, scope: Scope, community_id: str, install_id: str, n: int, user_id: str | None, at: str
) -> bool:
    """Say who is asked to see to an operation that waits; whether there is one in the scope."""
    for now in ("held", "quarantined"):
        text, values = operations_where(connection, scope, community_id, now, proposals=True)
        if run(connection, f"SELECT 1 {text} AND o.install_id = ? AND o.n = ?", (*values, install_id, n)).first() is not None:
            run(
                connection,
                "UPDATE operation SET delegated_to = ?, delegated_at = ? WHERE community_id = ? AND install_id = ? AND n = ?",
                (user_id, at, community_id, install_id, n),
            )
            return True
    return False


def waits_for(
    connection: Connection, community_id: str, groups: Sequence[tuple[str, int]]
) -> dict[tuple[str, int], list[str]]:
    """What each held group (install, first n) waits for: record ids, form/type/version, installs."""
    wanted = set(groups)
    installs, values = among("install_id", sorted({install_id for install_id, _ in wanted}))
    found: dict[tuple[str, int], list[str]] = {}
    for row in run(
        connection,
        f"SELECT install_id, group_n, waits_for FROM held_wait WHERE community_id = ? AND {installs} ORDER BY waits_for",
        (community_id, *values),
    ):
        if (row[0], row[1]) in wanted:
            found.setdefault((row[0], row[1]), []).append(row[2])
    return found


# ---------------------------------------------------------------- unplaced records and findings
def unplaced_where(connection: Connection, scope: Scope, community_id: str) -> Condition:
    """Live records ``r`` that no cell holds."""
    return both(record_cut(connection, scope, community_id), ("r.home = ? AND r.life = 'live'", [UNPLACED]))


def unplaced(connection: Connection, scope: Scope, community_id: str, ids: Sequence[str]) -> Rows:
    """Those of these records that no cell holds, in the order of ``ids``."""
    text, values = both(unplaced_where(connection, scope, community_id), among("r.id", ids))
    columns = "r.id, r.type, r.v, r.tag, r.fields, r.form_version, r.placement, r.lon, r.lat, r.created_at, r.created_install"
    found = _rows(run(connection, f"SELECT {columns} FROM record r WHERE {text}", values))
    return sorted(found, key=lambda row: ids.index(row["id"]))


def findings_where(connection: Connection, scope: Scope, community_id: str) -> Condition:
    """FROM and WHERE of open findings ``f`` and their records ``r`` in the scope."""
    cut, values = record_cut(connection, scope, community_id)
    text = (
        "FROM finding f LEFT JOIN record r ON r.community_id = f.community_id AND r.id = f.record_id "
        f"WHERE f.community_id = ? AND f.state = 'open' AND f.kind NOT IN {LISTED_ELSEWHERE} AND "
    )
    # Findings about no record (a missing range of a phone, named by its install) are for those who see the whole community.
    return text + (f"({cut})" if scope.streams is not None else f"(r.id IS NULL OR ({cut}))"), [community_id, *values]


# What is found about a phone has a name of its own each time: there the kind alone says what it is.
_NAME = "CASE WHEN r.id IS NULL THEN f.kind ELSE f.name END"
_GROUP = f"f.kind || '/' || {_NAME} || '/' || COALESCE(r.type, '')"


def group_key(kind: str, name: str, record_type: str | None) -> str:
    """What findings that say the same have in common."""
    return f"{kind}/{name}/{record_type or ''}"


def finding_groups(connection: Connection, scope: Scope, community_id: str, sieve: Sieve = EVERYTHING) -> Rows:
    """Open findings counted by what they say: kind, name, type, units, number."""
    text, values = findings_where(connection, scope, community_id)
    chosen, asked = sifted("f", sieve)
    return _rows(
        run(
            connection,
            f"SELECT f.kind, {_NAME} AS name, r.type, f.units, COUNT(*) AS number {text} AND {chosen} "
            f"GROUP BY f.kind, {_NAME}, r.type, f.units",
            (*values, *asked),
        )
    )


def open_findings(
    connection: Connection,
    scope: Scope,
    community_id: str,
    *,
    after: Sequence[Any] | None,
    limit: int,
    sieve: Sieve = EVERYTHING,
) -> Rows:
    """Open findings, by harm, then the oldest. ``after`` is (harm, opened_at, finding_id) of the last one seen.

    Where ``type`` is None, ``record_id`` is what else it is about: an install.
    """
    text, values = findings_where(connection, scope, community_id)
    chosen, asked = sifted("f", sieve)
    if sieve.only is not None:
        these, names = among(_GROUP, sieve.only)
        chosen, asked = f"{chosen} AND {these}", [*asked, *names]
    harm, harms = rank(_GROUP, sieve)
    later, given = _after("harm, opened_at, finding_id", after)
    return _rows(
        run(
            connection,
            f"SELECT * FROM (SELECT {harm} AS harm, f.finding_id, f.kind, {_NAME} AS name, f.record_id, f.units, f.opened_at, f.detail, "
            f"f.delegated_to, r.type, r.home, r.fields, r.form_version {text} AND {chosen}) q "
            f"WHERE {later} ORDER BY harm, opened_at, finding_id LIMIT ?",
            (*harms, *values, *asked, *given, limit),
        )
    )


def hand_finding(connection: Connection, scope: Scope, community_id: str, finding_id: str, user_id: str | None, at: str) -> bool:
    """Say who is asked to see to a finding; whether it is open in the scope."""
    text, values = findings_where(connection, scope, community_id)
    if run(connection, f"SELECT 1 {text} AND f.finding_id = ?", (*values, finding_id)).first() is None:
        return False
    statement = "UPDATE finding SET delegated_to = ?, delegated_at = ? WHERE community_id = ? AND finding_id = ?"
    run(connection, statement, (user_id, at, community_id, finding_id))
    return True


# ---------------------------------------------------------------- who
def people_of_installs(
    connection: Connection, community_id: str, install_ids: Iterable[str]
) -> dict[str, dict[str, Any]]:
    """The person behind each install: {install_id: {user_id, name, label}}; name is None for a machine."""
    wanted = sorted(set(install_ids))
    installs: dict[str, Any] = {}
    for home in (community_id, HOUSE):
        for row in rows_of(connection, install, ("install_id", "user_id", "label"), home, "install_id", wanted):
            installs.setdefault(row[0], row)
    names = names_of_users(connection, community_id, (row[1] for row in installs.values() if row[1]))
    found = {
        install_id: {"user_id": row[1], "name": names.get(row[1]), "label": row[2]}
        for install_id, row in installs.items()
    }
    for install_id in wanted:
        if install_id not in found:  # who wrote it where the record lived before (S30)
            row = _elsewhere(connection, install_id)
            if row is not None:
                found[install_id] = {"user_id": row.user_id, "name": row.name, "label": row.label}
    return found


def _elsewhere(connection: Connection, install_id: str) -> Any | None:
    return run(
        connection,
        "SELECT i.user_id, i.label, u.name FROM community c JOIN install i ON i.community_id = c.community_id AND i.install_id = ? "
        "LEFT JOIN user_account u ON u.community_id = i.community_id AND u.user_id = i.user_id",
        (install_id,),
    ).first()


def names_of_users(connection: Connection, community_id: str, user_ids: Iterable[str]) -> dict[str, str]:
    """Names of users of the community or above it, by id."""
    wanted = sorted(set(user_ids))
    names: dict[str, str] = {}
    for home in (community_id, HOUSE):
        for row in rows_of(connection, user_account, ("user_id", "name"), home, "user_id", wanted):
            names.setdefault(row[0], row[1])
    return names


def awaited(connection: Connection, community_id: str, created: list[str]) -> list[str]:
    """Those of the records made by this transaction for which a group may wait.

    SQLite: writers come one after the other, so that whoever comes later finds the record and does not wait. PostgreSQL: all of them,
    because what others hold at this moment is not seen.
    """
    if connection.dialect.name != "sqlite":
        return created
    return [row[0] for row in rows_of(connection, held_wait, ("waits_for",), community_id, "waits_for", created)]
