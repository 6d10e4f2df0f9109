"""What was sent against what is kept of it: numbers, outcomes, sealed texts and data keys (S27, S28)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from server.sealing import WrongKey
from server.services.differences import Watch, grouped
from server.store import verify as store
from server.store.blobs import PHOTOS
from sync.outcome import APPLIED, CONFLICT, ERASED, MERGED, MOVED, OUTCOMES

if TYPE_CHECKING:
    from server.store.database import Connection

_UNREADABLE = "unreadable"
_Head = tuple[str, int, str | None]


def check_operations(connection: Connection, watch: Watch) -> None:
    """Every number that an install's counter says was consumed is there, once, with its outcome and their history."""
    where = (connection, watch.community_id)
    lanes = (_consumed(connection, watch), watch.seen(store.installs(*where)))
    for (install_id,), (consumed, installs) in grouped(1, *lanes):
        _, last_n, last_op_id = consumed[0] if consumed else _past(watch, (install_id, 0, None))
        if not installs:
            watch.differs("install", install_id, "with consumed operations", "in the install table", "missing")
        row = installs[0]
        watch.same("install", install_id, "last consumed number", int(row.last_n), last_n)
        watch.same("install", install_id, f"operation at its last number {last_n}", row.last_op_id, last_op_id)
        watch.counts["installs"] += 1


def _past(watch: Watch, last: _Head) -> _Head:
    """The same head behind ranges that were written down as missing (S25)."""
    while (gap := watch.missing.get((last[0], last[1] + 1))) is not None:
        last = (last[0], *gap)
    return last


def _consumed(connection: Connection, watch: Watch) -> Iterator[_Head]:
    """(install, last n, its op_id) of every install with operations."""
    where = (connection, watch.community_id)
    lanes = map(watch.seen, (store.operations(*where), store.outcomes(*where)))
    last: _Head | None = None
    for (install_id, n), (operations, outcomes) in grouped(2, *lanes):
        if last is not None and last[0] != install_id:
            yield _past(watch, last)
            last = None
        if not operations:
            watch.differs("install", install_id, f"operation {n}, whose outcome changed", "there", "missing")
        watch.same("install", install_id, "next consumed number", _past(watch, last or (install_id, 0, None))[1] + 1, n)
        _check_outcome(watch, install_id, operations[0], outcomes)
        last = (install_id, n, operations[0].op_id)
        watch.counts["operations"] += 1
        watch.counts["later outcomes"] += len(outcomes)
    if last is not None:
        yield _past(watch, last)


def _check_outcome(watch: Watch, install_id: str, row: Any, outcomes: list[Any]) -> None:
    where = f"operation {row.n}"
    for outcome in (row.first, row.now):
        if outcome not in OUTCOMES:
            watch.differs("install", install_id, f"outcome of {where}", "one of " + ", ".join(OUTCOMES), outcome)
    numbers = [1, *(one.status for one in outcomes)]
    watch.same("install", install_id, f"outcome numbers of {where}", list(range(1, row.status + 1)), numbers)
    final = (outcomes[-1].outcome, outcomes[-1].reason) if outcomes else (row.first, row.first_reason)
    watch.same("install", install_id, f"outcome now of {where}", final, (row.now, row.now_reason))
    if row.v is not None:
        watch.same("install", install_id, f"tag that {where} was answered, in history", row.tag, row.made)
    elif row.canonical and row.now in {APPLIED, MERGED, CONFLICT} and row.now_reason != MOVED:  # made in another community
        watch.differs("install", install_id, f"version that {where} made", "a version", "none")


