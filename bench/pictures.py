"""Pictures of the field app's screens at phone size in both languages: ``python -m bench.pictures`` writes docs/pictures/field-*.png.

It serves an invented demo community from a temporary folder, so no picture shows anybody who lives.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import openpyxl
from PIL import Image
from playwright.sync_api import BrowserContext, Page, Route, sync_playwright

from bench.story_stage import Office
from server.demo.load import PASSWORD

PICTURES = Path(__file__).resolve().parent.parent / "docs" / "pictures"
PIN, NOT_THE_PIN = "258036", "999111"
#: Colours of a picture; flat screens need no more, and a page of pictures stays light.
COLOURS = 96
_WORDS: dict[str, dict[str, Any]] = {
    "zh": {
        "code": "登记码", "next": "下一步", "again": "再输一遍", "home": "今天去哪儿", "visit": "走访结果", "me": "我在哪儿", "more": "更多", "dwelling": "房屋",
        "save": "保存", "yes": "有", "forgot": "忘记密码", "cancel": "取消", "clear": "清空本机，重新登记", "erased": "已报失", "evening": "晚上七点以后", "weekend": "周末上午", "drop": "不要了",
        "scan": "扫一扫", "basemap": "底图", "fetch": re.compile("下载底图"), "waits": "新版本已下载好", "old": "程序版本太旧", "retry": "接着下载", "asked": "社区请你上门核实", "tell": "报核实结果", "full": "现在只能看", "locked": "已锁住",
    },
    "en": {
        "code": "Enrolment code", "next": "Next", "again": "Once more", "home": "Where to go", "visit": "Visit", "me": "Where am I", "more": "More", "dwelling": "Dwelling",
        "save": "Save", "yes": "Yes", "forgot": "Forgot the PIN", "cancel": "Cancel", "clear": "Clear this phone and enrol again", "erased": "reported lost", "evening": "after 7 pm", "weekend": "weekend mornings", "drop": "Leave without saving",
        "scan": "Scan", "basemap": "Background map", "fetch": re.compile("Fetch it"), "waits": "A new version is ready", "old": "too old", "retry": "Go on", "asked": "The office asks you to check", "tell": "Tell what you found", "full": "nothing new is kept", "locked": "Too many tries",
    },
}  # fmt: skip
_SURVEY: dict[str, list[list[str]]] = {
    "survey": [
        ["type", "name", "label::中文 (zh)", "label::English (en)", "required", "relevant"],
        ["begin group", "main", "养犬", "Dogs"],
        ["select_one yes", "has_dog", "是否养犬", "Is there a dog", "yes"],
        ["integer", "dogs_count", "几只", "How many", "", "${has_dog} = 'yes'"],
        ["select_multiple size", "sizes", "体型", "Sizes", "", "${has_dog} = 'yes'"],
        ["end group"],
    ],
    "choices": [
        ["list_name", "name", "label::中文 (zh)", "label::English (en)"],
        ["yes", "yes", "有", "Yes"], ["yes", "no", "没有", "No"],
        ["size", "small", "小型", "Small"], ["size", "large", "大型", "Large"],
    ],
    "settings": [["form_id", "form_title", "dishu_title_en", "version"], ["dogs", "养犬登记", "Dogs", "1"]],
}  # fmt: skip


@dataclass(slots=True)
class Tour:
    """One phone from its code to its end, in one language."""

    page: Page
    url: str
    environment: dict[str, str]
    language: str

    def dishu(self, *words: str) -> str:
        return subprocess.run(_command(*words), env=self.environment, check=True, capture_output=True, text=True).stdout

    def word(self, name: str) -> Any:
        return _WORDS[self.language][name]

    def keep(self, name: str, page: Page | None = None) -> None:
        shown = page or self.page
        shown.locator(".message.van-toast").wait_for(state="hidden")
        shown.wait_for_timeout(500)
        picture = Image.open(BytesIO(shown.screenshot())).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
        picture.save(PICTURES / f"field-{name}{'' if self.language == 'zh' else '-en'}.png", optimize=True)

    def go(self, path: str, name: str = "") -> None:
        self.page.evaluate("path => { location.hash = path }", path)
        self.page.wait_for_timeout(200)
        if name:
            self.keep(name)

    def tap(self, name: str) -> None:
        self.page.get_by_role("button", name=self.word(name), exact=True).click()

    def type_pin(self, digits: str = PIN) -> None:
        for digit in digits:
            self.page.get_by_role("button", name=digit, exact=True).click()

    def home_stands(self) -> None:
        self.page.get_by_role("heading", name=self.word("home")).wait_for(timeout=60_000)

    def sync(self) -> None:
        self.go("/")
        self.home_stands()
        with self.page.expect_response(lambda answer: answer.url.endswith("/sync/pull")):
            self.page.locator(".sync .button.main").click()
        self.page.locator(".sync .button.main:enabled").wait_for()

    def link(self, kind: str) -> str:
        """The place of the first record of a kind that the screen names."""
        return str(self.page.locator(f"main a.item[href*='/{kind}/']").first.get_attribute("href"))[1:]


def main() -> None:
    """Write every picture anew."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    with served_demo() as (url, environment), sync_playwright() as playwright:
        _publish_survey(environment)
        path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        for language in ("zh", "en"):
            context = browser.new_context(
                viewport={"width": 360, "height": 740}, device_scale_factor=2, is_mobile=True, has_touch=True, timezone_id="Asia/Shanghai",
                geolocation={"longitude": 120.6099, "latitude": 31.2972, "accuracy": 25}, permissions=["geolocation"],
            )  # fmt: skip
            context.add_init_script(f"localStorage.setItem('dishu-language', '{language}')")
            tour = Tour(context.new_page(), url, environment, language)
            _begin(tour, context)
            household = _day(tour)
            _differ(tour, household)
            _end(tour, context)
            context.close()
        browser.close()


