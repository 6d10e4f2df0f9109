"""Forms change while old phones are in the field (S10): each change, with a reference phone that still has the old forms."""

from __future__ import annotations

import copy
import dataclasses
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from server_kit import COMMUNITY, PASSWORD, anchor, furnish, open_ground
from stream_oracle import recount

from forms.registry import load_registry
from server.house import uuid7
from server.services import accounts, enrolment
from server.services.announce import announce_forms
from server.services.release import sweep
from server.services.verify import verify
from sync.device import InvalidFields
from sync.device.phone import Phone
from sync.device.transport import Answer


def field(name, kind="text", zh="项", **more):
    return {"name": name, "type": kind, "label": {"zh": zh, "en": name}, "privacy": "internal"} | more


KINDS = {
    "name": "kiosk_kind", "label": {"zh": "类型", "en": "Kind"}, "source": "Our own list.",
    "entries": [{"code": "food", "zh": "早点", "en": "Food"}, {"code": "paper", "zh": "报刊", "en": "Papers"}],
}  # fmt: skip
OLD = {
    "name": "kiosk", "version": 1, "label": {"zh": "亭子", "en": "Kiosk"}, "placed_by": ["@anchor"], "parents": [], "subject": None,
    "fields": [field("name", required=True), field("kind", "select_one", codelist="kiosk_kind"), field("address_text"), field("anchor", "location")],
}  # fmt: skip


def forms(definition=OLD, codes=KINDS, *more):
    return load_registry([definition, *more], [codes])


def changed(**values):
    return {**copy.deepcopy(OLD), **values}


class InProcess:
    """Requests of a reference phone, answered by an application in this process."""

    def __init__(self, app):
        self.client = app.test_client()

    def request(self, method, path, *, body=None, token=None):
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        said = self.client.open(path, method=method, json=body, headers=headers)
        return Answer(said.status_code, {name.lower(): value for name, value in said.headers}, json.loads(said.data or b"{}"))


class Field:
    """A community whose server is upgraded, and phones with the forms of their day."""

    def __init__(self, ground, folder: Path):
        self.ground, self.folder = ground, folder
        user = accounts.add_user(ground.house, ground.secretary, login="worker-9", name="网格员", role="grid_worker", password=PASSWORD)
        ground.assign(user.user_id, 0)
        self.user_id = user.user_id
        self.serve(forms())

    def serve(self, registry):
        """The server is started with these forms."""
        self.ground.house = dataclasses.replace(self.ground.house, registry=registry)
        self.ground.app.extensions["dishu"] = self.ground.house
        announce_forms(self.ground.house)

    def phone(self, name, registry):
        phone = Phone(self.folder / f"{name}.sqlite3", InProcess(self.ground.app), lambda: datetime.now(UTC), uuid7, registry)
        phone.enrol(enrolment.create_code(self.ground.house, self.ground.secretary, self.user_id)[0])
        phone.sync()
        return phone


@pytest.fixture
def field_work(prepared_database, tmp_path):
    ground = open_ground(prepared_database(furnish), tmp_path)
    found = Field(ground, tmp_path)
    yield found
    recount(ground)
    assert verify(ground.house).agrees
    ground.close()


def kiosk(phone, **values):
    made = phone.create("kiosk", {"name": "亭", "anchor": anchor(0)} | values)
    pushed, _ = phone.sync()
    assert set(pushed.outcomes) <= {"applied"}, pushed.outcomes
    return made


def test_a_new_optional_field_survives_a_round_trip_through_an_old_phone(field_work):
    """The old phone has never heard of the field: it is shown what it knows, changes that, and takes nothing away."""
    old = field_work.phone("old", forms())
    new_forms = forms(changed(fields=[*OLD["fields"], field("phone_text")]))
    field_work.serve(new_forms)
    new = field_work.phone("new", new_forms)
    made = kiosk(new, phone_text="10200000001", address_text="桥头")
    old.sync()
    assert old.read(made).fields["phone_text"] == "10200000001"
    old.patch(made, address_text="桥尾")
    old.confirm(made)
    old.sync()
    new.sync()
    assert new.read(made).fields | {"anchor": 0} == {"name": "亭", "phone_text": "10200000001", "address_text": "桥尾", "anchor": 0}
    assert field_work.ground.fields(made)["phone_text"] == "10200000001"


def test_a_renamed_label_changes_no_value(field_work):
    """Another word on the screen is no other field: the old phone's edits go in, and phones are told of the new word by a tag."""
    old = field_work.phone("old", forms())
    made = kiosk(old, address_text="桥头")
    before = field_work.ground.app.test_client().get("/api/v1/reference", headers={"Authorization": f"Bearer {old.token}"})
    field_work.serve(forms(changed(fields=[field("name", zh="招牌", required=True), *OLD["fields"][1:]])))
    headers = {"Authorization": f"Bearer {old.token}", "If-None-Match": before.headers["ETag"]}
    after = field_work.ground.app.test_client().get("/api/v1/reference", headers=headers)
    assert after.status_code == 200 and after.json["forms"]["kiosk"]["fields"][0]["label"]["zh"] == "招牌"
    headers["If-None-Match"] = after.headers["ETag"]
    assert field_work.ground.app.test_client().get("/api/v1/reference", headers=headers).status_code == 304, "told once"
    old.patch(made, name="新亭")
    pushed, _ = old.sync()
    assert (list(pushed.outcomes), field_work.ground.fields(made)["name"]) == (["applied"], "新亭")


