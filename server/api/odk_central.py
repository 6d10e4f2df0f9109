"""The part of ODK Central's API that scripts use, by pyodk for one (docs/odk.md). What is not here answers 404 in Central's words."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import Blueprint, Response, g, request
from werkzeug.exceptions import HTTPException

from server import auth
from server.api.answers import json_answer
from server.api.body import read_json
from server.errors import InputError, InvalidInput, NotFound, NotSignedIn
from server.openapi import describe
from server.permissions import Actor
from server.problems import problem_of, request_id
from server.services import odk_central, odk_submissions, sign_in
from server.services.faults import place_of
from server.store.assignments import Community

blueprint = Blueprint("odk_central", __name__, url_prefix="/v1")

_TAG = "ODK Central"
_FORM = "/projects/<project>/forms/<form_id>"
_LIST = "/projects/<project>/datasets/<kind>"
_CODES = {400: 400.2, 401: 401.2, 403: 403.1, 404: 404.1, 409: 409.15, 413: 413.0, 415: 415.0, 429: 429.7, 500: 500.1, 503: 503.1}
_ANY: dict[str, Any] = {"type": "object"}
_MANY: dict[str, Any] = {"type": "array", "items": _ANY}
_MOST = 5_000_000
_log = logging.getLogger("dishu.odk")


def _route(path: str, method: str, zh: str, en: str, **more: Any) -> Callable[[Callable[..., Response]], Callable[..., Response]]:
    """A described route whose errors are told as Central tells them."""

    def mark(view: Callable[..., Response]) -> Callable[..., Response]:
        @wraps(view)
        def wrapped(*args: Any, **named: Any) -> Response:
            try:
                return view(*args, **named)
            except Exception as error:
                return _refusal(error)

        told = {"tag": _TAG, "auth": "central", "response": _ANY} | more
        described = describe(zh=zh, en=en, **told)(wrapped)
        blueprint.route(path, methods=[method])(described)
        return described

    return mark


def _refusal(error: Exception) -> Response:
    problem = problem_of(error)
    if isinstance(error, HTTPException):
        status = error.code or 500
    elif problem is None:
        _log.error("unexpected %s in %s", type(error).__name__, place_of(error))
        status = 500
    else:
        status = {422: 400}.get(problem.status, problem.status)
    codes = [{"pointer": one.pointer, "code": one.code, "message": one.message} for one in getattr(error, "errors", ())]
    message = str(getattr(error, "message", "") or (problem.en if problem else "Something unexpected went wrong"))
    body = {"code": _CODES.get(status, float(status)), "message": message, "details": codes or None}
    return json_answer(body, status)


def _actor() -> Actor:
    """Whose session it is. The token comes in a header that no other page can send, so there is no second one against forgery."""
    header = request.headers.get("Authorization", "")
    if header[:7].lower() != "bearer ":
        raise NotSignedIn("sign in first")
    return sign_in.session_of(auth.house(), header[7:].strip()).actor


def _at(project: str, action: str) -> tuple[Actor, Community]:
    actor = _actor()
    community = odk_central.community_of(auth.house(), actor, project)
    auth.demand(actor, action, community_id=community.community_id)
    g.own_community = community.community_id
    return actor, community


def _page() -> tuple[int, int]:
    def number(name: str, otherwise: int) -> int:
        text = request.args.get(name)
        if text is None:
            return otherwise
        if not text.isdecimal() or len(text) > 9:
            raise InvalidInput(errors=[InputError(f"/{name}", "number", "a whole number is expected")])
        return int(text)

    for name in ("$filter", "$select", "$orderby", "$search", "$expand", "$skiptoken"):
        if request.args.get(name, "*") not in ("*", ""):
            raise InvalidInput(errors=[InputError(f"/{name}", "unsupported", "only $top, $skip and $count are read here")])
    return number("$top", odk_central.PAGE), number("$skip", 0)


# ---------------------------------------------------------------- who
@_route("/sessions", "POST", "登录（ODK Central 方式）", "Sign in as scripts for ODK Central do", auth="none", request=_ANY)
def begin_session() -> Response:
    """``email`` is the login name; the answer's ``token`` is sent as a bearer token."""
    auth.limit("sign_in")
    given = read_json(10_000)
    login, password = given.get("email"), given.get("password")
    if not isinstance(login, str) or not isinstance(password, str):
        raise InvalidInput(errors=[InputError("/email", "required", "email and password are expected")])
    made = sign_in.sign_in(auth.house(), login, password, request_id=request_id())
    now = auth.house().clock().isoformat()
    return json_answer({"token": made.secret, "csrf": made.csrf_token, "expiresAt": made.expires_at, "createdAt": now})


