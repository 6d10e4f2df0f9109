"""S28, lawful erasure: nothing about somebody is left to be read, the journal stays whole, nobody brings them back."""

from __future__ import annotations

import hashlib

import pytest
from click.testing import CliRunner
from erasing_kit import holding
from front_door import problem
from records_kit import ZHANG_NUMBER
from server_kit import (
    CODE,
    COMMUNITY,
    PASSWORD,
    building,
    create,
    furnish,
    home,
    open_ground,
    operation,
    patch,
    resident,
)
from stream_oracle import recount
from test_server_blobs import Uploader, picture

from server.cli import main
from server.jobs.worker import Worker
from server.services.backup import back_up
from server.services.exports import folder as exports_folder
from server.services.restore import restore
from server.services.sheet_import import keep_file
from server.services.unsealing import open_sealed
from server.services.verify import verify
from server.store.database import read, run, write
from server.store.push import pieces

NAME, FORMER, MOBILE, NOTE = "艾思敏独名", "艾旧名独字", "13900007777", "住三楼怕狗的独特备注"
PERSONAL = (NAME, FORMER, MOBILE, ZHANG_NUMBER, NOTE)


@pytest.fixture
def ground(prepared_database, tmp_path, clock):
    ground = open_ground(prepared_database(furnish), tmp_path / "data", clock)
    yield ground
    recount(ground)
    report = verify(ground.house)
    assert report.agrees, str(report.difference)
    ground.close()


class Desk:
    """The secretary at the console."""

    def __init__(self, ground):
        self.client = ground.app.test_client()
        token = self.client.post("/api/v1/session", json={"login": "secretary-1", "password": PASSWORD}).json["csrf_token"]
        self.headers = {"X-CSRF-Token": token}

    def post(self, path, body):
        return self.client.post(path, json=body, headers=self.headers)

    def finds(self, text):
        """How many records the search box shows."""
        answer = self.post(f"/api/v1/communities/{COMMUNITY}/find", {"text": text})
        return sum(one["count"] for one in answer.json["groups"])

    def erase(self, person, **more):
        seen = self.post("/api/v1/erasures/preview", {"id": person})
        assert seen.status_code == 200, seen.data
        body = {"id": person, "reason": "request", "confirm": seen.json["confirm"]} | more
        return seen.json, self.post("/api/v1/erasures", body)


def settle(ground):
    """A worker does what is queued: the database is written anew."""
    Worker(ground.house).run_all()


def readable(ground):
    """(subject, text) of every sealed text of the journal that still opens."""
    with read(ground.house.engine) as connection:
        found = [
            (subject, sealed)
            for parts, whole in ground.rows("SELECT parts, sealed FROM journal_payload")
            for subject, sealed in pieces(parts, bytes(whole))
        ]
        opened = open_sealed(connection, ground.house, COMMUNITY, found)
    return [(subject, str(said)) for (subject, _), said in zip(found, opened, strict=True) if said is not None]


def somebody(ground, phone):
    """A person with everything that a person may have: former values, a dispute, care, photos, held and quarantined work."""
    made = home(0, "邻居")
    phone.write(*made.operations)
    person = resident(made.household, NAME, former_names=[FORMER], phones=[MOBILE], document_type="resident_id",
                      document_number=ZHANG_NUMBER, note=NOTE, sex="2")  # fmt: skip
    del person["set"]["document_missing_reason"]
    care = create("care_status", {"person": person["id"], "kind": "living_alone", "note": f"{NAME}的{NOTE}"})
    phone.write(person, care)
    base = ground.base(person["id"])
    phone.write(patch(ground, person["id"], {"phones": {"add": ["13900008888"]}, "sex": "1"}))
    phone.push([operation("patch", "person", person["id"], {"name": NAME + "二"}, base=base)])
    return made, person, care


