"""The declaration of a record type as a marshmallow schema: the voice of errors.

Every error of a record is reported at once, each with a JSON pointer. Unknown fields pass untouched (older and newer
clients keep syncing). Too slow for every record of a batch: see validate.py, which is held equal by a property test.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from marshmallow import INCLUDE, Schema, ValidationError, fields

from forms.definition import FieldSpec, RecordType
from forms.values import Problem, Refused, check_for, problem


@dataclass(frozen=True, slots=True)
class FieldError:
    """One error. ``pointer`` leads into the operation, for example ``/set/phones/add/0``; never carries the value."""

    pointer: str
    code: str
    message_en: str
    message_zh: str


class DeclaredField(fields.Field[Any]):
    """A marshmallow field that judges by a definition. Its errors are lists of ``Problem``."""

    def __init__(self, spec: FieldSpec, policy: str) -> None:
        missing = [problem("required")]
        super().__init__(
            required=spec.required,
            allow_none=not spec.required,
            metadata={"label": dict(spec.label), "privacy": spec.privacy},
            error_messages={"required": missing, "null": missing},
        )
        self.spec = spec
        self._check = check_for(spec, policy)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        try:
            normal = self._check(value)
        except Refused as wrong:
            raise ValidationError(wrong.problems) from wrong
        if normal is None and self.spec.required:
            raise ValidationError([problem("required")])
        return normal


class _RecordSchema(Schema):
    """All errors at once; unknown fields are kept."""

    class Meta:
        unknown = INCLUDE


@cache
def schema_for(record_type: RecordType) -> type[Schema]:
    """The marshmallow schema class of a record type.

    ``schema_for(t)().load(fields)`` judges a new record, ``load(fields, partial=True)`` a patch. The messages of
    the ``ValidationError`` are lists of ``Problem`` by field; ``judge`` turns them into ``FieldError``.
    """
    declared: dict[str, fields.Field[Any]] = {
        spec.name: DeclaredField(spec, record_type.units[spec.unit].policy) for spec in record_type.fields.values()
    }
    return _RecordSchema.from_dict(declared, name=f"{record_type.name}_{record_type.version}")


@cache
def _schema(record_type: RecordType) -> Schema:
    return schema_for(record_type)()


def judge(record_type: RecordType, values: Any, creating: bool) -> tuple[dict[str, Any], list[FieldError]]:
    """Validate through the schema.

    Returns
    -------
    (dict, list of FieldError)
        Normalised values in the given order, without those that were refused; errors in the order of the definition.
    """
    if not isinstance(values, dict):
        return {}, [field_error("", problem("not_an_object"))]
    try:
        loaded = _schema(record_type).load(values, partial=not creating)
    except ValidationError as wrong:
        loaded = wrong.valid_data if isinstance(wrong.valid_data, dict) else {}
        messages: Mapping[str, list[Problem]] = wrong.messages_dict
        errors = [
            field_error(f"/{name}", found)
            for name in record_type.fields
            if name in messages
            for found in messages[name]
        ]
    else:
        errors = []
    refused = {error.pointer.split("/")[2] for error in errors}
    return {key: loaded[key] for key in values if key in loaded and key not in refused}, errors


def field_error(pointer: str, found: Problem) -> FieldError:
    """A problem of a field as an error of an operation."""
    return FieldError(f"/set{pointer}{found.tail}", found.code, found.message_en, found.message_zh)
