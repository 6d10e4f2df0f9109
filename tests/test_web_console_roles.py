"""Every role on every page: what stands there can be asked for, and nothing offered is refused."""

from __future__ import annotations

import re

import pytest
from browser_kit import DEMO_PASSWORD, DemoSite
from console_kit import PAGES, Colleague, rows_of, sign_in
from playwright.sync_api import Page, Playwright, Response

_SECRETARYS = re.compile("改正后重交|放弃|补收|^同意$|不同意|^接收$|不接收|指定网格|走访规则")


@pytest.mark.long
@pytest.mark.parametrize("role", ["secretary", "worker1", "helper", "planner", "officer", "auditor", "admin"])
def test_no_page_asks_for_what_its_reader_may_not_have(office_page: Page, demo_site: DemoSite, playwright: Playwright, role: str):
    """Nothing that a page asks the server for is refused; who may not decide sees no button for it."""
    if role == "helper":
        secretary = Colleague(playwright, demo_site, "secretary")
        secretary.post("/api/v1/users", {"login": role, "name": "社工甲", "role": "community_worker", "password": DEMO_PASSWORD})
    refused: list[str] = []

    def look(answer: Response) -> None:
        if answer.status in (401, 403):
            refused.append(f"{answer.request.method} {answer.url.removeprefix(demo_site.url)}")

    household, dwelling = (next(iter(rows_of(demo_site, kind))) for kind in ("household", "dwelling"))
    sign_in(office_page, demo_site, role)
    if role == "officer":
        office_page.get_by_role("button", name=re.compile("桑榆里社区")).first.click()
    office_page.on("response", look)
    found = {}
    for where in [*PAGES, "/rosters/dwellings", f"/records/household/{household}", f"/records/dwelling/{dwelling}"]:
        office_page.goto(f"{demo_site.url}/#{where}")
        office_page.wait_for_load_state("networkidle")
        office_page.wait_for_timeout(400)
        offered = [] if role == "secretary" else [text for text in office_page.locator("main button").all_inner_texts() if _SECRETARYS.search(text.strip())]
        if refused or offered:
            found[where] = [*refused, *offered]
        refused.clear()
    assert found == {}
