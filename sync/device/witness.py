"""Copies from an earlier life of the server's database: kept aside, offered once, never merged (S25)."""

from __future__ import annotations

from typing import Any

import orjson

from sync.device.calls import PROTOCOL, call, wanted
from sync.device.store import Store
from sync.device.transport import Transport

MOST_AT_ONCE = 200

_KEEP = (
    "INSERT OR IGNORE INTO witness (epoch, id, copy) SELECT epoch, id, json_object('id', id, 'type', type, 'v', v, "
    "'tag', tag, 'form_version', form_version, 'home', home, 'fields', json(fields)) FROM record "
    "WHERE epoch <> ? AND life = 'live' AND type IS NOT NULL AND "
)


def keep_missing(store: Store, epoch: str) -> None:
    """Copies of an earlier life that no stream of the present one shows."""
    store.run(_KEEP + "id NOT IN (SELECT id FROM feed)", epoch)


def keep_dropped(store: Store, epoch: str | None, stream: str) -> None:
    """Copies of an earlier life in a stream that the present one does not give to this phone."""
    if epoch is not None:
        store.run(_KEEP + "id IN (SELECT id FROM feed WHERE stream = ?)", epoch, stream)


def keep_replaced(store: Store, epoch: str, rows: list[tuple[str, int, str]]) -> None:
    """Copies of an earlier life that are about to be replaced by another version: (id, v, tag) of the new ones."""
    if store.maybe("SELECT 1 FROM record WHERE epoch <> ? LIMIT 1", epoch) is not None:
        for record_id, v, tag in rows:
            store.run(_KEEP + "id = ? AND (v <> ? OR tag <> ?)", epoch, record_id, v, tag)


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
