"""The sync protocol over HTTP (docs/protocol.md): configuration, push, pull."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any, TypeGuard

import orjson
from flask import Blueprint, Response

from server import auth
from server.api.body import read_json
from server.errors import InputError, InvalidInput
from server.openapi import describe
from server.permissions import SCOPED, Actor
from server.services import pull as pulling
from server.services import push as pushing
from server.services.blobs import held_by_phone
from server.services.enrolment import handed_over, heard_of, reached
from server.services.lives import acknowledged
from server.services.outbox import public_key, send_token_of
from server.services.prepare import MAX_OPERATION_BYTES
from server.store.database import read, stamp
from server.store.life import epoch
from sync.cursor import FIRST_PAGE_ROWS
from sync.operation import is_uuid

blueprint = Blueprint("sync", __name__, url_prefix="/api/v1/sync")

PROTOCOL = 1
MAX_BODY_BYTES = 8_000_000
MOST_BLOBS = 1000
_MOST = 1 << 53
_MOST_TAKEN = 100
_OUTCOME = {"type": "object", "properties": {"outcome": {"type": "string"}, "reason": {"type": ["string", "null"]}}}


@blueprint.get("/config")
@describe(
    zh="同步设置与限额",
    en="Limits and versions of the sync protocol",
    tag="同步",
    auth="device",
    response={"type": "object", "required": ["protocol", "epoch", "limits", "min_protocol", "server_time"]},
)
def config() -> Response:
    """What a phone must know before it sends anything."""
    actor, house = auth.device_handing_over(), auth.house()
    with read(house.engine) as connection:
        life = epoch(connection)
    return _json(
        {
            "protocol": PROTOCOL,
            "min_protocol": PROTOCOL,
            "epoch": life,
            "limits": {
                "max_ops": pushing.MAX_OPERATIONS,
                "max_bytes": MAX_BODY_BYTES,
                "max_op_bytes": MAX_OPERATION_BYTES,
                "page_rows": FIRST_PAGE_ROWS,
            },
            "server_time": stamp(house.clock()),
            "server_public_key": public_key(house),
            "device_token": auth.renewed_token(),
            "send_token": send_token_of(house, actor),
            "revoked": auth.leaving(),
        }
    )


@blueprint.post("/push")
@describe(
    zh="上传操作",
    en="Take in a batch of operations",
    tag="同步",
    auth="device",
    request={
        "type": "object",
        "required": ["protocol", "install_id", "after", "groups"],
        "properties": {
            "protocol": {"const": PROTOCOL},
            "install_id": {"type": "string"},
            "after": {"type": "object", "required": ["n", "op_id"]},
            "scope": {"type": "object"},
            "departures": {"type": ["object", "null"], "required": ["seen", "last_n"]},
            "sent_at": {"type": "string", "format": "date-time"},
            "receipt": {"type": ["string", "null"]},
            "missing": {"type": "object", "required": ["n", "op_id"]},
            "groups": {"type": "array", "items": {"type": "object", "required": ["ops"]}},
        },
    },
    response={
        "type": "object",
        "required": ["epoch", "results", "applied", "safe_n"],
        "properties": {
            "results": {
                "type": "array",
                "items": {"type": "object", "properties": {"first": _OUTCOME, "now": _OUTCOME}},
            }
        },
    },
    problems=("malformed-body", "body-too-large", "unsupported-body", "invalid-input", "busy"),
)
def push() -> Response:
    """Every operation gets an outcome of its own; only a bad envelope is refused as a whole."""
    actor, unconfirmed = auth.pushing_device()
    return _json(take_in(actor, unconfirmed, read_json(MAX_BODY_BYTES, any_text=True)))


def take_in(actor: Actor, unconfirmed: bool, body: dict[str, Any]) -> dict[str, Any]:
    """The answer to a push body of this device."""
    house = auth.house()
    batch = read_batch(body, actor.install_id or "", house.clock())
    if isinstance(body.get("receipt"), str):
        batch = replace(batch, acknowledged=acknowledged(house, actor.install_id or "", body["receipt"]))
    batch = replace(batch, departures=_departures(body.get("departures")), taken=_taken(body.get("departures")))
    missing = body.get("missing")
    if isinstance(missing, dict) and is_number(missing.get("n")) and is_uuid(batch.after_op_id):
        batch = replace(batch, missing=(missing["n"], missing.get("op_id")))
    sender = pushing.Sender(
        actor.community_id, actor.install_id or "", actor.user_id or None, "device", actor.role in SCOPED,
        unconfirmed=unconfirmed,
    )  # fmt: skip
    going = auth.leaving()
    if going is None:
        return pushing.accept(house, sender, batch)
    before = reached(house, actor)
    answer = pushing.accept(house, sender, batch)
    handed_over(house, actor, before)
    return answer | {"revoked": going}


@blueprint.post("/pull")
@describe(
    zh="拉取变更",
    en="One page of what changed in the install's streams",
    tag="同步",
    auth="device",
    request={
        "type": "object",
        "required": ["protocol", "install_id", "cursor"],
        "properties": {
            "protocol": {"const": PROTOCOL},
            "install_id": {"type": "string"},
            "cursor": {"type": ["string", "null"]},
            "limit": {"type": ["integer", "null"], "minimum": 1},
            "snapshots": {"type": "boolean", "description": "takes prepared files; with a null cursor only"},
            "replace": {"type": "array", "items": {"type": "string"}},
            "unsent": {
                "type": ["integer", "null"],
                "minimum": 0,
                "description": "operations that the phone has still to send; shown to the secretary",
            },
            "blobs": {
                "type": "array",
                "items": {"type": "string"},
                "maxItems": MOST_BLOBS,
                "description": "SHA-256 of photos that the phone holds; a complete page says which are missing and which are safe",
            },
        },
    },
    response={"type": "object", "required": ["epoch", "cursor", "complete", "scope", "replace", "rows"]},
    problems=("malformed-body", "body-too-large", "invalid-input", "cursor-unreadable", "busy"),
)
def pull() -> Response:
    """The cursor is opaque; the page says whether it completes the pull."""
    actor = auth.device()
    auth.demand(actor, "sync")
    body = read_json(1_000_000)
    check_envelope(body, actor.install_id or "")
    cursor, limit, replace = body.get("cursor"), body.get("limit"), body.get("replace") or []
    if cursor is not None and not isinstance(cursor, str):
        raise wrong("/cursor", "text or null")
    if limit is not None and (type(limit) is not int or limit < 1):
        raise wrong("/limit", "a whole number above 0")
    if not isinstance(replace, list) or not all(isinstance(one, str) for one in replace):
        raise wrong("/replace", "a list of streams")
    unsent = body.get("unsent")
    if unsent is not None and not is_number(unsent):
        raise wrong("/unsent", "a whole number, 0 or more")
    program = body.get("app_version")
    if program is not None and (not isinstance(program, str) or len(program) > 40):
        raise wrong("/app_version", "a text of at most 40 characters")
    reader = pulling.Reader(actor.community_id, actor.install_id or "", actor.user_id, actor.role)
    held = body.get("blobs") or []
    if not isinstance(held, list) or len(held) > MOST_BLOBS or not all(isinstance(one, str) for one in held):
        raise wrong("/blobs", f"a list of at most {MOST_BLOBS} SHA-256")
    look = auth.look(actor, "read", "sync")
    answer = pulling.pull(auth.house(), reader, cursor, look, limit=limit, replace=tuple(replace), prepared=body.get("snapshots") is True)
    if answer["complete"]:
        heard_of(auth.house(), actor, unsent, program or None)
    if held and answer["complete"]:
        answer |= held_by_phone(auth.house(), actor.community_id, held)
    return _json(answer)


def read_batch(body: dict[str, Any], install_id: str, now: datetime) -> pushing.Batch:
    """The batch of a push body; InvalidInput names the first place of the envelope that is wrong."""
    check_envelope(body, install_id)
    after, groups = body.get("after"), body.get("groups")
    if not isinstance(after, dict) or not is_number(after.get("n")):
        raise wrong("/after", "an object with n and op_id")
    if after.get("op_id") is not None and not isinstance(after["op_id"], str):
        raise wrong("/after/op_id", "text or null")
    if not isinstance(groups, list):
        raise wrong("/groups", "a list")
    count = 0
    read_groups = []
    for at, group in enumerate(groups):
        operations = group.get("ops") if isinstance(group, dict) else None
        if not isinstance(operations, list) or not operations:
            raise wrong(f"/groups/{at}/ops", "a list with at least one operation")
        members: list[tuple[int, str]] = []
        for place, one in enumerate(operations):
            n, text = (one.get("n"), one.get("op")) if type(one) is dict else (None, None)
            if type(text) is not str or not is_number(n):
                raise wrong(f"/groups/{at}/ops/{place}", "an object with n (whole number) and op (text)")
            members.append((n, text))
        count += len(members)
        read_groups.append(tuple(members))
    if count > pushing.MAX_OPERATIONS:
        raise wrong("/groups", f"at most {pushing.MAX_OPERATIONS} operations in one batch")
    return pushing.Batch(
        tuple(read_groups), after["n"], after.get("op_id"), _scope(body.get("scope")), _skew(body.get("sent_at"), now)
    )


def check_envelope(body: dict[str, Any], install_id: str) -> None:
    """InvalidInput unless the body is of this protocol and of the install behind the token."""
    if body.get("protocol") != PROTOCOL:
        raise wrong("/protocol", f"{PROTOCOL}, the protocol that this server speaks")
    if body.get("install_id") != install_id:
        raise wrong("/install_id", "the install of this token")


def _scope(value: Any) -> tuple[int, int]:
    if value is None:
        return 0, 0
    version = value.get("version", 0) if isinstance(value, dict) else None
    last_n = value.get("last_n", 0) if isinstance(value, dict) else None
    if not is_number(version) or not is_number(last_n):
        raise wrong("/scope", "an object with version and last_n")
    return version, last_n


def _departures(value: Any) -> tuple[str, int]:
    if value is None:
        return "", 0
    seen = value.get("seen") if isinstance(value, dict) else None
    last_n = value.get("last_n") if isinstance(value, dict) else None
    if not isinstance(seen, str) or not is_number(last_n):
        raise wrong("/departures", "an object with seen (text) and last_n (whole number), or null")
    return seen, last_n


def _taken(value: Any) -> tuple[tuple[str, int, int], ...]:
    """What phones had read whose work this one took over: (seen, after, last_n)."""
    found = value.get("taken") if isinstance(value, dict) else None
    if found is None:
        return ()
    if not isinstance(found, list) or len(found) > _MOST_TAKEN:
        raise wrong("/departures/taken", f"at most {_MOST_TAKEN} of what other phones had read")
    return tuple(_span(one if isinstance(one, dict) else {}) for one in found)


def _span(one: dict[str, Any]) -> tuple[str, int, int]:
    seen, after, last_n = (one.get(name) for name in ("seen", "after", "last_n"))
    if not isinstance(seen, str) or not is_number(after) or not is_number(last_n) or int(after or 0) >= int(last_n or 0):
        raise wrong("/departures/taken", "objects with seen (text), after and a larger last_n (whole numbers)")
    return seen, int(after or 0), int(last_n or 0)


def is_number(value: Any) -> TypeGuard[int]:
    """A whole number that every database and every client can count with."""
    return type(value) is int and 0 <= value < _MOST


def _skew(sent_at: Any, now: datetime) -> float | None:
    """How far the phone's clock is from ours; measured and shown, never used (L9)."""
    if not isinstance(sent_at, str):
        return None
    try:
        claimed = datetime.fromisoformat(sent_at)
    except ValueError:
        return None
    return round((claimed - now).total_seconds(), 1) if claimed.tzinfo is not None else None


def wrong(pointer: str, expected: str) -> InvalidInput:
    """One place of an envelope that is not what is expected there."""
    return InvalidInput(errors=[InputError(pointer, "envelope", f"expected: {expected}")])


def _json(content: dict[str, Any]) -> Response:
    return Response(orjson.dumps(content), mimetype="application/json")
