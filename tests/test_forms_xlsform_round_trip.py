"""Out and in again: every record type of the house, and generated ones, come back as they were."""

from __future__ import annotations

import io

import openpyxl
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from forms.calculation import in_circles
from forms.codelist import read_code_list
from forms.errors import DefinitionError
from forms.expressions import fields_used, parse
from forms.loading import read_record_type
from forms.registry import load_registry
from forms.xlsform_read import read_xlsform
from forms.xlsform_write import canonical, plain_document, write_xlsform

REGISTRY = load_registry()
LISTS = [{
    "name": "round_source", "label": {"zh": "水源", "en": "Source"}, "standard": None, "source": "Made for this test.", "note": "",
    "entries": [
        {"code": "tap", "zh": "自来水", "en": "Tap"}, {"code": "01", "zh": "井", "en": "=Well", "parent": "tap"},
        {"code": "old", "zh": "旧", "en": "Old", "retired": True, "replaced_by": "tap"},
    ],
}]  # fmt: skip
KNOWN = REGISTRY.codelists() | {one["name"]: read_code_list(one) for one in LISTS}


def _again(record_type):
    file = io.BytesIO()
    write_xlsform(record_type, file)
    file.seek(0)
    return read_xlsform(file)


@pytest.mark.parametrize("name", REGISTRY.types())
def test_every_record_type_comes_back_as_it_was(name):
    """A form that was sent out as a workbook and sent back unchanged is the same form, to the last rule and label."""
    record_type = REGISTRY.latest(name)
    form = _again(record_type)
    assert form.definition == canonical(plain_document(record_type))
    assert form.codelists == ()  # the house has them already
    assert load_registry().latest(name).name == name


WORDS = st.text(st.sampled_from("abc XYZ 水户门=<>&'\"_\n1,;-"), min_size=1, max_size=12).map(str.strip).filter(bool)
LABELS = st.builds(lambda zh, en: {"zh": zh, "en": en}, WORDS, WORDS)
NUMBERS = st.one_of(st.integers(-1000, 1000), st.floats(-1000, 1000).map(lambda x: round(x, 3)).filter(lambda x: x % 1))
CONDITIONS = {
    "text": ["string-length(.) > 2", "regex(., '[0-9]+')", ". != 'x'"],
    "integer": [". != 3", ". mod 2 = 0 or . > 100"],
    "decimal": [". != 0.5", ". > -1.5"],
    "date": [". > '1900-01-01'"],
    "select_one": [". != 'old'"],
}
DEFAULTS = {
    "text": ["some words", "0012"], "integer": [0, -3, 12], "decimal": [0, 0.25, -1.5], "boolean": [True, False], "date": ["2026-03-02"],
    "select_one": ["tap", "01"], "select_multiple": [["01", "tap"]], "datetime": ["2026-03-02T01:00:00Z"],
}  # fmt: skip
CALCULATIONS = {
    "text": ["if(${%s} != '', 'x', 'y')"], "integer": ["number(${%s}) + 1", "count-selected(${%s})"], "decimal": ["number(${%s}) div 2"],
    "boolean": ["${%s} != ''"], "date": ["today()"], "datetime": ["today() - 7"], "select_one": ["if(${%s} != '', 'tap', '01')"],
}  # fmt: skip
TYPES = [
    "text",
    "integer",
    "decimal",
    "boolean",
    "date",
    "datetime",
    "select_one",
    "select_multiple",
    "text_set",
    "ref",
    "location",
]


