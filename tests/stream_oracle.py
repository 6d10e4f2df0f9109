"""The oracle of every push test: streams, ledger and history recounted from the plain tables."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise

from server_kit import COMMUNITY, Ground

from server.services.prepare import NO_OPERATION
from sync.digest import MODULUS, from_hex, record_hash, status_hash
from sync.memory import UNPLACED


def recount(ground: Ground) -> None:
    """Every counter, every feed row and every ledger equals what the records, operations and installs say."""
    rows = ground.rows
    devices = {row.install_id for row in rows("SELECT install_id FROM install WHERE kind = 'device'")}
    records = rows("SELECT id, v, tag, life, home, dedicated, created_install FROM record WHERE community_id = ?", COMMUNITY)
    wanted: dict[str, dict[str, tuple[int, str]]] = defaultdict(dict)
    for row in records:
        if row.life == "live":
            wanted[row.home][row.id] = (row.v, row.tag)
            if row.dedicated is not None:
                wanted[row.dedicated][row.id] = (row.v, row.tag)
            if row.home == UNPLACED and row.created_install in devices:
                wanted[f"install/{row.created_install}"][row.id] = (row.v, row.tag)
    statuses: dict[str, dict[str, int]] = defaultdict(dict)
    for row in rows("SELECT install_id, n, op_id, status, now, now_reason FROM operation WHERE community_id = ?", COMMUNITY):
        last = rows(
            "SELECT status, outcome, reason FROM operation_status WHERE community_id = ? AND install_id = ? AND n = ? "
            "ORDER BY status DESC", COMMUNITY, row.install_id, row.n,
        )  # fmt: skip
        assert [one.status for one in last] == list(range(row.status, 1, -1)), "every status has its row"
        if last:
            assert (last[0].outcome, last[0].reason) == (row.now, row.now_reason)
        if last and row.install_id in devices and row.op_id != NO_OPERATION:  # an id that only the phone knows
            statuses[f"install/{row.install_id}"][row.op_id] = row.status
    found: dict[str, dict[str, tuple[int, str]]] = defaultdict(dict)
    told: dict[str, dict[str, int]] = defaultdict(dict)
    highest: dict[str, int] = defaultdict(int)
    for row in rows("SELECT stream_id, seq, record_id, kind, v, tag FROM feed WHERE community_id = ?", COMMUNITY):
        highest[row.stream_id] = max(highest[row.stream_id], row.seq)
        if row.kind == "PUT":
            found[row.stream_id][row.record_id] = (row.v, row.tag)
        elif row.kind == "STATUS":
            told[row.stream_id][row.record_id] = row.v
    for name, made, expected in (("records", found, wanted), ("statuses", told, statuses)):
        for stream in {*made, *expected}:
            assert made.get(stream, {}) == expected.get(stream, {}), (name, stream)
    counters = {row.stream_id: row for row in rows("SELECT * FROM stream WHERE community_id = ?", COMMUNITY)}
    for stream in {*counters, *wanted, *statuses}:
        total = sum(record_hash(one, v, tag) for one, (v, tag) in wanted.get(stream, {}).items())
        total += sum(status_hash(op_id, status) for op_id, status in statuses.get(stream, {}).items())
        row = counters[stream]
        assert (row.count, from_hex(row.digest)) == (len(wanted.get(stream, {})), total % MODULUS), stream
        assert row.seq >= highest[stream], stream
    _recount_ledger(ground, {row.id: row.home for row in records})
    _recount_history(ground, {row.id: (row.v, row.tag) for row in records})


def _recount_ledger(ground: Ground, homes: dict[str, str]) -> None:
    trail: dict[str, list[tuple[str, str]]] = defaultdict(list)
    statement = "SELECT record_id, from_home, to_home FROM placement_ledger WHERE community_id = ? ORDER BY number, v, step"
    for row in ground.rows(statement, COMMUNITY):
        trail[row.record_id].append((row.from_home, row.to_home))
    for record_id, moves in trail.items():
        assert all(one[1] == two[0] for one, two in pairwise(moves)), moves
        assert moves[-1][1] == homes[record_id]


def _recount_history(ground: Ground, versions: dict[str, tuple[int, str]]) -> None:
    last: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for row in ground.rows("SELECT record_id, v, tag FROM history WHERE community_id = ? ORDER BY v", COMMUNITY):
        last[row.record_id].append((row.v, row.tag))
    assert set(last) == set(versions)
    for record_id, rows in last.items():
        assert [v for v, _ in rows] == list(range(1, len(rows) + 1))
        assert rows[-1] == versions[record_id]
