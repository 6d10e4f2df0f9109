"""What scripts written for ODK Central ask of us, in Central's words: projects, forms, filled forms, entities, app users.

Permissions, scopes and the audit log are those of everything else; writing goes through the one write path.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import orjson

from forms.odk_form import SEEN, audience_columns, property_of
from forms.odk_values import change, text_of, value_of
from server.errors import AlreadyDecided, InputError, InvalidInput, NotFound, OutsideScope
from server.house import House
from server.permissions import HOUSE, Actor, Scope, may
from server.services import accounts, enrolment, odk_access, odk_lists
from server.services.communities import list_communities
from server.services.labels import PERSONAL
from server.services.looks import Look, seen
from server.services.odk_forms import ReadyForm, ready_forms
from server.services.office_writes import write_group
from server.store import odk as store
from server.store.assignments import Community
from server.store.database import read, write
from server.store.installs import Install

Told = dict[str, Any]
PAGE = 500
REVIEWS = ("edited", "hasIssues", "rejected", "approved")
START = "2026-01-01T00:00:00.000Z"
"""When forms and lists say that they were made: they came with the program."""


def number_of(text: str) -> int:
    """A number for what has none here and needs one there; the same each time."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=6).digest(), "big")


# ---------------------------------------------------------------- projects and forms
def projects(house: House, actor: Actor) -> list[Told]:
    """The communities that the actor works for."""
    return [_project(one) for one in _communities(house, actor)]


def _project(community: Community) -> Told:
    return {
        "id": odk_access.project_number(community), "name": community.name, "description": None, "archived": None, "keyId": None,
        "createdAt": START, "updatedAt": None, "deletedAt": None,
    }  # fmt: skip


def _communities(house: House, actor: Actor) -> list[Community]:
    every = list_communities(house)
    if actor.community_id != HOUSE:
        return [one for one in every if one.community_id == actor.community_id]
    below = accounts.communities_below(house, actor)
    return [one for one in every if may(actor, "read_reference", community_id=one.community_id, communities_below=below)]


def project(house: House, actor: Actor, number: str) -> Told:
    """One project. Raises NotFound."""
    return _project(community_of(house, actor, number))


def community_of(house: House, actor: Actor, number: str) -> Community:
    """The community of a project number, among those that the actor works for. Raises NotFound."""
    for one in _communities(house, actor):
        if number in (str(odk_access.project_number(one)), one.community_id):
            return one
    raise NotFound("no such project")


def forms(house: House, community: Community) -> list[Told]:
    """The forms of a project: the same in each."""
    return [_form(one, community) for one in ready_forms(house.registry).values()]


def form(house: House, community: Community, form_id: str) -> Told:
    """One form. Raises NotFound."""
    return _form(ready(house, form_id), community)


def ready(house: House, form_id: str) -> ReadyForm:
    """A form with its XML. Raises NotFound."""
    found = ready_forms(house.registry).get(form_id)
    if found is None:
        raise NotFound("no such form")
    return found


def _form(one: ReadyForm, community: Community) -> Told:
    return {
        "projectId": odk_access.project_number(community), "xmlFormId": one.form.form_id, "name": one.form.title, "version": one.form.version,
        "hash": one.md5, "state": "open", "enketoId": None, "keyId": None, "createdAt": START, "updatedAt": None, "publishedAt": START,
    }  # fmt: skip


# ---------------------------------------------------------------- filled forms
def submissions(house: House, community: Community, form_id: str, *, limit: int = PAGE, offset: int = 0) -> list[Told]:
    """Filled forms, the newest first: who, when, from which phone; no answers."""
    ready(house, form_id)
    with read(house.engine) as connection:
        return [_submission(row) for row in store.submissions(connection, community.community_id, form_id, limit=limit, offset=offset)]


def submission(house: House, community: Community, form_id: str, instance_id: str) -> Told:
    """One filled form. Raises NotFound."""
    return _submission(_row(house, community, form_id, instance_id))


def _row(house: House, community: Community, form_id: str, instance_id: str) -> Any:
    with read(house.engine) as connection:
        row = store.submission_of(connection, community.community_id, instance_id)
    if row is None or row.form_id != form_id:
        raise NotFound("no such submission")
    return row


