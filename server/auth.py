"""From a request to an `Actor`: session cookie, device token or read token. For views only."""

from __future__ import annotations

import hmac
import threading
from collections.abc import Callable
from time import monotonic

from flask import current_app, g, request

from server.errors import CsrfRefused, InstallUnconfirmed, NotSignedIn, OutsideScope, SlowDown, TokenRefused
from server.house import House
from server.permissions import HOUSE, Actor, Scope, may
from server.problems import request_id
from server.services import accounts, enrolment, sign_in
from server.services.audit import Look
from server.services.community_forms import at_home
from server.services.tokens import DeviceClaim, device_claim, device_token, send_claim
from server.services.unconfirmed import unconfirmed_sender
from server.settings import Settings

COOKIE = "dishu_session"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_PURPOSE_LENGTH = 120


def house() -> House:
    """The house of the running application, with the forms of the community that the request is about: named, else the actor's own."""
    community_id = (request.view_args or {}).get("community_id") or request.args.get("community_id") or g.get("own_community")
    if community_id is None:
        return _house()
    if g.get("house_of") != community_id:
        g.house, g.house_of = at_home(_house(), community_id), community_id
    found: House = g.house
    return found


def be_at_home(home: House, community_id: str) -> None:
    """From here on the request is about this community; ``home`` is the house with its forms, special surveys too."""
    g.own_community = g.house_of = community_id
    g.house = home


def _house() -> House:
    found: House = current_app.extensions["dishu"]
    return found


def signed_in(action: str, *, community_id: str | None = None, read_token: bool = False) -> Actor:
    """The user behind this request, who may do ``action`` (see `permissions.ACTIONS`).

    Parameters
    ----------
    action : what the view is about to do
    community_id : where, if the request names a community
    read_token : whether a read token will do instead of a session; GET only

    Raises
    ------
    NotSignedIn, TokenRefused, CsrfRefused, OutsideScope
    """
    actor = _known(_user(read_token))
    demand(actor, action, community_id=community_id)
    return actor


def somebody(action: str, *, community_id: str | None = None, handing_over: bool = False) -> Actor:
    """Whoever asks: a device with its token (``handing_over``: also one on its way out), a session or a read token."""
    token = _bearer()
    if token is None or not enrolment.is_device_token(token):
        actor = _known(_user(read_token=True))
    else:
        actor = device_handing_over(token) if handing_over else _device(token)
    demand(actor, action, community_id=community_id)
    return actor


def device() -> Actor:
    """The device behind this request; ``actor.install_id`` is set.

    Raises
    ------
    TokenRefused, InstallRevoked
    """
    token = _bearer()
    if token is None:
        raise TokenRefused("a device token is expected in the Authorization header")
    return _device(token)


def leaving() -> str | None:
    """Why the device of this request is on its way out (retired, replaced, closed), None for one in use.

    Such a device may hand over what it has; it is let through only where `device_handing_over` was asked.
    """
    found: str | None = g.get("leaving")
    return found


def device_handing_over(token: str | None = None) -> Actor:
    """As `device`, and a device on its way out is let through: it hands over what it has before it erases itself."""
    token = token or _bearer()
    if token is None:
        raise TokenRefused("a device token is expected in the Authorization header")
    actor, g.leaving = enrolment.leaving_device(_house(), token)
    return _known(actor)


def sending_install() -> DeviceClaim:
    """The install whose send token (or device token) this request carries; TokenRefused for anything else.

    A send token proves that a phone may hand over what it has sealed. Nothing can be read with it.
    """
    token = _bearer() or ""
    return device_claim(_house().keys, token) if enrolment.is_device_token(token) else send_claim(_house().keys, token)


def renewed_token() -> str | None:
    """The device token of this request as the present secret signs it; None where it is signed so already."""
    token = _bearer() or ""
    fresh = device_token(house().keys, device_claim(house().keys, token))
    return None if fresh == token else fresh


def pushing_device(token: str | None = None) -> tuple[Actor, bool]:
    """The device that pushes, and whether a restored database does not know it, so that what it sends is held (S26).

    ``token``: its device token, where the request does not carry it.

    Raises as `device`, and OutsideScope where the role may not sync.
    """
    try:
        actor = device_handing_over(token)
    except InstallUnconfirmed:
        found = unconfirmed_sender(_house(), token or _bearer() or "")
        if found is None:
            raise
        return _known(found), True
    demand(actor, "sync")
    return actor, False


