from __future__ import annotations

import gzip
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import orjson
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from sync.device import AnswerNotUnderstood, HttpTransport, Offline, Refused, Revoked, ServerBusy
from sync.device.calls import accepted


class _Answers(BaseHTTPRequestHandler):
    """Answers by path; `/echo` gives back what arrived."""

    seen: dict[str, Any]

    def log_message(self, *_: Any) -> None:
        pass

    def do_POST(self) -> None:
        sent = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.headers.get("Content-Encoding") == "gzip":
            sent = gzip.decompress(sent)
        if self.path == "/echo":
            told = {name.lower(): value for name, value in self.headers.items()}
            self._say(200, orjson.dumps({"body": orjson.loads(sent), "headers": told}))
        elif self.path == "/packed":
            self._say(200, gzip.compress(b'{"packed":true}'), ("Content-Encoding", "gzip"))
        elif self.path == "/busy":
            self._say(503, b"{}", ("Retry-After", "7"))
        elif self.path == "/revoked":
            self._say(403, b'{"type":"/problems/install-revoked","title":"x"}', kind="application/problem+json")
        elif self.path == "/refused":
            self._say(422, b'{"type":"/problems/malformed-body"}', kind="application/problem+json")
        elif self.path == "/broken":
            self._say(200, b'{"a":')
        elif self.path == "/list":
            self._say(200, b"[]")
        else:  # the connection ends in the middle
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"{")
            self.close_connection = True

    def _say(self, status: int, body: bytes, *headers: tuple[str, str], kind: str = "application/json") -> None:
        self.send_response(status)
        for name, value in (("Content-Type", kind), ("Content-Length", str(len(body))), *headers):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def _served(context: ssl.SSLContext | None = None) -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Answers)
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(scope="module")
def transport() -> Iterator[HttpTransport]:
    with _served() as port:
        yield HttpTransport(f"http://127.0.0.1:{port}", timeout=5)


def test_large_bodies_travel_compressed_and_small_ones_plain(transport: HttpTransport) -> None:
    """A village's mobile network carries a tenth of the bytes; the server reads the same."""
    for text in ("短", "长" * 5000):
        answer = transport.request("POST", "/echo", body={"text": text}, token="secret")
        assert answer.body["body"] == {"text": text}
        assert answer.body["headers"]["authorization"] == "Bearer secret"
        assert ("content-encoding" in answer.body["headers"]) == (len(text) > 1)
    assert transport.request("POST", "/packed").body == {"packed": True}


def test_each_kind_of_failure_has_its_own_error(transport: HttpTransport) -> None:
    """C10: Busy says when to come back, refusals name the problem, a broken connection is Offline."""
    with pytest.raises(ServerBusy) as busy:
        accepted(transport.request("POST", "/busy"))
    assert busy.value.retry_after == 7
    with pytest.raises(Revoked):
        accepted(transport.request("POST", "/revoked"))
    with pytest.raises(Refused) as refused:
        accepted(transport.request("POST", "/refused"))
    assert (refused.value.status, refused.value.slug) == (422, "malformed-body")
    for path in ("/broken", "/list"):
        with pytest.raises(AnswerNotUnderstood):
            transport.request("POST", path)
    with pytest.raises(Offline):
        transport.request("POST", "/cut")


def test_a_communitys_own_certificate_is_trusted_only_when_told(tmp_path: Path) -> None:
    """TLS in a local network: with the community's CA file the phone connects, without it it refuses to."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test community")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    (tmp_path / "ca.pem").write_bytes(pem)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (tmp_path / "server.pem").write_bytes(private + pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    with _served(context) as port:
        url = f"https://127.0.0.1:{port}"
        trusting = HttpTransport(url, timeout=5, ca_file=str(tmp_path / "ca.pem"))
        assert trusting.request("POST", "/packed").body == {"packed": True}
        with pytest.raises(Offline):
            HttpTransport(url, timeout=5).request("POST", "/packed")


@pytest.mark.parametrize("url", ["ftp://x", "127.0.0.1:8000", "http://"])
def test_an_address_that_is_none_is_refused_at_once(url: str) -> None:
    """A typing error in the address is told before anything is tried."""
    with pytest.raises(ValueError, match="base_url"):
        HttpTransport(url)
