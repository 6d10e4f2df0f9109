"""Forms, code lists, cells and assignments: what a phone needs before it can record."""

from __future__ import annotations

from flask import Blueprint, Response, request

from server.api.answers import json_answer
from server.auth import house, somebody
from server.openapi import describe
from server.services.reference import reference

blueprint = Blueprint("reference", __name__)


@blueprint.get("/api/v1/reference")
@describe(
    zh="表单、代码表、网格与分工",
    en="Forms, code lists, the published cells within scope, and assignments in force",
    tag="同步",
    auth="any",
    response={
        "type": "object",
        "required": ["community", "forms", "codelists", "edition", "cells", "assignments"],
        "properties": {
            "community": {"type": ["object", "null"], "description": "null for people above the communities who have named none"},
            "communities": {"type": "array", "items": {"type": "object"}, "description": "of people above: those that they may name"},
            "forms": {"type": "object", "description": "record type to its newest definition"},
            "codelists": {"type": "object"},
            "surveys": {
                "type": "array",
                "description": "which of the forms are special surveys, whom they are about, and which take no new answers",
                "items": {
                    "type": "object",
                    "required": ["name", "subject", "field", "closed"],
                    "properties": {
                        "name": {"type": "string"},
                        "subject": {"enum": ["household", "person", "none"]},
                        "field": {"type": ["string", "null"]},
                        "closed": {"type": "boolean"},
                    },
                },
            },
            "rules": {"type": "object", "description": "rules that hold here: visits (forms/rules/visits.json, or the community's own)"},
            "lines_of_work": {
                "type": ["array", "null"],
                "items": {"type": "string"},
                "description": "of a community worker: the lines whose care records they may read and write; null: all",
            },
            "others": {
                "type": "array",
                "items": {"type": "object"},
                "description": "of who writes records: the other communities of the house, which a household can be sent to",
            },
            "edition": {"type": ["object", "null"], "description": "the published base edition"},
            "editions": {"type": "array", "items": {"type": "object"}},
            "cells": {"type": "object", "description": "GeoJSON FeatureCollection, CGCS2000 lon/lat"},
            "assignments": {"type": "array", "items": {"type": "object"}},
        },
    },
    query={"community_id": {"type": "string", "description": "for people above one community"}},
    problems=("not-found",),
    more="Send the ETag back as If-None-Match: 304 while nothing has changed.",
)
def show_reference() -> Response:
    """Reference data, or 304."""
    actor = somebody("read_reference")
    known = request.if_none_match.as_set(include_weak=True)
    found = reference(house(), actor, community_id=request.args.get("community_id"), known_tag=next(iter(known), None))
    answer = Response(status=304) if found.content is None else json_answer(found.content)
    answer.set_etag(found.tag)
    answer.headers["Cache-Control"] = "private, no-cache"
    answer.headers["Vary"] = "Authorization, Cookie"
    return answer
