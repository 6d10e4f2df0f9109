"""Tables in (台账) as a community secretary brings them in at the console, in a real browser."""

from __future__ import annotations

import io
import re
from pathlib import Path

from browser_kit import DemoSite
from console_kit import Colleague, faults, open_part, rows_of, sign_in
from openpyxl import Workbook
from PIL import Image
from playwright.sync_api import Page, Playwright, expect
from records_kit import id_number

from server.house import uuid7

HEADINGS = ["序号", "姓名", "身份证号码", "出生日期", "小区", "楼栋", "单元", "室号", "补贴", "怎么联络"]
PERSON = "容予安"


def a_table(folder: Path, site: DemoSite) -> Path:
    """One invented person in a building of the demo, and a second row whose date is none."""
    entrance = next(one for one in rows_of(site, "entrance").values() if one["building"] and one["number"])
    building = rows_of(site, "building")[entrance["building"]]
    estate = rows_of(site, "estate")[building["estate"]]["name"] if building["estate"] else ""
    place = [estate, building["number"], entrance["number"]]
    book = Workbook()
    sheet = book.active
    sheet.append(["某社区居民台账"])
    sheet.append(HEADINGS)
    sheet.append([1, PERSON, id_number("19910203", "017"), None, *place, "9901", "甲", "10299990001"])
    sheet.append([2, "容予宁", None, "二月三十日", *place, "9901", "乙", None])
    path = folder / "新住户.xlsx"
    book.save(path)
    return path


def test_a_table_is_planned_written_found_and_taken_back(office_page: Page, demo_site: DemoSite, tmp_path: Path):
    """A heading that nobody knows is put to its field by hand; a plan tells each row and writes nothing; the person written is found in the box; one click takes the import back."""
    sign_in(office_page, demo_site)
    open_part(office_page, "文件")
    office_page.get_by_role("link", name="导入台账").click()
    office_page.get_by_label("选择台账文件").set_input_files(a_table(tmp_path, demo_site))
    columns = office_page.get_by_role("region", name="各列对应的项目")
    expect(columns.get_by_label("“姓名”对应的项目")).to_have_value("person.name")
    expect(columns.get_by_label("“补贴”对应的项目")).to_have_value("")
    expect(columns.get_by_label("“怎么联络”对应的项目")).to_have_value("")
    columns.get_by_label("“怎么联络”对应的项目").select_option(label="联系电话")

    columns.get_by_role("button", name="预演").click()
    planned = office_page.get_by_role("region", name="预演结果")
    expect(planned.get_by_role("row").nth(1)).to_contain_text("D 列 出生日期")
    planned.get_by_role("button", name="新增 1").click()
    expect(planned.get_by_role("row").nth(1)).to_contain_text("姓名")
    assert not named_so(demo_site)
    columns.get_by_role("button", name="修改对应").click()
    assert faults(office_page) == []

    planned.get_by_role("button", name="写入 1 行").click()
    expect(office_page.get_by_role("region", name="写入结果")).to_contain_text("已写入")
    (made,) = named_so(demo_site)
    assert rows_of(demo_site, "person")[made]["phones"] == ["10299990001"]
    found = office_page.get_by_label("查找住户和人员")
    found.fill(PERSON)
    office_page.get_by_role("option", name=re.compile(PERSON)).click()
    expect(office_page.get_by_role("heading", level=1)).to_have_text(PERSON)

    open_part(office_page, "文件")
    office_page.get_by_role("link", name="导入台账").click()
    imports = office_page.get_by_role("region", name="导入记录")
    imports.get_by_role("button", name="撤销").click()
    office_page.get_by_role("dialog").get_by_role("button", name="确定").click()
    expect(imports).to_contain_text("已撤销")
    assert not named_so(demo_site)


def test_only_who_may_import_is_offered_it(office_page: Page, demo_site: DemoSite):
    """A planner fetches files and sees no way to bring a table in."""
    sign_in(office_page, demo_site, "planner")
    open_part(office_page, "文件")
    expect(office_page.get_by_role("heading", name="导出文件")).to_be_visible()
    expect(office_page.get_by_role("link", name="导入台账")).to_have_count(0)
    office_page.goto(f"{demo_site.url}/#/files/imports")
    expect(office_page.get_by_role("heading", level=1)).to_contain_text("桑榆里社区")  # led to the overview
    expect(office_page.get_by_role("heading", name="导入记录")).to_have_count(0)


def test_a_record_shows_its_photos(office_page: Page, demo_site: DemoSite, playwright: Playwright):
    """A photo that came with a building stands on its page as a picture, not as a hash; one that has not arrived says so."""
    worker = Colleague(playwright, demo_site, "secretary")
    picture = a_picture()
    hash_of = worker.send_photo(picture, "image/png")
    building = next(iter(rows_of(demo_site, "building")))
    told = worker.get(f"/api/v1/records/building/{building}")["record"]
    results = worker.write({
        "op_id": uuid7(), "kind": "patch", "type": "building", "id": building, "base": {"v": told["v"], "tag": told["tag"]},
        "set": {"photos": {"add": [hash_of, "0" * 64], "remove": []}}, "claimed_at": "2026-03-01T09:00:00+08:00",
    })  # fmt: skip
    assert results[0]["now"]["outcome"] == "applied", results
    sign_in(office_page, demo_site)
    office_page.goto(f"{demo_site.url}/#/records/building/{building}")
    shown = office_page.get_by_role("img", name=re.compile(r"照片 \d"))
    expect(shown).to_have_count(1)
    expect(office_page.get_by_text("照片还没有传到")).to_be_visible()
    assert shown.evaluate("image => image.decode().then(() => image.naturalWidth)") == 8


def a_picture() -> bytes:
    """A small square of one colour."""
    file = io.BytesIO()
    Image.new("RGB", (8, 8), "#2b7688").save(file, "PNG")
    return file.getvalue()


def named_so(site: DemoSite) -> list[str]:
    """The living persons of the database with the invented name."""
    return [one.id for one in rows_of(site, "person").values() if one["name"] == PERSON]
