"""Signing in, devices and tokens: who comes in, who does not, and what is told."""

from __future__ import annotations

import base64
import subprocess
import sys

import pytest
from front_door import COMMUNITY, NEIGHBOUR, PASSWORD, Office, Person, furnish, open_office, problem
from sqlalchemy import text

from server import auth
from server.errors import SlowDown, TokenRefused
from server.permissions import ACTIONS, HOUSE, ROLES, Actor, Scope, may, may_manage, scope_of
from server.sealing import KeyRing
from server.services import tokens
from server.store.database import read

KEYS = KeyRing.from_secret(b"k" * 32)


@pytest.fixture
def office(prepared_database, tmp_path, clock, new_id):
    office = open_office(prepared_database(furnish), tmp_path, clock, new_id, attempts=3)
    yield office
    office.house.engine.dispose()


# ---------------------------------------------------------------- sessions


def test_sign_in_and_out(office: Office):
    """A secretary signs in, is recognised, signs out, and is a stranger again."""
    person = Person(office.client())
    answer = person.sign_in("secretary-1")
    assert answer.status_code == 200
    assert answer.json["user"]["role"] == "secretary"
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie and "SameSite=Lax" in cookie
    assert person.get("/api/v1/session").json["user"]["community_id"] == COMMUNITY
    assert person.client.delete("/api/v1/session", headers=person.headers).status_code == 204
    assert problem(person.get("/api/v1/session")) == (401, "not-signed-in")
    assert person.get("/api/v1/session?optional=true").status_code == 204, "a page that only asks is not refused"


def test_a_copied_cookie_ends_with_the_session(office: Office):
    """Signing out ends the session on the server, not only in the browser."""
    person = office.signed_in("secretary")
    secret = person.client.get_cookie(auth.COOKIE).value
    person.client.delete("/api/v1/session", headers=person.headers)
    thief = office.client()
    thief.set_cookie(auth.COOKIE, secret)
    assert problem(thief.get("/api/v1/session")) == (401, "not-signed-in")


def test_a_session_expires(office: Office, clock):
    """A screen left open over night asks for the password again."""
    person = office.signed_in("secretary")
    clock.advance(hours=12)
    assert problem(person.get("/api/v1/session")) == (401, "not-signed-in")


def test_secrets_are_kept_as_hashes_only(office: Office):
    """Whoever copies the database can sign in as nobody."""
    person = office.signed_in("secretary")
    secret = person.client.get_cookie(auth.COOKIE).value
    token = person.post("/api/v1/read-tokens", {"label": "QGIS"}).json["token"]
    code = person.post("/api/v1/enrolment-codes", {"user_id": office.users["grid_worker"]}).json["code"]
    with read(office.house.engine) as connection:
        kept = ""
        for table in ("user_account", "sign_in_session", "read_token", "enrolment_code", "audit"):
            kept += str([tuple(row) for row in connection.execute(text(f"SELECT * FROM {table}"))])
    for plain in (PASSWORD, secret, token, code, tokens.plain_code(code)):
        assert plain not in kept
    assert "$argon2id$" in kept


def test_a_guess_at_a_password_costs_what_rfc_9106_asks():
    """Who copies the database pays for every guess: Argon2id with 64 MiB, three passes, four lanes (RFC 9106, second choice)."""
    program = "from server.services.sign_in import hash_password; print(hash_password('a made-up password'))"
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert told.stdout.startswith("$argon2id$v=19$m=65536,t=3,p=4$")


def test_wrong_password_and_unknown_name_look_alike(office: Office):
    """Guessing does not tell which names exist."""
    wrong = Person(office.client()).sign_in("secretary-1", "not-the-password")
    unknown = Person(office.client()).sign_in("nobody-here", "not-the-password")
    assert problem(wrong) == problem(unknown) == (401, "wrong-credentials")
    same = ("type", "title", "title_zh", "status", "detail")
    assert [wrong.json[name] for name in same] == [unknown.json[name] for name in same]


def test_an_account_closes_for_a_while_after_wrong_passwords(office: Office, clock):
    """After three wrong passwords even the right one waits a quarter of an hour."""
    for _ in range(3):
        assert problem(Person(office.client()).sign_in("secretary-1", "guess-guess"))[0] == 401
    locked = Person(office.client()).sign_in("secretary-1")
    assert problem(locked) == (429, "account-locked")
    assert int(locked.headers["Retry-After"]) > 0
    clock.advance(minutes=16)
    assert Person(office.client()).sign_in("secretary-1").status_code == 200


