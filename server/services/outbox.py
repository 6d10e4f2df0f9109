"""Work that a phone sealed to this house, so that it can be sent without its PIN (docs/protocol.md, section 5)."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from server.envelopes import EnvelopeUnreadable, bound_to
from server.errors import InputError, SealedUnreadable, TokenRefused
from server.services import tokens

if TYPE_CHECKING:
    from server.house import House
    from server.permissions import Actor
    from server.services.tokens import DeviceClaim

_GZIP = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class Envelope:
    """One envelope as it was sent: which numbers of the log it says to hold, and its bytes."""

    first_n: int
    last_n: int
    content: bytes


def public_key(house: House) -> str:
    """The public point to which phones seal, base64url without padding."""
    return base64.urlsafe_b64encode(house.keys.envelope.public).decode().rstrip("=")


def send_token_of(house: House, actor: Actor) -> str:
    """The send token of a device that has shown its device token."""
    claim = tokens.DeviceClaim(actor.community_id, actor.install_id or "", "")
    return tokens.send_token(house.keys, claim)


def opened_groups(house: House, claim: DeviceClaim, envelopes: Sequence[Envelope], max_bytes: int) -> list[Any]:
    """The groups in these envelopes, in order, as the member ``groups`` of a push has them.

    Each envelope holds JSON ``{"token": device token, "groups": [{"ops": [{"n", "op"}, …]}, …]}``, plain or gzip. The token
    inside shows that it was written by somebody who had opened the phone: a send token alone writes nothing.

    Raises
    ------
    SealedUnreadable
        The error's pointer names the first envelope that does not open, holds other numbers than it says, is too large
        when unpacked, or was not written on this phone.
    """
    groups: list[Any] = []
    room = max_bytes
    for place, one in enumerate(envelopes):
        try:
            plain = house.keys.opened(one.content, bound_to(claim.install_id, one.first_n, one.last_n))
            plain = _unpacked(plain, room)
            room -= len(plain)
            said = orjson.loads(plain)
            inside = tokens.device_claim(house.keys, said["token"])
            numbers = [member["n"] for group in said["groups"] for member in group["ops"]]
            if (inside.community_id, inside.install_id) != (claim.community_id, claim.install_id):
                raise _refused(place, "another_install")
            if numbers != list(range(one.first_n, one.last_n + 1)):
                raise _refused(place, "other_numbers")
            groups += said["groups"]
        except EnvelopeUnreadable as error:
            raise _refused(place, "does_not_open") from error
        except TokenRefused as error:
            raise _refused(place, "not_written_here") from error
        except (ValueError, KeyError, TypeError, AttributeError, zlib.error) as error:
            raise _refused(place, "not_groups") from error
    return groups


def without_contents(answer: dict[str, Any]) -> dict[str, Any]:
    """The answer to a sealed push: whoever holds the phone without its PIN learns outcomes, and nothing about records."""
    results = [{name: one[name] for name in ("n", "op_id", "first", "now")} for one in answer["results"]]
    return answer | {"results": results}


def _unpacked(plain: bytes, room: int) -> bytes:
    if plain[:2] == _GZIP:
        reader = zlib.decompressobj(wbits=31)
        plain = reader.decompress(plain, room + 1)
        if not reader.eof:
            raise ValueError("too large or cut short")
    if len(plain) > room:
        raise ValueError("too large")
    return plain


def _refused(place: int, code: str) -> SealedUnreadable:
    said = InputError(f"/sealed/{place}", code, code.replace("_", " "))
    return SealedUnreadable("nothing was consumed; send the operations openly", errors=[said])
