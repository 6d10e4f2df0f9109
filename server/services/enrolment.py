"""Devices: a one-time code makes an install; its signed token speaks for it until it is revoked."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta

from server.errors import (
    EnrolmentCodeExpired,
    EnrolmentCodeUnknown,
    EnrolmentCodeUsed,
    InputError,
    InstallRevoked,
    InstallUnconfirmed,
    InvalidInput,
    NotFound,
    OutsideScope,
    TokenRefused,
)
from server.house import House
from server.permissions import ACTIONS, HOUSE, Actor, may
from server.services import tokens
from server.services.audit import Look, line_of
from server.services.revocations import DEVICE, note_revocation
from server.services.tokens import DeviceClaim, is_device_token
from server.services.unconfirmed import admit
from server.store import audit as audit_store
from server.store import installs, people
from server.store.database import read, stamp, write
from server.store.errors import StoreError
from server.store.installs import CodeRow, Install

__all__ = [
    "Enrolled",
    "create_code",
    "device_actor",
    "enrol",
    "handed_over",
    "heard_of",
    "is_device_token",
    "leaving_device",
    "list_installs",
    "reached",
    "revoke_install",
    "user_install",
]

_DEVICES = ("device", "odk")
_HEARD_EVERY = timedelta(minutes=10)

REASONS = {"lost": "遗失", "retired": "停用", "replaced": "更换"}
LOST, CLOSED = "lost", "closed"


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A device that was just enrolled; the token is shown once."""

    community_id: str
    install_id: str
    device_token: str
    send_token: str
    actor: Actor


def create_code(
    house: House, actor: Actor, user_id: str, *, community_id: str | None = None, request_id: str | None = None
) -> tuple[str, str]:
    """A one-time code for a device of a user: (code, expires_at). The code is shown once.

    Raises
    ------
    OutsideScope, NotFound, InvalidInput
        InvalidInput: the user's role works without a device.
    """
    where = community_id or actor.community_id
    if not may(actor, "manage_devices", community_id=where):
        raise OutsideScope("enrolment codes are given out by the community's secretary")
    now = house.clock()
    code = tokens.new_code()
    expires_at = stamp(now + timedelta(hours=house.settings.code_hours))
    with write(house.engine) as connection:
        user = people.user(connection, where, user_id)
        if user is None or user.closed_at is not None:
            raise NotFound("no such user in this community")
        if user.role not in ACTIONS["sync"]:
            raise InvalidInput(errors=[InputError("/user_id", "role", "this role works without a device")])
        installs.add_code(
            connection,
            CodeRow(
                community_id=where,
                code_hash=_code_hash(house, code),
                user_id=user_id,
                created_at=stamp(now),
                created_by=actor.user_id,
                expires_at=expires_at,
            ),
        )
        look = Look(actor, "change", "enrolment code made", request_id)
        audit_store.append(connection, line_of(house, look, scope=user_id, community_id=where))
    return code, expires_at


def enrol(
    house: House, code: str, *, label: str, app_version: str, retry_key: str | None = None, request_id: str | None = None
) -> Enrolled:
    """Use a code: a new install, and the token that speaks for it.

    ``retry_key`` is a secret of the phone: with it a phone whose answer was lost gets the same one again, while the code
    holds and its install has not been heard of.

    Raises
    ------
    EnrolmentCodeUnknown, EnrolmentCodeExpired, EnrolmentCodeUsed
        Nothing was changed; an expired code stays expired.
    """
    now = stamp(house.clock())
    with write(house.engine) as connection:
        row = installs.code_of(connection, _code_hash(house, code))
        user = None if row is None else people.user(connection, row.community_id, row.user_id)
        if row is None or user is None or user.closed_at is not None:
            raise EnrolmentCodeUnknown("check the code and type it again")
        install_id = house.new_id() if retry_key is None else tokens.enrolled_id(house.keys, code, retry_key)
        if row.used_at is not None and not installs.unheard(connection, row, install_id):
            raise EnrolmentCodeUsed("ask for another code")
        if row.expires_at <= now:
            raise EnrolmentCodeExpired("ask for another code")
        if row.used_at is None:
            if not installs.use_code(connection, row, at=now, install_id=install_id):
                raise EnrolmentCodeUsed("ask for another code")
            installs.add_install(
                connection,
                Install(
                    community_id=row.community_id,
                    install_id=install_id,
                    kind="device",
                    user_id=row.user_id,
                    label=label.strip()[:80] or "device",
                    enrolled_at=now,
                    app_version=app_version[:40] or None,
                ),
            )
        actor = Actor(
            user_id=user.user_id,
            role=user.role,
            community_id=row.community_id,
            area_code=user.area_code,
            install_id=install_id,
            name=user.name,
            topics=user.topics,
        )
        look = Look(actor, "change", "device enrolled" if row.used_at is None else "device enrolled: answered again", request_id)
        audit_store.append(connection, line_of(house, look, scope=f"install/{install_id}"))
    claim = DeviceClaim(row.community_id, install_id, row.used_at or now)
    given = tokens.device_token(house.keys, claim), tokens.send_token(house.keys, claim)
    return Enrolled(row.community_id, install_id, *given, actor)


def device_actor(house: House, token: str) -> Actor:
    """Who stands behind a device token.

    Raises
    ------
    TokenRefused
        This house did not sign it, or does not know the install.
    InstallRevoked
        The install was revoked or the user's account closed.
    InstallUnconfirmed
        A restored database does not know the install, and nobody has confirmed it yet (S26).
    """
    actor, reason = leaving_device(house, token)
    if reason is not None:
        raise InstallRevoked("this device may not sync any more", reason)
    return actor


