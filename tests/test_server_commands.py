"""Commands through the server (S8, S13–S15, S18, S24), and the decisions of the office about what waits."""

from __future__ import annotations

import json

import pytest
from server_kit import CODE, COMMUNITY, PASSWORD, building, create, home, operation, patch, resident

from server.house import uuid7
from server.services.verify import verify


def command(ground, name, record_id, arguments, *seen, **more):
    """A command upon what everybody sees now: the principal and the records that are named after it."""
    others = {one: {"base": ground.base(one), "was": {}} for one in seen}
    base = ground.base(record_id)
    return operation(
        "command", ground.record(record_id).type, record_id, base=base, name=name, arguments=arguments, others=others, **more
    )


def two_homes(phone):
    """A family of two in the first cell, one person in the second."""
    near, far = home(0, "张一", "张二"), home(1, "李三")
    phone.push(near.operations, far.operations)
    return near, far


def episodes(ground):
    """(person, dwelling, reason) of every closed residence."""
    rows = [json.loads(row.fields) for row in ground.rows("SELECT fields FROM record WHERE type = 'residence'")]
    return sorted((one["person"], one.get("dwelling"), one.get("left_reason")) for one in rows)


def office(ground):
    """A browser of the secretary: a function that posts, or gets where there is no body."""
    client = ground.app.test_client()
    token = client.post("/api/v1/session", json={"login": "secretary-1", "password": PASSWORD}).json["csrf_token"]

    def ask(path, body=None):
        if body is None:
            return client.get(path)
        return client.post(path, json=body, headers={"X-CSRF-Token": token})

    return ask


def test_a_moved_household_leaves_one_cell_and_enters_the_other(ground):
    """S15, S24, L10: members, visits and episodes follow, both phones are told, digests agree."""
    both, second = ground.worker(0, 1), ground.worker(1)
    near, far = two_homes(both)
    visit = create("visit", {"household": near.household, "method": "door", "outcome": "met", "attempt_number": 1})
    both.write(visit)
    said = both.push([command(ground, "move_household", near.household, {"dwelling": far.dwelling, "on": "2026-02-01"}, *near.persons)])
    assert said[0]["now"]["outcome"] == "applied" and said[0]["record"] == {"id": near.household, **ground.base(near.household)}
    moved = {near.household, *near.persons, visit["id"]}
    assert {ground.record(one).home for one in moved} == {ground.streams[1]}
    assert episodes(ground) == sorted((one, near.dwelling, "moved_out") for one in near.persons)
    second.pull()
    assert moved <= second.visible
    both.pull()


def test_the_same_command_again_gets_the_same_answer(ground):
    """L6: a lost answer changes nothing twice."""
    phone = ground.worker(0, 1)
    near, far = two_homes(phone)
    body = phone.batch([[command(ground, "move_household", near.household, {"dwelling": far.dwelling}, *near.persons)]])
    first, again = phone.send(body), phone.send(body)
    assert first["results"] == again["results"] and len(episodes(ground)) == 2


def test_what_comes_later_waits_behind_a_held_command_and_is_released_with_it(ground):
    """S13, S14: an edit of a member waits behind the move to a dwelling that is not there yet; both go in, in order."""
    phone, other = ground.worker(0, 1), ground.worker(1)
    near, far = two_homes(phone)
    dwelling = create("dwelling", {"building": far.building, "door_number": "7"})
    person = near.persons[0]
    move = operation("command", "household", near.household, base=ground.base(near.household), name="move_household",
                     arguments={"dwelling": dwelling["id"], "on": "2026-02-01"})  # fmt: skip
    later = patch(ground, person, {"residence_household": near.household, "resident_from": "2026-02-05"})
    named = {**move, "arguments": {**move["arguments"], "members": near.persons}, "op_id": uuid7()}
    assert phone.outcomes([named], [later]) == [("held", "parent"), ("held", "behind")]
    other.write(dwelling)
    assert ground.fields(person)["resident_from"] == "2026-02-05" and ground.record(person).home == ground.streams[1]
    phone.pull()
    assert {one["outcome"] for one in phone.statuses.values()} <= {"applied", "merged"} and len(phone.statuses) == 2


