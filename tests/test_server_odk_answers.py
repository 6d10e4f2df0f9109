"""Filled forms become operations: only what was touched, against the version that was seen (docs/odk.md)."""

from __future__ import annotations

import io
import json
import uuid
from concurrent.futures import ThreadPoolExecutor

import orjson
import pytest
from front_door import Person
from odk_kit import collect, filled, new, opened
from PIL import Image
from server_kit import COMMUNITY, PASSWORD, home, patch
from survey_kit import NAME, dogs, go_live, path

from forms.odk_form import collect_forms
from server.services.community_forms import at_home


@pytest.fixture
def place(ground):
    """A home with one person in the first cell, and the phone of its worker."""
    made = home(0, "张一")
    worker = ground.worker(0)
    worker.push(made.operations)
    return made, worker


def written(ground, phone_or_device):
    """(kind, set) of the operations that came through ODK, in order, as the journal has them."""
    rows = ground.rows(
        "SELECT o.kind, o.record_type, o.now FROM operation o JOIN install i ON i.community_id = o.community_id "
        "AND i.install_id = o.install_id WHERE i.kind = 'odk_phone' AND i.user_id = ? ORDER BY o.install_id, o.n",
        phone_or_device.user_id,
    )
    return [tuple(row) for row in rows]


def conflicts(ground):
    return [tuple(row) for row in ground.rows("SELECT record_id, unit FROM conflict WHERE state = 'open'")]


# ---------------------------------------------------------------- making records
def test_a_household_with_its_members_is_one_group(ground, place):
    """One form, one group, one journal entry with the source odk: the household, then its people, placed like any others."""
    made, _ = place
    phone = collect(ground, 0)
    family = new("household", {"dwelling": made.dwelling, "kind": "family", "phone": "19900000000", "tags": "独居；犬"})
    people = [
        new("person", {"name": name, "residence_household": family["id"], "document_missing_reason": "not_asked",
                       "birth_date": "1950-01-02", "phones": "19900000001；19900000002"})
        for name in ("王一", "王二")
    ]  # fmt: skip
    assert phone.send(filled("household_survey", family, *people)) == "已收到"
    assert written(ground, phone) == [("create", "household", "applied"), ("create", "person", "applied"), ("create", "person", "applied")]
    assert ground.fields(family["id"]) == {
        "dwelling": made.dwelling, "kind": "family", "phone": "19900000000", "tags": ["犬", "独居"],
    } or sorted(ground.fields(family["id"])["tags"]) == ["犬", "独居"]  # fmt: skip
    assert {ground.record(one["id"]).home for one in (family, *people)} == {ground.streams[0]}
    assert sorted(ground.fields(people[0]["id"])["phones"]) == ["19900000001", "19900000002"]
    assert [tuple(row) for row in ground.rows("SELECT source, count(*) FROM journal WHERE source = 'odk' GROUP BY source")] == [("odk", 1)]
    claimed = ground.rows("SELECT claimed_at FROM operation WHERE record_id = ?", family["id"])[0][0]
    assert claimed.startswith("2026-03-02T")


def test_what_a_value_cannot_be_is_kept_and_waits_for_the_secretary(ground, place):
    """S17: a number that is none does not sink the form at the door; the whole group is quarantined, and the worker is told."""
    made, _ = place
    phone = collect(ground, 0)
    family = new("household", {"dwelling": made.dwelling, "pets_count": "many"})
    person = new("person", {"name": "王一", "residence_household": family["id"]})
    assert "待社区核对" in phone.send(filled("household_survey", family, person))
    assert ground.record(family["id"]) is None and ground.record(person["id"]) is None
    assert {row[2] for row in written(ground, phone)} == {"quarantined"}


# ---------------------------------------------------------------- the same form at once
def test_two_requests_with_the_same_form_at_once_write_it_once(ground, place):
    """Collect sends again while the first is still being answered: one record, both answers 201."""
    made, _ = place
    phone = collect(ground, 0)
    phone.send(filled("visit", new("visit", {"household": made.household, "outcome": "met"})))
    count = ground.count()
    forms = [filled("visit", new("visit", {"household": made.household, "outcome": "met"})) for _ in range(3)]
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(phone.post, [one for one in forms for _ in range(3)]))
    assert {one.status_code for one in answers} == {201}
    assert ground.count() == count + 3


# ---------------------------------------------------------------- updating records
def test_a_form_that_was_opened_and_closed_again_writes_nothing(ground, place):
    """Every question is sent, none was touched: no operation, no version, no conflict."""
    made, _ = place
    phone = collect(ground, 0)
    before = ground.base(made.persons[0])
    assert phone.send(filled("person", opened("person", phone.fetch("person")[made.persons[0]], {}))) == "已收到"
    assert written(ground, phone) == [] and ground.base(made.persons[0]) == before
    assert ground.rows("SELECT count(*) FROM odk_submission")[0][0] == 1


