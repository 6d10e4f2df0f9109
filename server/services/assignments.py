"""Assignments: who works which cell. Every change raises the worker's scope version (S18) and is journaled (S27)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import TYPE_CHECKING

from geo.lineage import Lineage
from server.errors import AlreadyExists, InputError, InvalidInput, NotFound, OutsideScope
from server.house import House
from server.permissions import DUTIES, HOUSE, Actor, may
from server.services.accounts import today
from server.services.audit import Look, line_of
from server.services.enrolment import user_install
from server.services.revocations import ASSIGNMENT, note_revocation
from server.store import assignments as store
from server.store import audit as audit_store
from server.store import people
from server.store.assignments import Assignment
from server.store.database import read, stamp, write

if TYPE_CHECKING:
    from server.store.database import Connection


def assign(
    house: House,
    actor: Actor,
    *,
    user_id: str,
    cell_id: str,
    duty: str = "lead",
    from_on: str | None = None,
    to_on: str | None = None,
    community_id: str | None = None,
    request_id: str | None = None,
) -> Assignment:
    """Assign a grid worker to a cell, from a day (None: today) to a day (None: until further notice).

    Raises
    ------
    OutsideScope, InvalidInput, NotFound, AlreadyExists
        NotFound: no such user, or no published cell of this id, in the community.
    """
    where = community_id or actor.community_id
    if not may(actor, "manage_assignments", community_id=where):
        raise OutsideScope("cells are assigned by the community's secretary")
    start = from_on or today(house)
    wrong = [] if duty in DUTIES else [InputError("/duty", "choice", "one of " + ", ".join(DUTIES))]
    wrong += [
        InputError(pointer, "format", "a day such as 2026-03-02")
        for pointer, day in (("/from_on", start), ("/to_on", to_on))
        if day is not None and not _is_day(day)
    ]
    if not wrong and to_on is not None and to_on < start:
        wrong.append(InputError("/to_on", "range", "not before from_on"))
    if wrong:
        raise InvalidInput("the assignment is not acceptable", errors=wrong)
    writer = _writer(house, actor)
    with write(house.engine) as connection:
        return _grant(
            connection, house, actor, where, writer, user_id=user_id, cell_id=cell_id, duty=duty, from_on=start, to_on=to_on,
            at=stamp(house.clock()), request_id=request_id,
        )  # fmt: skip


def revoke(
    house: House,
    actor: Actor,
    assignment_id: str,
    *,
    community_id: str | None = None,
    request_id: str | None = None,
) -> Assignment:
    """End an assignment from now on; ending it again changes nothing."""
    where = community_id or actor.community_id
    if not may(actor, "manage_assignments", community_id=where):
        raise OutsideScope("assignments are ended by the community's secretary")
    writer = _writer(house, actor)
    with write(house.engine) as connection:
        found = _assignment_in(connection, where, assignment_id)
        if found.revoked_at is None:
            _end(connection, house, actor, found, writer, at=stamp(house.clock()), request_id=request_id)
        return _assignment_in(connection, where, assignment_id)


def hand_over(
    house: House,
    actor: Actor,
    assignment_id: str,
    *,
    user_id: str,
    community_id: str | None = None,
    request_id: str | None = None,
) -> Assignment:
    """A cell goes to a successor from today on, with the same duty until the same day: both are written, or neither.

    Returns
    -------
    Assignment
        The successor's; the same one where the request comes again because its answer was lost.

    Raises
    ------
    OutsideScope, InvalidInput, NotFound, AlreadyExists
        InvalidInput: the assignment has ended otherwise, or the successor is no grid worker. AlreadyExists: the successor works
        the cell in these days already; nothing has changed.
    """
    where = community_id or actor.community_id
    if not may(actor, "manage_assignments", community_id=where):
        raise OutsideScope("cells are handed over by the community's secretary")
    writer = _writer(house, actor)
    with write(house.engine) as connection:
        found = _assignment_in(connection, where, assignment_id)
        theirs = [one for one in store.assignments(connection, (where,), user_id=user_id) if one.assignment_id != assignment_id]
        for one in theirs:
            if (one.cell_id, one.duty, one.granted_at) == (found.cell_id, found.duty, found.revoked_at):
                return one
        if not _is_running(found, today(house)):
            raise InvalidInput(errors=[InputError("/assignment_id", "ended", "this assignment has ended")])
        at = stamp(house.clock())
        new = _grant(
            connection, house, actor, where, writer, user_id=user_id, cell_id=found.cell_id, duty=found.duty,
            from_on=max(today(house), found.from_on), to_on=found.to_on, at=at, request_id=request_id,
        )  # fmt: skip
        _end(connection, house, actor, found, writer, at=at, request_id=request_id)
    return new


def _assignment_in(connection: Connection, community_id: str, assignment_id: str) -> Assignment:
    found = store.assignment_of(connection, community_id, assignment_id)
    if found is None:
        raise NotFound("no such assignment in this community")
    return found


def _grant(
    connection: Connection, house: House, actor: Actor, where: str, writer: dict[str, str], *, user_id: str, cell_id: str,
    duty: str, from_on: str, to_on: str | None, at: str, request_id: str | None,
) -> Assignment:  # fmt: skip
    """Write an assignment where its worker, its cell and its days allow it."""
    user = people.user(connection, where, user_id)
    if user is None or user.closed_at is not None:
        raise NotFound("no such user in this community")
    if user.role != "grid_worker":
        raise InvalidInput(errors=[InputError("/user_id", "role", "only grid workers are assigned to cells")])
    if not store.is_published_cell(connection, where, cell_id):
        raise NotFound("no such cell in the published edition of this community")
    running = store.assignments(connection, (where,), user_id=user_id)
    if any(one.cell_id == cell_id and one.revoked_at is None and _overlap(one, from_on, to_on) for one in running):
        raise AlreadyExists("this worker is assigned to the cell in these days")
    new = Assignment(
        community_id=where,
        assignment_id=house.new_id(),
        user_id=user_id,
        cell_id=cell_id,
        duty=duty,
        from_on=from_on,
        to_on=to_on,
        granted_version=store.raise_scope(connection, where, user_id),
        granted_at=at,
        granted_by=actor.user_id,
    )
    store.add_assignment(connection, new)
    store.journal_assignment(connection, new, change="granted", at=at, **writer)
    look = Look(actor, "change", f"cell assigned: {duty}", request_id)
    audit_store.append(connection, line_of(house, look, scope=f"{user_id} cell/{cell_id}", community_id=where))
    return new


def _end(
    connection: Connection, house: House, actor: Actor, found: Assignment, writer: dict[str, str], *, at: str, request_id: str | None
) -> None:
    """End a running assignment, as the last step of a transaction (it is written down outside the database, too)."""
    where = found.community_id
    version = store.raise_scope(connection, where, found.user_id)
    store.revoke_assignment(connection, where, found.assignment_id, at=at, version=version)
    store.journal_assignment(connection, found, change="revoked", at=at, **writer)
    look = Look(actor, "change", "assignment ended", request_id)
    audit_store.append(connection, line_of(house, look, scope=f"{found.user_id} cell/{found.cell_id}", community_id=where))
    note_revocation(house, ASSIGNMENT, where, found.assignment_id)


def list_assignments(
    house: House, actor: Actor, *, user_id: str | None = None, on: str | None = None
) -> list[Assignment]:
    """Assignments of the actor's community (all, for people of the house); of a day, or past and coming ones too."""
    where = None if actor.community_id == HOUSE else (actor.community_id,)
    with read(house.engine) as connection:
        return store.assignments(connection, where, user_id=user_id, on=on)


