"""A served house: the real app under its WSGI server on a free port, with communities made for each test.

``live_server`` starts one server for a module; ``LiveServer.community()`` gives a test ground of its own.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import shapely
from sqlalchemy import insert

from forms.registry import load_registry
from server.app import create_app, house_of
from server.house import House, uuid7
from server.models import cell, edition
from server.permissions import Actor
from server.services import accounts, assignments, enrolment
from server.settings import Settings
from server.start import prepare
from server.store import assignments as places
from server.store.database import stamp, write
from sync.device import HttpTransport, Phone
from sync.device.store import no_fault

ROOT = Path(__file__).resolve().parent.parent
WEST, SOUTH, SIZE = 120.60, 31.30, 0.01


@dataclass(slots=True)
class LiveCommunity:
    """A community of three square cells in a row, its secretary, and phones."""

    server: LiveServer
    community_id: str
    secretary: Actor
    cells: list[str]
    count: int = 0
    phones: list[Phone] = field(default_factory=list)

    def stream(self, number: int) -> str:
        """Stream of a cell by its number."""
        return f"cell/{self.cells[number]}"

    def worker(self, *cells: int) -> str:
        """A grid worker who is assigned to cells by number; the user's id."""
        self.count += 1
        user = accounts.add_user(
            self.server.house,
            self.secretary,
            login=f"w{self.count}-{self.community_id[-12:]}",
            name="测试网格员",
            role="grid_worker",
            password="correct horse battery staple",
        )
        for number in cells:
            self.assign(user.user_id, number)
        return user.user_id

    def assign(self, user_id: str, number: int) -> str:
        """Assign a cell; the assignment's id."""
        found = assignments.assign(self.server.house, self.secretary, user_id=user_id, cell_id=self.cells[number])
        return found.assignment_id

    def unassign(self, assignment_id: str) -> None:
        """End an assignment from now on."""
        assignments.revoke(self.server.house, self.secretary, assignment_id)

    def code(self, user_id: str) -> str:
        """A one-time enrolment code."""
        return enrolment.create_code(self.server.house, self.secretary, user_id)[0]

    def phone(self, path: Path, user_id: str, *, fault: Callable[[str], None] = no_fault) -> Phone:
        """A phone that has just enrolled over HTTP and has not pulled yet."""
        phone = self.server.phone(path, fault=fault)
        if phone.install_id is None:
            phone.enrol(self.code(user_id), label="test phone")
        return phone


@dataclass(slots=True)
class LiveServer:
    """Address and house of a running server."""

    url: str
    house: House

    def phone(self, path: Path, *, fault: Callable[[str], None] = no_fault) -> Phone:
        """A phone with its file at ``path``."""
        return Phone(path, HttpTransport(self.url), lambda: datetime.now(UTC), uuid7, load_registry(), fault)

    def community(self) -> LiveCommunity:
        """A new community with a published edition of three cells, and a secretary."""
        house = self.house
        community_id, edition_id, at = house.new_id(), house.new_id(), stamp(house.clock())
        cells = [house.new_id() for _ in range(3)]
        code = f"{int(community_id.replace('-', '')[-8:], 16) % 10**12:012d}"
        with write(house.engine) as connection:
            new = places.Community(community_id, code, "测试社区", code[:9], code[:6], "cn-grid-15")
            places.add_community(connection, new, at=at)
            connection.execute(
                insert(edition).values(
                    community_id=community_id,
                    edition_id=edition_id,
                    layer="base",
                    number=1,
                    state="published",
                    profile="cn-grid-15",
                    created_at=at,
                    published_at=at,
                )
            )
            for number, cell_id in enumerate(cells):
                square = shapely.box(WEST + number * SIZE, SOUTH, WEST + (number + 1) * SIZE, SOUTH + SIZE)
                connection.execute(
                    insert(cell).values(
                        community_id=community_id,
                        edition_id=edition_id,
                        cell_id=cell_id,
                        code=f"{code}{number + 1:03d}",
                        name=f"第{number + 1}网格",
                        order_number=number + 1,
                        geometry=shapely.to_wkb(square),
                        area_m2=1_000_000.0,
                        label_lon=square.centroid.x,
                        label_lat=square.centroid.y,
                        properties="{}",
                    )
                )
        admin = Actor(user_id="~operator", role="admin", community_id="~house", name="operator")
        user = accounts.add_user(
            house,
            admin,
            login=f"s-{community_id[-12:]}",
            name="测试书记",
            role="secretary",
            password="correct horse battery staple",
            community_id=community_id,
        )
        secretary = Actor(user_id=user.user_id, role="secretary", community_id=community_id, name=user.name)
        return LiveCommunity(self, community_id, enrolment.user_install(house, secretary), cells)


def anchor(number: int) -> dict[str, Any]:
    """A location in the middle of a cell by its number."""
    lon = round(WEST + (number + 0.5) * SIZE, 7)
    return {
        "lon": lon,
        "lat": SOUTH + SIZE / 2,
        "datum": "cgcs2000",
        "accuracy_m": 5,
        "confidence": 0.95,
        "method": "survey",
    }


def home(phone: Phone, number: int, *names: str) -> dict[str, Any]:
    """Write a building, a dwelling, a household and persons in one group; their ids."""
    with phone.group():
        building = phone.create("building", {"name": "1 幢", "anchor": anchor(number)})
        dwelling = phone.create("dwelling", {"building": building, "door_number": "101"})
        household = phone.create("household", {"dwelling": dwelling, "kind": "family"})
        persons = [
            phone.create("person", {"name": name, "residence_household": household, "relation_to_head": "01"})
            for name in names
        ]
    return {"building": building, "dwelling": dwelling, "household": household, "persons": persons}


@pytest.fixture(scope="module")
def live_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """The app under gunicorn with one process, as SQLite wants it, on a port that was free."""
    folder = tmp_path_factory.mktemp("house")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    house = house_of(create_app(Settings.in_folder(folder)))
    prepare(house)
    environment = os.environ | {
        "DISHU_DATA": str(folder),
        "DISHU_SIGN_IN_PER_MINUTE": "10000",
        "DISHU_ENROL_PER_MINUTE": "10000",
        "PYTHONPATH": str(ROOT),
    }
    for name in ("DISHU_DATABASE_URL", "DISHU_KEY", "DISHU_KEY_FILE"):
        environment.pop(name, None)
    command = [
        sys.executable,
        "-m",
        "gunicorn",
        "--bind",
        f"127.0.0.1:{port}",
        "--threads",
        "4",
        "server.app:create_app()",
    ]
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
    try:
        _wait_until_it_answers(f"http://127.0.0.1:{port}/", process, folder / "server.log")
        yield LiveServer(f"http://127.0.0.1:{port}", house)
    finally:
        process.terminate()
        process.wait(20)
        house.engine.dispose()


def _wait_until_it_answers(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except urllib.error.HTTPError:
            return  # any answer will do
        except OSError:
            process.poll()
            continue
        return
    raise AssertionError("the server did not start:\n" + log.read_text("utf-8", "replace")[-4000:])
