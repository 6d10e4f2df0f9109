"""S30, S14: late work about those who moved never waits for ever, and never stops the work of others."""

from __future__ import annotations

import json

import pytest
from crossing_kit import COMMUNITY, accept, ask, family, furnish_two, there
from server_kit import home, open_ground, patch
from stream_oracle import recount

from server.jobs.worker import Worker
from server.services import forwarding
from server.services.verify import verify


@pytest.fixture
def ground(prepared_database, tmp_path, clock):
    ground = open_ground(prepared_database(furnish_two), tmp_path, clock)
    yield ground
    recount(ground)
    report = verify(ground.house, again=True)
    assert report.agrees, str(report.difference)
    ground.close()


def told(phone, *operations):
    phone.pull()
    return [(phone.statuses[one["op_id"]]["outcome"], phone.statuses[one["op_id"]]["reason"]) for one in operations]


def test_s30_who_stays_cannot_join_a_household_that_has_moved_and_the_office_is_told(ground):
    """S30, S13: the person is here and the household there: the edit waits for the author's office, and the next late edit goes on."""
    phone, away = ground.worker(0), ground.worker(0)
    near, _ = family(phone)
    other = home(0, "李四")
    phone.push(other.operations)
    away.pull()
    _, waiting = ask(ground, phone, near.household)
    accept(ground, waiting)
    joins = patch(ground, other.persons[0], {"residence_household": near.household, "relation_to_head": "01"})
    late = patch(ground, near.persons[0], {"note": "敲门"})
    away.push([joins], [late])
    assert told(away, joins, late) == [("quarantined", "moved"), ("applied", "moved")]
    assert json.loads(there(ground, near.persons[0]).fields)["note"] == "敲门"
    assert ground.fields(other.persons[0])["residence_household"] == other.household


def test_s17_what_breaks_while_it_is_decided_elsewhere_is_kept_for_repair(ground, monkeypatch):
    """S17, S30: one late edit that the program cannot decide is quarantined; the others go on, and the worker's rounds with them."""
    phone, away = ground.worker(0), ground.worker(0)
    near, _ = family(phone)
    away.pull()
    _, waiting = ask(ground, phone, near.household)
    accept(ground, waiting)
    broken, late = patch(ground, near.persons[0], {"note": "甲"}), patch(ground, near.persons[1], {"note": "乙"})
    going = forwarding._going

    def breaks(group, moved):
        if group[0].op_id == broken["op_id"]:
            raise IndexError("list index out of range")
        return going(group, moved)

    monkeypatch.setattr(forwarding, "_going", breaks)
    away.push([broken], [late])
    Worker(ground.house).sweep(now=True)
    assert told(away, broken, late) == [("quarantined", "unexpected"), ("applied", "moved")]
    assert there(ground, near.persons[0], COMMUNITY).life == "moved"
