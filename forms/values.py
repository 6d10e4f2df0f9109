"""What a value of each field type must be, and its one normal form.

One small function per type, used by the marshmallow schema (schemas.py) and, behind short cuts, by the compiled
validator (validate.py). Normal forms are idempotent: normalising twice changes nothing.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import partial
from typing import Any, NamedTuple

from forms.definition import FieldSpec
from forms.evaluator import evaluate, is_true

DATUMS = ("wgs84", "cgcs2000", "gcj02", "bd09")
LOCATION_METHODS = ("survey", "map_pick", "gps", "address", "import")
DEFAULT_MAX_LENGTH = 1000
MAX_ITEMS = 100
MAX_WHOLE = 2**53 - 1
MAX_DECIMAL = 1e15
FIRST_DAY, END_DAY = "1800", "2201"

_SURROGATE = re.compile("[\ud800-\udfff]")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
#: What surrounds text and means nothing, written out so that every language strips the same.
_EDGES = (
    "\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680"
    + "".join(map(chr, range(0x2000, 0x200C)))
    + "\u2028\u2029\u202f\u205f\u3000\ufeff"
)
_HALF_WIDTH: dict[int, int | None] = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
_SPACES: dict[int, int | None] = {ord(character): None for character in _EDGES}
_DASHES: dict[int, int | None] = {
    ord(character): ord("-") for character in "\u2010\u2011\u2012\u2013\u2014\u2015\u2212"
}
_UPPER: dict[int, int | None] = {ord(lower): ord(lower) - 32 for lower in "abcdefghijklmnopqrstuvwxyz"}
_FULL_UPPER: dict[int, int | None] = {code: code - 0xFEE0 - 32 for code in range(0xFF41, 0xFF5B)}
_FORMATS: dict[str, dict[int, int | None]] = {
    "phone": _HALF_WIDTH | _SPACES | _DASHES,
    "identifier": _HALF_WIDTH | _SPACES | _UPPER | _FULL_UPPER,
    "photo": {},
}
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
REF = re.compile(r"[0-9A-Za-z~][0-9A-Za-z~._:-]{0,63}", re.ASCII)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?(?:Z|[+-][0-9]{2}:[0-9]{2})", re.ASCII
)

#: Error codes with their wording. Limits may be named, values never.
MESSAGES: dict[str, tuple[str, str]] = {
    "not_an_object": ("应为对象", "must be an object"),
    "required": ("必填", "is required"),
    "not_text": ("应为文字", "must be text"),
    "not_unicode": ("含有无法识别的字符", "contains a broken character"),
    "control_character": ("含有控制字符", "contains a control character"),
    "not_a_hash": ("应为文件的 SHA-256（64 位小写十六进制）", "must be the SHA-256 of a file, 64 small hexadecimal digits"),
    "too_long": ("最多 {limit} 个字符", "must have at most {limit} characters"),
    "not_integer": ("应为整数", "must be a whole number"),
    "not_number": ("应为数字", "must be a number"),
    "not_finite": ("应为有限的数", "must be a finite number"),
    "too_small": ("不得小于 {limit}", "must be {limit} or more"),
    "too_large": ("不得大于 {limit}", "must be {limit} or less"),
    "not_boolean": ("应为是或否", "must be true or false"),
    "not_date": ("应为真实日期 YYYY-MM-DD", "must be a real date YYYY-MM-DD, 1800 to 2200"),
    "not_datetime": ("应为带时区的时间", "must be an ISO 8601 time with its offset"),
    "unknown_code": ("不在代码表中", "is not in the code list"),
    "not_a_list": ("应为列表，或 add/remove", "must be a list, or an object of add and remove"),
    "too_many": ("最多 {limit} 项", "must have at most {limit} items"),
    "not_ref": ("应为记录编号", "must be the id of a record"),
    "not_delta": ("增减量应只含 delta", "a movement holds delta and nothing else"),
    "location_incomplete": ("位置缺少经度或纬度", "needs lon and lat"),
    "out_of_range": ("超出经纬度范围", "is not a degree of longitude or latitude"),
    "datum_missing": ("未注明坐标系", "the datum is missing"),
    "datum_unknown": ("坐标系不认识", "the datum is none of wgs84, cgcs2000, gcj02, bd09"),
    "method_unknown": ("定位方式不认识", "the method is none of survey, map_pick, gps, address, import"),
    "constraint": ("不符合要求", "does not meet its condition"),
}


class Problem(NamedTuple):
    """One thing wrong with a value; ``tail`` is the JSON pointer below the field, ``""`` for the value itself."""

    code: str
    tail: str
    message_zh: str
    message_en: str


class Refused(Exception):
    """A value that its field cannot take. Never carries the value."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__(", ".join(problem.code for problem in problems))
        self.problems = problems


