"""Expression trees as generated Python functions, for rules that run on every record.

Same answers as evaluator.evaluate followed by is_true: a property test holds them equal.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

from forms.evaluator import FUNCTIONS, OPERATORS, day_text, evaluate, is_day, is_null, is_number_text, is_true

_ORDERS = frozenset(["<", "<=", ">", ">="])
Predicate = Callable[[Mapping[str, Any], date | None], bool]
Rules = Callable[[Mapping[str, Any], date | None], list[int]]

#: Calls whose value is a boolean, so that asking for its truth is needless.
_BOOLEAN = frozenset(
    [
        "and",
        "or",
        "not",
        "true",
        "false",
        "=",
        "!=",
        "<",
        "<=",
        ">",
        ">=",
        "selected",
        "regex",
        "starts-with",
        "contains",
        "resident-id-ok",
        "credit-code-ok",
    ]
)


def compile_condition(tree: Mapping[str, Any]) -> Predicate:
    """A function ``(fields, today) -> bool`` that tells whether an expression is true.

    ``.`` is null in it: it is meant for conditions over the fields of a record.
    """
    names = _names()
    body = _condition(tree, names)
    source = f"def holds(fields, today):\n    get = fields.get\n    return {body}\n"
    try:
        exec(compile(source, "<condition>", "exec"), names)  # noqa: S102  # text of our own making
    except (SyntaxError, MemoryError, RecursionError):  # deeper than Python's own parser goes
        return lambda fields, today: is_true(evaluate(tree, fields, today))
    compiled: Predicate = names["holds"]
    return compiled


def compile_rules(trees: Sequence[Mapping[str, Any]]) -> Rules:
    """A function ``(fields, today) -> positions`` of the expressions that are not true, ascending.

    One function for all of them: each field is read, and found to be null, once. Empty in, never anything out.
    """
    names = _names()
    places: dict[str, str] = {}
    names["places"] = places  # filled by _field: field name → local variable
    days: set[str] = set()
    names["days"] = days  # filled by _order: local variables that are asked whether they hold a day
    tests = [f"    if not ({_condition(tree, names)}): found.append({at})" for at, tree in enumerate(trees)]
    reads = [
        line
        for name, place in places.items()
        for line in (f"    f{place} = get({name!r})", f"    n{place} = {_NULL.format(f'f{place}')}")
    ]
    reads += [f"    d{place} = type(f{place}) is str and is_day(f{place})" for place in places.values() if place in days]
    asked, tests = _asked_once(tests)
    # today as text once; where no day was given, whoever asks for it is told so
    body = [line.replace("day_text(today)", "(day or day_text(today))") for line in (*reads, *asked, *tests)]
    head = ["def broken(fields, today):", "    get, found, day = fields.get, [], today and day_text(today)"]
    lines = [*head, *body, "    return found"]
    try:
        exec(compile("\n".join(lines), "<rules>", "exec"), names)  # noqa: S102  # text of our own making
    except (SyntaxError, MemoryError, RecursionError):
        each = [compile_condition(tree) for tree in trees]
        return lambda fields, today: [at for at, holds in enumerate(each) if not holds(fields, today)]
    compiled: Rules = names["broken"]
    return compiled


_CALL = re.compile(r"fn_\d+\(\((?:f_\d+|day_text\(today\)|, ?)+\), None\)")


def _asked_once(tests: list[str]) -> tuple[list[str], list[str]]:
    """Calls on fields that stand in several places are made where the first of them is needed, and remembered."""
    counts = Counter(call for test in tests for call in _CALL.findall(test))
    kept = {call: f"k_{at}" for at, call in enumerate(call for call, times in counts.items() if times > 1)}

    def remembered(match: re.Match[str]) -> str:
        name = kept.get(match[0])
        return match[0] if name is None else f"({name} if {name} is not fn_0 else ({name} := {match[0]}))"

    # fn_0 stands for "not asked yet": no call ever answers with a function
    return [f"    {name} = fn_0" for name in kept.values()], [_CALL.sub(remembered, test) for test in tests]


_NULL = "not {0} and ({0} is None or {0} == '' or type({0}) is list)"  # is_null, without the call


def _names() -> dict[str, Any]:
    """What a generated function may call."""
    return {
        "is_null": is_null,
        "is_true": is_true,
        "day_text": day_text,
        "is_day": is_day,
        **{f"op_{position}": operator for position, operator in enumerate(OPERATORS.values())},
        **{f"fn_{position}": function.apply for position, function in enumerate(FUNCTIONS.values())},
    }


def _field(name: str, names: dict[str, Any], null: bool = False) -> str:
    """A field's value, or whether it is null: from a local variable where one function judges many rules."""
    places: dict[str, str] | None = names.get("places")
    if places is None:
        return _NULL.format("v").replace("v", f"(v := get({name!r}))", 1) if null else f"get({name!r})"
    return ("n" if null else "f") + places.setdefault(name, f"_{len(places)}")


