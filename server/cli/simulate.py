"""`dishu simulate`: phones, a server and everything that goes wrong between them, played from seeds."""

from __future__ import annotations

import atexit
import logging
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import click


@click.command("simulate")
@click.option("--seed", type=int, default=0, show_default=True, help="The first seed.")
@click.option("--count", type=click.IntRange(1), default=1, show_default=True, help="How many seeds, one after the other.")
@click.option("--phones", type=click.IntRange(1, 6), default=3, show_default=True, help="Phones at the beginning.")
@click.option("--steps", type=click.IntRange(0), default=40, show_default=True, help="Acts of people and faults in each story.")
@click.option("--faults", default="all", show_default=True, help="all, none, or names with commas: line, late, phone, server, clock …")
@click.option("--database", help="URL of a PostgreSQL server on which databases may be made; SQLite when left out.")
@click.option("--jobs", type=click.IntRange(1, 64), default=1, show_default=True, help="Processes that share the seeds.")
@click.option("--replay", is_flag=True, help="Tell every step as it is played, also where nothing fails.")
@click.option("--only", help="Play these steps of the seed only (numbers with commas), as a failing story told them.")
def command(
    seed: int, count: int, phones: int, steps: int, faults: str, database: str | None, jobs: int, replay: bool, only: str | None
) -> None:
    """Play stories in this process, let each settle, and check that no acknowledged operation is lost and all copies agree.

    Needs no server and touches no data. The same seed is the same story, on every database. A story that fails is shortened and told. Many
    seeds can be shared out by --seed and --count among machines, by --jobs among processes. Exit status 0 when all laws hold, else 1.
    """
    from server.simulation.acts import FAULTS

    wanted = {"all": sorted(FAULTS), "none": []}.get(faults, [one.strip() for one in faults.split(",")])
    unknown = sorted(set(wanted) - FAULTS.keys())
    if unknown:
        raise click.BadParameter(f"{unknown[0]} is not one of {', '.join(FAULTS)}", param_hint="--faults")
    asked = _Asked(phones, steps, tuple(wanted), faults, database, [int(one) for one in only.split(",")] if only else None, replay)
    outcomes: Counter[str] = Counter()
    bar: Any = click.progressbar(length=count, label="playing", file=sys.stderr) if sys.stderr.isatty() else nullcontext()
    with bar as shown:
        for found in _played(range(seed, seed + count), asked, jobs):
            outcomes.update(found.outcomes)
            if shown is not None:
                shown.update(found.seeds)
            for line in found.told:
                click.echo(line)
            if found.wrong is not None:
                raise click.ClickException(found.wrong)
    told = ", ".join(f"{number:,} {name}" for name, number in sorted(outcomes.items()))
    click.echo(f"{count:,} stories from seed {seed}: every law holds ({told})")


@dataclass(frozen=True)
class _Asked:
    phones: int
    steps: int
    wanted: tuple[str, ...]
    faults: str
    database: str | None
    only: list[int] | None
    replay: bool


@dataclass
class _Found:
    """What came of some seeds, up to the first that fails."""

    seeds: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    told: list[str] = field(default_factory=list)
    wrong: str | None = None


def _played(seeds: range, asked: _Asked, jobs: int) -> Iterator[_Found]:
    size = 1 if asked.replay else 20
    parts = [seeds[first : first + size] for first in range(0, len(seeds), size)]
    if jobs == 1:
        with _place(asked) as folder:
            for part in parts:
                yield _some(part, asked, folder)
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        yield from pool.map(_alone, parts, repeat(asked), chunksize=5)


def _alone(seeds: range, asked: _Asked) -> _Found:
    """Some seeds in a process that has its place for as long as it lives."""
    if not _OWN:
        place = ExitStack()
        atexit.register(place.close)
        _OWN.append(place.enter_context(_place(asked)))
    return _some(seeds, asked, _OWN[0])


_OWN: list[Path] = []


@contextmanager
def _place(asked: _Asked) -> Iterator[Path]:
    """A folder for stories; what they made on a PostgreSQL server is dropped in the end."""
    from server.simulation.shelf import Databases, quick_folder
    from server.simulation.world import shelf_of

    logging.disable(logging.CRITICAL)  # what goes wrong on purpose is no news
    with tempfile.TemporaryDirectory(prefix="dishu-simulate-", dir=quick_folder()) as folder:
        try:
            yield Path(folder)
        finally:
            if asked.database is not None:
                shelf = shelf_of(Path(folder), asked.database)
                assert isinstance(shelf, Databases)
                shelf.clear()


def _some(seeds: range, asked: _Asked, folder: Path) -> _Found:
    from server.simulation.play import play, shortest

    found = _Found()
    given: dict[str, Any] = {"phones": asked.phones, "steps": asked.steps, "faults": asked.wanted, "folder": folder, "database": asked.database}
    for one in seeds:
        story = play(one, only=asked.only, **given)
        found.outcomes.update(story.outcomes)
        found.seeds += 1
        if asked.replay:
            found.told += [f"{step:>5}  {line}" for step, line in story.lines]
        if story.wrong is not None:
            short = shortest(story, **given)
            found.told += [f"{step:>5}  {line}" for step, line in short.lines]
            kept = ",".join(str(step) for step, _ in short.lines)
            where = f" --database {asked.database}" if asked.database else ""
            found.told.append(
                f"again: dishu simulate --replay --seed {one} --phones {asked.phones} --steps {asked.steps} --faults {asked.faults}{where} --only {kept}"
            )
            found.wrong = f"seed {one}: {short.wrong}"
            return found
    return found
