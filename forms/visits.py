"""Who is to be visited on a day, and why: rules as data, facts of households in, a list out. Pure, and twinned in TypeScript.

Days are days of the community and hours its hours (0 to 23): whoever gathers the facts turns instants into them. The twin is
web/shared/forms/visits.ts; both pass tests/vectors/forms/visits.json.
"""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

from forms.definition import Labels
from forms.errors import DefinitionError

MOST_DAYS = 3650
_CONDITIONS = ("arrangements", "occupancies", "care_levels", "care_kinds")
_KEYS = frozenset({"name", "version", "note", "groups", "outcomes", "retry_days", "escalate_after", "bands"})


@dataclass(frozen=True, slots=True)
class Group:
    """A kind of household that is to be seen every so many days. A condition that is None is not asked; all others must hold.

    ``care_levels`` and ``care_kinds`` must hold of one and the same care record.
    """

    name: str
    label: Labels
    every_days: int
    age_from: int | None = None
    arrangements: frozenset[str] | None = None
    occupancies: frozenset[str] | None = None
    care_levels: frozenset[str] | None = None
    care_kinds: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Band:
    """A part of the day: from its first hour up to, not including, its last."""

    name: str
    label: Labels
    from_hour: int
    to_hour: int


@dataclass(frozen=True, slots=True)
class VisitRules:
    """Checked rules; ``document`` is the JSON that phones receive."""

    groups: tuple[Group, ...]
    seen: frozenset[str]
    failed: frozenset[str]
    office: frozenset[str]
    retry_days: int
    escalate_after: int
    bands: tuple[Band, ...]
    document: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class VisitFact:
    """One visit: the community's day and hour, its outcome, and the day that was agreed, if one was."""

    day: str
    hour: int
    outcome: str
    next_on: str | None = None


@dataclass(frozen=True, slots=True)
class HouseholdFacts:
    """What the rules ask of a household.

    ``confirmed_on``: the day on which somebody last confirmed or changed it; None for never. ``ages`` of everybody who lives in
    the household, unknown ones left out. ``arrangement`` as dwelling_facts gives it. ``care``: (level, kind) of every care
    record in force. ``visits`` in any order.
    """

    household_id: str
    confirmed_on: str | None = None
    ages: tuple[int, ...] = ()
    arrangement: str | None = None
    occupancy: str | None = None
    care: tuple[tuple[str | None, str | None], ...] = ()
    visits: tuple[VisitFact, ...] = ()


@dataclass(frozen=True, slots=True)
class Due:
    """Where a household stands under the rules.

    ``last_on``: seen last, None for never. ``due_on``: the day from which it is due; a household that was never seen is due at once (None).
    ``appointment``: the day that was agreed with it after it was seen last. ``attempts``: failed ones since it was seen last;
    ``band``: a part of the day that was not tried yet, or was tried least. ``escalated``: somebody at the office has to look.
    """

    household_id: str
    group: str
    every_days: int
    last_on: str | None
    due_on: str | None
    appointment: str | None
    attempts: int
    band: str | None
    escalated: bool

    def overdue_days(self, today: date) -> int | None:
        """Days since it became due, negative before; None where it was never seen and nothing was agreed."""
        return None if self.due_on is None else (today - date.fromisoformat(self.due_on)).days

    def is_due(self, today: date) -> bool:
        """Whether somebody should go today."""
        return self.due_on is None or self.due_on <= today.isoformat()


def standing(rules: VisitRules, facts: HouseholdFacts) -> Due:
    """How one household stands, due or not. Ties of visits on one day and hour: the later one in ``visits`` counts as later."""
    group = _group_of(rules, facts)
    visits = sorted(facts.visits, key=lambda one: (one.day, one.hour))
    met = [place for place, one in enumerate(visits) if one.outcome in rules.seen]
    last_on = max(filter(None, (visits[met[-1]].day if met else None, facts.confirmed_on)), default=None)
    since = visits[met[-1] + 1 :] if met else visits
    # Somebody who has confirmed the household has seen it as well, whatever failed before or on that day.
    since = [one for one in since if facts.confirmed_on is None or one.day > facts.confirmed_on]
    failed = [one for one in since if one.outcome in rules.failed]
    agreed = next((one.next_on for one in reversed(visits[met[-1] :] if met else visits) if one.next_on is not None), None)
    if agreed is not None and last_on is not None and agreed <= last_on:
        agreed = None
    due_on = None if last_on is None else _later(last_on, group.every_days)
    if agreed is not None:
        due_on = agreed
    if failed:
        again = _later(failed[-1].day, rules.retry_days)
        if due_on is None or due_on < again:
            due_on = again
    escalated = len(failed) >= rules.escalate_after or any(one.outcome in rules.office for one in since)
    return Due(
        facts.household_id, group.name, group.every_days, last_on, due_on, agreed, len(failed),
        _band(rules, failed) if failed else None, escalated,
    )  # fmt: skip


def due_visits(rules: VisitRules, facts: Iterable[HouseholdFacts], today: date) -> list[Due]:
    """The households to be visited on a day, the most urgent first.

    Returns
    -------
    list of Due
        Agreed ones first; then those who must be seen most often; among them those who were never seen, then the longest overdue;
        of equals by id. Empty where nobody is due. Whoever was met, or is not due yet, is not in it.
    """
    found = [one for one in (standing(rules, each) for each in facts) if one.is_due(today)]
    return sorted(found, key=lambda one: urgency(one, today))


