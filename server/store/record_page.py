"""One record with everything that a page about it tells: versions, writers, related records, findings, looks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection

from server.models import finding
from server.permissions import Scope
from server.store.database import rows_of, run
from server.store.scoping import Condition, among, both, json_text, record_cut
from server.store.search import indexed

_COLUMNS = (
    "r.id, r.type, r.v, r.tag, r.life, r.home, r.place_parent, r.subject_id, r.fields, r.secret, r.stamps, r.conflicts, "
    "r.confirmed, r.placement, r.lon, r.lat, r.form_version, r.created_install, r.created_n, r.created_at, r.updated_at, "
    "r.fresh_at"
)
_VERSION = (
    "h.v, h.tag, h.number, h.op_id, h.install_id, h.n, h.at, h.units, h.set_aside, h.life, h.subject_id, h.sealed, "
    "o.kind, o.record_id AS about, o.claimed_at, j.source, "
    "o.n AS text_n, o.number AS text_number, o.subject_id AS text_subject_id, o.repaired_number, o.repaired_subject"
)


def record_in_scope(
    connection: Connection, scope: Scope, community_id: str, kind: str, record_id: str
) -> Any | None:
    """One record of a type in the scope, whatever its life; None when there is none there."""
    cut, values = record_cut(connection, scope, community_id)
    return run(
        connection,
        f"SELECT {_COLUMNS} FROM record r WHERE {cut} AND r.id = ? AND r.type = ?",
        (*values, record_id, kind),
    ).first()


def in_scope(connection: Connection, scope: Scope, community_id: str, ids: Iterable[str]) -> set[str]:
    """Those of these records that the scope sees."""
    cut, values = record_cut(connection, scope, community_id)
    wanted, marks = among("r.id", sorted(set(ids)))
    return {row[0] for row in run(connection, f"SELECT r.id FROM record r WHERE {cut} AND {wanted}", (*values, *marks))}


def tags_of(connection: Connection, community_id: str, ids: Iterable[str]) -> dict[str, str]:
    """The tag of each of these records."""
    wanted, marks = among("r.id", sorted(set(ids)))
    found = run(connection, f"SELECT r.id, r.tag FROM record r WHERE r.community_id = ? AND {wanted}", (community_id, *marks))
    return {row[0]: row[1] for row in found}


def existing(connection: Connection, community_id: str, ids: Iterable[str]) -> set[str]:
    """Those of these records that exist in the community, whoever may see them."""
    wanted, marks = among("r.id", sorted(set(ids)))
    found = run(connection, f"SELECT r.id FROM record r WHERE r.community_id = ? AND {wanted}", (community_id, *marks))
    return {row[0] for row in found}


def versions(
    connection: Connection, community_id: str, record_id: str, *, among_v: Iterable[int] | None = None,
    below: int | None = None, limit: int | None = None,
) -> list[Any]:  # fmt: skip
    """Rows of a record's history with the operation that made each and how it came in, newest first.

    Parameters
    ----------
    among_v : only these versions
    below : only versions under this one
    limit : the most that is given
    """
    parts: list[Condition] = [("h.community_id = ? AND h.record_id = ?", [community_id, record_id])]
    if among_v is not None:
        parts.append(among("h.v", sorted(set(among_v))))
    if below is not None:
        parts.append(("h.v < ?", [below]))
    where, values = both(*parts)
    tail = ""
    if limit is not None:
        tail = " LIMIT ?"
        values.append(limit)
    return list(
        run(
            connection,
            f"SELECT {_VERSION} FROM history h "
            "LEFT JOIN operation o ON o.community_id = h.community_id AND o.op_id = h.op_id AND o.canonical = 1 "
            "LEFT JOIN journal j ON j.community_id = h.community_id AND j.number = h.number "
            f"WHERE {where} ORDER BY h.v DESC{tail}",
            values,
        )
    )


def units_after(connection: Connection, community_id: str, record_id: str, v: int) -> list[tuple[int, str]]:
    """(version, JSON list of units) of every version above one, ascending."""
    return [
        (int(row[0]), row[1])
        for row in run(
            connection,
            "SELECT h.v, h.units FROM history h WHERE h.community_id = ? AND h.record_id = ? AND h.v > ? ORDER BY h.v",
            (community_id, record_id, v),
        )
    ]


def sealed_versions(connection: Connection, community_id: str, record_id: str, vs: Iterable[int]) -> list[Any]:
    """(v, subject, sealed values) of some versions of a record, ascending."""
    wanted, marks = among("h.v", sorted(set(vs)))
    return list(
        run(
            connection,
            "SELECT h.v, h.subject_id, h.sealed FROM history h WHERE h.community_id = ? AND h.record_id = ? "
            f"AND {wanted} ORDER BY h.v",
            (community_id, record_id, *marks),
        )
    )


def moves(connection: Connection, community_id: str, record_id: str, from_v: int, to_v: int) -> list[Any]:
    """(v, from home, to home, reason, at) of the record's moves while these versions were in force, in order."""
    return list(
        run(
            connection,
            "SELECT m.v, m.from_home, m.to_home, m.reason, m.at FROM placement_ledger m WHERE m.community_id = ? "
            "AND m.record_id = ? AND m.v BETWEEN ? AND ? ORDER BY m.v, m.step",
            (community_id, record_id, from_v, to_v),
        )
    )


