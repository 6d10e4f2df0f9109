"""Late work about records that live in another community now: decided there, told to its author here (S30, S14).

One transaction over both communities: the operation keeps its number and its answer in the install's home (S11), the versions that it
makes are journaled where the records are. What cannot be decided there is quarantined here, where its author's office sees it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from server.errors import ServerError
from server.services import photos_along
from server.services.carry import Entry, Opened
from server.services.community_forms import at_home
from server.services.faults import place_of
from server.services.release import texts_of
from server.services.transact import Attempt, Submission, decide_and_write, statuses_changed
from server.store import commands, crossings, writing
from server.store import push as reading
from server.store.database import read, stamp, write
from server.store.errors import PlanOutdated, StoreError
from sync.commanding import targets_of
from sync.memory import Decided, Memory, Prepared
from sync.outcome import ERASED, HELD, MOVED, OPEN, PROPOSAL, QUARANTINED, Refusal

if TYPE_CHECKING:
    from server.house import House
    from server.store.database import Connection

LOG = logging.getLogger("dishu.forward")
TRIES = 3
UNEXPECTED = "unexpected"


class _NotThere(Exception):
    """The group cannot be decided there as it is, for the reason that its author's office is told."""

    def __init__(self, errors: Sequence[dict[str, Any]] = (), reason: str = MOVED) -> None:
        super().__init__()
        self.errors = list(errors)
        self.reason = reason


@dataclass(slots=True)
class _Attempts:
    """What earlier tries have taught, of both halves."""

    here: Attempt = field(default_factory=Attempt)
    there: Attempt = field(default_factory=Attempt)


def forward_waiting(house: House, community_id: str, release: Callable[..., int]) -> int:
    """Decide what waits here for records that have moved, in the order of each install; how many groups were settled.

    ``release`` lets go what waited behind them.
    """
    settled = 0
    tried: set[tuple[str, int]] = set()
    while True:
        with read(house.engine) as connection:
            groups = [one for one in crossings.waiting_elsewhere(connection, community_id) if one not in tried]
        if not groups:
            return settled
        for install_id, group_n in groups:
            tried.add((install_id, group_n))
            try:
                freed = _forward(house, community_id, install_id, group_n)
            except Exception as error:  # it waits on, and the others do not wait for it
                LOG.error("a held group was left to the next sweep: %s", place_of(error))
                continue
            if freed is not None:
                settled += 1
                release(house, community_id, sorted(freed), any_held=False)


def _forward(house: House, community_id: str, install_id: str, group_n: int) -> set[str] | None:
    """What may go on now that a group is settled; None where it waits on, or for the office."""
    try:
        return _with_tries(house, community_id, install_id, group_n, None)
    except _NotThere as error:
        refused = error
    except (StoreError, ServerError):
        raise
    except Exception as error:  # S17: what breaks is kept for repair, and nothing behind it is lost
        LOG.error("a held group could not be decided in the other community: %s; it is quarantined", place_of(error))
        refused = _NotThere(reason=UNEXPECTED)
    return _with_tries(house, community_id, install_id, group_n, refused)


def _with_tries(house: House, community_id: str, install_id: str, group_n: int, refused: _NotThere | None) -> set[str] | None:
    attempts = _Attempts()
    for _ in range(TRIES):
        try:
            with write(house.engine) as connection:
                return _transact(connection, house, community_id, install_id, group_n, attempts, refused)
        except PlanOutdated:
            continue
    LOG.warning("a held group could not be decided in the other community now; the sweeper comes back to it")
    return None


