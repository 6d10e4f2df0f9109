"""Reading CQL2 text (OGC 21-065): a filter as a small tree. Pure: knows no property, evaluates nothing.

Understood are comparisons (also with LIKE, BETWEEN, IN, IS NULL, CASEI), AND, OR, NOT, dates and instants, and
S_INTERSECTS with a geometry in CRS84 (well-known text or BBOX). Anything else is an error that names its place.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal

import shapely

MOST_CHARACTERS = 20_000
_MOST_DEPTH = 40
_MOST_TERMS = 500


class CQL2Error(ValueError):
    """The text is not a filter that is understood here; ``position`` is the first character that is not, from 0."""

    def __init__(self, message: str, position: int) -> None:
        super().__init__(f"{message} (at character {position + 1})")
        self.position = position


@dataclass(frozen=True, slots=True)
class Property:
    """A property by its name; ``folded`` where it stands in CASEI."""

    name: str
    position: int
    folded: bool = False


@dataclass(frozen=True, slots=True)
class Literal_:
    """A value; ``kind`` is text, number, boolean, date (ISO text) or instant (aware date-time)."""

    value: Any
    kind: Literal["text", "number", "boolean", "date", "instant"]
    position: int
    folded: bool = False


Term = Property | Literal_


@dataclass(frozen=True, slots=True)
class Compare:
    """``left op right``; op is one of = <> < <= > >=."""

    op: str
    left: Term
    right: Term


@dataclass(frozen=True, slots=True)
class Like:
    """A text against a pattern: % any characters, _ one, backslash before either of them the character itself."""

    term: Term
    pattern: Literal_


@dataclass(frozen=True, slots=True)
class Between:
    """From ``low`` to ``high``, both included."""

    term: Term
    low: Term
    high: Term


@dataclass(frozen=True, slots=True)
class In:
    """Equal to one of the values."""

    term: Term
    values: tuple[Literal_, ...]


@dataclass(frozen=True, slots=True)
class IsNull:
    """Without a value."""

    term: Property


@dataclass(frozen=True, slots=True)
class Intersects:
    """The feature's geometry and this one share a point, borders included."""

    property: Property
    geometry: Any


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite; unknown stays unknown."""

    inner: Node


@dataclass(frozen=True, slots=True)
class All:
    """All of them."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Any_:
    """At least one of them."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Constant:
    """TRUE or FALSE."""

    value: bool


Node = Compare | Like | Between | In | IsNull | Intersects | Not | All | Any_ | Constant

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<text>'(?:[^'\\]|''|\\.)*')
      | (?P<number>[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)
      | (?P<op><>|<=|>=|=|<|>)
      | (?P<mark>[(),])
      | "(?P<quoted>[^"]+)"
      | (?P<word>[^\W\d][\w.:]*)
    )""",
    re.VERBOSE,
)
_SHAPES = frozenset({"POINT", "LINESTRING", "POLYGON", "MULTIPOINT", "MULTILINESTRING", "MULTIPOLYGON"})
_WORDS = frozenset({"AND", "OR", "NOT", "IN", "LIKE", "BETWEEN", "IS", "NULL", "TRUE", "FALSE"})
_RESERVED = _WORDS | _SHAPES | {"BBOX", "DATE", "TIMESTAMP", "CASEI", "S_INTERSECTS", "INTERSECTS"}


