"""A million points into ten thousand irregular cells, beside the libraries that others use for it; and one point at a time.

The libraries are put into an environment of their own in a temporary folder; what cannot be had is said, and its bar counts as not measured.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import shapely

from bench.report import Line
from geo.cell import Cell
from geo.locate import CellIndex

WEST, SOUTH, STEP = 120.0, 31.0, 0.002
_HAIR = 1e-9
"""Degrees, a tenth of a millimetre: nearer than this to a border whole grid units and rounded degrees may answer otherwise."""

# Runs in the other environment: seconds of each way over the same cells and points; the pairs that it found go into a file beside.
_OTHERS = """
import glob, json, os, sys, time
import numpy as np
folder, rounds, told = sys.argv[1], int(sys.argv[2]), {}
cells, points = np.load(folder + "/cells.npy", allow_pickle=True), np.load(folder + "/points.npy")
def best(name, work, pairs):
    seconds = []
    for _ in range(rounds):
        started = time.perf_counter(); found = work(); seconds.append(time.perf_counter() - started)
    file = folder + "/" + name + ".npy"
    np.save(file, np.array(pairs(found), dtype=np.int64))
    told[name] = [sorted(seconds)[len(seconds) // 2], file]
try:
    import geopandas, shapely
    left = geopandas.GeoDataFrame(geometry=geopandas.points_from_xy(points[0], points[1]))
    right = geopandas.GeoDataFrame(geometry=shapely.from_wkb(cells))
    joined = lambda: geopandas.sjoin(left, right, predicate="intersects")
    best("geopandas.sjoin", joined, lambda found: [found.index.to_numpy(), found["index_right"].to_numpy()])
except Exception as error:
    told["geopandas.sjoin"] = f"{type(error).__name__}: {error}"
try:
    import duckdb, duckdb_extension_spatial, pandas
    (extension,) = glob.glob(os.path.dirname(duckdb_extension_spatial.__file__) + "/extensions/v" + duckdb.__version__ + "/*")
    base = duckdb.connect(); base.execute(f"LOAD '{extension}'"); base.execute("SET threads = 2; SET enable_progress_bar = false")
    cell_rows = pandas.DataFrame({"n": range(len(cells)), "wkb": list(cells)})
    point_rows = pandas.DataFrame({"n": range(len(points[0])), "x": points[0], "y": points[1]})
    base.execute("CREATE TABLE cells AS SELECT n, ST_GeomFromWKB(wkb) AS g FROM cell_rows")
    base.execute("CREATE TABLE points AS SELECT n, ST_Point(x, y) AS p FROM point_rows")
    joined = "FROM points JOIN cells ON ST_Intersects(g, p)"
    found = lambda _: list(base.execute(f"SELECT points.n AS p, cells.n AS c {joined}").fetchnumpy().values())
    best("DuckDB spatial", lambda: base.execute(f"SELECT count(*) {joined}").fetchone()[0], found)
except Exception as error:
    told["DuckDB spatial"] = f"{type(error).__name__}: {error}"
print(json.dumps(told))
"""


def irregular_cells(side: int, vertices: int, seed: int = 1) -> list[Cell]:
    """``side`` × ``side`` cells that cover a square without gap or overlap; each border runs through common random points."""
    chance, on_edge = np.random.default_rng(seed), max(1, vertices // 4)
    grid = np.stack(np.meshgrid(np.arange(side + 1), np.arange(side + 1)), axis=-1).astype(float)
    grid[1:-1, 1:-1] += chance.uniform(-0.25, 0.25, (side - 1, side - 1, 2))

    def edges(start: Any, end: Any) -> Any:
        share = np.linspace(0, 1, on_edge, endpoint=False)[None, None, :, None]
        made = start[:, :, None] * (1 - share) + end[:, :, None] * share
        made[:, :, 1:] += chance.uniform(-0.12, 0.12, made[:, :, 1:].shape) / on_edge
        return np.round(made * STEP + (WEST, SOUTH), 7)

    flat, upright = edges(grid[:, :-1], grid[:, 1:]), edges(grid[:-1], grid[1:])
    made = []
    for row in range(side):
        for column in range(side):
            corner = np.round(grid[row + 1, column + 1] * STEP + (WEST, SOUTH), 7)[None]
            top = np.concatenate([corner, flat[row + 1, column][::-1]])[:-1]
            left = np.concatenate([np.round(grid[row + 1, column] * STEP + (WEST, SOUTH), 7)[None], upright[row, column][::-1]])[:-1]
            ring = np.concatenate([flat[row, column], upright[row, column + 1], top, left])
            number = row * side + column
            made.append(Cell(f"c{number}", f"{number:08d}", "", shapely.polygons(ring)))
    return made


def locating(points: int, side: int, rounds: int, say: Callable[[str], None]) -> list[Line]:
    """Points at random and on corners of cells, into cells of 30 and of 200 vertices; and single points."""
    lines = []
    with tempfile.TemporaryDirectory(prefix="dishu-bench-") as name:
        folder = Path(name)
        python = _environment(folder, say)
        for vertices, bar in ((30, 5.0), (200, 10.0)):
            lines += many(folder, python, irregular_cells(side, vertices), points, vertices, bar, rounds)
    return [*lines, single(irregular_cells(side, 30))]


def many(folder: Path, python: Path | None, cells: list[Cell], count: int, vertices: int, bar: float, rounds: int) -> list[Line]:
    """Many points at once; without another Python the others are not measured. AssertionError where the short cut errs."""
    shapes: Any = np.array([cell.geometry for cell in cells], dtype=object)
    west, south, east, north = shapely.total_bounds(shapes)
    chance = np.random.default_rng(2)
    lons, lats = chance.uniform(west, east, count), chance.uniform(south, north, count)
    corners = shapely.get_coordinates(shapes)[chance.integers(0, shapely.get_num_coordinates(shapes).sum(), count // 100)]
    lons[: len(corners)], lats[: len(corners)] = corners.T  # where the tie rule speaks
    lons, lats = np.round(lons, 7), np.round(lats, 7)
    started = time.perf_counter()
    index = CellIndex(cells)
    squares = index.squares
    build_s = time.perf_counter() - started
    ours, tree_s = [], []
    tree, made = shapely.STRtree(shapes), shapely.points(lons, lats)
    for _ in range(rounds):
        ours.append(_seconds(lambda: index.locate_many(lons=lons, lats=lats)))
        tree_s.append(_seconds(lambda: tree.query(made, predicate="intersects")))
    exact = index.locate_exactly(lons=lons, lats=lats)[0]
    if not np.array_equal(exact, index.locate_many(lons=lons, lats=lats)):
        raise AssertionError("the short cut answers otherwise than the exact test")
    mine = statistics.median(ours)
    what = f"{count:,} points in {len(cells):,} cells of {vertices} vertices"
    note = f"{mine:.2f} s; index built in {build_s:.2f} s, its table {squares.nbytes / 1e6:.0f} MB; ties included, equal to the exact test"
    lines = [Line(f"{what}, beside a bulk query of STRtree", statistics.median(tree_s) / mine, "times faster", note=note)]
    told: dict[str, Any] = {}
    if python is not None:
        np.save(folder / "cells.npy", np.array(shapely.to_wkb(shapes), dtype=object), allow_pickle=True)
        np.save(folder / "points.npy", np.array([lons, lats]))
        arguments = [str(python), "-c", _OTHERS, str(folder), str(rounds)]
        told = json.loads(subprocess.run(arguments, capture_output=True, text=True, check=True).stdout)
    number = {cell.cell_id: at for at, cell in enumerate(cells)}
    numbers = np.array([*(number[one] for one in index.cell_ids), -1])  # the last one: outside
    is_on_border = np.zeros(count, dtype=bool)
    is_on_border[shapely.STRtree(shapely.boundary(shapes)).query(made, predicate="dwithin", distance=_HAIR)[0]] = True
    return lines + beside(what, mine, numbers[exact], is_on_border, told, {"geopandas.sjoin": bar, "DuckDB spatial": 2.5 if vertices == 30 else None})


def beside(what: str, mine_s: float, answers: Any, is_on_border: Any, told: Mapping[str, Any], bars: Mapping[str, float | None]) -> list[Line]:
    """A line for each of the others: [seconds, file of its pairs], or why it could not be had; a bar stays a bar without it.

    AssertionError where another one answers otherwise.
    """
    lines = []
    for other, wanted in bars.items():
        answer = told.get(other, "no environment")
        name = f"{what}, beside {other}"
        if isinstance(answer, str):
            lines.append(Line(name, float("nan"), "", wanted, note=f"could not be had: {answer.splitlines()[0]}"))
            continue
        apart = compare(answers, is_on_border, np.load(answer[1]), other)
        note = f"{mine_s:.2f} beside {answer[0]:.2f} s; the same cell for all {int((~is_on_border).sum()):,} points off borders; {apart}"
        lines.append(Line(name, answer[0] / mine_s, "times faster", wanted, note=note))
    return lines


def compare(answers: Any, is_on_border: Any, pairs: Any, other: str) -> str:
    """What is told about points on borders, which others find in each cell or, where degrees are rounded, in one or none.

    Parameters
    ----------
    answers : the number of each point's cell, shape (n,); -1 outside
    is_on_border : whether a point lies on a border, or within a hair of one, shape (n,)
    pairs : (point, cell) as the other one finds them, shape (2, m)

    Raises
    ------
    AssertionError
        A point off the borders has another cell there, several, or none.
    """
    point, cell = pairs
    times = np.bincount(point, minlength=len(answers))
    has_ours = np.zeros(len(answers), dtype=bool)
    has_ours[point[cell == answers[point]]] = True
    is_same = np.where(answers == -1, times == 0, has_ours & (times == 1))
    if not is_same[~is_on_border].all():
        raise AssertionError(f"{int((~is_same & ~is_on_border).sum()):,} points off borders stand elsewhere for {other}")
    return f"of {int(is_on_border.sum()):,} on borders ours is among theirs for {int((has_ours & is_on_border).sum()):,}"


def single(cells: list[Cell]) -> Line:
    """The median of one question, less that of calling a function that does nothing with the same arguments."""
    index = CellIndex(cells)
    west, south, east, north = shapely.total_bounds([cell.geometry for cell in cells])
    chance = np.random.default_rng(3)
    asked = list(zip(chance.uniform(west, east, 20_000).tolist(), chance.uniform(south, north, 20_000).tolist(), strict=True))
    index.locate(lon=west, lat=south)

    def nothing(*, lon: float, lat: float) -> str | None:
        return None

    def median_us(work: Callable[..., object]) -> float:
        taken = []
        for lon, lat in asked:
            started = time.perf_counter_ns()
            work(lon=lon, lat=lat)
            taken.append(time.perf_counter_ns() - started)
        return statistics.median(taken) / 1e3

    empty, ours = median_us(nothing), median_us(index.locate)
    return Line("one point, above an empty function", ours - empty, "µs", 5.0, most=True, note=f"{ours:.2f} less {empty:.2f} µs, median of {len(asked):,}")


def _environment(folder: Path, say: Callable[[str], None]) -> Path | None:
    """A Python with those of the other libraries that can be had, in the temporary folder; None without any environment."""
    say("an environment with geopandas and DuckDB")
    python = folder / "other" / "bin" / "python"
    try:
        subprocess.run([sys.executable, "-m", "venv", folder / "other"], check=True, capture_output=True)
    except (OSError, subprocess.SubprocessError) as error:
        say(f"not to be had: {type(error).__name__}")
        return None
    for names in (("geopandas",), ("duckdb-extension-spatial", "pandas")):  # the extension brings the DuckDB that it was built for
        try:
            subprocess.run([python, "-m", "pip", "install", "-q", *names], check=True, capture_output=True, timeout=600)
        except (OSError, subprocess.SubprocessError) as error:
            say(f"{names[0]} is not to be had: {type(error).__name__}")
    return python


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
