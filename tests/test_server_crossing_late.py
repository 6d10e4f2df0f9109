"""S30, S14: late work about those who moved never waits for ever, and never stops the work of others."""

from __future__ import annotations

import json

import pytest
from crossing_kit import (
    COMMUNITY,
    NOWHERE,
    OTHER,
    accept,
    ask,
    dwelling_there,
    family,
    secretary_of,
    there,
    two_communities,
)
from server_kit import create, home, operation, patch, resident

from server.errors import AlreadyDecided
from server.jobs.worker import Worker
from server.services import crossing, deciding, forwarding, push, release
from server.services.deciding import Waiting
from server.services.push import accept_user_group, user_operation
from server.simulation import laws
from server.store import crossings
from server.store.database import read


@pytest.fixture
def ground(prepared_database, tmp_path, clock):
    with two_communities(prepared_database, tmp_path, clock) as found:
        yield found


def told(phone, *operations):
    phone.pull()
    return [(phone.statuses[one["op_id"]]["outcome"], phone.statuses[one["op_id"]]["reason"]) for one in operations]


def test_s30_who_stays_cannot_join_a_household_that_has_moved_and_the_office_is_told(ground):
    """S30, S13: the person is here and the household there: the edit waits for the author's office, and the next late edit goes on."""
    phone, away = ground.worker(0), ground.worker(0)
    near, _ = family(phone)
    other = home(0, "李四")
    phone.push(other.operations)
    away.pull()
    joins = patch(ground, other.persons[0], {"residence_household": near.household, "relation_to_head": "01"})
    late = patch(ground, near.persons[0], {"note": "敲门"})
    _, waiting = ask(ground, phone, near.household)
    accept(ground, waiting)
    away.push([joins], [late])
    assert told(away, joins, late) == [("quarantined", "moved"), ("merged", "moved")]
    assert json.loads(there(ground, near.persons[0]).fields)["note"] == "敲门"
    assert ground.fields(other.persons[0])["residence_household"] == other.household


def test_s17_what_breaks_while_it_is_decided_elsewhere_is_kept_for_repair(ground, monkeypatch):
    """S17, S30: one late edit that the program cannot decide is quarantined; the others go on, and the worker's rounds with them."""
    phone, away = ground.worker(0), ground.worker(0)
    near, _ = family(phone)
    away.pull()
    broken, late = patch(ground, near.persons[0], {"note": "甲"}), patch(ground, near.persons[1], {"note": "乙"})
    _, waiting = ask(ground, phone, near.household)
    accept(ground, waiting)
    going = forwarding._going

    def breaks(group, moved):
        if group[0].op_id == broken["op_id"]:
            raise IndexError("list index out of range")
        return going(group, moved)

    monkeypatch.setattr(forwarding, "_going", breaks)
    away.push([broken], [late])
    Worker(ground.house).sweep(now=True)
    assert told(away, broken, late) == [("quarantined", "unexpected"), ("merged", "moved")]
    assert there(ground, near.persons[0], COMMUNITY).life == "moved"


def test_s14_what_follows_a_newborn_of_a_household_that_has_moved_goes_there_too(ground):
    """S14, S30: the newborn is made there; the next edits of it, by this phone and by another that heard of it earlier, find it there, and so
    does its household when it comes back."""
    phone, away, third = ground.worker(0), ground.worker(0), ground.worker(0)
    near, _ = family(phone)
    away.pull()
    _, waiting = ask(ground, phone, near.household)
    accept(ground, waiting)
    newborn = resident(near.household, "张新生")
    number, note = ({"phones": ["13700000002"]}, {"note": "满月"})
    earlier = operation("patch", "person", newborn["id"], {"former_names": {"add": ["毛毛"]}})
    assert third.push([earlier])[0]["now"]["reason"] == "parent"
    first, second, care = (
        operation("patch", "person", newborn["id"], number),
        operation("patch", "person", newborn["id"], note),
        create("care_status", {"person": newborn["id"], "kind": "disabled"}),
    )
    away.push([newborn], [first])
    away.push([second], [care])
    release.sweep(ground.house)
    assert told(third, earlier) == [("merged", "moved")]
    assert {outcome for outcome, _ in told(away, newborn, first, second, care)} <= {"applied", "merged"}
    fields = json.loads(there(ground, newborn["id"]).fields)
    assert {name: fields[name] for name in ("phones", "note", "former_names")} == {**number, **note, "former_names": ["毛毛"]}
    assert there(ground, care["id"]).life == "live" and there(ground, newborn["id"], COMMUNITY) is None
    row = there(ground, near.household)
    back = {
        "kind": "command", "type": "household", "id": row.id, "name": "move_household", "base": {"v": row.v, "tag": row.tag},
        "arguments": {"community": COMMUNITY},
    }  # fmt: skip
    accept_user_group(ground.house, secretary_of(ground.house), [user_operation(ground.house, back)])
    with read(ground.house.engine) as connection:
        (one,) = crossings.requests(connection, COMMUNITY)
    crossing.accept(ground.house, ground.secretary, Waiting(OTHER, one["install_id"], one["n"]), NOWHERE)
    assert ground.record(newborn["id"]).life == "live" and ground.fields(newborn["id"])["note"] == "满月"
    assert away.outcomes([operation("patch", "person", newborn["id"], {"note": "百日"})]) in ([("applied", None)], [("merged", None)])


