"""From errors to answers: the only table of HTTP statuses, and the RFC 9457 bodies made from it."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from flask import Flask, Response, g
from marshmallow import ValidationError
from sqlalchemy.exc import OperationalError
from werkzeug.exceptions import HTTPException

from forms.errors import UnknownCodeList, UnknownRecordType, UnknownRoster
from geo.errors import GeoError, MalformedGeoJSON
from server import errors
from server.errors import CellsRefused, InputError
from server.store.errors import Busy, PlanOutdated, Unavailable
from server.store.reach import Unreachable
from sync.errors import MalformedCursor, MalformedOperation

_log = logging.getLogger("dishu")
MEDIA_TYPE = "application/problem+json"
_RETRY_AFTER_S = 2  # of a 503 that knows no time of its own: every one says when to come back


@dataclass(frozen=True, slots=True)
class Problem:
    """One kind of problem: its address is /problems/<slug>, its words never change from case to case."""

    slug: str
    status: int
    zh: str
    en: str
    help_zh: str = ""
    help_en: str = ""


_PROBLEMS = (
    Problem("malformed-body", 400, "请求内容不是可读的 JSON", "The body is not the JSON that is expected"),
    Problem("invalid-input", 422, "填写内容有误", "What was sent is not acceptable",
            "errors 逐项指出位置、代码和原因。", "errors names every place, with a code and a reason."),
    Problem("invalid-parameter", 400, "查询参数有误", "A query parameter is unknown or cannot be read",
            "errors 指出参数和原因。", "errors names the parameter and the reason."),
    Problem("invalid-cells", 422, "网格划分有误", "The cells cannot be published",
            "重叠、缝隙、自相交或编码不符的网格逐项列出。",
            "Overlaps, gaps, crossing rings and codes outside the profile are listed."),
    Problem("body-too-large", 413, "请求内容过大", "The body is too large",
            "请分成较小的批次再发。", "Send smaller batches."),
    Problem("unsupported-body", 415, "不支持的内容类型", "This media type or encoding is not read here"),
    Problem("not-signed-in", 401, "未登录或登录已过期", "Not signed in, or the sign-in has ended"),
    Problem("wrong-credentials", 401, "用户名或密码不正确", "Name or password is wrong"),
    Problem("account-locked", 429, "密码多次错误，账号暂时锁定", "Too many wrong passwords; closed for a while",
            "到时间后自动恢复；管理员也可以重设密码。", "It opens again by itself; an administrator may set a new password."),
    Problem("csrf-refused", 403, "缺少或错误的 CSRF 令牌", "The session's CSRF token is missing or wrong"),
    Problem("token-refused", 401, "令牌无效或已过期", "The token is not valid or has expired"),
    Problem("install-revoked", 403, "此设备已被停用", "This device was revoked",
            "reason 说明原因：lost（遗失）时设备清除本机内容；retired、replaced、closed 时先送完未上传的内容，再清除。",
            "reason says why: at lost the device erases itself; at retired, replaced, closed it first hands over what it has."),
    Problem("install-unconfirmed", 403, "设备待社区确认", "The community has to confirm this device first",
            "系统从备份恢复后不认识这台设备；可以上传，内容会等待确认。", "The server was restored; the device may push, and what it sends waits."),
    Problem("sealed-unreadable", 422, "加密的待发内容无法打开", "Sealed work cannot be opened here",
            "内容仍在手机上；输入 PIN 后会直接发送。", "It is still on the phone, and goes openly once the PIN was given."),
    Problem("outside-your-scope", 403, "超出您的权限范围", "Outside what you may see or do"),
    Problem("not-found", 404, "没有找到", "Not found within your scope"),
    Problem("already-exists", 409, "已经存在", "It exists already"),
    Problem("already-decided", 409, "已经有人处理过", "Somebody has decided this already, or it waits for something else",
            "请刷新待办后再看。", "Look at the list again."),
    Problem("enrolment-code-unknown", 404, "没有这个登记码", "No such enrolment code"),
    Problem("enrolment-code-expired", 410, "登记码已过期", "The enrolment code has expired",
            "请社区重新生成登记码。", "Ask the community for a new code."),
    Problem("enrolment-code-used", 409, "登记码已使用", "The enrolment code was used",
            "每个登记码只能登记一台设备。", "Each code enrols one device."),
    Problem("cursor-unreadable", 410, "游标无法读取，请从头同步", "The cursor is not one that this house made",
            "丢弃游标，从头拉取；未上传的内容不受影响。", "Drop it and pull from zero; unsent work is not affected."),
    Problem("upload-expired", 410, "上传超时，已收到的部分已清除", "The upload was not finished in time",
            "请重新上传。", "Upload it again."),
    Problem("offset-differs", 409, "续传位置不符", "The upload goes on at another byte",
            "先用 HEAD 取得已收到的字节数，再从那里续传。", "Ask with HEAD how much has arrived, and go on from there."),
    Problem("hash-differs", 460, "收到的内容与校验值不符", "What arrived is not what was announced",
            "内容未保存，请重新发送。", "Nothing of it was kept; send it again."),
    Problem("tus-version", 412, "不支持的续传协议版本", "This version of the upload protocol is not spoken here"),
    Problem("storage-unreachable", 503, "照片存储暂时无法连接", "The storage of photos cannot be reached"),
    Problem("slow-down", 429, "操作太频繁，请稍候", "Too many tries; wait a little"),
    Problem("busy", 503, "服务器繁忙，请稍候再试", "The server is busy; nothing was changed"),
    Problem("database-unreachable", 503, "数据库暂时无法连接", "The database cannot be reached"),
    Problem("unexpected", 500, "服务器出现意外错误", "Something unexpected went wrong",
            "请把请求编号告诉管理员。", "Tell the administrator the id of the request."),
)  # fmt: skip

PROBLEMS: dict[str, Problem] = {problem.slug: problem for problem in _PROBLEMS}
"""Every problem by slug."""

TABLE: dict[type[Exception], str] = {
    errors.NotSignedIn: "not-signed-in",
    errors.WrongCredentials: "wrong-credentials",
    errors.AccountLocked: "account-locked",
    errors.CsrfRefused: "csrf-refused",
    errors.TokenRefused: "token-refused",
    errors.InstallRevoked: "install-revoked",
    errors.InstallUnconfirmed: "install-unconfirmed",
    errors.SealedUnreadable: "sealed-unreadable",
    errors.OutsideScope: "outside-your-scope",
    errors.NotFound: "not-found",
    CellsRefused: "invalid-cells",
    errors.InvalidParameter: "invalid-parameter",
    errors.InvalidInput: "invalid-input",
    errors.MalformedBody: "malformed-body",
    errors.BodyTooLarge: "body-too-large",
    errors.UnsupportedBody: "unsupported-body",
    MalformedCursor: "cursor-unreadable",
    errors.UploadExpired: "upload-expired",
    errors.OffsetDiffers: "offset-differs",
    errors.HashDiffers: "hash-differs",
    errors.ProtocolVersion: "tus-version",
    errors.StorageUnreachable: "storage-unreachable",
    errors.SlowDown: "slow-down",
    errors.AlreadyExists: "already-exists",
    errors.AlreadyDecided: "already-decided",
    errors.EnrolmentCodeUnknown: "enrolment-code-unknown",
    errors.EnrolmentCodeExpired: "enrolment-code-expired",
    errors.EnrolmentCodeUsed: "enrolment-code-used",
    errors.DatabaseUnreachable: "database-unreachable",
    ValidationError: "invalid-input",
    UnknownRecordType: "not-found",
    UnknownCodeList: "not-found",
    UnknownRoster: "not-found",
    GeoError: "invalid-input",
    MalformedGeoJSON: "invalid-cells",
    MalformedOperation: "invalid-input",
    OperationalError: "database-unreachable",
    Unreachable: "database-unreachable",
    Busy: "busy",
    PlanOutdated: "busy",
    Unavailable: "database-unreachable",
}
"""Which class of error answers with which problem; a class without a row answers as its nearest base."""


def problem_of(error: BaseException) -> Problem | None:
    """The problem of an error, None for an unexpected one."""
    return next((PROBLEMS[TABLE[kind]] for kind in type(error).__mro__ if kind in TABLE), None)


def answer(
    problem: Problem,
    *,
    detail: str = "",
    errors: Sequence[InputError] = (),
    retry_after_s: float | None = None,
    reason: str | None = None,
) -> Response:
    """The response of a problem. ``detail`` and messages must not hold personal values."""
    body: dict[str, Any] = {
        "type": f"/problems/{problem.slug}",
        "title": problem.en,
        "title_zh": problem.zh,
        "status": problem.status,
    }
    if detail:
        body["detail"] = detail
    if reason:
        body["reason"] = reason
    body["instance"] = f"urn:uuid:{request_id()}"
    if errors:
        body["errors"] = [{"pointer": e.pointer, "code": e.code, "message": e.message} for e in errors]
    response = Response(orjson.dumps(body), status=problem.status, content_type=MEDIA_TYPE)
    if retry_after_s is None and problem.status == 503:
        retry_after_s = _RETRY_AFTER_S
    if retry_after_s is not None:
        body["retry_after_s"] = retry_after_s
        response.data = orjson.dumps(body)
        response.headers["Retry-After"] = str(max(1, math.ceil(retry_after_s)))
    if problem.status == 401:
        # A bearer challenge, never Basic: a browser would ask for a password in a window of its own.
        response.headers["WWW-Authenticate"] = 'Bearer realm="dishu"'
    return response


def request_id() -> str:
    """The id of the request that is being answered."""
    return str(g.get("request_id", "00000000-0000-0000-0000-000000000000"))


def register_problems(app: Flask) -> None:
    """Answer every error of the app as problem details."""
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _any)


def _http(error: HTTPException) -> Response:
    """Errors of HTTP itself: exactly about:blank, with the status's own name."""
    if error.response is not None:
        return error.response  # type: ignore[return-value]  # a redirect or a ready answer
    if error.code == 413:
        return answer(PROBLEMS["body-too-large"])
    response = Response(
        orjson.dumps(
            {
                "type": "about:blank",
                "title": error.name,
                "status": error.code or 500,
                "instance": f"urn:uuid:{request_id()}",
            }
        ),
        status=error.code or 500,
        content_type=MEDIA_TYPE,
    )
    for name, value in error.get_headers():
        if name.lower() in {"allow", "retry-after", "location"}:
            response.headers[name] = value
    return response