@st.composite
def _field(draw, name):
    kind = draw(st.sampled_from(TYPES))
    field = {
        "name": name,
        "type": kind,
        "label": draw(LABELS),
        "privacy": draw(st.sampled_from(["public", "internal", "personal"])),
    }
    if kind in ("select_one", "select_multiple"):
        field["codelist"] = draw(st.sampled_from(["round_source", "sex", "ethnic"]))
    if kind == "ref":
        field["ref_type"] = draw(st.sampled_from(["household", "person"]))
    maybe = st.booleans()
    if draw(maybe):
        field["required"] = True
    if kind not in ("location", "boolean", "decimal") and draw(maybe):
        field["indexed"] = True
    if draw(maybe):
        field["hint"] = draw(LABELS)
    if kind in ("integer", "decimal"):
        low, high = sorted((draw(NUMBERS), draw(NUMBERS)))
        if draw(maybe):
            field["min"] = min(low, -1000)
        if draw(maybe):
            field["max"] = max(high, 1000)
    if kind in CONDITIONS and field.get("codelist") in (None, "round_source") and draw(maybe):
        field["constraint"] = {"text": draw(st.sampled_from(CONDITIONS[kind])), "message": draw(LABELS)}
    elif kind in DEFAULTS and field.get("codelist") in (None, "round_source") and draw(maybe):
        field["default"] = draw(st.sampled_from(DEFAULTS[kind]))
    for key, allowed in (("measure", True), ("note", True), ("source", True)):
        if allowed and draw(maybe):
            field[key] = draw(WORDS)
    if kind == "text" and draw(maybe):
        field["max_length"] = draw(st.integers(10, 500))
    if draw(maybe):
        field["policy"] = {"text_set": "union", "select_multiple": "union"}.get(
            kind, draw(st.sampled_from(["last", "keep", "review"]))
        )
    return field


def _open_circles(fields, screens):
    """Drop the calculations that would need their own value: no form has them."""
    around = {name: screen["relevant"] for screen in screens if "relevant" in screen for name in screen["fields"]}
    reads = {}
    for field in fields:
        texts = (field.get("calculation"), field.get("relevant"), around.get(field["name"]))
        reads[field["name"]] = {name for text in texts if text is not None for name in fields_used(parse(text))}
    for name in in_circles(reads, [field["name"] for field in fields if "calculation" in field]):
        next(field for field in fields if field["name"] == name).pop("calculation")


@st.composite
def definitions(draw):
    """Definitions as the workbook can say them: one view, every expression in our own subset."""
    names = draw(st.lists(st.from_regex(r"[a-z][a-z0-9_]{0,10}", fullmatch=True), min_size=1, max_size=7, unique=True))
    names = [name for name in names if name != "anchor"] or ["a"]
    fields = [draw(_field(name)) for name in names]
    rules = []
    for field in fields:
        other = draw(st.sampled_from(names))
        if draw(st.booleans()):
            field["relevant"] = draw(
                st.sampled_from([f"${{{other}}} != ''", f"${{{other}}} > 3 and true()", f"not(${{{other}}} = 'a')"])
            )
            if not field.get("required") and draw(st.booleans()):
                holds = f"${{{field['name']}}} != '' or not({field['relevant']})"
                rules.append(
                    {
                        "name": f"{field['name']}_required",
                        "holds": holds,
                        "fields": [field["name"]],
                        "message": draw(LABELS),
                    }
                )
        if "constraint" not in field and draw(st.booleans()):
            holds = f"${{{field['name']}}} = '' or ${{{field['name']}}} <= today()"
            rules.append(
                {
                    "name": f"{field['name']}_condition",
                    "holds": holds,
                    "fields": [field["name"]],
                    "message": draw(LABELS),
                }
            )
    for field in fields:
        if field["type"] in CALCULATIONS and draw(st.booleans()):
            written = draw(st.sampled_from(CALCULATIONS[field["type"]]))
            field["calculation"] = written % draw(st.sampled_from(names)) if "%s" in written else written
    shown = [name for name in names if draw(st.booleans())]
    cut = draw(st.integers(0, len(shown)))
    screens = []
    for number, members in enumerate((shown[:cut], shown[cut:][::-1])):
        if members:
            screen = {"name": f"s{number}", "label": draw(LABELS), "fields": members}
            if draw(st.booleans()):
                screen["relevant"] = f"${{{names[0]}}} != ''"
            if draw(st.booleans()):
                note = {
                    "name": f"note_{number}_",
                    "label": draw(LABELS),
                    **({"before": members[-1]} if draw(st.booleans()) else {}),
                }
                screen["notes"] = [note]
            screens.append(screen)
    _open_circles(fields, screens)
    refs = [field["name"] for field in fields if field["type"] == "ref"]
    return {
        "name": "round", "version": draw(st.integers(1, 10**9)), "label": draw(LABELS), "note": draw(st.one_of(st.just(""), WORDS)),
        "server_made": False, "subject": None, "placed_by": refs, "parents": refs[:1], "fields": fields, "units": [],
        "constraints": draw(st.permutations(rules)), "views": [{"name": "survey", "label": draw(LABELS), "screens": screens}] if screens else [],
    }  # fmt: skip


