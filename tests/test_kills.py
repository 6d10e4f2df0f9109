"""No acknowledged operation is ever lost: the served program itself, killed, cut off and filled up under twenty phones."""

from __future__ import annotations

import pytest
from kills_kit import perform, together, trial
from server_kit import furnish


@pytest.mark.parametrize("kills", [5, pytest.param(100, marks=pytest.mark.long)])
def test_killed_at_random_moments_under_twenty_phones(prepared_database, tmp_path, kills):
    """L5, L6, L7: SIGKILL to the whole server while twenty phones push: every answer given still holds, all copies agree."""
    with trial(prepared_database(furnish), tmp_path) as run:
        perform(run, lambda run: run.kills(run.programs[0], kills), limit_s=30 + 10 * kills)
        assert run.counts["kills"] == kills


@pytest.mark.parametrize("kills", [5, pytest.param(100, marks=pytest.mark.long)])
def test_two_server_processes_on_one_database_both_killed(prepared_database, tmp_path, kills):
    """S16: two served programs on one database, each killed at random moments of its own; phones ask now this, now that."""
    with trial(prepared_database(furnish), tmp_path, programs=2) as run:
        shares = (kills - kills // 2, kills // 2)
        perform(run, lambda run: together(*map(run.kills, run.programs, shares)), limit_s=30 + 10 * kills)
        assert run.counts["kills"] == kills
