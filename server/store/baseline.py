"""Figures per cell, without any personal value: two set-based queries over the records of a community."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from server.permissions import Scope
from server.store.database import run
from server.store.scoping import Condition, among, both, is_postgres, json_text, see_community, stream_cut
from sync.days import day_at

_HOUR = "CASE WHEN SUBSTR(r.fresh_at, 12, 2) < '16' THEN '00' ELSE '16' END"
"""At 16:00 in UTC the next day begins in the communities."""


@dataclass(frozen=True, slots=True)
class CellRow:
    """One cell of the published base edition."""

    cell_id: str
    code: str
    name: str
    area_m2: float
    edition_id: str
    edition_number: int


@dataclass(frozen=True, slots=True)
class TypeFigures:
    """Counts of one record type in one home stream.

    ``count`` leaves out deleted records and deceased persons; ``resident`` are persons who live in a household here.
    ``expected`` and ``surveyed`` are dwellings. ``conflicts`` are units with an open conflict, also of deleted records.
    """

    home: str
    type: str
    count: int
    resident: int
    expected: int
    surveyed: int
    conflicts: int


def community_of(connection: Connection, community_id: str) -> dict[str, Any] | None:
    """Code and name of a community, None when there is none."""
    row = run(
        connection, "SELECT community_id, code, name FROM community WHERE community_id = ?", (community_id,)
    ).first()
    return None if row is None else dict(row._mapping)


def published_cells(connection: Connection, community_id: str) -> list[CellRow]:
    """The cells of the published base edition by (order, code); empty before the first is published."""
    rows = run(
        connection,
        "SELECT c.cell_id, c.code, c.name, c.area_m2, e.edition_id, e.number FROM edition e "
        "JOIN cell c ON c.community_id = e.community_id AND c.edition_id = e.edition_id "
        "WHERE e.community_id = ? AND e.layer = 'base' AND e.state = 'published' ORDER BY c.order_number, c.code",
        (community_id,),
    )
    return [CellRow(*row) for row in rows]


def place_cut(scope: Scope, community_id: str) -> Condition:
    """Community and cells only: figures are for everybody who may see the place."""
    see_community(scope, community_id)
    if scope.streams is None:
        return "r.community_id = ?", [community_id]
    cut, streams = stream_cut(scope.streams)
    return f"r.community_id = ? AND {cut}", [community_id, *streams]


def figures(connection: Connection, scope: Scope, community_id: str, kinds: Sequence[str]) -> list[TypeFigures]:
    """Counts per home stream and record type; of a few cells only what is of these kinds, through the index of homes.

    A dwelling is *surveyed* when its occupancy is recorded (and is not ``unknown``) or a live household stands in
    it. Reference cards and closed residences are types of their own and so never counted as persons.
    """
    cut, values = place_cut(scope, community_id)
    expected = f"CAST({json_text(connection, 'r', 'expected')} AS TEXT) IN ('1', 'true')"
    occupancy = json_text(connection, "r", "occupancy")
    household = (
        "EXISTS (SELECT 1 FROM record h WHERE h.community_id = r.community_id AND h.place_parent = r.id "
        "AND h.type = 'household' AND h.life = 'live')"
    )
    alive = f"(r.type <> 'person' OR COALESCE({json_text(connection, 'r', 'vital_status')}, '') <> 'deceased')"
    resident = f"r.type = 'person' AND {alive} AND {json_text(connection, 'r', 'residence_household')} IS NOT NULL"
    length = "json_array_length(r.conflicts::json)" if is_postgres(connection) else "json_array_length(r.conflicts)"
    dwelling = f"r.life = 'live' AND r.type = 'dwelling' AND {expected}"
    if scope.streams is not None:
        cut, values = both((cut, values), among("r.type", kinds))
    rows = run(
        connection,
        f"SELECT r.home, r.type, "
        f"SUM(CASE WHEN r.life = 'live' AND {alive} THEN 1 ELSE 0 END), "
        f"SUM(CASE WHEN r.life = 'live' AND {resident} THEN 1 ELSE 0 END), "
        f"SUM(CASE WHEN {dwelling} THEN 1 ELSE 0 END), "
        f"SUM(CASE WHEN {dwelling} AND (COALESCE({occupancy}, 'unknown') <> 'unknown' OR {household}) THEN 1 ELSE 0 END), "
        f"SUM(CASE WHEN r.conflicts = '[]' THEN 0 ELSE {length} END) "
        f"FROM record r WHERE {cut} AND r.life IN ('live', 'deleted') GROUP BY r.home, r.type",
        values,
    )
    return [TypeFigures(row[0], row[1], *(int(number or 0) for number in row[2:])) for row in rows]


def freshness(connection: Connection, scope: Scope, community_id: str) -> Iterator[tuple[str, str, int]]:
    """When households and persons were last written or confirmed.

    Yields
    ------
    (home, day, count)
        ``day`` is the ISO date of the claimed time, never later than arrival (S9); it comes up to twice for a home: in UTC it
        begins the day before.
    """
    cut, values = place_cut(scope, community_id)
    yield from (
        (row[0], day_at(f"{row[1]}T{row[2]}Z"), int(row[3]))
        for row in run(
            connection,
            f"SELECT r.home, SUBSTR(r.fresh_at, 1, 10), {_HOUR}, COUNT(*) FROM record r "
            f"WHERE {cut} AND r.type IN ('household', 'person') AND r.life = 'live' "
            f"GROUP BY r.home, SUBSTR(r.fresh_at, 1, 10), {_HOUR}",
            values,
        )
    )


def births(connection: Connection, scope: Scope, community_id: str) -> Iterator[tuple[str, str]]:
    """(home, birth date) of every resident: living, in a household, with a known birth date."""
    cut, values = place_cut(scope, community_id)
    birth, vital, household = (
        json_text(connection, "r", name) for name in ("birth_date", "vital_status", "residence_household")
    )
    yield from (
        (row[0], row[1])
        for row in run(
            connection,
            f"SELECT r.home, {birth} FROM record r WHERE {cut} AND r.type = 'person' AND r.life = 'live' "
            f"AND {birth} IS NOT NULL AND {household} IS NOT NULL AND COALESCE({vital}, '') <> 'deceased'",
            values,
        )
    )
