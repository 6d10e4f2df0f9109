"""What filling a department's workbook would lose is refused with its place; what it can keep is kept."""

from __future__ import annotations

import io
import zipfile

import pytest
from openpyxl import load_workbook
from openpyxl.cell.rich_text import CellRichText, TextBlock
from openpyxl.cell.text import InlineFont
from records_kit import office_with_records
from test_server_templates import a_form, content, filled, sent


@pytest.fixture
def office(prepared_database, tmp_path, clock):
    found = office_with_records(prepared_database, tmp_path, clock)
    yield found
    found.house.engine.dispose()


DRAWING = """<xdr:wsDr xmlns:xdr="http://schemas.openxmlformats.org/drawingml/2006/spreadsheetDrawing"
 xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"><xdr:twoCellAnchor><xdr:from><xdr:col>2</xdr:col><xdr:colOff>0</xdr:colOff>
 <xdr:row>6</xdr:row><xdr:rowOff>0</xdr:rowOff></xdr:from><xdr:to><xdr:col>4</xdr:col><xdr:colOff>0</xdr:colOff><xdr:row>8</xdr:row>
 <xdr:rowOff>0</xdr:rowOff></xdr:to><xdr:sp><xdr:nvSpPr/><xdr:txBody><a:p/></xdr:txBody></xdr:sp><xdr:clientData/></xdr:twoCellAnchor></xdr:wsDr>"""
RELATIONS = """<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1"
 Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/drawing" Target="../drawings/drawing1.xml"/></Relationships>"""
BESIDE = """<extLst><ext uri="{CCE6A557-97BC-4b89-ADB6-D9C93CAAB3DF}" xmlns:x14="http://schemas.microsoft.com/office/spreadsheetml/2009/9/main">
 <x14:dataValidations xmlns:xm="http://schemas.microsoft.com/office/excel/2006/main" count="1"><x14:dataValidation type="list"><x14:formula1>
 <xm:f>其他!$A$1:$A$3</xm:f></x14:formula1><xm:sqref>D3:D9</xm:sqref></x14:dataValidation></x14:dataValidations></ext></extLst>"""


def test_text_boxes_and_newer_validations_are_refused_with_their_place(office):
    """What openpyxl would leave out without a word stands in the answer with its sheet and cell; the second sheet is not touched by it."""
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content(a_form()))) as old, zipfile.ZipFile(target, "w") as archive:
        for name in old.namelist():
            text = old.read(name)
            archive.writestr(name, text.replace(b"</worksheet>", BESIDE.encode() + b"</worksheet>") if name.endswith("sheet2.xml") else text)
        archive.writestr("xl/worksheets/_rels/sheet1.xml.rels", RELATIONS)
        archive.writestr("xl/drawings/drawing1.xml", DRAWING)
    person = office.signed_in("secretary")
    for path in ("/api/v1/templates", "/api/v1/templates/check"):
        given = {"file": (io.BytesIO(target.getvalue()), "表.xlsx")}
        answer = person.post(path, data=given, content_type="multipart/form-data")
        told = answer.json.get("problems") or answer.json["errors"]
        places = {one.get("pointer") or f"/sheets/{one['sheet']}/{one['cell']}": one["code"] for one in told}
        assert places == {"/sheets/老人/C7": "shape_lost", "/sheets/汇总/D3:D9": "validation_lost"}, path


def test_text_in_several_fonts_stays_as_it_was(office):
    """A note with a bold word keeps it in the filled table, also in each row of a list; a placeholder in two fonts is filled all the same."""
    person, book = office.signed_in("secretary"), a_form()
    page = book["老人"]
    note = CellRichText("填表人 ", TextBlock(InlineFont(b=True, rFont="宋体", sz=12, color="FF0000"), "请签字 "), "后交回")
    page["A6"], page["G3"] = note, CellRichText(note)
    page["A1"] = CellRichText(TextBlock(InlineFont(b=True), "{{社"), "区}}名册")
    _, answer = filled(office, person, sent(person, book).json["template_id"])
    found = load_workbook(io.BytesIO(answer.data), rich_text=True)["老人"]
    assert found["A8"].value == note and [found[f"G{row}"].value for row in (3, 4, 5)] == [note, note, note]
    assert found["A8"].value[1].font.rFont == "宋体" and found["A1"].value == "社区名册"
