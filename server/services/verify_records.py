"""Each record against the journal: versions, tags, life, home, disputes, stamps, ledger, streams, search (S27)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Any

import orjson

from forms.index import index_entries, mask_value
from server.services.differences import Watch, grouped
from server.store import verify as store
from sync.digest import ZERO_TAG, version_tag
from sync.feedrows import PUT, streams_of

if TYPE_CHECKING:
    from server.store.database import Connection

_VERSION_MEMBERS = 6


@dataclass(slots=True)
class _Folded:
    """A record as the effects of the journal make it. ``after`` is (life, home) after each entry that touched it."""

    v: int = 0
    tag: str = ""
    life: str = ""
    home: str = ""
    first_home: str = ""
    open_units: list[str] = field(default_factory=list)
    versions: list[tuple[int, str, list[str], str | None, int]] = field(default_factory=list)
    after: dict[int, tuple[str, str]] = field(default_factory=dict)


def check_records(connection: Connection, watch: Watch) -> None:
    """Compare every record of the community; DifferenceFound at the first that differs. Memory: one record."""
    where = (connection, watch.community_id)
    lanes = [
        lane(*where)
        for lane in (
            store.records, store.effects, store.versions, store.moves, store.shown, store.open_conflicts,
            store.search_entries,
        )
    ]  # fmt: skip
    for (record_id,), found in grouped(1, *map(watch.seen, lanes)):
        present, effects, history, moves, shown, disputes, entries = found
        if not present:
            named = next(
                name
                for name, rows in (
                    ("the journal", effects), ("history", history), ("the placement ledger", moves), ("a stream", shown),
                    ("a conflict", disputes), ("search", entries),
                )
                if rows
            )  # fmt: skip
            watch.differs("record", record_id, f"named by {named}", "in the record table", "missing")
        row = present[0]
        folded = _fold(watch, record_id, effects)
        _check_history(watch, record_id, history, folded)
        _check_present(watch, row, folded)
        _check_stamps(watch, row, history)
        _check_moves(watch, record_id, moves, folded)
        _check_shown(watch, row, shown, folded)
        _check_disputes(watch, row, disputes)
        _check_search(watch, row, entries)
        watch.counts["records"] += 1
        watch.counts["record versions"] += len(history)
        watch.counts["moves between cells"] += len(moves)
        watch.counts["open conflicts"] += len(disputes)
        watch.counts["search entries"] += len(entries)


def _fold(watch: Watch, record_id: str, effects: Sequence[Any]) -> _Folded:
    """By v, as S27 says; changes of home alone belong to the version at which they happened."""
    folded = _Folded()
    if not effects:
        watch.differs("record", record_id, "journal entries that name it", "at least one", "none")
    for _, v, number, text in effects:
        made = orjson.loads(text)
        if len(made) == _VERSION_MEMBERS:
            watch.same("record", record_id, "next version in the journal", folded.v + 1, v)
            _, folded.tag, units, life, folded.open_units, folded.home = made
            folded.v = v
            folded.life = life or folded.life
            folded.first_home = folded.first_home or folded.home
            folded.versions.append((v, folded.tag, units, life, number))
        else:
            watch.same("record", record_id, f"version that journal entry {number} moves", folded.v, v)
            folded.home = made[1]
        folded.after[number] = (folded.life, folded.home)
    return folded


def _check_history(watch: Watch, record_id: str, history: Sequence[Any], folded: _Folded) -> None:
    tag = ZERO_TAG
    for expected, row in enumerate(history, 1):
        watch.same("record", record_id, "next version in history", expected, row.v)
        units = watch.read_json("record", record_id, f"units of version {row.v}", row.units)
        tag = version_tag(tag, row.op_id, units)
        watch.same("record", record_id, f"tag of version {row.v} in history, recomputed", tag, row.tag)
        if row.v > len(folded.versions):
            watch.differs("record", record_id, f"version {row.v} of history in the journal", "an entry", "none")
        _, its_tag, its_units, its_life, its_number = folded.versions[row.v - 1]
        watch.same("record", record_id, f"journal entry of version {row.v} in history", its_number, row.number)
        watch.same("record", record_id, f"units of version {row.v} in history", its_units, units)
        watch.same("record", record_id, f"tag of version {row.v} in history", its_tag, row.tag)
        watch.same("record", record_id, f"life of version {row.v} in history", its_life, row.life)
    if len(history) < len(folded.versions):
        watch.differs("record", record_id, "last version in history", len(folded.versions), len(history))


def _check_present(watch: Watch, row: Any, folded: _Folded) -> None:
    for what, expected, found in (
        ("v", folded.v, row.v), ("tag", folded.tag, row.tag), ("life", folded.life, row.life),
        ("home", folded.home, row.home),
    ):  # fmt: skip
        watch.same("record", row.id, what, expected, found)
    stored = watch.read_json("record", row.id, "units with an open conflict", row.conflicts)
    watch.same("record", row.id, "units with an open conflict", folded.open_units, stored)


def _check_stamps(watch: Watch, row: Any, history: Sequence[Any]) -> None:
    """The last writer of each unit that was written after the creation."""
    expected = {}
    for one in history[1:]:
        for unit in orjson.loads(one.units):
            expected[unit] = [one.v, one.install_id, one.n]
    found = watch.read_json("record", row.id, "stamps", row.stamps)
    if expected != found:
        unit = min(one for one in {*expected, *found} if expected.get(one) != found.get(one))
        watch.differs("record", row.id, f"stamp of unit {unit}", expected.get(unit), found.get(unit))


def _check_moves(watch: Watch, record_id: str, moves: Sequence[Any], folded: _Folded) -> None:
    by_entry = {number: list(rows) for number, rows in groupby(moves, key=lambda row: row.number)}
    at = folded.first_home
    for number, (_, home) in folded.after.items():
        for row in by_entry.pop(number, ()):
            watch.same("record", record_id, f"placement ledger, left in journal entry {number}", at, row.from_home)
            at = row.to_home
        watch.same("record", record_id, f"placement ledger, home after journal entry {number}", home, at)
    for number in by_entry:
        watch.differs("record", record_id, f"placement ledger, moves of journal entry {number}", "none", "some")


def _check_shown(watch: Watch, row: Any, shown: Sequence[Any], folded: _Folded) -> None:
    """Visible exactly where it should be, and every stream that it left can say so (S20, L10)."""
    devices = frozenset([row.created_install]) if row.made_by == "device" else frozenset()
    expected = streams_of(row.home, row.life, row.created_install, devices, row.dedicated)
    found = {one.stream_id for one in shown if one.kind == PUT}
    watch.same("record", row.id, "streams that show it", expected, found)
    for one in shown:
        if one.kind == PUT:
            watch.same("record", row.id, f"version shown in {one.stream_id}", f"{row.v}/{row.tag}", f"{one.v}/{one.tag}")
    known = {one.stream_id for one in shown}
    for life, home in folded.after.values():
        if life == "live" and home not in known and not watch.floors.get(home):
            watch.differs("record", row.id, f"row in {home}, where it was", "there", "missing")


def _check_disputes(watch: Watch, row: Any, disputes: Sequence[Any]) -> None:
    flagged = sorted(orjson.loads(row.conflicts))
    watch.same("record", row.id, "conflicts that are open", flagged, sorted(one.unit for one in disputes))


def _check_search(watch: Watch, row: Any, entries: Sequence[Any]) -> None:
    """Search entries and masks are those of the fields; what is compared is never said."""
    registry = watch.house.registry
    stored = {key for _, key in entries}
    if row.life == "erased":
        watch.same("record", row.id, "search entries of an erased record", 0, len(stored))
        return
    if row.type not in registry.types():
        watch.counts["records of a type that this version does not know"] += 1
        return
    form = registry.latest(row.type)
    fields = watch.read_json("record", row.id, "fields", row.fields)
    hidden = {name for name in form.secret_fields if name in fields}
    secret = None
    if row.secret is not None:
        secret = watch.opened("record", row.id, "secret fields", row.secret, row.has_key, row.wrapped)
    elif hidden:
        watch.differs("record", row.id, "secret fields", "sealed", "nothing")
    if secret is not None:
        for name in sorted(hidden | secret.keys()):
            value = secret.get(name)
            if name not in fields or fields[name] != mask_value(form.fields[name], value):
                watch.differs("record", row.id, f"mask of secret field {name}", "that of its value", "another")
        fields |= secret
    else:
        # The key was destroyed, or there are none: only what is plain can be searched.
        fields = {name: value for name, value in fields.items() if name not in hidden}
    expected = {watch.keys.search_key(name, text): name for name, text in index_entries(form, fields)}
    for key in sorted(expected.keys() - stored):
        watch.differs("record", row.id, f"search entry of field {expected[key]}", "there", "missing")
    unknown = len(hidden.intersection(form.indexed_fields)) if secret is None else 0
    if len(stored - expected.keys()) > unknown:
        watch.differs("record", row.id, "search entry", "none but those of its fields", "one of another value")
