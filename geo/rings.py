"""From the coordinate arrays of a GeoJSON polygon to a clean polygon, saying what was wrong on the way."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import Any

import shapely

from geo.errors import MalformedGeoJSON
from geo.problem import Problem, a_problem
from geo.snap import UNITS_PER_DEGREE, degrees_geometry, units_geometry

Ring = list[tuple[float, float]]


@dataclass(slots=True)
class RingReader:
    """Reads the rings of one feature; collects findings in ``problems`` and raises only on what is not GeoJSON."""

    name: str
    feature_index: int
    problems: list[Problem] = field(default_factory=list)

    def read(self, geometry: Any) -> Any:
        """A shapely Polygon or MultiPolygon in the degrees of the file; None when nothing usable is left."""
        if not isinstance(geometry, dict) or not isinstance(geometry.get("type"), str):
            raise self._malformed("geometry must be an object with a type")
        kind = geometry["type"]
        if kind not in ("Polygon", "MultiPolygon"):
            self._add("not_a_polygon", detail=kind)
            return None
        coordinates = geometry.get("coordinates")
        parts = [coordinates] if kind == "Polygon" else coordinates
        if not isinstance(parts, list):
            raise self._malformed("coordinates must be an array")
        if not parts:
            self._add("geometry_missing")
        polygons = [polygon for polygon in map(self._polygon, parts) if polygon is not None]
        if not polygons:
            return None
        # Without such a ring the cell is still there; whoever agrees leaves out the ring alone.
        self.problems[:] = [
            a_problem("ring_degenerate", one.cell_codes, at=None if one.lon is None or one.lat is None else (one.lon, one.lat),
                      feature_index=one.feature_index)
            if one.code == "ring_too_short" else one
            for one in self.problems
        ]  # fmt: skip
        return polygons[0] if len(polygons) == 1 else shapely.MultiPolygon(polygons)

    def _polygon(self, rings: Any) -> Any:
        if not isinstance(rings, list):
            raise self._malformed("a polygon must be an array of rings")
        clean = [self._ring(ring, is_outer=number == 0) for number, ring in enumerate(rings)]
        if not clean or clean[0] is None:
            if not clean:
                self._add("ring_too_short")
            return None
        return shapely.Polygon(clean[0], [hole for hole in clean[1:] if hole is not None])

    def _ring(self, positions: Any, *, is_outer: bool) -> Ring | None:
        if not isinstance(positions, list):
            raise self._malformed("a ring must be an array of positions")
        ring = [self._position(position) for position in positions]
        at = ring[0] if ring else None
        if len(set(ring)) < 3:
            self._add("ring_too_short", at=at)
            return None
        if ring[0] != ring[-1]:
            opening_m = _rough_metres(ring[0], ring[-1])
            self._add("ring_not_closed", at=ring[-1], size_m=opening_m)
            ring.append(ring[0])
        if is_outer and not shapely.LinearRing(ring).is_ccw:
            self._add("ring_clockwise", at=at)
        return ring

    def _position(self, position: Any) -> tuple[float, float]:
        if not isinstance(position, list) or len(position) < 2:
            raise self._malformed("a position must be an array of two or three numbers")
        for number in position:
            if isinstance(number, bool) or not isinstance(number, (int, float)) or not -1e9 < number < 1e9:
                raise self._malformed("a position must hold finite numbers")
        return float(position[0]), float(position[1])

    def _malformed(self, message: str) -> MalformedGeoJSON:
        return MalformedGeoJSON(message, feature_index=self.feature_index)

    def _add(self, code: str, **facts: Any) -> None:
        self.problems.append(a_problem(code, (self.name,), feature_index=self.feature_index, **facts))


def tidy(geometry: Any) -> Any:
    """Snap to the grid, turn outer rings counter-clockwise; shape and order of vertices stay. Broken stays broken."""
    return degrees_geometry(shapely.orient_polygons(units_geometry(geometry)))


_REASON = re.compile(r"^(?P<reason>[^\[]*)\[(?P<x>\S+) (?P<y>\S+)\]")


def validity_problem(geometry: Any, name: str, *, feature_index: int | None = None) -> Problem | None:
    """Why a polygon is not valid on the grid, with the place; None when it is valid.

    A border that crosses itself is ``ring_self_crossing``; holes outside, nested parts, rings that touch themselves and
    shells that collapsed on the grid are ``polygon_invalid`` with the geometry engine's reason.
    """
    units = units_geometry(geometry)
    if units.is_valid:
        return None
    said = _REASON.match(shapely.is_valid_reason(units))
    reason = said["reason"].strip() if said else "invalid"
    at = (float(said["x"]) / UNITS_PER_DEGREE, float(said["y"]) / UNITS_PER_DEGREE) if said else None
    code = "ring_self_crossing" if reason == "Self-intersection" else "polygon_invalid"
    return a_problem(code, (name,), at=at, detail=reason, feature_index=feature_index)


def _rough_metres(a: tuple[float, float], b: tuple[float, float]) -> float:
    east = (a[0] - b[0]) * 111_320.0 * math.cos(math.radians((a[1] + b[1]) / 2))
    return math.hypot(east, (a[1] - b[1]) * 111_320.0)
