"""Special surveys (专项调查): a workbook checked, published and closed; progress and results."""

from __future__ import annotations

import io
from pathlib import PurePath
from typing import Any, BinaryIO

from flask import Blueprint, Response, request
from marshmallow import Schema, fields, validate

from server import auth
from server.api.answers import empty_answer, json_answer
from server.api.body import read_json
from server.errors import BodyTooLarge, InputError, InvalidInput
from server.openapi import describe
from server.services import audit, survey_results, surveys
from server.services.tables import XLSX_MEDIA

blueprint = Blueprint("surveys", __name__, url_prefix="/api/v1/communities/<community_id>/surveys")

_TAG = "专项调查"
_SUBJECTS = ["household", "person", "none"]
_FILE: dict[str, Any] = {
    "type": "object",
    "required": ["file"],
    "properties": {
        "file": {"type": "string", "format": "binary", "description": "an XLSForm workbook, at most 5 MB (docs/xlsform.md)"},
        "subject": {"enum": _SUBJECTS, "description": "whom the answers are linked to; left out: as the workbook says"},
    },
}
_SURVEY: dict[str, Any] = {
    "type": "object",
    "required": ["name", "label", "state", "version", "subject", "versions"],
    "properties": {
        "name": {"type": "string"},
        "label": {"type": "object"},
        "state": {"enum": ["draft", "published", "closed"]},
        "version": {"type": ["integer", "null"], "description": "the newest that is published"},
        "draft_version": {"type": ["integer", "null"]},
        "subject": {"enum": _SUBJECTS},
        "questions_count": {"type": "integer"},
        "roster": {"type": ["string", "null"], "description": "the roster of its answers, as every roster: filters, XLSX, CSV"},
        "versions": {"type": "array", "items": {"type": "object"}},
        "questions": {"type": "array", "items": {"type": "object"}},
        "collect": {"type": "boolean", "description": "whether ODK Collect can be offered it; told of one survey, not in the list"},
    },
}
_CHECKED: dict[str, Any] = {
    "type": "object",
    "required": ["ok", "refusals"],
    "properties": {
        "ok": {"type": "boolean"},
        "survey": {"type": ["object", "null"], "description": "name, version, label, subject, questions, collect"},
        "refusals": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["sheet", "row", "column", "code", "zh", "en"],
                "properties": {
                    "sheet": {"type": "string"},
                    "row": {"type": ["integer", "null"]},
                    "column": {"type": ["string", "null"]},
                    "code": {"type": "string"},
                    "zh": {"type": "string"},
                    "en": {"type": "string"},
                },
            },
        },
    },
}


class PublishGiven(Schema):
    """Which version to put in force."""

    version = fields.Integer(required=True, strict=True, validate=validate.Range(min=1, max=10**15))


class AudienceGiven(Schema):
    """Whom a survey asks."""

    audience = fields.String(
        required=True, validate=validate.Length(max=10_000),
        metadata={"description": "a condition over the household or person (docs/xlsform.md, dishu_audience); empty: everybody"},
    )  # fmt: skip


@blueprint.get("")
@describe(zh="专项调查列表", en="Special surveys with state and versions", tag=_TAG, response={"type": "object", "required": ["surveys"], "properties": {"surveys": {"type": "array", "items": _SURVEY}}})  # fmt: skip
def list_surveys(community_id: str) -> Response:
    """Needs ``read_surveys``; drafts are told to those who may ``manage_surveys``."""
    actor = auth.signed_in("read_surveys", community_id=community_id)
    drafts = auth.may(actor, "manage_surveys", community_id=community_id)
    return json_answer({"surveys": surveys.all_surveys(auth.house(), community_id, drafts=drafts)})


@blueprint.post("/check")
@describe(
    zh="检查调查表：逐条说明哪张表、哪行、哪列、为什么", en="Check a workbook: every reason why it cannot be used, with sheet, row and column",
    tag=_TAG, request=_FILE, request_media="multipart/form-data", response=_CHECKED, problems=("invalid-input", "body-too-large"),
    more="Nothing is kept.",
)  # fmt: skip
def check_workbook(community_id: str) -> Response:
    """Needs ``manage_surveys``."""
    auth.signed_in("manage_surveys", community_id=community_id)
    file, name, subject = _sent()
    found = surveys.check(auth.house(), community_id, file, name=name, subject=subject)
    form = found.record_type
    return json_answer(
        {
            "ok": form is not None,
            "survey": {
                "name": form.name, "version": form.version, "label": form.label, "subject": surveys.subject_of(form),
                "questions": surveys.questions_of(form), "collect": surveys.said_by_collect(form),
            } if form is not None else None,
            "refusals": [
                {"sheet": one.sheet, "row": one.row, "column": one.column, "code": one.code, "zh": one.message_zh, "en": one.message_en}
                for one in found.refusals
            ],
        }
    )  # fmt: skip


@blueprint.post("")
@describe(
    zh="上传调查表，存为草稿", en="Keep a workbook as a draft of a survey; refused whole or kept whole",
    tag=_TAG, request=_FILE, request_media="multipart/form-data", response=_SURVEY, status=201,
    problems=("invalid-input", "already-exists", "body-too-large"),
    more="A draft of the same name and version is replaced. A published version stays for ever: send a higher one.",
)  # fmt: skip
def keep_draft(community_id: str) -> Response:
    """Needs ``manage_surveys``."""
    actor = auth.signed_in("manage_surveys", community_id=community_id)
    file, name, subject = _sent()
    return json_answer(surveys.keep_draft(auth.house(), actor, community_id, file, name=name, subject=subject), 201)


