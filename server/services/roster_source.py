"""Where rosters get their records: as they are now, or as they were known at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from forms.dwelling_facts import Resident
from forms.index import mask_value
from server.house import House
from server.permissions import Scope
from server.services.unsealing import open_sealed
from server.store import commands
from server.store import rosters as store
from server.store.rosters import Entry
from server.store.scoping import Condition
from sync.memory import Memory


class Source(Protocol):
    """Records of one community at one moment. No method asks the database once per record."""

    def base(self, kind: str, homes: Sequence[str] | None, narrowed: Condition | None = None) -> list[Entry]:
        """Live records of a type in the scope, of these homes."""

    def everybody(self, kind: str, homes: Sequence[str] | None) -> list[Entry]:
        """Live records of a type of these homes, whatever the scope: what follows from others who live behind a door."""

    def by_id(self, ids: Iterable[str]) -> dict[str, Entry]:
        """Records by id, whatever their scope and life."""

    def placed(
        self, kind: str, ref: str, parents: Sequence[str], homes: Sequence[str] | None, *, having: str | None = None
    ) -> dict[str, int]:
        """How many records of a type (``having`` a value in a field) stand in each of these places."""

    def referring(self, kind: str, ref: str, *, unless: tuple[str, str] | None = None, without: str | None = None) -> dict[str, int]:
        """How many records of a type name each record, those left out whose field has the value of ``unless``, or any in ``without``."""

    def living(self, dwellings: Sequence[str], homes: Sequence[str] | None) -> dict[str, int]:
        """How many persons live in each of these dwellings, whatever their household; who is away for long does not."""

    def residents(self, dwellings: Sequence[str], homes: Sequence[str] | None) -> dict[str, list[Resident]]:
        """Who belongs to the households of each of these dwellings, whatever their presence; dwellings without anybody are left out."""

    def root(self, record_id: str) -> str:
        """The record that an id leads to: itself, or the survivor of the merges that it went into (S8)."""


class Now:
    """What is recorded at present."""

    def __init__(self, connection: Any, scope: Scope, community_id: str) -> None:
        self._connection, self._scope, self._community_id = connection, scope, community_id
        self._root: Callable[[str], str] | None = None

    def root(self, record_id: str) -> str:
        """See `Source`."""
        if self._root is None:
            self._root = Memory.rooted(commands.all_redirects(self._connection, self._community_id))
        return self._root(record_id)

    def base(self, kind: str, homes: Sequence[str] | None, narrowed: Condition | None = None) -> list[Entry]:
        """See `Source`."""
        return store.live_entries(self._connection, self._scope, self._community_id, kind, homes, narrowed)

    def everybody(self, kind: str, homes: Sequence[str] | None) -> list[Entry]:
        """See `Source`."""
        return store.live_entries(self._connection, store.whole(self._scope, self._community_id), self._community_id, kind, homes)

    def by_id(self, ids: Iterable[str]) -> dict[str, Entry]:
        """See `Source`; under the id of a record that was merged stands the one that it leads to (S8)."""
        found = store.entries_by_id(self._connection, self._community_id, ids)
        return _led_on(found, self.root, lambda roots: store.entries_by_id(self._connection, self._community_id, roots))

    def placed(
        self, kind: str, ref: str, parents: Sequence[str], homes: Sequence[str] | None, *, having: str | None = None
    ) -> dict[str, int]:
        """See `Source`."""
        return store.count_placed(self._connection, self._community_id, kind, ref, parents, having=having)

    def referring(self, kind: str, ref: str, *, unless: tuple[str, str] | None = None, without: str | None = None) -> dict[str, int]:
        """See `Source`; what names a merged record is about its survivor (S8)."""
        counts: Counter[str] = Counter()
        counted = store.count_referring(self._connection, self._community_id, kind, ref, unless=unless, without=without)
        for named, number in counted.items():
            counts[self.root(named)] += number
        return dict(counts)

    def living(self, dwellings: Sequence[str], homes: Sequence[str] | None) -> dict[str, int]:
        """See `Source`."""
        return store.count_living(self._connection, self._community_id, dwellings)

    def residents(self, dwellings: Sequence[str], homes: Sequence[str] | None) -> dict[str, list[Resident]]:
        """See `Source`; who is registered at a merged dwelling is registered at its survivor (S8)."""
        found: dict[str, list[Resident]] = {}
        for one in store.residents(self._connection, self._community_id, dwellings):
            registered = self.root(one.registered) if one.registered else None
            found.setdefault(one.dwelling, []).append(
                Resident(
                    one.id, one.dwelling, registered, presence=one.presence, birth_date=one.birth_date,
                    deceased=one.vital_status == "deceased", collective=one.kind == "collective",
                )
            )  # fmt: skip
        return found


def _led_on(
    found: dict[str, Entry], root: Callable[[str], str], read: Callable[[set[str]], dict[str, Entry]]
) -> dict[str, Entry]:
    """Under the id of a record that was merged stands the one that it leads to (S8)."""
    led = {one: root(one) for one, entry in found.items() if entry.life == "merged"}
    if not led:
        return found
    roots = read(set(led.values()) - found.keys())
    return found | {one: roots.get(to) or found.get(to) or found[one] for one, to in led.items()}


class Counting:
    """Counts from the records themselves, for sources that have them in memory."""

    def root(self, record_id: str) -> str:
        """See `Source`."""
        raise NotImplementedError

    def base(self, kind: str, homes: Sequence[str] | None, narrowed: Condition | None = None) -> list[Entry]:
        """See `Source`."""
        raise NotImplementedError

    def everybody(self, kind: str, homes: Sequence[str] | None) -> list[Entry]:
        """See `Source`."""
        raise NotImplementedError

    def placed(
        self, kind: str, ref: str, parents: Sequence[str], homes: Sequence[str] | None, *, having: str | None = None
    ) -> dict[str, int]:
        """See `Source`; what stands in a place has the place's home."""
        alive = (entry for entry in self.base(kind, homes) if entry.fields.get("vital_status") != "deceased")
        counts = Counter(self._named(entry, ref) for entry in alive if having is None or entry.fields.get(having))
        return {parent: counts[parent] for parent in parents if counts[parent]}

    def referring(self, kind: str, ref: str, *, unless: tuple[str, str] | None = None, without: str | None = None) -> dict[str, int]:
        """See `Source`."""
        found = self.base(kind, None)
        kept = (
            entry for entry in found
            if (unless is None or entry.fields.get(unless[0]) != unless[1]) and (without is None or entry.fields.get(without) is None)
        )  # fmt: skip
        return dict(Counter(value for entry in kept if (value := self._named(entry, ref)) is not None))

    def _named(self, entry: Entry, ref: str) -> str | None:
        named = entry.fields.get(ref)
        return self.root(named) if isinstance(named, str) else None

    def living(self, dwellings: Sequence[str], homes: Sequence[str] | None) -> dict[str, int]:
        """See `Source`; who lives in a dwelling has its home."""
        wanted = set(dwellings)
        door = {entry.id: entry.fields.get("dwelling") for entry in self.base("household", homes)}
        counts = Counter(
            door.get(self._named(entry, "residence_household") or "")
            for entry in self.base("person", homes)
            if entry.fields.get("vital_status") != "deceased" and entry.fields.get("presence") != "away_long"
        )
        return {one: number for one, number in counts.items() if one in wanted}

    def residents(self, dwellings: Sequence[str], homes: Sequence[str] | None) -> dict[str, list[Resident]]:
        """See `Source`."""
        wanted, found = set(dwellings), self._behind_doors(homes)
        return {dwelling: everybody for dwelling, everybody in found.items() if dwelling in wanted}

    def _behind_doors(self, homes: Sequence[str] | None) -> dict[str, list[Resident]]:
        """Who belongs to the households of every dwelling of these homes."""
        households = {entry.id: (self._named(entry, "dwelling"), entry.fields.get("kind")) for entry in self.everybody("household", homes)}
        found: dict[str, list[Resident]] = {}
        for entry in self.everybody("person", homes):
            dwelling, kind = households.get(self._named(entry, "residence_household") or "", (None, None))
            if dwelling is not None:
                fields = entry.fields
                found.setdefault(dwelling, []).append(
                    Resident(
                        entry.id, dwelling, self._named(entry, "registration_dwelling"), presence=fields.get("presence"),
                        birth_date=fields.get("birth_date"), deceased=fields.get("vital_status") == "deceased",
                        collective=kind == "collective",
                    )
                )  # fmt: skip
        return found


