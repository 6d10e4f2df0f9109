from __future__ import annotations

import copy
import json
import re
from datetime import date
from pathlib import Path

import pytest

import forms
from forms.codelist import read_code_list
from forms.document import forms_page
from forms.errors import DefinitionError, UnknownCodeList, UnknownRecordType, UnknownRoster
from forms.evaluator import evaluate
from forms.findings import findings
from forms.registry import load_registry

ROOT = Path(forms.__file__).parent
REGISTRY = load_registry()


def _definition(name):
    return json.loads((ROOT / "definitions" / f"{name}.json").read_text(encoding="utf-8"))


def _survey(**over):
    return {
        "name": "survey",
        "version": 1,
        "label": {"zh": "专项调查", "en": "Survey"},
        "fields": [{"name": "count", "type": "integer", "label": {"zh": "数", "en": "Count"}, "privacy": "internal"}],
        **over,
    }


def _field(**over):
    return {"name": "x", "type": "text", "label": {"zh": "甲", "en": "X"}, "privacy": "internal", **over}


@pytest.mark.parametrize("name", REGISTRY.types())
def test_every_field_is_merged_placed_and_shown(name):
    """Each answer merges by exactly one unit, stands on a screen, and a record knows where it belongs."""
    record_type = REGISTRY.latest(name)
    assert sorted(field for unit in record_type.units.values() for field in unit.fields) == sorted(record_type.fields)
    assert all(record_type.units[unit].fields.count(field) == 1 for field, unit in record_type.unit_of.items())
    assert record_type.placed_by or name == "reference", "only versions of reference data live in no cell"
    assert set(record_type.secret_fields) <= {f.name for f in record_type.fields.values() if f.mask is not None}
    shown = [field for view in record_type.views for screen in view.screens for field in screen.fields]
    assert len(shown) == len(set(shown))
    if not record_type.server_made:
        hidden = set(record_type.fields) - set(shown)
        assert hidden <= {"confirmed_ops", "item", "asked_at"}  # written by the app itself


def test_a_person_has_one_home_one_registration_and_a_household_one_head():
    """No merge can put a person in two homes."""
    person, household = REGISTRY.latest("person"), REGISTRY.latest("household")
    assert {unit.name for unit in person.units.values() if unit.exclusive} == {"residence", "registration"}
    assert household.units["head"].exclusive
    assert household.units["head"].policy == "review"
    assert "head" not in household.parents  # the head's own record waits for the household
    assert person.unit_of["document_number"] == person.unit_of["document_type"] == "identity_document"
    assert len(person.fields) > 25


def test_only_what_names_a_person_is_sealed_with_their_key():
    """Erasing a person reaches everything that is about them."""
    assert {name: REGISTRY.latest(name).subject for name in REGISTRY.types() if REGISTRY.latest(name).subject} == {
        "person": "self",
        "residence": "person",
        "care_status": "person",
        "party_member": "person",
        "reference_card": "person",
        "tenure": "person",
        "need": "person",
        "service_request": "person",
        "door_check": "person",
    }


LATER = [
    "tenure",
    "service_record",
    "need",
    "allocation",
    "service_request",
    "department_call",
    "call_response",
    "task",
    "hazard",
    "rectification",
    "inspection",
    "incident",
]


@pytest.mark.parametrize("name", LATER)
def test_state_and_its_days_are_one_fact(name):
    """Two workers who close the same matter never leave a state with the other's day; contacts are personal."""
    record_type = REGISTRY.latest(name)
    fields = record_type.fields
    if "state" in fields:
        unit = record_type.units[record_type.unit_of["state"]]
        assert len(unit.fields) > 1 and unit.policy == "review"
    assert all(fields[f].privacy == "personal" for f in fields if "phone" in f or f.endswith("_name"))
    assert all(
        unit.policy == "union" for unit in record_type.units.values() if fields[unit.fields[0]].type == "text_set"
    )
    assert set(record_type.parents) == {f for f in fields if fields[f].type == "ref"}


