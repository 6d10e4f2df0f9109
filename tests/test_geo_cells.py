"""A draft may be broken, and says where (rule L4): reading cells from GeoJSON."""

import json

import geojson
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from geo.area import area_m2, label_point
from geo.cell import Cell
from geo.cell_rows import cell_from_row, cell_to_row
from geo.cells import read_cells
from geo.datum import from_cgcs2000
from geo.edition import check_edition
from geo.errors import GeoError, MalformedGeoJSON, UnknownDatum
from geo.geojson_out import cells_to_geojson, feature_collection, load_features, point_feature

COMMUNITY = "320506001001"


def a_ring(west=120.62, south=31.3, width=0.001, height=0.001):
    return [[west, south], [west + width, south], [west + width, south + height], [west, south + height], [west, south]]


def a_feature(code=COMMUNITY + "001", *rings, **properties):
    geometry = {"type": "Polygon", "coordinates": list(rings) or [a_ring()]}
    return {"type": "Feature", "geometry": geometry, "properties": {"code": code, "name": "一号网格", **properties}}


def a_collection(*features, **members):
    return {"type": "FeatureCollection", "features": list(features), **members}


def codes_of(draft):
    return [problem.code for problem in draft.problems]


def test_a_clean_file_becomes_cells():
    """Code, name, order and further properties come in; the outline is on the grid."""
    text = json.dumps(a_collection(a_feature(order=3, manager="x", households=120)))
    draft = read_cells(text, datum="cgcs2000")
    (cell,) = draft.cells
    assert (cell.code, cell.name, cell.order, cell.layer) == (COMMUNITY + "001", "一号网格", 3, "base")
    assert cell.cell_id == cell.code
    assert cell.properties == {"manager": "x", "households": 120}
    assert draft.problems == ()
    assert read_cells(text.encode("utf-8-sig"), datum="cgcs2000") == draft


@pytest.mark.parametrize(
    ("name", "code", "kept"),
    [
        ("第一\x0b网格", "text_unprintable", "第一网格"),
        ("第一\x00网格", "text_unprintable", "第一网格"),
        ("第一\ud800网格", "text_unprintable", "第一网格"),
        ("第一\uffff网格", "text_unprintable", "第一网格"),
        ({"a": 1}, "not_text", ""),
        (["a"], "not_text", ""),
        (True, "not_text", ""),
        ("  第一网格\n", None, "  第一网格"),
        (7, None, "7"),
        (None, None, ""),
    ],
)
def test_a_name_that_no_map_could_print_is_told(name, code, kept):
    """A control character or an object for a name stops publishing, with the cell and its place named; no list breaks on it."""
    draft = read_cells(a_collection(a_feature(name=name)), datum="cgcs2000")
    assert codes_of(draft) == ([code] if code else []) and draft.cells[0].name == kept
    found = check_edition(draft).problems
    named = [(one.severity, one.cell_codes, one.lon is not None) for one in found if one.code == code]
    assert named == ([("error", (COMMUNITY + "001",), True)] if code else [])


@pytest.mark.parametrize(("code", "wrong"), [(COMMUNITY + "\x0b001", "text_unprintable"), ({"a": 1}, "not_text"), (True, "not_text")])
def test_a_code_that_no_map_could_print_is_told(code, wrong):
    """The same of a code."""
    assert codes_of(read_cells(a_collection(a_feature(code)), datum="cgcs2000")) == [wrong]


def test_properties_are_found_under_the_customers_own_names():
    """A file need not be rewritten before it is imported."""
    feature = a_feature()
    feature["properties"] = {"网格编码": "007", "网格名称": "北区", "序号": 2.0}
    draft = read_cells(
        a_collection(feature), datum="wgs84", mapping={"code": "网格编码", "name": "网格名称", "order": "序号"}
    )
    assert [(cell.code, cell.name, cell.order) for cell in draft.cells] == [("007", "北区", 2)]


OPEN = a_ring()[:-1]
BOW_TIE = [[120.62, 31.3], [120.621, 31.301], [120.621, 31.3], [120.62, 31.301], [120.62, 31.3]]


@pytest.mark.parametrize(
    ("ring", "code", "severity", "is_kept"),
    [
        (OPEN, "ring_not_closed", "error", True),
        (BOW_TIE, "ring_self_crossing", "error", True),
        (a_ring()[::-1], "ring_clockwise", "warning", True),
        ([[120.62, 31.3], [120.621, 31.3]], "ring_too_short", "error", False),
        ([[120.62, 31.3]], "ring_too_short", "error", False),
        ([], "ring_too_short", "error", False),
        (a_ring(width=3e-8), "polygon_invalid", "error", True),  # nothing is left of it on the grid
        (a_ring(west=31.3, south=120.62), "axes_swapped", "error", True),
        (a_ring(west=13427000.0, south=3671000.0, width=100.0, height=100.0), "outside_box", "error", False),  # metres
    ],
)
def test_a_broken_ring_is_named_with_its_place(ring, code, severity, is_kept):
    """Each fault says what it is, in which cell, and where; the cells beside it are read all the same."""
    good = a_feature(COMMUNITY + "002", a_ring(west=120.63))
    draft = read_cells(a_collection(a_feature(COMMUNITY + "001", ring), good), datum="cgcs2000")
    problem = next(problem for problem in draft.problems if problem.code == code)
    assert (problem.severity, problem.cell_codes, problem.feature_index) == (severity, (COMMUNITY + "001",), 0)
    assert problem.message_en
    assert problem.message_zh
    if ring:
        assert problem.lon is not None
    assert [cell.code for cell in draft.cells] == [COMMUNITY + "001"] * is_kept + [COMMUNITY + "002"]


