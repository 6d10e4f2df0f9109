"""What stands on the ground of a community, for planning: buildings with what is in them, and places of every kind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection

from server.store.database import run
from server.store.scoping import among, json_text


def buildings(connection: Connection, community_id: str) -> list[Any]:
    """Live buildings with a location: id, fields, lon, lat, home."""
    return list(
        run(
            connection,
            "SELECT r.id, r.fields, r.lon, r.lat, r.home FROM record r WHERE r.community_id = ? AND r.type = 'building' "
            "AND r.life = 'live' AND r.lon IS NOT NULL ORDER BY r.id",
            (community_id,),
        )
    )


def _building_of(connection: Connection, dwelling: str, holder: str) -> str:
    """SQL of the building that a dwelling is in: its holder, or that of its entrance (``holder`` is the joined record)."""
    return (
        f"COALESCE(CASE WHEN {holder}.type = 'building' THEN {holder}.id "
        f"ELSE {json_text(connection, holder, 'building')} END, {json_text(connection, dwelling, 'building')})"
    )


class Spot(NamedTuple):
    """So many dwellings or households at one point: that of their own, of their entrance, else of their building.

    ``home`` is where they are placed, by a secretary's pin too. ``building`` None: of no building on record.
    """

    building: str | None
    home: str
    lon: float
    lat: float
    number: int


_AT = ", ".join(
    f"COALESCE(d.{axis}, p.{axis}, CASE q.type WHEN 'building' THEN q.{axis} END) AS {axis}" for axis in ("lon", "lat")
)
_HELD = (
    "LEFT JOIN record p ON p.community_id = d.community_id AND p.id = d.place_parent AND p.type IN ('entrance', 'building') "
    "LEFT JOIN record q ON q.community_id = p.community_id AND q.id = p.place_parent "
)


def dwelling_spots(connection: Connection, community_id: str) -> list[Spot]:
    """Where the live dwellings are that have an entrance or a building with a location."""
    return _spots(connection, "d.home", "record d", "d.community_id = ? AND d.type = 'dwelling' AND d.life = 'live'", community_id)


def household_spots(connection: Connection, community_id: str) -> list[Spot]:
    """Where the live households are whose dwelling has an entrance or a building with a location."""
    source = "record h JOIN record d ON d.community_id = h.community_id AND d.id = h.place_parent"
    return _spots(connection, "h.home", source, "h.community_id = ? AND h.type = 'household' AND h.life = 'live'", community_id)


def _spots(connection: Connection, home: str, source: str, where: str, community_id: str) -> list[Spot]:
    rows = run(
        connection,
        f"SELECT {_building_of(connection, 'd', 'p')} AS building, {home} AS home, {_AT}, count(*) FROM {source} {_HELD}"
        f"WHERE {where} GROUP BY 1, 2, 3, 4",
        (community_id,),
    )
    found = [Spot(row[0], row[1], row[2], row[3], int(row[4])) for row in rows if row[2] is not None]
    return sorted(found, key=lambda one: (one.building or "", one.home, one.lon, one.lat))


def building_fields(connection: Connection, community_id: str) -> dict[str, str]:
    """The fields of every live building, as JSON text, by its id; those without a location too."""
    statement = "SELECT r.id, r.fields FROM record r WHERE r.community_id = ? AND r.type = 'building' AND r.life = 'live'"
    return {row[0]: row[1] for row in run(connection, statement, (community_id,))}


def count_of(connection: Connection, community_id: str, record_type: str) -> int:
    """Live records of a type, wherever they are or not."""
    statement = "SELECT count(*) FROM record WHERE community_id = ? AND type = ? AND life = 'live'"
    return int(run(connection, statement, (community_id, record_type)).scalar_one())


def resources(connection: Connection, community_id: str) -> list[Any]:
    """Live resources with a place, their own or that of their building or estate: id, name, kind, category, lon, lat, community_id."""
    return _resources(connection, "r.community_id = ?", (community_id,))


def resources_beyond(
    connection: Connection, communities: Sequence[str], bounds: tuple[float, float, float, float]
) -> list[Any]:
    """As `resources`, of these communities, as far as they lie within west, south, east, north."""
    wanted, values = among("r.community_id", communities)
    west, south, east, north = bounds
    lon, lat = (f"COALESCE(r.{axis}, p.{axis}, q.{axis})" for axis in ("lon", "lat"))
    return _resources(connection, f"{wanted} AND {lon} BETWEEN ? AND ? AND {lat} BETWEEN ? AND ?", (*values, west, east, south, north))


def _resources(connection: Connection, where: str, values: Sequence[Any]) -> list[Any]:
    name, kind, category = (json_text(connection, "r", field) for field in ("name", "kind", "category"))
    return list(
        run(
            connection,
            f"SELECT r.id, {name} AS name, {kind} AS kind, {category} AS category, "
            "COALESCE(r.lon, p.lon, q.lon) AS lon, COALESCE(r.lat, p.lat, q.lat) AS lat, r.community_id FROM record r "
            "LEFT JOIN record p ON p.community_id = r.community_id AND p.id = r.place_parent "
            "LEFT JOIN record q ON q.community_id = p.community_id AND q.id = p.place_parent "
            f"WHERE {where} AND r.type = 'resource' AND r.life = 'live' "
            "AND COALESCE(r.lon, p.lon, q.lon) IS NOT NULL ORDER BY r.community_id, r.id",
            tuple(values),
        )
    )


def points(connection: Connection, community_id: str, record_type: str) -> list[Any]:
    """Where live records of a type stand, by their own place or what holds them: lon, lat, how many."""
    return list(
        run(
            connection,
            "SELECT COALESCE(r.lon, a.lon, b.lon, c.lon, d.lon) AS lon, COALESCE(r.lat, a.lat, b.lat, c.lat, d.lat) AS lat, "
            "count(*) AS number FROM record r "
            "LEFT JOIN record a ON a.community_id = r.community_id AND a.id = r.place_parent "
            "LEFT JOIN record b ON b.community_id = a.community_id AND b.id = a.place_parent "
            "LEFT JOIN record c ON c.community_id = b.community_id AND c.id = b.place_parent "
            "LEFT JOIN record d ON d.community_id = c.community_id AND d.id = c.place_parent "
            "WHERE r.community_id = ? AND r.type = ? AND r.life = 'live' "
            "AND COALESCE(r.lon, a.lon, b.lon, c.lon, d.lon) IS NOT NULL GROUP BY 1, 2",
            (community_id, record_type),
        )
    )
