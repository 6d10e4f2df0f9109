"""What the field app does without being asked: it sends, locks itself, follows the day, keeps its head when another window takes over."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from between import Between, between
from browser_kit import CHEAP_PHONE, DemoSite
from field_phone import FieldPhone, Office
from playwright.sync_api import Browser, expect

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def line(demo_site: DemoSite) -> Iterator[Between]:
    """Between the phone and the demo server."""
    with between(demo_site.url) as passing:
        yield passing


@pytest.fixture(scope="module")
def enrolled(browser: Browser, demo_site: DemoSite, line: Between) -> Iterator[FieldPhone]:
    """One phone for all of it, one after the other; its timers are moved by hand."""
    context = browser.new_context(**CHEAP_PHONE)
    page = context.new_page()
    page.clock.install()
    phone = FieldPhone(page, replace(demo_site, url=line.url)).enrol()
    phone.program_is_kept()
    yield phone
    context.close()


@pytest.fixture
def phone(enrolled: FieldPhone) -> FieldPhone:
    """The phone at its home screen, with a network."""
    enrolled.context.set_offline(False)
    enrolled.go_home()
    return enrolled


def good_time(phone: FieldPhone, household: str, words: str) -> None:
    """Write down when somebody is at home."""
    phone.go(f"/edit/{household}")
    phone.field("preferred_time_text").fill(words)
    phone.tap("保存")
    phone.said("已存到本机")


def test_what_was_written_is_sent_without_a_tap_and_a_silent_server_is_asked_again(phone: FieldPhone, office: Office, line: Between):
    """Half a minute after the last entry; where the server does not answer, again and again until it does."""
    first, second = phone.due(2)
    good_time(phone, first, "没有人点上传")
    assert phone.unsent() == 1
    phone.page.clock.run_for(31_000)
    phone.page.get_by_text("全部已上传").wait_for()
    assert office.fields("household", first)["preferred_time_text"] == "没有人点上传"

    line.tired.add("/api/v1/sync/push")
    good_time(phone, second, "服务器缓过来了")
    assert phone.unsent() == 1
    with phone.page.expect_response(lambda answer: answer.url.endswith("/sync/push")) as refused:
        phone.page.clock.run_for(31_000)
    assert refused.value.status == 503
    line.tired.clear()
    phone.page.clock.run_for(61_000)
    phone.page.get_by_text("全部已上传").wait_for()
    assert office.fields("household", second)["preferred_time_text"] == "服务器缓过来了"


def test_a_phone_that_was_left_lying_locks_itself(phone: FieldPhone):
    """Five minutes without a touch; nothing that was typed is lost, and the PIN opens what was open."""
    household = phone.due(1)[0]
    phone.household(household)
    phone.page.keyboard.press("Shift")
    phone.page.clock.run_for(4 * 60_000)
    assert phone.page.get_by_text("请输入密码").count() == 0
    phone.page.clock.run_for(2 * 60_000)
    phone.page.get_by_text("请输入密码").wait_for()
    phone.pin()
    phone.page.get_by_role("button", name=re.compile("都没变|今天已核实")).wait_for()
    phone.go("/new/resource")
    phone.field("name").fill("半截沙袋")
    phone.typed_is_kept()
    phone.page.clock.run_for(6 * 60_000)
    phone.page.get_by_text("请输入密码").wait_for()  # a form half filled is no reason to stay open
    phone.pin()
    expect(phone.field("name")).to_have_value("半截沙袋")
    phone.tap("重新填")

    phone.household(household)
    name = phone.page.locator("main .member .title").first.inner_text()
    phone.page.locator("main .member").first.get_by_role("button", name=re.compile("^联系电话：")).click()
    phone.page.get_by_role("dialog").get_by_text(name).wait_for()
    phone.page.keyboard.type("10200077777")
    phone.typed_is_kept()
    phone.page.clock.run_for(6 * 60_000)
    nothing_but_the_lock(phone, name)
    phone.pin()
    expect(phone.field("phones")).to_have_value("10200077777")  # the sheet is open again
    phone.tap("重新填")
    phone.page.get_by_role("dialog").get_by_role("button", name="关闭").click()

    phone.tap("都没变")
    phone.said("已核实，存到本机")
    phone.tap("今天已核实")
    phone.page.get_by_role("dialog").get_by_text("今天已经核实过").wait_for()
    phone.page.clock.run_for(6 * 60_000)
    nothing_but_the_lock(phone, name)
    phone.pin()
    phone.page.get_by_role("button", name="今天已核实").wait_for()
    expect(phone.page.get_by_role("dialog")).to_have_count(0)


def nothing_but_the_lock(phone: FieldPhone, name: str) -> None:
    """Nothing stands over the lock or behind it."""
    phone.page.get_by_text("请输入密码").wait_for()
    expect(phone.page.get_by_text(name)).to_have_count(0)
    expect(phone.page.locator("[role=dialog]:visible, .van-overlay:visible, .van-toast:visible")).to_have_count(0)
    assert name not in phone.page.locator("body").inner_html()
    assert "10200077777" not in phone.page.evaluate("document.body.outerHTML + [...document.querySelectorAll('input')].map(one => one.value).join()")


def test_wrong_pins_make_wait_also_after_a_clock_that_was_years_ahead(phone: FieldPhone):
    """Three wrong ones cost fifteen seconds; the right clock ends that wait, and the right PIN opens."""
    phone.page.clock.set_system_time("2031-05-01T00:00:00Z")
    phone.go("/me")
    phone.tap("锁上")
    for _ in range(3):
        expect(phone.page.get_by_role("button", name="1", exact=True)).to_be_enabled()
        phone.pin("999111")
        phone.page.get_by_text(re.compile(r"密码不对，还能试 \d+ 次")).wait_for()
    phone.page.get_by_text(re.compile(r"请等 \d+ 秒再试")).wait_for()
    phone.page.clock.set_system_time("2026-03-02T00:00:00Z")
    phone.page.clock.run_for(16_000)
    phone.pin()
    phone.page.get_by_text(re.compile(r"请等 \d+ 秒再试")).wait_for()  # all of it again: the clock went back
    phone.page.clock.run_for(16_000)
    phone.pin()
    phone.page.get_by_role("heading", name="我的").wait_for()  # what was open before
