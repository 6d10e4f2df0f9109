"""One story from one seed, checked; and the shortest story that still fails."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from server.simulation.acts import FAULTS, WORK, Act, new_home, sync_once
from server.simulation.book import LawBroken
from server.simulation.laws import check, settle
from server.simulation.world import World, shelf_of
from sync.device import InvalidFields, PhoneError, UnknownRecord

MOST_TRIES = 80


@dataclass(slots=True)
class Story:
    """What happened: ``lines`` (step, what), and what was wrong in the end (None: nothing)."""

    seed: int
    lines: list[tuple[int, str]] = field(default_factory=list)
    wrong: str | None = None
    operations: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)


def play(
    seed: int,
    *,
    phones: int,
    steps: int,
    faults: Sequence[str],
    folder: Path,
    only: Iterable[int] | None = None,
    database: str | None = None,
) -> Story:
    """Play a story to its end, let everything settle and check the laws.

    Parameters
    ----------
    faults : names from `acts.FAULTS`
    folder : where the template is kept and this story has its files for the time being
    database : URL of a PostgreSQL server on which databases may be made; None plays on SQLite
    only : the steps to play, all others are left out; each step draws from a generator of its own
    """
    story = Story(seed)
    place = Path(tempfile.mkdtemp(prefix=f"story-{seed}-", dir=folder))
    world = World(place, str(seed), shelf_of(folder, database))
    acts: list[Act] = [*WORK, *(FAULTS[name] for name in faults)]
    try:
        world.open()
        _people(world, Random(f"{seed}/people"), phones)
        for step in range(steps) if only is None else sorted(only):
            random = Random(f"{seed}/{step}")
            act = random.choice(acts)
            story.lines.append((step, f"{act.__name__} …"))  # what is told of a step that breaks
            try:
                line = act(world, random)
            except (UnknownRecord, InvalidFields) as error:  # what the phone does not let anybody do
                line = f"a phone refuses: {error}"
            story.lines[-1] = (step, line)
            world.book.note(world.phones)
        settle(world)
        check(world)
        for phone in world.phones:
            story.operations += len(phone.operations())
            story.outcomes.update(str(one.outcome) for one in phone.operations())
    except (LawBroken, PhoneError) as error:
        story.wrong = f"{type(error).__name__}: {error}"
    except Exception as error:  # a fault of the program is a finding too
        story.wrong = f"{type(error).__name__}: {error}"
    finally:
        world.close()
        shutil.rmtree(place, ignore_errors=True)
    return story


def _people(world: World, random: Random, phones: int) -> None:
    for number in range(phones):
        for cell in random.sample(range(3), random.randrange(2, 4)):
            world.assign(number, cell)
        world.add_phone(number).pull()
    for _ in range(phones):
        new_home(world, random)
    for phone in world.phones * 2:
        sync_once(phone)


def shortest(
    story: Story, *, phones: int, steps: int, faults: Sequence[str], folder: Path, database: str | None = None
) -> Story:
    """The shortest story found by leaving out steps of one that fails in the same way; fails like it or is it."""
    kept = [step for step, _ in story.lines]
    best, tries = story, 0
    size = max(1, len(kept) // 2)
    kind = (story.wrong or "").split(":")[0]
    while size and tries < MOST_TRIES:
        at = 0
        while at < len(kept) and tries < MOST_TRIES:
            tries += 1
            fewer = kept[:at] + kept[at + size :]
            found = play(story.seed, phones=phones, steps=steps, faults=faults, folder=folder, only=fewer, database=database)
            if found.wrong is not None and found.wrong.split(":")[0] == kind:
                kept, best = fewer, found
            else:
                at += size
        size //= 2
    return best
