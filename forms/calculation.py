"""Calculated fields: in which order they follow from the answers, and what each comes to.

The twin of web/shared/forms/calculate.ts; both pass tests/vectors/forms/calculations.json. A calculation reads what stands:
an answer to a question that does not arise is nothing to it, and neither is its own value where it does not arise itself.
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
    """One calculated field. ``reads`` is what its expression names; ``leans_on`` all that its value can depend on, itself not among it."""

    spec: FieldSpec
    tree: Tree
    reads: frozenset[str]
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
def calculations(record_type: RecordType) -> tuple[Calculation, ...]:
    """The calculated fields of a type, each behind those that it leans on; empty for nearly every type."""
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
        made.append(Calculation(spec, spec.calculation, fields_used(dict(spec.calculation)), leans, any(uses_today(dict(tree)) for tree in trees)))
    return tuple(sorted(made, key=lambda one: len(one.leans_on)))  # what one leans on leans on less


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
    plans = calculations(record_type)
    found: dict[str, Any] = {}
    if not plans:
        return found
    arising = _arising(record_type)
    standing = {name: value for name, value in fields.items() if name in record_type.fields and record_type.fields[name].calculation is None}

    def arises(name: str) -> bool:
        return all(is_true(evaluate(tree, standing, today)) for tree in arising.get(name, ()))

    for one in plans:
        value = None
        if arises(one.spec.name):
            read = {name: standing[name] for name in one.reads if name in standing and arises(name)}
            value = _fitted(one.spec, record_type, evaluate(one.tree, read, today))
        found[one.spec.name] = value
        if value is not None:
            standing[one.spec.name] = value
    return found


@cache
def checked(record_type: RecordType) -> tuple[Calculation, ...]:
    """The calculations whose value anybody can work out again: not by the day, and from nothing secret."""
    hidden = frozenset(record_type.secret_fields)
    return tuple(one for one in calculations(record_type) if not one.needs_day and hidden.isdisjoint(one.leans_on))


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
