"""A server that lost its database gets acknowledged work back from the phones (S25, S26): real phones over real HTTP."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from front_door import Person
from server_kit import COMMUNITY, Ground, anchor, building, furnish, open_ground, operation

from forms.registry import load_registry
from server.house import uuid7
from server.services import enrolment
from server.services.backup import Backup, back_up
from server.services.restore import restore
from server.services.verify import verify
from server.store.database import run
from server.store.database import write as database
from sync.device import Phone
from sync.device.transport import Answer


class InProcess:
    """The app without a network."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground

    def request(self, method: str, path: str, *, body: Any = None, token: str | None = None) -> Answer:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        answer = self.ground.app.test_client().open(path, method=method, json=body, headers=headers)
        return Answer(answer.status_code, {}, orjson.loads(answer.data))


@pytest.fixture
def ground(prepared_database, tmp_path) -> Iterator[Ground]:
    ground = open_ground(prepared_database(furnish), tmp_path / "data", lambda: datetime.now(UTC))
    yield ground
    ground.close()


def phone_of(ground: Ground, path: Path, *cells: int) -> Phone:
    """A real phone of a new grid worker; it has pulled once."""
    user_id = ground.worker(*cells).user_id
    phone = Phone(path, InProcess(ground), lambda: datetime.now(UTC), uuid7, load_registry())
    phone.enrol(enrolment.create_code(ground.house, ground.secretary, user_id)[0])
    phone.pull()
    return phone


def home(phone: Phone, number: int, *names: str) -> dict[str, Any]:
    """A building, a dwelling, a household and persons, written in one group."""
    with phone.group():
        building = phone.create("building", {"name": "1 幢", "anchor": anchor(number)})
        dwelling = phone.create("dwelling", {"building": building, "door_number": "101"})
        household = phone.create("household", {"dwelling": dwelling, "kind": "family"})
        given = {"residence_household": household, "relation_to_head": "01", "document_missing_reason": "not_asked"}
        persons = [phone.create("person", {"name": name} | given) for name in names]
    return {"building": building, "dwelling": dwelling, "household": household, "persons": persons}


def put_back(ground: Ground, made: Backup) -> None:
    """The machine is lost; another one gets the archive."""
    restore(ground.house, made.archive, replace=True)


def settled(ground: Ground, *phones: Phone) -> None:
    """Everybody syncs until nothing changes: journal and state agree, every copy equals the server's, all is acknowledged."""
    for _ in range(3):
        for phone in phones:
            phone.sync()
    assert verify(ground.house).agrees
    for phone in phones:
        _, pulled = phone.sync()
        assert pulled.complete and not pulled.rebuilt and not pulled.needs_fork
        assert all(one.acknowledged and one.settled for one in phone.operations()), phone.operations()
        (row,) = ground.rows("SELECT last_n FROM install WHERE install_id = ?", phone.install_id)
        assert phone._store.last_n() == row[0]
    for stream in {one for phone in phones for one in phone.digests()} - {
        f"install/{one.install_id}" for one in phones
    }:
        told = {str(phone.digests()[stream]) for phone in phones if stream in phone.digests()}
        (row,) = ground.rows(
            "SELECT count, digest FROM stream WHERE community_id = ? AND stream_id = ?", COMMUNITY, stream
        ) or [(0, "0" * 32)]
        assert told == {str({"count": row[0], "digest": row[1]})}, stream


def names_of(phone: Phone) -> set[str]:
    return {view.fields["name"] for view in phone.find("person")}


def test_l5_s25_acknowledged_work_comes_back_after_a_lost_server(ground, tmp_path):
    """L5, S25: two backups, then work that everybody got an answer for; the machine burns; nothing of it is lost."""
    one, two = phone_of(ground, tmp_path / "one", 0, 1), phone_of(ground, tmp_path / "two", 0, 1)
    first = home(one, 0, "王一")
    settled(ground, one, two)
    back_up(ground.house, tmp_path / "copies")
    second = home(two, 1, "王二")
    settled(ground, one, two)
    made = back_up(ground.house, tmp_path / "copies")
    third = home(one, 1, "王三")
    one.patch(first["persons"][0], name="王壹", phones={"add": ["10200000001"]})
    two.patch(second["household"], phone="10200000002")
    settled(ground, one, two)
    two.patch(third["persons"][0], name="王叁")  # somebody else's record, which the backup does not have
    two.patch(second["persons"][0], name="王贰")
    settled(ground, one, two)
    put_back(ground, made)
    assert ground.rows("SELECT count(*) FROM record WHERE type = 'person'")[0][0] == 2
    settled(ground, one, two)
    assert names_of(one) == names_of(two) == {"王壹", "王贰", "王叁"}
    assert ground.rows("SELECT count(*) FROM conflict WHERE state = 'open'")[0][0] == 0


