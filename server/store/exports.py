"""Reading whole layers for export: in batches by home and id, with the place of each record."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection

from server.models import record
from server.permissions import Scope
from server.store.database import rows_of, run
from server.store.scoping import among, record_cut

_BATCH = 2_000
_MOST_KNOWN = 100_000  # places that are remembered from batch to batch, about 25 MB
_MOST_STEPS = 6  # dwelling → entrance → building → estate, with room to spare


@dataclass(frozen=True, slots=True)
class CellShape:
    """One cell of the published base edition with its outline (WKB, CGCS2000 lon/lat)."""

    cell_id: str
    code: str
    name: str
    order_number: int
    area_m2: float
    geometry: bytes
    edition_number: int


Known = dict[str, tuple[str, float | None, float | None, str | None]]
"""Type, point and place above of places by id."""


class RecordRow(NamedTuple):
    """One record as it is exported; ``place_type`` is the type of record whose anchor gives the point, None without."""

    id: str
    v: int
    home: str
    fields: dict[str, Any]
    conflicts: list[str]
    updated_at: str
    lon: float | None
    lat: float | None
    place_type: str | None


def cell_shapes(connection: Connection, community_id: str, homes: Sequence[str] | None = None) -> list[CellShape]:
    """Cells of the published base edition by (order, code); only those of ``homes`` where given."""
    rows = run(
        connection,
        "SELECT c.cell_id, c.code, c.name, c.order_number, c.area_m2, c.geometry, e.number FROM edition e "
        "JOIN cell c ON c.community_id = e.community_id AND c.edition_id = e.edition_id "
        "WHERE e.community_id = ? AND e.layer = 'base' AND e.state = 'published' ORDER BY c.order_number, c.code",
        (community_id,),
    )
    found = [CellShape(row[0], row[1], row[2], row[3], row[4], bytes(row[5]), row[6]) for row in rows]
    return [cell for cell in found if homes is None or f"cell/{cell.cell_id}" in homes]


def count_records(
    connection: Connection, scope: Scope, community_id: str, kind: str, homes: Sequence[str] | None = None
) -> int:
    """How many live records of a type the scope sees (in these homes)."""
    cut, values = _where(connection, scope, community_id, kind, homes)
    return int(run(connection, f"SELECT COUNT(*) FROM record r WHERE {cut}", values).scalar_one())


def record_batches(
    connection: Connection, scope: Scope, community_id: str, kind: str, homes: Sequence[str] | None = None
) -> Iterator[Iterator[RecordRow]]:
    """Live records of a type by home and id, in batches that are read once each."""
    cut, values = _where(connection, scope, community_id, kind, homes)
    last: tuple[str, str] = ("", "")
    known: Known = {}
    while True:
        found = run(
            connection,
            "SELECT r.id, r.v, r.home, r.fields, r.conflicts, r.updated_at, r.lon, r.lat, r.type, r.place_parent "
            f"FROM record r WHERE {cut} AND (r.home, r.id) > (?, ?) ORDER BY r.home, r.id LIMIT {_BATCH}",
            (*values, *last),
        )
        rows = found.cursor.fetchall()  # plain tuples: there may be millions of them
        found.close()
        if not rows:
            return
        last = (rows[-1][2], rows[-1][0])
        if len(known) > _MOST_KNOWN:
            known.clear()
        _learn(connection, community_id, {row[9] for row in rows if row[6] is None and row[9] is not None}, known)
        yield _parsed(rows, known)


def _parsed(rows: Sequence[Any], known: Known) -> Iterator[RecordRow]:
    """One after the other: what was read of a record is let go before the next, which costs half of reading all first."""
    loads, quiet = orjson.loads, list[str]()
    climbed: dict[str | None, tuple[float | None, float | None, str | None]] = {}  # many stand in one place
    for record_id, v, home, fields, conflicts, updated_at, lon, lat, kind, above in rows:
        if lon is None:
            place = climbed.get(above)
            if place is None:
                place = climbed[above] = _climb(above, known)
            lon, lat, kind = place
        told = quiet if conflicts == "[]" else loads(conflicts)
        yield RecordRow(record_id, v, home, loads(fields), told, updated_at, lon, lat, kind)


def _where(
    connection: Connection, scope: Scope, community_id: str, kind: str, homes: Sequence[str] | None
) -> tuple[str, list[Any]]:
    cut, values = record_cut(connection, scope, community_id)
    cut += " AND r.type = ? AND r.life = 'live'"
    values = [*values, kind]
    if homes is not None:
        text, given = among("r.home", homes)
        cut += f" AND {text}"
        values += given
    return cut, values


def points_of(
    connection: Connection, community_id: str, rows: Sequence[Any]
) -> list[tuple[float | None, float | None, str | None]]:
    """The point of each record: its own, else that of the first record up its chain of places that has one.

    One query per step of the chain for all rows together; a chain that ends without a point gives (None, None, None).
    """
    known: Known = {}
    _learn(
        connection, community_id,
        {row.place_parent for row in rows if row.lon is None and row.place_parent is not None}, known,
    )  # fmt: skip
    return [
        _climb(row.place_parent, known) if row.lon is None else (row.lon, row.lat, row.type)
        for row in rows
    ]  # fmt: skip


def _learn(connection: Connection, community_id: str, wanted: set[str], known: Known) -> None:
    """Read these places and those above them that lead to a point, as far as they are not known yet."""
    columns = ("id", "type", "lon", "lat", "place_parent")
    for _ in range(_MOST_STEPS):
        for found in rows_of(connection, record, columns, community_id, "id", sorted(wanted - known.keys())):
            known[found[0]] = (found[1], found[2], found[3], found[4])
        wanted = {
            place[3]
            for name in wanted
            if (place := known.get(name)) is not None and place[1] is None and place[3] is not None
        }
        if not wanted:
            break


def _climb(name: str | None, known: Known) -> tuple[float | None, float | None, str | None]:
    for _ in range(_MOST_STEPS):
        place = known.get(name)  # type: ignore[arg-type]
        if place is None:
            break
        if place[1] is not None:
            return place[1], place[2], place[0]
        name = place[3]
    return None, None, None
