"""Counts of every cell, kept in memory and counted again only where the cell's stream has moved.

A stream moves with every change of a record that stands in it, and a household stands where its dwelling does, so equal positions
mean equal counts. Nothing is written, hence nothing can drift, and a push pays nothing for it (ADR 0020).
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from server.house import House
from server.permissions import Scope
from server.services.community_forms import community_registry
from server.store import baseline as store
from server.store import find
from server.store.baseline import TypeFigures
from server.store.life import epoch
from server.store.scoping import see_community

KEPT_COMMUNITIES = 64
"""In memory at most, about a megabyte for each ten thousand residents. The one that was asked longest ago is dropped."""


@dataclass(slots=True)
class HomeFigures:
    """What is counted in one home stream. ``confirmed`` counts households and persons by the day (UTC) of their last
    confirmation; ``births`` are the known birth dates of those who live here, in order."""

    types: list[TypeFigures] = field(default_factory=list)
    confirmed: Counter[str] = field(default_factory=Counter)
    births: list[str] = field(default_factory=list)

    def born_by(self, days: Sequence[str]) -> tuple[int, ...]:
        """How many residents were born on each of these days or before."""
        return tuple(bisect_right(self.births, day) for day in days)


@dataclass(slots=True)
class _Kept:
    life: str | None = None
    heads: dict[str, int] = field(default_factory=dict)
    homes: dict[str, HomeFigures] = field(default_factory=dict)
    gate: threading.Lock = field(default_factory=threading.Lock)


_kept: OrderedDict[tuple[str, str], _Kept] = OrderedDict()
_gate = threading.Lock()


def home_figures(house: House, connection: Any, scope: Scope, community_id: str) -> dict[str, HomeFigures]:
    """The figures of every home that the scope holds, as the connection's snapshot has them. Not to be changed.

    A grid worker's few cells are counted each time.

    Raises
    ------
    OutsideScope
    """
    if scope.streams is not None:
        return _counted(house, connection, scope, community_id)
    see_community(scope, community_id)
    key = (str(house.engine.url), community_id)
    with _gate:
        kept = _kept.setdefault(key, _Kept())
        _kept.move_to_end(key)
        while len(_kept) > KEPT_COMMUNITIES:
            _kept.popitem(last=False)
    with kept.gate:
        _refresh(house, connection, community_id, kept)
        return dict(kept.homes)


def _refresh(house: House, connection: Any, community_id: str, kept: _Kept) -> None:
    life = epoch(connection)
    heads = {home: seq for home, (seq, _) in find.heads(connection, community_id).items()}
    moved = [home for home in heads | kept.heads if heads.get(home) != kept.heads.get(home)]
    if kept.life == life and not moved:
        return
    if kept.life != life or len(moved) * 2 > len(heads):
        kept.homes = _counted(house, connection, Scope((community_id,)), community_id)
    else:
        kept.homes = {home: one for home, one in kept.homes.items() if home not in moved}
        kept.homes |= _counted(house, connection, Scope((community_id,), frozenset(moved)), community_id)
    kept.life, kept.heads = life, heads


def _counted(house: House, connection: Any, scope: Scope, community_id: str) -> dict[str, HomeFigures]:
    homes: dict[str, HomeFigures] = defaultdict(HomeFigures)
    kinds = community_registry(house, community_id, connection).types()
    for one in store.figures(connection, scope, community_id, kinds):
        homes[one.home].types.append(one)
    for home, day, count in store.freshness(connection, scope, community_id):
        homes[home].confirmed[day] += count
    for home, born in store.births(connection, scope, community_id):
        homes[home].births.append(born)
    for found in homes.values():
        found.births.sort()
    return dict(homes)
