"""Editions of a community's cells: sent as drafts, looked at, and published."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, request

from server.api.answers import json_answer
from server.api.body import read_bytes
from server.auth import house, signed_in
from server.openapi import describe
from server.services import drafts, editions
from server.services.drafts import EditionTold

blueprint = Blueprint("cells", __name__)

_TAG = "网格"
_MAX_BODY = 32_000_000
_WORDS = ("code", "name", "order")
_CERTIFICATE: dict[str, Any] = {
    "type": ["object", "null"],
    "properties": {
        "ok": {"type": "boolean", "description": "whether it may be published"},
        "hash": {"type": "string"},
        "counts": {"type": "object"},
        "area_m2": {"type": "number"},
        "problems": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["code", "severity", "cells", "lon", "lat", "zh", "en"],
                "properties": {
                    "code": {"type": "string"},
                    "severity": {"enum": ["error", "warning"]},
                    "cells": {"type": "array", "items": {"type": "string"}},
                    "lon": {"type": ["number", "null"]},
                    "lat": {"type": ["number", "null"]},
                    "size_m2": {"type": ["number", "null"]},
                    "size_m": {"type": ["number", "null"]},
                    "feature_index": {"type": ["integer", "null"]},
                    "zh": {"type": "string"},
                    "en": {"type": "string"},
                },
            },
        },
    },
}
_EDITION: dict[str, Any] = {
    "type": "object",
    "required": ["edition_id", "layer", "number", "state"],
    "properties": {
        "edition_id": {"type": "string"},
        "layer": {"type": "string"},
        "number": {"type": "integer"},
        "state": {"enum": ["draft", "published", "retired"]},
        "profile": {"type": "string"},
        "content_hash": {"type": ["string", "null"]},
        "created_at": {"type": "string", "format": "date-time"},
        "published_at": {"type": ["string", "null"], "format": "date-time"},
    },
}
_WHOLE: dict[str, Any] = {
    "type": "object",
    "required": ["edition", "certificate"],
    "properties": {
        "edition": _EDITION,
        "certificate": _CERTIFICATE,
        "cells": {"type": "object", "description": "GeoJSON FeatureCollection, CGCS2000 lon/lat"},
    },
}


@blueprint.post("/api/v1/communities/<community_id>/editions")
@describe(
    zh="上传一版网格草稿",
    en="Send the cells of a whole edition: checked and kept as a draft, broken or not",
    tag=_TAG,
    request={"type": "object", "description": "GeoJSON FeatureCollection of polygons"},
    request_media="application/geo+json",
    query={
        "datum": {
            "type": "string",
            "enum": ["wgs84", "cgcs2000", "gcj02", "bd09"],
            "description": "坐标系；文件自己声明时可省略 / of the coordinates, unless the file declares it",
        },
        **{
            f"{word}_property": {"type": "string", "default": word, "description": f"the property that holds {word}"}
            for word in _WORDS
        },
    },
    response={"type": "object", "required": ["edition_id"], "properties": {"edition_id": {"type": "string"}, "certificate": _CERTIFICATE}},
    status=201,
    problems=("malformed-body", "invalid-input", "invalid-cells", "body-too-large", "unsupported-body", "not-found", "busy"),
    more="The certificate names every problem with its place and size. A file in which not one cell can be read is "
    "refused; everything else is kept as a draft.",
)  # fmt: skip
def send_draft(community_id: str) -> Response:
    """Needs ``publish_cells``."""
    actor = signed_in("publish_cells", community_id=community_id)
    raw = read_bytes(_MAX_BODY, media=("application/geo+json", "application/json"))
    mapping = {word: name for word in _WORDS if (name := request.args.get(f"{word}_property"))}
    draft = drafts.read_draft(raw, datum=request.args.get("datum"), mapping=mapping)
    edition_id, certificate = drafts.keep_draft(house(), actor, community_id, draft)
    answer = json_answer({"edition_id": edition_id, "certificate": drafts.report_of(certificate)}, 201)
    answer.headers["Location"] = f"/api/v1/communities/{community_id}/editions/{edition_id}"
    return answer


@blueprint.get("/api/v1/communities/<community_id>/editions")
@describe(
    zh="网格各版列表",
    en="Every edition of a community's cells, drafts too, oldest first",
    tag=_TAG,
    response={
        "type": "object",
        "required": ["editions"],
        "properties": {"editions": {"type": "array", "items": _EDITION}},
    },
    problems=("not-found",),
)
def list_editions(community_id: str) -> Response:
    """Needs ``publish_cells``."""
    signed_in("publish_cells", community_id=community_id)
    return json_answer({"editions": [_listed(one) for one in drafts.list_editions(house(), community_id)]})


@blueprint.get("/api/v1/communities/<community_id>/editions/<edition_id>")
@describe(
    zh="一版网格：图形与检查结果",
    en="One edition: its cells as GeoJSON, and its certificate",
    tag=_TAG,
    response=_WHOLE,
    problems=("not-found",),
)
def show_edition(community_id: str, edition_id: str) -> Response:
    """Needs ``publish_cells``."""
    signed_in("publish_cells", community_id=community_id)
    return json_answer(_whole(drafts.find_edition(house(), community_id, edition_id)))


@blueprint.post("/api/v1/communities/<community_id>/editions/<edition_id>/publish")
@describe(
    zh="发布一版网格",
    en="Put a draft in force and place every record anew",
    tag=_TAG,
    response=_WHOLE,
    problems=("invalid-cells", "not-found", "busy"),
    more="A draft with errors is refused: `errors` names every one with its cells and place, and nothing changes.",
)
def publish_edition(community_id: str, edition_id: str) -> Response:
    """Needs ``publish_cells``."""
    actor = signed_in("publish_cells", community_id=community_id)
    editions.publish_draft(house(), actor, community_id, edition_id)
    return json_answer(_whole(drafts.find_edition(house(), community_id, edition_id)))


def _whole(one: EditionTold) -> dict[str, Any]:
    return {"edition": _edition(one), "certificate": one.certificate, "cells": one.cells}


def _listed(one: EditionTold) -> dict[str, Any]:
    report = one.certificate or {}
    return _edition(one) | {"ok": report.get("ok"), "counts": report.get("counts")}


def _edition(one: EditionTold) -> dict[str, Any]:
    return {
        "edition_id": one.edition_id,
        "layer": one.layer,
        "number": one.number,
        "state": one.state,
        "profile": one.profile,
        "content_hash": one.content_hash,
        "created_at": one.created_at,
        "published_at": one.published_at,
    }
