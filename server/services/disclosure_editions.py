"""Which figures of an edition may be told beside what other editions have told: no border that moves undoes a suppression. Pure.

People are taken in grains: those who stand in the same cell under every edition of which anything was told. Every cell of every
edition is a set of grains, and what is known of one is known of it under every name. Whoever subtracts figures of any two
files, or sums of them, gets sums of grains; which of these, `disclosure_classes` says.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from server.services.disclosure import Figure, Sum, is_risky
from server.services.disclosure_classes import Classes, Mask, Table, dense, joint_parts, settle

TOTAL = "~total"
"""Stands for the sum of all cells."""

Key = tuple[str, str]  # cell id or TOTAL, measure

Grain = tuple[str | None, ...]
"""The cell under each earlier edition, None in none of its cells, and last under the edition that is told now."""

Region = frozenset[Grain]


@dataclass(frozen=True, slots=True)
class Earlier:
    """What was told at least once of another edition, by its cells, and what was withheld at least once."""

    told: frozenset[Key]
    hidden: frozenset[Key]


@dataclass(slots=True)
class Ground:
    """Every cell of every edition as what stands in it; one without people is in none of these.

    ``names`` are the cells of now that hold just the people of a region, the sum of all cells among them; ``earlier`` the regions of
    each earlier edition by its cells.
    """

    places: Mapping[str, Region]
    names: dict[Region, list[str]] = field(default_factory=dict)
    earlier: list[dict[str, Region]] = field(default_factory=list)


def ground_of(grains: Iterable[Grain], editions: int) -> Ground:
    """What stands where under the edition of now and so many earlier ones."""
    known = list(grains)
    ground = Ground(_regions(known, -1), earlier=[_regions(known, at) for at in range(editions)])
    for name, region in ground.places.items():
        ground.names.setdefault(region, []).append(name)
    return ground


def _regions(grains: Iterable[Grain], at: int) -> dict[str, Region]:
    """Cells of one edition with what stands in them, and their sum."""
    found: dict[str, set[Grain]] = defaultdict(set)
    for grain in grains:
        cell = grain[at]
        if cell is not None:
            found[cell].add(grain)
    made = {name: frozenset(region) for name, region in sorted(found.items())}
    return made | {TOTAL: frozenset().union(*made.values())} if made else made


def hidden_beside(
    true: Mapping[Key, Figure],
    grains: Mapping[Grain, Mapping[str, Figure]],
    earlier: Sequence[Earlier],
    before: Collection[Key],
    within: Sequence[Sum],
) -> frozenset[Key]:
    """Which figures of the edition that is told now are withheld.

    Parameters
    ----------
    true : its figures as they are, every cell and the total
    grains : the same people by grain, and who stands in a cell of an earlier edition alone
    earlier : what other editions have told, in the order of the grains
    before : what earlier publications of this edition have withheld
    within : how the measures of one place hang together: no rings

    Returns
    -------
    frozenset
        What fails threshold or dominance, what was withheld before of the same people, and so much more that neither by this
        edition alone nor together with everything that is out anything of these follows, nor anybody's count that fails them.
    """
    ground = ground_of(grains, len(earlier))
    # That a cell holds nobody is seen from its buildings: a withheld none is no doubt about what is withheld beside it.
    empty = frozenset(key for key in true if key[0] not in ground.places)
    out: dict[str, set[Region]] = defaultdict(set)
    never_withheld: dict[str, set[Region]] = defaultdict(set)
    guarded: dict[str, set[Region]] = defaultdict(set)
    for regions, one in zip(ground.earlier, earlier, strict=True):
        for keys, into in ((one.told, out), (one.told - one.hidden, never_withheld), (one.hidden, guarded)):
            for cell, measure in keys:
                if cell in regions:
                    into[measure].add(regions[cell])
    hidden = {key for key, figure in true.items() if key in before or is_risky([figure])}
    for measure, some in guarded.items():
        # Under another name it may be out: as the sum of a community of one cell.
        hidden |= {(name, measure) for region in some - never_withheld[measure] for name in ground.names.get(region, [])}
    hidden |= empty
    if len(hidden) < len(true):
        facts = _Facts(true, grains, ground, within)
        while True:
            found = facts.hidden(hidden, earlier, out, guarded)
            if earlier:
                found = facts.hidden(found, [], {}, {})
            if found == hidden:
                break
            hidden = found
    return frozenset(hidden)


class _Facts:
    """Grains and figures as numbers."""

    def __init__(
        self, true: Mapping[Key, Figure], grains: Mapping[Grain, Mapping[str, Figure]], ground: Ground, within: Sequence[Sum]
    ) -> None:
        self.ground, self.within = ground, within
        self.grains = sorted(grains, key=repr)
        self.at = {grain: number for number, grain in enumerate(self.grains)}
        self.measures = sorted({measure for _, measure in true})
        none = Figure(0, 0)
        found = {one: [grains[grain].get(one, none) for grain in self.grains] for one in self.measures}
        self.values = {one: np.array([each.value for each in found[one]]) for one in self.measures}
        self.largest = {one: np.array([each.largest for each in found[one]]) for one in self.measures}
        self.joint = joint_parts(within)
        for one, sides in self.joint.items():
            parts = [part for side in sides for part in side.parts]
            self.values[one] = sum((self.values[part] for part in parts), np.zeros(len(grains), dtype=np.int64))
            self.largest[one] = np.maximum.reduce([self.largest[part] for part in parts])
        self.names, self.cells = self._numbered(-1)
        self.counts = {(at, one): true[name, one].value for at, name in enumerate(self.names) for one in self.measures}

    def _numbered(self, at: int) -> tuple[list[str], Classes]:
        """The cells of an edition, after their sum, and by number the cell of each grain; 0 is none."""
        names = [TOTAL, *sorted({cell for grain in self.grains if (cell := grain[at]) is not None})]
        number = {None: 0} | {name: index for index, name in enumerate(names) if index}
        return names, np.array([number[grain[at]] for grain in self.grains])

    def hidden(
        self, hidden: set[Key], earlier: Sequence[Earlier],
        out: Mapping[str, Collection[Region]], guarded: Mapping[str, Collection[Region]],
    ) -> set[Key]:  # fmt: skip
        """What is withheld, and what must be beside it for the sake of all that is out."""
        places = self.ground.places
        told: dict[str, set[int]] = {
            measure: {
                number for number, name in enumerate(self.names)
                if (name, measure) not in hidden and places[name] not in out.get(measure, ())
            }
            for measure in self.measures
        }  # fmt: skip
        shown = {measure: set(numbers) for measure, numbers in told.items()}
        table = Table(self.within, self.cells, self._known(earlier), self.values, self.largest, self.counts, shown, self.joint)
        secret = {measure: set(guarded.get(measure, ())) for measure in self.measures}
        for name, measure in hidden:
            secret[measure] |= {places[name]} if name in places else set()
        settle(
            table,
            {measure: self._masks(out.get(measure, ())) for measure in self.measures},
            {measure: self._masks(regions) for measure, regions in secret.items()},
        )
        return hidden | {(self.names[one], measure) for measure, numbers in told.items() for one in numbers - shown[measure]}

    def _known(self, earlier: Sequence[Earlier]) -> dict[str, Classes]:
        """By measure the classes of grains by what other editions have told."""
        known: dict[str, Classes] = {measure: np.zeros(len(self.grains), dtype=np.int64) for measure in self.measures}
        for at, one in enumerate(earlier):
            names, cells = self._numbered(at)
            for measure, classes in known.items():
                is_told = np.array([(name, measure) in one.told for name in names])
                in_cell = np.where(is_told[cells], cells, 0)
                known[measure] = dense((classes * len(names) + in_cell) * 2 + ((cells > 0) & is_told[0]))
        return known

    def _masks(self, regions: Iterable[Region]) -> list[Mask]:
        made = []
        for numbers in sorted(sorted(self.at[grain] for grain in region) for region in regions):
            mask = np.zeros(len(self.grains), dtype=bool)
            mask[numbers] = True
            made.append(mask)
        return made
