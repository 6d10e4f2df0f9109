"""The console as a community secretary uses it, in a real browser, over the demo community."""

from __future__ import annotations

import base64
import io
import json
import re
import zlib
from pathlib import Path

import openpyxl
import pytest
from browser_kit import DemoSite
from console_kit import (
    COMMUNITY,
    PAGES,
    QUIET,
    Colleague,
    choose,
    edition_in_force,
    faults,
    open_part,
    own_columns_stay,
    rows_of,
    shown_count,
    sign_in,
    sign_in_by_form,
)
from playwright.sync_api import Page, Playwright, expect


def test_a_wrong_password_is_told_in_words_and_the_right_one_opens_the_overview(office_page: Page, demo_site: DemoSite):
    """Nobody is left before a page that does nothing."""
    office_page.goto(demo_site.url)
    office_page.get_by_label("账号").fill("secretary")
    office_page.get_by_label("密码").fill("not-this-one")
    office_page.get_by_role("button", name="登录").click()
    expect(office_page.get_by_role("alert")).to_contain_text("账号或密码不对")
    sign_in_by_form(office_page, demo_site)
    expect(office_page.get_by_role("heading", level=1)).to_contain_text("桑榆里社区")


def test_the_overview_tells_the_figures_of_the_database_and_as_of_when(office_page: Page, demo_site: DemoSite):
    """Households, persons and dwellings on top are what is stored, with the time they were counted."""
    sign_in(office_page, demo_site)
    tiles = office_page.get_by_label("底数", exact=True)
    for word, kind in (("住户", "household"), ("人员", "person"), ("房屋", "dwelling"), ("楼栋", "building")):
        expect(tiles).to_contain_text(re.compile(rf"{len(rows_of(demo_site, kind)):,}\s*{word}"))
    expect(office_page.get_by_text("截至").first).to_be_visible()
    expect(office_page.get_by_role("region", name=re.compile("网格地图"))).to_be_visible()


def test_the_map_is_coloured_by_another_figure_and_the_table_sorts_by_a_column(office_page: Page, demo_site: DemoSite):
    """A figure is chosen from a list; its legend follows; a click on a heading puts the largest cell on top; the figure has a column and a list."""
    sign_in(office_page, demo_site)
    office_page.get_by_role("combobox", name="地图颜色").click()
    office_page.get_by_role("option", name="党员", exact=True).click()
    expect(office_page.get_by_role("group", name="图例")).to_contain_text("党员")
    table = office_page.get_by_role("region", name="底数表")
    table.get_by_role("button", name="住户").click()
    expect(table.get_by_role("columnheader", name="住户")).to_have_attribute("aria-sort", "descending")
    counts = [int(text) for text in table.locator("tbody tr td:nth-child(2)").all_inner_texts()]
    cells = [count for count in counts if count]
    assert cells == sorted(cells, reverse=True)
    expect(table.get_by_role("columnheader", name="党员")).to_be_visible()
    table.locator("tfoot tr").get_by_role("button").last.click()
    expect(office_page.get_by_role("heading", level=1)).to_have_text("党员名册")


def test_a_cell_opens_from_the_table_and_its_households_from_the_cell(office_page: Page, demo_site: DemoSite):
    """Two clicks from the overview to the household book of one cell, with as many rows as the cell counts; on the map as in the table."""
    office_page.add_init_script(QUIET)
    sign_in(office_page, demo_site)
    label = office_page.locator(".cell-label", has_text=re.compile("^第七"))
    label.wait_for(state="attached")
    office_page.wait_for_function("() => isQuietAt('/')")  # the map has taken its place
    word = label.bounding_box()
    assert word is not None
    office_page.mouse.click(word["x"] + word["width"] / 2 + 30, word["y"] + word["height"] / 2)
    expect(office_page.get_by_role("heading", level=1)).to_have_text("第七网格")
    open_part(office_page, "总览")
    office_page.get_by_role("link", name="第七网格").click()
    expect(office_page.get_by_role("heading", level=1)).to_have_text("第七网格")
    expected = sum(one.home == f"cell/{COMMUNITY}007" for one in rows_of(demo_site, "household").values())
    office_page.get_by_role("button", name=re.compile(rf"{expected}\s*住户")).click()
    expect(office_page.get_by_role("heading", level=1)).to_have_text("住户台账")
    assert shown_count(office_page) == expected
    # Behind a figure of the whole community is a list as long as it says, though its first page is a part of it.
    open_part(office_page, "总览")
    figure = office_page.locator("tfoot tr").get_by_role("button").nth(1)
    told = figure.inner_text()
    figure.click()
    expect(office_page.get_by_role("heading", level=1)).to_have_text("人员花名册")
    expect(office_page.locator(".count")).to_contain_text(f" {told} ")