@contextmanager
def served_demo() -> Iterator[tuple[str, dict[str, str]]]:
    """Address and environment of a demo of its own."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("DISHU_")} | {"DISHU_DATA": folder}
        subprocess.run(_command("demo", "--ensure"), env=environment, check=True, capture_output=True)
        process = subprocess.Popen(
            _command("serve", "--port", "0"), env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert process.stdout is not None
        try:
            yield next(line.strip().rstrip("/") for line in process.stdout if line.startswith("http")), environment
        finally:
            process.terminate()
            try:
                process.communicate(timeout=60)  # the server itself gives running requests 30 s
            except subprocess.TimeoutExpired:  # nothing of it is kept
                process.kill()
                process.communicate()


def _publish_survey(environment: dict[str, str]) -> None:
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for title, rows in _SURVEY.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "dogs.xlsx"
        book.save(path)
        subprocess.run(_command("survey", "publish", str(path), "--as", "secretary"), env=environment, check=True, capture_output=True)


def _begin(tour: Tour, context: BrowserContext) -> None:
    """The code, the PIN, the first download held half way, home."""
    page = tour.page
    code = re.search(r"\b[0-9A-Z]{4}(-[0-9A-Z]{4}){2}\b", tour.dishu("enrol-code", "create", "worker1"))
    assert code is not None
    page.goto(f"{tour.url}/field/")
    page.get_by_label(tour.word("code")).fill(code[0])
    tour.keep("start")
    tour.tap("next")
    tour.keep("pin")
    tour.type_pin()
    page.get_by_text(tour.word("again")).wait_for()
    pulls: list[Route] = []

    def hold_the_second(route: Route) -> None:
        pulls.append(route)
        if len(pulls) != 2:
            route.continue_()

    context.route("**/sync/pull", hold_the_second)
    tour.type_pin()
    while len(pulls) < 2:
        page.wait_for_timeout(100)
    tour.keep("first")
    pulls[1].continue_()
    tour.home_stands()
    context.unroute("**/sync/pull")
    tour.keep("home")


def _day(tour: Tour) -> str:
    """The screens of a day; the id of a household."""
    page, go, keep = tour.page, tour.go, tour.keep
    due = [str(one.get_attribute("href"))[1:] for one in page.locator("main a.item[href*='/household/']").all()]
    go("/find", "find")
    building = tour.link("building")
    go(building, "doors")
    go(due[0], "household")
    tour.tap("visit")
    keep("visit")
    page.keyboard.press("Escape")
    page.locator(".van-overlay").first.click(position={"x": 20, "y": 20})
    tour.tap("more")
    keep("more")
    page.get_by_role("dialog").get_by_text(tour.word("dwelling"), exact=True).click()
    keep("dwelling")
    go(due[0] + "/change", "change")
    go(due[0] + "/member", "member")
    go(due[0], "household")
    person = tour.link("person")
    go(person, "person")
    go(person + "/leave/left", "leave")
    go(person + "/party", "party")
    for step in ("move", "split", "join"):
        go(f"{due[0]}/{step}", step)
    go(building.replace("building", "record"), "record")
    go(person.replace("person", "edit") + "/identity", "edit")
    go("/person/nobody", "not-here")
    go("/resources", "resources")
    go("/new/resource", "new")
    go("/survey/dogs", "survey")
    go(tour.link("new"))
    page.locator("#f-has_dog").get_by_role("button", name=tour.word("yes"), exact=True).click()
    keep("survey-form")
    go("/due")
    page.get_by_role("dialog").get_by_role("button", name=tour.word("drop")).wait_for()
    keep("unsaved")
    tour.tap("drop")
    go("/due", "due")
    page.context.set_offline(True)
    go(due[1], "household")
    page.locator(".bottom-bar .button.main").click()
    page.locator(".message.van-toast").wait_for()
    page.locator(".message.van-toast").wait_for(state="hidden")
    go("/sync", "sync")
    page.context.set_offline(False)
    go("/rescue", "rescue")
    go("/me", "me")
    go("/map", "map")
    tour.tap("me")
    keep("map")
    return due[0].rsplit("/", 1)[1]


def _differ(tour: Tour, household: str) -> None:
    """What became of a value that the office changed after me, and two who differ about a day of birth."""
    page = tour.page
    office = Office(tour.url, "secretary", PASSWORD)
    tour.go(f"/household/{household}")
    person = tour.link("person").rsplit("/", 1)[1]
    _fill(tour, f"/edit/{household}", "preferred_time_text", tour.word("evening"))
    tour.sync()
    _write(office, "household", household, preferred_time_text=tour.word("weekend"))
    tour.sync()
    tour.go("/sync")
    page.locator("main a.item[href*='/notice/'][href$=over]").first.click()
    page.locator("main .two").first.wait_for()
    tour.keep("notice")
    units = office.get(f"/api/v1/records/person/{person}")["units"]
    born = next(field["value"] for unit in units for field in unit["fields"] if field["name"] == "birth_date")
    theirs, mine = [born[:8] + day for day in ("11", "14", "17") if day != born[8:]][:2]
    _write(office, "person", person, birth_date=theirs, birth_precision="day")
    _fill(tour, f"/edit/{person}/identity", "birth_date", mine.replace("-", ""))
    tour.sync()
    page.locator(".needs").wait_for()
    tour.keep("needs-you")
    page.locator(".needs a.item").first.click()
    page.locator("button.side").first.wait_for()
    tour.keep("differ")
    page.locator("button.side").first.click()
    page.locator(".needs").wait_for(state="detached")
    tour.sync()


def _fill(tour: Tour, path: str, field: str, value: str) -> None:
    tour.go(path)
    tour.page.locator(f"#f-{field}").fill(value)
    tour.tap("save")
    tour.page.wait_for_function("path => location.hash !== '#' + path", arg=path)


def _write(office: Office, kind: str, record_id: str, **values: Any) -> None:
    about = office.get(f"/api/v1/records/{kind}/{record_id}")["record"]
    change = {"kind": "patch", "type": kind, "id": record_id, "base": {"v": about["v"], "tag": about["tag"]}, "set": values}
    office.post("/api/v1/groups", {"ops": [change]})


def _end(tour: Tour, context: BrowserContext) -> None:
    """A second window, a wrong PIN, a forgotten one, a phone that was reported lost."""
    page = tour.page
    other = context.new_page()
    other.goto(f"{tour.url}/field/")
    other.locator("main .card h1").wait_for()
    tour.keep("elsewhere", other)
    other.close()
    page.reload()
    page.get_by_role("button", name=PIN[0], exact=True).wait_for()
    tour.keep("locked")
    tour.type_pin(NOT_THE_PIN)
    page.locator(".wrong:not(:empty)").wait_for()
    tour.keep("wrong-pin")
    tour.tap("forgot")
    page.get_by_role("button", name=tour.word("clear")).wait_for()
    page.get_by_role("button", name=tour.word("cancel")).scroll_into_view_if_needed()
    tour.keep("forgot")
    tour.tap("cancel")
    tour.type_pin()
    tour.home_stands()
    mine = max(line.split("\t")[0] for line in tour.dishu("device", "list").splitlines() if "in use" in line)
    tour.dishu("device", "revoke", mine, "--reason", "lost")
    page.locator(".sync .button.main").click()
    page.get_by_text(tour.word("erased")).first.wait_for()
    tour.keep("erased")


def _command(*words: str) -> list[str]:
    return [sys.executable, "-c", "from server.cli import main; main()", *words]


if __name__ == "__main__":
    main()
