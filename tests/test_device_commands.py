"""Commands on the reference phone: shown at once, sent as one text, and two phones at once (S1–S6, S13, S24)."""

from __future__ import annotations

from pathlib import Path

import pytest

from sync.device import Phone, WrongArguments
from tests.live import LiveCommunity, LiveServer, home, live_server

__all__ = ["live_server"]


@pytest.fixture
def ground(live_server: LiveServer) -> LiveCommunity:
    return live_server.community()


def _pair(ground: LiveCommunity, folder: Path) -> tuple[Phone, Phone]:
    """Two phones over the same two cells that hold the same copies: a family in the first, a dwelling in the second."""
    one, two = (ground.phone(folder / name, ground.worker(0, 1)) for name in ("one", "two"))
    for phone in (one, two):
        phone.pull()
    return one, two


def _same(one: Phone, two: Phone) -> None:
    for phone in (one, two, one):
        phone.sync()
    mine, yours = one.digests(), two.digests()
    assert {name: digest for name, digest in mine.items() if name.startswith("cell/")} == {
        name: digest for name, digest in yours.items() if name.startswith("cell/")
    }


def test_a_move_is_shown_at_once_and_holds_after_syncing(ground: LiveCommunity, tmp_path: Path) -> None:
    """The household stands in its new home before the server knows, and nothing flickers when it does."""
    one, two = _pair(ground, tmp_path)
    near, far = home(one, 0, "王小明", "李小红"), home(one, 1)
    one.sync()
    op_id = one.command("move_household", near["household"], dwelling=far["dwelling"], on="2026-02-01")
    assert [one.read(person).fields["resident_from"] for person in near["persons"]] == ["2026-02-01"] * 2
    assert one.read(near["household"]).fields["dwelling"] == far["dwelling"]
    one.sync()
    assert one.status(op_id).settled and one.read(near["household"]).pending == ()
    assert {one.read(person).home for person in near["persons"]} == {f"cell/{ground.cells[1]}"}
    _same(one, two)
    assert len(two.find("residence", left_reason="moved_out")) == 2


def test_two_phones_split_and_move_the_same_household(ground: LiveCommunity, tmp_path: Path) -> None:
    """S2, S6: offline at the same time; the second to arrive is told of the conflict, both copies are the same."""
    one, two = _pair(ground, tmp_path)
    near, far = home(one, 0, "王小明", "李小红"), home(one, 1)
    one.sync()
    two.pull()
    new = one._new_id()
    one.command("split_household", near["household"], new_household=new, members=near["persons"][:1], dwelling=far["dwelling"], on="2026-02-03")
    assert [view.id for view in one.find("person", residence_household=new)] == near["persons"][:1]
    assert one.read(new).fields["dwelling"] == far["dwelling"]
    moved = two.command("move_household", near["household"], dwelling=far["dwelling"], on="2026-02-01")
    one.sync()
    two.sync()
    assert two.status(moved).outcome == "conflict"
    _same(one, two)
    assert two.read(near["persons"][0]).fields["residence_household"] == new
    assert two.read(near["persons"][0]).conflicts == ("residence",) and two.read(near["persons"][1]).conflicts == ()


def test_a_later_own_edit_lies_over_an_own_command(ground: LiveCommunity, tmp_path: Path) -> None:
    """S1: nobody is in conflict with himself, whatever was sent together."""
    one, _ = _pair(ground, tmp_path)
    near, far = home(one, 0, "王小明"), home(one, 1)
    person = near["persons"][0]
    one.command("move_household", near["household"], dwelling=far["dwelling"], on="2026-02-01")
    one.patch(person, resident_from="2026-02-04")
    assert one.read(person).fields["resident_from"] == "2026-02-04"
    pushed, _ = one.sync()
    assert "conflict" not in pushed.outcomes
    assert one.read(person).fields["resident_from"] == "2026-02-04" and one.read(person).pending == ()


def test_wrong_arguments_are_told_before_anything_is_written(ground: LiveCommunity, tmp_path: Path) -> None:
    """Nothing goes into the log that the server would have to refuse."""
    one, _ = _pair(ground, tmp_path)
    near = home(one, 0, "王小明")
    written = len(one.operations())
    with pytest.raises(WrongArguments) as refused:
        one.command("person_left", near["persons"][0], household=near["household"], reason="boredom")
    assert refused.value.errors[0].pointer == "/arguments/reason" and len(one.operations()) == written
