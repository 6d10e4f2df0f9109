"""Published editions cannot be broken (rule L4): the gate, the certificate, the codes."""

import random
from dataclasses import replace

import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from geo.cell import Cell
from geo.cells import read_cells
from geo.edition import check_edition, edition_hash
from geo.errors import ProfileError
from geo.geojson_out import cells_to_geojson
from geo.profile import CN15, check_code, load_profile, profile_from_dict

COMMUNITY = "320506001001"
STEP = 10_000  # grid units, about 100 m
UNIT = 10**7


def a_polygon(*units):
    return shapely.Polygon([((1206200000 + x) / UNIT, (313000000 + y) / UNIT) for x, y in units])


def a_square(column, row, width=1, height=1, *, east=0):
    x, y = column * STEP, row * STEP
    return a_polygon(
        (x, y), (x + width * STEP + east, y), (x + width * STEP + east, y + height * STEP), (x, y + height * STEP)
    )


def a_cell(number, geometry, **over):
    code = f"{COMMUNITY}{number:03}"
    return replace(Cell(cell_id=f"id-{number}", code=code, name=f"第{number}网格", geometry=geometry), **over)


def four_cells():
    """Numbered west to east, north to south."""
    return [a_cell(1, a_square(0, 1)), a_cell(2, a_square(1, 1)), a_cell(3, a_square(0, 0)), a_cell(4, a_square(1, 0))]


BOUNDARY = a_square(0, 0, 2, 2)


def found(certificate, code):
    return [problem for problem in certificate.problems if problem.code == code]


def test_a_sound_edition_gets_its_certificate():
    """An edition without a fault is certified, with its figures and its hash."""
    certificate = check_edition(four_cells(), boundary=BOUNDARY, community_code=COMMUNITY)
    assert certificate.ok
    assert certificate.problems == ()
    assert certificate.counts == {"cells": 4, "cells_base": 4, "errors": 0, "warnings": 0}
    assert certificate.area_m2 == pytest.approx(4 * 95.2 * 110.9, rel=0.01)
    assert len(certificate.hash) == 64
    assert certificate.profile == "cn-grid-15"


def test_an_overlap_names_both_cells_the_place_and_the_size():
    """Two cells that claim one strip cannot be published."""
    cells = four_cells()
    cells[0] = a_cell(1, a_square(0, 1, east=1000))  # 10 m too far east
    certificate = check_edition(cells)
    (problem,) = found(certificate, "overlap")
    assert not certificate.ok
    assert problem.cell_codes == (COMMUNITY + "001", COMMUNITY + "002")
    assert problem.size_m2 == pytest.approx(9.52 * 110.9, rel=0.01)
    assert shapely.contains_xy(shapely.intersection(cells[0].geometry, cells[1].geometry), problem.lon, problem.lat)
    assert "重叠" in problem.message_zh


def test_an_overlap_of_one_grid_unit_is_seen():
    """A sliver of a centimetre is an overlap too: a point may lie in it."""
    cells = four_cells()
    cells[0] = a_cell(1, a_square(0, 1, east=1))
    assert found(check_edition(cells), "overlap")


def test_a_gap_inside_is_seen_without_any_boundary():
    """A hole between cells that belongs to nobody cannot be published."""
    ring = [
        a_cell(1, a_square(0, 2, 3)),
        a_cell(2, a_square(0, 1)),
        a_cell(3, a_square(2, 1)),
        a_cell(4, a_square(0, 0, 3)),
    ]
    certificate = check_edition(ring)
    (problem,) = found(certificate, "gap")
    assert not certificate.ok
    assert problem.size_m2 == pytest.approx(95.2 * 110.9, rel=0.01)
    assert shapely.contains_xy(a_square(1, 1), problem.lon, problem.lat)
    assert len(problem.cell_codes) == 4


def test_a_hole_of_the_community_itself_is_no_gap():
    """An enclave of another community is left out by the boundary."""
    cells = [
        a_cell(1, shapely.Polygon(a_square(0, 0, 3, 3).exterior, [a_square(1, 1).exterior])),
    ]
    outline = cells[0].geometry
    assert check_edition(cells, boundary=outline).ok
    assert found(check_edition(cells, boundary=a_square(0, 0, 3, 3)), "gap")


