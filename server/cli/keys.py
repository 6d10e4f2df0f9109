"""`dishu keys`."""

from __future__ import annotations

import click

from server.cli.house import open_house
from server.services import rotation


@click.group("keys")
def command() -> None:
    """The secret of the house: another one, while the server goes on."""


@command.command("rotate")
def rotate() -> None:
    """Make another house secret and wrap every key anew; goes on where a killed run was.

    Running servers follow by themselves. What the former secret has signed holds until `dishu keys retire`.
    """
    begun, count = rotation.rotate(open_house())
    click.echo("a new secret was made" if begun else "going on with the rotation that was not finished")
    click.echo(f"{count:,} keys wrapped anew; keep a copy of the key file, away from the database")


@command.command("retire")
def retire() -> None:
    """Forget the secrets that were rotated out: phones that have not synced since must be enrolled anew."""
    count = rotation.retire(open_house())
    click.echo(f"{count} former secrets forgotten; an archive from before opens with the old key file (restore --house-key)")


@command.command("status")
def status() -> None:
    """Former secrets that are still kept, and keys that they still wrap."""
    found = rotation.standing(open_house())
    click.echo(f"{found.former} former secrets are kept; they wrap {found.left:,} keys")
