"""For machines and for whoever runs the server: health, readiness, metrics, problem pages, the local authority."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as package_version

from flask import Blueprint, Response, abort, current_app
from markupsafe import Markup, escape
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from server.api.answers import json_answer
from server.auth import house
from server.openapi import describe, document
from server.problems import PROBLEMS
from server.requests import METRICS
from server.services.readiness import readiness
from server.tls import authority_file

blueprint = Blueprint("meta", __name__)

_TAG = "服务"


def running_version() -> str:
    """The version of the program."""
    try:
        return package_version("dishu")
    except PackageNotFoundError:  # run from a folder that was never installed
        return "0"


@blueprint.get("/healthz")
@describe(
    zh="是否在运行",
    en="The process answers; nothing else is asked",
    tag=_TAG,
    auth="none",
    response={"type": "object", "properties": {"status": {"const": "ok"}, "version": {"type": "string"}}},
)
def healthz() -> Response:
    """Alive."""
    return json_answer({"status": "ok", "version": running_version()})


@blueprint.get("/readyz")
@describe(
    zh="是否可以服务",
    en="The database answers and its tables are the ones this version uses; 503 with the reasons otherwise",
    tag=_TAG,
    auth="none",
    response={
        "type": "object",
        "properties": {
            "ready": {"type": "boolean"},
            "database": {"enum": ["ok", "unreachable"]},
            "migrations": {"enum": ["ok", "behind", "ahead", "unknown"]},
        },
    },
)
def readyz() -> Response:
    """Ready."""
    found = readiness(house())
    return json_answer(found, 200 if found["ready"] else 503)


@blueprint.get("/metrics")
@describe(
    zh="运行指标",
    en="Prometheus metrics of this process: counts and times by route, never by person",
    tag=_TAG,
    auth="none",
    media="text/plain",
)
def metrics() -> Response:
    """Figures of this process."""
    return Response(generate_latest(METRICS), content_type=CONTENT_TYPE_LATEST)


@blueprint.get("/api/v1/openapi.json")
@describe(
    zh="接口文档（机器可读）",
    en="This document, OpenAPI 3.1",
    tag=_TAG,
    auth="none",
    response={"type": "object"},
)
def openapi() -> Response:
    """The API document."""
    return json_answer(document(current_app._get_current_object(), version=running_version()))  # type: ignore[attr-defined]


@blueprint.get("/dishu-ca.crt")
@describe(
    zh="本机证书颁发者",
    en="The certificate of this server's own authority, to be trusted by phones in the local network (`dishu serve --tls`)",
    tag=_TAG,
    auth="none",
    media="application/x-x509-ca-cert",
)
def authority() -> Response:
    """The public part of the local authority."""
    path = authority_file(house().settings.data_dir)
    if not path.exists():
        abort(404)
    return Response(path.read_bytes(), content_type="application/x-x509-ca-cert")


@blueprint.get("/problems/<slug>")
@describe(
    zh="错误类型说明",
    en="What a type of problem means",
    tag=_TAG,
    auth="none",
    media="text/html",
)
def problem_page(slug: str) -> Response:
    """One problem, in both languages."""
    problem = PROBLEMS.get(slug)
    if problem is None:
        abort(404)
    page = Markup(
        '<!doctype html><html lang="zh-CN"><meta charset="utf-8"><title>{zh}</title>'
        '<link rel="stylesheet" href="/docs.css"><main><h1>{zh}</h1><p>{help_zh}</p>'
        '<h2 lang="en">{en}</h2><p lang="en">{help_en}</p><p><code>{slug}</code> · HTTP {status}</p>'
        '<p><a href="/">接口文档 · API</a></p></main></html>'
    ).format(
        zh=escape(problem.zh),
        en=escape(problem.en),
        help_zh=escape(problem.help_zh),
        help_en=escape(problem.help_en),
        slug=escape(problem.slug),
        status=problem.status,
    )
    return Response(page, content_type="text/html; charset=utf-8")
