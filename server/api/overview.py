"""The first screen in one call, and how the work stands in each cell."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, request

from server import auth
from server.api.answers import json_answer
from server.openapi import describe
from server.services import overview
from server.services.roster_query import moment_of

blueprint = Blueprint("overview", __name__)

_TAG = "花名册与底数"
_OVERVIEW: dict[str, Any] = {
    "type": "object",
    "required": ["as_of", "community", "cells", "unplaced", "total", "trend"],
    "properties": {
        "as_of": {"type": "string", "format": "date-time"},
        "cells": {"type": "array", "items": {"type": "object"}},
        "unplaced": {"type": "object"},
        "total": {"type": "object"},
        "kept": {
            "type": ["object", "null"],
            "description": "of a past day: where its coverage, freshness, conflicts and the counts of what carries no dates come from",
            "required": ["day", "counts"],
            "properties": {
                "day": {"type": "string", "format": "date"},
                "counts": {"type": "array", "items": {"type": "string"}, "description": "record types counted on that day"},
            },
        },
        "trend": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["day", "reckoned", "figures"],
                "properties": {
                    "reckoned": {"type": "boolean"},
                    "day": {"type": "string", "format": "date"},
                    "figures": {"type": "object", "additionalProperties": {"type": "integer"}},
                },
            },
        },
    },
}
_WORK: dict[str, Any] = {
    "type": "object",
    "required": ["as_of", "cells"],
    "properties": {
        "as_of": {"type": "string", "format": "date-time"},
        "cells": {"type": "array", "items": {"type": "object"}},
        "devices": {"type": "array", "items": {"type": "object"}},
    },
}


@blueprint.get("/api/v1/communities/<community_id>/overview")
@describe(
    zh="总览：底数、年龄、密度、新鲜度、待办和逐月变化", en="The overview: baseline, ages, density, freshness, open matters, months",
    tag=_TAG, response=_OVERVIEW, problems=("invalid-input", "not-found"),
    query={"as_of": {"type": "string", "format": "date", "description": "按此日的实际情况，趋势到此日为止 / what was true on that day, and the months up to it"}},
    more="The baseline of GET …/baseline with more figures for each cell. `trend` has the last kept day of each month; figures are "
    "written down once a day. Months before the first kept day are `reckoned`: counted afterwards from what is on record, without "
    "freshness and conflicts. Of a past day `freshness` and `open` are null. Coverage, `freshness_buckets`, `open_conflicts` and the counts of "
    "what carries no dates (households, dwellings, buildings, organizations, party members, resources) are those written down on that day, "
    "or at most a week before it: `kept` says on which day and which counts; counts that it does not name, and coverage without it, are as "
    "recorded now, freshness and conflicts without it null. No personal values.",
)  # fmt: skip
def show_overview(community_id: str) -> Response:
    """Needs ``read_baseline`` in the community."""
    actor = auth.signed_in("read_baseline", community_id=community_id)
    day, _ = moment_of(request.args.get("as_of"), None)
    return json_answer(overview.whole(auth.house(), auth.scope(actor), community_id, as_of=day))


@blueprint.get("/api/v1/communities/<community_id>/work")
@describe(
    zh="各网格工作进展：谁负责、覆盖、久未确认、走访、待办；设备",
    en="How the work stands in each cell: who works it, coverage, what is stale, visits, open matters; devices",
    tag=_TAG, response=_WORK, problems=("not-found",),
    more="Cells are told, people are not ranked. `devices` is for those who manage them.",
)  # fmt: skip
def show_work(community_id: str) -> Response:
    """Needs ``read_inbox`` in the community."""
    actor = auth.signed_in("read_inbox", community_id=community_id)
    return json_answer(overview.work(auth.house(), actor, auth.scope(actor), community_id))
