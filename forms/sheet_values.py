"""From the cell of a table to the value of a field: dates as people write them, codes by their labels, numbers that Excel spoiled."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import date, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from forms.sheet_columns import sheet_words

if TYPE_CHECKING:
    from forms.definition import FieldSpec

_DATE = re.compile(
    r"(\d{4})\s*[-/.年]\s*(\d{1,2})(?:\s*[-/.月]\s*(\d{1,2})\s*[日号]?|\s*月份?)?\s*(?:出?生)?"
    r"(?:[T\s]\s*\d{1,2}[:时点]\d{1,2}(?:分|:\d{1,2}(?:\.\d+)?)?\s*(?:Z|[+-]\d{2}:?\d{2})?)?"
)
_DIGITS = re.compile(r"\d{8}|\d{6}")
_YEAR = re.compile(r"(1[89]\d\d|20\d\d)\s*年?(?:出?生)?")
_NUMBER = re.compile(r"(-?\d+(?:\.\d+)?)\s*(?:m2|平方米|平米|人|层|岁|间)?")
_BETWEEN = re.compile(r"[,，、;；/\n]+")
_YES = frozenset({"是", "有", "√", "y", "yes", "true", "1", "对"})
_NO = frozenset({"否", "无", "没有", "×", "n", "no", "false", "0"})
_NOTHING = frozenset({"", "-", "—", "/", "无", "暂无", "不详", "null", "none"})
_LONGEST_EXACT = 15  # digits that a number cell of a workbook keeps


class CellRefused(ValueError):
    """A cell that cannot become a value. ``code`` names why, ``message_zh`` and ``message_en`` say it; none holds the cell."""

    def __init__(self, code: str, message_zh: str, message_en: str) -> None:
        super().__init__(message_en)
        self.code, self.message_zh, self.message_en = code, message_zh, message_en


def cell_text(cell: Any) -> str:
    """A cell as text: dates as ``YYYY-MM-DD``, whole numbers without a point, full-width digits made half-width.

    Raises
    ------
    CellRefused
        A number of more than 15 digits: the workbook has already lost its last ones.
    """
    if type(cell) is str:  # most of them
        return cell.strip() if cell.isascii() else unicodedata.normalize("NFKC", cell).strip()
    if cell is None:
        return ""
    if isinstance(cell, datetime):
        return cell.date().isoformat()
    if isinstance(cell, date):
        return cell.isoformat()
    if isinstance(cell, bool):
        return "是" if cell else "否"
    if isinstance(cell, int | float):
        if abs(cell) >= 10**_LONGEST_EXACT:
            raise CellRefused(
                "digits_lost", "单元格是数字格式，超过 15 位的号码已失真，请改为文本后重填",
                "the cell is a number; digits beyond the 15th are lost: make it text and type it again",
            )  # fmt: skip
        return str(int(cell)) if float(cell).is_integer() else repr(cell)
    return unicodedata.normalize("NFKC", str(cell)).strip()


def says_nothing(text: str) -> bool:
    """Whether the text of a cell stands for an empty one: a dash, a stroke, ``无``."""
    return text.casefold() in _NOTHING


def cell_value(target: str, spec: FieldSpec, cell: Any) -> Any:
    """The value of a field from a cell, None for an empty one; the form's own check comes after.

    Parameters
    ----------
    target : as in `forms.sheet_columns`, for the words that stand for codes
    spec : the field

    Raises
    ------
    CellRefused
    """
    text = _date_text(cell) if spec.type == "date" else cell_text(cell)
    if not text or (says_nothing(text) and spec.type not in ("boolean", "select_one")):
        return None
    reader = _READERS.get(spec.type)
    return text if reader is None else reader(target, spec, text)


def birth_values(cell: Any) -> dict[str, str]:
    """``birth_date`` of a cell, with ``birth_precision`` where it names a month or a year only; nothing of an empty one.

    Raises
    ------
    CellRefused
    """
    text = _date_text(cell)
    if says_nothing(text):
        return {}
    year = _YEAR.fullmatch(text)
    if year is not None:
        return {"birth_date": _day_of(year[1], "1", "1"), "birth_precision": "year"}
    parts = _parts(text)
    return {"birth_date": _day_of(*parts)} | ({} if parts[2] else {"birth_precision": "month"})


def _date_text(cell: Any) -> str:
    """The text of a cell that holds a date. Raises CellRefused at a number such as 1950.1: typed 1950.10 it would be the same number."""
    text = cell_text(cell)
    if isinstance(cell, float) and text.partition(".")[2] == "1":
        raise CellRefused(
            "digits_lost", "单元格是数字格式，1 月和 10 月已分不清，请改为文本后重填",
            "the cell is a number; January and October are the same there: make it text and type it again",
        )  # fmt: skip
    return text


def _date(_target: str, _spec: FieldSpec, text: str) -> str:
    return _day_of(*_parts(text))


def _parts(text: str) -> tuple[str, str, str]:
    """Year, month and day of a date as people write it; no day where it names a month."""
    parts = _DATE.fullmatch(text)
    if parts is not None:
        return parts[1], parts[2], parts[3] or ""
    if _DIGITS.fullmatch(text):
        return text[:4], text[4:6], text[6:]
    raise CellRefused("not_a_date", "不是日期", "not a date")


def _day_of(year: str, month: str, day: str) -> str:
    """The day in ISO 8601, the first of a month where none is told."""
    try:
        return date(int(year), int(month), int(day or "1")).isoformat()
    except ValueError:
        raise CellRefused("not_a_date", "不是日历上的日期", "no day of the calendar") from None


def _code(target: str, spec: FieldSpec, text: str) -> str | None:
    found = _codes(spec, target).get(text.casefold())
    if found is None:
        if says_nothing(text):
            return None
        raise CellRefused("unknown_word", "不在代码表中", "not a word of the code list")
    return found


def _many_codes(target: str, spec: FieldSpec, text: str) -> list[str]:
    found = [_code(target, spec, part.strip()) for part in _BETWEEN.split(text) if part.strip()]
    return [code for code in found if code is not None]


@lru_cache(maxsize=256)
def _codes(spec: FieldSpec, target: str) -> Mapping[str, str]:
    entries = spec.codes.entries.values() if spec.codes is not None else ()
    by_word: dict[str, str] = {}
    for entry in entries:
        code = entry.replaced_by if entry.retired and entry.replaced_by else entry.code
        for word in (entry.code, entry.zh, entry.en, entry.zh.removesuffix("族")):
            by_word.setdefault(word.casefold(), code)
    for word, code in sheet_words()["words"].get(target, {}).items():
        if spec.codes is not None and code in spec.codes.entries:
            by_word[word.casefold()] = code
    return by_word


def _boolean(_target: str, _spec: FieldSpec, text: str) -> bool:
    if text.casefold() in _YES:
        return True
    if text.casefold() in _NO:
        return False
    raise CellRefused("not_yes_or_no", "应为“是”或“否”", "yes or no is expected")


def _number(_target: str, spec: FieldSpec, text: str) -> int | float:
    parts = _NUMBER.fullmatch(text.replace(",", ""))
    if parts is None:
        raise CellRefused("not_a_number", "不是数字", "not a number")
    found = float(parts[1])
    return int(found) if spec.type == "integer" and found.is_integer() else found


def _set(_target: str, _spec: FieldSpec, text: str) -> list[str]:
    return [part.strip() for part in _BETWEEN.split(text) if part.strip()]


_READERS: dict[str, Callable[[str, FieldSpec, str], Any]] = {
    "date": _date,
    "select_one": _code,
    "select_multiple": _many_codes,
    "boolean": _boolean,
    "integer": _number,
    "decimal": _number,
    "text_set": _set,
}
