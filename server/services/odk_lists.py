"""Entity lists: the records of a worker's cells as ODK Collect reads them, one CSV for each record type."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from forms.definition import FieldSpec, RecordType
from forms.odk_form import SEEN, audience_columns, entity_lists, listed_fields, property_of
from forms.odk_values import text_of
from forms.survey import is_asked, subject_field, subject_of
from server.errors import NotFound
from server.house import House
from server.permissions import Actor, Scope
from server.services.accounts import today
from server.services.labels import PERSONAL, title_of
from server.services.looks import Look, seen
from server.services.reference import registry_tag
from server.store import odk as store
from server.store import surveys
from server.store.database import read

MOST_IDS = 2_000
_PARENTS = {
    "person": ("person", "household", "dwelling", "entrance", "building"),
    "household": ("person", "household", "dwelling", "entrance", "building"),
    "dwelling": ("dwelling", "entrance", "building"),
    "entrance": ("entrance", "building"),
}
"""What the name of a record on a list is put together from."""

Rows = list[dict[str, str]]


def list_tag(house: House, actor: Actor, scope: Scope) -> str:
    """32 hex digits that change whenever a record of the worker's cells is made, changed, deleted or moved, or the cells change."""
    with read(house.engine) as connection:
        told = store.counters(connection, actor.community_id, scope.streams)
    streams = "*" if scope.streams is None else ",".join(sorted(scope.streams))
    known = f"{registry_tag(house.registry)}\n{streams}\n{told}"
    if any(house.registry.latest(name).audience is not None for name in house.registry.surveys):
        known += f"\n{today(house)}"  # ages change without a write
    return hashlib.md5(known.encode(), usedforsecurity=False).hexdigest()


