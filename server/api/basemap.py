"""The customer's basemap: what there is, and the file in as many pieces as the line needs."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, request, send_file

from server import auth
from server.api.answers import json_answer
from server.openapi import describe
from server.services import basemap

blueprint = Blueprint("basemap", __name__)

_TAG = "同步"
_QUERY = {"community_id": {"type": "string", "description": "for people above one community"}}
_ABOUT: dict[str, Any] = {
    "type": "object",
    "required": ["basemap"],
    "properties": {
        "basemap": {
            "type": ["object", "null"],
            "required": ["version", "size", "kind", "min_zoom", "max_zoom", "bounds", "href"],
            "properties": {
                "version": {"type": "string", "description": "changes with the file, and is its ETag"},
                "size": {"type": "integer", "description": "bytes"},
                "kind": {"enum": ["vector", "raster"]},
                "min_zoom": {"type": "integer"},
                "max_zoom": {"type": "integer"},
                "bounds": {"type": "array", "items": {"type": "number"}, "description": "west, south, east, north"},
                "href": {"type": "string"},
            },
        }
    },
}


@blueprint.get("/api/v1/basemap")
@describe(zh="底图：有没有、多大", en="The basemap that holds here and its size, or null", tag=_TAG, auth="any",
          query=_QUERY, response=_ABOUT, problems=("not-found",))  # fmt: skip
def about() -> Response:
    """Needs ``read_reference``."""
    found = basemap.basemap_of(auth.house(), _community())
    told = found and {
        "version": found.version, "size": found.size, "kind": found.kind, "min_zoom": found.min_zoom,
        "max_zoom": found.max_zoom, "bounds": list(found.bounds), "href": "/api/v1/basemap/file",
    }  # fmt: skip
    answer = json_answer({"basemap": told})
    answer.headers["Cache-Control"] = "private, no-cache"
    return answer


@blueprint.get("/api/v1/basemap/file")
@describe(zh="底图文件（PMTiles，可分段）", en="The PMTiles file; Range requests fetch pieces of it, the ETag is its version",
          tag=_TAG, auth="any", query=_QUERY, media=basemap.MEDIA_TYPE, problems=("not-found",))  # fmt: skip
def fetch() -> Response:
    """Needs ``read_reference``: the map is the customer's, and given to people and phones of the house only."""
    found = basemap.wanted_basemap(auth.house(), _community())
    answer = send_file(found.path, mimetype=basemap.MEDIA_TYPE, etag=found.version, conditional=True, max_age=None)
    answer.headers["Cache-Control"] = "private, no-cache"
    answer.headers["Vary"] = "Authorization, Cookie"
    return answer


def _community() -> str:
    actor = auth.somebody("read_reference")
    named = request.args.get("community_id")
    if named is not None:
        auth.demand(actor, "read_reference", community_id=named)
    return named or actor.community_id
