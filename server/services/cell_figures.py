"""Counts of every cell, kept beside the position of the cell's stream and counted again only where the stream has moved.

A stream moves with every change of a record that stands in it, and a household stands where its dwelling does, so equal positions
mean equal counts. They are kept in memory, and in the database by the worker, so that a push pays nothing for them (ADR 0020).
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from server.house import House
from server.permissions import Scope
from server.services.community_forms import community_registry
from server.store import baseline as store
from server.store import counted
from server.store.baseline import TypeFigures
from server.store.database import read, write
from server.store.life import epoch
from server.store.scoping import see_community

KEPT_COMMUNITIES = 64
"""In memory at most, about a megabyte for each ten thousand residents. The one that was asked longest ago is dropped."""

MOST_AT_ONCE = 60
"""Homes that one sweep counts at most; each takes some milliseconds for a thousand records."""

_RULE = 2
"""What the kept figures mean. Raised with their meaning, so that older ones are counted again."""


@dataclass(slots=True)
class HomeFigures:
    """What is counted in one home stream. ``confirmed`` counts households and persons by the day of their last
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
    life = _life(connection)
    heads = counted.heads(connection, community_id)
    moved = [home for home in heads | kept.heads if heads.get(home) != kept.heads.get(home)]
    if kept.life == life and not moved:
        return
    homes = {home: one for home, one in kept.homes.items() if home in heads and home not in moved} if kept.life == life else {}
    moved = [home for home in heads if home in moved or kept.life != life]
    for home, seq, figures in counted.kept(connection, community_id, life):
        if home in moved and seq == heads[home]:
            homes[home] = _read(figures)
    moved = [home for home in moved if home not in homes]
    kept.homes = homes | _counted_in(house, connection, community_id, moved, len(heads))
    kept.life, kept.heads = life, heads


def sweep(house: House) -> int:
    """Keep the counts of homes that have moved since theirs were kept, of so many at most; how many were kept."""
    with read(house.engine) as connection:
        life = _life(connection)
        behind = counted.behind(connection, life, MOST_AT_ONCE) if life is not None else []
    by_community: dict[str, list[str]] = defaultdict(list)
    for community_id, home in behind:
        by_community[community_id].append(home)
    for community_id, homes in by_community.items():
        with read(house.engine) as connection:
            heads = counted.heads(connection, community_id)
            found = _counted_in(house, connection, community_id, homes, len(heads))
            of_life = _life(connection)
        if of_life != life or life is None:
            break  # a backup was restored meanwhile
        rows = [(home, heads[home], _written(found.get(home, HomeFigures()))) for home in homes]
        with write(house.engine) as connection:
            if _life(connection) == life:
                counted.keep(connection, community_id, life, rows)
    return len(behind)


def differing(house: House, connection: Any, community_id: str) -> tuple[int, int, tuple[str, str] | None]:
    """The kept counts of a community beside those of its records, in one snapshot.

    Returns
    -------
    (compared, behind, (home, what) or None)
        How many homes were compared; how many have moved since theirs were kept; the first that differs, and in what.
    """
    rows = list(counted.kept(connection, community_id, _life(connection)))
    heads = counted.heads(connection, community_id)
    for home, seq, _ in rows:
        if seq > heads.get(home, 0):
            return 0, 0, (home, "position")
    same = [(home, _read(figures)) for home, seq, figures in rows if seq == heads[home]]
    true = _counted_in(house, connection, community_id, [home for home, _ in same], len(heads))
    for home, one in same:
        expected = true.get(home, HomeFigures())
        for what, here, there in (
            ("counts by type", _by_type(expected), _by_type(one)),
            ("counts by day of confirmation", expected.confirmed, one.confirmed),
            ("counts by day of birth", expected.births, one.births),
        ):
            if here != there:
                return len(same), len(rows) - len(same), (home, what)
    return len(same), len(rows) - len(same), None


def _life(connection: Any) -> str | None:
    """The life of the database and the rule of counting: kept figures of others count nothing."""
    life = epoch(connection)
    return None if life is None else f"{life}/{_RULE}"


def _by_type(found: HomeFigures) -> dict[str, tuple[int, ...]]:
    """The counts of each type, those left out that are all nothing."""
    rows = {one.type: (one.count, one.resident, one.expected, one.surveyed, one.conflicts) for one in found.types}
    return {name: numbers for name, numbers in rows.items() if any(numbers)}


def _written(found: HomeFigures) -> str:
    document = {"types": _by_type(found), "confirmed": found.confirmed, "births": Counter(found.births)}
    return orjson.dumps(document, option=orjson.OPT_SORT_KEYS).decode()


def _read(text: str) -> HomeFigures:
    document = orjson.loads(text)
    births = [day for day, count in sorted(document["births"].items()) for _ in range(count)]
    types = [TypeFigures("", name, *numbers) for name, numbers in document["types"].items()]
    return HomeFigures(types, Counter(document["confirmed"]), births)


def _counted_in(house: House, connection: Any, community_id: str, homes: Sequence[str], of: int) -> dict[str, HomeFigures]:
    """The counts of these homes; where they are most of the community, it is read straight through."""
    if not homes:
        return {}
    if len(homes) * 2 <= of:
        return _counted(house, connection, Scope((community_id,), frozenset(homes)), community_id)
    found = _counted(house, connection, Scope((community_id,)), community_id)
    wanted = set(homes)
    return {home: one for home, one in found.items() if home in wanted}


def _counted(house: House, connection: Any, scope: Scope, community_id: str) -> dict[str, HomeFigures]:
    homes: dict[str, HomeFigures] = defaultdict(HomeFigures)
    kinds = community_registry(house, community_id, connection).types()
    for one in store.figures(connection, scope, community_id, kinds):
        if one.type in kinds:
            homes[one.home].types.append(one)
    for home, day, count in store.freshness(connection, scope, community_id):
        homes[home].confirmed[day] += count
    for home, born in store.births(connection, scope, community_id):
        homes[home].births.append(born)
    for found in homes.values():
        found.births.sort()
    return dict(homes)