def _submission(row: Any) -> Told:
    return {
        "instanceId": row.instance_id, "submitterId": number_of(row.install_id), "deviceId": row.device_id, "userAgent": row.user_agent,
        "reviewState": row.review_state, "instanceName": None, "createdAt": row.arrived_at, "updatedAt": None,
    }  # fmt: skip


def review(house: House, community: Community, form_id: str, instance_id: str, state: str) -> Told:
    """Say what one made of a filled form; it changes no record."""
    if state not in REVIEWS:
        raise InvalidInput(errors=[InputError("/reviewState", "choice", "one of " + ", ".join(REVIEWS))])
    _row(house, community, form_id, instance_id)
    with write(house.engine) as connection:
        store.set_review(connection, community.community_id, instance_id, state)
    return submission(house, community, form_id, instance_id)


def submission_table(
    house: House, scope: Scope, community: Community, form_id: str, look: Look, *, limit: int = PAGE, offset: int = 0
) -> Told:
    """Filled forms as an OData table: each with the records that it wrote, as they are now and as far as the scope sees them."""
    where = community.community_id
    ready(house, form_id)
    with read(house.engine) as connection:
        rows = store.submissions(connection, where, form_id, limit=limit, offset=offset)
        count = store.submission_counts(connection, where).get(form_id, (0, ""))[0]
        wrote = {row.instance_id: store.written_by(connection, where, row.install_id, row.first_n, row.count) for row in rows}
        ids = sorted({one.record_id for found in wrote.values() for one in found if one.record_id})
        records = {record_id: (kind, v, values) for record_id, kind, v, _, values in store.listed_among(connection, scope, where, ids)}
    told, personal = [], set()
    for row in rows:
        written = []
        for one in wrote[row.instance_id]:
            said: Told = {"record": one.record_id, "type": one.record_type, "operation": one.kind, "outcome": one.now}
            if one.record_id in records:
                kind, v, values = records[one.record_id]
                specs = [spec for spec in house.registry.latest(kind).fields.values() if scope.fields == "all" or spec.privacy not in PERSONAL]
                said |= {"version": v} | {spec.name: text_of(spec, values.get(spec.name)) for spec in specs if spec.privacy != "secret"}
                personal |= {f"{kind}.{spec.name}" for spec in specs if spec.privacy in PERSONAL}
            written.append(said)
        told.append({
            "__id": row.instance_id,
            "__system": {
                "submissionDate": row.arrived_at, "updatedAt": None, "submitterId": str(number_of(row.install_id)), "submitterName": None,
                "attachmentsPresent": 0, "attachmentsExpected": 0, "status": None, "reviewState": row.review_state, "deviceId": row.device_id,
                "edits": 0, "formVersion": row.form_version,
            },
            **orjson.loads(row.metadata),
            "records": written,
        })  # fmt: skip
    seen(house, look, scope, where, fields=sorted(personal), count=len(records), where=f"odk submissions={form_id}")
    return {"value": told, "@odata.count": count}


# ---------------------------------------------------------------- entities
def datasets(house: House, scope: Scope, community: Community) -> list[Told]:
    """The entity lists of a project."""
    from forms.odk_form import entity_lists

    return [dataset(house, scope, community, kind) for kind in entity_lists(house.registry)]


def dataset(house: House, scope: Scope, community: Community, kind: str) -> Told:
    """One entity list with its properties. Raises NotFound."""
    number = odk_access.project_number(community)
    properties = [
        {"name": property_of(spec.name), "odataName": property_of(spec.name), "publishedAt": START, "forms": []}
        for spec in odk_lists.list_fields(house, kind, scope)
    ]
    return {"name": kind, "projectId": number, "createdAt": START, "approvalRequired": False, "properties": properties}


