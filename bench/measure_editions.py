"""Publishing beside its floors: the dry run beside placing bare points, the write lock beside a bulk update of what moves."""

from __future__ import annotations

import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import shapely

from bench.report import Line
from geo.cell import Cell
from geo.cells import DraftEdition
from geo.locate import CellIndex
from server.app import create_app, house_of
from server.models import feed, record, stream
from server.services import communities, editions
from server.services.accounts import OPERATOR
from server.services.drafts import keep_draft
from server.settings import Settings
from server.start import prepare
from server.store import database
from server.store.database import insert_rows, read, write
from sync.digest import MODULUS, record_hash, to_hex

CODE = "999999001001"
WEST, SOUTH, SIZE = 120.6, 31.3, 0.002
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
        lons, lats = _fill(house, CellIndex(before.cells), records)
        edition_id, _ = keep_draft(house, OPERATOR, "c", after)
        index = CellIndex(after.cells)
        started = time.perf_counter()
        index.locate_many(lons=lons, lats=lats)
        raw_s = time.perf_counter() - started
        with read(house.engine) as connection:
            started = time.perf_counter()
            prospect = editions.foresee(connection, house, "c", edition_id)
            dry_s = time.perf_counter() - started
        moved = [(one.to_home, "c", one.id) for one in prospect.plan.moves.values()]
        floor_s = _bulk_update(house, moved)
        with _held() as held:
            editions.publish_draft(house, OPERATOR, "c", edition_id)
        house.engine.dispose()
        note = f"{len(lons):,} located, {len(moved):,} of {records:,} move: {dry_s:.2f} s; placing the bare points {raw_s:.3f} s"
        return [
            Line(f"dry run over {records:,} records", records / dry_s, "records/s", note=note),
            Line(
                "write lock of publishing", held[-1] / floor_s, "times a bulk update of what moves",
                note=f"{held[-1]:.2f} s beside {floor_s:.2f} s for {len(moved):,} rows; wanted are 2 times",
            ),
        ]  # fmt: skip


def _row(count: int, shift: float, first: int) -> DraftEdition:
    """Cells side by side over the same ground, whose inner borders lie so much farther east."""
    edges = [0.0, *(number + shift for number in range(1, count)), float(count)]
    made = []
    for number in range(count):
        box = shapely.box(WEST + edges[number] * SIZE, SOUTH, WEST + edges[number + 1] * SIZE, SOUTH + SIZE)
        code = f"{CODE}{first + number:03d}"
        made.append(Cell(f"id-{number}", code, "", shapely.set_precision(box, 1e-7)))
    return DraftEdition(tuple(made), (), "cgcs2000")


def _fill(house: Any, index: CellIndex, count: int) -> tuple[Any, Any]:
    """Buildings with a dwelling, a household and two persons each, in rows as the server writes them."""
    chance, at = np.random.default_rng(1), "2026-03-01T00:00:00.000Z"
    number = count // len(_CHAIN)
    lons = np.round(chance.uniform(WEST, WEST + len(index) * SIZE, number), 7)
    lats = np.round(chance.uniform(SOUTH, SOUTH + SIZE, number), 7)
    homes = [f"cell/{index.cell_ids[place]}" for place in index.locate_many(lons=lons, lats=lats).tolist()]
    rows, feed_rows, totals = [], [], {home: [0, 0, 0] for home in homes}
    for lon, lat, home in zip(lons.tolist(), lats.tolist(), homes, strict=True):
        holder = None
        for kind in _CHAIN:
            record_id, parent = str(uuid.UUID(bytes=chance.bytes(16))), holder
            values: dict[str, Any] = {"anchor": {"lon": lon, "lat": lat, "datum": "cgcs2000", "method": "survey"}}
            if kind != "building":
                values = {_HELD_BY[kind]: parent}
            tag = record_id[:8] * 2
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
    return lons, lats


def _bulk_update(house: Any, rows: list[tuple[str, str, str]]) -> float:
    """What the database itself takes to give these rows another home, rolled back."""
    with house.engine.connect() as connection:
        connection.exec_driver_sql("SELECT 1")
        started = time.perf_counter()
        connection.exec_driver_sql("UPDATE record SET home = ? WHERE community_id = ? AND id = ?", rows)
        taken = time.perf_counter() - started
        connection.rollback()
    return taken


@contextmanager
def _held() -> Iterator[list[float]]:
    """How long each turn of the write queue holds the lock, in order."""
    times: list[float] = []
    turn = database.WriteQueue.turn

    @contextmanager
    def timed(queue: database.WriteQueue) -> Iterator[None]:
        with turn(queue):
            started = time.perf_counter()
            try:
                yield
            finally:
                times.append(time.perf_counter() - started)

    database.WriteQueue.turn = timed  # type: ignore[method-assign]
    try:
        yield times
    finally:
        database.WriteQueue.turn = turn  # type: ignore[method-assign]
