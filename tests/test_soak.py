"""The served program under a long, even load: its memory comes to rest, however many operations there are already.

``DISHU_SOAK_OPERATIONS`` sets another number of operations than a million.
"""

from __future__ import annotations

import http.client
import json
import os
import sys
import threading
import time
from pathlib import Path

import pytest
from kills_kit import Program, free_port, office
from server_kit import furnish_wide, home, operation

from server.services import enrolment
from server.services.verify import verify

OPERATIONS = int(os.environ.get("DISHU_SOAK_OPERATIONS", "1000000"))
PHONES, BATCH, SAMPLES = 4, 240, 40
CELLS = 60
"""Of each phone: as there are more records there are more in a cell, up to some three thousand."""
MOST_GROWTH = 32 << 20
"""What a process may have more in the last quarter than in the quarter before, in bytes."""


class SoakPhone:
    """Records homes, writes about earlier ones, and pulls a page now and then; it remembers its last homes only."""

    def __init__(self, port: int, install_id: str, token: str, first_cell: int) -> None:
        self.port, self.install_id, self.token, self.first_cell = port, install_id, token, first_cell
        self.n, self.op_id, self.cursor = 0, None, None
        self.line: http.client.HTTPConnection | None = None
        self.known: list[str] = []
        self.wrong: list[object] = []

    def ask(self, what: str, body: dict[str, object]) -> dict[str, object]:
        """One request; a busy server is asked again when it said."""
        while True:
            self.line = self.line or http.client.HTTPConnection("127.0.0.1", self.port, timeout=300)
            headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
            try:
                self.line.request("POST", f"/api/v1/sync/{what}", json.dumps({"protocol": 1, "install_id": self.install_id} | body), headers)
                answer = self.line.getresponse()
                told = json.loads(answer.read())
            except (BrokenPipeError, ConnectionResetError, http.client.RemoteDisconnected):
                self.line = None  # it was idle for too long: the same bytes again (L6)
                continue
            if answer.status != 503:
                assert answer.status == 200, told
                return told
            time.sleep(float(answer.headers["Retry-After"]))

    def push(self, most: int) -> int:
        """One batch: groups of homes, and single patches of households seen before; how many operations it had."""
        groups, size = [], 0
        while size < min(most, BATCH):
            if self.known and len(groups) % 3:
                known = self.known[(self.n + size) % len(self.known)]
                group = [operation("patch", "household", known, {"phone": f"6222{(self.n + size) % 10_000:04d}"})]
            else:
                made = home(self.first_cell + (self.n + size) % CELLS, f"人{self.n + size}", "家人")
                self.known = [*self.known[-199:], made.household]
                group = made.operations
            groups.append({"ops": [{"n": self.n + size + place, "op": json.dumps(one)} for place, one in enumerate(group, 1)]})
            size += len(group)
        told = self.ask("push", {"after": {"n": self.n, "op_id": self.op_id}, "scope": {"version": 1, "last_n": 0}, "groups": groups})
        self.wrong += [one for one in told["results"] if one["now"]["outcome"] not in ("applied", "merged", "unchanged", "conflict")]
        self.n, self.op_id = told["applied"]["n"], told["applied"]["op_id"]
        return size

    def pull(self) -> None:
        """The next page; from the beginning again when there is no more."""
        told = self.ask("pull", {"cursor": self.cursor, "limit": 1000, "scope": {"version": 1}})
        self.cursor = None if told["complete"] else told["cursor"]


def resident_bytes(pids: list[int]) -> dict[int, int]:
    """What each process has in memory now, as Linux says."""
    found = {}
    for pid in pids:
        try:
            text = Path(f"/proc/{pid}/status").read_text()
        except OSError:
            continue
        if "VmRSS:" in text:
            found[pid] = int(text.partition("VmRSS:")[2].split()[0]) * 1024
    return found


def soak(url: str, folder: Path, operations: int) -> list[tuple[int, float, dict[int, int]]]:
    """Drive the program; (operations so far, seconds, bytes by process) as it went on."""
    program = Program(url, folder, free_port(), folder / "server.log")
    with office(url, folder) as ground:
        workers = [ground.worker(*range(first, first + CELLS)).user_id for first in range(0, PHONES * CELLS, CELLS)]
        made = [
            enrolment.enrol(ground.house, enrolment.create_code(ground.house, ground.secretary, worker)[0], label="soak", app_version="1")
            for worker in workers
        ]
    program.start()
    phones = [SoakPhone(program.port, one.install_id, one.device_token, place * CELLS) for place, one in enumerate(made)]
    done, gate, failed = [0], threading.Lock(), []

    def drive(phone: SoakPhone) -> None:
        try:
            rounds = 0
            while done[0] < operations:
                size = phone.push(operations - done[0])
                with gate:
                    done[0] += size
                rounds += 1
                if rounds % 4 == 0:
                    phone.pull()
        except Exception as error:
            failed.append(error)
            done[0] = operations

    samples: list[tuple[int, float, dict[int, int]]] = []
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                phones[0].pull()
                break
            except OSError:  # it does not listen yet
                phones[0].line = None
                assert time.monotonic() < deadline, program.log.read_text("utf-8", "replace")[-2000:]
                time.sleep(0.1)
        started = time.monotonic()
        threads = [threading.Thread(target=drive, args=(one,), daemon=True) for one in phones]
        for one in threads:
            one.start()
        while any(one.is_alive() for one in threads):
            if done[0] >= operations * len(samples) / SAMPLES:
                samples.append((done[0], time.monotonic() - started, resident_bytes(program.family())))
            time.sleep(0.2)
        samples.append((done[0], time.monotonic() - started, resident_bytes(program.family())))
    finally:
        program.kill()
    assert not failed, failed[0]
    assert not [one for phone in phones for one in phone.wrong]
    assert not program.complaints()
    return samples


@pytest.mark.long
def test_the_memory_of_the_served_program_comes_to_rest(prepared_database, tmp_path):
    """A million operations by four phones that also pull: no process has more in the last quarter than it had in the quarter before."""
    url = prepared_database(furnish_wide)
    samples = soak(url, tmp_path, OPERATIONS)
    for count, seconds, memory in samples[:: max(1, len(samples) // 10)] + samples[-1:]:
        told = ", ".join(f"{one / 1e6:,.0f}" for _, one in sorted(memory.items()))
        sys.stdout.write(f"{count:>9,} operations, {seconds:>7,.0f} s: {told} MB\n")
    assert samples[-1][2].keys() == samples[0][2].keys(), "nobody begins anew meanwhile"
    half, three = len(samples) // 2, 3 * len(samples) // 4
    for pid in samples[-1][2]:
        before = max(one.get(pid, 0) for _, _, one in samples[half:three])
        after = max(one.get(pid, 0) for _, _, one in samples[three:])
        assert after - before <= max(MOST_GROWTH, before // 10), f"process {pid} grew from {before:,} to {after:,} bytes"
    with office(url, tmp_path) as ground:
        assert ground.rows("SELECT count(*) FROM operation")[0][0] >= OPERATIONS
        assert verify(ground.house).agrees
