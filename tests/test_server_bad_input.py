"""Bad input: a clear problem that names the place; nothing else is lost, nothing leaks."""

from __future__ import annotations

import gzip
import json
from datetime import timedelta

import pytest
from cells_kit import counts, path_of, populate_ground
from front_door import COMMUNITY, FIRST_DAY, NEIGHBOUR, PASSWORD, Person, open_office, problem
from hand_phone import HandPhone
from records_kit import CODE_A, CODE_B, IDS, ZHANG_NUMBER
from sqlalchemy import select

from server.house import uuid7
from server.models import audit, operation, record
from server.services import accounts
from server.services.accounts import OPERATOR
from server.store.database import read

HERE = {"lon": 120.605, "lat": 31.305, "datum": "cgcs2000", "method": "survey"}


@pytest.fixture
def office(prepared_database, tmp_path, clock):
    clock.now = FIRST_DAY + timedelta(days=1)
    found = open_office(prepared_database(populate_ground), tmp_path, clock, uuid7)
    yield found
    found.house.engine.dispose()


@pytest.fixture
def phone(office):
    return HandPhone(office)


def resource(name: str = "急救箱", **over):
    values = over.pop("set", {"name": name, "kind": "supply", "anchor": HERE})
    return {
        "op_id": uuid7(), "type": "resource", "id": uuid7(), "kind": "create", "base": None, "set": values, "was": {},
        "form_version": 1, "claimed_at": "2026-03-03T01:00:00Z", **over,
    }  # fmt: skip


def stored_ids(office) -> set[str]:
    with read(office.house.engine) as connection:
        return set(connection.execute(select(record.c.id)).scalars())


def outcomes(results) -> list[tuple[str, str | None]]:
    return [(one["now"]["outcome"], one["now"]["reason"]) for one in results]


# ---------------------------------------------------------------- a malformed batch


MALFORMED_BODIES = {
    "cut off": (b'{"protocol": 1, "groups": [', 400, "malformed-body", "line 1"),
    "not an object": (b"[]", 400, "malformed-body", "object"),
    "not utf-8": (b'{"protocol": 1, "x": "\xff\xfe"}', 400, "malformed-body", "line 1"),
    "empty": (b"", 400, "malformed-body", "line 1"),
}


@pytest.mark.parametrize("kind", MALFORMED_BODIES)
def test_a_batch_that_is_not_json_is_refused_whole(office, phone, kind):
    """The phone is told where the text breaks; nothing was consumed, so the same work can be sent again."""
    body, status, slug, place = MALFORMED_BODIES[kind]
    before = counts(office.house)
    answer = phone.send(body)
    assert problem(answer) == (status, slug)
    assert place in answer.json["detail"]
    assert counts(office.house) == before
    assert outcomes(phone.push([resource()])) == [("applied", None)]


def test_a_packed_batch_that_is_cut_short_is_refused_whole(office, phone):
    """Half a file from a broken line is never taken for the whole."""
    before = counts(office.house)
    packed = gzip.compress(json.dumps(phone.body(resource(), resource())).encode())
    answer = phone.send(packed[:-9], headers={"Content-Encoding": "gzip"})
    assert problem(answer) == (400, "malformed-body")
    assert counts(office.house) == before
    assert phone.send(packed, headers={"Content-Encoding": "gzip"}).status_code == 200


def _with(body, path, value):
    *steps, last = path
    inner = body
    for step in steps:
        inner = inner[step]
    inner[last] = value
    return body


@pytest.mark.parametrize(
    ("path", "value", "pointer"),
    [
        (("groups", 1, "ops"), [], "/groups/1/ops"),
        (("groups", 1), None, "/groups/1/ops"),
        (("groups", 1, "ops", 0), {"n": 2}, "/groups/1/ops/0"),
        (("groups", 1, "ops", 0, "n"), "2", "/groups/1/ops/0"),
        (("groups", 1, "ops", 0, "n"), 7, "/groups"),
        (("groups",), {}, "/groups"),
        (("after",), None, "/after"),
        (("after",), {"n": -1, "op_id": None}, "/after"),
        (("install_id",), "somebody-else", "/install_id"),
        (("protocol",), 99, "/protocol"),
    ],
)  # fmt: skip
def test_a_wrong_envelope_names_its_place(office, phone, path, value, pointer):
    """Which member of the batch is wrong is told; nothing of it was consumed."""
    before = counts(office.house)
    answer = phone.send(_with(phone.body(resource("甲乙丙"), resource("甲乙丙")), path, value))
    assert problem(answer) == (422, "invalid-input")
    assert [one["pointer"] for one in answer.json["errors"]] == [pointer]
    assert "甲乙丙" not in answer.get_data(as_text=True)
    assert counts(office.house) == before


