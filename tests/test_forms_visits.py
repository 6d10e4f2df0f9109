"""Visit rules as data: who is due on a day and why; failed tries go to another hour, then to the office."""

from __future__ import annotations

import copy
import json
import random
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forms.dwelling_facts import ARRANGEMENTS
from forms.errors import DefinitionError
from forms.registry import load_registry
from forms.visits import due_visits, read_visit_rules, standing, visit_rules
from tests.visit_vectors import NAMED, TODAY, chance, facts_of, named, visit

RULES = visit_rules()
DOCUMENT = json.loads(json.dumps(RULES.document))
households = st.integers(0, 10**9).map(lambda seed: chance(random.Random(seed), "h"))

# What the office would say of each named household: (group, due today, escalated, other part of the day).
EXPECTED = {
    "never seen": ("everybody", True, False, None),
    "confirmed a month ago, ordinary": ("everybody", False, False, None),
    "confirmed 90 days ago": ("everybody", True, False, None),
    "over 80 and alone, met 12 days ago": ("alone_80", True, False, None),
    "over 80 and alone, met yesterday": ("alone_80", False, False, None),
    "the shortest of two groups counts": ("care_daily", True, False, None),
    "nobody answered yesterday evening": ("everybody", True, False, "morning"),
    "nobody answered this morning: not again today": ("everybody", False, False, "afternoon"),
    "nobody answered twice, at two hours": ("everybody", True, False, "evening"),
    "three failed: the office looks": ("everybody", True, True, "morning"),
    "three failed, then met: all is well": ("everybody", False, False, None),
    "refused once: the office looks": ("everybody", True, True, None),
    "agreed for today": ("everybody", True, False, None),
    "agreed for Thursday: not before": ("everybody", False, False, None),
    "agreed, and nobody answered on that day": ("everybody", True, False, "afternoon"),
}


def test_each_case_is_what_the_office_would_say():
    """The table of the rules, household by household."""
    found = {name: (stands["group"], due, stands["escalated"], stands["band"]) for name, _, stands, due in named()}
    assert {name: found[name] for name in EXPECTED} == EXPECTED
    assert len(found) == len(NAMED)


def test_the_rules_speak_of_codes_that_exist():
    """A rule over a code that no list has would never come true."""
    forms = load_registry()
    for group in RULES.groups:
        assert group.care_levels is None or group.care_levels <= set(forms.codelist("care_level").entries)
        assert group.care_kinds is None or group.care_kinds <= set(forms.codelist("care_kind").entries)
        assert group.occupancies is None or group.occupancies <= set(forms.codelist("occupancy").entries)
        assert group.arrangements is None or group.arrangements <= set(ARRANGEMENTS)
    assert RULES.seen | RULES.failed | RULES.office <= set(forms.codelist("visit_outcome").entries)


@given(households)
def test_somebody_who_was_met_today_is_not_due_today(facts):
    """A visit that met somebody resets everything: days, tries, escalation."""
    met = {**facts, "visits": [*facts.get("visits", []), visit(TODAY.isoformat(), 23, "met")]}
    found = standing(RULES, facts_of(met))
    assert (found.last_on, found.attempts, found.escalated) == (TODAY.isoformat(), 0, False)
    assert due_visits(RULES, [facts_of(met)], TODAY) == []


@given(households, st.integers(1, 200))
def test_who_is_due_stays_due_until_something_happens(facts, days):
    """No door falls off the list by waiting."""
    if due_visits(RULES, [facts_of(facts)], TODAY):
        assert due_visits(RULES, [facts_of(facts)], TODAY + timedelta(days=days))


@given(st.lists(households, max_size=8), st.randoms(use_true_random=False))
def test_the_list_does_not_depend_on_the_order_of_what_is_known(many, chances):
    """The same households and visits, told in another order, make the same day."""
    many = [{**one, "household_id": f"h{place}"} for place, one in enumerate(many)]
    for one in many:  # of two visits in one hour the later told counts as later: leave one an hour
        one["visits"] = list({(item["day"], item["hour"]): item for item in one.get("visits", [])}.values())
    mixed = copy.deepcopy(many)
    chances.shuffle(mixed)
    for one in mixed:
        chances.shuffle(one["visits"])
    assert due_visits(RULES, map(facts_of, many), TODAY) == due_visits(RULES, map(facts_of, mixed), TODAY)


@given(households)
def test_one_more_failed_try_never_makes_a_household_less_urgent_for_the_office(facts):
    """Trying in vain can escalate, and never takes back."""
    before = standing(RULES, facts_of(facts))
    after = standing(RULES, facts_of({**facts, "visits": [*facts.get("visits", []), visit(TODAY.isoformat(), 12, "no_answer")]}))
    assert after.escalated or not before.escalated
    confirmed_today = facts.get("confirmed_on") == TODAY.isoformat()
    assert confirmed_today or after.attempts >= before.attempts or after.last_on == before.last_on


def test_the_most_frequent_come_first_and_the_agreed_before_all():
    """An agreed hour is kept; then who must be seen most often; then who was never seen; then the longest overdue."""
    many = [
        {"household_id": "long", "confirmed_on": "2025-01-01"},
        {"household_id": "never"},
        {"household_id": "alone", "ages": [84], "arrangement": "living_alone", "confirmed_on": "2026-11-15"},
        {"household_id": "agreed", "confirmed_on": "2026-11-01", "visits": [visit("2026-11-20", 9, "appointment", "2026-11-22")]},
        {"household_id": "short", "confirmed_on": "2026-08-20"},
    ]
    assert [one.household_id for one in due_visits(RULES, map(facts_of, many), TODAY)] == ["agreed", "alone", "never", "long", "short"]


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        (lambda one: one.update(colour="red"), "/colour"),
        (lambda one: one["groups"][0].update(every_days=0), "/groups/0/every_days"),
        (lambda one: one["groups"][1]["when"].update(wealth=3), "/groups/1/when/wealth"),
        (lambda one: one["groups"][1].update(name="care_daily"), "/groups/1/name"),
        (lambda one: one["groups"].pop(), "/groups"),
        (lambda one: one.update(escalate_after=0), "/escalate_after"),
        (lambda one: one["bands"][0].update(to_hour=30), "/bands/0/to_hour"),
        (lambda one: one.pop("outcomes"), ""),
    ],
)
def test_rules_that_cannot_be_followed_are_refused(change, pointer):
    """A community's own rules are checked before they are kept; the place is named."""
    document = copy.deepcopy(DOCUMENT)
    change(document)
    with pytest.raises(DefinitionError) as wrong:
        read_visit_rules(document)
    assert wrong.value.pointer == pointer
