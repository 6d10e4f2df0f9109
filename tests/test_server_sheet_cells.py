"""Cells of workbooks are read as openpyxl reads them, by less work and with memory that does not grow with the sheet."""

from __future__ import annotations

import random
import tracemalloc
import zipfile
from datetime import date, datetime, time, timedelta
from pathlib import Path

import openpyxl
import pytest

from server.errors import InvalidInput
from server.services.sheet_cells import open_book
from server.services.sheet_file import MOST_COLUMNS, count_rows, open_sheet

BOOK = '<?xml version="1.0"?><worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>{}</sheetData></worksheet>'

SHARED = '<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">{}</sst>'
TEXTS = (
    b'<Override PartName="/xl/sharedStrings.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"/></Types>'
)


def ours(path, sheet=None):
    with open_sheet(path, sheet) as (_, rows):
        return [(number, list(cells)) for number, cells in rows if any(cell is not None for cell in cells)]


def theirs(path, sheet=None):
    book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    page = book[sheet] if sheet else book.worksheets[0]
    found = [(number, list(cells[:MOST_COLUMNS])) for number, cells in enumerate(page.iter_rows(values_only=True), 1)]
    book.close()
    for _, cells in found:
        while cells and cells[-1] is None:
            cells.pop()
    return [(number, cells) for number, cells in found if cells]


def with_sheet(path: Path, rows: str, shared: str | None = None) -> Path:
    """A workbook whose first sheet holds these rows as XML."""
    plain = path.with_suffix(".plain.xlsx")
    book = openpyxl.Workbook()
    book.save(plain)
    with zipfile.ZipFile(plain) as before, zipfile.ZipFile(path, "w") as after:
        for name in before.namelist():
            content = before.read(name)
            if name == "xl/worksheets/sheet1.xml":
                content = BOOK.format(rows).encode()
            if name == "[Content_Types].xml" and shared is not None:
                content = content.replace(b"</Types>", TEXTS)
            after.writestr(name, content)
        if shared is not None:
            after.writestr("xl/sharedStrings.xml", shared if shared.startswith("<!") else SHARED.format(shared))
    return path


def test_cells_of_every_kind_are_what_openpyxl_makes_of_them(tmp_path):
    """Texts, numbers, days, times, spans, truths, errors, formulas, gaps; written with and without a table of shared texts."""
    chance = random.Random(3)
    kinds = [
        None, "", "张一", " 两头 ", "a&b<c>\"", "多\n行", 1, -3, 0.5, 1e21, 12345678901234567, True, False, date(1950, 1, 2),
        datetime(2026, 3, 2, 9, 30),  # noqa: DTZ001 — a workbook knows no zones
        time(8, 15), timedelta(hours=30), "=1+1", "#N/A", "_x000D_", "𠮷",
    ]  # fmt: skip
    for only_writing in (False, True):
        book = openpyxl.Workbook(write_only=only_writing)
        page = book.create_sheet("名册", 0)
        for _ in range(60):
            page.append([chance.choice(kinds) for _ in range(chance.randrange(1, 30))])
        path = tmp_path / f"{only_writing}.xlsx"
        book.save(path)
        assert ours(path, "名册") == theirs(path, "名册") != []
        assert count_rows(path, "名册") == 60


def test_addresses_may_be_missing_and_texts_be_in_pieces(tmp_path):
    """Rows and cells without an address, rows left out, pieces of formatted text, readings of characters, results of formulas, days by ISO 8601."""
    rows = (
        "<row><c t='s'><v>1</v></c><c><v>2</v></c></row><row r='4' spans='1:9'><c r='C4' t='inlineStr'><is><r><t>张</t></r><r><rPr/><t>一</t></r></is></c>"
        "<c t='str'><f>A1</f><v>果</v></c><c r='AB4' t='e'><v>#REF!</v></c><c r='AC4' t='b'><v>1</v></c></row><row/>"
        "<row r='9'><c r='A9'><v>1E2</v></c><c r='B9' t='d'><v>2026-03-02</v></c><c t='s'/><c r='Z9'><f>1</f></c></row>"
    )
    shared = "<si><t>一</t></si><si><r><t>张</t></r><r><t xml:space='preserve'> 三</t></r><rPh sb='0' eb='1'><t>zhang</t></rPh></si>"
    path = with_sheet(tmp_path / "a.xlsx", rows, shared)
    found = dict(ours(path))
    assert found[1] == ["张 三", 2] and found[9][:2] == [100.0, date(2026, 3, 2)]
    assert found[4] == [None, None, "张一", "果", *[None] * 23, "#REF!", True]
    assert ours(path) == theirs(path) and count_rows(path) == 4


