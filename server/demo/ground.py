"""The demo's ground: real building footprints, and how many homes and shops each of them is taken to hold.

The outlines, floors and heights are real (see NOTICE.md); everything said about what is inside them is invented.
Metres are those of a local plane around ``ORIGIN``: good to a few millimetres over the kilometre that the demo covers.
"""

from __future__ import annotations

import gzip
import json
import math
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any

import numpy as np
import shapely

ORIGIN = (120.5969, 31.2901)
METRES_PER_DEGREE = (111_320.0 * math.cos(math.radians(31.3)), 110_900.0)

FOOTPRINTS = "footprints.geojson.gz"
CELLS = "cells.geojson"

Shape = Any
"""A shapely geometry; its own types do not say what each kind has."""


@dataclass(frozen=True, slots=True)
class Footprint:
    """One real building. ``plan`` is its outline in local metres, ``shape`` the same in degrees (WGS-84)."""

    number: int
    floors: int
    height_m: float
    inside: bool
    shape: Shape
    plan: Shape


@dataclass(frozen=True, slots=True)
class Capacity:
    """What a footprint is taken to hold: staircases, homes on each floor of a staircase, shops at street level."""

    use: str
    stairs: int
    homes: int
    shops: int


def to_metres(shape: Shape) -> Shape:
    """Degrees to local metres, vertex by vertex."""
    return shapely.transform(shape, lambda xy: (xy - ORIGIN) * METRES_PER_DEGREE)


def to_degrees(shape: Shape) -> Shape:
    """Local metres to degrees on the 1e-7 grid; equal metres give equal degrees, so shared borders stay shared."""
    return shapely.transform(shape, lambda xy: np.round(xy / METRES_PER_DEGREE + ORIGIN, 7))


def footprint(feature: dict[str, Any]) -> Footprint:
    """One GeoJSON feature of the footprint file."""
    shape = shapely.from_geojson(json.dumps(feature["geometry"]))
    said = feature["properties"]
    return Footprint(
        int(feature["id"]), int(said["floors"]), float(said["height_m"]), bool(said["inside"]), shape, to_metres(shape)
    )


@lru_cache(maxsize=1)
def footprints() -> tuple[Footprint, ...]:
    """All shipped footprints in order of their number: those of the community and their neighbours outside."""
    packed = resources.files("server.demo").joinpath(FOOTPRINTS).read_bytes()
    features = json.loads(gzip.decompress(packed))["features"]
    return tuple(sorted((footprint(feature) for feature in features), key=lambda one: one.number))


@lru_cache(maxsize=1)
def cells_document() -> dict[str, Any]:
    """The shipped draft of the demo's cells, as GeoJSON (WGS-84, 7 decimals)."""
    return json.loads(resources.files("server.demo").joinpath(CELLS).read_text(encoding="utf-8"))


def long_side(plan: Shape) -> tuple[np.ndarray, np.ndarray]:
    """The two ends of the northern long side of the smallest rectangle around an outline, in metres.

    Living rooms look south, so staircases open to the north.
    """
    corners = shapely.get_coordinates(shapely.minimum_rotated_rectangle(plan))
    sides = [(corners[i], corners[i + 1]) for i in range(4)]
    longest = max(math.dist(*side) for side in sides)
    return max((side for side in sides if math.dist(*side) > longest - 0.01), key=lambda side: side[0][1] + side[1][1])


def capacity(one: Footprint) -> Capacity:
    """How many homes and shops a footprint is taken to hold: a rule of thumb, not a fact about the real building.

    Slabs of three to seven floors get a staircase every 15 m with two homes on a floor, none smaller than 52 m2 gross;
    houses of one or two floors one home, or two for every 130 m2; sheds, towers and large halls none.
    """
    area_m2 = one.plan.area
    if area_m2 < 45:
        return Capacity("ancillary", 0, 0, 0)
    if one.floors >= 8:
        return Capacity("office", 1, 0, 4)
    if area_m2 > 1600:
        return Capacity("public_service", 1, 0, 1)
    if one.floors == 1:
        if area_m2 > 250:
            return Capacity("commercial", 1, 0, min(4, max(1, int(area_m2 / 220))))
        return Capacity("residential", 1, 1, 0)
    if one.floors == 2:
        homes = 1 if area_m2 < 130 else min(8, 2 * round(area_m2 / 130))
        return Capacity("residential", max(1, homes // 2), homes, 0)
    stairs = max(1, round(math.dist(*long_side(one.plan)) / 15))
    homes = min(stairs * 2 * one.floors, int(area_m2 * one.floors / 52))
    return Capacity("residential", min(stairs, max(1, homes)), homes, 0)
