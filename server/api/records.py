"""Pages about one record: what is known of it, its history, who looked at it; numbers in full for those who say why."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from flask import Blueprint, Response, request
from marshmallow import Schema, fields, validate

from server import auth
from server.api.answers import json_answer
from server.api.body import read_json
from server.api.pages import COMMUNITY, PAGE, PAGED, actor_in_community, page_limit
from server.api.shapes import MAX_BODY
from server.openapi import describe
from server.services import record_page, record_past

blueprint = Blueprint("records", __name__)

_TAG = "一户一档与一人一档"
_RECORD: dict[str, Any] = {
    "type": "object",
    "required": ["as_of", "record", "screens", "units", "derived", "conflicts", "findings", "related", "can"],
    "properties": {
        "as_of": {"type": "string", "format": "date-time"},
        "record": {"type": "object"},
        "screens": {"type": "array", "items": {"type": "object"}},
        "units": {"type": "array", "items": {"type": "object"}},
        "derived": {"type": "array", "items": {"type": "object"}},
        "conflicts": {"type": "array", "items": {"type": "object"}},
        "findings": {"type": "array", "items": {"type": "object"}},
        "related": {"type": "array", "items": {"type": "object"}},
        "can": {"type": "object"},
    },
}

class UnmaskGiven(Schema):
    """Which masked fields are to be shown in full, and what for."""

    fields_ = fields.List(
        fields.String(validate=validate.Length(max=64)), data_key="fields", attribute="fields", required=True,
        validate=validate.Length(max=20),
    )  # fmt: skip
    purpose = fields.String(required=True, validate=validate.Length(2, record_page.LONGEST_PURPOSE))


@blueprint.get("/api/v1/records/<kind>/<record_id>")
@describe(
    zh="一条记录的全部：内容、由谁何时填写、疑点、相关记录",
    en="Everything of one record: values, who wrote them and when, doubts, what belongs to it",
    tag=_TAG, query=COMMUNITY, response=_RECORD, problems=("not-found",),
    more="Secret fields are masks. Every page with personal fields is written into the audit log, with the purpose in X-Purpose.",
)  # fmt: skip
def show_record(kind: str, record_id: str) -> Response:
    """Needs ``read_records``."""
    actor, community_id = actor_in_community("read_records")
    look = auth.look(actor, "read", "record page")
    return json_answer(
        record_page.record_page(auth.house(), actor, auth.scope(actor), community_id, kind, record_id, look)
    )


@blueprint.get("/api/v1/records/<kind>/<record_id>/history")
@describe(
    zh="一条记录的变动：谁、何时、从什么改成什么",
    en="The history of one record, the newest first: who, when, from what to what",
    tag=_TAG, query=PAGE, response=PAGED, problems=("not-found", "invalid-input"),
)  # fmt: skip
def show_history(kind: str, record_id: str) -> Response:
    """Needs ``read_records``."""
    actor, community_id = actor_in_community("read_records")
    look = auth.look(actor, "read", "record history")
    return json_answer(
        record_past.history(
            auth.house(), auth.scope(actor), community_id, kind, record_id, look, cursor=request.args.get("next"),
            limit=page_limit(),
        )
    )  # fmt: skip


@blueprint.get("/api/v1/records/<kind>/<record_id>/related/<relation>")
@describe(
    zh="一条记录的某类相关记录，接着列出", en="What belongs to one record by one relation, page by page, the newest first",
    tag=_TAG, query=PAGE, response=PAGED, problems=("not-found", "invalid-input"),
    more="`relation` and the first `next` are those of the record's page; every page with personal fields is written into the audit log.",
)  # fmt: skip
def show_related(kind: str, record_id: str, relation: str) -> Response:
    """Needs ``read_records``."""
    actor, community_id = actor_in_community("read_records")
    look = auth.look(actor, "read", "record page")
    return json_answer(
        record_page.related_page(
            auth.house(), auth.scope(actor), community_id, kind, record_id, relation, look,
            cursor=request.args.get("next"), limit=page_limit(),
        )
    )  # fmt: skip


@blueprint.get("/api/v1/records/<kind>/<record_id>/looks")
@describe(
    zh="谁看过这条记录", en="Who looked at one record, the newest first; how many lists may have shown it too",
    tag=_TAG, query=PAGE, response=PAGED, problems=("not-found", "invalid-input"),
)  # fmt: skip
def show_looks(kind: str, record_id: str) -> Response:
    """Needs ``read_audit``."""
    _, community_id = actor_in_community("read_audit")
    return json_answer(
        record_page.looks(
            auth.house(), community_id, kind, record_id, cursor=request.args.get("next"), limit=page_limit()
        )
    )


@blueprint.post("/api/v1/records/<kind>/<record_id>/unmask")
@describe(
    zh="显示完整号码：须说明用途，留有记录", en="Masked fields in full; the purpose is written into the audit log first",
    tag=_TAG, query=COMMUNITY, request=UnmaskGiven,
    response={"type": "object", "required": ["as_of", "v", "values"], "properties": {"values": {"type": "object"}}},
    problems=("not-found", "invalid-input", "malformed-body"),
)  # fmt: skip
def unmask_record(kind: str, record_id: str) -> Response:
    """Needs ``unmask``."""
    actor, community_id = actor_in_community("unmask")
    given = UnmaskGiven().load(read_json(MAX_BODY))
    look = replace(auth.look(actor, "unmask", "unmask"), purpose=given["purpose"])
    return json_answer(
        record_page.unmasked(
            auth.house(), actor, auth.scope(actor), community_id, kind, record_id, given["fields"], look
        )
    )
