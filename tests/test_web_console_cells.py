"""Cells drawn at the console: borders pulled with the mouse, a cell cut in two, two made one, published and taken back."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest
from browser_kit import DemoSite
from console_kit import COMMUNITY, Colleague, edition_in_force, open_part, sign_in
from playwright.sync_api import Locator, Page, Playwright, expect

PATH = f"/api/v1/communities/{COMMUNITY}/editions"


def middle(place: Locator) -> tuple[float, float]:
    box = place.bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def newest(secretary: Colleague) -> dict[str, Any]:
    """The edition with the highest number, with its cells."""
    last = max(secretary.get(PATH)["editions"], key=lambda one: one["number"])
    found: dict[str, Any] = secretary.get(f"{PATH}/{last['edition_id']}")
    return found


def areas(edition: dict[str, Any]) -> dict[str, float]:
    return {one["properties"]["name"]: one["properties"]["area_m2"] for one in edition["cells"]["features"]}


def test_a_border_is_pulled_a_cell_cut_and_joined_then_published_and_taken_back(
    office_page: Page, demo_site: DemoSite, playwright: Playwright
):
    """Neighbours move with the border, which snaps to a building; cut and join keep the community whole; the dry run tells the moves; the way back restores all."""
    page, secretary = office_page, Colleague(playwright, demo_site, "secretary")
    before = areas(newest(secretary))
    sign_in(page, demo_site)
    open_part(page, "网格")
    with page.expect_response("**/ogc/collections/buildings/items*") as buildings:
        page.get_by_role("button", name=re.compile("以这一版为底修改")).click()
    stand = [one["geometry"]["coordinates"] for one in buildings.value.json()["features"] if one["geometry"]]
    page.get_by_role("region", name="可编辑的网格地图").wait_for()
    table = page.get_by_role("row").filter(has_text="第九网格")
    expect(table).to_contain_text(re.compile(r"\d{2,3}"))
    table.get_by_role("button").click()
    handles = page.locator(".pull.corner")
    handles.nth(3).wait_for()
    # by keyboard a new corner keeps the focus where it was put, and does not jump to another border
    for _ in range(2):
        page.locator(".leaflet-control-zoom-in").click()
    between = page.locator(".pull.middle").first
    was = middle(between)
    between.press("ArrowDown")
    expect(page.locator(".pull.corner:focus")).to_have_count(1)
    assert math.dist(middle(page.locator(".pull.corner:focus")), was) < 6
    page.get_by_role("button", name="撤销").click()
    for _ in range(2):
        page.locator(".leaflet-control-zoom-out").click()
    # the border that the ninth and the tenth cell share lies at its south: the corner furthest down
    places = [middle(handles.nth(n)) for n in range(handles.count())]
    x, y = sorted(places, key=lambda one: -one[1])[1]
    page.mouse.move(x, y)
    page.mouse.down()
    building, (to_x, to_y) = alone_near((x, y), stand, newest(secretary), places)
    page.mouse.move(to_x + 4, to_y - 4, steps=6)
    page.mouse.up()
    expect(page.get_by_text("还没保存")).to_be_visible()
    page.get_by_role("button", name="保存草稿").click()
    expect(page.get_by_text("还没保存")).to_be_hidden()
    drawn = newest(secretary)
    assert building in ring_of(drawn, "第九网格")
    changed = [name for name, area in areas(drawn).items() if abs(area - before[name]) > 1]
    assert "第九网格" in changed and len(changed) >= 2, "the neighbour moves along"
    assert drawn["certificate"]["ok"], drawn["certificate"]["problems"]
    assert abs(sum(areas(drawn).values()) - sum(before.values())) < 1

    page.get_by_role("button", name="拆成两个").click()
    # what is refused is said where the cut was chosen, and stands until another is
    page.get_by_label("从", exact=True).select_option(index=0)
    page.get_by_label("到", exact=True).select_option(index=1)
    page.get_by_role("button", name="按此线拆开").click()
    expect(page.locator("aside").get_by_role("alert")).to_be_visible()
    page.get_by_label("到", exact=True).select_option(index=2)
    expect(page.locator("aside").get_by_role("alert")).to_have_count(0)
    west, north, east, south = box_of(places)
    for at_x in (west - 12, (west + east) / 2, east + 12):
        page.mouse.click(at_x, (north + south) / 2)
    page.keyboard.press("Enter")
    expect(page.get_by_text("已拆成两个").first).to_be_visible()
    expect(page.get_by_role("row").filter(has_text="第九网格2")).to_be_visible()
    cut = newest(secretary)
    assert len(cut["cells"]["features"]) == len(before) + 1
    assert cut["certificate"]["ok"], cut["certificate"]["problems"]

    page.get_by_role("row").filter(has_text="第九网格2").get_by_role("button").click()
    page.get_by_label("网格名称").fill("新湖网格")
    page.keyboard.press("Tab")
    page.get_by_role("button", name="保存草稿").click()
    expect(page.get_by_text("还没保存")).to_be_hidden()
    page.get_by_role("button", name="完成").click()
    expect(page.get_by_text(re.compile(r"发布会移动 \d+ 条记录"))).to_be_visible()
    draft = f"{PATH}/{newest(secretary)['edition']['edition_id']}"
    moves, first = page.get_by_role("region", name="移动清单"), secretary.get(f"{draft}/dry-run?limit=1")["rows"][0]
    expect(moves.get_by_role("row").nth(1)).to_contain_text(first["from"]["name"])
    expect(moves.get_by_role("row").nth(1)).to_contain_text(first["to"]["name"])
    expect(moves.get_by_role("row").nth(1)).to_contain_text(first["zh"])
    kind, count = next(iter(secretary.get(f"{draft}/dry-run?limit=1")["moves"]["types"].items()))
    page.locator("[data-test=moves]").get_by_role("button").first.click()
    expect(page.locator("[data-test=moves]")).to_contain_text(f"共 {count:,} 条")
    assert {one["type"] for one in secretary.get(f"{draft}/dry-run?limit=500&type={kind}")["rows"]} == {kind}
    became = page.get_by_role("region", name="新旧网格对照", exact=True).last
    expect(became.get_by_role("row").filter(has_text="新湖网格")).to_contain_text("第九网格")
    expect(page.get_by_text(re.compile(rf"检查证书：{len(before) + 1} 个网格，0 个错误"))).to_be_visible()
    page.get_by_role("button", name="发布这一版").click()
    page.get_by_role("button", name="确定").click()
    expect(page.get_by_text(re.compile(r"发布时移动了 [1-9]\d* 条记录"))).to_be_visible(timeout=30_000)
    page.get_by_role("button", name="逐条列出").click()
    expect(moves.get_by_role("row").nth(1)).to_be_visible()
    expect(became.get_by_role("row").filter(has_text="新湖网格")).to_contain_text("第九网格")
    assert "新湖网格" in areas(newest(secretary))

    page.get_by_role("link", name=re.compile("第 1 版")).click()
    page.get_by_role("button", name="退回到这一版").click()
    page.get_by_role("button", name="确定").click()
    expect(page.get_by_role("link", name=re.compile("第 3 版"))).to_contain_text("生效中")
    assert areas(newest(secretary)) == before


def box_of(places: list[tuple[float, float]]) -> tuple[float, float, float, float]:
    """West, north, east, south on the screen."""
    xs, ys = [x for x, _ in places], [y for _, y in places]
    return min(xs), min(ys), max(xs), max(ys)


def ring_of(edition: dict[str, Any], name: str) -> list[list[float]]:
    """The corners of a cell's outer border."""
    cell = next(one for one in edition["cells"]["features"] if one["properties"]["name"] == name)
    corners: list[list[float]] = cell["geometry"]["coordinates"][0]
    return corners


