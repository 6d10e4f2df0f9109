"""A grid worker's days with the field app, in a real browser at the size of a cheap phone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from browser_kit import CHEAP_PHONE, DemoSite
from field_phone import PACES, PIN, FieldPhone, Office, invented_number, newest_device, newest_visit, paced
from playwright.sync_api import Browser, Page, expect

from server.services.pinyin import syllables


@pytest.fixture
def phone(request: pytest.FixtureRequest, phone_page: Page, demo_site: DemoSite) -> Iterator[FieldPhone]:
    """The first worker's phone, not enrolled yet."""
    with paced(request) as is_slow:
        yield FieldPhone(phone_page, demo_site, is_slow)


@pytest.fixture
def other_phone(browser: Browser, demo_site: DemoSite) -> Iterator[FieldPhone]:
    """A second phone beside it."""
    context = browser.new_context(**CHEAP_PHONE)
    yield FieldPhone(context.new_page(), demo_site)
    context.close()


@PACES
def test_a_day_in_flight_mode_reaches_the_server(phone: FieldPhone, office: Office):
    """Four doors (31 on a slow phone) without a signal, one of them refused, the app closed in between, then one tap: everything is on the server (L5)."""
    phone.enrol().program_is_kept()
    if phone.slow:
        phone.go("/due")
    first, second, third, fourth, *others = phone.due(31 if phone.slow else 4)
    phone.network(False)

    phone.household(first)
    phone.tap("都没变")
    phone.said("已核实，存到本机")

    phone.household(second)
    phone.page.get_by_role("link", name="只改一处").click()
    phone.page.locator("section", has=phone.page.get_by_role("heading", name="户和房屋")).get_by_role("button", name="联系电话").click()
    phone.field("phone").fill("10200012345")
    phone.tap("保存，其他都没变")
    phone.said("已改好，其他已核实")

    phone.household(third)
    phone.page.get_by_role("link", name="加一个人").click()
    phone.field("name").fill("试验新人")
    phone.field("document_number").fill(invented_number("99999919900307481")[:-1])
    expect(phone.page.get_by_text("身份证号校验位或日期不符")).to_be_visible()
    phone.field("document_number").fill(invented_number("99999919900307481"))
    expect(phone.field("birth_date")).to_have_value("1990-03-07")
    expect(phone.field("sex").get_by_role("button", name="男", exact=True)).to_have_attribute("aria-pressed", "true")
    phone.tap("保存")
    phone.said("已存到本机")
    phone.tap("走访结果")
    phone.tap("见到他人")
    phone.said("走访已记下")

    phone.household(fourth)
    phone.tap("走访结果")
    phone.tap("拒访")
    expect(phone.page.locator(".visits li").first).to_contain_text("拒访")

    unsent = phone.unsent()
    assert unsent >= 7
    phone.start_again()
    assert phone.unsent() == unsent
    for door in others:
        phone.household(door)
        phone.tap("都没变")
        phone.page.get_by_role("button", name="今天已核实").wait_for()  # the words of the door before may still stand
    assert phone.unsent() >= unsent + len(others)
    phone.household(second)
    expect(phone.page.get_by_text("10200012345")).to_be_visible()
    phone.household(third)
    phone.page.get_by_text("试验新人").click()
    person = phone.shown("person")

    phone.network(True)
    phone.agrees()
    assert office.fields("household", second)["phone"] == "10200012345"
    arrived = office.fields("person", person)
    assert arrived["name"] == "试验新人"
    assert arrived["residence_household"] == third
    assert newest_visit(phone.site, fourth)["outcome"] == "refused"
    phone.go("/sync")
    expect(phone.page.get_by_text("两人填的不一样")).to_have_count(0)


