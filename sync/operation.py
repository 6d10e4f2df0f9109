"""An operation as it travels: frozen bytes, read once (see "Words" in docs/protocol.md)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from sync.errors import MalformedOperation

Fields = dict[str, Any]

KINDS = frozenset({"create", "patch", "confirm", "delete", "restore", "resolve", "command"})
WITH_VALUES = frozenset({"create", "patch", "resolve"})

_MOST = 2**31 - 1
"""The greatest version number that every store can hold."""
_KEPT_NAMES = 128
"""Sets of more field names than this are judged anew each time, so that what is remembered stays small."""

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}").fullmatch
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}").fullmatch
_TAG = re.compile(r"[0-9a-f]{16}").fullmatch
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)").fullmatch


def is_uuid(value: object) -> bool:
    """Whether this is the text of an id, in small letters."""
    return isinstance(value, str) and _UUID(value) is not None


@dataclass(frozen=True, slots=True)
class Other:
    """What a command says of another record than its principal: its base, and its values as they were shown."""

    base: tuple[int, str] | None
    was: Fields


@dataclass(slots=True)
class Operation:
    """One operation, read. ``base`` is (v, tag) of the server copy that the person was looking at, or None.

    ``units`` belongs to confirm (None: every unit that has a value); ``unit`` and ``siblings`` to resolve; ``name``,
    ``arguments`` and ``others`` to command. ``addressed`` is the id in the text where that leads to another record (S8).
    """

    op_id: str
    type: str
    id: str
    kind: str
    base: tuple[int, str] | None
    set: Fields
    was: Fields
    form_version: int
    claimed_at: str | None
    units: tuple[str, ...] | None = None
    unit: str | None = None
    siblings: tuple[str, ...] = ()
    name: str | None = None
    arguments: Fields = field(default_factory=dict)
    others: dict[str, Other] = field(default_factory=dict)
    addressed: str | None = None
    rest: Fields = field(default_factory=dict)


_KNOWN = frozenset(
    {"op_id", "type", "id", "kind", "base", "set", "was", "form_version", "claimed_at", "units", "unit", "siblings"}
)
_OF_COMMAND = frozenset({"name", "arguments", "others"})


def operation_of(data: Any) -> Operation:
    """The operation that a decoded JSON value holds.

    Unknown members are kept in ``rest``. Raises MalformedOperation with the pointer of the first member that cannot be
    read; values are judged later, by the form.
    """
    if type(data) is not dict:
        raise MalformedOperation("", "not_an_object")
    get = data.get
    op_id, record_id, kind, record_type = get("op_id"), get("id"), get("kind"), get("type")
    if type(op_id) is not str or not _UUID(op_id):
        raise MalformedOperation("/op_id", "not_a_uuid")
    if type(record_id) is not str or not _UUID(record_id):
        raise MalformedOperation("/id", "not_a_uuid")
    if type(record_type) is not str or not _NAME(record_type):
        raise MalformedOperation("/type", "not_a_name")
    if type(kind) is not str or kind not in KINDS:
        raise MalformedOperation("/kind", "unknown_kind")
    form_version = get("form_version")
    if type(form_version) is not int or not 1 <= form_version <= _MOST:
        raise MalformedOperation("/form_version", "not_a_version")
    claimed_at = get("claimed_at")
    if claimed_at is not None and (type(claimed_at) is not str or not _INSTANT(claimed_at)):
        raise MalformedOperation("/claimed_at", "not_an_instant")
    values, was = get("set"), get("was")
    if values is None:
        values = {}
    if was is None:
        was = {}
    if type(values) is not dict:
        raise MalformedOperation("/set", "not_an_object")
    if type(was) is not dict:
        raise MalformedOperation("/was", "not_an_object")
    if kind == "patch" and not values:
        raise MalformedOperation("/set", "empty")
    if values:
        (_check_names if len(values) <= _KEPT_NAMES else _check_names.__wrapped__)(tuple(values))
    operation = Operation(
        op_id, record_type, record_id, kind, _base(get("base")), values, was, form_version, claimed_at
    )
    if kind == "confirm" and get("units") is not None:
        operation.units = _names(data["units"], "/units")
    if kind == "resolve":
        unit = get("unit")
        if type(unit) is not str or not _NAME(unit):
            raise MalformedOperation("/unit", "not_a_name")
        operation.unit = unit
        siblings = get("siblings")
        if type(siblings) is not list or not all(type(one) is str and _UUID(one) for one in siblings):
            raise MalformedOperation("/siblings", "not_operation_ids")
        operation.siblings = tuple(siblings)
    if kind == "command":
        _read_command(operation, data)
    if len(data) > 9 or not _KNOWN.issuperset(data):
        known = _KNOWN | _OF_COMMAND if kind == "command" else _KNOWN
        operation.rest = {name: value for name, value in data.items() if name not in known}
    return operation


def _read_command(operation: Operation, data: Fields) -> None:
    """Name, arguments and the other records of a command."""
    name, arguments, others = data.get("name"), data.get("arguments"), data.get("others")
    if type(name) is not str or not _NAME(name):
        raise MalformedOperation("/name", "not_a_name")
    if type(arguments) is not dict:
        raise MalformedOperation("/arguments", "not_an_object")
    if others is not None and type(others) is not dict:
        raise MalformedOperation("/others", "not_an_object")
    operation.name, operation.arguments = name, arguments
    for record_id, other in (others or {}).items():
        pointer = f"/others/{record_id}"
        if not is_uuid(record_id):
            raise MalformedOperation("/others", "not_ids")
        if type(other) is not dict:
            raise MalformedOperation(pointer, "not_an_object")
        was = other.get("was") or {}
        if type(was) is not dict:
            raise MalformedOperation(f"{pointer}/was", "not_an_object")
        operation.others[record_id] = Other(_base(other.get("base"), f"{pointer}/base"), was)


def _base(value: Any, pointer: str = "/base") -> tuple[int, str] | None:
    if value is None:
        return None
    if type(value) is not dict:
        raise MalformedOperation(pointer, "not_an_object")
    v, tag = value.get("v"), value.get("tag")
    if type(v) is not int or not 1 <= v <= _MOST:
        raise MalformedOperation(f"{pointer}/v", "not_a_version")
    if type(tag) is not str or not _TAG(tag):
        raise MalformedOperation(f"{pointer}/tag", "not_a_tag")
    return v, tag


@lru_cache(maxsize=1024)
def _check_names(names: tuple[str, ...]) -> None:
    """MalformedOperation unless all are field names. The operations of a batch have few sets of them: only good ones are kept."""
    if not all(map(_NAME, names)):
        raise MalformedOperation("/set", "not_a_field_name")


def _names(value: Any, pointer: str) -> tuple[str, ...]:
    if type(value) is not list or not all(type(one) is str and _NAME(one) for one in value):
        raise MalformedOperation(pointer, "not_names")
    return tuple(value)
