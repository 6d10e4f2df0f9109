"""Buildings decide, phones suggest: what a fix may decide alone (rules L2 and L3)."""

import math
import random
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from geo.cell import Cell
from geo.datum import from_cgcs2000
from geo.locate import CellIndex
from geo.location import canonical_location
from geo.metric import metres_per_degree
from geo.near import SIGMAS_OF_R95, normal_share
from geo.place import PlacementDecision, place_fix, place_fixes

WEST, SOUTH = 120.62, 31.30
EAST_M, NORTH_M = (float(metres) for metres in metres_per_degree(SOUTH))


def a_cell(code, west_m, south_m, east_m, north_m):
    """A rectangle in metres from the community's south-west corner."""
    corners = [(west_m, south_m), (east_m, south_m), (east_m, north_m), (west_m, north_m)]
    ring = [(round(WEST + x / EAST_M, 7), round(SOUTH + y / NORTH_M, 7)) for x, y in corners]
    return Cell(cell_id=code, code=code, name=code, geometry=shapely.Polygon(ring))


def four_cells():
    corners = {"1": (0, 0), "2": (200, 0), "3": (0, 200), "4": (200, 200)}
    return [a_cell(code, x, y, x + 200, y + 200) for code, (x, y) in corners.items()]


def a_fix(x_m, y_m, **over):
    value = {
        "lon": WEST + x_m / EAST_M,
        "lat": SOUTH + y_m / NORTH_M,
        "datum": "wgs84",
        "method": "gps",
        "accuracy_m": 10,
    }
    return canonical_location({**value, "confidence": 0.95, **over})


INDEX = CellIndex(four_cells())


def test_a_fix_well_inside_is_placed_without_a_question():
    """Nobody is asked about a fix whose circle stays in one cell."""
    assert place_fix(INDEX, a_fix(100, 100)) == PlacementDecision(cell_id="1", decision="inside")


def test_a_fix_near_a_border_keeps_its_candidates():
    """Both cells are kept with their probability, and a person confirms."""
    decision = place_fix(INDEX, a_fix(195, 100))
    assert (decision.cell_id, decision.decision, decision.needs_confirmation) == ("1", "inside", True)
    (first, likely), (second, unlikely) = decision.candidates
    assert (first, second) == ("1", "2")
    sigma = 10 / SIGMAS_OF_R95
    assert likely == pytest.approx(0.5 * (1 + math.erf(5 / sigma / math.sqrt(2))), abs=2e-3)
    assert likely + unlikely == pytest.approx(1.0, abs=1e-5)


def test_a_68_percent_radius_reaches_further_than_a_95_percent_one():
    """Ten metres from Android are sixteen from a browser."""
    assert not place_fix(INDEX, a_fix(187, 100)).needs_confirmation
    assert place_fix(INDEX, a_fix(187, 100, confidence=0.68)).needs_confirmation


@pytest.mark.parametrize("method", ["survey", "map_pick"])
def test_a_surveyed_or_picked_point_is_final(method):
    """A person who pointed at the place is not asked again."""
    decision = place_fix(INDEX, a_fix(199, 199, method=method, accuracy_m=50))
    assert decision == PlacementDecision(cell_id="1", decision="inside")


def test_a_point_on_a_border_says_that_the_tie_rule_decided():
    """A picked corner of four cells goes to one of them, and says why."""
    corner = shapely.get_coordinates(INDEX.cells[0].geometry)[2]
    decision = place_fix(
        INDEX, canonical_location({"lon": corner[0], "lat": corner[1], "datum": "cgcs2000", "method": "map_pick"})
    )
    assert decision == PlacementDecision(cell_id="1", decision="tie_rule")
    on_corner = place_fix(INDEX, a_fix(200, 200, method="gps"))
    assert [round(share, 3) for _, share in on_corner.candidates] == [0.25] * 4


def test_outside_every_cell_nothing_is_dropped():
    """A fix outside keeps the nearest cell and its distance; near the edge also its candidates."""
    far = place_fix(INDEX, a_fix(450, 100))
    assert (far.cell_id, far.decision, far.candidates, far.needs_confirmation) == (None, "outside", (), False)
    assert far.nearest[0] == "2"
    assert far.nearest[1] == pytest.approx(50, abs=0.05)
    near = place_fix(INDEX, a_fix(404, 100))
    assert near.needs_confirmation
    assert [cell_id for cell_id, _ in near.candidates] == ["2"]
    assert 0 < near.candidates[0][1] < 0.5


def test_records_without_a_location_stand_beside_the_others():
    """A batch keeps its order; what has no location is unlocated, not lost."""
    decisions = place_fixes(INDEX, [None, a_fix(100, 100), None])
    assert [decision.decision for decision in decisions] == ["unlocated", "inside", "unlocated"]
    assert place_fixes(INDEX, []) == []
    assert place_fix(CellIndex([]), a_fix(100, 100)) == PlacementDecision(cell_id=None, decision="outside")


