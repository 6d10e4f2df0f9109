"""What befalls a served program besides being killed: sessions that are ended, a database that restarts, a disk that is full."""

from __future__ import annotations

import asyncio
import os
import resource
from collections.abc import Callable
from pathlib import Path

import psycopg
from kills_kit import Trial
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


async def fill_disk(run: Trial, times: int, fill: Callable[[int], None], clear: Callable[[], None]) -> None:
    """There is hardly room any more (``fill`` is told how many bytes): pushes are answered 503; with room again all goes on."""
    await run.until_up(run.programs[0])
    name = "503 database-unreachable"
    for _ in range(times):
        await asyncio.sleep(run.chance.uniform(0.3, 1.0))
        fill(run.chance.randrange(200_000))
        await _until_more(run, name)
        before = run.counts["pushes answered"]
        for _ in range(3):
            await _until_more(run, name)
        run.counts["pushes answered while full"] += run.counts["pushes answered"] - before
        clear()
        run.counts["times full"] += 1
        await _until_more(run, "pushes answered")


def no_growth(run: Trial) -> tuple[Callable[[int], None], Callable[[], None]]:
    """Full and empty by a limit on the size of the served program's files: write errors of the system, on any disk."""
    database = Path(make_url(run.url).database or "")

    def limit(size: int) -> None:
        for pid in run.programs[0].family():
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    def fill(left: int) -> None:
        # The smaller of the two: a write-ahead log that once was long is written again from its beginning for a long while.
        files = [one for one in (database, database.with_name(database.name + "-wal")) if one.exists()]
        limit(left + max(run.programs[0].log.stat().st_size, min(one.stat().st_size for one in files)))

    return fill, lambda: limit(resource.RLIM_INFINITY)


def ballast(folder: Path) -> tuple[Callable[[int], None], Callable[[], None]]:
    """Full and empty by a file that takes the whole disk of a folder."""
    file = folder / "ballast"

    def fill(left: int) -> None:
        with file.open("wb", buffering=0) as out:
            while (free := _free(folder) - left) > 0:
                try:
                    out.write(bytes(min(free, 1 << 20)))
                except OSError:
                    return  # full to the last byte: somebody else wrote as well

    return fill, file.unlink


def _free(folder: Path) -> int:
    found = os.statvfs(folder)
    return found.f_bavail * found.f_bsize


async def _until_more(run: Trial, name: str) -> None:
    await run.patiently(_more(run, name, run.counts[name]), f"no more {name}")


async def _more(run: Trial, name: str, before: int) -> None:
    while run.counts[name] == before:
        await asyncio.sleep(0.02)