def demand(actor: Actor, action: str, *, community_id: str | None = None) -> None:
    """Stop with OutsideScope unless the actor may do the action (there)."""
    below = accounts.communities_below(_house(), actor) if community_id is not None else ()
    if not may(actor, action, community_id=community_id, communities_below=below):
        raise OutsideScope(f"the role {actor.role} may not do this here")


def scope(actor: Actor) -> Scope:
    """What of the records this actor sees now."""
    found: Scope = accounts.scope(_house(), actor)
    return found


def look(actor: Actor, action: str, default_purpose: str) -> Look:
    """A look at personal fields, to be written into the audit log: who, through which request, what for.

    The purpose is the header X-Purpose (percent-encoded UTF-8, first 120 characters), else the default.
    """
    return Look(actor, action, purpose(default_purpose), request_id())


def purpose(default: str) -> str:
    """What the caller says the request is for."""
    from urllib.parse import unquote

    given = unquote(request.headers.get("X-Purpose", "")).strip()
    return "".join(letter for letter in given if letter.isprintable())[:_PURPOSE_LENGTH] or default


def _bearer() -> str | None:
    header = request.headers.get("Authorization", "")
    return header[7:].strip() if header[:7].lower() == "bearer " else None


def _device(token: str) -> Actor:
    if "device_actor" not in g:
        g.device_actor = enrolment.device_actor(_house(), token)
    actor: Actor = g.device_actor
    return _known(actor)


def _known(actor: Actor) -> Actor:
    """The actor, whose community is remembered as the one that this request is about."""
    g.own_community = None if actor.community_id == HOUSE else actor.community_id
    return actor


def _user(read_token: bool) -> Actor:
    token = _bearer()
    if token is None and request.authorization is not None and request.authorization.type == "basic":
        token = request.authorization.password or ""
    if token is not None:
        if not read_token or request.method not in _SAFE:
            raise TokenRefused("this address does not take a token")
        return sign_in.actor_of_read_token(_house(), token)
    secret = request.cookies.get(COOKIE)
    if not secret:
        raise NotSignedIn("sign in first")
    session = sign_in.session_of(_house(), secret)
    if request.method not in _SAFE:
        given = request.headers.get("X-CSRF-Token", "")
        if not hmac.compare_digest(given.encode(), session.csrf_token.encode()):
            raise CsrfRefused("send the csrf_token of the session as X-CSRF-Token")
    return session.actor


class TokenBucket:
    """So many tries a minute for each key, refilled evenly. Of this process: workers count apart."""

    def __init__(self, per_minute: int, now: Callable[[], float] = monotonic, most_keys: int = 10_000) -> None:
        self._rate = per_minute / 60
        self._size = float(per_minute)
        self._now = now
        self._most_keys = most_keys
        self._left: dict[str, tuple[float, float]] = {}
        self._gate = threading.Lock()

    def take(self, key: str) -> None:
        """Use one try; SlowDown when none is left."""
        with self._gate:
            now = self._now()
            left, at = self._left.pop(key, (self._size, now))
            left = min(self._size, left + (now - at) * self._rate)
            if left < 1:
                self._left[key] = (left, now)
                raise SlowDown("too many tries from one address", retry_after_s=(1 - left) / self._rate)
            self._left[key] = (left - 1, now)
            while len(self._left) > self._most_keys:  # the one that was quiet longest is full again anyway
                self._left.pop(next(iter(self._left)))


class RateLimits:
    """The buckets of one application."""

    def __init__(self, settings: Settings) -> None:
        self.sign_in = TokenBucket(settings.sign_in_per_minute)
        self.enrol = TokenBucket(settings.enrol_per_minute)


def limit(kind: str) -> None:
    """Count one try of this kind (``sign_in``, ``enrol``) from the caller's address; SlowDown past the limit."""
    buckets: RateLimits = current_app.extensions["dishu_rates"]
    bucket: TokenBucket = getattr(buckets, kind)
    bucket.take(request.remote_addr or "?")
