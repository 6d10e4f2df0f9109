"""Households under the visit rules, made for both languages: named cases, and generated days."""

from __future__ import annotations

import random
from dataclasses import asdict
from datetime import date, timedelta
from typing import Any

from forms.visits import HouseholdFacts, VisitFact, due_visits, standing, visit_rules

TODAY = date(2026, 11, 22)


def facts_of(given: dict[str, Any]) -> HouseholdFacts:
    """Facts from a vector."""
    visits = tuple(VisitFact(**one) for one in given.get("visits", ()))
    care = tuple(tuple(one) for one in given.get("care", ()))
    return HouseholdFacts(**given | {"visits": visits, "care": care, "ages": tuple(given.get("ages", ()))})


def visit(day: str, hour: int, outcome: str, next_on: str | None = None) -> dict[str, Any]:
    return {"day": day, "hour": hour, "outcome": outcome} | ({"next_on": next_on} if next_on else {})


NAMED: tuple[tuple[str, dict[str, Any]], ...] = (
    ("never seen", {}),
    ("confirmed a month ago, ordinary", {"confirmed_on": "2026-10-22"}),
    ("confirmed 90 days ago", {"confirmed_on": "2026-08-24"}),
    ("over 80 and alone, met 12 days ago", {"ages": [84], "arrangement": "living_alone", "visits": [visit("2026-11-10", 9, "met")]}),
    ("over 80 and alone, met yesterday", {"ages": [84], "arrangement": "living_alone", "visits": [visit("2026-11-21", 9, "met")]}),
    ("70 and alone", {"ages": [70], "arrangement": "living_alone", "confirmed_on": "2026-11-10"}),
    ("an old couple", {"ages": [70, 82], "arrangement": "empty_nest", "confirmed_on": "2026-10-23"}),
    ("the shortest of two groups counts", {"ages": [70], "arrangement": "living_alone", "care": [["daily", "chronic"]], "confirmed_on": "2026-11-21"}),
    ("pregnant", {"care": [[None, "pregnant"]], "confirmed_on": "2026-11-09"}),
    ("let", {"occupancy": "let", "confirmed_on": "2026-09-22"}),
    ("nobody answered yesterday evening", {"visits": [visit("2026-11-21", 19, "no_answer")]}),
    ("nobody answered this morning: not again today", {"visits": [visit("2026-11-22", 9, "no_answer")]}),
    ("nobody answered twice, at two hours", {"visits": [visit("2026-11-18", 9, "no_answer"), visit("2026-11-20", 15, "no_answer")]}),
    ("three failed: the office looks", {"visits": [visit("2026-11-16", 9, "no_answer"), visit("2026-11-18", 15, "no_access"), visit("2026-11-20", 19, "no_answer")]}),
    ("three failed, then met: all is well", {"visits": [visit("2026-11-16", 9, "no_answer"), visit("2026-11-17", 9, "no_answer"), visit("2026-11-18", 9, "no_answer"), visit("2026-11-19", 9, "met")]}),
    ("three failed, then confirmed by phone", {"confirmed_on": "2026-11-19", "visits": [visit("2026-11-16", 9, "no_answer"), visit("2026-11-17", 9, "no_answer"), visit("2026-11-18", 9, "no_answer")]}),
    ("refused once: the office looks", {"visits": [visit("2026-11-20", 9, "refused")]}),
    ("moved away", {"confirmed_on": "2026-10-01", "visits": [visit("2026-11-20", 9, "moved_away")]}),
    ("agreed for today", {"confirmed_on": "2026-11-01", "visits": [visit("2026-11-20", 9, "appointment", "2026-11-22")]}),
    ("agreed for Thursday: not before", {"visits": [visit("2026-11-20", 9, "appointment", "2026-11-26")]}),
    ("agreed for the day before yesterday, nobody went", {"visits": [visit("2026-11-15", 9, "appointment", "2026-11-20")]}),
    ("agreed, and met since", {"visits": [visit("2026-11-15", 9, "appointment", "2026-11-20"), visit("2026-11-20", 10, "met")]}),
    ("agreed, and nobody answered on that day", {"visits": [visit("2026-11-15", 9, "appointment", "2026-11-20"), visit("2026-11-20", 10, "no_answer")]}),
    ("visits in any order", {"visits": [visit("2026-11-20", 10, "no_answer"), visit("2026-11-15", 9, "met")]}),
    ("an outcome that the rules do not know", {"visits": [visit("2026-11-20", 10, "told_by_neighbour")]}),
)  # fmt: skip


def named() -> list[list[Any]]:
    """[name, facts, how it stands, whether it is due] of every named case."""
    told = []
    for name, given in NAMED:
        facts = {"household_id": "h", **given}
        stands = asdict(standing(visit_rules(), facts_of(facts)))
        del stands["household_id"]
        told.append([name, facts, stands, bool(due_visits(visit_rules(), [facts_of(facts)], TODAY))])
    return told


def chance(draw: random.Random, name: str) -> dict[str, Any]:
    """Facts of a household by chance."""
    rules = visit_rules()
    outcomes = sorted(rules.seen | rules.failed | rules.office | {"appointment", "other"})

    def day(most: int) -> str:
        return (TODAY - timedelta(days=draw.randrange(most))).isoformat()

    facts: dict[str, Any] = {"household_id": name}
    if draw.random() < 0.6:
        facts["confirmed_on"] = day(120)
    if draw.random() < 0.6:
        facts["ages"] = [draw.randrange(100) for _ in range(draw.randrange(4))]
    if draw.random() < 0.5:
        facts["arrangement"] = draw.choice(["living_alone", "empty_nest", "with_others", "unknown"])
    if draw.random() < 0.3:
        facts["occupancy"] = draw.choice(["let", "group_let", "owner_lived"])
    if draw.random() < 0.3:
        facts["care"] = [[draw.choice(["daily", "weekly", "monthly", "quarterly", None]), draw.choice(["aged", "pregnant", None])] for _ in range(draw.randrange(1, 3))]
    if draw.random() < 0.7:
        facts["visits"] = []
        for _ in range(draw.randrange(1, 6)):
            outcome = draw.choice(outcomes)
            agreed = (date.fromisoformat(day(20)) + timedelta(days=draw.randrange(14))).isoformat() if outcome == "appointment" else None
            facts["visits"].append(visit(day(40), draw.randrange(24), outcome, agreed))
    return facts


def generated(seed: int, days: int, households: int) -> list[list[Any]]:
    """[facts, the list of the day] of some days by chance."""
    draw = random.Random(seed)
    told = []
    for _ in range(days):
        facts = [chance(draw, f"h{number:02d}") for number in range(households)]
        told.append([facts, [asdict(one) for one in due_visits(visit_rules(), map(facts_of, facts), TODAY)]])
    return told


def file() -> dict[str, Any]:
    """The committed file."""
    return {
        "about": "Households under forms/rules/visits.json: named [name, facts, standing, due], generated [facts, list]. Written by python -m tests.web_vectors.",
        "today": TODAY.isoformat(),
        "cases": named(),
        "generated": generated(3, 12, 12),
    }