def test_a_roster_is_filtered_sorted_scrolled_and_given_as_a_workbook_with_the_purpose_written_down(
    office_page: Page, demo_site: DemoSite, playwright: Playwright
):
    """Kept under a name it is a colleague's too; what is downloaded is what was on the screen; the audit log knows what for."""
    sign_in(office_page, demo_site)
    open_part(office_page, "花名册")
    office_page.get_by_role("link", name="房屋台账").click()
    office_page.get_by_role("button", name="加筛选").click()
    office_page.get_by_label("按哪一列筛选").click()
    office_page.get_by_role("option", name="居住状况").click()
    office_page.get_by_role("group", name="任选其一").get_by_text("空置").click()
    office_page.get_by_role("button", name="确定").click()
    expect(office_page.get_by_role("button", name=re.compile("居住状况：空置"))).to_be_visible()
    office_page.get_by_role("button", name="存为我的名册").click()
    office_page.get_by_label("名册名称").fill("空置房屋清单")
    office_page.get_by_text("本社区同事也能用").click()
    office_page.get_by_role("dialog").get_by_role("button", name="保存").click()
    expect(office_page.get_by_role("button", name="空置房屋清单", exact=True)).to_be_visible()
    offered = Colleague(playwright, demo_site, "worker1").get("/api/v1/saved-rosters")["saved_rosters"]
    assert [(one["name"], one["mine"]) for one in offered] == [("空置房屋清单", False)]
    own_columns_stay(office_page, "空置房屋清单")
    empty = [one for one in rows_of(demo_site, "dwelling").values() if one["occupancy"] == "empty"]
    expect(office_page.locator("footer.foot")).to_contain_text("没有遗漏")
    office_page.get_by_role("button", name="导出 Excel").click()
    with office_page.expect_download() as download:
        office_page.get_by_role("button", name="上级报表").click()
    book = openpyxl.load_workbook(io.BytesIO(Path(download.value.path()).read_bytes()))
    assert book.worksheets[0].max_row == len(empty) + 1
    open_part(office_page, "审计")
    expect(office_page.get_by_role("row").filter(has_text="上级报表").first).to_contain_text("导出")


@pytest.mark.long
def test_ten_thousand_rows_scroll_with_few_in_the_page(office_page: Page, demo_site: DemoSite):
    """The list of all persons is read on while it is scrolled, and the page holds only what can be seen."""
    sign_in(office_page, demo_site)
    office_page.goto(f"{demo_site.url}/#/rosters/persons")
    table = office_page.get_by_role("region", name="人员花名册")
    table.get_by_role("row").nth(20).wait_for()
    everybody = len(rows_of(demo_site, "person"))
    for _ in range(30):
        table.evaluate("box => { box.scrollTop = box.scrollHeight }")
        if shown_count(office_page) >= everybody:
            break
        office_page.wait_for_timeout(250)
    assert shown_count(office_page) == everybody
    assert table.locator("tbody tr").count() < 120


def test_one_box_finds_a_person_by_initials_and_opens_their_file(office_page: Page, demo_site: DemoSite):
    """Three letters and Enter; the file says who knows each fact, and the document number is masked."""
    sign_in(office_page, demo_site)
    box = office_page.get_by_role("combobox", name="查找住户和人员")
    box.fill("cdg")  # at once: what a slow hand finds by the first two letters gives way to what all three find
    office_page.get_by_role("option", name=re.compile("陈德贵")).first.wait_for()
    while "陈德贵" not in office_page.locator("#find-list [aria-selected=true]").inner_text():  # others of these letters may stand before
        box.press("ArrowDown")
    box.press("Enter")
    expect(office_page.get_by_role("heading", level=1)).to_have_text("陈德贵")
    expect(office_page.get_by_text("一人一档")).to_be_visible()
    expect(office_page.get_by_text(re.compile(r"\*{4}\d{3}[\dX]"))).to_be_visible()
    assert "陈德贵" not in office_page.url


def test_a_masked_number_is_shown_for_a_purpose_and_the_look_is_listed(office_page: Page, demo_site: DemoSite):
    """Whoever wants to see a document number says what for; the person's page shows who looked."""
    sign_in(office_page, demo_site)
    person = next(one for one in rows_of(demo_site, "person").values() if one["document_number"])
    office_page.goto(f"{demo_site.url}/#/records/person/{person.id}")
    office_page.get_by_role("button", name="显示全号").click()
    office_page.get_by_role("button", name="电话核实").click()
    expect(office_page.get_by_text(re.compile(r"^999999\d{11}[\dX]$"))).to_be_visible()
    office_page.get_by_role("tab", name="谁看过").click()
    expect(office_page.get_by_role("row").filter(has_text="看全号").first).to_contain_text("电话核实")
    assert faults(office_page) == []


