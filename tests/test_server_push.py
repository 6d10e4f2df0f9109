"""Pushing (S11–S13, S17): every operation is answered, retried answers are the same, nothing sinks a batch."""

from __future__ import annotations

import json

import pytest
from server_kit import COMMUNITY, anchor, building, create, furnish, home, open_ground, operation, patch
from stream_oracle import recount

from server.house import uuid7


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


# ---------------------------------------------------------------- S12: duplicates, gaps, forks
def test_a_push_whose_answer_was_lost_is_answered_again_and_changes_nothing(ground):
    """S12, trap 8: the same batch sent three times gives the same answers; the records stay as after the first."""
    phone = ground.worker(0)
    made = home(0, "张一")
    body = phone.batch([made.operations, [patch_text(made.household, {"kind": "nonsense"})]])
    first = phone.send(body)
    before = [ground.record(one).v for one in (made.building, made.household, *made.persons)]
    again, third = phone.send(body), phone.send(body)
    assert again == third == first
    assert [ground.record(one).v for one in (made.building, made.household, *made.persons)] == before
    assert ground.rows("SELECT count(*) FROM journal WHERE command = 'push'")[0][0] == 1


def patch_text(record_id, values, **more):
    return operation("patch", "household", record_id, values, **more)


def test_a_retry_that_goes_on_consumes_only_what_is_new(ground):
    """S12: a batch that begins with what is known answers that again and consumes the rest."""
    phone = ground.worker(0)
    one, two, three = building(0), building(0), building(0)
    phone.push([one])
    said = phone.send(phone.batch([[one], [two], [three]], after=(0, None)))
    assert [r["n"] for r in said["results"]] == [1, 2, 3]
    assert said["applied"] == {"n": 3, "op_id": three["op_id"]}
    assert len(kept(ground, phone)) == 3


def test_a_gap_consumes_nothing_and_says_what_is_expected(ground):
    """S12: numbers that do not follow are not taken; the answer names the last consumed number and operation."""
    phone = ground.worker(0)
    one = building(0)
    phone.push([one])
    for after in [(1, uuid7()), (5, uuid7()), (7, None), (0, uuid7())]:
        said = phone.send(phone.batch([[building(0)]], after=after))
        assert said["expected"] == {"n": 1, "op_id": one["op_id"]} and said["results"] == [], after
    body = phone.batch([[building(0)]])
    body["groups"][0]["ops"][0]["n"] = 4
    assert phone.send(body)["expected"] == {"n": 1, "op_id": one["op_id"]}
    assert len(kept(ground, phone)) == 1


def test_an_empty_push_also_says_what_is_expected(ground):
    """S12: a phone may ask with an empty batch whether its log still follows."""
    phone = ground.worker(0)
    one = building(0)
    phone.push([one])
    assert phone.send(phone.batch([], after=(3, uuid7())))["expected"] == {"n": 1, "op_id": one["op_id"]}
    assert "expected" not in phone.send(phone.batch([], after=(1, one["op_id"])))


def test_another_operation_at_a_consumed_number_stops_the_batch(ground):
    """S12, trap 18: a restored or cloned phone sends another operation at a number that is taken: nothing is consumed."""
    phone = ground.worker(0)
    one, two = building(0), building(0)
    phone.push([one], [two])
    said = phone.send(phone.batch([[one], [building(0)], [building(0)]], after=(0, None)))
    assert said["expected"] == {"n": 2, "op_id": two["op_id"]}
    assert len(kept(ground, phone)) == 2


def test_same_operation_id_with_other_content_is_kept_flagged_and_not_applied(ground):
    """L6, trap 9: at the same number the second content is kept beside, the device flagged, and a retry adds nothing."""
    phone = ground.worker(0)
    one = building(0, name="甲")
    phone.push([one])
    body = phone.batch([[one | {"set": one["set"] | {"name": "乙"}}]], after=(0, None))
    answers = [phone.send(body) for _ in range(3)]
    assert answers[0] == answers[1] == answers[2]
    result = answers[0]["results"][0]
    assert result["first"]["outcome"] == "applied"
    assert (result["now"]["outcome"], result["now"]["reason"]) == ("quarantined", "op_id_reused")
    assert ground.fields(one["id"])["name"] == "甲"
    assert ground.rows("SELECT flag FROM install WHERE install_id = ?", phone.install_id)[0].flag == "op_id_reused"
    assert ground.rows("SELECT count(*) FROM journal WHERE command = 'reused'")[0][0] == 1
    phone.send(phone.batch([[one | {"set": one["set"] | {"name": "丙"}}]], after=(0, None)))
    assert ground.rows("SELECT count(*) FROM journal WHERE command = 'reused'")[0][0] == 2


