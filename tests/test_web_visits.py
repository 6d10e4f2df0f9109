"""Due visits on both screens: the rule in words on the phone, a failed try at the door, the list at the office."""

from __future__ import annotations

import re

from browser_kit import DemoSite
from console_kit import faults, open_part, sign_in
from field_phone import FieldPhone
from playwright.sync_api import Page, expect


def test_a_door_is_due_for_a_reason_and_a_failed_try_moves_it(office_page: Page, phone_page: Page, demo_site: DemoSite):
    """The home screen says why somebody is due; nobody answers: not again today, another hour next time; the office sees the same list."""
    phone = FieldPhone(phone_page, demo_site).enrol()
    first = phone.due(1)[0]
    row = phone_page.locator(f"main a.item[href$='/household/{first}']")
    expect(row).to_contain_text(re.compile(r"每\d*天"))
    assert phone.barriers() == []
    before = int(re.search(r"\d+", phone_page.get_by_text(re.compile(r"该访 \d+ 户")).first.inner_text())[0])
    phone.household(first)
    phone.tap("走访结果")
    phone_page.get_by_role("button", name="无人应答").click()
    phone.go_home()
    expect(phone_page.get_by_text(f"该访 {before - 1} 户").first).to_be_visible()
    expect(row).to_have_count(0)
    phone.sync()

    sign_in(office_page, demo_site)
    open_part(office_page, "待办")
    office_page.get_by_role("navigation", name="待办").get_by_role("link", name="走访").click()
    visits = office_page.get_by_role("region", name="走访")
    visits.get_by_role("button", name=re.compile("今天该访")).click()
    expect(visits.get_by_role("row").nth(1)).to_contain_text(re.compile(r"每( \d+ )?天"))
    assert faults(office_page) == []
