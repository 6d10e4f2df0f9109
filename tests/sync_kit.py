"""A community in memory: operations of several writers decided by ``sync.plan``, with history kept as the server keeps it.

Nothing here merges: records, past, known bases, conflicts and counters are handed to ``decide`` as a transaction
would load them, and what it plans is written back.
"""

from __future__ import annotations

import copy
import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from forms.registry import load_registry
from forms.validate import validator
from sync.arguments import bases_of, wrong_arguments
from sync.commanding import targets_of
from sync.digest import MODULUS, record_hash
from sync.duplicates import PastMerge
from sync.feedrows import Counter, StreamChanges, stream_changes, streams_of
from sync.memory import UNPLACED, Decided, Memory, OpenConflict, Place, Prepared, Writer
from sync.operation import operation_of
from sync.outcome import HELD, PROPOSAL, QUARANTINED
from sync.plan import decide
from sync.record import Chain, PastVersion, Record, shape_of
from sync.redirects import followed
from sync.scope import ScopeRule

AT = "2026-03-02T01:00:00.000Z"
REGISTRY = load_registry()
VECTORS = Path(__file__).parent / "vectors"


def uid(name: str | int) -> str:
    """The same id for the same name, in the shape that operations carry."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, str(name)))


SURVEY: dict[str, Any] = json.loads((VECTORS / "merge/form.json").read_text(encoding="utf-8"))
"""A form with a field of each policy, a fact of three fields for review, and a fact of two of which the last stands."""
SURVEYED = load_registry([SURVEY])


def operation(kind: str, record_type: str, name: str, values: Mapping[str, Any] | None = None, /, **more: Any) -> dict[str, Any]:
    """The JSON of an operation; ``op`` names it, else its content does."""
    data = {"kind": kind, "type": record_type, "id": uid(name), "set": dict(values or {}), "was": {}, "base": None,
            "form_version": 1, "claimed_at": AT}  # fmt: skip
    named = more.pop("op", None) or json.dumps([data, more], sort_keys=True)
    return {**data, "op_id": uid(f"op {named}"), **more}


def prepared(n: int, data: Mapping[str, Any], registry: Any = REGISTRY) -> Prepared:
    """As the server reads an operation, less its hash."""
    read = operation_of(json.loads(json.dumps(data)))
    form = registry.latest(read.type)
    if read.kind == "command":
        assert not wrong_arguments(read, registry.latest), wrong_arguments(read, registry.latest)
        return Prepared(n, read.op_id, b"", b"", read, form)
    values, errors = validator(form)(read.set, read.kind == "create")
    assert not errors, errors
    return Prepared(n, read.op_id, b"", b"", read, form, values, shape_of(form, tuple(values)) if form is not None else None)


@dataclass
class Village:
    """Records and their history, with cells by longitude: ``cell/0`` from 0 to 1, ``cell/1`` from 1 to 2, and so on."""

    registry: Any = REGISTRY
    cells: int = 4
    today: str = "2026-03-02"
    records: dict[str, Record] = field(default_factory=dict)
    past: dict[str, list[PastVersion]] = field(default_factory=dict)
    conflicts: dict[tuple[str, str], OpenConflict] = field(default_factory=dict)
    counters: dict[str, Counter] = field(default_factory=dict)
    findings: dict[tuple[str, str, str], bool] = field(default_factory=dict)
    consumed: dict[str, int] = field(default_factory=dict)
    held: list[tuple[str, list[dict[str, Any]]]] = field(default_factory=list)
    blocked: dict[str, set[str]] = field(default_factory=dict)
    answers: dict[str, tuple[str, int, str, str | None]] = field(default_factory=dict)
    listed: list[Any] = field(default_factory=list)
    typed: list[Any] = field(default_factory=list)
    ancestors: dict[str, dict[str, int]] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    entered: dict[tuple[str, int], tuple[str, str]] = field(default_factory=dict)  # (install, n) → addressed, entered
    merged_by: dict[str, str] = field(default_factory=dict)  # op_id of a merge → the record that it ended

    def place(self, location: Mapping[str, Any]) -> Place:
        lon = float(location["lon"])
        home = f"cell/{int(lon)}" if 0 <= lon < self.cells else UNPLACED
        return Place(home, {"decision": "inside" if home != UNPLACED else "outside"}, lon, float(location["lat"]))

    def push(
        self, install: str, *groups: Iterable[Mapping[str, Any]], scope: ScopeRule | None = None, system: bool = False
    ) -> list[Decided]:
        """Decide the groups in one transaction and write what was decided; what became of each operation."""
        batch = []
        for group in groups:
            members = []
            for data in group:
                n = self.consumed[install] = self.consumed.get(install, 0) + 1
                one = prepared(n, data, self.registry)
                one.repeat_of = self.answers.get(one.op_id)
                members.append(one)
            batch.append(members)
        batch = followed(batch, Memory.rooted(self.redirects))
        memory = self.memory(batch, install)
        writer = Writer(install, "device", Chain(install, self.ancestors.get(install, {})), scope, system=system)
        decide(batch, writer, memory)
        self.write(memory, install)
        return memory.decided

    def one(self, install: str, data: Mapping[str, Any], **more: Any) -> Decided:
        """A group of one."""
        return self.push(install, [data], **more)[0]

    def memory(self, batch: list[list[Prepared]], install: str = "") -> Memory:
        """What a transaction would have read."""
        since: dict[str, int] = {}
        for one in (one for group in batch for one in group):
            assert one.operation is not None
            command = one.operation.kind == "command"
            for record_id, base in bases_of(one.operation) if command else [(one.operation.id, one.operation.base)]:
                record = self.records.get(record_id)
                if record is None or base == (record.v, record.tag):
                    continue
                v = base[0] if self.knows(record_id, base) and base else 0
                since[record.id] = min(v, since.get(record.id, v))
        since |= {self.redirects[merged]: 0 for merged in self.merged_by.values() if merged in self.redirects}
        past = {key: [row for row in self.past[key] if row.v >= v] for key, v in since.items()}
        children: dict[str, set[str]] = {}
        for record in self.records.values():
            if record.place_parent is not None:
                children.setdefault(record.place_parent, set()).add(record.id)
        return Memory(
            records=copy.deepcopy(self.records),
            place=self.place,
            forms=self.registry.latest,
            arrived_at=AT,
            today=self.today,
            past=past,
            known=frozenset((key, row.v, row.tag) for key, rows in past.items() for row in rows),
            movable=frozenset(self.records),
            children=children,
            blocked=set(self.blocked.get(install, ())),
            conflicts=copy.deepcopy(self.conflicts),
            redirects=dict(self.redirects),
            merges={op_id: self.past_merge(merged) for op_id, merged in self.merged_by.items() if merged in self.redirects},
        )

    def past_merge(self, merged: str) -> PastMerge:
        """A merge that still holds, as the store tells it."""
        survivor = self.redirects[merged]
        later = [one for one, target in self.redirects.items() if target == survivor]
        family = {one for one in [merged, *self.redirects] if one == merged or self.redirects.get(one) == merged}
        written = {key for key, (addressed, entered) in self.entered.items() if addressed in family and entered == survivor}
        latest = survivor not in self.redirects and later[-1] == merged
        return PastMerge(survivor, merged, latest, frozenset(written))

    def knows(self, record_id: str, base: tuple[int, str] | None) -> bool:
        return any((row.v, row.tag) == base for row in self.past.get(record_id, ()))

    def write(self, memory: Memory, install: str) -> StreamChanges:
        """Keep what a transaction decided, as the server's tables would."""
        homes = {UNPLACED, *(record.home for record in [*memory.records.values(), *memory.before.values()])}
        for home in homes | {f"install/{one.created_install}" for one in memory.records.values()}:
            self.counters.setdefault(home, Counter(0, 0, 0))
        devices = frozenset(one.created_install for one in memory.records.values())
        changes = stream_changes(memory, self.counters, devices, [])
        self.records = {**self.records, **memory.touched}
        for one in memory.versions:
            self.past.setdefault(one.record_id, []).append(
                PastVersion(
                    one.v, one.tag, one.op_id, one.install, one.n, tuple(one.units), one.previous, one.set_aside, one.life
                )
            )
        self.conflicts = memory.conflicts
        for (record_id, unit), conflict in self.conflicts.items():
            conflict.conflict_id = conflict.conflict_id or f"{record_id}/{unit}"
            for sibling in conflict.siblings:
                sibling.op_id = sibling.op_id or self.writer_of(record_id, sibling.install, sibling.n)
        self.listed += memory.disputes
        self.redirects = memory.redirects
        self.merged_by |= {one.op_id: one.record_id for one in memory.versions if one.life == "merged"}
        for one in memory.decided:
            operation = one.prepared.operation
            if operation is not None and operation.addressed is not None:
                self.entered[install, one.prepared.n] = (operation.addressed, operation.id)
        for found in memory.findings:
            self.findings[(found.kind, found.name, found.record_id)] = found.opens
        for decided in memory.decided:
            one = decided.prepared
            self.answers.setdefault(one.op_id, (install, one.n, decided.outcome, decided.reason))
            if decided.outcome in (HELD, QUARANTINED) and one.operation is not None and decided.reason != PROPOSAL:
                self.blocked.setdefault(install, set()).update(targets_of(one.operation))
        return changes

    def writer_of(self, record_id: str, install: str, n: int) -> str:
        return next(row.op_id for row in self.past[record_id] if (row.install, row.n) == (install, n))

    # ------------------------------------------------------------ reading
    def record(self, name: str) -> Record:
        return self.records[uid(name)]

    def fields(self, name: str) -> dict[str, Any]:
        return self.record(name).fields

    def base(self, name: str) -> dict[str, Any]:
        """What a phone that has just pulled names as base."""
        record = self.record(name)
        return {"v": record.v, "tag": record.tag}

    def open(self, name: str) -> list[str]:
        return self.record(name).open_units

    def found(self, kind: str) -> list[tuple[str, str]]:
        """(name, record id) of the open findings of a kind."""
        return [(name, record_id) for (known, name, record_id), opens in self.findings.items() if known == kind and opens]

    def check_streams(self) -> None:
        """Counts and digests equal a recomputation from the records."""
        expected: dict[str, tuple[int, int]] = {}
        devices = frozenset(one.created_install for one in self.records.values())
        for record in self.records.values():
            for stream_id in streams_of(record.home, record.life, record.created_install, devices, record.dedicated):
                count, digest = expected.get(stream_id, (0, 0))
                expected[stream_id] = (count + 1, (digest + record_hash(record.id, record.v, record.tag)) % MODULUS)
        kept = {stream_id: (one.count, one.digest) for stream_id, one in self.counters.items() if one.count or one.digest}
        assert kept == expected

    def of_type(self, record_type: str, life: str = "live") -> list[Record]:
        return [one for one in self.records.values() if one.type == record_type and one.life == life]


def survey_village() -> Village:
    """A village that knows the survey form too."""
    return Village(registry=SURVEYED)


def anchored(lon: float) -> dict[str, Any]:
    """A location in the cell of this longitude, canonical."""
    return {"lon": lon, "lat": 0.5, "datum": "cgcs2000", "accuracy_m": 2, "confidence": 0.95, "method": "survey", "at": AT,
            "raw": {"lon": lon, "lat": 0.5}, "converter": "1"}  # fmt: skip


__all__ = [
    "AT", "REGISTRY", "SURVEY", "VECTORS", "Village", "anchored", "operation", "prepared", "survey_village", "uid",
]  # fmt: skip
