"""`dishu cells propose`, `dishu cells coverage` and `dishu cells roads`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import orjson

from geo.datum import DATUMS, METRES
from geo.walking import WALK_M_PER_MINUTE
from server.cli.house import open_community
from server.cli.steps import Steps
from server.permissions import Scope
from server.services import cell_design, reach
from server.services import roads as road_networks
from server.services.accounts import OPERATOR

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_DATUM = click.option("--datum", type=click.Choice(list(DATUMS)), default="cgcs2000", show_default=True, help="Of the files.")


@click.command("propose")
@click.option("--community", required=True, help="Code or id.")
@click.option("--cells", type=int, help="How many; else as the profile's target says.")
@click.option("--seed", type=int, default=1, show_default=True, help="Another seed may give another division.")
@click.option("--buildings", type=_FILE, help="GeoJSON of building outlines; else buildings on record are points.")
@click.option("--lines", type=_FILE, help="GeoJSON of roads and walls that borders may follow.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write the cells here, as GeoJSON.")
@click.option("--keep", is_flag=True, help="Keep the division as a draft edition.")
@_DATUM
def propose(
    community: str, cells: int | None, seed: int, buildings: Path | None, lines: Path | None, out: Path | None,
    keep: bool, datum: str,
) -> None:  # fmt: skip
    """Propose a division of a community: balanced, connected, never through a building."""
    house, community_id = open_community(community)
    with Steps(2) as steps:
        steps.begin("reading 读取")
        outlines, along = _read(buildings), _read(lines)
        steps.begin("dividing 划分")
        made = cell_design.propose(
            house, OPERATOR, community_id, cells=cells, seed=seed, outlines=outlines, lines=along, datum=datum, keeps=keep
        )
    for one in made["balance"]["cells"]:
        click.echo(f"{one['code']}\t{one['households']} 户\t{one['difference']:+.0f}\t{one['deviation_of_mean']:+.1%}")
    for name in made["outside"]:
        click.echo(f"outside 边界外\t{name}")
    if out is not None:
        out.write_bytes(orjson.dumps(made["cells"]))
        click.echo(f"written, in cgcs2000\t{out}")
    if made["edition_id"]:
        click.echo(f"draft 草稿\t{made['edition_id']}")


@click.command("coverage")
@click.option("--community", required=True, help="Code or id.")
@click.option("--category", "categories", multiple=True, help="Of resources; may be repeated; else all.")
@click.option("--minutes", type=float, default=15.0, show_default=True)
@click.option("--speed", type=float, default=WALK_M_PER_MINUTE, show_default=True, help="Metres a minute.")
@click.option("--roads", type=_FILE, help="GeoJSON of another road network, for this question alone.")
@click.option("--by", type=click.Choice(reach.BY), default="auto", show_default=True, help="auto: the community's roads, if any.")
@_DATUM
def coverage(
    community: str, categories: tuple[str, ...], minutes: float, speed: float, roads: Path | None, by: str, datum: str
) -> None:
    """Dwellings within a walk of each category of resource, by cell."""
    house, community_id = open_community(community)
    found = reach.coverage(
        house, Scope((community_id,), fields="all"), community_id, categories=categories, minutes=minutes,
        metres_per_minute=speed, by=by, roads=_read(roads), datum=datum, lists=False,
    )  # fmt: skip
    click.echo("by roads 按路网" if found["by"] == "roads" else f"by straight lines 按直线\tx {found['detour']}")
    for one in found["categories"]:
        for cell in [*one["cells"], {"code": "total 合计", **one["total"]}]:
            share = "-" if cell["share"] is None else f"{cell['share']:.1%}"
            without = f"households without 走不到的住户 {cell['households_without']}/{cell['households']}"
            click.echo(f"{one['category']}\t{one['label']}\t{cell['code'] or '-'}\t{cell['within']}/{cell['dwellings']}\t{share}\t{without}")
        if one["places_beyond"]:
            click.echo(f"{one['category']}\t{one['label']}\tplaces of other communities 其他社区的场所\t{one['places_beyond']}")
    lost = found["unlocated"]
    if lost["dwellings"] or lost["households"]:
        click.echo(f"without a location 无位置，未计入\tdwellings 房屋 {lost['dwellings']}\thouseholds 住户 {lost['households']}")


@click.command("roads")
@click.argument("file", type=_FILE, required=False)
@click.option("--community", required=True, help="Code or id.")
@click.option("--datum", type=click.Choice([*DATUMS, METRES]), help="Of the file; required with one.")
@click.option("--joins", type=click.Choice(road_networks.JOINS), default=road_networks.JOINS[0], show_default=True,
              help="Where lines meet: wherever they cross, or at common corners and ends only.")
@click.option("--table", help="Layer of a file that has several; else the first.")
@click.option("--encoding", help="Text of a Shapefile (UTF-8, GBK); else told from the file.")
@click.option("--remove", is_flag=True, help="Forget the network.")
def roads(file: Path | None, community: str, remove: bool, **reading: Any) -> None:
    """Keep a road network (GeoPackage, Shapefile, FlatGeobuf, KML, GeoJSON) for questions of reach; without a file: show it."""
    house, community_id = open_community(community)
    if remove:
        road_networks.remove(house, OPERATOR, community_id)
        click.echo("removed 已删除")
        return
    if file is None:
        told = road_networks.told(house, community_id)
    else:
        told = road_networks.import_path(house, OPERATOR, community_id, file, **reading)
    near = told["buildings"]
    click.echo(f"{told['name']}\t{told['datum']}\tlines 条 {told['lines']}\tstretches 段 {told['stretches']}\t{told['length_m'] / 1000:.1f} km")
    click.echo(
        f"buildings 楼栋\t{near['count']}\tto the nearest road 距最近道路\tmedian {near['median_m']} m\t95 % {near['p95_m']} m"
        f"\tbeyond {near['off_road_m']:g} m: {near['beyond']}"
    )


def _read(file: Path | None) -> Any:
    return None if file is None else orjson.loads(file.read_bytes().removeprefix(b"\xef\xbb\xbf"))
