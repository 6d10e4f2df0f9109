"""Held work released: a journaled command of its own, decided anew once what it waited for is there (S14)."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import orjson

from server.errors import ServerError
from server.permissions import SCOPED
from server.sealing import unseal
from server.services.carry import Entry, Opened
from server.services.community_forms import at_home
from server.services.faults import place_of
from server.services.keys import COMMUNITY, DataKeys
from server.services.prepare import prepare
from server.services.transact import Attempt, Submission, decide_and_write, keep_targets, statuses_changed, waits_of
from server.store import installs, writing
from server.store import push as reading
from server.store.database import read, stamp, write
from server.store.errors import PlanOutdated, StoreError
from sync.commanding import targets_of
from sync.memory import Decided, Memory, Prepared
from sync.outcome import ERASED, HELD, PROPOSAL, QUARANTINED, Refusal

if TYPE_CHECKING:
    from server.house import House
    from server.store.database import Connection

LOG = logging.getLogger("dishu.release")

# What was held was made before now: it is judged by every scope that its author ever had.
_LATE = (1 << 30, 1 << 60)


class _StillHeld(Exception):
    """The group waits on, for the reason that its author knows, maybe for another record."""

    def __init__(self, waits: list[tuple[str, str, int, str]]) -> None:
        super().__init__()
        self.waits = waits


def release_waiting(house: House, community_id: str, created: Sequence[str], *, any_held: bool) -> int:
    """Release what waited for the created records, and (``any_held``) what became free while it was being held.

    Returns the number of groups released. Whatever a release creates may release more. What is about records that live in another
    community now is decided there (`any_held`).
    """
    released = _release_ready(house, community_id, created, any_held=any_held)
    if any_held:
        from server.services.forwarding import forward_waiting

        released += forward_waiting(house, community_id, _release_ready)
    return released


def _release_ready(house: House, community_id: str, created: Sequence[str], *, any_held: bool) -> int:
    released = 0
    waits_for: list[str] | None = None if any_held else list(created)
    while waits_for is None or waits_for:
        with read(house.engine) as connection:
            ready = reading.ready_groups(connection, community_id, waits_for)
        fresh: set[str] = set()
        for install_id, group_n in ready:
            try:
                memory = _release_group(house, community_id, install_id, group_n)
            except Exception as error:  # it waits on, and the others do not wait for it
                LOG.error("a held group was left to the next sweep: %s", place_of(error))
                continue
            if memory is not None:
                released += 1
                fresh.update(memory.touched)
                fresh.update(f"op/{one.prepared.op_id}" for one in memory.decided)
                # what went in without changing its record frees what waits behind it all the same
                for one in memory.decided:
                    fresh |= targets_of(one.prepared.operation) if one.prepared.operation is not None else set()
        waits_for = sorted(fresh)  # every round but the last releases something, so that this ends
    return released


def sweep(house: House) -> int:
    """Release everything that can be released, in every community: at start and every minute."""
    released = 0
    with read(house.engine) as connection:
        communities = reading.communities_with_held(connection)
        forms = {one: reading.forms_awaited(connection, one) for one in communities}
        confirmed = {one: installs.confirmed_awaited(connection, one) for one in communities}
    for community_id in communities:
        try:
            home = at_home(house, community_id)
            there = [one for one in forms[community_id] if _has_form(home, one)]
            released += release_waiting(home, community_id, there + confirmed[community_id], any_held=False)
            released += release_waiting(home, community_id, [], any_held=True)
        except Exception as error:  # the others' work does not wait for what is wrong with one
            LOG.error("the sweep of one community stopped: %s; it comes back to it", place_of(error))
    return released


def _has_form(house: House, waits_for: str) -> bool:
    _, record_type, version = waits_for.split("/")
    return house.registry.get(record_type, int(version)) is not None


def _release_group(house: House, community_id: str, install_id: str, group_n: int) -> Memory | None:
    """Decide a held group anew; None when it is still held, or was settled by somebody else."""
    try:
        return _with_tries(house, community_id, install_id, group_n, broken=False)
    except (StoreError, ServerError):
        raise
    except Exception as error:  # S17: what breaks twice is kept for repair, and nothing behind it is lost
        LOG.error("a held group could not be decided: %s; it is quarantined", type(error).__name__)
        return _with_tries(house, community_id, install_id, group_n, broken=True)


def _with_tries(house: House, community_id: str, install_id: str, group_n: int, *, broken: bool) -> Memory | None:
    attempt = Attempt()
    for _ in range(3):
        try:
            with write(house.engine) as connection:
                return _transact(connection, house, community_id, install_id, group_n, attempt, broken)
        except PlanOutdated:
            continue
        except _StillHeld as held:
            with write(house.engine) as connection:
                writing.drop_waits(connection, community_id, install_id, group_n)
                writing.insert_waits(connection, community_id, held.waits)
            return None
    LOG.warning("a held group could not be released now; the sweeper comes back to it")
    return None


def _transact(
    connection: Connection,
    house: House,
    community_id: str,
    install_id: str,
    group_n: int,
    attempt: Attempt,
    broken: bool,
) -> Memory | None:
    row = reading.lock_install(connection, community_id, install_id)
    operations = reading.group_operations(connection, community_id, install_id, group_n)
    waiting = [one for one in operations if one.now != ERASED]
    if row is None or not waiting or waiting[0].now != HELD or waiting[0].now_reason == PROPOSAL:
        writing.drop_waits(connection, community_id, install_id, group_n)
        return None
    group = texts_of(connection, house, community_id, operations)
    if not group:  # everybody it was about was erased meanwhile
        writing.drop_waits(connection, community_id, install_id, group_n)
        return None
    if broken:
        for one in group:
            one.refusal = Refusal(QUARANTINED, "unexpected")
    at = stamp(house.clock())
    submission = Submission(
        community_id=community_id,
        install_id=install_id,
        user_id=row.user_id,
        kind=row.kind,
        source="system",
        parent=(row.parent_install_id, row.parent_n or 0) if row.parent_install_id else None,
        scope=_LATE if _is_scoped(connection, community_id, install_id, row.kind) else None,
        at=at,
        command="release",
    )

    def keep(
        connection: Connection, memory: Memory, opened: Opened, entry: Entry, decided: list[Decided]
    ) -> None:
        waits = waits_of(decided, install_id, at) if _is_held(decided) else []
        told = {one.n: one.now_reason for one in operations}
        if waits and all(one.reason == told[one.prepared.n] for one in decided):
            raise _StillHeld(waits)
        keep_targets(connection, community_id, install_id, decided)
        status = {one.n: one.status + 1 for one in operations}
        writing.change_statuses(
            connection,
            community_id,
            [
                (one.outcome, one.reason, status[one.prepared.n], one.v, one.tag, entry.number, at, install_id,
                 one.prepared.n)
                for one in decided
            ],
        )  # fmt: skip
        writing.drop_waits(connection, community_id, install_id, group_n)
        writing.insert_waits(connection, community_id, waits)  # for another reason: its author is told which
        changed = [(install_id, one.prepared.op_id, status[one.prepared.n]) for one in decided]
        opened.statuses.extend(statuses_changed(changed, opened.device_installs))

    memory = decide_and_write(connection, house, submission, [group], attempt, keep=keep)
    return None if _is_held(memory.decided) else memory


def _is_held(decided: Sequence[Decided]) -> bool:
    """Whether a group waits for something that comes by itself; nobody decides about it."""
    return any(one.outcome == HELD and one.reason != PROPOSAL for one in decided)


def _is_scoped(connection: Connection, community_id: str, install_id: str, kind: str) -> bool:
    """Phones of scoped roles; grid workers at the console too. Whoever works at the office was judged before it was taken in."""
    found = installs.device_and_user(connection, community_id, install_id)
    return found is not None and (found[3] == "grid_worker" or (kind == "device" and found[3] in SCOPED))


def texts_of(
    connection: Connection, house: House, community_id: str, operations: Sequence[Any]
) -> list[Prepared]:
    """The operations of a group, read again from their sealed texts, but those about somebody who was erased (S28)."""
    operations = [one for one in operations if one.now != ERASED]
    keys = DataKeys(house.keys)
    subjects = sorted({one.subject_id or COMMUNITY for one in operations})
    keys.learn(subjects, reading.wrapped_keys(connection, community_id, subjects))
    texts: dict[tuple[int, str], dict[str, str]] = {}
    group = []
    for one in operations:
        place = (one.number, one.subject_id or COMMUNITY)
        if place not in texts:
            sealed = reading.payload(connection, community_id, *place)
            texts[place] = orjson.loads(unseal(keys.of(place[1]), sealed)) if sealed is not None else {}
        group.append(prepare(one.n, texts[place][str(one.n)], house.keys, house.registry))
    return group
