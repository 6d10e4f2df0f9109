"""The specification is held: every numbered rule has a test that cites it, and keys begin with the community."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from device_kit import claimed, phone_at
from sqlalchemy import Table

from bench.held import held_by, rules_cited, rules_told
from server.conformance.run import listed
from server.models import metadata
from sync.device.keeping import KEPT_S, op_id_at, prune

ROOT = Path(__file__).resolve().parent.parent
TOLD = rules_told((ROOT / "docs" / "protocol.md").read_text(encoding="utf-8"))


def test_the_specification_has_its_rules():
    """W, S, T and C rules are numbered without a gap."""
    for letter, last in (("L", 10), ("W", 8), ("S", 30), ("T", 1), ("C", 13)):
        first = 5 if letter == "L" else 1
        assert [one for one in TOLD if one[0] == letter] == [f"{letter}{number}" for number in range(first, last + 1)]


@pytest.mark.parametrize("rule", TOLD)
def test_every_rule_is_held_by_a_test_or_by_the_conformance_run(rule):
    """No MUST stands in the specification alone: a test cites it, or `dishu conformance` asks it."""
    asked = {one.name.rstrip("abcdef") for one in listed()}
    assert held_by().get(rule) or rule in asked


def test_citations_are_read_as_people_write_them():
    """A list of the tests that misses half of them would be no list."""
    assert rules_cited("test_s24_a_card", "S1–S3, L6: nothing, S19; not SA5 or A4") == {"S24", "S1", "S2", "S3", "L6", "S19"}


def test_every_key_begins_with_the_community():
    """S30: rows of one community lie together and can be moved together."""
    house_wide = {"meta", "alembic_version"}
    tables: list[Table] = [one for one in metadata.sorted_tables if one.name not in house_wide]
    wrong = [one.name for one in tables if "community_id" in one.c and next(iter(one.primary_key.columns)).name != "community_id"]
    assert wrong == []
    assert {"record", "operation", "history", "feed", "conflict"} & {one.name for one in tables}


def test_only_what_is_safe_is_forgotten(tmp_path):
    """C12, S21: final, contained, and in two verified backups or acknowledged for 90 days; whole groups from the beginning."""
    phone = phone_at(tmp_path / "phone")
    first = phone.create("household", {"kind": "family"})
    with phone.group():
        phone.create("household", {"kind": "family"})
        phone.create("household", {"kind": "family"})
    phone.create("household", {"kind": "family"})
    store = phone._store
    now = datetime(2026, 3, 2, tzinfo=UTC).timestamp()

    def forget(safe_n: int) -> int:
        with store.change("test"):
            return prune(store, safe_n)

    with store.change("test"):
        store.run("UPDATE identity SET server_time = ?", now)
    assert forget(4) == 0, "without an answer nothing is forgotten"
    with store.change("test"):
        store.run("UPDATE log SET state = 'answered', settled = 1, acknowledged_at = ?", now)
    op_id = op_id_at(store, 1)
    assert forget(2) == 1 and op_id_at(store, 1) == op_id, "n and op_id of the last forgotten one are kept"
    assert forget(2) == 0, "half a group is not forgotten"
    assert forget(3) == 2 and [one.n for one in phone.operations()] == [4]
    with store.change("test"):
        store.run("UPDATE identity SET server_time = ?", now + KEPT_S + 1)
    assert forget(3) == 1 and phone.operations() == []
    assert phone.create("household", {"kind": "family"}) != first and phone.operations()[0].n == 5, "numbers go on"
    assert claimed() < datetime.now(UTC) - timedelta(days=365)
