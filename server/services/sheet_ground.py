"""Where the rows of a table belong: buildings, entrances, dwellings and households that are there, and those that the table adds."""

from __future__ import annotations

import re
import unicodedata
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from server.store.sheet_scratch import Scratch

Values = dict[str, Any]
Base = Mapping[str, Any] | None
_AT_HAND = 2_000
"""Dwellings: more than the rows that are planned at a time can name, so that none of them is laid aside while it is worked on."""

_ENDS = re.compile(r"(号楼|幢|栋|座|楼|单元|门洞|门|号|室|房|#)$")
_LINE = re.compile(
    r"^(?P<estate>.*?)(?P<building>\d+[A-Za-z]?)\s*(?:号楼|幢|栋|座|楼|[-－])\s*"
    r"(?:(?P<entrance>\d+)\s*(?:单元|门洞|门|[-－])\s*)?(?P<door>\d+[A-Za-z]?(?:-\d+)?)\s*(?:室|号|房)?$"
)


@dataclass(frozen=True, slots=True)
class Place:
    """What a row says about where somebody lives; empty where it says nothing."""

    estate: str = ""
    building: str = ""
    entrance: str = ""
    door: str = ""
    line: str = ""

    def __bool__(self) -> bool:
        return bool(self.building and self.door) or bool(self.line)

    @property
    def text(self) -> str:
        """The address in one line, put together where the row has it in parts."""
        return self.line or f"{self.estate}{_ENDS.sub('', self.building)}-{self.entrance}-{_ENDS.sub('', self.door)}"


@dataclass(slots=True)
class Home:
    """A household as rows find it; ``fields`` and ``base`` as they will be after the rows planned so far."""

    household_id: str
    number: str
    head_id: str | None
    head_name: str
    fields: Values
    base: Base


@dataclass(slots=True)
class Dwelling:
    """A dwelling as rows find it, with its households."""

    dwelling_id: str
    fields: Values
    base: Base
    homes: list[Home] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Lead:
    """Where a place leads to; each id None where it is not known or not certain.

    ``doubt`` says why it leads into no building: ``no_building``, ``several_buildings``, ``other_estate`` (the building stands in
    another estate than the one named), ``no_entrance`` (it has none of this number recorded, or none at all), ``several_doors``.
    """

    dwelling: str | None = None
    entrance: str | None = None
    building: str | None = None
    doubt: str = ""
    near: tuple[str, ...] = ()
    """Dwellings of the same door in a building that has no entrances recorded: whether one is meant, the address does not say."""