def check_payloads(connection: Connection, watch: Watch) -> None:
    """Every operation's entry is there, and its text opens, is the text that was hashed, and says what is indexed."""
    where = (connection, watch.community_id)
    lanes = map(watch.seen, (store.entry_heads(*where), store.consumed(*where), store.payloads(*where)))
    for (number,), (heads, operations, payloads) in grouped(1, *lanes):
        if not heads:
            named = "operations" if operations else "sealed texts"
            watch.differs("journal entry", number, f"named by {named}", "there", "missing")
        texts = {
            row.subject_id: watch.opened(
                "journal entry", number, "sealed texts", row.sealed, row.has_key, row.wrapped
            )
            for row in payloads
        }
        sent = {subject: dict(found) for subject, found in texts.items() if found is not None}
        for row in operations:
            watch.same("journal entry", number, f"install of operation {row.n}", heads[0].install_id, row.install_id)
            if row.first == ERASED:
                watch.counts["operations of which only the envelope is left"] += 1
                continue
            if row.subject not in texts:
                watch.differs("journal entry", number, f"text of operation {row.n}", "sealed", "missing")
            if row.subject not in sent:
                watch.counts["operations of which only the envelope is left"] += 1
                continue
            _check_text(watch, number, row, sent[row.subject].pop(str(row.n), None))
            watch.counts["sealed operation texts"] += 1
        left = {n for found in sent.values() for n in found}
        if heads[0].command in ("reused", "repair"):
            effects = watch.read_json("journal entry", number, "effects", heads[0][3])
            kept = [*effects.get("reused", ()), *effects.get("repaired", ())]
            due = {str(n) for n, _ in kept}
            if None in texts.values():  # whose key was destroyed is erased, and so are their texts (S28)
                due &= left
            left ^= due
            watch.counts["texts under a used id"] += len(effects.get("reused", ()))
            watch.counts["repaired texts"] += len(effects.get("repaired", ()))
        if left:
            watch.differs("journal entry", number, "texts without an operation", "none", sorted(left))


def _check_text(watch: Watch, number: int, row: Any, text: Any) -> None:
    what = f"text of operation {row.n} of {row.install_id}"
    if not isinstance(text, str):
        watch.differs("journal entry", number, what, "there", "missing")
    content = text.encode("utf-8", "surrogatepass")
    if watch.keys.content_hash(content) != bytes(row.content_hash):
        watch.differs("journal entry", number, what, "the text that was hashed", "another")
    if row.kind == _UNREADABLE:
        return
    said = watch.read_json("journal entry", number, what, content)
    for member, stored in (("op_id", row.op_id), ("kind", row.kind), ("type", row.record_type), ("id", row.record_id)):
        watch.same("journal entry", number, f"{member} of operation {row.n}", said.get(member), stored)
    if not watch.stored.issuperset(_files(said)):
        watch.bare[row.install_id] = min(row.n, watch.bare.get(row.install_id, row.n))


def _files(said: Any) -> set[str]:
    """SHA-256 of the files that an operation names: photos of its record."""
    given = said.get("set")
    photos = given.get(PHOTOS) if isinstance(given, dict) else None
    if isinstance(photos, dict):
        photos = photos.get("add")
    return {one for one in photos if isinstance(one, str)} if isinstance(photos, list) else set()


def check_statuses(connection: Connection, watch: Watch) -> None:
    """Every phone is told what became of its operations, and nothing else."""
    where = (connection, watch.community_id)
    for (stream_id, op_id), (due, told) in grouped(
        2, watch.seen(store.statuses_due(*where)), watch.seen(store.statuses_told(*where))
    ):
        expected = [int(row[2]) for row in due]
        watch.same("stream", stream_id, f"outcome number of operation {op_id}", expected, [int(row[2]) for row in told])
        watch.counts["outcomes told to phones"] += 1


def check_keys(connection: Connection, watch: Watch) -> None:
    """Every data key is wrapped by the key of this house or was destroyed, and opens what it sealed in history."""
    where = (connection, watch.community_id)
    for row in watch.seen(store.data_keys(*where)):
        if row.wrapped is None:
            if row.destroyed_at is None:
                watch.differs("data key", row.subject_id, "wrapped key", "there, or destroyed", "missing")
            watch.counts["data keys that were destroyed"] += 1
            continue
        try:
            watch.keys.unwrap(bytes(row.wrapped))
        except WrongKey:
            watch.differs("data key", row.subject_id, "wrapped key", "opens with the key of the house", "does not open")
        watch.counts["data keys"] += 1
    for what, record_id, v, sealed, has_key, wrapped in watch.seen(store.sealed_values(*where)):
        name = f"values sealed in {what}" + (f" {v}" if v is not None else "")
        watch.opened("record", record_id, name, sealed, has_key, wrapped)
        watch.counts["sealed earlier values"] += 1
