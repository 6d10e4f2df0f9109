from __future__ import annotations

import copy
from datetime import date

import pytest

from forms.derived import DERIVED, age_on, derive, residence_state
from forms.errors import DefinitionError
from forms.registry import load_registry
from forms.roster import read_roster

REGISTRY = load_registry()


def test_the_books_of_a_community_are_there():
    """A secretary finds the registers that the office already keeps."""
    assert set(REGISTRY.rosters()) >= {
        "household_book",
        "persons",
        "care_groups",
        "party_members",
        "resources",
        "dwellings",
        "organizations",
        "check_ins",
    }


@pytest.mark.parametrize("name", sorted(REGISTRY.rosters()))
def test_a_column_is_as_private_as_what_it_shows(name):
    """A roster never shows a field to somebody who may not see the field."""
    order = ["public", "internal", "personal", "secret"]
    roster = REGISTRY.roster(name)
    assert roster.sort
    for column in roster.columns:
        for path in column.paths:
            record_type = REGISTRY.latest(roster.base)
            for step in path:
                spec = record_type.fields[step]
                assert order.index(column.privacy) >= order.index(spec.privacy)
                if spec.ref_type is not None:
                    record_type = REGISTRY.latest(spec.ref_type)
        assert column.label["zh"]


def test_a_column_follows_references():
    """The household book names the door, found through the dwelling and its entrance or building."""
    book = REGISTRY.roster("household_book")
    assert book.column("door_number").paths == (("dwelling", "door_number"),)
    assert book.column("building").paths == (
        ("dwelling", "entrance", "building", "number"),
        ("dwelling", "building", "number"),
    )
    assert book.column("nothing") is None
    assert REGISTRY.roster("persons").filters["document_number"] == {"eq"}
    assert not REGISTRY.roster("persons").column("document_number").sortable


def _broken(change):
    document = copy.deepcopy(dict(REGISTRY.roster("persons").document))
    change(document)
    return document


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        (lambda d: d.update(base="planet"), "/base"),
        (lambda d: d.update(colour="red"), "/colour"),
        (lambda d: d["columns"].append({"name": "x", "path": "nothing"}), "/columns/39/path"),
        (lambda d: d["columns"].append({"name": "x", "path": "name.length"}), "/columns/39/path"),
        (lambda d: d["columns"].append({"name": "x", "path": ["name", "sex"]}), "/columns/39/path"),
        (lambda d: d["columns"].append({"name": "name", "path": "name"}), "/columns/39/name"),
        (lambda d: d["columns"].append({"name": "x"}), "/columns/39"),
        (lambda d: d["columns"].append({"name": "x", "derived": "horoscope"}), "/columns/39/derived"),
        (lambda d: d["columns"].append({"name": "x", "derived": "members_count"}), "/columns/39/derived"),
        (lambda d: d["sort"].insert(0, {"column": "document_number"}), "/sort/0/column"),
        (lambda d: d["filters"].insert(0, {"column": "document_number", "ops": ["starts_with"]}), "/filters/0/ops"),
        (lambda d: d["filters"].insert(0, {"column": "nothing", "ops": ["eq"]}), "/filters/0/column"),
    ],
)
def test_a_broken_roster_is_refused_at_its_place(change, pointer):
    """A roster that names an unknown column never reaches the office."""
    assert len(REGISTRY.roster("persons").columns) == 39
    with pytest.raises(DefinitionError) as caught:
        read_roster(_broken(change), REGISTRY)
    assert caught.value.pointer == pointer


@pytest.mark.parametrize(
    ("birth", "day", "age"),
    [
        ("2000-06-15", "2026-06-14", 25),
        ("2000-06-15", "2026-06-15", 26),
        ("2000-02-29", "2025-02-28", 24),  # the year is complete on 1 March
        ("2000-02-29", "2025-03-01", 25),
        ("2026-12-01", "2026-11-21", None),
        (None, "2026-11-21", None),
    ],
)
def test_age_is_in_completed_years(birth, day, age):
    """A child is six on the sixth birthday, not before."""
    assert age_on(birth, date.fromisoformat(day)) == age


@pytest.mark.parametrize(
    ("household", "dwelling", "registered", "outside", "state"),
    [
        ("h", "d", "d", False, "same_place"),
        ("h", "d", "e", False, "lives_not_registered"),
        ("h", "d", None, True, "lives_not_registered"),
        ("h", "d", None, False, "unknown"),
        ("h", None, "d", False, "unknown"),
        (None, None, "d", False, "registered_not_living"),
        (None, None, None, True, "unknown"),
    ],
)
def test_residence_and_registration_are_compared_never_asked(household, dwelling, registered, outside, state):
    """人在户不在 and 户在人不在 follow from where a person lives and is registered."""
    assert state == residence_state(
        residence_household=household,
        residence_dwelling=dwelling,
        registration_dwelling=registered,
        registered_outside=outside,
    )


def test_a_registration_hangs_where_nobody_of_the_register_lives():
    """空挂 is told apart from 户在人不在 by the others of the register; who is away for long lives where they went."""
    where = {"residence_household": "h", "residence_dwelling": "d", "registration_dwelling": "d", "registered_outside": False}
    assert [residence_state(**where, away_long=away, tied=tied) for away, tied in ((False, False), (True, True), (True, False))] == [
        "same_place", "registered_not_living", "registered_hanging"
    ]  # fmt: skip


def test_derived_values_are_computed_from_what_they_need():
    """A roster shows age and head of household without anybody having typed them."""
    day = date(2026, 11, 21)
    assert derive("age", {"birth_date": "1980-03-07", "died_on": "1990-01-01"}, record_id="p", today=day) == 9
    assert derive("is_head", {"residence_household.head": "p"}, record_id="p", today=day) is True
    assert derive("is_head", {}, record_id="p", today=day) is False
    for name, derived in DERIVED.items():
        if derived.stored:
            with pytest.raises(KeyError):
                derive(name, {}, record_id="p", today=day)
        else:
            derive(name, {}, record_id="p", today=day)
