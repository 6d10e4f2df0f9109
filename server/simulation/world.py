"""The place of a simulation: one community, its server in this process, phones with files, and a line that can fail."""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import shapely
from flask import Flask
from sqlalchemy import event

from forms.registry import Registry, load_registry
from geo.cells import read_cells
from server.app import create_app, house_of
from server.house import House
from server.permissions import Actor
from server.services import accounts, assignments, enrolment
from server.services.accounts import OPERATOR
from server.services.announce import announce_forms
from server.services.editions import publish_edition
from server.settings import Settings
from server.simulation.book import Book, held_now
from server.simulation.neighbour import furnish_neighbour
from server.simulation.shelf import Databases, Files, Shelf
from server.start import prepare
from server.store import assignments as places
from server.store import people
from server.store import places as cells
from server.store.database import read, stamp, write
from sync.device import Answer, Offline, Phone

COMMUNITY, CODE = "c-simulated", "999999004001"
WEST, SOUTH, SIZE = 120.60, 31.30, 0.01
CELLS, WORKERS = 3, 6
FIRST_DAY = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
TEMPLATE = "template"
_KEY = b"a made-up key of thirty-two byte"


class ServerKilled(BaseException):
    """The server's process ends here. No handler of its own sees this."""


class PhoneKilled(BaseException):
    """The phone's process ends here."""


def id_maker(maker: int) -> Callable[[], str]:
    """UUIDs of version 7 that ascend and name their maker; the same in every play."""
    count = 0

    def new_id() -> str:
        nonlocal count
        count += 1
        return f"01{maker:06x}-{count >> 16 & 0xFFFF:04x}-7{count >> 8 & 0xFFF:03x}-8{maker & 0xFFF:03x}-{count:012x}"

    return new_id


def anchor(number: float) -> dict[str, Any]:
    """A location in the middle of a cell by its number; beyond the last cell it lies outside."""
    return {
        "lon": round(WEST + (number + 0.5) * SIZE, 7), "lat": SOUTH + SIZE / 2, "datum": "cgcs2000", "accuracy_m": 5,
        "confidence": 0.95, "method": "survey",
    }  # fmt: skip


@cache
def newer_forms() -> Registry:
    """The forms of a later version of the program: dwellings and persons have one more field."""
    fields = {
        "dwelling": {"name": "balconies_count", "type": "integer", "privacy": "internal", "min": 0, "max": 99},
        "person": {"name": "hobby_text", "type": "text", "privacy": "personal", "max_length": 200},
    }
    documents = []
    for name, spec in fields.items():
        document = json.loads((files("forms") / "definitions" / f"{name}.json").read_text(encoding="utf-8"))
        label = {"zh": "新字段", "en": "New field"}
        documents.append(document | {"version": document["version"] + 1, "fields": [*document["fields"], spec | {"label": label}]})
    return load_registry(extra=documents)


def cells_at(*borders: float) -> dict[str, Any]:
    """Cells side by side as GeoJSON; ``borders`` from west to east, in widths of a cell."""
    features = []
    for number, (west, east) in enumerate(pairwise(borders)):
        box = shapely.box(round(WEST + west * SIZE, 7), SOUTH, round(WEST + east * SIZE, 7), SOUTH + SIZE)
        properties = {"code": f"{CODE}{number + 1:03d}", "name": f"第{number + 1}网格"}
        features.append({"type": "Feature", "properties": properties, "geometry": json.loads(shapely.to_geojson(box))})
    return {"type": "FeatureCollection", "features": features}


def furnish(shelf: Shelf, folder: Path) -> None:
    """Put a community with its people and its cells into an empty database, and keep it as ``template``."""
    _, house, program = _program(shelf.url, folder)
    program.clock, program.new_id, program.count = lambda: FIRST_DAY, id_maker(1), lambda *_: None
    prepare(house)
    with write(house.engine) as connection:
        new = places.Community(COMMUNITY, CODE, "模拟社区", CODE[:9], CODE[:6], "cn-grid-15")
        places.add_community(connection, new, at=stamp(FIRST_DAY))
    secretary = accounts.add_user(
        house, OPERATOR, login="secretary", name="书记", role="secretary", password=secrets.token_hex(), community_id=COMMUNITY
    )
    actor = Actor(secretary.user_id, "secretary", COMMUNITY, name="书记")
    publish_edition(house, actor, COMMUNITY, read_cells(cells_at(*range(CELLS + 1)), datum="cgcs2000"))
    furnish_neighbour(house)
    for number in range(WORKERS):
        accounts.add_user(
            house,
            actor,
            login=f"worker-{number}",
            name=f"网格员{number}",
            role="grid_worker",
            password=secrets.token_hex(),
        )
    announce_forms(house)
    house.engine.dispose()
    shelf.keep(TEMPLATE)