def _transact(
    connection: Connection,
    house: House,
    community_id: str,
    install_id: str,
    group_n: int,
    attempts: _Attempts,
    refused: _NotThere | None,
) -> set[str] | None:
    row = reading.lock_install(connection, community_id, install_id)
    rows = reading.group_operations(connection, community_id, install_id, group_n)
    alive = [one for one in rows if one.now != ERASED]
    if row is None or not alive or alive[0].now != HELD or alive[0].now_reason == PROPOSAL:
        writing.drop_waits(connection, community_id, install_id, group_n)
        return None
    group = texts_of(connection, house, community_id, rows)
    targets = _destinations(connection, community_id, group)
    named = {one for prepared in group if prepared.operation is not None for one in targets_of(prepared.operation)}
    for one in sorted({community_id, *targets.values()}):
        reading.lock_placement(connection, one, exclusive=True)
    if targets != _destinations(connection, community_id, group):
        raise PlanOutdated
    at = stamp(house.clock())
    if not targets:  # back again: decided here
        writing.drop_waits(connection, community_id, install_id, group_n)
        writing.insert_waits(connection, community_id, [(one, install_id, group_n, at) for one in sorted(named)])
        return named
    common: dict[str, Any] = {
        "install_id": install_id, "user_id": row.user_id, "source": "system", "at": at, "scope": None, "command": "forward",
        "parent": (row.parent_install_id, row.parent_n or 0) if row.parent_install_id else None, "home": community_id,
    }  # fmt: skip
    there: dict[int, Decided] = {}
    made: dict[str, str] = {}  # what late work makes there was never here: whatever is said of it follows it (S14)
    if refused is None:
        if len(set(targets.values())) > 1:
            raise _NotThere
        target = next(iter(targets.values()))
        going = _going(group, set(targets))
        if not going:  # what they are about is here, and what it would stand by is there
            raise _NotThere
        at_target = at_home(house, target, connection)
        again = {one.n: one for one in texts_of(connection, at_target, community_id, rows)}

        def collect(connection: Connection, memory: Memory, opened: Opened, entry: Entry, decided: list[Decided]) -> None:
            for one in decided:
                if one.outcome in OPEN:
                    raise _NotThere(one.errors)
                there[one.prepared.n] = one
            made.update((one, target) for one in memory.created)
            entry.more["forwarded"] = {"from": community_id, "op_ids": [one.prepared.op_id for one in decided]}

        submission = Submission(community_id=target, kind="forwarded", **common)
        decide_and_write(connection, at_target, submission, [[again[one.n] for one in going]], attempts.there, keep=collect)
        photos = set[str]().union(*(photos_along.named_in(one.values) for one in going))
        photos_along.bring(connection, house, community_id, target, dict.fromkeys(photos, ()), at)
    parts = _parts(group, there, refused)
    status = {one.n: one.status + 1 for one in rows}

    def keep(connection: Connection, memory: Memory, opened: Opened, entry: Entry, decided: list[Decided]) -> None:
        if refused is None and any(one.outcome in OPEN for one in decided):
            raise _NotThere(next(one.errors for one in decided if one.outcome in OPEN))
        changed = [
            (one.outcome, one.reason, status[one.prepared.n], one.v, one.tag, entry.number, at, install_id, one.prepared.n)
            for one in decided
        ]
        writing.change_statuses(connection, community_id, changed)
        if refused is not None and refused.errors:
            detail = orjson.dumps(refused.errors).decode()
            about = [(detail, one.record_type, one.record_id, install_id, one.n) for one in rows if one.record_type is not None]
            commands.note_subjects(connection, community_id, about)
        memory.parted.update(made)
        writing.drop_waits(connection, community_id, install_id, group_n)
        told = [(install_id, one.prepared.op_id, status[one.prepared.n]) for one in decided]
        opened.statuses.extend(statuses_changed(told, opened.device_installs))

    submission = Submission(community_id=community_id, kind=row.kind, **common)
    decide_and_write(connection, house, submission, parts, attempts.here, keep=keep)
    return None if refused is not None else named | {f"op/{one.op_id}" for one in group}


def _parts(group: Sequence[Prepared], there: dict[int, Decided], refused: _NotThere | None) -> list[list[Prepared]]:
    """The group as it is decided here: what was decided there has its outcome already, what is about records of ours has not."""
    if refused is not None:
        for one in group:
            one.refusal = Refusal(QUARANTINED, refused.reason, errors=refused.errors)
        return [list(group)]
    gone = []
    for one in group:
        if one.n in there:
            one.refusal = Refusal(there[one.n].outcome, MOVED)
            gone.append([one])
    ours = [one for one in group if one.n not in there]
    return [ours, *gone] if ours else gone


def _destinations(connection: Connection, community_id: str, group: Sequence[Prepared]) -> dict[str, str]:
    """Record → the community where it lives now, of the records that a group names and that have moved from here."""
    named: set[str] = set()
    for prepared in group:
        operation, form = prepared.operation, prepared.form
        if operation is None:
            continue
        named |= targets_of(operation)
        named.update(one for name in (form.parents if form is not None else ()) if isinstance(one := prepared.values.get(name), str))
    led = commands.redirects_of(connection, community_id, named)
    found = {}
    for record_id in {*named, *led.values()}:
        where = community_id
        for _ in range(TRIES * TRIES):  # from one community to the next, as often as it moved on
            step = crossings.departures_of(connection, where, [record_id]).get(record_id)
            if step is None:
                break
            where = step
        if where != community_id:
            found[record_id] = where
    return found


def _going(group: Sequence[Prepared], moved: set[str]) -> list[Prepared]:
    """The members that are about records there: those that moved, what stands by them, and what stands by that."""
    going: list[Prepared] = []
    there = set(moved)
    for prepared in group:
        operation, form = prepared.operation, prepared.form
        if operation is None:
            continue
        names = {operation.id, *(prepared.values.get(name) for name in (form.parents if form is not None else ()))}
        if operation.id in there or (operation.kind == "create" and names & there) or (operation.kind == "command" and targets_of(operation) & there):
            going.append(prepared)
            there.add(operation.id)
    return going
