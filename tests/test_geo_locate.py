"""Exactly one cell for every point, whatever the order of the file (rule L1)."""

import json
import random
from pathlib import Path

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from geo.cell import Cell
from geo.locate import CellIndex

VECTORS = sorted((Path(__file__).parent / "vectors" / "locate").glob("*.json"))
CASES = [(path.stem, case) for path in VECTORS for case in json.loads(path.read_text("utf-8"))]
UNIT = 10**7


def a_cell(code, ring, *, order=0, cell_id=None, layer="base"):
    """A cell from grid units."""
    geometry = shapely.Polygon([(x / UNIT, y / UNIT) for x, y in ring])
    return Cell(cell_id=cell_id or f"id-{code}", code=code, name=code, geometry=geometry, order=order, layer=layer)


def vector_cells(case):
    return [
        Cell(
            cell_id=cell["cell_id"],
            code=cell["code"],
            name="",
            order=cell["order"],
            geometry=shapely.from_geojson(json.dumps(cell["geometry"])),
        )
        for cell in case["cells"]
    ]


def covers_exactly(ring, point):
    """Whether a simple ring of integer points covers an integer point: no floating point anywhere."""
    inside = False
    x, y = point
    for (ax, ay), (bx, by) in zip(ring, ring[1:] + ring[:1], strict=True):
        turn = (bx - ax) * (y - ay) - (by - ay) * (x - ax)
        if turn == 0 and min(ax, bx) <= x <= max(ax, bx) and min(ay, by) <= y <= max(ay, by):
            return True
        if (ay > y) != (by > y) and (turn > 0) == (by > ay):
            inside = not inside
    return inside


@pytest.mark.parametrize(("topic", "case"), CASES, ids=lambda value: value if isinstance(value, str) else value["name"])
def test_vectors_hold_in_every_order_of_the_file(topic, case):
    """Phone and server name the same cell, and no re-sorted file changes an answer."""
    cells = vector_cells(case)
    expected = [point["cell_id"] for point in case["points"]]
    lons = [point["lon"] for point in case["points"]]
    lats = [point["lat"] for point in case["points"]]
    for seed in range(4):
        shuffled = random.Random(seed).sample(cells, len(cells))
        index = CellIndex(shuffled if seed else cells)
        alone = [index.locate(lon=lon, lat=lat) for lon, lat in zip(lons, lats, strict=True)]
        assert alone == expected
        found = index.locate_many(lons=lons, lats=lats)
        assert [index.cell_ids[at] if at >= 0 else None for at in found] == expected


def test_the_vectors_cover_what_they_promise():
    """Borders, corners, holes, three-cell nodes and jitter are all there, each point once."""
    assert {topic for topic, _ in CASES} == {"borders", "corners", "holes", "snapping"}
    for _, case in CASES:
        places = [(point["lon"], point["lat"]) for point in case["points"]]
        assert len(places) == len(set(places)), case["name"]
    assert sum(len(case["points"]) for _, case in CASES) > 80


