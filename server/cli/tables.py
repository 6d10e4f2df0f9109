"""`dishu table`."""

from __future__ import annotations

import shutil
from pathlib import Path

import click

from server.cli.house import community_id_of, open_house
from server.cli.running import run_here
from server.errors import StartError
from server.house import House
from server.permissions import Actor, Scope
from server.services import accounts, template_runs, templates
from server.services.community_forms import at_home
from server.services.looks import Look

_AS = click.option("--as", "login", required=True, help="Login of the person who fills: their scope, their line in the audit log.")
_COMMUNITY = click.option("--community", help="Code or id; the person's own when left out.")
_WORKBOOK = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group("table")
def command() -> None:
    """Tables out (一表通): templates are listed, checked and filled. docs/templates.md tells how to write one."""


@command.command("list")
@_AS
@_COMMUNITY
def list_templates(login: str, community: str | None) -> None:
    """Print the templates of a community and those that come with the house."""
    house, _actor, _scope, community_id = _who(login, community)
    for one in templates.templates(house, community_id):
        asks = one["asks"]
        told = f"{len(asks['lists'])} lists, {asks['figures']} figures{', personal' if asks['personal'] else ''}"
        click.echo(f"{one['template_id']}  {one['name']}  {told}")


@command.command("check")
@click.argument("workbook", type=_WORKBOOK)
def check(workbook: Path) -> None:
    """Check the placeholders of a workbook; every one that cannot be used is printed with sheet, cell and reason."""
    told = templates.check(open_house(), workbook.read_bytes())
    if not told["ok"]:
        lines = [f"{one['sheet']}!{one['cell']}: {one['message_zh']} / {one['message_en']}" for one in told["problems"]]
        raise StartError("\n".join([f"{workbook}: {len(lines)} problems", *lines]))
    asks = told["asks"]
    click.echo(f"{workbook}: {len(asks['lists'])} lists, {asks['fields']} fields, {asks['figures']} figures, {asks['values']} values")


@command.command("fill")
@click.argument("template")
@_AS
@_COMMUNITY
@click.option("--cell", help="Code of one cell.")
@click.option("--every-cell", is_flag=True, help="One workbook for each cell, in a ZIP.")
@click.option("--day", help="Whose truth is told, such as 2026-02-28; today when left out.")
@click.option("--from", "begins", help="First day of the period; of the month of the day when left out.")
@click.option("--to", "ends", help="Last day of the period.")
@click.option("--purpose", default="", help="What for; required where the template shows personal columns.")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="File to write; in this folder under its own name when left out.")
def fill(
    template: str, login: str, community: str | None, cell: str | None, every_cell: bool, day: str | None, begins: str | None,
    ends: str | None, purpose: str, output: Path | None,
) -> None:  # fmt: skip
    """Fill a template: its id as `dishu table list` prints it, or a workbook that is kept as one first."""
    house, actor, scope, community_id = _who(login, community)
    if Path(template).suffix.lower() == ".xlsx":
        templates.demand(house, actor, scope, community_id, "manage_templates")
        template = templates.keep(house, actor, community_id, Path(template).read_bytes(), "", Path(template).name)
    asked = {"per": "cells" if every_cell else "cell" if cell else "community", "cell": cell, "day": day, "begins": begins, "ends": ends}
    look = Look(actor, "export", purpose)
    job = template_runs.request_run(house, actor, scope, community_id, template, asked, look)
    done = run_here(house, job.kind, lambda: template_runs.run_of(house, actor, scope, job.job_id))
    path, result = template_runs.finished_file(house, actor, scope, done.job_id, look)
    target = output or Path(str(result["name"]))
    shutil.copyfile(path, target)
    target.chmod(0o600 if done.arguments["personal"] else 0o644)
    click.echo(f"{target}: {result['rows']} rows, {result['size']} bytes, run {done.job_id}")


def _who(login: str, community: str | None) -> tuple[House, Actor, Scope, str]:
    house = open_house()
    user = accounts.user_of_login(house, login)
    actor = Actor(user.user_id, user.role, user.community_id, user.area_code, name=user.name, topics=user.topics)
    scope = accounts.scope(house, actor)
    community_id = community_id_of(house, community) or actor.community_id
    templates.demand(house, actor, scope, community_id, "export")
    return at_home(house, community_id), actor, scope, community_id
