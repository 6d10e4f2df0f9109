"""Due visits: the list of the day at the office, and the rules that it follows."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, request

from server import auth
from server.api.answers import json_answer
from server.api.body import read_json
from server.errors import InputError, InvalidInput
from server.openapi import describe
from server.services import audit, visit_list, visit_rules

blueprint = Blueprint("visits", __name__, url_prefix="/api/v1/communities/<community_id>")

_TAG = "走访"
_DUE: dict[str, Any] = {
    "type": "object",
    "required": ["as_of", "today", "count", "rows", "cells", "groups", "bands"],
    "properties": {
        "as_of": {"type": "string", "format": "date-time"},
        "today": {"type": "string", "format": "date"},
        "count": {"type": "integer"},
        "rows": {"type": "array", "items": {"type": "object"}},
        "cells": {"type": "array", "items": {"type": "object"}},
        "groups": {"type": "object"},
        "bands": {"type": "object"},
    },
}
_RULES: dict[str, Any] = {
    "type": "object",
    "required": ["groups", "outcomes", "retry_days", "escalate_after", "bands"],
    "properties": {
        "groups": {"type": "array", "items": {"type": "object"}, "description": "name, label, every_days, when; the last asks nothing"},
        "outcomes": {"type": "object", "description": "seen, failed, office: codes of visit_outcome"},
        "retry_days": {"type": "integer"},
        "escalate_after": {"type": "integer"},
        "bands": {"type": "array", "items": {"type": "object"}},
    },
}


@blueprint.get("/visits/due")
@describe(
    zh="今天该访的住户，或需要社区出面的住户", en="Households to be visited today, or those that the office has to look at", tag=_TAG, response=_DUE,
    query={
        "cell": {"type": "string", "description": "code of a cell"},
        "only": {"enum": ["due", "escalated"], "description": "due when left out"},
        "limit": {"type": "integer", "minimum": 1, "maximum": visit_list.MOST_ROWS},
    },
    problems=("invalid-input", "not-found"),
    more="By the visit rules of the community, in the same order as on the phones. The look is written into the audit log.",
)  # fmt: skip
def due_visits(community_id: str) -> Response:
    """Needs ``read_personal``."""
    actor = auth.signed_in("read_personal", community_id=community_id)
    only, limit = request.args.get("only", "due"), request.args.get("limit", "200")
    if only not in ("due", "escalated") or not (limit.isascii() and limit.isdigit() and len(limit) < 6 and int(limit)):
        raise InvalidInput(errors=[InputError("/only", "unknown", "due or escalated, and a number of rows, are expected")])
    look = auth.look(actor, "read", "due visits")
    return json_answer(
        visit_list.due(auth.house(), auth.scope(actor), community_id, look, cell_code=request.args.get("cell"), only=only, limit=int(limit))
    )


@blueprint.put("/rules/visits")
@describe(
    zh="本社区自己的走访规则", en="Visit rules of the community's own", tag=_TAG, request=_RULES, response=_RULES,
    problems=("invalid-input", "malformed-body"), more="As forms/rules/visits.json. Phones follow them after their next synchronisation.",
)  # fmt: skip
def set_rules(community_id: str) -> Response:
    """Needs ``manage_rules``."""
    actor = auth.signed_in("manage_rules", community_id=community_id)
    given = read_json(100_000)
    _note(actor, community_id)
    return json_answer(visit_rules.set_visit_rules(auth.house(), actor, community_id, given).document)


@blueprint.delete("/rules/visits")
@describe(zh="恢复默认走访规则", en="Go back to the rules that the house comes with", tag=_TAG, response=_RULES)
def drop_rules(community_id: str) -> Response:
    """Needs ``manage_rules``."""
    actor = auth.signed_in("manage_rules", community_id=community_id)
    _note(actor, community_id)
    return json_answer(visit_rules.set_visit_rules(auth.house(), actor, community_id, None).document)


def _note(actor: Any, community_id: str) -> None:
    look = auth.look(actor, "change", "visit rules")
    audit.note(auth.house(), look, scope="rules=visits", community_id=community_id, record_type="visit", fields=())
