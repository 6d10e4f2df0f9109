"""Two sessions of PostgreSQL, one of them stopped just before its commit: traps 1 to 4 and the rules S14 to S16, step by step."""

from __future__ import annotations

import time

import pytest
from gate_kit import hold_at_commit, shut, until, waiting
from server_kit import COMMUNITY, building, create, furnish, open_ground, operation
from stream_oracle import recount

from server.services import push
from server.services.verify import verify
from server.store import push as reading
from server.store import waits
from server.store.database import run

pytestmark = pytest.mark.parametrize("prepared_database", ["postgresql"], indirect=True)


@pytest.fixture
def ground(prepared_database, tmp_path):
    ground = open_ground(prepared_database(furnish), tmp_path)
    ground.worker(0, 1).push([building(0)], [building(1)])  # the first of all writes makes the community's key and its counters
    yield ground
    recount(ground)
    assert verify(ground.house).agrees
    ground.close()


def told(results):
    return [one["now"]["outcome"] for one in results]


def stopped(ground):
    """Somebody stands at the gate."""
    return waiting(ground)[0] == 1


def behind(ground):
    """Somebody stands at the gate, and somebody else waits for a row."""
    at_gate, elsewhere = waiting(ground)
    return at_gate == 1 and sum(elsewhere.values()) == 1


def test_a_reader_waits_for_nobody_and_passes_by_nothing(ground):
    """Traps 1, 2, L8: while one writer is stopped and an idle session keeps an old number, a reader has what is committed, and the rest later."""
    slow, fast, other, reader = (ground.worker(0, 1) for _ in range(4))
    reader.pull()
    first, second, elsewhere = building(0), building(0), building(1)
    hold_at_commit(ground, slow.install_id)
    with ground.house.engine.connect() as idle, shut(ground) as (pool, opened):
        run(idle, "SELECT pg_current_xact_id()")
        stands = pool.submit(slow.push, [first])
        until(lambda: stopped(ground))
        waits = pool.submit(fast.push, [second])  # the same cell: it has no number before the first has
        until(lambda: behind(ground))
        assert told(other.push([elsewhere])) == ["applied"]
        reader.pull()
        assert set(reader.visible) >= {elsewhere["id"]} and not {first["id"], second["id"]} & set(reader.visible)
        opened.set()
        assert told(stands.result(30)) == told(waits.result(30)) == ["applied"]
        reader.pull()
    assert {first["id"], second["id"], elsewhere["id"]} <= set(reader.visible)
    assert len(reader.seen) == len(set(reader.seen)), "nothing came twice under one number"


def test_two_cells_in_opposite_order_are_a_wait_and_no_deadlock(ground):
    """Trap 3, S15: the first has both cells and is stopped; the second, from east to west, waits at the first lock, then goes on."""
    one, two = ground.worker(0, 1), ground.worker(0, 1)
    hold_at_commit(ground, one.install_id)
    with shut(ground) as (pool, opened):
        first = pool.submit(one.push, [building(0)], [building(1)])
        until(lambda: stopped(ground))
        second = pool.submit(two.push, [building(1)], [building(0)])
        until(lambda: behind(ground))
        opened.set()
        assert told(first.result(30)) == told(second.result(30)) == ["applied", "applied"]
    assert ground.rows("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")[0][0] == 0


