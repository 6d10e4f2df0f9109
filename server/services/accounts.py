"""Accounts: who there is, what role they have, and what they therefore see."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from server.errors import AlreadyExists, InputError, InvalidInput, NotFound, OutsideScope
from server.house import House
from server.permissions import HOUSE, OFFICERS, ROLES, Actor, Scope, may_manage, scope_of
from server.services.audit import Look, line_of
from server.services.revocations import USER, note_revocation
from server.services.sign_in import hash_password
from server.store import assignments as places
from server.store import audit as audit_store
from server.store import installs, people
from server.store import places as grounds
from server.store.database import read, stamp, write
from server.store.people import User
from sync.days import day_at

OPERATOR = Actor(user_id="~operator", role="admin", community_id=HOUSE, name="dishu")
"""Whoever has the command line of the server."""

_LOGIN = re.compile(r"[a-z0-9][a-z0-9._-]{1,39}")
_AREA = re.compile(r"[0-9]{6}([0-9]{3})?")


def scope(house: House, actor: Actor) -> Scope:
    """What of the records the actor sees at this moment."""
    cells: Sequence[str] = ()
    below: Sequence[str] = ()
    dedicated: frozenset[str] = frozenset()
    own: Sequence[str] = ()
    if actor.role == "grid_worker":
        with read(house.engine) as connection:
            own = installs.installs_of(connection, actor.community_id, actor.user_id)
            cells = places.assigned_cells(connection, actor.community_id, actor.user_id, today(house))
            dedicated = grounds.dedicated_cells(connection, actor.community_id) if cells else frozenset()
    elif actor.role in OFFICERS:
        below = communities_below(house, actor)
    return scope_of(actor, cells, below, dedicated, own)


def communities_below(house: House, actor: Actor) -> tuple[str, ...]:
    """Ids of the communities below an officer's area; none for other roles."""
    if actor.role not in OFFICERS or not actor.area_code:
        return ()
    with read(house.engine) as connection:
        return places.communities_below(connection, actor.area_code)


def today(house: House) -> str:
    """The day in the communities, as ``2026-03-02``."""
    return day_at(house.clock())


def add_user(
    house: House,
    actor: Actor,
    *,
    login: str,
    name: str,
    role: str,
    password: str,
    community_id: str | None = None,
    area_code: str | None = None,
    topics: Sequence[str] = (),
    request_id: str | None = None,
) -> User:
    """Make an account.

    Parameters
    ----------
    login : 2 to 40 small letters, digits, dots, dashes; unique in the house
    community_id : None for the actor's own; people above one community belong to ``~house``
    area_code : of officers: 9 digits of the subdistrict or 6 of the district
    topics : of community workers: the lines of work whose care records they see

    Raises
    ------
    InvalidInput, AlreadyExists, OutsideScope, NotFound
        InvalidInput names every field that is not acceptable.
    """
    where = community_id or actor.community_id
    login = login.strip().lower()
    wrong = [
        InputError(pointer, code, message)
        for holds, pointer, code, message in (
            (_LOGIN.fullmatch(login), "/login", "format", "2 to 40 small letters, digits, dots, dashes"),
            (0 < len(name.strip()) <= 60, "/name", "length", "1 to 60 characters"),
            (role in ROLES, "/role", "choice", "one of " + ", ".join(ROLES)),
            (role not in OFFICERS or _AREA.fullmatch(area_code or ""), "/area_code", "format", "6 or 9 digits"),
            (role in OFFICERS or area_code is None, "/area_code", "unexpected", "only officers have an area"),
            (role not in OFFICERS or where == HOUSE, "/community_id", "choice", f"officers belong to {HOUSE}"),
        )
        if not holds
    ]
    if wrong:
        raise InvalidInput("the account is not acceptable", errors=wrong)
    if not may_manage(actor, role, where):
        raise OutsideScope("accounts of this role here are made by somebody else")
    user = User(
        community_id=where,
        user_id=house.new_id(),
        login=login,
        name=name.strip(),
        role=role,
        password_hash=hash_password(password),
        created_at=stamp(house.clock()),
        area_code=area_code,
        topics=tuple(topics),
    )
    with write(house.engine) as connection:
        if where != HOUSE and places.community_of(connection, where) is None:
            raise NotFound("no such community")
        if people.user_by_login(connection, login) is not None:
            raise AlreadyExists("this login name is taken")
        people.add_user(connection, user)
        look = Look(actor, "change", f"account made: {role}", request_id)
        audit_store.append(connection, line_of(house, look, scope=user.user_id, community_id=where))
    return user


