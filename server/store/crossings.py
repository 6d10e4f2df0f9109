"""What moves to another community leaves behind and takes along, and the requests that wait for it (S30)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import Connection

from server.models import conflict, conflict_sibling, departure, departure_told, finding, history, record
from server.store.database import insert_rows, rows_of, run, update_rows
from sync.memory import Found

_CONFLICT = (
    "conflict_id", "record_id", "unit", "kind", "policy", "state", "delegated_to", "opened_at", "opened_number", "closed_at",
    "closed_number", "closed_by", "subject_id", "sealed",
)  # fmt: skip
_SIBLING = (
    "conflict_id", "op_id", "role", "state", "install_id", "n", "user_id", "claimed_at", "arrived_at", "form_version", "sealed",
)  # fmt: skip
_PAST = (
    "record_id", "v", "tag", "op_id", "install_id", "n", "at", "units", "life", "subject_id", "sealed",
)  # fmt: skip


def departures_of(connection: Connection, community_id: str, ids: Iterable[str]) -> dict[str, str]:
    """Of these records, those that live in another community now: id → which, one step."""
    if run(connection, "SELECT 1 FROM departure WHERE community_id = ? LIMIT 1", (community_id,)).first() is None:
        return {}
    rows = rows_of(connection, departure, ("id", "to_community"), community_id, "id", sorted(set(ids)))
    return {row.id: row.to_community for row in rows}


def numbers_of(connection: Connection, community_id: str, ids: Iterable[str]) -> dict[str, int]:
    """The journal numbers of the entries by which these records left."""
    rows = rows_of(connection, departure, ("id", "number"), community_id, "id", sorted(set(ids)))
    return {row.id: int(row.number) for row in rows}


def newest(connection: Connection, community_id: str) -> int:
    """The journal number of the newest departure from a community; 0 where nobody has left."""
    row = run(connection, "SELECT max(number) AS number FROM departure WHERE community_id = ?", (community_id,)).first()
    return int(row.number) if row is not None and row.number is not None else 0


def note_told(connection: Connection, community_id: str, install_id: str, seen: int, last_n: int) -> None:
    """Write down that a phone's operations after ``last_n`` were made knowing of the departures up to ``seen``."""
    insert_rows(connection, departure_told, _TOLD, [(community_id, install_id, seen, 0, last_n)])
    statement = "UPDATE install SET departures_seen = ? WHERE community_id = ? AND install_id = ?"
    run(connection, statement, (seen, community_id, install_id))


def raise_told(connection: Connection, community_id: str, install_id: str, last_n: int) -> None:
    """Say that a phone's operations up to ``last_n`` were made without knowing of any departure: another phone's are among them."""
    statement = "UPDATE departure_told SET last_n = ? WHERE community_id = ? AND install_id = ? AND until_n = 0 AND last_n < ?"
    run(connection, statement, (last_n, community_id, install_id, last_n))


def note_taken(connection: Connection, community_id: str, install_id: str, taken: Iterable[tuple[int, int, int]]) -> None:
    """Write down (seen, last_n, until_n): operations after ``last_n`` up to ``until_n`` were written by another phone, which knew of departures up to ``seen``."""
    rows = [(community_id, install_id, seen, until_n, last_n) for seen, last_n, until_n in taken]
    if rows:
        insert_rows(connection, departure_told, _TOLD, rows, "ON CONFLICT DO NOTHING")


def told(connection: Connection, community_id: str, install_id: str) -> tuple[tuple[int, int, int], ...]:
    """(departures up to here, operations after there, up to there or 0: all later ones) of what a phone has said to know."""
    statement = "SELECT seen, last_n, until_n FROM departure_told WHERE community_id = ? AND install_id = ? ORDER BY seen, until_n"
    return tuple((int(row.seen), int(row.last_n), int(row.until_n)) for row in run(connection, statement, (community_id, install_id)))


_TOLD = ("community_id", "install_id", "seen", "until_n", "last_n")


def arrived(connection: Connection, community_id: str, install_id: str, first: int, last: int) -> dict[int, int]:
    """n → journal number of the push that brought it, of stored operations of an install."""
    statement = "SELECT n, number FROM operation WHERE community_id = ? AND install_id = ? AND n >= ? AND n <= ?"
    return {int(row.n): int(row.number) for row in run(connection, statement, (community_id, install_id, first, last))}


def reached_from(connection: Connection, community_id: str) -> list[str]:
    """The other communities that records of this one have gone to, through any number of steps; ascending."""
    found: set[str] = set()
    pending = [community_id]
    while pending:
        rows = run(connection, "SELECT DISTINCT to_community FROM departure WHERE community_id = ?", (pending.pop(),))
        fresh = {row.to_community for row in rows} - found - {community_id}
        found |= fresh
        pending += fresh
    return sorted(found)


def write_departures(connection: Connection, community_id: str, parted: Mapping[str, str | None], number: int) -> None:
    """Say where records live from now on; None: here again."""
    for record_id in parted:
        run(connection, "DELETE FROM departure WHERE community_id = ? AND id = ?", (community_id, record_id))
    rows = [(community_id, one, target, number) for one, target in parted.items() if target is not None]
    insert_rows(connection, departure, ("community_id", "id", "to_community", "number"), rows)


def others(connection: Connection, community_id: str) -> frozenset[str]:
    """The other communities of the house."""
    rows = run(connection, "SELECT community_id FROM community WHERE community_id <> ?", (community_id,))
    return frozenset(row.community_id for row in rows)


