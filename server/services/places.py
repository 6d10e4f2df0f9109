"""The cells in force, ready to be asked; one index per edition is kept and swapped when another is published."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from geo.cell import BASE_LAYER, DEDICATED_LAYER, Cell
from geo.cell_rows import cell_from_row
from geo.locate import CellIndex
from geo.place import RULE_VERSION, PlacementDecision, place_fixes
from server.store import places as store
from sync.memory import UNPLACED, Place
from sync.operation import Fields

if TYPE_CHECKING:
    from server.store.database import Connection

_KEPT = 64
_indexes: dict[tuple[str, str, str], CellIndex] = {}
_gate = threading.Lock()


def cell_of_row(row: Any, layer: str) -> Cell:
    """A stored row as a cell."""
    return cell_from_row(
        {
            "cell_id": row.cell_id,
            "code": row.code,
            "name": row.name,
            "layer": layer,
            "sort_order": row.order_number,
            "geometry_wkb": row.geometry,
            "properties_json": row.properties,
        }
    )


@dataclass(slots=True)
class Places:
    """Answers where a location lies in one edition; ``known`` keeps the answers of a batch.

    ``special`` are the dedicated cells in force, which lie on top and place nobody anew.
    """

    edition_id: str | None
    index: CellIndex
    known: dict[tuple[Any, ...], Place]
    special: CellIndex | None = None
    _ids: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        self._ids = frozenset(self.index.cell_ids)

    def learn(self, locations: Iterable[Fields]) -> None:
        """Place many locations at once."""
        fresh = {_key(one): one for one in locations}
        wanted = [key for key in fresh if key not in self.known]
        decisions = place_fixes(self.index, [fresh[key] for key in wanted])
        for key, decision in zip(wanted, decisions, strict=True):
            self.known[key] = self._place(fresh[key], decision)

    def has_cell(self, cell_id: str) -> bool:
        """Whether this edition has the cell."""
        return cell_id in self._ids

    def place(self, location: Fields) -> Place:
        """The place of one location."""
        key = _key(location)
        if key not in self.known:
            self.learn([location])
        return self.known[key]

    def _place(self, location: Fields, decision: PlacementDecision) -> Place:
        note: Fields = {"decision": decision.decision, "edition": self.edition_id, "rule": RULE_VERSION}
        if decision.needs_confirmation:
            note["needs_confirmation"] = True
            note["candidates"] = [[cell_id, round(share, 4)] for cell_id, share in decision.candidates]
        if decision.nearest is not None:
            note["nearest"] = [decision.nearest[0], round(decision.nearest[1], 1)]
        if decision.datum_suspect:
            note["datum_suspect"] = list(decision.datum_suspect)
        home = f"cell/{decision.cell_id}" if decision.cell_id is not None else UNPLACED
        within = self.special.locate(lon=location["lon"], lat=location["lat"]) if self.special is not None else None
        return Place(home, note, location["lon"], location["lat"], f"dedicated/{within}" if within is not None else None)


def _key(location: Fields) -> tuple[Any, ...]:
    return (
        location.get("lon"),
        location.get("lat"),
        location.get("datum"),
        location.get("accuracy_m"),
        location.get("confidence"),
        location.get("method"),
    )


def places_in_force(connection: Connection, house_id: str, community_id: str) -> Places:
    """The cells in force now, of both layers. ``house_id`` tells databases of one process apart."""
    found = store.published_editions(connection, community_id)
    base, special = found.get(BASE_LAYER), found.get(DEDICATED_LAYER)
    places = Places(None, CellIndex(()), {}) if base is None else places_of(connection, house_id, community_id, base)
    if special is not None:
        places.special = places_of(connection, house_id, community_id, special, DEDICATED_LAYER).index
    return places


def places_of(connection: Connection, house_id: str, community_id: str, edition: Any, layer: str = BASE_LAYER) -> Places:
    """The cells of an edition (its row), in force or not; a draft that is repaired has another content hash."""
    key = (house_id, community_id, f"{edition.edition_id}/{edition.content_hash}")
    found = _indexes.get(key)
    if found is None:
        rows = store.cells_of(connection, community_id, edition.edition_id)
        found = CellIndex((cell_of_row(row, layer) for row in rows), layer=layer)
        with _gate:
            while len(_indexes) >= _KEPT:
                _indexes.pop(next(iter(_indexes)))
            _indexes[key] = found
    return Places(edition.edition_id, found, {})
