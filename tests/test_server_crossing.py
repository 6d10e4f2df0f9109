"""S30, S24: a household or a person moves to another community of the same house."""

from __future__ import annotations

import json
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import shapely
from records_kit import ZHANG_NUMBER
from server_kit import COMMUNITY, FIRST_DAY, PASSWORD, create, furnish, home, open_ground, operation, patch, uuid7
from stream_oracle import recount

from geo.cells import read_cells
from server.errors import AlreadyDecided, NotFound
from server.permissions import Actor
from server.services import accounts, arriving, crossing, deciding, erasure_reach, release
from server.services.accounts import OPERATOR
from server.services.audit import Look
from server.services.deciding import Waiting
from server.services.editions import publish_edition
from server.services.erasing import By
from server.services.push import accept_user_group, user_operation
from server.services.verify import verify
from server.store import assignments as places
from server.store import crossings, people
from server.store.database import read, run, stamp, write
from sync.digest import made_id

OTHER, OTHER_CODE = "c-other", "999999003002"
NOWHERE = crossing.Place()


def furnish_two(url):
    """As `furnish`, with a second community that has a cell of its own."""
    furnish(url)
    with tempfile.TemporaryDirectory() as folder:
        house = open_ground(url, Path(folder)).house
        with write(house.engine) as connection:
            new = places.Community(OTHER, OTHER_CODE, "邻近社区", OTHER_CODE[:9], OTHER_CODE[:6], "cn-grid-15")
            places.add_community(connection, new, at=stamp(FIRST_DAY))
        accounts.add_user(
            house, OPERATOR, login="secretary-2", name="邻社区书记", role="secretary", password=PASSWORD, community_id=OTHER
        )
        box = shapely.box(120.70, 31.30, 120.71, 31.31)
        cell = {"type": "Feature", "properties": {"code": f"{OTHER_CODE}001", "name": "邻格"}, "geometry": json.loads(shapely.to_geojson(box))}
        publish_edition(house, secretary_of(house), OTHER, read_cells({"type": "FeatureCollection", "features": [cell]}, datum="cgcs2000"))
        house.engine.dispose()


def secretary_of(house):
    """The secretary of the other community."""
    with read(house.engine) as connection:
        found = next(one for one in people.users(connection, [OTHER]) if one.role == "secretary")
    return Actor(found.user_id, "secretary", OTHER, name=found.name)


@pytest.fixture
def ground(prepared_database, tmp_path, clock):
    ground = open_ground(prepared_database(furnish_two), tmp_path, clock)
    yield ground
    recount(ground)
    report = verify(ground.house, again=True)
    assert report.agrees, str(report.difference)
    ground.close()


def there(ground, record_id, community_id=OTHER):
    """A record as a community has it; None where it has none."""
    with read(ground.house.engine) as connection:
        return run(connection, "SELECT * FROM record WHERE community_id = ? AND id = ?", (community_id, record_id)).first()


def rows(ground, statement, *values):
    with read(ground.house.engine) as connection:
        return list(run(connection, statement, values))


def ask(ground, phone, household, community_id=OTHER, **arguments):
    """A phone asks that a household moves to another community; the request as the other community names it."""
    asked = operation(
        "command", "household", household, base=ground.base(household), name="move_household",
        arguments={"community": community_id, **arguments},
    )  # fmt: skip
    said = phone.push([asked])[0]
    assert (said["now"]["outcome"], said["now"]["reason"]) == ("held", "proposal"), said
    return asked, Waiting(COMMUNITY, phone.install_id, said["n"])


def waiting_there(ground):
    with read(ground.house.engine) as connection:
        return crossings.requests(connection, OTHER)


def accept(ground, waiting, place=NOWHERE):
    return crossing.accept(ground.house, secretary_of(ground.house), waiting, place)


def dwelling_there(ground):
    """A building and a dwelling in the other community; the dwelling's id."""
    actor = secretary_of(ground.house)
    building, dwelling = uuid7(), uuid7()
    location = {"lon": 120.705, "lat": 31.305, "datum": "cgcs2000", "accuracy_m": 2, "confidence": 0.95, "method": "survey"}
    made = [
        {"kind": "create", "type": "building", "id": building, "set": {"name": "邻楼", "anchor": location}},
        {"kind": "create", "type": "dwelling", "id": dwelling, "set": {"building": building, "door_number": "9"}},
    ]
    said = accept_user_group(ground.house, actor, [user_operation(ground.house, one) for one in made])
    assert [one["now"]["outcome"] for one in said] == ["applied", "applied"], said
    return dwelling


