"""OpenRosa for ODK Collect (https://docs.getodk.org/openrosa): list of forms, manifests, entity lists, filled forms.

The token of a worker's address stands in the path and is in no log. Every answer is XML, errors too: Collect takes anything
else for the sign-in page of a hotel, and shows the message to the worker.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from flask import Blueprint, Response, request
from werkzeug.exceptions import HTTPException

from server import auth
from server.errors import InputError, InvalidInput, NotFound, UnsupportedBody
from server.openapi import describe
from server.permissions import Actor, Scope
from server.problems import problem_of
from server.services import odk_access, odk_lists, odk_submissions
from server.services.faults import place_of
from server.services.odk_forms import ReadyForm, ready_forms

blueprint = Blueprint("openrosa", __name__, url_prefix="/v1/key/<token>/projects/<project>")

VERSION = "1.0"
XML = "text/xml; charset=utf-8"
_FILE = "xml_submission_file"
_TAG = "ODK Collect"
_MORE = "令牌在地址中，不进任何日志。The token stands in the path and is in no log. Errors are OpenRosaResponse in XML."
_FORM_LIST, _MANIFEST, _RESPONSE = (
    f"http://openrosa.org/{name}" for name in ("xforms/xformsList", "xforms/xformsManifest", "http/response")
)
#: What a worker reads, by the code of the error; else by the status.
_WORDS = {
    "not_xml": "上传的表单内容无法读取", "doctype": "上传的表单内容无法读取", "too_large": "表单内容过大", "no_form_id": "表单缺少编号，无法接收",
    "no_instance_id": "表单缺少本次填写的编号（instanceID），无法接收", "unknown_form": "本社区没有这张表，请刷新表单列表",
    "unknown_version": "表单版本不明，请刷新表单后重新填写", "no_record": "表单没有选择任何记录",
    "instance_differs": "同一编号的表单已经收到，内容不同；请另填一张新表",
    "edited": "已上传的表单不能修改；请打开记录重新填一张", "no_picture": "照片无法读取，只接收 JPEG、PNG、WebP",
    "openrosa_version": "OpenRosa 版本不符", "no_file": "没有收到表单内容（xml_submission_file）",
}  # fmt: skip
_STATUS_WORDS = {
    403: "此地址已停用或无权使用，请联系社区", 404: "没有找到", 413: "内容过大，请减少照片后再传", 415: "上传格式不符",
    429: "操作太频繁，请稍候再试", 503: "服务器繁忙，请稍候再试",
}  # fmt: skip
_OUTCOMES = {
    "conflict": "处与他人填写的不一样，已交社区核对", "quarantined": "项待社区核对", "held": "项在等另一条记录",
}  # fmt: skip
_log = logging.getLogger("dishu.openrosa")


def _answered(view: Callable[..., Response]) -> Callable[..., Response]:
    """Ask for the address first, and give every answer the header by which Collect knows us."""

    @wraps(view)
    def wrapped(token: str, project: str, **rest: Any) -> Response:
        try:
            if request.headers.get("X-OpenRosa-Version", VERSION) != VERSION:
                raise InvalidInput(errors=[InputError("/X-OpenRosa-Version", "openrosa_version", VERSION)])
            actor, home = odk_access.app_user_actor(auth.house(), token, project)
            auth.be_at_home(home, actor.community_id)
            response = view(actor, f"{request.host_url}v1/key/{token}/projects/{project}", **rest)
        except Exception as error:
            response = _refusal(error)
        response.headers["X-OpenRosa-Version"] = VERSION
        return response

    return wrapped


def _refusal(error: Exception) -> Response:
    problem = problem_of(error)
    codes = [one.code for one in getattr(error, "errors", ())]
    if isinstance(error, HTTPException):
        status = error.code or 500
    elif problem is None:
        _log.error("unexpected %s in %s", type(error).__name__, place_of(error))
        status = 500
    else:
        # 401 would make Collect ask for a name and a password, which nobody has.
        status = {401: 403, 422: 400}.get(problem.status, problem.status)
    words = next((_WORDS[code] for code in codes if code in _WORDS), None) or _STATUS_WORDS.get(status)
    response = _xml(_told(words or (problem.zh if problem else "服务器出现意外错误"), "submit_error"), status)
    retry = getattr(error, "retry_after_s", None)
    if retry is not None or status == 503:
        response.headers["Retry-After"] = str(max(1, round(retry or 5)))
    return response


def _told(message: str, nature: str) -> str:
    return f'<OpenRosaResponse xmlns="{_RESPONSE}"><message nature="{nature}">{escape(message)}</message></OpenRosaResponse>'


def _xml(body: str, status: int = 200) -> Response:
    return Response(f'<?xml version="1.0" encoding="UTF-8"?>\n{body}', status=status, content_type=XML)


# ---------------------------------------------------------------- forms
@blueprint.get("/formList")
@describe(zh="表单列表", en="The forms, with their hashes", tag=_TAG, auth="none", media="text/xml", more=_MORE,
          query={"formID": {"type": "string"}, "deviceID": {"type": "string"}, "verbose": {"type": "string"}})  # fmt: skip
@_answered
def form_list(actor: Actor, base: str) -> Response:
    """The same forms for every worker, but for surveys that ask nobody of the worker's cells; what they list is each worker's own."""
    wanted = request.args.get("formID")
    house = auth.house()
    without = odk_lists.asked_nobody(house, actor, auth.scope(actor))
    forms = [one for form_id, one in ready_forms(house.registry).items() if wanted in (None, form_id) and form_id not in without]
    return _xml(f'<xforms xmlns="{_FORM_LIST}">{"".join(_listed(one, base) for one in forms)}</xforms>')


def _listed(ready: ReadyForm, base: str) -> str:
    form = ready.form
    return (
        f"<xform><formID>{escape(form.form_id)}</formID><name>{escape(form.title)}</name><version>{escape(form.version)}</version>"
        f"<hash>md5:{ready.md5}</hash><downloadUrl>{escape(base)}/forms/{form.form_id}.xml</downloadUrl>"
        f"<manifestUrl>{escape(base)}/forms/{form.form_id}/manifest</manifestUrl></xform>"
    )


@blueprint.get("/forms/<form_id>.xml")
@describe(zh="表单内容（XForm）", en="The XML of a form", tag=_TAG, auth="none", media="text/xml", more=_MORE)
@_answered
def form_xml(actor: Actor, base: str, form_id: str) -> Response:
    """Its MD5 is the hash in the list."""
    return Response(_ready(form_id).xml, content_type=XML)


def _ready(form_id: str) -> ReadyForm:
    found = ready_forms(auth.house().registry).get(form_id)
    if found is None:
        raise NotFound("there is no such form", errors=[InputError("/form_id", "unknown_form", "no form of this id")])
    return found


@blueprint.get("/forms/<form_id>/manifest")
@describe(zh="表单所用名单", en="The entity lists of a form", tag=_TAG, auth="none", media="text/xml", more=_MORE)
@_answered
def manifest(actor: Actor, base: str, form_id: str) -> Response:
    """The hash changes with whatever happens in the worker's cells, deletions too."""
    form = _ready(form_id).form
    tag = odk_lists.list_tag(auth.house(), actor, auth.scope(actor))
    files = "".join(
        f'<mediaFile type="entityList"><filename>{kind}.csv</filename><hash>md5:{tag}</hash>'
        f"<downloadUrl>{escape(base)}/lists/{kind}.csv</downloadUrl>"
        f"<integrityUrl>{escape(base)}/lists/{kind}/integrity</integrityUrl></mediaFile>"
        for kind in form.lists
    )
    return _xml(f'<manifest xmlns="{_MANIFEST}">{files}</manifest>')


