from __future__ import annotations

import contextlib
import json
import re
import sqlite3
from pathlib import Path

import pytest

from sync.device import GroupTooLarge, InvalidFields, NotAlone, Offline, Phone, RescueUnreadable, UnknownRecord
from sync.device.forking import _become
from sync.device.push import departures_known
from sync.device.rescue import MOST_TAKEN, joined
from sync.device.words import OUTCOME_WORDS, words
from sync.outcome import REASONS
from tests.device_kit import answer_all, keep, phone_at, put, totals

CELL = "cell/a"
HOME = "0190aaaa-0000-7000-8000-000000000001"


@pytest.fixture
def phone(tmp_path: Path) -> Phone:
    return phone_at(tmp_path / "phone.sqlite3")


def _texts(phone: Phone) -> list[dict[str, object]]:
    return [
        json.loads(row["text"]) | {"n": row["n"], "group": row["group_n"]}
        for row in phone._store.rows("SELECT * FROM log ORDER BY n")
    ]


def _held(device: Phone, v: int = 1, /, **fields: object) -> None:
    keep(device._store, [put(CELL, v, HOME, v, fields=fields)], streams=[CELL], told=totals((CELL, {HOME: v}, {})))


def test_a_power_cut_costs_nothing_that_was_written(tmp_path: Path) -> None:
    """C1: What I typed is on the disk before the app says so."""
    phone = phone_at(tmp_path / "p")
    assert phone._store.one("PRAGMA synchronous")[0] == 2  # FULL
    new = phone.create("person", {"name": "王小明", "phones": ["13800000000"]})
    again = phone_at(tmp_path / "p")
    view = again.read(new)
    assert view is not None and view.fields["name"] == "王小明"
    assert (tmp_path / "p").stat().st_mode & 0o077 == 0


def test_a_record_that_nobody_knows_yet_can_be_changed(phone: Phone) -> None:
    """I can correct a household that I wrote a minute ago, without any network."""
    new = phone.create("household", {"kind": "family", "tags": ["a"], "note": "一"})
    phone.patch(new, tags=["a", "b"], note="一二", phone="13900000000")
    view = phone.read(new)
    assert view is not None
    assert view.fields == {"kind": "family", "tags": ["a", "b"], "note": "一二", "phone": "13900000000"}
    first, second = _texts(phone)
    assert (first["n"], second["n"]) == (1, 2) and first["base"] is None and second["base"] is None
    assert second["set"] == {"tags": {"add": ["b"], "remove": []}, "note": "一二", "phone": "13900000000"}
    assert second["was"] == {"tags": ["a"], "note": "一", "phone": None}
    assert [one.id for one in phone.find("household", tags="b")] == [new]


def test_base_stays_where_the_own_unfinished_write_began(phone: Phone) -> None:
    """C3: S "Base": what others wrote under my own value I have not seen, and I do not claim to have."""
    _held(phone, 1, kind="family", phone="1")
    phone.patch(HOME, phone="2")
    _held(phone, 5, kind="family", phone="9")
    phone.patch(HOME, phone="3", kind="collective")
    old, mine, fresh = _texts(phone)
    assert old["base"] == {"v": 1, "tag": f"{1:016x}"} == mine["base"]
    assert fresh["base"] == {"v": 5, "tag": f"{5:016x}"}
    assert set(mine["set"]) == {"phone"} and set(fresh["set"]) == {"kind"}  # type: ignore[call-overload]
    assert mine["group"] == fresh["group"] == 2 and old["group"] == 1
    phone.delete(HOME)
    assert _texts(phone)[-1]["base"] == {"v": 1, "tag": f"{1:016x}"}


def test_a_unit_is_seen_whole(phone: Phone) -> None:
    """`was` tells every field of the fact that I changed a part of, empty ones too."""
    keep(
        phone._store,
        [put(CELL, 1, HOME, type="person", fields={"name": "李四", "birth_date": "1980-01-01", "x_new": 7})],
        streams=[CELL],
        told=totals((CELL, {HOME: 1}, {})),
    )
    phone.patch(HOME, birth_precision="day")
    assert _texts(phone)[0]["was"] == {"birth_date": "1980-01-01", "birth_precision": None}
    view = phone.read(HOME)
    assert view is not None and view.fields["x_new"] == 7  # unknown fields are kept


