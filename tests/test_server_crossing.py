"""S30, S24: a household moves to another community of the same house."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from crossing_kit import (
    OTHER,
    accept,
    ask,
    dwelling_there,
    family,
    rows,
    secretary_of,
    send_on,
    tag_of,
    there,
    third_community,
    two_communities,
    waiting_there,
)
from server_kit import COMMUNITY, PASSWORD, create, home, operation, patch, uuid7

from server.errors import AlreadyDecided, NotFound
from server.permissions import scope_of
from server.services import arriving, crossing, deciding, erasing, erasure_reach, release
from server.services.audit import Look
from server.services.deciding import Waiting
from server.services.erasing import By
from server.services.proposals import proposals
from server.services.push import accept_user_group, user_operation
from server.store import writing
from server.store.database import read
from server.store.inbox import people_of_installs


@pytest.fixture
def ground(prepared_database, tmp_path, clock):
    with two_communities(prepared_database, tmp_path, clock) as found:
        yield found


def erase_there(ground, person):
    """The other community's secretary looks and erases; what they saw and what was done."""
    actor = secretary_of(ground.house)
    look = Look(actor, "change", "erasure")
    seen = erasure_reach.preview(ground.house, actor, OTHER, person, look)
    by = By(actor.user_id, "request")
    return seen, erasure_reach.erase(ground.house, actor, OTHER, person, by, seen["confirm"], look)


def test_s30_a_household_closes_here_and_is_created_there_with_the_same_id_version_and_tag(ground):
    """S30, S24: nothing changes until the other secretary accepts; then everybody and everything about them is there, with its past."""
    phone, watcher = ground.worker(0), ground.worker(0)
    near, visit = family(phone)
    watcher.pull()
    asked, waiting = ask(ground, phone, near.household, on="2026-03-01")
    everything = {near.household, *near.persons, visit}
    assert all(ground.record(one).life == "live" for one in everything)
    assert [one["op_id"] for one in waiting_there(ground)] == [asked["op_id"]]
    dwelling = dwelling_there(ground)
    said = accept(ground, waiting, crossing.Place(dwelling=dwelling))
    assert said["moved"] == 4 and said["results"][0]["now"]["outcome"] == "applied" and said["placed"]["now"]["outcome"] == "applied"
    assert waiting_there(ground) == []
    for one in everything:
        old = ground.record(one)
        assert old.life == "moved" and there(ground, one).life == "live"
        past = [
            rows(ground, "SELECT v, tag, op_id, install_id, n, at, units FROM history WHERE community_id = ? AND record_id = ? AND v <= ? ORDER BY v",
                 community_id, one, old.v)
            for community_id in (COMMUNITY, OTHER)
        ]  # fmt: skip
        assert past[0] == past[1] and len(past[0]) == old.v and past[0][-1].tag == old.tag
    assert there(ground, near.household).home.startswith("cell/") and there(ground, visit).home == there(ground, near.household).home
    closed = [json.loads(one.fields) for one in rows(ground, "SELECT fields FROM record WHERE community_id = ? AND type = 'residence'", OTHER)]
    assert sorted(one["person"] for one in closed) == sorted(near.persons) and {one["resident_to"] for one in closed} == {"2026-03-01"}
    phone.pull()
    watcher.pull()
    assert not everything & watcher.visible
    assert {(one, reason) for _, one, reason in watcher.removed} >= {(one, "moved") for one in everything}
    assert phone.statuses[asked["op_id"]]["outcome"] == "applied"
    assert rows(ground, "SELECT command FROM journal WHERE community_id = ? AND command = 'move_in'", OTHER)
    with read(ground.house.engine) as connection:
        assert people_of_installs(connection, OTHER, [phone.install_id])[phone.install_id]["name"] == "网格员1"


