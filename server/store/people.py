"""Users, their sessions and their read tokens. Hashes only: no password, cookie or token is kept."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from server.models import read_token, sign_in_session, user_account


@dataclass(frozen=True, slots=True)
class User:
    """An account. ``closed_at`` set: it exists for history only."""

    community_id: str
    user_id: str
    login: str
    name: str
    role: str
    password_hash: str
    created_at: str
    area_code: str | None = None
    topics: tuple[str, ...] = ()
    failed_count: int = 0
    locked_until: str | None = None
    closed_at: str | None = None


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A sign-in that was not ended, with its user."""

    user: User
    csrf_token: str
    expires_at: str


@dataclass(frozen=True, slots=True)
class TokenRow:
    """A read token, without the token."""

    community_id: str
    token_id: str
    user_id: str
    label: str
    created_at: str
    expires_at: str
    revoked_at: str | None


_USER = user_account.c
_USER_COLUMNS = tuple(
    _USER[name]
    for name in (
        "community_id", "user_id", "login", "name", "role", "password_hash", "created_at", "area_code", "topics",
        "failed_count", "locked_until", "closed_at",
    )
)  # fmt: skip


def _user(row: Row[Any] | tuple[Any, ...]) -> User:
    values = list(row)
    values[8] = tuple(json.loads(values[8]))
    return User(*values)


# ---------------------------------------------------------------- users


def add_user(connection: Connection, user: User) -> None:
    """Keep a new account; the caller has made sure that the login is free."""
    values = {column.name: getattr(user, column.name) for column in _USER_COLUMNS}
    values["topics"] = json.dumps(list(user.topics), ensure_ascii=False)
    connection.execute(insert(user_account).values(values))


def user_by_login(connection: Connection, login: str) -> User | None:
    """The account of a login name, which is unique in the house; None if there is none."""
    row = connection.execute(select(*_USER_COLUMNS).where(_USER.login == login)).first()
    return None if row is None else _user(row)


def user(connection: Connection, community_id: str, user_id: str) -> User | None:
    """One account, None if there is none."""
    row = connection.execute(
        select(*_USER_COLUMNS).where(_USER.community_id == community_id, _USER.user_id == user_id)
    ).first()
    return None if row is None else _user(row)


def users(connection: Connection, community_ids: Collection[str] | None) -> list[User]:
    """Accounts of these communities (None: of all), by login."""
    query = select(*_USER_COLUMNS).order_by(_USER.login)
    if community_ids is not None:
        query = query.where(_USER.community_id.in_(list(community_ids)))
    return [_user(row) for row in connection.execute(query)]


def change_user(connection: Connection, community_id: str, user_id: str, **values: Any) -> None:
    """Set columns of an account."""
    connection.execute(
        update(user_account).where(_USER.community_id == community_id, _USER.user_id == user_id).values(**values)
    )


def count_failure(connection: Connection, community_id: str, user_id: str) -> int:
    """Count one wrong password; returns how many there are in a row."""
    return int(
        connection.execute(
            update(user_account)
            .where(_USER.community_id == community_id, _USER.user_id == user_id)
            .values(failed_count=_USER.failed_count + 1)
            .returning(_USER.failed_count)
        ).scalar_one()
    )


# ---------------------------------------------------------------- sessions


def add_session(
    connection: Connection,
    *,
    community_id: str,
    session_hash: str,
    user_id: str,
    csrf_token: str,
    created_at: str,
    expires_at: str,
) -> None:
    """Keep a sign-in, and forget those of this community that are past their time."""
    session = sign_in_session.c
    connection.execute(
        delete(sign_in_session).where(session.community_id == community_id, session.expires_at < created_at)
    )
    connection.execute(
        insert(sign_in_session).values(
            community_id=community_id,
            session_hash=session_hash,
            user_id=user_id,
            csrf_token=csrf_token,
            created_at=created_at,
            expires_at=expires_at,
        )
    )


def session(connection: Connection, community_id: str, session_hash: str) -> SessionRow | None:
    """The sign-in with this hash, None if it was ended or never was."""
    kept = sign_in_session.c
    row = connection.execute(
        select(kept.csrf_token, kept.expires_at, *_USER_COLUMNS)
        .join_from(
            sign_in_session,
            user_account,
            (kept.community_id == _USER.community_id) & (kept.user_id == _USER.user_id),
        )
        .where(kept.community_id == community_id, kept.session_hash == session_hash, kept.ended_at.is_(None))
    ).first()
    return None if row is None else SessionRow(_user(tuple(row)[2:]), row[0], row[1])


def end_session(connection: Connection, community_id: str, session_hash: str, at: str) -> None:
    """End one sign-in."""
    kept = sign_in_session.c
    connection.execute(
        update(sign_in_session)
        .where(kept.community_id == community_id, kept.session_hash == session_hash, kept.ended_at.is_(None))
        .values(ended_at=at)
    )


def end_sessions_of(connection: Connection, community_id: str, user_id: str, at: str) -> None:
    """End every sign-in of a user."""
    kept = sign_in_session.c
    connection.execute(
        update(sign_in_session)
        .where(kept.community_id == community_id, kept.user_id == user_id, kept.ended_at.is_(None))
        .values(ended_at=at)
    )


# ---------------------------------------------------------------- read tokens

_TOKEN = read_token.c
_TOKEN_COLUMNS = (
    _TOKEN.community_id, _TOKEN.token_id, _TOKEN.user_id, _TOKEN.label, _TOKEN.created_at, _TOKEN.expires_at,
    _TOKEN.revoked_at,
)  # fmt: skip


def add_token(connection: Connection, token: TokenRow, token_hash: str) -> None:
    """Keep a read token by its hash."""
    connection.execute(
        insert(read_token).values(token_hash=token_hash, **{c.name: getattr(token, c.name) for c in _TOKEN_COLUMNS})
    )


def token_of(connection: Connection, community_id: str, token_hash: str) -> tuple[TokenRow, User] | None:
    """The read token with this hash and whose it is, None if there is none."""
    row = connection.execute(
        select(*_TOKEN_COLUMNS, *_USER_COLUMNS)
        .join_from(
            read_token,
            user_account,
            (_TOKEN.community_id == _USER.community_id) & (_TOKEN.user_id == _USER.user_id),
        )
        .where(_TOKEN.community_id == community_id, _TOKEN.token_hash == token_hash)
    ).first()
    if row is None:
        return None
    values = tuple(row)
    return TokenRow(*values[:7]), _user(values[7:])


def tokens(connection: Connection, community_id: str, user_id: str | None = None) -> list[TokenRow]:
    """Read tokens of a community or of one of its users, newest first."""
    query = select(*_TOKEN_COLUMNS).where(_TOKEN.community_id == community_id)
    if user_id is not None:
        query = query.where(_TOKEN.user_id == user_id)
    return [TokenRow(*row) for row in connection.execute(query.order_by(_TOKEN.created_at.desc(), _TOKEN.token_id))]


def revoke_token(connection: Connection, community_id: str, token_id: str, at: str) -> bool:
    """End a read token; whether there was one that was not ended."""
    done = connection.execute(
        update(read_token)
        .where(_TOKEN.community_id == community_id, _TOKEN.token_id == token_id, _TOKEN.revoked_at.is_(None))
        .values(revoked_at=at)
    )
    return done.rowcount == 1
