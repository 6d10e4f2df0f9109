"""What a restore lost and phones still have: offered by phones, looked at in the inbox."""

from __future__ import annotations

from typing import Any

import orjson
from flask import Blueprint, Response, request
from marshmallow import Schema, fields, validate

from server import auth
from server.api.body import read_json
from server.api.inbox import BaseSchema
from server.api.pages import COMMUNITY, PAGE, PAGED, actor_in_community, page_limit
from server.errors import InputError, InvalidInput
from server.openapi import describe
from server.services import recovered, recovery
from server.services.recovery import Witness
from sync.operation import is_uuid

blueprint = Blueprint("recovery", __name__)

MOST_WITNESSES = 500
_MOST_BYTES = 8_000_000
_TEXT = {"type": "string"}


@blueprint.post("/api/v1/sync/witness")
@describe(
    zh="恢复后，手机交来服务器缺少的副本",
    en="After a restore a phone offers copies that the server lacks; never merged unasked",
    tag="同步",
    auth="device",
    request={
        "type": "object",
        "required": ["protocol", "install_id", "witnesses"],
        "properties": {
            "protocol": {"const": 1},
            "install_id": _TEXT,
            "witnesses": {
                "type": "array",
                "maxItems": MOST_WITNESSES,
                "items": {"type": "object", "required": ["epoch", "record"]},
            },
        },
    },
    response={"type": "object", "required": ["kept", "known", "erased"]},
    problems=("malformed-body", "body-too-large", "invalid-input", "busy"),
)
def offer() -> Response:
    """The phone may forget what it offered once this was answered."""
    actor = auth.device()
    auth.demand(actor, "sync")
    body = read_json(_MOST_BYTES)
    if body.get("protocol") != 1:
        raise _wrong("/protocol", "this server speaks protocol 1")
    if body.get("install_id") != actor.install_id:
        raise _wrong("/install_id", "not the install of this token")
    offered = body.get("witnesses")
    if not isinstance(offered, list) or len(offered) > MOST_WITNESSES:
        raise _wrong("/witnesses", f"a list of at most {MOST_WITNESSES}")
    witnesses = [_witness(f"/witnesses/{place}", one) for place, one in enumerate(offered)]
    return _json(recovery.offer(auth.house(), actor.community_id, actor.install_id or "", witnesses))


def _witness(where: str, one: Any) -> Witness:
    record = one.get("record") if isinstance(one, dict) else None
    if not isinstance(record, dict) or not _is_word(one.get("epoch")):
        raise _wrong(where, "an object with epoch and record")
    if not is_uuid(record.get("id")):
        raise _wrong(f"{where}/record/id", "a UUID")
    for name in ("type", "tag"):
        if not _is_word(record.get(name)):
            raise _wrong(f"{where}/record/{name}", "text")
    if type(record.get("v")) is not int or not 0 < record["v"] < 1 << 31:
        raise _wrong(f"{where}/record/v", "a whole number above 0")
    if not isinstance(record.get("fields"), dict):
        raise _wrong(f"{where}/record/fields", "an object")
    home = record.get("home")
    if home is not None and not _is_word(home):
        raise _wrong(f"{where}/record/home", "text or null")
    return Witness(one["epoch"], record["id"], record["type"], record["v"], record["tag"], home, record)


@blueprint.get("/api/v1/inbox/recovery")
@describe(
    zh="恢复后手机交来的副本，等人核对",
    en="Copies that phones offered after a restore, each beside what stands now; the personal fields are audited",
    tag="待办",
    query=PAGE,
    response=PAGED,
    problems=("invalid-input",),
)
def list_recovery() -> Response:
    """Needs ``read_inbox``; every page is written into the audit log."""
    actor, community_id = actor_in_community("read_inbox")
    look = auth.look(actor, "read", "inbox: recovery")
    cursor = request.args.get("next")
    page = recovery.waiting(auth.house(), auth.scope(actor), community_id, look, cursor=cursor, limit=page_limit())
    return _json(page)


@blueprint.post("/api/v1/inbox/recovery/<recovery_id>/close")
@describe(
    zh="这份副本已核对",
    en="A copy was dealt with: it leaves the queue, nothing is written into records",
    tag="待办",
    query=COMMUNITY,
    response={"type": "object"},
    problems=("not-found",),
)
def close_recovery(recovery_id: str) -> Response:
    """Needs ``resolve_conflicts``."""
    actor, community_id = actor_in_community("resolve_conflicts")
    look = auth.look(actor, "change", "inbox: recovery closed")
    recovery.close(auth.house(), actor, auth.scope(actor), community_id, recovery_id, look)
    return _json({"state": "closed"})


class WriteBackGiven(Schema):
    """What of a copy goes back into its record."""

    units = fields.List(fields.String(), required=True, validate=validate.Length(1, 200), metadata={"description": "units of the copy, as the queue names them"})
    base = fields.Nested(BaseSchema, required=True, allow_none=True, metadata={"description": "v and tag of `present` that was on the screen, null for none"})


@blueprint.post("/api/v1/inbox/recovery/<recovery_id>/write")
@describe(
    zh="把副本里选中的内容写回档案",
    en="Write chosen units of a copy back into its record, as an operation like everybody's; the copy leaves the queue",
    tag="待办",
    request=WriteBackGiven,
    query=COMMUNITY,
    response={"type": "object", "required": ["state", "results"]},
    problems=("invalid-input", "malformed-body", "not-found", "outside-your-scope", "busy"),
    more="A record that is not there is made with its former id, a deleted one is restored. Refused with `changed_meanwhile` where "
    "the record has another version than `base`: nothing newer is written over unseen.",
)
def write_back_recovery(recovery_id: str) -> Response:
    """Needs ``resolve_conflicts``."""
    actor, community_id = actor_in_community("resolve_conflicts")
    given = WriteBackGiven().load(read_json(100_000))
    look = auth.look(actor, "change", "inbox: recovery written back")
    told = recovered.write_back(auth.house(), actor, auth.scope(actor), community_id, recovery_id, given["units"], given["base"], look)
    return _json(told)


def _is_word(value: Any) -> bool:
    """A short printable text."""
    return isinstance(value, str) and 0 < len(value) <= 128 and value.isprintable()


def _wrong(pointer: str, expected: str) -> InvalidInput:
    return InvalidInput(errors=[InputError(pointer, "envelope", f"expected: {expected}")])


def _json(body: Any) -> Response:
    return Response(orjson.dumps(body), mimetype="application/json")
