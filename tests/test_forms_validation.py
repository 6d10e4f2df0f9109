from __future__ import annotations

import copy
import json
import math
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError

from forms.registry import load_registry
from forms.schemas import judge, schema_for
from forms.validate import fast_path, validator
from forms.values import Refused, clean_datetime, clean_text

CASES = json.loads((Path(__file__).parent / "vectors/forms/validation.json").read_text(encoding="utf-8"))["cases"]
REGISTRY = load_registry()
TYPES = [REGISTRY.latest(name) for name in REGISTRY.types()]

GOOD = {
    "text": st.sampled_from(["张三", "a b", "10-1-101", "9" * 30, "é", "𠮷", "440305", "110101001"]),
    "integer": st.sampled_from([0, 1, 5, 1990, 20]),
    "decimal": st.sampled_from([0, 1, 2.5, 90.0, -0.0]),
    "boolean": st.booleans(),
    "date": st.sampled_from(["2024-02-29", "1950-01-01", "2200-12-31", "1800-01-01"]),
    "datetime": st.sampled_from(["2024-05-01T08:00:00Z", "2024-05-01T08:00+08:00", "2024-05-01T08:00:00.123456-03:30"]),
    "text_set": st.lists(st.sampled_from(["10000000001", "李娜 女儿", " x", "0１0-5"]), max_size=3),
    "ref": st.sampled_from(["0193a1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b", "p1", "~unplaced"]),
    "location": st.just({"lon": 120.5, "lat": 31.3, "datum": "wgs84", "accuracy_m": 5}),
}
# What real devices, spreadsheets and hostile clients send.
ODD_TEXTS = (
    [
        "",
        " ",
        "x ",
        " x",
        "\u3000",
        "张\u3000",
        "\ufeff张",
        "a\u200bb",
        "a\u0000",
        "a\u0085b",
        "a\ud800",
        "Andre\u0301",
        "\u212b",
    ]
    + [
        "a\r\nb",
        "a\tb",
        "ｘ１",
        "1",
        "01",
        "13",
        "99",
        "9x",
        "010-1",
        "12 34",
        "１２",
        "110101",
        "１１０１０１",
        "110 101",
        "-",
        "ß",
        "ﬁ",
    ]
    + ["x" * n for n in (20, 21, 40, 41, 64, 65, 100, 101, 200, 201, 1000, 1001, 10001)]
    + ["1" * n for n in (12, 13, 18, 19, 40, 41, 64, 65)]
    + ["é" * n for n in (40, 41, 100, 101)]
    + [
        "2023-02-29",
        "2024-02-29",
        "20240101",
        "2024-W01-1",
        "2024-1-1",
        "0000-00-00",
        "1799-12-31",
        "2201-01-01",
        "２０２４-01-01",
    ]
    + ["2024/01-01", "2024-01/01", "2024-13-01", " 2024-01-01", "2024-01-01T00:00:00Z", "2024-05-01T08:00:00"]
    + [
        "2024-05-01 08:00:00Z",
        "2024-05-01T24:00:00Z",
        "1800-01-01T00:00:00+23:59",
        "2024-05-01T08:00:60Z",
        "a b",
        "~",
        ".a",
        "true",
    ]
)
ODD_VALUES = [
    *(None, True, False, 0, 1, -1, 5, 200, 201, 2201, 2**53 - 1, 2**53, 10**9, 10**9 + 1, 10**400, -(10**400)),
    *(0.0, -0.0, 1.0, 2.5, 1e15, 1.1e15, 1e300, math.nan, math.inf, -math.inf),
    *(
        [],
        [""],
        ["x"],
        ["x", "x"],
        ["b", "a"],
        ["1"],
        [" 1"],
        ["１"],
        ["1" * 41],
        [None],
        [1],
        [["x"]],
        ["x"] * 101,
        ["legal", "legal"],
    ),
    *({}, {"add": ["x"]}, {"add": ["b", " a"], "remove": [""]}, {"remove": "x"}, {"add": [1]}, {"add": [], "more": 1}),
    *({"delta": 1}, {"delta": 2.0}, {"delta": True}, {"delta": math.nan}, {"delta": 1, "x": 1}, {"delta": None}),
    *(
        {"lon": 1, "lat": 2, "datum": "gcj02"},
        {"lon": 1, "lat": 2},
        {"lon": math.nan, "lat": True, "datum": []},
        {"lon": 10**400},
    ),
    *(
        {
            "lon": 1.5,
            "lat": 2,
            "datum": "wgs84",
            "at": "now",
            "method": 3,
            "accuracy_m": -1,
            "confidence": 2,
            "raw": {},
        },
    ),
    *ODD_TEXTS,
]
ODD = st.one_of(st.sampled_from(ODD_VALUES), st.text(max_size=8), st.floats(), st.integers())


