"""Servers under measurement: started as processes of their own, asked over HTTP, their CPU time read from /proc."""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

ROOT = Path(__file__).resolve().parent.parent
_TICK_S = 1 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Cost:
    """What one request cost: seconds by the clock, CPU-seconds of the server's processes."""

    wall_s: float
    cpu_s: float


class Served:
    """A running server: ``ask`` it, measured."""

    def __init__(self, process: subprocess.Popen[str], host: str, port: int) -> None:
        self.process = process
        self.address = f"http://{host}:{port}"
        self.place = (host, port)
        self._host, self._port = host, port
        self._connection = http.client.HTTPConnection(host, port, timeout=600)
        self.asked_s = 0.0
        """Seconds from the first byte of a request to the last one of its answer, of all of them."""

    def cpu_s(self) -> float:
        """User and system seconds that the server and its workers have used (10 ms steps); 0 without /proc."""
        return cpu_of_family(self.process.pid)

    def ask(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, bytes, Cost]:
        """Status, content and cost of one request on the kept connection."""
        sent = {"Content-Type": "application/json", "Accept-Encoding": "identity", **(headers or {})}
        cpu = self.cpu_s()
        started = time.perf_counter()
        try:
            status, content = self._once(method, path, body, sent)
        except (http.client.RemoteDisconnected, ConnectionError):  # the server had closed an idle connection
            self._connection.close()
            started = time.perf_counter()
            status, content = self._once(method, path, body, sent)
        wall = time.perf_counter() - started
        self.asked_s += wall
        return status, content, Cost(wall, self.cpu_s() - cpu)

    def _once(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> tuple[int, bytes]:
        self._connection.request(method, path, body, dict(headers))
        answer = self._connection.getresponse()
        return answer.status, answer.read()

    def post(self, path: str, content: Any, headers: Mapping[str, str] | None = None) -> tuple[Any, Cost]:
        """The decoded answer to a POST; RuntimeError when it is not 200. ``content`` may be encoded already."""
        body = content if isinstance(content, bytes) else orjson.dumps(content)
        status, answer, cost = self.ask("POST", path, body, headers)
        if status != 200:
            raise RuntimeError(f"POST {path}: {status} {answer[:400].decode('utf-8', 'replace')}")
        return orjson.loads(answer), cost


def cpu_of_family(pid: int) -> float:
    """CPU seconds of a process and those that it has started (10 ms steps); 0 without /proc."""
    return sum(_cpu_of(one) for one in _family(pid))


def _family(pid: int) -> list[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return [pid]
    return [pid, *(one for child in children for one in _family(int(child)))]


def _cpu_of(pid: int) -> float:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0.0
    fields = text.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * _TICK_S


@contextmanager
def served(command: list[str], environment: Mapping[str, str], log: Path) -> Iterator[Served]:
    """Start ``command``, wait for the address that it prints, stop it at the end."""
    names = ("DISHU_DATABASE_URL", "DISHU_KEY", "DISHU_KEY_FILE", "DISHU_DATA", "PORT")
    clean = {name: value for name, value in os.environ.items() if name not in names}
    with log.open("w") as handle:
        process = subprocess.Popen(
            command, cwd=ROOT, env=clean | dict(environment), stdout=subprocess.PIPE, stderr=handle, text=True
        )
        try:
            yield Served(process, *_address(process, log))
        finally:
            process.terminate()
            process.wait(40)


def _address(process: subprocess.Popen[str], log: Path) -> tuple[str, int]:
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("http://"):
            host, _, port = line.strip().removeprefix("http://").rstrip("/").rpartition(":")
            return host, int(port)
    raise RuntimeError(f"the server did not start: {log.read_text()[-2000:]}")


def product(folder: Path, database_url: str | None = None, *, workers: int = 1) -> Any:
    """`dishu serve` over a data folder that is prepared already; ``workers`` processes on PostgreSQL."""
    environment = {"DISHU_DATA": str(folder), "DISHU_ENROL_PER_MINUTE": "10000"}
    if database_url is not None:
        environment["DISHU_DATABASE_URL"] = database_url
    code = "from server.cli import main; main()"
    command = [sys.executable, "-c", code, "serve", "--port", "0", "--no-jobs", "--workers", str(workers)]
    return served(command, environment, folder / "server.log")


def floors(folder: Path) -> Any:
    """The floors, see `bench.floors`."""
    return served([sys.executable, "-m", "bench.floors", str(folder)], {}, folder / "floors.log")