@pytest.mark.parametrize(
    ("name", "values", "raised"),
    [
        ("tenure", {"from_date": "2024-05-01", "to_date": "2024-04-30"}, {"holder_missing", "ends_before_start"}),
        ("tenure", {"person": "p", "organization": "o"}, {"one_holder"}),
        (
            "service_record",
            {"party_member": "m", "hours": 25, "served_on": "2026-03-03"},
            {"served_in_future", "hours_above_day"},
        ),
        ("need", {"closed_at": "2026-03-01T00:00:00Z", "state": "open"}, {"who_missing", "closed_without_state"}),
        ("allocation", {"reason": "other"}, {"reason_unsaid"}),
        ("service_request", {"building": "b", "due_on": "2026-03-01", "state": "working"}, {"overdue"}),
        ("service_request", {"building": "b", "due_on": "2026-03-01", "state": "done"}, set()),
        ("department_call", {"state": "called"}, {"nobody_called"}),
        ("call_response", {"outcome": "on_site"}, {"came_without_time"}),
        (
            "task",
            {"lead_text": "x", "started_on": "2026-03-02", "finished_on": "2026-03-01"},
            {"finished_before_start"},
        ),
        ("hazard", {"found_on": "2026-03-03"}, {"place_missing", "found_in_future"}),
        ("rectification", {"done_by_text": "甲", "rechecked_by_text": "甲"}, {"rechecked_by_same"}),
        ("inspection", {"estate": "e", "result": "clear", "hazards_count": 2}, {"clear_with_hazards"}),
        ("incident", {"area_text": "全社区"}, {"no_legal_basis"}),
    ],
)
def test_what_cannot_be_is_found(name, values, raised):
    """A day before its beginning, a re-check by the same hand, an incident without its law: each is shown to somebody."""
    assert {found.name for found in findings(REGISTRY.latest(name), values, date(2026, 3, 2))} == raised


def test_document_numbers_are_secret_and_found_by_their_hash():
    """The number on an identity card is never shown whole."""
    spec = REGISTRY.latest("person").fields["document_number"]
    assert (spec.privacy, spec.indexed, spec.identifying, spec.mask.keep_end) == ("secret", True, True, 4)


def test_an_unknown_version_is_none_and_old_versions_stay():
    """A phone with an older form keeps syncing, one with a newer form waits."""
    assert REGISTRY.get("person", 99) is None
    assert REGISTRY.get("nothing", 1) is None
    newer = {**_definition("visit"), "version": 2}
    registry = load_registry([newer, _survey()])
    assert registry.versions("visit") == [1, 2]
    assert registry.latest("visit").version == 2
    assert registry.get("visit", 1) is not None
    assert "survey" in registry.types()
    assert "survey" not in load_registry().types()


def test_unknown_names_say_so():
    """Asking for a form, list or roster that does not exist is a clear error."""
    for ask, error in (
        (REGISTRY.latest, UnknownRecordType),
        (REGISTRY.codelist, UnknownCodeList),
        (REGISTRY.roster, UnknownRoster),
    ):
        with pytest.raises(error, match="nothing"):
            ask("nothing")


def test_devices_receive_the_file_with_expression_trees():
    """The phone draws and checks forms from the very definition that the server uses."""
    for name in REGISTRY.types():
        served = REGISTRY.latest(name).document
        assert json.loads(json.dumps(served)) == served
        plain = copy.deepcopy(served)
        for field in plain["fields"]:
            for key in ("relevant", "calculation"):
                if key in field:
                    field[key] = field[key]["text"]
            if "constraint" in field:
                del field["constraint"]["tree"]
        for rule in plain["constraints"]:
            rule["holds"] = rule["holds"]["text"]
        assert plain == _definition(name)


def test_relevance_hides_what_need_not_be_asked():
    """Nobody is asked why there is no document number once the number is typed."""
    spec = REGISTRY.latest("person").fields["document_missing_reason"]
    assert evaluate(spec.relevant, {"document_number": None}) is True
    assert evaluate(spec.relevant, {"document_number": "99999919500101000X"}) is False


@pytest.mark.parametrize("name", sorted(REGISTRY.codelists()))
def test_every_code_list_is_labelled_and_sourced(name):
    """Each choice reads in Chinese and English, and says which standard it follows and how far it was checked."""
    found = REGISTRY.codelist(name)
    assert found.name == name
    assert all(code.zh and code.en for code in found.entries.values())
    if found.standard is None:
        assert found.source == "Our own list."
    else:
        assert "not checked against the standard's text" in found.source
    assert found.label_of(next(iter(found.entries)), "en")
    assert found.label_of("no such code") is None


def test_the_head_of_a_household_has_one_code():
    """Two offices that count heads count the same people."""
    relation = REGISTRY.codelist("family_relation")
    assert relation.entries["02"].zh == "户主"
    assert relation.retired == {"01"}
    assert relation.entries["01"].replaced_by == "02"


def test_code_lists_are_used():
    """No list lies about that no form offers."""
    used = {f.codelist for name in REGISTRY.types() for f in REGISTRY.latest(name).fields.values()}
    assert set(REGISTRY.codelists()) - used == set()


