"""Sealing to a public key: what a phone writes for the server and cannot read again without its PIN (docs/protocol.md, section 5).

ECDH on P-256 with a key of its own per envelope, HKDF-SHA-256, AES-256-GCM: what every browser offers without asking.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

VERSION = 1
_INFO = b"dishu-outbox-1"
_CURVE = ec.SECP256R1()
_POINT_BYTES = 65  # an uncompressed point: 4 ‖ x ‖ y
_ID_BYTES = 8
_HEAD_BYTES = 1 + _ID_BYTES + _POINT_BYTES
# The order of the group P-256 (SEC 2, version 2.0, section 2.4.2).
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


class EnvelopeUnreadable(Exception):
    """Not an envelope, damaged, or sealed for another install or another place in its log."""


class EnvelopeKeyUnknown(EnvelopeUnreadable):
    """Sealed to a key that this house does not have, or has no more."""


@dataclass(frozen=True, slots=True)
class EnvelopeKey:
    """A key pair to which phones seal. ``public`` is the uncompressed point, 65 bytes."""

    private: ec.EllipticCurvePrivateKey
    public: bytes

    @classmethod
    def from_secret(cls, secret: bytes) -> EnvelopeKey:
        """The key pair that belongs to a secret: the same one for the same secret, so that a restored house still opens."""
        wide = hmac.new(secret, b"dishu/1/outbox", hashlib.sha512).digest()
        private = ec.derive_private_key(int.from_bytes(wide, "big") % (_ORDER - 1) + 1, _CURVE)
        return cls(private, point_of(private))

    @property
    def key_id(self) -> str:
        """The first 8 bytes of SHA-256 of the public point, in hexadecimal."""
        return id_of(self.public).hex()


def point_of(private: ec.EllipticCurvePrivateKey) -> bytes:
    """The public point of a private key, uncompressed."""
    return private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def id_of(public: bytes) -> bytes:
    """By which 8 bytes an envelope names the key that it is sealed to."""
    return hashlib.sha256(public).digest()[:_ID_BYTES]


def bound_to(install_id: str, first_n: int, last_n: int) -> bytes:
    """The place that an envelope is sealed for; it opens nowhere else."""
    return b"\0".join([_INFO, install_id.encode(), str(first_n).encode(), str(last_n).encode()])


def seal_envelope(public: bytes, plain: bytes, bound: bytes, ephemeral: ec.EllipticCurvePrivateKey | None = None) -> bytes:
    """An envelope for the holder of a public point: version ‖ key id ‖ own public point ‖ AES-256-GCM.

    ``ephemeral`` is the envelope's own key, for published examples only; never use one twice.
    """
    own = ephemeral or ec.generate_private_key(_CURVE)
    point = point_of(own)
    shared = own.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(_CURVE, public))
    cipher, nonce = _cipher(shared, point, public)
    return bytes([VERSION]) + id_of(public) + point + cipher.encrypt(nonce, plain, bound)


def open_envelope(keys: tuple[EnvelopeKey, ...], envelope: bytes, bound: bytes) -> bytes:
    """What was sealed.

    Raises
    ------
    EnvelopeKeyUnknown
        It names none of these keys.
    EnvelopeUnreadable
        Anything else is wrong with it.
    """
    if len(envelope) < _HEAD_BYTES or envelope[0] != VERSION:
        raise EnvelopeUnreadable("not an envelope of this version")
    named, point = envelope[1 : 1 + _ID_BYTES], envelope[1 + _ID_BYTES : _HEAD_BYTES]
    found = next((one for one in keys if id_of(one.public) == named), None)
    if found is None:
        raise EnvelopeKeyUnknown("sealed to a key that this server does not have")
    try:
        shared = found.private.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(_CURVE, point))
        cipher, nonce = _cipher(shared, point, found.public)
        return cipher.decrypt(nonce, envelope[_HEAD_BYTES:], bound)
    except (InvalidTag, ValueError) as error:
        raise EnvelopeUnreadable("damaged, or sealed for another place") from error


def _cipher(shared: bytes, point: bytes, public: bytes) -> tuple[AESGCM, bytes]:
    """Key and nonce of one envelope: its own key is used once, so both may come from the same derivation."""
    derived = HKDF(SHA256(), 44, salt=point + public, info=_INFO).derive(shared)
    return AESGCM(derived[:32]), derived[32:]
