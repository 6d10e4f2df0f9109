"""Commands: one text that changes several records that belong together (S1–S6, S13, S18, S24)."""

from __future__ import annotations

from typing import Any

import pytest
from sync_kit import REGISTRY, Village, anchored, operation, uid

from sync.arguments import COMMANDS, MERGES, wrong_arguments
from sync.operation import operation_of
from sync.scope import ScopeRule

OFFICE, ONE, TWO = "office", "phone-1", "phone-2"


def village() -> Village:
    """Two buildings in two cells with a dwelling each; a family of three in the first."""
    made = Village()
    for number, name in enumerate(("a", "b")):
        made.one(OFFICE, operation("create", "building", f"building {name}", {"anchor": anchored(number + 0.5)}))
        made.one(OFFICE, operation("create", "dwelling", f"dwelling {name}", {"building": uid(f"building {name}")}))
    made.one(
        OFFICE, operation("create", "household", "family", {"dwelling": uid("dwelling a"), "head": uid("ann"), "kind": "family"})
    )
    for name, relation in (("ann", "02"), ("ben", "10"), ("cai", "20")):
        made.one(
            OFFICE,
            operation(
                "create", "person", name,
                {"name": name, "residence_household": uid("family"), "relation_to_head": relation, "resident_from": "2020-05-01",
                 "document_missing_reason": "not_asked"},
            ),
        )  # fmt: skip
    return made


def command(made: Village, name: str, record_type: str, target: str, arguments: dict[str, Any], *seen: str, **more: Any) -> Any:
    """A command upon what everybody sees now: the principal and the records that are named after it."""
    others = {uid(one): {"base": made.base(one), "was": {}} for one in seen}
    return operation(
        "command", record_type, target, base=made.base(target), name=name, arguments=arguments, others=others, **more
    )


def episodes(made: Village) -> list[tuple[Any, ...]]:
    """(person, dwelling, to, reason) of every closed residence."""
    return sorted(
        (one.fields["person"], one.fields.get("dwelling"), one.fields["resident_to"], one.fields.get("left_reason"))
        for one in made.of_type("residence")
    )


FAMILY = ("ann", "ben", "cai")


def test_a_moving_household_takes_its_members_and_its_cell_along():
    """S15, S24: one text moves the household, everybody in it and their cell, and closes what they have left."""
    made = village()
    said = made.one(
        ONE, command(made, "move_household", "household", "family", {"dwelling": uid("dwelling b"), "on": "2026-02-01"}, *FAMILY)
    )
    assert said.outcome == "applied" and said.v == 2
    assert made.record("family").home == "cell/1" and made.fields("family")["dwelling"] == uid("dwelling b")
    for name in FAMILY:
        person = made.record(name)
        assert (person.home, person.v, person.fields["resident_from"]) == ("cell/1", 2, "2026-02-01")
    assert episodes(made) == sorted((uid(one), uid("dwelling a"), "2026-02-01", "moved_out") for one in FAMILY)
    made.check_streams()


def test_two_phones_move_one_household_to_two_homes():
    """S2, S6: nobody is in two homes; the second move is a conflict of the household and of everybody whose day differs."""
    made = village()
    first = command(made, "move_household", "household", "family", {"dwelling": uid("dwelling b"), "on": "2026-02-01"}, *FAMILY)
    other = operation("create", "dwelling", "dwelling c", {"building": uid("building a")})
    second = command(made, "move_household", "household", "family", {"dwelling": uid("dwelling c"), "on": "2026-02-01"}, *FAMILY)
    assert made.one(ONE, first).outcome == "applied"
    made.one(TWO, other)
    assert made.one(TWO, second).outcome == "conflict"
    assert made.fields("family")["dwelling"] == uid("dwelling b") and made.open("family") == ["dwelling"]
    assert [made.open(one) for one in FAMILY] == [[], [], []], "the same day is agreement"
    assert len(episodes(made)) == 3, "nobody left twice"
    assert made.one(TWO, {**second}).outcome == "conflict" and len(episodes(made)) == 3, "L6"


