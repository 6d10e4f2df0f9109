"""Special surveys of a community: their versions, and the figures of their answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
from sqlalchemy import Connection, delete, insert, update

from server.models import survey
from server.permissions import Scope
from server.store.database import run
from server.store.scoping import json_text, record_cut

DRAFT, PUBLISHED, CLOSED = "draft", "published", "closed"

_TABLE = survey.c


def in_force(connection: Connection, community_id: str) -> list[tuple[str, int, str, str]]:
    """(name, version, state, content hash) of every version that was published, also of closed surveys, in order."""
    statement = (
        "SELECT s.name, s.version, s.state, s.content_hash FROM survey s WHERE s.community_id = ? AND s.state <> ? "
        "ORDER BY s.name, s.version"
    )
    return [(row[0], row[1], row[2], row[3]) for row in run(connection, statement, (community_id, DRAFT))]


def documents(connection: Connection, community_id: str) -> list[tuple[str, dict[str, Any]]]:
    """(state, document) of every version that was published, in order."""
    statement = "SELECT s.state, s.document FROM survey s WHERE s.community_id = ? AND s.state <> ? ORDER BY s.name, s.version"
    return [(row[0], orjson.loads(row[1])) for row in run(connection, statement, (community_id, DRAFT))]


def versions(connection: Connection, community_id: str, name: str | None = None) -> list[Any]:
    """All rows of a community, or of one survey: drafts too, the newest version first."""
    statement, values = "SELECT * FROM survey s WHERE s.community_id = ?", [community_id]
    if name is not None:
        statement, values = statement + " AND s.name = ?", [community_id, name]
    return list(run(connection, statement + " ORDER BY s.name, s.version DESC", values))


def keep_draft(connection: Connection, community_id: str, name: str, version: int, **values: Any) -> bool:
    """Keep a draft, in place of an earlier draft of this version; False where the version was published."""
    here = (_TABLE.community_id == community_id, _TABLE.name == name, _TABLE.version == version)
    connection.execute(delete(survey).where(*here, _TABLE.state == DRAFT))
    there = run(connection, "SELECT 1 FROM survey WHERE community_id = ? AND name = ? AND version = ?", (community_id, name, version))
    if there.first() is not None:
        return False
    connection.execute(insert(survey).values(community_id=community_id, name=name, version=version, state=DRAFT, **values))
    return True


def remove_draft(connection: Connection, community_id: str, name: str, version: int) -> bool:
    """Remove a draft; whether there was one."""
    here = (_TABLE.community_id == community_id, _TABLE.name == name, _TABLE.version == version, _TABLE.state == DRAFT)
    return connection.execute(delete(survey).where(*here)).rowcount == 1


def publish(connection: Connection, community_id: str, name: str, version: int, at: str, by: str) -> bool:
    """Put a draft in force, or a closed survey back; whether there is such a version. Earlier versions are open with it."""
    here = (_TABLE.community_id == community_id, _TABLE.name == name)
    connection.execute(
        update(survey).where(*here, _TABLE.state == CLOSED).values(state=PUBLISHED, closed_at=None, closed_by=None)
    )
    connection.execute(
        update(survey)
        .where(*here, _TABLE.version == version, _TABLE.state == DRAFT)
        .values(state=PUBLISHED, published_at=at, published_by=by)
    )
    return any(row[1] == version for row in in_force(connection, community_id) if row[0] == name)


def close(connection: Connection, community_id: str, name: str, at: str, by: str) -> bool:
    """Take no new answers any more; whether the survey was open."""
    here = (_TABLE.community_id == community_id, _TABLE.name == name, _TABLE.state == PUBLISHED)
    return connection.execute(update(survey).where(*here).values(state=CLOSED, closed_at=at, closed_by=by)).rowcount > 0


# ---------------------------------------------------------------- answers
def answers(connection: Connection, scope: Scope, community_id: str, name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """(home, fields) of every live answer in the scope, one after the other."""
    cut, values = record_cut(connection, scope, community_id)
    statement = f"SELECT r.home, r.fields FROM record r WHERE {cut} AND r.type = ? AND r.life = 'live'"
    for home, fields in run(connection, statement, (*values, name)):
        yield home, orjson.loads(fields)


def answered(connection: Connection, scope: Scope, community_id: str, name: str, field: str | None) -> dict[str, tuple[int, int]]:
    """(answers, households or persons that are answered for) of each home."""
    cut, values = record_cut(connection, scope, community_id)
    about = f"COUNT(DISTINCT {json_text(connection, 'r', field)})" if field is not None else "0"
    statement = f"SELECT r.home, COUNT(*), {about} FROM record r WHERE {cut} AND r.type = ? AND r.life = 'live' GROUP BY r.home"
    return {row[0]: (int(row[1]), int(row[2])) for row in run(connection, statement, (*values, name))}


def _lives(connection: Connection, kind: str) -> str:
    if kind != "person":
        return ""
    household, vital = (json_text(connection, "r", name) for name in ("residence_household", "vital_status"))
    return f" AND {household} IS NOT NULL AND COALESCE({vital}, '') <> 'deceased'"


def subjects(connection: Connection, scope: Scope, community_id: str, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """(home, fields) of every household, or person who lives somewhere."""
    cut, values = record_cut(connection, scope, community_id)
    statement = f"SELECT r.home, r.fields FROM record r WHERE {cut} AND r.type = ? AND r.life = 'live'{_lives(connection, kind)}"
    for row in run(connection, statement, (*values, kind)):
        yield row[0], orjson.loads(row[1])


def expected(connection: Connection, scope: Scope, community_id: str, kind: str) -> dict[str, int]:
    """How many households, or persons who live somewhere, each home has."""
    cut, values = record_cut(connection, scope, community_id)
    lives = _lives(connection, kind)
    statement = f"SELECT r.home, COUNT(*) FROM record r WHERE {cut} AND r.type = ? AND r.life = 'live'{lives} GROUP BY r.home"
    return {row[0]: int(row[1]) for row in run(connection, statement, (*values, kind))}


def open_answers(connection: Connection, community_id: str, name: str) -> int:
    """How many answers are kept and not in force: late ones, and others that wait for somebody."""
    statement = (
        "SELECT COUNT(*) FROM operation o WHERE o.community_id = ? AND o.now IN ('held', 'quarantined') "
        "AND o.record_type = ?"
    )
    return int(run(connection, statement, (community_id, name)).scalar_one())
