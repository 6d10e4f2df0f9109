from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forms.findings import findings
from forms.identity import resident_id_check_character
from forms.index import index_entries, mask_value, normalise_for_search
from forms.registry import load_registry

REGISTRY = load_registry()
TODAY = date(2026, 11, 21)
BODY = "99999919800307002"
NUMBER = BODY + resident_id_check_character(BODY)


def a_person(**over):
    return {
        "name": "王小明",
        "document_type": "resident_id",
        "document_number": NUMBER,
        "sex": "2",
        "birth_date": "1980-03-07",
        "birth_precision": "day",
        "residence_household": "h1",
        "relation_to_head": "02",
        "resident_from": "2001-05-01",
        "presence": "present",
        **over,
    }


def _names(record_type, fields, **more):
    return [finding.name for finding in findings(REGISTRY.latest(record_type), fields, TODAY, **more)]


def test_a_plausible_person_raises_nothing():
    """Nobody is asked twice about an ordinary record."""
    assert _names("person", a_person()) == []


IMPLAUSIBLE = [
    ("person", a_person(document_number="999999198003070021"), ["resident_id_check"]),
    ("person", a_person(birth_date="1980-03-08"), ["resident_id_birth"]),
    ("person", a_person(birth_date="1980-01-01", birth_precision="year"), []),
    ("person", a_person(sex="1"), ["resident_id_sex"]),
    ("person", a_person(sex="9"), []),
    ("person", a_person(document_number=None), ["document_or_reason"]),
    ("person", a_person(document_number=None, document_missing_reason="refused"), []),
    ("person", a_person(document_missing_reason="refused"), ["number_with_reason"]),
    ("person", a_person(document_type=None), ["number_without_type"]),
    ("person", a_person(document_type="passport", document_number="E1"), []),
    ("person", a_person(document_type="passport", birth_date="2027-01-01", resident_from=None), ["birth_in_future"]),
    ("person", a_person(document_type="passport", birth_date="1900-01-01"), ["age_above_120"]),
    ("person", a_person(vital_status="deceased", died_on="1979-01-01"), ["death_before_birth"]),
    ("person", a_person(died_on="2020-01-01"), ["death_of_living"]),
    ("person", a_person(resident_from="1979-01-01"), ["residence_before_birth"]),
    ("person", a_person(resident_from="2027-01-01"), ["residence_in_future"]),
    ("person", a_person(absent_since="2026-01-01"), ["absence_of_present"]),
    (
        "person",
        a_person(
            document_type="passport",
            birth_date="2015-01-01",
            resident_from=None,
            marital_code="20",
            political_code="01",
        ),
        ["child_married", "member_under_18"],
    ),
    ("person", a_person(relation_to_head="01"), ["retired_code"]),
    ("dwelling", {"door_number": "101"}, ["place_known"]),
    ("household", {"kind": "family"}, ["dwelling_unknown"]),
    ("visit", {"household": "h", "outcome": "appointment"}, ["appointment_without_day"]),
    ("check_in", {"subject_kind": "member", "organization": "o"}, ["subject_missing"]),
    (
        "check_in",
        {"subject_kind": "member", "party_member": "m", "registered_on": "2026-02-01", "accepted_on": "2026-01-01"},
        ["accepted_before_registered"],
    ),
    ("organization", {"name": "某单位", "credit_code": "91999999MA0000001A"}, ["credit_code_check"]),
    ("organization", {"name": "某单位", "credit_code": "91999999MA0000001N"}, []),
    ("resource", {"name": "水", "quantity": -1, "valid_until": "2026-01-01"}, ["quantity_negative", "expired"]),
    ("resource", {"name": "水", "quantity": 5, "stock_count": 4, "stock_counted_on": "2026-11-21"}, ["stock_differs"]),
    ("building", {"floors_count": 18, "lifts_count": 0}, ["floors_without_lift"]),
    ("building", {"floors_count": 18}, []),
    ("care_status", {"from_date": "2026-02-01", "to_date": "2026-01-01"}, ["ends_before_start"]),
]


@pytest.mark.parametrize(("record_type", "fields", "expected"), IMPLAUSIBLE)
def test_implausible_records_are_kept_and_pointed_out(record_type, fields, expected):
    """What was typed at the door stays, and somebody is told what does not fit."""
    assert _names(record_type, fields) == expected


def test_findings_name_fields_and_carry_no_value():
    """The list of things to look at can be shown to anyone."""
    found = findings(REGISTRY.latest("person"), a_person(sex="1"), TODAY)
    assert found[0].fields == ("document_number", "sex")
    assert NUMBER not in found[0].message_zh + found[0].message_en


def test_only_rules_about_what_changed_are_checked_again():
    """Editing a phone number does not bring an old finding back."""
    wrong = a_person(sex="1")
    assert _names("person", wrong, changed={"phones"}) == []
    assert _names("person", wrong, changed={"sex"}) == ["resident_id_sex"]


def test_a_record_is_found_by_what_people_type():
    """Full-width digits, spaces and capitals do not hide a person."""
    person = REGISTRY.latest("person")
    entries = index_entries(
        person,
        a_person(
            name="ＷＡＮＧ  Ming", phones=["010-8888 9999", "01088889999"], birth_date="1980-03-07", note="x"
        ),
    )
    assert entries == [
        ("name", "wang ming"),
        ("document_number", NUMBER.lower()),
        ("phones", "01088889999"),
    ]
    assert normalise_for_search("０１０ 8888-9999", "phone") == "01088889999"
    assert index_entries(person, {"name": None}) == []


@given(st.text(), st.sampled_from([None, "phone", "identifier"]))
def test_what_is_stored_for_search_is_what_is_looked_up(text, format):
    """Searching for a value that was found finds it again."""
    once = normalise_for_search(text, format)
    assert normalise_for_search(once, format) == once


def test_a_secret_shows_its_end_only():
    """Four digits are enough to tell two people apart at the door."""
    spec = REGISTRY.latest("person").fields["document_number"]
    assert mask_value(spec, NUMBER) == {"mask": "****" + NUMBER[-4:]}
    assert mask_value(spec, "1234567") == {"mask": "****"}
    assert mask_value(spec, None) == {"mask": None}
    assert mask_value(REGISTRY.latest("person").fields["name"], "王小明") == {"mask": "****"}
