"""Rosters (花名册, 台账) as data: which record type, which columns, which filters, in which order.

The join language is small on purpose: a column path follows ref fields from the base record to one field. A column
may have several paths; the first that yields a value wins. A roster that names anything unknown is refused when loaded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from forms.definition import PRIVACY_CLASSES, FieldType, Labels, Privacy
from forms.derived import DERIVED
from forms.errors import DefinitionError, UnknownRecordType

if TYPE_CHECKING:
    from forms.registry import Registry

FILTER_OPS: dict[str, frozenset[str]] = {
    "text": frozenset({"eq", "in", "not_in", "starts_with", "contains", "contains_any", "is_null"}),
    "text_set": frozenset({"has", "is_null"}),
    "integer": frozenset({"eq", "in", "lt", "lte", "gt", "gte", "is_null"}),
    "decimal": frozenset({"lt", "lte", "gt", "gte", "is_null"}),
    "boolean": frozenset({"eq", "is_null"}),
    "date": frozenset({"eq", "lt", "lte", "gt", "gte", "is_null"}),
    "datetime": frozenset({"lt", "lte", "gt", "gte", "is_null"}),
    "select_one": frozenset({"eq", "in", "not_in", "is_null"}),
    "select_multiple": frozenset({"has", "is_null"}),
    "ref": frozenset({"eq", "in", "is_null"}),
    "location": frozenset({"is_null"}),
}
_SORTABLE = frozenset({"text", "integer", "decimal", "boolean", "date", "datetime", "select_one"})
_KEYS = frozenset({"name", "label", "base", "columns", "sort", "filters", "note", "leads_to"})
_COLUMN_KEYS = frozenset({"name", "label", "path", "derived", "at"})

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RosterColumn:
    """One column.

    ``paths``: ways from the base record to the field, all but the last name being ref fields; first value wins.
    ``derived``: name in ``forms.derived.DERIVED`` of a value of the record that each path leads to (``((),)`` is
    the base record itself). ``privacy`` is the strictest of all that a path passes through. Secret columns are shown masked
    and cannot be sorted.
    """

    name: str
    label: Labels
    paths: tuple[Path, ...]
    derived: str | None
    type: FieldType
    privacy: Privacy
    codelist: str | None
    measure: str | None
    sortable: bool

    @property
    def tells_of_people(self) -> bool:
        """Whether only those may have it who see personal fields: a personal value, or an exact count of people of one place."""
        return self.privacy in ("personal", "secret") or (self.derived is not None and DERIVED[self.derived].counts_people)


@dataclass(frozen=True, slots=True)
class Roster:
    """A checked roster. ``sort`` holds (column, descending); ``filters`` maps a column to the operators it allows.

    ``leads_to``: ways of ref fields to whom a row is about, where that is another record; the first that is known wins.
    """

    name: str
    label: Labels
    base: str
    columns: tuple[RosterColumn, ...]
    sort: tuple[tuple[str, bool], ...]
    filters: Mapping[str, frozenset[str]]
    document: Mapping[str, Any]
    leads_to: tuple[Path, ...] = ()

    def column(self, name: str) -> RosterColumn | None:
        """A column by name; None if the roster has none of that name."""
        return next((column for column in self.columns if column.name == name), None)


def read_roster(document: Mapping[str, Any], registry: Registry) -> Roster:
    """Build a roster from its document, checked against the newest record types.

    Raises
    ------
    DefinitionError
        With the pointer of the first thing that is wrong.
    """
    name = f"rosters/{document.get('name', '?')}"
    for key in ("name", "label", "base", "columns", "sort", "filters"):
        if key not in document:
            raise DefinitionError(name, "", f"{key} is missing")
    for key in document:
        if key not in _KEYS:
            raise DefinitionError(name, f"/{key}", "unknown key")
    try:
        registry.latest(document["base"])
    except UnknownRecordType as unknown:
        raise DefinitionError(name, "/base", str(unknown)) from unknown
    columns: dict[str, RosterColumn] = {}
    for position, item in enumerate(document["columns"]):
        column = _column(item, document["base"], registry, name, f"/columns/{position}")
        if column.name in columns:
            raise DefinitionError(name, f"/columns/{position}/name", "the name is repeated")
        columns[column.name] = column
    sort = []
    for position, item in enumerate(document["sort"]):
        found = columns.get(item["column"])
        if found is None or not found.sortable:
            raise DefinitionError(name, f"/sort/{position}/column", "no column that can be sorted")
        sort.append((found.name, bool(item.get("descending", False))))
    filters: dict[str, frozenset[str]] = {}
    for position, item in enumerate(document["filters"]):
        found = columns.get(item["column"])
        if found is None:
            raise DefinitionError(name, f"/filters/{position}/column", "no such column")
        allowed = {"eq"} if found.privacy == "secret" else FILTER_OPS[found.type]
        if not set(item["ops"]) <= allowed:
            raise DefinitionError(
                name, f"/filters/{position}/ops", f"a {found.type} takes {', '.join(sorted(allowed))}"
            )
        filters[found.name] = frozenset(item["ops"])
    leads_to = tuple(tuple(way.split(".")) for way in document.get("leads_to", ()))
    for position, path in enumerate(leads_to):
        _follow(path, document["base"], registry, name, f"/leads_to/{position}")
    return Roster(
        document["name"], document["label"], document["base"], tuple(columns.values()), tuple(sort), filters, document, leads_to
    )


def _column(item: Mapping[str, Any], base: str, registry: Registry, roster: str, at: str) -> RosterColumn:
    unknown = [key for key in item if key not in _COLUMN_KEYS]
    if unknown:
        raise DefinitionError(roster, f"{at}/{unknown[0]}", "unknown key")
    if ("path" in item) == ("derived" in item):
        raise DefinitionError(roster, at, "a column has a path or is derived")
    if "derived" in item:
        return _derived_column(item, base, registry, roster, at)
    given = item["path"] if isinstance(item["path"], list) else [item["path"]]
    paths = tuple(tuple(path.split(".")) for path in given)
    ends = []
    strictest = 0
    for path in paths:
        record_type, passed = _follow(path[:-1], base, registry, roster, f"{at}/path")
        spec = registry.latest(record_type).fields.get(path[-1])
        if spec is None:
            raise DefinitionError(roster, f"{at}/path", f"{record_type} has no field {path[-1]!r}")
        ends.append(spec)
        strictest = max(strictest, passed, PRIVACY_CLASSES.index(spec.privacy))
    first = ends[0]
    if any((end.type, end.codelist) != (first.type, first.codelist) for end in ends):
        raise DefinitionError(roster, f"{at}/path", "the paths end in fields of different kinds")
    privacy = PRIVACY_CLASSES[strictest]
    return RosterColumn(
        name=item["name"],
        label=item.get("label", first.label),
        paths=paths,
        derived=None,
        type=first.type,
        privacy=privacy,
        codelist=first.codelist,
        measure=first.measure,
        sortable=first.type in _SORTABLE and privacy != "secret",
    )


def _derived_column(item: Mapping[str, Any], base: str, registry: Registry, roster: str, at: str) -> RosterColumn:
    derived = DERIVED.get(item["derived"])
    if derived is None:
        raise DefinitionError(roster, f"{at}/derived", "no such derived value")
    path = tuple(item["at"].split(".")) if "at" in item else ()
    record_type, passed = _follow(path, base, registry, roster, f"{at}/at")
    if derived.base not in (None, record_type):
        raise DefinitionError(roster, f"{at}/derived", f"belongs to a {derived.base}, not to a {record_type}")
    strictest = max(passed, PRIVACY_CLASSES.index(derived.privacy))
    privacy = PRIVACY_CLASSES[strictest]
    return RosterColumn(
        name=item["name"],
        label=item.get("label", {"zh": derived.label_zh, "en": derived.label_en}),
        paths=(path,),
        derived=derived.name,
        type=derived.type,
        privacy=privacy,
        codelist=None,
        measure=None,
        sortable=derived.type in _SORTABLE,
    )


def _follow(path: Path, base: str, registry: Registry, roster: str, at: str) -> tuple[str, int]:
    """Record type that a path of ref fields leads to, and the strictest privacy class passed on the way."""
    record_type, strictest = base, 0
    for step in path:
        spec = registry.latest(record_type).fields.get(step)
        if spec is None or spec.ref_type is None:
            raise DefinitionError(roster, at, f"{record_type} has no ref field {step!r}")
        strictest = max(strictest, PRIVACY_CLASSES.index(spec.privacy))
        record_type = spec.ref_type
    return record_type, strictest
