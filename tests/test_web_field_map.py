"""The map in the field app: the customer's basemap, where I am, and which cells it may be."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from browser_kit import DEMO_PASSWORD, DemoSite
from field_phone import FieldPhone
from playwright.sync_api import Page, expect
from pmtiles_kit import PICTURES, VECTOR, archive, picture, tile_at, vector_tile

from geo.cells import read_cells
from geo.datum import to_cgcs2000
from geo.locate import CellIndex

pytestmark = pytest.mark.long

AREA = (120.600, 31.290, 120.622, 31.308)
WHOLE = [(0, 0), (4096, 0), (4096, 4096), (0, 4096)]
OTHER_WORDS = {"ground_x": (3, WHOLE), "way": (2, [(0, 0), (4096, 4096)])}
STYLED = {"earth": (3, WHOLE), "water": (3, [(0, 3000), (4096, 2600), (4096, 3600)]), "roads": (2, [(0, 0), (4096, 4096)])}


@pytest.fixture
def phone(phone_page: Page, demo_site: DemoSite) -> FieldPhone:
    """The first worker's phone after its first sync."""
    return FieldPhone(phone_page, demo_site).enrol()


def basemap(kind: int, content: bytes, **about: object) -> bytes:
    """The same tile everywhere in the demo's area."""
    west, south, east, north = AREA
    places = {}
    for zoom in (13, 14, 15):
        (_, left, top), (_, right, bottom) = tile_at(west, north, zoom), tile_at(east, south, zoom)
        places |= {(zoom, x, y): content for x in range(left, right + 1) for y in range(top, bottom + 1)}
    return archive(places, kind=kind, bounds=AREA, about=about)


def put(phone: FieldPhone, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "town.pmtiles"
    file.write_bytes(content)
    phone.site.dishu("basemap", "add", str(file))


def drawn(phone: FieldPhone) -> None:
    """Wait until a tile of the basemap shows something."""
    tile = "() => [...document.querySelectorAll('.leaflet-tile-loaded')].some(one => one.tagName === 'IMG' ? one.naturalWidth > 0 : one.width > 0)"
    phone.page.wait_for_function(tile)


@pytest.mark.parametrize(
    "kind, tile, layers",
    [(PICTURES, picture(250, 235, 200), []), (VECTOR, vector_tile(STYLED), list(STYLED)), (VECTOR, vector_tile(OTHER_WORDS), list(OTHER_WORDS))],
    ids=["pictures", "vector-protomaps", "vector-others"],
)
def test_a_basemap_is_fetched_once_when_asked_for_and_drawn_without_a_network(phone: FieldPhone, tmp_path: Path, kind: int, tile: bytes, layers: list[str]):
    """Without one nothing of it is loaded; the size is said before; afterwards it is there in flight mode after a restart; it can be removed."""
    if "all" in phone.site.dishu("basemap", "list"):
        phone.site.dishu("basemap", "remove")
    phone.program_is_kept()
    loaded: list[str] = []
    phone.page.on("request", lambda request: loaded.append(request.url))
    phone.go("/map")
    expect(phone.page.get_by_text("第十七网格")).to_be_visible()
    expect(phone.page.get_by_role("button", name="底图")).to_have_count(0)
    about = {"vector_layers": [{"id": one} for one in layers], "attribution": "<b>某测绘院</b>"}
    put(phone, tmp_path, basemap(kind, tile, **about))
    phone.go("/")
    phone.go("/map")
    phone.tap("底图")
    phone.page.get_by_role("button", name=re.compile(r"下载底图（\d+\.\d MB）")).wait_for()
    assert not [one for one in loaded if "/basemap/file" in one or re.search(r"/(vector|basemap)-", one)]
    phone.page.get_by_role("button", name=re.compile("下载底图")).click()
    drawn(phone)
    assert bool([one for one in loaded if "/vector-" in one]) == (kind == VECTOR)
    phone.context.set_offline(True)
    phone.start_again()
    phone.go("/map")
    drawn(phone)
    expect(phone.page.get_by_text("某测绘院")).to_be_visible()
    assert phone.barriers() == []
    phone.tap("底图")
    phone.tap("从手机上删除底图")
    expect(phone.page.locator(".leaflet-tile")).to_have_count(0)
    phone.context.set_offline(False)


def test_where_i_am_and_the_cells_that_it_may_be(phone: FieldPhone):
    """A sure fix names its cell; an unsure one every cell it touches, as probable as geo.locate says; nearby houses stand by distance."""
    phone.context.grant_permissions(["geolocation"])
    phone.context.set_geolocation({"longitude": 120.6099, "latitude": 31.2973, "accuracy": 4})
    phone.go("/map")
    phone.tap("我在哪儿")
    said = phone.page.locator(".over .notice")
    expect(said).to_have_text(re.compile("第十七网格 · 误差 4 米"))
    index = own_cells(phone)
    names = {cell.cell_id: cell.name for cell in index.cells}
    for lon, lat, accuracy in ((120.6103, 31.2965, 45), (120.61045, 31.29715, 40)):
        phone.context.set_geolocation({"longitude": lon, "latitude": lat, "accuracy": accuracy})
        expect(said).to_have_text(re.compile(f"误差 {accuracy} 米"))
        at = dict(zip(("lon", "lat"), map(float, to_cgcs2000(lon=lon, lat=lat, datum="wgs84")), strict=True))
        wanted = {names[cell]: share for cell, share in index.candidates(**at, radius_m95=accuracy)}
        shown = {row.split("\n")[0]: row.split("\n")[1] for row in said.locator("li").all_inner_texts()}
        assert {name: shown[name] for name in wanted} == {name: f"{share:.0%}" for name, share in wanted.items()}
        assert shown["在本机网格之外"] == f"{1 - sum(wanted.values()):.0%}"
    assert phone.barriers() == []
    phone.go("/find?near=1")
    phone.page.get_by_text("附近（定位误差 40 米）").wait_for()
    metres = [int(text.removesuffix(" 米")) for text in phone.page.locator("a.item .chip.number").all_inner_texts()]
    assert len(metres) > 5 and metres == sorted(metres)


def own_cells(phone: FieldPhone) -> CellIndex:
    """The cells that the worker's phone has, as the server's own geometry knows them."""
    request = phone.page.request
    assert request.post(f"{phone.site.url}/api/v1/session", data={"login": "worker1", "password": DEMO_PASSWORD}).ok
    return CellIndex(read_cells(request.get(f"{phone.site.url}/api/v1/reference").json()["cells"], datum="cgcs2000").cells)
