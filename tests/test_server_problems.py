"""Every refusal says what is wrong and where, and never repeats what was typed."""

from __future__ import annotations

import gzip
import logging

import pytest
from flask import Flask, Response
from marshmallow import Schema, ValidationError, fields
from sqlalchemy.exc import OperationalError

from geo.errors import LocationError
from server import errors
from server.access_log import redacted
from server.api.body import read_json, zstd
from server.app import create_app
from server.problems import PROBLEMS, TABLE, register_problems, schema_errors
from server.requests import register_request_rules
from server.settings import Settings
from server.store.errors import Busy

SECRET = "320999199001010000"


class Inner(Schema):
    number = fields.Integer(required=True)


class Outer(Schema):
    name = fields.String(required=True)
    inner = fields.List(fields.Nested(Inner))


@pytest.fixture
def app(tmp_path) -> Flask:
    """The real rules of request and error, with routes that fail on purpose."""
    real = create_app(Settings.in_folder(tmp_path))
    app = Flask("server")
    app.extensions["dishu"] = real.extensions["dishu"]
    register_request_rules(app)
    register_problems(app)

    def fail(kind: str) -> Response:
        raise {
            "unexpected": ValueError(SECRET),
            "database": OperationalError("SELECT 1", {"number": SECRET}, Exception(SECRET)),
            "place": LocationError("/anchor/datum", "unknown_datum", "say one of wgs84, cgcs2000"),
            "busy": Busy(retry_after_s=3),
            "missing": errors.NotFound("no such household"),
            "schema": ValidationError({"a": {0: {"b~c/d": ["Unknown field."]}}}),
        }[kind]

    app.add_url_rule("/fail/<kind>", view_func=fail)
    app.add_url_rule("/body", view_func=lambda: Response(str(read_json(1000))), methods=["POST"])
    return app


def test_every_row_of_the_table_is_a_problem():
    """No error answers with a problem that has no page."""
    assert set(TABLE.values()) <= set(PROBLEMS)
    ours = {
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.ServerError) and kind is not errors.ServerError
    }
    assert ours <= set(TABLE), "an error of the server without a row"


def test_every_problem_has_a_page_in_both_languages(tmp_path):
    """Whoever follows the address of a problem learns what it means."""
    client = create_app(Settings.in_folder(tmp_path)).test_client()
    for slug, problem in PROBLEMS.items():
        page = client.get(f"/problems/{slug}")
        assert page.status_code == 200
        assert problem.zh in page.text and slug in page.text
    assert client.get("/problems/never-heard-of").status_code == 404


def test_an_unexpected_error_tells_its_number_only(app, caplog):
    """Neither the screen nor the log repeats what somebody typed; the number leads to the place in the program."""
    with caplog.at_level(logging.DEBUG):
        answer = app.test_client().get("/fail/unexpected")
    assert answer.status_code == 500
    assert answer.json["type"] == "/problems/unexpected"
    assert answer.json["instance"] == f"urn:uuid:{answer.headers['X-Request-Id']}"
    assert SECRET not in answer.text and SECRET not in caplog.text
    assert "ValueError" in caplog.text and answer.headers["X-Request-Id"] in caplog.text


def test_a_database_that_went_away(app, caplog):
    """The phone is told to try again; neither statement nor values are told or logged."""
    with caplog.at_level(logging.DEBUG):
        answer = app.test_client().get("/fail/database")
    assert (answer.status_code, answer.json["type"]) == (503, "/problems/database-unreachable")
    assert int(answer.headers["Retry-After"]) == answer.json["retry_after_s"] >= 1, "every 503 says when to come back"
    assert "OperationalError" in caplog.text
    for text in (answer.text, caplog.text):
        assert SECRET not in text and "SELECT" not in text


def test_a_known_error_tells_what_to_do(app):
    """Busy says when to come back; not found says what was not found."""
    busy = app.test_client().get("/fail/busy")
    assert (busy.status_code, busy.headers["Retry-After"], busy.json["retry_after_s"]) == (503, "3", 3)
    missing = app.test_client().get("/fail/missing")
    assert missing.json["detail"] == "no such household"
    assert missing.json["title_zh"] == "没有找到"
    place = app.test_client().get("/fail/place")
    assert place.status_code == 422
    assert place.json["errors"][0]["pointer"] == "/anchor/datum"


def test_schema_errors_have_pointers(app):
    """All errors of a body are told at once, with the place as a JSON pointer."""
    answer = app.test_client().get("/fail/schema")
    assert answer.json["errors"] == [{"pointer": "/a/0/b~0c~1d", "code": "unknown_field", "message": "Unknown field."}]
    messages = Outer().validate({"inner": [{"number": 1}, {"number": SECRET + "x"}, {}]})
    found = [(error.pointer, error.code) for error in schema_errors(messages)]
    assert sorted(found) == [("/inner/1/number", "invalid"), ("/inner/2/number", "required"), ("/name", "required")]
    assert SECRET not in str(list(schema_errors(messages)))


