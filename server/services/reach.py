"""Who reaches what on foot: dwellings within a walk of each kind of place, cell by cell; the nearest place of every building."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
from numpy.typing import NDArray

from geo.errors import GeoError
from geo.metric import metres_per_degree
from geo.walking import TOWN_DETOUR, WALK_M_PER_MINUTE, CellReach, Reach, RoadNetwork, reach_by_cell, straight_reach
from server.errors import InputError, InvalidInput, OutsideScope
from server.permissions import Scope, cell_stream
from server.services.cell_design import read_lines
from server.services.figures import TOTAL, Told, figures
from server.services.places import Places, places_in_force
from server.services.roads import facts_told, network_of, snap_told
from server.store import assignments, ground
from server.store import roads as road_store
from server.store.database import read, stamp
from server.store.scoping import see_community

if TYPE_CHECKING:
    from server.house import House
    from server.store.database import Connection

PUBLIC_KINDS = frozenset({"place", "facility"})
"""Resources whose name, category and place are for everybody, those of another community too; what it stores or drives is its own."""
_NEAR_M = 1_000.0
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
    across: bool = True,
) -> dict[str, Any]:
    """How many dwellings and households reach a place of each category within a walk, and which buildings do not.

    Parameters
    ----------
    categories : of resources; none: every category that has a place on record
    minutes, metres_per_minute : of the walk
    by : one of `BY`: along the community's road network where it has one; by straight lines, lengthened by what ways in
        towns take more; along the network or not at all
    roads : GeoJSON of another road network, for this question alone
    datum : of these roads
    lists : whether buildings are listed, each with its nearest place (the first `MOST_BUILDINGS`)
    across : whether places of other communities count where they are nearer: all where the reader sees that community,
        else what is public of it (`PUBLIC_KINDS`)

    Returns
    -------
    dict
        ``categories``: each with ``places`` and ``places_beyond`` (of other communities), ``cells`` (dwellings, within, share,
        households), ``total``, ``buildings`` (nearest place, metres, minutes, ``within``) and ``left_off`` (buildings that
        are not listed). Share None where there is no dwelling. ``households`` says how they were found: ``counted``, or
        ``estimated`` for readers without personal fields: what was published of the cell, by the share of its dwellings.
        Dwellings and households are counted in the cell that they are placed in, by a pin too, and walk from their entrance, else
        from their building; a building is within where all its dwellings are, and shown by the farthest of them.
        ``unlocated`` are those whose entrance and building have no location: nobody knows whether they reach anything.

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
        names_of = ground.building_fields(connection, community_id)
        spots = _Spots(
            ground.dwelling_spots(connection, community_id),
            ground.household_spots(connection, community_id) if scope.fields == "all" else [],
        )
        everything = {kind: ground.count_of(connection, community_id, kind) for kind in ("dwelling", "household")}
        names = {one.community_id: one.name for one in assignments.communities(connection)}
        resources = ground.resources(connection, community_id)
        if across:
            walk_m = max(minutes * metres_per_minute, _NEAR_M)
            resources += _beyond(connection, scope, community_id, names, spots, walk_m)
        places = places_in_force(connection, str(house.engine.url), community_id)
    position = spots.position(places)
    counted = _Households(scope, spots, position, None if scope.fields == "all" else figures(house, community_id), places)
    lons, lats, counts = spots.lons, spots.lats, spots.dwellings
    off = None if network is None else network.off_road(lons=lons, lats=lats)
    present = {one.category for one in resources if one.category}
    _demand_known(categories, present | set(house.registry.codelist("resource_category").entries))
    wanted = list(categories) or sorted(present)
    cells = {cell.cell_id: cell for cell in places.index.cells}
    found = []
    for category in wanted:
        these = [one for one in resources if one.category == category]
        reach = _reach(network, lons, lats, these)
        within = reach.within(minutes, metres_per_minute=metres_per_minute)
        by_cell = reach_by_cell(places.index, position=position, dwellings=counts, is_within=within)
        total, near = int(counts.sum()), int(counts[within].sum())
        homes = counted.by_cell(within, by_cell)
        rows, left_off = _listed(spots, names_of, these, reach, within, metres_per_minute, off, names, community_id, counted)
        found.append(
            {
                "category": category,
                "label": house.registry.codelist("resource_category").label_of(category) or category,
                "places": sum(1 for one in these if one.community_id == community_id),
                "places_beyond": sum(1 for one in these if one.community_id != community_id),
                "cells": [
                    {
                        "cell_id": one.cell_id,
                        "code": cells[one.cell_id].code if one.cell_id is not None else None,
                        "dwellings": one.dwellings,
                        "within": one.within,
                        "share": None if one.share is None else round(one.share, 4),
                        **homes[one.cell_id],
                    }
                    for one in by_cell
                ],
                "total": {
                    "dwellings": total, "within": near, "without": total - near,
                    "share": round(near / total, 4) if total else None, **counted.total(near, total, within),
                },
                "buildings": rows if lists else [],
                "left_off": left_off if lists else 0,
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
        "households": counted.how,
        "unlocated": {
            "dwellings": everything["dwelling"] - int(counts.sum()),
            "households": everything["household"] - int(spots.households.sum()) if counted.how == "counted" else None,
        },
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


class _Spots:
    """Where dwellings and households are: columns of one length, one line for each building, cell and point."""

    def __init__(self, dwellings: Sequence[ground.Spot], households: Sequence[ground.Spot]) -> None:
        held = Counter({one[:4]: one.number for one in dwellings})
        lived = Counter({one[:4]: one.number for one in households})
        keys = sorted({*held, *lived}, key=lambda one: (one[0] or "", one[1:]))
        self.buildings = [key[0] for key in keys]
        self.homes = [key[1] for key in keys]
        self.lons = np.array([key[2] for key in keys], dtype=np.float64)
        self.lats = np.array([key[3] for key in keys], dtype=np.float64)
        self.dwellings = np.array([held[key] for key in keys], dtype=np.int64)
        self.households = np.array([lived[key] for key in keys], dtype=np.int64)

    def position(self, places: Places) -> NDArray[np.intp]:
        """The cell of each line among those in force; -1 for none."""
        number = {cell_stream(cell_id): at for at, cell_id in enumerate(places.index.cell_ids)}
        return np.array([number.get(home, -1) for home in self.homes], dtype=np.intp)

    def lines(self) -> dict[str, list[int]]:
        """The lines of each building that has dwellings on record."""
        found: dict[str, list[int]] = defaultdict(list)
        for at, building in enumerate(self.buildings):
            if building is not None and self.dwellings[at]:
                found[building].append(at)
        return found


class _Households:
    """Households that reach a place: counted for those who see them, else estimated from what was published of each cell."""

    def __init__(self, scope: Scope, spots: _Spots, position: NDArray[np.intp], told: Told | None, places: Places) -> None:
        self.how = "counted" if scope.fields == "all" else "estimated"
        self._spots, self._position, self._places = spots, position, places
        published = told.values if told is not None and told.edition_id == places.edition_id else {}
        self._published = {name: values.get("household_count") for name, values in published.items()}

    def by_cell(self, within: Any, dwellings: Sequence[CellReach]) -> dict[str | None, dict[str, Any]]:
        """``households`` and ``households_without`` of each cell that is told; None where nothing may be."""
        if self.how == "estimated":
            return {one.cell_id: self._estimated(one.cell_id, one.within, one.dwellings) for one in dwellings}
        counted = {
            one.cell_id: one
            for one in reach_by_cell(self._places.index, position=self._position, dwellings=self._spots.households, is_within=within)
        }
        found = {}
        for one in dwellings:
            homes = counted.get(one.cell_id)
            total, near = (0, 0) if homes is None else (homes.dwellings, homes.within)
            found[one.cell_id] = {"households": total, "households_without": total - near}
        return found

    def total(self, near: int, of: int, within: Any) -> dict[str, Any]:
        """The same of the community."""
        if self.how == "estimated":
            return self._estimated(TOTAL, near, of)
        whole, reached = int(self._spots.households.sum()), int(self._spots.households[within].sum())
        return {"households": whole, "households_without": whole - reached}

    def at(self, lines: Sequence[int]) -> int | None:
        """Households of these lines; None where single buildings are not told."""
        return int(self._spots.households[lines].sum()) if self.how == "counted" else None

    def _estimated(self, name: str | None, near: int, of: int) -> dict[str, Any]:
        whole = self._published.get(name or "")
        # In fives, as what was published is; it says nothing that dwellings and the publication do not say.
        without = None if whole is None or not of else 5 * round(whole * (of - near) / of / 5)
        return {"households": whole, "households_without": without}


def _beyond(
    connection: Connection, scope: Scope, community_id: str, communities: Collection[str], spots: _Spots, walk_m: float
) -> list[Any]:
    """Places of other communities not farther than a walk from the dwellings' extent that this reader may know of."""
    others = sorted(one for one in communities if one != community_id)
    if not others or not len(spots.lons):
        return []
    west, south, east, north = (float(one) for one in (spots.lons.min(), spots.lats.min(), spots.lons.max(), spots.lats.max()))
    east_m, north_m = metres_per_degree((south + north) / 2)
    aside, up = walk_m / float(east_m), walk_m / float(north_m)
    bounds = (west - aside, south - up, east + aside, north + up)
    return [
        one
        for one in ground.resources_beyond(connection, others, bounds)
        if scope.sees_community(one.community_id) or one.kind in PUBLIC_KINDS
    ]


def _listed(
    spots: _Spots, names_of: Mapping[str, str], places: Sequence[Any], reach: Reach, within: Any, metres_per_minute: float,
    off: Any, names: Mapping[str, str], community_id: str, homes: _Households,
) -> tuple[list[dict[str, Any]], int]:  # fmt: skip
    """Buildings with dwellings, those without a place in reach first, farthest first; and how many more there are."""
    far = np.nan_to_num(reach.metres, posinf=1e12)
    found = [(max(lines, key=lambda at: (far[at], -at)), building, lines) for building, lines in spots.lines().items()]
    found.sort(key=lambda one: (bool(within[one[0]]), -far[one[0]], one[1]))
    rows = []
    for at, building, lines in found[:MOST_BUILDINGS]:
        fields, place = orjson.loads(names_of.get(building, "{}")), int(reach.place[at])
        metres = None if place < 0 else round(float(reach.metres[at]), 1)
        rows.append(
            {
                "building": {
                    "id": building, "name": fields.get("name"), "number": fields.get("number"),
                    "lon": float(spots.lons[at]), "lat": float(spots.lats[at]),
                },
                "dwellings": int(spots.dwellings[lines].sum()),
                "households": homes.at(lines),
                "nearest": None if place < 0 else {
                    "id": places[place].id, "name": places[place].name,
                    "community": None if places[place].community_id == community_id else names.get(places[place].community_id),
                },
                "metres": metres,
                "off_road_m": None if off is None or not np.isfinite(off[at]) else round(float(off[at]), 1),
                "minutes": None if metres is None else round(metres / metres_per_minute, 1),
                "within": bool(within[at]),
            }
        )  # fmt: skip
    return rows, len(found) - len(rows)
