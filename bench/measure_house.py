"""What the console asks of a large house: a community of 25,000 persons on its own cells, alone with a few and among many others.

The first community is the demo's ground with several invented populations on it, pushed like any other work. Its neighbours are
copies of its rows under other codes: they are never asked, they only make the tables and indexes as large as they would be.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import served
from bench.report import Line, median
from bench.story_stage import Office
from server.app import create_app, house_of
from server.demo.chance import uuid7_shaped
from server.demo.community import SEED, batches, demo_groups, frozen
from server.demo.load import COMMUNITY_ID, PASSWORD, ensure_demo
from server.house import House
from server.models import metadata
from server.services import cell_figures, push
from server.settings import Settings
from server.start import prepare
from server.store import installs
from server.store.database import run, stamp, write
from server.store.installs import Install

_ASKED: tuple[tuple[str, str, str, dict[str, str] | None, int | None], ...] = (
    ("overview, asked again after a change", "GET", "overview", None, None),
    ("a cell's roster, first page", "GET", "cells/{cell}/roster/persons?limit=100", None, 300),
    ("search, a name's first letters", "POST", "find", {"text": "wj"}, 200),
    ("search, an address", "POST", "find", {"text": "3-2-501"}, 200),
    ("a page of history", "GET", "records/person/{person}/history", None, 200),
)
_ALIKE = 1.3
_FIRST, _PAINT = "overview, first after a start", "overview in a browser, first useful paint"


@dataclass(frozen=True, slots=True)
class HouseSize:
    """``populations`` of 6,500 persons in each community; so many communities at first and in the end."""

    populations: int = 4
    few: int = 4
    many: int = 40


def measure_house(size: HouseSize, say: Callable[[str], None]) -> list[Line]:
    """Milliseconds by the clock at the end, and how many times longer than with few communities."""
    with tempfile.TemporaryDirectory(prefix="dishu-house-") as name:
        folder = Path(name)
        house = house_of(create_app(Settings.in_folder(folder)))
        prepare(house)
        persons = _people(house, size.populations)
        found = []
        for start, end in ((1, size.few), (size.few, size.many)):
            _neighbours(house, range(start, end))
            say(f"{persons * end:,} persons in {end} communities")
            while cell_figures.sweep(house):  # the worker of a house that has run for a while has done it
                pass
            found.append(_ask(folder))
        house.engine.dispose()
    early, late = found
    lines = []
    bars_ms: list[tuple[str, int | None]] = [(_FIRST, None), *((name, bar_ms) for name, *_, bar_ms in _ASKED)]
    for name, bar_ms in bars_ms:
        lines.append(Line(name, late[name] * 1e3, "ms", bar_ms, most=True, note=f"{persons * size.many:,} persons in {size.many} communities"))
        note = f"{early[name] * 1e3:.0f} ms at {persons * size.few:,} persons"
        lines.append(Line(f"  {name}: growth", late[name] / early[name], "times", _ALIKE, most=True, note=note))
    lines.append(Line(_PAINT, late[_PAINT], "s", 1.5, most=True, note="signed in, nothing cached"))
    lines.append(Line(f"  {_PAINT}: growth", late[_PAINT] / early[_PAINT], "times", _ALIKE, most=True, note=f"{early[_PAINT]:.2f} s at {persons * size.few:,} persons"))
    return lines


def _people(house: House, populations: int) -> int:
    """The demo and more people on its ground; how many persons there are."""
    ensure_demo(house)
    day = house.clock().date()
    for number in range(1, populations):
        install = Install(COMMUNITY_ID, uuid7_shaped(1_735_689_600_000, f"population {number}"), "import", None, "bench", stamp(house.clock()))
        with write(house.engine) as connection:
            installs.add_install(connection, install)
        sender = push.Sender(COMMUNITY_ID, install.install_id, None, "import", scoped=False, source="import")
        n, op_id = 0, None
        for batch in batches(demo_groups(day, SEED + number), 500):
            groups = []
            before = n, op_id
            for group in batch:
                members = []
                for operation in group:
                    n, op_id = n + 1, str(operation["op_id"])
                    members.append((n, frozen(operation)))
                groups.append(tuple(members))
            push.accept(house, sender, push.Batch(tuple(groups), *before))
    with write(house.engine) as connection:
        return int(run(connection, "SELECT COUNT(*) FROM record WHERE type = 'person'").scalar_one())


def _neighbours(house: House, numbers: range) -> None:
    """Copies of every row of the community under other codes, but for its people's accounts."""
    kept = {"user_account", "user_scope", "sign_in_session", "read_token", "enrolment_code", "assignment", "install", "audit"}
    for number in numbers:
        for table in metadata.sorted_tables:
            if table.name in kept or "community_id" not in table.columns:
                continue
            names = [column.name for column in table.columns]
            wanted = ", ".join(f"'{COMMUNITY_ID[:-3]}{number + 1:03d}'" if name == "community_id" else name for name in names)
            with write(house.engine) as connection:
                run(connection, f"INSERT INTO {table.name} ({', '.join(names)}) SELECT {wanted} FROM {table.name} WHERE community_id = ?", (COMMUNITY_ID,))


