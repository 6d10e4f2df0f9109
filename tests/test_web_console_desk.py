"""The secretary's desk: who reaches what, why a record stands where it stands, matters handed on, people above the communities."""

from __future__ import annotations

import json
import re
import time
import uuid
from typing import Any

from browser_kit import DemoSite
from console_kit import COMMUNITY, Colleague, choose, faults, open_part, rows_of, shown_count, sign_in, sign_in_by_form
from playwright.sync_api import Page, Playwright, expect


def test_who_reaches_a_shelter_on_foot_stands_on_the_map_and_in_the_list(
    office_page: Page, demo_site: DemoSite, playwright: Playwright
):
    """The planner asks for another kind of place and a shorter walk; dwellings without, and the farthest buildings, are those that the server counts."""
    planner = Colleague(playwright, demo_site, "planner")
    told = planner.get(f"/api/v1/communities/{COMMUNITY}/coverage?category=bus&minutes=5")["categories"][0]
    sign_in(office_page, demo_site, "planner")
    open_part(office_page, "文件")
    office_page.get_by_role("link", name="步行可达").click()
    expect(office_page.get_by_text(re.compile("套房屋"))).to_be_visible()
    office_page.get_by_role("combobox", name="去哪里").click()
    office_page.get_by_role("option", name=re.compile("客车")).click()
    choose(office_page, "步行", "5 分钟", exact=True)
    expect(office_page.get_by_role("status").filter(has_text="套房屋")).to_contain_text(f"{told['total']['without']:,} 套走不到")
    homes = told["total"]  # a planner is told households as an estimate
    expect(office_page.get_by_role("status").filter(has_text="套房屋")).to_contain_text(f"{homes['households']:,} 户中约 {homes['households_without']:,} 户走不到")
    first = next(one for one in told["buildings"] if not one["within"])
    expect(office_page.get_by_role("row").filter(has_text=first["building"]["name"]).first).to_contain_text(first["nearest"]["name"])
    expect(office_page.get_by_role("region", name=re.compile("步行可达客车的地图"))).to_be_visible()


def test_a_division_is_proposed_and_its_households_stand_on_the_map(office_page: Page, demo_site: DemoSite):
    """Six cells of about equal size, along a wall that was given, become a draft that could be published; the heading tells how even they are."""
    sign_in(office_page, demo_site)
    open_part(office_page, "网格")
    office_page.get_by_role("button", name="自动划分").click()
    office_page.get_by_label("分成几个网格").fill("6")
    assert faults(office_page) == []
    walls = office_page.get_by_label("围墙、道路")
    walls.set_input_files({"name": "不是图.geojson", "mimeType": "application/geo+json", "buffer": b"<kml/>"})
    office_page.get_by_role("button", name="划分", exact=True).click()
    expect(office_page.get_by_role("alert")).to_contain_text("不是图.geojson 不是 GeoJSON 文件")
    wall = {"type": "LineString", "coordinates": [[120.6, 31.3], [120.61, 31.31]]}
    walls.set_input_files({"name": "围墙.geojson", "mimeType": "application/geo+json", "buffer": json.dumps(
        {"type": "FeatureCollection", "features": [{"type": "Feature", "properties": {}, "geometry": wall}]}).encode()})  # fmt: skip
    sent: list[dict[str, Any]] = []
    office_page.on("request", lambda asked: sent.append(json.loads(asked.post_data or "{}")) if asked.url.endswith("/editions/propose") else None)
    office_page.get_by_role("button", name="划分", exact=True).click()
    expect(office_page.get_by_text("已划分并存为草稿")).to_be_visible(timeout=60_000)
    assert (sent[0]["lines"]["features"][0]["geometry"], sent[0]["datum"]) == (wall, "cgcs2000")
    expect(office_page.get_by_text("6 个网格").first).to_be_visible()
    households = len(rows_of(demo_site, "household"))
    line = office_page.get_by_text(re.compile(r"每格 \d+ 至 \d+ 户"))
    expect(line).to_be_visible()
    least, most = (int(one) for one in re.findall(r"\d+", line.inner_text()))
    assert least <= households / 6 <= most and most < 1.2 * least
    office_page.get_by_role("button", name="丢弃草稿").click()
    office_page.get_by_role("button", name="确定").click()
    expect(office_page.get_by_text("草稿已丢弃")).to_be_visible()


