from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from sync.device import AnswerNotUnderstood, ForkNeeded, Offline, Phone
from sync.device.push import _lacked_behind, departures_known, next_batch, push
from sync.device.transport import Answer
from sync.digest import record_hash, to_hex
from tests.device_kit import OWN_STREAM, answer_all, claimed, keep, phone_at, put, remove, totals

A, B = "cell/a", "cell/b"
ONE, TWO, THREE, FOUR = (f"0190aaaa-0000-7000-8000-00000000000{n}" for n in (1, 2, 3, 4))


@pytest.fixture
def phone(tmp_path: Path) -> Phone:
    return phone_at(tmp_path / "phone.sqlite3")


def _shown(phone: Phone) -> dict[str, int | None]:
    return {one.id: one.v for one in phone.find("household")}


def _aside(phone: Phone) -> dict[str, tuple[int, Any]]:
    """The copies that wait to be offered, by record: version and values."""
    kept = [orjson.loads(row["copy"]) for row in phone._store.rows("SELECT copy FROM witness")]
    return {one["id"]: (one["v"], one["fields"]) for one in kept}


def test_s20_removals_wait_for_a_complete_page(phone: Phone) -> None:
    """C7: S20: while a pull is under way nothing disappears from my list."""
    keep(phone._store, [put(A, 1, ONE), put(A, 2, TWO)], streams=[A, B], told=totals((A, {ONE: 1, TWO: 1}, {})))
    keep(phone._store, [remove(A, 3, ONE, "moved")], streams=[A, B])
    assert _shown(phone) == {ONE: 1, TWO: 1}
    report = keep(phone._store, [], streams=[A, B], told=totals((A, {TWO: 1}, {}), (B, {}, {})))
    assert _shown(phone) == {TWO: 1} and not report.needs_fork
    assert phone.digests()[A] == {"count": 1, "digest": to_hex(record_hash(TWO, 1, f"{1:016x}"))}


def test_s30_what_was_written_before_a_departure_was_read_is_told_as_such(phone: Phone) -> None:
    """C13, S30: the own head counts that stood before the complete page; pages that are not complete, or say the same, move nothing."""
    store = phone._store
    keep(store, [put(A, 1, ONE), put(A, 2, TWO)], streams=[A], told=totals((A, {ONE: 1, TWO: 1}, {})))
    assert departures_known(store.identity()) == {"seen": "first:0", "last_n": 0}
    phone.patch(ONE, kind="collective")
    keep(store, [remove(A, 3, TWO, "moved")], streams=[A])
    phone.patch(ONE, kind="family")
    keep(store, [], streams=[A], told=totals((A, {ONE: 1}, {})), departures="first:7")
    assert departures_known(store.identity()) == {"seen": "first:7", "last_n": 2}
    phone.patch(ONE, kind="collective")
    keep(store, [], streams=[A], told=totals((A, {ONE: 1}, {})), departures="first:7")
    assert departures_known(store.identity()) == {"seen": "first:7", "last_n": 2}


def test_s20_a_record_stays_while_any_held_stream_shows_it(phone: Phone) -> None:
    """S20: a household that moves between two of my cells never leaves; its newest content is shown."""
    keep(phone._store, [put(A, 1, ONE)], streams=[A, B], told=totals((A, {ONE: 1}, {})))
    keep(phone._store, [put(B, 1, ONE, 2, fields={"kind": "family"})], streams=[A, B])
    keep(phone._store, [put(A, 2, ONE, 1, fields={"kind": "old"})], streams=[A, B])
    assert phone.find("household")[0].fields == {"kind": "family"}
    keep(phone._store, [remove(A, 3, ONE, "moved")], streams=[A, B], told=totals((A, {}, {}), (B, {ONE: 2}, {})))
    assert _shown(phone) == {ONE: 2}
    keep(phone._store, [put(B, 2, ONE, 2, home=A)], streams=[A, B])  # another cell alone raises no version
    assert phone.find("household")[0].home == A


