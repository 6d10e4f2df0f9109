"""Draws the demo's cells between the buildings, and cuts the footprints that they are drawn around.

``python -m server.demo.draw_cells --source FILE`` cuts ``footprints.geojson.gz`` out of the original file;
``python -m server.demo.draw_cells`` draws ``cells.geojson`` from the shipped footprints. Both files are shipped, so
that running Dishu never draws; a test draws again and compares.

How: buildings whose walls (nearly) touch form a block that is never cut. The Voronoi regions of the blocks' outlines
meet half-way between buildings: on streets and paths. Regions are halved again and again, each time along the wide gaps
and with even numbers of homes, until the wanted number of cells is reached; the borders are then simplified
together (a coverage: both sides move alike) as far as no building is cut.
"""

from __future__ import annotations

import argparse
import gzip
import json
from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import shapely

from server.demo.ground import CELLS, FOOTPRINTS, Footprint, Shape, capacity, footprints, to_degrees, to_metres

CELL_COUNT = 24
COMMUNITY_CODE = "999999001001"
# Buildings with their middle in here belong to the community: a canal in the west, a road in the north and east.
OUTLINE = (
    (120.60987, 31.29622), (120.60962, 31.29688), (120.60945, 31.29749), (120.60939, 31.29905), (120.60927, 31.29989),
    (120.60913, 31.30007), (120.60887, 31.30194), (120.60959, 31.30230), (120.61127, 31.30245), (120.61296, 31.30260),
    (120.61320, 31.30170), (120.61331, 31.30092), (120.61348, 31.29953), (120.61369, 31.29869), (120.61383, 31.29791),
    (120.61405, 31.29712), (120.61429, 31.29634), (120.61440, 31.29582), (120.61050, 31.29545), (120.60997, 31.29550),
)  # fmt: skip
MARGIN_M = 70.0
TOUCHING_M = 1.5
OUTLINE_STEP_M = 2.0
# Homes, a tenth of which stand empty: 80 to 150 households.
HOMES_PER_CELL = (94, 156)
SLACK = 0.25
TRIES = 6
SIMPLIFY_M = (10.0, 8.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0, 0.5)


@dataclass(frozen=True, slots=True)
class Block:
    """Buildings that are never parted: their numbers, homes in all, and the region nearer to them than to others."""

    homes: int
    middle: tuple[float, float]
    region: Shape
    inside: bool


def cut_footprints(source: dict[str, Any]) -> dict[str, Any]:
    """The features within ``MARGIN_M`` of the community's outline; ``inside`` says whether it belongs to it."""
    outline = to_metres(shapely.Polygon(OUTLINE))
    kept = []
    for feature in source["features"]:
        plan = to_metres(shapely.from_geojson(json.dumps(feature["geometry"])))
        if plan.distance(outline) > MARGIN_M:
            continue
        said = feature["properties"]
        kept.append({
            "type": "Feature",
            "id": feature["id"],
            "properties": {
                "floors": said["floor"], "height_m": said["height_m"], "inside": bool(outline.contains(plan.centroid)),
            },
            "geometry": feature["geometry"],
        })  # fmt: skip
    return {"type": "FeatureCollection", "name": "footprints", "features": kept}


def blocks_of(buildings: tuple[Footprint, ...]) -> list[Block]:
    """Blocks in order of their first building, with their Voronoi regions (metres)."""
    plans = np.array([one.plan for one in buildings])
    block_of = _touching(plans)
    points, owners = [], []
    for index, plan in enumerate(plans):
        along = shapely.get_coordinates(shapely.segmentize(plan, OUTLINE_STEP_M))
        points.append(along)
        owners.append(np.full(len(along), block_of[index]))
    where, owner = np.concatenate(points), np.concatenate(owners)
    places: Any = shapely.points(where)
    regions = shapely.get_parts(shapely.voronoi_polygons(shapely.multipoints(where)))
    which, point = shapely.STRtree(places).query(regions, predicate="contains")
    pieces: dict[int, list[Shape]] = defaultdict(list)
    seen: set[int] = set()
    for region_index, point_index in zip(which.tolist(), point.tolist(), strict=True):
        if region_index not in seen:  # one point of two blocks at one place: the first block has it
            seen.add(region_index)
            pieces[int(owner[point_index])].append(regions[region_index])
    made = []
    for block in sorted(pieces):
        members = [one for one, its in zip(buildings, block_of, strict=True) if its == block]
        middle = shapely.union_all([one.plan for one in members]).centroid
        made.append(
            Block(
                sum(capacity(one).homes for one in members),
                (middle.x, middle.y),
                shapely.union_all(pieces[block]),
                sum(one.plan.area for one in members if one.inside) * 2 > sum(one.plan.area for one in members),
            )
        )
    return made


