"""Which household behind a door a row of a table belongs to: two heads are two households, never made one.

A row says it by the number of its household or the name of its head, else by where it stands: whoever stands below a head at the same
door belongs to that head. Where neither decides, people do; so they do where a table names another number or head than the household that
stands at the door, and nobody of that one: it may be the same household, written differently.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from server.services.sheet_ground import Dwelling, Ground, Home, Lead, Place, plain
from server.services.sheet_match import may_be_one_name
from server.services.sheet_read import SheetRow

SEVERAL_HOMES, OTHER_HEAD, OTHER_HOME = "several_homes", "other_head", "other_home"
SECOND_HOME = "second_home"
"""Of a row that makes a household where another one stands."""
_HEAD = "02"


@dataclass(frozen=True, slots=True)
class Choice:
    """The household of a row, None where it is to be made; ``head`` is the name of its head as far as the table says it.

    ``doubt``: ``several_homes`` (behind the door, and the row names none), ``other_head`` (somebody else is head of the household that it
    seems to name), ``other_home`` (it would be made beside ``strange``: households at the door that no row of the table belongs to).
    """

    home: Home | None = None
    head: str = ""
    doubt: str = ""
    strange: tuple[Home, ...] = ()


@dataclass(frozen=True, slots=True)
class _Block:
    """The rows of one household that stand below each other; ``home_id`` empty where its head was not written."""

    place: tuple[str, ...]
    home_id: str
    head: str


@dataclass(frozen=True, slots=True)
class Door:
    """What an address leads to before its row is decided. Asking changes nothing."""

    place: Place
    dwelling: Dwelling | None
    lead: Lead
    near: tuple[Dwelling, ...] = ()
    home: Home | None = None
    head: str = ""
    """The name of the head, where the household is to be made."""
    strange: tuple[Home, ...] = ()

    @property
    def is_second(self) -> bool:
        """Whether the household that is to be made stands beside one that was there before the table."""
        return self.home is None and self.dwelling is not None and any(home.base is not None for home in self.dwelling.homes)

    @property
    def home_id(self) -> str:
        return self.home.household_id if self.home else ""

    @property
    def home_number(self) -> str:
        return self.home.number if self.home else ""

    @property
    def homes(self) -> list[Home]:
        """The households that stand behind the door, or may."""
        return [home for one in (self.dwelling, *self.near) if one is not None for home in one.homes]


class Homes:
    """Chooses the households of the rows of one table, in their order."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._block: _Block | None = None
        self._belongs: set[str] = set()
        self._heads: dict[str, set[str]] = {}
        self._members: dict[str, set[str]] = {}

    def next_rows(self) -> None:
        """Forget whom the rows planned before call heads and members."""
        self._heads, self._members = {}, {}

    def expect(self, one: SheetRow, dwelling: Dwelling, lives: Mapping[str, str]) -> None:
        """Take in that a row will come: to which households at its door it belongs, and what it calls the one whom it means.

        Parameters
        ----------
        lives : the persons whom it may mean, with the households that they live in
        """
        for person_id, home_id in lives.items() if one.person.get("relation_to_head") else ():
            (self._heads if is_head(one) else self._members).setdefault(home_id, set()).add(person_id)
        number, head = one.parts.get("household.number", ""), one.parts.get("household.head_name", "")
        for home in self.named(one, dwelling.homes):
            if home.household_id in lives.values() or (number and home.number == number) or (head and self._ground.head_name(home) == head):
                self._belongs.add(home.household_id)

    def hands_over(self, home: Home, person_id: str) -> bool:
        """Whether the rows planned together call somebody who lives in a household its only head, and its present head a member."""
        return self._heads.get(home.household_id) == {person_id} and home.head_id in self._members.get(home.household_id, ())

    def named(self, one: SheetRow, homes: Sequence[Home]) -> list[Home]:
        """Those households that the number and the name of the head in a row do not rule out; all where it has neither."""
        number, head = one.parts.get("household.number", ""), one.parts.get("household.head_name", "")
        found = list(homes)
        if number:
            if same := [home for home in found if home.number == number]:
                return same
            found = [home for home in found if not home.number]
        return self._headed_by(found, head) if head else found

    def choose(self, one: SheetRow, place: Place, dwelling: Dwelling | None) -> Choice:
        """The household of a row. Asking changes nothing."""
        name, number, head = str(one.person["name"]), one.parts.get("household.number", ""), one.parts.get("household.head_name", "")
        if is_head(one) and head and not may_be_one_name(name, head):
            return Choice(doubt=OTHER_HEAD)
        homes = self.named(one, dwelling.homes if dwelling is not None else ())
        if number and any(home.number == number for home in homes):
            return Choice(homes[0], head)
        block = self._block if self._block is not None and self._block.place == _key(place) else None
        if not head and (is_head(one) or (block is not None and not block.home_id)):
            head = name if is_head(one) or block is None else block.head
            found = self._headed_by(homes, head)
            if not found and any(may_be_one_name(head, self._ground.head_name(home)) for home in homes):
                return Choice(head=head, doubt=OTHER_HEAD)
            homes = found
        if block is not None and (below := next((home for home in homes if home.household_id == block.home_id), None)):
            return Choice(below, head)
        if len(homes) > 1:
            return Choice(head=head, doubt=SEVERAL_HOMES)
        there = dwelling.homes if dwelling is not None and not homes else ()
        strange = tuple(home for home in there if home.base is not None and home.household_id not in self._belongs)
        return Choice(homes[0] if homes else None, head, OTHER_HOME if strange else "", strange)

    def stood(self, one: SheetRow, place: Place | None, home: Home | None) -> None:
        """A row was decided: those that follow at its door belong to its household. ``home`` None: it was not written, or has no household.

        Below a head who was not written nobody joins the household of another one.
        """
        if place is None:
            self._block = None
        elif home is not None:
            self._block = _Block(_key(place), home.household_id, self._ground.head_name(home))
        elif is_head(one) or (one.errors and "relation_to_head" not in one.person):
            self._block = _Block(_key(place), "", str(one.person.get("name") or f"#{one.row}"))
        elif self._block is not None and self._block.place != _key(place):
            self._block = None

    def _headed_by(self, homes: Sequence[Home], head: str) -> list[Home]:
        """Those of a head of this name, else those whose head is not known."""
        names = [(home, self._ground.head_name(home)) for home in homes]
        return [home for home, name in names if name == head] or [home for home, name in names if not name]


def is_head(one: SheetRow) -> bool:
    """Whether a row says that this person is the head of a household."""
    return one.person.get("relation_to_head") == _HEAD


@lru_cache(maxsize=1024)
def _key(place: Place) -> tuple[str, ...]:
    return tuple(plain(text) for text in (place.estate, place.building, place.entrance, place.door, "" if place.door else place.line))
