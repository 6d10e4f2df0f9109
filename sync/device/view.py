"""What a person sees: the server's copy with the own unfinished operations laid over it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from forms.definition import RecordType
from sync import policies

Fields = dict[str, Any]


@dataclass(frozen=True, slots=True)
class RecordView:
    """A record as this phone shows it.

    ``v``, ``tag`` and ``home`` are those of the server's copy, None where there is none yet. ``conflicts`` are units
    with an open conflict on the server. ``pending`` are the op_ids of own operations that lie over the copy.
    """

    id: str
    type: str
    v: int | None
    tag: str | None
    life: str
    home: str | None
    fields: Fields
    conflicts: tuple[str, ...]
    confirmed: Mapping[str, Any]
    pending: tuple[str, ...]


def policy_of(form: RecordType | None, field: str) -> str:
    """Merge policy of a field; ``last`` for what the form does not know."""
    if form is None:
        return "last"
    unit = form.units.get(form.unit_of.get(field, field))
    return unit.policy if unit is not None else "last"


def laid_over(fields: Fields, operations: Iterable[Mapping[str, Any]], form: RecordType | None) -> Fields:
    """The fields after the operations, in their order. A field set to null is absent.

    Sets, sums and appended notes are laid over what the server has by now, as the merge would; everything else shows
    what was typed here until the server's answer is contained in the copy.
    """
    shown = dict(fields)
    for operation in operations:
        was = operation.get("was") or {}
        for name, value in (operation.get("set") or {}).items():
            shown[name] = _laid(policy_of(form, name), operation["kind"], shown.get(name), value, was.get(name))
    return {name: value for name, value in shown.items() if value is not None}


def _laid(policy: str, kind: str, current: Any, value: Any, was: Any) -> Any:
    if kind == "resolve":
        return value
    if policy == "union":
        return policies.union(current, value, was)
    if policy == "add" and value is not None:
        return policies.add(current, value)
    if policy == "append" and isinstance(value, str) and value.startswith(was or ""):
        return (current or "") + value[len(was or "") :]
    return value


def life_after(life: str, operations: Iterable[Mapping[str, Any]]) -> str:
    """``live`` or ``deleted`` after own deletions and restorations; other states of the copy stay."""
    for operation in operations:
        if operation["kind"] == "delete" and life == "live":
            life = "deleted"
        elif operation["kind"] == "restore" and life == "deleted":
            life = "live"
        elif operation["kind"] == "end" and life == "live":
            life = "merged"
    return life


def matches(view: RecordView, filters: Mapping[str, Any]) -> bool:
    """Whether every filter equals the field, or is one element of it where the field is a list."""
    for name, wanted in filters.items():
        value = view.fields.get(name)
        if not (value == wanted or (isinstance(value, list) and wanted in value)):
            return False
    return True