@_route("/users/current", "GET", "当前用户", "Who is signed in")
def current_user() -> Response:
    """Also what pyodk verifies a token with."""
    actor = _actor()
    user = sign_in.account_of(auth.house(), actor)
    told = {"id": odk_central.number_of(actor.user_id), "type": "user", "email": user.login, "displayName": actor.name, "createdAt": user.created_at}
    return json_answer(told)


# ---------------------------------------------------------------- projects, forms
@_route("/projects", "GET", "项目（社区）", "Projects: the communities that one works for", response=_MANY)
def list_projects() -> Response:
    """Needs ``read_reference``."""
    actor = _actor()
    auth.demand(actor, "read_reference")
    return json_answer(odk_central.projects(auth.house(), actor))


@_route("/projects/<project>", "GET", "一个项目", "One project")
def show_project(project: str) -> Response:
    """Needs ``read_reference``."""
    actor, _ = _at(project, "read_reference")
    return json_answer(odk_central.project(auth.house(), actor, project))


@_route("/projects/<project>/forms", "GET", "表单", "Forms", response=_MANY)
def list_forms(project: str) -> Response:
    """Needs ``read_reference``."""
    _, community = _at(project, "read_reference")
    return json_answer(odk_central.forms(auth.house(), community))


@_route(_FORM, "GET", "一张表单", "One form")
def show_form(project: str, form_id: str) -> Response:
    """Needs ``read_reference``."""
    _, community = _at(project, "read_reference")
    return json_answer(odk_central.form(auth.house(), community, form_id))


@_route(f"{_FORM}.xml", "GET", "表单内容（XForm）", "The XML of a form", media="application/xml")
def form_xml(project: str, form_id: str) -> Response:
    """Needs ``read_reference``."""
    _at(project, "read_reference")
    return Response(odk_central.ready(auth.house(), form_id).xml, content_type="application/xml; charset=utf-8")


# ---------------------------------------------------------------- filled forms
@_route(f"{_FORM}/submissions", "GET", "已收到的表", "Filled forms, without answers", response=_MANY)
def list_submissions(project: str, form_id: str) -> Response:
    """Needs ``read_inbox``."""
    _, community = _at(project, "read_inbox")
    return json_answer(odk_central.submissions(auth.house(), community, form_id, limit=100_000))


@_route(f"{_FORM}/submissions/<instance_id>", "GET", "一张已收到的表", "One filled form, without answers")
def show_submission(project: str, form_id: str, instance_id: str) -> Response:
    """Needs ``read_inbox``."""
    _, community = _at(project, "read_inbox")
    return json_answer(odk_central.submission(auth.house(), community, form_id, instance_id))


@_route(f"{_FORM}/submissions/<instance_id>/attachments", "GET", "一张表的照片", "Names of photos are not kept: always empty", response=_MANY)
def list_attachments(project: str, form_id: str, instance_id: str) -> Response:
    """Needs ``read_inbox``. The photos themselves are the record's."""
    _, community = _at(project, "read_inbox")
    odk_central.submission(auth.house(), community, form_id, instance_id)
    return json_answer([])


@_route(f"{_FORM}/submissions/<instance_id>/attachments/<name>", "POST", "上传表中的照片", "A photo that the form names", request=_ANY,
        request_media=("image/jpeg", "image/png", "image/webp"))  # fmt: skip
