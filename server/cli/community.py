"""`dishu community`."""

from __future__ import annotations

from pathlib import Path

import click

from geo.datum import DATUMS
from server.cli.house import community_id_of, open_house
from server.services import communities
from server.services.accounts import OPERATOR

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group("community")
def command() -> None:
    """Communities: codes, names, outlines."""


@command.command("add")
@click.argument("code")
@click.option("--name", required=True, help="Name of the community.")
@click.option("--id", "community_id", help="What the house calls it. Without it: its code.")
@click.option("--subdistrict", help="9 digits. Without it: the first 9 of the code.")
@click.option("--district", help="6 digits. Without it: the first 6 of the code.")
@click.option("--profile", default="cn-grid-15", show_default=True, help="The rule of the cell codes, one of your own in profiles/ of the data folder too.")
@click.option("--boundary", type=_FILE, help="GeoJSON file with the outline; cells must fill it.")
@click.option("--datum", type=click.Choice(list(DATUMS)), help="Of the boundary file, unless it says so itself.")
def add(
    code: str,
    name: str,
    community_id: str | None,
    subdistrict: str | None,
    district: str | None,
    profile: str,
    boundary: Path | None,
    datum: str | None,
) -> None:
    """Make a community. CODE is what its cell codes begin with: 12 digits under the profile cn-grid-15."""
    house = open_house(may_create=True)
    made = communities.add_community(
        house,
        OPERATOR,
        code=code,
        name=name,
        community_id=community_id,
        subdistrict_code=subdistrict,
        district_code=district,
        profile=profile,
        boundary=None if boundary is None else communities.read_boundary(boundary.read_bytes(), datum=datum),
    )
    click.echo(f"{made.community_id}\t{made.code}\t{made.name}")


@command.command("boundary")
@click.argument("community")
@click.argument("file", type=_FILE)
@click.option("--datum", type=click.Choice(list(DATUMS)), help="Of the file, unless it says so itself.")
def boundary(community: str, file: Path, datum: str | None) -> None:
    """Give a community another outline, from a GeoJSON file; the next edition is checked against it."""
    house = open_house()
    outline = communities.read_boundary(file.read_bytes(), datum=datum)
    communities.set_boundary(house, OPERATOR, community_id_of(house, community) or "", outline)
    click.echo("boundary set")


@command.command("list")
def list_communities() -> None:
    """Every community: id, code, name, profile."""
    for one in communities.list_communities(open_house()):
        click.echo(f"{one.community_id}\t{one.code}\t{one.name}\t{one.code_profile}")
