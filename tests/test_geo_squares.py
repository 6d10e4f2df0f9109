"""The table of squares answers what the exact test answers, only sooner (rule L1)."""

import json
import random
import time
from pathlib import Path

import numpy as np
import pytest
import shapely
import shapely.affinity
from coverage_kit import UNIT, irregular_cells
from hypothesis import given
from hypothesis import strategies as st

from geo.cell import Cell
from geo.locate import CellIndex
from geo.squares import CROWDED, OUTSIDE

VECTORS = sorted((Path(__file__).parent / "vectors" / "locate").glob("*.json"))


def a_cell(number, geometry):
    return Cell(cell_id=f"c{number}", code=f"{number:04}", name="", geometry=geometry)


def agree(index, x, y):
    """Every way of asking gives the answer of the exact test; x and y are grid units."""
    lons, lats = np.asarray(x) / UNIT, np.asarray(y) / UNIT
    positions, counts = index.locate_exactly(lons=lons, lats=lats)
    np.testing.assert_array_equal(index.locate_many(lons=lons, lats=lats), positions)
    found, number = index.locate_counted(lons=lons, lats=lats)
    np.testing.assert_array_equal(found, positions)
    np.testing.assert_array_equal(number, counts)
    for at in range(0, len(lons), max(len(lons) // 300, 1)):
        expected = None if positions[at] < 0 else index.cell_ids[positions[at]]
        assert index.locate(lon=lons[at], lat=lats[at]) == expected


def hard_points(index, dice, number):
    """Corners, points a unit beside them, points on and beside edges, points on and beside the lines of squares."""
    vertices = shapely.get_coordinates(index._units)
    chosen = vertices[dice.integers(0, len(vertices) - 1, number)]
    following = vertices[dice.integers(0, len(vertices) - 1, number)]
    on_edge = np.floor(chosen + (following - chosen) * dice.uniform(0, 1, (number, 1)))
    squares = index.squares
    lines_x = squares._west + np.floor(dice.integers(0, squares.columns + 1, number) / squares._per_x)
    lines_y = squares._south + np.floor(dice.integers(0, squares.rows + 1, number) / squares._per_y)
    centres = [chosen, on_edge, np.column_stack([lines_x, lines_y]), np.column_stack([lines_x, chosen[:, 1]])]
    points = np.concatenate(centres)
    return (points + dice.integers(-1, 2, points.shape)).T


@st.composite
def messy_cells(draw):
    """Cells as drafts have them: boxes, slivers, holes, bow-ties, parts, all over each other, near and far apart."""
    span = draw(st.sampled_from([40, 5_000, 3_000_000, 400_000_000]))
    place = st.integers(0, span)
    cells = []
    for number in range(draw(st.integers(1, 7))):
        corners = draw(st.lists(st.tuples(place, place), min_size=3, max_size=7, unique=True))
        shape = draw(st.sampled_from(["ring", "hull", "box", "holed", "parts"]))
        ring = shapely.Polygon(corners)
        if shape == "hull":
            ring = shapely.convex_hull(ring)
        if shape in ("box", "holed", "parts"):
            west, south, east, north = ring.bounds
            ring = shapely.box(west, south, east + 3, north + 3)
        if shape == "holed":
            middle = [(x + 1, y + 1) for x, y in shapely.get_coordinates(shapely.affinity.scale(ring, 0.4, 0.4))]
            ring = shapely.Polygon(shapely.get_coordinates(ring), [np.floor(middle)])
        if shape == "parts":
            ring = shapely.MultiPolygon([ring, shapely.affinity.translate(ring, span + 9, 0)])
        if ring.geom_type in ("Polygon", "MultiPolygon") and ring.area > 0:
            shifted = shapely.transform(ring, lambda units: (units + np.array([1.1e9, 2.5e8])) / UNIT)
            cells.append(a_cell(number, shifted))
    return cells, draw(st.integers(0, 2**32 - 1))


@given(messy_cells())
def test_squares_never_change_an_answer(messy):
    """Overlapping, crossing, holed, tiny and far-flung cells: the short cut and the exact test name the same cell."""
    cells, seed = messy
    index = CellIndex(cells)
    if not len(index):
        return
    dice = np.random.default_rng(seed)
    west, south, east, north = shapely.total_bounds(index._units)
    x, y = hard_points(index, dice, 60)
    agree(index, x, y)
    agree(index, dice.integers(west - 3, east + 4, 200), dice.integers(south - 3, north + 4, 200))


@pytest.mark.parametrize("bends", [0, 6, 49])
def test_a_city_of_irregular_cells_is_answered_alike(bends):
    """Random points, corners, edges and the lines between squares, in cells of 4, 28 and 200 corners."""
    index = CellIndex(irregular_cells(12, 9, step=9_001, bends=bends, seed=bends))
    dice = np.random.default_rng(bends)
    west, south, east, north = shapely.total_bounds(index._units)
    agree(index, *hard_points(index, dice, 1_500))
    agree(index, dice.integers(west, east, 6_000), dice.integers(south, north, 6_000))


def test_every_point_of_a_small_edition_is_answered_alike():
    """No grid unit is left out: a small block is asked point by point."""
    index = CellIndex(irregular_cells(4, 3, step=40, bends=2, seed=5))
    west, south, east, north = shapely.total_bounds(index._units)
    x, y = np.meshgrid(np.arange(west - 2, east + 3), np.arange(south - 2, north + 3))
    agree(index, x.ravel(), y.ravel())


def test_the_published_vectors_hold_without_the_short_cut_and_with_it():
    """The cases that phones repeat are decided alike by both ways."""
    for path in VECTORS:
        for case in json.loads(path.read_text("utf-8")):
            cells = [
                Cell(cell["cell_id"], cell["code"], "", shapely.from_geojson(json.dumps(cell["geometry"])), "base", cell["order"])
                for cell in case["cells"]
            ]  # fmt: skip
            index = CellIndex(random.Random(1).sample(cells, len(cells)))
            lons, lats = (np.array([point[key] for point in case["points"]]) for key in ("lon", "lat"))
            exact = index.locate_exactly(lons=lons, lats=lats)[0]
            np.testing.assert_array_equal(index.locate_many(lons=lons, lats=lats), exact)


def test_a_town_in_a_corner_of_the_country_stays_exact():
    """Cells far smaller than the squares (two towns, a thousand kilometres apart) go through the search tree."""
    near = irregular_cells(12, 12, step=300, bends=3, seed=2)
    far = irregular_cells(12, 12, step=300, bends=3, seed=3)
    moved = [
        a_cell(number, shapely.transform(cell.geometry, lambda lonlat: lonlat - (12.5, 7.25)))
        for number, cell in enumerate(far)
    ]
    index = CellIndex(near + moved)
    assert (index.squares.table == CROWDED).any()
    dice = np.random.default_rng(4)
    agree(index, *hard_points(index, dice, 1_000))
    west, south, east, north = shapely.bounds(shapely.union_all(index._units[:100]))
    agree(index, dice.integers(west, east, 3_000), dice.integers(south, north, 3_000))


def test_strange_numbers_fall_outside():
    """Infinite, not-a-number and absurd coordinates have no cell, alone and in a batch."""
    index = CellIndex(irregular_cells(3, 3))
    strange = [float("nan"), float("inf"), float("-inf"), 1e300, -1e300, 1e12, 0.0]
    for value in strange:
        assert index.locate(lon=value, lat=31.3) is None
        assert index.locate(lon=120.6, lat=value) is None
    lons = strange + [120.625] * len(strange)
    lats = [31.325] * len(strange) + strange
    assert (index.locate_many(lons=lons, lats=lats) == OUTSIDE).all()
    assert (index.locate_counted(lons=lons, lats=lats)[1] == 0).all()


@pytest.mark.long
@pytest.mark.parametrize(("bends", "times"), [(6, 5.0), (49, 10.0)])
def test_a_million_points_take_a_fraction_of_the_search_tree(bends, times):
    """10,000 cells of 30 and of 200 corners: five and ten times as fast as the bulk query, ties included, all alike."""
    index = CellIndex(irregular_cells(100, 100, bends=bends))
    dice = np.random.default_rng(7)
    west, south, east, north = shapely.total_bounds(index._units)
    x, y = dice.integers(west, east, 1_000_000) * 1.0, dice.integers(south, north, 1_000_000) * 1.0
    x[:40_000], y[:40_000] = hard_points(index, dice, 10_000)
    lons, lats = x / UNIT, y / UNIT
    index.locate_many(lons=lons[:10], lats=lats[:10])
    ratios = []
    for _ in range(3):
        start = time.perf_counter()
        index._tree.query(shapely.points(x, y), predicate="intersects")
        middle = time.perf_counter()
        index.locate_many(lons=lons, lats=lats)
        ratios.append((middle - start) / (time.perf_counter() - middle))
    agree(index, x, y)
    assert max(ratios) >= times, ratios
