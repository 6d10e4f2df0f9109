"""`dishu survey`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from server.cli.house import open_house
from server.errors import OutsideScope
from server.house import House
from server.permissions import Actor, may
from server.services import accounts, surveys
from server.services.community_forms import at_home

_BOOK = click.Path(exists=True, dir_okay=False, path_type=Path)
_AS = click.option("--as", "login", required=True, help="Login of the secretary.")
_SUBJECT = click.option(
    "--subject", type=click.Choice(["household", "person", "none"]), help="Whom the answers are linked to; as the workbook says when left out."
)


@click.group("survey")
def command() -> None:
    """Special surveys (专项调查) of a community: checked, published, closed in a running server."""


@command.command("list")
@_AS
def list_(login: str) -> None:
    """Every survey: name, state, published version, version of a draft, title."""
    house, actor = _open(login)
    for one in surveys.all_surveys(house, actor.community_id, drafts=True):
        click.echo(f"{one['name']}\t{one['state']}\t{one['version'] or '-'}\t{one['draft_version'] or '-'}\t{one['label']['zh']}")


@command.command("check")
@click.argument("workbook", type=_BOOK)
@_AS
@_SUBJECT
def check(workbook: Path, login: str, subject: str | None) -> None:
    """Print every reason why a workbook cannot be used, with sheet, column and row; exit status 1 if there is one."""
    house, actor = _open(login)
    with workbook.open("rb") as file:
        found = surveys.check(house, actor.community_id, file, name=workbook.stem, subject=subject)
    for one in found.refusals:
        click.echo("\t".join((one.place, one.code, one.message_zh, one.message_en)))
    if found.record_type is None:
        raise click.ClickException(f"refused 不能使用: {len(found.refusals)} reasons; nothing was kept")
    form = found.record_type
    click.echo(f"ok 可以发布\t{form.name}\tversion {form.version}\tabout {surveys.subject_of(form)}\tquestions {len(surveys.questions_of(form))}")


@command.command("publish")
@click.argument("workbook", type=_BOOK)
@_AS
@_SUBJECT
def publish(workbook: Path, login: str, subject: str | None) -> None:
    """Put a workbook in force: running servers know it at once, phones at their next synchronisation."""
    house, actor = _open(login)
    with workbook.open("rb") as file:
        kept = surveys.keep_draft(house, actor, actor.community_id, file, name=workbook.stem, subject=subject)
    _tell(surveys.publish(house, actor, actor.community_id, kept["name"], kept["draft_version"]))


@command.command("close")
@click.argument("name")
@_AS
def close(name: str, login: str) -> None:
    """Take no new answers any more; late ones are kept and wait in the inbox."""
    house, actor = _open(login)
    _tell(surveys.close(house, actor, actor.community_id, name))


@command.command("export")
@click.argument("name")
@_AS
@click.option("--version", type=int, help="The newest published one when left out.")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Default: the survey's name with .xlsx, in this folder.")
def export(name: str, login: str, version: int | None, output: Path | None) -> None:
    """Write a published survey as an XLSForm workbook."""
    house, actor = _open(login)
    target = output or Path(f"{name}.xlsx")
    if target.exists():
        raise click.ClickException(f"{target} is there already")
    target.write_bytes(surveys.workbook(house, actor.community_id, name, version))
    click.echo(f"written\t{target}")


def _open(login: str) -> tuple[House, Actor]:
    """The house with the forms of the secretary's community, and the secretary."""
    house = open_house()
    user = accounts.user_of_login(house, login)
    actor = Actor(user.user_id, user.role, user.community_id, user.area_code, name=user.name, topics=user.topics)
    if not may(actor, "manage_surveys", community_id=user.community_id):
        raise OutsideScope(f"the role {user.role} does not manage surveys")
    return at_home(house, actor.community_id), actor


def _tell(told: dict[str, Any]) -> None:
    click.echo(f"{told['name']}\t{told['state']}\tversion {told['version']}")