def test_only_what_differs_is_written(phone: Phone) -> None:
    """Saving a form without a change writes nothing; a null clears."""
    _held(phone, 1, kind="family", tags=["a"], phone="1")
    assert phone.patch(HOME, kind="family", tags=["a"], phone="1") == []
    assert len(phone.patch(HOME, phone=None)) == 1
    view = phone.read(HOME)
    assert view is not None and "phone" not in view.fields


def test_sums_and_sets_lie_over_what_others_wrote(phone: Phone) -> None:
    """C9, S3: Taking 3 from a stock that somebody else filled up meanwhile shows the true rest."""
    row = {"type": "resource", "fields": {"name": "沙袋", "kind": "supply", "quantity": 10, "note": "甲"}}
    keep(phone._store, [put(CELL, 1, HOME, 1, **row)], streams=[CELL], told=totals((CELL, {HOME: 1}, {})))
    phone.patch(HOME, quantity={"delta": -3}, note="甲乙")
    row = {"type": "resource", "fields": {"name": "沙袋", "kind": "supply", "quantity": 40, "note": "甲丙"}}
    keep(phone._store, [put(CELL, 2, HOME, 2, **row)], streams=[CELL])
    view = phone.read(HOME)
    assert view is not None and view.fields["quantity"] == 37 and view.fields["note"] == "甲丙乙"
    answer_all(phone, v=3)
    row = {"type": "resource", "fields": {"name": "沙袋", "kind": "supply", "quantity": 37, "note": "甲丙乙"}}
    keep(phone._store, [put(CELL, 3, HOME, 3, **row)], streams=[CELL])  # not complete yet, and never counted twice
    view = phone.read(HOME)
    assert view is not None and view.fields["quantity"] == 37 and view.fields["note"] == "甲丙乙"


def test_a_group_is_written_whole_or_not_at_all(phone: Phone) -> None:
    """A household with its members: if one of them cannot be written, none is."""
    with pytest.raises(InvalidFields) as refused, phone.group():
        home = phone.create("household", {"kind": "family"})
        phone.create("person", {"residence_household": home})
    assert any(error.pointer == "/set/name" for error in refused.value.errors)
    assert phone.operations() == []
    with phone.group():
        home = phone.create("household", {"kind": "family"})
        phone.create("person", {"name": "赵一", "residence_household": home})
        phone.patch(home, phone="13900000001")
    phone.create("household", {"kind": "family"})
    assert [one.group_n for one in phone.operations()] == [1, 1, 1, 4]


def test_a_group_that_no_batch_could_carry_is_refused_when_it_is_written(phone: Phone) -> None:
    """I hear of it at once, not after a day of refused pushes."""
    with pytest.raises(GroupTooLarge), phone.group():
        for _ in range(4):
            phone.create("household", {"note": "字" * 1000, "x_extra": "z" * 2_000_000})
    assert phone.operations() == []


def test_delete_and_restore_show_at_once(phone: Phone) -> None:
    """C9: A deleted record leaves the lists; taking it back brings it back."""
    _held(phone, 1, kind="family")
    phone.delete(HOME)
    view = phone.read(HOME)
    assert view is not None and view.life == "deleted" and phone.find("household") == []
    phone.restore(HOME)
    assert [one.id for one in phone.find("household")] == [HOME]
    with pytest.raises(UnknownRecord):
        phone.patch("0190aaaa-0000-7000-8000-00000000ffff", kind="family")


def test_confirm_names_units_with_what_was_seen(phone: Phone) -> None:
    """S9: One tap says: looked at, unchanged."""
    _held(phone, 3, kind="family", phone="1")
    phone.confirm(HOME)
    (said,) = _texts(phone)
    assert said["units"] == ["kind", "phone"] and said["was"] == {"kind": "family", "phone": "1"}
    assert said["base"] == {"v": 3, "tag": f"{3:016x}"} and "set" not in said