def alone_near(
    start: tuple[float, float], buildings: list[list[float]], edition: dict[str, Any], places: list[tuple[float, float]]
) -> tuple[list[float], tuple[float, float]]:
    """The building north of a corner of the ninth cell that is nearest to it and has nothing else close by that a border snaps to first, and where it is on the screen."""
    (west, north, east, south), ring = box_of(places), ring_of(edition, "第九网格")
    left, low, right, high = min(x for x, _ in ring), min(y for _, y in ring), max(x for x, _ in ring), max(y for _, y in ring)

    def seen(at: list[float]) -> tuple[float, float]:
        return west + (at[0] - left) / (right - left) * (east - west), south - (at[1] - low) / (high - low) * (south - north)

    corners = [corner for one in edition["cells"]["features"] for corner in ring_of(edition, one["properties"]["name"])]
    rest = [seen(one) for one in [*corners, *buildings]]
    lonely = [one for one in buildings if sum(math.dist(seen(one), other) < 20 for other in rest) == 1 and seen(one)[1] < start[1] - 12]
    found = min(lonely, key=lambda one: math.dist(seen(one), start))
    return found, seen(found)


def test_two_cells_are_joined_undone_and_the_draft_thrown_away(office_page: Page, demo_site: DemoSite, playwright: Playwright):
    """A click on the neighbour joins it; one step back brings it again; a draft that nobody wants leaves the list."""
    page, secretary = office_page, Colleague(playwright, demo_site, "secretary")
    sign_in(page, demo_site)
    open_part(page, "网格")
    page.get_by_role("button", name=re.compile("以这一版为底修改")).first.click()
    editing = page.get_by_role("region", name="可编辑的网格地图")
    editing.wait_for()
    names = areas(newest(secretary)).keys()
    count = len(names)
    page.get_by_role("row").filter(has_text="第七网格").get_by_role("button").click()
    page.get_by_role("button", name="并成一个").click()
    frame = editing.bounding_box()
    assert frame is not None
    neighbours = [middle(editing.get_by_text(name, exact=True)) for name in ("第三网格", "第九网格", "第十一网格", "第八网格")]
    x, y = next((x, y) for x, y in neighbours if frame["x"] + 60 < x < frame["x"] + frame["width"] and frame["y"] < y < frame["y"] + frame["height"])
    page.mouse.click(x, y + 2)
    expect(page.get_by_text("已并成一个").first).to_be_visible()
    joined = newest(secretary)
    assert len(joined["cells"]["features"]) == count - 1 and joined["certificate"]["ok"]
    (gone,) = names - areas(joined).keys()
    page.get_by_role("button", name="撤销一步").click()
    page.get_by_role("button", name="保存草稿").click()
    expect(page.get_by_text("还没保存")).to_be_hidden()
    assert len(newest(secretary)["cells"]["features"]) == count
    # the same without a mouse
    page.get_by_role("row").filter(has_text="第七网格").get_by_role("button").press("Enter")
    page.get_by_role("button", name="并成一个").press("Enter")
    page.get_by_role("row").filter(has_text=gone).get_by_role("button").press("Enter")
    expect(page.get_by_role("row").filter(has_text=gone)).to_have_count(0)
    assert areas(newest(secretary)) == areas(joined)
    page.get_by_role("button", name="撤销一步").press("Enter")
    page.get_by_role("button", name="保存草稿").press("Enter")
    expect(page.get_by_text("还没保存")).to_be_hidden()
    page.get_by_role("button", name="完成").click()
    page.get_by_role("button", name="丢弃草稿").click()
    page.get_by_role("button", name="确定").click()
    expect(page.get_by_text("草稿已丢弃")).to_be_visible()
    assert all(one["state"] != "draft" for one in secretary.get(PATH)["editions"])