def _condition(tree: Mapping[str, Any], names: dict[str, Any]) -> str:
    name = tree.get("call")
    if name in ("and", "or"):
        return f" {name} ".join(f"({_condition(argument, names)})" for argument in tree["args"])
    if name == "not":
        return f"not ({_condition(tree['args'][0], names)})"
    if name in ("=", "!="):
        return ("" if name == "=" else "not ") + f"({_equality(tree['args'][0], tree['args'][1], names)})"
    if name in _BOOLEAN:
        return _value(tree, names)
    return f"is_true({_value(tree, names)})"


def _equality(left: Mapping[str, Any], right: Mapping[str, Any], names: dict[str, Any]) -> str:
    if left.get("lit") == "" or right.get("lit") == "":
        other = right if left.get("lit") == "" else left
        if "field" in other:
            return _field(other["field"], names, null=True)
        return f"is_null({_value(other, names)})"
    text = right.get("lit")
    equal = f"op_{list(OPERATORS).index('=')}"
    if "field" in left and isinstance(text, str) and not is_number_text(text):
        field = _field(left["field"], names)
        return f"{field} == {text!r} if type({field}) is str else {equal}({field}, {text!r})"
    return f"{equal}({_value(left, names)}, {_value(right, names)})"


def _value(tree: Mapping[str, Any], names: dict[str, Any]) -> str:
    if "lit" in tree:
        return repr(tree["lit"])
    if "field" in tree:
        return _field(tree["field"], names)
    if "self" in tree:
        return "None"
    name, arguments = tree["call"], tree["args"]
    if name in ("and", "or", "not", "=", "!="):
        return f"({_condition(tree, names)})"
    if name == "if":
        condition, then, otherwise = arguments
        return f"({_value(then, names)} if {_condition(condition, names)} else {_value(otherwise, names)})"
    if name == "coalesce" and "places" in names and all("field" in one or "lit" in one for one in arguments):
        chosen = "None"
        for one in reversed(arguments):
            value, null = _value(one, names), f"{is_null(one['lit'])}" if "lit" in one else _field(one["field"], names, null=True)
            chosen = f"({chosen} if {null} else {value})"
        return chosen
    if name == "coalesce":
        chosen = "None"  # no lambdas: what a rule remembers (k_0) lives in the rules' own function
        for one in reversed(arguments):
            chosen = f"({chosen} if is_null(c := {_value(one, names)}) else c)"
        return chosen
    if name == "selected" and isinstance(arguments[0].get("lit"), str) and "field" in arguments[1]:
        codes = f"codes_{len(names)}"
        names[codes] = frozenset(arguments[0]["lit"].split())
        chosen = _value(arguments[1], names)
        general = f"fn_{list(FUNCTIONS).index(name)}(({arguments[0]['lit']!r}, {chosen}), None)"
        return f"({chosen} in {codes} if type({chosen}) is str else {general})"
    values = ", ".join(_value(argument, names) for argument in arguments)
    if name in OPERATORS:
        general = f"op_{list(OPERATORS).index(name)}({values})"
        return _order(name, arguments, names, general) if name in _ORDERS else general
    if name == "today":
        return "day_text(today)"
    return f"fn_{list(FUNCTIONS).index(name)}(({values}{',' if arguments else ''}), None)"


def _order(name: str, arguments: Sequence[Mapping[str, Any]], names: dict[str, Any], general: str) -> str:
    """Days of fields, and today, are compared as the texts that they are; everything else by ``general``."""
    days: set[str] | None = names.get("days")
    if days is None or not all("field" in one or one.get("call") == "today" for one in arguments):
        return general
    sides = [_value(one, names) for one in arguments]
    asked = [side[1:] for side, one in zip(sides, arguments, strict=True) if "field" in one]
    days.update(asked)
    condition = " and ".join(f"d{place}" for place in asked) or "True"
    return f"({sides[0]} {name} {sides[1]} if {condition} else {general})"
