"""A gate on PostgreSQL: pushes of chosen installs stop just before their commit, with every lock that they have, until it opens."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from server.store.database import run, write

GATE = 4242


def hold_at_commit(ground: Any, install_id: str) -> None:
    """Pushes of this install keep every lock that they have until the gate opens: their journal entry waits for it at the commit."""
    with write(ground.house.engine) as connection:
        run(
            connection,
            "CREATE FUNCTION wait_at_gate() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            f"IF NEW.install_id = '{install_id}' THEN PERFORM pg_advisory_xact_lock({GATE}); END IF; RETURN NULL; END $$",
        )
        run(
            connection,
            "CREATE CONSTRAINT TRIGGER wait_at_gate AFTER INSERT ON journal DEFERRABLE INITIALLY DEFERRED "
            "FOR EACH ROW EXECUTE FUNCTION wait_at_gate()",
        )


def waiting(ground: Any, lock: str = "advisory") -> tuple[int, dict[str, int]]:
    """How many wait for a lock: at the gate, or anywhere else."""
    with write(ground.house.engine) as connection:
        kinds = dict(
            run(
                connection,
                "SELECT wait_event, count(*) FROM pg_stat_activity WHERE datname = current_database() "
                "AND wait_event_type = 'Lock' GROUP BY 1",
            ).all()
        )
    return kinds.pop(lock, 0), kinds


def until(holds: Callable[[], object]) -> None:
    """Look again until it holds, half a minute long."""
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline, "it never came to that"
        threading.Event().wait(0.02)


@contextlib.contextmanager
def shut(ground: Any) -> Iterator[tuple[ThreadPoolExecutor, threading.Event]]:
    """The gate is shut until the event is set, at the latest until the end of the block."""
    shut_now, opened = threading.Event(), threading.Event()

    def gate() -> None:
        with write(ground.house.engine) as connection:
            run(connection, f"SELECT pg_advisory_xact_lock({GATE})")
            shut_now.set()
            assert opened.wait(60)

    with ThreadPoolExecutor(4) as pool:
        guard: Future[None] = pool.submit(gate)
        assert shut_now.wait(30)
        try:
            yield pool, opened
        finally:
            opened.set()
            guard.result(30)
