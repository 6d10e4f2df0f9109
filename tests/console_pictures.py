"""Pictures of the console for the documents: ``make screenshots``. A demo of its own is served for them.

Writes ``docs/pictures/console-*.png`` in both languages, at the size of an office computer and of a tablet, each below 200 kB. Two people disagree beforehand, one of
a household is recorded twice and a phone is enrolled, so that the inbox and the devices have something to show.
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
from server.house import uuid7

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "pictures"
MOST_BYTES = 200_000
#: Colours of a picture; flat screens need no more.
COLOURS = 160
#: Name of a picture, its page (``{household}``: about which two disagree, ``{person}``: who is recorded twice), what stands there when it is whole.
SCREENS = (
    ("overview", "/", ".tablecard tbody tr:nth-child(5)"),
    ("cell", f"/cell/{COMMUNITY}007", ".facts > div:nth-child(3)"),
    ("roster", "/rosters/persons", ".v-scroll tbody tr:nth-child(6)"),
    ("household", "/records/household/{household}", "main .card h2"),
    ("person", "/records/person/{person}", "main .card h2"),
    ("duplicates", "/inbox/duplicates", "article"),
    ("devices", "/people/devices", "table.grid tbody tr"),
    ("inbox", "/inbox/conflicts", "article"),
    ("editions", "/cells", ".leaflet-container canvas"),
    ("files", "/files", "main .card h2"),
    ("tables", "/files/templates", "table.grid tr:nth-child(3)"),
    ("reach", "/files/reach", ".side tbody tr:nth-child(4)"),
    ("due", "/inbox/visits", "table.grid tbody tr:nth-child(6)"),
    ("audit", "/audit", "table.grid tbody tr:nth-child(8)"),
)
TABLET = (
    ({"width": 1024, "height": 768}, "tablet", "/", ".tablecard tbody tr:nth-child(5)"),
    ({"width": 768, "height": 1024}, "tablet-household", "/records/household/{household}", "main .card h2"),
)
WORDS = {
    "zh": {"tail": "", "question": "80 岁以上独自居住", "cells": "按网格", "draw": "以这一版为底修改|改边界"},
    "en": {"tail": "-en", "question": "Over 80 and alone", "cells": "Per cell", "draw": "Draw a new draft from this|Draw borders"},
}


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    with served_demo() as (url, _), sync_playwright() as playwright:
        site = DemoSite(url, Path(), {})
        path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
        household = disagree(playwright, site)
        shown = {"household": household, "person": record_twice(playwright, site)}
        enrol(playwright, site)
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        for language, words in WORDS.items():
            page = signed_in(browser, site, language, OFFICE)
            for name, where, content in SCREENS:
                take(page, site, name + words["tail"], where.format(**shown), content)
            page.goto(f"{site.url}/#/")
            page.get_by_role("button", name=words["question"], exact=True).click()
            page.get_by_role("group", name=words["cells"]).wait_for()
            page.locator(".v-scroll").get_by_role("row").nth(3).wait_for()
            keep(page, "question" + words["tail"])
            page.context.close()
            for size, name, where, content in TABLET:
                page = signed_in(browser, site, language, size, has_touch=True)
                take(page, site, name + words["tail"], where.format(**shown), content)
                page.context.close()
        # last of all: the draft stands in the list of editions
        for language, words in WORDS.items():
            page = signed_in(browser, site, language, OFFICE)
            draw(page, site, words["draw"])
            keep(page, "drawing" + words["tail"])
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


def record_twice(playwright: Playwright, site: DemoSite) -> str:
    """Somebody over 80 is recorded once more in another home, as it happens; the id of the first record."""
    secretary = Colleague(playwright, site, "secretary")
    rows = secretary.get(f"/api/v1/cells/{COMMUNITY}017/roster/persons?limit=200")["rows"]
    one = max((row for row in rows if row["phones"] and row["vital_status"] != "deceased"), key=lambda row: row["age"] or 0)
    household = secretary.get(f"/api/v1/cells/{COMMUNITY}012/roster/household_book?limit=1")["rows"][0]["id"]
    names = ("name", "sex", "birth_date", "birth_precision", "phones")
    units = secretary.get(f"/api/v1/records/person/{one['id']}")["units"]
    known = {field["name"]: field["value"] for unit in units for field in unit["fields"] if field["name"] in names and field["value"]}
    values = known | {"residence_household": household, "relation_to_head": "97", "document_missing_reason": "not_asked", "vital_status": "living"}
    (made,) = secretary.write({"kind": "create", "type": "person", "id": uuid7(), "set": values})
    assert made["now"]["outcome"] == "applied", made
    return str(one["id"])


def enrol(playwright: Playwright, site: DemoSite) -> None:
    """A phone each for two workers."""
    secretary = Colleague(playwright, site, "secretary")
    users = {one["login"]: one["user_id"] for one in secretary.get("/api/v1/users")["users"]}
    for login, label in (("worker1", "网格员甲的手机"), ("worker2", "网格员乙的手机")):
        code = secretary.post("/api/v1/enrolment-codes", {"user_id": users[login]})["code"]
        phone = playwright.request.new_context(base_url=site.url)
        made = phone.post("/api/v1/enroll", data={"code": code, "label": label}).json()
        told = {"cursor": None, "complete": False}
        while not told["complete"]:
            asked = {"protocol": 1, "install_id": made["install_id"], "cursor": told["cursor"], "unsent": 0, "app_version": "0.1.0"}
            answer = phone.post("/api/v1/sync/pull", data=asked, headers={"Authorization": f"Bearer {made['device_token']}"})
            assert answer.ok, answer.text()
            told = answer.json()


def draw(page: Page, site: DemoSite, begin: str) -> None:
    """The borders of a cell, drawn by hand in a new draft or in the one of before."""
    page.goto(f"{site.url}/#/cells")
    page.get_by_role("button", name=re.compile(begin)).first.click()
    page.locator(".leaflet-container canvas").first.wait_for()
    page.get_by_role("row").nth(9).get_by_role("button").click()
    page.locator(".pull.corner").nth(3).wait_for()


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
