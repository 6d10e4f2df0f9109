"""Trials of served programs under twenty phones: killed, cut off, filled up; and the judge of what is left.

A trial prints its seed; DISHU_KILLS_SEED gives the same phones the same wishes again (moments in time differ).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import secrets
import signal
import socket
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from kills_devices import Device, World
from server_kit import COMMUNITY, KEY, Ground, anchor, create, home, open_ground
from stream_oracle import recount

from forms.registry import load_registry
from server.house import uuid7
from server.services import enrolment
from sync.device import HttpTransport, Phone

ROOT = Path(__file__).resolve().parent.parent
PHONES = 20
_IDLE_CPU_S = 2.0  # a program that only looks for jobs uses less in a minute
FINAL = {"applied", "merged", "unchanged", "conflict"}
_PROGRAM = "from server.cli import main; main()"


# ---------------------------------------------------------------- the program
@dataclass
class Program:
    """`dishu serve` in a process group of its own, always at the same port."""

    url: str
    folder: Path
    port: int
    log: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; nobody waits until it listens."""
        with self.log.open("ab") as log:
            command = ["serve", "--port", str(self.port), "--data", str(self.folder), "--workers", "2"]
            self.process = subprocess.Popen(
                [sys.executable, "-c", _PROGRAM, *command],
                cwd=ROOT, env=environment(self.url), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    @property
    def running(self) -> bool:
        """Whether it was started and has not ended."""
        return self.process is not None and self.process.poll() is None

    def kill(self) -> None:
        """SIGKILL to all of its processes at once."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(20)

    def family(self) -> list[int]:
        """Process ids of master and workers."""
        assert self.process is not None
        return [int(one) for one in os.listdir("/proc") if one.isdigit() and _group_of(int(one)) == self.process.pid]

    def complaints(self) -> list[str]:
        """What its log says of faults of its own."""
        lines = self.log.read_text("utf-8", "replace").splitlines()
        return [one for one in lines if any(word in one for word in ("Traceback", "quarantined", "group by group", "unexpected"))]


def _ticks(pid: int) -> int:
    """What a process has had of a processor, in clock ticks; 0 for one that is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return int(fields[11]) + int(fields[12])


def _group_of(pid: int) -> int | None:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return None


def environment(url: str) -> dict[str, str]:
    """The environment of a program over this database."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DISHU_") and name != "PORT"}
    return kept | {"DISHU_DATABASE_URL": url, "DISHU_KEY": KEY.hex(), "DISHU_ENROL_PER_MINUTE": "10000"}


def free_port() -> int:
    """A port below those that the system hands out: a client who tries a closed port there cannot meet itself."""
    while True:
        port = 20_000 + secrets.randbelow(10_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


# ---------------------------------------------------------------- a trial
@dataclass
class Trial:
    """Programs, phones, and chance."""

    url: str
    folder: Path
    seed: int
    chance: random.Random
    world: World
    programs: list[Program]
    devices: list[Device] = field(default_factory=list)
    reader: Device | None = None

    @property
    def counts(self) -> Counter[str]:
        """What happened, by name."""
        return self.world.counts

    async def patiently(self, work: Coroutine[Any, Any, None], what: str) -> None:
        """Let it take as long as a busy machine needs; fail when for a minute nobody was answered and no program did anything."""
        task, before = asyncio.ensure_future(work), self._done()
        try:
            while not (await asyncio.wait({task}, timeout=60))[0]:
                now = self._done()
                assert now[0] > before[0] or now[1] > before[1] + _IDLE_CPU_S, f"a stall: {what}; {dict(self.counts)}"
                before = now
            task.result()
        finally:
            task.cancel()

    def _done(self) -> tuple[int, float]:
        """Answers so far, and seconds that the running programs have had of a processor."""
        ticks = sum(_ticks(pid) for one in self.programs if one.running for pid in one.family())
        return sum(number for name, number in self.counts.items() if "answered" in name), ticks / os.sysconf("SC_CLK_TCK")

    async def until_up(self, program: Program) -> None:
        """Wait for the first answer since the program was started."""
        await self.patiently(self._up(program), "a program that was started does not answer")

    async def _up(self, program: Program) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1):
                    await self.world.up[program.port].wait()
                    return
            assert program.running, "the program ended by itself:\n" + program.log.read_text("utf-8", "replace")[-3000:]

    async def until_answered(self, pushes: int) -> None:
        """Wait for so many more answers to pushes, from whichever program."""
        await self.patiently(self._answered(self.counts["pushes answered"] + pushes), "pushes are not answered")

    async def _answered(self, wanted: int) -> None:
        while self.counts["pushes answered"] < wanted:
            await asyncio.sleep(0.01)

    async def restart(self, program: Program) -> None:
        """Kill and start again at once."""
        self.counts["kills"] += 1
        self.counts["pushes under way at a kill"] += self.world.in_flight
        program.kill()
        self.world.up[program.port] = asyncio.Event()
        program.start()

    async def kills(self, program: Program, times: int) -> None:
        """Kill the program at random moments: mostly while it serves, now and then while it starts."""
        for _ in range(times):
            if self.chance.random() < 0.15:
                await asyncio.sleep(self.chance.uniform(0, 1.5))
            else:
                await self.until_up(program)
                await self.until_answered(self.chance.randrange(16))
                await asyncio.sleep(self.chance.uniform(0, 0.4))
            await self.restart(program)
        await self.until_up(program)

    async def run(self, trouble: Callable[[Trial], Awaitable[None]]) -> None:
        """Phones live while there is trouble; then everything settles."""
        async with asyncio.TaskGroup() as group:
            for device in self.devices:
                group.create_task(device.live())
            group.create_task(self.reader.follow())
            await trouble(self)
            self.world.stop = True
        await self.patiently(self._settled(), "phones do not settle")
        await self.patiently(self._nothing_waits(), "what was held is not released")
        await asyncio.gather(*[one.tell_again() for one in self.devices])
        await asyncio.gather(*[one.settle() for one in [*self.devices, self.reader]])

    async def _settled(self) -> None:
        async with asyncio.TaskGroup() as group:
            for device in self.devices:
                group.create_task(device.settle())

    async def _nothing_waits(self) -> None:
        """What waited for a parent is released: by whoever brought it, else by the sweep at a start (or within a minute)."""
        try:
            async with asyncio.timeout(3):
                await self._released()
        except TimeoutError:
            self.counts["releases left to the sweep"] += 1
            self.programs[0].kill()
            self.world.up[self.programs[0].port] = asyncio.Event()
            self.programs[0].start()
            async with asyncio.timeout(600):  # asking is answered all the time: this is no stall that could be seen otherwise
                await self._released()

    async def _released(self) -> None:
        for device in self.devices:
            for entry in device.log:
                if (entry.now["outcome"], entry.now["reason"]) == ("held", "parent"):
                    while device.statuses.get(entry.op["op_id"], 1) == 1:
                        await device.pull(None)
                        await asyncio.sleep(0.05)


@contextlib.contextmanager
def trial(url: str, folder: Path, *, programs: int = 1, phones: int = PHONES) -> Iterator[Trial]:
    """Enrolled phones and started programs; at the end no process is left, and a failure tells the seed."""
    seed = int(os.environ.get("DISHU_KILLS_SEED") or secrets.randbelow(10**9))
    chance = random.Random(seed)
    world = World([free_port() for _ in range(programs)])
    served = [Program(url, folder / f"data-{port}", port, folder / f"server-{port}.log") for port in world.ports]
    world.up = {one.port: asyncio.Event() for one in served}
    run = Trial(url, folder, seed, chance, world, served)
    try:
        with office(url, folder) as ground:
            _enrol(ground, run, phones)
        for one in served:
            one.start()
        yield run
        faults = [line for one in served for line in one.complaints()]
        assert not faults, "\n".join(faults[:20])
    finally:
        print(f"seed {seed}:", ", ".join(f"{name} {count:,}" for name, count in sorted(run.counts.items())))
        for one in served:
            one.kill()


@contextlib.contextmanager
def office(url: str, folder: Path) -> Iterator[Ground]:
    """The house opened in this process, beside the served ones."""
    ground = open_ground(url, folder / "office", lambda: datetime.now(UTC))
    try:
        yield ground
    finally:
        ground.close()


def _enrol(ground: Ground, run: Trial, phones: int) -> None:
    """Four workers share all cells with their phones, a fifth has two of three; all know one stock of supplies."""
    workers = [ground.worker(0, 1, 2) for _ in range(4)] + [ground.worker(0, 1)]
    stock = create("resource", {"name": "矿泉水", "kind": "supply", "quantity": 0, "anchor": anchor(0)})
    workers[0].write(stock)
    workers[0].push(*[home(number % 3, "王一", "王二").operations for number in range(12)])
    run.world.stock = stock["id"]
    for number in range(phones + 1):
        made, _ = enrolment.create_code(ground.house, ground.secretary, workers[number % 5 if number else 0].user_id)
        given = enrolment.enrol(ground.house, made, label="phone", app_version="1")
        device = Device(run.world, given.install_id, given.device_token, random.Random(run.chance.random()))
        if number:
            run.devices.append(device)
        else:
            run.reader = device


# ---------------------------------------------------------------- the judge
def judge(run: Trial) -> None:
    """Everything acknowledged is there with its outcome; counts, copies, journal and values agree."""
    with office(run.url, run.folder) as ground:
        _check_operations(run, ground)
        _check_values(run, ground)
        _check_reader(run.reader, ground)
        recount(ground)
        user = ground.rows("SELECT user_id FROM install WHERE install_id = ?", run.devices[0].install_id)[0].user_id
        code, _ = enrolment.create_code(ground.house, ground.secretary, user)
        counters = {row.stream_id: row for row in ground.rows("SELECT * FROM stream WHERE community_id = ?", COMMUNITY)}
    _check_convergence(run, counters, code)
    command = [sys.executable, "-c", _PROGRAM, "verify"]
    told = subprocess.run(command, cwd=ROOT, env=environment(run.url), capture_output=True, text=True, timeout=300)
    assert told.returncode == 0 and "journal and database agree" in told.stdout, told.stdout + told.stderr


def _check_operations(run: Trial, ground: Ground) -> None:
    """The operation table has every log entry at its n with the answer that was given; n has no gap."""
    stored: dict[str, list[Any]] = defaultdict(list)
    columns = "install_id, n, op_id, first, first_reason, now, now_reason, arrived_at"
    for row in ground.rows(f"SELECT {columns} FROM operation WHERE community_id = ? ORDER BY install_id, n", COMMUNITY):
        stored[row.install_id].append(row)
    lasts = {row.install_id: (row.last_n, row.last_op_id) for row in ground.rows("SELECT install_id, last_n, last_op_id FROM install")}
    for device in run.devices:
        rows = stored[device.install_id]
        assert [row.n for row in rows] == list(range(1, len(device.log) + 1)), "n is contiguous and complete"
        for row, entry in zip(rows, device.log, strict=True):
            assert (row.op_id, row.first, row.first_reason) == (entry.op["op_id"], entry.first["outcome"], entry.first["reason"])
            assert (row.now, row.now_reason) != ("held", "parent"), "every parent came in the end"
            run.counts["operations"] += 1
            run.counts[f"first {row.first}"] += 1
            run.counts[entry.op["kind"]] += 1
            run.counts["written though the answer was lost"] += row.arrived_at <= entry.unanswered_at
            run.counts["released after being held"] += (row.first, row.now in FINAL) == ("held", True)
        assert lasts[device.install_id] == ((rows[-1].n, rows[-1].op_id) if rows else (0, None))


def _check_values(run: Trial, ground: Ground) -> None:
    """Movements of stock sum up, each once; every tag that was accepted is on its household, and no other."""
    total, tags = 0, defaultdict(set)
    outcomes = {row.op_id: row.now for row in ground.rows("SELECT op_id, now FROM operation WHERE canonical = 1")}
    for entry in (entry for device in run.devices for entry in device.log):
        if outcomes[entry.op["op_id"]] not in FINAL:
            continue
        values = entry.op["set"]
        if entry.op["type"] == "resource":
            total += values["quantity"]["delta"]
        if "tags" in values:
            tags[entry.op["id"]].update(values["tags"]["add"])
    assert ground.fields(run.world.stock)["quantity"] == total
    for row in ground.rows("SELECT id, fields FROM record WHERE community_id = ? AND type = 'household'", COMMUNITY):
        assert set(orjson.loads(row.fields).get("tags", [])) == tags.pop(row.id, set())
    assert not tags


def _check_reader(reader: Device, ground: Ground) -> None:
    """Who paged all the while has seen each change that stands exactly once, and none twice.

    The removal of a record that was gone before the reader came to its stream is no change to the reader.
    """
    assert set(reader.seen.values()) <= {1}, "no row came twice under one number"
    streams = set(reader.told)
    for row in ground.rows("SELECT stream_id, seq, kind, record_id FROM feed WHERE community_id = ?", COMMUNITY):
        never_there = row.kind == "REMOVE" and (row.stream_id, row.record_id) not in reader.shown
        assert row.stream_id not in streams or never_there or reader.seen[row.stream_id, row.seq] == 1, row


def _check_convergence(run: Trial, counters: dict[str, Any], code: str) -> None:
    """A fresh phone, every phone of the trial, and the server hold the same digests."""
    for device in [*run.devices, run.reader]:
        for stream, total in device.told.items():
            row = counters.get(stream)
            assert row is None or (row.seq, row.count, row.digest) == (total["seq"], total["count"], total["digest"]), stream
    # One that was started again for its sweep may still be about to open; another has answered.
    port = next(one.port for one in run.programs if one.running and run.world.up[one.port].is_set())
    fresh = Phone(run.folder / "fresh", HttpTransport(f"http://127.0.0.1:{port}"), lambda: datetime.now(UTC), uuid7, load_registry())
    try:
        fresh.enrol(code, label="fresh phone")
        report = fresh.pull()
        assert report.complete and report.rebuilt == []
        for stream, total in fresh.digests().items():
            if stream in counters:
                assert (total["count"], total["digest"]) == (counters[stream].count, counters[stream].digest), stream
        assert set(fresh.digests()) >= {one for one in counters if one.startswith("cell/")}
        run.counts["records on a fresh phone"] = sum(total["count"] for total in fresh.digests().values())
    finally:
        fresh.close()


def together(*jobs: Awaitable[None]) -> Awaitable[Any]:
    """Several troubles at once."""
    return asyncio.gather(*jobs)


def perform(run: Trial, trouble: Callable[[Trial], Awaitable[None]], *, limit_s: float) -> None:
    """Run a trial within a time, then judge it."""

    async def bounded() -> None:
        async with asyncio.timeout(limit_s):
            await run.run(trouble)

    # In a thread of its own: a browser suite that ran before in this process has left its event loop in this one.
    with ThreadPoolExecutor(1) as aside:
        aside.submit(asyncio.run, bounded()).result()
    judge(run)


