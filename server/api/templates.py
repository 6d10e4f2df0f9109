"""Tables out (一表通): templates that a community keeps, their filling, where a cell came from, what changed since."""

from __future__ import annotations

import io
from typing import Any
from urllib.parse import quote

from flask import Blueprint, Response, request, send_file
from marshmallow import Schema, fields, validate

from server import auth
from server.api.answers import empty_answer, json_answer
from server.api.body import read_json
from server.errors import InputError, InvalidInput
from server.openapi import describe
from server.permissions import Actor
from server.services import tables, template_changes, template_records, template_runs, templates
from server.services.template_book import MOST_BYTES

blueprint = Blueprint("templates", __name__)

_TAG = "报表"
_RUN: dict[str, Any] = {
    "type": "object",
    "required": ["run_id", "state", "done", "total"],
    "properties": {
        "run_id": {"type": "string"},
        "template_id": {"type": "string"},
        "state": {"type": "string", "enum": ["queued", "running", "done", "failed"]},
        "done": {"type": "integer"},
        "total": {"type": ["integer", "null"]},
        "rows": {"type": ["integer", "null"], "description": "rows of lists"},
        "error": {"type": ["string", "null"]},
        "file": {"type": ["object", "null"], "description": "name, media_type, size, sha256, expires_at, href"},
    },
}
_UPLOAD: dict[str, Any] = {
    "type": "object",
    "properties": {"file": {"type": "string", "format": "binary"}, "name": {"type": "string"}},
}
_COMMUNITY: dict[str, Any] = {"community": {"type": "string", "description": "community id, the actor's own when left out"}}
_CHECKED: dict[str, Any] = {
    "type": "object",
    "required": ["ok", "asks", "problems"],
    "properties": {"problems": {"type": "array", "items": {"type": "object", "description": "sheet, cell, code, message_zh, message_en"}}},
}


class RunSchema(Schema):
    """For what a template is filled."""

    per = fields.String(load_default="community", validate=validate.OneOf(template_runs.PER))
    cell = fields.String(allow_none=True, load_default=None, metadata={"description": "code of the cell, where per is cell"})
    day = fields.String(allow_none=True, load_default=None, metadata={"description": "whose truth is told; today when left out"})
    begins = fields.String(allow_none=True, load_default=None, metadata={"description": "first day of the period; of the month when left out"})
    ends = fields.String(allow_none=True, load_default=None)
    purpose = fields.String(load_default="", validate=validate.Length(max=120), metadata={"description": "required where personal columns are shown"})


def _place(action: str, *, read_token: bool = False) -> tuple[Actor, str]:
    actor = auth.signed_in(action, read_token=read_token)
    community_id = request.args.get("community") or actor.community_id
    templates.demand(auth.house(), actor, auth.scope(actor), community_id, action)
    return actor, community_id


@blueprint.get("/api/v1/templates")
@describe(zh="报表模板：自存的和自带的", en="Templates that the community keeps, and those that come with the house", tag=_TAG,
          query=_COMMUNITY, response={"type": "object", "required": ["templates"]})  # fmt: skip
def list_templates() -> Response:
    """Needs ``export``."""
    _actor, community_id = _place("export")
    return json_answer({"templates": templates.templates(auth.house(), community_id)})


@blueprint.post("/api/v1/templates/check")
@describe(
    zh="检查模板：每个不能用的占位符所在的工作表、单元格和原因", en="Check a workbook: sheet, cell and reason of every placeholder that cannot be used",
    tag=_TAG, request=_UPLOAD, request_media="multipart/form-data", response=_CHECKED, problems=("invalid-input", "body-too-large"),
    more="Nothing is kept.",
)  # fmt: skip
def check() -> Response:
    """Needs ``export``."""
    auth.signed_in("export")
    return json_answer(templates.check(auth.house(), _uploaded()[0]))


