"""Publishing beside its floors: the dry run beside placing bare points, the write lock beside a bulk update of what moves."""

from __future__ import annotations

import sqlite3
import statistics
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import orjson
import shapely

from bench.report import Line
from geo.cell import Cell
from geo.cells import DraftEdition
from geo.locate import CellIndex
from server.app import create_app, house_of
from server.models import feed, record, stream
from server.serve import calm_collector
from server.services import accounts, communities, editions, moves_told
from server.services.accounts import OPERATOR
from server.services.audit import Look
from server.services.drafts import keep_draft
from server.settings import Settings
from server.start import prepare
from server.store import database
from server.store.database import insert_rows, read, write
from sync.digest import MODULUS, record_hash, to_hex

CODE = "999999001001"
WEST, SOUTH, SIZE = 120.6, 31.3, 0.002
_FIRST_MS = 1_772_323_200_000
_CHAIN = ("building", "dwelling", "household", "person", "person")
_HELD_BY = {"dwelling": "building", "household": "dwelling", "person": "residence_household"}


def publishing(records: int, cells: int = 100, shift: float = 0.5) -> list[Line]:
    """A community of so many records whose cells all move east by a share of their width; about that share of records moves."""
    with tempfile.TemporaryDirectory(prefix="dishu-bench-") as name:
        house = house_of(create_app(Settings.in_folder(Path(name), key=bytes(32))))
        prepare(house)
        communities.add_community(house, OPERATOR, code=CODE, name="某社区", community_id="c")
        before, after = _row(cells, 0.0, 1), _row(cells, shift, 500)
        editions.publish_edition(house, OPERATOR, "c", before)
        located = _fill(house, CellIndex(before.cells), records)
        edition_id, _ = keep_draft(house, OPERATOR, "c", after)
        calm_collector()  # as in the served program
        raw, dry = [], []
        for _ in range(3):
            taken, points_s = _placed_anew(house, after)
            raw.append(taken)
            dry.append(_dry_run(house, edition_id))
        with read(house.engine) as connection:
            prospect = editions.foresee(connection, house, "c", edition_id)
        (raw_s, raw_cpu_s), (dry_s, dry_cpu_s) = ((statistics.median(part) for part in zip(*one, strict=True)) for one in (raw, dry))
        moved = [(one.to_home, "c", one.id) for one in prospect.plan.moves.values()]
        floors = [_bulk_update(Path(name), moved) for _ in range(2)]
        with _held() as held:
            editions.publish_draft(house, OPERATOR, "c", edition_id)
        floors.append(_bulk_update(Path(name), [(home, "c", one) for home, (_, _, one) in zip(_before(prospect), moved, strict=True)]))
        house.engine.dispose()
        floor_s, floor_cpu_s = (statistics.median(one) for one in zip(*floors, strict=True))
        wall_s, cpu_s = held[-1]
        note = (
            f"{located:,} located, {len(moved):,} of {records:,} move: {dry_s:.2f} s beside {raw_s:.2f} s; "
            f"by CPU {dry_cpu_s / raw_cpu_s:.2f} times ({dry_cpu_s:.2f} beside {raw_cpu_s:.2f} s); "
            f"the bare points alone {points_s:.3f} s"
        )
        return [
            Line(f"dry run over {records:,} records", dry_s / raw_s, "times placing all anew", 2.0, note=note, most=True),
            Line(
                "write lock of publishing", wall_s / floor_s, "times a bulk update of what moves", 2.0, most=True,
                note=f"{wall_s:.2f} s beside {floor_s:.2f} s for {len(moved):,} rows; by CPU {cpu_s / floor_cpu_s:.2f} times "
                f"({cpu_s:.2f} beside {floor_cpu_s:.2f} s)",
            ),
        ]  # fmt: skip


def _dry_run(house: Any, edition_id: str) -> tuple[float, float]:
    """What somebody waits for who asks what a draft would move, when nobody has asked before: counts, pairs of cells and the first page."""
    moves_told._prospects.clear()
    look = Look(OPERATOR, "dry-run", "bench", None)
    started, cpu = time.perf_counter(), time.process_time()
    moves_told.dry_run(house, accounts.scope(house, OPERATOR), "c", edition_id, look)
    return time.perf_counter() - started, time.process_time() - cpu


def _before(prospect: Any) -> list[str]:
    return [one.from_home for one in prospect.plan.moves.values()]


def _placed_anew(house: Any, after: DraftEdition) -> tuple[tuple[float, float], float]:
    """The raw work: read what places every record, place the points, let the rest follow; and placing the points alone."""
    index = CellIndex(after.cells)
    homes = [*(f"cell/{one}" for one in index.cell_ids), "~unplaced"]
    with read(house.engine) as connection:
        started, cpu = time.perf_counter(), time.process_time()
        rows = connection.exec_driver_sql(
            "SELECT id, home, place_parent, lon, lat FROM record WHERE community_id = 'c' ORDER BY rowid"
        ).cursor.fetchall()
        points = [row for row in rows if row[3] is not None]
        lons, lats = np.array([row[3] for row in points]), np.array([row[4] for row in points])
        placing = time.perf_counter()
        found = index.locate_many(lons=lons, lats=lats).tolist()
        placed = time.perf_counter()
        now = {row[0]: homes[at] for row, at in zip(points, found, strict=True)}
        moves = 0
        for record_id, home, parent, lon, _ in rows:  # who holds others stands before them
            if lon is None and parent is not None:
                now[record_id] = now[parent]
            moves += now.get(record_id, home) != home
        return (time.perf_counter() - started, time.process_time() - cpu), placed - placing


