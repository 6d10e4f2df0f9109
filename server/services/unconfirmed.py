"""Installs that a restored database does not know: they push into hold, and wait for the secretary (S26)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from server.errors import AlreadyDecided, InputError, InvalidInput, NotFound, OutsideScope
from server.permissions import ACTIONS, Actor, may
from server.services import tokens
from server.services.audit import Look, line_of
from server.services.release import LOG, release_waiting
from server.services.revocations import DEVICE, log_path
from server.services.tokens import DeviceClaim
from server.store import assignments, audit, installs, people
from server.store.database import read, stamp, write
from server.store.installs import Install

if TYPE_CHECKING:
    from server.house import House

UNCONFIRMED = "unconfirmed"
"""The flag of such an install."""


def admit(house: House, claim: DeviceClaim) -> bool:
    """Make room for an install that this house enrolled and the database does not know; False where it was revoked.

    Its token is signed by the house, so it was enrolled in a life of the database that was lost.
    """
    if _was_revoked(house, claim.install_id):
        return False
    with write(house.engine) as connection:
        if assignments.community_of(connection, claim.community_id) is None:
            return False
        if installs.install_of(connection, claim.community_id, claim.install_id) is None:
            new = Install(
                claim.community_id, claim.install_id, "device", None, "device", claim.issued_at or stamp(house.clock()), flag=UNCONFIRMED
            )
            installs.add_install(connection, new)
    return True


def _was_revoked(house: House, install_id: str) -> bool:
    path = log_path(house)
    for raw in path.read_bytes().splitlines() if path.exists() else []:
        try:
            line = orjson.loads(raw)
        except orjson.JSONDecodeError:
            continue
        if isinstance(line, dict) and line.get("kind") == DEVICE and line.get("id") == install_id:
            return True
    return False


def unconfirmed_sender(house: House, token: str) -> Actor | None:
    """Who pushes with this token into hold; None where the install is not one of these."""
    claim = tokens.device_claim(house.keys, token)
    with read(house.engine) as connection:
        found = installs.install_of(connection, claim.community_id, claim.install_id)
    if found is None or found.flag != UNCONFIRMED or found.revoked_at is not None:
        return None
    return Actor("", UNCONFIRMED, claim.community_id, install_id=claim.install_id)


def confirm_install(
    house: House, actor: Actor, install_id: str, *, user_id: str, community_id: str | None = None, request_id: str | None = None
) -> Install:
    """Say whose device it is; what it has pushed is decided now.

    Raises
    ------
    OutsideScope, NotFound, InvalidInput
        InvalidInput: there is no such user with a device.
    AlreadyDecided
        The device does not wait for it.
    """
    where = community_id or actor.community_id
    if not may(actor, "manage_devices", community_id=where):
        raise OutsideScope("devices are confirmed by the community's secretary")
    with write(house.engine) as connection:
        found = installs.install_of(connection, where, install_id)
        if found is None or found.kind != "device":
            raise NotFound("no such device in this community")
        if found.flag != UNCONFIRMED or found.revoked_at is not None:
            raise AlreadyDecided("this device does not wait to be confirmed")
        user = people.user(connection, where, user_id)
        if user is None or user.closed_at is not None or user.role not in ACTIONS["sync"]:
            raise InvalidInput(errors=[InputError("/user_id", "no_device_user", "no such user who works with a device")])
        installs.confirm(connection, where, install_id, user_id)
        look = Look(actor, "change", "device confirmed", request_id)
        audit.append(connection, line_of(house, look, scope=f"install/{install_id}", community_id=where))
        found = installs.install_of(connection, where, install_id)
    try:
        release_waiting(house, where, [f"install/{install_id}"], any_held=False)
    except Exception as error:
        LOG.error("releasing after a confirmation failed: %s; left to the sweeper", type(error).__name__)
    assert found is not None
    return found
