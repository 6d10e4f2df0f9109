"""OpenRosa for ODK Collect: what Collect insists on, address by address (docs/odk.md)."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
import zlib

import pytest
from odk_kit import address, collect, filled, new, opened
from server_kit import COMMUNITY, PASSWORD, furnish, home, open_ground, operation, patch

from forms.odk_answers import entities_of, read_submission
from forms.odk_form import collect_forms
from forms.registry import load_registry
from server.access_log import redacted
from server.errors import NotFound
from server.services import enrolment, odk_access
from server.services.odk_forms import ready_forms, stamped

LIST = "{http://openrosa.org/xforms/xformsList}"
MANIFEST = "{http://openrosa.org/xforms/xformsManifest}"


# Envelopes are the same on both databases; what is written is tested on both (test_server_odk_answers.py).
pytestmark = pytest.mark.parametrize("prepared_database", ["sqlite"], indirect=True)


@pytest.fixture
def ground(prepared_database, tmp_path, clock):
    ground = open_ground(prepared_database(furnish), tmp_path, clock)
    yield ground
    ground.close()


def settled(ground, number, *names):
    """A home in a cell, written by a phone of that cell."""
    made = home(number, *names)
    phone = ground.worker(number)
    results = phone.push(made.operations)
    assert {one["now"]["outcome"] for one in results} == {"applied"}
    return made, phone


def message(answer):
    """What the worker reads."""
    assert "text/xml" in answer.content_type, answer.content_type
    assert answer.headers["X-OpenRosa-Version"] == "1.0"
    return ET.fromstring(answer.data)[0].text


# ---------------------------------------------------------------- forms and lists
def test_the_list_of_forms_is_one_that_collect_reads(ground):
    """Namespace, version header, text/xml; every form has id, name, address, and the MD5 of exactly what is downloaded."""
    phone = collect(ground, 0)
    answer = phone.get("/formList?deviceID=collect:one")
    assert answer.headers["X-OpenRosa-Version"] == "1.0" and "text/xml" in answer.content_type
    root = ET.fromstring(answer.data)
    assert root.tag == LIST + "xforms" and len(root) >= 10
    for form in root:
        told = {child.tag.removeprefix(LIST): child.text for child in form}
        assert all(told[name] for name in ("formID", "name", "version", "hash", "downloadUrl", "manifestUrl"))
        path = told["downloadUrl"].removeprefix("http://localhost" + phone.base)
        assert told["hash"] == "md5:" + hashlib.md5(phone.get(path).data).hexdigest()


def test_the_list_can_be_asked_for_one_form(ground):
    """formID filters; an unknown one gives an empty list, not an error."""
    phone = collect(ground, 0)
    assert [form.findtext(LIST + "formID") for form in phone.xml("/formList?formID=visit")] == ["visit"]
    assert len(phone.xml("/formList?formID=nothing")) == 0
    assert phone.get("/forms/nothing.xml").status_code == 404


def test_a_form_and_its_version_are_never_given_out_with_other_bytes(ground):
    """The version that the list tells is in the form itself and says its bytes: other bytes, even of the same questions, are another
    version. Every process of the server makes the same bytes of them."""
    phone = collect(ground, 0)
    for form in phone.xml("/formList"):
        told = {child.tag.removeprefix(LIST): child.text for child in form}
        xml = phone.get(f"/forms/{told['formID']}.xml").data
        assert xml.count(f'version="{told["version"]}"'.encode()) == 1
    made = ready_forms(ground.house.registry)["visit"]
    asked = collect_forms(ground.house.registry)["visit"]
    written = made.xml.replace(made.form.version.encode(), asked.version.encode())
    other = stamped(asked, written.replace(b"<h:head>", b"<h:head><!-- another maker -->"))
    assert stamped(asked, written).md5 == made.md5
    assert other.form.version != made.form.version and other.form.version.encode() in other.xml
    script = "from forms.registry import load_registry as r; from server.services.odk_forms import ready_forms as f; "
    script += "print([(k, one.form.version, one.md5) for k, one in f(r()).items()])"
    elsewhere = subprocess.run(
        [sys.executable, "-c", script], env=os.environ | {"PYTHONHASHSEED": "77"}, capture_output=True, text=True, check=True
    )
    here = [(key, one.form.version, one.md5) for key, one in ready_forms(load_registry()).items()]
    assert elsewhere.stdout.strip() == str(here)


def test_a_form_asks_for_no_newer_way_of_entities_than_it_needs(ground):
    """A Collect that does not know a version of the entities specification refuses the form: those about one record say 2024.1.0 (updates
    without a network), only the one with several records in a repeat 2025.1.0."""
    told = {
        form_id: re.findall(rb'entities-version="([^"]+)"', one.xml) for form_id, one in ready_forms(ground.house.registry).items()
    }
    assert told.pop("household_survey") == [b"2025.1.0"]
    assert set(map(tuple, told.values())) == {(b"2024.1.0",)}


def test_a_manifest_names_entity_lists_with_hash_address_and_integrity(ground):
    """Every item has a base name, an md5 hash and two addresses that answer."""
    phone = collect(ground, 0)
    root = phone.xml("/forms/household_survey/manifest")
    assert root.tag == MANIFEST + "manifest"
    assert [item.findtext(MANIFEST + "filename") for item in root] == ["dwelling.csv", "household.csv", "person.csv"]
    for item in root:
        assert item.attrib == {"type": "entityList"}
        assert item.findtext(MANIFEST + "hash").startswith("md5:") and "/" not in item.findtext(MANIFEST + "filename")
        for name in ("downloadUrl", "integrityUrl"):
            assert phone.get(item.findtext(MANIFEST + name).removeprefix("http://localhost" + phone.base)).status_code == 200


def test_a_list_holds_the_workers_cells_only_and_says_which_version_it_shows(ground):
    """L10: the neighbour's household is not on this phone; every row has its id, a label and its version, and no secret."""
    mine, _ = settled(ground, 0, "张一")
    settled(ground, 1, "李二")
    phone = collect(ground, 0)
    rows = phone.fetch("person")
    assert list(rows) == mine.persons
    row = rows[mine.persons[0]]
    assert row["__version"] == "1" and row["label"] == "张一 · 某幢-101" and row["name_"] == "张一"
    assert row["dishu_seen"] == f"1-{ground.record(mine.persons[0]).tag}"
    assert "document_number" not in row
    assert list(phone.fetch("household")) == [mine.household]
    looks = ground.rows("SELECT record_type, count FROM audit WHERE action = 'read' AND actor_id = ?", phone.user_id)
    assert ("person", 1) in [tuple(one) for one in looks]