def test_an_old_copy_on_the_phone_overwrites_nothing_that_was_not_touched(ground, place):
    """The phone shows the old occupation and telephone; only the employer is typed: what others wrote meanwhile stands, undisputed."""
    made, worker = place
    person = made.persons[0]
    phone = collect(ground, 0)
    row = phone.fetch("person")[person]
    worker.write(patch(ground, person, {"occupation_text": "木工", "phones": {"add": ["19900000009"]}}))
    assert phone.send(filled("person", opened("person", row, {"employer_text": "某厂"}))) == "已收到"
    fields = ground.fields(person)
    assert (fields["occupation_text"], fields["employer_text"], fields["phones"]) == ("木工", "某厂", ["19900000009"])
    assert conflicts(ground) == [] and written(ground, phone) == [("patch", "person", "merged")]


def test_two_workers_who_change_the_same_fact_are_in_conflict_and_both_values_are_kept(ground, place):
    """S2: both typed another birth date; the first stands, the second is listed and its worker told; other answers go in."""
    made, _ = place
    person = made.persons[0]
    one, two = collect(ground, 0), collect(ground, 0)
    rows = one.fetch("person")[person], two.fetch("person")[person]
    one.send(filled("person", opened("person", rows[0], {"birth_date": "1950-01-01"})))
    said = two.send(filled("person", opened("person", rows[1], {"birth_date": "1951-01-01", "employer_text": "某厂"})))
    assert said == "已收到，1 处与他人填写的不一样，已交社区核对"
    assert conflicts(ground) == [(person, "birth")]
    assert ground.fields(person)["birth_date"] == "1950-01-01" and ground.fields(person)["employer_text"] == "某厂"


def test_two_workers_who_change_different_facts_do_not_meet(ground, place):
    """S1: concurrent forms about one household that touch different questions both go in."""
    made, _ = place
    one, two = collect(ground, 0), collect(ground, 0)
    rows = [phone.fetch("household")[made.household] for phone in (one, two)]
    one.send(filled("household_survey", opened("household", rows[0], {"pets_count": "2", "tags": "甲"})))
    two.send(filled("household_survey", opened("household", rows[1], {"phone": "19900000000", "tags": "乙"})))
    fields = ground.fields(made.household)
    assert (fields["pets_count"], fields["phone"], sorted(fields["tags"])) == (2, "19900000000", ["乙", "甲"])
    assert conflicts(ground) == []


def test_two_phones_with_one_address_are_two_people(ground, place):
    """The same QR code scanned twice: the phones do not hide each other's conflicts, as one install's chain would."""
    made, _ = place
    phone = collect(ground, 0)
    row = phone.fetch("person")[made.persons[0]]
    phone.send(filled("person", opened("person", row, {"birth_date": "1950-01-01"})))
    phone.device_id = "collect:two"
    phone.send(filled("person", opened("person", row, {"birth_date": "1951-01-01"})))
    assert conflicts(ground) == [(made.persons[0], "birth")]


def test_a_draft_is_judged_by_the_version_that_filled_it(ground, place):
    """Collect computes baseVersion anew when a draft is opened again; what the worker saw is what dishu_seen took along."""
    made, worker = place
    person = made.persons[0]
    phone = collect(ground, 0)
    draft = phone.fetch("person")[person]
    worker.write(patch(ground, person, {"occupation_text": "木工"}))
    row = draft | {"__version": phone.fetch("person")[person]["__version"]}
    phone.send(filled("person", opened("person", row, {"employer_text": "某厂"})))
    assert ground.fields(person)["occupation_text"] == "木工" and conflicts(ground) == []


def test_a_form_that_only_tells_baseversion_is_compared_with_that_version(ground, place):
    """Without dishu_seen the baseVersion of ODK names the snapshot; empty answers then empty nothing."""
    made, worker = place
    person = made.persons[0]
    worker.write(patch(ground, person, {"occupation_text": "木工"}))
    phone = collect(ground, 0)
    row = phone.fetch("person")[person]
    worker.write(patch(ground, person, {"occupation_text": "瓦工", "keyholder_text": "邻居"}))
    phone.send(filled("person", opened("person", row | {"dishu_seen": ""}, {"employer_text": "某厂", "sex": ""})))
    fields = ground.fields(person)
    assert (fields["occupation_text"], fields["keyholder_text"], fields["employer_text"]) == ("瓦工", "邻居", "某厂")
    assert conflicts(ground) == []


