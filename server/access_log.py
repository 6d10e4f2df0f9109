"""Logs without personal values: no query string, no token, no message of an unexpected error."""

from __future__ import annotations

import logging
import re
import sys
from typing import Any

from gunicorn.glogging import Logger  # type: ignore[import-untyped]

FORMAT = "%(h)s %(t)s %(m)s %(U)s %(s)s %(B)s %(L)ss"

# Some clients can carry their token only in the path.
_TOKEN_PATHS = re.compile(r"^(/v1/key/)[^/]+")
_TOKENS = re.compile(r"dishu-(?:device|read|odk)\.[^/\s]+")


def redacted(path: str) -> str:
    """A path as it may be logged: without query string, tokens and control characters."""
    path = _TOKEN_PATHS.sub(r"\1~", path.partition("?")[0])
    path = _TOKENS.sub("~", path)
    return "".join(letter if letter.isprintable() and letter not in "\"'" else "~" for letter in path)


class QuietLogger(Logger):
    """Gunicorn's log, cut down to what may be kept."""

    def atoms(self, resp: Any, req: Any, environ: dict[str, Any], request_time: Any) -> dict[str, Any]:
        """What the format may name: address, time, method, path, status, length, seconds."""
        return {
            "h": environ.get("REMOTE_ADDR") or "-",
            "t": self.now(),
            "m": environ["REQUEST_METHOD"],
            "U": redacted(environ.get("PATH_INFO") or "-"),
            "s": str(resp.status).split(None, 1)[0],
            "B": getattr(resp, "sent", None),
            "L": f"{request_time.total_seconds():.3f}",
        }

    def exception(self, msg: str, *args: Any, **kwargs: Any) -> None:
        """An unexpected error outside the application: only its class is told."""
        kind = sys.exc_info()[0]
        self.error_log.error("unexpected %s while answering", kind.__name__ if kind else "error")

    def warning(self, msg: str, *args: Any, **kwargs: Any) -> None:
        """Gunicorn quotes unreadable requests; what stands in them is nobody's business."""
        if msg.startswith("Invalid request"):
            self.error_log.warning("a request that is not HTTP was refused")
        else:
            self.error_log.warning(msg, *args, **kwargs)


def log_to_stderr(level: int = logging.WARNING) -> None:
    """Our own log lines on standard error, one line each."""
    logging.basicConfig(stream=sys.stderr, level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