def test_s20_overlays_go_only_when_final_answered_and_contained(phone: Phone) -> None:
    """C8, C9: S20: my value is shown until the server's copy has it; while it is held back it stays mine."""
    new = phone.create("household", {"kind": "family"})
    first = phone.operations()[0].op_id
    keep(phone._store, [], streams=[A], told=totals((A, {}, {})))
    assert phone.read(new) is not None  # not sent yet
    keep(phone._store, [], streams=[A], told=totals((A, {}, {})), applied=(1, first))
    (one,) = phone.operations()
    assert one.acknowledged and not one.settled and phone.read(new) is not None  # it has it, the outcome is unknown
    answer_all(phone, "held", reason="parent")
    keep(phone._store, [], streams=[A], told=totals((A, {}, {})), applied=(1, first))
    assert phone.read(new) is not None and "上级记录" in phone.operations()[0].zh
    status = {"stream": OWN_STREAM, "seq": 1, "kind": "STATUS", "op_id": first, "status": 2, "outcome": "applied"}
    rows = [status | {"reason": None, "errors": []}, put(A, 1, new, fields={"kind": "family"})]
    keep(phone._store, rows, streams=[A])
    assert not phone.operations()[0].settled
    keep(
        phone._store,
        [],
        streams=[A],
        told=totals((A, {new: 1}, {}), (OWN_STREAM, {}, {first: 2})),
        applied=(1, first),
    )
    (one,) = phone.operations()
    assert one.settled and one.first == "held" and one.outcome == "applied"
    view = phone.read(new)
    assert view is not None and view.pending == () and view.v == 1


def test_s21_only_the_own_op_id_acknowledges(phone: Phone) -> None:
    """C8: S21: a copied phone notices that the server knows another history, keeps its work and stops sending."""
    new = phone.create("household", {"kind": "family"})
    other = "01900000-0000-7000-8000-0000000000ff"
    report = keep(phone._store, [], streams=[A], told=totals((A, {}, {})), applied=(1, other))
    assert report.needs_fork and not phone.operations()[0].acknowledged and phone.read(new) is not None
    with pytest.raises(ForkNeeded) as fork:
        phone.push()
    assert fork.value.expected == {"n": 1, "op_id": other}


def test_s19_row_and_cursor_are_one_transaction(tmp_path: Path) -> None:
    """C6: Trap 32: killed while a page is kept, the phone has the page and its cursor, or neither."""

    def fault(step: str) -> None:
        if armed and step == "pull: page: before commit":
            raise KeyboardInterrupt

    armed = False
    phone = phone_at(tmp_path / "p", fault)
    keep(phone._store, [put(A, 1, ONE)], streams=[A], told=totals((A, {ONE: 1}, {})))
    armed = True
    with pytest.raises(KeyboardInterrupt):
        keep(phone._store, [put(A, 2, TWO)], streams=[A, B], told=totals((A, {ONE: 1, TWO: 1}, {})), scope_version=2)
    again = phone_at(tmp_path / "p")
    identity = again._store.identity()
    assert identity is not None and identity["scope_version"] == 1 and _shown(again) == {ONE: 1}
    assert set(again.digests()) == {A, OWN_STREAM}


def test_s22_a_revoked_stream_goes_at_once_and_own_work_stays(phone: Phone) -> None:
    """S22: cells that are not mine any more leave the phone; what I have not sent does not."""
    keep(phone._store, [put(A, 1, ONE), put(B, 1, TWO), put(A, 2, THREE), put(B, 2, THREE)], streams=[A, B])
    phone.patch(TWO, phone="1")
    keep(phone._store, [], streams=[A], scope_version=2)
    assert set(_shown(phone)) == {ONE, TWO, THREE}
    view = phone.read(TWO)
    assert view is not None and view.v is None and view.fields == {"phone": "1"}
    identity = phone._store.identity()
    assert identity is not None and (identity["scope_version"], identity["scope_last_n"]) == (
        2,
        1,
    )  # S18: n = 1 is late