def test_a_mistake_is_told_at_its_field_and_the_right_value_is_written(office_page: Page, demo_site: DemoSite):
    """A household of five thousand is refused beside the field; corrected, the number stands in the record and its history."""
    sign_in(office_page, demo_site)
    household = next(one for one in rows_of(demo_site, "household").values() if one["members_count_stated"])
    office_page.goto(f"{demo_site.url}/#/records/household/{household.id}")
    office_page.get_by_role("button", name="修改申报人数").click()
    field = office_page.get_by_label("申报人数", exact=True)
    field.fill("5000")
    office_page.get_by_role("button", name="保存").click()
    expect(office_page.locator(".wrong")).to_be_visible()
    field.fill("17")
    field.press("Escape")
    office_page.get_by_role("dialog").filter(has_text="放弃刚才的修改").get_by_role("button", name="取消").click()
    office_page.get_by_role("button", name="保存").click()
    expect(office_page.get_by_text("已写入").first).to_be_visible()
    assert rows_of(demo_site, "household")[household.id]["members_count_stated"] == 17
    office_page.get_by_role("tab", name="历史").click()
    expect(office_page.locator("ins", has_text="17")).to_be_visible()
    assert faults(office_page) == []


def test_two_values_are_settled_with_one_key(office_page: Page, demo_site: DemoSite, playwright: Playwright):
    """Two people wrote two register numbers; the secretary sees both side by side and presses 1. What is left keeps what stands, all in one go."""
    cell = f"cell/{COMMUNITY}017"
    household, *others = [one for one in rows_of(demo_site, "household").values() if one.home == cell and one["household_number"]][:3]
    secretary, worker = Colleague(playwright, demo_site, "secretary"), Colleague(playwright, demo_site, "worker1")
    for n, one in enumerate((household, *others), 1):
        record = secretary.get(f"/api/v1/records/household/{one.id}")["record"]
        seen = {"kind": "patch", "type": "household", "id": one.id, "base": {"v": record["v"], "tag": record["tag"]},
                "was": {"household_number": one["household_number"]}}  # fmt: skip
        secretary.write({**seen, "set": {"household_number": f"99999911111{n}"}})
        assert worker.write({**seen, "set": {"household_number": f"99999922222{n}"}})[0]["now"]["outcome"] == "conflict"
    sign_in(office_page, demo_site)
    open_part(office_page, "待办")
    office_page.get_by_role("link", name=re.compile("^两人填的不一样")).click()
    card = office_page.get_by_role("article").filter(has_text="999999111111")
    expect(card).to_contain_text("999999222221")
    expect(card).to_contain_text("网格员甲")
    expect(card).to_contain_text(str(household["household_number"]))
    card.get_by_text("之前是").click()  # marks it
    chosen = card.locator(".side").first.locator(".value").inner_text()
    office_page.keyboard.press("1")
    expect(card).to_have_count(0)
    assert rows_of(demo_site, "household")[household.id]["household_number"] == chosen.splitlines()[-1]
    office_page.get_by_role("button", name="这一页都保留现用").click()
    office_page.get_by_role("dialog").get_by_role("button", name="确定").click()
    expect(office_page.get_by_text("没有待办，全部处理完了")).to_be_visible()
    now = rows_of(demo_site, "household")
    assert [now[one.id]["household_number"] for one in others] == ["999999111112", "999999111113"]


