"""People signing in with a password, their sessions, and the read tokens of their other programs."""

from __future__ import annotations

import functools
import secrets
from dataclasses import dataclass
from datetime import timedelta

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from server.errors import (
    AccountLocked,
    InputError,
    InvalidInput,
    NotFound,
    NotSignedIn,
    OutsideScope,
    TokenRefused,
    WrongCredentials,
)
from server.house import House
from server.permissions import Actor, may
from server.services import tokens
from server.services.audit import Look, line_of
from server.services.revocations import TOKEN, note_revocation
from server.store import audit as audit_store
from server.store import people
from server.store.database import read, stamp, write
from server.store.people import TokenRow, User

MIN_PASSWORD = 8
MAX_PASSWORD = 200
_hasher = PasswordHasher()


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A sign-in: the cookie's value, the token for changes, who it is and until when."""

    secret: str
    csrf_token: str
    actor: Actor
    expires_at: str


@dataclass(frozen=True, slots=True)
class Session:
    """A running session."""

    actor: Actor
    csrf_token: str
    expires_at: str


def hash_password(password: str) -> str:
    """Argon2id hash of a password; InvalidInput for one that is too short or too long."""
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        message = f"{MIN_PASSWORD} to {MAX_PASSWORD} characters"
        raise InvalidInput("the password is not acceptable", errors=[InputError("/password", "length", message)])
    return _hasher.hash(password)


def actor_of(user: User, *, read_only: bool = False) -> Actor:
    """The actor that an account makes."""
    return Actor(
        user_id=user.user_id,
        role=user.role,
        community_id=user.community_id,
        area_code=user.area_code,
        name=user.name,
        topics=user.topics,
        read_only=read_only,
    )


def sign_in(house: House, login: str, password: str, *, request_id: str | None = None) -> SignedIn:
    """Begin a session.

    The password is judged before the write lock is taken. An unknown name takes as long as a wrong password.

    Raises
    ------
    WrongCredentials, AccountLocked
    """
    with read(house.engine) as connection:
        user = people.user_by_login(connection, login.strip())
    right = _matches(user.password_hash if user is not None else _nobody(), password)
    now = house.clock()
    if user is None or user.closed_at is not None:
        raise WrongCredentials("name or password is wrong")
    if user.locked_until is not None and user.locked_until > stamp(now):
        raise AccountLocked("too many wrong passwords", retry_after_s=house.settings.lock_minutes * 60)
    actor = actor_of(user)
    if not right:
        _count_failure(house, user, request_id)
        raise WrongCredentials("name or password is wrong")
    made = SignedIn(
        secret=tokens.new_session_secret(user.community_id),
        csrf_token=secrets.token_urlsafe(24),
        actor=actor,
        expires_at=stamp(now + timedelta(hours=house.settings.session_hours)),
    )
    with write(house.engine) as connection:
        people.change_user(connection, user.community_id, user.user_id, failed_count=0, locked_until=None)
        people.add_session(
            connection,
            community_id=user.community_id,
            session_hash=tokens.kept_hash(house.keys, "session", made.secret),
            user_id=user.user_id,
            csrf_token=made.csrf_token,
            created_at=stamp(now),
            expires_at=made.expires_at,
        )
        look = Look(actor, "sign_in", "sign_in", request_id)
        audit_store.append(connection, line_of(house, look, scope="-"))
    return made


def _count_failure(house: House, user: User, request_id: str | None) -> None:
    with write(house.engine) as connection:
        count = people.count_failure(connection, user.community_id, user.user_id)
        if count >= house.settings.attempts:
            until = stamp(house.clock() + timedelta(minutes=house.settings.lock_minutes))
            people.change_user(connection, user.community_id, user.user_id, failed_count=0, locked_until=until)
        look = Look(actor_of(user), "sign_in", "refused", request_id)
        audit_store.append(connection, line_of(house, look, scope="-", count=count))