Check = Callable[[Any], Any]


def problem(code: str, tail: str = "", limit: float | None = None) -> Problem:
    """A problem with its wording."""
    zh, en = MESSAGES[code]
    return Problem(code, tail, zh.format(limit=limit), en.format(limit=limit))


def refused(code: str, tail: str = "", limit: float | None = None) -> Refused:
    """The exception for a single problem."""
    return Refused([problem(code, tail, limit)])


def check_for(spec: FieldSpec, policy: str) -> Check:
    """The function that judges and normalises a non-null value of a field.

    Returns
    -------
    callable
        value -> normalised value, or None where only emptiness was left; raises ``Refused``.
        Sets of policy ``union`` also take ``{"add": [...], "remove": [...]}`` (both keys come back), numbers of
        policy ``add`` also take ``{"delta": n}``.
    """
    base = _base_check(spec)
    if spec.type in ("text_set", "select_multiple"):
        check = _set_check(base, takes_changes=policy == "union")
    elif policy == "add":
        check = _movement_check(base, spec)
    else:
        check = base
    constraint = spec.constraint
    if constraint is None:
        return check
    failure = Problem("constraint", "", constraint.message["zh"], constraint.message["en"])

    def constrained(value: Any) -> Any:
        normal = check(value)
        if normal is not None and not is_true(evaluate(constraint.tree, {}, value=normal)):
            raise Refused([failure])
        return normal

    return constrained


def clean_text(value: Any, *, format: str | None = None, max_length: int = DEFAULT_MAX_LENGTH) -> str | None:
    """Normal form of a text: NFC, edges stripped, ``\\n`` for line ends; None for nothing but edges.

    Format ``phone`` makes full-width characters half-width, dashes ``-``, and drops spaces; ``identifier`` does
    the same but for dashes, and makes ASCII letters capital. ``photo`` takes the SHA-256 of a file, 64 small hex digits.
    """
    if not isinstance(value, str):
        raise refused("not_text")
    if _SURROGATE.search(value):
        raise refused("not_unicode")
    if format is not None:
        value = value.translate(_FORMATS[format])
    value = unicodedata.normalize("NFC", value.replace("\r\n", "\n").replace("\r", "\n")).strip(_EDGES)
    if _CONTROL.search(value):
        raise refused("control_character")
    if len(value) > max_length:
        raise refused("too_long", limit=max_length)
    if format == "photo" and value and not _SHA256.fullmatch(value):
        raise refused("not_a_hash")
    return value or None


def clean_date(value: Any) -> str:
    """A real calendar day ``YYYY-MM-DD`` between 1800 and 2200, unchanged."""
    if not isinstance(value, str) or not _DATE.fullmatch(value) or not FIRST_DAY <= value < END_DAY:
        raise refused("not_date")
    try:
        date.fromisoformat(value)
    except ValueError:
        raise refused("not_date") from None
    return value


def clean_datetime(value: Any) -> str:
    """An instant with offset, as UTC: ``…Z``, with milliseconds only where they are not zero."""
    if not isinstance(value, str) or not _INSTANT.fullmatch(value) or not FIRST_DAY <= value < END_DAY:
        raise refused("not_datetime")
    try:
        instant = datetime.fromisoformat(value).astimezone(UTC)
    except ValueError:
        raise refused("not_datetime") from None
    shown = instant.replace(tzinfo=None).isoformat(timespec="milliseconds")
    return shown.removesuffix(".000") + "Z"


def clean_ref(value: Any) -> str:
    """The id of a record: 1 to 64 characters of ``0-9 A-Z a-z ~ . _ : -``, unchanged."""
    if not isinstance(value, str) or not REF.fullmatch(value):
        raise refused("not_ref")
    return value


def clean_boolean(value: Any) -> bool:
    """True or false; 0, 1 and text are refused."""
    if value is not True and value is not False:
        raise refused("not_boolean")
    return value


def clean_number(value: Any, *, whole: bool, least: float, most: float) -> int | float:
    """A finite number within inclusive limits; whole decimals become int, as JavaScript writes them."""
    if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
        raise refused("not_integer" if whole else "not_number")
    number: int | float = value
    if isinstance(number, float):
        if not math.isfinite(number):
            raise refused("not_finite")
        if number.is_integer() and abs(number) <= MAX_WHOLE:
            number = int(number)
    if number < least:
        raise refused("too_small", limit=least)
    if number > most:
        raise refused("too_large", limit=most)
    return number


