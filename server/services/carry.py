"""Carry a plan out: every row of one transaction, sealed and written set by set (S15, S27, S28)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import orjson

from forms.definition import RecordType
from forms.index import index_entries, mask_value
from server.services.conflicts import conflict_rows
from server.services.keys import COMMUNITY, DataKeys
from server.services.prepare import is_record_id
from server.store import commands, crossings, search, writing
from server.store.database import stamp
from sync.digest import made_id
from sync.feedrows import Counter, stream_changes
from sync.memory import Decided, Memory, Move, Prepared
from sync.operation import Operation
from sync.outcome import ERASED
from sync.record import Record

if TYPE_CHECKING:
    from server.house import House
    from server.store.database import Connection

ENGINE_VERSION = "1"
"""Raised whenever the same operations would be decided otherwise; entries name it (S27)."""


@dataclass(slots=True)
class Entry:
    """The journal entry that a transaction makes."""

    number: int
    command: str
    at: str
    actor_id: str
    install_id: str
    source: str
    configuration: dict[str, Any]
    more: dict[str, Any] = field(default_factory=dict)
    """Members of the effects beside records and streams."""


@dataclass(slots=True)
class Opened:
    """What was read beside the records: their sealed secrets, counters, keys, and the installs that are phones."""

    secrets: Mapping[str, bytes]
    counters: dict[str, Counter]
    keys: DataKeys
    device_installs: frozenset[str]
    statuses: list[tuple[str, str, int, int | None]] = field(default_factory=list)


def subject_of_operation(decided: Decided, memory: Memory, install_id: str) -> str | None:
    """Under whose key the text of an operation is sealed; bytes that could not be read get a subject of their own."""
    operation = decided.prepared.operation
    if operation is None:
        return made_id("raw", install_id, str(decided.prepared.n))
    record = memory.records.get(operation.id)
    if record is not None:
        return record.subject_id
    return declared_subject(decided.prepared.form, operation)


def declared_subject(form: RecordType | None, operation: Operation) -> str | None:
    """Whom an operation about a record that is not there says that it is about; of an unknown form: a subject of its own."""
    if form is None:
        return made_id("raw", operation.id)
    if form.subject is None:
        return None
    if form.subject == "self":
        return operation.id
    return named_subject(operation.set.get(form.subject)) or operation.id


def named_subject(value: object) -> str | None:
    """The person that a text names as its subject; what is no record id was typed by somebody and is never a key's name."""
    return value if isinstance(value, str) and is_record_id(value) else None


def carry_out(connection: Connection, house: House, community_id: str, memory: Memory, opened: Opened, entry: Entry) -> None:
    """Write records, history, index, conflicts, findings, ledger, feed, counters, keys and the journal entry."""
    changes = stream_changes(memory, opened.counters, opened.device_installs, opened.statuses)
    _write_records(connection, house, community_id, memory, opened, entry)
    writing.insert_history(connection, _history_rows(community_id, memory, opened.keys, entry))
    writing.insert_moves(
        connection,
        community_id,
        [
            (record_id, v, entry.number, from_home, to_home, entry.number, entry.at, reason)
            for (record_id, v), (from_home, to_home, reason) in _moves(memory.moves).items()
            if from_home != to_home
        ],
    )
    if memory.disputes:
        rows = conflict_rows(connection, house, community_id, memory, opened.keys, entry.number, entry.at, entry.install_id)
        writing.write_conflicts(connection, community_id, rows)
    if memory.findings:
        writing.write_findings(connection, community_id, memory.findings, entry.number, entry.at)
    writing.write_feed(connection, community_id, changes.rows)
    moved = {stream_id: opened.counters[stream_id] for stream_id in changes.touched}
    writing.write_counters(connection, community_id, [(stream_id, *one.row()) for stream_id, one in moved.items()])
    writing.insert_keys(connection, community_id, list(opened.keys.made.items()))
    if memory.led:
        commands.write_redirects(connection, community_id, memory.led, entry.number)
    if memory.parted:
        crossings.write_departures(connection, community_id, memory.parted, entry.number)
    effects = _effects(memory, moved, entry.more)
    writing.insert_journal(
        connection,
        (
            community_id, entry.number, entry.command, entry.at, entry.actor_id, entry.install_id, entry.source,
            ENGINE_VERSION, orjson.dumps(entry.configuration).decode(), effects,
        ),
    )  # fmt: skip