def _matches(kept: str, password: str) -> bool:
    try:
        return len(password) <= MAX_PASSWORD and _hasher.verify(kept, password)
    except (VerificationError, InvalidHashError):
        return False


@functools.cache
def _nobody() -> str:
    return _hasher.hash(secrets.token_urlsafe(16))


def session_of(house: House, secret: str) -> Session:
    """The session of a cookie's value; NotSignedIn when it has ended."""
    try:
        community_id = tokens.community_of(secret)
    except TokenRefused as error:
        raise NotSignedIn("sign in again") from error
    with read(house.engine) as connection:
        row = people.session(connection, community_id, tokens.kept_hash(house.keys, "session", secret))
    if row is None or row.user.closed_at is not None or row.expires_at <= stamp(house.clock()):
        raise NotSignedIn("sign in again")
    return Session(actor_of(row.user), row.csrf_token, row.expires_at)


def account_of(house: House, actor: Actor) -> User:
    """The actor's own account."""
    with read(house.engine) as connection:
        user = people.user(connection, actor.community_id, actor.user_id)
    if user is None:
        raise NotSignedIn("sign in again")
    return user


def password_is(house: House, actor: Actor, password: str) -> bool:
    """Whether this is the actor's password."""
    return _matches(account_of(house, actor).password_hash, password)


def sign_out(house: House, secret: str) -> None:
    """End the session of a cookie's value; nothing happens if it has ended."""
    session_hash = tokens.kept_hash(house.keys, "session", secret)
    with write(house.engine) as connection:
        people.end_session(connection, tokens.community_of(secret), session_hash, stamp(house.clock()))


# ---------------------------------------------------------------- read tokens


def make_read_token(
    house: House, actor: Actor, *, label: str, days: int | None = None, request_id: str | None = None
) -> tuple[str, TokenRow]:
    """A read token of the actor's own: (token, what is kept). The token itself is shown once."""
    if not may(actor, "make_read_token"):
        raise OutsideScope("this role has no read tokens")
    now = house.clock()
    token = tokens.new_read_token(actor.community_id)
    row = TokenRow(
        community_id=actor.community_id,
        token_id=house.new_id(),
        user_id=actor.user_id,
        label=label.strip()[:80] or "read token",
        created_at=stamp(now),
        expires_at=stamp(now + timedelta(days=days or house.settings.token_days)),
        revoked_at=None,
    )
    with write(house.engine) as connection:
        people.add_token(connection, row, tokens.kept_hash(house.keys, "read", token))
        look = Look(actor, "change", "read token made", request_id)
        audit_store.append(connection, line_of(house, look, scope=row.token_id))
    return token, row


def read_tokens(house: House, actor: Actor) -> list[TokenRow]:
    """The actor's own read tokens, newest first."""
    with read(house.engine) as connection:
        return people.tokens(connection, actor.community_id, actor.user_id)


def revoke_read_token(house: House, actor: Actor, token_id: str) -> None:
    """End one of the actor's own read tokens; NotFound if there is none."""
    if token_id not in {row.token_id for row in read_tokens(house, actor)}:
        raise NotFound("no such read token of yours")
    with write(house.engine) as connection:
        people.revoke_token(connection, actor.community_id, token_id, stamp(house.clock()))
        note_revocation(house, TOKEN, actor.community_id, token_id)


def actor_of_read_token(house: House, token: str) -> Actor:
    """Whose read token this is; TokenRefused when it is unknown, revoked, expired or its account is closed."""
    community_id = tokens.community_of(token)
    with read(house.engine) as connection:
        found = people.token_of(connection, community_id, tokens.kept_hash(house.keys, "read", token))
    if found is None:
        raise TokenRefused("this read token is not known here")
    row, user = found
    if row.revoked_at is not None or user.closed_at is not None or row.expires_at <= stamp(house.clock()):
        raise TokenRefused("this read token has ended")
    return actor_of(user, read_only=True)
