"""Special surveys beside the built-in types: versions, code lists that only grow, rosters of their own."""

from __future__ import annotations

import io
from datetime import date

import pytest
from survey_kit import dogs
from workbook_kit import refusals

from forms.errors import DefinitionError
from forms.findings import findings
from forms.registry import load_registry
from forms.survey import Survey, changed_meaning, is_asked, roster_of, subject_field, subject_of, with_surveys
from forms.validate import validator
from forms.xlsform_read import XlsformRefused, read_xlsform
from forms.xlsform_write import write_xlsform

BASE = load_registry()


def survey(file, **more):
    form = read_xlsform(file)
    return Survey(form.definition, form.codelists, **more)


def test_without_surveys_nothing_is_built_anew():
    """A community without surveys uses the built-in registry itself."""
    assert with_surveys(BASE, []) is BASE


def test_the_built_in_types_are_shared():
    """What was compiled for a built-in type serves every community: the types are the same objects."""
    registry = with_surveys(BASE, [survey(dogs())])
    assert all(registry.latest(name) is BASE.latest(name) for name in BASE.types())
    assert registry.surveys == ("dogs",) and registry.closed == frozenset()
    assert set(registry.questions()) == set(BASE.questions())


def test_versions_stay_side_by_side_and_the_latest_decides_whether_it_is_closed():
    """S10: an old phone's version is known as long as there is anybody to send it."""
    registry = with_surveys(BASE, [survey(dogs(2), closed=True), survey(dogs(1))])
    assert registry.versions("dogs") == [1, 2]
    assert registry.closed == {"dogs"}


def test_a_code_that_a_new_version_leaves_out_is_retired():
    """The answer of an old phone is accepted, and looked at; new phones do not offer it."""
    kept = [["yes", "yes", "有", "Yes"], ["yes", "no", "没有", "No"], ["size", "large", "大型", "Large"], ["size", "giant", "巨型", "Giant"]]
    registry = with_surveys(BASE, [survey(dogs(1)), survey(dogs(2, choices=kept))])
    sizes = registry.codelist("dogs_size")
    assert (list(sizes.entries), sizes.retired) == (["large", "giant", "small"], {"small"})
    for version in (1, 2):
        form = registry.get("dogs", version)
        values, errors = validator(form)({"household": "0" * 8 + "-0000-7000-8000-" + "0" * 12, "has_dog": "yes", "sizes": ["small"]}, True)
        assert errors == [] and values["sizes"] == ["small"]
    assert [one.name for one in findings(registry.latest("dogs"), {"has_dog": "yes", "sizes": ["small"]}, None)] == ["retired_code"]


def test_whom_the_answers_are_about():
    """Linked to a household, a person or nobody, as the workbook or the one who uploads it says."""
    found = {}
    for chosen in ("household", "person"):
        form = read_xlsform(dogs(), subject=chosen)
        made = with_surveys(BASE, [Survey(form.definition, form.codelists)]).latest("dogs")
        found[chosen] = (subject_of(made), subject_field(made), made.subject)
    assert found == {"household": ("household", "household", None), "person": ("person", "person", "person")}
    placed = [["geopoint", "anchor", "位置", "Place"], ["text", "words", "说明", "Words"]]
    made = with_surveys(BASE, [survey(dogs(rows=placed, dishu_subject="none"))]).latest("dogs")
    assert (subject_of(made), subject_field(made)) == ("none", None)


def test_whom_a_survey_asks():
    """A condition over the household or person, with the day: kept as it was written, served with its tree, back in the workbook."""
    file = dogs(dishu_subject="person", dishu_audience="years-between(${birth_date}, today()) >= 80 and ${sex} = ‘2’")
    made = with_surveys(BASE, [survey(file)]).latest("dogs")
    assert made.document["audience"]["text"].startswith("years-between(${birth_date}, today()) >= 80") and made.document["audience"]["tree"]
    today = date(2026, 3, 2)
    for fields, asked in [
        ({"birth_date": "1946-03-02", "sex": "2"}, True), ({"birth_date": "1946-03-03", "sex": "2"}, False),
        ({"birth_date": "1930-01-01", "sex": "1"}, False), ({"sex": "2"}, False), ({}, False),
    ]:  # fmt: skip
        assert is_asked(made, fields, today) is asked
    assert is_asked(with_surveys(BASE, [survey(dogs())]).latest("dogs"), {}, today)
    target = io.BytesIO()
    write_xlsform(made, target)
    again = read_xlsform(io.BytesIO(target.getvalue()))
    assert again.definition["audience"] == made.document["audience"]["text"]