def test_s28_not_a_byte_of_the_person_is_left_and_everybody_else_is(ground):
    """Names, phones, numbers, notes, past values, photos, exports, uploaded tables: no file holds them; the journal agrees; phones drop them."""
    phone, other = ground.worker(0), ground.worker(0)
    made, person, care = somebody(ground, phone)
    other.pull()
    assert {person["id"], care["id"]} <= other.visible
    (exports_folder(ground.house) / "left.csv").write_text(f"{NAME}\n", encoding="utf-8")
    keep_file(ground.house, COMMUNITY, iter([f"{NAME},{MOBILE}".encode()]))
    with write(ground.house.engine) as connection:
        statement = (
            "INSERT INTO job (community_id, job_id, kind, state, arguments, requested_by, requested_at, ended_at, result) "
            "VALUES (?, 'j-1', 'export', 'done', '{}', 'u', '2026-03-01T00:00:00.000Z', '2026-03-01T00:00:00.000Z', ?)"
        )
        run(connection, statement, (COMMUNITY, '{"file": "left.csv"}'))
        run(connection, "INSERT INTO handover_system VALUES (?, 's-1', '外系统', 'persons', 'u', '-', ?)", (COMMUNITY, b"-"))
        ref = "INSERT INTO external_ref VALUES (?, 's-1', ?, '外系统里的独特编号', 1, 'm', '-', 'u')"
        run(connection, ref, (COMMUNITY, person["id"]))
        wrapped = [bytes(row[0]) for row in run(connection, "SELECT wrapped FROM data_key WHERE subject_id = ?", (person["id"],))]
    assert holding(ground, *wrapped) and holding(ground, *PERSONAL)
    desk = Desk(ground)
    assert [desk.finds(one) for one in (NAME, MOBILE[-4:], ZHANG_NUMBER, "邻居")] == [1, 1, 1, 1]
    seen, answer = desk.erase(person["id"], reference="依申请〔2026〕3号")
    assert [desk.finds(one) for one in (NAME, MOBILE[-4:], ZHANG_NUMBER, "邻居")] == [0, 0, 0, 1]
    past = desk.client.get(f"/api/v1/communities/{COMMUNITY}/records/{person['id']}")
    assert past.status_code in (200, 404) and not any(one in past.text for one in PERSONAL)
    assert answer.status_code == 200, answer.data
    assert seen["records"] == {"care_status": 1, "person": 1} and seen["named"] == []
    assert answer.json["done"]["records"] == 2 and answer.json["done"]["files"] == 2
    settle(ground)
    assert holding(ground, *PERSONAL, "外系统里的独特编号") == [] and holding(ground, *wrapped) == []
    assert seen["systems"] == ["外系统"]
    row = ground.record(person["id"])
    assert (row.life, row.fields, row.secret, row.lon, row.placement) == ("erased", "{}", None, None, None)
    assert ground.fields(made.persons[0])["name"] == "邻居"
    other.pull()
    assert not {person["id"], care["id"]} & other.visible
    assert {one[2] for one in other.removed if one[1] in (person["id"], care["id"])} == {"erased"}
    told = desk.client.get("/api/v1/erasures").json["erasures"]
    assert [(one["id"], one["reason"], one["reference"], one["records"]) for one in told] == [
        (person["id"], "request", "依申请〔2026〕3号", 2)
    ]
    assert problem(desk.post("/api/v1/erasures/preview", {"id": person["id"]})) == (409, "already-decided")


def test_s28_whoever_writes_about_an_erased_person_is_told_so_and_nothing_is_kept(ground):
    """Late edits, new records about them, a group with others in it, work that waited, and the same creation again under another number."""
    phone, late = ground.worker(0), ground.worker(0)
    _, person, _ = somebody(ground, phone)
    late.pull()
    base = ground.base(person["id"])
    wrong = operation("patch", "person", person["id"], {"sex": "nonsense"}, base=base)
    waits = operation("patch", "person", person["id"], {"note": NOTE}, base=base)
    assert late.outcomes([wrong], [waits]) == [("quarantined", "invalid"), ("held", "behind")]
    _, answer = Desk(ground).erase(person["id"])
    assert answer.json["done"]["waiting"] == 2
    late.pull()
    assert {row["outcome"] for row in late.statuses.values()} == {"erased"}
    edit = operation("patch", "person", person["id"], {"note": NOTE + "新"}, base=base)
    more = create("care_status", {"person": person["id"], "kind": "disabled", "note": NOTE})
    wrong = operation("patch", "person", person["id"], {"sex": "nonsense"}, base=base)
    assert late.outcomes([edit], [more], [wrong]) == [("erased", None)] * 3
    beside = building(0)
    assert late.outcomes([operation("patch", "person", person["id"], {"sex": "1"}, base=base), beside]) == [("erased", None), ("applied", None)]
    assert late.outcomes([dict(person)]) == [("erased", None)]
    again = {**person, "op_id": edit["op_id"][:-4] + "ffff"}
    assert late.outcomes([again]) == [("erased", None)]
    settle(ground)
    assert holding(ground, *PERSONAL) == []
    assert ground.record(beside["id"]).life == "live"


