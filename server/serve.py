"""Serving: gunicorn inside this process, with workers that suit the database, and the job worker beside them."""

from __future__ import annotations

import gc
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]

from server.access_log import FORMAT, QuietLogger
from server.app import create_app, house_of
from server.errors import StartError
from server.house import utc_now
from server.settings import Settings
from server.start import prepare
from server.store.queue import queue_of
from server.tls import Certificate, ensure_certificate, local_names

_SQLITE_THREADS = 16
_POSTGRES_THREADS = 8


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """How to serve.

    ``workers`` counts processes on PostgreSQL; SQLite is always served by one, whose write queue is the order (S16).
    """

    workers: int = 2
    threads: int | None = None
    tls: bool = False
    access_log: bool = False
    jobs: bool = True


def serve(settings: Settings, options: ServeOptions, say: Callable[[str], None] = print) -> None:
    """Migrate, then serve until SIGTERM or SIGINT; running requests are finished first.

    Raises
    ------
    StartError
        Before anything listens: settings, key, database or port cannot be used.
    """
    house = house_of(create_app(settings))
    for revision in prepare(house):
        say(f"数据库已升级 / database upgraded: {revision}")
    sqlite = house.engine.dialect.name == "sqlite"
    house.engine.dispose()  # no connection is carried into a worker
    _check_port(settings)
    certificate = None
    if options.tls:
        certificate = ensure_certificate(settings.data_dir, names=local_names(), now=utc_now())
    _Server(settings, options, sqlite=sqlite, certificate=certificate, say=say).run()


class _Server(BaseApplication):
    def __init__(
        self,
        settings: Settings,
        options: ServeOptions,
        *,
        sqlite: bool,
        certificate: Certificate | None,
        say: Callable[[str], None],
    ) -> None:
        self._settings = settings
        self._options = options
        self._sqlite = sqlite
        self._certificate = certificate
        self._say = say
        self._app: Flask | None = None
        self._jobs: Any = None
        super().__init__()

    def load_config(self) -> None:
        """Gunicorn's settings, all from ours: no file, no command line, no environment of its own."""
        options = self._options
        chosen: dict[str, Any] = {
            "bind": [_address(self._settings.host, self._settings.port)],
            "worker_class": "gthread",
            "workers": 1 if self._sqlite else max(1, options.workers),
            "threads": options.threads or (_SQLITE_THREADS if self._sqlite else _POSTGRES_THREADS),
            "timeout": 120,
            "graceful_timeout": 30,
            "keepalive": 5,
            "loglevel": "warning",
            "logger_class": QuietLogger,
            "accesslog": "-" if options.access_log else None,
            "access_log_format": FORMAT,
            "control_socket_disable": True,
            "proc_name": "dishu",
            "when_ready": self._ready,
            "post_worker_init": self._begin_jobs,
            "worker_exit": self._end_jobs,
        }
        if self._certificate is not None:
            chosen |= {"certfile": str(self._certificate.chain), "keyfile": str(self._certificate.key)}
        for name, value in chosen.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        """The application of one worker process."""
        self._app = create_app(self._settings)
        if self._sqlite:
            queue_of(house_of(self._app).engine).most_waiting = max(1, self.cfg.threads // 2)
        return self._app

    def _ready(self, arbiter: Any) -> None:
        scheme = "https" if self._certificate is not None else "http"
        for listener in arbiter.LISTENERS:
            host, port = listener.sock.getsockname()[:2]
            self._say(f"{scheme}://{_address(host, port)}/")
            if self._certificate is not None and host in {"0.0.0.0", "::"}:  # noqa: S104
                for name in (one for one in self._certificate.names if host == "::" or ":" not in one):
                    self._say(f"  https://{_address(name, port)}/")
        if self._certificate is not None:
            self._say(f"手机先信任此证书 / phones trust this authority once: {self._certificate.authority}")
            self._say(f"SHA-256 {self._certificate.fingerprint}")
        sys.stdout.flush()

    def _begin_jobs(self, worker: Any) -> None:
        calm_collector()
        if not self._options.jobs or self._app is None:
            return
        from server.jobs.worker import Worker

        self._jobs = Worker(house_of(self._app))
        self._jobs.start()

    def _end_jobs(self, arbiter: Any, worker: Any) -> None:
        if self._jobs is not None:
            self._jobs.stop()


def calm_collector() -> None:
    """What the start has made stays out of garbage collections, and these come after tens of thousands of new objects.

    A batch makes some fifty thousand objects and hardly a cycle: by Python's own thresholds a fifth of a push is collecting.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _check_port(settings: Settings) -> None:
    """Say at once when the address is taken; gunicorn would try for five seconds and then fill the screen."""
    try:
        found = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0]
        with socket.socket(found[0], found[1]) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(found[4])
    except OSError as error:
        where = _address(settings.host, settings.port)
        raise StartError(f"cannot listen at {where}: {error.strerror or error}; choose another PORT") from error
