"""The queue of probable duplicates: what speaks for two records being one, and what somebody has decided."""

from __future__ import annotations

import pytest
from front_door import COMMUNITY, problem
from hypothesis import given
from hypothesis import strategies as st
from records_kit import IDS, ZHANG_NUMBER, actor_of, office_with_records, write_operation
from sqlalchemy import select

from server.house import uuid7
from server.models import audit
from server.services import duplicate_queue
from server.services.duplicate_pairs import ENOUGH, POINTS, Known, Pair, likely_pairs, reasons_of
from server.store import search
from server.store.database import read, write

QUEUE = "/api/v1/inbox/duplicates"


@pytest.fixture
def office(prepared_database, tmp_path, clock):
    found = office_with_records(prepared_database, tmp_path, clock)
    yield found
    found.house.engine.dispose()


def again(office, role="secretary", **values):
    """Somebody records a person once more; the new id."""
    given = {"name": "张三", "birth_date": "1960-01-01", "sex": "1", "document_missing_reason": "not_asked"} | values
    person = uuid7()
    op = {"kind": "create", "type": "person", "id": person, "set": given}
    answer = office.signed_in(role).post("/api/v1/groups", json={"ops": [op]})
    assert answer.json["results"][0]["now"]["outcome"] == "applied", answer.json
    return person


def listed(office, role="secretary", tail=""):
    answer = office.signed_in(role).get(QUEUE + tail)
    assert answer.status_code == 200, answer.data
    return answer.json


def worst_told(office):
    return office.signed_in("secretary").get("/api/v1/inbox?harms=true&duplicates=true").json["harms"]["duplicates"]


def test_a_person_recorded_twice_stands_side_by_side(office):
    """Same name and birthday: both records with all that is known, what is the same and what differs, numbers masked."""
    twin = again(office, residence_household=IDS["household_b"], document_type="resident_id", document_number=ZHANG_NUMBER,
                 document_missing_reason=None)  # fmt: skip
    (row,) = listed(office)["rows"]
    assert {one["id"] for one in row["records"]} == {IDS["zhang"], twin}
    assert {one["name"] for one in row["reasons"]} == {"same_document", "same_name", "same_birth"}
    fields = {one["name"]: one for one in row["fields"]}
    assert fields["name"]["same"] and not fields["phones"]["same"]
    assert {one["cell"]["name"] for one in row["records"]} == {"第1网格", "第2网格"}
    assert all(one["v"] == 1 and one["tag"] for one in row["records"])
    assert ZHANG_NUMBER not in str(row)
    with read(office.house.engine) as connection:
        line = connection.execute(select(audit).where(audit.c.purpose == "inbox: duplicates")).one()
    assert line.count == 2 and "birth_date" in line.fields


def test_one_document_in_two_records_is_shown_whatever_else_was_written(office):
    """The whole number is compared by its keyed hash: another name, day and sex hide nothing; one tail of two numbers is no document."""
    other = ZHANG_NUMBER[:5] + str((int(ZHANG_NUMBER[5]) + 1) % 10) + ZHANG_NUMBER[6:]
    numbers = {"document_type": "resident_id", "document_missing_reason": None}
    again(office, name="王五", birth_date="1971-07-01", sex="2", document_number=other, **numbers)
    assert listed(office)["count"] == 0
    twin = again(office, name="李四", birth_date="1970-07-01", sex="2", document_number=ZHANG_NUMBER, **numbers)
    (row,) = listed(office)["rows"]
    assert {one["id"] for one in row["records"]} == {IDS["zhang"], twin}
    assert {one["name"] for one in row["reasons"]} == {"same_document", "other_birth", "other_sex"}
    with write(office.house.engine) as connection:
        search.fold(connection, COMMUNITY)
    office.house.engine.dispose()
    assert again(office, name="赵六", birth_date=None) and listed(office)["count"] == 1, "the same from the tree of the index"


