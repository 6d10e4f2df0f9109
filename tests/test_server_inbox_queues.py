"""The queues of the inbox beside the conflicts: what comes first, what is cut to a cell, what is counted, handed on and to whom."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from front_door import COMMUNITY, problem
from records_kit import CODE_B, IDS, actor_of, office_with_records, write_operation
from server_kit import operation
from test_server_inbox import version

from server.permissions import Scope
from server.services.enrolment import create_code, enrol
from server.services.lives import pass_over
from server.services.push import Sender
from server.services.reused import REUSED
from server.store.asked import asked_of
from server.store.database import read, stamp, write


@pytest.fixture
def office(prepared_database, tmp_path, clock):
    found = office_with_records(prepared_database, tmp_path, clock)
    yield found
    found.house.engine.dispose()


def waiting_of_all_kinds(office):
    """A finding about a child, a quarantined sex, a quarantined floor that arrived before it; a move out of the worker's cell, which is a
    proposal, sent again twice with other contents under its number; and a range that never came: findings about the phone.
    """
    worker = actor_of(office, "grid_worker")
    phone = enrol(office.house, create_code(office.house, actor_of(office, "secretary"), worker.user_id)[0], label="phone", app_version="1")
    asked = {"dwelling": IDS["dwelling_c"], "on": "2026-02-20", "members": [IDS[one] for one in ("zhang", "li", "child")]}
    move = operation("command", "household", IDS["household_a"], base=version(office, "household_a"), name="move_household", arguments=asked)
    for on, reason in (("2026-02-20", "proposal"), ("2026-02-21", REUSED), ("2026-02-22", REUSED)):
        sent = {"n": 1, "op": json.dumps(move | {"arguments": asked | {"on": on}})}
        body = {"protocol": 1, "install_id": phone.install_id, "after": {"n": 0, "op_id": None}, "scope": {"version": 1, "last_n": 0},
                "sent_at": stamp(office.house.clock()), "groups": [{"ops": [sent]}]}  # fmt: skip
        told = office.client().post("/api/v1/sync/push", json=body, headers={"Authorization": f"Bearer {phone.device_token}"})
        assert told.json["results"][0]["now"]["reason"] == reason, told.data
    with write(office.house.engine) as connection:
        sender = Sender(COMMUNITY, phone.install_id, worker.user_id, "device", True)
        pass_over(connection, office.house, sender, (1, move["op_id"]), (7, office.house.new_id()))
    write_operation(office.house, worker, "patch", "dwelling_a", {"floor_number": "up"}, base=version(office, "dwelling_a"))
    write_operation(office.house, worker, "patch", "li", {"sex": "unheard-of"}, base=version(office, "li"))
    write_operation(office.house, actor_of(office, "secretary"), "patch", "child", {"marital_code": "20"}, base=version(office, "child"))


def test_every_queue_begins_with_what_harms_most_and_can_be_cut_to_a_cell(office):
    """A person's fact comes before a floor that waited longer; one page after another; of one cell, of another there is nothing."""
    waiting_of_all_kinds(office)
    ask = office.signed_in("secretary").get
    queue = ask("/api/v1/inbox/quarantine").json
    assert [(row["type"], row["harm"]) for row in queue["rows"]] == [("person", 0), ("dwelling", 2)] and queue["count"] == 2
    first = ask("/api/v1/inbox/quarantine?limit=1").json
    second = ask(f"/api/v1/inbox/quarantine?limit=1&next={first['next']}").json
    assert [row["op_id"] for row in first["rows"] + second["rows"]] == [row["op_id"] for row in queue["rows"]]
    cell = queue["rows"][0]["cell"]["code"]
    for kind in ("quarantine", "findings"):
        told = ask(f"/api/v1/inbox/{kind}").json
        homes = [(row["cell"] if kind == "quarantine" else (row["record"] or {}).get("cell")) for row in told["rows"]]
        here = ask(f"/api/v1/inbox/{kind}?cell={cell}").json
        assert here["count"] == len(here["rows"]) == sum(one is not None and one["code"] == cell for one in homes)
        assert ask(f"/api/v1/inbox/{kind}?cell={CODE_B}").json["count"] == sum(one is not None and one["code"] == CODE_B for one in homes)
    for kind in ("held", "proposals", "quarantine", "findings"):
        assert problem(ask(f"/api/v1/inbox/{kind}?cell=none")) == (404, "not-found")
        assert problem(office.signed_in("grid_worker").get(f"/api/v1/inbox/{kind}?cell={CODE_B}")) == (403, "outside-your-scope")