def test_an_edition_is_uploaded_checked_and_published(office_page: Page, demo_site: DemoSite, playwright: Playwright):
    """A file becomes a draft with its report; publishing says what moves; the overview names the new edition."""
    secretary = Colleague(playwright, demo_site, "secretary")
    cells = secretary.get("/api/v1/reference")["cells"]
    for feature in cells["features"]:
        feature["properties"] = {name: feature["properties"][name] for name in ("cell_id", "code", "name", "order")}
    broken = json.loads(json.dumps(cells))
    broken["features"].pop()
    broken["features"][0]["geometry"]["coordinates"][0][1][0] += 0.002
    sign_in(office_page, demo_site)
    open_part(office_page, "网格")
    for name, collection in (("broken.geojson", broken), ("cells.geojson", cells)):
        office_page.get_by_role("button", name="上传新版").click()
        office_page.locator("#cells-file").set_input_files(
            [{"name": name, "mimeType": "application/geo+json", "buffer": json.dumps(collection).encode()}]
        )
        choose(office_page, "坐标系", re.compile("CGCS2000"))
        assert name.startswith("broken") or faults(office_page) == []
        office_page.get_by_role("button", name="上传并检查").click()
        expect(office_page.get_by_role("button", name="发布这一版")).to_be_visible()
        if name.startswith("broken"):
            expect(office_page.get_by_text(re.compile("有 .+ 个错误"))).to_be_visible()
            expect(office_page.get_by_role("button", name="发布这一版")).to_be_disabled()
    expect(office_page.get_by_text("检查通过，可以发布")).to_be_visible()
    office_page.get_by_role("button", name="发布这一版").click()
    office_page.get_by_role("button", name="确定").click()
    expect(office_page.get_by_text("已发布").first).to_be_visible()
    editions = secretary.get(f"/api/v1/communities/{COMMUNITY}/editions")["editions"]
    in_force = next(one for one in editions if one["state"] == "published")
    open_part(office_page, "总览")
    expect(office_page.get_by_text(f"网格第 {in_force['number']} 版")).to_be_visible()


def test_an_export_is_asked_for_watched_and_fetched(office_page: Page, demo_site: DemoSite):
    """The file of cells and buildings can be taken home when it is ready."""
    sign_in(office_page, demo_site)
    open_part(office_page, "文件")
    choose(office_page, "格式", "GeoJSON")
    office_page.get_by_role("button", name="开始导出").click()
    link = office_page.get_by_role("link", name=re.compile("下载"))
    link.wait_for(timeout=60_000)
    with office_page.expect_download() as download:
        link.click()
    assert Path(download.value.path()).stat().st_size > 10_000


def test_a_phone_is_enrolled_with_a_code_as_words_and_as_a_square(
    office_page: Page, demo_site: DemoSite, playwright: Playwright
):
    """The code on the screen works once on a phone, which then stands in the list of devices."""
    sign_in(office_page, demo_site)
    open_part(office_page, "人员与设备")
    office_page.get_by_role("row").filter(has_text="网格员甲").get_by_role("button", name="给手机登记").click()
    code = office_page.locator("[data-test=enrolment-code]").inner_text()
    expect(office_page.get_by_role("img", name="登记码二维码")).to_be_visible()
    assert faults(office_page) == []
    phone = playwright.request.new_context(base_url=demo_site.url)
    answer = phone.post("/api/v1/enroll", data={"code": code, "label": "测试手机"})
    assert answer.ok, answer.text()
    office_page.keyboard.press("Escape")
    office_page.get_by_role("link", name="设备", exact=True).click()
    expect(office_page.get_by_role("row").filter(has_text="测试手机")).to_contain_text("网格员甲")


def test_odk_collect_is_set_up_by_a_square_and_taken_back(office_page: Page, demo_site: DemoSite, playwright: Playwright):
    """What the square holds are Collect's settings; their address opens the list of forms until the same dialog takes it back."""
    sign_in(office_page, demo_site)
    open_part(office_page, "人员与设备")
    office_page.get_by_role("row").filter(has_text="网格员甲").get_by_role("button", name="ODK Collect").click()
    dialog = office_page.get_by_role("dialog", name="网格员甲的 ODK Collect 地址")
    dialog.get_by_label("哪台手机").fill("旧手机")
    with office_page.expect_response("**/api/v1/odk-addresses") as made:
        dialog.get_by_role("button", name="生成二维码").click()
    square = dialog.get_by_role("img", name="ODK Collect 设置二维码")
    expect(square).to_be_visible()
    settings_code = made.value.json()["settings_code"]
    path = square.locator("path").get_attribute("d") or ""
    assert path.count("M") > 1_000, "a square of that much text has thousands of modules (which ones: qr.test.ts)"
    server_url = json.loads(zlib.decompress(base64.b64decode(settings_code)))["general"]["server_url"]
    assert server_url.startswith(f"{demo_site.url}/v1/key/")
    phone = playwright.request.new_context()
    assert phone.get(f"{server_url}/formList").status == 200
    dialog.get_by_role("button", name="停用此地址").click()
    expect(dialog).to_be_hidden()
    assert phone.get(f"{server_url}/formList").status == 403