def test_changes_need_the_csrf_token(office: Office):
    """A page of somebody else cannot make a signed-in browser change anything."""
    person = office.signed_in("secretary")
    body = {"label": "QGIS"}
    assert problem(person.client.post("/api/v1/read-tokens", json=body)) == (403, "csrf-refused")
    other = {"X-CSRF-Token": office.signed_in("secretary").headers["X-CSRF-Token"]}
    assert problem(person.client.post("/api/v1/read-tokens", json=body, headers=other)) == (403, "csrf-refused")
    assert person.get("/api/v1/read-tokens").json == {"read_tokens": []}


def test_own_password(office: Office):
    """Changing the password needs the old one and ends every session."""
    person, other_screen = office.signed_in("secretary"), office.signed_in("secretary")
    wrong = person.post("/api/v1/session/password", {"current": "guess-guess", "password": "another-password"})
    assert problem(wrong) == (401, "wrong-credentials")
    right = person.post("/api/v1/session/password", {"current": PASSWORD, "password": "another-password"})
    assert right.status_code == 204
    assert other_screen.get("/api/v1/session").status_code == 401
    assert Person(office.client()).sign_in("secretary-1", "another-password").status_code == 200


def test_too_many_tries_from_one_address(prepared_database, tmp_path, clock, new_id):
    """A machine that guesses passwords or codes is slowed down, whichever names it tries."""
    url = prepared_database(furnish)
    office = open_office(url, tmp_path, clock, new_id, sign_in_per_minute=3, enrol_per_minute=2)
    client = office.client()
    for kind, path, body, tries in (
        ("password", "/api/v1/session", {"login": "nobody", "password": "guess"}, 3),
        ("code", "/api/v1/enroll", {"code": "0000-0000-0000"}, 2),
    ):
        answers = [client.post(path, json=body) for _ in range(tries + 1)]
        assert [answer.status_code == 429 for answer in answers] == [False] * tries + [True], kind
        assert problem(answers[-1]) == (429, "slow-down")
        assert int(answers[-1].headers["Retry-After"]) >= 1
    office.house.engine.dispose()


def test_tries_come_back_with_time():
    """Somebody who waits may try again; somebody else never waits for them."""
    now = [0.0]
    bucket = auth.TokenBucket(6, now=lambda: now[0], most_keys=2)
    for _ in range(6):
        bucket.take("a")
    with pytest.raises(SlowDown) as refused:
        bucket.take("a")
    assert refused.value.retry_after_s == pytest.approx(10)
    bucket.take("b")
    now[0] = 10.0
    bucket.take("a")
    with pytest.raises(SlowDown):
        bucket.take("a")


# ---------------------------------------------------------------- devices


def enrolled(office: Office, role: str = "grid_worker") -> dict:
    secretary = office.signed_in("secretary")
    code = secretary.post("/api/v1/enrolment-codes", {"user_id": office.users[role]}).json["code"]
    answer = office.client().post("/api/v1/enroll", json={"code": code, "label": "手机", "app_version": "1"})
    assert answer.status_code == 200, answer.json
    return answer.json


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_a_phone_enrols_once(office: Office):
    """A code typed as people type it enrols one phone; the second phone is told why not."""
    secretary = office.signed_in("secretary")
    made = secretary.post("/api/v1/enrolment-codes", {"user_id": office.users["grid_worker"]}).json
    typed = made["code"].lower().replace("-", " ").replace("0", "o").replace("1", "l")
    first = office.client().post("/api/v1/enroll", json={"code": typed})
    assert first.status_code == 200
    assert set(first.json) == {
        "community_id", "install_id", "device_token", "send_token", "user", "server_public_key", "protocol",
    }  # fmt: skip
    assert (first.json["community_id"], first.json["protocol"]) == (COMMUNITY, 1)
    assert first.json["user"]["role"] == "grid_worker"
    again = office.client().post("/api/v1/enroll", json={"code": typed})
    assert problem(again) == (409, "enrolment-code-used")
    assert len(secretary.get("/api/v1/devices").json["devices"]) == 1


