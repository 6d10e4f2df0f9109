"""`dishu backup`."""

from __future__ import annotations

from pathlib import Path

import click

from server.cli.house import open_house
from server.services.backup import KEEP_DAYS, back_up


@click.command("backup")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), required=False)
@click.option("--keys", type=click.Path(file_okay=False, path_type=Path), help="Folder for the key of the archive.")
@click.option(
    "--keep-days", type=click.IntRange(1, 3650), default=KEEP_DAYS, show_default=True, help="Then its key is destroyed."
)
def command(folder: Path | None, keys: Path | None, keep_days: int) -> None:
    """Write a sealed archive of the whole database into FOLDER (`backups` of the data folder), and verify it.

    The server may go on meanwhile. Exit status 1 where the copy does not hold; it does not count then.
    """
    house = open_house()
    made = back_up(house, folder or house.settings.data_dir / "backups", key_folder=keys, keep_days=keep_days)
    click.echo(f"{made.archive}: {made.rows:,} rows, {made.bytes:,} bytes")
    click.echo(
        f"key: {made.key_file}; keep a copy off this machine and apart from the archive, nobody opens it without"
    )
    for backup_id in made.destroyed:
        click.echo(f"expired: the key of {backup_id} is destroyed; copies of it elsewhere are yours to destroy")
    if made.difference is not None:
        raise click.ClickException(f"journal and state differ in the copy, it does not count: {made.difference}")
    click.echo(f"verified; {made.counted} verified " + ("backup" if made.counted == 1 else "backups"))
    if made.counted < 2:
        click.echo("phones keep everything until there are two")
