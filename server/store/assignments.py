"""Who works which cell from when to when, the scope version that rises with it, and the communities."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Connection, insert, or_, select, update

from server.models import assignment, cell, community, edition, journal, user_scope
from server.store.database import insert_rows, next_journal_number, run


@dataclass(frozen=True, slots=True)
class Assignment:
    """A user works a cell, from a day to a day (both included; open without an end)."""

    community_id: str
    assignment_id: str
    user_id: str
    cell_id: str
    duty: str
    from_on: str
    to_on: str | None
    granted_version: int
    revoked_version: int | None = None
    granted_at: str = ""
    revoked_at: str | None = None
    granted_by: str | None = None


@dataclass(frozen=True, slots=True)
class Community:
    """A community and the areas above it."""

    community_id: str
    code: str
    name: str
    subdistrict_code: str
    district_code: str
    code_profile: str


_ASSIGNMENT = assignment.c
_COLUMNS = tuple(
    _ASSIGNMENT[name]
    for name in (
        "community_id", "assignment_id", "user_id", "cell_id", "duty", "from_on", "to_on", "granted_version",
        "revoked_version", "granted_at", "revoked_at", "granted_by",
    )
)  # fmt: skip
_COMMUNITY = community.c
_COMMUNITY_COLUMNS = (
    _COMMUNITY.community_id, _COMMUNITY.code, _COMMUNITY.name, _COMMUNITY.subdistrict_code, _COMMUNITY.district_code,
    _COMMUNITY.code_profile,
)  # fmt: skip


def raise_scope(connection: Connection, community_id: str, user_id: str) -> int:
    """The next scope version of a user; the first is 1. Holds the user's row until the transaction ends."""
    insert_rows(
        connection,
        user_scope,
        ("community_id", "user_id", "version"),
        [(community_id, user_id, 1)],
        "ON CONFLICT (community_id, user_id) DO UPDATE SET version = user_scope.version + 1",
    )
    return scope_version(connection, community_id, user_id)


def scope_version(connection: Connection, community_id: str, user_id: str) -> int:
    """The scope version of a user; 0 for one who was never assigned."""
    statement = "SELECT version FROM user_scope WHERE community_id = ? AND user_id = ?"
    return int(run(connection, statement, (community_id, user_id)).scalar() or 0)


@dataclass(frozen=True, slots=True)
class UserScope:
    """What a scope is made of beside cells: ``past`` holds [until scope version, topics] of every earlier set of topics."""

    role: str
    version: int
    topics: tuple[str, ...]
    past: tuple[tuple[int, tuple[str, ...]], ...] = ()

    def all_topics(self) -> list[tuple[int, tuple[str, ...]]]:
        """(from scope version, topics) of every set of topics, the present one last."""
        starts = [0, *(until for until, _ in self.past)]
        return list(zip(starts, [*(topics for _, topics in self.past), self.topics], strict=True))


def user_scope_of(connection: Connection, community_id: str, user_id: str) -> UserScope | None:
    """Role, scope version (0: never changed) and lines of work of a user; None where there is none."""
    statement = (
        "SELECT u.role, coalesce(s.version, 0) AS version, u.topics, u.topics_past FROM user_account u LEFT JOIN user_scope s "
        "ON s.community_id = u.community_id AND s.user_id = u.user_id WHERE u.community_id = ? AND u.user_id = ?"
    )
    row = run(connection, statement, (community_id, user_id)).first()
    if row is None:
        return None
    past = tuple((int(until), tuple(topics)) for until, topics in json.loads(row.topics_past))
    return UserScope(row.role, int(row.version), tuple(json.loads(row.topics)), past)


def add_assignment(connection: Connection, new: Assignment) -> None:
    """Keep an assignment; the caller has raised the scope version."""
    connection.execute(insert(assignment).values({c.name: getattr(new, c.name) for c in _COLUMNS}))


def revoke_assignment(connection: Connection, community_id: str, assignment_id: str, *, at: str, version: int) -> None:
    """End an assignment from now on."""
    connection.execute(
        update(assignment)
        .where(_ASSIGNMENT.community_id == community_id, _ASSIGNMENT.assignment_id == assignment_id)
        .values(revoked_at=at, revoked_version=version)
    )


def journal_assignment(
    connection: Connection,
    one: Assignment,
    *,
    change: str,
    at: str,
    actor_id: str,
    install_id: str,
    source: str = "console",
) -> None:
    """Write the change of an assignment (granted, revoked, expired) into the journal (S27); it touches no stream."""
    effects = {"records": {}, "streams": {}, "assignments": {one.assignment_id: [change, one.user_id, one.cell_id]}}
    connection.execute(
        insert(journal).values(
            community_id=one.community_id,
            number=next_journal_number(connection),
            command="assign",
            at=at,
            actor_id=actor_id,
            install_id=install_id,
            source=source,
            engine_version="1",
            configuration="{}",
            effects=json.dumps(effects),
        )
    )