def parse(text: str) -> Node:
    """A filter text as a tree.

    Raises
    ------
    CQL2Error
        Not understood, longer than 20,000 characters, nested deeper than 40, or of more than 500 terms.
    """
    if len(text) > MOST_CHARACTERS:
        raise CQL2Error(f"a filter has at most {MOST_CHARACTERS} characters", MOST_CHARACTERS)
    reader = _Reader(text)
    node = reader.either(0)
    if reader.kind != "end":
        raise reader.unexpected("AND, OR or the end")
    return node


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._next = self.position = self._terms = 0
        self.kind, self.piece = "end", ""
        self._step()

    def _step(self) -> None:
        match = _TOKEN.match(self._text, self._next)
        if match is None or match.lastgroup is None:
            rest = self._text[self._next :]
            self.position = self._next + len(rest) - len(rest.lstrip())
            if rest.strip():
                raise CQL2Error("this cannot be read", self.position)
            self.kind, self.piece = "end", ""
            return
        self.kind, self.piece = match.lastgroup, match[match.lastgroup]
        self.position, self._next = match.start(match.lastgroup), match.end()

    def unexpected(self, wanted: str) -> CQL2Error:
        return CQL2Error(f"{wanted} is expected here", self.position)

    def _is(self, *words: str) -> bool:
        return self.kind == "word" and self.piece.upper() in words

    def _take(self, *words: str) -> bool:
        found = self._is(*words)
        if found:
            self._step()
        return found

    def _mark(self, mark: str) -> None:
        if self.kind != "mark" or self.piece != mark:
            raise self.unexpected(mark)
        self._step()

    # ------------------------------------------------------------ conditions
    def either(self, depth: int) -> Node:
        if depth > _MOST_DEPTH:
            raise CQL2Error("nested too deeply", self.position)
        parts = [self._each(depth)]
        while self._take("OR"):
            parts.append(self._each(depth))
        return parts[0] if len(parts) == 1 else Any_(tuple(parts))

    def _each(self, depth: int) -> Node:
        parts = [self._factor(depth)]
        while self._take("AND"):
            parts.append(self._factor(depth))
        return parts[0] if len(parts) == 1 else All(tuple(parts))

    def _factor(self, depth: int) -> Node:
        if depth > _MOST_DEPTH:
            raise CQL2Error("nested too deeply", self.position)
        if self._take("NOT"):
            return Not(self._factor(depth + 1))
        if self.kind == "mark" and self.piece == "(":
            self._step()
            inner = self.either(depth + 1)
            self._mark(")")
            return inner
        if self._is("S_INTERSECTS", "INTERSECTS"):
            return self._intersects()
        return self._predicate()

    def _predicate(self) -> Node:
        term = self._term()
        if self.kind == "op":
            op = self.piece
            self._step()
            return Compare(op, term, self._term())
        if self._take("IS"):
            opposite = self._take("NOT")
            if not self._take("NULL"):
                raise self.unexpected("NULL")
            if not isinstance(term, Property):
                raise CQL2Error("a property is expected before IS NULL", term.position)
            return Not(IsNull(term)) if opposite else IsNull(term)
        opposite = self._take("NOT")
        found: Node
        if self._take("LIKE"):
            found = Like(term, self._pattern())
        elif self._take("BETWEEN"):
            low = self._term()
            if not self._take("AND"):
                raise self.unexpected("AND")
            found = Between(term, low, self._term())
        elif self._take("IN"):
            found = In(term, self._values())
        elif not opposite and isinstance(term, Literal_) and term.kind == "boolean":
            return Constant(bool(term.value))
        else:
            raise self.unexpected("a comparison")
        return Not(found) if opposite else found

    def _pattern(self) -> Literal_:
        pattern = self._term()
        if not isinstance(pattern, Literal_) or pattern.kind != "text":
            raise CQL2Error("a pattern in quotes is expected after LIKE", pattern.position)
        return pattern

    def _values(self) -> tuple[Literal_, ...]:
        self._mark("(")
        values = []
        while True:
            value = self._term()
            if not isinstance(value, Literal_):
                raise CQL2Error("a list holds values", value.position)
            values.append(value)
            if self.kind != "mark" or self.piece != ",":
                break
            self._step()
        self._mark(")")
        return tuple(values)

    # ------------------------------------------------------------ terms
    def _term(self) -> Term:
        self._terms += 1
        if self._terms > _MOST_TERMS:
            raise CQL2Error(f"a filter has at most {_MOST_TERMS} terms", self.position)
        at, kind, token = self.position, self.kind, self.piece
        if kind == "text":
            self._step()
            return Literal_(re.sub(r"''|\\'", "'", token[1:-1]), "text", at)
        if kind == "number":
            self._step()
            value = float(token)
            return Literal_(int(token) if token.lstrip("+-").isdigit() else value, "number", at)
        if kind == "quoted":
            self._step()
            return Property(token, at)
        if kind != "word":
            raise self.unexpected("a property or a value")
        word = token.upper()
        if word in {"TRUE", "FALSE"}:
            self._step()
            return Literal_(word == "TRUE", "boolean", at)
        if word in {"DATE", "TIMESTAMP", "CASEI"}:
            return self._called(word, at)
        if word in _RESERVED:
            raise self.unexpected("a property or a value")
        self._step()
        return Property(token, at)

    def _called(self, word: str, at: int) -> Term:
        self._step()
        self._mark("(")
        inner = self._term()
        self._mark(")")
        if word == "CASEI":
            if isinstance(inner, Property):
                return Property(inner.name, at, folded=True)
            if inner.kind != "text":
                raise CQL2Error("CASEI takes a text or a property", inner.position)
            return Literal_(str(inner.value).casefold(), "text", at, folded=True)
        if not isinstance(inner, Literal_) or inner.kind != "text":
            raise CQL2Error(f"{word} takes a text in quotes", inner.position)
        return _moment(word, str(inner.value), at)

    def _intersects(self) -> Node:
        self._step()
        self._mark("(")
        first = self._place()
        self._mark(",")
        second = self._place()
        self._mark(")")
        if isinstance(first, Property) and not isinstance(second, Property):
            return Intersects(first, second)
        if isinstance(second, Property) and not isinstance(first, Property):
            return Intersects(second, first)
        raise CQL2Error("S_INTERSECTS takes a property and a geometry", self.position)

    def _place(self) -> Any:
        """A property, or a geometry as well-known text or BBOX."""
        self._terms += 1
        if not self._is("BBOX", *_SHAPES):
            found = self._term()
            if not isinstance(found, Property):
                raise CQL2Error("a geometry or a property is expected here", found.position)
            return found
        begin, box = self.position, self._is("BBOX")
        self._step()
        self._take("Z")
        if self.kind != "mark" or self.piece != "(":
            raise self.unexpected("(")
        depth = 0
        while True:  # numbers, commas and brackets up to the closing one; shapely reads them
            if self.kind == "mark" and self.piece in "()":
                depth += 1 if self.piece == "(" else -1
            elif self.kind not in {"number", "mark"}:
                raise self.unexpected("a number")
            end = self._next
            if depth == 0:
                break
            self._step()
        written = self._text[begin:end]
        self._step()
        return _box(written, begin) if box else _shape(written, begin)