def test_a_version_that_this_database_never_had_is_no_permission_to_overwrite(ground, place):
    """After a restore a phone may name a version of another life: what differs is a conflict, never a silent change."""
    made, worker = place
    person = made.persons[0]
    worker.write(patch(ground, person, {"birth_date": "1950-01-01"}))
    phone = collect(ground, 0)
    row = phone.fetch("person")[person] | {"dishu_seen": "1-0123456789abcdef"}
    phone.send(filled("person", opened("person", row, {"birth_date": "1952-01-01"})))
    assert ground.fields(person)["birth_date"] == "1950-01-01" and conflicts(ground) == [(person, "birth")]


def test_an_answer_that_was_emptied_empties_the_field_but_a_choice_from_a_list_does_not(ground, place):
    """A telephone that was crossed out goes; a household that the phone's list lacks stays what it was."""
    made, worker = place
    person = made.persons[0]
    worker.write(patch(ground, person, {"employer_text": "某厂"}))
    phone = collect(ground, 0)
    row = phone.fetch("person")[person]
    phone.send(filled("person", opened("person", row, {"employer_text": "", "residence_household": ""})))
    fields = ground.fields(person)
    assert fields.get("employer_text") is None and fields["residence_household"] == made.household


def test_a_question_that_was_not_asked_changes_nothing(ground, place):
    """A question that is not relevant is not in the form: the field stays."""
    made, worker = place
    person = made.persons[0]
    worker.write(patch(ground, person, {"employer_text": "某厂"}))
    phone = collect(ground, 0)
    sent = opened("person", phone.fetch("person")[person], {"occupation_text": "木工"})
    del sent["answers"]["employer_text"]
    phone.send(filled("person", sent))
    assert ground.fields(person)["employer_text"] == "某厂" and ground.fields(person)["occupation_text"] == "木工"


def test_values_that_a_phone_writes_in_its_own_way_were_not_touched(ground):
    """5 and 5.0, another order of codes, another spelling of a place: the same values are no operation."""
    worker, phone = ground.worker(0), collect(ground, 0)
    made = home(0, "张一")
    worker.push(made.operations)
    worker.write(patch(ground, made.building, {"height_m": 12.5, "floors_count": 6}))
    row = phone.fetch("building")[made.building]
    lat, lon, *_ = row["anchor"].split()
    answers = {"height_m": "12.50", "floors_count": " 6 ", "anchor": f"{float(lat)} {float(lon)} 3.0 4.5"}
    phone.send(filled("building", opened("building", row, answers)))
    assert written(ground, phone) == []
    phone.send(filled("building", opened("building", row, {"anchor": f"{float(lat) + 0.001:.7f} {lon} 0 4.5"})))
    anchor = ground.fields(made.building)["anchor"]
    assert anchor["method"] == "gps" and anchor["confidence"] == 0.68 and round(anchor["lat"], 4) == round(float(lat) + 0.001, 4)


def test_what_was_seen_unchanged_is_confirmed(ground, place):
    """The tick at the end confirms the facts that were shown and not touched, from the claimed time on (S9)."""
    made, worker = place
    person = made.persons[0]
    worker.write(patch(ground, person, {"employer_text": "某厂"}))
    phone = collect(ground, 0)
    row = phone.fetch("person")[person]
    phone.send(filled("person", opened("person", row, {"occupation_text": "木工"}, confirmed=True)))
    assert written(ground, phone) == [("patch", "person", "applied"), ("confirm", "person", "applied")]
    confirmed = json.loads(ground.record(person).confirmed)
    assert "employer_text" in confirmed and "name" in confirmed


# ---------------------------------------------------------------- chains without a network
def test_a_chain_of_forms_without_a_network_is_one_persons_work(ground, place):
    """Opened twice before anything was sent: the second form sees the first, no conflict with himself, both changes stand."""
    made, worker = place
    person = made.persons[0]
    phone = collect(ground, 0)
    row = phone.fetch("person")[person]
    branch = str(uuid.uuid4())
    first = filled("person", opened("person", row, {"birth_date": "1950-01-01"}, branchId=branch, trunkVersion="1"))
    local = row | {"birth_date": "1950-01-01", "__version": "2"}
    second = filled("person", opened("person", local, {"employer_text": "某厂"}, branchId=branch, trunkVersion="1"))
    worker.write(patch(ground, person, {"occupation_text": "木工"}))
    phone.send(first)
    phone.send(second)
    fields = ground.fields(person)
    assert (fields["birth_date"], fields["employer_text"], fields["occupation_text"]) == ("1950-01-01", "某厂", "木工")
    assert conflicts(ground) == [] and [row[0] for row in written(ground, phone)] == ["patch", "patch"]


