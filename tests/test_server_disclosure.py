from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from server.services.disclosure import BASE, DOMINANCE, THRESHOLD, Figure, Sum, rounded, withheld
from server.services.figures import MEASURES, TOTAL, sums_of

SECRET = b"a made-up key"


@st.composite
def tables(draw, safe=False):
    """Cells by groups with all their totals: what a community's figures look like, of any size and sparseness."""
    rows, columns = draw(st.integers(1, 6)), draw(st.integers(1, 4))
    figures = {}
    for row in range(rows):
        for column in range(columns):
            value = draw(
                st.integers(THRESHOLD, 600) if safe else st.one_of(st.just(0), st.integers(0, 30), st.integers(0, 600))
            )
            largest = draw(st.integers(0, value)) if not safe and draw(st.booleans()) else min(1, value)
            figures[row, column] = Figure(value, max(largest, min(1, value)))
    sums = []
    for row in range(rows):
        sums.append(_total(figures, (row, "all"), [(row, column) for column in range(columns)]))
    for column in [*range(columns), "all"]:
        sums.append(_total(figures, ("all", column), [(row, column) for row in range(rows)]))
    sums.append(Sum(("all", "all"), tuple(("all", column) for column in range(columns))))
    return figures, sums


def _total(figures, key, parts):
    found = [figures[part] for part in parts]
    figures[key] = Figure(sum(one.value for one in found), max(one.largest for one in found))
    return Sum(key, tuple(parts))


def known_to_an_attacker(figures, sums, hidden):
    """Every withheld figure that follows from what is told exactly and from all sums: elimination over fractions."""
    unknown = sorted(hidden, key=repr)
    rows = []
    for one in sums:
        coefficients = dict.fromkeys(unknown, 0)
        value = 0
        for key, sign in [(one.total, -1), *((part, 1) for part in one.parts)]:
            if key in hidden:
                coefficients[key] += sign
            else:
                value -= sign * figures[key].value
        rows.append([Fraction(coefficients[key]) for key in unknown] + [Fraction(value)])
    pivots, height = [], 0
    for column in range(len(unknown)):
        found = next((n for n in range(height, len(rows)) if rows[n][column]), None)
        if found is None:
            continue
        rows[height], rows[found] = rows[found], rows[height]
        rows[height] = [value / rows[height][column] for value in rows[height]]
        for n, row in enumerate(rows):
            if n != height and row[column]:
                rows[n] = [a - row[column] * b for a, b in zip(row, rows[height], strict=True)]
        pivots.append(column)
        height += 1
    solved = {}
    for row, column in zip(rows, pivots, strict=False):
        if not any(row[other] for other in range(len(unknown)) if other != column):
            solved[unknown[column]] = row[-1]
    return solved


def risky(figure):
    return figure.value < THRESHOLD or figure.largest > DOMINANCE * figure.value


@given(tables())
def test_nothing_small_or_dominated_is_told(table):
    """No figure that is told has fewer than ten behind it, or one who makes up nearly all of it."""
    figures, sums = table
    told = set(figures) - withheld(figures, sums)
    assert [key for key in told if risky(figures[key])] == []


@given(tables())
def test_no_withheld_figure_follows_from_the_sums(table):
    """Somebody who knows every told figure exactly and solves all sums together learns no withheld one."""
    figures, sums = table
    hidden = withheld(figures, sums)
    assert known_to_an_attacker(figures, sums, hidden) == {}


@given(tables())
def test_what_is_left_of_a_told_total_is_not_small_either(table):
    """The withheld figures of one sum, known together from its total, pass the threshold and have no dominant one."""
    figures, sums = table
    hidden = withheld(figures, sums)
    for one in sums:
        left = [figures[part] for part in one.parts if part in hidden]
        if left and one.total not in hidden:
            together = Figure(sum(each.value for each in left), max(each.largest for each in left))
            assert len(left) > 1 and not risky(together), one


@given(tables(), st.randoms(use_true_random=False))
def test_two_files_together_tell_no_more(table, chance):
    """A later file withholds whatever an earlier one of the same cells has withheld: none fills the gaps of another."""
    figures, sums = table
    first = withheld(figures, sums)
    later = {
        key: Figure(max(0, figure.value + chance.randint(-12, 12)), figure.largest)
        for key, figure in figures.items()
        if "all" not in key
    }
    for one in sums[:-1]:
        _total(later, one.total, one.parts)
    second = withheld(later, sums, first)
    assert first <= second
    # Who takes all cells that both tell for unchanged solves both files as one: still nothing.
    assert known_to_an_attacker(figures, sums, second) == {}


@given(tables(safe=True))
def test_a_table_without_risk_is_told_whole(table):
    """Nothing is withheld without a reason."""
    figures, sums = table
    assert withheld(figures, sums) == frozenset()


@given(st.integers(THRESHOLD, 100_000), st.text(max_size=20))
def test_rounding_is_kept(value, name):
    """The same count of the same place is told alike in every file, by a multiple of five near it, never below ten."""
    told = rounded(SECRET, name, value)
    assert told == rounded(SECRET, name, value)
    assert told % BASE == 0 and abs(told - value) < BASE and told >= THRESHOLD


def test_rounding_favours_nobody():
    """Over many places the told counts add up to the true ones, and whoever lacks the key cannot say which way one goes."""
    for value in (11, 12, 13, 14, 15):
        told = [rounded(SECRET, f"cell-{n}", value) for n in range(4_000)]
        assert abs(sum(told) / len(told) - value) < 0.2
    ways = [rounded(key, "cell-1", 12) for key in (bytes([n]) for n in range(200))]
    assert set(ways) == {10, 15}


@given(st.integers(30, 500), st.integers(-4, 4), st.text(max_size=10))
def test_the_difference_of_two_files_does_not_say_by_how_many(value, change, name):
    """Two files told from counts a few apart differ by a multiple of five, and always in a way that other changes give too."""
    before, after = rounded(SECRET, name, value), rounded(SECRET, name, value + change)
    difference = after - before
    # Every true pair within reach of the two told numbers; the attacker cannot exclude any of them without the key.
    possible = {b - a for a in range(before - 4, before + 5) for b in range(after - 4, after + 5)}
    assert change in possible and len(possible) >= 9
    assert difference % BASE == 0


def test_the_sums_of_a_community_hold():
    """Cells make the community, ages and sexes make the residents, in every cell and in all."""
    sums = sums_of(["a", "b"])
    keys = {key for one in sums for key in (one.total, *one.parts)}
    assert keys == {(cell, measure) for cell in ("a", "b", TOTAL) for measure in MEASURES}
    assert Sum((TOTAL, "male"), (("a", "male"), ("b", "male"))) in sums
    assert Sum(("a", "resident_person_count"), (("a", "male"), ("a", "female"))) in sums
