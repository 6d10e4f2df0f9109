"""Repairs are shown before they are made, and no cell is ever swallowed (rule L4)."""

import json

import numpy as np
import pytest
import shapely
from coverage_kit import UNIT, irregular_rings
from hypothesis import given, settings
from hypothesis import strategies as st
from repairs_kit import ANY, KM, SOUTH, WEST, a_draft, box, codes, community, repaired

from geo.cell import Cell
from geo.cells import DraftEdition, read_cells
from geo.datum import from_cgcs2000
from geo.edition import check_edition
from geo.errors import ProfileError
from geo.profile import HouseholdBand, load_profile, profile_from_dict
from geo.repairs import Limits, StaleRepair, apply, propose_repairs, suspect_datum


def test_a_sound_draft_needs_nothing():
    """Nothing is proposed where nothing is wrong."""
    draft = a_draft(box(0, 0, 10_000, 10_000), box(10_000, 0, 20_000, 10_000))
    assert propose_repairs(draft) == []


def test_a_t_junction_is_matched_without_moving_a_corner():
    """The corner of one cell on the edge of another becomes a corner of both; the certificate is clean then."""
    draft = a_draft(box(0, 0, 10_000, 10_000), box(10_000, 0, 20_000, 4_000), box(10_000, 4_000, 20_000, 10_000))
    assert "edge_mismatch" in codes(check_edition(draft, profile=ANY).problems)
    (repair,) = propose_repairs(draft)
    assert (repair.kind, repair.cell_codes) == ("match_edges", ("01",))
    assert repair.largest_area_change_m2 == 0
    assert "1" in repair.message_en
    assert propose_repairs(draft) == [repair]
    mended = apply(draft, [repair])
    assert check_edition(mended, profile=ANY).ok
    assert shapely.equals(mended.cells[0].geometry, draft.cells[0].geometry)
    with pytest.raises(StaleRepair):
        apply(mended, [repair])


@given(st.integers(0, 10_000), st.integers(1, 5))
def test_corners_that_only_one_neighbour_has_are_matched(seed, bends):
    """Borders drawn with more corners on one side fit again, whatever their shape."""
    cells = []
    for number, ring in enumerate(irregular_rings(3, 3, step=20_000, bends=bends, seed=seed)):
        corners = ring[:: bends + 1] if seed % 2 else ring
        if number % 2:
            following = np.roll(corners, -1, axis=0)
            middles = np.floor((corners + following) / 2 + 0.5)
            corners = np.column_stack([corners, middles]).reshape(-1, 2)
        cells.append(Cell(f"c{number}", f"{number}", "", shapely.Polygon(corners / UNIT)))
    draft, kinds = repaired(DraftEdition(tuple(cells), (), "cgcs2000"))
    assert kinds == ["match_edges"]
    assert check_edition(draft, profile=ANY).ok


def test_a_hair_of_overlap_is_closed_and_a_metre_is_not():
    """What a drawing hand trembles is proposed; what somebody may live on is left to a person."""
    hair = a_draft(box(0, 0, 10_000, 10_000), box(9_997, 0, 20_000, 10_000))
    draft, kinds = repaired(hair)
    assert kinds
    assert check_edition(draft, profile=ANY).ok
    assert abs(draft.cells[0].geometry.area - hair.cells[0].geometry.area) < hair.cells[0].geometry.area * 0.01
    wide = a_draft(box(0, 0, 10_000, 10_000), box(9_500, 0, 20_000, 10_000))
    assert all(repair.largest_area_change_m2 < 2 for repair in propose_repairs(wide))
    swallowed = a_draft(box(0, 0, 10_000, 10_000), box(2_000, 2_000, 2_003, 2_003))
    assert len(repaired(swallowed)[0].cells) == 2


def test_a_person_may_let_a_proposal_go_further():
    """An overlap of five metres is closed only under limits that somebody widened; each cell shows what it loses."""
    wide = a_draft(box(0, 0, 10_000, 10_000), box(9_500, 0, 20_000, 10_000))
    wide, kinds = repaired(wide)
    assert set(kinds) <= {"match_edges"}
    (repair,) = propose_repairs(wide, limits=Limits(clean_width_m=5.0, share_at_most=0.06))
    assert repair.kind == "clean_coverage"
    assert 400 < repair.largest_area_change_m2 < 600
    assert check_edition(apply(wide, [repair]), profile=ANY).ok


