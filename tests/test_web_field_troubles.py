"""What a phone meets: a newer program, no room, a wrong clock, cells taken away, a lock that nobody opens. Nothing is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from between import Between, between
from browser_kit import CHEAP_PHONE, DEMO_PASSWORD, DemoSite, holds
from field_phone import PACES, FieldPhone, Office, paced
from playwright.sync_api import BrowserContext, BrowserType, expect

SYNCING = "navigator.serviceWorker.getRegistration('/field/').then(one => one.sync.getTags())"


@pytest.fixture(scope="module")
def line(demo_site: DemoSite) -> Iterator[Between]:
    """Between the phone and the demo server."""
    with between(demo_site.url) as passing:
        yield passing


@pytest.fixture(scope="module")
def launch(browser_type: BrowserType, browser_type_launch_args: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Callable[[], BrowserContext]:
    """Begin the browser's program on the phone's own disk."""
    disk = tmp_path_factory.mktemp("phone")
    return lambda: browser_type.launch_persistent_context(disk, **browser_type_launch_args, **CHEAP_PHONE)


@pytest.fixture(scope="module")
def enrolled(launch: Callable[[], BrowserContext], demo_site: DemoSite, line: Between) -> Iterator[FieldPhone]:
    """One phone for all troubles, one after the other."""
    phone = FieldPhone(launch().pages[0], replace(demo_site, url=line.url)).more_room().enrol()
    yield phone
    phone.context.close()


@pytest.fixture
def phone(request: pytest.FixtureRequest, enrolled: FieldPhone, line: Between) -> Iterator[FieldPhone]:
    """The phone at its home screen, with a network, nothing unsent; told slowly, slowed down for one story."""
    with paced(request) as is_slow:
        enrolled.slow = line.slowed = is_slow
        enrolled.network(True)
        enrolled.go_home()
        yield enrolled
        line.slowed = False
        enrolled.hurry()


def good_time(phone: FieldPhone, household: str, words: str) -> None:
    """Write down when somebody is at home."""
    phone.go(f"/edit/{household}")
    phone.field("preferred_time_text").fill(words)
    phone.tap("保存")


def test_work_is_sent_while_the_phone_is_locked_and_while_the_app_is_closed(phone: FieldPhone, office: Office, line: Between):
    """Sealed to the server when it was written: a locked app hands it over, and the browser does behind a closed one."""
    first, second = phone.due(2)
    phone.context.set_offline(True)
    good_time(phone, first, "锁着也送")
    phone.said("已存到本机")
    phone.go("/me")
    phone.tap("锁上")
    phone.page.get_by_text("还有 1 条没有上传，有网络").wait_for()
    phone.tap("忘记密码")
    phone.page.get_by_text("还有 1 条没有上传，不能清空。").wait_for()
    expect(phone.page.get_by_role("button", name="清空本机，重新登记")).to_have_count(0)
    phone.tap("取消")
    phone.context.set_offline(False)
    phone.page.get_by_text("1 条已送到服务器，不用输密码。").wait_for()
    assert office.fields("household", first)["preferred_time_text"] == "锁着也送"
    phone.pin()
    phone.sync()

    phone.context.set_offline(True)
    good_time(phone, second, "关了也送")
    phone.said("已存到本机")
    phone.page.evaluate("Object.defineProperty(document, 'visibilityState', {value: 'hidden'}); document.dispatchEvent(new Event('visibilitychange'))")
    holds(phone.page, f"async () => (await {SYNCING}).includes('dishu-send')")
    phone.page.goto("about:blank")
    phone.context.set_offline(False)
    phone.page.goto(f"{line.url}/healthz")
    before = len(line.answered)
    the_browser_says_there_is_a_network(phone, line)
    line.until_answered("/sync/push/sealed", after=before)
    assert office.fields("household", second)["preferred_time_text"] == "关了也送"
    phone.page.goto(f"{phone.site.url}/field/")
    phone.pin()
    phone.home_stands()
    phone.sync()
    phone.go("/sync")
    expect(phone.page.get_by_text("本机内容与服务器核对不上")).to_have_count(0)


def test_a_synchronisation_that_failed_is_told_at_home_until_one_succeeds(phone: FieldPhone, line: Between):
    """A server that fails, a network that is away: home says what stopped it and what comes next; nobody has to open another screen."""
    told = phone.page.get_by_role("status").filter(has_text="这次没有传完")
    line.tired.add("/api/v1/sync/pull")
    phone.tap("上传更新")
    expect(told).to_contain_text("服务器忙")
    expect(told).to_contain_text("稍后会自动再试")
    assert phone.barriers() == []
    phone.go("/find")
    phone.go_home()
    expect(told).to_have_count(1)
    line.tired.clear()
    phone.context.set_offline(True)
    phone.tap("上传更新")
    expect(told).to_contain_text("没有网络")
    expect(told).to_contain_text("有信号时自动上传")
    phone.context.set_offline(False)  # it synchronises by itself
    expect(told).to_have_count(0, timeout=60_000)
    phone.page.get_by_text("全部已上传").wait_for()


def the_browser_says_there_is_a_network(phone: FieldPhone, line: Between) -> None:
    """What the browser does by itself some time after a network has come back."""
    tools = phone.context.new_cdp_session(phone.page)
    known: list[str] = []
    tools.on("ServiceWorker.workerRegistrationUpdated", lambda told: known.extend(one["registrationId"] for one in told["registrations"]))
    tools.send("ServiceWorker.enable")
    while not known:
        phone.page.wait_for_timeout(50)
    tools.send("ServiceWorker.dispatchSyncEvent", {"origin": line.url, "registrationId": known[0], "tag": "dishu-send", "lastChance": False})


@pytest.mark.parametrize("broken", ["no answer", "another digest", "nothing told", "one record less told"])
def test_a_phone_agrees_only_where_all_of_it_was_compared(phone: FieldPhone, line: Between, broken: str):
    """What ends every story fails where the pull behind the push failed, told other digests or counts, or told none."""

    def turn(told: dict[str, Any]) -> None:
        for one in told.get("streams", {}).values():
            if broken == "another digest":
                one["digest"] = "0" * 31 + "1"
            one["count"] -= broken == "one record less told"
        if broken == "nothing told":
            told["streams"] = {}

    pull = "/api/v1/sync/pull"
    if broken == "no answer":
        line.tired.add(pull)
    else:
        line.turned[pull] = turn
    with pytest.raises(AssertionError):
        phone.agrees()
    line.tired.clear()
    line.turned.clear()
    phone.agrees()


def one_more_question(told: dict[str, Any]) -> None:
    """What a server of tomorrow asks of a household."""
    form = told["forms"]["household"]
    form["fields"].append({**next(one for one in form["fields"] if one["name"] == "pets_count"), "name": "bicycles_count", "label": {"zh": "自行车数", "en": "Bicycles"}})
    form["views"][0]["screens"][-1]["fields"].append("bicycles_count")


@PACES
def test_a_newer_program_is_offered_between_households_and_keeps_unsent_work(phone: FieldPhone, line: Between, launch: Callable[[], BrowserContext]):
    """The server has other files and a form with one more question. At a door nothing is offered, at home it is; what was not sent is there after it, and
    after the browser was closed and started again, all of it in flight mode; then it is sent, and the new question is asked."""
    household = phone.due(1)[0]
    line.newer_program()
    line.turned["/api/v1/reference"] = one_more_question
    phone.page.evaluate("navigator.serviceWorker.getRegistration('/field/').then(one => one.update())")
    holds(phone.page, "async () => (await navigator.serviceWorker.getRegistration('/field/')).waiting !== null", patience_ms=120_000)
    phone.network(False)
    phone.page.get_by_text("新版本已下载好").wait_for()
    phone.household(household)
    expect(phone.page.get_by_text("新版本已下载好")).to_have_count(0)
    phone.tap("都没变")
    phone.said("已核实，存到本机")
    unsent = phone.unsent()
    assert unsent > 0
    phone.page.get_by_text("新版本已下载好").wait_for()
    phone.tap("现在更新")
    phone.page.get_by_text("请输入密码").wait_for()
    phone.pin()
    phone.home_stands()
    assert phone.unsent() == unsent
    phone.context.close()
    phone.goes_on_in(launch())
    expect(phone.page.locator(f"script[src*='/{line.mark}']").first).to_be_attached()
    assert phone.unsent() == unsent
    phone.household(household)
    expect(phone.page.get_by_role("button", name="今天已核实")).to_be_visible()
    phone.network(True)
    phone.agrees()
    phone.go(f"/edit/{household}")
    expect(phone.field("bicycles_count")).to_be_visible()
    del line.turned["/api/v1/reference"]
    phone.sync()


def test_a_cell_that_is_taken_away_is_told_and_leaves_the_phone(phone: FieldPhone, office: Office):
    """The office ends an assignment: at the next sync the phone says so, has one cell less, and sends what it had."""
    cells = phone.page.locator("main a.cell")
    expect(cells).to_have_count(2)
    household = phone.due(1)[0]
    phone.context.set_offline(True)
    good_time(phone, household, "换网格之前")
    phone.said("已存到本机")
    api = f"{office.site.url}/api/v1"
    token = office.page.request.post(f"{api}/session", data={"login": "secretary", "password": DEMO_PASSWORD}).json()["csrf_token"]
    rows = office.page.request.get(f"{api}/assignments").json()["assignments"]
    lead = next(one for one in rows if one["cell_id"].endswith("021") and one["duty"] == "lead")
    answer = office.page.request.post(f"{api}/assignments/{lead['assignment_id']}/revoke", headers={"X-CSRF-Token": token}, data={})
    assert answer.ok, answer.text()
    phone.context.set_offline(False)
    phone.sync()
    news = phone.page.get_by_text("负责的网格有变化")
    news.wait_for()
    expect(cells).to_have_count(1)
    phone.sync()
    expect(news).to_have_count(1)  # it stands until somebody has read it
    phone.tap("知道了")
    expect(news).to_have_count(0)
    phone.sync()
    expect(news).to_have_count(0)
    assert office.fields("household", household)["preferred_time_text"] == "换网格之前"


def test_a_server_that_asks_for_a_newer_program_stops_nothing_but_sending(phone: FieldPhone, line: Between):
    """The screen says what to do; work goes on and is sent after the update."""
    household = phone.due(1)[0]
    config = "/api/v1/sync/config"
    line.instead[config] = {"protocol": 2, "min_protocol": 2, "epoch": "x", "limits": {"max_ops": 1, "max_bytes": 1, "max_op_bytes": 1, "page_rows": 1}}
    phone.page.clock.set_fixed_time("2030-01-01T00:00:00Z")  # limits are asked for again after an hour
    phone.page.reload()
    phone.page.get_by_text("请输入密码").wait_for()
    phone.pin()
    phone.home_stands()
    phone.tap("上传更新")
    phone.page.get_by_role("heading", name="需要你处理").wait_for()
    phone.page.get_by_text("程序版本太旧").first.wait_for()
    good_time(phone, household, "更新以后")
    phone.said("已存到本机")
    assert phone.unsent() == 1
    del line.instead[config]
    phone.sync()
    phone.page.get_by_text("手机时间不准").first.wait_for()  # and the clock that is years ahead is told


@PACES
def test_no_room_is_said_at_once_and_the_form_keeps_what_was_typed(phone: FieldPhone, office: Office):
    """The write that did not fit is not shown as kept, and Back asks instead of doing nothing; with room again the same tap keeps it."""
    household = phone.due(1)[0]
    phone.fill_up()
    good_time(phone, household, "清出空间以后")
    phone.page.get_by_role("alert").get_by_text("手机存储已满，刚才那一条没有保存").wait_for()
    expect(phone.page.get_by_role("alert").first).to_be_in_viewport()
    phone.page.locator("header").get_by_role("button", name="返回").click()
    phone.page.get_by_role("dialog").get_by_text("手机存储已满，刚才那一条没有保存").wait_for()
    phone.page.get_by_role("dialog").get_by_role("button", name="不要了").click()
    phone.page.wait_for_function("!location.hash.startsWith('#/edit/')")
    good_time(phone, household, "清出空间以后")
    phone.page.get_by_role("alert").get_by_text("手机存储已满，刚才那一条没有保存").wait_for()
    phone.page.locator("header").get_by_role("button", name="返回").click()
    phone.page.get_by_role("dialog").get_by_role("button", name="留下来改").click()
    expect(phone.field("preferred_time_text")).to_have_value("清出空间以后")
    phone.more_room()
    phone.tap("保存")
    phone.said("已存到本机")
    phone.agrees()
    assert office.fields("household", household)["preferred_time_text"] == "清出空间以后"
