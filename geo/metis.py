"""Dividing a graph with METIS, where the package ``pymetis`` is installed (``pip install 'dishu[design]'``).

METIS is asked for connected groups and answers in whole numbers; what it gives is checked here, and put right where a
group came in pieces, before anybody sees it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec

_UNEVEN = 30  # thousandths that METIS may miss the mean by: as even as `division` wants, more would make borders ragged
_TRIES = 10  # whole divisions, of which METIS keeps the one with the least border
_ROUNDS = 30
_PARTS_OF_A_METRE = 10  # METIS counts borders in whole numbers


def installed() -> bool:
    """Whether METIS can be asked."""
    return find_spec("pymetis") is not None


def metis_groups(
    weights: Sequence[int], near: Sequence[Mapping[int, float]], groups: int, *, seed: int
) -> list[int] | None:
    """Divide a connected graph into connected groups with METIS.

    Parameters
    ----------
    weights : sequence of int, shape (n,)
        What each unit weighs, 0 or more.
    near : sequence of mappings, shape (n,)
        The neighbours of each unit with the cost of a border between the two, both ways.
    groups : int
        How many groups, 1 to n.
    seed : int
        One seed always gives the same division with one version of METIS.

    Returns
    -------
    list of int, length n, or None
        Group of each unit; every group is connected and has at least one unit. None where METIS left a group empty.

    Notes
    -----
    G. Karypis and V. Kumar, *A fast and high quality multilevel scheme for partitioning irregular graphs*, SIAM Journal on
    Scientific Computing 20 (1998).
    """
    from pymetis import CSRAdjacency, Options, part_graph

    starts = [0]
    for beside in near:
        starts.append(starts[-1] + len(beside))
    _, found = part_graph(
        groups,
        CSRAdjacency(starts, [other for beside in near for other in beside]),
        vweights=list(weights),
        eweights=[max(round(cost * _PARTS_OF_A_METRE), 1) for beside in near for cost in beside.values()],
        recursive=False,
        options=Options(contig=1, ufactor=_UNEVEN, seed=seed, ncuts=_TRIES, niter=_ROUNDS),
    )
    answer = [int(group) for group in found]
    if len(set(answer)) < groups:
        return None
    _join_strays(answer, weights, near)
    return answer


def _join_strays(answer: list[int], weights: Sequence[int], near: Sequence[Mapping[int, float]]) -> None:
    """Of a group in pieces the heaviest stays; each other piece joins the neighbour that it shares most border with."""
    while True:
        pieces: dict[int, list[list[int]]] = {}
        seen: set[int] = set()
        for start in range(len(answer)):
            if start not in seen:
                piece = _piece(start, answer, near)
                seen.update(piece)
                pieces.setdefault(answer[start], []).append(piece)
        strays = [
            piece
            for several in pieces.values()
            for piece in sorted(several, key=lambda one: (-sum(weights[unit] for unit in one), one[0]))[1:]
        ]
        if not strays:
            return
        # One at a time: a piece that has moved may be what another one hung on.
        shared: dict[int, float] = {}
        for unit in strays[0]:
            for other, cost in near[unit].items():
                if answer[other] != answer[unit]:
                    shared[answer[other]] = shared.get(answer[other], 0.0) + cost
        target = max(sorted(shared), key=lambda group: shared[group])
        for unit in strays[0]:
            answer[unit] = target


def _piece(start: int, answer: Sequence[int], near: Sequence[Mapping[int, float]]) -> list[int]:
    seen, waiting = {start}, [start]
    while waiting:
        for other in near[waiting.pop()]:
            if answer[other] == answer[start] and other not in seen:
                seen.add(other)
                waiting.append(other)
    return sorted(seen)
