"""Deciding what waits: proposals confirmed or declined, quarantined work repaired or discarded."""

from __future__ import annotations

from typing import Any

import orjson
from flask import Blueprint, Response, request
from marshmallow import Schema, fields, validate

from server import auth
from server.api.body import read_json
from server.api.inbox import SIFTED, sieve_asked
from server.api.pages import COMMUNITY, PAGED, actor_in_community, page_limit
from server.openapi import describe
from server.services import deciding
from server.services.proposals import proposals

blueprint = Blueprint("decisions", __name__)

_TAG = "待办"

_RESULTS: dict[str, Any] = {
    "type": "object",
    "required": ["results"],
    "properties": {"results": {"type": "array", "items": {"type": "object"}}},
}
_PROBLEMS = ("not-found", "already-decided")


class CorrectionSchema(Schema):
    """Members of one operation that take the place of its own."""

    n = fields.Integer(strict=True, required=True, validate=validate.Range(min=1))
    set = fields.Dict(keys=fields.String(), metadata={"description": "laid over the present set; {remove: true} takes a field out"})
    arguments = fields.Dict(keys=fields.String())
    was = fields.Dict(keys=fields.String())
    operation = fields.Dict(keys=fields.String(), metadata={"description": "further members, or the whole operation"})


class RepairSchema(Schema):
    """The corrected operations of a quarantined group."""

    operations = fields.List(fields.Nested(CorrectionSchema), required=True, validate=validate.Length(max=2000), metadata={"description": "none: as it was sent"})


@blueprint.get("/api/v1/inbox/proposals")
@describe(zh="待确认的提议：谁提议、涉及哪些记录", en="Proposals: who proposes what, over which records; the most harmful first",
          tag=_TAG, query=SIFTED, response=PAGED, problems=("invalid-input", "not-found", "outside-your-scope"))  # fmt: skip
def list_proposals() -> Response:
    """Needs ``read_inbox`` over the whole community; titles of persons are written into the audit log."""
    actor, community_id = actor_in_community("read_inbox")
    look = auth.look(actor, "read", "inbox: proposals")
    cursor = request.args.get("next")
    sieve = sieve_asked(actor, community_id)
    return _json(proposals(auth.house(), auth.scope(actor), community_id, look, cursor=cursor, limit=page_limit(), sieve=sieve))


@blueprint.post("/api/v1/inbox/proposals/<install_id>/<int:n>/confirm")
@describe(zh="同意一项提议", en="Confirm a proposal: its group is decided now",
          tag=_TAG, query=COMMUNITY, response=_RESULTS, problems=_PROBLEMS)  # fmt: skip
def confirm_proposal(install_id: str, n: int) -> Response:
    """Needs ``decide_waiting``; journaled, and the phone that proposed is told."""
    actor, waiting = _waiting(install_id, n)
    return _answered(deciding.confirm(auth.house(), actor, waiting))


@blueprint.post("/api/v1/inbox/proposals/<install_id>/<int:n>/decline")
@describe(zh="不同意一项提议", en="Decline a proposal: nothing changes",
          tag=_TAG, query=COMMUNITY, response=_RESULTS, problems=_PROBLEMS)  # fmt: skip
def decline_proposal(install_id: str, n: int) -> Response:
    """Needs ``decide_waiting``; journaled, and the phone that proposed is told."""
    actor, waiting = _waiting(install_id, n)
    return _answered(deciding.decline(auth.house(), actor, waiting))


@blueprint.post("/api/v1/inbox/quarantine/<install_id>/<int:n>/repair")
@describe(zh="改正待核对的内容并重新提交", en="Repair a quarantined group: send it again with corrected operations",
          tag=_TAG, query=COMMUNITY, request=RepairSchema, response=_RESULTS,
          problems=(*_PROBLEMS, "invalid-input", "malformed-body"))  # fmt: skip
def repair_quarantined(install_id: str, n: int) -> Response:
    """Needs ``decide_waiting``; journaled, the phone is told, and what waits behind it goes on. A group with a move to another community is parted."""
    actor, waiting = _waiting(install_id, n)
    asked = RepairSchema().load(read_json(1_000_000))
    corrections = {one.pop("n"): {**one.pop("operation", {}), **one} for one in asked["operations"]}
    return _answered(deciding.repair(auth.house(), actor, waiting, corrections))


@blueprint.post("/api/v1/inbox/quarantine/<install_id>/<int:n>/discard")
@describe(zh="放弃待核对的内容", en="Discard a quarantined group: it stays in the journal and changes nothing",
          tag=_TAG, query=COMMUNITY, response=_RESULTS, problems=_PROBLEMS)  # fmt: skip
def discard_quarantined(install_id: str, n: int) -> Response:
    """Needs ``decide_waiting``; journaled, the phone is told, and what waits behind it goes on."""
    actor, waiting = _waiting(install_id, n)
    return _answered(deciding.discard(auth.house(), actor, waiting))


def _waiting(install_id: str, n: int) -> tuple[Any, deciding.Waiting]:
    actor, community_id = actor_in_community("decide_waiting")
    return actor, deciding.Waiting(community_id, install_id, n)


def _answered(results: list[dict[str, Any]]) -> Response:
    return _json({"results": results})


def _json(body: Any) -> Response:
    return Response(orjson.dumps(body), content_type="application/json")
