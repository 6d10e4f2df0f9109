"""From the records of a filled form to operations: only what the worker touched is said, against the version that they saw.

XForms sends every question, touched or not. An answer that says what stood in the version that the questions were filled from is
no operation; every other one becomes a patch with that version as its base, and merges by S1 to S5 like the patch of any phone.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import orjson

from forms.definition import FieldSpec, RecordType
from forms.odk_answers import Entity
from forms.odk_values import change, same, text_of, value_of
from server.house import House
from server.services.unsealing import open_sealed
from server.store import odk as store
from sync.record import unit_fields

Values = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Shown:
    """What a worker saw of a record: values, and the version that they stood in (None: not to be known)."""

    values: Values
    base: dict[str, Any] | None
    known: bool


@dataclass(frozen=True, slots=True)
class Source:
    """A filled form as operations need it: its community, own id, the install that writes, form version, and when it was finished."""

    community_id: str
    instance_id: str
    install_id: str
    form_version: int
    claimed_at: str | None


def operation_id(community_id: str, instance_id: str, part: str) -> str:
    """The op_id of one part of a filled form: the same whenever the form is sent."""
    digest = hashlib.blake2b(f"odk\0{community_id}\0{instance_id}\0{part}".encode(), digest_size=16).hexdigest()
    return f"{digest[:8]}-{digest[8:12]}-8{digest[13:16]}-a{digest[17:20]}-{digest[20:]}"


def operations_of(connection: Any, house: House, source: Source, entities: list[Entity]) -> list[Values]:
    """The operations of a filled form, one group in the order of its records. Empty where nothing was touched or confirmed."""
    rows = store.known(connection, source.community_id, [one.record_id for one in entities])
    made: list[Values] = []
    for place, entity in enumerate(entities):
        form = house.registry.get(entity.part.record_type.name, source.form_version) or entity.part.record_type
        row = rows.get(entity.record_id)
        if row is None and (entity.creates or _made_without_network(entity)):
            made.append(_create(source, form, entity, place))
            continue
        if entity.creates and row is not None and row.created_install == source.install_id:
            continue  # the update that overtook this form has brought its answers along
        shown = _shown(connection, house, source, form, row, entity)
        made += _update(source, form, entity, shown, place)
    return made


def _made_without_network(entity: Entity) -> bool:
    """An update of what only this phone knows: its creation is still on its way, and every answer of it is in here too."""
    return bool(entity.branch_id) and entity.seen is None and not entity.trunk_version


def _operation(source: Source, form: RecordType, entity: Entity, kind: str, part: str, **more: Any) -> Values:
    return {
        "op_id": operation_id(source.community_id, source.instance_id, part), "type": form.name, "id": entity.record_id, "kind": kind,
        "base": None, "set": {}, "was": {}, "form_version": form.version, "claimed_at": source.claimed_at, **more,
    }  # fmt: skip


def _create(source: Source, form: RecordType, entity: Entity, place: int) -> Values:
    values = {
        name: value
        for name, answer in entity.answers.items()
        if name in form.fields and (value := value_of(form.fields[name], answer)) is not None
    }
    return _operation(source, form, entity, "create", f"{place}/create", set=values)


def _update(source: Source, form: RecordType, entity: Entity, shown: Shown, place: int) -> list[Values]:
    filled = entity.seen is not None or bool(entity.branch_id)
    touched: Values = {}
    for name, answer in entity.answers.items():
        spec = form.fields.get(name)
        if spec is None or same(spec, answer, text_of(spec, shown.values.get(name))):
            continue
        if not answer and not (filled and shown.known and _may_empty(spec)):
            continue
        touched[name] = change(spec, form.policy_of(form.unit_of_field(name)), answer, text_of(spec, shown.values.get(name)))
    made = []
    if touched:
        was = _was(form, shown, sorted({form.unit_of_field(name) for name in touched})) if shown.known else {}
        made.append(_operation(source, form, entity, "patch", f"{place}/patch", base=shown.base, set=touched, was=was))
    if entity.confirmed:
        stands = {form.unit_of_field(name) for name in entity.answers if shown.values.get(name) is not None}
        seen = sorted(stands - {form.unit_of_field(name) for name in touched})
        if seen:
            more = {"base": shown.base, "units": seen, "was": _was(form, shown, seen)}
            made.append(_operation(source, form, entity, "confirm", f"{place}/confirm", **more))
    return made


def _may_empty(spec: FieldSpec) -> bool:
    """Whether an empty answer empties the field. A choice out of a list may be empty because the phone lacks the list's row."""
    return spec.privacy != "secret" and spec.type != "ref" and not spec.required


def _was(form: RecordType, shown: Shown, units: list[str]) -> Values:
    """The values of these units as they were shown; secrets were not."""
    names = [name for unit in units for name in unit_fields(form, unit)]
    return {name: shown.values.get(name) for name in names if form.fields[name].privacy != "secret"}


def _shown(connection: Any, house: House, source: Source, form: RecordType, row: Any | None, entity: Entity) -> Shown:
    """What the questions were filled from. A version that the record never had: its values now, with a base that nobody knows."""
    if row is None:
        return Shown({}, None, True)
    now: Values = orjson.loads(row.fields)
    v = entity.seen[0] if entity.seen else entity.trunk_version if entity.branch_id else entity.base_version
    if v is None:
        if not entity.branch_id:
            return Shown(now, None, False)
        v, tag = 0, None  # made on this phone without a network: all that it saw of the record is its own
    else:
        tag = row.tag if v == row.v else store.tag_at(connection, source.community_id, row.id, v)
        if tag is None or (entity.seen is not None and entity.seen[1] != tag):
            return Shown(now, {"v": v, "tag": entity.seen[1] if entity.seen else "0" * 16}, False)
    base = {"v": v, "tag": tag} if v else None
    if v == row.v:
        return Shown(now, base, True)
    return Shown(_values_at(connection, house, source, form, row, v, now, own=bool(entity.branch_id)), base, True)


def _values_at(
    connection: Any, house: House, source: Source, form: RecordType, row: Any, v: int, now: Values, *, own: bool
) -> Values:
    """The fields of a record at a version; with ``own`` what this phone wrote since stands over them, as it does on the phone."""
    later = store.later_versions(connection, source.community_id, row.id, v)
    opened = open_sealed(connection, house, source.community_id, [(one.subject_id, one.sealed) for one in later])
    values, mine = dict(now), Values()
    for version, content in zip(reversed(later), reversed(opened), strict=True):
        previous = (content or {}).get("previous") or {}
        if own and version.install_id == source.install_id:
            for unit in orjson.loads(version.units):
                for name in unit_fields(form, unit):
                    mine.setdefault(name, values.get(name))
            for aside in ((content or {}).get("set_aside") or {}).values():
                for name, value in (aside or {}).items():
                    mine.setdefault(name, value)
        for unit in orjson.loads(version.units):
            for name in unit_fields(form, unit):
                values[name] = (previous.get(unit) or {}).get(name)
    return values | mine