def _value(spec):
    if spec.type == "select_one":
        return st.sampled_from(sorted(spec.codes.entries))
    if spec.type == "select_multiple":
        return st.lists(st.sampled_from(sorted(spec.codes.entries)), max_size=3)
    return GOOD[spec.type]


@st.composite
def records(draw, *, odd: bool):
    """A record type and values for some of its fields, mostly good; odd ones mixed in if asked for."""
    record_type = draw(st.sampled_from(TYPES))
    values = {}
    for spec in record_type.fields.values():
        kind = draw(st.integers(0, 9))
        if kind < 5:
            values[spec.name] = draw(_value(spec))
        elif odd and kind == 5:
            values[spec.name] = draw(ODD)
    if draw(st.booleans()):
        values["field_of_a_later_form"] = draw(st.sampled_from([1, None, {"a": [1]}, "x "]))
    return record_type, values


def _same(left, right):
    """Equal in value and in type, NaN equal to itself."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_same(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_same, left, right))
    if isinstance(left, float) and isinstance(right, float) and math.isnan(left):
        return math.isnan(right)
    return type(left) is type(right) and left == right


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_values_are_judged_as_the_shared_cases_say(case):
    """The phone and the server refuse the same answers, with the same code at the same place."""
    normal, errors = validator(REGISTRY.latest(case["record_type"]))(case["set"], case["creating"])
    assert _same(normal, case["normal"])
    assert [[error.pointer, error.code] for error in errors] == case["errors"]


@given(records(odd=True), st.booleans())
def test_fast_path_gives_the_verdict_of_the_schema(record, creating):
    """A record is accepted quickly exactly when the full check accepts it, in the same normal form."""
    record_type, values = record
    before = copy.deepcopy(values)
    fast = fast_path(record_type)(values, creating)
    normal, errors = judge(record_type, values, creating)
    assert _same(values, before)
    if fast is None:
        assert errors
    else:
        assert errors == []
        assert _same(fast, normal)


@pytest.mark.parametrize("record_type", TYPES, ids=lambda record_type: record_type.name)
def test_fast_path_and_schema_agree_on_every_odd_value_of_every_field(record_type):
    """No field has a back door: what the full check refuses or changes, the quick one does too."""
    judged = fast_path(record_type)
    for name, spec in record_type.fields.items():
        for value in [*ODD_VALUES, *(list(spec.codes.entries) if spec.codes is not None else ())]:
            for creating in (False, True) if spec.required else (False,):
                fast, (normal, errors) = judged({name: value}, creating), judge(record_type, {name: value}, creating)
                assert (fast is None) == bool(errors), (name, value)
                assert fast is None or _same(fast, normal), (name, value)


@given(records(odd=False))
def test_valid_records_rarely_need_the_slow_way(record):
    """What the apps send is decided in microseconds."""
    record_type, values = record
    normal, errors = validator(record_type)(values, False)
    if not errors:
        assert fast_path(record_type)(values, False) is not None
        assert _same(validator(record_type)(normal, False)[0], normal)


@given(records(odd=True))
def test_errors_point_and_never_quote(record):
    """An error names the place of every wrong value and never the value."""
    record_type, values = record
    normal, errors = judge(record_type, values, True)
    for error in errors:
        name = error.pointer.split("/")[2]
        assert error.pointer.startswith("/set/")
        assert name in record_type.fields
        assert name not in normal
        assert error.message_zh
        assert "Error" not in error.message_en
    with_value = [error for error in errors if error.message_en == str(values.get(error.pointer.split("/")[2]))]
    assert with_value == []


@given(st.text(), st.sampled_from([None, "phone", "identifier"]))
def test_normal_form_of_text_is_final(text, format):
    """A value that was sent back unchanged is not seen as an edit."""
    try:
        normal = clean_text(text, format=format)
    except Refused:
        return
    assert normal is None or (clean_text(normal, format=format) == normal and unicodedata.is_normalized("NFC", normal))


@given(st.datetimes(timezones=st.timezones()))
def test_normal_form_of_time_is_final(moment):
    """A time has one spelling, whatever the offset it was claimed in."""
    try:
        normal = clean_datetime(moment.isoformat(timespec="milliseconds"))
    except Refused:
        return
    assert clean_datetime(normal) == normal
    assert normal.endswith("Z")


def test_every_record_type_has_a_schema_that_reports_all_errors():
    """A record with three mistakes comes back once with three messages, not three times with one."""
    person = REGISTRY.latest("person")
    with pytest.raises(ValidationError) as caught:
        schema_for(person)().load({"sex": 3, "birth_date": "yesterday"})
    assert set(caught.value.messages) == {"name", "sex", "birth_date"}


def test_values_that_are_no_object_are_refused():
    """An operation whose values are a list gets an error, not a crash."""
    normal, errors = validator(REGISTRY.latest("person"))([], True)  # type: ignore[arg-type]
    assert normal == {}
    assert [error.pointer for error in errors] == ["/set"]
