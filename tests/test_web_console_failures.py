"""The console when the server fails: gone, out of order, slow, the session over. In words, with a way to try again, and nothing typed is lost."""

from __future__ import annotations

import re

import pytest
from browser_kit import DEMO_PASSWORD, DemoSite
from console_kit import COMMUNITY, edition_in_force, rows_of, sign_in
from playwright.sync_api import Page, Route, expect

pytestmark = pytest.mark.long

READS = (
    "/", f"/cell/{COMMUNITY}007", "/rosters/persons", "/inbox/conflicts", "/inbox/findings", "/inbox/visits", "/cells", "/cells/work", "/cells/progress",
    "/files", "/files/reach", "/files/imports", "/files/templates", "/files/handovers", "/surveys", "/people", "/people/devices", "/audit",
)  # fmt: skip


def _gone(route: Route) -> None:
    route.abort("connectionrefused")


def _broken(route: Route) -> None:
    route.fulfill(status=502, content_type="text/html", body="<h1>Bad Gateway</h1>")


def _over(route: Route) -> None:
    route.fulfill(status=401, content_type="application/problem+json", body='{"type": "/problems/not-signed-in", "status": 401}')


ALL = re.compile(r"/api/v1/(?!session)")


def test_every_page_says_that_the_server_fails_and_reads_it_at_the_next_try(office_page: Page, demo_site: DemoSite):
    """A page whose answer did not come says so in words, claims nothing, and shows what there is once somebody presses 重试."""
    page = office_page
    sign_in(page, demo_site)
    for number, path in enumerate(READS):
        page.goto("about:blank")
        page.route(ALL, _broken if number % 2 else _gone)
        page.goto(f"{demo_site.url}/#{path}")
        alert = page.get_by_role("alert").filter(has=page.get_by_role("button", name="重试")).first
        expect(alert, path).to_contain_text("服务器出错（502）" if number % 2 else "连不上服务器")
        for claim in ("全部处理完了", "还没有导出", "还没有手机", "没有历史", "都有人负责"):
            expect(page.get_by_text(claim), path).to_have_count(0)
        page.unroute(ALL)
        page.get_by_role("alert").get_by_role("button", name="重试").evaluate_all("buttons => buttons.forEach(one => one.click())")
        expect(page.get_by_role("alert").filter(has=page.get_by_role("button", name="重试")), path).to_have_count(0)


def test_what_is_typed_outlives_a_lost_line_a_slow_answer_and_the_end_of_the_session(office_page: Page, demo_site: DemoSite):
    """An edit that could not be sent stays open; who is signed out meanwhile signs in over the page and goes on; publishing says that nothing was published."""
    page = office_page
    person = next(one for one in rows_of(demo_site, "person").values() if one["occupation_text"] is None and one["residence_household"])
    sign_in(page, demo_site)
    page.goto(f"{demo_site.url}/#/records/person/{person.id}")
    card = page.locator("section.card").filter(has=page.get_by_role("heading", name="基本情况"))
    card.get_by_role("button", name=re.compile("显示未填")).click()
    card.get_by_role("button", name="修改职业").click()
    field = card.get_by_role("textbox", name="职业")
    field.fill("修表匠")
    save = page.get_by_role("button", name="保存")
    page.route("**/api/v1/groups*", _gone)
    save.click()
    expect(page.get_by_text("连不上服务器").first).to_be_visible()
    expect(field).to_have_value("修表匠")
    page.unroute("**/api/v1/groups*")

    assets = re.compile(r"/assets/")
    page.route(assets, _gone)  # what it needs to sign in again is here already
    page.route("**/api/v1/groups*", _over)
    save.click()
    again = page.get_by_role("dialog", name="登录")
    expect(again).to_contain_text("刚才的页面和填写的内容还在")
    expect(field).to_be_hidden()  # nobody reads the page meanwhile
    page.unroute("**/api/v1/groups*")
    again.get_by_label("账号").fill("secretary")
    again.get_by_label("密码").fill(DEMO_PASSWORD)
    again.get_by_role("button", name="登录", exact=True).click()
    expect(again).to_be_hidden()
    expect(field).to_have_value("修表匠")
    page.unroute(assets)
    renewed = page.context.request.post(f"{demo_site.url}/api/v1/session", data={"login": "secretary", "password": DEMO_PASSWORD})  # in another tab
    assert renewed.ok

    held: list[Route] = []
    page.route("**/api/v1/groups*", lambda route: route.continue_() if held else held.append(route))
    save.click()
    expect(page.get_by_text("服务器应答较慢")).to_be_visible(timeout=15_000)
    held[0].continue_()  # with the token of the former session, then with that of the new one
    expect(field).to_be_hidden()
    expect(page.get_by_text("服务器应答较慢")).to_be_hidden()
    assert rows_of(demo_site, "person")[person.id]["occupation_text"] == "修表匠"

    page.unroute("**/api/v1/groups*")
    page.goto(f"{demo_site.url}/#/files/imports")
    page.route("**/api/v1/imports/files", _broken)
    page.locator("input[type=file]").first.set_input_files({"name": "人员.csv", "mimeType": "text/csv", "buffer": "姓名,性别\n甲,男\n".encode()})
    expect(page.get_by_role("alert").first).to_contain_text("服务器出错（502）")

    edition = edition_in_force(demo_site)
    page.goto(f"{demo_site.url}/#/cells/{edition}")
    page.route("**/dry-run*", _gone)
    page.get_by_role("button", name=re.compile("以这一版为底修改")).click()
    page.wait_for_url(re.compile("draw"))
    page.goto(page.url.split("?draw")[0])
    expect(page.get_by_role("alert").first).to_contain_text("连不上服务器")
    expect(page.get_by_role("button", name="发布这一版")).to_be_disabled()
    page.unroute("**/dry-run*")
    page.get_by_role("alert").get_by_role("button", name="重试").first.click()
    expect(page.get_by_role("button", name="发布这一版")).to_be_enabled(timeout=30_000)
