"""The console away from the office computer: on a tablet that is touched, in English, and on paper."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable
from typing import Any

import pytest
from browser_kit import OFFICE, DemoSite, watched
from console_kit import COMMUNITY, PAGES, QUIET, edition_in_force, faults, rows_of, sign_in
from playwright.sync_api import Browser, Page, expect

LYING = {"width": 1024, "height": 768}
UPRIGHT = {"width": 768, "height": 1024}
PHONE = {"width": 412, "height": 823}
#: What a page of A4 is wide between its margins, in pixels.
PAPER_PX = 718
MAIN = ("/", f"/cell/{COMMUNITY}007", "/rosters/persons", "/inbox/conflicts", "/inbox/visits", "/cells", "/files", "/people")
#: What is wrong with the page as it stands: what leads out of it sideways, words that are cut, what a finger hardly meets.
SHAPE = """touched => {
    const found = [];
    // A number on a corner hangs over on purpose.
    const overhanging = document.head.appendChild(Object.assign(document.createElement('style'), {textContent: '.badge { display: none }'}));
    const named = one => `${one.tagName} .${one.className} ${(one.getAttribute('aria-label') ?? one.innerText ?? one.placeholder ?? '').slice(0, 40)}`;
    const all = query => [...document.querySelectorAll(query)].filter(one => one.checkVisibility({visibilityProperty: true, opacityProperty: true}) && one.getBoundingClientRect().width > 1);
    for (const one of [document.scrollingElement, ...all('main')]) if (one.scrollWidth > one.clientWidth) found.push(`sideways: ${one.tagName} ${one.scrollWidth} > ${one.clientWidth}`);
    const slides = one => one && one !== document.body && one.tagName !== 'MAIN' && ((['auto', 'scroll'].includes(getComputedStyle(one).overflowX) && one.scrollWidth > one.clientWidth) || slides(one.parentElement));
    for (const one of all('button, h1, h2, h3, label, th, .tag, .tile, .tabs a, nav a')) {
        if (one.clientWidth && one.scrollWidth > one.clientWidth + 1 && !(one.title && getComputedStyle(one).textOverflow === 'ellipsis')) found.push(`cut: ${named(one)} ${one.scrollWidth} > ${one.clientWidth}`);
        if (one.getBoundingClientRect().right > innerWidth + 1 && !slides(one.parentElement)) found.push(`beyond the edge: ${named(one)}`);
    }
    const pen = document.createElement('canvas').getContext('2d');
    for (const one of all('input[placeholder]')) {
        const look = getComputedStyle(one);
        pen.font = look.font;
        if (!one.value && pen.measureText(one.placeholder).width > one.clientWidth - parseFloat(look.paddingLeft) - parseFloat(look.paddingRight) + 1) found.push(`cut: ${named(one)}`);
    }
    if (touched) for (const one of all('button:not(.link), select, input, [role=tab], .tabs a, nav a, .el-select__wrapper')) {
        const height = (one.closest('.el-input__wrapper, .el-select__wrapper, .el-checkbox, .el-radio, label') ?? one).getBoundingClientRect().height;
        if (height < 39.5) found.push(`small: ${named(one)} ${height}`);
    }
    overhanging.remove();
    return [...new Set(found)];
}"""

#: How many words the map has, each whole within it; -1 when one is cut.
WORDS_ON_MAP = """() => {
    const map = document.querySelector('main .map').getBoundingClientRect();
    const words = [...document.querySelectorAll('main .map .cell-label > div')].map(one => one.getBoundingClientRect());
    return words.every(one => one.left >= map.left && one.right <= map.right && one.top >= map.top && one.bottom <= map.bottom) ? words.length : -1;
}"""
#: Counts what is wiped on bitmaps from now on: a printer paints that white, over what lies beneath.
WIPED = """() => {
    window.wiped = 0;
    const wipe = CanvasRenderingContext2D.prototype.clearRect;
    CanvasRenderingContext2D.prototype.clearRect = function (...box) { window.wiped += 1; return wipe.apply(this, box); };
}"""


def opened(browser: Browser, site: DemoSite, size: dict[str, int], language: str = "zh", *, touched: bool = True) -> Page:
    """The console in a browser of that size, signed in, in that language."""
    page = watched(browser.new_context(viewport=size, has_touch=touched, locale="zh-CN", timezone_id="Asia/Shanghai").new_page())
    page.add_init_script(QUIET)
    sign_in(page, site)
    if language == "en":
        page.get_by_role("button", name="English").click()
    return page


def go(page: Page, site: DemoSite, where: str) -> None:
    """One page of the console with all that it asks for."""
    page.goto(f"{site.url}/#{where}")
    page.wait_for_function("where => isQuietAt(where)", arg=where)
    page.locator("main h1").first.wait_for(state="attached")


def misshapen(page: Page, site: DemoSite, pages: Iterable[str], *, touched: bool = True, sizes: Iterable[dict[str, int]] = (LYING, UPRIGHT)) -> dict[str, list[Any]]:
    """What is wrong with each of the pages, at each of the sizes; where it is touched, axe looks at it too."""
    found: dict[str, list[Any]] = {}
    for where in pages:
        go(page, site, where)
        for size in sizes:
            page.set_viewport_size(size)
            page.wait_for_function("where => isQuietAt(where)", arg=where)
            found[f"{where} {size['width']}"] = page.evaluate(SHAPE, touched)
        found[where] = faults(page) if touched else []
    return {where: what for where, what in found.items() if what}


def put_on_paper(page: Page) -> None:
    """As the browser does it: the page hears of it, then has the width of the sheet."""
    page.evaluate(WIPED)
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    page.set_viewport_size({"width": PAPER_PX, "height": 1000})


def cells_in_force(site: DemoSite) -> int:
    """How many cells the published edition has."""
    with sqlite3.connect(f"file:{site.folder / 'dishu.sqlite3'}?mode=ro", uri=True) as database:
        return int(database.execute("SELECT count(*) FROM cell WHERE edition_id = ?", (edition_in_force(site),)).fetchone()[0])


def records(site: DemoSite, *kinds: str) -> list[str]:
    """The page of a record of each kind."""
    return [f"/records/{kind}/{next(iter(rows_of(site, kind)))}" for kind in kinds]


def test_on_a_tablet_nothing_is_cut_off_and_every_control_takes_a_finger(browser: Browser, demo_site: DemoSite):
    """Held either way: no page scrolls sideways, no word on a button or heading is cut, what is tapped is 40 px high, axe finds nothing; nor on a phone's overview, whose sum covers no half of a row."""
    page = opened(browser, demo_site, LYING)
    assert misshapen(page, demo_site, [*MAIN, *records(demo_site, "household")]) == {}
    page.set_viewport_size(PHONE)
    go(page, demo_site, MAIN[0])
    assert faults(page) == []
    page.context.close()