def test_malformed_operations_do_not_hold_up_the_good_rest(office, phone):
    """Each bad operation waits in the office with its place; every good one of the same batch is stored."""
    good = [resource(f"好的 {number}") for number in range(4)]
    bad = {
        "": "{broken",
        "/id": resource(id="not-an-id"),
        "/kind": resource(kind="explode"),
        "/type": resource(type="spaceship"),
        "/set/name": resource(set={"kind": "supply"}),
        "/set/kind": resource(set={"name": "某物", "kind": "no-such-kind"}),
        "/set": resource(set=[]),
    }
    sent = [good[0], *bad.values(), *good[1:]]
    before = counts(office.house)
    results = phone.push(sent)
    assert outcomes([results[0], *results[-3:]]) == [("applied", None)] * 4
    for pointer, result in zip(bad, results[1:-3], strict=True):
        assert result["now"]["outcome"] == "quarantined", pointer
        assert [one["pointer"] for one in result["errors"]] == [pointer]
    assert "no-such-kind" not in json.dumps(results) and "某物" not in json.dumps(results, ensure_ascii=False)
    after = counts(office.house)
    assert after["record"] == before["record"] + 4
    assert after["operation"] == before["operation"] + len(sent), "what was set aside is kept, too"
    assert {one["id"] for one in good} <= stored_ids(office)
    waiting = office.signed_in("secretary").get("/api/v1/inbox").json["counts"]
    assert waiting["quarantine"] == len(bad)


# ---------------------------------------------------------------- datum and form version


@pytest.mark.parametrize(
    ("anchor", "pointer"),
    [
        ({"lon": 120.605, "lat": 31.305, "method": "gps"}, "/set/anchor/datum"),
        (HERE | {"datum": None}, "/set/anchor/datum"),
        (HERE | {"datum": "wgs48"}, "/set/anchor/datum"),
        (HERE | {"lon": 31.305, "lat": 120.605}, "/set/anchor/lat"),
    ],
    ids=["missing", "null", "unknown", "swapped"],
)
def test_a_place_without_a_known_datum_is_not_guessed(office, phone, anchor, pointer):
    """The record waits with the place of the mistake; its neighbours in the batch are stored."""
    lost = resource(set={"name": "灭火器", "kind": "supply", "anchor": anchor})
    good = resource()
    results = phone.push([lost, good])
    assert outcomes(results) == [("quarantined", "invalid"), ("applied", None)]
    assert [one["pointer"] for one in results[0]["errors"]] == [pointer]
    assert "120.605" not in json.dumps(results)
    ids = stored_ids(office)
    assert good["id"] in ids and lost["id"] not in ids


def test_a_wrong_datum_shows_itself(office, phone):
    """A place declared in the wrong datum that falls outside says which datum it may be, and is not dropped."""
    east_edge = {"lon": 120.6225, "lat": 31.305, "datum": "wgs84", "method": "import"}
    [result] = phone.push([resource(set={"name": "沙袋", "kind": "supply", "anchor": east_edge})])
    assert result["now"]["outcome"] == "applied"
    with read(office.house.engine) as connection:
        row = connection.execute(
            select(record.c.home, record.c.placement).where(record.c.id == result["record"]["id"])
        ).one()
    assert row.home == "~unplaced"
    assert "gcj02" in json.loads(row.placement)["datum_suspect"]
    assert office.signed_in("secretary").get("/api/v1/inbox").json["counts"]["unplaced"] >= 1


def test_an_unknown_form_version_is_held_and_not_lost(office, phone):
    """A newer app is ahead of the server: its work is kept until the form is known; the rest is stored."""
    early, good = resource(form_version=99), resource()
    results = phone.push([early, good])
    assert outcomes(results) == [("held", "form"), ("applied", None)]
    with read(office.house.engine) as connection:
        kept = connection.execute(
            select(operation.c.now, operation.c.now_reason).where(operation.c.op_id == early["op_id"])
        ).one()
    assert tuple(kept) == ("held", "form")
    assert stored_ids(office) & {early["id"], good["id"]} == {good["id"]}
    again = phone.send({**phone.body(), "after": {"n": 0, "op_id": None}, "groups": [
        {"ops": [{"n": 1, "op": json.dumps(early)}]}, {"ops": [{"n": 2, "op": json.dumps(good)}]},
    ]})  # fmt: skip
    assert outcomes(again.json["results"]) == outcomes(results), "asked again, the answer is the same"


