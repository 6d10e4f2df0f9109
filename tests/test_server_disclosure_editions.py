from __future__ import annotations

from collections import defaultdict
from itertools import combinations

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from server.services.disclosure import THRESHOLD, Figure, Sum
from server.services.disclosure_editions import TOTAL, Earlier, hidden_beside

# By measure what of a spot it counts: the old and the young, women before men.
PARTS = {"all": (0, 1, 2, 3), "old": (0, 1), "young": (2, 3), "women": (0, 2), "men": (1, 3)}
MEASURES = tuple(PARTS)
WITHIN = (Sum("all", ("old", "young")), Sum("all", ("women", "men")))

counts = st.one_of(st.integers(0, 12), st.integers(0, 60))


lived_in = st.tuples(counts, counts, counts, counts).filter(any)


@st.composite
def redrawn(draw):
    """A few spots where people live, and editions whose cells hold these spots in any way; ``None`` is in no cell."""
    spots = draw(st.lists(lived_in, min_size=1, max_size=6))
    cell = st.sampled_from(["a", "b", "c", None])
    editions = draw(st.lists(st.tuples(*[cell] * len(spots)), min_size=1, max_size=4))
    return spots, editions


def publish(spots, editions, cells=("a", "b", "c")):
    """Tell every edition in turn, each beside all before it: which keys each has told."""
    return publish_over_time([spots] * len(editions), editions, cells)


def publish_over_time(moments, editions, cells=("a", "b", "c")):
    """The same, where of each moment other people live at the spots."""
    made = []
    for at, (spots, now) in enumerate(zip(moments, editions, strict=True)):
        grains = defaultdict(lambda: dict.fromkeys(MEASURES, Figure(0)))
        true = {(name, measure): Figure(0) for name in (*cells, TOTAL) for measure in MEASURES}
        for spot, people in enumerate(spots):
            grain = tuple(edition[spot] for edition in (*editions[:at], now))
            held = {measure: sum(people[part] for part in parts) for measure, parts in PARTS.items()}
            grains[grain] = {name: Figure(grains[grain][name].value + held[name]) for name in MEASURES}
            for place in (now[spot], TOTAL) if now[spot] is not None else ():
                for name in MEASURES:
                    true[place, name] = Figure(true[place, name].value + held[name])
        hidden = hidden_beside(true, grains, [Earlier(told, kept) for told, kept in made], (), WITHIN)
        made.append((frozenset(true) - hidden, hidden))
    return [told for told, _ in made]


def vector(spots, chosen, measure):
    """Who is counted, by spot, age and sex: what is told is a sum of these."""
    row = np.zeros(4 * len(spots))
    row[[4 * spot + part for spot in chosen for part in PARTS[measure]]] = 1
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
    asked = [
        (chosen, measure)
        for number in range(1, len(spots) + 1)
        for chosen in combinations(range(len(spots)), number)
        for measure in MEASURES
    ]
    vectors = np.array([vector(spots, *one) for one in asked])
    known = np.isclose(vectors @ basis.T @ basis, vectors, atol=1e-7).all(axis=1)
    for (chosen, measure), is_known in zip(asked, known, strict=True):
        if is_known:
            yield chosen, measure, sum(spots[one][part] for one in chosen for part in PARTS[measure])


def of(old, young):
    """So many people at a spot, half of them men."""
    return old - old // 2, old // 2, young - young // 2, young // 2


@given(redrawn())
@example(([of(20, 20), of(1, 2), of(30, 30)], [("a", "a", "b"), ("a", "b", "b")]))  # a strip of three people changes its cell
@example(([of(40, 40), of(2, 3), of(30, 30)], [("a", "a", "b"), ("a", "c", "b")]))  # five people become a cell of their own
@example(([of(40, 0), of(3, 20), of(0, 40)], [("a", "b", "b"), ("a", "a", "b"), ("a", "b", "b")]))  # there and back
@example(([of(40, 40), of(12, 4)], [("a", None), ("a", "a")]))  # ground that joins the community
def test_no_difference_of_two_editions_isolates_few_people(case):
    """Somebody who has every file of every edition and takes each number for exact finds no count from one to nine, of any
    people, by adding and subtracting: neither of two cells, nor of sums of cells, nor over ages."""
    spots, editions = case
    small = [one for one in derivable(spots, editions, publish(spots, editions)) if 0 < one[2] < THRESHOLD]
    assert small == []


