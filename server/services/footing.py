"""What stands on what in a community, and where: one pass over its records, kept as columns, since there may be millions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from server.store import moving as store

if TYPE_CHECKING:
    from forms.registry import Registry
    from server.store.database import Connection

LONGEST_CHAIN = 4  # dwelling → entrance → building → estate


class _Codes(dict[str, int]):
    """A number for each text, in the order in which they come."""

    def __missing__(self, text: str) -> int:
        self[text] = number = len(self)
        return number

    def of(self, texts: Sequence[str]) -> NDArray[np.int32]:
        return np.fromiter(map(self.__getitem__, texts), dtype=np.int32, count=len(texts))


@dataclass(slots=True)
class Footing:
    """Records by number, one after the other in each column.

    ``kind`` and ``home`` are codes of ``kinds`` (types) and ``homes``. ``above`` is the number of the record that places
    it, -1 where none of these does; ``lon`` and ``lat`` are its own, NaN without. ``marks`` are those of
    `store.moving.DECIDES` and the words beside it.
    """

    ids: list[str]
    kinds: list[str]
    kind: NDArray[np.int32]
    homes: _Codes
    home: NDArray[np.int32]
    above: NDArray[np.intp]
    lon: NDArray[np.float64]
    lat: NDArray[np.float64]
    marks: NDArray[np.int8]

    def of_type(self, name: str) -> NDArray[np.bool_]:
        """Which records are of a type."""
        return self.kind == (self.kinds.index(name) if name in self.kinds else -1)

    def household_points(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Longitude and latitude of what places each live household; those that nothing places are left out."""
        at = self.above[self.of_type("household") & (self.marks & store.LIVE > 0)]
        at = at[at >= 0]
        for _ in range(LONGEST_CHAIN - 1):
            higher = np.where(np.isnan(self.lon[at]), self.above[at], at)
            at = higher[higher >= 0]
        at = at[~np.isnan(self.lon[at])]
        return self.lon[at], self.lat[at]


def footing_of(
    connection: Connection, registry: Registry, community_id: str, ids: Sequence[str] | None = None
) -> Footing:
    """Every record of a community, whatever became of it; only those among ``ids`` where given."""
    types = tuple(name for name in registry.types() if "@anchor" in registry.latest(name).placed_by)
    number_of: dict[str, int] = {}
    kinds, homes = _Codes(), _Codes()
    columns: list[list[Any]] = [[] for _ in range(6)]
    late: list[tuple[int, str]] = []  # whose place comes later
    for rows in store.standing(connection, community_id, types, ids):
        start = len(number_of)
        names, kind, home, parents, lons, lats, marks = zip(*rows, strict=True)
        number_of.update(zip(names, range(start, start + len(rows)), strict=True))
        above = np.fromiter(map(number_of.get, parents, repeat(-1)), dtype=np.intp, count=len(rows))
        late += [(start + at, parents[at]) for at in np.flatnonzero(above < 0).tolist() if parents[at] is not None]
        made = (kinds.of(kind), homes.of(home), above, np.array(lons, dtype=float), np.array(lats, dtype=float), np.array(marks, dtype=np.int8))
        for column, part in zip(columns, made, strict=True):
            column.append(part)
    kind_, home_, above_, lon, lat, marks_ = (
        np.concatenate([np.zeros(0, dtype=one), *parts])
        for one, parts in zip((np.int32, np.int32, np.intp, float, float, np.int8), columns, strict=True)
    )
    for at, parent in late:
        above_[at] = number_of.get(parent, -1)
    return Footing(list(number_of), list(kinds), kind_, homes, home_, above_, lon, lat, marks_)
