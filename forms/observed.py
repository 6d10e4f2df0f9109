"""Where what somebody asked or saw disagrees with what follows from the records: 独居, 空巢, 人在户在 and their like.

Derived facts are never typed, so an answer that says otherwise is not simply wrong: either the answer is old or the records
are. A person at the office has to look. Pure functions over one door and its households; forms/dwelling_facts.py derives.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime

from forms.definition import Labels
from forms.dwelling_facts import Resident, arrangement, care_disagrees, person_states

#: What is said of each disagreement. None of the words holds a value.
DISAGREEMENTS: dict[str, Labels] = {
    "care_arrangement": {
        "zh": "关爱类别为独居或空巢，但按同一房屋内的全部人员推算并非如此",
        "en": "Recorded as living alone or as an empty nest; by everybody who lives in the dwelling it is not",
    },
    "occupancy_empty": {
        "zh": "居住状况为空置，但名册上有人在住",
        "en": "The dwelling is said to be empty; somebody is on record as living in it",
    },
    "occupancy_lived": {
        "zh": "居住状况为有人居住，但名册上的人都已长期外出或去世",
        "en": "The dwelling is said to be lived in; everybody on record is away for long or dead",
    },
    "presence_not_living": {
        "zh": "填写为在住，但没有现住的户，按居住和户籍推算为户在人不在",
        "en": "Said to be present, without a household to live in: by residence and registration only registered here",
    },
    "visit_moved_away": {
        "zh": "最近一次走访说已搬离，但名册上仍有人在住",
        "en": "The last visit says that they moved away; somebody is still on record as living there",
    },
    "visit_met_nobody": {
        "zh": "最近一次走访见到了本户人员，但名册上没有人在住",
        "en": "The last visit met a member; by the records nobody of the household lives there",
    },
    "members_count": {
        "zh": "申报人数与名册上的人数不一致",
        "en": "The number of members stated differs from the number on record",
    },
    "head": {
        "zh": "所填户主不是名册上登记为户主的本户人员",
        "en": "The head named is not the member of the household who is recorded as its head",
    },
}  # fmt: skip

_LIVED = frozenset({"owner_lived", "let", "group_let", "lent"})
_HERE = frozenset({"present", "away_short"})


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody on record behind a door: where they live and are registered, and when that was last written or confirmed.

    ``is_head``: recorded as the head by the relation to the head; None where no relation is on record.
    """

    resident: Resident
    household_id: str | None
    known_at: datetime
    is_head: bool | None = None


@dataclass(frozen=True, slots=True)
class HouseholdSaid:
    """What was asked of a household: number and head as stated, and the outcome of the last visit that says whether they live there."""

    household_id: str
    stated_count: int | None = None
    outcome: str | None = None
    visited_at: datetime | None = None
    head: str | None = None


@dataclass(frozen=True, slots=True)
class Door:
    """A dwelling with everybody and everything on record behind it.

    ``dwelling_id`` is None for a household whose dwelling is not known: then nothing is derived of the dwelling.
    ``care``: (record id, kind) of every care record in force of a member.
    """

    dwelling_id: str | None
    occupancy: str | None = None
    members: tuple[Member, ...] = ()
    households: tuple[HouseholdSaid, ...] = ()
    care: tuple[tuple[str, str], ...] = ()


def disagreements(door: Door, day: date) -> Iterator[tuple[str, str]]:
    """What disagrees behind one door on a day.

    Parameters
    ----------
    door : Door
    day : datetime.date
        The community's day: living alone depends on ages.

    Yields
    ------
    (str, str)
        Name of ``DISAGREEMENTS`` and id of the record that says otherwise. Nothing where nothing is known: an unknown birth
        date, a household without members and a visit older than the last word on the members contradict nothing.
    """
    if door.dwelling_id is not None:
        yield from _of_dwelling(door, door.dwelling_id, day)
    for household in door.households:
        yield from _of_household(household, [one for one in door.members if one.household_id == household.household_id])


def _of_dwelling(door: Door, dwelling_id: str, day: date) -> Iterator[tuple[str, str]]:
    everybody = [one.resident for one in door.members]
    if door.care:
        derived = arrangement(dwelling_id, everybody, day)
        yield from (("care_arrangement", record_id) for record_id, kind in door.care if care_disagrees(kind, derived))
    living = any(one.lives_in(dwelling_id) for one in everybody)
    if door.occupancy == "empty" and living:
        yield "occupancy_empty", dwelling_id
    elif door.occupancy in _LIVED and not living and any(one.residence_dwelling == dwelling_id for one in everybody):
        yield "occupancy_lived", dwelling_id
    states = person_states(dwelling_id, everybody)
    for one in everybody:
        elsewhere = states.get(one.person_id) in ("registered_elsewhere", "registered_hanging")
        if elsewhere and one.residence_dwelling is None and one.presence in _HERE:
            yield "presence_not_living", one.person_id


def _of_household(said: HouseholdSaid, members: list[Member]) -> Iterator[tuple[str, str]]:
    alive = [one for one in members if not one.resident.deceased]
    if said.stated_count is not None and members and said.stated_count != len(alive):
        yield "members_count", said.household_id
    if said.head is not None and members and _head_differs(said.head, alive):
        yield "head", said.household_id
    at = said.visited_at
    if at is None or not members:
        return
    living = [one for one in alive if one.resident.presence != "away_long"]
    if said.outcome == "moved_away" and living and all(one.known_at <= at for one in living):
        yield "visit_moved_away", said.household_id
    elif said.outcome == "met" and not living and all(one.known_at <= at for one in members):
        yield "visit_met_nobody", said.household_id


def _head_differs(head: str, alive: list[Member]) -> bool:
    """Whether the head named does not live in the household, is recorded as something else in it, or somebody else is its head, too."""
    named = next((one for one in alive if one.resident.person_id == head), None)
    return named is None or named.is_head is False or any(one.is_head for one in alive if one is not named)
