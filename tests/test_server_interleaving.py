"""Many at once (S15, S16, L8): threads on both databases, processes on one file; nothing is lost, skipped or counted twice."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from server_kit import anchor, building, create, furnish, home, open_ground, operation, patch, resident
from stream_oracle import recount

from server.services import transact
from server.store import push as reading
from server.store.errors import PlanOutdated

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def ground(prepared_database, tmp_path):
    ground = open_ground(prepared_database(furnish), tmp_path)
    yield ground
    recount(ground)
    ground.close()


def together(*jobs: Callable[[], object]) -> list[object]:
    """Run jobs in threads that start at the same moment; their results."""
    barrier = threading.Barrier(len(jobs))

    def run(job):
        barrier.wait(30)
        return job()

    with ThreadPoolExecutor(len(jobs)) as pool:
        return [one.result(60) for one in [pool.submit(run, job) for job in jobs]]


def patient(phone, *groups):
    """Push as a phone does: the same batch again whenever the server says that it is busy."""
    body = phone.batch(groups)
    for _ in range(50):
        answer = phone.post("push", body)
        if answer.status_code == 503:
            assert int(answer.headers["Retry-After"]) >= 1, "busy always says when to come back"
            assert answer.json["type"] == "/problems/busy"
            continue
        assert answer.status_code == 200, answer.data
        said = json.loads(answer.data)
        assert "expected" not in said
        phone.n, phone.op_id = said["applied"]["n"], said["applied"]["op_id"]
        return said["results"]
    raise AssertionError("the server is busy for ever")


def outcomes(results):
    return [one["now"]["outcome"] for one in results]


def test_pushes_that_name_cells_in_opposite_order_both_finish(ground):
    """Trap 3: each of two phones writes into the same cells, one from west to east, one from east to west."""
    phones = [ground.worker(0, 1, 2) for _ in range(2)]
    for _ in range(4):
        rows = [[building(number) for number in order] for order in ((0, 1, 2), (2, 1, 0))]
        found = together(
            *[
                lambda phone=phone, row=row: patient(phone, *[[one] for one in row])
                for phone, row in zip(phones, rows, strict=True)
            ]
        )
        assert [outcomes(one) for one in found] == [["applied"] * 3] * 2
    assert ground.count() == 24


def test_the_same_new_record_from_two_phones_becomes_one(ground):
    """Trap 4: one id created by two phones at once, in one cell and in two: one record, nobody fails."""
    phones = [ground.worker(0, 1) for _ in range(2)]
    for second in (0, 1, 1):
        one = building(0)
        other = create("building", {"name": "另名", "anchor": anchor(second)}, one["id"])
        found = together(lambda one=one: patient(phones[0], [one]), lambda other=other: patient(phones[1], [other]))
        assert all(
            outcome in {"applied", "merged", "conflict", "unchanged"} for each in found for outcome in outcomes(each)
        )
        assert ground.rows("SELECT count(*) FROM record WHERE id = ?", one["id"])[0][0] == 1


def test_two_phones_write_about_a_person_whose_key_is_made_at_that_moment(ground):
    """S16, S28: a key race starts the transaction again; both writes are sealed under one key."""
    phones = [ground.worker(0) for _ in range(3)]
    made = home(0)
    phones[0].write(*made.operations)
    for _ in range(3):
        ghost = building(0)["id"]  # a person nobody has recorded yet: both wait for it, sealed under its key
        cares = [create("care_status", {"person": ghost, "kind": "living_alone"}) for _ in phones]
        found = together(
            *[lambda phone=phone, care=care: patient(phone, [care]) for phone, care in zip(phones, cares, strict=True)]
        )
        assert [outcomes(one) for one in found] == [["held"]] * 3
        assert ground.rows("SELECT count(*) FROM data_key WHERE subject_id = ?", ghost)[0][0] == 1
        phones[0].write(resident(made.household, "张一") | {"id": ghost})
        assert all(ground.record(one["id"]) is not None for one in cares)


def test_moving_a_building_while_others_move_in(ground):
    """S15: a move is exclusive: whoever is created below it at the same moment ends in the same cell as it."""
    mover, *others = (ground.worker(0, 1, 2) for _ in range(3))
    made = home(0)
    mover.write(*made.operations)
    for round_ in range(4):
        move = patch(ground, made.building, {"anchor": anchor((round_ + 1) % 3)})
        people = [[resident(made.household, f"张{n}")] for n in range(3)]
        together(
            lambda move=move: patient(mover, [move]),
            *[
                lambda phone=phone, row=row: patient(phone, *row)
                for phone, row in zip(others, ([people[0]], people[1:]), strict=True)
            ],
        )
        assert (
            len(
                {row.home for row in ground.rows("SELECT home FROM record WHERE life = 'live' AND type <> 'reference'")}
            )
            == 1
        )
    assert ground.rows("SELECT count(*) FROM record WHERE type = 'person'")[0][0] == 12


def test_the_same_phone_twice_at_once_is_one_phone(ground):
    """S12: a phone that gives up waiting and sends again while the first is still under way is answered alike."""
    phone = ground.worker(0)
    for _ in range(3):
        body = phone.batch([[building(0)], [building(0)]])
        first, second = together(lambda body=body: phone.send(body), lambda body=body: phone.send(body))
        assert first["results"] == second["results"]
    assert ground.count() == 6


def test_parent_and_child_at_the_same_moment_never_wait_for_ever(ground):
    """S14: the one holds while the other creates: one of the two releases it."""
    one, two = ground.worker(0), ground.worker(0)
    for _ in range(6):
        parent = building(0)
        child = create("dwelling", {"building": parent["id"], "door_number": "1"})
        together(lambda parent=parent: patient(one, [parent]), lambda child=child: patient(two, [child]))
        assert ground.record(child["id"]) is not None
    assert ground.rows("SELECT count(*) FROM held_wait")[0][0] == 0


def test_who_pages_while_others_write_sees_every_change(ground):
    """L8, traps 1, 7: three writers in two cells, a reader with small pages all the while: at the end nothing is missing."""
    writers = [ground.worker(0, 1, 2) for _ in range(3)]
    reader = ground.worker(0, 1, 2)
    done = threading.Event()
    running = [len(writers)]
    gate = threading.Lock()

    def write(phone, seed):
        try:
            made = []
            for number in range(8):
                fresh = [building((seed + number) % 3) for _ in range(3)]
                patient(phone, *[[one] for one in fresh])
                made += fresh
                patient(phone, [operation("patch", "building", made[number]["id"], {"note": str(number)})])
                if number % 3 == 2:
                    patient(phone, [operation("patch", "building", made[number]["id"], {"anchor": anchor(number % 3)})])
        finally:
            with gate:
                running[0] -= 1
                if not running[0]:
                    done.set()

    def read():
        while not done.is_set():
            reader.page(5)
        reader.pull(5)

    together(read, *[lambda phone=phone, seed=seed: write(phone, seed) for seed, phone in enumerate(writers)])
    reader.pull()
    expected = {
        (row.home, row.id): (row.v, row.tag)
        for row in ground.rows("SELECT home, id, v, tag FROM record WHERE life = 'live' AND type <> 'reference'")
    }
    held = {
        (stream, one): version
        for stream, records in reader.copies.items()
        if stream != "~reference"
        for one, version in records.items()
    }
    assert held == expected and len(expected) == 72
    assert len(reader.seen) == len(set(reader.seen)), "no row came twice under one number"


def test_twenty_phones_at_once_are_all_served_or_told_when(ground):
    """S16, trap 5: no `database is locked`; who cannot be served gets 503 with Retry-After and loses nothing."""
    phones = [ground.worker(0) for _ in range(4)]
    phones += [ground.enrol(one.user_id) for one in phones for _ in range(2)]
    batches = [home(0, f"张{n}") for n in range(len(phones))]
    found = together(
        *[
            lambda phone=phone, made=made: patient(phone, made.operations)
            for phone, made in zip(phones, batches, strict=True)
        ]
    )
    assert {outcome for one in found for outcome in outcomes(one)} == {"applied"}
    assert ground.count() == 4 * len(phones)


def test_a_plan_that_became_outdated_is_made_again(ground, monkeypatch):
    """S15: what is found under the locks only starts the transaction again; after three tries the phone is told to come back."""
    phone = ground.worker(0)
    tries = []
    real = transact.decide

    def outdated(groups, writer, memory):
        tries.append(1)
        if len(tries) < 3:
            raise PlanOutdated
        return real(groups, writer, memory)

    with monkeypatch.context() as patched:
        patched.setattr(transact, "decide", outdated)
        assert phone.outcomes([building(0)]) == [("applied", None)]
        assert len(tries) == 3
        tries.clear()
        patched.setattr(transact, "decide", lambda *_: (_ for _ in ()).throw(PlanOutdated()))
        answer = phone.post("push", phone.batch([[building(0)]]))
        assert answer.status_code == 503 and int(answer.headers["Retry-After"]) >= 1
    assert ground.rows("SELECT count(*) FROM operation")[0][0] == 1


def test_a_stream_that_nobody_foresaw_is_locked_on_the_second_try(ground, monkeypatch, caplog):
    """S15: a counter row that the text did not tell of is learnt under the locks; the batch is applied once, and is no fault."""
    phone = ground.worker(0, 1)
    made, other = home(0, "张一"), home(1)
    phone.write(*made.operations, *other.operations)
    real = reading.homes_of
    calls = []

    def blind(*arguments):
        calls.append(1)
        return [] if len(calls) == 1 else real(*arguments)

    monkeypatch.setattr(reading, "homes_of", blind)
    monkeypatch.setattr(reading, "load_early", lambda *_: None)  # SQLite has no need to look for homes first
    assert phone.outcomes([patch(ground, made.persons[0], {"registration_dwelling": other.dwelling})]) == [
        ("applied", None)
    ]
    assert len(calls) >= 2 and "group by group" not in caplog.text, "begun again, not taken apart"
    assert ground.rows("SELECT count(*) FROM record WHERE type = 'reference_card'")[0][0] == 1
    assert ground.record(made.persons[0]).v == 2


WRITER = """
import json, sys
from pathlib import Path
sys.path[:0] = [{root!r}, {tests!r}]
from server_kit import Phone, building, open_ground
url, folder, phone, count = sys.argv[1:]
ground = open_ground(url, Path(folder))
given = json.loads(phone)
phone = Phone(ground, given["install_id"], given["token"], given["user_id"])
phone.pull()
sys.stdin.readline()
for _ in range(int(count)):
    phone.write(building(0), building(1))
