"""A grid worker's hand on the field app: taps and types what a person would, in Chinese."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from browser_kit import DEMO_PASSWORD, PATIENCE_MS, DemoSite, at_rest, holds
from playwright.sync_api import BrowserContext, CDPSession, Locator, Page, Response, expect

from forms.identity import resident_id_check_character

PIN = "258036"
_PATIENCE_MS = 120_000
_USUAL_PATIENCE_MS = 30_000
PACES = pytest.mark.parametrize("phone", ["as it is", pytest.param("slow", marks=pytest.mark.long)], indirect=True)
"""A story as it is, and (long) on a processor four times slower with slow 3G."""


@contextmanager
def paced(request: pytest.FixtureRequest) -> Iterator[bool]:
    """Whether a story is told slowly; what is expected on the screen is waited for longer then."""
    is_slow = getattr(request, "param", "") == "slow"
    if is_slow:
        expect.set_options(timeout=_PATIENCE_MS)
    yield is_slow
    if is_slow:
        expect.set_options(timeout=PATIENCE_MS)
ROOM = 40_000_000
"""So many bytes a browser of little room takes at a time."""
_FILL = """() => new Promise((done, failed) => {
    const asked = indexedDB.open('others');
    asked.onupgradeneeded = () => asked.result.createObjectStore('bytes', {autoIncrement: true});
    asked.onerror = () => failed(asked.error);
    const add = (size) => {
        if (size < 100) return asked.result.close(), done();
        const bytes = new Uint8Array(size);
        for (let at = 0; at < size; at += 65536) crypto.getRandomValues(bytes.subarray(at, at + 65536));
        const one = asked.result.transaction('bytes', 'readwrite');
        one.objectStore('bytes').add(bytes);
        one.oncomplete = () => add(size);
        one.onabort = () => add(Math.floor(size / 4));
    };
    asked.onsuccess = () => add(4_000_000);
})"""
_STANDS = "path => location.hash === '#' + path && document.querySelector('#app').__vue_app__.config.globalProperties.$router.currentRoute.value.fullPath === path"
FINGER_PX = 48
"""No side of what is tapped is shorter, also with gloves."""
#: What is tapped and too small: what is out of sight is tapped by the label beside it, the houses of a map stand where they stand.
_SMALL = """(least) => [...document.querySelectorAll('button, a[href], input, select, textarea, summary, [role=button]')]
    .map((one) => one.matches('.out-of-sight') ? [...one.labels ?? []].at(-1) : one)
    .filter((one) => one?.checkVisibility({visibilityProperty: true}) && !one.closest('.leaflet-marker-icon'))
    .map((one) => [one, one.getBoundingClientRect()])
    .filter(([, box]) => box.width < least - 0.5 || box.height < least - 0.5)
    .map(([one, box]) => `${Math.round(box.width)}×${Math.round(box.height)} px: ${one.outerHTML.slice(0, 160)}`)"""
PICTURE = Path(__file__).resolve().parent.parent / "web" / "field" / "public" / "icons" / "icon-192.png"
AXE = Path(__file__).resolve().parent.parent / "web" / "node_modules" / "axe-core" / "axe.min.js"


@dataclass(slots=True)
class FieldPhone:
    """One phone with the app open."""

    page: Page
    site: DemoSite
    slow: bool = False
    """A processor four times slower, and slow 3G whenever there is a network."""
    _tools: list[CDPSession] = field(default_factory=list)
    _storage: CDPSession | None = None
    _room: int = 0

    @property
    def context(self) -> BrowserContext:
        """The phone's browser."""
        return self.page.context

    def enrol(self, login: str = "worker1", *, by_link: bool = False) -> FieldPhone:
        """Code, PIN twice, first sync, home, at the phone's pace; it may lose its network then.

        ``by_link``: the phone's own camera opened the address of the office's QR code, so nobody types the code.
        """
        code = self.site.enrolment_code(login)
        self.page.goto(f"{self.site.url}/field/" + (f"#/enrol?code={code}" if by_link else ""))
        self.pace()
        if by_link:
            expect(self.page.get_by_label("登记码")).to_have_value(code)
        else:
            self.page.get_by_label("登记码").fill(code)
        self.tap("下一步")
        self.pin()
        self.page.get_by_text("再输一遍").wait_for()
        self.pin()
        self.home_stands()
        self.program_is_kept()
        return self

    def pace(self) -> FieldPhone:
        """Be as slow as this phone is."""
        if self.slow:
            self.context.set_default_timeout(_PATIENCE_MS)
            self._slow_processor()
            tools = self._tool()
            tools.send("Network.enable")
            tools.send("Network.emulateNetworkConditions", {"offline": False, "latency": 400, "downloadThroughput": 50_000, "uploadThroughput": 50_000})
        return self

    def _slow_processor(self) -> None:
        if self.slow:
            self._tool().send("Emulation.setCPUThrottlingRate", {"rate": 4})

    def _tool(self) -> CDPSession:
        self._tools.append(self.context.new_cdp_session(self.page))
        return self._tools[-1]

    def hurry(self) -> None:
        """Be as quick as the machine again; the page is still the one that was slowed."""
        for tools in self._tools:
            tools.detach()
        self._tools.clear()
        self.slow = False
        self.context.set_default_timeout(_USUAL_PATIENCE_MS)

    def more_room(self) -> FieldPhone:
        """Room for `ROOM` more bytes. The browser goes by the room that it saw half a minute ago: before anything is kept, where it is to be filled up."""
        self._storage = self._storage or self.context.new_cdp_session(self.page)
        self._room += ROOM
        self._storage.send("Storage.overrideQuotaForOrigin", {"origin": self.site.url, "quotaSize": self._room})
        return self

    def fill_up(self) -> None:
        """Other things take all the room that the browser has seen, and there is no other."""
        assert self._storage is not None, "the browser knows of more room"
        self.page.evaluate(_FILL)
        self._storage.send("Storage.overrideQuotaForOrigin", {"origin": self.site.url, "quotaSize": 1})

    def network(self, there: bool) -> None:
        """Leave flight mode (``there``) or enter it."""
        self.context.set_offline(not there)
        if there:
            self.pace()

    def agrees(self) -> None:
        """Everything is sent, and a pull that ended told counts and digests of every stream that the phone found to be its own: as many records, not none.

        Told slowly, the server's journal accounts for its records too.
        """
        pulled: list[Response] = []

        def note(answer: Response) -> None:
            if answer.url.endswith("/api/v1/sync/pull"):
                pulled.append(answer)

        self.page.on("response", note)
        self.sync()
        self.page.remove_listener("response", note)
        assert pulled and pulled[-1].ok, [answer.status for answer in pulled]
        told = pulled[-1].json()
        assert told["complete"]
        assert set(told["streams"]) >= set(told["scope"]["streams"]) - {"~reference"}, "not every stream was told"
        records = sum(one["count"] for one in told["streams"].values())
        assert records > 0
        self.go("/sync")
        expect(self.page.locator(".notice.green", has_text=f"本机 {records} 条与服务器核对一致")).to_be_visible()
        expect(self.page.get_by_role("alert")).to_have_count(0)
        if self.slow:
            self.site.dishu("verify")

    def pin(self, digits: str = PIN) -> None:
        """Type a PIN on the pad."""
        for digit in digits:
            self.page.get_by_role("button", name=digit, exact=True).click()

    def home_stands(self) -> None:
        """Wait until the day's work is shown."""
        expect(self.page.get_by_role("heading", name="今天去哪儿")).to_be_visible(timeout=_PATIENCE_MS if self.slow else 60_000)

    def program_is_kept(self) -> None:
        """Wait until the app starts without a network, and loads its other screens without one."""
        self.page.evaluate("navigator.serviceWorker.ready.then(() => true)")
        self.page.wait_for_function("navigator.serviceWorker.controller !== null")
        holds(self.page, "() => caches.keys().then(async names => (await Promise.all(names.map(async n => (await (await caches.open(n)).keys()).length))).some(n => n > 20))", patience_ms=_PATIENCE_MS)

    def start_again(self) -> None:
        """Close the app and start it: only what is on the phone is there."""
        old, self.page = self.page, self.context.new_page()
        old.close()
        self._tools.clear()
        self._opened_again()

    def goes_on_in(self, context: BrowserContext) -> None:
        """The browser's whole program was closed and begins again, without a network: only what it has on its disk is there."""
        self._tools.clear()
        self._storage, self._room = None, 0
        self.page = context.pages[0]
        self.more_room()
        context.set_offline(True)
        self._opened_again()

    def _opened_again(self) -> None:
        self._slow_processor()  # before there is a page: the start itself is slow
        self.page.goto(f"{self.site.url}/field/")
        self.page.get_by_text("请输入密码").wait_for()
        self.pin()
        self.home_stands()

    def typed_is_kept(self) -> None:
        """Wait until all that is typed and not saved would survive a kill: the first key is kept at once, the rest a moment later."""
        expect(self.page.locator("[data-kept=true]").last).to_be_attached(timeout=_USUAL_PATIENCE_MS)

    def tap(self, name: str) -> None:
        """Tap the button of this name."""
        self.page.get_by_role("button", name=name, exact=True).click()

    def go(self, path: str) -> None:
        """Open a screen by its place in the app, and wait until it stands: the one before it stands until the next one's program is there."""
        self.page.evaluate("path => { location.hash = path }", path)
        self.page.wait_for_function(_STANDS, arg=path)

    def go_home(self) -> None:
        """The first screen."""
        self.go("/")
        self.home_stands()

    def due(self, count: int = 3) -> list[str]:
        """Ids of the first households that are due."""
        links = self.page.locator("main a.item[href*='/household/']")
        expect(links.nth(count - 1)).to_be_visible()
        ids: list[str] = links.evaluate_all("all => all.map((one) => one.hash.split('/').at(-1))")  # as the list stands at one moment
        return ids[:count]

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

    def resource_with_photo(self, name: str, photo: Path = PICTURE) -> str:
        """Write a stock down and take a photo of it; its id."""
        self.go("/new/resource")
        self.field("name").fill(name)
        self.field("kind").get_by_role("button", name="物资", exact=True).click()
        self.field("photos").set_input_files(photo)
        self.page.locator(".photos img").wait_for()
        self.tap("保存")
        self.said("已存到本机")
        self.go("/resources")
        return str(self.page.locator("main a.item", has_text=name).get_attribute("href")).split("/edit/")[1].split("/")[0]

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
        """What axe finds on the screen that is open, of any weight, and what is tapped there and smaller than a finger, once nothing moves on it."""
        at_rest(self.page)
        if not self.page.evaluate("'axe' in window"):
            self.page.evaluate(AXE.read_text(encoding="utf-8"))
        found = self.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        small: list[str] = self.page.evaluate(_SMALL, FINGER_PX)
        return [*(f"{one['id']}: {one['nodes'][0]['html'][:160]}" for one in found["violations"]), *small]


