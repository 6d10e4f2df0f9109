"""Estates, buildings, entrances and dwellings of the demo, on the real footprints."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

import shapely

from server.demo.chance import Chance, Writer
from server.demo.draw_cells import COMMUNITY_CODE
from server.demo.ground import Capacity, Footprint, Shape, capacity, cells_document, footprints, long_side, to_degrees
from server.demo.names import ESTATES, PROPERTY_COMPANIES

ADDRESS_HEAD = "演示区柳岸街道桑榆里社区"
CELLS_PER_ESTATE = 2

Operation = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Dwelling:
    """A dwelling as the other topics need it. ``cell`` counts the cells from 0 in order of their codes."""

    id: str
    building: str
    cell: int
    address: str
    use: str
    occupancy: str
    occupied: bool
    rooms: int


@dataclass(frozen=True, slots=True)
class Place:
    """A building or an estate, for what stands in or at it."""

    id: str
    name: str
    use: str
    cell: int
    estate: str
    anchor: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Places:
    """Everything that stands: operation groups in order, and what later topics refer to."""

    groups: list[list[Operation]]
    estates: list[Place]
    buildings: list[Place]
    dwellings: list[Dwelling]


def cell_shapes() -> list[Shape]:
    """The demo's cells in order of their codes, in degrees."""
    features = sorted(cells_document()["features"], key=lambda feature: feature["properties"]["order"])
    return [shapely.from_geojson(json.dumps(feature["geometry"])) for feature in features]


def location(point: Shape, at: str) -> dict[str, Any]:
    """A location value taken off the map of footprints."""
    return {
        "lon": round(point.x, 7), "lat": round(point.y, 7), "datum": "wgs84", "accuracy_m": 2, "confidence": 0.95,
        "method": "survey", "at": at,
    }  # fmt: skip