def test_the_counts_of_a_cell_are_those_of_its_queues_and_of_its_figure(office):
    """Somebody new who was set apart, and so is in no cell yet, counts with what is in none: nothing that waits is in no count."""
    waiting_of_all_kinds(office)
    newcomer = {"name": "李新", "sex": "unheard-of", "residence_household": IDS["household_a"], "relation_to_head": "20", "presence": "present"}
    found = write_operation(office.house, actor_of(office, "secretary"), "create", "li", newcomer, id=office.house.new_id())
    assert found["now"]["outcome"] == "quarantined", found
    ask = office.signed_in("secretary").get
    figures = ask(f"/api/v1/communities/{COMMUNITY}/overview").json
    whole, summed = ask("/api/v1/inbox").json["counts"], Counter()
    for code, place in [*((cell["code"], cell) for cell in figures["cells"]), ("~unplaced", figures["unplaced"])]:
        told = ask(f"/api/v1/inbox?cell={code}&duplicates=true").json
        assert told["total"] == sum(told["counts"].values())
        for kind, count in told["counts"].items():
            assert ask(f"/api/v1/inbox/{kind}?cell={code}").json["count"] == count, (code, kind)
        summed.update(told["counts"])
        kinds = {name: name for name in ("conflicts", "findings", "held", "proposals")} | {"quarantined": "quarantine"}
        assert place["open"] == {name: told["counts"][kind] for name, kind in kinds.items()}, code
    assert (figures["unplaced"]["open"]["quarantined"], figures["unplaced"]["open"]["findings"], summed["proposals"], summed["held"]) == (1, 3, 1, 0)
    assert set(summed) == {"conflicts", "findings", "held", "quarantine", "proposals"} and dict(summed) == {kind: whole[kind] for kind in summed}
    assert problem(ask("/api/v1/inbox?cell=none")) == (404, "not-found")
    assert problem(office.signed_in("grid_worker").get(f"/api/v1/inbox?cell={CODE_B}")) == (403, "outside-your-scope")


def test_what_others_propose_is_no_doubt_about_a_list(office):
    """The foot of a list tells what is missing from it and may be wrong in it; a move that somebody asks for stands beside that, apart."""
    waiting_of_all_kinds(office)
    ask = office.signed_in("secretary").get
    told = {name: ask(f"/api/v1/communities/{COMMUNITY}/roster/{name}").json["missing"] for name in ("household_book", "persons")}
    assert told["household_book"] == {"unplaced": 0, "held": 0, "quarantined": 0, "proposals": 1}
    assert told["persons"] == {"unplaced": 0, "held": 0, "quarantined": 1, "proposals": 0}


def test_findings_are_counted_by_what_they_say_and_one_kind_is_listed_alone(office):
    """As many as are listed, whichever kind is chosen."""
    waiting_of_all_kinds(office)
    ask = office.signed_in("secretary").get
    told = ask("/api/v1/inbox/findings").json
    assert {one["name"]: one["count"] for one in told["groups"]} == {
        name: sum(row["name"] == name for row in told["rows"]) for name in {row["name"] for row in told["rows"]}
    }
    assert next(one for one in told["groups"] if one["name"] == "child_married")["message"]["zh"] == "未满 15 岁登记为已婚"
    assert [row["harm"] for row in told["rows"]] == sorted(row["harm"] for row in told["rows"])
    married = ask("/api/v1/inbox/findings?name=child_married").json
    assert married["count"] == 1 and [row["name"] for row in married["rows"]] == ["child_married"] and married["groups"] == told["groups"]
    assert ask("/api/v1/inbox/findings?name=none").json["rows"] == []


def test_what_is_found_about_a_phone_stands_in_the_inbox_of_who_sees_all_of_the_community(office):
    """Work that never came and numbers used twice, one kind each, first, with whose phone it is; nobody who is cut to cells is told or can be asked."""
    waiting_of_all_kinds(office)
    secretary, worker = office.signed_in("secretary"), office.signed_in("grid_worker")
    told = secretary.get("/api/v1/inbox/findings").json
    about = [row for row in told["rows"] if row["record"] is None]
    assert told["rows"][:3] == about and [row["name"] for row in about if row["kind"] == row["name"]].count(REUSED) == 2
    assert {one["name"]: one["count"] for one in told["groups"]} == {"missing_range": 1, REUSED: 2, "child_married": 1}
    assert {(row["by"]["user_id"], row["by"]["label"]) for row in about} == {(office.users["grid_worker"], "phone")}
    assert {row["kind"] for row in secretary.get("/api/v1/inbox/findings?name=op_id_reused").json["rows"]} == {REUSED}
    assert secretary.get("/api/v1/inbox/findings?cell=~unplaced").json["count"] == 3
    assert [row["name"] for row in worker.get("/api/v1/inbox/findings").json["rows"]] == ["child_married"]
    path = f"/api/v1/inbox/findings/{about[0]['finding_id']}/delegate"
    assert problem(worker.post(path, json={"user_id": office.users["secretary"]})) == (404, "not-found")
    refused = secretary.post(path, json={"user_id": office.users["grid_worker"]})
    assert problem(refused) == (422, "invalid-input") and refused.json["errors"][0]["code"] == "not_their_cell"
    to = office.users["community_worker"]
    assert secretary.post(path, json={"user_id": to}).json == {"delegated_to": to}
    assert [row["record"] for row in office.signed_in("community_worker").get("/api/v1/inbox/findings?mine=true").json["rows"]] == [None]
    with read(office.house.engine) as connection:
        assert [row["record_id"] for row in asked_of(connection, Scope((COMMUNITY,)), COMMUNITY, to)] == [None]


