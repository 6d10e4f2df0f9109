"""Cells proposed from buildings: balanced, connected, never through a house; and regular tiles for figures."""

import json
import time

import numpy as np
import pytest
import shapely
import shapely.affinity
from hypothesis import given
from hypothesis import strategies as st

from geo import metis
from geo.base_units import Building, base_units
from geo.cells import DraftEdition
from geo.design import households_by_code, propose_cells
from geo.division import Link, divide
from geo.edition import check_edition
from geo.errors import GeoError
from geo.gauss_krueger import Zone
from geo.lattice import lattice_over
from geo.profile import CN15, HouseholdBand, profile_from_dict

WEST, SOUTH, STEP = 120.6, 31.3, 0.0005
BAND = profile_from_dict({"name": "p", "pattern": ".+", "households": {"min": 60, "target": 80, "max": 100}})
BOUNDARY = shapely.box(WEST, SOUTH, WEST + 8 * STEP, SOUTH + 6 * STEP)


def houses(seed=1, columns=8, rows=6):
    """Blocks of flats in rows, each a little turned and moved, some touching the next."""
    dice = np.random.default_rng(seed)
    found = []
    for i in range(columns):
        for j in range(rows):
            east, north = dice.uniform(0.05, 0.15, 2) * STEP
            wide, deep = dice.uniform(0.5, 0.85, 2) * STEP
            west, south = WEST + i * STEP + east, SOUTH + j * STEP + north
            shape = shapely.box(west, south, west + wide, south + deep)
            turned = shapely.affinity.rotate(shape, dice.uniform(-4, 4))
            found.append(Building(f"{i}-{j}", turned, int(dice.integers(4, 18))))
    return found


def assert_lawful(proposal, buildings, boundary=BOUNDARY, band=BAND):
    certificate = check_edition(
        proposal.draft, boundary=boundary, profile=band, households=proposal.households,
        buildings=[(building.name, building.geometry) for building in buildings],
    )  # fmt: skip
    assert certificate.ok, certificate.problems[:3]
    assert "building_cut" not in certificate.counts
    assert all(cell.geometry.geom_type == "Polygon" for cell in proposal.draft.cells)
    assert households_by_code(proposal.draft.cells, buildings) == dict(proposal.households)
    return certificate


@given(st.integers(0, 500))
def test_a_proposal_is_a_lawful_edition(seed):
    """No gap, no overlap, no house cut, every cell in one piece, every household in one cell."""
    buildings = houses(seed)
    proposal = propose_cells(BOUNDARY, buildings, profile=BAND, seed=seed)
    certificate = assert_lawful(proposal, buildings)
    assert sum(proposal.households.values()) == sum(building.households for building in buildings)
    assert proposal.largest_deviation < 0.2
    assert "households_above" not in certificate.counts
    assert None not in proposal.cell_of_building


def test_the_same_input_gives_the_same_division():
    """What was shown yesterday can be shown again."""
    one, other = (propose_cells(BOUNDARY, houses(), profile=BAND).draft.cells for _ in range(2))
    assert [(cell.code, cell.geometry.wkb) for cell in one] == [(cell.code, cell.geometry.wkb) for cell in other]


def test_borders_follow_a_road_where_one_is_given():
    """A road through the middle parts the cells; nobody has to cross it to see the neighbours of a cell."""
    middle = SOUTH + 3 * STEP
    road = shapely.LineString([(WEST - 1, middle), (WEST + 1, middle)])
    buildings = [Building(one.name, shapely.affinity.scale(one.geometry, 0.8, 0.8), 10) for one in houses()]
    proposal = propose_cells(BOUNDARY, buildings, lines=[road], cells=2)
    assert_lawful(proposal, buildings)
    assert set(proposal.households.values()) == {240}
    shared = shapely.intersection(*[cell.geometry for cell in proposal.draft.cells])
    assert shapely.difference(shared, shapely.buffer(road, 3e-7)).length < 1e-6


def test_a_line_through_a_house_goes_round_it():
    """A line drawn carelessly does not part a family's rooms."""
    buildings = houses()
    target = buildings[20].geometry.centroid
    line = shapely.LineString([(WEST - 1, target.y), (WEST + 1, target.y)])
    proposal = propose_cells(BOUNDARY, buildings, lines=[line], cells=4)
    assert_lawful(proposal, buildings)


def test_odd_buildings_are_bound_in_all_the_same():
    """Points, overlapping outlines, houses outside and houses without anybody."""
    buildings = [
        *houses(),
        Building("point", shapely.Point(WEST + STEP, SOUTH + STEP), 3),
        Building("twin", houses()[0].geometry, 2),
        Building("far", shapely.box(0, 0, 1, 1), 9),
        Building("none", None, 1),
        Building("empty", shapely.box(WEST, SOUTH, WEST + 1e-5, SOUTH + 1e-5), 0),
    ]
    proposal = propose_cells(BOUNDARY, buildings, cells=5)
    assert proposal.outside == ("twin", "far", "none")
    assert check_edition(proposal.draft, boundary=BOUNDARY, profile=BAND).ok
    assert sum(proposal.households.values()) == sum(one.households for one in buildings[:49])


