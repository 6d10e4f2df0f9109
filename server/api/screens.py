"""The two screens as they were built by ``make web``; without them ``/`` shows the API's documentation."""

from __future__ import annotations

import mimetypes
from pathlib import Path

from flask import Blueprint, Response, abort, redirect, request, send_from_directory
from werkzeug.security import safe_join
from werkzeug.wrappers import Response as AnyResponse

from server.api.docs import documentation
from server.openapi import describe

blueprint = Blueprint("screens", __name__)

STATIC = Path(__file__).resolve().parent.parent / "static"
_TAG = "服务"
# Component libraries set widths and colours through style attributes; programs and data still come from here only.
_POLICY = (
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; media-src 'self' blob:; "
    "worker-src 'self' blob:; manifest-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
# Packed once when the screens are built; what is not (small files, those of the service worker) is packed with the answer.
_PACKED = (("br", ".br"), ("gzip", ".gz"))
_YEAR_S = 365 * 24 * 3600


@blueprint.get("/")
@describe(zh="工作台（社区书记、规划师）", en="The console for secretaries and planners", tag=_TAG, auth="none", media="text/html")
def console() -> Response:
    """The console; the documentation of the API where the console was not built."""
    if not (STATIC / "console" / "index.html").is_file():
        return documentation()
    return _file("console", "index.html")


@blueprint.get("/console/<path:name>")
@describe(zh="工作台的文件", en="Files of the console", tag=_TAG, auth="none", media="text/html")
def console_file(name: str) -> Response:
    """A file of the console."""
    return _file("console", name)


@blueprint.get("/field")
@describe(zh="采集应用（转到 /field/）", en="Leads to /field/", tag=_TAG, auth="none", status=308)
def field_door() -> AnyResponse:
    """The address without its slash, as people type it."""
    return redirect("/field/", code=308)


@blueprint.get("/field/")
@describe(zh="采集应用（网格员）", en="The field app of grid workers, installable", tag=_TAG, auth="none", media="text/html")
def field() -> Response:
    """The field app."""
    return _file("field", "index.html")


@blueprint.get("/field/<path:name>")
@describe(zh="采集应用的文件", en="Files of the field app", tag=_TAG, auth="none", media="text/html")
def field_file(name: str) -> Response:
    """A file of the field app."""
    return _file("field", name)


def _file(screen: str, name: str) -> Response:
    folder = STATIC / screen
    if not folder.is_dir():
        abort(404)
    for coding, ending in _PACKED:
        packed = safe_join(str(folder), name + ending)
        if packed and coding in request.accept_encodings.values() and Path(packed).is_file():
            answer = send_from_directory(folder, name + ending, conditional=True, mimetype=mimetypes.guess_type(name)[0])
            if answer.status_code == 200:
                answer.headers["Content-Encoding"] = coding
            break
    else:
        answer = send_from_directory(folder, name, conditional=True)
        if answer.status_code == 200:
            answer.direct_passthrough = False
            answer.get_data()  # whole, so that it can be packed
    answer.vary.add("Accept-Encoding")
    # Names below assets/ carry a hash of the content; everything else is asked for again.
    answer.headers["Cache-Control"] = f"public, max-age={_YEAR_S}, immutable" if name.startswith("assets/") else "no-cache"
    answer.headers["Content-Security-Policy"] = _POLICY
    return answer
