"""Cells drawn anew by hand: cut along a line, made one again; neighbours keep sharing their borders (L4)."""

import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from geo.cell import Cell
from geo.cells import DraftEdition
from geo.codes import free_code
from geo.edition import check_edition
from geo.errors import GeoError
from geo.profile import CN15
from geo.redraw import merge_cells, split_cell

WEST, SOUTH, SIDE = 120.6, 31.3, 0.002
CODE = "999999001001"
BOUNDARY = shapely.box(WEST, SOUTH, WEST + 3 * SIDE, SOUTH + 2 * SIDE)


def lattice():
    """Six squares, three beside each other in two rows."""
    return tuple(
        Cell(f"c{n}", f"{CODE}{n:03d}", f"第{n}格", shapely.set_precision(
            shapely.box(WEST + column * SIDE, SOUTH + row * SIDE, WEST + (column + 1) * SIDE, SOUTH + (row + 1) * SIDE), 1e-7))
        for n, (column, row) in enumerate(((c, r) for r in range(2) for c in range(3)), start=1)
    )  # fmt: skip


def certified(cells):
    return check_edition(DraftEdition(tuple(cells), (), "cgcs2000"), boundary=BOUNDARY, profile=CN15, community_code=CODE)


share = st.floats(0.05, 0.95)


@given(share, share, share)
def test_a_cut_leaves_no_gap_and_no_overlap_and_a_merge_takes_it_back(top, bottom, middle):
    """However the line runs through a cell, the cells still fill the community, borders included; merged, all is as before."""
    line = [(WEST + SIDE + top * SIDE, SOUTH - SIDE / 9), (WEST + SIDE * 1.5, SOUTH + middle * SIDE), (WEST + SIDE + bottom * SIDE, SOUTH + SIDE * 1.1)]
    made = split_cell(lattice(), "c2", line, new_id="new", code=f"{CODE}007", name="第7格")
    certificate = certified(made)
    assert certificate.ok, certificate.problems
    by_id = {one.cell_id: one.geometry for one in made}
    assert by_id["c2"].area >= by_id["new"].area * (1 - 1e-9)
    both = by_id["c2"].area + by_id["new"].area
    assert both == pytest.approx(SIDE * SIDE, rel=1e-4)
    # the corner of the cut stands in the cell above as well
    shared = set(by_id["new"].exterior.coords) & set(by_id["c2"].exterior.coords)
    assert any(corner in set(by_id["c5"].exterior.coords) for corner in shared)
    again = merge_cells(made, "c2", "new")
    assert certified(again).ok
    assert len(again) == 6


def test_a_line_that_does_not_divide_the_cell_is_told_so():
    """A line that ends inside, one that stays outside, one that comes back: each has its own word, and nothing changes."""
    inside = [(WEST + SIDE * 1.2, SOUTH - SIDE), (WEST + SIDE * 1.2, SOUTH + SIDE / 2)]
    away = [(WEST - SIDE, SOUTH), (WEST - SIDE, SOUTH + SIDE)]
    back = [
        (WEST + SIDE * 1.2, SOUTH - SIDE), (WEST + SIDE * 1.2, SOUTH + SIDE * 1.1), (WEST + SIDE * 1.6, SOUTH + SIDE * 1.1),
        (WEST + SIDE * 1.6, SOUTH - SIDE),
    ]  # fmt: skip
    for line, code in ((inside, "no_cut"), (away, "no_cut"), (back, "many_pieces"), (away[:1], "short_line")):
        with pytest.raises(GeoError) as told:
            split_cell(lattice(), "c2", line, new_id="new", code="", name="")
        assert told.value.code == code
    with pytest.raises(GeoError, match="no such cell"):
        split_cell(lattice(), "c9", back, new_id="new", code="", name="")


def test_only_neighbours_become_one():
    """Cells that meet in a corner, or not at all, stay two."""
    cells = lattice()
    for other, code in (("c5", "not_neighbours"), ("c3", "not_neighbours"), ("c1", "same_cell"), ("c9", "unknown_cell")):
        with pytest.raises(GeoError) as told:
            merge_cells(cells, "c1", other)
        assert told.value.code == code
    merged = merge_cells(cells, "c1", "c4")
    assert certified(merged).ok
    assert [one.code for one in merged] == [f"{CODE}{n:03d}" for n in (1, 2, 3, 5, 6)]


def test_a_new_cell_gets_a_code_that_nobody_ever_had():
    """The number after the highest; when that is the last one, a free one below; when all are used, a word."""
    taken = {f"{CODE}001", f"{CODE}007"}
    assert free_code(CN15, CODE, taken) == f"{CODE}008"
    high = {f"{CODE}{CN15.sequence_to}"}
    assert free_code(CN15, CODE, high) not in high
    with pytest.raises(GeoError) as told:
        free_code(CN15, CODE, {f"{CODE}{n:03d}" for n in range(1000)})
    assert told.value.code == "no_code"