# ---------------------------------------------------------------- who may


def test_an_expired_enrolment_code_lets_nobody_in(office, clock):
    """An old note with a code gives no device, and says that it is too old."""
    secretary = office.signed_in("secretary")
    made = secretary.post("/api/v1/enrolment-codes", {"user_id": office.users["grid_worker"]})
    before = counts(office.house)
    clock.advance(days=30)
    answer = office.client().post("/api/v1/enroll", json={"code": made.json["code"], "label": "手机"})
    assert problem(answer) == (410, "enrolment-code-expired")
    assert made.json["code"] not in answer.get_data(as_text=True)
    assert counts(office.house) == before


def test_a_lost_answer_to_an_enrolment_is_given_again_to_the_same_phone_only(office, clock):
    """W1: Asked again with its key the phone is the same install with the same token, until it was heard of or the code is too old; nobody else is."""
    secretary = office.signed_in("secretary")

    def ask(code, key):
        return office.client().post("/api/v1/enroll", json={"code": code, "label": "手机", "retry_key": key})

    def code():
        return secretary.post("/api/v1/enrolment-codes", {"user_id": office.users["grid_worker"]}).json["code"]

    given, mine, other = code(), "m" * 43, "o" * 43
    first = ask(given, mine)
    clock.advance(minutes=5)
    again = ask(given.lower(), mine)
    assert first.status_code == 200 and again.json == first.json
    assert [one["install_id"] for one in secretary.get("/api/v1/devices").json["devices"]].count(first.json["install_id"]) == 1
    without = office.client().post("/api/v1/enroll", json={"code": given, "label": "手机"})
    assert problem(without) == problem(ask(given, other)) == (409, "enrolment-code-used")
    assert problem(ask(given, "short")) == (422, "invalid-input")
    pull = {"protocol": 1, "install_id": first.json["install_id"], "cursor": None}
    headers = {"Authorization": f"Bearer {first.json['device_token']}"}
    assert office.client().post("/api/v1/sync/pull", json=pull, headers=headers).status_code == 200
    assert problem(ask(given, mine)) == (409, "enrolment-code-used"), "its token was used: the phone has its answer"

    late = code()
    assert ask(late, mine).status_code == 200
    clock.advance(days=30)
    assert problem(ask(late, mine)) == (410, "enrolment-code-expired")


def test_a_revoked_phone_neither_sends_nor_receives(office, phone):
    """What it sent before stays; what comes after is refused whole, on every address; the others go on."""
    kept = resource("先前")
    assert outcomes(phone.push([kept])) == [("applied", None)]
    other = HandPhone(office)
    revoked = office.signed_in("secretary").post(f"/api/v1/devices/{phone.install_id}/revoke", {"reason": "lost"})
    assert revoked.status_code == 200
    before = counts(office.house)
    late = resource("之后")
    pull = {"protocol": 1, "install_id": phone.install_id, "cursor": None}
    answers = [
        phone.send(phone.body(late)),
        phone.client.post("/api/v1/sync/pull", json=pull, headers=phone.headers),
        phone.client.get("/api/v1/sync/config", headers=phone.headers),
        phone.client.get("/api/v1/reference", headers=phone.headers),
        phone.client.get(f"/api/v1/cells/{CODE_A}/roster/persons", headers=phone.headers),
    ]
    for answer in answers:
        assert problem(answer) == (403, "install-revoked")
        assert "张三" not in answer.get_data(as_text=True)
    assert counts(office.house) == before
    assert kept["id"] in stored_ids(office) and late["id"] not in stored_ids(office)
    assert outcomes(other.push([resource()])) == [("applied", None)]


def looks(office) -> int:
    with read(office.house.engine) as connection:
        rows = connection.execute(select(audit.c.audit_id).where(audit.c.action.in_(["read", "search", "export"])))
        return len(rows.all())


def refused_without_a_word(answer) -> None:
    assert problem(answer)[0] in {403, 404}
    said = answer.get_data(as_text=True)
    assert not any(word in said for word in ("张三", "李四", "王五", "听雨苑", ZHANG_NUMBER[-4:], *IDS.values()))


