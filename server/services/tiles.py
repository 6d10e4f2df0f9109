"""Figures on a regular lattice of squares or hexagons, for heat maps: counts from a threshold on, never small ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import orjson
import shapely

from geo.errors import GeoError
from geo.lattice import lattice_over
from server.errors import InputError, InvalidInput, NotFound, OutsideScope
from server.permissions import Scope
from server.services.baseline import COUNTED
from server.services.drafts import outline_of
from server.store import ground
from server.store import places as store
from server.store.database import read, stamp
from server.store.scoping import PLACE_TYPES

if TYPE_CHECKING:
    from server.house import House

LEAST_THRESHOLD = 5


def lattice_figures(
    house: House,
    scope: Scope,
    community_id: str,
    *,
    shape: Literal["square", "hexagon"] = "hexagon",
    size_m: float = 100.0,
    record_type: str = "household",
    threshold: int = 10,
) -> dict[str, Any]:
    """How many records of a type stand in each tile over a community's boundary.

    Parameters
    ----------
    shape, size_m : of the lattice, which is the same for all communities of one zone
    threshold : smaller counts are withheld (None), at least `LEAST_THRESHOLD`; 0 stays 0 for places, not for people

    Returns
    -------
    dict
        A GeoJSON FeatureCollection with ``key``, ``count`` (None: withheld), ``share`` (of the tile that lies inside), and
        ``as_of``, ``record_type``, ``threshold``. No total is told: it would give withheld tiles away.

    Raises
    ------
    OutsideScope
        Counts of people for those who get figures only once a month (ADR 0016).
    """
    if not scope.sees_community(community_id) or scope.streams is not None:
        raise OutsideScope("a lattice is of a whole community that you work for")
    if record_type not in COUNTED:
        raise _wrong("/type", "choice", "one of " + ", ".join(COUNTED))
    if scope.fields != "all" and (scope.fields == "aggregate" or record_type not in PLACE_TYPES):
        raise OutsideScope("figures about people are published by cells only")
    if threshold < LEAST_THRESHOLD:
        raise _wrong("/threshold", "range", f"at least {LEAST_THRESHOLD}")
    with read(house.engine) as connection:
        row = store.community_row(connection, community_id)
        if row is None:
            raise NotFound("there is no such community")
        rows = ground.points(connection, community_id, record_type)
    boundary = outline_of(row)
    if boundary is None:
        raise _wrong("/boundary", "no_boundary", "the community has no boundary yet")
    try:
        lattice, tiles = lattice_over(boundary, shape=shape, size_m=size_m)
    except GeoError as error:
        raise _wrong("/size_m", error.code, error.message) from error
    columns, at_rows = lattice.places(
        lons=np.array([one.lon for one in rows]), lats=np.array([one.lat for one in rows])
    ) if rows else (np.zeros(0, np.int64), np.zeros(0, np.int64))
    counts: dict[tuple[int, int], int] = {}
    for column, at_row, one in zip(columns.tolist(), at_rows.tolist(), rows, strict=True):
        counts[column, at_row] = counts.get((column, at_row), 0) + int(one.number)
    features = [
        {
            "type": "Feature",
            "id": tile.key,
            "geometry": orjson.loads(shapely.to_geojson(tile.geometry)),
            "properties": {
                "key": tile.key,
                "count": _told(counts.get((tile.column, tile.row), 0), threshold, record_type),
                "share": round(tile.share, 4),
            },
        }
        for tile in tiles
    ]
    return {
        "type": "FeatureCollection",
        "as_of": stamp(house.clock()),
        "record_type": record_type,
        "threshold": threshold,
        "features": features,
    }


def _told(count: int, threshold: int, record_type: str) -> int | None:
    if count >= threshold or (count == 0 and record_type in PLACE_TYPES):
        return count
    return None


def _wrong(pointer: str, code: str, message: str) -> InvalidInput:
    return InvalidInput(message, errors=[InputError(pointer, code, message)])