def test_codes_run_west_to_east_and_retired_ones_are_left_out():
    """Fifteen digits, the community's first, numbered as the standard asks."""
    community = "110101001001"
    proposal = propose_cells(BOUNDARY, houses(), cells=4, community_code=community, retired={community + "002"})
    codes = [cell.code for cell in proposal.draft.cells]
    assert codes == [community + number for number in ("001", "003", "004", "005")]
    wests = [cell.geometry.bounds[0] for cell in proposal.draft.cells]
    assert wests == sorted(wests)
    assert not check_edition(proposal.draft, profile=CN15, community_code=community).counts.get("code_order")


def test_an_edit_is_counted_again():
    """When a person moves a border, the households on both sides are told at once."""
    buildings = houses()
    cells = list(propose_cells(BOUNDARY, buildings, cells=3).draft.cells)
    counted = households_by_code(cells[:2], buildings)
    assert list(counted) == [cells[0].code, cells[1].code]
    assert sum(counted.values()) < sum(building.households for building in buildings)
    assert households_by_code([], buildings) == {}
    assert check_edition(DraftEdition(tuple(cells[:2]), ()), boundary=BOUNDARY, profile=BAND).ok is False


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        ({"cells": 49}, "too_many_groups"),
        ({"cells": 0}, "too_many_groups"),
        ({"profile": profile_from_dict({"name": "p", "pattern": ".+"})}, "no_target"),
    ],
)
def test_what_cannot_be_divided_is_said(facts, code):
    """More cells than houses, or no measure at all."""
    with pytest.raises(GeoError) as caught:
        propose_cells(BOUNDARY, houses(), **facts)
    assert caught.value.code == code


def test_nobody_to_divide():
    """A community without households, and one in two parts."""
    with pytest.raises(GeoError) as caught:
        propose_cells(BOUNDARY, [], cells=2)
    assert caught.value.code == "no_households"
    apart = shapely.MultiPolygon([BOUNDARY, shapely.affinity.translate(BOUNDARY, 1, 0)])
    with pytest.raises(GeoError) as caught:
        propose_cells(apart, houses(), cells=2)
    assert caught.value.code == "not_connected"


def test_units_cover_the_community():
    """Every square metre belongs to a unit, and every unit to a house or an empty block."""
    square = shapely.LineString([(WEST + 2 * STEP, SOUTH - 1), (WEST + 2 * STEP, SOUTH + 1)])
    units = base_units(BOUNDARY, houses()[18:], [square])
    assert shapely.coverage_is_valid(units.faces)
    assert shapely.union_all(units.faces).area == pytest.approx(BOUNDARY.area * 1e14, rel=1e-9)
    assert len(units.weights) == 31
    assert units.weights[-1] == 0
    assert {link.first for link in units.links} | {link.second for link in units.links} == set(range(31))


def connected(answer, links, groups):
    """Whether every group is there and hangs together."""
    near = {}
    for link in links:
        near.setdefault(link.first, set()).add(link.second)
        near.setdefault(link.second, set()).add(link.first)
    for group in range(groups):
        members = {unit for unit, of in enumerate(answer) if of == group}
        seen, waiting = set(), [min(members)]
        while waiting:
            unit = waiting.pop()
            if unit not in seen:
                seen.add(unit)
                waiting += near.get(unit, set()) & members
        if seen != members:
            return False
    return set(answer) == set(range(groups))


def grid_links(columns, rows, cost=lambda unit, other: 30.0):
    """Units in rows and columns, each bordering on the next."""
    number = columns * rows
    pairs = [(at, at + 1) for at in range(number) if (at + 1) % columns]
    pairs += [(at, at + columns) for at in range(number - columns)]
    return [Link(one, other, cost(one, other)) for one, other in pairs]


@pytest.mark.parametrize("with_library", [False, True])
@given(st.integers(2, 16), st.integers(2, 12), st.integers(1, 9), st.integers(0, 99))
def test_groups_are_connected_whatever_the_weights(with_library, columns, rows, groups, seed):
    """The law of the division by itself, with the library and without: all groups there, each in one piece."""
    dice = np.random.default_rng(seed)
    links = grid_links(columns, rows)
    groups = min(groups, columns * rows)
    weights = dice.integers(0, 40 if seed % 5 else 1, columns * rows)
    weights[dice.integers(0, columns * rows)] += 200 * (seed % 3)
    answer = divide(weights.tolist(), links, groups, seed=seed, metis=with_library)
    assert connected(answer, links, groups)
    assert divide(weights.tolist(), links, groups, seed=seed, metis=with_library) == answer