def _moves(moves: Iterable[Move]) -> dict[tuple[str, int], tuple[str, str, str]]:
    """(record, v) → from, to, reason: nobody ever saw where a record stood between two moves of one transaction."""
    found: dict[tuple[str, int], tuple[str, str, str]] = {}
    for one in moves:
        first = found.get((one.record_id, one.v))
        found[one.record_id, one.v] = (first[0] if first is not None else one.from_home, one.to_home, one.reason)
    return found


def _effects(memory: Memory, counters: Mapping[str, Counter], more: dict[str, Any]) -> str:
    """S27: what an auditor folds, without values.

    ``records``: id → every version [v, tag, units, life or null where unchanged, units with an open conflict, home];
    ``moves``: id → [v, home] of a record that changed its home and got no version; ``streams``: id → [seq, count, digest].
    """
    left: dict[str, list[Move]] = {}
    for move in memory.moves:
        left.setdefault(move.record_id, []).append(move)
    homes: dict[str, str] = {}
    records: dict[str, list[Any]] = {}
    for one in memory.versions:
        record_id, pending = one.record_id, left.get(one.record_id)
        home = homes.get(record_id)
        if home is None:
            before = memory.before.get(record_id)
            home = before.home if before is not None else memory.touched[record_id].home
        while pending and pending[0].v <= one.v:
            home = pending.pop(0).to_home
        homes[record_id] = home
        records.setdefault(record_id, []).append([one.v, one.tag, one.units, one.life, one.open_units, home])
    moves = {record_id: [pending[-1].v, pending[-1].to_home] for record_id, pending in left.items() if pending}
    streams = {stream_id: counter.row() for stream_id, counter in counters.items()}
    if memory.led:
        more = {**more, "redirects": memory.led}
    if memory.parted:
        more = {**more, "departed": memory.parted}
    return orjson.dumps({"records": records, "moves": moves, "streams": streams, **more}).decode()


def _canonical(fields: Mapping[str, Any]) -> str:
    return orjson.dumps(fields, option=orjson.OPT_SORT_KEYS).decode()


def _history_rows(community_id: str, memory: Memory, keys: DataKeys, entry: Entry) -> list[tuple[Any, ...]]:
    rows = []
    for one in memory.versions:
        sealed = None
        if one.previous or one.set_aside or one.was:
            said = {"previous": one.previous, "set_aside": one.set_aside} | ({"was": one.was} if one.was else {})
            content = orjson.dumps(said)
            sealed = keys.seal(one.subject_id, content)
        rows.append(
            (
                community_id, one.record_id, one.v, one.tag, entry.number, one.op_id, one.install, one.n, one.at or entry.at,
                _names(one.units), orjson.dumps(sorted(one.set_aside)).decode() if one.set_aside else "[]",
                one.life, one.subject_id, sealed,
            )
        )  # fmt: skip
    return rows


@lru_cache(maxsize=4096)
def _names(units: tuple[str, ...]) -> str:
    return orjson.dumps(units).decode()


def _write_records(
    connection: Connection, house: House, community_id: str, memory: Memory, opened: Opened, entry: Entry
) -> None:
    fresh = _freshness(memory, entry)
    inserts: list[tuple[Any, ...]] = []
    updates: list[tuple[Any, ...]] = []
    index_new: list[bytes] = []
    index_old: list[bytes] = []
    for record in memory.touched.values():
        form = memory.forms(record.type)
        fields, secret, secret_same = _split_secret(form, record, memory, opened)
        before = memory.before.get(record.id)
        common = (
            record.home, record.place_parent, record.v, record.tag, record.life, record.dedicated, record.subject_id,
            fields, orjson.dumps(record.stamps).decode() if record.stamps else "{}",
            orjson.dumps(record.open_units).decode() if record.open_units else "[]",
            orjson.dumps(record.confirmed).decode() if record.confirmed else "{}",
            orjson.dumps(record.placement).decode() if record.placement else None,
            record.lon, record.lat, record.form_version, entry.at,
        )  # fmt: skip
        if before is None:
            inserts.append(
                (community_id, record.id, record.type, *common, secret, fresh.get(record.id, entry.at), record.created_install,
                 record.created_n, entry.at)
            )  # fmt: skip
            index_new += _index(house, form, record.fields, record.id)
        else:
            stays = before.home == record.home and before.place_parent == record.place_parent
            updates.append((*common, secret, fresh.get(record.id), record.id, secret_same, stays))
            if _differ(before.fields, record.fields, form.indexed_fields):
                old = set(_index(house, form, before.fields, record.id))
                new = set(_index(house, form, record.fields, record.id))
                index_old += sorted(old - new)
                index_new += sorted(new - old)
    writing.insert_records(connection, inserts)
    writing.update_records(connection, community_id, updates)
    search.write_index(connection, community_id, entry.number, index_old, index_new)


