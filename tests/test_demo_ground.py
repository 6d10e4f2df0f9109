from __future__ import annotations

import gzip
import json
from collections import Counter
from importlib import resources

import numpy as np
import pytest
import shapely

from geo.cells import read_cells
from geo.edition import check_edition
from geo.locate import CellIndex
from server.demo.draw_cells import COMMUNITY_CODE, draw
from server.demo.ground import FOOTPRINTS, capacity, cells_document, footprints
from server.demo.places import cell_shapes


@pytest.fixture(scope="module")
def edition():
    return read_cells(cells_document(), datum="wgs84")


def test_the_demo_cells_pass_the_publish_gate_without_a_warning(edition):
    """The demo's 24 cells fit each other and the community's border, have right codes and cut no building."""
    whole = shapely.union_all([cell.geometry for cell in edition.cells])
    certificate = check_edition(
        edition,
        boundary=whole,
        community_code=COMMUNITY_CODE,
        buildings=[(str(one.number), one.shape) for one in footprints()],
    )
    assert certificate.ok, certificate.problems
    assert certificate.problems == ()
    assert whole.geom_type == "Polygon" and not whole.interiors
    assert shapely.coverage_is_valid(np.array([cell.geometry for cell in edition.cells]))


def test_codes_run_from_north_to_south_and_west_to_east(edition):
    """Cell 001 lies in the north-west, 024 in the south-east; every code is the community's with three digits more."""
    cells = sorted(edition.cells, key=lambda cell: cell.order)
    assert [cell.code for cell in cells] == [f"{COMMUNITY_CODE}{number:03d}" for number in range(1, 25)]
    rows = [cells[start : start + 4] for start in range(0, 24, 4)]
    for row in rows:
        middles = [cell.geometry.centroid.x for cell in row]
        assert middles == sorted(middles)
    heights = [np.mean([cell.geometry.centroid.y for cell in row]) for row in rows]
    assert heights == sorted(heights, reverse=True)
    assert len({cell.name for cell in cells}) == 24


def test_every_building_lies_whole_in_one_cell(edition):
    """No border runs through a building, so that a staircase's cell is never a matter of taste."""
    shapes = cell_shapes()
    for one in footprints():
        within = [index for index, shape in enumerate(shapes) if shape.contains(one.shape)]
        touched = [index for index, shape in enumerate(shapes) if shape.intersects(one.shape)]
        assert within == touched
        assert len(within) == (1 if one.inside else 0)


def test_homes_are_spread_evenly_over_the_cells():
    """Every cell is drawn around 94 to 156 homes, of which about one in fourteen stands empty."""
    drawn = {
        feature["properties"]["code"]: feature["properties"]["homes_drawn"] for feature in cells_document()["features"]
    }
    shapes = cell_shapes()
    tree = shapely.STRtree(shapes)
    counted: Counter[int] = Counter()
    for one in footprints():
        if one.inside:
            counted[int(tree.query(one.shape, predicate="within")[0])] += capacity(one).homes
    assert [counted[index] for index in range(24)] == [drawn[code] for code in sorted(drawn)]
    assert min(counted.values()) >= 94 and max(counted.values()) <= 156


def test_the_shipped_cells_are_what_the_drawing_program_draws(edition):
    """Drawing again from the shipped footprints gives the shipped cells, to a centimetre or two."""
    again = draw(footprints())["features"]
    shipped = cells_document()["features"]
    assert [one["properties"] for one in again] == [one["properties"] for one in shipped]
    for one, other in zip(again, shipped, strict=True):
        first, second = (shapely.from_geojson(json.dumps(item["geometry"])) for item in (one, other))
        assert shapely.hausdorff_distance(first, second) < 3e-7


def test_the_shipped_footprints_are_small_named_and_licensed():
    """The real outlines are a small cut, rounded to 7 decimals, and their licence stands beside them in full."""
    folder = resources.files("server.demo")
    packed = folder.joinpath(FOOTPRINTS).read_bytes()
    assert len(packed) < 60_000
    features = json.loads(gzip.decompress(packed))["features"]
    assert len(features) == len(footprints()) == 491
    assert sum(one.inside for one in footprints()) == 330
    for feature in features:
        for x, y in shapely.get_coordinates(shapely.from_geojson(json.dumps(feature["geometry"]))):
            assert round(x, 7) == x and round(y, 7) == y
    notice = folder.joinpath("NOTICE.md").read_text(encoding="utf-8")
    for needed in ("ni1o1/pybdshadow", "e2665ee7a6527b9fb0d581bbf7d6dc2914015b02", "Copyright (c) 2022, Qing Yu",
                   "Neither the name of the copyright holder", "THIS SOFTWARE IS PROVIDED BY THE COPYRIGHT HOLDERS"):  # fmt: skip
        assert needed in notice


def test_the_index_finds_the_cell_of_every_building(edition):
    """A point inside a building is found in the cell that the building lies in."""
    index = CellIndex(edition.cells)
    shapes = cell_shapes()
    ours = [one for one in footprints() if one.inside]
    points = [shapely.point_on_surface(one.shape) for one in ours]
    found = index.locate_many(lons=np.array([p.x for p in points]), lats=np.array([p.y for p in points]))
    for point, place in zip(points, found, strict=True):
        number = int(index.cell_ids[place][-3:])
        assert shapes[number - 1].contains(point)
