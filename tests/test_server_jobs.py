from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from click.testing import CliRunner
from front_door import COMMUNITY
from records_kit import office_with_records

from server.cli import main
from server.jobs.progress import JobRefused, LeaseLost, Progress
from server.jobs.worker import Worker
from server.store import jobs
from server.store.database import read, write
from server.store.errors import Unavailable


@pytest.fixture
def office(prepared_database, tmp_path, clock):
    found = office_with_records(prepared_database, tmp_path, clock)
    yield found
    found.house.engine.dispose()


@pytest.fixture
def queue(office):
    def add(kind="count", **arguments):
        job_id = office.house.new_id()
        with write(office.house.engine) as connection:
            jobs.add(
                connection, community_id=COMMUNITY, job_id=job_id, kind=kind, arguments=arguments,
                requested_by="u", at=office.house.clock(),
            )  # fmt: skip
        return job_id

    return add


def found(office, job_id):
    with read(office.house.engine) as connection:
        return jobs.find(connection, COMMUNITY, job_id)


def worker(office, **kinds):
    return Worker(office.house, kinds, sweepers=())


def test_a_job_is_run_once_and_keeps_its_result(office, queue):
    """Jobs are run in the order asked, once each, and keep what came out and how far they got."""
    seen = []

    def count(house, job, progress: Progress):
        seen.append(job.arguments["n"])
        progress.expect(10)
        progress.advance(10)
        return {"n": job.arguments["n"]}

    first, second = queue(n=1), queue(n=2)
    assert worker(office, count=count).run_all() == 2
    assert seen == [1, 2]
    done = found(office, first)
    assert (done.state, done.result, done.done_count, done.attempt) == ("done", {"n": 1}, 10, 1)
    assert found(office, second).state == "done"
    assert worker(office, count=count).run_all() == 0


def test_a_failing_job_is_tried_three_times(office, queue):
    """A job that fails goes back to the queue twice, then is failed; only the class of the error is kept."""
    tries = []

    def fail(house, job, progress):
        tries.append(job.attempt)
        raise RuntimeError("the name of a person")

    job_id = queue("fail")
    worker(office, fail=fail).run_all()
    failed = found(office, job_id)
    assert tries == [1, 2, 3]
    assert (failed.state, failed.error) == ("failed", "RuntimeError")


def test_a_refused_job_is_not_tried_again(office, queue):
    """A job that can never be done is failed at once, with its reason."""

    def refuse(house, job, progress):
        raise JobRefused("no_such_cell")

    job_id = queue("refuse")
    assert worker(office, refuse=refuse).run_all() == 1
    assert (found(office, job_id).state, found(office, job_id).error) == ("failed", "no_such_cell")


def test_a_dead_worker_loses_its_job(office, queue, clock):
    """When a worker dies in the middle, another begins the job again once the lease is over; not before."""
    job_id = queue()
    with write(office.house.engine) as connection:
        dead = jobs.claim(connection, worker="dead", kinds=("count",), at=clock(), lease=timedelta(seconds=90))
    assert dead.attempt == 1
    living = worker(office, count=lambda house, job, progress: {"attempt": job.attempt})
    assert living.run_one() is False
    clock.advance(seconds=91)
    assert living.run_one() is True
    assert found(office, job_id).result == {"attempt": 2}


def test_a_worker_that_was_only_slow_stops(office, queue, clock):
    """A worker whose lease ran out learns at its next step that the job is another's, and its result does not count."""
    job_id = queue()
    told = []

    def slow(house, job, progress: Progress):
        if job.attempt == 1:
            clock.advance(seconds=91)
            worker(office, count=slow).run_one()
            try:
                progress.advance(1)
                clock.advance(seconds=2)
                progress.advance(1)
            except LeaseLost:
                told.append("lost")
                raise
        return {"by": job.attempt}

    worker(office, count=slow).run_one()
    assert told == ["lost"]
    assert found(office, job_id).result == {"by": 2}


