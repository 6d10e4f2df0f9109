"""Lists that people have saved: which roster, whose, sealed what they ask."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, delete, insert, update

from server.models import saved_roster
from server.store.database import run

_TABLE = saved_roster.c
_COLUMNS = "s.saved_id, s.user_id, s.name, s.roster, s.cell_code, s.shared, s.created_at, s.changed_at, s.sealed"


def saved_by(connection: Connection, community_id: str, user_id: str) -> list[Any]:
    """A user's own saved lists and those that others of the community share, by name."""
    return list(
        run(
            connection,
            f"SELECT {_COLUMNS} FROM saved_roster s WHERE s.community_id = ? AND (s.user_id = ? OR s.shared = 1) "
            "ORDER BY s.name, s.saved_id",
            (community_id, user_id),
        )
    )


def count_of(connection: Connection, community_id: str, user_id: str) -> int:
    """How many lists a user has saved."""
    statement = "SELECT COUNT(*) FROM saved_roster WHERE community_id = ? AND user_id = ?"
    return int(run(connection, statement, (community_id, user_id)).scalar_one())


def keep(connection: Connection, community_id: str, saved_id: str, user_id: str, at: str, **values: Any) -> None:
    """Keep a new list."""
    connection.execute(
        insert(saved_roster).values(
            community_id=community_id, saved_id=saved_id, user_id=user_id, created_at=at, changed_at=at, **values
        )
    )


def change(connection: Connection, community_id: str, saved_id: str, user_id: str, at: str, **values: Any) -> bool:
    """Change a list of the user's own; whether there is one."""
    done = connection.execute(
        update(saved_roster)
        .where(_TABLE.community_id == community_id, _TABLE.saved_id == saved_id, _TABLE.user_id == user_id)
        .values(changed_at=at, **values)
    )
    return done.rowcount == 1


def remove(connection: Connection, community_id: str, saved_id: str, user_id: str) -> bool:
    """Remove a list of the user's own; whether there was one."""
    gone = connection.execute(
        delete(saved_roster).where(
            _TABLE.community_id == community_id, _TABLE.saved_id == saved_id, _TABLE.user_id == user_id
        )
    )
    return gone.rowcount == 1
