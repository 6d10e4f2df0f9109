"""`dishu restore`."""

from __future__ import annotations

from pathlib import Path

import click

from server.app import create_app, house_of
from server.services.restore import restore
from server.services.revocations import log_path
from server.services.rotation import keep_former, rewrap

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("restore")
@click.argument("archive", type=_FILE)
@click.option("--key", type=click.Path(exists=True, path_type=Path), help="Key file of the archive, or its folder.")
@click.option("--revocations", type=_FILE, help="The revocations.log to apply, where it is not in the data folder.")
@click.option("--replace", is_flag=True, help="Put the backup in the place of a database that is not empty.")
@click.option("--even-if-different", is_flag=True, help="Restore also where `dishu verify` does not agree.")
@click.option("--house-key", type=_FILE, help="The house key file of that time, where the key was rotated and retired since.")
def command(
    archive: Path, key: Path | None, revocations: Path | None, replace: bool, even_if_different: bool, house_key: Path | None
) -> None:
    """Make the database of an archive, as a new life: phones offer again what it lacks. Stop the server first.

    Wholly, or nothing is changed.
    """
    house = house_of(create_app())
    log = revocations or log_path(house)
    if house_key is not None:
        keep_former(house, house_key)
    done = restore(house, archive, key_file=key, revocations=log, replace=replace, even_if_different=even_if_different)
    if house_key is not None:
        click.echo(f"{rewrap(house):,} keys wrapped anew by the present house key; `dishu keys retire` forgets the former one")
    click.echo(f"restored the backup of {done.at}: {done.rows:,} rows; life {done.epoch}")
    if done.replaced is not None:
        click.echo(f"the database that was there is kept as {done.replaced}")
    if done.profiles:
        click.echo(f"profiles of cell codes: {', '.join(sorted(done.profiles))}")
    for kept in done.set_aside:
        click.echo(f"another one of that name is kept as {kept}")
    if log.exists():
        click.echo(f"{done.revoked_again} later revocations of {log} applied again")
    else:
        click.echo(
            "no revocations.log: what was revoked after the backup works again; look through `dishu device list`"
        )
    if done.difference is not None:
        click.echo(f"journal and state differ: {done.difference}")