ground.close()
"""


@pytest.mark.long
def test_two_server_processes_on_one_database(ground, tmp_path):
    """S16: two processes write the same database at once, and this one reads: they take turns, all counts are right."""
    phones = [ground.worker(0, 1) for _ in range(2)]
    reader = ground.worker(0, 1)
    url = ground.house.engine.url.render_as_string(hide_password=False)
    script = WRITER.format(root=str(ROOT), tests=str(ROOT / "tests"))
    processes = []
    for number, phone in enumerate(phones):
        given = json.dumps({"install_id": phone.install_id, "token": phone.token, "user_id": phone.user_id})
        folder = tmp_path / f"process-{number}"
        command = [sys.executable, "-c", script, url, str(folder), given, "6"]
        processes.append(subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stderr=subprocess.PIPE))
    for process in processes:
        process.stdin.write(b"go\n")
        process.stdin.flush()
    while any(process.poll() is None for process in processes):
        reader.page(3)
    assert [process.wait(60) for process in processes] == [0, 0], [
        process.stderr.read()[-2000:] for process in processes
    ]
    for process in processes:
        process.stdin.close()
        process.stderr.close()
    reader.pull()
    assert ground.count() == 24
    assert len(reader.visible) == 24


@pytest.mark.parametrize("prepared_database", ["sqlite"], indirect=True)
def test_a_lock_that_cannot_be_had_is_nobodys_fault(ground):
    """S16, S17: no file may be opened for the lock: 503, nothing is consumed and no operation is blamed for it."""
    phone = ground.worker(0)
    lock = Path(f"{ground.house.engine.url.database}.lock")
    lock.unlink()
    lock.mkdir()
    body = phone.batch([[building(0)]])
    answer = phone.post("push", body)
    assert (answer.status_code, answer.json["type"]) == (503, "/problems/database-unreachable")
    lock.rmdir()
    assert outcomes(phone.send(body)["results"]) == ["applied"]
