"""XLSForm expressions read into our subset, or refused with the position of what is outside it.

Meant the same, written otherwise: curly quotes are straight, ``int(x)`` is ``x - x mod 1``, names are lower-case.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from forms.errors import ExpressionError
from forms.expression_text import text_of
from forms.expressions import Node, Parser, parse

_NAME = re.compile(r"\$\{\s*([^}]*?)\s*\}")
_QUOTES = str.maketrans({"‘": "'", "’": "'", "“": '"', "”": '"', "\u00a0": " "})
_PUNCTUATION = str.maketrans("-.:", "___")

#: Kinds of what a function returns; the others are judged by their arguments.
_KINDS = {
    **dict.fromkeys(["and", "or", "=", "!=", "<", "<=", ">", ">=", "not", "true", "false", "selected", "regex", "starts-with",
                     "contains", "resident-id-ok", "credit-code-ok"], "boolean"),
    **dict.fromkeys(["*", "div", "mod", "neg", "number", "count-selected", "string-length", "years-between"], "decimal"),
    **dict.fromkeys(["today", "date", "resident-id-birth"], "date"),
    "resident-id-sex": "text",
}  # fmt: skip
_FIELD_KINDS = {"integer": "decimal", "select_one": "text", "ref": "text", "datetime": "date"}


def field_name(name: str) -> str:
    """Our name of an XLSForm question: lower-case, ``-``, ``.`` and ``:`` as ``_``, and ``q`` before a leading ``_``."""
    plain = name.strip().lower().translate(_PUNCTUATION)
    return f"q{plain}" if plain.startswith("_") else plain


def translate(text: str, fields: Mapping[str, str], *, own: str | None = None) -> Node:
    """The tree of an XLSForm expression.

    Parameters
    ----------
    text : str
        As written in the workbook.
    fields : mapping
        Our names of the questions that may be read (values are not looked at).
    own : str, optional
        Name of the question that ``.`` stands for; without it ``.`` is refused.

    Raises
    ------
    ExpressionError
        With the position in ``text``.
    """
    plain = text.translate(_QUOTES)
    plain = _NAME.sub(lambda found: found[0].lower().translate(_PUNCTUATION), plain)
    return _XlsformParser(plain, fields, own).parse()


def kept_text(text: str, tree: Node) -> str:
    """The text as written where our grammar reads it as the same tree; else the tree's own text.

    Raises
    ------
    ExpressionError
        What our text would be is too long or too deep.
    """
    try:
        if parse(text) == tree:
            return text
    except ExpressionError:
        pass
    ours = text_of(tree)
    parse(ours)
    return ours


def read_own(tree: Mapping[str, Any], name: str) -> Node:
    """The same expression with ``.`` as the field ``name``."""
    if "self" in tree:
        return {"field": name}
    if "args" in tree:
        return {**tree, "args": [read_own(argument, name) for argument in tree["args"]]}
    return dict(tree)


def read_field(tree: Mapping[str, Any], name: str) -> Node:
    """The same expression with the field ``name`` as ``.``."""
    if tree.get("field") == name:
        return {"self": True}
    if "args" in tree:
        return {**tree, "args": [read_field(argument, name) for argument in tree["args"]]}
    return dict(tree)


def kind_of(tree: Mapping[str, Any], types: Mapping[str, str]) -> str:
    """Field type of a calculation's value: ``decimal``, ``boolean``, ``date`` or ``text``.

    Raises
    ------
    ValueError
        It can be of different kinds, or a set, or a place.
    """
    return _kind(tree, types) or "text"


def _kind(tree: Mapping[str, Any], types: Mapping[str, str]) -> str | None:
    if "lit" in tree:
        value = tree["lit"]
        return None if value == "" else "text" if isinstance(value, str) else "decimal"
    if "field" in tree:
        kind = types[tree["field"]]
        return _FIELD_KINDS.get(kind, kind)
    name, arguments = tree["call"], tree["args"]
    if name in ("if", "coalesce"):
        found = {_kind(argument, types) for argument in arguments[int(name == "if") :]} - {None}
        if len(found) > 1 or found & {"text_set", "select_multiple", "location"}:
            raise ValueError("kinds")
        return next(iter(found), None)
    if name in ("+", "-"):
        dated = [_kind(argument, types) == "date" for argument in arguments]
        return "date" if any(dated) and not all(dated) else "decimal"
    return _KINDS.get(name, "text")


class _XlsformParser(Parser):
    """Our grammar with ``int``, for a known set of questions."""

    functions: Mapping[str, tuple[int, int]] = {**Parser.functions, "int": (1, 1)}

    def __init__(self, text: str, fields: Iterable[str], own: str | None) -> None:
        super().__init__(text)
        self.fields = frozenset(fields)
        self.own = own

    def field_node(self, name: str, position: int) -> Node:
        name = field_name(name)
        if name not in self.fields:
            raise ExpressionError(self.text, position, f"no question with an answer is called {name!r}")
        return {"field": name}

    def call_node(self, name: str, arguments: list[Node]) -> Node:
        if name == "int":
            (value,) = arguments
            return {"call": "-", "args": [value, {"call": "mod", "args": [value, {"lit": 1}]}]}
        return super().call_node(name, arguments)

    def own_node(self, position: int) -> Node:
        if self.own is None:
            raise ExpressionError(self.text, position, "'.' has no answer to stand for here")
        return super().own_node(position)
