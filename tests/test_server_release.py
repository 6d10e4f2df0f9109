"""Held work is released (S14): whatever came first, in one install or two, nothing waits for ever and nothing is lost."""

from __future__ import annotations

import pytest
from server_kit import COMMUNITY, anchor, building, create, furnish, home, open_ground, operation, resident
from stream_oracle import recount

from forms.registry import load_registry
from server.services.deciding import Waiting, repair
from server.services.release import release_waiting, sweep
from server.services.verify import verify
from server.store.errors import Busy


@pytest.fixture
def ground(prepared_database, tmp_path, clock):
    ground = open_ground(prepared_database(furnish), tmp_path, clock)
    yield ground
    recount(ground)
    ground.close()


class Newer:
    """The same forms, with a second version of every one."""

    def __init__(self, registry):
        self._registry = registry

    def get(self, record_type, version):
        return self._registry.get(record_type, min(version, 1)) if version <= 2 else None

    def __getattr__(self, name):
        return getattr(self._registry, name)


def waiting(ground):
    """How many operations are held."""
    return ground.rows("SELECT count(*) FROM operation WHERE now = 'held'")[0][0]


@pytest.mark.parametrize("child_first", [True, False])
def test_child_and_parent_from_two_phones_in_either_order(ground, child_first):
    """S14, trap 14: the member arrives before its household, or after it: both end applied, and the phone is told."""
    one, two = ground.worker(0), ground.worker(0)
    made = home(0)
    person = resident(made.household, "张一")
    sends = [(two, [person]), (one, made.operations)] if child_first else [(one, made.operations), (two, [person])]
    for phone, group in sends:
        phone.push(group)
    assert ground.record(person["id"]).home == ground.streams[0]
    assert waiting(ground) == 0
    two.pull()
    if child_first:
        told = two.statuses[person["op_id"]]
        assert (told["outcome"], told["status"], told["record"]["v"]) == ("applied", 2, 1)
        again = two.send(two.batch([[person]], after=(0, None)))["results"][0]
        assert again["first"] == {"outcome": "held", "reason": "parent"}
        assert again["now"] == {"outcome": "applied", "reason": None, "status": 2}
    else:
        assert two.statuses == {}


def test_a_chain_of_waits_over_three_phones_ends_at_once(ground):
    """S14: person waits for household waits for dwelling waits for building; the building frees all of them."""
    phones = [ground.worker(0) for _ in range(3)]
    house, dwelling, family, person = home(0, "张一").operations
    assert phones[0].outcomes([person]) == [("held", "parent")]
    assert phones[1].outcomes([family]) == [("held", "parent")]
    assert phones[2].outcomes([dwelling]) == [("held", "parent")]
    assert phones[0].outcomes([house]) == [("applied", None)]
    assert waiting(ground) == 0
    for phone in phones:
        phone.pull()
        assert [row["outcome"] for row in phone.statuses.values()] == ["applied"]


def test_a_group_that_waits_for_two_parents_is_held_again_for_the_second(ground):
    """S14: one parent came, the other did not: still held, then released by the second; whole or not at all."""
    phone, other = ground.worker(0), ground.worker(0)
    one, two = building(0), building(0)
    group = [
        create("dwelling", {"building": one["id"], "door_number": "1"}),
        create("dwelling", {"building": two["id"], "door_number": "2"}),
    ]
    assert phone.outcomes(group) == [("held", "parent")] * 2
    other.push([one])
    assert waiting(ground) == 2
    assert [row.waits_for for row in ground.rows("SELECT waits_for FROM held_wait")] == [two["id"]]
    other.push([two])
    assert waiting(ground) == 0 and ground.rows("SELECT count(*) FROM held_wait")[0][0] == 0


def test_what_waits_again_for_something_that_the_same_release_makes_is_not_forgotten(ground):
    """S14: released in one go even where a group is looked at before what it waits for next has come."""
    a, b, c = sorted((ground.worker(0) for _ in range(3)), key=lambda phone: phone.install_id)
    one, two = building(0), building(0)
    late = create("dwelling", {"building": two["id"], "door_number": "9"})
    family = create("household", {"dwelling": late["id"], "kind": "family"})
    both = [create("dwelling", {"building": one["id"], "door_number": "1"}), resident(family["id"], "张一")]
    a.push(both)
    b.push([family])
    c.push([late])
    c.push([one])
    assert waiting(ground) == 4
    c.push([two])
    assert waiting(ground) == 0


def test_operations_behind_share_the_repair(ground):
    """S13, S14: edits made over a held creation are released after it, in order."""
    phone, other = ground.worker(0), ground.worker(0)
    parent = building(0)
    child = create("dwelling", {"building": parent["id"], "door_number": "1"})
    edits = [operation("patch", "dwelling", child["id"], {"door_number": str(n)}) for n in (2, 3, 4)]
    phone.push([child], *[[one] for one in edits])
    other.push([parent])
    assert ground.fields(child["id"])["door_number"] == "4"
    assert ground.record(child["id"]).v == 4
    phone.pull()
    assert {row["outcome"] for row in phone.statuses.values()} == {"applied"} and len(phone.statuses) == 4


