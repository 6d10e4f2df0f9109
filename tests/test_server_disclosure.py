from __future__ import annotations

from fractions import Fraction

from hypothesis import assume, given
from hypothesis import strategies as st

from server.services.disclosure import BASE, DOMINANCE, THRESHOLD, Figure, Sum, rounded
from server.services.disclosure_editions import TOTAL, hidden_beside
from server.services.figures import MEASURES, WITHIN

SECRET = b"a made-up key"


# Ages make everybody, and so do the sexes; the oldest make a part of the old.
PARTS = {
    "all": [(age, sex) for age in range(3) for sex in "mf"],
    "young": [(0, sex) for sex in "mf"], "old": [(age, sex) for age in (1, 2) for sex in "mf"],
    "from 60": [(1, sex) for sex in "mf"], "from 80": [(2, sex) for sex in "mf"],
    "men": [(age, "m") for age in range(3)], "women": [(age, "f") for age in range(3)],
}  # fmt: skip
WITHIN_AGES = (Sum("all", ("young", "old")), Sum("all", ("men", "women")), Sum("old", ("from 60", "from 80")))


@st.composite
def tables(draw, safe=False):
    """Cells by groups with all their totals: what a community's figures look like, of any size and sparseness.

    Figures by cell (or TOTAL) and group, and how the groups hang together: freely drawn ones, or ages and sexes.
    """
    counts = st.integers(THRESHOLD, 600) if safe else st.one_of(st.just(0), st.integers(0, 30), st.integers(0, 600))
    figures = {}
    rows = [f"cell {row}" for row in range(draw(st.integers(1, 6)))]
    by_age = draw(st.booleans())
    columns = list(PARTS["all"]) if by_age else [f"group {one}" for one in range(draw(st.integers(1, 4)))]
    for row in rows:
        for column in columns:
            value = draw(counts)
            largest = draw(st.integers(0, value)) if not safe and draw(st.booleans()) else min(1, value)
            figures[row, column] = Figure(value, max(largest, min(1, value)))
    groups = PARTS if by_age else {"all": columns} | {column: [column] for column in columns}
    within = WITHIN_AGES if by_age else (Sum("all", tuple(columns)),)
    made = {(row, name): _together([figures[row, part] for part in parts]) for row in rows for name, parts in groups.items()}
    return _with_total(made), within


def _together(found):
    return Figure(sum(one.value for one in found), max(one.largest for one in found))


def _with_total(figures):
    """The same with the sums of all cells."""
    groups = {name for _, name in figures}
    return figures | {(TOTAL, name): _together([one for (_, by), one in figures.items() if by == name]) for name in groups}


def sums_of(figures, within):
    """Everything that is known of how the figures hang together: keys and the key of their sum."""
    cells = sorted({cell for cell, _ in figures})
    groups = sorted({name for _, name in figures})
    across = [((TOTAL, name), [(cell, name) for cell in cells if cell != TOTAL]) for name in groups]
    return across + [((cell, one.total), [(cell, part) for part in one.parts]) for one in within for cell in cells]


def withheld(figures, within, before=()):
    """What is withheld, but for what nobody doubts: cells where nobody lives."""
    grains = {
        (cell,): {name: each for (by, name), each in figures.items() if by == cell}
        for cell, name in figures
        if name == "all" and cell != TOTAL and figures[cell, name].value
    }
    return hidden_beside(figures, grains, [], before, within)


def nobody(figures):
    return {key for key in figures if figures[key[0], "all"].value == 0}


def known_to_an_attacker(figures, sums, hidden):
    """Every withheld figure that follows from what is told exactly and from all sums: elimination over fractions."""
    unknown = sorted(hidden, key=repr)
    rows = []
    for total, parts in sums:
        coefficients = dict.fromkeys(unknown, 0)
        value = 0
        for key, sign in [(total, -1), *((part, 1) for part in parts)]:
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
    figures, within = table
    told = set(figures) - withheld(figures, within)
    assert [key for key in told if risky(figures[key])] == []


