"""Tables in (台账): looked at, planned row by row, written, taken back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flask import Blueprint, Response, request
from marshmallow import Schema, fields, validate

from server import auth
from server.api.answers import json_answer
from server.api.body import read_json
from server.errors import InputError, InvalidInput
from server.openapi import describe
from server.services import sheet_import
from server.services.audit import note
from server.services.sheet_plan import OUTCOMES
from server.store.jobs import Job

blueprint = Blueprint("imports", __name__, url_prefix="/api/v1/imports")

_TAG = "导入"
_PIECE = 1 << 16
_JOB: dict[str, Any] = {
    "type": "object",
    "required": ["import_id", "act", "state", "done", "total"],
    "properties": {
        "import_id": {"type": "string"},
        "act": {"type": "string", "enum": ["plan", "write", "undo"]},
        "name": {"type": "string"},
        "state": {"type": "string", "enum": ["queued", "running", "done", "failed"]},
        "done": {"type": "integer"},
        "total": {"type": ["integer", "null"]},
        "error": {"type": ["string", "null"]},
        "result": {"type": ["object", "null"], "description": "rows and outcomes; for undo deleted, restored, kept"},
    },
}


class ImportSchema(Schema):
    """What to do with a table that was uploaded."""

    act = fields.String(required=True, validate=validate.OneOf(["plan", "write"]))
    file_id = fields.String(required=True, validate=validate.Regexp(r"[0-9a-f-]{36}\Z"))
    name = fields.String(load_default="", validate=validate.Length(max=200), metadata={"description": "name of the file, for the list"})
    sheet = fields.String(load_default=None, allow_none=True)
    mapping = fields.Dict(
        keys=fields.String(), values=fields.String(allow_none=True), load_default=None, allow_none=True,
        metadata={"description": "key of the column (its heading; #C by its letter, where the heading stands twice or is empty) → target as the upload proposed it; null for a column that is left out. Guessed where absent."},
    )  # fmt: skip


@blueprint.post("/files")
@describe(
    zh="上传一张台账：识别表头，建议各列对应的项目", en="Upload a table: its headings are found, a field is proposed for each", tag=_TAG,
    request={"type": "object", "properties": {"file": {"type": "string", "format": "binary"}, "sheet": {"type": "string"}}},
    request_media="multipart/form-data", response={"type": "object", "required": ["file_id", "columns", "targets"]}, status=201,
    problems=("invalid-input", "body-too-large"),
    more="XLSX or CSV (UTF-8 or GB18030). Nothing is written into records. The file is kept for thirty days.",
)  # fmt: skip
def upload() -> Response:
    """Needs ``import_records``."""
    actor = auth.signed_in("import_records")
    given = request.files.get("file")
    if given is None:
        raise InvalidInput("a table is expected", errors=[InputError("/file", "required", "the part `file` is missing")])
    stream = given.stream

    def pieces() -> Iterator[bytes]:
        while piece := stream.read(_PIECE):
            yield piece

    house = auth.house()
    file_id = sheet_import.keep_file(house, actor.community_id, pieces())
    path = sheet_import.table_path(house, actor.community_id, file_id)
    try:
        found = sheet_import.look_at(house, actor.community_id, path, request.form.get("sheet"))
    except InvalidInput:
        path.unlink(missing_ok=True)
        raise
    return json_answer({"file_id": file_id} | found, 201)


@blueprint.post("")
@describe(
    zh="预演或写入一张台账", en="Plan the rows of an uploaded table, or write them", tag=_TAG, request=ImportSchema, response=_JOB, status=202,
    problems=("invalid-input", "malformed-body", "not-found"),
    more="A plan tells for every row what would become of it, and writes nothing.",
)  # fmt: skip
def start() -> Response:
    """Needs ``import_records``."""
    actor = auth.signed_in("import_records")
    asked = ImportSchema().load(read_json(1_000_000))
    house = auth.house()
    look = auth.look(actor, "change", "import of a table")
    note(house, look, scope=f"import/{asked['file_id']}", record_type="person", fields=("*",))
    job = sheet_import.request_import(house, actor, **asked)
    answer = json_answer(_said(job), 202)
    answer.headers["Location"] = f"{blueprint.url_prefix}/{job.job_id}"
    return answer


@blueprint.get("")
@describe(zh="导入列表", en="Imports, plans and undoings, newest first", tag=_TAG, response={"type": "object"})
def list_imports() -> Response:
    """Needs ``import_records``."""
    actor = auth.signed_in("import_records")
    return json_answer({"imports": [_said(job) for job in sheet_import.imports(auth.house(), actor.community_id)]})


@blueprint.get("/<import_id>")
@describe(zh="导入的进度和结果", en="How far an import is, and what became of its rows", tag=_TAG, response=_JOB, problems=("not-found",))
def show(import_id: str) -> Response:
    """Needs ``import_records``."""
    actor = auth.signed_in("import_records")
    return json_answer(_said(sheet_import.import_of(auth.house(), actor.community_id, import_id)))


@blueprint.get("/<import_id>/rows")
@describe(
    zh="逐行结果：新增、变更、重复、存疑、拒绝及原因", en="The report row by row: new, changed, duplicate of whom, rejected why", tag=_TAG,
    query={
        "outcome": {"type": "string", "enum": list(OUTCOMES)},
        "after": {"type": "integer", "minimum": 0, "description": "rows behind this row of the table"},
        "limit": {"type": "integer", "minimum": 1, "maximum": 1000},
    },
    response={"type": "object", "required": ["rows"]}, problems=("not-found",),
)  # fmt: skip
def rows(import_id: str) -> Response:
    """Needs ``import_records``. Rows name columns and reasons, never what stands in a cell."""
    actor = auth.signed_in("import_records")
    house = auth.house()
    sheet_import.import_of(house, actor.community_id, import_id)
    after = request.args.get("after", 0, type=int)
    limit = min(max(request.args.get("limit", 200, type=int), 1), 1000)
    found = sheet_import.report_rows(house, import_id, outcome=request.args.get("outcome"), after=after, limit=limit)
    return json_answer({"rows": found})


@blueprint.post("/<import_id>/undo")
@describe(
    zh="撤销一次导入", en="Take an import back as one act", tag=_TAG, response=_JOB, status=202, problems=("not-found", "already-decided"),
    more="What it made is deleted, what it changed gets its former values. What others have written since stays, and is counted as kept.",
)  # fmt: skip
def take_back(import_id: str) -> Response:
    """Needs ``import_records``."""
    actor = auth.signed_in("import_records")
    house = auth.house()
    made = sheet_import.import_of(house, actor.community_id, import_id)
    note(house, auth.look(actor, "change", "undo of an import"), scope=f"import/{import_id}", record_type="person", fields=("*",))
    job = sheet_import.request_import(
        house, actor, file_id=import_id, name=made.arguments["name"], sheet=None, mapping=None, act="undo"
    )
    return json_answer(_said(job), 202)


def _said(job: Job) -> dict[str, Any]:
    return {
        "import_id": job.job_id,
        "act": job.arguments["act"],
        "file_id": job.arguments["file"],
        "name": job.arguments["name"],
        "state": job.state,
        "requested_at": job.requested_at,
        "done": job.done_count,
        "total": job.total_count,
        "error": job.error,
        "result": job.result,
    }
