"""Rosters 花名册: one line for each record of a cell or community, with what it refers to and what follows from it.

A community is read cell by cell wherever the order begins with the cell, so a page costs what a cell costs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import orjson

from forms.errors import UnknownRoster
from forms.index import normalise_for_search
from forms.roster import Roster, RosterColumn
from server.errors import NotFound, OutsideScope
from server.house import House
from server.permissions import Scope
from server.services.labels import PERSONAL
from server.services.looks import Look, seen
from server.services.paging import make_cursor, read_cursor
from server.services.roster_grounds import Ground, cell_ground, community_ground, source_of
from server.services.roster_query import Filter, Query
from server.services.roster_source import Source
from server.services.roster_values import (
    Reader,
    Values,
    has_label,
    holds,
    label_of,
    order_key,
    shown_value,
)
from server.store import rosters as store
from server.store import search
from server.store.database import read, stamp
from server.store.rosters import Entry
from server.store.scoping import PLACE_TYPES, Condition
from sync.days import day_at

__all__ = ["Ground", "cell_ground", "community_ground", "find_roster", "page", "sees_personal"]


def find_roster(house: House, name: str) -> Roster:
    """A roster by name; NotFound otherwise."""
    try:
        return house.registry.roster(name)
    except UnknownRoster as error:
        raise NotFound("there is no such roster") from error


def sees_personal(scope: Scope, roster: Roster) -> bool:
    """Whether the scope holds personal columns; OutsideScope when it does not hold the roster at all."""
    if scope.fields == "all":
        return True
    if scope.fields == "internal" and roster.base in PLACE_TYPES:
        return False
    raise OutsideScope("this roster is about single households or persons; figures are in the baseline")


def page(house: House, scope: Scope, ground: Ground, query: Query, look: Look) -> dict[str, Any]:
    """One page of a roster.

    Returns
    -------
    dict
        ``as_of``, ``known_at``, ``roster``, ``columns``, ``rows``, ``next``; ``count`` of all rows where it is known
        without reading more; ``in_doubt`` (rows of this page with an open conflict); ``missing`` (what of this type
        in the community is unplaced, held or quarantined and could still belong here, and proposals beside it). Each row has ``id``, ``v``, ``doubt``
        (units with an open conflict) and the columns, ``leads_to`` (type and id of whom it is about, or None) where the roster says so; a coded column has its label beside it as ``<name>_label``.
    """
    use = _use(ground, query)
    after = read_cursor(house.keys, use, query.cursor)
    with read(house.engine) as connection:
        run = _Run(house, connection, scope, ground, query)
        taken: list[tuple[Entry, list[Any]]] = []
        count: int | None = 0 if len(run.groups) == 1 else None
        for in_group, found in run.ordered(after):
            if count is not None:
                count = in_group
            taken += found[: query.limit + 1 - len(taken)]
            if len(taken) > query.limit:
                break
        chosen = taken[: query.limit]
        rows = run.shown([entry for entry, _ in chosen])
        missing = missing_of(connection, scope, ground, query)
        seen(
            house, look, scope, ground.community_id, fields=query.personal, count=len(rows),
            where=where_of(ground, query), record_type=query.roster.base,
        )  # fmt: skip
    following = None
    if len(taken) > query.limit:
        entry, values = chosen[-1]
        following = make_cursor(house.keys, use, {"home": entry.home, "key": values, "id": entry.id})
    answer = {
        "as_of": stamp(house.clock()),
        "known_at": query.known_at,
        "true_on": query.as_of,
        "edition": None
        if ground.edition is None
        else {"edition_id": ground.edition.edition_id, "number": ground.edition.number},
        "roster": {"name": query.roster.name, "label": query.roster.label},
        "place": {"community_id": ground.community_id, "cell_code": ground.cell_code, "name": ground.name},
        "columns": [
            {
                "name": column.name,
                "label": column.label,
                "type": column.type,
                "privacy": column.privacy,
                "measure": column.measure,
            }
            for column in query.columns
        ],
        "rows": rows,
        "next": following,
        "in_doubt": sum(1 for row in rows if row["doubt"]),
        "missing": missing,
    }
    return answer | ({"count": count} if count is not None else {})


def missing_of(connection: Any, scope: Scope, ground: Ground, query: Query) -> dict[str, int] | None:
    """What could still belong on a roster, by where it waits; None for a part of the cells, where it is not counted."""
    return store.waiting_counts(connection, ground.community_id, query.roster.base) if scope.streams is None else None


def rows_of(house: House, connection: Any, scope: Scope, ground: Ground, query: Query) -> Iterator[dict[str, Any]]:
    """Every row of a roster as `page` gives them, in its order. Whoever gives them away writes the look down first (L11)."""
    run = _Run(house, connection, scope, ground, query)
    for _, found in run.ordered(None):
        yield from run.shown([entry for entry, _ in found])


def counted(house: House, scope: Scope, ground: Ground, query: Query, look: Look) -> dict[str | None, int]:
    """How many rows a roster has in each cell, by code; None for what is in no cell. Cells without any are left out."""
    counts: dict[str | None, int] = {}
    column = query.roster.column("cell_code")
    with read(house.engine) as connection:
        run = _Run(house, connection, scope, ground, replace(query, sort=()))
        for _, found in run.ordered(None):
            entries = [entry for entry, _ in found]
            run.values.load(entries, [column] if column is not None else [])
            reader = run.values.reader(column) if column is not None else None
            for entry in entries:
                code = reader(entry) if reader is not None else None
                counts[code] = counts.get(code, 0) + 1
    seen(
        house, look, scope, ground.community_id, fields=query.personal, count=sum(counts.values()),
        where=where_of(ground, query), record_type=query.roster.base,
    )  # fmt: skip
    return counts


class _Run:
    """One asking of one roster in one transaction."""

    def __init__(self, house: House, connection: Any, scope: Scope, ground: Ground, query: Query) -> None:
        self.house, self.scope, self.ground, self.query = house, scope, ground, query
        self.source: Source = source_of(
            connection, house, scope, ground, known_at=query.known_at, as_of=query.as_of
        )
        self.language = query.language
        self.narrowed, searched = _narrowed(connection, house, ground, query)
        standing = self._standing()
        falling = self._falls_by_cell() if len(standing) > 1 else None
        if falling is None or searched:
            self.groups: list[tuple[str, ...]] = [standing]
        else:
            self.groups = [(home,) for home in self._by_code(standing, falling)]
        today = date.fromisoformat(query.as_of or day_at(query.known_at or house.clock()))
        homes = self._homes(ground.homes)
        self.values = Values(self.source, house.registry, scope, ground.codes, today, homes)

    def _falls_by_cell(self) -> bool | None:
        """Whether the order begins with the base record's cell: False rising, True falling, None not."""
        if len(self.ground.homes) > 1 and self.query.sort:
            column, falling = self.query.sort[0]
            if column.derived == "cell_code" and column.paths == ((),):
                return falling
        return None

    def _standing(self) -> tuple[str, ...]:
        """The homes that can hold what is asked for: a filter on the record's own cell leaves the others unread.

        What lies in a dedicated cell stands in other homes, so that its own says nothing.
        """
        codes = self.ground.codes
        asked = [item for item in self.query.filters if item.column.derived == "cell_code" and item.column.paths == ((),)]
        return tuple(
            home for home in self.ground.homes
            if home.startswith("dedicated/") or all(holds(item, codes.get(home), None) for item in asked)
        )  # fmt: skip

    def _by_code(self, homes: Sequence[str], falling: bool) -> list[str]:
        codes = self.ground.codes
        return sorted(homes, key=lambda home: order_key([codes.get(home)], [falling], home))

    def ordered(self, after: dict[str, Any] | None) -> Iterator[tuple[int, list[tuple[Entry, list[Any]]]]]:
        """For each group of homes: how many rows it has in all, and its rows in order behind the position."""
        groups = self.groups
        if after is not None and len(groups) > 1:
            # An edition published meanwhile may have taken the cell away: then from the first cell behind it.
            start = next((n for n, group in enumerate(groups) if after["home"] in group), None)
            groups = groups[start:] if start is not None else self._behind(after)
        falling = [descending for _, descending in self.query.sort]
        last = order_key(after["key"], falling, after["id"]) if after is not None else None
        for homes in groups:
            values = self.values
            entries = self.source.base(self.query.roster.base, self._homes(homes), self.narrowed)
            # What a record says of itself is asked first: nobody is looked up for those who are left out anyway.
            own = [item for item in self.query.filters if _own(item.column)]
            entries = self._filtered(entries, values, own)
            values.load(entries, self.query.needed)
            entries = self._filtered(entries, values, [item for item in self.query.filters if item not in own])
            readers = [values.reader(column) for column, _ in self.query.sort]
            keyed = []
            for entry in entries:
                sort_values = [reader(entry) for reader in readers]
                keyed.append((order_key(sort_values, falling, entry.id), entry, sort_values))
            keyed.sort(key=lambda item: item[0])
            yield len(keyed), [(entry, found) for key, entry, found in keyed if last is None or last < key]

    def _behind(self, after: dict[str, Any]) -> list[tuple[str, ...]]:
        falling = self.query.sort[0][1]
        gone = order_key(after["key"][:1], [falling], "")
        return [
            group for group in self.groups if gone < order_key([self.ground.codes.get(group[0])], [falling], group[0])
        ]

    def _homes(self, homes: Sequence[str]) -> Sequence[str] | None:
        """None where all homes of a community are meant: then the index of the type is read straight through."""
        return None if self.scope.streams is None and self.ground.cell_code is None and len(homes) > 1 else homes

    def _filtered(self, entries: list[Entry], values: Values, filters: Sequence[Filter]) -> list[Entry]:
        checks: list[tuple[Filter, Reader, str | None]] = [
            (item, values.reader(item.column), self._format(item))
            for item in filters
            if item.column.privacy != "secret"  # found through the index, by its hash
        ]
        return [entry for entry in entries if all(holds(item, reader(entry), form) for item, reader, form in checks)]

    def _format(self, item: Filter) -> str | None:
        if item.column.derived is not None:
            return None
        record_type = self.house.registry.latest(self.query.roster.base)
        for step in item.column.paths[0][:-1]:
            record_type = self.house.registry.latest(record_type.fields[step].ref_type or "")
        return record_type.fields[item.column.paths[0][-1]].format

    def shown(self, entries: list[Entry]) -> list[dict[str, Any]]:
        """Rows as they are given."""
        values = self.values
        values.load(entries, self.query.columns, self.query.roster.leads_to)
        readers = [(column, values.reader(column), has_label(column)) for column in self.query.columns]
        rows = []
        for entry in entries:
            row: dict[str, Any] = {"id": entry.id, "v": entry.v, "doubt": entry.conflicts}
            if self.query.roster.leads_to:
                row["leads_to"] = self._lead(entry)
            for column, reader, labelled in readers:
                value = shown_value(column, reader(entry))
                row[column.name] = value
                if labelled:
                    row[f"{column.name}_label"] = label_of(self.house.registry, column, value, self.language)
            rows.append(row)
        return rows

    def _lead(self, entry: Entry) -> dict[str, str] | None:
        """Whom a row is about, where that can be opened by who asks."""
        for path in self.query.roster.leads_to:
            end = self.values.follow(entry, path)
            if end is not None and end.life == "live" and (self.scope.streams is None or end.home in self.scope.streams):
                return {"type": end.type, "id": end.id}
        return None