@pytest.mark.parametrize("path, status", [("/nowhere", 404), ("/body", 405)])
def test_errors_of_http_itself(app, path, status):
    """A wrong address or method is told in the same form, as about:blank."""
    answer = app.test_client().get(path)
    assert answer.status_code == status
    assert answer.content_type == "application/problem+json"
    assert answer.json["type"] == "about:blank"
    if status == 405:
        assert "POST" in answer.headers["Allow"]


JSON = {"Content-Type": "application/json"}
PACKED = JSON | {"Content-Encoding": "gzip"}
ZSTD = JSON | {"Content-Encoding": "zstd"}


@pytest.mark.parametrize(
    "body, headers, wanted",
    [
        (b'{"a":1}', JSON, 200),
        (gzip.compress(b'{"a":1}'), PACKED, 200),
        (b'{"a":', JSON, (400, "malformed-body")),
        (b"[1]", JSON, (400, "malformed-body")),
        (b"", JSON, (400, "malformed-body")),
        (b"\xff\xfe", JSON, (400, "malformed-body")),
        (b"[" * 990, JSON, (400, "malformed-body")),
        (b"a=1", {"Content-Type": "application/x-www-form-urlencoded"}, (415, "unsupported-body")),
        (b"{}", JSON | {"Content-Encoding": "br"}, (415, "unsupported-body")),
        (b'{"a":"' + b"x" * 1000 + b'"}', JSON, (413, "body-too-large")),
        (gzip.compress(b'{"a":"' + b"x" * 10_000_000 + b'"}'), PACKED, (413, "body-too-large")),
        (gzip.compress(b" " * 900 + b'"' + b"x" * 900), PACKED, (413, "body-too-large")),
        (gzip.compress(b'{"a":1}')[:-4], PACKED, (400, "malformed-body")),
        (gzip.compress(b'{"a":1}') + b"more", PACKED, (400, "malformed-body")),
        (b'{"a":1}', PACKED, (400, "malformed-body")),
        (zstd.compress(b'{"a":1}'), ZSTD, 200),
        (zstd.compress(b'{"a":"' + b"x" * 10_000_000 + b'"}'), ZSTD, (413, "body-too-large")),
        (zstd.compress(b'{"a":1}')[:-2], ZSTD, (400, "malformed-body")),
        (zstd.compress(b'{"a":1}') + b"more", ZSTD, (400, "malformed-body")),
        (b'{"a":1}', ZSTD, (400, "malformed-body")),
    ],
    ids=[
        "plain", "packed", "cut short", "a list", "nothing", "not text", "nested", "a form", "another packing", "large",
        "a bomb", "large once unpacked", "packed and cut", "packed with a tail", "not packed",
        "zstd", "a zstd bomb", "zstd and cut", "zstd with a tail", "not zstd",
    ],
)  # fmt: skip
def test_bodies_are_read_within_bounds(app, body, headers, wanted):
    """A body that cannot be read is refused by name before it costs memory."""
    answer = app.test_client().post("/body", data=body, headers=headers)
    if wanted == 200:
        assert (answer.status_code, answer.text) == (200, "{'a': 1}")
        return
    assert (answer.status_code, answer.json["type"]) == (wanted[0], f"/problems/{wanted[1]}")


@pytest.mark.parametrize("encoding", ["zstd", "gzip"])
def test_answers_are_packed_for_those_who_can_read_it(tmp_path, encoding):
    """Weak lines carry the API's document, a program or a page of a pull in a fraction of its bytes; others get it plain."""
    client = create_app(Settings.in_folder(tmp_path)).test_client()
    plain = client.get("/api/v1/openapi.json", headers={"Accept-Encoding": "identity"})
    packed = client.get("/api/v1/openapi.json", headers={"Accept-Encoding": f"br, {encoding}"})
    assert "Content-Encoding" not in plain.headers
    assert (packed.headers["Content-Encoding"], packed.headers["Vary"]) == (encoding, "Accept-Encoding")
    unpacked = zstd.decompress(packed.data) if encoding == "zstd" else gzip.decompress(packed.data)
    assert unpacked == plain.data and len(packed.data) * 4 < len(plain.data)


def test_answers_are_hardened(app):
    """Browsers are told not to guess, frame, share or keep what the server says."""
    headers = app.test_client().get("/nowhere").headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Cache-Control"] == "no-store"
    assert "default-src 'self'" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    "path, logged",
    [
        ("/api/v1/users?login=wang", "/api/v1/users"),
        ("/v1/key/abc123/projects/1/formList", "/v1/key/~/projects/1/formList"),
        ("/x/dishu-read.YWJj.secret/y", "/x/~/y"),
        ("/a\nb\"c", "/a~b~c"),
    ],
)  # fmt: skip
def test_logs_hold_no_token_and_no_query(path, logged):
    """What people search for and what lets programs in is in no log."""
    assert redacted(path) == logged
