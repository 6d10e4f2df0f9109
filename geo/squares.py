"""Squares over the cells of one edition: which lie wholly in one cell, and which cells meet in the others.

Most points fall in squares that no border enters; for them the answer is one look into a table. Only points in
squares with a border need the exact test. The table is a shortcut, never a judgement: a square counts as free of
borders only when every border stays at least one grid unit away from it, so rounding cannot change an answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

# Squares for each cell. More of them leave fewer points to the exact test, and cost memory (4 bytes each) and time.
SQUARES_PER_CELL = 256
SQUARES_AT_LEAST, SQUARES_AT_MOST = 16_384, 16_000_000

# A square in which more cells meet is answered by the search tree: cells far smaller than squares, a city in a
# corner of the country.
CANDIDATES_AT_MOST = 8

OUTSIDE = -1
CROWDED = -2
_FIRST_SHARED = -3  # shared square number k is kept as -3 - k

_BLOCK = 1 << 20  # squares spread at a time while building
_BLOCK_EDGES = 1 << 17  # and border pieces
_CHUNK = 1 << 15  # points looked up at a time: what they need stays in the processor's cache

Whole = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Edges:
    """Border pieces from (ax, ay) to (bx, by) on grid units, all (k,), with the position of their cell."""

    ax: NDArray[np.float64]
    ay: NDArray[np.float64]
    bx: NDArray[np.float64]
    by: NDArray[np.float64]
    cell: Whole


class Squares:
    """A table of squares over cells on grid units.

    Parameters
    ----------
    units : ndarray of shapely polygons, shape (n,)
        Cells with whole coordinates (``snap.units_geometry``), in tie order; their positions are what is answered.

    Notes
    -----
    Column and row of a point come from one increasing function of its coordinate. Borders mark all columns between
    the images of their ends plus and minus one unit, so every point that could touch a border falls in a marked square.
    A frame of squares around the cells stands for everything outside, NaN and infinities included.
    """

    def __init__(self, units: NDArray[Any]) -> None:
        west, south, east, north = shapely.total_bounds(units).tolist() if len(units) else (0.0, 0.0, 0.0, 0.0)
        self._west, self._south = west, south
        width, height = east - west + 1.0, north - south + 1.0
        wanted = min(max(len(units) * SQUARES_PER_CELL, SQUARES_AT_LEAST), SQUARES_AT_MOST)
        side = max((width * height / wanted) ** 0.5, 1.0)
        self.columns = int(min(max(width / side, 1.0), SQUARES_AT_MOST))
        self.rows = int(min(max(height / side, 1.0), max(SQUARES_AT_MOST // self.columns, 1)))
        self._per_x, self._per_y = self.columns / width, self.rows / height
        self._stride = self.columns + 2
        self.table = np.full((self.rows + 2) * self._stride, OUTSIDE, dtype=np.int32)
        self.starts: NDArray[np.int32] = np.zeros(1, dtype=np.int32)
        self.candidates: NDArray[np.int32] = np.zeros(0, dtype=np.int32)
        if len(units):
            self._fill(units)
        # Reading one number from these costs a third of what it costs from an array.
        self._table_view, self._starts_view = self.table.data, self.starts.data
        self._candidates_view = self.candidates.data

    @property
    def nbytes(self) -> int:
        """Bytes that the table and the candidates take."""
        return int(self.table.nbytes + self.starts.nbytes + self.candidates.nbytes)

    def look(self, x: float, y: float) -> int:
        """The entry of one point on finite grid units: a cell, ``OUTSIDE``, ``CROWDED``, or a shared square."""
        column, row = (x - self._west) * self._per_x + 1.0, (y - self._south) * self._per_y + 1.0
        if column < 1.0 or row < 1.0 or column >= self.columns + 1 or row >= self.rows + 1:
            return OUTSIDE
        return int(self._table_view[int(row) * self._stride + int(column)])

    def look_many(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.int32]:
        """Entries of points on grid units, shape (n,); what is not finite is outside."""
        found = np.empty(len(x), dtype=np.int32)
        for low in range(0, len(x), _CHUNK):
            chunk = slice(low, low + _CHUNK)
            square = self._row(y[chunk]) * self._stride + self._column(x[chunk])
            np.take(self.table, square, out=found[chunk])
        return found

    def sharing(self, entry: int) -> list[int]:
        """The cells that meet in a shared square, in tie order."""
        at = _FIRST_SHARED - entry
        return self._candidates_view[self._starts_view[at] : self._starts_view[at + 1]].tolist()

    def sharing_many(self, entries: NDArray[np.int32]) -> tuple[Whole, Whole]:
        """First candidate and number of candidates of shared squares (k,), both (k,)."""
        at = _FIRST_SHARED - entries.astype(np.int64)
        first = self.starts[at].astype(np.int64)
        return first, self.starts[at + 1] - first

    def _column(self, x: NDArray[np.float64]) -> Whole:
        # fmax and fmin prefer the number to NaN, so NaN lands in the frame.
        place: NDArray[np.float64] = (x - self._west) * self._per_x + 1.0
        return np.fmin(np.fmax(place, 0.0), self.columns + 1.0).astype(np.int64)

    def _row(self, y: NDArray[np.float64]) -> Whole:
        place: NDArray[np.float64] = (y - self._south) * self._per_y + 1.0
        return np.fmin(np.fmax(place, 0.0), self.rows + 1.0).astype(np.int64)

    def _fill(self, units: NDArray[Any]) -> None:
        found = [self._border_squares(edges) for edges in _edge_blocks(units)]
        keys = [squares * len(units) + cells for squares, cells in found]
        is_shared = np.zeros(len(self.table), dtype=bool)
        for squares, _ in found:
            is_shared[squares] = True
        inner_blocks = (block for edges in _edge_blocks(units) for block in self._inner_squares(edges))
        for inner, cell in inner_blocks:
            before = self.table[inner]
            self.table[inner] = cell
            # Two cells over one whole square, as in a broken draft, are candidates both.
            is_twice = (before >= 0) | (self.table[inner] != cell)
            is_twice &= ~is_shared[inner]
            if is_twice.any():
                again = inner[is_twice]
                is_shared[again] = True
                for held in (before[is_twice], self.table[again]):
                    keys.append((again * len(units) + held)[held >= 0])
            meets = is_shared[inner]
            keys.append(inner[meets] * len(units) + cell[meets])
        pairs = np.sort(np.concatenate(keys))
        pairs = pairs[np.append(True, pairs[1:] != pairs[:-1])]
        square, cell = np.divmod(pairs, len(units))
        first = np.flatnonzero(np.append(True, square[1:] != square[:-1]))
        shared, number = square[first], np.diff(np.append(first, len(square)))
        is_crowded = number > CANDIDATES_AT_MOST
        self.table[shared[is_crowded]] = CROWDED
        self.table[shared[~is_crowded]] = _FIRST_SHARED - np.arange((~is_crowded).sum())
        self.starts = np.concatenate([[0], np.cumsum(number[~is_crowded])]).astype(np.int32)
        self.candidates = cell[np.repeat(~is_crowded, number)].astype(np.int32)

    def _border_squares(self, edges: _Edges) -> tuple[Whole, Whole]:
        """Squares that a border touches or comes near to, with its cell; neighbours in line repeat themselves less."""
        low_y, high_y = np.minimum(edges.ay, edges.by), np.maximum(edges.ay, edges.by)
        first, last = self._row(low_y - 1.0), self._row(high_y + 1.0)
        edge, step = _spread(last - first + 1)
        row = first[edge] + step
        # The stretch of the edge inside the row, a unit longer at both ends.
        below = (row - 1) / self._per_y + self._south - 1.0
        above = row / self._per_y + self._south + 1.0
        ax, ay, bx, by = edges.ax[edge], edges.ay[edge], edges.bx[edge], edges.by[edge]
        rise = np.where(ay == by, 1.0, by - ay)
        from_t, to_t = np.clip((below - ay) / rise, 0.0, 1.0), np.clip((above - ay) / rise, 0.0, 1.0)
        is_level = ay == by
        one = ax + (bx - ax) * np.where(is_level, 0.0, from_t)
        other = ax + (bx - ax) * np.where(is_level, 1.0, to_t)
        left, right = self._column(np.minimum(one, other) - 1.0), self._column(np.maximum(one, other) + 1.0)
        piece, step = _spread(right - left + 1)
        square, cell = row[piece] * self._stride + left[piece] + step, edges.cell[edge[piece]]
        is_new = np.ones(len(square), dtype=bool)
        is_new[1:] = (square[1:] != square[:-1]) | (cell[1:] != cell[:-1])
        return square[is_new], cell[is_new]

    def _inner_squares(self, edges: _Edges) -> Iterator[tuple[Whole, Whole]]:
        """Squares between the borders of each cell along the middle of every row, in descending cell order.

        Squares that the cell's own border touches may or may not be among them: those are shared anyway.
        """
        low_y, high_y = np.minimum(edges.ay, edges.by), np.maximum(edges.ay, edges.by)
        first, last = self._row(low_y), self._row(high_y)
        edge, step = _spread(last - first + 1)
        row = first[edge] + step
        middle = (row - 0.5) / self._per_y + self._south
        # Half open, so that a middle through a corner counts once.
        crosses = (low_y[edge] <= middle) & (middle < high_y[edge])
        edge, row, middle = edge[crosses], row[crosses], middle[crosses]
        ax, ay, bx, by = edges.ax[edge], edges.ay[edge], edges.bx[edge], edges.by[edge]
        x = ax + (bx - ax) * ((middle - ay) / (by - ay))
        order = np.lexsort((x, row, -edges.cell[edge]))
        x, row, cell = x[order], row[order], edges.cell[edge][order]
        left, right, row, cell = self._column(x[::2]), self._column(x[1::2]), row[::2], cell[::2]
        long = right - left + 1
        block = np.cumsum(long) // _BLOCK
        for part in np.split(np.arange(len(long)), np.flatnonzero(np.diff(block)) + 1):
            run, step = _spread(long[part])
            at = part[run]
            yield row[at] * self._stride + left[at] + step, cell[at]


def _edge_blocks(units: NDArray[Any]) -> Iterator[_Edges]:
    """The borders of some cells at a time, last cells first, so that building takes little memory."""
    block = np.cumsum(shapely.get_num_coordinates(units)) // _BLOCK_EDGES
    starts = [0, *(np.flatnonzero(np.diff(block)) + 1).tolist(), len(units)]
    for low, high in reversed(list(pairwise(starts))):
        yield _edges(units[low:high], low)


def _edges(units: NDArray[Any], first_cell: int) -> _Edges:
    parts, cell_of_part = shapely.get_parts(units, return_index=True)
    rings, part_of_ring = shapely.get_rings(parts, return_index=True)
    vertices, ring = shapely.get_coordinates(rings, return_index=True)
    joined = (ring[1:] == ring[:-1]) & (vertices[1:] != vertices[:-1]).any(axis=1)
    start, end = vertices[:-1][joined], vertices[1:][joined]
    cell = cell_of_part[part_of_ring[ring[:-1][joined]]] + first_cell
    return _Edges(start[:, 0].copy(), start[:, 1].copy(), end[:, 0].copy(), end[:, 1].copy(), cell.astype(np.int64))


def _spread(lengths: Whole) -> tuple[Whole, Whole]:
    """Runs of given lengths → (number of the run, place in the run) for every member, in order."""
    run = np.repeat(np.arange(len(lengths)), lengths)
    return run, np.arange(len(run)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