def test_who_was_moved_elsewhere_meanwhile_is_a_conflict_and_not_taken_along():
    """S2: a member whom another phone moved out is not dragged back; both values are listed."""
    made = village()
    move = command(made, "move_household", "household", "family", {"dwelling": uid("dwelling b"), "members": [uid("cai")]}, "cai")
    made.one(TWO, operation("create", "household", "flat", {"dwelling": uid("dwelling b")}))
    leaves = operation("patch", "person", "cai", {"residence_household": uid("flat"), "resident_from": "2026-01-05"}, base=made.base("cai"))
    made.one(TWO, leaves)
    assert made.one(ONE, move).outcome == "conflict"
    assert made.fields("cai")["residence_household"] == uid("flat") and made.open("cai") == ["residence"]
    listed = next(one for one in made.listed if one.record_id == uid("cai"))
    assert listed.dispute.newcomer["residence_household"] == uid("family")
    assert made.record("ann").home == "cell/1", "who is not named follows the household"


def test_a_named_member_who_was_not_on_the_screen_is_passed_over_when_gone():
    """A member without a base is taken as they stand: who lives elsewhere by now stays there."""
    made = village()
    made.one(TWO, operation("create", "household", "flat", {"dwelling": uid("dwelling b")}))
    made.one(TWO, operation("patch", "person", "cai", {"residence_household": uid("flat")}, base=made.base("cai")))
    move = command(made, "move_household", "household", "family", {"dwelling": uid("dwelling b"), "members": [uid("cai"), uid("ben")]})
    assert made.one(ONE, move).outcome == "applied"
    assert made.fields("cai")["residence_household"] == uid("flat") and made.open("cai") == []


def split(made: Village, **more: Any) -> Any:
    arguments = {"new_household": uid("new"), "members": [uid("ann"), uid("cai")], "dwelling": uid("dwelling b"), "head": uid("ann"),
                 "new_head": uid("ben"), "on": "2026-02-01"} | more  # fmt: skip
    return command(made, "split_household", "household", "family", arguments, *FAMILY)


def test_a_household_splits_in_one_step():
    """S13, S24: a new household, its members with their relations, the heads of both, and what the leavers have left."""
    made = village()
    assert made.one(ONE, split(made)).outcome == "applied"
    new = made.record("new")
    assert new.home == "cell/1" and new.fields == {
        "dwelling": uid("dwelling b"), "kind": "family", "head": uid("ann"), "moved_in_on": "2026-02-01"}  # fmt: skip
    assert made.fields("family")["head"] == uid("ben") and made.fields("ben")["relation_to_head"] == "02"
    assert made.fields("ann")["relation_to_head"] == "02" and "relation_to_head" not in made.fields("cai")
    assert episodes(made) == sorted((uid(one), uid("dwelling a"), "2026-02-01", "household_split") for one in ("ann", "cai"))
    made.check_streams()


def test_two_phones_split_the_same_household():
    """S2, S6: both new households stand, each person is in one; who was taken twice is a conflict."""
    made = village()
    one, two = split(made), split(made, new_household=uid("other"), members=[uid("cai"), uid("ben")], head=uid("cai"), new_head=uid("ann"))
    assert made.one(ONE, one).outcome == "applied"
    assert made.one(TWO, two).outcome == "conflict"
    assert made.fields("cai")["residence_household"] == uid("new") and made.open("cai") == ["residence"]
    assert made.fields("ben")["residence_household"] == uid("family"), "made head of the family by the other phone: unit residence"
    assert made.open("ben") == ["residence"]
    made.check_streams()


def test_two_households_join_and_the_one_that_ends_leads_to_the_other():
    """S8, S24: the members live together, the ended household's id leads to the one that stays, also for late work."""
    made = village()
    made.one(OFFICE, operation("create", "household", "flat", {"dwelling": uid("dwelling b"), "head": uid("dan")}))
    made.one(OFFICE, operation("create", "person", "dan", {"name": "dan", "residence_household": uid("flat"), "relation_to_head": "02"}))
    base = made.base("flat")
    join = command(made, "join_households", "household", "family", {"household": uid("flat"), "relations": {uid("dan"): "30"}}, "flat", "dan")
    assert made.one(ONE, join).outcome == "applied"
    assert made.record("flat").life == "merged" and made.redirects == {uid("flat"): uid("family")}
    dan = made.record("dan")
    assert (dan.home, dan.fields["residence_household"], dan.fields["relation_to_head"]) == ("cell/0", uid("family"), "30")
    assert episodes(made) == [(uid("dan"), uid("dwelling b"), "2026-03-02", "moved_out")]
    late = operation("patch", "household", "flat", {"pets_count": 2}, base=base)
    assert made.one(TWO, late).outcome in ("applied", "merged")
    assert made.fields("family")["pets_count"] == 2 and "pets_count" not in made.fields("flat")
    made.check_streams()


