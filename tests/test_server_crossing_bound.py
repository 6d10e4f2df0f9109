"""S30, S18: who can know that a household has moved away changes nothing of it through the community that it has left."""

from __future__ import annotations

import json

import pytest
from crossing_kit import COMMUNITY, accept, ask, family, rows, secretary_of, there, two_communities
from hypothesis import given
from hypothesis import strategies as st
from server_kit import PASSWORD, create, operation, patch

from server.services import crossing, deciding
from server.services.deciding import Waiting
from server.services.push import accept_user_group, user_operation
from server.store import crossings
from server.store.database import read
from sync.scope import Knowledge


@pytest.fixture
def ground(prepared_database, tmp_path, clock):
    with two_communities(prepared_database, tmp_path, clock) as found:
        yield found


def moved_away(ground):
    """A family that has moved, a phone that asked for it, and one that was away: (home, visit, phone, other phone, bases)."""
    phone, away = ground.worker(0), ground.worker(0)
    near, visit = family(phone)
    away.pull()
    bases = {one: ground.base(one) for one in (near.household, *near.persons, visit)}
    _, waiting = ask(ground, phone, near.household)
    accept(ground, waiting)
    return near, visit, phone, away, bases


def writings(ground, near, bases):
    """Everything that can be written about those who have left: an edit, a deletion, a visit, a newborn, a command."""
    one, two = near.persons
    return [
        patch(ground, one, {"note": "敲门"}, base=bases[one]),
        operation("delete", "person", two, base=bases[two]),
        create("visit", {"household": near.household, "method": "door", "outcome": "met", "attempt_number": 2}),
        create("person", {"name": "张新生", "document_missing_reason": "not_asked", "residence_household": near.household, "relation_to_head": "01"}),
        operation("command", "household", near.household, base=bases[near.household], name="change_head", arguments={"head": None}),
    ]  # fmt: skip


def state_there(ground):
    return [(one.id, one.v, one.tag, one.life) for one in rows(ground, "SELECT id, v, tag, life FROM record WHERE community_id = 'c-other' ORDER BY id")]


def test_s30_a_phone_that_has_read_of_the_move_changes_nothing_there_and_its_own_office_is_told(ground):
    """S30, S18, L5: each of its writings is kept, quarantined with the reason, and shown to the secretary of the old community."""
    near, _, _, away, bases = moved_away(ground)
    before = state_there(ground)
    away.pull()
    written = writings(ground, near, bases)
    assert away.outcomes(*[[one] for one in written]) == [("quarantined", "moved_away")] * len(written)
    assert state_there(ground) == before
    client = ground.app.test_client()
    client.post("/api/v1/session", json={"login": "secretary-1", "password": PASSWORD})
    shown = client.get("/api/v1/inbox/quarantine").json["rows"]
    assert {one["reason"] for one in shown} == {"moved_away"} and len(shown) == len(written)


def test_s30_what_was_written_before_the_move_was_read_is_decided_there_whenever_it_arrives(ground):
    """S18, S30: the phone pulls first and pushes later; only what it wrote after that pull is refused."""
    near, _, _, away, bases = moved_away(ground)
    early, known = (patch(ground, one, {"note": "早"}, base=bases[one]) for one in near.persons)
    away.pull()
    away.departures["last_n"] = away.n + 1  # it had written one when it read of the move
    assert away.outcomes([early], [known]) == [("held", "moved"), ("quarantined", "moved_away")]
    away.pull()
    assert away.statuses[early["op_id"]]["reason"] == "moved"
    assert json.loads(there(ground, near.persons[0]).fields)["note"] == "早"


def test_s30_the_office_that_is_over_the_old_community_changes_nothing_there(ground):
    """S30: at the office one sees what is there: whatever is written after the move is not late, by whichever base."""
    near, _, _, _, bases = moved_away(ground)
    before = state_there(ground)
    for one in writings(ground, near, bases):
        said = accept_user_group(ground.house, ground.secretary, [user_operation(ground.house, one)])[0]
        assert (said["now"]["outcome"], said["now"]["reason"]) == ("quarantined", "moved_away")
    assert state_there(ground) == before


