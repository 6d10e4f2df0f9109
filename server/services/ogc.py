"""OGC API Features: what is offered to whom, and its features page after page.

Places, resources and households, never single persons: those are read in rosters and exports, which name a purpose.
Features come by (community, id), which no change moves: whoever reads on meets everything that was there exactly once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import shapely

from forms.definition import FieldSpec
from forms.registry import Registry
from geo.cell import BASE_LAYER, DEDICATED_LAYER
from geo.geojson_out import geometry_to_geojson, point_feature
from server.errors import NotFound
from server.house import House
from server.permissions import Actor, Scope, may
from server.services.cell_layers import FIGURE_COLUMNS, figure_values
from server.services.cql2_match import Match
from server.services.figures import Told, figures
from server.services.labels import PERSONAL
from server.services.layers import (
    DEDICATED,
    GROUND_COLUMNS,
    RECORD_LAYERS,
    RecordTable,
    learned,
    record_table,
)
from server.services.looks import Look, seen
from server.services.paging import make_cursor, read_cursor
from server.services.tables import Column, Value
from server.store import ogc as store
from server.store.database import read
from server.store.exports import RecordRow, cell_names
from server.store.scoping import PLACE_TYPES

SERVED = (
    "cells",
    DEDICATED,
    "figures",
    "estates",
    "buildings",
    "entrances",
    "dwellings",
    "households",
    "organizations",
    "resources",
)
"""Every collection in the order in which they are listed."""

_CELL = (
    *GROUND_COLUMNS,
    Column("code", "网格编码"),
    Column("name", "网格名称"),
    Column("order_number", "序号", "integer"),
    Column("area_m2", "面积（平方米）", "decimal"),
    Column("edition", "网格版本", "integer"),
    Column("published_at", "发布时间", "datetime"),
)
_FIRST_WINDOW, _LARGEST_WINDOW = 200, 5_000
_TEXTUAL = frozenset({"text", "select_one"})


@dataclass(frozen=True, slots=True)
class Collection:
    """One collection as one actor sees it.

    ``kinds`` are the properties that may be asked about and what they hold (text, number, boolean, date, instant);
    ``narrowing`` those of them that the database can compare itself; ``time`` the property that ``datetime`` asks about.
    """

    name: str
    zh: str
    en: str
    geometry: str  # Point | Polygon
    columns: tuple[Column, ...]
    kinds: Mapping[str, str]
    narrowing: frozenset[str]
    codes: Mapping[str, Mapping[str, str]]
    time: str
    table: RecordTable | None = None


@dataclass(frozen=True, slots=True)
class ItemQuery:
    """What is asked of a collection; ``mark`` stands for all of it, so that a cursor belongs to one question."""

    limit: int
    cursor: str | None = None
    match: Match | None = None
    since: str | None = None
    until: str | None = None
    properties: tuple[str, ...] | None = None
    mark: str = ""


@dataclass(frozen=True, slots=True)
class ItemPage:
    """Features as GeoJSON objects; ``next`` is the cursor of the following page, None at the end."""

    features: list[dict[str, Any]]
    next: str | None


def collections(house: House, actor: Actor, scope: Scope) -> list[Collection]:
    """What this actor may read."""
    personal = _personal(actor, scope)
    shown = [name for name in SERVED if personal or name not in RECORD_LAYERS or RECORD_LAYERS[name] in PLACE_TYPES]
    return [describe_collection(house.registry, name, personal=personal) for name in shown]


def collection(house: House, actor: Actor, scope: Scope, name: str) -> Collection:
    """One collection; NotFound where there is none for this actor."""
    found = next((one for one in collections(house, actor, scope) if one.name == name), None)
    if found is None:
        raise NotFound("there is no such collection for you")
    return found


def _personal(actor: Actor, scope: Scope) -> bool:
    return scope.fields == "all" and may(actor, "read_personal")


def describe_collection(registry: Registry, name: str, *, personal: bool) -> Collection:
    """A collection with its columns; personal ones only where ``personal``, and never to be asked about: filters
    stand in addresses, which are logged."""
    if name in ("cells", DEDICATED):
        kinds = {column.name: _plain_kind(column) for column in _CELL}
        zh, en = ("网格", "Cells") if name == "cells" else ("专属网格", "Dedicated cells")
        return Collection(name, zh, en, "Polygon", _CELL, kinds, frozenset(), {}, "published_at")
    if name == "figures":
        columns = (*GROUND_COLUMNS, *FIGURE_COLUMNS[1:])
        kinds = {column.name: _plain_kind(column) for column in columns}
        return Collection(name, "汇总", "Figures", "Polygon", columns, kinds, frozenset(), {}, "made_at")
    table = record_table(registry, name, personal=personal)
    form = registry.latest(table.kind)
    # The id stands in the feature itself.
    columns = (*GROUND_COLUMNS, *table.columns[1:])
    hidden = {spec.name for spec in table.specs if spec.privacy in PERSONAL}
    hidden |= {f"{each}_label" for each in hidden}
    kinds = {column.name: _plain_kind(column) for column in columns if column.name not in hidden}
    narrowing = frozenset(spec.name for spec in table.specs if spec.name in kinds and _narrows(spec))
    zh, en = form.label["zh"], form.label.get("en", form.label["zh"])
    return Collection(name, zh, en, "Point", columns, kinds, narrowing, table.codes, "updated_at", table)


def _layer(asked: Collection) -> str:
    return DEDICATED_LAYER if asked.name == DEDICATED else BASE_LAYER


def _narrows(spec: FieldSpec) -> bool:
    return spec.type in _TEXTUAL


def _plain_kind(column: Column) -> str:
    return {"integer": "number", "decimal": "number", "datetime": "instant"}.get(column.kind, column.kind)


def extent(house: House, scope: Scope) -> tuple[float, float, float, float] | None:
    """West, south, east, north of the cells that a scope sees, None without any."""
    with read(house.engine) as connection:
        shapes = [
            cell.geometry
            for ground in store.grounds(connection, scope)
            for cell in store.served_cells(connection, scope, ground.community_id)
        ]
    if not shapes:
        return None
    west, south, east, north = (float(one) for one in shapely.total_bounds(shapely.from_wkb(shapes)))
    return west, south, east, north


def page(house: House, scope: Scope, asked: Collection, query: ItemQuery, look: Look) -> ItemPage:
    """One page of features. A look at personal fields is written down before the page is given."""
    use = f"ogc/{asked.name}/{hashlib.sha256(query.mark.encode()).hexdigest()}"
    position = read_cursor(house.keys, use, query.cursor) or ["", ""]
    taken: list[tuple[store.Ground, dict[str, Any]]] = []
    with read(house.engine) as connection:
        for ground in store.grounds(connection, scope):
            if ground.community_id < position[0]:
                continue
            after = position[1] if ground.community_id == position[0] else ""
            wanted = query.limit + 1 - len(taken)
            for feature in _features(house, connection, scope, asked, ground, after, query, wanted):
                taken.append((ground, feature))
                if len(taken) > query.limit:
                    break
            if len(taken) > query.limit:
                break
    shown = taken[: query.limit]
    for ground in dict.fromkeys(ground for ground, _ in shown):
        _write_down(house, scope, asked, query, look, ground, sum(1 for one, _ in shown if one == ground))
    following = None
    if len(taken) > query.limit:
        ground, feature = shown[-1]
        following = make_cursor(house.keys, use, [ground.community_id, feature["id"]])
    return ItemPage([feature for _, feature in shown], following)


def item(house: House, scope: Scope, asked: Collection, feature_id: str, look: Look) -> dict[str, Any]:
    """One feature; NotFound outside the scope as well."""
    query = ItemQuery(1)
    found: dict[str, Any] | None = None
    with read(house.engine) as connection:
        grounds = store.grounds(connection, scope)
        if asked.table is None:
            for ground in grounds:
                for cell in store.served_cells(connection, scope, ground.community_id, layer=_layer(asked)):
                    if cell.cell_id == feature_id:
                        found = _cell_feature(asked, query, ground, cell, _told(house, asked, ground))
        else:
            where = store.community_of_record(connection, feature_id, [one.community_id for one in grounds])
            ground = next((one for one in grounds if one.community_id == where), None)  # type: ignore[assignment]
            if ground is not None:
                kind = asked.table.kind
                row = store.record_by_id(connection, scope, ground.community_id, kind, feature_id)
                if row is not None:
                    known: dict[str, str | None] = {}
                    learned(connection, house.registry, scope, ground.community_id, asked.table, [row], known)
                    names = cell_names(connection, ground.community_id)
                    found = _record_feature(asked, query, ground, names, known, row)
    if found is None:
        raise NotFound("there is no such feature for you")
    if asked.table is not None:
        _write_down(house, scope, asked, query, look, ground, 1, feature_id)
    return found


def _write_down(
    house: House, scope: Scope, asked: Collection, query: ItemQuery, look: Look, ground: store.Ground, count: int,
    record_id: str | None = None,
) -> None:  # fmt: skip
    if asked.table is None:
        return
    fields = [name for name in asked.table.personal_fields if _given(query, name.partition(".")[2])]
    seen(
        house, look, scope, ground.community_id, fields=fields, count=count, where=f"ogc/{asked.name}",
        record_type=asked.table.kind, record_id=record_id,
    )  # fmt: skip


def _given(query: ItemQuery, name: str) -> bool:
    return query.properties is None or name in query.properties or f"{name}_label" in query.properties


# ---------------------------------------------------------------- features
def _told(house: House, asked: Collection, ground: store.Ground) -> Told | None:
    return figures(house, ground.community_id) if asked.name == "figures" else None


def _features(
    house: House,
    connection: Any,
    scope: Scope,
    asked: Collection,
    ground: store.Ground,
    after: str,
    query: ItemQuery,
    wanted: int,
) -> Iterator[dict[str, Any]]:
    """Features of one community behind an id that pass, as many as are taken from this iterator."""
    if asked.table is None:
        told = _told(house, asked, ground)
        for cell in store.served_cells(connection, scope, ground.community_id, after, layer=_layer(asked)):
            feature = _cell_feature(asked, query, ground, cell, told)
            if feature is not None:
                yield feature
        return
    narrowed = _narrowed(asked, query)
    names, known = cell_names(connection, ground.community_id), dict[str, str | None]()
    window = wanted if query.match is None else max(wanted, _FIRST_WINDOW)
    while True:
        rows = store.records_after(
            connection, scope, ground.community_id, asked.table.kind, after, window, narrowed
        )  # fmt: skip
        for row in learned(connection, house.registry, scope, ground.community_id, asked.table, rows, known):
            feature = _record_feature(asked, query, ground, names, known, row)
            if feature is not None:
                yield feature
        if len(rows) < window:
            return
        after = rows[-1].id
        window = min(2 * window, _LARGEST_WINDOW)


def _narrowed(asked: Collection, query: ItemQuery) -> store.Narrowed:
    match = query.match
    equals = {} if match is None else {name: sorted(v) for name, v in match.equals.items() if name in asked.narrowing}
    bounds = None
    if match is not None and match.area is not None:
        west, south, east, north = match.area.bounds
        bounds = (west, south, east, north)
    return store.Narrowed(equals, bounds, query.since, query.until)


def _cell_feature(
    asked: Collection, query: ItemQuery, ground: store.Ground, cell: store.ServedCell, told: Told | None
) -> dict[str, Any] | None:
    begun = told.made_at if told is not None else cell.published_at
    # It holds from then on, so it meets every interval that does not end before.
    if query.until is not None and begun is not None and begun > query.until:
        return None
    values: tuple[Value, ...]
    if asked.name == "figures":
        if told is None or told.edition_id != cell.edition_id:
            return None  # another edition was published in this moment
        values = (ground.code, ground.name, *figure_values(cell, told)[1:])
    else:
        values = (
            ground.code, ground.name, cell.code, cell.name, cell.order_number, round(cell.area_m2, 1),
            cell.edition_number, cell.published_at,
        )  # fmt: skip
    named = dict(zip((column.name for column in asked.columns), values, strict=True))
    shape = shapely.from_wkb(cell.geometry)
    if query.match is not None and not query.match.check(named, shape):
        return None
    return {
        "type": "Feature",
        "id": cell.cell_id,
        "geometry": geometry_to_geojson(shape),
        "properties": _chosen(named, query),
    }


def _record_feature(
    asked: Collection, query: ItemQuery, ground: store.Ground, cells: Mapping[str | None, tuple[str, str]],
    known: Mapping[str, str | None], row: RecordRow,
) -> dict[str, Any] | None:  # fmt: skip
    assert asked.table is not None
    nowhere = (None, None)
    made = asked.table.values(row, cells.get(row.home, nowhere), cells.get(row.dedicated, nowhere), known.get)
    values = (ground.code, ground.name, *made[1:])
    named = dict(zip((column.name for column in asked.columns), values, strict=True))
    if query.match is not None:
        place = None if row.lon is None or row.lat is None else shapely.Point(row.lon, row.lat)
        if not query.match.check(named, place):
            return None
    return point_feature(lon=row.lon, lat=row.lat, properties=_chosen(named, query), feature_id=row.id)


def _chosen(named: dict[str, Value], query: ItemQuery) -> dict[str, Value]:
    if query.properties is None:
        return named
    return {name: value for name, value in named.items() if name in query.properties}
