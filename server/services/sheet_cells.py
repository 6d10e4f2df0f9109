"""The cells of a workbook's sheet, row by row: by the parser beneath openpyxl, with memory that does not grow with the sheet.

openpyxl opens the book, and knows its sheets and its formats of dates. Its own read-only reading makes an object of every element, and
where a sheet does not say how large it is, it reads the whole sheet each time the book is opened.
"""

from __future__ import annotations

import re
import tempfile
import zipfile
import zlib
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from xml.parsers import expat

_PIECE = 1 << 16
_IN_MEMORY = 1 << 22
_ROW = re.compile(rb"<(?:\w+:)?row[\s>/]")
_LONGEST = 40
"""A tag that `_ROW` finds is no longer, with what a piece may end in."""
_MERGED = re.compile(rb"""<(?:\w+:)?mergeCell\s[^<>]*?\bref=["']([A-Za-z]{1,3})(\d{1,7}):[A-Za-z]{1,3}(\d{1,7})["']""")
_LONGEST_MERGED = 200


class BookUnreadable(Exception):
    """No workbook, or a damaged one."""


@dataclass(frozen=True, slots=True)
class Book:
    """An open workbook: ``sheets`` leads from the name of each sheet to its part of the file."""

    sheets: dict[str, str]
    archive: zipfile.ZipFile
    texts: _Texts
    date_of: Callable[[Any, int], Any]
    dates: frozenset[int]

    def count(self, sheet: str) -> int:
        """How many rows the sheet holds, counted in its text; the file's own word for its size is often missing or wrong."""
        found, tail = 0, b""
        with self.archive.open(self.sheets[sheet]) as source:
            while piece := source.read(_PIECE):
                text = tail + piece
                last = 0
                for match in _ROW.finditer(text):
                    found, last = found + 1, match.end()
                tail = text[max(last, len(text) - _LONGEST) :]
        return found

    def rows(self, sheet: str, most_columns: int) -> Iterator[tuple[int, list[Any]]]:
        """(number of the row, its values from column A on) of every row that the sheet holds. Formulas are read as their last result.

        What is merged downwards stands in each row that has anything of its own, as people read it.

        Raises
        ------
        BookUnreadable
        """
        made: list[tuple[int, list[Any]]] = []
        parser = _rows_into(made, self, most_columns)
        try:
            merged = _Merged(self._merged_downwards(sheet, most_columns))
            with self.archive.open(self.sheets[sheet]) as source:
                while piece := source.read(_PIECE):
                    parser.Parse(piece, False)
                    if merged:
                        for number, row in made:
                            merged.fill(number, row)
                    yield from made
                    made.clear()
                parser.Parse(b"", True)
        except (expat.ExpatError, ValueError, IndexError, OSError, zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise BookUnreadable(type(error).__name__) from error

    def _merged_downwards(self, sheet: str, most_columns: int) -> array[int]:
        """The blocks of merged cells of more than one row, by their first row. They stand behind the rows, so the text is looked through before."""
        found, tail = array("Q"), b""
        with self.archive.open(self.sheets[sheet]) as source:
            while piece := source.read(_PIECE):
                text = tail + piece
                last = 0
                if b"mergeCell" in text:
                    for match in _MERGED.finditer(text):
                        last, top, bottom, column = match.end(), int(match[2]), int(match[3]), _column(match[1].decode())
                        if top < bottom and column < most_columns:
                            found.append(top << 40 | bottom << 16 | column)
                tail = text[max(last, len(text) - _LONGEST_MERGED) :]
        return array("Q", sorted(found))


class _Merged:
    """Writes what stands in the first row of merged cells into the rows below."""

    __slots__ = ("_blocks", "_next", "_open")

    def __init__(self, blocks: array[int]) -> None:
        self._blocks, self._next = blocks, 0
        self._open: dict[int, tuple[int, Any]] = {}

    def __bool__(self) -> bool:
        return bool(self._blocks)

    def fill(self, number: int, row: list[Any]) -> None:
        """Fill one row; rows come in their order. A row that is blank but for merged cells stays blank."""
        if any(cell not in (None, "") for cell in row):
            for column in [column for column, (bottom, _) in self._open.items() if bottom < number]:
                del self._open[column]
            for column, (_, value) in self._open.items():
                if column >= len(row):
                    row.extend([None] * (column + 1 - len(row)))
                if row[column] in (None, ""):
                    row[column] = value
        while self._next < len(self._blocks) and (block := self._blocks[self._next]) >> 40 <= number:
            column = block & 0xFFFF
            if block >> 40 == number and column < len(row):
                self._open[column] = (block >> 16 & 0xFFFFFF, row[column])
            self._next += 1


@contextmanager
def open_book(path: Path) -> Iterator[Book]:
    """A workbook (.xlsx) to read from. Raises BookUnreadable."""
    from openpyxl.reader.excel import ExcelReader
    from openpyxl.styles.stylesheet import apply_stylesheet
    from openpyxl.utils.datetime import from_excel
    from openpyxl.utils.exceptions import InvalidFileException

    with path.open("rb") as file, tempfile.TemporaryFile(dir=path.parent) as spare:  # openpyxl judges a path by its ending
        try:
            reader = ExcelReader(file, read_only=True, data_only=True, keep_links=False)
            reader.read_manifest()
            reader.read_workbook()
            apply_stylesheet(reader.archive, reader.wb)
            sheets = {
                one.name: rel.target for one, rel in reader.parser.find_sheets()
                if rel.target in reader.valid_files and "chartsheet" not in rel.Type
            }  # fmt: skip
            texts = _texts_of(reader, spare)
        except (*_BROKEN, InvalidFileException) as error:
            raise BookUnreadable(type(error).__name__) from error
        book: Any = reader.wb

        def date_of(value: Any, style: int) -> Any:
            try:
                return from_excel(value, book.epoch, timedelta=style in book._timedelta_formats)
            except (OverflowError, ValueError):
                return "#VALUE!"

        with reader.archive:
            yield Book(sheets, reader.archive, texts, date_of, frozenset(book._date_formats))


_BROKEN = (zipfile.BadZipFile, KeyError, ValueError, TypeError, AttributeError, IndexError, OSError, SyntaxError, zlib.error, EOFError, expat.ExpatError)


def _parser() -> Any:
    def refuse(*_: object) -> None:
        raise ValueError("a document type")

    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = refuse
    return parser


# ---------------------------------------------------------------- texts that cells share
class _Texts:
    """Texts by their number; beyond some megabytes they lie in a file without a name."""

    __slots__ = ("_ends", "_file", "_memory", "_spilled")

    def __init__(self, file: IO[bytes]) -> None:
        self._ends, self._file, self._memory, self._spilled = array("Q", [0]), file, bytearray(), 0

    def add(self, text: str) -> None:
        content = text.encode("utf-8", "surrogatepass")
        self._memory += content
        self._ends.append(self._ends[-1] + len(content))
        if len(self._memory) > _IN_MEMORY:
            self._file.seek(0, 2)
            self._spilled += self._file.write(self._memory)
            self._memory = bytearray()

    def __getitem__(self, number: int) -> str:
        if number < 0:
            raise IndexError(number)
        begin, end = self._ends[number], self._ends[number + 1]
        if begin >= self._spilled:
            return self._memory[begin - self._spilled : end - self._spilled].decode("utf-8", "surrogatepass")
        self._file.seek(begin)
        return self._file.read(end - begin).decode("utf-8", "surrogatepass")


def _texts_of(reader: Any, file: IO[bytes]) -> _Texts:
    from openpyxl.xml.constants import SHARED_STRINGS

    texts = _Texts(file)
    part = reader.package.find(SHARED_STRINGS)
    if part is None:
        return texts
    inside, skipped, pieces = False, 0, [""]
    parser = _parser()

    def start(tag: str, _: dict[str, str]) -> None:
        nonlocal inside, skipped
        name = tag.rpartition(":")[2]
        if name == "rPh":  # how a text is spoken
            skipped += 1
        elif name == "si":
            pieces.clear()
        inside = name == "t" and not skipped

    def end(tag: str) -> None:
        nonlocal inside, skipped
        name = tag.rpartition(":")[2]
        inside = False
        if name == "rPh":
            skipped -= 1
        elif name == "si":
            texts.add("".join(pieces).replace("x005F_", ""))

    def data(text: str) -> None:
        if inside:
            pieces.append(text)

    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, data
    with reader.archive.open(part.PartName[1:]) as source:
        while piece := source.read(_PIECE):
            parser.Parse(piece, False)
        parser.Parse(b"", True)
    return texts


# ---------------------------------------------------------------- cells
def _rows_into(made: list[tuple[int, list[Any]]], book: Book, most_columns: int) -> Any:
    """A parser that appends each finished row; rows and cells without an address of their own stand behind the one before."""
    columns: dict[str, int] = {}
    texts, dates, date_of = book.texts, book.dates, book.date_of
    number, place, skipped = 0, -1, 0
    row: list[Any] = []
    kind, style, taking = "n", 0, False
    pieces: list[str] = []

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal number, place, row, kind, style, taking, skipped
        if ":" in tag:
            tag = tag.rpartition(":")[2]
        if tag == "c":
            address = attributes.get("r")
            if address is None:
                place += 1
            else:
                letters = address.rstrip("0123456789")
                found = columns.get(letters)
                if found is None:
                    found = columns[letters] = _column(letters)
                place = found
            kind = attributes.get("t", "n")
            style = int(attributes.get("s", 0))
            pieces.clear()
        elif tag == "v":
            taking = kind != "inlineStr"
        elif tag == "t":
            taking = kind == "inlineStr" and not skipped
        elif tag == "row":
            told = attributes.get("r")
            number = number + 1 if told is None else int(float(told))
            place, row = -1, []
        elif tag == "rPh":
            skipped += 1

    def end(tag: str) -> None:
        nonlocal taking, skipped
        if ":" in tag:
            tag = tag.rpartition(":")[2]
        taking = False
        if tag == "c":
            if pieces and place < most_columns:
                text = pieces[0] if len(pieces) == 1 else "".join(pieces)
                if kind == "inlineStr" or kind == "str":
                    value: Any = text
                elif kind == "s":
                    value = texts[int(text)]
                elif kind == "n":
                    value = float(text) if "." in text or "E" in text or "e" in text else int(text)
                    if style in dates:
                        value = date_of(value, style)
                elif kind == "b":
                    value = bool(int(text))
                elif kind == "d":
                    value = _iso(text)
                else:
                    value = text
                while len(row) < place:
                    row.append(None)
                if len(row) == place:
                    row.append(value)
                else:
                    row[place] = value
        elif tag == "row":
            made.append((number, row))
        elif tag == "rPh":
            skipped -= 1

    def data(text: str) -> None:
        if taking:
            pieces.append(text)

    parser = _parser()
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, data
    return parser


def _column(letters: str) -> int:
    place = 0
    for letter in letters:
        place = place * 26 + ord(letter.upper()) - 64
    if not letters.isalpha() or not letters.isascii() or len(letters) > 3:
        raise ValueError("no address of a cell")
    return place - 1


def _iso(text: str) -> Any:
    from openpyxl.utils.datetime import from_ISO8601

    return from_ISO8601(text)
