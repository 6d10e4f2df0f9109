"""Findings that no record can settle: they are over when somebody in the office has taken note."""

from __future__ import annotations

from sqlalchemy import Connection

from server.models import finding
from server.permissions import Scope
from server.store.database import run, update_rows
from server.store.inbox import findings_where


def take_note(connection: Connection, scope: Scope, community_id: str, finding_id: str, at: str) -> bool:
    """Close an open finding about no record; False where there is none in the scope. Raised again, it is open again."""
    text, given = findings_where(connection, scope, community_id)
    if run(connection, f"SELECT 1 {text} AND r.id IS NULL AND f.finding_id = ?", (*given, finding_id)).first() is None:
        return False
    update_rows(connection, finding, ("community_id", "finding_id"), ("state", "closed_at"), [("closed", at, community_id, finding_id)])
    return True