@blueprint.post("/api/v1/templates")
@describe(
    zh="上传报表模板（XLSX）", en="Keep a workbook as a template; refused as a whole where a placeholder cannot be used", tag=_TAG,
    request=_UPLOAD, request_media="multipart/form-data", status=201, response={"type": "object", "required": ["template_id"]},
    problems=("invalid-input", "body-too-large"), more="Placeholders are described in docs/templates.md.",
)  # fmt: skip
def upload() -> Response:
    """Needs ``manage_templates``."""
    return _keep(None, 201)


@blueprint.post("/api/v1/templates/<template_id>")
@describe(
    zh="用新工作簿替换模板", en="Put another workbook in the place of a template", tag=_TAG, request=_UPLOAD,
    request_media="multipart/form-data", response={"type": "object", "required": ["template_id"]},
    problems=("invalid-input", "body-too-large", "not-found"),
)  # fmt: skip
def replace(template_id: str) -> Response:
    """Needs ``manage_templates``."""
    return _keep(template_id, 200)


@blueprint.delete("/api/v1/templates/<template_id>")
@describe(zh="删除报表模板", en="Remove a template of the community", tag=_TAG, status=204, problems=("not-found",))
def remove(template_id: str) -> Response:
    """Needs ``manage_templates``."""
    actor = auth.signed_in("manage_templates")
    templates.remove(auth.house(), actor.community_id, template_id)
    return empty_answer()


@blueprint.get("/api/v1/templates/<template_id>/file")
@describe(zh="下载模板本身", en="The workbook of a template as it was uploaded", tag=_TAG, query=_COMMUNITY, media=tables.XLSX_MEDIA,
          problems=("not-found",))  # fmt: skip
def template_file(template_id: str) -> Response:
    """Needs ``export``."""
    _actor, community_id = _place("export")
    name, content = templates.workbook(auth.house(), community_id, template_id)
    return send_file(io.BytesIO(content), mimetype=tables.XLSX_MEDIA, as_attachment=True, download_name=name)


@blueprint.post("/api/v1/templates/<template_id>/runs")
@describe(
    zh="填报：按社区、单个网格或逐格，按日期和期间", en="Fill a template for a community, a cell or every cell, of a day and a period", tag=_TAG,
    query=_COMMUNITY, request=RunSchema, response=_RUN, status=202, problems=("invalid-input", "malformed-body", "not-found"),
    more="A worker fills it. With personal columns the purpose is required, and written into the audit log.",
)  # fmt: skip
def fill(template_id: str) -> Response:
    """Needs ``export``; personal columns need ``export_personal``."""
    actor, community_id = _place("export")
    asked = RunSchema().load(read_json(100_000))
    look = auth.look(actor, "export", asked.get("purpose") or "")
    job = template_runs.request_run(auth.house(), actor, auth.scope(actor), community_id, template_id, asked, look)
    answer = json_answer(template_runs.described(job), 202)
    answer.headers["Location"] = f"/api/v1/template-runs/{job.job_id}"
    return answer


@blueprint.get("/api/v1/template-runs")
@describe(zh="填报记录：本人的，以及范围不超出本人的同事的", en="What you and your colleagues have filled, newest first", tag=_TAG,
          query=_COMMUNITY | {"template": {"type": "string"}}, response={"type": "object", "required": ["runs"]},
          more="Of colleagues those that show nothing you could not have filled in yourself; `by` says who asked for it.")  # fmt: skip
def list_runs() -> Response:
    """Needs ``export``."""
    actor, community_id = _place("export")
    found = template_runs.runs(auth.house(), actor, auth.scope(actor), community_id, request.args.get("template"))
    return json_answer({"runs": [template_runs.described(one) for one in found[:100]]})


@blueprint.get("/api/v1/template-runs/<run_id>")
@describe(zh="填报的进度", en="How far a filling is", tag=_TAG, response=_RUN, problems=("not-found",))
def show(run_id: str) -> Response:
    """Needs ``export``; one's own, or a colleague's within one's scope."""
    actor = auth.signed_in("export")
    return json_answer(template_runs.described(template_runs.run_of(auth.house(), actor, auth.scope(actor), run_id)))