def test_the_head_changes_with_the_relations():
    """S6: one head; the former head has no relation until somebody says which."""
    made = village()
    said = made.one(ONE, command(made, "change_head", "household", "family", {"head": uid("ben"), "relations": {uid("cai"): "20"}}, *FAMILY))
    assert said.outcome == "applied" and made.fields("family")["head"] == uid("ben")
    assert [made.fields(one).get("relation_to_head") for one in FAMILY] == [None, "02", "20"]
    other = command(made, "change_head", "household", "family", {"head": None})
    assert made.one(TWO, other).outcome == "applied" and "head" not in made.fields("family")


def test_a_head_changed_by_two_phones_is_a_conflict():
    """S6: the household's head is one unit."""
    made = village()
    first, second = (command(made, "change_head", "household", "family", {"head": uid(one)}, *FAMILY) for one in ("ben", "cai"))
    made.one(ONE, first)
    assert made.one(TWO, second).outcome == "conflict" and made.open("family") == ["head"]


def test_who_left_has_an_episode_with_the_reason():
    """S24: the residence is cleared and closed with the reason; the headless household gets the head that was named."""
    made = village()
    left = command(made, "person_left", "person", "ann", {"household": uid("family"), "reason": "married", "on": "2026-01-31", "new_head": uid("ben")}, "family", "ben")
    assert made.one(ONE, left).outcome == "applied"
    assert "residence_household" not in made.fields("ann") and made.fields("family")["head"] == uid("ben")
    assert episodes(made) == [(uid("ann"), uid("dwelling a"), "2026-01-31", "married")]
    again = command(made, "person_left", "person", "ann", {"household": uid("family"), "reason": "married"}, "family")
    assert made.one(TWO, again).outcome == "unchanged" and len(episodes(made)) == 1


def test_who_left_while_another_phone_moved_them_is_a_conflict():
    """S2: leaving and moving, unseen by each other."""
    made = village()
    left = command(made, "person_left", "person", "cai", {"household": uid("family"), "reason": "study"}, "family")
    made.one(TWO, operation("create", "household", "flat", {"dwelling": uid("dwelling b")}))
    made.one(TWO, operation("patch", "person", "cai", {"residence_household": uid("flat")}, base=made.base("cai")))
    assert made.one(ONE, left).outcome == "conflict" and made.open("cai") == ["residence"]
    assert made.fields("cai")["residence_household"] == uid("flat")


def test_a_death_closes_the_residence():
    """S24: vital status, day, residence and head in one text."""
    made = village()
    died = command(made, "person_died", "person", "ann", {"on": "2026-02-27", "household": uid("family")}, "family")
    assert made.one(ONE, died).outcome == "applied"
    fields = made.fields("ann")
    assert (fields["vital_status"], fields["died_on"]) == ("deceased", "2026-02-27") and "residence_household" not in fields
    assert "head" not in made.fields("family")
    assert episodes(made) == [(uid("ann"), uid("dwelling a"), "2026-02-27", "died")]


def test_a_wrong_building_is_corrected_for_everybody_in_it():
    """L3: the dwelling, the household and its people change their cell; nobody has moved, so no episode is closed."""
    made = village()
    said = made.one(ONE, command(made, "correct_place", "dwelling", "dwelling a", {"building": uid("building b"), "floor_number": 3}))
    assert said.outcome == "applied" and {made.record(one).home for one in ("dwelling a", "family", *FAMILY)} == {"cell/1"}
    assert episodes(made) == [] and made.fields("dwelling a")["floor_number"] == 3
    made.check_streams()


def test_a_command_over_records_that_are_not_there_waits_for_them():
    """S13: held for its missing parent; what comes later about any of its records waits behind it."""
    made = village()
    move = command(made, "move_household", "household", "family", {"dwelling": uid("not yet"), "members": [uid("cai")]}, "cai")
    said = made.one(ONE, move)
    assert (said.outcome, said.reason, said.waits_for) == ("held", "parent", uid("not yet"))
    later = made.one(ONE, operation("patch", "person", "cai", {"name": "cai li"}, base=made.base("cai")))
    assert (later.outcome, later.reason) == ("held", "behind")
    wrong = made.one(TWO, command(made, "move_household", "household", "family", {"dwelling": uid("building b")}))
    assert (wrong.outcome, wrong.reason, wrong.errors[0]["pointer"]) == ("quarantined", "invalid", "/arguments/dwelling")


