from __future__ import annotations

import fnmatch
import time

import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from server.services.cql2 import CQL2Error, parse
from server.services.cql2_match import like, prepare

KINDS = {"name": "text", "floors": "number", "open": "boolean", "day": "date", "at": "instant"}
HERE = shapely.Point(120.5, 31.5)
VALUES = {"name": "Ab丙", "floors": 6, "open": True, "day": "2026-03-02", "at": "2026-03-02T01:00:00.000Z"}


def passes(text, values=VALUES, place=HERE):
    return prepare(parse(text), KINDS).check(values, place)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("floors = 6", True), ("floors=6.0", True), ("6 = floors", True), ("floors <> 6", False), ("floors < 7", True),
        ("floors >= 6 and floors <= 6", True), ("floors > -1e3", True), ("NOT floors = 6", False),
        ("floors = 5 OR floors = 6 AND name = 'x'", False), ("(floors = 5 OR floors = 6) AND open = TRUE", True),
        ("NOT (NOT floors = 6)", True), ("floors BETWEEN 6 AND 7", True), ("floors NOT BETWEEN 6 AND 7", False),
        ("floors IN (1, 6)", True), ("floors NOT IN (1, 2)", True), ("name IN ('Ab丙')", True),
        ("name LIKE 'A%'", True), ("name LIKE 'a%'", False), ("name LIKE '_b_'", True), ("name NOT LIKE '%丙'", False),
        ("CASEI(name) = CASEI('aB丙')", True), ("CASEI(name) LIKE CASEI('AB%')", True), ("CASEI(name) LIKE 'AB%'", True),
        ("name IS NULL", False), ("name IS NOT NULL", True), ("\"name\" = 'Ab丙'", True), ("name = 'it''s'", False),
        ("day = DATE('2026-03-02')", True), ("day > '2026-03-01'", True), ("at = DATE('2026-03-02')", True),
        ("at > TIMESTAMP('2026-03-02T08:00:00+08:00')", True), ("at < TIMESTAMP('2026-03-02T09:00:00+08:00')", False),
        ("at >= '2026-03-02T01:00:00Z'", True), ("day = TIMESTAMP('2026-03-02T23:00:00Z')", True), ("TRUE", True), ("FALSE OR TRUE", True),
        ("S_INTERSECTS(geometry, BBOX(120,31,121,32))", True), ("s_intersects(BBOX(120,31,1,121,32,2), geometry)", True),
        ("S_INTERSECTS(geometry, POINT(120.5 31.5))", True), ("S_INTERSECTS(geometry, POINT(120.5 31.6))", False),
        ("S_INTERSECTS(geometry, POLYGON((120 31, 121 31, 121 32, 120 31)))", True),
        ("S_INTERSECTS(geometry, MULTIPOLYGON(((0 0, 1 0, 1 1, 0 0)), ((120 31, 121 31, 121 32, 120 31))))", True),
        ("S_INTERSECTS(geometry, LINESTRING(120 31, 121 32))", True), ("geometry IS NULL", False),
    ],
)  # fmt: skip
def test_a_filter_says_what_the_standard_says(text, expected):
    """Comparisons, lists, patterns, dates and places mean what CQL2 says they mean."""
    assert passes(text) is expected


@pytest.mark.parametrize(
    "text",
    ["floors = 6", "NOT floors = 6", "name LIKE '%'", "floors IN (6)", "floors BETWEEN 1 AND 9", "S_INTERSECTS(geometry, POINT(1 1))",
     "NOT S_INTERSECTS(geometry, POINT(1 1))", "floors = 6 AND TRUE", "floors = 6 OR FALSE", "at > DATE('2020-01-01')"],
)  # fmt: skip
def test_what_is_not_known_is_neither_true_nor_false(text):
    """A feature without a value or place passes neither a condition on it nor its opposite."""
    assert passes(text, {}, None) is None
    assert passes("floors = 6 OR TRUE", {}, None) is True
    assert passes("floors = 6 AND FALSE", {}, None) is False


_WORDS = ["name", "floors", "open", "day", "at", "geometry", "ghost", "AND", "OR", "NOT", "IN", "LIKE", "BETWEEN", "IS", "NULL", "TRUE",
          "(", ")", ",", "=", "<>", "<", ">=", "'a'", "'%'", "1", "-2.5", "1e400", "DATE('2026-01-01')", "DATE('x')", "TIMESTAMP('2026-01-01T00:00:00Z')",
          "CASEI(", "CASEI(name)", "BBOX(1,2,3,4)", "BBOX(", "POINT(1 2)", "POLYGON((", "S_INTERSECTS(", "'", '"', "\\", ";", "--", "丙"]  # fmt: skip


@given(st.one_of(st.text(max_size=60), st.lists(st.sampled_from(_WORDS), max_size=25).map(" ".join)))
def test_no_text_does_anything_but_filter(text):
    """Whatever somebody types is a filter or an error that names a place in it; it never fails otherwise."""
    try:
        match = prepare(parse(text), KINDS)
    except CQL2Error as error:
        assert 0 <= error.position <= len(text)
    else:
        assert match.check(VALUES, HERE) in (True, False, None)
        assert match.check({}, None) in (True, False, None)
        assert match.properties <= set(KINDS)


@given(st.text(alphabet="ab丙", max_size=12), st.text(alphabet="ab丙%_", max_size=8))
def test_like_is_the_pattern_that_everybody_knows(text, pattern):
    """% stands for any characters and _ for one, as in every file manager * and ? do."""
    assert like(pattern)(text) == fnmatch.fnmatchcase(text, pattern.replace("%", "*").replace("_", "?"))


def test_an_escaped_wildcard_is_itself():
    """A backslash makes % and _ ordinary characters."""
    assert like("100\\%")("100%") and not like("100\\%")("1000")
    assert like("a\\_b")("a_b") and not like("a\\_b")("axb")


def test_no_pattern_is_slow():
    """A pattern made to be slow is answered at once: a filter cannot hold up the server."""
    started = time.perf_counter()
    assert not like("%a" * 40 + "%b")("a" * 5_000)
    assert time.perf_counter() - started < 1


@given(st.sampled_from(["name = 'Ab丙' AND floors = 6", "name IN ('a', 'Ab丙') AND TRUE", "open = TRUE AND (name = 'x' AND name = 'y')"]),
       st.sampled_from(["Ab丙", "a", "x"]))  # fmt: skip
def test_what_narrows_a_query_never_loses_a_feature(text, name):
    """What the database compares beforehand leaves out only features that would not have passed."""
    match = prepare(parse(text), KINDS)
    values = VALUES | {"name": name}
    if match.check(values, HERE):
        assert all(values[one] in wanted for one, wanted in match.equals.items())
