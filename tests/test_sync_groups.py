from __future__ import annotations

from typing import Any

import pytest
from sync_kit import Village, anchored, operation, prepared, uid

from sync.memory import UNPLACED, Prepared, Writer
from sync.outcome import HELD, QUARANTINED, Refusal
from sync.placing import IncompletePlan
from sync.plan import decide
from sync.record import Chain
from sync.scope import ScopeRule


def create(record_type: str, name: str, /, **values: Any) -> dict[str, Any]:
    return operation("create", record_type, name, values)


def patch(village: Village, record_type: str, name: str, /, **values: Any) -> dict[str, Any]:
    return operation("patch", record_type, name, values, base=village.base(name))


@pytest.fixture
def village() -> Village:
    """Two buildings in two cells, a dwelling in each, a household in the first."""
    village = Village()
    for place in (0, 1):
        village.one("S", create("building", f"building {place}", number=str(place), anchor=anchored(place + 0.5)))
        village.one("S", create("dwelling", f"dwelling {place}", building=uid(f"building {place}"), door_number="1"))
    village.one("S", create("household", "household", dwelling=uid("dwelling 0"), kind="family"))
    return village


def household(name: str = "new home") -> list[dict[str, Any]]:
    return [
        create("household", name, dwelling=uid("dwelling 0"), kind="family"),
        create("person", f"{name} 1", name="甲", residence_household=uid(name)),
        create("person", f"{name} 2", name="乙", residence_household=uid(name)),
    ]


# ---------------------------------------------------------------- S13
def test_s13_a_group_applies_whole(village: Village) -> None:
    """A household and its persons arrive together, whatever their order in the group, and stand in its cell."""
    for order in ([0, 1, 2], [2, 1, 0], [1, 0, 2]):
        name = f"home {order}"
        members = household(name)
        decided = village.push("A", [members[place] for place in order])
        assert [one.outcome for one in decided] == ["applied"] * 3
        assert [one.prepared.operation.id for one in decided if one.prepared.operation] == [members[i]["id"] for i in order]
        assert {village.record(one).home for one in (name, f"{name} 1", f"{name} 2")} == {"cell/0"}
        village.check_streams()


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize(("bad", "outcome"), [("held", HELD), ("refused", QUARANTINED)])
def test_s13_a_group_is_refused_whole(village: Village, place: int, bad: str, outcome: str) -> None:
    """Where one member waits or is refused, none of the group is applied: no half household."""
    wrong = (
        create("person", "late", name="丙", residence_household=uid("nobody's"))
        if bad == "held"
        else create("person", "late", name="丙", residence_household=uid("dwelling 0"))
    )
    members = household()
    members.insert(place, wrong)
    before = {key: (one.v, one.tag) for key, one in village.records.items()}
    decided = village.push("A", members)
    assert {one.outcome for one in decided} == {outcome}
    assert {key: (one.v, one.tag) for key, one in village.records.items()} == before
    village.check_streams()


def test_s13_quarantine_is_worse_than_waiting(village: Village) -> None:
    """One member waits and one is refused: the whole group is refused."""
    members = [
        create("person", "p", name="丙", residence_household=uid("nobody's")),
        create("person", "q", name="丁", residence_household=uid("dwelling 0")),
    ]
    assert {one.outcome for one in village.push("A", members)} == {QUARANTINED}


def test_s13_groups_do_not_share_a_fate(village: Village) -> None:
    """A refused group does not stop the next one of the batch."""
    bad = [create("person", "p", name="丙", residence_household=uid("nobody's"))]
    assert [one.outcome for one in village.push("A", bad, household())] == [HELD, *["applied"] * 3]


def test_s13_later_operations_wait_behind(village: Village) -> None:
    """What I write on a record whose first operation waits, waits behind it; other records and other people do not."""
    waiting = create("person", "p", name="丙", residence_household=uid("nobody's"))
    after = operation("patch", "person", "p", {"sex": "1"})
    decided = village.push("A", [waiting], [after], household())
    assert [(one.outcome, one.reason, one.waits_for) for one in decided[:2]] == [
        (HELD, "parent", uid("nobody's")),
        (HELD, "behind", uid("p")),
    ]
    assert {one.outcome for one in decided[2:]} == {"applied"}
    assert village.one("A", {**after, "op_id": uid("again")}).reason == "behind"


def test_s13_a_record_of_another_type_is_refused(village: Village) -> None:
    """An id that is a building stays a building."""
    assert village.one("A", operation("patch", "household", "building 0", {"kind": "family"})).reason == "type_differs"
    assert village.one("A", create("person", "building 1", name="甲")).reason == "type_differs"


def test_s24_nobody_writes_what_the_server_makes(village: Village) -> None:
    """Reference cards and closed residences are refused from any device."""
    decided = village.one("A", create("reference_card", "card", person=uid("x"), name="甲"))
    assert (decided.outcome, decided.reason) == (QUARANTINED, "server_made")


# ---------------------------------------------------------------- S14
def test_s14_held_work_is_judged_again(village: Village) -> None:
    """Once what it waited for is there, the same operations apply as if they had come after it."""
    members = household()
    waiting, parent = members[1:], members[0]
    assert {one.outcome for one in village.push("A", waiting)} == {HELD}
    village.one("B", parent)
    village.blocked.clear()
    village.answers.clear()
    assert {one.outcome for one in village.push("A", waiting)} == {"applied"}
    assert village.record("new home 1").home == "cell/0"
    village.check_streams()