def urgency(due: Due, today: date) -> tuple[Any, ...]:
    """The key that `due_visits` sorts by."""
    overdue = due.overdue_days(today)
    never = due.last_on is None
    return (due.appointment is None, due.every_days, not never, -(overdue or 0), due.household_id)


def _group_of(rules: VisitRules, facts: HouseholdFacts) -> Group:
    fitting = [group for group in rules.groups if _fits(group, facts)]
    return min(fitting, key=lambda group: group.every_days)  # the last group asks nothing: one always fits


def _fits(group: Group, facts: HouseholdFacts) -> bool:
    if group.age_from is not None and not any(age >= group.age_from for age in facts.ages):
        return False
    if group.arrangements is not None and facts.arrangement not in group.arrangements:
        return False
    if group.occupancies is not None and facts.occupancy not in group.occupancies:
        return False
    if group.care_levels is None and group.care_kinds is None:
        return True
    return any(
        (group.care_levels is None or level in group.care_levels) and (group.care_kinds is None or kind in group.care_kinds)
        for level, kind in facts.care
    )


def _band(rules: VisitRules, failed: Iterable[VisitFact]) -> str | None:
    """The first part of the day that was tried least."""
    if not rules.bands:
        return None
    tried = [sum(band.from_hour <= one.hour < band.to_hour for one in failed) for band in rules.bands]
    return rules.bands[tried.index(min(tried))].name


def _later(day: str, days: int) -> str:
    return (date.fromisoformat(day) + timedelta(days=days)).isoformat()


# ---------------------------------------------------------------- reading
@lru_cache(maxsize=1)
def visit_rules() -> VisitRules:
    """The rules that the house comes with."""
    return read_visit_rules(json.loads((Path(__file__).parent / "rules" / "visits.json").read_text(encoding="utf-8")))


def read_visit_rules(document: Mapping[str, Any]) -> VisitRules:
    """Rules from their JSON document.

    Raises
    ------
    DefinitionError
        With the pointer of the first thing that is wrong. The last group must ask nothing, so that every household has one.
    """
    try:
        return _read(document)
    except (KeyError, TypeError, AttributeError, ValueError) as wrong:
        raise DefinitionError("rules/visits", "", f"the document is malformed: {type(wrong).__name__} {wrong}") from wrong


def _read(document: Mapping[str, Any]) -> VisitRules:
    def need(holds: bool, pointer: str, reason: str) -> None:
        if not holds:
            raise DefinitionError("rules/visits", pointer, reason)

    def whole(value: Any, least: int, most: int, pointer: str) -> int:
        need(type(value) is int and least <= value <= most, pointer, f"a whole number from {least} to {most} is needed")
        return int(value)

    for key in document:
        need(key in _KEYS, f"/{key}", "unknown key")
    groups: list[Group] = []
    for place, item in enumerate(document["groups"]):
        at, when = f"/groups/{place}", item["when"]
        for key in when:
            need(key == "age_from" or key in _CONDITIONS, f"{at}/when/{key}", "unknown condition")
        need(bool(item["label"]["zh"] and item["label"]["en"]), f"{at}/label", "a label in both languages is needed")
        need(item["name"] not in {group.name for group in groups}, f"{at}/name", "the name is repeated")
        groups.append(
            Group(
                str(item["name"]), item["label"], whole(item["every_days"], 1, MOST_DAYS, f"{at}/every_days"),
                whole(when["age_from"], 0, 150, f"{at}/when/age_from") if "age_from" in when else None,
                *(frozenset(map(str, when[key])) if key in when else None for key in _CONDITIONS),
            )
        )  # fmt: skip
    need(bool(groups) and not document["groups"][-1]["when"], "/groups", "the last group must ask nothing")
    outcomes = document["outcomes"]
    bands = tuple(
        Band(str(item["name"]), item["label"], whole(item["from_hour"], 0, 24, f"/bands/{place}/from_hour"), whole(item["to_hour"], 0, 24, f"/bands/{place}/to_hour"))
        for place, item in enumerate(document["bands"])
    )
    return VisitRules(
        tuple(groups), frozenset(outcomes["seen"]), frozenset(outcomes["failed"]), frozenset(outcomes["office"]),
        whole(document["retry_days"], 0, 365, "/retry_days"), whole(document["escalate_after"], 1, 100, "/escalate_after"), bands, document,
    )  # fmt: skip


def unknown_codes(rules: VisitRules, codes: Mapping[str, Container[str]]) -> list[tuple[str, str]]:
    """(pointer, code) of each code that nobody can have, in the order of the document.

    ``codes`` has the known ones of ``arrangements``, ``occupancies``, ``care_levels``, ``care_kinds`` and ``outcomes``. Rules that were kept
    are read without this: a code that was struck out later makes a group smaller, not a community without rules.
    """
    document = rules.document
    asked = [
        (f"/groups/{place}/when/{name}", group["when"].get(name, ()), name)
        for place, group in enumerate(document["groups"])
        for name in _CONDITIONS
    ] + [(f"/outcomes/{name}", given, "outcomes") for name, given in document["outcomes"].items()]
    return [(f"{at}/{n}", str(code)) for at, given, name in asked for n, code in enumerate(given) if str(code) not in codes[name]]