@pytest.mark.long
@pytest.mark.parametrize("language", ["zh", "en"])
def test_on_a_tablet_no_page_is_cut_off(browser: Browser, demo_site: DemoSite, language: str):
    """The same on every page of the console, in both languages."""
    page = opened(browser, demo_site, LYING, language)
    assert misshapen(page, demo_site, [*PAGES, *records(demo_site, "household", "person", "dwelling")]) == {}
    page.context.close()


def test_english_words_fit_on_the_office_computer(browser: Browser, demo_site: DemoSite):
    """What stands in the search box, in the picker of a day, on buttons and headings is read to its end, also in English."""
    page = opened(browser, demo_site, OFFICE, "en", touched=False)
    assert misshapen(page, demo_site, [*MAIN, *records(demo_site, "household")], touched=False, sizes=[OFFICE]) == {}
    page.context.close()


def test_a_printed_page_has_its_figures_and_nothing_to_press(browser: Browser, demo_site: DemoSite):
    """Overview, cell and household on A4: figures, table and text, the map whole; no button, no box to type in, nothing beyond the edge."""
    cells, household = cells_in_force(demo_site), next(iter(rows_of(demo_site, "household").values()))
    page = opened(browser, demo_site, OFFICE, touched=False)
    for where in ("/", f"/cell/{COMMUNITY}007", f"/records/household/{household.id}"):
        page.set_viewport_size(OFFICE)
        page.emulate_media(media="screen")
        go(page, demo_site, where)
        put_on_paper(page)
        page.wait_for_function("where => isQuietAt(where)", arg=where)  # the map has the sheet's width, too
        assert page.evaluate(SHAPE, False) == [], where
        pressed = "button:not(.tile, .link, th button), .link.no-print, input, select, textarea, .leaflet-control, header.bar, [role=tab]"
        assert page.locator(pressed).locator("visible=true").all_inner_texts() == [], where
        assert page.evaluate("wiped") == 0, where
        assert len(re.findall(rb"/Type\s*/Page\b", page.pdf(format="A4"))) in range(1, 4), where
        if where == "/":
            expect(page.locator(".tile").filter(has_text="住户")).to_contain_text(f"{len(rows_of(demo_site, 'household')):,}")
            expect(page.locator(".tablecard tbody tr").filter(has_text="网格")).to_have_count(cells)
            assert page.evaluate(WORDS_ON_MAP) > cells / 2  # a word that would cover another is left out
        elif where.startswith("/cell"):
            expect(page.locator(".facts")).to_contain_text("覆盖率")
            assert page.locator("main .map canvas").count() > 0
        else:
            expect(page.locator(".facts")).to_contain_text(household["household_number"])
    page.context.close()
