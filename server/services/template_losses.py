"""What a workbook holds on its sheets that the filling could not keep: shapes, and rules that newer programs write beside the plain ones."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_SHAPES = frozenset({"sp", "cxnSp", "grpSp", "contentPart", "AlternateContent"})
_BESIDE = (
    (re.compile(rb"<(?:\w+:)?dataValidation[\s>].*?<(?:\w+:)?sqref>([^<]+)<", re.DOTALL), "validation", "引用其他工作表的数据有效性", "data validation of the newer kind"),
    (re.compile(rb"<(?:\w+:)?sparkline>.*?<(?:\w+:)?sqref>([^<]+)<", re.DOTALL), "sparkline", "迷你图", "a sparkline"),
)
"""What stands in the extensions of a sheet (extLst), which openpyxl leaves out."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a template cannot be used: sheet and cell (empty for the whole workbook), kind, words."""

    sheet: str
    cell: str
    code: str
    message_zh: str
    message_en: str


def losses(content: bytes) -> list[Fault]:
    """Every text box, shape, newer validation and sparkline with its sheet and cell; none for a workbook that is kept whole."""
    found: list[Fault] = []
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for title, path in _sheets(archive):
            found += [_lost(title, cell, "shape", "文本框或图形", "a text box or shape") for cell in _shapes(archive, path)]
            _, _, tail = archive.read(path).partition(b"</sheetData>")
            _, begun, beside = tail.partition(b"<extLst")
            for pattern, code, zh, en in _BESIDE if begun else ():
                found += [_lost(title, one.decode().split()[0], code, zh, en) for one in pattern.findall(beside)]
    return found


def _lost(sheet: str, cell: str, code: str, zh: str, en: str) -> Fault:
    return Fault(sheet, cell, f"{code}_lost", f"这里有{zh}，填表后会丢失，请先删去", f"{en} stands here, which filling would lose: remove it")


def _sheets(archive: zipfile.ZipFile) -> Iterator[tuple[str, str]]:
    """(title, path) of every worksheet."""
    from openpyxl.packaging.relationship import get_dependents, get_rels_path
    from openpyxl.xml.functions import fromstring

    names = set(archive.namelist())
    if not {"xl/workbook.xml", "xl/_rels/workbook.xml.rels"} <= names:
        return
    paths = {one.id: str(one.target) for one in get_dependents(archive, get_rels_path("xl/workbook.xml"))}
    for one in fromstring(archive.read("xl/workbook.xml")).iter():
        if _kind(one) == "sheet":
            path = next((paths[value] for key, value in one.attrib.items() if key.endswith("}id") and value in paths), None)
            if path in names:
                yield str(one.get("name")), path


def _shapes(archive: zipfile.ZipFile, path: str) -> Iterator[str]:
    """The cell of each shape on a sheet; charts and pictures are told by their files."""
    from openpyxl.packaging.relationship import get_dependents, get_rels_path
    from openpyxl.utils import get_column_letter
    from openpyxl.xml.functions import fromstring

    relations = get_rels_path(path)
    if relations not in archive.namelist():
        return
    for drawing in get_dependents(archive, relations):
        if not str(drawing.Type).endswith("/drawing") or drawing.target not in archive.namelist():
            continue
        for anchor in fromstring(archive.read(drawing.target)):
            if {_kind(one) for one in anchor.iter()} & _SHAPES:
                corner = {_kind(one): one.text or "0" for start in anchor.iter() if _kind(start) == "from" for one in start}
                yield f"{get_column_letter(int(corner['col']) + 1)}{int(corner['row']) + 1}" if corner.keys() >= {"col", "row"} else ""


def _kind(element: Any) -> str:
    return str(element.tag).rpartition("}")[2]