def still(ground: Locator) -> str:
    """The picture of a map once it stands: two some 100 ms apart are equal, and something is drawn."""
    return ground.evaluate("""async canvas => {
        const blank = () => Object.assign(document.createElement("canvas"), { width: canvas.width, height: canvas.height }).toDataURL()
        for (let tries = 0, last = ""; tries < 100; tries++) {
            const now = canvas.toDataURL()
            if (now === last && now !== blank()) return now
            last = now
            await new Promise(then => setTimeout(then, 100))
        }
        throw new Error("the map never stands still")
    }""")


@pytest.mark.long
def test_a_repair_is_looked_at_with_the_keyboard_before_it_is_made(office_page: Page, demo_site: DemoSite, playwright: Playwright):
    """Two cells have one code: the map shows which of them the repair means, without a pointer; then it is made."""
    page, secretary = office_page, Colleague(playwright, demo_site, "secretary")
    drawn = newest(secretary)["cells"]
    first, second = drawn["features"][:2]
    second["properties"]["code"] = first["properties"]["code"]
    made = secretary.post(f"{PATH}?datum=cgcs2000", drawn)["edition_id"]
    sign_in(page, demo_site)
    page.goto(f"{demo_site.url}/#/cells/{made}")
    offered = page.get_by_role("listitem").filter(has=page.get_by_role("button", name="修复", exact=True))
    looked = offered.get_by_role("button", name="在图上看")
    ground = page.get_by_role("region", name="这一版的网格").locator("canvas").first
    expect(looked).to_have_attribute("aria-pressed", "false")
    before = still(ground)
    looked.press("Enter")
    expect(looked).to_have_attribute("aria-pressed", "true")
    page.wait_for_function("([canvas, before]) => canvas.toDataURL() !== before", arg=[ground.element_handle(), before])
    looked.press("Enter")
    page.wait_for_function("([canvas, before]) => canvas.toDataURL() === before", arg=[ground.element_handle(), before])
    offered.get_by_role("button", name="修复", exact=True).click()
    expect(page.get_by_text("已修复").first).to_be_visible()
    expect(offered).to_have_count(0)


