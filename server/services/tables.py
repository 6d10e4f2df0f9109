"""Tables for spreadsheets: CSV and XLSX in which codes stay text and no text is ever run as a formula.

Values are what a person reads: labels beside codes, days as ISO dates, sets joined by ；.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Any, Literal

CSV_MEDIA = "text/csv; charset=utf-8"
XLSX_MEDIA = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

# What a spreadsheet takes for the beginning of a formula, half and full width.
_FORMULA = re.compile("[=+\\-@\t\r\n＝＋－＠]")
# What XML 1.0 cannot hold.
_UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_SHEET_NAME = re.compile(r"[\[\]:*?/\\]")
_MOST_CHARACTERS = 32_767  # of one cell

Value = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name for machines, its title for people, and what it holds; days and instants (UTC) are ISO texts."""

    name: str
    title: str
    kind: Literal["text", "integer", "decimal", "boolean", "date", "datetime"] = "text"


@dataclass(frozen=True, slots=True)
class Sheet:
    """A titled table; ``rows`` is read once, values in the order of ``columns``."""

    title: str
    columns: Sequence[Column]
    rows: Iterable[Sequence[Value]]


def safe_text(text: str) -> str:
    """The text, with an apostrophe in front where a spreadsheet would run it as a formula."""
    return "'" + text if _FORMULA.match(text) else text


def csv_chunks(sheet: Sheet, rows_per_chunk: int = 500) -> Iterator[bytes]:
    """The table as CSV (RFC 4180, UTF-8 with byte order mark), in pieces.

    Text is always quoted and numbers never are, so that a code keeps its leading zeros in every reader that minds
    quotes; empty cells are empty. The header holds the titles.
    """
    buffer = io.StringIO()
    buffer.write("\ufeff")
    writer = csv.writer(buffer, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\r\n")
    writer.writerow([safe_text(column.title) for column in sheet.columns])
    for count, row in enumerate(sheet.rows, 1):
        writer.writerow([_csv_value(value) for value in row])
        if count % rows_per_chunk == 0:
            yield buffer.getvalue().encode()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue().encode()


def _csv_value(value: Value) -> str | int | float:
    if value is None:
        return ""
    if isinstance(value, bool):
        return yes_no(value)
    return safe_text(value.replace("\x00", "")) if isinstance(value, str) else value


def write_xlsx(target: IO[bytes], sheets: Iterable[Sheet], *, told: Callable[[int], None] | None = None) -> int:
    """Write a workbook in constant memory; returns the number of data rows.

    Every text cell has the number format *text*, so that identity numbers and codes are neither rounded nor
    shortened, and the type *string*, so that no text is a formula.

    Parameters
    ----------
    target : binary file, writable and seekable
    sheets : at least one; titles are cut to 31 characters and made distinct
    told : called with the number of rows after every 500
    """
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.styles import Font
    from openpyxl.utils import get_column_letter

    book = Workbook(write_only=True)
    bold = Font(bold=True)
    count = 0
    taken: set[str] = set()
    for sheet in sheets:
        page = book.create_sheet(_sheet_title(sheet.title, taken))
        page.freeze_panes = "A2"
        for position, column in enumerate(sheet.columns, 1):
            page.column_dimensions[get_column_letter(position)].width = max(10, min(40, 2.2 * len(column.title) + 2))

        heads = [_text_cell(WriteOnlyCell(page), column.title) for column in sheet.columns]
        for head in heads:
            head.font = bold
        page.append(heads)
        # A row is written as it is appended, so one cell for each column serves all rows.
        cells = [_text_cell(WriteOnlyCell(page), "") for _ in sheet.columns]
        for row in sheet.rows:
            page.append([_xlsx_value(value, cell) for value, cell in zip(row, cells, strict=True)])
            count += 1
            if told is not None and count % 500 == 0:
                told(500)
    book.save(target)
    return count


def _text_cell(cell: Any, text: str) -> Any:
    cell.number_format = "@"
    return put_text(cell, text)


def put_text(cell: Any, text: str) -> Any:
    """Put a text into a cell, whatever it looks like: no formula, nothing that a workbook cannot hold; the cell."""
    cell.value = _UNWRITABLE.sub("", text)[:_MOST_CHARACTERS]
    cell.data_type = "s"  # whatever openpyxl took it for, such as a formula
    return cell


def _xlsx_value(value: Value, cell: Any) -> Any:
    if isinstance(value, bool):
        return put_text(cell, yes_no(value))
    return put_text(cell, value) if isinstance(value, str) else value


def _sheet_title(title: str, taken: set[str]) -> str:
    plain = _SHEET_NAME.sub(" ", title)[:31] or "表"
    found, number = plain, 2
    while found.lower() in taken:
        found = f"{plain[:27]} ({number})"
        number += 1
    taken.add(found.lower())
    return found


def yes_no(value: bool) -> str:
    """是 or 否."""
    return "是" if value else "否"


def joined(values: Iterable[str]) -> str:
    """A set as one text."""
    return "；".join(values)
