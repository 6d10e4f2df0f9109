"""A job run by the command that asked for it, with a bar on a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import click

from server.errors import StartError
from server.house import House
from server.store.jobs import Job


def run_here(house: House, label: str, look: Callable[[], Job]) -> Job:
    """The finished job; another worker may take it first, which is as good. StartError says why it failed."""
    from server.jobs.worker import Worker

    worker = Worker(house)
    worker.start()
    shown = 0
    try:
        with click.progressbar(length=1000, label=label, file=sys.stderr) as bar:
            while True:
                now = look()
                part = int(1000 * now.done_count / now.total_count) if now.total_count else 0
                bar.update(max(0, part - shown))
                shown = max(shown, part)
                if now.state == "done":
                    return now
                if now.state == "failed":
                    raise StartError(f"{label} failed: {now.error}")
                time.sleep(0.05)
    finally:
        worker.stop()
