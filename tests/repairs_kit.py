"""Drafts of cells on grid units, and what repairs make of them: for the suites of repairs."""

import shapely
from coverage_kit import UNIT

from geo.cells import read_cells
from geo.profile import profile_from_dict
from geo.repairs import apply, propose_repairs

ANY = profile_from_dict({"name": "any", "pattern": ".+"})
WEST, SOUTH = 1206200000, 313000000
KM = 100_000
"""Somewhat less than a kilometre, in grid units east."""


def a_draft(*shapes, datum="cgcs2000"):
    """Cells from rings on grid units relative to a corner in Suzhou."""
    features = [
        {"type": "Feature", "properties": {"code": f"{number:02}"},
         "geometry": {"type": "Polygon", "coordinates": [[[(WEST + x) / UNIT, (SOUTH + y) / UNIT] for x, y in ring]]}}
        for number, ring in enumerate(shapes, 1)
    ]  # fmt: skip
    return read_cells({"type": "FeatureCollection", "features": features}, datum=datum)


def box(west, south, east, north):
    return [(west, south), (east, south), (east, north), (west, north), (west, south)]


def codes(problems):
    return {problem.code for problem in problems}


def repaired(draft, **facts):
    """Ask, apply, ask again; the kinds that were proposed come with it."""
    kinds = []
    for _ in range(6):
        repairs = propose_repairs(draft, **facts)
        if not repairs:
            break
        kinds += [repair.kind for repair in repairs]
        before = len(draft.cells)
        draft = apply(draft, repairs)
        assert len(draft.cells) == before
        assert all(cell.geometry.area > 0 for cell in draft.cells)
    return draft, kinds


def community(west, south, east, north):
    """A boundary on grid units."""
    return shapely.box(*((WEST + west) / UNIT, (SOUTH + south) / UNIT, (WEST + east) / UNIT, (SOUTH + north) / UNIT))


def pairs_over(problems):
    return {one.cell_codes: one.size_m2 for one in problems if one.code == "overlap"}
