"""Commands of two phones at the same moment, through the server (S2, S6, S8, S15)."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from server_kit import home, operation
from test_server_commands import command, twice, two_homes

from server.house import uuid7
from server.services.verify import verify


def test_two_phones_command_the_same_household_at_once(ground):
    """S2, S6, S15: whichever comes second finds a conflict; nobody lives twice; no value is lost."""
    one, two = ground.worker(0, 1, 2), ground.worker(0, 1, 2)
    near, far = two_homes(one)
    third = home(2)
    one.push(third.operations)
    moves = [
        command(ground, "move_household", near.household, {"dwelling": target, "on": on}, *near.persons)
        for target, on in ((far.dwelling, "2026-02-01"), (third.dwelling, "2026-02-02"))
    ]
    with ThreadPoolExecutor(2) as pool:
        said = list(pool.map(lambda pair: pair[0].push([pair[1]])[0]["now"]["outcome"], zip((one, two), moves, strict=True)))
    assert sorted(said) == ["applied", "conflict"]
    assert json.loads(ground.record(near.household).conflicts) == ["dwelling"]
    assert [json.loads(ground.record(one).conflicts) for one in near.persons] == [["residence"], ["residence"]]
    rows = ground.rows("SELECT c.record_id FROM conflict c WHERE c.state = 'open'")
    assert len(rows) == 3 and verify(ground.house).agrees
    one.pull()
    two.pull()


def test_commands_and_edits_of_two_phones_interleave(ground):
    """S15: splits, moves and edits of the same people at once: each is decided, none is lost, everything adds up."""
    phones = [ground.worker(0, 1) for _ in range(4)]
    near, far = two_homes(phones[0])
    base = {one: ground.base(one) for one in (near.household, *near.persons)}
    work = [
        command(ground, "split_household", near.household,
                {"new_household": uuid7(), "members": [near.persons[0]], "dwelling": far.dwelling}, *near.persons),
        command(ground, "move_household", near.household, {"dwelling": far.dwelling}, *near.persons),
        operation("patch", "person", near.persons[0], {"residence_household": far.household}, base=base[near.persons[0]]),
        command(ground, "person_left", near.persons[1], {"household": near.household, "reason": "study"}, near.household),
    ]  # fmt: skip
    with ThreadPoolExecutor(4) as pool:
        said = list(pool.map(lambda pair: pair[0].push([pair[1]])[0]["now"]["outcome"], zip(phones, work, strict=True)))
    assert set(said) <= {"applied", "merged", "conflict"} and "applied" in said
    stored = {row.op_id for row in ground.rows("SELECT op_id FROM operation WHERE canonical = 1")}
    assert {one["op_id"] for one in work} <= stored
    assert {ground.record(one).life for one in (*near.persons, *far.persons, near.household, far.household)} == {"live"}
    assert verify(ground.house).agrees
    for phone in phones:
        phone.pull()


@pytest.mark.parametrize(
    ("name", "said", "disputed"),
    [
        ("person_died", ["applied", "conflict"], ["vital"]),
        ("change_head", ["applied", "conflict"], ["head", "residence"]),
        ("correct_place", ["applied", "conflict"], ["place"]),
        ("join_households", ["applied", "conflict"], ["residence"]),
        ("merge_households", ["applied", "unchanged"], []),
        ("split_household", ["applied", "conflict"], ["residence"]),
        ("person_left", ["applied", "unchanged"], []),
        ("undo", ["applied", "unchanged"], []),
    ],
)
def test_two_phones_give_the_same_command_another_way_at_once(ground, name, said, disputed):
    """S2, S6, S8, S15: whichever comes second finds a conflict with both values, or one household already; nobody lives twice, copies agree."""
    phones = [ground.worker(0, 1, 2) for _ in range(2)]
    near, far = two_homes(phones[0])
    third = home(2)
    phones[0].push(third.operations)
    done = command(ground, "merge_households", near.household, {"merged": far.household}, far.household)
    if name == "undo":
        phones[0].push([done])
    person, family, away = near.persons[0], near.household, far.household
    ways = {
        "person_died": [(person, {"on": on, "household": family}, family) for on in ("2026-02-27", "2026-02-28")],
        "change_head": [(family, {"head": one}, *near.persons) for one in near.persons],
        "correct_place": [(near.dwelling, {"building": one.building}) for one in (far, third)],
        "join_households": [(one, {"household": away, "members": far.persons}, away, *far.persons) for one in (family, third.household)],
        "merge_households": [(one, {"merged": other}, other) for one, other in ((family, away), (away, family))],
        "split_household": [
            (family, {"new_household": uuid7(), "members": [person], "dwelling": one.dwelling}, person) for one in (far, third)
        ],
        "person_left": [(person, {"household": family, "reason": reason}, family) for reason in ("study", "married")],
        "undo": [(family, {"command": done["op_id"]})] * 2,
    }[name]
    work = [command(ground, name, *one) for one in ways]
    with ThreadPoolExecutor(2) as pool:
        got = list(pool.map(lambda pair: pair[0].push([pair[1]])[0]["now"]["outcome"], zip(phones, work, strict=True)))
    assert sorted(got) == said
    rows = ground.rows("SELECT c.unit, count(*) AS beside FROM conflict c JOIN conflict_sibling s ON s.conflict_id = c.conflict_id "
                       "WHERE c.state = 'open' GROUP BY c.conflict_id, c.unit ORDER BY c.unit")  # fmt: skip
    assert [(row.unit, row.beside) for row in rows] == [(one, 2) for one in disputed]
    assert {ground.record(one).life for one in (*near.persons, *far.persons)} == {"live"} and verify(ground.house).agrees
    for phone in phones:
        phone.pull()


def test_two_phones_merge_the_same_two_people_the_other_way_round(ground):
    """S8, S15: at once, in both directions: one survives, no circle, nobody is lost."""
    phones = [ground.worker(0, 1) for _ in range(2)]
    _, _, one, two, _ = twice(ground, phones[0])
    merges = [command(ground, "merge_persons", a, {"merged": b}, b) for a, b in ((one, two), (two, one))]
    with ThreadPoolExecutor(2) as pool:
        said = list(pool.map(lambda pair: pair[0].push([pair[1]])[0]["now"]["outcome"], zip(phones, merges, strict=True)))
    assert sorted(said) == ["applied", "unchanged"]
    assert sorted(ground.record(one_).life for one_ in (one, two)) == ["live", "merged"]
    assert verify(ground.house).agrees
    for phone in phones:
        phone.pull()
