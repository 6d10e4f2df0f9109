"""What happens to households in the field app: people come and go, homes split and move, stocks change, houses are new."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from browser_kit import DemoSite
from field_phone import PACES, FieldPhone, Office, invented_number, paced
from playwright.sync_api import Page, expect


@pytest.fixture
def phone(request: pytest.FixtureRequest, phone_page: Page, demo_site: DemoSite) -> Iterator[FieldPhone]:
    """The first worker's phone after its first sync."""
    with paced(request) as is_slow:
        yield FieldPhone(phone_page, demo_site, is_slow).enrol()


def people(phone: FieldPhone, household: str) -> list[str]:
    """Ids of who lives in a household, the head first."""
    phone.household(household)
    told = phone.page.get_by_text(re.compile(r"^家里 \d+ 人")).first.inner_text()
    count = int(re.sub(r"\D", "", told))
    links = phone.page.locator("main a.item[href*='/person/']")
    expect(links).to_have_count(count)
    return [str(one.get_attribute("href")).rsplit("/", 1)[1] for one in links.all()]


def large(phone: FieldPhone, at_least: int) -> str:
    """A due household of at least so many people."""
    phone.go("/due")
    phone.page.locator("main a.item").first.wait_for()
    ids = phone.due(25)
    return next(one for one in ids if len(people(phone, one)) >= at_least)


def nothing_waits(phone: FieldPhone) -> None:
    """Everything that was written was taken: nothing to be checked, nothing held, nobody differs."""
    phone.go("/sync")
    phone.tap("全部")
    for words in ("待核对", "等另一条", "等有权限的人", "两人填的不一样"):
        expect(phone.page.get_by_text(words)).to_have_count(0)


@PACES
def test_people_come_and_go_and_homes_split(phone: FieldPhone, office: Office):
    """Offline: one dies, one moves out, two found a home of their own and move behind another door with it; the server has it the same."""
    household = large(phone, 4)
    members = people(phone, household)
    phone.network(False)

    phone.go(f"/person/{members[3]}/leave/left")
    phone.tap("婚出")
    phone.kept()
    assert len(people(phone, household)) == len(members) - 1

    phone.go(f"/household/{household}/split")
    names = phone.page.locator("fieldset").first.locator("button")
    names.nth(1).click()
    names.nth(2).click()
    phone.page.get_by_role("group", name="新户的户主").get_by_role("button").first.click()
    phone.kept()
    phone.page.get_by_role("heading", name="家里 2 人").wait_for()
    founded = phone.shown("household")
    assert founded != household
    assert len(people(phone, household)) == len(members) - 3

    phone.go(f"/household/{founded}/move")
    phone.page.locator("#f-door").click()
    phone.page.get_by_role("dialog").locator("input").fill("1幢1单元201")
    goal = phone.page.locator("[data-asked='1幢1单元201'] .item", has_text="1幢1单元 201").first
    door = goal.locator(".title").inner_text()
    goal.click()
    phone.page.get_by_text("全户 2 人一起搬").wait_for()
    phone.kept()
    expect(phone.page.locator("header h1")).to_have_text(door)
    assert phone.shown("household") == founded

    phone.go(f"/person/{members[0]}/leave/died")
    phone.kept()

    phone.network(True)
    phone.agrees()
    nothing_waits(phone)
    assert office.fields("person", members[0])["vital_status"] == "deceased"
    assert office.fields("person", members[1])["residence_household"] == founded
    assert office.fields("household", founded)["head"] in members[1:3]
    assert office.fields("household", founded)["dwelling"] != office.fields("household", household)["dwelling"]
    assert office.fields("person", members[3]).get("residence_household") is None


def test_a_new_house_from_the_building_to_its_first_family(phone: FieldPhone, office: Office):
    """A building with a place, a door, a family: nothing of it needs a signal, and all of it stands in one cell afterwards."""
    phone.context.grant_permissions(["geolocation"])
    phone.context.set_geolocation({"longitude": 120.6099, "latitude": 31.2973, "accuracy": 4})
    phone.context.set_offline(True)
    phone.go("/new/building")
    phone.field("name").fill("试验楼")
    phone.tap("手机定位")
    phone.page.get_by_text("误差 4 米").wait_for()
    phone.tap("保存")
    phone.page.get_by_role("link", name="新增房屋").click()
    phone.field("door_number").fill("301")
    phone.field("floor_number").fill("3")
    phone.tap("保存")
    phone.tap("一家人")
    phone.field("name").fill("试验户主")
    phone.field("document_number").fill(invented_number("99999919620914362"))
    expect(phone.field("birth_date")).to_have_value("1962-09-14")
    phone.tap("保存再加一个")
    expect(phone.field("name")).to_have_value("")
    phone.field("name").fill("试验家人")
    phone.tap("保存")
    phone.page.get_by_role("heading", name="家里 2 人").wait_for()
    household = phone.shown("household")
    members = people(phone, household)
    phone.context.set_offline(False)
    phone.sync()
    nothing_waits(phone)
    assert office.fields("household", household)["head"] == members[0]
    assert office.fields("person", members[0])["birth_date"] == "1962-09-14"
    phone.go(f"/record/{household}")
    phone.page.get_by_text("第十七网格").wait_for()


