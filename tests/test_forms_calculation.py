"""What a form works out by itself: in order, from the answers that stand, the same on the phone and at the office."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from forms.calculation import calculated, calculations, circular
from forms.expressions import parse
from forms.findings import findings, message_of
from forms.loading import read_record_type

VECTORS = json.loads((Path(__file__).parent / "vectors" / "forms" / "calculations.json").read_text(encoding="utf-8"))
DAY = date.fromisoformat(VECTORS["today"])


def _plain(document):
    """The definition as it is declared: expressions as texts."""
    if isinstance(document, dict):
        if document.keys() == {"text", "tree"}:
            assert parse(document["text"]) == document["tree"]
            return document["text"]
        return {key: _plain(value) for key, value in document.items()}
    return [_plain(one) for one in document] if isinstance(document, list) else document


WELL = read_record_type(_plain(VECTORS["definition"]), lambda name: pytest.fail(name))


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["name"])
def test_what_is_worked_out_follows_from_the_answers(case):
    """Parts before totals, only from answers that stand, and never what somebody typed into it."""
    computed = {name for name, spec in WELL.fields.items() if spec.calculation is not None}
    given = {name: value for name, value in case["given"].items() if name not in computed}
    right = {name: value for name, value in calculated(WELL, case["given"], DAY).items() if value is not None}
    assert given | right == case["expected"]


def test_a_value_that_the_answers_do_not_give_is_a_finding():
    """An old phone, another program or two people at once: kept as it came, and looked at. What the day decides is left alone."""
    right = {"a": 7, "b": 8, "total": 15.000000000001, "half": 7, "twice": 14, "big": False, "said": "nothing"}
    stale = {**right, "at": "2026-11-20T16:00:00Z", "seen_on": "2026-11-21", "began": "2026-11-19T16:00:00Z", "days": 300}
    assert findings(WELL, right, DAY) == [] == findings(WELL, stale, DAY)
    assert [one.name for one in findings(WELL, right | {"total": 99}, DAY)] == ["total_calculation"]
    stale_parts = {one.name for one in findings(WELL, right | {"a": 8}, DAY, {"a"})}
    assert stale_parts == {"total_calculation", "half_calculation", "twice_calculation"}
    assert findings(WELL, right | {"a": 8}, DAY, {"why"}) == []
    told = message_of(WELL, "total_calculation")
    assert told is not None and all(told.values()) and message_of(WELL, "days_calculation") is None
    assert [one.spec.name for one in calculations(WELL) if one.needs_day] == ["days"]


CIRCLES = {
    "two that need each other": ({"a": {"calculation": "${b} + 1"}, "b": {"calculation": "${a} + 1"}}, "a"),
    "its own value": ({"a": {"calculation": "${a} + 1"}}, "a"),
    "what it decides is asked for": ({"a": {"calculation": "${b} * 2"}, "b": {"relevant": "${a} < 5"}}, "a"),
    "far away": ({"a": {"relevant": "${c} > 1"}, "b": {"calculation": "${a} + 1"}, "c": {"calculation": "${b} + 1"}}, "b"),
}


@pytest.mark.parametrize("case", CIRCLES)
def test_what_needs_its_own_value_is_found_and_stands(case):
    """No form in which a result needs itself is published; one that is in force already is read, worked out once and judged by nobody."""
    told, wrong = CIRCLES[case]
    label = {"zh": "题", "en": "Q"}
    fields = [{"name": name, "type": "decimal", "label": label, "privacy": "internal", **told.get(name, {})} for name in "abc"]
    made = read_record_type({"name": "circle", "version": 1, "label": label, "fields": fields}, lambda name: pytest.fail(name))
    assert wrong in circular(made) and circular(WELL) == ()
    assert calculated(made, {"a": 1, "b": 2, "c": 3}, DAY).keys() == {one.spec.name for one in calculations(made)}
    assert findings(made, {"a": 1, "b": 2, "c": 3}, DAY) == []
