"""Expressions of workbooks, and expressions written as text."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forms.errors import ExpressionError
from forms.expression_text import text_of
from forms.expressions import evaluate, parse
from forms.xlsform_expressions import kept_text, kind_of, translate

CASES = json.loads((Path(__file__).parent / "vectors" / "expressions" / "xlsform.json").read_text(encoding="utf-8"))
FIELDS = dict.fromkeys(CASES["fields"], "")

LEAVES = st.one_of(
    st.builds(lambda value: {"lit": value}, st.one_of(st.integers(0, 10**9), st.floats(0, 1e6, allow_nan=False))),
    st.builds(lambda value: {"lit": value}, st.text("abc '\u7532<>", max_size=6)),
    st.builds(lambda value: {"lit": value}, st.text('abc "', max_size=6)),
    st.builds(lambda name: {"field": name}, st.sampled_from(["age", "born", "tags"])),
    st.just({"self": True}),
    st.just({"call": "today", "args": []}),
)
TREES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(
            lambda name, a, b: {"call": name, "args": [a, b]},
            st.sampled_from(["or", "and", "=", "!=", "<", "<=", ">", ">=", "+", "-", "*", "div", "mod", "contains"]),
            inner,
            inner,
        ),
        st.builds(lambda name, a: {"call": name, "args": [a]}, st.sampled_from(["neg", "not", "number"]), inner),
        st.builds(lambda a, b, c: {"call": "if", "args": [a, b, c]}, inner, inner, inner),
    ),
    max_leaves=12,
)


def _whole(tree):
    """Numbers as the grammar reads them: a whole one is an integer."""
    if "lit" in tree and isinstance(tree["lit"], float) and tree["lit"].is_integer():
        return {"lit": int(tree["lit"])}
    return {**tree, "args": [_whole(one) for one in tree["args"]]} if "args" in tree else tree


@given(TREES)
def test_a_tree_written_as_text_is_read_as_the_same_tree(tree):
    """A rule that goes out in a workbook and comes back asks exactly the same."""
    tree = _whole(tree)
    assert parse(text_of(tree)) == tree


def test_a_text_with_both_quotes_is_not_written_wrong():
    """What the grammar cannot say is an error, never another text."""
    with pytest.raises(ValueError, match="quotes"):
        text_of({"lit": "'\""})


@pytest.mark.parametrize("case", CASES["read"], ids=lambda case: case["xlsform"])
def test_expressions_of_workbooks_are_read(case):
    """An author's habits are understood: names in capitals, curly quotes, int()."""
    tree = translate(case["xlsform"], FIELDS, own="age")
    assert tree == parse(case["ours"])
    assert parse(kept_text(case["xlsform"], tree)) == tree


@pytest.mark.parametrize("case", CASES["refused"], ids=lambda case: case["xlsform"])
def test_what_is_outside_the_subset_is_refused_at_its_place(case):
    """The author is told the character at which the expression leaves what phones can compute."""
    with pytest.raises(ExpressionError) as caught:
        translate(case["xlsform"], FIELDS, own="age")
    assert caught.value.position == case["position"]
    assert case["reason"] in caught.value.reason


def test_the_dot_needs_an_answer_to_stand_for():
    """A relevance that looks at its own answer would hide the question that it needs."""
    with pytest.raises(ExpressionError, match=r"'\.' has no answer"):
        translate(". = 1", FIELDS)


@pytest.mark.parametrize(("number", "whole"), [(2.7, 2), (-2.7, -2), (3, 3), (0.2, 0), (None, None)])
def test_int_cuts_towards_zero(number, whole):
    """int() gives what it gives in every other program."""
    assert evaluate(translate("int(${age})", FIELDS), {"age": number}, date(2026, 3, 2)) == whole


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("${age} + 1", "decimal"),
        ("today() - ${born}", "decimal"),
        ("${born} + 30", "date"),
        ("${age} > 1 and true()", "boolean"),
        ("if(${age} > 1, 'a', '')", "text"),
        ("coalesce(${age}, 0)", "decimal"),
        ("''", "text"),
        ("if(${age} > 1, 'a', 2)", None),
        ("coalesce(${born}, 0)", None),
        ("coalesce(${tags}, '')", None),
    ],
)
def test_the_type_of_a_calculation_follows_from_it(text, kind):
    """A total is a number in every table; a calculation of two minds is refused."""
    types = {"age": "integer", "born": "date", "tags": "select_multiple"}
    if kind is None:
        with pytest.raises(ValueError, match="kinds"):
            kind_of(parse(text), types)
    else:
        assert kind_of(parse(text), types) == kind