def test_the_language_changes_at_once_and_stays(office_page: Page, demo_site: DemoSite):
    """One tap turns every word on the screen; it is remembered."""
    sign_in(office_page, demo_site)
    office_page.get_by_role("button", name="English").click()
    expect(office_page.get_by_role("link", name="Rosters")).to_be_visible()
    expect(office_page.get_by_role("heading", name="Often asked")).to_be_visible()
    office_page.reload()
    expect(office_page.get_by_role("heading", name="Often asked")).to_be_visible()
    office_page.locator(".tablecard tfoot").wait_for()
    words = office_page.locator("main").inner_text()
    left = [
        line
        for line in words.splitlines()
        if re.search(r"[\u4e00-\u9fff]", line)
        and line.strip() not in "桑榆里社区（演示）"
        and "网格" not in line
        and not line.startswith("第")
    ]
    assert left == []


def test_a_planner_sees_places_and_figures_and_no_person(office_page: Page, demo_site: DemoSite):
    """The planner's console offers the overview and files; no search for people, no inbox."""
    sign_in(office_page, demo_site, "planner")
    bar = office_page.get_by_role("navigation", name="栏目")
    expect(bar.get_by_role("link", name="文件")).to_be_visible()
    assert bar.get_by_role("link", name="待办").count() == 0
    assert office_page.get_by_role("combobox", name="查找住户和人员").count() == 0
    office_page.goto(f"{demo_site.url}/#/rosters/dwellings")
    expect(office_page.get_by_text("按您的角色，不显示个人信息")).to_be_visible()


def test_nothing_stands_in_the_way_of_a_screen_reader_on_any_page(office_page: Page, demo_site: DemoSite):
    """axe finds no fault on any page that a secretary can open, in either language, nor in the drawing of cells."""
    office_page.add_init_script(QUIET)
    sign_in(office_page, demo_site)
    household, person = (next(iter(rows_of(demo_site, kind))) for kind in ("household", "person"))
    found = {}
    for where in [*PAGES, f"/records/household/{household}", f"/records/person/{person}"]:
        office_page.goto(f"{demo_site.url}/#{where}")
        office_page.wait_for_function("where => isQuietAt(where)", arg=where)
        office_page.locator("main h1").first.wait_for(state="attached")
        found[where] = faults(office_page)
    office_page.get_by_role("button", name="English").click()
    found["English"] = faults(office_page)
    office_page.goto(f"{demo_site.url}/#/cells/{edition_in_force(demo_site)}")
    office_page.get_by_role("button", name=re.compile("Draw a new draft")).click()
    office_page.get_by_role("region", name="Map of the cells, to be drawn on").wait_for()
    office_page.get_by_role("row").nth(3).get_by_role("button").click()
    found["drawing"] = faults(office_page)
    office_page.get_by_role("button", name="Done").click()
    office_page.get_by_role("button", name="Throw the draft away").click()
    office_page.get_by_role("button", name=re.compile("OK|Confirm")).click()
    expect(office_page.get_by_text("The draft is gone")).to_be_visible()
    assert {where: what for where, what in found.items() if what} == {}


@pytest.mark.long
def test_nothing_stands_in_the_way_of_a_screen_reader_in_english(office_page: Page, demo_site: DemoSite):
    """axe finds no fault on any page that a secretary can open, in English."""
    sign_in(office_page, demo_site)
    office_page.get_by_role("button", name="English").click()
    found = {}
    for where in [*PAGES, f"/records/dwelling/{next(iter(rows_of(demo_site, 'dwelling')))}"]:
        office_page.goto(f"{demo_site.url}/#{where}")
        office_page.reload(wait_until="networkidle")
        office_page.locator("main h1").first.wait_for(state="attached")
        found[where] = faults(office_page)
    assert {where: what for where, what in found.items() if what} == {}


def test_a_paper_list_has_no_buttons(office_page: Page, demo_site: DemoSite):
    """Printing shows the list and as of when it was at its head, without the bar and the buttons; the key for it reads the whole list first."""
    sign_in(office_page, demo_site)
    office_page.goto(f"{demo_site.url}/#/rosters/organizations")
    office_page.get_by_role("region", name="单位名册").wait_for()
    office_page.emulate_media(media="print")
    expect(office_page.locator("header.bar")).to_be_hidden()
    expect(office_page.get_by_role("button", name="导出 Excel")).to_be_hidden()
    # a button is not painted in the head that is repeated on the next page
    expect(office_page.locator(".v-table th button").first).to_have_css("display", "contents")
    expect(office_page.locator(".list > header").get_by_text("截至")).to_be_visible()
    office_page.emulate_media(media="screen")
    office_page.goto(f"{demo_site.url}/#/rosters/persons?cell={COMMUNITY}007")
    table = office_page.get_by_role("region", name="人员花名册")
    table.get_by_role("row").nth(3).wait_for()
    office_page.keyboard.press("Control+p")
    expect(table.locator("tbody tr:not(.space)")).to_have_count(shown_count(office_page), timeout=20_000)
