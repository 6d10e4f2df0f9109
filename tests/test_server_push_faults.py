"""Faults and bad input at the push door (S17): a clear problem that names its place, and nothing else lost."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from front_door import problem
from server_kit import COMMUNITY, anchor, building, create, furnish, home, open_ground, operation, resident
from stream_oracle import recount

from server.house import uuid7
from server.services import prepare as preparing
from server.services import push as pushing
from server.store.errors import Busy, Unavailable


@pytest.fixture
def ground(prepared_database, tmp_path, clock):
    ground = open_ground(prepared_database(furnish), tmp_path, clock)
    yield ground
    recount(ground)
    ground.close()


def kept(ground, phone):
    """What the server kept of an install: (n, outcome now, reason)."""
    statement = "SELECT n, now, now_reason FROM operation WHERE community_id = ? AND install_id = ? ORDER BY n"
    return [tuple(row) for row in ground.rows(statement, COMMUNITY, phone.install_id)]


# ---------------------------------------------------------------- S17: what breaks one group
@pytest.mark.parametrize("place", ["deciding", "reading"])
def test_an_unexpected_error_quarantines_only_its_group(ground, monkeypatch, place):
    """S17: a fault of ours in one group of five: the other four are applied, that one is kept for repair."""
    phone = ground.worker(0)
    bad = building(0, name="坏")
    groups = [[building(0)], [building(0)], [bad], [building(0)], [building(0)]]

    def explode_at(function, member):
        def wrapped(*arguments, **options):
            if bad["id"] in str(arguments[member]):
                raise ZeroDivisionError("坏")
            return function(*arguments, **options)

        return wrapped

    with monkeypatch.context() as patched:
        if place == "deciding":
            from sync import entering as plan

            patched.setattr(plan, "_create", explode_at(plan._create, 1))
        else:
            patched.setattr(preparing, "operation_of", explode_at(preparing.operation_of, 0))
        results = phone.push(*groups)
    assert [one["now"]["outcome"] for one in results] == ["applied"] * 2 + ["quarantined"] + ["applied"] * 2
    assert results[2]["now"]["reason"] == "unexpected"
    assert len(ground.rows("SELECT 1 FROM journal_payload")) >= 1
    assert [one["now"]["outcome"] for one in phone.push([building(0)])] == ["applied"]


def test_what_goes_group_by_group_still_releases_what_waited(ground, monkeypatch):
    """S17, S14: parents created while another group broke release their children at once."""
    phone, other = ground.worker(0), ground.worker(0)
    parent, bad = building(0), building(0)
    child = create("dwelling", {"building": parent["id"], "door_number": "1"})
    assert other.outcomes([child]) == [("held", "parent")]
    from sync import entering as plan

    real = plan._create

    def explode(prepared, op, *rest):
        if op.id == bad["id"]:
            raise ZeroDivisionError
        return real(prepared, op, *rest)

    with monkeypatch.context() as patched:
        patched.setattr(plan, "_create", explode)
        phone.push([parent], [bad], [building(0)])
    assert ground.record(child["id"]) is not None


# ---------------------------------------------------------------- bad envelopes over HTTP
BAD = {
    "/protocol": lambda body: body | {"protocol": 2},
    "/install_id": lambda body: body | {"install_id": str(uuid.uuid4())},
    "/after": lambda body: body | {"after": None},
    "/after/op_id": lambda body: body | {"after": {"n": 1, "op_id": 5}},
    "/groups": lambda body: body | {"groups": {}},
    "/groups/0/ops": lambda body: body | {"groups": [{"ops": []}]},
    "/groups/0/ops/0": lambda body: body | {"groups": [{"ops": [{"n": "1", "op": "{}"}]}]},
    "/scope": lambda body: body | {"scope": {"version": "1"}},
}


@pytest.mark.parametrize("pointer", BAD)
def test_a_malformed_batch_names_its_place_and_consumes_nothing(ground, pointer):
    """Bad input: the envelope is refused as a whole, with a pointer; the phone's work stays with the phone."""
    phone = ground.worker(0)
    answer = phone.post("push", BAD[pointer](phone.batch([[building(0)]])))
    assert problem(answer) == (422, "invalid-input")
    assert answer.json["errors"][0]["pointer"] == pointer
    assert kept(ground, phone) == []


def test_numbers_beyond_counting_are_refused_not_broken(ground):
    """Bad input: a number that no database holds is an envelope problem, not an accident."""
    phone = ground.worker(0)
    for change in ({"after": {"n": 2**63, "op_id": uuid7()}}, {"scope": {"version": 2**64 - 1, "last_n": -1}}):
        answer = phone.post("push", phone.batch([[building(0)]]) | change)
        assert problem(answer) == (422, "invalid-input"), change
    body = phone.batch([[building(0)]], after=(2**63 - 1, uuid7()))
    assert problem(phone.post("push", body)) == (422, "invalid-input")
    rough = phone.batch([[building(0)], [building(0)]])
    rough["groups"][1]["ops"][0]["n"] = 9
    assert problem(phone.post("push", rough)) == (422, "invalid-input")


def test_a_missing_or_wrong_datum_is_told_with_its_place(ground):
    """Bad input: a location without a known datum is quarantined; nothing guesses."""
    phone = ground.worker(0)
    for datum in (None, "mars", 5):
        place = anchor(0) | {"datum": datum} if datum is not None else {k: v for k, v in anchor(0).items() if k != "datum"}
        result = phone.push([create("building", {"name": "x", "anchor": place})])[0]
        assert result["now"]["outcome"] == "quarantined"
        assert result["errors"][0]["pointer"].startswith("/set/anchor"), result


