"""Lists of one's own."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response
from marshmallow import Schema, fields, validate

from server import auth
from server.api.answers import empty_answer, json_answer
from server.api.body import read_json
from server.api.rosters import FilterSchema
from server.api.shapes import MAX_BODY
from server.openapi import describe
from server.services import saved_rosters

blueprint = Blueprint("saved_rosters", __name__)

_TAG = "花名册与底数"
_LISTS: dict[str, Any] = {
    "type": "object",
    "required": ["saved_rosters"],
    "properties": {"saved_rosters": {"type": "array", "items": {"type": "object"}}},
}
_SAVED: dict[str, Any] = {
    "type": "object",
    "required": ["saved_id"],
    "properties": {"saved_id": {"type": "string"}},
}


class SavedGiven(Schema):
    """A roster with what is asked of it."""

    name = fields.String(required=True, validate=validate.Length(1, 60))
    roster = fields.String(required=True, validate=validate.Length(max=64))
    cell_code = fields.String(allow_none=True, validate=validate.Length(max=40))
    columns = fields.List(fields.String(), allow_none=True, validate=validate.Length(max=100))
    filters = fields.List(fields.Nested(FilterSchema), allow_none=True, validate=validate.Length(max=30))
    sort = fields.List(fields.String(), allow_none=True, validate=validate.Length(max=10))
    question = fields.String(allow_none=True, validate=validate.Length(max=64))
    list = fields.String(allow_none=True, validate=validate.Length(max=64))
    as_of = fields.String(allow_none=True, validate=validate.Length(max=10))
    shared = fields.Boolean(load_default=False)


@blueprint.get("/api/v1/saved-rosters")
@describe(
    zh="自存名单：本人的和社区共用的", en="Saved lists: one's own and those that others of the community share",
    tag=_TAG, response=_LISTS,
)  # fmt: skip
def list_saved() -> Response:
    """Needs ``read_records``."""
    actor = auth.signed_in("read_records")
    look = auth.look(actor, "read", "saved rosters")
    return json_answer({"saved_rosters": saved_rosters.saved_rosters(auth.house(), actor, auth.scope(actor), look)})


@blueprint.post("/api/v1/saved-rosters")
@describe(
    zh="保存名单：列、筛选、排序", en="Save a list: columns, filters and order of a roster under a name",
    tag=_TAG, request=SavedGiven, response=_SAVED, status=201, problems=("invalid-input", "malformed-body", "not-found"),
)  # fmt: skip
def save_list() -> Response:
    """Needs ``read_records``."""
    return _save(None, 201)


@blueprint.post("/api/v1/saved-rosters/<saved_id>")
@describe(
    zh="修改本人保存的名单", en="Change a saved list of one's own",
    tag=_TAG, request=SavedGiven, response=_SAVED, problems=("invalid-input", "malformed-body", "not-found"),
)  # fmt: skip
def change_list(saved_id: str) -> Response:
    """Needs ``read_records``."""
    return _save(saved_id, 200)


@blueprint.delete("/api/v1/saved-rosters/<saved_id>")
@describe(zh="删除本人保存的名单", en="Remove a saved list of one's own", tag=_TAG, status=204, problems=("not-found",))
def remove_list(saved_id: str) -> Response:
    """Needs ``read_records``."""
    actor = auth.signed_in("read_records")
    saved_rosters.remove(auth.house(), actor, saved_id)
    return empty_answer()


def _save(saved_id: str | None, status: int) -> Response:
    actor = auth.signed_in("read_records")
    given = SavedGiven().load(read_json(MAX_BODY))
    kept = saved_rosters.save(auth.house(), actor, auth.scope(actor), given, saved_id=saved_id)
    return json_answer({"saved_id": kept}, status)
