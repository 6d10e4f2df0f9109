"""What a push answers about one operation: as it was just decided, or as it is stored."""

from __future__ import annotations

from typing import Any

import orjson

from sync.memory import Decided, Prepared
from sync.outcome import QUARANTINED


def repeated(row: Any, one: Prepared) -> dict[str, Any]:
    """The stored answer again; another content under the same id is kept aside and shown to the secretary (L6)."""
    if bytes(row.content_hash) != one.content_hash:
        return {
            "n": one.n,
            "op_id": one.op_id,
            "first": {"outcome": row.first, "reason": row.first_reason},
            "now": {"outcome": QUARANTINED, "reason": "op_id_reused", "status": row.status},
            "record": None,
            "errors": [{"pointer": "/op_id", "code": "op_id_reused", "message": "same id, other content"}],
        }
    return {
        "n": one.n,
        "op_id": one.op_id,
        "first": {"outcome": row.first, "reason": row.first_reason},
        "now": {"outcome": row.now, "reason": row.now_reason, "status": row.status},
        "record": {"id": row.record_id, "v": row.v, "tag": row.tag} if row.v is not None else None,
        "errors": orjson.loads(row.detail) if row.detail else [],
    }


def answered(decided: Decided) -> dict[str, Any]:
    """The answer to an operation that was consumed just now."""
    operation = decided.prepared.operation
    outcome, reason = decided.outcome, decided.reason
    after = decided.prepared.repeated  # S21: what it became where it came first
    if operation is not None and decided.v is not None:
        after = (operation.id, decided.v, decided.tag or "")
    return {
        "n": decided.prepared.n,
        "op_id": decided.prepared.op_id,
        "first": {"outcome": outcome, "reason": reason},
        "now": {"outcome": outcome, "reason": reason, "status": 1},
        "record": record_after(after),
        "errors": decided.errors,
    }


def record_after(after: tuple[str, int, str] | None) -> dict[str, Any] | None:
    """(id, v, tag) as a result has it; None where the operation made no version."""
    return {"id": after[0], "v": after[1], "tag": after[2]} if after is not None else None