def test_s30_a_household_outside_my_cells_goes_only_after_my_own_secretary_has_agreed(ground):
    """S30, S18: a worker of another cell may ask; the other community sees it after this one's secretary, and cannot take them before."""
    phone, stranger = ground.worker(0), ground.worker(1)
    near, _ = family(phone)
    _, waiting = ask(ground, stranger, near.household)
    assert waiting_there(ground) == [] and _elsewhere(ground) == [False]
    for decide in (accept, lambda ground, waiting: crossing.refuse(ground.house, secretary_of(ground.house), waiting)):
        with pytest.raises(NotFound):
            decide(ground, waiting)
    assert ground.record(near.household).life == "live"
    said = deciding.confirm(ground.house, ground.secretary, waiting)
    assert (said[0]["now"]["outcome"], said[0]["now"]["reason"]) == ("held", "proposal")
    assert len(waiting_there(ground)) == 1 and _elsewhere(ground) == [True]
    with pytest.raises(AlreadyDecided):
        deciding.confirm(ground.house, ground.secretary, waiting)
    assert accept(ground, waiting)["moved"] == 4
    assert ground.record(near.household).life == "moved"


def _elsewhere(ground):
    scope = scope_of(ground.secretary, ())
    return [one["elsewhere"] for one in proposals(ground.house, scope, COMMUNITY, Look(ground.secretary, "read", "inbox"))["rows"]]


def test_s30_late_edits_are_decided_there_and_their_author_is_told(ground):
    """S30, S18, L5: a phone that was away goes on about those who moved: each edit is applied or disputed there, none is lost."""
    phone, away = ground.worker(0), ground.worker(0)
    near, _ = family(phone)
    away.pull()
    base = ground.base(near.persons[0])
    phone.write(patch(ground, near.persons[0], {"birth_date": "1960-01-01", "birth_precision": "day"}, base=base))
    _, waiting = ask(ground, phone, near.household)
    accept(ground, waiting)
    late = patch(ground, near.persons[1], {"name": "张乙"}, base=ground.base(near.persons[1]) | {"v": 1, "tag": tag_of(ground, near.persons[1], 1)})
    disputed = patch(ground, near.persons[0], {"birth_date": "1961-01-01", "birth_precision": "day"}, base=base)
    visit = create("visit", {"household": near.household, "method": "phone", "outcome": "met", "attempt_number": 2})
    said = away.push([late], [disputed], [visit])
    assert [(one["now"]["outcome"], one["now"]["reason"]) for one in said] == [("held", "moved")] * 2 + [("held", "moved")]
    assert json.loads(there(ground, near.persons[1]).fields)["name"] == "张乙"
    assert json.loads(there(ground, near.persons[0]).fields)["birth_date"] == "1960-01-01"
    assert json.loads(there(ground, near.persons[0]).conflicts) == ["birth"]
    assert there(ground, visit["id"]).life == "live" and there(ground, visit["id"], COMMUNITY) is None
    away.pull()
    assert [away.statuses[one["op_id"]]["outcome"] for one in (late, disputed, visit)] == ["merged", "conflict", "applied"]
    assert {away.statuses[one["op_id"]]["reason"] for one in (late, disputed, visit)} == {"moved"}


def test_s30_two_phones_at_once_one_edits_while_the_other_community_accepts(ground):
    """S15, S30: whichever is first, the edit arrives there and is in nobody's way."""
    phone, other = ground.worker(0), ground.worker(0)
    near, _ = family(phone)
    other.pull()
    edits = [patch(ground, one, {"name": f"张{place}"}) for place, one in enumerate(near.persons)]
    _, waiting = ask(ground, phone, near.household)
    with ThreadPoolExecutor(2) as pool:
        accepted, _ = pool.submit(accept, ground, waiting), pool.submit(other.push, *[[one] for one in edits])
        accepted.result()
    release.sweep(ground.house)
    assert [json.loads(there(ground, one).fields)["name"] for one in near.persons] == ["张0", "张1"]
    other.pull()


def test_s30_an_open_dispute_is_open_there_and_no_longer_here(ground):
    """S4, S30: its values go along; the old community has nothing left to decide about who lives elsewhere."""
    phone, away = ground.worker(0), ground.worker(0)
    near, _ = family(phone)
    away.pull()
    base = ground.base(near.persons[0])
    phone.write(patch(ground, near.persons[0], {"birth_date": "1960-01-01", "birth_precision": "day"}, base=base))
    said = away.outcomes([patch(ground, near.persons[0], {"birth_date": "1961-01-01", "birth_precision": "day"}, base=base)])
    assert said == [("conflict", None)]
    _, waiting = ask(ground, phone, near.household)
    accept(ground, waiting)
    found = rows(ground, "SELECT community_id, state FROM conflict WHERE record_id = ? ORDER BY community_id", near.persons[0])
    assert [(one.community_id, one.state) for one in found] == [(OTHER, "open"), (COMMUNITY, "closed")]