def test_metres_that_two_large_cells_both_hold_are_left_to_a_person():
    """Five metres of a kilometre are less than a hundredth of the cell, and somebody's ground all the same: offered only
    to who lets it go that far."""
    draft = a_draft(box(0, 0, KM, KM), box(KM - 525, 0, 2 * KM, KM))
    assert "clean_coverage" not in repaired(draft)[1]
    (overlap,) = [one for one in check_edition(draft, profile=ANY).problems if one.code == "overlap"]
    assert overlap.size_m2 > 4_000
    draft, _ = repaired(draft)
    assert propose_repairs(draft, limits=Limits(clean_width_m=4.0)) == []
    (repair,) = propose_repairs(draft, limits=Limits(clean_width_m=6.0))
    assert repair.kind == "clean_coverage" and check_edition(apply(draft, [repair]), profile=ANY).ok


def test_a_wide_overlap_takes_no_small_repair_away():
    """Five cells in a row, of which the first two overlap by five metres and the last two by three centimetres: the hair is closed,
    though all of them touch, and the wide overlap stays as it was drawn for a person."""
    a, c, d = (box(number * KM, 0, (number + 1) * KM, KM) for number in (0, 2, 3))
    wide, hair = box(KM - 525, 0, 2 * KM, KM), box(4 * KM - 3, 0, 5 * KM, KM)
    draft = a_draft(a, wide, c, d, hair)
    mended, kinds = repaired(draft)
    assert "clean_coverage" in kinds
    (left,) = [one for one in check_edition(mended, profile=ANY).problems if one.code == "overlap"]
    assert left.cell_codes == ("01", "02")
    assert all(shapely.equals(mended.cells[at].geometry, draft.cells[at].geometry) for at in (0, 1, 2))
    chained = a_draft(a, wide, box(2 * KM - 3, 0, 3 * KM, KM), box(3 * KM - 3, 0, 4 * KM, KM), hair)
    mended, _ = repaired(chained)
    overlaps = {one.cell_codes for one in check_edition(mended, profile=ANY).problems if one.code == "overlap"}
    assert ("01", "02") in overlaps and not {("03", "04"), ("04", "05")} & overlaps


def test_a_narrow_gap_to_the_border_is_filled_where_the_border_is_given():
    """A strip of 20 cm between two cells that runs out of the community: proposed with the boundary, told without."""
    draft = a_draft(box(0, 0, 9_980, 10_000), box(10_000, 0, 20_000, 10_000), box(0, -9_000, 20_000, 0))
    outline = community(0, -9_000, 20_000, 10_000)
    assert "gap_at_boundary" in codes(check_edition(draft, profile=ANY, boundary=outline).problems)
    assert repaired(draft)[1] == ["match_edges"]
    mended, kinds = repaired(draft, boundary=outline)
    assert kinds == ["match_edges", "fill_to_boundary"]
    assert check_edition(mended, profile=ANY, boundary=outline).problems == ()
    assert shapely.equals(shapely.union_all([cell.geometry for cell in mended.cells]), outline)


def test_cells_drawn_short_of_the_border_reach_it():
    """Thirty centimetres short all around: every cell gets what lies along it, and nobody else's."""
    draft = a_draft(box(30, 30, 10_000, 10_000), box(10_000, 30, 19_970, 10_000), box(30, 10_000, 10_000, 19_970),
                    box(10_000, 10_000, 19_970, 19_970))  # fmt: skip
    outline = community(0, 0, 20_000, 20_000)
    (repair,) = propose_repairs(draft, boundary=outline)
    assert (repair.kind, len(repair.changes)) == ("fill_to_boundary", 4)
    assert all(0 < change.area_change_m2 < 70 for change in repair.changes)
    mended, _ = repaired(draft, boundary=outline)
    assert check_edition(mended, profile=ANY, boundary=outline).ok


@pytest.mark.parametrize("length", [2_000, 4_000])
def test_a_strip_of_a_centimetre_at_the_border_is_told_and_filled(length):
    """One unit short of the border, and one unit between two cells that runs out to it: told with and without the boundary, and
    filled by the cells along it, each with its own side."""
    short = a_draft(box(0, 0, 10_000, length), box(10_000, 0, 19_999, length))
    outline = community(0, 0, 20_000, length)
    (told,) = [one for one in check_edition(short, profile=ANY, boundary=outline).problems if one.code == "boundary_sliver"]
    assert told.cell_codes == ("02",) and told.size_m2 < 1
    mended, kinds = repaired(short, boundary=outline)
    assert kinds == ["fill_to_boundary"] and check_edition(mended, profile=ANY, boundary=outline).problems == ()
    assert shapely.equals(mended.cells[0].geometry, short.cells[0].geometry)
    below = a_draft(box(0, 1, 10_000, length), box(10_000, 1, 20_000, length))
    mended, kinds = repaired(below, boundary=outline)
    assert kinds == ["fill_to_boundary"] and check_edition(mended, profile=ANY, boundary=outline).problems == ()
    assert mended.cells[1].geometry.bounds[0] == pytest.approx(below.cells[1].geometry.bounds[0], abs=3e-7)
    between = a_draft(box(0, 0, 9_999, length), box(10_000, 0, 20_000, length))
    (told,) = check_edition(between, profile=ANY).problems
    assert told.code == "gap_strip" and told.cell_codes == ("01", "02") and told.size_m2 < 1
    mended, kinds = repaired(between, boundary=outline)
    assert kinds == ["fill_to_boundary"] and check_edition(mended, profile=ANY, boundary=outline).problems == ()


