"""Every role at the console: each finds what it may do, nothing is offered that is refused, and nobody meets an error on the way."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from browser_kit import DEMO_PASSWORD, DemoSite
from console_kit import COMMUNITY, open_part, rows_of, shown_count, sign_in
from playwright.sync_api import Page, Response, expect

pytestmark = pytest.mark.long

PARTS = {
    "worker1": ["总览", "花名册", "待办", "调查"],
    "community": ["总览", "花名册", "待办", "文件", "调查"],
    "secretary": ["总览", "花名册", "待办", "网格", "文件", "调查", "人员与设备", "审计"],
    "planner": ["总览", "花名册", "文件"],
    "officer": ["总览", "花名册", "文件", "调查"],
    "auditor": ["总览", "审计"],
    "admin": ["网格", "人员与设备", "审计"],
}


@pytest.fixture
def refused(office_page: Page) -> Iterator[list[str]]:
    """What the server refused while the page was used; signing in asks whether anybody is, which is no refusal."""
    found: list[str] = []

    def note(answer: Response) -> None:
        if answer.status >= 400 and not answer.url.endswith("/api/v1/session"):
            found.append(f"{answer.status} {answer.request.method} {answer.url.split('/', 3)[3]}")

    office_page.on("response", note)
    yield found


@pytest.fixture
def staff(demo_site: DemoSite) -> None:
    """The demo's people, and a community worker beside them."""
    if "STAFF" not in demo_site.environment:
        made = demo_site.dishu("user", "add", "community", "--name", "社工甲", "--role", "community_worker", "--community", COMMUNITY)
        password = re.search(r"password: (\S+)", made)
        assert password is not None
        demo_site.environment["STAFF"] = password[1]


def enter(page: Page, site: DemoSite, login: str) -> None:
    """Sign in as one of the demo's people or as the community worker."""
    if login == "community":
        page.goto(site.url)
        enter_with(page, site.environment["STAFF"])
        page.get_by_role("navigation", name="栏目").wait_for()
    else:
        sign_in(page, site, login)


@pytest.mark.parametrize("login", PARTS)
def test_no_part_of_the_console_that_a_role_is_offered_is_refused(
    office_page: Page, demo_site: DemoSite, staff: None, refused: list[str], login: str
):
    """Every section, every tab in it and the first cell open without an error or an endless wait, in Chinese, on a tablet too."""
    office_page.set_viewport_size({"width": 1024, "height": 768})
    enter(office_page, demo_site, login)
    if login in ("officer", "admin"):
        office_page.get_by_role("banner").get_by_role("button", name="选择要看的社区").click()
        office_page.get_by_role("menuitem").first.click()
    bar = office_page.get_by_role("navigation", name="栏目")
    expect(bar.get_by_role("link")).to_have_text([re.compile(f"^{name}") for name in PARTS[login]])
    for name in PARTS[login]:
        open_part(office_page, name)
        settle(office_page)
        for tab in office_page.locator("nav.tabs a, nav.side a").evaluate_all("links => links.map(one => one.hash)"):
            office_page.evaluate("hash => { location.hash = hash }", tab)
            settle(office_page)
            wide = office_page.evaluate("() => document.documentElement.scrollWidth - innerWidth")
            assert wide <= 0, (office_page.url, wide)
    if "总览" in PARTS[login] and login != "auditor":
        open_part(office_page, "总览")
        office_page.locator("table tbody a").first.click()
        settle(office_page)
    assert refused == []


def settle(page: Page) -> None:
    """The page has what it asked for, and says nothing of an error."""
    page.wait_for_load_state("networkidle")
    expect(page.get_by_text("正在读取…")).to_have_count(0, timeout=30_000)
    assert page.locator("[role=alert]:visible, .el-message--error:visible").all_inner_texts() == []


def test_an_administrator_makes_people_of_every_kind(office_page: Page, demo_site: DemoSite, staff: None, refused: list[str]):
    """The start page of somebody without figures is the accounts; an officer needs an area, a community worker gets lines of work,
    a cell a worker, a phone a code; what was done stands in the audit log by name."""
    sign_in(office_page, demo_site, "admin")
    expect(office_page.get_by_role("heading", name="账号")).to_be_visible()
    office_page.get_by_role("banner").get_by_role("button", name="选择要看的社区").click()
    office_page.get_by_role("menuitem", name="桑榆里社区").click()
    dialog = office_page.get_by_role("dialog")
    for name, login, role in (("区里老马", "district1", "区级工作人员"), ("社工乙", "social2", "社区工作者")):
        office_page.get_by_role("button", name="新建账号").click()
        dialog.get_by_label("姓名").fill(name)
        dialog.get_by_label("账号").fill(login)
        dialog.get_by_label("初始密码").fill("a-first-password")
        dialog.get_by_role("combobox", name="角色").click(force=True)
        office_page.get_by_role("option", name=role).click()
        if role.startswith("区级"):
            dialog.get_by_role("button", name="保存").click()
            expect(dialog.locator(".wrong")).to_have_count(1)
            dialog.get_by_label("管辖区划代码").fill(COMMUNITY[:6])
        dialog.get_by_role("button", name="保存").click()
        expect(office_page.get_by_role("row").filter(has_text=name)).to_contain_text(COMMUNITY[:6] if role.startswith("区级") else "桑榆里社区")
    assert [line for line in refused if not line.startswith("422 POST api/v1/users")] == []
    refused.clear()

    row = office_page.get_by_role("row").filter(has_text="社工乙")
    row.get_by_role("button", name="设置条线").click()
    line = dialog.locator(".el-checkbox").first
    word = line.inner_text().strip()
    line.click()
    dialog.get_by_role("button", name="保存").click()
    expect(row).to_contain_text(word)

    office_page.get_by_role("row").filter(has_text="网格员甲").get_by_role("button", name="给手机登记").click()
    expect(office_page.locator("[data-test=enrolment-code]")).to_be_visible()
    office_page.keyboard.press("Escape")

    office_page.goto(f"{demo_site.url}/#/cells/work")
    held = office_page.get_by_role("row").filter(has_text="第十七网格").filter(has_text="网格员甲")
    held.get_by_role("button", name="交接").click()
    dialog.get_by_role("combobox", name="接手人").click()
    office_page.get_by_role("option", name="网格员乙").click()
    dialog.get_by_role("button", name="交接").click()
    expect(office_page.get_by_role("row").filter(has_text="第十七网格")).to_contain_text("网格员乙")

    open_part(office_page, "审计")
    told = office_page.get_by_role("row").filter(has_text="设置条线")
    expect(told).to_contain_text("系统管理员")
    expect(told).to_contain_text("社工乙")
    assert refused == []


