"""Cells in from the files that customers have, with Chinese names that stay readable."""

import json

import numpy as np
import pyogrio.raw
import pytest
import shapely
import shapely.affinity
from pyproj import Transformer

from geo.cells import read_cells
from geo.columns import guess_mapping
from geo.datum import from_cgcs2000
from geo.errors import GeoError
from geo.files import kind_of, read_cell_file

CODES = ["110101001001001", "110101001001002"]
NAMES = ["东一网格（北）", "东二网格"]
KINDS = ["专属网格", "基础网格"]
WEST, EAST = shapely.box(120.6, 31.3, 120.61, 31.31), shapely.box(120.61, 31.3, 120.62, 31.31)


def write(path, *, headings=("网格编码", "网格名称", "网格类型"), shapes=(WEST, EAST), crs="EPSG:4490", encoding=None):
    drivers = {".gpkg": "GPKG", ".shp": "ESRI Shapefile", ".fgb": "FlatGeobuf", ".kml": "KML"}
    values = [np.array(column, dtype=object) for column in (CODES, NAMES, KINDS)][: len(headings)]
    pyogrio.raw.write(
        path, shapely.to_wkb(np.array(shapes, dtype=object)), values, fields=list(headings),
        geometry_type="Polygon", crs=crs, driver=drivers[path.suffix], encoding=encoding,
    )  # fmt: skip
    return path


def by_code(draft):
    return {cell.code: (cell.name, cell.layer, cell.geometry) for cell in draft.cells}


def assert_as_drawn(draft, *, layers=True):
    cells = by_code(draft)
    assert sorted(cells) == CODES
    assert [cells[code][0] for code in CODES] == NAMES
    assert [cells[code][1] for code in CODES] == (["dedicated", "base"] if layers else ["base", "base"])
    for code, shape in zip(CODES, (WEST, EAST), strict=True):
        assert shapely.equals(shapely.set_precision(cells[code][2], 1e-7), shapely.set_precision(shape, 1e-7))


@pytest.mark.parametrize("suffix", [".gpkg", ".fgb", ".kml"])
def test_cells_come_in_whole_from_every_format(tmp_path, suffix):
    """Codes with all their digits, Chinese names and layers, outlines to the seventh decimal."""
    path = write(tmp_path / f"社区{suffix}")
    draft = read_cell_file(path, datum="cgcs2000")
    assert_as_drawn(draft)
    assert draft.problems == ()


@pytest.mark.parametrize("encoding", ["UTF-8", "GBK"])
@pytest.mark.parametrize("said", ["cpg", "declared", "nothing"])
def test_a_shapefile_keeps_its_chinese_names_whatever_it_says_of_them(tmp_path, encoding, said):
    """UTF-8 and GBK, told by the .cpg, by the person, or by nobody; headings that were cut are known all the same."""
    headings = ("网格编", "网格名", "网格类") if encoding == "UTF-8" else ("网格编码", "网格名称", "网格类型")
    path = write(tmp_path / "cells.shp", headings=headings, encoding=encoding)
    if said != "cpg":
        path.with_suffix(".cpg").unlink()
    draft = read_cell_file(path, datum="cgcs2000", encoding=encoding if said == "declared" else None)
    assert "ring_clockwise" not in {one.code for one in draft.problems}, "the format wants it so"
    assert_as_drawn(draft)
    guessed = [problem for problem in draft.problems if problem.code == "encoding_guessed"]
    assert len(guessed) == (said == "nothing")


def test_a_heading_cut_inside_a_character_is_read(tmp_path):
    """Other readers cannot open such a file at all: the heading's tenth byte ends in the middle of a character."""
    path = write(tmp_path / "cells.shp", headings=("code", "网格名称", "kind"), encoding="UTF-8")
    raw = path.with_suffix(".dbf").read_bytes()
    assert "网格名称".encode()[:10] in raw
    draft = read_cell_file(path, datum="cgcs2000")
    assert_as_drawn(draft, layers=False)


def test_text_that_is_neither_utf8_nor_gbk_is_refused(tmp_path):
    """Better no name than a wrong one."""
    path = write(tmp_path / "cells.shp", headings=("code", "name"), encoding="UTF-8")
    path.with_suffix(".cpg").unlink()
    dbf = path.with_suffix(".dbf")
    dbf.write_bytes(dbf.read_bytes().replace("东二".encode(), b"\xff\xfe\xff\xff\xfe\xff"))
    with pytest.raises(GeoError) as caught:
        read_cell_file(path, datum="cgcs2000")
    assert caught.value.code == "encoding_unknown"
    with pytest.raises(GeoError):
        read_cell_file(path, datum="cgcs2000", encoding="klingon")


@pytest.mark.parametrize("epsg", [3857, 4549, 4509])
def test_metres_of_a_named_system_become_degrees(tmp_path, epsg):
    """Web Mercator and Gauss–Krüger drawings need no conversion beforehand."""
    turn = Transformer.from_crs(4490, epsg, always_xy=True)

    def move(vertices):
        return np.column_stack(turn.transform(*vertices.T))

    shapes = [shapely.transform(shape, move) for shape in (WEST, EAST)]
    draft = read_cell_file(write(tmp_path / "a.gpkg", shapes=shapes, crs=f"EPSG:{epsg}"), datum="cgcs2000")
    for code, shape in zip(CODES, (WEST, EAST), strict=True):
        assert shapely.hausdorff_distance(by_code(draft)[code][2], shape) < 3e-7