@pytest.mark.parametrize(
    "rows",
    ["<row><c t='s'><v>99</v></c></row>", "<row><c t='s'><v>-1</v></c></row>", "<row><c><v>x</v></c></row>", "<row><c r='!9'><v>1</v></c></row>", "<row><c>"],
)
def test_a_damaged_sheet_is_refused_by_name(tmp_path, rows):
    """A number of no text, no number, no address, XML that breaks off: one refusal in words."""
    path = with_sheet(tmp_path / "a.xlsx", rows)
    with pytest.raises(InvalidInput) as refused:
        ours(path)
    assert refused.value.errors[0].code == "unreadable"


def test_no_document_type_is_read(tmp_path):
    """Texts that double themselves without end do not come in."""
    hostile = '<!DOCTYPE s [<!ENTITY a "x">]><sst><si><t>&a;</t></si></sst>'
    path = with_sheet(tmp_path / "a.xlsx", "<row><c t='s'><v>0</v></c></row>", "<si><t>一</t></si>")
    assert ours(path) == [(1, ["一"])]
    path = with_sheet(tmp_path / "b.xlsx", "<row><c t='s'><v>0</v></c></row>", hostile)
    with pytest.raises(InvalidInput):
        ours(path)


def test_reading_holds_no_more_of_a_long_table_than_of_a_short_one(tmp_path):
    """Eight times the rows, and the many different texts of them, are held in the memory of a few."""
    held = []
    for count in (1_000, 8_000):
        rows = "".join(f"<row r='{n}'><c r='A{n}' t='s'><v>{n - 1}</v></c><c r='B{n}'><v>{n}</v></c></row>" for n in range(1, count + 1))
        path = with_sheet(tmp_path / f"{count}.xlsx", rows, "".join(f"<si><t>{n:0200d}</t></si>" for n in range(count)))
        with open_book(path) as book:
            tracemalloc.start()
            assert sum(1 for _ in book.rows("Sheet", 9)) == count
            held.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
    assert held[1] < held[0] * 1.5


def test_many_different_texts_lie_in_a_file(tmp_path, monkeypatch):
    """Beyond some megabytes shared texts are read from a file without a name, and are the same."""
    monkeypatch.setattr("server.services.sheet_cells._IN_MEMORY", 500)
    texts = [f"第{n}个" * (n % 5) for n in range(300)]
    rows = "".join(f"<row><c t='s'><v>{n}</v></c></row>" for n in reversed(range(300)))
    path = with_sheet(tmp_path / "a.xlsx", rows, "".join(f"<si><t>{text}</t></si>" for text in texts))
    with open_sheet(path) as (_, found):
        assert [cells[0] for _, cells in found] == texts[::-1]


@pytest.mark.parametrize("piece", [1 << 16, 60])
def test_what_is_merged_downwards_stands_in_every_row_below(tmp_path, monkeypatch, piece):
    """Beside a family once, read for each of it, wherever a piece of the file ends; not where a cell has its own text, nor across, nor beyond the block."""
    monkeypatch.setattr("server.services.sheet_cells._PIECE", piece)
    book = openpyxl.Workbook()
    page = book.active
    for row in (["名册", None, None], ["3幢", "501", "李一"], [None, None, "王二"], [], [None, None, "赵三"], ["4幢", "101", "钱四"], [None, None, "孙五"]):
        page.append(row)
    for block in ("A1:C1", "B2:B5", "A2:A5"):
        page.merge_cells(block)
    book.save(tmp_path / "a.xlsx")
    assert ours(tmp_path / "a.xlsx") == [
        (1, ["名册"]), (2, ["3幢", "501", "李一"]), (3, ["3幢", "501", "王二"]), (5, ["3幢", "501", "赵三"]), (6, ["4幢", "101", "钱四"]),
        (7, [None, None, "孙五"]),
    ]  # fmt: skip
