"""A workbook as a table template: which cells are filled with what; every placeholder that cannot be used is named.

What the filling could not keep (charts, pictures, macros) is refused with its place instead of being lost.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from forms.errors import PlaceholderError
from forms.template_grammar import Listing, Placeholder, personal_columns, read_listing, read_text
from server.errors import InputError, InvalidInput
from server.services.template_losses import Fault, losses

if TYPE_CHECKING:
    from forms.registry import Registry

MOST_BYTES = 4_000_000
_MOST_UNPACKED = 100_000_000
MOST_CELLS = 200_000
"""Cells of a template; a department's form has some hundred."""

_LOST = (
    ("xl/charts/", "chart", "图表", "a chart"),
    ("xl/media/", "picture", "图片", "a picture"),
    ("xl/vbaProject", "macro", "宏", "a macro"),
    ("xl/diagrams/", "drawing", "图形", "a drawing"),
    ("xl/ctrlProps/", "control", "控件", "a control"),
    ("xl/pivotTables/", "pivot", "数据透视表", "a pivot table"),
)
_COORDINATE = re.compile(r"[A-Z]{1,3}[0-9]{1,7}\Z")


@dataclass(frozen=True, slots=True)
class Spot:
    """A cell with placeholders: where it stands, its text and what is in it."""

    row: int
    column: int
    coordinate: str
    text: str
    placeholders: tuple[Placeholder, ...]


@dataclass(slots=True)
class SheetPlan:
    """What is filled on one sheet: spots by row, and the list that each growing row shows."""

    title: str
    spots: dict[int, list[Spot]] = field(default_factory=dict)
    lists: dict[int, Listing] = field(default_factory=dict)


@dataclass(slots=True)
class BookPlan:
    """What is filled in a workbook."""

    sheets: dict[str, SheetPlan]
    personal: tuple[str, ...]

    @property
    def placeholders(self) -> list[tuple[str, Spot, Placeholder]]:
        """(sheet, cell, placeholder) of all, in their order."""
        return [
            (sheet.title, spot, one)
            for sheet in self.sheets.values() for _, spots in sorted(sheet.spots.items()) for spot in spots for one in spot.placeholders
        ]  # fmt: skip


def read_template(content: bytes, registry: Registry) -> tuple[Any, BookPlan]:
    """The workbook and what is filled in it.

    Raises
    ------
    InvalidInput
        Every fault with its place: ``/sheets/<sheet>/<cell>``.
    """
    book, lost = _open(content)
    plan, faults = _planned(book, registry)
    if faults := lost + faults:
        raise InvalidInput("this template cannot be used", errors=[_input_error(one) for one in faults])
    return book, plan


def check_template(content: bytes, registry: Registry) -> tuple[BookPlan | None, list[Fault]]:
    """What is filled, and everything that is wrong; no plan where anything is."""
    try:
        book, lost = _open(content)
    except InvalidInput as error:
        return None, [Fault("", "", one.code, one.message.partition(" / ")[0], one.message.partition(" / ")[2]) for one in error.errors]
    plan, faults = _planned(book, registry)
    faults = lost + faults
    return (None if faults else plan), faults


def _input_error(one: Fault) -> InputError:
    return InputError(f"/sheets/{one.sheet}/{one.cell}", one.code, f"{one.message_zh} / {one.message_en}")


def _open(content: bytes) -> tuple[Any, list[Fault]]:
    """The workbook, and what filling would lose of its sheets."""
    from openpyxl import load_workbook

    faults: list[InputError] = []
    if len(content) > MOST_BYTES:
        faults = [InputError("/file", "too_large", f"文件超过 {MOST_BYTES // 1_000_000} MB / larger than {MOST_BYTES // 1_000_000} MB")]
    else:
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                names = archive.namelist()
                if sum(one.file_size for one in archive.infolist()) > _MOST_UNPACKED:
                    faults = [InputError("/file", "too_large", "解压后过大 / too large when unpacked")]
            for start, code, zh, en in _LOST:
                if any(name.startswith(start) for name in names):
                    faults.append(InputError("/file", f"{code}_lost", f"工作簿里有{zh}，填表后会丢失，请先删去 / the workbook holds {en}, which filling would lose: remove it"))
            if not faults:
                return _plain_where_filled(load_workbook(io.BytesIO(content), rich_text=True)), losses(content)
        except (zipfile.BadZipFile, KeyError, ValueError, TypeError, OSError, SyntaxError):
            faults = [InputError("/file", "unreadable", "不是可读的 XLSX 工作簿 / no XLSX workbook that can be read")]
    raise InvalidInput("this template cannot be used", errors=faults)


