"""From section to section by the bar: a tap opens what was tapped, or says why not."""

from __future__ import annotations

import re

import pytest
from browser_kit import DemoSite
from console_kit import open_part, sign_in
from playwright.sync_api import Page, expect


@pytest.mark.parametrize("login", ["secretary", "officer"])
def test_no_section_moves_under_the_hand_that_taps_it(office_page: Page, demo_site: DemoSite, login: str):
    """The name of the community and the count of what waits come late; a tap that is under way then still opens the section."""
    page, late = office_page, []
    for answer in ("reference", "inbox"):
        page.route(re.compile(rf"/api/v1/{answer}(\?|$)"), lambda route: late.append(route))
    with page.expect_request(re.compile("/api/v1/" + ("inbox" if login == "secretary" else "reference"))):
        sign_in(page, demo_site, login)
    links = page.get_by_role("navigation", name="栏目").get_by_role("link")
    section = page.get_by_role("link", name="文件")
    section.hover()
    page.mouse.down()
    before = [link.bounding_box() for link in links.all()]
    for route in late:
        route.continue_()
    expect(page.get_by_role("banner")).to_contain_text("桑榆里社区" if login == "secretary" else "选择要看的社区")
    if login == "secretary":
        expect(links.filter(has_text="待办").locator(".badge")).to_be_visible()
    assert [link.bounding_box() for link in links.all()] == before
    page.mouse.up()
    expect(page).to_have_url(re.compile("#/files$"))


def test_a_page_whose_program_does_not_come_says_so_and_opens_after_a_reload(office_page: Page, demo_site: DemoSite):
    """Whoever taps a section while the server is out of reach, or was upgraded meanwhile, is told what to do; the page before it stays."""
    page = office_page
    sign_in(page, demo_site)
    page.route("**/FilesPage-*.js", lambda route: route.abort())
    open_part(page, "文件")
    expect(page.get_by_role("alert").filter(has_text="这一页没有打开")).to_be_visible()
    expect(page.get_by_role("heading", name="桑榆里社区")).to_be_visible()
    page.unroute("**/FilesPage-*.js")
    page.reload()
    open_part(page, "文件")
    expect(page).to_have_url(re.compile("#/files$"))
    expect(page.get_by_role("heading", name="文件").first).to_be_visible()
