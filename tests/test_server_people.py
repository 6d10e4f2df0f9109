"""Accounts, assignments, reference data and the audit log, as the office uses them."""

from __future__ import annotations

import pytest
from front_door import COMMUNITY, NEIGHBOUR, PASSWORD, Office, furnish, open_office, problem
from sqlalchemy import text

from server.permissions import Actor
from server.services import accounts, assignments, audit
from server.services.audit import Look
from server.store import people
from server.store.assignments import scope_version
from server.store.database import read


@pytest.fixture
def office(prepared_database, tmp_path, clock, new_id):
    office = open_office(prepared_database(furnish), tmp_path, clock, new_id)
    yield office
    office.house.engine.dispose()


def a_worker(**over) -> dict:
    return {"login": "wang-1", "name": "王某", "role": "grid_worker", "password": PASSWORD} | over


def the_worker(office: Office) -> Actor:
    return Actor(office.users["grid_worker"], "grid_worker", COMMUNITY)


# ---------------------------------------------------------------- accounts


def test_a_secretary_makes_a_worker(office: Office):
    """A new worker can sign in at once; the answer holds no password."""
    secretary = office.signed_in("secretary")
    made = secretary.post("/api/v1/users", a_worker(login="Wang-1"))
    assert made.status_code == 201
    assert made.json["login"] == "wang-1" and made.json["community_id"] == COMMUNITY
    assert "password" not in made.text and "argon2" not in made.text
    again = secretary.post("/api/v1/users", a_worker())
    assert problem(again) == (409, "already-exists")
    assert "wang-1" in {user["login"] for user in secretary.get("/api/v1/users").json["users"]}


def test_every_wrong_field_of_an_account_is_named(office: Office):
    """All mistakes are told at once, each with its place."""
    answer = office.signed_in("secretary").post(
        "/api/v1/users", {"login": "x" * 41, "role": "king", "password": "short", "nickname": "?"}
    )
    assert problem(answer) == (422, "invalid-input")
    found = {error["pointer"]: error["code"] for error in answer.json["errors"]}
    assert set(found) == {"/login", "/name", "/role", "/password", "/nickname"}
    assert found["/name"] == "required" and found["/nickname"] == "unknown_field"
    assert "short" not in answer.text and "king" not in answer.text


@pytest.mark.parametrize(
    "over",
    [{"role": "secretary"}, {"role": "admin", "community_id": "~house"}, {"community_id": NEIGHBOUR}],
    ids=["a secretary", "an administrator", "a worker next door"],
)
def test_a_secretary_does_not_reach_further(office: Office, over):
    """Nobody gives away more than they have."""
    answer = office.signed_in("secretary").post("/api/v1/users", a_worker(**over))
    assert problem(answer) == (403, "outside-your-scope")


def test_a_secretary_does_not_set_the_administrators_password(office: Office):
    """Accounts outside the community are not even seen."""
    path = f"/api/v1/users/{office.users['admin']}/password"
    assert problem(office.signed_in("secretary").post(path, {"password": "another-password"})) == (404, "not-found")


def test_workers_see_no_accounts(office: Office):
    """Lists of people at the office are for those who manage them."""
    for role in ("grid_worker", "community_worker", "planner", "auditor"):
        assert problem(office.signed_in(role).get("/api/v1/users")) == (403, "outside-your-scope"), role


# ---------------------------------------------------------------- assignments