def follow_lineage(
    connection: Connection, house: House, actor: Actor, community_id: str, lineage: Lineage, *, at: str
) -> int:
    """Let running assignments follow their cells into a new edition; how many workers were given other cells.

    Whoever worked a cell works what `Lineage.heirs` makes of it, with the same duty until the same day. Every worker's
    scope version rises once, so that what they wrote under the old cells is known as late, and lands right (S18).
    """
    day = today(house)
    running = store.assignments(connection, (community_id,))
    changes: dict[str, list[tuple[Assignment, tuple[str, ...]]]] = {}
    for one, cells in heirs_of(running, lineage, day):
        changes.setdefault(one.user_id, []).append((one, cells))
    held = {(one.user_id, one.cell_id, one.duty) for one in running if _is_running(one, day)}
    told = {"at": at, "actor_id": actor.user_id, "install_id": "~system", "source": "console"}
    for user_id, mine in sorted(changes.items()):
        version = store.raise_scope(connection, community_id, user_id)
        for one, cells in mine:
            if one.cell_id not in cells:
                store.revoke_assignment(connection, community_id, one.assignment_id, at=at, version=version)
                store.journal_assignment(connection, one, change="revoked", **told)
                held.discard((user_id, one.cell_id, one.duty))
            for cell_id in cells:
                if (user_id, cell_id, one.duty) in held:
                    continue
                held.add((user_id, cell_id, one.duty))
                new = Assignment(
                    community_id=community_id,
                    assignment_id=house.new_id(),
                    user_id=user_id,
                    cell_id=cell_id,
                    duty=one.duty,
                    from_on=max(day, one.from_on),
                    to_on=one.to_on,
                    granted_version=version,
                    granted_at=at,
                    granted_by=actor.user_id,
                )
                store.add_assignment(connection, new)
                store.journal_assignment(connection, new, change="granted", **told)
    return len(changes)


def heirs_of(
    running: Iterable[Assignment], lineage: Lineage, day: str
) -> list[tuple[Assignment, tuple[str, ...]]]:
    """The assignments that a new edition changes, and the cells that each one becomes; those that stay are left out."""
    heirs: dict[str, list[str]] = {}
    for old, new in lineage.heirs():
        heirs.setdefault(old, []).append(new)
    gone = {part.old_id for part in lineage.parts if part.old_id is not None}
    return [
        (one, tuple(heirs.get(one.cell_id, ())))
        for one in running
        if _is_running(one, day) and one.cell_id in gone and heirs.get(one.cell_id) != [one.cell_id]
    ]


def _is_running(one: Assignment, day: str) -> bool:
    return one.revoked_at is None and (one.to_on is None or one.to_on >= day)


def _writer(house: House, actor: Actor) -> dict[str, str]:
    """Who writes the journal entry, through which install; the operator at the command line has none."""
    if actor.user_id.startswith("~"):
        return {"actor_id": actor.user_id, "install_id": actor.user_id}
    return {"actor_id": actor.user_id, "install_id": actor.install_id or user_install(house, actor).install_id or ""}


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _overlap(one: Assignment, start: str, end: str | None) -> bool:
    return (end is None or one.from_on <= end) and (one.to_on is None or one.to_on >= start)