@cache
def shelf_of(folder: Path, database: str | None = None) -> Shelf:
    """The shelf of a folder, furnished; ``database`` names a PostgreSQL server, None is SQLite in the folder."""
    if database is None:
        shelf: Shelf = Files(folder)
    else:
        made = Databases(database)
        made.create()
        shelf = made
    furnish(shelf, folder)
    return shelf


@dataclass
class _Program:
    """What the one application of a process reads from the story that is being played."""

    clock: Callable[[], datetime] = lambda: FIRST_DAY
    new_id: Callable[[], str] = field(default_factory=lambda: id_maker(3))
    count: Callable[..., None] = lambda *_: None
    connections: list[Any] = field(default_factory=list)

    def die(self, house: House) -> None:
        """Close every connection, also those of requests that were cut off and nobody will finish: the system does so when a process ends."""
        house.engine.dispose()
        while self.connections:
            self.connections.pop().close()


@cache
def _program(url: str, folder: Path) -> tuple[Flask, House, _Program]:
    program = _Program()
    settings = Settings.in_folder(folder, database_url=url, key=_KEY, sign_in_per_minute=1_000_000, enrol_per_minute=1_000_000)
    app = create_app(settings, clock=lambda: program.clock(), new_id=lambda: program.new_id())
    house = house_of(app)
    event.listen(house.engine, "before_cursor_execute", lambda *_: program.count())
    event.listen(house.engine, "connect", lambda connection, _: program.connections.append(connection))
    return app, house, program


