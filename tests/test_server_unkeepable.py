"""What one of the two databases could not keep or give back is refused at the door, whoever sends it."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from cells_kit import counts, populate_ground
from front_door import COMMUNITY, FIRST_DAY, open_office, problem
from hand_phone import HandPhone

from server.api.body import read_json
from server.errors import MalformedBody
from server.house import uuid7
from server.services.prepare import MOST_LEVELS

HERE = {"lon": 120.605, "lat": 31.305, "datum": "cgcs2000", "method": "survey"}
NUL = "字\0符"


@pytest.fixture
def office(prepared_database, tmp_path, clock):
    clock.now = FIRST_DAY + timedelta(days=1)
    found = open_office(prepared_database(populate_ground), tmp_path, clock, uuid7)
    yield found
    found.house.engine.dispose()


def resource(values: dict | None = None, **over):
    return {
        "op_id": uuid7(), "type": "resource", "id": uuid7(), "kind": "create", "base": None,
        "set": {"name": "急救箱", "kind": "supply", "anchor": HERE} | (values or {}), "was": {}, "form_version": 1,
        "claimed_at": "2026-03-03T01:00:00Z", **over,
    }  # fmt: skip


def nested(levels: int) -> list:
    found: list = []
    for _ in range(levels):
        found = [found]
    return found


def test_a_field_of_a_newer_form_cannot_close_the_community_to_everybody(office):
    """A phone may send fields that the server does not know, but none that makes figures and lists fail for all."""
    phone, secretary = HandPhone(office), office.signed_in("secretary")
    sent = {
        "/set/future": resource({"future": NUL}),
        "/set/anchor": resource({"anchor": HERE | {"note": NUL}}),
        "/set/later": resource({"later": {"a": [{NUL: 1}]}}),
        "/was/name": resource(was={"name": NUL}),
        "/blobs": resource(blobs=[NUL]),
        "/set/deep": resource({"deep": nested(MOST_LEVELS)}),
        "/was/deep": resource(was={"deep": nested(MOST_LEVELS)}),
    }
    good = resource({"future": "\u0001 is the business of the form", "deep": nested(MOST_LEVELS - 3)})
    results = phone.push([*sent.values(), good])
    for pointer, result in zip(sent, results[:-1], strict=True):
        assert (result["now"]["outcome"], result["now"]["reason"]) == ("quarantined", "malformed"), pointer
        assert [one["pointer"] for one in result["errors"]] == [pointer]
    assert {one["errors"][0]["code"] for one in results[:-1]} == {"control_character", "nested_too_deeply"}
    assert results[-1]["now"]["outcome"] == "applied"
    for place in ("baseline", "overview", "work", "roster/resources"):
        assert secretary.get(f"/api/v1/communities/{COMMUNITY}/{place}").status_code == 200, place
    assert secretary.get("/ogc/collections/resources/items?name=none").status_code == 200
    for page in ("", "/history"):
        assert secretary.get(f"/api/v1/records/resource/{good['id']}{page}").status_code == 200
    assert secretary.get("/api/v1/inbox").json["counts"]["quarantine"] == len(sent)


def test_no_address_is_made_of_nothing(office):
    """U+0000 in an address, a parameter, a cookie or a token is a mistake of whoever asks, never of the server."""
    secretary, stranger = office.signed_in("secretary"), office.client()
    for path in ("/api/v1/cells/%00/roster/persons", "/api/v1/records/person/%00", "/api/v1/exports/%00"):
        assert problem(secretary.get(path)) == (404, "not-found")
    for path in ("/api/v1/audit?actor_id=a%00", "/api/v1/audit?since=%00", "/api/v1/assignments?user_id=%00"):
        answer = secretary.get(path)
        assert problem(answer) == (400, "invalid-parameter")
        assert answer.json["errors"][0]["pointer"] == "/" + path.partition("?")[2].partition("=")[0]
    for token in ("dishu-read.AAAA.xyz", "dishu-read.Cg.xyz"):
        answer = stranger.get("/api/v1/rosters", headers={"Authorization": f"Bearer {token}"})
        assert problem(answer) == (401, "token-refused")
    stranger.set_cookie("dishu_session", "s.AAAA.xyz")
    assert problem(stranger.get("/api/v1/session")) == (401, "not-signed-in")


@pytest.mark.parametrize(
    ("path", "body", "pointer"),
    [
        ("session", {"login": NUL, "password": "a-made-up-password"}, "/login"),
        ("users", {"login": "ab", "name": NUL, "role": "planner", "password": "a-made-up-password"}, "/name"),
        ("enrolment-codes", {"user_id": NUL}, "/user_id"),
        ("read-tokens", {"label": NUL}, "/label"),
        (f"communities/{COMMUNITY}/roster/persons/search",
         {"filters": [{"column": "name", "op": "eq", "value": NUL}]}, "/filters/0/value"),
    ],
)  # fmt: skip
def test_no_body_holds_text_that_cannot_be_kept(office, path, body, pointer):
    """The member that holds U+0000 is named, its value is not repeated, and nothing was changed."""
    secretary = office.signed_in("secretary")
    before = counts(office.house)
    answer = secretary.post(f"/api/v1/{path}", body)
    assert problem(answer) == (422, "invalid-input")
    assert [(one["pointer"], one["code"]) for one in answer.json["errors"]] == [(pointer, "control_character")]
    assert counts(office.house) == before


def test_a_body_nested_without_end_is_malformed(office):
    """However deep a body is nested, the answer is a problem of the body."""
    body = json.dumps({"a": "\0"}).replace('"a": ', '"a": [' + "[" * 900 + '{"b": ').replace("}", "}" + "]" * 901 + "}")
    asked = office.app.test_request_context(data=body, content_type="application/json", method="POST")
    with asked, pytest.raises(MalformedBody):
        read_json(100_000)
