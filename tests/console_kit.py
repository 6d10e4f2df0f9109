"""A secretary at the console: signing in, reading what the screen says, and the same facts counted straight from the database."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import re
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from browser_kit import DEMO_PASSWORD, DemoSite, at_rest
from openpyxl import load_workbook
from playwright.sync_api import APIRequestContext, Locator, Page, Playwright, expect

COMMUNITY = "999999001001"
CHINA = timedelta(hours=8)
AXE = Path(__file__).parents[1] / "web" / "node_modules" / "axe-core" / "axe.min.js"
QUEUES = (
    "conflicts", "duplicates", "quarantine", "findings", "unplaced", "placements", "proposals", "arrivals", "held", "visits", "recovery",
)  # fmt: skip
PAGES = (
    "/", f"/cell/{COMMUNITY}007", "/rosters/persons", *(f"/inbox/{kind}" for kind in QUEUES), "/cells", "/cells/work",
    "/cells/progress", "/files", "/files/reach", "/files/imports", "/files/templates", "/files/handovers", "/surveys", "/people", "/people/devices", "/audit",
)  # fmt: skip
"""Every page of the console that is nobody's own."""
QUIET = """(() => {
    let [asked, last] = [0, 0];
    const stir = () => { last = performance.now(); };
    const real = window.fetch;
    window.fetch = (...given) => { asked += 1; return real(...given).finally(() => { asked -= 1; stir(); }); };
    addEventListener('DOMContentLoaded', () => new MutationObserver(stir).observe(document, {subtree: true, childList: true, characterData: true, attributes: true}));
    window.isQuietAt = (where) => {
        const { $route } = document.querySelector('#app').__vue_app__.config.globalProperties;
        if ($route.fullPath !== where || asked) stir();
        return performance.now() - last > 300;
    };
})()"""
"""For a page before it is opened: tells whether a page of the console stands there, has its answers, and has not changed for a while."""


_ROWS = """box => ({
    heads: [...box.querySelectorAll('thead th')].map(one => one.innerText.replace(/[↑↓]/, '').trim()),
    rows: [...box.querySelectorAll('tbody tr:not(.space)')].map(row => [
        row.getAttribute('aria-rowindex'), [...row.cells].map(cell => cell.textContent.trim()), (row.querySelector('a')?.hash ?? '').split('/').at(-1)]),
    end: box.querySelector('tbody')?.lastElementChild?.className !== 'space' && box.scrollTop + box.clientHeight >= box.scrollHeight - 1 && !/向下滚动|scroll for more/.test(document.querySelector('footer.foot').innerText),
    next: box.scrollTop + Math.min(box.clientHeight, ([...box.querySelectorAll('tbody tr:not(.space)')].at(-1)?.getBoundingClientRect().bottom ?? Infinity) - box.getBoundingClientRect().top),
})"""
"""What stands of a list at one moment: a page that comes between two looks belongs to the next one, rows not drawn yet are looked for again."""


_STEPS = """(() => {
    let taps = 0;
    const forms = new Set();
    addEventListener('pointerdown', event => { taps += event.isTrusted }, true);
    addEventListener('keydown', event => { taps += event.key === 'Enter' || event.key === ' ' }, true);
    addEventListener('input', event => { forms.add(event.target.form ?? event.target) }, true);
    window.stepsTaken = () => taps + forms.size;
})()"""


_SESSIONS: dict[tuple[str, str], list[Any]] = {}
"""By address and account: how somebody of the demo is signed in at a server, for as long as the tests of this process run."""


def sign_in_by_form(page: Page, site: DemoSite, login: str = "secretary") -> None:
    """Open the console and sign in as somebody of the demo, as a hand does."""
    page.goto(site.url)
    page.get_by_label("账号").fill(login)
    page.get_by_label("密码").fill(DEMO_PASSWORD)
    page.get_by_role("button", name="登录").click()
    page.get_by_role("navigation", name="栏目").wait_for()


def let_in(page: Page, site: DemoSite, login: str = "secretary") -> None:
    """Somebody of the demo is signed in in this browser, in the session that other tests use too; one that a test has ended is begun anew."""
    context = page.context
    context.clear_cookies()
    context.add_cookies(_SESSIONS.get((site.url, login), []))
    # an answer without content: nobody is signed in
    if context.request.get(f"{site.url}/api/v1/session", params={"optional": "true"}).status == 204:
        answer = context.request.post(f"{site.url}/api/v1/session", data={"login": login, "password": DEMO_PASSWORD})
        assert answer.ok, answer.text()
        _SESSIONS[site.url, login] = [{"name": one["name"], "value": one["value"], "url": site.url} for one in context.cookies(site.url)]


def sign_in(page: Page, site: DemoSite, login: str = "secretary") -> None:
    """Open the console as somebody of the demo who is signed in; the form has tests of its own."""
    let_in(page, site, login)
    page.goto(site.url)
    page.get_by_role("navigation", name="栏目").wait_for()
    # an address that is typed before the first page has come is written over by that page's own
    page.evaluate("document.querySelector('#app').__vue_app__.config.globalProperties.$router.isReady().then(() => true)")


