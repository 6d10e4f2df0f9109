"""How long who comes now would wait for a lock of PostgreSQL, judged by who waits for the same lock in this process (S16).

SQLite has one queue and knows its length (`server.store.queue`). On PostgreSQL pushes to different cells wait for nobody, so that there is
a line for each lock: an install, a community's placement, the counters of a set of streams. Whoever would stand in it for too long is
asked to come again before a thread and a connection wait for it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Hashable, Iterator
from contextlib import contextmanager

from sqlalchemy import Connection

from server.store.errors import Busy

LONGEST_WAIT_S = 2.0
GIVEN_UP_S = 30
"""A push that has stood so long for one lock is taken back and asked to come again: its thread is needed."""
_SHORT_S = 0.02

clock = time.monotonic


class Line:
    """Who waits for one lock, and how long the last ones stood at the head of the line: those of other processes between them count in it."""

    __slots__ = ("head_at", "hold_s", "since")

    def __init__(self) -> None:
        self.since: list[float] = []
        self.head_at = 0.0
        self.hold_s = 0.0

    def estimate_s(self, now: float) -> float:
        """How long who comes now would wait: as long as the first of the line has by now, or until all of them have stood at its head."""
        return max(now - self.since[0], len(self.since) * self.hold_s) if self.since else 0.0

    def enter(self, now: float) -> None:
        """Stand behind the others. Raises Busy where that would be for too long."""
        estimate_s = self.estimate_s(now)
        if estimate_s > LONGEST_WAIT_S:
            raise Busy(retry_after_s=max(1, round(estimate_s)))
        if not self.since:
            self.head_at = now
        self.since.append(now)

    def leave(self, since: float, now: float) -> bool:
        """Go on with the lock, or without it; whether the line is to be remembered."""
        self.since.remove(since)
        self.hold_s = 0.7 * self.hold_s + 0.3 * (now - self.head_at)
        self.head_at = now
        return bool(self.since) or self.hold_s > _SHORT_S


_lines: dict[tuple[Hashable, ...], Line] = {}
_gate = threading.Lock()


@contextmanager
def in_line(connection: Connection, *lock: Hashable) -> Iterator[None]:
    """Around the statement that takes a lock.

    Raises
    ------
    Busy
        Those who stand for it wait for too long already.
    """
    if connection.dialect.name != "postgresql":
        yield
        return
    key, since = (id(connection.engine.pool), *lock), clock()
    with _gate:
        line = _lines.setdefault(key, Line())
        line.enter(since)
    try:
        yield
    finally:
        with _gate:
            if not line.leave(since, clock()):
                _lines.pop(key, None)


def give_up_in_time(connection: Connection) -> None:
    """Whatever this transaction waits for, it waits `GIVEN_UP_S` at most; `database.write` then says Busy."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{GIVEN_UP_S}s'")