def test_an_assignment_opens_a_cell_and_its_end_closes_it(office: Office):
    """A worker sees a cell from its assignment to its end; phones notice by the scope version."""
    house, worker, secretary = office.house, the_worker(office), office.signed_in("secretary")
    assert accounts.scope(house, worker).streams == frozenset()
    made = secretary.post("/api/v1/assignments", {"user_id": worker.user_id, "cell_id": "cell-a"})
    assert made.status_code == 201 and made.json["granted_version"] == 1
    assert accounts.scope(house, worker).streams == {"cell/cell-a"}
    twice = secretary.post("/api/v1/assignments", {"user_id": worker.user_id, "cell_id": "cell-a"})
    assert problem(twice) == (409, "already-exists")
    path = f"/api/v1/assignments/{made.json['assignment_id']}/revoke"
    assert secretary.post(path).json["revoked_version"] == 2
    assert secretary.post(path).json["revoked_version"] == 2
    assert accounts.scope(house, worker).streams == frozenset()
    with read(house.engine) as connection:
        assert scope_version(connection, COMMUNITY, worker.user_id) == 2
        journaled = connection.execute(text("SELECT command, actor_id FROM journal ORDER BY number")).all()
    assert [tuple(row) for row in journaled] == [("assign", office.users["secretary"])] * 2


def test_a_cell_goes_to_its_successor_in_one_step(office: Office):
    """Old and new worker change together, with duty and last day; a lost answer is asked for again without harm, and another try tells."""
    secretary, cell = office.signed_in("secretary"), "cell-a"
    successor = secretary.post("/api/v1/users", a_worker()).json["user_id"]
    held = {"user_id": office.users["grid_worker"], "cell_id": cell, "duty": "regular", "to_on": "2026-12-31"}
    path = f"/api/v1/assignments/{secretary.post('/api/v1/assignments', held).json['assignment_id']}/hand-over"
    given = secretary.post(path, {"user_id": successor})
    assert (given.status_code, given.json["duty"], given.json["to_on"]) == (200, "regular", "2026-12-31")
    assert secretary.post(path, {"user_id": successor}).json == given.json
    running = [one for one in secretary.get("/api/v1/assignments").json["assignments"] if one["revoked_at"] is None]
    assert [(one["user_id"], one["cell_id"]) for one in running] == [(successor, cell)]
    assert accounts.scope(office.house, the_worker(office)).streams == frozenset()
    assert problem(secretary.post(path, {"user_id": office.users["grid_worker"]})) == (422, "invalid-input")
    assert problem(secretary.post("/api/v1/assignments/none/hand-over", {"user_id": successor})) == (404, "not-found")
    assert problem(office.signed_in("grid_worker").post(path, {"user_id": successor})) == (403, "outside-your-scope")


@pytest.mark.parametrize("broken", ["granting", "ending"])
def test_a_handover_that_breaks_off_leaves_the_cell_with_its_worker(office: Office, monkeypatch, broken):
    """Whatever fails in the middle, nobody has the cell twice and it is never without anybody; the next try does it all."""
    secretary = office.signed_in("secretary")
    successor = secretary.post("/api/v1/users", a_worker()).json["user_id"]
    made = secretary.post("/api/v1/assignments", {"user_id": office.users["grid_worker"], "cell_id": "cell-a"}).json["assignment_id"]
    path = f"/api/v1/assignments/{made}/hand-over"

    def fails(*_: object, **__: object) -> None:
        raise RuntimeError("the machine stops")

    with monkeypatch.context() as now, pytest.raises(RuntimeError, match="the machine stops"):
        now.setattr(assignments.store, "add_assignment" if broken == "granting" else "revoke_assignment", fails)
        assignments.hand_over(office.house, Actor(office.users["secretary"], "secretary", COMMUNITY), made, user_id=successor)
    assert accounts.scope(office.house, the_worker(office)).streams == {"cell/cell-a"}
    assert [one["user_id"] for one in secretary.get("/api/v1/assignments").json["assignments"]] == [office.users["grid_worker"]]
    assert secretary.post(path, {"user_id": successor}).status_code == 200


def test_an_assignment_holds_for_its_days_only(office: Office, clock):
    """A substitute of next week sees the cell next week, by the calendar of the community."""
    body = {
        "user_id": office.users["grid_worker"], "cell_id": "cell-b", "duty": "substitute", "from_on": "2026-03-09",
        "to_on": "2026-03-10",
    }  # fmt: skip
    assert office.signed_in("secretary").post("/api/v1/assignments", body).status_code == 201
    seen = []
    for hours in (0, 7 * 24 - 10, 1, 2 * 24 - 1, 1):  # 09:00 in China on the 2nd; 23:00 and 00:00 before the 9th; …
        clock.advance(hours=hours)
        seen.append(accounts.scope(office.house, the_worker(office)).streams)
    cell = frozenset({"cell/cell-b"})
    assert seen == [frozenset(), frozenset(), cell, cell, frozenset()]