def test_an_update_before_its_create(ground):
    """Trap 14: another phone's patch that arrives before the creation is merged when it comes."""
    one, two = ground.worker(0), ground.worker(0)
    made = home(0)
    early = operation("patch", "household", made.household, {"tags": {"add": ["独居"], "remove": []}})
    assert two.outcomes([early]) == [("held", "parent")]
    one.push(made.operations)
    assert ground.fields(made.household)["tags"] == ["独居"]


def test_the_sweeper_finds_what_nobody_released(ground, monkeypatch):
    """S14: a release that never ran (the process died after the commit) is made up for by the sweeper."""
    from server.services import push

    one, two = ground.worker(0), ground.worker(0)
    made = home(0)
    person = resident(made.household, "张一")
    two.push([person])
    with monkeypatch.context() as patched:
        patched.setattr(push, "release_waiting", lambda *_arguments, **_options: 0)
        one.push(made.operations)
    assert waiting(ground) == 1
    assert sweep(ground.house) == 1
    assert sweep(ground.house) == 0
    two.pull()
    assert two.statuses[person["op_id"]]["outcome"] == "applied"


def test_what_stops_at_one_group_or_in_one_community_leaves_the_others_their_release(ground, monkeypatch):
    """S14, S17: one held group that cannot be released now, and a whole community that cannot, wait for the next sweep alone."""
    from server.services import push, release

    one, two, three = ground.worker(0), ground.worker(0), ground.worker(0)
    made = home(0)
    early = [resident(made.household, "张一"), resident(made.household, "张二")]
    two.push([early[0]])
    three.push([early[1]])
    with monkeypatch.context() as patched:
        patched.setattr(push, "release_waiting", lambda *_arguments, **_options: 0)
        one.push(made.operations)
    really, found = release._release_group, release.reading.communities_with_held

    def stops(house, community_id, install_id, group_n):
        if community_id == "c-broken":
            raise AssertionError("nothing waits there")
        if install_id == two.install_id:
            raise Busy(retry_after_s=1)
        return really(house, community_id, install_id, group_n)

    def no_forms(house, community_id, *more):
        if community_id == "c-broken":
            raise KeyError(community_id)
        return at_home(house, community_id, *more)

    at_home = release.at_home
    with monkeypatch.context() as patched:
        patched.setattr(release, "_release_group", stops)
        patched.setattr(release, "at_home", no_forms)
        patched.setattr(release.reading, "communities_with_held", lambda connection: ["c-broken", *found(connection)])
        assert sweep(ground.house) == 1
    assert waiting(ground) == 1
    assert sweep(ground.house) == 1
    assert waiting(ground) == 0


def test_the_sweeper_releases_what_waited_for_a_form(ground, monkeypatch):
    """S10, S14: when the server learns the newer form, what phones wrote with it is applied."""
    phone = ground.worker(0)
    newer = building(0) | {"form_version": 2}
    assert phone.outcomes([newer]) == [("held", "form")]
    assert sweep(ground.house) == 0
    object.__setattr__(ground.house, "registry", Newer(load_registry()))
    assert sweep(ground.house) == 1
    assert ground.record(newer["id"]).form_version == 2
    phone.pull()
    assert phone.statuses[newer["op_id"]]["outcome"] == "applied"


def test_who_waits_for_something_else_now_is_told_what(ground):
    """S13, S14: the form has come, but an earlier operation of the same phone is open: the phone hears the new reason, once."""
    phone = ground.worker(0)
    house = building(0)
    spoilt = operation("patch", "building", house["id"], {"floors_count": "up"})
    newer = operation("patch", "building", house["id"], {"floors_count": 5}) | {"form_version": 2}
    assert phone.outcomes([house], [spoilt], [newer]) == [("applied", None), ("quarantined", "invalid"), ("held", "form")]
    object.__setattr__(ground.house, "registry", Newer(load_registry()))
    assert [sweep(ground.house), sweep(ground.house)] == [0, 0]
    phone.pull()
    told = phone.statuses[newer["op_id"]]
    assert (told["outcome"], told["reason"], told["status"]) == ("held", "behind", 2)
    assert verify(ground.house).agrees
    repair(ground.house, ground.secretary, Waiting(COMMUNITY, phone.install_id, 2), {2: {"set": {"floors_count": 4}}})
    assert ground.fields(house["id"])["floors_count"] == 5
    phone.pull()
    assert phone.statuses[newer["op_id"]]["outcome"] == "applied"


