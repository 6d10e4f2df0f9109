"""PostgreSQL: whoever writes in one cell never waits for whoever writes in another (S15, S16)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from gate_kit import hold_at_commit, shut, until, waiting
from server_kit import COMMUNITY, furnish, home, open_ground, patch
from stream_oracle import recount

from server.house import uuid7
from server.services.verify import verify
from server.store import search
from server.store.database import write


@pytest.fixture
def ground(postgres_server, tmp_path):
    url = postgres_server.create_database()
    furnish(url)
    ground = open_ground(url, tmp_path)
    yield ground
    recount(ground)
    assert verify(ground.house).agrees
    ground.close()
    postgres_server.drop_database(url)


def work(ground, made, name):
    """New people, a changed name and number of one who is there, a note: what a morning at the doors is made of."""
    again = home(0 if name == "西" else 1, f"{name}一", f"{name}二")
    person = made.persons[0]
    changed = patch(ground, person, {"name": f"{name}改名", "phones": {"add": ["13900001111"]}})
    return [*[[one] for one in again.operations], [changed], [patch(ground, made.household, {"note": "敲门两次"})]]


def test_a_push_in_one_cell_finishes_while_one_in_another_holds_all_its_locks(ground):
    """Measured lock waits: none. The first push is stopped just before its commit, the second goes through, then the first."""
    west, east = ground.worker(0), ground.worker(1)
    there = [home(0, "甲"), home(1, "乙")]
    west.write(*there[0].operations)
    east.write(*there[1].operations)
    batches = [work(ground, there[0], "西"), work(ground, there[1], "东")]
    hold_at_commit(ground, west.install_id)
    with shut(ground) as (pool, opened):
        slow = pool.submit(west.push, *batches[0])
        until(lambda: waiting(ground)[0])
        results = pool.submit(east.push, *batches[1]).result(20)
        assert not slow.done() and waiting(ground) == (1, {})
        opened.set()
        assert {one["now"]["outcome"] for one in [*results, *slow.result(30)]} == {"applied"}
    found = ground.rows("SELECT count(*) FROM record WHERE community_id = ? AND type = 'person'", COMMUNITY)
    assert found[0][0] == 6


def test_two_who_take_names_out_of_one_row_both_take_them_out(ground):
    """Entries of two cells may wait in one row; whoever takes out the second does not bring the first back."""
    ids = [uuid7() for _ in range(3)]
    entries = [number.to_bytes(8) + search.id_bytes(one) for number, one in zip((11, 12, 13), ids, strict=True)]
    with write(ground.house.engine) as connection:
        search.write_index(connection, COMMUNITY, 900_001, [], entries)

    def second():
        with write(ground.house.engine) as connection:
            search.write_index(connection, COMMUNITY, 900_003, entries[1:2], [])

    with ThreadPoolExecutor(1) as pool:
        with write(ground.house.engine) as connection:
            search.write_index(connection, COMMUNITY, 900_002, entries[:1], [])
            other = pool.submit(second)
            while not waiting(ground, "transactionid")[0] and not other.done():
                pass
        other.result(30)
    with write(ground.house.engine) as connection:
        left = search.found_under(connection, COMMUNITY, [11, 12, 13])
        assert list(left) == [(13, ids[2])]
        search.write_index(connection, COMMUNITY, 900_004, entries[2:], [])