def is_published_cell(connection: Connection, community_id: str, cell_id: str) -> bool:
    """Whether a published edition of the community, base or dedicated, has this cell."""
    found = connection.execute(
        select(cell.c.cell_id)
        .join_from(
            cell,
            edition,
            (cell.c.community_id == edition.c.community_id) & (cell.c.edition_id == edition.c.edition_id),
        )
        .where(edition.c.community_id == community_id, edition.c.state == "published", cell.c.cell_id == cell_id)
        .limit(1)
    ).first()
    return found is not None


def assignment_of(connection: Connection, community_id: str, assignment_id: str) -> Assignment | None:
    """One assignment, None if there is none."""
    row = connection.execute(
        select(*_COLUMNS).where(_ASSIGNMENT.community_id == community_id, _ASSIGNMENT.assignment_id == assignment_id)
    ).first()
    return None if row is None else Assignment(*row)


def assignments(
    connection: Connection,
    community_ids: Collection[str] | None,
    *,
    user_id: str | None = None,
    on: str | None = None,
) -> list[Assignment]:
    """Assignments of communities (None: of all), by user and cell.

    Parameters
    ----------
    user_id : only of this user
    on : only those in force on this day (``2026-03-02``); None also gives past and coming ones
    """
    query = select(*_COLUMNS).order_by(_ASSIGNMENT.user_id, _ASSIGNMENT.cell_id, _ASSIGNMENT.assignment_id)
    if community_ids is not None:
        query = query.where(_ASSIGNMENT.community_id.in_(list(community_ids)))
    if user_id is not None:
        query = query.where(_ASSIGNMENT.user_id == user_id)
    if on is not None:
        query = query.where(
            _ASSIGNMENT.revoked_at.is_(None),
            _ASSIGNMENT.from_on <= on,
            or_(_ASSIGNMENT.to_on.is_(None), _ASSIGNMENT.to_on >= on),
        )
    return [Assignment(*row) for row in connection.execute(query)]


def assigned_cells(connection: Connection, community_id: str, user_id: str, on: str) -> list[str]:
    """Ids of the cells that a user works on this day, sorted, each once."""
    statement = (  # asked by every pull, so without the detour of a query object
        "SELECT cell_id FROM assignment WHERE community_id = ? AND user_id = ? AND revoked_at IS NULL "
        "AND from_on <= ? AND (to_on IS NULL OR to_on >= ?)"
    )
    return sorted(set(run(connection, statement, (community_id, user_id, on, on)).scalars()))


def expired(connection: Connection, community_id: str, user_id: str, day: str) -> list[str]:
    """Ids of assignments whose last day is before ``day`` and that no scope version has ended yet."""
    statement = (
        "SELECT assignment_id FROM assignment WHERE community_id = ? AND user_id = ? AND to_on < ? "
        "AND revoked_version IS NULL"
    )
    return list(run(connection, statement, (community_id, user_id, day)).scalars())


def scope_history(
    connection: Connection, community_id: str, user_id: str
) -> list[tuple[str, int, int | None, str, str | None]]:
    """Every assignment a user ever had: (cell_id, granted version, revoked version, from_on, to_on)."""
    statement = (
        "SELECT cell_id, granted_version, revoked_version, from_on, to_on FROM assignment "
        "WHERE community_id = ? AND user_id = ?"
    )
    return [tuple(row) for row in run(connection, statement, (community_id, user_id))]


# ---------------------------------------------------------------- communities


def add_community(connection: Connection, new: Community, *, at: str, boundary: bytes | None = None) -> None:
    """Keep a new community; ``boundary`` is WKB in CGCS2000 lon/lat."""
    values = {column.name: getattr(new, column.name) for column in _COMMUNITY_COLUMNS}
    connection.execute(insert(community).values(values | {"created_at": at, "boundary": boundary}))


def community_of(connection: Connection, community_id: str) -> Community | None:
    """One community, None if there is none."""
    row = connection.execute(select(*_COMMUNITY_COLUMNS).where(_COMMUNITY.community_id == community_id)).first()
    return None if row is None else Community(*row)


def communities(connection: Connection) -> list[Community]:
    """Every community, by code."""
    return [Community(*row) for row in connection.execute(select(*_COMMUNITY_COLUMNS).order_by(_COMMUNITY.code))]


def communities_below(connection: Connection, area_code: str) -> tuple[str, ...]:
    """Ids of the communities in a subdistrict or district, sorted; none for an empty code."""
    if not area_code:
        return ()
    query = select(_COMMUNITY.community_id).where(
        or_(_COMMUNITY.subdistrict_code == area_code, _COMMUNITY.district_code == area_code)
    )
    return tuple(sorted(connection.execute(query).scalars()))