def hash_of(phone):
    return phone.xml("/forms/household_survey/manifest")[1].findtext(MANIFEST + "hash")


def test_the_hash_of_a_list_changes_when_something_is_made_and_deleted_in_between(ground):
    """A list that reads as before has another hash when a record came and went, or Collect would keep its own copy."""
    phone = collect(ground, 0)
    before, told = hash_of(phone), phone.fetch("household")
    made, worker = settled(ground, 0, "张一")
    between = hash_of(phone)
    worker.write(operation("delete", "household", made.household, base=ground.base(made.household)))
    assert phone.fetch("household") == told == {}
    assert len({before, between, hash_of(phone)}) == 3
    assert hash_of(phone) == hash_of(phone)


def test_integrity_tells_what_is_gone_and_keeps_what_is_still_on_its_way(ground):
    """Deleted records and those of other cells are gone; unknown ids are not, they may come with the next form."""
    made, worker = settled(ground, 0, "张一", "张二")
    other, _ = settled(ground, 1, "李二")
    worker.write(operation("delete", "person", made.persons[0], base=ground.base(made.persons[0])))
    phone = collect(ground, 0)
    unknown = "24b47424-ccf8-4f4b-b4cd-34ff5c71eddd"
    asked = [*made.persons, other.persons[0], unknown]
    root = phone.xml(f"/lists/person/integrity?id={','.join(asked)}")
    assert [one.tag for one in root] == ["entities"]
    assert {one.get("id"): one.findtext("deleted") for one in root[0]} == {
        made.persons[0]: "true", made.persons[1]: "false", other.persons[0]: "true", unknown: "false",
    }  # fmt: skip


# ---------------------------------------------------------------- addresses
def test_the_qr_code_holds_settings_as_collect_reads_them(ground):
    """zlib and Base64 of a JSON with general, admin and project; the address in it answers."""
    phone = collect(ground, 0)
    install = odk_access.app_users(ground.house, ground.secretary)[0]
    code = odk_access.settings_code(ground.house, install, "http://localhost/")
    told = json.loads(zlib.decompress(base64.b64decode(code)))
    assert set(told) == {"general", "admin", "project"} and told["project"]["name"] == "示例社区"
    assert told["general"]["server_url"] == "http://localhost" + phone.base
    assert told["general"]["form_update_mode"] == "match_exactly" and told["general"]["app_language"] == "zh"
    assert phone.get("/formList").status_code == 200


def test_a_revoked_address_is_closed_and_says_so_in_words(ground):
    """403 in XML with a sentence for the worker; never 401, for which Collect would ask for a password."""
    phone = collect(ground, 0)
    enrolment.revoke_install(ground.house, ground.secretary, phone.install_id, reason="lost")
    for answer in (phone.get("/formList"), phone.post(filled("visit", new("visit", {})))):
        assert answer.status_code == 403 and "停用" in message(answer)


