from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sync_kit import VECTORS, operation, uid

from sync import digest
from sync.cursor import Cursor
from sync.errors import MalformedCursor, MalformedOperation
from sync.operation import operation_of


def vectors(topic: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((VECTORS / f"{topic}/cases.json").read_text(encoding="utf-8"))
    return found


# ---------------------------------------------------------------- operations
GOOD = operation("patch", "person", "p", {"name": "甲"}, base={"v": 3, "tag": "0123456789abcdef"})


@pytest.mark.parametrize(
    ("member", "value", "pointer"),
    [
        ("op_id", "1", "/op_id"),
        ("op_id", uid("x").upper(), "/op_id"),
        ("op_id", None, "/op_id"),
        ("id", 5, "/id"),
        ("type", "Person", "/type"),
        ("type", "a" * 65, "/type"),
        ("kind", "merge", "/kind"),
        ("kind", ["patch"], "/kind"),
        ("base", [1, "x"], "/base"),
        ("base", {"v": 0, "tag": "0" * 16}, "/base/v"),
        ("base", {"v": True, "tag": "0" * 16}, "/base/v"),
        ("base", {"v": 2**31, "tag": "0" * 16}, "/base/v"),
        ("base", {"v": 1, "tag": "0" * 15}, "/base/tag"),
        ("set", [], "/set"),
        ("set", {}, "/set"),
        ("set", {"Name": 1}, "/set"),
        ("set", {"a b": 1}, "/set"),
        ("was", "x", "/was"),
        ("form_version", 0, "/form_version"),
        ("form_version", 2**31, "/form_version"),
        ("form_version", 1.0, "/form_version"),
        ("claimed_at", "2026-03-02", "/claimed_at"),
        ("claimed_at", "2026-03-02T01:00:00", "/claimed_at"),
        ("claimed_at", 5, "/claimed_at"),
    ],
)
def test_an_operation_that_cannot_be_read_says_where(member: str, value: Any, pointer: str) -> None:
    """A malformed operation names the member that is wrong, never its value."""
    with pytest.raises(MalformedOperation) as error:
        operation_of({**GOOD, member: value})
    assert error.value.pointer == pointer and "甲" not in str(error.value)


@pytest.mark.parametrize("value", [None, [], "x", 1])
def test_what_is_no_object_is_no_operation(value: Any) -> None:
    """Anything but a JSON object is refused as a whole."""
    with pytest.raises(MalformedOperation):
        operation_of(value)


def test_s10_members_of_later_protocols_are_kept() -> None:
    """What this version does not know is kept beside the operation."""
    read = operation_of({**GOOD, "fix": {"lon": 1}, "blobs": []})
    assert read.rest == {"fix": {"lon": 1}, "blobs": []} and read.base == (3, "0123456789abcdef")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from([*GOOD, "units", "unit", "siblings"]), JSON))
def test_nothing_but_malformed_operation_is_raised(changes: dict[str, Any]) -> None:
    """Whatever a hostile client sends is read or refused; nothing else ever happens, and it is not changed."""
    data = {**GOOD, **changes}
    before = copy.deepcopy(data)
    try:
        operation_of(data)
    except MalformedOperation as error:
        assert error.pointer == "" or error.pointer.startswith("/")
    assert repr(data) == repr(before)


# ---------------------------------------------------------------- digests
@pytest.mark.parametrize("case", vectors("digest")["tags"], ids=lambda one: one["name"])
def test_tags_are_the_same_everywhere(case: dict[str, Any]) -> None:
    """Every program computes the same tag of a version; the order in which units are named does not matter."""
    for units in (case["units"], case["units"][::-1]):
        assert digest.version_tag(case["previous"], case["op_id"], units) == case["tag"]


@pytest.mark.parametrize("case", vectors("digest")["streams"], ids=lambda one: one["name"])
def test_digests_are_the_same_everywhere(case: dict[str, Any]) -> None:
    """The digest of a stream is the sum of its rows, in any order; taking a row away takes its hash away."""
    hashes = [digest.record_hash(*row) for row in case["records"]] + [digest.status_hash(*row) for row in case["statuses"]]
    assert digest.to_hex(sum(hashes)) == digest.to_hex(sum(reversed(hashes))) == case["digest"]
    assert digest.to_hex(digest.from_hex(case["digest"]) - sum(hashes)) == digest.ZERO_DIGEST


@given(st.integers(0, digest.MODULUS - 1))
def test_a_digest_survives_its_text(value: int) -> None:
    """32 hex digits hold every digest."""
    assert digest.from_hex(digest.to_hex(value)) == value and len(digest.to_hex(value)) == 32


@pytest.mark.parametrize("case", vectors("digest")["ids"], ids=lambda one: one["name"])
def test_s24_server_made_ids_are_the_same_everywhere(case: dict[str, Any]) -> None:
    """The id of a card or an episode follows from what it is about."""
    assert digest.made_id(*case["parts"]) == case["id"]


# ---------------------------------------------------------------- S19, S20 cursor
@pytest.mark.parametrize("case", vectors("cursor")["good"], ids=lambda one: one["name"])
def test_s19_a_cursor_survives_its_text(case: dict[str, Any]) -> None:
    """A cursor that was given out says the same when it comes back."""
    journal = case["cursor"].get("journal")
    cursor = Cursor(**case["cursor"] | {"journal": journal and tuple(journal)})
    assert cursor.to_text() == case["text"] and Cursor.from_text(case["text"]) == cursor


def test_s19_a_cursor_of_before_the_journal_was_in_it_is_read() -> None:
    """Phones go on from where they are when the server's program becomes newer."""
    assert Cursor.from_text('[2,"i","e",4,"all",{"cell/1":9},{},4000,2,7]') == Cursor("i", "e", 4, "all", {"cell/1": 9}, {}, 4000, 2, 7)


@pytest.mark.parametrize("case", vectors("cursor")["bad"], ids=lambda one: one["name"])
def test_s19_what_is_no_cursor_is_refused(case: dict[str, Any]) -> None:
    """Anything else is refused, whatever it is."""
    with pytest.raises(MalformedCursor):
        Cursor.from_text(case["text"])


@given(
    st.dictionaries(st.text(max_size=8), st.integers(0)), st.dictionaries(st.text(max_size=8), st.integers(0)),
    st.integers(1), st.integers(0), st.integers(0),
)  # fmt: skip
def test_s20_any_position_survives(
    streams: dict[str, int], fresh: dict[str, int], rows: int, turn: int, head: int
) -> None:
    """Every position in every stream, half-read ones too, comes back as it was."""
    cursor = Cursor("i", "e", 3, "all", streams, fresh, rows, turn, head)
    assert Cursor.from_text(cursor.to_text()) == cursor