def test_old_national_systems_and_unnamed_metres_are_refused(tmp_path):
    """Xi'an 1980 and Beijing 1954 lie a hundred metres off; nobody is moved there silently."""
    for number, crs in enumerate(["EPSG:4610", "EPSG:4214", "EPSG:2345"]):
        with pytest.raises(GeoError) as caught:
            read_cell_file(write(tmp_path / f"{number}.gpkg", crs=crs), datum="cgcs2000")
        assert caught.value.code == "other_ellipsoid"
    metres = [shapely.affinity.translate(shape, 500_000, 3_000_000) for shape in (WEST, EAST)]
    with pytest.raises(GeoError) as caught:
        read_cell_file(write(tmp_path / "no.gpkg", shapes=metres, crs=None), datum="cgcs2000")
    assert caught.value.code == "unknown_crs"


def test_a_declared_offset_wins_over_the_file(tmp_path):
    """A map drawn on GCJ-02 is saved as WGS-84 like any other; the person knows better than the file."""

    def move(vertices):
        return np.column_stack(from_cgcs2000(lon=vertices[:, 0], lat=vertices[:, 1], datum="gcj02"))

    shapes = [shapely.transform(shape, move) for shape in (WEST, EAST)]
    path = write(tmp_path / "a.fgb", shapes=shapes, crs="EPSG:4326")
    draft = read_cell_file(path, datum="gcj02")
    assert shapely.hausdorff_distance(by_code(draft)[CODES[0]][2], WEST) < 2e-7
    undeclared = read_cell_file(path, datum=None)
    assert not undeclared.cells
    assert {problem.code for problem in undeclared.problems} == {"datum_missing"}


def test_the_same_dirt_is_told_alike_from_every_format(tmp_path):
    """A bow-tie is a bow-tie, whatever the file."""
    bow = shapely.Polygon([(120.6, 31.3), (120.61, 31.31), (120.61, 31.3), (120.6, 31.31)])
    wanted = None
    for suffix in (".gpkg", ".shp", ".fgb", ".kml"):
        path = write(tmp_path / f"x{suffix}", headings=("code", "name"), shapes=(bow, EAST), encoding=None)
        found = read_cell_file(path, datum="cgcs2000").problems
        told = {(one.code, one.cell_codes, one.lon, one.lat) for one in found if one.code == "ring_self_crossing"}
        assert told
        wanted = wanted or told
        assert told == wanted


def test_what_a_file_is_its_content_says(tmp_path):
    """A list of other places in the guise of a map is never opened."""
    trap = tmp_path / "cells.kml"
    trap.write_text('<OGRVRTDataSource><OGRVRTLayer name="kml"><SrcDataSource>/etc/passwd</SrcDataSource><!--<kml-->')
    for path in (trap, tmp_path / "absent.gpkg"):
        with pytest.raises(GeoError):
            read_cell_file(path, datum="cgcs2000")
    broken = tmp_path / "broken.gpkg"
    broken.write_bytes(b"SQLite format 3\x00" + bytes(5000))
    with pytest.raises(GeoError) as caught:
        read_cell_file(broken, datum="cgcs2000")
    assert caught.value.code == "unreadable_file"
    assert kind_of(write(tmp_path / "really.fgb").rename(tmp_path / "named.kml")) == "flatgeobuf"


def test_geojson_with_chinese_headings_needs_no_mapping(tmp_path):
    """The headings that people really use are known; a mapping that is given wins."""
    features = [
        {"type": "Feature", "properties": {"网格编号": code, "名称": name, "负责人": "x"},
         "geometry": json.loads(shapely.to_geojson(shape))}
        for code, name, shape in zip(CODES, NAMES, (WEST, EAST), strict=True)
    ]  # fmt: skip
    path = tmp_path / "cells.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}, ensure_ascii=False), "utf-8")
    assert_as_drawn(read_cell_file(path, datum="cgcs2000"), layers=False)
    other = read_cell_file(path, datum="cgcs2000", mapping={"name": "负责人"})
    assert {cell.name for cell in other.cells} == {"x"}


@pytest.mark.parametrize(
    ("headings", "mapping"),
    [
        (["FID", "WGBM", "WGMC"], {"code": "WGBM", "name": "WGMC"}),
        (["编码", "网格编码", "名称"], {"code": "网格编码", "name": "名称"}),
        (["ＣＯＤＥ", " Grid Name ", "序号"], {"code": "ＣＯＤＥ", "name": " Grid Name ", "order": "序号"}),
        (["网格编", "网格名"], {"code": "网格编", "name": "网格名"}),
        (["高度", "面积"], {}),
    ],
)
def test_headings_are_guessed(headings, mapping):
    """The guess takes the fuller heading first, and never a column that merely looks near."""
    assert guess_mapping(headings) == mapping


def test_swapped_axes_are_told_and_the_cell_is_kept():
    """A drawing with latitude first stays in the draft, so that turning it round can be proposed."""
    ring = [[31.3, 120.6], [31.3, 120.61], [31.31, 120.61], [31.31, 120.6], [31.3, 120.6]]
    feature = {"type": "Feature", "properties": {"code": "1"}, "geometry": {"type": "Polygon", "coordinates": [ring]}}
    draft = read_cells({"type": "FeatureCollection", "features": [feature]}, datum="wgs84")
    assert len(draft.cells) == 1
    assert "axes_swapped" in {problem.code for problem in draft.problems}
