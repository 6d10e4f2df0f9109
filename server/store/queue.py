"""The queue of writers before SQLite: first come, first served, one process at a time (S16)."""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine

from server.store.errors import Busy, Unavailable

_LONGEST_WAIT_S = 2.0


class Waiting:
    """Somebody in the queue. ``share``: what somebody ahead may do for them, who says so with ``served`` before they are woken."""

    __slots__ = ("served", "share", "woken")

    def __init__(self, share: Any) -> None:
        self.share, self.woken, self.served = share, threading.Event(), False


class WriteQueue:
    """First come, first served among the threads of one process; refuses when the wait would be too long.

    ``hold_s`` is a moving mean of how long the head kept the lock; waiting × hold is the estimate that is refused.
    """

    def __init__(self, lock_path: str | None) -> None:
        self._gate = threading.Lock()
        self._waiting: deque[Waiting] = deque()
        self._busy = False
        self._lock_path = lock_path
        self.hold_s = 0.01

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Hold the head of the queue; Busy when more than two seconds of others stand before us."""
        self.enter()
        started = time.monotonic()
        try:
            with self.file_lock():
                yield
        finally:
            self.leave(started)

    def enter(self, share: Any = None) -> bool:
        """Wait for the head of the queue; Busy as in `turn`. True: somebody ahead has done ``share``, the head is not ours."""
        mine: Waiting | None = None
        with self._gate:
            estimate_s = (len(self._waiting) + self._busy) * self.hold_s
            if estimate_s > _LONGEST_WAIT_S:
                raise Busy(retry_after_s=max(1, round(estimate_s)))
            if self._busy:
                mine = Waiting(share)
                self._waiting.append(mine)
            self._busy = True
        if mine is None:
            return False
        mine.woken.wait()
        return mine.served

    def take_along(self) -> Waiting | None:
        """Whoever waits next, if their share may be done for them; only the head of the queue asks, and wakes them afterwards."""
        with self._gate:
            return self._waiting.popleft() if self._waiting and self._waiting[0].share is not None else None

    def leave(self, started: float, members: int = 1) -> None:
        """Give up the head, held since ``started`` for so many."""
        with self._gate:
            self.hold_s = 0.9 * self.hold_s + 0.1 * (time.monotonic() - started) / members
            if self._waiting:
                self._waiting.popleft().woken.set()
            else:
                self._busy = False

    @contextmanager
    def file_lock(self) -> Iterator[None]:
        """Keep other processes out; only the head of the queue asks for it."""
        if self._lock_path is None:
            yield
            return
        try:
            handle = os.open(self._lock_path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:  # too many open files, a full disk: not the fault of what was to be written
            raise Unavailable(type(error).__name__) from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


_queues: dict[str, WriteQueue] = {}
_queues_gate = threading.Lock()


def queue_of(engine: Engine) -> WriteQueue:
    """The one queue of this process for the database file."""
    path = engine.url.database
    with _queues_gate:
        name = str(path) if path and path != ":memory:" else f"memory-{id(engine)}"
        if name not in _queues:
            _queues[name] = WriteQueue(f"{path}.lock" if path and path != ":memory:" else None)
        return _queues[name]
