"""What a transaction has read before it decides, and what deciding adds to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from forms.definition import RecordType
from sync.duplicates import PastMerge
from sync.merge import Dispute
from sync.operation import Fields, Operation
from sync.outcome import Refusal
from sync.record import Chain, PastVersion, Record, Shape, Stamp
from sync.scope import Knowledge, ScopeRule

UNPLACED = "~unplaced"


@dataclass(slots=True)
class Prepared:
    """One operation, read and judged by its form before any lock: ``values`` are the normalised ``set``.

    ``repeat_of`` is (install, n, outcome, reason) of the same operation where it came before under another number (S21),
    ``repeated`` the record (id, v, tag) after it, as it became there; None where it made no version.
    """

    n: int
    op_id: str
    text: bytes
    content_hash: bytes
    operation: Operation | None = None
    form: RecordType | None = None
    values: Fields = field(default_factory=dict)
    shape: Shape | None = None
    refusal: Refusal | None = None
    repeat_of: tuple[str, int, str, str | None] | None = None
    repeated: tuple[str, int, str] | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a location lies: the stream of its cell (or unplaced), and the note that the record keeps about it.

    ``dedicated`` is the stream of the dedicated cell that it lies in too, if any.
    """

    home: str
    note: Fields
    lon: float | None = None
    lat: float | None = None
    dedicated: str | None = None


@dataclass(frozen=True, slots=True)
class Writer:
    """Who writes: the install, its chain, what it may touch (None: the whole community), and what it knew of who has left."""

    install_id: str
    kind: str
    chain: Chain
    scope: ScopeRule | None = None
    user_id: str | None = None
    system: bool = False
    knowledge: Knowledge | None = None


@dataclass(slots=True)
class OpenSibling:
    """An open value of an open conflict. ``op_id`` is empty until the store has told whose the standing value is.

    ``role``: ``current`` stands, ``set_aside`` waits, ``overwritten`` was written over or deleted unseen.
    """

    op_id: str
    install: str
    n: int
    role: str


@dataclass(slots=True)
class OpenConflict:
    """The one open conflict of a (record, unit). ``conflict_id`` is empty until the store has given one."""

    conflict_id: str
    siblings: list[OpenSibling]

    def waits(self, stamp: Stamp) -> bool:
        """Whether a value still waits for a decision: one set aside, or one that stands in the unit and was deleted."""
        return any(
            one.role == "set_aside" or (one.role == "overwritten" and (one.install, one.n) == stamp[1:])
            for one in self.siblings
        )


@dataclass(frozen=True, slots=True)
class Before:
    """How a record stood when the transaction began; a new record has none."""

    v: int
    tag: str
    life: str
    home: str
    fields: Fields
    place_parent: str | None = None
    dedicated: str | None = None


@dataclass(slots=True)
class Version:
    """One new row of history, never changed; ``open_units`` are the units with an open conflict once it stood."""

    record_id: str
    v: int
    tag: str
    op_id: str
    install: str
    n: int
    units: tuple[str, ...]
    previous: Mapping[str, Fields]
    set_aside: Mapping[str, Fields]
    life: str | None
    subject_id: str | None
    open_units: Sequence[str] = ()
    was: Mapping[str, Fields] = field(default_factory=dict)
    at: str | None = None
    """When it was written, where that was in another community; None: now."""


@dataclass(frozen=True, slots=True)
class Crossing:
    """A move to another community that was accepted there; ``types`` are the record types that it knows (S30)."""

    community_id: str
    types: frozenset[str]


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
    """A dispute on its way to the conflict table.

    ``standing`` and ``newcomer`` are the siblings to add (None: there already, or none); ``replaces`` the op_ids of the
    chain's own siblings that the newcomer takes the place of. ``is_new`` says that the conflict is not stored yet.
    """

    record_id: str
    subject_id: str | None
    dispute: Dispute
    operation: Operation
    n: int
    conflict: OpenConflict
    is_new: bool
    standing: OpenSibling | None
    newcomer: OpenSibling | None
    replaces: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Closing:
    """Siblings of (record, unit) that an operation settled; ``settles``: none is left that waits, the conflict closes."""

    record_id: str
    unit: str
    siblings: tuple[str, ...]
    op_id: str
    n: int
    conflict: OpenConflict
    settles: bool


@dataclass(frozen=True, slots=True)
class Reopening:
    """A conflict that was settled while its record was deleted, open again since the record was restored (S5)."""

    record_id: str
    unit: str
    conflict: OpenConflict


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
    errors: Sequence[dict[str, Any]] = ()


