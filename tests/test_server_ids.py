"""Ids that carry the time they were made at."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import RFC_4122, UUID

from server.house import time_of_uuid7, uuid7


def test_ids_are_in_the_order_they_were_made():
    """Of two jobs queued within one millisecond the first has the smaller id, so it is run first."""
    made = [uuid7() for _ in range(5_000)]
    assert sorted(made) == made
    assert len(set(made)) == len(made)


def test_an_id_is_a_version_7_uuid_and_tells_its_time():
    """Other programs read our ids as UUIDs of version 7, to the millisecond."""
    made = uuid7()
    assert (UUID(made).version, UUID(made).variant, str(UUID(made))) == (7, RFC_4122, made)
    assert abs(time_of_uuid7(made) - datetime.now(UTC)) < timedelta(seconds=10)