def test_a_member_of_the_party_checks_in_and_a_stock_is_used(phone: FieldPhone, office: Office):
    """双报到 at the door, and three of a stock taken out: the stock is less by three."""
    phone.context.set_offline(True)
    person = people(phone, large(phone, 1))[0]
    phone.go(f"/person/{person}/party")
    phone.field("branch_text").fill("试验支部")
    phone.tap("保存，接着报到")
    phone.tap("登记报到")
    phone.field("skills").get_by_role("button", name="急救").click()
    phone.tap("登记报到")
    phone.said("报到已存到本机")
    phone.page.get_by_text("已登记").first.wait_for()

    phone.go("/resources")
    row = phone.page.locator("main a.item", has_text="口罩")
    before = int(re.sub(r"\D", "", row.locator("b").inner_text()))
    row.click()
    phone.tap("出库 −")
    phone.field("quantity").fill("3")
    resource = phone.page.url.split("/edit/")[1].split("/")[0]
    phone.tap("保存")
    phone.said("已存到本机")
    phone.context.set_offline(False)
    phone.sync()
    nothing_waits(phone)
    assert office.fields("resource", resource)["quantity"] == before - 3


def test_what_was_typed_is_kept_when_the_person_just_leaves(phone: FieldPhone):
    """Back without a tap on save: a right value is kept; a form that is not right asks first."""
    household = phone.due(1)[0]
    phone.household(household)
    phone.page.get_by_role("button", name="更多").click()
    phone.page.get_by_role("link", name="户资料").click()
    phone.field("preferred_time_text").fill("晚上七点后")
    phone.page.locator("header").get_by_role("button", name="返回").click()
    phone.page.get_by_text("方便时间：晚上七点后").wait_for()
    phone.page.get_by_role("link", name="加一个人").click()
    phone.field("phones").fill("10200000001")
    phone.page.locator("header").get_by_role("button", name="返回").click()
    phone.page.get_by_role("dialog").get_by_text("还没有保存").wait_for()
    phone.tap("留下来改")
    expect(phone.field("phones")).to_have_value("10200000001")


@pytest.mark.long
def test_two_homes_become_one_with_another_head_and_who_left_meanwhile_is_not_taken_along(phone: FieldPhone, office: Office):
    """Who left since a split was begun is named and left out; another member is head; a second home joins, and the server has it the same."""
    household = large(phone, 3)
    members = people(phone, household)
    phone.go("/due")
    other = next(one for one in phone.due(5) if one != household)
    theirs = people(phone, other)
    name = str(phone.page.locator("header p").inner_text())
    phone.network(False)

    phone.go(f"/household/{household}/split")
    leaving = phone.page.locator("fieldset").first.locator("button").nth(2)
    who = leaving.inner_text()
    leaving.click()
    phone.go(f"/person/{members[2]}/leave/left")
    phone.tap("婚出")
    phone.kept()
    phone.go(f"/household/{household}/split")
    phone.page.get_by_text(f"已不在这户，这次不算：{who}").wait_for()
    expect(phone.page.get_by_role("button", name="确定")).to_be_disabled()
    assert phone.barriers() == []
    phone.tap("重新填")
    expect(phone.page.get_by_text("这次不算")).to_have_count(0)

    phone.household(household)
    phone.tap("更多")
    phone.tap("换户主")
    phone.page.get_by_role("dialog").locator("button.item").first.click()
    expect(phone.page.locator("main a.item[href*='/person/']").first).to_have_attribute("href", re.compile(members[1]))
    assert people(phone, household)[0] == members[1]

    phone.go(f"/household/{household}/join")
    phone.page.locator("#f-door").click()
    called = name.removesuffix("家")
    phone.page.get_by_role("dialog").locator("input").fill(called)
    phone.page.locator(f"[data-asked='{called}'] .item", has_text=called).first.click()
    phone.page.get_by_text("并过来的人：").wait_for()
    assert phone.barriers() == []
    phone.kept()
    assert len(people(phone, household)) == len(members) - 1 + len(theirs)

    phone.network(True)
    phone.agrees()
    nothing_waits(phone)
    assert office.fields("household", household)["head"] == members[1]
    assert {office.fields("person", one)["residence_household"] for one in theirs} == {household}
    assert office.fields("person", members[2]).get("residence_household") is None


