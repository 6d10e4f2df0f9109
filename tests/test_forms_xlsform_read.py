"""Workbooks in: what becomes of each column, and every reason for a refusal with its place."""

from __future__ import annotations

import io
from datetime import date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from workbook_kit import refusals, survey, workbook

from forms.findings import findings
from forms.registry import load_registry
from forms.validate import validator
from forms.xlsform_read import XlsformRefused, read_xlsform

TRANSLATED = "type name label::中文 (zh) label::English (en)"


def _water():
    return workbook(
        {
            "survey": [
                ["type", "name", "label::中文 (zh)", "label::English (en)", "hint::中文 (zh)", "required", "relevant",
                 "constraint", "constraint_message::中文 (zh)", "calculation", "default", "appearance"],
                ["note", "hello", "您好", "Hello"],
                ["select_one source", "Source", "水源", "Source", "看一看", "yes", None, None, None, None, "tap"],
                ["begin group", "use", "用水", "Use", None, None, "${Source} != 'none'"],
                ["integer", "litres", "升", "Litres", None, "yes", None, ". >= 0 and . <= 5000", "太多", None, 20],
                ["date", "since", "起始", "Since", None, None, None, ". <= today()"],
                ["begin group", "problems", "问题", "Problems", None, None, "${litres} < 50"],
                ["select_multiple trouble", "troubles", "困难", "Troubles"],
                ["end group"],
                ["calculate", "per_day", None, None, None, None, None, None, None, "${litres} div 7"],
                ["end group"],
                ["geopoint", "where", "位置", "Where"],
                ["dateTime", "seen_at", "时间", "Seen at"],
                ["remark without a question"],
            ][:-1],
            "choices": [
                ["list name", "name", "label::中文 (zh)", "label::English (en)"],
                ["source", "tap", "自来水", "Tap"], ["source", "well", "井", "Well"], ["source", "none", "无", "None"],
                ["trouble", 1, "水压", "Pressure"], ["trouble", 2, "水质", "Quality"],
                ["unused", "x", None, None],
            ],
            "settings": [["form_id", "form_title", "version", "default_language"], ["Water-Survey", "用水调查", 3, "中文 (zh)"]],
        }
    )  # fmt: skip


def test_a_special_survey_becomes_a_record_type():
    """A workbook drawn up at a desk is a form that phones can show, with both languages, rules and lists."""
    form = read_xlsform(_water())
    registry = load_registry([form.definition], form.codelists)
    record_type = registry.latest("water_survey")
    assert (record_type.version, record_type.label["zh"]) == (3, "用水调查")
    assert {name: spec.type for name, spec in record_type.fields.items()} == {
        "household": "ref",
        "source": "select_one",
        "litres": "integer",
        "since": "date",
        "troubles": "select_multiple",
        "per_day": "decimal",
        "where": "location",
        "seen_at": "datetime",
    }
    source = record_type.fields["source"]
    assert (source.required, source.default, source.hint["zh"], source.codes.label_of("well", "en")) == (
        True,
        "tap",
        "看一看",
        "Well",
    )
    assert record_type.fields["troubles"].codes.name == "water_survey_trouble"
    assert [one["name"] for one in form.codelists] == ["water_survey_source", "water_survey_trouble"]
    assert record_type.fields["litres"].constraint.message["zh"] == "太多"
    screens = record_type.views[0].screens
    assert [(screen.name, screen.fields) for screen in screens] == [
        ("main", ("household", "source")),
        ("use", ("litres", "since")),
        ("problems", ("troubles",)),
        ("use_2", ("per_day",)),
        ("main_2", ("where", "seen_at")),
    ]
    assert screens[0].notes[0].before == "source"
    served = record_type.document["views"][0]["screens"]
    assert served[2]["relevant"]["text"] == "${source} != 'none' and ${litres} < 50"
    assert served[3]["relevant"]["text"] == "${source} != 'none'"


def test_what_is_not_always_asked_is_not_always_needed():
    """A household without water is not refused for its missing litres; one that was asked is looked at again."""
    form = read_xlsform(_water())
    record_type = load_registry([form.definition], form.codelists).latest("water_survey")
    check = validator(record_type)
    assert check({"household": "h1", "source": "none"}, True)[1] == []
    assert [error.pointer for error in check({"litres": 9000}, True)[1]] == [
        "/set/household",
        "/set/source",
        "/set/litres",
    ]

    def raised(**values):
        return [found.name for found in findings(record_type, values, date(2026, 3, 2))]

    assert raised(source="none") == []
    assert raised(source="tap") == ["litres_required"]
    assert raised(source="tap", litres=5, per_day=5 / 7, since="2026-03-03") == ["since_condition"]
    assert raised(source="tap", litres=5, per_day=5 / 7, since="2026-03-02") == []


