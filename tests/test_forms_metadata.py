"""When, with which device: what workbooks ask of the phone and nobody answers; what `or_other` stands for."""

from __future__ import annotations

import io

import pytest
from workbook_kit import refusals, survey

from forms.errors import DefinitionError
from forms.odk_form import collect_forms
from forms.registry import load_registry
from forms.survey import Survey, with_surveys
from forms.xlsform_read import read_xlsform
from forms.xlsform_write import canonical, write_xlsform


def test_what_a_workbook_asks_of_the_device_is_kept_beside_the_answers():
    """The rows with which most workbooks begin import whole, ask nobody, come back in the workbook, and no expression may lean on them."""
    rows = [["start", "start", None], ["endtime", "finished", None], ["deviceid", "Device", None], ["audit", "audit", None], ["text", "a", "A"]]
    imported = read_xlsform(survey(*rows))
    kinds = [{"name": "start", "kind": "start"}, {"name": "finished", "kind": "end"}, {"name": "device", "kind": "deviceid"}, {"name": "audit", "kind": "audit"}]
    assert imported.definition["metadata"] == kinds
    assert [field["name"] for field in imported.definition["fields"]] == ["household", "a"]
    made = load_registry([imported.definition], imported.codelists).latest("water")
    again = io.BytesIO()
    write_xlsform(made, again)
    again.seek(0)
    assert read_xlsform(again).definition == canonical(imported.definition)
    leaning = survey(["today", "today", None], ["text", "a", "A", "${today} > '2026-01-01'"], head="type name label relevant")
    assert refusals(leaning) == [("survey!D3", "expression")]
    form = collect_forms(with_surveys(load_registry(), [Survey(imported.definition, imported.codelists)]))["water"]
    asked = [row for row in form.sheets["survey"] if row["type"] in ("start", "end", "deviceid", "audit")]
    assert [(row["type"], row["name"]) for row in asked] == [("start", "start"), ("end", "finished"), ("deviceid", "device"), ("end", "dishu_end")]


@pytest.mark.parametrize("metadata", [[{"name": "a", "kind": "start"}], [{"name": "b", "kind": "heartbeat"}], [{"name": "b", "kind": "end"}] * 2])
def test_a_definition_with_metadata_that_cannot_be_is_refused(metadata):
    """A name that a question has, a kind that nobody knows, one name twice."""
    definition = read_xlsform(survey(["text", "a", "A"])).definition
    with pytest.raises(DefinitionError):
        load_registry([definition | {"metadata": metadata}])


def test_another_answer_in_words_is_a_choice_and_a_question():
    """``or_other`` becomes what it stands for, whole, and the workbook written from it says the same."""
    choices = [["list_name", "name", "label"], ["towns", "a", "A"], ["kinds", "x", "X"], ["kinds", "other", "Any other"]]
    rows = [["select_one towns or_other", "town", "Town"], ["select_multiple kinds or_other", "kind", "Kind"], ["text", "end_words", "End"]]
    imported = read_xlsform(survey(*rows, choices=choices))
    assert [field["name"] for field in imported.definition["fields"]] == ["household", "town", "town_other", "kind", "kind_other", "end_words"]
    assert imported.definition["fields"][2]["relevant"] == "selected(${town}, 'other')"
    lists = {one["name"]: [(entry["code"], entry["zh"]) for entry in one["entries"]] for one in imported.codelists}
    assert lists == {"water_towns": [("a", "A"), ("other", "其他")], "water_kinds": [("x", "X"), ("other", "Any other")]}
    made = load_registry([imported.definition], imported.codelists).latest("water")
    again = io.BytesIO()
    write_xlsform(made, again)
    again.seek(0)
    assert read_xlsform(again).definition == canonical(imported.definition)
    taken = survey(rows[0], ["text", "town_other", "Which"], choices=choices)
    assert refusals(taken) == [("survey!B3", "name_repeated")]
