"""Accepting a valid record in microseconds.

For each record type a function is generated that answers one question: is every value valid, and what is its normal
form? On any doubt it answers nothing, and the marshmallow schema (schemas.py) decides and words the errors. A property
test holds the two equal.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from datetime import date
from functools import cache, lru_cache
from typing import Any

from forms.definition import FieldSpec, RecordType
from forms.evaluator import evaluate, is_true
from forms.schemas import FieldError, judge, schema_for
from forms.values import DEFAULT_MAX_LENGTH, END_DAY, FIRST_DAY, REF, Refused, check_for, limits

__all__ = ["FieldError", "fast_path", "schema_for", "validator"]

Values = dict[str, Any]
Validator = Callable[[Values, bool], tuple[Values, list[FieldError]]]
FastPath = Callable[[Values, bool], Values | None]

# A printable text holds no space but U+0020, no control character and no broken surrogate.
_DOUBTED = "not {0}.isprintable() or {0}.strip() != {0} or not ({0}.isascii() or is_normalized('NFC', {0})) or not {0}"
_IDENTIFIER = re.compile(r"[0-9A-Z-]+", re.ASCII)


@cache
def validator(record_type: RecordType) -> Validator:
    """The validator of a record type.

    Returns
    -------
    callable
        ``(values, creating) -> (normalised, errors)``. ``normalised`` is a new dict (values that were normal already
        are shared with the input) and leaves out refused values; unknown fields are kept untouched. ``creating``
        also reports required fields that are missing. Null clears a field, and is refused for a required one. An
        empty text is null. Errors come all at once, in the order of the definition, and never carry a value.
    """
    fast = fast_path(record_type)

    def validate(values: Values, creating: bool) -> tuple[Values, list[FieldError]]:
        normal = fast(values, creating)
        return (normal, []) if normal is not None else judge(record_type, values, creating)

    return validate


@cache
def fast_path(record_type: RecordType) -> FastPath:
    """The generated part alone: normalised values, or None where something is wrong or in doubt."""
    names: dict[str, Any] = {
        "is_normalized": unicodedata.is_normalized,
        "date_from": date.fromisoformat,
        "is_ref": REF.fullmatch,
        "is_identifier": _IDENTIFIER.fullmatch,
        "doubts": (Refused, TypeError, ValueError, OverflowError),
    }
    lines = [
        "def fast(values, creating):",
        "    if type(values) is not dict: return None",
        "    get = values.get",
        "    out = values.copy()",
        "    try:",
    ]
    for position, spec in enumerate(record_type.fields.values()):
        policy = record_type.units[spec.unit].policy
        names[f"check_{position}"] = check_for(spec, policy)
        lines.append(f"        v = get({spec.name!r})")
        if spec.required:
            lines += [
                "        if v is None:",
                f"            if creating or {spec.name!r} in values: return None",
                "        else:",
            ]
        else:
            lines.append("        if v is not None:")
        lines += ["            " + line for line in _field_lines(spec, policy, position, names)]
    lines += ["    except doubts:", "        return None", "    return out"]
    exec(compile("\n".join(lines), f"<fast path of {record_type.name}>", "exec"), names)  # noqa: S102  # our own text
    generated: FastPath = names["fast"]
    return generated


def _field_lines(spec: FieldSpec, policy: str, position: int, names: dict[str, Any]) -> list[str]:
    """Statements that judge ``v`` of one field: fall through, set ``out``, or return None."""
    check = [f"v = check_{position}(v)"]
    if spec.required:
        check.append("if v is None: return None")
    check.append(f"out[{spec.name!r}] = v")
    if spec.type == "text":
        return _text_lines(spec, position, names, check)
    if spec.type == "select_one":
        codes = spec.codes.entries if spec.codes is not None else ()
        rule = spec.constraint
        names[f"codes_{position}"] = frozenset(
            code for code in codes if rule is None or is_true(evaluate(rule.tree, {}, value=code))
        )
        return [f"if v not in codes_{position}: return None"]
    if spec.constraint is not None or policy == "add":
        return check
    if spec.type == "boolean":
        return ["if v is not True and v is not False: return None"]
    if spec.type == "integer":
        least, most = limits(spec)
        return [f"if type(v) is not int or v < {least!r} or v > {most!r}: return None"]
    if spec.type == "decimal":
        least, most = limits(spec)
        return [f"if type(v) is not int or v < {least!r} or v > {most!r}:", *("    " + line for line in check)]
    if spec.type == "date":
        return [
            f"if type(v) is not str or len(v) != 10 or v[4] != '-' or v[7] != '-' or not {FIRST_DAY!r} <= v < {END_DAY!r}:",
            "    return None",
            "date_from(v)",
        ]
    if spec.type == "ref":
        return ["if type(v) is not str or is_ref(v) is None: return None"]
    if spec.type == "text_set" and spec.format == "phone":
        longest = spec.max_length or DEFAULT_MAX_LENGTH
        return [
            "if type(v) is not list or len(v) != 1 or type(v[0]) is not str or not v[0].isascii() or not v[0].isdigit()"
            f" or len(v[0]) > {longest}:",
            *("    " + line for line in check),
        ]
    if spec.type == "text_set" and spec.format is None:
        longest = spec.max_length or DEFAULT_MAX_LENGTH
        return [
            "w = v[0] if type(v) is list and len(v) == 1 else None",
            f"if type(w) is not str or {_DOUBTED.format('w')} or len(w) > {longest}:",
            *("    " + line for line in check),
        ]
    return check


def _text_lines(spec: FieldSpec, position: int, names: dict[str, Any], check: list[str]) -> list[str]:
    longest = spec.max_length or DEFAULT_MAX_LENGTH
    if spec.format == "phone":
        unsure = "not v.isascii() or not v.isdigit()"
    elif spec.format == "identifier":
        unsure = "is_identifier(v) is None"
    else:
        unsure = _DOUBTED.format("v")
    if spec.constraint is not None:
        tree = spec.constraint.tree

        def holds(value: str) -> bool:
            return is_true(evaluate(tree, {}, value=value))

        # Texts with a condition are few and repeat (division codes); secrets are never kept in a cache.
        names[f"holds_{position}"] = holds if spec.privacy == "secret" else lru_cache(maxsize=4096)(holds)
        unsure += f" or not holds_{position}(v)"
    return [
        "if type(v) is not str: return None",
        f"if {unsure} or len(v) > {longest}:",
        *("    " + line for line in check),
    ]
