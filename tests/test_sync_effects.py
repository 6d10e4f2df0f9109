from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sync_kit import Village, anchored, operation, uid

from sync.digest import made_id
from sync.memory import UNPLACED
from sync.record import Record


def create(record_type: str, name: str, /, **values: Any) -> dict[str, Any]:
    return operation("create", record_type, name, values)


def patch(village: Village, record_type: str, name: str, /, **values: Any) -> dict[str, Any]:
    op = f"{name} {len(village.answers)}"
    return operation("patch", record_type, name, values, base=village.base(name), op=op)


def settle() -> Village:
    """Three cells with a building, a dwelling and a household each; 甲 lives in the first and is registered there."""
    village = Village()
    for place in range(3):
        village.one("S", create("building", f"building {place}", number=str(place), anchor=anchored(place + 0.5)))
        village.one("S", create("dwelling", f"dwelling {place}", building=uid(f"building {place}"), door_number="1"))
        village.one("S", create("household", f"household {place}", dwelling=uid(f"dwelling {place}"), kind="family"))
    village.one("S", create("person", "甲", name="甲", residence_household=uid("household 0"), resident_from="2020-01-01",
                            relation_to_head="02", registration_dwelling=uid("dwelling 0")))  # fmt: skip
    village.one("S", create("party_member", "member", name="甲", person=uid("甲")))
    village.one("S", create("care_status", "care", person=uid("甲"), kind="living_alone"))
    village.one("S", create("visit", "visit", household=uid("household 0"), method="door", outcome="met"))
    return village


@pytest.fixture
def village() -> Village:
    return settle()


def card(village: Village, name: str = "甲") -> Record | None:
    found = village.records.get(made_id("card", uid(name)))
    return found if found is not None and found.life == "live" else None


# ---------------------------------------------------------------- moves
def test_everything_in_a_household_moves_with_it(village: Village) -> None:
    """A household that moves takes its persons, their party membership and care, and its visits along; versions stay."""
    before = {name: village.record(name).v for name in ("甲", "member", "care", "visit")}
    village.one("A", patch(village, "household", "household 0", dwelling=uid("dwelling 1")))
    for name in ("household 0", "甲", "member", "care", "visit"):
        assert village.record(name).home == "cell/1"
    assert {name: village.record(name).v for name in before} == before
    village.check_streams()


def test_a_building_moves_its_dwellings(village: Village) -> None:
    """A corrected position of a building moves what stands in it, through every step, and back."""
    village.one("A", patch(village, "building", "building 0", anchor=anchored(2.5)))
    assert {village.record(one).home for one in ("dwelling 0", "household 0", "甲", "care")} == {"cell/2"}
    village.one("A", patch(village, "building", "building 0", anchor=anchored(9.5)))
    assert {village.record(one).home for one in ("dwelling 0", "household 0", "甲", "care")} == {UNPLACED}
    village.check_streams()
    village.one("A", patch(village, "building", "building 0", anchor=anchored(0.5)))
    assert village.record("甲").home == "cell/0" and village.counters[UNPLACED].count == 0
    village.check_streams()


def test_a_person_without_a_household_stands_where_they_are_registered(village: Village) -> None:
    """Leaving a household without a new one: the registration places the person; without either, the queue does."""
    village.one("A", patch(village, "person", "甲", residence_household=None))
    assert village.record("甲").home == "cell/0"
    village.one("A", patch(village, "person", "甲", registration_dwelling=None))
    assert village.record("甲").home == village.record("care").home == UNPLACED
    village.check_streams()


# ---------------------------------------------------------------- S24 cards
def test_s24_a_card_stands_where_the_person_is_registered(village: Village) -> None:
    """Who is registered in another cell than the one they live in has a card there: name, and where they are."""
    assert card(village) is None
    village.one("A", patch(village, "person", "甲", residence_household=uid("household 1")))
    found = card(village)
    assert found is not None and found.home == "cell/0" and found.subject_id == uid("甲")
    assert found.fields == {
        "person": uid("甲"), "name": "甲", "reason": "registered_here", "registration_dwelling": uid("dwelling 0"),
        "residence_household": uid("household 1"), "home_cell": "1",
    }  # fmt: skip
    village.check_streams()
    village.one("A", patch(village, "person", "甲", residence_household=uid("household 0")))
    assert card(village) is None
    village.one("A", patch(village, "person", "甲", residence_household=uid("household 2")))
    again = card(village)
    assert again is not None and again.id == found.id and again.v == 3 and again.home == "cell/0"
    village.check_streams()