def test_roads_that_the_secretary_keeps_are_walked_along(office_page: Page, demo_site: DemoSite, playwright: Playwright):
    """A file of lines makes ways of straight lines, with how far houses are from a road; a choice and a button bring the lines back."""
    secretary = Colleague(playwright, demo_site, "secretary")
    houses = [one["building"] for one in secretary.get(f"/api/v1/communities/{COMMUNITY}/coverage?category=shelter")["categories"][0]["buildings"]]
    lanes = {"type": "FeatureCollection", "features": [
        {"type": "Feature", "properties": {}, "geometry": {"type": "LineString", "coordinates": [[one["lon"], one["lat"]] for one in houses]}}]}  # fmt: skip
    sign_in(office_page, demo_site)
    open_part(office_page, "文件")
    office_page.get_by_role("link", name="步行可达").click()
    how = office_page.get_by_role("status").filter(has_text="套房屋")
    expect(how).to_contain_text("直线距离")
    office_page.get_by_role("button", name="步行路网").click()
    office_page.get_by_label("文件", exact=True).set_input_files({"name": "lanes.geojson", "mimeType": "application/json", "buffer": json.dumps(lanes).encode()})
    office_page.get_by_role("button", name="导入", exact=True).click()
    expect(office_page.get_by_text("现有路网 lanes.geojson")).to_be_visible(timeout=30_000)
    office_page.keyboard.press("Escape")
    expect(how).to_contain_text("沿路网计算")
    expect(office_page.get_by_role("dialog")).to_be_hidden()
    choose(office_page, "怎么走", "按直线")
    expect(how).to_contain_text("直线距离")
    office_page.get_by_role("button", name="步行路网").click()
    office_page.get_by_role("button", name="删除路网").click()
    expect(office_page.get_by_role("combobox", name="怎么走")).to_have_count(0)


def test_a_record_says_why_it_stands_in_its_cell(office_page: Page, demo_site: DemoSite):
    """One tap beside the cell's name tells the entrance whose place decides, with the way there."""
    person = next(one for one in rows_of(demo_site, "person").values() if one["residence_household"])
    sign_in(office_page, demo_site)
    office_page.goto(f"{demo_site.url}/#/records/person/{person.id}")
    office_page.get_by_role("button", name="为什么在这里").click()
    note = office_page.get_by_role("status", name="为什么在这里")
    expect(note).to_contain_text(re.compile("单元/门“.+”的位置（.+）落在第.+网格"))
    note.get_by_role("link").last.click()
    expect(office_page.get_by_role("heading", level=1)).to_contain_text("单元")


