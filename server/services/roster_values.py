"""The values of roster columns: along paths of references, derived, labelled, compared and ordered."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any

from forms.derived import DERIVED, TIED, derive
from forms.dwelling_facts import DERIVED_CODES
from forms.index import normalise_for_search
from forms.registry import Registry
from forms.roster import RosterColumn
from server.permissions import Scope
from server.services.labels import code_labels
from server.services.pinyin import sounds_like
from server.services.roster_doors import Doors
from server.services.roster_query import Filter
from server.services.roster_source import Source
from server.services.roster_stays import Stays
from server.services.tables import Value, joined
from server.store.rosters import Entry
from sync.days import day_at

Path = tuple[str, ...]
Reader = Callable[[Entry], Any]

@dataclass(frozen=True, slots=True)
class _Counted:
    """What a derived number counts: records of a type by the ref field that names the holder.

    ``placed``: they stand in the holder, else they only name it. ``having``: only those with a value in this field.
    ``unless``: not those with this value in this field. ``through``: without a holder they count for that of the record named here.
    """

    kind: str
    ref: str
    placed: bool = True
    having: str | None = None
    unless: tuple[str, str] | None = None
    through: str | None = None


_COUNTS = {
    "members_count": _Counted("person", "residence_household"),
    "members_with_phone_count": _Counted("person", "residence_household", having="phones"),
    "households_count": _Counted("household", "dwelling"),
    "members_known_count": _Counted("party_member", "organization", placed=False),
    "check_ins_count": _Counted("check_in", "party_member", placed=False, unless=("state", "ended")),
    "services_count": _Counted("service_record", "party_member", placed=False, through="check_in"),
}
_STAYS = frozenset({"came_here_on", "moved_in_on", "born_here_on", "stay_began_on", "left_here_on", "left_by_death"})
_OF_DOORS = frozenset({"residence_state", "registration_hangs", "arrangement"})
_DIGITS = re.compile(r"(\d+)")


class Values:
    """Reads columns of the entries that were loaded into it.

    Parameters
    ----------
    cells : code of a cell by its home stream
    today : the day that ages are counted to
    """

    def __init__(
        self,
        source: Source,
        registry: Registry,
        scope: Scope,
        cells: Mapping[str, str],
        today: date,
        homes: Sequence[str] | None,
    ) -> None:
        self._source, self._registry, self._scope = source, registry, scope
        self._cells, self._today, self._homes = cells, today, homes
        self._known: dict[str, Entry | None] = {}
        self._ends: dict[Path, dict[str, Entry]] = {}
        self._counts: dict[tuple[str, str], int] = {}
        self._counted: set[str] = set()
        self._living: dict[str, int] = {}
        self._stays: Stays | None = None
        self._doors = Doors(source, today, homes)

    def load(self, entries: Sequence[Entry], columns: Iterable[RosterColumn], leads: Iterable[Path] = ()) -> None:
        """Fetch what these columns and ways of these entries refer to: one query per step of the longest path."""
        columns = list(columns)
        steps = {path[:length] for path in leads for length in range(1, len(path) + 1)}
        for column in columns:
            for path in self._paths(column):
                steps |= {path[:length] for length in range(1, len(path) + 1)}
        # Many people lead to one household, many households to one building: each is asked once for what it leads to.
        ends: dict[Path, list[Entry]] = {(): list(entries)}
        for length in range(1, max((len(step) for step in steps), default=0) + 1):
            leading: dict[Path, set[str]] = {}
            for step in steps:
                if len(step) == length:
                    parents = ends[step[:-1]]
                    leading[step] = {target for one in parents if isinstance(target := one.fields.get(step[-1]), str)}
            wanted = set().union(*leading.values()) - self._known.keys()
            found = self._source.by_id(wanted)
            self._known.update({name: found.get(name) for name in wanted})
            for step, names in leading.items():
                ends[step] = [end for name in names if (end := self._known[name]) is not None]
        for column in columns:
            if column.derived in _COUNTS:
                self._count(column, entries)
            elif column.derived == "lives_alone":
                self._count_living(column, entries)
            elif column.derived in _OF_DOORS:
                holders = (self.follow(entry, column.paths[0]) for entry in entries)
                self._doors.load(door for one in holders if (door := self._door_of(column.derived or "", one)) is not None)
            elif column.derived in _STAYS and self._stays is None:
                self._stays = Stays(self._source)

    def _paths(self, column: RosterColumn) -> Iterable[Path]:
        """Paths of references that must be known for a column."""
        if column.derived is None:
            yield from (path[:-1] for path in column.paths)
            return
        for start in column.paths:
            yield start
            if column.derived in ("left_here_on", "left_by_death"):
                yield (*start, "person")
            if column.derived == "residence_state" and self._scope.streams is not None:
                yield (*start, "registration_dwelling")  # whether its door lies within the cells
            for need in DERIVED[column.derived].needs:
                yield (*start, *need.split(".")[:-1])

    def _count(self, column: RosterColumn, entries: Sequence[Entry]) -> None:
        counted = _COUNTS[column.derived or ""]
        if not counted.placed:
            if column.derived not in self._counted:
                self._counted.add(column.derived or "")
                found = Counter(self._source.referring(counted.kind, counted.ref, unless=counted.unless))
                if counted.through is not None:
                    between = self._source.referring(counted.kind, counted.through, unless=counted.unless, without=counted.ref)
                    for name, one in self._source.by_id(between).items():
                        if isinstance(holder := one.fields.get(counted.ref), str):
                            found[self._source.root(holder)] += between[name]
                self._counts.update({(column.derived or "", name): number for name, number in found.items()})
            return
        holders = (self.follow(entry, column.paths[0]) for entry in entries)
        parents = sorted({holder.id for holder in holders if holder is not None})
        placed = self._source.placed(counted.kind, counted.ref, parents, self._homes, having=counted.having)
        self._counts.update({(column.derived or "", name): number for name, number in placed.items()})

    def _count_living(self, column: RosterColumn, entries: Sequence[Entry]) -> None:
        """How many live behind each door of these people."""
        doors: set[str] = set()
        for entry in entries:
            holder = self.follow(entry, column.paths[0])
            home = self.follow(holder, ("residence_household",)) if holder is not None else None
            if home is not None and isinstance(door := home.fields.get("dwelling"), str):
                doors.add(door)
        self._living.update(self._source.living(sorted(doors - self._living.keys()), self._homes))

    def _alone(self, holder: Entry) -> bool:
        """Whether a person lives behind a door where nobody else does; in a collective household nobody is alone."""
        home = self.follow(holder, ("residence_household",))
        if home is None or home.fields.get("kind") == "collective":
            return False
        if holder.fields.get("vital_status") == "deceased" or holder.fields.get("presence") == "away_long":
            return False
        return self._living.get(home.fields.get("dwelling", "")) == 1

    def _door_of(self, name: str, holder: Entry | None) -> str | None:
        """The dwelling whose residents decide a derived value: where somebody lives, or where they are registered."""
        if holder is None:
            return None
        if name == "arrangement":
            home = self.follow(holder, ("residence_household",))
            door = home.fields.get("dwelling") if home is not None else None
        else:
            door = holder.fields.get("registration_dwelling")
            if name == "residence_state" and holder.fields.get("residence_household") and holder.fields.get("presence") != "away_long":
                return None  # lives here: where somebody is registered does not hang on the others
        return self._source.root(door) if isinstance(door, str) else None

    def _lived_in(self, holder: Entry) -> str | None:
        """How the old people live where somebody lives; None for who lives in no known dwelling."""
        door = self._door_of("arrangement", holder)
        lives = holder.fields.get("vital_status") != "deceased" and holder.fields.get("presence") != "away_long"
        return self._doors.lived_in(door) if door is not None and lives else None

    def _hangs(self, holder: Entry) -> bool | None:
        """Whether nobody of the register lives where a person is registered; not told of a door outside the cells of a grid worker."""
        door = self._door_of("registration_hangs", holder)
        if door is None or holder.fields.get("vital_status") == "deceased" or self.follow(holder, ("registration_dwelling",)) is None:
            return False
        return not self._doors.is_tied(door) if self._is_within(holder) else None

    def _is_within(self, holder: Entry) -> bool:
        """Whether the door of a registration lies in the cells of a grid worker: who lives behind another one is not told."""
        stands = self.follow(holder, ("registration_dwelling",))
        return self._scope.streams is None or (stands is not None and stands.home in self._scope.streams)

    def _stay(self, name: str, holder: Entry) -> str | bool | None:
        """When a stay in the community began or ended; not told of who is outside the cells of a grid worker."""
        if self._stays is None or (self._scope.streams is not None and holder.home not in self._scope.streams):
            return None
        if name == "came_here_on":
            return self._stays.came_on(holder)
        if name in ("moved_in_on", "born_here_on"):
            return self._stays.joined_on(holder, by_birth=name == "born_here_on")
        if name == "stay_began_on":
            return self._stays.began_on(holder)
        left = self._stays.by_death if name == "left_by_death" else self._stays.left_on
        return left(holder, self.follow(holder, ("person",)))

    def follow(self, entry: Entry | None, path: Path) -> Entry | None:
        """The record at the end of a path of references; None where a step leads nowhere."""
        if entry is None or not path:
            return entry
        ends = self._ends.setdefault(path, {})
        if entry.id in ends:
            return ends[entry.id]
        # The first step first: those of one household then go the rest of the way together.
        target = entry.fields.get(path[0])
        end = self.follow(self._known.get(target), path[1:]) if isinstance(target, str) else None
        if end is not None:
            ends[entry.id] = end
        return end

    def reader(self, column: RosterColumn) -> Reader:
        """A function from a loaded entry to the value of a column; None where there is none."""
        if column.derived is not None:
            return self._derived_reader(column)
        ways = [(path[:-1], path[-1]) for path in column.paths]

        def read(entry: Entry) -> Any:
            for path, name in ways:
                holder = self.follow(entry, path)
                if (
                    holder is not None
                    and (value := holder.fields.get(name)) is not None
                    and self._may_show(holder, entry, name)
                ):
                    return value
            return None

        return read

    def _may_show(self, holder: Entry, entry: Entry, name: str) -> bool:
        """Of a record outside the cells of a grid worker only public fields are shown."""
        if holder is entry or self._scope.streams is None or holder.home in self._scope.streams:
            return True
        spec = self._registry.latest(holder.type).fields.get(name)
        return spec is not None and spec.privacy == "public"

    def _elsewhere(self, start: Path, holder: Entry) -> bool:
        """Whether a record that another one leads to lies outside the cells of a grid worker."""
        return bool(start) and self._scope.streams is not None and holder.home not in self._scope.streams

    def _derived_reader(self, column: RosterColumn) -> Reader:
        name, start = column.derived or "", column.paths[0]
        if name == "cell_code":
            return lambda entry: self._cells.get(holder.home) if (holder := self.follow(entry, start)) else None
        if name == "confirmed_on":
            return lambda entry: day_at(holder.fresh_at) if (holder := self.follow(entry, start)) else None
        if name in _COUNTS:
            return lambda entry: (
                self._counts.get((name, holder.id), 0) if (holder := self.follow(entry, start)) else None
            )
        if name == "lives_alone":
            return lambda entry: self._alone(holder) if (holder := self.follow(entry, start)) else None
        if name in ("arrangement", "registration_hangs"):
            told = self._lived_in if name == "arrangement" else self._hangs
            return lambda entry: told(holder) if (holder := self.follow(entry, start)) and not self._elsewhere(start, holder) else None
        if name in _STAYS:
            return lambda entry: self._stay(name, holder) if (holder := self.follow(entry, start)) else None
        needs = [(need, tuple(need.split("."))) for need in DERIVED[name].needs]

        def read(entry: Entry) -> Any:
            holder = self.follow(entry, start)
            if holder is None or self._elsewhere(start, holder):
                return None
            values: dict[str, Any] = {}
            if name == "residence_state" and (door := self._door_of(name, holder)) is not None and self._is_within(holder):
                values[TIED] = self._doors.is_tied(door)
            for need, path in needs:
                end = self.follow(holder, path[:-1])
                values[need] = end.fields.get(path[-1]) if end is not None and self._may_show(end, holder, path[-1]) else None
            return derive(name, values, record_id=holder.id, today=self._today)

        return read


# ---------------------------------------------------------------- comparing and ordering
def holds(condition: Filter, value: Any, text_format: str | None) -> bool:
    """Whether a column's value meets a condition. Text is compared as it is searched: width and case do not count."""
    op, wanted = condition.op, condition.value
    if op == "is_null":
        return (value is None or value == []) is wanted
    if value is None:
        return op == "not_in"
    if op in {"in", "not_in"}:
        return (op == "in") is any(_same(value, one, text_format) for one in wanted)
    if op == "eq":
        return _same(value, wanted, text_format)
    if op == "has":
        return any(_same(one, wanted, text_format) for one in value)
    if op == "contains_any":
        return any(normalise_for_search(one, text_format) in normalise_for_search(str(value), text_format) for one in wanted)
    if op in {"starts_with", "contains"}:
        here, there = normalise_for_search(str(value), text_format), normalise_for_search(wanted, text_format)
        if (here.startswith(there) if op == "starts_with" else there in here):
            return True
        named = condition.column.paths and all(path[-1] == "name" for path in condition.column.paths)
        return bool(named) and sounds_like(str(value), there, whole=op == "starts_with")
    if op == "lt":
        return bool(value < wanted)
    if op == "lte":
        return bool(value <= wanted)
    return bool(value > wanted) if op == "gt" else bool(value >= wanted)


