"""Conditions of table templates: our expression language, with the words that people at the office write.

``年龄>=80 且 独居`` is ``${age} >= 80 and ${lives_alone}``. Words of columns and codes are put in their place here, and
every comparison is checked against the column's type, so that no filled table is wrong because a word was mistyped.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NoReturn

from forms.chinese_reasons import zh_of
from forms.errors import ExpressionError, PlaceholderError
from forms.evaluator import FUNCTIONS, is_day, is_number_text
from forms.expressions import Node, Parser
from forms.template_sources import Source, SourceColumn, plain_word, words

MOMENT = "@"
"""Begins the name of what a run gives: ``@day``, ``@from``, ``@to``, ``@row`` (the code of the row's cell)."""

_PIECE = re.compile(
    r"""\s*(?:
        (?P<day>[0-9]{4}-[0-9]{2}-[0-9]{2})(?![0-9])
      | (?P<number>[0-9]+(?:\.[0-9]+)?)(?![\w])
      | \$\{\s*(?P<field>[A-Za-z_][A-Za-z0-9_]*)\s*\}
      | (?P<text>'[^']*'|"[^"]*"|“[^”]*”|‘[^’]*’|「[^」]*」)
      | (?P<word>\w+(?:-[A-Za-z]\w*)*)
      | (?P<symbol><=|>=|!=|<>|==|[=<>+\-*(),.≤≥≠＝＜＞（），、])
    )""",
    re.VERBOSE,
)
_SYMBOLS = {"<>": "!=", "==": "=", "≤": "<=", "≥": ">=", "≠": "!=", "＝": "=", "＜": "<", "＞": ">", "（": "(", "）": ")", "，": ",", "、": ","}
_COMPARED = frozenset({"=", "!=", "<", "<=", ">", ">="})
_TRUTHS = frozenset({"and", "or", "not", "true", "false", "selected", "regex", "starts-with", "contains", *_COMPARED})
_YES, _NO = frozenset({"是", "true", "yes"}), frozenset({"否", "false", "no"})

Token = tuple[str, str, int]


class _Bare(str):
    """A word without quotes that names no column: only ever a value to be compared with."""

    position: int = 0


def read_filter(text: str, source: Source, *, offset: int = 0) -> Node:
    """The tree of a condition; codes and days in it are literals, ``forms.expressions.evaluate`` gives its value.

    Parameters
    ----------
    text : the condition as it is written
    source : whose columns it speaks of
    offset : where the condition begins in its cell, for positions

    Raises
    ------
    PlaceholderError
        With the position of what cannot be understood.
    """
    try:
        tree = _FilterParser(text, source).parse()
    except ExpressionError as wrong:
        raise PlaceholderError(
            "bad_condition", offset + wrong.position, f"条件写法有误：{zh_of(wrong.reason)}", f"the condition cannot be read: {wrong.reason}"
        ) from wrong
    try:
        checked = _checked(tree, source)
        if not _truth(checked, source):
            _refuse("no_condition", 0, "条件不能判断真假，请写成比较，如 年龄>=80", "this says neither yes nor no: compare, such as age >= 80")
    except PlaceholderError as wrong:
        raise PlaceholderError(wrong.code, offset + wrong.position, wrong.message_zh, wrong.message_en) from wrong
    return checked


class _FilterParser(Parser):
    def __init__(self, text: str, source: Source) -> None:
        self.source = source
        self.operators: Mapping[str, str] = {
            plain_word(word): name for name, said in words()["operators"].items() for word in said
        }
        self.moments: Mapping[str, str] = {
            plain_word(word): MOMENT + name for name, said in words()["moments"].items() for word in said
        }
        super().__init__(text)

    # ------------------------------------------------------------ words
    def _tokens(self) -> list[Token]:
        found: list[Token] = []
        position, end = 0, len(self.text.rstrip())
        while position < end:
            match = _PIECE.match(self.text, position)
            if match is None or match.lastgroup is None:
                raise ExpressionError(self.text, position, f"{self.text[position]!r} cannot be read")
            kind, value, start = match.lastgroup, match.group(match.lastgroup), match.start(match.lastgroup)
            position = match.end()
            if kind == "word":
                for name, word, at in self._split(value, start, found, self.text[position : position + 1]):
                    self._word(name, word, at, found)
            elif kind == "symbol":
                found.append(("symbol", _SYMBOLS.get(value, value), start))
            elif kind == "day":
                found.append(("text", f"'{value}'", start))
            elif kind == "text":
                found.append(("text", f"'{value[1:-1]}'" if "'" not in value[1:-1] else f'"{value[1:-1]}"', start))
            else:
                found.append((kind, value, start))
        found.append(("end", "", len(self.text)))
        return self._rewritten(found)

    def _split(self, run: str, start: int, before: list[Token], behind: str) -> list[tuple[str, str, int]]:
        """A run of letters as words: (kind, word, position). Chinese is written without spaces between them."""
        parts: list[tuple[str, str, int]] = []
        rest = run
        while rest:
            at = start + len(run) - len(rest)
            last = parts[-1][:2] if parts else (before[-1][:2] if before else ("", ""))
            value_wanted = last[0] in ("symbol", "operator") and last[1] in (*_COMPARED, ",", "has", "has_not")
            asked = next((value for kind, value, _ in reversed(before) if kind == "field"), None) if value_wanted else None
            taken = ("bare", rest) if asked is not None and self._is_code(asked, rest) else self._first(rest, behind, value_wanted)
            parts.append((*taken, at))
            rest = rest[len(taken[1]) :]
        return parts

    def _is_code(self, column: str, word: str) -> bool:
        """Whether a word is a code of the column that it is compared with: then it names no column."""
        return column in self.source.columns and plain_word(word) in self.source.columns[column].words

    def _first(self, rest: str, behind: str, value_wanted: bool) -> tuple[str, str]:
        kind = self._kind(rest, behind)
        if kind is not None:
            return kind, rest
        connectives = [word for word in self.operators if not value_wanted or self.operators[word] in ("and", "or")]
        if not value_wanted:
            known = sorted((word for word in (*self.source.known, *self.moments, *connectives) if plain_word(rest).startswith(word)), key=len)
            for word in reversed(known):
                left = plain_word(rest)[len(word) :]
                if word in self.operators or any(left.startswith(one) for one in self.operators):
                    return str(self._kind(word, "")), rest[: len(word)]
        ends = [place for word in connectives if not word.isascii() and (place := rest.find(word, 1)) > 0]
        return "bare", rest[: min(ends)] if ends else rest

    def _kind(self, word: str, behind: str) -> str | None:
        plain = plain_word(word)
        if plain in FUNCTIONS and behind in ("(", "（"):
            return "function"
        if plain in self.operators:
            return "operator"
        if plain in self.moments:
            return "moment"
        return "column" if plain in self.source.known else None

    def _word(self, kind: str, word: str, at: int, found: list[Token]) -> None:
        plain = plain_word(word)
        if kind == "operator":
            found.append(("operator", self.operators[plain], at))
        elif kind == "moment":
            found.append(("moment", self.moments[plain], at))
        elif kind == "column":
            found.append(("field", self.source.known[plain], at))
        elif kind == "function":
            found.append(("name", plain, at))
        elif is_number_text(word):
            found.append(("number", word, at))
        else:
            found.append(("bare", word, at))

    def _rewritten(self, given: list[Token]) -> list[Token]:
        """What stands behind a column (为空, 包含, 属于) and before one (非), as our expressions write it."""
        made: list[Token] = []
        index = 0
        while index < len(given):
            kind, value, at = given[index]
            index += 1
            if kind != "operator":
                made.append((kind, value, at))
            elif value in ("and", "or"):
                made.append(("name", value, at))
            elif value == "not":
                made.append(("name", "not", at))
                if given[index][:2] != ("symbol", "("):
                    made += [("symbol", "(", at), given[index], ("symbol", ")", at)]
                    index += 1
            elif not made or made[-1][0] != "field":
                raise ExpressionError(self.text, at, "a column is expected before this word")
            elif value in ("empty", "filled"):
                made += [("symbol", "=" if value == "empty" else "!=", at), ("text", "''", at)]
            elif value in ("has", "has_not"):
                column = made.pop()
                name = "selected" if self.source.columns[column[1]].type in ("select_multiple", "text_set") else "contains"
                call: list[Token] = [("name", name, at), ("symbol", "(", at), column, ("symbol", ",", at), given[index], ("symbol", ")", at)]
                made += call if value == "has" else [("name", "not", at), ("symbol", "(", at), *call, ("symbol", ")", at)]
                index += 1
            else:
                column = made.pop()
                if given[index][:2] != ("symbol", "("):
                    raise ExpressionError(self.text, given[index][2], "'(' is expected here")
                index += 1
                made.append(("symbol", "(", at))
                while given[index][0] != "end":
                    made += [column, ("symbol", "=", at), given[index]]
                    index += 2
                    if given[index - 1][:2] == ("symbol", ")"):
                        break
                    if given[index - 1][:2] != ("symbol", ","):
                        raise ExpressionError(self.text, given[index - 1][2], "',' or ')' is expected here")
                    made.append(("name", "or", at))
                made.append(("symbol", ")", at))
        return made

    # ------------------------------------------------------------ nodes
    def _primary(self) -> Node:
        kind, value, position = self.tokens[self.index]
        if kind in ("bare", "moment"):
            self.index += 1
            if kind == "moment":
                return {"field": value}
            word = _Bare(value)
            word.position = position
            return {"lit": word}
        return super()._primary()

    def field_node(self, name: str, position: int) -> Node:
        """A column; one that the source lacks is refused."""
        if name not in self.source.columns:
            raise ExpressionError(self.text, position, f"there is no column {name!r}")
        return {"field": name}


# ---------------------------------------------------------------- meaning
def _checked(node: Node, source: Source) -> Node:
    if "call" not in node:
        literal = node.get("lit")
        if isinstance(literal, _Bare):
            _refuse("unknown_word", literal.position, f"不认识“{literal}”", f"{literal!r} is neither a column nor a value of one")
        return node
    name, arguments = node["call"], list(node["args"])
    if name in ("selected", "contains", "starts-with") and "field" in arguments[0]:
        return {"call": name, "args": [arguments[0], _value(arguments[1], arguments[0]["field"], name, source)]}
    if name in _COMPARED:
        left, right = arguments
        if "field" in left:
            return {"call": name, "args": [left, _value(right, left["field"], name, source)]}
        if "field" in right:
            return {"call": name, "args": [_value(left, right["field"], name, source), right]}
    return {"call": name, "args": [_checked(one, source) for one in arguments]}


def _value(node: Node, column_name: str, operator: str, source: Source) -> Node:
    """What a column is compared with, as the column holds it."""
    if column_name.startswith(MOMENT):
        return node if "lit" in node and not isinstance(node["lit"], _Bare) else _checked(node, source)
    column = source.columns[column_name]
    literal = node.get("lit")
    place = literal.position if isinstance(literal, _Bare) else 0
    called = column.label["zh"]
    if literal == "" and operator in ("=", "!="):
        return node
    if column.privacy == "secret" or column.type in ("ref", "location"):
        _refuse("not_comparable", place, f"“{called}”不能作条件", f"{column_name} cannot be asked about")
    if column.type in ("select_multiple", "text_set") and operator != "selected":
        _refuse("use_has", place, f"“{called}”可有多个值，请用“包含”", f"{column_name} holds several values: use has")
    if operator in ("<", "<=", ">", ">=") and column.type not in ("integer", "decimal", "date", "datetime"):
        _refuse("no_order", place, f"“{called}”没有大小先后", f"{column_name} has no order")
    if "lit" not in node:
        return _checked(node, source)
    if column.words:
        code = column.words.get(plain_word(str(literal)))
        if code is None:
            _refuse("unknown_code", place, f"“{called}”没有“{literal}”这一项", f"{column_name} has no {str(literal)!r}")
        return {"lit": code}
    return _plain_value(node, column, place)


def _plain_value(node: Node, column: SourceColumn, place: int) -> Node:
    literal, called = node["lit"], column.label["zh"]
    if column.type == "boolean":
        word = plain_word(str(literal))
        if word not in _YES | _NO:
            _refuse("not_yes_or_no", place, f"“{called}”只能是“是”或“否”", f"{column.name} is yes or no")
        return {"call": "true" if word in _YES else "false", "args": []}
    if column.type in ("integer", "decimal") and not isinstance(literal, int | float):
        _refuse("not_a_number", place, f"“{called}”应与数字比较", f"{column.name} is compared with a number")
    if column.type in ("date", "datetime") and not (isinstance(literal, str) and is_day(literal)):
        _refuse("not_a_day", place, f"“{called}”应与日期比较，如 2026-03-01", f"{column.name} is compared with a day such as 2026-03-01")
    return {"lit": str(literal)} if isinstance(literal, _Bare) else node


def _truth(node: Node, source: Source) -> bool:
    if "field" in node:
        column = source.columns.get(node["field"])
        return column is not None and column.type == "boolean"
    name = node.get("call")
    if name in ("and", "or", "not"):
        return all(_truth(one, source) for one in node["args"])
    return name in _TRUTHS


def _refuse(code: str, position: int, zh: str, en: str) -> NoReturn:
    raise PlaceholderError(code, position, zh, en)


def columns_used(tree: Mapping[str, Any]) -> frozenset[str]:
    """Columns that a condition looks at; what a run gives is not among them."""
    if "field" in tree:
        return frozenset() if tree["field"].startswith(MOMENT) else frozenset({tree["field"]})
    return frozenset().union(*(columns_used(one) for one in tree.get("args", ())))