def test_s28_a_restored_backup_forgets_again(ground, tmp_path):
    """The copy was made before the erasure: after the restore it is erased again, and phones cannot bring the person back."""
    phone = ground.worker(0)
    made, person, care = somebody(ground, phone)
    copies = [back_up(ground.house, tmp_path / "copies") for _ in range(2)]
    seen, answer = Desk(ground).erase(person["id"])
    assert len(seen["backups"]) == 2 and answer.json["backups_end"] == max(one["expires_at"] for one in seen["backups"])
    earlier = create("person", {"name": NAME, "document_missing_reason": "not_asked"}, person["id"])
    done = restore(ground.house, copies[0].archive, replace=True)
    assert done.revoked_again == 1
    assert ground.record(person["id"]).life == "erased" and ground.record(care["id"]).life == "erased"
    assert ground.record(made.persons[0]).life == "live"
    phone.pull()
    assert person["id"] not in phone.visible
    phone.n, phone.op_id = ground.rows("SELECT last_n, last_op_id FROM install WHERE install_id = ?", phone.install_id)[0]
    assert phone.outcomes([earlier]) == [("erased", None)]


def test_s28_a_backup_from_before_the_person_was_recorded_does_not_let_them_in_again(ground, tmp_path):
    """The restored database has never heard of the person; what phones offer again about them is answered erased, other work comes back."""
    phone = ground.worker(0)
    empty = back_up(ground.house, tmp_path / "copies")
    made, person, care = somebody(ground, phone)
    Desk(ground).erase(person["id"])
    restore(ground.house, empty.archive, replace=True)
    phone.n, phone.op_id = 0, None
    assert [one[0] for one in phone.outcomes(*[[one] for one in [*made.operations, person, care]])] == ["applied"] * 4 + ["erased"] * 2
    assert ground.record(person["id"]) is None
    copy = {"id": person["id"], "type": "person", "v": 1, "tag": "0" * 16, "home": ground.streams[0],
            "fields": person["set"]}  # fmt: skip
    body = {"protocol": 1, "install_id": phone.install_id, "witnesses": [{"epoch": "an-earlier-life", "record": copy}]}
    said = phone.post("witness", body)
    assert said.status_code == 200 and said.json["erased"] == 1, said.data


def test_s28_merged_ids_go_together(ground):
    """Somebody recorded twice is one person: erasing one id erases both, whichever is named."""
    phone = ground.worker(0)
    made = home(0, "艾一独名", "艾二独名")
    phone.write(*made.operations)
    first, second = made.persons
    merge = operation("command", "person", first, base=ground.base(first)) | {
        "name": "merge_persons", "arguments": {"merged": second},
        "others": {second: {"base": ground.base(second), "was": {}}},
    }  # fmt: skip
    merge["set"] = {}
    phone.write(merge)
    seen, answer = Desk(ground).erase(second)
    assert seen["id"] == first and seen["merged"] == [second] and answer.json["done"]["records"] >= 2
    settle(ground)
    assert holding(ground, "艾一独名", "艾二独名") == []
    undo = operation("command", "person", first) | {"name": "undo", "arguments": {"command": merge["op_id"]}, "set": {}}
    assert phone.outcomes([undo]) == [("erased", None)]