def _own(column: RosterColumn) -> bool:
    """Whether a column is told by the record itself, without looking anything up."""
    if column.derived is not None:
        return column.derived == "age" and column.paths == ((),)
    return all(len(path) == 1 for path in column.paths)


def _narrowed(connection: Any, house: House, ground: Ground, query: Query) -> tuple[Condition | None, bool]:
    """What the database can decide itself: exact search through the index. Not of the past: it keeps the present only.

    Returns
    -------
    (condition, searched)
        ``searched`` says that only few records are left, so that cells need not be read one by one.
    """
    if query.known_at is not None or query.as_of is not None or ground.places is not None:
        return None, False
    form = house.registry.latest(query.roster.base)
    parts: list[Condition] = []
    for item in query.filters:
        column = item.column
        if (
            item.op not in {"eq", "has"}
            or column.derived is not None
            or len(column.paths) != 1
            or len(column.paths[0]) != 1
        ):
            continue
        spec = form.fields[column.paths[0][0]]
        if not spec.indexed or not isinstance(item.value, str):
            continue
        key = house.keys.search_key(spec.name, normalise_for_search(item.value, spec.format))
        parts.append(search.indexed(connection, key, ground.community_id))
    if not parts:
        return None, False
    return (" AND ".join(text for text, _ in parts), [value for _, given in parts for value in given]), True


def _use(ground: Ground, query: Query) -> str:
    """Names list, filters and order, so that a cursor fits only the question that it came from."""
    question = [
        query.roster.name, ground.community_id, ground.cell_code, query.known_at, query.as_of,
        ground.edition.edition_id if query.edition and ground.edition is not None else None,
        [[item.column.name, item.op, item.value] for item in query.filters],
        [[column.name, falling] for column, falling in query.sort],
    ]  # fmt: skip
    return "roster/" + hashlib.sha256(orjson.dumps(question)).hexdigest()


def where_of(ground: Ground, query: Query) -> str:
    """What was asked for, as the audit log keeps it: names of personal filters, never their values."""
    parts = [
        f"roster={query.roster.name}",
        f"cell={ground.cell_code}" if ground.cell_code else f"community={ground.community_id}",
    ]
    if query.known_at:
        parts.append(f"known_at={query.known_at}")
    if query.as_of:
        parts.append(f"as_of={query.as_of}")
    filters = sorted({item.column.name for item in query.filters if item.column.privacy in PERSONAL})
    return " ".join([*parts, f"filters={','.join(filters)}"] if filters else parts)