def test_a_community_worker_changes_their_own_password(office_page: Page, demo_site: DemoSite, staff: None):
    """The one in use is asked for; afterwards only the new one opens the console."""
    enter(office_page, demo_site, "community")
    old = demo_site.environment["STAFF"]
    office_page.get_by_role("banner").get_by_role("button", name="社工甲").click()
    office_page.get_by_role("menuitem", name="修改密码").click()
    dialog = office_page.get_by_role("dialog", name="修改密码")
    for current, fresh, again, said in (
        (old, "another-password", "another-one", "两次输入的不一样"),
        ("not-mine-at-all", "another-password", "another-password", "现在的密码不对"),
    ):
        dialog.get_by_label("现在的密码").fill(current)
        dialog.get_by_label("新密码", exact=True).fill(fresh)
        dialog.get_by_label("再输一遍新密码").fill(again)
        dialog.get_by_role("button", name="保存").click()
        expect(dialog.get_by_role("alert")).to_have_text(said)
    dialog.get_by_label("现在的密码").fill(old)
    dialog.get_by_role("button", name="保存").click()
    expect(office_page.get_by_role("button", name="登录")).to_be_visible()
    enter_with(office_page, old)
    expect(office_page.get_by_role("alert")).to_be_visible()
    enter_with(office_page, "another-password")
    expect(office_page.get_by_role("navigation", name="栏目")).to_be_visible()
    demo_site.environment["STAFF"] = "another-password"


def enter_with(page: Page, password: str) -> None:
    """Try to sign in as the community worker."""
    page.get_by_label("账号").fill("community")
    page.get_by_label("密码").fill(password)
    page.get_by_role("button", name="登录").click()


def test_an_auditor_follows_one_record_and_reads_no_person(office_page: Page, demo_site: DemoSite, refused: list[str]):
    """Who looked at a record is told by name, also to somebody who may not open it; another community's figures are not offered."""
    person = next(one for one in rows_of(demo_site, "person").values() if one["phones"])
    sign_in(office_page, demo_site)
    office_page.goto(f"{demo_site.url}/#/records/person/{person.id}")
    expect(office_page.get_by_role("heading", level=1)).to_contain_text(str(person["name"]))
    office_page.get_by_role("banner").get_by_role("button", name="演示书记").click()
    office_page.get_by_role("menuitem", name="退出登录").click()
    office_page.get_by_label("账号").fill("auditor")
    office_page.get_by_label("密码").fill(DEMO_PASSWORD)
    office_page.get_by_role("button", name="登录").click()
    expect(office_page.get_by_role("heading", level=1)).to_contain_text("桑榆里社区")
    assert office_page.get_by_role("combobox", name="查找住户和人员").count() == 0
    open_part(office_page, "审计")
    line = office_page.get_by_role("row").filter(has_text="看档案").first
    expect(line).to_contain_text("演示书记")
    line.get_by_role("button", name="只看此条").click()
    expect(office_page.get_by_label("记录编号")).to_have_value(person.id)
    lines = office_page.locator("main tbody tr")
    expect(lines.filter(has_not_text="人员")).to_have_count(0)
    assert lines.count() > 0
    assert str(person["name"]) not in office_page.locator("main").inner_text()
    assert refused == []


def test_a_grid_worker_sees_only_the_own_cells(office_page: Page, demo_site: DemoSite, refused: list[str]):
    """Figures, lists and matters are those of the cells that the worker works; what is elsewhere is not offered."""
    sign_in(office_page, demo_site, "worker1")
    expect(office_page.get_by_text("您只看到自己负责的网格")).to_be_visible()
    cells = office_page.locator("table tbody a").all_inner_texts()
    assert 0 < len(cells) < 20
    open_part(office_page, "花名册")
    assert 0 < shown_count(office_page) < len(rows_of(demo_site, "household"))
    office_page.goto(f"{demo_site.url}/#/people")
    expect(office_page.get_by_role("heading", level=1)).to_contain_text("桑榆里社区")
    assert refused == []