def entity_table(house: House, actor: Actor, scope: Scope, community: Community, kind: str, look: Look, *, limit: int, offset: int) -> Told:
    """Entities as an OData table, within the scope."""
    rows = odk_lists.entity_rows(house, replace(actor, community_id=community.community_id), scope, kind, look)
    with read(house.engine) as connection:
        page = rows[offset : offset + limit]
        times = store.record_times(connection, community.community_id, [row["name"] for row in page])
    value = [
        {"__id": row["name"], "label": row["label"]}
        | {key: text for key, text in row.items() if key not in ("name", "label", "__version", SEEN) and key not in audience_columns(house.registry, kind)}
        | {"__system": {"createdAt": times[row["name"]][0], "updatedAt": times[row["name"]][1], "creatorId": "0", "creatorName": None,
                        "updates": int(row["__version"]) - 1, "version": int(row["__version"]), "conflict": None}}
        for row in page
    ]  # fmt: skip
    return {"value": value, "@odata.count": len(rows)}


def entities(house: House, actor: Actor, scope: Scope, community: Community, kind: str, look: Look) -> list[Told]:
    """All entities of a list within the scope, without their properties."""
    return [_entity(one) for one in entity_table(house, actor, scope, community, kind, look, limit=10**9, offset=0)["value"]]


def _entity(row: Told, data: Mapping[str, str] | None = None) -> Told:
    times = row["__system"]
    version = {
        "label": row["label"], "current": True, "createdAt": times["updatedAt"], "creatorId": 0, "userAgent": "", "version": times["version"],
        "baseVersion": times["version"] - 1 or None, "conflictingProperties": None,
    } | ({"data": dict(data)} if data is not None else {})  # fmt: skip
    return {
        "uuid": row["__id"], "creatorId": 0, "conflict": None, "createdAt": times["createdAt"], "updatedAt": times["updatedAt"],
        "deletedAt": None, "currentVersion": version,
    }  # fmt: skip


def create_entities(house: House, actor: Actor, scope: Scope, kind: str, given: Sequence[Mapping[str, Any]], look: Look, community: Community) -> list[Told]:
    """New records, all of them or none. ``given``: ``uuid`` (made here where it is missing), ``data`` by property; the label follows from the data."""
    form = house.registry.latest(kind)
    operations = []
    for place, one in enumerate(given):
        values = _values(house, kind, scope, one.get("data") or {}, f"/entities/{place}/data")
        record_id = str(one.get("uuid") or house.new_id()).lower()
        kept = {name: value for name, text in values.items() if (value := value_of(form.fields[name], text)) is not None}
        operations.append({"type": kind, "id": record_id, "kind": "create", "set": kept, "was": {}, "base": None})
    _write(house, actor, scope, operations)
    return _entities_now(house, actor, scope, community, kind, [str(one["id"]) for one in operations], look)


def update_entity(
    house: House, actor: Actor, scope: Scope, community: Community, kind: str, record_id: str, data: Mapping[str, Any], *,
    base_version: int | None, look: Look,
) -> Told:  # fmt: skip
    """Change properties of a record.

    Raises
    ------
    AlreadyDecided
        The record is at another version than ``base_version``; None (``force``) takes whatever it is at.
    """
    form = house.registry.latest(kind)
    _, v, tag, fields = _current(house, scope, community, kind, record_id)
    if base_version is not None and base_version != v:
        raise AlreadyDecided("the entity is at another version", errors=[InputError("/baseVersion", "version", f"it is at {v}")])
    values = _values(house, kind, scope, data, "/data")
    changed = {
        name: change(form.fields[name], form.policy_of(form.unit_of_field(name)), text, text_of(form.fields[name], fields.get(name)))
        for name, text in values.items() if text != text_of(form.fields[name], fields.get(name))
    }  # fmt: skip
    if changed:
        was = {name: fields.get(name) for name in changed}
        _write(house, actor, scope, [
            {"type": kind, "id": record_id, "kind": "patch", "set": changed, "was": was, "base": {"v": v, "tag": tag}}
        ])  # fmt: skip
    return _entities_now(house, actor, scope, community, kind, [record_id], look)[0]


def delete_entity(house: House, actor: Actor, scope: Scope, community: Community, kind: str, record_id: str) -> None:
    """Delete a record; it can be restored at the console."""
    _, v, tag, _ = _current(house, scope, community, kind, record_id)
    _write(house, actor, scope, [{"type": kind, "id": record_id, "kind": "delete", "base": {"v": v, "tag": tag}}])


