"""Drafts drawn by hand: begun from an edition, redrawn, cells cut in two and made one, thrown away."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, request
from marshmallow import Schema, fields, validate

from server import auth
from server.api import cells
from server.api.answers import json_answer
from server.api.body import read_bytes, read_json
from server.openapi import describe
from server.services import draft_edits, drafts

blueprint = Blueprint("draft_edits", __name__)

_TAG = "网格"
_MAX_BODY = 64_000_000
_HASH = {"type": "string", "description": "certificate.hash of the draft that was looked at; refused when it has changed since"}
_DROP = {
    "type": "string",
    "description": "code (#3 without one) of a cell of the file that could not be read and is not wanted; may be repeated",
}
_PLACE = fields.Tuple((fields.Float(), fields.Float()), metadata={"description": "longitude, latitude; CGCS2000"})
_CHANGED: dict[str, Any] = {
    "type": "object",
    "required": ["edition", "certificate", "cells"],
    "properties": {"edition": {"type": "object"}, "certificate": {"type": "object"}, "cells": {"type": "object"}},
}


class SplitSchema(Schema):
    """Which cell is cut, and where."""

    cell = fields.String(required=True, validate=validate.Length(1, 200))
    line = fields.List(_PLACE, required=True, validate=validate.Length(2, 2000))
    name = fields.String(allow_none=True, validate=validate.Length(1, 120))
    hash = fields.String(allow_none=True)


class MergeSchema(Schema):
    """The cell that stays, and the one that goes into it."""

    cell = fields.String(required=True, validate=validate.Length(1, 200))
    other = fields.String(required=True, validate=validate.Length(1, 200))
    hash = fields.String(allow_none=True)


@blueprint.post("/api/v1/communities/<community_id>/editions/<edition_id>/draft")
@describe(
    zh="以这一版为底，新建一版草稿",
    en="Begin a draft from the cells of an edition, identities and codes kept",
    tag=_TAG,
    response={"type": "object", "required": ["edition_id"], "properties": {"edition_id": {"type": "string"}}},
    status=201,
    problems=("not-found", "busy"),
)
def begin_draft(community_id: str, edition_id: str) -> Response:
    """Needs ``publish_cells``."""
    actor = auth.signed_in("publish_cells", community_id=community_id)
    return json_answer({"edition_id": draft_edits.begin_draft(auth.house(), actor, community_id, edition_id)}, 201)


@blueprint.post("/api/v1/communities/<community_id>/editions/<edition_id>/cells")
@describe(
    zh="保存草稿中改动过的边界",
    en="Give a draft the cells that were drawn for it: all of them, CGCS2000; checked anew, broken or not",
    tag=_TAG,
    request={"type": "object", "description": "GeoJSON FeatureCollection of polygons, each with cell_id, code and name"},
    request_media=("application/geo+json", "application/json"),
    query={"hash": _HASH, "drop": _DROP},
    response=_CHANGED,
    problems=("malformed-body", "invalid-input", "invalid-cells", "body-too-large", "unsupported-body", "not-found", "busy"),
    more="A cell of the file that could not be read keeps the draft from being published until one of its code is drawn, or "
    "`drop` names it.",
)
def redraw(community_id: str, edition_id: str) -> Response:
    """Needs ``publish_cells``."""
    actor = auth.signed_in("publish_cells", community_id=community_id)
    house = auth.house()
    layer = drafts.find_edition(house, community_id, edition_id).layer
    sent = read_bytes(_MAX_BODY, media=("application/geo+json", "application/json"))
    drawn = drafts.read_draft(sent, datum="cgcs2000", layer=layer)
    draft_edits.redraw(
        house, actor, community_id, edition_id, drawn, seen=request.args.get("hash") or None,
        dropped=request.args.getlist("drop"),
    )  # fmt: skip
    return _told(community_id, edition_id)


@blueprint.post("/api/v1/communities/<community_id>/editions/<edition_id>/split")
@describe(
    zh="沿一条线把草稿中的一个网格拆成两个",
    en="Cut a cell of a draft in two along a line; the larger piece stays what it was",
    tag=_TAG,
    request=SplitSchema,
    response={**_CHANGED, "properties": {**_CHANGED["properties"], "new_cell_id": {"type": "string"}}},
    problems=("malformed-body", "invalid-input", "not-found", "busy"),
    more="The new cell gets the next code that no cell ever had. Corners of the cut are put into the neighbours' borders.",
)
def split(community_id: str, edition_id: str) -> Response:
    """Needs ``publish_cells``."""
    actor = auth.signed_in("publish_cells", community_id=community_id)
    asked = SplitSchema().load(read_json(200_000))
    new_id = draft_edits.split(
        auth.house(), actor, community_id, edition_id, asked["cell"], asked["line"], name=asked.get("name"),
        seen=asked.get("hash"),
    )  # fmt: skip
    return _told(community_id, edition_id, {"new_cell_id": new_id})


@blueprint.post("/api/v1/communities/<community_id>/editions/<edition_id>/merge")
@describe(
    zh="把草稿中相邻的两个网格并成一个",
    en="Make two neighbouring cells of a draft one; it keeps identity, code and name of the first",
    tag=_TAG,
    request=MergeSchema,
    response=_CHANGED,
    problems=("malformed-body", "invalid-input", "not-found", "busy"),
)
def merge(community_id: str, edition_id: str) -> Response:
    """Needs ``publish_cells``."""
    actor = auth.signed_in("publish_cells", community_id=community_id)
    asked = MergeSchema().load(read_json(10_000))
    draft_edits.merge(
        auth.house(), actor, community_id, edition_id, asked["cell"], asked["other"], seen=asked.get("hash")
    )
    return _told(community_id, edition_id)


@blueprint.delete("/api/v1/communities/<community_id>/editions/<edition_id>")
@describe(
    zh="丢弃一版草稿",
    en="Throw a draft away; editions that were published stay",
    tag=_TAG,
    status=204,
    problems=("not-found", "busy"),
)
def throw_away(community_id: str, edition_id: str) -> Response:
    """Needs ``publish_cells``."""
    actor = auth.signed_in("publish_cells", community_id=community_id)
    draft_edits.throw_away(auth.house(), actor, community_id, edition_id)
    return Response(status=204)


def _told(community_id: str, edition_id: str, more: dict[str, Any] | None = None) -> Response:
    return json_answer(cells.whole(drafts.find_edition(auth.house(), community_id, edition_id)) | (more or {}))