def clean_location(value: Any) -> dict[str, Any]:
    """The structure of a location; what its numbers mean is decided elsewhere.

    ``lon``, ``lat`` finite degrees and a declared ``datum`` are needed; ``accuracy_m``, ``confidence``, ``method``
    and ``at`` are judged where present; other keys are kept. The value is returned unchanged. All problems at once.
    """
    if not isinstance(value, dict):
        raise refused("not_an_object")
    problems: list[Problem] = []
    for key, limit in (("lon", 180), ("lat", 90)):
        degree = value.get(key)
        if degree is None:
            problems.append(problem("location_incomplete", f"/{key}"))
        elif isinstance(degree, bool) or not isinstance(degree, int | float):
            problems.append(problem("not_number", f"/{key}"))
        elif isinstance(degree, float) and not math.isfinite(degree):
            problems.append(problem("not_finite", f"/{key}"))
        elif not -limit <= degree <= limit:
            problems.append(problem("out_of_range", f"/{key}"))
    datum = value.get("datum")
    if datum is None or datum == "":
        problems.append(problem("datum_missing", "/datum"))
    elif not isinstance(datum, str) or datum not in DATUMS:
        problems.append(problem("datum_unknown", "/datum"))
    for key, most in (("accuracy_m", 1e6), ("confidence", 1.0)):
        if value.get(key) is not None:
            check = partial(clean_number, whole=False, least=0, most=most)
            problems.extend(_problems(f"/{key}", check, value[key]))
    if value.get("method") not in (None, *LOCATION_METHODS):
        problems.append(problem("method_unknown", "/method"))
    if value.get("at") is not None:
        problems.extend(_problems("/at", clean_datetime, value["at"]))
    if problems:
        raise Refused(problems)
    return value


def limits(spec: FieldSpec) -> tuple[float, float]:
    """Inclusive limits of a number field."""
    far = MAX_WHOLE if spec.type == "integer" else MAX_DECIMAL
    return (-far if spec.min is None else spec.min, far if spec.max is None else spec.max)


def _base_check(spec: FieldSpec) -> Check:
    kind = spec.type
    if kind in ("text", "text_set"):
        longest = spec.max_length or DEFAULT_MAX_LENGTH
        return lambda value: clean_text(value, format=spec.format, max_length=longest)
    if kind in ("select_one", "select_multiple"):
        codes = frozenset(spec.codes.entries) if spec.codes is not None else frozenset()
        return lambda value: _clean_code(value, codes)
    if kind in ("integer", "decimal"):
        least, most = limits(spec)
        return lambda value: clean_number(value, whole=kind == "integer", least=least, most=most)
    return {
        "boolean": clean_boolean,
        "date": clean_date,
        "datetime": clean_datetime,
        "ref": clean_ref,
        "location": clean_location,
    }[kind]


def _clean_code(value: Any, codes: frozenset[str]) -> str:
    if not isinstance(value, str) or value not in codes:
        raise refused("unknown_code")
    return value


def _set_check(element: Check, *, takes_changes: bool) -> Check:
    def check_list(value: Any, tail: str) -> list[str]:
        if not isinstance(value, list):
            raise refused("not_a_list", tail)
        if len(value) > MAX_ITEMS:
            raise refused("too_many", tail, MAX_ITEMS)
        kept: set[str] = set()
        problems: list[Problem] = []
        for position, item in enumerate(value):
            try:
                normal = element(item)
            except Refused as wrong:
                problems.extend(p._replace(tail=f"{tail}/{position}{p.tail}") for p in wrong.problems)
                continue
            if normal is not None:
                kept.add(normal)
        if problems:
            raise Refused(problems)
        return sorted(kept)

    def check(value: Any) -> Any:
        if not (takes_changes and isinstance(value, dict)):
            return check_list(value, "")
        if not value or not value.keys() <= {"add", "remove"}:
            raise refused("not_a_list")
        changes: dict[str, list[str]] = {}
        problems: list[Problem] = []
        for key in ("add", "remove"):
            try:
                changes[key] = check_list(value.get(key, []), f"/{key}")
            except Refused as wrong:
                problems.extend(wrong.problems)
        if problems:
            raise Refused(problems)
        return changes

    return check


def _movement_check(base: Check, spec: FieldSpec) -> Check:
    far = MAX_WHOLE if spec.type == "integer" else MAX_DECIMAL
    movement = partial(clean_number, whole=spec.type == "integer", least=-far, most=far)

    def check(value: Any) -> Any:
        if not isinstance(value, dict):
            return base(value)
        if value.keys() != {"delta"}:
            raise refused("not_delta")
        found = _problems("/delta", movement, value["delta"])
        if found:
            raise Refused(found)
        return {"delta": movement(value["delta"])}

    return check


def _problems(tail: str, check: Check, value: Any) -> list[Problem]:
    try:
        check(value)
    except Refused as wrong:
        return [found._replace(tail=tail + found.tail) for found in wrong.problems]
    return []
