"""`dishu cells`."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from geo.cells import DraftEdition, read_cells
from geo.datum import DATUMS, METRES
from geo.edition import Certificate
from geo.errors import GeoError
from geo.files import as_geojson
from geo.problem import Problem
from geo.repairs import Repair, propose_repairs
from server.cli.house import community_id_of, open_house
from server.house import House
from server.services import drafts, editions
from server.services.accounts import OPERATOR

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_COMMON = (
    click.argument("file", type=_FILE),
    click.option("--community", required=True, help="Code or id."),
    click.option("--datum", type=click.Choice([*DATUMS, METRES]), help="Of the file, unless it says so itself."),
    click.option("--map", "mapping", multiple=True, metavar="WORD=NAME",
                 help="The property that holds code, name, order …; may be repeated: --map code=grid_id"),
    click.option("--table", help="Layer of a GeoPackage or KML that has several; else the first."),
    click.option("--encoding", help="Text of a Shapefile (UTF-8, GBK); else told from the file."),
    click.option("--buildings", type=_FILE, help="GeoJSON of building outlines; those that a border cuts are listed."),
)  # fmt: skip


def _common(function: Any) -> Any:
    for mark in reversed(_COMMON):
        function = mark(function)
    return function


@click.group("cells")
def command() -> None:
    """Grid cells: checked, and published as a whole edition."""


@command.command("check")
@_common
def check(file: Path, community: str, buildings: Path | None, **reading: Any) -> None:
    """Print every problem of a file of cells with its place and size; exit status 1 if there are errors.

    GeoJSON, GeoPackage, Shapefile (.shp), FlatGeobuf and KML. Repairs that could be made are listed, none is made.
    """
    with Steps(2) as steps:
        certificate, _, _, draft = _judged(file, community, buildings, steps, **reading)
    _tell(certificate, propose_repairs(draft))
    if not certificate.ok:
        raise click.exceptions.Exit(1)


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


def _judged(
    file: Path,
    community: str,
    buildings: Path | None,
    steps: Steps,
    *,
    datum: str | None,
    mapping: Iterable[str],
    table: str | None,
    encoding: str | None,
) -> tuple[Certificate, House, str, DraftEdition]:
    house = open_house()
    community_id = community_id_of(house, community) or ""
    steps.begin("reading 读取")
    source, words = _as_geojson(file, datum, _words(mapping), table, encoding)
    draft = drafts.read_draft(source, datum=datum, mapping=words)
    outlines = _outlines(buildings, datum) if buildings is not None else None
    steps.begin("checking 检查")
    return drafts.check_draft(house, community_id, draft, buildings=outlines), house, community_id, draft


def _as_geojson(
    file: Path, datum: str | None, mapping: dict[str, str], table: str | None, encoding: str | None
) -> tuple[bytes, dict[str, str]]:
    """The text of a GeoJSON file as it is; other files turned into GeoJSON, telling what was guessed on the way."""
    raw = file.read_bytes()
    try:
        source, words, problems = as_geojson(
            file, mapping=mapping, table=table, encoding=encoding, is_metres=datum == METRES
        )
    except GeoError as error:
        if error.code == "unknown_file":
            # Whatever it is, the reader of GeoJSON says where it goes wrong.
            return raw, mapping
        raise click.ClickException(error.message) from error
    for problem in problems:
        click.echo(f"{problem.message_zh} {problem.message_en}", err=True)
    guessed = [f"{word}={column}" for word, column in words.items() if column and mapping.get(word) != column]
    if guessed:
        click.echo(f"columns 字段\t{', '.join(guessed)}", err=True)
    return source, words


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


class Steps:
    """A progress bar on a terminal, cleared at the end; silent where the output goes to a file."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._at = 0
        self._label = ""
        self._shown = sys.stderr.isatty()

    def begin(self, label: str) -> None:
        """The next step has begun."""
        self._at += 1
        self._label = label
        self._draw((self._at - 1) / self._count)

    def part(self, done: int, of: int) -> None:
        """So much of the present step is done."""
        self._draw((self._at - 1 + (done / of if of else 1)) / self._count)

    def __enter__(self) -> Steps:
        return self

    def __exit__(self, *_: object) -> None:
        if self._shown:
            click.echo("\r\x1b[K", nl=False, err=True)

    def _draw(self, share: float) -> None:
        if self._shown:
            bar = "█" * round(share * 24)
            click.echo(f"\r\x1b[K{bar:░<24} {share:4.0%} {self._label}", nl=False, err=True)