def build_places(seed: int, as_of: date, writer: Writer, households: int) -> Places:
    """All places; ``households`` of the homes are lived in, the others empty or under works."""
    chance = Chance(seed, "places", as_of)
    surveyed = chance.moment(chance.day(first=390, last=380))
    stamp = surveyed.isoformat(timespec="seconds")
    shapes = cell_shapes()
    ours = [one for one in footprints() if one.inside]
    tree = shapely.STRtree(shapes)
    cell_of = {one.number: int(tree.query(one.shape, predicate="within")[0]) for one in ours}
    holds = {one.number: capacity(one) for one in ours}
    lived_in = _lived_in(chance, sum(said.homes for said in holds.values()), households)

    places = Places([], [], [], [])
    for first_cell in range(0, len(shapes), CELLS_PER_ESTATE):
        members = [one for one in ours if first_cell <= cell_of[one.number] < first_cell + CELLS_PER_ESTATE]
        members.sort(key=lambda one: (cell_of[one.number], -round(one.plan.centroid.y / 25), one.plan.centroid.x))
        name = ESTATES[first_cell // CELLS_PER_ESTATE]
        estate = writer.new_id("estate")
        anchor = location(shapely.point_on_surface(shapes[first_cell]), stamp)
        low = sum(1 for one in members if one.floors <= 2) * 2 > len(members)
        homes = sum(holds[one.number].homes for one in members)
        gated = not low and chance.holds(0.6)
        built = chance.between(1978, 1999)
        places.estates.append(Place(estate, name, "estate", first_cell, estate, anchor))
        group = [
            writer.create("estate", estate, {
                "name": name,
                "kind": "natural_village" if low else "gated_estate" if gated else "open_estate",
                "anchor": anchor,
                "gates_count": chance.between(1, 4) if gated else None,
                "buildings_count": len(members),
                "dwellings_count": homes + sum(holds[one.number].shops for one in members),
                "built_year": built,
                "gated": gated,
                "address_text": f"{ADDRESS_HEAD}{name}",
                "manager_org_name": None if low else chance.one(PROPERTY_COMPANIES),
                "owners_committee": gated and chance.holds(0.5),
            }, surveyed)
        ]  # fmt: skip
        places.groups.append(group)
        for number, one in enumerate(members, start=1):
            told = _Told(chance, writer, surveyed, stamp, estate, name, number, built + chance.between(0, 6))
            places.groups.append(list(_building(told, one, holds[one.number], cell_of[one.number], lived_in, places)))
    return places


def _lived_in(chance: Chance, homes: int, households: int) -> Iterator[bool]:
    """For each home in turn whether somebody lives there: exactly ``households`` times yes."""
    answers = [True] * households + [False] * (homes - households)
    chance.random.shuffle(answers)
    return iter(answers)


@dataclass(frozen=True, slots=True)
class _Told:
    """What is said alike about all that belongs to one building."""

    chance: Chance
    writer: Writer
    surveyed: Any
    stamp: str
    estate: str
    estate_name: str
    number: int
    built_year: int


def _building(
    told: _Told, one: Footprint, said: Capacity, cell: int, lived_in: Iterator[bool], places: Places
) -> Iterator[Operation]:
    chance, writer = told.chance, told.writer
    building = writer.new_id("building")
    name = f"{told.estate_name}{told.number}幢"
    anchor = location(to_degrees(shapely.point_on_surface(one.plan)), told.stamp)
    places.buildings.append(Place(building, name, said.use, cell, told.estate, anchor))
    yield writer.create("building", building, {
        "name": name,
        "number": str(told.number),
        "estate": told.estate,
        "anchor": anchor,
        "use": said.use,
        "floors_count": one.floors,
        "height_m": one.height_m,
        "built_year": told.built_year,
        "entrances_count": said.stairs,
        "dwellings_count": said.homes + said.shops,
        "lifts_count": 1 if one.floors >= 8 else 0,
        "address_text": f"{ADDRESS_HEAD}{name}",
        "hazard_text": chance.one(("外墙面砖局部空鼓", "楼道堆物", "电动车入户充电")) if chance.holds(0.05) else None,
    }, told.surveyed)  # fmt: skip
    entrances = []
    for number, door in enumerate(_doors(one, said.stairs), start=1):
        entrance = writer.new_id("entrance")
        entrances.append(entrance)
        yield writer.create("entrance", entrance, {
            "name": f"{name}{number}单元",
            "number": str(number),
            "building": building,
            "anchor": location(door, told.stamp),
            "floors_count": one.floors,
            "step_free": one.floors >= 8 or chance.holds(0.1),
        }, told.surveyed)  # fmt: skip
    area_m2 = one.plan.area * one.floors / max(1, said.homes + said.shops)
    for index, (stair, floor, door) in enumerate(_rooms(one, said)):
        use, occupied, occupancy = _use(chance, said, index, lived_in)
        address = f"{ADDRESS_HEAD}{name}{stair + 1}单元{floor}{door:02d}室"
        dwelling = writer.new_id("dwelling")
        rooms = max(1, min(5, round(area_m2 / 32)))
        places.dwellings.append(Dwelling(dwelling, building, cell, address, use, occupancy, occupied, rooms))
        yield writer.create("dwelling", dwelling, {
            "entrance": entrances[stair],
            "building": building,
            "door_number": f"{floor}{door:02d}",
            "floor_number": floor,
            "address_text": address,
            "standard_address_code": f"{COMMUNITY_CODE}{one.number:05d}{stair + 1:02d}{floor:02d}{door:02d}",
            "use": use,
            "occupancy": occupancy,
            "area_m2": round(min(area_m2, 480.0) * (0.9 + 0.2 * chance.random.random()), 1),
            "rooms_count": rooms if use in ("home", "dormitory") else None,
            "expected": use in ("home", "dormitory"),
        }, told.surveyed)  # fmt: skip


def _doors(one: Footprint, stairs: int) -> list[Shape]:
    """Where the staircases open: evenly along the long side, on the outline itself."""
    start, end = long_side(one.plan)
    wall: Any = shapely.boundary(one.plan)
    doors = []
    for stair in range(stairs):
        point: Any = shapely.Point(*(start + (end - start) * (stair + 0.5) / stairs))
        doors.append(to_degrees(shapely.line_interpolate_point(wall, shapely.line_locate_point(wall, point))))
    return doors


def _rooms(one: Footprint, said: Capacity) -> list[tuple[int, int, int]]:
    """(staircase from 0, floor from 1, door from 1) of every home and shop, floor by floor."""
    count = said.homes + said.shops
    doors = 0 if said.stairs == 0 else math.ceil(count / (said.stairs * max(1, one.floors)))
    every = [
        (stair, floor, door)
        for floor in range(1, one.floors + 1)
        for stair in range(said.stairs)
        for door in range(1, doors + 1)
    ]
    return every[:count]


def _use(chance: Chance, said: Capacity, index: int, lived_in: Iterator[bool]) -> tuple[str, bool, str]:
    """Use, whether lived in, and occupancy of one dwelling."""
    if index >= said.homes:
        use = {"office": "office", "public_service": "public_service"}.get(said.use) or (
            "warehouse" if chance.holds(0.15) else "shop"
        )
        return use, False, chance.weighted({"let": 0.6, "owner_lived": 0.25, "empty": 0.15})
    if not next(lived_in):
        return "home", False, chance.weighted({"empty": 0.85, "under_works": 0.12, "unknown": 0.03})
    if chance.holds(0.006):
        return "dormitory", True, "let"
    return "home", True, chance.weighted({"owner_lived": 0.64, "let": 0.29, "group_let": 0.025, "lent": 0.045})