def communities_of(connection: Connection, subjects: Sequence[str]) -> list[str]:
    """Communities that have, or had, a data key of one of these persons: where they were recorded."""
    found: set[str] = set()
    for subject in subjects:
        rows = run(
            connection,
            "SELECT c.community_id FROM community c JOIN data_key k ON k.community_id = c.community_id AND k.subject_id = ?",
            (subject,),
        )
        found |= {row.community_id for row in rows}
    return sorted(found)


def cards_of_departed(connection: Connection) -> list[Any]:
    """(community, card, person, community that the person went to) of living cards of who lives in another community."""
    rows = run(
        connection,
        "SELECT d.community_id, r.id AS card_id, d.id AS person_id, d.to_community FROM departure d JOIN record r "
        "ON r.community_id = d.community_id AND r.type = 'reference_card' AND r.subject_id = d.id AND r.life = 'live' "
        "ORDER BY d.community_id, r.id",
    )
    return list(rows)


# ---------------------------------------------------------------- what is taken along
def past_of(connection: Connection, community_id: str, ids: Sequence[str]) -> dict[str, list[Any]]:
    """Every row of history of these records, by record, ascending by version."""
    found: dict[str, list[Any]] = {}
    for row in sorted(rows_of(connection, history, _PAST, community_id, "record_id", ids), key=lambda one: (one.record_id, one.v)):
        found.setdefault(row.record_id, []).append(row)
    return found


def fresh_of(connection: Connection, community_id: str, ids: Sequence[str]) -> dict[str, str]:
    """When each of these records was written or confirmed last (S9)."""
    rows = rows_of(connection, record, ("id", "fresh_at"), community_id, "id", ids)
    return {row.id: row.fresh_at for row in rows}


def conflicts_of(connection: Connection, community_id: str, ids: Sequence[str]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """(conflicts, their siblings) of these records, settled ones too."""
    found = [dict(row._mapping) for row in rows_of(connection, conflict, _CONFLICT, community_id, "record_id", ids)]
    named = [one["conflict_id"] for one in found]
    siblings = rows_of(connection, conflict_sibling, _SIBLING, community_id, "conflict_id", named)
    return found, [dict(row._mapping) for row in siblings]


def close_conflicts(connection: Connection, community_id: str, ids: Sequence[str], at: str, number: int) -> None:
    """These conflicts are settled elsewhere from now on."""
    rows = [("closed", at, number, "moved", community_id, one) for one in ids]
    columns = ("state", "closed_at", "closed_number", "closed_by")
    update_rows(connection, conflict, ("community_id", "conflict_id"), columns, rows)


def bring_conflicts(
    connection: Connection, community_id: str, conflicts: Sequence[Mapping[str, Any]], siblings: Sequence[Mapping[str, Any]]
) -> None:
    """Conflicts with their siblings, as they stood elsewhere; those that are known here stand like that again."""
    for table, columns, keys, rows in (
        (conflict, _CONFLICT, 1, conflicts),
        (conflict_sibling, _SIBLING, 2, siblings),
    ):
        tail = (
            f"ON CONFLICT (community_id, {', '.join(columns[:keys] if keys == 1 else ('conflict_id', 'op_id'))}) DO UPDATE SET "
            + ", ".join(f"{one} = excluded.{one}" for one in columns[keys:])
        )
        values = [(community_id, *(row[one] for one in columns)) for row in rows]
        insert_rows(connection, table, ("community_id", *columns), values, tail)


def findings_of(connection: Connection, community_id: str, ids: Sequence[str]) -> dict[str, list[Found]]:
    """The open findings about these records."""
    found: dict[str, list[Found]] = {}
    for row in rows_of(connection, finding, ("kind", "name", "record_id", "units", "state"), community_id, "record_id", ids):
        if row.state == "open":
            one = Found(row.kind, row.name, row.record_id, tuple(orjson.loads(row.units)))
            found.setdefault(row.record_id, []).append(one)
    return found


# ---------------------------------------------------------------- what waits
def requests(connection: Connection, community_id: str) -> list[dict[str, Any]]:
    """Commands of other communities that ask this one to take somebody, oldest arrival first; never their content."""
    # Little waits, much was ever written: the order of a cross join keeps SQLite from reading every operation.
    rows = run(
        connection,
        "SELECT o.community_id, o.install_id, o.n, o.op_id, o.number, o.subject_id, o.repaired_number, o.repaired_subject, "
        "o.record_type, o.record_id, o.claimed_at, o.arrived_at FROM held_wait w CROSS JOIN operation o "
        "WHERE w.waits_for = ? AND o.community_id = w.community_id AND o.install_id = w.install_id AND o.n = w.group_n "
        "AND o.now = 'held' AND o.now_reason = 'proposal' ORDER BY o.arrived_at, o.install_id, o.n",
        (f"community/{community_id}",),
    )
    return [dict(row._mapping) for row in rows]


def waiting_elsewhere(connection: Connection, community_id: str) -> list[tuple[str, int]]:
    """(install, group) of what waits to be decided in the community that its record has moved to, in order."""
    rows = run(
        connection,
        "SELECT DISTINCT install_id, group_n FROM held_wait WHERE community_id = ? AND waits_for >= 'moved/' AND waits_for < 'moved0' "
        "ORDER BY install_id, group_n",
        (community_id,),
    )
    return [(row.install_id, int(row.group_n)) for row in rows]
