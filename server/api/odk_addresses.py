"""Addresses for ODK Collect: made for a worker, shown as a code to scan; taken back like a device."""

from __future__ import annotations

from flask import Blueprint, Response, request
from marshmallow import Schema, fields, validate

from server.api.answers import json_answer
from server.api.body import read_json
from server.auth import house, signed_in
from server.openapi import describe
from server.problems import request_id
from server.services import odk_access

blueprint = Blueprint("odk_addresses", __name__)


class AddressGiven(Schema):
    """For whom."""

    user_id = fields.String(required=True, validate=validate.Length(1, 64))
    label = fields.String(load_default="", validate=validate.Length(max=60))
    community_id = fields.String()


@blueprint.post("/api/v1/odk-addresses")
@describe(
    zh="生成 ODK Collect 的扫码地址",
    en="Make an address for ODK Collect: what its QR code holds",
    tag="ODK Collect",
    request=AddressGiven,
    response={
        "type": "object",
        "required": ["install_id", "user_id", "settings_code"],
        "properties": {
            "install_id": {"type": "string", "description": "revoke it like a device"},
            "user_id": {"type": "string"},
            "settings_code": {"type": "string", "description": "Collect's settings: JSON, zlib, Base64; draw it as a QR code"},
        },
    },
    status=201,
    problems=("invalid-input", "not-found"),
)
def make_address() -> Response:
    """Needs ``manage_devices``."""
    actor = signed_in("manage_devices")
    given = AddressGiven().load(read_json(10_000))
    made = odk_access.create(
        house(), actor, given["user_id"], label=given["label"], community_id=given.get("community_id"), request_id=request_id()
    )
    code = odk_access.settings_code(house(), made, request.host_url)
    return json_answer({"install_id": made.install_id, "user_id": made.user_id, "settings_code": code}, 201)
