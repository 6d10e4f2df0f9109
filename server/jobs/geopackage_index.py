"""The spatial index of a GeoPackage layer, packed at once instead of grown row by row.

Features are laid into strips by longitude, strips into nodes by latitude (sort-tile-recursive), and the nodes are written
as SQLite's R-tree keeps them: big-endian, 32-bit bounds rounded outwards. ``rtreecheck`` finds them right.
"""

from __future__ import annotations

import math
import sqlite3
from typing import Any

import numpy as np

from server.jobs.geopackage_schema import TRIGGERS

_CELL = np.dtype([("id", ">i8"), ("box", ">f4", 4)])  # west, east, south, north
_MOST = 51  # cells of one node: SQLite's own limit at pages of 4096 bytes
_TOGETHER = 10_000
_NODE_BYTES = 4 + _MOST * _CELL.itemsize


def write_index(database: sqlite3.Connection, layer: str, fids: Any, boxes: Any) -> None:
    """Make and fill the index ``rtree_<layer>_geom``.

    Parameters
    ----------
    fids : int64 array (n,), rows that have a geometry
    boxes : float64 array (n, 4), west, south, east, north of each
    """
    name = f"rtree_{layer}_geom"
    database.execute(f'CREATE VIRTUAL TABLE "{name}" USING rtree(id, minx, maxx, miny, maxy)')
    for trigger in TRIGGERS:
        database.execute(trigger.format(rtree=name, table=layer))
    database.execute(
        "INSERT INTO gpkg_extensions VALUES (?, 'geom', 'gpkg_rtree_index', "
        "'http://www.geopackage.org/spec131/#extension_rtree', 'write-only')",
        (layer,),
    )
    if len(fids) == 0:
        return
    # Levels from the leaves up to the root; every cell of a level is a node of the level below.
    level, ids, bounds = [], fids, _outward(boxes)
    while True:
        order, sizes = _tiles(bounds)
        level.append((ids[order], bounds[order], sizes))
        if len(sizes) == 1:
            break
        starts = np.concatenate(([0], np.cumsum(sizes)[:-1]))
        sorted_bounds = bounds[order]
        bounds = np.column_stack(
            [
                np.minimum.reduceat(sorted_bounds[:, 0], starts), np.maximum.reduceat(sorted_bounds[:, 1], starts),
                np.minimum.reduceat(sorted_bounds[:, 2], starts), np.maximum.reduceat(sorted_bounds[:, 3], starts),
            ]
        )  # fmt: skip
        ids = np.arange(len(sizes), dtype=np.int64)  # place of the child within its level, made a number below
    _write_nodes(database, name, level)


def _outward(boxes: Any) -> Any:
    """west, east, south, north as 32-bit numbers that hold the true ones."""
    made = np.empty((len(boxes), 4), dtype=np.float32)
    for target, source, outside in ((0, 0, -np.inf), (1, 2, np.inf), (2, 1, -np.inf), (3, 3, np.inf)):
        near = boxes[:, source].astype(np.float32)
        inside = near > boxes[:, source] if outside < 0 else near < boxes[:, source]
        made[:, target] = np.where(inside, np.nextafter(near, np.float32(outside)), near)
    return made


def _tiles(bounds: Any) -> tuple[Any, Any]:
    """An order of the boxes, and how many of them each node takes."""
    count = len(bounds)
    nodes = math.ceil(count / _MOST)
    strips = math.ceil(math.sqrt(nodes))
    across = np.argsort(bounds[:, 0], kind="stable")
    order, sizes = [], []
    for strip in np.array_split(across, strips):
        order.append(strip[np.argsort(bounds[strip, 2], kind="stable")])
        # Evenly: a node that is less than a third full is not as SQLite leaves them.
        sizes += [len(part) for part in np.array_split(strip, math.ceil(len(strip) / _MOST)) if len(part)]
    return np.concatenate(order), np.array(sizes, dtype=np.int64)


def _write_nodes(database: sqlite3.Connection, name: str, levels: list[Any]) -> None:
    # The root is node 1, the rest follow level by level from above.
    first, number = [0] * len(levels), 1
    for height in range(len(levels) - 1, -1, -1):
        first[height] = number
        number += len(levels[height][2])
    database.execute(f'DELETE FROM "{name}_node"')
    for height in range(len(levels) - 1, -1, -1):
        ids, bounds, sizes = levels[height]
        cells = np.empty(len(ids), dtype=_CELL)
        cells["id"] = ids if height == 0 else ids + first[height - 1]
        cells["box"] = bounds
        raw, at = cells.tobytes(), 0
        nodes, children = [], np.repeat(np.arange(first[height], first[height] + len(sizes)), sizes)
        for place, size in enumerate(sizes.tolist()):
            # Only the root says how high the tree is.
            depth = len(levels) - 1 if first[height] + place == 1 else 0
            head = depth.to_bytes(2, "big") + size.to_bytes(2, "big")
            body = raw[at : at + size * _CELL.itemsize]
            nodes.append((first[height] + place, (head + body).ljust(_NODE_BYTES, b"\0")))
            at += size * _CELL.itemsize
        database.executemany(f'INSERT INTO "{name}_node" VALUES (?, ?)', nodes)
        numbers = cells["id"].astype(np.int64)
        pairs = np.column_stack((numbers, children))[np.argsort(numbers)]
        table = f"{name}_rowid (rowid, nodeno)" if height == 0 else f"{name}_parent (nodeno, parentnode)"
        target, _, columns = table.partition(" ")
        for start in range(0, len(pairs), _TOGETHER):  # as Python's numbers they take four times the memory
            some = pairs[start : start + _TOGETHER].tolist()
            database.executemany(f'INSERT INTO "{target}" {columns} VALUES (?, ?)', some)