@blueprint.get("/lists/<kind>.csv")
@describe(zh="名单：本人网格内的记录", en="An entity list: the records of the worker's cells", tag=_TAG, auth="none", media="text/csv", more=_MORE)
@_answered
def entity_list(actor: Actor, base: str, kind: str) -> Response:
    """The look is in the audit log."""
    look = auth.look(actor, "read", "odk collect")
    content = odk_lists.entity_csv(auth.house(), actor, auth.scope(actor), kind, look)
    return Response(content, content_type="text/csv; charset=utf-8")


@blueprint.get("/lists/<kind>/integrity")
@describe(zh="名单中的记录是否已删除", en="Which records of a list are gone", tag=_TAG, auth="none", media="text/xml", more=_MORE,
          query={"id": {"type": "string", "description": "ids, separated by commas"}})  # fmt: skip
@_answered
def integrity(actor: Actor, base: str, kind: str) -> Response:
    """Gone are records that were deleted, and those that left the worker's cells."""
    scope: Scope = auth.scope(actor)
    told = odk_lists.integrity(auth.house(), actor, scope, kind, request.args.get("id", "").split(","))
    rows = "".join(f"<entity id={quoteattr(one)}><deleted>{str(gone).lower()}</deleted></entity>" for one, gone in told)
    return _xml(f"<data><entities>{rows}</entities></data>")


# ---------------------------------------------------------------- filled forms
@blueprint.route("/submission", methods=["HEAD"])
@describe(zh="上传前询问", en="Whether filled forms are taken here, and how large", tag=_TAG, auth="none", status=204, more=_MORE)
@_answered
def may_submit(actor: Actor, base: str) -> Response:
    """204 with X-OpenRosa-Accept-Content-Length."""
    return _with_limit(Response(status=204))


@blueprint.post("/submission")
@describe(zh="上传一张填好的表", en="A filled form, with photos beside it", tag=_TAG, auth="none", status=201, media="text/xml",
          request={"type": "object", "properties": {_FILE: {"type": "string", "format": "binary"}}},
          request_media="multipart/form-data", query={"deviceID": {"type": "string"}}, more=_MORE)  # fmt: skip
@_answered
def submit(actor: Actor, base: str) -> Response:
    """Sent again it changes nothing; sent in parts, each part brings the same form and more photos."""
    if request.mimetype != "multipart/form-data":
        raise UnsupportedBody("multipart/form-data is expected")
    files = {part.filename or name: part.read() for name, part in request.files.items(multi=True) if name != _FILE}
    form = request.files.get(_FILE)
    content = form.read() if form is not None else request.form.get(_FILE, "").encode()
    if not content:
        raise InvalidInput(errors=[InputError("", "no_file", "the part xml_submission_file is missing")])
    taken = odk_submissions.take(
        auth.house(), actor, content, files, device_id=request.args.get("deviceID", ""),
        user_agent=request.headers.get("User-Agent", ""),
    )  # fmt: skip
    return _with_limit(_xml(_told(_summary(taken.repeated, taken.outcomes), "submit_success"), 201))


def _summary(repeated: bool, outcomes: Mapping[str, int]) -> str:
    if repeated:
        return "这张表已经收到过"
    parts: Sequence[str] = [f"{outcomes[name]} {words}" for name, words in _OUTCOMES.items() if outcomes.get(name)]
    return "，".join(["已收到", *parts])


def _with_limit(response: Response) -> Response:
    response.headers["X-OpenRosa-Accept-Content-Length"] = str(auth.house().settings.max_body_bytes)
    return response

