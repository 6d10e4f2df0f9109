"""Tables out (一表通) as a community secretary fills them at the console, in a real browser."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path

from browser_kit import DemoSite
from console_kit import (
    COMMUNITY,
    choose,
    faults,
    in_csv,
    in_workbook,
    open_part,
    rows_of,
    seen_list,
    sign_in,
)
from openpyxl import Workbook, load_workbook
from playwright.sync_api import Page, Playwright, Route, expect


def a_form(folder: Path, name: str, field: str) -> Path:
    book = Workbook()
    page = book.active
    page.title = "资源"
    page.append(["{{社区}}物资表，共{{资源: kind=supply|计数}}项"])
    page.append(["序号", "名称", "数量"])
    page.append(["{{序号}}", "{{资源: kind=supply|名称}}", field])
    page.append(["合计", None, "=SUM(C3)"])
    path = folder / name
    book.save(path)
    return path


def test_a_departments_form_is_uploaded_filled_traced_and_compared(office_page: Page, demo_site: DemoSite, tmp_path: Path):
    """A mistake is named with its cell; the corrected form is filled, fetched, followed to its records, and compared."""
    sign_in(office_page, demo_site)
    open_part(office_page, "文件")
    office_page.get_by_role("link", name="报表").click()
    choose = office_page.get_by_label("上传模板")
    choose.set_input_files(a_form(tmp_path, "物资表.xlsx", "{{.数目}}"))
    refused = office_page.get_by_role("alert", name="模板有 1 处不能用")
    expect(refused).to_contain_text("资源!C3")
    expect(refused).to_contain_text("没有“数目”这一列")
    expect(office_page.get_by_role("region", name="本社区的模板")).to_contain_text("还没有上传模板")

    choose.set_input_files(a_form(tmp_path, "物资表.xlsx", "{{.数量}}"))
    office_page.get_by_role("button", name="填报“物资表”").click()
    office_page.get_by_role("button", name="开始填报").click()
    runs = office_page.get_by_role("region", name="填报记录")
    expect(runs).to_contain_text("已填好")
    with office_page.expect_download() as fetched:
        runs.get_by_role("link", name="下载").click()
    page = load_workbook(io.BytesIO(Path(fetched.value.path()).read_bytes())).active
    supplies = sorted(one["name"] for one in rows_of(demo_site, "resource").values() if one["kind"] == "supply")
    shown = [page[f"B{row}"].value for row in range(3, 3 + len(supplies))]
    assert sorted(shown) == supplies
    assert page[f"C{3 + len(supplies)}"].value == f"=SUM(C3:C{2 + len(supplies)})"

    runs.get_by_role("button", name="来源").click()
    sources = office_page.get_by_role("region", name="来源")
    sources.get_by_label("单元格").fill("B4")
    sources.get_by_role("button", name="查看").click()
    expect(sources.get_by_role("listitem")).to_have_text([shown[1]])
    runs.get_by_role("button", name="比较").click()
    expect(office_page.get_by_role("region", name="变化")).to_contain_text("没有可比的")
    office_page.get_by_role("button", name="开始填报").click()
    expect(runs.get_by_text("已填好")).to_have_count(2)
    runs.get_by_role("button", name="比较").first.click()
    expect(office_page.get_by_role("region", name="变化")).to_contain_text("没有变化")
    assert faults(office_page) == []


def test_a_list_is_taken_home_as_it_stands_on_the_screen(office_page: Page, demo_site: DemoSite):
    """Workbook and CSV hold the chosen columns in their order, the filtered rows in the chosen order, each value as it is read: numbers masked, words for codes."""
    page = office_page
    sign_in(page, demo_site)
    open_part(page, "花名册")
    page.get_by_role("link", name="房屋台账").click()
    page.get_by_role("button", name=re.compile("^显示列")).click()
    for name in ("所在层", "产权人"):  # one more, one less than usual
        page.get_by_role("checkbox", name=name, exact=True).locator("..").click()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="加筛选").click()
    page.get_by_label("按哪一列筛选").click()
    page.get_by_role("option", name="居住状况").click()
    page.get_by_role("group", name="任选其一").get_by_text("空置").click()
    page.get_by_role("button", name="确定").click()
    page.get_by_role("columnheader", name="建筑面积").get_by_role("button").click()
    expect(page.get_by_role("columnheader", name="建筑面积")).to_have_attribute("aria-sort", "ascending")
    empty = [one for one in rows_of(demo_site, "dwelling").values() if one["occupancy"] == "empty"]
    heads, rows = taken_home(page, personal=False)
    assert "所在层" in heads and "产权人" not in heads and {"居住状况"} == {one for one in heads if "居住状况" in one}
    shown = {name: [row[at] for row in rows] for at, name in enumerate(heads)}
    assert sorted(shown["门牌号"]) == sorted(one["door_number"] or "" for one in empty)
    area = [float(text) for text in shown["建筑面积 (m2)"] if text]
    assert area == sorted(one["area_m2"] for one in empty if one["area_m2"] is not None) and len(set(area)) > 5
    assert {*shown["居住状况"]} == {"空置"} and all(name.endswith("网格") for name in shown["网格"])

    page.goto(f"{demo_site.url}/#/rosters/persons?cell={COMMUNITY}007")
    page.get_by_role("heading", level=1, name="人员花名册").wait_for()
    heads, rows = taken_home(page, personal=True)
    shown = {name: [row[at] for row in rows] for at, name in enumerate(heads)}
    people = [one for one in rows_of(demo_site, "person").values() if one.home == f"cell/{COMMUNITY}007"]
    assert sorted(shown["姓名"]) == sorted(one["name"] for one in people)
    assert sorted(shown["联系电话"]) == sorted("、".join(one["phones"] or ()) for one in people)
    masked = [text for text in shown["证件号码"] if text]
    assert sorted(masked) == sorted(one["document_number"]["mask"] for one in people if one["document_number"])
    assert masked and all(re.fullmatch(r"\*+[\dX]{1,4}", text) for text in masked)

    # in the language of the screen, and with what the screen says of the list
    page.get_by_role("button", name="English").click()
    coming: list[Route] = []
    page.route("**/roster/dwellings/search", lambda route: coming.append(route))  # a bound method of a list takes no marks of Playwright
    page.goto(f"{demo_site.url}/#/rosters/dwellings?cell={COMMUNITY}007")
    page.get_by_role("heading", level=1, name="Dwellings").wait_for()
    expect(page.get_by_role("button", name="Excel")).to_be_disabled()  # it would have the columns of the list before
    for one in coming:
        one.continue_()
    page.unroute("**/roster/dwellings/search")
    with page.expect_download() as fetched:
        page.get_by_role("button", name="Excel").click()
    heads, rows = seen_list(page)
    assert in_workbook(fetched.value.path()) == (heads, rows) and "Door number" in heads and "Empty" in rows[0]
    about = dict(load_workbook(io.BytesIO(fetched.value.path().read_bytes())).worksheets[1].iter_rows(values_only=True))
    foot = page.locator("footer.foot").inner_text()
    assert all(str(about[name]) in foot for name in ("In doubt", "Missing")) and f"{about['Rows']} rows" in foot
    assert about["Filters"] == page.locator("button.chip.teal").inner_text().splitlines()[0].replace("：", ": ") == "Occupancy: Empty"


def taken_home(page: Page, *, personal: bool) -> tuple[list[str], list[list[str]]]:
    """The open list as it is read; both files that are fetched of it hold the same. What for is asked of personal columns alone."""
    seen = seen_list(page)
    for button, read in (("导出 Excel", in_workbook), ("导出 CSV", in_csv)):
        with page.expect_download() as fetched:
            page.get_by_role("button", name=button).click()
            if personal:
                page.get_by_role("button", name="上级报表").click()
        assert read(fetched.value.path()) == seen, button
    return seen


def test_a_broken_download_goes_on_and_a_program_reads_with_a_token(office_page: Page, demo_site: DemoSite, playwright: Playwright):
    """The rest of a file is fetched where the line broke; QGIS reads at the address of the screen with the token of the screen, until it is taken back."""
    page = office_page
    sign_in(page, demo_site)
    open_part(page, "文件")
    choose(page, "格式", "GeoJSON")
    page.get_by_role("button", name="开始导出").click()
    link = page.get_by_role("link", name=re.compile("下载")).first
    link.wait_for(timeout=60_000)
    with page.expect_download() as fetched:
        link.click()
    whole, address = fetched.value.path().read_bytes(), fetched.value.url
    half = len(whole) // 2
    first = page.context.request.get(address, headers={"Range": f"bytes=0-{half - 1}"})
    rest = page.context.request.get(address, headers={"Range": f"bytes={half}-", "If-Range": first.headers["etag"]})
    assert (first.status, rest.status) == (206, 206) and rest.headers["content-range"] == f"bytes {half}-{len(whole) - 1}/{len(whole)}"
    assert first.body() + rest.body() == whole

    card = page.locator("section.card").filter(has=page.get_by_role("heading", name="QGIS 连接"))
    card.get_by_label("用在哪里").fill("规划院 QGIS")
    card.get_by_role("button", name="新建令牌").click()
    token = card.get_by_role("status").locator("code").inner_text()
    root = card.locator("p.secret code").first.inner_text()
    signed = {"Authorization": "Basic " + base64.b64encode(f"qgis:{token}".encode()).decode()}
    program = playwright.request.new_context()
    layers = program.get(f"{root.rstrip('/')}/collections", headers=signed)
    assert layers.ok and layers.json()["collections"]
    card.get_by_role("row").filter(has_text="规划院 QGIS").get_by_role("button", name="停用").click()
    page.get_by_role("dialog").get_by_role("button", name="确定").click()
    expect(card.get_by_role("row").filter(has_text="规划院 QGIS")).to_have_count(0)
    assert program.get(f"{root.rstrip('/')}/collections", headers=signed).status in (401, 403)


def test_only_what_another_system_lacks_is_handed_over(office_page: Page, demo_site: DemoSite):
    """What is due is exported and ticked off; then nothing is due."""
    sign_in(office_page, demo_site)
    open_part(office_page, "文件")
    office_page.get_by_role("link", name="对外移交").click()
    office_page.get_by_label("系统名称").fill("应急物资系统")
    office_page.get_by_label("移交的名册").select_option("organizations")
    office_page.get_by_role("button", name="新增系统").click()
    office_page.get_by_role("button", name="“应急物资系统”待移交").click()
    office_page.get_by_role("dialog").get_by_role("button", name="报表").click()
    due = office_page.get_by_role("region", name="待移交")
    count = len(rows_of(demo_site, "organization"))
    expect(due.get_by_role("status")).to_contain_text(f"新增 {count}")
    expect(due.get_by_role("button", name="已移交，勾销")).to_be_disabled()
    with office_page.expect_download():
        due.get_by_role("button", name="导出待移交").click()
    due.get_by_role("button", name="已移交，勾销").click()
    office_page.get_by_role("dialog").get_by_role("button", name="确定").click()
    expect(due).to_contain_text("没有待移交的")
    expect(due.get_by_role("status")).to_contain_text(f"已一致 {count}")


def test_a_planner_fills_tables_of_places_only(office_page: Page, demo_site: DemoSite):
    """Tables with personal columns are shown and not offered to somebody who may not have them."""
    sign_in(office_page, demo_site, "planner")
    open_part(office_page, "文件")
    office_page.get_by_role("link", name="报表").click()
    ready = office_page.get_by_role("region", name="自带的模板")
    expect(ready.get_by_role("row")).to_have_count(7)
    expect(ready.get_by_role("row", name="户册")).to_contain_text("不能填报")
    expect(office_page.get_by_label("上传模板")).to_have_count(0)
