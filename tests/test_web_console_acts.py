"""What happens to households and people, told at the console as on a phone: each act in its dialog, then the facts counted from the database."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from browser_kit import DemoSite
from console_kit import Row, choose, faults, let_in, rows_of, today, type_address
from playwright.sync_api import Locator, Page, expect

HEAD = "02"
SURE = re.compile("^(确定|保存)$")
DAY = (today() - timedelta(days=3)).isoformat()
NUMBER = "999999201503070035"
"""Of nobody: a region that is none, with its check digit."""


@pytest.fixture
def desk(office_page: Page, demo_site: DemoSite) -> Desk:
    let_in(office_page, demo_site)
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
        type_address(self.page, self.site, f"/records/{kind}/{record_id}")
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
        assert faults(self.page) == []
        dialog.get_by_role("button", name=SURE).click()
        expect(self.page.get_by_text(told)).to_be_visible(timeout=20_000)
        expect(dialog).to_have_count(0)

    def around(self, title: str) -> Locator:
        """The card of what belongs to the record."""
        return self.page.locator("section.card").filter(has=self.page.get_by_role("heading", name=title, exact=True))

    def rows(self, kind: str) -> dict[str, Row]:
        return rows_of(self.site, kind)

    def homes(self, least: int) -> list[tuple[Row, list[Row]]]:
        """Households with a head and at least so many living members, the head first."""
        living: dict[str, list[Row]] = {}
        for one in self.rows("person").values():
            if one["vital_status"] != "deceased":
                living.setdefault(one["residence_household"] or "", []).append(one)
        found = []
        for home in self.rows("household").values():
            members = sorted(living.get(home.id, []), key=lambda one: one.id != home["head"])
            if len(members) >= least and members[0].id == home["head"]:
                found.append((home, members))
        return found

    def left(self, person: str) -> Row:
        """The one closed episode of somebody that ended on the day."""
        found = [one for one in self.rows("residence").values() if one["person"] == person and one["resident_to"] == DAY]
        assert len(found) == 1
        return found[0]


def find(dialog: Locator, field: str, text: str, told: str = "") -> None:
    """Look for a record by words and take the first hit that tells this, too."""
    dialog.get_by_role("combobox", name=field).fill(text)
    dialog.page.get_by_role("option").filter(has_text=told).locator("visible=true").first.click()


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
    assert faults(desk.page) == []
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


def test_a_household_has_another_head_splits_moves_and_is_joined_again(desk: Desk):
    """Relations follow the new head; who is parted has a household with a head behind the same door; who moves lives behind the other door from that day;
    joined again, everybody lives here under the head that was chosen, and the household that ended leads to the one that stayed."""
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

    dialog = desk.begin("household", home.id, "并户")
    expect(dialog.get_by_role("button", name="确定")).to_be_disabled()
    find(dialog, "并哪一户", third["name"], door)  # by who is head there
    preview = dialog.get_by_role("status")
    expect(preview).to_contain_text(f"{head['name']}（户主）")
    expect(preview).to_contain_text(re.compile(f"并过来的.*{third['name']}（户主）"))
    choose(dialog, "并户后谁当户主", heir["name"])
    choose(dialog, head["name"], "父亲", exact=True)
    choose(dialog, third["name"], "子", exact=True)
    on(dialog, "哪天并户")
    choose(dialog, "并过来的人离开原处的原因", "其他")
    desk.finish(dialog, "已并户")
    people = desk.rows("person")
    assert [(people[one.id]["residence_household"], people[one.id]["relation_to_head"]) for one in (heir, head, third)] == [(home.id, HEAD), (home.id, "51"), (home.id, "20")]
    assert desk.rows("household")[home.id]["head"] == heir.id
    assert made not in desk.rows("household")
    desk.page.goto(f"{desk.site.url}/#/records/household/{made}")
    desk.page.get_by_role("link", name="看并到的那一份").click()
    expect(desk.page).to_have_url(re.compile(f"/records/household/{home.id}$"))


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


def test_what_the_office_did_is_written_on_the_page(desk: Desk):
    """A visit with its outcome, somebody's care, a party member and where they checked in: each is entered on the page of whom it is about, and stands there."""
    members = {one["person"] for one in desk.rows("party_member").values()}
    home, (head, *_) = [one for one in desk.homes(2) if one[1][0].id not in members][12]
    dialog = desk.begin("household", home.id, "记走访")
    choose(dialog, "方式", "电话")
    expect(dialog.get_by_role("button", name="保存")).to_be_disabled()
    choose(dialog, "结果", "另约时间")
    expect(dialog.get_by_role("alert")).to_contain_text("另约时间但未填日期")
    on(dialog, "约定日期")
    expect(dialog.get_by_role("alert")).to_have_count(0)
    desk.finish(dialog, "已登记走访")
    expect(desk.around("走访")).to_contain_text("另约时间")
    visit = next(one for one in desk.rows("visit").values() if one["household"] == home.id and one["next_visit_on"] == DAY)
    assert (visit["method"], visit["outcome"], visit.home) == ("phone", "appointment", home.home)
    assert datetime.fromisoformat(visit["visited_at"]).astimezone(UTC) > datetime.now(UTC) - timedelta(minutes=10)

    dialog = desk.begin("person", head.id, "记重点关爱")
    choose(dialog, "类别", "慢性病")
    choose(dialog, "业务条线", "卫生健康")
    desk.finish(dialog, "已登记重点关爱")
    expect(desk.around("重点关爱")).to_contain_text("慢性病")
    care = next(one for one in desk.rows("care_status").values() if one["person"] == head.id and one["from_date"] == today().isoformat())
    assert care.home == head.home

    dialog = desk.begin("person", head.id, "登记党员")
    choose(dialog, "党员类别", "中国共产党预备党员")
    desk.finish(dialog, "已登记党员")
    expect(desk.page.get_by_role("group", name="办理").get_by_role("button", name="登记党员")).to_have_count(0)
    dialog = desk.begin("person", head.id, "报到")
    choose(dialog, "可参与搬运", "是")
    desk.finish(dialog, "已登记双报到")
    member = next(one for one in desk.rows("party_member").values() if one["person"] == head.id)
    (check_in,) = (one for one in desk.rows("check_in").values() if one["party_member"] == member.id)
    desk.page.goto(f"{desk.site.url}/#/rosters/check_ins")  # from the list: the name leads to who it is, the row to what was checked in
    desk.page.get_by_label("查找：党员").fill(head["name"])
    desk.page.get_by_label("查找：党员").press("Enter")
    row = desk.page.get_by_role("row").filter(has=desk.page.get_by_role("link", name=head["name"], exact=True)).filter(has_text=today().isoformat())
    row.get_by_role("link").click()
    expect(desk.page).to_have_url(re.compile(f"/records/person/{head.id}$"))
    desk.page.goto(f"{desk.site.url}/#/records/check_in/{check_in.id}")
    expect(desk.page.get_by_role("heading", level=1)).to_have_text(head["name"])
    assert (member["name"], member["political_code"], check_in["state"], check_in["registered_on"], check_in["can_carry_water"]) == (head["name"], "02", "registered", today().isoformat(), True)


