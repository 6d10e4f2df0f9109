"""Two devices and a place to stand on: from two enrolment codes, or made by somebody who signs in at the office."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import shapely

from server.conformance.device import Broken, Device, NotTested, enrol, must, operation
from server.conformance.line import Line, Reply

MARK = "conformance"


@dataclass
class Ground:
    """What a rule is asked with.

    ``one`` and ``two`` follow the cell of ``place``; ``beyond`` is a place in a cell that only ``two`` follows, None where there is none.
    """

    line: Line
    one: Device
    two: Device
    codes: tuple[str, ...]
    place: tuple[float, float]
    stream: str
    beyond: tuple[float, float] | None = None
    office: Office | None = None
    made: list[tuple[str, str]] = field(default_factory=list)

    def anchor(self, where: tuple[float, float] | None = None) -> dict[str, Any]:
        """A location value at a place."""
        lon, lat = where or self.place
        return {"lon": lon, "lat": lat, "datum": "cgcs2000", "accuracy_m": 5, "confidence": 0.95, "method": "survey"}

    def new(self, record_type: str, fields: dict[str, Any]) -> dict[str, Any]:
        """A creation, remembered so that the record is deleted in the end."""
        made = operation("create", record_type, set=fields)
        self.made.append((record_type, made["id"]))
        return made

    def building(self, where: tuple[float, float] | None = None, **more: Any) -> dict[str, Any]:
        """A creation of a building that stands in the cell."""
        return self.new("building", {"name": MARK, "anchor": self.anchor(where), **more})

    def stored(self, record_type: str = "building", **more: Any) -> str:
        """Id of a record that ``one`` has created and both have pulled."""
        fields = {"building": {"name": MARK, "anchor": self.anchor()},
                  "resource": {"name": MARK, "kind": "supply", "anchor": self.anchor()}}[record_type]  # fmt: skip
        made = self.new(record_type, fields | more)
        must(self.one.write(made) == ["applied"], f"a {record_type} is not applied")
        self.both()
        return str(made["id"])

    def home(self, persons: int = 1, where: tuple[float, float] | None = None) -> dict[str, Any]:
        """A building, a dwelling, a household and persons, written by ``one`` in one group; their ids."""
        building = self.building(where)
        dwelling = self.new("dwelling", {"building": building["id"], "door_number": "101"})
        household = self.new("household", {"dwelling": dwelling["id"], "kind": "family"})
        people = [
            self.new("person", {"name": MARK, "residence_household": household["id"], "document_missing_reason": "not_asked"})
            for _ in range(persons)
        ]
        said = self.one.write(building, dwelling, household, *people)
        must(set(said) == {"applied"}, f"a home is answered {', '.join(sorted(set(said)))}")
        self.both()
        ids = {"building": building["id"], "dwelling": dwelling["id"], "household": household["id"]}
        return ids | {"persons": [one["id"] for one in people]}

    def both(self) -> None:
        """Both devices pull."""
        self.one.pull()
        self.two.pull()

    def patch(self, device: Device, record_type: str, record_id: str, fields: dict[str, Any], **more: Any) -> dict[str, Any]:
        """A patch upon the copy that a device has, with what it shows as ``was``."""
        copy = device.record(record_id)
        shown = copy["fields"] if copy is not None else {}
        return operation("patch", record_type, record_id, base=device.base(record_id) if copy else None, set=fields,
                         was={name: shown.get(name) for name in fields}, **more)  # fmt: skip

    def steady(self) -> None:
        """Both devices go on from where the server says that it is: what one rule left does not disturb the next."""
        for device in (self.one, self.two):
            device.told(device.batch())

    def tidy(self) -> None:
        """Delete what was made, as well as can be; newest first, so that no child is left behind."""
        for first in range(0, len(self.made), 100):
            chosen = [*reversed(self.made)][first : first + 100]
            for device in (self.one, self.two):
                deletions = [[operation("delete", kind, one, base=device.base(one))] for kind, one in chosen if device.record(one)]
                if deletions:
                    device.push(*deletions)
        self.both()


@dataclass
class Office:
    """Somebody who signed in and may make accounts, assignments and codes."""

    line: Line
    cookie: str
    csrf: str
    community_id: str | None
    users: list[str] = field(default_factory=list)

    def ask(self, method: str, path: str, body: Any = None) -> Reply:
        """A request in this session."""
        return self.line.send(method, path, body, headers={"Cookie": self.cookie, "X-CSRF-Token": self.csrf})

    def make(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """What was made; Broken where it was not."""
        given = body | ({"community_id": self.community_id} if self.community_id else {})
        reply = self.ask("POST", path, given)
        must(reply.status == 201, f"POST {path} is answered {reply.status} {reply.slug}")
        return reply.body

    def worker(self, *cells: str) -> str:
        """A grid worker of cells; the user's id."""
        login = f"{MARK}-{secrets.token_hex(6)}"
        user = self.make("/api/v1/users", {"login": login, "name": MARK, "role": "grid_worker", "password": secrets.token_urlsafe(24)})
        self.users.append(user["user_id"])
        for cell in cells:
            self.make("/api/v1/assignments", {"user_id": user["user_id"], "cell_id": cell})
        return str(user["user_id"])

    def line_worker(self, *lines: str) -> str:
        """A community worker of lines of work; the user's id."""
        given = {"login": f"{MARK}-{secrets.token_hex(6)}", "name": MARK, "role": "community_worker", "password": secrets.token_urlsafe(24)}
        user = self.make("/api/v1/users", given | {"topics": list(lines)})
        self.users.append(user["user_id"])
        return str(user["user_id"])

    def code(self, user_id: str) -> str:
        """A one-time code."""
        return str(self.make("/api/v1/enrolment-codes", {"user_id": user_id})["code"])