def test_what_harms_most_while_it_waits_comes_first(office):
    """Somebody in care or over 80 who stands twice comes before a pair that is counted twice, that before one of which one stands in no cell; care that has ended counts no more."""
    home = {"residence_household": IDS["household_b"]}
    nowhere = again(office, name="李四", birth_date="1962-05-05", sex="2", document_type="resident_id", document_number=ZHANG_NUMBER, document_missing_reason=None)
    twice = again(office, **home)
    assert worst_told(office) == 1, "the summary of the inbox tells the worst of the pairs, so that it opens with them"
    assert [row["harm"] for row in listed(office)["rows"]] == sorted(row["harm"] for row in listed(office)["rows"])
    harms = {frozenset(one["id"] for one in row["records"]): row["harm"] for row in listed(office)["rows"]}
    assert (harms[frozenset({IDS["zhang"], twice})], harms[frozenset({IDS["zhang"], nowhere})]) == (1, 2)
    old = again(office, name="王五", birth_date="1940-02-29", **home)
    assert ({one["id"] for one in listed(office)["rows"][0]["records"]}, listed(office)["rows"][0]["harm"]) == ({IDS["wang"], old}, 0)
    assert worst_told(office) == 0
    care = {"type": "care_status", "id": uuid7()}
    for op, harm in (
        ({"kind": "create", "set": {"person": twice, "kind": "disabled", "from_date": "2025-01-01"}}, 0),
        ({"kind": "patch", "set": {"from_date": "2025-01-01", "to_date": "2026-01-01"}}, 1),
    ):
        answer = office.signed_in("secretary").post("/api/v1/groups", json={"ops": [care | op]})
        assert answer.json["results"][0]["now"]["outcome"] == "applied", answer.json
        found = {frozenset(one["id"] for one in row["records"]): row["harm"] for row in listed(office)["rows"]}
        assert found[frozenset({IDS["zhang"], twice})] == harm


def test_a_table_that_was_imported_twice_does_not_close_the_queue(office, monkeypatch):
    """More pairs than a statement takes values: the list is there, what harms most comes first."""
    twins = {again(office, name="王五", birth_date="1940-02-29", residence_household=IDS["household_b"]), IDS["wang"]}
    many = [Pair(uuid7(), uuid7(), ENOUGH, ("same_name",)) for _ in range(33_000)]
    monkeypatch.setattr(duplicate_queue, "likely_pairs", lambda people: [*many, *likely_pairs(people)])
    said = listed(office, tail="?limit=1")
    assert (said["count"], {one["id"] for one in said["rows"][0]["records"]}) == (33_001, twins)


def test_two_who_are_two_leave_the_queue_and_come_back(office):
    """Once somebody said that they are two the pair is gone, until that is taken back; both are written down."""
    twin = again(office)
    person = office.signed_in("secretary")
    path = f"{QUEUE}/{twin}/{IDS['zhang']}/distinct"
    assert person.post(path).status_code == 204 and person.post(path).status_code == 204
    assert listed(office)["count"] == 0
    turned = f"{QUEUE}/{IDS['zhang']}/{twin}/distinct"
    assert person.client.delete(turned, headers=person.headers).status_code == 204
    assert listed(office)["count"] == 1
    assert problem(person.client.delete(turned, headers=person.headers)) == (404, "not-found")
    with read(office.house.engine) as connection:
        lines = connection.execute(select(audit).where(audit.c.purpose.like("inbox: distinct%"))).all()
    assert len(lines) == 3


def test_decisions_keep_to_the_scope(office):
    """A grid worker sees pairs of the own cells only and decides about no others; planners have no queue."""
    again(office, residence_household=IDS["household_a"])
    far = again(office, residence_household=IDS["household_b"])
    assert listed(office)["count"] == 3  # each of the three with each
    assert listed(office, "grid_worker")["count"] == 1
    worker = office.signed_in("grid_worker")
    assert problem(worker.post(f"{QUEUE}/{IDS['zhang']}/{far}/distinct")) == (404, "not-found")
    assert problem(office.signed_in("planner").get(QUEUE)) == (403, "outside-your-scope")
    person = office.signed_in("secretary")
    assert problem(person.post(f"{QUEUE}/{far}/{far}/distinct")) == (422, "invalid-input")


