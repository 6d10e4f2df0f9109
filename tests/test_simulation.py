"""Stories played from seeds: phones, the real server and everything that goes wrong between them (L5 to L8)."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from click.testing import CliRunner

from server.cli import main
from server.simulation import acts, laws, play

FAULTS = sorted(acts.FAULTS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stories")


@pytest.fixture(autouse=True)
def _quiet():
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("first", range(0, 50, 10))
def test_every_law_holds_after_everything_that_can_go_wrong(folder, first):
    """L5: nothing acknowledged is lost; L6, L7: copies agree with the server, and the journal with what is stored."""
    for seed in range(first, first + 10):
        story = play.play(seed, phones=2, steps=14, faults=FAULTS, folder=folder)
        assert story.wrong is None, f"dishu simulate --seed {seed} --phones 2 --steps 14: {story.wrong}"


def test_the_same_seed_is_the_same_story(folder):
    """A failure can be played again."""
    one, two = (play.play(1000, phones=3, steps=20, faults=FAULTS, folder=folder) for _ in range(2))
    assert one.lines == two.lines and one.outcomes == two.outcomes and one.wrong is None


def test_a_fault_of_the_program_is_found_and_told_shortly(folder, monkeypatch):
    """A server that forgets what it acknowledged does not pass; the story is cut down to what is needed."""
    assert play.play(7, phones=2, steps=6, faults=[], folder=folder).wrong is None
    monkeypatch.setattr(play, "MOST_TRIES", 8)
    monkeypatch.setattr(laws.push, "seen_operations", lambda *_: {})
    broken = play.play(7, phones=2, steps=6, faults=[], folder=folder)
    assert broken.wrong is not None and broken.wrong.startswith("LawBroken: L5")
    found = play.shortest(broken, phones=2, steps=6, faults=[], folder=folder)
    assert found.wrong is not None and len(found.lines) < len(broken.lines)


def test_the_command_says_what_was_played():
    """`dishu simulate` ends well, and refuses a fault that it does not know."""
    runner = CliRunner()
    done = runner.invoke(main, ["simulate", "--seed", "5", "--phones", "2", "--steps", "6"])
    assert done.exit_code == 0 and "every law holds" in done.output
    assert runner.invoke(main, ["simulate", "--faults", "dragons"]).exit_code == 2
