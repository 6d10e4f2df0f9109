"""Who lives and who is registered in a dwelling, and what follows: 人在户在 … 空挂, 独居, 空巢. Derived, never asked.

Pure functions over all persons of one dwelling, whichever household they belong to: two households behind one door are not
two people living alone. Roster columns of a single record are derived.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Literal

from forms.derived import RESIDENCE_STATES, age_on

#: Completed years from which a person counts as old: 老年人权益保障法 §2.
OLD_FROM = 60

PersonState = Literal[
    "lives_registered", "lives_not_registered", "registered_elsewhere", "registered_hanging", "lives_unknown"
]
Arrangement = Literal["living_alone", "empty_nest", "with_others", "collective", "nobody_old", "unknown", "empty"]

#: What a person is to one dwelling, with labels.
PERSON_STATES: dict[str, tuple[str, str]] = {
    "lives_registered": ("人在户在", "Lives and is registered here"),
    "lives_not_registered": ("人在户不在", "Lives here, registered elsewhere"),
    "registered_elsewhere": ("户在人不在", "Registered here, lives elsewhere"),
    "registered_hanging": ("空挂", "Registered here, nobody of the register lives here"),
    "lives_unknown": ("人在，户籍不详", "Lives here, registration unknown"),
}

#: How the old people of a dwelling live, with labels.
ARRANGEMENTS: dict[str, tuple[str, str]] = {
    "living_alone": ("独居", "Old and alone in the dwelling"),
    "empty_nest": ("空巢", "Only old people in the dwelling"),
    "with_others": ("与他人同住", "Old people with younger ones"),
    "collective": ("集体居住", "Collective household"),
    "nobody_old": ("无老年人", "No old people"),
    "unknown": ("不详", "Unknown"),
    "empty": ("无人居住", "Nobody lives here"),
}


#: Derived values that are codes, with the labels of their codes.
DERIVED_CODES: dict[str, dict[str, tuple[str, str]]] = {"residence_state": RESIDENCE_STATES, "arrangement": ARRANGEMENTS}


@dataclass(frozen=True, slots=True)
class Resident:
    """What is known of one person who lives or is registered somewhere.

    ``residence_dwelling`` is the dwelling of the person's household, None where it is not known.
    ``registered_outside``: an address or division outside the known dwellings was recorded.
    ``presence`` is a code of the list of that name; who is ``away_long`` is counted where they went, not here.
    ``collective``: the household is a collective one (dormitory, home for the old).
    """

    person_id: str
    residence_dwelling: str | None = None
    registration_dwelling: str | None = None
    registered_outside: bool = False
    presence: str | None = None
    birth_date: str | None = None
    deceased: bool = False
    collective: bool = False

    def lives_in(self, dwelling_id: str) -> bool:
        """Whether this person lives in a dwelling now."""
        return not self.deceased and self.residence_dwelling == dwelling_id and self.presence != "away_long"


def tied(dwelling_id: str, persons: Iterable[Resident]) -> bool:
    """Whether anybody of those registered in a dwelling lives in it; where nobody does, their registrations hang (空挂)."""
    return any(one.registration_dwelling == dwelling_id and one.lives_in(dwelling_id) for one in persons)


def person_states(dwelling_id: str, persons: Iterable[Resident]) -> dict[str, PersonState]:
    """What each person is to a dwelling.

    Parameters
    ----------
    dwelling_id : str
    persons : iterable of Resident
        Everybody who lives or is registered there; others are passed over, and so are the dead.

    Returns
    -------
    dict
        Person id to state, in the order given; empty for a dwelling without anybody. A registration is *hanging* where
        nobody who is registered in the dwelling lives in it: the register has lost its last tie to the door. While one
        member of the register still lives there, the others are registered here and live elsewhere.
    """
    here = [p for p in persons if not p.deceased]
    held = tied(dwelling_id, here)
    states: dict[str, PersonState] = {}
    for person in here:
        registered = person.registration_dwelling == dwelling_id
        if person.lives_in(dwelling_id):
            if registered:
                states[person.person_id] = "lives_registered"
            elif person.registration_dwelling is not None or person.registered_outside:
                states[person.person_id] = "lives_not_registered"
            else:
                states[person.person_id] = "lives_unknown"
        elif registered:
            states[person.person_id] = "registered_elsewhere" if held else "registered_hanging"
    return states


def arrangement(dwelling_id: str, persons: Iterable[Resident], day: date, *, old_from: int = OLD_FROM) -> Arrangement:
    """How the old people of a dwelling live on a day.

    Parameters
    ----------
    dwelling_id : str
    persons : iterable of Resident
        All persons of the dwelling, of all its households. Who is registered but lives elsewhere does not count.
    day : datetime.date
    old_from : int
        Completed years.

    Returns
    -------
    str
        ``living_alone`` one old person and nobody else; ``empty_nest`` two or more, all old; ``unknown`` where a
        missing birth date decides. One person known to be young settles the rest: not alone, not an empty nest.
    """
    living = [p for p in persons if p.lives_in(dwelling_id)]
    if not living:
        return "empty"
    if any(p.collective for p in living):
        return "collective"
    ages = [age_on(p.birth_date, day) for p in living]
    old = sum(age is not None and age >= old_from for age in ages)
    young = sum(age is not None and age < old_from for age in ages)
    undecided = len(ages) - old - young
    if old and young:
        return "with_others"
    if undecided:
        return "unknown"
    if not old:
        return "nobody_old"
    return "living_alone" if old == 1 else "empty_nest"


#: Codes of ``care_kind`` that say how an old person lives, with the arrangements that agree.
_SAID = {"living_alone": "living_alone", "empty_nest": "empty_nest"}


def care_disagrees(care_kind: str, derived: Arrangement) -> bool:
    """Whether a care status that somebody recorded contradicts how the dwelling is lived in.

    An arrangement that is unknown contradicts nothing; neither does a kind of care that says nothing of the dwelling.
    An old person alone is in an empty nest too.
    """
    said = _SAID.get(care_kind)
    if said is None or derived == "unknown":
        return False
    return derived != said and not (said == "empty_nest" and derived == "living_alone")


def in_force(to_date: str | None, day: str) -> bool:
    """Whether what ends on ``to_date`` (ISO; none: it does not end) holds on a day: the last day still counts, an end to come is none yet."""
    return not to_date or to_date >= day
