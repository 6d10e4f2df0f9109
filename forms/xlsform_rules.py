"""What reading and writing XLSForm must agree on: names of sheets and columns, and how a rule of ours stands in a column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any

from forms.expression_text import text_of
from forms.expressions import Node, parse
from forms.xlsform_expressions import read_field, read_own

ZH, EN = "中文 (zh)", "English (en)"
#: A list of choices that stands for a boolean.
YES_NO = "dishu_yes_no"
#: The group of fields that no screen shows.
NOT_SHOWN = "dishu_not_shown"

#: Columns of ``survey`` that hold what XLSForm has no word for, by the key of the definition.
TEXT_KEYS = ("unit", "policy", "privacy", "format", "measure", "standard", "source", "note")
FLAG_KEYS = ("exclusive", "indexed", "identifying")
#: Needed even where the question is not always asked; a bare ``required`` is then a finding.
ALWAYS = "dishu_required"
NUMBER_KEYS = ("min", "max", "max_length")
EXTRA = ("type", "order", "required", *TEXT_KEYS, *FLAG_KEYS, *NUMBER_KEYS, "mask")
CODE_KEYS = ("parent", "group", "replaced_by")

REQUIRED_MESSAGE = {"zh": "必填项未填写", "en": "A required answer is missing"}
CONDITION_MESSAGE = {"zh": "不符合要求", "en": "does not meet its condition"}

Rule = dict[str, Any]


def both(trees: Sequence[Node]) -> Node | None:
    """All of several conditions; None for none."""
    return reduce(lambda left, right: {"call": "and", "args": [left, right]}, trees) if trees else None


def required_rule(name: str, conditions: Sequence[Node], message: Mapping[str, str]) -> Rule:
    """The finding that stands for ``required`` where a question is not always asked.

    A record can then arrive without the answer: refusing it would refuse the people who were never asked.
    """
    asked = both(conditions)
    assert asked is not None
    tree = {"call": "or", "args": [_answered(name), {"call": "not", "args": [asked]}]}
    return {"name": f"{name}_required", "holds": text_of(tree), "fields": [name], "message": dict(message)}


def condition_rule(name: str, condition: Node, message: Mapping[str, str]) -> Rule:
    """The finding that stands for a constraint that looks at the day or at other answers; holds where nothing is answered."""
    tree = {"call": "or", "args": [_unanswered(name), read_own(condition, name)]}
    return {"name": f"{name}_condition", "holds": text_of(tree), "fields": [name], "message": dict(message)}


def condition_of(rule: Mapping[str, Any], name: str) -> str | None:
    """The constraint column that ``condition_rule`` would make this very rule of; None where none would."""
    if rule["name"] != f"{name}_condition":
        return None
    tree = parse(rule["holds"])
    if tree.get("call") != "or" or tree["args"][0] != _unanswered(name):
        return None
    condition = read_field(tree["args"][1], name)
    return text_of(condition) if condition_rule(name, condition, rule["message"]) == dict(rule) else None


def limits_text(low: float | None, high: float | None) -> str:
    """The constraint that says the limits of a number; empty without limits."""
    return " and ".join(
        f". {sign} {number_text(limit)}" for sign, limit in ((">=", low), ("<=", high)) if limit is not None
    )


def without_limits(constraint: str, limits: str) -> str:
    """What a constraint says beyond the limits that begin it; unchanged if they do not."""
    if limits and constraint == limits:
        return ""
    if limits and constraint.startswith(f"{limits} and (") and constraint.endswith(")"):
        return constraint[len(limits) + 6 : -1]
    return constraint


def with_limits(constraint: str, limits: str) -> str:
    """Limits and constraint in one; ``without_limits`` takes them apart."""
    return f"{limits} and ({constraint})" if limits and constraint else limits or constraint


def number_text(number: float) -> str:
    """A number as the grammar of expressions writes it."""
    return f"-{text_of({'lit': -number})}" if number < 0 else text_of({"lit": number})


def _unanswered(name: str) -> Node:
    return {"call": "=", "args": [{"field": name}, {"lit": ""}]}


def _answered(name: str) -> Node:
    return {"call": "!=", "args": [{"field": name}, {"lit": ""}]}