def proposed(ground):
    """A worker of the first cell proposes a move into the second."""
    phone, other = ground.worker(0), ground.worker(1)
    near, far = home(0, "张一"), home(1)
    phone.push(near.operations)
    other.push(far.operations)
    move = command(ground, "move_household", near.household, {"dwelling": far.dwelling}, *near.persons)
    assert phone.outcomes([move]) == [("held", "proposal")]
    return phone, near, far, move


@pytest.mark.parametrize("yes", [True, False])
def test_a_proposal_is_confirmed_or_declined_at_the_office(ground, yes):
    """S18: it is listed with what it names; once decided the phone is told, and deciding again says so."""
    phone, near, far, move = proposed(ground)
    later = phone.outcomes([patch(ground, near.persons[0], {"name": "张一一"})])
    assert later == [("applied", None)], "nothing waits behind a proposal"
    ask = office(ground)
    row = ask("/api/v1/inbox/proposals").json["rows"][0]
    counts = ask("/api/v1/inbox").json["counts"]
    path = f"/api/v1/inbox/operations/{row['install_id']}/{row['n']}/delegate"
    assert ask(path, {"user_id": phone.user_id}).json == {"delegated_to": phone.user_id}
    again = ask("/api/v1/inbox/proposals").json
    assert (again["count"], again["rows"][0]["delegated_to"], again["rows"][0]["harm"]) == (1, phone.user_id, 1)
    assert (counts["proposals"], counts["held"]) == (1, 0) and ask("/api/v1/inbox/held").json["rows"] == [], "in one queue, not in two"
    assert (row["name"], row["arguments"], row["op_id"]) == ("move_household", {"dwelling": far.dwelling}, move["op_id"])
    assert row["records"].keys() == {near.household, far.dwelling}
    path = f"/api/v1/inbox/proposals/{row['install_id']}/{row['n']}/{'confirm' if yes else 'decline'}"
    answer = ask(path, {})
    assert answer.status_code == 200, answer.data
    expected = ("applied", None) if yes else ("unchanged", "declined")
    assert (answer.json["results"][0]["now"]["outcome"], answer.json["results"][0]["now"]["reason"]) == expected
    assert ground.record(near.household).home == ground.streams[1 if yes else 0]
    phone.pull()
    told = phone.statuses[move["op_id"]]
    assert (told["outcome"], told["reason"], told["status"]) == (*expected, 2)
    assert ask(path, {}).status_code == 409 and ask("/api/v1/inbox/proposals").json["rows"] == []
    assert ask("/api/v1/inbox").json["counts"]["proposals"] == 0
    entry = ground.rows("SELECT actor_id, install_id FROM journal WHERE command = 'proposal'")[0]
    assert (entry.actor_id, entry.install_id) == (ground.secretary.user_id, phone.install_id)


def test_a_proposal_tells_what_it_asks_for_and_masks_secrets(ground):
    """The document number that a merge would write is a mask in the list; the rest is told as it was asked."""
    phone, other = ground.worker(0), ground.worker(1)
    near, far = home(0, "张一"), home(1, "张二")
    phone.push(near.operations)
    other.push(far.operations)
    values = {"document_type": "passport", "document_number": "E00000001"}
    merge = command(ground, "merge_persons", near.persons[0], {"merged": far.persons[0], "set": values}, far.persons[0])
    assert phone.outcomes([merge]) == [("held", "proposal")]
    row = next(one for one in office(ground)("/api/v1/inbox/proposals").json["rows"] if one["name"] == "merge_persons")
    assert row["arguments"] == {"merged": far.persons[0], "set": values | {"document_number": {"mask": "****0001"}}}


def test_who_wrote_meanwhile_is_not_written_over_by_a_confirmed_proposal(ground):
    """S2, S18: between proposing and confirming the household moved: a conflict."""
    phone, near, far, _ = proposed(ground)
    both = ground.worker(0, 1)
    elsewhere = create("dwelling", {"building": far.building, "door_number": "9"})
    both.write(elsewhere, patch(ground, near.household, {"dwelling": elsewhere["id"]}))
    row = office(ground)("/api/v1/inbox/proposals").json["rows"][0]
    said = office(ground)(f"/api/v1/inbox/proposals/{row['install_id']}/{row['n']}/confirm", {}).json
    assert said["results"][0]["now"]["outcome"] == "conflict"
    phone.pull()


