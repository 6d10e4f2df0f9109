"""What follows from all records behind a door and waits for the office: opened and closed by the sweeper, never by a push.

Findings where an asked observation disagrees with a derived fact, and households that were tried in vain too often.

A home stream is compared again when its number has moved or the day has changed (ages do without a write). Dwelling, households,
members, care and visits of one door are in one stream, so a stream is read set by set and nothing else is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from functools import cache
from typing import Any

from forms.dwelling_facts import Resident, in_force
from forms.observed import Door, HouseholdSaid, Member, disagreements
from server.house import House
from server.permissions import Scope
from server.services.accounts import today
from server.services.visit_list import escalations
from server.services.visit_rules import visit_rules_of
from server.store import disagreements as store
from server.store.commands import all_redirects
from server.store.database import read, stamp, write
from server.store.inbox import ESCALATED
from server.store.rosters import Entry, live_entries
from server.store.writing import write_findings
from sync.memory import Found, Memory

DERIVED = "derived"
MOST_AT_ONCE = 20_000
"""Records in the streams that one sweep compares, the last stream in full; the rest waits a minute."""

_READ = {
    "dwelling": frozenset({"occupancy"}),
    "household": frozenset({"dwelling", "kind", "head", "members_count_stated"}),
    "person": frozenset({
        "residence_household", "registration_dwelling", "registration_address_text", "registration_division_code", "presence", "birth_date",
        "vital_status", "relation_to_head",
    }),
    "care_status": frozenset({"person", "kind", "to_date"}),
    "visit": frozenset({"household", "visited_at", "outcome", "next_visit_on"}),
}  # fmt: skip
"""What is looked at: a cell's records are in memory together while it is compared, once a minute, beside the pushes."""

_LEADS = {"household": "head", "person": "residence_household", "care_status": "person", "visit": "household"}
"""What names a record that may have been merged into another."""

_NEVER = datetime.min.replace(tzinfo=UTC)
_TELLING = ("met", "moved_away")
_HEAD = frozenset({"02", "01"})
"""The head in `relation_to_head`; 01 (self) said the same before it was retired."""


def sweep(house: House) -> int:
    """Compare what has changed since the last time; how many findings were opened or closed.

    What arrives while a stream is read moves its number, so that it is compared again.
    """
    day, at, room = today(house), stamp(house.clock()), MOST_AT_ONCE
    with read(house.engine) as connection:
        streams = store.streams_to_compare(connection, day)
    told: dict[str, list[Found]] = defaultdict(list)
    marks = []
    for community_id, home, seq, count in streams:
        if room <= 0:
            break
        room -= count
        told[community_id] += compared(house, community_id, home, date.fromisoformat(day))
        marks.append((community_id, home, seq, day))
    if marks:
        with write(house.engine) as connection:
            for community_id, found in told.items():
                write_findings(connection, community_id, found, 0, at)
            store.mark_compared(connection, marks)
    return sum(map(len, told.values()))


def compared(house: House, community_id: str, home: str, day: date) -> list[Found]:
    """The findings of one home stream that are to be opened, and those that are to be closed."""
    with read(house.engine) as connection:
        redirects = all_redirects(connection, community_id)

        @cache
        def live(kind: str) -> list[Entry]:
            entries = live_entries(connection, Scope((community_id,)), community_id, kind, [home], only=_READ[kind])
            return _led_on(entries, _LEADS.get(kind), redirects)

        found = {(DERIVED, *pair) for door in doors(live, day) for pair in disagreements(door, day)}
        found |= {(ESCALATED, "office", household) for household in escalations(visit_rules_of(connection, community_id), live)}
        standing = store.open_of(connection, community_id, (DERIVED, ESCALATED), home)
    opened = [Found(*one, ()) for one in sorted(found - standing)]
    return opened + [Found(*one, (), False) for one in sorted(standing - found)]


def _led_on(entries: list[Entry], field: str | None, redirects: Mapping[str, str]) -> list[Entry]:
    """The entries with what they name as it is today: of a merged record the one that it leads to (S8)."""
    root = Memory.rooted(redirects)
    for one in entries:
        named = one.fields.get(field) if field is not None else None
        if named in redirects:
            one.fields[str(field)] = root(str(named))
    return entries


def doors(live: Any, day: date) -> list[Door]:
    """Every door of a stream with what is on record behind it; ``live`` gives the live records of a type, their references led on.

    A household whose dwelling is not known, or is elsewhere, has a door of its own without a dwelling.
    """
    dwellings = {one.id: one for one in live("dwelling")}
    households = {one.id: one for one in live("household")}

    def door_of(household_id: Any) -> str | None:
        dwelling = households[household_id].fields.get("dwelling") if household_id in households else None
        return dwelling if dwelling in dwellings else None

    members: dict[str, list[Member]] = defaultdict(list)
    place: dict[str, str] = {}
    for one in live("person"):
        household, registered = one.fields.get("residence_household"), one.fields.get("registration_dwelling")
        at = door_of(household) or (household if household in households else registered if household is None else None)
        if at is None:
            continue
        place[one.id] = at
        members[at].append(_member(one, household, door_of(household), households))
    care: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for one in live("care_status"):
        at = place.get(str(one.fields.get("person")))
        if at is not None and in_force(one.fields.get("to_date"), day.isoformat()):
            care[at].append((one.id, str(one.fields.get("kind"))))
    last = _last_visits(live("visit"))
    behind: dict[str, list[HouseholdSaid]] = defaultdict(list)
    for one in households.values():
        outcome, at_time = last.get(one.id, (None, None))
        said = HouseholdSaid(one.id, one.fields.get("members_count_stated"), outcome, at_time, one.fields.get("head"))
        behind[door_of(one.id) or one.id].append(said)
    return [
        Door(
            key if key in dwellings else None, dwellings[key].fields.get("occupancy") if key in dwellings else None,
            tuple(members[key]), tuple(behind[key]), tuple(care[key]),
        )
        for key in sorted(dwellings.keys() | behind.keys())
    ]  # fmt: skip


def _member(one: Entry, household: Any, dwelling: str | None, households: dict[str, Entry]) -> Member:
    fields = one.fields
    return Member(
        Resident(
            one.id, dwelling, fields.get("registration_dwelling"),
            fields.get("registration_address_text") is not None or fields.get("registration_division_code") is not None,
            fields.get("presence"), fields.get("birth_date"), fields.get("vital_status") == "deceased",
            household in households and households[household].fields.get("kind") == "collective",
        ),
        household, _instant(one.fresh_at) or _NEVER, None if (relation := fields.get("relation_to_head")) is None else relation in _HEAD,
    )  # fmt: skip


def _last_visits(visits: Iterable[Entry]) -> dict[str, tuple[str, datetime]]:
    """Of each household the last visit that says whether they live there; of two at one instant the larger id."""
    last: dict[str, tuple[datetime, str, str]] = {}
    for one in visits:
        at, outcome, household = _instant(one.fields.get("visited_at")), one.fields.get("outcome"), str(one.fields.get("household"))
        if at is not None and outcome in _TELLING:
            last[household] = max(last.get(household, (_NEVER, "", "")), (at, one.id, outcome))
    return {household: (outcome, at) for household, (at, _, outcome) in last.items()}


def _instant(text: Any) -> datetime | None:
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
