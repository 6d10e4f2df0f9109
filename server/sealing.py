"""Keys and sealing: one data key per subject, wrapped by the key of the house (S28).

Pure of storage: callers keep the wrapped keys. Sealed bytes are nonce ‖ AES-256-GCM ciphertext.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from server.envelopes import EnvelopeKey, open_envelope

_NONCE_BYTES = 12
_FETCHED = 4096


class WrongKey(Exception):
    """A sealed value does not open with the key that is configured."""


@dataclass(frozen=True, slots=True)
class KeyRing:
    """The keys of a house, derived from one 32-byte secret.

    ``wrapping`` wraps data keys, ``hashing`` keys content and search hashes, ``signing`` signs tokens and cursors, to
    ``envelope`` phones seal what they send without their PIN.
    """

    wrapping: AESGCM
    hashing: bytes
    signing: bytes
    envelope: EnvelopeKey

    @classmethod
    def from_secret(cls, secret: bytes) -> KeyRing:
        """Derive the ring from a secret of at least 32 bytes; ValueError when it is shorter."""
        if len(secret) < 32:
            raise ValueError("the house key needs at least 32 bytes")

        def derive(use: bytes) -> bytes:
            return hmac.new(secret, b"dishu/1/" + use, hashlib.sha256).digest()

        return cls(AESGCM(derive(b"wrapping")), derive(b"hashing"), derive(b"signing"), EnvelopeKey.from_secret(secret))

    def new_data_key(self, random: Callable[[int], bytes] = os.urandom) -> tuple[bytes, bytes]:
        """A random data key: (plain, wrapped)."""
        plain = random(32)
        return plain, seal(self.wrapping, plain, random)

    def unwrap(self, wrapped: bytes) -> bytes:
        """The plain data key; WrongKey when another house wrapped it."""
        return unseal(self.wrapping, wrapped)

    def opened(self, envelope: bytes, bound: bytes) -> bytes:
        """What a phone sealed to this house; EnvelopeUnreadable where it is none of ours or for another place."""
        return open_envelope((self.envelope,), envelope, bound)

    def content_hash(self, content: bytes) -> bytes:
        """Keyed hash of the frozen bytes of an operation, 16 bytes."""
        return hashlib.blake2b(content, digest_size=16, key=self.hashing).digest()

    def search_key(self, field: str, text: str) -> int:
        """Keyed hash under which a value is found by exact search: a signed 64-bit number."""
        hashed = _hash_of_field(self.hashing, field).copy()
        hashed.update(text.encode("utf-8", "surrogatepass"))
        return int.from_bytes(hashed.digest(), "big", signed=True)

    def search_hash(self, field: str, text: str) -> str:
        """Keyed hash under which a secret is found again, 32 hex digits."""
        return hashlib.blake2b(f"{field}\0{text}".encode(), digest_size=16, key=self.hashing).hexdigest()


@lru_cache(maxsize=256)
def _hash_of_field(key: bytes, field: str) -> Any:
    """The hash of a field's values before the value: what comes first is the same for all of them."""
    return hashlib.blake2b(f"{field}\0".encode(), digest_size=8, key=key)


def cipher(data_key: bytes) -> AESGCM:
    """The cipher of a plain data key."""
    return AESGCM(data_key)


class Chance:
    """Random bytes of the operating system, fetched many at a time. For one transaction: never kept, never shared."""

    __slots__ = ("_at", "_bytes")

    def __init__(self) -> None:
        self._bytes, self._at = b"", 0

    def __call__(self, count: int) -> bytes:
        """The next ``count`` bytes, at most as many as are fetched at a time; none is given twice."""
        start, self._at = self._at, self._at + count
        if self._at > len(self._bytes):
            self._bytes, start, self._at = os.urandom(_FETCHED), 0, count
        return self._bytes[start : self._at]


def seal(key: AESGCM, plain: bytes, random: Callable[[int], bytes] = os.urandom) -> bytes:
    """Sealed bytes of ``plain``; two calls never give the same bytes."""
    nonce = random(_NONCE_BYTES)
    return nonce + key.encrypt(nonce, plain, None)


def unseal(key: AESGCM, sealed: bytes) -> bytes:
    """The plain bytes; WrongKey when the key or the bytes are not the ones that sealed."""
    try:
        return key.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], None)
    except (InvalidTag, ValueError) as error:
        raise WrongKey("a sealed value does not open with this house key") from error