def _touching(plans: np.ndarray) -> list[int]:
    """For each outline the smallest index among those that it hangs together with."""
    root = list(range(len(plans)))

    def find(index: int) -> int:
        while root[index] != index:
            root[index] = root[root[index]]
            index = root[index]
        return index

    first, second = shapely.STRtree(plans).query(plans, predicate="dwithin", distance=TOUCHING_M)
    for one, other in zip(first.tolist(), second.tolist(), strict=True):
        low, high = sorted((find(one), find(other)))
        root[high] = low
    return [find(index) for index in range(len(plans))]


class _Gaps:
    """Which blocks meet, along how many metres, and how far their border is from the walls on average."""

    def __init__(self, blocks: list[Block], walls: Shape) -> None:
        regions = np.array([block.region for block in blocks])
        self.shared: dict[tuple[int, int], tuple[float, float]] = {}
        self.near: dict[int, set[int]] = defaultdict(set)
        shapely.prepare(walls)
        first, second = shapely.STRtree(regions).query(regions, predicate="intersects")
        for one, other in zip(first.tolist(), second.tolist(), strict=True):
            if one >= other:
                continue
            border = shapely.intersection(regions[one], regions[other])
            if border.length < 1.0:
                continue
            steps = shapely.get_coordinates(shapely.segmentize(border, 4.0))
            gap = float(np.mean(shapely.distance(shapely.points(steps), walls)))
            self.shared[one, other] = (border.length, gap)
            self.near[one].add(other)
            self.near[other].add(one)

    def connected(self, group: list[int]) -> bool:
        left, todo = set(group), [group[0]]
        left.discard(group[0])
        while todo:
            for other in self.near[todo.pop()] & left:
                left.discard(other)
                todo.append(other)
        return not left

    def cost(self, low: set[int], high: set[int]) -> float:
        """Metres of border, dear where walls are near: a border down a wide street costs least."""
        total = 0.0
        for (one, other), (length, gap) in self.shared.items():
            if (one in low and other in high) or (one in high and other in low):
                total += length / (1.0 + gap)
        return total


