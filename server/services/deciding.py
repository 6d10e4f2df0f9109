"""Waiting work that somebody decides about: proposals confirmed or declined, quarantined groups repaired or discarded.

Each is a journaled transaction of its own over the group as it was sent, by its author's install (S13, S18).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from server.errors import AlreadyDecided, InputError, InvalidInput, NotFound
from server.permissions import Actor
from server.sealing import seal
from server.services.carry import Entry, Opened, subject_of_operation
from server.services.prepare import NO_OPERATION, prepare
from server.services.push import place_of
from server.services.release import LOG, release_waiting, texts_of
from server.services.transact import Attempt, Submission, decide_and_write, keep_targets, statuses_changed, waits_of
from server.store import commands, inbox, writing
from server.store import push as reading
from server.store.database import stamp, write
from server.store.errors import Busy, PlanOutdated
from sync.memory import Decided, Memory, Prepared
from sync.outcome import ERASED, HELD, MOVED, PROPOSAL, QUARANTINED, UNCHANGED, Refusal, asks_elsewhere
from sync.plan import parted

if TYPE_CHECKING:
    from server.house import House
    from server.store.database import Connection

DECLINED = "declined"
DISCARDED = "discarded"
TRIES = 3


@dataclass(frozen=True, slots=True)
class Waiting:
    """A group that waits: the install that sent it and the n of any member, in the community."""

    community_id: str
    install_id: str
    n: int


@dataclass(slots=True)
class _Plan:
    """What is made of the group: its members now, which of them have a new text, and what waiting state they must be in."""

    group: list[Prepared]
    repaired: set[int] = field(default_factory=set)


def confirm(house: House, actor: Actor, waiting: Waiting) -> list[dict[str, Any]]:
    """Let a proposal in, as somebody over all of its records; the results of its group.

    A request to another community goes on to the secretary there, and is ``held`` until they have decided (S30).

    Raises
    ------
    NotFound
        There is no such operation.
    AlreadyDecided
        It is not a proposal any more, or it waits for something else first.
    """
    return _decide(house, actor, waiting, "proposal", PROPOSAL, lambda group: _Plan(list(group)))


def decline(house: House, actor: Actor, waiting: Waiting) -> list[dict[str, Any]]:
    """Say no to a proposal: final, ``unchanged`` with the reason ``declined``. Raises as `confirm`."""
    return _decide(house, actor, waiting, "proposal", PROPOSAL, lambda group: _refused(group, DECLINED))


def discard(house: House, actor: Actor, waiting: Waiting) -> list[dict[str, Any]]:
    """Give up a quarantined group: final, ``unchanged`` with the reason ``discarded``; what waits behind goes on (S13).

    Raises NotFound, AlreadyDecided as `confirm`.
    """
    return _decide(house, actor, waiting, "discard", None, lambda group: _refused(group, DISCARDED))


def repair(house: House, actor: Actor, waiting: Waiting, corrections: dict[int, dict[str, Any]]) -> list[dict[str, Any]]:
    """Send a quarantined group again with corrected operations (S13).

    Parameters
    ----------
    corrections : n → members of the operation that take the place of its own. ``set``, ``arguments`` and ``was`` are laid over the
        present ones field by field; a field that is given as ``{"remove": true}`` goes. For bytes that could not be read they
        are the whole operation, less its ``op_id``.

    A group with a move to another community is parted: the move is by itself from now on, and so is what stands before and after it (S30).

    Returns
    -------
    list
        What became of each member. Other members of the group are decided anew as they are.

    Raises
    ------
    NotFound, AlreadyDecided
        As `confirm`.
    InvalidInput
        A correction of an operation that is not in the group, or one that the form does not take: nothing is written.
    """

    def corrected(group: Sequence[Prepared]) -> _Plan:
        there = {one.n for one in group}
        unknown = [InputError(f"/operations/{n}", "not_in_the_group", "not of this group") for n in corrections if n not in there]
        if unknown:
            raise InvalidInput(errors=unknown)
        made = [_corrected(house, one, corrections[one.n]) if one.n in corrections else one for one in group]
        return _Plan(made, set(corrections))

    return _decide(house, actor, waiting, "repair", None, corrected)


def _refused(group: Sequence[Prepared], reason: str) -> _Plan:
    for one in group:
        one.refusal = Refusal(UNCHANGED, reason)
    return _Plan(list(group))


def _corrected(house: House, one: Prepared, correction: dict[str, Any]) -> Prepared:
    """A member with its corrected text, read like any other; what is wrong with it is told at once."""
    try:
        whole = orjson.loads(one.text)
    except orjson.JSONDecodeError:
        whole = {}
    if not isinstance(whole, dict):
        whole = {}
    if one.operation is not None:
        same = [name for name in ("op_id", "type", "id", "kind") if correction.get(name, whole.get(name)) != whole.get(name)]
        if same:
            raise InvalidInput(errors=[InputError(f"/operations/{one.n}/{name}", "stays", "cannot be changed") for name in same])
    for name, value in correction.items():
        if name in ("set", "arguments", "was") and isinstance(value, dict) and isinstance(whole.get(name), dict):
            laid = whole[name] | value
            whole[name] = {key: kept for key, kept in laid.items() if kept != {"remove": True}}
        else:
            whole[name] = value
    whole["op_id"] = one.op_id
    made = prepare(one.n, orjson.dumps(whole).decode(), house.keys, house.registry)
    if made.refusal is not None and made.refusal.outcome == QUARANTINED:
        told = made.refusal.errors or [{"pointer": "", "code": made.refusal.reason, "message": made.refusal.reason}]
        raise InvalidInput(
            errors=[InputError(f"/operations/{one.n}{error['pointer']}", error["code"], error["message"]) for error in told]
        )
    return made


def _decide(
    house: House,
    actor: Actor,
    waiting: Waiting,
    command: str,
    reason: str | None,
    change: Callable[[Sequence[Prepared]], _Plan],
) -> list[dict[str, Any]]:
    attempt = Attempt()
    for _ in range(TRIES):
        try:
            with write(house.engine) as connection:
                memory, results = _transact(connection, house, actor, waiting, command, reason, change, attempt)
            break
        except PlanOutdated:
            continue
    else:
        raise Busy(retry_after_s=2)
    try:
        release_waiting(house, waiting.community_id, sorted(memory.touched), any_held=True)
    except Exception as error:
        LOG.error("releasing after a decision failed: %s; left to the sweeper", place_of(error))
    return results


def _transact(
    connection: Connection,
    house: House,
    actor: Actor,
    waiting: Waiting,
    command: str,
    reason: str | None,
    change: Callable[[Sequence[Prepared]], _Plan],
    attempt: Attempt,
) -> tuple[Memory, list[dict[str, Any]]]:
    community_id, install_id = waiting.community_id, waiting.install_id
    row = reading.lock_install(connection, community_id, install_id)
    group_n = reading.group_of(connection, community_id, install_id, waiting.n)
    if row is None or group_n is None:
        raise NotFound("no such operation within your scope")
    operations = reading.group_operations(connection, community_id, install_id, group_n)
    now = HELD if reason is not None else QUARANTINED
    open_ones = [one for one in operations if one.now != ERASED]
    if not open_ones or open_ones[0].now != now or (reason is not None and open_ones[0].now_reason != reason):
        raise AlreadyDecided("somebody has decided this already; look at the list again")
    waits = inbox.waits_for(connection, community_id, [(install_id, group_n)]).get((install_id, group_n), ())
    asked_before = any(asks_elsewhere(one) for one in waits)
    plan = change(texts_of(connection, house, community_id, operations))
    at = stamp(house.clock())
    submission = Submission(
        community_id=community_id,
        install_id=install_id,
        user_id=row.user_id,
        kind=row.kind,
        source="console",
        parent=(row.parent_install_id, row.parent_n or 0) if row.parent_install_id else None,
        scope=None,
        at=at,
        command=command,
        actor_id=actor.user_id,
    )
    results: list[dict[str, Any]] = []

    def keep(connection: Connection, memory: Memory, opened: Opened, entry: Entry, decided: list[Decided]) -> None:
        held = [one for one in decided if one.outcome == HELD]
        # about records that have moved since, it is decided there at once (S30)
        passed_on = all(one.reason == MOVED or (asks_elsewhere(one.waits_for) and not asked_before) for one in held)
        if reason is not None and held and not passed_on:
            raise AlreadyDecided("this waits for a record that is not here yet")
        results.extend(keep_decision(connection, community_id, install_id, operations, opened, entry, decided))
        if plan.repaired:
            _keep_texts(connection, community_id, install_id, memory, opened, entry, decided, plan.repaired)
        writing.change_groups(connection, [(one.group_n, community_id, install_id, one.prepared.n) for one in decided if one.group_n != group_n])

    memory = decide_and_write(connection, house, submission, parted(plan.group), attempt, keep=keep)
    return memory, results


def keep_decision(
    connection: Connection, community_id: str, install_id: str, operations: Sequence[Any], opened: Opened, entry: Entry, decided: Sequence[Decided]
) -> list[dict[str, Any]]:
    """Write what became of a group that waited, and what it waits for now; its results, as decisions of the office answer them.

    ``operations`` are the stored rows of the whole group, also of members about somebody who was erased.
    """
    status = {one.n: one.status + 1 for one in operations}
    rows = [
        (one.outcome, one.reason, status[one.prepared.n], one.v, one.tag, entry.number, entry.at, install_id, one.prepared.n)
        for one in decided
    ]
    writing.change_statuses(connection, community_id, rows)
    _keep_details(connection, community_id, install_id, decided)
    keep_targets(connection, community_id, install_id, decided)
    writing.drop_waits(connection, community_id, install_id, decided[0].group_n)
    writing.insert_waits(connection, community_id, waits_of(decided, install_id, entry.at))
    # the id of bytes that could not be read is known to the phone alone
    told = [one for one in decided if one.prepared.op_id != NO_OPERATION]
    changed = [(install_id, one.prepared.op_id, status[one.prepared.n]) for one in told]
    opened.statuses.extend(statuses_changed(changed, opened.device_installs))
    return [result_of(one, status[one.prepared.n]) for one in decided]


def _keep_details(connection: Connection, community_id: str, install_id: str, decided: Sequence[Decided]) -> None:
    """What is wrong now, and what an operation that could not be read turned out to be about."""
    rows = []
    for one in decided:
        operation = one.prepared.operation
        detail = orjson.dumps(one.errors).decode() if one.errors else None
        if operation is not None:
            rows.append((detail, operation.type, operation.addressed or operation.id, install_id, one.prepared.n))
    commands.note_subjects(connection, community_id, rows)


def _keep_texts(
    connection: Connection,
    community_id: str,
    install_id: str,
    memory: Memory,
    opened: Opened,
    entry: Entry,
    decided: Sequence[Decided],
    repaired: set[int],
) -> None:
    """Seal the corrected texts under the keys of those whom they are about; the ones that were sent stay where they are."""
    mine = [one for one in decided if one.prepared.n in repaired and one.outcome != ERASED]
    texts: dict[str | None, dict[str, str]] = {}
    for one in mine:
        subject = subject_of_operation(one, memory, install_id)
        texts.setdefault(subject, {})[str(one.prepared.n)] = one.prepared.text.decode("utf-8", "replace")
    missing = opened.keys.missing(texts)
    opened.keys.learn(missing, reading.wrapped_keys(connection, community_id, missing))
    sealed = [(entry.number, subject or "~community", seal(opened.keys.of(subject), orjson.dumps(found))) for subject, found in texts.items()]
    writing.insert_payloads(connection, community_id, sealed)
    rows = [(entry.number, subject, install_id, int(n)) for subject, found in texts.items() for n in found]
    commands.note_repairs(connection, community_id, rows)
    entry.more["repaired"] = [[one.prepared.n, one.prepared.op_id] for one in mine]


def result_of(one: Decided, status: int) -> dict[str, Any]:
    """What became of an operation, as decisions of the office answer it."""
    operation = one.prepared.operation
    return {
        "n": one.prepared.n,
        "op_id": one.prepared.op_id,
        "now": {"outcome": one.outcome, "reason": one.reason, "status": status},
        "record": {"id": operation.id, "v": one.v, "tag": one.tag} if operation is not None and one.v is not None else None,
        "errors": one.errors,
    }