def test_s30_late_work_follows_those_who_moved_on(ground):
    """S30, L5: from here to one community and from there to a third: the late edit finds them where they live now."""
    phone, away = ground.worker(0), ground.worker(0)
    near, _ = family(phone)
    away.pull()
    late = patch(ground, near.persons[0], {"note": "敲门"})
    _, waiting = ask(ground, phone, near.household)
    accept(ground, waiting)
    third = third_community(ground)
    send_on(ground, near.household, third)
    assert away.outcomes([late]) == [("held", "moved")]
    assert json.loads(there(ground, near.persons[0], third.community_id).fields)["note"] == "敲门"
    assert there(ground, near.persons[0]).life == "moved" and "note" not in json.loads(there(ground, near.persons[0]).fields)


def test_s30_the_id_of_a_person_who_was_recorded_twice_goes_along(ground):
    """S8, S30: also where the second record stood in another household: it leads to them there too, so that what is said of it finds them."""
    phone = ground.worker(0)
    near, _ = family(phone)
    other = home(0, "李四")
    phone.push(other.operations)
    merge = operation(
        "command", "person", near.persons[0], base=ground.base(near.persons[0]), name="merge_persons",
        arguments={"merged": other.persons[0]}, others={other.persons[0]: {"base": ground.base(other.persons[0]), "was": {}}},
    )  # fmt: skip
    phone.write(merge)
    _, waiting = ask(ground, phone, near.household)
    accept(ground, waiting)
    assert (there(ground, other.persons[0]).life, ground.record(other.persons[0]).life) == ("merged", "moved")


def test_s30_killed_in_the_middle_nothing_has_moved(ground, monkeypatch):
    """S30, L5: closing there and creating here is one transaction; trying again does it."""
    phone = ground.worker(0)
    near, _ = family(phone)
    _, waiting = ask(ground, phone, near.household)

    def fail(*_arguments, **_options):
        raise RuntimeError("killed")

    with monkeypatch.context() as patched:
        patched.setattr(arriving, "carry_out", fail)
        with pytest.raises(RuntimeError):
            accept(ground, waiting)
    assert ground.record(near.household).life == "live" and there(ground, near.household) is None
    assert accept(ground, waiting)["moved"] == 4


def test_s30_who_arrives_without_a_day_arrives_on_the_day_that_it_is_in_china(ground, clock):
    """S30: half past six in the morning there is the evening before in UTC."""
    phone = ground.worker(0)
    near, _ = family(phone)
    _, waiting = ask(ground, phone, near.household)
    clock.now = datetime(2026, 3, 2, 22, 30, tzinfo=UTC)
    accept(ground, waiting, crossing.Place(dwelling=dwelling_there(ground)))
    assert json.loads(there(ground, near.household).fields)["moved_in_on"] == "2026-03-03"
    assert {json.loads(there(ground, one).fields)["resident_from"] for one in near.persons} == {"2026-03-03"}


def test_s30_who_comes_back_goes_on_from_where_they_were(ground):
    """S30: the versions are one line through both communities, whatever happened there meanwhile."""
    phone = ground.worker(0)
    near, _ = family(phone)
    _, waiting = ask(ground, phone, near.household)
    accept(ground, waiting, crossing.Place(dwelling=dwelling_there(ground)))
    other = secretary_of(ground.house)
    row = there(ground, near.household)
    back = {
        "kind": "command", "type": "household", "id": near.household, "name": "move_household",
        "base": {"v": row.v, "tag": row.tag}, "arguments": {"community": COMMUNITY},
    }  # fmt: skip
    said = accept_user_group(ground.house, other, [user_operation(ground.house, back)])[0]
    assert said["now"]["reason"] == "proposal"
    install = rows(ground, "SELECT install_id FROM install WHERE community_id = ? AND kind = 'user' AND user_id = ?", OTHER, other.user_id)
    waiting = Waiting(OTHER, install[0].install_id, said["n"])
    done = crossing.accept(ground.house, ground.secretary, waiting, crossing.Place(dwelling=near.dwelling))
    assert done["placed"]["now"]["outcome"] == "applied"
    assert ground.record(near.household).life == "live" and there(ground, near.household).life == "moved"
    assert ground.record(near.persons[0]).home == ground.streams[0] and ground.record(near.household).v > row.v
    phone.pull()
    assert {near.household, *near.persons} <= phone.visible