def quarantined(ground):
    """A dwelling with an impossible floor, and a household that waits behind it."""
    phone = ground.worker(0)
    house = building(0)
    dwelling = create("dwelling", {"building": house["id"], "floor_number": "up"})
    family = create("household", {"dwelling": dwelling["id"]})
    assert phone.outcomes([house], [dwelling], [family]) == [("applied", None), ("quarantined", "invalid"), ("held", "behind")]
    return phone, dwelling, family


def test_a_quarantined_operation_is_repaired_and_what_waits_behind_it_goes_on(ground):
    """S13: the corrected operation goes in as its author's, the phone is told, the journal keeps both texts."""
    phone, dwelling, family = quarantined(ground)
    ask = office(ground)
    row = ask("/api/v1/inbox/quarantine").json["rows"][0]
    path = f"/api/v1/inbox/quarantine/{row['install_id']}/{row['n']}/repair"
    wrong = ask(path, {"operations": [{"n": row["n"], "set": {"floor_number": "down"}}]})
    assert wrong.status_code == 422 and wrong.json["errors"][0]["pointer"] == "/operations/2/set/floor_number"
    answer = ask(path, {"operations": [{"n": row["n"], "set": {"floor_number": 6}}]})
    assert answer.status_code == 200 and answer.json["results"][0]["now"] == {"outcome": "applied", "reason": None, "status": 2}
    assert ground.fields(dwelling["id"])["floor_number"] == 6
    assert ground.record(dwelling["id"]).created_install == phone.install_id
    assert ground.record(family["id"]).home == ground.streams[0]
    phone.pull()
    assert {one["op_id"]: one["outcome"] for one in phone.statuses.values()} == {dwelling["op_id"]: "applied", family["op_id"]: "applied"}
    again = phone.send(phone.batch([[dwelling]], after=(1, None)) | {"after": {"n": 1, "op_id": phone_op(ground, phone, 1)}})
    assert again["results"][0]["now"] == {"outcome": "applied", "reason": None, "status": 2}
    assert ask(path, {"operations": [{"n": row["n"], "set": {"floor_number": 7}}]}).status_code == 409


def phone_op(ground, phone, n):
    return ground.rows("SELECT op_id FROM operation WHERE install_id = ? AND n = ?", phone.install_id, n)[0].op_id


def test_a_repair_that_still_waits_is_released_with_its_repaired_text(ground):
    """S13, S14: repaired to name a building that comes later; the release reads the repaired text."""
    phone, dwelling, family = quarantined(ground)
    house = building(0)
    row = office(ground)("/api/v1/inbox/quarantine").json["rows"][0]
    correction = {"n": row["n"], "set": {"floor_number": {"remove": True}, "building": house["id"]}}
    said = office(ground)(f"/api/v1/inbox/quarantine/{row['install_id']}/{row['n']}/repair", {"operations": [correction]}).json
    assert said["results"][0]["now"] == {"outcome": "held", "reason": "parent", "status": 2}
    ground.worker(0).write(house)
    assert ground.fields(dwelling["id"]) == {"building": house["id"]} and ground.record(family["id"]) is not None
    phone.pull()
    assert phone.statuses[dwelling["op_id"]]["status"] == 3


def test_a_discarded_operation_stays_in_the_journal_and_frees_what_waits(ground):
    """S13: discarded is final and changes nothing; what waited behind is decided, and waits for its own parent now."""
    phone, dwelling, family = quarantined(ground)
    row = office(ground)("/api/v1/inbox/quarantine").json["rows"][0]
    said = office(ground)(f"/api/v1/inbox/quarantine/{row['install_id']}/{row['n']}/discard", {}).json
    assert said["results"][0]["now"] == {"outcome": "unchanged", "reason": "discarded", "status": 2}
    assert ground.record(dwelling["id"]) is None
    assert ground.rows("SELECT now_reason FROM operation WHERE op_id = ?", family["op_id"])[0].now_reason in ("behind", "parent")
    phone.pull()
    assert phone.statuses[dwelling["op_id"]]["reason"] == "discarded"