class Ground:
    """Everything of a community that an address leads to, by plain texts.

    Buildings and entrances are held in memory. Dwellings and households, of which a table may bring any number, lie in a scratch
    database; those of the latest rows are at hand.
    """

    def __init__(self) -> None:
        self.scratch = Scratch()
        self._buildings: dict[str, list[tuple[str, str]]] = {}
        self._entrances: dict[tuple[str, str], str] = {}
        self._above: dict[str, str] = {}
        self._near: OrderedDict[str, Dwelling] = OrderedDict()

    # ------------------------------------------------------------ learning
    def learn_places(self, records: Iterable[tuple[str, str, Values]]) -> None:
        """Take in the living estates, buildings and entrances: (id, type, fields)."""
        found = list(records)
        names = {one: plain(str(fields.get("name") or "")) for one, kind, fields in found if kind == "estate"}
        for one, kind, fields in found:
            if kind == "building":
                for text in {plain(str(fields.get(name) or "")) for name in ("number", "name")} - {""}:
                    self._buildings.setdefault(text, []).append((names.get(str(fields.get("estate")), ""), one))
            elif kind == "entrance":
                self._above[one] = str(fields.get("building") or "")
                self._entrances[self._above[one], plain(str(fields.get("number") or fields.get("name") or ""))] = one

    def learn_dwellings(self, records: Iterable[tuple[str, Values, Base]]) -> None:
        """Take in some living dwellings: (id, fields, base)."""
        for one, fields, base in records:
            entrance, building = fields.get("entrance"), fields.get("building")
            door, line = str(fields.get("door_number") or ""), str(fields.get("address_text") or "")
            self.add(Dwelling(one, fields, base), entrance, building or self._above.get(str(entrance)), door, line)

    def learn_homes(self, records: Iterable[tuple[str, Values, Base]]) -> None:
        """Take in some living households, after all dwellings: (id, fields, base)."""
        heads = []
        for one, fields, base in records:
            dwelling = self.dwelling(str(fields.get("dwelling")))
            if dwelling is None:
                continue
            head = fields.get("head")
            if head:
                heads.append(head)
            dwelling.homes.append(Home(one, str(fields.get("household_number") or ""), head, "", fields, base))
        self.scratch.add_heads(heads)

    # ------------------------------------------------------------ asking
    def add(self, dwelling: Dwelling, entrance: str | None, building: str | None, door: str, line: str) -> None:
        """A dwelling can be found from now on."""
        self.scratch.add_doors((str(parent), plain(door), dwelling.dwelling_id) for parent in {entrance, building} - {None, ""})
        if line:
            self.scratch.add_line(plain(line), dwelling.dwelling_id)
        self._at_hand(dwelling)

    def dwelling(self, dwelling_id: str) -> Dwelling | None:
        """What is known of a dwelling; what the caller changes in it is kept."""
        found = self._near.get(dwelling_id)
        if found is not None:
            self._near.move_to_end(dwelling_id)
            return found
        content = self.scratch.dwelling(dwelling_id)
        if content is None:
            return None
        fields, base, homes = orjson.loads(content)
        return self._at_hand(Dwelling(dwelling_id, fields, base, [Home(*one) for one in homes]))

    def _at_hand(self, dwelling: Dwelling) -> Dwelling:
        self._near[dwelling.dwelling_id] = dwelling
        if len(self._near) > _AT_HAND:
            old = [self._near.popitem(last=False)[1] for _ in range(_AT_HAND // 2)]
            self.scratch.keep_dwellings(
                (one.dwelling_id, orjson.dumps((one.fields, one.base, [astuple_of(home) for home in one.homes]))) for one in old
            )
        return dwelling

    def head_name(self, home: Home) -> str:
        """The name of the head of a household, as the table or the house has it."""
        if not home.head_name and home.head_id:
            home.head_name = self.scratch.name_of(home.head_id)
        return home.head_name

    def lead_of(self, place: Place) -> Lead:
        """Where a place leads to. What is not certain leads to the dwelling with the same text of the address, if to any."""
        found = self._buildings.get(plain(place.building), []) if place.building else []
        here = [one for estate, one in found if _names_estate(place.estate, estate)]
        if len(here) != 1:
            doubt = "several_buildings" if here else "other_estate" if found else "no_building"
            return Lead(self.scratch.at_line(plain(place.text)), doubt=doubt)
        building = here[0]
        entrance = self._entrances.get((building, plain(place.entrance))) if place.entrance else None
        doors = self.scratch.behind(entrance or building, plain(place.door))
        if place.entrance and entrance is None:  # the same door of two stairways is never one dwelling
            near = () if building in self._above.values() else tuple(doors)
            return Lead(self.scratch.at_line(plain(place.text)), doubt="no_entrance", near=near)
        if len(doors) > 1:
            return Lead(self.scratch.at_line(plain(place.text)), doubt="several_doors")
        return Lead(doors[0] if doors else None, entrance, building)


def _names_estate(told: str, estate: str) -> bool:
    """Whether an address with this estate, or with words before its name or behind it, may be one of the estate; what names none may be of any."""
    told = plain(told)
    return not told or not estate or estate in told or told in estate


def astuple_of(home: Home) -> tuple[Any, ...]:
    """The fields of a home in order."""
    return home.household_id, home.number, home.head_id, home.head_name, home.fields, home.base


def place_of(parts: Mapping[str, str]) -> Place:
    """The place that the columns of a row say: parts of their own, else one line taken apart."""
    line = unicodedata.normalize("NFKC", parts.get("place.address", "")).strip()
    building, door = parts.get("place.building", ""), parts.get("place.door", "")
    taken = _LINE.match(line)
    if building and door:
        entrance = parts.get("place.entrance", "")
        whole = taken is not None and all(
            plain(taken[name] or "") == plain(text) for name, text in (("building", building), ("entrance", entrance), ("door", door))
        )  # a line that names a street alone is the same for every door of it
        return Place(parts.get("place.estate", ""), building, entrance, _ENDS.sub("", door).strip(), line if whole else "")
    if taken is None:
        return Place(line=line)
    return Place(
        parts.get("place.estate", "") or taken["estate"].strip(), taken["building"], taken["entrance"] or "", taken["door"], line
    )


def plain(text: str) -> str:
    """A number of a building, an entrance or a door as it is compared: ``03幢`` and ``3`` are one."""
    text = unicodedata.normalize("NFKC", text).strip().casefold()
    text = _ENDS.sub("", text).strip()
    return text.lstrip("0") or text
