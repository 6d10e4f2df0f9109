"""The console's map with many cells and buildings, and a list of ten thousand rows: pictures in a second while they are moved, without a graphics card."""

from __future__ import annotations

import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import shapely
from playwright.sync_api import Page, sync_playwright

from bench import served
from bench.measure_locate import irregular_cells
from bench.report import Line
from geo.cell import Cell
from geo.cells import DraftEdition
from geo.locate import CellIndex
from geo.profile import CodeProfile, Segment
from server.app import create_app, house_of
from server.house import House
from server.models import feed, record, stream
from server.services import accounts, code_profiles, communities, editions
from server.services.accounts import OPERATOR
from server.settings import Settings
from server.start import prepare
from server.store.database import insert_rows, write
from sync.digest import MODULUS, record_hash, to_hex

CODE, PASSWORD = "999999001001", "bench-of-the-map"
FRAMES = 30
ROWS = 10_000
_ROW_PX = 34
_WIDE = CodeProfile(
    "bench-16", (Segment("county", 6), Segment("subdistrict", 3), Segment("community", 3), Segment("sequence", 4)),
    ("county", "subdistrict", "community"), "sequence", "0000", "9999",
)  # fmt: skip
"""Codes for more cells than three digits count."""

_RECORD = """() => {
    const kept = { at: [], on: true };
    window.kept = kept;
    const tick = (at) => { if (kept.on) { kept.at.push(at); requestAnimationFrame(tick); } };
    requestAnimationFrame(tick);
}"""


@dataclass(frozen=True, slots=True)
class MapSize:
    """Cells on a side of the square, their vertices, and buildings."""

    side: int = 45
    vertices: int = 40
    buildings: int = 50_000


def measure_map(size: MapSize, say: Callable[[str], None]) -> list[Line]:
    """Frames per second by ``requestAnimationFrame`` while the overview's map is dragged across the whole community and zoomed in and out."""
    with tempfile.TemporaryDirectory(prefix="dishu-map-") as name:
        folder = Path(name)
        house = house_of(create_app(Settings.in_folder(folder)))
        prepare(house)
        cells = _cells(house, size)
        _buildings(house, cells, size.buildings)
        house.engine.dispose()
        say(f"{len(cells):,} cells of {size.vertices} vertices, {size.buildings:,} buildings")
        with served.product(folder) as product, sync_playwright() as playwright:
            path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
            browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
            context = browser.new_context(viewport={"width": 1366, "height": 768}, base_url=product.address)
            context.request.post("/api/v1/session", data={"login": "secretary", "password": PASSWORD})
            page = context.new_page()
            page.goto("/")
            page.locator(".leaflet-container").wait_for()
            page.wait_for_load_state("networkidle", timeout=120_000)
            page.wait_for_timeout(2000)
            found = {"dragged, the whole": _watched(page, _drag), "zoomed": _watched(page, _zoom), "dragged, near": _watched(page, _drag_near)}
            rows, drawn, scrolled = _list(page, min(ROWS, size.buildings))
            browser.close()
    what = f"{len(cells):,} cells, {size.buildings:,} buildings, no graphics card"
    listed = Line(
        f"list of {rows:,} rows, scrolled through", (len(scrolled) - 1) / (scrolled[-1] - scrolled[0]) * 1e3, "frames/s", FRAMES,
        note=f"at most {drawn} rows in the page; of {len(scrolled)} frames the slowest in a hundred took {np.percentile(np.diff(scrolled), 99):.0f} ms",
    )  # fmt: skip
    return [
        listed,
        *(Line(f"map {how}", (len(times) - 1) / (times[-1] - times[0]) * 1e3, "frames/s", FRAMES,
             note=f"{what}; of {len(times)} frames the slowest in a hundred took {np.percentile(np.diff(times), 99):.0f} ms")
        for how, times in found.items()),
    ]  # fmt: skip


