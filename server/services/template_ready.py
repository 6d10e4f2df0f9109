"""Templates that come with the house: workbooks built from `template_ready.json`, the same bytes for the same definition."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

READY: Mapping[str, Any] = json.loads(Path(__file__).with_name("template_ready.json").read_text("utf-8"))
"""By name: labels, and for each sheet its heading, the line under it, its columns (title, content, width) and its totals."""

_HEADS, _LINE = 4, 5
"""Rows: heading, what it is of, a blank one, titles of the columns, the line that is filled, totals."""


@lru_cache(maxsize=len(READY))
def ready_workbook(name: str) -> bytes:
    """A ready template as a workbook; KeyError for an unknown one."""
    from openpyxl import Workbook

    book: Any = Workbook()
    book.remove(book.active)
    for sheet in READY[name]["sheets"]:
        _sheet(book, sheet)
    book.properties.created = book.properties.modified = datetime(2026, 1, 1, tzinfo=UTC).replace(tzinfo=None)  # openpyxl knows no zones
    target = io.BytesIO()
    book.save(target)
    return target.getvalue()


def _sheet(book: Any, said: Mapping[str, Any]) -> None:
    from openpyxl.styles import Alignment, Border, Font, PatternFill, Side
    from openpyxl.utils import get_column_letter

    page = book.create_sheet(said["title"])
    columns: Sequence[tuple[str, str, int]] = said["columns"]
    last = get_column_letter(len(columns))
    thin = Side(style="thin", color="808080")
    box, middle = Border(thin, thin, thin, thin), Alignment(horizontal="center", vertical="center", wrap_text=True)
    page["A1"], page["A2"] = said["heading"], said["under"]
    page.merge_cells(f"A1:{last}1")
    page.merge_cells(f"A2:{last}2")
    page["A1"].font, page["A1"].alignment = Font(size=16, bold=True), middle
    page["A2"].alignment = Alignment(horizontal="right")
    page.row_dimensions[1].height, page.row_dimensions[3].height = 30, 6
    totals = said["totals"]
    for place, (title, content, width) in enumerate(columns, 1):
        letter = get_column_letter(place)
        page.column_dimensions[letter].width = width
        head, line = page[f"{letter}{_HEADS}"], page[f"{letter}{_LINE}"]
        head.value, line.value = title, content or None
        head.font, head.alignment, head.border = Font(bold=True), middle, box
        head.fill = PatternFill("solid", fgColor="E7EFF2")
        line.border, line.alignment = box, Alignment(vertical="center", wrap_text=True)
        cells = [line]
        if totals:
            total = page[f"{letter}{_LINE + 1}"]
            total.border, total.font = box, Font(bold=True)
            total.value = totals[title].replace("{}", f"{letter}{_LINE}:{letter}{_LINE}") if title in totals else ("合计" if place == 1 else None)
            cells.append(total)
        for cell in cells:
            cell.number_format = "0.0%" if title in said.get("percent", ()) else "yyyy-mm-dd" if title.endswith(("日期", "确认", "期至")) else "General"
    page.freeze_panes = f"A{_HEADS + 1}"
    page.print_title_rows = f"{_HEADS}:{_HEADS}"
    page.page_setup.orientation = "landscape" if len(columns) > 8 else "portrait"
    page.page_setup.paperSize = page.PAPERSIZE_A4
    page.page_setup.fitToWidth, page.page_setup.fitToHeight = 1, 0
    page.sheet_properties.pageSetUpPr.fitToPage = True
    page.oddFooter.center.text = "第 &P 页，共 &N 页"
