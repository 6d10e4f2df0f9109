"""Where the rows of a table belong: buildings, entrances, dwellings and households that are there, and those that the table adds."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

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


@dataclass(slots=True)
class Home:
    """A household as rows find it."""

    household_id: str
    dwelling_id: str
    number: str
    head_id: str | None
    head_name: str


@dataclass(slots=True)
class Ground:
    """Everything of a community that an address leads to, by plain texts."""

    buildings: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    entrances: dict[tuple[str, str], str] = field(default_factory=dict)
    doors: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    lines: dict[str, str] = field(default_factory=dict)
    homes: dict[str, list[Home]] = field(default_factory=dict)
    known: dict[str, tuple[dict[str, Any], Mapping[str, Any] | None]] = field(default_factory=dict)
    """Fields and base of every dwelling and household, as they will be after the rows planned so far."""

    def learn(self, records: Iterable[tuple[str, str, Mapping[str, Any], Mapping[str, Any]]]) -> None:
        """Take in living records: (id, type, fields, base)."""
        found = list(records)
        names = {one: plain(str(fields.get("name") or "")) for one, kind, fields, _ in found if kind == "estate"}
        people = {one: str(fields.get("name") or "") for one, kind, fields, _ in found if kind == "person"}
        above: dict[str, str] = {}
        for one, kind, fields, _ in found:
            if kind == "building":
                for text in {plain(str(fields.get(name) or "")) for name in ("number", "name")} - {""}:
                    self.buildings.setdefault(text, []).append((names.get(str(fields.get("estate")), ""), one))
            elif kind == "entrance":
                above[one] = str(fields.get("building") or "")
                self.entrances[above[one], plain(str(fields.get("number") or fields.get("name") or ""))] = one
        for one, kind, fields, _ in found:
            if kind == "dwelling":
                entrance, building = fields.get("entrance"), fields.get("building")
                door, line = str(fields.get("door_number") or ""), str(fields.get("address_text") or "")
                self.add_dwelling(one, entrance, building or above.get(str(entrance)), door, line)
        for one, kind, fields, base in found:
            if kind in ("dwelling", "household"):
                self.known[one] = (dict(fields), base)
            if kind == "household" and fields.get("dwelling"):
                head = fields.get("head")
                number = str(fields.get("household_number") or "")
                home = Home(one, str(fields["dwelling"]), number, head, people.get(str(head), ""))
                self.homes.setdefault(home.dwelling_id, []).append(home)

    def add_dwelling(self, dwelling_id: str, entrance: str | None, building: str | None, door: str, line: str) -> None:
        """A dwelling can be found from now on."""
        for parent in {entrance, building} - {None, ""}:
            self.doors.setdefault((str(parent), plain(door)), []).append(dwelling_id)
        if line:
            self.lines.setdefault(plain(line), dwelling_id)

    def building_of(self, place: Place) -> str | None:
        """The building that a place names, None where there is none or several."""
        found = self.buildings.get(plain(place.building), [])
        if place.estate and len(found) > 1:
            found = [one for one in found if one[0] == plain(place.estate)]
        return found[0][1] if len(found) == 1 else None

    def dwelling_of(self, place: Place) -> tuple[str | None, str | None, str | None]:
        """(dwelling, entrance, building) that a place names, each None where it is not known or not certain."""
        building = self.building_of(place) if place.building else None
        if building is None:
            return self.lines.get(plain(place.line)) if place.line else None, None, None
        entrance = self.entrances.get((building, plain(place.entrance))) if place.entrance else None
        found = self.doors.get((entrance or building, plain(place.door)), [])
        return (found[0] if len(set(found)) == 1 else None), entrance, building


def place_of(parts: Mapping[str, str]) -> Place:
    """The place that the columns of a row say: parts of their own, else one line taken apart."""
    line = unicodedata.normalize("NFKC", parts.get("place.address", "")).strip()
    building, door = parts.get("place.building", ""), parts.get("place.door", "")
    if building and door:
        return Place(parts.get("place.estate", ""), building, parts.get("place.entrance", ""), _ENDS.sub("", door).strip(), line)
    taken = _LINE.match(line)
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