def test_a_missing_cell_is_not_filled_by_its_neighbours():
    """Where a whole cell is missing, or a strip as wide as a road, a person decides; nobody's cell grows over it."""
    for east in (12_000, 10_100):
        draft = a_draft(box(0, 0, 10_000, 10_000), box(east, 0, 20_000, 10_000))
        outline = community(0, 0, 20_000, 10_000)
        assert propose_repairs(draft, boundary=outline) == []
        assert "gap_at_boundary" in codes(check_edition(draft, profile=ANY, boundary=outline).problems)


@settings(max_examples=6)
@given(st.integers(0, 10_000), st.integers(1, 20))
def test_filling_swallows_no_cell(seed, gap):
    """Irregular cells that end up to 20 cm short of an irregular border only ever win ground that was nobody's."""
    rings = [shapely.Polygon(ring) for ring in irregular_rings(3, 3, step=20_000, bends=3, seed=seed)]
    whole = shapely.union_all(rings)
    short = shapely.buffer(whole, -gap, join_style="mitre")
    drawn = [shapely.transform(shapely.intersection(one, short), np.round) for one in rings]
    cells = tuple(Cell(f"c{at}", f"{at}", "", shapely.transform(one, lambda corners: corners / UNIT)) for at, one in enumerate(drawn))
    draft, outline = DraftEdition(cells, (), "cgcs2000"), shapely.transform(whole, lambda corners: corners / UNIT)
    mended, _ = repaired(draft, boundary=outline)
    before, after = (check_edition(one, profile=ANY, boundary=outline) for one in (draft, mended))
    assert {"overlap", "outside_boundary", "edge_mismatch"} & codes(after.problems) <= codes(before.problems)
    assert [one.code for one in mended.cells] == [one.code for one in draft.cells]
    assert all(new.geometry.area >= old.geometry.area * 0.9999 for new, old in zip(mended.cells, draft.cells, strict=True))
    assert after.area_m2 == pytest.approx(before.area_m2, rel=0.02)


def test_a_crossing_ring_is_rebuilt_and_its_area_shown():
    """A bow-tie becomes two touching parts; the person sees what the cell wins or loses."""
    bow = [(0, 0), (10_000, 10_000), (10_000, 0), (0, 10_000), (0, 0)]
    draft = a_draft(bow, box(20_000, 0, 30_000, 10_000))
    (repair,) = propose_repairs(draft)
    assert repair.kind == "rebuild_ring"
    assert codes(repair.settles) == {"ring_self_crossing"}
    mended = apply(draft, [repair])
    assert mended.cells[0].geometry.is_valid
    assert "ring_self_crossing" not in codes(mended.problems)
    assert "ring_self_crossing" in codes(draft.problems)


def test_an_open_ring_is_closed_when_the_person_says_so():
    """The reader closed it to be able to show it; the finding stays until somebody agrees."""
    draft = a_draft(box(0, 0, 10_000, 10_000)[:-1])
    (repair,) = propose_repairs(draft)
    assert (repair.kind, repair.changes) == ("close_ring", ())
    assert "ring_not_closed" not in codes(apply(draft, [repair]).problems)