def test_pages_of_pairs(office):
    """One at a time, every pair is met once."""
    for _ in range(2):
        again(office)
    met, following = [], ""
    while following is not None:
        told = listed(office, tail=f"?limit=1&community={COMMUNITY}" + (f"&next={following}" if following else ""))
        met += [frozenset(one["id"] for one in row["records"]) for row in told["rows"]]
        following = told["next"]
    assert len(met) == len(set(met)) == 3


def test_history_names_the_command_and_says_which_merge_can_be_taken_back(office, clock):
    """A merge is told at both records, also where it changed nothing of the one that stays; the last one goes first, and taken back it is gone."""
    secretary = office.signed_in("secretary")

    def merged_into_zhang(name):
        clock.advance(minutes=5)
        path = {"type": "person", "id": IDS["zhang"], "merged": IDS[name]}
        (done,) = secretary.post("/api/v1/groups", json={"ops": [secretary.post("/api/v1/merges/preview", json=path).json["command"]]}).json["results"]
        assert done["now"]["outcome"] == "applied", done
        return done["op_id"]

    def told(name):
        found = secretary.get(f"/api/v1/records/person/{IDS[name]}/history").json
        assert {(one["survivor"], one["by"]["user_id"]) for one in found["merges"]} <= {(IDS["zhang"], office.users["secretary"])}
        return [(row["kind"], row["command"]) for row in found["rows"]], [(one["op_id"], one["title"], one["undo"]) for one in found["merges"]]

    first = merged_into_zhang("wang")
    assert told("zhang") == ([("create", None)], [(first, "王五", True)])
    assert told("wang") == ([("made", "merge_persons"), ("create", None)], [(first, "王五", True)])
    write_operation(office.house, actor_of(office, "secretary"), "patch", "li", {"phones": ["10200000007"], "note": "某"})
    second = merged_into_zhang("li")
    assert told("zhang") == ([("command", "merge_persons"), ("create", None)], [(second, "李四", True), (first, "王五", False)])
    assert told("wang")[1] == [(first, "王五", False)] and told("li")[1] == [(second, "李四", True)]
    for op_id, name, left in ((second, "li", [(first, "王五", True)]), (first, "wang", [])):
        ops = [{"kind": "command", "name": "undo", "type": "person", "id": IDS["zhang"], "arguments": {"command": op_id}}]
        assert secretary.post("/api/v1/groups", json={"ops": ops}).json["results"][0]["now"]["outcome"] == "applied"
        assert (told(name)[0][0], told(name)[1], told("zhang")[1]) == (("made", "undo"), [], left)
    home = {"kind": "command", "name": "join_households", "type": "household", "id": IDS["household_b"], "arguments": {"household": IDS["household_a"]}}
    assert secretary.post("/api/v1/groups", json={"ops": [home]}).json["results"][0]["now"]["outcome"] == "applied"
    joined = secretary.get(f"/api/v1/records/household/{IDS['household_a']}/history").json
    assert (joined["rows"][0]["command"], joined["merges"]) == ("join_households", [])


# ---------------------------------------------------------------- what speaks for a pair
def known(number, **more):
    return Known(f"p{number}", **({"name": "张三", "sounds": frozenset({"zhangsan"})} | more))