@pytest.mark.parametrize(
    "over, wanted",
    [
        ({"cell_id": "cell-of-another-community"}, (404, "not-found")),
        ({"user_id": "nobody"}, (404, "not-found")),
        ({"duty": "boss"}, (422, "invalid-input")),
        ({"from_on": "2026-02-30"}, (422, "invalid-input")),
        ({"from_on": "2026-03-09", "to_on": "2026-03-08"}, (422, "invalid-input")),
        ({"community_id": NEIGHBOUR}, (403, "outside-your-scope")),
    ],
    ids=["no such cell", "no such user", "no such duty", "no such day", "ends before it begins", "next door"],
)
def test_an_impossible_assignment_changes_nothing(office: Office, over, wanted):
    """A mistake is named, and no worker sees a cell by it."""
    body = {"user_id": office.users["grid_worker"], "cell_id": "cell-a"} | over
    secretary = office.signed_in("secretary")
    assert problem(secretary.post("/api/v1/assignments", body)) == wanted
    assert secretary.get("/api/v1/assignments").json == {"assignments": []}


def test_an_officer_sees_the_communities_below(office: Office):
    """A subdistrict officer sees the own communities and not those of the subdistrict beside it."""
    officer = Actor("u", "subdistrict", "~house", area_code="999999001")
    assert accounts.scope(office.house, officer).community_ids == (COMMUNITY,)
    district = Actor("u", "district", "~house", area_code="999999")
    assert accounts.scope(office.house, district).community_ids == (COMMUNITY, NEIGHBOUR)


# ---------------------------------------------------------------- reference data


