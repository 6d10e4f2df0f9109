"""Lawful erasure at the office, in two steps: see what goes, then say why."""

from __future__ import annotations

from flask import Blueprint, Response
from marshmallow import fields, validate

from server import auth
from server.api.answers import json_answer
from server.api.body import read_json
from server.api.pages import COMMUNITY, actor_in_community
from server.api.shapes import MAX_BODY, Given
from server.openapi import describe
from server.services import erasure_reach
from server.services.erasing import REASONS, By

blueprint = Blueprint("erasures", __name__)

_TAG = "依法删除"


class WhomGiven(Given):
    """Who is to be erased."""

    id = fields.String(required=True)


class ErasureGiven(WhomGiven):
    """Who is to be erased, why, and the confirmation that the preview gave."""

    reason = fields.String(required=True, validate=validate.OneOf(list(REASONS)))
    reference = fields.String(load_default="", validate=validate.Length(max=80), metadata={"description": "file number, never a name"})
    confirm = fields.String(required=True)


@blueprint.post("/api/v1/erasures/preview")
@describe(
    zh="依法删除前查看：会删除什么，还有哪里提到此人",
    en="What erasing a person would do, and what would still name them",
    tag=_TAG,
    query=COMMUNITY,
    request=WhomGiven,
    response={"type": "object", "required": ["id", "records", "named", "lists", "backups", "confirm"]},
    problems=("not-found", "invalid-input", "already-decided"),
)
def preview_erasure() -> Response:
    """Needs ``erase``; written into the audit log."""
    actor, community_id = actor_in_community("erase")
    given = WhomGiven().load(read_json(MAX_BODY))
    look = auth.look(actor, "read", "erasure preview")
    return json_answer(erasure_reach.preview(auth.house(), actor, community_id, given["id"], look))


@blueprint.post("/api/v1/erasures")
@describe(
    zh="依法删除一个人的资料，不可恢复",
    en="Erase a person for good, as the preview has shown",
    tag=_TAG,
    query=COMMUNITY,
    request=ErasureGiven,
    response={"type": "object", "required": ["id", "done", "named", "backups"]},
    problems=("not-found", "invalid-input", "already-decided"),
)
def erase() -> Response:
    """Needs ``erase``."""
    actor, community_id = actor_in_community("erase")
    given = ErasureGiven().load(read_json(MAX_BODY))
    by = By(actor.user_id, given["reason"], given["reference"].strip())
    look = auth.look(actor, "change", f"erasure: {given['reason']}")
    return json_answer(erasure_reach.erase(auth.house(), actor, community_id, given["id"], by, given["confirm"], look))


@blueprint.get("/api/v1/erasures")
@describe(
    zh="依法删除的记录",
    en="Past erasures: when, by whom, why; nobody's name",
    tag=_TAG,
    query=COMMUNITY,
    response={"type": "object", "required": ["erasures"]},
)
def list_erasures() -> Response:
    """Needs ``erase``."""
    actor, community_id = actor_in_community("erase")
    return json_answer({"erasures": erasure_reach.past(auth.house(), actor, community_id)})
