"""The queue of writers before SQLite: first come, first served, one process at a time (S16)."""

from __future__ import annotations

import fcntl
import os
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine

from server.store.errors import Unavailable
from server.store.waits import LONGEST_WAIT_S, Pace, clock, too_long

MOST_WAITING = 8
"""Half of the threads that serve SQLite: the others are for those who read while the head takes its time."""
SHORT_HOLD_S = 0.5
"""What a push or a shared commit takes at most on a disk that is not stuck; until then everybody may stand in the queue."""

_thread = threading.local()


@contextmanager
def patiently() -> Iterator[None]:
    """In this thread writers wait for as long as it takes: work of the server's own, which keeps no request waiting."""
    before, _thread.patient = getattr(_thread, "patient", False), True
    try:
        yield
    finally:
        _thread.patient = before


class Waiting:
    """Somebody in the queue. ``share``: what somebody ahead may do for them, who says so with ``served`` before they are woken."""

    __slots__ = ("served", "share", "woken")

    def __init__(self, share: Any) -> None:
        self.share, self.woken, self.served = share, threading.Event(), False


class WriteQueue:
    """First come, first served among the threads of one process; refuses when the wait would be too long.

    What is refused is judged by those ahead and by how long the head has had its turn by now. Who stands in the queue already gives
    up when the head has had it for longer than anybody is let wait, and sooner where more than ``most_waiting`` stand there, the
    last ones first: threads that wait answer nobody else.
    """

    def __init__(self, lock_path: str | None) -> None:
        self._gate = threading.Lock()
        self._waiting: deque[Waiting] = deque()
        self._head_at: float | None = None
        self._lock_path = lock_path
        self._pace = Pace(0.01, 0.1)
        self.most_waiting = MOST_WAITING

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Hold the head of the queue; Busy when more than two seconds of others stand before us."""
        self.enter()
        try:
            with self.file_lock():
                yield
        finally:
            self.leave()

    def enter(self, share: Any = None) -> bool:
        """Wait for the head of the queue; Busy as in `turn`. True: somebody ahead has done ``share``, the head is not ours."""
        patient = getattr(_thread, "patient", False)
        with self._gate:
            if self._head_at is None:
                self._head_at = clock()
                return False
            held_s = clock() - self._head_at
            estimate_s = self._pace.estimate_s(len(self._waiting) + 1, held_s)
            if not patient and (estimate_s > LONGEST_WAIT_S or held_s > self._patience_s(len(self._waiting))):
                raise too_long(estimate_s)
            mine = Waiting(share)
            self._waiting.append(mine)
        while not mine.woken.wait(None if patient else self._left_s(mine)):
            pass
        return mine.served

    def take_along(self) -> Waiting | None:
        """Whoever waits next, if their share may be done for them; only the head of the queue asks, and wakes them afterwards."""
        with self._gate:
            return self._waiting.popleft() if self._waiting and self._waiting[0].share is not None else None

    def leave(self, members: int = 1) -> None:
        """Give up the head, which was held for so many."""
        with self._gate:
            now = clock()
            if self._head_at is not None:
                self._pace.held(now - self._head_at, members)
            self._head_at = now if self._waiting else None
            if self._waiting:
                self._waiting.popleft().woken.set()

    def _patience_s(self, place: int) -> float:
        """How long the head may take before who stands at this place of the queue gives up."""
        return LONGEST_WAIT_S if place < self.most_waiting else SHORT_HOLD_S

    def _left_s(self, mine: Waiting) -> float | None:
        """For how long to wait before looking again; None: it is our turn, or our share is being done, and its end is awaited.

        Busy when the head takes too long.
        """
        with self._gate:
            if mine not in self._waiting or self._head_at is None:
                return None
            place, held_s = self._waiting.index(mine), clock() - self._head_at
            left_s = self._patience_s(place) - held_s
            if left_s > 0:
                return left_s
            self._waiting.remove(mine)
        raise too_long(held_s)

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
