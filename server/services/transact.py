"""One transaction over records: lock in one order, read, decide in memory, write set by set (S15)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from server.services import loading, photos_along
from server.services.authors import writer_of
from server.services.carry import (
    Entry,
    Opened,
    carry_out,
    named_subject,
    operation_rows,
    payload_rows,
    subject_of_operation,
)
from server.services.keys import DataKeys
from server.services.places import Places, places_in_force
from server.services.reused import REUSED, reused_finding
from server.store import commands, crossings, writing
from server.store import push as reading
from server.store.database import next_journal_number
from server.store.errors import PlanOutdated
from sync.commanding import targets_of
from sync.days import day_at
from sync.digest import made_id
from sync.feedrows import Counter, streams_of
from sync.memory import UNPLACED, Crossing, Decided, Memory, Prepared
from sync.outcome import HELD, MOVED, OPEN, QUARANTINED, Refusal
from sync.placing import IncompletePlan
from sync.plan import decide
from sync.record import Record
from sync.redirects import followed

if TYPE_CHECKING:
    from forms.registry import Registry
    from server.house import House
    from server.store.database import Connection


@dataclass(slots=True)
class Attempt:
    """What earlier tries of the same transaction have taught: streams to lock too, records that may move, others to read."""

    streams: set[str] = field(default_factory=set)
    movers: set[str] = field(default_factory=set)
    ids: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Submission:
    """Whose operations are decided, and how they came in."""

    community_id: str
    install_id: str
    user_id: str | None
    kind: str
    source: str
    parent: tuple[str, int] | None
    scope: tuple[int, int] | None
    at: str
    command: str = "push"
    system: bool = False
    actor_id: str | None = None
    """Who decided, where that is not the user of the install."""
    home: str | None = None
    """The community of the install, where it is another one (S30)."""
    crossing: Crossing | None = None


KeepRows = Callable[["Connection", Memory, Opened, Entry, list[Decided]], None]


def decide_and_write(
    connection: Connection,
    house: House,
    submission: Submission,
    groups: Sequence[Sequence[Prepared]],
    attempt: Attempt,
    *,
    keep: KeepRows | None = None,
) -> Memory:
    """Decide new groups and write everything; ``keep`` writes the operations' own rows (None: as freshly consumed).

    Raises PlanOutdated, with the attempt enriched, when something more must be locked or read first.
    """
    community_id = submission.community_id
    needs = loading.needs_of(groups)
    needs.movers |= attempt.movers
    needs.ids |= attempt.ids
    reading.lock_placement(connection, community_id, exclusive=needs.exclusive)
    redirects = commands.redirects_of(connection, community_id, needs.ids)
    if redirects:
        groups, needs = _follow(groups, redirects, needs, attempt)
    if needs.commands:
        redirects |= commands.leading_to(connection, community_id, needs.ids)
        needs.take_back(commands.past_merges(connection, community_id, needs.undone))
    places = places_in_force(connection, str(house.engine.url), community_id)
    places.learn(needs.locations)
    moved = reading.dependants(connection, community_id, needs.movers) if needs.exclusive else []
    needs.persons.update(one[0] for one in moved if one[1] == "person")
    cards = {made_id("card", person) for person in needs.persons}
    wanted = sorted(needs.ids | cards)
    early = reading.load_early(connection, community_id, wanted)
    there = _homes(early[0]) if early is not None else reading.homes_of(connection, community_id, wanted)
    _created_again(needs, there, attempt)
    counters, devices = _lock(connection, submission, needs, attempt, places, [*there, *((one[0], *one[2:]) for one in moved)])
    keys = DataKeys(house.keys)

    def learn(subjects: Iterable[str | None]) -> None:
        missing = keys.missing(subjects)
        keys.learn(missing, reading.wrapped_keys(connection, community_id, missing))

    moved_ids = [one[0] for one in moved]
    memory, secrets = _remember(connection, house, submission, groups, needs, moved_ids, cards, places, keys, learn, early)
    memory.redirects |= redirects
    memory.merges |= needs.merges
    mark_repeats(connection, submission, groups)
    writer = writer_of(connection, house, submission, groups, memory)
    try:
        decide(groups, writer, memory)
    except IncompletePlan as error:
        attempt.movers.add(error.record_id)
        raise PlanOutdated from error
    memory.findings += [
        reused_finding(submission.install_id, one.prepared) for one in memory.decided if one.reason == REUSED
    ]
    devices |= _makers(connection, community_id, memory, devices)
    missing = _streams(memory, devices) - set(counters)
    if missing:
        attempt.streams |= missing
        raise PlanOutdated
    opened = Opened(secrets, {stream_id: Counter.read(*row) for stream_id, row in counters.items()}, keys, devices)
    learn({record.subject_id for record in memory.touched.values()})
    entry = Entry(
        next_journal_number(connection),
        submission.command,
        submission.at,
        submission.actor_id or submission.user_id or "~system",
        submission.install_id,
        submission.source,
        {"edition": places.edition_id, "forms": forms_id(house.registry)},
    )
    if keep is None:
        photos_along.note_references(connection, house, community_id, groups, writer, submission.at)
        _keep_fresh(connection, submission, memory, opened, entry, learn)
    else:
        keep(connection, memory, opened, entry, memory.decided)
    carry_out(connection, house, community_id, memory, opened, entry)
    if needs.exclusive:
        reading.raise_placement_version(connection, community_id)
    return memory


def _follow(
    groups: Sequence[Sequence[Prepared]], redirects: dict[str, str], needs: loading.Needs, attempt: Attempt
) -> tuple[Sequence[Sequence[Prepared]], loading.Needs]:
    """Operations about merged records are about those that they lead to (S8); what a reference leads to is read too."""
    groups = followed(groups, Memory.rooted(redirects))
    found = loading.needs_of(groups)
    found.ids |= needs.ids | set(redirects.values())
    found.movers |= attempt.movers
    if found.exclusive and not needs.exclusive:
        attempt.movers |= found.movers
        raise PlanOutdated
    return groups, found


def _homes(records: dict[str, Record]) -> list[tuple[str, str, str]]:
    return [(one.id, one.home, one.created_install) for one in records.values()]


def _created_again(needs: loading.Needs, there: Iterable[tuple[str, str, str]], attempt: Attempt) -> None:
    """A record that is created where it exists may move: all of them are learned at once, and the try starts again."""
    again = {record_id for record_id, _, _ in there if needs.made.get(record_id)} - needs.movers
    if again:
        attempt.movers |= again
        raise PlanOutdated


def _lock(
    connection: Connection,
    submission: Submission,
    needs: loading.Needs,
    attempt: Attempt,
    places: Places,
    rows: Sequence[tuple[str, str, str]],
) -> tuple[dict[str, list[Any]], frozenset[str]]:
    """Lock the counters of all streams that the text tells of; (counters, phones that made unplaced records)."""
    streams = {home for _, home, _ in rows} | {place.home for place in places.known.values()} | attempt.streams
    if needs.unplaced:
        streams.add(UNPLACED)
    devices: frozenset[str] = frozenset()
    if submission.kind == "device":
        streams.add(f"install/{submission.install_id}")
        devices = frozenset({submission.install_id})
    if UNPLACED in streams:
        makers = sorted({install for record_id, home, install in rows if home == UNPLACED or record_id in needs.movers})
        devices |= reading.device_installs(connection, submission.community_id, makers)
        streams.update(f"install/{one}" for one in devices)
    return reading.lock_streams(connection, submission.community_id, streams), devices


def _makers(connection: Connection, community_id: str, memory: Memory, known: frozenset[str]) -> frozenset[str]:
    """The phones that made what is unplaced after deciding, or was before."""
    makers = {
        record.created_install
        for record in memory.touched.values()
        if record.home == UNPLACED or (record.id in memory.before and memory.before[record.id].home == UNPLACED)
    }
    return reading.device_installs(connection, community_id, sorted(makers - known))


def _streams(memory: Memory, devices: frozenset[str]) -> set[str]:
    """Every stream that shows a touched record now or showed it before."""
    found: set[str] = set()
    for record in memory.touched.values():
        if record.life == "live" and record.home != UNPLACED and record.id in memory.created:
            found.add(record.home)
            if record.dedicated is not None:
                found.add(record.dedicated)
            continue
        found |= streams_of(record.home, record.life, record.created_install, devices, record.dedicated)
        before = memory.before.get(record.id)
        if before is not None:
            found |= streams_of(before.home, before.life, record.created_install, devices, before.dedicated)
    return found


@lru_cache(maxsize=256)
def forms_id(registry: Registry) -> str:
    """Names the set of forms that decided, for the journal; a closed survey is another set."""
    named = ",".join(f"{name}/{registry.latest(name).version}{'-' * (name in registry.closed)}" for name in registry.types())
    return hashlib.blake2b(named.encode(), digest_size=8).hexdigest()


def _remember(
    connection: Connection,
    house: House,
    submission: Submission,
    groups: Sequence[Sequence[Prepared]],
    needs: loading.Needs,
    moved_ids: list[str],
    cards: set[str],
    places: Places,
    keys: DataKeys,
    learn: Callable[[Iterable[str | None]], None],
    early: loading.Loaded | None,
) -> tuple[Memory, dict[str, bytes]]:
    community_id = submission.community_id
    records, secrets = loading.load_all(connection, house.registry, community_id, groups, needs, moved_ids, house.keys, early)
    learn({record.subject_id for record in records.values()} | _declared(groups))
    loading.open_secrets(house.registry, groups, records, secrets, keys, needs)
    since = loading.wanted_past(groups, records) | {one.survivor: 0 for one in needs.merges.values()}
    past, known = loading.read_past(connection, community_id, since, keys, learn)
    everything = loading.unknown_bases(groups, since, known)
    if everything:
        whole, confirmed = loading.read_past(connection, community_id, everything, keys, learn)
        past, known = past | whole, known | confirmed
    children: dict[str, set[str]] = {}
    for record in records.values():
        if record.place_parent is not None:
            children.setdefault(record.place_parent, set()).add(record.id)
    disputed = sorted({record.id for record in records.values() if record.open_units} | set(since))
    gone = crossings.departures_of(connection, community_id, _perhaps_gone(needs, cards, records))
    memory = Memory(
        records=records,
        place=places.place,
        has_cell=places.has_cell,
        forms=house.registry.latest,
        arrived_at=submission.at,
        today=day_at(submission.at),
        past=past,
        known=known,
        movable=frozenset({*needs.movers, *moved_ids, *cards}),
        children=children,
        blocked=reading.blocked_records(connection, community_id, submission.install_id, groups[0][0].n),
        conflicts=reading.open_conflicts(connection, community_id, disputed),
        settled=reading.settled_conflicts(connection, community_id, sorted(needs.restored)),
        erased=keys.erased,
        communities=crossings.others(connection, community_id) if needs.crosses else frozenset(),
        crossing=submission.crossing,
        gone=gone,
        gone_by=crossings.numbers_of(connection, community_id, gone) if gone else {},
    )
    return memory, secrets


def _perhaps_gone(needs: loading.Needs, cards: set[str], records: dict[str, Record]) -> set[str]:
    """Who may live in another community: those who left, and those who are not here, who may have been made there by late work."""
    return {one.id for one in records.values() if one.life == MOVED} | (needs.ids - cards - records.keys())


def _declared(groups: Sequence[Sequence[Prepared]]) -> set[str | None]:
    """Subjects that the operations themselves name."""
    found: set[str | None] = {None}
    for group in groups:
        for prepared in group:
            operation, form = prepared.operation, prepared.form
            if operation is None or form is None or form.subject is None:
                continue
            found.add(operation.id)
            if form.subject != "self":
                found.add(named_subject(operation.set.get(form.subject)))
    return found


def mark_repeats(connection: Connection, submission: Submission, groups: Sequence[Sequence[Prepared]]) -> None:
    """An op_id that came before under another number: the same content is one operation, other content is refused."""
    by_id: dict[str, Prepared] = {}
    for group in groups:
        for one in group:
            if one.operation is not None and by_id.setdefault(one.op_id, one) is not one:
                one.refusal = Refusal(QUARANTINED, REUSED)
    for op_id, row in reading.seen_operations(connection, submission.community_id, list(by_id)).items():
        one = by_id[op_id]
        if (row.install_id, row.n) == (submission.install_id, one.n):
            continue  # itself, being released
        if bytes(row.content_hash) == one.content_hash:
            one.repeat_of = (row.install_id, row.n, row.now, row.now_reason)
            one.repeated = reading.version_after(row)
        else:
            one.refusal = Refusal(QUARANTINED, REUSED)


def _keep_fresh(
    connection: Connection,
    submission: Submission,
    memory: Memory,
    opened: Opened,
    entry: Entry,
    learn: Callable[[Iterable[str | None]], None],
) -> None:
    """Write the rows of freshly consumed operations: outcome, sealed text, and what held ones wait for."""
    install_id, community_id = submission.install_id, submission.community_id
    subjects = [subject_of_operation(one, memory, install_id) for one in memory.decided]
    learn(subjects)
    rows = operation_rows(memory.decided, community_id, install_id, entry.number, entry.at, subjects)
    writing.insert_operations(connection, rows)
    payloads = payload_rows(memory.decided, subjects, opened.keys, entry.number)
    writing.insert_payloads(connection, community_id, payloads)
    writing.insert_waits(connection, community_id, waits_of(memory.decided, install_id, entry.at))
    keep_targets(connection, community_id, install_id, memory.decided)


def keep_targets(connection: Connection, community_id: str, install_id: str, decided: Iterable[Decided]) -> None:
    """The records of open commands, which others wait behind; and which record an operation entered through a redirect."""
    targets, entered = [], []
    for one in decided:
        operation = one.prepared.operation
        if operation is None:
            continue
        if operation.kind == "command" and one.outcome in OPEN:
            targets += [(install_id, one.prepared.n, record_id) for record_id in sorted(targets_of(operation))]
        if operation.addressed is not None and one.v is not None:
            entered.append((operation.id, install_id, one.prepared.n))
    commands.insert_targets(connection, community_id, targets)
    commands.note_entered(connection, community_id, entered)


def waits_of(decided: Iterable[Decided], install_id: str, at: str) -> list[tuple[str, str, int, str]]:
    """(what for, install, group, since) of held operations; a repeat of a held operation waits for the first of it."""
    waits = set()
    for one in decided:
        if one.outcome == HELD:
            repeats = one.prepared.repeat_of is not None
            waits_for = f"op/{one.prepared.op_id}" if repeats else one.waits_for
            if waits_for is not None:
                waits.add((waits_for, install_id, one.group_n, at))
    return sorted(waits)


def statuses_changed(rows: Iterable[tuple[Any, ...]], device_installs: frozenset[str]) -> list[tuple[str, str, int, int | None]]:
    """(install stream, op_id, status, previous) of operations whose outcome changed, for phones only.

    Status 1 is the answer to the push itself and has no row.
    """
    return [
        (f"install/{install}", op_id, status, status - 1 if status > 2 else None)
        for install, op_id, status in rows
        if install in device_installs
    ]