def test_a_star_is_divided():
    """Houses around a yard that know only the yard: as many cells as there are houses, and any number fewer."""
    links = [Link(0, arm, 10.0) for arm in range(1, 8)]
    for groups in range(1, 9):
        assert connected(divide([5] * 8, links, groups, metis=False), links, groups)


def test_the_library_lays_borders_along_streets():
    """A whole town of 3,000 buildings: as even as without the library, less than half the border between houses."""
    width = 60
    links = grid_links(width, 50, lambda one, other: 3.0 if (one % width if other == one + 1 else one // width) % 10 == 9 else 30.0)
    weights = np.random.default_rng(3).integers(0, 40, 3_000)
    answer = np.array(divide(weights.tolist(), links, 12, metis=True))
    held = np.bincount(answer, weights=weights)
    assert connected(answer.tolist(), links, 12)
    assert np.abs(held / held.mean() - 1).max() <= 0.031
    assert sum(link.cost for link in links if answer[link.first] != answer[link.second]) < 6_000  # 12,432 without


def test_a_group_that_came_in_pieces_is_put_together():
    """Should the library leave a cell in two places, the smaller one goes to the neighbour with the longest border."""
    near = [{1: 1.0}, {0: 1.0, 2: 1.0}, {1: 1.0, 3: 5.0}, {2: 5.0, 4: 1.0}, {3: 1.0}]
    answer = [0, 1, 0, 2, 0]
    metis._join_strays(answer, [9, 1, 1, 1, 1], near)
    assert answer == [0, 1, 2, 2, 2]


@pytest.mark.long
@pytest.mark.parametrize("with_library", [False, True])
def test_four_hundred_units_divide_within_five_percent_in_a_second(with_library):
    """As even as the tool made for electoral districts: 400 units, 21 cells, at most 5 % off."""
    dice = np.random.default_rng(3)
    links = grid_links(20, 20)
    for seed in range(20):
        weights = dice.integers(5, 37, 400)
        start = time.perf_counter()
        held = np.bincount(divide(weights.tolist(), links, 21, seed=seed, metis=with_library), weights=weights)
        assert time.perf_counter() - start < 2
        assert np.abs(held / held.mean() - 1).max() <= 0.05


@pytest.mark.parametrize("shape", ["square", "hexagon"])
def test_tiles_cover_the_community_once(shape):
    """Every point has one tile, the pieces add up to the boundary, and keys do not depend on the boundary."""
    lattice, tiles = lattice_over(BOUNDARY, shape=shape, size_m=50.0)
    assert sum(tile.geometry.area for tile in tiles) == pytest.approx(BOUNDARY.area, rel=1e-6)
    assert all(0 < tile.share <= 1 for tile in tiles)
    assert any(tile.share == 1 for tile in tiles) and any(tile.share < 0.9 for tile in tiles)
    dice = np.random.default_rng(1)
    lons = dice.uniform(WEST, WEST + 8 * STEP, 500)
    lats = dice.uniform(SOUTH, SOUTH + 6 * STEP, 500)
    by_key = {tile.key: tile for tile in tiles}
    for lon, lat, column, row in zip(lons, lats, *lattice.places(lons=lons, lats=lats), strict=True):
        assert shapely.dwithin(by_key[lattice.key(column, row)].geometry, shapely.Point(lon, lat), 2e-8)
    half = shapely.box(WEST, SOUTH, WEST + 4 * STEP, SOUTH + 6 * STEP)
    _, fewer = lattice_over(half, shape=shape, size_m=50.0)
    for tile in fewer:
        assert tile.key in by_key
        assert shapely.area(shapely.difference(tile.geometry, by_key[tile.key].geometry)) < 1e-14


def test_tiles_of_sensible_size_only():
    """A lattice of millimetres is refused before the memory is gone; nothing gives nothing."""
    for size in (0.0, -5.0, float("nan"), 0.01):
        with pytest.raises(GeoError):
            lattice_over(BOUNDARY, shape="square", size_m=size)
    assert lattice_over(shapely.Polygon(), shape="hexagon", size_m=100.0)[1] == []
    assert lattice_over(BOUNDARY, shape="square", size_m=500.0, zone=Zone(4549))[1][0].key.startswith("s500-4549-")
    assert json.loads(shapely.to_geojson(lattice_over(BOUNDARY, shape="square", size_m=500.0)[1][0].geometry))


def test_the_band_decides_how_many_cells():
    """The mean comes near the target and never over the maximum."""
    proposal = propose_cells(BOUNDARY, houses(), profile=BAND)
    total = sum(proposal.households.values())
    assert BAND.households == HouseholdBand(60, 80, 100)
    assert abs(len(proposal.households) - total / 80) <= 1
    assert proposal.target <= 100