def family(phone):
    """A family of two in the first cell, with an edit in its past and a visit; (home, visit id)."""
    near = home(0, "张一", "张二")
    phone.push(near.operations)
    visit = create("visit", {"household": near.household, "method": "door", "outcome": "met", "attempt_number": 1})
    phone.write(visit, patch(phone.ground, near.persons[0], {"phones": ["13700000001"]}))
    return near, visit["id"]


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


def test_s30_without_a_dwelling_there_they_wait_in_the_queue_of_those_without_a_cell(ground):
    """S30, L3: accepted first, placed later."""
    phone = ground.worker(0)
    near, _ = family(phone)
    _, waiting = ask(ground, phone, near.household)
    assert accept(ground, waiting)["placed"] is None
    assert {there(ground, one).home for one in (near.household, *near.persons)} == {"~unplaced"}


def test_s30_every_value_that_was_sealed_is_sealed_anew_under_the_keys_of_the_new_community(ground):
    """S28, S30: secrets, earlier values and searches are there, and no key opens both."""
    phone = ground.worker(0)
    near, _ = family(phone)
    secret = {"document_type": "resident_id", "document_number": ZHANG_NUMBER, "document_missing_reason": None}
    phone.write(patch(ground, near.persons[0], secret))
    _, waiting = ask(ground, phone, near.household)
    accept(ground, waiting)
    keys = rows(ground, "SELECT community_id, wrapped FROM data_key WHERE subject_id = ?", near.persons[0])
    assert {one.community_id for one in keys} == {COMMUNITY, OTHER} and len({bytes(one.wrapped) for one in keys}) == 2
    assert there(ground, near.persons[0]).secret is not None


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


def tag_of(ground, record_id, v):
    return rows(ground, "SELECT tag FROM history WHERE community_id = ? AND record_id = ? AND v = ?", COMMUNITY, record_id, v)[0].tag


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


def test_s30_who_is_registered_in_the_old_community_stays_known_there_by_a_card(ground):
    """S24: the card says which community they live in now, and goes when they come back or are erased."""
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


def test_s30_merged_ids_go_along_and_lead_to_their_person_there(ground):
    """S8, S30: late work under the id of a merged person reaches the one that it leads to."""
    phone, away = ground.worker(0), ground.worker(0)
    near, _ = family(phone)
    away.pull()
    one, two = near.persons
    late = patch(ground, two, {"note": "敲门"})
    merge = operation(
        "command", "person", one, base=ground.base(one), name="merge_persons", arguments={"merged": two},
        others={two: {"base": ground.base(two), "was": {}}},
    )  # fmt: skip
    phone.write(merge)
    _, waiting = ask(ground, phone, near.household)
    accept(ground, waiting)
    assert there(ground, two).life == "merged"
    away.push([late])
    assert json.loads(there(ground, one).fields)["note"] == "敲门"


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


def test_s30_erasure_reaches_both_communities(ground):
    """S28, S30: both keys are destroyed and both copies emptied, whichever community erases."""
    phone, away = ground.worker(0), ground.worker(0)
    near, _ = family(phone)
    person = near.persons[0]
    away.pull()
    late = patch(ground, person, {"name": "张迟"})
    _, waiting = ask(ground, phone, near.household)
    accept(ground, waiting)
    actor = secretary_of(ground.house)
    look = Look(actor, "change", "erasure")
    seen = erasure_reach.preview(ground.house, actor, OTHER, person, look)
    erasure_reach.erase(ground.house, actor, OTHER, person, By(actor.user_id, "request"), seen["confirm"], look)
    assert there(ground, person).life == ground.record(person).life == "erased"
    keys = rows(ground, "SELECT wrapped FROM data_key WHERE subject_id = ?", person)
    assert len(keys) == 2 and all(one.wrapped is None for one in keys)
    assert away.outcomes([late]) == [("erased", None)]


def test_s30_the_inbox_of_the_other_community_shows_who_would_come_and_accepts_them(ground):
    """S30, L11: names are given to the secretary who was asked, and written down where the people are."""
    phone = ground.worker(0)
    near, _ = family(phone)
    asked, waiting = ask(ground, phone, near.household, left_reason="moved_out")
    client = ground.app.test_client()
    token = client.post("/api/v1/session", json={"login": "secretary-2", "password": PASSWORD}).json["csrf_token"]
    head = {"X-CSRF-Token": token}
    assert [one["community_id"] for one in client.get("/api/v1/communities/others").json] == [COMMUNITY]
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
    assert client.post(f"{where}/refuse", json={}, headers=head).status_code == 409
    assert client.post(f"/api/v1/inbox/arrivals/{COMMUNITY}/{uuid7()}/1/accept", json={}, headers=head).status_code == 404