@PACES
def test_two_phones_at_the_same_door_are_told_and_the_door_decides(phone: FieldPhone, other_phone: FieldPhone, office: Office):
    """Two workers of one cell change a birth date without a signal: nothing is lost, both are told in red with what comes next, and the second says at the door which is right."""
    phone.enrol()
    household = phone.due(1)[0]
    office.shares(household, "worker2")
    other_phone.enrol("worker2", by_link=True)
    phone.household(household)
    phone.page.locator("main a.item[href*='/person/']").first.click()
    person = phone.shown("person")
    first, second = ("1973", "1974") if phone.slow else ("1971", "1972")  # told twice, it is about the same person
    for one, year in ((phone, first), (other_phone, second)):
        one.network(False)
        one.go(f"/edit/{person}/identity")
        one.field("birth_date").fill(f"{year}0203")
        one.tap("保存")
        one.said("已存到本机")
        one.network(True)
    phone.sync()
    other_phone.sync()
    phone.sync()
    door = office.fields("household", household)["dwelling"]
    building = office.fields("dwelling", door)["building"]
    for one in (phone, other_phone):
        asked = one.page.get_by_role("region", name="需要你处理").get_by_role("link", name=re.compile("两人填的不一样"))
        expect(asked).to_contain_text("在门口问清楚，点开选定")
        one.go(f"/building/{building}")
        expect(one.page.locator("button.door", has_text="两人填的不一样")).to_have_count(1)
        one.go_home()
    other_phone.page.get_by_text("两人填的不一样").first.click()
    other_phone.page.get_by_text("问清楚了，是哪一个？").wait_for()
    assert other_phone.barriers() == []
    expect(other_phone.page.get_by_role("button", name=re.compile(f"{first}-02-03"))).to_be_enabled()
    other_phone.page.get_by_role("button", name=re.compile(f"{second}-02-03")).click()
    other_phone.said("已定下来，存到本机")
    other_phone.home_stands()
    expect(other_phone.page.get_by_role("region", name="需要你处理")).to_have_count(0)
    other_phone.sync()
    found = office.fields("person", person)
    assert found["birth_date"] == f"{second}-02-03"
    phone.sync()
    expect(phone.page.get_by_role("region", name="需要你处理")).to_have_count(0)
    phone.go(f"/person/{person}")
    expect(phone.page.get_by_text(f"{second}-02-03")).to_be_visible()
    for one in (phone, other_phone):
        one.agrees()


def good_time(phone: FieldPhone, household: str, words: str) -> None:
    """Write down, without a network, when somebody is at home."""
    phone.network(False)
    phone.go(f"/edit/{household}")
    phone.field("preferred_time_text").fill(words)
    phone.tap("保存")
    phone.said("已存到本机")


def nothing_is_left(phone: FieldPhone) -> None:
    """Neither records nor log nor keys are in the browser's storage."""
    blocks = """() => new Promise(done => { const asked = indexedDB.open("dishu-field"); asked.onsuccess = () => {
        const all = asked.result.transaction("blocks").objectStore("blocks").count(); all.onsuccess = () => done(all.result) } })"""
    assert phone.page.evaluate(blocks) == 0


@PACES
def test_unsent_work_leaves_as_a_file_and_phones_out_of_use_hand_over_and_erase_themselves(
    phone: FieldPhone, other_phone: FieldPhone, office: Office, tmp_path: Path
):
    """A file goes into another phone and arrives, and each phone in use agrees with the server; a retired phone sends what it has, then is empty; a lost one is empty at once, locked as it is."""
    phone.enrol()
    household = phone.due(1)[0]
    good_time(phone, household, "周末上午")
    resource = phone.resource_with_photo("门岗沙袋")
    phone.go("/me")
    phone.tap("退出并清空本机")
    phone.page.get_by_role("dialog").get_by_role("button", name="退出并清空本机").click()
    phone.page.get_by_text("还有 2 条、1 张照片没有上传，不能退出。").wait_for()
    phone.go("/rescue")
    phone.page.locator("#words").fill("桑榆里一二三四")
    phone.page.locator("#words").press_sequentially("五")
    with phone.page.expect_download() as download:
        phone.tap("保存救援文件")
    rescued = tmp_path / "rescue.bin"
    download.value.save_as(rescued)
    assert "周末上午".encode() not in rescued.read_bytes()
    phone.tap("文件已存好")
    phone.said("好，现在可以退出了")
    phone.go("/me")
    phone.tap("退出并清空本机")
    phone.page.get_by_role("dialog").get_by_role("button", name="退出并清空本机").click()
    phone.page.get_by_label("登记码").wait_for()
    nothing_is_left(phone)

    other_phone.enrol()
    other_phone.go("/rescue")
    other_phone.page.locator("#rescue-file").set_input_files(rescued)
    other_phone.page.locator("#words-in").fill("桑榆里一二三四五")
    other_phone.tap("读入救援文件")
    other_phone.page.get_by_text("已接过来 2 条、1 张照片").wait_for()
    other_phone.agrees()
    assert office.fields("household", household)["preferred_time_text"] == "周末上午"
    assert office.photo(office.fields("resource", resource)["photos"][0])

    programs = {one["app_version"] for one in office.page.request.get(f"{office.site.url}/api/v1/devices").json()["devices"] if one["last_seen_at"]}
    assert any(re.fullmatch(r"\d+\.\d+\.\d+\+[0-9a-f]{8}", str(one)) for one in programs), programs
    good_time(other_phone, household, "停用之前")
    other_phone.site.dishu("device", "revoke", newest_device(other_phone.site), "--reason", "retired")
    other_phone.network(True)  # back from flight mode it synchronises by itself
    other_phone.page.get_by_text("这台手机已停用，本机内容已清除").wait_for(timeout=60_000)
    assert office.fields("household", household)["preferred_time_text"] == "停用之前"
    nothing_is_left(other_phone)

    phone.network(True)
    phone.enrol()
    phone.agrees()  # what two phones handed over that are out of use now
    good_time(phone, household, "不会送到")
    phone.go("/me")
    phone.tap("锁上")
    phone.page.get_by_text("还有 1 条没有上传").wait_for()
    phone.site.dishu("device", "revoke", newest_device(phone.site), "--reason", "lost")
    phone.network(True)
    phone.page.get_by_text("这台手机已报失，本机内容已全部清除").wait_for(timeout=60_000)
    assert office.fields("household", household)["preferred_time_text"] == "停用之前"
    nothing_is_left(phone)
    assert phone.barriers() == []