def _watched(page: Page, act: Callable[[Page, float, float], None]) -> list[float]:
    """When each frame came, while something is done around the middle of the map."""
    box = page.locator(".leaflet-container").bounding_box()
    assert box is not None
    page.evaluate(_RECORD)
    act(page, box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    times: list[float] = page.evaluate("() => { window.kept.on = false; return window.kept.at; }")
    return times


def _drag(page: Page, x: float, y: float) -> None:
    for towards in (1, -1, -1, 1):
        page.mouse.move(x - towards * 120, y - 80)
        page.mouse.down()
        page.mouse.move(x + towards * 120, y + 80, steps=40)
        page.mouse.up()


def _zoom(page: Page, x: float, y: float) -> None:
    page.mouse.move(x, y)
    for turn in (-1, -1, -1, -1, 1, 1, 1, 1, -1, -1, -1):
        page.mouse.wheel(0, turn * 240)
        page.wait_for_timeout(450)


def _drag_near(page: Page, x: float, y: float) -> None:
    """The same three steps nearer, where `_zoom` has left the map."""
    _drag(page, x, y)


def _list(page: Page, wanted: int) -> tuple[int, int, list[float]]:
    """(rows that were read, most rows in the page at a time, when each frame came) of a list read to ``wanted`` rows, then scrolled by the wheel."""
    page.goto("/#/rosters/buildings")
    box = page.locator(".v-scroll")
    box.locator("tbody tr").nth(10).wait_for()
    high = f"box => box.scrollHeight / {_ROW_PX}"
    while (rows := int(box.evaluate(high)) - 2) < wanted - 2:
        box.evaluate("box => { box.scrollTop = box.scrollHeight }")
        page.wait_for_function(f"([box, before]) => box.scrollHeight / {_ROW_PX} - 2 > before", arg=[box.element_handle(), rows])
    box.evaluate("box => { box.scrollTop = 0 }")
    place = box.bounding_box()
    assert place is not None
    page.mouse.move(place["x"] + place["width"] / 2, place["y"] + place["height"] / 2)
    drawn = 0
    page.evaluate(_RECORD)
    turn = wanted * _ROW_PX // 120
    for _ in range(120):
        page.mouse.wheel(0, turn)
        drawn = max(drawn, box.locator("tbody tr").count())
    times: list[float] = page.evaluate("() => { window.kept.on = false; return window.kept.at; }")
    return rows, drawn, times


def _cells(house: House, size: MapSize) -> list[Cell]:
    """A community with a secretary and so many cells in force."""
    cells = [
        Cell(one.cell_id, f"{CODE}{number + 1:04d}", f"第{number + 1}网格", one.geometry)
        for number, one in enumerate(irregular_cells(size.side, size.vertices))
    ]
    with _wide_codes():
        communities.add_community(house, OPERATOR, code=CODE, name="某社区", community_id=CODE, profile=_WIDE.name)
        editions.publish_edition(house, OPERATOR, CODE, DraftEdition(tuple(cells), (), "cgcs2000"))
    accounts.add_user(house, OPERATOR, login="secretary", name="某书记", role="secretary", password=PASSWORD, community_id=CODE)
    return cells


@contextmanager
def _wide_codes() -> Iterator[None]:
    rooms: tuple[Any, ...] = (communities, code_profiles)
    before = [room.code_profile for room in rooms]
    for room in rooms:
        room.code_profile = lambda house, name: _WIDE
    try:
        yield
    finally:
        for room, load in zip(rooms, before, strict=True):
            room.code_profile = load


def _buildings(house: House, cells: list[Cell], count: int) -> None:
    """So many buildings spread over the cells, in rows as the server writes them."""
    index, bounds = CellIndex(cells), shapely.total_bounds([cell.geometry for cell in cells])
    chance, at = np.random.default_rng(1), "2026-03-01T00:00:00.000Z"
    west, south, east, north = bounds
    lons, lats = np.round(chance.uniform(west, east, count), 7), np.round(chance.uniform(south, north, count), 7)
    rows, feed_rows = [], []
    totals: dict[str, list[int]] = {}
    for number, (lon, lat, place) in enumerate(zip(lons.tolist(), lats.tolist(), index.locate_many(lons=lons, lats=lats).tolist(), strict=True)):
        home = f"cell/{index.cell_ids[place]}" if place >= 0 else "~unplaced"
        record_id = str(uuid.UUID(bytes=chance.bytes(16)))
        tag = record_id[:8] * 2
        values = {"number": str(number), "anchor": {"lon": lon, "lat": lat, "datum": "cgcs2000", "method": "survey"}}
        rows.append((CODE, record_id, "building", 1, tag, "live", home, None, orjson.dumps(values).decode(), lon, lat, 1, "i", number + 1, at, at, at))
        told = totals.setdefault(home, [0, 0])
        told[0], told[1] = told[0] + 1, (told[1] + record_hash(record_id, 1, tag)) % MODULUS
        feed_rows.append((CODE, home, told[0], record_id, "PUT", None, 1, tag))
    columns = (
        "community_id", "id", "type", "v", "tag", "life", "home", "place_parent", "fields", "lon", "lat", "form_version",
        "created_install", "created_n", "created_at", "updated_at", "fresh_at",
    )  # fmt: skip
    with write(house.engine) as connection:
        insert_rows(connection, record, columns, rows)
        insert_rows(connection, feed, ("community_id", "stream_id", "seq", "record_id", "kind", "reason", "v", "tag"), feed_rows)
        tail = "ON CONFLICT (community_id, stream_id) DO UPDATE SET seq = excluded.seq, count = excluded.count, digest = excluded.digest"
        counters = [(CODE, home, told[0], told[0], to_hex(told[1])) for home, told in totals.items()]
        insert_rows(connection, stream, ("community_id", "stream_id", "seq", "count", "digest"), counters, tail)
