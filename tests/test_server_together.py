"""Short writers that wait for each other share a commit, and nothing else: each keeps its own fate."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from server_kit import building, furnish, open_ground
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from server.store import queue as write_queue
from server.store import waits
from server.store.database import open_engine, queue_of, read, run, write, written
from server.store.errors import Busy, PlanOutdated, Unavailable

CROWD = 6


class Oops(Exception):
    """What one of them does wrong."""


@pytest.fixture
def engine(tmp_path):
    engine = open_engine(f"sqlite:///{tmp_path / 'one.sqlite3'}")
    with write(engine) as connection:
        run(connection, "CREATE TABLE item (n INTEGER PRIMARY KEY)")
    yield engine
    engine.dispose()


def crowd(engine: Any, work: Any) -> dict[int, BaseException | None]:
    """``work(connection, n)`` of several writers that all wait while somebody else writes; what became of each."""
    ended: dict[int, BaseException | None] = {}

    def one(n: int) -> None:
        try:
            written(engine, lambda connection: work(connection, n))
            ended[n] = None
        except BaseException as error:
            ended[n] = error

    queue = queue_of(engine)
    threads = []
    with queue.turn():
        for n in range(CROWD):
            threads.append(threading.Thread(target=one, args=(n,)))
            threads[-1].start()
            while len(queue._waiting) <= n and n not in ended:
                time.sleep(0.001)
    for thread in threads:
        thread.join(20)
    assert len(ended) == CROWD
    return ended


def insert(connection: Any, n: int) -> None:
    run(connection, "INSERT INTO item (n) VALUES (?)", (n,))


def stored(engine: Any) -> list[int]:
    with read(engine) as connection:
        return [row.n for row in run(connection, "SELECT n FROM item ORDER BY n")]


def commits(engine: Any) -> list[int]:
    """Grows by one with every commit."""
    seen: list[int] = []
    event.listen(engine, "commit", lambda connection: seen.append(1))
    return seen


def test_those_who_wait_commit_once_and_in_their_order(engine):
    """Six writers that stood in the queue need one commit; each saw what those before it wrote."""
    seen, before = commits(engine), {}

    def work(connection, n):
        before[n] = run(connection, "SELECT count(*) FROM item").scalar_one()
        insert(connection, n)

    assert set(crowd(engine, work).values()) == {None}
    assert before == {n: n for n in range(CROWD)} and len(seen) == 1
    assert stored(engine) == list(range(CROWD))


@pytest.mark.parametrize("wrong", [{0}, {2, 3}, {CROWD - 1}, set(range(CROWD))])
def test_what_one_breaks_is_taken_back_and_costs_the_others_nothing(engine, wrong):
    """First, in the middle, last or all: who raises gets their own error, nothing of theirs is written, the rest stands."""

    def work(connection, n):
        insert(connection, n)
        if n in wrong:
            raise PlanOutdated if n % 2 else Oops

    ended = crowd(engine, work)
    assert {n for n, error in ended.items() if error is not None} == wrong
    assert all(isinstance(ended[n], PlanOutdated if n % 2 else Oops) for n in wrong)
    assert stored(engine) == sorted(set(range(CROWD)) - wrong)
    assert crowd(engine, lambda connection, n: insert(connection, 100 + n)) == dict.fromkeys(range(CROWD))


def test_nobody_is_told_before_the_commit(engine):
    """While the commit runs, no writer has come back (L5: what is acknowledged is on the disk)."""
    back: list[int] = []
    told_at_commit: list[int] = []
    event.listen(engine, "commit", lambda connection: (time.sleep(0.05), told_at_commit.append(len(back))))

    def work(connection, n):
        insert(connection, n)

    original = crowd
    ended = original(engine, work)
    back.extend(ended)
    assert told_at_commit[0] == 0 and set(ended.values()) == {None}


def test_when_the_commit_fails_everybody_is_told(engine):
    """A full disk at the commit: all of them are refused, nothing is written, and the next one gets through."""
    broken = [True]

    def fail(connection):
        if broken.pop() if broken else False:
            raise OperationalError("COMMIT", None, Exception("disk full"))

    event.listen(engine, "commit", fail)
    ended = crowd(engine, insert)
    assert {type(error) for error in ended.values()} == {Unavailable}
    assert stored(engine) == []
    assert set(crowd(engine, insert).values()) == {None}


def test_when_the_transaction_is_lost_on_the_way_everybody_is_told(engine):
    """SQLite gives up a whole transaction in some failures: nobody before the one who met it believes to be stored."""

    def work(connection, n):
        insert(connection, n)
        if n == 2:
            connection.connection.cursor().execute("ROLLBACK")
            raise Oops

    ended = crowd(engine, work)
    assert isinstance(ended[2], Oops) and {type(ended[n]) for n in (0, 1)} == {Unavailable}
    assert {type(ended[n]) for n in range(3, CROWD)} == {type(None)}
    assert stored(engine) == list(range(3, CROWD))


def test_a_long_writer_in_the_queue_shares_with_nobody(engine):
    """Who did not offer to share has a transaction of their own between the others."""
    seen = commits(engine)
    queue = queue_of(engine)
    order: list[str] = []

    def one(name: str, short: bool) -> None:
        def work(connection: Any) -> None:
            insert(connection, len(order))
            order.append(name)

        written(engine, work, alone=not short)

    threads = []
    with queue.turn():
        for place, (name, short) in enumerate([("a", True), ("b", True), ("long", False), ("c", True)]):
            threads.append(threading.Thread(target=one, args=(name, short)))
            threads[-1].start()
            while len(queue._waiting) <= place:
                time.sleep(0.001)
    for thread in threads:
        thread.join(20)
    assert order == ["a", "b", "long", "c"] and len(seen) == 3


@pytest.fixture
def village(tmp_path):
    """The community of `server_kit` on SQLite."""
    url = f"sqlite:///{tmp_path / 'dishu.sqlite3'}"
    furnish(url)
    made = open_ground(url, tmp_path)
    yield made
    made.close()


def test_s16_who_pushes_behind_a_long_turn_comes_again(village):
    """S16: while an edition is put in force, a push that waits and one that comes get 503 with Retry-After; after it both are written. A pull that
    gives nothing is answered meanwhile; one that gives records writes into the audit log who looked: it gets 503 too, and its records afterwards."""
    waiting, coming, idle = village.worker(0), village.worker(1), village.worker(2)
    news = building(1)
    village.worker(1).write(news)
    told: list[Any] = []

    def push(phone: Any) -> None:
        told.append(phone.post("push", phone.batch([[building(0)]])))

    def asks(phone: Any) -> Any:
        return phone.post("pull", {"protocol": 1, "install_id": phone.install_id, "cursor": None})

    with queue_of(village.house.engine).turn():
        thread = threading.Thread(target=push, args=(waiting,))
        thread.start()
        thread.join(20)
        given_up = not thread.is_alive()
        if given_up:
            push(coming)
            told.append(asks(coming))
            assert asks(idle).status_code == 200
    thread.join(20)
    assert given_up
    assert [(one.status_code, int(one.headers["Retry-After"]) >= 2) for one in told] == [(503, True)] * 3
    assert news["id"] in {row["record"]["id"] for row in asks(coming).json["rows"]}
    waiting.write(building(0))
    coming.write(building(1))


def test_s16_a_long_turn_says_nothing_of_the_next_ones(engine, monkeypatch):
    """S16: who stands in the queue right after a publishing of 46 s is not sent away for it."""
    now = [0.0]
    monkeypatch.setattr(write_queue, "clock", lambda: now[0])
    with queue_of(engine).turn():
        now[0] = 46.0
    assert set(crowd(engine, insert).values()) == {None}


def test_s16_threads_stay_free_for_those_who_read(engine, monkeypatch):
    """S16: behind a head that takes its time only so many threads wait, the last ones go first; the server's own work waits for as long as it takes."""
    now, ended = [0.0], {}
    monkeypatch.setattr(write_queue, "clock", lambda: now[0])
    queue = queue_of(engine)
    queue.most_waiting = 3

    def one(n: int) -> None:
        try:
            written(engine, lambda connection: insert(connection, n))
            ended[n] = "written"
        except Busy as busy:
            ended[n] = busy.retry_after_s

    @write_queue.patiently()
    def job(n: int) -> None:
        one(n)

    threads = [threading.Thread(target=one, args=(n,)) for n in range(5)] + [threading.Thread(target=job, args=(5,))]
    newcomer = threading.Thread(target=one, args=(6,))

    def until(count: int) -> None:
        deadline = time.monotonic() + 10
        while len(ended) < count and time.monotonic() < deadline:
            time.sleep(0.001)

    with queue.turn():
        for place, thread in enumerate(threads):
            thread.start()
            while len(queue._waiting) <= place:
                time.sleep(0.001)
        now[0] = 1.0  # longer than a push takes
        until(2)
        newcomer.start()
        until(3)
        early = dict(ended)
        now[0] = 46.0
        until(6)
        late = dict(ended)
    for thread in (*threads, newcomer):
        thread.join(20)
    assert early == {3: 1, 4: 1, 6: 1}
    assert late == early | dict.fromkeys((0, 1, 2), 46)
    assert ended == late | {5: "written"} and stored(engine) == [5]


