"""Counters of streams: what a row adds and takes away."""

from __future__ import annotations

from sync.digest import record_hash, status_hash
from sync.feedrows import Counter, stream_changes
from sync.memory import UNPLACED, Memory, Place

STREAM, OPERATION, RECORD = "install/a", "019cabcd-0000-7000-8111-000000000001", "019cabcd-0000-7000-8111-000000000002"


def test_a_status_that_changed_again_counts_once():
    """S13, section 8: held, then set apart, then discarded: the digest has the last of them only, the count none."""
    memory = Memory(records={}, place=lambda _: Place(UNPLACED, {}), forms=None, arrived_at="2026-03-02T01:00:00.000Z", today="2026-03-02")
    kept = record_hash(RECORD, 1, "0" * 16)
    counters = {STREAM: Counter(4, 1, kept)}
    for status, before in ((2, None), (3, 2), (4, 3)):
        changes = stream_changes(memory, counters, frozenset(), [(STREAM, OPERATION, status, before)])
        assert [(row.kind, number) for row, number in changes.rows] == [("STATUS", 3 + status)]
        assert counters[STREAM].digest == (kept + status_hash(OPERATION, status)) % (1 << 128)
    assert counters[STREAM].count == 1 and counters[STREAM].seq == 7