def test_what_is_missing_at_the_edge_is_seen_against_the_boundary():
    """A strip of the community that no cell takes, and a strip that is not the community's, are both named."""
    short = check_edition(four_cells()[1:], boundary=BOUNDARY)
    (problem,) = found(short, "gap_at_boundary")
    assert not short.ok
    assert shapely.contains_xy(a_square(0, 1), problem.lon, problem.lat)
    wide = check_edition(four_cells(), boundary=a_square(0, 0, 2, 1))
    assert sorted(p.cell_codes for p in found(wide, "outside_boundary"))
    assert not wide.ok
    nearly = check_edition(
        four_cells(), boundary=a_polygon((0, 0), (20_001, 0), (20_000, 9_000), (20_000, 20_000), (0, 20_000))
    )
    assert nearly.ok  # a centimetre off at one corner: told, not refused
    assert found(nearly, "boundary_sliver")


def test_a_t_junction_is_seen():
    """A corner of one cell in the middle of its neighbour's edge would open with the first simplification."""
    cells = [a_cell(1, a_square(0, 1, 2)), a_cell(2, a_square(0, 0)), a_cell(3, a_square(1, 0))]
    certificate = check_edition(cells)
    assert {name for p in found(certificate, "edge_mismatch") for name in p.cell_codes} >= {COMMUNITY + "001"}
    assert not certificate.ok
    x, y = 0, STEP
    matched = a_polygon((x, y), (STEP, y), (2 * STEP, y), (2 * STEP, 2 * STEP), (x, 2 * STEP))
    assert check_edition([a_cell(1, matched), *cells[1:]]).ok


def test_a_split_that_was_rounded_fails_and_its_repair_passes():
    """A cell cut along an oblique line whose end was rounded off its neighbour's border is not published."""
    west = a_polygon((0, 0), (7919, 10007), (0, 10007))
    upper = a_polygon((0, 0), (7919, 0), (3959, 5003))  # its corner lies beside the long oblique edge, not on it
    lower = a_polygon((3959, 5003), (7919, 0), (7919, 10007))
    broken = check_edition([a_cell(1, west), a_cell(2, upper), a_cell(3, lower)])
    assert not broken.ok
    assert found(broken, "gap") or found(broken, "overlap")
    mended = a_polygon((0, 0), (3959, 5003), (7919, 10007), (0, 10007))
    assert check_edition([a_cell(1, mended), a_cell(2, upper), a_cell(3, lower)]).counts["errors"] == 0


def test_a_self_crossing_cell_is_refused_once():
    """The fault is told once, although reading and checking both see it."""
    bow_tie = a_polygon((0, 0), (STEP, STEP), (STEP, 0), (0, STEP))
    draft = read_cells(cells_to_geojson([a_cell(1, bow_tie)]), datum="cgcs2000")
    assert len(found(check_edition(draft), "ring_self_crossing")) == 1
    assert len(found(check_edition([a_cell(1, bow_tie)]), "ring_self_crossing")) == 1
    assert not check_edition(draft).ok


def test_a_fault_of_the_file_keeps_the_gate_closed():
    """What reading found counts: a ring that was closed by guess is not published."""
    text = cells_to_geojson([a_cell(1, a_square(0, 0))])
    open_ring = text.replace(",[120.62,31.3]]]", "]]")
    assert open_ring != text
    certificate = check_edition(read_cells(open_ring, datum="cgcs2000"))
    assert not certificate.ok
    assert found(certificate, "ring_not_closed")


def test_an_edition_without_cells_is_not_published():
    """An empty file never replaces a community's cells."""
    assert not check_edition([]).ok


def test_buildings_cut_by_a_border_are_listed():
    """A house that stands in two cells is a warning with both cells; one that only touches the border is not."""
    cut = a_polygon((9_900, 15_000), (10_200, 15_000), (10_200, 15_300), (9_900, 15_300))
    beside = a_polygon((10_000, 16_000), (10_300, 16_000), (10_300, 16_300), (10_000, 16_300))
    certificate = check_edition(four_cells(), buildings=[("A", cut), ("B", beside)])
    assert certificate.ok
    (problem,) = found(certificate, "building_cut")
    assert problem.cell_codes == (COMMUNITY + "001", COMMUNITY + "002")
    assert "A" in problem.message_en


def test_a_dedicated_cell_may_lie_in_a_base_cell():
    """A market of its own layer is no overlap; two dedicated cells on one place are."""
    market = a_cell(11, a_polygon((100, 100), (900, 100), (900, 900), (100, 900)), layer="dedicated")
    assert check_edition([*four_cells(), market]).ok
    twice = check_edition([*four_cells(), market, replace(market, code=COMMUNITY + "012", cell_id="id-12")])
    assert not twice.ok
    assert twice.counts["overlap"] == 1