@pytest.mark.parametrize("datum", ["wgs84", "gcj02", "bd09"])
def test_swapped_axes_are_turned_in_the_declared_datum(datum):
    """Latitude first, on a shifted map too: the cell lands where it is."""
    ring = box(0, 0, 10_000, 10_000)
    there = [from_cgcs2000(lon=(WEST + x) / UNIT, lat=(SOUTH + y) / UNIT, datum=datum) for x, y in ring]
    feature = {
        "type": "Feature", "properties": {"code": "01"},
        "geometry": {"type": "Polygon", "coordinates": [[[lat, lon] for lon, lat in there]]},
    }  # fmt: skip
    draft = read_cells({"type": "FeatureCollection", "features": [feature]}, datum=datum)
    (repair,) = propose_repairs(draft)
    assert repair.kind == "swap_axes"
    mended = apply(draft, [repair])
    assert mended.problems == tuple(one for one in draft.problems if one.code != "axes_swapped")
    wanted = a_draft(ring).cells[0].geometry
    assert shapely.hausdorff_distance(mended.cells[0].geometry, wanted) < 5e-7


@pytest.mark.parametrize(("declared", "real"), [("wgs84", "gcj02"), ("gcj02", "wgs84"), ("wgs84", "bd09")])
def test_a_wrong_datum_is_suspected_against_the_community(declared, real):
    """Cells that fit only under another reading are named, and reading them so is proposed."""
    ring = box(0, 0, 20_000, 20_000)
    there = [from_cgcs2000(lon=(WEST + x) / UNIT, lat=(SOUTH + y) / UNIT, datum=real) for x, y in ring]
    feature = {
        "type": "Feature", "properties": {"code": "01"},
        "geometry": {"type": "Polygon", "coordinates": [[list(pair) for pair in there]]},
    }  # fmt: skip
    draft = read_cells({"type": "FeatureCollection", "features": [feature]}, datum=declared)
    boundary = shapely.Polygon([((WEST + x) / UNIT, (SOUTH + y) / UNIT) for x, y in box(-900, -900, 20_900, 20_900)])
    suspect = suspect_datum(draft, boundary)
    assert suspect is not None
    assert real in suspect.message_en
    (repair,) = propose_repairs(draft, boundary=boundary)
    mended = apply(draft, [repair])
    assert mended.datum == real
    assert shapely.hausdorff_distance(mended.cells[0].geometry, a_draft(ring).cells[0].geometry) < 5e-7
    assert suspect_datum(mended, boundary) is None
    assert propose_repairs(mended, boundary=boundary) == []
    assert suspect_datum(a_draft(ring), boundary) is None


def test_a_strip_that_reaches_the_outside_is_seen_without_a_boundary():
    """One metre between two cells, open at both ends: not a hole, and still nobody's ground."""
    draft = a_draft(box(0, 0, 10_000, 10_000), box(10_100, 0, 20_000, 10_000))
    certificate = check_edition(draft, profile=ANY)
    (strip,) = [problem for problem in certificate.problems if problem.code == "gap_strip"]
    assert strip.cell_codes == ("01", "02")
    assert strip.size_m2 == pytest.approx(0.95 * 111, rel=0.1)
    street = a_draft(box(0, 0, 10_000, 10_000), box(10_600, 0, 20_000, 10_000))
    assert "gap_strip" not in codes(check_edition(street, profile=ANY).problems)


def test_cells_with_too_few_or_too_many_households_are_warned_of():
    """The band belongs to the profile; it warns and never stops an edition."""
    draft = a_draft(box(0, 0, 10_000, 10_000), box(10_000, 0, 20_000, 10_000))
    profile = profile_from_dict({"name": "p", "pattern": ".+", "households": {"min": 200, "target": 300, "max": 400}})
    certificate = check_edition(draft, profile=profile, households={"01": 199, "02": 401, "99": 5})
    assert certificate.ok
    assert [(one.code, one.cell_codes) for one in certificate.problems] == [
        ("households_below", ("01",)), ("households_above", ("02",)),
    ]  # fmt: skip
    assert check_edition(draft, profile=profile, households={"01": 200, "02": 400}).problems == ()
    assert check_edition(draft, profile=profile).problems == ()
    assert load_profile().households == HouseholdBand(200, 400, 500)
    for wrong in ({"min": 3, "target": 2, "max": 5}, {"min": 0, "target": 2, "max": 5}, {"min": 1}, [1, 2, 3]):
        with pytest.raises(ProfileError):
            profile_from_dict({"name": "p", "pattern": ".+", "households": wrong})


def test_a_repair_can_be_shown_as_json():
    """What is proposed can be drawn: before, after, and the words for it in both languages."""
    draft = a_draft(box(0, 0, 10_000, 10_000), box(10_000, 0, 20_000, 4_000), box(10_000, 4_000, 20_000, 10_000))
    (repair,) = propose_repairs(draft)
    (change,) = repair.changes
    assert json.loads(shapely.to_geojson(change.after))["type"] == "Polygon"
    assert repair.message_zh
    assert draft.cells[change.at].code == change.cell_code