def test_who_decides_takes_note_of_what_is_found_about_a_phone_and_it_is_over(office):
    """No record settles it; what is found about a record is not put aside like this, and nobody else can."""
    waiting_of_all_kinds(office)
    secretary = office.signed_in("secretary")
    ids = {row["name"]: row["finding_id"] for row in secretary.get("/api/v1/inbox/findings").json["rows"]}
    path = "/api/v1/inbox/findings/{}/noticed".format
    assert problem(office.signed_in("grid_worker").post(path(ids["missing_range"]))) == (403, "outside-your-scope")
    assert problem(secretary.post(path(ids["child_married"]))) == (404, "not-found")
    assert secretary.post(path(ids["missing_range"])).json == {"state": "closed"}
    assert problem(secretary.post(path(ids["missing_range"]))) == (404, "not-found")
    assert {row["name"] for row in secretary.get("/api/v1/inbox/findings").json["rows"]} == {REUSED, "child_married"}
    assert f"finding/{ids['missing_range']}" in secretary.get("/api/v1/audit").text


def test_findings_and_waiting_work_are_handed_to_a_worker_and_taken_back(office):
    """Who was asked finds it among what is theirs; what nobody can see cannot be handed on; a finding that comes up again is nobody's."""
    waiting_of_all_kinds(office)
    secretary, worker = office.signed_in("secretary"), office.signed_in("grid_worker")
    to = office.users["grid_worker"]
    found = next(row for row in secretary.get("/api/v1/inbox/findings").json["rows"] if row["name"] == "child_married")
    work = secretary.get("/api/v1/inbox/quarantine").json["rows"][0]
    paths = {"findings": f"/api/v1/inbox/findings/{found['finding_id']}/delegate",
             "quarantine": f"/api/v1/inbox/operations/{work['install_id']}/{work['n']}/delegate"}  # fmt: skip
    for kind, path in paths.items():
        assert worker.get(f"/api/v1/inbox/{kind}?mine=true").json["rows"] == []
        assert problem(secretary.post(path, json={"user_id": "nobody"})) == (422, "invalid-input")
        assert secretary.post(path, json={"user_id": to}).json == {"delegated_to": to}
        assert [row["delegated_to"] for row in worker.get(f"/api/v1/inbox/{kind}?mine=true").json["rows"]] == [to]
    away = write_operation(office.house, actor_of(office, "secretary"), "patch", "dwelling_b", {"floor_number": "up"}, base=version(office, "dwelling_b"))
    assert away["now"]["outcome"] == "quarantined", away
    far = next(row for row in secretary.get("/api/v1/inbox/quarantine").json["rows"] if row["record_id"] == IDS["dwelling_b"])
    path = f"/api/v1/inbox/operations/{far['install_id']}/{far['n']}/delegate"
    refused = secretary.post(path, json={"user_id": to})
    assert problem(refused) == (422, "invalid-input") and refused.json["errors"][0]["code"] == "not_their_cell"
    assert secretary.get("/api/v1/inbox/quarantine?mine=true").json["rows"] == []
    assert problem(secretary.post("/api/v1/inbox/findings/none/delegate", json={"user_id": to})) == (404, "not-found")
    assert problem(secretary.post("/api/v1/inbox/operations/none/1/delegate", json={"user_id": to})) == (404, "not-found")
    assert problem(office.signed_in("planner").post(paths["findings"], json={"user_id": to})) == (403, "outside-your-scope")
    assert secretary.post(paths["quarantine"], json={"user_id": None}).json == {"delegated_to": None}
    assert worker.get("/api/v1/inbox/quarantine?mine=true").json["rows"] == []
    for code in ("10", "20"):
        write_operation(office.house, actor_of(office, "secretary"), "patch", "child", {"marital_code": code}, base=version(office, "child"))
    again = next(row for row in secretary.get("/api/v1/inbox/findings").json["rows"] if row["name"] == "child_married")
    assert again["finding_id"] == found["finding_id"] and again["delegated_to"] is None