def _current(house: House, scope: Scope, community: Community, kind: str, record_id: str) -> tuple[str, int, str, Mapping[str, Any]]:
    odk_lists.list_fields(house, kind, scope)
    with read(house.engine) as connection:
        found = store.listed_among(connection, scope, community.community_id, [record_id])
    if not found or found[0][1] != kind:
        raise NotFound("no such entity within your scope")
    return found[0][1], found[0][2], found[0][3], found[0][4]


def _values(house: House, kind: str, scope: Scope, data: Mapping[str, Any], pointer: str) -> dict[str, str]:
    named = {property_of(spec.name): spec.name for spec in odk_lists.list_fields(house, kind, scope)}
    wrong = [InputError(f"{pointer}/{name}", "unknown_property", "the list has no such property") for name in data if name not in named]
    wrong += [
        InputError(f"{pointer}/{name}", "not_text", "text is expected") for name, value in data.items() if not isinstance(value, str | None)
    ]
    if wrong:
        raise InvalidInput("nothing was written", errors=wrong)
    return {named[name]: value or "" for name, value in data.items()}


def _write(house: House, actor: Actor, scope: Scope, operations: Sequence[Mapping[str, Any]]) -> None:
    if actor.community_id == HOUSE:
        raise OutsideScope("records are written by people of the community")
    results = write_group(house, actor, scope, operations)["results"]
    wrong = [one for one in results if one["now"]["outcome"] in ("quarantined", "held", "conflict")]
    if wrong:
        reasons = [InputError("", str(one["now"]["reason"] or one["now"]["outcome"]), "waits in the inbox") for one in wrong]
        raise AlreadyDecided("it was kept, but not written through", errors=reasons)


def _entities_now(house: House, actor: Actor, scope: Scope, community: Community, kind: str, ids: Sequence[str], look: Look) -> list[Told]:
    table = entity_table(house, actor, scope, community, kind, look, limit=10**9, offset=0)["value"]
    rows = {row["__id"]: row for row in table if row["__id"] in ids}
    hidden = {"__id", "label", "__system"}
    return [_entity(rows[one], {key: text for key, text in rows[one].items() if key not in hidden and text}) for one in ids if one in rows]


# ---------------------------------------------------------------- app users
def app_users(house: House, actor: Actor, community: Community) -> list[Told]:
    """Addresses for Collect; of a revoked one the token is None, as in Central."""
    return [_app_user(house, one, community) for one in odk_access.app_users(house, actor, community.community_id)]


def _app_user(house: House, one: Install, community: Community) -> Told:
    return {
        "projectId": odk_access.project_number(community), "id": number_of(one.install_id), "type": "field_key",
        "displayName": one.label.removeprefix("ODK").strip() or str(one.user_name or one.install_id),
        "token": None if one.revoked_at else odk_access.token_of(house, one), "createdAt": one.enrolled_at, "updatedAt": None, "deletedAt": None,
    }  # fmt: skip


def create_app_user(house: House, actor: Actor, community: Community, display_name: str, request_id: str) -> Told:
    """An address for the worker whose login name is ``display_name``: here nobody writes without being somebody."""
    login = display_name.strip().lower()
    user = next((one for one in accounts.list_users(house, actor) if one.login == login and one.community_id == community.community_id), None)
    if user is None or user.closed_at is not None:
        raise InvalidInput(errors=[InputError("/displayName", "unknown_user", "the login name of a worker of this community is expected")])
    made = odk_access.create(house, actor, user.user_id, label=login, community_id=community.community_id, request_id=request_id)
    return _app_user(house, made, community)


def revoke_app_user(house: House, actor: Actor, community: Community, number: int, request_id: str) -> None:
    """Take an address back. Raises NotFound."""
    for one in odk_access.app_users(house, actor, community.community_id):
        if number_of(one.install_id) == number:
            enrolment.revoke_install(
                house, actor, one.install_id, reason="retired", community_id=community.community_id, request_id=request_id
            )
            return
    raise NotFound("no such app user")
