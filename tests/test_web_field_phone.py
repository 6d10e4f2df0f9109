"""What a phone and its browser do around the app: a second window, storage that may go, an offer to install; who is entered twice."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from browser_kit import CHEAP_PHONE, DemoSite
from field_phone import FieldPhone, Office
from playwright.sync_api import Browser, Page, expect

_REFUSED = "Object.assign(StorageManager.prototype, {persist: async () => false, persisted: async () => false})"


@pytest.fixture(scope="module")
def enrolled(browser: Browser, demo_site: DemoSite) -> Iterator[FieldPhone]:
    """One phone for all of it, one after the other; its browser does not promise to keep anything."""
    context = browser.new_context(**CHEAP_PHONE)
    context.add_init_script(_REFUSED)
    yield FieldPhone(context.new_page(), demo_site).enrol()
    context.close()


@pytest.fixture
def phone(enrolled: FieldPhone) -> FieldPhone:
    """The phone at its home screen, with a network."""
    enrolled.go_home()
    return enrolled


def test_a_browser_that_may_clear_the_phone_is_told_with_what_to_do(phone: FieldPhone):
    """Work goes on; beside what is unsent it says that the app is better installed."""
    phone.go("/sync")
    phone.page.get_by_text("浏览器可能会清除本机内容").wait_for()
    phone.page.get_by_text("请把程序安装到主屏幕，并尽快上传").wait_for()


def test_the_browsers_offer_to_install_is_passed_on_once(phone: FieldPhone):
    """The button stands at home as soon as the browser offers it, asks the browser, and is gone."""
    expect(phone.page.get_by_role("button", name="安装")).to_have_count(0)
    phone.page.evaluate("window.dispatchEvent(Object.assign(new Event('beforeinstallprompt'), {prompt: async () => void (window.asked = true)}))")
    phone.page.locator("section.notice.green").get_by_role("button").click()
    phone.page.wait_for_function("window.asked === true")
    expect(phone.page.locator("section.notice.green")).to_have_count(0)


def test_somebody_who_lives_here_already_is_warned_of_by_name_birth_and_door(phone: FieldPhone, office: Office):
    """Before anything is saved; behind another door by name and birth only, with the way to bring them here."""
    household, other = phone.due(2)
    phone.household(household)
    phone.page.locator("main a.item[href*='/person/']").first.click()
    person = office.fields("person", phone.shown("person"))
    said = phone.page.get_by_role("alert")
    phone.go(f"/household/{household}/member")
    phone.field("name").fill(person["name"])
    said.get_by_text("同一房屋内姓名相同").first.wait_for()
    phone.field("birth_date").fill(person["birth_date"].replace("-", ""))
    said.get_by_text("姓名与出生日期相同").first.wait_for()
    expect(said.get_by_role("button", name="就是他，接到本户")).to_have_count(0)
    give_up(phone)
    phone.go(f"/household/{other}/member")
    phone.field("name").fill(person["name"])
    phone.field("birth_date").fill(person["birth_date"].replace("-", ""))
    said.get_by_text("姓名与出生日期相同").first.wait_for()
    expect(said.get_by_role("button", name="就是他，接到本户").first).to_be_visible()
    give_up(phone)


def give_up(phone: FieldPhone) -> None:
    """Leave a form without what was typed."""
    here = phone.page.evaluate("location.hash")
    phone.page.locator("header").get_by_role("button", name="返回").click()
    phone.page.get_by_role("dialog").get_by_role("button", name="不要了").click()
    phone.page.wait_for_function("here => location.hash !== here", arg=here)


def test_a_second_window_says_so_and_takes_over_when_it_is_told_to(phone: FieldPhone):
    """Only one window works at a time: the other one says where, and what was begun there is not lost."""
    household = phone.due(1)[0]
    phone.go(f"/edit/{household}")
    phone.field("preferred_time_text").fill("第一个窗口")
    phone.typed_is_kept()
    first: Page = phone.page
    second = FieldPhone(phone.context.new_page(), phone.site)
    second.page.goto(f"{phone.site.url}/field/")
    second.page.get_by_role("heading", name="已在另一个窗口打开").wait_for()
    assert second.barriers() == []
    second.tap("在这里继续")
    second.page.get_by_text("请输入密码").wait_for()
    first.get_by_role("heading", name="已在另一个窗口打开").wait_for()
    expect(first.get_by_text("第一个窗口")).to_have_count(0)
    second.pin()
    second.home_stands()
    second.go(f"/edit/{household}")
    expect(second.field("preferred_time_text")).to_have_value("第一个窗口")
    second.page.close()
    first.get_by_role("button", name="在这里继续").click()
    phone.page.get_by_text("请输入密码").wait_for()
    phone.pin()
    phone.page.get_by_role("main").wait_for()
