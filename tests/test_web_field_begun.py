"""What was begun and not saved has a way back and a way out: forms of one screen, answers to the office, what was settled meanwhile."""

from __future__ import annotations

import re

import pytest
from browser_kit import DemoSite
from field_phone import FieldPhone, Office
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.long


@pytest.fixture
def phone(phone_page: Page, demo_site: DemoSite) -> FieldPhone:
    """The first worker's phone."""
    phone = FieldPhone(phone_page, demo_site).enrol()
    phone.program_is_kept()
    return phone


def typed(phone: FieldPhone, name: str, words: str) -> None:
    """Type, and have the phone die a moment later."""
    phone.field(name).fill(words)
    phone.typed_is_kept()
    phone.start_again()


def somebody(phone: FieldPhone) -> str:
    """One of the first household that is due."""
    phone.household(phone.due(1)[0])
    phone.page.locator("main a.item[href*='/person/']").first.click()
    return phone.shown("person")


def test_a_check_in_is_gone_on_with_where_it_was_begun_and_anything_begun_can_be_given_up(phone: FieldPhone):
    """The member and the check-in are two forms of one screen; the list of what was begun leads to the right one, shows it, and clears it."""
    person = somebody(phone)
    phone.go(f"/person/{person}/party")
    typed(phone, "branch_text", "试验支部")
    phone.page.get_by_role("link", name=re.compile("^新增.*写到")).click()
    expect(phone.field("branch_text")).to_have_value("试验支部")
    phone.tap("保存，接着报到")
    phone.tap("登记报到")
    expect(phone.field("available_hours_text")).to_have_value("")
    typed(phone, "available_hours_text", "周末上午")
    phone.page.get_by_role("link", name=re.compile("^新增.*写到")).click()
    expect(phone.field("available_hours_text")).to_have_value("周末上午")  # the form is open by itself
    phone.start_again()
    assert phone.barriers() == []
    phone.page.get_by_role("button", name=re.compile("^不要了：新增")).click()
    phone.page.get_by_role("dialog").get_by_text("周末上午").wait_for()
    assert phone.barriers() == []
    phone.page.get_by_role("dialog").get_by_role("button", name="不要了", exact=True).click()
    expect(phone.page.get_by_role("heading", name="没写完的")).to_have_count(0)


def test_a_third_value_that_was_begun_is_there_again_and_can_be_read_once_the_office_has_settled_it(phone: FieldPhone, office: Office):
    """Neither of two values is right: what was typed instead is found again; when the answer is not wanted any more the words can be read and given up."""
    person = somebody(phone)
    office.write({"kind": "patch", "type": "person", "id": person, "base": office.version("person", person), "set": {"birth_date": "1972-02-03", "birth_precision": "day"}})
    phone.go(f"/edit/{person}/identity")
    phone.field("birth_date").fill("19710203")
    phone.tap("保存")
    phone.said("已存到本机")
    phone.sync()
    api, headers = f"{office.site.url}/api/v1", {"X-CSRF-Token": office._token}
    conflict = next(one for one in office.page.request.get(f"{api}/inbox/conflicts").json()["rows"] if one["record"]["id"] == person)["conflict_id"]
    rows = office.page.request.get(f"{api}/assignments").json()["assignments"]
    worker = next(one["user_id"] for one in rows if one["cell_id"].endswith("021") and one["duty"] == "lead")
    answer = office.page.request.post(f"{api}/inbox/conflicts/{conflict}/delegate", headers=headers, data={"user_id": worker})
    assert answer.ok, answer.text()
    phone.sync()
    phone.page.get_by_label("社区请你上门核实").locator("a.item").first.click()
    phone.tap("都不对，我来填")
    typed(phone, "birth_date", "19730203")
    phone.page.locator(".list a.item", has_text="写到").click()
    expect(phone.field("birth_date")).to_have_value("1973-02-03")  # the sheet is open by itself
    answer = office.page.request.post(f"{api}/inbox/conflicts/resolve", headers=headers, data={"choose": "standing", "conflict_ids": [conflict]})
    assert answer.ok, answer.text()
    phone.sync()
    phone.page.get_by_text("这里不用再答了，点这里看写了什么").click()
    phone.page.get_by_role("dialog").get_by_text("1973-02-03").wait_for()
    phone.tap("看过了，不要了")
    expect(phone.page.get_by_role("heading", name="没写完的")).to_have_count(0)
