"""Real workbooks import whole or are refused with places. The table stands in docs/xlsform.md."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from forms.registry import load_registry
from forms.xlsform_read import XlsformRefused, read_xlsform

PAGE = Path(__file__).resolve().parent.parent / "docs" / "xlsform.md"


def _workbooks(field_data):
    return sorted((field_data / "forms").glob("*.xlsx"))


def _line(path: Path) -> str:
    try:
        form = read_xlsform(path, name=path.stem)
    except XlsformRefused as refused:
        counts = Counter(one.code for one in refused.refusals)
        first = {one.code: one.place for one in reversed(refused.refusals)}
        why = ", ".join(f"`{code}` {counts[code]} (first {first[code]})" for code in sorted(counts))
        return f"| `{path.name}` | {len(refused.refusals)} refusals | {why} |"
    fields, lists = len(form.definition["fields"]), len(form.codelists)
    return f"| `{path.name}` | imported | {fields} fields, {lists} code lists |"


def table(field_data: Path) -> str:
    """The rows of the page, as they must be."""
    head = ["| Workbook | | |", "|---|---|---|"]
    return "\n".join(head + [_line(path) for path in _workbooks(field_data)]) + "\n"


def test_every_real_workbook_is_imported_whole_or_refused_with_places(field_data):
    """Whoever brings a workbook from another system is told each cell that must change, or gets all of it."""
    found = _workbooks(field_data)
    assert len(found) >= 15
    for path in found:
        try:
            form = read_xlsform(path, name=path.stem)
        except XlsformRefused as refused:
            assert refused.refusals
            for one in refused.refusals:
                assert re.fullmatch(r"(survey|choices|settings)!([A-Z]{1,2}[0-9]+|[0-9]+)|external_choices", one.place)
                assert one.message_zh and one.message_en
        else:
            registry = load_registry([form.definition], form.codelists)
            assert registry.latest(form.definition["name"]).fields


def test_the_page_says_what_became_of_each(field_data):
    """The table of real workbooks in docs/xlsform.md is what the program does today."""
    assert PAGE.read_text(encoding="utf-8").partition("<!-- workbooks -->\n")[2] == table(field_data)


@pytest.mark.parametrize("name", ["settlement_profile"])
def test_a_real_workbook_keeps_every_question(field_data, name):
    """A form that imports has a field for each of its questions and a screen for each of its groups."""
    import openpyxl

    rows = list(openpyxl.load_workbook(field_data / "forms" / f"{name}.xlsx")["survey"].iter_rows(values_only=True))
    types = [str(row[0]).split()[0] for row in rows[1:] if row[0]]
    asked = [one for one in types if one not in ("begin", "end", "note")]
    form = read_xlsform(field_data / "forms" / f"{name}.xlsx", name=name)
    assert len(form.definition["fields"]) == len(asked) + 1  # and the household that the answers are linked to
    assert form.definition["fields"][0]["ref_type"] == "household"
