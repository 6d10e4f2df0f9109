"""What happens to households and people, told at the console as on a phone: each act in its dialog, then the facts counted from the database."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from browser_kit import DemoSite
from console_kit import Row, choose, rows_of, sign_in, today
from playwright.sync_api import Locator, Page, expect
from test_web_console import AXE, faults

HEAD = "02"
SURE = re.compile("^(确定|保存)$")
DAY = (today() - timedelta(days=3)).isoformat()
NUMBER = "999999201503070035"
"""Of nobody: a region that is none, with its check digit."""


@pytest.fixture
def desk(office_page: Page, demo_site: DemoSite) -> Desk:
    sign_in(office_page, demo_site)
    return Desk(office_page, demo_site)


@pytest.fixture(scope="module", autouse=True)
def kept_right(demo_site: DemoSite) -> Iterator[None]:
    """Whatever was done here, the journal tells the same as the records."""
    yield
    assert "agree" in demo_site.dishu("verify")


class Desk:
    """A secretary at the pages of households and people."""

    def __init__(self, page: Page, site: DemoSite) -> None:
        self.page, self.site = page, site

    def open(self, kind: str, record_id: str) -> None:
        self.page.goto(f"{self.site.url}/#/records/{kind}/{record_id}")
        self.page.get_by_role("group", name="办理").wait_for()

    def begin(self, kind: str, record_id: str, act: str) -> Locator:
        """The dialog of an act on the page of a record; nothing in it stands in the way of a screen reader."""
        self.open(kind, record_id)
        self.page.get_by_role("group", name="办理").get_by_role("button", name=act).click()
        dialog = self.page.get_by_role("dialog", name=act)
        dialog.get_by_role("button", name=SURE).wait_for()
        return dialog

    def finish(self, dialog: Locator, told: str) -> None:
        """The form as it is filled in stands in nobody's way; confirmed, it says what became of it."""
        expect(self.page.locator(".el-popper").locator("visible=true")).to_have_count(0)
        assert faults(self.page, AXE.read_text()) == []
        dialog.get_by_role("button", name=SURE).click()
        expect(self.page.get_by_text(told)).to_be_visible(timeout=20_000)
        expect(dialog).to_have_count(0)

    def rows(self, kind: str) -> dict[str, Row]:
        return rows_of(self.site, kind)

    def homes(self, least: int) -> list[tuple[Row, list[Row]]]:
        """Households with a head and at least so many living members, the head first."""
        people = [one for one in self.rows("person").values() if one["vital_status"] != "deceased"]
        found = []
        for home in self.rows("household").values():
            members = sorted((one for one in people if one["residence_household"] == home.id), key=lambda one: one.id != home["head"])
            if len(members) >= least and members[0].id == home["head"]:
                found.append((home, members))
        return found

    def left(self, person: str) -> Row:
        """The one closed episode of somebody that ended on the day."""
        found = [one for one in self.rows("residence").values() if one["person"] == person and one["resident_to"] == DAY]
        assert len(found) == 1
        return found[0]


def find(dialog: Locator, field: str, text: str) -> None:
    """Look for a record by words and take the first hit."""
    dialog.get_by_role("combobox", name=field).fill(text)
    dialog.page.get_by_role("option").locator("visible=true").first.click()


def on(dialog: Locator, field: str) -> None:
    """Type the day."""
    dialog.get_by_role("combobox", name=field).fill(DAY)
    dialog.get_by_role("combobox", name=field).press("Enter")


def test_somebody_leaves_and_somebody_dies(desk: Desk):
    """Day and reason stand in the closed residence, and the household has the head that was chosen."""
    home, (head, heir, leaver, *_) = desk.homes(3)[0]
    dialog = desk.begin("person", leaver.id, "离开本户")
    expect(dialog.get_by_role("button", name="确定")).to_be_disabled()
    on(dialog, "哪天离开")
    choose(dialog, "为什么离开", "就学")
    desk.finish(dialog, "已记下离开")
    assert desk.rows("person")[leaver.id]["residence_household"] is None
    episode = desk.left(leaver.id)
    assert (episode["household"], episode["left_reason"], episode["dwelling"]) == (home.id, "study", home["dwelling"])
    dialog = desk.begin("person", head.id, "登记去世")
    on(dialog, "哪天去世")
    choose(dialog, "谁当户主", heir["name"])
    desk.finish(dialog, "已登记去世")
    people = desk.rows("person")
    assert (people[head.id]["vital_status"], people[head.id]["died_on"], people[head.id]["residence_household"]) == ("deceased", DAY, None)
    assert desk.left(head.id)["left_reason"] == "died"
    assert (desk.rows("household")[home.id]["head"], people[heir.id]["relation_to_head"]) == (heir.id, HEAD)
    expect(desk.page.get_by_role("group", name="办理").get_by_role("button")).to_have_count(0)


