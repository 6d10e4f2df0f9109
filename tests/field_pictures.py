"""Pictures of what a phone meets now and then: ``make screenshots``. A demo of its own is served for them.

Writes ``docs/pictures/field-*.png`` beside those of `bench.pictures`: a browser too old, the scanner, a program too old, what the office asks, a death,
the customer's basemap, a full phone, a newer program, a phone that locked itself.
"""

from __future__ import annotations

import shutil
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from between import Between, between
from browser_kit import CHEAP_PHONE, DemoSite
from field_phone import FieldPhone
from playwright.sync_api import sync_playwright
from pmtiles_kit import VECTOR, archive, tile_at, vector_tile

from bench.pictures import NOT_THE_PIN, Tour, served_demo
from bench.story_stage import Office
from server.demo.load import PASSWORD

AREA = (120.600, 31.290, 120.622, 31.308)
CONFIG = "/api/v1/sync/config"
NEWER = {"protocol": 2, "min_protocol": 2, "epoch": "x", "limits": {"max_ops": 1, "max_bytes": 1, "max_op_bytes": 1, "page_rows": 1}}
_WHOLE = [(0, 0), (4096, 0), (4096, 4096), (0, 4096)]
#: Streets and a canal as one tile shows them, the same tile all over the town.
_TOWN: dict[str, tuple[int, list[tuple[int, int]]]] = {
    "land": (3, _WHOLE),
    "waterway": (3, [(0, 1900), (4096, 1900), (4096, 2150), (0, 2150)]),
    "streets": (2, [(0, 700), (4096, 700), (3000, 700), (3000, 0), (3000, 4096), (3000, 3300), (0, 3300), (1100, 3300), (1100, 4096), (1100, 0)]),
}
#: A reader of codes and a camera that looks at a sheet of paper.
_CAMERA = """
    window.BarcodeDetector = class { static async getSupportedFormats() { return ['qr_code']; } async detect() { return []; } };
    const canvas = Object.assign(document.createElement('canvas'), { width: 360, height: 480 });
    const pen = canvas.getContext('2d');
    setInterval(() => {
        pen.fillStyle = '#6f665c', pen.fillRect(0, 0, 360, 480);
        pen.fillStyle = '#f4f1ea', pen.fillRect(70, 120, 220, 250);
    }, 100);
    navigator.mediaDevices.getUserMedia = async () => canvas.captureStream(10);
"""


def main() -> None:
    """Write these pictures anew."""
    with served_demo() as (url, environment), between(url) as line, tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        _put_basemap(DemoSite(url, Path(), environment), Path(folder) / "town.pmtiles")
        path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        for language in ("zh", "en"):
            context = browser.new_context(**CHEAP_PHONE, geolocation={"longitude": 120.6099, "latitude": 31.2972, "accuracy": 25}, permissions=["geolocation"])
            context.add_init_script(f"localStorage.setItem('dishu-language', '{language}')")
            context.add_init_script(_CAMERA)
            tour = Tour(context.new_page(), line.url, environment, language)
            phone = FieldPhone(tour.page, DemoSite(line.url, Path(), environment)).more_room()
            _before(tour, phone, line)
            _asked(tour)
            _map(tour)
            _after(tour, phone, line)
            context.close()
        browser.close()


def _put_basemap(site: DemoSite, file: Path) -> None:
    west, south, east, north = AREA
    places: dict[Any, bytes] = {}
    for zoom in (13, 14, 15):
        (_, left, top), (_, right, bottom) = tile_at(west, north, zoom), tile_at(east, south, zoom)
        places |= {(zoom, x, y): vector_tile(_TOWN) for x in range(left, right + 1) for y in range(top, bottom + 1)}
    about = {"vector_layers": [{"id": one} for one in _TOWN], "attribution": "某测绘院"}
    file.write_bytes(archive(places, kind=VECTOR, bounds=AREA, about=about))
    site.dishu("basemap", "add", str(file))