# Each example is a file that is written and read: shrinking one takes minutes and is done by hand.
@settings(suppress_health_check=[HealthCheck.too_slow], phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(definitions())
def test_a_generated_form_comes_back_as_it_was(definition):
    """Whatever can be declared can leave as a workbook and come back without a difference."""
    form = _again(read_record_type(definition, KNOWN.__getitem__))
    assert form.definition == canonical(definition) == definition
    known = {one["name"] for one in LISTS}
    assert list(form.codelists) == [
        one for one in LISTS if one["name"] in {f.get("codelist") for f in definition["fields"]} & known
    ]


def test_other_programs_find_an_ordinary_form():
    """The workbook of the register of persons opens anywhere: standard columns, groups, limits and lists."""
    file = io.BytesIO()
    write_xlsform(REGISTRY.latest("resource"), file)
    book = openpyxl.load_workbook(file, read_only=True)
    head, *rows = book["survey"].iter_rows(values_only=True)
    cells = [dict(zip(head, row, strict=False)) for row in rows]
    assert cells[0]["type"] == "begin_group" and cells[-1]["type"] == "end_group"
    capacity = next(row for row in cells if row.get("name") == "capacity_count")
    assert (capacity["type"], capacity["constraint"]) == ("integer", ". >= 0 and . <= 1000000")
    assert (capacity["label::中文 (zh)"], capacity["label::English (en)"]) == ("容纳人数", "Capacity in persons")
    assert next(row for row in cells if row.get("name") == "anchor")["type"] == "geopoint"
    assert next(row for row in cells if row.get("name") == "name")["required"] == "yes"
    lists = {row[0] for row in book["choices"].iter_rows(min_row=2, values_only=True)}
    assert lists == {"resource_kind", "resource_category", "measure_unit"}


def test_what_a_workbook_cannot_say_is_refused_on_the_way_out():
    """A form that would come back different does not leave."""
    screen = {"name": "s", "label": {"zh": "屏", "en": "S"}, "fields": ["a"]}
    view = {"name": "v", "label": {"zh": "屏", "en": "V"}, "screens": [screen]}
    field = {"name": "a", "type": "text", "label": {"zh": "甲", "en": "A"}, "privacy": "internal"}
    base = {"name": "two", "version": 1, "label": {"zh": "二", "en": "Two"}, "fields": [field]}
    for views in ([view, {**view, "name": "w"}], [{**view, "screens": [screen, {**screen, "name": "t"}]}]):
        with pytest.raises(DefinitionError):
            _again(load_registry([{**base, "views": views}]).latest("two"))


def test_a_changed_cell_is_a_changed_form():
    """Who edits a limit or a label in the workbook gets that limit and that label, and nothing else changes."""
    file = io.BytesIO()
    write_xlsform(REGISTRY.latest("visit"), file)
    book = openpyxl.load_workbook(file)
    sheet = book["survey"]
    head = [cell.value for cell in sheet[1]]
    row = next(row for row in sheet.iter_rows(min_row=2) if row[head.index("name")].value == "attempt_number")
    row[head.index("label::中文 (zh)")].value = "第几趟"
    row[head.index("constraint")].value = ". >= 1 and . <= 9"
    edited = io.BytesIO()
    book.save(edited)
    edited.seek(0)
    fields = {field["name"]: field for field in read_xlsform(edited).definition["fields"]}
    before = {field["name"]: field for field in canonical(plain_document(REGISTRY.latest("visit")))["fields"]}
    assert fields["attempt_number"]["label"]["zh"] == "第几趟"
    assert fields["attempt_number"]["constraint"]["text"] == ". >= 1 and . <= 9"
    assert {name for name in fields if fields[name] != before[name]} == {"attempt_number"}