def _plain_where_filled(book: Any) -> Any:
    """Text in several fonts is kept in its cell; where a placeholder is filled, it takes the font of the cell."""
    from openpyxl.cell.rich_text import CellRichText

    for page in book.worksheets:
        for cell in page._cells.values():
            if isinstance(cell.value, CellRichText) and "{{" in (text := str(cell.value)):
                cell.value = text
    return book


def _planned(book: Any, registry: Registry) -> tuple[BookPlan, list[Fault]]:
    sheets: dict[str, SheetPlan] = {}
    faults: list[Fault] = []
    named = _named(book, registry, faults)
    count = 0
    for page in book.worksheets:
        plan = sheets[page.title] = SheetPlan(page.title)
        said = named.get(page.title, {})
        ruled = {row: one for (row, _), (one, text) in said.items() if one is not None and not text}
        rows: dict[int, dict[int, Any]] = {}
        for (row, column), cell in sorted(page._cells.items()):
            if cell.value is not None:
                rows.setdefault(row, {})[column] = cell
        for row, column in said:
            rows.setdefault(row, {}).setdefault(column, page.cell(row, column))
        for row, cells in sorted(rows.items()):
            count += len(cells)
            _row(plan, page, row, cells, said, ruled.get(row), registry, faults)
        _structure(plan, page, faults)
    if count > MOST_CELLS:
        faults.append(Fault("", "", "too_many_cells", f"模板超过 {MOST_CELLS} 个单元格", f"more than {MOST_CELLS} cells"))
    found = BookPlan(sheets, ())
    every = [one for _, _, one in found.placeholders]
    if not every and not faults:
        faults.append(Fault("", "", "no_placeholders", "工作簿里没有占位符", "the workbook holds no placeholder"))
    return BookPlan(sheets, tuple(sorted(personal_columns(registry, every)))), faults


def _row(
    plan: SheetPlan, page: Any, row: int, cells: dict[int, Any], said: dict[tuple[int, int], Any], ruled: Listing | None,
    registry: Registry, faults: list[Fault],
) -> None:  # fmt: skip
    texts = [str(said.get((row, column), (None, ""))[1] or cell.value or "") for column, cell in sorted(cells.items())]
    listed = ruled or _begun(texts, registry)
    found_before = len(faults)
    for column, cell in sorted(cells.items()):
        text = said[row, column][1] if said.get((row, column), (None, ""))[1] else cell.value
        if not isinstance(text, str) or ("{{" not in text and "}}" not in text):
            continue
        if text.startswith("=") or cell.data_type == "f":
            faults.append(_fault(page, cell, "in_formula", "公式里不能有占位符", "no placeholder inside a formula"))
            continue
        try:
            found = read_text(text, registry, listed)
        except PlaceholderError as wrong:
            zh = f"第 {wrong.position + 1} 个字：{wrong.message_zh}"
            faults.append(_fault(page, cell, wrong.code, zh, f"at character {wrong.position + 1}: {wrong.message_en}"))
            continue
        begun = {one.listing for one in found if one.kind == "listing"}
        if begun - {listed}:
            faults.append(_fault(page, cell, "two_lists", "一行只能有一个名单", "one row holds one list only"))
            continue
        plan.spots.setdefault(row, []).append(Spot(row, column, cell.coordinate, text, tuple(found)))
    here = faults[found_before:]
    if any(one.code != "no_list" for one in here):  # where a list cannot be read, its other columns say nothing of their own
        faults[found_before:] = [one for one in here if one.code != "no_list"]
    spots = plan.spots.get(row, [])
    if listed is not None and any(one.kind in ("listing", "field", "number") for spot in spots for one in spot.placeholders):
        plan.lists[row] = listed


