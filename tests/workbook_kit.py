"""Workbooks for tests: sheets as lists of rows, the first of which is the head."""

from __future__ import annotations

import io
from typing import Any

import openpyxl

from forms.xlsform_read import XlsformRefused, read_xlsform

Sheets = dict[str, list[list[Any]]]


def workbook(sheets: Sheets) -> io.BytesIO:
    """An XLSX file in memory."""
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    target = io.BytesIO()
    book.save(target)
    target.seek(0)
    return target


def survey(*rows: list[Any], head: str = "type name label", **sheets: list[list[Any]]) -> io.BytesIO:
    """A workbook with these rows in its survey, called ``water``."""
    return workbook({"survey": [head.split(), *rows], "settings": [["form_id"], ["water"]], **sheets})


def refusals(file: io.BytesIO) -> list[tuple[str, str]]:
    """Place and code of everything that a workbook is refused for."""
    try:
        read_xlsform(file)
    except XlsformRefused as refused:
        return [(one.place, one.code) for one in refused.refusals]
    return []
