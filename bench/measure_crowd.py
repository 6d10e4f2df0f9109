"""Many at once: hundreds of connections that push into SQLite at the same moment; four processes on PostgreSQL beside one."""

from __future__ import annotations

import http.client
import json
import os
import random
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import served
from bench.phone import BenchPhone
from bench.postgres import running_postgres
from bench.report import Line, median
from bench.served import Served
from bench.workload import Ground, Maker, anchor, lay_ground, push_body
from server.app import create_app, house_of
from server.settings import Settings
from server.start import prepare

EACH = 10
"""Operations in one push of the crowd."""
CORES = 4
"""Processors from which on four processes must do more than one."""
BATCH = 200
"""Operations in one push to PostgreSQL."""
_BUSY = ("database is locked", "OperationalError")


@dataclass
class _Told:
    waits: list[float] = field(default_factory=list)
    refused: int = 0
    lost: int = 0
    gate: threading.Lock = field(default_factory=threading.Lock)


def crowd(connections: int, pushes: int, say: Callable[[str], None]) -> list[Line]:
    """``connections`` phones push at the same moment, each ``pushes`` times behind each other, and come back where they are told to wait."""
    with tempfile.TemporaryDirectory(prefix="dishu-bench-") as name:
        folder = Path(name)
        ground = _prepared(folder, phones=connections)
        with served.product(folder) as product:
            phones = [BenchPhone(product, code) for code in ground.codes[0]]
            say(f"{len(phones)} phones are enrolled")
            told, start = _Told(), time.monotonic() + 0.5
            threads = [threading.Thread(target=_pushes, args=(product, one, pushes, start, told)) for one in phones]
            for one in threads:
                one.start()
            for one in threads:
                one.join()
            took = time.monotonic() - start
        log = (folder / "server.log").read_text("utf-8", "replace")
    waits = sorted(told.waits)
    p50, p95 = waits[len(waits) // 2], waits[int(0.95 * (len(waits) - 1))]
    note = f"p50 {p50:.2f} s, p95 {p95:.2f} s, {len(waits) * EACH / took:,.0f} operations/s; {told.refused} answers 503, all tried again"
    return [
        Line(f"wait of accepted pushes on {connections} connections, SQLite: p95 over p50", p95 / p50, "times", 2.0, most=True, note=note),
        Line("database-busy errors of that", float(sum(log.count(one) for one in _BUSY)), "errors", 0.0, most=True),
        Line("pushes of that which did not succeed in the end", float(connections * pushes - len(waits) + told.lost), "pushes", 0.0, most=True),
    ]


def _pushes(server: Served, phone: BenchPhone, pushes: int, start: float, told: _Told) -> None:
    host, _, port = server.address.removeprefix("http://").rpartition(":")
    maker, chance = Maker(), random.Random(phone.install_id)
    after: tuple[int, str | None] = (0, None)
    line = http.client.HTTPConnection(host, int(port), timeout=300)
    time.sleep(max(0.0, start - time.monotonic()))
    for _ in range(pushes):
        [group, *_] = maker.homes(EACH // 2)
        body = push_body(phone.install_id, after, [group[:EACH]], phone.scope)
        while True:
            began = time.monotonic()
            try:
                line.request("POST", "/api/v1/sync/push", body, {**phone.headers, "Content-Type": "application/json"})
                answer = line.getresponse()
                status, content, wait = answer.status, answer.read(), answer.headers.get("Retry-After", "1")
            except (OSError, http.client.HTTPException):  # a full queue of the system
                line.close()
                status, content, wait = 503, b"", "1"
            if status != 503:
                break
            with told.gate:
                told.refused += 1
            time.sleep(float(wait) * chance.uniform(0.5, 1.5))
        said: dict[str, Any] = json.loads(content) if status == 200 else {"results": []}
        with told.gate:
            told.waits.append(time.monotonic() - began)
            told.lost += status != 200 or {one["now"]["outcome"] for one in said["results"]} != {"applied"}
        if status != 200:
            return
        after = said["applied"]["n"], said["applied"]["op_id"]


def workers(rounds: int, say: Callable[[str], None]) -> list[Line]:
    """CPU-seconds of the server's processes for each operation: four of them beside one, on PostgreSQL, four devices at once, in turns."""
    costs: dict[int, list[float]] = {1: [], 4: []}
    rates: dict[int, list[float]] = {1: [], 4: []}
    with tempfile.TemporaryDirectory(prefix="dishu-bench-") as name, running_postgres(durable=True) as postgres:
        for turn in range(2):
            for count in (1, 4) if turn % 2 == 0 else (4, 1):
                url = postgres.create_database()
                folder = Path(name) / f"{turn}-{count}"
                folder.mkdir()
                ground = _prepared(folder, url, phones=3)
                with served.product(folder, url, workers=count) as product:
                    _four_devices(product, ground, rounds, costs[count], rates[count])
                postgres.drop_database(url)
                say(f"{count} of processes: {median(costs[count]) * 1e6:,.0f} µs of CPU for each operation")
    one, four = median(costs[1]), median(costs[4])
    note = f"{four * 1e6:,.0f} beside {one * 1e6:,.0f} µs; {median(rates[4]):,.0f}/s beside {median(rates[1]):,.0f}/s"
    return [
        Line("CPU for each operation on PostgreSQL, four processes beside one", four / one, "times", 1.1, most=True, note=note),
        throughput(median(rates[4]) / median(rates[1]), len(os.sched_getaffinity(0))),
    ]


def throughput(times: float, cores: int) -> Line:
    """How much more four processes do than one: judged where they can run beside each other, told elsewhere."""
    name = "operations each second on PostgreSQL, four processes beside one"
    if cores >= CORES:
        return Line(name, times, "times", 1.6, note=f"{cores} cores")
    return Line(name, times, "times", note=f"not judged: {cores} cores, and 1.6 times is promised where {CORES} or more are there")


def _four_devices(product: Served, ground: Ground, rounds: int, costs: list[float], rates: list[float]) -> None:
    host = product.address
    phones = [(BenchPhone(product, code), cell) for cell in (0, 1) for code in ground.codes[cell][:2]]
    makers = [Maker(seed) for seed in range(len(phones))]
    with ThreadPoolExecutor(len(phones)) as pool:
        for number in range(rounds + 1):
            groups = [
                [[maker.create("building", {"name": f"{n}幢", "anchor": anchor(maker.chance, cell)})] for n in range(BATCH)]
                for maker, (_, cell) in zip(makers, phones, strict=True)
            ]
            cpu, began = product.cpu_s(), time.perf_counter()
            done = [pool.submit(_one, host, phone, each) for (phone, _), each in zip(phones, groups, strict=True)]
            for one in done:
                one.result()
            if number:  # the first one warms up
                costs.append((product.cpu_s() - cpu) / (BATCH * len(phones)))
                rates.append(BATCH * len(phones) / (time.perf_counter() - began))


def _one(address: str, phone: BenchPhone, groups: list[list[dict[str, Any]]]) -> None:
    host, _, port = address.removeprefix("http://").rpartition(":")
    line = http.client.HTTPConnection(host, int(port), timeout=300)
    body = push_body(phone.install_id, phone.after, groups, phone.scope)
    line.request("POST", "/api/v1/sync/push", body, {**phone.headers, "Content-Type": "application/json"})
    answer = line.getresponse()
    content = answer.read()
    line.close()
    if answer.status != 200:
        raise RuntimeError(f"{answer.status} {content[:300]!r}")
    said = json.loads(content)
    phone.after = (said["applied"]["n"], said["applied"]["op_id"])


def _prepared(folder: Path, url: str | None = None, *, phones: int) -> Ground:
    changes = {"database_url": url} if url else {}
    house = house_of(create_app(Settings.in_folder(folder, **changes)))
    prepare(house)
    ground = lay_ground(house, phones=phones)
    house.engine.dispose()
    return ground
