"""The pieces that cells are put together from: one per building with the ground around it, cut along given lines.

Pieces are made by drawing every line once, on the grid, and taking what lies between: building outlines, lines half-way
between buildings, roads and walls, the boundary. So neighbours share every corner, and no border runs through a building.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from geo.coverage import repaired
from geo.division import Link
from geo.metric import metres_per_degree
from geo.snap import UNITS_PER_DEGREE

_SAMPLE_M = 3.0  # between points on an outline; the half-way lines waver by less than that
_POINT_RADIUS_M = 1.5  # what a building that is known as a point takes
_ON_LINE_UNITS = 5.0  # half a metre in hundredths: nearer borders run along a given line
_LINE_COST = 0.1  # a metre of border along a road or wall costs a tenth of one between houses


@dataclass(frozen=True, slots=True)
class Building:
    """A building: polygon or point in CGCS2000 degrees, and its households (0 or more)."""

    name: str
    geometry: Any
    households: int = 0


@dataclass(frozen=True, slots=True)
class BaseUnits:
    """Pieces and how they hang together.

    Invariants: ``faces`` (grid units) are a coverage of the boundary; ``unit_of_face`` has their length; unit k < number
    of buildings inside belongs to ``buildings[k]``, later ones (blocks without a building) have weight 0.
    ``outside`` names buildings of which no part lies in the boundary.
    """

    faces: NDArray[Any]
    unit_of_face: NDArray[np.intp]
    buildings: tuple[Building, ...]
    weights: tuple[int, ...]
    links: tuple[Link, ...]
    outside: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Sides:
    """Borders between faces: the pair, metres, and metres along given lines; all (k,)."""

    first: NDArray[np.intp]
    second: NDArray[np.intp]
    length_m: NDArray[np.float64]
    on_line_m: NDArray[np.float64]


def base_units(boundary: Any, buildings: Sequence[Building], lines: Sequence[Any] = ()) -> BaseUnits:
    """Cut a community into base units.

    Parameters
    ----------
    boundary : shapely polygon, CGCS2000 degrees
        The community.
    buildings : sequence of Building
        Where outlines overlap, the ground belongs to the building named first.
    lines : sequence of shapely lines, CGCS2000 degrees
        Roads, walls, rivers: borders may run along them cheaply, and no unit reaches across one. Where a line runs
        through a building the building wins.
    """
    outline = repaired(np.array([boundary], dtype=object))[0]
    scale = _scale(outline)
    shapes = _disjoint([_footprint(building.geometry, scale) for building in buildings], outline)
    inside = [at for at, shape in enumerate(shapes) if not shape.is_empty]
    kept = tuple(buildings[at] for at in inside)
    footprints = np.array([shapes[at] for at in inside], dtype=object)
    halves, owners = _half_way(footprints, outline, scale)
    solid = shapely.union_all(footprints) if len(footprints) else shapely.Polygon()
    cuts = shapely.union_all([_on_grid(line) for line in lines if line is not None and not line.is_empty])
    free = [shapely.difference(part, solid) for part in (*(half.boundary for half in halves), cuts)]
    drawn = [shapely.intersection(part, outline) for part in free]
    ink = shapely.union_all([*drawn, *(shape.boundary for shape in footprints), outline.boundary], grid_size=1.0)
    faces = shapely.get_parts(shapely.polygonize(shapely.get_parts(ink)))
    inner = shapely.point_on_surface(faces)
    is_in = shapely.intersects(outline, inner)
    faces, inner = faces[is_in], inner[is_in]
    built = _first_hit(footprints, inner)
    wished = np.where(built >= 0, built, _label(halves, owners, inner))
    sides = _sides(faces, cuts, scale)
    unit_of_face = _grown(built, wished, sides)
    weights = [max(building.households, 0) for building in kept]
    weights += [0] * (int(unit_of_face.max(initial=-1)) + 1 - len(weights))
    return BaseUnits(
        faces=faces,
        unit_of_face=unit_of_face,
        buildings=kept,
        weights=tuple(weights),
        links=_links(unit_of_face, sides),
        outside=tuple(building.name for at, building in enumerate(buildings) if shapes[at].is_empty),
    )


def _scale(outline: Any) -> NDArray[np.float64]:
    """Metres of one grid unit east and north."""
    east_m, north_m = metres_per_degree((outline.bounds[1] + outline.bounds[3]) / 2 / UNITS_PER_DEGREE)
    return np.array([float(east_m), float(north_m)]) / UNITS_PER_DEGREE


def _on_grid(geometry: Any) -> Any:
    return shapely.transform(geometry, lambda degrees: np.floor(degrees * UNITS_PER_DEGREE + 0.5))


def _footprint(geometry: Any, scale: NDArray[np.float64]) -> Any:
    if geometry is None or geometry.is_empty:
        return shapely.Polygon()
    if geometry.geom_type == "Point":
        x, y = np.floor(np.array([geometry.x, geometry.y]) * UNITS_PER_DEGREE + 0.5)
        reach = np.ceil(_POINT_RADIUS_M / scale)
        return shapely.box(x - reach[0], y - reach[1], x + reach[0], y + reach[1])
    return repaired(np.array([geometry], dtype=object))[0]


def _disjoint(shapes: list[Any], outline: Any) -> list[Any]:
    """Footprints clipped to the outline, on the grid, each without what an earlier one holds."""
    clipped = [shapely.intersection(shape, outline, grid_size=1.0) for shape in shapes]
    tree = shapely.STRtree(clipped)
    result: list[Any] = []
    for at, shape in enumerate(clipped):
        earlier = [int(other) for other in tree.query(shape, predicate="intersects") if other < at]
        left = shape
        if earlier:
            left = shapely.difference(shape, shapely.union_all([result[other] for other in earlier]), grid_size=1.0)
        polygons = [part for part in shapely.get_parts(left) if part.geom_type == "Polygon"]
        # A unit must hang together: of a building in pieces the largest speaks for it.
        result.append(max(polygons, key=lambda part: part.area) if polygons else shapely.Polygon())
    return result


def _half_way(footprints: Any, outline: Any, scale: NDArray[np.float64]) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """The ground nearest to each building, on grid units, and which building that is."""
    if not len(footprints):
        return np.empty(0, dtype=object), np.empty(0, dtype=np.intp)
    plane = shapely.transform(footprints, lambda vertices: vertices * scale)
    shrunk = shapely.buffer(plane, -0.2)
    plane = np.where(shapely.is_empty(shrunk), plane, shrunk)
    points, owner = shapely.get_coordinates(shapely.segmentize(plane, _SAMPLE_M), return_index=True)
    points, first = np.unique(np.round(points, 3), axis=0, return_index=True)
    owner = owner[first]
    around = shapely.transform(shapely.box(*outline.bounds), lambda vertices: vertices * scale)
    if len(points) < 3 or len(np.unique(owner)) == 1:
        return np.array([shapely.box(*outline.bounds)], dtype=object), owner[:1]
    cells = shapely.get_parts(shapely.voronoi_polygons(shapely.MultiPoint(points), extend_to=around, ordered=True))
    owners = np.unique(owner)
    order = np.argsort(owner, kind="stable")
    starts = np.searchsorted(owner[order], owners)
    merged = [shapely.coverage_union_all(part) for part in np.split(cells[order], starts[1:])]
    return shapely.transform(np.array(merged, dtype=object), lambda vertices: np.round(vertices / scale)), owners


def _first_hit(polygons: Any, points: Any) -> NDArray[np.intp]:
    """The first polygon (position) that holds each point; -1 for none."""
    found = np.full(len(points), -1, dtype=np.intp)
    if len(polygons):
        point, polygon = shapely.STRtree(polygons).query(points, predicate="intersects")
        order = np.argsort(-polygon, kind="stable")
        found[point[order]] = polygon[order]
    return found


def _label(halves: Any, owners: NDArray[np.intp], points: Any) -> NDArray[np.intp]:
    """The building nearest to each point; -1 where rounding lets none claim it."""
    sound = repaired(shapely.transform(halves, lambda vertices: vertices / UNITS_PER_DEGREE)) if len(halves) else halves
    hit = _first_hit(sound, points)
    return np.where(hit >= 0, owners[hit] if len(owners) else -1, -1)


def _sides(faces: Any, cuts: Any, scale: NDArray[np.float64]) -> _Sides:
    rings, face_of_ring = shapely.get_rings(faces, return_index=True)
    vertices, ring = shapely.get_coordinates(rings, return_index=True)
    joined = ring[1:] == ring[:-1]
    a, b = vertices[:-1][joined], vertices[1:][joined]
    face = face_of_ring[ring[:-1][joined]]
    is_turned = (a[:, 0] > b[:, 0]) | ((a[:, 0] == b[:, 0]) & (a[:, 1] > b[:, 1]))
    a, b = np.where(is_turned[:, None], b, a), np.where(is_turned[:, None], a, b)
    order = np.lexsort((face, b[:, 1], b[:, 0], a[:, 1], a[:, 0]))
    a, b, face = a[order], b[order], face[order]
    twin = np.flatnonzero((a[1:] == a[:-1]).all(axis=1) & (b[1:] == b[:-1]).all(axis=1) & (face[1:] != face[:-1]))
    length_m = np.hypot(*((b[twin] - a[twin]) * scale).T)
    shapely.prepare(cuts)
    # Both ends and the middle near a line: the side runs along it.
    spots = (a[twin], (a[twin] + b[twin]) / 2, b[twin])
    on_line = np.ones(len(twin), dtype=bool)
    for spot in spots:
        on_line &= shapely.dwithin(cuts, shapely.points(spot), _ON_LINE_UNITS)
    return _Sides(face[twin], face[twin + 1], length_m, np.where(on_line, length_m, 0.0))


def _grown(built: NDArray[np.intp], wished: NDArray[np.intp], sides: _Sides) -> NDArray[np.intp]:
    """Every face with its unit: buildings grow over the faces beside them, their own ground first, never over a line."""
    near: list[list[tuple[int, float]]] = [[] for _ in built]
    for one, other, metres, along in zip(
        sides.first.tolist(), sides.second.tolist(), sides.length_m.tolist(), sides.on_line_m.tolist(), strict=True
    ):
        if along < metres:
            near[one].append((other, metres))
            near[other].append((one, metres))
    unit = built.copy()
    # A footprint that lines or rounding cut in faces stays one unit, for all its faces bear its number.
    heap = [
        (int(wished[other] != unit[one]), -metres, other, int(unit[one]))
        for one in np.flatnonzero(built >= 0).tolist()
        for other, metres in near[one]
        if built[other] < 0
    ]
    heapq.heapify(heap)
    following = int(built.max(initial=-1)) + 1
    for seed in [-1, *range(len(built))]:
        if seed >= 0:
            if unit[seed] >= 0:
                continue
            # A block without a building is a unit of its own.
            heap = [(0, 0.0, seed, following)]
            following += 1
        while heap:
            _, _, face, owner = heapq.heappop(heap)
            if unit[face] >= 0:
                continue
            unit[face] = owner
            for other, metres in near[face]:
                if unit[other] < 0:
                    heapq.heappush(heap, (int(wished[other] != owner), -metres, other, owner))
    return unit


def _links(unit: NDArray[np.intp], sides: _Sides) -> tuple[Link, ...]:
    first, second = np.minimum(unit[sides.first], unit[sides.second]), np.maximum(unit[sides.first], unit[sides.second])
    cost = sides.length_m - sides.on_line_m * (1 - _LINE_COST)
    costs: dict[tuple[int, int], float] = {}
    for one, other, metres in zip(first.tolist(), second.tolist(), cost.tolist(), strict=True):
        if one != other:
            costs[one, other] = costs.get((one, other), 0.0) + metres
    return tuple(Link(one, other, round(metres, 3)) for (one, other), metres in sorted(costs.items()))
