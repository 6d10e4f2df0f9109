"""What can go wrong while keeping: no HTTP here."""

from __future__ import annotations


class StoreError(Exception):
    """Base of the store's errors."""


class Busy(StoreError):
    """Too many writers wait; the caller may come back after ``retry_after_s`` seconds."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__("too many writers wait")
        self.retry_after_s = retry_after_s


class PlanOutdated(StoreError):
    """Something that the plan relied on changed before the locks were held; start again (S15)."""


class Unavailable(StoreError):
    """The database failed; nothing was written. The message is the kind of failure, never a value."""


class CopiedBack(StoreError):
    """This house acknowledged ``known`` to a phone in the life ``was``, and the database has ``found``: an older copy (S25)."""

    def __init__(self, was: str | None, what: str, known: int, found: int) -> None:
        super().__init__("an older copy of the database was put back")
        self.was, self.what, self.known, self.found = was, what, known, found