@pytest.mark.parametrize(
    ("settings", "placed_by", "subject", "privacy"),
    [
        ([["form_id"], ["water"]], ["household"], None, "personal"),
        ([["form_id", "dishu_subject"], ["water", "household"]], ["household"], None, "personal"),
        ([["form_id", "dishu_subject"], ["water", "person"]], ["person"], "person", "personal"),
        ([["form_id", "dishu_subject"], ["water", "none"]], ["@anchor"], None, "internal"),
        ([["form_id", "dishu_subject", "dishu_privacy"], ["water", "none", "public"]], ["@anchor"], None, "public"),
    ],
)
def test_answers_are_linked_to_a_household_a_person_or_a_place(settings, placed_by, subject, privacy):
    """Every answer stands in exactly one cell, and what is about a person is sealed with the person's key."""
    definition = read_xlsform(survey(["geopoint", "anchor", "位置"], settings=settings)).definition
    assert (definition["placed_by"], definition["subject"]) == (placed_by, subject)
    assert definition["fields"][-1]["privacy"] == privacy
    assert (placed_by == ["@anchor"]) or (definition["parents"] == placed_by and definition["fields"][0]["required"])


def test_one_language_stands_for_the_other():
    """A workbook in one language shows that language everywhere; nothing is shown empty."""
    head = "type name label label::English"
    made = read_xlsform(
        survey(["text", "a", "甲", None], ["text", "b", None, "B"], ["text", "c", "丙", "C"], head=head)
    )
    assert [field["label"] for field in made.definition["fields"][1:]] == [
        {"zh": "甲", "en": "甲"},
        {"zh": "B", "en": "B"},
        {"zh": "丙", "en": "C"},
    ]


def test_values_of_spreadsheets_are_read_as_they_are_seen():
    """Numbers, days and truth values that the spreadsheet keeps in its own way are the same answers."""
    head = "type name label default required"
    rows = [
        ["integer", "n", "N", 3.0, True],
        ["date", "d", "D", datetime(2026, 3, 2), False],  # noqa: DTZ001  # as a spreadsheet keeps it
        ["text", "t", "T", "=TRUE()", "=TRUE()"],
    ]
    fields = read_xlsform(survey(*rows, head=head)).definition["fields"]
    assert [(field.get("default"), field.get("required")) for field in fields[1:]] == [
        (3, True),
        ("2026-03-02", None),
        ("true", True),
    ]


ROWS = [
    (["begin repeat", "members", "Members"], ["end repeat"], [("survey!A2", "type_repeat")]),
    (["image", "photo", "Photo"], [], [("survey!A2", "type_media")]),
    (["today", "today", None], ["text", "TODAY", "T"], [("survey!B3", "name_repeated")]),
    (["start", None, None], [], [("survey!B2", "name_missing")]),
    (["geoshape", "area", "Area"], [], [("survey!A2", "type_line")]),
    (["barcode", "code", "Code"], [], [("survey!A2", "type_unsupported")]),
    (["select_one_external towns", "town", "Town"], [], [("survey!A2", "type_external")]),
    (["select_one towns or_other", "town", "Town"], [], [("survey!A2", "list_unknown")]),
    (["select_one", "town", "Town"], [], [("survey!A2", "list_missing")]),
    (["begin group", "g", "G"], [], [("survey!A2", "group_unclosed")]),
    (["end group"], [], [("survey!A2", "group_unopened")]),
    (["text", None, "T"], [], [("survey!B2", "name_missing")]),
    (["text", "甲", "T"], [], [("survey!B2", "name_unusable")]),
    (["text", "ASKED", "T"], [], [("survey!B4", "name_repeated")]),
    (["text", "household", "T"], [], [("survey!B2", "subject_taken")]),
    (["text", "t", None], [], [("survey!C2", "label_missing")]),
    (["text", "t", "You are ${asked}"], [], [("survey!C2", "label_dynamic")]),
    (["calculate", "c", None], [], [("survey", "no_expression")]),
    ([None, "t", "T"], [], [("survey!A2", "type_missing")]),
    (["text", "t", "=A1"], [], [("survey!C2", "formula"), ("survey!C2", "label_missing")]),
]