def entity_csv(house: House, actor: Actor, scope: Scope, kind: str, look: Look) -> bytes:
    """The list of one record type as CSV: ``name`` (id), ``label``, ``__version``, then a column for each field.

    Raises
    ------
    NotFound
        No form uses a list of this name.
    """
    rows = entity_rows(house, actor, scope, kind, look)
    columns = list_columns(house, kind, scope)
    target = io.StringIO()
    writer = csv.DictWriter(target, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return target.getvalue().encode()


def list_fields(house: House, kind: str, scope: Scope) -> list[FieldSpec]:
    """The fields of a list that a scope may see. Raises NotFound."""
    if kind not in entity_lists(house.registry):
        raise NotFound("there is no such list")
    fields = listed_fields(house.registry.latest(kind))
    return fields if scope.fields == "all" else [spec for spec in fields if spec.privacy not in PERSONAL]


def list_columns(house: House, kind: str, scope: Scope) -> list[str]:
    """The columns of a list. Raises NotFound."""
    fields = [property_of(spec.name) for spec in list_fields(house, kind, scope)]
    return ["name", "label", "__version", SEEN, *fields, *(audience_columns(house.registry, kind) if scope.fields == "all" else ())]


def entity_rows(house: House, actor: Actor, scope: Scope, kind: str, look: Look) -> Rows:
    """The rows of a list by column. The look is in the audit log before they are given (L11)."""
    fields = list_fields(house, kind, scope)
    with read(house.engine) as connection:
        found = store.listed(connection, scope, actor.community_id, _PARENTS.get(kind, (kind,)))
        asking = audience_columns(house.registry, kind) if scope.fields == "all" else {}
        answered = {name: _answered(connection, scope, actor.community_id, survey) for name, survey in asking.items()}
    day = date.fromisoformat(today(house))
    by_id = {record_id: (other, values) for record_id, other, _, _, values in found}
    rows = [
        {"name": record_id, "label": label_of(house, by_id, record_id), "__version": str(v), SEEN: f"{v}-{tag}"}
        | {property_of(spec.name): text_of(spec, values.get(spec.name)) for spec in fields}
        | {
            name: "true" if record_id in answered[name] or _is_asked(survey, values, day) else "false" for name, survey in asking.items()
        }
        for record_id, other, v, tag, values in found
        if other == kind
    ]
    personal = [spec.name for spec in fields if spec.privacy in PERSONAL] if rows else []
    if personal and kind in ("household", "person"):
        personal.append("person.name")
    seen(house, look, scope, actor.community_id, fields=personal, count=len(rows), where=f"odk={kind}", record_type=kind)
    return rows


def asked_nobody(house: House, actor: Actor, scope: Scope) -> frozenset[str]:
    """Open surveys with an audience to which nobody of the worker's cells belongs: their forms are not on the worker's list."""
    nobody = set()
    day = date.fromisoformat(today(house))
    with read(house.engine) as connection:
        for name in house.registry.surveys:
            survey = house.registry.latest(name)
            if survey.audience is None or name in house.registry.closed or _answered(connection, scope, actor.community_id, survey):
                continue
            there = surveys.subjects(connection, scope, actor.community_id, subject_of(survey))
            if not any(is_asked(survey, fields, day) for _, fields in there):
                nobody.add(name)
    return frozenset(nobody)


def _is_asked(survey: RecordType, values: Mapping[str, Any], day: date) -> bool:
    """As `store.surveys.subjects` has them: of persons those who live somewhere."""
    lives = values.get("residence_household") is not None and values.get("vital_status") != "deceased"
    return (lives or subject_of(survey) != "person") and is_asked(survey, values, day)


def _answered(connection: Any, scope: Scope, community_id: str, survey: RecordType) -> set[str]:
    """Whom an answer is about already: an answer that is opened again keeps its own."""
    about = subject_field(survey) or ""
    return {fields[about] for _, fields in surveys.answers(connection, scope, community_id, survey.name) if fields.get(about)}


def label_of(house: House, records: Mapping[str, tuple[str, Mapping[str, Any]]], record_id: str) -> str:
    """What a record is called on the phone: a person with their door, a household with its head."""
    kind, fields = records[record_id]
    title = title_of(house.registry.latest(kind), dict(fields), personal=True)[0] or ""
    if kind == "building":
        name, number = fields.get("name"), fields.get("number")
        title = str(name or (f"{number}幢" if number else title))
    elif kind == "entrance":
        title = _joined([_ref(house, records, fields, "building"), title])
    elif kind == "dwelling":
        place = _ref(house, records, fields, "entrance") or _ref(house, records, fields, "building")
        title = _joined([place, str(fields.get("door_number") or title)])
    elif kind == "household":
        head = records.get(str(fields.get("head")), ("", {}))[1].get("name")
        title = _joined([_ref(house, records, fields, "dwelling"), str(head or "")], " · ")
    elif kind == "person":
        home = records.get(str(fields.get("residence_household")), ("", {}))[1]
        title = _joined([title, _ref(house, records, home, "dwelling")], " · ")
    return title or f"{house.registry.latest(kind).label['zh']} {record_id[-6:]}"


def _ref(house: House, records: Mapping[str, tuple[str, Mapping[str, Any]]], fields: Mapping[str, Any], name: str) -> str:
    target = fields.get(name)
    return label_of(house, records, target) if isinstance(target, str) and target in records else ""


def _joined(parts: Sequence[str], by: str = "-") -> str:
    return by.join(part for part in parts if part)


def integrity(house: House, actor: Actor, scope: Scope, kind: str, ids: Sequence[str]) -> list[tuple[str, bool]]:
    """(id, gone) of records that a phone has and the list does not: gone are those deleted, or not the worker's any more.

    What this house does not know may still be on its way, and is not gone.
    """
    list_fields(house, kind, scope)
    asked = list(dict.fromkeys(one for one in ids if one))[:MOST_IDS]
    with read(house.engine) as connection:
        there = store.known(connection, actor.community_id, asked)
        mine = store.seen_ids(connection, scope, actor.community_id, asked)
    return [(one, one in there and one not in mine) for one in asked]
