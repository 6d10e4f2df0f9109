"""What a transaction has read before it decides, and what deciding adds to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from forms.definition import RecordType
from sync.merge import Dispute
from sync.operation import Fields, Operation
from sync.outcome import Refusal
from sync.record import Chain, PastVersion, Record
from sync.scope import ScopeRule

UNPLACED = "~unplaced"


@dataclass(slots=True)
class Prepared:
    """One operation, read and judged by its form before any lock: ``values`` are the normalised ``set``.

    ``repeat_of`` is (install, n, outcome, reason) of the same operation where it came before under another number (S21).
    """

    n: int
    op_id: str
    text: bytes
    content_hash: bytes
    operation: Operation | None = None
    form: RecordType | None = None
    values: Fields = field(default_factory=dict)
    refusal: Refusal | None = None
    repeat_of: tuple[str, int, str, str | None] | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a location lies: the stream of its cell (or unplaced), and the note that the record keeps about it."""

    home: str
    note: Fields
    lon: float | None = None
    lat: float | None = None


@dataclass(frozen=True, slots=True)
class Writer:
    """Who writes: the install, its chain, and what it may touch (None: the whole community)."""

    install_id: str
    kind: str
    chain: Chain
    scope: ScopeRule | None = None
    user_id: str | None = None
    system: bool = False


@dataclass(slots=True)
class OpenSibling:
    """An open value of an open conflict."""

    op_id: str
    install: str
    n: int
    role: str


@dataclass(slots=True)
class OpenConflict:
    """The one open conflict of a (record, unit)."""

    conflict_id: str
    siblings: list[OpenSibling]


@dataclass(frozen=True, slots=True)
class Before:
    """How a record stood when the transaction began; a new record has none."""

    v: int
    tag: str
    life: str
    home: str
    fields: Fields
    place_parent: str | None = None


@dataclass(frozen=True, slots=True)
class Version:
    """One new row of history; ``open_units`` are the units with an open conflict once it stood."""

    record_id: str
    v: int
    tag: str
    op_id: str
    install: str
    n: int
    units: list[str]
    previous: dict[str, Fields]
    set_aside: dict[str, Fields]
    life: str | None
    subject_id: str | None
    open_units: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Move:
    """A record that changed its home stream."""

    record_id: str
    v: int
    from_home: str
    to_home: str
    reason: str


@dataclass(frozen=True, slots=True)
class Listed:
    """A dispute on its way to the conflict table."""

    record_id: str
    subject_id: str | None
    dispute: Dispute
    operation: Operation
    n: int


@dataclass(frozen=True, slots=True)
class Closing:
    """A resolution: the siblings of (record, unit) that it saw, and the operation that decided."""

    record_id: str
    unit: str
    siblings: tuple[str, ...]
    op_id: str
    n: int


@dataclass(frozen=True, slots=True)
class Found:
    """A finding for the secretary; ``opens`` False closes the open one of the same kind, name and record."""

    kind: str
    name: str
    record_id: str
    units: tuple[str, ...]
    opens: bool = True


@dataclass(slots=True)
class Decided:
    """What became of one operation."""

    prepared: Prepared
    outcome: str
    reason: str | None = None
    v: int | None = None
    tag: str | None = None
    waits_for: str | None = None
    group_n: int = 0
    errors: list[dict[str, Any]] = field(default_factory=list)


@dataclass(slots=True)
class Memory:
    """Working memory of one transaction. The first part is read from the store, the second is the plan.

    ``past`` has an entry for every record whose stored version is not the base of an operation; ``known`` holds the
    (record, v, tag) that history confirms. ``children`` maps a record to those placed by it, complete for every record
    in ``movable``.
    """

    records: dict[str, Record]
    place: Callable[[Fields], Place]
    forms: Callable[[str], RecordType]
    arrived_at: str
    today: str
    past: Mapping[str, list[PastVersion]] = field(default_factory=dict)
    known: frozenset[tuple[str, int, str]] = frozenset()
    movable: frozenset[str] = frozenset()
    children: dict[str, set[str]] = field(default_factory=dict)
    blocked: set[str] = field(default_factory=set)
    conflicts: dict[tuple[str, str], OpenConflict] = field(default_factory=dict)

    before: dict[str, Before] = field(default_factory=dict)
    created: dict[str, Record] = field(default_factory=dict)
    touched: dict[str, Record] = field(default_factory=dict)
    versions: list[Version] = field(default_factory=list)
    moves: list[Move] = field(default_factory=list)
    listed: list[Listed] = field(default_factory=list)
    closings: list[Closing] = field(default_factory=list)
    findings: list[Found] = field(default_factory=list)
    decided: list[Decided] = field(default_factory=list)

    def touch(self, record: Record) -> None:
        """Remember how the record stood before the first change of this transaction."""
        if record.id not in self.touched:
            self.touched[record.id] = record
            if record.id not in self.created:
                self.before[record.id] = Before(
                    record.v, record.tag, record.life, record.home, record.fields.copy(), record.place_parent
                )

    def add(self, record: Record) -> None:
        """A new record."""
        self.records[record.id] = record
        self.created[record.id] = record
        self.touched[record.id] = record
        if record.place_parent is not None:
            self.children.setdefault(record.place_parent, set()).add(record.id)
