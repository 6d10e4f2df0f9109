"""Keys and sealing: one data key per subject, wrapped by the key of the house (S28).

Pure of storage: callers keep the wrapped keys. Sealed bytes are nonce ‖ AES-256-GCM ciphertext.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from server.envelopes import EnvelopeKey, EnvelopeKeyUnknown, open_envelope

_NONCE_BYTES = 12
_FETCHED = 4096
_LOOK_EVERY_S = 1.0
_gate = threading.Lock()


class WrongKey(Exception):
    """A sealed value does not open with the key that is configured."""


@dataclass(slots=True)
class KeyRing:
    """The keys of a house, derived from one 32-byte secret.

    ``wrapping`` wraps data keys, ``hashing`` keys content and search hashes, ``signing`` signs tokens and cursors, to
    ``envelope`` phones seal what they send without their PIN. ``former`` are the rings of secrets that were rotated out: they still
    open, and their signatures still hold. ``source`` gives the ring as it is now, or None where it has not changed: a running
    server follows a rotation.
    """

    wrapping: AESGCM
    hashing: bytes
    signing: bytes
    envelope: EnvelopeKey
    former: tuple[KeyRing, ...] = ()
    source: Callable[[], KeyRing | None] | None = field(default=None, repr=False, compare=False)
    _looked_at: float = field(default=0.0, repr=False, compare=False)

    @classmethod
    def from_secret(cls, secret: bytes, former: Sequence[bytes] = (), hashing: bytes | None = None) -> KeyRing:
        """Derive the ring from a secret of at least 32 bytes; ValueError when it is shorter.

        ``hashing`` is the key of hashes where it is older than the secret: a rotation leaves hashes as they are.
        """
        if len(secret) < 32:
            raise ValueError("the house key needs at least 32 bytes")

        def derive(use: bytes) -> bytes:
            return hmac.new(secret, b"dishu/1/" + use, hashlib.sha256).digest()

        return cls(
            AESGCM(derive(b"wrapping")), hashing or derive(b"hashing"), derive(b"signing"), EnvelopeKey.from_secret(secret),
            tuple(cls.from_secret(one) for one in former),
        )  # fmt: skip

    def renew(self, *, now: bool = False, tried: AESGCM | None = None) -> bool:
        """Follow a rotation, looked for at most every second unless ``now``; whether there is another secret than ``tried``."""
        if self.source is None or (not now and time.monotonic() - self._looked_at < _LOOK_EVERY_S):
            return False
        with _gate:
            if tried is not None and self.wrapping is not tried:
                return True  # another thread was faster
            self._looked_at = time.monotonic()
            fresh = self.source()
            if fresh is None:
                return False
            self.former, self.hashing = fresh.former, fresh.hashing  # first: what was signed a moment ago still holds
            self.signing, self.envelope, self.wrapping = fresh.signing, fresh.envelope, fresh.wrapping
        return True

    def new_data_key(self, random: Callable[[int], bytes] = os.urandom) -> tuple[bytes, bytes]:
        """A random data key: (plain, wrapped)."""
        self.renew()
        plain = random(32)
        return plain, self.wrap(plain, random)

    def wrap(self, plain: bytes, random: Callable[[int], bytes] = os.urandom) -> bytes:
        """A data key wrapped by the present secret."""
        return seal(self.wrapping, plain, random)

    def unwrap(self, wrapped: bytes) -> bytes:
        """The plain data key; WrongKey when another house wrapped it."""
        present = self.wrapping
        try:
            return unseal(present, wrapped)
        except WrongKey:
            pass  # by a former secret?
        for ring in self.former:
            try:
                return unseal(ring.wrapping, wrapped)
            except WrongKey:
                continue
        if self.renew(now=True, tried=present):
            return self.unwrap(wrapped)
        raise WrongKey("a sealed value does not open with this house key")

    def wraps(self, wrapped: bytes) -> bool:
        """Whether the present secret wrapped this key, not a former one."""
        try:
            return bool(unseal(self.wrapping, wrapped))
        except WrongKey:
            return False

    def is_signed(self, mark: bytes, content: bytes, length: int = 32) -> bool:
        """Whether a mark (HMAC-SHA-256, its first ``length`` bytes) was made over the content with the present or a former secret."""
        if len(mark) != length:
            return False
        self.renew()
        present = self.wrapping
        for ring in (self, *self.former):
            if hmac.compare_digest(mark, hmac.new(ring.signing, content, hashlib.sha256).digest()[:length]):
                return True
        return self.renew(now=True, tried=present) and self.is_signed(mark, content, length)

    def opened(self, envelope: bytes, bound: bytes) -> bytes:
        """What a phone sealed to this house; EnvelopeUnreadable where it is none of ours or for another place."""
        present, keys = self.wrapping, (self.envelope, *(ring.envelope for ring in self.former))
        try:
            return open_envelope(keys, envelope, bound)
        except EnvelopeKeyUnknown:
            if self.renew(now=True, tried=present):
                return self.opened(envelope, bound)
            raise

    def content_hash(self, content: bytes) -> bytes:
        """Keyed hash of the frozen bytes of an operation, 16 bytes."""
        return hashlib.blake2b(content, digest_size=16, key=self.hashing).digest()

    def search_key(self, field: str, text: str) -> int:
        """Keyed hash under which a value is found by exact search: a signed 64-bit number."""
        return int.from_bytes(self.search_bytes(field, text), "big", signed=True)

    def search_bytes(self, field: str, text: str) -> bytes:
        """The same as the eight bytes that it is stored as."""
        hashed = _hash_of_field(self.hashing, field).copy()
        hashed.update(text.encode("utf-8", "surrogatepass"))
        found: bytes = hashed.digest()
        return found

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
