"""Templates of tables that a community keeps: sealed workbooks with what they ask for."""

from __future__ import annotations

from typing import Any

import orjson
from sqlalchemy import Connection

from server.models import table_template
from server.store.database import insert_rows, run

_TOLD = "template_id, name, file_name, described, created_by, created_at, changed_at"


def of_community(connection: Connection, community_id: str) -> list[Any]:
    """The templates of a community without their workbooks, by name."""
    statement = f"SELECT {_TOLD} FROM table_template WHERE community_id = ? ORDER BY name, template_id"
    return list(run(connection, statement, (community_id,)))


def find(connection: Connection, community_id: str, template_id: str) -> Any | None:
    """One template with its sealed workbook; None when there is none."""
    statement = f"SELECT {_TOLD}, sealed FROM table_template WHERE community_id = ? AND template_id = ?"
    return run(connection, statement, (community_id, template_id)).first()


def keep(connection: Connection, community_id: str, template_id: str, user_id: str, at: str, *, name: str, file_name: str,
         described: dict[str, Any], sealed: bytes) -> None:  # fmt: skip
    """Keep a template, or put a new workbook in the place of one."""
    columns = ("community_id", "template_id", "name", "file_name", "described", "created_by", "created_at", "changed_at", "sealed")
    row = (community_id, template_id, name, file_name, orjson.dumps(described).decode(), user_id, at, at, sealed)
    tail = (
        "ON CONFLICT (community_id, template_id) DO UPDATE SET name = excluded.name, file_name = excluded.file_name, "
        "described = excluded.described, changed_at = excluded.changed_at, sealed = excluded.sealed"
    )
    insert_rows(connection, table_template, columns, [row], tail)


def remove(connection: Connection, community_id: str, template_id: str) -> bool:
    """Remove a template; whether there was one."""
    statement = "DELETE FROM table_template WHERE community_id = ? AND template_id = ?"
    return run(connection, statement, (community_id, template_id)).rowcount == 1
