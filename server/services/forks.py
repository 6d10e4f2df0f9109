"""A cloned or restored phone goes on as an install of its own, from where its log and the server's part (S21)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from server.errors import InputError, InvalidInput, NotFound
from server.permissions import Actor
from server.services import tokens
from server.services.audit import line_of
from server.services.looks import Look
from server.services.tokens import DeviceClaim
from server.store import audit, installs, writing
from server.store import push as reading
from server.store.database import stamp, write
from server.store.installs import Install

if TYPE_CHECKING:
    from server.house import House

FORKED = "forked"
"""The flag of an install whose log went two ways, for the secretary's eyes."""


@dataclass(frozen=True, slots=True)
class Forked:
    """The new install, its token, and the last operation that it has in common with the one that it comes from."""

    community_id: str
    install_id: str
    device_token: str
    parent_install_id: str
    n: int
    op_id: str | None


def fork(
    house: House, actor: Actor, *, install_id: str, log: Sequence[tuple[int, str]], label: str, app_version: str, request_id: str | None
) -> Forked:
    """Enrol a fork of the actor's own install.

    Parameters
    ----------
    install_id : of the new install, made by the phone, so that asking again makes no second one
    log : (n, op_id) of what the phone still has of its log, and of the last one that it has forgotten

    Raises
    ------
    InvalidInput
        The id belongs to another install.
    NotFound
        The parent is gone.
    """
    parent = actor.install_id or ""
    at = stamp(house.clock())
    with write(house.engine) as connection:
        row = reading.lock_install(connection, actor.community_id, parent)
        if row is None:
            raise NotFound("no such install")
        known = installs.parent_of(connection, actor.community_id, install_id)
        if known is not None and known[0] != parent:
            raise InvalidInput(errors=[InputError("/fork_id", "taken", "another install has this id")])
        if known is None:
            n, op_id = installs.last_common(connection, actor.community_id, parent, log)
            made = Install(actor.community_id, install_id, "device", actor.user_id, label[:80] or "device", at, app_version=app_version or None)
            installs.add_install(connection, made)
            installs.set_parent(connection, actor.community_id, install_id, parent, n)
            writing.flag_install(connection, actor.community_id, parent, FORKED)
            look = Look(actor, "change", "device forked", request_id)
            audit.append(connection, line_of(house, look, scope=f"install/{install_id}", community_id=actor.community_id))
        else:
            n, op_id = installs.last_common(connection, actor.community_id, parent, [one for one in log if one[0] <= known[1]])
        enrolled = installs.install_of(connection, actor.community_id, install_id)
    assert enrolled is not None
    claim = DeviceClaim(actor.community_id, install_id, enrolled.enrolled_at)
    return Forked(actor.community_id, install_id, tokens.device_token(house.keys, claim), parent, n, op_id)
