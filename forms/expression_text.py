"""Writing an expression tree as text again. ``parse(text_of(tree)) == tree`` for every tree that ``parse`` returns."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

#: How tightly an operator binds; a call, a literal and a field bind tightest.
_BINDS = {
    "or": 0, "and": 1, "=": 2, "!=": 2, "<": 3, "<=": 3, ">": 3, ">=": 3, "+": 4, "-": 4, "*": 5, "div": 5, "mod": 5,
}  # fmt: skip
_NEGATES = 6
_WHOLE = 7


def text_of(tree: Mapping[str, Any]) -> str:
    """Text of a tree, with parentheses only where they are needed.

    Raises
    ------
    ValueError
        A literal text holds both kinds of quotes, which the grammar cannot write.
    """
    return _written(tree)[0]


def _written(tree: Mapping[str, Any]) -> tuple[str, int]:
    if "lit" in tree:
        return _literal(tree["lit"]), _WHOLE
    if "field" in tree:
        return f"${{{tree['field']}}}", _WHOLE
    if "self" in tree:
        return ".", _WHOLE
    name, arguments = tree["call"], tree["args"]
    if name == "neg":
        # "--a" is right by XPath, and a form engine in wide use does not read it.
        return f"-{_within(arguments[0], _NEGATES + 1)}", _NEGATES
    binds = _BINDS.get(name)
    if binds is None:
        return f"{name}({', '.join(text_of(argument) for argument in arguments)})", _WHOLE
    left, right = arguments
    # Left-associative: an operator of the same level on the right needs its parentheses.
    return f"{_within(left, binds)} {name} {_within(right, binds + 1)}", binds


def _within(tree: Mapping[str, Any], least: int) -> str:
    text, binds = _written(tree)
    return text if binds >= least else f"({text})"


def _literal(value: Any) -> str:
    if isinstance(value, str):
        if "'" not in value:
            return f"'{value}'"
        if '"' in value:
            raise ValueError("a literal with both kinds of quotes")
        return f'"{value}"'
    return format(Decimal(repr(value)), "f")
