"""What the office hands on reaches the phone of who can ask at the door, and what they find there comes back to its item (W8)."""

from __future__ import annotations

from datetime import datetime

from front_door import problem
from server_kit import COMMUNITY, PASSWORD, create, home, patch
from test_server_form_evolution import InProcess

from server.services.enrolment import create_code
from server.store.asked import MARKS
from sync.device import Phone as ReferencePhone


class Desk:
    """The secretary at the inbox."""

    def __init__(self, ground):
        self.client = ground.app.test_client()
        token = self.client.post("/api/v1/session", json={"login": "secretary-1", "password": PASSWORD}).json["csrf_token"]
        self.headers = {"X-CSRF-Token": token}

    def post(self, path, body):
        return self.client.post(f"/api/v1/{path}", json=body, headers=self.headers)

    def hand(self, path, user_id):
        answer = self.post(f"inbox/{path}/delegate", {"user_id": user_id})
        assert answer.status_code == 200, answer.data
        return answer.json

    def rows(self, kind):
        return self.client.get(f"/api/v1/inbox/{kind}").json["rows"]


def asked(phone):
    """What the office asks, as this phone is told; the mark is that of a complete page."""
    told = phone.post("asked", {"protocol": 1, "install_id": phone.install_id}).json
    assert told["mark"] == phone.pull()[-1]["asked"]
    return told["asked"]


def in_doubt(ground, phone):
    """A married child, a floor that is no number, and a dwelling on two floors: a finding, quarantined work, a conflict."""
    other, third = ground.worker(0), ground.worker(0)
    made = home(0, "小明", birth_date="2020-01-01")
    phone.write(*made.operations)
    phone.write(patch(ground, made.persons[0], {"marital_code": "20"}))
    assert third.outcomes([patch(ground, made.dwelling, {"building": made.building, "floor_number": "up"})]) == [("quarantined", "invalid")]
    base = ground.base(made.dwelling)
    phone.write(patch(ground, made.dwelling, {"building": made.building, "floor_number": 3}, base=base))
    assert other.outcomes([patch(ground, made.dwelling, {"building": made.building, "floor_number": 4}, base=base)]) == [("conflict", None)]
    return made, other


def paths(desk):
    finding = next(row for row in desk.rows("findings") if row["name"] == "child_married")
    waits, conflict = desk.rows("quarantine")[0], desk.rows("conflicts")[0]
    return f"findings/{finding['finding_id']}", f"operations/{waits['install_id']}/{waits['n']}", f"conflicts/{conflict['conflict_id']}"


def test_what_is_handed_on_reaches_the_phone_of_who_was_asked_and_no_other(ground, clock):
    """W8: in words and with its record, oldest first; nothing of values; taken back or settled it is gone."""
    phone, desk = ground.worker(0), Desk(ground)
    made, other = in_doubt(ground, phone)
    stranger = ground.worker(1)
    assert phone.pull()[-1]["asked"] is None and asked(phone) == []
    for path in paths(desk):
        clock.advance(minutes=1)
        desk.hand(path, phone.user_id)
    finding, waits, conflict = asked(phone)
    assert (finding["kind"], finding["id"], finding["type"], finding["message"]["zh"]) == ("finding", made.persons[0], "person", "未满 15 岁登记为已婚")
    assert "marital_code" in finding["units"] and finding["item"].startswith("finding/")
    assert (waits["kind"], waits["id"], waits["reason"], waits["by"]) == ("quarantined", made.dwelling, "invalid", "网格员3")
    assert waits["errors"][0]["pointer"] == "/set/floor_number" and "up" not in str(waits)
    assert (conflict["kind"], conflict["id"], conflict["units"]) == ("conflict", made.dwelling, ["place"])
    assert finding["asked_at"] < waits["asked_at"] < conflict["asked_at"]
    assert asked(other) == asked(stranger) == []
    before = phone.pull()[-1]["asked"]
    assert before == phone.pull()[-1]["asked"], "as long as nothing changes the mark is the same"
    desk.hand(paths(desk)[1], None)
    assert [one["kind"] for one in asked(phone)] == ["finding", "conflict"] and phone.pull()[-1]["asked"] != before
    phone.write(patch(ground, made.persons[0], {"marital_code": "10"}))
    assert [one["kind"] for one in asked(phone)] == ["conflict"]
    assert desk.post("inbox/conflicts/resolve", {"choose": "standing"}).json["settled"]
    assert asked(phone) == [] and phone.pull()[-1]["asked"] is None