def test_the_hash_names_the_content_not_the_file():
    """Re-sorted, re-written, turned rings: the same hash. A moved corner, a new name: another."""
    cells = four_cells()
    turned = [
        replace(c, geometry=shapely.Polygon(c.geometry.exterior.coords[2:-1] + c.geometry.exterior.coords[:3]))
        for c in cells
    ]
    clockwise = [replace(c, geometry=shapely.reverse(c.geometry)) for c in cells]
    own = edition_hash(cells)
    assert edition_hash(random.Random(1).sample(cells, 4)) == edition_hash(turned) == edition_hash(clockwise) == own
    assert edition_hash(read_cells(cells_to_geojson(cells), datum="cgcs2000").cells) == own
    assert edition_hash([replace(cells[0], cell_id="other"), *cells[1:]]) == own
    for change in (
        {"name": "新"},
        {"order": 1},
        {"layer": "dedicated"},
        {"code": "9"},
        {"geometry": a_square(0, 1, east=1)},
    ):
        assert edition_hash([replace(cells[0], **change), *cells[1:]]) != own


NOTHING = a_polygon((0, 0), (0, 0), (0, 0), (0, 0))
SQUARE = a_cell(1, a_square(0, 0))
THREAD = a_polygon((0, 0), (0, 0), (0, STEP), (0, STEP))


@pytest.mark.parametrize(
    ("cells", "boundary", "expected"),
    [
        ([SQUARE, a_cell(2, NOTHING), a_cell(2, THREAD)], None, {"polygon_invalid", "duplicate_code"}),
        ([a_cell(1, THREAD)], a_square(0, 0), {"polygon_invalid", "gap_at_boundary"}),
        ([a_cell(1, a_square(0, 0)), a_cell(2, a_square(0, 0))], None, {"overlap", "edge_mismatch"}),
        ([a_cell(1, a_square(0, 0))], shapely.Polygon(), {"outside_boundary"}),
        ([a_cell(1, shapely.Polygon(a_square(0, 0).exterior, [a_square(3, 0).exterior]))], None, {"polygon_invalid"}),
        ([a_cell(1, a_square(0, 0)), a_cell(2, a_square(1, 1))], None, set()),  # they touch in a point
        ([a_cell(1, a_square(0, 0), code="")], None, {"code_missing"}),
    ],
)  # fmt: skip
def test_the_strangest_draft_gets_a_certificate(cells, boundary, expected):
    """Whatever is drawn, the secretary reads what is wrong with it; the gate never fails itself."""
    certificate = check_edition(cells, boundary=boundary, buildings=[("none", shapely.Polygon()), ("thread", THREAD)])
    assert {problem.code for problem in certificate.problems} == expected
    assert certificate.ok == (not expected)


def test_a_missing_code_is_told_once():
    """Reading and checking both see it; the list has it once, by the feature's number."""
    certificate = check_edition(
        read_cells(cells_to_geojson([a_cell(1, a_square(0, 0), code="", cell_id="")]), datum="wgs84")
    )
    assert [(problem.code, problem.cell_codes) for problem in certificate.problems] == [("code_missing", ("#0",))]


@given(st.randoms(use_true_random=False), st.integers(0, 3), st.integers(-3, 3))
def test_a_certificate_does_not_depend_on_the_order_of_the_file(dice, which, east):
    """The same draft, exported twice in different order, gets the same certificate word for word."""
    cells = four_cells()
    column, row = which % 2, 1 - which // 2
    cells[which] = a_cell(which + 1, a_square(column, row, east=east))
    first = check_edition(cells, boundary=BOUNDARY)
    dice.shuffle(cells)
    assert check_edition(cells, boundary=BOUNDARY) == first
    assert first.ok == (east == 0)


# ---------------------------------------------------------------- codes


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("320506001001001", []),
        ("", ["code_missing"]),
        ("32050600100100", ["code_outside_profile"]),  # a digit short
        ("3205060010010010", ["code_outside_profile"]),
        ("32050600100100A", ["code_outside_profile"]),
        ("320506001001０01", ["code_outside_profile"]),  # a full-width digit
        ("320506001001000", ["code_outside_profile"]),  # the sequence begins with 001
        ("320506001001001 ", ["code_outside_profile"]),
        ("320506001002001", ["code_other_community"]),
        ("320506001001099", ["code_retired"]),
    ],
)
def test_codes_of_the_default_profile(code, expected):
    """A code that does not fit, belongs to a neighbour, or has expired is refused by name."""
    problems = check_code(code, COMMUNITY, retired={"320506001001099"})
    assert [problem.code for problem in problems] == expected


