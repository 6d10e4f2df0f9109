"""A certificate for phones in the local network: browsers keep a page working offline only over HTTPS.

The data folder holds an authority of its own (ten years) and a certificate signed by it for this machine's names and
addresses, made anew when they change or before it ends. Phones trust the authority once: ``/dishu-ca.crt``.
"""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_AUTHORITY_DAYS = 3650
_SERVER_DAYS = 397  # browsers refuse longer ones
_RENEW_DAYS = 30


@dataclass(frozen=True, slots=True)
class Certificate:
    """Files of the server's certificate, and the SHA-256 fingerprint of the authority that people compare."""

    chain: Path
    key: Path
    authority: Path
    fingerprint: str
    names: tuple[str, ...]


def authority_file(data_dir: Path) -> Path:
    """Where the authority's public certificate lies."""
    return data_dir / "tls" / "dishu-ca.crt"


def local_names() -> tuple[str, ...]:
    """Names and addresses under which this machine may be reached, sorted; nothing is sent to find out."""
    found = {"localhost", "127.0.0.1", "::1"}
    host = socket.gethostname()
    if host and host.isascii():
        found |= {host, f"{host.split('.')[0]}.local"}
    try:
        found |= {str(entry[4][0]).partition("%")[0] for entry in socket.getaddrinfo(host, None)}
    except OSError:
        pass  # a host name that no resolver knows
    for family, target in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect((target, 9))  # a datagram socket: this only asks which address would be used
                found.add(str(probe.getsockname()[0]).partition("%")[0])
        except OSError:
            pass  # no such network here
    return tuple(sorted(found))


def ensure_certificate(data_dir: Path, *, names: Iterable[str], now: datetime) -> Certificate:
    """The server's certificate for these names and addresses, made where it is missing, ending or for others.

    Parameters
    ----------
    names : host names and IP addresses
    now : aware time from which it is valid

    Notes
    -----
    Private keys have mode 0600. The authority is kept as long as it is valid, so that phones need to trust it once.
    """
    wanted = tuple(sorted(set(names)))
    folder = data_dir / "tls"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    authority, authority_key = _authority(folder, now)
    chain_path, key_path = folder / "server.crt", folder / "server.key"
    if not _still_good(chain_path, key_path, authority, wanted, now):
        key = ec.generate_private_key(ec.SECP256R1())
        issued = (
            _builder("Dishu", authority.subject, key.public_key(), now, _SERVER_DAYS)
            .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in wanted]), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False
            )
            .sign(authority_key, hashes.SHA256())
        )
        _write(key_path, _private(key), 0o600)
        _write(chain_path, _public(issued) + _public(authority), 0o644)
    fingerprint = authority.fingerprint(hashes.SHA256()).hex(":").upper()
    return Certificate(chain_path, key_path, authority_file(data_dir), fingerprint, wanted)


def _authority(folder: Path, now: datetime) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    path, key_path = folder / "dishu-ca.crt", folder / "dishu-ca.key"
    if path.exists() and key_path.exists():
        kept = x509.load_pem_x509_certificate(path.read_bytes())
        key = serialization.load_pem_private_key(key_path.read_bytes(), password=None)
        if kept.not_valid_after_utc > now + timedelta(days=_SERVER_DAYS) and isinstance(
            key, ec.EllipticCurvePrivateKey
        ):
            return kept, key
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Dishu local authority")])
    made = (
        _builder("Dishu local authority", name, key.public_key(), now, _AUTHORITY_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(
            x509.KeyUsage(
                digital_signature=False, content_commitment=False, key_encipherment=False, data_encipherment=False,
                key_agreement=False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False,
            ),
            critical=True,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    _write(key_path, _private(key), 0o600)
    _write(path, _public(made), 0o644)
    return made, key


def _builder(
    common_name: str, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime, days: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)]))
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))  # phones whose clock is behind
        .not_valid_after(now + timedelta(days=days))
    )


def _still_good(chain: Path, key: Path, authority: x509.Certificate, names: tuple[str, ...], now: datetime) -> bool:
    if not chain.exists() or not key.exists():
        return False
    issued = x509.load_pem_x509_certificates(chain.read_bytes())[0]
    found = issued.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    held = {str(name.value) for name in found}
    try:
        issued.verify_directly_issued_by(authority)
    except Exception:  # whatever is wrong with it, a new one is made
        return False
    return held >= set(names) and issued.not_valid_after_utc > now + timedelta(days=_RENEW_DAYS)


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _public(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _write(path: Path, content: bytes, mode: int) -> None:
    """Replace a file whole; a private one is never readable by others, not for a moment."""
    part = path.with_suffix(path.suffix + ".part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
    part.replace(path)
