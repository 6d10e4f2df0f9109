"""What the office does, and what befalls the server meanwhile."""

from __future__ import annotations

from random import Random

from server.errors import CellsRefused
from server.permissions import Scope
from server.services import deciding, settling, unconfirmed
from server.services.audit import Look
from server.services.release import sweep
from server.simulation.archives import archive
from server.simulation.neighbour import arrival, ask_away, moves
from server.simulation.world import CELLS, COMMUNITY, ServerKilled, World
from server.store import commands, installs
from server.store import inbox as store
from server.store.database import read, write
from server.store.search import fold

_WHOLE = Scope((COMMUNITY,))


def reassign(world: World, random: Random) -> str:
    """A cell is given to somebody, or taken from them."""
    worker, cell = random.randrange(len(world.workers)), random.randrange(len(world.cells))
    given = random.random() < 0.6
    (world.assign if given else world.unassign)(worker, cell)
    return f"worker {worker} {'gets' if given else 'loses'} cell {cell}"


def republish(world: World, random: Random) -> str:
    """Other borders are put in force: some ground changes hands, a cell is divided or two become one."""
    inner = [number + random.choice((-0.4, -0.1, 0, 0.1, 0.4)) for number in range(1, CELLS)]
    if random.random() < 0.3:
        inner = inner[:-1] if random.random() < 0.5 else [*inner, CELLS - 0.5]
    try:
        world.publish(0, *inner, CELLS)
    except CellsRefused:  # a code that was retired does not come back
        return "cells are refused"
    return f"cells are republished with borders {', '.join(f'{one:.1f}' for one in inner)}"


def other_forms(world: World, random: Random) -> str:
    """A newer program with newer forms: on a phone, before or after the server has it; or on the server."""
    number = random.randrange(len(world.phones) + 1)
    if number == len(world.phones):
        return renew(world, random)
    world.forms[number] = 3 - world.forms[number] if random.random() < 0.2 else 2
    world.newest = max(world.newest, world.forms[number])
    world.reopen(number)
    return f"phone {number} has forms {world.forms[number]}, the server {world.released}"


def renew(world: World, random: Random) -> str:
    """The server's program is replaced by one with newer forms, and releases what waited for them."""
    world.release_forms()
    sweep(world.house)
    return "the server's program is renewed, with newer forms"


def tidy(world: World, random: Random) -> str:
    """What the search finds is folded together, and what waits is looked through, as every night and every minute."""
    with write(world.house.engine) as connection:
        fold(connection, COMMUNITY)
    sweep(world.house)
    return "the server tidies up"


def killed_office(world: World, random: Random) -> str:
    """The server dies between two statements while the office works, and is started again."""
    act = random.choice((secretary, reassign, republish, archive, tidy, renew, moves, arrival))
    if act is arrival:
        ask_away(world, random)
    world.statements_left = random.randrange(1, random.choice((8, 20, 40, 400)))
    try:
        said = act(world, random)
    except ServerKilled:
        world.stop()
        world.start()
        world.look_at_cells()
        sweep(world.house)
        return f"the server is killed while the office works ({act.__name__})"
    world.statements_left = None
    return f"{said}; the server lives"


def secretary(world: World, random: Random) -> str:
    """The secretary settles conflicts, decides about proposals, discards what is quarantined."""
    done = [_settle(world, random), _decide_proposal(world, random), _decide_quarantine(world, random)]
    return "the secretary " + ", ".join(one for one in done if one)


def _settle(world: World, random: Random) -> str:
    look_ = Look(world.secretary, "change", "simulated")
    choose = random.choice(("standing", "waiting", "newest"))
    said = settling.settle_many(world.house, world.secretary, _WHOLE, COMMUNITY, look_, settling.Which(), choose)
    return f"settles {len(said['settled'])} by {choose}"


def _decide_proposal(world: World, random: Random) -> str:
    with read(world.house.engine) as connection:
        found = commands.proposals(connection, COMMUNITY, after=None, limit=1)
    if not found:
        return ""
    waiting = deciding.Waiting(COMMUNITY, found[0]["install_id"], found[0]["n"])
    decide = random.choice((deciding.confirm, deciding.decline))
    try:
        decide(world.house, world.secretary, waiting)
    except deciding.AlreadyDecided:
        return "cannot decide a proposal yet"
    return f"{decide.__name__}s a proposal"


def _decide_quarantine(world: World, random: Random) -> str:
    with read(world.house.engine) as connection:
        found = store.waiting_operations(connection, _WHOLE, COMMUNITY, "quarantined", after=None, limit=1)
    if not found or random.random() < 0.5:
        return ""
    waiting = deciding.Waiting(COMMUNITY, found[0]["install_id"], found[0]["n"])
    if found[0]["now_reason"] == "invalid" and found[0]["kind"] == "patch":
        deciding.repair(
            world.house, world.secretary, waiting, {found[0]["n"]: {"set": {"floor_number": random.randrange(9)}}}
        )
        return "repairs"
    deciding.discard(world.house, world.secretary, waiting)
    return "discards"


def confirm_devices(world: World) -> int:
    """The secretary says whose the devices are that a restored server does not know."""
    with read(world.house.engine) as connection:
        found = [one for one in installs.installs(connection, (COMMUNITY,)) if one.flag == unconfirmed.UNCONFIRMED]
    for one in found:
        unconfirmed.confirm_install(world.house, world.secretary, one.install_id, user_id=world.workers[0])
    return len(found)