def test_an_address_that_this_house_did_not_make_is_refused(ground):
    """A made-up token is 403, whatever it looks like."""
    for token in ("nonsense", "dishu-odk.x.y", "dishu-odk.W10.AAAA"):
        answer = ground.app.test_client().get(f"/v1/key/{token}/projects/{COMMUNITY}/formList")
        assert answer.status_code == 403 and message(answer)


def test_an_address_opens_no_other_door(ground):
    """A device token is no address, and an address no device token; another project is not found."""
    phone, worker = collect(ground, 0), ground.worker(0)
    client = ground.app.test_client()
    assert client.get(f"/v1/key/{worker.token}/projects/{COMMUNITY}/formList").status_code == 403
    assert client.get("/api/v1/sync/config", headers={"Authorization": f"Bearer {phone.token}"}).status_code == 401
    assert client.get(f"/v1/key/{phone.token}/projects/another/formList").status_code == 404
    assert client.get(f"/v1/key/{phone.token}/projects/999999003001/formList").status_code == 200


def test_a_token_in_a_path_is_not_logged(ground):
    """What the access log may hold of such a path has no token in it."""
    phone = collect(ground, 0)
    line = redacted(f"{phone.base}/submission?deviceID=x")
    assert phone.token not in line and line == f"/v1/key/~/projects/{COMMUNITY}/submission"


def test_addresses_are_given_by_those_who_manage_devices(ground):
    """Only for people who work with a phone; an unknown user is not found."""
    with pytest.raises(NotFound):
        odk_access.create(ground.house, ground.secretary, "nobody")
    assert address(ground, ground.secretary.user_id).get("/formList").status_code == 200


# ---------------------------------------------------------------- submission: the envelope
def test_head_before_a_submission_is_204_with_the_limit(ground):
    """204, the version, the length that is taken; the address is not moved."""
    phone = collect(ground, 0)
    answer = ground.app.test_client().head(f"{phone.base}/submission?deviceID=collect:one")
    assert answer.status_code == 204 and answer.headers["X-OpenRosa-Version"] == "1.0"
    assert int(answer.headers["X-OpenRosa-Accept-Content-Length"]) == ground.house.settings.max_body_bytes
    assert "Location" not in answer.headers


def test_a_taken_form_is_201_with_a_message(ground):
    """Collect takes 200 for a hotel's page: 201, an OpenRosaResponse, a message in Chinese."""
    made, _ = settled(ground, 0, "张一")
    phone = collect(ground, 0)
    answer = phone.post(filled("visit", new("visit", {"household": made.household, "outcome": "met"})))
    assert answer.status_code == 201 and message(answer) == "已收到"
    assert ET.fromstring(answer.data).tag == "{http://openrosa.org/http/response}OpenRosaResponse"


GOOD = filled("visit", new("visit", {"outcome": "met"}))


BAD = [
    (b"", 400),
    (b"\xff\xfe\x00", 400),
    (b"<data", 400),
    (b"not xml at all", 400),
    (b'<?xml version="1.0"?><!DOCTYPE d [<!ENTITY a "x">]><d id="visit">&a;</d>', 400),
    ('<?xml version="1.0" encoding="utf-16"?><!DOCTYPE d [<!ENTITY a "x">]><d>&a;</d>'.encode("utf-16"), 400),
    (b'<?xml version="1.0" encoding="nonsense"?><d/>', 400),
    (b"<a>" * 200 + b"</a>" * 200, 400),
    (b"<d>" + b"<a/>" * 30_000 + b"</d>", 400),
    (b'<data id="visit"/>', 400),
    (b"<data/>", 400),
    (GOOD.replace('id="visit"', 'id="nothing"').encode(), 404),
    (GOOD.replace('version="1.', 'version="77.').encode(), 400),
    (GOOD.replace('version="1.', 'version="x').encode(), 400),
    (GOOD.replace("<entity", "<nothing").replace("</entity", "</nothing").encode(), 400),
    (GOOD.replace("<orx:instanceID>", "<orx:deprecatedID>uuid:a</orx:deprecatedID><orx:instanceID>").encode(), 409),
]


def test_what_is_no_filled_form_is_refused_in_words_and_nothing_is_written(ground):
    """Broken, hostile and foreign XML: a status of ours, an OpenRosaResponse with a sentence, never 500."""
    phone = collect(ground, 0)
    before = ground.rows("SELECT count(*) FROM operation")[0][0]
    for xml, status in BAD:
        answer = phone.post(xml)
        assert answer.status_code == status, (xml[:80], answer.data.decode())
        assert message(answer)
    assert ground.rows("SELECT count(*) FROM operation")[0][0] == before


