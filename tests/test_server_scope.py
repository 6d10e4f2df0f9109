"""What a phone may write and what it is told (S18, S22, L10)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from server_kit import (
    FIRST_DAY,
    anchor,
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


class Clock:
    """A clock that a test moves."""

    now = FIRST_DAY

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def ground(prepared_database, tmp_path, clock):
    ground = open_ground(prepared_database(furnish), tmp_path, clock)
    yield ground
    recount(ground)
    ground.close()


@pytest.fixture
def made(ground):
    """A home in the middle cell, known to the worker of that cell."""
    made = home(1, "王五")
    ground.worker(1).write(*made.operations)
    return made


def test_a_phone_never_receives_a_record_outside_its_scope(ground, made):
    """L10: the neighbour's phone holds nothing of the home, the owner's everything."""
    neighbour, owner = ground.worker(0), ground.worker(1)
    assert neighbour.visible == set()
    assert owner.visible == {made.building, made.dwelling, made.household, *made.persons}


def test_writing_outside_the_scope_is_quarantined_and_answers_carry_no_values(ground, made):
    """S18: a neighbour's record is not written; the answer says nothing about it; its owner sees who tried."""
    neighbour = ground.worker(0)
    answer = neighbour.send(
        neighbour.batch(
            [
                [patch(ground, made.persons[0], {"occupation_text": "司机"})],
                [operation("delete", "household", made.household, base=ground.base(made.household))],
                [operation("confirm", "dwelling", made.dwelling, base=ground.base(made.dwelling))],
                [resident(made.household, "外来")],
                [create("building", {"name": "占用", "anchor": anchor(1)}, made.building)],
            ]
        )
    )
    for result in answer["results"]:
        assert (result["now"]["outcome"], result["now"]["reason"]) == ("quarantined", "out_of_scope"), result
        assert result["record"] is None
        assert set(result["errors"][0]) == {"pointer", "code", "message"}
    assert "王五" not in str(answer)
    assert ground.record(made.persons[0]).v == 1 and ground.record(made.household).life == "live"
    assert neighbour.pull()[-1]["rows"] == []


def test_a_create_that_falls_elsewhere_in_the_community_is_accepted_and_routed(ground):
    """S18: a building drawn over the border reaches the neighbour, not its maker; its maker's stream says where it went."""
    maker, neighbour = ground.worker(0), ground.worker(1)
    made = home(1, "张一")
    assert {one for one, _ in maker.outcomes(made.operations)} == {"applied"}
    maker.pull()
    neighbour.pull()
    assert maker.visible == set()
    assert neighbour.visible == {made.building, made.dwelling, made.household, *made.persons}
    # what the own chain made may still be corrected by it
    assert maker.outcomes([patch(ground, made.persons[0], {"occupation_text": "司机"})]) == [("applied", None)]


def test_work_done_before_a_reassignment_arrived_is_accepted_late(ground, made):
    """S18, trap 20: the phone edits offline, loses the cell meanwhile, then pushes: accepted, and the next owner has it."""
    phone = ground.worker(1)
    offline = patch(ground, made.persons[0], {"occupation_text": "教师"})
    ground.unassign(phone.user_id, 1)
    following = ground.worker(1)
    assert phone.outcomes([offline]) == [("applied", None)]
    following.pull()
    assert following.bodies[made.persons[0]]["fields"]["occupation_text"] == "教师"


def test_work_written_before_but_pushed_after_the_phone_learnt_of_it_is_late_up_to_that_number(ground, made):
    """S18: the phone pulls first and then pushes: what it had written until then is late, what it writes later is not."""
    phone = ground.worker(1)
    offline = [patch(ground, made.persons[0], {"occupation_text": "教师"}), patch(ground, made.household, {"pets_count": 2})]
    body_of_after = patch(ground, made.dwelling, {"rooms_count": 3})
    ground.unassign(phone.user_id, 1)
    phone.n = 2  # two operations are in its log, unsent
    pages = phone.pull()
    assert pages[0]["scope"]["dropped"] == [ground.streams[1]] and phone.visible == set()
    assert phone.scope["last_n"] == 2
    phone.n = 0
    outcomes = phone.outcomes([offline[0]], [offline[1]], [body_of_after])
    assert outcomes == [("applied", None), ("applied", None), ("quarantined", "out_of_scope")]