def test_same_operation_id_with_other_content_under_a_new_number_flags_the_device_too(ground):
    """L6: the second content is quarantined as an operation of its own; the device is flagged."""
    phone = ground.worker(0)
    one = building(0, name="甲")
    phone.push([one])
    result = phone.push([one | {"set": one["set"] | {"name": "乙"}}])[0]
    assert (result["first"]["outcome"], result["first"]["reason"]) == ("quarantined", "op_id_reused")
    assert ground.fields(one["id"])["name"] == "甲"
    assert ground.rows("SELECT flag FROM install WHERE install_id = ?", phone.install_id)[0].flag == "op_id_reused"
    assert ground.rows("SELECT count(*) FROM finding WHERE kind = 'op_id_reused' AND state = 'open'")[0][0] == 1


def test_an_operation_that_came_under_another_number_is_one_operation(ground):
    """S11: S21, L6: a forked phone sends the same bytes from a new install: answered as they were, with the version that they made, applied once."""
    phone = ground.worker(0)
    stock = create("resource", {"name": "饮用水", "kind": "supply", "quantity": 5, "anchor": anchor(0)})
    phone.write(stock)
    more = patch(ground, stock["id"], {"quantity": {"delta": 3}})
    phone.write(more)
    fork = ground.enrol(phone.user_id)
    batch = fork.batch([[stock], [more]])
    for _ in range(2):  # as it is consumed, and as it is stored
        results = fork.send(batch)["results"]
        assert [one["now"]["outcome"] for one in results] == ["applied", "applied"]
        assert [(one["record"]["id"], one["record"]["v"]) for one in results] == [(stock["id"], 1), (stock["id"], 2)]
    assert results[1]["record"]["tag"] == ground.record(stock["id"]).tag
    assert ground.fields(stock["id"])["quantity"] == 8
    assert ground.record(stock["id"]).v == 2


# ---------------------------------------------------------------- S12, S13: what is wrong with one operation
def unreadable(one):
    """Ways in which an operation can be spoilt."""
    return {
        "not JSON": json.dumps(one)[:-7],
        "no object": "[1, 2]",
        "nothing": "",
        "no id": json.dumps(one | {"id": "x"}),
        "unknown kind": json.dumps(one | {"kind": "explode"}),
        "a bad operation id": json.dumps(one | {"op_id": "某人某人某人某人某人某人某人某人某人某人某人某人"}),
        "a zero byte in the id": json.dumps(one | {"op_id": "\0" * 36}),
        "a broken character": json.dumps(one, ensure_ascii=False).replace("某幢", "\\ud800"),
        "a base beyond counting": json.dumps(one | {"kind": "patch", "base": {"v": 2**70, "tag": "0" * 16}}),
        "oversized": json.dumps(one | {"set": {"note": "长" * 300_000}}),
    }


def test_an_unreadable_or_oversized_operation_consumes_its_number(ground):
    """S12, trap 10: it is kept as it came, quarantined, and the phone goes on; a retry gets the same answer."""
    phone = ground.worker(0)
    for name, text in unreadable(building(0)).items():
        body = phone.batch([[text], [building(0)]])
        said = phone.send(body)
        assert [r["now"]["outcome"] for r in said["results"]] == ["quarantined", "applied"], name
        assert phone.send(body) == said, name
        # the phone knows the operation by its own id, whatever the server could read
        after = (phone.n - 1, uuid7() if said["results"][0]["op_id"].startswith("00000000") else said["results"][0]["op_id"])
        assert "expected" not in phone.send(phone.batch([[json.loads(body["groups"][1]["ops"][0]["op"])]], after=after)), name
    assert phone.outcomes([building(0)]) == [("applied", None)]


def test_the_operation_id_of_unreadable_bytes_is_told_where_it_can_be_read(ground):
    """S12: a text cut short still shows whose answer it is, so that the phone recognises it."""
    phone = ground.worker(0)
    one = building(0)
    assert phone.push([json.dumps(one)[:-9]])[0]["op_id"] == one["op_id"]


def test_a_bad_record_never_sinks_its_batch(ground):
    """Trap 10, 12: of five groups two are bad; the other three are applied."""
    phone = ground.worker(0)
    bad = create("person", {"sex": "9x"})
    results = phone.push([building(0)], [bad], [building(0)], [create("martian", {"name": "x"})], [building(0)])
    outcomes = [one["now"]["outcome"] for one in results]
    assert outcomes == ["applied", "quarantined", "applied", "quarantined", "applied"]
    assert {one["pointer"] for one in results[1]["errors"]} >= {"/set/name"}
    assert results[3]["now"]["reason"] == "unknown_type"