def halve(group: list[int], parts: int, blocks: list[Block], gaps: _Gaps) -> list[list[int]] | None:
    """Split a group of blocks into ``parts`` connected groups with about the same number of homes each.

    The cheapest cut first; where it leads nowhere, the next. None when no cut leads to cells of the wanted size.
    """
    if parts == 1:
        low, high = HOMES_PER_CELL
        return [group] if low <= sum(blocks[index].homes for index in group) <= high else None
    for _, one, other in _cuts(group, parts, blocks, gaps)[:TRIES]:
        left = halve(one, parts // 2, blocks, gaps)
        right = halve(other, parts - parts // 2, blocks, gaps) if left else None
        if left and right:
            return left + right
    return None


def _cuts(group: list[int], parts: int, blocks: list[Block], gaps: _Gaps) -> list[tuple[float, list[int], list[int]]]:
    """Straight cuts in all directions that leave both sides in one piece, the cheapest first."""
    homes = sum(blocks[index].homes for index in group)
    target, each = homes * (parts // 2) / parts, homes / parts
    found: dict[frozenset[int], tuple[float, list[int], list[int]]] = {}
    for degrees in range(0, 360, 6):
        turn = np.array([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))])
        along = {index: round(float(turn @ blocks[index].middle), 6) for index in group}
        way = [index for _, index in sorted((place, index) for index, place in along.items())]
        counted = 0
        for position, index in enumerate(way[:-1], start=1):
            counted += blocks[index].homes
            if abs(counted - target) > SLACK * each:
                continue
            low, high = way[:position], way[position:]
            if frozenset(low) in found or not (gaps.connected(low) and gaps.connected(high)):
                continue
            cost = gaps.cost(set(low), set(high)) * (1.0 + abs(counted - target) / each)
            found[frozenset(low)] = (cost, sorted(low), sorted(high))
    return sorted(found.values(), key=lambda cut: (round(cut[0], 6), cut[1]))


def draw(buildings: tuple[Footprint, ...], count: int = CELL_COUNT) -> dict[str, Any]:
    """The cells as a GeoJSON draft: shared borders, no building cut, codes from west to east and north to south."""
    blocks = blocks_of(buildings)
    walls = shapely.union_all([one.plan for one in buildings])
    gaps = _Gaps(blocks, walls)
    group = [index for index, block in enumerate(blocks) if block.inside]
    groups = halve(group, count, blocks, gaps)
    if groups is None:
        raise ValueError(f"no way to split {len(group)} blocks into {count} cells")
    raw = np.array([shapely.union_all([blocks[index].region for index in one]) for one in groups])
    ours = shapely.union_all([one.plan for one in buildings if one.inside])
    for tolerance in SIMPLIFY_M:
        shapes = shapely.coverage_simplify(raw, tolerance)
        borders = shapely.union_all(shapely.boundary(shapes))
        if not borders.intersects(ours):
            break
    shapes = to_degrees(np.array(shapes))
    if not shapely.coverage_is_valid(shapes):
        raise ValueError("the cells do not fit together after rounding")
    shapes = shapely.orient_polygons(shapes, exterior_cw=False)
    order = _reading_order(shapes)
    features = []
    for number, index in enumerate(order, start=1):
        features.append(_feature(number, shapes[index], sum(blocks[one].homes for one in groups[index])))
    return {"type": "FeatureCollection", "name": "cells", "features": features}


def _reading_order(shapes: np.ndarray) -> list[int]:
    """Rows of about equal numbers from north to south; in a row from west to east."""
    middles = [(shapely.centroid(shape).x, shapely.centroid(shape).y) for shape in shapes]
    by_lat = sorted(range(len(shapes)), key=lambda index: -middles[index][1])
    bounds = np.linspace(0, len(by_lat), 7).round().astype(int).tolist()
    rows = [by_lat[start:end] for start, end in pairwise(bounds)]
    return [index for row in rows for index in sorted(row, key=lambda index: middles[index][0])]


def _feature(number: int, shape: Shape, homes: int) -> dict[str, Any]:
    ring = [[float(x), float(y)] for x, y in shapely.get_coordinates(shape.exterior)]
    return {
        "type": "Feature",
        "properties": {
            "code": f"{COMMUNITY_CODE}{number:03d}",
            "name": f"第{_numeral(number)}网格",
            "order": number,
            "homes_drawn": homes,
        },
        "geometry": {"type": "Polygon", "coordinates": [ring]},
    }


def _numeral(number: int) -> str:
    """1 to 99 in Chinese numerals."""
    digits = "零一二三四五六七八九"
    tens, ones = divmod(number, 10)
    head = "" if tens == 0 else ("十" if tens == 1 else digits[tens] + "十")
    return head + (digits[ones] if ones or not tens else "")


def main() -> None:
    """Write the files beside this module."""
    here = Path(__file__).parent
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", type=Path, help="the original footprints (GeoJSON, gzip); cuts them first")
    chosen = parser.parse_args()
    if chosen.source:
        cut = cut_footprints(json.loads(gzip.decompress(chosen.source.read_bytes())))
        text = json.dumps(cut, separators=(",", ":"))
        (here / FOOTPRINTS).write_bytes(gzip.compress(text.encode(), compresslevel=9, mtime=0))
        footprints.cache_clear()
    drawn = draw(footprints())
    lines = ",\n".join(json.dumps(one, ensure_ascii=False, separators=(",", ":")) for one in drawn["features"])
    head = '{"type":"FeatureCollection","name":"cells","features":[\n'
    (here / CELLS).write_text(head + lines + "\n]}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
