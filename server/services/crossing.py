"""Moves to another community: asked for where the records are, accepted or refused where they go to (S30, S24).

The request is an ordinary command that waits as a proposal. Accepting is one transaction over both communities: their placement locks
in sorted order, the records close there and are created here, a journal entry in each. Placing them here is an operation of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from server.errors import AlreadyDecided, InputError, InvalidInput, NotFound
from server.permissions import Actor
from server.services import deciding
from server.services.arriving import Route, bring
from server.services.carry import Entry, Opened
from server.services.community_forms import at_home, shared_types
from server.services.deciding import Waiting
from server.services.faults import place_of
from server.services.push import accept_user_group, user_operation
from server.services.release import LOG, release_waiting, texts_of
from server.services.transact import Attempt, Submission, decide_and_write
from server.store import commands, crossings, inbox
from server.store import push as reading
from server.store.database import read, stamp, write
from server.store.errors import Busy, PlanOutdated
from sync.arguments import target_community
from sync.crossing import LEFT_BEHIND
from sync.days import day_at
from sync.memory import Crossing, Decided, Memory, Prepared
from sync.operation import Operation
from sync.outcome import ELSEWHERE, ERASED, HELD, MOVED, PROPOSAL, UNCHANGED, Refusal

if TYPE_CHECKING:
    from server.house import House
    from server.store.database import Connection

TRIES = 3


@dataclass(frozen=True, slots=True)
class Place:
    """Where those who come are to live here; None: they wait in the queue of those without a cell.

    ``dwelling`` is for a household, ``household`` for a person.
    """

    dwelling: str | None = None
    household: str | None = None


def accept(house: House, actor: Actor, waiting: Waiting, place: Place) -> dict[str, Any]:
    """Take over those whom another community sends.

    Parameters
    ----------
    actor : the secretary of the community that they come to
    waiting : the command, by the community and install that sent it

    Returns
    -------
    dict
        ``results`` of the command's group, ``moved``, how many records came, ``stayed``, how many stay there because this community has no such form, and ``placed``, what became of placing them (None
        where no place was given; the move stands either way).

    Raises
    ------
    NotFound
        No such request to this community.
    AlreadyDecided
        It was accepted, refused or withdrawn, or waits for something else first.
    InvalidInput
        There is no such dwelling or household here: nothing is changed.
    """
    there, here = at_home(house, waiting.community_id), at_home(house, actor.community_id)
    _check_place(here, actor.community_id, place)
    attempt = Attempt()
    for _ in range(TRIES):
        try:
            with write(house.engine) as connection:
                memory, results, asked = _transact(connection, there, here, actor, waiting, attempt)
            break
        except PlanOutdated:
            continue
    else:
        raise Busy(retry_after_s=2)
    placed = [_place(here, actor, one, place) for one in asked if one.id in memory.left]
    for community_id, home in ((waiting.community_id, there), (actor.community_id, here)):
        try:
            release_waiting(home, community_id, sorted(memory.touched), any_held=True)
        except Exception as error:
            LOG.error("releasing after a move failed: %s; left to the sweeper", place_of(error))
    stayed = sum(one.kind == LEFT_BEHIND for one in memory.findings)
    return {"results": results, "moved": len(memory.left), "stayed": stayed, "placed": next((one for one in placed if one is not None), None)}


def refuse(house: House, actor: Actor, waiting: Waiting) -> list[dict[str, Any]]:
    """Say no to those whom another community sends: nothing changes, and whoever asked is told. Raises as `accept`."""
    there = at_home(house, waiting.community_id)
    with read(house.engine) as connection:
        _asked(connection, there, actor.community_id, waiting)
    return deciding.decline(there, actor, waiting)


def _check_place(house: House, community_id: str, place: Place) -> None:
    for pointer, record_type, record_id in (("/dwelling", "dwelling", place.dwelling), ("/household", "household", place.household)):
        if record_id is None:
            continue
        with read(house.engine) as connection:
            found, _ = reading.load_records(connection, community_id, [record_id])
        record = found.get(record_id)
        if record is None or record.type != record_type or record.life != "live":
            raise InvalidInput(errors=[InputError(pointer, "no_such_record", f"no such {record_type} in this community")])


def _asked(
    connection: Connection, house: House, community_id: str, waiting: Waiting
) -> tuple[Sequence[Any], list[Prepared], list[Operation]]:
    """The group of a request to a community: its rows, its texts, and the commands that move somebody."""
    install_id = waiting.install_id
    group_n = reading.group_of(connection, waiting.community_id, install_id, waiting.n)
    rows = reading.group_operations(connection, waiting.community_id, install_id, group_n) if group_n is not None else []
    group = texts_of(connection, house, waiting.community_id, rows)
    moving = [one.operation for one in group if one.operation is not None and target_community(one.operation) is not None]
    if not moving or any(target_community(one) != community_id for one in moving):
        raise NotFound("no such request to this community")
    alive = [one for one in rows if one.now != ERASED]
    if not alive or alive[0].now != HELD or alive[0].now_reason != PROPOSAL:
        raise AlreadyDecided("somebody has decided this already; look at the list again")
    waits = inbox.waits_for(connection, waiting.community_id, [(install_id, group_n or 0)])
    if ELSEWHERE + community_id not in waits.get((install_id, group_n or 0), ()):
        raise NotFound("no such request to this community")  # its own secretary has not said yes to it (S18)
    return rows, group, moving


def _transact(
    connection: Connection, there: House, here: House, actor: Actor, waiting: Waiting, attempt: Attempt
) -> tuple[Memory, list[dict[str, Any]], list[Operation]]:
    community_id, install_id = waiting.community_id, waiting.install_id
    row = reading.lock_install(connection, community_id, install_id)
    if row is None or community_id == actor.community_id:
        raise NotFound("no such request to this community")
    for one in sorted({community_id, actor.community_id}):
        reading.lock_placement(connection, one, exclusive=True)
    rows, group, moving = _asked(connection, there, actor.community_id, waiting)
    gone = crossings.departures_of(connection, community_id, (one.id for one in moving))
    if gone:  # another request was faster
        for prepared in group:
            prepared.refusal = Refusal(UNCHANGED, MOVED)
    _read_along(connection, community_id, [one.id for one in moving], attempt)
    at = stamp(there.clock())
    submission = Submission(
        community_id=community_id,
        install_id=install_id,
        user_id=row.user_id,
        kind=row.kind,
        source="console",
        parent=(row.parent_install_id, row.parent_n or 0) if row.parent_install_id else None,
        scope=None,
        at=at,
        command="move_out",
        actor_id=actor.user_id,
        crossing=Crossing(actor.community_id, shared_types(connection, there, community_id, here, actor.community_id)),
    )
    results: list[dict[str, Any]] = []
    number = 0

    def keep(connection: Connection, memory: Memory, opened: Opened, entry: Entry, decided: list[Decided]) -> None:
        nonlocal number
        number = entry.number
        if any(one.outcome == HELD for one in decided):
            raise AlreadyDecided("this waits for a record that is not here yet")
        results.extend(deciding.keep_decision(connection, community_id, install_id, rows, opened, entry, decided))

    memory = decide_and_write(connection, there, submission, [group], attempt, keep=keep)
    if memory.left:
        first = next(one for one in group if one.operation is not None and one.operation.id in memory.left)
        route = Route(community_id, actor.community_id, install_id, row.kind, actor.user_id, at, number)
        bring(connection, there, here, route, memory, first)
    return memory, results, moving


def _read_along(connection: Connection, community_id: str, principals: Sequence[str], attempt: Attempt) -> None:
    """Merged ids that lead to somebody who goes, go along: they and what stands by them are read too."""
    closure = {*principals, *(one[0] for one in reading.dependants(connection, community_id, principals))}
    merged = set(commands.leading_to(connection, community_id, closure))
    attempt.ids |= merged
    attempt.movers |= merged


def _place(house: House, actor: Actor, asked: Operation, place: Place) -> dict[str, Any] | None:
    """An operation of whoever accepted, like every other write at the office: episodes, disputes and streams follow from it."""
    with read(house.engine) as connection:
        # merged since it was asked for: whoever it leads to lives on (S8)
        root = Memory.rooted(commands.redirects_of(connection, actor.community_id, [asked.id]))(asked.id)
        records, _ = reading.load_records(connection, actor.community_id, [root])
    record = records[root]
    on = asked.arguments.get("on") or day_at(house.clock())
    common: dict[str, Any] = {"type": record.type, "id": record.id, "base": {"v": record.v, "tag": record.tag}}
    if record.type == "household" and place.dwelling is not None:
        given = {"dwelling": place.dwelling, "on": on}
        given |= {name: asked.arguments[name] for name in ("joined_reason", "left_reason") if name in asked.arguments}
        operation = {**common, "kind": "command", "name": "move_household", "arguments": given}
    elif record.type == "person" and place.household is not None:
        values = {"residence_household": place.household, "resident_from": on, "joined_reason": "moved_in", "relation_to_head": None}
        operation = {**common, "kind": "patch", "set": values}
    else:
        return None
    return accept_user_group(house, actor, [user_operation(house, operation)])[0]
