"""Expressions of the subset that XLSForm and our grammar share, by chance and typed; and what ODK's own engine computes of them.

An expression goes the way of a workbook: our tree, written as text, through pyxform into an XForm. The engine knows texts
only, so that each expression has a kind by which its text is read back.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from conftest import required_program
from pyxform.xls2xform import convert

from forms.evaluator import evaluate
from forms.expression_text import text_of
from forms.expressions import parse
from forms.odk_expressions import odk_tree

ROOT = Path(__file__).resolve().parent.parent
QUESTIONS = {"n1": "decimal", "n2": "decimal", "i1": "integer", "t1": "text", "t2": "text", "d1": "date", "d2": "date",
             "s1": "select_one codes", "m1": "select_multiple codes"}  # fmt: skip
_VALUES: dict[str, tuple[Any, ...]] = {
    "n1": (None, 0, 1, -1, 2.5, 1000000.25), "n2": (None, 0, 3, -0.5, 7), "i1": (None, 0, 1, 18, -4),
    "t1": (None, "x", "x y", "1", "2.0", "甲乙", "abc", "0"), "t2": (None, "x", "b", "12"),
    "d1": (None, "2024-02-29", "2026-11-21"), "d2": (None, "1999-12-31", "2026-11-22"),
    "s1": (None, "x", "y"), "m1": (None, ["x"], ["x", "y"], ["1"]),
}  # fmt: skip
_PATTERNS = ("[0-9]+", ".*", "[a-z]+", "(?:x|y)( y)?", ".", "x.*")
_SUMS = frozenset({"+", "-", "*", "div", "mod", "neg", "number"})
Tree = dict[str, Any]


def _call(name: str, *arguments: Tree) -> Tree:
    return {"call": name, "args": list(arguments)}


def tree(chance: random.Random, kind: str, depth: int) -> Tree:
    """An expression of a kind: ``number``, ``truth``, ``text`` or ``day``."""

    def one(wanted: str) -> Tree:
        return tree(chance, wanted, depth - 1)

    def field(*names: str) -> Tree:
        return {"field": chance.choice(names)}

    if depth <= 0:
        return {
            "number": lambda: chance.choice((field("n1", "n2", "i1"), {"lit": chance.choice((0, 1, 2, 2.5, 18))})),
            "truth": lambda: chance.choice((_call("true"), _call("false"), _call("selected", field("m1", "s1"), {"lit": chance.choice("xy1")}))),
            "text": lambda: chance.choice((field("t1", "t2", "s1"), {"lit": chance.choice(("", "x", "1", "x y", "甲乙"))})),
            "day": lambda: chance.choice((field("d1", "d2"), _call("today"))),
        }[kind]()
    if chance.random() < 0.15:
        return _call("if", one("truth"), one(kind), one(kind))
    if kind == "number":
        name = chance.choice(("+", "-", "*", "div", "mod", "neg", "number", "string-length", "count-selected", "coalesce", "days"))
        if name == "days":
            return _call("-", one("day"), one("day"))
        if name in ("neg", "number"):
            return _call(name, one("number" if name == "neg" else chance.choice(("number", "text"))))
        if name == "string-length":
            return _call(name, one("text"))
        return _call(name, field("m1")) if name == "count-selected" else _call(name, one("number"), one("number"))
    if kind == "truth":
        name = chance.choice(("=", "!=", "<", "<=", ">", ">=", "and", "or", "not", "starts-with", "contains", "regex", "selected"))
        if name in ("and", "or"):
            return _call(name, one("truth"), one("truth"))
        if name == "not":
            return _call(name, one("truth"))
        if name in ("starts-with", "contains"):
            return _call(name, one("text"), one("text"))
        if name == "regex":
            return _call(name, one("text"), {"lit": chance.choice(_PATTERNS)})
        if name == "selected":
            return _call(name, field("m1", "s1"), {"lit": chance.choice("xy1")})
        left, right = chance.choice((("number", "number"), ("day", "day"), ("text", "text"), ("number", "text"))[: 4 if name in ("=", "!=") else 2])
        # Two answers of different types are compared as texts by XPath: the number is said to be one.
        return _call(name, _call("number", one(left)) if right != left else one(left), one(right))
    if kind == "day":
        if chance.random() < 0.4:
            return _call(chance.choice("+-"), one("day"), {"lit": chance.choice((0, 1, 30, 366))})
        return chance.choice((_call("coalesce", one("day"), one("day")), _call("date", {"lit": chance.choice(("2024-02-29", "1999-12-31"))})))
    return _call("coalesce", one("text"), one("text"))


def workbook(trees: list[Tree]) -> str:
    """The XForm of a workbook whose calculations these expressions are."""
    rows = [{"type": kind, "name": name, "label": name} for name, kind in QUESTIONS.items()]
    rows += [{"type": "calculate", "name": f"c{at}", "calculation": text_of(one)} for at, one in enumerate(trees)]
    choices = [{"list_name": "codes", "name": code, "label": code} for code in "xy1"]
    made: Any = {"survey": rows, "choices": choices, "settings": [{"form_id": "oracle", "form_title": "oracle"}]}
    for title in list(made):
        made[f"{title}_header"] = [dict.fromkeys(key for row in made[title] for key in row)]
    return str(convert(xlsform=made, validate=False).xform)


def comes_to_nothing(one: Tree, fields: dict[str, Any], today: date) -> bool:
    """Whether a sum within an expression is nothing (no number, or not finite): XPath goes on with NaN or Infinity there."""
    return any(
        comes_to_nothing(each, fields, today) or ("call" in each and each["call"] in _SUMS and evaluate(each, fields, today=today) is None)
        for each in one.get("args", ())
    )


def _typed(value: Any) -> str:
    return "" if value is None else " ".join(value) if isinstance(value, list) else str(value)


def compare(seed: int, forms: int, expressions: int, rounds: int) -> tuple[int, list[str]]:
    """How many values were compared, and each that differs: the expression, the answers, ours, the engine's."""
    chance, today = random.Random(seed), datetime.now(UTC).date()
    kinds = ("number", "truth", "text", "day")
    asked: list[tuple[list[tuple[str, Tree]], list[dict[str, Any]]]] = []
    for _ in range(forms):
        trees = []
        for _ in range(expressions):
            kind = chance.choice(kinds)
            trees.append((kind, tree(chance, kind, chance.randint(1, 3))))
        asked.append((trees, [{name: chance.choice(values) for name, values in _VALUES.items()} for _ in range(rounds)]))
    sent = {
        "forms": [
            {"xml": workbook([odk_tree(_shown(kind, one), QUESTIONS) for kind, one in trees]), "answers": [{name: _typed(value) for name, value in one.items()} for one in answers]}
            for trees, answers in asked
        ]
    }
    own = ROOT / ".venv" / "node" / "bin" / "node"
    node = str(own) if own.exists() else required_program("node")
    done = subprocess.run(
        [node, str(ROOT / "tests" / "compute_with_xforms_engine.mjs")], input=json.dumps(sent), capture_output=True, text=True, timeout=900,
        env=os.environ | {"TZ": "UTC"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    count, found = 0, []
    for (trees, answers), told in zip(asked, json.loads(done.stdout), strict=True):
        for fields, computed in zip(answers, told, strict=True):
            for at, (kind, one) in enumerate(trees):
                assert parse(text_of(one)) == one
                if comes_to_nothing(one, fields, today):
                    continue
                ours = evaluate(one, fields, today=today)
                count += 1
                if not same(kind, ours, computed[f"c{at}"]):
                    found.append(f"{text_of(one)}  with {fields}: ours {ours!r}, the engine {computed[f'c{at}']!r}")
    return count, found


def _shown(kind: str, one: Tree) -> Tree:
    """A truth as a text that both write alike."""
    return _call("if", one, {"lit": "yes"}, {"lit": "no"}) if kind == "truth" else one


def same(kind: str, ours: Any, text: str) -> bool:
    """Whether the engine's text says what our value says; NaN and an empty text are our nothing."""
    if kind == "truth":
        return text == ("yes" if ours else "no")
    if kind == "number":
        if ours is None or ours == "":
            return text in ("", "NaN", "Infinity", "-Infinity")
        try:
            return abs(float(text) - float(ours)) <= 1e-9 * max(1.0, abs(float(ours)))
        except ValueError:
            return False
    return text[:10] == ours if kind == "day" and ours else text == (ours or "")