def test_bytes_that_could_not_be_read_are_repaired_by_writing_the_operation_anew(ground):
    """S12, S13: the whole operation is given; nothing waits for ever for a torn text."""
    phone = ground.worker(0)
    house = building(0)
    assert phone.outcomes(["{torn"], [house]) == [("quarantined", "malformed"), ("applied", None)]
    whole = {"type": "dwelling", "id": uuid7(), "kind": "create", "base": None, "set": {"building": house["id"]}, "form_version": 1,
             "claimed_at": None}  # fmt: skip
    path = f"/api/v1/inbox/quarantine/{phone.install_id}/1/repair"
    answer = office(ground)(path, {"operations": [{"n": 1, "operation": whole}]})
    assert answer.status_code == 200, answer.data
    assert ground.record(whole["id"]).home == ground.streams[0]
    phone.pull()


def test_only_the_secretary_decides_about_what_waits(ground):
    """L10: nobody else, and nothing that is not there."""
    phone, _, _ = quarantined(ground)
    ask = office(ground)
    assert ask(f"/api/v1/inbox/quarantine/{phone.install_id}/99/discard", {}).status_code == 404
    client = ground.app.test_client()
    assert client.post(f"/api/v1/inbox/quarantine/{phone.install_id}/2/discard", json={}).status_code == 401
    assert ground.rows("SELECT count(*) FROM operation WHERE community_id = ? AND now = 'quarantined'", COMMUNITY)[0][0] == 1


def test_somebody_who_died_is_not_counted_and_not_looked_for(ground):
    """S24: the death closes the residence with its reason; the cell of the registration keeps the person."""
    phone = ground.worker(0, 1)
    near, far = two_homes(phone)
    person = resident(near.household, "张三", registration_dwelling=far.dwelling)
    phone.write(person)
    phone.write(command(ground, "person_died", person["id"], {"on": "2026-02-27", "household": near.household}, near.household))
    assert ground.record(person["id"]).home == ground.streams[1]
    assert (person["id"], near.dwelling, "died") in episodes(ground)
    phone.pull()


# ---------------------------------------------------------------- S8
def twice(ground, phone):
    """Somebody who was recorded in two households, with a care record under the second."""
    near, far = home(0, "王一"), home(1)
    phone.push(near.operations, far.operations)
    other = resident(far.household, "王一", document_type="passport", document_number="E00000001", document_missing_reason=None,
                     phones=["13800000000"])  # fmt: skip
    care = create("care_status", {"person": other["id"], "kind": "aged"})
    phone.write(other, care)
    return near, far, near.persons[0], other["id"], care["id"]


def plain(ground, record_id):
    return {name: one for name, one in ground.fields(record_id).items() if name != "document_number"}


