"""Sign-in, accounts, read tokens, assignments and the audit log."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, request

from server.api.answers import empty_answer, json_answer
from server.api.body import read_json
from server.api.shapes import (
    MAX_BODY,
    AssignmentGiven,
    AssignmentTold,
    AuditTold,
    OwnPasswordGiven,
    PasswordGiven,
    ReadTokenGiven,
    ReadTokenTold,
    SessionTold,
    SignInGiven,
    SuccessorGiven,
    TopicsGiven,
    UserGiven,
    UserTold,
    list_of,
)
from server.auth import COOKIE, house, limit, signed_in
from server.errors import InputError, InvalidInput, NotSignedIn, WrongCredentials
from server.openapi import describe
from server.problems import request_id
from server.services import accounts, assignments, audit, sign_in
from server.services.audit import PAGE

blueprint = Blueprint("people", __name__)

_SESSION = "登录"
_USERS = "人员与分工"
_AUDIT = "审计"


@blueprint.post("/api/v1/session")
@describe(
    zh="登录",
    en="Sign in: sets the session cookie",
    tag=_SESSION,
    auth="none",
    request=SignInGiven,
    response=SessionTold,
    problems=("wrong-credentials", "account-locked", "slow-down", "malformed-body", "invalid-input"),
)
def begin_session() -> Response:
    """Sign in."""
    limit("sign_in")
    given = SignInGiven().load(read_json(MAX_BODY))
    made = sign_in.sign_in(house(), given["login"], given["password"], request_id=request_id())
    answer = json_answer(
        SessionTold().dump({"user": made.actor, "csrf_token": made.csrf_token, "expires_at": made.expires_at})
    )
    answer.set_cookie(
        COOKIE,
        made.secret,
        max_age=house().settings.session_hours * 3600,
        httponly=True,
        samesite="Lax",
        secure=house().settings.secure or request.is_secure,
        path="/",
    )
    return answer


@blueprint.get("/api/v1/session")
@describe(
    zh="当前登录",
    en="Who is signed in",
    tag=_SESSION,
    response=SessionTold,
    query={"optional": {"type": "string", "enum": ["true"], "description": "answer 204 instead of 401 where nobody is signed in"}},
)
def show_session() -> Response:
    """Who is signed in; a page that only asks whether somebody is gets an empty answer for nobody."""
    try:
        signed_in("read_reference")
    except NotSignedIn:
        if request.args.get("optional") != "true":
            raise
        return empty_answer()
    session = sign_in.session_of(house(), request.cookies[COOKIE])
    told = {"user": session.actor, "csrf_token": session.csrf_token, "expires_at": session.expires_at}
    return json_answer(SessionTold().dump(told))


@blueprint.delete("/api/v1/session")
@describe(zh="退出登录", en="Sign out", tag=_SESSION, status=204)
def end_session() -> Response:
    """Sign out."""
    signed_in("read_reference")
    sign_in.sign_out(house(), request.cookies[COOKIE])
    answer = empty_answer()
    answer.delete_cookie(COOKIE, path="/", httponly=True, samesite="Lax")
    return answer


@blueprint.post("/api/v1/session/password")
@describe(
    zh="修改自己的密码",
    en="Change one's own password; every session ends",
    tag=_SESSION,
    request=OwnPasswordGiven,
    status=204,
    problems=("wrong-credentials", "invalid-input", "slow-down"),
)
def change_own_password() -> Response:
    """Change one's own password."""
    limit("sign_in")
    actor = signed_in("read_reference")
    given = OwnPasswordGiven().load(read_json(MAX_BODY))
    if not sign_in.password_is(house(), actor, given["current"]):
        raise WrongCredentials("the current password is wrong")
    user = sign_in.account_of(house(), actor)
    accounts.set_password(house(), actor, user, given["password"], request_id=request_id())
    return empty_answer()


# ---------------------------------------------------------------- accounts


@blueprint.get("/api/v1/users")
@describe(zh="账号列表", en="Accounts within reach", tag=_USERS, response=list_of("users", UserTold))
def list_users() -> Response:
    """Accounts within reach."""
    found = accounts.list_users(house(), signed_in("read_people"))
    return json_answer({"users": UserTold(many=True).dump(found)})