def test_an_earlier_form_of_a_chain_that_arrives_late_takes_nothing_back(ground, place):
    """The later form carried the earlier one's answers along: whatever the order, the worker's last word stands."""
    made, _ = place
    person = made.persons[0]
    phone = collect(ground, 0)
    row = phone.fetch("person")[person]
    branch = str(uuid.uuid4())
    first = filled("person", opened("person", row, {"birth_date": "1950-01-01", "keyholder_text": "邻居"}, branchId=branch, trunkVersion="1"))
    local = row | {"birth_date": "1950-01-01", "keyholder_text": "邻居", "__version": "2"}
    second = filled("person", opened("person", local, {"birth_date": "1950-01-02"}, branchId=branch, trunkVersion="1"))
    phone.send(second)
    assert phone.send(first) == "已收到"
    fields = ground.fields(person)
    assert (fields["birth_date"], fields["keyholder_text"]) == ("1950-01-02", "邻居")
    assert conflicts(ground) == []


def test_an_update_that_overtakes_its_creation_brings_the_record_along(ground, place):
    """Made and changed without a network, sent in the wrong order: the later form has all answers, the earlier one takes nothing back."""
    made, _ = place
    phone = collect(ground, 0)
    person = new("person", {"name": "王一", "residence_household": made.household, "employer_text": "某店"})
    local = {"name": person["id"], "label": "王一", "__version": "1", "dishu_seen": "", "name_": "王一", "residence_household": made.household}
    update = filled("person", opened("person", local, {"employer_text": "某厂"}, branchId=str(uuid.uuid4())))
    assert phone.send(update) == phone.send(filled("person", person)) == "已收到"
    assert ground.fields(person["id"])["employer_text"] == "某厂" and conflicts(ground) == []


# ---------------------------------------------------------------- photos
def picture(colour="red"):
    target = io.BytesIO()
    Image.new("RGB", (8, 8), colour).save(target, "JPEG")
    return target.getvalue()


def test_photos_come_in_parts_with_chinese_names_and_belong_to_their_record(ground, place):
    """Split upload: the same form each time, *isIncomplete* on all but the last; files that the form does not name are passed over."""
    made, _ = place
    phone = collect(ground, 0)
    visit = new("visit", {"household": made.household, "outcome": "met", "photos_1": "门前照片 一.jpg", "photos_2": "2.jpg"})
    xml = filled("visit", visit)
    assert phone.post(xml, {"门前照片 一.jpg": picture(), "other.jpg": b"?"}, **{"*isIncomplete*": "yes"}).status_code == 201
    assert len(ground.fields(visit["id"])["photos"]) == 1
    assert phone.post(xml, {"2.jpg": picture("blue")}).status_code == 201
    assert phone.post(xml, {"2.jpg": picture("blue"), "门前照片 一.jpg": picture()}).status_code == 201
    photos = ground.fields(visit["id"])["photos"]
    assert len(photos) == 2 and ground.rows("SELECT count(*) FROM blob")[0][0] == 2
    assert [row[0] for row in written(ground, phone)] == ["create", "patch", "patch"]
    worker = ground.worker(0)
    seen = ground.app.test_client().get(f"/api/v1/blobs/{photos[0]}", headers={"Authorization": f"Bearer {worker.token}"})
    assert seen.status_code == 200


def test_a_photo_that_cannot_be_opened_is_refused_and_the_form_is_kept(ground, place):
    """The worker sees it while the phone still has the file; the answers are in the house already."""
    made, _ = place
    phone = collect(ground, 0)
    visit = new("visit", {"household": made.household, "outcome": "met", "photos_1": "1.jpg"})
    xml = filled("visit", visit)
    for broken in (b"no picture", picture()[:100]):
        answer = phone.post(xml, {"1.jpg": broken})
        assert answer.status_code == 400
    assert ground.record(visit["id"]) is not None
    assert phone.post(xml, {"1.jpg": picture()}).status_code == 201
    assert len(ground.fields(visit["id"])["photos"]) == 1


# ---------------------------------------------------------------- scope
def test_a_form_about_a_neighbours_household_is_not_written_through(ground):
    """S18: an id from elsewhere in a filled form opens nothing: what it says waits for the secretary."""
    other = home(1, "李二")
    ground.worker(1).push(other.operations)
    phone = collect(ground, 0)
    ground.house.clock()
    row = {"name": other.household, "label": "x", "__version": "1", "dishu_seen": f"1-{ground.record(other.household).tag}", "dwelling": other.dwelling, "kind": "family"}
    said = phone.send(filled("household_survey", opened("household", row, {"pets_count": "9"})))
    assert said != "已收到" and "pets_count" not in ground.fields(other.household)
    assert ground.rows("SELECT count(*) FROM odk_submission WHERE community_id = ?", COMMUNITY)[0][0] == 1


