"""Who reaches a place on foot: straight, along roads, and cell by cell."""

import itertools
import math
import time

import numpy as np
import pytest
import shapely
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from pyproj import Geod

from geo.cell import Cell
from geo.errors import GeoError
from geo.locate import CellIndex
from geo.walking import TOWN_DETOUR, CellReach, Reach, RoadNetwork, reach_by_cell, straight_reach

GEOD = Geod(ellps="WGS84")
LON, LAT = 120.6, 31.3
EAST, NORTH = 1 / 95_200.0, 1 / 110_870.0  # about a metre, in degrees, at this latitude


def at(*points):
    """Points given in metres from a corner, as keyword arguments of degrees."""
    east, north = np.array(points, dtype=float).reshape(-1, 2).T
    return LON + east * EAST, LAT + north * NORTH


def line(*points):
    return shapely.LineString(np.column_stack(at(*points)))


def asked(ask, homes, places, **facts):
    lons, lats = at(*homes)
    place_lons, place_lats = at(*places)
    return ask(lons=lons, lats=lats, place_lons=place_lons, place_lats=place_lats, **facts)


GRID = [line((0, y), (1000, y)) for y in range(0, 1001, 100)] + [line((x, 0), (x, 1000)) for x in range(0, 1001, 100)]


def test_the_nearest_place_in_a_straight_line():
    """The way is right to a thousandth, and of two equally near places the first is named."""
    found = asked(straight_reach, [(0, 0), (900, 0), (520, 0)], [(1000, 0), (0, 0), (1000, 0)])
    assert found.place.tolist() == [1, 0, 0]
    lons, lats = at((900, 0), (1000, 0))
    assert found.metres[1] == pytest.approx(GEOD.inv(lons[0], lats[0], lons[1], lats[1])[2], rel=1e-3)
    longer = asked(straight_reach, [(900, 0)], [(1000, 0)], detour=TOWN_DETOUR)
    assert longer.metres[0] == pytest.approx(found.metres[1] * 1.3)
    assert found.within(2).tolist() == [True, True, False]


def test_nothing_is_reached_where_there_is_nothing():
    """No places, unknown positions, no buildings: answers, not crashes."""
    nothing = asked(straight_reach, [(0, 0)], [])
    assert (nothing.place.tolist(), nothing.metres.tolist()) == ([-1], [math.inf])
    assert not nothing.within(1e6).any()
    odd = straight_reach(
        lons=[float("nan"), LON], lats=[LAT, LAT], place_lons=[float("inf"), LON], place_lats=[LAT, LAT]
    )
    assert odd.place.tolist() == [-1, 1]
    network = RoadNetwork(GRID)
    assert asked(network.reach, [], [(0, 0)]).metres.shape == (0,)
    assert asked(network.reach, [(0, 0)], []).place.tolist() == [-1]
    lost = network.reach(lons=[float("nan")], lats=[LAT], place_lons=[LON], place_lats=[LAT])
    assert lost.place.tolist() == [-1]
    with pytest.raises(GeoError):
        RoadNetwork([None, shapely.LineString()])


def test_along_the_streets_of_a_chessboard():
    """Streets of 100 m: the way is the sum of both directions, with the steps to the street and from it."""
    network = RoadNetwork(GRID)
    found = asked(network.reach, [(0, 0), (350, 20), (1000, 1000)], [(300, 400), (1000, 0)])
    assert found.place.tolist() == [0, 0, 1]
    assert found.metres == pytest.approx([700, 470, 1000], rel=2e-3)
    assert asked(network.reach, [(0, 0)], [(300, 400)], limit_m=600).place.tolist() == [-1]
    assert asked(network.reach, [(0, -500)], [(0, 0)]).place.tolist() == [-1]
    assert asked(network.reach, [(0, -500)], [(0, 0)], off_road_m=600).metres[0] == pytest.approx(500, rel=2e-3)


def test_two_on_one_street_need_no_junction():
    """A neighbour on the same stretch is reached directly, not by way of the corner."""
    network = RoadNetwork([line((0, 0), (1000, 0))])
    found = asked(network.reach, [(400, 10)], [(450, 0), (0, 0)])
    assert found.place.tolist() == [0]
    assert found.metres[0] == pytest.approx(60, rel=5e-3)


def test_a_river_makes_the_near_far():
    """The clinic across the water is fifty metres away and a kilometre to walk."""
    network = RoadNetwork([line((0, 0), (500, 0), (500, 50), (0, 50))])
    straight = asked(straight_reach, [(0, 0)], [(0, 50)])
    walked = asked(network.reach, [(0, 0)], [(0, 50)])
    assert straight.metres[0] == pytest.approx(50, rel=5e-3)
    assert walked.metres[0] == pytest.approx(1050, rel=2e-3)


