"""Something between a phone and the server that a test can turn: another program version, an answer of a newer server, a slow line."""

from __future__ import annotations

import json
import re
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_LEFT_OUT = {"transfer-encoding", "connection", "content-length", "host", "server", "date"}

_LATENCY_S = 0.4
_BYTES_PER_S = 50_000


class Between:
    """Passes everything on to the server; `instead` replaces whole answers by path, `turned` what stands in them, `tired` answers 503.

    `slowed`: the program's files come as over slow 3G. They are fetched by its service worker, whose line a browser's own slow-down does not reach.
    """

    def __init__(self, server: str) -> None:
        self.server = server
        self.version = 0
        self._files: re.Pattern[bytes] | None = None
        self.instead: dict[str, dict[str, Any]] = {}
        self.turned: dict[str, Callable[[dict[str, Any]], None]] = {}
        self.tired: set[str] = set()
        self.slowed = False
        self.asked: list[str] = []
        self.answered: list[str] = []
        self._news = threading.Condition()
        self.url = ""

    @property
    def mark(self) -> str:
        """How the names of the program's files begin since the last upgrade."""
        return f"v{self.version}-"

    def newer_program(self) -> None:
        """Upgrade the server: from now on all files of the program have other names, and those of before are gone."""
        with urllib.request.urlopen(f"{self.server}/field/sw.js") as told:
            names = set(re.findall(rb"assets/([\w.-]+)", told.read()))
        self._files = re.compile(rb"(?<![\w.-])(?:" + b"|".join(map(re.escape, sorted(names, reverse=True))) + rb")")
        self.version += 1

    def until_answered(self, path: str, *, after: int, patience_s: float = 60) -> None:
        """Wait until something asked for at this path was answered, behind the first answers."""
        with self._news:
            assert self._news.wait_for(lambda: any(path in one for one in self.answered[after:]), patience_s), self.answered[after:]

    def was_answered(self, method: str, path: str) -> None:
        """Somebody has an answer."""
        with self._news:
            self.answered.append(f"{method} {path}")
            self._news.notify_all()

    def answer(self, method: str, path: str, headers: dict[str, str], body: bytes | None) -> tuple[int, list[tuple[str, str]], bytes]:
        """What the phone gets."""
        self.asked.append(f"{method} {path}")
        if path in self.tired:
            return 503, [("Content-Type", "application/json")], b"{}"
        if path in self.instead:
            return 200, [("Content-Type", "application/json")], json.dumps(self.instead[path]).encode()
        is_program = self._files is not None and path.startswith("/field/")
        if is_program and self._files.search(path.encode()):
            return 404, [], b""
        request = urllib.request.Request(self.server + (path.replace(self.mark, "") if is_program else path), data=body, headers=headers, method=method)
        try:
            with urllib.request.urlopen(request) as got:
                status, said, content = got.status, list(got.headers.items()), got.read()
        except urllib.error.HTTPError as error:
            status, said, content = error.code, list(error.headers.items()), error.read()
        if path in self.turned and status == 200:
            whole = json.loads(content)
            self.turned[path](whole)
            content = json.dumps(whole).encode()
        if is_program and status == 200:
            content = self._files.sub(lambda found: self.mark.encode() + found[0], content).replace(b'"index.html",revision:"', f'"index.html",revision:"{self.mark}'.encode())
            said = [(name, value) for name, value in said if name.lower() not in ("etag", "last-modified")]
        if self.slowed and path.startswith("/field/"):
            time.sleep(_LATENCY_S + len(content) / _BYTES_PER_S)
        return status, said, content


@contextmanager
def between(server: str) -> Iterator[Between]:
    """A `Between` on a free port, until the end of the block."""
    passing = Between(server)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def pass_on(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            wanted = {name: value for name, value in self.headers.items() if name.lower() not in _LEFT_OUT | {"accept-encoding", "if-none-match", "if-modified-since"}}
            status, headers, content = passing.answer(self.command, self.path, wanted, self.rfile.read(length) if length else None)
            self.send_response(status)
            for name, value in headers:
                if name.lower() not in _LEFT_OUT:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)
            passing.was_answered(self.command, self.path)

        do_GET = do_POST = do_HEAD = do_PATCH = pass_on

        def log_message(self, *_: object) -> None:
            return

    served = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    passing.url = f"http://127.0.0.1:{served.server_port}"
    thread = threading.Thread(target=served.serve_forever, daemon=True)
    thread.start()
    try:
        yield passing
    finally:
        served.shutdown()
        served.server_close()
        thread.join()