def _begun(texts: list[str], registry: Registry) -> Listing | None:
    """The first list that a cell of a row begins."""
    for text in texts:
        try:
            found = read_text(text, registry) if "{{" in text and not text.startswith("=") else []
        except PlaceholderError:
            continue  # told when the cell itself is read
        for one in found:
            if one.kind == "listing":
                return one.listing
    return None


def _structure(plan: SheetPlan, page: Any, faults: list[Fault]) -> None:
    """A list grows by whole rows, so nothing that stands beside it may reach over its row."""
    for area in page.merged_cells.ranges:
        for row in plan.lists:
            if area.min_row == row < area.max_row and any(spot.column == area.min_col for spot in plan.spots[row]):
                corner = page.cell(area.min_row, area.min_col)
                faults.append(_fault(page, corner, "merged_down", "名单行不能向下合并单元格", "a row of a list is not merged with the one below"))
    for row, spots in plan.spots.items():
        for spot in spots:
            for one in spot.placeholders:
                if one.kind == "figure" and one.listing is not None and one.listing.by_row and getattr(plan.lists.get(row), "source", "") != "cells":
                    faults.append(Fault(page.title, spot.coordinate, "no_row", "“本行网格”只能用在网格名单的行里", "the row's cell is known in a list of cells only"))


def _named(book: Any, registry: Registry, faults: list[Fault]) -> dict[str, dict[tuple[int, int], tuple[Listing | None, str]]]:
    """Named ranges whose comment holds a placeholder: by sheet and first cell, (list of the row, text of the cell)."""
    found: dict[str, dict[tuple[int, int], tuple[Listing | None, str]]] = {}
    names = [(one, None) for one in book.defined_names.values()]
    names += [(one, page.title) for page in book.worksheets for one in page.defined_names.values()]
    for name, _ in names:
        said = (name.comment or "").strip()
        if "{{" not in said:
            continue
        places = [(sheet, area.replace("$", "")) for sheet, area in name.destinations]
        if len(places) != 1 or places[0][0] not in book.sheetnames or not _COORDINATE.match(places[0][1].partition(":")[0]):
            faults.append(Fault("", name.name, "bad_range", f"名称“{name.name}”应指向一块单元格", f"the name {name.name!r} must mean one range of cells"))
            continue
        sheet, area = places[0]
        first, _, last = area.partition(":")
        corner = book[sheet][first]
        end = book[sheet][last or first]
        inner = said.removeprefix("{{").removesuffix("}}")
        try:
            if said.count("{{") == 1 and said.startswith("{{") and "|" not in inner and "｜" not in inner and end.row == corner.row and end.column > corner.column:
                found.setdefault(sheet, {})[corner.row, corner.column] = (read_listing(inner, registry), "")
            else:
                found.setdefault(sheet, {})[corner.row, corner.column] = (None, said)
        except PlaceholderError as wrong:
            faults.append(Fault(sheet, first, wrong.code, f"名称“{name.name}”：{wrong.message_zh}", f"name {name.name!r}: {wrong.message_en}"))
    return found


def _fault(page: Any, cell: Any, code: str, zh: str, en: str) -> Fault:
    return Fault(page.title, cell.coordinate, code, zh, en)


def described(plan: BookPlan) -> dict[str, Any]:
    """What a template asks for, in figures: sheets, lists, single values."""
    kinds = Counter(one.kind for _, _, one in plan.placeholders)
    return {
        "sheets": [sheet.title for sheet in plan.sheets.values()],
        "lists": [
            {"sheet": sheet.title, "row": row, "source": listing.source}
            for sheet in plan.sheets.values() for row, listing in sorted(sheet.lists.items())
        ],
        "fields": kinds["listing"] + kinds["field"],
        "figures": kinds["figure"],
        "values": kinds["value"],
        "personal": list(plan.personal),
    }  # fmt: skip