def test_resolve_names_the_values_that_were_looked_at(phone: Phone) -> None:
    """S4: a resolution closes only the siblings that I saw."""
    keep(phone._store, [put(CELL, 1, HOME, 4, fields={"phone": "1"}, conflicts=["phone"])], streams=[CELL])
    assert phone.conflicts() == [(HOME, "household", "phone")]
    sibling = "0190aaaa-0000-7000-8000-00000000000b"
    phone.resolve(HOME, "phone", [sibling], phone="2")
    (said,) = _texts(phone)
    assert (said["kind"], said["unit"], said["siblings"], said["set"]) == (
        "resolve",
        "phone",
        [sibling],
        {"phone": "2"},
    )


def test_without_a_network_nothing_is_lost(phone: Phone) -> None:
    """A push into nowhere says Offline; the work stays and waits."""
    phone.create("household", {"kind": "family"})
    for _ in range(2):
        with pytest.raises(Offline):
            phone.sync()
    (one,) = phone.operations()
    assert one.state == "sent" and one.zh == "已发出，等待回执"


def test_the_clock_is_a_claim_only(phone: Phone) -> None:
    """L9: a phone that thinks it is 1999 works as well as any other."""
    phone.create("household", {"kind": "family"})
    assert _texts(phone)[0]["claimed_at"] == "1999-12-31T23:59:00.000Z"


@pytest.mark.parametrize("outcome", sorted(OUTCOME_WORDS))
def test_every_outcome_has_words_in_both_languages(outcome: str) -> None:
    """I am told what became of my work, not a code."""
    zh, en = words("answered", outcome, None, False)
    assert zh != outcome and en != outcome and any("\u4e00" <= letter <= "\u9fff" for letter in zh)
    assert words("answered", "something_new", "why", False) == ("something_new（why）", "something_new (why)")


@pytest.mark.parametrize("first", ["edit", "move"])
def test_s30_a_move_to_another_community_is_never_written_beside_anything_else(phone: Phone, first: str) -> None:
    """S30: the phone writes nothing of a group that the server would set apart; by itself the move is written."""
    new = phone.create("household", {"kind": "family"})

    def move() -> None:
        phone.command("move_household", new, community="c2", on="2026-03-01")

    with pytest.raises(NotAlone), phone.group():
        steps = [lambda: phone.patch(new, note="一"), move]
        for step in steps if first == "edit" else steps[::-1]:
            step()
    assert len(_texts(phone)) == 1
    move()
    assert [one["kind"] for one in _texts(phone)] == ["create", "command"]


@pytest.mark.parametrize("reason", REASONS)
def test_every_reason_has_words_in_both_languages(reason: str) -> None:
    """C9: each reason of the protocol is said in words: what it waits for, or what is wrong with it."""
    zh, en = words("answered", "quarantined", reason, False)
    assert reason not in zh and any("\u4e00" <= letter <= "\u9fff" for letter in zh.partition("（")[2])
    assert len(en.partition("(")[2]) > 8
    assert words("answered", "unchanged", "declined", True)[0].count("没有通过") == 1


def test_the_field_app_has_words_for_every_reason_and_the_server_gives_no_other() -> None:
    """C9: the list of reasons is closed: what the server says is in it, and both phones have words for all of it."""
    root = Path(__file__).resolve().parent.parent
    written = (root / "web/shared/engine/words.ts").read_text("utf-8").partition("const REASON_WORDS")[2].partition("\n};")[0]
    assert set(REASONS) <= set(re.findall(r"^  (\w+): \{ zh: ", written, re.MULTILINE))
    programs = "\n".join(path.read_text("utf-8") for room in ("sync", "server") for path in (root / room).rglob("*.py"))
    given = set(re.findall(r"Refusal\(\s*[A-Z]+,\s*\"(\w+)\"", programs))
    given |= set(re.findall(r"^(?:REUSED|DECLINED|DISCARDED|UNEXPECTED) = \"(\w+)\"", programs, re.MULTILINE))
    assert {"parent", "unknown_type", "op_id_reused", "discarded"} <= given and given <= set(REASONS)


