"""Reading records for rosters: by home stream, by id, by what they are placed by; as they are, or as they were known.

Never a query per row. A cell is read through ``ix_record_home``, so its roster costs the same however many other
records are stored.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Connection

from server.permissions import Scope
from server.store.database import rows_of, run
from server.store.inbox import QUEUE
from server.store.scoping import Condition, among, both, chunks, is_postgres, json_text, record_cut, stream_cut

_COLUMNS = "r.id, r.type, r.v, r.home, r.life, r.fields, r.conflicts, r.fresh_at, r.created_at, r.updated_at"


@dataclass(slots=True)
class Entry:
    """One record as a roster reads it; secret fields are masks, nulls are absent."""

    id: str
    type: str
    v: int
    home: str
    life: str
    fields: dict[str, Any]
    conflicts: list[str]
    fresh_at: str
    created_at: str
    updated_at: str


@dataclass(frozen=True, slots=True)
class CellPlace:
    """A published cell found by its code."""

    community_id: str
    cell_id: str
    code: str
    name: str
    layer: str = "base"


@dataclass(frozen=True, slots=True)
class Past:
    """One later change of a record: what stood in the changed units before it (sealed)."""

    record_id: str
    v: int
    at: str
    units: list[str]
    life: str | None
    subject_id: str | None
    sealed: bytes | None


def _entry(row: Any, only: frozenset[str] | None = None) -> Entry:
    fields = orjson.loads(row[5])
    if only is not None:
        fields = {name: fields[name] for name in only if name in fields}
    return Entry(
        row[0], row[1], row[2], row[3], row[4], fields,
        orjson.loads(row[6]) if row[6] != "[]" else [], row[7], row[8], row[9],
    )  # fmt: skip


def cells_with_code(connection: Connection, code: str, *, past: bool = False) -> list[CellPlace]:
    """The cells of published editions that have this code, one for each community that uses it.

    ``past``: of base editions that are in force or were, the last one of each community; else of both layers.
    """
    states = "e.layer = 'base' AND e.state <> 'draft'" if past else "e.state = 'published'"
    rows = run(
        connection,
        "SELECT c.community_id, c.cell_id, c.code, c.name, e.layer FROM cell c JOIN edition e "
        "ON e.community_id = c.community_id AND e.edition_id = c.edition_id "
        f"WHERE c.code = ? AND {states} ORDER BY c.community_id, e.number DESC",
        (code,),
    )
    return [CellPlace(*row) for row in rows]


def roster_sql(cut: Condition, kind: str, homes: Sequence[str] | None, narrowed: Condition | None) -> Condition:
    """The query of one roster: live records of a type, of these homes, narrowed further."""
    parts = [cut, ("r.type = ? AND r.life = 'live'", [kind])]
    if homes is not None:
        # A dedicated cell is nobody's home: its records are those that lie in it.
        special = any(home.startswith("dedicated/") for home in homes)
        parts.append(stream_cut(frozenset(homes)) if special else among("r.home", homes))
    if narrowed is not None:
        parts.append(narrowed)
    where, values = both(*parts)
    return f"SELECT {_COLUMNS} FROM record r WHERE {where}", values


def live_entries(
    connection: Connection,
    scope: Scope,
    community_id: str,
    kind: str,
    homes: Sequence[str] | None,
    narrowed: Condition | None = None,
    only: frozenset[str] | None = None,
) -> list[Entry]:
    """Live records of a type in the scope (of these home streams), in no order; with ``only`` these of their fields."""
    statement, values = roster_sql(record_cut(connection, scope, community_id), kind, homes, narrowed)
    return [_entry(row, only) for row in run(connection, statement, values)]


def field_among(connection: Connection, field: str, values: Iterable[str]) -> Condition:
    """Records whose own text field is one of the values."""
    return among(json_text(connection, "r", field), values)


_ENTRY = ("id", "type", "v", "home", "life", "fields", "conflicts", "fresh_at", "created_at", "updated_at")


def entries_by_id(connection: Connection, community_id: str, ids: Iterable[str]) -> dict[str, Entry]:
    """Records of a community by id, whatever their life; unknown ids are left out.

    Not cut by a scope: callers show only public fields of what lies outside it.
    """
    from server.models import record

    return {row[0]: _entry(row) for row in rows_of(connection, record, _ENTRY, community_id, "id", sorted(set(ids)))}


def count_placed(
    connection: Connection, community_id: str, kind: str, ref: str, parents: Sequence[str], *, having: str | None = None
) -> dict[str, int]:
    """How many live records of a type stand in each place, by the ref field that says so; deceased persons left out.

    The field may name a record that was merged into the place: what is placed by it stands in the survivor (S8).
    ``having``: only those with a value in this field; an empty set is none.
    """
    counts: dict[str, int] = {}
    field, vital = json_text(connection, "r", ref), json_text(connection, "r", "vital_status")
    also = f"AND COALESCE({json_text(connection, 'r', having)}, '[]') <> '[]' " if having is not None else ""
    for slice_ in chunks(parents, 500):
        wanted, values = among("r.place_parent", slice_)
        for parent, number in run(
            connection,
            f"SELECT r.place_parent, COUNT(*) FROM record r WHERE r.community_id = ? AND {wanted} AND r.type = ? "
            f"AND r.life = 'live' AND {field} IS NOT NULL AND COALESCE({vital}, '') <> 'deceased' {also}"
            "GROUP BY r.place_parent",
            (community_id, *values, kind),
        ):
            counts[parent] = int(number)
    return counts


def count_living(connection: Connection, community_id: str, dwellings: Sequence[str]) -> dict[str, int]:
    """How many persons live in each dwelling, over all its households; the deceased and who is away for long do not."""
    counts: dict[str, int] = {}
    vital, presence = json_text(connection, "r", "vital_status"), json_text(connection, "r", "presence")
    home, door = json_text(connection, "r", "residence_household"), json_text(connection, "h", "dwelling")
    for slice_ in chunks(dwellings, 500):
        wanted, values = among("h.place_parent", slice_)
        for dwelling, number in run(
            connection,
            "SELECT h.place_parent, COUNT(*) FROM record h JOIN record r ON r.community_id = h.community_id "
            f"AND r.place_parent = h.id WHERE h.community_id = ? AND {wanted} AND h.type = 'household' AND h.life = 'live' "
            f"AND {door} IS NOT NULL AND r.type = 'person' AND r.life = 'live' AND {home} IS NOT NULL "
            f"AND COALESCE({vital}, '') <> 'deceased' AND COALESCE({presence}, '') <> 'away_long' GROUP BY h.place_parent",
            (community_id, *values),
        ):
            counts[dwelling] = int(number)
    return counts


def residents(connection: Connection, community_id: str, dwellings: Sequence[str]) -> list[Any]:
    """Everybody who belongs to a household of these dwellings: dwelling, id, registered (the dwelling of the registration, as it is written),
    presence, birth_date, vital_status, and the kind of the household."""
    told = [f"{json_text(connection, 'r', name)} AS {name}" for name in ("presence", "birth_date", "vital_status")]
    home, door, kind = json_text(connection, "r", "residence_household"), json_text(connection, "h", "dwelling"), json_text(connection, "h", "kind")
    found: list[Any] = []
    for slice_ in chunks(dwellings, 500):
        wanted, values = among("h.place_parent", slice_)
        found += run(
            connection,
            f"SELECT h.place_parent AS dwelling, r.id, {json_text(connection, 'r', 'registration_dwelling')} AS registered, {', '.join(told)}, "
            f"{kind} AS kind FROM record h JOIN record r ON r.community_id = h.community_id AND r.place_parent = h.id "
            f"WHERE h.community_id = ? AND {wanted} AND h.type = 'household' AND h.life = 'live' AND {door} IS NOT NULL "
            f"AND r.type = 'person' AND r.life = 'live' AND {home} IS NOT NULL",
            (community_id, *values),
        )
    return found


def count_referring(
    connection: Connection, community_id: str, kind: str, ref: str, *, unless: tuple[str, str] | None = None, without: str | None = None
) -> dict[str, int]:
    """How many live records of a type name each record in a ref field; ``unless`` leaves out those with this value in a field,
    ``without`` those with any."""
    field = json_text(connection, "r", ref)
    also = f"AND COALESCE({json_text(connection, 'r', unless[0])}, '') <> ? " if unless is not None else ""
    also += f"AND {json_text(connection, 'r', without)} IS NULL " if without is not None else ""
    values = [unless[1]] if unless is not None else []
    return {
        parent: int(number)
        for parent, number in run(
            connection,
            f"SELECT {field}, COUNT(*) FROM record r WHERE r.community_id = ? AND r.type = ? AND r.life = 'live' "
            f"AND {field} IS NOT NULL {also}GROUP BY {field}",
            (community_id, kind, *values),
        )
    }


def waiting_counts(connection: Connection, community_id: str, kind: str) -> dict[str, int]:
    """What could still belong on a roster: records of the type without a cell, and operations on it that wait.

    ``proposals`` stand apart: what somebody asks for in cells that are not their own leaves the list as true as it is.
    """
    unplaced = run(
        connection,
        "SELECT COUNT(*) FROM record r WHERE r.community_id = ? AND r.type = ? AND r.home = '~unplaced' "
        "AND r.life = 'live'",
        (community_id, kind),
    ).scalar_one()
    found = {"unplaced": int(unplaced), "held": 0, "quarantined": 0, "proposals": 0}
    for queue, number in run(
        connection,
        f"SELECT {QUEUE}, COUNT(*) FROM operation o WHERE o.community_id = ? AND o.now IN ('held', 'quarantined') "
        f"AND o.record_type = ? GROUP BY {QUEUE}",
        (community_id, kind),
    ):
        found[queue] = int(number)
    return found


def standing(connection: Connection, community_id: str) -> list[Any]:
    """What places every record of a community: id, place_parent, lon, lat, and the cell of a pin, or of one that publishing took away."""
    said = (f"r.placement::json ->> '{name}'" if is_postgres(connection) else f"json_extract(r.placement, '$.{name}')" for name in ("pin", "reopened"))
    pin = f"CASE WHEN r.placement LIKE '%\"pin\":%' OR r.placement LIKE '%\"reopened\":%' THEN COALESCE({', '.join(said)}) END AS pin"
    return list(
        run(
            connection,
            f"SELECT r.id, r.place_parent, r.lon, r.lat, {pin} FROM record r WHERE r.community_id = ?",
            (community_id,),
        )
    )


# ---------------------------------------------------------------- what was known by a time
def entries_then(
    connection: Connection, scope: Scope, community_id: str, kind: str, homes: Sequence[str] | None, at: str
) -> list[Entry]:
    """Present state of every record that may have stood in these homes at a time.

    A record's home then is where its first later move came from, else its present home. Deleted records are among
    them (they may have lived then), erased ones are not: nothing is left of them.
    """
    cut, values = record_cut(connection, scope, community_id)
    base = f"{cut} AND r.type = ? AND r.created_at <= ? AND r.life <> 'erased'"
    given = [*values, kind, at]
    if homes is None:
        return [_entry(row) for row in run(connection, f"SELECT {_COLUMNS} FROM record r WHERE {base}", given)]
    present, streams = among("r.home", homes)
    came, origins = among("m.from_home", homes)
    moved = (
        "r.id IN (SELECT m.record_id FROM placement_ledger m WHERE m.community_id = ? AND m.at > ? AND " + came + ")"
    )
    # Who left a cell meanwhile stood in it then: the scope of homes is judged on the home of that time.
    all_of, whole_values = record_cut(connection, whole(scope, community_id), community_id)
    statement = (
        f"SELECT {_COLUMNS} FROM record r WHERE {all_of} AND r.type = ? AND r.created_at <= ? AND r.life <> 'erased' "
        f"AND ({present} OR {moved})"
    )
    return [
        _entry(row)
        for row in run(connection, statement, (*whole_values, kind, at, *streams, community_id, at, *origins))
    ]


def whole(scope: Scope, community_id: str) -> Scope:
    """The same reach over all cells of a community."""
    return Scope((community_id,), None, scope.fields, scope.topics)


def homes_then(connection: Connection, community_id: str, ids: Sequence[str], at: str) -> dict[str, str]:
    """Where records that have moved since a time stood at that time."""
    homes: dict[str, str] = {}
    for slice_ in chunks(ids, 2_000):
        wanted, values = among("m.record_id", slice_)
        for record_id, home in run(
            connection,
            f"SELECT m.record_id, m.from_home FROM placement_ledger m WHERE m.community_id = ? AND {wanted} AND m.at > ? "
            "ORDER BY m.at DESC, m.v DESC, m.step DESC",
            (community_id, *values, at),
        ):
            homes[record_id] = home  # the earliest later move comes last
    return homes


def changes_since(connection: Connection, community_id: str, ids: Sequence[str], at: str) -> list[Past]:
    """Changes of these records after a time, newest first."""
    return _pasts(connection, community_id, ids, "h.at > ?", at, "h.v DESC")


def lives_then(connection: Connection, community_id: str, ids: Sequence[str], at: str) -> dict[str, str]:
    """Life state at a time of records whose life had changed by then; all others were live."""
    found = _pasts(connection, community_id, ids, "h.life IS NOT NULL AND h.at <= ?", at, "h.v")
    return {past.record_id: past.life or "live" for past in found}


def freshness_then(
    connection: Connection, community_id: str, ids: Sequence[str], at: str
) -> dict[str, tuple[int, str]]:
    """Version of each record at a time and when that version arrived."""
    found: dict[str, tuple[int, str]] = {}
    for slice_ in chunks(ids, 2_000):
        wanted, values = among("h.record_id", slice_)
        for record_id, v, changed_at in run(
            connection,
            f"SELECT h.record_id, MAX(h.v), MAX(h.at) FROM history h WHERE h.community_id = ? AND {wanted} AND h.at <= ? "
            "GROUP BY h.record_id",
            (community_id, *values, at),
        ):
            found[record_id] = (int(v), changed_at)
    return found


def _pasts(
    connection: Connection, community_id: str, ids: Sequence[str], condition: str, at: str, order: str
) -> list[Past]:
    found: list[Past] = []
    for slice_ in chunks(ids, 2_000):
        wanted, values = among("h.record_id", slice_)
        found += [
            Past(row[0], row[1], row[2], orjson.loads(row[3]), row[4], row[5], bytes(row[6]) if row[6] else None)
            for row in run(
                connection,
                "SELECT h.record_id, h.v, h.at, h.units, h.life, h.subject_id, h.sealed FROM history h "
                f"WHERE h.community_id = ? AND {wanted} AND {condition} ORDER BY h.record_id, {order}",
                (community_id, *values, at),
            )
        ]
    return found


def plan_of(connection: Connection, statement: str, values: Sequence[Any]) -> str:
    """How the database would answer a query, as its own text; for tests and `dishu` diagnostics."""
    prefix = "EXPLAIN " if is_postgres(connection) else "EXPLAIN QUERY PLAN "
    return "\n".join(str(row[-1]) for row in run(connection, prefix + statement, values))
