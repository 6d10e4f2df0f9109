"""A phone whose log the server has otherwise goes on as an install of its own (S21)."""

from __future__ import annotations

from typing import Any

import orjson
from flask import Blueprint, Response

from server import auth
from server.api.body import read_json
from server.errors import InputError, InvalidInput
from server.openapi import describe
from server.problems import request_id
from server.services.forks import fork
from server.services.prepare import is_record_id

blueprint = Blueprint("forks", __name__)

MOST_LINES = 20_000


@blueprint.post("/api/v1/sync/fork")
@describe(
    zh="克隆或恢复的手机另立设备，从分叉处继续",
    en="A cloned or restored phone goes on as an install of its own, from where its log and the server's part",
    tag="同步",
    auth="device",
    request={
        "type": "object",
        "required": ["protocol", "install_id", "fork_id", "log"],
        "properties": {
            "protocol": {"const": 1},
            "install_id": {"type": "string", "description": "of the token"},
            "fork_id": {"type": "string", "description": "UUID of the new install, made by the phone once"},
            "log": {"type": "array", "maxItems": MOST_LINES, "items": {"type": "array", "description": "n, op_id"}},
            "label": {"type": "string"},
            "app_version": {"type": "string"},
        },
    },
    response={"type": "object", "required": ["community_id", "install_id", "device_token", "parent"]},
    problems=("malformed-body", "invalid-input", "body-too-large"),
)
def fork_install() -> Response:
    """Asking again with the same ``fork_id`` gives the same install."""
    actor = auth.device()
    auth.demand(actor, "sync")
    body = read_json(2_000_000)
    if body.get("protocol") != 1 or body.get("install_id") != actor.install_id:
        raise _wrong("/install_id", "protocol 1 and the install of this token")
    fork_id, log = body.get("fork_id"), body.get("log")
    if not isinstance(fork_id, str) or not is_record_id(fork_id) or fork_id == actor.install_id:
        raise _wrong("/fork_id", "a new UUID in small letters")
    if not isinstance(log, list) or len(log) > MOST_LINES or not all(_is_line(one) for one in log):
        raise _wrong("/log", f"at most {MOST_LINES} pairs of n and op_id")
    made = fork(
        auth.house(), actor, install_id=fork_id, log=[(one[0], one[1]) for one in log],
        label=_text(body, "label"), app_version=_text(body, "app_version"), request_id=request_id(),
    )  # fmt: skip
    told: dict[str, Any] = {
        "community_id": made.community_id,
        "install_id": made.install_id,
        "device_token": made.device_token,
        "parent": {"install_id": made.parent_install_id, "n": made.n, "op_id": made.op_id},
        "protocol": 1,
    }
    return Response(orjson.dumps(told), content_type="application/json")


def _is_line(one: Any) -> bool:
    return isinstance(one, list) and len(one) == 2 and type(one[0]) is int and 0 < one[0] < 2**53 and isinstance(one[1], str)


def _text(body: dict[str, Any], name: str) -> str:
    value = body.get(name)
    return value[:80] if isinstance(value, str) else ""


def _wrong(pointer: str, expected: str) -> InvalidInput:
    return InvalidInput(errors=[InputError(pointer, "envelope", f"expected: {expected}")])