@pytest.mark.parametrize(("row", "more", "expected"), ROWS, ids=[str(row[0][0]) + str(row[0][1:2]) for row in ROWS])
def test_what_is_not_supported_is_refused_at_its_cell(row, more, expected):
    """The author finds the cell that has to change, in the words of their own workbook."""
    found = refusals(survey(row, more, ["text", "asked", "Asked"]))
    assert found == expected or [(place.split("!")[0], code) for place, code in found] == expected


CELLS = [
    ("relevant", "${nobody} = 1", "expression"),
    ("relevant", ". = 1", "expression"),
    ("constraint", "position(..) = 1", "expression"),
    ("required", "perhaps", "expression"),
    ("calculation", "if(true(), 1, 'a')", "calculation_kind"),
    ("calculation", "1 + 1", "calculation_kind"),
    ("calculation", "if(true(), 'a', '')", None),
    ("default", "today()", "default_dynamic"),
    ("default", "${asked}", "default_dynamic"),
    ("choice_filter", "a = 1", "choice_filter"),
    ("appearance", "search('towns')", "search_appearance"),
    ("read_only", "yes", "read_only"),
    ("repeat_count", "3", None),
    ("parameters", "start=1", "column_not_kept"),
    ("bind::oc:briefdescription", "x", "column_not_kept"),
    ("guidance_hint", "x", "column_not_kept"),
    ("image", "a.png", "column_media"),
    ("media::image", "a.png", "column_media"),
    ("label::French (fr)", "T", "language"),
    ("colour", "red", "column_unknown"),
    ("dishu_min", "three", "not_a_number"),
    ("dishu_privacy", "hidden", "definition"),
    ("dishu_unit", "pair", "definition"),
    ("dishu_type", "planet", "type_unsupported"),
    ("appearance", "minimal", None),
    ("notes", "ask gently", None),
]


@pytest.mark.parametrize(("column", "content", "code"), CELLS, ids=[f"{cell[0]} {cell[1]}" for cell in CELLS])
def test_a_column_is_kept_or_refused_never_lost(column, content, code):
    """No rule of a workbook disappears silently; only how a question looks is left to the phone."""
    file = workbook(
        {
            "survey": [["type", "name", "label", column], ["text", "t", "T", content], ["text", "asked", "A"]],
            "settings": [["form_id"], ["water"]],
        }
    )
    found = refusals(file)
    assert [one for _, one in found] == ([] if code is None else [code])
    assert all(place in ("survey!D2", "survey!D1") for place, _ in found)


def test_all_reasons_come_at_once_and_nothing_is_imported():
    """An author corrects the workbook in one go; half a form never reaches a phone."""
    file = survey(
        ["image", "front", None],
        ["text", "a", None],
        ["select_one towns", "town", "Town"],
        ["integer", "n", "N"],
        choices=[["list_name", "name", "label"], ["towns", "a b", "A"], ["towns", "c", None], ["towns", "c", "C"], ["towns", "c", "D"]],
        settings=[["form_id", "version", "dishu_subject"], ["1", "v2", "nobody"]],
        external_choices=[["list_name", "name"], ["x", "y"]],
    )  # fmt: skip
    with pytest.raises(XlsformRefused) as caught:
        read_xlsform(file)
    assert [(one.place, one.code) for one in caught.value.refusals] == [
        ("survey!A2", "type_media"),
        ("survey!C3", "label_missing"),
        ("choices!B2", "code_spaces"),
        ("choices!C3", "label_missing"),
        ("choices!B5", "code_repeated"),
        ("settings!A2", "form_id"),
        ("settings!B2", "version"),
        ("settings!C2", "subject"),
        ("external_choices", "sheet_external"),
    ]
    assert all(one.message_zh and one.message_en for one in caught.value.refusals)