def test_s30_erasure_reaches_both_communities(ground):
    """S28, S30: both keys are destroyed and both copies emptied, whichever community erases."""
    phone, away = ground.worker(0), ground.worker(0)
    near, _ = family(phone)
    person = near.persons[0]
    away.pull()
    late = patch(ground, person, {"name": "张迟"})
    _, waiting = ask(ground, phone, near.household)
    accept(ground, waiting)
    erase_there(ground, person)
    assert there(ground, person).life == ground.record(person).life == "erased"
    keys = rows(ground, "SELECT wrapped FROM data_key WHERE subject_id = ?", person)
    assert len(keys) == 2 and all(one.wrapped is None for one in keys)
    assert away.outcomes([late]) == [("erased", None)]


def test_s28_an_erasure_tells_how_much_still_names_somebody_in_the_community_that_they_left(ground):
    """S28, S30: counts and the community's name, so that its secretary can be asked; the records themselves are not shown."""
    phone = ground.worker(0)
    near, _ = family(phone)
    other = home(0, "李四", "李五")
    phone.push(other.operations)
    phone.write(patch(ground, other.persons[0], {"note": "张一的邻居"}))
    _, waiting = ask(ground, phone, near.household)
    accept(ground, waiting)
    seen, done = erase_there(ground, near.persons[0])
    told = [{"community_id": COMMUNITY, "name": "示例社区", "named": 1, "lists": 0}]
    assert seen["elsewhere"] == told and done["elsewhere"] == told
    assert other.persons[0] not in {one["id"] for one in seen["named"]}


@pytest.mark.parametrize("native", [True, False], ids=["with one of there", "with one who came along"])
def test_s30_erasure_reaches_ids_that_were_merged_in_another_community(ground, native):
    """S8, S28, S30: who moved and is recorded twice there is erased under both ids in both communities, and again after a restore."""
    phone = ground.worker(0)
    near, _ = family(phone)
    merged, kept = near.persons
    _, waiting = ask(ground, phone, near.household)
    accept(ground, waiting)
    actor = secretary_of(ground.house)
    if native:
        household, kept = uuid7(), uuid7()
        made = [
            {"kind": "create", "type": "household", "id": household, "set": {"dwelling": dwelling_there(ground), "kind": "family"}},
            {"kind": "create", "type": "person", "id": kept, "set": {
                "name": "张一", "document_missing_reason": "not_asked", "residence_household": household, "relation_to_head": "01"}},
        ]  # fmt: skip
        accept_user_group(ground.house, actor, [user_operation(ground.house, one) for one in made])
    base, other = ({"v": row.v, "tag": row.tag} for row in (there(ground, kept), there(ground, merged)))
    merge = {"kind": "command", "type": "person", "id": kept, "name": "merge_persons", "base": base,
             "arguments": {"merged": merged}, "others": {merged: {"base": other, "was": {}}}}  # fmt: skip
    assert accept_user_group(ground.house, actor, [user_operation(ground.house, merge)])[0]["now"]["outcome"] == "applied"
    seen, done = erase_there(ground, kept)
    assert seen["records"]["person"] == (3 if native else 4)
    assert done["done"]["records"] == sum(seen["records"].values())
    assert {row.life for row in rows(ground, "SELECT life FROM record WHERE id IN (?, ?)", merged, kept)} == {"erased"}
    keys = rows(ground, "SELECT community_id FROM data_key WHERE subject_id IN (?, ?) AND wrapped IS NOT NULL", merged, kept)
    assert keys == []
    lines = [json.loads(one) for one in (ground.house.settings.data_dir / "revocations.log").read_text().splitlines()]
    told = {one["community_id"]: one["people"] for one in lines if one["kind"] == "erasure"}
    assert told == {COMMUNITY: sorted([merged, kept]), OTHER: sorted([merged, kept])}


