"""What an expression tree means. Pure: the day is an argument.

Null: None, an empty text and an empty list are one and the same nothing. Nothing equals nothing; an ordering or
a sum with nothing is false or nothing; nothing is false. The TypeScript twin passes the same vectors
(tests/vectors/expressions), so every rule here is one that both languages can keep.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import lru_cache
from operator import ge, gt, le, lt
from typing import Any, NamedTuple

from forms.identity import credit_code_ok, resident_id_birth, resident_id_ok, resident_id_sex

Value = Any
_NUMBER = re.compile(r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)", re.ASCII)
_INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{3})?Z", re.ASCII)
_SPACE = " \t\r\n"
MAX_SAFE = 2**53


@dataclass(frozen=True, slots=True)
class Context:
    """What an expression may look at: the record's fields, the field's own value, the day."""

    fields: Mapping[str, Value]
    value: Value = None
    today: date | None = None


class Function(NamedTuple):
    """A function with the least and most number of its arguments; arguments arrive evaluated."""

    arity: tuple[int, int]
    apply: Callable[[Sequence[Value], Context], Value]


def evaluate(
    tree: Mapping[str, Any], fields: Mapping[str, Value], today: date | None = None, value: Value = None
) -> Value:
    """Value of an expression.

    Parameters
    ----------
    tree : mapping
        From ``expressions.parse``.
    fields : mapping
        Field name to plain JSON value; a field that is absent is null.
    today : date, optional
        Needed only where the tree uses ``today()``.
    value : optional
        What ``.`` stands for.

    Returns
    -------
    bool, int, float, str, list or None
        Whole numbers within 2**53 are int. Never NaN or infinite: such results are None.

    Raises
    ------
    ValueError
        ``today()`` is used and no day was given.
    """
    return _evaluate(tree, Context(fields, value, today))


def is_true(value: Value) -> bool:
    """Truth of a value: nothing, false and zero are false, everything else is true."""
    return not is_null(value) and value is not False and value != 0


def _evaluate(tree: Mapping[str, Any], context: Context) -> Value:
    if "lit" in tree:
        return tree["lit"]
    if "field" in tree:
        return context.fields.get(tree["field"])
    if "self" in tree:
        return context.value
    name, arguments = tree["call"], tree["args"]
    # The lazy ones first: an unused branch is never evaluated.
    if name == "and":
        return is_true(_evaluate(arguments[0], context)) and is_true(_evaluate(arguments[1], context))
    if name == "or":
        return is_true(_evaluate(arguments[0], context)) or is_true(_evaluate(arguments[1], context))
    if name == "if":
        return _evaluate(arguments[1 if is_true(_evaluate(arguments[0], context)) else 2], context)
    if name == "coalesce":
        for argument in arguments:
            found = _evaluate(argument, context)
            if not is_null(found):
                return found
        return None
    values = [_evaluate(argument, context) for argument in arguments]
    operator = OPERATORS.get(name)
    return operator(*values) if operator is not None else FUNCTIONS[name].apply(values, context)


def is_null(value: Value) -> bool:
    """Whether a value is nothing: None, an empty text or an empty list."""
    return value is None or value == "" or value == []


def is_number_text(text: str) -> bool:
    """Whether a text would be read as a number."""
    return _NUMBER.fullmatch(text.strip(_SPACE)) is not None


def _number(value: Value) -> float | None:
    if isinstance(value, bool):
        return 1.0 if value else 0.0
    try:
        if isinstance(value, int | float) or (isinstance(value, str) and is_number_text(value)):
            result = float(value)
        else:
            return None
    except OverflowError:
        return None
    return result if math.isfinite(result) else None


def _plain(number: float) -> int | float | None:
    if not math.isfinite(number):
        return None
    return int(number) if number.is_integer() and abs(number) <= MAX_SAFE else number


def _text(value: Value) -> str:
    if isinstance(value, str):
        return value
    if is_null(value):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        number = _number(value)
        if number is None or not (number == 0 or 1e-6 <= abs(number) < 1e15):
            return ""  # beyond here languages write numbers differently
        plain = _plain(number)
        return str(plain) if isinstance(plain, int) else format(Decimal(repr(plain)), "f")
    if isinstance(value, list):
        return " ".join(_text(item) for item in value)
    return ""


def _date(value: Value) -> date | None:
    return _read_date(value) if isinstance(value, str) else None


@lru_cache(maxsize=8)  # the rules of one record read the same few days again and again
def _read_date(text: str) -> date | None:
    if len(text) == 10 and text[4] == "-" and text[7] == "-":
        try:
            return date.fromisoformat(text)
        except ValueError:
            return None
    return None


def is_day(text: str) -> bool:
    """Whether the text is a day in the only form that sorts as days do."""
    return _read_date(text) is not None


def _equal(left: Value, right: Value) -> bool:
    if type(left) is str and type(right) is str:
        return left == right
    if is_null(left) or is_null(right):
        return is_null(left) and is_null(right)
    if isinstance(left, bool | int | float) or isinstance(right, bool | int | float):
        first, second = _number(left), _number(right)
        return first is not None and first == second
    return _text(left) == _text(right)


def _order(left: Value, right: Value) -> int | None:
    """-1, 0 or 1; None where the two cannot be ordered."""
    if is_null(left) or is_null(right):
        return None
    if type(left) is str and type(right) is str and _read_date(left) and _read_date(right):
        return (left > right) - (left < right)
    first, second = _number(left), _number(right)
    if first is not None and second is not None:
        return (first > second) - (first < second)
    if not (isinstance(left, str) and isinstance(right, str)):
        return None
    if not all(_date(text) or _INSTANT.fullmatch(text) for text in (left, right)):
        return None
    if 10 in (len(left), len(right)):
        first_day, last_day = day_of(left), day_of(right)
        return None if first_day is None or last_day is None else (first_day > last_day) - (first_day < last_day)
    start, end = left.rstrip("Z"), right.rstrip("Z")
    return (start > end) - (start < end)


def _compare(sorts: Callable[[Any, Any], bool], accepted: frozenset[int]) -> Callable[[Value, Value], bool]:
    def compare(left: Value, right: Value) -> bool:
        if type(left) is str and type(right) is str and _read_date(left) and _read_date(right):
            return sorts(left, right)  # days in this form sort as texts do
        if (
            type(left) is int
            and type(right) is int
            and -MAX_SAFE <= left <= MAX_SAFE
            and -MAX_SAFE <= right <= MAX_SAFE
        ):
            return sorts(left, right)
        return _order(left, right) in accepted

    return compare


def _arithmetic(operate: Callable[[float, float], float]) -> Callable[[Value, Value], Value]:
    def apply(left: Value, right: Value) -> Value:
        first, second = _number(left), _number(right)
        if first is None or second is None:
            return None
        try:
            return _plain(operate(first, second))
        except (ZeroDivisionError, ValueError, OverflowError):
            return None

    return apply


def _shift(day: date, days: float | None, sign: int) -> str | None:
    if days is None or not days.is_integer():
        return None
    try:
        return (day + timedelta(days=sign * int(days))).isoformat()
    except OverflowError:
        return None


def _add(left: Value, right: Value) -> Value:
    day = _date(left)
    if day is not None:
        return _shift(day, _number(right), 1)
    day = _date(right)
    if day is not None:
        return _shift(day, _number(left), 1)
    return _plus(left, right)


def _subtract(left: Value, right: Value) -> Value:
    day, other = _date(left), _date(right)
    if day is not None:
        return (day - other).days if other is not None else _shift(day, _number(right), -1)
    return _minus(left, right)


def _negate(value: Value) -> Value:
    return _minus(0, value)


_plus = _arithmetic(lambda a, b: a + b)
_minus = _arithmetic(lambda a, b: a - b)

OPERATORS: dict[str, Callable[..., Value]] = {
    "=": _equal,
    "!=": lambda left, right: not _equal(left, right),
    "<": _compare(lt, frozenset({-1})),
    "<=": _compare(le, frozenset({-1, 0})),
    ">": _compare(gt, frozenset({1})),
    ">=": _compare(ge, frozenset({0, 1})),
    "+": _add,
    "-": _subtract,
    "*": _arithmetic(lambda a, b: a * b),
    "div": _arithmetic(lambda a, b: a / b),
    "mod": _arithmetic(math.fmod),
    "neg": _negate,
}


def _choices(value: Value) -> list[str]:
    if isinstance(value, list):
        return [_text(item) for item in value]
    return re.split(r"[ \t\r\n]+", _text(value).strip(_SPACE)) if not is_null(value) else []


@lru_cache(maxsize=512)
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text, re.ASCII)


def _today(context: Context) -> str:
    return day_text(context.today)


@lru_cache(maxsize=8)
def day_text(today: date | None) -> str:
    """The day as an expression sees it; a ``ValueError`` where none was given."""
    if today is None:
        raise ValueError("the expression uses today() and no day was given")
    return today.isoformat()


def day_of(value: Value) -> str | None:
    """The day of a day, or of an instant: the one that it is in China then, as ``today()`` is; None for anything else."""
    if not isinstance(value, str) or not (len(value) == 10 or _INSTANT.fullmatch(value)):
        return None
    day = _date(value[:10])
    if day is None or len(value) == 10:
        return None if day is None else value
    hour = int(value[11:13])
    return None if hour > 23 else _shift(day, float(hour >= 16), 1)  # UTC+8: from 16:00 on it is the next day there


def _years_between(start: Value, end: Value) -> int | None:
    first, last = _date(start), _date(end)
    if first is None or last is None or last < first:
        return None
    years: int = last.year - first.year
    return years - int((last.month, last.day) < (first.month, first.day))


def _as_number(value: Value) -> Value:
    number = _number(value)
    return None if number is None else _plain(number)


FUNCTIONS: dict[str, Function] = {
    "if": Function((3, 3), lambda a, c: None),
    "coalesce": Function((2, 99), lambda a, c: None),
    "not": Function((1, 1), lambda a, c: not is_true(a[0])),
    "true": Function((0, 0), lambda a, c: True),
    "false": Function((0, 0), lambda a, c: False),
    "number": Function((1, 1), lambda a, c: _as_number(a[0])),
    "selected": Function((2, 2), lambda a, c: not is_null(a[1]) and _text(a[1]) in _choices(a[0])),
    "count-selected": Function((1, 1), lambda a, c: len(_choices(a[0]))),
    "regex": Function((2, 2), lambda a, c: _pattern(a[1]).fullmatch(_text(a[0])) is not None),
    "string-length": Function((1, 1), lambda a, c: len(_text(a[0]))),
    "starts-with": Function((2, 2), lambda a, c: _text(a[0]).startswith(_text(a[1]))),
    "contains": Function((2, 2), lambda a, c: _text(a[1]) in _text(a[0])),
    "today": Function((0, 0), lambda a, c: _today(c)),
    "date": Function((1, 1), lambda a, c: day_of(a[0])),
    # Ours, beyond XLSForm:
    "years-between": Function((2, 2), lambda a, c: _years_between(a[0], a[1])),
    "resident-id-ok": Function((1, 1), lambda a, c: resident_id_ok(_text(a[0]))),
    "resident-id-birth": Function((1, 1), lambda a, c: resident_id_birth(_text(a[0]))),
    "resident-id-sex": Function((1, 1), lambda a, c: resident_id_sex(_text(a[0]))),
    "credit-code-ok": Function((1, 1), lambda a, c: credit_code_ok(_text(a[0]))),
}
