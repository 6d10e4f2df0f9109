"""Whether a feature passes a CQL2 filter: checked against the properties that may be asked about, then run in memory.

One evaluation for both databases. Unknown (a comparison with no value) is neither true nor false, as in SQL.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import shapely

from server.services.cql2 import (
    All,
    Any_,
    Between,
    Compare,
    Constant,
    CQL2Error,
    In,
    Intersects,
    IsNull,
    Like,
    Literal_,
    Node,
    Not,
    Property,
    Term,
)
from server.services.tables import Value

GEOMETRY = "geometry"
_OPERATIONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq, "<>": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip

Values = Mapping[str, Value]
Check = Callable[[Values, Any], bool | None]
Read = Callable[[Values], Any]


@dataclass(frozen=True, slots=True)
class Match:
    """A filter ready to run.

    Attributes
    ----------
    check : called with the values of a feature by name and its geometry (shapely, None without); passes on True alone
    equals : conditions that every feature that passes fulfils, property to its possible values; for narrowing a query
    area : a geometry that every feature that passes touches, None where there is none; for narrowing a query
    properties : names of the properties that are asked about
    """

    check: Check
    equals: Mapping[str, frozenset[str]]
    area: Any
    properties: frozenset[str]


def prepare(node: Node, kinds: Mapping[str, str]) -> Match:
    """A filter over these properties.

    Parameters
    ----------
    node : the tree of `cql2.parse`
    kinds : every property that may be asked about and what it holds: text, number, boolean, date or instant

    Raises
    ------
    CQL2Error
        A property that is not among them, or a comparison of things that cannot be compared.
    """
    builder = _Builder(kinds)
    check = builder.node(node)
    return Match(check, *_necessary(node, kinds), frozenset(builder.asked))


def _necessary(node: Node, kinds: Mapping[str, str]) -> tuple[dict[str, frozenset[str]], Any]:
    """What follows from the filter for single properties and the place; parts of an AND only."""
    equals: dict[str, frozenset[str]] = {}
    area: Any = None
    for part in node.parts if isinstance(node, All) else (node,):
        match part:
            case Compare("=", Property() as named, Literal_(kind="text") as value) | Compare(
                "=", Literal_(kind="text") as value, Property() as named
            ):
                wanted = frozenset({str(value.value)})
            case In(Property() as named, values) if all(one.kind == "text" for one in values):
                wanted = frozenset(str(one.value) for one in values)
            case Intersects(_, geometry):
                area = geometry
                continue
            case All():
                inner, place = _necessary(part, kinds)
                area = place if area is None else area
                equals |= {name: found & equals.get(name, found) for name, found in inner.items()}
                continue
            case _:
                continue
        if not named.folded and not any(isinstance(one, Literal_) and one.folded for one in _terms(part)):
            equals[named.name] = wanted & equals.get(named.name, wanted)
    return equals, area


def _terms(part: Node) -> tuple[Term, ...]:
    match part:
        case Compare(_, left, right):
            return left, right
        case In(term, values):
            return term, *values
    return ()


class _Builder:
    def __init__(self, kinds: Mapping[str, str]) -> None:
        self._kinds = kinds
        self.asked: set[str] = set()

    def node(self, node: Node) -> Check:
        match node:
            case All(parts):
                return _all([self.node(part) for part in parts])
            case Any_(parts):
                return _any([self.node(part) for part in parts])
            case Not(inner):
                return _not(self.node(inner))
            case Constant(value):
                return lambda _values, _place: value
            case Intersects(named, geometry):
                return self._intersects(named, geometry)
            case IsNull(named):
                return self._is_null(named)
            case Compare(op, left, right):
                first, second = self._pair(left, right)
                return _comparison(first, second, _OPERATIONS[op])
            case Between(term, low, high):
                if {self._kind(one) for one in (term, low, high)} & {"boolean"}:
                    raise CQL2Error("BETWEEN takes numbers, texts or times", term.position)
                above, below = self._pair(term, low), self._pair(term, high)
                return _all([_comparison(*above, operator.ge), _comparison(*below, operator.le)])
            case In(term, values):
                pairs = [self._pair(term, value) for value in values]
                return _any([_comparison(*pair, operator.eq) for pair in pairs])
            case Like(term, pattern):
                return self._like(term, pattern)

    def _kind(self, term: Term) -> str:
        if isinstance(term, Literal_):
            return term.kind
        if term.name == GEOMETRY:
            raise CQL2Error("the geometry is asked about with S_INTERSECTS", term.position)
        kind = self._kinds.get(term.name)
        if kind is None:
            raise CQL2Error("this property cannot be asked about; see queryables", term.position)
        if term.folded and kind != "text":
            raise CQL2Error("CASEI takes a text", term.position)
        return kind

    def _pair(self, left: Term, right: Term) -> tuple[Read, Read]:
        first, second = self._kind(left), self._kind(right)
        kinds = {first, second}
        times = {"date", "instant"}
        if first == second:
            return self._reader(left), self._reader(right)
        if kinds == times:  # a day and an instant compare by day
            return _by_day(self._reader(left)), _by_day(self._reader(right))
        if "text" in kinds and kinds & times:  # a text in quotes is read as the day or instant it is compared with
            kind = (kinds & times).pop()
            texts = [one for one in (left, right) if isinstance(one, Literal_) and one.kind == "text"]
            if texts:
                moment = _as_moment(texts[0], kind)
                return self._pair(moment if left is texts[0] else left, moment if right is texts[0] else right)
        raise CQL2Error(f"a {first} does not compare with a {second}", right.position)

    def _reader(self, term: Term) -> Read:
        if isinstance(term, Literal_):
            value = term.value
            return lambda _values: value
        name, kind = term.name, self._kind(term)
        self.asked.add(name)
        if kind == "instant":
            return lambda values: _instant(values.get(name))
        if kind == "text":
            fold = term.folded
            return lambda values: _text(values.get(name), fold)
        if kind == "boolean":
            return lambda values: None if (found := values.get(name)) is None else bool(found)
        return lambda values: values.get(name)

    def _intersects(self, named: Property, geometry: Any) -> Check:
        if named.name != GEOMETRY:
            raise CQL2Error(f"the only geometry here is {GEOMETRY}", named.position)
        shapely.prepare(geometry)
        return lambda _values, place: None if place is None else bool(shapely.intersects(geometry, place))

    def _is_null(self, named: Property) -> Check:
        if named.name == GEOMETRY:
            return lambda _values, place: place is None
        self._kind(named)
        name = named.name
        self.asked.add(name)
        return lambda values, _place: values.get(name) is None

    def _like(self, term: Term, pattern: Literal_) -> Check:
        if self._kind(term) != "text":
            raise CQL2Error("LIKE takes a text", term.position)
        text = str(pattern.value)
        read, wanted = self._reader(term), like(text.casefold() if term.folded else text)

        def check(values: Values, _place: Any) -> bool | None:
            found = read(values)
            return None if found is None else wanted(found)

        return check


def like(pattern: str) -> Callable[[str], bool]:
    """A LIKE pattern as a test of texts. No text takes longer than its length times that of the pattern."""
    pieces: list[list[str]] = [[]]  # what stands between two %, letter by letter as regular expressions
    escaped = False
    for letter in pattern:
        if escaped or letter not in "%_\\":
            pieces[-1].append(re.escape(letter))
            escaped = False
        elif letter == "\\":
            escaped = True
        elif letter == "%":
            pieces.append([])
        else:
            pieces[-1].append(".")
    first, *middle = (re.compile("".join(piece), re.DOTALL) for piece in pieces)
    if not middle:
        return lambda text: first.fullmatch(text) is not None
    last, length = middle.pop(), len(pieces[-1])

    def test(text: str) -> bool:
        found = first.match(text)
        # The leftmost place of each piece leaves the most room for those behind it.
        for piece in middle:
            found = piece.search(text, found.end()) if found is not None else None
        return (
            found is not None and len(text) - length >= found.end() and last.match(text, len(text) - length) is not None
        )

    return test


def _all(checks: list[Check]) -> Check:
    def check(values: Values, place: Any) -> bool | None:
        unknown = False
        for one in checks:
            found = one(values, place)
            if found is False:
                return False
            unknown = unknown or found is None
        return None if unknown else True

    return check


def _any(checks: list[Check]) -> Check:
    def check(values: Values, place: Any) -> bool | None:
        unknown = False
        for one in checks:
            found = one(values, place)
            if found is True:
                return True
            unknown = unknown or found is None
        return None if unknown else False

    return check


def _not(inner: Check) -> Check:
    return lambda values, place: None if (found := inner(values, place)) is None else not found


def _comparison(left: Read, right: Read, compare: Callable[[Any, Any], bool]) -> Check:
    def check(values: Values, _place: Any) -> bool | None:
        first, second = left(values), right(values)
        return None if first is None or second is None else bool(compare(first, second))

    return check


def _text(value: Value, fold: bool) -> str | None:
    if value is None:
        return None
    return str(value).casefold() if fold else str(value)


def _instant(value: Value) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _by_day(read: Read) -> Read:
    def day(values: Values) -> str | None:
        found = read(values)
        if isinstance(found, datetime):
            return found.astimezone(UTC).date().isoformat()
        return None if found is None else str(found)[:10]

    return day


def _as_moment(term: Literal_, kind: str) -> Literal_:
    try:
        if kind == "date":
            return Literal_(date.fromisoformat(str(term.value)[:10]).isoformat(), "date", term.position)
        return Literal_(_instant(term.value) or datetime.fromisoformat(""), "instant", term.position)
    except ValueError as error:
        raise CQL2Error(f"a {kind} of ISO 8601 is expected here", term.position) from error