class Then(Counting):
    """What was recorded by a time: present fields, with every later change taken back from history."""

    def __init__(self, connection: Any, house: House, scope: Scope, community_id: str, at: str) -> None:
        self._connection, self._house, self._scope, self._community_id = connection, house, scope, community_id
        self._at = at
        self._root: Callable[[str], str] | None = None
        self._residents: dict[str, dict[str, list[Resident]]] = {}

    def root(self, record_id: str) -> str:
        """See `Source`; merges that were known by the time and still hold."""
        if self._root is None:
            self._root = Memory.rooted(commands.all_redirects(self._connection, self._community_id, by=self._at))
        return self._root(record_id)

    def base(self, kind: str, homes: Sequence[str] | None, narrowed: Condition | None = None) -> list[Entry]:
        """See `Source`; ``narrowed`` speaks of the present and is not used."""
        return [entry for entry in self._standing(self._scope, kind, homes) if self._in_topics(entry)]

    def everybody(self, kind: str, homes: Sequence[str] | None) -> list[Entry]:
        """See `Source`."""
        return self._standing(store.whole(self._scope, self._community_id), kind, homes)

    def residents(self, dwellings: Sequence[str], homes: Sequence[str] | None) -> dict[str, list[Resident]]:
        """See `Source`; who lives behind a door stands where the door stood, which may be another home than those asked for.

        Each home is read once, and of it only who lives behind which door is kept.
        """
        doors = {one: entry.home for one, entry in self.by_id(dwellings).items()}
        for home in sorted(set(doors.values()) - self._residents.keys()):
            self._residents[home] = self._behind_doors((home,))
        found = {one: self._residents[home].get(one) for one, home in doors.items()}
        return {one: everybody for one, everybody in found.items() if everybody}

    def _standing(self, scope: Scope, kind: str, homes: Sequence[str] | None) -> list[Entry]:
        found = store.entries_then(self._connection, scope, self._community_id, kind, homes, self._at)
        wanted = None if homes is None else set(homes)
        return [entry for entry in self._rewind(found) if entry.life == "live" and (wanted is None or entry.home in wanted)]

    def by_id(self, ids: Iterable[str]) -> dict[str, Entry]:
        """See `Source`; records that were not there yet are left out."""
        return _led_on(self._known(ids), self.root, self._known)

    def _known(self, ids: Iterable[str]) -> dict[str, Entry]:
        found = store.entries_by_id(self._connection, self._community_id, ids)
        known = [entry for entry in found.values() if entry.created_at <= self._at]
        return {entry.id: entry for entry in self._rewind(known)}

    def _in_topics(self, entry: Entry) -> bool:
        topics = self._scope.topics
        return topics is None or entry.type != "care_status" or entry.fields.get("line_of_work") in topics

    def _rewind(self, entries: list[Entry]) -> list[Entry]:
        ids = [entry.id for entry in entries]
        homes = store.homes_then(self._connection, self._community_id, ids, self._at)
        lives = store.lives_then(self._connection, self._community_id, ids, self._at)
        later = [entry.id for entry in entries if entry.updated_at > self._at]
        versions = store.freshness_then(self._connection, self._community_id, later, self._at)
        pasts = store.changes_since(self._connection, self._community_id, later, self._at)
        opened = open_sealed(
            self._connection, self._house, self._community_id, [(past.subject_id, past.sealed) for past in pasts]
        )
        by_id = {entry.id: entry for entry in entries}
        for past, content in zip(pasts, opened, strict=True):
            self._take_back(by_id[past.record_id], (content or {}).get("previous") or {})
        for entry in entries:
            entry.home = homes.get(entry.id, entry.home)
            entry.life = lives.get(entry.id, "live")
            if entry.id in versions:
                entry.v, entry.fresh_at = versions[entry.id]
            if entry.updated_at > self._at:
                entry.conflicts = []  # which conflicts were open then is not told here
        return entries

    def _take_back(self, entry: Entry, previous: dict[str, Any]) -> None:
        form = self._house.registry.latest(entry.type)
        for values in previous.values():
            for name, value in (values or {}).items():
                spec = form.fields.get(name)
                if value is None:
                    entry.fields.pop(name, None)
                elif spec is not None and spec.privacy == "secret" and not isinstance(value, dict):
                    entry.fields[name] = mask_value(spec, value)
                else:
                    entry.fields[name] = value
