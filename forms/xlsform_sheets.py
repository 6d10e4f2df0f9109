"""The sheets of an XLSForm workbook as rows of text, with the place of every cell. The only reader of XLSX here."""

from __future__ import annotations

import re
import warnings
import zipfile
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from os import PathLike
from typing import Any, BinaryIO

from forms.xlsform_refusals import Complaints

#: A workbook larger than this is no questionnaire; the limits keep a hostile file from filling the memory.
MAX_UNPACKED = 100_000_000
MAX_ROWS = 20_000
MAX_COLUMNS = 256
MAX_CELL = 10_000
#: A sheet ends where so many rows in a row are empty.
END_OF_ROWS = 500

Source = str | PathLike[str] | BinaryIO

#: Sheets that are read. Names are compared without case and edges.
READ = ("survey", "choices", "settings", "external_choices", "entities", "osm", "dishu", "dishu_units", "dishu_findings", "dishu_lists")  # fmt: skip

_TRANSLATED = re.compile(r"(?P<base>[a-z_]+(?: message)?)\s*::?\s*(?P<language>.+)", re.IGNORECASE)
_TRANSLATABLE = {"label", "hint", "constraint_message", "required_message", "guidance_hint", "image", "audio", "video", "media", "form_title"}  # fmt: skip
_ALIASES = {
    "list name": "list_name", "value": "name", "constraint message": "constraint_message", "required message": "required_message",
    "constraint_msg": "constraint_message", "relevance": "relevant", "calculate": "calculation", "repeat count": "repeat_count",
    "choice filter": "choice_filter", "read only": "read_only", "readonly": "read_only", "title": "form_title", "form title": "form_title",
    "id_string": "form_id", "form id": "form_id", "caption": "label", "default language": "default_language",
}  # fmt: skip
_LANGUAGES = {
    "en": "en", "english": "en", "英文": "en", "英语": "en",
    "zh": "zh", "cn": "zh", "chinese": "zh", "中文": "zh", "汉语": "zh", "简体中文": "zh", "simplified chinese": "zh",
}  # fmt: skip
#: Formulas that spreadsheets write where somebody typed a truth value.
_CONSTANTS = {"=TRUE()": True, "=FALSE()": False}


@dataclass(frozen=True, slots=True)
class Column:
    """A column: base name (``label``), language (``zh``, ``en``, ``""`` unsaid, else as written), position from 0."""

    base: str
    language: str
    position: int
    header: str


@dataclass(frozen=True, slots=True)
class Row:
    """A row that is not empty. ``cells`` maps the position of a column to its text, edges stripped, never empty."""

    number: int
    cells: Mapping[int, str]


@dataclass(slots=True)
class Sheet:
    """One sheet. ``name`` is as the author wrote it."""

    name: str
    columns: list[Column] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)

    def column(self, base: str, language: str = "") -> Column | None:
        """The column of a name and language; None if there is none."""
        return next((c for c in self.columns if c.base == base and c.language == language), None)

    def get(self, row: Row, base: str, language: str = "") -> str | None:
        """Text of a cell; None where it is empty or the column is not there."""
        found = self.column(base, language)
        return None if found is None else row.cells.get(found.position)

    def place(self, base: str) -> int | None:
        """Position of the first column of a name."""
        return next((c.position for c in self.columns if c.base == base), None)


