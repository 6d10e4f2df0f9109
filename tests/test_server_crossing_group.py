"""S30, S13: a move to another community is a group of its own, through every door."""

from __future__ import annotations

import json

import pytest
from crossing_kit import COMMUNITY, OTHER, accept, ask, family, there, two_communities, waiting_there
from server_kit import PASSWORD, create, operation, patch

from server.services import deciding
from server.services.deciding import Waiting
from server.services.push import accept_user_group, user_operation
from server.services.verify import verify


@pytest.fixture
def ground(prepared_database, tmp_path, clock):
    with two_communities(prepared_database, tmp_path, clock) as found:
        yield found


def move_of(ground, near):
    return operation("command", "household", near.household, base=ground.base(near.household), name="move_household", arguments={"community": OTHER})


def beside(ground, near):
    """What may stand beside a move: an edit of who goes, of the household itself, something new in it, another command."""
    person = near.persons[0]
    return [
        patch(ground, person, {"note": "敲门"}),
        patch(ground, near.household, {"tags": {"add": ["独居"]}}),
        create("visit", {"household": near.household, "method": "door", "outcome": "met", "attempt_number": 2}),
        operation("command", "household", near.household, base=ground.base(near.household), name="change_head", arguments={"head": person}),
    ]


@pytest.mark.parametrize("last", [True, False], ids=["the move last", "the move first"])
def test_s30_a_move_to_another_community_beside_anything_else_is_set_apart_with_its_group(ground, last):
    """S30, S13, L5: nothing of such a group is entered here or asked there; both are kept, with the reason; by itself the move goes on."""
    phone = ground.worker(0)
    near, _ = family(phone)
    before = [ground.base(one) for one in (near.household, *near.persons)]
    for one in beside(ground, near):
        group = [one, move_of(ground, near)] if last else [move_of(ground, near), one]
        assert phone.outcomes(group) == [("quarantined", "not_alone")] * 2
        deciding.discard(ground.house, ground.secretary, Waiting(COMMUNITY, phone.install_id, phone.n))
    assert [ground.base(one) for one in (near.household, *near.persons)] == before and not waiting_there(ground)
    _, waiting = ask(ground, phone, near.household)
    accept(ground, waiting)
    assert there(ground, near.household).life == "live" and "note" not in json.loads(there(ground, near.persons[0]).fields)


@pytest.mark.parametrize("last", [True, False], ids=["the move last", "the move first"])
def test_s13_s30_the_office_parts_such_a_group_and_nobody_types_anything_again(ground, last):
    """S13, S30: sent again at the office, what stood beside is entered here, the move is asked there by itself, and what waited behind goes in."""
    phone = ground.worker(0)
    near, _ = family(phone)
    one, other = near.persons
    edits = [patch(ground, one, {"note": "敲门"}), patch(ground, other, {"note": "不在"})]
    group = [*edits, move_of(ground, near)] if last else [edits[0], move_of(ground, near), edits[1]]
    assert phone.outcomes(group) == [("quarantined", "not_alone")] * 3
    assert phone.outcomes([patch(ground, near.household, {"tags": {"add": ["独居"]}})]) == [("held", "behind")]
    office = ground.app.test_client()
    headers = {"X-CSRF-Token": office.post("/api/v1/session", json={"login": "secretary-1", "password": PASSWORD}).json["csrf_token"]}
    said = office.post(f"/api/v1/inbox/quarantine/{phone.install_id}/{phone.n - 1}/repair", json={"operations": []}, headers=headers)
    became = {each["op_id"]: (each["now"]["outcome"], each["now"]["reason"]) for each in said.json["results"]}
    assert [became[each["op_id"]] for each in group] == [("held", "proposal") if each["kind"] == "command" else ("applied", None) for each in group]
    assert ground.fields(near.household)["tags"] == ["独居"]
    phone.pull()
    assert phone.statuses[edits[0]["op_id"]]["outcome"] == "applied"
    (waiting,) = waiting_there(ground)
    accept(ground, Waiting(COMMUNITY, waiting["install_id"], waiting["n"]))
    assert [json.loads(there(ground, each).fields)["note"] for each in near.persons] == ["敲门", "不在"]
    assert verify(ground.house).agrees


def test_s30_the_office_sends_a_move_by_itself_too(ground):
    """S30: the same rule at the desk; two moves are two groups."""
    phone = ground.worker(0)
    near, _ = family(phone)
    one, two = move_of(ground, near), patch(ground, near.persons[0], {"note": "敲门"})
    said = accept_user_group(ground.house, ground.secretary, [user_operation(ground.house, each) for each in (two, one)])
    assert {(each["now"]["outcome"], each["now"]["reason"]) for each in said} == {("quarantined", "not_alone")}
    again = [operation("command", "person", each, base=ground.base(each), name="move_person", arguments={"community": OTHER}) for each in near.persons]
    assert phone.outcomes(again) == [("quarantined", "not_alone")] * 2
    assert not waiting_there(ground)


def test_s13_behind_such_a_group_later_edits_wait_until_it_is_discarded(ground):
    """S13: nothing overtakes what was set apart; discarded, what waited behind goes in."""
    phone = ground.worker(0)
    near, _ = family(phone)
    later = patch(ground, near.persons[0], {"note": "后写"})
    phone.push([patch(ground, near.persons[0], {"note": "敲门"}), move_of(ground, near)])
    n = phone.n
    assert phone.outcomes([later]) == [("held", "behind")]
    deciding.discard(ground.house, ground.secretary, Waiting(COMMUNITY, phone.install_id, n))
    assert ground.fields(near.persons[0])["note"] == "后写"