def add_attachment(project: str, form_id: str, instance_id: str, name: str) -> Response:
    """Needs ``use_odk``."""
    actor, community = _at(project, "use_odk")
    odk_central.submission(auth.house(), community, form_id, instance_id)
    odk_submissions.add_photo(auth.house(), actor.with_install(actor.user_id), instance_id, name, request.get_data(cache=False))
    return json_answer({"success": True})


@_route(f"{_FORM}/submissions/<instance_id>", "PATCH", "标记审核状态", "Say what one made of a filled form", request=_ANY)
def review_submission(project: str, form_id: str, instance_id: str) -> Response:
    """Needs ``resolve_conflicts``. No record changes."""
    _, community = _at(project, "resolve_conflicts")
    state = str(read_json(10_000).get("reviewState"))
    return json_answer(odk_central.review(auth.house(), community, form_id, instance_id, state))


@_route(f"{_FORM}/submissions", "POST", "上传一张填好的表", "A filled form, as XML", request=_ANY, request_media="application/xml")
def create_submission(project: str, form_id: str) -> Response:
    """Needs ``use_odk``."""
    actor, community = _at(project, "use_odk")
    content = request.get_data(cache=False)
    taken = odk_submissions.take(
        auth.house(), actor.with_install(actor.user_id), content, {}, device_id=request.args.get("deviceID", ""),
        user_agent=request.headers.get("User-Agent", ""),
    )  # fmt: skip
    return json_answer(odk_central.submission(auth.house(), community, form_id, taken.instance_id))


@_route(f"{_FORM}.svc/Submissions", "GET", "已收到的表（OData）", "Filled forms as a table, with the records that they wrote",
        query={"$top": {"type": "integer"}, "$skip": {"type": "integer"}, "$count": {"type": "boolean"}})  # fmt: skip
def submission_table(project: str, form_id: str) -> Response:
    """Needs ``read_records``; the look is in the audit log."""
    actor, community = _at(project, "read_records")
    limit, offset = _page()
    look = auth.look(actor, "read", "odk central")
    return json_answer(
        odk_central.submission_table(auth.house(), auth.scope(actor), community, form_id, look, limit=limit, offset=offset)
    )


# ---------------------------------------------------------------- entities
@_route("/projects/<project>/datasets", "GET", "名单", "Entity lists", response=_MANY)
def list_datasets(project: str) -> Response:
    """Needs ``read_records``."""
    actor, community = _at(project, "read_records")
    return json_answer(odk_central.datasets(auth.house(), auth.scope(actor), community))


@_route(_LIST, "GET", "一个名单", "One entity list with its properties")
def show_dataset(project: str, kind: str) -> Response:
    """Needs ``read_records``."""
    actor, community = _at(project, "read_records")
    return json_answer(odk_central.dataset(auth.house(), auth.scope(actor), community, kind))


@_route(f"{_LIST}/entities", "GET", "名单中的记录", "Entities, without their properties", response=_MANY)
def list_entities(project: str, kind: str) -> Response:
    """Needs ``read_records``; the look is in the audit log."""
    actor, community = _at(project, "read_records")
    return json_answer(odk_central.entities(auth.house(), actor, auth.scope(actor), community, kind, auth.look(actor, "read", "odk central")))


@_route(f"{_LIST}.svc/Entities", "GET", "名单中的记录（OData）", "Entities as a table",
        query={"$top": {"type": "integer"}, "$skip": {"type": "integer"}, "$count": {"type": "boolean"}})  # fmt: skip
def entity_table(project: str, kind: str) -> Response:
    """Needs ``read_records``; the look is in the audit log."""
    actor, community = _at(project, "read_records")
    limit, offset = _page()
    look = auth.look(actor, "read", "odk central")
    return json_answer(
        odk_central.entity_table(auth.house(), actor, auth.scope(actor), community, kind, look, limit=limit, offset=offset)
    )


