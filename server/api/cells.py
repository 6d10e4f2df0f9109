"""Editions of a community's cells: sent as drafts, looked at, and published."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, request
from marshmallow import Schema, fields, validate

from server.api import cell_upload
from server.api.answers import json_answer
from server.api.body import read_json
from server.auth import demand, house, scope, signed_in
from server.openapi import describe
from server.permissions import may
from server.services import draft_repairs, drafts, lineages, publishing
from server.services.drafts import EditionTold

blueprint = Blueprint("cells", __name__)

_TAG = "网格"
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
WHOLE: dict[str, Any] = {
    "type": "object",
    "required": ["edition", "certificate"],
    "properties": {
        "edition": _EDITION,
        "certificate": _CERTIFICATE,
        "cells": {"type": "object", "description": "GeoJSON FeatureCollection, CGCS2000 lon/lat"},
        "publishing": {"type": ["object", "null"], "description": "of a draft: the job that is putting it in force"},
    },
}


_CELL: dict[str, Any] = {
    "type": ["object", "null"],
    "properties": {"cell_id": {"type": "string"}, "code": {"type": "string"}, "name": {"type": "string"}},
}
_LINEAGE: dict[str, Any] = {
    "type": "object",
    "required": ["from", "to", "kinds", "counts", "parts"],
    "properties": {
        "from": {"type": ["object", "null"]},
        "to": {"type": "object"},
        "kinds": {"type": "object"},
        "counts": {"type": "object", "additionalProperties": {"type": "integer"}},
        "renamed": {"type": "integer", "description": "cells that go on under another code or name"},
        "parts": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "kind": {"enum": ["same", "reshape", "split", "merge", "transfer", "new", "end"]},
                    "renamed": {"type": "boolean"},
                    "old": _CELL,
                    "new": _CELL,
                    "area_m2": {"type": "number"},
                    "share_of_old": {"type": "number"},
                    "share_of_new": {"type": "number"},
                    "households": {"type": ["integer", "null"]},
                    "household_share_of_old": {"type": ["number", "null"]},
                    "household_share_of_new": {"type": ["number", "null"]},
                    "counts": {"type": "boolean"},
                },
            },
        },
    },
}


class RepairSchema(Schema):
    """Which of the proposed repairs are wanted."""

    repairs = fields.List(fields.String(), required=True, validate=validate.Length(min=1, max=1000))


@blueprint.post("/api/v1/communities/<community_id>/editions")
@describe(
    zh="上传一版网格草稿",
    en="Send the cells of a whole edition: checked and kept as a draft, broken or not",
    tag=_TAG,
    request={"type": "object", "description": "GeoJSON FeatureCollection of polygons, or a form with the part `file`"},
    request_media=cell_upload.MEDIA,
    query=cell_upload.QUERY,
    response={
        "type": "object",
        "required": ["edition_id", "certificate"],
        "properties": {"edition_id": {"type": "string"}, "certificate": _CERTIFICATE, "file": cell_upload.FILE},
    },
    status=201,
    problems=cell_upload.PROBLEMS,
    more="The certificate names every problem with its place and size. A file in which not one cell can be read is "
    "refused; everything else is kept as a draft. " + cell_upload.MORE,
)  # fmt: skip
def send_draft(community_id: str) -> Response:
    """Needs ``publish_cells``."""
    actor = signed_in("publish_cells", community_id=community_id)
    sent = cell_upload.read_upload()
    edition_id, _ = drafts.keep_draft(house(), actor, community_id, sent.draft)
    kept = drafts.find_edition(house(), community_id, edition_id)
    answer = json_answer(
        {"edition_id": edition_id, "certificate": kept.certificate, "file": cell_upload.file_told(sent)}, 201
    )
    answer.headers["Location"] = f"/api/v1/communities/{community_id}/editions/{edition_id}"
    return answer


@blueprint.post("/api/v1/communities/<community_id>/editions/check")
@describe(
    zh="检查一份网格文件，不保存",
    en="Check a file of cells and keep nothing: its certificate, the repairs that could be made, its columns",
    tag=_TAG,
    request={"type": "object", "description": "GeoJSON FeatureCollection of polygons, or a form with the part `file`"},
    request_media=cell_upload.MEDIA,
    query=cell_upload.QUERY,
    response={
        "type": "object",
        "required": ["certificate", "file", "repairs", "cells"],
        "properties": {
            "certificate": _CERTIFICATE,
            "file": cell_upload.FILE,
            "repairs": {"type": "array", "items": cell_upload.REPAIR},
            "cells": {"type": "object", "description": "GeoJSON FeatureCollection, CGCS2000 lon/lat"},
        },
    },
    problems=cell_upload.PROBLEMS,
    more=cell_upload.MORE,
)
def check_file(community_id: str) -> Response:
    """Needs ``publish_cells``."""
    signed_in("publish_cells", community_id=community_id)
    sent = cell_upload.read_upload()
    certificate = drafts.check_draft(house(), community_id, sent.draft)
    offered = draft_repairs.proposals(house(), community_id, sent.draft, limits=cell_upload.limits())
    return json_answer(
        {
            "certificate": drafts.report_of(certificate) | {"datum": sent.draft.datum},
            "file": cell_upload.file_told(sent),
            "repairs": draft_repairs.repairs_told(offered, sent.draft),
            "cells": drafts.as_collection(sent.draft.cells),
        }
    )


@blueprint.get("/api/v1/communities/<community_id>/editions/<edition_id>/repairs")
@describe(
    zh="草稿可以怎样修复：逐格列出修复前后",
    en="Repairs of a draft that could be made, each cell before and after; nothing is changed",
    tag=_TAG,
    query=cell_upload.LIMITS,
    response={
        "type": "object",
        "required": ["repairs"],
        "properties": {"repairs": {"type": "array", "items": cell_upload.REPAIR}},
    },
    problems=("invalid-input", "not-found"),
    more="Repairs come stage by stage (place, rings, borders): when some were made, ask again. None ever makes a cell "
    "disappear or takes more than the given share of it.",
)
def show_repairs(community_id: str, edition_id: str) -> Response:
    """Needs ``publish_cells``."""
    signed_in("publish_cells", community_id=community_id)
    draft, report = draft_repairs.kept_draft(house(), community_id, edition_id)
    allowed = draft_repairs.revived_codes(house(), community_id, report)
    offered = draft_repairs.proposals(house(), community_id, draft, limits=cell_upload.limits(), allowed=allowed)
    return json_answer({"repairs": draft_repairs.repairs_told(offered, draft)})


@blueprint.post("/api/v1/communities/<community_id>/editions/<edition_id>/repairs")
@describe(
    zh="按所选修复草稿",
    en="Make the chosen repairs in a draft",
    tag=_TAG,
    request=RepairSchema,
    query=cell_upload.LIMITS,
    response=WHOLE,
    problems=("malformed-body", "invalid-input", "not-found", "busy"),
    more="With the limits that the repairs were asked with. A repair is made once: afterwards its id is unknown.",
)
def make_repairs(community_id: str, edition_id: str) -> Response:
    """Needs ``publish_cells``."""
    actor = signed_in("publish_cells", community_id=community_id)
    wanted = RepairSchema().load(read_json(100_000))["repairs"]
    draft_repairs.repair_draft(house(), actor, community_id, edition_id, wanted, limits=cell_upload.limits())
    return json_answer(whole(drafts.find_edition(house(), community_id, edition_id)))


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
    response=WHOLE,
    problems=("not-found",),
    more="Whoever publishes no cells sees those of published editions that are within their scope, and no certificate; drafts are refused.",
)
def show_edition(community_id: str, edition_id: str) -> Response:
    """Needs ``publish_cells``; of a published edition ``read_baseline`` is enough."""
    actor = signed_in("read_reference", community_id=community_id)
    publishes = may(actor, "publish_cells", community_id=community_id)
    if not publishes:
        demand(actor, "read_baseline", community_id=community_id)
    told = drafts.find_edition(house(), community_id, edition_id)
    if not publishes:
        return json_answer(whole(drafts.seen_by(scope(actor), told)) | {"publishing": None})
    waiting = publishing.waiting_job(house(), community_id, edition_id) if told.state == "draft" else None
    return json_answer(whole(told) | {"publishing": None if waiting is None else publishing.described(waiting)})


def whole(one: EditionTold) -> dict[str, Any]:
    """An edition as it is answered: what it is, its certificate, its cells."""
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


@blueprint.get("/api/v1/communities/<community_id>/editions/<edition_id>/lineage")
@describe(
    zh="与前一版相比：各网格的沿革，含面积与户数比例",
    en="What became of each cell: same, reshape, split, merge, transfer, new, end, with shares of ground and households",
    tag=_TAG,
    query={"against": {"type": "string", "description": "与哪一版相比 / the other edition; else the one it replaced or would"}},
    response=_LINEAGE,
    problems=("not-found",),
    more="For a draft: against the edition in force. For an edition that was published: as it was kept then. A part with "
    "`counts` false is too little ground to decide the kind.",
)  # fmt: skip
def show_lineage(community_id: str, edition_id: str) -> Response:
    """Needs ``publish_cells``."""
    signed_in("publish_cells", community_id=community_id)
    return json_answer(
        lineages.lineage_of(house(), community_id, edition_id, against=request.args.get("against") or None)
    )