def test_s13_repairing_does_not_carry_it_over_the_boundary_and_those_who_come_back_are_changed_by_it(ground):
    """S13, S30: what is not late waits here: repaired it waits on; it is entered once they live here again, or is discarded."""
    near, _, _, away, bases = moved_away(ground)
    away.pull()
    known, other = (patch(ground, one, {"note": "敲门"}, base=bases[one]) for one in near.persons)
    away.push([known], [other])
    waiting = Waiting(COMMUNITY, away.install_id, away.n - 1)
    said = deciding.repair(ground.house, ground.secretary, waiting, {waiting.n: {"set": {"note": "再敲门"}}})
    assert (said[0]["now"]["outcome"], said[0]["now"]["reason"]) == ("quarantined", "moved_away")
    assert "note" not in json.loads(there(ground, near.persons[0]).fields)
    deciding.discard(ground.house, ground.secretary, Waiting(COMMUNITY, away.install_id, away.n))
    row, actor = there(ground, near.household), secretary_of(ground.house)
    back = {"kind": "command", "type": "household", "id": row.id, "name": "move_household", "base": {"v": row.v, "tag": row.tag}, "arguments": {"community": COMMUNITY}}
    accept_user_group(ground.house, actor, [user_operation(ground.house, back)])
    with read(ground.house.engine) as connection:
        (one,) = crossings.requests(connection, COMMUNITY)
    crossing.accept(ground.house, ground.secretary, Waiting("c-other", one["install_id"], one["n"]), crossing.Place())
    said = deciding.repair(ground.house, ground.secretary, waiting, {})
    assert said[0]["now"]["outcome"] in {"applied", "merged"} and ground.fields(near.persons[0])["note"] == "再敲门"


def test_s30_work_that_waited_for_something_else_is_judged_by_what_its_author_knew_when_it_was_written(ground):
    """S14, S30: held behind another at first, let go later: the late one goes there, the other one waits for the office."""
    near, _, _, away, bases = moved_away(ground)
    first = [patch(ground, one, {"sex": "no such code"}, base=bases[one]) for one in near.persons]
    late, known = (patch(ground, one, {"note": "敲门"}, base=bases[one]) for one in near.persons)
    assert away.outcomes([first[0]], [late]) == [("quarantined", "invalid"), ("held", "behind")]
    away.pull()
    assert away.outcomes([first[1]], [known]) == [("quarantined", "invalid"), ("held", "behind")]
    for n in (1, 3):
        deciding.discard(ground.house, ground.secretary, Waiting(COMMUNITY, away.install_id, n))
    away.pull()
    assert [(away.statuses[one["op_id"]]["outcome"], away.statuses[one["op_id"]]["reason"]) for one in (late, known)] == [
        ("merged", "moved"), ("quarantined", "moved_away"),
    ]  # fmt: skip


def test_s30_what_was_read_in_another_life_of_the_database_counts_for_nothing(ground):
    """S25, S30: numbers of another epoch may name other departures: such work is late. What is unreadable as a whole is 422."""
    near, _, _, away, bases = moved_away(ground)
    away.pull()
    away.departures = {"seen": "another:" + away.departures["seen"].rpartition(":")[2], "last_n": 0}
    assert away.outcomes([patch(ground, near.persons[0], {"note": "敲门"}, base=bases[near.persons[0]])]) == [("held", "moved")]
    for wrong in ("x", {"seen": 7, "last_n": 0}, {"seen": "a:1"}, {"seen": "a:1", "last_n": -1}):
        answer = away.post("push", away.batch([]) | {"departures": wrong})
        assert (answer.status_code, answer.json["errors"][0]["pointer"]) == (422, "/departures")


def test_s30_work_that_a_phone_took_over_from_another_is_late_also_where_it_has_told_what_it_knows(ground):
    """S30, C10: a rescued edit from before the move is decided there; what the taker writes of it afterwards is refused."""
    near, _, _, taker, bases = moved_away(ground)
    taker.pull()
    taker.write(create("building", {"name": "新楼"}))  # by which it has told what it had read
    rescued, known = (patch(ground, one, {"note": "救援"}, base=bases[one]) for one in near.persons)
    taker.departures["last_n"] = taker.n + 1
    assert taker.outcomes([rescued], [known]) == [("held", "moved"), ("quarantined", "moved_away")]
    assert json.loads(there(ground, near.persons[0]).fields)["note"] == "救援"


