"""What befalls a served program besides being killed: sessions that are ended, a database that restarts, a disk that is full."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Callable
from pathlib import Path

import psycopg
from kills_kit import Program, Trial
from sqlalchemy import make_url


async def cut_connections(run: Trial, times: int) -> None:
    """PostgreSQL ends sessions of the served programs at random moments: all of them, or half."""
    plain = make_url(run.url).set(drivername="postgresql").render_as_string(hide_password=False)
    await run.until_up(run.programs[0])
    statement = (
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid() AND (%s OR pid %% 2 = 0)"
    )
    with psycopg.connect(plain, autocommit=True) as connection:
        for _ in range(times):
            await asyncio.sleep(run.chance.uniform(0.02, 0.4))
            run.counts["pushes under way at a cut"] += run.world.in_flight
            row = connection.execute(statement, (run.chance.random() < 0.6,)).fetchone()
            run.counts["sessions ended"] += row[0] if row else 0
            run.counts["cuts"] += 1


async def restart_database(run: Trial, restart: Callable[[], None], times: int) -> None:
    """The database server crashes and starts again; the served programs go on by themselves."""
    await run.until_up(run.programs[0])
    for _ in range(times):
        await asyncio.sleep(run.chance.uniform(0.3, 1.5))
        run.counts["pushes under way at a restart"] += run.world.in_flight
        await asyncio.to_thread(restart)
        run.counts["database restarts"] += 1
        await _until_more(run, "pushes answered")


async def fill_disk(run: Trial, times: int) -> None:
    """No file of the program may grow further: pushes are answered 503; then there is room again and all goes on."""
    program = run.programs[0]
    await run.until_up(program)
    database = Path(make_url(run.url).database or "")
    for _ in range(times):
        await asyncio.sleep(run.chance.uniform(0.3, 1.0))
        files = [database, database.with_name(database.name + "-wal")]
        most = max(one.stat().st_size for one in files if one.exists()) + run.chance.randrange(200_000)
        _limit_files(program, most)
        name = "503 database-unreachable"
        await _until_more(run, name)
        before = run.counts["pushes answered"]
        for _ in range(3):
            await _until_more(run, name)
        run.counts["pushes answered while full"] += run.counts["pushes answered"] - before
        _limit_files(program, resource.RLIM_INFINITY)
        run.counts["times full"] += 1
        await _until_more(run, "pushes answered")


async def _until_more(run: Trial, name: str) -> None:
    before = run.counts[name]
    async with asyncio.timeout(60):
        while run.counts[name] == before:
            await asyncio.sleep(0.02)


def _limit_files(program: Program, size: int) -> None:
    for pid in program.family():
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
