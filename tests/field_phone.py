"""A grid worker's hand on the field app: taps and types what a person would, in Chinese."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from browser_kit import DEMO_PASSWORD, DemoSite
from playwright.sync_api import BrowserContext, Locator, Page, expect

from forms.identity import resident_id_check_character

PIN = "258036"
AXE = Path(__file__).resolve().parent.parent / "web" / "node_modules" / "axe-core" / "axe.min.js"


@dataclass(slots=True)
class FieldPhone:
    """One phone with the app open."""

    page: Page
    site: DemoSite

    @property
    def context(self) -> BrowserContext:
        """The phone's browser."""
        return self.page.context

    def enrol(self, login: str = "worker1") -> FieldPhone:
        """Code, PIN twice, first sync, home."""
        self.page.goto(f"{self.site.url}/field/")
        self.page.get_by_label("登记码").fill(self.site.enrolment_code(login))
        self.tap("下一步")
        self.pin()
        self.page.get_by_text("再输一遍").wait_for()
        self.pin()
        self.home_stands()
        return self

    def pin(self, digits: str = PIN) -> None:
        """Type a PIN on the pad."""
        for digit in digits:
            self.page.get_by_role("button", name=digit, exact=True).click()

    def home_stands(self) -> None:
        """Wait until the day's work is shown."""
        expect(self.page.get_by_role("heading", name="今天去哪儿")).to_be_visible(timeout=60_000)

    def program_is_kept(self) -> None:
        """Wait until the app starts without a network."""
        self.page.evaluate("navigator.serviceWorker.ready.then(() => true)")
        self.page.wait_for_function("caches.keys().then(async names => (await Promise.all(names.map(async n => (await (await caches.open(n)).keys()).length))).some(n => n > 20))")

    def start_again(self) -> None:
        """Close the app and start it: only what is on the phone is there."""
        old, self.page = self.page, self.context.new_page()
        old.close()
        self.page.goto(f"{self.site.url}/field/")
        self.page.get_by_text("请输入密码").wait_for()
        self.pin()
        self.home_stands()

    def tap(self, name: str) -> None:
        """Tap the button of this name."""
        self.page.get_by_role("button", name=name, exact=True).click()

    def go(self, path: str) -> None:
        """Open a screen by its place in the app."""
        self.page.evaluate("path => { location.hash = path }", path)
        self.page.wait_for_function("path => location.hash === '#' + path", arg=path)

    def go_home(self) -> None:
        """The first screen."""
        self.go("/")
        self.home_stands()

    def due(self, count: int = 3) -> list[str]:
        """Ids of the first households that are due."""
        links = self.page.locator("main a.item[href*='/household/']")
        expect(links.nth(count - 1)).to_be_visible()
        return [str(links.nth(i).get_attribute("href")).rsplit("/", 1)[1] for i in range(count)]

    def household(self, household_id: str) -> None:
        """Open a household."""
        self.go(f"/household/{household_id}")
        self.page.get_by_role("button", name=re.compile("都没变|今天已核实")).wait_for()

    def field(self, name: str) -> Locator:
        """The input of a field on the form that is open."""
        return self.page.locator(f"#f-{name}")

    def said(self, words: str) -> None:
        """Wait for a short message."""
        self.page.get_by_text(words).first.wait_for()

    def shown(self, kind: str) -> str:
        """The id of the record whose screen is open, once it is."""
        self.page.wait_for_url(re.compile(rf"#/{kind}/[^/]+$"))
        return self.page.url.rsplit("/", 1)[1]

    def kept(self) -> None:
        """Tap the button that keeps a form, and wait until the form is left: an earlier message may still stand there."""
        here = self.page.evaluate("location.hash")
        self.tap("确定")
        self.page.wait_for_function("here => location.hash !== here", arg=here)

    def unsent(self) -> int:
        """How many operations the home screen says are unsent."""
        self.go_home()
        text = self.page.locator(".sync .big").inner_text()
        found = re.search(r"\d+", text)
        return int(found[0]) if found else 0

    def sync(self) -> None:
        """Tap the one button and wait until everything is sent."""
        self.go_home()
        self.tap("上传更新")
        self.page.get_by_text("全部已上传").wait_for(timeout=60_000)
        expect(self.page.get_by_role("button", name="上传更新")).to_be_enabled(timeout=60_000)

    def barriers(self) -> list[str]:
        """What axe finds on the screen that is open, of any weight."""
        self.page.evaluate(AXE.read_text(encoding="utf-8"))
        found = self.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        return [f"{one['id']}: {one['nodes'][0]['html'][:160]}" for one in found["violations"]]


@dataclass(slots=True)
class Office:
    """The secretary's session on the same server: what the server really has."""

    page: Page
    site: DemoSite

    def __post_init__(self) -> None:
        answer = self.page.request.post(f"{self.site.url}/api/v1/session", data={"login": "secretary", "password": DEMO_PASSWORD})
        assert answer.ok, answer.text()

    def fields(self, kind: str, record_id: str) -> dict[str, Any]:
        """The values that the server has of a record."""
        answer = self.page.request.get(f"{self.site.url}/api/v1/records/{kind}/{record_id}")
        assert answer.ok, answer.text()
        return {field["name"]: field["value"] for unit in answer.json()["units"] for field in unit["fields"]}


def invented_number(seventeen: str) -> str:
    """A resident ID number of the region that does not exist, with its right check character."""
    assert seventeen.startswith("999999")
    return seventeen + resident_id_check_character(seventeen)
