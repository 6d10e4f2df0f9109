"""A record as the merge sees it: its units with their stamps, and what history tells of the ones in dispute."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from forms.definition import RecordType
from sync.operation import Fields

Stamp = tuple[int, str, int]
"""(v, install, n) of a unit's last writer."""


@dataclass(slots=True)
class Record:
    """A working copy during one transaction. ``fields`` hold no nulls; secret fields are plain where they were opened.

    ``stamps`` hold only units whose last writer is not the creator; ``open_units`` the units with an open conflict.
    """

    id: str
    type: str
    v: int
    tag: str
    life: str
    home: str
    place_parent: str | None
    subject_id: str | None
    fields: Fields
    stamps: dict[str, Stamp]
    open_units: list[str]
    confirmed: dict[str, Any]
    form_version: int
    created_install: str
    created_n: int
    dedicated: str | None = None
    placement: Fields | None = None
    lon: float | None = None
    lat: float | None = None
    secret_open: bool = True

    def stamp(self, unit: str) -> Stamp:
        """Who wrote the unit last, in which version."""
        return self.stamps.get(unit) or (1, self.created_install, self.created_n)

    def unit_value(self, fields: Iterable[str]) -> Fields:
        """The unit's fields with None for those without a value."""
        get = self.fields.get
        return {name: get(name) for name in fields}


@dataclass(frozen=True, slots=True)
class Chain:
    """The operations that an operation knows of: its install's, and its ancestors' up to each fork (S1, S21)."""

    install: str
    ancestors: Mapping[str, int] = field(default_factory=dict)

    def has(self, install: str, n: int) -> bool:
        """Whether that operation belongs to the chain."""
        return install == self.install or n <= self.ancestors.get(install, 0)


@dataclass(frozen=True, slots=True)
class PastVersion:
    """One row of history, opened: what it changed and what stood there before. ``life`` where it changed.

    ``was``: the units as its author saw them, where the author's base is not in this history (S25).
    """

    v: int
    tag: str
    op_id: str
    install: str
    n: int
    units: tuple[str, ...]
    previous: Mapping[str, Fields]
    set_aside: Mapping[str, Fields]
    life: str | None = None
    was: Mapping[str, Fields] = field(default_factory=dict)


def value_at(past: Iterable[PastVersion], unit: str, v: int, current: Fields) -> Fields:
    """The unit's value in version ``v``: the previous value in the first later row that names it, else today's.

    ``past`` ascends by version.
    """
    for row in past:
        if row.v > v and unit in row.previous:
            return dict(row.previous[unit])
    return current


def unit_fields(form: RecordType, unit: str) -> tuple[str, ...]:
    """The fields of a unit; a field that the form does not know is a unit of its own (S10)."""
    spec = form.units.get(unit)
    return spec.fields if spec is not None else (unit,)


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """What is the same for all sets of values with these field names: most records of a type have the same few.

    ``units`` in byte order; ``refs`` the reference fields among the names, ``parents`` those whose record must exist, in the order
    of the form, ``leads`` those that can be a parent or a place, ``places`` what places the record (its anchor too). ``whole``: no value can be a change of a set or a sum.
    """

    units: tuple[str, ...]
    refs: tuple[str, ...]
    parents: tuple[str, ...]
    leads: tuple[str, ...]
    places: tuple[str, ...]
    changes: tuple[str, ...]


@lru_cache(maxsize=4096)
def shape_of(form: RecordType, names: tuple[str, ...]) -> Shape:
    """The shape of values with these names, in whatever order."""
    refs = tuple(name for name in names if name in form.fields and form.fields[name].type == "ref")
    leading, placing = {*form.parents, *form.placed_by}, {"anchor" if one == "@anchor" else one for one in form.placed_by}
    return Shape(
        tuple(sorted({form.unit_of.get(name, name) for name in names})),
        refs,
        tuple(name for name in form.parents if name in names),
        tuple(name for name in names if name in leading),
        tuple(name for name in names if name in placing),
        tuple(name for name in names if name in form.fields and form.policy_of(form.unit_of[name]) in ("union", "add")),
    )


def by_unit(form: RecordType, values: Fields) -> dict[str, Fields]:
    """The values grouped by the unit that they belong to."""
    grouped: dict[str, Fields] = {}
    unit_of = form.unit_of
    for name, value in values.items():
        unit = unit_of.get(name, name)
        if unit in grouped:
            grouped[unit][name] = value
        else:
            grouped[unit] = {name: value}
    return grouped
