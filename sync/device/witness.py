"""Copies that the server's database does not have any more: kept aside, offered once, never merged (S25).

They are of an earlier life, or of this one where nobody noticed that an older copy of the database was put back.
"""

from __future__ import annotations

from typing import Any

import orjson

from sync.device.calls import PROTOCOL, call, wanted
from sync.device.store import Store
from sync.device.transport import Transport

MOST_AT_ONCE = 200

UNSHOWN = (
    "NOT EXISTS (SELECT 1 FROM feed JOIN stream ON stream.id = feed.stream AND stream.generation = feed.generation "
    "WHERE feed.id = {id} AND feed.kind = 'PUT' AND feed.v > {v})"
)
"""No held stream shows a higher version of a record."""

_KEEP = (
    "INSERT OR IGNORE INTO witness (epoch, id, copy) SELECT epoch, id, json_object('id', id, 'type', type, 'v', v, "
    "'tag', tag, 'form_version', form_version, 'home', home, 'fields', json(fields)) FROM record "
    "WHERE life = 'live' AND type IS NOT NULL AND "
)


def keep_missing(store: Store) -> None:
    """Copies that no stream shows any more, and of which no removal was told: the server lacks them, or they went while it was not asked."""
    store.run(_KEEP + "id NOT IN (SELECT id FROM feed)")


def keep_dropped(store: Store, epoch: str | None, stream: str) -> None:
    """Copies of an earlier life in a stream that the present one does not give to this phone."""
    if epoch is not None:
        store.run(_KEEP + "epoch <> ? AND id IN (SELECT id FROM feed WHERE stream = ?)", epoch, stream)


def keep_replaced(store: Store, epoch: str, rows: list[tuple[str, int, str]]) -> None:
    """Copies that are about to be replaced by a version that does not follow upon them: (id, v, tag) of the new ones, which are in the feed.

    That is another version in another life, and in the same one a lower one, or another of the same number: numbers only rise.
    """
    store.run_many(
        _KEEP + "id = ? AND (v <> ? OR tag <> ?) AND (epoch <> ? OR v = ? OR v > ? AND " + UNSHOWN.format(id="?", v="?") + ")",
        [(record_id, v, tag, epoch, v, v, record_id, v) for record_id, v, tag in rows],
    )


def offer(store: Store, transport: Transport) -> int:
    """Offer what was kept aside, unless own operations still wait to be sent: they may bring it back. How many were offered.

    Killed before the answer was kept, the same copies are offered again; the server keeps each once.
    """
    if store.maybe("SELECT 1 FROM log WHERE state <> 'answered'") is not None:
        return 0
    count = 0
    while rows := store.rows("SELECT epoch, id, copy FROM witness ORDER BY epoch, id LIMIT ?", MOST_AT_ONCE):
        identity = store.identity()
        body: dict[str, Any] = {
            "protocol": PROTOCOL,
            "install_id": identity["install_id"] if identity else "",
            "witnesses": [{"epoch": row["epoch"], "record": orjson.loads(row["copy"])} for row in rows],
        }
        answer = call(store, transport, "witness", "POST", "/api/v1/sync/witness", body)
        wanted(answer, "kept", int)
        with store.change("witness: offered"):
            store.run_many(
                "DELETE FROM witness WHERE epoch = ? AND id = ?", [(row["epoch"], row["id"]) for row in rows]
            )
        count += len(rows)
    return count
