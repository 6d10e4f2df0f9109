"""Reading operations before any lock: parse, judge by the form, canonical places, content hash.

Nothing here looks at the database, so a push holds no lock while it is read.
"""

from __future__ import annotations

import re
from typing import Any

import orjson

from forms.definition import RecordType
from forms.registry import Registry
from forms.validate import validator
from geo.errors import LocationError
from geo.location import canonical_location
from server.sealing import KeyRing
from sync.arguments import wrong_arguments
from sync.errors import MalformedOperation
from sync.memory import Prepared
from sync.operation import WITH_VALUES, Operation, operation_of
from sync.outcome import HELD, QUARANTINED, Refusal
from sync.record import shape_of

MAX_OPERATION_BYTES = 256 * 1024
NO_OPERATION = "00000000-0000-0000-0000-000000000000"
"""Stands for the op_id of bytes that could not be read."""

_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
is_record_id = re.compile(_UUID).fullmatch
_is_name = re.compile(r"[a-z][a-z0-9_]{0,63}").fullmatch
MOST_LEVELS = 64
"""Objects and lists inside one another in one operation: deeper ones could be kept, but not be given back in an answer."""
_OWN_ID = re.compile(rb'"op_id"\s*:\s*"(' + _UUID.encode() + rb')"')


def prepare(n: int, text: str, keys: KeyRing, registry: Registry) -> Prepared:
    """One operation from its frozen text; whatever is wrong with it becomes its refusal, never an exception."""
    raw = text.encode("utf-8", "surrogatepass")
    content_hash = keys.content_hash(raw)
    try:
        return _read(n, raw, content_hash, registry)
    except Exception:  # S17: a fault of ours costs this operation's group, not the batch; the bytes are kept
        return _refused(n, raw, content_hash, Refusal(QUARANTINED, "unexpected"))


def _read(n: int, raw: bytes, content_hash: bytes, registry: Registry) -> Prepared:
    if len(raw) > MAX_OPERATION_BYTES:
        return _refused(n, raw, content_hash, Refusal(QUARANTINED, "oversized"))
    try:
        data = orjson.loads(raw)
        operation = operation_of(data)
        _check_storable(raw, data)
    except orjson.JSONDecodeError:
        return _refused(n, raw, content_hash, Refusal(QUARANTINED, "malformed", errors=[_error("", "not_json")]))
    except MalformedOperation as error:
        refusal = Refusal(QUARANTINED, "malformed", errors=[_error(error.pointer, error.code)])
        return _refused(n, raw, content_hash, refusal)
    prepared = Prepared(n, operation.op_id, raw, content_hash, operation)
    form = registry.get(operation.type, operation.form_version)
    if form is None:
        known = operation.type in registry.types()
        waits_for = f"form/{operation.type}/{operation.form_version}"
        prepared.refusal = Refusal(HELD, "form", waits_for) if known else Refusal(
            QUARANTINED, "unknown_type", errors=[_error("/type", "unknown_type")]
        )
        return prepared
    prepared.form = form
    if operation.kind == "create" and operation.type in registry.closed:
        prepared.refusal = Refusal(QUARANTINED, "survey_closed", errors=[_error("/type", "survey_closed")])
        return prepared
    if operation.kind in WITH_VALUES:
        _judge_values(prepared, operation, form)
    elif operation.kind == "command":
        wrong = wrong_arguments(operation, registry.latest)
        if wrong:
            prepared.refusal = Refusal(QUARANTINED, "invalid", errors=[_error(one.pointer, one.code) for one in wrong])
    return prepared


def _check_storable(raw: bytes, data: dict[str, Any]) -> None:
    """MalformedOperation for what one database would choke on later, in fields that no form knows, too.

    U+0000 in a text: PostgreSQL cannot read any field of a record that holds one. Values inside values without end.
    The pointer names a member and, below it, a field; never what stands there.
    """
    if b"\\u0000" not in raw and raw.count(b"{") + raw.count(b"[") <= MOST_LEVELS:
        return
    waiting: list[tuple[tuple[str, ...], int, Any]] = [((), 0, data)]
    while waiting:
        place, level, value = waiting.pop()
        if isinstance(value, str):
            if "\0" in value:
                raise MalformedOperation("".join(f"/{name}" for name in place), "control_character")
        elif isinstance(value, dict | list):
            if level == MOST_LEVELS:
                raise MalformedOperation("".join(f"/{name}" for name in place), "nested_too_deeply")
            for name, inner in value.items() if isinstance(value, dict) else (("", one) for one in value):
                below = (*place, name) if len(place) < 2 and _is_name(name) else place
                waiting += (below, level + 1, name), (below, level + 1, inner)


def _judge_values(prepared: Prepared, operation: Operation, form: RecordType) -> None:
    values, found = validator(form)(operation.set, operation.kind == "create")
    errors = [{"pointer": "/set" + one.pointer.removeprefix("/set"), "code": one.code, "message": one.message_en} for one in found] if found else []
    shape = shape_of(form, tuple(values))
    for name in shape.refs:
        target = values[name]
        if isinstance(target, str) and not is_record_id(target):
            errors.append(_error(f"/set/{name}", "not_a_uuid"))  # no record will ever have this id: do not wait for it
    anchor = values.get("anchor")
    if anchor is not None and not errors and isinstance(anchor, dict) and "anchor" in form.fields:
        try:
            values["anchor"] = canonical_location(anchor)
        except LocationError as error:
            errors.append(_error("/set/anchor" + error.pointer, error.code))
    if operation.kind == "resolve" and any(form.unit_of_field(name) != operation.unit for name in values):
        errors.append(_error("/set", "not_of_the_unit"))
    if errors:
        prepared.refusal = Refusal(QUARANTINED, "invalid", errors=errors)
    prepared.values, prepared.shape = values, shape


def _error(pointer: str, code: str) -> dict[str, Any]:
    return {"pointer": pointer, "code": code, "message": code.replace("_", " ")}


def _refused(n: int, raw: bytes, content_hash: bytes, refusal: Refusal) -> Prepared:
    """Bytes that are no operation of ours. Their op_id is told where it can be made out, so that the phone knows it."""
    found = _OWN_ID.search(raw)
    op_id = found[1].decode() if found is not None else NO_OPERATION
    return Prepared(n, op_id, raw, content_hash, refusal=refusal)
