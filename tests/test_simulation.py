"""Stories played from seeds: phones, the real server and everything that goes wrong between them (L5 to L8)."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path
from random import Random
from types import SimpleNamespace

import orjson
import pytest
from click.testing import CliRunner

from server.cli import main
from server.services import carry
from server.simulation import acts, archives, laws, play, world
from server.simulation.shelf import quick_folder
from sync.device import pull as pulling
from sync.device.copies import keep_rows

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
        "settles", "merge_persons", "(sync)", "(new_home)", "(edit)", "(archive)", "(arrival)", "(tidy)", "(renew)",
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


def test_a_value_that_is_another_one_on_a_phone_is_found(folder, monkeypatch):
    """L7: counts and digests hold no values; a pull that keeps another value than was sent does not pass."""
    def keep(store, epoch, rows):
        for row in rows:
            if row["kind"] == "PUT" and row["record"].get("type") == "dwelling":
                row["record"]["fields"]["door_number"] += "0"
        keep_rows(store, epoch, rows)

    monkeypatch.setattr(pulling, "keep_rows", keep)
    wrong = play.play(7, phones=2, steps=6, faults=[], folder=folder).wrong
    assert wrong is not None and "has another field door_number than the server" in wrong


def test_a_value_that_is_hidden_is_found(folder, monkeypatch):
    """L5: a server that writes over a value and keeps it nowhere does not pass, though every operation is there with its outcome."""
    seal = carry.DataKeys.seal

    def forget(keys, subject, content):
        said = orjson.loads(content)
        if "previous" in said:
            said = {**said, "previous": {}, "set_aside": {}}
        return seal(keys, subject, orjson.dumps(said))

    monkeypatch.setattr(carry.DataKeys, "seal", forget)
    monkeypatch.setattr(laws, "verify", lambda *_, **__: SimpleNamespace(agrees=True))  # it would tell this by deciding again
    found = [play.play(seed, phones=2, steps=14, faults=[], folder=folder).wrong for seed in range(3)]
    assert any(one is not None and "is in no record, history or conflict" in one for one in found), found


@pytest.fixture
def story(tmp_path):
    """A server with a copy of its empty database, and a phone that has written a home which the server has."""
    story = world.World(tmp_path / "story", "owed", world.shelf_of(tmp_path))
    story.folder.mkdir()
    story.open()
    for cell in range(3):
        story.assign(0, cell)
    story.add_phone(0).pull()
    story.back_up()
    story.start()
    acts.new_home(story, Random(1))
    acts.sync_once(story.phones[0])
    story.book.note(story.phones)
    yield story
    story.close()


def test_what_a_backup_held_is_owed_after_it_was_restored(story):
    """L5, S25: phones have forgotten what two backups hold; a database put back without it does not pass, one with it does."""
    for _ in range(2):
        archives.archive(story, SimpleNamespace(random=lambda: 0.0))
    acts.sync_once(story.phones[0])
    assert story.phones[0].operations() == [] and len(story.book.owed) > 3
    held = dict(story.book._held)
    archives.archive(story, SimpleNamespace(random=lambda: 1.0, randrange=lambda count: count - 1))
    laws.settle(story)
    laws.check(story)
    story.book._held["copy0"] = held[story.archives[1][0].name]
    story.copy_back(Random(1))  # what was copied before anything was written
    laws.settle(story)
    with pytest.raises(laws.LawBroken, match="operations that were written are not at the server"):
        laws.check(story)


@pytest.mark.parametrize("early", [False, True], ids=["when it may", "too early"])
def test_a_phone_that_forgets_before_two_backups_have_it_is_found(story, monkeypatch, early):
    """L5, S26: what was forgotten with one backup only is not excused by an older database that is put back; with two it is."""
    for _ in range(1 if early else 2):
        archives.archive(story, SimpleNamespace(random=lambda: 0.0))
    if early:
        prune = pulling.prune
        monkeypatch.setattr(pulling, "prune", lambda store, _safe_n: prune(store, store.last_n()))
    acts.sync_once(story.phones[0])
    assert story.phones[0].operations() == [] and len(story.book.owed) > 3
    if early:
        with pytest.raises(laws.LawBroken, match="fewer than two archives"):
            story.copy_back(Random(1))
    else:
        story.copy_back(Random(1))
        assert story.book.owed == set()


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