def test_a_revoked_phone_is_told_so_and_nothing_is_consumed(ground):
    """Bad input: after revocation push and pull answer install-revoked."""
    from server.services.enrolment import revoke_install

    phone = ground.worker(0)
    revoke_install(ground.house, ground.secretary, phone.install_id, reason="lost")
    assert problem(phone.post("push", phone.batch([[building(0)]]))) == (403, "install-revoked")
    assert problem(phone.post("pull", {"protocol": 1, "install_id": phone.install_id, "cursor": None})) == (403, "install-revoked")
    assert kept(ground, phone) == []


def test_a_database_that_fails_is_not_the_phones_fault(ground, monkeypatch):
    """S17: a failing database answers 503 and consumes nothing: no operation is quarantined for it."""
    phone = ground.worker(0)

    def fail(*_arguments, **_options):
        raise Unavailable("OperationalError")

    with monkeypatch.context() as patched:
        patched.setattr(pushing, "decide_and_write", fail)
        answer = phone.post("push", phone.batch([[building(0)]]))
    assert problem(answer) == (503, "database-unreachable")
    assert kept(ground, phone) == []


@pytest.mark.parametrize("trouble", [Busy(2), Unavailable("OperationalError")], ids=["busy", "failed"])
def test_a_database_that_fails_in_the_middle_of_a_batch_spoils_nothing_before_it(ground, monkeypatch, trouble):
    """S14, S17: the first part is committed: it is answered, with where to go on, and what waited for it is released; going on meets the 503."""
    phone, other = ground.worker(0), ground.worker(0)
    parent, later = building(0), building(0)
    child = create("dwelling", {"building": parent["id"], "door_number": "1"})
    assert other.outcomes([child]) == [("held", "parent")]
    real = pushing.decide_and_write

    def fail(connection, house, submission, groups, attempt):
        if groups[0][0].op_id == later["op_id"]:
            raise trouble
        return real(connection, house, submission, groups, attempt)

    with monkeypatch.context() as patched:
        patched.setattr(pushing, "SLICE", 1)
        patched.setattr(pushing, "decide_and_write", fail)
        said = phone.send(phone.batch([[parent], [later], [building(0)]]))
        assert [one["n"] for one in said["results"]] == [1] and said["applied"]["n"] == 1 and said["continue_from"] == 2
        assert ground.record(child["id"]) is not None
        answer = phone.post("push", phone.batch([[later]], after=(1, parent["op_id"])))
        assert answer.status_code == 503 and answer.headers["Retry-After"]
    assert kept(ground, phone) == [(1, "applied", None)]


def test_a_trouble_after_the_commit_does_not_spoil_the_answer(ground, monkeypatch):
    """S14: what is committed is answered, even if releasing what waited fails; the sweeper comes back to it."""
    from server.services import release

    phone, other = ground.worker(0), ground.worker(0)
    parent = building(0)
    child = create("dwelling", {"building": parent["id"], "door_number": "1"})
    other.push([child])

    def fail(*_arguments, **_options):
        raise RuntimeError("broken")

    with monkeypatch.context() as patched:
        patched.setattr(release, "_release_group", fail)
        assert phone.outcomes([parent]) == [("applied", None)]
    assert release.sweep(ground.house) == 1
    assert ground.record(child["id"]) is not None


def test_a_resident_of_a_person_who_is_new_in_the_same_batch(ground):
    """Trap 14: creations and patches of one batch build on each other in order."""
    phone = ground.worker(0)
    made = home(0, "张一")
    baby = resident(made.household, "张小")
    head = operation("patch", "household", made.household, {"head": made.persons[0]})
    assert [one for one, _ in phone.outcomes(made.operations, [baby], [head])] == ["applied"] * 6
    assert ground.fields(made.household)["head"] == made.persons[0]


def test_many_records_that_exist_already_are_created_again(ground):
    """S15: after a restore a phone creates again what is there, somewhere else; one batch takes them all."""
    phone = ground.worker(0, 1)
    made = [building(0) for _ in range(6)]
    phone.write(*made)
    again = [replace_op(one, anchor(1)) for one in made]
    assert {one for one, _ in phone.outcomes(*[[one] for one in again])} == {"applied"}
    assert {ground.record(one["id"]).home for one in made} == {ground.streams[1]}


def replace_op(one, place):
    return one | {"op_id": uuid7(), "set": one["set"] | {"anchor": place}}


def test_settings_are_told(ground):
    """The limits that a phone must know come before it sends anything."""
    phone = ground.worker(0)
    answer = ground.app.test_client().get("/api/v1/sync/config", headers={"Authorization": f"Bearer {phone.token}"})
    assert answer.json["limits"]["max_ops"] == 2000


def test_a_batch_that_takes_too_long_is_answered_in_parts(ground, monkeypatch):
    """S17: past the time budget the prefix stands and `continue_from` names the next n; going on from there loses nothing."""
    monkeypatch.setattr(pushing, "SLICE", 1)
    monkeypatch.setattr(pushing, "BUDGET", timedelta(seconds=-1))
    phone = ground.worker(0)
    made = [building(0), building(0), building(0)]
    said = phone.send(phone.batch([[one] for one in made]))
    assert [one["n"] for one in said["results"]] == [1] and said["continue_from"] == 2
    assert said["applied"]["n"] == 1
