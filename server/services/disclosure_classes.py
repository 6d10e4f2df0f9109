"""What adding and subtracting told figures can single out, and what to withhold so that it is nothing small. Pure.

Of each measure people fall into classes: two grains are of one class where every told figure counts both or neither, be it told of
this measure or reckoned from others (residents less women are men). Whatever follows from told figures is made of whole classes.
So nothing small follows where no class is small, however many figures are added and subtracted, and that is seen by sorting.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations, product

import numpy as np
from numpy.typing import NDArray

from server.services.disclosure import DOMINANCE, THRESHOLD, Sum

Classes = NDArray[np.int64]
"""A number for each grain; 0 where nothing is told of it, neither alone nor together with others."""

Mask = NDArray[np.bool_]

Told = tuple[int, str]
"""A figure: the number of its cell, 0 for the sum of all cells; and its measure."""

Price = tuple[int, int, frozenset[Told]]
"""How many figures, how many people they count, which: what it costs that two grains fall into one class."""


def dense(codes: Classes) -> Classes:
    """Number classes from 1; code 0 stays 0."""
    found, numbers = np.unique(codes, return_inverse=True)
    return numbers.reshape(codes.shape) + (0 if len(found) and found[0] == 0 else 1)


def both(one: Classes, other: Classes) -> Classes:
    """Classes of who can add and subtract what is known by one and by the other."""
    return dense(one * (int(other.max(initial=0)) + 1) + other)


def shared(one: Classes, other: Classes) -> Classes:
    """Classes of what is known by one as well as by the other: chains of classes that overlap are one class."""
    low = one
    while True:
        found = _least(one, _least(other, low))
        if np.array_equal(found, low):
            return dense(low)
        low = found


def _least(classes: Classes, of: Classes) -> Classes:
    least = np.full(int(classes.max(initial=0)) + 1, np.iinfo(np.int64).max)
    least[0] = 0
    np.minimum.at(least, classes, of)
    return least[classes]


@dataclass(frozen=True, slots=True)
class Side:
    """Some parts of a sum and all its other members; where it is known what each side makes, it is the same."""

    at: int
    parts: tuple[str, ...]
    others: tuple[str, ...]


def joint_parts(sums: Sequence[Sum]) -> dict[str, tuple[Side, ...]]:
    """Parts that are known together when all others are told: of a sum, or of one and of another that is a part of it.

    By a name the sums in which each has to follow; the parts of all sides together are what is known.
    """
    single = [
        Side(at, some, tuple(name for name in one.members if name not in some))
        for at, one in enumerate(sums)
        for number in range(1, len(one.parts))
        for some in combinations(one.parts, number)
    ]
    found: list[tuple[Side, ...]] = [(side,) for side in single if len(side.parts) > 1]
    for outer, inner in product(single, single):
        link = sums[inner.at].total
        if link in outer.others and link in sums[outer.at].parts:
            outside = Side(outer.at, outer.parts, tuple(name for name in outer.others if name != link))
            found.append((outside, Side(inner.at, inner.parts, tuple(name for name in inner.others if name != link))))
    return {" + ".join(name for side in sides for name in side.parts): sides for sides in found}


@dataclass(slots=True)
class Table:
    """Figures of the cells of one edition as they are about to be told, beside what is known already.

    ``cell`` is the number of each grain's cell, 0 in none; ``known`` by measure the classes by what is out; ``shown`` by measure
    the numbers of what is told anew; ``values`` and ``largest`` by measure, or parts together, the people of each grain; ``sums`` hold
    in every place and may not hang together in rings.
    """

    sums: Sequence[Sum]
    cell: Classes
    known: Mapping[str, Classes]
    values: Mapping[str, Classes]
    largest: Mapping[str, Classes]
    counts: Mapping[Told, int]
    shown: dict[str, set[int]]
    joint: Mapping[str, tuple[Side, ...]]
    _reckoned: dict[tuple[int, tuple[str, ...]], Classes] = field(init=False, default_factory=dict)
    _own: dict[str, Classes] = field(init=False, default_factory=dict)
    _made: dict[str, Classes] = field(init=False, default_factory=dict)

    def withhold(self, figures: Iterable[Told]) -> None:
        """Take figures out of what is told."""
        hanging = {name for one in self.sums for name in one.members}
        for number, measure in figures:
            self.shown[measure].discard(number)
            self._own.pop(measure, None)
            if measure in hanging:
                self._reckoned.clear()
                for name in (*hanging, *self.joint):
                    self._made.pop(name, None)
            self._made.pop(measure, None)

    def classes(self, measure: str) -> Classes:
        """What of a measure, or of parts together, can be told apart."""
        found = self._made.get(measure)
        if found is None and measure in self.joint:
            first, *others = (both(self._of_all(one.at, one.parts), self._of_all(one.at, one.others)) for one in self.joint[measure])
            for other in others:
                first = shared(first, other)
            found = first
        elif found is None:
            found = self._but_for(measure, -1)
        self._made[measure] = found
        return found

    def _rest(self, at: int, parts: Sequence[str]) -> tuple[str, ...]:
        return tuple(one for one in self.sums[at].members if one not in parts)

    def _of_all(self, at: int, measures: tuple[str, ...]) -> Classes:
        """What is known of each of these measures of a sum without it."""
        found = self._reckoned.get((at, measures))
        if found is None:
            first, *others = (self._but_for(one, at) for one in measures)
            for other in others:
                first = shared(first, other)
            found = self._reckoned[at, measures] = first
        return found

    def _but_for(self, measure: str, without: int) -> Classes:
        found = self._told(measure)
        for at, one in enumerate(self.sums):
            if at != without and measure in one.members:
                found = both(found, self._of_all(at, self._rest(at, (measure,))))
        return found

    def _told(self, measure: str) -> Classes:
        found = self._own.get(measure)
        if found is None:
            shown = np.zeros(int(self.cell.max(initial=0)) + 1, dtype=bool)
            shown[[one for one in self.shown[measure] if one]] = True
            cells = np.where(shown[self.cell], self.cell, 0)
            in_all = (self.cell > 0) & (0 in self.shown[measure])
            found = self._own[measure] = dense((self.known[measure] * len(shown) + cells) * 2 + in_all)
        return found

    def price(self, measure: str, one: int, other: int) -> Price | None:
        """What to withhold so that two grains can no more be told apart; None where what is out tells them apart.

        ``other`` -1 stands for nobody: so that of ``one`` nothing is known.
        """
        if measure not in self.joint:
            return self._price(measure, one, other, -1)
        ways = [
            self._priced([self._cheapest(side.at, members, one, other) for members in (side.parts, side.others)])
            for side in self.joint[measure]
        ]
        return min((way for way in ways if way is not None), key=cheapest, default=None)

    def _price(self, measure: str, one: int, other: int, without: int) -> Price | None:
        apart = self.apart(measure, one, other)
        if apart is None:
            return None
        found: list[Price | None] = [self._priced_of({(number, measure) for number in apart})]
        for at, each in enumerate(self.sums):
            if at != without and measure in each.members:
                found.append(self._cheapest(at, self._rest(at, (measure,)), one, other))
        return self._priced(found)

    def _cheapest(self, at: int, measures: tuple[str, ...], one: int, other: int) -> Price | None:
        """The same for what is known of each of these measures of a sum without it: one that does not tell them apart will do."""
        classes = self._of_all(at, measures)
        if classes[one] == (classes[other] if other >= 0 else 0):
            return self._priced_of(set())
        return min((way for by in measures if (way := self._price(by, one, other, at)) is not None), key=cheapest, default=None)

    def _priced(self, found: Sequence[Price | None]) -> Price | None:
        together: set[Told] = set()
        for one in found:
            if one is None:
                return None
            together |= one[2]
        return self._priced_of(together)

    def _priced_of(self, figures: set[Told]) -> Price:
        return len(figures), sum(self.counts[figure] for figure in figures), frozenset(figures)

    def apart(self, measure: str, one: int, other: int) -> set[int] | None:
        """What is told of a measure itself that counts one of two grains alone; None where what is out does."""
        mine, known = self._figures(measure, one)
        theirs, known_too = self._figures(measure, other)
        return mine ^ theirs if known == known_too else None

    def _figures(self, measure: str, grain: int) -> tuple[set[int], int]:
        if grain < 0:
            return set(), 0
        cell = int(self.cell[grain])
        return {number for number in (cell, 0) if cell and number in self.shown[measure]}, int(self.known[measure][grain])

    def is_small(self, measure: str, classes: Classes) -> list[int]:
        """Numbers of the classes whose people may not be known as one sum."""
        size = int(classes.max(initial=0)) + 1
        values = np.bincount(classes, self.values[measure], size)
        largest = np.zeros(size)
        np.maximum.at(largest, classes, self.largest[measure])
        small = (values < THRESHOLD) | (largest > DOMINANCE * values)
        small[0] = False
        return [int(one) for one in np.unique(classes[small[classes]])]


def cheapest(price: Price) -> tuple[int, int, list[Told]]:
    """Fewer figures first, then such that count fewer people."""
    return price[0], price[1], sorted(price[2])


def follows(classes: Classes, region: Mask) -> bool:
    """Whether the people of a region are whole classes of which something is known."""
    return not np.isin(classes[~region], classes[region]).any() and bool(classes[region].all())


def settle(table: Table, out: Mapping[str, Sequence[Mask]], guarded: Mapping[str, Sequence[Mask]]) -> None:
    """Withhold figures until no class is small and nothing that is withheld follows, but for what is out already.

    Parameters
    ----------
    table : changed in place: what is still ``shown`` may be told
    out : by measure the regions of which a figure is out and not shown anew
    guarded : by measure the regions of which a figure was withheld; what the table withholds is guarded too
    """
    bare = replace(table, shown={measure: set() for measure in table.shown})
    before = {measure: bare.classes(measure) for measure in (*table.shown, *table.joint)}
    whole = {measure: list(table.shown[measure]) for measure in table.shown}
    settled: set[tuple[str, bytes]] = set()
    while True:
        exposed = next(_exposed(table, before, whole, guarded, settled), None)
        if exposed is None:
            return
        measure, region = exposed
        if follows(before[measure], region):  # of what is out; only people who have moved since make that small
            settled.add((measure, region.tobytes()))
            if measure in out and not _is_sum(out[measure], region):
                table.withhold(_touching(table, region))
        else:
            table.withhold(_cheapest_way(table, measure, region))


def _exposed(
    table: Table, before: Mapping[str, Classes], whole: Mapping[str, Sequence[int]], guarded: Mapping[str, Sequence[Mask]],
    settled: set[tuple[str, bytes]],
) -> Iterator[tuple[str, Mask]]:  # fmt: skip
    """Measures and regions that may not be known and are."""
    for measure in (*table.shown, *table.joint):
        classes = table.classes(measure)
        for one in table.is_small(measure, classes):
            region = classes == one
            if (measure, region.tobytes()) not in settled:
                yield measure, region
    for measure, shown in table.shown.items():
        classes = table.classes(measure)
        hidden = [table.cell == number if number else table.cell > 0 for number in whole[measure] if number not in shown]
        for region in [*guarded[measure], *hidden]:
            if follows(classes, region) and not follows(before[measure], region):
                yield measure, region


def _cheapest_way(table: Table, measure: str, region: Mask) -> Iterable[Told]:
    """The fewest figures without which a region is no sum of whole classes; of these, such that count few people."""
    classes = table.classes(measure)
    _, firsts = np.unique(classes, return_index=True)
    inside = [int(one) for one in firsts if region[one]]
    outside = [-1, *(int(one) for one in firsts if not region[one])]
    best: Price | None = None
    for one, other in product(inside, outside):
        apart = set() if measure in table.joint else table.apart(measure, one, other)
        if apart is None or (best is not None and len(apart) > best[0]):
            continue
        found = table.price(measure, one, other)
        if found is not None and (best is None or cheapest(found) < cheapest(best)):
            best = found
    if best is not None and best[2]:
        return best[2]
    # Told apart by others on the way: one figure after another, its own measure first.
    near = _touching(table, region) or [(number, by) for by, shown in table.shown.items() for number in shown]
    return sorted(near, key=lambda one: (one[1] != measure, table.counts[one], one))[:1]


def _touching(table: Table, region: Mask) -> list[Told]:
    """What is told anew of people of a region."""
    cells = {0, *(int(one) for one in np.unique(table.cell[region]))}
    return [(number, measure) for measure, shown in table.shown.items() for number in shown & cells]


def _is_sum(told: Sequence[Mask], region: Mask) -> bool:
    """Whether a region is a sum or difference of told regions."""
    if not told:
        return False
    rows = np.array(told, dtype=float).T
    wanted = region.astype(float)
    solved = np.linalg.lstsq(rows, wanted, rcond=None)[0]
    return bool(np.allclose(rows @ solved, wanted, atol=1e-7))
