"""The OpenAPI 3.1 document, made from what the routes themselves declare.

A view says what it takes and gives with `describe`; `document` walks the routes of an app and puts it together.
Schemas are marshmallow schemas or JSON Schema written as a dict.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from flask import Flask
from marshmallow import Schema, fields, validate

from server.problems import PROBLEMS

View = TypeVar("View", bound=Callable[..., Any])
Shape = Mapping[str, Any] | Schema | type[Schema] | None
Auth = Literal["none", "session", "device", "read", "any", "central"]

JSON = "application/json"
_ATTRIBUTE = "__openapi__"


@dataclass(frozen=True, slots=True)
class Operation:
    """What one view declares about itself."""

    zh: str
    en: str
    tag: str
    auth: Auth
    request: Shape
    request_media: str | Sequence[str]
    response: Shape
    status: int
    media: Sequence[str]
    query: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    problems: Sequence[str] = ()
    more: str = ""


def describe(
    *,
    zh: str,
    en: str,
    tag: str = "其他",
    auth: Auth = "session",
    request: Shape = None,
    request_media: str | Sequence[str] = JSON,
    response: Shape = None,
    status: int = 200,
    media: str | Sequence[str] = JSON,
    query: Mapping[str, Mapping[str, Any]] | None = None,
    problems: Sequence[str] = (),
    more: str = "",
) -> Callable[[View], View]:
    """Declare a view for the API document; put it directly above the function, below the route decorators.

    Parameters
    ----------
    zh, en : one line each saying what the route does
    tag : the chapter of the document
    auth : ``none``; ``session`` (cookie, with X-CSRF-Token for changes); ``device`` (bearer token of an install);
        ``read`` (session or read token); ``any`` (session, device or read token); ``central`` (session of /v1/sessions)
    request : schema of the JSON body, None for a route without one
    response : schema of the answer, None where the answer is a file or empty
    status : status of the ordinary answer
    media : media types of the ordinary answer
    query : query parameters, {name: JSON Schema, which may carry ``description``}; never personal data
    problems : slugs of `server.problems` that this route answers with; those of ``auth`` are added
    more : further text in Markdown
    """
    operation = Operation(
        zh, en, tag, auth, request, request_media, response, status,
        (media,) if isinstance(media, str) else tuple(media), dict(query or {}), tuple(problems), more,
    )  # fmt: skip

    def mark(view: View) -> View:
        setattr(view, _ATTRIBUTE, operation)
        return view

    return mark


def operation_of(view: Any) -> Operation | None:
    """What a view declared, None if it declared nothing."""
    return getattr(view, _ATTRIBUTE, None)


_SECURITY: dict[str, list[dict[str, list[str]]]] = {
    "none": [],
    "session": [{"session": [], "csrf": []}],
    "device": [{"device": []}],
    "read": [{"session": []}, {"readToken": []}, {"readPassword": []}],
    "central": [{"central": []}],
    "any": [{"session": [], "csrf": []}, {"device": []}, {"readToken": []}, {"readPassword": []}],
}
_AUTH_PROBLEMS: dict[str, tuple[str, ...]] = {
    "none": (),
    "session": ("not-signed-in", "csrf-refused", "outside-your-scope"),
    "device": ("token-refused", "install-revoked"),
    "central": (),
    "read": ("not-signed-in", "token-refused", "outside-your-scope"),
    "any": ("not-signed-in", "token-refused", "install-revoked", "outside-your-scope"),
}
_PATH_VARIABLE = re.compile(r"<(?:(?P<kind>[a-z]+)(?:\([^)]*\))?:)?(?P<name>\w+)>")
_PATH_KINDS = {"int": {"type": "integer"}, "float": {"type": "number"}, "uuid": {"type": "string", "format": "uuid"}}

PROBLEM_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["type", "title", "status"],
    "properties": {
        "type": {"type": "string", "description": "/problems/<slug>, or about:blank"},
        "title": {"type": "string"},
        "title_zh": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string", "description": "id of the request / 请求编号"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "code", "message"],
                "properties": {name: {"type": "string"} for name in ("pointer", "code", "message")},
            },
        },
        "retry_after_s": {"type": "number"},
    },
}


def document(app: Flask, *, version: str, title: str = "底数 Dishu API") -> dict[str, Any]:
    """The OpenAPI 3.1 document of every described route of the app, paths and methods sorted."""
    paths: dict[str, dict[str, Any]] = {}
    tags: dict[str, None] = {}
    for rule in sorted(app.url_map.iter_rules(), key=lambda rule: (rule.rule, sorted(rule.methods or ()))):
        operation = operation_of(app.view_functions[rule.endpoint])
        if operation is None:
            continue
        tags[operation.tag] = None
        path = _PATH_VARIABLE.sub(lambda match: "{" + match["name"] + "}", rule.rule)
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            paths.setdefault(path, {})[method.lower()] = _operation_object(operation, rule.rule, rule.endpoint, method)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": title,
            "version": version,
            "description": "先记录，再归格，最后汇总。每条记录只属于一个网格。\n\n"
            "Errors are RFC 9457 problem details; switch on `type`, never on text.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "tags": [{"name": name} for name in tags],
        "paths": paths,
        "components": {
            "schemas": {"Problem": PROBLEM_SCHEMA},
            "securitySchemes": {
                "session": {"type": "apiKey", "in": "cookie", "name": "dishu_session"},
                "csrf": {"type": "apiKey", "in": "header", "name": "X-CSRF-Token"},
                "device": {"type": "http", "scheme": "bearer", "description": "设备令牌 / device token"},
                "readToken": {"type": "http", "scheme": "bearer", "description": "只读令牌 / read token"},
                "central": {"type": "http", "scheme": "bearer", "description": "token of POST /v1/sessions"},
                "readPassword": {"type": "http", "scheme": "basic", "description": "read token as the password"},
            },
        },
    }


def undescribed(app: Flask) -> list[str]:
    """Rules of the app that no view declared; only static files may be among them."""
    return sorted(
        f"{rule.rule} ({rule.endpoint})"
        for rule in app.url_map.iter_rules()
        if rule.endpoint.rpartition(".")[2] != "static" and operation_of(app.view_functions[rule.endpoint]) is None
    )


def _operation_object(operation: Operation, rule: str, endpoint: str, method: str) -> dict[str, Any]:
    parameters: list[dict[str, Any]] = [
        {
            "name": match["name"],
            "in": "path",
            "required": True,
            "schema": _PATH_KINDS.get(match["kind"] or "", {"type": "string"}),
        }
        for match in _PATH_VARIABLE.finditer(rule)
    ]
    for name, shape in operation.query.items():
        schema = {key: value for key, value in shape.items() if key not in {"description", "required"}}
        entry: dict[str, Any] = {"name": name, "in": "query", "schema": schema, "required": bool(shape.get("required"))}
        if "description" in shape:
            entry["description"] = shape["description"]
        parameters.append(entry)
    answer: dict[str, Any] = {"description": operation.en}
    if operation.status not in {204, 304}:
        answer["content"] = {kind: {"schema": json_schema(operation.response)} for kind in operation.media}
    made: dict[str, Any] = {
        "operationId": f"{endpoint.replace('.', '_')}_{method.lower()}",
        "summary": operation.zh,
        "description": "\n\n".join(part for part in (operation.en, operation.more) if part),
        "tags": [operation.tag],
        "security": _SECURITY[operation.auth],
        "responses": {str(operation.status): answer} | _problem_answers(operation),
    }
    if parameters:
        made["parameters"] = parameters
    if operation.request is not None:
        made["requestBody"] = {
            "required": True,
            "content": {kind: {"schema": json_schema(operation.request)} for kind in _kinds(operation.request_media)},
        }
    return made


def _kinds(media: str | Sequence[str]) -> Sequence[str]:
    return (media,) if isinstance(media, str) else media


def _problem_answers(operation: Operation) -> dict[str, Any]:
    by_status: dict[int, list[str]] = {}
    for slug in dict.fromkeys((*operation.problems, *_AUTH_PROBLEMS[operation.auth])):
        by_status.setdefault(PROBLEMS[slug].status, []).append(slug)  # KeyError: a slug that no table knows
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {
        str(status): {
            "description": ", ".join(f"[{slug}](/problems/{slug}) {PROBLEMS[slug].zh}" for slug in slugs),
            "content": content,
        }
        for status, slugs in sorted(by_status.items())
    }


# ---------------------------------------------------------------- marshmallow to JSON Schema

_PLAIN: list[tuple[type[fields.Field[Any]], dict[str, Any]]] = [
    (fields.Boolean, {"type": "boolean"}),
    (fields.Integer, {"type": "integer"}),
    (fields.Number, {"type": "number"}),
    (fields.UUID, {"type": "string", "format": "uuid"}),
    (fields.DateTime, {"type": "string", "format": "date-time"}),
    (fields.Date, {"type": "string", "format": "date"}),
    (fields.String, {"type": "string"}),
]


def json_schema(shape: Shape) -> dict[str, Any]:
    """JSON Schema of a marshmallow schema, or the dict itself; None means anything."""
    if shape is None:
        return {}
    if isinstance(shape, Mapping):
        return dict(shape)
    schema = shape if isinstance(shape, Schema) else shape()
    properties = {item.data_key or name: _field_schema(item) for name, item in schema.fields.items()}
    needed = [item.data_key or name for name, item in schema.fields.items() if item.required]
    made: dict[str, Any] = {"type": "object", "properties": properties}
    if needed:
        made["required"] = needed
    return {"type": "array", "items": made} if schema.many else made


def _field_schema(item: fields.Field[Any]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    if isinstance(item, fields.Nested):
        made = json_schema(item.schema)
        if item.many and made.get("type") != "array":
            made = {"type": "array", "items": made}
    elif isinstance(item, fields.List):
        made = {"type": "array", "items": _field_schema(item.inner)}
    elif isinstance(item, fields.Dict):
        made = {"type": "object"}
    else:
        made = dict(next((shape for kind, shape in _PLAIN if isinstance(item, kind)), {}))
    for rule in item.validators:
        if isinstance(rule, validate.OneOf):
            made["enum"] = list(rule.choices)
        elif isinstance(rule, validate.Length):
            made |= {
                key: value for key, value in (("minLength", rule.min), ("maxLength", rule.max)) if value is not None
            }
        elif isinstance(rule, validate.Range):
            made |= {key: value for key, value in (("minimum", rule.min), ("maximum", rule.max)) if value is not None}
    if "description" in item.metadata:
        made["description"] = item.metadata["description"]
    if item.allow_none and "type" in made:
        made["type"] = [made["type"], "null"]
    return made