@st.composite
def coverages(draw):
    """A lattice of moved corners: quadrilaterals, some split in triangles, that fill a block without gap or overlap."""
    columns, rows, step = draw(st.integers(1, 4)), draw(st.integers(1, 4)), draw(st.sampled_from([8, 50, 9973]))
    moves = st.integers(-(step // 4), step // 4)
    corner = {
        (i, j): (1206200000 + i * step + draw(moves), 313000000 + j * step + draw(moves))
        for i in range(columns + 1)
        for j in range(rows + 1)
    }
    rings = []
    for i in range(columns):
        for j in range(rows):
            a, b, c, d = corner[i, j], corner[i + 1, j], corner[i + 1, j + 1], corner[i, j + 1]
            is_convex_at_b = (b[0] - a[0]) * (c[1] - b[1]) - (b[1] - a[1]) * (c[0] - b[0]) > 0
            is_convex_at_d = (d[0] - c[0]) * (a[1] - d[1]) - (d[1] - c[1]) * (a[0] - d[0]) > 0
            if is_convex_at_b and is_convex_at_d and draw(st.booleans()):
                rings += [[a, b, c], [a, c, d]]
            else:
                rings.append([a, b, c, d])
    orders = draw(st.lists(st.integers(0, 2), min_size=len(rings), max_size=len(rings)))
    codes = draw(st.permutations([f"{number:03}" for number in range(len(rings))]))
    inner = shapely.union_all([shapely.Polygon(ring) for ring in rings])
    wander = st.tuples(st.integers(-2, columns * step + 2), st.integers(-2, rows * step + 2))
    points = [(1206200000 + x, 313000000 + y) for x, y in draw(st.lists(wander, max_size=20))]
    near_corners = [(x + dx, y + dy) for x, y in corner.values() for dx in (-1, 0, 1) for dy in (-1, 0, 1)]
    middles = [
        ((a[0] + b[0]) // 2, (a[1] + b[1]) // 2)
        for ring in rings
        for a, b in zip(ring, ring[1:] + ring[:1], strict=True)
    ]
    return rings, orders, codes, points + near_corners + middles, inner, draw(st.randoms(use_true_random=False))


@given(coverages())
def test_every_point_of_the_union_has_exactly_one_cell_whatever_the_file_order(coverage):
    """Nobody is counted twice and nobody is lost, on borders and corners too."""
    rings, orders, codes, points, union, dice = coverage
    cells = [a_cell(code, ring, order=order) for ring, order, code in zip(rings, orders, codes, strict=True)]
    covering = [
        sorted((cell.tie_key, cell.cell_id) for cell, ring in zip(cells, rings, strict=True) if covers_exactly(ring, p))
        for p in points
    ]
    expected = [holders[0][1] if holders else None for holders in covering]
    for point, cell_id in zip(points, expected, strict=True):
        assert (cell_id is not None) == bool(shapely.intersects_xy(union, *point))
    lons, lats = np.array(points).T / UNIT
    for _ in range(2):
        dice.shuffle(cells)
        index = CellIndex(cells)
        positions, counts = index.locate_counted(lons=lons, lats=lats)
        assert [index.cell_ids[at] if at >= 0 else None for at in positions] == expected
        assert counts.tolist() == [len(holders) for holders in covering]
    assert [index.locate(lon=lon, lat=lat) for lon, lat in zip(lons[:40], lats[:40], strict=True)] == expected[:40]


def test_an_index_that_is_asked_strange_things():
    """No cells, no points, values that are not finite: an empty answer, never a crash."""
    empty = CellIndex([])
    assert empty.locate(lon=120.0, lat=31.0) is None
    assert empty.nearest(lon=120.0, lat=31.0) is None
    assert empty.locate_many(lons=[120.0], lats=[31.0]).tolist() == [-1]
    index = CellIndex([a_cell("1", [(0, 0), (100, 0), (100, 100), (0, 100)])])
    assert index.locate_many(lons=[], lats=[]).shape == (0,)
    assert index.locate_many(lons=[np.nan, np.inf, 0.000001], lats=[0.0, 0.0, 0.000001]).tolist() == [-1, -1, 0]
    assert index.locate(lon=float("nan"), lat=0.0) is None
    with pytest.raises(ValueError, match="one shape"):
        index.locate_many(lons=[1.0, 2.0], lats=[1.0])


def test_dedicated_cells_never_take_a_point_from_the_base_layer():
    """A market drawn inside a base cell has its own layer; figures by base cell stay exact."""
    base = a_cell("2", [(0, 0), (100, 0), (100, 100), (0, 100)])
    market = a_cell("1", [(10, 10), (50, 10), (50, 50), (10, 50)], layer="dedicated")
    at = {"lon": 20 / UNIT, "lat": 20 / UNIT}
    assert CellIndex([market, base]).locate(**at) == "id-2"
    assert CellIndex([market, base], layer="dedicated").locate(**at) == "id-1"
