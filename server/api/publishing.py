"""An edition put in force, and the way back: at once, or as a job where much is to be placed anew."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, request

from server import auth
from server.api.answers import json_answer
from server.api.cells import WHOLE, whole
from server.openapi import describe
from server.permissions import Actor
from server.services import drafts, editions, publishing

blueprint = Blueprint("publishing", __name__)

_TAG = "网格"
_JOB: dict[str, Any] = {
    "type": "object",
    "required": ["job_id", "edition_id", "state", "done", "total", "href"],
    "properties": {
        "job_id": {"type": "string"},
        "edition_id": {"type": "string"},
        "state": {"type": "string", "enum": ["queued", "running", "done", "failed"]},
        "done": {"type": "integer"},
        "total": {"type": ["integer", "null"], "description": "of done and total only the share means anything"},
        "error": {"type": ["string", "null"]},
        "href": {"type": "string"},
    },
}
_ASYNC = (
    f"In a community with more than {publishing.AT_ONCE:,} records, or with the header `Prefer: respond-async`, the answer is "
    "202 with a job (`publishing`, and its address as `Location`): a worker puts the edition in force, and until its one "
    "transaction is done the old edition holds. What the gate refuses is refused at once either way."
)


@blueprint.post("/api/v1/communities/<community_id>/editions/<edition_id>/publish")
@describe(
    zh="发布一版网格",
    en="Put a draft in force and place every record anew",
    tag=_TAG,
    response=WHOLE,
    problems=("invalid-cells", "not-found", "busy"),
    more="A draft with errors is refused: `errors` names every one with its cells and place, and nothing changes. " + _ASYNC,
)
def publish_edition(community_id: str, edition_id: str) -> Response:
    """Needs ``publish_cells``."""
    actor = auth.signed_in("publish_cells", community_id=community_id)
    house = auth.house()
    if _is_long(community_id):
        return _queued(actor, community_id, edition_id)
    editions.publish_draft(house, actor, community_id, edition_id)
    return json_answer(whole(drafts.find_edition(house, community_id, edition_id)))


@blueprint.post("/api/v1/communities/<community_id>/editions/<edition_id>/republish")
@describe(
    zh="退回：把过去的一版重新发布为新的一版",
    en="The way back: put the cells of a past edition in force again, as a new edition",
    tag=_TAG,
    response={
        "type": "object",
        "required": ["edition_id"],
        "properties": {"edition_id": {"type": "string", "description": "of the new edition"}, "number": {"type": "integer"}},
    },
    status=201,
    problems=("invalid-cells", "not-found", "busy"),
    more="`previous` as the edition id names the one that was in force before. Cells come back with their identities and "
    "codes, records and assignments follow; nothing that was written meanwhile is lost. " + _ASYNC,
)
def republish(community_id: str, edition_id: str) -> Response:
    """Needs ``publish_cells``."""
    actor = auth.signed_in("publish_cells", community_id=community_id)
    house = auth.house()
    if edition_id == "previous":
        edition_id = editions.previous_edition(house, community_id)
    new_id = editions.draft_of_past(house, actor, community_id, edition_id)
    if _is_long(community_id):
        return _queued(actor, community_id, new_id)
    editions.publish_draft(house, actor, community_id, new_id)
    return json_answer({"edition_id": new_id, "number": drafts.find_edition(house, community_id, new_id).number}, 201)


@blueprint.get("/api/v1/communities/<community_id>/publishings/<job_id>")
@describe(
    zh="发布的进度",
    en="How far the publishing of an edition is",
    tag=_TAG,
    response={"type": "object", "required": ["publishing"], "properties": {"publishing": _JOB}},
    problems=("not-found",),
)
def show_publishing(community_id: str, job_id: str) -> Response:
    """Needs ``publish_cells``."""
    actor = auth.signed_in("publish_cells", community_id=community_id)
    return json_answer({"publishing": publishing.described(publishing.job_of(auth.house(), actor, community_id, job_id))})


def _is_long(community_id: str) -> bool:
    preferred = request.headers.get("Prefer", "").lower()
    wishes = {one.strip() for one in preferred.split(",")}
    return "respond-async" in wishes or publishing.is_long(auth.house(), community_id)


def _queued(actor: Actor, community_id: str, edition_id: str) -> Response:
    told = publishing.described(publishing.request_publish(auth.house(), actor, community_id, edition_id))
    answer = json_answer({"edition_id": edition_id, "publishing": told}, 202)
    answer.headers["Location"] = told["href"]
    return answer
