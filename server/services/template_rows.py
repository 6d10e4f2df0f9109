"""Rows of a sheet that grow: where every row goes, and what must follow — formulas, merged cells, formats, print settings."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Mapping
from copy import copy
from functools import lru_cache
from typing import Any

_REFERENCE = re.compile(
    r"(?P<sheet>(?:'(?:[^']|'')+'|[^\W\d][\w.]*)!)?"
    r"(?P<c1>\$?[A-Za-z]{1,3})(?P<d1>\$?)(?P<r1>[0-9]{1,7})(?::(?P<c2>\$?[A-Za-z]{1,3})(?P<d2>\$?)(?P<r2>[0-9]{1,7}))?\Z"
)
_ROWS = re.compile(r"(?P<sheet>(?:'(?:[^']|'')+'|[^\W\d][\w.]*)!)?(?P<d1>\$?)(?P<r1>[0-9]{1,7}):(?P<d2>\$?)(?P<r2>[0-9]{1,7})\Z")
_OVER_MANY = frozenset({
    "SUM", "COUNT", "COUNTA", "COUNTBLANK", "AVERAGE", "MAX", "MIN", "COUNTIF", "COUNTIFS", "SUMIF", "SUMIFS", "AVERAGEIF",
    "AVERAGEIFS", "SUMPRODUCT", "MEDIAN", "STDEV", "LARGE", "SMALL", "SUBTOTAL", "PRODUCT",
})  # fmt: skip
"""Functions over many cells: the single cell of a list's row in them means the whole column of the list."""


class RowMap:
    """Where the rows of one sheet go when lists grow. ``sizes`` maps the row of a list to the rows that it takes, at least one."""

    def __init__(self, sizes: Mapping[int, int]) -> None:
        self.sizes = {row: max(1, count) for row, count in sizes.items()}
        self._rows = sorted(self.sizes)
        self._added = [0]
        for row in self._rows:
            self._added.append(self._added[-1] + self.sizes[row] - 1)

    def start(self, row: int) -> int:
        """The first row that this row becomes."""
        return row + self._added[bisect_left(self._rows, row)]

    def end(self, row: int) -> int:
        """The last row that this row becomes."""
        return self.start(row) + self.sizes.get(row, 1) - 1


def grow(book: Any, maps: Mapping[str, RowMap]) -> None:
    """Make room on every sheet: rows of lists are repeated with their looks, everything else follows.

    Parameters
    ----------
    maps : by title of the sheet; a sheet that is missing stays as it is
    """
    still = RowMap({})
    every = {page.title: maps.get(page.title, still) for page in book.worksheets}
    for page in book.worksheets:
        _cells(page, every)
        _around(page, every)
    for name in book.defined_names.values():
        name.attr_text = shifted(f"={name.attr_text}", "", every)[1:]


def _cells(page: Any, maps: Mapping[str, RowMap]) -> None:
    from openpyxl.cell.cell import Cell

    fresh: Any = Cell
    placed: Any
    rows = maps[page.title]
    merged = list(page.merged_cells.ranges)
    page.merged_cells.ranges = set()
    old, page._cells = page._cells, {}
    for (row, column), cell in sorted(old.items()):
        value, kind = cell.value, getattr(cell, "data_type", "n")
        for copied in range(rows.sizes.get(row, 1)):
            place = rows.start(row) + copied
            if copied == 0 and isinstance(cell, Cell):
                placed = cell
                placed.row = place
                if placed.hyperlink is not None:
                    placed.hyperlink.ref = placed.coordinate
            else:
                placed = fresh(page, row=place, column=column)
                placed._style = copy(cell._style)
            placed._value = _moved(value, page.title, maps, row, copied)
            placed.data_type = kind
            page._cells[place, column] = placed
    heights = dict(page.row_dimensions.items())
    page.row_dimensions.clear()
    for row, one in heights.items():
        for place in range(rows.start(row), rows.end(row) + 1):
            made = copy(one)
            made.index = place
            page.row_dimensions[place] = made
    for area in merged:
        first, last = area.min_row, area.max_row
        spans = [(rows.start(first), rows.end(last))]
        if first == last and first in rows.sizes:
            spans = [(place, place) for place in range(rows.start(first), rows.end(first) + 1)]
        for begin, end in spans:
            page.merge_cells(start_row=begin, end_row=end, start_column=area.min_col, end_column=area.max_col)


def _moved(value: Any, sheet: str, maps: Mapping[str, RowMap], row: int, copied: int) -> Any:
    if isinstance(value, str) and value.startswith("="):
        return shifted(value, sheet, maps, row, copied)
    text = getattr(value, "text", None)
    if isinstance(text, str) and hasattr(value, "ref"):  # an array formula
        made = copy(value)
        made.text = shifted(text, sheet, maps, row, copied)
        made.ref = _area(made.ref, maps[sheet], copied if row in maps[sheet].sizes else None)
        return made
    return value


# ---------------------------------------------------------------- formulas
@lru_cache(maxsize=4096)
def _pieces(formula: str) -> tuple[tuple[str, str, str], ...]:
    from openpyxl.formula import Tokenizer

    return tuple((one.value, one.type, one.subtype) for one in Tokenizer(formula).items)