@dataclass(slots=True)
class Office:
    """The secretary's session on the same server: what the server really has."""

    page: Page
    site: DemoSite

    _token: str = ""

    def __post_init__(self) -> None:
        answer = self.page.request.post(f"{self.site.url}/api/v1/session", data={"login": "secretary", "password": DEMO_PASSWORD})
        assert answer.ok, answer.text()
        self._token = answer.json()["csrf_token"]

    def version(self, kind: str, record_id: str) -> dict[str, Any]:
        """The version of a record as the office sees it."""
        about = self.page.request.get(f"{self.site.url}/api/v1/records/{kind}/{record_id}").json()["record"]
        return {"v": about["v"], "tag": about["tag"]}

    def write(self, operation: dict[str, Any]) -> None:
        """Write one operation; it must be taken."""
        answer = self.page.request.post(f"{self.site.url}/api/v1/groups", headers={"X-CSRF-Token": self._token}, data={"ops": [operation]})
        assert answer.ok, answer.text()
        outcomes = [one["first"]["outcome"] for one in answer.json()["results"]]
        assert outcomes[0] in ("applied", "merged"), answer.text()

    def shares(self, household: str, login: str) -> None:
        """Somebody else works the cell of a household from now on, too."""
        api = f"{self.site.url}/api/v1"
        code = self.page.request.get(f"{api}/records/household/{household}").json()["record"]["cell"]["code"]
        cells = self.page.request.get(f"{api}/reference").json()["cells"]["features"]
        cell_id = next(one["id"] for one in cells if one["properties"]["code"] == code)
        user_id = next(one["user_id"] for one in self.page.request.get(f"{api}/users").json()["users"] if one["login"] == login)
        running = self.page.request.get(f"{api}/assignments").json()["assignments"]
        if not any((one["user_id"], one["cell_id"]) == (user_id, cell_id) for one in running):
            answer = self.page.request.post(f"{api}/assignments", headers={"X-CSRF-Token": self._token}, data={"user_id": user_id, "cell_id": cell_id, "duty": "substitute"})
            assert answer.ok, answer.text()

    def fields(self, kind: str, record_id: str) -> dict[str, Any]:
        """The values that the server has of a record."""
        answer = self.page.request.get(f"{self.site.url}/api/v1/records/{kind}/{record_id}")
        assert answer.ok, answer.text()
        return {field["name"]: field["value"] for unit in answer.json()["units"] for field in unit["fields"]}

    def photo(self, name: str) -> bytes:
        """The bytes of a photo that the server has."""
        answer = self.page.request.get(f"{self.site.url}/api/v1/blobs/{name}")
        assert answer.ok, answer.text()
        return answer.body()


def invented_number(seventeen: str) -> str:
    """A resident ID number of the region that does not exist, with its right check character."""
    assert seventeen.startswith("999999")
    return seventeen + resident_id_check_character(seventeen)


def newest_device(site: DemoSite) -> str:
    """The install that was enrolled last."""
    return str(_one(site, "SELECT install_id FROM install WHERE kind = 'device' AND revoked_at IS NULL ORDER BY enrolled_at DESC LIMIT 1"))


def newest_visit(site: DemoSite, household: str) -> dict[str, Any]:
    """What the server has of the last visit at a household."""
    query = "SELECT fields FROM record WHERE type = 'visit' AND json_extract(fields, '$.household') = ? ORDER BY id DESC LIMIT 1"
    found: dict[str, Any] = json.loads(_one(site, query, household))
    return found


def _one(site: DemoSite, query: str, *values: str) -> Any:
    with closing(sqlite3.connect(f"file:{site.folder / 'dishu.sqlite3'}?mode=ro", uri=True)) as database:
        return database.execute(query, values).fetchone()[0]


@pytest.fixture
def office(office_page: Page, demo_site: DemoSite) -> Office:
    """What the server has, as the secretary may read it."""
    return Office(office_page, demo_site)
