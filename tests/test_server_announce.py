"""What phones fetch whole has its versions in the reference stream: cells and forms."""

from __future__ import annotations

import dataclasses
import json
from importlib.resources import files
from typing import Any

import pytest
from server_kit import COMMUNITY, building, cells, furnish, furnish_empty, open_ground
from stream_oracle import recount

from forms.registry import load_registry
from server.services.announce import announce_forms
from server.services.editions import publish_edition


@pytest.fixture
def ground(prepared_database, tmp_path):
    ground = open_ground(prepared_database(furnish), tmp_path)
    yield ground
    recount(ground)
    ground.close()


def told(pages):
    return {
        row["record"]["fields"]["name"]: row["record"]["v"]
        for page in pages
        for row in page["rows"]
        if row["stream"] == "~reference" and row["kind"] == "PUT"
    }


def test_a_phone_hears_that_cells_and_forms_have_a_version(ground):
    """The first pull brings the versions; nothing changed, nothing comes again."""
    phone = ground.worker(0)
    phone.pull()
    held = [record for record in phone.bodies.values() if record["type"] == "reference"]
    assert {record["fields"]["name"]: record["v"] for record in held} == {"edition": 1, "forms": 1}
    assert told(phone.pull()) == {}


def test_a_new_edition_is_told_and_writes_only_what_moves(ground):
    """S29: a phone learns of the new cells; records that stay where they were are not sent again."""
    phone = ground.worker(0)
    phone.pull()
    publish_edition(ground.house, ground.secretary, COMMUNITY, cells(3, first=11))
    pages = phone.pull()
    assert told(pages) == {"edition": 2}


def test_a_newer_program_starts_upon_a_database_in_use(ground):
    """New forms are told although the community has records, and a key of its own, since long (S10, S28)."""
    phone = ground.worker(0)
    phone.write(building(0))
    newer = load_registry([_one_field_more("building")])
    upgraded = dataclasses.replace(ground.house, registry=newer)
    assert announce_forms(upgraded) == 1 and announce_forms(upgraded) == 0
    assert told(phone.pull())["forms"] == 2


def test_the_first_cells_are_published_although_records_wait_for_them(prepared_database, tmp_path):
    """S28, S29: a community that began without cells has its key already when the first edition comes."""
    ground = open_ground(prepared_database(furnish_empty), tmp_path)
    phone = ground.enrol(ground.secretary.user_id)
    waiting = building(0)
    phone.write(waiting)
    publish_edition(ground.house, ground.secretary, COMMUNITY, cells(3))
    assert ground.record(waiting["id"]).home.startswith("cell/")
    recount(ground)
    ground.close()


def _one_field_more(name: str) -> dict[str, Any]:
    document = json.loads((files("forms") / "definitions" / f"{name}.json").read_text(encoding="utf-8"))
    field = {"name": "later_text", "type": "text", "label": {"zh": "新字段", "en": "Later"}, "privacy": "internal", "max_length": 100}
    return document | {"version": document["version"] + 1, "fields": [*document["fields"], field]}


def test_new_forms_are_told_once(ground):
    """After an upgrade of the server every community hears of its forms once, whatever was restarted."""
    phone = ground.worker(0)
    phone.pull()
    assert announce_forms(ground.house) == 0
    extra = {
        "name": "noise_survey", "version": 1, "label": {"zh": "噪声调查", "en": "Noise survey"}, "note": "", "server_made": False,
        "subject": None, "placed_by": [], "parents": [], "units": [], "constraints": [], "views": [],
        "fields": [{"name": "level", "type": "integer", "label": {"zh": "级别", "en": "Level"}, "privacy": "public"}],
    }  # fmt: skip
    phone.write(building(0))  # the community is at work when its server is upgraded
    upgraded = dataclasses.replace(ground.house, registry=load_registry([extra]))
    assert announce_forms(upgraded) == 1
    assert announce_forms(upgraded) == 0
    assert told(phone.pull()) == {"forms": 2}