def shifted(formula: str, sheet: str, maps: Mapping[str, RowMap], row: int = 0, copied: int = 0) -> str:
    """A formula (with its ``=``) after the rows have grown.

    Parameters
    ----------
    sheet : where the formula stands; references without a sheet mean this one
    row, copied : the row that it stood in, and which repetition of a list's row it is now in

    Notes
    -----
    Inside a list a reference to its own row means the same row of the table, one to the row above the row before;
    ``$`` holds the first row. From outside, a list's row in SUM and the like means all rows of the list.
    """
    inside: list[str] = []
    made = ["="]
    for value, kind, subtype in _pieces(formula):
        if kind in ("FUNC", "PAREN", "ARRAY") and subtype == "OPEN":
            inside.append(value.rstrip("(").upper().removeprefix("_XLFN.") if kind == "FUNC" else (inside[-1] if inside else ""))
        elif kind in ("FUNC", "PAREN", "ARRAY") and subtype == "CLOSE" and inside:
            inside.pop()
        if kind == "OPERAND" and subtype == "RANGE":
            value = _reference(value, sheet, maps, row, copied, bool(inside) and inside[-1] in _OVER_MANY)
        made.append(value)
    return "".join(made)


def _reference(text: str, sheet: str, maps: Mapping[str, RowMap], row: int, copied: int, over_many: bool) -> str:
    found = _REFERENCE.match(text)
    if found is None:
        whole = _ROWS.match(text)
        if whole is None:
            return text
        rows = maps.get(_title(whole["sheet"], sheet))
        if rows is None:
            return text
        return f"{whole['sheet'] or ''}{whole['d1']}{rows.start(int(whole['r1']))}:{whole['d2']}{rows.end(int(whole['r2']))}"
    titled = _title(found["sheet"], sheet)
    rows = maps.get(titled)
    if rows is None:
        return text
    own = row if titled == sheet and row in rows.sizes else 0
    first = int(found["r1"])
    head = f"{found['sheet'] or ''}{found['c1']}{found['d1']}"
    if found["r2"] is None:
        if first in rows.sizes and first != own and over_many:
            return f"{head}{rows.start(first)}:{found['c1']}{found['d1']}{rows.end(first)}"
        return f"{head}{_row(rows, first, own, copied, found['d1'])}"
    last = int(found["r2"])
    begin = _row(rows, first, own, copied, found["d1"])
    end = rows.start(own) + copied if last == own and not found["d2"] else rows.end(last)
    return f"{head}{begin}:{found['c2']}{found['d2']}{end}"


def _row(rows: RowMap, row: int, own: int, copied: int, fixed: str) -> int:
    if own and not fixed and row in (own, own - 1):
        return rows.start(own) + copied + row - own
    return rows.start(row)


def _title(given: str | None, own: str) -> str:
    return own if given is None else given[:-1].strip("'").replace("''", "'")


# ---------------------------------------------------------------- what lies around the cells
def _area(text: str, rows: RowMap, copied: int | None = None) -> str:
    """A range of cells, or several with spaces between them, after the rows have grown."""
    from openpyxl.utils import get_column_letter, range_boundaries

    letter: Any = get_column_letter
    made = []
    for one in str(text).replace("$", "").split():
        left, first, right, last = range_boundaries(one)
        if first is None or last is None:  # whole columns
            made.append(one)
            continue
        begin, end = (rows.start(first), rows.end(last)) if copied is None else (rows.start(first) + copied,) * 2
        made.append(f"{letter(left)}{begin}:{letter(right)}{end}" if ":" in one or begin != end else f"{letter(left)}{begin}")
    return " ".join(made)


def _around(page: Any, maps: Mapping[str, RowMap]) -> None:
    from openpyxl.formatting.formatting import ConditionalFormattingList
    from openpyxl.worksheet.cell_range import MultiCellRange

    rows, title = maps[page.title], page.title
    formats, page.conditional_formatting = page.conditional_formatting, ConditionalFormattingList()
    for group in formats:
        corner = min(area.min_row for area in group.sqref.ranges)
        for rule in group.rules:
            rule.formula = [shifted(f"={one}", title, maps, corner)[1:] for one in rule.formula]
            page.conditional_formatting.add(_area(str(group.sqref), rows), rule)
    for rule in page.data_validations.dataValidation:
        corner = min(area.min_row for area in rule.sqref.ranges)
        rule.sqref = MultiCellRange(_area(str(rule.sqref), rows))
        for name in ("formula1", "formula2"):
            said = getattr(rule, name)
            if isinstance(said, str) and not said.startswith('"'):
                setattr(rule, name, shifted(f"={said}", title, maps, corner)[1:])
    if page.print_area:
        areas = page.print_area if isinstance(page.print_area, list) else str(page.print_area).split(",")
        page.print_area = ",".join(_area(one.rpartition("!")[2], rows) for one in areas)
    if page.print_title_rows:
        first, _, last = str(page.print_title_rows).rpartition("!")[2].replace("$", "").partition(":")
        page.print_title_rows = f"{rows.start(int(first))}:{rows.end(int(last))}"
    if page.auto_filter.ref:
        page.auto_filter.ref = _area(page.auto_filter.ref, rows)
    for table in page.tables.values():
        table.ref = _area(table.ref, rows)
        if table.autoFilter is not None:
            table.autoFilter.ref = _area(table.autoFilter.ref, rows)
    for one in page.row_breaks.brk:
        one.id = rows.end(one.id)
    if page.freeze_panes:
        page.freeze_panes = _area(page.freeze_panes, rows).partition(":")[0]
    for name in page.defined_names.values():
        name.attr_text = shifted(f"={name.attr_text}", title, maps)[1:]
