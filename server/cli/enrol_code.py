"""`dishu enrol-code`."""

from __future__ import annotations

import click

from server.cli.house import open_house
from server.services import accounts, enrolment
from server.services.accounts import OPERATOR


@click.group("enrol-code")
def command() -> None:
    """One-time codes that enrol a device."""


@command.command("create")
@click.argument("login")
def create(login: str) -> None:
    """Make a code for a device of this account; it is shown once."""
    house = open_house()
    user = accounts.user_of_login(house, login)
    code, expires_at = enrolment.create_code(house, OPERATOR, user.user_id, community_id=user.community_id)
    click.echo(f"{code}\tuntil {expires_at}")
