from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from server.services import enrolment
from sync.device import ForkNeeded, HttpTransport, Offline, Phone, Refused, Revoked
from tests.live import ROOT, LiveCommunity, LiveServer, anchor, home, live_server

__all__ = ["live_server"]


@pytest.fixture
def ground(live_server: LiveServer) -> LiveCommunity:
    return live_server.community()


class LosesAnswers(HttpTransport):
    """A network that carries every request and loses the next answers to a push."""

    lose = 0

    def request(self, method: str, path: str, **more: Any) -> Any:
        answer = super().request(method, path, **more)
        if self.lose and path.endswith("/push"):
            self.lose -= 1
            raise Offline("the answer was lost")
        return answer


def _pair(
    ground: LiveCommunity, folder: Path, first: tuple[int, ...] = (0,), second: tuple[int, ...] = (0,)
) -> tuple[Phone, Phone]:
    phones = (ground.phone(folder / "one", ground.worker(*first)), ground.phone(folder / "two", ground.worker(*second)))
    for phone in phones:
        phone.pull()
    return phones


def _same(one: Phone, two: Phone, stream: str) -> None:
    assert one.digests()[stream] == two.digests()[stream]
    assert all(not standing.settled or standing.acknowledged for phone in (one, two) for standing in phone.operations())


def test_what_one_phone_writes_offline_the_other_sees(ground: LiveCommunity, tmp_path: Path) -> None:
    """C5: A household written without a network reaches my colleague; both copies carry the same digest as the server."""
    one, two = _pair(ground, tmp_path)
    made = home(one, 0, "王小明", "李小红")
    pushed, pulled = one.sync()
    assert pushed.outcomes == {"applied": 5} and pulled.complete and pulled.rebuilt == []
    assert all(standing.settled for standing in one.operations())
    two.pull()
    found = two.find("person", residence_household=made["household"])
    assert {view.fields["name"] for view in found} == {"王小明", "李小红"}
    assert {view.home for view in found} == {ground.stream(0)}
    assert two.digests()[ground.stream(0)]["count"] == 5
    _same(one, two, ground.stream(0))


def test_l6_pushing_and_pulling_again_changes_nothing(ground: LiveCommunity, tmp_path: Path) -> None:
    """L6: a second sync sends nothing, brings nothing and changes no version."""
    one, _ = _pair(ground, tmp_path)
    home(one, 0, "王小明")
    one.sync()
    before = one.digests()
    pushed, pulled = one.sync()
    assert (pushed.requests, pulled.rows) == (0, 0) and one.digests() == before


def test_trap_8_a_lost_answer_is_given_again(ground: LiveCommunity, live_server: LiveServer, tmp_path: Path) -> None:
    """C4, L6: The server has my household, I never heard so: sending again does not make a second one."""
    one, two = _pair(ground, tmp_path)
    one._transport = transport = LosesAnswers(live_server.url)
    made = home(one, 0, "王小明")
    transport.lose = 2
    for _ in range(2):
        with pytest.raises(Offline):
            one.push()
    assert {standing.state for standing in one.operations()} == {"sent"}
    one.pull()
    assert not any(standing.settled for standing in one.operations())  # the outcome is not known yet
    assert all(standing.acknowledged for standing in one.operations())
    pushed, _ = one.sync()
    assert pushed.outcomes == {"applied": 4} and all(standing.settled for standing in one.operations())
    two.pull()
    assert [view.v for view in two.find("household")] == [1] and two.find("household")[0].id == made["household"]
    _same(one, two, ground.stream(0))


def test_different_units_merge_and_the_same_unit_is_a_conflict(ground: LiveCommunity, tmp_path: Path) -> None:
    """Two of us visit the same household: other things merge, the same thing is kept twice and listed."""
    one, two = _pair(ground, tmp_path)
    made = home(one, 0, "王小明")
    one.sync()
    two.pull()
    household, person = made["household"], made["persons"][0]
    one.patch(household, phone="13800000001")
    two.patch(household, preferred_time_text="晚上")
    one.patch(person, document_type="passport", document_evidence="told")
    two.patch(person, document_missing_reason="refused")
    assert one.sync()[0].outcomes == {"applied": 2}
    assert two.sync()[0].outcomes == {"merged": 1, "conflict": 1}
    one.sync()
    for phone in (one, two):
        view = phone.read(household)
        assert (
            view is not None and view.fields["phone"] == "13800000001" and view.fields["preferred_time_text"] == "晚上"
        )
        assert (person, "person", "identity_document") in phone.conflicts()
    _same(one, two, ground.stream(0))


def test_trap_14_a_child_before_its_parent_is_held_and_released(ground: LiveCommunity, tmp_path: Path) -> None:
    """A colleague's phone has the building, mine the flats in it: mine wait on the server until the building arrives."""
    one, two = _pair(ground, tmp_path)
    building = one.create("building", {"name": "1 幢", "anchor": anchor(0)})
    dwelling = two.create("dwelling", {"building": building, "door_number": "101"})
    assert two.sync()[0].outcomes == {"held": 1}
    view = two.read(dwelling)
    assert view is not None and view.v is None and "上级记录" in two.operations()[0].zh
    one.sync()
    two.sync()
    (standing,) = two.operations()
    assert (standing.first, standing.outcome, standing.settled) == ("held", "applied", True)


