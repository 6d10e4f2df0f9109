"""The secretary's desk: who reaches what, why a record stands where it stands, matters handed on, people above the communities."""

from __future__ import annotations

import json
import re

from browser_kit import DemoSite
from console_kit import COMMUNITY, Colleague, open_part, rows_of, sign_in
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
    office_page.get_by_role("combobox", name="步行").click(force=True)
    office_page.get_by_role("option", name="5 分钟", exact=True).click()
    expect(office_page.get_by_role("status").filter(has_text="套房屋")).to_contain_text(f"{told['total']['without']:,} 套走不到")
    first = next(one for one in told["buildings"] if not one["within"])
    expect(office_page.get_by_role("row").filter(has_text=first["building"]["name"]).first).to_contain_text(first["nearest"]["name"])
    expect(office_page.get_by_role("region", name=re.compile("步行可达客车的地图"))).to_be_visible()


def test_a_division_is_proposed_and_its_households_stand_on_the_map(office_page: Page, demo_site: DemoSite):
    """Six cells of about equal size become a draft that could be published; the heading tells how even they are."""
    sign_in(office_page, demo_site)
    open_part(office_page, "网格")
    office_page.get_by_role("button", name="自动划分").click()
    office_page.get_by_label("分成几个网格").fill("6")
    office_page.get_by_role("button", name="划分", exact=True).click()
    expect(office_page.get_by_text("已划分并存为草稿")).to_be_visible(timeout=60_000)
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
    office_page.get_by_role("combobox", name="怎么走").click(force=True)
    office_page.get_by_role("option", name="按直线").click()
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


def test_a_conflict_is_handed_to_the_worker_of_the_cell_and_taken_back(
    office_page: Page, demo_site: DemoSite, playwright: Playwright
):
    """Who works in the cell stands first; the phone is told; the secretary can take it back."""
    secretary, worker = (Colleague(playwright, demo_site, one) for one in ("secretary", "worker1"))
    row = secretary.get(f"/api/v1/cells/{COMMUNITY}017/roster/household_book?limit=5")["rows"][0]
    record = secretary.get(f"/api/v1/records/household/{row['id']}")["record"]
    seen = {"kind": "patch", "type": "household", "id": row["id"], "base": {"v": record["v"], "tag": record["tag"]},
            "was": {"household_number": row["household_number"]}}  # fmt: skip
    secretary.write({**seen, "set": {"household_number": "999999333331"}})
    worker.write({**seen, "set": {"household_number": "999999333332"}})
    sign_in(office_page, demo_site)
    office_page.goto(f"{demo_site.url}/#/records/household/{row['id']}")
    office_page.get_by_role("button", name=re.compile("交给网格员核实")).click()
    office_page.get_by_role("menuitem", name=re.compile("网格员甲 本格")).click()
    expect(office_page.get_by_role("button", name=re.compile("已交给网格员甲核实"))).to_be_visible()
    office_page.reload()
    button = office_page.get_by_role("button", name=re.compile("已交给网格员甲核实"))
    button.click()
    office_page.get_by_role("menuitem", name="收回").click()
    expect(office_page.get_by_role("button", name=re.compile("交给网格员核实"))).to_be_visible()


def test_a_past_day_shows_its_own_figures_and_opens_its_own_lists(
    office_page: Page, demo_site: DemoSite, playwright: Playwright
):
    """The overview of a day is what the interface tells for it; the list behind a figure is of the same day."""
    day = "2026-08-31"
    told = Colleague(playwright, demo_site, "secretary").get(f"/api/v1/communities/{COMMUNITY}/baseline?as_of={day}")
    sign_in(office_page, demo_site)
    office_page.get_by_role("combobox", name="看某一天的情况").fill(day)
    office_page.keyboard.press("Enter")
    expect(office_page.get_by_text(f"{day} 当天的情况")).to_be_visible()
    tile = office_page.get_by_label("底数", exact=True).get_by_role("button", name=re.compile("住户"))
    expect(tile).to_contain_text(f"{told['total']['counts']['household']:,}")
    tile.click()
    expect(office_page.get_by_role("heading", level=1)).to_have_text("住户台账")
    expect(office_page.locator("footer.foot")).to_contain_text(f"{day} 当天的情况")


def test_a_cell_is_handed_to_a_successor(office_page: Page, demo_site: DemoSite, playwright: Playwright):
    """The successor works the cell from today, the predecessor no longer; the duty stays the same."""
    sign_in(office_page, demo_site)
    office_page.goto(f"{demo_site.url}/#/cells/work")
    row = office_page.get_by_role("row").filter(has_text="第十七网格").filter(has_text="网格员甲")
    row.get_by_role("button", name="交接").click()
    dialog = office_page.get_by_role("dialog")
    dialog.get_by_role("combobox", name="接手人").click()
    office_page.get_by_role("option", name="网格员乙").click()
    dialog.get_by_role("button", name="交接").click()
    expect(office_page.get_by_text("已交接").first).to_be_visible()
    expect(office_page.get_by_role("row").filter(has_text="第十七网格")).to_contain_text("网格员乙")
    assert office_page.get_by_role("row").filter(has_text="第十七网格").filter(has_text="网格员甲").count() == 0
    reference = Colleague(playwright, demo_site, "secretary").get("/api/v1/reference")
    working = [one for one in reference["assignments"] if one["cell_id"] == f"{COMMUNITY}017"]
    assert len(working) == 1 and working[0]["duty"] == "lead"


def test_an_officer_chooses_among_the_communities_below(office_page: Page, demo_site: DemoSite):
    """Nobody has to know a community's number: those within reach are offered by name, and the overview opens."""
    sign_in(office_page, demo_site, "officer")
    office_page.get_by_role("button", name=re.compile("桑榆里社区")).click()
    expect(office_page.get_by_role("heading", level=1)).to_contain_text("桑榆里社区")
    expect(office_page.get_by_role("region", name=re.compile("网格地图"))).to_be_visible()
