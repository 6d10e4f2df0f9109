"""What a week brings to the secretary's inbox, and how long its screen takes for each decision: a scripted browser decides all of it."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

from bench import served
from bench.report import Line, median
from bench.week import Habits, play_week
from server.app import create_app, house_of
from server.demo.load import COMMUNITY_ID, PASSWORD, ensure_demo
from server.house import House
from server.services import accounts, assignments
from server.settings import Settings
from server.start import prepare
from server.store import baseline
from server.store.database import read

SEED = 7
KINDS = ("conflicts", "duplicates", "quarantine", "placements", "findings", "proposals", "unplaced")
"""What is decided on a screen of the inbox."""


def measure_inbox(decide: int, say: Callable[[str], None], habits: Habits | None = None) -> list[Line]:
    """Matters of a week by kind, and seconds of the screen for each decision; of one kind at most ``decide`` are decided."""
    with tempfile.TemporaryDirectory(prefix="dishu-inbox-") as name:
        folder = Path(name)
        house = house_of(create_app(Settings.in_folder(folder)))
        prepare(house)
        ensure_demo(house)
        _staff(house)
        with served.product(folder) as product:
            before = _waiting(product.address)
        told = play_week(house, SEED, habits or Habits())
        house.engine.dispose()
        say(f"{told['visits']:,} visits, {told['operations']:,} operations in a week")
        with served.product(folder) as product:
            now = _waiting(product.address)
            week = {kind: max(0, now.get(kind, 0) - before.get(kind, 0)) for kind in now}
            took = _decided(product.address, decide)
    what = f"{told['visits']:,} visits, {told['operations']:,} operations of {told['workers']} workers and the office, seed {SEED}"
    spread = ", ".join(f"{kind} {count}" for kind, count in sorted(week.items(), key=lambda one: -one[1]) if count)
    lines = [Line("inbox: matters of a week", sum(week.values()), "", None, note=f"{spread}; {what}")]
    seconds = 0.0
    for kind, times in took.items():
        each = median(times)
        seconds += week.get(kind, 0) * each
        lines.append(Line(f"inbox: a decision, {kind}", each, "s", None, note=f"of {len(times)} decided, the slowest {max(times):.2f} s; the screen's part, reading comes on top"))
    return [*lines, Line("inbox: a week's decisions, the screen's part", seconds, "s", None, note="matters of the week times the seconds of each kind")]


def _staff(house: House) -> None:
    """Every cell has somebody to whom its findings can be handed on."""
    worker = next(one for one in accounts.list_users(house, accounts.OPERATOR) if one.login == "worker1")
    held = {one.cell_id for one in assignments.list_assignments(house, accounts.OPERATOR, user_id=worker.user_id)}
    with read(house.engine) as connection:
        cells = [cell.cell_id for cell in baseline.published_cells(connection, COMMUNITY_ID)]
    for cell_id in cells:
        if cell_id not in held:
            assignments.assign(house, accounts.OPERATOR, user_id=worker.user_id, cell_id=cell_id, community_id=COMMUNITY_ID)


def _waiting(address: str) -> dict[str, int]:
    """Open matters by kind; probable duplicates among them."""
    with sync_playwright() as playwright:
        office = playwright.request.new_context(base_url=address)
        office.post("/api/v1/session", data={"login": "secretary", "password": PASSWORD})
        counts: dict[str, int] = office.get("/api/v1/inbox").json()["counts"]
        duplicates = office.get(f"/api/v1/inbox/duplicates?limit=1&community={COMMUNITY_ID}").json()
        return {**counts, "duplicates": int(duplicates["count"])}


def _decided(address: str, most: int) -> dict[str, list[float]]:
    """Seconds from the tap until the matter has left the screen, by kind."""
    with sync_playwright() as playwright:
        path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        context = browser.new_context(viewport={"width": 1366, "height": 768}, base_url=address, locale="zh-CN")
        context.request.post("/api/v1/session", data={"login": "secretary", "password": PASSWORD})
        page = context.new_page()
        found = {kind: _queue(page, kind, most) for kind in KINDS}
        browser.close()
    return {kind: times for kind, times in found.items() if times}


_ITEMS = {"conflicts": "article.conflict", "duplicates": "article.pair", "quarantine": "table.grid tbody tr", "placements": "article.item",
          "findings": "table.grid tbody tr", "proposals": "article.item", "unplaced": "table.grid tbody tr"}  # fmt: skip
_STAY = frozenset({"findings"})
"""What is handed to a worker stays in its list until the door has answered."""


_LOOK_MS = 10
_RIGHT = "1950-12-05"
"""What the door says when it is asked again: the only values of the week that no form takes are days that there are not."""


def _queue(page: Page, kind: str, most: int) -> list[float]:
    page.goto(f"/#/inbox/{kind}")
    items = page.locator(f"main {_ITEMS[kind]}")
    if kind == "unplaced":  # what has a place of its own; the rest is placed with its household or holder
        items = items.filter(has=page.get_by_role("button", name="指定网格"))
    page.locator(f"main {_ITEMS[kind]}, main .empty .big").first.wait_for()
    times: list[float] = []
    place = 0
    while len(times) < most and (count := items.count()) > place:
        first, at = items.nth(place), place
        told = first.inner_text()
        started = time.perf_counter()
        place += kind in _STAY
        if not _decide(page, kind, first, len(times)):
            continue
        while len(now := items.all_inner_texts()) == count and now[at] == told:
            page.wait_for_timeout(_LOOK_MS)
        times.append(time.perf_counter() - started)
        page.locator(f"main {_ITEMS[kind]}, main .empty .big").first.wait_for()
    return times


def _decide(page: Page, kind: str, item: Any, turn: int) -> bool:
    """One decision as a secretary makes it: keys for two values; merging after a look at what becomes of both; a wrong value set right.

    False: nobody to hand it to.
    """
    if kind == "conflicts":
        page.keyboard.press("12"[turn % 2])
    elif kind == "duplicates" and turn % 2 == 0:
        item.get_by_role("button", name="不是同一个").click()
    elif kind == "duplicates":
        item.get_by_role("button", name="同一个人").click()
        page.get_by_role("dialog").get_by_role("button", name="同一个人").click()
    elif kind == "quarantine" and turn % 2 == 0:
        item.get_by_role("button", name="改正后重交").click()
        dialog = page.get_by_role("dialog")
        dialog.get_by_label("出生日期").fill(_RIGHT)
        dialog.get_by_label("出生日期").press("Enter")
        dialog.get_by_role("button", name="改正后重交").click()
    elif kind == "quarantine":
        item.get_by_role("button", name="放弃").click()
        page.get_by_role("dialog").get_by_role("button", name="确定").click()
    elif kind == "findings":
        hand = item.get_by_role("button", name="交给网格员核实")
        # Its own menu: that of the matter before may still be going.
        menu = page.locator(f"[role=menu][aria-labelledby='{hand.get_attribute('id')}']")
        hand.click()
        menu.get_by_role("menuitem").first.wait_for()
        workers = menu.locator("[role=menuitem]:not([aria-disabled=true])")
        if workers.count() == 0:
            hand.click()
            menu.wait_for(state="hidden")
            return False
        workers.first.click()
    elif kind == "proposals":
        item.get_by_role("button", name=("同意", "不同意")[turn % 2], exact=True).click()
    elif kind == "unplaced":
        item.get_by_role("button", name="指定网格").click()
        dialog = page.get_by_role("dialog")
        if not dialog.get_by_role("button", name="确定").is_enabled():  # no nearest cell was known
            dialog.get_by_role("combobox").first.click()
            page.get_by_role("option").and_(page.locator(":visible")).first.click()
        dialog.get_by_role("button", name="确定").click()
    else:
        item.locator(".chip").first.click()
    return True
