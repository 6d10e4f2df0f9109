"""`dishu keys`."""

from __future__ import annotations

from pathlib import Path

import click

from server.cli.house import open_house
from server.services import rotation


@click.group("keys")
def command() -> None:
    """The secret of the house: another one, while the server goes on."""


_FOLDERS = click.option(
    "--keys", "folders", type=click.Path(exists=True, file_okay=False, path_type=Path), multiple=True,
    help="Folder with keys of archives, where `dishu backup --keys` wrote them elsewhere; may be given more than once.",
)  # fmt: skip


def _tell_elsewhere(names: tuple[str, ...]) -> None:
    if names:
        click.echo(f"the keys of {', '.join(names)} are in none of these folders: name theirs with --keys, or keep the old key file for them")


@command.command("rotate")
@_FOLDERS
def rotate(folders: tuple[Path, ...]) -> None:
    """Make another house secret and wrap every key anew; goes on where a killed run was.

    Running servers follow by themselves. What the former secret has signed holds until `dishu keys retire`.
    """
    house = open_house()
    begun, count = rotation.rotate(house, folders)
    click.echo("a new secret was made" if begun else "going on with the rotation that was not finished")
    click.echo(f"{count:,} keys wrapped anew; keep a copy of the key file, away from the database")
    _tell_elsewhere(rotation.standing(house, folders).elsewhere)


@command.command("retire")
def retire() -> None:
    """Forget the secrets that were rotated out: phones that have not synced since must be enrolled anew."""
    count = rotation.retire(open_house())
    click.echo(f"{count} former secrets forgotten; an archive from before opens with the old key file (restore --house-key)")


@command.command("status")
@_FOLDERS
def status(folders: tuple[Path, ...]) -> None:
    """Former secrets that are still kept, and keys that they still wrap."""
    found = rotation.standing(open_house(), folders)
    click.echo(f"{found.former} former secrets are kept; they wrap {found.left:,} keys")
    _tell_elsewhere(found.elsewhere)
