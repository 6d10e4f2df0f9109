"""The history of one record as a readable timeline: who changed what from what to what, when, and how it came in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from forms.definition import RecordType
from server.house import House
from server.permissions import Scope
from server.services.inbox import cells_by_home
from server.services.labels import PERSONAL, field_label, form_of, shown, title_of, words_of
from server.services.looks import Look, seen
from server.services.paging import make_cursor, read_cursor
from server.services.proposals import texts_of_rows
from server.services.record_names import addresses_of
from server.services.record_page import found_in
from server.services.unsealing import open_sealed
from server.store import commands, rosters
from server.store import inbox as people_store
from server.store import record_page as store
from server.store.database import read, stamp
from sync.arguments import MERGES
from sync.record import unit_fields

Values = Mapping[str, Any]

MADE = "made"
"""The kind of a version that the server made of an operation on another record."""


def history(
    house: House, scope: Scope, community_id: str, kind: str, record_id: str, look: Look, *,
    cursor: str | None = None, limit: int = 50,
) -> dict[str, Any]:  # fmt: skip
    """Versions of a record, the newest first.

    Returns
    -------
    dict
        ``as_of``, ``count`` of all versions, ``rows`` and ``next``. A row has the operation's kind, the name of a command (None
        where its text was destroyed), who, when (claimed and arrived), the source, the new life state where it changed, moves
        between cells, and per unit the values before and after; values that were set aside stand apart. Secrets are masked;
        what was erased is None. ``merges``, on the first page: those that hold, of others into this record and of this one into
        another; ``undo`` where it can be taken back now, as a later one was not made into the same record. A merge that
        changed nothing of the one that stays has no row there.

    Raises
    ------
    NotFound, InvalidInput
        As for the page of the record; a cursor of another record.
    """
    use = f"history/{community_id}/{record_id}"
    below = read_cursor(house.keys, use, cursor)
    with read(house.engine) as connection:
        row = found_in(connection, house, scope, community_id, kind, record_id)
        form = form_of(house.registry, kind, None)
        found = store.versions(connection, community_id, record_id, below=below, limit=limit + 1)
        page = found[:limit]
        teller = _Teller(connection, house, scope, community_id, form)
        rows = _rows(connection, house, community_id, row, page, teller)
        merges = _merges(connection, house, community_id, record_id, teller) if below is None else []
        seen(
            house, look, scope, community_id, fields=teller.personal, count=len(rows), where=f"history={kind}",
            record_type=kind, record_id=record_id,
        )  # fmt: skip
    last = page[-1].v if len(found) > limit else None
    return {
        "as_of": stamp(house.clock()),
        "count": row.v,
        "rows": rows,
        "merges": merges,
        "next": make_cursor(house.keys, use, last) if last is not None else None,
    }


def _rows(
    connection: Any, house: House, community_id: str, row: Any, page: list[Any], teller: _Teller
) -> list[dict[str, Any]]:
    if not page:
        return []
    opened = open_sealed(connection, house, community_id, [(one.subject_id, one.sealed) for one in page])
    after = _values_after(connection, house, community_id, row, page)
    who = people_store.people_of_installs(connection, community_id, {one.install_id for one in page})
    names = _commands(connection, house, community_id, page)
    cells = cells_by_home(connection, community_id)
    moved: dict[int, list[dict[str, Any]]] = {}
    for one in store.moves(connection, community_id, row.id, page[-1].v, page[0].v):
        moved.setdefault(one.v, []).append(
            {"from": cells.get(one.from_home), "to": cells.get(one.to_home), "reason": one.reason, "at": one.at}
        )
    steps = []
    for version, content in zip(page, opened, strict=True):
        previous = (content or {}).get("previous") or {}
        changes = []
        for unit in orjson.loads(version.units):
            before = previous.get(unit)
            changes.append((unit, before, after.get(unit)))
            after[unit] = before
        steps.append((version, changes, (content or {}).get("set_aside") or {}))
    teller.learn([values for _, changes, aside in steps for values in (*aside.values(), *(v for c in changes for v in c[1:]))])
    return [
        {
            "v": version.v, "tag": version.tag, "number": version.number, "op_id": version.op_id,
            "kind": version.kind if version.kind is not None and version.about == row.id else MADE,
            "command": names.get(version.op_id),
            "at": version.at, "claimed_at": version.claimed_at, "by": who.get(version.install_id),
            "source": version.source, "life": version.life, "moves": moved.get(version.v, []),
            "changes": [told for unit, old, new in changes if (told := teller.change(unit, old, new)) is not None],
            "set_aside": [told for unit in sorted(aside) if (told := teller.aside(unit, aside[unit])) is not None],
        }
        for version, changes, aside in steps
    ]  # fmt: skip


def _commands(connection: Any, house: House, community_id: str, page: list[Any]) -> dict[str, str | None]:
    """The name of every command of a page by its op_id, read from its text."""
    given = {
        one.op_id: {
            "n": one.text_n, "number": one.text_number, "subject_id": one.text_subject_id,
            "repaired_number": one.repaired_number, "repaired_subject": one.repaired_subject,
        }
        for one in page if one.kind == "command"
    }  # fmt: skip
    texts = texts_of_rows(connection, house, community_id, list(given.values()))
    return {op_id: text.name if text is not None else None for op_id, text in zip(given, texts, strict=True)}


def _merges(connection: Any, house: House, community_id: str, record_id: str, teller: _Teller) -> list[dict[str, Any]]:
    """The merges of others into a record and of it into another that hold, the newest first."""
    into = commands.leading_to(connection, community_id, [record_id])
    ended = [one for one, target in into.items() if target == record_id]
    last = [version for one in [*ended, record_id] for version in store.versions(connection, community_id, one, limit=1)]
    names = _commands(connection, house, community_id, last)
    found = commands.past_merges(connection, community_id, [op_id for op_id, name in names.items() if name in MERGES])
    teller.name({one.merged for one in found.values()})
    who = people_store.people_of_installs(connection, community_id, {one.install_id for one in last})
    by_op = {one.op_id: one for one in last}
    told = [
        {
            "op_id": op_id, "survivor": merge.survivor, "merged": merge.merged, "title": teller.titles.get(merge.merged),
            "at": by_op[op_id].at, "by": who.get(by_op[op_id].install_id), "undo": merge.latest,
        }
        for op_id, merge in found.items()
    ]  # fmt: skip
    return sorted(told, key=lambda one: str(one["at"]), reverse=True)


def _values_after(
    connection: Any, house: House, community_id: str, row: Any, page: list[Any]
) -> dict[str, Values | None]:
    """What stood in the units of a page once its newest version was written: the next change tells it, else the record."""
    wanted = {unit for version in page for unit in orjson.loads(version.units)}
    named: dict[str, int] = {}
    if page[0].v < row.v:
        for v, units in store.units_after(connection, community_id, row.id, page[0].v):
            for unit in orjson.loads(units):
                if unit in wanted:
                    named.setdefault(unit, v)
    later = store.sealed_versions(connection, community_id, row.id, named.values()) if named else []
    opened = open_sealed(connection, house, community_id, [(one.subject_id, one.sealed) for one in later])
    previous = {one.v: (content or {}).get("previous") or {} for one, content in zip(later, opened, strict=True)}
    form = form_of(house.registry, row.type, None)
    now: dict[str, Any] = orjson.loads(row.fields)
    values: dict[str, Values | None] = {}
    for unit in wanted:
        if unit in named:
            values[unit] = previous.get(named[unit], {}).get(unit)
        else:
            values[unit] = {name: now.get(name) for name in unit_fields(form, unit)}
    return values


class _Teller:
    """Says values in words and remembers which personal fields it has shown."""

    def __init__(self, connection: Any, house: House, scope: Scope, community_id: str, form: RecordType) -> None:
        self._connection, self._house, self._scope = connection, house, scope
        self._community_id, self._form = community_id, form
        self.titles: dict[str, str] = {}
        self.personal: set[str] = set()

    def learn(self, values: list[Values | None]) -> None:
        """Fetch the titles of every record that these values name."""
        refs = {name for name, spec in self._form.fields.items() if spec.type == "ref"}
        self.name({one[name] for one in values if one for name in refs if isinstance(one.get(name), str)})

    def name(self, ids: set[str]) -> None:
        """Fetch the titles of these records."""
        if not ids:
            return
        found = rosters.entries_by_id(self._connection, self._community_id, ids)
        visible = store.in_scope(self._connection, self._scope, self._community_id, found)
        for entry in found.values():
            whole = entry.id in visible and self._scope.fields == "all"
            title, field = title_of(form_of(self._house.registry, entry.type, None), entry.fields, personal=whole)
            if title is not None:
                self.titles[entry.id] = title
            if field is not None:
                self.personal.add(f"{entry.type}.{field}")
        self.titles |= addresses_of(self._connection, self._community_id, (entry for entry in found.values() if entry.id in visible))

    def change(self, unit: str, old: Values | None, new: Values | None) -> dict[str, Any] | None:
        """A changed unit with the fields that have a value before or after; None where nothing of it may be shown."""
        fields = [
            {"name": name, "label": field_label(self._form, name), "old": self._value(name, old), "new": self._value(name, new)}
            for name in self._names(unit, old, new)
        ]
        fields = [one for one in fields if one["old"] is not None or one["new"] is not None]
        return {"unit": unit, "label": self._label(unit), "fields": fields} if fields else None

    def aside(self, unit: str, values: Values) -> dict[str, Any] | None:
        """A unit whose new value was set aside."""
        fields = [
            {"name": name, "label": field_label(self._form, name)} | told
            for name in self._names(unit, values)
            if (told := self._value(name, values)) is not None
        ]
        return {"unit": unit, "label": self._label(unit), "fields": fields} if fields else None

    def _names(self, unit: str, *given: Values | None) -> list[str]:
        names = dict.fromkeys(unit_fields(self._form, unit))
        for values in given:
            names |= dict.fromkeys(values or {})
        if self._scope.fields == "all":
            return list(names)
        specs = self._form.fields
        return [name for name in names if name in specs and specs[name].privacy not in PERSONAL]

    def _label(self, unit: str) -> Mapping[str, str]:
        spec = self._form.units.get(unit)
        return spec.label if spec is not None and spec.label else field_label(self._form, unit_fields(self._form, unit)[0])

    def _value(self, name: str, values: Values | None) -> dict[str, Any] | None:
        value = values.get(name) if values else None
        if value is None:
            return None
        spec = self._form.fields.get(name)
        if spec is not None and spec.privacy in PERSONAL:
            self.personal.add(name)
        told = shown(spec, value, unmask=False)
        return {"value": told, "text": words_of(spec, told, self.titles)}