def test_s30_an_erasure_that_fails_in_one_community_leaves_no_line_of_the_other(ground, monkeypatch):
    """S26, S28: what was rolled back is not erased by a later restore."""
    phone = ground.worker(0)
    near, _ = family(phone)
    _, waiting = ask(ground, phone, near.household)
    accept(ground, waiting)
    with read(ground.house.engine) as connection:
        target = erasing.target_of(connection, ground.house, OTHER, near.persons[0])
    journal, calls = writing.insert_journal, []

    def fail_at_the_second(*given):
        calls.append(given)
        if len(calls) == 2:
            raise KeyboardInterrupt
        journal(*given)

    with monkeypatch.context() as patched:
        patched.setattr(writing, "insert_journal", fail_at_the_second)
        with pytest.raises(KeyboardInterrupt):
            erasing.erase(ground.house, target, By("somebody", "request"))
    assert not (ground.house.settings.data_dir / "revocations.log").exists()
    assert there(ground, near.persons[0]).life == "live"


def test_s30_the_inbox_of_the_other_community_shows_who_would_come_and_accepts_them(ground):
    """S30, L11: names are given to the secretary who was asked, and written down where the people are."""
    phone = ground.worker(0)
    near, _ = family(phone)
    asked, waiting = ask(ground, phone, near.household, left_reason="moved_out")
    client = ground.app.test_client()
    token = client.post("/api/v1/session", json={"login": "secretary-2", "password": PASSWORD}).json["csrf_token"]
    head = {"X-CSRF-Token": token}
    assert [one["community_id"] for one in client.get("/api/v1/communities/others").json] == [COMMUNITY]
    told = ground.app.test_client().get("/api/v1/reference", headers={"Authorization": f"Bearer {phone.token}"}).json["others"]
    assert [one["community_id"] for one in told] == [OTHER], "a phone knows whom it can ask, without a network too"
    row, = client.get("/api/v1/inbox/arrivals").json["rows"]
    assert row["op_id"] == asked["op_id"] and row["from"] == {"community_id": COMMUNITY, "name": "示例社区"}
    assert [one["title"] for one in row["records"]][1:] == ["张一", "张二"] and row["by"]["name"] == "网格员1"
    assert client.get("/api/v1/inbox").json["counts"]["arrivals"] == 1
    assert rows(ground, "SELECT count(*) AS c FROM audit WHERE community_id = ? AND scope LIKE 'inbox=arrivals%'", COMMUNITY)[0].c == 1
    where = f"/api/v1/inbox/arrivals/{COMMUNITY}/{waiting.install_id}/{waiting.n}"
    wrong = client.post(f"{where}/accept", json={"dwelling": uuid7()}, headers=head)
    assert wrong.status_code == 422 and wrong.json["errors"][0]["pointer"] == "/dwelling"
    said = client.post(f"{where}/accept", json={"dwelling": dwelling_there(ground)}, headers=head)
    assert said.status_code == 200 and said.json["moved"] == 4
    wanted = {"text": "张一"}
    found = client.post(f"/api/v1/communities/{OTHER}/find", json=wanted, headers=head).json["groups"]
    assert [one["id"] for group in found for one in group["rows"] if one["type"] == "person"] == [near.persons[0]]
    client = ground.app.test_client()
    token = client.post("/api/v1/session", json={"login": "secretary-1", "password": PASSWORD}).json["csrf_token"]
    old = {"X-CSRF-Token": token}
    assert [one for one in client.post(f"/api/v1/communities/{COMMUNITY}/find", json=wanted, headers=old).json["groups"] if one["rows"]] == []
    shown = client.get(f"/api/v1/records/household/{near.household}")
    assert shown.json["record"]["life"] == "moved"
    client = ground.app.test_client()
    token = client.post("/api/v1/session", json={"login": "secretary-2", "password": PASSWORD}).json["csrf_token"]
    head = {"X-CSRF-Token": token}
    assert client.get(f"/api/v1/records/person/{near.persons[0]}").status_code == 200
    assert client.get(f"/api/v1/communities/{OTHER}/roster/persons").json["rows"][0]["id"] in near.persons
    assert client.post(f"{where}/refuse", json={}, headers=head).status_code == 409
    assert client.post(f"/api/v1/inbox/arrivals/{COMMUNITY}/{uuid7()}/1/accept", json={}, headers=head).status_code == 404
