"""Stories played from seeds: phones, the real server and everything that goes wrong between them (L5 to L8)."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from server.cli import main
from server.simulation import acts, laws, play, world
from server.simulation.shelf import quick_folder

FAULTS = sorted(acts.FAULTS)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="dishu-stories-", dir=quick_folder()) as place:
        yield Path(place)


@pytest.fixture(autouse=True)
def _quiet():
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


_TOLD: dict[int, play.Story] = {}


def told_once(seed: int, folder: Path) -> play.Story:
    """A short story, played once for all tests of this file."""
    if seed not in _TOLD:
        _TOLD[seed] = play.play(seed, phones=2, steps=14, faults=FAULTS, folder=folder)
    return _TOLD[seed]


@pytest.mark.parametrize("first", range(0, 50, 10))
def test_every_law_holds_after_everything_that_can_go_wrong(folder, first):
    """L5: nothing acknowledged is lost; L6, L7: copies agree with the server, and the journal with what is stored."""
    for seed in range(first, first + 10):
        story = told_once(seed, folder)
        assert story.wrong is None, f"dishu simulate --seed {seed} --phones 2 --steps 14: {story.wrong}"


@pytest.mark.long
@pytest.mark.parametrize("first", range(0, 100_000, 1_000))
def test_every_law_holds_in_a_hundred_thousand_stories(folder, first):
    """L5 to L8, as above, with three phones and longer stories; -k and -n share the thousands out."""
    for seed in range(first, first + 1_000):
        story = play.play(seed, phones=3, steps=20, faults=FAULTS, folder=folder)
        assert story.wrong is None, f"dishu simulate --seed {seed} --phones 3 --steps 20: {story.wrong}"


def test_the_same_story_on_postgresql(folder, tmp_path, postgres_url):
    """The same seed is the same story on both databases, and every law holds there too."""
    shelf = world.shelf_of(tmp_path, postgres_url)
    try:
        for seed in (1, 20, 31):
            given = {"phones": 2, "steps": 14, "faults": FAULTS}
            here = told_once(seed, folder)
            there = play.play(seed, folder=tmp_path, database=postgres_url, **given)
            assert there.wrong is None, f"dishu simulate --database … --seed {seed} --phones 2 --steps 14: {there.wrong}"
            assert there.lines == here.lines and there.outcomes == here.outcomes
    finally:
        shelf.clear()


@pytest.mark.parametrize(
    ("seed", "steps"),
    [
        (131, (3, 6, 11, 12, 13)),  # the form has come; an operation of the same phone before it is quarantined
        (1404, (1, 5, 6, 10, 12, 16, 18)),  # a clone was told so by the database's former life; the other phone offered it to the new one
        (324, (10, 11, 13, 15)),  # written with newer forms by a phone whose program was put back to the older one
    ],
)
def test_what_once_waited_for_a_form_in_a_story_waits_no_more(folder, seed, steps):
    """S10, S14: whoever waits is told for what, and nothing waits for a form that the server has (found by stories)."""
    then = [one for one in FAULTS if one != "archive"]  # what a step does depends on what may befall it
    story = play.play(seed, phones=3, steps=20, faults=then, folder=folder, only=steps)
    assert story.wrong is None, story.wrong


def test_everything_that_can_go_wrong_is_played(folder):
    """No fault is on the list and never played: forms, cells, clones, restores, kills of phone, server and office."""
    told = "\n".join(line for seed in range(50) for _, line in told_once(seed, folder).lines)
    for words in (
        "has forms 2, the server 1", "program is renewed", "republished with borders", "is killed while the office works", "is copied to phone",
        "an older copy is put back", "a backup is made", "is restored", "Offline cut", "the server is killed", "is killed at", "bad line", "a late /api", "is off by", "loses cell", "nonsense",
        "settles", "merge_persons",
    ):  # fmt: skip
        assert words in told, words


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
    replayed = runner.invoke(main, ["simulate", "--replay", "--seed", "5", "--phones", "2", "--steps", "6", "--only", "1,4"])
    assert [line.split()[0] for line in replayed.output.splitlines()[:2]] == ["1", "4"] and replayed.exit_code == 0


@pytest.mark.long
def test_seeds_are_shared_out_among_processes(capfd):
    """A long run takes all processors, and counts the same stories."""
    given = ["simulate", "--seed", "3", "--count", "2", "--phones", "2", "--steps", "3", "--faults", "none"]
    alone, shared = (CliRunner().invoke(main, [*given, *more]) for more in ([], ["--jobs", "2"]))
    assert shared.exit_code == 0 and shared.output == alone.output


def test_a_failing_story_says_how_to_play_it_again(monkeypatch):
    """Whoever finds a failure has its seed, its shortest story and the command that plays it."""
    monkeypatch.setattr(play, "MOST_TRIES", 8)
    monkeypatch.setattr(laws.push, "seen_operations", lambda *_: {})
    said = CliRunner().invoke(main, ["simulate", "--seed", "7", "--phones", "2", "--steps", "6", "--faults", "none"])
    assert said.exit_code == 1 and "again: dishu simulate --replay --seed 7 --phones 2 --steps 6" in said.output
    assert "seed 7: LawBroken: L5" in said.output