def type_address(page: Page, site: DemoSite, where: str) -> None:
    """Type the address of a page of the console: what stood on the one before is gone when this returns, though buttons of the same name may have stood there."""
    page.goto(f"{site.url}/#{where}")
    page.wait_for_function("where => document.querySelector('#app')?.__vue_app__?.config.globalProperties.$route?.fullPath === where", arg=where)


def open_part(page: Page, name: str) -> None:
    """One of the sections in the bar."""
    page.get_by_role("navigation", name="栏目").get_by_role("link", name=name).click()


def choose(where: Page | Locator, field: str, option: str | re.Pattern[str], *, exact: bool = False) -> None:
    """Pick one of a menu as a hand does: of the menu that belongs to the field, while an earlier one may still be closing over it."""
    page = where.page if isinstance(where, Locator) else where
    box = where.get_by_role("combobox", name=field, exact=exact)
    where.locator(".el-select").filter(has=page.get_by_role("combobox", name=field, exact=exact)).click()
    page.locator(f"[id='{box.get_attribute('aria-controls')}']").get_by_role("option", name=option, exact=exact).locator("visible=true").click()


def shown_count(page: Page) -> int:
    """How many rows the open list says that it has."""
    foot = page.locator("footer.foot")
    expect(foot).to_contain_text("截至")
    found = re.search(r"([\d,]+) 条", foot.inner_text())
    assert found is not None
    return int(found[1].replace(",", ""))


def begin_counting(page: Page, site: DemoSite) -> None:
    """Open the start page; from here on every tap, every Enter and every form that is filled in is a step, whoever or whatever makes it."""
    page.add_init_script(_STEPS)
    page.goto("about:blank")
    page.goto(site.url)
    page.get_by_role("heading", level=1).filter(has_text="社区").wait_for()
    assert steps_taken(page) == 0


def steps_taken(page: Page) -> int:
    """Steps since the start page, as the browser itself has counted them."""
    return int(page.evaluate("window.stepsTaken()"))


def seen_list(page: Page) -> tuple[list[str], list[list[str]]]:
    """Headings and rows of the open list as they are read from the top to its last row, in order."""
    heads, rows, _ = _whole_list(page)
    return heads, rows


def seen_records(page: Page) -> list[str]:
    """The ids of the records to which the rows of the open list lead, in order."""
    return _whole_list(page)[2]


def _whole_list(page: Page) -> tuple[list[str], list[list[str]], list[str]]:
    box, foot = page.locator(".v-scroll"), page.locator("footer.foot")
    expect(foot).to_contain_text(re.compile("截至|As of"))
    screen = page.viewport_size
    assert screen is not None
    page.set_viewport_size({"width": screen["width"], "height": 3_000})  # as many rows at once as there is time for: long lists are read from end to end
    rows: dict[int, list[str]] = {}
    leads: dict[int, str] = {}
    while True:
        told = box.evaluate(_ROWS)
        rows |= {int(n): texts for n, texts, _ in told["rows"]}
        leads |= {int(n): lead for n, _, lead in told["rows"]}
        if told["end"]:
            break
        box.evaluate("(box, at) => new Promise(then => { box.scrollTop = at; requestAnimationFrame(() => requestAnimationFrame(then)) })", told["next"])
    page.set_viewport_size(screen)
    assert sorted(rows) == list(range(2, len(rows) + 2)), "no row is left out"
    return told["heads"], [rows[n] for n in sorted(rows)], [leads[n] for n in sorted(rows)]


def _plain(value: object) -> str:
    """A value of a file as the screen writes it: numbers with separators and at most two decimals."""
    if isinstance(value, int | float):
        return f"{value:,.2f}".rstrip("0").rstrip(".")
    return "" if value is None else str(value)


def in_workbook(path: Path) -> tuple[list[str], list[list[str]]]:
    """Headings and rows of the first sheet, as texts."""
    heads, *rows = load_workbook(io.BytesIO(path.read_bytes())).worksheets[0].iter_rows(values_only=True)
    return [str(one) for one in heads], [[_plain(value) for value in row] for row in rows]


def in_csv(path: Path) -> tuple[list[str], list[list[str]]]:
    """Headings and rows of a file of values with commas, as texts."""
    heads, *rows = csv.reader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline=""), quoting=csv.QUOTE_NONNUMERIC)
    return heads, [[_plain(value) for value in row] for row in rows]


def today() -> date:
    """The day in the community."""
    return (datetime.now(UTC) + CHINA).date()


@dataclass(frozen=True, slots=True)
class Row:
    """A live record as it stands in the database."""

    id: str
    home: str
    fresh_on: str
    fields: Mapping[str, Any]

    def __getitem__(self, name: str) -> Any:
        return self.fields.get(name)


