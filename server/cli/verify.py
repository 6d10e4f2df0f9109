"""`dishu verify`: does the journal account for everything that is stored?"""

from __future__ import annotations

import sys
from contextlib import nullcontext
from typing import Any

import click

from server.cli.house import community_id_of, open_house
from server.errors import StorageUnreachable
from server.services.blob_leftovers import unnamed
from server.services.verify import verify


@click.command("verify")
@click.option("--community", help="Code or id; every community when left out.")
@click.option("--again", is_flag=True, help="Also decide every version of every record again, from the text that made it.")
def command(community: str | None, again: bool) -> None:
    """Fold the journal and compare it with what is stored. Says what was compared, and names the first difference.

    Reads one snapshot: the server may go on meanwhile. Exit status 0 when everything agrees, else 1.
    """
    house = open_house()
    told = 0
    bar: Any = nullcontext()
    if sys.stderr.isatty():
        bar = click.progressbar(length=1000, label="verifying", file=sys.stderr)
    with bar as shown:

        def progress(done: int, of: int) -> None:
            nonlocal told
            part = 1000 * done // of if of else 1000
            if shown is not None and part > told:
                shown.update(part - told)
                told = part

        report = verify(house, community_id_of(house, community), again=again, progress=progress)
    for name, count in report.counts.items():
        click.echo(f"{count:>12,}  {name}")
    if report.difference is not None:
        raise click.ClickException(f"journal and database differ: {report.difference}")
    click.echo("journal and database agree")
    try:
        for file in unnamed(house, community_id_of(house, community)):
            click.echo(f"no record of the photo in {file}: nobody can open this file")
    except StorageUnreachable:
        click.echo("the storage of photos does not answer: its files were not looked at")