@given(tables())
def test_no_withheld_figure_follows_from_the_sums(table):
    """Somebody who knows every told figure exactly and solves all sums together learns no withheld one."""
    figures, within = table
    hidden = withheld(figures, within) - nobody(figures)
    assert known_to_an_attacker(figures, sums_of(figures, within), hidden) == {}


@given(tables())
def test_what_is_left_of_a_told_total_is_not_small_either(table):
    """The withheld figures of one sum, known together from its total, pass the threshold and have no dominant one."""
    figures, within = table
    hidden = withheld(figures, within) - nobody(figures)
    # A part that is a sum itself may be withheld while some of its parts are told: then these are taken off.
    flat = [Sum("all", ("young", "from 60", "from 80"))] if within == WITHIN_AGES else []
    for total, parts in sums_of(figures, (*within, *flat)):
        left = [figures[part] for part in parts if part in hidden]
        if left and total not in hidden:
            assert len(left) > 1 and not risky(_together(left)), total


def test_parts_of_parts_are_not_left_alone_either():
    """Three children and two from 60 to 79 are not known as five where all, the others and the oldest are told."""

    def cell(children, others, old, oldest):
        everybody = children + others + old + oldest
        counts = {"resident_person_count": everybody, "age_0_14": children, "age_15_59": others, "age_60_up": old + oldest}
        counts |= {"age_60_79": old, "age_80_up": oldest, "male": everybody // 2, "female": everybody - everybody // 2}
        return {name: Figure(count) for name, count in counts.items()}

    cells = {"a": cell(3, 143, 2, 90), "b": cell(175, 83, 26, 35), "c": cell(1, 191, 4, 2)}
    figures = _with_total({(name, group): each for name, one in cells.items() for group, each in one.items()})
    hidden = hidden_beside(figures, {(name,): one for name, one in cells.items()}, [], (), WITHIN)
    assert {("a", "age_0_14"), ("a", "age_60_79")} <= hidden
    assert hidden & {("a", "resident_person_count"), ("a", "age_15_59"), ("a", "age_80_up")}


@given(tables(), st.randoms(use_true_random=False))
def test_two_files_together_tell_no_more(table, chance):
    """A later file withholds whatever an earlier one of the same cells has withheld: none fills the gaps of another."""
    figures, within = table
    first = withheld(figures, within)
    moved = {
        key: Figure(max(0, figure.value + chance.randint(-12, 12)), figure.largest)
        for key, figure in figures.items()
        if key[0] != TOTAL and key[1] not in {one.total for one in within} | {"men", "women"}
    }
    later = dict(moved)
    for one in reversed(within):
        for cell in {cell for cell, _ in moved}:
            if one.parts == ("men", "women"):
                women = min(figures[cell, "women"].value, later[cell, "young"].value)
                later[cell, "women"] = Figure(women, min(women, 1))
                everybody = later[cell, "young"].value + later[cell, "old"].value
                later[cell, "men"] = Figure(everybody - women, 1)
            else:
                later[cell, one.total] = _together([later[cell, part] for part in one.parts])
    later = _with_total(later)
    assume(not nobody(figures) and not nobody(later))
    second = withheld(later, within, first)
    assert first <= second
    # Who takes all cells that both tell for unchanged solves both files as one: still nothing.
    assert known_to_an_attacker(figures, sums_of(figures, within), second) == {}


@given(tables(safe=True))
def test_a_table_without_risk_is_told_whole(table):
    """Nothing is withheld without a reason."""
    figures, within = table
    assert withheld(figures, within) == frozenset()


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
    """Ages and sexes make the residents, in every cell and in all; no sum leads back to itself by others."""
    assert {name for one in WITHIN for name in one.members} < set(MEASURES)
    assert Sum("resident_person_count", ("male", "female")) in WITHIN
    # A tree has one edge fewer than nodes: sums and measures are nodes, membership an edge.
    members = [name for one in WITHIN for name in one.members]
    assert len(members) == len(set(members)) + len(WITHIN) - 1
