"""Every role on every page: what stands there can be asked for, and nothing offered is refused. Accounts, who did what, and a day without a mouse."""

from __future__ import annotations

import re

import pytest
from browser_kit import DEMO_PASSWORD, DemoSite
from console_kit import (
    COMMUNITY,
    PAGES,
    Colleague,
    choose,
    open_part,
    rows_of,
    sign_in,
)
from playwright.sync_api import Locator, Page, Playwright, Response, expect

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


def test_an_account_is_made_used_followed_and_closed(office_page: Page, demo_site: DemoSite, playwright: Playwright):
    """Who was added on the screen can sign in; the audit log is narrowed to what they did and to one kind of doing; closed, they are out at once."""
    page = office_page
    sign_in(page, demo_site)
    open_part(page, "人员与设备")
    page.get_by_role("button", name="新建账号").click()
    dialog = page.get_by_role("dialog", name="新建账号")
    choose(dialog, "角色", "社区工作者")
    for field, value in (("姓名", "社工乙"), ("账号", "helper2"), ("初始密码", DEMO_PASSWORD)):
        dialog.get_by_label(field, exact=True).fill(value)
    dialog.get_by_role("button", name="保存").click()
    row = page.get_by_role("row").filter(has_text="helper2")
    expect(row).to_contain_text("社区工作者")
    helper = Colleague(playwright, demo_site, "helper2")
    assert helper.get(f"/api/v1/cells/{COMMUNITY}007/roster/household_book?limit=3")["rows"]

    open_part(page, "审计")
    lines = page.locator("table.grid tbody tr")
    lines.first.wait_for()
    choose(page, "谁", "社工乙", exact=True)
    expect(lines.filter(has_not_text="社工乙")).to_have_count(0)
    expect(lines.filter(has_text="登录")).to_have_count(1)
    looked = lines.filter(has_text="住户")
    expect(looked).to_have_count(1)
    choose(page, "做了什么", "登录", exact=True)
    expect(looked).to_have_count(0)
    expect(lines).to_have_count(1)

    open_part(page, "人员与设备")
    row.get_by_role("button", name="停用账号").click()
    page.get_by_role("dialog").get_by_role("button", name="确定").click()
    expect(row).to_contain_text("已停用")
    assert helper.context.get("/api/v1/session").status == 401


def test_a_morning_without_a_mouse(office_page: Page, demo_site: DemoSite):
    """Signing in, a cell, its households, one of them, a correction that is written, and the way back to the start: keys alone."""
    page = office_page
    home = f"cell/{COMMUNITY}007"
    page.goto(demo_site.url)
    expect(page.get_by_label("账号")).to_be_focused()
    page.evaluate("addEventListener('pointerdown', () => { window.touched = true }, true)")
    page.keyboard.type("secretary")
    page.keyboard.press("Tab")
    page.keyboard.type(DEMO_PASSWORD)
    page.keyboard.press("Enter")
    reach(page, page.get_by_role("link", name="第七网格", exact=True), backwards=True)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("第七网格")
    count = sum(one.home == home for one in rows_of(demo_site, "household").values())
    reach(page, page.get_by_role("button", name=re.compile(rf"{count}\s*住户")))
    page.keyboard.press("Enter")
    table = page.get_by_role("region", name="住户台账")
    reach(page, table)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(table.locator("tr.on")).to_have_attribute("aria-rowindex", "3")
    page.keyboard.press("Enter")
    expect(page.get_by_text("一户一档")).to_be_visible()
    expect(page).to_have_url(re.compile("/records/household/"))
    household = rows_of(demo_site, "household")[page.url.rsplit("/", 1)[-1]]
    assert household.home == home
    empty = page.get_by_role("button", name=re.compile("显示未填")).first
    reach(page, empty)
    page.keyboard.press("Enter")
    reach(page, page.get_by_role("button", name="修改申报人数"))
    page.keyboard.press("Enter")
    field = page.get_by_label("申报人数", exact=True)
    expect(field).to_be_focused()
    page.keyboard.press("Control+a")
    page.keyboard.type("13")
    page.keyboard.press("Enter")
    expect(page.get_by_text("已写入").first).to_be_visible()
    assert rows_of(demo_site, "household")[household.id]["members_count_stated"] == 13
    reach(page, page.get_by_role("link", name="总览", exact=True))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("社区")
    assert page.evaluate("window.touched") is None


def reach(page: Page, place: Locator, *, backwards: bool = False, most: int = 120) -> None:
    """Go to a place with the tabulator, as somebody does who has no mouse."""
    place.wait_for()
    for _ in range(most):
        if place.evaluate("place => place === document.activeElement"):
            return
        page.keyboard.press("Shift+Tab" if backwards else "Tab")
    raise AssertionError(f"{most} keys did not lead there")
