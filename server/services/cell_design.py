"""Designing cells: a division proposed from the buildings on record, kept as a draft; and how even any division is."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import orjson
import shapely

from geo.base_units import Building
from geo.cell import BASE_LAYER, Cell
from geo.cells import read_cells
from geo.coverage import find_cut_buildings, repaired
from geo.datum import convert_geometry
from geo.design import propose_cells
from geo.errors import GeoError, MalformedGeoJSON
from geo.lineage import keep_identities
from geo.metric import metres_per_degree
from geo.problem import Problem
from geo.profile import CodeProfile
from server.errors import InputError, InvalidInput, NotFound
from server.permissions import Actor
from server.services.cell_households import count_households
from server.services.code_profiles import profile_of
from server.services.drafts import (
    as_collection,
    cells_in_force,
    check_draft,
    demand_publisher,
    edition_row,
    keep_draft,
    outline_of,
    report_of,
)
from server.services.places import cell_of_row
from server.store import ground
from server.store import places as store
from server.store.database import read

if TYPE_CHECKING:
    from server.house import House

MOST_CELLS = 300
_STEP_M = 10.0


def propose(
    house: House,
    actor: Actor,
    community_id: str,
    *,
    cells: int | None = None,
    seed: int = 1,
    outlines: Any = None,
    lines: Any = None,
    datum: str | None = None,
    keeps: bool = True,
) -> dict[str, Any]:
    """A division of a community into balanced, connected cells from its buildings and their households.

    Parameters
    ----------
    cells : how many; None: as the profile's target says
    seed : another one may give another division of like quality
    outlines : GeoJSON of building outlines, else (and where none is at hand) buildings are points, at the entrance where most of their households are placed;
        households are those on record inside, and of a building all, whichever entrance is theirs
    lines : GeoJSON of roads and walls that borders may follow
    datum : of outlines and lines
    keeps : whether the division is kept as a draft, to be edited and published like any other

    Returns
    -------
    dict
        ``edition_id`` (None unless kept), ``certificate``, ``cells`` (GeoJSON), ``balance`` as `balance`, ``outside``
        (buildings that lie beyond the boundary), ``cut_buildings``.

    Raises
    ------
    InvalidInput, NotFound, OutsideScope
        No boundary, no households, or a number of cells that cannot be.
    """
    demand_publisher(actor, community_id)
    with read(house.engine) as connection:
        row = store.community_row(connection, community_id)
        if row is None:
            raise NotFound("there is no such community")
        on_record = ground.building_fields(connection, community_id)
        own = {one.id: (one.lon, one.lat) for one in ground.buildings(connection, community_id)}
        dwellings, households = ground.dwelling_spots(connection, community_id), ground.household_spots(connection, community_id)
        retired = store.retired_codes(connection, community_id, "")
    boundary = outline_of(row)
    if boundary is None:
        raise _wrong("/boundary", "no_boundary", "the community has no boundary yet")
    if cells is not None and not 1 <= cells <= MOST_CELLS:
        raise _wrong("/cells", "range", f"1 to {MOST_CELLS}")
    profile = profile_of(house, row)
    drawn = _outlines(outlines, datum)
    buildings = with_households(on_record, own, dwellings, households, drawn)
    try:
        made = propose_cells(
            boundary, buildings, lines=_lines(lines, datum), cells=cells, profile=profile, community_code=row.code,
            retired=retired, seed=seed,
        )  # fmt: skip
    except GeoError as error:
        raise _wrong("/cells", error.code, error.message) from error
    with read(house.engine) as connection:
        kept = keep_identities(made.draft.cells, cells_in_force(connection, community_id, BASE_LAYER))
        counts, _ = count_households(connection, house, community_id, kept)
    told = _balance(counts, profile)
    deviation = {one["code"]: one["deviation_of_mean"] for one in told["cells"]}
    counted = tuple(
        replace(cell, properties={"households": counts[cell.code], "deviation": deviation[cell.code]}) for cell in made.draft.cells
    )
    draft = replace(made.draft, cells=counted)
    certificate = check_draft(house, community_id, draft, buildings=drawn)
    edition_id = None
    if keeps:
        edition_id, _ = keep_draft(house, actor, community_id, draft, certificate=certificate)
    return {
        "edition_id": edition_id,
        "certificate": report_of(certificate) | {"datum": draft.datum},
        "cells": as_collection(draft.cells),
        "balance": told,
        "outside": list(made.outside),
        "cut_buildings": _cut_told(one for one in certificate.problems if one.code == "building_cut"),
    }


def balance(
    house: House, community_id: str, edition_id: str, *, outlines: Any = None, datum: str | None = None
) -> dict[str, Any]:
    """How many households each cell of an edition has today, against the profile's target and band; drafts too.

    Pins count as `count_households` says.

    Returns
    -------
    dict
        ``target``, ``band``, ``mean``, ``total``, ``outside`` (households in no cell), ``cells`` with ``households``,
        ``deviation`` from the target (else the mean) and ``in_band``; ``cut_buildings`` of the outlines given.
    """
    with read(house.engine) as connection:
        row = store.community_row(connection, community_id)
        if row is None:
            raise NotFound("there is no such community")
        edition = edition_row(connection, community_id, edition_id)
        cells = [cell_of_row(one, edition.layer) for one in store.cells_of(connection, community_id, edition_id)]
        found, outside = count_households(connection, house, community_id, cells, in_force=edition.state == "published")
    told = _balance(found, profile_of(house, row))
    cut = find_cut_buildings(_repaired(cells), [cell.code for cell in cells], _outlines(outlines, datum)) if outlines else []
    return told | {
        "outside": outside,
        "cut_buildings": _cut_told(cut),
    }


def _cut_told(problems: Iterable[Problem]) -> list[dict[str, Any]]:
    return [{"zh": one.message_zh, "en": one.message_en, "cells": list(one.cell_codes)} for one in problems]


def _balance(households: Mapping[str, int], profile: CodeProfile) -> dict[str, Any]:
    band, total = profile.households, sum(households.values())
    mean = total / len(households) if households else 0.0
    aim = band.target if band is not None else mean
    return {
        "target": band.target if band is not None else None,
        "band": [band.minimum, band.maximum] if band is not None else None,
        "mean": round(mean, 1),
        "total": total,
        "cells": [
            {
                "code": code,
                "households": number,
                "difference": round(number - aim, 1),
                "deviation": round(number / aim - 1, 4) if aim else None,
                "deviation_of_mean": round(number / mean - 1, 4) if mean else None,
                "in_band": None if band is None else band.minimum <= number <= band.maximum,
            }
            for code, number in sorted(households.items())
        ],
    }


class _Standing(NamedTuple):
    """A building on record: its name, where it stands, and its households.

    ``points`` : where it may be looked for, the likeliest first: its own point, then its doors, those of most households first.
    """

    name: str
    point: Any
    households: int
    points: tuple[Any, ...]


def _standing(
    on_record: Mapping[str, str], own: Mapping[str, tuple[float, float]], dwellings: Sequence[ground.Spot], households: Sequence[ground.Spot]
) -> list[_Standing]:
    """Buildings where they are placed by: the entrance of most households, else of most dwellings, else their own point.

    Of as many the first by longitude and latitude. A building without any of these is left out, households of no building likewise.
    """
    at: dict[str, Counter[tuple[float, float]]] = defaultdict(Counter)
    lived: Counter[str] = Counter()
    for weight, spots in ((1, dwellings), (1_000_000, households)):
        for one in spots:
            if one.building is not None and one.building in on_record:
                at[one.building][one.lon, one.lat] += weight * one.number
                lived[one.building] += one.number if spots is households else 0
    made = []
    for building, fields in sorted(on_record.items()):
        doors = sorted(at[building], key=lambda one: (-at[building][one], one))
        points = [shapely.Point(one) for one in ([own[building]] if building in own else []) + doors]
        if points:
            point = shapely.Point(doors[0]) if doors else points[0]
            made.append(_Standing(_name(building, fields), point, lived[building], tuple(points)))
    return made


def with_households(
    on_record: Mapping[str, str],
    own: Mapping[str, tuple[float, float]],
    dwellings: Sequence[ground.Spot],
    households: Sequence[ground.Spot],
    drawn: Sequence[tuple[str, Any]],
) -> list[Building]:
    """Outlines with the households of the buildings on record that stand in them; others as points.

    A building stands in the outline that one of its points lies in. A door is measured on the step before it: of one that has no point
    in any outline the nearest is taken, up to `_STEP_M`.

    Parameters
    ----------
    on_record, own : fields and own point of buildings, by id
    dwellings, households : where they are placed
    drawn : (name, outline)
    """
    standing = _standing(on_record, own, dwellings, households)
    if not drawn:
        return [Building(one.name, one.point, one.households) for one in standing]
    tree = shapely.STRtree(np.array([shape for _, shape in drawn], dtype=object))
    owner = np.repeat(np.arange(len(standing)), [len(one.points) for one in standing])
    points = np.array([point for one in standing for point in one.points], dtype=object)
    step = _STEP_M / float(metres_per_degree(drawn[0][1].bounds[1])[1])
    held: Counter[int] = Counter()
    taken: set[int] = set()
    inside = tree.query(points, predicate="intersects")
    beside = tree.query_nearest(points, max_distance=step, all_matches=False) if len(points) else inside
    for found in (inside, beside):
        for at, shape in sorted(found.T.tolist()):
            building = int(owner[at])
            if building not in taken:
                taken.add(building)
                held[shape] += standing[building].households
    made = [Building(name, shape, held[number]) for number, (name, shape) in enumerate(drawn)]
    return made + [Building(one.name, one.point, one.households) for at, one in enumerate(standing) if at not in taken]


def _name(building: str, fields: str) -> str:
    known = orjson.loads(fields)
    return str(known.get("number") or known.get("name") or building)


def _outlines(document: Any, datum: str | None) -> list[tuple[str, Any]]:
    """Building outlines of a FeatureCollection, named by their number, name or place in the file."""
    if not document:
        return []
    try:
        found = read_cells(document, datum=datum, mapping={"code": "number"})
    except (GeoError, MalformedGeoJSON) as error:
        raise _wrong("/buildings", error.code, error.message) from error
    return [
        (cell.code if not cell.code.startswith("#") else cell.name or cell.code, cell.geometry)
        for cell in found.cells
        if cell.geometry.is_valid and not cell.geometry.is_empty
    ]


def _lines(document: Any, datum: str | None) -> list[Any]:
    return read_lines(document, datum, "/lines")


def read_lines(document: Any, datum: str | None, pointer: str) -> list[Any]:
    """LineStrings of a GeoJSON FeatureCollection in CGCS2000 degrees; InvalidInput names what cannot be read."""
    if not document:
        return []
    features = document.get("features") if isinstance(document, dict) else None
    if not isinstance(features, list):
        raise _wrong(pointer, "malformed_geojson", "a FeatureCollection is expected")
    try:
        shapes = [shapely.from_geojson(orjson.dumps(one.get("geometry"))) for one in features if one.get("geometry")]
        lines = [part for shape in shapes for part in shapely.get_parts(shape) if part.geom_type == "LineString"]
        return [convert_geometry(line, datum=datum or "cgcs2000") for line in lines]
    except (shapely.errors.GEOSException, AttributeError, TypeError, GeoError) as error:
        raise _wrong(pointer, "malformed_geojson", "lines in degrees are expected") from error


def _repaired(cells: Iterable[Cell]) -> Any:
    shapes = [cell.geometry for cell in cells]
    made = np.empty(len(shapes), dtype=object)
    made[:] = shapes
    return repaired(made)


def _wrong(pointer: str, code: str, message: str) -> InvalidInput:
    return InvalidInput(message, errors=[InputError(pointer, code, message)])
