"""`dishu db`."""

from __future__ import annotations

import click

from server import migrations
from server.app import create_app, house_of
from server.errors import StartError
from server.start import prepare
from server.store import reach


@click.group("db")
def command() -> None:
    """The database and its tables."""


@command.command("upgrade")
def upgrade() -> None:
    """Bring the tables to this version. `dishu serve` does it too."""
    applied = prepare(house_of(create_app()))
    for revision in applied:
        click.echo(f"applied {revision}")
    click.echo(f"at {migrations.head()}" if applied else f"already at {migrations.head()}")


@command.command("status")
def status() -> None:
    """Where the database is, and whether its tables are those of this version."""
    house = house_of(create_app())
    try:
        current = reach.revision(house.engine)
    except reach.Unreachable as error:
        raise StartError(str(error)) from error
    click.echo(f"{reach.place_of(house.engine)}: at {current or 'nothing yet'}, this version wants {migrations.head()}")
    if current != migrations.head():
        raise click.exceptions.Exit(1)
