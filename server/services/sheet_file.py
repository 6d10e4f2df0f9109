"""Tables as communities keep them: XLSX workbooks and CSV files, read row by row with constant memory."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from forms.sheet_columns import guess_columns, plain_heading
from server.errors import InputError, InvalidInput
from server.services.sheet_cells import BookUnreadable, open_book

if TYPE_CHECKING:
    from forms.registry import Registry

MOST_COLUMNS = 200
_SAMPLE = 1 << 14
_LOOK_AT = 20
"""The headings stand in one of the first rows: below a title, a date, the name of whoever filled it in."""

Row = tuple[int, Sequence[Any]]
"""(number of the row in the file, its cells)"""


@dataclass(frozen=True, slots=True)
class Heading:
    """Where a table begins: the row of its headings, and their texts."""

    sheet: str
    row: int
    names: tuple[str, ...]


@contextmanager
def open_sheet(path: Path, sheet: str | None = None) -> Iterator[tuple[str, Iterator[Row]]]:
    """(name of the sheet, every row) of an XLSX or CSV file.

    Parameters
    ----------
    sheet : name of a sheet of a workbook; the first where none is named

    Raises
    ------
    InvalidInput
        Neither of the two, damaged, or no such sheet.
    """
    with path.open("rb") as file:
        begins = file.read(4)
    if begins == b"PK\x03\x04":
        with _workbook(path, sheet) as found:
            yield found
    elif begins[:4] == b"\xd0\xcf\x11\xe0":
        raise _wrong("/file", "xls", "an old .xls workbook: open it and save it as .xlsx")
    else:
        with path.open("r", encoding=_encoding(path), newline="") as text:
            yield "", _lines(text)


def _lines(text: TextIO) -> Iterator[Row]:
    """The rows of a CSV file, numbered, whatever its columns are parted by. Raises InvalidInput at what is none, with the row."""
    head = text.read(_SAMPLE)
    text.seek(0)
    parted_by = max(",\t;", key=head.count)
    number = 0
    try:
        for number, cells in enumerate(csv.reader(text, delimiter=parted_by), 1):
            yield number, cells
    except (csv.Error, UnicodeError) as error:
        raise _wrong("/file", "unreadable", f"the table cannot be read behind row {number}") from error


@contextmanager
def _workbook(path: Path, sheet: str | None) -> Iterator[tuple[str, Iterator[Row]]]:
    try:
        with open_book(path) as book:
            if sheet is not None and sheet not in book.sheets:
                raise _wrong("/sheet", "unknown_sheet", f"the workbook has {len(book.sheets)} sheets, none of this name")
            if not book.sheets:
                raise BookUnreadable("no sheet")
            name = sheet if sheet is not None else next(iter(book.sheets))
            yield name, book.rows(name, MOST_COLUMNS)
    except BookUnreadable as error:
        raise _wrong("/file", "unreadable", "the workbook cannot be read") from error


def sheets_of(path: Path) -> list[str]:
    """Names of the sheets of a workbook in their order; none of a CSV file or of what cannot be read."""
    with path.open("rb") as file:
        if file.read(4) != b"PK\x03\x04":
            return []
    try:
        with open_book(path) as book:
            return list(book.sheets)
    except BookUnreadable:
        return []


def count_rows(path: Path, sheet: str | None = None) -> int:
    """How many rows a table holds, its title and headings with them; blank ones may be counted. Raises InvalidInput."""
    with path.open("rb") as file:
        begins = file.read(4)
        if begins != b"PK\x03\x04":
            file.seek(0)
            return sum(piece.count(b"\n") for piece in iter(lambda: file.read(1 << 16), b"")) + 1
    try:
        with open_book(path) as book:
            name = sheet if sheet is not None else next(iter(book.sheets), "")
            return book.count(name) if name in book.sheets else 0
    except BookUnreadable as error:
        raise _wrong("/file", "unreadable", "the workbook cannot be read") from error


def heading_of(path: Path, registry: Registry, sheet: str | None = None) -> Heading:
    """The row among the first twenty whose texts we know most of; the fuller one where two are equal.

    Raises
    ------
    InvalidInput
        No row with at least two texts.
    """
    with open_sheet(path, sheet) as (name, rows):
        best: tuple[int, int, int, tuple[str, ...]] | None = None
        for number, cells in islice(rows, _LOOK_AT):
            names = tuple("" if cell is None else str(cell).strip() for cell in cells)
            while names and not names[-1]:
                names = names[:-1]
            filled = sum(1 for one in names if one)
            if filled < 2:
                continue
            known = sum(1 for target in guess_columns(names, registry) if target)
            if best is None or (known, filled) > best[:2]:
                best = (known, filled, number, names)
    if best is None:
        raise _wrong("/file", "no_headings", "no row with headings among the first twenty")
    return Heading(name, best[2], best[3])


def data_rows(rows: Iterator[Row], heading: Heading) -> Iterator[Row]:
    """The rows below the headings that hold anything; headings that are repeated on every page are left out."""
    names = [plain_heading(name) for name in heading.names]
    for number, cells in rows:
        if number <= heading.row or not any(cell not in (None, "") for cell in cells):
            continue
        if len(cells) >= len(names) and all(
            plain_heading("" if cell is None else str(cell)) == name for cell, name in zip(cells, names, strict=False)
        ):
            continue
        yield number, cells


def _encoding(path: Path) -> str:
    with path.open("rb") as file:
        raw = file.read(1 << 16)
    if raw[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):  # "Unicode text" of a spreadsheet program
        return "utf-16"
    try:
        raw[: raw.rfind(b"\n") + 1 or None].decode("utf-8-sig")
    except UnicodeDecodeError:
        return "gb18030"
    return "utf-8-sig"


def _wrong(pointer: str, code: str, message: str) -> InvalidInput:
    return InvalidInput("this table cannot be read", errors=[InputError(pointer, code, message)])