def test_what_was_written_goes_from_phone_to_phone_as_a_file(tmp_path: Path) -> None:
    """C10: a phone that may not sync hands its work over; taken in twice it is there once, whole groups, the same bytes."""
    old, new = phone_at(tmp_path / "old"), phone_at(tmp_path / "new")
    own = new.create("household", {"kind": "family"})
    with old.group():
        building = old.create("building", {"name": "1 幢"})
        old.create("dwelling", {"building": building, "door_number": "1"})
    file = old.rescue_file()
    assert new.take_in(file) == 2 and new.take_in(file) == 0
    assert [one["text"] for one in new._store.rows("SELECT text FROM log ORDER BY n")][1:] == [
        one["text"] for one in old._store.rows("SELECT text FROM log ORDER BY n")
    ]
    assert new.read(own) is not None
    assert [row["group_n"] for row in new._store.rows("SELECT group_n FROM log ORDER BY n")] == [1, 2, 2]
    shown = new.read(building)
    assert shown is not None and shown.fields["name"] == "1 幢"
    assert new.take_in(new.rescue_file()) == 0 and old.take_in(new.rescue_file()) == 1
    for wrong in (b"nonsense", b"{}", file.replace(b'"community_id":"c"', b'"community_id":"d"')):
        with pytest.raises(RescueUnreadable):
            new.take_in(wrong)


def test_what_was_taken_over_from_another_phone_was_written_without_what_this_one_has_read(tmp_path: Path) -> None:
    """C10, S18, S30: the file's operations are told as older than the pages that this phone has stored, whichever numbers they get."""
    old, new = phone_at(tmp_path / "old"), phone_at(tmp_path / "new")
    old.create("household", {"kind": "family"})
    new.create("household", {"kind": "family"})
    with new._store.change("page"):
        new._store.run("UPDATE identity SET departures = 'e:7', departures_last_n = 1, scope_last_n = 1")
    new.create("building", {"name": "1 幢"})
    assert new.take_in(old.rescue_file()) == 1
    known = new._store.identity()
    assert known is not None and (known["departures"], known["departures_last_n"], known["scope_last_n"]) == ("e:7", 3, 3)
    assert new.take_in(old.rescue_file()) == 0
    new.create("building", {"name": "2 幢"})
    assert new.take_in(old.rescue_file()) == 0
    known = new._store.identity()
    assert known is not None and known["departures_last_n"] == 3, "nothing new was taken over"


def test_what_its_author_had_read_goes_along_with_work_that_another_phone_takes_over(tmp_path: Path) -> None:
    """S30, C10: told by the numbers that the operations get, from phone to phone, through a fork, and until they are forgotten."""
    old, new, third = (phone_at(tmp_path / name) for name in ("old", "new", "third"))
    old.create("household", {"kind": "family"})
    with old._store.change("page"):
        old._store.run("UPDATE identity SET departures = 'e:9', departures_last_n = 1")
    old.create("building", {"name": "1 幢"}), old.create("building", {"name": "2 幢"})
    new.create("household", {"kind": "family"})
    assert new.take_in(old.rescue_file()) == 3
    new.create("building", {"name": "3 幢"})
    known = {"seen": "e:9", "after": 2, "last_n": 4}
    taken = [{"seen": "", "after": 1, "last_n": 4}, known]
    assert departures_known(new._store.identity()) == {"seen": "", "last_n": 4, "taken": taken}
    assert third.take_in(new.rescue_file()) == 5
    assert departures_known(third._store.identity()) == {"seen": "", "last_n": 5, "taken": [{"seen": "", "after": 0, "last_n": 5}, known]}
    with new._store.change("page"):
        new._store.run("UPDATE identity SET departures = 'e:12', departures_last_n = 5")
    assert departures_known(new._store.identity()) == {"seen": "e:12", "last_n": 5, "taken": taken}
    with new._store.change("fork"):
        new._store.run("DELETE FROM part WHERE n < 4"), new._store.run("DELETE FROM log WHERE n < 4")
        _become(new._store, "0190aaaa-0000-7000-8000-00000000ffff", "t")
    assert departures_known(new._store.identity()) == {"seen": "e:12", "last_n": 2, "taken": [{"seen": seen, "after": 0, "last_n": 1} for seen in ("", "e:9")]}
    with new._store.change("forgotten"):
        new._store.run("UPDATE identity SET pruned_n = 1")
    assert departures_known(new._store.identity()) == {"seen": "e:12", "last_n": 2}


