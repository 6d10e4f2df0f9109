"""Writing at the console: groups of operations, as phones send them, with a session."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response
from marshmallow import Schema, fields

from server import auth
from server.api.answers import json_answer
from server.api.body import read_json
from server.openapi import describe
from server.services import office_writes

blueprint = Blueprint("groups", __name__)

_MOST_BYTES = 2_000_000
_RESULTS: dict[str, Any] = {
    "type": "object",
    "required": ["results", "repeated"],
    "properties": {
        "results": {"type": "array", "items": {"type": "object"}, "description": "as in POST /api/v1/sync/push"},
        "repeated": {"type": "boolean", "description": "the group came before and was not written again"},
    },
}


class GroupGiven(Schema):
    """Operations that apply together or not at all."""

    ops = fields.List(
        fields.Dict(keys=fields.String()), required=True,
        metadata={"description": "operations of docs/protocol.md, without n; op_id, form_version, claimed_at may be left out"},
    )  # fmt: skip


@blueprint.post("/api/v1/groups")
@describe(
    zh="写入一组内容：要么全部写入，要么都不写",
    en="Write a group of operations: all of them or none",
    tag="一户一档与一人一档", request=GroupGiven, response=_RESULTS,
    problems=("invalid-input", "malformed-body", "body-too-large", "not-found", "busy"),
    more="Through the same write path as phones, by the user's own install: same outcomes, same conflicts. What the form does "
    "not take is told at once and not journaled. Send an op_id (UUIDv7) to be able to send a group again safely.",
)  # fmt: skip
def write_group() -> Response:
    """Needs ``write_records``."""
    actor = auth.signed_in("write_records")
    given = GroupGiven().load(read_json(_MOST_BYTES))
    return json_answer(office_writes.write_group(auth.house(), actor, auth.scope(actor), given["ops"]))
