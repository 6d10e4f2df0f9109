"""The baseline of a community: figures per cell."""

from __future__ import annotations

from typing import Any

import orjson
from flask import Blueprint, Response

from server import auth
from server.openapi import describe
from server.services import baseline

blueprint = Blueprint("baseline", __name__)

_SUMMARY = {
    "type": "object",
    "properties": {
        "counts": {"type": "object", "additionalProperties": {"type": "integer"}},
        "coverage": {
            "type": "object",
            "properties": {
                "expected_dwellings": {"type": "integer"},
                "surveyed_dwellings": {"type": "integer"},
                "share": {"type": ["number", "null"], "description": "surveyed / expected, 0 to 1"},
            },
        },
        "freshness": {
            "type": "object",
            "properties": {
                "records": {"type": "integer"},
                "median_days": {"type": ["integer", "null"]},
                "oldest_days": {"type": ["integer", "null"]},
            },
        },
        "open_conflicts": {"type": "integer"},
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
    response=_BASELINE,
    problems=("not-found",),
)
def show_baseline(community_id: str) -> Response:
    """Needs ``read_baseline`` in the community."""
    actor = auth.somebody("read_baseline", community_id=community_id)
    found = baseline.baseline(auth.house(), auth.scope(actor), community_id)
    return Response(orjson.dumps(found), content_type="application/json")