@dataclass(slots=True)
class Memory:
    """Working memory of one transaction. The first part is read from the store, the second is the plan.

    ``past`` has an entry for every record whose stored version is not the base of an operation; ``known`` holds the
    (record, v, tag) that history confirms. ``children`` maps a record to those placed by it, complete for every record
    in ``movable``. ``communities`` are the others of the house, read where a command names one; ``crossing`` the move that is carried
    out; ``gone`` leads from records that left to the community that they went to, ``gone_by`` to the journal number of their departure, ``parted`` is what deciding changes of it, and
    ``left`` how each stood that leaves now: (life, units with an open conflict). ``settled`` are conflicts that were settled while their record was deleted. ``redirects`` are ids of merged records and where each leads; ``led`` what deciding changes of them. ``erased`` are subjects whose
    data was lawfully erased (S28).
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
    has_cell: Callable[[str], bool] = field(default=lambda cell_id: True)
    redirects: dict[str, str] = field(default_factory=dict)
    merges: dict[str, PastMerge] = field(default_factory=dict)
    settled: dict[tuple[str, str], OpenConflict] = field(default_factory=dict)
    erased: frozenset[str] = frozenset()
    communities: frozenset[str] = frozenset()
    crossing: Crossing | None = None
    gone: Mapping[str, str] = field(default_factory=dict)
    gone_by: Mapping[str, int] = field(default_factory=dict)

    before: dict[str, Before] = field(default_factory=dict)
    created: dict[str, Record] = field(default_factory=dict)
    touched: dict[str, Record] = field(default_factory=dict)
    versions: list[Version] = field(default_factory=list)
    written: dict[str, list[Version]] = field(default_factory=dict)
    moves: list[Move] = field(default_factory=list)
    disputes: list[Listed | Closing | Reopening] = field(default_factory=list)
    findings: list[Found] = field(default_factory=list)
    decided: list[Decided] = field(default_factory=list)
    led: dict[str, str | None] = field(default_factory=dict)
    parted: dict[str, str | None] = field(default_factory=dict)
    left: dict[str, tuple[str, list[str]]] = field(default_factory=dict)
    fresh: dict[str, str] = field(default_factory=dict)

    @staticmethod
    def rooted(redirects: Mapping[str, str]) -> Callable[[str], str]:
        """The function that follows redirects to their end; there are no cycles (S8)."""

        def root(record_id: str) -> str:
            while record_id in redirects:
                record_id = redirects[record_id]
            return record_id

        return root

    def root(self, record_id: str) -> str:
        """The record that an id leads to: itself, or the survivor of the merges that it went into (S8)."""
        return self.rooted(self.redirects)(record_id)

    def merge_of(self, command_op_id: str) -> PastMerge | None:
        """The merge that a command made, in the store or a moment ago; None where it was undone, or is none."""
        found = self.merges.get(command_op_id)
        if found is not None:
            return found if self.redirects.get(found.merged) == found.survivor else None
        for record_id, target_id in self.redirects.items():
            if any(one.op_id == command_op_id and one.life == "merged" for one in self.written.get(record_id, ())):
                return PastMerge(target_id, record_id, latest=True)
        return None

    def lead(self, record_id: str, target_id: str | None) -> None:
        """Let an id lead to another record from now on (None: to its own again)."""
        self.led[record_id] = target_id
        self.redirects.pop(record_id, None)
        if target_id is not None:
            self.redirects[record_id] = target_id

    def wrote(self, version: Version) -> None:
        """A new row of history; later operations of the same transaction see it as past."""
        self.versions.append(version)
        found = self.written.get(version.record_id)
        if found is None:
            self.written[version.record_id] = [version]
        else:
            found.append(version)

    def past_of(self, record_id: str) -> list[PastVersion]:
        """What was read of a record's history, then what this transaction has written of it."""
        fresh = [
            PastVersion(
                one.v,
                one.tag,
                one.op_id,
                one.install,
                one.n,
                one.units,
                one.previous,
                one.set_aside,
                one.life,
                one.was,
            )
            for one in self.written.get(record_id, ())
        ]
        return [*self.past.get(record_id, ()), *fresh]

    def touch(self, record: Record) -> None:
        """Remember how the record stood before the first change of this transaction."""
        if record.id not in self.touched:
            self.touched[record.id] = record
            if record.id not in self.created:
                self.before[record.id] = Before(
                    record.v, record.tag, record.life, record.home, record.fields.copy(), record.place_parent,
                    record.dedicated,
                )  # fmt: skip

    def add(self, record: Record) -> None:
        """A new record."""
        self.records[record.id] = record
        self.created[record.id] = record
        self.touched[record.id] = record
        if record.place_parent is not None:
            self.children.setdefault(record.place_parent, set()).add(record.id)
