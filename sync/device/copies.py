"""Copies of the server's records: rows kept page by page, streams built again, what left swept away at `complete`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import orjson

from sync.device.calls import wanted
from sync.device.errors import AnswerNotUnderstood
from sync.device.push import note_status
from sync.device.store import Store
from sync.device.witness import UNSHOWN, keep_dropped, keep_missing, keep_replaced

_FEED = """
INSERT INTO feed (stream, id, seq, kind, reason, v, tag, generation)
VALUES (?, ?, ?, ?, ?, ?, ?, (SELECT generation FROM stream WHERE id = ?))
ON CONFLICT (stream, id) DO UPDATE SET seq = excluded.seq, kind = excluded.kind, reason = excluded.reason,
    v = excluded.v, tag = excluded.tag, generation = excluded.generation
WHERE excluded.generation > feed.generation OR excluded.seq >= feed.seq
"""

# Equal versions replace as well: the home may have changed, or the fields that this role may see (S23). So does a lower one where no held stream
# shows the higher any more: an older copy of the database was put back, and its numbers had caught up before anybody could notice.
# What is replaced so is kept aside before (S25).
_RECORD = """
INSERT INTO record (id, type, epoch, v, tag, life, form_version, home, fields, conflicts, confirmed)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET type = excluded.type, epoch = excluded.epoch, v = excluded.v, tag = excluded.tag,
    life = excluded.life, form_version = excluded.form_version, home = excluded.home, fields = excluded.fields,
    conflicts = excluded.conflicts, confirmed = excluded.confirmed
WHERE record.epoch <> excluded.epoch OR excluded.v >= record.v OR """ + UNSHOWN.format(id="excluded.id", v="excluded.v")


@dataclass(frozen=True, slots=True)
class Copy:
    """A record as the server sent it, without own operations over it.

    ``type`` is None for a bare envelope (S23). ``shown``: a held stream has it; else it was deleted, and its envelope stays to restore it.
    """

    id: str
    type: str | None
    v: int
    tag: str
    life: str
    form_version: int | None
    home: str | None
    fields: dict[str, Any]
    conflicts: list[str]
    confirmed: dict[str, Any]
    shown: bool


def copies(store: Store) -> list[Copy]:
    """Every copy that this phone holds, sorted by id."""
    return [
        Copy(
            row["id"], row["type"], row["v"], row["tag"], row["life"], row["form_version"], row["home"], orjson.loads(row["fields"]),
            orjson.loads(row["conflicts"]), orjson.loads(row["confirmed"]), bool(row["shown"]),
        )
        for row in store.rows(
            "SELECT record.*, EXISTS (SELECT 1 FROM feed WHERE feed.id = record.id AND feed.kind = 'PUT') AS shown FROM record ORDER BY id"
        )
    ]  # fmt: skip


def keep_rows(store: Store, epoch: str, rows: Iterable[dict[str, Any]]) -> None:
    """Keep the rows of a page. Removals wait in the feed until a page is complete."""
    held = {row["id"] for row in store.rows("SELECT id FROM stream")}
    feed: list[tuple[Any, ...]] = []
    records: list[tuple[Any, ...]] = []
    for row in rows:
        stream, seq, kind = wanted(row, "stream", str), wanted(row, "seq", int), wanted(row, "kind", str)
        if stream not in held:
            raise AnswerNotUnderstood("a row of a stream that is not in the scope")
        if kind == "PUT":
            record = wanted(row, "record", dict)
            record_id, v, tag = wanted(record, "id", str), wanted(record, "v", int), wanted(record, "tag", str)
            feed.append((stream, record_id, seq, kind, None, v, tag, stream))
            records.append(
                (
                    record_id,
                    record.get("type"),
                    epoch,
                    v,
                    tag,
                    record.get("life") or "live",
                    record.get("form_version"),
                    record.get("home"),
                    orjson.dumps(record.get("fields") or {}).decode(),
                    orjson.dumps(record.get("conflicts") or []).decode(),
                    orjson.dumps(record.get("confirmed") or {}).decode(),
                )
            )
        elif kind == "REMOVE":
            removed = wanted(row, "id", str)
            feed.append((stream, removed, seq, kind, row.get("reason"), row.get("v") or 0, row.get("tag"), stream))
        elif kind == "STATUS":
            op_id, status = wanted(row, "op_id", str), wanted(row, "status", int)
            feed.append((stream, op_id, seq, kind, None, status, None, stream))
            note_status(store, epoch, op_id, row, row)
        else:
            raise AnswerNotUnderstood("a row of unknown kind")
    store.run_many(_FEED, feed)
    keep_replaced(store, epoch, [(row[0], row[3], row[4]) for row in records])
    store.run_many(_RECORD, records)


def rebuild(store: Store, streams: Iterable[str]) -> None:
    """From now on the rows of these streams come from zero; the old ones stay visible until they are swept."""
    for stream in streams:
        store.run("UPDATE stream SET generation = generation + 1, building = 1, doubted = 0 WHERE id = ?", stream)


def drop_stream(store: Store, epoch: str, stream: str) -> None:
    """A stream that this phone may not follow any more: its rows go, and records that no other held stream shows."""
    keep_dropped(store, epoch, stream)
    ids = [(row["id"],) for row in store.rows("SELECT id FROM feed WHERE stream = ? AND kind <> 'STATUS'", stream)]
    store.run("DELETE FROM feed WHERE stream = ?", stream)
    store.run("DELETE FROM stream WHERE id = ?", stream)
    store.run_many("DELETE FROM record WHERE id = ? AND NOT EXISTS (SELECT 1 FROM feed WHERE feed.id = record.id)", ids)


def sweep(store: Store, epoch: str) -> None:
    """At a complete page: rebuilt streams lose what was not sent again, removals are applied.

    Of a deleted record the envelope stays, so that it can be restored; its values go. Copies that the server does not
    show and of which it told no removal are kept aside as witnesses (S25).
    """
    store.run(
        "DELETE FROM feed WHERE EXISTS (SELECT 1 FROM stream WHERE stream.id = feed.stream AND stream.building = 1 "
        "AND feed.generation < stream.generation)"
    )
    store.run("UPDATE stream SET building = 0")
    store.run(
        "UPDATE record SET life = 'deleted', fields = '{}', conflicts = '[]', confirmed = '{}', v = gone.v, "
        "tag = coalesce(gone.tag, record.tag) "
        "FROM (SELECT id, max(v) AS v, tag FROM feed WHERE kind = 'REMOVE' AND reason = 'deleted' GROUP BY id) AS gone "
        "WHERE gone.id = record.id AND NOT EXISTS (SELECT 1 FROM feed WHERE feed.id = record.id AND kind = 'PUT')"
    )
    keep_missing(store)
    store.run(
        "DELETE FROM record WHERE id NOT IN (SELECT id FROM feed WHERE kind = 'PUT') "
        "AND (life <> 'deleted' OR epoch <> ?)",
        epoch,
    )
    store.run("DELETE FROM feed WHERE kind = 'REMOVE'")
