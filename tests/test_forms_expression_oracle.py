"""Expressions mean the same in ODK's own form engine, where both know them; what differs is listed in docs/forms.md.

`@getodk/xforms-engine` computes what pyxform made of a workbook that is written as our forms for Collect are.
"""

from __future__ import annotations

import random
from datetime import date

import pytest
from expression_oracle import QUESTIONS, compare, same, tree

from forms.expressions import evaluate, parse
from forms.odk_expressions import odk_text, odk_tree
from forms.odk_form import collect_forms, document_of
from forms.registry import load_registry

TODAY = date(2026, 11, 22)
SEEN = {"+", "-", "*", "div", "mod", "neg", "=", "!=", "<", "<=", ">", ">=", "and", "or", "not", "if", "coalesce", "number", "selected",
        "count-selected", "regex", "string-length", "starts-with", "contains", "true", "false", "today", "date"}  # fmt: skip


def test_expressions_are_worth_the_same_in_odks_own_engine():
    """Some hundred generated expressions over answers given and left out: numbers, conditions, texts and days."""
    count, different = compare(seed=5, forms=1, expressions=100, rounds=4)
    assert count > 300 and different == []


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 104))
def test_thousands_of_expressions_are_worth_the_same(seed):
    """The same with thousands."""
    count, different = compare(seed=seed, forms=20, expressions=60, rounds=4)
    assert count > 3_500 and different == []


def test_the_comparison_is_about_the_whole_common_subset():
    """Every operator and function that both have is generated, and a wrong value would be noticed."""
    chance, used = random.Random(5), set()

    def walk(one):
        if "call" in one:
            used.add(one["call"])
        for each in one.get("args", ()):
            walk(each)

    for _ in range(2_000):
        walk(tree(chance, chance.choice(("number", "truth", "text", "day")), 3))
    assert used == SEEN
    assert not same("number", 1, "2") and not same("truth", True, "no") and not same("text", "x", "") and not same("day", None, "2024-01-01")
    assert not same("number", None, "0") and not same("number", 0, "")


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("regex(., '[0-9]{6}')", "regex(., '^(?:[0-9]{6})$')"),
        ("${d1} + 30", "if(${d1} = '', '', date(${d1} + 30))"),
        ("30 + ${d1} > today()", "if(${d1} = '', '', date(30 + ${d1})) > today()"),
        ("${d1} - ${d2}", "${d1} - ${d2}"),
        ("${n1}  +  1", "${n1}  +  1"),
        ("", ""),
    ],
)
def test_what_odk_reads_otherwise_is_said_otherwise(ours, theirs):
    """A pattern asks the whole text, a day plus days is a day: also on a phone with ODK. Everything else goes out as written."""
    assert odk_text(ours, QUESTIONS) == theirs


def test_what_is_said_otherwise_is_worth_the_same_with_us():
    """The form that goes out would mean the same if it came back."""
    chance = random.Random(11)
    for _ in range(300):
        one = tree(chance, chance.choice(("number", "truth", "text", "day")), 3)
        fields = {"n1": 2, "n2": 3, "i1": 1, "t1": "x", "t2": "12", "d1": "2024-02-29", "d2": "1999-12-31", "s1": "x", "m1": ["x"]}
        assert evaluate(odk_tree(one, QUESTIONS), fields, TODAY) == evaluate(one, fields, TODAY)
    minus = {"call": "neg", "args": [{"call": "neg", "args": [{"field": "n1"}]}]}
    assert odk_text("--${n1}", QUESTIONS) == "--${n1}" and parse("-(-${n1})") == minus


def test_the_forms_for_collect_ask_whole_texts():
    """The division code of a person: 6, 9 or 12 digits and nothing around them."""
    rows = document_of(collect_forms(load_registry())["person"])["survey"]
    (asked,) = [row["constraint"] for row in rows if row["name"] == "registration_division_code"]
    assert asked == "regex(., '^(?:[0-9]{6}([0-9]{3}([0-9]{3})?)?)$')"