def test_trap_19_a_household_that_moves_leaves_one_cell_and_enters_the_other(
    ground: LiveCommunity, tmp_path: Path
) -> None:
    """L10: it disappears from the phone of the old cell with a reason and appears on that of the new one."""
    one, two = _pair(ground, tmp_path, (0, 1), (0,))
    made, other = home(one, 0, "王小明"), home(one, 1)
    one.sync()
    two.pull()
    assert two.read(made["household"]) is not None
    one.patch(made["household"], dwelling=other["dwelling"])
    one.sync()
    two.pull()
    assert two.read(made["household"]) is None and two.read(made["persons"][0]) is None
    view = one.read(made["persons"][0])
    assert view is not None and view.home == ground.stream(1)
    _same(one, two, ground.stream(0))


def test_s22_a_cell_that_is_taken_away_leaves_the_phone_and_late_work_is_kept(
    ground: LiveCommunity, tmp_path: Path
) -> None:
    """S18, S22: what I wrote before I heard of it is accepted; the cell's records are gone from my phone."""
    user = ground.worker(1)
    assignment = ground.assign(user, 0)
    phone = ground.phone(tmp_path / "one", user)
    phone.pull()
    made = home(phone, 0, "王小明")
    phone.sync()
    phone.patch(made["household"], phone="13800000002")
    ground.unassign(assignment)
    pushed, pulled = phone.sync()
    assert pushed.outcomes == {"applied": 1} and pulled.dropped == [ground.stream(0)]
    assert phone.read(made["household"]) is None and ground.stream(0) not in phone.digests()
    ground.assign(user, 0)
    assert phone.pull().added == [ground.stream(0)]
    view = phone.read(made["household"])
    assert view is not None and view.fields["phone"] == "13800000002"


def test_deleting_and_taking_back_travel(ground: LiveCommunity, tmp_path: Path) -> None:
    """A deleted record leaves every phone and comes back whole."""
    one, two = _pair(ground, tmp_path)
    made = home(one, 0, "王小明")
    one.sync()
    two.pull()
    one.delete(made["persons"][0])
    one.sync()
    two.pull()
    assert two.find("person") == [] and one.find("person") == []
    one.restore(made["persons"][0])
    one.sync()
    two.pull()
    assert [view.fields["name"] for view in two.find("person")] == ["王小明"]
    _same(one, two, ground.stream(0))


def test_trap_25_small_pages_bring_the_same(ground: LiveCommunity, tmp_path: Path) -> None:
    """A pull that stops after every page and goes on later ends with the same copies."""
    one, two = _pair(ground, tmp_path)
    for _ in range(6):
        home(one, 0, "王一", "王二")
    one.sync()
    pages = 0
    while not two.pull(limit=2, max_pages=1).complete:
        pages += 1
        assert pages < 200
    assert pages > 2
    _same(one, two, ground.stream(0))


def test_trap_24_a_damaged_copy_is_noticed_and_built_again(ground: LiveCommunity, tmp_path: Path) -> None:
    """If my phone's copies are not what the server has, the next pull repairs that stream and keeps my unsent work."""
    one, two = _pair(ground, tmp_path)
    made = home(one, 0, "王小明", "李小红")
    one.sync()
    two.pull()
    note = two.create("household", {"kind": "family"})
    with two._store.change("damage"):
        two._store.run("DELETE FROM feed WHERE id = ?", made["persons"][0])
        two._store.run("DELETE FROM record WHERE id = ?", made["persons"][0])
    report = two.pull()
    assert report.rebuilt == [ground.stream(0)] and report.complete
    assert two.read(made["persons"][0]) is not None and two.read(note) is not None
    _same(one, two, ground.stream(0))


def test_trap_18_a_copied_phone_notices_that_it_is_a_copy(
    ground: LiveCommunity, live_server: LiveServer, tmp_path: Path
) -> None:
    """Two phones with one identity: the second stops sending, keeps everything, and says that it must fork."""
    one, _ = _pair(ground, tmp_path)
    home(one, 0, "王小明")
    one.sync()
    one.close()  # empties the write-ahead log into the file
    shutil.copy(tmp_path / "one", tmp_path / "copy")
    one = live_server.phone(tmp_path / "one")
    copy = live_server.phone(tmp_path / "copy")
    home(one, 0, "张一")
    one.sync()
    mine = home(copy, 0, "张二")
    with pytest.raises(ForkNeeded):
        copy.push()
    copy.pull()
    view = copy.read(mine["persons"][0])
    assert view is not None and view.v is None and not any(standing.settled for standing in copy.operations()[4:])