def test_s25_either_order_of_the_phones_brings_everything_back(ground, tmp_path):
    """S25: the phone that wrote on top of somebody else's lost value syncs first: nothing is lost, what is unclear is listed."""
    one, two = phone_of(ground, tmp_path / "one", 0), phone_of(ground, tmp_path / "two", 0)
    base = home(one, 0, "王一")
    settled(ground, one, two)
    made = back_up(ground.house, tmp_path / "copies")
    one.patch(base["household"], phone="10200000001")
    one.sync()
    two.sync()
    two.patch(base["household"], phone="10200000002")
    settled(ground, one, two)
    put_back(ground, made)
    two.sync()
    settled(ground, one, two)
    assert one.read(base["household"]).fields["phone"] == "10200000002"


def test_s25_what_no_author_brings_back_is_offered_by_others(ground, tmp_path):
    """S25: the author's phone is gone, too. A colleague's copy comes into the recovery queue, sealed, and merges nowhere."""
    one, two = phone_of(ground, tmp_path / "one", 0), phone_of(ground, tmp_path / "two", 0)
    base = home(one, 0, "王一")
    settled(ground, one, two)
    made = back_up(ground.house, tmp_path / "copies")
    lost = home(one, 0, "李丢")
    one.patch(base["persons"][0], name="王壹")
    settled(ground, one, two)
    put_back(ground, made)
    settled(ground, two)
    assert names_of(two) == {"王一"}
    secretary = Person(ground.app.test_client())
    secretary.sign_in("secretary-1")
    rows = secretary.get("/api/v1/inbox/recovery").json["rows"]
    assert {row["record"]["id"] for row in rows} == {
        lost["building"],
        lost["dwelling"],
        lost["household"],
        *lost["persons"],
        base["persons"][0],
    }
    (person,) = [row for row in rows if row["record"]["id"] == base["persons"][0]]
    assert person["fields"]["name"] == "王壹" and person["present"]["v"] == 1 and person["by"]["name"]
    assert b"\xe6\x9d\x8e\xe4\xb8\xa2" not in b"".join(
        bytes(row[0]) for row in ground.rows("SELECT sealed FROM recovery")
    )
    assert ground.rows("SELECT 1 FROM audit WHERE action = 'read' AND purpose = 'inbox: recovery'")
    assert two.offer_witnesses() == 0
    # the author's phone turns up after all: what it brings back leaves the queue by itself
    settled(ground, one, two)
    assert names_of(two) == {"王壹", "李丢"}
    assert secretary.get("/api/v1/inbox/recovery").json["rows"] == []