def test_a_wrong_pin_opens_nothing_and_the_right_one_everything(phone: FieldPhone):
    """The PIN is asked for after every start; a wrong one says how many tries are left, and the wait after the third goes on after a restart."""
    phone.enrol()
    phone.page.reload()
    phone.page.get_by_text("请输入密码").wait_for()
    for left in (9, 8, 7):
        phone.pin("999111")
        phone.page.get_by_text(f"密码不对，还能试 {left} 次").wait_for()
    assert phone.page.get_by_text("今天去哪儿").count() == 0
    phone.page.reload()
    phone.page.get_by_text(re.compile(r"请等 \d+ 秒再试")).wait_for()
    expect(phone.page.get_by_text("密码不对")).to_have_count(0)
    expect(phone.page.get_by_role("button", name="1", exact=True)).to_be_disabled()
    phone.page.clock.set_fixed_time(datetime.now(UTC) + timedelta(minutes=1))
    phone.page.reload()
    phone.page.get_by_text("请输入密码").wait_for()
    phone.pin(PIN)
    phone.home_stands()


def test_people_are_found_while_typing_also_by_sound_phone_and_door(phone: FieldPhone, office: Office):
    """A name, its initials, the tail of a phone, the door: the person is in the list; half-typed pinyin of an input method changes nothing."""
    phone.enrol()
    phone.household(phone.due(1)[0])
    door = phone.page.locator("header h1").inner_text()
    typed_door = re.sub(r"^\D+|\s", "", door)  # without its estate
    phone.page.locator("main a.item[href*='/person/']").first.click()
    person = phone.shown("person")
    name = phone.page.locator("header h1").inner_text()
    tail = office.fields("person", person)["phones"][0][-4:]
    phone.go("/find")
    box = phone.page.get_by_label("查找人、门牌、楼")
    row = phone.page.locator(f"main .item[href$='/person/{person}']")
    for typed in (name, initials(name), initials(name).upper(), tail):
        box.fill(typed)
        expect(row).to_be_visible()
        box.fill("")
        expect(row).to_have_count(0)
    box.fill(typed_door)
    expect(phone.page.locator("main .item", has_text=door).first).to_be_visible()
    box.evaluate(
        """node => {
            node.dispatchEvent(new CompositionEvent("compositionstart"));
            node.value = "zzzz qqqq";
            node.dispatchEvent(new InputEvent("input", {bubbles: true}));
            return new Promise((drawn) => setTimeout(() => requestAnimationFrame(() => requestAnimationFrame(drawn))));
        }"""
    )  # whatever it changes is drawn by now
    expect(phone.page.locator("main .item", has_text=door).first).to_be_visible()
    expect(phone.page.get_by_text("本机没有找到")).to_have_count(0)
    box.evaluate(
        """(node, name) => {
            node.value = name;
            node.dispatchEvent(new CompositionEvent("compositionend"));
            node.dispatchEvent(new InputEvent("input", {bubbles: true}));
        }""",
        name,
    )
    expect(phone.page.locator("main .item", has_text=name).first).to_be_visible()


def initials(name: str) -> str:
    """The first letters of how a name is usually read."""
    return "".join(syllables(one)[0][0] for one in name)


