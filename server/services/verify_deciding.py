"""Deciding again: every version of a record from the sealed text that made it, by the merge of this program (S27).

What stands in a record is nowhere twice: history keeps what was there before, the journal the texts. Here both are laid against
each other: a version's values are those that the next change of its unit found, or the present ones, and must be what the operation
makes of the version before. What cannot be decided from one record alone is folded and counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any

import orjson

from forms.definition import RecordType
from server.sealing import unseal
from server.services.carry import ENGINE_VERSION
from server.services.differences import Watch
from server.services.keys import COMMUNITY, DataKeys, SubjectErased
from server.services.loading import read_past
from server.services.prepare import prepare
from server.services.unsealing import learn
from server.store import installs
from server.store import push as reading
from server.store import verify as store
from sync.entering import first_values
from sync.memory import Prepared
from sync.merge import merge
from sync.operation import Fields
from sync.record import Chain, PastVersion, Record

if TYPE_CHECKING:
    from server.store.database import Connection

_AT_ONCE = 250
_TEXTS_KEPT = 256
AGAIN = "versions decided again"
FOLDED = "versions folded: of commands, resolutions, other engines, or made by the server"
ELSEWHERE = "versions folded: made in another community, or without an operation"
GONE = "versions whose text nobody can read any more"


def decide_again(connection: Connection, watch: Watch) -> None:
    """Decide every version of every record of a community anew; DifferenceFound at the first that comes out otherwise.

    Memory: some hundred records with their history.
    """
    again = _Again(connection, watch)
    lane = watch.seen(store.present(connection, watch.community_id))
    while rows := list(islice(lane, _AT_ONCE)):
        again.check(rows)


class _Again:
    def __init__(self, connection: Connection, watch: Watch) -> None:
        self._connection, self._watch = connection, watch
        self._keys = DataKeys(watch.keys)
        self._chains: dict[str, dict[str, int]] = {}
        self._texts: dict[tuple[int, str], dict[str, str]] = {}

    def check(self, rows: Sequence[Any]) -> None:
        """Records with everything that they were."""
        connection, community_id = self._connection, self._watch.community_id
        ids = [row.id for row in rows]
        past, _ = read_past(connection, community_id, dict.fromkeys(ids, 0), self._keys, self._learn)
        self._learn(row.subject_id for row in rows)
        operations = store.operations_by_id(connection, community_id, {one.op_id for found in past.values() for one in found})
        self._learn(one.subject_id for one in operations.values())
        others = store.versions_of_other_engines(connection, community_id, ids, ENGINE_VERSION)
        for row in rows:
            self._check_record(row, past.get(row.id, []), operations, others)

    def _learn(self, subjects: Iterable[str | None]) -> None:
        learn(self._keys, self._connection, self._watch.community_id, subjects)

    def _check_record(
        self, row: Any, past: Sequence[PastVersion], operations: dict[str, Any], others: set[tuple[str, int]]
    ) -> None:
        counts, registry = self._watch.counts, self._watch.house.registry
        if row.type not in registry.types() or registry.latest(row.type).server_made:
            counts[FOLDED] += len(past)
            return
        try:
            after = states(self._fields(row), past)
        except SubjectErased:
            counts[GONE] += len(past)
            return
        life = "live"
        stamps: dict[str, tuple[int, str, int]] = {}
        for place, version in enumerate(past):
            prepared = self._prepared(version, operations.get(version.op_id))
            if prepared is None:
                counts[GONE if version.op_id in operations else ELSEWHERE] += 1
            elif (row.id, version.v) in others or not _is_plain(prepared, version):
                counts[FOLDED] += 1
            else:
                assert prepared.operation is not None and prepared.form is not None
                record = None if place == 0 else Record(
                    row.id, row.type, past[place - 1].v, past[place - 1].tag, life, "", None, row.subject_id, dict(after[place - 1]),
                    dict(stamps), [], {}, row.form_version, row.created_install, row.created_n,
                )  # fmt: skip
                self._decide(row.id, record, prepared, prepared.form, past[: place + 1], after[place])
                counts[AGAIN] += 1
            life = version.life or life
            if place:
                stamps.update(dict.fromkeys(version.units, (version.v, version.install, version.n)))

    def _decide(
        self, record_id: str, record: Record | None, prepared: Prepared, form: RecordType, past: Sequence[PastVersion], after: Fields
    ) -> None:
        version, watch, operation = past[-1], self._watch, prepared.operation
        assert operation is not None
        at = f"version {version.v} decided again"
        if record is None:
            made = first_values(form, prepared.values)
            for name in sorted({*made, *after}):
                if made.get(name) != after.get(name):
                    watch.differs("record", record_id, f"{at}, field {name}", "what its text makes", "another value")
            return
        operation = replace(operation, id=record_id)  # the id in the text may be one that leads here (S8)
        known = operation.base is not None and operation.base in {(one.v, one.tag) for one in past[:-1]}
        chain = Chain(version.install, self._ancestors(version.install))
        result = merge(form, record, operation, prepared.values, chain, base_known=known, past=past[:-1])
        watch.same("record", record_id, f"{at}, units", sorted(result.applied), sorted(version.units))
        watch.same("record", record_id, f"{at}, units set aside", sorted(result.set_aside), sorted(version.set_aside))
        watch.same("record", record_id, f"{at}, life", result.life, version.life)
        for unit, values in result.applied.items():
            whole = result.previous[unit] | values
            if whole != {name: after.get(name) for name in whole}:
                watch.differs("record", record_id, f"{at}, unit {unit}", "what its text makes", "another value")
            if result.previous[unit] != {name: version.previous.get(unit, {}).get(name) for name in whole}:
                watch.differs("record", record_id, f"{at}, unit {unit} before it", "as it stood", "another value")
        for unit, value in result.set_aside.items():
            if value != version.set_aside[unit]:
                watch.differs("record", record_id, f"{at}, unit {unit} set aside", "what its text says", "another value")

    def _fields(self, row: Any) -> Fields:
        fields: Fields = self._watch.read_json("record", row.id, "fields", row.fields)
        if row.secret is not None:
            fields |= orjson.loads(unseal(self._keys.of(row.subject_id), bytes(row.secret)))
        return fields

    def _ancestors(self, install_id: str) -> dict[str, int]:
        if install_id not in self._chains:
            self._chains[install_id] = installs.ancestors_of(self._connection, self._watch.community_id, install_id)
        return self._chains[install_id]

    def _prepared(self, version: PastVersion, row: Any) -> Prepared | None:
        """The operation that made a version, read again; None where its text cannot be read by anybody."""
        if row is None:
            return None
        place = (int(row.number), row.subject_id or COMMUNITY)
        if place not in self._texts:
            if len(self._texts) >= _TEXTS_KEPT:
                self._texts.clear()
            try:
                sealed = reading.payload(self._connection, self._watch.community_id, *place)
                self._texts[place] = orjson.loads(unseal(self._keys.of(place[1]), sealed)) if sealed else {}
            except SubjectErased:
                self._texts[place] = {}
        text = self._texts[place].get(str(row.n))
        return prepare(version.n, text, self._watch.keys, self._watch.house.registry) if text is not None else None


def _is_plain(prepared: Prepared, version: PastVersion) -> bool:
    """Whether an operation is decided from one record alone. A resolution looks at the values in dispute, a command at others."""
    operation = prepared.operation
    if operation is None or prepared.form is None or prepared.refusal is not None or operation.op_id != version.op_id:
        return False
    return operation.kind == "create" if version.v == 1 else operation.kind not in ("command", "resolve")


def states(present: Fields, past: Sequence[PastVersion]) -> list[Fields]:
    """The fields after each version, ascending: the present ones with every later change taken back."""
    fields = {name: value for name, value in present.items() if value is not None}
    found = [fields]
    for version in reversed(past[1:]):
        fields = dict(fields)
        for values in version.previous.values():
            for name, value in values.items():
                if value is None:
                    fields.pop(name, None)
                else:
                    fields[name] = value
        found.append(fields)
    return found[::-1]