def test_an_expired_code_enrols_nothing(office: Office, clock):
    """A code found on an old note is refused with the reason, and no device appears."""
    secretary = office.signed_in("secretary")
    code = secretary.post("/api/v1/enrolment-codes", {"user_id": office.users["grid_worker"]}).json["code"]
    clock.advance(hours=72)
    assert problem(office.client().post("/api/v1/enroll", json={"code": code})) == (410, "enrolment-code-expired")
    assert problem(office.client().post("/api/v1/enroll", json={"code": "ABCD"})) == (404, "enrolment-code-unknown")
    assert office.signed_in("secretary").get("/api/v1/devices").json == {"devices": []}


def test_a_revoked_phone_is_told_so(office: Office):
    """A lost phone gets nothing any more; revoking twice changes nothing."""
    phone = enrolled(office)
    client = office.client()
    assert client.get("/api/v1/reference", headers=bearer(phone["device_token"])).status_code == 200
    secretary = office.signed_in("secretary")
    path = f"/api/v1/devices/{phone['install_id']}/revoke"
    first = secretary.post(path, {"reason": "lost"})
    again = secretary.post(path, {"reason": "retired"})
    assert first.json == again.json and first.json["revoked_reason"] == "lost"
    refused = client.get("/api/v1/reference", headers=bearer(phone["device_token"]))
    assert problem(refused) == (403, "install-revoked")


def test_closing_an_account_stops_its_phone_screen_and_tokens(office: Office):
    """Who leaves the office has no way in left, and the work stays under their name."""
    phone = enrolled(office, "grid_worker")
    screen = office.signed_in("community_worker")
    token = screen.post("/api/v1/read-tokens", {"label": "QGIS"}).json["token"]
    for role in ("grid_worker", "community_worker"):
        closed = office.signed_in("secretary").post(f"/api/v1/users/{office.users[role]}/close")
        assert closed.status_code == 204
    assert problem(screen.get("/api/v1/session")) == (401, "not-signed-in")
    client = office.client()
    for secret, wanted in ((phone["device_token"], (403, "install-revoked")), (token, (401, "token-refused"))):
        assert problem(client.get("/api/v1/reference", headers=bearer(secret))) == wanted
    assert problem(Person(client).sign_in("community-worker-1")) == (401, "wrong-credentials")


def test_a_device_token_cannot_be_made_up():
    """A token of another house, a changed one, and noise are refused alike."""
    claim = tokens.DeviceClaim("c1", "i1", "2026-03-02T01:00:00.000Z")
    token = tokens.device_token(KEYS, claim)
    assert tokens.device_claim(KEYS, token) == claim
    other = tokens.device_token(KeyRing.from_secret(b"x" * 32), claim)
    swapped = [*token.split(".")[:2], tokens.device_token(KEYS, tokens.DeviceClaim("c2", "i1", "t")).split(".")[2]]
    for wrong in (other, ".".join(swapped), token[:-2], "dishu-device.", "dishu-device.é.é", "noise", ""):
        with pytest.raises(TokenRefused):
            tokens.device_claim(KEYS, wrong)


# ---------------------------------------------------------------- read tokens


def test_a_read_token_reads_and_nothing_else(office: Office, clock):
    """A program with a read token, as bearer or as Basic password, reads; it never changes anything, and it ends."""
    planner = office.signed_in("planner")
    made = planner.post("/api/v1/read-tokens", {"label": "QGIS", "days": 30}).json
    client = office.client()
    basic = base64.b64encode(f"qgis:{made['token']}".encode()).decode()
    for headers in (bearer(made["token"]), {"Authorization": f"Basic {basic}"}):
        assert client.get("/api/v1/reference", headers=headers).status_code == 200
        assert problem(client.post("/api/v1/read-tokens", json={"label": "x"}, headers=headers)) == (
            401,
            "token-refused",
        )
    clock.advance(days=30)
    assert problem(client.get("/api/v1/reference", headers=bearer(made["token"]))) == (401, "token-refused")


def test_a_read_token_can_be_ended(office: Office):
    """Its owner ends it; nobody else's list shows it."""
    planner = office.signed_in("planner")
    made = planner.post("/api/v1/read-tokens", {"label": "QGIS"}).json
    secretary = office.signed_in("secretary")
    path = f"/api/v1/read-tokens/{made['token_id']}/revoke"
    assert secretary.get("/api/v1/read-tokens").json == {"read_tokens": []}
    assert problem(secretary.post(path)) == (404, "not-found")
    assert planner.post(path).status_code == 204
    answer = office.client().get("/api/v1/reference", headers=bearer(made["token"]))
    assert problem(answer) == (401, "token-refused")


