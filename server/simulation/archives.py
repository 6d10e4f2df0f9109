"""`dishu backup` and `dishu restore` within a story: the program itself makes the copy, and says that it put it back."""

from __future__ import annotations

from random import Random

from server.services.backup import ENDING, back_up
from server.services.restore import restore
from server.simulation.book import held_now
from server.simulation.world import COMMUNITY, World
from server.store.database import read
from server.store.life import epoch


def archive(world: World, random: Random) -> str:
    """A verified backup is made while the server runs; or an older one is restored, and a new life begins."""
    if not world.archives or random.random() < 0.6:
        folder = world.folder / "archives"
        there, held = set(folder.glob(f"*{ENDING}")), held_now(world.house, COMMUNITY)
        try:
            made = back_up(world.house, folder, key_folder=world.folder / "archive-keys")
        finally:  # also where the server is killed after it was counted
            for one in set(folder.glob(f"*{ENDING}")) - there:
                world.book.archived(one.name, held)
        world.archives.append((made.archive, made.key_file))
        return f"a backup is made ({made.counted} count)"
    number = random.randrange(len(world.archives))
    path, key = world.archives[number]
    was = _life(world)
    world.stop()
    try:
        done = restore(world.house, path, key_file=key, replace=True)
        if done.replaced is not None:
            done.replaced.unlink()
    finally:
        if _life(world) != was:  # also where it was killed with the new database in its place
            world.put_back(path.name)
    return f"backup {number + 1} of {len(world.archives)} is restored"


def _life(world: World) -> str | None:
    with read(world.house.engine) as connection:
        return epoch(connection)