def list_users(house: House, actor: Actor) -> list[User]:
    """Accounts of the actor's community, of all for people of the house; closed ones too, by login."""
    with read(house.engine) as connection:
        return people.users(connection, None if actor.community_id == HOUSE else (actor.community_id,))


def find_user(house: House, actor: Actor, user_id: str) -> User:
    """An account within the actor's reach; NotFound otherwise."""
    for user in list_users(house, actor):
        if user.user_id == user_id:
            return user
    raise NotFound("no such user within your reach")


def user_of_login(house: House, login: str) -> User:
    """The open account of a login name; NotFound if there is none. For the command line only."""
    with read(house.engine) as connection:
        user = people.user_by_login(connection, login.strip().lower())
    if user is None or user.closed_at is not None:
        raise NotFound(f"there is no open account {login!r}")
    return user


def set_password(house: House, actor: Actor, user: User, password: str, *, request_id: str | None = None) -> None:
    """Give an account a new password; its sessions end, its devices go on. One's own is always allowed."""
    if user.user_id != actor.user_id and not may_manage(actor, user.role, user.community_id):
        raise OutsideScope("the password of this account is set by somebody else")
    password_hash = hash_password(password)
    now = stamp(house.clock())
    with write(house.engine) as connection:
        people.change_user(
            connection,
            user.community_id,
            user.user_id,
            password_hash=password_hash,
            failed_count=0,
            locked_until=None,
        )
        people.end_sessions_of(connection, user.community_id, user.user_id, now)
        look = Look(actor, "change", "password set", request_id)
        audit_store.append(connection, line_of(house, look, scope=user.user_id, community_id=user.community_id))


def close_user(house: House, actor: Actor, user: User, *, request_id: str | None = None) -> None:
    """Close an account: sessions, read tokens and devices stop; what it wrote stays under its name."""
    if not may_manage(actor, user.role, user.community_id):
        raise OutsideScope("this account is closed by somebody else")
    now = stamp(house.clock())
    with write(house.engine) as connection:
        people.change_user(connection, user.community_id, user.user_id, closed_at=now)
        people.end_sessions_of(connection, user.community_id, user.user_id, now)
        look = Look(actor, "change", "account closed", request_id)
        audit_store.append(connection, line_of(house, look, scope=user.user_id, community_id=user.community_id))
        note_revocation(house, USER, user.community_id, user.user_id)


def set_topics(house: House, actor: Actor, user: User, topics: Sequence[str], *, request_id: str | None = None) -> None:
    """Set the lines of work of a community worker; the scope version rises, so that phones follow."""
    if not may_manage(actor, user.role, user.community_id):
        raise OutsideScope("the topics of this account are set by somebody else")
    with write(house.engine) as connection:
        version = places.raise_scope(connection, user.community_id, user.user_id)
        was = places.user_scope_of(connection, user.community_id, user.user_id)
        past = [*was.past, (version, was.topics)] if was is not None else []
        people.change_user(
            connection,
            user.community_id,
            user.user_id,
            topics=json.dumps(sorted(set(topics)), ensure_ascii=False),
            topics_past=json.dumps(past, ensure_ascii=False),
        )
        look = Look(actor, "change", "topics set", request_id)
        audit_store.append(connection, line_of(house, look, scope=user.user_id, community_id=user.community_id))