def test_s23_a_bare_envelope_counts_and_is_not_shown(phone: Phone) -> None:
    """S23: a record whose every field is hidden from me still makes count and digest agree."""
    row: dict[str, Any] = {"stream": A, "seq": 1, "kind": "PUT", "record": {"id": ONE, "v": 4, "tag": f"{4:016x}"}}
    keep(phone._store, [row], streams=[A], told=totals((A, {ONE: 4}, {})))
    assert phone.read(ONE) is None and phone.find("household") == [] and phone.digests()[A]["count"] == 1
    keep(phone._store, [put(A, 2, ONE, 4)], streams=[A])
    assert _shown(phone) == {ONE: 4}


def test_s19_a_replacement_is_swapped_in_when_complete(phone: Phone) -> None:
    """A stream that is built again keeps showing what it had until the new one is whole; others are not touched."""
    told = totals((A, {ONE: 1, TWO: 1}, {}), (B, {THREE: 1}, {}))
    keep(phone._store, [put(A, 1, ONE), put(A, 2, TWO), put(B, 1, THREE)], streams=[A, B], told=told)
    keep(phone._store, [put(A, 7, TWO, 2)], streams=[A, B], replace=[A])
    assert _shown(phone) == {ONE: 1, TWO: 2, THREE: 1}
    keep(phone._store, [], streams=[A, B], told=totals((A, {TWO: 2}, {}), (B, {THREE: 1}, {})))
    assert _shown(phone) == {TWO: 2, THREE: 1}


def test_s20_what_the_server_does_not_have_any_more_does_not_stay(phone: Phone) -> None:
    """S20, L7: an older copy was put back unnoticed; a stream that is built again shows what the server has, not the higher version that I had."""
    keep(phone._store, [put(A, 1, ONE), put(B, 1, ONE, 2, fields={"kind": "family"})], streams=[A, B], told=totals((A, {ONE: 1}, {}), (B, {ONE: 2}, {})))
    keep(phone._store, [put(A, 1, ONE, 1, fields={"kind": "collective"})], streams=[A, B], replace=[A, B])
    assert phone.find("household")[0].fields == {"kind": "collective"}, "the other stream is read again, too"
    keep(phone._store, [], streams=[A, B], told=totals((A, {ONE: 1}, {}), (B, {}, {})))
    assert _shown(phone) == {ONE: 1} and phone.copies()[0].fields == {"kind": "collective"}


def test_s25_what_a_stream_that_is_read_again_takes_away_is_kept_to_be_offered(phone: Phone) -> None:
    """S25: an older copy was put back unnoticed: the higher version, the other one of the same number and the record that is gone are not lost."""
    first = [put(A, 1, ONE, 2, fields={"kind": "family"}), put(A, 2, TWO, 1, fields={"kind": "family"}), put(A, 3, THREE), put(B, 1, FOUR, 2)]
    keep(phone._store, first, streams=[A, B], told=totals((A, {ONE: 2, TWO: 1, THREE: 1}, {}), (B, {FOUR: 2}, {})))
    assert _aside(phone) == {}
    keep(phone._store, [put(A, 1, ONE, 1), put(A, 2, TWO, 1, tag="f" * 16), put(A, 3, FOUR, 1)], streams=[A, B], replace=[A])
    keep(phone._store, [], streams=[A, B], told=totals((A, {ONE: 1, FOUR: 1}, {}), (B, {FOUR: 2}, {})))
    assert _aside(phone) == {ONE: (2, {"kind": "family"}), TWO: (1, {"kind": "family"}), THREE: (1, {})}, "FOUR is shown by the other stream"


