"""Reading whole layers for export: in batches by home and id, with the place of each record."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection

from server.models import record
from server.permissions import Scope, cell_stream, dedicated_stream
from server.store.database import rows_of, run
from server.store.scoping import among, both, record_cut

_ASKED = 2_000  # rows of one question to the database
_BATCH = 100  # rows that are worked on together: so few that they stay near the processor
_MOST_KNOWN = 100_000  # places that are remembered from batch to batch, about 20 MB
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


Place = tuple[float | None, float | None, str | None]
"""A point, and the type of the record that it is from; all None without."""

Places = dict[str | None, Place]
NOWHERE: Place = (None, None, None)


class RecordRow(NamedTuple):
    """One record as it is exported; ``place_type`` is the type of record whose anchor gives the point, ``dedicated`` a stream; None without."""

    id: str
    v: int
    home: str
    fields: dict[str, Any]
    conflicts: list[str]
    updated_at: str
    lon: float | None
    lat: float | None
    place_type: str | None
    dedicated: str | None = None


def cell_shapes(
    connection: Connection, community_id: str, homes: Sequence[str] | None = None, *, layer: str = "base"
) -> list[CellShape]:
    """Cells of the published edition of a layer by (order, code); only those of ``homes`` where given."""
    rows = run(
        connection,
        "SELECT c.cell_id, c.code, c.name, c.order_number, c.area_m2, c.geometry, e.number FROM edition e "
        "JOIN cell c ON c.community_id = e.community_id AND c.edition_id = e.edition_id "
        "WHERE e.community_id = ? AND e.layer = ? AND e.state = 'published' ORDER BY c.order_number, c.code",
        (community_id, layer),
    )
    found = [CellShape(row[0], row[1], row[2], row[3], row[4], bytes(row[5]), row[6]) for row in rows]
    return [cell for cell in found if homes is None or cell_stream(cell.cell_id) in homes]


def cell_names(connection: Connection, community_id: str) -> dict[str | None, tuple[str, str]]:
    """(code, name) of the cells of the published editions, base and dedicated, by their streams."""
    rows = run(
        connection,
        "SELECT e.layer, c.cell_id, c.code, c.name FROM edition e JOIN cell c ON c.community_id = e.community_id "
        "AND c.edition_id = e.edition_id WHERE e.community_id = ? AND e.state = 'published'",
        (community_id,),
    )
    return {(cell_stream if row[0] == "base" else dedicated_stream)(row[1]): (row[2], row[3]) for row in rows}


def records_named(
    connection: Connection, scope: Scope, community_id: str, ids: Collection[str]
) -> dict[str, tuple[str, dict[str, Any]]]:
    """(type, fields) of these live records by id, as far as the scope sees them."""
    where, values = both(record_cut(connection, scope, community_id), among("r.id", sorted(ids)))
    rows = run(connection, f"SELECT r.id, r.type, r.fields FROM record r WHERE {where} AND r.life = 'live'", values)
    return {row[0]: (row[1], orjson.loads(row[2])) for row in rows}


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
    for rows, places in raw_batches(connection, scope, community_id, kind, homes):
        yield _parsed(rows, places)


def raw_batches(
    connection: Connection, scope: Scope, community_id: str, kind: str, homes: Sequence[str] | None = None
) -> Iterator[tuple[Sequence[Any], Places]]:
    """The same as they lie: id, v, home, fields (JSON as bytes), conflicts (JSON), updated_at, lon, lat, type, place_parent, dedicated.

    With the places of those that have none of their own, by ``place_parent``.
    """
    cut, values = _where(connection, scope, community_id, kind, homes)
    # As bytes it is read as it lies.
    fields = "convert_to(r.fields, 'UTF8')" if connection.dialect.name == "postgresql" else "CAST(r.fields AS BLOB)"
    last: tuple[str, str] = ("", "")
    places: Places = {}
    while True:
        found = run(
            connection,
            f"SELECT r.id, r.v, r.home, {fields}, r.conflicts, r.updated_at, r.lon, r.lat, r.type, r.place_parent, r.dedicated "
            f"FROM record r WHERE {cut} AND (r.home, r.id) > (?, ?) ORDER BY r.home, r.id LIMIT {_ASKED}",
            (*values, *last),
        ).cursor  # plain tuples: there may be millions of them
        count = 0
        while rows := found.fetchmany(_BATCH):
            count += len(rows)
            last = (rows[-1][2], rows[-1][0])
            if len(places) > _MOST_KNOWN:
                places.clear()
            # Asked row by row: a set less the keys of a dictionary goes through all of the dictionary.
            if wanted := {row[9] for row in rows if row[6] is None and row[9] not in places}:
                _learn(connection, community_id, wanted, places)
            yield rows, places
        found.close()
        if count < _ASKED:
            return


def _parsed(rows: Sequence[Any], places: Places) -> Iterator[RecordRow]:
    """One after the other: what was read of a record is let go before the next, which costs half of reading all first."""
    loads, quiet = orjson.loads, list[str]()
    for record_id, v, home, fields, conflicts, updated_at, lon, lat, kind, above, dedicated in rows:
        if lon is None:
            lon, lat, kind = places.get(above, NOWHERE)
        told = quiet if conflicts == "[]" else loads(conflicts)
        yield RecordRow(record_id, v, home, loads(fields), told, updated_at, lon, lat, kind, dedicated)


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


def points_of(connection: Connection, community_id: str, rows: Sequence[Any]) -> list[Place]:
    """The point of each record: its own, else that of the first record up its chain of places that has one.

    One query per step of the chain for all rows together; a chain that ends without a point gives (None, None, None).
    """
    places: Places = {}
    _learn(connection, community_id, {row.place_parent for row in rows if row.lon is None}, places)
    return [
        places.get(row.place_parent, NOWHERE) if row.lon is None else (row.lon, row.lat, row.type)
        for row in rows
    ]  # fmt: skip


def _learn(connection: Connection, community_id: str, wanted: set[str | None], places: Places) -> None:
    """Find where these places and those above them stand, as far as it is not known yet."""
    columns = ("id", "type", "lon", "lat", "place_parent")
    read: dict[str | None, Any] = {}
    for _ in range(_MOST_STEPS):
        wanted = {one for one in wanted if one is not None and one not in places and one not in read}
        if not wanted:
            break
        found = rows_of(connection, record, columns, community_id, "id", sorted(wanted))  # type: ignore[type-var]
        read |= {row[0]: row for row in found}
        wanted = {row[4] for row in found if row[2] is None}
    for name in read:
        places[name] = _climb(name, read, places)


def _climb(name: str | None, read: Mapping[str | None, Any], places: Places) -> Place:
    for _ in range(_MOST_STEPS):
        if name in places:
            return places[name]
        if name not in read:
            break
        _, kind, lon, lat, above = read[name]
        if lon is not None:
            return lon, lat, kind
        name = above
    return NOWHERE
