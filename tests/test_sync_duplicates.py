"""S8: merging two persons or two households, redirects, and taking a merge back after further edits."""

from __future__ import annotations

from typing import Any

import pytest
from sync_kit import REGISTRY, Village, anchored, operation, uid

from sync.duplicates import compare

OFFICE, ONE, TWO = "office", "phone-1", "phone-2"


def village() -> Village:
    """Two dwellings in two cells with a household each; Ann was recorded in both, with a care record under the second."""
    made = Village()
    for number, name in enumerate(("a", "b")):
        made.one(OFFICE, operation("create", "building", f"building {name}", {"anchor": anchored(number + 0.5)}))
        made.one(OFFICE, operation("create", "dwelling", f"dwelling {name}", {"building": uid(f"building {name}")}))
        made.one(OFFICE, operation("create", "household", f"family {name}", {"dwelling": uid(f"dwelling {name}")}))
    made.one(OFFICE, person("ann", "a", phones=["1"], sex="2", note="first"))
    made.one(OFFICE, person("anne", "b", phones=["2"], birth_date="1980-01-01", note="second", occupation_text="baker"))
    made.one(OFFICE, operation("create", "care_status", "care", {"person": uid("anne"), "kind": "aged"}))
    return made


def person(name: str, family: str, **values: Any) -> dict[str, Any]:
    return operation("create", "person", name, {"name": "Ann", "residence_household": uid(f"family {family}"), **values})


def merge(made: Village, **more: Any) -> dict[str, Any]:
    others = {uid("anne"): {"base": made.base("anne"), "was": {}}}
    arguments = {"merged": uid("anne")} | more
    return operation("command", "person", "ann", base=made.base("ann"), name="merge_persons", arguments=arguments, others=others)


def undo(merged: dict[str, Any], **more: Any) -> dict[str, Any]:
    return operation("command", "person", "ann", name="undo", arguments={"command": merged["op_id"]}, **more)


def test_two_records_of_one_person_become_one():
    """S8: the survivor takes what only the other had, sets are joined; the other ends and leads to it for ever."""
    made = village()
    assert made.one(ONE, merge(made)).outcome == "applied"
    ann = made.fields("ann")
    assert ann["phones"] == ["1", "2"] and ann["birth_date"] == "1980-01-01" and ann["note"] == "first\nsecond"
    assert ann["residence_household"] == uid("family a"), "in one home (S6)"
    assert made.record("anne").life == "merged" and made.fields("anne")["occupation_text"] == "baker"
    care = made.record("care")
    assert care.fields["person"] == uid("anne"), "no reference is rewritten"
    assert (care.home, care.place_parent) == ("cell/0", uid("ann"))
    assert made.of_type("residence") == [], "nobody has moved"
    made.check_streams()


def test_what_is_decided_by_hand_counts():
    """S8: `set` gives the final values where both differ."""
    made = village()
    assert made.one(ONE, merge(made, set={"name": "Anne", "note": "both"})).outcome == "applied"
    assert (made.fields("ann")["name"], made.fields("ann")["note"]) == ("Anne", "both")


def test_merging_again_and_in_a_circle_changes_nothing():
    """S8: the same root is unchanged; there are no cycles."""
    made = village()
    first = merge(made)
    back = operation("command", "person", "anne", base=made.base("anne"), name="merge_persons", arguments={"merged": uid("ann")})
    made.one(ONE, first)
    assert made.one(TWO, {**merge(made), "op_id": uid("again")}).outcome == "unchanged"
    assert made.one(TWO, back).outcome == "unchanged"
    assert made.redirects == {uid("anne"): uid("ann")}


def test_a_circle_within_one_batch_is_none():
    """S8: merged one way and the other in one transaction, or joined with a household that leads here already."""
    made = village()
    back = operation("command", "person", "anne", base=made.base("anne"), name="merge_persons", arguments={"merged": uid("ann")})
    assert [one.outcome for one in made.push(ONE, [merge(made)], [back])] == ["applied", "unchanged"]
    assert made.redirects == {uid("anne"): uid("ann")}
    whole = village()
    assert [one.outcome for one in whole.push(ONE, [merge(whole), back])] == ["applied", "unchanged"], "in one group too"
    join = operation("command", "household", "family a", base=made.base("family a"), name="join_households", arguments={"household": uid("family b")})
    again = operation("command", "household", "family b", base=made.base("family b"), name="join_households", arguments={"household": uid("family a")}, op="other way")
    assert [one.outcome for one in made.push(TWO, [join], [again])] == ["applied", "unchanged"]
    assert made.one(ONE, {**join, "op_id": uid("later")}).outcome == "unchanged"
    assert made.redirects == {uid("anne"): uid("ann"), uid("family b"): uid("family a")}
    made.check_streams()