def test_work_of_a_phone_that_had_taken_over_from_very_many_still_counts_as_late(tmp_path: Path) -> None:
    """S30, C10: a push tells a hundred spans; that work was taken over at all is never what goes, so nothing is set apart that is late."""
    old, new = phone_at(tmp_path / "old"), phone_at(tmp_path / "new")
    for _ in range(MOST_TAKEN + 20):
        old.create("household", {"kind": "family"})
    read = [{"seen": f"e:{n}", "after": n, "last_n": n + 1} for n in range(1, MOST_TAKEN + 9)]
    with old._store.change("taken over from many, and nothing read of its own since"):
        old._store.run("UPDATE identity SET taken = ?", json.dumps([{"seen": "", "after": 0, "last_n": MOST_TAKEN + 9}, *read]))
    new.create("household", {"kind": "family"})
    assert new.take_in(old.rescue_file()) == MOST_TAKEN + 20
    told = departures_known(new._store.identity())
    assert told is not None and len(told["taken"]) == MOST_TAKEN
    assert told["taken"][0] == {"seen": "", "after": 1, "last_n": MOST_TAKEN + 21}
    assert told["taken"][1:] == [{"seen": f"e:{n}", "after": n + 1, "last_n": n + 2} for n in range(10, MOST_TAKEN + 9)]


def test_phones_tell_what_they_took_over_in_the_same_few_spans() -> None:
    """S30: the reference phone and the field app join them alike, whatever order they come in."""
    for case in json.loads((Path(__file__).parent / "vectors/taken/cases.json").read_text("utf-8"))["cases"]:
        assert joined(case["spans"]) == case["joined"], case["name"]


def test_killed_while_a_file_is_taken_in_it_is_there_whole_or_not(tmp_path: Path) -> None:
    """C1, C10: stopped at any write of taking in, nothing of the file is there or all of it."""
    old = phone_at(tmp_path / "old")
    old.create("building", {"name": "1 幢"}), old.create("building", {"name": "2 幢"})
    file, counts = old.rescue_file(), set()
    for stop in range(12):
        path = tmp_path / f"new{stop}"
        phone_at(path).close()
        left = [stop]

        def fault(step: str, left: list[int] = left) -> None:
            left[0] -= 1
            if left[0] < 0:
                raise KeyboardInterrupt(step)

        with contextlib.suppress(KeyboardInterrupt):
            phone_at(path, fault).take_in(file)
        counts.add(len(phone_at(path).operations()))
    assert counts == {0, 2}


def test_killed_at_any_step_of_writing_a_group_is_there_whole_or_not(tmp_path: Path) -> None:
    """C1: Stop the phone at each step in turn: never half a household, and the file opens again."""
    steps: list[str] = []
    for stop in range(20):
        path = tmp_path / f"p{stop}"
        phone_at(path).close()
        steps.clear()

        def fault(step: str, stop: int = stop) -> None:
            steps.append(step)
            if len(steps) > stop:
                raise KeyboardInterrupt(step)

        try:
            phone = phone_at(path, fault)
            with phone.group():
                home = phone.create("household", {"kind": "family"})
                phone.create("person", {"name": "赵一", "residence_household": home})
            finished = True
        except KeyboardInterrupt:
            finished = False
        left = sqlite3.connect(path).execute("SELECT count(*), coalesce(sum(n), 0) FROM log").fetchone()
        assert left in ((0, 0), (2, 3)) and (not finished or left == (2, 3))
        if finished:
            break
    assert finished and stop >= 4
