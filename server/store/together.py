"""Short writers that wait for each other anyway share one transaction of SQLite, and its commit.

Whoever stands at the head of the queue does the work of those behind, each behind a savepoint, in the order of the queue; then one
commit, then all go on. What one breaks is taken back to its savepoint and costs the others nothing. A commit waits for the disk,
and threads that take turns wait for each other: both happen once for all of them.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine

from server.store.errors import Unavailable
from server.store.queue import Waiting, WriteQueue

MOST_TOGETHER = 16
LONGEST_S = 0.25
"""After this time nobody is taken along any more: who came first has waited long enough."""

T = TypeVar("T")


class _Share:
    """Somebody's part: the work, and what became of it."""

    def __init__(self, work: Callable[[Connection], Any]) -> None:
        self._work = work
        self.result: Any = None
        self.error: BaseException | None = None

    def do(self, connection: Connection) -> None:
        """The work behind a savepoint. Raises only where SQLite has given up the whole transaction."""
        try:
            _say(connection, "SAVEPOINT share")
            self.result = self._work(connection)
            _say(connection, "RELEASE share")
        except BaseException as error:
            self.error = error
            _say(connection, "ROLLBACK TO share")
            _say(connection, "RELEASE share")


def _say(connection: Connection, statement: str) -> None:
    try:
        connection.connection.cursor().execute(statement)
    except sqlite3.Error as error:
        raise Unavailable(type(error).__name__) from error


def write_together(engine: Engine, queue: WriteQueue, work: Callable[[Connection], T]) -> T:
    """The result of ``work`` in a write transaction that may be shared; committed when this returns. On whose thread is not said.

    Raises
    ------
    Busy
        The queue is too long.
    Unavailable
        The transaction could not be begun or committed: nobody's work was written.
    """
    mine = _Share(work)
    if not queue.enter(mine):
        _lead(engine, queue, mine)
    if mine.error is not None:
        raise mine.error
    result: T = mine.result
    return result


def _lead(engine: Engine, queue: WriteQueue, mine: _Share) -> None:
    """Do the own work and that of those behind; wake them when it is committed, or lost."""
    started = time.monotonic()
    others: list[Waiting] = []
    try:
        with queue.file_lock(), engine.connect() as plain:
            connection = plain.execution_options(dishu_write=True)
            with connection.begin():
                mine.do(connection)
                while len(others) + 1 < MOST_TOGETHER and time.monotonic() - started < LONGEST_S and (one := queue.take_along()):
                    others.append(one)
                    one.share.do(connection)
    except BaseException as error:
        for share in [mine, *(one.share for one in others)]:
            if share.error is None:
                share.error = Unavailable(type(error).__name__)
                share.error.__cause__ = error
        if not isinstance(error, Exception):
            raise
    finally:
        for one in others:
            one.served = True
            one.woken.set()
        queue.leave(1 + len(others))
