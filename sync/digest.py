"""Hashes that both sides compute: version tags (H64) and stream digests (H128).

A stream's digest is the sum of its rows' hashes modulo 2^128, so that adding or taking away a row costs one addition,
in any order.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import lru_cache

MODULUS = 1 << 128
ZERO_TAG = "0" * 16
ZERO_DIGEST = "0" * 32


def version_tag(previous_tag: str, op_id: str, units: Iterable[str]) -> str:
    """Tag of the version that an operation made: H64(previous tag ‖ op_id ‖ applied unit names in byte order).

    ``previous_tag`` is ``ZERO_TAG`` at creation. Values take no part. Returns 16 hex digits.
    """
    content = f"{previous_tag}\0{op_id}".encode() + _tail(tuple(units))
    return hashlib.blake2b(content, digest_size=8).hexdigest()


@lru_cache(maxsize=4096)
def _tail(units: tuple[str, ...]) -> bytes:
    """Each name with a NUL before it; few sets of units make up nearly all operations."""
    return b"".join(b"\0" + name for name in sorted(name.encode() for name in units))


def record_hash(record_id: str, v: int, tag: str) -> int:
    """H128(id ‖ v ‖ tag) of a PUT row."""
    return int.from_bytes(hashlib.blake2b(f"{record_id}\0{v}\0{tag}".encode(), digest_size=16).digest(), "big")


def status_hash(op_id: str, status: int) -> int:
    """H128(op_id ‖ status number) of a STATUS row."""
    return int.from_bytes(hashlib.blake2b(f"{op_id}\0{status}".encode(), digest_size=16).digest(), "big")


def made_id(kind: str, *parts: str) -> str:
    """Id of a server-made record, H128(kind ‖ parts) written as a UUID (S24)."""
    digest = hashlib.blake2b("\0".join((kind, *parts)).encode(), digest_size=16).hexdigest()
    return f"{digest[:8]}-{digest[8:12]}-{digest[12:16]}-{digest[16:20]}-{digest[20:]}"


def to_hex(digest: int) -> str:
    """The digest as 32 hex digits."""
    return f"{digest % MODULUS:032x}"


def from_hex(text: str) -> int:
    """The number of 32 hex digits."""
    return int(text, 16)