@pytest.mark.parametrize(
    ("first", "second", "wanted"),
    [
        ({"birth": "1960-01-01"}, {"birth": "1960-01-01"}, True),
        ({"birth": "1960-01-01"}, {"birth": "1961-01-01"}, False),
        ({}, {}, False),
        ({"phones": frozenset({"1"}), "door": "d"}, {"phones": frozenset({"1"}), "door": "d"}, True),
        ({"birth": "1960-01-01", "tail": "1234"}, {"birth": "1960-01-01", "tail": "5678"}, False),
        # twins in one home, with one character of the name in common
        ({"name": "张小明", "sounds": frozenset({"a"}), "birth": "2020-01-01", "sex": "1", "door": "d"},
         {"name": "张小亮", "sounds": frozenset({"b"}), "birth": "2020-01-01", "sex": "1", "door": "d"}, False),
        # the same ear, another character
        ({"name": "张珊", "birth": "1960-01-01", "phones": frozenset({"1"})}, {"birth": "1960-01-01", "phones": frozenset({"1"})}, True),
        ({"birth": "1960-01-01", "sex": "1"}, {"birth": "1960-01-01", "sex": "2"}, False),
        # one slip of the pen in the day of birth, behind the same door; day and month changed places; two digits are others
        ({"birth": "1960-01-12", "door": "d"}, {"birth": "1960-01-21", "door": "d"}, True),
        ({"birth": "1960-03-12", "door": "d"}, {"birth": "1960-12-03", "door": "d"}, True),
        ({"birth": "1960-01-12", "door": "d"}, {"birth": "1963-01-19", "door": "d"}, False),
        # one whole number, whatever else was heard: another name, day and sex
        ({"document": "x", "tail": "1234"}, {"name": "李四", "sounds": frozenset({"l"}), "document": "x", "tail": "1234"}, True),
        ({"document": "x", "tail": "1234", "birth": "1960-01-12", "sex": "1"},
         {"name": "李四", "sounds": frozenset({"l"}), "document": "x", "tail": "1234", "birth": "1971-07-01", "sex": "2"}, True),
        # one digit of the serial is another, and with it the check digit; twins have such numbers too, but not one name
        ({"birth": "1960-01-12", "tail": "0013"}, {"birth": "1960-01-12", "tail": "003x"}, True),
        ({"birth": "1960-01-12", "tail": "0013", "door": "d", "sex": "1"},
         {"name": "张四", "sounds": frozenset({"zhangsi"}), "birth": "1960-01-12", "tail": "0030", "door": "d", "sex": "1"}, False),
        ({"birth": "1960-01-12", "tail": "0013"}, {"birth": "1960-01-12", "tail": "1033"}, False),
    ],
)  # fmt: skip
def test_what_makes_two_records_one(first, second, wanted):
    """Namesakes with one birthday are one; twins, and namesakes with other documents, are two."""
    assert bool(likely_pairs([known(1, **first), known(2, **second)])) is wanted


_PEOPLE = st.lists(
    st.builds(
        lambda **more: more,
        name=st.sampled_from(["张三", "张珊", "李四", "王小明"]), birth=st.sampled_from([None, "1960-01-02", "1960-02-01", "1970-01-02"]),
        sex=st.sampled_from([None, "1", "2"]), phones=st.frozensets(st.sampled_from("12"), max_size=2),
        door=st.sampled_from([None, "d", "e"]), tail=st.sampled_from([None, "1234", "1243", "5678", "1335"]), document=st.sampled_from([None, "x", "y"]),
    ),
    max_size=8,
)  # fmt: skip
_SOUNDS = {"张三": "zhangsan", "张珊": "zhangshan", "李四": "lisi", "王小明": "wangxiaoming"}


@given(_PEOPLE)
def test_no_pair_with_enough_points_is_missed(people):
    """Law: looking in blocks finds what comparing everybody with everybody finds."""
    everybody = [Known(f"p{n}", sounds=frozenset({_SOUNDS[one["name"]]}), **one) for n, one in enumerate(people)]
    wanted = {
        (first.id, second.id)
        for n, first in enumerate(everybody) for second in everybody[n + 1 :]
        if sum(POINTS[reason] for reason in reasons_of(first, second)) >= ENOUGH
    }  # fmt: skip
    assert {(pair.first, pair.second) for pair in likely_pairs(everybody)} == wanted
