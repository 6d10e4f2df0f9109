"""Reading the parameters of OGC API Features: everything wrong is an error that names its parameter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from server.errors import InputError, InvalidParameter
from server.services.cql2 import All, Compare, CQL2Error, Intersects, Literal_, Node, Property, box_shape, parse
from server.services.cql2_match import GEOMETRY, prepare
from server.services.ogc import Collection, ItemQuery
from server.store.database import stamp

CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
DEFAULT_LIMIT, MOST_LIMIT = 100, 10_000
OWN = ("f", "limit", "next", "bbox", "bbox-crs", "crs", "datetime", "properties", "filter", "filter-lang", "filter-crs")
FORMATS = ("json", "geojson")


def refuse(name: str, message: str) -> InvalidParameter:
    """The error of one parameter. Messages never repeat what was sent."""
    return InvalidParameter(f"{name}: {message}", errors=[InputError(f"/{name}", "invalid_parameter", message)])


def read_query(asked: Collection, given: Mapping[str, str]) -> ItemQuery:
    """What the parameters ask of a collection.

    Parameters
    ----------
    given : the query parameters, each once

    Raises
    ------
    InvalidParameter
        An unknown parameter or one that cannot be read; conditions on personal fields are among them.
    """
    for name in given:
        if name not in OWN and name not in asked.kinds:
            raise refuse(name, "there is no such parameter here, or it may not be asked about")
    check_format(given)
    for name in ("crs", "bbox-crs", "filter-crs"):
        if given.get(name, CRS84) != CRS84:
            raise refuse(name, f"the only reference system here is {CRS84}")
    nodes: list[Node] = []
    if "bbox" in given:
        west, south, east, north = _bbox(given["bbox"])
        nodes.append(Intersects(Property(GEOMETRY, 0), box_shape(west, south, east, north)))
    for name, value in given.items():
        if name in asked.kinds and name not in OWN:
            nodes.append(Compare("=", Property(name, 0), _literal(name, value, asked.kinds[name])))
    query = ItemQuery(_limit(given), given.get("next"), properties=_properties(asked, given))
    since, until = _interval(given["datetime"]) if "datetime" in given else (None, None)
    if "filter" in given:
        nodes.append(_filter(given))
    try:
        match = prepare(All(tuple(nodes)), asked.kinds) if nodes else None
    except CQL2Error as error:
        raise refuse("filter", str(error)) from error
    mark = repr(sorted((name, value) for name, value in given.items() if name not in {"f", "limit", "next"}))
    return replace(query, match=match, since=since, until=until, mark=mark)


def check_format(given: Mapping[str, str]) -> None:
    """Only JSON is answered here, whatever a browser would rather have."""
    if given.get("f", "json") not in FORMATS:
        raise refuse("f", f"one of {', '.join(FORMATS)} is expected")


def _limit(given: Mapping[str, str]) -> int:
    text = given.get("limit", str(DEFAULT_LIMIT))
    if not text.isdigit() or not text.isascii() or int(text[:9]) < 1:
        raise refuse("limit", f"a whole number from 1 to {MOST_LIMIT} is expected")
    return min(int(text[:9]), MOST_LIMIT)


def _bbox(text: str) -> tuple[float, float, float, float]:
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError as error:
        raise refuse("bbox", "four numbers with commas are expected: west, south, east, north") from error
    half = len(numbers) // 2
    if len(numbers) not in {4, 6} or not all(abs(one) < 1e9 for one in numbers):
        raise refuse("bbox", "four numbers with commas are expected: west, south, east, north")
    west, south, east, north = numbers[0], numbers[1], numbers[half], numbers[half + 1]
    if south > north:
        raise refuse("bbox", "the south lies north of the north")
    return west, south, east, north


def _interval(text: str) -> tuple[str | None, str | None]:
    """First and last instant of an interval, both included; an open end is None."""
    parts = text.split("/")
    if len(parts) > 2 or text in {"", ".."}:
        raise refuse("datetime", "an instant, or two with a slash are expected")
    first, last, open_ends = parts[0], parts[-1], {"", ".."}
    since = None if first in open_ends else _instant(first, end=False)
    until = None if last in open_ends else _instant(last, end=True)
    if since is not None and until is not None and since > until:
        raise refuse("datetime", "the interval ends before it begins")
    return since, until


def _instant(text: str, *, end: bool) -> str:
    """An instant as the server keeps it; a day alone is its first instant, or its last."""
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            if len(text) > 10:
                raise ValueError("an offset is missing")
            moment = moment.replace(tzinfo=UTC) + (timedelta(days=1, milliseconds=-1) if end else timedelta())
        elif end and "." not in text:
            moment += timedelta(milliseconds=999)  # what happened within this second, too
        return stamp(moment)
    except (ValueError, OverflowError) as error:
        raise refuse("datetime", "RFC 3339 is expected, with Z or an offset") from error


def _properties(asked: Collection, given: Mapping[str, str]) -> tuple[str, ...] | None:
    if "properties" not in given:
        return None
    names = tuple(name for name in given["properties"].split(",") if name)
    known = {column.name for column in asked.columns}
    if any(name not in known for name in names):
        raise refuse("properties", "one of them is not a property of this collection")
    return names


def _literal(name: str, value: str, kind: str) -> Literal_:
    if kind == "number":
        try:
            return Literal_(float(value), "number", 0)
        except ValueError as error:
            raise refuse(name, "a number is expected") from error
    if kind == "boolean":
        if value not in {"true", "false"}:
            raise refuse(name, "true or false is expected")
        return Literal_(value == "true", "boolean", 0)
    return Literal_(value, "text", 0)


def _filter(given: Mapping[str, str]) -> Node:
    if given.get("filter-lang", "cql2-text") != "cql2-text":
        raise refuse("filter-lang", "the only language here is cql2-text")
    try:
        return parse(given["filter"])
    except CQL2Error as error:
        raise refuse("filter", str(error)) from error