@pytest.mark.parametrize(
    ("audience", "subject", "code"),
    [
        ("${nothing} = 1", "person", "audience"), ("${document_number} != ''", "person", "audience"), ("${birth_date", "person", "audience"),
        ("${pets_count} > 0", "person", "audience"), ("true()", "none", "audience_of_nobody"),
    ],
)  # fmt: skip
def test_an_audience_that_cannot_be_asked_for_is_refused_with_its_place(audience, subject, code):
    """A field that the record does not have, a secret, no expression, a survey about nobody: told at the cell of the setting."""
    rows = [["geopoint", "anchor", "位置", "Place"], ["text", "words", "说明", "Words"]]
    with pytest.raises(XlsformRefused) as refused:
        read_xlsform(dogs(rows=rows, dishu_subject=subject, dishu_audience=audience))
    assert [(one.place, one.code) for one in refused.value.refusals] == [("settings!E2", code)]


def test_an_audience_holds_in_every_way_that_a_survey_comes():
    """A definition that came without a workbook is held to the same fields."""
    one = survey(dogs(dishu_audience="${pets_count} > 0"))
    assert with_surveys(BASE, [one]).latest("dogs").audience is not None
    with pytest.raises(DefinitionError, match="audience"):
        with_surveys(BASE, [Survey({**one.definition, "audience": "${birth_date} > 0"}, one.codelists)])


def test_every_survey_has_a_roster():
    """Where, about whom, every answer with its privacy, when: filtered, sorted and exported as all rosters are."""
    registry = with_surveys(BASE, [survey(dogs())])
    roster = registry.roster("survey_dogs")
    assert [column.name for column in roster.columns] == [
        "cell_code", "at_estate", "at_building", "at_entrance", "at_door_number", "about_head",
        "q_has_dog", "q_dogs_count", "q_sizes", "q_words", "confirmed_on",
    ]  # fmt: skip
    assert roster.column("q_sizes").codelist == "dogs_size"
    assert roster.filters["q_has_dog"] == {"eq", "in", "is_null"}
    about = read_xlsform(dogs(), subject="person")
    columns = roster_of(with_surveys(BASE, [Survey(about.definition, about.codelists)]).latest("dogs"))["columns"]
    assert {"name": "about_name", "path": "person.name", "label": {"zh": "姓名", "en": "Name"}} in columns


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([["text", "has_dog", "是否养犬", "Dog"]], [("has_dog", "type"), ("has_dog", "codelist")]),
        ([["select_one size", "has_dog", "是否养犬", "Dog"]], [("has_dog", "codelist")]),
        ([["select_one yes", "has_dog", "家里有没有狗", "Any dogs?"], ["date", "since", "何时", "Since"]], []),
    ],
)
def test_a_field_keeps_its_meaning(rows, expected):
    """S10: new questions, dropped ones and new words are free; another type or list under an old name is another meaning."""
    earlier = with_surveys(BASE, [survey(dogs(1))]).latest("dogs")
    later = with_surveys(BASE, [survey(dogs(2, rows=rows))]).latest("dogs")
    assert changed_meaning(earlier, later) == expected


def test_a_later_version_is_refused_with_its_place():
    """What a new version must not do is told like every refusal: sheet, row, column, reason."""
    earlier = with_surveys(BASE, [survey(dogs(3))]).latest("dogs")
    rows = [["integer", "dogs_count", "几只", "How many"], ["text", "has_dog", "是否养犬", "Dog"]]
    with pytest.raises(XlsformRefused) as refused:
        read_xlsform(dogs(3, rows=rows), earlier=lambda name: earlier, subject="person")
    assert [(one.place, one.code) for one in refused.value.refusals] == [
        ("survey!A3", "field_changed"), ("survey!A3", "field_changed"), ("settings!2", "subject_changed"), ("settings!C2", "version_not_newer"),
    ]  # fmt: skip
    assert refusals(dogs()) == []


def test_two_surveys_do_not_share_a_name():
    """A list of another survey, or a built-in record type, is nobody's to take."""
    one = survey(dogs())
    other = Survey({**one.definition, "name": "cats"}, one.codelists)
    with pytest.raises(DefinitionError, match="another list"):
        with_surveys(BASE, [one, other])
    with pytest.raises(DefinitionError, match="built-in"):
        with_surveys(BASE, [Survey({**one.definition, "name": "person"}, one.codelists)])