def test_a_past_day_shows_its_own_figures_and_opens_its_own_lists(
    office_page: Page, demo_site: DemoSite, playwright: Playwright
):
    """The overview of a day is what the interface tells for it; the list behind a figure is of the same day."""
    day = "2026-08-31"
    secretary = Colleague(playwright, demo_site, "secretary")
    told = secretary.get(f"/api/v1/communities/{COMMUNITY}/baseline?as_of={day}")
    sign_in(office_page, demo_site)
    office_page.get_by_role("combobox", name="看某一天的情况").fill(day)
    office_page.keyboard.press("Enter")
    expect(office_page.get_by_text(f"{day} 当天的情况")).to_be_visible()
    tile = office_page.get_by_label("底数", exact=True).get_by_role("button", name=re.compile("住户"))
    expect(tile).to_contain_text(f"{told['total']['counts']['household']:,}")
    tile.click()
    expect(office_page.get_by_role("heading", level=1)).to_have_text("住户台账")
    expect(office_page.locator("footer.foot")).to_contain_text(f"{day} 当天的情况")
    figures = [("住户", "household"), ("常住人口", "resident_person"), ("房屋", "dwelling")]
    for name, counted in figures:
        office_page.goto(f"{demo_site.url}/#/?day={day}")
        office_page.get_by_label("底数", exact=True).get_by_role("button", name=re.compile(name)).click()
        expect(office_page.locator("footer.foot")).to_contain_text(f"{day} 当天的情况")
        expect(office_page.get_by_role("status").filter(has_text="共")).to_have_text(f"共 {told['total']['counts'][counted]:,} 条", timeout=30_000)  # reckoned from the records
    cell = told["cells"][0]
    office_page.goto(f"{demo_site.url}/#/?day={day}")
    office_page.get_by_role("region", name="底数表").get_by_role("link", name=cell["name"]).click()
    expect(office_page.get_by_role("heading", level=1)).to_have_text(cell["name"])
    expect(office_page.get_by_text(f"{day} 当天的情况")).to_be_visible()
    office_page.get_by_label("底数", exact=True).get_by_role("button", name=re.compile("常住人口")).click()
    assert shown_count(office_page) == cell["counts"]["resident_person"]

    # A question asked on that day: children are as old as they were, and keys, which carry no dates, are today's.
    small = secretary.get(f"/api/v1/communities/{COMMUNITY}/questions/children_under_3/counts?as_of={day}")["lists"][0]
    office_page.goto(f"{demo_site.url}/#/?day={day}")
    office_page.get_by_role("button", name="3 岁以下儿童", exact=True).click()
    expect(office_page.locator("footer.foot")).to_contain_text(f"{day} 当天的情况")
    assert shown_count(office_page) == small["count"]
    office_page.goto(f"{demo_site.url}/#/?day={day}")
    office_page.get_by_role("button", name="商铺（按网格）", exact=True).click()
    expect(office_page.get_by_role("status").filter(has_text="以下是今天的情况")).to_be_visible()
    expect(office_page.locator("footer.foot")).not_to_contain_text("当天的情况")


def test_a_cell_is_handed_to_a_successor(office_page: Page, demo_site: DemoSite, playwright: Playwright):
    """The successor works the cell from today, the predecessor no longer; the duty stays the same. A substitute is entered beside, for some days."""
    sign_in(office_page, demo_site)
    office_page.goto(f"{demo_site.url}/#/cells/work")
    row = office_page.get_by_role("row").filter(has_text="第十七网格").filter(has_text="网格员甲")
    row.get_by_role("button", name="交接").click()
    dialog = office_page.get_by_role("dialog")
    dialog.get_by_role("combobox", name="接手人").click()
    office_page.get_by_role("option", name="网格员乙").click()
    assert faults(office_page) == []
    dialog.get_by_role("button", name="交接").click()
    expect(office_page.get_by_text("已交接").first).to_be_visible()
    expect(office_page.get_by_role("row").filter(has_text="第十七网格")).to_contain_text("网格员乙")
    assert office_page.get_by_role("row").filter(has_text="第十七网格").filter(has_text="网格员甲").count() == 0
    reference = Colleague(playwright, demo_site, "secretary").get("/api/v1/reference")
    working = [one for one in reference["assignments"] if one["cell_id"] == f"{COMMUNITY}017"]
    assert len(working) == 1 and working[0]["duty"] == "lead"

    office_page.get_by_role("button", name="安排网格员").first.click()
    dialog = office_page.get_by_role("dialog", name="安排网格员")
    for field, choice in (("网格", "第十七网格"), ("网格员", "网格员甲")):
        dialog.get_by_role("combobox", name=field, exact=True).fill(choice)
        office_page.get_by_role("option", name=choice, exact=True).locator("visible=true").click()
    choose(dialog, "职责", "代班", exact=True)
    for field, day in (("起", "2099-01-10"), ("止", "2099-01-02")):
        dialog.get_by_role("combobox", name=field).fill(day)
        dialog.get_by_role("combobox", name=field).press("Enter")
    expect(dialog.get_by_role("alert")).to_have_text("“止”不能早于“起”")
    expect(dialog.get_by_role("button", name="确定")).to_be_disabled()
    assert faults(office_page) == []
    dialog.get_by_role("combobox", name="止").fill("2099-01-20")
    dialog.get_by_role("combobox", name="止").press("Enter")
    dialog.get_by_role("button", name="确定").click()
    substitute = office_page.get_by_role("row").filter(has_text="第十七网格").filter(has_text="网格员甲")
    expect(substitute).to_contain_text(re.compile("代班.*2099-01-10.*2099-01-20.*未开始"))


