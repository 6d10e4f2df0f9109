"""What a phone and its browser do around the app: large photos, a second window, storage that may go, an offer to install; who is entered twice."""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from browser_kit import CHEAP_PHONE, DemoSite
from field_phone import FieldPhone, Office
from PIL import Image
from playwright.sync_api import Browser, BrowserType, Page, expect

ORIENTATION, MODEL, GPS = 0x0112, 0x0110, 0x8825
"""Names of EXIF."""
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


def test_a_sheet_and_the_wheels_of_a_day_hold_the_keyboard_and_can_be_read_by_everybody(phone: FieldPhone):
    """The focus goes in and comes back to the button behind Escape; arrows turn the wheels and Enter takes the day; axe finds nothing on a sheet, on the wheels, and on the scanner of a phone that reads QR codes.

    What is tapped twice in a list that was searched is chosen, and nothing that comes under the finger then.
    """
    household = phone.due(1)[0]
    phone.household(household)
    person = str(phone.page.locator("main a.item[href*='/person/']").first.get_attribute("href"))[1:]
    found: dict[str, list[str]] = {}
    dialog = phone.page.get_by_role("dialog")
    for path, name in ((f"/household/{household}", "走访结果"), (f"{person}/leave/left", "滚轮选日期")):
        phone.go(path)
        button = phone.page.get_by_role("button", name=name, exact=True)
        button.click()
        expect(dialog).to_be_focused()
        found[name] = phone.barriers()
        phone.page.keyboard.press("Escape")
        expect(button).to_be_focused()
    assert found == {"走访结果": [], "滚轮选日期": []}
    button.click()
    expect(dialog).to_be_focused()
    year = phone.page.get_by_role("listbox", name="年").get_by_role("option", selected=True)
    before = int(year.inner_text())
    for key in ("Tab", "Tab", "Tab", "ArrowUp", "ArrowRight", "Home", "ArrowRight", "Home", "Enter"):
        phone.page.keyboard.press(key)
    expect(dialog).to_have_count(0)
    expect(phone.page.locator("main input.number")).to_have_value(f"{before - 1}-01-01")
    phone.go(f"/household/{household}/member")
    relation = phone.field("relation_to_head")
    relation.click()
    dialog.get_by_role("searchbox").fill("婆婆")
    dialog.get_by_role("button", name="婆婆").dblclick()  # with the first tap the whole list comes back, and another one is under the finger
    expect(dialog).to_have_count(0)
    expect(relation).to_have_text("婆婆")
    give_up(phone)


def test_a_phone_that_reads_no_codes_says_so_and_one_that_does_offers_its_scanner(browser: Browser, demo_site: DemoSite):
    """Paste or type, it says; and axe finds nothing on the scanner, which has the focus."""
    context = browser.new_context(**CHEAP_PHONE)
    page = context.new_page()
    page.goto(f"{demo_site.url}/field/")
    page.get_by_text("不能扫二维码").wait_for()
    expect(page.get_by_role("button", name="扫一扫")).to_have_count(0)
    page.add_init_script("window.BarcodeDetector = class { static async getSupportedFormats() { return ['qr_code'] } }")
    page.reload()
    page.get_by_role("button", name="扫一扫").click()
    expect(page.get_by_role("dialog", name="扫一扫")).to_be_focused()
    assert FieldPhone(page, demo_site).barriers() == []
    context.close()


def test_a_browser_that_cannot_run_the_app_says_so_instead_of_staying_blank(browser: Browser, demo_site: DemoSite):
    """It knows no such programs: after a while the page says in both languages what to do; where the app runs nobody sees that."""
    context = browser.new_context(**CHEAP_PHONE)
    page = context.new_page()
    page.route("**/field/assets/*.js", lambda route: route.abort())
    page.goto(f"{demo_site.url}/field/")
    expect(page.get_by_text("浏览器太旧")).to_be_hidden()
    page.evaluate("document.getAnimations().forEach((one) => one.finish())")  # the while is over
    expect(page.get_by_text("浏览器太旧")).to_be_visible()
    expect(page.get_by_text("the browser is too old")).to_be_visible()
    assert FieldPhone(page, demo_site).barriers() == []
    page.unroute_all()
    page.reload()
    expect(page.get_by_label("登记码")).to_be_visible()
    expect(page.get_by_text("浏览器太旧")).to_have_count(0)
    context.close()


def test_a_browser_that_lets_the_site_keep_nothing_is_told_which_setting_it_is(
    browser_type: BrowserType, browser_type_launch_args: dict[str, Any], demo_site: DemoSite, tmp_path: Path
):
    """Site data blocked in the browser's settings: no word of another window, of a damaged phone or of handing it in."""
    (tmp_path / "Default").mkdir()
    (tmp_path / "Default/Preferences").write_text('{"profile": {"default_content_setting_values": {"cookies": 2}}}')
    context = browser_type.launch_persistent_context(tmp_path, **browser_type_launch_args, **CHEAP_PHONE)
    page = context.pages[0]
    page.goto(f"{demo_site.url}/field/")
    expect(page.get_by_role("heading", name="在这个窗口里存不了东西")).to_be_visible()
    expect(page.get_by_text("允许这个网站保存数据")).to_be_visible()
    assert FieldPhone(page, demo_site).barriers() == []
    context.close()


def give_up(phone: FieldPhone) -> None:
    """Leave a form without what was typed."""
    here = phone.page.evaluate("location.hash")
    phone.page.locator("header").get_by_role("button", name="返回").click()
    phone.page.get_by_role("dialog").get_by_role("button", name="不要了").click()
    phone.page.wait_for_function("here => location.hash !== here", arg=here)


def test_a_large_photo_leaves_the_phone_small_upright_and_without_what_the_camera_wrote(phone: FieldPhone, office: Office, tmp_path: Path):
    """12 million pixels lying on their side arrive behind their record as 960×1280 standing, some hundred kB, no place and no model in it."""
    taken = Image.effect_noise((4000, 3000), 40).convert("RGB")
    taken.paste("red", (0, 2500, 4000, 3000))  # below as it was taken: on the left when it stands
    about = Image.Exif()
    about[ORIENTATION] = 6  # turn right
    about[MODEL] = "CAMERA-123"
    about.get_ifd(GPS).update({1: "N", 2: (31.0, 17.0, 50.0), 3: "E", 4: (120.0, 36.0, 35.0)})
    file = tmp_path / "large.jpg"
    taken.save(file, quality=95, exif=about)
    assert file.stat().st_size > 3_000_000 and Image.open(file).getexif().get_ifd(GPS)[2] == (31.0, 17.0, 50.0)
    phone.context.set_offline(True)
    resource = phone.resource_with_photo("大照片", file)
    sent: list[str] = []
    phone.page.on("request", lambda one: sent.append(one.url) if one.method != "GET" and re.search(r"/sync/push|/blobs", one.url) else None)
    phone.context.set_offline(False)
    phone.sync()
    assert "/sync/push" in sent[0] and any("/blobs" in one for one in sent)
    arrived = office.photo(office.fields("resource", resource)["photos"][0])
    assert len(arrived) < 600_000
    small = Image.open(BytesIO(arrived))
    assert (small.format, small.size, dict(small.getexif())) == ("JPEG", (960, 1280), {})
    assert b"Exif" not in arrived and b"CAMERA" not in arrived
    red, green, _ = small.getpixel((40, 640))
    assert red > 200 and green < 60
    red, green, _ = small.getpixel((920, 640))
    assert abs(red - green) < 60


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
