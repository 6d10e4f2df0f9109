"""Conflicts settled many at once, handed over, and told to phones so that they can be settled at the door."""

from __future__ import annotations

from typing import Any

import orjson
from flask import Blueprint, Response
from marshmallow import Schema, fields, validate

from server import auth
from server.api.body import read_json
from server.api.pages import COMMUNITY, actor_in_community
from server.errors import InputError, InvalidInput
from server.openapi import describe
from server.services import settling
from server.services.asked import asked_for_phone
from server.services.handing import hand_on
from server.store.handed import DOUBTFUL, DUPLICATE, NO_CELL

blueprint = Blueprint("settling", __name__)

MOST_RECORDS = 1000


class SettleManySchema(Schema):
    """Which conflicts, and which value to take in each."""

    choose = fields.String(required=True, validate=validate.OneOf(settling.CHOICES))
    conflict_ids = fields.List(fields.String(), validate=validate.Length(min=1, max=settling.MOST))
    record_type = fields.String()
    unit = fields.String()
    purpose = fields.String(validate=validate.Length(max=120))


class DelegateSchema(Schema):
    """Whom to ask; null takes the question back."""

    user_id = fields.String(required=True, allow_none=True)


@blueprint.post("/api/v1/inbox/conflicts/resolve")
@describe(
    zh="批量解决不一致：按条件选现用的、另存的、最新的、我的或对方的",
    en="Settle many conflicts: of those that fit, take the standing, waiting, newest, own or other value",
    tag="待办", request=SettleManySchema, query=COMMUNITY,
    response={"type": "object", "required": ["settled", "skipped", "more"]}, problems=("invalid-input", "malformed-body"),
)  # fmt: skip
def settle_many() -> Response:
    """Needs ``resolve_conflicts``; each is an operation of its own, journaled like every other write."""
    actor, community_id = actor_in_community("resolve_conflicts")
    asked = SettleManySchema().load(read_json(256_000))
    look = auth.look(actor, "change", asked.get("purpose") or "inbox: resolve many")
    ids = asked.get("conflict_ids")
    which = settling.Which(tuple(ids) if ids is not None else None, asked.get("record_type"), asked.get("unit"))
    return _json(settling.settle_many(auth.house(), actor, auth.scope(actor), community_id, look, which, asked["choose"]))


@blueprint.post("/api/v1/inbox/conflicts/<conflict_id>/delegate")
@describe(zh="把一处不一致交给能上门核实的人", en="Hand a conflict to whoever can answer it at the door",
          tag="待办", request=DelegateSchema, query=COMMUNITY, response={"type": "object"},
          problems=("not-found", "invalid-input", "malformed-body"))  # fmt: skip
def delegate_conflict(conflict_id: str) -> Response:
    """Needs ``resolve_conflicts``."""
    actor, community_id = actor_in_community("resolve_conflicts")
    asked = DelegateSchema().load(read_json(10_000))
    look = auth.look(actor, "change", "inbox: delegate")
    made = settling.delegate(auth.house(), actor, auth.scope(actor), community_id, conflict_id, look, user_id=asked["user_id"])
    return _json(made)


@blueprint.post("/api/v1/inbox/findings/<finding_id>/delegate")
@describe(zh="把一条疑点交给能上门核实的人", en="Hand a finding to whoever can see to it",
          tag="待办", request=DelegateSchema, query=COMMUNITY, response={"type": "object"},
          problems=("not-found", "invalid-input", "malformed-body"))  # fmt: skip
def delegate_finding(finding_id: str) -> Response:
    """Needs ``resolve_conflicts``."""
    return _handed(finding_id=finding_id)


@blueprint.post("/api/v1/inbox/findings/<finding_id>/noticed")
@describe(zh="知道了：一条不属于任何记录的疑点就此了结", en="Take note of a finding about no record: it is over",
          tag="待办", query=COMMUNITY, response={"type": "object"}, problems=("not-found",))  # fmt: skip
def note_finding(finding_id: str) -> Response:
    """Needs ``decide_waiting``. What is found about a record ends with the record's own facts, never like this."""
    actor, community_id = actor_in_community("decide_waiting")
    look = auth.look(actor, "change", "inbox: noticed")
    return _json(settling.take_note(auth.house(), auth.scope(actor), community_id, finding_id, look))


@blueprint.post("/api/v1/inbox/operations/<install_id>/<int:n>/delegate")
@describe(zh="把一条待核对、等另一条的内容或提议交给能上门核实的人", en="Hand quarantined or held work, or a proposal, to whoever can see to it",
          tag="待办", request=DelegateSchema, query=COMMUNITY, response={"type": "object"},
          problems=("not-found", "invalid-input", "malformed-body"))  # fmt: skip
def delegate_operation(install_id: str, n: int) -> Response:
    """Needs ``resolve_conflicts``. Who was asked may look into it; deciding still needs ``decide_waiting``."""
    return _handed(operation=(install_id, n))


