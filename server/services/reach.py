"""Who reaches what on foot: dwellings within a walk of each kind of place, cell by cell; the nearest place of every building."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson

from geo.errors import GeoError
from geo.walking import TOWN_DETOUR, WALK_M_PER_MINUTE, Reach, RoadNetwork, reach_by_cell, straight_reach
from server.errors import InputError, InvalidInput, OutsideScope
from server.permissions import Scope
from server.services.cell_design import read_lines
from server.services.places import places_in_force
from server.services.roads import facts_told, network_of, snap_told
from server.store import ground
from server.store import roads as road_store
from server.store.database import read, stamp
from server.store.scoping import see_community

if TYPE_CHECKING:
    from server.house import House

BY = ("auto", "straight", "roads")
MOST_BUILDINGS = 2_000
"""Buildings that are listed one by one; figures are of all."""


def coverage(
    house: House,
    scope: Scope,
    community_id: str,
    *,
    categories: Sequence[str] = (),
    minutes: float = 15.0,
    metres_per_minute: float = WALK_M_PER_MINUTE,
    by: str = "auto",
    roads: Any = None,
    datum: str | None = None,
    lists: bool = True,
) -> dict[str, Any]:
    """How many dwellings reach a place of each category within a walk, and which buildings do not.

    Parameters
    ----------
    categories : of resources; none: every category that has a place on record
    minutes, metres_per_minute : of the walk
    by : one of `BY`: along the community's road network where it has one; by straight lines, lengthened by what ways in
        towns take more; along the network or not at all
    roads : GeoJSON of another road network, for this question alone
    datum : of these roads
    lists : whether buildings are listed, each with its nearest place (the first `MOST_BUILDINGS`)

    Returns
    -------
    dict
        ``categories``: each with ``places``, ``cells`` (dwellings, within, share), ``total``, and ``buildings`` (nearest
        place, metres, minutes, ``within``). Dwellings are counted, never persons. Share None where there is no dwelling.

    Raises
    ------
    OutsideScope, InvalidInput
    """
    see_community(scope, community_id)
    if scope.fields == "aggregate" or scope.streams is not None:
        raise OutsideScope("coverage is asked by those who see the places of the whole community")
    network = _network(roads, datum)
    kept = None
    with read(house.engine) as connection:
        if network is None and by != "straight":
            network = network_of(connection, str(house.engine.url), community_id)
            if network is None and by == "roads":
                message = "there is no road network of this community"
                raise InvalidInput(message, errors=[InputError("/by", "no_roads", message)])
        kept = road_store.facts(connection, community_id)
        buildings = ground.buildings(connection, community_id)
        dwellings = ground.dwellings_by_building(connection, community_id)
        resources = ground.resources(connection, community_id)
        places = places_in_force(connection, str(house.engine.url), community_id)
    lons = np.array([one.lon for one in buildings], dtype=np.float64)
    lats = np.array([one.lat for one in buildings], dtype=np.float64)
    off = None if network is None else network.off_road(lons=lons, lats=lats)
    counts = np.array([dwellings.get(one.id, 0) for one in buildings], dtype=np.int64)
    present = {one.category for one in resources if one.category}
    _demand_known(categories, present | set(house.registry.codelist("resource_category").entries))
    wanted = list(categories) or sorted(present)
    cells = {cell.cell_id: cell for cell in places.index.cells}
    found = []
    for category in wanted:
        these = [one for one in resources if one.category == category]
        reach = _reach(network, lons, lats, these)
        within = reach.within(minutes, metres_per_minute=metres_per_minute)
        by_cell = reach_by_cell(places.index, lons=lons, lats=lats, dwellings=counts, is_within=within)
        total, near = int(counts.sum()), int(counts[within].sum())
        found.append(
            {
                "category": category,
                "label": house.registry.codelist("resource_category").label_of(category) or category,
                "places": len(these),
                "cells": [
                    {
                        "cell_id": one.cell_id,
                        "code": cells[one.cell_id].code if one.cell_id is not None else None,
                        "dwellings": one.dwellings,
                        "within": one.within,
                        "share": None if one.share is None else round(one.share, 4),
                    }
                    for one in by_cell
                ],
                "total": {
                    "dwellings": total, "within": near, "without": total - near,
                    "share": round(near / total, 4) if total else None,
                },
                "buildings": _listed(buildings, counts, these, reach, within, metres_per_minute, off) if lists else [],
            }
        )  # fmt: skip
    return {
        "as_of": stamp(house.clock()),
        "minutes": minutes,
        "metres_per_minute": metres_per_minute,
        "by": "straight" if network is None else "roads",
        "detour": TOWN_DETOUR if network is None else None,
        "snap": None if off is None else snap_told(off),
        "roads": None if kept is None else facts_told(kept),
        "edition_id": places.edition_id,
        "categories": found,
    }


def _demand_known(categories: Sequence[str], known: Collection[str]) -> None:
    """InvalidInput for a category that neither the code list nor a place on record has: nobody would be found to reach it."""
    wrong = [(at, one) for at, one in enumerate(categories) if one not in known]
    if wrong:
        message = f"unknown category {', '.join(one for _, one in wrong)}; known: {', '.join(sorted(known))}"
        raise InvalidInput(message, errors=[InputError(f"/category/{at}", "unknown_category", message) for at, _ in wrong])


def _network(roads: Any, datum: str | None) -> RoadNetwork | None:
    if not roads:
        return None
    try:
        return RoadNetwork(read_lines(roads, datum, "/roads"))
    except GeoError as error:
        raise InvalidInput(error.message, errors=[InputError("/roads", error.code, error.message)]) from error


def _reach(network: RoadNetwork | None, lons: Any, lats: Any, places: Sequence[Any]) -> Reach:
    place_lons, place_lats = [one.lon for one in places], [one.lat for one in places]
    if network is None:
        return straight_reach(lons=lons, lats=lats, place_lons=place_lons, place_lats=place_lats, detour=TOWN_DETOUR)
    return network.reach(lons=lons, lats=lats, place_lons=place_lons, place_lats=place_lats)


def _listed(
    buildings: Sequence[Any], counts: Any, places: Sequence[Any], reach: Reach, within: Any, metres_per_minute: float,
    off: Any = None,
) -> list[dict[str, Any]]:  # fmt: skip
    """Buildings with dwellings, those without a place in reach first, farthest first."""
    order = np.lexsort((np.arange(len(buildings)), -np.nan_to_num(reach.metres, posinf=1e12), within))
    rows = []
    for at in order.tolist():
        if counts[at] == 0:
            continue
        fields, place = orjson.loads(buildings[at].fields), int(reach.place[at])
        metres = None if place < 0 else round(float(reach.metres[at]), 1)
        rows.append(
            {
                "building": {
                    "id": buildings[at].id, "name": fields.get("name"), "number": fields.get("number"),
                    "lon": buildings[at].lon, "lat": buildings[at].lat,
                },
                "dwellings": int(counts[at]),
                "nearest": None if place < 0 else {"id": places[place].id, "name": places[place].name},
                "metres": metres,
                "off_road_m": None if off is None or not np.isfinite(off[at]) else round(float(off[at]), 1),
                "minutes": None if metres is None else round(metres / metres_per_minute, 1),
                "within": bool(within[at]),
            }
        )  # fmt: skip
        if len(rows) == MOST_BUILDINGS:
            break
    return rows
