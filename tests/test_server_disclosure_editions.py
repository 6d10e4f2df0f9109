from __future__ import annotations

from collections import defaultdict
from itertools import combinations

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from server.services.disclosure import THRESHOLD, Figure, Sum
from server.services.disclosure_editions import TOTAL, Earlier, hidden_beside

MEASURES = ("all", "old", "young")


def sums_of(cells):
    across = [Sum((TOTAL, measure), tuple((cell, measure) for cell in cells)) for measure in MEASURES]
    return across + [one for cell in [*cells, TOTAL] for one in within(cell)]


def within(name):
    return [Sum((name, "all"), ((name, "old"), (name, "young")))]


counts = st.one_of(st.integers(0, 12), st.integers(0, 60))


@st.composite
def redrawn(draw):
    """A few spots where people live, and editions whose cells hold these spots in any way; ``None`` is in no cell."""
    spots = draw(st.lists(st.tuples(counts, counts).filter(any), min_size=1, max_size=6))
    cell = st.sampled_from(["a", "b", "c", None])
    editions = draw(st.lists(st.tuples(*[cell] * len(spots)), min_size=1, max_size=4))
    return spots, editions


def publish(spots, editions, cells=("a", "b", "c")):
    """Tell every edition in turn, each beside all before it: which keys each has told."""
    made = []
    for at, now in enumerate(editions):
        grains = defaultdict(lambda: dict.fromkeys(MEASURES, Figure(0)))
        true = {(name, measure): Figure(0) for name in (*cells, TOTAL) for measure in MEASURES}
        for spot, (old, young) in enumerate(spots):
            grain = tuple(edition[spot] for edition in (*editions[:at], now))
            held = dict(zip(MEASURES, (old + young, old, young), strict=True))
            grains[grain] = {name: Figure(grains[grain][name].value + held[name]) for name in MEASURES}
            for place in (now[spot], TOTAL) if now[spot] is not None else ():
                for name in MEASURES:
                    true[place, name] = Figure(true[place, name].value + held[name])
        hidden = hidden_beside(true, grains, [Earlier(told, kept) for told, kept in made], (), sums_of, within)
        made.append((frozenset(true) - hidden, hidden))
    return [told for told, _ in made]


def vector(spots, chosen, measure):
    """Who is counted, by spot and age: what is told is a sum of these."""
    row = np.zeros(2 * len(spots))
    for spot in chosen:
        row[2 * spot : 2 * spot + 2] = {"all": (1, 1), "old": (1, 0), "young": (0, 1)}[measure]
    return row


def derivable(spots, editions, told):
    """Every count of people at some of the spots that follows from told figures, however they are added and subtracted."""
    rows = [
        vector(spots, [spot for spot, cell in enumerate(edition) if cell == name or (name == TOTAL and cell is not None)], measure)
        for edition, keys in zip(editions, told, strict=True)
        for name, measure in keys
    ]
    if not rows:
        return
    # Known are all sums of the rows: those that a projection on them leaves as they are.
    _, size, basis = np.linalg.svd(np.array(rows))
    basis = basis[: int((size > 1e-9).sum())]
    for number in range(1, len(spots) + 1):
        for chosen in combinations(range(len(spots)), number):
            for measure in MEASURES:
                row = vector(spots, chosen, measure)
                if np.allclose(basis.T @ (basis @ row), row, atol=1e-7):
                    count = sum({"all": sum(spots[one]), "old": spots[one][0], "young": spots[one][1]}[measure] for one in chosen)
                    yield chosen, measure, count


@given(redrawn())
@example(([(20, 20), (1, 2), (30, 30)], [("a", "a", "b"), ("a", "b", "b")]))  # a strip of three people changes its cell
@example(([(40, 40), (2, 3), (30, 30)], [("a", "a", "b"), ("a", "c", "b")]))  # five people become a cell of their own
@example(([(40, 0), (3, 20), (0, 40)], [("a", "b", "b"), ("a", "a", "b"), ("a", "b", "b")]))  # there and back
@example(([(40, 40), (12, 4)], [("a", None), ("a", "a")]))  # ground that joins the community
def test_no_difference_of_two_editions_isolates_few_people(case):
    """Somebody who has every file of every edition and takes each number for exact finds no count from one to nine, of any
    people, by adding and subtracting: neither of two cells, nor of sums of cells, nor over ages."""
    spots, editions = case
    small = [one for one in derivable(spots, editions, publish(spots, editions)) if 0 < one[2] < THRESHOLD]
    assert small == []


def test_a_border_that_moves_many_is_told():
    """A redraw is no reason to withhold: where what changes sides is a crowd itself, both cells are told under both editions."""
    spots = [(40, 40), (15, 15), (50, 50)]
    first, second = publish(spots, [("a", "a", "b"), ("a", "b", "b")], cells=("a", "b"))
    assert first == second == {(name, measure) for name in ("a", "b", TOTAL) for measure in MEASURES}


def test_cells_that_were_withheld_are_told_when_they_become_one():
    """Two cells too small to be told become one that is large enough, and that is told."""
    spots = [(6, 6), (6, 7), (40, 40)]
    first, second = publish(spots, [("a", "b", "c"), ("a", "a", "c")])
    assert ("a", "old") not in first and ("a", "old") in second and ("c", "old") in second


def test_what_was_withheld_of_a_cell_stays_withheld_under_another_border_around_the_same_people():
    """A border that moves over empty ground makes no other cell: who was withheld stays withheld."""
    first, second = publish([(4, 20), (50, 50)], [("a", "b"), ("c", "b")])
    assert ("a", "old") not in first and ("c", "old") not in second


def test_an_unchanged_edition_tells_what_the_one_before_told():
    """Publishing the same cells again, or going back to them, changes nothing."""
    spots = [(40, 40), (15, 15), (6, 50)]
    told = publish(spots, [("a", "a", "b"), ("a", "a", "b"), ("a", "b", "b"), ("a", "a", "b")], cells=("a", "b"))
    assert told[0] == told[1] == told[3]