def test_two_records_of_one_person_are_merged_and_parted_again(ground):
    """S8, L7: secrets, search, streams and the care record follow; taken back after further edits everything has its own."""
    phone, other = ground.worker(0, 1), ground.worker(1)
    _, _, one, two, care = twice(ground, phone)
    old = ground.base(two)
    other.pull()
    before = {record_id: plain(ground, record_id) for record_id in (one, two)}
    asked = {"type": "person", "id": one, "merged": two}
    seen = office(ground)("/api/v1/merges/preview", asked).json
    assert {row["unit"]: row["state"] for row in seen["units"]} == {
        "identity_document": "differs", "name": "same", "phones": "only_merged", "residence": "differs"}  # fmt: skip
    assert seen["findings"] == [{"kind": "identity_differs", "units": ["identity_document"]}]
    by_hand = {"document_type": "passport", "document_number": "E00000001", "document_missing_reason": None}
    merge = command(ground, "merge_persons", one, {"merged": two, "set": by_hand}, two)
    assert {**merge, **seen["command"], "arguments": merge["arguments"]} == merge
    assert phone.outcomes([merge]) == [("applied", None)]
    assert ground.record(two).life == "merged" and ground.fields(one)["document_number"] == {"mask": ground.fields(two)["document_number"]["mask"]}
    assert ground.record(care).home == ground.streams[0] and ground.fields(care)["person"] == two
    other.pull()
    assert two not in other.visible and (f"cell/{ground.cells[1]}", two, "merged") in other.removed
    late = other.push([operation("patch", "person", two, {"employer_text": "面粉厂"}, base=old)])[0]
    assert late["now"]["outcome"] == "merged" and late["record"] == {"id": one, **ground.base(one)}
    assert ground.fields(one)["employer_text"] == "面粉厂"
    phone.write(patch(ground, one, {"marital_code": "20"}))
    report = verify(ground.house)
    assert report.agrees, str(report.difference)
    undo = operation("command", "person", one, name="undo", arguments={"command": merge["op_id"]})
    assert phone.outcomes([undo]) == [("applied", None)]
    assert plain(ground, one) == before[one] | {"marital_code": "20"}
    assert plain(ground, two) == before[two] | {"employer_text": "面粉厂"}
    assert ground.record(two).life == "live" and ground.record(care).home == ground.streams[1]
    assert ground.rows("SELECT * FROM redirect") == []
    found = ground.rows("SELECT record_id, units FROM finding WHERE kind = 'merge_undone' AND state = 'open'")
    assert [(row.record_id, json.loads(row.units)) for row in found] == [(one, ["marital_code"])]
    phone.pull()
    other.pull()


def test_merged_and_undone_in_one_batch(ground):
    """S8, S12: a phone that merged and thought better of it before it had a line."""
    phone = ground.worker(0, 1)
    _, _, one, two, _ = twice(ground, phone)
    before = plain(ground, one)
    merge = command(ground, "merge_persons", one, {"merged": two}, two)
    undo = operation("command", "person", one, name="undo", arguments={"command": merge["op_id"]})
    assert phone.outcomes([merge], [undo]) == [("applied", None), ("applied", None)]
    assert plain(ground, one) == before and ground.record(two).life == "live"
    again = operation("command", "person", one, name="undo", arguments={"command": merge["op_id"]})
    assert phone.outcomes([again]) == [("unchanged", None)]
    phone.pull()


def test_two_households_of_one_family_are_merged(ground):
    """S8: the members of both stand in one home; a move takes all of them; somebody new under the old id comes along."""
    phone = ground.worker(0, 1)
    near, far = two_homes(phone)
    merge = command(ground, "merge_households", near.household, {"merged": far.household}, far.household)
    assert phone.outcomes([merge])[0][0] in ("applied", "unchanged")
    late = resident(far.household, "李四")
    phone.write(late)
    assert {ground.record(one).home for one in (*far.persons, late["id"])} == {ground.streams[0]}
    phone.write(command(ground, "correct_place", near.dwelling, {"building": far.building}))
    assert {ground.record(one).home for one in (*near.persons, *far.persons, late["id"])} == {ground.streams[1]}
    phone.pull()


def test_the_worst_proposal_of_a_cell_is_one_of_that_cell(ground):
    """Two persons who may be one wait in the first cell: the second cell, where a household only moves, is not rated by them."""
    (one, near), (two, far), third = (ground.worker(0), home(0, "张一")), (ground.worker(1), home(1, "张二")), home(1, "张三")
    one.push(near.operations)
    two.push(far.operations, third.operations)
    merge = command(ground, "merge_persons", near.persons[0], {"merged": far.persons[0], "set": {}}, far.persons[0])
    move = command(ground, "move_household", third.household, {"dwelling": near.dwelling, "members": third.persons, "on": "2026-03-02"}, near.dwelling)
    assert one.outcomes([merge]) == two.outcomes([move]) == [("held", "proposal")]
    ask = office(ground)
    worst = [ask(f"/api/v1/inbox?cell={CODE}{number}&harms=true").json["harms"]["proposals"] for number in ("001", "002")]
    assert worst == [ask(f"/api/v1/inbox/proposals?cell={CODE}{number}").json["rows"][0]["harm"] for number in ("001", "002")] == [0, 1]