def test_a_lost_phone_erases_itself_and_one_out_of_use_hands_over_first(
    ground: LiveCommunity, live_server: LiveServer, tmp_path: Path
) -> None:
    """C10: What a retired phone wrote arrives before its file is empty; of a lost one nothing arrives and nothing stays."""
    one, two = _pair(ground, tmp_path)
    made = home(one, 0, "王小明")
    home(two, 0, "李小红")
    for phone, reason in ((one, "retired"), (two, "lost")):
        assert phone.install_id is not None
        enrolment.revoke_install(live_server.house, ground.secretary, phone.install_id, reason=reason)
    with pytest.raises(Revoked):
        one.pull()
    assert len(one.operations()) == 4  # nothing goes before it has arrived
    for phone in (one, two):
        with pytest.raises(Revoked):
            phone.sync()
        assert phone.install_id is None and phone.operations() == [] and phone.find("household") == []
    assert "小".encode() not in b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.is_file())
    third = ground.phone(tmp_path / "three", ground.worker(0))
    third.sync()
    assert {one.id for one in third.find("household")} == {made["household"]}


def test_a_wrong_code_enrols_nothing(live_server: LiveServer, tmp_path: Path) -> None:
    """The problem names itself and the phone stays without an identity."""
    phone = live_server.phone(tmp_path / "one")
    with pytest.raises(Refused) as refused:
        phone.enrol("AAAA-AAAA-AAAA")
    assert refused.value.slug.startswith("enrolment-code") and phone.install_id is None


def test_an_enrolment_that_stops_anywhere_is_finished_with_the_same_code(ground: LiveCommunity, live_server: LiveServer, tmp_path: Path) -> None:
    """W1: Cut before it is sent, behind the server's commit, or before the answer is kept: the same code goes on; another phone gets nothing for it."""
    code = ground.code(ground.worker(0))
    before = len(enrolment.list_installs(live_server.house, ground.secretary))

    for last in ("enrol: before sending", "enrol: answered", "enrol: before commit"):

        def fault(step: str, last: str = last) -> None:
            if step == last:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            live_server.phone(tmp_path / "one", fault=fault).enrol(code)
    with pytest.raises(Refused) as refused:
        live_server.phone(tmp_path / "two").enrol(code)
    assert refused.value.slug == "enrolment-code-used"
    phone = live_server.phone(tmp_path / "one")
    phone.enrol(code)
    phone.sync()
    assert len(enrolment.list_installs(live_server.house, ground.secretary)) == before + 1


def test_stopped_at_each_step_of_a_sync_the_next_one_goes_on(
    ground: LiveCommunity, live_server: LiveServer, tmp_path: Path
) -> None:
    """C4, C6: Before and after every call and every commit of a push and a pull: stop there, open the file again, go on."""
    path = tmp_path / "phone"
    ground.phone(path, ground.worker(0)).close()
    steps: list[str] = []
    stopped: list[str] = []
    while True:
        steps.clear()

        def fault(step: str) -> None:
            steps.append(step)
            if len(steps) > len(stopped):
                raise KeyboardInterrupt

        try:
            phone = live_server.phone(path, fault=fault)
            home(phone, 0, "王小明")
            phone.sync(limit=3)
            break
        except KeyboardInterrupt:
            stopped.append(steps[-1])
    assert {step.partition(": ")[0] for step in stopped} >= {"open", "write", "config", "push", "pull"}
    assert len(stopped) > 20
    resumed = live_server.phone(path)
    resumed.sync()
    fresh = ground.phone(tmp_path / "fresh", ground.worker(0))
    fresh.pull()
    _same(resumed, fresh, ground.stream(0))
    assert all(standing.settled for standing in resumed.operations())
    assert len(fresh.find("person")) * 4 == len(resumed.operations())


@pytest.mark.parametrize("seed", range(5))
def test_killed_at_any_moment_nothing_is_lost(
    ground: LiveCommunity, live_server: LiveServer, tmp_path: Path, seed: int
) -> None:
    """L5: SIGKILL while writing, pushing or pulling; resumed, every person that was on the disk is on the server, once."""
    path = tmp_path / "phone"
    ground.phone(path, ground.worker(0, 1)).close()
    chance = random.Random(seed)
    wrote: set[str] = set()
    command = [sys.executable, "-m", "tests.device_process", str(path), live_server.url, str(seed)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for _ in range(chance.randrange(40, 160)):
            line = process.stdout.readline().split()
            if line[:1] == ["wrote"]:
                wrote.add(line[1])
        process.send_signal(signal.SIGKILL)  # it goes on running until here: anywhere in a statement or a call
        wrote.update(line.split()[1] for line in process.stdout if line.startswith("wrote ") and line.endswith("\n"))
    resumed = live_server.phone(path)
    assert wrote <= {view.id for view in resumed.find("person")}
    resumed.sync()
    assert all(standing.settled for standing in resumed.operations())
    fresh = ground.phone(tmp_path / "fresh", ground.worker(0, 1))
    fresh.pull()
    assert wrote <= {view.id for view in fresh.find("person")}
    for number in (0, 1):
        _same(resumed, fresh, ground.stream(number))
    assert resumed.find("person") == fresh.find("person") and resumed.find("household") == fresh.find("household")
