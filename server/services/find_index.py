"""What of a community can be found by a few typed letters, kept in memory and brought up to date by the feed of its streams.

Texts on disk are found by keyed hashes, so by whole words only; parts of names and how they sound are compared here. Nothing of it
is written anywhere. A change in the database is a new row in a stream, so that reading what is new costs what is new.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from forms.index import normalise_for_search
from server.house import House
from server.services.addresses import Addresses, parent_of
from server.services.find_column import Column
from server.services.pinyin import sounds
from server.store import commands
from server.store import find as store
from server.store.database import read
from server.store.life import epoch
from server.store.rosters import Entry

KEPT_ENTRIES = 150_000
"""In memory at most, of all communities together, with about 4 kB each. The community that was asked longest ago is dropped."""

NAMED = {
    "person": ("name", "former_names"),
    "party_member": ("name",),
    "organization": ("name",),
    "estate": ("name",),
    "building": ("name",),
    "entrance": ("name",),
    "resource": ("name",),
}
PHONES = {"person": ("phones",), "household": ("phone",), "party_member": ("phone",)}
TAILS = {"person": ("document_number",)}
NUMBERS = {"household": ("household_number",), "organization": ("credit_code",), "dwelling": ("standard_address_code",)}
WORDS = {"dwelling": ("address_text",), "organization": ("address_text",)}
DOORS = {"dwelling": ("door_number",), "building": ("number",), "entrance": ("number",)}
PLACED = frozenset({"person", "household", "dwelling", "building", "entrance"})
KINDS = ("person", "household", "dwelling", "building", "estate", "organization", "party_member", "resource")
"""Types that are found, in the order of the answer."""
FINDABLE = (*KINDS, "entrance")
"""Those and what is found only where it is asked for: an entrance is chosen for a dwelling, nobody looks for one."""

_ABOVE = frozenset({"estate", "building", "entrance", "dwelling", "household"})
_SHORT = ("sex", "birth_date", "vital_status", "residence_household", "registration_dwelling", "dwelling", "entrance",
          "building", "estate", "head", "kind", "door_number", "number", "name", "address_text")  # fmt: skip


@dataclass(slots=True)
class Found:
    """One record as the index knows it. ``texts`` are what it is found by, by (way, field)."""

    id: str
    type: str
    home: str
    v: int
    fields: dict[str, Any]
    texts: dict[tuple[str, str], tuple[str, ...]]


@dataclass(slots=True)
class Shelf:
    """The records of one type in one home: positions are those of the columns. ``lines`` are their addresses."""

    entries: list[Found]
    columns: dict[tuple[str, str], Column]
    lines: list[str | None]
    place_of: dict[str, int]


@dataclass(slots=True)
class CommunityIndex:
    """A community in memory; use it under its ``gate``. ``derived`` is what others keep until something changes.

    ``led`` leads from the id of a merged record to the one that it was merged into (S8).
    """

    life: str | None = None
    heads: dict[str, int] = field(default_factory=dict)
    entries: dict[str, Found] = field(default_factory=dict)
    standing: dict[str, dict[str, dict[str, Found]]] = field(default_factory=dict)  # type, home, id
    above: dict[str, Entry] = field(default_factory=dict)
    led: dict[str, str] = field(default_factory=dict)
    shelves: dict[tuple[str, str], Shelf] = field(default_factory=dict)
    derived: dict[str, Any] = field(default_factory=dict)
    gate: threading.Lock = field(default_factory=threading.Lock)

    def of_type(self, kind: str) -> list[Found]:
        """The records of a type."""
        return [entry for found in self.standing.get(kind, {}).values() for entry in found.values()]

    def shelf(self, kind: str, home: str) -> Shelf:
        """The records of a type in a home with their columns, put together anew after a change there."""
        found = self.shelves.get((kind, home))
        if found is None:
            found = self.shelves[kind, home] = self._put_together(kind, list(self.standing[kind][home].values()))
        return found

    def _put_together(self, kind: str, entries: list[Found]) -> Shelf:
        ways = sorted({way for entry in entries for way in entry.texts})
        columns = {way: Column([entry.texts.get(way, ()) for entry in entries]) for way in ways}
        lines: list[str | None] = [None] * len(entries)
        if kind in PLACED:
            lines = self._lines(kind, entries)
            columns["line", "address"] = Column([(line.casefold(),) if line else () for line in lines])
            columns["door", "address"] = Column([_doors(line) for line in lines])
        return Shelf(entries, columns, lines, {entry.id: place for place, entry in enumerate(entries)})

    def _lines(self, kind: str, entries: list[Found]) -> list[str | None]:
        """Addresses; those behind one door share theirs, so that a door is walked up to once."""
        addresses = Addresses(lambda _: {}, self.above)
        if kind not in {"person", "household"}:
            return [addresses.line(kind, entry.fields) for entry in entries]
        of_door: dict[str, str | None] = {}
        lines: list[str | None] = []
        for entry in entries:
            home = self.up(parent_of(kind, entry.fields))
            if home is not None and home.type == "household":
                home = self.up(parent_of("household", home.fields))
            door = home.id if home is not None else None
            if door is None or home is None:
                lines.append(None)
                continue
            if door not in of_door:
                of_door[door] = addresses.line(home.type, home.fields)
            lines.append(of_door[door])
        return lines

    def heads_in(self, home: str, is_open: Callable[[str], bool]) -> dict[tuple[str, str], Column]:
        """What the households of a home are found by beside their own words: their heads' names and how they sound, in the order of the shelf.

        Parameters
        ----------
        is_open : whether what stands in a home is told to who asks: of a head elsewhere nothing is
        """
        heads = [self.entries.get(str(entry.fields.get("head"))) for entry in self.shelf("household", home).entries]
        texts = [one.texts if one is not None and is_open(one.home) else {} for one in heads]
        return {(way, "head"): Column([one.get((way, "name"), ()) for one in texts]) for way in ("name", "pinyin", "initials")}

    def up(self, record_id: str | None) -> Entry | None:
        """The record that something stands in, through any merges."""
        root = record_id or ""
        while root in self.led:
            root = self.led[root]
        return self.above.get(root)

    def take(self, rows: Iterable[Any]) -> None:
        """Records as they are now; one that lives no more is dropped."""
        self.derived.clear()
        for record_id, kind, life, home, v, text in rows:
            self.drop(record_id)
            if life != "live" or kind not in FINDABLE:
                continue
            fields: dict[str, Any] = orjson.loads(text)
            short = {name: fields[name] for name in _SHORT if name in fields}
            if kind in _ABOVE:
                self.above[record_id] = Entry(record_id, kind, v, home, life, short, [], "", "", "")
                self._stale(kind, home)
            found = self.entries[record_id] = Found(record_id, kind, home, v, short, texts_of(kind, fields))
            self.standing.setdefault(kind, {}).setdefault(home, {})[record_id] = found
            self.shelves.pop((kind, home), None)

    def drop(self, record_id: str) -> None:
        """Forget a record."""
        above = self.above.pop(record_id, None)
        if above is not None:
            self._stale(above.type, above.home)
        found = self.entries.pop(record_id, None)
        if found is not None:
            self.shelves.pop((found.type, found.home), None)
            there = self.standing[found.type]
            del there[found.home][record_id]
            if not there[found.home]:
                del there[found.home]

    def _stale(self, kind: str, home: str) -> None:
        """What stands in a changed record has another address: in its home, if it is a dwelling or household, else anywhere."""
        here = kind in {"dwelling", "household"}
        for one in [one for one in self.shelves if one[0] in PLACED and (not here or one[1] == home)]:
            del self.shelves[one]


def texts_of(kind: str, fields: Mapping[str, Any]) -> dict[tuple[str, str], tuple[str, ...]]:
    """What a record is found by: names with their sounds, phones, tails of masked numbers, numbers, words."""
    texts: dict[tuple[str, str], tuple[str, ...]] = {}
    for name in NAMED.get(kind, ()):
        told = _texts(fields.get(name))
        if told:
            texts["name", name] = told
            heard = [sounds(one) for one in told]
            for way, said in (("pinyin", [full for full, _ in heard]), ("initials", [short for _, short in heard])):
                # Who has one name shares its sounds with all namesakes.
                texts[way, name] = said[0] if len(said) == 1 else tuple(dict.fromkeys(one for found in said for one in found))
    for way, table, form in (
        ("phone", PHONES, "phone"), ("number", NUMBERS, "identifier"), ("word", WORDS, None), ("own_door", DOORS, None)
    ):  # fmt: skip
        for name in table.get(kind, ()):
            if told := _texts(fields.get(name), form):
                texts[way, name] = told
    for name in TAILS.get(kind, ()):
        mask = fields.get(name)
        tail = mask.get("mask") if isinstance(mask, dict) else None
        if isinstance(tail, str) and tail.startswith("****") and len(tail) > 4:
            texts["tail", name] = (tail[4:].casefold(),)
    return texts


def _texts(value: Any, form: str | None = None) -> tuple[str, ...]:
    given = value if isinstance(value, list) else [value]
    return tuple(found for one in given if isinstance(one, str) and (found := normalise_for_search(one, form)))


def _doors(line: str | None) -> tuple[str, ...]:
    """Ways to type the numbers of an address: ``2-1-201``, ``2-201``, ``1-201``, ``201``."""
    numbers = (line or "").casefold().rpartition(" ")[2]
    parts = numbers.split("-")
    if len(parts) < 3:
        return (numbers, parts[-1]) if len(parts) == 2 else (numbers,) if numbers else ()
    return numbers, f"{parts[0]}-{parts[-1]}", f"{parts[-2]}-{parts[-1]}", parts[-1]


# ---------------------------------------------------------------- the communities in memory
_kept: OrderedDict[tuple[str, str], CommunityIndex] = OrderedDict()
_gate = threading.Lock()


def index_of(house: House, community_id: str) -> CommunityIndex:
    """The index of a community, empty when it was not asked for lately; `refresh` it under its gate."""
    key = (str(house.engine.url), community_id)
    with _gate:
        found = _kept.setdefault(key, CommunityIndex())
        _kept.move_to_end(key)
        while len(_kept) > 1 and sum(len(one.entries) for one in _kept.values()) > KEPT_ENTRIES:
            _kept.popitem(last=False)
    return found


def refresh(house: House, community_id: str, index: CommunityIndex) -> None:
    """Bring an index up to what is committed now: all of it the first time, then what the streams say has changed."""
    with read(house.engine) as connection:
        life, heads = epoch(connection), store.heads(connection, community_id)
        fresh = {name: seq for name, (seq, _) in heads.items()}
        behind = [(name, index.heads.get(name, 0)) for name, seq in fresh.items() if seq > index.heads.get(name, 0)]
        whole = (
            index.life != life
            or not index.heads
            or any(fresh.get(name, 0) < seq for name, seq in index.heads.items())  # another copy of the database
            or any(index.heads.get(name, 0) < floor for name, (_, floor) in heads.items())
        )
        if whole:
            index.entries, index.standing, index.above, index.shelves = {}, {}, {}, {}
            index.take(store.all_of(connection, community_id, FINDABLE))
            index.led = commands.all_redirects(connection, community_id)
        elif behind:
            index.led = commands.all_redirects(connection, community_id)
            ids = store.changed(connection, community_id, behind)
            rows = store.some_of(connection, community_id, ids)
            index.take(rows)
            for gone in ids - {row[0] for row in rows}:
                index.drop(gone)
        index.life, index.heads = life, fresh