def test_an_id_number_with_a_slip_is_pointed_out_and_does_not_stop_the_work(phone: FieldPhone, office: Office):
    """A wrong check digit is told at once; the person can be kept all the same, also when the app was killed before that.

    Entered again at another door they are recognised, and brought there from the day that is said: without one nobody would count them as
    having moved in.
    """
    phone.enrol()
    household, other = phone.due(2)
    phone.go(f"/household/{household}/member")
    right = invented_number("99999919900307481")
    wrong = right[:17] + ("0" if right[17] != "0" else "1")
    phone.field("name").fill("核对试验")
    phone.field("document_type").click()
    phone.page.get_by_role("dialog").get_by_text("居民身份证", exact=True).click()
    phone.field("document_number").fill(wrong)
    phone.page.get_by_text("身份证号校验位或日期不符，请核对").wait_for()
    phone.typed_is_kept()
    phone.page.reload()  # killed before it was saved: what was typed is there again
    phone.page.get_by_text("请输入密码").wait_for()
    phone.pin()
    phone.page.get_by_text("接着上次没写完的写").wait_for()
    expect(phone.field("name")).to_have_value("核对试验")
    expect(phone.field("document_number")).to_have_value(wrong)
    phone.tap("保存")
    phone.said("已存到本机")
    phone.go_home()
    expect(phone.page.get_by_role("heading", name="没写完的")).to_have_count(0)

    phone.go(f"/household/{other}/member")
    phone.field("document_number").fill(wrong)
    phone.tap("就是他，接到本户")
    day = phone.page.get_by_role("dialog").locator("#f-since")
    expect(day).not_to_have_value("")
    day.fill("20260301")
    phone.page.get_by_role("dialog").get_by_role("button", name="迁出", exact=True).click()
    phone.page.get_by_role("dialog").get_by_role("button", name="接到本户", exact=True).click()
    brought = phone.shown("person")
    phone.sync()
    fields = office.fields("person", brought)
    assert (fields["residence_household"], fields["resident_from"], fields["joined_reason"]) == (other, "2026-03-01", "moved_in")


def test_the_language_switches_at_once(phone: FieldPhone):
    """Every screen follows, also after the next start."""
    phone.enrol()
    phone.go("/me")
    phone.page.get_by_role("button", name="English").first.click()
    phone.page.get_by_role("link", name="Today").click()
    phone.page.get_by_role("heading", name="Where to go").wait_for()
    phone.page.reload()
    phone.page.get_by_text("Enter your PIN").wait_for()


@pytest.mark.parametrize("language", ["zh", pytest.param("en", marks=pytest.mark.long)])
def test_screens_can_be_read_by_everybody(phone: FieldPhone, office: Office, language: str):
    """Contrast, labels, names: axe finds nothing at all on the screens of a day, and whatever is tapped is as large as a finger, however short its word."""
    phone.enrol()
    household = phone.due(1)[0]
    if language == "en":
        phone.go("/me")
        phone.page.get_by_role("button", name="English").first.click()
    phone.go("/find")
    building = str(phone.page.locator("main a.item[href*='/building/']").first.get_attribute("href"))[1:]
    found: dict[str, list[str]] = {}
    home = f"/household/{household}"
    phone.go(home)
    person = str(phone.page.locator("main a.item[href*='/person/']").first.get_attribute("href"))[1:]
    about = [home, *(f"{home}/{step}" for step in ("member", "change", "move", "split", "join")), person, f"{person}/leave/left", f"{person}/leave/died", f"{person}/party"]
    dwelling = f"/dwelling/{office.fields('household', household)['dwelling']}"
    for path in ["/", "/due", "/find", building, dwelling, *about, f"/record/{household}", f"/edit/{household}", "/new/resource", "/resources", "/map", "/sync", "/me", "/rescue", "/person/nobody"]:
        phone.page.evaluate("document.querySelector('main').dataset.seen = 'before'")
        phone.go(path)
        phone.page.locator("main:not([data-seen])").first.wait_for()
        if problems := phone.barriers():
            found[path] = problems
    if language == "zh":
        found |= barriers_at_the_door(phone, office, household, person.rsplit("/", 1)[1])
    assert found == {}


def barriers_at_the_door(phone: FieldPhone, office: Office, household: str, person: str) -> dict[str, list[str]]:
    """What stands in the way where a fact is one word, in the sheet of a visit, at the PIN."""
    office.write({"kind": "patch", "type": "person", "id": person, "base": office.version("person", person), "set": {"occupation_text": "农"}})
    phone.sync()
    phone.household(household)
    expect(phone.page.get_by_role("button", name="职业：农")).to_have_text("农")
    found = {"one word": phone.barriers()}
    phone.tap("走访结果")
    phone.page.get_by_role("dialog").get_by_role("button", name="无人应答").wait_for()
    found["visit"] = phone.barriers()
    phone.go("/me")
    phone.tap("锁上")
    phone.page.get_by_text("请输入密码").wait_for()
    found["PIN"] = phone.barriers()
    return {where: problems for where, problems in found.items() if problems}
