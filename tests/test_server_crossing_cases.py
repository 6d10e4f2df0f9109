"""S30, S24: what else moves to another community, what is refused, and what stays (long: with the full counts)."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from crossing_kit import (
    NOWHERE,
    OTHER,
    accept,
    ask,
    dwelling_there,
    family,
    rows,
    secretary_of,
    there,
    two_communities,
    waiting_there,
)
from records_kit import ZHANG_NUMBER
from server_kit import COMMUNITY, PASSWORD, cells, create, home, operation, patch, uuid7

from server.errors import AlreadyDecided, NotFound
from server.sealing import WrongKey, cipher, unseal
from server.services import crossing, deciding, distant_cards, editions
from server.services.deciding import Waiting
from server.services.push import accept_user_group, user_operation
from sync.digest import made_id


@pytest.fixture
def ground(prepared_database, tmp_path, clock):
    with two_communities(prepared_database, tmp_path, clock) as found:
        yield found


@pytest.mark.long
def test_s30_without_a_dwelling_there_they_wait_in_the_queue_of_those_without_a_cell(ground):
    """S30, L3: accepted first, placed later."""
    phone = ground.worker(0)
    near, _ = family(phone)
    _, waiting = ask(ground, phone, near.household)
    assert accept(ground, waiting)["placed"] is None
    assert {there(ground, one).home for one in (near.household, *near.persons)} == {"~unplaced"}


@pytest.mark.long
def test_s30_every_value_that_was_sealed_is_sealed_anew_under_the_keys_of_the_new_community(ground):
    """S28, S30: secrets, earlier values and searches are there, and no key opens both."""
    phone = ground.worker(0)
    near, _ = family(phone)
    secret = {"document_type": "resident_id", "document_number": ZHANG_NUMBER, "document_missing_reason": None}
    phone.write(patch(ground, near.persons[0], secret))
    phone.write(patch(ground, near.persons[0], {"name": "张改"}))
    _, waiting = ask(ground, phone, near.household)
    accept(ground, waiting)
    person = near.persons[0]
    wrapped = rows(ground, "SELECT community_id, wrapped FROM data_key WHERE subject_id = ?", person)
    keys = {one.community_id: cipher(ground.house.keys.unwrap(one.wrapped)) for one in wrapped}
    assert keys.keys() == {COMMUNITY, OTHER}
    past = rows(ground, "SELECT sealed FROM history WHERE community_id = ? AND record_id = ? AND sealed IS NOT NULL ORDER BY v", OTHER, person)
    sealed = [there(ground, person).secret, *(one.sealed for one in past)]
    opened = [json.loads(unseal(keys[OTHER], bytes(one))) for one in sealed]
    assert opened[0]["document_number"] == ZHANG_NUMBER
    assert [one["previous"]["name"] for one in opened[1:] if "name" in one.get("previous", {})] == [{"name": "张一"}]
    for one in sealed:
        with pytest.raises(WrongKey):
            unseal(keys[COMMUNITY], bytes(one))
    with pytest.raises(WrongKey):
        unseal(keys[OTHER], bytes(there(ground, person, COMMUNITY).secret))
    client = ground.app.test_client()
    token = client.post("/api/v1/session", json={"login": "secretary-2", "password": PASSWORD}).json["csrf_token"]
    for text in ("张改", ZHANG_NUMBER):
        said = client.post(f"/api/v1/communities/{OTHER}/find", json={"text": text}, headers={"X-CSRF-Token": token})
        assert [row["id"] for group in said.json["groups"] if group["type"] == "person" for row in group["rows"]] == [person]


@pytest.mark.long
def test_s30_late_work_that_cannot_be_decided_there_is_quarantined_where_its_author_is(ground):
    """S30, S13: a late move to a dwelling that only the old community has waits for the office there; discarding it ends it."""
    phone, away = ground.worker(0), ground.worker(0)
    near, _ = family(phone)
    other = home(0)
    phone.push(other.operations)
    away.pull()
    base = ground.base(near.household)
    _, waiting = ask(ground, phone, near.household)
    accept(ground, waiting)
    late = operation("command", "household", near.household, base=base, name="move_household", arguments={"dwelling": other.dwelling})
    away.push([late])
    away.pull()
    assert (away.statuses[late["op_id"]]["outcome"], away.statuses[late["op_id"]]["reason"]) == ("quarantined", "moved")
    deciding.discard(ground.house, ground.secretary, Waiting(COMMUNITY, away.install_id, 1))
    away.pull()
    assert away.statuses[late["op_id"]]["reason"] == "discarded"


@pytest.mark.long
def test_s30_late_work_about_both_communities_is_decided_in_both_or_in_none(ground):
    """S13, S30: a group whose members belong to two communities is still one group."""
    phone, away = ground.worker(0), ground.worker(0)
    near, _ = family(phone)
    away.pull()
    late = [
        patch(ground, near.dwelling, {"door_number": "102"}),
        patch(ground, near.household, {"kind": "collective"}),
    ]
    _, waiting = ask(ground, phone, near.household)
    accept(ground, waiting)
    away.push(late)
    assert ground.fields(near.dwelling)["door_number"] == "102"
    assert json.loads(there(ground, near.household).fields)["kind"] == "collective"
    away.pull()
    assert [away.statuses[one["op_id"]]["outcome"] for one in late] == ["applied", "merged"]


@pytest.mark.long
def test_s30_two_requests_for_one_household_the_second_changes_nothing(ground):
    """S30, L6: two phones ask at once; what was done once is not done twice, and both are told."""
    one, two = ground.worker(0), ground.worker(0)
    near, _ = family(one)
    two.pull()
    asked = [ask(ground, phone, near.household) for phone in (one, two)]
    with ThreadPoolExecutor(2) as pool:
        said = list(pool.map(lambda pair: accept(ground, pair[1])["results"][0]["now"]["outcome"], asked))
    assert sorted(said) == ["applied", "unchanged"]
    with pytest.raises(AlreadyDecided):
        accept(ground, asked[0][1])


@pytest.mark.long
def test_s30_a_request_can_be_refused_there_or_withdrawn_here(ground):
    """S30, S18: a request is a proposal; nobody but the community that it names accepts it."""
    phone = ground.worker(0)
    near, _ = family(phone)
    asked, waiting = ask(ground, phone, near.household)
    with pytest.raises(AlreadyDecided):
        deciding.confirm(ground.house, ground.secretary, waiting)
    with pytest.raises(NotFound):
        crossing.accept(ground.house, ground.secretary, waiting, NOWHERE)
    crossing.refuse(ground.house, secretary_of(ground.house), waiting)
    phone.pull()
    assert (phone.statuses[asked["op_id"]]["outcome"], phone.statuses[asked["op_id"]]["reason"]) == ("unchanged", "declined")
    _, again = ask(ground, phone, near.household)
    deciding.decline(ground.house, ground.secretary, again)
    assert waiting_there(ground) == []
    nowhere = operation("command", "household", near.household, name="move_household", arguments={"community": "c-nowhere"})
    assert phone.outcomes([nowhere]) == [("quarantined", "invalid")]


@pytest.mark.long
def test_s30_who_is_registered_in_the_old_community_stays_known_there_by_a_card(ground):
    """S24: the card says which community they live in now, follows a new name there, and goes when they are not registered here any more."""
    phone, registered = ground.worker(0), ground.worker(1)
    near, _ = family(phone)
    far = home(1)
    registered.push(far.operations)
    ground.worker(0, 1).write(patch(ground, near.persons[0], {"registration_dwelling": far.dwelling}))
    _, waiting = ask(ground, phone, near.household)
    accept(ground, waiting)
    registered.pull()
    card = made_id("card", near.persons[0])
    assert registered.bodies[card]["fields"]["home_cell"] == OTHER and card in registered.visible
    assert distant_cards.sweep(ground.house) == 0
    row = there(ground, near.persons[0])
    renamed = {"kind": "patch", "type": "person", "id": row.id, "base": {"v": row.v, "tag": row.tag}, "set": {"name": "张新"}}
    accept_user_group(ground.house, secretary_of(ground.house), [user_operation(ground.house, renamed)])
    assert distant_cards.sweep(ground.house) == 1
    registered.pull()
    assert registered.bodies[card]["fields"]["name"] == "张新"
    editions.publish_edition(ground.house, ground.secretary, COMMUNITY, cells(3, shift=0.01, first=4))
    registered.pull()
    assert ground.fields(card)["name"] == "张新"
    assert ground.record(near.household).life == "moved" and ground.fields(card)["home_cell"] == OTHER
    row = there(ground, near.persons[0])
    left = {"kind": "patch", "type": "person", "id": row.id, "base": {"v": row.v, "tag": row.tag}, "set": {"registration_dwelling": None}}
    accept_user_group(ground.house, secretary_of(ground.house), [user_operation(ground.house, left)])
    assert distant_cards.sweep(ground.house) == 1 and ground.record(card).life == "deleted"


@pytest.mark.long
def test_s30_a_card_follows_the_person_into_a_merge_in_the_other_community(ground):
    """S24, S8: merged there into somebody who takes over the registration, they stay known here, under the survivor's name; one card is left when that one moves here."""
    phone, registered = ground.worker(0), ground.worker(1)
    near, _ = family(phone)
    far = home(1)
    registered.push(far.operations)
    first, card = near.persons[0], made_id("card", near.persons[0])
    ground.worker(0, 1).write(patch(ground, first, {"registration_dwelling": far.dwelling}))
    _, waiting = ask(ground, phone, near.household)
    accept(ground, waiting)
    native = home(0, "张壹")
    entered = [
        {"kind": "create", "type": "household", "id": native.household, "set": {"dwelling": dwelling_there(ground), "kind": "family"}},
        native.operations[-1],
    ]
    said = accept_user_group(ground.house, secretary_of(ground.house), [user_operation(ground.house, one) for one in entered])
    assert {one["now"]["outcome"] for one in said} == {"applied"}
    (survivor,) = native.persons
    bases = {one: {"v": there(ground, one).v, "tag": there(ground, one).tag} for one in (first, survivor)}
    merge = {
        "kind": "command", "type": "person", "id": survivor, "name": "merge_persons", "base": bases[survivor],
        "arguments": {"merged": first}, "others": {first: {"base": bases[first], "was": {}}},
    }  # fmt: skip
    accept_user_group(ground.house, secretary_of(ground.house), [user_operation(ground.house, merge)])
    assert json.loads(there(ground, survivor).fields)["registration_dwelling"] == far.dwelling
    assert distant_cards.sweep(ground.house) == 1 and distant_cards.sweep(ground.house) == 0
    registered.pull()
    assert registered.bodies[card]["fields"]["name"] == "张壹" and registered.bodies[card]["fields"]["home_cell"] == OTHER
    row = there(ground, survivor)
    back = {
        "kind": "command", "type": "person", "id": survivor, "name": "move_person", "base": {"v": row.v, "tag": row.tag},
        "arguments": {"community": COMMUNITY},
    }  # fmt: skip
    said = accept_user_group(ground.house, secretary_of(ground.house), [user_operation(ground.house, back)])[0]
    (install,) = rows(ground, "SELECT install_id FROM install WHERE community_id = ? AND kind = 'user'", OTHER)
    crossing.accept(ground.house, ground.secretary, Waiting(OTHER, install.install_id, said["n"]), NOWHERE)
    assert [ground.record(one).life for one in (survivor, first, card)] == ["live", "merged", "deleted"]
    assert ground.record(made_id("card", survivor)).life == "live"


