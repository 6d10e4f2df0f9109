"""Placement and exports beside their floors: a bulk query of shapely's tree, and a bare loop that writes a file."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import orjson
import shapely
from pyogrio import raw, read_info

from bench.report import Line, median
from bench.workload import COMMUNITY
from geo.locate import CellIndex
from server.app import create_app, house_of
from server.demo.load import draft_of_cells
from server.jobs.worker import Worker
from server.permissions import Actor
from server.services import accounts, exports
from server.services.audit import Look
from server.settings import Settings


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


def export_lines(folder: Path, secretary: Actor) -> list[Line]:
    """Exports of every person with personal fields, beside bare loops over the same rows; no server is running."""
    house = house_of(create_app(Settings.in_folder(folder)))
    worker = Worker(house)
    lines = []
    for format_name, suffix, bare in (("geojson", "geojson", _bare_geojson), ("geopackage", "gpkg", _bare_geopackage)):
        asked = {"format": format_name, "layers": ["persons"], "personal": True}
        look = Look(secretary, "export", "bench", None)
        exports.request_export(house, secretary, accounts.scope(house, secretary), COMMUNITY, asked, look)
        ours = _seconds(worker.run_all)
        target = folder / f"bare.{suffix}"
        started = time.perf_counter()
        count = bare(folder / "dishu.sqlite3", target)
        floor = time.perf_counter() - started
        sizes = sum(path.stat().st_size for path in (folder / "exports").iterdir()) / 1e6, target.stat().st_size / 1e6
        note = (
            f"{count / ours:,.0f}/s beside {count / floor:,.0f}/s; all files {sizes[0]:.0f} MB beside {sizes[1]:.0f} MB"
        )
        lines.append(Line(f"export of {count:,} persons, {format_name}", floor / ours, "of the floor", note=note))
    house.engine.dispose()
    return lines


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _rows(database: Path) -> sqlite3.Cursor:
    return sqlite3.connect(database).execute("SELECT id, fields FROM record WHERE type = 'person' AND life = 'live'")


def _bare_geojson(database: Path, target: Path) -> int:
    count = 0
    with target.open("wb") as handle:
        handle.write(b'{"type":"FeatureCollection","features":[')
        for record_id, fields in _rows(database):
            one = {"type": "Feature", "id": record_id, "geometry": None, "properties": orjson.loads(fields)}
            handle.write((b",\n" if count else b"") + orjson.dumps(one))
            count += 1
        handle.write(b"]}")
    return count


def _bare_geopackage(database: Path, target: Path) -> int:
    """GDAL alone: the layer that was just exported, read and written again through Arrow, with the same columns and index."""
    source = max((database.parent / "exports").glob("*.gpkg"), key=lambda path: path.stat().st_mtime)
    with raw.open_arrow(source, layer="persons", use_pyarrow=False) as (meta, stream):
        raw.write_arrow(
            stream, target, layer="persons", driver="GPKG", geometry_name=meta["geometry_name"], geometry_type="Point",
            crs="EPSG:4490",
        )  # fmt: skip
    return int(read_info(target, layer="persons")["features"])