@blueprint.post("/api/v1/inbox/duplicates/<first>/<second>/delegate")
@describe(zh="把一对疑似重复的人交给能上门核实的人", en="Hand two who may be one to whoever can ask at the door",
          tag="待办", request=DelegateSchema, query=COMMUNITY, response={"type": "object"},
          problems=("not-found", "invalid-input", "malformed-body"))  # fmt: skip
def delegate_duplicate(first: str, second: str) -> Response:
    """Needs ``resolve_conflicts``. Whoever of the two the asked one sees is asked about."""
    return _handed_on(DUPLICATE, first, second)


@blueprint.post("/api/v1/inbox/unplaced/<record_id>/delegate")
@describe(zh="把一条未归格的记录交给能上门核实的人", en="Hand a record in no cell to whoever can find out where it is",
          tag="待办", request=DelegateSchema, query=COMMUNITY, response={"type": "object"},
          problems=("not-found", "invalid-input", "malformed-body"))  # fmt: skip
def delegate_unplaced(record_id: str) -> Response:
    """Needs ``resolve_conflicts``. What is in no cell is seen by who sees the whole community, and by who wrote it."""
    return _handed_on(NO_CELL, record_id)


@blueprint.post("/api/v1/inbox/placements/<record_id>/delegate")
@describe(zh="把一处待确认的归格交给能上门核实的人", en="Hand a doubtful place to whoever can look there",
          tag="待办", request=DelegateSchema, query=COMMUNITY, response={"type": "object"},
          problems=("not-found", "invalid-input", "malformed-body"))  # fmt: skip
def delegate_placement(record_id: str) -> Response:
    """Needs ``resolve_conflicts``."""
    return _handed_on(DOUBTFUL, record_id)


def _handed_on(kind: str, record_id: str, other: str | None = None) -> Response:
    actor, community_id = actor_in_community("resolve_conflicts")
    asked = DelegateSchema().load(read_json(10_000))
    look = auth.look(actor, "change", "inbox: delegate")
    return _json(hand_on(auth.house(), auth.scope(actor), community_id, look, kind, record_id, other, user_id=asked["user_id"]))


def _handed(**which: Any) -> Response:
    actor, community_id = actor_in_community("resolve_conflicts")
    asked = DelegateSchema().load(read_json(10_000))
    look = auth.look(actor, "change", "inbox: delegate")
    scope = auth.scope(actor)
    return _json(settling.delegate_waiting(auth.house(), actor, scope, community_id, look, user_id=asked["user_id"], **which))


@blueprint.post("/api/v1/sync/disputes")
@describe(
    zh="手机上的不一致：并列的各个值",
    en="The values that stand side by side in the conflicts of records that a phone holds",
    tag="同步", auth="device",
    request={
        "type": "object",
        "required": ["protocol", "install_id", "records"],
        "properties": {
            "protocol": {"const": 1},
            "install_id": {"type": "string"},
            "records": {"type": "array", "maxItems": MOST_RECORDS, "items": {"type": "string"}},
        },
    },
    response={"type": "object", "required": ["disputes"]},
    problems=("malformed-body", "invalid-input"),
)  # fmt: skip
def list_disputes() -> Response:
    """Secret fields are masked; records outside the install's scope are left out."""
    actor = auth.device()
    auth.demand(actor, "sync")
    body = read_json(256_000)
    records = body.get("records")
    if body.get("protocol") != 1 or body.get("install_id") != actor.install_id:
        raise _wrong("/install_id", "protocol 1 and the install of this token")
    if not isinstance(records, list) or len(records) > MOST_RECORDS or not all(isinstance(one, str) for one in records):
        raise _wrong("/records", f"at most {MOST_RECORDS} record ids")
    look = auth.look(actor, "read", "sync: disputes")
    found = settling.disputes_for_phone(auth.house(), auth.scope(actor), actor.community_id, look, records)
    return _json({"disputes": found})


@blueprint.post("/api/v1/sync/asked")
@describe(
    zh="请这位工作人员上门核实的事项",
    en="What the office has asked the user of this phone to see to at the door",
    tag="同步", auth="device",
    request={
        "type": "object",
        "required": ["protocol", "install_id"],
        "properties": {"protocol": {"const": 1}, "install_id": {"type": "string"}},
    },
    response={"type": "object", "required": ["mark", "asked"]},
    problems=("malformed-body", "invalid-input"),
)  # fmt: skip
def list_asked() -> Response:
    """All of it every time, within the install's scope; ``mark`` is what a complete page of a pull says in ``asked``."""
    actor = auth.device()
    auth.demand(actor, "sync")
    body = read_json(10_000)
    if body.get("protocol") != 1 or body.get("install_id") != actor.install_id:
        raise _wrong("/install_id", "protocol 1 and the install of this token")
    return _json(asked_for_phone(auth.house(), actor.community_id, actor.user_id, actor.role, auth.scope(actor)))


def _wrong(pointer: str, expected: str) -> InvalidInput:
    return InvalidInput(errors=[InputError(pointer, "envelope", f"expected: {expected}")])


def _json(body: Any) -> Response:
    return Response(orjson.dumps(body), content_type="application/json")