def test_a_bridge_is_no_crossing_where_the_network_says_so():
    """Lines that cross without a common corner meet, or not, as the person declares."""
    roads = [line((0, 0), (1000, 0)), line((500, -500), (500, 500))]
    met = asked(RoadNetwork(roads).reach, [(0, 0)], [(500, 500)])
    assert met.metres[0] == pytest.approx(1000, rel=2e-3)
    apart = RoadNetwork(roads, split_crossings=False)
    assert asked(apart.reach, [(0, 0)], [(500, 500)]).place.tolist() == [-1]
    cornered = [
        line((0, 0), (500, 0), (1000, 0)),
        line((500, -500), (500, 0), (500, 500)),
        line((1000, 0), (1000, 300)),
    ]
    network = RoadNetwork(cornered, split_crossings=False)
    assert len(network) == 5
    found = asked(network.reach, [(0, 0), (500, 500)], [(1000, 300)])
    assert found.metres == pytest.approx([1300, 1300], rel=2e-3)


@st.composite
def towns(draw):
    spot = st.tuples(st.integers(0, 10), st.integers(0, 10))
    ways = draw(st.lists(st.tuples(spot, spot).filter(lambda pair: pair[0] != pair[1]), min_size=2, max_size=14))
    return ways, draw(st.lists(spot, min_size=1, max_size=6)), draw(st.lists(spot, min_size=1, max_size=4))


@settings(suppress_health_check=[HealthCheck.filter_too_much])
@given(towns())
def test_no_shorter_way_was_overlooked(town):
    """Every way is as short as the shortest of all (Floyd and Warshall), and never shorter than the straight line."""
    ways, homes, places = town
    # Who lives where one road passes the end of another without a junction stands on one of the two only.
    spots, roads = shapely.points(sorted({end for way in ways for end in way})), shapely.linestrings(ways)
    touching = [[tuple(spot.coords[0]) in way for way in ways] for spot in spots]
    assume(bool(((shapely.distance(spots[:, None], roads[None, :]) > 0.05) | np.array(touching)).all()))
    lines = [line((a[0] * 90, a[1] * 90), (b[0] * 90, b[1] * 90)) for a, b in ways]
    network = RoadNetwork(lines, split_crossings=False)
    # Homes and places at ends of ways only, so that the graph of the ways itself is the measure.
    ends = sorted({end for way in ways for end in way})
    homes, places = ([ends[(x * 11 + y) % len(ends)] for x, y in some] for some in (homes, places))
    metric = {(a, b): math.inf for a in ends for b in ends} | {(a, a): 0.0 for a in ends}
    for a, b in ways:
        metric[a, b] = metric[b, a] = math.dist(a, b) * 90
    for middle, a, b in itertools.product(ends, ends, ends):
        metric[a, b] = min(metric[a, b], metric[a, middle] + metric[middle, b])
    scaled = [[(x * 90, y * 90) for x, y in some] for some in (homes, places)]
    found = asked(network.reach, *scaled, off_road_m=0.5)
    straight = asked(straight_reach, *scaled)
    for home, metres, least in zip(homes, found.metres, straight.metres, strict=True):
        shortest = min(metric[home, place] for place in places)
        assert metres <= shortest * 1.003 + 1.0
        assert metres >= least * 0.997 - 1.0


def test_dwellings_within_a_quarter_of_an_hour_by_cell():
    """Each cell with its dwellings and those in reach; cells without any, and houses outside, are not lost."""
    index = CellIndex(
        Cell(
            f"c{n}",
            f"{n}",
            "",
            shapely.box(LON + n * 1000 * EAST, LAT, LON + (n + 1) * 1000 * EAST, LAT + 1000 * NORTH),
        )
        for n in range(3)
    )
    lons, lats = at((100, 100), (900, 100), (1500, 500), (-50, 100))
    found = straight_reach(lons=lons, lats=lats, place_lons=[lons[0]], place_lats=[lats[0]])
    rows = reach_by_cell(index, position=index.locate_many(lons=lons, lats=lats), dwellings=[10, 20, 30, 4], is_within=found.within(11))
    assert rows == [CellReach("c0", 30, 30), CellReach("c1", 30, 0), CellReach("c2", 0, 0), CellReach(None, 4, 4)]
    assert [row.share for row in rows] == [1.0, 0.0, None, 1.0]
    inner = reach_by_cell(index, position=index.locate_many(lons=lons[:3], lats=lats[:3]), dwellings=[1, 1, 1], is_within=[True] * 3)
    assert len(inner) == 3
    assert Reach(np.array([0]), np.array([800.0])).within(10).tolist() == [True]


@pytest.mark.long
def test_a_city_is_answered_in_seconds():
    """40,000 stretches of road, 100,000 buildings, 200 clinics."""
    lines = [line((0, y), (14_000, y)) for y in range(0, 14_001, 100)]
    lines += [line((x, 0), (x, 14_000)) for x in range(0, 14_001, 100)]
    start = time.perf_counter()
    network = RoadNetwork(lines)
    built = time.perf_counter()
    dice = np.random.default_rng(1)
    found = asked(network.reach, dice.uniform(0, 14_000, (100_000, 2)), dice.uniform(0, 14_000, (200, 2)))
    assert len(network) > 39_000
    assert np.isfinite(found.metres).all()
    assert built - start < 15
    assert time.perf_counter() - built < 15