def rows_of(site: DemoSite, kind: str) -> dict[str, Row]:
    """Every live record of a type, by id, read from the file beside the server."""
    connection = sqlite3.connect(f"file:{site.folder / 'dishu.sqlite3'}?mode=ro", uri=True)
    found = connection.execute(
        "SELECT id, home, fresh_at, fields FROM record WHERE type = ? AND life = 'live'", (kind,)
    ).fetchall()
    connection.close()
    return {
        row[0]: Row(row[0], row[1], (datetime.fromisoformat(row[2]) + CHINA).date().isoformat(), json.loads(row[3]))
        for row in found
    }


def edition_in_force(site: DemoSite) -> str:
    """The id of the published edition of base cells, whatever drafts lie beside it."""
    with sqlite3.connect(f"file:{site.folder / 'dishu.sqlite3'}?mode=ro", uri=True) as database:
        found = database.execute("SELECT edition_id FROM edition WHERE layer = 'base' AND state = 'published'").fetchone()
    return str(found[0])


def age_of(person: Row) -> int | None:
    """Completed years today."""
    if not person["birth_date"]:
        return None
    year, month, day = map(int, person["birth_date"].split("-"))
    now = today()
    return now.year - year - ((now.month, now.day) < (month, day))


_RETRIES = 2
"""As browsers do: a server closes a connection that nobody used for a while, perhaps at the moment of the next request on it."""


class Colleague:
    """Somebody who writes through the interface, without a screen."""

    def __init__(self, playwright: Playwright, site: DemoSite, login: str) -> None:
        self.context: APIRequestContext = playwright.request.new_context(base_url=site.url)
        answer = self.context.post("/api/v1/session", data={"login": login, "password": DEMO_PASSWORD})
        assert answer.ok, answer.text()
        self._csrf = answer.json()["csrf_token"]

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        answer = self.context.post(
            path, data=json.dumps(body), headers={"X-CSRF-Token": self._csrf, "Content-Type": "application/json"}, max_retries=_RETRIES
        )
        assert answer.ok, answer.text()
        return answer.json()

    def get(self, path: str) -> Any:
        answer = self.context.get(path, max_retries=_RETRIES)
        assert answer.ok, answer.text()
        return answer.json()

    def write(self, *operations: Mapping[str, Any]) -> list[dict[str, Any]]:
        """What became of the operations of one group."""
        found: list[dict[str, Any]] = self.post("/api/v1/groups", {"ops": list(operations)})["results"]
        return found

    def send_photo(self, picture: bytes, media_type: str) -> str:
        """Upload a photo in one piece; the SHA-256 by which records name it."""
        name = hashlib.sha256(picture).hexdigest()
        coded = {
            key: base64.b64encode(value.encode()).decode()
            for key, value in (("sha256", name), ("filetype", media_type))
        }
        headers = {"X-CSRF-Token": self._csrf, "Tus-Resumable": "1.0.0"}
        said = {
            "Upload-Length": str(len(picture)),
            "Upload-Metadata": ",".join(f"{key} {value}" for key, value in coded.items()),
        }
        begun = self.context.post("/api/v1/blobs", headers=headers | said)
        assert begun.ok, begun.text()
        piece = {"Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
        sent = self.context.patch(begun.headers["location"], data=picture, headers=headers | piece)
        assert sent.ok, sent.text()
        return name


def faults(page: Page, gone: tuple[str, ...] = (".el-message", ".el-popper")) -> list[tuple[str, list[str]]]:
    """What axe says of the page once menus and notices, which pass by themselves, are gone and nothing moves: the rule, and some of the elements. Targets of 24 px are asked for beside its own rules, as Lighthouse does."""
    for passing in gone:
        expect(page.locator(passing).locator("visible=true")).to_have_count(0)
    at_rest(page)
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text())
    told = page.evaluate("() => axe.run(document, { resultTypes: ['violations'], rules: { 'target-size': { enabled: true } } })")
    # A corner of a cell lies where it lies: of places on a map 2.5.8 asks no distance.
    html = {one["id"]: [node["html"][:160] for node in one["nodes"] if one["id"] != "target-size" or "leaflet-marker-icon" not in node["html"]] for one in told["violations"]}
    return [(name, nodes[:3]) for name, nodes in html.items() if nodes]


def own_columns_stay(page: Page, saved_list: str) -> None:
    """A saved list has its own columns, and leaves alone those that one keeps for the roster; it stands open in the end."""
    chosen = page.get_by_role("button", name=re.compile("显示列"))
    saved = chosen.inner_text()
    chosen.click()
    page.get_by_role("button", name="全部显示").click()
    own = chosen.inner_text()
    assert own != saved
    page.get_by_role("button", name=saved_list, exact=True).click()
    expect(chosen).to_have_text(saved)
    page.reload()
    expect(chosen).to_have_text(own)
    page.get_by_role("button", name=saved_list, exact=True).click()
    expect(chosen).to_have_text(saved)