def test_a_new_building_its_dwelling_and_who_lives_there_are_entered_from_the_lists(desk: Desk):
    """Where it is put is picked on the map; into which cell it falls is told before it is written, and what stands in it follows; without a place it is said what happens.

    An estate and an entrance are entered like a building, and who works in an organization reports for duty on its page.
    """
    page = desk.page
    other = next(one for one in desk.rows("entrance").values() if one["anchor"])
    for kind, name in (("resources", "资源"), ("buildings", "小区/院落/自然村"), ("organizations", "单位"), ("buildings", "楼栋")):
        page.goto(f"{desk.site.url}/#/rosters/{kind}")
        page.get_by_role("button", name=f"新增{name}").click()
        dialog = page.get_by_role("dialog", name=f"新增{name}")
        expect(dialog.get_by_role("status")).to_contain_text("还没有位置")
        dialog.locator("#a-number" if name == "楼栋" else "#a-name").fill("甲九十九")
        if kind == "resources":
            choose(dialog, "种类", "物资")
        if kind != "organizations":
            for field, degrees in (("经度", "lon"), ("纬度", "lat")):
                dialog.get_by_role("spinbutton", name=field).fill(f"{other['anchor'][degrees]:.7f}")
                dialog.get_by_role("spinbutton", name=field).press("Tab")
        else:
            dialog.get_by_role("region", name="位置地图").click(position={"x": 260, "y": 115})
        told = dialog.get_by_role("status")
        expect(told).to_contain_text(re.compile("归入：.+网格"))
        cell = told.inner_text().removeprefix("归入：")
        desk.finish(dialog, f"已登记{name}")
        expect(page.get_by_role("heading", level=1)).to_contain_text("甲九十九")
        expect(page.get_by_role("link", name=cell)).to_be_visible()
        if name == "单位":
            expect(page).to_have_url(re.compile("/records/organization/"))
            dialog = desk.begin("organization", page.url.rsplit("/", 1)[1], "报到")
            dialog.get_by_label("认领内容").fill("共建活动室")
            desk.finish(dialog, "已登记双报到")
            expect(desk.around("双报到")).to_contain_text("共建活动室")
    expect(page).to_have_url(re.compile("/records/building/"))
    building = page.url.rsplit("/", 1)[1]
    assert desk.rows("building")[building].home == other.home

    dialog = desk.begin("building", building, "新增单元/门")
    dialog.get_by_label("单元号").fill("3")
    expect(dialog.get_by_role("status")).to_contain_text(cell)  # it stands where its building stands
    desk.finish(dialog, "已登记单元/门")
    expect(page).to_have_url(re.compile("/records/entrance/"))
    entrance = page.url.rsplit("/", 1)[1]
    assert (desk.rows("entrance")[entrance]["building"], desk.rows("entrance")[entrance].home) == (building, other.home)

    dialog = desk.begin("building", building, "新增房屋")
    expect(dialog.get_by_role("status")).to_contain_text(cell)
    dialog.get_by_label("门牌号").fill("301")
    desk.finish(dialog, "已登记房屋")
    expect(page).to_have_url(re.compile("/records/dwelling/"))
    dwelling = page.url.rsplit("/", 1)[1]
    dialog = desk.begin("dwelling", dwelling, "新增住户")
    desk.finish(dialog, "已登记住户")
    expect(page).to_have_url(re.compile("/records/household/"))
    expect(page.get_by_role("group", name="办理").get_by_role("button", name="新增成员")).to_be_visible()
    found = desk.rows("dwelling")[dwelling]
    assert (found["building"], found["expected"], found.home) == (building, True, other.home)
    assert desk.rows("household")[page.url.rsplit("/", 1)[1]].home == other.home