def _row(count: int, shift: float, first: int) -> DraftEdition:
    """Cells side by side over the same ground, whose inner borders lie so much farther east."""
    edges = [0.0, *(number + shift for number in range(1, count)), float(count)]
    made = []
    for number in range(count):
        box = shapely.box(WEST + edges[number] * SIZE, SOUTH, WEST + edges[number + 1] * SIZE, SOUTH + SIZE)
        code = f"{CODE}{first + number:03d}"
        made.append(Cell(f"id-{number}", code, "", shapely.set_precision(box, 1e-7)))
    return DraftEdition(tuple(made), (), "cgcs2000")


def _version_7(at_ms: int, rest: bytes) -> uuid.UUID:
    """An id as phones make them: by the time when it was made, then by chance."""
    return uuid.UUID(bytes=(_FIRST_MS + at_ms).to_bytes(6, "big") + bytes([0x70 | rest[0] & 15, rest[1], 0x80 | rest[2] & 63]) + rest[3:])


def _fill(house: Any, index: CellIndex, count: int) -> int:
    """Buildings with a dwelling, a household and two persons each, in rows as the server writes them."""
    chance, at = np.random.default_rng(1), "2026-03-01T00:00:00.000Z"
    number = count // len(_CHAIN)
    lons = np.round(chance.uniform(WEST, WEST + len(index) * SIZE, number), 7)
    lats = np.round(chance.uniform(SOUTH, SOUTH + SIZE, number), 7)
    homes = [f"cell/{index.cell_ids[place]}" for place in index.locate_many(lons=lons, lats=lats).tolist()]
    rows: list[tuple[Any, ...]] = []
    feed_rows, totals = [], {home: [0, 0, 0] for home in homes}
    for lon, lat, home in zip(lons.tolist(), lats.tolist(), homes, strict=True):
        holder: str | None = None
        for kind in _CHAIN:
            record_id, parent = str(_version_7(len(rows), chance.bytes(10))), holder
            values: dict[str, Any] = {"anchor": {"lon": lon, "lat": lat, "datum": "cgcs2000", "method": "survey"}}
            if kind != "building":
                values = {_HELD_BY[kind]: parent}
            tag = record_id[-8:] * 2
            rows.append(
                ("c", record_id, kind, 1, tag, "live", home, None if kind == "building" else parent,
                 orjson.dumps(values).decode(), lon if kind == "building" else None, lat if kind == "building" else None,
                 1, "i", len(rows) + 1, at, at, at)
            )  # fmt: skip
            told = totals[home]
            told[0], told[1] = told[0] + 1, told[1] + 1
            told[2] = (told[2] + record_hash(record_id, 1, tag)) % MODULUS
            feed_rows.append(("c", home, told[0], record_id, "PUT", None, 1, tag))
            if kind != "person":
                holder = record_id
    columns = (
        "community_id", "id", "type", "v", "tag", "life", "home", "place_parent", "fields", "lon", "lat", "form_version",
        "created_install", "created_n", "created_at", "updated_at", "fresh_at",
    )  # fmt: skip
    with write(house.engine) as connection:
        insert_rows(connection, record, columns, rows)
        names = ("community_id", "stream_id", "seq", "record_id", "kind", "reason", "v", "tag")
        insert_rows(connection, feed, names, feed_rows)
        counters = [("c", home, told[0], told[1], to_hex(told[2])) for home, told in totals.items()]
        tail = (
            "ON CONFLICT (community_id, stream_id) DO UPDATE SET seq = excluded.seq, count = excluded.count, "
            "digest = excluded.digest"
        )
        insert_rows(connection, stream, ("community_id", "stream_id", "seq", "count", "digest"), counters, tail)
    return number


def _bulk_update(folder: Path, rows: list[tuple[str, str, str]]) -> tuple[float, float]:
    """What the database itself takes to give these rows another home, commit included, on a copy; seconds, and of CPU."""
    copy = folder / "floor.sqlite3"
    for old in folder.glob("floor.sqlite3*"):
        old.unlink()
    with sqlite3.connect(folder / "dishu.sqlite3") as source, sqlite3.connect(copy) as target:
        source.backup(target)
    connection = sqlite3.connect(copy, isolation_level=None)
    for pragma in database._PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")
    connection.execute("SELECT count(*) FROM record").fetchone()
    started, cpu = time.perf_counter(), time.thread_time()
    connection.execute("BEGIN IMMEDIATE")
    connection.executemany("UPDATE record SET home = ? WHERE community_id = ? AND id = ?", rows)
    connection.execute("COMMIT")
    taken = time.perf_counter() - started, time.thread_time() - cpu
    connection.close()
    return taken


@contextmanager
def _held() -> Iterator[list[tuple[float, float]]]:
    """How long each turn of the write queue holds the lock, in order: seconds, and of CPU."""
    times: list[tuple[float, float]] = []
    turn = database.WriteQueue.turn

    @contextmanager
    def timed(queue: database.WriteQueue) -> Iterator[None]:
        with turn(queue):
            started, cpu = time.perf_counter(), time.thread_time()
            try:
                yield
            finally:
                times.append((time.perf_counter() - started, time.thread_time() - cpu))

    with patch.object(database.WriteQueue, "turn", timed):
        yield times
