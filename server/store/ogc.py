"""Reading features one page after another: by (community, id), so that nothing moves while somebody reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import orjson
from sqlalchemy import Connection

from server.models.records import SERVED_TYPES
from server.permissions import Scope, cell_stream, dedicated_stream
from server.store.database import run
from server.store.exports import RecordRow, points_of
from server.store.scoping import among, both, json_text, record_cut, see_community

# As many steps up as `store.exports.points_of` takes.
_STEPS = 6
_COLUMNS = "r.id, r.type, r.v, r.home, r.fields, r.conflicts, r.updated_at, r.lon, r.lat, r.place_parent, r.dedicated"


@dataclass(frozen=True, slots=True)
class Ground:
    """A community that features are read from."""

    community_id: str
    code: str
    name: str


@dataclass(frozen=True, slots=True)
class ServedCell:
    """A cell of the published base edition; ``geometry`` is WKB in CGCS2000 lon/lat."""

    cell_id: str
    code: str
    name: str
    order_number: int
    area_m2: float
    geometry: bytes
    edition_number: int
    published_at: str | None
    edition_id: str


@dataclass(frozen=True, slots=True)
class Narrowed:
    """What every record that is wanted fulfils; the caller checks exactly, the database only leaves out the rest.

    Attributes
    ----------
    equals : text fields of the record and their possible values
    bounds : west, south, east, north that the record's point lies in, None for anywhere and nowhere
    since, until : of the last change, ISO text, both included
    """

    equals: Mapping[str, Sequence[str]]
    bounds: tuple[float, float, float, float] | None = None
    since: str | None = None
    until: str | None = None


def grounds(connection: Connection, scope: Scope) -> list[Ground]:
    """The communities of a scope by id, in the order in which Python compares ids: a database's own may be another."""
    rows = run(connection, "SELECT community_id, code, name FROM community")
    return sorted((Ground(*row) for row in rows if scope.sees_community(row[0])), key=lambda one: one.community_id)


def served_cells(
    connection: Connection, scope: Scope, community_id: str, after: str = "", *, layer: str = "base"
) -> list[ServedCell]:
    """Cells of the published edition of a layer that the scope sees, behind the cell ``after``, by id."""
    see_community(scope, community_id)
    rows = run(
        connection,
        "SELECT c.cell_id, c.code, c.name, c.order_number, c.area_m2, c.geometry, e.number, e.published_at, e.edition_id "
        "FROM edition e "
        "JOIN cell c ON c.community_id = e.community_id AND c.edition_id = e.edition_id "
        "WHERE e.community_id = ? AND e.layer = ? AND e.state = 'published' AND c.cell_id > ? ORDER BY c.cell_id",
        (community_id, layer, after),
    )
    found = [ServedCell(row[0], row[1], row[2], row[3], row[4], bytes(row[5]), row[6], row[7], row[8]) for row in rows]
    stream = cell_stream if layer == "base" else dedicated_stream
    return [cell for cell in found if scope.sees_stream(community_id, stream(cell.cell_id))]


def records_after(
    connection: Connection, scope: Scope, community_id: str, kind: str, after: str, limit: int, narrowed: Narrowed
) -> list[RecordRow]:
    """The next live records of a type behind the id ``after`` that the scope sees, by id, with their points."""
    statement, values = records_sql(connection, scope, community_id, kind, after, narrowed)
    rows = list(run(connection, f"{statement} LIMIT {int(limit)}", values))
    return _with_points(connection, community_id, rows)


def records_sql(
    connection: Connection, scope: Scope, community_id: str, kind: str, after: str, narrowed: Narrowed
) -> tuple[str, list[Any]]:
    """The query of `records_after` without its limit."""
    parts = [
        record_cut(connection, scope, community_id),
        # The types of the partial index, word for word: SQLite takes it only so.
        (f"r.type = ? AND r.{SERVED_TYPES} AND r.life = 'live' AND r.id > ?", [kind, after]),
    ]
    for field, wanted in sorted(narrowed.equals.items()):
        parts.append(among(json_text(connection, "r", field), wanted))
    if narrowed.since is not None:
        parts.append(("r.updated_at >= ?", [narrowed.since]))
    if narrowed.until is not None:
        parts.append(("r.updated_at <= ?", [narrowed.until]))
    joins = ""
    if narrowed.bounds is not None:
        west, south, east, north = narrowed.bounds
        joins, lon, lat = _chain()
        parts.append((f"{lon} BETWEEN ? AND ? AND {lat} BETWEEN ? AND ?", [west, east, south, north]))
    where, values = both(*parts)
    return f"SELECT {_COLUMNS} FROM record r{joins} WHERE {where} ORDER BY r.id", values


def _chain() -> tuple[str, str, str]:
    """Joins up the places of a record, and SQL of the longitude and latitude that it takes from them."""
    names = ["r", *(f"p{step}" for step in range(1, _STEPS + 1))]
    joins = "".join(
        f" LEFT JOIN record {upper} ON {upper}.community_id = r.community_id AND {upper}.id = {lower}.place_parent"
        for lower, upper in pairwise(names)
    )
    lon, lat = (f"COALESCE({', '.join(f'{name}.{axis}' for name in names)})" for axis in ("lon", "lat"))
    return joins, lon, lat


def record_by_id(
    connection: Connection, scope: Scope, community_id: str, kind: str, record_id: str
) -> RecordRow | None:
    """One live record of a type that the scope sees, None where there is none."""
    cut, values = record_cut(connection, scope, community_id)
    rows = list(
        run(
            connection,
            f"SELECT {_COLUMNS} FROM record r WHERE {cut} AND r.type = ? AND r.life = 'live' AND r.id = ?",
            (*values, kind, record_id),
        )
    )
    found = _with_points(connection, community_id, rows)
    return found[0] if found else None


def community_of_record(connection: Connection, record_id: str, communities: Sequence[str]) -> str | None:
    """Which of these communities a record is kept in."""
    wanted, values = among("community_id", communities)
    row = run(connection, f"SELECT community_id FROM record WHERE {wanted} AND id = ?", (*values, record_id)).first()
    return None if row is None else str(row[0])


def _with_points(connection: Connection, community_id: str, rows: Sequence[Any]) -> list[RecordRow]:
    points = points_of(connection, community_id, rows)
    return [
        RecordRow(
            row.id, row.v, row.home, orjson.loads(row.fields), orjson.loads(row.conflicts), row.updated_at, *point,
            row.dedicated,
        )
        for row, point in zip(rows, points, strict=True)
    ]
