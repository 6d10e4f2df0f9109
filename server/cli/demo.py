"""`dishu demo`: the invented community in this database, and how to get in."""

from __future__ import annotations

import sys

import click

from server.cli.house import open_house
from server.demo.load import describe, ensure_demo


@click.command("demo")
@click.option("--ensure", is_flag=True, help="Add only what is missing (this is what happens without it, too).")
@click.option("--quiet", is_flag=True, help="No progress on the terminal.")
def command(ensure: bool, quiet: bool) -> None:
    """Load the invented demo community, and print the address, sign-ins, an enrolment code and a read token.

    Can be repeated at any time: nothing is loaded twice. The code is new every time, the token is told once.
    """
    house = open_house(may_create=True)
    show = sys.stderr.isatty() and not quiet

    def progress(done: int, of: int) -> None:
        if show:
            click.echo(f"\r  loading the demo: {done * 100 // of:3d} %", err=True, nl=done == of)

    access = ensure_demo(house, progress=progress)
    click.echo(describe(access, f"http://{house.settings.host}:{house.settings.port}/"))
