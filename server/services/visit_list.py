"""The office's list of due visits: the same rules and the same order as on the phones (forms/visits.py)."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, date, datetime
from typing import Any

from forms.derived import age_on
from forms.dwelling_facts import Resident, arrangement, in_force
from forms.visits import Due, HouseholdFacts, VisitFact, VisitRules, standing, urgency
from server.errors import NotFound, OutsideScope
from server.house import House
from server.permissions import Scope
from server.services.accounts import today
from server.services.addresses import Addresses
from server.services.inbox import cells_by_home
from server.services.looks import Look, seen
from server.services.visit_rules import visit_rules_of
from server.store import rosters as store
from server.store.database import read, stamp
from server.store.rosters import Entry
from sync.days import CHINA

MOST_ROWS = 10_000
_PERSONAL = ("household.dwelling", "person.birth_date", "care_status.kind", "visit.outcome")


def due(
    house: House, scope: Scope, community_id: str, look: Look, *, cell_code: str | None = None, only: str = "due", limit: int = 200
) -> dict[str, Any]:
    """Households to be visited today, the most urgent first, or those that somebody at the office has to look at.

    Parameters
    ----------
    cell_code : of one cell of the published base edition; None for all in the scope
    only : ``due``, or ``escalated``: tried in vain too often, refused, moved away

    Returns
    -------
    dict
        ``as_of``, ``today``, ``count``, ``rows`` (at most ``limit``), ``cells`` with ``due`` and ``escalated`` counts, ``groups`` and ``bands`` with
        labels. Who looked is in the audit log.

    Raises
    ------
    NotFound
        No such cell.
    OutsideScope
        The scope holds no persons.
    """
    if scope.fields != "all":
        raise OutsideScope("this list is about single households")
    day = date.fromisoformat(today(house))
    with read(house.engine) as connection:
        rules = visit_rules_of(connection, community_id)
        cells = cells_by_home(connection, community_id)
        homes = None
        if cell_code is not None:
            homes = [home for home, cell in cells.items() if cell["code"] == cell_code]
            if not homes:
                raise NotFound("there is no such cell")

        def live(kind: str) -> list[Entry]:
            return store.live_entries(connection, scope, community_id, kind, homes)

        households = {one.id: one for one in live("household")}
        found = [standing(rules, facts) for facts in _facts(households, live, day)]
        chosen = [one for one in found if (one.escalated if only == "escalated" else one.is_due(day))]
        chosen.sort(key=lambda one: urgency(one, day))
        addresses = Addresses(lambda ids: store.entries_by_id(connection, community_id, ids))
        shown = chosen[: max(1, min(limit, MOST_ROWS))]
        addresses.learn([("household", households[one.household_id].fields) for one in shown])
        rows = [_row(one, households[one.household_id], addresses, cells, day) for one in shown]
        seen(house, look, scope, community_id, fields=_PERSONAL, count=len(rows), where=f"visits={only}", record_type="household")
    counts: dict[str, dict[str, int]] = defaultdict(lambda: {"due": 0, "escalated": 0})
    for one in found:
        home = counts[households[one.household_id].home]
        home["due"] += one.is_due(day)
        home["escalated"] += one.escalated
    return {
        "as_of": stamp(house.clock()), "today": day.isoformat(), "count": len(chosen), "rows": rows,
        "cells": [cell | counts[home] for home, cell in cells.items() if scope.sees_stream(community_id, home) and (homes is None or home in homes)],
        "groups": {group.name: group.label for group in rules.groups}, "bands": {band.name: band.label for band in rules.bands},
    }  # fmt: skip


def _facts(households: dict[str, Entry], live: Any, day: date) -> list[HouseholdFacts]:
    """What the rules ask of every household, gathered type by type in one pass each."""
    visits = _visits(live)
    dwellings = {one.id: one.fields for one in live("dwelling")}
    residents: dict[str, list[Resident]] = defaultdict(list)
    ages: dict[str, list[int]] = defaultdict(list)
    homes: dict[str, str] = {}
    for one in live("person"):
        household = households.get(str(one.fields.get("residence_household")))
        if household is None:
            continue
        homes[one.id] = household.id
        dwelling, birth = household.fields.get("dwelling"), one.fields.get("birth_date")
        dead, presence = one.fields.get("vital_status") == "deceased", one.fields.get("presence")
        if isinstance(dwelling, str):
            residents[dwelling].append(
                Resident(one.id, dwelling, presence=presence, birth_date=birth, deceased=dead, collective=household.fields.get("kind") == "collective")
            )
        age = age_on(birth, day)
        if age is not None and not dead and presence != "away_long":
            ages[household.id].append(age)
    care: dict[str, list[tuple[str | None, str | None]]] = defaultdict(list)
    for one in live("care_status"):
        home = homes.get(str(one.fields.get("person")))
        if home is not None and in_force(one.fields.get("to_date"), day.isoformat()):
            care[home].append((one.fields.get("level"), one.fields.get("kind")))
    told = []
    for one in households.values():
        dwelling = one.fields.get("dwelling")
        place = dwelling if isinstance(dwelling, str) else None
        told.append(
            HouseholdFacts(
                one.id, _confirmed_on(one), tuple(ages[one.id]),
                arrangement(place, residents[place], day) if place is not None else None,
                dwellings.get(place, {}).get("occupancy") if place is not None else None, tuple(care[one.id]), tuple(visits[one.id]),
            )
        )  # fmt: skip
    return told


def escalations(rules: VisitRules, live: Any) -> set[str]:
    """The households of a stream that somebody at the office has to look at; ``live`` gives the live records of a type."""
    visits = _visits(live)
    asked = (HouseholdFacts(one.id, _confirmed_on(one), visits=tuple(visits[one.id])) for one in live("household") if one.id in visits)
    return {facts.household_id for facts in asked if standing(rules, facts).escalated}


def _visits(live: Any) -> dict[str, list[VisitFact]]:
    """The visits of every household that has any."""
    visits: dict[str, list[VisitFact]] = defaultdict(list)
    for one in live("visit"):
        at = _local(one.fields.get("visited_at"))
        if at is not None:
            fact = VisitFact(at.date().isoformat(), at.hour, str(one.fields.get("outcome")), one.fields.get("next_visit_on"))
            visits[str(one.fields.get("household"))].append(fact)
    return visits


def _confirmed_on(one: Entry) -> str | None:
    """Only written down, say by an import, is not seen: the phones know no confirmation of it either."""
    confirmed = _local(one.fresh_at) if one.fresh_at != one.created_at else None
    return confirmed.date().isoformat() if confirmed is not None else None


def _local(at: Any) -> datetime | None:
    """The community's time of an instant; None for what is none."""
    try:
        found = datetime.fromisoformat(str(at))
    except ValueError:
        return None
    return (found if found.tzinfo is not None else found.replace(tzinfo=UTC)).astimezone(UTC) + CHINA


def _row(one: Due, household: Entry, addresses: Addresses, cells: dict[str, Any], day: date) -> dict[str, Any]:
    return {
        "household_id": one.household_id, "address": addresses.line("household", household.fields), "cell": cells.get(household.home),
        "group": one.group, "every_days": one.every_days, "last_on": one.last_on, "due_on": one.due_on,
        "overdue_days": one.overdue_days(day), "appointment": one.appointment, "attempts": one.attempts, "band": one.band,
        "escalated": one.escalated,
    }  # fmt: skip
