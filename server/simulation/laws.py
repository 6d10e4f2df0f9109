"""What must hold when everybody has synced: L5 to L8 and L10, asked of the phones and of the server, and of every value."""

from __future__ import annotations

from collections.abc import Sequence

from server.house import House
from server.services.community_forms import at_home
from server.services.release import release_waiting, sweep
from server.services.verify import verify
from server.simulation.acts import sync_once
from server.simulation.book import LawBroken
from server.simulation.neighbour import NEIGHBOUR, astray
from server.simulation.office import confirm_devices
from server.simulation.values import differing, hidden
from server.simulation.world import COMMUNITY, World
from server.store import crossings, pull, push
from server.store.database import read, run
from sync.device import DigestMismatch
from sync.outcome import MOVED

ROUNDS = 8


def settle(world: World) -> None:
    """Everybody syncs on fine days until nothing changes any more; the server has learned every form that some phone has had."""
    if world.newest > world.released:
        world.release_forms()
    for _ in range(ROUNDS):
        confirm_devices(world)
        sweep(world.house)
        before = _numbers(world)
        said = [sync_once(phone) for phone in world.phones]
        if set(said) == {"done"} and not confirm_devices(world) and _numbers(world) == before:
            return
    raise LawBroken(f"L7: it does not settle: {said}")


def _numbers(world: World) -> list[object]:
    report = []
    with read(world.house.engine) as connection:
        for phone in world.phones:
            names = sorted(phone.digests())
            found = pull.counters(connection, COMMUNITY, names)
            report.append((phone.install_id, [(one, found.get(one)) for one in names]))
    return [*report, [len(phone.operations()) for phone in world.phones]]


def check(world: World) -> None:
    """Raises LawBroken at the first law that does not hold."""
    report = verify(world.house, again=True)
    if not report.agrees:
        raise LawBroken(f"L7: journal and database differ: {report.difference}")
    check_owed(world)
    idle = waits_in_vain(world.house, (COMMUNITY, NEIGHBOUR))
    if idle is not None:
        raise LawBroken(f"S14: {idle}")
    lost = astray(world)
    if lost is not None:
        raise LawBroken(f"S30: {lost}")
    for number, phone in enumerate(world.phones):
        _check_log(world, number)
        try:
            mine = phone.digests()
        except DigestMismatch as error:
            raise LawBroken(f"L7: phone {number}: {error}") from error
        with read(world.house.engine) as connection:
            told = pull.counters(connection, COMMUNITY, sorted(mine))
        for stream, one in mine.items():
            theirs = told.get(stream)
            expected = (one["count"], one["digest"])
            found = (theirs[1], theirs[2]) if theirs is not None else (0, "0" * 32)
            if expected != found:
                raise LawBroken(f"L8: phone {number}, stream {stream}: the phone has {expected}, the server {found}")
        wrong = differing(world, phone)
        if wrong is not None:
            raise LawBroken(f"L7: phone {number}: {wrong}")
    nowhere = hidden(world)
    if nowhere is not None:
        raise LawBroken(f"L5: {nowhere}")


def waits_in_vain(house: House, community_ids: Sequence[str]) -> str | None:
    """At rest nothing is held whose record has moved, for nothing, or that could be decided; which community has such work, and of which kind.

    What is tried again and stays held is no fault: an undo stands behind its command, that behind work that waits for a person.
    """
    with read(house.engine) as connection:
        for one in community_ids:
            if crossings.waiting_elsewhere(connection, one):
                return f"work in {one} waits for a record that has moved"
            forgotten = run(
                connection,
                "SELECT o.n FROM operation o LEFT JOIN held_wait w ON w.community_id = o.community_id AND w.install_id = o.install_id "
                "AND w.group_n = o.group_n WHERE o.community_id = ? AND o.now = 'held' AND o.now_reason <> 'proposal' "
                "AND w.waits_for IS NULL",
                (one,),
            ).first()
            if forgotten is not None:
                return f"operation {forgotten.n} in {one} is held and waits for nothing"
    for one in community_ids:
        if release_waiting(at_home(house, one), one, [], any_held=True):
            return f"work in {one} waits for a record that is there, or behind work that is settled"
    return None


def _check_log(world: World, number: int) -> None:
    """L5: whatever was written is at the server with its outcome, and the phone knows which."""
    phone = world.phones[number]
    operations = phone.operations()
    with read(world.house.engine) as connection:
        rows = push.seen_operations(connection, COMMUNITY, [one.op_id for one in operations])
    for one in operations:
        row = rows.get(one.op_id)
        if one.outcome is None:
            raise LawBroken(f"L5: operation {one.n} ({one.kind}) of phone {number} has no answer")
        if one.outcome == "held" and one.reason == "form":
            raise LawBroken(f"S10: operation {one.n} ({one.kind}) of phone {number} waits for a form that is there")
        if one.outcome == "held" and one.reason == MOVED:
            raise LawBroken(f"S30: operation {one.n} ({one.kind}) of phone {number} waits for who lives in another community")
        if row is None:
            raise LawBroken(f"L5: operation {one.n} ({one.kind}, {one.outcome}) of phone {number} is not at the server")
        if one.outcome not in ("held", "quarantined") and not one.settled:
            raise LawBroken(
                f"L7: operation {one.n} ({one.kind}, {one.outcome}) of phone {number} is over and still laid over the copies"
            )


def check_owed(world: World) -> None:
    """L5: whatever was ever written is there; after a restore what the backup held, and what phones still had to offer again (S25)."""
    with read(world.house.engine) as connection:
        rows = push.seen_operations(connection, COMMUNITY, sorted(world.book.owed))
    lost = world.book.owed - rows.keys()
    if lost:
        raise LawBroken(f"L5: {len(lost)} operations that were written are not at the server")
