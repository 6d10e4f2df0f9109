"""A special survey from the secretary's workbook to the worker's phone and back, in two real browsers."""

from __future__ import annotations

import re
from pathlib import Path

from browser_kit import DemoSite
from console_kit import faults, open_part, sign_in
from field_phone import FieldPhone
from playwright.sync_api import Page, expect
from survey_kit import dogs

ROWS = [
    ["begin group", "main", "养犬", "Dogs"],
    ["select_one yes", "has_dog", "是否养犬", "Is there a dog", "yes"],
    ["integer", "dogs_count", "几只", "How many", "", "${has_dog} = 'yes'"],
    ["calculate", "fee", "年费（元）", "Fee a year (yuan)", "", "", "${dogs_count} * 50"],
    ["select_multiple size", "sizes", "体型", "Sizes", "", "${fee} > 50"],
    ["text", "words", "说明", "Words"],
    ["end group"],
]  # fmt: skip
"""A fee is worked out from the number of dogs, and whoever pays more than for one is asked for their sizes."""


def test_a_survey_travels_from_a_workbook_to_a_phone_and_back(office_page: Page, phone_page: Page, demo_site: DemoSite, tmp_path: Path):
    """Refused with its place, put right, published; answered and worked out offline at a door; counted; closed. Nothing is restarted."""
    bad, good = tmp_path / "坏表.xlsx", tmp_path / "养犬.xlsx"
    bad.write_bytes(dogs(rows=[["image", "photo", "照片", "Photo"], ["text", "words", "说明", "Words"]]).getvalue())
    good.write_bytes(dogs(rows=ROWS).getvalue())
    phone = FieldPhone(phone_page, demo_site).enrol()
    expect(phone_page.get_by_role("heading", name="专项调查")).to_have_count(0)

    sign_in(office_page, demo_site)
    open_part(office_page, "调查")
    office_page.get_by_role("button", name="上传调查表").click()
    office_page.get_by_label("选择调查表").set_input_files(bad)
    reasons = office_page.get_by_role("region", name="不能使用的原因")
    expect(reasons.get_by_role("row").nth(1)).to_contain_text(re.compile(r"survey\s*2\s*A"))
    assert faults(office_page) == []
    office_page.get_by_label("选择调查表").set_input_files(good)
    expect(office_page.get_by_text("可以使用：养犬登记，第 1 版，每户一份")).to_be_visible()
    expect(office_page.get_by_role("group", name="题目")).to_contain_text("小型 · 大型")
    office_page.get_by_role("button", name="存为草稿").click()
    survey = office_page.get_by_role("region", name="养犬登记")
    expect(survey).to_contain_text("手机上还看不到")
    survey.get_by_role("button", name="发布").click()
    office_page.get_by_role("dialog").get_by_role("button", name="确定").click()
    expect(survey).to_contain_text("进行中")

    phone.sync()
    phone_page.get_by_role("link", name=re.compile("养犬登记.*已填 0")).click()
    expect(phone_page.locator("header")).to_contain_text("已填 0")
    phone.context.set_offline(True)
    phone_page.locator("main a.item").first.wait_for()
    assert phone.barriers() == []
    phone_page.locator("main a.item").first.click()
    phone_page.locator("#f-has_dog").get_by_role("button", name="有", exact=True).click()
    phone.field("dogs_count").fill("1")
    expect(phone_page.locator("output#f-fee")).to_have_text("50")
    expect(phone_page.locator("#f-sizes")).to_have_count(0)
    phone.field("dogs_count").fill("2")
    expect(phone_page.locator("output#f-fee")).to_have_text("100")
    phone_page.locator("#f-sizes").get_by_role("button", name="小型").click()
    assert phone.barriers() == []
    phone.tap("保存")
    phone.said("已存到本机")
    expect(phone_page.locator("header")).to_contain_text("已填 1")
    phone.context.set_offline(False)
    phone.sync()

    office_page.reload()
    progress = office_page.get_by_role("region", name="各网格进度").first
    expect(progress.get_by_role("columnheader")).to_have_text(["网格", "已答户数", "答卷数", "应答", "完成"])
    expect(progress.locator("tfoot td.num").nth(0)).to_have_text("1")
    expect(progress.locator("tfoot td.num").nth(1)).to_have_text("1")
    results = office_page.get_by_role("region", name="汇总")
    expect(results.get_by_role("row", name=re.compile("^有")).first).to_contain_text("100%")
    expect(results).to_contain_text("合计 2")
    expect(results).to_contain_text("合计 100")
    assert faults(office_page) == []
    results.get_by_role("row", name=re.compile("^有")).first.get_by_role("button", name="1").click()
    expect(office_page.locator("button.chip.teal")).to_have_count(1)
    office_page.go_back()
    office_page.get_by_role("link", name="答卷清单（1）").click()
    expect(office_page.get_by_role("row", name=re.compile("小型"))).to_be_visible()
    expect(office_page.locator("button.chip.teal")).to_have_count(0)

    open_part(office_page, "调查")
    office_page.get_by_role("link", name=re.compile("养犬登记")).click()
    survey.get_by_role("button", name="结束调查").click()
    office_page.get_by_role("dialog").get_by_role("button", name="确定").click()
    expect(survey).to_contain_text("已结束")
    phone.sync()
    expect(phone_page.get_by_role("heading", name="专项调查")).to_have_count(0)
