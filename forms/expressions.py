"""Expressions of forms: a small XLSForm subset, read once into a JSON tree.

Here is the grammar; what a tree means is evaluator.py. A device receives trees and never parses.
The cases that every evaluator must pass are tests/vectors/expressions/*.json; the rules in words are in docs/forms.md.

A node is ``{"lit": value}``, ``{"field": name}``, ``{"self": true}`` or ``{"call": name, "args": [node, ...]}``;
operators are calls under their own name, unary minus is ``neg``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from forms.errors import ExpressionError
from forms.evaluator import FUNCTIONS, evaluate

__all__ = ["evaluate", "fields_used", "parse", "uses_today"]

MAX_LENGTH = 4000
MAX_DEPTH = 40
MAX_TREE_DEPTH = 120

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<number>[0-9]+(?:\.[0-9]+)?|\.[0-9]+)
      | \$\{\s*(?P<field>[A-Za-z_][A-Za-z0-9_]*)\s*\}
      | (?P<text>'[^']*'|"[^"]*")
      | (?P<name>[A-Za-z_][A-Za-z0-9_]*(?:-[A-Za-z][A-Za-z0-9_]*)*)
      | (?P<symbol><=|>=|!=|[=<>+\-*(),.])
    )""",
    re.VERBOSE,
)

#: Binary operators by level, loosest first. All are left-associative, as in XPath.
_LEVELS: tuple[frozenset[str], ...] = (
    frozenset({"or"}),
    frozenset({"and"}),
    frozenset({"=", "!="}),
    frozenset({"<", "<=", ">", ">="}),
    frozenset({"+", "-"}),
    frozenset({"*", "div", "mod"}),
)

Node = dict[str, Any]


def parse(text: str) -> Node:
    """Read an expression into its tree.

    Parameters
    ----------
    text : str
        For example ``${age} >= 18 and selected(${tags}, 'a')``.

    Returns
    -------
    dict
        JSON-ready tree. A literal is a number or a text; ``true()`` and ``false()`` are calls.

    Raises
    ------
    ExpressionError
        With the position of the first character that does not fit. Unknown functions, a wrong number of
        arguments, and a regular expression outside the common dialect are refused here, not when evaluated.
    """
    return Parser(text).parse()


def fields_used(tree: Node) -> frozenset[str]:
    """Names of all fields that an expression reads; ``.`` is not among them."""
    return frozenset(node["field"] for node in _walk(tree) if "field" in node)


def uses_today(tree: Node) -> bool:
    """Whether the value of an expression changes with the day."""
    return any(node.get("call") == "today" for node in _walk(tree))


def _walk(tree: Node) -> Iterator[Node]:
    yield tree
    for argument in tree.get("args", ()):
        yield from _walk(argument)


def _depth(tree: Node) -> int:
    """Depth of a tree, counted level by level: a long chain of operators is deep, and Python's own stack is not."""
    depth, level = 0, [tree]
    while level:
        depth += 1
        level = [argument for node in level for argument in node.get("args", ())]
    return depth


