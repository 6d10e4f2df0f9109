"""Where people stand under every edition that figures were told of: their grain."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from geo.locate import CellIndex
from server.permissions import cell_stream
from server.services.disclosure_editions import Grain
from server.services.places import places_of
from server.store import figures as store
from server.store import places

if TYPE_CHECKING:
    from server.store.database import Connection


@dataclass(slots=True)
class Grains:
    """Answers for a home and a point in which cell of each edition they are.

    A cell whose ground has stayed holds whom it holds now, pinned or not. Elsewhere the point decides; who has none, or
    stands by a pin where the point does not lie, goes along with the middle of the cell.
    """

    homes: Mapping[str, str]
    index: CellIndex | None = None
    earlier: Sequence[CellIndex] = ()
    stayed: Sequence[Mapping[str, str]] = ()  # of each earlier edition: its cells by cells of now
    _known: dict[tuple[str | None, float | None, float | None], Grain] = field(default_factory=dict)
    _middles: dict[str, tuple[float, float]] = field(default_factory=dict)

    @property
    def is_placed(self) -> bool:
        """Whether points are asked for at all: not before anything was told of another edition."""
        return bool(self.earlier)

    def of(self, home: str | None, lon: float | None, lat: float | None) -> Grain:
        """The grain of whoever has this home and this point (None without)."""
        key = (home, lon, lat)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._found(home, lon, lat)
        return found

    def _found(self, home: str | None, lon: float | None, lat: float | None) -> Grain:
        cell = self.homes.get(home or "")
        if self.index is None:
            return (cell,)
        if cell is not None and (lon is None or lat is None or self.index.locate(lon=lon, lat=lat) != cell):
            lon, lat = self._middle(cell)
        made: list[str | None] = []
        for index, stayed in zip(self.earlier, self.stayed, strict=True):
            if cell is not None and cell in stayed:
                made.append(stayed[cell])
            else:
                made.append(None if lon is None or lat is None else index.locate(lon=lon, lat=lat))
        return (*made, cell)

    def _middle(self, cell: str) -> tuple[float, float]:
        if not self._middles and self.index is not None:
            for one in self.index.cells:
                point = one.geometry.representative_point()
                self._middles[one.cell_id] = (point.x, point.y)
        return self._middles.get(cell, (math.nan, math.nan))


def grains_of(
    connection: Connection, house_id: str, community_id: str, edition_id: str, cells: Sequence[str], editions: Sequence[str]
) -> Grains:
    """Grains by the cells of an edition and of other ones that something was told of."""
    homes = {cell_stream(cell): cell for cell in cells}
    if not editions:
        return Grains(homes)
    rows = {row.edition_id: row for row in places.editions_of(connection, community_id)}
    chain = {
        earlier: {now: old for old, now in same.items()}
        for earlier, same in store.unchanged_since(connection, community_id, edition_id)
    }
    indexes = {one: places_of(connection, house_id, community_id, rows[one]).index for one in (edition_id, *editions)}
    return Grains(homes, indexes[edition_id], [indexes[one] for one in editions], [chain.get(one, {}) for one in editions])