@pytest.mark.parametrize(
    ("why", "change", "home"),
    [
        ("a new name", ("person", "甲", {"name": "乙"}), "cell/0"),
        ("registered elsewhere", ("person", "甲", {"registration_dwelling": uid("dwelling 2")}), "cell/2"),
        ("registered where they live", ("person", "甲", {"registration_dwelling": uid("dwelling 1")}), None),
        ("registered outside", ("person", "甲", {"registration_dwelling": None}), None),
        ("the household moves home", ("household", "household 1", {"dwelling": uid("dwelling 0")}), None),
        ("the household moves on", ("household", "household 1", {"dwelling": uid("dwelling 2")}), "cell/0"),
        ("the registered building moves", ("building", "building 0", {"anchor": anchored(2.5)}), "cell/2"),
        ("the registered building moves together", ("building", "building 0", {"anchor": anchored(1.5)}), None),
        ("something else", ("person", "甲", {"note": "x"}), "cell/0"),
    ],
)
def test_s24_the_card_follows(village: Village, why: str, change: tuple[str, str, dict[str, Any]], home: str | None) -> None:
    """The card is there exactly while the registered dwelling stands in another cell than the person."""
    village.one("A", patch(village, "person", "甲", residence_household=uid("household 1")))
    village.one("A", patch(village, change[0], change[1], **change[2]))
    found = card(village)
    assert (found.home if found is not None else None) == home, why
    if found is not None:
        assert found.fields["name"] == village.fields("甲")["name"]
        assert f"cell/{found.fields['home_cell']}" == village.record("甲").home
    village.check_streams()


def test_s24_a_dwelling_that_moves_away_leaves_a_card(village: Village) -> None:
    """Who is registered next door in the same cell has no card, until that dwelling turns out to stand elsewhere."""
    village.one("A", patch(village, "building", "building 1", anchor=anchored(0.6)))
    village.one("A", create("person", "乙", name="乙", residence_household=uid("household 1"), registration_dwelling=uid("dwelling 0")))
    assert card(village, "乙") is None
    village.one("A", patch(village, "building", "building 0", anchor=anchored(2.5)))
    found = card(village, "乙")
    assert found is not None and found.home == "cell/2"
    village.check_streams()


def test_s24_a_deleted_person_has_no_card(village: Village) -> None:
    """The card goes with the person, and comes back with them."""
    village.one("A", patch(village, "person", "甲", residence_household=uid("household 1")))
    village.one("A", operation("delete", "person", "甲", base=village.base("甲")))
    assert card(village) is None
    village.one("A", operation("restore", "person", "甲", base=village.base("甲")))
    assert card(village) is not None
    village.check_streams()


# ---------------------------------------------------------------- S24 episodes
def episodes(village: Village) -> list[dict[str, Any]]:
    return [one.fields for one in village.of_type("residence")]


def test_s24_leaving_closes_an_episode(village: Village) -> None:
    """Who moves keeps their past: household, dwelling, since when and until the day of the move."""
    village.one("A", patch(village, "person", "甲", residence_household=uid("household 1"), resident_from="2026-02-01"))
    assert episodes(village) == [{
        "person": uid("甲"), "kind": "residence", "household": uid("household 0"), "dwelling": uid("dwelling 0"),
        "relation_to_head": "02", "resident_from": "2020-01-01", "resident_to": "2026-02-01",
    }]  # fmt: skip
    village.check_streams()


def test_s24_leaving_for_nowhere_ends_today(village: Village) -> None:
    """Without a new beginning the episode ends today, not on the day when it began."""
    village.one("A", patch(village, "person", "甲", residence_household=None))
    assert [one["resident_to"] for one in episodes(village)] == [village.today]


def test_s24_a_registration_that_ends_is_an_episode_too(village: Village) -> None:
    """Who registers elsewhere keeps where they were registered; both in one operation are two episodes."""
    village.one(
        "A",
        patch(village, "person", "甲", registration_dwelling=uid("dwelling 2"), registered_from="2026-01-05",
              residence_household=uid("household 2")),
    )  # fmt: skip
    kinds = {one["kind"]: one for one in episodes(village)}
    assert set(kinds) == {"residence", "registration"}
    assert kinds["registration"]["dwelling"] == uid("dwelling 0") and kinds["registration"]["resident_to"] == "2026-01-05"
    village.check_streams()


def test_s24_other_changes_close_nothing(village: Village) -> None:
    """An absence, or the same household typed again, is no move."""
    village.one("A", patch(village, "person", "甲", presence="away_short", absent_since="2026-01-01"))
    village.one("A", patch(village, "person", "甲", residence_household=uid("household 0"), relation_to_head="01"))
    assert episodes(village) == []


def test_s6_nobody_lives_in_two_homes(village: Village) -> None:
    """Two people move one person to different homes unseen: one stands, the other waits for a decision, one episode."""
    base = village.base("甲")
    for writer, place in (("A", 1), ("B", 2)):
        decided = village.one(writer, operation("patch", "person", "甲", {"residence_household": uid(f"household {place}")}, base=base))
    assert decided.outcome == "conflict" and village.open("甲") == ["residence"]
    assert village.record("甲").home == "cell/1" and len(episodes(village)) == 1
    village.check_streams()


# ---------------------------------------------------------------- S5 orphans
def test_s5_children_of_a_deleted_record_are_shown(village: Village) -> None:
    """A deleted household leaves its persons where they are, and says so; restoring takes the note back."""
    village.one("A", operation("delete", "household", "household 0", base=village.base("household 0")))
    assert sorted(village.found("orphaned")) == sorted([("household", uid("甲")), ("household", uid("visit"))])
    assert village.record("甲").life == "live" and village.record("甲").home == "cell/0"
    village.one("A", operation("restore", "household", "household 0", base=village.base("household 0")))
    assert village.found("orphaned") == []