# ---------------------------------------------------------------- who may what


def person(role: str, community_id: str = COMMUNITY, **more) -> Actor:
    return Actor("u1", role, community_id, **more)


@pytest.mark.parametrize(
    "actor, cells, below, scope",
    [
        (person("grid_worker"), ["a"], [], Scope((COMMUNITY,), frozenset({"cell/a"}))),
        (person("grid_worker"), [], [], Scope((COMMUNITY,), frozenset())),
        (person("grid_worker", install_id="i"), ["a"], [], Scope((COMMUNITY,), frozenset({"cell/a", "install/i"}))),
        (person("community_worker", topics=("elderly",)), ["a"], [], Scope((COMMUNITY,), topics=("elderly",))),
        (person("secretary"), [], [], Scope((COMMUNITY,))),
        (person("subdistrict", HOUSE, area_code="999999001"), [], [COMMUNITY], Scope((COMMUNITY,))),
        (person("district", HOUSE), [], [], Scope(())),
        (person("planner"), [], [], Scope((COMMUNITY,), fields="internal", topics=())),
        (person("planner", HOUSE), [], [], Scope(None, fields="internal", topics=())),
        (person("auditor", HOUSE), [], [], Scope(None, fields="aggregate", topics=())),
        (person("admin", HOUSE), [], [], Scope((), frozenset(), "aggregate")),
        (person("anything"), [], [], Scope((), frozenset(), "aggregate")),
    ],
    ids=lambda value: value.role if isinstance(value, Actor) else "",
)
def test_what_a_role_sees(actor, cells, below, scope):
    """A worker sees the assigned cells, a secretary the community, an officer what lies below, a planner no persons."""
    assert scope_of(actor, cells, below) == scope


def test_nobody_acts_next_door():
    """A role counts at home only; officers reach down, people of the house reach everywhere they may reach."""
    for action in ACTIONS:
        for role in ROLES:
            assert not may(person(role), action, community_id=NEIGHBOUR), (role, action)
    officer = person("subdistrict", HOUSE, area_code="999999001")
    assert may(officer, "read_personal", community_id=COMMUNITY, communities_below=[COMMUNITY])
    assert not may(officer, "read_personal", community_id=NEIGHBOUR, communities_below=[COMMUNITY])
    assert may(person("admin", HOUSE), "manage_people", community_id=NEIGHBOUR)
    assert not may(person("admin", HOUSE), "read_personal", community_id=NEIGHBOUR)


def test_read_tokens_never_write():
    """Whatever its owner's role, a read token has only reading rights."""
    token = person("secretary", read_only=True)
    allowed = {action for action in ACTIONS if may(token, action)}
    assert allowed <= {
        "read_records",
        "read_personal",
        "read_baseline",
        "read_reference",
        "read_audit",
        "export",
        "export_personal",
    }
    assert not may_manage(token, "grid_worker", COMMUNITY)


def test_nobody_makes_an_account_above_their_own():
    """A secretary makes workers of the own community; only the house's administrator makes the others."""
    secretary, admin = person("secretary"), person("admin", HOUSE)
    made = {role for role in ROLES if may_manage(secretary, role, COMMUNITY)}
    assert made == {"grid_worker", "community_worker", "planner"}
    assert not any(may_manage(secretary, role, NEIGHBOUR) for role in ROLES)
    assert all(may_manage(admin, role, NEIGHBOUR) for role in ROLES)
    assert not any(
        may_manage(person(role), "grid_worker", COMMUNITY) for role in ROLES if role not in {"secretary", "admin"}
    )


def test_who_works_with_records_gets_a_phone_and_nobody_else(office: Office):
    """Codes are for grid workers, community workers (S23) and the secretary; ODK Collect, which has one scope for all, for cells only."""
    secretary = office.signed_in("secretary")
    for role, code in (("community_worker", 201), ("grid_worker", 201), ("planner", 422), ("auditor", 404)):
        assert secretary.post("/api/v1/enrolment-codes", {"user_id": office.users[role]}).status_code == code, role
    assert {role for role in ROLES if role in ACTIONS["sync"]} == {"grid_worker", "community_worker", "secretary"}
    assert "community_worker" not in ACTIONS["use_odk"]
