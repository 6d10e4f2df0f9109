"""Questions that an office asks every week, as data: a roster with the filters that answer it.

A question has one list or several, or names a review queue. A filter's value may be a day that is counted from today.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from forms.definition import Labels
from forms.errors import DefinitionError, UnknownRoster

if TYPE_CHECKING:
    from forms.registry import Registry

_KEYS = frozenset({"name", "place", "label", "note", "lists", "ask", "queue"})
_LIST_KEYS = frozenset({"name", "label", "roster", "filters", "sort", "of_the_present"})
_FILTER_KEYS = frozenset({"column", "op", "value"})
_RELATIVE = frozenset({"today", "month_start", "month_end"})


@dataclass(frozen=True, slots=True)
class QuestionList:
    """One list of a question. ``filters`` are {column, op, value} as the roster takes them, days still relative.

    ``of_the_present``: it asks for facts that carry no dates, so nothing is known of them for a past day.
    """

    name: str
    label: Labels
    roster: str
    filters: tuple[Mapping[str, Any], ...]
    sort: tuple[str, ...]
    of_the_present: bool = False


@dataclass(frozen=True, slots=True)
class Question:
    """A checked question. ``ask`` are columns that are asked for first; ``queue`` a review queue in place of lists.

    Questions stand in the order of ``place``.
    """

    name: str
    place: int
    label: Labels
    note: str
    lists: tuple[QuestionList, ...]
    ask: tuple[str, ...]
    queue: str | None

    def list_of(self, name: str | None) -> QuestionList | None:
        """A list by name, the first one for None; None where there is none of that name."""
        return next((one for one in self.lists if name is None or one.name == name), None)


def read_question(document: Mapping[str, Any], registry: Registry) -> Question:
    """Build a question from its document, checked against the rosters.

    Raises
    ------
    DefinitionError
        With the pointer of the first thing that is wrong.
    """
    name = f"questions/{document.get('name', '?')}"
    for key in ("name", "label"):
        if key not in document:
            raise DefinitionError(name, "", f"{key} is missing")
    unknown = [key for key in document if key not in _KEYS]
    if unknown:
        raise DefinitionError(name, f"/{unknown[0]}", "unknown key")
    if ("lists" in document) == ("queue" in document):
        raise DefinitionError(name, "", "a question has lists or names a queue")
    lists = tuple(
        _list(item, registry, name, f"/lists/{place}") for place, item in enumerate(document.get("lists", ()))
    )
    for column in document.get("ask", ()):
        for one in lists:
            if column not in registry.roster(one.roster).filters:
                raise DefinitionError(name, "/ask", f"{one.roster} has no filter {column!r}")
    return Question(
        document["name"], document.get("place", 0), document["label"], document.get("note", ""), lists, tuple(document.get("ask", ())),
        document.get("queue"),
    )  # fmt: skip


def _list(item: Mapping[str, Any], registry: Registry, question: str, at: str) -> QuestionList:
    if not set(item) <= _LIST_KEYS or not {"name", "label", "roster", "filters"} <= set(item):
        raise DefinitionError(question, at, "a list has name, label, roster, filters and perhaps sort, of_the_present")
    try:
        roster = registry.roster(item["roster"])
    except UnknownRoster as unknown:
        raise DefinitionError(question, f"{at}/roster", str(unknown)) from unknown
    for place, one in enumerate(item["filters"]):
        pointer = f"{at}/filters/{place}"
        if set(one) != _FILTER_KEYS:
            raise DefinitionError(question, pointer, "a filter has column, op and value")
        if one["op"] not in roster.filters.get(one["column"], ()):
            raise DefinitionError(question, pointer, "the roster has no such filter")
        if isinstance(one["value"], Mapping) and one["value"].get("relative") not in _RELATIVE:
            raise DefinitionError(question, f"{pointer}/value", f"relative to one of {', '.join(sorted(_RELATIVE))}")
    for name in item.get("sort", ()):
        column = roster.column(name.removeprefix("-"))
        if column is None or not column.sortable:
            raise DefinitionError(question, f"{at}/sort", "no column that can be sorted")
    return QuestionList(
        item["name"], item["label"], roster.name, tuple(item["filters"]), tuple(item.get("sort", ())),
        item.get("of_the_present", False),
    )  # fmt: skip


def filters_on(asked: QuestionList, day: date) -> list[dict[str, Any]]:
    """The filters of a list with every relative day told as an ISO date, seen from ``day``."""
    return [{**one, "value": _value(one["value"], day)} for one in asked.filters]


def _value(value: Any, day: date) -> Any:
    if not isinstance(value, Mapping):
        return value
    start = day
    if value["relative"] != "today":
        start = day.replace(day=1)
    if value["relative"] == "month_end":
        start = (start + timedelta(days=31)).replace(day=1) - timedelta(days=1)
    return (start + timedelta(days=int(value.get("days", 0)))).isoformat()
