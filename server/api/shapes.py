"""Schemas of what people, devices and tokens look like on the wire."""

from __future__ import annotations

from typing import Any

from marshmallow import EXCLUDE, Schema, fields, validate

from server.permissions import DUTIES, ROLES
from server.services.enrolment import REASONS
from server.services.sign_in import MAX_PASSWORD, MIN_PASSWORD

MAX_BODY = 65_536


class Given(Schema):
    """What a caller sends: unknown members are an error, so that a misspelt one is noticed."""


class Told(Schema):
    """What the server tells."""

    class Meta:
        """Only named members leave the house."""

        unknown = EXCLUDE


def _text(longest: int, **options: Any) -> fields.String:
    return fields.String(validate=validate.Length(max=longest), **options)


class SignInGiven(Given):
    """A name and a password."""

    login = _text(80, required=True)
    password = _text(1000, required=True)


class PasswordGiven(Given):
    """A new password."""

    password = fields.String(required=True, validate=validate.Length(MIN_PASSWORD, MAX_PASSWORD))


class OwnPasswordGiven(PasswordGiven):
    """A new password, and the one in use."""

    current = _text(1000, required=True)


class ActorTold(Told):
    """Who is signed in."""

    user_id = fields.String()
    name = fields.String()
    role = fields.String()
    community_id = fields.String()
    area_code = fields.String(allow_none=True)
    topics = fields.List(fields.String())


class SessionTold(Told):
    """A session."""

    user = fields.Nested(ActorTold)
    csrf_token = fields.String(metadata={"description": "send it as X-CSRF-Token with every change"})
    expires_at = fields.String()


class UserGiven(Given):
    """A new account."""

    login = _text(40, required=True)
    name = _text(60, required=True)
    role = fields.String(required=True, validate=validate.OneOf(list(ROLES)))
    password = fields.String(required=True, validate=validate.Length(MIN_PASSWORD, MAX_PASSWORD))
    community_id = _text(80)
    area_code = fields.String(validate=validate.Regexp(r"^[0-9]{6}([0-9]{3})?$"))
    topics = fields.List(_text(40), validate=validate.Length(max=40))


class UserTold(ActorTold):
    """An account, without its password."""

    login = fields.String()
    created_at = fields.String()
    locked_until = fields.String(allow_none=True)
    closed_at = fields.String(allow_none=True)


class TopicsGiven(Given):
    """Lines of work."""

    topics = fields.List(_text(40), required=True, validate=validate.Length(max=40))


class ReadTokenGiven(Given):
    """A new read token."""

    label = _text(80, required=True)
    days = fields.Integer(strict=True, validate=validate.Range(1, 3650))


class ReadTokenTold(Told):
    """A read token; ``token`` only when it was just made."""

    token_id = fields.String()
    label = fields.String()
    created_at = fields.String()
    expires_at = fields.String()
    revoked_at = fields.String(allow_none=True)
    token = fields.String(metadata={"description": "shown once"})


class AssignmentGiven(Given):
    """A worker for a cell."""

    user_id = _text(80, required=True)
    cell_id = _text(80, required=True)
    duty = fields.String(validate=validate.OneOf(list(DUTIES)), load_default="lead")
    from_on = _text(10)
    to_on = _text(10, allow_none=True)
    community_id = _text(80)


class SuccessorGiven(Given):
    """Who works a cell from now on."""

    user_id = _text(80, required=True)
    community_id = _text(80)


class AssignmentTold(Told):
    """Who works a cell, from a day to a day."""

    assignment_id = fields.String()
    community_id = fields.String()
    user_id = fields.String()
    cell_id = fields.String()
    duty = fields.String()
    from_on = fields.String()
    to_on = fields.String(allow_none=True)
    granted_version = fields.Integer()
    revoked_version = fields.Integer(allow_none=True)
    granted_at = fields.String()
    revoked_at = fields.String(allow_none=True)


class AuditTold(Told):
    """One line of the audit log: names of fields, never values."""

    audit_id = fields.String()
    community_id = fields.String()
    at = fields.String()
    actor_id = fields.String()
    role = fields.String()
    action = fields.String()
    purpose = fields.String()
    scope = fields.String()
    record_type = fields.String(allow_none=True)
    record_id = fields.String(allow_none=True)
    fields_ = fields.List(fields.String(), data_key="fields", attribute="fields")
    count = fields.Integer(allow_none=True)
    request_id = fields.String(allow_none=True)


class CodeGiven(Given):
    """For whose device."""

    user_id = _text(80, required=True)
    community_id = _text(80)


class CodeTold(Told):
    """A one-time code."""

    code = fields.String(metadata={"description": "shown once"})
    expires_at = fields.String()


class EnrolGiven(Given):
    """A code typed into a phone."""

    class Meta:
        """Phones of later versions may tell more about themselves."""

        unknown = EXCLUDE

    code = _text(80, required=True)
    label = _text(80, load_default="device")
    app_version = _text(40, load_default="")
    retry_key = fields.String(
        validate=validate.Length(min=22, max=80),
        load_default=None,
        metadata={"description": "a secret of the phone; with it a phone whose answer was lost is given the same one again"},
    )


class EnrolledTold(Told):
    """A device that was just enrolled."""

    community_id = fields.String()
    install_id = fields.String()
    device_token = fields.String(metadata={"description": "shown once; again only to the same retry key, until it was used"})
    send_token = fields.String(metadata={"description": "hands over sealed work, opens nothing; may be kept without the PIN"})
    user = fields.Nested(ActorTold)
    server_public_key = fields.String(
        metadata={"description": "P-256, uncompressed point, base64url; sealed work goes to it"}
    )
    protocol = fields.Integer()


class RevokeGiven(Given):
    """Why a device is revoked."""

    reason = fields.String(required=True, validate=validate.OneOf(list(REASONS)))
    community_id = _text(80)


class ConfirmGiven(Given):
    """Whose a device is that a restored database does not know."""

    user_id = fields.String(required=True)
    community_id = _text(80)


class DeviceTold(Told):
    """A device."""

    install_id = fields.String()
    kind = fields.String(metadata={"description": "device: a phone with the field app; odk: an address for ODK Collect"})
    community_id = fields.String()
    user_id = fields.String()
    user_name = fields.String()
    label = fields.String()
    enrolled_at = fields.String()
    last_n = fields.Integer(metadata={"description": "how many operations of this device are here"})
    last_seen_at = fields.String(allow_none=True)
    unsent = fields.Integer(
        allow_none=True, metadata={"description": "operations that it had still to send when it last told; null: it never told"}
    )
    skew_s = fields.Float(allow_none=True, metadata={"description": "how far its clock is off, seconds"})
    flag = fields.String(allow_none=True)
    app_version = fields.String(allow_none=True)
    revoked_at = fields.String(allow_none=True)
    revoked_reason = fields.String(allow_none=True)


def list_of(name: str, item: type[Schema], **more: Any) -> dict[str, Any]:
    """JSON Schema of an answer that holds a list of items under a name."""
    from server.openapi import json_schema

    return {"type": "object", "properties": {name: {"type": "array", "items": json_schema(item)}, **more}}