# ---------------------------------------------------------------- what a phone says of itself
def test_what_a_phone_says_of_itself_is_cut_at_255_and_still_names_the_same_phone(ground, place):
    """An id or a program's name of hundreds of characters is no reason to refuse: the first 255 are kept, and by them the phone is known
    again, as when a photo follows later."""
    made, _ = place
    phone = collect(ground, 0)
    phone.device_id, phone.user_agent = "collect:" + "中" * 400, "Collect " + "x" * 1000
    for _ in range(2):
        phone.send(filled("visit", new("visit", {"household": made.household, "outcome": "met"})))
    kept = ground.rows("SELECT device_id, user_agent, install_id FROM odk_submission")
    assert len(kept) == 2 and len({row[2] for row in kept}) == 1
    assert {tuple(row)[:2] for row in kept} == {("collect:" + "中" * 247, "Collect " + "x" * 247)}
    phone.device_id = "collect:" + "中" * 247
    phone.send(filled("visit", new("visit", {"household": made.household, "outcome": "met"})))
    assert ground.rows("SELECT count(DISTINCT install_id) FROM odk_submission")[0][0] == 1


# ---------------------------------------------------------------- special surveys
def test_a_special_survey_is_a_form_of_collect_while_it_is_open(ground, place):
    """Published at the office it is on the phone at once, asks for its household, and is answered; closed it is offered no more, and what
    was filled in before is still taken."""
    made, _ = place
    phone, office = collect(ground, 0), Person(ground.app.test_client())
    assert office.sign_in("secretary-1", PASSWORD).status_code == 200
    assert len(phone.xml(f"/formList?formID={NAME}")) == 0
    device = [["start", "start"], ["end", "finished"], ["deviceid", "device"], ["audit", "audit"]]
    go_live(office, COMMUNITY, dogs(device=device))
    assert len(phone.xml(f"/formList?formID={NAME}")) == 1
    xml = phone.get(f"/forms/{NAME}.xml").data.decode()
    assert "household.csv" in xml and "养犬登记" in xml
    form = collect_forms(at_home(ground.house, COMMUNITY).registry)[NAME]
    one = new(NAME, {"household": made.household, "has_dog": "yes", "dogs_count": "2", "sizes": "small large"})
    told = "<start>2026-03-02T09:20:00.000+08:00</start><device>collect:a1</device><finished/><audit>audit.csv</audit>"
    assert phone.send(filled(form, one, extra=told)) == "已收到"
    kept = ground.rows("SELECT metadata FROM odk_submission")[0][0]
    assert orjson.loads(kept) == {"start": "2026-03-02T09:20:00.000+08:00", "device": "collect:a1"}
    assert ground.fields(one["id"])["dogs_count"] == 2 and ground.record(one["id"]).home == ground.streams[0]
    assert one["id"] in phone.fetch(NAME)
    assert office.post(path(COMMUNITY, f"/{NAME}/close"), {}).status_code == 200
    assert len(phone.xml(f"/formList?formID={NAME}")) == 0
    late = filled(form, new(NAME, {"household": made.household, "has_dog": "no"}))
    assert phone.post(late).status_code == 201


def test_a_question_that_a_later_version_dropped_is_still_answered_by_who_had_the_earlier_one(ground, place):
    """L5: filled in without a line before the second version went live, the form brings every answer, also to what is asked no more."""
    made, _ = place
    phone, office = collect(ground, 0), Person(ground.app.test_client())
    assert office.sign_in("secretary-1", PASSWORD).status_code == 200
    go_live(office, COMMUNITY)
    first = collect_forms(at_home(ground.house, COMMUNITY).registry)[NAME]
    one = new(NAME, {"household": made.household, "has_dog": "yes", "dogs_count": "2", "sizes": "small", "words": "第一版才有的题"})
    rows = [["select_one yes", "has_dog", "家里有没有狗", "Any dog?", "yes"], ["integer", "dogs_count", "几只", "How many"]]
    go_live(office, COMMUNITY, dogs(2, rows=rows), 2)
    assert phone.send(filled(first, one)) == "已收到"
    kept = ground.fields(one["id"])
    assert (kept["dogs_count"], kept["sizes"], kept["words"]) == (2, ["small"], "第一版才有的题")
