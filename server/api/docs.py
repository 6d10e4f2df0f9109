"""The API's documentation: a page that reads the server's own OpenAPI document. No outside resource."""

from __future__ import annotations

from pathlib import Path

from flask import Blueprint, Response, send_from_directory

from server.openapi import describe

blueprint = Blueprint("docs", __name__)

_PAGES = Path(__file__).resolve().parent / "pages"
_TAG = "服务"


@blueprint.get("/docs")
@describe(zh="接口文档（网页）", en="The documentation of the API, as a page", tag=_TAG, auth="none", media="text/html")
def documentation() -> Response:
    """The page."""
    return _file("docs.html")


@blueprint.get("/docs.js")
@describe(zh="文档网页的程序", en="The program of that page", tag=_TAG, auth="none", media="text/javascript")
def program() -> Response:
    """Its program."""
    return _file("docs.js")


@blueprint.get("/docs.css")
@describe(zh="文档网页的样式", en="The looks of that page", tag=_TAG, auth="none", media="text/css")
def looks() -> Response:
    """Its looks."""
    return _file("docs.css")


def _file(name: str) -> Response:
    answer = send_from_directory(_PAGES, name, conditional=True)
    answer.headers["Cache-Control"] = "no-cache"
    return answer