def test_an_officer_chooses_among_the_communities_below(office_page: Page, demo_site: DemoSite):
    """Nobody has to know a community's number: those within reach are offered by name on every page; the choice stays until another one."""
    demo_site.dishu("community", "add", "999999001003", "--name", "河对岸社区")
    sign_in(office_page, demo_site, "officer")
    office_page.get_by_role("button", name=re.compile("桑榆里社区")).click()
    expect(office_page.get_by_role("heading", level=1)).to_contain_text("桑榆里社区")
    expect(office_page.get_by_role("region", name=re.compile("网格地图"))).to_be_visible()
    open_part(office_page, "花名册")
    expect(office_page.locator("footer.foot")).to_contain_text("截至")
    office_page.reload()
    assert shown_count(office_page) > 100
    office_page.locator(".v-scroll tbody a").first.click()
    expect(office_page.get_by_text("一户一档")).to_be_visible()
    office_page.get_by_role("button", name="为什么在这里").click()
    expect(office_page.get_by_role("status", name="为什么在这里")).to_contain_text("网格")
    open_part(office_page, "花名册")
    bar = office_page.get_by_role("banner")
    bar.get_by_role("button", name="桑榆里社区").click()
    office_page.get_by_role("menuitem", name="河对岸社区").click()
    expect(bar.get_by_role("button", name="河对岸社区")).to_be_visible()
    expect(office_page.get_by_text("没有符合条件的")).to_be_visible()
    open_part(office_page, "总览")
    expect(office_page.get_by_role("heading", level=1)).to_contain_text("河对岸社区")
    bar.get_by_role("button", name="街道工作人员").click()
    office_page.get_by_role("menuitem", name="退出登录").click()
    expect(office_page.get_by_label("账号")).to_be_visible()
    sign_in_by_form(office_page, demo_site, "officer")
    expect(office_page.get_by_role("region", name="选择要看的社区")).to_be_visible()


class Phone:
    """A phone of the first worker, without a screen: what it pushes is judged like any other."""

    def __init__(self, playwright: Playwright, site: DemoSite, label: str) -> None:
        self.context = playwright.request.new_context(base_url=site.url)
        made = self.context.post("/api/v1/enroll", data={"code": site.enrolment_code(), "label": label}).json()
        self.install_id, self.headers = made["install_id"], {"Authorization": f"Bearer {made['device_token']}"}
        pulled = self._post("pull", {"protocol": 1, "install_id": self.install_id, "cursor": None, "limit": None, "scope": {"version": 0}})
        self.scope, self.streams = pulled["scope"]["version"], pulled["scope"]["streams"]

    def push(self, *operations: dict[str, Any]) -> list[str]:
        """What became of each, every one a group of its own; numbered from 1."""
        made = [{"op_id": new_id(), "base": None, "set": {}, "was": {}, "form_version": 1, "claimed_at": "2026-03-01T08:00:00Z"} | one for one in operations]
        groups = [{"ops": [{"n": n, "op": json.dumps(one)}]} for n, one in enumerate(made, 1)]
        body = {"protocol": 1, "install_id": self.install_id, "after": {"n": 0, "op_id": None}, "scope": {"version": self.scope, "last_n": 0},
                "sent_at": "2026-03-01T08:00:00Z", "groups": groups}  # fmt: skip
        return [one["now"]["outcome"] for one in self._post("push", body)["results"]]

    def tell(self, unsent: int) -> None:
        """Say how much it has still to send, as every pull does."""
        cursor, complete = None, False
        while not complete:
            page = self._post("pull", {"protocol": 1, "install_id": self.install_id, "cursor": cursor, "limit": None, "scope": {"version": 0}, "unsent": unsent})
            cursor, complete = page["cursor"], page["complete"]

    def _post(self, what: str, body: dict[str, Any]) -> Any:
        answer = self.context.post(f"/api/v1/sync/{what}", data=json.dumps(body), headers=self.headers | {"Content-Type": "application/json"})
        assert answer.ok, answer.text()
        return answer.json()