def test_the_reference_phone_holds_what_is_asked_until_it_is_answered_or_over(ground, tmp_path, clock, new_id):
    """W8: fetched only where the mark is another one, there after a restart, gone once told or taken back; asked again it is there again."""
    hand, desk = ground.worker(0), Desk(ground)
    made, _ = in_doubt(ground, hand)
    wire = Counting(ground.app)
    phone = ReferencePhone(tmp_path / "phone", wire, clock, new_id, ground.house.registry)
    phone.enrol(create_code(ground.house, ground.secretary, hand.user_id)[0], label="phone")
    phone.sync()
    assert phone.asked() == [] and wire.paths.count("asked") == 0
    path = paths(desk)[0]
    for again in (1, 2):
        clock.advance(minutes=1)
        desk.hand(path, hand.user_id)
        phone.sync(), phone.sync()
        assert wire.paths.count("asked") == again
        phone.close()
        phone = ReferencePhone(tmp_path / "phone", wire, clock, new_id, ground.house.registry)
        (one,) = phone.asked()
        assert (one["kind"], one["id"]) == ("finding", made.persons[0])
        said = {"item": one["item"], "asked_at": one["asked_at"].replace("Z", "+00:00"), "outcome": "right", "person": made.persons[0]}
        phone.create("door_check", said)
        assert phone.asked() == []
        phone.sync()
        assert phone.asked() == [] and len(asked(hand)) == 1
        desk.hand(path, None)
    phone.sync()
    assert phone.asked() == [] and asked(hand) == [] and wire.paths.count("asked") == 2, "nothing is asked: nothing is fetched"
    phone.close()


class Counting(InProcess):
    """The last parts of the addresses that were asked for."""

    def __init__(self, app):
        super().__init__(app)
        self.paths = []

    def request(self, method, path, **more):
        self.paths.append(path.rpartition("/")[2])
        return super().request(method, path, **more)


def test_nothing_is_told_beyond_the_cells_of_who_was_asked(ground):
    """W8, L10: a cell that is taken away takes along what was asked about it; the request is for the own install and no console."""
    phone, desk = ground.worker(0), Desk(ground)
    in_doubt(ground, phone)
    desk.hand(paths(desk)[0], phone.user_id)
    assert len(asked(phone)) == 1
    ground.unassign(phone.user_id, 0)
    assert asked(phone) == []
    assert problem(phone.post("asked", {"protocol": 1, "install_id": "another"})) == (422, "invalid-input")
    assert desk.post("sync/asked", {"protocol": 1, "install_id": phone.install_id}).status_code == 401


def found(item, record, outcome, **more):
    """What a phone sends: an ordinary record about what it was asked."""
    return create("door_check", {"item": item["item"], "asked_at": item["asked_at"], "outcome": outcome, **record, **more})


def test_what_its_author_wrote_about_somebody_new_is_handed_to_them(ground):
    """W8: what was set apart before there was a record is in no cell; who wrote it is asked about it, on whichever phone of theirs, and nobody else of the cells."""
    phone, desk = ground.worker(0), Desk(ground)
    again, other = ground.enrol(phone.user_id), ground.worker(0)
    made = create("resource", {"name": "空地", "kind": "unheard-of"})
    assert phone.outcomes([made]) == [("quarantined", "invalid")]
    (waits,) = desk.rows("quarantine")
    assert waits["known"] is False and waits["cell"] is None
    path = f"operations/{waits['install_id']}/{waits['n']}"
    assert problem(desk.post(f"inbox/{path}/delegate", {"user_id": other.user_id})) == (422, "invalid-input")
    desk.hand(path, phone.user_id)
    assert [one["kind"] for one in asked(phone)] == [one["kind"] for one in asked(again)] == ["quarantined"]
    assert asked(other) == []


