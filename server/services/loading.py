"""What a transaction must read before it decides: who is named, where they live, what history tells (S15)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import orjson

from forms.definition import RecordType
from server.sealing import KeyRing, unseal
from server.services.keys import DataKeys
from server.store import push as store
from server.store import search
from sync.arguments import MERGES, bases_of, made_records, named_records, target_community
from sync.digest import made_id
from sync.duplicates import PastMerge
from sync.effects import CARD_CAUSES, judged_with_secrets
from sync.memory import Prepared
from sync.operation import Operation
from sync.placing import placing_refs
from sync.record import PastVersion, Record

if TYPE_CHECKING:
    from forms.registry import Registry
    from server.store.database import Connection

Loaded = tuple[dict[str, Record], dict[str, bytes]]
"""Records by id, and the sealed secrets of those that have some."""

_LIFE_KINDS = frozenset({"delete", "restore"})


@dataclass(slots=True)
class Needs:
    """Judged from the text of the operations alone: which records they name, and which of them they may move."""

    ids: set[str] = field(default_factory=set)
    made: dict[str, bool] = field(default_factory=dict)  # what creations name (it may be there) → whether they place it
    movers: set[str] = field(default_factory=set)
    unplaced: bool = False  # something may stand in no cell
    persons: set[str] = field(default_factory=set)  # whose reference card may change
    locations: list[dict[str, object]] = field(default_factory=list)
    commands: bool = False
    crosses: bool = False  # a command names another community
    restored: set[str] = field(default_factory=set)
    undone: set[str] = field(default_factory=set)  # op_ids of merges that are to be taken back
    merges: dict[str, PastMerge] = field(default_factory=dict)

    @property
    def exclusive(self) -> bool:
        """Whether existing records may move, so that the placement lock must be exclusive."""
        return bool(self.movers) or self.commands

    def take_back(self, merges: dict[str, PastMerge]) -> None:
        """The merges that are to be taken back, and both records of each: they may move."""
        self.merges |= merges
        for one in merges.values():
            self.ids |= {one.survivor, one.merged}
            self.movers |= {one.survivor, one.merged}


def needs_of(groups: Iterable[Sequence[Prepared]]) -> Needs:
    """What a batch names (S15: judged from the text, so that no lock is ever upgraded)."""
    needs = Needs()
    for group in groups:
        for prepared in group:
            operation, form = prepared.operation, prepared.form
            if operation is None or form is None or prepared.refusal is not None:
                if operation is not None:
                    needs.ids.add(operation.id)
                continue
            needs.ids.add(operation.id)
            if operation.kind == "command":
                _needs_of_command(operation, needs)
                continue
            values, shape = prepared.values, prepared.shape
            named: list[object] = []
            if shape is not None:
                anchor = values.get("anchor")
                if isinstance(anchor, dict):
                    needs.locations.append(anchor)
                for name in shape.leads:
                    target = values[name]
                    if isinstance(target, str):
                        needs.ids.add(target)
                named = [values[name] for name in shape.places]
            needs.unplaced = needs.unplaced or None in named
            if operation.kind == "create":
                needs.made[operation.id] = bool(named)
                needs.unplaced = needs.unplaced or not named
                continue
            if (operation.kind in _LIFE_KINDS or named) and operation.id not in needs.made:
                needs.movers.add(operation.id)
            if operation.kind == "restore":
                needs.restored.add(operation.id)
            if form.name == "person" and (operation.kind in _LIFE_KINDS or not CARD_CAUSES.isdisjoint(values)):
                needs.persons.add(operation.id)
    needs.ids.update(made_id("card", person) for person in needs.persons)
    return needs


def _needs_of_command(operation: Operation, needs: Needs) -> None:
    """Every record that a command names may change, and may move with all that is placed by it (S15: exclusive)."""
    named, made = named_records(operation), made_records(operation)
    needs.ids |= {*named, *made}
    needs.made.update(dict.fromkeys(made, True))
    needs.unplaced = needs.commands = True
    needs.persons.update(one for one, record_type in named.items() if record_type == "person")
    needs.movers.update(one for one in named if one not in needs.made)
    needs.crosses = needs.crosses or target_community(operation) is not None
    if operation.name == "undo":
        needs.undone.add(operation.arguments["command"])


def load_all(
    connection: Connection,
    registry: Registry,
    community_id: str,
    groups: Iterable[Sequence[Prepared]],
    needs: Needs,
    moved: Sequence[str],
    ring: KeyRing,
    early: Loaded | None = None,
) -> Loaded:
    """Every record that deciding may look at: the named, those placed by them, and what may place them anew.

    ``early`` are the named ones, where they were read already.
    """
    records, secrets = early or store.load_records(connection, community_id, sorted(needs.ids))

    def more(ids: Iterable[str | None]) -> None:
        wanted = sorted({one for one in ids if one is not None and one not in records})
        if wanted:
            fresh, sealed = store.load_records(connection, community_id, wanted)
            records.update(fresh)
            secrets.update(sealed)

    more(moved)
    changes = {one.operation.id: one.values for group in groups for one in group if one.operation is not None}
    refs: list[str] = []
    persons = set(needs.persons)
    persons.update(one for one in changes if one in records and records[one].type == "person" and one in needs.made)
    for record_id in [*needs.movers, *moved]:
        record = records.get(record_id)
        if record is None:
            continue
        form = registry.latest(record.type)
        refs += placing_refs(form, record.fields) + placing_refs(form, {**record.fields, **changes.get(record_id, {})})
        if record.type == "person":
            persons.add(record_id)
            left = record.fields.get("residence_household")
            if isinstance(left, str):
                refs.append(left)
    more(refs)
    dwelling_ids = sorted(one for one in {*needs.movers, *moved} if one in records and records[one].type == "dwelling")
    registered = _registered_in(connection, community_id, dwelling_ids, ring)
    more(registered)
    persons.update(registered)
    cards = [made_id("card", person) for person in persons]
    dwellings = [
        {**records[person].fields, **changes.get(person, {})}.get("registration_dwelling")
        for person in persons
        if person in records
    ]
    owners = [str(one.fields.get("person")) for one in records.values() if one.type == "reference_card"]
    more([*cards, *dwellings, *owners])
    more(
        records[owner].fields.get("registration_dwelling")
        for owner in owners
        if owner in records
    )
    return records, secrets


def _registered_in(connection: Connection, community_id: str, dwellings: Iterable[str], ring: KeyRing) -> list[str]:
    """The persons registered in these dwellings, whose reference cards follow them (S24)."""
    keys = [ring.search_key("registration_dwelling", one) for one in dwellings]
    return sorted({record_id for _, record_id in search.found_under(connection, community_id, keys)})


def open_secrets(
    registry: Registry,
    groups: Iterable[Sequence[Prepared]],
    records: dict[str, Record],
    secrets: dict[str, bytes],
    keys: DataKeys,
    needs: Needs,
) -> None:
    """Open the secret fields of the records whose operations touch them or compare them."""
    if not secrets:
        return

    def open_one(record_id: str) -> None:
        record = records.get(record_id)
        if record is not None and not record.secret_open and record_id in secrets:
            record.fields.update(orjson.loads(unseal(keys.of(record.subject_id), secrets[record_id])))
            record.secret_open = True

    for merge in needs.merges.values():
        open_one(merge.survivor)
        open_one(merge.merged)
    for group in groups:
        for prepared in group:
            operation, form = prepared.operation, prepared.form
            if operation is None or form is None or not form.secret_fields:
                continue
            if operation.kind == "patch" and not _touches_secret(form, prepared):
                continue
            open_one(operation.id)
            if operation.name in MERGES and prepared.refusal is None:
                open_one(operation.arguments["merged"])


def _touches_secret(form: RecordType, prepared: Prepared) -> bool:
    return not judged_with_secrets(form).isdisjoint(prepared.values)


def wanted_past(groups: Iterable[Sequence[Prepared]], records: dict[str, Record]) -> dict[str, int]:
    """From which version on the history of each record must be read: only where a base is not the present version."""
    since: dict[str, int] = {}
    for group in groups:
        for prepared in group:
            for record_id, base in _bases(prepared):
                record = records.get(record_id)
                if record is None or base == (record.v, record.tag):
                    continue
                from_v = base[0] if base is not None and base[0] <= record.v else 0
                since[record.id] = min(from_v, since.get(record.id, from_v))
    return since


def _bases(prepared: Prepared) -> Sequence[tuple[str, tuple[int, str] | None]]:
    """(record, base) of what an operation was written upon; a command takes records without a base as they stand."""
    operation = prepared.operation
    if operation is None:
        return ()
    return bases_of(operation) if operation.kind == "command" else ((operation.id, operation.base),)


def unknown_bases(
    groups: Iterable[Sequence[Prepared]], since: dict[str, int], known: frozenset[tuple[str, int, str]]
) -> dict[str, int]:
    """Records with an operation over a base that history does not confirm: all of their history counts (S1, S2)."""
    found: dict[str, int] = {}
    if not any(since.values()):
        return found
    for group in groups:
        for prepared in group:
            for record_id, base in _bases(prepared):
                if base is not None and since.get(record_id, 0) != 0 and (record_id, *base) not in known:
                    found[record_id] = 0
    return found


def read_past(
    connection: Connection, community_id: str, since: dict[str, int], keys: DataKeys, learn: object
) -> tuple[dict[str, list[PastVersion]], frozenset[tuple[str, int, str]]]:
    """The opened history of each record, and the (record, v, tag) that it confirms as known bases.

    Of somebody who was erased there are versions without values.
    """
    rows = store.past_rows(connection, community_id, since)
    assert callable(learn)
    learn({row.subject_id for row in rows if row.sealed is not None})
    past: dict[str, list[PastVersion]] = {}
    known = set()
    for row in rows:
        there = row.sealed is not None and row.subject_id not in keys.erased
        opened = orjson.loads(unseal(keys.of(row.subject_id), bytes(row.sealed))) if there else {}
        units = tuple(orjson.loads(row.units))
        previous = opened.get("previous", {})
        past.setdefault(row.record_id, []).append(
            PastVersion(
                row.v, row.tag, row.op_id, row.install_id, row.n, units, previous, opened.get("set_aside", {}),
                row.life, opened.get("was", {}),
            )
        )
        known.add((row.record_id, row.v, row.tag))
    return past, frozenset(known)
