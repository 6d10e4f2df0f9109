"""What a phone must not lose: work and photos behind a forgotten PIN, a phone that is full, words that nobody had saved yet."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from browser_kit import CHEAP_PHONE, DemoSite
from field_phone import PICTURE, FieldPhone, Office
from playwright.sync_api import Browser, Locator, Page, expect

pytestmark = pytest.mark.long


@pytest.fixture
def phone(phone_page: Page, demo_site: DemoSite) -> FieldPhone:
    """The first worker's phone."""
    return FieldPhone(phone_page, demo_site).more_room().enrol()


@pytest.fixture
def other_phone(browser: Browser, demo_site: DemoSite) -> Iterator[FieldPhone]:
    """A second phone beside it."""
    context = browser.new_context(**CHEAP_PHONE)
    yield FieldPhone(context.new_page(), demo_site)
    context.close()


def good_time(phone: FieldPhone, household: str, words: str) -> None:
    """Write down, without a network, when somebody is at home."""
    phone.context.set_offline(True)
    phone.go(f"/edit/{household}")
    phone.field("preferred_time_text").fill(words)
    phone.tap("保存")
    phone.said("已存到本机")


def test_a_forgotten_pin_loses_no_entry_and_no_photo_without_being_told(phone: FieldPhone, other_phone: FieldPhone, office: Office, tmp_path: Path):
    """Nothing is cleared while entries wait; they leave as a file without the PIN; photos are given up only in so many words."""
    household = phone.due(1)[0]
    good_time(phone, household, "密码忘了以前")
    phone.resource_with_photo("门岗沙袋")
    phone.go_home()
    phone.page.get_by_text("2 条、1 张照片未上传").wait_for()
    phone.go("/me")
    phone.tap("锁上")
    phone.tap("忘记密码")
    phone.page.get_by_text("还有 2 条没有上传，不能清空。").wait_for()
    expect(phone.page.locator(".van-toast")).to_be_hidden()  # the word of the last save fades
    assert phone.barriers() == []
    with phone.page.expect_download() as download:
        phone.tap("存成文件")
    file = tmp_path / "sealed.bin"
    download.value.save_as(file)
    phone.tap("文件已存好")
    phone.page.get_by_text("还有 1 张照片没有上传，输对密码才能传。").wait_for()
    phone.tap("不要这 1 张照片，清空本机")
    phone.page.get_by_role("dialog").get_by_text("1 张照片会丢掉，找不回来。真的清空吗？").wait_for()
    phone.page.get_by_role("dialog").get_by_role("button", name="清空").click()
    phone.page.get_by_label("登记码").wait_for()

    other_phone.enrol()
    other_phone.go("/rescue")
    other_phone.page.locator("#rescue-file").set_input_files(file)
    other_phone.tap("读入救援文件")
    other_phone.page.get_by_text("文件里的 2 条都已送到服务器。").wait_for()
    assert office.fields("household", household)["preferred_time_text"] == "密码忘了以前"


def test_a_full_phone_opens_after_a_restart_and_says_so(phone: FieldPhone):
    """No room at all: the PIN opens it, the day is shown, and the screen says why nothing can be filled in."""
    phone.program_is_kept()
    phone.fill_up()
    phone.page.reload()
    phone.page.get_by_text("请输入密码").wait_for()
    phone.pin("999111")
    phone.page.get_by_text("密码不对，还能试 9 次").wait_for()
    phone.pin()
    phone.home_stands()
    phone.page.get_by_text("手机存储已满：现在只能看，不能填").wait_for()
    phone.more_room()
    phone.sync()
    expect(phone.page.get_by_text("手机存储已满")).to_have_count(0)


def phone_number(phone: FieldPhone) -> Locator:
    """The household's number among what may have changed."""
    return phone.page.locator("section", has=phone.page.get_by_role("heading", name="户和房屋")).get_by_role("button", name="联系电话")


def test_what_was_typed_and_not_saved_is_offered_again_after_a_kill(phone: FieldPhone):
    """A form, a move, one fact in a sheet: each is there again where it was left, the first screen leads to it, and giving it up clears it."""
    phone.program_is_kept()
    household = phone.due(1)[0]
    phone.context.set_offline(True)
    phone.go("/new/resource")
    phone.field("name").fill("半截沙袋")
    phone.field("photos").set_input_files(PICTURE)
    phone.page.locator(".photos img").wait_for()
    phone.typed_is_kept()
    phone.start_again()
    phone.page.get_by_role("heading", name="没写完的").wait_for()
    assert phone.barriers() == []
    phone.page.get_by_role("link", name="半截沙袋").click()
    expect(phone.field("name")).to_have_value("半截沙袋")
    phone.page.locator(".photos img").wait_for()
    phone.tap("重新填")
    expect(phone.field("name")).to_have_value("")
    phone.go_home()
    expect(phone.page.get_by_role("heading", name="没写完的")).to_have_count(0)
    phone.page.get_by_text("全部已上传").wait_for()  # the photo went with it

    phone.go(f"/household/{household}/move")
    phone.tap("搬走了，不在我的网格")
    phone.typed_is_kept()
    phone.start_again()
    phone.page.get_by_role("link", name="整户搬走").click()
    expect(phone.page.get_by_role("button", name="搬走了，不在我的网格")).to_have_attribute("aria-pressed", "true")

    phone.go(f"/household/{household}/change")
    phone_number(phone).click()
    phone.field("phone").fill("10200099999")
    phone.typed_is_kept()
    phone.page.touchscreen.tap(180, 60)  # beside the sheet: nothing is thrown away
    expect(phone.field("phone")).to_have_value("10200099999")
    phone.start_again()
    phone.page.get_by_role("link", name="联系电话").click()
    expect(phone.field("phone")).to_have_value("10200099999")  # the sheet is open by itself
    phone.go("/me")
    phone.tap("退出并清空本机")
    phone.page.get_by_role("dialog").get_by_role("button", name="退出并清空本机").click()
    expect(phone.page.get_by_text("还有 2 份没写完的。退出以后就没有了。")).to_be_in_viewport()
    expect(phone.page.locator(".van-toast:visible, .van-dialog:visible, .van-overlay:visible")).to_have_count(0)
    assert phone.barriers() == []
    phone.tap("锁上")
    phone.tap("忘记密码")
    phone.page.get_by_text("还有 2 份没写完的，输对密码才能接着写。").wait_for()
    phone.tap("取消")
    phone.pin()
    phone.tap("退出并清空本机")
    phone.page.get_by_role("dialog").get_by_role("button", name="退出并清空本机").click()
    phone.tap("不要了，退出")
    phone.page.get_by_role("dialog").get_by_role("button", name="不要了，退出").click()
    phone.page.get_by_label("登记码").wait_for()
