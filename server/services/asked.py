"""What the office has handed on to somebody who can ask at the door, as their phone gets it."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import orjson

from server.permissions import Scope
from server.services.scope import InstallScope, install_scope
from server.services.waiting import finding_message
from server.store import asked as store
from server.store import inbox as people
from server.store.database import read

if TYPE_CHECKING:
    from server.house import House
    from server.store.database import Connection


def mark_of(connection: Connection, community_id: str, user_id: str | None, scope: InstallScope) -> str | None:
    """A short text that is another one whenever what somebody is asked, or sees of it, is another; None where nothing is asked."""
    rows = store.marks(connection, community_id, user_id) if user_id else []
    if not rows:
        return None
    return hashlib.blake2b(orjson.dumps([scope.version, scope.projection.name, rows]), digest_size=8).hexdigest()


def asked_for_phone(house: House, community_id: str, user_id: str, role: str, scope: Scope) -> dict[str, Any]:
    """All that somebody is asked to see to and that their scope sees, with the mark that a complete page of a pull tells.

    Returns
    -------
    dict
        ``mark`` and ``asked``, the oldest question first: ``{"item", "kind", "asked_at", "id", "type", "units", "finding", "name",
        "message", "reason", "errors", "by", "claimed_at"}``. No values of records, and of people only who of the staff wrote what waits.
    """
    with read(house.engine) as connection:
        mark = mark_of(connection, community_id, user_id, install_scope(connection, house, community_id, user_id, role))
        rows = store.asked_of(connection, scope, community_id, user_id) if mark is not None else []
        who = people.people_of_installs(connection, community_id, (row["install_id"] for row in rows if row["install_id"]))
    told = []
    for row in rows:
        is_conflict, detail = row["kind"] == "conflict", orjson.loads(row["detail"]) if row["detail"] else None
        told.append(
            {
                "item": row["item"],
                "kind": row["kind"],
                "asked_at": row["asked_at"],
                "id": row["record_id"],
                "type": row["type"],
                "units": [row["units"]] if is_conflict else orjson.loads(row["units"]),
                "finding": row["finding"],
                "name": row["name"],
                "message": finding_message(house, row["finding"], row["type"], row["name"]) if row["kind"] == "finding" else None,
                "reason": row["reason"],
                "errors": detail if isinstance(detail, list) and row["kind"] in ("held", "quarantined") else [],
                "by": (who.get(row["install_id"] or "") or {}).get("name"),
                "claimed_at": row["claimed_at"],
            }
        )
    return {"mark": mark, "asked": told}
