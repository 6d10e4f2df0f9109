"""`dishu basemap`."""

from __future__ import annotations

from pathlib import Path

import click

from server.cli.house import community_id_of, open_house
from server.services import basemap
from server.services.accounts import OPERATOR

_COMMUNITY = click.option("--community", help="Code or id. Without it: for every community that has none of its own.")
_MUCH = 200_000_000


@click.group("basemap")
def command() -> None:
    """The map under the cells: a PMTiles file of your own, which phones fetch once."""


@command.command("add")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@_COMMUNITY
def add(file: Path, community: str | None) -> None:
    """Check FILE (PMTiles 3, vector or raster, WGS 84 or CGCS2000) and put it in the place of the one before."""
    house = open_house()
    found, beside = basemap.add_basemap(house, OPERATOR, file, community_id_of(house, community))
    click.echo(_line(community or basemap.EVERYWHERE, found))
    for name in beside:
        click.echo(f"it does not touch the cells of {name}: is it of another place, or shifted (GCJ-02)?", err=True)
    if found.size > _MUCH:
        click.echo(f"every phone that wants it fetches {_size(found.size)}: a cut of your area is enough (`pmtiles extract`)", err=True)


@command.command("list")
def list_basemaps() -> None:
    """Every basemap: for whom, what it is, its size, zooms, corners."""
    for name, found in basemap.list_basemaps(open_house()):
        click.echo(f"{name}\tcannot be used: {found}" if isinstance(found, str) else _line(name, found))


@command.command("remove")
@_COMMUNITY
def remove(community: str | None) -> None:
    """Take a basemap away. Phones that have fetched it keep it until they remove it."""
    house = open_house()
    basemap.remove_basemap(house, OPERATOR, community_id_of(house, community))
    click.echo("basemap removed")


def _line(name: str, found: basemap.Basemap) -> str:
    corners = ",".join(f"{value:.5f}" for value in found.bounds)
    return f"{name}\t{found.kind}\t{_size(found.size)}\tzoom {found.min_zoom}-{found.max_zoom}\t{corners}"


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB"
