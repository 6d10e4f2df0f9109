"""The spatial index of a GeoPackage layer, packed at once instead of grown row by row.

Features are laid into strips by longitude, strips into nodes by latitude (sort-tile-recursive), and the nodes are written
as SQLite's R-tree keeps them: big-endian, 32-bit bounds rounded outwards. ``rtreecheck`` finds them right. Bounds lie in
files without a name beside the GeoPackage; memory holds one strip at a time, and half a byte for each feature.
"""

from __future__ import annotations

import math
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from server.jobs.geopackage_schema import TRIGGERS

_CELL = np.dtype([("id", ">i8"), ("box", ">f4", 4)])  # west, east, south, north
_KEPT = np.dtype([("id", "i8"), ("box", "f4", 4)])
_PAIR = np.dtype([("id", "i8"), ("node", "i8")])
_MOST = 51  # cells of one node: SQLite's own limit at pages of 4096 bytes
_TOGETHER = 10_000  # rows handed to SQLite at once: as Python's numbers they take four times the memory
_CHUNK = 65_536  # rows of a file that are looked at together
_BINS = 65_536  # longitudes that are told apart between the westernmost and the easternmost feature
_NODE_BYTES = 4 + _MOST * _CELL.itemsize


class Boxes:
    """Bounds of the features of a layer as they come, kept in a file; ``extent`` holds them all, None of nothing."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.count = 0
        self.last = 0  # the largest id
        self.extent: tuple[float, float, float, float] | None = None
        self._file: Any = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115  closed by close()

    def add(self, fids: Any, boxes: Any) -> None:
        """Keep more of them.

        Parameters
        ----------
        fids : int64 array (n,), rows that have a geometry
        boxes : float64 array (n, 4), west, south, east, north of each
        """
        if len(fids) == 0:
            return
        made = np.empty(len(fids), dtype=_KEPT)
        made["id"], made["box"] = fids, _outward(boxes)
        self._file.write(made.tobytes())
        west, south = boxes[:, :2].min(axis=0).tolist()
        east, north = boxes[:, 2:].max(axis=0).tolist()
        known = self.extent or (west, south, east, north)
        self.extent = (min(known[0], west), min(known[1], south), max(known[2], east), max(known[3], north))
        self.count += len(fids)
        self.last = max(self.last, int(fids.max()))

    def parts(self) -> Iterator[Any]:
        """All of them in the order in which they came, some at a time: arrays of ``id`` and ``box``."""
        self._file.seek(0)
        while raw := self._file.read(_CHUNK * _KEPT.itemsize):
            yield np.frombuffer(raw, dtype=_KEPT)

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


class _Drawers:
    """Rows sorted into drawers of known room, in a file without a name."""

    def __init__(self, folder: Path, row: Any, starts: Any) -> None:
        self._file: Any = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115  closed by close()
        self._row, self._starts = row, starts.tolist()
        self._held = [0] * len(self._starts)

    def put(self, drawers: Any, rows: Any) -> None:
        """Lay rows away; ``drawers`` gives the drawer of each, ascending."""
        edges = np.flatnonzero(np.diff(drawers)) + 1
        for start, end in zip([0, *edges.tolist()], [*edges.tolist(), len(rows)], strict=True):
            drawer = int(drawers[start])
            self._file.seek((self._starts[drawer] + self._held[drawer]) * self._row.itemsize)
            self._file.write(rows[start:end].tobytes())
            self._held[drawer] += end - start

    def each(self) -> Iterator[Any]:
        """What lies in one drawer after the other."""
        for start, held in zip(self._starts, self._held, strict=True):
            self._file.seek(start * self._row.itemsize)
            yield np.frombuffer(self._file.read(held * self._row.itemsize), dtype=self._row)

    def close(self) -> None:
        self._file.close()


def write_index(database: sqlite3.Connection, layer: str, boxes: Boxes) -> None:
    """Make and fill the index ``rtree_<layer>_geom``; closes ``boxes``."""
    name = f"rtree_{layer}_geom"
    database.execute(f'CREATE VIRTUAL TABLE "{name}" USING rtree(id, minx, maxx, miny, maxy)')
    for trigger in TRIGGERS:
        database.execute(trigger.format(rtree=name, table=layer))
    database.execute(
        "INSERT INTO gpkg_extensions VALUES (?, 'geom', 'gpkg_rtree_index', "
        "'http://www.geopackage.org/spec131/#extension_rtree', 'write-only')",
        (layer,),
    )
    try:
        if boxes.count:
            _fill(database, name, boxes)
    finally:
        boxes.close()


def _fill(database: sqlite3.Connection, name: str, boxes: Boxes) -> None:
    # Nodes of each level from the leaves up; the root is node 1, the rest follow level by level from above.
    counts = [boxes.count]
    while len(counts) == 1 or counts[-1] > 1:
        counts.append(_nodes_of(counts[-1]))
    counts = counts[1:]
    first = [1 + sum(counts[height + 1 :]) for height in range(len(counts))]
    database.execute(f'DELETE FROM "{name}_node"')
    bounds = _write_leaves(database, name, boxes, first[0])
    for height in range(1, len(counts)):
        order, sizes = _tiles(bounds)
        depth = len(counts) - 1 if height == len(counts) - 1 else 0  # only the root says how high the tree is
        children = np.arange(len(bounds), dtype=np.int64)[order] + first[height - 1]
        parents = _write_nodes(database, name, children, bounds[order], sizes, first[height], depth)
        _write_pairs(database, f"{name}_parent", "nodeno, parentnode", children, parents)
        bounds = _around(bounds[order], sizes)


def _write_leaves(database: sqlite3.Connection, name: str, boxes: Boxes, first: int) -> Any:
    """The nodes that hold the features; returns the bounds of each."""
    strips = _strips(boxes, _strip_sizes(boxes.count))
    found = _Drawers(boxes.folder, _PAIR, np.arange(0, boxes.last + 1, _CHUNK))
    around = []
    try:
        for strip in strips.each():
            rows = strip[np.argsort(strip["box"][:, 2], kind="stable")]
            sizes = _even(len(rows))
            nodes = _write_nodes(database, name, rows["id"], rows["box"], sizes, first, 0)
            first += len(sizes)
            around.append(_around(rows["box"], sizes))
            pairs = np.empty(len(rows), dtype=_PAIR)
            pairs["id"], pairs["node"] = rows["id"], nodes
            pairs = pairs[np.argsort(pairs["id"])]
            found.put(pairs["id"] // _CHUNK, pairs)
        for pairs in found.each():
            _write_pairs(database, f"{name}_rowid", "rowid, nodeno", pairs["id"], pairs["node"])
    finally:
        strips.close()
        found.close()
    return np.concatenate(around)


def _strips(boxes: Boxes, sizes: Any) -> _Drawers:
    """The features in strips from west to east: counted by longitude first, then each laid into its strip."""
    assert boxes.extent is not None
    west, east = boxes.extent[0], boxes.extent[2]
    scale = (_BINS - 1) / (east - west) if east > west else 0.0

    def bins_of(part: Any) -> Any:
        return np.clip((part["box"][:, 0].astype(np.float64) - west) * scale, 0, _BINS - 1).astype(np.int64)

    held = np.zeros(_BINS, dtype=np.int64)
    for part in boxes.parts():
        held += np.bincount(bins_of(part), minlength=_BINS)
    place = np.concatenate(([0], np.cumsum(held)[:-1]))  # where the next feature of this longitude goes
    ends = np.cumsum(sizes)
    strips = _Drawers(boxes.folder, _KEPT, ends - sizes)
    for part in boxes.parts():
        bins = bins_of(part)
        order = np.argsort(bins, kind="stable")
        bins = bins[order]
        places = place[bins] + np.arange(len(bins)) - np.searchsorted(bins, bins)
        strips.put(np.searchsorted(ends, places, side="right"), part[order])
        place += np.bincount(bins, minlength=_BINS)
    return strips


def _outward(boxes: Any) -> Any:
    """west, east, south, north as 32-bit numbers that hold the true ones."""
    made = np.empty((len(boxes), 4), dtype=np.float32)
    for target, source, outside in ((0, 0, -np.inf), (1, 2, np.inf), (2, 1, -np.inf), (3, 3, np.inf)):
        near = boxes[:, source].astype(np.float32)
        inside = near > boxes[:, source] if outside < 0 else near < boxes[:, source]
        made[:, target] = np.where(inside, np.nextafter(near, np.float32(outside)), near)
    return made


def _strip_sizes(count: int) -> Any:
    """How many boxes each strip takes: as many strips as a strip has nodes."""
    strips = math.ceil(math.sqrt(math.ceil(count / _MOST)))
    return _evenly(count, strips)


def _even(count: int) -> Any:
    """Evenly into nodes: one that is less than a third full is not as SQLite leaves them."""
    return _evenly(count, math.ceil(count / _MOST))


def _evenly(count: int, parts: int) -> Any:
    return count // parts + (np.arange(parts) < count % parts)


def _nodes_of(count: int) -> int:
    return int(np.ceil(_strip_sizes(count) / _MOST).sum())


def _tiles(bounds: Any) -> tuple[Any, Any]:
    """An order of the boxes, and how many of them each node takes."""
    across = np.argsort(bounds[:, 0], kind="stable")
    order, sizes, start = [], [], 0
    for size in _strip_sizes(len(bounds)).tolist():
        strip = across[start : start + size]
        start += size
        order.append(strip[np.argsort(bounds[strip, 2], kind="stable")])
        sizes.append(_even(size))
    return np.concatenate(order), np.concatenate(sizes)


def _around(bounds: Any, sizes: Any) -> Any:
    """The bounds of each node from those of its cells."""
    starts = np.cumsum(sizes) - sizes
    return np.column_stack(
        [(np.maximum if side % 2 else np.minimum).reduceat(bounds[:, side], starts) for side in range(4)]
    )  # fmt: skip


def _write_nodes(
    database: sqlite3.Connection, name: str, ids: Any, bounds: Any, sizes: Any, first: int, depth: int
) -> Any:
    """Nodes from number ``first`` on; returns the node of each cell."""
    cells = np.empty(len(ids), dtype=_CELL)
    cells["id"], cells["box"] = ids, bounds
    raw, at, nodes = cells.tobytes(), 0, []
    for number, size in enumerate(sizes.tolist(), first):
        head = depth.to_bytes(2, "big") + size.to_bytes(2, "big")
        nodes.append((number, (head + raw[at : at + size * _CELL.itemsize]).ljust(_NODE_BYTES, b"\0")))
        at += size * _CELL.itemsize
    database.executemany(f'INSERT INTO "{name}_node" VALUES (?, ?)', nodes)
    return np.repeat(np.arange(first, first + len(sizes)), sizes)


def _write_pairs(database: sqlite3.Connection, table: str, columns: str, ids: Any, nodes: Any) -> None:
    pairs = np.column_stack((ids, nodes))[np.argsort(ids)]
    for start in range(0, len(pairs), _TOGETHER):
        some = pairs[start : start + _TOGETHER].tolist()
        database.executemany(f'INSERT INTO "{table}" ({columns}) VALUES (?, ?)', some)
