"""The worker: claims jobs, runs them, keeps their leases alive, sweeps old files.

It runs as a thread of `dishu serve` or as `dishu work`; any number may run side by side. A worker that dies in the
middle loses its lease, and the job is begun again by another, at most three times.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.exc import OperationalError

from server.house import House
from server.jobs.kinds import JOB_KINDS, SWEEPERS, Sweeper
from server.jobs.progress import JobRefused, LeaseLost, Progress
from server.services.community_forms import at_home
from server.services.faults import place_of
from server.store import jobs
from server.store.database import write
from server.store.errors import StoreError
from server.store.jobs import Job
from server.store.queue import patiently

LEASE = timedelta(seconds=90)
SWEEP_EVERY = timedelta(minutes=1)
_log = logging.getLogger("dishu.jobs")

Runner = Callable[[House, Job, Progress], dict[str, Any]]


class Worker:
    """One worker of a house.

    Parameters
    ----------
    house : what jobs work with
    kinds : what to do for each kind of job; the built-in kinds when not given
    poll_s : how long to wait before looking for work again
    """

    def __init__(
        self,
        house: House,
        kinds: Mapping[str, Runner] = JOB_KINDS,
        *,
        sweepers: tuple[Sweeper, ...] = SWEEPERS,
        poll_s: float = 1.0,
        lease: timedelta = LEASE,
    ) -> None:
        self._house = house
        self._kinds = dict(kinds)
        self._sweepers = sweepers
        self._poll_s = poll_s
        self._lease = lease
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._swept_at: datetime | None = None
        self.name = f"{os.uname().nodename}-{os.getpid()}-{house.new_id()[-8:]}"

    def start(self) -> None:
        """Work in a thread of this process until `stop`."""
        self._stop.clear()
        self._thread = threading.Thread(target=self.work, name="dishu-worker", daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float = 10.0) -> None:
        """Ask the worker to end after the job in hand; what it does not end in time is begun again elsewhere."""
        self._stop.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(timeout_s)

    def wake(self) -> None:
        """Look for work now instead of at the next poll."""
        self._wake.set()

    def work(self) -> None:
        """Claim and run jobs until `stop`."""
        away = False
        while not self._stop.is_set():
            try:
                self.sweep()
                busy = self.run_one()
                away = False
            except (StoreError, OperationalError) as error:
                if not away:  # said once, not every second of a long night
                    _log.error(
                        "worker: the database is away (%s); trying again every %g s", type(error).__name__, self._poll_s
                    )
                busy, away = False, True
            except Exception as error:  # a dead worker would help nobody
                _log.error("worker: unexpected %s", type(error).__name__)
                busy = False
            if not busy:
                self._wake.wait(self._poll_s)
                self._wake.clear()

    @patiently()
    def run_one(self) -> bool:
        """Claim one job and run it; False when nothing waits."""
        house = self._house
        with write(house.engine) as connection:
            taken = jobs.claim(
                connection, worker=self.name, kinds=tuple(self._kinds), at=house.clock(), lease=self._lease
            )
        if taken is None:
            return False
        progress = Progress(house, taken, self._lease)
        try:
            result = self._kinds[taken.kind](at_home(house, taken.community_id), taken, progress)
        except LeaseLost:
            return True  # whoever holds it now will end it
        except Exception as error:
            refused = isinstance(error, JobRefused)
            # The message of an error may hold a value: only its class, or the code of a refusal, is kept.
            reason = error.code if isinstance(error, JobRefused) else type(error).__name__
            _log.warning("job %s (%s), attempt %d: %s", taken.job_id, taken.kind, taken.attempt, reason)
            with write(house.engine) as connection:
                jobs.give_back(connection, taken, at=house.clock(), error=reason, final=refused)
            return True
        with write(house.engine) as connection:
            jobs.finish(connection, taken, at=house.clock(), result=result, done=progress.done)
        return True

    def run_all(self) -> int:
        """Run jobs until none waits; returns how many were taken."""
        count = 0
        while self.run_one():
            count += 1
        return count

    @patiently()
    def sweep(self, *, now: bool = False) -> None:
        """Remove what is too old and release what waits no longer, at most every minute unless told to do it now.

        A sweeper that breaks is logged and comes again with the others; raises only where the database is away.
        """
        at = self._house.clock()
        if not now and self._swept_at is not None and at - self._swept_at < SWEEP_EVERY:
            return
        self._swept_at = None  # what a database that is away kept from being swept is made up for at the next poll
        for sweeper in self._sweepers:
            try:
                sweeper(self._house)
            except (StoreError, OperationalError):
                raise  # the database is away: for the others too
            except Exception as error:  # one round that breaks stops neither the others nor the jobs
                _log.error("sweeper %s.%s: %s", sweeper.__module__, sweeper.__name__, place_of(error))
        self._swept_at = at
