"""`dishu user`."""

from __future__ import annotations

import secrets
import sys

import click

from server.cli.house import community_id_of, open_house
from server.permissions import HOUSE, ROLES
from server.services import accounts
from server.services.accounts import OPERATOR


@click.group("user")
def command() -> None:
    """Accounts."""


def _password(from_stdin: bool) -> tuple[str, bool]:
    """A password from standard input, else a new random one; and whether it is to be shown."""
    if from_stdin:
        return sys.stdin.readline().rstrip("\n"), False
    return secrets.token_urlsafe(12), True


@command.command("add")
@click.argument("login")
@click.option("--name", required=True, help="Name of the person.")
@click.option("--role", required=True, type=click.Choice(list(ROLES)))
@click.option(
    "--community", help="Code or id. Without it: above all communities (officers, planners, auditors, admin)."
)
@click.option("--area", help="Of officers: 9 digits of the subdistrict or 6 of the district.")
@click.option("--topic", "topics", multiple=True, help="Of community workers: a line of work. May be repeated.")
@click.option(
    "--password-stdin", is_flag=True, help="Read the password from standard input; else one is made and shown."
)
def add(
    login: str,
    name: str,
    role: str,
    community: str | None,
    area: str | None,
    topics: tuple[str, ...],
    password_stdin: bool,
) -> None:
    """Make an account."""
    house = open_house(may_create=True)
    password, show = _password(password_stdin)
    user = accounts.add_user(
        house,
        OPERATOR,
        login=login,
        name=name,
        role=role,
        password=password,
        community_id=community_id_of(house, community) or HOUSE,
        area_code=area,
        topics=topics,
    )
    click.echo(f"{user.login}\t{user.role}\t{user.user_id}" + (f"\tpassword: {password}" if show else ""))


@command.command("list")
def list_users() -> None:
    """Every account: login, role, community, state."""
    for user in accounts.list_users(open_house(), OPERATOR):
        state = "closed" if user.closed_at else "open"
        click.echo(f"{user.login}\t{user.role}\t{user.community_id}\t{state}")


@command.command("password")
@click.argument("login")
@click.option(
    "--password-stdin", is_flag=True, help="Read the password from standard input; else one is made and shown."
)
def set_password(login: str, password_stdin: bool) -> None:
    """Set a new password; every session of the account ends."""
    house = open_house()
    password, show = _password(password_stdin)
    accounts.set_password(house, OPERATOR, accounts.user_of_login(house, login), password)
    click.echo(f"password: {password}" if show else "done")


@command.command("close")
@click.argument("login")
def close(login: str) -> None:
    """Close an account: sessions, read tokens and devices stop; what it wrote stays."""
    house = open_house()
    accounts.close_user(house, OPERATOR, accounts.user_of_login(house, login))
    click.echo("closed")