def _any(error: Exception) -> Response:
    problem = problem_of(error)
    if problem is None:
        # The message of an unexpected error may hold a value that somebody typed: only its class is told.
        _log.error("unexpected %s in request %s at %s", type(error).__name__, request_id(), _place(error))
        return answer(PROBLEMS["unexpected"])
    if problem.slug == "database-unreachable":
        _log.error("%s in request %s at %s", type(error).__name__, request_id(), _place(error))
    if isinstance(error, ValidationError):
        return answer(problem, errors=tuple(schema_errors(error.normalized_messages())))
    return answer(
        problem,
        detail=str(getattr(error, "message", "") or (error.args[0] if _is_ours(error) and error.args else "")),
        errors=tuple(_input_errors(error)),
        retry_after_s=getattr(error, "retry_after_s", None),
        reason=error.reason if isinstance(error, errors.InstallRevoked) else None,
    )


def _is_ours(error: Exception) -> bool:
    return type(error).__module__.split(".")[0] in {"server", "forms", "geo", "sync"}


def _input_errors(error: Exception) -> Iterator[InputError]:
    # Errors of the pure rooms name one place each; ours carry a list.
    own = (error,) if hasattr(error, "pointer") and hasattr(error, "code") else ()
    for item in getattr(error, "errors", own):
        message = getattr(item, "message", None) or getattr(item, "message_en", None) or str(item)
        yield InputError(str(item.pointer), str(item.code), str(message))


def _place(error: BaseException) -> str:
    """File and line where an unexpected error began, without any value."""
    trace = error.__traceback__
    place = "?"
    while trace is not None:
        place = f"{trace.tb_frame.f_globals.get('__name__', '?')}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place


def schema_errors(messages: Mapping[Any, Any] | Sequence[Any], pointer: str = "") -> Iterator[InputError]:
    """Marshmallow's nested messages as flat errors with JSON pointers, in their own order."""
    if isinstance(messages, Mapping):
        for name, inner in messages.items():
            step = "" if name == "_schema" else "/" + str(name).replace("~", "~0").replace("/", "~1")
            yield from schema_errors(inner, pointer + step)
        return
    for message in messages:
        if isinstance(message, str):
            yield InputError(pointer, _CODES.get(message, "invalid"), message)
        else:
            yield from schema_errors(message, pointer)


_CODES = {
    "Missing data for required field.": "required",
    "Field may not be null.": "required",
    "Unknown field.": "unknown_field",
}