def sign_in(line: Line, login: str, password: str, community_id: str | None = None) -> Office:
    """A session of somebody at the office. Raises Broken when it is refused."""
    reply = line.send("POST", "/api/v1/session", {"login": login, "password": password})
    must(reply.status == 200, f"signing in is answered {reply.status} {reply.slug}")
    cookie = reply.headers.get("set-cookie", "").partition(";")[0]
    own = (reply.body.get("user") or {}).get("community_id")
    return Office(line, cookie, str(reply.body.get("csrf_token")), None if own not in (None, "~house") else community_id)


@contextmanager
def by_codes(line: Line, first: str, second: str) -> Iterator[Ground]:
    """Ground for two codes of two workers who follow a cell together."""
    ground = _ground(line, enrol(line, first, MARK), enrol(line, second, MARK), (first, second))
    yield ground
    ground.tidy()


@contextmanager
def by_office(office: Office) -> Iterator[Ground]:
    """Ground with two workers made for the purpose, whose accounts are closed in the end."""
    query = f"?community_id={office.community_id}" if office.community_id else ""
    reply = office.ask("GET", f"/api/v1/reference{query}")
    must(reply.status == 200, f"the reference is answered {reply.status} {reply.slug}")
    cells = [one["properties"] for one in reply.body["cells"]["features"]]
    base = [one["cell_id"] for one in cells if one.get("layer", "base") == "base"]
    if not base:
        raise Broken("the community has no published cells")
    try:
        codes = office.code(office.worker(base[0])), office.code(office.worker(*base[:2]))
        ground = _ground(office.line, enrol(office.line, codes[0], MARK), enrol(office.line, codes[1], MARK), codes)
        ground.office = office
        yield ground
        ground.tidy()
    finally:
        for user_id in office.users:
            office.ask("POST", f"/api/v1/users/{user_id}/close")


def _ground(line: Line, one: Device, two: Device, codes: tuple[str, ...]) -> Ground:
    must(one.community_id == two.community_id, "the two codes are of two communities")
    places = {}
    for device in (one, two):
        device.pull()
        reply = line.send("GET", "/api/v1/reference", token=device.token)
        must(reply.status == 200, f"the reference is answered {reply.status} {reply.slug}")
        for feature in reply.body["cells"]["features"]:
            stream = f"cell/{feature['properties']['cell_id']}"
            point = shapely.geometry.shape(feature["geometry"]).representative_point()
            if feature["properties"].get("layer", "base") == "base":
                places[stream] = (round(point.x, 7), round(point.y, 7))
    shared = [name for name in one.streams if name in two.streams and name in places]
    if not shared:
        raise NotTested("the two devices follow no cell together: give codes of two workers of one cell")
    beyond = next((places[name] for name in two.streams if name in places and name not in one.streams), None)
    return Ground(line, one, two, codes, places[shared[0]], shared[0], beyond)
