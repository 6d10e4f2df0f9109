"""What was true on a day, and what stands where under another edition: the same records, read with other eyes (L4).

``known_at`` asks what was recorded by a time; ``as_of`` asks what was true on a day, by everything that is recorded:
residence and registration by their dated episodes, care and tenure by their dates, births, deaths, buildings built.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from forms.dwelling_facts import Resident
from server.permissions import cell_stream
from server.services.pins_back import forebears
from server.services.roster_source import Counting, Source
from server.store import rosters as store
from server.store.rosters import Entry
from server.store.scoping import UNPLACED, Condition

if TYPE_CHECKING:
    from server.services.places import Places
    from server.store.database import Connection

# Types that say from when to when they hold: (from, to). The last day still counts.
_PERIODS = {
    "care_status": ("from_date", "to_date"),
    "tenure": ("from_date", "to_date"),
    "check_in": ("registered_on", "ended_on"),
}
_RESIDENCE = ("residence_household", "relation_to_head", "resident_from", "joined_reason")
_ONLY_NOW = ("presence", "absent_since")
_REGISTRATION = (
    "registration_dwelling", "registration_address_text", "registered_from", "registration_division_code",
    "registration_kind",
)  # fmt: skip


class Elsewhere:
    """Records under the cells of another edition.

    Parameters
    ----------
    inner : where the records come from
    homes : the home of each record under that edition; what is not named is in no cell
    """

    def __init__(self, inner: Source, homes: Mapping[str, str]) -> None:
        self._inner, self._homes = inner, homes
        self._kept: dict[str, list[Entry]] = {}

    def base(self, kind: str, homes: Sequence[str] | None, narrowed: Condition | None = None) -> list[Entry]:
        """See `Source`."""
        if kind not in self._kept:
            self._kept[kind] = [self._moved(one) for one in self._inner.base(kind, None, narrowed)]
        return _of_homes(self._kept[kind], homes)

    def everybody(self, kind: str, homes: Sequence[str] | None) -> list[Entry]:
        """See `Source`."""
        return _of_homes([self._moved(one) for one in self._inner.everybody(kind, None)], homes)

    def by_id(self, ids: Iterable[str]) -> dict[str, Entry]:
        """See `Source`."""
        return {name: self._moved(one) for name, one in self._inner.by_id(ids).items()}

    def placed(
        self, kind: str, ref: str, parents: Sequence[str], homes: Sequence[str] | None, *, having: str | None = None
    ) -> dict[str, int]:
        """See `Source`."""
        return self._inner.placed(kind, ref, parents, None, having=having)

    def referring(self, kind: str, ref: str, *, unless: tuple[str, str] | None = None, without: str | None = None) -> dict[str, int]:
        """See `Source`."""
        return self._inner.referring(kind, ref, unless=unless, without=without)

    def living(self, dwellings: Sequence[str], homes: Sequence[str] | None) -> dict[str, int]:
        """See `Source`."""
        return self._inner.living(dwellings, None)

    def residents(self, dwellings: Sequence[str], homes: Sequence[str] | None) -> dict[str, list[Resident]]:
        """See `Source`."""
        return self._inner.residents(dwellings, None)

    def root(self, record_id: str) -> str:
        """See `Source`."""
        return self._inner.root(record_id)

    def _moved(self, one: Entry) -> Entry:
        return replace(one, home=self._homes.get(one.id, UNPLACED))


class OnDay(Counting):
    """Records as they were true on a day.

    Parameters
    ----------
    inner : where the records come from
    day : ISO date; of two episodes that meet on it, the later one holds
    """

    def __init__(self, inner: Source, day: str) -> None:
        self._inner, self._day = inner, day
        self._kept: dict[str, list[Entry]] = {}
        self._residents: dict[str, list[Resident]] | None = None
        self._past: dict[tuple[str, str], list[Entry]] | None = None

    def base(self, kind: str, homes: Sequence[str] | None, narrowed: Condition | None = None) -> list[Entry]:
        """See `Source`; persons are told where they lived on the day."""
        if kind not in self._kept:
            found = self._inner.base(kind, None, narrowed)
            self._kept[kind] = self._persons(found) if kind == "person" else [one for one in found if self._holds(one)]
        return _of_homes(self._kept[kind], homes)

    def everybody(self, kind: str, homes: Sequence[str] | None) -> list[Entry]:
        """See `Source`; persons are told where they lived on the day."""
        found = self._inner.everybody(kind, None)
        return _of_homes(self._persons(found) if kind == "person" else [one for one in found if self._holds(one)], homes)

    def by_id(self, ids: Iterable[str]) -> dict[str, Entry]:
        """See `Source`; whoever is referred to is told as on the day."""
        found = self._inner.by_id(ids)
        persons = {one.id: one for one in self._persons([one for one in found.values() if one.type == "person"], placed=False)}
        return {name: persons.get(name, one) for name, one in found.items()}

    def placed(
        self, kind: str, ref: str, parents: Sequence[str], homes: Sequence[str] | None, *, having: str | None = None
    ) -> dict[str, int]:
        """See `Source`; where somebody stands now says nothing of where they stood then."""
        return super().placed(kind, ref, parents, None, having=having)

    def living(self, dwellings: Sequence[str], homes: Sequence[str] | None) -> dict[str, int]:
        """See `Source`."""
        return super().living(dwellings, None)

    def residents(self, dwellings: Sequence[str], homes: Sequence[str] | None) -> dict[str, list[Resident]]:
        """See `Source`."""
        if self._residents is None:
            self._residents = self._behind_doors(None)
        return {one: self._residents[one] for one in dwellings if one in self._residents}

    def root(self, record_id: str) -> str:
        """See `Source`; a merge says that there was one of them all along."""
        return self._inner.root(record_id)

    # ------------------------------------------------------------ what holds on the day
    def _holds(self, one: Entry) -> bool:
        begins, ends = _PERIODS.get(one.type, ("", ""))
        if (one.fields.get(begins) or "") > self._day or (one.fields.get(ends) or "9999") < self._day:
            return False
        year = one.fields.get("built_year") if one.type == "building" else None
        return year is None or int(year) <= int(self._day[:4])

    def _persons(self, found: Sequence[Entry], *, placed: bool = True) -> list[Entry]:
        """Persons with residence, registration and vital status of the day; with ``placed`` only those who were somewhere."""
        made: list[tuple[Entry, str | None]] = []
        for one in found:
            if placed and (one.fields.get("birth_date") or "") > self._day:
                continue
            fields = dict(one.fields)
            if (fields.get("died_on") or "") > self._day:
                fields.pop("vital_status", None)
                fields.pop("died_on", None)
            lived = self._residence(one, fields)
            stood = self._registration(one, fields)
            made.append((replace(one, fields=fields), lived if fields.get("residence_household") else stood))
        if not placed:
            return [one for one, _ in made]
        wanted = {place for _, place in made if place is not None}
        standing = self._inner.by_id(wanted)
        kept = []
        for one, place in made:
            if place is None:
                kept.append(one)  # where it stands now is where it stood
            elif place in standing and (one.fields.get("residence_household") or one.fields.get("registration_dwelling")):
                kept.append(replace(one, home=standing[place].home))
        return kept

    def _residence(self, one: Entry, fields: dict[str, Any]) -> str | None:
        """Set the residence of the day; the place that was lived in, None for the present one, "" for none."""
        past = self._episodes("residence", one.id)
        chosen = _covering(past, fields.get("resident_from"), self._day)
        if chosen is _PRESENT:
            return None
        for name in (*_RESIDENCE, *_ONLY_NOW):
            fields.pop(name, None)
        if chosen is None:
            return ""
        for name, own in zip(_RESIDENCE, ("household", *_RESIDENCE[1:]), strict=True):
            if chosen.fields.get(own) is not None:
                fields[name] = chosen.fields[own]
        return str(chosen.fields.get("dwelling") or chosen.fields.get("household") or "")

    def _registration(self, one: Entry, fields: dict[str, Any]) -> str | None:
        past = self._episodes("registration", one.id)
        chosen = _covering(past, fields.get("registered_from"), self._day)
        if chosen is _PRESENT:
            lives = fields.get("residence_household") or one.fields.get("residence_household")
            return (fields.get("registration_dwelling") or "") if lives else None
        for name in _REGISTRATION:
            fields.pop(name, None)
        if chosen is None:
            return ""
        for name, own in zip(_REGISTRATION, ("dwelling", "address_text", "resident_from"), strict=False):
            if chosen.fields.get(own) is not None:
                fields[name] = chosen.fields[own]
        return str(chosen.fields.get("dwelling") or "")

    def _episodes(self, kind: str, person: str) -> Sequence[Entry]:
        if self._past is None:
            self._past = {}
            for one in self._inner.everybody("residence", None):
                key = (str(one.fields.get("kind") or "residence"), str(one.fields.get("person")))
                self._past.setdefault(key, []).append(one)
        return self._past.get((kind, person), ())


_PRESENT = object()


def _covering(past: Sequence[Entry], since: Any, day: str) -> Any:
    """The closed episode that covers the day, `_PRESENT` for what holds now, None for nothing.

    Episodes run from their first day to the day before their end. What holds now without a first day holds since the last
    episode ended, or ever.
    """
    if since is not None and since <= day:
        return _PRESENT
    covering = [
        one for one in past if (one.fields.get("resident_from") or "") <= day < (one.fields.get("resident_to") or "9999")
    ]
    if covering:
        return max(covering, key=lambda one: (one.fields.get("resident_from") or "", one.id))
    last = max(((one.fields.get("resident_to") or "") for one in past), default="")
    return _PRESENT if since is None and last <= day else None


def _of_homes(entries: Sequence[Entry], homes: Sequence[str] | None) -> list[Entry]:
    if homes is None:
        return list(entries)
    wanted = set(homes)
    return [one for one in entries if one.home in wanted]


def homes_under(connection: Connection, community_id: str, places: Places) -> dict[str, str]:
    """The home of every record of a community under the cells of an edition: by its pin, its own place, else by what places it.

    A pin that followed its cell, or was taken away when that was divided, holds in the cell of this edition that its ground comes from; where that
    is several, in the one where the record lies, else in that of most of the ground.
    """
    rows = store.standing(connection, community_id)
    own = [row for row in rows if row.lon is not None]
    found = places.index.locate_many(lons=np.array([row.lon for row in own]), lats=np.array([row.lat for row in own]))
    streams = [*(cell_stream(cell_id) for cell_id in places.index.cell_ids), UNPLACED]
    homes = {row.id: streams[at] for row, at in zip(own, found.tolist(), strict=True)}
    back: Mapping[str, Sequence[str]] | None = None
    for row in rows:
        if row.pin is None:
            continue
        if places.has_cell(row.pin):
            homes[row.id] = cell_stream(row.pin)
            continue
        if back is None:
            back = forebears(connection, community_id, places.edition_id or "")
        chosen = [cell_stream(cell) for cell in back.get(row.pin, ())]
        if chosen and homes.get(row.id) not in chosen:
            homes[row.id] = chosen[0]
    parent = {row.id: row.place_parent for row in rows if row.id not in homes and row.place_parent is not None}
    find = _finder(homes, parent)
    return homes | {one: find(one) for one in parent}


def _finder(homes: Mapping[str, str], parent: Mapping[str, str]) -> Callable[[str], str]:
    known = dict(homes)

    def find(one: str) -> str:
        way = []
        while one not in known:
            way.append(one)
            above = parent.get(one)
            if above is None or len(way) > len(parent):
                known[one] = UNPLACED
                break
            one = above
        for each in way:
            known[each] = known[one]
        return known[one]

    return find
