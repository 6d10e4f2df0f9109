"""One search box."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response
from marshmallow import Schema, fields, validate

from server import auth
from server.api.answers import json_answer
from server.api.body import read_json
from server.api.shapes import MAX_BODY
from server.openapi import describe
from server.services import find as finding
from server.services.find_index import FINDABLE

blueprint = Blueprint("find", __name__)

_FOUND: dict[str, Any] = {
    "type": "object",
    "required": ["as_of", "groups"],
    "properties": {
        "as_of": {"type": "string", "format": "date-time"},
        "groups": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["type", "type_label", "count", "more", "rows"],
                "properties": {"rows": {"type": "array", "items": {"type": "object"}}},
            },
        },
    },
}


class FindGiven(Schema):
    """What was typed into the box."""

    text = fields.String(required=True, validate=validate.Length(1, finding.LONGEST_TEXT))
    types = fields.List(fields.String(validate=validate.OneOf(FINDABLE)), validate=validate.Length(max=len(FINDABLE)))
    limit = fields.Integer(strict=True, validate=validate.Range(1, finding.MOST_PER_TYPE), load_default=8)


@blueprint.post("/api/v1/communities/<community_id>/find")
@describe(
    zh="查找：姓名、拼音、首字母、地址、门牌、电话或证件尾号",
    en="Find by name, pinyin, initials, address, door, tail of a phone or a document",
    tag="一户一档与一人一档", request=FindGiven, response=_FOUND, problems=("invalid-input", "malformed-body"),
    more="Every word must fit. Whole numbers (phone, document, credit code) are found through their hashes. The search is written "
    "into the audit log, with the purpose in X-Purpose; the words are not.",
)  # fmt: skip
def find_in_community(community_id: str) -> Response:
    """Needs ``read_records``; personal fields are searched for those whose scope has them."""
    actor = auth.signed_in("read_records", community_id=community_id)
    given = FindGiven().load(read_json(MAX_BODY))
    look = auth.look(actor, "search", "find")
    return json_answer(
        finding.find(
            auth.house(), auth.scope(actor), community_id, given["text"], look, limit=given["limit"],
            kinds=given.get("types"),
        )
    )  # fmt: skip