def read_sheets(source: Source, complaints: Complaints) -> dict[str, Sheet]:
    """The sheets that matter, by their lower-case name; those that are missing or have no header are left out.

    Every wrong cell is complained of; reading goes on, so that all of them are told.
    """
    import openpyxl  # only who imports a workbook pays for it

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about styles and properties, which nobody reads here
            with zipfile.ZipFile(source) as packed:
                if sum(item.file_size for item in packed.infolist()) > MAX_UNPACKED:
                    complaints.add("workbook", None, None, "too_large", f"{MAX_UNPACKED} bytes")
                    return {}
            if hasattr(source, "seek"):
                source.seek(0)
            book = openpyxl.load_workbook(source, read_only=True, data_only=False)
            try:
                return {
                    sheet.name.strip().lower(): sheet
                    for title in book.sheetnames
                    if title.strip().lower() in READ and (sheet := _sheet(title, book[title], complaints)).columns
                }
            finally:
                book.close()
    except (
        Exception
    ) as wrong:  # openpyxl raises whatever its parsers raise: KeyError, ValueError, ParseError, BadZipFile …
        if isinstance(wrong, MemoryError | FileNotFoundError | IsADirectoryError | PermissionError):
            raise
        complaints.add("workbook", None, None, "not_a_workbook")
        return {}


def _sheet(title: str, cells: Any, complaints: Complaints) -> Sheet:
    sheet = Sheet(title)
    empty = 0
    if hasattr(cells, "reset_dimensions"):
        cells.reset_dimensions()  # what the file says of its size is often wrong
    for number, row in enumerate(cells.iter_rows(max_col=MAX_COLUMNS), start=1):
        dropped = {column.position for column in sheet.columns if column.language not in ("", "zh", "en")}
        values = dict(_texts(row, title, number, complaints, dropped))
        if not values:
            empty += 1
            if empty > END_OF_ROWS:
                break
            continue
        empty = 0
        if number > MAX_ROWS:
            complaints.add(title, number, None, "too_large", f"{MAX_ROWS} rows")
            break
        if not sheet.columns:
            sheet.columns = list(_columns(values, title, number, complaints))
        else:
            sheet.rows.append(Row(number, values))
    return sheet


def _columns(values: Mapping[int, str], title: str, number: int, complaints: Complaints) -> Iterator[Column]:
    seen: set[tuple[str, str]] = set()
    for position, header in values.items():
        found = _column(header, position)
        if (found.base, found.language) in seen:
            complaints.add(title, number, position, "column_repeated", header)
            continue
        seen.add((found.base, found.language))
        yield found


def _column(header: str, position: int) -> Column:
    plain = " ".join(header.lower().split())
    plain = _ALIASES.get(plain, plain)
    match = _TRANSLATED.fullmatch(header)
    if match:
        base = _ALIASES.get(match["base"].lower(), match["base"].lower())
        if base in _TRANSLATABLE:
            return Column(base, language_of(match["language"]), position, header)
    return Column(plain, "", position, header)


def language_of(name: str) -> str:
    """``zh`` or ``en`` for what a header or setting calls a language, for example ``中文 (zh)``; else the name itself."""
    name = name.strip()
    bracket = re.fullmatch(r"(.*)\(([A-Za-z-]+)\)", name)
    if bracket:
        tag = bracket[2].lower().split("-")[0]
        return tag if tag in ("zh", "en") else name
    return _LANGUAGES.get(name.lower(), _LANGUAGES.get(name.lower().split("-")[0], name))


def _texts(
    row: Any, title: str, number: int, complaints: Complaints, dropped: Collection[int]
) -> Iterator[tuple[int, str]]:
    """Cells with their text. In a ``dropped`` column nothing is judged: that it is there at all is the reason."""
    for position, cell in enumerate(row):
        value = cell.value
        if value is None:
            continue
        if cell.data_type == "f" and str(value).upper() in _CONSTANTS:
            value = _CONSTANTS[str(value).upper()]
        elif position not in dropped and cell.data_type == "f":
            complaints.add(title, number, position, "formula")
            continue
        if position not in dropped and cell.data_type == "e":
            complaints.add(title, number, position, "cell_error")
            continue
        text = _text(value).strip()
        if len(text) > MAX_CELL:
            complaints.add(title, number, position, "too_large", f"{MAX_CELL} characters")
            continue
        if text:
            yield position, text


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat()
    if isinstance(value, date | time):
        return value.isoformat()
    return str(value).replace("\r\n", "\n").replace("\r", "\n")