def test_s25_a_copy_is_written_back_as_far_as_somebody_ticks_it(ground):
    """S25: What a phone still has goes back as an operation of whoever ticked it; what was written since is never written over unseen."""
    phone = ground.worker(0)
    gone, other, dropped = uuid7(), uuid7(), uuid7()
    for one in (other, dropped):
        phone.write(operation("create", "building", one, {"name": "2 幢", "anchor": anchor(0), "note": "甲"}))
    told = {"name": "老名", "floors_count": 6, "note": "乙", "photos": [], "anchor": ground.fields(other)["anchor"]}
    copies = [{"id": one, "type": "building", "v": 7, "tag": "7" * 16, "home": ground.streams[0], "fields": told} for one in (gone, other, dropped)]
    witnesses = [{"epoch": "before", "record": one} for one in copies]
    sent = phone.post("witness", {"protocol": 1, "install_id": phone.install_id, "witnesses": witnesses})
    assert sent.json["kept"] == 3
    secretary = Person(ground.app.test_client())
    secretary.sign_in("secretary-1")

    def waiting() -> dict[str, Any]:
        return {row["record"]["id"]: row for row in secretary.get("/api/v1/inbox/recovery").json["rows"]}

    def write(one: str, *units: str, base: Any = "seen") -> Any:
        row = waiting()[one]
        seen = row["present"] and {"v": row["present"]["v"], "tag": row["present"]["tag"]}
        return secretary.post(f"/api/v1/inbox/recovery/{row['recovery_id']}/write", {"units": units, "base": seen if base == "seen" else base})

    states = {unit["unit"]: unit["state"] for unit in waiting()[other]["units"]}
    assert (states["name"], states["floors_count"], states["note"], states["anchor"]) == ("differs", "only_copy", "joined", "same")
    assert write(other, "name", base=None).json["errors"][0]["code"] == "changed_meanwhile"
    assert write(gone, "name", base=ground.base(other)).json["errors"][0]["code"] == "changed_meanwhile"
    assert write(other, "anchor").status_code == write(other, "nothing").status_code == 422
    before = ground.base(other)
    with database(ground.house.engine) as connection:
        run(connection, "UPDATE record SET life = 'merged' WHERE id = ?", (other,))
    assert {unit["why_not"] for unit in waiting()[other]["units"]} == {"gone"} and write(other, "floors_count").status_code == 422
    with database(ground.house.engine) as connection:
        run(connection, "UPDATE record SET life = 'live' WHERE id = ?", (other,))
    phone.write(operation("patch", "building", dropped, {"note": "甲。乙"}, base=ground.base(dropped)))
    assert next(unit["state"] for unit in waiting()[dropped]["units"] if unit["unit"] == "note") == "only_here", "the copy says nothing more"
    assert write(dropped, "note").status_code == 422
    phone.write(operation("patch", "building", other, {"name": "新名"}, base=before))
    assert write(other, "name", base=before).json["errors"][0]["code"] == "changed_meanwhile"
    assert ground.fields(other)["name"] == "新名" and set(waiting()) == {gone, other, dropped}
    assert write(other, "floors_count", "note").json["state"] == "closed"
    assert (ground.fields(other)["name"], ground.fields(other)["floors_count"], ground.fields(other)["note"]) == ("新名", 6, "甲\n乙")
    assert write(gone, "name", "anchor").json["results"][0]["now"]["outcome"] == "applied"
    assert ground.fields(gone)["name"] == "老名" and ground.record(gone).home == ground.streams[0]
    phone.write(operation("delete", "building", dropped, base=ground.base(dropped)))
    assert write(dropped, "name").json["state"] == "closed"
    assert (ground.record(dropped).life, ground.fields(dropped)["name"]) == ("live", "老名") and waiting() == {}
    assert not ground.rows("SELECT 1 FROM conflict") and verify(ground.house).agrees


def test_what_is_no_witness_is_refused(ground):
    """A broken offer is refused as a whole with its place; a repeated one is kept once; a signed-in person is no phone."""
    phone = ground.worker(0)
    record = {"id": uuid7(), "type": "building", "v": 2, "tag": "0" * 16, "home": None, "fields": {"name": "1 幢"}}

    def offer(*witnesses: Any, **more: Any) -> Any:
        return phone.post(
            "witness", {"protocol": 1, "install_id": phone.install_id, "witnesses": list(witnesses)} | more
        )

    good = {"epoch": "e", "record": record}
    wrong = [
        5, {"record": record}, {"epoch": "", "record": record}, {"epoch": "e", "record": 5},
        *({"epoch": "e", "record": record | one} for one in ({"id": "x"}, {"v": 0}, {"v": True}, {"v": 2**31}, {"tag": ""}, {"tag": "\0"},
          {"type": 5}, {"home": "\n"}, {"fields": []})),
    ]  # fmt: skip
    for one in wrong:
        answer = offer(good, one)
        assert answer.status_code == 422 and answer.json["errors"][0]["pointer"].startswith("/witnesses/1"), one
    assert offer(protocol=2).status_code == offer(install_id="x").status_code == offer(witnesses={}).status_code == 422
    assert offer(*[good] * 501).status_code == 422
    assert offer(good, good).json == {"kept": 1, "known": 1, "erased": 0}
    assert offer(good).json == {"kept": 0, "known": 1, "erased": 0}
    secretary = Person(ground.app.test_client())
    assert secretary.get("/api/v1/inbox/recovery").status_code == 401
    secretary.sign_in("secretary-1")
    (row,) = secretary.get("/api/v1/inbox/recovery").json["rows"]
    assert row["record"]["title"] == "1 幢" and row["present"] is None
    assert secretary.get("/api/v1/inbox").json["counts"]["recovery"] == 1
    assert secretary.post(f"/api/v1/inbox/recovery/{row['recovery_id']}/close").status_code == 200
    assert secretary.post(f"/api/v1/inbox/recovery/{row['recovery_id']}/close").status_code == 404
    assert secretary.get("/api/v1/inbox/recovery").json["rows"] == [] and ground.count() == 0
    assert secretary.get("/api/v1/inbox").json["counts"]["recovery"] == 0