def test_a_cell_is_cut_in_two_without_a_mouse(office_page: Page, demo_site: DemoSite, playwright: Playwright):
    """By keyboard alone: a draft, a cell from the list, two places on its border from lists, cut; the new cell takes part of the ground. The hint promises no more than it snaps to."""
    page, secretary = office_page, Colleague(playwright, demo_site, "secretary")
    before = areas(newest(secretary))
    sign_in(page, demo_site)
    page.goto(f"{demo_site.url}/#/cells/{edition_in_force(demo_site)}")
    page.get_by_role("button", name=re.compile("以这一版为底修改")).press("Enter")
    page.get_by_role("region", name="可编辑的网格地图").wait_for()
    page.get_by_role("row").filter(has_text="第七网格").get_by_role("button").press("Enter")
    expect(page.get_by_text("导入楼栋轮廓后也吸附到轮廓的拐点")).to_be_visible()
    page.get_by_role("button", name="拆成两个").press("Space")
    page.get_by_label("从", exact=True).focus()
    page.keyboard.press("ArrowDown")  # from the middle of the first edge
    page.keyboard.press("Tab")
    expect(page.get_by_label("到", exact=True)).to_be_focused()
    page.keyboard.press("ArrowDown")  # to that of the edge opposite
    page.keyboard.press("Tab")
    with page.expect_response("**/split"):
        page.keyboard.press("Enter")
    expect(page.get_by_text("已拆成两个").first).to_be_visible()
    drawn = newest(secretary)
    after = areas(drawn)
    assert len(after) == len(before) + 1 and after["第七网格"] < before["第七网格"] - 1
    assert sum(after.values()) == pytest.approx(sum(before.values()), abs=1)
    page.get_by_role("button", name="完成").press("Enter")
    page.get_by_role("button", name="丢弃草稿").press("Enter")
    page.get_by_role("button", name="确定").press("Enter")
    expect(page.get_by_text("草稿已丢弃").first).to_be_visible()
