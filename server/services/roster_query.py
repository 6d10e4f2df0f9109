"""What somebody asks of a roster, checked against its definition: columns, filters, order, page, time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from forms.roster import Roster, RosterColumn
from server.errors import InputError, InvalidInput
from server.services.labels import PERSONAL
from server.store.database import stamp

DEFAULT_ROWS = 100
MOST_ROWS = 5_000
RESERVED = frozenset({"sort", "limit", "next", "known_at", "as_of", "edition", "format", "columns", "codes", "language"})
"""Query parameters that are not filters."""

LANGUAGES = ("zh", "en")

LISTED = frozenset({"in", "not_in", "contains_any"})
"""Operators that take a list of values."""

_TRUE = {"true": True, "false": False, "1": True, "0": False}


@dataclass(frozen=True, slots=True)
class Filter:
    """One condition on a column. ``value`` is typed as the column is; a list for those of `LISTED`; a boolean for ``is_null``."""

    column: RosterColumn
    op: str
    value: Any


@dataclass(frozen=True, slots=True)
class Query:
    """A checked request. ``columns`` are those that may be given; ``known_at`` is a stamp or None for now.

    ``as_of`` is the day whose truth is asked for, ``edition`` the id or number of the edition whose cells are meant.
    ``codes`` says whether a file holds codes beside their words; without, it reads as a screen does. ``language`` is that of its words, ``zh`` or ``en``.
    """

    roster: Roster
    columns: tuple[RosterColumn, ...]
    filters: tuple[Filter, ...]
    sort: tuple[tuple[RosterColumn, bool], ...]
    limit: int
    cursor: str | None
    known_at: str | None
    as_of: str | None = None
    edition: str | None = None
    codes: bool = True
    language: str = "zh"

    @property
    def needed(self) -> tuple[RosterColumn, ...]:
        """Columns that must be computed before rows are chosen and ordered."""
        names = {item.column.name: item.column for item in self.filters}
        names |= {column.name: column for column, _ in self.sort}
        return tuple(names.values())

    @property
    def personal(self) -> tuple[str, ...]:
        """Names of the personal columns that are given or filtered by."""
        seen = {column.name for column in self.columns if column.privacy in PERSONAL}
        return tuple(sorted(seen | {item.column.name for item in self.filters if item.column.privacy in PERSONAL}))


def from_address(roster: Roster, parameters: Sequence[tuple[str, str]], *, personal: bool) -> Query:
    """A query from the parameters of an address: ``occupancy=let``, ``floor_number.gte=3``, ``sort=-area_m2,door_number``.

    Filters on personal fields are refused here: addresses end up in logs and histories; POST …/search takes them.

    Parameters
    ----------
    personal : whether personal columns may be given at all

    Raises
    ------
    InvalidInput
        Every parameter that cannot be used, with its name as the pointer; never its value.
    """
    given = dict(parameters)
    asked: dict[str, Any] = {"filters": []}
    for name in ("next", "known_at", "as_of", "edition"):
        if name in given:
            asked[name] = given[name]
    for name in ("sort", "columns"):
        if given.get(name):
            asked[name] = given[name].split(",")
    asked["codes"] = given.get("codes") != "false"
    if given.get("language") in LANGUAGES:
        asked["language"] = given["language"]
    if "limit" in given:
        asked["limit"] = int(given["limit"]) if given["limit"].isascii() and given["limit"].isdigit() else None
    errors: list[InputError] = []
    if given.get("language", "zh") not in LANGUAGES:
        errors.append(InputError("/language", "unknown_language", f"one of {', '.join(LANGUAGES)} is expected"))
    pointers = []
    for name, text in parameters:
        if name in RESERVED:
            continue
        column_name, _, op = name.partition(".")
        column = roster.column(column_name)
        if column is not None and column.privacy in PERSONAL and personal:
            message = "personal fields are never searched in an address; send this filter to POST …/search"
            errors.append(InputError(f"/{name}", "personal_filter_in_url", message))
            continue
        op = op or ("has" if column is not None and "has" in roster.filters.get(column_name, ()) else "eq")
        pointers.append(f"/{name}")
        asked["filters"].append({"column": column_name, "op": op, "value": text.split(",") if op in LISTED else text})
    return _query(roster, asked, personal, pointers, errors)


def from_body(roster: Roster, body: Mapping[str, Any], *, personal: bool) -> Query:
    """A query from a JSON body: ``filters`` [{column, op, value}], ``sort``, ``columns``, ``limit``, ``next``, ``known_at``."""
    filters = body.get("filters") or []
    return _query(roster, body, personal, [f"/filters/{position}" for position in range(len(filters))], [])


def _query(
    roster: Roster, asked: Mapping[str, Any], personal: bool, pointers: Sequence[str], errors: list[InputError]
) -> Query:
    allowed = tuple(column for column in roster.columns if personal or not column.tells_of_people)
    by_name = {column.name: column for column in allowed}
    filters = []
    for item, pointer in zip(asked.get("filters") or [], pointers, strict=True):
        made = _filter(roster, by_name, item, pointer, errors)
        if made is not None:
            filters.append(made)
    sort = _sort(roster, by_name, asked.get("sort"), errors)
    columns = allowed
    if asked.get("columns"):
        unknown = [name for name in asked["columns"] if name not in by_name]
        if unknown:
            errors.append(InputError("/columns", "unknown_column", "this roster has no such column for you"))
        columns = tuple(column for column in allowed if column.name in set(asked["columns"]))
    limit = asked.get("limit", DEFAULT_ROWS)
    if not isinstance(limit, int) or isinstance(limit, bool) or not 1 <= limit <= MOST_ROWS:
        errors.append(InputError("/limit", "not_a_limit", f"a whole number from 1 to {MOST_ROWS} is expected"))
    known_at = _instant(asked.get("known_at"), errors)
    as_of = _day(asked.get("as_of"), errors)
    if known_at is not None and any(item.column.privacy == "secret" for item in filters):
        message = "a document number is only searched among what is known now"
        errors.append(InputError("/known_at", "not_searchable_then", message))
    if errors:
        raise InvalidInput("the roster cannot be asked like this", errors=errors)
    return Query(roster, columns, tuple(filters), sort, limit, asked.get("next"), known_at, as_of, asked.get("edition") or None, asked.get("codes", True), asked.get("language", "zh"))


def _filter(
    roster: Roster, by_name: Mapping[str, RosterColumn], item: Any, pointer: str, errors: list[InputError]
) -> Filter | None:
    if not isinstance(item, Mapping) or not isinstance(item.get("column"), str):
        errors.append(InputError(pointer, "not_a_filter", "a filter has column, op and value"))
        return None
    column = by_name.get(item["column"])
    ops = roster.filters.get(item["column"], frozenset())
    if column is None or not ops:
        errors.append(InputError(pointer, "unknown_filter", "this roster has no such filter for you"))
        return None
    op = item.get("op", "eq")
    if op not in ops:
        errors.append(InputError(pointer, "unknown_operator", f"this column takes {', '.join(sorted(ops))}"))
        return None
    value = item.get("value")
    try:
        if op == "is_null":
            typed: Any = _boolean(value)
        elif op in LISTED:
            typed = [_typed(column, one) for one in (value if isinstance(value, list) else [value])]
        else:
            typed = _typed(column, value)
    except (TypeError, ValueError):
        errors.append(InputError(pointer, "wrong_type", f"a value of type {column.type} is expected"))
        return None
    return Filter(column, op, typed)


def _typed(column: RosterColumn, value: Any) -> Any:
    if value is None or isinstance(value, (list, dict)):
        raise TypeError
    if column.type == "integer":
        return int(value)
    if column.type == "decimal":
        return float(value)
    if column.type == "boolean":
        return _boolean(value)
    if column.type == "date":
        return date.fromisoformat(value).isoformat()
    if not isinstance(value, str) or not value:
        raise TypeError
    return value


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in _TRUE:
        return _TRUE[value.lower()]
    raise ValueError


def _sort(
    roster: Roster, by_name: Mapping[str, RosterColumn], asked: Any, errors: list[InputError]
) -> tuple[tuple[RosterColumn, bool], ...]:
    if not asked:
        return tuple((by_name[name], descending) for name, descending in roster.sort if name in by_name)
    order = []
    for item in asked:
        name = item.removeprefix("-") if isinstance(item, str) else ""
        column = by_name.get(name)
        if column is None or not column.sortable:
            errors.append(InputError("/sort", "not_sortable", "one of these columns cannot be sorted by"))
            continue
        order.append((column, item.startswith("-")))
    return tuple(order)


def moment_of(as_of: str | None, known_at: str | None) -> tuple[str | None, str | None]:
    """A day and a time as they were asked for, checked; InvalidInput names what cannot be read."""
    errors: list[InputError] = []
    found = _day(as_of, errors), _instant(known_at, errors)
    if errors:
        raise InvalidInput("the figures cannot be asked like this", errors=errors)
    return found


def end_of_day(day: str) -> str:
    """The end of a day in the communities (UTC+8), as a stamp."""
    return stamp(datetime.fromisoformat(f"{day}T23:59:59.999+08:00"))


def _day(text: Any, errors: list[InputError]) -> str | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text).isoformat()
    except (TypeError, ValueError):
        errors.append(InputError("/as_of", "not_a_day", "a day such as 2026-03-02 is expected"))
        return None


def _instant(text: Any, errors: list[InputError]) -> str | None:
    """A time as a stamp; a bare date is its end in the communities (UTC+8)."""
    if text is None:
        return None
    try:
        if len(text) == 10:
            return end_of_day(text)
        at = datetime.fromisoformat(text.replace(" ", "+"))
        return stamp(at if at.tzinfo is not None else at.replace(tzinfo=UTC))
    except (TypeError, ValueError, AttributeError):
        errors.append(InputError("/known_at", "not_a_time", "an ISO-8601 date or date-time is expected"))
        return None
