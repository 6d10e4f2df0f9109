"""The day that it is in the communities: whoever writes, decides or counts there means that one, wherever a clock or a server stands."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

CHINA = timedelta(hours=8)
"""Ahead of UTC, in all of the country and without change since 1992."""


def day_at(moment: datetime | str) -> str:
    """The day at an aware instant, or at the ISO-8601 text of one: ``2026-03-01T16:00:00.000Z`` is ``2026-03-02``."""
    at = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return (at.astimezone(UTC) + CHINA).date().isoformat()