def test_a_grid_worker_does_not_get_the_neighbour_cells_roster(office):
    """The worker of cell a is refused cell b, by screen, by search and by phone; the refusal says nothing of it."""
    worker, phone = office.signed_in("grid_worker"), HandPhone(office, "grid_worker")
    assert worker.get(f"/api/v1/cells/{CODE_A}/roster/persons").json["count"] == 3
    before = counts(office.house), looks(office)
    query = {"filters": [{"column": "name", "op": "eq", "value": "王五"}]}
    for roster in ("persons", "household_book", "dwellings"):
        refused_without_a_word(worker.get(f"/api/v1/cells/{CODE_B}/roster/{roster}"))
        refused_without_a_word(worker.get(f"/api/v1/cells/{CODE_B}/roster/{roster}?format=csv"))
    refused_without_a_word(worker.post(f"/api/v1/cells/{CODE_B}/roster/persons/search", query))
    refused_without_a_word(phone.client.get(f"/api/v1/cells/{CODE_B}/roster/persons", headers=phone.headers))
    assert (counts(office.house), looks(office)) == before
    rows = worker.get(f"/api/v1/communities/{COMMUNITY}/roster/persons").json["rows"]
    assert "王五" not in {row["name"] for row in rows}
    pull = {"protocol": 1, "install_id": phone.install_id, "cursor": None}
    pulled = phone.client.post("/api/v1/sync/pull", json=pull, headers=phone.headers)
    assert pulled.status_code == 200 and IDS["li"] in pulled.text
    assert "王五" not in pulled.get_data(as_text=True) and IDS["wang"] not in {
        row["record"]["id"] for row in pulled.json["rows"] if row["kind"] == "PUT"
    }


def test_another_communitys_secretary_gets_nothing(office):
    """A secretary of next door sees neither rosters, figures, inbox, cells nor exports of this community."""
    accounts.add_user(
        office.house,
        OPERATOR,
        login="next-door",
        name="某某",
        role="secretary",
        password=PASSWORD,
        community_id=NEIGHBOUR,
    )
    stranger = Person(office.client())
    stranger.sign_in("next-door")
    before = counts(office.house), looks(office)
    query = {"filters": [{"column": "name", "op": "eq", "value": "张三"}]}
    for place in (f"cells/{CODE_A}", f"communities/{COMMUNITY}"):
        refused_without_a_word(stranger.get(f"/api/v1/{place}/roster/persons"))
        refused_without_a_word(stranger.get(f"/api/v1/{place}/roster/persons?format=xlsx"))
        refused_without_a_word(stranger.post(f"/api/v1/{place}/roster/persons/search", query))
    refused_without_a_word(stranger.get(f"/api/v1/communities/{COMMUNITY}/baseline"))
    refused_without_a_word(stranger.get(path_of()))
    refused_without_a_word(stranger.get(f"/api/v1/reference?community_id={COMMUNITY}"))
    assert (counts(office.house), looks(office)) == before
    assert stranger.get(f"/api/v1/communities/{NEIGHBOUR}/roster/persons").json["rows"] == []


def test_nobody_writes_into_the_neighbours_community(office):
    """The id of a record next door, guessed by somebody, changes nothing of it."""
    accounts.add_user(
        office.house,
        OPERATOR,
        login="next-door",
        name="某某",
        role="secretary",
        password=PASSWORD,
        community_id=NEIGHBOUR,
    )
    office.users["stranger"] = accounts.user_of_login(office.house, "next-door").user_id
    code = office.signed_in("admin").post(
        "/api/v1/enrolment-codes", {"user_id": office.users["stranger"], "community_id": NEIGHBOUR}
    )
    assert code.status_code in {200, 201}, code.data
    made = office.client().post("/api/v1/enroll", json={"code": code.json["code"], "label": "手机"}).json
    phone = HandPhone(office)
    phone.install_id, phone.headers = made["install_id"], {"Authorization": f"Bearer {made['device_token']}"}
    with read(office.house.engine) as connection:
        before = connection.execute(select(record).where(record.c.id == IDS["zhang"])).all()
    patch = resource(type="person", id=IDS["zhang"], kind="patch", set={"name": "改名"}, base={"v": 1, "tag": "0" * 16})
    [result] = phone.push([patch])
    assert result["now"]["outcome"] in {"held", "quarantined"}
    assert "张三" not in json.dumps(result, ensure_ascii=False)
    with read(office.house.engine) as connection:
        assert connection.execute(select(record).where(record.c.id == IDS["zhang"])).all() == before
