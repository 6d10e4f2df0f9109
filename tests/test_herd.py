"""After a weekend everybody comes online at once: all of them finish, nothing is lost, nobody waits much longer than the others."""

from __future__ import annotations

import http.client
import json
import random
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from kills_kit import Program, free_port, office
from server_kit import building, create, furnish

from server.services import enrolment
from server.services.verify import verify

BATCH = 50


@dataclass
class Told:
    """What the phones saw, all together."""

    waits: list[float] = field(default_factory=list)
    refused: int = 0
    answered: int = 0
    other: list[object] = field(default_factory=list)
    gate: threading.Lock = field(default_factory=threading.Lock)

    def percentile(self, part: float) -> float:
        """Seconds that this part of the accepted pushes took at most."""
        return sorted(self.waits)[min(len(self.waits) - 1, int(part * len(self.waits)))]


def phone(port: int, install_id: str, token: str, operations: int, begin: float, told: Told) -> None:
    """One phone with its weekend's work: pushes in batches, waits as it is told, comes back."""
    made = building(0)
    work = [made, *(create("dwelling", {"building": made["id"], "door_number": str(n)}) for n in range(operations - 1))]
    time.sleep(max(0.0, begin - time.monotonic()))
    n, op_id, line = 0, None, None
    while n < operations:
        groups = [{"ops": [{"n": n + place, "op": json.dumps(one)}]} for place, one in enumerate(work[n : n + BATCH], 1)]
        body = {"protocol": 1, "install_id": install_id, "after": {"n": n, "op_id": op_id}, "scope": {"version": 1, "last_n": 0},
                "groups": groups}  # fmt: skip
        started = time.monotonic()
        try:
            line = line or http.client.HTTPConnection("127.0.0.1", port, timeout=300)
            headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
            line.request("POST", "/api/v1/sync/push", json.dumps(body), headers)
            answer = line.getresponse()
            said, status = json.loads(answer.read()), answer.status
        except (OSError, http.client.HTTPException):
            line = None  # a full queue of the system: come back
            with told.gate:
                told.refused += 1
            time.sleep(random.uniform(0.5, 1.5))
            continue
        if status == 503:
            with told.gate:
                told.refused += 1
            time.sleep(float(answer.headers["Retry-After"]) * random.uniform(0.5, 1.5))
            continue
        with told.gate:
            told.waits.append(time.monotonic() - started)
            if status != 200 or any(one["now"]["outcome"] != "applied" for one in said["results"]):
                told.other.append((status, said))
                return
            told.answered += len(said["results"])
        n, op_id = said["applied"]["n"], said["applied"]["op_id"]


def herd(url: str, folder: Path, *, phones: int, operations: int, within_s: float) -> None:
    """Let so many phones come online within some seconds, and judge what is there afterwards."""
    program = Program(url, folder, free_port(), folder / "server.log")
    with office(url, folder) as ground:
        first = ground.worker(0)
        devices = []
        for _ in range(phones):
            made = enrolment.enrol(
                ground.house, enrolment.create_code(ground.house, ground.secretary, first.user_id)[0], label="phone", app_version="1"
            )
            devices.append((made.install_id, made.device_token))
    program.start()
    try:
        _listens(program)
        told, start = Told(), time.monotonic() + 0.2
        threads = [
            threading.Thread(
                target=phone, args=(program.port, *one, operations, start + within_s * place / phones, told), daemon=True
            )
            for place, one in enumerate(devices)
        ]
        for one in threads:
            one.start()
        for one in threads:
            one.join(1800)
        took = time.monotonic() - start
        memory = max(_memory(pid) for pid in program.family())
    finally:
        program.kill()
    p50, p95 = told.percentile(0.5), told.percentile(0.95)
    sys.stdout.write(
        f"{phones} phones × {operations} operations within {within_s:g} s: {took:.1f} s, {phones * operations / took:,.0f} operations/s, "
        f"accepted pushes p50 {p50:.2f} s, p95 {p95:.2f} s, refused {told.refused}, memory {memory / 1e6:,.0f} MB\n"
    )
    assert not told.other, told.other[:1]
    assert told.answered == phones * operations
    log = program.log.read_text("utf-8", "replace")
    assert "database is locked" not in log and "OperationalError" not in log and "unexpected" not in log, log[-2000:]
    with office(url, folder) as ground:
        assert ground.rows("SELECT count(*) FROM operation WHERE now = 'applied'")[0][0] >= phones * operations
        assert ground.rows("SELECT count(*) FROM record WHERE type IN ('building', 'dwelling')")[0][0] == phones * operations
        assert verify(ground.house).agrees
    if within_s == 0.0 and url.startswith("sqlite"):  # all wait in the same line; whoever comes while it is short has luck
        assert p95 <= max(2 * p50, 1.0), (p50, p95)


def _listens(program: Program) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            line = http.client.HTTPConnection("127.0.0.1", program.port, timeout=5)
            line.request("GET", "/healthz")
            if line.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.05)
    raise AssertionError(program.log.read_text("utf-8", "replace")[-2000:])


def _memory(pid: int) -> int:
    """The most bytes that a process has had in memory; 0 where it is gone."""
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return int(text.partition("VmHWM:")[2].split()[0]) * 1024


def test_a_small_herd_comes_online_at_once(prepared_database, tmp_path):
    """Thirty phones with twenty operations each, at the same moment: all finish, nothing is lost; on SQLite they wait alike."""
    herd(prepared_database(furnish), tmp_path, phones=30, operations=20, within_s=0.0)


@pytest.mark.long
def test_the_monday_morning_of_five_hundred_phones(prepared_database, tmp_path):
    """500 phones within one minute after a weekend, 200 operations each."""
    herd(prepared_database(furnish), tmp_path, phones=500, operations=200, within_s=60.0)


@pytest.mark.long
def test_512_pushes_at_the_same_moment(prepared_database, tmp_path):
    """512 phones push at once and go on without a pause: no busy database, refusals are retried; on SQLite accepted ones wait alike."""
    herd(prepared_database(furnish), tmp_path, phones=512, operations=100, within_s=0.0)