@dataclass
class Line:
    """The way between a phone and the server. ``weather`` says what becomes of the next request."""

    world: World
    weather: Callable[[str], str] = lambda path: "fine"

    def request(
        self, method: str, path: str, *, body: dict[str, Any] | None = None, token: str | None = None
    ) -> Answer:
        """As `sync.device.Transport`."""
        weather = self.weather(path)
        if weather == "request lost":
            raise Offline(weather)
        if weather == "cut" and body is not None:  # its beginning arrives; what the server makes of it, nobody hears
            whole = json.dumps(body)
            self.world.serve(method, path, whole[: len(whole) * 2 // 3], token)
            raise Offline(weather)
        if weather == "kept back" and body is not None:
            self.world.kept_back.append((path, body, token))
            raise Offline(weather)
        answer = self.world.serve(method, path, body, token)
        if weather == "twice":
            answer = self.world.serve(method, path, body, token)
        if weather == "answer lost":
            raise Offline(weather)
        return answer


@dataclass
class World:
    """Everything of one story. ``clock`` is the server's; those of phones are wrong by whatever they like."""

    folder: Path
    seed: str
    shelf: Shelf
    app: Flask = field(init=False)
    house: House = field(init=False)
    secretary: Actor = field(init=False)
    cells: list[str] = field(init=False)
    workers: list[str] = field(init=False)
    now: datetime = FIRST_DAY
    phones: list[Phone] = field(default_factory=list)
    offsets: list[timedelta] = field(default_factory=list)
    kept_back: list[tuple[str, dict[str, Any], str | None]] = field(default_factory=list)
    backups: list[str] = field(default_factory=list)
    archives: list[tuple[Path, Path]] = field(default_factory=list)
    forms: list[int] = field(default_factory=list)
    newest: int = 1
    released: int = 1
    book: Book = field(default_factory=Book)
    assigned: dict[tuple[str, int], str] = field(default_factory=dict)
    statements_left: int | None = None
    new_id: Callable[[], str] = field(default_factory=lambda: id_maker(2))
    makers: int = 16

    def open(self) -> None:
        """Begin from a copy of the template."""
        _, house, program = _program(self.shelf.url, self.folder.parent)
        program.die(house)
        self.shelf.put(TEMPLATE)
        (self.folder.parent / "revocations.log").unlink(missing_ok=True)  # of the story before
        self.start()
        with read(self.house.engine) as connection:
            users = sorted(people.users(connection, None), key=lambda one: one.login)
        self.look_at_cells()
        self.workers = [one.user_id for one in users if one.role == "grid_worker"]
        boss = next(one for one in users if one.role == "secretary" and one.community_id == COMMUNITY)
        self.secretary = enrolment.user_install(self.house, Actor(boss.user_id, "secretary", COMMUNITY, name=boss.name))

    def look_at_cells(self) -> None:
        """Learn which cells are in force, and who has which."""
        with read(self.house.engine) as connection:
            self.cells = _cells_in_force(connection)
            there = places.assignments(connection, (COMMUNITY,))
        self.assigned = {
            (one.user_id, self.cells.index(one.cell_id)): one.assignment_id
            for one in there
            if one.revoked_at is None and one.cell_id in self.cells
        }

    def start(self) -> None:
        """Start the server's program upon its database. The application is made once; nothing of a story stays in it."""
        self.app, house, program = _program(self.shelf.url, self.folder.parent)
        program.clock, program.new_id, program.count = lambda: self.now, self.new_id, self._count
        self.house = self.app.extensions["dishu"] = replace(house, registry=self._registry(self.released))
        if self.released > 1:
            announce_forms(self.house)

    def release_forms(self) -> None:
        """The server's program is replaced by a newer one, with newer forms."""
        self.stop()
        self.released = 2
        self.start()

    @staticmethod
    def _registry(version: int) -> Registry:
        return newer_forms() if version > 1 else load_registry()

    def _count(self, *_: Any) -> None:
        if self.statements_left is None:
            return
        self.statements_left -= 1
        if self.statements_left <= 0:
            self.statements_left = None
            raise ServerKilled

    def stop(self) -> None:
        """End the server's program: everything is in its file."""
        _program(self.shelf.url, self.folder.parent)[2].die(self.house)

    def serve(self, method: str, path: str, body: dict[str, Any] | str | None, token: str | None) -> Answer:
        """One request to the server as it runs (a text is sent as it is); Offline where it is killed meanwhile."""
        self.now += timedelta(seconds=7)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        sent = {"data": body, "content_type": "application/json"} if isinstance(body, str) else {"json": body}
        try:
            answer = self.app.test_client().open(path, method=method, headers=headers, **sent)
        except ServerKilled:
            self.stop()
            raise Offline("the server was killed") from None
        told = answer.get_json(silent=True)
        return Answer(
            answer.status_code,
            {key.lower(): value for key, value in answer.headers.items()},
            told if isinstance(told, dict) else {},
        )

    # ------------------------------------------------------------ phones
    def add_phone(self, worker: int) -> Phone:
        """A phone of a worker, enrolled on a fine day; it has not pulled yet."""
        number = len(self.phones)
        self.offsets.append(timedelta())
        self.forms.append(1)
        phone = self.open_phone(number)
        code, _ = enrolment.create_code(self.house, self.secretary, self.workers[worker % len(self.workers)])
        phone.enrol(code, label=f"phone {number}")
        self.phones.append(phone)
        return phone

    def open_phone(self, number: int) -> Phone:
        """The program of a phone, started upon its file."""
        self.makers += 1
        return Phone(
            self.folder / f"phone-{number}",
            Line(self),
            lambda: self.now + self.offsets[number],
            id_maker(self.makers),
            self._registry(self.forms[number]),
        )

    def reopen(self, number: int) -> None:
        """A phone that was killed is started again."""
        self.phones[number].close()
        self.phones[number] = self.open_phone(number)

    def clone(self, number: int) -> None:
        """The whole file of a phone is copied to another one."""
        self.phones[number].close()
        copy = len(self.phones)
        shutil.copy(self.folder / f"phone-{number}", self.folder / f"phone-{copy}")
        self.phones[number] = self.open_phone(number)
        self.offsets.append(self.offsets[number])
        self.forms.append(self.forms[number])
        self.phones.append(self.open_phone(copy))

    # ------------------------------------------------------------ the office
    def assign(self, worker: int, cell: int) -> None:
        """Give a cell to a worker, who may have it already."""
        key = (self.workers[worker % len(self.workers)], cell % len(self.cells))
        if key not in self.assigned:
            found = assignments.assign(self.house, self.secretary, user_id=key[0], cell_id=self.cells[key[1]])
            self.assigned[key] = found.assignment_id

    def unassign(self, worker: int, cell: int) -> None:
        """Take a cell from a worker."""
        assignment_id = self.assigned.pop((self.workers[worker % len(self.workers)], cell % len(self.cells)), None)
        if assignment_id is not None:
            assignments.revoke(self.house, self.secretary, assignment_id)

    def publish(self, *borders: float) -> None:
        """Put other borders in force; assignments and records follow."""
        draft = read_cells(cells_at(*borders), datum="cgcs2000")
        publish_edition(self.house, self.secretary, COMMUNITY, draft)
        self.look_at_cells()

    def back_up(self) -> None:
        """Copy the database by hand."""
        name = f"copy{len(self.backups)}"
        self.book.copied(name, held_now(self.house, COMMUNITY))
        self.stop()
        self.shelf.keep(name)
        self.backups.append(name)

    def copy_back(self, random: Random) -> None:
        """Put an older copy back by hand: nothing tells the server that it is one."""
        if not self.backups:
            return
        self.stop()
        name = random.choice(self.backups)
        self.shelf.put(name)
        self.put_back(name)

    def put_back(self, name: str) -> None:
        """An older state, which was copied under this name, lies where the database was; the program starts upon it."""
        self.stop()
        self.book.put_back(name, self.phones)
        self.kept_back.clear()
        self.start()
        self.look_at_cells()

    def close(self) -> None:
        """Let go of everything."""
        for phone in self.phones:
            phone.close()
        self.stop()
        for name in self.backups:
            self.shelf.forget(name)


def _cells_in_force(connection: Any) -> list[str]:
    """The ids of the cells in force, from west to east."""
    edition = cells.published_edition(connection, COMMUNITY)
    assert edition is not None
    return [
        row.cell_id
        for row in sorted(cells.cells_of(connection, COMMUNITY, edition.edition_id), key=lambda row: row.code)
    ]
