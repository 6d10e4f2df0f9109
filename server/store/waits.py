"""How long who comes now would wait for a lock of PostgreSQL, judged by who waits for the same lock in this process (S16).

SQLite has one queue and knows its length (`server.store.queue`), and judges it by the same `Pace`. On PostgreSQL pushes to different cells wait for nobody, so that there is
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


class Pace:
    """How long one lock is held, as a moving mean of the last holds in which the newest one counts for ``newest``.

    A hold that is longer than anybody is let wait (a publishing) stays out of the mean: while it lasts it is judged by itself, and
    when it is over it says nothing of the next ones.
    """

    __slots__ = ("hold_s", "newest")

    def __init__(self, hold_s: float, newest: float) -> None:
        self.hold_s, self.newest = hold_s, newest

    def held(self, seconds: float, members: int = 1) -> None:
        """It was held for so long, for so many together."""
        if seconds <= LONGEST_WAIT_S:
            self.hold_s += self.newest * (seconds / members - self.hold_s)

    def estimate_s(self, ahead: int, stuck_s: float) -> float:
        """How long who comes now would wait for so many: as long again as the first of them takes by now, or until all have held it."""
        return max(stuck_s, ahead * self.hold_s) if ahead else 0.0


def too_long(estimate_s: float) -> Busy:
    """What is told to who is not let wait."""
    return Busy(retry_after_s=max(1, round(estimate_s)))


class Line:
    """Who waits for one lock, and how long the last ones stood at the head of the line: those of other processes between them count in it."""

    __slots__ = ("head_at", "pace", "since")

    def __init__(self) -> None:
        self.since: list[float] = []
        self.head_at = 0.0
        self.pace = Pace(0.0, 0.3)

    def estimate_s(self, now: float) -> float:
        """How long who comes now would wait: as long as the first of the line has by now, or until all of them have stood at its head."""
        return self.pace.estimate_s(len(self.since), now - self.since[0]) if self.since else 0.0

    def enter(self, now: float) -> None:
        """Stand behind the others. Raises Busy where that would be for too long."""
        estimate_s = self.estimate_s(now)
        if estimate_s > LONGEST_WAIT_S:
            raise too_long(estimate_s)
        if not self.since:
            self.head_at = now
        self.since.append(now)

    def leave(self, since: float, now: float) -> bool:
        """Go on with the lock, or without it; whether the line is to be remembered."""
        self.since.remove(since)
        self.pace.held(now - self.head_at)
        self.head_at = now
        return bool(self.since) or self.pace.hold_s > _SHORT_S


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
