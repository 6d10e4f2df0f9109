"""How a running job tells how far it is, and learns that it is no longer its own."""

from __future__ import annotations

from datetime import datetime, timedelta

from server.house import House
from server.store import jobs
from server.store.database import write
from server.store.jobs import Job

_EVERY = timedelta(seconds=1)


class LeaseLost(Exception):
    """Another worker holds this job now."""


class JobRefused(Exception):
    """The job cannot be done, now or later; ``code`` says why, without values."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Progress:
    """Counts what a job has done. Each report renews the lease; reports within a second are folded into one."""

    def __init__(self, house: House, taken: Job, lease: timedelta) -> None:
        self._house = house
        self._job = taken
        self._lease = lease
        self._told_at: datetime | None = None
        self.done = 0
        self.total: int | None = None

    def expect(self, total: int) -> None:
        """Say how many items there are in all."""
        self.total = total
        self.tell()

    def advance(self, count: int) -> None:
        """Say that ``count`` more items are done; LeaseLost when the job was given to another worker."""
        self.done += count
        at = self._house.clock()
        if self._told_at is None or at - self._told_at >= _EVERY:
            self.tell()

    def tell(self) -> None:
        """Write the progress down now."""
        self._told_at = self._house.clock()
        with write(self._house.engine) as connection:
            ours = jobs.heartbeat(
                connection, self._job, at=self._told_at, lease=self._lease, done=self.done, total=self.total
            )
        if not ours:
            raise LeaseLost(self._job.job_id)
