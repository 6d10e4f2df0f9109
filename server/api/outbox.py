"""Sealed pushes: a phone hands over what it has sealed to the server, without its PIN."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from flask import Blueprint, Response

from server import auth
from server.api.answers import json_answer
from server.api.body import read_json
from server.api.sync import MAX_BODY_BYTES, PROTOCOL, check_envelope, is_number, take_in, wrong
from server.openapi import describe
from server.services.outbox import Envelope, opened_groups, without_contents
from server.services.push import MAX_OPERATIONS
from server.services.tokens import device_token

blueprint = Blueprint("outbox", __name__, url_prefix="/api/v1/sync")


@blueprint.post("/push/sealed")
@describe(
    zh="上传已加密的操作（无需 PIN）",
    en="Take in operations that were sealed to the server's public key; the answer says nothing about records",
    tag="同步",
    auth="device",
    request={
        "type": "object",
        "required": ["protocol", "install_id", "after", "sealed"],
        "properties": {
            "protocol": {"const": PROTOCOL},
            "install_id": {"type": "string"},
            "after": {"type": "object", "required": ["n", "op_id"]},
            "scope": {"type": "object"},
            "departures": {"type": ["object", "null"], "required": ["seen", "last_n"]},
            "sent_at": {"type": "string", "format": "date-time"},
            "receipt": {"type": ["string", "null"]},
            "sealed": {
                "type": "array",
                "items": {"type": "object", "required": ["first_n", "last_n", "envelope"]},
            },
        },
    },
    response={"type": "object", "required": ["epoch", "results", "applied", "safe_n"]},
    problems=("malformed-body", "body-too-large", "unsupported-body", "invalid-input", "sealed-unreadable", "busy"),
    more="The bearer is the send token of enrolment, or the device token.",
)
def push_sealed() -> Response:
    """As a push, of what was sealed before; results are outcomes only."""
    claim = auth.sending_install()
    body = read_json(MAX_BODY_BYTES)
    check_envelope(body, claim.install_id)
    envelopes = _read(body.get("sealed"))
    actor, unconfirmed = auth.pushing_device(device_token(auth.house().keys, claim))
    groups = opened_groups(auth.house(), claim, envelopes, MAX_BODY_BYTES)
    return json_answer(without_contents(take_in(actor, unconfirmed, body | {"groups": groups})))


def _read(given: Any) -> list[Envelope]:
    if not isinstance(given, list) or len(given) > MAX_OPERATIONS:
        raise wrong("/sealed", f"a list of at most {MAX_OPERATIONS}")
    found = []
    for place, one in enumerate(given):
        if not isinstance(one, dict) or not is_number(one.get("first_n")) or not is_number(one.get("last_n")):
            raise wrong(f"/sealed/{place}", "an object with first_n, last_n (whole numbers) and envelope (text)")
        if one["last_n"] - one["first_n"] >= MAX_OPERATIONS:
            raise wrong(f"/sealed/{place}", f"at most {MAX_OPERATIONS} operations")
        try:
            text = str(one.get("envelope")).encode("ascii")
            content = base64.b64decode(text + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
        except (UnicodeEncodeError, binascii.Error) as error:
            raise wrong(f"/sealed/{place}/envelope", "base64url") from error
        found.append(Envelope(one["first_n"], one["last_n"], content))
    return found