def leaving_device(house: House, token: str) -> tuple[Actor, str | None]:
    """Who stands behind a device token, and why the device is on its way out; None for a device in use.

    One that was retired or replaced, or whose user's account was closed, may still hand over what it has. Raises as
    `device_actor`; InstallRevoked for a lost one only.
    """
    claim = tokens.device_claim(house.keys, token)
    with read(house.engine) as connection:
        row = installs.device_and_user(connection, claim.community_id, claim.install_id)
    if row is None and admit(house, claim):
        raise InstallUnconfirmed("this server was restored and does not know the device yet")
    if row is not None and row[2] is None and row[0] is None:
        raise InstallUnconfirmed("the community has not confirmed the device yet")
    if row is None or row[3] is None:
        raise TokenRefused("this server does not know the device")
    revoked_at, revoked_reason, user_id, role, name, area_code, topics, closed_at = row
    reason = (revoked_reason or LOST) if revoked_at is not None else CLOSED if closed_at is not None else None
    if reason == LOST:
        raise InstallRevoked("this device was reported lost", LOST)
    return Actor(user_id, role, claim.community_id, area_code, claim.install_id, name, tuple(json.loads(topics))), reason


def list_installs(house: House, actor: Actor) -> list[Install]:
    """Devices of the actor's community (of all, for people of the house), addresses for ODK Collect among them, newest first."""
    where = None if actor.community_id == HOUSE else (actor.community_id,)
    with read(house.engine) as connection:
        found = [one for kind in _DEVICES for one in installs.installs(connection, where, kind=kind)]
    return sorted(found, key=lambda one: one.enrolled_at, reverse=True)


def revoke_install(
    house: House,
    actor: Actor,
    install_id: str,
    *,
    reason: str,
    community_id: str | None = None,
    request_id: str | None = None,
) -> Install:
    """Revoke a device from now on. NotFound if it is not within reach.

    Revoking again changes nothing, but a retired one may be found to be lost.

    The answer is the install as it is now.
    """
    where = community_id or actor.community_id
    if reason not in REASONS:
        raise InvalidInput(errors=[InputError("/reason", "choice", "one of " + ", ".join(REASONS))])
    if not may(actor, "manage_devices", community_id=where):
        raise OutsideScope("devices are revoked by the community's secretary")
    with write(house.engine) as connection:
        if installs.revoke_install(connection, where, install_id, at=stamp(house.clock()), reason=reason):
            look = Look(actor, "change", f"device revoked: {reason}", request_id)
            line = line_of(house, look, scope=f"install/{install_id}", community_id=where)
            audit_store.append(connection, line)
            note_revocation(house, DEVICE, where, install_id, reason)
        found = installs.install_of(connection, where, install_id)
    if found is None or found.kind not in _DEVICES:
        raise NotFound("no such device in this community")
    return found


def heard_of(house: House, actor: Actor, unsent: int | None, app_version: str | None = None) -> None:
    """Keep that a device was heard of, at most every ten minutes unless what it still has to send, or its program, has changed.

    A busy database is no reason to fail whoever only wanted to read: then it is kept the next time.
    """
    install_id = actor.install_id or ""
    with read(house.engine) as connection:
        known = installs.install_of(connection, actor.community_id, install_id)
    now = house.clock()
    is_same = known is not None and unsent in (None, known.unsent) and app_version in (None, known.app_version)
    if known is None or (is_same and known.last_seen_at is not None and known.last_seen_at > stamp(now - _HEARD_EVERY)):
        return
    try:
        with write(house.engine) as connection:
            installs.heard_of(connection, actor.community_id, install_id, at=stamp(now), unsent=unsent, app_version=app_version)
    except StoreError:
        return


def reached(house: House, actor: Actor) -> int:
    """The number of the device's last operation that is here."""
    with read(house.engine) as connection:
        known = installs.install_of(connection, actor.community_id, actor.install_id or "")
    return known.last_n if known is not None else 0


def handed_over(house: House, actor: Actor, before: int) -> None:
    """Keep how much a device on its way out has still to send after a push; it tells so itself no more.

    ``before``: what `reached` said before the push.
    """
    with write(house.engine) as connection:
        known = installs.install_of(connection, actor.community_id, actor.install_id or "")
        if known is not None:
            left = None if known.unsent is None else max(0, known.unsent - (known.last_n - before))
            installs.heard_of(connection, actor.community_id, known.install_id, at=stamp(house.clock()), unsent=left)


def user_install(house: House, actor: Actor) -> Actor:
    """The actor with the install through which they write at the office, made at the first write."""
    with read(house.engine) as connection:
        found = installs.user_install(connection, actor.community_id, actor.user_id)
    if found is None:
        with write(house.engine) as connection:
            found = installs.user_install(connection, actor.community_id, actor.user_id)
            if found is None:
                found = house.new_id()
                installs.add_install(
                    connection,
                    Install(
                        community_id=actor.community_id,
                        install_id=found,
                        kind="user",
                        user_id=actor.user_id,
                        label="office",
                        enrolled_at=stamp(house.clock()),
                    ),
                )
    return actor.with_install(found)


def _code_hash(house: House, code: str) -> str:
    return tokens.kept_hash(house.keys, "enrolment", tokens.plain_code(code))
