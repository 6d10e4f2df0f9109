"""Who lives and is registered behind a door: tables of cases, the same for every language."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forms.dwelling_facts import ARRANGEMENTS, PERSON_STATES, Resident, arrangement, care_disagrees, person_states
from forms.registry import load_registry

CASES = json.loads((Path(__file__).parent / "vectors" / "forms" / "dwelling_facts.json").read_text(encoding="utf-8"))
DWELLING, DAY = CASES["dwelling"], date.fromisoformat(CASES["day"])
PEOPLE = st.lists(
    st.builds(
        Resident,
        person_id=st.sampled_from("abcdef"),
        residence_dwelling=st.sampled_from([None, "d1", "d2"]),
        registration_dwelling=st.sampled_from([None, "d1", "d2"]),
        registered_outside=st.booleans(),
        presence=st.sampled_from([None, "present", "away_short", "away_long", "unknown"]),
        birth_date=st.sampled_from([None, "1950-03-02", "1990-01-01"]),
        deceased=st.booleans(),
    ),
    max_size=6,
    unique_by=lambda person: person.person_id,
)


def _people(case):
    return [Resident(**person) for person in case["persons"]]


@pytest.mark.parametrize("case", CASES["states"], ids=lambda case: case["case"])
def test_where_people_live_and_are_registered_is_derived(case):
    """人在户在, 人在户不在, 户在人不在 and 空挂 follow from residence and registration; nobody is asked."""
    assert person_states(DWELLING, _people(case)) == case["states"]


@pytest.mark.parametrize("case", CASES["arrangements"], ids=lambda case: case["case"])
def test_living_alone_is_seen_by_the_door_not_by_the_household(case):
    """独居 and 空巢 count everybody behind the door, so a lodger in a household of their own is company."""
    assert arrangement(DWELLING, _people(case), DAY) == case["arrangement"]


@given(PEOPLE)
def test_every_living_person_of_the_door_has_one_state(people):
    """Nobody who lives or is registered behind a door is left out, whatever the order of the list."""
    states = person_states(DWELLING, people)
    concerned = {
        p.person_id for p in people if not p.deceased and (p.lives_in(DWELLING) or p.registration_dwelling == DWELLING)
    }
    assert set(states) == concerned
    assert set(states.values()) <= set(PERSON_STATES)
    assert person_states(DWELLING, people[::-1]) == states
    hanging, tied = "registered_hanging" in states.values(), "lives_registered" in states.values()
    assert not (hanging and tied)
    assert arrangement(DWELLING, people, DAY) == arrangement(DWELLING, people[::-1], DAY)
    assert arrangement(DWELLING, people, DAY) in ARRANGEMENTS


def test_a_care_status_that_contradicts_the_door_is_noticed():
    """A record of 独居 for somebody who lives with a daughter is looked at again; what is unknown contradicts nothing."""
    assert care_disagrees("living_alone", "with_others")
    assert care_disagrees("living_alone", "empty_nest")
    assert not care_disagrees("empty_nest", "living_alone")
    assert not care_disagrees("living_alone", "unknown")
    assert not care_disagrees("disabled", "with_others")
    assert {"living_alone", "empty_nest"} <= set(load_registry().codelist("care_kind").entries)