def test_who_waited_reads_what_was_written_meanwhile(ground, monkeypatch):
    """Trap 4, S15: a patch and a creation of the same ids, decided after waiting, see the other phone's: nothing is overwritten unseen."""
    one, two = ground.worker(0), ground.worker(0)
    there, made = building(0), building(0)
    one.write(there)
    base = ground.base(there["id"])
    hold_at_commit(ground, one.install_id)
    tries, real = [], push.decide_and_write

    def counted(connection, house, submission, *rest):
        tries.append(submission.install_id)
        return real(connection, house, submission, *rest)

    monkeypatch.setattr(push, "decide_and_write", counted)
    with shut(ground) as (pool, opened):
        first = pool.submit(
            one.push,
            [operation("patch", "building", there["id"], {"name": "甲幢", "use": "residential"}, base=base)],
            [made],
        )
        until(lambda: stopped(ground))
        second = pool.submit(
            two.push,
            [operation("patch", "building", there["id"], {"name": "乙幢", "built_year": 1999}, base=base)],
            [create("building", made["set"] | {"floors_count": 3}, made["id"])],
        )
        until(lambda: behind(ground))
        opened.set()
        assert told(first.result(30)) == ["applied", "applied"]
        assert told(second.result(30)) == ["merged", "merged"]
    assert tries == [one.install_id, two.install_id], "what was read after the locks is right at the first try"
    fields = ground.fields(there["id"])
    assert (fields["use"], fields["built_year"], ground.record(there["id"]).v) == ("residential", 1999, 3)
    assert [tuple(row) for row in ground.rows("SELECT unit FROM conflict WHERE record_id = ?", there["id"])] == [("name",)]
    assert ground.fields(made["id"])["floors_count"] == 3 and ground.record(made["id"]).v == 2


@pytest.mark.parametrize("first", ["parent", "child"])
def test_parent_and_child_in_two_open_transactions_find_each_other(ground, first):
    """S14: neither sees the other's uncommitted row; whichever commits last releases what is held."""
    one, two = ground.worker(0), ground.worker(0)
    parent = building(0)
    child = create("dwelling", {"building": parent["id"], "door_number": "1"})
    slow, fast = ([parent], [child]) if first == "parent" else ([child], [parent])
    hold_at_commit(ground, one.install_id)
    with shut(ground) as (pool, opened):
        stands = pool.submit(one.push, slow)
        until(lambda: stopped(ground))
        other = pool.submit(two.push, fast)
        until(lambda: other.done() or behind(ground))
        opened.set()
        assert {*told(stands.result(30)), *told(other.result(30))} <= {"applied", "held"}
    assert ground.record(child["id"]).home == ground.streams[0]
    assert ground.rows("SELECT count(*) FROM held_wait")[0][0] == 0
    assert ground.rows("SELECT count(*) FROM operation WHERE now = 'held'")[0][0] == 0


def test_a_deadlock_with_a_stranger_is_begun_again_and_applied_once(ground):
    """S16: PostgreSQL ends our side of a deadlock; the whole transaction is made again and nobody hears of it."""
    phone = ground.worker(0, 1)
    west, east = building(0), building(1)
    low, high = sorted(ground.streams[:2])
    with shut(ground) as (pool, _), ground.house.engine.begin() as stranger:
        run(stranger, "SET LOCAL deadlock_timeout = '60s'")
        reading.lock_streams(stranger, COMMUNITY, {high})
        pushed = pool.submit(phone.push, [west], [east])
        until(lambda: sum(waiting(ground)[1].values()) == 1)
        reading.lock_streams(stranger, COMMUNITY, {low})  # returns when the other side was ended
        stranger.commit()
        assert told(pushed.result(30)) == ["applied", "applied"]
    assert ground.rows("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")[0][0] >= 0
    assert ground.rows("SELECT count(*) FROM history WHERE record_id = ?", west["id"])[0][0] == 1


def test_s16_who_would_wait_too_long_is_asked_to_come_again(ground, monkeypatch):
    """S16: behind somebody who has waited for a cell's counter for longer than two seconds nobody stands; another cell goes on, and the refused one is taken later."""
    slow, first, late, other = (ground.worker(0, 1) for _ in range(4))
    hold_at_commit(ground, slow.install_id)
    with shut(ground) as (pool, opened):
        stands = pool.submit(slow.push, [building(0)])
        until(lambda: stopped(ground))
        waits_for_it = pool.submit(first.push, [building(0)])
        until(lambda: behind(ground))
        monkeypatch.setattr(waits, "clock", lambda: time.monotonic() + 7.2)  # as if it had waited so long
        batch = late.batch([[building(0)]])
        refused = late.post("push", batch)
        assert (refused.status_code, refused.json["type"]) == (503, "/problems/busy") and 7 <= int(refused.headers["Retry-After"]) < 40
        assert told(other.push([building(1)])) == ["applied"]
        opened.set()
        assert told(stands.result(30)) == told(waits_for_it.result(30)) == ["applied"]
    assert told(late.send(batch)["results"]) == ["applied"]