@blueprint.get("/api/v1/template-runs/<run_id>/file")
@describe(
    zh="下载填好的报表（可断点续传）", en="The filled workbook; Range requests resume a broken download, the ETag is its SHA-256", tag=_TAG,
    media="application/octet-stream", problems=("not-found",),
)  # fmt: skip
def fetch(run_id: str) -> Response:
    """Needs ``export``; one's own, or a colleague's within one's scope. With personal columns it is written into the audit log."""
    actor = auth.signed_in("export")
    look = auth.look(actor, "export", "download of a table")
    path, result = template_runs.finished_file(auth.house(), actor, auth.scope(actor), run_id, look)
    return send_file(
        path, mimetype=result["media_type"], as_attachment=True, download_name=result["name"], etag=result["sha256"], conditional=True,
        max_age=None,
    )  # fmt: skip


@blueprint.get("/api/v1/template-runs/<run_id>/sources")
@describe(
    zh="某个单元格的数来自哪些记录", en="The records that a filled cell came from", tag=_TAG,
    query={"sheet": {"type": "string"}, "cell": {"type": "string"}, "part": {"type": "string", "description": "code of the cell, of a table for every cell"}},
    response={"type": "object", "required": ["sources"]}, problems=("invalid-input", "not-found"),
    more="Without sheet and cell: the filled places, by sheet. Kept for 400 days; titles of records are looks, written into the audit log.",
)  # fmt: skip
def came_from(run_id: str) -> Response:
    """Needs ``export``; one's own, or a colleague's within one's scope."""
    actor = auth.signed_in("export")
    house, scope = auth.house(), auth.scope(actor)
    job = template_runs.run_of(house, actor, scope, run_id)
    if "cell" not in request.args:
        return json_answer({"places": template_records.places(house, job), "sources": []})
    sheet, cell = request.args.get("sheet", ""), request.args["cell"]
    if not template_records.is_cell(cell):
        raise InvalidInput(errors=[InputError("/cell", "malformed", "a cell such as B5 is expected")])
    look = auth.look(actor, "read", "where a figure came from")
    found = template_records.records(house, scope, job, look, sheet=sheet, cell=cell, part=request.args.get("part", ""))
    return json_answer({"sources": found})


@blueprint.get("/api/v1/template-runs/<run_id>/changes")
@describe(
    zh="与另一次填报相比：新增、减少、变化的行和数", en="What changed since another filling: rows that came, went and changed, and figures", tag=_TAG,
    query={"against": {"type": "string", "description": "run id; the one filled before it where none is named"}, "format": {"type": "string", "enum": ["json", "xlsx"]}},
    response={"type": "object", "required": ["before", "now", "lists", "figures"]}, problems=("invalid-input", "not-found"),
    more="Both are read again from the history as they were known then; with personal columns it is written into the audit log.",
)  # fmt: skip
def changes(run_id: str) -> Response:
    """Needs ``export``; one's own, or a colleague's within one's scope."""
    actor = auth.signed_in("export")
    house, scope = auth.house(), auth.scope(actor)
    now = template_runs.run_of(house, actor, scope, run_id)
    against = request.args.get("against")
    before = template_runs.run_of(house, actor, scope, against) if against else template_runs.run_before(house, actor, scope, now)
    told = template_changes.changes(house, actor, scope, before, now, auth.look(actor, "export", "comparison of tables"))
    if request.args.get("format") != "xlsx":
        return json_answer(told)
    target = io.BytesIO()
    tables.write_xlsx(target, template_changes.as_sheets(told))
    answer = Response(target.getvalue(), content_type=tables.XLSX_MEDIA)
    answer.headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(told['name'] + ' 变化')}.xlsx"
    return answer


def _keep(template_id: str | None, status: int) -> Response:
    actor = auth.signed_in("manage_templates")
    content, name = _uploaded()
    kept = templates.keep(auth.house(), actor, actor.community_id, content, request.form.get("name", ""), name, template_id)
    return json_answer({"template_id": kept}, status)


def _uploaded() -> tuple[bytes, str]:
    given = request.files.get("file")
    if given is None:
        raise InvalidInput("a workbook is expected", errors=[InputError("/file", "required", "the part `file` is missing")])
    return given.stream.read(MOST_BYTES + 1), given.filename or "template.xlsx"
