"""One request and its answer, over HTTP or HTTPS: bytes as they are sent, nothing repeated, nothing repaired."""

from __future__ import annotations

import gzip
import http.client
import json
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit


class NoAnswer(Exception):
    """No whole answer came."""


@dataclass(frozen=True, slots=True)
class Reply:
    """Status, headers with lower-case names, and the content as it came."""

    status: int
    headers: dict[str, str]
    content: bytes

    @property
    def body(self) -> dict[str, Any]:
        """The JSON object of the content, empty where there is none."""
        try:
            content = gzip.decompress(self.content) if self.headers.get("content-encoding") == "gzip" else self.content
            told = json.loads(content)
        except (OSError, EOFError, ValueError):
            return {}
        return told if isinstance(told, dict) else {}

    @property
    def slug(self) -> str:
        """Last part of the problem's type, empty where this is no problem."""
        return str(self.body.get("type", "")).rpartition("/")[2]


class Line:
    """The way to one server. A path before ``/api`` is kept.

    Parameters
    ----------
    url : ``http://host[:port]`` or ``https://host[:port]``
    ca_file : PEM file of the authority to trust instead of the system's
    """

    def __init__(self, url: str, *, timeout_s: float = 60.0, ca_file: str | None = None) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("the address must be http://host[:port] or https://host[:port]")
        self._host, self._port, self._prefix = parts.hostname, parts.port, parts.path.rstrip("/")
        self._timeout_s = timeout_s
        self._tls = ssl.create_default_context(cafile=ca_file) if parts.scheme == "https" else None

    def pause(self, seconds: float) -> None:
        """Wait for what a server does in its own time."""
        time.sleep(seconds)

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """Send one request; ``body`` is bytes, or anything that becomes JSON. Raises NoAnswer."""
        sent = {"Accept": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        payload = body if isinstance(body, bytes) or body is None else json.dumps(body, ensure_ascii=False).encode()
        if payload is not None:
            sent["Content-Type"] = "application/json"
        sent |= dict(headers or {})
        connection = (
            http.client.HTTPConnection(self._host, self._port, timeout=self._timeout_s)
            if self._tls is None
            else http.client.HTTPSConnection(self._host, self._port, timeout=self._timeout_s, context=self._tls)
        )
        try:
            connection.request(method, self._prefix + path, payload, sent)
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return Reply(answer.status, found, answer.read())
        except (OSError, http.client.HTTPException) as error:
            raise NoAnswer(f"{method} {path}: {type(error).__name__}") from error
        finally:
            connection.close()
