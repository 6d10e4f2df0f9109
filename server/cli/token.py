"""`dishu token`."""

from __future__ import annotations

import click

from server.cli.house import open_house
from server.services import accounts, sign_in


@click.group("token")
def command() -> None:
    """Read tokens, for QGIS and other programs that only read."""


@command.command("create")
@click.argument("login")
@click.option("--label", default="command line", show_default=True, help="What it is for.")
@click.option("--days", type=click.IntRange(1, 3650), help="How long it lives (DISHU_TOKEN_DAYS, 365).")
def create(login: str, label: str, days: int | None) -> None:
    """Make a read token that sees what this account sees; it is shown once."""
    house = open_house()
    actor = sign_in.actor_of(accounts.user_of_login(house, login))
    token, row = sign_in.make_read_token(house, actor, label=label, days=days)
    click.echo(f"{token}\tuntil {row.expires_at}")
