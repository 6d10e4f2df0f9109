"""Households and persons that another community sends: who asks, accepting them into this one, or refusing (S30)."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response
from marshmallow import Schema, fields

from server import auth
from server.api.answers import json_answer
from server.api.body import read_json
from server.api.pages import COMMUNITY, actor_in_community
from server.openapi import describe
from server.services import arrivals, crossing
from server.services.deciding import Waiting

blueprint = Blueprint("arrivals", __name__)

_TAG = "待办"
_PROBLEMS = ("not-found", "already-decided")
_ROWS: dict[str, Any] = {
    "type": "object",
    "required": ["as_of", "rows"],
    "properties": {"as_of": {"type": "string", "format": "date-time"}, "rows": {"type": "array", "items": {"type": "object"}}},
}
_ACCEPTED: dict[str, Any] = {
    "type": "object",
    "required": ["results", "moved", "stayed", "placed"],
    "properties": {
        "results": {"type": "array", "items": {"type": "object"}},
        "moved": {"type": "integer", "description": "records that came"},
        "stayed": {"type": "integer", "description": "records that stay there, because this community has no such form"},
        "placed": {"type": ["object", "null"], "description": "what became of placing them; null: they wait in the queue without a cell"},
    },
}


class AcceptSchema(Schema):
    """Where those who come live here; without a place they wait in the queue of those without a cell."""

    dwelling = fields.UUID(metadata={"description": "of a household: the dwelling here"})
    household = fields.UUID(metadata={"description": "of a person: the household here"})


@blueprint.get("/api/v1/communities/others")
@describe(zh="可以迁往的其他社区", en="The other communities of the house, which a household can be sent to",
          tag=_TAG, query=COMMUNITY, response={"type": "array", "items": {"type": "object"}})  # fmt: skip
def list_others() -> Response:
    """Needs ``write_records``. To ask, write a command ``move_household`` or ``move_person`` with ``community``."""
    _, community_id = actor_in_community("write_records")
    return json_answer(arrivals.others(auth.house(), community_id))


@blueprint.get("/api/v1/inbox/arrivals")
@describe(zh="待接收的迁入：从哪个社区、谁提出、哪些人", en="Requests of other communities to take a household or a person; oldest first",
          tag=_TAG, query=COMMUNITY, response=_ROWS)  # fmt: skip
def list_arrivals() -> Response:
    """Needs ``read_inbox`` over the whole community; names are written into the audit log of the community where they are."""
    actor, community_id = actor_in_community("read_inbox")
    look = auth.look(actor, "read", "inbox: arrivals")
    return json_answer(arrivals.arrivals(auth.house(), auth.scope(actor), community_id, look))


@blueprint.post("/api/v1/inbox/arrivals/<from_community>/<install_id>/<int:n>/accept")
@describe(
    zh="接收迁入：档案连同历史转到本社区", en="Accept: the records close there and are created here, with their whole history",
    tag=_TAG, request=AcceptSchema, response=_ACCEPTED, problems=(*_PROBLEMS, "invalid-input", "malformed-body", "busy"),
    more="One transaction over both communities, journaled in each; the phone that asked is told. Where a place is given, placing them is "
    "an operation of its own, by whoever accepts.",
)  # fmt: skip
def accept_arrival(from_community: str, install_id: str, n: int) -> Response:
    """Needs ``decide_waiting`` in the community that they come to."""
    actor = auth.signed_in("decide_waiting")
    given = {name: str(value) for name, value in AcceptSchema().load(read_json(10_000)).items()}
    return json_answer(crossing.accept(auth.house(), actor, Waiting(from_community, install_id, n), crossing.Place(**given)))


@blueprint.post("/api/v1/inbox/arrivals/<from_community>/<install_id>/<int:n>/refuse")
@describe(zh="不接收迁入", en="Refuse: nothing changes, and whoever asked is told",
          tag=_TAG, response={"type": "object"}, problems=_PROBLEMS)  # fmt: skip
def refuse_arrival(from_community: str, install_id: str, n: int) -> Response:
    """Needs ``decide_waiting`` in the community that was asked."""
    actor = auth.signed_in("decide_waiting")
    return json_answer({"results": crossing.refuse(auth.house(), actor, Waiting(from_community, install_id, n))})
