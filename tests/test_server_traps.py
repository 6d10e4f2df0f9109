"""Two sessions, step by step, at the places where sync servers have lost changes (L8, S15, S16): who waits, who does not, who sees what."""

from __future__ import annotations

import sqlite3

import pytest
from server_kit import COMMUNITY, building, furnish, open_ground
from sqlalchemy import make_url
from sqlalchemy.exc import OperationalError

from server.store import push as reading
from server.store.database import next_journal_number, read, run, write


@pytest.fixture
def ground(prepared_database, tmp_path):
    ground = open_ground(prepared_database(furnish), tmp_path)
    yield ground
    ground.close()


def waits(act) -> bool:
    """Whether a statement of another session has to wait for ours."""
    try:
        act()
    except OperationalError as error:
        assert getattr(error.orig, "sqlstate", None) == "55P03", error
        return True
    return False


@pytest.mark.parametrize("prepared_database", ["postgresql"], indirect=True)
def test_numbers_of_a_stream_are_given_in_the_order_of_commits(ground):
    """Traps 1, 2, L8: who writes into a stream waits for whoever numbered before; a reader never sees the later number first."""
    phone = ground.worker(0, 1)
    phone.write(building(0)), phone.write(building(1))
    here, there = ground.streams[0], ground.streams[1]
    with ground.house.engine.begin() as first:
        before = reading.lock_streams(first, COMMUNITY, {here})[here]
        run(first, "UPDATE stream SET seq = seq + 1 WHERE community_id = ? AND stream_id = ?", (COMMUNITY, here))
        with ground.house.engine.connect() as second:
            run(second, "SET lock_timeout = '300ms'", ())
            assert waits(lambda: reading.lock_streams(second, COMMUNITY, {here}))
            second.rollback()
            run(second, "SET lock_timeout = '300ms'", ())
            assert not waits(lambda: reading.lock_streams(second, COMMUNITY, {there})), "other cells go on"
            second.rollback()
        with read(ground.house.engine) as reader:
            row = run(reader, "SELECT seq FROM stream WHERE community_id = ? AND stream_id = ?", (COMMUNITY, here)).one()
            assert row[0] == before[0], "what is not committed has no number"
    with ground.house.engine.begin() as second:
        assert reading.lock_streams(second, COMMUNITY, {here})[here][0] == before[0] + 1, "READ COMMITTED: the newest, after waiting"


@pytest.mark.parametrize("prepared_database", ["postgresql"], indirect=True)
def test_moving_waits_for_who_writes_and_who_writes_do_not_wait_for_each_other(ground):
    """S15, S16: the placement lock is shared by writers and exclusive for what can move records."""
    with ground.house.engine.begin() as writer:
        reading.lock_placement(writer, COMMUNITY, exclusive=False)
        for exclusive in (False, True):
            with ground.house.engine.connect() as other:
                run(other, "SET lock_timeout = '300ms'", ())
                assert waits(lambda other=other, exclusive=exclusive: reading.lock_placement(other, COMMUNITY, exclusive=exclusive)) is exclusive
                other.rollback()
        with ground.house.engine.connect() as other:
            run(other, "SET lock_timeout = '300ms'", ())
            assert not waits(lambda: reading.lock_placement(other, "another community", exclusive=True))
            other.rollback()


@pytest.mark.parametrize("prepared_database", ["postgresql"], indirect=True)
def test_one_phone_is_written_for_once_at_a_time(ground):
    """S12, S15: two requests of one install wait for each other at its row; another install does not."""
    one, two = ground.worker(0), ground.worker(0)
    with ground.house.engine.begin() as first:
        assert reading.lock_install(first, COMMUNITY, one.install_id) is not None
        for phone in (one, two):
            with ground.house.engine.connect() as other:
                run(other, "SET lock_timeout = '300ms'", ())
                assert waits(lambda other=other, phone=phone: reading.lock_install(other, COMMUNITY, phone.install_id)) is (phone is one)
                other.rollback()


@pytest.mark.parametrize("prepared_database", ["sqlite"], indirect=True)
def test_a_write_of_sqlite_has_its_lock_from_the_beginning(ground):
    """Trap 5: nothing begins reading and finds later that it may not write; a reader goes on meanwhile."""
    path = make_url(str(ground.house.engine.url)).database
    other = sqlite3.connect(str(path), timeout=0, isolation_level=None)
    with write(ground.house.engine):
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
        assert other.execute("SELECT count(*) FROM record").fetchone()[0] >= 0
    other.execute("BEGIN IMMEDIATE")
    other.execute("ROLLBACK")
    other.close()


def test_a_number_that_was_given_never_comes_again(ground):
    """Trap 6: numbers are counted, not taken from rows: whatever is deleted, no cursor meets another change at its number."""
    phone = ground.worker(0)
    phone.write(building(0))
    stream = ground.streams[0]
    with write(ground.house.engine) as connection:
        number = next_journal_number(connection)
        seq = reading.lock_streams(connection, COMMUNITY, {stream})[stream][0]
        run(connection, "DELETE FROM feed WHERE community_id = ? AND stream_id = ? AND seq = ?", (COMMUNITY, stream, seq))
    phone.write(building(0))
    with write(ground.house.engine) as connection:
        assert next_journal_number(connection) > number
        assert reading.lock_streams(connection, COMMUNITY, {stream})[stream][0] == seq + 1


def test_a_receipt_ahead_of_the_database_begins_a_new_life(ground):
    """Trap 17, S25: the server meets a phone that was answered more than it remembers: it is an older copy, and says so."""
    phone = ground.worker(0)
    first, second = building(0), building(0)
    said = phone.send(phone.batch([[first], [second]]))
    receipt, epoch = said["receipt"], said["epoch"]
    with write(ground.house.engine) as connection:
        run(connection, "UPDATE install SET last_n = 1, last_op_id = ? WHERE install_id = ?", (first["op_id"], phone.install_id))
        run(connection, "DELETE FROM operation WHERE install_id = ? AND n = 2", (phone.install_id,))
    asked = {"protocol": 1, "install_id": phone.install_id, "after": {"n": 1, "op_id": first["op_id"]}, "groups": []}
    assert phone.post("push", asked).json["epoch"] == epoch, "without a receipt nobody can tell"
    assert phone.post("push", asked | {"receipt": receipt}).json["epoch"] != epoch