def test_s14_the_laws_of_the_stories_find_work_that_waits_in_vain(ground, monkeypatch):
    """S14: work held for a record that has moved, or that is there, is a broken law of a story that has come to rest."""
    phone, away = ground.worker(0), ground.worker(0)
    near, _ = family(phone)
    away.pull()
    late = patch(ground, near.persons[0], {"note": "敲门"})
    _, waiting = ask(ground, phone, near.household)
    accept(ground, waiting)
    with monkeypatch.context() as patched:
        patched.setattr(forwarding, "forward_waiting", lambda *_: 0)
        away.push([late])
    assert laws.waits_in_vain(ground.house, (OTHER, COMMUNITY)) == f"work in {COMMUNITY} waits for a record that has moved"
    release.sweep(ground.house)
    assert laws.waits_in_vain(ground.house, (OTHER, COMMUNITY)) is None


def test_s14_the_laws_of_the_stories_find_work_that_could_be_decided(ground, monkeypatch):
    """S14: who was recorded before the household, and was not looked at again when it came, is a broken law; once is enough to mend it."""
    phone, early = ground.worker(0), ground.worker(0)
    near, _ = family(phone)
    household = create("household", {"dwelling": near.dwelling})
    with monkeypatch.context() as patched:
        patched.setattr(push, "release_waiting", lambda *_, **__: 0)
        early.push([create("person", {"name": "早到", "document_missing_reason": "not_asked", "residence_household": household["id"]})])
        phone.push([household])
    assert laws.waits_in_vain(ground.house, (OTHER, COMMUNITY)) == f"work in {COMMUNITY} waits for a record that is there, or behind work that is settled"
    assert laws.waits_in_vain(ground.house, (OTHER, COMMUNITY)) is None


def test_s8_a_household_that_was_merged_before_it_is_accepted_is_placed_with_the_one_it_leads_to(ground):
    """S8, S30: asked for, merged into another, then accepted with a dwelling: the one that lives on has that dwelling there."""
    phone = ground.worker(0)
    near, _ = family(phone)
    other = home(0, "李四")
    phone.push(other.operations)
    _, waiting = ask(ground, phone, near.household)
    merge = operation(
        "command", "household", other.household, base=ground.base(other.household), name="merge_households",
        arguments={"merged": near.household}, others={near.household: {"base": ground.base(near.household), "was": {}}},
    )  # fmt: skip
    phone.write(merge)
    dwelling = dwelling_there(ground)
    placed = accept(ground, waiting, crossing.Place(dwelling=dwelling))["placed"]
    assert placed["now"]["outcome"] == "applied", placed
    survivor = there(ground, other.household)
    assert json.loads(survivor.fields)["dwelling"] == dwelling and survivor.home != "~unplaced"
    assert {there(ground, one).home for one in (*near.persons, *other.persons)} == {survivor.home}


def change_head(ground, near, head):
    return operation("command", "household", near.household, base=ground.base(near.household), name="change_head", arguments={"head": head})


def decided_there(ground, near, stranger, command):
    """The office of the old community confirms; what became of it there and what its author is told."""
    said = deciding.confirm(ground.house, ground.secretary, Waiting(COMMUNITY, stranger.install_id, stranger.n))
    assert (said[0]["now"]["outcome"], said[0]["now"]["reason"]) == ("held", "moved")
    with pytest.raises(AlreadyDecided):
        deciding.confirm(ground.house, ground.secretary, Waiting(COMMUNITY, stranger.install_id, stranger.n))
    return json.loads(there(ground, near.household).fields).get("head"), told(stranger, command)[0]


def test_s18_a_proposal_about_who_has_moved_since_is_confirmed_and_decided_there(ground):
    """S18, S30, L5: the worker of another cell proposed before the move; the office confirms after it, and it takes effect there."""
    phone, stranger = ground.worker(0), ground.worker(1)
    near, _ = family(phone)
    proposed = change_head(ground, near, near.persons[1])
    assert stranger.outcomes([proposed]) == [("held", "proposal")]
    _, waiting = ask(ground, phone, near.household)
    accept(ground, waiting)
    head, (outcome, reason) = decided_there(ground, near, stranger, proposed)
    assert (head, reason) == (near.persons[1], "moved") and outcome in {"applied", "merged"}


def test_s18_a_late_command_outside_my_cells_is_a_proposal_also_where_its_records_have_moved(ground):
    """S18, S30: a move changes nothing about who may decide: somebody over all of it says yes before the other community enters it."""
    phone, stranger = ground.worker(0), ground.worker(1)
    near, _ = family(phone)
    late = change_head(ground, near, near.persons[1])
    before = json.loads(there(ground, near.household, COMMUNITY).fields).get("head")
    _, waiting = ask(ground, phone, near.household)
    accept(ground, waiting)
    assert stranger.outcomes([late]) == [("held", "proposal")]
    assert json.loads(there(ground, near.household).fields).get("head") == before != near.persons[1]
    head, (outcome, reason) = decided_there(ground, near, stranger, late)
    assert (head, reason) == (near.persons[1], "moved") and outcome in {"applied", "merged"}
