"""Certificates for phones in the local network."""

from __future__ import annotations

import ssl
import stat
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509

from server.tls import authority_file, ensure_certificate, local_names

NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
NAMES = ("localhost", "127.0.0.1", "192.0.2.7", "dishu.local")


def _held(certificate) -> set[str]:
    issued = x509.load_pem_x509_certificates(certificate.chain.read_bytes())[0]
    return {str(name.value) for name in issued.extensions.get_extension_for_class(x509.SubjectAlternativeName).value}


def test_a_certificate_names_the_machine(tmp_path):
    """Phones reach the server by its address or name; private keys are private."""
    made = ensure_certificate(tmp_path, names=NAMES, now=NOW)
    assert _held(made) == set(NAMES)
    issued, authority = x509.load_pem_x509_certificates(made.chain.read_bytes())
    issued.verify_directly_issued_by(authority)
    assert issued.not_valid_after_utc - issued.not_valid_before_utc <= timedelta(days=398)
    assert authority_file(tmp_path).read_bytes().startswith(b"-----BEGIN CERTIFICATE-----")
    assert b"PRIVATE" not in authority_file(tmp_path).read_bytes()
    for path in (tmp_path / "tls").glob("*.key"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made.chain, made.key)


def test_the_authority_is_trusted_once(tmp_path):
    """A new address gets a new certificate from the same authority; the same addresses get none."""
    first = ensure_certificate(tmp_path, names=NAMES, now=NOW)
    kept = first.chain.read_bytes()
    assert ensure_certificate(tmp_path, names=NAMES, now=NOW + timedelta(days=300)).chain.read_bytes() == kept
    moved = ensure_certificate(tmp_path, names=(*NAMES, "192.0.2.8"), now=NOW + timedelta(days=301))
    assert "192.0.2.8" in _held(moved)
    assert moved.fingerprint == first.fingerprint


@pytest.mark.parametrize("days, same_authority", [(380, True), (3600, False)], ids=["a year", "ten years"])
def test_a_certificate_is_renewed_before_it_ends(tmp_path, days, same_authority):
    """Nobody has to think of it; phones are asked again only when the authority itself ends."""
    first = ensure_certificate(tmp_path, names=NAMES, now=NOW)
    kept = first.chain.read_bytes()
    later = ensure_certificate(tmp_path, names=NAMES, now=NOW + timedelta(days=days))
    assert later.chain.read_bytes() != kept
    assert (later.fingerprint == first.fingerprint) is same_authority


def test_the_machine_knows_its_names():
    """At least this machine itself can connect."""
    assert {"localhost", "127.0.0.1"} <= set(local_names())
