"""Pictures of the console for the documents: ``make screenshots``. A demo of its own is served for them.

Writes ``docs/pictures/console-*.png`` in both languages, at the size of an office computer and of a tablet, each below 200 kB. Two people disagree beforehand, so that
the inbox has something to show.
"""

from __future__ import annotations

import re
import shutil
from io import BytesIO
from pathlib import Path

from browser_kit import OFFICE, DemoSite
from console_kit import COMMUNITY, Colleague, sign_in
from PIL import Image
from playwright.sync_api import Browser, Page, Playwright, sync_playwright

from bench.pictures import served_demo

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "pictures"
MOST_BYTES = 200_000
#: Colours of a picture; flat screens need no more.
COLOURS = 160
#: Name of a picture, its page (None: the household about which two disagree), what stands there when it is whole.
SCREENS = (
    ("overview", "/", ".tablecard tbody tr:nth-child(5)"),
    ("cell", f"/cell/{COMMUNITY}007", ".facts > div:nth-child(3)"),
    ("roster", "/rosters/persons", ".v-scroll tbody tr:nth-child(6)"),
    ("household", None, "main .card h2"),
    ("inbox", "/inbox/conflicts", "article"),
    ("editions", "/cells", ".leaflet-container canvas"),
    ("files", "/files", "main .card h2"),
    ("tables", "/files/templates", "table.grid tr:nth-child(3)"),
    ("reach", "/files/reach", ".side tbody tr:nth-child(4)"),
    ("due", "/inbox/visits", "table.grid tbody tr:nth-child(6)"),
)
TABLET = (
    ({"width": 1024, "height": 768}, "tablet", "/", ".tablecard tbody tr:nth-child(5)"),
    ({"width": 768, "height": 1024}, "tablet-household", None, "main .card h2"),
)
WORDS = {
    "zh": {"tail": "", "question": "80 岁以上独自居住", "cells": "按网格"},
    "en": {"tail": "-en", "question": "Over 80 and alone", "cells": "Per cell"},
}


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    with served_demo() as (url, _), sync_playwright() as playwright:
        site = DemoSite(url, Path(), {})
        path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
        household = f"/records/household/{disagree(playwright, site)}"
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        for language, words in WORDS.items():
            page = signed_in(browser, site, language, OFFICE)
            for name, where, content in SCREENS:
                take(page, site, name + words["tail"], where or household, content)
            page.goto(f"{site.url}/#/")
            page.get_by_role("button", name=words["question"], exact=True).click()
            page.get_by_role("group", name=words["cells"]).wait_for()
            page.locator(".v-scroll").get_by_role("row").nth(3).wait_for()
            keep(page, "question" + words["tail"])
            page.context.close()
            for size, name, where, content in TABLET:
                page = signed_in(browser, site, language, size, has_touch=True)
                take(page, site, name + words["tail"], where or household, content)
                page.context.close()
        browser.close()


def signed_in(browser: Browser, site: DemoSite, language: str, size: dict[str, int], **more: bool) -> Page:
    """The console at that size, in that language."""
    page = browser.new_context(viewport=size, locale="zh-CN", timezone_id="Asia/Shanghai", **more).new_page()
    sign_in(page, site)
    if language == "en":
        page.get_by_role("button", name="English").click()
    return page


def disagree(playwright: Playwright, site: DemoSite) -> str:
    """Two people write two register numbers of each of two households; one of their ids."""
    secretary, worker = Colleague(playwright, site, "secretary"), Colleague(playwright, site, "worker1")
    rows = secretary.get(f"/api/v1/cells/{COMMUNITY}017/roster/household_book?limit=40")["rows"]
    chosen = [row for row in rows if row["household_number"] and (row["members_count"] or 0) >= 3][:2]
    for n, row in enumerate(chosen):
        record = secretary.get(f"/api/v1/records/household/{row['id']}")["record"]
        seen = {"kind": "patch", "type": "household", "id": row["id"], "base": {"v": record["v"], "tag": record["tag"]},
                "was": {"household_number": row["household_number"]}}  # fmt: skip
        secretary.write({**seen, "set": {"household_number": f"99999911111{n}"}})
        worker.write({**seen, "set": {"household_number": f"99999922222{n}"}})
    return str(chosen[0]["id"])


def take(page: Page, site: DemoSite, name: str, where: str, content: str) -> None:
    """One page once what it is for stands in it: something that ``content`` selects."""
    page.goto(f"{site.url}/#{where}")
    page.locator(content).first.wait_for()
    page.wait_for_load_state("networkidle")
    page.get_by_text(re.compile("^(正在读取|Loading)")).first.wait_for(state="hidden")
    keep(page, name)


def keep(page: Page, name: str) -> None:
    """The picture, small enough for a document."""
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(600)
    path = FOLDER / f"console-{name}.png"
    Image.open(BytesIO(page.screenshot())).quantize(COLOURS).save(path, optimize=True)
    assert path.stat().st_size <= MOST_BYTES, f"{path.name} has {path.stat().st_size} bytes"


if __name__ == "__main__":
    main()
