"""Rules of a community that take the place of those the house comes with."""

from __future__ import annotations

from typing import Any

import orjson
from sqlalchemy import Connection, delete, insert

from server.models import community_rule
from server.store.database import run

_TABLE = community_rule.c


def rule(connection: Connection, community_id: str, name: str) -> dict[str, Any] | None:
    """The community's own document; None where the house's holds."""
    statement = "SELECT document FROM community_rule WHERE community_id = ? AND name = ?"
    found = run(connection, statement, (community_id, name)).scalar()
    return None if found is None else dict(orjson.loads(found))


def keep_rule(connection: Connection, community_id: str, name: str, document: dict[str, Any] | None, at: str, by: str) -> None:
    """Keep a document, or (None) go back to the house's."""
    connection.execute(delete(community_rule).where(_TABLE.community_id == community_id, _TABLE.name == name))
    if document is not None:
        text = orjson.dumps(document).decode()
        connection.execute(
            insert(community_rule).values(community_id=community_id, name=name, document=text, changed_at=at, changed_by=by)
        )
