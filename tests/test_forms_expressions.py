from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forms.compiled import compile_condition, compile_rules
from forms.errors import ExpressionError
from forms.evaluator import FUNCTIONS, is_true
from forms.expressions import evaluate, fields_used, parse, uses_today

VECTORS = Path(__file__).parent / "vectors" / "expressions"
VALUES = json.loads((VECTORS / "values.json").read_text(encoding="utf-8"))["cases"]
ERRORS = json.loads((VECTORS / "errors.json").read_text(encoding="utf-8"))["cases"]
TODAY = date(2026, 11, 21)


def _id(case):
    return case["name"]


@pytest.mark.parametrize("case", VALUES, ids=_id)
def test_expression_is_worth_what_the_shared_cases_say(case):
    """An expression means the same on the server as on the phone."""
    assert parse(case["text"]) == case["tree"]
    day = date.fromisoformat(case["today"]) if "today" in case else None
    worth = evaluate(case["tree"], case["fields"], today=day, value=case.get("value"))
    assert worth == case["expected"]
    assert type(worth) is type(case["expected"])


@pytest.mark.parametrize("case", ERRORS, ids=_id)
def test_unreadable_expression_names_the_place(case):
    """Whoever writes a form is told at which character an expression goes wrong."""
    with pytest.raises(ExpressionError) as caught:
        parse(case["text"])
    assert caught.value.position == case["position"]
    assert f"character {case['position'] + 1}" in str(caught.value)


def test_every_function_has_a_shared_case():
    """No function of the language is left for two programs to disagree about."""
    used = json.dumps([case["tree"] for case in VALUES])
    assert [name for name in FUNCTIONS if f'"call": "{name}"' not in used] == []


def test_nesting_and_length_are_bounded():
    """A hostile expression is refused, it does not bring the server down."""
    for text in ("(" * 500 + "1" + ")" * 500, "-" * 500 + "1", "1 + " * 5000 + "1", "1 + " * 900 + "1"):
        with pytest.raises(ExpressionError):
            parse(text)
    chain = parse(" or ".join(["${a} = 'y'"] * 100))
    nested = parse("coalesce(" * 39 + "${a}" + ", 'x')" * 39)
    for tree in (chain, nested):
        assert compile_condition(tree)({"a": "y"}, None) is is_true(evaluate(tree, {"a": "y"})) is True


def test_what_an_expression_reads_is_known():
    """The form knows which answers a condition depends on."""
    tree = parse("if(${a} > today(), ${b}, .)")
    assert fields_used(tree) == {"a", "b"}
    assert uses_today(tree)
    assert not uses_today(parse("${a}"))


def test_today_must_be_given():
    """No clock is read behind the caller's back."""
    with pytest.raises(ValueError, match="no day was given"):
        evaluate(parse("today()"), {})


NAMES = ("a", "b", "c")
VALUE = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 5),
    st.sampled_from([0.5, 1e200, 2**60]),
    st.sampled_from(
        ["", "x", "y", "x y", "1", "2.0", "2024-02-29", "2026-11-21", "99999919500101000X", "2024-01-01T00:00:00Z"]
    ),
    st.lists(st.sampled_from(["x", "y", "1"]), max_size=2),
)
LEAF = st.one_of(
    st.sampled_from(NAMES).map(lambda name: {"field": name}),
    st.sampled_from(["", "x", "1", "x y", 0, 1, 2.5]).map(lambda literal: {"lit": literal}),
    st.just({"call": "today", "args": []}),
)


def _call(children):
    def build(name, count):
        return st.tuples(*[children] * count).map(lambda arguments: {"call": name, "args": list(arguments)})

    binary = ("and", "or", "=", "!=", "<", "<=", ">", ">=", "+", "-", "*", "div", "mod")
    choices = [build(name, 2) for name in binary] + [build("neg", 1)]
    choices += [build(name, max(1, f.arity[0])) for name, f in FUNCTIONS.items() if f.arity[1] and name != "regex"]
    return st.one_of(choices)


@given(st.recursive(LEAF, _call, max_leaves=8), st.dictionaries(st.sampled_from(NAMES), VALUE))
def test_compiled_condition_agrees_with_the_evaluator(tree, fields):
    """A rule that was made fast gives the verdict of the rule as written."""
    assert compile_condition(tree)(fields, TODAY) == is_true(evaluate(tree, fields, today=TODAY))


@given(st.lists(st.recursive(LEAF, _call, max_leaves=6), max_size=4), st.dictionaries(st.sampled_from(NAMES), VALUE))
def test_rules_judged_together_agree_with_the_evaluator(trees, fields):
    """All rules of a record type in one pass name exactly those that do not hold by themselves."""
    broken = [at for at, tree in enumerate(trees) if not is_true(evaluate(tree, fields, today=TODAY))]
    assert compile_rules(trees)(fields, TODAY) == broken


@pytest.mark.parametrize("fields", [{}, {"a": "x"}, {"b": "2026-11-02"}, {"a": "x", "b": "2026-11-02"}], ids=str)
def test_a_call_asked_for_in_two_rules_may_stand_in_a_choice_of_the_first_value(fields):
    """What several rules ask of a field is asked once, also where it is only asked for when nothing came before it."""
    texts = ("coalesce(${a}, string-length(${b}), ${c}) = 'x'", "string-length(${b}) > 9", "coalesce(coalesce(${a}, string-length(${b})), 1) = 10")
    trees = [parse(text) for text in texts]
    broken = [at for at, tree in enumerate(trees) if not is_true(evaluate(tree, fields, today=TODAY))]
    assert compile_rules(trees)(fields, TODAY) == broken
