"""Filling a template: lists grow, figures and values are put in, and where each of them came from is told."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Protocol

from forms.template_grammar import Listing, Placeholder
from server.errors import InputError, InvalidInput
from server.services.tables import put_text, yes_no
from server.services.template_book import BookPlan, Spot
from server.services.template_rows import RowMap, grow

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_FILLED = 1_000_000
"""Cells of one filled workbook: it is put together in memory."""


@dataclass(frozen=True, slots=True)
class Line:
    """One record of a list: what it is, and its columns as a person reads them."""

    record_id: str
    values: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Figure:
    """One number (or date) with the records that it counts."""

    value: Any
    ids: tuple[str, ...]


class Answers(Protocol):
    """Where a filling gets its contents from."""

    def lines(self, listing: Listing) -> Sequence[Line]:
        """The records of a list in its order."""

    def figure(self, placeholder: Placeholder, row: Line | None) -> Figure:
        """A figure; ``row`` is the line of the list that it stands in."""

    def value(self, word: str) -> Any:
        """What a run gives: a name, a day, a number."""

    def shown(self, source: str, column: str, line: Line, *, coded: bool) -> Any:
        """A column of a record for people, or its code."""


@dataclass(frozen=True, slots=True)
class Trace:
    """Where a filled place came from: a row of a list (``cell`` empty) or one cell; the source; record ids."""

    sheet: str
    row: int
    cell: str
    at: str
    source: str
    ids: tuple[str, ...]


def fill(book: Any, plan: BookPlan, answers: Answers, told: Callable[[int], None] | None = None) -> list[Trace]:
    """Fill a workbook in place; where everything came from. ``told`` hears of the rows of lists.

    Raises
    ------
    InvalidInput
        More cells than one workbook can hold here.
    """
    lines = {
        (sheet.title, row): list(answers.lines(listing)) for sheet in plan.sheets.values() for row, listing in sheet.lists.items()
    }
    widths = {page.title: page.max_column for page in book.worksheets}
    if sum(len(found) * widths[title] for (title, _), found in lines.items()) > MOST_FILLED:
        message = f"more than {MOST_FILLED} cells: narrow the condition, or fill cell by cell"
        raise InvalidInput(message, errors=[InputError("/template", "too_many_rows", message)])
    maps = {
        sheet.title: RowMap({row: len(lines[sheet.title, row]) for row in sheet.lists}) for sheet in plan.sheets.values()
    }
    grow(book, maps)
    traces: list[Trace] = []
    for sheet in plan.sheets.values():
        page, rows = book[sheet.title], maps[sheet.title]
        for row, spots in sorted(sheet.spots.items()):
            if row not in sheet.lists:
                for spot in spots:
                    _put(page, rows.start(row), spot, None, 0, answers, traces)
                continue
            found: list[Line | None] = list(lines[sheet.title, row]) or [None]
            for number, line in enumerate(found, 1):
                place = rows.start(row) + number - 1
                for spot in spots:
                    _put(page, place, spot, line, number, answers, traces)
                if line is not None:
                    traces.append(Trace(sheet.title, place, "", f"{row}", sheet.lists[row].source, (line.record_id,)))
            if told is not None:
                told(len(lines[sheet.title, row]))
    for name in (*book.defined_names.values(), *(one for page in book.worksheets for one in page.defined_names.values())):
        if "{{" in (name.comment or ""):
            name.comment = None
    book.calculation.fullCalcOnLoad = True
    return traces


def saved(book: Any) -> bytes:
    """The workbook as a file."""
    target = io.BytesIO()
    book.save(target)
    return target.getvalue()


def _put(
    page: Any, row: int, spot: Spot, line: Line | None, number: int, answers: Answers, traces: list[Trace]
) -> None:
    cell = page.cell(row, spot.column)
    parts: list[Any] = []
    position = 0
    for one in spot.placeholders:
        if one.start > position:
            parts.append(spot.text[position : one.start])
        position = one.end
        parts.append(_value(one, line, number, answers, page.title, cell, spot, traces))
    if position < len(spot.text):
        parts.append(spot.text[position:])
    if len(parts) == 1:
        _set(cell, parts[0])
    elif (total := _sum(spot, parts)) is not None:
        _set(cell, total)
    else:
        _set(cell, "".join("" if part is None else _said(part) for part in parts))


def _sum(spot: Spot, parts: Sequence[Any]) -> Any:
    """The sum of a cell that holds nothing but figures with ``+`` between them; None for any other text."""
    between = [part for part in parts[1::2] if not isinstance(part, str) or part.strip() not in ("+", "＋")]
    if between or len(parts) % 2 == 0 or any(one.kind != "figure" for one in spot.placeholders) or spot.text[:2] != "{{":
        return None
    numbers = [part or 0 for part in parts[::2]]
    return sum(numbers) if all(isinstance(one, int | float) and not isinstance(one, bool) for one in numbers) else None


def _value(
    one: Placeholder, line: Line | None, number: int, answers: Answers, sheet: str, cell: Any, spot: Spot, traces: list[Trace]
) -> Any:
    if one.kind == "value":
        return answers.value(one.word)
    if one.kind == "figure":
        if line is None and one.listing is not None and one.listing.by_row:
            return None
        found = answers.figure(one, line)
        source = one.listing.source if one.listing is not None else ""
        traces.append(Trace(sheet, cell.row, cell.coordinate, spot.coordinate, source, found.ids))
        return found.value
    if line is None:
        return None
    if one.kind == "number":
        return number
    assert one.listing is not None and one.column is not None
    return answers.shown(one.listing.source, one.column, line, coded=one.coded)


def _set(cell: Any, value: Any) -> None:
    from openpyxl.styles.numbers import is_date_format

    if value is None:
        cell.value = None
    elif isinstance(value, bool):
        put_text(cell, yes_no(value))
    elif isinstance(value, date):
        if is_date_format(cell.number_format):
            cell.value = value
        else:
            put_text(cell, value.isoformat())
    elif isinstance(value, int | float):
        cell.value = value
    else:
        put_text(cell, str(value))


def _said(part: Any) -> str:
    return yes_no(part) if isinstance(part, bool) else part.isoformat() if isinstance(part, date) else str(part)
