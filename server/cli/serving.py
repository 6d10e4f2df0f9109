"""`dishu serve`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from server.serve import ServeOptions, serve
from server.settings import Settings


@click.command("serve")
@click.option("--host", help="Address to listen at (DISHU_HOST, 127.0.0.1). 0.0.0.0: reachable by phones.")
@click.option("--port", type=click.IntRange(0, 65_535), help="Port (PORT, 8000). 0: any free one.")
@click.option("--data", type=click.Path(file_okay=False, path_type=Path), help="Data folder (DISHU_DATA, ./data).")
@click.option("--tls", is_flag=True, help="HTTPS with a certificate of this machine, for phones in the local network.")
@click.option("--workers", type=click.IntRange(1, 64), default=2, show_default=True, help="Processes, on PostgreSQL.")
@click.option("--threads", type=click.IntRange(1, 256), help="Threads of each process (16 on SQLite, 8 on PostgreSQL).")
@click.option("--access-log", is_flag=True, help="One line per request on standard output: no query, no token.")
@click.option("--no-jobs", is_flag=True, help="Leave exports and other jobs to `dishu work`.")
def command(
    host: str | None,
    port: int | None,
    data: Path | None,
    tls: bool,
    workers: int,
    threads: int | None,
    access_log: bool,
    no_jobs: bool,
) -> None:
    """Serve until SIGTERM or Ctrl-C; the database is upgraded first."""
    changes: dict[str, Any] = {}
    if host is not None:
        changes["host"] = host
    if port is not None:
        changes["port"] = port
    if tls:
        changes["secure"] = True
    settings = Settings.from_environment(data_dir=data, **changes)
    options = ServeOptions(workers=workers, threads=threads, tls=tls, access_log=access_log, jobs=not no_jobs)
    serve(settings, options, say=click.echo)