def _before(tour: Tour, phone: FieldPhone, line: Between) -> None:
    """A browser that cannot run the app, the scanner, and a program that the server does not take any more; then home."""
    page = tour.page
    page.route("**/field/assets/*.js", lambda route: route.abort())
    page.goto(f"{tour.url}/field/")
    page.evaluate("document.getAnimations().forEach((one) => one.finish())")
    tour.keep("too-old")
    page.unroute_all()
    page.goto(f"{tour.url}/field/?code#/enrol?code={phone.site.enrolment_code()}")
    tour.tap("scan")
    page.locator("video").wait_for()
    page.wait_for_function("() => document.querySelector('video').videoWidth > 0")
    tour.keep("scanner")
    page.reload()
    tour.tap("next")
    tour.type_pin()
    page.get_by_text(tour.word("again")).wait_for()
    line.instead[CONFIG] = NEWER
    tour.type_pin()
    page.get_by_text(tour.word("old")).first.wait_for()
    tour.keep("old-version")
    del line.instead[CONFIG]
    tour.tap("retry")
    tour.home_stands()


def _asked(tour: Tour) -> None:
    """The office asks to look at somebody at the door, and somebody has died."""
    page = tour.page
    household = str(page.locator("main a.item[href*='/household/']").first.get_attribute("href"))[1:]
    if page.get_by_label(tour.word("asked")).count() == 0:
        tour.go(household)
        _ask(Office(tour.url, "secretary", PASSWORD), tour.link("person").rsplit("/", 1)[1])
        tour.sync()
    page.get_by_label(tour.word("asked")).wait_for()
    tour.keep("asked-home")
    page.get_by_label(tour.word("asked")).locator("a.item").first.click()
    page.get_by_role("button", name=tour.word("tell")).wait_for()
    tour.keep("asked")
    tour.tap("tell")
    tour.keep("asked-answer")
    page.keyboard.press("Escape")
    tour.go(household)
    tour.go(tour.link("person") + "/leave/died", "died")
    tour.go("/")
    tour.home_stands()


def _ask(office: Office, person: str) -> None:
    """Enter somebody as a married child, and hand the finding on to the worker of their cell."""
    about = office.get(f"/api/v1/records/person/{person}")["record"]
    change = {"kind": "patch", "type": "person", "id": person, "base": {"v": about["v"], "tag": about["tag"]}, "set": {"birth_date": "2020-01-01", "birth_precision": "day", "marital_code": "20"}}
    office.post("/api/v1/groups", {"ops": [change]})
    rows = office.get("/api/v1/inbox/findings?name=child_married")["rows"]
    finding = next(one["finding_id"] for one in rows if one["record"]["id"] == person)
    lead = next(one["user_id"] for one in office.get("/api/v1/assignments")["assignments"] if one["cell_id"].endswith("021") and one["duty"] == "lead")
    office.post(f"/api/v1/inbox/findings/{finding}/delegate", {"user_id": lead})


def _map(tour: Tour) -> None:
    """The customer's own map, offered and drawn."""
    page = tour.page
    tour.go("/map")
    tour.tap("basemap")
    page.get_by_role("button", name=tour.word("fetch")).wait_for()
    tour.keep("basemap-offer")
    page.get_by_role("button", name=tour.word("fetch")).click()
    page.wait_for_function("() => [...document.querySelectorAll('.leaflet-tile-loaded')].some((one) => one.width > 0)")
    tour.keep("basemap")


def _after(tour: Tour, phone: FieldPhone, line: Between) -> None:
    """A phone without room, a newer program, a phone that locked itself."""
    page = tour.page
    tour.go("/")
    tour.home_stands()
    phone.program_is_kept()
    phone.fill_up()
    page.reload()
    page.get_by_role("button", name="1", exact=True).wait_for()
    tour.type_pin()
    page.get_by_text(tour.word("full")).first.wait_for()
    tour.keep("full")
    phone.more_room()
    tour.sync()
    line.newer_program()
    page.evaluate("navigator.serviceWorker.getRegistration('/field/').then((one) => one.update())")
    page.get_by_text(tour.word("waits")).wait_for(timeout=120_000)
    tour.keep("update")
    now = datetime.now(UTC)
    for tries in range(10):
        page.clock.set_fixed_time(now + timedelta(hours=2 * tries))
        page.reload()
        page.get_by_role("button", name="1", exact=True).wait_for()
        tour.type_pin(NOT_THE_PIN)
        if tries < 9:
            page.locator(".wrong:not(:empty)").wait_for()
    page.get_by_text(tour.word("locked")).wait_for()
    tour.keep("locked-out")


if __name__ == "__main__":
    main()
