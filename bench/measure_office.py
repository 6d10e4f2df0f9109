"""Placement beside its floor: a bulk query of shapely's tree."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import shapely

from bench.report import Line, median
from geo.locate import CellIndex
from server.demo.load import draft_of_cells


def placement(points: int, rounds: int = 5) -> Line:
    """Points over the demo's cells: every one in exactly one cell, beside a tree query that may name two or none."""
    index = CellIndex(draft_of_cells().cells)
    shapes = [cell.geometry for cell in index.cells]
    west, south, east, north = shapely.total_bounds(np.array(shapes, dtype=object))
    chance = np.random.default_rng(1)
    lons, lats = chance.uniform(west, east, points), chance.uniform(south, north, points)
    tree = shapely.STRtree(shapes)
    ours, floor = [], []
    for _ in range(rounds):
        floor.append(_seconds(lambda: tree.query(shapely.points(lons, lats), predicate="intersects")))
        ours.append(_seconds(lambda: index.locate_many(lons=lons, lats=lats)))
    pairs = [there / here for here, there in zip(ours, floor, strict=True)]
    note = f"{points / median(ours):,.0f}/s beside {points / median(floor):,.0f}/s, {len(shapes)} cells"
    return Line(f"placement of {points:,} points", median(pairs), "of the floor", note=note)


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
