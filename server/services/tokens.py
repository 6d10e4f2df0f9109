"""Secrets that people and devices carry: how they look, how they are signed, what is kept of them.

Of session cookies, read tokens and enrolment codes only a keyed hash is kept; a device token is signed and kept nowhere.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass
from uuid import UUID

from server.errors import TokenRefused
from server.sealing import KeyRing

_DEVICE = "dishu-device."
_SEND = "dishu-send."
_READ = "dishu-read."
_ODK = "dishu-odk."
_SESSION = "s."
# Crockford's alphabet: no I, L, O, U, so that a code read aloud is typed right.
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_CODE_LENGTH = 12


@dataclass(frozen=True, slots=True)
class DeviceClaim:
    """What a device token says: which install of which community, signed at which time."""

    community_id: str
    install_id: str
    issued_at: str


def device_token(keys: KeyRing, claim: DeviceClaim) -> str:
    """A device token; it holds until its install is revoked."""
    payload = _claimed(claim)
    return f"{_DEVICE}{_pack(payload)}.{_pack(_signature(keys, payload))}"


def send_token(keys: KeyRing, claim: DeviceClaim) -> str:
    """A token with which a phone can hand over what it has sealed to the server, and nothing else; it needs no PIN."""
    payload = _claimed(claim)
    return f"{_SEND}{_pack(payload)}.{_pack(_signature(keys, payload, b'send-token'))}"


def send_claim(keys: KeyRing, token: str) -> DeviceClaim:
    """What a send token says; TokenRefused unless this house signed it as one."""
    return _claim(keys, token, _SEND, b"send-token")


def is_device_token(token: str) -> bool:
    """Whether a bearer token is meant to be a device token."""
    return token.startswith(_DEVICE)


def device_claim(keys: KeyRing, token: str) -> DeviceClaim:
    """What a device token says; TokenRefused unless this house signed it."""
    return _claim(keys, token, _DEVICE, b"device-token")


def odk_token(keys: KeyRing, claim: DeviceClaim) -> str:
    """A token that stands in the address that ODK Collect is given; it holds until its install is revoked."""
    payload = json.dumps([claim.community_id, claim.install_id, claim.issued_at], separators=(",", ":")).encode()
    return f"{_ODK}{_pack(payload)}.{_pack(_odk_signature(keys, payload))}"


def odk_claim(keys: KeyRing, token: str) -> DeviceClaim:
    """What a token of an address says; TokenRefused unless this house signed it for that use."""
    payload_text, _, signature_text = token.removeprefix(_ODK).partition(".")
    payload, signature = _unpack(payload_text), _unpack(signature_text)
    if not token.startswith(_ODK) or not keys.is_signed(signature, b"odk-token\0" + payload):
        raise TokenRefused("this is not an address of this server")
    return DeviceClaim(*json.loads(payload))


def new_session_secret(community_id: str) -> str:
    """A value for the session cookie; it says in which community the session is kept."""
    return f"{_SESSION}{_pack(community_id.encode())}.{secrets.token_urlsafe(32)}"


def new_read_token(community_id: str) -> str:
    """A read token; it says in which community it is kept."""
    return f"{_READ}{_pack(community_id.encode())}.{secrets.token_urlsafe(32)}"


def community_of(secret: str) -> str:
    """The community that a session cookie or read token names; TokenRefused if it is neither."""
    for prefix in (_SESSION, _READ):
        if secret.startswith(prefix):
            try:
                found = _unpack(secret.removeprefix(prefix).partition(".")[0]).decode()
            except UnicodeDecodeError as error:
                raise TokenRefused("not a token of this server") from error
            if found.isprintable():
                return found
    raise TokenRefused("not a token of this server")


def kept_hash(keys: KeyRing, use: str, secret: str) -> str:
    """What is kept of a secret: a hash under the house key, apart for each use."""
    return keys.search_hash(f"~{use}", secret)


def new_code() -> str:
    """A new enrolment code, 60 random bits as three groups of four: ``K7QF-3M9D-XW2P``."""
    letters = "".join(secrets.choice(_ALPHABET) for _ in range(_CODE_LENGTH))
    return "-".join(letters[start : start + 4] for start in range(0, _CODE_LENGTH, 4))


def plain_code(typed: str) -> str:
    """A code as it was typed, without what people add or confuse: case, spaces, dashes, O for 0, I and L for 1."""
    letters = "".join(letter for letter in typed.upper() if letter.isalnum())
    return letters.translate(str.maketrans("OIL", "011"))


def enrolled_id(keys: KeyRing, code: str, retry_key: str) -> str:
    """The id of the install that a code makes for the phone that has this key: the same one whenever it asks.

    Nobody who does not have code, key and house key can say which it is.
    """
    digits = kept_hash(keys, "enrolled", f"{plain_code(code)}\0{retry_key}")
    return str(UUID(f"{digits[:12]}8{digits[13:16]}8{digits[17:]}"))


def _claimed(claim: DeviceClaim) -> bytes:
    return json.dumps([claim.community_id, claim.install_id, claim.issued_at], separators=(",", ":")).encode()


def _claim(keys: KeyRing, token: str, prefix: str, use: bytes) -> DeviceClaim:
    payload_text, _, signature_text = token.removeprefix(prefix).partition(".")
    payload, signature = _unpack(payload_text), _unpack(signature_text)
    if not token.startswith(prefix) or not keys.is_signed(signature, use + b"\0" + payload):
        raise TokenRefused("this is not such a token of this server")
    return DeviceClaim(*json.loads(payload))


def _signature(keys: KeyRing, payload: bytes, use: bytes = b"device-token") -> bytes:
    return hmac.new(keys.signing, use + b"\0" + payload, hashlib.sha256).digest()


def _odk_signature(keys: KeyRing, payload: bytes) -> bytes:
    return hmac.new(keys.signing, b"odk-token\0" + payload, hashlib.sha256).digest()


def _pack(plain: bytes) -> str:
    return base64.urlsafe_b64encode(plain).decode().rstrip("=")


def _unpack(text: str) -> bytes:
    try:
        return base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise TokenRefused("not a token of this server") from error