def test_a_newcomer_is_entered_or_brought_from_where_they_lived(desk: Desk):
    """A number is checked while it is typed, who is on record already is named; who moves here has left the former home, which has another head."""
    (there, (mover, heir, *_)), (home, _) = desk.homes(2)[5:7]
    dialog = desk.begin("household", home.id, "新增成员")
    dialog.get_by_label("姓名").fill("甲新来")
    dialog.get_by_label("证件号码").fill(NUMBER[:-1] + "X")
    expect(dialog.get_by_role("status")).to_contain_text("身份证号校验位或日期不符")
    dialog.get_by_label("证件号码").fill(NUMBER)
    dialog.get_by_text("已在册，搬过来").click()
    expect(dialog.get_by_label("是谁")).to_be_visible()
    dialog.get_by_text("还没登记过").click()
    expect(dialog.get_by_label("姓名")).to_have_value("甲新来")  # what was typed is there after a look at the other way
    expect(dialog.get_by_role("combobox", name="出生日期")).to_have_value("2015-03-07")
    on(dialog, "居住起始日期")
    choose(dialog, "与户主关系", "子", exact=True)
    choose(dialog, "入户原因", "返回")
    desk.finish(dialog, "已记下入住")
    made = next(one for one in desk.rows("person").values() if one["name"] == "甲新来")
    assert (made["residence_household"], made["resident_from"], made["joined_reason"], made["relation_to_head"]) == (home.id, DAY, "returned", "20")
    assert (made["birth_date"], made["sex"], made["vital_status"]) == ("2015-03-07", "1", "living")

    dialog = desk.begin("household", home.id, "新增成员")
    dialog.get_by_label("证件号码").fill(NUMBER)
    expect(dialog.get_by_role("alert")).to_contain_text("这个证件号已经登记过")
    dialog.get_by_label("证件号码").fill("")
    dialog.get_by_label("姓名").fill(mover["name"])
    warned = dialog.get_by_role("alert")
    expect(warned).to_contain_text("同名的人已经在册")
    assert faults(desk.page, AXE.read_text()) == []
    if warned.get_by_role("button").count() == 1:
        warned.get_by_role("button", name="是同一个人").click()
    else:
        dialog.get_by_text("已在册，搬过来").click()
        find(dialog, "是谁", mover["name"])
    expect(dialog.get_by_role("status")).to_contain_text("会同时记下离开那里")
    on(dialog, "哪天入住")
    choose(dialog, "为什么离开", "退租")
    choose(dialog, "原来那一户谁当户主", heir["name"])
    choose(dialog, "入户原因", "租住")
    desk.finish(dialog, "已记下入住")
    people = desk.rows("person")
    assert (people[mover.id]["residence_household"], people[mover.id]["resident_from"], people[mover.id]["joined_reason"]) == (home.id, DAY, "rented")
    assert (desk.left(mover.id)["household"], desk.left(mover.id)["left_reason"]) == (there.id, "lease_ended")
    assert (desk.rows("household")[there.id]["head"], people[heir.id]["relation_to_head"]) == (heir.id, HEAD)


