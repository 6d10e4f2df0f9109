"""Words for people: what a record is called, what a field and a code are called, what may be shown of a value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from forms.codelist import CodeList
from forms.definition import FieldSpec, RecordType
from forms.index import mask_value
from forms.registry import Registry
from server.services.tables import Value, joined, yes_no

PERSONAL = frozenset({"personal", "secret"})
_TITLES = ("name", "number", "door_number", "household_number", "address_text")

Values = Mapping[str, Any]


def form_of(registry: Registry, type_name: str, version: int | None) -> RecordType:
    """The form that a value was written under; the newest one where the version is not known here."""
    found = registry.get(type_name, version) if version is not None else None
    return found or registry.latest(type_name)


def title_of(form: RecordType, fields: Values, *, personal: bool) -> tuple[str | None, str | None]:
    """What to call a record on a list.

    Returns
    -------
    (title, field)
        The first of name, number, door, register number and address that has a value; ``field`` is its name where
        it is a personal field, else None. (None, None) when nothing may be shown.
    """
    for name in _TITLES:
        spec = form.fields.get(name)
        value = fields.get(name)
        if spec is None or not isinstance(value, str) or not value or spec.privacy == "secret":
            continue
        if spec.privacy in PERSONAL:
            if personal:
                return value, name
            continue
        return value, None
    return None, None


def field_label(form: RecordType, name: str) -> Mapping[str, str]:
    """Labels of a field; of a field that this form does not know, its name."""
    spec = form.fields.get(name)
    return spec.label if spec is not None else {"zh": name, "en": name}


def code_labels(codes: CodeList | None, value: Any, language: str = "zh") -> Any:
    """Label of a code in ``zh`` or ``en``, labels of a list of codes; a code that is not in the list stays; None without a list."""
    if codes is None or value is None:
        return None
    if isinstance(value, list):
        return [codes.label_of(str(code), language) or str(code) for code in value]
    return codes.label_of(str(value), language) or str(value)


def shown(spec: FieldSpec | None, value: Any, *, unmask: bool) -> Any:
    """The value, masked where it is secret and the reader may not see it."""
    if spec is None or spec.privacy != "secret" or value is None or unmask or isinstance(value, dict):
        return value
    return mask_value(spec, value)


def words_of(spec: FieldSpec | None, value: Any, titles: Mapping[str, str] | None = None) -> str | None:
    """A shown value in words for people: labels of codes, 是 or 否, the title of a record, a set joined by ；.

    Parameters
    ----------
    value : as `shown` gives it: a secret may be a mask
    titles : titles of records by id, for references; a record without one has no words
    """
    if value is None or value == []:
        return None
    if isinstance(value, dict):
        if "lon" in value and "lat" in value:
            return f"{value['lon']}, {value['lat']}"
        mask = value.get("mask")
        return mask if isinstance(mask, str) else None
    if isinstance(value, bool):
        return yes_no(value)
    labels = code_labels(spec.codes, value) if spec is not None else None
    if labels is not None:
        return joined(labels) if isinstance(labels, list) else str(labels)
    if spec is not None and spec.type == "ref":
        return (titles or {}).get(value)
    return joined(str(one) for one in value) if isinstance(value, list) else str(value)


def plain(spec: FieldSpec, value: Any) -> Value:
    """A field's value as one plain value: sets joined, a secret as its mask."""
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, list):
        return joined(map(str, value))
    if isinstance(value, dict):
        return value.get("mask") if spec.privacy == "secret" else None
    return str(value)


def label(spec: FieldSpec, value: Any) -> str | None:
    """Chinese label of a coded value; a code that the list does not know stays as it is."""
    if value is None or spec.codes is None:
        return None
    codes = spec.codes
    if isinstance(value, list):
        return joined(codes.label_of(str(code)) or str(code) for code in value)
    return codes.label_of(str(value)) or str(value)