def test_s25_what_only_goes_on_is_not_offered(phone: Phone) -> None:
    """S25: newer versions, what left, what was deleted and a stream that begins again with the same records are no reason to offer anything."""
    keep(phone._store, [put(A, 1, ONE), put(A, 2, TWO), put(A, 3, THREE)], streams=[A, B], told=totals((A, {ONE: 1, TWO: 1, THREE: 1}, {})))
    rows = [put(A, 4, ONE, 2), remove(A, 5, TWO, "moved"), remove(A, 6, THREE, "deleted")]
    keep(phone._store, rows, streams=[A, B], told=totals((A, {ONE: 2}, {}), (B, {}, {})))
    keep(phone._store, [put(A, 4, ONE, 2)], streams=[A, B], replace=[A], told=totals((A, {ONE: 2}, {}), (B, {}, {})))
    keep(phone._store, [], streams=[B], scope_version=2)
    assert _aside(phone) == {}


def test_trap_24_a_difference_is_noticed_and_marked(phone: Phone) -> None:
    """C7: A record that I should not have, or lack, is seen at the end of the pull; overlays wait for the repair."""
    new = phone.create("household", {"kind": "family"})
    answer_all(phone, v=1)
    op_id = phone.operations()[0].op_id
    keep(phone._store, [put(A, 1, ONE)], streams=[A], told=totals((A, {ONE: 1, new: 1}, {})), applied=(1, op_id))
    assert [row["id"] for row in phone._store.rows("SELECT id FROM stream WHERE doubted = 1")] == [A]
    assert not phone.operations()[0].settled
    rows = [put(A, 1, ONE), put(A, 2, new)]
    told = totals((A, {ONE: 1, new: 1}, {}))
    keep(phone._store, rows, streams=[A], told=told, applied=(1, op_id), replace=[A])
    assert phone.operations()[0].settled and set(_shown(phone)) == {ONE, new}


def test_a_deletion_leaves_the_envelope_and_no_values(phone: Phone) -> None:
    """What was deleted can be taken back from this phone; its values are gone from it. Erased leaves nothing."""
    keep(phone._store, [put(A, 1, ONE, fields={"phone": "1"}), put(A, 2, TWO, fields={"phone": "2"})], streams=[A])
    keep(
        phone._store, [remove(A, 3, ONE, "deleted"), remove(A, 4, TWO, "erased")], streams=[A], told=totals((A, {}, {}))
    )
    view = phone.read(ONE)
    assert view is not None and view.life == "deleted" and view.fields == {} and phone.read(TWO) is None
    phone.restore(ONE)
    assert '"base":{"v":2,"tag":"0000000000000002"}' in phone._store.one("SELECT text FROM log")["text"]
    keep(phone._store, [put(A, 5, ONE, 3, fields={"phone": "1"})], streams=[A], told=totals((A, {ONE: 3}, {})))
    assert _shown(phone) == {ONE: 3}


def test_s25_a_restored_server_gets_the_log_again(phone: Phone) -> None:
    """C11: S25: after a restore lower versions win, what the server lost of mine is sent again, and its lost copies are kept."""
    new = phone.create("household", {"kind": "family"})
    answer_all(phone, v=1)
    first = phone.operations()[0].op_id
    with phone._store.change("test"):
        phone._store.run("UPDATE log SET acknowledged_at = 1.0")
    told = totals((A, {ONE: 5, TWO: 1, new: 1}, {}))
    keep(phone._store, [put(A, 1, ONE, 5), put(A, 2, TWO), put(A, 3, new)], streams=[A], told=told, applied=(1, first))
    assert phone.operations()[0].settled
    keep(phone._store, [put(A, 9, THREE)], streams=[A], epoch="second")  # its rows do not fit: nothing of it is kept
    identity = phone._store.identity()
    assert identity is not None and identity["cursor"] is None and set(_shown(phone)) == {ONE, TWO, new}
    told = totals((A, {ONE: 3}, {}))
    report = keep(phone._store, [put(A, 1, ONE, 3)], streams=[A], told=told, epoch="second", from_zero=True)
    assert report.reopened == 1 and _shown(phone) == {ONE: 3, new: None}
    batch = next_batch(phone._store, None, {"max_ops": 10, "max_bytes": 10_000})
    assert [row["op_id"] for row in batch] == [first]
    assert phone._store.rows("SELECT acknowledged_at FROM log")[0][0] is None, "the 90 days before it is forgotten begin anew"
    assert {row["id"] for row in phone._store.rows("SELECT id FROM witness")} == {ONE, TWO, new}