def _moment(word: str, text: str, at: int) -> Literal_:
    try:
        if word == "DATE":
            return Literal_(date.fromisoformat(text).isoformat(), "date", at)
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise CQL2Error(f"this is no {'day' if word == 'DATE' else 'instant'} of ISO 8601", at) from error
    if moment.tzinfo is None:
        raise CQL2Error("an instant ends in Z or an offset", at)
    return Literal_(moment, "instant", at)


def _box(written: str, at: int) -> Any:
    try:
        numbers = [float(part) for part in written[written.index("(") + 1 : -1].split(",")]
    except ValueError:
        numbers = []
    if len(numbers) not in {4, 6}:
        raise CQL2Error("BBOX takes west, south, east, north", at)
    half = len(numbers) // 2
    return box_shape(numbers[0], numbers[1], numbers[half], numbers[half + 1])


def box_shape(west: float, south: float, east: float, north: float) -> Any:
    """A box in degrees; one whose west lies east of its east crosses the antimeridian and is two."""
    if west <= east:
        return shapely.box(west, south, east, north)
    return shapely.union(shapely.box(west, south, 180, north), shapely.box(-180, south, east, north))


def _shape(written: str, at: int) -> Any:
    try:
        shape = shapely.force_2d(shapely.from_wkt(written))
    except shapely.errors.ShapelyError as error:
        raise CQL2Error("this is no well-known text of a geometry", at) from error
    if shape.is_empty or not shape.is_valid:
        raise CQL2Error("this geometry is empty or its rings cross", at)
    return shape