def test_s28_a_record_about_somebody_unknown_goes_once_they_are_known(ground):
    """A party member entered before anybody knew who it is, linked later: their early texts go too."""
    phone = ground.worker(0)
    made = home(0, "某甲独名")
    member = create("party_member", {"name": "某甲独名", "phone": MOBILE})
    phone.write(*made.operations, member)
    phone.write(patch(ground, member["id"], {"person": made.persons[0]}))
    Desk(ground).erase(made.persons[0])
    assert ground.record(member["id"]).life == "erased"
    settle(ground)
    assert holding(ground, "某甲独名", MOBILE) == []
    gone = ground.rows("SELECT subject_id FROM data_key WHERE destroyed_at IS NOT NULL")
    assert {made.persons[0], member["id"]} <= {row[0] for row in gone}


def test_s28_a_backup_from_before_it_was_known_whom_a_record_is_about_forgets_it_too(ground, tmp_path):
    """The restored database does not know that the party member is the erased person: record and texts go all the same."""
    phone = ground.worker(0)
    made = home(0, "某甲独名")
    member = create("party_member", {"name": "某甲独名", "phone": MOBILE})
    phone.write(*made.operations, member)
    copy = back_up(ground.house, tmp_path / "copies")
    phone.write(patch(ground, member["id"], {"person": made.persons[0]}))
    Desk(ground).erase(made.persons[0])
    assert restore(ground.house, copy.archive, replace=True).revoked_again == 1
    assert ground.record(member["id"]).life == "erased"
    assert [subject for subject, _ in readable(ground) if subject == member["id"]] == []
    settle(ground)
    assert holding(ground, "某甲独名", MOBILE) == []


def test_s28_another_content_under_a_used_id_goes_with_whom_it_is_about(ground):
    """L6: what a faulty phone sent a second time under the same number opens for nobody, and is not kept once they are erased."""
    phone = ground.worker(0)
    made = home(0, "某甲", "某乙")
    phone.write(*made.operations)
    after = (phone.n, phone.op_id)
    first = patch(ground, made.persons[0], {"note": "第一"})
    phone.push([first])
    about = {"note": first | {"set": {"note": NOTE}}, "other": first | {"id": made.persons[1], "set": {"note": FORMER}}}
    for again in about.values():
        assert phone.send(phone.batch([[again]], after=after))["results"][0]["now"]["reason"] == "op_id_reused"
    Desk(ground).erase(made.persons[0])
    late = phone.send(phone.batch([[first | {"set": {"note": NOTE + "二"}}]], after=after))
    assert late["results"][0]["now"]["reason"] == "op_id_reused"
    assert [one[0] for one in readable(ground) if FORMER in one[1]] == [made.persons[1]]
    assert not [one for one in readable(ground) if NOTE in one[1]]


def test_s28_photos_go_unless_somebody_else_is_on_them_too(ground):
    """The file, its key and a half-sent upload; a photo that another record shows stays."""
    phone = ground.worker(0)
    uploader = Uploader(ground.app.test_client(), {"Authorization": f"Bearer {phone.token}"})
    own, shared, begun = picture("red"), picture("blue"), picture("green")
    for one in (own, shared):
        uploader.upload(one)
    where = uploader.begin(begun).headers["Location"]
    uploader.send(where, 0, begun[:50])
    names = [hashlib.sha256(one).hexdigest() for one in (own, shared, begun)]
    made = home(0, "某甲")
    resource = create("resource", {"name": "柜", "kind": "supply", "photos": {"add": [names[1]]}, "anchor": building(0)["set"]["anchor"]})
    phone.write(*made.operations, resource)
    phone.write(create("care_status", {"person": made.persons[0], "kind": "disabled", "photos": names}))
    _, answer = Desk(ground).erase(made.persons[0])
    assert answer.json["done"]["photos"] == 2
    assert [uploader.fetch(one).status_code for one in names] == [404, 200, 404]
    kept = {path.stem for path in (ground.house.settings.data_dir / "blobs").rglob("*") if path.is_file()}
    assert kept == {names[1]}
    assert not list((ground.house.settings.data_dir / "uploads").iterdir())


