"""The first sync of a phone behind a line of 1 Mbit/s: bytes that really went over it, and the time beside what the line allows."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from bench import served
from bench.measure_sync import BATCH, prepare_ground
from bench.phone import BenchPhone
from bench.report import Line
from bench.served import Served
from bench.slow_line import SlowLine, slow_line
from bench.workload import Maker
from server.services.snapshots import zstd

BITS_S = 1e6
_PACKED = {"Accept-Encoding": "zstd"}


def line_lines(records: int, say: Callable[[str], None]) -> list[Line]:
    """First sync of so many persons and their homes by prepared files, and page by page, through the served program."""
    with tempfile.TemporaryDirectory(prefix="dishu-bench-") as name:
        ground = prepare_ground(Path(name))
        codes = list(ground.codes[0])
        with served.product(Path(name)) as product:
            _fill(BenchPhone(product, codes.pop()), records)
            BenchPhone(product, codes.pop()).prepared()  # the first phone of a cell waits for its file to be made; this is a later one
            say(f"{records:,} stored")
            lines = []
            for prepared in (True, False):
                with slow_line(product.place[0], product.place[1], BITS_S) as line:
                    phone = BenchPhone(Served(product.process, "127.0.0.1", line.port), codes.pop())
                    lines += _measured(phone, line, "by the prepared file" if prepared else "page by page", prepared=prepared)
            return lines


def _fill(writer: BenchPhone, records: int) -> None:
    maker, stored = Maker(), 0
    for group in maker.homes(records // 20):
        writer.push([group])
        stored += len(group)
    while stored < records:
        size = min(BATCH, records - stored)
        writer.push([[maker.person()] for _ in range(size)])
        stored += size


def _measured(phone: BenchPhone, line: SlowLine, how: str, *, prepared: bool) -> list[Line]:
    up, down, started = line.up, line.down, time.perf_counter()
    rows = _synced(phone, prepared=prepared)
    took, up, down = time.perf_counter() - started, line.up - up, line.down - down
    plain = b"".join(orjson.dumps(row["record"]) + b"\n" for row in rows if row["kind"] == "PUT")
    limit = down * 8 / BITS_S
    note = f"{len(rows):,} rows, {down:,} bytes down, {up:,} up; as JSON lines {len(plain):,}"
    return [
        Line(f"1 Mbit/s, first sync {how}: bytes", (up + down) / len(zstd.compress(plain)), "of the same records in zstd", 1.15, most=True, note=note),
        Line(f"1 Mbit/s, first sync {how}: time", took / limit, "of what the line allows", note=f"{took:.1f} s beside {limit:.1f} s"),
    ]


def _synced(phone: BenchPhone, *, prepared: bool) -> list[dict[str, Any]]:
    """Everything from zero, packed as a phone asks for it: the rows."""
    rows: list[dict[str, Any]] = []
    while True:
        asked = {"protocol": 1, "install_id": phone.install_id, "cursor": phone.cursor, "snapshots": prepared and phone.cursor is None}
        told = _asked(phone, "pull", asked)
        for one in told.get("snapshots", ()):
            asked = {"protocol": 1, "install_id": phone.install_id, "stream": one["stream"], "seq": one["seq"]}
            rows += _asked(phone, "snapshot", asked)["rows"]
        rows += told["rows"]
        phone.cursor = told["cursor"]
        if told["complete"]:
            return rows


def _asked(phone: BenchPhone, what: str, body: dict[str, Any]) -> dict[str, Any]:
    status, content, _ = phone.server.ask("POST", f"/api/v1/sync/{what}", orjson.dumps(body), {**phone.headers, **_PACKED})
    if status != 200:
        raise RuntimeError(f"{what}: {status}")
    found: dict[str, Any] = orjson.loads(zstd.decompress(content) if content[:4] == b"\x28\xb5\x2f\xfd" else content)
    return found
