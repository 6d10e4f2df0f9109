"""Exports of all persons beside their floors: a bare loop that writes GeoJSON, and GDAL writing the finished table with Arrow."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
from pyogrio import raw, read_info

from bench.report import Line, ratio
from bench.served import Cost
from bench.workload import CELLS, COMMUNITY, Maker, lay_ground
from forms.index import mask_value
from server.app import create_app, house_of
from server.house import House
from server.jobs.worker import Worker
from server.models import record
from server.permissions import Actor
from server.services import accounts, exports
from server.services.audit import Look
from server.settings import Settings
from server.start import prepare
from server.store import places
from server.store.database import insert_rows, read, write

_AT = "2026-03-01T00:00:00.000Z"
_COLUMNS = (
    "community_id", "id", "type", "v", "tag", "life", "home", "place_parent", "fields", "lon", "lat", "form_version",
    "created_install", "created_n", "created_at", "updated_at", "fresh_at",
)  # fmt: skip


def measure_exports(persons: int, rounds: int = 3) -> list[Line]:
    """A house with so many persons, laid straight into its tables; every file of them is made some times. Beside it a tenth of it."""
    with tempfile.TemporaryDirectory(prefix="dishu-bench-") as name:
        folder, small = Path(name, "whole"), Path(name, "tenth")
        secretary = fill(folder, persons)
        return [*export_lines(folder, secretary, rounds), *memory_lines(fill(small, persons // 10), small, secretary, folder, persons)]


def memory_lines(few: Actor, small: Path, many: Actor, large: Path, persons: int) -> list[Line]:
    """The most memory that making a file takes in a process of its own, beside that of a tenth of the records."""
    lines = []
    for format_name in ("geojson", "geopackage"):
        less, more = _peak(small, few, format_name), _peak(large, many, format_name)
        note = f"{more / 1e6:,.0f} MB beside {less / 1e6:,.0f} MB"
        lines.append(Line(f"memory of an export of {persons:,} persons, {format_name}", more / less, "times that of a tenth", 1.25, most=True, note=note))
    return lines


_ALONE = """
import sys
from pathlib import Path
from bench.measure_exports import made
from server.permissions import Actor
made(Path(sys.argv[1]), Actor(*sys.argv[3:6]), sys.argv[2])
print(next(line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")))
"""
# Not ru_maxrss, which begins with what the process had that started this one.


def made(folder: Path, actor: Actor, format_name: str) -> None:
    """One export of every person, personal fields included."""
    house = house_of(create_app(Settings.in_folder(folder)))
    request(house, actor, format_name)
    Worker(house).run_all()
    house.engine.dispose()


def request(house: House, actor: Actor, format_name: str) -> None:
    """Ask for it; a worker makes it."""
    asked = {"format": format_name, "layers": ["persons"], "personal": True}
    exports.request_export(house, actor, accounts.scope(house, actor), COMMUNITY, asked, Look(actor, "export", "bench", None))


def _peak(folder: Path, actor: Actor, format_name: str) -> int:
    """The most bytes in memory."""
    words = [sys.executable, "-c", _ALONE, str(folder), format_name, actor.user_id, actor.role, str(actor.community_id)]
    return 1024 * int(subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()[-1])


def fill(folder: Path, persons: int) -> Actor:
    """Persons of 25 fields in 2,000 households of one cell, in rows as the server writes them."""
    house = house_of(create_app(Settings.in_folder(folder)))
    prepare(house)
    ground = lay_ground(house)
    with read(house.engine) as connection:
        edition: Any = places.published_edition(connection, COMMUNITY, "base")
        home = next(f"cell/{one.cell_id}" for one in places.cells_of(connection, COMMUNITY, edition.edition_id) if one.code == CELLS[0])
    maker = Maker()
    made = [one for group in maker.homes(2_000) for one in group]
    rows = [_row(house, home, one, number) for number, one in enumerate(made)]
    rows += [_row(house, home, maker.person(), number) for number in range(len(rows), len(rows) + persons)]
    with write(house.engine) as connection:
        insert_rows(connection, record, _COLUMNS, rows)
    house.engine.dispose()
    return ground.secretary


_PARENTS = {"dwelling": "building", "household": "dwelling", "person": "residence_household"}


def _row(house: House, home: str, one: dict[str, Any], number: int) -> tuple[Any, ...]:
    kind, fields = one["type"], one["set"]
    form = house.registry.latest(kind)
    fields = fields | {name: mask_value(form.fields[name], fields[name]) for name in form.secret_fields if name in fields}
    parent, point = fields.get(_PARENTS.get(kind, "")), fields.get("anchor", {})
    body = orjson.dumps(fields, option=orjson.OPT_SORT_KEYS).decode()
    return (
        COMMUNITY, one["id"], kind, 1, "0" * 16, "live", home, parent, body, point.get("lon"), point.get("lat"), 1, "i",
        number + 1, _AT, _AT, _AT,
    )  # fmt: skip


def export_lines(folder: Path, secretary: Actor, rounds: int) -> list[Line]:
    """Exports of every person with personal fields, beside bare loops over the same rows; no server is running."""
    house = house_of(create_app(Settings.in_folder(folder)))
    worker = Worker(house)
    lines = []
    for format_name, suffix, bar, bare in (
        ("geojson", "geojson", 0.5, _bare_geojson), ("geopackage", "gpkg", 0.67, _bare_geopackage),
    ):  # fmt: skip
        ours, floor, count = [], [], 0
        target = folder / f"bare.{suffix}"
        for _ in range(rounds):
            request(house, secretary, format_name)
            ours.append(_seconds(worker.run_all))
            target.unlink(missing_ok=True)
            started, cpu = time.perf_counter(), time.process_time()
            count = bare(folder / "dishu.sqlite3", target)
            floor.append(Cost(time.perf_counter() - started, time.process_time() - cpu))
        lines.append(ratio(f"export of {count:,} persons, {format_name}", ours, floor, count, bar))
    house.engine.dispose()
    return lines


def _seconds(work: Callable[[], object]) -> Cost:
    started, cpu = time.perf_counter(), time.process_time()
    work()
    return Cost(time.perf_counter() - started, time.process_time() - cpu)


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
