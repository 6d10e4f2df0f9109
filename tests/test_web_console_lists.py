"""Figures, pages and files of the console of which each has a list or a package behind it: as many rows as it says."""

from __future__ import annotations

import json
import re
import zipfile

import pytest
from browser_kit import DemoSite
from console_kit import COMMUNITY, Colleague, age_of, choose, faults, open_part, rows_of, shown_count, sign_in
from playwright.sync_api import Page, Playwright, expect

from server.house import uuid7

pytestmark = pytest.mark.long


def test_every_figure_of_the_work_in_a_cell_opens_as_many_rows(office_page: Page, demo_site: DemoSite, playwright: Playwright):
    """Households, those that nobody confirmed for long, visits, dwellings that are missing, and what is open: what the table says is what its list has."""
    page, secretary = office_page, Colleague(playwright, demo_site, "secretary")
    children = [one for one in rows_of(demo_site, "person").values() if (age_of(one) or 99) < 10 and one.home.startswith("cell/")]
    child = max(children, key=lambda one: one.home)
    record = secretary.get(f"/api/v1/records/person/{child.id}")["record"]
    (odd,) = secretary.write({"kind": "patch", "type": "person", "id": child.id, "base": {"v": record["v"], "tag": record["tag"]}, "was": {}, "set": {"marital_code": "20"}})
    assert odd["now"]["outcome"] == "applied", odd
    told = secretary.get(f"/api/v1/communities/{COMMUNITY}/work")["cells"]
    cell = next(one for one in told if one["cell_id"] == child.home.removeprefix("cell/"))
    assert cell["households"] and cell["stale_households"] and sum(cell["open"].values())
    sign_in(page, demo_site)
    missing = cell["coverage"]["expected_dwellings"] - cell["coverage"]["surveyed_dwellings"]
    columns = {"coverage": (2, missing), "households": (3, cell["households"]), "stale": (4, cell["stale_households"]), "visits": (5, cell["visits"])}
    for name, (column, expected) in columns.items():
        page.goto(f"{demo_site.url}/#/cells/progress")
        row = page.get_by_role("row").filter(has=page.get_by_role("link", name=cell["name"], exact=True))
        assert faults(page) == []
        row.get_by_role("cell").nth(column).get_by_role("button").click()
        page.locator("footer.foot").wait_for()
        assert shown_count(page) == expected, name
    kinds = ("两人填的不一样", "疑点", "等另一条", "待核对", "提议")
    for _ in range(5):  # findings are looked for all the time: one may be made between the two pages
        page.goto(f"{demo_site.url}/#/cells/progress")
        link = page.get_by_role("row").filter(has=page.get_by_role("link", name=cell["name"], exact=True)).get_by_role("cell").last.get_by_role("link")
        figure = int(link.inner_text())
        link.click()
        tabs = page.get_by_role("navigation", name="待办")
        expect(tabs.locator("[aria-current=page]")).to_contain_text("疑点")
        waiting = sum(int(re.sub(r"\D", "", tabs.get_by_role("link", name=re.compile(f"^{kind}")).inner_text())) for kind in kinds)
        if waiting == figure:
            break
    assert waiting == figure > 0


def test_counts_stand_on_hexagons_and_the_package_holds_one_cell(office_page: Page, demo_site: DemoSite, playwright: Playwright):
    """The map of a lattice is that of its file, small counts withheld; the package of one cell has that cell's buildings alone."""
    page = office_page
    sign_in(page, demo_site)
    open_part(page, "文件")
    lattice = page.get_by_role("region", name="格网热力图")
    with page.expect_response(re.compile("/lattice")) as answer:
        lattice.get_by_role("button", name="看图").click()
    counts = [one["properties"]["count"] for one in answer.value.json()["features"]]
    assert None in counts and any(counts) and not any(0 < count < 10 for count in counts if count is not None)
    drawn = lattice.locator(".mapbox").get_by_role("region", name="格网地图")
    expect(drawn).to_be_visible()
    expect(lattice.get_by_role("group", name="图例")).to_contain_text("住户")
    page.wait_for_function("() => [...document.querySelectorAll('.mapbox canvas')].some(one => one.getContext('2d').getImageData(0, 0, one.width, one.height).data.some(Boolean))")
    assert faults(page) == []
    fullest = str(max(filter(None, counts)))
    expect(lattice.locator(".cell-label").filter(has_text=fullest).first).to_have_text(fullest)  # the fullest is told, too
    with page.expect_download() as kept:
        lattice.get_by_role("button", name="下载").click()
    assert [one["properties"]["count"] for one in json.loads(kept.value.path().read_text())["features"]] == counts

    choose(page, "数据包范围", "第七网格")
    page.get_by_role("button", name="生成数据包").click()
    link = page.get_by_role("row").filter(has_text="第七网格").get_by_role("link", name=re.compile("下载"))
    link.wait_for(timeout=60_000)
    with page.expect_download() as package:
        link.click()
    with zipfile.ZipFile(package.value.path()) as files:
        name = next(one for one in files.namelist() if one.endswith("buildings.geojson"))
        held = {one["properties"]["name"] for one in json.loads(files.read(name))["features"]}
    assert held == {one["name"] for one in rows_of(demo_site, "building").values() if one.home == f"cell/{COMMUNITY}007"}


def test_what_belongs_to_a_building_goes_on_behind_the_first_rows(office_page: Page, demo_site: DemoSite, playwright: Playwright):
    """Twelve, then fifty more at a tap, until all that the heading counts stand there."""
    page, secretary = office_page, Colleague(playwright, demo_site, "secretary")
    building = next(iter(rows_of(demo_site, "building").values()))
    made = [{"kind": "create", "type": "resource", "id": uuid7(), "set": {"name": f"灭火器 {n:03d}", "kind": "supply", "building": building.id}} for n in range(230)]
    for begin in range(0, len(made), 50):
        assert {one["now"]["outcome"] for one in secretary.write(*made[begin : begin + 50])} == {"applied"}
    sign_in(page, demo_site)
    page.goto(f"{demo_site.url}/#/records/building/{building.id}")
    card = page.locator("section.card").filter(has_text="灭火器")
    expect(card.get_by_role("listitem")).to_have_count(12)
    count = int(card.locator("header .faint").inner_text())
    assert count >= 230
    assert faults(page) == []
    while (more := card.get_by_role("button", name=re.compile("再显示"))).count():
        before = card.get_by_role("listitem").count()
        more.click()
        expect(card.get_by_role("listitem")).not_to_have_count(before)
    expect(card.get_by_role("listitem")).to_have_count(count)