def stood(line: waits.Line, count: int, each_s: float, *, since: float) -> float:
    """So many come at one moment, and each stands at the head of the line for so long; when the last one goes on."""
    for _ in range(count):
        line.enter(since)
    for number in range(1, count + 1):
        line.leave(since, since + each_s * number)
    return since + each_s * count


def test_s16_a_line_that_moves_fast_refuses_nobody():
    """S16: whoever comes waits for those ahead, each as long as the last ones stood at the head, however long they had waited in all."""
    line = waits.Line()
    now = stood(line, 30, 0.05, since=0.0)  # the last one waited 1.5 s
    for number in range(1, 31):
        line.enter(now)
        assert line.estimate_s(now) == pytest.approx(number * 0.05, rel=0.05)


def test_s16_whoever_would_wait_for_more_than_two_seconds_comes_again():
    """S16: a slow line, or one whose first has waited that long; an empty one is open, whatever was before."""
    line = waits.Line()
    now = stood(line, 8, 0.5, since=0.0)
    assert line.estimate_s(now) == 0.0
    for _ in range(5):
        line.enter(now)
    with pytest.raises(Busy) as told:
        line.enter(now)
    assert told.value.retry_after_s == 2
    stuck = waits.Line()
    stuck.enter(10.0)
    stuck.enter(11.9)
    with pytest.raises(Busy):
        stuck.enter(12.1)


def test_s16_what_others_hold_between_counts_in_the_estimate():
    """S16: the lock also goes to other processes; an idle hour before somebody comes does not."""
    line = waits.Line()
    for n in range(10):  # each waits for a stranger
        line.enter(n * 3600.0)
        line.leave(n * 3600.0, n * 3600.0 + 0.3)
    line.enter(1e6)
    assert line.estimate_s(1e6) == pytest.approx(0.3, rel=0.05)
    line.leave(1e6, 1e6 + 29.0)  # an edition was put in force: who comes after it is not sent away for that
    line.enter(2e6)
    assert line.estimate_s(2e6) == pytest.approx(0.3, rel=0.05)
