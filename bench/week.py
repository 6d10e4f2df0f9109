"""A week of a community's work from a seed, on the demo: workers at doors, who sometimes write what somebody else writes the same day.

Everybody's copy is the morning's. What is assumed stands in `Habits`; nothing of it is drawn from real people.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import orjson

from server.demo.chance import uuid7_shaped
from server.demo.load import COMMUNITY_ID
from server.house import House
from server.services import push
from server.store import installs
from server.store.database import read, run, stamp, write
from server.store.installs import Install


@dataclass(frozen=True, slots=True)
class Habits:
    """How a week goes: visits of a worker in a day, and how many of a hundred doors bring what."""

    days: int = 5
    visits: int = 12
    changed: float = 0.20
    """Something at the door is not as it is written."""
    twice: float = 0.05
    """Somebody else (a substitute, the office's telephone) writes of the same household the same day."""
    differ: float = 0.4
    """They then write different values."""
    new_member: float = 0.02
    known_elsewhere: float = 0.15
    """A new member stands in another household of the community already."""
    unreadable: float = 0.002
    """An old program writes a value that the form refuses."""
    places: float = 0.02
    """A place is recorded where the worker stands, to 25 metres."""


@dataclass(slots=True)
class _Pen:
    """Somebody who writes: an install with its numbered groups of today."""

    install_id: str
    last: tuple[int, str | None] = (0, None)
    groups: list[list[dict[str, Any]]] = field(default_factory=list)


@dataclass(slots=True)
class _Doors:
    """The morning's copy: households by cell, their members."""

    homes: dict[str, list[Any]]
    members: dict[str, list[Any]]
    people: list[Any]


def play_week(house: House, seed: int, habits: Habits) -> dict[str, int]:
    """Play it; how many workers there were, one in each cell with households, and their visits; operations, the office's among them."""
    chance = random.Random(seed)
    told = {"workers": 0, "visits": 0, "operations": 0}
    with read(house.engine) as connection:
        cells = run(connection, "SELECT DISTINCT home FROM record WHERE community_id = ? AND type = 'household' ORDER BY home", (COMMUNITY_ID,))
        pens = {name: _Pen("") for name in ("office", *(row[0] for row in cells))}
    for name, pen in pens.items():
        pen.install_id = _install(house, seed, name)
    for day in range(habits.days):
        doors = _doors(house)
        told["workers"] = max(told["workers"], len(doors.homes))
        for cell, homes in sorted(doors.homes.items()):
            for home in chance.sample(homes, min(habits.visits, len(homes))):
                told["visits"] += 1
                here = _Writing(chance, house, seed, day, pens[cell])
                other = _Writing(chance, house, seed, day, pens["office"])
                _at_the_door(chance, habits, doors, home, here, other)
        for pen in pens.values():
            told["operations"] += _send(house, pen)
    return told


def _doors(house: House) -> _Doors:
    with read(house.engine) as connection:
        rows = run(connection, "SELECT id, type, v, tag, home, fields FROM record WHERE community_id = ? AND life = 'live' AND type IN ('household', 'person') ORDER BY id", (COMMUNITY_ID,)).fetchall()
    homes: dict[str, list[Any]] = {}
    members: dict[str, list[Any]] = {}
    people = []
    for record_id, kind, v, tag, home, fields in rows:
        one = {"id": record_id, "type": kind, "base": {"v": v, "tag": tag}, "fields": orjson.loads(fields)}
        if kind == "person":
            people.append(one)
            members.setdefault(one["fields"].get("residence_household", ""), []).append(one)
        elif home.startswith("cell/"):
            homes.setdefault(home, []).append(one)
    return _Doors(homes, members, people)


@dataclass(slots=True)
class _Writing:
    chance: random.Random
    house: House
    seed: int
    day: int
    pen: _Pen

    def add(self, kind: str, record_type: str, record_id: str, values: dict[str, Any], base: Any = None, was: Any = None) -> None:
        """One operation as a group of its own."""
        at = stamp(self.house.clock() - timedelta(minutes=1))
        number = self.pen.last[0] + len(self.pen.groups) + 1
        op_id = uuid7_shaped(1_767_225_600_000 + self.day, f"{self.seed}/{self.pen.install_id}/{number}")
        form = self.house.registry.latest(record_type).version
        self.pen.groups.append([{
            "op_id": op_id, "type": record_type, "id": record_id, "kind": kind, "base": base, "set": values, "was": was or {},
            "form_version": form, "claimed_at": at,
        }])  # fmt: skip

    def change(self, record: Any, values: dict[str, Any]) -> None:
        """A patch of what the morning's copy shows."""
        self.add("patch", record["type"], record["id"], values, record["base"], {name: record["fields"].get(name) for name in values})

    def new_id(self) -> str:
        """An id for a new record."""
        return str(uuid.UUID(uuid7_shaped(1_767_225_600_000 + self.day, f"{self.seed}/new/{self.chance.random()}")))


def _at_the_door(chance: random.Random, habits: Habits, doors: _Doors, home: Any, here: _Writing, other: _Writing) -> None:
    at = stamp(here.house.clock() - timedelta(hours=1))
    here.add("create", "visit", here.new_id(), {"household": home["id"], "method": "door", "outcome": "met", "visited_at": at})
    members = doors.members.get(home["id"], [])
    if chance.random() < habits.changed:
        record, name, values = _fact(chance, home, members)
        both = chance.random() < habits.twice / habits.changed
        here.change(record, {name: values[0]})
        if both:
            other.change(record, {name: values[chance.random() < habits.differ]})
    if chance.random() < habits.new_member:
        twin = chance.choice(doors.people)["fields"] if chance.random() < habits.known_elsewhere else {}
        fields = {name: twin[name] for name in ("name", "sex", "birth_date", "phones") if twin.get(name)} or {
            "name": chance.choice("赵钱孙李周吴郑王") + chance.choice("安宁康乐平和") + chance.choice("一二三四五六七八"), "sex": chance.choice("12"), "birth_date": f"{chance.randint(1950, 2025)}-0{chance.randint(1, 9)}-1{chance.randint(0, 9)}",
        }  # fmt: skip
        here.add("create", "person", here.new_id(), {**fields, "residence_household": home["id"], "relation_to_head": "99", "document_missing_reason": "refused"})
    if chance.random() < habits.unreadable and members:
        here.change(members[0], {"birth_date": "1950-13-45"})
    if chance.random() < habits.places:
        anchor = {"lon": 120.6085 + chance.random() * 0.004, "lat": 31.2955 + chance.random() * 0.006, "datum": "wgs84", "accuracy_m": 25, "confidence": 0.95, "method": "gps"}
        here.add("create", "resource", here.new_id(), {"name": "消防箱", "kind": "supply", "category": "protective", "anchor": anchor})


def _fact(chance: random.Random, home: Any, members: list[Any]) -> tuple[Any, str, tuple[Any, Any]]:
    """A record, a field of it, and two values that people may write there."""
    number = f"999999{chance.randint(100_000, 999_999)}"
    choices: list[tuple[Any, str, tuple[Any, Any]]] = [
        (home, "phone", (f"1990000{chance.randint(1000, 9999)}", f"1990000{chance.randint(1000, 9999)}")),
        (home, "household_number", (number, number[:-1] + str((int(number[-1]) + 1) % 10))),
        (home, "members_count_stated", (2, 3)),
    ]
    if members:
        person = chance.choice(members)
        choices += [
            (person, "phones", ({"add": ["19900001111"], "remove": []}, {"add": ["19900002222"], "remove": []})),
            (person, "occupation_text", ("退休", "零工")),
            (person, "presence", ("away_long", "away_short")),
            (person, "registration_address_text", ("某街 1 号", "某街 11 号")),
            (person, "birth_date", ("1951-03-04", "1951-04-03")),
        ]
        if len(members) > 1:
            choices.append((home, "head", (members[0]["id"], members[1]["id"])))
    return chance.choice(choices)


def _install(house: House, seed: int, name: str) -> str:
    install_id = uuid7_shaped(1_767_225_600_000, f"{seed}/pen/{name}")
    with write(house.engine) as connection:
        installs.add_install(connection, Install(COMMUNITY_ID, install_id, "device", None, name, stamp(house.clock())))
    return install_id


def _send(house: House, pen: _Pen) -> int:
    """What somebody wrote today, in batches; how many operations."""
    sender = push.Sender(COMMUNITY_ID, pen.install_id, None, "device", scoped=False)
    count = len(pen.groups)
    for batch in _batches(pen.groups, 200):
        groups, before = [], pen.last
        for group in batch:
            pen.last = (pen.last[0] + 1, group[0]["op_id"])
            groups.append(((pen.last[0], orjson.dumps(group[0]).decode()),))
        push.accept(house, sender, push.Batch(tuple(groups), *before))
    pen.groups = []
    return count


def _batches(groups: list[Any], size: int) -> Iterator[list[Any]]:
    for start in range(0, len(groups), size):
        yield groups[start : start + size]
