"""The API describes itself completely."""

from __future__ import annotations

import re

import pytest
from jsonschema import Draft202012Validator

from server.app import create_app
from server.openapi import document, undescribed
from server.settings import Settings

# The parts of OpenAPI 3.1 that this document uses, closed: a misspelt member is an error.
_SCHEMA_OBJECT = {"type": ["object", "boolean"]}
_CONTENT = {
    "type": "object",
    "additionalProperties": {
        "type": "object",
        "properties": {"schema": _SCHEMA_OBJECT},
        "additionalProperties": False,
    },
}
_OPERATION = {
    "type": "object",
    "required": ["operationId", "summary", "responses", "tags", "security"],
    "additionalProperties": False,
    "properties": {
        "operationId": {"type": "string", "pattern": "^[A-Za-z0-9_]+$"},
        "summary": {"type": "string", "minLength": 2},
        "description": {"type": "string", "minLength": 2},
        "tags": {"type": "array", "items": {"type": "string"}, "minItems": 1},
        "security": {"type": "array", "items": {"type": "object"}},
        "parameters": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["name", "in", "required", "schema"],
                "additionalProperties": False,
                "properties": {
                    "name": {"type": "string"},
                    "in": {"enum": ["path", "query"]},
                    "required": {"type": "boolean"},
                    "description": {"type": "string"},
                    "schema": _SCHEMA_OBJECT,
                },
            },
        },
        "requestBody": {
            "type": "object",
            "required": ["content"],
            "additionalProperties": False,
            "properties": {"required": {"type": "boolean"}, "content": _CONTENT},
        },
        "responses": {
            "type": "object",
            "minProperties": 1,
            "propertyNames": {"pattern": "^[1-5][0-9]{2}$"},
            "additionalProperties": {
                "type": "object",
                "required": ["description"],
                "additionalProperties": False,
                "properties": {"description": {"type": "string"}, "content": _CONTENT},
            },
        },
    },
}
OPENAPI = {
    "type": "object",
    "required": ["openapi", "info", "paths", "components", "tags"],
    "additionalProperties": False,
    "properties": {
        "openapi": {"pattern": r"^3\.1\.\d+$"},
        "info": {"type": "object", "required": ["title", "version"]},
        "tags": {"type": "array", "items": {"type": "object", "required": ["name"]}},
        "components": {"type": "object"},
        "paths": {
            "type": "object",
            "propertyNames": {"pattern": "^/"},
            "additionalProperties": {
                "type": "object",
                "additionalProperties": False,
                "properties": dict.fromkeys(("get", "post", "put", "patch", "delete"), _OPERATION),
            },
        },
    },
}


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    return create_app(Settings.in_folder(tmp_path_factory.mktemp("openapi")))


@pytest.fixture(scope="module")
def api(app):
    return app.test_client().get("/api/v1/openapi.json").json


def _operations(api):
    for path, methods in api["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", path, operation


def test_every_route_is_described(app, api):
    """Whoever reads the document knows every door of the server."""
    assert undescribed(app) == []
    rules = {re.sub(r"<(?:[^:<>]+:)?(\w+)>", r"{\1}", rule.rule) for rule in app.url_map.iter_rules()}
    assert set(api["paths"]) == rules


def test_the_document_is_openapi(api):
    """Generators of clients can read it."""
    assert [f"{list(error.path)}: {error.message}" for error in Draft202012Validator(OPENAPI).iter_errors(api)] == []


def test_parts_of_the_document_fit_together(api):
    """Ids are unique, path parameters are declared, referenced securities and tags exist, schemas are schemas."""
    operations = list(_operations(api))
    ids = [operation["operationId"] for _, _, operation in operations]
    assert len(ids) == len(set(ids))
    tags = {tag["name"] for tag in api["tags"]}
    ways = set(api["components"]["securitySchemes"])
    for name, path, operation in operations:
        declared = {one["name"] for one in operation.get("parameters", []) if one["in"] == "path"}
        assert declared == set(re.findall(r"{(\w+)}", path)), name
        assert set(operation["tags"]) <= tags, name
        assert {way for one in operation["security"] for way in one} <= ways, name
        for content in _contents(operation):
            Draft202012Validator.check_schema(content.get("schema", {}))


def _contents(operation):
    for holder in (operation.get("requestBody", {}), *operation["responses"].values()):
        yield from holder.get("content", {}).values()


def test_changes_are_never_open_to_everybody(api):
    """Only signing in and enrolling change something without knowing who asks."""
    open_changes = {
        name for name, _, operation in _operations(api) if not operation["security"] and not name.startswith("GET")
    }
    in_the_path = {"POST /v1/key/{token}/projects/{project}/submission"}  # OpenAPI has no word for a token that stands there
    assert open_changes == {"POST /api/v1/session", "POST /v1/sessions", "POST /api/v1/enroll"} | in_the_path


def test_no_personal_filter_in_an_address(api):
    """Names, phones and documents are searched in a body: addresses end up in logs and histories."""
    parameters = [(name, one) for name, _, operation in _operations(api) for one in operation.get("parameters", [])]
    asked = {(name, one["name"]) for name, one in parameters if one["in"] == "query"}
    # The name of a rule that found something, not of a person.
    asked = {one for _, one in asked - {("GET /api/v1/inbox/findings", "name")}}
    assert asked.isdisjoint({"name", "phone", "phones", "document_number", "birth_date", "q"})


def test_the_page_uses_only_its_own_files(app):
    """The documentation works without the internet."""
    client = app.test_client()
    page = client.get("/docs")
    assert page.status_code == 200 and "接口文档" in page.text
    for path in ("/docs", "/docs.js", "/docs.css"):
        text = client.get(path).text
        assert "http://" not in text and "https://" not in text and "innerHTML" not in text
    assert "<style" not in page.text and not re.search(r"<script(?![^>]*src=)", page.text)


def test_the_document_is_the_one_that_is_built(app, api):
    """What is served is what the declarations say."""
    assert document(app, version=api["info"]["version"])["paths"] == api["paths"]
