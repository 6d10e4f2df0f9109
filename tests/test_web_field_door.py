"""At the door: how many taps the usual visits take, and that nothing stands in the way."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest
from browser_kit import CHEAP_PHONE, DemoSite
from field_phone import FieldPhone
from playwright.sync_api import Browser, expect

COUNT = """() => {
    window.taps = 0;
    addEventListener('click', (event) => { if (event.isTrusted) window.taps += 1; }, true);
}"""
DOORS = """() => {
    const look = (one) => { const { backgroundColor, backgroundImage } = getComputedStyle(one); return backgroundColor + backgroundImage; };
    const means = new Map([...document.querySelectorAll('.legend li')].map((one) => [look(one.querySelector('.swatch')), one.textContent.trim()]));
    if (means.size !== document.querySelectorAll('.legend li').length) throw new Error('two of the legend look alike');
    return [...document.querySelectorAll('button.door')].map((one) =>
        [one.closest('section').querySelector('h2').textContent.trim(), one.querySelector('b').textContent, one.querySelector('span').textContent, means.get(look(one))]);
}"""


@pytest.fixture(scope="module")
def enrolled(browser: Browser, demo_site: DemoSite) -> Iterator[FieldPhone]:
    """The first worker's phone after its first sync, out of reach of any network."""
    context = browser.new_context(**CHEAP_PHONE)
    phone = FieldPhone(context.new_page(), demo_site).enrol()
    phone.program_is_kept()
    phone.page.evaluate(COUNT)
    context.set_offline(True)
    yield phone
    context.close()


@pytest.fixture
def phone(enrolled: FieldPhone) -> FieldPhone:
    """The same phone for every test, at its home screen."""
    enrolled.go_home()
    return enrolled


def taps(phone: FieldPhone) -> int:
    """Taps since the last time that somebody asked."""
    return int(phone.page.evaluate("() => { const found = window.taps; window.taps = 0; return found; }"))


def members(phone: FieldPhone) -> int:
    """How many people the open household says that it has."""
    told = phone.page.get_by_text(re.compile(r"^家里 \d+ 人")).first.inner_text()
    return int(re.sub(r"\D", "", told))


def test_everything_unchanged_is_one_tap(phone: FieldPhone):
    """One tap keeps the visit and confirms household, dwelling and everybody in it; in the grid of its building the door turns from red to green."""
    household, before = phone.due(1)[0], phone.unsent()
    phone.household(household)
    people = members(phone)
    entrance, number = phone.page.locator("header h1").inner_text().split()
    building = building_of(phone, household)
    before_that = doors(phone, building)
    assert before_that[entrance, number][1] == "该访了"
    for said, colour in before_that.values():
        if re.fullmatch(r"(9\d|\d{3,}) 天", said):
            assert colour == "该访了"
    phone.household(household)
    taps(phone)
    phone.tap("都没变")
    phone.said("已核实，存到本机")
    assert taps(phone) == 1
    assert phone.unsent() - before == people + 3
    assert doors(phone, building) == before_that | {(entrance, number): ("今天", "已核实")}


def building_of(phone: FieldPhone, household: str) -> str:
    """Where the door grid of a household's building is."""
    with closing(sqlite3.connect(f"file:{phone.site.folder / 'dishu.sqlite3'}?mode=ro", uri=True)) as database:
        query = "SELECT json_extract(door.fields, '$.building') FROM record home JOIN record door ON door.id = json_extract(home.fields, '$.dwelling') WHERE home.id = ?"
        return f"/building/{database.execute(query, (household,)).fetchone()[0]}"


def doors(phone: FieldPhone, building: str) -> dict[tuple[str, str], tuple[str, str]]:
    """The door grid as it is drawn: by entrance and number of each door what stands on it, and what its colour means by the legend beside it."""
    phone.go(building)
    phone.page.locator("button.door").first.wait_for()  # before that the screen behind it may still stand
    name = phone.page.locator("header h1").inner_text()
    rows = phone.page.evaluate(DOORS)
    assert len({colour for _, _, _, colour in rows}) > 1
    return {(f"{name}{entrance.removeprefix(name)}", number): (said, colour) for entrance, number, said, colour in rows}


def test_only_this_changed_is_two_taps(phone: FieldPhone):
    """What is known of each member stands at the door: tap the wrong one, type, keep; a choice is kept by choosing it.

    A second fact at the same door is no second visit.
    """
    household, before = phone.due(1)[0], phone.unsent()
    phone.page.locator(f"main a.item[href$='/household/{household}']").click()
    people = members(phone)
    taps(phone)
    first = phone.page.locator("main .member").first
    first.get_by_role("button", name=re.compile("^联系电话：")).click()
    expect(phone.field("phones")).to_be_focused()
    phone.page.keyboard.type("10200054321")
    assert taps(phone) == 1
    phone.page.evaluate("history.back()")  # the phone's own Back closes the sheet and keeps what was typed
    phone.said("没写完的已留着")
    assert phone.shown("household") == household
    first.get_by_role("button", name=re.compile("^联系电话：")).click()
    expect(phone.field("phones")).to_have_value("10200054321")
    taps(phone)
    phone.tap("保存，其他都没变")
    phone.said("已改好，其他已核实")
    assert taps(phone) == 1
    expect(first.get_by_role("button", name="联系电话：10200054321")).to_be_visible()
    assert phone.unsent() - before == people + 4

    before = phone.unsent()
    phone.household(household)
    visits = phone.page.locator(".visits li", has_text="今天").filter(has_text="见到本户人员")
    expect(visits).to_have_count(1)
    taps(phone)
    phone.page.locator("main .member").last.get_by_role("button", name=re.compile("^在住状态：")).click()
    phone.page.get_by_role("dialog").get_by_role("button", name="不详", exact=True).click()
    expect(phone.page.locator("main .member").last.get_by_role("button", name="在住状态：不详")).to_be_visible()
    assert taps(phone) == 2
    expect(visits).to_have_count(1)
    assert phone.unsent() - before == people + 3


