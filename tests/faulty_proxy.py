"""A server with one planted fault: a proxy before a good one that changes what comes back."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

Fault = Callable[[str, dict[str, Any], int, dict[str, Any]], tuple[int, dict[str, Any]]]
"""(path, what was asked, status, what was answered) to the status and the answer that are given."""


@contextmanager
def faulty(url: str, fault: Fault) -> Iterator[str]:
    """Address of the server at ``url`` with a fault."""
    target = urlsplit(url)

    class Handler(BaseHTTPRequestHandler):
        def do_ANY(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            connection = http.client.HTTPConnection(target.hostname or "", target.port, timeout=60)
            headers = {name: value for name, value in self.headers.items() if name not in ("Host", "Content-Length")}
            connection.request(self.command, self.path, body if self.command in ("POST", "PATCH") else None, headers)
            answer = connection.getresponse()
            status, content = answer.status, answer.read()
            kept = [(name, value) for name, value in answer.getheaders() if name.lower() not in ("content-length", "connection", "transfer-encoding")]
            connection.close()
            if "json" in answer.headers.get("Content-Type", "") and "Content-Encoding" not in answer.headers:
                asked = json.loads(body) if body[:1] == b"{" and "Content-Encoding" not in self.headers and _is_json(body) else {}
                status, told = fault(self.path, asked, status, json.loads(content))
                content = json.dumps(told).encode()
            self.send_response(status)
            for name, value in kept:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        do_GET = do_POST = do_PATCH = do_HEAD = do_ANY

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _is_json(body: bytes) -> bool:
    try:
        json.loads(body)
    except ValueError:
        return False
    return True