@pytest.mark.long
def test_s30_merged_ids_go_along_and_lead_to_their_person_there(ground):
    """S8, S30: late work under the id of a merged person reaches the one that it leads to."""
    phone, away = ground.worker(0), ground.worker(0)
    near, _ = family(phone)
    one, two = near.persons
    care = create("care_status", {"person": two, "kind": "disabled"})
    phone.write(care)
    away.pull()
    late = patch(ground, two, {"note": "敲门"})
    merge = operation(
        "command", "person", one, base=ground.base(one), name="merge_persons", arguments={"merged": two},
        others={two: {"base": ground.base(two), "was": {}}},
    )  # fmt: skip
    phone.write(merge)
    _, waiting = ask(ground, phone, near.household)
    accept(ground, waiting)
    assert there(ground, two).life == "merged"
    assert there(ground, care["id"]).life == "live" and there(ground, care["id"], COMMUNITY).life == "moved"
    away.push([late])
    assert json.loads(there(ground, one).fields)["note"] == "敲门"


@pytest.mark.long
def test_s30_one_person_moves_and_the_household_stays(ground):
    """S30: a person goes to a household there; the one that was left has no head who has gone."""
    phone = ground.worker(0)
    near, _ = family(phone)
    phone.write(operation("command", "household", near.household, base=ground.base(near.household), name="change_head",
                          arguments={"head": near.persons[0]}))  # fmt: skip
    dwelling = dwelling_there(ground)
    household = uuid7()
    made = {"kind": "create", "type": "household", "id": household, "set": {"dwelling": dwelling, "kind": "family"}}
    accept_user_group(ground.house, secretary_of(ground.house), [user_operation(ground.house, made)])
    asked = operation("command", "person", near.persons[0], base=ground.base(near.persons[0]), name="move_person",
                      arguments={"community": OTHER, "on": "2026-03-01"})  # fmt: skip
    said = phone.push([asked])[0]
    done = accept(ground, Waiting(COMMUNITY, phone.install_id, said["n"]), crossing.Place(household=household))
    assert done["placed"]["now"]["outcome"] == "applied"
    assert json.loads(there(ground, near.persons[0]).fields)["residence_household"] == household
    assert ground.record(near.persons[1]).life == "live" and "head" not in ground.fields(near.household)
