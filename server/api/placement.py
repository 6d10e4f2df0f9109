"""Why a record stands where it stands, the queue of doubtful places, and deciding them."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, request
from marshmallow import Schema, fields, validate

from server import auth
from server.api.answers import json_answer
from server.api.body import read_json
from server.api.pages import COMMUNITY, PAGE, PAGED, actor_in_community, page_limit
from server.api.shapes import MAX_BODY
from server.errors import InputError, InvalidInput
from server.openapi import describe
from server.services import placement

blueprint = Blueprint("placement", __name__)

_TAG = "归格"
_CELL: dict[str, Any] = {
    "type": ["object", "null"],
    "properties": {"cell_id": {"type": "string"}, "code": {"type": "string"}, "name": {"type": "string"}},
}
_PLACEMENT: dict[str, Any] = {
    "type": "object",
    "required": ["record", "home", "decision", "chain", "candidates", "needs_confirmation", "history", "zh", "en"],
    "properties": {
        "as_of": {"type": "string", "format": "date-time"},
        "record": {"type": "object"},
        "home": _CELL,
        "dedicated": _CELL,
        "edition_id": {"type": ["string", "null"]},
        "decision": {"enum": ["inside", "tie_rule", "outside", "unlocated", "pinned"]},
        "chain": {"type": "array", "items": {"type": "object"}, "description": "from the record to the one that decides"},
        "location": {"type": ["object", "null"]},
        "candidates": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "cell": _CELL,
                    "probability": {"type": "number"},
                    "distance_m": {"type": ["number", "null"], "description": "0: the fix lies in it; null: there is no fix"},
                },
            },
        },
        "nearest": {"type": ["object", "null"]},
        "datum_suspect": {"type": "array", "items": {"type": "string"}},
        "pin": {"type": ["object", "null"], "description": "reason and by only for readers of personal fields"},
        "needs_confirmation": {"type": "boolean"},
        "history": {"type": "array", "items": {"type": "object"}},
        "zh": {"type": "string", "description": "一句话说明 / the whole in a sentence"},
        "en": {"type": "string"},
    },
}
_RESULT: dict[str, Any] = {
    "type": "object",
    "required": ["result", "placement"],
    "properties": {"result": {"type": "object", "description": "as a push answers it"}, "placement": _PLACEMENT},
}
_PROBLEMS = ("malformed-body", "invalid-input", "not-found", "busy")


class BaseSchema(Schema):
    """A version of a record."""

    v = fields.Integer(strict=True, required=True)
    tag = fields.String(required=True)


class PinSchema(Schema):
    """In which cell the record stands, and why."""

    cell = fields.String(required=True, metadata={"description": "id or code of a cell in force"})
    reason = fields.String(
        load_default="",
        validate=validate.Length(max=placement.LONGEST_REASON),
        metadata={"description": "required of a secretary; no personal details"},
    )
    base = fields.Nested(BaseSchema, metadata={"description": "v and tag that were on the screen"})


class HolderSchema(Schema):
    """What the record stands in."""

    set = fields.Dict(
        keys=fields.String(), values=fields.String(), required=True,
        metadata={"description": "placing fields: {building: id} of a dwelling, {dwelling: id} of a household …"},
    )  # fmt: skip
    base = fields.Nested(BaseSchema)


@blueprint.get("/api/v1/records/<kind>/<record_id>/placement")
@describe(
    zh="为什么归在这个网格：依据、误差、候选网格、历次变动",
    en="Why a record stands in its cell: what decides, how certain it is, which cells it could be, where it has been",
    tag=_TAG,
    query=COMMUNITY,
    response=_PLACEMENT,
    problems=("not-found",),
)
def show_placement(kind: str, record_id: str) -> Response:
    """Needs ``read_records``."""
    actor, community_id = actor_in_community("read_records")
    look = auth.look(actor, "read", "placement of a record")
    return json_answer(placement.explain(auth.house(), auth.scope(actor), community_id, kind, record_id, look))


@blueprint.post("/api/v1/records/<kind>/<record_id>/placement/pin")
@describe(
    zh="指定网格（书记，须写理由）或确认候选网格",
    en="Pin a record to a cell (a secretary, with a reason), or confirm one of its candidates",
    tag=_TAG,
    query=COMMUNITY,
    request=PinSchema,
    response=_RESULT,
    problems=_PROBLEMS,
    more="A pin beats geometry until an edition leaves no single successor of its cell that fits; then the record is asked "
    "about again. Everything that stands in the record moves along.",
)
def pin_record(kind: str, record_id: str) -> Response:
    """Needs ``write_records``; any cell in force for a secretary, candidates for others."""
    actor, community_id = actor_in_community("write_records")
    asked = PinSchema().load(read_json(MAX_BODY))
    result = placement.pin(
        auth.house(), actor, auth.scope(actor), community_id, kind, record_id, cell=asked["cell"],
        reason=asked["reason"], base=asked.get("base"),
    )  # fmt: skip
    return _answer(actor, community_id, kind, record_id, result)


@blueprint.delete("/api/v1/records/<kind>/<record_id>/placement/pin")
@describe(
    zh="取消指定，重新按位置归格",
    en="Take a pin away: geometry decides again",
    tag=_TAG,
    query=COMMUNITY,
    response=_RESULT,
    problems=("invalid-input", "not-found", "busy"),
)
def unpin_record(kind: str, record_id: str) -> Response:
    """Needs ``write_records``, and the role of a secretary."""
    actor, community_id = actor_in_community("write_records")
    result = placement.pin(auth.house(), actor, auth.scope(actor), community_id, kind, record_id, cell=None)
    return _answer(actor, community_id, kind, record_id, result)


@blueprint.post("/api/v1/records/<kind>/<record_id>/placement/holder")
@describe(
    zh="未归格处理：选择所在楼栋、单元、房屋或住户",
    en="Say what a record stands in, which places it: a dwelling's building, a household's dwelling",
    tag=_TAG,
    query=COMMUNITY,
    request=HolderSchema,
    response=_RESULT,
    problems=_PROBLEMS,
)
def choose_holder(kind: str, record_id: str) -> Response:
    """Needs ``write_records``."""
    actor, community_id = actor_in_community("write_records")
    asked = HolderSchema().load(read_json(MAX_BODY))
    result = placement.hold(
        auth.house(), actor, auth.scope(actor), community_id, kind, record_id, asked["set"], base=asked.get("base")
    )
    return _answer(actor, community_id, kind, record_id, result)


@blueprint.get("/api/v1/inbox/placements")
@describe(
    zh="待确认归格：定位误差跨网格的记录，附候选网格与概率",
    en="Records whose fix touches several cells: candidates with probabilities, and a sentence for each",
    tag=_TAG,
    query=PAGE,
    response=PAGED,
    problems=("invalid-input",),
    more="Settle one by POST …/records/{kind}/{record_id}/placement/pin. A record in a building or behind an entrance is "
    "never in this queue: buildings decide.",
)
def list_doubtful() -> Response:
    """Needs ``read_inbox``."""
    actor, community_id = actor_in_community("read_inbox")
    look = auth.look(actor, "read", "inbox: placements")
    return json_answer(
        placement.queue(
            auth.house(), auth.scope(actor), community_id, look, cursor=request.args.get("next") or None, limit=page_limit()
        )
    )


def _answer(actor: Any, community_id: str, kind: str, record_id: str, result: dict[str, Any]) -> Response:
    errors = [InputError(one["pointer"], one["code"], one["message"]) for one in result.get("errors") or ()]
    if errors:
        raise InvalidInput("the record cannot be placed like this", errors=errors)
    look = auth.look(actor, "read", "placement of a record")
    told = placement.explain(auth.house(), auth.scope(actor), community_id, kind, record_id, look)
    return json_answer({"result": result, "placement": told})
