"""`dishu cells`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
import orjson

from geo.cells import LAYERS, DraftEdition, read_cells
from geo.datum import DATUMS, METRES
from geo.edition import Certificate
from geo.lineage import KINDS
from geo.moved_codes import moved_codes
from geo.problem import Problem
from geo.repairs import CLEAN_WIDTH_M, SHARE_AT_MOST, Limits, Repair, apply
from geo.unread import unread_names
from server.cli import cell_plans
from server.cli.house import open_community
from server.cli.steps import Steps
from server.house import House
from server.services import cell_files, draft_repairs, drafts, editions, lineages, moves_told
from server.services.accounts import OPERATOR

# Repairs come in stages (place, rings, borders), each proposed on what the one before has left; borders may take several.
_MOST_ROUNDS = 20
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_COMMON = (
    click.argument("file", type=_FILE),
    click.option("--community", required=True, help="Code or id."),
    click.option("--datum", type=click.Choice([*DATUMS, METRES]), help="Of the file, unless it says so itself."),
    click.option("--map", "mapping", multiple=True, metavar="WORD=NAME",
                 help="The property that holds code, name, order …; may be repeated: --map code=grid_id"),
    click.option("--table", help="Layer of a GeoPackage or KML that has several; else the first."),
    click.option("--encoding", help="Text of a Shapefile (UTF-8, GBK); else told from the file."),
    click.option("--layer", type=click.Choice(LAYERS), default=LAYERS[0], show_default=True),
    click.option("--buildings", type=_FILE, help="GeoJSON of building outlines; those that a border cuts are listed."),
)  # fmt: skip


def _common(function: Any) -> Any:
    for mark in reversed(_COMMON):
        function = mark(function)
    return function


@click.group("cells")
def command() -> None:
    """Grid cells: checked, and published as a whole edition."""


command.add_command(cell_plans.propose)
command.add_command(cell_plans.coverage)
command.add_command(cell_plans.roads)


@command.command("check")
@_common
def check(file: Path, community: str, buildings: Path | None, **reading: Any) -> None:
    """Print every problem of a file of cells with its place and size; exit status 1 if there are errors.

    GeoJSON, GeoPackage, Shapefile (.shp), FlatGeobuf and KML. Repairs that could be made are listed, none is made.
    """
    with Steps(2) as steps:
        certificate, house, community_id, draft = _judged(file, community, buildings, steps, **reading)
    _tell(certificate, draft_repairs.proposals(house, community_id, draft))
    if not certificate.ok:
        raise click.exceptions.Exit(1)


@command.command("repair")
@_common
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write the repaired cells here, as GeoJSON.")
@click.option("--clean-width-m", type=click.FloatRange(0, 50), default=CLEAN_WIDTH_M, show_default=True,
              help="Metres up to which an overlap or a gap is closed.")
@click.option("--share-at-most", type=click.FloatRange(0, 0.5), default=SHARE_AT_MOST, show_default=True,
              help="Share of its ground that a cell may win or lose by it.")
@click.option("--without", multiple=True, metavar="CODE", help="Write although this cell could not be read; may be repeated.")  # fmt: skip
def repair(
    file: Path, community: str, buildings: Path | None, out: Path | None, clean_width_m: float, share_at_most: float,
    without: tuple[str, ...], **reading: Any,
) -> None:  # fmt: skip
    """Show every repair that could be made, cell by cell with the change of its area; --out makes them in a new file.

    The file itself is never changed. A cell that could not be read is missing in the new one, so that none is written
    until --without names every such cell. Exit status 1 if there are errors that no repair settles.
    """
    limits = Limits(clean_width_m, share_at_most)
    with Steps(3) as steps:
        certificate, house, community_id, draft = _judged(file, community, buildings, steps, **reading)
        steps.begin("repairing 修复")
        made: list[Repair] = []
        for round_ in range(_MOST_ROUNDS + 1):
            offered = draft_repairs.proposals(house, community_id, draft, limits=limits)
            if not offered or round_ == _MOST_ROUNDS:
                break
            made += offered
            draft = apply(draft, offered)
        certificate = drafts.check_draft(house, community_id, draft)
    for one in made:
        for change in one.changes:
            became = f"→ {change.new_code}" if change.new_code is not None else f"{change.area_change_m2:+.2f} m²"
            click.echo(f"{one.kind}\t{change.cell_code}\t{became}\t{one.message_zh}\t{one.message_en}")
        for settled in one.settles if not one.changes else ():
            click.echo(f"{one.kind}\t{', '.join(settled.cell_codes)}\t{_place(settled)}\t{one.message_zh}\t{one.message_en}")
    if offered:
        rest = f"after {_MOST_ROUNDS} rounds more could be repaired: run it again on the file that --out writes"
        click.echo(f"修复了 {_MOST_ROUNDS} 轮后仍有可修复之处，请对 --out 写出的文件再运行一次。 {rest}", err=True)
    _tell(certificate)
    missing = [name for name in unread_names(draft) if name not in without]
    if out is not None and missing:
        raise click.ClickException(f"not written: {', '.join(missing)} could not be read; leave out with --without CODE")
    if out is not None:
        out.write_bytes(orjson.dumps(drafts.as_collection(draft.cells)))
        click.echo(f"written, in cgcs2000\t{out}")
    if not certificate.ok:
        raise click.exceptions.Exit(1)


@command.command("diff")
@_common
def diff(file: Path, community: str, buildings: Path | None, **reading: Any) -> None:
    """Print what a file of cells would change against the edition in force: its cells, and how many records of each type would move."""
    with Steps(3) as steps:
        _, house, community_id, draft = _judged(file, community, buildings, steps, **reading)
        steps.begin("comparing 比较")
        standing, cells, lineage = lineages.against_published(house, community_id, draft.cells)
        moves = moves_told.count_moves(house, community_id, cells, lineage, steps.part) if reading["layer"] == LAYERS[0] else {}
    renamed = 0
    for one in lineages.parts_told(lineage.parts, standing, cells):
        old, new = one["old"], one["new"]
        homes = "-" if one["households"] is None else f"{one['households']} 户"
        renamed += one["renamed"]
        kind = one["kind"] if not one["renamed"] else "rename" if one["kind"] == "same" else f"{one['kind']}+rename"
        named = [cell["name"] for cell in (old, new) if cell is not None and cell["name"]]
        click.echo(
            "\t".join(
                (
                    kind, old["code"] if old else "-", new["code"] if new else "-", f"{one['area_m2']:.0f} m²",
                    f"{one['share_of_old']:.1%}", f"{one['share_of_new']:.1%}", homes,
                    " → ".join(dict.fromkeys(named)) or "-",
                )
            )
        )  # fmt: skip
    for warned in moved_codes(standing, cells, lineage):
        click.echo("\t".join((warned.severity, warned.code, warned.message_zh, warned.message_en)))
    counts = lineages.counts_of(lineage.parts)
    for record_type, count in moves.items():
        click.echo(f"moves 移动\t{record_type}\t{count}")
    if renamed:
        click.echo(f"renamed 改编码或名称\t{renamed}")
    click.echo("\t".join(("cells 网格", *(f"{KINDS[kind][0]} {kind} {count}" for kind, count in counts.items() if count))))


@command.command("publish")
@_common
def publish(file: Path, community: str, buildings: Path | None, **reading: Any) -> None:
    """Check a file of cells, put it in force as the next edition and place every record anew.

    With errors nothing is published, and every problem is printed.
    """
    edition_id = None
    with Steps(4) as steps:
        certificate, house, community_id, draft = _judged(file, community, buildings, steps, **reading)
        if certificate.ok:
            steps.begin("keeping the cells 保存")
            edition_id, _ = drafts.keep_draft(house, OPERATOR, community_id, draft, certificate=certificate)
            steps.begin("placing records 归格")
            editions.publish_draft(house, OPERATOR, community_id, edition_id, progress=steps.part)
    _tell(certificate)
    if edition_id is None:
        raise click.ClickException("the cells cannot be published; nothing was changed")
    click.echo(f"published\t{edition_id}")


@command.command("back")
@click.option("--community", required=True, help="Code or id.")
@click.option("--edition", "edition_id", help="Which edition of the past; else the one before the present one.")
def back(community: str, edition_id: str | None) -> None:
    """Put the cells of a past edition in force again, as a new edition; records and assignments follow."""
    house, community_id = open_community(community)
    with Steps(1) as steps:
        steps.begin("placing records 归格")
        wanted = edition_id or editions.previous_edition(house, community_id)
        new_id = editions.republish(house, OPERATOR, community_id, wanted, progress=steps.part)
    click.echo(f"published\t{new_id}")


def _judged(
    file: Path, community: str, buildings: Path | None, steps: Steps, **reading: Any
) -> tuple[Certificate, House, str, DraftEdition]:
    house, community_id = open_community(community)
    steps.begin("reading 读取")
    draft = _read(file, **reading)
    outlines = _outlines(buildings, reading["datum"]) if buildings is not None else None
    steps.begin("checking 检查")
    return drafts.check_draft(house, community_id, draft, buildings=outlines), house, community_id, draft


def _read(
    file: Path, *, datum: str | None, mapping: Iterable[str], table: str | None, encoding: str | None, layer: str
) -> DraftEdition:
    """The cells of a file, telling what was guessed on the way."""
    given = _words(mapping)
    found = cell_files.read_path(file, datum=datum, mapping=given, table=table, encoding=encoding, layer=layer)
    for problem in found.draft.problems:
        if problem.code == "encoding_guessed":
            click.echo(f"{problem.message_zh} {problem.message_en}", err=True)
    guessed = [f"{word}={found.mapping[word]}" for word in found.guessed]
    if guessed:
        click.echo(f"columns 字段\t{', '.join(guessed)}", err=True)
    return found.draft


def _words(mapping: Iterable[str]) -> dict[str, str]:
    found = {}
    for one in mapping:
        word, equals, name = one.partition("=")
        if not equals or not word or not name:
            raise click.BadParameter(f"{one!r} is not WORD=NAME", param_hint="--map")
        found[word] = name
    return found


def _outlines(file: Path, datum: str | None) -> list[tuple[str, Any]]:
    """Buildings with the names that a person can find them by: their number or id in the file, else their place in it."""
    found = read_cells(file.read_bytes(), datum=datum, mapping={"code": "id"})
    return [(cell.code or cell.cell_id, cell.geometry) for cell in found.cells]


def _tell(certificate: Certificate, repairs: Iterable[Repair] = ()) -> None:
    for one in certificate.problems:
        click.echo("\t".join((one.severity, one.code, _place(one), _size(one), one.message_zh, one.message_en)))
    for repair in repairs:
        figure = f"{repair.largest_area_change_m2:.3g} m²"
        click.echo("\t".join(("repair", repair.kind, "-", figure, repair.message_zh, repair.message_en)))
    counts = certificate.counts
    verdict = "ok 可以发布" if certificate.ok else "refused 不能发布"
    click.echo(
        f"{verdict}\tcells {counts['cells']}\terrors {counts['errors']}\twarnings {counts['warnings']}"
        f"\t{certificate.area_m2 / 1e6:.3f} km²\t{certificate.hash}"
    )


def _place(one: Problem) -> str:
    if one.lon is not None and one.lat is not None:
        return f"{one.lon:.7f},{one.lat:.7f}"
    if one.feature_index is not None:
        return f"feature {one.feature_index}"
    return "-"


def _size(one: Problem) -> str:
    if one.size_m2 is not None:
        return f"{one.size_m2:.3g} m²" if one.size_m2 < 100 else f"{one.size_m2:.0f} m²"
    return f"{one.size_m:.3g} m" if one.size_m is not None else "-"
