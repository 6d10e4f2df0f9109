"""Exports: asked for as jobs, watched, and fetched in as many pieces as the line needs."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, request, send_file
from marshmallow import Schema, fields, validate

from server import auth
from server.api.answers import json_answer
from server.api.body import read_json
from server.openapi import describe
from server.services import exports
from server.services.layers import LAYERS

blueprint = Blueprint("exports", __name__)

_TAG = "导出"
_JOB: dict[str, Any] = {
    "type": "object",
    "required": ["job_id", "state", "done", "total"],
    "properties": {
        "job_id": {"type": "string"},
        "state": {"type": "string", "enum": ["queued", "running", "done", "failed"]},
        "done": {"type": "integer"},
        "total": {"type": ["integer", "null"]},
        "error": {"type": ["string", "null"]},
        "file": {"type": ["object", "null"], "description": "name, media_type, size, sha256, expires_at, href"},
    },
}


class ExportSchema(Schema):
    """What to export."""

    format = fields.String(required=True, metadata={"description": ", ".join(exports.FORMATS)})
    layers = fields.List(
        fields.String(),
        validate=validate.Length(1, 20),
        metadata={"description": f"{', '.join(LAYERS)}; only a package may leave it out"},
    )
    formats = fields.List(
        fields.String(),
        validate=validate.Length(1, 20),
        metadata={"description": f"of a package: {', '.join(exports.PACKED)}; all that can be made when left out"},
    )
    area = fields.String(metadata={"description": "code of a district or subdistrict, instead of one community"})
    community = fields.String(metadata={"description": "community id, the actor's own when left out"})
    cell = fields.String(metadata={"description": "code of one cell, all when left out"})
    personal = fields.Boolean(load_default=False, metadata={"description": "with personal fields, where the role may"})
    projected = fields.Boolean(
        load_default=False,
        metadata={"description": "in metres of the local 3° Gauss–Krüger zone (CGCS2000); of a GeoPackage or a package"},
    )
    purpose = fields.String(validate=validate.Length(max=120))


@blueprint.post("/api/v1/exports")
@describe(
    zh="申请导出（地理数据或表格）", en="Ask for an export; the file is made by a worker", tag=_TAG,
    request=ExportSchema, response=_JOB, status=202, problems=("invalid-input", "malformed-body", "not-found"),
)  # fmt: skip
def ask() -> Response:
    """Needs ``export``; personal fields need ``export_personal``."""
    actor = auth.signed_in("export")
    asked = ExportSchema().load(read_json(100_000))
    community_id = asked.get("community") or actor.community_id
    auth.demand(actor, "export", community_id=community_id)
    look = auth.look(actor, "export", asked.get("purpose") or "export")
    job = exports.request_export(auth.house(), actor, auth.scope(actor), community_id, asked, look)
    answer = json_answer(exports.describe_job(job), 202)
    answer.headers["Location"] = f"/api/v1/exports/{job.job_id}"
    return answer


@blueprint.get("/api/v1/exports")
@describe(zh="本人申请的导出", en="The exports that you have asked for, newest first", tag=_TAG, auth="read",
          query={"community": {"type": "string"}}, response={"type": "object"})  # fmt: skip
def list_own() -> Response:
    """Needs ``export``."""
    actor = auth.signed_in("export", read_token=True)
    community_id = request.args.get("community") or actor.community_id
    auth.demand(actor, "export", community_id=community_id)
    found = exports.own_jobs(auth.house(), actor, community_id)
    return json_answer({"exports": [exports.describe_job(job) for job in found]})


@blueprint.get("/api/v1/exports/<job_id>")
@describe(zh="导出的进度", en="How far an export is", tag=_TAG, auth="read", response=_JOB, problems=("not-found",))
def show(job_id: str) -> Response:
    """Needs ``export``; one's own only."""
    actor = auth.signed_in("export", read_token=True)
    return json_answer(exports.describe_job(exports.own_job(auth.house(), actor, auth.scope(actor), job_id)))


@blueprint.get("/api/v1/exports/<job_id>/file")
@describe(
    zh="下载导出的文件（可断点续传）", en="The file; Range requests resume a broken download, the ETag is its SHA-256",
    tag=_TAG, auth="read", media="application/octet-stream", problems=("not-found",),
)  # fmt: skip
def fetch(job_id: str) -> Response:
    """Needs ``export``; one's own only. A file with personal fields is written into the audit log."""
    actor = auth.signed_in("export", read_token=True)
    look = auth.look(actor, "export", "download of an export")
    path, result = exports.finished_file(auth.house(), actor, auth.scope(actor), job_id, look)
    return send_file(
        path,
        mimetype=result["media_type"],
        as_attachment=True,
        download_name=result["name"],
        etag=result["sha256"],
        conditional=True,
        max_age=None,
    )