def test_a_job_that_kills_its_workers_is_given_up(office, queue, clock):
    """A job whose workers died three times is marked failed instead of killing a fourth."""
    job_id = queue()
    for _ in range(3):
        with write(office.house.engine) as connection:
            assert jobs.claim(connection, worker="doomed", kinds=("count",), at=clock(), lease=timedelta(seconds=90))
        clock.advance(seconds=91)
    assert worker(office, count=lambda *_: {}).run_all() == 0
    assert (found(office, job_id).state, found(office, job_id).error) == ("failed", "abandoned")


def test_workers_side_by_side_never_share_a_job(office, queue):
    """Three workers empty one queue; every job is run exactly once."""
    seen, gate = [], threading.Lock()

    def count(house, job, progress):
        with gate:
            seen.append(job.job_id)
        return {}

    wanted = [queue() for _ in range(12)]
    threads = [threading.Thread(target=worker(office, count=count).run_all) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(seen) == sorted(wanted)


def test_a_worker_thread_takes_what_comes_and_ends_when_told(office, queue):
    """The worker inside the server runs what is queued while it waits, and ends in time."""
    done = threading.Event()

    def count(house, job, progress):
        done.set()
        return {}

    running = Worker(office.house, {"count": count}, sweepers=(), poll_s=0.02)
    running.start()
    queue()
    running.wake()
    assert done.wait(10)
    running.stop()
    assert running._thread is not None and not running._thread.is_alive()


def test_a_database_that_is_away_is_told_once_and_swept_when_it_is_back(office, caplog):
    """The worker says once that the database is away, not every second; what it could not sweep is swept when it is back."""
    tried, done = [], threading.Event()

    def sweep(house):
        tried.append(1)
        if len(tried) < 4:
            raise Unavailable("OperationalError")
        done.set()

    one = Worker(office.house, {"count": lambda *_: {}}, sweepers=(sweep,), poll_s=0.01)
    one.start()
    assert done.wait(30)
    one.stop()
    assert len(tried) == 4
    assert [record.getMessage() for record in caplog.records if record.name == "dishu.jobs"] == [
        "worker: the database is away (Unavailable); trying again every 0.01 s"
    ]


def test_a_sweeper_that_breaks_stops_neither_the_others_nor_the_jobs(office, queue, caplog):
    """Exports, imports and erasures go on when one of the rounds of every minute breaks; the log says which and where, never a value."""
    done = []

    def broken(house):
        raise IndexError("13700000001")

    def sweep(house):
        done.append("swept")

    def count(house, job, progress):
        done.append("ran")
        return {}

    queue()
    one = Worker(office.house, {"count": count}, sweepers=(broken, sweep), poll_s=0.01)
    one.sweep(now=True)
    assert one.run_one() and done == ["swept", "ran"]
    (said,) = [record.getMessage() for record in caplog.records if record.name == "dishu.jobs"]
    assert "broken: IndexError" in said and "13700000001" not in said


def test_export_on_the_command_line(prepared_database, tmp_path, clock, monkeypatch):
    """`dishu export` writes a file in the name of a person, says its checksum, and refuses what they may not have."""
    office = office_with_records(prepared_database, tmp_path, clock)
    office.house.engine.dispose()
    for name, value in {
        "DISHU_DATA": str(tmp_path / "data"),
        "DISHU_DATABASE_URL": office.house.settings.database_url,
        "DISHU_KEY": (b"a made-up key of thirty-two bytes").hex(),
    }.items():
        monkeypatch.setenv(name, value)
    target = tmp_path / "places.gpkg"
    said = CliRunner().invoke(
        main, ["export", "--as", "planner-1", "--layer", "cells", "--layer", "buildings", "--output", str(target)]
    )
    assert said.exit_code == 0, said.output
    assert "4 rows" in said.output and "sha256" in said.output
    assert target.read_bytes()[:15] == b"SQLite format 3"
    said = CliRunner().invoke(
        main, ["export", "--as", "planner-1", "--layer", "persons", "--personal", "--purpose", "x"]
    )
    assert said.exit_code == 1
    assert "Error" in said.output and "Traceback" not in said.output
    said = CliRunner().invoke(main, ["export", "--as", "secretary-1", "--layer", "persons", "--personal"])
    assert said.exit_code == 2