def test_calculations_are_understood_whatever_their_order():
    """A total may stand above its parts; two that need each other are refused."""
    head = "type name label calculation"
    made = read_xlsform(
        survey(["calculate", "total", None, "${part} + 1"], ["calculate", "part", None, "${n} * 2"], ["integer", "n", "N"], head=head)
    )  # fmt: skip
    assert [field["type"] for field in made.definition["fields"]] == ["ref", "decimal", "decimal", "integer"]
    cycle = survey(["calculate", "a", None, "${b} + 1"], ["calculate", "b", None, "${a} + 1"], head=head)
    assert {code for _, code in refusals(cycle)} == {"calculation_cycle"}
    for rows in (
        [["integer", "n", "N", "${n} + 1"]],
        [["decimal", "a", "A", "${b} + 1"], ["decimal", "b", "B", "${a} + 1"]],
        [["decimal", "a", "A", "${b} * 2"], ["integer", "b", "B", None, "${a} < 5"]],
        [["begin group", "g", "G", None, "${a} < 5"], ["integer", "b", "B"], ["end group"], ["calculate", "a", None, "${b} * 2"]],
    ):
        wrong = next(n for n, row in enumerate(rows, 2) if len(row) > 3 and row[3])
        told = refusals(survey(*rows, head="type name label calculation relevant"))
        assert (f"survey!D{wrong}", "calculation_cycle") in told and {code for _, code in told} == {"calculation_cycle"}
    mixed = survey(["calculate", "a", None, "if(${n} > 1, 'x', 2)"], ["integer", "n", "N"], head=head)
    assert refusals(mixed) == [("survey!D2", "calculation_kind")]


@pytest.mark.parametrize("content", [b"", b"no workbook", b"PK\x03\x04broken"])
def test_what_is_no_workbook_is_said_so(content):
    """A file of another kind is refused in one line."""
    assert refusals(io.BytesIO(content)) == [("workbook", "not_a_workbook")]


def test_a_workbook_without_a_survey_is_said_so():
    """An empty questionnaire is no questionnaire."""
    assert ("survey", "no_survey") in refusals(workbook({"choices": [["list_name", "name"], ["a", "b"]]}))
    assert refusals(survey()) == [("survey", "form_empty")]
    assert ("survey!1", "no_column") in refusals(survey(["text", "T"], head="type label"))


def test_built_in_record_types_are_not_replaced_by_a_survey():
    """A survey that somebody called person does not become the register of persons."""
    with pytest.raises(XlsformRefused) as caught:
        read_xlsform(survey(["text", "t", "T"], settings=[["form_id"], ["Person"]]), reserved=load_registry().types())
    assert [(one.place, one.code) for one in caught.value.refusals] == [("settings!A2", "form_taken")]


TYPED = [
    "text",
    "integer",
    "note",
    "calculate",
    "geopoint",
    "date",
    "select_one l",
    "select_multiple l",
    "begin group",
    "end group",
]
CONTENTS = st.one_of(
    st.none(),
    st.integers(-5, 5),
    st.booleans(),
    st.sampled_from(
        [
            "yes",
            "no",
            "a",
            "${a}",
            "${b} + 1",
            "if(${a}, 1, 2)",
            "today()",
            ". > 1",
            "1 2",
            "union",
            "ref person",
            "甲",
            "'",
        ]
    ),
    st.text("ab${}().' 甲=-", max_size=8),
)
ROW = st.builds(
    lambda kind, name, label, more: [kind, name, label, *more],
    st.one_of(st.sampled_from(TYPED), CONTENTS),
    st.one_of(st.sampled_from(["a", "b", "_x", "C-d", "anchor"]), CONTENTS),
    st.one_of(st.just("L"), CONTENTS),
    st.lists(st.one_of(st.none(), st.none(), CONTENTS), max_size=16),
)
HEADS = [
    "type", "name", "label", "label::English (en)", "hint", "required", "relevant", "constraint", "calculation", "default", "read_only",
    "dishu_type", "dishu_unit", "dishu_policy", "dishu_min", "dishu_mask", "dishu_order", "dishu_required", "dishu_privacy",
]  # fmt: skip


@given(
    st.lists(ROW, max_size=6),
    st.lists(st.tuples(st.one_of(st.just("l"), CONTENTS), CONTENTS, CONTENTS), max_size=4),
    st.dictionaries(
        st.sampled_from(["form_id", "version", "dishu_subject", "dishu_privacy", "default_language"]), CONTENTS
    ),
)
def test_any_workbook_is_a_form_or_a_list_of_reasons(rows, choices, given_settings):
    """Whatever somebody typed into the sheets, the answer is a form that the house can read, or places and reasons."""
    file = workbook(
        {
            "survey": [HEADS, *rows],
            "choices": [["list_name", "name", "label"], *choices],
            "settings": [list(given_settings) or ["form_id"], list(given_settings.values())],
        }
    )
    try:
        form = read_xlsform(file, name="any")
    except XlsformRefused as refused:
        assert all(one.sheet and one.message_zh and one.message_en for one in refused.refusals)
    else:
        assert load_registry([form.definition], form.codelists).latest(form.definition["name"]).fields
