"""`dishu export`."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import click

from server.cli.house import community_id_of, open_house
from server.cli.running import run_here
from server.house import House
from server.permissions import Actor
from server.services import accounts, exports
from server.services.layers import LAYERS
from server.services.looks import Look
from server.store.jobs import Job

_AS = click.option(
    "--as", "login", help="Login of the person who exports: their scope, their line in the audit log. Required."
)
_LAYER = click.option(
    "--layer",
    "layers",
    multiple=True,
    type=click.Choice(LAYERS),
    help="May be repeated. All that may be exported without personal fields when left out.",
)
_COMMUNITY = click.option("--community", help="Code or id; the person's own when left out.")
_CELL = click.option("--cell", help="Code of one cell.")
_PERSONAL = click.option("--personal", is_flag=True, help="With personal fields, where the role may.")
_PROJECTED = click.option("--projected", is_flag=True, help="In metres of the local 3° Gauss-Krüger zone; GeoPackage and package.")
_PURPOSE = click.option("--purpose", help="What for; required with --personal.")
_OUTPUT = click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write; in this folder under its own name when left out.",
)


@click.group("export", invoke_without_command=True)
@_AS
@click.option("--format", "kind", type=click.Choice(exports.FORMATS), default="geopackage", show_default=True)
@_LAYER
@_COMMUNITY
@_CELL
@_PERSONAL
@_PROJECTED
@_PURPOSE
@_OUTPUT
@click.pass_context
def command(
    context: click.Context,
    login: str | None,
    kind: str,
    layers: tuple[str, ...],
    community: str | None,
    cell: str | None,
    personal: bool,
    projected: bool,
    purpose: str | None,
    output: Path | None,
) -> None:
    """Write places, figures and records into a GIS file or table."""
    if context.invoked_subcommand is None:
        asked = {"format": kind, "layers": list(layers) or list(_PLAIN), "cell": cell, "personal": personal,
                 "projected": projected}  # fmt: skip
        _export(login, community, asked, purpose, output)


@command.command("package")
@_AS
@click.option(
    "--format",
    "formats",
    multiple=True,
    type=click.Choice(exports.PACKED),
    help="May be repeated. All that can be made here when left out.",
)
@_LAYER
@_COMMUNITY
@click.option("--area", help="Code of a district (6 digits) or subdistrict (9), instead of one community.")
@_CELL
@_PERSONAL
@_PROJECTED
@_PURPOSE
@_OUTPUT
def package(
    login: str | None,
    formats: tuple[str, ...],
    layers: tuple[str, ...],
    community: str | None,
    area: str | None,
    cell: str | None,
    personal: bool,
    projected: bool,
    purpose: str | None,
    output: Path | None,
) -> None:
    """One ZIP in every GIS format, with a data dictionary: of a cell, a community or an area."""
    asked = {"format": exports.PACKAGE, "formats": list(formats), "layers": list(layers), "cell": cell, "area": area,
             "personal": personal, "projected": projected}  # fmt: skip
    _export(login, community, asked, purpose, output)


def _export(
    login: str | None, community: str | None, asked: dict[str, Any], purpose: str | None, output: Path | None
) -> None:
    if login is None:
        raise click.UsageError("--as is required: in whose name?")
    if asked["personal"] and not purpose:
        raise click.UsageError("--personal needs --purpose")
    house = open_house()
    user = accounts.user_of_login(house, login)
    actor = Actor(user.user_id, user.role, user.community_id, user.area_code, name=user.name, topics=user.topics)
    scope = accounts.scope(house, actor)
    community_id = community_id_of(house, community) or actor.community_id
    look = Look(actor, "export", purpose or "dishu export")
    exports.demand_export(house, actor, community_id)
    job = exports.request_export(house, actor, scope, community_id, asked, look)
    done = _run(house, actor, job)
    path, result = exports.finished_file(house, actor, scope, done.job_id, look)
    target = output or Path(str(result["name"]))
    shutil.copyfile(path, target)
    target.chmod(0o600 if asked["personal"] else 0o644)
    click.echo(f"{target}: {done.done_count} rows, {result['size']} bytes, sha256 {result['sha256']}")


_PLAIN = ("cells", "figures", "estates", "buildings", "entrances", "dwellings", "organizations", "resources")


def _run(house: House, actor: Actor, job: Job) -> Job:
    scope = accounts.scope(house, actor)
    return run_here(house, job.kind, lambda: exports.own_job(house, actor, scope, job.job_id))
