"""What a transaction means for the streams: PUT and REMOVE rows, counts and digests (see "Stream" and "Feed row")."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from sync.digest import MODULUS, from_hex, record_hash, status_hash, to_hex
from sync.memory import UNPLACED, Before, Memory
from sync.record import Record

PUT, REMOVE, STATUS = "PUT", "REMOVE", "STATUS"


class FeedRow(NamedTuple):
    """One row of a stream, without its sequence number yet. A STATUS row has the op_id as its record."""

    stream_id: str
    record_id: str
    kind: str
    reason: str | None
    v: int
    tag: str | None


@dataclass(slots=True)
class Counter:
    """A locked counter row. ``count`` counts PUT rows; the digest also covers STATUS rows."""

    seq: int
    count: int
    digest: int

    @classmethod
    def read(cls, seq: int, count: int, digest: str) -> Counter:
        """From the stored row."""
        return cls(seq, count, from_hex(digest))

    def row(self) -> tuple[int, int, str]:
        """As it is stored."""
        return self.seq, self.count, to_hex(self.digest)


@dataclass(slots=True)
class StreamChanges:
    """Feed rows with their numbers, in the order of numbers per stream, and the counters that moved."""

    rows: list[tuple[FeedRow, int]] = field(default_factory=list)
    touched: set[str] = field(default_factory=set)


def streams_of(
    home: str, life: str, created_install: str, device_installs: frozenset[str], dedicated: str | None = None
) -> set[str]:
    """The streams in which a record shows as PUT: its home, its dedicated cell; while unplaced that of the phone that made it."""
    if life != "live":
        return set()
    found = {home} if dedicated is None else {home, dedicated}
    if home == UNPLACED and created_install in device_installs:
        found.add(f"install/{created_install}")
    return found


def stream_changes(
    memory: Memory,
    counters: dict[str, Counter],
    device_installs: frozenset[str],
    statuses: list[tuple[str, str, int, int | None]],
) -> StreamChanges:
    """Turn the touched records and the changed statuses into feed rows, and move the counters.

    ``statuses`` holds (install stream, op_id, status, previous status or None). Raises KeyError with the id of a stream
    that was not locked.
    """
    changes = StreamChanges()
    for record in memory.touched.values():
        before = memory.before.get(record.id)
        if before is not None and (before.v, before.life, before.home, before.dedicated) == (
            record.v, record.life, record.home, record.dedicated,
        ):  # fmt: skip
            continue  # looked at, or moved and moved back: no news
        _record_rows(record, before, counters, device_installs, changes)
    for stream_id, op_id, status, previous in statuses:
        counter = counters[stream_id]
        counter.digest = (counter.digest + status_hash(op_id, status)) % MODULUS
        if previous is not None:
            counter.digest = (counter.digest - status_hash(op_id, previous)) % MODULUS
        _number(FeedRow(stream_id, op_id, STATUS, None, status, None), counter, changes)
    return changes


def _record_rows(
    record: Record,
    before: Before | None,
    counters: dict[str, Counter],
    device_installs: frozenset[str],
    changes: StreamChanges,
) -> None:
    home = record.home
    is_plain = record.life == "live" and home != UNPLACED and record.dedicated is None
    if is_plain and (before is None or (before.life == "live" and before.home == home and before.dedicated is None)):
        counter = counters[home]  # nearly all: new in its cell, or changed in it
        if before is None:
            counter.count += 1
        else:
            counter.digest -= record_hash(record.id, before.v, before.tag)
        counter.digest = (counter.digest + record_hash(record.id, record.v, record.tag)) % MODULUS
        _number(FeedRow(home, record.id, PUT, None, record.v, record.tag), counter, changes)
        return
    now = streams_of(record.home, record.life, record.created_install, device_installs, record.dedicated)
    was = (
        streams_of(before.home, before.life, record.created_install, device_installs, before.dedicated)
        if before is not None
        else set()
    )
    old_hash = record_hash(record.id, before.v, before.tag) if before is not None and was else 0
    new_hash = record_hash(record.id, record.v, record.tag) if now else 0
    for stream_id in sorted(was - now):
        counter = counters[stream_id]
        counter.count -= 1
        counter.digest = (counter.digest - old_hash) % MODULUS
        reason = "moved" if record.life == "live" else record.life
        _number(FeedRow(stream_id, record.id, REMOVE, reason, record.v, record.tag), counter, changes)
    for stream_id in sorted(now):
        counter = counters[stream_id]
        if stream_id in was:
            counter.digest = (counter.digest - old_hash) % MODULUS
        else:
            counter.count += 1
        counter.digest = (counter.digest + new_hash) % MODULUS
        _number(FeedRow(stream_id, record.id, PUT, None, record.v, record.tag), counter, changes)


def _number(row: FeedRow, counter: Counter, changes: StreamChanges) -> None:
    counter.seq += 1
    changes.rows.append((row, counter.seq))
    changes.touched.add(row.stream_id)
