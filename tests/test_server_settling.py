"""Conflicts settled many at once, handed over, and settled at the door (S4)."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from front_door import problem
from server_kit import PASSWORD, building, create, operation, patch

from tests.live import LiveServer, home, live_server

__all__ = ["live_server"]


def disputes(ground, count=3):
    """Dwellings on two floors each: the first phone's value stands, the second's waits."""
    one, two = ground.worker(0), ground.worker(0)
    house = building(0)
    homes = [create("dwelling", {"building": house["id"], "door_number": str(number)}) for number in range(count)]
    one.write(house, *homes)
    bases = [ground.base(made["id"]) for made in homes]
    one.write(*[patch(ground, made["id"], {"floor_number": 1, "building": house["id"]}, base=base, claimed_at="2026-03-02T00:10:00Z") for made, base in zip(homes, bases, strict=True)])
    late = [patch(ground, made["id"], {"floor_number": 2, "building": house["id"]}, base=base, claimed_at="2026-03-02T00:05:00Z") for made, base in zip(homes, bases, strict=True)]
    assert set(two.outcomes(*[[operation] for operation in late])) == {("conflict", None)}
    return one, two, [made["id"] for made in homes]


def office(ground):
    client = ground.app.test_client()
    token = client.post("/api/v1/session", json={"login": "secretary-1", "password": PASSWORD}).json["csrf_token"]
    return lambda path, body: client.post("/api/v1/inbox/conflicts/" + path, json=body, headers={"X-CSRF-Token": token})


def test_whatever_one_push_does_to_a_disputed_value_is_kept_as_it_ends(ground, caplog):
    """S4, S5, S17: settled and disputed anew, deleted and restored within one push: it is not taken apart, what waits is in the inbox."""
    one, two = ground.worker(0), ground.worker(0)
    house = building(0)
    one.write(house)
    pick, kinds = random.Random(5), ("delete", "restore", "patch", "resolve")
    old, new = 0, 1  # seen before or after what the colleague wrote
    orders = [
        # settled while it was deleted, by the push that began the dispute
        (("patch", old), ("patch", old), ("delete", old), ("resolve", new), ("restore", new)),
        (("patch", old), ("resolve", old), ("patch", old)),
        (("resolve", new), ("delete", old)),
        *(tuple((pick.choice(kinds), pick.choice((old, new))) for _ in range(pick.randint(2, 5))) for _ in range(15)),
    ]
    for number, order in enumerate(orders):
        made = create("dwelling", {"building": house["id"], "door_number": str(number)})
        one.write(made)
        base = ground.base(made["id"])

        def write(kind, floor, base, made=made):
            values = {} if kind in {"delete", "restore"} else {"floor_number": floor, "building": house["id"]}
            return operation(kind, "dwelling", made["id"], values, base=base)

        one.write(write("patch", 1, base))
        if number % 3:
            two.push([write(pick.choice(("patch", "delete")), 7, base)])
        bases = (base, ground.base(made["id"]))
        asked = [row.op_id for row in siblings(ground, made["id"])]
        work: list[dict] = []
        for floor, (kind, at) in enumerate(order, 2):
            said = {"unit": "place", "siblings": asked + [done["op_id"] for done in work]} if kind == "resolve" else {}
            work.append(write(kind, floor, bases[at]) | said)
        two.push(*([done] for done in work))
        waiting = [row for row in siblings(ground, made["id"]) if row.state == "open" and row.conflict == "open"]
        assert caplog.text == "" and bool(waiting) == bool(json.loads(ground.record(made["id"]).conflicts)), order


def siblings(ground, record_id):
    return ground.rows(
        "SELECT s.op_id, s.state, c.state AS conflict FROM conflict c JOIN conflict_sibling s "
        "ON s.community_id = c.community_id AND s.conflict_id = c.conflict_id WHERE c.record_id = ?", record_id,
    )  # fmt: skip


@pytest.mark.parametrize(("choose", "floor"), [("standing", 1), ("waiting", 2), ("newest", 1)])
def test_many_conflicts_are_settled_by_one_choice(ground, choose, floor):
    """S4: each by an operation of its own; what was not asked for stays open."""
    one, _, homes = disputes(ground)
    ask = office(ground)
    assert ask("resolve", {"choose": choose, "unit": "residence"}).json["settled"] == []
    said = ask("resolve", {"choose": choose, "record_type": "dwelling", "unit": "place"}).json
    assert (len(said["settled"]), said["skipped"], said["more"]) == (3, [], False)
    assert {ground.fields(made)["floor_number"] for made in homes} == {floor}
    assert ground.rows("SELECT count(*) FROM conflict WHERE state = 'open'")[0][0] == 0
    assert ground.rows("SELECT count(*) FROM operation WHERE kind = 'resolve'")[0][0] == 3
    one.pull()


@pytest.mark.parametrize(("claimed_at", "floor"), [("2026-03-02T00:20:00Z", 3), ("2026-03-02T00:01:00Z", 2)])
def test_what_was_written_over_all_of_them_is_the_newest(ground, claimed_at, floor):
    """S4: taking the newest of many never takes a record back to an older value: what stands stays, unless what waits was written after it."""
    one, _, homes = disputes(ground)
    one.write(*[patch(ground, made, {"floor_number": 3}, claimed_at=claimed_at) for made in homes[:2]])
    assert [ground.fields(made)["floor_number"] for made in homes] == [3, 3, 1]
    said = office(ground)("resolve", {"choose": "newest", "unit": "place"}).json
    assert (len(said["settled"]), said["skipped"]) == (3, [])
    assert [ground.fields(made)["floor_number"] for made in homes] == [floor, floor, 1]


def test_what_has_no_such_value_is_passed_over(ground):
    """The secretary wrote none of them; two others did: neither mine nor theirs is one value."""
    _, _, homes = disputes(ground, 1)
    said = office(ground)("resolve", {"choose": "mine"}).json
    assert [row["reason"] for row in said["skipped"]] == ["no_such_value"]
    said = office(ground)("resolve", {"choose": "theirs"}).json
    assert [row["reason"] for row in said["skipped"]] == ["several"]
    assert json.loads(ground.record(homes[0]).conflicts) == ["place"]
    assert problem(office(ground)("resolve", {"choose": "whichever"})) == (422, "invalid-input")


def test_a_conflict_is_handed_over_and_told_to_the_phone(ground):
    """The worker's phone gets both values and that it was asked; another cell's phone gets nothing."""
    one, two, homes = disputes(ground, 1)
    stranger = ground.worker(1)
    conflict_id = ground.rows("SELECT conflict_id FROM conflict")[0].conflict_id
    ask = office(ground)
    assert problem(ask(f"{conflict_id}/delegate", {"user_id": "nobody"})) == (422, "invalid-input")
    away = ask(f"{conflict_id}/delegate", {"user_id": stranger.user_id})
    assert problem(away) == (422, "invalid-input") and away.json["errors"][0]["code"] == "not_their_cell"
    assert ask(f"{conflict_id}/delegate", {"user_id": two.user_id}).json["delegated_to"] == two.user_id
    body = {"protocol": 1, "records": homes}
    told = two.post("disputes", body | {"install_id": two.install_id}).json["disputes"]
    assert [(row["id"], row["unit"], row["delegated_to"]) for row in told] == [(homes[0], "place", two.user_id)]
    assert sorted(one["set"]["floor_number"] for one in told[0]["siblings"]) == [1, 2] and told[0]["v"] == ground.record(homes[0]).v
    assert [one["form_version"] for one in told[0]["siblings"]] == [1, 1], "of the value that stands, too"
    assert stranger.post("disputes", body | {"install_id": stranger.install_id}).json == {"disputes": []}
    assert one.post("disputes", body).status_code == 422


def test_a_phone_settles_a_conflict_at_the_door(live_server: LiveServer, tmp_path: Path) -> None:
    """S4: fetched behind a pull, settled offline, final for everybody."""
    ground = live_server.community()
    one, two = (ground.phone(tmp_path / name, ground.worker(0)) for name in ("one", "two"))
    one.pull()
    made = home(one, 0, "王小明")
    one.sync()
    two.pull()
    for phone, floor in ((one, 3), (two, 4)):
        phone.patch(made["dwelling"], floor_number=floor)
    for phone in (one, two, one):
        phone.sync()
    assert one.conflicts() == [(made["dwelling"], "dwelling", "place")] and one.ask_disputes() == 1
    asked = one.dispute(made["dwelling"], "place")
    assert asked is not None and sorted(row["set"]["floor_number"] for row in asked["siblings"]) == [3, 4]
    chosen = next(row for row in asked["siblings"] if row["set"]["floor_number"] == 4)
    one.resolve(made["dwelling"], "place", [row["op_id"] for row in asked["siblings"]], **chosen["set"])
    for phone in (one, two):
        phone.sync()
    assert one.conflicts() == two.conflicts() == []
    assert two.read(made["dwelling"]).fields["floor_number"] == 4
    assert one.ask_disputes() == 0 and one.dispute(made["dwelling"], "place") is None
