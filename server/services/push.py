"""Taking in a batch: duplicates answered again, new groups decided and written in one transaction (S11–S18)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import orjson

from server.errors import InputError, InstallRevoked, InvalidInput, NotFound, OutsideScope, ServerError
from server.house import time_of_uuid7
from server.permissions import Actor
from server.services.enrolment import LOST, user_install
from server.services.faults import place_of
from server.services.lives import begin_again, check_acknowledged, note_departures, pass_over, receipt, was_passed_over
from server.services.prepare import NO_OPERATION, prepare
from server.services.release import release_waiting
from server.services.results import answered, record_after, repeated
from server.services.reused import flag_reused, keep_reused
from server.services.scope import settle_expired
from server.services.transact import Attempt, Submission, decide_and_write
from server.store import push as reading
from server.store import writing
from server.store.backup import standing
from server.store.database import read, stamp, written
from server.store.errors import Busy, CopiedBack, PlanOutdated, StoreError
from server.store.inbox import awaited
from server.store.waits import give_up_in_time
from sync.memory import Prepared
from sync.outcome import HELD, QUARANTINED, Refusal

if TYPE_CHECKING:
    from server.house import House
    from server.store.database import Connection

LOG = logging.getLogger("dishu.push")
MAX_OPERATIONS = 2000
TRIES = 3
SLICE = 500
"""Operations in one transaction: a large batch does not hold up the others."""
SHORT = 20  # so few operations may share a commit with those of others
BUDGET = timedelta(seconds=5)
"""After this time the rest of a batch is left to the next request."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What an install sends: groups of (n, operation text) in order, after what it believes to be consumed."""

    groups: tuple[tuple[tuple[int, str], ...], ...]
    after_n: int
    after_op_id: str | None
    scope: tuple[int, int] = (0, 0)
    skew_s: float | None = None
    acknowledged: tuple[str | None, int] = (None, 0)
    """(epoch, n) of the receipt that it shows."""
    missing: tuple[int, str | None] | None = None
    """The head that it was told to go on from, and whose successors it has forgotten."""
    departures: tuple[str, int] = ("", 0)
    taken: tuple[tuple[str, int, int], ...] = ()
    """What the last complete page said of those who have left, and the last n before the phone had that page (S30)."""
    at_end: bool = False  # one group of a sender without a log of its own, numbered when the install is locked
    beside: Callable[[Connection, int], None] | None = None
    """Writes what belongs to the group in the same transaction; gets the number that was reached before."""
    behind: Callable[[Connection, Mapping[str, str]], None] | None = None
    """Writes what follows from the outcomes, in the same transaction; gets the outcome of each operation by its id."""


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sends: the install with its user. ``scoped`` says that S18 applies (`permissions.SCOPED`)."""

    community_id: str
    install_id: str
    user_id: str | None
    kind: str
    scoped: bool
    source: str = "device"
    unconfirmed: bool = False
    """A restored database does not know the install: everything is held until somebody says whose it is (S26)."""


@dataclass(slots=True)
class _Answer:
    results: dict[int, dict[str, Any]] = field(default_factory=dict)
    expected: tuple[int, str | None] | None = None
    applied: tuple[int, str | None] = (0, None)
    created: list[str] = field(default_factory=list)
    held: bool = False
    continue_from: int | None = None

    def add(self, later: _Answer) -> None:
        """Take in the answer to what came behind."""
        self.results |= later.results
        self.created += later.created
        self.applied, self.expected, self.held = later.applied, later.expected, self.held or later.held


def accept(house: House, sender: Sender, batch: Batch) -> dict[str, Any]:
    """Take in a batch and answer for each of its operations.

    Returns
    -------
    dict
        The answer of ``POST /api/v1/sync/push`` (docs/protocol.md): ``results`` in order of n, ``applied``, and
        ``expected`` where the batch does not follow what the server has consumed (nothing is consumed then).

    Raises
    ------
    Busy, Unavailable
        The database is overloaded, failed, or kept changing under us; nothing was consumed. Where that befalls a later part of the batch,
        what came before it is answered, with ``continue_from``.
    NotFound, InstallRevoked
        There is no such install, or it was reported lost.
    """
    settle_expired(house, sender.community_id, sender.user_id if sender.scoped else None)
    groups = [[prepare(n, text, house.keys, house.registry) for n, text in group] for group in batch.groups]
    if sender.unconfirmed:
        _hold_all(sender.install_id, groups)
    numbers = [one.n for group in groups for one in group]
    if numbers != list(range(numbers[0], numbers[0] + len(numbers))) if numbers else False:
        raise InvalidInput(errors=[InputError("/groups", "numbers", "n must rise by one through the batch")])
    try:
        answer = _within_budget(house, sender, batch, groups)
    except CopiedBack as seen:
        begin_again(house, sender.community_id, sender.install_id, seen)
        answer = _within_budget(house, sender, batch, groups)
    if answer.created or answer.held:
        _release(house, sender.community_id, answer)
    return _as_json(house, sender, batch, answer)


def _hold_all(install_id: str, groups: list[list[Prepared]]) -> None:
    for one in (one for group in groups for one in group):
        if one.refusal is None or one.refusal.outcome != QUARANTINED:
            one.refusal = Refusal(HELD, "install", f"install/{install_id}")


def _release(house: House, community_id: str, answer: _Answer) -> None:
    """S14. The push is committed: whatever goes wrong from here on is left to the sweeper, the answer stands."""
    try:
        release_waiting(house, community_id, answer.created, any_held=answer.held)
    except Exception as error:
        LOG.error("releasing after a push failed: %s; left to the sweeper", place_of(error))


def _within_budget(house: House, sender: Sender, batch: Batch, groups: list[list[Prepared]]) -> _Answer:
    """Slices of a batch in transactions of their own; past the time budget the rest is left to the next request (S17)."""
    started = house.clock()
    slices = _slices(groups)
    whole = _try(house, sender, batch, slices[0])
    for part in slices[1:]:
        if whole.expected is not None:
            break
        if house.clock() - started > BUDGET:
            whole.continue_from = part[0][0].n
            break
        rest = replace(batch, groups=(), after_n=whole.applied[0], after_op_id=whole.applied[1])
        try:
            later = _try(house, sender, rest, part)
        except StoreError as error:  # what was committed is answered; the request that goes on from here meets the trouble
            LOG.warning("a push stops before n %d: %s", part[0][0].n, type(error).__name__)
            whole.continue_from = part[0][0].n
            break
        if later.expected is not None:  # another request of this install came between: the phone asks again from here
            whole.continue_from = part[0][0].n
            break
        whole.add(later)
    return whole


def _slices(groups: list[list[Prepared]]) -> list[list[list[Prepared]]]:
    """The groups in slices of about ``SLICE`` operations; one empty slice for a batch without groups."""
    slices: list[list[list[Prepared]]] = [[]]
    count = 0
    for group in groups:
        if count >= SLICE:
            slices.append([])
            count = 0
        slices[-1].append(group)
        count += len(group)
    return slices


def _try(house: House, sender: Sender, batch: Batch, groups: list[list[Prepared]]) -> _Answer:
    try:
        return _with_tries(house, sender, batch, groups)
    except (StoreError, ServerError):
        raise
    except Exception as error:  # S17: what one group breaks, the others must not suffer
        LOG.error("push of %d groups failed: %s; going on group by group", len(groups), place_of(error))
        return _one_by_one(house, sender, batch, groups)


def _with_tries(house: House, sender: Sender, batch: Batch, groups: list[list[Prepared]]) -> _Answer:
    attempt = Attempt()
    alone = sum(map(len, groups)) > SHORT
    for _ in range(TRIES):
        with suppress(PlanOutdated):
            return written(house.engine, lambda connection: _transact(connection, house, sender, batch, groups, attempt), alone=alone)
    raise Busy(retry_after_s=2)


def _one_by_one(house: House, sender: Sender, batch: Batch, groups: list[list[Prepared]]) -> _Answer:
    whole = _Answer(applied=(batch.after_n, batch.after_op_id))
    for group in groups:
        part = replace(batch, groups=(), after_n=whole.applied[0], after_op_id=whole.applied[1])
        try:
            answer = _with_tries(house, sender, part, [group])
        except (StoreError, ServerError):
            raise
        except Exception as error:
            LOG.error("a group of %d operations is quarantined: %s", len(group), place_of(error))
            for one in group:
                one.refusal = Refusal(QUARANTINED, "unexpected")
            answer = _with_tries(house, sender, part, [group])
        whole.add(answer)
        if whole.expected is not None:
            break
    return whole


def _transact(
    connection: Connection,
    house: House,
    sender: Sender,
    batch: Batch,
    groups: Sequence[Sequence[Prepared]],
    attempt: Attempt,
) -> _Answer:
    give_up_in_time(connection)
    row = reading.lock_install(connection, sender.community_id, sender.install_id)
    if row is None:
        raise NotFound("there is no such install")
    if row.revoked_at is not None and row.revoked_reason in (None, LOST):
        raise InstallRevoked("this device was reported lost", LOST)
    last = (int(row.last_n), row.last_op_id)
    check_acknowledged(connection, batch.acknowledged, last[0])
    if batch.at_end:
        for place, one in enumerate((one for group in groups for one in group), 1):
            one.n = last[0] + place
        batch = replace(batch, after_n=last[0], after_op_id=last[1], scope=(batch.scope[0], last[0]))
    if batch.beside is not None:
        batch.beside(connection, last[0])
    if batch.missing == last and batch.after_n > last[0] and batch.after_op_id is not None:
        last = (batch.after_n, batch.after_op_id)
        pass_over(connection, house, sender, batch.missing, last)
    answer = _Answer(applied=last)
    reused: list[tuple[Prepared, str | None]] = []
    again: dict[str, Prepared] = {}
    numbers = [one.n for group in groups for one in group] or [batch.after_n + 1]
    first_n = min(batch.after_n, numbers[0])
    stored = reading.consumed(connection, sender.community_id, sender.install_id, first_n, numbers[-1])
    if not (
        _follows(batch, stored, last) or was_passed_over(connection, sender, (batch.after_n, batch.after_op_id))
    ) or numbers[0] > min(last[0], batch.after_n) + 1:
        answer.expected = last
        return answer
    fresh: list[Sequence[Prepared]] = []
    for group in groups:
        if group[0].n > last[0]:
            fresh.append(group)
            continue
        for one in group:
            known = stored.get(one.n)
            if known is None or known.op_id != one.op_id:
                answer.expected = last
                return answer
            answer.results[one.n] = repeated(known, one)
            if bytes(known.content_hash) != one.content_hash:
                reused.append((one, known.subject_id))
            elif not known.canonical:
                again[one.op_id] = one
    if reused:
        keep_reused(connection, house, sender, reused)
    for op_id, first in reading.seen_operations(connection, sender.community_id, list(again)).items():
        if bytes(first.content_hash) == again[op_id].content_hash:  # not one that was refused for its used id
            answer.results[again[op_id].n]["record"] = record_after(reading.version_after(first))
    if fresh:
        note_departures(connection, sender, batch.departures, batch.taken, int(row.departures_seen))
        at = stamp(house.clock())
        submission = Submission(
            community_id=sender.community_id,
            install_id=sender.install_id,
            user_id=sender.user_id,
            kind=sender.kind,
            source=sender.source,
            parent=(row.parent_install_id, row.parent_n or 0) if row.parent_install_id else None,
            scope=batch.scope if sender.scoped else None,
            at=at,
        )
        memory = decide_and_write(connection, house, submission, fresh, attempt)
        final = fresh[-1][-1]
        answer.applied = (final.n, final.op_id)
        answer.created = awaited(connection, sender.community_id, list(memory.created))
        answer.held = any(one.outcome == HELD for one in memory.decided)
        writing.advance_install(
            connection, sender.community_id, sender.install_id, final.n, final.op_id, at, batch.skew_s
        )
        for decided in memory.decided:
            answer.results[decided.prepared.n] = answered(decided)
        if batch.behind is not None:
            batch.behind(connection, {one.prepared.op_id: one.outcome for one in memory.decided})
        flag_reused(connection, sender, memory.decided)
    return answer


def _follows(batch: Batch, stored: dict[int, Any], last: tuple[int, str | None]) -> bool:
    """S12: the server consumed exactly that op_id at that n."""
    if batch.after_n == 0:
        return batch.after_op_id is None
    if (batch.after_n, batch.after_op_id) == last:
        return True
    row = stored.get(batch.after_n)
    # the id of bytes that could not be read is known to the phone alone
    return row is not None and row.op_id in (batch.after_op_id, NO_OPERATION)


def _as_json(house: House, sender: Sender, batch: Batch, answer: _Answer) -> dict[str, Any]:
    if batch.at_end:  # nobody keeps a log by this answer
        return {"results": [answer.results[n] for n in sorted(answer.results)]}
    with read(house.engine) as connection:
        life, safe_n = standing(connection, sender.community_id, sender.install_id)
    said: dict[str, Any] = {
        "epoch": life,
        "results": [answer.results[n] for n in sorted(answer.results)],
        "applied": {"n": answer.applied[0], "op_id": answer.applied[1]},
        "safe_n": safe_n,
        "skew_s": batch.skew_s,
        "receipt": receipt(house, sender.install_id, life, answer.applied[0]),
    }
    if answer.continue_from is not None:
        said["continue_from"] = answer.continue_from
    if answer.expected is not None:
        said["expected"] = {"n": answer.expected[0], "op_id": answer.expected[1]}
    return said


def accept_user_operation(
    house: House, actor: Actor, operation: dict[str, Any], *, may_confirm: bool = False
) -> dict[str, Any]:
    """One operation of somebody at the office, through the user's own install like every other write.

    ``operation`` lacks what is given here: op_id, form version and claimed time. Returns its result.
    """
    return accept_user_group(house, actor, [user_operation(house, operation)], may_confirm=may_confirm)[0]


def user_operation(house: House, given: Mapping[str, Any]) -> str:
    """The frozen text of an operation of somebody at the office, with what it lacks: op_id, form version, claimed time.

    The claimed time is that of the op_id where one is given (UUIDv7): sent again it is the same text (L6).
    """
    form = house.registry.latest(str(given["type"]))
    op_id = str(given.get("op_id") or house.new_id())
    at = stamp(time_of_uuid7(op_id) or house.clock())
    whole = {"form_version": form.version, "claimed_at": at, "base": None, **given, "op_id": op_id}
    return orjson.dumps(whole).decode()


def accept_user_group(
    house: House, actor: Actor, texts: Sequence[str], *, scope_version: int | None = None, may_confirm: bool = False
) -> list[dict[str, Any]]:
    """Operations of somebody at the office that apply together or not at all; their results in the same order.

    Parameters
    ----------
    may_confirm : a pin among these operations was judged already (`placement.pin`)
    scope_version : of a grid worker: the version of the scope that they see, by which the group is judged (S18)
    """
    if actor.role != "secretary" and scope_version is None and not may_confirm and any('"pin"' in text for text in texts):
        raise OutsideScope("which cell a record stands in against its place is said by the secretary")
    writer = user_install(house, actor)
    scoped = scope_version is not None
    sender = Sender(actor.community_id, writer.install_id or "", actor.user_id, "user", scoped, "console")
    for _ in range(TRIES):
        with read(house.engine) as connection:
            last = reading.consumed_up_to(connection, sender.community_id, sender.install_id)
        group = tuple((last[0] + place, text) for place, text in enumerate(texts, 1))
        answer = accept(house, sender, Batch((group,), *last, scope=(scope_version or 0, last[0])))
        if "expected" not in answer:
            results: list[dict[str, Any]] = answer["results"]
            return results
    raise Busy(retry_after_s=1)
