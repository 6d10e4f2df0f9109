"""No acknowledged operation is ever lost: the served program itself, killed, cut off and filled up under twenty phones."""

from __future__ import annotations

import subprocess

import pytest
from kills_kit import perform, together, trial
from kills_troubles import ballast, cut_connections, fill_disk, no_growth, restart_database
from server_kit import furnish

from bench.postgres import running_postgres


def times(few: int, many: int):
    """A few in every run of the suite, many in the long one."""
    return pytest.mark.parametrize("times", [few, pytest.param(many, marks=pytest.mark.long)])


@times(5, 100)
def test_killed_at_random_moments_under_twenty_phones(prepared_database, tmp_path, times):
    """L5, L6, L7: SIGKILL to the whole server while twenty phones push: every answer given still holds, all copies agree."""
    with trial(prepared_database(furnish), tmp_path) as run:
        perform(run, lambda run: run.kills(run.programs[0], times), limit_s=4 * (120 + 20 * times))
        assert run.counts["kills"] == times


@times(2, 100)
def test_two_server_processes_on_one_database_both_killed(prepared_database, tmp_path, times):
    """S16: two served programs on one database, each killed at random moments of its own; phones ask now this, now that."""
    with trial(prepared_database(furnish), tmp_path, programs=2) as run:
        shares = (times - times // 2, times // 2)
        perform(run, lambda run: together(*map(run.kills, run.programs, shares)), limit_s=4 * (120 + 20 * times))
        assert run.counts["kills"] == times


@pytest.mark.parametrize("prepared_database", ["postgresql"], indirect=True)
@times(6, 300)
def test_database_sessions_end_in_the_middle_of_pushes(prepared_database, tmp_path, times):
    """S16, S17: PostgreSQL drops the server's sessions again and again: 503 and the same again; nobody's operation is blamed."""
    with trial(prepared_database(furnish), tmp_path) as run:
        perform(run, lambda run: cut_connections(run, times), limit_s=120 + times)
        assert run.counts["sessions ended"] >= times


@times(1, 50)
def test_the_database_server_crashes_and_comes_back(tmp_path, times):
    """L5: PostgreSQL itself stops as in a crash, with its disk intact: the served program finds it again by itself."""
    with running_postgres(durable=True, own=True) as server:
        url = server.create_database()
        furnish(url)
        with trial(url, tmp_path) as run:
            perform(run, lambda run: restart_database(run, server.restart, times), limit_s=120 + 15 * times)
            assert run.counts["database restarts"] == times


@pytest.mark.parametrize("prepared_database", ["sqlite"], indirect=True)
@times(1, 50)
def test_a_full_disk_refuses_and_loses_nothing(prepared_database, tmp_path, times):
    """L5, S17: while no file can grow, pushes are answered 503 and consume nothing; with room again everything goes on."""
    with trial(prepared_database(furnish), tmp_path) as run:
        perform(run, lambda run: fill_disk(run, times, *no_growth(run)), limit_s=4 * (120 + 20 * times))
        assert run.counts["times full"] == times


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 64 MB of its own; needs the right to mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", folder], capture_output=True, text=True)
    assert made.returncode == 0, f"no disk can be mounted here: {made.stderr.strip()}"
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


@pytest.mark.long
def test_a_disk_that_is_really_full(small_disk, tmp_path):
    """L5, S17: the same on a disk of its own that is filled to the last byte, twenty times."""
    url = f"sqlite:///{small_disk / 'dishu.sqlite3'}"
    furnish(url)
    with trial(url, tmp_path) as run:
        perform(run, lambda run: fill_disk(run, 20, *ballast(small_disk)), limit_s=500)
        assert run.counts["times full"] == 20