def test_late_work_goes_to_the_survivor():
    """S8, S1: an operation that names the merged record is about the survivor; what it covers unseen is listed."""
    made = village()
    patches = [
        operation("patch", "person", "anne", {"employer_text": "mill"}, base=made.base("anne")),
        operation("patch", "person", "anne", {"sex": "1"}, base=made.base("anne"), was={"sex": None}),
        operation("confirm", "person", "anne", base=made.base("anne"), units=["name"], was={"name": "Ann"}),
    ]
    made.one(ONE, merge(made))
    assert [made.one(TWO, one).outcome for one in patches] == ["merged", "merged", "merged"]
    listed = [one.dispute for one in made.listed if one.record_id == uid("ann")]
    assert [(one.unit, one.standing["sex"], one.newcomer["sex"]) for one in listed] == [("sex", "2", "1")], "L5"
    assert made.fields("ann")["employer_text"] == "mill" and made.fields("anne").get("employer_text") is None
    visit = operation("create", "care_status", "care 2", {"person": uid("anne"), "kind": "disabled"})
    assert made.one(TWO, visit).outcome == "applied" and made.record("care 2").home == "cell/0"
    made.check_streams()


def test_edits_that_the_merger_had_not_seen_are_told():
    """L5: what somebody wrote to the other record meanwhile stays in it, or comes over, and is named."""
    made = village()
    command = merge(made)
    made.one(TWO, operation("patch", "person", "anne", {"occupation_text": "miller"}, base=made.base("anne")))
    assert made.one(ONE, command).outcome in ("merged", "applied")
    assert ("occupation_text", uid("ann")) in made.found("merged_unseen")


def test_a_merge_is_taken_back():
    """S8: both stand as before; the care record is with its own person again."""
    made = village()
    before = {name: dict(made.fields(name)) for name in ("ann", "anne")}
    command = merge(made)
    made.one(ONE, command)
    assert made.one(TWO, undo(command)).outcome == "applied"
    assert {name: made.fields(name) for name in before} == before
    assert made.record("anne").life == "live" and made.redirects == {}
    assert (made.record("care").home, made.record("care").place_parent) == ("cell/1", uid("anne"))
    assert made.one(ONE, undo(command, op=uid("twice"))).outcome == "unchanged"
    assert made.of_type("residence") == []
    made.check_streams()


def test_a_merge_is_taken_back_after_further_edits():
    """S8: what was written to each id since belongs to that record; what was written to the survivor is listed for review."""
    made = village()
    old = made.base("anne")
    command = merge(made)
    made.one(ONE, command)
    made.one(ONE, operation("patch", "person", "ann", {"marital_code": "20", "birth_date": "1981-02-02"}, base=made.base("ann")))
    made.one(TWO, operation("patch", "person", "anne", {"employer_text": "mill"}, base=old))
    assert made.fields("ann")["employer_text"] == "mill"
    assert made.one(TWO, undo(command)).outcome == "applied"
    ann, anne = made.fields("ann"), made.fields("anne")
    assert ann["marital_code"] == "20" and ann["birth_date"] == "1981-02-02" and "employer_text" not in ann
    assert ann["phones"] == ["1"] and ann["note"] == "first"
    assert anne["employer_text"] == "mill" and anne["birth_date"] == "1980-01-01" and "marital_code" not in anne
    assert [record_id for _, record_id in made.found("merge_undone")] == [uid("ann")]
    made.check_streams()


def test_merges_are_taken_back_latest_first():
    """S8: an earlier merge cannot be taken out from under a later one."""
    made = village()
    made.one(OFFICE, person("third", "a"))
    first = merge(made)
    made.one(ONE, first)
    second = operation("command", "person", "ann", base=made.base("ann"), name="merge_persons", arguments={"merged": uid("third")})
    made.one(ONE, second)
    refused = made.one(TWO, undo(first))
    assert (refused.outcome, refused.errors[0]["code"]) == ("quarantined", "not_the_latest")
    assert made.one(ONE, undo(second)).outcome == "applied"
    assert made.one(ONE, undo(first, op=uid("now"))).outcome == "applied" and made.redirects == {}
    made.check_streams()


def test_two_households_of_one_family_become_one_and_part_again():
    """S8: members and visits stand with the survivor; taken back, each is where it was."""
    made = village()
    command = operation("command", "household", "family a", base=made.base("family a"), name="merge_households",
                        arguments={"merged": uid("family b")})  # fmt: skip
    assert made.one(ONE, command).outcome in ("applied", "unchanged")
    assert made.record("family b").life == "merged"
    assert (made.record("anne").home, made.record("anne").place_parent) == ("cell/0", uid("family a"))
    moved = operation("command", "household", "family a", base=made.base("family a"), name="move_household", arguments={"dwelling": uid("dwelling b")})
    assert made.one(TWO, moved).outcome == "applied" and made.record("anne").home == "cell/1"
    back = operation("command", "household", "family a", name="undo", arguments={"command": command["op_id"]})
    assert made.one(ONE, back).outcome == "applied"
    assert made.record("anne").place_parent == uid("family b")
    made.check_streams()


@pytest.mark.parametrize("unit", ["name", "phones", "birth", "note", "occupation_text", "residence"])
def test_the_preview_says_what_each_unit_becomes(unit):
    """S8: what would be merged, and which values differ."""
    made = village()
    states = {one.unit: one.state for one in compare(REGISTRY.latest("person"), made.record("ann"), made.record("anne"))}
    expected = {"name": "same", "phones": "joined", "birth": "only_merged", "note": "joined", "occupation_text": "only_merged",
                "residence": "differs"}  # fmt: skip
    assert states[unit] == expected[unit]
