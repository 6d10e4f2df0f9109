"""`dishu rules`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from forms.visits import VisitRules
from server.cli.house import open_house
from server.errors import InvalidInput, OutsideScope
from server.house import House
from server.permissions import Actor, may
from server.services import accounts, audit, visit_rules
from server.services.looks import Look
from server.store.database import read

_AS = click.option("--as", "login", required=True, help="Login of the secretary.")


@click.group("rules")
def command() -> None:
    """Visit rules (走访规则) of a community: who is to be seen every how many days. They hold at once, on phones after their next synchronisation."""


@command.command("show")
@_AS
def show(login: str) -> None:
    """Print the rules that hold, as `set` reads them."""
    house, actor = _open(login)
    with read(house.engine) as connection:
        rules = visit_rules.visit_rules_of(connection, actor.community_id)
    click.echo(json.dumps(rules.document, ensure_ascii=False, indent=2))


@command.command("set")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@_AS
def set_(file: Path, login: str) -> None:
    """Put a file of rules in force (JSON, as forms/rules/visits.json); what cannot be followed is named with its place, and nothing is kept."""
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as wrong:
        raise click.ClickException(f"{file} is no JSON: {wrong}") from wrong
    if not isinstance(document, dict):
        raise click.ClickException(f"{file} holds no rules")
    _keep(login, document)


@command.command("reset")
@_AS
def reset(login: str) -> None:
    """Go back to the rules that the house comes with."""
    _keep(login, None)


def _keep(login: str, document: dict[str, object] | None) -> None:
    house, actor = _open(login)
    look = Look(actor, "change", "visit rules")
    audit.note(house, look, scope="rules=visits", community_id=actor.community_id, record_type="visit")
    try:
        _tell(visit_rules.set_visit_rules(house, actor, actor.community_id, document))
    except InvalidInput as wrong:
        raise click.ClickException("; ".join(f"{one.pointer}: {one.message}" for one in wrong.errors)) from wrong


def _tell(rules: VisitRules) -> None:
    for group in rules.groups:
        click.echo(f"{group.name}\t{group.every_days}\t{group.label['zh']}")


def _open(login: str) -> tuple[House, Actor]:
    house = open_house()
    user = accounts.user_of_login(house, login)
    actor = Actor(user.user_id, user.role, user.community_id, user.area_code, name=user.name, topics=user.topics)
    if not may(actor, "manage_rules", community_id=user.community_id):
        raise OutsideScope(f"the role {user.role} does not change rules")
    return house, actor
