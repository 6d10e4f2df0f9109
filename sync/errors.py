"""What can be wrong with what a phone sends; no HTTP here, never a value in a message."""

from __future__ import annotations


class SyncError(Exception):
    """Base of the sync room's errors."""


class MalformedOperation(SyncError):
    """An operation that cannot be read: ``pointer`` names the place (JSON pointer), ``code`` what is wrong there."""

    def __init__(self, pointer: str, code: str) -> None:
        super().__init__(f"{pointer or '/'}: {code}")
        self.pointer = pointer
        self.code = code


class MalformedCursor(SyncError):
    """A cursor that this server did not make, or not for this install."""
