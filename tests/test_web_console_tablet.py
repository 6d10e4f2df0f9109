"""The console away from the office computer: in English."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from browser_kit import OFFICE, DemoSite, watched
from console_kit import COMMUNITY, QUIET, rows_of, sign_in
from playwright.sync_api import Browser, Page
from test_web_console import AXE, faults

MAIN = ("/", f"/cell/{COMMUNITY}007", "/rosters/persons", "/inbox/conflicts", "/inbox/visits", "/cells", "/files", "/people")
#: What is wrong with the page as it stands: what leads out of it sideways, words that are cut, what a finger hardly meets.
SHAPE = """touched => {
    const found = [];
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
    return [...new Set(found)];
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


def misshapen(page: Page, site: DemoSite, pages: Iterable[str], *, touched: bool = True) -> dict[str, list[Any]]:
    """What is wrong with each of the pages."""
    found: dict[str, list[Any]] = {}
    for where in pages:
        go(page, site, where)
        found[where] = [*page.evaluate(SHAPE, touched), *(faults(page, AXE.read_text()) if touched else [])]
    return {where: what for where, what in found.items() if what}


def records(site: DemoSite, *kinds: str) -> list[str]:
    """The page of a record of each kind."""
    return [f"/records/{kind}/{next(iter(rows_of(site, kind)))}" for kind in kinds]


def test_english_words_fit_on_the_office_computer(browser: Browser, demo_site: DemoSite):
    """What stands in the search box, in the picker of a day, on buttons and headings is read to its end, also in English."""
    page = opened(browser, demo_site, OFFICE, "en", touched=False)
    assert misshapen(page, demo_site, [*MAIN, *records(demo_site, "household")], touched=False) == {}
    page.context.close()