def test_a_new_code_passes_through_a_phone_that_does_not_know_it(field_work):
    """A code of tomorrow is kept by yesterday's phone, which changes something else of the record."""
    old = field_work.phone("old", forms())
    more = {**KINDS, "entries": [*KINDS["entries"], {"code": "repair", "zh": "修理", "en": "Repairs"}]}
    field_work.serve(forms(codes=more))
    new = field_work.phone("new", forms(codes=more))
    made = kiosk(new, kind="repair")
    old.sync()
    assert old.read(made).fields["kind"] == "repair"
    old.patch(made, name="修车亭")
    old.sync()
    assert {name: field_work.ground.fields(made)[name] for name in ("name", "kind")} == {"name": "修车亭", "kind": "repair"}


def test_a_retired_code_from_an_old_phone_is_accepted_and_looked_at(field_work):
    """The old phone still offers the code: its record goes in, and a finding asks somebody to look."""
    old = field_work.phone("old", forms())
    retired = {**KINDS, "entries": [KINDS["entries"][0], {**KINDS["entries"][1], "retired": True}]}
    field_work.serve(forms(codes=retired))
    made = kiosk(old, kind="paper")
    assert field_work.ground.fields(made)["kind"] == "paper"
    rows = field_work.ground.rows("SELECT kind, name, state FROM finding WHERE record_id = ?", made)
    assert [(row.kind, row.name, row.state) for row in rows] == [("retired_code", "kind", "open")]
    new = field_work.phone("new", forms(codes=retired))
    new.patch(made, kind="food")
    new.sync()
    assert field_work.ground.rows("SELECT state FROM finding WHERE record_id = ?", made)[0].state == "closed"


SPLIT = [OLD["fields"][0], OLD["fields"][1], field("street_text"), field("number_text"), OLD["fields"][3]]


@pytest.mark.parametrize("kept", [True, False], ids=["the old field stays", "the old field is gone from the form"])
def test_a_split_field_loses_neither_half_nor_whole(field_work, kept):
    """Version 2 asks street and number apart: the old phone goes on with the whole, both stand in the record, nobody overwrites."""
    old = field_work.phone("old", forms())
    fields = [*SPLIT, OLD["fields"][2]] if kept else SPLIT
    both = load_registry([OLD, changed(version=2, fields=fields)], [KINDS])
    field_work.serve(both)
    new = field_work.phone("new", both)
    made = kiosk(new, street_text="桥头街", number_text="3")
    old.sync()
    old.patch(made, address_text="桥头街 3 号")
    pushed, _ = old.sync()
    assert list(pushed.outcomes) == ["applied"]
    new.sync()
    new.patch(made, number_text="5")
    new.sync()
    old.sync()
    expected = {"street_text": "桥头街", "number_text": "5", "address_text": "桥头街 3 号"}
    for fields in (field_work.ground.fields(made), old.read(made).fields, new.read(made).fields):
        assert {name: fields[name] for name in expected} == expected
    begun_old = kiosk(old, address_text="只有整段")
    assert field_work.ground.fields(begun_old)["address_text"] == "只有整段"
    rows = field_work.ground.rows("SELECT id, form_version FROM record WHERE community_id = ? AND type = 'kiosk'", COMMUNITY)
    assert {row.id: row.form_version for row in rows}[begun_old] == 1


def test_what_a_new_version_requires_is_not_asked_of_an_old_phone(field_work):
    """Old clients keep syncing: what they begin and what they change goes in by the form of their day, and the new phone is asked for the rest."""
    old = field_work.phone("old", forms())
    both = load_registry([OLD, changed(version=2, fields=[*OLD["fields"], field("phone_text", required=True)])], [KINDS])
    field_work.serve(both)
    new = field_work.phone("new", both)
    begun_old, begun_new = kiosk(old), kiosk(new, phone_text="10200000001")
    old.sync()
    old.patch(begun_new, address_text="桥头")
    old.patch(begun_old, address_text="桥尾")
    pushed, _ = old.sync()
    assert list(pushed.outcomes) == ["applied"] and pushed.outcomes["applied"] == 2
    assert "phone_text" not in field_work.ground.fields(begun_old)
    found = field_work.ground.fields(begun_new)
    assert (found["address_text"], found["phone_text"]) == ("桥头", "10200000001")
    with pytest.raises(InvalidFields):
        new.create("kiosk", {"name": "亭", "anchor": anchor(0)})


def test_a_version_that_the_server_does_not_know_yet_waits_for_it(field_work):
    """A phone may be ahead of the server: its record is held, and goes in when the server has learned the form."""
    both = load_registry([OLD, changed(version=2, fields=SPLIT)], [KINDS])
    ahead = field_work.phone("ahead", both)
    made = ahead.create("kiosk", {"name": "亭", "anchor": anchor(0), "street_text": "桥头街"})
    pushed, _ = ahead.sync()
    assert list(pushed.outcomes) == ["held"]
    field_work.serve(both)
    sweep(field_work.ground.house)
    ahead.sync()
    assert field_work.ground.fields(made)["street_text"] == "桥头街"
