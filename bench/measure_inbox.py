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
from server.settings import Settings
from server.start import prepare

SEED = 7
KINDS = ("conflicts", "duplicates", "quarantine", "placements")
"""What is decided on a screen of the inbox."""


def measure_inbox(decide: int, say: Callable[[str], None], habits: Habits | None = None) -> list[Line]:
    """Matters of a week by kind, and seconds of the screen for each decision; of one kind at most ``decide`` are decided."""
    with tempfile.TemporaryDirectory(prefix="dishu-inbox-") as name:
        folder = Path(name)
        house = house_of(create_app(Settings.in_folder(folder)))
        prepare(house)
        ensure_demo(house)
        with served.product(folder) as product:
            before = _waiting(product.address)
        told = play_week(house, SEED, habits or Habits())
        house.engine.dispose()
        say(f"{told['visits']:,} visits, {told['operations']:,} operations in a week")
        with served.product(folder) as product:
            now = _waiting(product.address)
            week = {kind: max(0, now.get(kind, 0) - before.get(kind, 0)) for kind in now}
            took = _decided(product.address, decide)
    what = f"{told['visits']:,} visits, {told['operations']:,} operations of 22 workers and the office, seed {SEED}"
    spread = ", ".join(f"{kind} {count}" for kind, count in sorted(week.items(), key=lambda one: -one[1]) if count)
    lines = [Line("inbox: matters of a week", sum(week.values()), "", None, note=f"{spread}; {what}")]
    seconds = 0.0
    for kind, times in took.items():
        each = median(times)
        seconds += week.get(kind, 0) * each
        lines.append(Line(f"inbox: a decision, {kind}", each, "s", None, note=f"of {len(times)} decided, the slowest {max(times):.2f} s; the screen's part, reading comes on top"))
    return [*lines, Line("inbox: a week's decisions, the screen's part", seconds, "s", None, note="matters of the week times the seconds of each kind")]


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


_ITEMS = {"conflicts": "article.conflict", "duplicates": "article.pair", "quarantine": "table.grid tbody tr", "placements": "article.item"}


def _queue(page: Page, kind: str, most: int) -> list[float]:
    page.goto(f"/#/inbox/{kind}")
    items = page.locator(f"main {_ITEMS[kind]}")
    page.locator(f"main {_ITEMS[kind]}, main .empty .big").first.wait_for()
    times = []
    for turn in range(most):
        if items.count() == 0:
            break
        first = items.first
        told = first.inner_text()
        count = items.count()
        started = time.perf_counter()
        _decide(page, kind, first, turn)
        page.wait_for_function(
            "([where, told, count]) => { const all = document.querySelectorAll(where); return all.length !== count || all[0].innerText !== told }",
            arg=[f"main {_ITEMS[kind]}", told, count],
        )
        times.append(time.perf_counter() - started)
        page.locator(f"main {_ITEMS[kind]}, main .empty .big").first.wait_for()
    return times


def _decide(page: Page, kind: str, item: Any, turn: int) -> None:
    """One decision as a secretary makes it: keys for two values; merging after a look at what becomes of both."""
    if kind == "conflicts":
        page.keyboard.press("12"[turn % 2])
    elif kind == "duplicates" and turn % 2 == 0:
        item.get_by_role("button", name="不是同一个").click()
    elif kind == "duplicates":
        item.get_by_role("button", name="同一个人").click()
        page.get_by_role("dialog").get_by_role("button", name="同一个人").click()
    elif kind == "quarantine":
        item.get_by_role("button", name="放弃").click()
        page.get_by_role("dialog").get_by_role("button", name="确定").click()
    else:
        item.locator(".chip").first.click()
