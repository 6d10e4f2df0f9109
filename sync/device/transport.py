"""How the phone reaches the server: JSON over HTTP, bodies compressed, one connection per request."""

from __future__ import annotations

import gzip
import http.client
import ssl
import zlib
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

import orjson

from sync.device.errors import AnswerNotUnderstood, Offline

COMPRESS_FROM_BYTES = 512


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer: status, headers with lower-case names, the JSON body (``{}`` where there is none)."""

    status: int
    headers: dict[str, str]
    body: dict[str, Any]


class Transport(Protocol):
    """Anything that can carry a request. Raises ``Offline`` where no whole answer arrived."""

    def request(
        self, method: str, path: str, *, body: dict[str, Any] | None = None, token: str | None = None
    ) -> Answer:
        """Send one request and wait for its answer."""
        ...


class HttpTransport:
    """HTTP or HTTPS to one server.

    Parameters
    ----------
    base_url : str
        Such as ``http://192.168.1.5:8000``; a path before ``/api`` is kept.
    timeout : float
        Seconds for connecting and for each read.
    ca_file : str, optional
        PEM file of the authority to trust instead of the system's (a community's own certificate).
    """

    def __init__(self, base_url: str, *, timeout: float = 60.0, ca_file: str | None = None) -> None:
        parts = urlsplit(base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("base_url must be http://host[:port] or https://host[:port]")
        self._host, self._port, self._prefix = parts.hostname, parts.port, parts.path.rstrip("/")
        self._timeout = timeout
        self._tls = ssl.create_default_context(cafile=ca_file) if parts.scheme == "https" else None

    def _connect(self) -> http.client.HTTPConnection:
        if self._tls is None:
            return http.client.HTTPConnection(self._host, self._port, timeout=self._timeout)
        return http.client.HTTPSConnection(self._host, self._port, timeout=self._timeout, context=self._tls)

    def request(
        self, method: str, path: str, *, body: dict[str, Any] | None = None, token: str | None = None
    ) -> Answer:
        """Send one request.

        Raises
        ------
        Offline
            No connection, no answer in time, or an answer that broke off.
        AnswerNotUnderstood
            A whole answer that is not JSON.
        """
        headers = {"Accept": "application/json", "Accept-Encoding": "gzip"}
        payload = None
        if token:
            headers["Authorization"] = f"Bearer {token}"
        if body is not None:
            payload = orjson.dumps(body)
            headers["Content-Type"] = "application/json"
            if len(payload) >= COMPRESS_FROM_BYTES:
                payload = gzip.compress(payload, 6, mtime=0)
                headers["Content-Encoding"] = "gzip"
        connection = self._connect()
        try:
            connection.request(method, self._prefix + path, payload, headers)
            response = connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise Offline(type(error).__name__) from error
        finally:
            connection.close()
        found = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, found, _parse(content, found))


def _parse(content: bytes, headers: dict[str, str]) -> dict[str, Any]:
    try:
        if headers.get("content-encoding") == "gzip":
            content = gzip.decompress(content)
        if not content or "json" not in headers.get("content-type", ""):
            return {}
        body = orjson.loads(content)
    except (OSError, EOFError, zlib.error, orjson.JSONDecodeError) as error:
        raise AnswerNotUnderstood("the body is not what its headers say") from error
    if not isinstance(body, dict):
        raise AnswerNotUnderstood("the body is not a JSON object")
    return body