def test_other_envelopes_are_refused(ground):
    """No multipart, another OpenRosa version, no form in it."""
    phone, client = collect(ground, 0), ground.app.test_client()
    where = f"{phone.base}/submission"
    assert client.post(where, data=GOOD, content_type="text/xml").status_code == 415
    assert client.post(where, data={"a": "b"}, content_type="multipart/form-data").status_code == 400
    assert client.post(where, data=b"--x", content_type="multipart/form-data").status_code == 400
    answer = client.get(f"{phone.base}/formList", headers={"X-OpenRosa-Version": "2.0"})
    assert answer.status_code == 400 and message(answer)


def test_a_submission_beyond_the_limit_is_413(prepared_database, tmp_path, clock):
    """The limit that HEAD tells is the one that holds."""
    ground = open_ground(prepared_database(furnish), tmp_path, clock, max_body_bytes=100_000)
    phone = collect(ground, 0)
    answer = phone.post(GOOD, {"1.jpg": b"x" * 200_000})
    assert answer.status_code == 413 and message(answer)
    ground.close()


def test_an_id_with_a_prefix_is_the_id_without_it(ground):
    """Some releases of Collect wrote uuid: before the id of a record; it is the same record."""
    one = new("visit", {"outcome": "met"})
    plain, prefixed = (filled("visit", one | {"id": told}) for told in (one["id"], f"uuid:{one['id'].upper()}"))
    found = [entities_of(collect_forms(load_registry())["visit"], read_submission(xml.encode()))[0].record_id for xml in (plain, prefixed)]
    assert found == [one["id"]] * 2


# ---------------------------------------------------------------- the same form again
def test_a_form_sent_again_changes_nothing_and_another_content_is_refused(ground):
    """L6 with the form's own id: once, whatever the network does; the same id with other answers is 409."""
    made, _ = settled(ground, 0, "张一")
    phone = collect(ground, 0)
    xml = filled("visit", new("visit", {"household": made.household, "outcome": "met"}))
    phone.send(xml)
    count = ground.count()
    assert [phone.send(xml) for _ in range(3)] == ["这张表已经收到过"] * 3
    phone.device_id = "collect:another"
    phone.send(xml)
    assert ground.count() == count
    answer = phone.post(xml.replace(">met<", ">refused<"))
    assert answer.status_code == 409 and "编号" in message(answer)
    assert ground.rows("SELECT count(*) FROM odk_submission")[0][0] == 1


def test_an_edit_of_a_form_that_was_sent_is_refused(ground):
    """deprecatedID: records are updated by opening them, not by editing what was sent; the first form stands."""
    made, _ = settled(ground, 0, "张一")
    phone = collect(ground, 0)
    row = phone.fetch("household")[made.household]
    xml = filled("household_survey", opened("household", row, {"pets_count": "1"}), instance="uuid:a")
    phone.send(xml)
    again = xml.replace("<orx:instanceID>uuid:a", "<orx:deprecatedID>uuid:a</orx:deprecatedID><orx:instanceID>uuid:b")
    answer = phone.post(again.replace(">1<", ">2<"))
    assert answer.status_code == 409 and "不能修改" in message(answer)
    assert ground.fields(made.household)["pets_count"] == 1


def test_the_address_of_a_closed_account_is_closed(ground):
    """Whoever has left sends nothing more; patch() of somebody else still works."""
    from server.services import accounts

    made, worker = settled(ground, 0, "张一")
    phone = collect(ground, 0)
    accounts.close_user(ground.house, ground.secretary, accounts.find_user(ground.house, ground.secretary, phone.user_id))
    assert phone.get("/formList").status_code == 403
    worker.write(patch(ground, made.household, {"pets_count": 1}))


def test_the_secretary_makes_an_address_and_takes_it_back_like_a_device(ground):
    """Over HTTP: the code opens the list of forms; the address is on the list of devices, and revoking it closes it."""
    client = ground.app.test_client()
    session = client.post("/api/v1/session", json={"login": "secretary-1", "password": PASSWORD}).get_json()
    worker = ground.worker(0)
    headers = {"X-CSRF-Token": session["csrf_token"]}
    made = client.post("/api/v1/odk-addresses", json={"user_id": worker.user_id, "label": "旧手机"}, headers=headers)
    assert made.status_code == 201
    told = json.loads(zlib.decompress(base64.b64decode(made.get_json()["settings_code"])))
    path = told["general"]["server_url"].removeprefix("http://localhost")
    assert client.get(f"{path}/formList").status_code == 200
    install_id = made.get_json()["install_id"]
    devices = {one["install_id"]: one for one in client.get("/api/v1/devices").get_json()["devices"]}
    assert devices[install_id]["kind"] == "odk" and devices[install_id]["label"] == "ODK 旧手机"
    assert client.post(f"/api/v1/devices/{install_id}/revoke", json={"reason": "retired"}, headers=headers).status_code == 200
    assert client.get(f"{path}/formList").status_code == 403
