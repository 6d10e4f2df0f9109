"""Repairs are taken group by group: what goes too far in one place takes nothing away elsewhere, and nobody comes to lie over anybody."""

import numpy as np
import pytest
import shapely
from coverage_kit import UNIT, irregular_rings
from hypothesis import given, settings
from hypothesis import strategies as st
from repairs_kit import ANY, KM, WEST, a_draft, box, codes, community, pairs_over, repaired

from geo.cell import Cell
from geo.cells import DraftEdition
from geo.edition import check_edition
from geo.grouping import made_in_groups
from geo.repairs import Limits


@pytest.mark.parametrize("hair", [0, 3])
def test_a_closed_eye_between_two_cells_is_closed(hair):
    """Twenty centimetres that nobody has, within cells that fit otherwise, and beside a hair of overlap: the certificate refuses them
    as a gap, so closing them is proposed, up to the width that was asked for."""
    left = [(0, 0), (10_000, 0), (10_000, 3_000), (9_982, 5_000), (10_000, 7_000), (10_000, 10_000), (0, 10_000), (0, 0)]
    right = [(10_000, 0), (20_000, 0), (20_000, 10_000), (10_000, 10_000), (10_000, 7_000), (10_000, 3_000), (10_000, 0)]
    draft = a_draft(left, right, box(20_000 - hair, 0, 30_000, 10_000))
    found = codes(check_edition(draft, profile=ANY).problems)
    assert "gap" in found and ("overlap" in found) == bool(hair)
    assert "gap" in codes(check_edition(repaired(draft, limits=Limits(clean_width_m=0.1))[0], profile=ANY).problems)
    mended, kinds = repaired(draft)
    assert "clean_coverage" in kinds and check_edition(mended, profile=ANY).ok
    assert all(new.geometry.area > old.geometry.area * 0.999 for new, old in zip(mended.cells, draft.cells, strict=True))


def test_who_wants_no_overlap_closed_still_gets_corners_matched():
    """With a width of nothing a corner two centimetres off its neighbour's edge is put into it, and no overlap is touched."""
    bent = [(10_000, 0), (20_000, 0), (20_000, 10_000), (10_000, 10_000), (10_000, 7_000), (10_002, 5_000), (10_000, 3_000), (10_000, 0)]
    draft = a_draft(box(0, 0, 10_000, 10_000), bent, box(19_980, 0, 30_000, 10_000))
    mended, kinds = repaired(draft, limits=Limits(clean_width_m=0.0))
    assert kinds == ["match_edges"]
    assert [one.cell_codes for one in check_edition(mended, profile=ANY).problems if one.code in ("gap", "overlap")] == [("02", "03")]


def test_a_hair_that_two_cells_share_never_grows_into_metres():
    """Who would get further into a neighbour than before stays as drawn, also where the two shared a hair already; the others that hang
    together with it change all the same."""
    units = np.array([shapely.box(*one) for one in ((0, 0, 1_000, 1_000), (998, 0, 2_000, 1_000), (1_999, 0, 3_000, 1_000))])
    wanted = np.array([shapely.box(0, 0, 1_200, 1_000), shapely.box(998, 0, 1_999, 1_000), shapely.box(1_999, 0, 3_001, 1_000)])
    made = made_in_groups(units, lambda _, some: wanted[some], lambda before, _: np.ones(len(before), dtype=bool), lambda *_: True)
    assert shapely.equals(made, np.array([units[0], units[1], wanted[2]])).all()


def jittered(columns, rows, *, seed, hair):
    """Cells of which every corner was drawn by each neighbour for itself, off by up to ``hair`` units."""
    dice, shapes = np.random.default_rng(seed), []
    for ring in irregular_rings(columns, rows, step=20_000, bends=3, seed=seed):
        shapes.append(shapely.Polygon(ring + dice.integers(-hair, hair + 1, ring.shape)))
    return shapes


@settings(max_examples=4)
@given(st.integers(0, 10_000), st.integers(1, 4), st.integers(0, 34))
def test_where_every_border_trembles_one_wide_overlap_takes_nothing_away(seed, hair, place):
    """36 cells that all hang together by hairs of overlap, two of them by three metres: most hairs are closed (all but some around the
    two), the three metres stay as they were drawn, and nobody comes to lie over anybody who was not there before."""
    shapes = jittered(6, 6, seed=seed, hair=hair)
    wide = place + 1 if (place + 1) % 6 else place - 1
    strip = shapely.transform(shapely.intersection(shapely.buffer(shapes[place], 300, join_style="mitre"), shapes[wide]), np.round)
    shapes[place] = shapely.union_all([shapes[place], shapely.make_valid(strip)], grid_size=1.0)
    cells = tuple(Cell(f"c{at}", f"{at:02}", "", shapely.transform(one, lambda xy: xy / UNIT)) for at, one in enumerate(shapes))
    draft = DraftEdition(cells, (), "cgcs2000")
    mended, kinds = repaired(draft)
    before, after = (pairs_over(check_edition(one, profile=ANY).problems) for one in (draft, mended))
    both = tuple(sorted((f"{place:02}", f"{wide:02}")))
    assert "clean_coverage" in kinds and len(before) > 30
    assert len(after) < len(before) / 2
    assert set(after) <= set(before) and after[both] == pytest.approx(before[both], rel=0.05)
    moved = [shapely.symmetric_difference(new.geometry, old.geometry) for new, old in zip(mended.cells, draft.cells, strict=True)]
    assert all(shapely.buffer(one, -30 / UNIT).is_empty for one in moved)


def test_filling_a_centimetre_at_the_border_closes_no_metres_elsewhere():
    """Five cells of a kilometre, some of which end one unit short of the border, the first two share five metres: one far off reaches the
    border, what the two share stays as it was."""
    draft = a_draft(*(box(at * KM - 525 * (at == 1), short, (at + 1) * KM, KM) for at, short in enumerate((0, 1, 1, 0, 1))))
    outline = community(0, 0, 5 * KM, KM)
    (shared,) = pairs_over(check_edition(draft, profile=ANY, boundary=outline).problems).values()
    mended, kinds = repaired(draft, boundary=outline)
    assert "fill_to_boundary" in kinds
    (left,) = pairs_over(check_edition(mended, profile=ANY, boundary=outline).problems).values()
    assert shared > 4_000 and left == pytest.approx(shared, rel=0.001)


def test_a_small_cell_takes_no_filling_away_from_large_ones():
    """Forty centimetres short of the border: more than a hundredth for a kiosk of twenty metres, which stays as it is, and little for the
    cells beside it, which reach the border but for what lies before the kiosk."""
    kiosk = box(10_000, 40, 12_000, 1_840)
    draft = a_draft(box(0, 40, 10_000, 10_000), kiosk, box(12_000, 40, 22_000, 10_000),
                    [(10_000, 1_840), (12_000, 1_840), (12_000, 10_000), (10_000, 10_000), (10_000, 1_840)])  # fmt: skip
    outline = community(0, 0, 22_000, 10_000)
    draft, _ = repaired(draft)
    mended, kinds = repaired(draft, boundary=outline)
    assert set(kinds) == {"fill_to_boundary"} and len(kinds) < 6
    assert shapely.equals(mended.cells[1].geometry, draft.cells[1].geometry)
    missing = shapely.difference(outline, shapely.union_all([cell.geometry for cell in mended.cells]))
    assert missing.bounds[0] * UNIT - WEST >= 9_900 and missing.bounds[2] * UNIT - WEST <= 12_100
    assert {"overlap", "edge_mismatch", "gap"} & codes(check_edition(mended, profile=ANY, boundary=outline).problems) == set()