def _ask(folder: Path) -> dict[str, float]:
    """Seconds of every question, each the median of several, by a server that was started for it."""
    found: dict[str, list[float]] = {}
    with served.product(folder) as product:
        desk = _Desk(product.address)
        found[_FIRST] = [desk.seconds("GET", "overview", None)]
        desk.seconds("POST", "find", {"text": "wj"})  # the first search of a community reads it into memory
        for _ in range(7):
            desk.change()
            for name, method, path, body, _bar in _ASKED:
                found.setdefault(name, []).append(desk.seconds(method, path, body))
        found[_PAINT] = _paints(product.address)
    return {name: median(times) for name, times in found.items()}


def _paints(address: str, rounds: int = 5) -> list[float]:
    """Seconds from the address to the first rows of the overview, by somebody who is signed in and has nothing in the cache."""
    from playwright.sync_api import sync_playwright

    found = []
    with sync_playwright() as playwright:
        path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        for _ in range(rounds):
            context = browser.new_context(viewport={"width": 1366, "height": 768}, base_url=address)
            context.request.post("/api/v1/session", data={"login": "secretary", "password": PASSWORD})
            page = context.new_page()
            started = time.perf_counter()
            page.goto("/")
            page.locator("table tbody tr").nth(3).wait_for()
            found.append(time.perf_counter() - started)
            context.close()
        browser.close()
    return found


class _Desk:
    """The secretary, asking without a screen."""

    def __init__(self, address: str) -> None:
        self._office = Office(address, "secretary", PASSWORD)
        self._cell = f"{COMMUNITY_ID}004"
        people = [row["id"] for row in self._office.get(f"/api/v1/cells/{self._cell}/roster/persons?limit=5")["rows"]]
        # Each of the two houses is asked about somebody whom nobody has changed yet: a page of history is then as long in both.
        self._person = min(people, key=lambda one: self._office.get(f"/api/v1/records/person/{one}")["record"]["v"])

    def seconds(self, method: str, what: str, body: Any) -> float:
        """How long one question takes."""
        path = what.format(cell=self._cell, person=self._person)
        path = f"/api/v1/{path}" if "/" in path else f"/api/v1/communities/{COMMUNITY_ID}/{path}"
        started = time.perf_counter()
        status, content = self._office.send(method, path, body, purpose="bench")
        taken = time.perf_counter() - started
        if status != 200:
            raise RuntimeError(f"{method} {path}: {status} {content[:300]!r}")
        return taken

    def change(self) -> None:
        """Something changes in the cell between two looks."""
        record = self._office.get(f"/api/v1/records/person/{self._person}")["record"]
        base = {"v": record["v"], "tag": record["tag"]}
        values = {"occupation_text": f"量测 {time.time_ns()}"}
        operation = {"type": "person", "id": self._person, "kind": "patch", "base": base, "set": values, "was": {}}
        self._office.post("/api/v1/groups", {"ops": [operation]})
