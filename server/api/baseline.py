"""The baseline of a community: figures per cell."""

from __future__ import annotations

from typing import Any

import orjson
from flask import Blueprint, Response, request

from server import auth
from server.openapi import describe
from server.services import baseline
from server.services.baseline_then import baseline_then
from server.services.roster_query import moment_of

blueprint = Blueprint("baseline", __name__)

_SUMMARY = {
    "type": "object",
    "properties": {
        "counts": {"type": "object", "additionalProperties": {"type": ["integer", "null"]}},
        "coverage": {
            "type": "object",
            "properties": {
                "expected_dwellings": {"type": "integer"},
                "surveyed_dwellings": {"type": ["integer", "null"], "description": "null for readers without personal fields"},
                "share": {"type": ["number", "null"], "description": "surveyed / expected, 0 to 1"},
            },
        },
        "freshness": {
            "type": ["object", "null"],
            "properties": {
                "records": {"type": ["integer", "null"]},
                "median_days": {"type": ["integer", "null"]},
                "oldest_days": {"type": ["integer", "null"]},
            },
        },
        "ages": {"type": ["object", "null"], "description": "of another day or other cells; null for readers without personal fields"},
        "open_conflicts": {"type": ["integer", "null"]},
    },
}
_BASELINE: dict[str, Any] = {
    "type": "object",
    "required": ["as_of", "community", "cells", "unplaced", "total"],
    "properties": {
        "as_of": {"type": "string", "format": "date-time"},
        "community": {"type": "object"},
        "edition": {"type": ["object", "null"]},
        "partial": {"type": "boolean", "description": "true where only the assigned cells are counted"},
        "cells": {"type": "array", "items": _SUMMARY},
        "unplaced": _SUMMARY,
        "total": _SUMMARY,
    },
}


@blueprint.get("/api/v1/communities/<community_id>/baseline")
@describe(
    zh="各网格底数：数量、覆盖率、新鲜度、待解决的不一致",
    en="Figures per cell: counts, coverage, freshness, open conflicts. No personal values.",
    tag="花名册与底数",
    auth="any",
    query={
        "as_of": {"type": "string", "format": "date", "description": "按此日的实际情况 / what was true on that day"},
        "known_at": {"type": "string", "description": "按此时已登记的内容 / what was recorded by then, date or date-time"},
        "edition": {"type": "string", "description": "按哪一版网格：版号或编号 / in the cells of which edition: number or id"},
    },
    response=_BASELINE,
    problems=("invalid-input", "not-found"),
    more="Of another day the figures are counted from the records, in the cells of that day unless an edition is named; "
    "freshness and open conflicts are of the present and null then.",
)
def show_baseline(community_id: str) -> Response:
    """Needs ``read_baseline`` in the community."""
    actor = auth.somebody("read_baseline", community_id=community_id)
    asked = moment_of(request.args.get("as_of"), request.args.get("known_at"))
    edition = request.args.get("edition") or None
    if any(asked) or edition is not None:
        day, known_at = asked
        found = baseline_then(
            auth.house(), auth.scope(actor), community_id, baseline.COUNTED, as_of=day, known_at=known_at, edition=edition
        )
    else:
        found = baseline.baseline(auth.house(), auth.scope(actor), community_id)
    return Response(orjson.dumps(found), content_type="application/json")
