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
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

PICTURES = Path(__file__).resolve().parent.parent / "docs" / "pictures"
PIN = "258036"
#: Colours of a picture; flat screens need no more, and a page of pictures stays light.
COLOURS = 96
_WORDS = {
    "zh": {"code": "登记码", "next": "下一步", "again": "再输一遍", "home": "今天去哪儿", "visit": "走访结果", "me": "我在哪儿", "english": "English", "more": "更多", "dwelling": "房屋"},
    "en": {"code": "Enrolment code", "next": "Next", "again": "Once more", "home": "Where to go", "visit": "Visit", "me": "Where am I", "english": "中文", "more": "More", "dwelling": "Dwelling"},
}


def main() -> None:
    """Write every picture anew."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    with served_demo() as (url, environment), sync_playwright() as playwright:
        path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        for language in ("zh", "en"):
            context = browser.new_context(
                viewport={"width": 360, "height": 740}, device_scale_factor=2, is_mobile=True, has_touch=True, timezone_id="Asia/Shanghai",
                geolocation={"longitude": 120.6099, "latitude": 31.2972, "accuracy": 25}, permissions=["geolocation"],
            )  # fmt: skip
            context.add_init_script(f"localStorage.setItem('dishu-language', '{language}')")
            _tour(context.new_page(), url, environment, language)
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


def _tour(page: Page, url: str, environment: dict[str, str], language: str) -> None:
    words = _WORDS[language]
    told = subprocess.run(_command("enrol-code", "create", "worker1"), env=environment, check=True, capture_output=True, text=True).stdout
    code = re.search(r"\b[0-9A-Z]{4}(-[0-9A-Z]{4}){2}\b", told)
    assert code is not None

    def keep(name: str) -> None:
        page.wait_for_timeout(500)
        picture = Image.open(BytesIO(page.screenshot())).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
        picture.save(PICTURES / f"field-{name}{'' if language == 'zh' else '-en'}.png", optimize=True)

    def go(path: str, name: str) -> None:
        page.evaluate("path => { location.hash = path }", path)
        keep(name)

    page.goto(f"{url}/field/")
    page.get_by_label(words["code"]).fill(code[0])
    keep("start")
    page.get_by_role("button", name=words["next"]).click()
    keep("pin")
    for step in ("", words["again"]):
        if step:
            page.get_by_text(step).wait_for()
        for digit in PIN:
            page.get_by_role("button", name=digit, exact=True).click()
    page.get_by_role("heading", name=words["home"]).wait_for(timeout=60_000)
    keep("home")
    due = [str(one.get_attribute("href"))[1:] for one in page.locator("main a.item[href*='/household/']").all()]
    go("/find", "find")
    building = str(page.locator("main a.item[href*='/building/']").first.get_attribute("href"))[1:]
    go(building, "doors")
    go(due[0], "household")
    page.get_by_role("button", name=words["visit"], exact=True).click()
    keep("visit")
    page.keyboard.press("Escape")
    page.locator(".van-overlay").first.click(position={"x": 20, "y": 20})
    page.get_by_role("button", name=words["more"], exact=True).click()
    keep("more")
    page.get_by_role("dialog").get_by_text(words["dwelling"], exact=True).click()
    keep("dwelling")
    go(due[0] + "/change", "change")
    go(due[0] + "/member", "member")
    go(due[0], "household")
    person = str(page.locator("main a.item[href*='/person/']").first.get_attribute("href"))[1:]
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
    go("/due", "due")
    page.context.set_offline(True)
    go(due[1], "household")
    page.locator(".bottom-bar .button.main").click()
    page.locator(".van-toast").wait_for(state="hidden")
    go("/sync", "sync")
    page.context.set_offline(False)
    go("/rescue", "rescue")
    go("/me", "me")
    go("/map", "map")
    page.get_by_role("button", name=words["me"]).click()
    keep("map")
    page.reload()
    page.get_by_role("button", name=PIN[0], exact=True).wait_for()
    keep("locked")


def _command(*words: str) -> list[str]:
    return [sys.executable, "-c", "from server.cli import main; main()", *words]


if __name__ == "__main__":
    main()