def test_s25_a_receipt_proves_only_what_this_house_signed(ground):
    """S25: a made-up, stale or foreign receipt, or a number far ahead, begins no new life: the server only says what it expects."""
    one, two = ground.worker(0), ground.worker(0)
    one.write(building(0), building(0))
    receipt = one.send(one.batch([]))["receipt"]
    before = ground.rows("SELECT epoch FROM database_life")
    for shown in ("", "x", receipt[:-2], receipt[::-1], receipt, 5):
        answer = two.send(two.batch([[building(0)]], after=(900, uuid7())) | {"receipt": shown})
        assert answer["expected"]["n"] == two.n
    assert ground.rows("SELECT epoch FROM database_life") == before


def test_s21_a_phone_forgets_only_what_two_backups_hold(ground, tmp_path):
    """S21, S26: after the second backup the log is emptied up to the first one; numbers go on, nothing is sent twice."""
    one = phone_of(ground, tmp_path / "one", 0)
    home(one, 0, "王一")
    settled(ground, one)
    back_up(ground.house, tmp_path / "copies")
    kept = home(one, 0, "王二")
    settled(ground, one)
    assert len(one.operations()) == 8
    made = back_up(ground.house, tmp_path / "copies")
    one.sync()
    assert [standing.n for standing in one.operations()] == [5, 6, 7, 8]
    one.patch(kept["household"], phone="10200000001")
    settled(ground, one)
    assert one.operations()[-1].n == 9
    put_back(ground, made)
    one.patch(kept["persons"][0], name="王贰")
    settled(ground, one)
    assert one.read(kept["household"]).fields["phone"] == "10200000001" and names_of(one) == {"王一", "王贰"}


def test_s25_a_range_that_nobody_has_any_more_is_written_down(ground, tmp_path):
    """S25: only an older backup than promised is left. What came later goes in; the gap is a finding, and verify knows it."""
    one = phone_of(ground, tmp_path / "one", 0)
    base = home(one, 0, "王一")
    settled(ground, one)
    oldest = back_up(ground.house, tmp_path / "copies")
    one.patch(base["household"], phone="10200000001")
    settled(ground, one)
    for _ in range(2):
        back_up(ground.house, tmp_path / "copies")
    one.sync()
    assert one.operations() == []
    put_back(ground, oldest)
    one.sync()
    one.patch(base["persons"][0], name="王壹")
    settled(ground, one)
    assert names_of(one) == {"王壹"} and one.operations()[-1].n == 6
    (found,) = ground.rows("SELECT kind, record_id FROM finding WHERE kind = 'missing_range'")
    assert found.record_id == one.install_id
    one.patch(base["persons"][0], name="王一")
    settled(ground, one)


def test_s25_of_two_clones_the_later_asks_again_what_became_of_its_finished_work(ground, tmp_path):
    """S25, S21: the former life applied it, the new one was first offered it by the other copy and set it aside: both phones say so."""
    one = phone_of(ground, tmp_path / "one", 0)
    other = phone_of(ground, tmp_path / "other", 0)
    made = home(one, 0, "某人")
    one.sync()
    other.sync()
    archive = back_up(ground.house, tmp_path / "copies")
    (mine,) = one.patch(made["household"], dwelling=None)
    one.close()
    shutil.copy(tmp_path / "one", tmp_path / "copy")
    one, copy = (Phone(tmp_path / name, InProcess(ground), lambda: datetime.now(UTC), uuid7, load_registry()) for name in ("one", "copy"))
    for phone in (one, copy):
        phone.sync()
        assert [(said.first, said.outcome) for said in [phone.status(mine)] if said] == [("applied", "applied")]
    put_back(ground, archive)
    other.patch(made["household"], dwelling=home(other, 0)["dwelling"])
    other.sync()
    for phone in (one, copy, one):
        phone.sync()
    outcomes = {said.outcome for phone in (one, copy) for said in [phone.status(mine)] if said}
    assert outcomes == {ground.rows("SELECT now FROM operation WHERE op_id = ?", mine)[0][0]} == {"conflict"}
    settled(ground, other, one, copy)
