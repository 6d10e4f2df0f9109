"""Calculated fields: in which order they follow from the answers, and what each comes to.

The twin of web/shared/forms/calculate.ts; both pass tests/vectors/forms/calculations.json. Calculations and conditions read
what stands: an answer to a question that does not arise is nothing to them, and neither is a result that does not arise itself.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any

from forms.definition import FieldSpec, RecordType, Tree, View
from forms.evaluator import day_of, evaluate, is_null, is_true
from forms.expressions import fields_used, uses_today
from forms.values import Refused, check_for


@dataclass(frozen=True, slots=True, eq=False)
class Calculation:
    """One calculated field. ``leans_on`` is all that its value can depend on; itself only where it needs its own value."""

    spec: FieldSpec
    leans_on: frozenset[str]
    needs_day: bool


def leanings(reads: Mapping[str, Collection[str]], name: str) -> frozenset[str]:
    """Every field that a field depends on, near and far; the field itself only where it needs its own value."""
    found: set[str] = set()
    waiting = list(reads.get(name, ()))
    while waiting:
        one = waiting.pop()
        if one not in found:
            found.add(one)
            waiting += reads.get(one, ())
    return frozenset(found)


def in_circles(reads: Mapping[str, Collection[str]], calculated: Iterable[str]) -> list[str]:
    """Those of the calculated fields that need their own value, by whatever way; in the order given.

    ``reads``: field to what its calculation and its relevance name.
    """
    return [name for name in calculated if name in leanings(reads, name)]


def conditions(views: Iterable[View]) -> dict[str, list[Tree]]:
    """Field to the conditions of the screens of the first view that it stands on."""
    found: dict[str, list[Tree]] = {}
    for screen in next((view.screens for view in views), ()):
        for name in screen.fields if screen.relevant is not None else ():
            assert screen.relevant is not None
            found.setdefault(name, []).append(screen.relevant)
    return found


def _arising(record_type: RecordType) -> dict[str, list[Tree]]:
    found = conditions(record_type.views)
    for spec in record_type.fields.values():
        if spec.relevant is not None:
            found.setdefault(spec.name, []).append(spec.relevant)
    return found


def reads_of(fields: Mapping[str, FieldSpec], views: Iterable[View]) -> dict[str, frozenset[str]]:
    """Field to what its calculation, its relevance and that of its screen name."""
    shown = conditions(views)
    return {
        name: frozenset().union(
            *(fields_used(dict(tree)) for tree in (spec.calculation, spec.relevant, *shown.get(name, ())) if tree is not None)
        )
        for name, spec in fields.items()
    }


@cache
def circular(record_type: RecordType) -> tuple[str, ...]:
    """Calculated fields of a type that need their own value.

    None is published any more; a form that is in force since before that was refused stays one (S10).
    """
    asked = [spec.name for spec in record_type.fields.values() if spec.calculation is not None]
    return tuple(in_circles(reads_of(record_type.fields, record_type.views), asked)) if asked else ()


@cache
def calculations(record_type: RecordType) -> tuple[Calculation, ...]:
    """The calculated fields of a type, in the order of the form; empty for nearly every type."""
    specs = [spec for spec in record_type.fields.values() if spec.calculation is not None]
    if not specs:
        return ()
    reads = reads_of(record_type.fields, record_type.views)
    arising = _arising(record_type)
    made = []
    for spec in specs:
        assert spec.calculation is not None
        leans = leanings(reads, spec.name)
        trees: list[Tree] = [spec.calculation]
        for name in (spec.name, *leans):
            trees += arising.get(name, [])
            other = record_type.fields[name].calculation
            trees += [] if other is None else [other]
        made.append(Calculation(spec, leans, any(uses_today(dict(tree)) for tree in trees)))
    return tuple(made)


def calculated(record_type: RecordType, fields: Mapping[str, Any], today: date) -> dict[str, Any]:
    """What every calculated field comes to from the answers, whatever stands in it.

    Parameters
    ----------
    record_type : RecordType
    fields : mapping
        Plain values of the record.
    today : datetime.date

    Returns
    -------
    dict
        Name to a value in normal form, or None where it comes to nothing; a value that the field cannot take is left as it
        came. Empty for a type without calculations.
    """
    found: dict[str, Any] = {}
    if not calculations(record_type):
        return found
    arising, order, circles = _plan(record_type)
    standing = {name: fields[name] for name in circles if name in fields}
    for spec in order:
        value = None
        if all(is_true(evaluate(tree, standing, today)) for tree in arising.get(spec.name, ())):
            tree = spec.calculation
            value = fields.get(spec.name) if tree is None else _fitted(spec, record_type, evaluate(tree, standing, today))
        if spec.calculation is not None:
            found[spec.name] = value
        if value is not None:
            standing[spec.name] = value
    return found


@cache
def _plan(record_type: RecordType) -> tuple[dict[str, list[Tree]], tuple[FieldSpec, ...], tuple[str, ...]]:
    """Conditions by field; what results lean on, each field behind those that it leans on itself; and questions in circles.

    Whether such a question arises hangs on its own answer: what was answered stands, for the others.
    """
    reads = reads_of(record_type.fields, record_type.views)
    wanted = frozenset[str]().union(*(one.leans_on | {one.spec.name} for one in calculations(record_type)))
    leans = {name: leanings(reads, name) for name in record_type.fields if name in wanted}
    order = sorted(leans, key=lambda name: len(leans[name]))  # what one leans on leans on less
    circles = tuple(name for name in order if name in leans[name] and record_type.fields[name].calculation is None)
    return _arising(record_type), tuple(record_type.fields[name] for name in order), circles


@cache
def checked(record_type: RecordType) -> tuple[Calculation, ...]:
    """The calculations whose value anybody can work out again: not by the day, from nothing secret, and not from themselves."""
    hidden = frozenset(record_type.secret_fields)
    astray = frozenset(circular(record_type))
    return tuple(
        one for one in calculations(record_type)
        if not one.needs_day and hidden.isdisjoint(one.leans_on) and astray.isdisjoint(one.leans_on | {one.spec.name})
    )  # fmt: skip


def differing(record_type: RecordType, fields: Mapping[str, Any], today: date, changed: Collection[str] | None = None) -> Iterator[str]:
    """Calculated fields of ``checked`` that hold something else than the answers come to.

    What a day decides is right as of the day on which it was written. ``changed``: only those that lean on one of these
    fields, or are one.
    """
    asked = [
        one for one in checked(record_type) if changed is None or one.spec.name in changed or not one.leans_on.isdisjoint(changed)
    ]
    if not asked:
        return
    right = calculated(record_type, fields, today)
    for one in asked:
        if not _same(fields.get(one.spec.name), right[one.spec.name]):
            yield one.spec.name


def _same(held: Any, right: Any) -> bool:
    if isinstance(held, int | float) and isinstance(right, int | float) and not isinstance(held, bool) and not isinstance(right, bool):
        return abs(held - right) <= 1e-9 * max(1.0, abs(held), abs(right))  # another program's last digits are no other value
    return held == right or (is_null(held) and is_null(right))


def _fitted(spec: FieldSpec, record_type: RecordType, value: Any) -> Any:
    """The value as its field holds it: whole for a whole number, a day for a date, midnight in China for an instant."""
    if is_null(value):
        return None
    if spec.type == "integer" and isinstance(value, float):
        value = int(value)
    elif spec.type == "date":
        value = day_of(value) or value
    elif spec.type == "datetime" and isinstance(value, str) and len(value) == 10 and day_of(value) is not None:
        start = datetime.fromisoformat(value).replace(tzinfo=UTC) - timedelta(hours=8)
        value = start.strftime("%Y-%m-%dT%H:%M:%SZ")
    try:
        return check_for(spec, record_type.units[spec.unit].policy)(value)
    except Refused:
        return value