def test_codes_that_clash_or_expired_keep_the_gate_closed():
    """A code used twice, one of the neighbour's and one that has expired are all told at once."""
    cells = four_cells()
    cells[1] = replace(cells[1], code=cells[0].code)
    cells[2] = replace(cells[2], code="320506001002003")
    certificate = check_edition(cells, community_code=COMMUNITY, retired={COMMUNITY + "004"})
    assert not certificate.ok
    for code in ("duplicate_code", "code_other_community", "code_retired"):
        assert len(found(certificate, code)) == 1, code


def test_numbering_against_the_rule_is_a_warning():
    """Cells are numbered west to east and north to south; later splits cannot always keep it, so it only warns."""
    cells = [a_cell(1, a_square(1, 0)), a_cell(2, a_square(0, 1)), a_cell(3, a_square(0, 0)), a_cell(4, a_square(1, 1))]
    certificate = check_edition(cells)
    assert certificate.ok
    assert [problem.cell_codes for problem in found(certificate, "code_order")] == [
        (COMMUNITY + "001", COMMUNITY + "002")
    ]
    assert not found(check_edition(four_cells()), "code_order")
    in_a_row = [a_cell(1, a_square(1, 0)), a_cell(2, a_square(0, 0))]
    in_a_column = [a_cell(1, a_square(0, 0)), a_cell(2, a_square(0, 1))]
    assert all(len(found(check_edition(one), "code_order")) == 1 for one in (in_a_row, in_a_column))


def test_every_finding_about_a_cell_says_where_and_in_both_languages():
    """A code that does not fit is found on the map like an overlap; the Chinese sentence holds no English."""
    cells = [a_cell(1, a_square(0, 0)), replace(a_cell(2, a_square(1, 0)), code=COMMUNITY + "000")]
    [wrong] = found(check_edition(cells, community_code=COMMUNITY), "code_outside_profile")
    assert shapely.covers(cells[1].geometry, shapely.Point(wrong.lon, wrong.lat))
    assert "顺序码应在 001 至 999 之间" in wrong.message_zh and not any("a" <= letter <= "z" for letter in wrong.message_zh)


def test_a_twenty_digit_profile_comes_along():
    """A city with 20-digit codes loads its profile by name; 00 stands only for a community that is not divided."""
    profile = load_profile("cj349-20")
    community = "320506001601"
    assert check_code("010000" + community + "00", community, profile=profile) == []
    assert [p.code for p in check_code("010000" + "320506001602" + "01", community, profile=profile)] == [
        "code_other_community"
    ]
    cells = [replace(cell, code=f"010000{community}{number:02}") for number, cell in enumerate(four_cells())]
    (problem,) = found(check_edition(cells, profile=profile), "code_outside_profile")
    assert problem.cell_codes == ("010000" + community + "00",)


def test_a_city_brings_its_own_profile():
    """A profile is data: letters, other widths or a plain pattern."""
    own = {
        "name": "town",
        "segments": [{"name": "town", "width": 2, "characters": "alphanumeric"}, {"name": "no", "width": 2}],
        "community_segments": ["town"],
        "sequence_segment": "no",
        "sequence_from": "10",
    }
    profile = profile_from_dict(own)
    assert check_code("A110", "A1", profile=profile) == []
    assert [p.code for p in check_code("A109", "A1", profile=profile)] == ["code_outside_profile"]
    assert check_code("网格-1", profile=profile_from_dict({"name": "free", "pattern": "网格-[0-9]+"})) == []


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"name": "x"},
        {"name": "x", "segments": [{"name": "a"}]},
        {"name": "x", "segments": [{"name": "a", "width": 0}]},
        {"name": "x", "segments": [{"name": "a", "width": 1}, {"name": "a", "width": 1}]},
        {"name": "x", "segments": [{"name": "a", "width": 1, "characters": "runes"}]},
        {"name": "x", "segments": [{"name": "a", "width": 1}], "sequence_segment": "b"},
        {"name": "x", "segments": [{"name": "a", "width": 2}], "sequence_segment": "a", "sequence_from": "1"},
        {"name": "x", "segments": [{"name": "a", "width": 2}], "community_segments": ["b"]},
        {"name": "x", "pattern": "("},
    ],
)
def test_a_wrong_profile_is_refused(data):
    """A profile with a mistake never accepts codes silently."""
    with pytest.raises(ProfileError):
        profile_from_dict(data)


def test_unknown_profiles_and_the_default():
    """Asking for a profile that is not there names those that are."""
    assert CN15.length == 15
    with pytest.raises(ProfileError, match="cn-grid-15"):
        load_profile("nowhere")
