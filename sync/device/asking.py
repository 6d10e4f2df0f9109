"""Asked for behind a complete pull: open conflicts of held records with the values that stand side by side, and what the office asks at the door."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import orjson

from sync.device.calls import PROTOCOL, call, wanted
from sync.device.store import Store
from sync.device.transport import Transport
from sync.device.view import RecordView

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


def fetch_asked(store: Store, transport: Transport) -> None:
    """Take over all that the office asks this person, where the last complete page's mark is not that of what is held (W8).

    Raises as ``push``; safe to repeat.
    """
    identity = store.identity()
    if identity is None or identity["asked_mark"] == orjson.loads(identity["asked"])["mark"]:
        return
    told: dict[str, Any] = {"mark": None, "asked": []}
    if identity["asked_mark"] is not None:
        body = {"protocol": PROTOCOL, "install_id": identity["install_id"]}
        answer = call(store, transport, "asked", "POST", "/api/v1/sync/asked", body)
        told = {"mark": answer.get("mark"), "asked": wanted(answer, "asked", list)}
    with store.change("asked"):
        store.run("UPDATE identity SET asked = ?, asked_mark = ?", orjson.dumps(told).decode(), told["mark"])


def asked_still(store: Store, checks: Iterable[RecordView]) -> list[dict[str, Any]]:
    """What was fetched, the oldest question first, less what these checks at the door answer: the same item at the same instant."""
    identity = store.identity()
    items: list[dict[str, Any]] = orjson.loads(identity["asked"])["asked"] if identity else []
    answered = {_question(one.fields.get("item"), one.fields.get("asked_at")) for one in checks}
    return [one for one in items if _question(one.get("item"), one.get("asked_at")) not in answered]


def _question(item: Any, asked_at: Any) -> tuple[Any, Any]:
    """Asked again it is another question. Instants are compared, not how they are written."""
    try:
        return item, datetime.fromisoformat(asked_at)
    except (TypeError, ValueError):
        return item, asked_at
