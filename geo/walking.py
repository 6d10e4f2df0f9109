"""How far people walk: to the nearest place of a kind, in a straight line or along imported roads.

One search from all places at once answers every building, whatever their number. Distances are metres in a local plane
(good to a few in a thousand over a city); a walk along roads is the way to the road, along it, and from it to the place.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray

from geo.errors import GeoError
from geo.locate import CellIndex
from geo.metric import metres_per_degree
from geo.snap import UNITS_PER_DEGREE

# 4.8 km/h, the usual figure for adults; older people take about two thirds of it.
WALK_M_PER_MINUTE = 80.0
# A straight line in a town is about a fifth to two fifths shorter than the way; 1 leaves it as it is.
TOWN_DETOUR = 1.3

# Whoever lives farther from every road has no way along the roads.
OFF_ROAD_M = 300.0

Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Reach:
    """For each building, shape (n,): the place that is nearest (its position, -1 for none) and the way in metres (inf)."""

    place: NDArray[np.intp]
    metres: Numbers

    def within(self, minutes: float, *, metres_per_minute: float = WALK_M_PER_MINUTE) -> NDArray[np.bool_]:
        """Which buildings reach a place in so many minutes (the limit itself counts as reached)."""
        return np.asarray(self.metres <= minutes * metres_per_minute + 1e-6)


@dataclass(frozen=True, slots=True)
class CellReach:
    """Dwellings of one cell (``cell_id`` None: outside every cell), and how many of them reach a place in time."""

    cell_id: str | None
    dwellings: int
    within: int

    @property
    def share(self) -> float | None:
        """Share of the dwellings that reach a place; None where there are none."""
        return self.within / self.dwellings if self.dwellings else None


def straight_reach(
    *, lons: ArrayLike, lats: ArrayLike, place_lons: ArrayLike, place_lats: ArrayLike, detour: float = 1.0
) -> Reach:
    """The nearest place of every building in a straight line.

    Parameters
    ----------
    lons, lats : array_like, shape (n,)
        Buildings in CGCS2000 degrees; not finite: reaches nothing.
    place_lons, place_lats : array_like, shape (m,)
        Places; those that are not finite are nowhere.
    detour : float
        Factor on the straight line (``TOWN_DETOUR`` for a town without a road network).

    Returns
    -------
    Reach
        Equally near: the smaller position. No places: nothing is reached.
    """
    homes, places = _points(lons, lats), _points(place_lons, place_lats)
    plane = _Plane.over(places)
    tree = shapely.STRtree(plane.points(places))
    place, metres = np.full(len(homes), -1, dtype=np.intp), np.full(len(homes), math.inf)
    known = np.flatnonzero(np.isfinite(homes).all(axis=1))
    if np.isfinite(places).all(axis=1).any():
        (home, nearest), far = tree.query_nearest(plane.points(homes[known]), return_distance=True)
        order = np.lexsort((-nearest, home))  # the smallest position is written last
        place[known[home[order]]] = nearest[order]
        metres[known[home]] = far * detour
    return Reach(place, metres)


class RoadNetwork:
    """Roads and paths that people walk, as a graph.

    Parameters
    ----------
    lines : iterable of shapely LineString or MultiLineString
        CGCS2000 degrees, both ways walkable; None and empty lines are left out. GeoError ``no_roads`` when nothing is left.
    split_crossings : bool
        Lines that cross without a common corner meet there. False for networks drawn with bridges and tunnels, whose
        lines meet at their ends and common corners only.
    """

    def __init__(self, lines: Iterable[Any], *, split_crossings: bool = True) -> None:
        parts = [part for line in lines if line is not None for part in shapely.get_parts(line) if part.length > 0]
        if not parts:
            raise GeoError("there are no roads in the network", code="no_roads")
        self._plane = _Plane.over(shapely.get_coordinates(parts))
        snapped = shapely.transform(
            np.array(parts, dtype=object), lambda degrees: np.floor(degrees * UNITS_PER_DEGREE + 0.5)
        )
        if split_crossings:
            joined = shapely.get_parts(shapely.line_merge(shapely.union_all(snapped, grid_size=1.0)))
        else:
            joined = _cut_at_shared_corners(snapped)
        self._edges: NDArray[Any] = shapely.transform(
            joined, lambda units: self._plane.metres(units / UNITS_PER_DEGREE)
        )
        self._lengths = shapely.length(self._edges)
        ends = np.concatenate([_ends(joined, 0), _ends(joined, -1)])
        nodes, number = np.unique(ends, axis=0, return_inverse=True)
        self._start, self._end = np.split(number.ravel(), 2)
        self._near: list[list[tuple[int, float]]] = [[] for _ in nodes]
        for one, other, metres in zip(self._start.tolist(), self._end.tolist(), self._lengths.tolist(), strict=True):
            self._near[one].append((other, metres))
            self._near[other].append((one, metres))
        self._tree = shapely.STRtree(self._edges)

    def __len__(self) -> int:
        """Stretches between junctions."""
        return len(self._edges)

    def reach(
        self,
        *,
        lons: ArrayLike,
        lats: ArrayLike,
        place_lons: ArrayLike,
        place_lats: ArrayLike,
        limit_m: float = math.inf,
        off_road_m: float = OFF_ROAD_M,
    ) -> Reach:
        """The nearest place of every building along the roads.

        Parameters
        ----------
        lons, lats, place_lons, place_lats
            As in :func:`straight_reach`. Each goes to the nearest point of the nearest road, of one of them where two
            are equally near.
        limit_m : float
            Ways longer than this are not looked for (inf comes back), which saves time.
        off_road_m : float
            Whoever lives farther than this from every road, and any such place, has no way.

        Returns
        -------
        Reach
            Never shorter than the straight line. Equally near: the smaller position, as far as sums are equal.
        """
        homes, places = _points(lons, lats), _points(place_lons, place_lats)
        home_edge, home_off, home_along = self._to_road(homes, off_road_m)
        place_edge, place_off, place_along = self._to_road(places, off_road_m)
        usable = np.flatnonzero(place_edge >= 0).tolist()
        starts: list[tuple[float, int, int]] = []
        on_edge: dict[int, list[int]] = {}
        for place in usable:
            stretch = int(place_edge[place])
            on_edge.setdefault(stretch, []).append(place)
            begin, rest = float(place_along[place]), float(self._lengths[stretch] - place_along[place])
            starts.append((float(place_off[place]) + begin, place, int(self._start[stretch])))
            starts.append((float(place_off[place]) + rest, place, int(self._end[stretch])))
        node_m, node_place = self._spread(starts, limit_m)
        # A place -1 at infinity stands for buildings without a road.
        edge = np.maximum(home_edge, 0)
        by_start = node_m[self._start[edge]] + home_along
        by_end = node_m[self._end[edge]] + self._lengths[edge] - home_along
        is_start = by_start <= by_end
        metres = np.where(is_start, by_start, by_end) + home_off
        place_of = np.where(is_start, node_place[self._start[edge]], node_place[self._end[edge]])
        for home in np.flatnonzero(np.isin(home_edge, list(on_edge))).tolist():
            for place in on_edge[int(home_edge[home])]:
                direct = home_off[home] + place_off[place] + abs(home_along[home] - place_along[place])
                if direct < metres[home]:
                    metres[home], place_of[home] = direct, place
        is_lost = (home_edge < 0) | ~(metres <= limit_m)
        return Reach(np.where(is_lost, -1, place_of).astype(np.intp), np.where(is_lost, math.inf, metres))

    def off_road(self, *, lons: ArrayLike, lats: ArrayLike) -> Numbers:
        """Metres from each point to the nearest road, shape (n,); inf where a point is nowhere."""
        return self._to_road(_points(lons, lats), math.inf)[1]

    def _to_road(self, points: Numbers, off_road_m: float) -> tuple[NDArray[np.intp], Numbers, Numbers]:
        """Nearest stretch (-1 for none near), metres to it, and metres along it, all (n,)."""
        edge = np.full(len(points), -1, dtype=np.intp)
        off, along = np.full(len(points), math.inf), np.zeros(len(points))
        known = np.flatnonzero(np.isfinite(points).all(axis=1))
        shapes = self._plane.points(points[known])
        limit = off_road_m if math.isfinite(off_road_m) else None
        (at, nearest), far = self._tree.query_nearest(shapes, max_distance=limit, return_distance=True)
        order = np.lexsort((-nearest, at))
        edge[known[at[order]]], off[known[at[order]]] = nearest[order], far[order]
        found = np.flatnonzero(edge >= 0)
        along[found] = shapely.line_locate_point(self._edges[edge[found]], self._plane.points(points[found]))
        return edge, off, along

    def _spread(self, starts: Sequence[tuple[float, int, int]], limit_m: float) -> tuple[Numbers, NDArray[np.intp]]:
        """Dijkstra from all places at once: metres to every junction, and from which place."""
        best = [math.inf] * len(self._near)
        place_of = [-1] * len(self._near)
        heap = list(starts)
        heapq.heapify(heap)
        while heap:
            metres, place, node = heapq.heappop(heap)
            if metres >= best[node] or metres > limit_m:
                continue
            best[node], place_of[node] = metres, place
            for other, length in self._near[node]:
                if metres + length < best[other]:
                    heapq.heappush(heap, (metres + length, place, other))
        return np.array(best), np.array(place_of, dtype=np.intp)


def reach_by_cell(
    index: CellIndex, *, position: ArrayLike, dwellings: ArrayLike, is_within: ArrayLike
) -> list[CellReach]:
    """Dwellings within reach, cell by cell.

    Parameters
    ----------
    index : CellIndex
        The edition.
    position : array_like of int, shape (n,)
        The cell of each place where people live, by its position in the edition; -1 outside every cell.
    dwellings : array_like of int, shape (n,)
        Dwellings of each place.
    is_within : array_like of bool, shape (n,)
        From :meth:`Reach.within`.

    Returns
    -------
    list of CellReach
        Every cell in tie order, without dwellings too; last, when there are any, those outside every cell.
    """
    at_cell = np.asarray(position, dtype=np.intp)
    slot = np.where(at_cell < 0, len(index), at_cell)
    counts = np.asarray(dwellings, dtype=np.int64)
    total = np.bincount(slot, weights=counts, minlength=len(index) + 1)
    near = np.bincount(slot, weights=counts * np.asarray(is_within, dtype=bool), minlength=len(index) + 1)
    rows = [CellReach(cell, int(total[at]), int(near[at])) for at, cell in enumerate([*index.cell_ids, None])]
    return rows if total[-1] else rows[:-1]


@dataclass(frozen=True, slots=True)
class _Plane:
    """Metres east and north of a corner, at the scale of the middle latitude."""

    west: float
    south: float
    east_m: float
    north_m: float

    @classmethod
    def over(cls, points: Numbers) -> _Plane:
        sound = points[np.isfinite(points).all(axis=1)]
        if not len(sound):
            return cls(0.0, 0.0, 1.0, 1.0)
        west, south = sound.min(axis=0).tolist()
        east_m, north_m = metres_per_degree((south + float(sound[:, 1].max())) / 2)
        return cls(west, south, float(east_m), float(north_m))

    def metres(self, degrees: Numbers) -> Numbers:
        return np.asarray((degrees - np.array([self.west, self.south])) * np.array([self.east_m, self.north_m]))

    def points(self, degrees: Numbers) -> NDArray[Any]:
        """Points in the plane; None where a coordinate is not finite, so positions stay."""
        made: NDArray[Any] = np.full(len(degrees), None, dtype=object)
        sound = np.isfinite(degrees).all(axis=1)
        made[sound] = shapely.points(self.metres(degrees[sound]))
        return made


def _points(lons: ArrayLike, lats: ArrayLike) -> Numbers:
    lon, lat = np.asarray(lons, dtype=np.float64), np.asarray(lats, dtype=np.float64)
    if lon.shape != lat.shape or lon.ndim != 1:
        raise ValueError("lons and lats must be of one shape (n,)")
    return np.column_stack([lon, lat])


def _ends(lines: NDArray[Any], at: int) -> Numbers:
    return np.asarray(shapely.get_coordinates(shapely.get_point(lines, at)))


def _cut_at_shared_corners(lines: NDArray[Any]) -> NDArray[Any]:
    """Lines cut where another line has an end or a corner at one of their own corners; crossings stay apart."""
    vertices, line = shapely.get_coordinates(lines, return_index=True)
    _, number, uses = np.unique(vertices, axis=0, return_inverse=True, return_counts=True)
    joined = line[1:] == line[:-1]
    is_stop = uses[number.ravel()] > 1
    pieces, run = [], [0]
    for at in range(1, len(vertices)):
        if joined[at - 1]:
            run.append(at)
        if len(run) > 1 and (is_stop[at] or not joined[at - 1] or at == len(vertices) - 1 or not joined[at]):
            pieces.append(shapely.LineString(vertices[run]))
            run = [at]
        if not joined[at - 1]:
            run = [at]
    return np.array([piece for piece in pieces if piece.length > 0], dtype=object)
