"""S30 on the screens: a secretary sends a household to a neighbouring community, whose secretary accepts it."""

from __future__ import annotations

import re

import pytest
from browser_kit import DemoSite
from console_kit import choose, open_part, rows_of, sign_in
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.long


def test_a_household_is_sent_to_a_neighbour_and_accepted_there(office_page: Page, demo_site: DemoSite):
    """Asked on the household's page, it waits as a proposal here and under arrivals there, with the names; accepted, it is gone here and there."""
    demo_site.dishu("community", "add", "999999001002", "--name", "邻近社区")
    made = demo_site.dishu("user", "add", "neighbour", "--name", "邻社区书记", "--role", "secretary", "--community", "999999001002")
    password = re.search(r"password: (\S+)", made)
    assert password is not None
    lived_in = {one["residence_household"] for one in rows_of(demo_site, "person").values()}
    household = next(one for one in rows_of(demo_site, "household").values() if one.id in lived_in)
    names = [one["name"] for one in rows_of(demo_site, "person").values() if one["residence_household"] == household.id]
    sign_in(office_page, demo_site)
    office_page.goto(f"{demo_site.url}/#/records/household/{household.id}")
    office_page.get_by_role("button", name="迁往其他社区").click()
    choose(office_page, "迁往哪个社区", "邻近社区")
    office_page.get_by_role("button", name="提请对方接收").click()
    expect(office_page.get_by_text("已提请，等对方社区接收")).to_be_visible()
    office_page.goto(f"{demo_site.url}/#/inbox/proposals")
    expect(office_page.get_by_text("等对方社区接收").first).to_be_visible()
    expect(office_page.get_by_role("button", name="同意")).to_have_count(0)
    office_page.context.clear_cookies()
    office_page.goto(f"{demo_site.url}/#/")
    office_page.reload()
    office_page.get_by_label("账号").fill("neighbour")
    office_page.get_by_label("密码").fill(password[1])
    office_page.get_by_role("button", name="登录").click()
    office_page.get_by_role("navigation", name="栏目").wait_for()
    open_part(office_page, "待办")
    office_page.get_by_role("link", name=re.compile("^迁入")).click()
    row = office_page.locator("article")
    expect(row).to_contain_text("迁入")
    for name in names:
        expect(row).to_contain_text(name)
    row.get_by_role("button", name="接收", exact=True).click()
    office_page.get_by_role("dialog").get_by_role("button", name="接收", exact=True).click()
    expect(office_page.get_by_text("已接收，档案已转入")).to_be_visible(timeout=30_000)
    expect(office_page.locator("article")).to_have_count(0)
    office_page.goto(f"{demo_site.url}/#/records/household/{household.id}")
    expect(office_page.get_by_text("未归格").or_(office_page.get_by_text("未落格")).first).to_be_visible()
    assert "agree" in demo_site.dishu("verify")
