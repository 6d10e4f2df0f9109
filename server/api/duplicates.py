"""Probable duplicates: listed side by side, or said to be two. They are merged by a command (see POST /api/v1/groups)."""

from __future__ import annotations

from flask import Blueprint, Response, request

from server import auth
from server.api.answers import empty_answer, json_answer
from server.api.pages import COMMUNITY, PAGE, PAGED, actor_in_community, page_limit
from server.openapi import describe
from server.services import duplicate_queue

blueprint = Blueprint("duplicates", __name__)

_TAG = "待办"


@blueprint.get("/api/v1/inbox/duplicates")
@describe(
    zh="疑似重复人员：并列显示，可能性大的在前", en="Persons who are probably one, side by side, the most likely first",
    tag=_TAG, query=PAGE, response=PAGED, problems=("invalid-input",),
)  # fmt: skip
def list_duplicates() -> Response:
    """Needs ``read_inbox``; every page is written into the audit log."""
    actor, community_id = actor_in_community("read_inbox")
    look = auth.look(actor, "read", "inbox: duplicates")
    return json_answer(
        duplicate_queue.duplicates(
            auth.house(), auth.scope(actor), community_id, look, cursor=request.args.get("next"), limit=page_limit()
        )
    )


@blueprint.post("/api/v1/inbox/duplicates/<first>/<second>/distinct")
@describe(
    zh="这两人不是同一人", en="These two are two: the pair leaves the queue",
    tag=_TAG, query=COMMUNITY, status=204, problems=("not-found", "invalid-input"),
)  # fmt: skip
def say_distinct(first: str, second: str) -> Response:
    """Needs ``resolve_conflicts``."""
    return _decide(first, second, distinct=True)


@blueprint.delete("/api/v1/inbox/duplicates/<first>/<second>/distinct")
@describe(
    zh="撤回“不是同一人”", en="Take back that these two are two",
    tag=_TAG, query=COMMUNITY, status=204, problems=("not-found", "invalid-input"),
)  # fmt: skip
def take_back(first: str, second: str) -> Response:
    """Needs ``resolve_conflicts``."""
    return _decide(first, second, distinct=False)


def _decide(first: str, second: str, *, distinct: bool) -> Response:
    actor, community_id = actor_in_community("resolve_conflicts")
    look = auth.look(actor, "change", "inbox: distinct" if distinct else "inbox: distinct taken back")
    house, scope = auth.house(), auth.scope(actor)
    duplicate_queue.decide(house, actor, scope, community_id, first, second, look, distinct=distinct)
    return empty_answer()