@blueprint.post("/api/v1/users")
@describe(
    zh="新建账号",
    en="Make an account",
    tag=_USERS,
    request=UserGiven,
    response=UserTold,
    status=201,
    problems=("invalid-input", "already-exists", "not-found"),
)
def add_user() -> Response:
    """Make an account."""
    actor = signed_in("manage_people")
    given = UserGiven().load(read_json(MAX_BODY))
    return json_answer(UserTold().dump(accounts.add_user(house(), actor, request_id=request_id(), **given)), 201)


@blueprint.post("/api/v1/users/<user_id>/password")
@describe(
    zh="重设密码",
    en="Set the password of an account; its sessions end",
    tag=_USERS,
    request=PasswordGiven,
    status=204,
    problems=("invalid-input", "not-found"),
)
def set_password(user_id: str) -> Response:
    """Set the password of an account."""
    actor = signed_in("manage_people")
    given = PasswordGiven().load(read_json(MAX_BODY))
    user = accounts.find_user(house(), actor, user_id)
    accounts.set_password(house(), actor, user, given["password"], request_id=request_id())
    return empty_answer()


@blueprint.post("/api/v1/users/<user_id>/topics")
@describe(
    zh="设置条线",
    en="Set the lines of work of an account",
    tag=_USERS,
    request=TopicsGiven,
    status=204,
    problems=("invalid-input", "not-found"),
)
def set_topics(user_id: str) -> Response:
    """Set the lines of work of an account."""
    actor = signed_in("manage_people")
    given = TopicsGiven().load(read_json(MAX_BODY))
    user = accounts.find_user(house(), actor, user_id)
    accounts.set_topics(house(), actor, user, given["topics"], request_id=request_id())
    return empty_answer()


@blueprint.post("/api/v1/users/<user_id>/close")
@describe(
    zh="停用账号",
    en="Close an account: its sessions, tokens and devices stop",
    tag=_USERS,
    status=204,
    problems=("not-found",),
)
def close_user(user_id: str) -> Response:
    """Close an account."""
    actor = signed_in("manage_people")
    accounts.close_user(house(), actor, accounts.find_user(house(), actor, user_id), request_id=request_id())
    return empty_answer()


# ---------------------------------------------------------------- read tokens


@blueprint.get("/api/v1/read-tokens")
@describe(zh="只读令牌", en="One's own read tokens", tag=_USERS, response=list_of("read_tokens", ReadTokenTold))
def list_read_tokens() -> Response:
    """One's own read tokens."""
    found = sign_in.read_tokens(house(), signed_in("make_read_token"))
    return json_answer({"read_tokens": ReadTokenTold(many=True, exclude=["token"]).dump(found)})


@blueprint.post("/api/v1/read-tokens")
@describe(
    zh="新建只读令牌",
    en="Make a read token, for QGIS and other programs that only read",
    tag=_USERS,
    request=ReadTokenGiven,
    response=ReadTokenTold,
    status=201,
    problems=("invalid-input",),
)
def add_read_token() -> Response:
    """Make a read token."""
    actor = signed_in("make_read_token")
    given = ReadTokenGiven().load(read_json(MAX_BODY))
    token, row = sign_in.make_read_token(house(), actor, request_id=request_id(), **given)
    return json_answer(ReadTokenTold(exclude=["token"]).dump(row) | {"token": token}, 201)


@blueprint.post("/api/v1/read-tokens/<token_id>/revoke")
@describe(zh="停用只读令牌", en="End a read token", tag=_USERS, status=204, problems=("not-found",))
def revoke_read_token(token_id: str) -> Response:
    """End a read token."""
    sign_in.revoke_read_token(house(), signed_in("make_read_token"), token_id)
    return empty_answer()


# ---------------------------------------------------------------- assignments


@blueprint.get("/api/v1/assignments")
@describe(
    zh="分工列表",
    en="Who works which cell, past and coming days too",
    tag=_USERS,
    response=list_of("assignments", AssignmentTold),
    query={
        "user_id": {"type": "string"},
        "on": {"type": "string", "format": "date", "description": "only those in force on this day"},
    },
)
def list_assignments() -> Response:
    """Who works which cell."""
    actor = signed_in("manage_assignments")
    on = request.args.get("on")
    if on is not None and (len(on) != 10 or not on.replace("-", "").isdigit()):
        raise InvalidInput(errors=[InputError("/on", "format", "a day such as 2026-03-02")])
    found = assignments.list_assignments(house(), actor, user_id=request.args.get("user_id"), on=on)
    return json_answer({"assignments": AssignmentTold(many=True).dump(found)})


