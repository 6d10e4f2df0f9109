"""The map in the field app: the customer's basemap, where I am, and which cells it may be."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest
import shapely
from browser_kit import DEMO_PASSWORD, DemoSite, holds
from field_phone import FieldPhone
from playwright.sync_api import Page, expect
from pmtiles_kit import PICTURES, VECTOR, archive, picture, tile_at, vector_tile

from geo.cells import read_cells
from geo.datum import to_cgcs2000
from geo.locate import CellIndex

pytestmark = pytest.mark.long

EARTH_M = 40_075_016.686
CLOSE = 18
"""The zoom at which the map shows where I am."""
#: What is drawn `dx, dy` CSS pixels from the middle of the map: red, green, blue, opacity, each of 255.
_COLOURS = """(places) => {
    const canvas = document.querySelector('.leaflet-overlay-pane canvas');
    const [map, drawn] = [document.querySelector('.leaflet-container'), canvas].map((one) => one.getBoundingClientRect());
    const pen = canvas.getContext('2d');
    return places.map(([dx, dy]) => [...pen.getImageData(
        Math.round((map.x + map.width / 2 + dx - drawn.x) * canvas.width / drawn.width), Math.round((map.y + map.height / 2 + dy - drawn.y) * canvas.height / drawn.height), 1, 1,
    ).data]);
}"""
#: Nothing moves any more, and each place looks as it is said: a cell that it may be is orange, another one green.
_LOOKS = f"""async (places) => {{
    const drawn = () => new Promise(requestAnimationFrame);
    await drawn(), await drawn();  // a move begins with the next picture
    if (document.querySelector('.leaflet-zoom-anim, .leaflet-pan-anim')) return false;
    const colours = ({_COLOURS})(places);
    return places.every(([, , look], at) => look === (([red, green, blue]) => red > blue + 80 ? 'maybe' : green > red + 20 ? 'other' : '')(colours[at]));
}}"""
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
    """A sure fix names its cell; an unsure one every cell it touches, as probable as geo.locate says, and the map marks just these; its circle
    is as wide on the ground as it is unsure; nobody is told that there is no position beside it; nearby houses stand by distance."""
    phone.context.grant_permissions(["geolocation"])
    phone.context.set_geolocation({"longitude": 120.6099, "latitude": 31.2973, "accuracy": 4})
    phone.go("/map")
    phone.tap("我在哪儿")
    said = phone.page.locator(".over .notice[role=status]")
    expect(said).to_have_text(re.compile("第十七网格 · 误差 4 米"))
    index = own_cells(phone)
    names = {cell.cell_id: cell.name for cell in index.cells}
    marks_just(phone, index, set(), lon=120.6099, lat=31.2973, radius_m=4)
    for lon, lat, accuracy in ((120.6103, 31.2965, 45), (120.61045, 31.29715, 40)):
        phone.context.set_geolocation({"longitude": lon, "latitude": lat, "accuracy": accuracy})
        expect(said).to_have_text(re.compile(f"误差 {accuracy} 米"))
        at = dict(zip(("lon", "lat"), map(float, to_cgcs2000(lon=lon, lat=lat, datum="wgs84")), strict=True))
        wanted = {names[cell]: share for cell, share in index.candidates(**at, radius_m95=accuracy)}
        shown = {row.split("\n")[0]: row.split("\n")[1] for row in said.locator("li").all_inner_texts()}
        assert {name: shown[name] for name in wanted} == {name: f"{share:.0%}" for name, share in wanted.items()}
        marks_just(phone, index, set(wanted), **at, radius_m=accuracy)
        assert circle_m(phone, lat=lat, radius_m=accuracy) == pytest.approx([accuracy] * 4, abs=1.5)
        expect(phone.page.get_by_role("alert")).to_have_count(0)  # a signal that was lost for a moment is nothing to worry about
        assert shown["在本机网格之外"] == f"{1 - sum(wanted.values()):.0%}"
    assert phone.barriers() == []
    phone.go("/find?near=1")
    phone.page.get_by_text("附近（定位误差 40 米）").wait_for()
    metres = [int(text.removesuffix(" 米")) for text in phone.page.locator("a.item .chip.number").all_inner_texts()]
    assert len(metres) > 5 and metres == sorted(metres)


def metres_per_pixel(lat: float) -> float:
    return EARTH_M * math.cos(math.radians(lat)) / 2 ** (CLOSE + 8)


def marks_just(phone: FieldPhone, index: CellIndex, wanted: set[str], *, lon: float, lat: float, radius_m: float) -> None:
    """Wait until the map stands around the fix and, of all cells that show beside its circle, just those wanted (by name) are drawn as those that it may be."""
    phone.tap("我在哪儿")
    pixel = metres_per_pixel(lat)
    size = phone.page.locator(".leaflet-container").bounding_box()
    assert size is not None
    seen = shapely.box(*(sign * size[side] / 2 for sign in (-1, 1) for side in ("width", "height"))) - shapely.Point(0, 0).buffer(radius_m / pixel + 12)
    shown: dict[str, tuple[float, float]] = {}
    for cell in index.cells:
        drawn = shapely.transform(cell.geometry, lambda at: (at - (lon, lat)) * (111_320 * math.cos(math.radians(lat)) / pixel, -110_950 / pixel))
        inside = (drawn & seen).buffer(-8)
        if not inside.is_empty:
            point = inside.representative_point()
            shown[cell.name] = (point.x, point.y)
    assert len(shown) > 1 and wanted <= set(shown)
    holds(phone.page, _LOOKS, [[*place, "maybe" if name in wanted else "other"] for name, place in shown.items()])


def circle_m(phone: FieldPhone, *, lat: float, radius_m: float) -> list[float]:
    """Metres from the middle of the map to the line of the circle: left, right, up, down; nothing where there is none within twice of it."""
    pixel = metres_per_pixel(lat)
    steps = [far / 2 for far in range(40, int(4 * radius_m / pixel))]
    found = []
    for x, y in ((-1, 0), (1, 0), (0, -1), (0, 1)):
        colours = phone.page.evaluate(_COLOURS, [(x * far, y * far) for far in steps])
        line = [far for far, (red, _, blue, opacity) in zip(steps, colours, strict=True) if opacity > 230 and red < 40 and 120 < blue < 170]
        found.append(sum(line) / len(line) * pixel if line else 0.0)
    return found


def own_cells(phone: FieldPhone) -> CellIndex:
    """The cells that the worker's phone has, as the server's own geometry knows them."""
    request = phone.page.request
    assert request.post(f"{phone.site.url}/api/v1/session", data={"login": "worker1", "password": DEMO_PASSWORD}).ok
    return CellIndex(read_cells(request.get(f"{phone.site.url}/api/v1/reference").json()["cells"], datum="cgcs2000").cells)