def test_an_assignment_that_ended_by_its_day_ends_the_scope(ground, made, clock):
    """S18: the day after the last day late work is late, new work is out of scope, the stream is dropped."""
    last_day = FIRST_DAY.date().isoformat()
    phone = ground.worker(1, to_on=last_day)
    assert made.household in phone.visible
    late, new = patch(ground, made.persons[0], {"occupation_text": "医生"}), patch(ground, made.household, {"pets_count": 1})
    clock.now = FIRST_DAY + timedelta(days=1)
    assert phone.outcomes([late]) == [("applied", None)]
    phone.pull()
    assert phone.visible == set()
    assert phone.outcomes([new]) == [("quarantined", "out_of_scope")]


def test_an_assignment_of_the_future_opens_nothing_yet(ground, made, clock):
    """S18: a cell that will be mine next week is not mine today, neither to read nor to write, late or not."""
    phone = ground.worker(0)
    ground.assign(phone.user_id, 1, from_on="2026-03-09")
    phone.pull()
    ground.unassign(phone.user_id, 0)
    assert phone.outcomes([patch(ground, made.household, {"pets_count": 1})]) == [("quarantined", "out_of_scope")]
    phone.pull()
    assert made.household not in phone.visible
    clock.now = datetime(2026, 3, 9, 1, tzinfo=UTC)
    phone.pull()
    assert made.household in phone.visible


def test_a_record_that_moved_away_unseen_still_takes_the_edit(ground, made):
    """L5, L10: the office moves the home to another cell while a phone edits offline: the edit is accepted and routed."""
    phone, other = ground.worker(1), ground.worker(0, 1, 2)
    offline = [
        patch(ground, made.persons[0], {"occupation_text": "厨师"}),
        patch(ground, made.household, {"pets_count": 4}),
        patch(ground, made.building, {"floors_count": 6}),
    ]
    other.write(patch(ground, made.building, {"anchor": anchor(2)}))
    receiver = ground.worker(2)
    assert [one for one, _ in phone.outcomes(*[[one] for one in offline])] == ["applied", "applied", "merged"]
    receiver.pull()
    assert receiver.bodies[made.persons[0]]["fields"]["occupation_text"] == "厨师"
    phone.pull()
    assert phone.visible == set() and {reason for _, _, reason in phone.removed} == {"moved"}


def test_a_record_that_was_never_in_scope_is_not_opened_by_a_guess(ground, made):
    """S18: a foreign record cannot be written by claiming a base, an old scope or a high number."""
    stranger = ground.worker(0)
    for scope in ({"version": 0, "last_n": 0}, {"version": 1, "last_n": 10**9}, {"version": 99, "last_n": 10**9}):
        stranger.scope = scope
        guess = patch(ground, made.household, {"pets_count": 3}, base={"v": 1, "tag": ground.record(made.household).tag})
        assert stranger.outcomes([guess])[0][1] in {"out_of_scope", "behind"}, scope
    assert ground.record(made.household).v == 1


def test_a_regranted_cell_starts_from_zero(ground, made):
    """S22: revoked and granted again: dropped, then added and complete."""
    phone = ground.worker(1)
    ground.unassign(phone.user_id, 1)
    phone.pull()
    ground.assign(phone.user_id, 1)
    page = phone.pull()[0]
    assert page["scope"]["added"] == [ground.streams[1]]
    assert made.household in phone.visible


def test_streams_added_and_dropped_in_one_answer(ground, made):
    """S22: one change of assignments is one delta of streams."""
    phone = ground.worker(1)
    ground.unassign(phone.user_id, 1)
    ground.assign(phone.user_id, 2)
    page = phone.pull()[0]
    assert (page["scope"]["added"], page["scope"]["dropped"]) == ([ground.streams[2]], [ground.streams[1]])
    assert page["scope"]["version"] == phone.scope["version"] == 3


def test_a_revoked_scope_still_tells_what_became_of_own_work(ground):
    """S22: without any cell the phone still hears of its held operations in its own stream."""
    phone, other = ground.worker(0), ground.worker(0)
    parent = building(0)
    child = create("dwelling", {"building": parent["id"], "door_number": "1"})
    phone.push([child])
    ground.unassign(phone.user_id, 0)
    other.push([parent])
    phone.pull()
    assert phone.statuses[child["op_id"]]["outcome"] == "applied"
    assert ground.record(child["id"]) is not None