@PACES
def test_a_household_that_moved_out_of_my_cells_takes_my_unsent_work_along(phone: FieldPhone, office: Office):
    """The office moves it while I write without a signal: it leaves my phone, what I wrote is on it, and I am told."""
    household = phone.due(1)[0]
    phone.network(False)
    phone.go(f"/edit/{household}")
    phone.field("preferred_time_text").fill("搬家之前问的")
    phone.tap("保存")
    phone.said("已存到本机")
    office.write({"kind": "patch", "type": "household", "id": household, "base": office.version("household", household), "set": {"dwelling": dwelling_elsewhere(phone.site)}})
    phone.network(True)
    phone.agrees()
    assert office.fields("household", household)["preferred_time_text"] == "搬家之前问的"
    nothing_waits(phone)
    phone.go(f"/household/{household}")
    expect(phone.page.get_by_role("button", name="都没变")).to_have_count(0)

    if "999999001002" not in phone.site.dishu("community", "list"):  # at another pace the same house goes on
        phone.site.dishu("community", "add", "999999001002", "--name", "邻社区")
    phone.sync()
    household = phone.due(1)[0]
    phone.network(False)
    phone.household(household)
    phone.tap("更多")
    phone.page.get_by_role("link", name="整户搬走").click()
    phone.tap("迁往其他社区")
    phone.tap("邻社区")
    phone.tap("提出迁移")
    phone.page.get_by_text("已提出迁往邻社区，等待上传。").wait_for()
    phone.network(True)
    phone.agrees()
    phone.go("/sync")
    phone.page.get_by_text("已收到，等对方社区接收").first.wait_for()
    phone.household(household)
    phone.page.get_by_text("已提出迁往邻社区，等对方社区接收。").wait_for()
    expect(phone.page.get_by_role("button", name="都没变")).to_have_count(1)


@pytest.mark.long
@PACES
def test_what_the_office_asks_is_answered_at_the_door(phone: FieldPhone, office: Office):
    """W8: handed on at the office it stands on the phone with its reason and its door; what was found stands at the item."""
    household, note = phone.due(2)[phone.slow], ("户口本上就是这样", "身份证看过，没错")[phone.slow]  # at either pace another one: both write into one demo
    person = people(phone, household)[0]
    office.write({"kind": "patch", "type": "person", "id": person, "base": office.version("person", person), "set": {"birth_date": "2020-01-01", "birth_precision": "day", "marital_code": "20"}})
    api, headers = f"{office.site.url}/api/v1", {"X-CSRF-Token": office._token}

    def item() -> dict[str, Any]:
        rows = office.page.request.get(f"{api}/inbox/findings?name=child_married").json()["rows"]
        return next(one for one in rows if one["record"]["id"] == person)

    rows = office.page.request.get(f"{api}/assignments").json()["assignments"]
    worker = next(one["user_id"] for one in rows if one["cell_id"].endswith("021") and one["duty"] == "lead")
    answer = office.page.request.post(f"{api}/inbox/findings/{item()['finding_id']}/delegate", headers=headers, data={"user_id": worker})
    assert answer.ok, answer.text()
    phone.sync()
    phone.program_is_kept()
    phone.network(False)
    phone.start_again()
    phone.page.get_by_label("社区请你上门核实").get_by_text("未满 15 岁登记为已婚").click()
    phone.page.get_by_text("到门口看一看、问一问").wait_for()
    phone.page.get_by_text("2020-01-01").wait_for()
    assert phone.barriers() == []
    phone.tap("报核实结果")
    phone.page.get_by_label("补充说明（可不填）").fill(note)
    phone.typed_is_kept()
    phone.start_again()
    phone.page.locator(".list .item", has_text="报核实结果").click()
    expect(phone.page.get_by_label("补充说明（可不填）")).to_have_value(note)
    phone.tap("已核实，无误")
    phone.home_stands()
    expect(phone.page.get_by_label("社区请你上门核实")).to_have_count(0)
    phone.network(True)
    phone.agrees()
    nothing_waits(phone)
    assert [(one["outcome"], one["note"]) for one in item()["checks"]] == [("right", note)]
    office.page.goto(f"{office.site.url}/#/inbox/findings")
    office.page.get_by_text(note).wait_for()


def dwelling_elsewhere(site: DemoSite) -> str:
    """A dwelling in a cell that the first worker does not have."""
    with closing(sqlite3.connect(site.folder / "dishu.sqlite3")) as database:
        query = "SELECT id FROM record WHERE type = 'dwelling' AND life = 'live' AND home LIKE 'cell/%001' ORDER BY id LIMIT 1"
        found: str = database.execute(query).fetchone()[0]
    return found
