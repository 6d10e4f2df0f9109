"""The overview of a past day and of the months before: what is painted, told and opened there."""

from __future__ import annotations

import json
import re
import sqlite3
from datetime import date, timedelta

import pytest
from browser_kit import DemoSite
from console_kit import COMMUNITY, Colleague, faults, sign_in, today
from playwright.sync_api import Page, Playwright, expect


def month_ends(count: int) -> list[date]:
    """The last days of so many months before this one, the newest first."""
    ends, day = [], today()
    for _ in range(count):
        day = day.replace(day=1) - timedelta(days=1)
        ends.append(day)
    return ends


@pytest.fixture(scope="module")
def kept_months(demo_site: DemoSite) -> dict[str, dict[str, int]]:
    """What the server kept at the end of three months, by day; the last of them was reckoned."""
    kept = {
        day.isoformat(): {"residents": 700 + n, "households": 300 + n, "dwellings": 320, "surveyed": 310 - n, "aged": 90 + n}
        for n, day in enumerate(month_ends(3))
    }
    with sqlite3.connect(demo_site.folder / "dishu.sqlite3", timeout=30) as database:
        for n, (day, figures) in enumerate(kept.items()):
            told = json.dumps(figures | ({"reckoned": 1} if n == 2 else {}))
            database.execute("INSERT OR REPLACE INTO daily_figure (community_id, day, home, figures) VALUES (?, ?, '~total', ?)", (COMMUNITY, day, told))
    return kept


def test_the_map_of_a_past_day_is_painted_and_its_table_tells_ages(
    office_page: Page, demo_site: DemoSite, playwright: Playwright, kept_months: dict[str, dict[str, int]]
):
    """Freshness is of today: the map of a past day is coloured by density, which has that day, and says so; ages are those of that day, with their list."""
    day = next(iter(kept_months))
    told = Colleague(playwright, demo_site, "secretary").get(f"/api/v1/communities/{COMMUNITY}/overview?as_of={day}")
    sign_in(office_page, demo_site)
    expect(office_page.get_by_role("group", name="图例")).to_contain_text("新鲜度")
    with office_page.expect_response(f"**/overview?as_of={day}"):
        office_page.goto(f"{demo_site.url}/#/?day={day}")
    expect(office_page.get_by_role("note")).to_have_text("新鲜度只有今天的数，这一天的地图按人口密度着色")
    expect(office_page.get_by_role("group", name="图例")).to_contain_text("人口密度")
    labels = office_page.locator(".cell-label")
    expect(labels.filter(has_text=re.compile(r"第.+/公顷")).first).to_be_attached()
    expect(labels.filter(has_text="–")).to_have_count(0)
    expect(office_page.get_by_text("户、房屋、单位、资源、党员和覆盖率没有起止日期，按今天的登记计")).to_be_visible()
    table = office_page.get_by_role("region", name="底数表")
    expect(table.get_by_role("columnheader", name="新鲜度")).to_have_count(0)
    aged = told["total"]["ages"]["aged_60"]
    assert aged > 0
    with office_page.expect_response("**/roster/persons/search*"):
        table.locator("tfoot").get_by_role("button", name=f"{aged:,}", exact=True).click()
    expect(office_page.locator("footer.foot")).to_contain_text(f"{day} 当天的情况")
    expect(office_page.get_by_role("status").filter(has_text="共")).to_have_text(f"共 {aged:,} 条")
    office_page.goto(f"{demo_site.url}/#/")
    expect(office_page.get_by_role("group", name="图例")).to_contain_text("新鲜度")


def test_the_months_are_told_as_a_table_and_each_figure_opens_its_list(
    office_page: Page, demo_site: DemoSite, playwright: Playwright, kept_months: dict[str, dict[str, int]]
):
    """The trend of a past day has the months up to it; behind its points stands a table, and a figure in it opens the list of that day."""
    newest, middle, oldest = kept_months
    sign_in(office_page, demo_site)
    with office_page.expect_response(f"**/overview?as_of={middle}"):
        office_page.goto(f"{demo_site.url}/#/?day={middle}")
    office_page.get_by_role("button", name="趋势", exact=True).click()
    expect(office_page.get_by_role("img", name="变化趋势")).to_be_visible()
    table = office_page.get_by_role("region", name="各月的数")
    row = table.get_by_role("row").filter(has_text=oldest)
    expect(row).to_contain_text("推算")
    for n in kept_months[oldest].values():
        expect(row.get_by_role("cell", name=f"{n:,}", exact=True)).to_be_visible()
    expect(table.get_by_role("row").filter(has_text=newest)).to_have_count(0)  # later than the day that is looked at
    assert faults(office_page) == []
    expect(row.get_by_role("button", name=f"{kept_months[oldest]['surveyed']}", exact=True)).to_have_count(0)  # no list is behind it
    with office_page.expect_response("**/roster/persons/search*"):
        row.get_by_role("button", name=f"{kept_months[oldest]['aged']}", exact=True).press("Enter")
    expect(office_page.get_by_role("heading", level=1)).to_have_text("人员花名册")
    expect(office_page.locator("footer.foot")).to_contain_text(f"{oldest} 当天的情况")
    then = Colleague(playwright, demo_site, "secretary").get(f"/api/v1/communities/{COMMUNITY}/overview?as_of={oldest}")
    expect(office_page.get_by_role("status").filter(has_text="共")).to_have_text(f"共 {then['total']['ages']['aged_60']:,} 条")
    office_page.goto(f"{demo_site.url}/#/?day=2001-01-01")
    office_page.get_by_role("button", name="趋势", exact=True).click()
    expect(office_page.get_by_text("2001-01-01 以前没有留下月末的数")).to_be_visible()