def installs_of_operations(connection: Connection, community_id: str, op_ids: Iterable[str]) -> dict[str, str]:
    """The install that sent each operation."""
    from server.models import operation

    wanted = sorted(set(op_ids))
    rows = rows_of(connection, operation, ("op_id", "install_id"), community_id, "op_id", wanted, "t.canonical = 1")
    return {row[0]: row[1] for row in rows}


def open_conflict_ids(connection: Connection, community_id: str, record_id: str) -> dict[str, str]:
    """Unit → id of its open conflict."""
    return {
        row[0]: row[1]
        for row in run(
            connection,
            "SELECT k.unit, k.conflict_id FROM conflict k WHERE k.community_id = ? AND k.record_id = ? "
            "AND k.state = 'open' ORDER BY k.opened_at, k.conflict_id",
            (community_id, record_id),
        )
    }


def open_findings_of(connection: Connection, community_id: str, record_id: str) -> list[Any]:
    """Open findings about a record, oldest first."""
    columns = ("finding_id", "kind", "name", "units", "opened_at", "detail", "state")
    found = rows_of(connection, finding, columns, community_id, "record_id", [record_id])
    return sorted((row for row in found if row[6] == "open"), key=lambda row: (row[4], row[0]))


# ---------------------------------------------------------------- related records
def referring_by(
    connection: Connection, community_id: str, field: str, targets: Sequence[str], *, placed: bool, search_keys: Sequence[int] = ()
) -> Condition:
    """Records whose ref field names one of these records, through the fastest way that finds all of them.

    Parameters
    ----------
    targets : the record, and the ids of those that were merged into it (S8)
    placed : the field is what these records are placed by before anything else
    search_keys : where the field is indexed: its search keys for the targets
    """
    parts: list[Condition] = [among(json_text(connection, "r", field), targets)]
    if placed:
        parts.insert(0, among("r.place_parent", targets))
    elif search_keys:
        ways = [indexed(connection, key, community_id) for key in search_keys]
        parts.insert(0, (f"({' OR '.join(text for text, _ in ways)})", [value for _, given in ways for value in given]))
    return both(*parts)


def related(
    connection: Connection, scope: Scope, community_id: str, kind: str, condition: Condition, limit: int,
    after: Sequence[str] | None = None,
) -> tuple[list[Any], int, bool]:  # fmt: skip
    """Live records of a type in the scope that meet a condition: at most ``limit`` of them, newest first, how many in all, whether
    more follow. ``after`` is (created_at, id) of the last one seen.
    """
    cut, values = record_cut(connection, scope, community_id)
    where, given = both((cut, values), ("r.type = ? AND r.life = 'live'", [kind]), condition)
    later: tuple[str, list[str]] = ("1 = 1", [])
    if after is not None:
        later = "(r.created_at < ? OR (r.created_at = ? AND r.id > ?))", [after[0], *after]
    rows = list(
        run(
            connection,
            "SELECT r.id, r.type, r.v, r.tag, r.life, r.home, r.fields, r.form_version, r.updated_at, r.created_at FROM record r "
            f"WHERE {where} AND {later[0]} ORDER BY r.created_at DESC, r.id LIMIT ?",
            (*given, *later[1], limit + 1),
        )
    )
    if after is None and len(rows) <= limit:
        return rows, len(rows), False
    count = run(connection, f"SELECT COUNT(*) FROM record r WHERE {where}", given).scalar_one()
    return rows[:limit], int(count), len(rows) > limit


# ---------------------------------------------------------------- who looked
def looks_at(
    connection: Connection, community_id: str, kind: str, record_id: str, *, before: Sequence[str] | None, limit: int
) -> list[Any]:
    """Lines of the audit log about one record, newest first; ``before`` is (at, audit_id) of the last one seen."""
    later, given = ("1 = 1", []) if before is None else ("(a.at, a.audit_id) < (?, ?)", list(before))
    return list(
        run(
            connection,
            "SELECT a.audit_id, a.at, a.actor_id, a.role, a.action, a.purpose, a.fields FROM audit a "
            f"WHERE a.community_id = ? AND a.record_type = ? AND a.record_id = ? AND {later} "
            "ORDER BY a.at DESC, a.audit_id DESC LIMIT ?",
            (community_id, kind, record_id, *given, limit),
        )
    )


def looks_through_lists(connection: Connection, community_id: str, kind: str) -> tuple[int, str | None]:
    """How many lists, searches and exports of a type were looked at in the community, and when the last one was."""
    row = run(
        connection,
        "SELECT COUNT(*), MAX(a.at) FROM audit a WHERE a.community_id = ? AND a.record_type = ? AND a.record_id IS NULL",
        (community_id, kind),
    ).one()
    return int(row[0]), row[1]
