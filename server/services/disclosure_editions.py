"""Which figures of an edition may be told beside what other editions have told: no border that moves undoes a suppression. Pure.

People are taken in grains: those who stand in the same cell under every edition of which anything was told. Every cell of every
edition is a set of grains, and what is known of one is known of it under every name. Whoever subtracts figures of any two
files, or sums of them, gets sums of grains.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from server.services.disclosure import Figure, Sum, is_risky, withheld

TOTAL = "~total"
"""Stands for the sum of all cells."""

MOST_GRAINS = 400
"""So many are solved together; where borders have moved more than that, no cell with another ground is told anything of."""

Key = tuple[str, str]  # cell id or TOTAL, measure

Grain = tuple[str | None, ...]
"""The cell under each earlier edition, None in none of its cells, and last under the edition that is told now."""

Region = frozenset[Grain]


@dataclass(frozen=True, slots=True)
class Earlier:
    """What was told of another edition, by its cells; ``hidden`` was withheld at least once and counts as never told."""

    told: frozenset[Key]
    hidden: frozenset[Key]


@dataclass(slots=True)
class Ground:
    """Every cell of every edition as what stands in it.

    ``names`` are those of a region; of several the first speaks. A region without people has none. ``sums`` are those of
    cells and of grains; ``earlier`` the regions of each earlier edition by its cells.
    """

    grains: Mapping[Grain, Mapping[str, Figure]]
    names: dict[Region, list[str]] = field(default_factory=dict)
    places: dict[str, Region] = field(default_factory=dict)
    now: frozenset[str] = frozenset()
    earlier: list[dict[str, Region]] = field(default_factory=list)

    def figure(self, region: Iterable[Grain], measure: str) -> Figure:
        """What stands in a region; who lives in two grains of it counts by the larger."""
        found = [self.grains[one].get(measure, Figure(0, 0)) for one in region]
        return Figure(sum(one.value for one in found), max((one.largest for one in found), default=0))

    def name(self, region: Region) -> str:
        """The name that speaks for a region."""
        return self.names[region][0]


def ground_of(grains: Mapping[Grain, Mapping[str, Figure]], cells: Sequence[str], editions: int) -> Ground:
    """Name what stands where: the cells of now, then those of earlier editions that are nothing of these, then single grains."""
    ground = Ground(grains, now=frozenset([*cells, TOTAL]))
    for name, region in _regions(grains, -1).items():
        _named(ground, region, name)
    for at in range(editions):
        regions = _regions(grains, at)
        ground.earlier.append(regions)
        for name, region in regions.items():
            if region not in ground.names:
                _named(ground, region, f"{at}/{name}")
    for number, grain in enumerate(sorted(grains, key=repr)):
        alone = frozenset([grain])
        if alone not in ground.names and any(one is not None for one in grain):
            _named(ground, alone, f"~grain/{number}")
    return ground


def _regions(grains: Iterable[Grain], at: int) -> dict[str, Region]:
    """Cells of one edition with what stands in them, and their sum; cells first, so that one that is all speaks for it."""
    found: dict[str, set[Grain]] = defaultdict(set)
    for grain in grains:
        cell = grain[at]
        if cell is not None:
            found[cell].add(grain)
    made = {name: frozenset(region) for name, region in sorted(found.items())}
    return made | {TOTAL: frozenset().union(*made.values())} if made else made


def _named(ground: Ground, region: Region, name: str) -> None:
    ground.names.setdefault(region, []).append(name)
    ground.places[name] = region


def hidden_beside(
    true: Mapping[Key, Figure],
    grains: Mapping[Grain, Mapping[str, Figure]],
    earlier: Sequence[Earlier],
    before: Collection[Key],
    sums_of: Callable[[list[str]], list[Sum]],
    within: Callable[[str], list[Sum]],
) -> frozenset[Key]:
    """Which figures of the edition that is told now are withheld.

    Parameters
    ----------
    true : its figures as they are, every cell and the total
    grains : the same people by grain, and who stands in a cell of an earlier edition alone
    earlier : what other editions have told, in the order of the grains
    before : what earlier publications of this edition have withheld
    sums_of : how cells hang together, by their names
    within : how the measures of one place hang together

    Returns
    -------
    frozenset
        What threshold, dominance and complements withhold in one edition, taken together with every figure that is out; and so
        much more that everything told, of all editions, cuts no risky count out of what was known.
    """
    every = sorted({cell for cell, _ in true if cell != TOTAL})
    ground = ground_of(grains, every, len(earlier))
    # That a cell holds nobody is seen from its buildings: a withheld none is no doubt about what is withheld beside it.
    cells = [cell for cell in every if cell in ground.places]
    empty = frozenset(key for key in true if key[0] not in ground.places)
    true = {key: figure for key, figure in true.items() if key not in empty}
    measures = sorted({measure for _, measure in true})
    kept: set[Key] = set()
    out: set[Key] = set()
    for regions, one in zip(ground.earlier, earlier, strict=True):
        for cell, measure in one.hidden:
            # Nearly the same people stand behind every sum of all cells, whatever its borders.
            names = [TOTAL] if cell == TOTAL else []
            kept |= {(name, measure) for name in [*names, *ground.names.get(regions.get(cell, frozenset()), [])]}
    for regions, one in zip(ground.earlier, earlier, strict=True):
        out |= {(ground.name(regions[cell]), measure) for cell, measure in one.told if cell in regions}
    kept -= out  # under another name it is out: as the sum of a community of one cell
    kept |= set(before)
    if len(grains) > MOST_GRAINS:
        return empty | _moved_apart(true, ground, kept, sums_of(cells))
    figures = dict(true) | {
        (name, measure): ground.figure(region, measure)
        for name, region in ground.places.items() if name not in ground.now
        for measure in measures
    }  # fmt: skip
    sums = _all_sums(ground, cells, sums_of, within, measures)
    fixed = {key for key in out if key[0] not in ground.now}
    while True:
        hidden = withheld(figures, sums, kept, fixed)
        finer = _cut_out(ground, {key for key in true if key not in hidden}, out, measures)
        if not finer:
            return empty | frozenset(key for key in hidden if key in true)
        kept |= finer


def _all_sums(
    ground: Ground, cells: list[str], sums_of: Callable[[list[str]], list[Sum]], within: Callable[[str], list[Sum]], measures: list[str]
) -> list[Sum]:
    sums = sums_of(cells)
    if len(ground.places) == len([one for one in ground.places if one in ground.now]):
        return sums
    seen = {(one.total, frozenset(one.parts)) for one in sums}
    for name, region in ground.places.items():
        if name not in ground.now:
            sums += within(name)
        _split(ground, sums, seen, name, [frozenset([grain]) for grain in region], measures)
    for regions in ground.earlier:
        parts = [region for cell, region in regions.items() if cell != TOTAL]
        if parts:
            _split(ground, sums, seen, ground.name(regions[TOTAL]), parts, measures)
    return sums


def _split(
    ground: Ground, sums: list[Sum], seen: set[tuple[object, frozenset[object]]], name: str, parts: Sequence[Region], measures: list[str]
) -> None:
    names = sorted({ground.name(part) for part in parts})
    for measure in measures if names != [name] else ():
        one = Sum((name, measure), tuple((part, measure) for part in names))
        if (one.total, frozenset(one.parts)) not in seen:
            seen.add((one.total, frozenset(one.parts)))
            sums.append(one)


def _moved_apart(true: Mapping[Key, Figure], ground: Ground, kept: set[Key], sums: list[Sum]) -> frozenset[Key]:
    """Where too much has moved to be solved: nothing of cells that are no cell of every earlier edition."""
    stayed = {name for name, region in ground.places.items() if all(region in one.values() for one in ground.earlier)}
    return withheld(true, sums, kept | {key for key in true if key[0] != TOTAL and key[0] not in stayed})


def _cut_out(ground: Ground, told: Collection[Key], out: Collection[Key], measures: Sequence[str]) -> set[Key]:
    """Figures to withhold, one for each measure, because with them sums of told figures differ by a risky count.

    Everything that adding and subtracting told figures can single out is made of the sets of grains that stand in the same
    told figures. Where one of these sets is risky, and was not one before, a figure that cuts it out is not told.
    """
    found: set[Key] = set()
    for measure in measures:
        known = {ground.places[name] for name, one in out if one == measure}
        fresh = {
            name: ground.places[name] for name, one in told
            if one == measure and name in ground.places and ground.places[name] not in known
        }  # fmt: skip
        if not known or not fresh:
            continue
        old: dict[frozenset[Region], set[Grain]] = defaultdict(set)
        new: dict[tuple[frozenset[Region], frozenset[str]], set[Grain]] = defaultdict(set)
        for grain in ground.grains:
            inside = frozenset(region for region in known if grain in region)
            old[inside].add(grain)
            new[inside, frozenset(name for name, region in fresh.items() if grain in region)].add(grain)
        for (inside, names), grains in sorted(new.items(), key=lambda one: min(map(repr, one[1]))):
            if not (inside or names) or (inside and grains == old[inside]) or not is_risky([ground.figure(grains, measure)]):
                continue
            cutting = names or {name for name, region in fresh.items() if region & old[inside]}
            found.add((min(cutting, key=lambda name: (ground.figure(fresh[name], measure).value, name)), measure))
            break
    return found
