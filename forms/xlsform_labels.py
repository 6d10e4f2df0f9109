"""Words and flags out of a workbook's cells: two languages, one of which may stand for the other."""

from __future__ import annotations

import re

from forms.xlsform_refusals import Complaints
from forms.xlsform_sheets import Row, Sheet

_YES = {"yes", "true", "true()", "1", "是"}
_NO = {"no", "false", "false()", "0", "否"}
_CHINESE = re.compile("[\u3400-\u9fff]")


class Words:
    """Reads translated cells. ``default`` is the language of columns that name none: ``zh``, ``en`` or ``""`` unsaid."""

    def __init__(self, complaints: Complaints, default: str) -> None:
        self.complaints = complaints
        self.default = default

    def of(self, sheet: Sheet, row: Row, base: str) -> dict[str, str] | None:
        """Text in both languages: what one lacks is taken from the other; None where neither is written.

        Text of a column without a language is Chinese or English by the workbook's default, else by its characters.
        A third language, and a text that shows an answer, are complained of.
        """
        found: dict[str, str] = {}
        for column in sheet.columns:
            text = row.cells.get(column.position)
            if column.base != base or text is None:
                continue
            if column.language not in ("", "zh", "en"):
                self.complaints.add(sheet.name, 1, column.position, "language", column.language)
                continue
            if "${" in text:
                self.complaints.add(sheet.name, row.number, column.position, "label_dynamic")
            language = column.language or self.default or ("zh" if _CHINESE.search(text) else "en")
            if column.language or language not in found:
                found[language] = text
        if not found:
            return None
        zh, en = found.get("zh"), found.get("en")
        return {"zh": zh or en or "", "en": en or zh or ""}

    def flag(self, sheet: Sheet, row: Row, base: str) -> bool:
        """A cell that says yes or no; no where it is empty."""
        text = sheet.get(row, base)
        if text is None or text.lower() in _NO:
            return False
        if text.lower() not in _YES:
            self.complaints.add(sheet.name, row.number, sheet.place(base), "not_yes_no")
        return text.lower() in _YES


def says(text: str) -> bool | None:
    """True or false for a cell that says so; None for anything else, for example an expression."""
    lower = text.lower()
    return True if lower in _YES else False if lower in _NO else None