def test_s25_what_a_restored_server_lost_counts_as_unsent_though_the_line_breaks(phone: Phone) -> None:
    """A push learns that the server went back to before the first operation, and breaks: both that it lost are unsent from then on."""
    for _ in range(2):
        phone.create("household", {"kind": "family"})
    answer_all(phone, v=1)
    phone.create("household", {"kind": "family"})
    assert [row["n"] for row in phone._store.rows("SELECT n FROM log WHERE state <> 'answered' ORDER BY n")] == [3]

    class Breaking:
        """Says what it expects, then is away."""

        asked = 0

        def request(self, method: str, path: str, **_: Any) -> Answer:
            self.asked += 1
            if self.asked > 1:
                raise Offline("away")
            return Answer(200, {}, {"epoch": "second", "results": [], "expected": {"n": 0, "op_id": None}})

    with pytest.raises(Offline):
        push(phone._store, Breaking(), claimed)
    assert [row["n"] for row in phone._store.rows("SELECT n FROM log WHERE state <> 'answered' ORDER BY n")] == [1, 2, 3]


def test_s25_what_waits_after_a_restore_is_not_done_though_it_was_before(phone: Phone) -> None:
    """Sent again it is held: it stands on the phone as what I wrote, and is not forgotten as done."""
    new = phone.create("household", {"kind": "family"})
    answer_all(phone, v=1)
    op_id = phone._store.rows("SELECT op_id FROM log")[0][0]
    keep(phone._store, [put(A, 1, new)], streams=[A], told=totals((A, {new: 1}, {})), applied=(1, op_id))
    assert [row[0] for row in phone._store.rows("SELECT settled FROM log")] == [1]
    _lacked_behind(phone._store, 0)
    answer_all(phone, "held", reason="parent", epoch="second")
    assert [tuple(row) for row in phone._store.rows("SELECT settled, now_outcome FROM log")] == [(0, "held")]
    keep(phone._store, [], streams=[A], told=totals((A, {}, {})), applied=(1, op_id), epoch="second", from_zero=True)
    assert _shown(phone) == {new: None}


def test_answers_that_break_the_protocol_are_not_kept(phone: Phone) -> None:
    """A row of an unknown stream or kind, or a result about another operation: nothing of the answer is stored."""
    for row in (put(B, 1, ONE), {"stream": A, "seq": 1, "kind": "NEWS"}, {"stream": A, "seq": 1, "kind": "PUT"}):
        with pytest.raises(AnswerNotUnderstood):
            keep(phone._store, [put(A, 1, ONE), row], streams=[A])
    identity = phone._store.identity()
    assert identity is not None and identity["cursor"] is None and phone.find("household") == []


def test_s12_batches_are_whole_groups_in_order(phone: Phone) -> None:
    """C2: A household form is never cut in two by a batch limit; a group larger than the limit travels alone."""
    for size in (2, 3, 1):
        with phone.group():
            for _ in range(size):
                phone.create("household", {"kind": "family"})

    def sizes(start: int, **limits: int) -> list[int]:
        return [row["n"] for row in next_batch(phone._store, start, {"max_ops": 100, "max_bytes": 10**6} | limits)]

    assert sizes(1, max_ops=4) == [1, 2] and sizes(3, max_ops=4) == [3, 4, 5, 6]
    assert sizes(3, max_ops=1) == [3, 4, 5] and sizes(1, max_bytes=1) == [1, 2] and len(sizes(1)) == 6
