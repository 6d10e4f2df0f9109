"""`dishu work`."""

from __future__ import annotations

import signal
from types import FrameType

import click

from server.cli.house import open_house


@click.command("work")
@click.option("--once", is_flag=True, help="Run what waits, then end.")
def command(once: bool) -> None:
    """Run jobs (exports, imports …) in a process of their own."""
    from server.jobs.worker import Worker

    worker = Worker(open_house())
    if once:
        click.echo(f"{worker.run_all()} jobs")
        return
    done = False

    def stop(_signal: int, _frame: FrameType | None) -> None:
        nonlocal done
        done = True
        worker.stop(0)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    if not done:
        worker.work()