def test_a_command_beyond_the_scope_is_a_proposal_that_nothing_waits_behind():
    """S18, S13: held as a proposal; later work of the phone on the same records goes on."""
    made = village()
    mine = ScopeRule(frozenset({"cell/0"}), frozenset({"cell/0"}), 0, False)
    move = command(made, "move_household", "household", "family", {"dwelling": uid("dwelling b")}, *FAMILY)
    said = made.one(ONE, move, scope=mine)
    assert (said.outcome, said.reason) == ("held", "proposal") and made.record("family").home == "cell/0"
    later = made.one(ONE, operation("patch", "person", "cai", {"name": "cai li"}, base=made.base("cai")), scope=mine)
    assert later.outcome == "applied"


def test_a_group_with_a_command_is_whole_or_not_at_all():
    """S13: the new dwelling and the move into it share one fate."""
    made = village()
    dwelling = operation("create", "dwelling", "dwelling c", {"building": uid("building b")})
    move = command(made, "move_household", "household", "family", {"dwelling": uid("dwelling c")}, *FAMILY)
    assert [one.outcome for one in made.push(ONE, [dwelling, move])] == ["applied", "applied"]
    assert made.record("cai").home == "cell/1"
    orphan = operation("create", "dwelling", "dwelling d", {"building": uid("nowhere")})
    back = command(made, "move_household", "household", "family", {"dwelling": uid("dwelling d")}, *FAMILY)
    assert {one.outcome for one in made.push(ONE, [orphan, back])} == {"held"} and uid("dwelling d") not in made.records


WRONG: list[tuple[str, str, dict[str, Any], str, str]] = [
    ("no_such", "household", {}, "/name", "unknown_command"),
    ("move_household", "person", {"dwelling": uid("x")}, "/type", "wrong_type"),
    ("move_household", "household", {}, "/arguments/dwelling", "required"),
    ("move_household", "household", {"dwelling": "7"}, "/arguments/dwelling", "not_a_uuid"),
    ("move_household", "household", {"dwelling": None}, "/arguments/dwelling", "null"),
    ("move_household", "household", {"dwelling": uid("x"), "whither": 1}, "/arguments/whither", "unknown_argument"),
    ("move_household", "household", {"dwelling": uid("x"), "on": "2026-02-30"}, "/arguments/on", "not_a_date"),
    ("move_household", "household", {"dwelling": uid("x"), "members": "all"}, "/arguments/members", "not_ids"),
    ("split_household", "household", {"new_household": uid("y"), "members": []}, "/arguments/members", "empty"),
    ("split_household", "household", {"new_household": uid("family"), "members": [uid("a")]}, "/arguments/new_household", "not_new"),
    ("split_household", "household", {"new_household": uid("y"), "members": [uid("a")], "head": uid("b")}, "/arguments/head", "not_a_member"),
    ("join_households", "household", {"household": uid("family")}, "/arguments/household", "the_same"),
    ("change_head", "household", {"head": uid("a"), "relations": {uid("b"): "not a code"}}, f"/arguments/relations/{uid('b')}", "choice"),
    ("person_left", "person", {"household": uid("x"), "reason": "boredom"}, "/arguments/reason", "choice"),
    ("correct_place", "dwelling", {"floor_number": 2}, "/arguments", "no_place"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "record_type", "arguments", "pointer", "code"), WRONG)
def test_wrong_arguments_are_named(name, record_type, arguments, pointer, code):
    """Bad input gets an error that names the place, and nothing else is lost."""
    data = operation("command", record_type, "family", name=name, arguments=arguments)
    found = wrong_arguments(operation_of(data), REGISTRY.latest)
    assert [one.pointer for one in found] == [pointer]
    assert found[0].code == code or code in ("not_a_date", "choice"), found


def test_every_command_expands():
    """No name without a meaning."""
    from sync.commands import _EXPAND

    assert _EXPAND.keys() | {*MERGES, "undo"} == COMMANDS.keys()
