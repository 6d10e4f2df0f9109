"""A prepared file of a stream, for the first sync."""

from __future__ import annotations

from flask import Blueprint, Response, request

from server import auth
from server.api.body import read_json
from server.api.sync import PROTOCOL, check_envelope, is_number, wrong
from server.errors import NotFound
from server.openapi import describe
from server.services import pull as pulling
from server.services import snapshots
from server.services.audit import note

blueprint = Blueprint("snapshots", __name__, url_prefix="/api/v1/sync")


@blueprint.post("/snapshot")
@describe(
    zh="首次同步：取一个数据流的预制快照",
    en="The prepared rows of a stream that a pull has offered",
    tag="同步",
    auth="device",
    request={
        "type": "object",
        "required": ["protocol", "install_id", "stream", "seq"],
        "properties": {
            "protocol": {"const": PROTOCOL}, "install_id": {"type": "string"}, "stream": {"type": "string"},
            "seq": {"type": "integer"},
        },
    },
    response={"type": "object", "required": ["stream", "seq", "rows"]},
    problems=("malformed-body", "invalid-input", "not-found"),
)  # fmt: skip
def snapshot() -> Response:
    """As zstd to whoever takes it; written into the audit log like a page."""
    actor = auth.device()
    auth.demand(actor, "sync")
    house, body = auth.house(), read_json(1_000_000)
    check_envelope(body, actor.install_id or "")
    stream, seq = body.get("stream"), body.get("seq")
    if not isinstance(stream, str) or not isinstance(seq, int) or not is_number(seq):
        raise wrong("/stream", "a stream and its seq, as the pull has told them")
    reader = pulling.Reader(actor.community_id, actor.install_id or "", actor.user_id, actor.role)
    frame = None
    streams, projection = pulling.scope_of_reader(house, reader)
    if stream in streams:
        frame = snapshots.content(house, actor.community_id, stream, projection, seq)
    if frame is None:
        raise NotFound("this file is no longer kept; pull without it")
    look = auth.look(actor, "read", "sync")
    note(house, look, scope=f"streams={stream}", community_id=actor.community_id, fields=(projection.name,))
    if "zstd" in request.accept_encodings:
        return Response(frame, mimetype="application/json", headers={"Content-Encoding": "zstd", "Vary": "Accept-Encoding"})
    return Response(snapshots.unpacked(frame), mimetype="application/json")
