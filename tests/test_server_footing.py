"""What follows what when cells change: worked out for all records at once as it is for one after the other (S29, L3)."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from server.services.footing import Footing, _Codes
from server.services.move_plan import FOLLOWS, LIES, Moved, MovePlan, _let_follow
from server.store.moving import LIVE

HOMES = ("cell/a", "cell/b", "cell/c", "~unplaced")
KINDS = ("building", "dwelling", "household", "person", "reference_card")

one_record = st.tuples(
    st.sampled_from(KINDS), st.sampled_from(HOMES), st.integers(-1, 11), st.booleans(), st.sampled_from((0, LIVE)),
    st.none() | st.sampled_from(HOMES),
)  # fmt: skip
"""Type, home, number of what places it, whether it has a location, whether it lives, where it goes of its own accord."""


def footing_of(rows):
    kinds, homes = _Codes(), _Codes()
    return Footing(
        [f"id-{number}" for number in range(len(rows))],
        list(KINDS),
        kinds.of(KINDS)[[KINDS.index(row[0]) for row in rows]] if rows else np.zeros(0, dtype=np.int32),
        homes,
        homes.of([row[1] for row in rows]),
        np.array([row[2] if row[2] < len(rows) else -1 for row in rows], dtype=np.intp),
        np.array([120.0 + number if row[3] else math.nan for number, row in enumerate(rows)], dtype=float),
        np.array([31.0 if row[3] else math.nan for row in rows], dtype=float),
        np.array([row[4] for row in rows], dtype=np.int8),
    )


@given(st.lists(one_record, max_size=12))
def test_all_that_follows_is_what_follows_step_by_step(rows):
    """Whatever stands in what, in a circle too: who moves, to where, and because of whom is the same."""
    footing, plan = footing_of(rows), MovePlan("e", 1, {})
    fresh = {
        number: Moved(f"id-{number}", row[0], row[1], row[5], LIES, f"id-{number}", "{}")
        for number, row in enumerate(rows)
        if row[5] is not None and row[5] != row[1]
    }
    _let_follow(footing, dict(fresh), plan)

    expected, cards, frontier = dict(fresh), set(), dict(fresh)
    while frontier:
        following = {}
        for number, (kind, home, above, is_located, _, _) in enumerate(rows):
            if is_located or above not in frontier:
                continue
            if kind == "reference_card":
                cards.add(f"id-{number}")
            elif number not in expected and home != frontier[above].to_home:
                held_by = frontier[above]
                following[number] = Moved(f"id-{number}", kind, home, held_by.to_home, FOLLOWS, held_by.root)
        expected |= following
        frontier = following
    assert plan.moves == {one.id: one for one in expected.values()}
    assert plan.cards == cards


@given(st.lists(one_record, max_size=12))
def test_every_household_is_counted_where_it_stands(rows):
    """A household counts at the first location of what places it, four steps up at most; without one it counts nowhere."""
    found = footing_of(rows).household_points()
    expected = []
    for kind, _, above, _, life, _ in rows:
        at = above if above < len(rows) else -1
        for _ in range(3):
            if at >= 0 and not rows[at][3]:
                at = rows[at][2] if rows[at][2] < len(rows) else -1
        if kind == "household" and life == LIVE and at >= 0 and rows[at][3]:
            expected.append(120.0 + at)
    assert found[0].tolist() == expected
    assert found[1].tolist() == [31.0] * len(expected)