def test_a_self_crossing_is_shown_at_the_crossing():
    """The secretary sees the very point where the border crosses itself."""
    (problem,) = [
        p for p in read_cells(a_collection(a_feature("1", BOW_TIE)), datum="wgs84").problems if "cross" in p.code
    ]
    assert (problem.lon, problem.lat) == (120.6205, 31.3005)


@pytest.mark.parametrize(
    ("feature", "code"),
    [
        (a_feature(""), "code_missing"),
        (a_feature(320506001001001), "code_is_number"),
        (a_feature(order="first"), "order_not_whole"),
        (a_feature(layer="colour"), "unknown_layer"),
        ({**a_feature(), "geometry": None}, "geometry_missing"),
        ({**a_feature(), "geometry": {"type": "MultiPolygon", "coordinates": []}}, "geometry_missing"),
        ({**a_feature(), "geometry": {"type": "Point", "coordinates": [120.0, 31.0]}}, "not_a_polygon"),
    ],
)
def test_an_incomplete_feature_is_a_finding_not_a_failure(feature, code):
    """One bad feature never hides the others."""
    draft = read_cells(a_collection(a_feature(COMMUNITY + "009", a_ring(west=120.65)), feature), datum="wgs84")
    assert code in codes_of(draft)
    assert draft.cells[0].code == COMMUNITY + "009"


def test_a_polygon_without_a_datum_is_not_read():
    """A boundary without a declared datum may lie half a kilometre off, so it is refused by name."""
    draft = read_cells(a_collection(a_feature("1"), a_feature("2", datum="gcj02")), datum=None)
    assert [(p.code, p.cell_codes) for p in draft.problems] == [("datum_missing", ("1",))]
    assert [cell.code for cell in draft.cells] == ["2"]
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::4490"}}
    assert read_cells(a_collection(a_feature("1"), crs=crs), datum=None).datum == "cgcs2000"
    with pytest.raises(UnknownDatum):
        read_cells(a_collection(a_feature("1")), datum="beijing54")
    metres = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::4549"}}
    with pytest.raises(GeoError) as caught:
        read_cells(a_collection(a_feature("1"), crs=metres), datum="cgcs2000")
    assert caught.value.code == "projected_crs"


@pytest.mark.parametrize("datum", ["gcj02", "bd09"])
def test_a_shifted_outline_comes_back_to_its_place(datum):
    """A boundary drawn on a Chinese web map lands where it is on the ground, and so do its findings."""
    shifted = [list(from_cgcs2000(lon=lon, lat=lat, datum=datum)) for lon, lat in a_ring()]
    draft = read_cells(a_collection(a_feature("1", shifted[:-1])), datum=datum)
    expected = read_cells(a_collection(a_feature("1")), datum="cgcs2000").cells[0]
    assert draft.cells[0].geometry.equals_exact(expected.geometry, 1.1e-7)
    (problem,) = draft.problems
    assert (problem.lon, problem.lat) == pytest.approx((120.62, 31.301), abs=1e-6)


@pytest.mark.parametrize(
    ("source", "feature_index"),
    [
        ("{", None),
        ("[]", None),
        ('{"type": "Polygon", "coordinates": []}', None),
        ('{"type": "FeatureCollection"}', None),
        ('{"type": "FeatureCollection", "features": {}}', None),
        ('{"type": "FeatureCollection", "features": [], "x": NaN}', None),
        (b"\xff\xfe\x00", None),
        (a_collection(a_feature(), "feature"), 1),
        (a_collection(a_feature(), {"type": "Polygon"}), 1),
        (a_collection(a_feature(), a_feature(), {**a_feature(), "properties": []}), 2),
        (a_collection({**a_feature(), "geometry": []}), 0),
        (a_collection({**a_feature(), "geometry": {"type": "Polygon", "coordinates": 7}}), 0),
        (a_collection(a_feature("1", [[120.0, "31"], [1, 2], [3, 4]])), 0),
        (a_collection(a_feature("1", [[120.0], [1, 2], [3, 4]])), 0),
        (a_collection(a_feature("1", [[120.0, float("inf")], [1, 2], [3, 4]])), 0),
        (a_collection(a_feature("1", 7)), 0),
    ],
)
def test_what_is_not_geojson_is_refused_with_the_feature_named(source, feature_index):
    """A damaged file gives one clear error that says where to look."""
    with pytest.raises(MalformedGeoJSON) as caught:
        read_cells(source, datum="wgs84")
    assert caught.value.feature_index == feature_index
    if feature_index is not None:
        assert f"feature {feature_index}" in str(caught.value)


