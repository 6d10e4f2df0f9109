"""What became of each cell between two editions (L4)."""

from __future__ import annotations

import itertools

import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from geo.cell import Cell
from geo.lineage import keep_identities, trace


def cell(name: str, west: float, east: float, south: float = 0.0, north: float = 1.0, cell_id: str | None = None) -> Cell:
    """A rectangle in thousandths of a degree near 120.6, 31.3."""
    box = shapely.box(120.6 + west / 1000, 31.3 + south / 1000, 120.6 + east / 1000, 31.3 + north / 1000)
    return Cell(cell_id or name, name, "", shapely.set_precision(box, 1e-7))


def told(lineage):
    return [(part.old_id, part.new_id, part.kind) for part in lineage.parts]


@pytest.mark.parametrize(
    ("old", "new", "kinds"),
    [
        ([cell("a", 0, 1)], [cell("b", 0, 1)], [("a", "b", "same")]),
        ([cell("a", 0, 1), cell("b", 1, 2)], [cell("a", 0, 1.02), cell("b", 1.02, 2)],
         [("a", "a", "reshape"), ("b", "a", "reshape"), ("b", "b", "reshape")]),
        ([cell("a", 0, 2)], [cell("a", 0, 1), cell("c", 1, 2)], [("a", "a", "split"), ("a", "c", "split")]),
        ([cell("a", 0, 1), cell("b", 1, 2)], [cell("c", 0, 2)], [("a", "c", "merge"), ("b", "c", "merge")]),
        ([cell("a", 0, 1), cell("b", 1, 2)], [cell("a", 0, 1.4), cell("b", 1.4, 2)],
         [("a", "a", "transfer"), ("b", "a", "transfer"), ("b", "b", "transfer")]),
        ([cell("a", 0, 1)], [cell("a", 0, 1), cell("b", 1, 2)], [("a", "a", "same"), (None, "b", "new")]),
        ([cell("a", 0, 1), cell("b", 1, 2)], [cell("a", 0, 1)], [("a", "a", "same"), ("b", None, "end")]),
        ([], [cell("a", 0, 1)], [(None, "a", "new")]),
        ([cell("a", 0, 1)], [], [("a", None, "end")]),
    ],
)  # fmt: skip
def test_every_change_of_ground_has_its_name(old, new, kinds):
    """Same, reshape, split, merge, transfer, new and end, told by ground, not by code."""
    assert told(trace(old, new)) == kinds
    assert told(trace(reversed(old), reversed(new))) == kinds, "whatever the order of the file"


def test_shares_are_of_area_and_of_households():
    """A split says how much ground and how many households each part took."""
    lineage = trace(
        [cell("a", 0, 4)], [cell("a", 0, 1), cell("b", 1, 4)],
        lons=[120.6005, 120.602, 120.6021, 120.7], lats=[31.3005] * 4, households=[10, 20, 10, 5],
    )  # fmt: skip
    small, large = lineage.parts
    assert (small.share_of_old, large.share_of_old) == (pytest.approx(0.25, abs=1e-4), pytest.approx(0.75, abs=1e-4))
    assert small.share_of_new == large.share_of_new == 1.0
    assert (small.households, large.households) == (10, 30)
    assert (small.household_share_of_old, large.household_share_of_new) == (0.25, 1.0)
    assert small.area_m2 + large.area_m2 == pytest.approx(4 * 95.3 * 110.9, rel=0.01)


def test_who_looked_after_ground_goes_on_looking_after_it():
    """Split: both parts; merger: both people; a shifted border or a transfer: everybody keeps the cell they have most of."""
    assert trace([cell("a", 0, 2)], [cell("b", 0, 1), cell("c", 1, 2)]).heirs() == [("a", "b"), ("a", "c")]
    assert trace([cell("a", 0, 1), cell("b", 1, 2)], [cell("c", 0, 2)]).heirs() == [("a", "c"), ("b", "c")]
    exchanged = trace([cell("a", 0, 1), cell("b", 1, 2)], [cell("a", 0, 1.4), cell("b", 1.4, 2)])
    assert exchanged.heirs() == [("a", "a"), ("b", "b")]
    assert exchanged.successors("b") == ("b", "a") and exchanged.successors("x") == ()


def test_a_cell_keeps_its_identity_where_only_its_code_or_border_changed():
    """A file that knows nothing but codes does not cut the stream of a cell that is still there."""
    published = [cell("001", 0, 1, cell_id="first"), cell("002", 1, 2, cell_id="second")]
    kept = keep_identities([cell("011", 0, 1), cell("012", 1, 1.5), cell("013", 1.5, 2)], published)
    assert [(one.cell_id, one.code) for one in kept] == [("first", "011"), ("012", "012"), ("013", "013")]
    named = keep_identities([cell("011", 0, 1, cell_id="my own"), cell("002", 1, 2)], published)
    assert [one.cell_id for one in named] == ["my own", "second"]


@given(st.lists(st.integers(1, 19), max_size=4, unique=True), st.lists(st.integers(1, 19), max_size=4, unique=True))
def test_all_ground_is_accounted_for(first, second):
    """Between two divisions of one ground, the parts of every old and of every new cell sum up to it."""

    def divide(cuts, letter):
        edges = [0, *sorted(cuts), 20]
        return [cell(f"{letter}{n}", a, b) for n, (a, b) in enumerate(itertools.pairwise(edges))]

    old, new = divide(first, "a"), divide(second, "b")
    lineage = trace(old, new)
    for one in old:
        assert sum(part.share_of_old for part in lineage.parts if part.old_id == one.cell_id) == pytest.approx(1, abs=1e-4)
    for one in new:
        assert sum(part.share_of_new for part in lineage.parts if part.new_id == one.cell_id) == pytest.approx(1, abs=1e-4)
    assert {new_id for _, new_id in lineage.heirs()} == {one.cell_id for one in new}
    assert {old_id for old_id, _ in lineage.heirs()} == {one.cell_id for one in old}