@pytest.mark.parametrize(
    ("true_datum", "declared"), [("gcj02", "wgs84"), ("bd09", "cgcs2000"), ("wgs84", "gcj02"), ("bd09", "gcj02")]
)
def test_a_wrong_datum_is_suspected(true_datum, declared):
    """A point outside that another datum would put inside tells which datum that is."""
    lon, lat = from_cgcs2000(lon=WEST + 200 / EAST_M, lat=SOUTH + 150 / NORTH_M, datum=true_datum)
    decision = place_fix(INDEX, canonical_location({"lon": lon, "lat": lat, "datum": declared, "method": "gps"}))
    assert decision.decision == "outside"
    assert decision.datum_suspect == (true_datum,)


def test_an_honest_point_outside_is_not_suspected():
    """Another town is not a wrong datum."""
    assert place_fix(INDEX, a_fix(20_000, 0)).datum_suspect == ()


@given(st.lists(st.tuples(st.integers(-60, 460), st.integers(-60, 460), st.integers(0, 60)), max_size=12))
def test_a_batch_decides_as_its_members_alone(fixes):
    """No decision depends on what else is in the batch, and asking again gives the same figures."""
    locations = [a_fix(x, y, accuracy_m=radius) for x, y, radius in fixes]
    together = place_fixes(INDEX, locations)
    assert together == [place_fix(INDEX, location) for location in locations]
    assert together == place_fixes(CellIndex(reversed(four_cells())), locations)
    for decision in together:
        assert sum(share for _, share in decision.candidates) <= 1 + 1e-5
        assert decision.needs_confirmation == bool(decision.candidates)
        assert (decision.cell_id is None) == (decision.decision == "outside") == (decision.nearest is not None)


def test_threads_may_share_an_index():
    """Phones that push at the same moment get the same answers from one index."""
    fixes = [a_fix(dice.uniform(-30, 430), dice.uniform(-30, 430)) for dice in [random.Random(3)] for _ in range(150)]
    expected = place_fixes(INDEX, fixes)
    fresh = CellIndex(four_cells())
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: place_fixes(fresh, fixes), range(8)))
    assert all(answer == expected for answer in answers)


def test_the_share_of_a_circle_agrees_with_counting():
    """The exact integral equals a count of random points, for a star with a hole, wherever the centre lies."""
    dice = random.Random(7)
    star = shapely.Polygon(
        [(reach * math.cos(k * math.pi / 5), reach * math.sin(k * math.pi / 5)) for k, reach in enumerate([1.2, 3] *
        5)], [[(0.5, -0.3), (-0.2, -0.3), (-0.2, 0.4), (0.5, 0.4)]],
    )  # fmt: skip
    star = shapely.orient_polygons(star)
    noise = np.random.default_rng(7).normal(size=(200_000, 2))
    for _ in range(6):
        x, y, sigma = dice.uniform(-3, 3), dice.uniform(-3, 3), dice.uniform(0.2, 2.5)
        counted = shapely.contains_xy(star, noise[:, 0] * sigma + x, noise[:, 1] * sigma + y).mean()
        assert normal_share(star, at_x=x, at_y=y, sigma=sigma) == pytest.approx(counted, abs=0.005)
    square = shapely.box(0, 0, 1e6, 1e6)
    assert normal_share(square, at_x=0.0, at_y=0.0, sigma=1.0) == pytest.approx(0.25, abs=1e-9)
    assert normal_share(square, at_x=0.0, at_y=5e5, sigma=1.0) == pytest.approx(0.5, abs=1e-9)
    assert normal_share(square, at_x=5e5, at_y=5e5, sigma=1.0) == pytest.approx(1.0, abs=1e-9)
    one_sided = 0.5 * (1 + math.erf(0.37 / math.sqrt(2)))
    assert normal_share(square, at_x=0.37, at_y=5e5, sigma=1.0) == pytest.approx(one_sided, abs=1e-9)


def test_nearest_is_nearest_in_metres_not_in_degrees():
    """A degree of longitude is shorter than one of latitude; the nearer cell is the one that is fewer steps away."""
    east, north = a_cell("east", 55, -10, 70, 10), a_cell("north", -10, 50, 10, 60)
    index = CellIndex([east, north])
    assert index.nearest(lon=WEST, lat=SOUTH)[0] == "north"
    degrees_east = shapely.distance(shapely.Point(WEST, SOUTH), east.geometry)
    assert degrees_east > shapely.distance(shapely.Point(WEST, SOUTH), north.geometry)
    closer_east = CellIndex([a_cell("east", 48, -10, 70, 10), north])
    cell_id, distance_m = closer_east.nearest(lon=WEST, lat=SOUTH)
    assert cell_id == "east"
    assert distance_m == pytest.approx(48, abs=0.05)