def test_l6_what_still_waits_under_another_number_keeps_its_place(village: Village) -> None:
    """A forked phone sends a waiting operation again: what follows it on the same record goes on waiting."""
    first = operation("patch", "household", "household", {"dwelling": uid("nobody's")})
    village.one("A", first)
    decided = village.push("A fork", [first], [operation("patch", "household", "household", {"note": "x"})])
    assert [(one.outcome, one.reason) for one in decided] == [(HELD, "parent"), (HELD, "behind")]


# ---------------------------------------------------------------- S18
CHAIN = Chain("A")


def rule(*streams: str, ever: tuple[str, ...] = (), last_n: int = 0, behind: bool = False, **been: str) -> ScopeRule:
    return ScopeRule(
        frozenset(streams), frozenset({*streams, *ever}), last_n, behind, {uid(k): frozenset({v}) for k, v in been.items()}
    )


@pytest.mark.parametrize(
    ("why", "scope", "outcome"),
    [
        ("in my cell", rule("cell/0"), "applied"),
        ("in another cell", rule("cell/1"), QUARANTINED),
        ("no cell at all", rule(), QUARANTINED),
        ("it was my cell, and I wrote before I knew that it is not", rule("cell/1", ever=("cell/0",), last_n=1), "applied"),
        ("it was my cell, and I wrote after I knew", rule("cell/1", ever=("cell/0",), last_n=0), QUARANTINED),
        ("my phone has not heard of the newest scope", rule("cell/1", ever=("cell/0",), behind=True), "applied"),
        ("it stood in my cell until it moved", rule("cell/1", household="cell/1"), "applied"),
        ("it stood in what was my cell, late", rule("cell/2", ever=("cell/1",), last_n=1, household="cell/1"), "applied"),
        ("it stood in what was my cell, no longer", rule("cell/2", ever=("cell/1",), household="cell/1"), QUARANTINED),
    ],
)
def test_s18_who_may_write_what(village: Village, why: str, scope: ScopeRule, outcome: str) -> None:
    """My cells now; what I wrote before I knew that they had changed; never somebody else's."""
    decided = village.one("A", patch(village, "household", "household", note="x"), scope=scope)
    assert decided.outcome == outcome, why
    assert decided.reason == ("out_of_scope" if outcome == QUARANTINED else None)


def test_s18_what_i_made_stays_mine_to_correct(village: Village) -> None:
    """A record that my phone created may be corrected by it, wherever it stands."""
    village.one("A", create("resource", "pump", name="泵", kind="supply", anchor=anchored(3.5)), scope=rule("cell/0"))
    assert village.record("pump").home == "cell/3"
    assert village.one("A", patch(village, "resource", "pump", name="水泵"), scope=rule("cell/0")).outcome == "applied"
    assert village.one("B", patch(village, "resource", "pump", name="抽水泵"), scope=rule("cell/0")).outcome == QUARANTINED


@pytest.mark.parametrize(("dwelling", "outcome"), [("dwelling 0", "applied"), ("dwelling 1", QUARANTINED)])
def test_s18_a_creation_under_a_record(village: Village, dwelling: str, outcome: str) -> None:
    """A new household enters where its dwelling is mine."""
    made = create("household", "h", dwelling=uid(dwelling), kind="family")
    assert village.one("A", made, scope=rule("cell/0")).outcome == outcome


def test_s18_my_own_move_does_not_shut_me_out(village: Village) -> None:
    """I move a household out of my cell and correct its note in the same round: both are taken."""
    village.one("B", operation("patch", "household", "household", {"note": "n"}, base=village.base("household")))
    moves = patch(village, "household", "household", dwelling=uid("dwelling 1"))
    notes = patch(village, "household", "household", note="n, moved")
    assert {one.outcome for one in village.push("A", [moves], [notes], scope=rule("cell/0"))} == {"applied"}
    assert village.record("household").home == "cell/1"


# ---------------------------------------------------------------- S15
def test_s15_a_plan_that_misses_something_starts_again(village: Village) -> None:
    """Where a record would move whose dependants were not read, nothing is decided: the transaction is told what to read."""
    batch = [[prepared(1, patch(village, "dwelling", "dwelling 0", building=uid("building 1")))]]
    memory = village.memory(batch)
    memory.movable = frozenset()
    with pytest.raises(IncompletePlan) as missing:
        decide(batch, Writer("A", "device", CHAIN), memory)
    assert missing.value.record_id == uid("dwelling 0")


def test_s12_what_could_not_be_read_is_quarantined(village: Village) -> None:
    """Bytes that are no operation consume their number and harm nobody."""
    raw = Prepared(1, uid("x"), b"\xff", b"", refusal=Refusal(QUARANTINED, "malformed"))
    memory = village.memory([])
    decide([[raw]], Writer("A", "device", CHAIN), memory)
    assert [(one.outcome, one.reason) for one in memory.decided] == [(QUARANTINED, "malformed")]
    assert memory.touched == {} and memory.blocked == set()


def test_what_has_no_place_is_in_the_queue_and_on_its_makers_phone(village: Village) -> None:
    """A record outside every cell stands in the unplaced queue and in its maker's own stream, until it is placed."""
    village.one("A", create("resource", "pump", name="泵", kind="supply", anchor=anchored(9.5)))
    assert village.record("pump").home == UNPLACED
    assert (village.counters[UNPLACED].count, village.counters["install/A"].count) == (1, 1)
    village.one("S", patch(village, "resource", "pump", anchor=anchored(2.5)))
    assert (village.counters[UNPLACED].count, village.counters["install/A"].count) == (0, 0)
    assert village.counters["cell/2"].count == 1
    village.check_streams()