def test_s30_work_that_was_taken_over_is_late_also_where_the_taker_read_of_another_move_before_it_sent(ground):
    """S30, C10: it had told of the first move, takes work over, reads of a second one, and sends only then; its own work stays what it was."""
    near, _, _, taker, bases = moved_away(ground)
    taker.pull()
    taker.write(create("building", {"name": "新楼"}))  # by which it has told of the first move
    rescued, known = (patch(ground, who, {"note": "救援"}, base=bases[who]) for who in near.persons)
    other = ground.worker(0)
    second, _ = family(other)
    accept(ground, ask(ground, other, second.household)[1])
    taker.pull()  # two are in its log by now: one from a rescue file, one of its own
    taker.departures |= {"last_n": taker.n + 2, "taken": [{"seen": "", "after": taker.n, "last_n": taker.n + 1}]}
    assert taker.outcomes([rescued], [known]) == [("held", "moved"), ("quarantined", "moved_away")]


def test_s30_what_the_first_author_had_read_counts_for_work_that_another_phone_took_over(ground):
    """S30, C10: rescued from a phone that had read of the move and never told: refused like its own; what the taker wrote unknowingly, also later, is late."""
    near, _, first, taker, bases = moved_away(ground)
    first.pull()
    seen = first.departures["seen"]
    one, two = near.persons
    early, known, own = (patch(ground, who, {"note": note}, base=bases[who]) for who, note in ((one, "早"), (two, "知"), (one, "自")))
    taker.departures = {"seen": "", "last_n": 2, "taken": [{"seen": seen, "after": taker.n + 1, "last_n": taker.n + 2}]}
    assert taker.outcomes([early], [known], [own]) == [("held", "moved"), ("quarantined", "moved_away"), ("held", "behind")]
    assert json.loads(there(ground, one).fields)["note"] == "自" and "note" not in json.loads(there(ground, two).fields)
    taker.pull()  # now it has read of it itself: what it took over stays what it was
    taker.departures["last_n"] = taker.n
    after = patch(ground, one, {"note": "后"}, base=bases[one])
    assert taker.outcomes([after]) == [("quarantined", "moved_away")]
    for wrong in ("x", [7], [{"seen": 1, "after": 0, "last_n": 1}], [{"seen": "a:1", "after": 1, "last_n": 1}], [{"seen": "a:1", "after": -1, "last_n": 1}]):
        answer = taker.post("push", taker.batch([]) | {"departures": {"seen": "", "last_n": 0, "taken": wrong}})
        assert (answer.status_code, answer.json["errors"][0]["pointer"]) == (422, "/departures/taken")


def test_s25_a_number_that_the_house_has_not_come_to_says_nothing(ground):
    """S25, S30: a phone that read of moves which an older copy of the database lacks is not taken to know of later ones."""
    near, _, _, away, bases = moved_away(ground)
    away.pull()
    away.departures = {"seen": away.departures["seen"].rpartition(":")[0] + ":999999", "last_n": 0}
    assert away.outcomes([patch(ground, near.persons[0], {"note": "敲门"}, base=bases[near.persons[0]])]) == [("held", "moved")]


@given(st.lists(st.one_of(st.just("leaves"), st.just("writes"), st.just("reads"), st.just("sends")), max_size=30))
def test_s30_late_is_what_was_written_before_the_phone_read_of_the_departure(story):
    """S30: whenever the phone reads and sends, exactly its operations from before the reading are late, as the phone tells it."""
    departures, log, read_of = 0, [], 0  # the log holds what the phone had read of when it wrote
    echo, noted, arrived = (0, 0), [], []
    for act in story:
        if act == "leaves":
            departures += 1
        elif act == "writes":
            log.append(read_of)
        elif act == "reads":
            if departures != read_of:
                echo = (departures, len(log))
            read_of = departures
        else:
            if echo[0] > max((seen for seen, *_ in noted), default=0):
                noted.append((*echo, 0))
            arrived += [(n, knew) for n, knew in enumerate(log, 1) if n > len(arrived)]
            told = Knowledge(tuple(noted))
            for n, knew in arrived:
                for one in range(1, departures + 1):
                    if told.knows(one, n):
                        assert knew >= one, "nobody is refused what they could not know of"
                assert knew == 0 or knew < echo[0] or told.knows(knew, n), "what they knew last is not passed over"