def test_a_fork_of_a_held_operation_shares_its_fate(ground):
    """S21, L6: the same bytes under another install wait for the first sending, and never block that phone for ever."""
    phone, other = ground.worker(0), ground.worker(0)
    parent = building(0)
    child = create("dwelling", {"building": parent["id"], "door_number": "1"})
    phone.push([child])
    fork = ground.enrol(phone.user_id)
    assert fork.outcomes([child]) == [("held", "parent")]
    other.push([parent])
    assert waiting(ground) == 0
    assert ground.record(child["id"]).v == 1
    fork.pull()
    assert fork.statuses[child["op_id"]]["outcome"] == "applied"
    later = operation("patch", "dwelling", child["id"], {"door_number": "2"}, base=ground.base(child["id"]))
    assert fork.outcomes([later]) == [("applied", None)]


def test_a_fault_while_releasing_quarantines_that_group_only(ground, monkeypatch):
    """S17: a released group that breaks is kept for repair; the others are released."""
    from sync import entering as plan

    one, two = ground.worker(0), ground.worker(0)
    parent = building(0)
    good, bad = (create("dwelling", {"building": parent["id"], "door_number": n}) for n in "12")
    two.push([bad], [good])
    real = plan._create

    def explode(prepared, op, *rest):
        if op.id == bad["id"]:
            raise ZeroDivisionError
        return real(prepared, op, *rest)

    with monkeypatch.context() as patched:
        patched.setattr(plan, "_create", explode)
        assert one.outcomes([parent]) == [("applied", None)]
    assert ground.record(good["id"]) is not None and ground.record(bad["id"]) is None
    two.pull()
    assert two.statuses[bad["op_id"]]["outcome"] == "quarantined"
    assert two.statuses[good["op_id"]]["outcome"] == "applied"


def test_a_release_that_ends_in_quarantine_is_told(ground):
    """S13: the parent came, but it is of another type: quarantined, and the phone hears of it."""
    one, two = ground.worker(0), ground.worker(0)
    wrong = create("estate", {"name": "某苑", "anchor": anchor(0)})
    child = create("dwelling", {"building": wrong["id"], "door_number": "1"})
    assert two.outcomes([child]) == [("held", "parent")]
    one.push([wrong])
    two.pull()
    assert two.statuses[child["op_id"]]["outcome"] == "quarantined"


def test_releasing_is_a_journaled_command_of_its_own(ground):
    """S14, S27: the journal tells which command applied the operation."""
    one, two = ground.worker(0), ground.worker(0)
    made = home(0)
    two.push([resident(made.household, "张一")])
    one.push(made.operations)
    commands = [row.command for row in ground.rows("SELECT command FROM journal WHERE community_id = ? ORDER BY number", COMMUNITY)]
    assert commands[-3:] == ["push", "push", "release"]


def test_releasing_twice_changes_nothing(ground):
    """S14: a second release of the same wait finds nothing to do."""
    one, two = ground.worker(0), ground.worker(0)
    made = home(0)
    two.push([resident(made.household, "张一")])
    one.push(made.operations)
    assert release_waiting(ground.house, COMMUNITY, [made.household], any_held=True) == 0


def test_what_waits_behind_a_quarantined_operation_is_not_tried_at_every_push(ground, monkeypatch):
    """S13, S14: it waits for the repair alone; somebody else's held work does not stand in a queue with it."""
    from server.services import release

    one, two = ground.worker(0), ground.worker(1)
    foreign = building(1)
    two.write(foreign)
    edits = [operation("patch", "building", foreign["id"], {"note": str(n)}) for n in range(4)]
    reasons = ["out_of_scope", "behind", "behind", "behind"]
    assert [reason for _, reason in one.outcomes(*[[one] for one in edits])] == reasons
    tries = []
    real = release._release_group
    monkeypatch.setattr(release, "_release_group", lambda *given: tries.append(given) or real(*given))
    two.push([create("dwelling", {"building": building(0)["id"], "door_number": "1"})])
    assert sweep(ground.house) == 0
    assert tries == []


def test_what_waited_behind_a_release_that_changed_nothing_is_released_with_it(ground):
    """S13, S14: the operation before it turns out to be said already: the one behind goes in at once all the same."""
    one, two = ground.worker(0), ground.worker(0)
    made, other = home(0, "张一"), home(0)
    one.write(*made.operations)
    later = home(0)
    group = [
        operation("patch", "person", made.persons[0], {"name": "张一"}, base=ground.base(made.persons[0])),
        resident(later.household, "张二"),
    ]
    behind = operation("patch", "person", made.persons[0], {"occupation_text": "教师"}, base=ground.base(made.persons[0]))
    assert one.outcomes(group, [behind]) == [("held", "parent"), ("held", "parent"), ("held", "behind")]
    two.write(*other.operations)
    two.write(*later.operations)
    assert waiting(ground) == 0
    assert ground.fields(made.persons[0])["occupation_text"] == "教师"
