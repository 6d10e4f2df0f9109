"""A roster as a file: its rows, and beside them what the screen says of them, in the language of who reads it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from server.house import House
from server.permissions import Scope
from server.services import audit, rosters
from server.services.looks import Look
from server.services.roster_grounds import Ground
from server.services.roster_query import Filter, Query
from server.services.roster_values import has_label, label_of, table_value
from server.services.tables import Column, Sheet, Value
from server.store import places as editions
from server.store.database import read, stamp
from sync.days import CHINA

_ZH, _EN = 0, 1
_WORDS: dict[str, tuple[str, str]] = {
    "about": ("说明", "About"), "item": ("项目", "Item"), "content": ("内容", "Content"), "code": ("代码", " (code)"),
    "roster": ("名册", "Roster"), "place": ("范围", "Of"), "filters": ("筛选", "Filters"), "none": ("无", "None"),
    "as_of": ("截至", "As of"), "known_at": ("按此时已知", "As recorded by"), "true_on": ("按此日情况", "As it was on"),
    "now": ("现在", "Now"), "edition": ("网格版本", "Edition of the cells"), "number": ("第{n}版", "{n}"), "rows": ("行数", "Rows"),
    "doubt": ("存疑", "In doubt"), "doubts": ("{n} 条有疑问", "{n} in doubt"), "no_doubt": ("没有存疑的", "None in doubt"),
    "missing": ("遗漏", "Missing"), "unplaced": ("另有 {n} 条未落格", "{n} more are in no cell"),
    "held": ("{n} 条等另一条", "{n} wait for another record"), "quarantined": ("{n} 条待核对", "{n} to be checked"),
    "nothing_missing": ("没有遗漏", "Nothing is missing"), "not_counted": ("未统计遗漏（只看部分网格）", "What is missing is not counted for part of the cells"),
    "people": ("个人信息", "Personal columns"), "hidden": ("按您的角色，不显示个人信息", "Personal columns are not shown to your role"), "purpose": ("用途", "Purpose"),
    "yes": ("是", "Yes"), "no": ("否", "No"), "is_empty": ("未填写", "Not filled in"), "is_filled": ("已填写", "Filled in"),
    "in_no_cell": ("未落格", "In no cell"), "in_a_cell": ("已落格", "In a cell"), "not_written": ("（不写出）", "(not written here)"),
}  # fmt: skip
_HOW: dict[str, tuple[str, str]] = {
    "lt": ("<", "<"), "lte": ("≤", "≤"), "gt": (">", ">"), "gte": ("≥", "≥"), "contains": ("包含文字 ", "Contains "),
    "starts_with": ("开头是 ", "Starts with "), "contains_any": ("含任一 ", "Any of "), "not_in": ("不是 ", "Not "),
}  # fmt: skip
_BETWEEN, _COLON, _SEMICOLON = ("、", ", "), ("：", ": "), ("；", "; ")


def table(house: House, scope: Scope, ground: Ground, query: Query, look: Look) -> list[Sheet]:
    """The whole roster as sheets: the rows, and what the file says about itself. Looked at before it is given.

    Where the query asks for no codes there is one column for each, cells have their names, times are China's and rows with an open
    conflict name what is in doubt, as on a screen.
    """
    words = _Words(house, query)
    columns: list[Column] = []
    for column in query.columns:
        coded, title = has_label(column), column.label[query.language]
        if coded:
            columns.append(Column(f"{column.name}_label", title))
        if query.codes:
            columns.append(Column(column.name, title + (words.say("code") if coded else "")))
        elif not coded:
            columns.append(Column(column.name, f"{title} ({column.measure})" if column.measure else title))
    rows: list[list[Value]] = []
    doubts: list[str | None] = []
    with read(house.engine) as connection:
        words.cells = _cell_names(connection, ground)
        read_as = {} if query.codes else _as_seen(query, words)
        for row in rosters.rows_of(house, connection, scope, ground, query):
            values = ((row.get(column.name), read_as.get(column.name)) for column in columns)
            rows.append([words.plain(value if seen_as is None or value is None else seen_as(value)) for value, seen_as in values])
            doubts.append(words.units(row["doubt"]) if row["doubt"] else None)
        missing = rosters.missing_of(connection, scope, ground, query)
    if query.personal:
        audit.note(
            house, look, scope=f"{rosters.where_of(ground, query)} {scope.describe()}", community_id=ground.community_id,
            record_type=query.roster.base, fields=query.personal, count=len(rows),
        )  # fmt: skip
    notes = _notes(scope, ground, query, words, doubts, missing, as_of=stamp(house.clock()), purpose=look.purpose)
    if not query.codes and any(doubts):
        columns.append(Column("~doubt", words.say("doubt")))
        rows = [[*row, doubt] for row, doubt in zip(rows, doubts, strict=True)]
    about = Sheet(words.say("about"), [Column("name", words.say("item")), Column("value", words.say("content"))], notes)
    return [Sheet(query.roster.label[query.language], columns, rows), about]


class _Words:
    """What is written into a file, in its language. ``cells``: names of cells by code."""

    def __init__(self, house: House, query: Query) -> None:
        self._registry, self._form = house.registry, house.registry.latest(query.roster.base)
        self._language, self._at = query.language, _EN if query.language == "en" else _ZH
        self.cells: Mapping[str, str] = {}

    def say(self, name: str, n: int | None = None) -> str:
        text = _WORDS[name][self._at]
        return text if n is None else text.format(n=f"{n:,}")

    def listed(self, values: list[Any]) -> str:
        return _BETWEEN[self._at].join(str(one) for one in values)

    def cell(self, code: str) -> str:
        return self.cells.get(code) or code

    def plain(self, value: Any) -> Value:
        """A shown value as one cell of a table."""
        return self.say("yes" if value else "no") if isinstance(value, bool) else table_value(value)

    def units(self, names: list[str]) -> str:
        """What of a record is in doubt: the labels of its units."""
        labels = []
        for name in names:
            unit = self._form.units.get(name)
            fields = [self._form.fields[one].label[self._language] for one in unit.fields] if unit is not None else [name]
            labels.append(unit.label[self._language] if unit is not None and unit.label is not None else self.listed(fields))
        return self.listed(labels)

    def condition(self, item: Filter) -> str:
        """A filter as the screen tells it; of a document number only that it was asked for."""
        in_cell = item.column.derived == "cell_code"
        if item.op == "is_null":
            told = ("in_no_cell" if item.value else "in_a_cell") if in_cell else ("is_empty" if item.value else "is_filled")
            return f"{item.column.label[self._language]}{_COLON[self._at]}{self.say(told)}"
        values = item.value if isinstance(item.value, list) else [item.value]
        shown = self.say("not_written") if item.column.privacy == "secret" else self.listed([self._value(item, one) for one in values])
        return f"{item.column.label[self._language]}{_COLON[self._at]}{_HOW.get(item.op, ('', ''))[self._at]}{shown}"

    def _value(self, item: Filter, value: Any) -> str:
        if isinstance(value, bool):
            return self.say("yes" if value else "no")
        if item.column.derived == "cell_code":
            return self.cell(value)
        if item.column.type == "datetime":
            return minute(value)
        return str(label_of(self._registry, item.column, value, self._language) if has_label(item.column) else value)

    def missing(self, found: Mapping[str, int] | None) -> str:
        """What could still belong on the list, and where it waits."""
        if found is None:
            return self.say("not_counted")
        parts = [self.say(where, found[where]) for where in ("unplaced", "held", "quarantined") if found[where]]
        return _SEMICOLON[self._at].join(parts) or self.say("nothing_missing")

    def filters(self, query: Query) -> str:
        return _SEMICOLON[self._at].join(self.condition(item) for item in query.filters) or self.say("none")


def _notes(
    scope: Scope, ground: Ground, query: Query, words: _Words, doubts: list[str | None], missing: Mapping[str, int] | None, *,
    as_of: str, purpose: str,
) -> list[tuple[str, str]]:  # fmt: skip
    """What the file says of itself: the same as the head and the foot of the list on a screen."""
    at = (lambda time: time) if query.codes else minute
    doubtful = sum(1 for one in doubts if one)
    hidden = scope.fields != "all" and any(column.tells_of_people for column in query.roster.columns)
    return [
        (words.say("roster"), query.roster.label[query.language]),
        (words.say("place"), f"{ground.name} {ground.cell_code or ''}".strip()),
        (words.say("filters"), words.filters(query)),
        (words.say("as_of"), at(as_of)),
        (words.say("known_at"), at(query.known_at) if query.known_at else words.say("now")),
        (words.say("true_on"), query.as_of or words.say("now")),
        (words.say("edition"), words.say("number", ground.edition.number) if ground.edition is not None else words.say("none")),
        (words.say("rows"), str(len(doubts))),
        (words.say("doubt"), words.say("doubts", doubtful) if doubtful else words.say("no_doubt")),
        (words.say("missing"), words.missing(missing)),
        *([(words.say("people"), words.say("hidden"))] if hidden else []),
        (words.say("purpose"), purpose),
    ]


def _cell_names(connection: Any, ground: Ground) -> dict[str, str]:
    cells = editions.cells_of(connection, ground.community_id, ground.edition.edition_id) if ground.edition is not None else []
    return {cell.code: cell.name for cell in cells}


def _as_seen(query: Query, words: _Words) -> dict[str, Callable[[Any], Any]]:
    """How columns whose values are for machines are read by people."""
    found: dict[str, Callable[[Any], Any]] = {}
    for column in query.columns:
        if column.derived == "cell_code":
            found[column.name] = words.cell
        elif column.type in ("select_multiple", "text_set"):
            found[column.name] = found[f"{column.name}_label"] = words.listed
        elif column.type == "location":
            found[column.name] = lambda place: f"{place['lon']:.6f}, {place['lat']:.6f}" if place.get("lon") is not None else None
        elif column.type == "datetime":
            found[column.name] = minute
    return found


def minute(at: str) -> str:
    """A stamp as day and minute in the communities (UTC+8)."""
    return (datetime.fromisoformat(at) + CHINA).strftime("%Y-%m-%d %H:%M")
