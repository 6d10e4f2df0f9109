"""Who lives and is registered behind a door: tables of cases, the same for every language."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forms.dwelling_facts import (
    ARRANGEMENTS,
    PERSON_STATES,
    Resident,
    arrangement,
    care_disagrees,
    in_force,
    person_states,
)
from forms.observed import DISAGREEMENTS, Door, HouseholdSaid, Member, disagreements
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


@pytest.mark.parametrize("case", CASES["in_force"], ids=lambda case: case["case"])
def test_care_is_in_force_to_its_last_day(case):
    """An end that was written down in advance ends nothing before it has come."""
    assert in_force(case["to_date"], CASES["day"]) is case["in_force"]


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


SEEN = datetime(2026, 3, 1, 8, tzinfo=UTC)


def _member(who, *, household="h1", known=SEEN - timedelta(days=30), is_head=None, **more):
    fields = {"residence_dwelling": "d1", "presence": "present", "birth_date": "1940-01-01"} | more
    return Member(Resident(who, **fields), household, known, is_head)


def _door(*members, **more):
    more.setdefault("households", (HouseholdSaid("h1"),))
    return Door("d1", members=members, **more)


def _headed(person):
    return HouseholdSaid("h1", head=person)


# What was asked of a door, and what disagrees with it by the records.
DOORS = {
    "alone as said": (_door(_member("a"), care=(("c1", "living_alone"),)), []),
    "said alone, a daughter in a household of her own": (
        _door(_member("a"), _member("b", household="h2", birth_date="1980-01-01"), care=(("c1", "living_alone"),)),
        [("care_arrangement", "c1")],
    ),
    "said alone, the daughter's birth is unknown": (
        _door(_member("a"), _member("b", birth_date=None), care=(("c1", "living_alone"),)), []
    ),
    "said empty and lived in": (_door(_member("a"), occupancy="empty"), [("occupancy_empty", "d1")]),
    "said empty, all away": (_door(_member("a", presence="away_long"), occupancy="empty"), []),
    "said let, all away": (_door(_member("a", presence="away_long"), occupancy="let"), [("occupancy_lived", "d1")]),
    "said let, nobody written down yet": (_door(occupancy="let"), []),
    "said present, only registered": (
        _door(_member("a", household=None, residence_dwelling=None, registration_dwelling="d1")), [("presence_not_living", "a")]
    ),
    "registered, presence not asked": (
        _door(_member("a", household=None, residence_dwelling=None, registration_dwelling="d1", presence=None)), []
    ),
    "the last visit says moved away": (
        _door(_member("a"), households=(HouseholdSaid("h1", None, "moved_away", SEEN),)), [("visit_moved_away", "h1")]
    ),
    "confirmed after that visit": (
        _door(_member("a", known=SEEN + timedelta(days=1)), households=(HouseholdSaid("h1", None, "moved_away", SEEN),)), []
    ),
    "somebody was met where nobody lives": (
        _door(_member("a", presence="away_long"), households=(HouseholdSaid("h1", None, "met", SEEN),)), [("visit_met_nobody", "h1")]
    ),
    "three stated, one on record": (_door(_member("a"), households=(HouseholdSaid("h1", 3),)), [("members_count", "h1")]),
    "three stated, nobody on record yet": (_door(households=(HouseholdSaid("h1", 3),)), []),
    "the dead are not counted": (_door(_member("a"), _member("b", deceased=True), households=(HouseholdSaid("h1", 1),)), []),
    "the head as recorded": (_door(_member("a", is_head=True), _member("b", is_head=False), households=(_headed("a"),)), []),
    "the head, whose relation nobody asked": (_door(_member("a"), _member("b", is_head=False), households=(_headed("a"),)), []),
    "another is recorded as the head": (_door(_member("a"), _member("b", is_head=True), households=(_headed("a"),)), [("head", "h1")]),
    "the head is recorded as a son": (_door(_member("a", is_head=False), households=(_headed("a"),)), [("head", "h1")]),
    "the head lives in another household": (_door(_member("a", household="h2"), _member("b"), households=(_headed("a"),)), [("head", "h1")]),
    "the head has died": (_door(_member("a", deceased=True, is_head=True), _member("b"), households=(_headed("a"),)), [("head", "h1")]),
    "a head, and nobody on record yet": (_door(households=(_headed("a"),)), []),
    "two who say that they are the head, and none is named": (_door(_member("a", is_head=True), _member("b", is_head=True)), []),
    "a household whose dwelling is not known": (
        Door(None, members=(_member("a", residence_dwelling=None),), households=(HouseholdSaid("h1", 2),), care=(("c1", "empty_nest"),)),
        [("members_count", "h1")],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", DOORS, ids=lambda case: case.replace(" ", "-"))
def test_what_was_asked_is_held_against_what_follows(case):
    """独居, 空置, 在住, 已搬离, the head and the number of members are compared with the records; what is unknown contradicts nothing."""
    door, expected = DOORS[case]
    assert list(disagreements(door, date(2026, 3, 2))) == expected


def test_every_disagreement_has_words_in_both_languages():
    """The secretary reads what disagrees, never a name of the program."""
    told = {name for _, expected in DOORS.values() for name, _ in expected}
    assert told == set(DISAGREEMENTS)
    assert all(set(words) == {"zh", "en"} and all(words.values()) for words in DISAGREEMENTS.values())