def test_a_member_after_the_other_without_going_back(phone: FieldPhone):
    """From one member's screen to the next one's; the way back leads to the household in one tap."""
    phone.go("/due")  # those who live alone come first
    for household in phone.due(25):
        phone.go_home()
        phone.household(household)
        if members(phone) > 1:
            break
    phone.page.locator("main .member a.item").first.click()
    first = phone.shown("person")
    phone.page.get_by_role("link", name=re.compile("^下一个人：")).click()
    phone.page.wait_for_function("first => !location.hash.endsWith(first)", arg=first)
    phone.page.locator("header").get_by_role("button", name="返回").click()
    assert phone.shown("household") == household


def test_a_glove_that_taps_twice_writes_once(phone: FieldPhone):
    """Two quick taps on an outcome are one visit, two on a new family and on its first member one household."""
    household = phone.due(1)[0]
    before = phone.unsent()
    phone.household(household)
    phone.tap("走访结果")
    phone.page.get_by_role("button", name="无人应答").dblclick()
    phone.page.get_by_role("dialog", name="这次走访怎么样？").wait_for(state="hidden")
    assert phone.unsent() - before == 1
    phone.household(household)
    phone.tap("更多")
    phone.tap("房屋")
    phone.page.get_by_role("button", name="一家人").evaluate("button => { button.click(); button.click(); }")
    phone.field("name").fill("试验户主")
    save = phone.page.get_by_role("button", name="保存", exact=True)
    save.scroll_into_view_if_needed()
    at = save.bounding_box()
    assert at is not None
    mouse = phone.page.mouse
    mouse.move(at["x"] + at["width"] / 2, at["y"] + at["height"] / 2)
    for count in (1, 2):
        mouse.down(click_count=count)
        mouse.up(click_count=count)
    phone.page.get_by_role("heading", name="家里 1 人").wait_for()
    mouse.down(click_count=3)  # the next screen has come under the finger, with a button of its own there
    mouse.up(click_count=3)
    assert phone.unsent() - before == 1 + 3  # the household, its first member, who is its head


def test_a_family_that_moves_away_leaves_in_one_go(phone: FieldPhone):
    """A household that leaves the cells: everybody with the same reason and day, and no door of this phone is asked for."""
    household, before = phone.due(1)[0], phone.unsent()
    phone.household(household)
    people = members(phone)
    phone.go(f"/household/{household}/move")
    expect(phone.page.get_by_role("button", name="确定")).to_be_disabled()
    phone.page.get_by_text(f"全户 {people} 人一起搬").wait_for()  # inside the cells nobody is left behind in a household that is elsewhere
    expect(phone.page.get_by_text("谁一起搬")).to_have_count(0)
    expect(phone.page.get_by_role("link", name="分户")).to_be_visible()
    phone.tap("搬走了，不在我的网格")
    expect(phone.page.get_by_text("谁一起搬")).to_be_visible()
    phone.page.evaluate("history.back()")
    assert phone.shown("household") == household
    phone.go_home()
    phone.page.get_by_role("link", name=re.compile("整户搬走 · ")).click()
    expect(phone.page.get_by_role("button", name="搬走了，不在我的网格")).to_have_attribute("aria-pressed", "true")
    phone.tap("迁出")
    phone.tap("确定")
    phone.household(household)
    phone.page.get_by_text("家里 0 人").wait_for()
    assert phone.unsent() - before == people
    expect(phone.page.get_by_role("heading", name="没写完的")).to_have_count(0)


def test_going_on_at_once_after_saving_is_never_undone(phone: FieldPhone):
    """Who is elsewhere before the form has closed stays there: no step back takes them out of what they do now."""
    household, before = phone.due(1)[0], phone.unsent()
    for count in range(4):
        phone.household(household)
        phone.page.get_by_role("button", name="更多").click()
        phone.page.get_by_role("link", name="户资料").click()
        phone.field("preferred_time_text").fill(f"第 {count} 天晚上")
        phone.page.evaluate("() => { document.querySelector('form').requestSubmit(); location.hash = '/find'; }")
        phone.page.get_by_label("查找人、门牌、楼").wait_for()
        expect(phone.page.locator("header .state .number")).to_have_text(str(before + count + 1))  # saved: what came behind it would come now
        assert phone.page.url.endswith("#/find")
        phone.household(household)
        phone.page.get_by_text(f"方便时间：第 {count} 天晚上").wait_for()
