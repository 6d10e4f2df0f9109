"""Care statuses and visits of the demo."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from server.demo.chance import Chance, Writer
from server.demo.people import People, Resident
from server.demo.places import Operation

# What a finding leads to: level of contact, line of work.
_CARE: dict[str, tuple[str, str]] = {
    "aged": ("monthly", "elderly_care"),
    "living_alone": ("weekly", "elderly_care"),
    "empty_nest": ("monthly", "elderly_care"),
    "disabled": ("monthly", "disabled_federation"),
    "low_income": ("quarterly", "civil_affairs"),
    "chronic": ("quarterly", "health"),
    "serious_illness": ("weekly", "health"),
    "pregnant": ("monthly", "health"),
    "left_behind_child": ("monthly", "women_children"),
    "veteran": ("quarterly", "veterans"),
}


def build_care(seed: int, as_of: date, writer: Writer, people: People) -> list[list[Operation]]:
    """One group per person who has any care status."""
    chance = Chance(seed, "care", as_of)
    groups = []
    for resident in people.residents:
        group = [_status(chance, writer, resident, kind) for kind in _kinds(chance, resident)]
        if group:
            groups.append(group)
    return groups


def _kinds(chance: Chance, resident: Resident) -> list[str]:
    age, shape, sex = resident.member.age, resident.shape, resident.member.sex
    found = {
        "aged": age >= 80,
        "living_alone": shape == "old_alone",
        "empty_nest": shape == "old_couple" and age >= 65 and chance.holds(0.5),
        "disabled": chance.holds(0.05 if age >= 60 else 0.012),
        "low_income": chance.holds(0.011),
        "chronic": age >= 60 and chance.holds(0.12),
        "serious_illness": age >= 40 and chance.holds(0.004),
        "pregnant": sex == "2" and 22 <= age <= 39 and shape in ("couple", "one_child") and chance.holds(0.05),
        "left_behind_child": shape == "grandparent" and age < 18,
        "veteran": age >= 30 and sex == "1" and chance.holds(0.012),
    }
    return [kind for kind, holds in found.items() if holds]


def _status(chance: Chance, writer: Writer, resident: Resident, kind: str) -> Operation:
    level, line = _CARE[kind]
    since = resident.surveyed.date() - timedelta(days=chance.between(1, 200 if kind == "pregnant" else 1500))
    return writer.create("care_status", writer.new_id("care_status"), {
        "person": resident.id,
        "kind": kind,
        "level": "daily" if kind == "living_alone" and resident.member.age >= 85 else level,
        "source": chance.weighted({"visit": 0.5, "department_list": 0.35, "self_report": 0.15}),
        "from_date": max(since, resident.member.birth).isoformat(),
        "line_of_work": line,
        "responsible_text": "本网格网格员" if chance.holds(0.3) else None,
    }, resident.surveyed)  # fmt: skip


def build_visits(seed: int, as_of: date, writer: Writer, people: People) -> list[list[Operation]]:
    """One group per household that was visited: first the days when nobody answered, then the survey, then later calls.

    About one household in ten was never visited: what is known of it came with an import.
    """
    chance = Chance(seed, "visits", as_of)
    groups = []
    for home in people.homes:
        if chance.holds(0.1):
            continue
        tries = chance.weighted({1: 0.72, 2: 0.2, 3: 0.08})
        group = []
        for attempt in range(1, tries):
            at = home.surveyed - timedelta(days=(tries - attempt) * chance.between(2, 6), minutes=chance.between(0, 90))
            outcome = chance.weighted({"no_answer": 0.8, "no_access": 0.08, "appointment": 0.12})
            group.append(_visit(writer, home.id, at, {
                "method": "door", "outcome": outcome, "attempt_number": attempt,
                "next_visit_on": home.surveyed.date().isoformat() if outcome == "appointment" else None,
            }))  # fmt: skip
        group.append(_visit(writer, home.id, home.surveyed, {
            "method": chance.weighted({"door": 0.9, "phone": 0.1}),
            "outcome": chance.weighted({"met": 0.94, "met_other": 0.04, "refused": 0.02}),
            "attempt_number": tries,
        }))  # fmt: skip
        days_since = (as_of - home.surveyed.date()).days
        if days_since > 60 and chance.holds(0.35):
            again = chance.moment(chance.day(first=days_since - 30, last=1))
            method = chance.weighted({"door": 0.5, "phone": 0.35, "message": 0.15})
            group.append(_visit(writer, home.id, again, {"method": method, "outcome": "met", "attempt_number": 1}))
        groups.append(group)
    return groups


def _visit(writer: Writer, household: str, at: Any, fields: dict[str, Any]) -> Operation:
    stamp = at.isoformat(timespec="seconds")
    return writer.create("visit", writer.new_id("visit"), {"household": household, "visited_at": stamp, **fields}, at)