@given(redrawn(), st.data())
def test_each_publication_holds_by_itself_whoever_has_moved_in_between(case, data):
    """However many people came and went since other editions were told: what is told of an edition tells by itself nothing small."""
    spots, editions = case
    later = st.lists(lived_in, min_size=len(spots), max_size=len(spots))
    moments = [spots, *(data.draw(later) for _ in editions[1:])]
    for people, edition, told in zip(moments, editions, publish_over_time(moments, editions), strict=True):
        assert [one for one in derivable(people, [edition], [told]) if 0 < one[2] < THRESHOLD] == []


def test_a_border_that_moves_many_is_told():
    """A redraw is no reason to withhold: where what changes sides is a crowd itself, both cells are told under both editions."""
    spots = [of(40, 40), of(15, 15), of(50, 50)]
    first, second = publish(spots, [("a", "a", "b"), ("a", "b", "b")], cells=("a", "b"))
    assert first == second == {(name, measure) for name in ("a", "b", TOTAL) for measure in MEASURES}


def test_cells_that_were_withheld_are_told_when_they_become_one():
    """Two cells too small to be told become one that is large enough, and that is told."""
    spots = [of(6, 6), of(6, 7), of(40, 40)]
    first, second = publish(spots, [("a", "b", "c"), ("a", "a", "c")])
    assert ("a", "old") not in first and ("a", "old") in second and ("c", "old") in second


def test_what_was_withheld_of_a_cell_stays_withheld_under_another_border_around_the_same_people():
    """A border that moves over empty ground makes no other cell: who was withheld stays withheld."""
    first, second = publish([of(4, 20), of(50, 50)], [("a", "b"), ("c", "b")])
    assert ("a", "old") not in first and ("c", "old") not in second


def test_an_unchanged_edition_tells_what_the_one_before_told():
    """Publishing the same cells again, or going back to them, changes nothing."""
    spots = [of(40, 40), of(15, 15), of(6, 50)]
    told = publish(spots, [("a", "a", "b"), ("a", "a", "b"), ("a", "b", "b"), ("a", "a", "b")], cells=("a", "b"))
    assert told[0] == told[1] == told[3]


def test_an_outer_border_over_a_few_people_withholds_their_cell_and_the_sum_alone():
    """Three people leave the community with their ground: their cell and the sum of all cells are withheld, no other figure."""
    cells = tuple("abcdefgh")
    spots = [of(40 + number, 50) for number, _ in enumerate(cells)] + [of(1, 2)]
    for left, now in ((("a",), (None,)), ((None,), ("a",))):
        first, second = publish(spots, [cells + left, cells + now], cells)
        assert len(first) == len(second) + 2 * len(MEASURES) == 9 * len(MEASURES)
        assert {name for name, _ in first - second} == {"a", TOTAL}


def test_small_figures_elsewhere_do_not_spread_what_a_border_withholds():
    """A cell with few old people is withheld beside one other; three people who leave elsewhere withhold no third."""
    cells = tuple("abcdefgh")
    spots = [of(40 + number, 50) for number, _ in enumerate(cells[:-1])] + [of(4, 60), of(1, 2)]
    first, second = publish(spots, [(*cells, "a"), (*cells, None)], cells)
    assert ("h", "old") not in first
    assert {name for name, _ in first - second} == {"a", TOTAL}


def test_three_people_stay_unknown_where_borders_have_moved_everywhere():
    """However many borders have moved: three people who leave the community do not follow from two editions' sums of all cells."""
    side = range(22)
    spots = [of(10, 10) for _ in side for _ in side] + [of(1, 2)]
    rows = (*(f"r{row}" for row in side for _ in side), "r0")
    columns = (*(f"c{column}" for _ in side for column in side), None)
    first, second = publish(spots, [rows, columns], sorted({*rows, *columns} - {None}))
    assert (TOTAL, "all") in first and (TOTAL, "all") not in second
    assert len({name for name, _ in second}) == len(side) - 1


def test_what_was_told_once_is_known_though_it_was_withheld_later():
    """A cell told in one month and withheld in the next is not told with three people fewer under another border."""
    now, then = {"a": 40, "b": 50, TOTAL: 90}, {"a": 43, "b": 47, TOTAL: 90}
    grains = {
        (old, new): {"all": Figure(count)} for old, new, count in (("a", "a", 40), ("a", "b", 3), ("b", "b", 47))
    }
    keys = frozenset((cell, "all") for cell in then)
    earlier = [Earlier(keys, frozenset([("a", "all"), ("b", "all")]))]
    hidden = hidden_beside({(cell, "all"): Figure(count) for cell, count in now.items()}, grains, earlier, (), ())
    assert hidden == {("a", "all"), ("b", "all")}
