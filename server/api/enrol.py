"""Devices: enrolment by one-time code, the list of devices, revocation."""

from __future__ import annotations

from flask import Blueprint, Response

from server.api.answers import json_answer
from server.api.body import read_json
from server.api.shapes import (
    MAX_BODY,
    CodeGiven,
    CodeTold,
    ConfirmGiven,
    DeviceTold,
    EnrolGiven,
    EnrolledTold,
    RevokeGiven,
    list_of,
)
from server.auth import house, limit, signed_in
from server.openapi import describe
from server.problems import request_id
from server.services import enrolment
from server.services.outbox import public_key
from server.services.unconfirmed import confirm_install

blueprint = Blueprint("enrol", __name__)

_TAG = "设备"
PROTOCOL = 1


@blueprint.post("/api/v1/enrolment-codes")
@describe(
    zh="生成登记码",
    en="Make a one-time code for a device of a user",
    tag=_TAG,
    request=CodeGiven,
    response=CodeTold,
    status=201,
    problems=("invalid-input", "not-found"),
)
def make_code() -> Response:
    """Make a one-time code for a device of a user."""
    actor = signed_in("manage_devices")
    given = CodeGiven().load(read_json(MAX_BODY))
    code, expires_at = enrolment.create_code(
        house(), actor, given["user_id"], community_id=given.get("community_id"), request_id=request_id()
    )
    return json_answer({"code": code, "expires_at": expires_at}, 201)


@blueprint.post("/api/v1/enroll")
@describe(
    zh="登记设备",
    en="Enrol a device with a one-time code; the answer holds its token, and is given again to the same retry key only",
    tag=_TAG,
    auth="none",
    request=EnrolGiven,
    response=EnrolledTold,
    problems=(
        "enrolment-code-unknown",
        "enrolment-code-expired",
        "enrolment-code-used",
        "slow-down",
        "malformed-body",
        "invalid-input",
    ),
)
def enroll() -> Response:
    """Enrol a device with a one-time code."""
    limit("enrol")
    given = EnrolGiven().load(read_json(MAX_BODY))
    made = enrolment.enrol(
        house(),
        given["code"],
        label=given["label"],
        app_version=given["app_version"],
        retry_key=given["retry_key"],
        request_id=request_id(),
    )
    told = {
        "community_id": made.community_id,
        "install_id": made.install_id,
        "device_token": made.device_token,
        "send_token": made.send_token,
        "user": made.actor,
        "server_public_key": public_key(house()),
        "protocol": PROTOCOL,
    }
    return json_answer(EnrolledTold().dump(told))


@blueprint.get("/api/v1/devices")
@describe(zh="设备列表", en="Devices, newest first", tag=_TAG, response=list_of("devices", DeviceTold))
def list_devices() -> Response:
    """Devices."""
    found = enrolment.list_installs(house(), signed_in("manage_devices"))
    return json_answer({"devices": DeviceTold(many=True).dump(found)})


@blueprint.post("/api/v1/devices/<install_id>/revoke")
@describe(
    zh="停用设备",
    en="Revoke a device: it reads nothing more. A lost one is refused and erases itself; any other first hands over what it has",
    tag=_TAG,
    request=RevokeGiven,
    response=DeviceTold,
    problems=("not-found", "invalid-input"),
)
def revoke_device(install_id: str) -> Response:
    """Revoke a device."""
    actor = signed_in("manage_devices")
    given = RevokeGiven().load(read_json(MAX_BODY))
    done = enrolment.revoke_install(
        house(),
        actor,
        install_id,
        reason=given["reason"],
        community_id=given.get("community_id"),
        request_id=request_id(),
    )
    return json_answer(DeviceTold().dump(done))


@blueprint.post("/api/v1/devices/<install_id>/confirm")
@describe(
    zh="确认恢复后不认识的设备属于谁",
    en="Say whose a device is that a restored database does not know: what it has sent is decided now",
    tag=_TAG,
    request=ConfirmGiven,
    response=DeviceTold,
    problems=("not-found", "invalid-input", "already-decided"),
)
def confirm_device(install_id: str) -> Response:
    """Confirm a device."""
    actor = signed_in("manage_devices")
    given = ConfirmGiven().load(read_json(MAX_BODY))
    done = confirm_install(
        house(), actor, install_id, user_id=given["user_id"], community_id=given.get("community_id"), request_id=request_id()
    )
    return json_answer(DeviceTold().dump(done))