def new_id() -> str:
    """A new id whose time is now."""
    stamp, tail = int(time.time() * 1000).to_bytes(6, "big").hex(), uuid.uuid4().hex
    return str(uuid.UUID(f"{stamp}7{tail[:3]}8{tail[3:18]}"))


def test_what_a_phone_could_not_get_in_is_settled_panel_by_panel(office_page: Page, demo_site: DemoSite, playwright: Playwright):
    """A wrong value is corrected, a proposal agreed to, a place near a border or far from all put into its cell; what waits says for what. Each leaves its panel.

    A phone that was replaced is shown until it has handed over what it had; one that is lost is shut out.
    """
    page, secretary = office_page, Colleague(playwright, demo_site, "secretary")
    phone, leaving, _ = (Phone(playwright, demo_site, label) for label in ("旧手机", "换下的手机", "闲置手机"))
    cells = {f"cell/{one['id']}": one for one in secretary.get("/api/v1/reference")["cells"]["features"]}
    mine = {one.removeprefix("cell/") for one in phone.streams} & {one.removeprefix("cell/") for one in cells}
    home = f"cell/{sorted(mine)[0]}"
    household = next(one for one in rows_of(demo_site, "household").values() if one.home == home and one["head"])
    person = rows_of(demo_site, "person")[household["head"]]
    other = next(one for one in rows_of(demo_site, "dwelling").values() if one.home.removeprefix("cell/") not in mine)
    elsewhere = {tuple(place) for name, cell in cells.items() if name != home for place in flat(cell["geometry"]["coordinates"])}
    lon, lat = next(place for place in flat(cells[home]["geometry"]["coordinates"]) if tuple(place) in elsewhere)
    within = cells[home]["properties"]
    anchor = {"lon": lon + (within["label_lon"] - lon) * 0.05, "lat": lat + (within["label_lat"] - lat) * 0.05, "datum": "cgcs2000", "method": "gps",
              "accuracy_m": 25, "confidence": 0.95}  # fmt: skip
    seen = {}
    for kind, one in (("person", person.id), ("household", household.id)):
        record = secretary.get(f"/api/v1/records/{kind}/{one}")["record"]
        seen[kind] = {"id": one, "type": kind, "base": {"v": record["v"], "tag": record["tag"]}}
    at = "2026-03-01T08:00:00Z"
    outcomes = phone.push(
        {"kind": "patch", **seen["person"], "set": {"birth_date": "1950-13-45"}, "op_id": (first := new_id())},
        {"kind": "create", "type": "resource", "id": new_id(), "set": {"name": "路口消防箱", "kind": "supply", "anchor": anchor}},
        {"kind": "create", "type": "resource", "id": (far := new_id()), "set": {"name": "河对岸仓库", "kind": "place", "anchor": {**anchor, "lon": lon + 0.3}}},
        {"kind": "create", "type": "visit", "id": new_id(), "set": {"household": new_id(), "method": "door", "outcome": "met", "visited_at": at}},
        {"kind": "command", **seen["household"], "name": "move_household", "arguments": {"dwelling": other.id}, "others": {}},
    )
    assert outcomes == ["quarantined", "applied", "applied", "held", "held"]
    assert phone.push({"kind": "patch", **seen["person"], "set": {"birth_date": "1950-11-45"}, "op_id": first}) == ["quarantined"]
    sign_in(page, demo_site)
    page.goto(f"{demo_site.url}/#/inbox?cell={within['code']}")  # from the figure of a cell: the list in which something of it waits
    expect(page.get_by_role("navigation", name="待办").locator("[aria-current=page]")).to_have_text(re.compile("待核对 *1"))
    row = page.get_by_role("row").filter(has_text="网格员甲")
    expect(row).to_contain_text("出生日期：应为真实日期")
    expect(row).to_contain_text("身份信息")
    names = [cell["properties"]["name"] for cell in cells.values() if cell["properties"]["code"] != within["code"]]
    page.get_by_role("combobox", name="网格", exact=True).select_option(names[0])
    expect(page.get_by_text("这里没有待办")).to_be_visible()
    expect(page.get_by_text("其他网格还有 1 项")).to_be_visible()  # the tab counts it
    page.get_by_role("button", name="看全部网格").click()
    expect(row).to_be_visible()
    page.get_by_role("combobox", name="网格", exact=True).select_option(within["name"])
    expect(row).to_contain_text(within["name"])
    row.get_by_role("button", name=re.compile("交给网格员核实")).click()
    page.get_by_role("menuitem", name=re.compile("网格员甲")).click()
    expect(row.get_by_role("button", name="已交给网格员甲核实")).to_be_visible()
    door = page.context.browser.new_page(locale="zh-CN")  # the worker finds it; to decide is the secretary's
    sign_in(door, demo_site, "worker1")
    door.goto(f"{demo_site.url}/#/inbox/quarantine")
    door.get_by_role("button", name="交给我的").click()
    expect(door.get_by_role("row").filter(has_text="出生日期：应为真实日期").get_by_role("button")).to_have_text(re.compile("已交给我核实"))
    door.close()
    row.get_by_role("button", name="改正后重交").click()
    dialog = page.get_by_role("dialog")
    again = dialog.get_by_role("button", name="改正后重交")
    expect(again).to_be_disabled()  # nothing is taken out by a field that was left empty
    dialog.get_by_label("不填这一项").check()
    expect(again).to_be_enabled()
    dialog.get_by_label("不填这一项").uncheck()
    dialog.get_by_label("出生日期").fill("1950-12-05")
    calendar = page.get_by_role("dialog", name="日历")
    expect(calendar).to_be_visible()
    assert faults(page, gone=()) == []
    dialog.get_by_label("出生日期").press("Enter")
    expect(calendar).to_be_hidden()
    assert faults(page) == []
    again.click()
    expect(page.get_by_text("这里没有待办")).to_be_visible()
    assert rows_of(demo_site, "person")[person.id]["birth_date"] == "1950-12-05"

    page.get_by_role("link", name="归格待定").click()
    card = page.get_by_role("article").filter(has_text="路口消防箱")
    card.get_by_role("button").first.click()
    expect(card).to_be_hidden()
    page.get_by_role("link", name="未落格").click()
    page.locator(".leaflet-control-scale-line").wait_for()
    expect(page.locator(".leaflet-control-scale-line")).to_have_text(re.compile(r"\d m$"))  # cells stay to be seen beside a place 27 km away
    row = page.get_by_role("row").filter(has_text="河对岸仓库")
    expect(row).to_contain_text(re.compile(r"最近：第.+网格，[\d,]+ 米"))
    row.get_by_role("button", name="指定网格").click()
    dialog = page.get_by_role("dialog", name="指定网格：河对岸仓库")
    choose(dialog, "网格", within["name"], exact=True)
    assert faults(page) == []
    dialog.get_by_label("理由").fill("")
    expect(dialog.get_by_role("button", name="确定")).to_be_disabled()  # why is asked
    dialog.get_by_label("理由").fill("对岸仓库归本格管")
    dialog.get_by_role("button", name="确定").click()
    expect(row).to_have_count(0)
    assert rows_of(demo_site, "resource")[far].home == home
    page.get_by_role("link", name="等另一条").click()
    page.get_by_role("combobox", name="网格", exact=True).select_option("全部网格")  # the cell that was chosen is kept from tab to tab
    expect(page.get_by_role("row").filter(has_text="走访")).to_contain_text("所属的记录还没有到")
    page.get_by_role("link", name="疑点").click()
    found = page.get_by_role("row").filter(has=page.get_by_role("link", name="旧手机"))
    expect(found).to_contain_text("这台设备用同一编号交了两份内容")  # about a phone, not about a record
    expect(found).to_contain_text("网格员甲")
    found.get_by_role("button", name="知道了", exact=True).click()
    expect(found).to_have_count(0)
    page.get_by_role("link", name="提议").click()
    card = page.get_by_role("article").filter(has_text="整户搬迁")
    expect(card).to_contain_text("迁往")  # what is agreed to is told, not only that something is asked
    card.get_by_role("button", name="同意", exact=True).click()
    expect(card).to_be_hidden()
    assert rows_of(demo_site, "household")[household.id]["dwelling"] == other.id

    page.goto(f"{demo_site.url}/#/people/devices")
    leaving.tell(1)
    page.get_by_role("row").filter(has_text="换下的手机").get_by_role("button").click()
    page.get_by_role("dialog").get_by_role("button", name="更换").click()
    expect(page.get_by_role("row").filter(has_text="换下的手机")).to_contain_text("等它交完 1 条")
    leaving.push({"kind": "create", "type": "visit", "id": new_id(), "set": {"household": household.id, "method": "door", "outcome": "met", "visited_at": at}})
    page.reload()
    expect(page.get_by_role("row").filter(has_text="换下的手机")).to_contain_text("已交完")
    for label, reason in (("旧手机", "遗失"), ("闲置手机", "不再使用")):
        page.get_by_role("row").filter(has_text=label).get_by_role("button").click()
        page.get_by_role("dialog").get_by_role("button", name=reason).click()
        expect(page.get_by_role("row").filter(has_text=label)).to_contain_text(f"已停用：{reason}")
    refused = phone.context.get("/api/v1/sync/config", headers=phone.headers)
    assert refused.status in (401, 403)


