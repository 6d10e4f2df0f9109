"""Proposals for cells whose code cannot stay, and for rings that are no rings: shown first, and no cell is swallowed (L4)."""

from dataclasses import replace

import shapely
from coverage_kit import UNIT

from geo.cell import Cell
from geo.cells import DraftEdition, read_cells
from geo.edition import check_edition
from geo.profile import CN15, load_profile, profile_from_dict
from geo.repairs import Numbering, StaleRepair, apply, propose_repairs
from geo.unread import unread_names

COMMUNITY = "999999001001"
WEST, SOUTH, SIDE = 1206200000, 313000000, 10_000


def box(column):
    west = WEST + column * SIDE
    corners = [(west, SOUTH), (west + SIDE, SOUTH), (west + SIDE, SOUTH + SIDE), (west, SOUTH + SIDE), (west, SOUTH)]
    return [[x / UNIT, y / UNIT] for x, y in corners]


def a_draft(*codes, rings=None):
    """Squares beside each other with these codes (None: without one)."""
    features = [
        {"type": "Feature", "properties": {} if code is None else {"code": code},
         "geometry": (rings or {}).get(at) or {"type": "Polygon", "coordinates": [box(at)]}}
        for at, code in enumerate(codes)
    ]  # fmt: skip
    return read_cells({"type": "FeatureCollection", "features": features}, datum="cgcs2000")


def code(number):
    return f"{COMMUNITY}{number:03}"


def given(ever=(), retired=(), standing=(), profile=CN15):
    return Numbering(profile, COMMUNITY, frozenset(map(code, (*ever, *retired))), frozenset(map(code, retired)), standing)


def new_codes(repairs):
    return {change.at: change.new_code for one in repairs for change in one.changes if change.new_code is not None}


def test_a_code_used_twice_gets_the_next_one_that_no_cell_ever_had():
    """The first keeps it; the other gets a code beyond every one that was ever used; nothing moves, and no cell is lost."""
    draft = a_draft(code(1), code(2), code(2), code(3))
    (repair,) = propose_repairs(draft, numbering=given(ever=(1, 2, 3), retired=(4, 5)))
    assert repair.kind == "new_code" and new_codes([repair]) == {2: code(6)}
    assert f"{code(2)} → {code(6)}" in repair.message_zh and repair.largest_area_change_m2 == 0
    made = apply(draft, [repair])
    assert [cell.code for cell in made.cells] == [code(1), code(2), code(6), code(3)]
    assert [cell.geometry for cell in made.cells] == [cell.geometry for cell in draft.cells]
    assert check_edition(made, profile=CN15, community_code=COMMUNITY, retired={code(4), code(5)}).ok
    assert propose_repairs(made, numbering=given(ever=(1, 2, 3), retired=(4, 5))) == []


def test_who_has_the_ground_of_the_cell_in_force_keeps_its_code():
    """Of two cells with one code the one that goes on where that cell lies keeps it, whichever comes first in the file."""
    draft = a_draft(code(1), code(1))
    standing = Cell("c1", code(1), "", draft.cells[1].geometry)
    (repair,) = propose_repairs(draft, numbering=given(ever=(1,), standing=(standing,)))
    assert new_codes([repair]) == {0: code(2)}


def test_missing_given_up_and_reserved_codes_get_another_and_slips_of_the_pen_do_not():
    """No code, one that was given up, one in a reserved range: proposed anew. What merely does not fit is left to a person."""
    profile = profile_from_dict({
        "name": "own", "segments": [{"name": "community", "width": 12}, {"name": "sequence", "width": 3}],
        "community_segments": ["community"], "sequence_segment": "sequence", "sequence_from": "001",
        "reserved": [{"from": "003", "to": "009"}],
    })  # fmt: skip
    draft = a_draft(None, code(1), code(4), "99999900100100", code(2))
    (repair,) = propose_repairs(draft, numbering=given(ever=(2,), retired=(1,), profile=profile))
    assert new_codes([repair]) == {0: code(10), 1: code(11), 2: code(12)}
    assert [one.code for one in repair.settles] == ["code_missing"]
    made = apply(draft, [repair])
    assert {one.code for one in made.problems} == set()
    left = check_edition(made, profile=profile, community_code=COMMUNITY, retired={code(1)}).problems
    assert {one.code for one in left if one.severity == "error"} == {"code_outside_profile"}


def test_a_proposal_of_codes_is_made_once_and_only_where_codes_are_known():
    """Applied twice it is stale; without a rule, or with one that cannot count, nothing is proposed."""
    draft = a_draft(code(1), code(1))
    offered = propose_repairs(draft, numbering=given(ever=(1,)))
    made = apply(draft, offered)
    for again in (made, replace(draft, cells=(*draft.cells, *a_draft(None, None, code(2)).cells[2:]))):
        try:
            apply(again, offered)
        except StaleRepair:
            continue
        raise AssertionError("a stale proposal was applied")
    assert propose_repairs(draft) == []
    assert propose_repairs(draft, numbering=given(profile=load_profile("cj349-20"))) == []


def test_a_hole_without_ground_is_left_out_when_somebody_agrees():
    """A hole of two points takes nothing from its cell: the finding goes, shape and number of cells stay."""
    hole = [box(0)[0], [120.6205, 31.3005], box(0)[0]]
    spike = {"type": "Polygon", "coordinates": [box(0), hole]}
    draft = a_draft(code(1), code(2), rings={0: spike})
    assert [one.code for one in draft.problems] == ["ring_degenerate"] and unread_names(draft) == (code(1),)
    assert not check_edition(draft, profile=CN15).ok
    (repair,) = propose_repairs(draft)
    assert (repair.kind, repair.cell_codes, repair.largest_area_change_m2) == ("drop_ring", (code(1),), 0)
    made = apply(draft, [repair])
    assert made.problems == () and made.cells == draft.cells and check_edition(made, profile=CN15).ok
    assert propose_repairs(made) == []


def test_a_part_without_ground_is_left_out_and_the_other_parts_stay():
    """Of a cell in two parts the one of two points goes; the other is the cell."""
    parts = {"type": "MultiPolygon", "coordinates": [[[box(5)[0], box(5)[1], box(5)[0]]], [box(0)]]}
    draft = a_draft(code(1), rings={0: parts})
    (repair,) = propose_repairs(draft)
    made = apply(draft, [repair])
    assert repair.kind == "drop_ring" and shapely.equals(made.cells[0].geometry, shapely.Polygon(box(0)))


def test_a_cell_that_is_nothing_but_such_a_ring_is_never_dropped():
    """Also where another cell has its code: no proposal lets go of the cell that could not be read."""
    lost = {"type": "Polygon", "coordinates": [[box(1)[0], box(1)[1], box(1)[0]]]}
    draft = a_draft(code(1), code(1), rings={1: lost})
    assert [one.code for one in draft.problems] == ["ring_too_short"] and len(draft.cells) == 1
    assert "drop_ring" not in {one.kind for one in propose_repairs(draft, numbering=given())}
    assert not check_edition(DraftEdition(draft.cells, draft.problems), profile=CN15).ok
