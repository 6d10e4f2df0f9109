"""Dividing a graph of base units into balanced, connected groups: numbers and neighbours only, no geometry.

With METIS where it is installed (`geo.metis`), else by recursive bisection along spanning trees: of many seeded trees the
cut that balances best and borders least is taken. Then single units move between neighbours as long as that evens things
out. The same input gives the same division.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from geo.errors import GeoError
from geo.metis import installed, metis_groups

_TREES = 24
_CUTS = 8  # of each tree
# So many metres of border are worth one group's weight of unevenness.
_METRES_PER_GROUP = 2000.0
_ROUNDS = 60
_FEWEST = 8  # units for each group: METIS makes many small pieces of a few larger ones, and complains of fewer
# Within this share of the mean a group is even enough: further moves would only make borders ragged.
_EVEN_ENOUGH = 0.03


@dataclass(frozen=True, slots=True)
class Link:
    """Two units that border on each other: ``cost`` is what a border between them costs (metres, less along roads)."""

    first: int
    second: int
    cost: float


def divide(
    weights: Sequence[int], links: Iterable[Link], groups: int, *, seed: int = 1, metis: bool | None = None
) -> list[int]:
    """Divide units into connected groups of nearly equal weight.

    Parameters
    ----------
    weights : sequence of int, shape (n,)
        Households of each unit, 0 or more.
    links : iterable of Link
        Borders between units; the graph must be connected.
    groups : int
        How many groups, 1 to n.
    seed : int
        Another seed may give another division of like quality.
    metis : bool, optional
        Whether METIS is asked; None: where it is installed. Where its division is less even than wanted, both ways are
        tried and the better one is given.

    Returns
    -------
    list of int, length n
        Group of each unit, 0 to groups - 1; every group is connected and has at least one unit.

    Raises
    ------
    GeoError
        ``not_connected``, or ``too_many_groups``.
    """
    if not 1 <= groups <= max(len(weights), 1):
        raise GeoError("there are fewer units than groups", code="too_many_groups")
    near: list[dict[int, float]] = [{} for _ in weights]
    for link in links:
        near[link.first][link.second] = near[link.second][link.first] = link.cost
    everything = list(range(len(weights)))
    if everything and len(_reach(near, everything[0], set(everything))) < len(everything):
        raise GeoError("the units do not hang together", code="not_connected")
    if not everything:
        return []
    asked = groups > 1 and len(weights) >= _FEWEST * groups and sum(weights) > 0
    asked = asked and (installed() if metis is None else metis)
    found = metis_groups(weights, near, groups, seed=seed) if asked else None
    if found is not None:
        _even_out(found, weights, near, groups)
        if _worst(found, weights, groups) <= _EVEN_ENOUGH:
            return found
    own = _bisected(weights, near, groups, random.Random(seed))
    _even_out(own, weights, near, groups)
    if found is None:
        return own
    return min(found, own, key=lambda answer: _cost(answer, weights, near, groups))


def _worst(answer: Sequence[int], weights: Sequence[int], groups: int) -> float:
    """The share by which the worst group misses the mean."""
    held = [0] * groups
    for group, weight in zip(answer, weights, strict=True):
        held[group] += weight
    mean = sum(held) / groups
    return max(abs(one - mean) for one in held) / mean if mean else 0.0


def _cost(answer: Sequence[int], weights: Sequence[int], near: Sequence[Mapping[int, float]], groups: int) -> float:
    border = sum(
        cost
        for unit, beside in enumerate(near)
        for other, cost in beside.items()
        if unit < other and answer[unit] != answer[other]
    )
    return border + _METRES_PER_GROUP * groups * _worst(answer, weights, groups)


def _bisected(weights: Sequence[int], near: list[dict[int, float]], groups: int, dice: random.Random) -> list[int]:
    answer = [0] * len(weights)
    waiting = [(list(range(len(weights))), groups, 0)]
    while waiting:
        members, count, first = waiting.pop()
        if count == 1:
            for unit in members:
                answer[unit] = first
            continue
        # A star of units has no halves; one of its arms can always be cut off.
        for half in range(count // 2, 0, -1):
            parts = _bisect(members, weights, near, half, count, dice)
            if parts is not None:
                waiting += [(parts[0], half, first), (parts[1], count - half, first + half)]
                break
    return answer


def _bisect(
    members: list[int], weights: Sequence[int], near: list[dict[int, float]], half: int, count: int, dice: random.Random
) -> tuple[list[int], list[int]] | None:
    """Two connected parts, weighing nearly half/count and the rest, with room for their groups; None without such."""
    inside = set(members)
    total = sum(weights[unit] for unit in members)
    wanted = total * half / count
    best: tuple[float, list[int]] | None = None
    for _ in range(_TREES):
        order, parent = _tree(members, inside, near, dice)
        weight = {unit: weights[unit] for unit in members}
        size = dict.fromkeys(members, 1)
        for unit in reversed(order[1:]):
            weight[parent[unit]] += weight[unit]
            size[parent[unit]] += size[unit]
        choices = []
        for unit in order[1:]:
            for below, room, rest in (
                (weight[unit], size[unit], len(members) - size[unit]),
                (total - weight[unit], len(members) - size[unit], size[unit]),
            ):
                if room >= half and rest >= count - half:
                    choices.append((abs(below - wanted), unit, below == weight[unit] and room == size[unit]))
        # Nearly even is enough here, single moves follow: among those the shortest and cheapest border counts.
        choices.sort()
        for off, unit, is_below in choices[:_CUTS]:
            part = _subtree(unit, order, parent)
            border = sum(
                cost for one in part for other, cost in near[one].items() if other in inside and other not in part
            )
            score = border + _METRES_PER_GROUP * off * count / max(total, 1)
            if best is None or score < best[0]:
                chosen = part if is_below else inside - part
                best = (score, sorted(chosen))
    if best is None:
        return None
    part = set(best[1])
    return best[1], [unit for unit in members if unit not in part]


def _tree(
    members: list[int], inside: set[int], near: list[dict[int, float]], dice: random.Random
) -> tuple[list[int], dict[int, int]]:
    """A random spanning tree that keeps to dear borders: cheap ones (roads) join late, so cuts fall there."""
    edges = []
    for unit in members:
        for other, cost in near[unit].items():
            if unit < other and other in inside:
                edges.append((dice.random() / (cost + 1.0), unit, other))
    edges.sort()
    root = {unit: unit for unit in members}

    def find(unit: int) -> int:
        while root[unit] != unit:
            root[unit] = root[root[unit]]
            unit = root[unit]
        return unit

    joined: dict[int, list[int]] = {unit: [] for unit in members}
    for _, unit, other in edges:
        a, b = find(unit), find(other)
        if a != b:
            root[a] = b
            joined[unit].append(other)
            joined[other].append(unit)
    order, parent = [members[0]], {members[0]: -1}
    for unit in order:
        for other in joined[unit]:
            if other not in parent:
                parent[other] = unit
                order.append(other)
    return order, parent


def _subtree(top: int, order: list[int], parent: Mapping[int, int]) -> set[int]:
    part = {top}
    for unit in order[order.index(top) + 1 :]:
        if parent[unit] in part:
            part.add(unit)
    return part


def _even_out(answer: list[int], weights: Sequence[int], near: list[dict[int, float]], groups: int) -> None:
    """Move single units between neighbouring groups while the squares of the weights shrink; changes ``answer``."""
    held = [0] * groups
    members: list[set[int]] = [set() for _ in range(groups)]
    for unit, group in enumerate(answer):
        held[group] += weights[unit]
        members[group].add(unit)
    mean = sum(held) / groups
    low, high = mean * (1 - _EVEN_ENOUGH), mean * (1 + _EVEN_ENOUGH)
    for _ in range(_ROUNDS):
        moved = False
        for unit, weight in enumerate(weights):
            source = answer[unit]
            if weight == 0 or len(members[source]) == 1:
                continue
            lighter = {answer[other] for other in near[unit] if held[answer[other]] + weight < held[source]}
            lighter = {group for group in lighter if held[source] > high or held[group] < low}
            if not lighter or not _stays_whole(unit, members[source], near):
                continue
            target = min(lighter, key=lambda group: (held[group], group))
            members[source].remove(unit)
            members[target].add(unit)
            held[source] -= weight
            held[target] += weight
            answer[unit] = target
            moved = True
        if not moved:
            return


def _stays_whole(unit: int, members: set[int], near: list[dict[int, float]]) -> bool:
    rest = members - {unit}
    beside = [other for other in near[unit] if other in rest]
    # Most units hang on by neighbours that know each other; the walk is for the others.
    if len(beside) <= 1:
        return len(beside) == 1
    return len(_reach(near, beside[0], rest)) == len(rest)


def _reach(near: list[dict[int, float]], start: int, inside: set[int]) -> set[int]:
    seen, waiting = {start}, [start]
    while waiting:
        for other in near[waiting.pop()]:
            if other in inside and other not in seen:
                seen.add(other)
                waiting.append(other)
    return seen
