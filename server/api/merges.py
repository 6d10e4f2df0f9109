"""Merging persons or households that were recorded twice: looking before it is done. The command itself is an operation."""

from __future__ import annotations

from typing import Any

import orjson
from flask import Blueprint, Response
from marshmallow import Schema, fields, validate

from server import auth
from server.api.body import read_json
from server.api.pages import COMMUNITY, actor_in_community
from server.openapi import describe
from server.services.merging import COMMANDS, preview

blueprint = Blueprint("merges", __name__)

_PREVIEW: dict[str, Any] = {
    "type": "object",
    "required": ["survivor", "merged", "units", "findings", "command"],
    "properties": {
        "survivor": {"type": "object"},
        "merged": {"type": "object"},
        "units": {"type": "array", "items": {"type": "object"}},
        "findings": {"type": "array", "items": {"type": "object"}},
        "command": {"type": "object"},
    },
}


class PreviewSchema(Schema):
    """Two records that are the same person or household."""

    type = fields.String(required=True, validate=validate.OneOf(sorted(COMMANDS)))
    id = fields.String(required=True, metadata={"description": "the record that stays"})
    merged = fields.String(required=True, metadata={"description": "the record that ends"})
    purpose = fields.String(validate=validate.Length(max=120))


@blueprint.post("/api/v1/merges/preview")
@describe(
    zh="合并前对照：哪些内容会并入，哪些不一致",
    en="Two records side by side before they are merged: what is taken over, what differs, and the command to send",
    tag="待办", request=PreviewSchema, query=COMMUNITY, response=_PREVIEW, problems=("invalid-input", "malformed-body", "not-found"),
)  # fmt: skip
def show_preview() -> Response:
    """Needs ``resolve_conflicts``; written into the audit log. Nothing is changed."""
    actor, community_id = actor_in_community("resolve_conflicts")
    asked = PreviewSchema().load(read_json(10_000))
    look = auth.look(actor, "read", asked.get("purpose") or "merge: preview")
    found = preview(
        auth.house(), auth.scope(actor), community_id, look,
        record_type=asked["type"], survivor_id=asked["id"], merged_id=asked["merged"],
    )  # fmt: skip
    return Response(orjson.dumps(found), content_type="application/json")