def flat(coordinates: Any) -> list[list[float]]:
    """All places of a geometry."""
    return [coordinates] if isinstance(coordinates[0], float) else [place for part in coordinates for place in flat(part)]


def test_somebody_is_erased_after_a_look_at_what_goes_and_what_stays(office_page: Page, demo_site: DemoSite):
    """A reason is chosen and the name typed; then the page is gone for everybody, and who did it stands in the audit log."""
    page = office_page
    person = next(one for one in rows_of(demo_site, "person").values() if one["relation_to_head"] not in (None, "02") and one["residence_household"])
    sign_in(page, demo_site)
    page.goto(f"{demo_site.url}/#/records/person/{person.id}")
    page.get_by_role("button", name="依法删除").click()
    dialog = page.get_by_role("dialog", name="依法删除")
    expect(dialog).to_contain_text(re.compile("会删除.*人员 1", re.DOTALL))
    expect(dialog).to_contain_text("还会留下")
    button = dialog.get_by_role("button", name="永久删除")
    expect(button).to_be_disabled()
    choose(dialog, "理由", "误登记")
    dialog.get_by_label(re.compile("输入姓名")).fill(str(person["name"])[:1])
    expect(button).to_be_disabled()
    dialog.get_by_label(re.compile("输入姓名")).fill(str(person["name"]))
    button.click()
    expect(dialog.get_by_role("status")).to_contain_text("已删除")
    assert person.id not in rows_of(demo_site, "person")
    dialog.get_by_role("button", name="知道了").click()
    expect(page.get_by_role("navigation", name="栏目")).to_be_visible()