class Parser:
    """Recursive descent over one text; used once.

    ``functions`` maps a name to the least and most number of its arguments. A dialect (xlsform_expressions.py) adds
    to it and overrides ``field_node``, ``own_node`` and ``call_node``.
    """

    functions: Mapping[str, tuple[int, int]] = {name: function.arity for name, function in FUNCTIONS.items()}

    def __init__(self, text: str) -> None:
        self.text = text
        if len(text) > MAX_LENGTH:
            raise ExpressionError(text, MAX_LENGTH, f"longer than {MAX_LENGTH} characters")
        self.tokens = self._tokens()
        self.index = 0
        self.depth = 0

    def parse(self) -> Node:
        tree = self._binary(0)
        kind, value, position = self.tokens[self.index]
        if kind != "end":
            raise ExpressionError(self.text, position, f"{value!r} is not expected here")
        if _depth(tree) > MAX_TREE_DEPTH:
            raise ExpressionError(self.text, len(self.text), f"more than {MAX_TREE_DEPTH} operators in a row")
        return tree

    def _tokens(self) -> list[tuple[str, str, int]]:
        tokens: list[tuple[str, str, int]] = []
        position = 0
        end = len(self.text.rstrip())
        while position < end:
            match = _TOKEN.match(self.text, position)
            if match is None or match.lastgroup is None:
                start = position + len(self.text[position:]) - len(self.text[position:].lstrip())
                character = self.text[start]
                hint = " (text without its closing quote)" if character in "'\"" else ""
                raise ExpressionError(self.text, start, f"{character!r} cannot be read{hint}")
            value = match.group(match.lastgroup)
            start = match.start(match.lastgroup) - (2 if match.lastgroup == "field" else 0)
            tokens.append((match.lastgroup, value, start))
            position = match.end()
        tokens.append(("end", "", len(self.text)))
        return tokens

    def _nested(self, read: Callable[[], Node]) -> Node:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise ExpressionError(self.text, self.tokens[self.index][2], f"nested deeper than {MAX_DEPTH}")
        node = read()
        self.depth -= 1
        return node

    def _binary(self, level: int) -> Node:
        if level == len(_LEVELS):
            return self._unary()
        left = self._binary(level + 1)
        while True:
            kind, value, _ = self.tokens[self.index]
            if kind not in ("symbol", "name") or value not in _LEVELS[level]:
                return left
            self.index += 1
            left = {"call": value, "args": [left, self._binary(level + 1)]}

    def _unary(self) -> Node:
        kind, value, _ = self.tokens[self.index]
        if kind == "symbol" and value == "-":
            self.index += 1
            return {"call": "neg", "args": [self._nested(self._unary)]}
        return self._primary()

    def _primary(self) -> Node:
        kind, value, position = self.tokens[self.index]
        self.index += 1
        if kind == "number":
            number = float(value)
            return {"lit": int(number) if number.is_integer() and number < 2**53 else number}
        if kind == "text":
            return {"lit": value[1:-1]}
        if kind == "field":
            return self.field_node(value, position)
        if kind == "symbol" and value == ".":
            return self.own_node(position)
        if kind == "symbol" and value == "(":
            node = self._nested(lambda: self._binary(0))
            self._expect(")")
            return node
        if kind == "name":
            return self._call(value, position)
        raise ExpressionError(
            self.text, position, "the expression ends too early" if kind == "end" else f"{value!r} is not expected here"
        )

    def _call(self, name: str, position: int) -> Node:
        if name not in self.functions:
            raise ExpressionError(self.text, position, f"there is no function {name!r}")
        self._expect("(")
        arguments: list[Node] = []
        starts: list[int] = []
        if self.tokens[self.index][:2] != ("symbol", ")"):
            while True:
                starts.append(self.tokens[self.index][2])
                arguments.append(self._nested(lambda: self._binary(0)))
                if self.tokens[self.index][:2] != ("symbol", ","):
                    break
                self.index += 1
        self._expect(")")
        least, most = self.functions[name]
        if not least <= len(arguments) <= most:
            wanted = str(least) if least == most else f"{least} or more"
            raise ExpressionError(self.text, position, f"{name} takes {wanted} arguments, not {len(arguments)}")
        if name == "regex":
            self._check_pattern(arguments[1], starts[1])
        return self.call_node(name, arguments)

    def field_node(self, name: str, position: int) -> Node:
        """The node of ``${name}``; ``position`` is where it stands."""
        return {"field": name}

    def own_node(self, position: int) -> Node:
        """The node of ``.``."""
        return {"self": True}

    def call_node(self, name: str, arguments: list[Node]) -> Node:
        """The node of a call."""
        return {"call": name, "args": arguments}

    def _expect(self, symbol: str) -> None:
        kind, value, position = self.tokens[self.index]
        if (kind, value) != ("symbol", symbol):
            raise ExpressionError(self.text, position, f"{symbol!r} is expected here")
        self.index += 1

    def _check_pattern(self, node: Node, position: int) -> None:
        pattern = node.get("lit")
        if not isinstance(pattern, str):
            raise ExpressionError(self.text, position, "the pattern of regex must be a literal text")
        foreign = _FOREIGN_PATTERN.search(pattern)
        if foreign:
            raise ExpressionError(
                self.text,
                position + 1 + foreign.start(),
                f"{foreign.group()!r} means different things in different engines",
            )
        try:
            re.compile(pattern, re.ASCII)
        except re.error as wrong:
            raise ExpressionError(
                self.text, position + 1 + (wrong.pos or 0), f"the pattern is wrong: {wrong.msg}"
            ) from wrong


#: What Python and ECMAScript read differently, and nested repetition, which can take exponential time.
_FOREIGN_PATTERN = re.compile(r"\(\?(?!:)|\\(?![dDwW.\\\-+*?()\[\]{}|^$/])|[*+?}][+]|\)[*+{]|\[\[|&&|--|~~", re.ASCII)
