"""Ways in for ODK Collect: an address with a token in it, made for a worker, taken back like a device.

The address may be scanned by more than one phone. Each phone writes through an install of its own, so that two of them are in
conflict with each other like any two people (S1).
"""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from typing import Any

from server.errors import InputError, InstallRevoked, InvalidInput, NotFound, OutsideScope, SlowDown, TokenRefused
from server.house import House
from server.permissions import ACTIONS, HOUSE, Actor, may
from server.services import tokens
from server.services.audit import Look, line_of
from server.services.community_forms import at_home
from server.services.tokens import DeviceClaim
from server.store import assignments, installs, people
from server.store import audit as audit_store
from server.store import odk as store
from server.store.assignments import Community
from server.store.database import read, stamp, write
from server.store.installs import Install

KIND, PHONE = "odk", "odk_phone"
MOST_PHONES = 20
"""That write with one address."""


def project_number(community: Community) -> int:
    """The number by which programs that know projects as numbers call a community: its code, or one made from its id."""
    if community.code.isdecimal() and len(community.code) < 16:
        return int(community.code)
    return int.from_bytes(hashlib.blake2b(community.community_id.encode(), digest_size=6).digest(), "big")


def create(
    house: House, actor: Actor, user_id: str, *, label: str = "", community_id: str | None = None, request_id: str | None = None
) -> Install:
    """A new address for a user; `token_of` tells its token.

    Raises
    ------
    OutsideScope, NotFound, InvalidInput
        InvalidInput: the user's role works without a device.
    """
    where = community_id or actor.community_id
    if not may(actor, "manage_devices", community_id=where):
        raise OutsideScope("addresses for ODK Collect are given out by the community's secretary")
    with write(house.engine) as connection:
        user = people.user(connection, where, user_id)
        if user is None or user.closed_at is not None:
            raise NotFound("no such user in this community")
        if user.role not in ACTIONS["use_odk"]:
            raise InvalidInput(errors=[InputError("/user_id", "role", "this role works without a device")])
        made = Install(where, house.new_id(), KIND, user_id, f"ODK {label.strip()}".strip()[:80], stamp(house.clock()), user_name=user.name)
        installs.add_install(connection, made)
        look = Look(actor, "change", "address for ODK Collect made", request_id)
        audit_store.append(connection, line_of(house, look, scope=f"install/{made.install_id}", community_id=where))
    return made


def app_users(house: House, actor: Actor, community_id: str | None = None) -> list[Install]:
    """Addresses of a community (None: the actor's own, all for people of the house), newest first."""
    where = community_id or (None if actor.community_id == HOUSE else actor.community_id)
    with read(house.engine) as connection:
        return installs.installs(connection, None if where is None else (where,), kind=KIND)


def token_of(house: House, install: Install) -> str:
    """The token of an address. It is kept nowhere, and is the same each time."""
    return tokens.odk_token(house.keys, DeviceClaim(install.community_id, install.install_id, install.enrolled_at))


def address_of(house: House, install: Install, base_url: str) -> str:
    """The server address that Collect is given; ``base_url`` is where this server is reached, without a path."""
    return f"{base_url.rstrip('/')}/v1/key/{token_of(house, install)}/projects/{install.community_id}"


def settings_code(house: House, install: Install, base_url: str) -> str:
    """What the QR code for Collect holds: settings as JSON, packed by zlib, in Base64.

    Parameters
    ----------
    base_url : where this server is reached, without a path: ``https://example.org``
    """
    with read(house.engine) as connection:
        community = assignments.community_of(connection, install.community_id)
    name = community.name if community is not None else install.community_id
    settings: dict[str, Any] = {
        "general": {
            "server_url": address_of(house, install, base_url), "form_update_mode": "match_exactly", "automatic_update": True, "autosend": "wifi_and_cellular",
            "app_language": "zh",
        },
        "admin": {"edit_saved": True},
        "project": {"name": name},
    }  # fmt: skip
    return base64.b64encode(zlib.compress(json.dumps(settings, ensure_ascii=False).encode())).decode()


def app_user_actor(house: House, token: str, project: str) -> tuple[Actor, House]:
    """Who stands behind the token of an address, in the project that the address names; and the house with their community's forms.

    Raises
    ------
    TokenRefused, InstallRevoked, OutsideScope, NotFound
        NotFound: the address names another project than the token's.
    """
    claim = tokens.odk_claim(house.keys, token)
    with read(house.engine) as connection:
        row = installs.device_and_user(connection, claim.community_id, claim.install_id)
        by_number = project != claim.community_id
        community = assignments.community_of(connection, claim.community_id) if by_number else None
        home = at_home(house, claim.community_id, connection)
    if row is None or row[3] is None:
        raise TokenRefused("this server does not know the address")
    revoked_at, reason, user_id, role, name, area_code, topics, closed_at = row
    if revoked_at is not None or closed_at is not None:
        raise InstallRevoked("this address may not be used any more", reason or "closed")
    if by_number and (community is None or project != str(project_number(community))):
        raise NotFound("no such project")
    actor = Actor(user_id, role, claim.community_id, area_code, claim.install_id, name, tuple(json.loads(topics)))
    if not may(actor, "use_odk", community_id=claim.community_id):
        raise OutsideScope(f"the role {role} may not do this here")
    return actor, home


def phone_id(actor: Actor, device_id: str) -> str:
    """The id of the install of a phone; ``device_id`` is what Collect calls itself."""
    digest = hashlib.blake2b(f"{actor.install_id}\0{device_id}".encode("utf-8", "replace"), digest_size=16).hexdigest()
    return f"{digest[:8]}-{digest[8:12]}-8{digest[13:16]}-a{digest[17:20]}-{digest[20:]}"


def phone(house: House, actor: Actor, device_id: str) -> Actor:
    """The actor with the install of this phone, made at its first filled form."""
    install_id = phone_id(actor, device_id)
    with write(house.engine) as connection:
        if installs.install_of(connection, actor.community_id, install_id) is None:
            if len(store.phones_of(connection, actor.community_id, actor.install_id or "")) >= MOST_PHONES:
                raise SlowDown("too many phones use this address; ask for another one", retry_after_s=86_400)
            at = stamp(house.clock())
            installs.add_install(
                connection, Install(actor.community_id, install_id, PHONE, actor.user_id, actor.install_id or "", at)
            )
    return actor.with_install(install_id)