def test_a_household_has_another_head_splits_and_moves(desk: Desk):
    """Relations follow the new head; who is parted has a household with a head behind the same door; who moves lives behind the other door from that day."""
    home, (head, heir, third, *_) = desk.homes(4)[3]
    dialog = desk.begin("household", home.id, "换户主")
    choose(dialog, "谁当户主", heir["name"])
    choose(dialog, head["name"], "父亲", exact=True)
    desk.finish(dialog, "户主已换")
    people = desk.rows("person")
    assert (desk.rows("household")[home.id]["head"], people[heir.id]["relation_to_head"], people[head.id]["relation_to_head"]) == (heir.id, HEAD, "51")
    assert people[third.id]["relation_to_head"] == third["relation_to_head"]

    before = set(desk.rows("household"))
    dialog = desk.begin("household", home.id, "分户")
    dialog.get_by_role("checkbox", name=heir["name"]).press("Space")
    dialog.get_by_role("checkbox", name=third["name"]).press("Space")
    choose(dialog, "新户的户主", third["name"])
    choose(dialog, heir["name"], "妻", exact=True)
    on(dialog, "哪天分户")
    choose(dialog, "原来那一户谁当户主", head["name"])
    desk.finish(dialog, "已分户")
    (made,) = desk.rows("household").keys() - before
    expect(desk.page).to_have_url(re.compile(f"/records/household/{made}$"))
    new, people = desk.rows("household")[made], desk.rows("person")
    assert (new["dwelling"], new["head"], new["moved_in_on"]) == (home["dwelling"], third.id, DAY)
    assert [(people[one.id]["residence_household"], people[one.id]["relation_to_head"]) for one in (third, heir)] == [(made, HEAD), (made, "12")]
    assert desk.rows("household")[home.id]["head"] == head.id
    assert desk.left(heir.id)["left_reason"] == "household_split"

    neighbour = next(one for one in desk.rows("household").values() if one["dwelling"] and one.home != home.home)
    desk.open("household", neighbour.id)
    door = desk.page.get_by_role("heading", level=1).inner_text()
    dialog = desk.begin("household", made, "迁到本社区另一处")
    expect(dialog).to_contain_text(heir["name"])
    find(dialog, "搬到哪里", door)
    expect(dialog).to_contain_text(door)
    on(dialog, "哪天搬")
    choose(dialog, "离开原处的原因", "退租")
    desk.finish(dialog, "已迁到新住处")
    assert (desk.rows("household")[made]["dwelling"], desk.rows("household")[made].home) == (neighbour["dwelling"], neighbour.home)


def test_the_form_leaves_to_the_dialogs_what_they_tell(desk: Desk):
    """Where somebody lives, who is head and behind which door is not typed over: the form says where it is done, and leads there."""
    home, (head, *_) = desk.homes(2)[9]
    desk.open("household", home.id)
    desk.page.get_by_role("button", name="换户主", exact=True).click()
    desk.page.get_by_role("dialog", name="换户主").get_by_role("button", name="取消").click()
    expect(desk.page.get_by_role("button", name="修改所住房屋")).to_have_count(0)
    desk.open("person", head.id)
    desk.page.get_by_role("button", name="修改居住", exact=True).click()
    expect(desk.page.get_by_role("combobox", name="在住状态")).to_be_visible()
    expect(desk.page.get_by_role("combobox", name="居住住户")).to_have_count(0)
    expect(desk.page.get_by_text("这一项不在这里改")).to_be_visible()
    desk.page.locator("form").get_by_role("button", name="离开本户").click()
    expect(desk.page.get_by_role("dialog", name="离开本户")).to_be_visible()


def test_an_entrance_is_put_where_it_stands(desk: Desk):
    """Picked on the map or typed, the cell that follows is told before it is written; then the entrance and whoever lives behind it are there."""
    rows = desk.rows("entrance")
    entrance = next(one for one in rows.values() if one["anchor"])
    other = next(one for one in rows.values() if one["anchor"] and one.home != entrance.home)
    doors = {one.id for one in desk.rows("dwelling").values() if one["entrance"] == entrance.id}
    dialog = desk.begin("entrance", entrance.id, "改位置")
    expect(dialog.get_by_role("button", name="保存")).to_be_disabled()
    dialog.get_by_role("region", name="位置地图").click(position={"x": 300, "y": 120})
    expect(dialog.get_by_role("spinbutton", name="经度")).not_to_have_value(f"{entrance['anchor']['lon']:.7f}")
    expect(dialog.get_by_role("status")).to_contain_text("移动")
    for field, name in (("经度", "lon"), ("纬度", "lat")):
        dialog.get_by_role("spinbutton", name=field).fill(f"{other['anchor'][name]:.7f}")
        dialog.get_by_role("spinbutton", name=field).press("Tab")
    choose(dialog, "怎么得来的", "测量")
    expect(dialog.get_by_role("status")).to_contain_text(re.compile("现在：.+网格 → 改后：.+网格"))
    desk.finish(dialog, "位置已改")
    now = desk.rows("entrance")[entrance.id]
    assert (now.home, now["anchor"]["method"], now["anchor"]["lon"]) == (other.home, "survey", round(other["anchor"]["lon"], 7))
    assert doors
    assert {one.home for one in desk.rows("household").values() if one["dwelling"] in doors} == {other.home}