def test_reference_data_is_cut_and_fetched_once(office: Office):
    """A phone gets forms, lists, its own cells and assignments, and nothing again while nothing changed."""
    secretary, worker = office.signed_in("secretary"), office.signed_in("grid_worker")
    secretary.post("/api/v1/assignments", {"user_id": office.users["grid_worker"], "cell_id": "cell-b"})
    first = worker.get("/api/v1/reference")
    assert first.status_code == 200
    told = first.json
    assert {"person", "household", "dwelling"} <= set(told["forms"])
    assert told["codelists"] and told["edition"]["edition_id"] == "e1"
    assert [one["id"] for one in told["cells"]["features"]] == ["cell-b"]
    ring = told["cells"]["features"][0]["geometry"]["coordinates"][0]
    assert [120.61, 31.3] in ring and ring[0] == ring[-1]
    assert [one["cell_id"] for one in told["assignments"]] == ["cell-b"]
    again = worker.get("/api/v1/reference", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    secretary.post("/api/v1/assignments", {"user_id": office.users["grid_worker"], "cell_id": "cell-a"})
    changed = worker.get("/api/v1/reference", headers={"If-None-Match": first.headers["ETag"]})
    assert changed.status_code == 200 and len(changed.json["cells"]["features"]) == 2
    assert len(secretary.get("/api/v1/reference").json["cells"]["features"]) == 2


def test_reference_data_of_a_neighbour_is_refused(office: Office):
    """Forms are for all; the neighbour's cells and assignments are not."""
    path = f"/api/v1/reference?community_id={NEIGHBOUR}"
    for role in ("grid_worker", "secretary", "planner", "subdistrict"):
        assert problem(office.signed_in(role).get(path)) == (403, "outside-your-scope"), role


def test_people_above_the_communities_are_told_which_ones_they_may_name(office: Office):
    """Without a community an officer and the administrator get forms, code lists and their communities, but nobody's cells."""
    for role in ("subdistrict", "admin"):
        told = office.signed_in(role).get("/api/v1/reference")
        assert told.status_code == 200, told.data
        assert told.json["community"] is None and told.json["cells"]["features"] == told.json["assignments"] == []
        assert "household" in told.json["forms"] and told.json["codelists"]
        reached = [one["community_id"] for one in told.json["communities"]]
        assert COMMUNITY in reached and (NEIGHBOUR in reached) == (role == "admin")
        again = office.signed_in(role).get("/api/v1/reference", headers={"If-None-Match": told.headers["ETag"]})
        assert again.status_code == 304
        named = office.signed_in(role).get(f"/api/v1/reference?community_id={COMMUNITY}")
        assert named.json["community"]["community_id"] == COMMUNITY and named.json["cells"]["features"]


# ---------------------------------------------------------------- audit


def test_every_look_is_written_down(office: Office, clock):
    """Who looked at which fields of how many records, what for: readable by auditor and secretary, without values."""
    actor = Actor(office.users["grid_worker"], "grid_worker", COMMUNITY)
    look = Look(actor, "read", "visit round", "request-1")
    audit.note(office.house, look, scope="cell/cell-a", record_type="person", fields=["phones", "name"], count=12)
    lines = office.signed_in("auditor").get("/api/v1/audit?action=read").json["lines"]
    assert [(one["fields"], one["count"], one["purpose"], one["actor_id"]) for one in lines] == [
        (["name", "phones"], 12, "visit round", actor.user_id)
    ]
    assert office.signed_in("secretary").get("/api/v1/audit?action=read").json["lines"] == lines
    for role in ("grid_worker", "planner", "community_worker"):
        assert problem(office.signed_in(role).get("/api/v1/audit")) == (403, "outside-your-scope"), role


def test_a_secretary_reads_the_own_log_only(office: Office):
    """Looks at a neighbour's records are that community's and the house's business."""
    audit.note(office.house, Look(Actor("u", "secretary", NEIGHBOUR), "read", "there"), scope="-")
    secretary = office.signed_in("secretary")
    assert {one["community_id"] for one in secretary.get("/api/v1/audit").json["lines"]} == {COMMUNITY}
    assert NEIGHBOUR in {one["community_id"] for one in office.signed_in("admin").get("/api/v1/audit").json["lines"]}


def test_the_log_is_read_page_by_page(office: Office, clock):
    """Paging shows every line once, newest first, also where many were written in one moment."""
    actor = Actor("u", "secretary", COMMUNITY)
    for number in range(7):
        audit.note(office.house, Look(actor, "export", f"number {number}"), scope="-")
        clock.advance(milliseconds=number % 2)
    auditor, found, after = office.signed_in("auditor"), [], ""
    while after is not None:
        page = auditor.get(f"/api/v1/audit?action=export&limit=3&after={after}").json
        found += [one["purpose"] for one in page["lines"]]
        after = page["next"]
    assert found == [f"number {number}" for number in reversed(range(7))]


def test_changes_of_who_may_look_are_in_the_log(office: Office):
    """Accounts, codes, devices, tokens and sign-ins, the refused ones too, leave a line each."""
    secretary = office.signed_in("secretary")
    secretary.post("/api/v1/users", a_worker())
    secretary.post("/api/v1/enrolment-codes", {"user_id": office.users["grid_worker"]})
    office.client().post("/api/v1/session", json={"login": "planner-1", "password": "guess-guess"})
    told = secretary.get("/api/v1/audit").json
    purposes = [one["purpose"] for one in told["lines"]]
    assert purposes[:4] == ["refused", "enrolment code made", "account made: grid_worker", "sign_in"]
    with read(office.house.engine) as connection:
        known = {one.user_id: one.name for one in people.users(connection, (COMMUNITY,))}
    made = next(one["scope"] for one in told["lines"] if one["purpose"].startswith("account made"))
    assert {office.users["secretary"], office.users["grid_worker"], made} <= set(told["names"])
    assert all(known[user_id] == name for user_id, name in told["names"].items())
