"""What was handed over to outside systems, and what is due."""

from __future__ import annotations

import io
from typing import Any
from urllib.parse import quote

from flask import Blueprint, Response, request
from marshmallow import Schema, fields, validate

from server import auth
from server.api.answers import empty_answer, json_answer
from server.api.body import read_json
from server.api.rosters import FilterSchema
from server.openapi import describe
from server.services import handovers, tables

blueprint = Blueprint("handovers", __name__)

_TAG = "报表"
_DUE: dict[str, Any] = {
    "type": "object",
    "required": ["as_of", "rows", "gone", "same"],
    "properties": {
        "as_of": {"type": "string", "format": "date-time", "description": "tick off with this"},
        "rows": {"type": "array", "items": {"type": "object", "description": "id, v, state (new, changed), external_key, values"}},
        "gone": {"type": "array", "items": {"type": "object", "description": "id, external_key, handed_at"}},
        "same": {"type": "integer"},
    },
}


class SystemSchema(Schema):
    """An outside system and what it gets."""

    name = fields.String(required=True, validate=validate.Length(1, 60))
    roster = fields.String(required=True, validate=validate.Length(max=64))
    columns = fields.List(fields.String(), allow_none=True, load_default=None, validate=validate.Length(max=100))
    filters = fields.List(fields.Nested(FilterSchema), allow_none=True, load_default=None, validate=validate.Length(max=30))


class TickSchema(Schema):
    """What was handed over."""

    as_of = fields.String(required=True, metadata={"description": "the as_of of what was exported"})
    ids = fields.List(fields.String(), allow_none=True, load_default=None, metadata={"description": "only these records"})
    keys = fields.Dict(
        keys=fields.String(), values=fields.String(validate=validate.Length(1, 120)), load_default=dict,
        metadata={"description": "record id → what the other system calls it"},
    )  # fmt: skip


@blueprint.get("/api/v1/handovers")
@describe(zh="对外移交的系统", en="Outside systems that get rows of rosters", tag=_TAG, response={"type": "object", "required": ["systems"]})
def list_systems() -> Response:
    """Needs ``hand_over``."""
    actor = auth.signed_in("hand_over")
    return json_answer({"systems": handovers.systems(auth.house(), actor)})


@blueprint.post("/api/v1/handovers")
@describe(zh="新增对外移交的系统", en="Add an outside system: which roster, columns and filters it gets", tag=_TAG, request=SystemSchema, status=201,
          response={"type": "object", "required": ["system_id"]}, problems=("invalid-input", "malformed-body", "not-found"))  # fmt: skip
def add() -> Response:
    """Needs ``hand_over``."""
    actor = auth.signed_in("hand_over")
    given = SystemSchema().load(read_json(100_000))
    return json_answer({"system_id": handovers.add(auth.house(), actor, auth.scope(actor), given)}, 201)


@blueprint.delete("/api/v1/handovers/<system_id>")
@describe(zh="删除对外移交的系统", en="Remove an outside system and what is known of what it got", tag=_TAG, status=204, problems=("not-found",))
def remove(system_id: str) -> Response:
    """Needs ``hand_over``."""
    handovers.remove(auth.house(), auth.signed_in("hand_over"), system_id)
    return empty_answer()


@blueprint.get("/api/v1/handovers/<system_id>/due")
@describe(
    zh="待移交：新增、变更和应撤销的", en="What a system has not got yet: rows that are new, others or gone since they were handed over", tag=_TAG,
    query={"format": {"type": "string", "enum": ["json", "xlsx"]}}, response=_DUE, problems=("not-found",),
    more="The as_of of the answer (of the workbook: the header X-As-Of) is what they are ticked off with. With personal columns it is written into the audit log.",
)  # fmt: skip
def due(system_id: str) -> Response:
    """Needs ``hand_over``."""
    actor = auth.signed_in("hand_over")
    told = handovers.due(auth.house(), actor, auth.scope(actor), system_id, auth.look(actor, "export", "handover to another system"))
    if request.args.get("format") != "xlsx":
        return json_answer(told)
    target = io.BytesIO()
    tables.write_xlsx(target, handovers.as_sheets(told))
    answer = Response(target.getvalue(), content_type=tables.XLSX_MEDIA)
    answer.headers["X-As-Of"] = told["as_of"]
    answer.headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(told['name'] + ' 待移交')}.xlsx"
    return answer


@blueprint.post("/api/v1/handovers/<system_id>/ticks")
@describe(
    zh="勾销已移交的", en="Tick off what was handed over, as it was at that time", tag=_TAG, request=TickSchema,
    response={"type": "object", "required": ["handed", "gone"]}, problems=("invalid-input", "malformed-body", "not-found"),
    more="What changed after as_of is due again. keys are what the other system calls the records.",
)  # fmt: skip
def tick(system_id: str) -> Response:
    """Needs ``hand_over``."""
    actor = auth.signed_in("hand_over")
    asked = TickSchema().load(read_json(8_000_000))
    ids = None if asked["ids"] is None else frozenset(asked["ids"])
    look = auth.look(actor, "export", "handed over to another system")
    return json_answer(
        handovers.tick(auth.house(), actor, auth.scope(actor), system_id, asked["as_of"], look, ids=ids, keys=asked["keys"])
    )


@blueprint.get("/api/v1/handovers/records/<record_id>")
@describe(zh="一条记录已移交给哪些系统", en="Which systems have got a record: its key there, the version, when", tag=_TAG,
          response={"type": "object", "required": ["external_refs"]})  # fmt: skip
def of_record(record_id: str) -> Response:
    """Needs ``hand_over``."""
    actor = auth.signed_in("hand_over")
    return json_answer({"external_refs": handovers.of_record(auth.house(), actor, record_id)})