@_route(f"{_LIST}/entities", "POST", "新增记录", "New entities: one, or several under `entities`, all of them or none", request=_ANY)
def create_entities(project: str, kind: str) -> Response:
    """Needs ``write_records``."""
    actor, community = _at(project, "write_records")
    given = read_json(_MOST)
    several = given.get("entities")
    entries = several if isinstance(several, list) else [given]
    if not all(isinstance(one, dict) and isinstance(one.get("data") or {}, dict) for one in entries):
        raise InvalidInput(errors=[InputError("/entities", "shape", "objects with uuid and data are expected")])
    look = auth.look(actor, "read", "odk central")
    made = odk_central.create_entities(auth.house(), actor, auth.scope(actor), kind, entries, look, community)
    if several is None and made:
        return json_answer(made[0])
    return json_answer({"success": True})


@_route(f"{_LIST}/entities/<record_id>", "PATCH", "修改记录", "Change an entity", request=_ANY,
        query={"force": {"type": "boolean"}, "baseVersion": {"type": "integer"}})  # fmt: skip
def update_entity(project: str, kind: str, record_id: str) -> Response:
    """Needs ``write_records``; ``baseVersion`` must be the version now, unless ``force`` is true."""
    actor, community = _at(project, "write_records")
    base, forced = request.args.get("baseVersion"), request.args.get("force", "").lower() == "true"
    if not forced and not (base or "").isdecimal():
        raise InvalidInput(errors=[InputError("/baseVersion", "required", "baseVersion, or force=true")])
    data = read_json(_MOST).get("data") or {}
    if not isinstance(data, dict):
        raise InvalidInput(errors=[InputError("/data", "shape", "an object is expected")])
    told = odk_central.update_entity(
        auth.house(), actor, auth.scope(actor), community, kind, record_id, data, base_version=None if forced else int(base or 0),
        look=auth.look(actor, "read", "odk central"),
    )  # fmt: skip
    return json_answer(told)


@_route(f"{_LIST}/entities/<record_id>", "DELETE", "删除记录", "Delete an entity")
def delete_entity(project: str, kind: str, record_id: str) -> Response:
    """Needs ``write_records``; it can be restored at the console."""
    actor, community = _at(project, "write_records")
    odk_central.delete_entity(auth.house(), actor, auth.scope(actor), community, kind, record_id)
    return json_answer({"success": True})


# ---------------------------------------------------------------- app users
@_route("/projects/<project>/app-users", "GET", "扫码地址", "App users: addresses for Collect", response=_MANY)
def list_app_users(project: str) -> Response:
    """Needs ``manage_devices``."""
    actor, community = _at(project, "manage_devices")
    return json_answer(odk_central.app_users(auth.house(), actor, community))


@_route("/projects/<project>/app-users", "POST", "新的扫码地址", "A new app user; displayName is the login name of a worker", request=_ANY)
def create_app_user(project: str) -> Response:
    """Needs ``manage_devices``."""
    actor, community = _at(project, "manage_devices")
    name = str(read_json(10_000).get("displayName") or "")
    return json_answer(odk_central.create_app_user(auth.house(), actor, community, name, request_id()))


@_route("/projects/<project>/app-users/<int:number>", "DELETE", "停用扫码地址", "Revoke an app user")
def revoke_app_user(project: str, number: int) -> Response:
    """Needs ``manage_devices``."""
    actor, community = _at(project, "manage_devices")
    odk_central.revoke_app_user(auth.house(), actor, community, number, request_id())
    return json_answer({"success": True})


@_route(f"{_FORM}/assignments/<role>/<int:number>", "POST", "把表单分给扫码地址", "Assign a form to an app user: everybody has every form, so it is so already")
def assign_form(project: str, form_id: str, role: str, number: int) -> Response:
    """Needs ``manage_devices``."""
    actor, community = _at(project, "manage_devices")
    odk_central.ready(auth.house(), form_id)
    if number not in [one["id"] for one in odk_central.app_users(auth.house(), actor, community)]:
        raise NotFound("no such app user")
    return json_answer({"success": True})


@_route("/<path:rest>", "GET", "其他 ODK Central 接口", "Whatever else Central answers at is not here: 404.1")
def not_here(rest: str) -> Response:
    """In Central's words, so that a script can tell."""
    raise NotFound("this part of ODK Central's API is not here")