BROKEN = [
    ({"fields": [_field(type="number")]}, "/fields/0/type"),
    ({"fields": [_field(name="Name")]}, "/fields/0/name"),
    ({"fields": [_field(), _field()]}, "/fields/1/name"),
    ({"fields": [_field(colour="red")]}, "/fields/0/colour"),
    ({"fields": [_field(label={"zh": "甲"})]}, "/fields/0/label"),
    ({"fields": [_field(privacy="hidden")]}, "/fields/0/privacy"),
    ({"fields": [_field(privacy="secret")]}, "/fields/0/mask"),
    ({"fields": [_field(type="select_one")]}, "/fields/0/codelist"),
    ({"fields": [_field(type="select_one", codelist="colours")]}, "/fields/0/codelist"),
    ({"fields": [_field(type="ref")]}, "/fields/0/ref_type"),
    ({"fields": [_field(type="ref", ref_type="planet")]}, "/fields/0/ref_type"),
    ({"fields": [_field(policy="union")]}, "/fields/0/policy"),
    ({"fields": [_field(policy="first")]}, "/fields/0/policy"),
    ({"fields": [_field(unit="pair")]}, "/fields/0/unit"),
    ({"fields": [_field(type="date", format="phone")]}, "/fields/0/format"),
    (
        {"fields": [_field(constraint={"text": ". = ", "message": {"zh": "错", "en": "wrong"}})]},
        "/fields/0/constraint/text",
    ),
    (
        {"fields": [_field(constraint={"text": ". < today()", "message": {"zh": "错", "en": "wrong"}})]},
        "/fields/0/constraint/text",
    ),
    (
        {"fields": [_field(constraint={"text": ". = ${x}", "message": {"zh": "错", "en": "wrong"}})]},
        "/fields/0/constraint/text",
    ),
    ({"fields": [_field(relevant="${y} = 1")]}, "/fields/0/relevant"),
    ({"fields": [_field(type="integer", min="0")]}, "/fields/0/min"),
    ({"fields": ["x"]}, "/fields/0"),
    ({"fields": 7}, ""),
    ({"units": [{"name": "pair"}]}, ""),
    ({"version": 0}, "/version"),
    ({"placed_by": ["@anchor"]}, "/placed_by/0"),
    ({"parents": ["count"]}, "/parents/0"),
    ({"subject": "count"}, "/subject"),
    ({"colour": "red"}, "/colour"),
    (
        {"units": [{"name": "pair", "policy": "last", "label": {"zh": "对", "en": "Pair"}, "fields": ["count"]}]},
        "/units/0/fields",
    ),
    (
        {
            "views": [
                {
                    "name": "v",
                    "label": {"zh": "屏", "en": "V"},
                    "screens": [{"name": "s", "label": {"zh": "屏", "en": "S"}, "fields": ["y"]}],
                }
            ]
        },
        "/views/0/screens/0/fields",
    ),
    (
        {"constraints": [{"name": "c", "holds": "${y}", "fields": [], "message": {"zh": "错", "en": "wrong"}}]},
        "/constraints/0/holds",
    ),
]


@pytest.mark.parametrize(("over", "pointer"), BROKEN, ids=[f"{pointer} {n}" for n, (_, pointer) in enumerate(BROKEN)])
def test_a_broken_definition_is_refused_at_its_place(over, pointer):
    """Whoever adds a field is told what is wrong and where, before any phone sees it."""
    with pytest.raises(DefinitionError) as caught:
        load_registry([_survey(**over)])
    assert caught.value.pointer == pointer
    assert caught.value.name == "survey"


def test_a_version_is_declared_once():
    """Two different forms can never go by the same version."""
    with pytest.raises(DefinitionError, match="already declared"):
        load_registry([_definition("visit")])


@pytest.mark.parametrize(
    ("entries", "pointer"),
    [
        ([{"code": "a", "zh": "甲"}], "/entries/0"),
        ([{"code": "a", "zh": "甲", "en": "A"}, {"code": "a", "zh": "乙", "en": "B"}], "/entries/1/code"),
        ([{"code": "a b", "zh": "甲", "en": "A"}], "/entries/0/code"),
        ([{"code": "a", "zh": "甲", "en": "A", "parent": "b"}], "/entries/0/parent"),
    ],
)
def test_a_broken_code_list_is_refused_at_its_place(entries, pointer):
    """A list with a code twice, or without a label, never reaches a form."""
    with pytest.raises(DefinitionError) as caught:
        read_code_list({"name": "x", "label": {"zh": "表", "en": "List"}, "source": "", "entries": entries})
    assert caught.value.pointer == pointer


def test_the_page_of_forms_is_current():
    """docs/forms.md lists every field as it is; renew it with python -m forms.document > docs/forms.md."""
    page = (ROOT.parent / "docs" / "forms.md").read_text(encoding="utf-8")
    assert page == forms_page(REGISTRY)


def test_every_field_says_why_it_merges_and_is_private_as_it_is():
    """Each row of the page names two reasons, and the page explains both."""
    page = forms_page(REGISTRY)
    chapter = page.partition("## Why these policies and classes")[2].partition("\n## ")[0]
    explained = {cell.strip() for line in chapter.splitlines() if line.startswith("| ") for cell in line.split("|")[1::3]}
    told = re.findall(r"\[(\w+) · (\w+)\]\(#why-these-policies-and-classes\)", page)
    assert len(told) == sum(len(REGISTRY.latest(name).fields) for name in REGISTRY.types()) > 370
    assert {word for pair in told for word in pair} <= explained