@blueprint.post("/api/v1/assignments")
@describe(
    zh="分配网格",
    en="Assign a grid worker to a cell",
    tag=_USERS,
    request=AssignmentGiven,
    response=AssignmentTold,
    status=201,
    problems=("invalid-input", "not-found", "already-exists"),
)
def add_assignment() -> Response:
    """Assign a grid worker to a cell."""
    actor = signed_in("manage_assignments")
    given = AssignmentGiven().load(read_json(MAX_BODY))
    made = assignments.assign(house(), actor, request_id=request_id(), **given)
    return json_answer(AssignmentTold().dump(made), 201)


@blueprint.post("/api/v1/assignments/<assignment_id>/revoke")
@describe(
    zh="结束分工",
    en="End an assignment; the phone drops the cell with its next pull",
    tag=_USERS,
    response=AssignmentTold,
    problems=("not-found",),
    query={"community_id": {"type": "string", "description": "for people of the house"}},
)
def revoke_assignment(assignment_id: str) -> Response:
    """End an assignment."""
    actor = signed_in("manage_assignments")
    done = assignments.revoke(
        house(), actor, assignment_id, community_id=request.args.get("community_id"), request_id=request_id()
    )
    return json_answer(AssignmentTold().dump(done))


@blueprint.post("/api/v1/assignments/<assignment_id>/hand-over")
@describe(
    zh="把网格交给接手人",
    en="Hand a cell over to a successor from today on: the old assignment ends and the new one begins together, or nothing changes",
    tag=_USERS,
    request=SuccessorGiven,
    response=AssignmentTold,
    problems=("invalid-input", "not-found", "already-exists"),
    more="The new one has the duty and the last day of the old one. Sent again after the answer was lost, it gives the same assignment.",
)
def hand_over_assignment(assignment_id: str) -> Response:
    """Hand a cell over."""
    actor = signed_in("manage_assignments")
    given = SuccessorGiven().load(read_json(MAX_BODY))
    made = assignments.hand_over(house(), actor, assignment_id, request_id=request_id(), **given)
    return json_answer(AssignmentTold().dump(made))


# ---------------------------------------------------------------- audit


@blueprint.get("/api/v1/audit")
@describe(
    zh="审计记录",
    en="The audit log, newest first: who looked at what, and what for",
    tag=_AUDIT,
    auth="read",
    response=list_of("lines", AuditTold, next={"type": ["string", "null"], "description": "cursor of the next page"},
                     names={"type": "object", "description": "names of the accounts in these lines, by id"}),
    query={
        "since": {"type": "string", "description": "ISO time, included"},
        "until": {"type": "string", "description": "ISO time, not included"},
        "actor_id": {"type": "string"},
        "record_id": {"type": "string"},
        "action": {"type": "string"},
        "limit": {"type": "integer", "minimum": 1, "maximum": PAGE},
        "after": {"type": "string", "description": "`next` of the page before"},
    },
    problems=("invalid-input",),
)
def list_audit() -> Response:
    """The audit log."""
    actor = signed_in("read_audit", read_token=True)
    size = request.args.get("limit", "100")
    if not size.isascii() or not size.isdigit() or not 1 <= int(size) <= PAGE:
        raise InvalidInput(errors=[InputError("/limit", "range", f"1 to {PAGE}")])
    wanted: dict[str, Any] = {
        name: request.args.get(name) or None for name in ("since", "until", "actor_id", "record_id", "action")
    }
    at, _, audit_id = request.args.get("after", "").partition("~")
    before = (at, audit_id) if at else None
    lines = audit.lines(house(), actor, before=before, limit=int(size), **wanted)
    following = f"{lines[-1].at}~{lines[-1].audit_id}" if len(lines) == int(size) else None
    names = audit.names_in(house(), actor, lines)
    return json_answer({"lines": AuditTold(many=True).dump(lines), "next": following, "names": names})