def test_a_group_applies_whole_or_not_at_all(ground):
    """S13, trap 13: one bad member and the household form stays out, in whichever place it stands."""
    phone = ground.worker(0)
    for place in range(4):
        made = home(0, "张一")
        made.operations[place]["set"]["note"] = 5
        assert phone.outcomes(made.operations) == [("quarantined", "invalid")] * 4
        assert all(ground.record(one) is None for one in (made.building, made.dwelling, made.household, *made.persons))
    made = home(0, "张一")
    made.operations[1]["set"]["building"] = uuid7()
    assert phone.outcomes(made.operations) == [("held", "parent")] * 4
    assert ground.record(made.building) is None


def test_later_operations_wait_behind_what_is_held_or_quarantined(ground):
    """S13: what follows on the same record waits behind it, in the same batch and in the next; other records do not."""
    phone = ground.worker(0)
    child = create("dwelling", {"building": uuid7(), "door_number": "1"})
    later = operation("patch", "dwelling", child["id"], {"door_number": "2"})
    assert phone.outcomes([child], [later], [building(0)]) == [("held", "parent"), ("held", "behind"), ("applied", None)]
    assert phone.outcomes([operation("patch", "dwelling", child["id"], {"door_number": "3"})]) == [("held", "behind")]
    other = ground.worker(0)
    assert other.outcomes([operation("patch", "dwelling", child["id"], {"door_number": "4"})]) == [("held", "parent")]


def test_an_unknown_form_version_is_held(ground):
    """S10, trap 30: a phone with a newer form is not refused; what it wrote waits for the form."""
    phone = ground.worker(0)
    newer = building(0) | {"form_version": 99}
    assert phone.outcomes([newer]) == [("held", "form")]
    assert ground.rows("SELECT waits_for FROM held_wait")[0].waits_for == "form/building/99"


def test_a_reference_that_can_never_be_a_record_is_refused_not_held(ground):
    """S14: what is no record id would wait for ever; it is quarantined with its place."""
    phone = ground.worker(0)
    result = phone.push([create("dwelling", {"building": "99999919600101001X", "door_number": "1"})])[0]
    assert result["now"]["outcome"] == "quarantined"
    assert result["errors"][0]["pointer"] == "/set/building"


def test_a_record_type_never_changes(ground):
    """An id belongs to one record type for ever."""
    phone = ground.worker(0)
    one = building(0)
    phone.write(one)
    clash = create("household", {"kind": "family"}, one["id"])
    assert phone.outcomes([clash]) == [("quarantined", "type_differs")]


def test_nobody_writes_what_the_server_makes(ground):
    """S24: cards and residence episodes are never taken from a phone."""
    phone = ground.worker(0)
    assert phone.outcomes([create("reference_card", {"person": uuid7(), "name": "某某", "reason": "registered_here", "home_cell": "x"})]) == [("quarantined", "server_made")]


def test_answers_carry_no_values(ground):
    """S13: whatever becomes of an operation, its answer repeats nothing that was typed."""
    phone = ground.worker(0)
    typed = "秘密姓名甲乙丙"
    made = home(0, typed)
    body = phone.batch(
        [
            made.operations,
            [create("person", {"name": typed, "sex": typed})],
            [create("person", {"name": typed, "residence_household": uuid7()})],
            [json.dumps(create("person", {"name": typed}), ensure_ascii=False)[:-1]],
            [create("household", {"dwelling": made.building, "note": typed})],
        ]
    )
    answer = phone.post("push", body)
    assert answer.status_code == 200 and typed not in answer.get_data(as_text=True) and "\\u79d8" not in answer.get_data(as_text=True)


def test_a_base_from_another_life_is_only_unknown(ground):
    """S1: a base that the server never had, however large, is an unknown base, not an error."""
    phone = ground.worker(0)
    made = home(0, "张一")
    phone.write(*made.operations)
    for count, v in enumerate((2, 7, 2**31 - 1), 1):
        change = patch(ground, made.household, {"pets_count": count}, base={"v": v, "tag": "0123456789abcdef"})
        assert phone.outcomes([change])[0][0] in {"applied", "merged"}, v


def test_own_chain_is_never_a_conflict_even_from_an_unknown_base(ground):
    """Trap 15, S1: a chain of edits of one phone over a base that the server does not know applies in order."""
    phone = ground.worker(0)
    made = home(0, "张一")
    phone.write(*made.operations)
    ghost = {"v": 9, "tag": "f" * 16}
    changes = [patch(ground, made.persons[0], {"occupation_text": f"第{i}"}, base=ghost) for i in range(4)]
    assert [one for one, _ in phone.outcomes(*[[one] for one in changes])] == ["applied"] * 4
    assert ground.fields(made.persons[0])["occupation_text"] == "第3"