def test_what_was_found_at_the_door_stands_at_its_item(ground, clock):
    """W8: who, when, what and in which words; whoever reads the words is written down; asked again it is another question."""
    phone, desk = ground.worker(0), Desk(ground)
    made, _ = in_doubt(ground, phone)
    for path in paths(desk):
        desk.hand(path, phone.user_id)
    items = {one["kind"]: one for one in asked(phone)}
    phone.write(
        found(items["finding"], {"person": made.persons[0]}, "right", note="看过结婚证", checked_at="2026-03-02T00:40:00Z"),
        found(items["quarantined"], {"dwelling": made.dwelling}, "nobody"),
        found(items["conflict"], {"dwelling": made.dwelling}, "unclear"),
    )
    (told,) = next(row for row in desk.rows("findings") if row["name"] == "child_married")["checks"]
    assert (told["outcome"], told["label"], told["note"], told["by"]["name"]) == ("right", "已核实，无误", "看过结婚证", "网格员1")
    assert told["at"] == "2026-03-02T00:40:00Z"
    assert datetime.fromisoformat(told["asked_at"]) == datetime.fromisoformat(items["finding"]["asked_at"])
    assert [[one["outcome"] for one in row["checks"]] for row in desk.rows("quarantine")] == [["nobody"]]
    assert [[one["outcome"] for one in row["checks"]] for row in desk.rows("conflicts")] == [["unclear"]]
    lines = ground.rows("SELECT fields FROM audit WHERE scope LIKE 'inbox=findings%' ORDER BY audit_id")
    assert "door_check.note" in lines[-1].fields
    clock.advance(minutes=3)
    desk.hand(paths(desk)[0], phone.user_id)
    again = next(one for one in asked(phone) if one["kind"] == "finding")
    assert again["item"] == items["finding"]["item"] and again["asked_at"] > items["finding"]["asked_at"]


def test_what_was_found_is_erased_with_the_person(ground):
    """S28: neither the question nor what was said about somebody at the door is left."""
    phone, desk = ground.worker(0), Desk(ground)
    made, _ = in_doubt(ground, phone)
    desk.hand(paths(desk)[0], phone.user_id)
    (item,) = asked(phone)
    check = found(item, {"person": made.persons[0]}, "nobody", note="邻居说没有这个人")
    phone.write(check)
    assert ground.record(check["id"]).subject_id == made.persons[0]
    confirm = desk.post("erasures/preview", {"id": made.persons[0]}).json["confirm"]
    assert desk.post("erasures", {"id": made.persons[0], "reason": "request", "confirm": confirm}).status_code == 200
    assert asked(phone) == [] and ground.record(check["id"]).life == "erased"
    assert "没有这个人" not in str(ground.rows("SELECT fields FROM record WHERE community_id = ?", COMMUNITY))
    phone.pull()
    assert check["id"] not in phone.visible


def test_the_end_of_a_pull_reads_what_was_asked_and_nothing_else(ground):
    """W8: with the statistics that a new database is given no pull goes through a community's operations."""
    if ground.house.engine.dialect.name == "sqlite":
        steps = [row[3] for row in ground.rows("EXPLAIN QUERY PLAN " + MARKS, *(COMMUNITY, "u") * 3)]
        assert [one.split("INDEX ")[1].split()[0] for one in steps if one[7:9] in ("k ", "f ", "o ")] == [
            "ix_conflict_asked", "ix_finding_asked", "ix_operation_asked",
        ]  # fmt: skip