def _same(value: Any, wanted: Any, text_format: str | None) -> bool:
    if isinstance(value, str) and isinstance(wanted, str):
        return value == wanted or normalise_for_search(value, text_format) == normalise_for_search(wanted, text_format)
    return bool(value == wanted)


class _Falling:
    """Orders the other way round."""

    __slots__ = ("key",)

    def __init__(self, key: Any) -> None:
        self.key = key

    def __lt__(self, other: _Falling) -> bool:
        return bool(other.key < self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Falling) and self.key == other.key

    __hash__ = None  # type: ignore[assignment]


def order_key(values: Sequence[Any], falling: Sequence[bool], record_id: str) -> tuple[Any, ...]:
    """The place of a row in an order: nothing last, numbers inside text by size (2 before 10), Chinese by pinyin of GB 2312.

    Rows that are equal in every column go by id.
    """
    parts: list[Any] = []
    for value, down in zip(values, falling, strict=True):
        if value is None:
            parts.append((1,))
            continue
        key = _natural(value) if isinstance(value, str) else value
        parts.append((0, _Falling(key) if down else key))
    return (*parts, record_id)


@lru_cache(maxsize=20_000)
def _natural(text: str) -> tuple[Any, ...]:
    return tuple(
        (0, int(piece), b"") if position % 2 else (1, 0, piece.encode("gb18030", "surrogatepass"))
        for position, piece in enumerate(_DIGITS.split(text))
        if piece
    )


# ---------------------------------------------------------------- showing
def shown_value(column: RosterColumn, value: Any) -> Any:
    """A value as JSON: a secret as its mask, a location as longitude and latitude."""
    if isinstance(value, dict):
        if column.type == "location":
            return {name: value.get(name) for name in ("lon", "lat", "accuracy_m", "method")}
        return value.get("mask")
    return value


def label_of(registry: Registry, column: RosterColumn, value: Any, language: str = "zh") -> Any:
    """Label of a coded value in ``zh`` or ``en``, a list for a list; None without a code."""
    if value is None:
        return None
    if column.derived in DERIVED_CODES:
        return DERIVED_CODES[column.derived][value][language == "en"]
    return code_labels(registry.codelist(column.codelist) if column.codelist else None, value, language)


def has_label(column: RosterColumn) -> bool:
    """Whether a column has labels beside its codes."""
    return column.codelist is not None or column.derived in DERIVED_CODES


def table_value(value: Any) -> Value:
    """A shown value as one cell of a table."""
    if isinstance(value, list):
        return joined(str(one) for one in value)
    if isinstance(value, dict):
        lon, lat = value.get("lon"), value.get("lat")
        return f"{lon}, {lat}" if lon is not None else None
    return value  # type: ignore[no-any-return]