def test_s5_a_late_child_of_a_deleted_record_is_shown(village: Village) -> None:
    """Who is added to a household by somebody who had not heard of its deletion is an orphan from the start."""
    village.one("A", operation("delete", "household", "household 0", base=village.base("household 0")))
    village.one("B", create("person", "乙", name="乙", residence_household=uid("household 0")))
    assert ("household", uid("乙")) in village.found("orphaned") and village.record("乙").home == "cell/0"
    village.one("B", patch(village, "person", "乙", residence_household=uid("household 1")))
    village.one("B", operation("delete", "person", "甲", base=village.base("甲")))
    assert {record_id for name, record_id in village.found("orphaned") if name == "household"} == {uid("visit")}


# ---------------------------------------------------------------- S7 findings
def test_s7_what_does_not_fit_together_is_found_and_never_refused(village: Village) -> None:
    """A birth date after the residence began is a finding; corrected, the finding closes; others are not touched."""
    village.one("A", patch(village, "person", "甲", birth_date="2021-05-05"))
    assert ("residence_before_birth", uid("甲")) in village.found("constraint")
    before = dict(village.findings)
    village.one("A", patch(village, "person", "甲", note="x"))
    assert village.findings == before
    village.one("A", patch(village, "person", "甲", birth_date="1990-05-05"))
    assert ("residence_before_birth", uid("甲")) not in village.found("constraint")


def test_s7_two_right_values_that_do_not_fit_are_found_after_the_merge(village: Village) -> None:
    """Each value was fine on its own phone: the merged record is looked at again."""
    base = village.base("甲")
    village.one("A", operation("patch", "person", "甲", {"birth_date": "2015-01-01"}, base=base))
    village.one("B", operation("patch", "person", "甲", {"marital_code": "20"}, base=base))
    assert ("child_married", uid("甲")) in village.found("constraint")


def test_s7_a_hidden_number_is_not_judged(village: Village) -> None:
    """A finding that needs the document number is left as it is while the number is not opened."""
    village.one("A", patch(village, "person", "甲", document_type="resident_id", document_number="999999199001010019"))
    found = set(village.found("constraint"))
    village.record("甲").fields["document_number"] = {"mask": "**************0019"}
    village.record("甲").secret_open = False
    village.one("A", patch(village, "person", "甲", sex="1", birth_date="1990-01-02"))
    assert {one for one in village.found("constraint") if "resident_id" in one[0]} == {one for one in found if "resident_id" in one[0]}


# ---------------------------------------------------------------- any sequence
STEP = st.one_of(
    st.tuples(st.just("live"), st.integers(0, 2) | st.none()),
    st.tuples(st.just("register"), st.integers(0, 2) | st.none()),
    st.tuples(st.just("household"), st.integers(0, 2), st.integers(0, 2)),
    st.tuples(st.just("building"), st.integers(0, 2), st.sampled_from([0.5, 1.5, 2.5, 9.5])),
    st.tuples(st.just("delete"), st.sampled_from(["甲", "household 0", "dwelling 0"])),
    st.tuples(st.just("restore"), st.sampled_from(["甲", "household 0", "dwelling 0"])),
)
TYPE_OF = {"甲": "person", "household 0": "household", "dwelling 0": "dwelling"}


def _step(village: Village, step: tuple[Any, ...]) -> dict[str, Any]:
    match step:
        case ("live", place):
            return patch(village, "person", "甲", residence_household=None if place is None else uid(f"household {place}"))
        case ("register", place):
            return patch(village, "person", "甲", registration_dwelling=None if place is None else uid(f"dwelling {place}"))
        case ("household", one, place):
            return patch(village, "household", f"household {one}", dwelling=uid(f"dwelling {place}"))
        case ("building", one, lon):
            return patch(village, "building", f"building {one}", anchor=anchored(lon))
        case (kind, name):
            return operation(kind, TYPE_OF[name], name, base=village.base(name), op=f"{kind} {len(village.answers)}")
    raise AssertionError(step)


@given(st.lists(STEP, max_size=12))
def test_places_cards_and_streams_hold_after_anything(steps: list[tuple[Any, ...]]) -> None:
    """After any sequence: everything stands where its parent stands, counts and digests fit, cards exist exactly where due."""
    village = settle()
    for step in steps:
        village.one("A", _step(village, step))
    village.check_streams()
    for record in village.records.values():
        if record.place_parent is not None:
            assert record.home == village.records[record.place_parent].home
    person = village.record("甲")
    registered = village.records.get(str(person.fields.get("registration_dwelling")))
    due = person.life == "live" and registered is not None and registered.home not in (person.home, UNPLACED)
    found = card(village)
    assert (found is not None) == due
    if found is not None and registered is not None:
        assert found.home == registered.home and f"cell/{found.fields['home_cell']}" in (person.home, f"cell/{UNPLACED}")