def test_s28_photos_that_were_taken_off_go_too(ground):
    """What a record showed once, or what a refused operation about the person names, is no photo any more; what others show stays."""
    phone = ground.worker(0)
    uploader = Uploader(ground.app.test_client(), {"Authorization": f"Bearer {phone.token}"})
    files = [picture(one) for one in ("red", "blue", "green")]
    for one in files:
        uploader.upload(one)
    once, shared, refused = (hashlib.sha256(one).hexdigest() for one in files)
    made = home(0, "某甲")
    resource = create("resource", {"name": "柜", "kind": "supply", "photos": {"add": [shared]}, "anchor": building(0)["set"]["anchor"]})
    phone.write(*made.operations, resource)
    care = create("care_status", {"person": made.persons[0], "kind": "disabled", "photos": [once, shared]})
    phone.write(care)
    phone.write(patch(ground, care["id"], {"photos": []}))
    wrong = patch(ground, care["id"], {"kind": 7, "photos": {"add": [refused]}})
    assert phone.outcomes([wrong])[0][0] == "quarantined"
    seen, answer = Desk(ground).erase(made.persons[0])
    assert (seen["photos"], answer.json["done"]["photos"]) == (3, 2)
    assert [uploader.fetch(one).status_code for one in (once, shared, refused)] == [404, 200, 404]


def test_s28_two_steps_by_the_right_people_about_the_right_thing(ground):
    """Without the preview nothing goes; a change in between asks again; what names the person elsewhere is told; a building is nobody."""
    phone = ground.worker(0)
    made = home(0, "苏某独名")
    phone.write(*made.operations)
    desk, person = Desk(ground), made.persons[0]
    phone.write(patch(ground, made.household, {"note": "苏某独名的母亲常来", "head": person}))
    assert problem(desk.post("/api/v1/erasures/preview", {"id": made.household})) == (422, "invalid-input")
    assert problem(desk.post("/api/v1/erasures/preview", {"id": building(0)["id"]})) == (404, "not-found")
    assert problem(desk.post("/api/v1/erasures", {"id": person, "reason": "request", "confirm": "x"})) == (422, "invalid-input")
    seen = desk.post("/api/v1/erasures/preview", {"id": person}).json
    assert {(one["id"], one["field"], one["how"]) for one in seen["named"]} == {
        (made.household, "note", "names"), (made.household, "head", "refers"),
    }  # fmt: skip
    assert problem(desk.post("/api/v1/erasures", {"id": person, "reason": "because", "confirm": seen["confirm"]})) == (422, "invalid-input")
    named = desk.post("/api/v1/erasures", {"id": person, "reason": "request", "reference": "苏某独名的申请", "confirm": seen["confirm"]})
    assert named.json["errors"][0]["code"] == "names_the_person"
    phone.write(patch(ground, person, {"sex": "1"}))
    late = desk.post("/api/v1/erasures", {"id": person, "reason": "request", "confirm": seen["confirm"]})
    assert late.json["errors"][0]["code"] == "outdated"
    ground.house.clock.advance(minutes=1)
    seen, done = desk.erase(person)
    assert done.status_code == 200
    worker = ground.app.test_client()
    assert worker.post("/api/v1/erasures/preview", json={"id": person}).status_code == 401


def test_dishu_erase_at_the_terminal(ground, monkeypatch):
    """`dishu erase` shows, asks, erases and writes the database anew; without a yes nothing happens."""
    phone = ground.worker(0)
    made = home(0, "钱某独名")
    phone.write(*made.operations)
    settings = ground.house.settings
    monkeypatch.setenv("DISHU_DATA", str(settings.data_dir))
    monkeypatch.setenv("DISHU_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("DISHU_KEY", settings.key.hex())
    order = ["erase", made.persons[0], "--community", CODE, "--reason", "court"]
    refused = CliRunner().invoke(main, order, input="n\n")
    assert refused.exit_code == 1 and ground.record(made.persons[0]).life == "live"
    done = CliRunner().invoke(main, [*order, "--yes"])
    assert done.exit_code == 0, done.output
    assert "written anew" in done.output and "钱某" not in done.output
    assert holding(ground, "钱某独名") == []
    assert ground.rows("SELECT state FROM job WHERE kind = 'scrub'") == [("done",)]