offsets = st.integers(1, 30_000)


@st.composite
def cells_with_holes(draw):
    x, y = 1206200000 + draw(offsets), 313000000 + draw(offsets)
    wide, high = draw(st.integers(40, 20_000)), draw(st.integers(40, 20_000))
    shell = [(x, y), (x + wide, y), (x + wide, y + high), (x, y + high)]
    hole = [(x + 9, y + 9), (x + 9, y + high - 9), (x + wide - 9, y + 9)]
    scale = 10**7
    to_degrees = lambda ring: [(a / scale, b / scale) for a, b in ring]  # noqa: E731
    polygon = shapely.Polygon(to_degrees(shell), [to_degrees(hole)] if draw(st.booleans()) else [])
    far = shapely.box((x + 90_000) / scale, y / scale, (x + 90_100) / scale, (y + 50) / scale)
    geometry = shapely.MultiPolygon([polygon, shapely.orient_polygons(far)]) if draw(st.booleans()) else polygon
    text = st.text(st.characters(exclude_categories=("Cc", "Cs"), exclude_characters="\ufffe\uffff"), max_size=6)
    return Cell(
        cell_id=draw(st.uuids().map(str)),
        code=draw(st.from_regex(r"[0-9]{15}", fullmatch=True)),
        name=draw(text),
        geometry=geometry,
        layer=draw(st.sampled_from(["base", "dedicated"])),
        order=draw(st.integers(0, 99)),
        properties=draw(
            st.dictionaries(st.sampled_from(["楼栋", "leader", "n"]), text | st.integers(0, 9), max_size=2)
        ),
    )


@given(st.lists(cells_with_holes(), max_size=4, unique_by=lambda cell: cell.code))
def test_export_then_import_gives_the_same_cells(cells):
    """Nothing moves and nothing is lost between two systems that exchange an edition, or a store and its reader."""
    text = cells_to_geojson(cells, members={"edition": 4})
    draft = read_cells(text, datum="cgcs2000")
    assert list(draft.cells) == cells
    assert draft.problems == ()
    assert [cell_from_row(cell_to_row(cell)) for cell in cells] == cells
    for feature in json.loads(text)["features"]:
        polygons = feature["geometry"]["coordinates"]
        for polygon in polygons if feature["geometry"]["type"] == "MultiPolygon" else [polygons]:
            assert shapely.LinearRing(polygon[0]).is_ccw
            assert all(not shapely.LinearRing(hole).is_ccw for hole in polygon[1:])


def test_the_seventh_decimal_survives_the_geojson_package():
    """The package's silent rounding to a decimetre does not move a border."""
    text = '{"type": "Point", "coordinates": [120.1234567, 31.7654321]}'
    assert load_features(text)["coordinates"] == [120.1234567, 31.7654321]
    assert geojson.Point((120.1234567, 31.7654321))["coordinates"] == [120.1234567, 31.7654321]


def test_a_stream_is_whole_or_says_why():
    """An empty collection is valid, a record without a place has a null geometry, and NaN is never written."""
    assert json.loads("".join(feature_collection([])))["features"] == []
    feature = point_feature(lon=None, lat=None, properties={"name": "甲"}, feature_id="a")
    assert json.loads("".join(feature_collection([feature])))["features"][0]["geometry"] is None
    point = point_feature(lon=120.12345678, lat=31.0, properties={})
    assert point["geometry"]["coordinates"] == [120.1234568, 31.0]
    with pytest.raises(GeoError, match="JSON"):
        list(feature_collection([point_feature(lon=1.0, lat=1.0, properties={"x": float("nan")})]))
    with pytest.raises(GeoError, match="crs"):
        list(feature_collection([], members={"crs": {}}))


def test_area_and_label_of_a_cell():
    """The area is the one on the ground, and the name is written inside the cell."""
    ell = shapely.Polygon(
        [(120.0, 31.0), (120.01, 31.0), (120.01, 31.001), (120.001, 31.001), (120.001, 31.01), (120.0, 31.01)]
    )
    square = shapely.box(120.0, 31.0, 120.01, 31.01)
    assert area_m2(square) == pytest.approx(954.9 * 1108.6, rel=2e-3)
    assert area_m2(shapely.Polygon(square.exterior.coords[::-1])) == area_m2(square)
    lon, lat = label_point(ell)
    assert shapely.contains_xy(ell, lon, lat)
    assert area_m2(None) == 0.0
    assert label_point(shapely.Polygon()) is None