def _differ(one: Mapping[str, Any], other: Mapping[str, Any], names: Iterable[str]) -> bool:
    for name in names:  # noqa: SIM110  # a loop: it is asked for every record of a batch
        if one.get(name) != other.get(name):
            return True
    return False


def _split_secret(
    form: RecordType, record: Record, memory: Memory, opened: Opened
) -> tuple[str, bytes | None, bool]:
    """(plain JSON with masks, sealed secrets, whether the stored secrets stay as they are)."""
    names = form.secret_fields
    secret = {name: record.fields[name] for name in names if name in record.fields}
    if not secret:
        return _canonical(record.fields), None, False
    before = memory.before.get(record.id)
    if not record.secret_open:
        return _canonical(record.fields), None, True
    plain = record.fields.copy()
    for name, value in secret.items():
        plain[name] = mask_value(form.fields[name], value)
    if before is not None and not _differ(before.fields, record.fields, names):
        return _canonical(plain), None, True
    return _canonical(plain), opened.keys.seal(record.subject_id, orjson.dumps(secret)), False


def _index(house: House, form: RecordType, fields: Mapping[str, Any], record_id: str) -> list[bytes]:
    found = index_entries(form, fields) if form.indexed_fields else []
    if not found:
        return []
    key, tail = house.keys.search_bytes, search.id_bytes(record_id)
    return [key(name, text) + tail for name, text in found]


def _freshness(memory: Memory, entry: Entry) -> dict[str, str]:
    """S9: a write confirms what it writes; freshness counts from the claimed time, never later than arrival."""
    fresh = dict(memory.fresh)
    for decided in memory.decided:
        operation = decided.prepared.operation
        if operation is None or decided.v is None or operation.id not in memory.touched:
            continue
        claimed = operation.claimed_at
        at = min(utc_text(claimed) or entry.at, entry.at) if claimed else entry.at
        fresh[operation.id] = max(at, fresh.get(operation.id, ""))
    return fresh


def utc_text(claimed: str) -> str:
    """A claimed instant as it is compared: UTC, milliseconds, ``Z``; empty for a day that no calendar has."""
    if len(claimed) == 24 and claimed[-1] == "Z":
        return claimed
    try:
        return stamp(datetime.fromisoformat(claimed))
    except (ValueError, OverflowError):
        return ""


def operation_rows(
    decided: Iterable[Decided], community_id: str, install_id: str, number: int, at: str, subjects: Sequence[str | None]
) -> list[tuple[Any, ...]]:
    """Rows of the operation table for freshly consumed operations."""
    rows = []
    for one, subject in zip(decided, subjects, strict=True):
        prepared, operation = one.prepared, one.prepared.operation
        rows.append(
            (
                community_id, install_id, prepared.n, prepared.op_id, _is_canonical(prepared), one.group_n, number,
                prepared.content_hash,                operation.type if operation else None, (operation.addressed or operation.id) if operation else None, subject,
                operation.kind if operation else "unreadable", one.outcome, one.reason, one.outcome, one.reason, 1,
                one.v, one.tag, orjson.dumps(one.errors).decode() if one.errors else None,
                operation.claimed_at if operation else None, at,
            )
        )  # fmt: skip
    return rows


def _is_canonical(prepared: Prepared) -> int:
    reused = prepared.refusal is not None and prepared.refusal.reason == "op_id_reused"
    return 0 if reused or prepared.repeat_of is not None or prepared.operation is None else 1


def payload_rows(
    decided: Sequence[Decided], subjects: Sequence[str | None], keys: DataKeys, number: int
) -> list[tuple[int, str, bytes]]:
    """One sealed piece per (entry, data key): n → the operation's text. What is about an erased person is not kept."""
    texts: dict[str | None, dict[str, str]] = {}
    for one, subject in zip(decided, subjects, strict=True):
        if one.outcome == ERASED:
            continue
        text, n = one.prepared.text.decode("utf-8", "replace"), str(one.prepared.n)
        found = texts.get(subject)
        if found is None:
            texts[subject] = {n: text}
        else:
            found[n] = text
    seal, dumps = keys.seal, orjson.dumps
    return [(number, subject or COMMUNITY, seal(subject, dumps(found))) for subject, found in texts.items()]
