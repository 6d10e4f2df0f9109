"""The open conflicts of the held records, with the values that stand side by side: asked for behind a complete pull."""

from __future__ import annotations

from typing import Any

import orjson

from sync.device.calls import PROTOCOL, call, wanted
from sync.device.store import Store
from sync.device.transport import Transport

MOST_RECORDS = 500


def ask_disputes(store: Store, transport: Transport) -> int:
    """Fetch the conflicts of records that changed since they were fetched, drop those that are over; how many records.

    Raises as ``push``; safe to repeat.
    """
    rows = store.rows(
        "SELECT record.id FROM record LEFT JOIN dispute ON dispute.record_id = record.id WHERE record.conflicts <> '[]' "
        "GROUP BY record.id HAVING coalesce(min(dispute.v), -1) <> record.v ORDER BY record.id"
    )
    ids = [row["id"] for row in rows]
    with store.change("disputes: over"):
        store.run("DELETE FROM dispute WHERE record_id NOT IN (SELECT id FROM record WHERE conflicts <> '[]')")
    identity = store.identity()
    for first in range(0, len(ids), MOST_RECORDS):
        asked = ids[first : first + MOST_RECORDS]
        body = {"protocol": PROTOCOL, "install_id": identity["install_id"] if identity else "", "records": asked}
        answer = call(store, transport, "disputes", "POST", "/api/v1/sync/disputes", body)
        with store.change("disputes"):
            store.run_many("DELETE FROM dispute WHERE record_id = ?", [(one,) for one in asked])
            for one in wanted(answer, "disputes", list):
                store.run(
                    "INSERT OR REPLACE INTO dispute (record_id, unit, v, said) VALUES (?, ?, ?, ?)",
                    one["id"], one["unit"], one["v"], orjson.dumps(one).decode(),
                )  # fmt: skip
    return len(ids)


def dispute_of(store: Store, record_id: str, unit: str) -> dict[str, Any] | None:
    """What the server showed of one open conflict: ``base``, ``siblings`` and who was asked; None before it was fetched."""
    row = store.maybe("SELECT said FROM dispute WHERE record_id = ? AND unit = ?", record_id, unit)
    found: dict[str, Any] | None = orjson.loads(row["said"]) if row else None
    return found
