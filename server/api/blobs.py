"""Photos by the tus protocol 1.0.0 (https://tus.io/protocols/resumable-upload): core, creation, checksum, expiration."""

from __future__ import annotations

import base64
import binascii
from datetime import datetime
from email.utils import format_datetime
from typing import Any

from flask import Blueprint, Response, request
from werkzeug.exceptions import ClientDisconnected

from server import auth
from server.errors import InputError, InvalidInput, ProtocolVersion, UnsupportedBody
from server.openapi import describe
from server.permissions import Actor
from server.services import blobs, enrolment
from server.services.photos import FORMATS

blueprint = Blueprint("blobs", __name__, url_prefix="/api/v1/blobs")

TUS = "1.0.0"
_TAG = "照片"
_PIECE = "application/offset+octet-stream"
_ALGORITHMS = ("sha256", "sha1")


@blueprint.route("", methods=["OPTIONS"], provide_automatic_options=False)
@describe(zh="续传协议的版本与限额", en="Version and limits of the upload protocol", tag=_TAG, auth="none", status=204)
def abilities() -> Response:
    """What this server speaks; anyone may ask."""
    return _tus(
        204,
        {
            "Tus-Version": TUS,
            "Tus-Extension": "creation,checksum,expiration",
            "Tus-Max-Size": auth.house().settings.max_blob_bytes,
            "Tus-Checksum-Algorithm": ",".join(_ALGORITHMS),
        },
    )


@blueprint.post("")
@describe(
    zh="开始上传一张照片", en="Begin the upload of a photo", tag=_TAG, auth="any", status=201,
    problems=("tus-version", "invalid-input", "body-too-large", "slow-down"),
    more="Headers `Tus-Resumable: 1.0.0`, `Upload-Length`, and `Upload-Metadata` with `sha256` (64 hexadecimal digits, the name under "
    f"which records refer to it) and `filetype` ({', '.join(FORMATS)}). The answer's `Location` takes the bytes.",
)  # fmt: skip
def begin() -> Response:
    """Needs ``write_records``."""
    actor = _writer()
    said = _metadata()
    upload = blobs.begin(
        auth.house(),
        actor,
        sha256=said.get("sha256", ""),
        media_type=said.get("filetype", ""),
        length_bytes=_number("Upload-Length"),
    )
    return _tus(201, {"Location": f"{blueprint.url_prefix}/uploads/{upload.upload_id}", "Upload-Expires": _http_date(upload)})


@blueprint.route("/uploads/<upload_id>", methods=["HEAD"])
@describe(zh="已收到多少字节", en="How much of an upload has arrived", tag=_TAG, auth="any",
          problems=("tus-version", "not-found", "upload-expired", "hash-differs", "invalid-input", "storage-unreachable"),
          more="An upload that has arrived whole is kept before the answer, also where the server ended behind its last byte.")  # fmt: skip
def progress(upload_id: str) -> Response:
    """Needs ``write_records``; one's own uploads only."""
    return _standing(200, blobs.progress(auth.house(), _writer(), upload_id))


@blueprint.patch("/uploads/<upload_id>")
@describe(
    zh="续传", en="Send bytes from where the upload stands", tag=_TAG, auth="any", status=204,
    problems=("tus-version", "not-found", "upload-expired", "offset-differs", "hash-differs", "invalid-input", "unsupported-body",
              "storage-unreachable"),
    more=f"Headers `Upload-Offset`, `Content-Type: {_PIECE}`, and optionally `Upload-Checksum` with the algorithm "
    "(`sha256` or `sha1`) and the digest in Base64. Where the line breaks, what has arrived counts.",
)  # fmt: skip
def append(upload_id: str) -> Response:
    """Needs ``write_records``; one's own uploads only."""
    actor = _writer()
    if request.mimetype != _PIECE:
        raise UnsupportedBody(f"send {_PIECE}")
    upload = blobs.append(
        auth.house(), actor, upload_id, offset_bytes=_number("Upload-Offset"), take=_take, checksum=_checksum()
    )
    return _standing(204, upload)


@blueprint.get("/<sha256>")
@describe(zh="取一张照片", en="A photo that you have uploaded, or that a record in your scope shows", tag=_TAG, auth="any",
          media=tuple(FORMATS), problems=("not-found", "storage-unreachable"))  # fmt: skip
def fetch(sha256: str) -> Response:
    """Needs ``read_records``; photos in personal fields are written into the audit log."""
    actor = auth.somebody("read_records")
    if actor.install_id is None and actor.role in {"secretary", "community_worker", "grid_worker"} and not actor.read_only:
        actor = enrolment.user_install(auth.house(), actor)
    photo = blobs.fetch(auth.house(), actor, auth.scope(actor), sha256, auth.look(actor, "read", "photo"))
    answer = Response(photo.content, content_type=photo.media_type)
    answer.set_etag(photo.kept_sha256)
    answer.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    answer.make_conditional(request.environ, accept_ranges=True, complete_length=len(photo.content))
    return answer


def _writer() -> Actor:
    """Who uploads: a device, or somebody at the office through an install of their own."""
    if request.headers.get("Tus-Resumable") != TUS:
        raise ProtocolVersion(f"Tus-Resumable: {TUS} is expected")
    actor = auth.somebody("write_records", handing_over=True)
    return actor if actor.install_id is not None else enrolment.user_install(auth.house(), actor)


def _take(size: int) -> bytes:
    try:
        return request.stream.read(size)
    except ClientDisconnected as error:
        raise ConnectionError("the line broke") from error


def _number(header: str) -> int:
    text = request.headers.get(header, "")
    if not text.isascii() or not text.isdigit() or len(text) > 15:
        raise InvalidInput("a header is missing", errors=[InputError(header, "not_a_number", "a number of bytes is expected")])
    return int(text)


def _metadata() -> dict[str, str]:
    """The pairs of Upload-Metadata: keys, and values in Base64."""
    said = {}
    for pair in request.headers.get("Upload-Metadata", "").split(","):
        name, _, value = pair.strip().partition(" ")
        try:
            said[name] = base64.b64decode(value, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError) as error:
            wrong = InputError("Upload-Metadata", "not_base64", "values are UTF-8 in Base64")
            raise InvalidInput("a header cannot be read", errors=[wrong]) from error
    return said


def _checksum() -> tuple[str, bytes] | None:
    text = request.headers.get("Upload-Checksum")
    if text is None:
        return None
    algorithm, _, digest = text.partition(" ")
    try:
        if algorithm not in _ALGORITHMS:
            raise ValueError
        return algorithm, base64.b64decode(digest, validate=True)
    except ValueError as error:
        wrong = InputError("Upload-Checksum", "unreadable", f"one of {', '.join(_ALGORITHMS)}, and the digest in Base64")
        raise InvalidInput("a header cannot be read", errors=[wrong]) from error


def _standing(status: int, upload: blobs.Upload) -> Response:
    return _tus(
        status,
        {"Upload-Offset": upload.offset_bytes, "Upload-Length": upload.length_bytes, "Upload-Expires": _http_date(upload)},
    )


def _http_date(upload: blobs.Upload) -> str:
    return format_datetime(datetime.fromisoformat(upload.expires_at), usegmt=True)


def _tus(status: int, headers: dict[str, Any]) -> Response:
    answer = Response(status=status)
    answer.headers["Tus-Resumable"] = TUS
    for name, value in headers.items():
        answer.headers[name] = str(value)
    return answer