@blueprint.get("/<name>")
@describe(zh="一项调查：题目与版本", en="One survey with its questions", tag=_TAG, response=_SURVEY, problems=("not-found",))
def show_survey(community_id: str, name: str) -> Response:
    """Needs ``read_surveys``; drafts are told to those who may ``manage_surveys``."""
    actor = auth.signed_in("read_surveys", community_id=community_id)
    drafts = auth.may(actor, "manage_surveys", community_id=community_id)
    return json_answer(surveys.one(auth.house(), community_id, name, drafts=drafts))


@blueprint.post("/<name>/publish")
@describe(
    zh="发布草稿，或重新打开已结束的调查", en="Put a draft in force, or open a closed survey again", tag=_TAG,
    request=PublishGiven, response=_SURVEY, problems=("invalid-input", "malformed-body", "not-found"),
    more="In force at once in every server process; phones learn of it at their next synchronisation. Answers under earlier versions are accepted.",
)  # fmt: skip
def publish_survey(community_id: str, name: str) -> Response:
    """Needs ``manage_surveys``."""
    actor = auth.signed_in("manage_surveys", community_id=community_id)
    given = PublishGiven().load(read_json(10_000))
    look = auth.look(actor, "change", "survey published")
    audit.note(auth.house(), look, scope=f"survey={name}", community_id=community_id, record_type=name, fields=())
    return json_answer(surveys.publish(auth.house(), actor, community_id, name, given["version"]))


@blueprint.post("/<name>/audience")
@describe(
    zh="改调查范围，存为草稿", en="Whom a survey asks, changed in a draft: of a published survey its next version", tag=_TAG,
    request=AudienceGiven, response=_SURVEY, status=201, problems=("invalid-input", "malformed-body", "not-found"),
    more="In force once the draft is published; answers given before stay.",
)  # fmt: skip
def ask_only(community_id: str, name: str) -> Response:
    """Needs ``manage_surveys``."""
    actor = auth.signed_in("manage_surveys", community_id=community_id)
    given = AudienceGiven().load(read_json(50_000))
    return json_answer(surveys.ask_only(auth.house(), actor, community_id, name, given["audience"]), 201)


@blueprint.post("/<name>/close")
@describe(
    zh="结束调查：不再收新答卷，迟到的另存", en="Close a survey: it takes no new answers, late ones are kept for the secretary",
    tag=_TAG, response=_SURVEY, problems=("not-found",),
)  # fmt: skip
def close_survey(community_id: str, name: str) -> Response:
    """Needs ``manage_surveys``."""
    actor = auth.signed_in("manage_surveys", community_id=community_id)
    look = auth.look(actor, "change", "survey closed")
    audit.note(auth.house(), look, scope=f"survey={name}", community_id=community_id, record_type=name, fields=())
    return json_answer(surveys.close(auth.house(), actor, community_id, name))


@blueprint.delete("/<name>/drafts/<int:version>")
@describe(zh="删除草稿", en="Remove a draft", tag=_TAG, status=204, problems=("not-found",))
def drop_draft(community_id: str, name: str, version: int) -> Response:
    """Needs ``manage_surveys``."""
    auth.signed_in("manage_surveys", community_id=community_id)
    surveys.drop_draft(auth.house(), community_id, name, version)
    return empty_answer()


@blueprint.get("/<name>/workbook")
@describe(
    zh="下载调查表（XLSForm）", en="The survey as an XLSForm workbook", tag=_TAG, media=XLSX_MEDIA, problems=("not-found",),
    query={"version": {"type": "integer", "description": "the newest published one when left out"}},
)  # fmt: skip
def give_workbook(community_id: str, name: str) -> Response:
    """Needs ``read_surveys``."""
    auth.signed_in("read_surveys", community_id=community_id)
    version = request.args.get("version", type=int)
    answer = Response(surveys.workbook(auth.house(), community_id, name, version), content_type=XLSX_MEDIA)
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}.xlsx"'
    return answer


@blueprint.get("/<name>/progress")
@describe(
    zh="各网格进度：已答与应答", en="Answered of expected, per cell", tag=_TAG, response={"type": "object", "required": ["as_of", "cells", "total"]},
    problems=("not-found",),
)  # fmt: skip
def show_progress(community_id: str, name: str) -> Response:
    """Needs ``read_surveys``."""
    actor = auth.signed_in("read_surveys", community_id=community_id)
    return json_answer(survey_results.progress(auth.house(), auth.scope(actor), community_id, name))


@blueprint.get("/<name>/results")
@describe(
    zh="汇总：每题每个选项多少", en="Counts per choice, figures of numbers", tag=_TAG,
    response={"type": "object", "required": ["as_of", "answers", "questions"]}, problems=("not-found",),
    more="Figures only. Single answers are in the survey's roster, where every look is written down.",
)  # fmt: skip
def show_results(community_id: str, name: str) -> Response:
    """Needs ``read_surveys``."""
    actor = auth.signed_in("read_surveys", community_id=community_id)
    return json_answer(survey_results.results(auth.house(), auth.scope(actor), community_id, name))


def _sent() -> tuple[BinaryIO, str | None, str | None]:
    """The workbook, the form's name by its file, and the subject that was chosen."""
    given = request.files.get("file")
    if given is None:
        raise InvalidInput("a workbook is expected", errors=[InputError("/file", "required", "the part `file` is missing")])
    raw = given.stream.read(surveys.MOST_BYTES + 1)
    if len(raw) > surveys.MOST_BYTES:
        raise BodyTooLarge(f"at most {surveys.MOST_BYTES} bytes are taken")
    subject = request.form.get("subject") or None
    if subject not in (None, *_SUBJECTS):
        raise InvalidInput(errors=[InputError("/subject", "unknown", "household, person or none is expected")])
    return io.BytesIO(raw), PurePath(given.filename or "").stem or None, subject
