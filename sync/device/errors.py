"""What can go wrong on a phone. After any of these everything that was typed is still in the log, and trying again is safe."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sync.arguments import Wrong


class PhoneError(Exception):
    """Base of all errors of the phone."""


class NotEnrolled(PhoneError):
    """The phone has no install identity yet: enrol with a one-time code first."""


class AlreadyEnrolled(PhoneError):
    """The phone belongs to an install already; a second identity needs a second file."""


class Offline(PhoneError):
    """No answer arrived. The server may or may not have seen the request; sending it again changes nothing (L6)."""


class ServerBusy(PhoneError):
    """The server asks to come back later.

    Attributes
    ----------
    retry_after : float or None
        Seconds to wait, where the server said so.
    """

    def __init__(self, retry_after: float | None = None) -> None:
        super().__init__(f"the server is busy, retry after {retry_after or 'a while'}")
        self.retry_after = retry_after


class Refused(PhoneError):
    """The server refused the request as a whole; nothing of it was consumed.

    Attributes
    ----------
    status : int
        HTTP status.
    problem : dict
        The problem document (RFC 9457), empty where there was none.
    """

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        super().__init__(f"{status} {problem.get('type', '')} {problem.get('title', '')}".strip())
        self.status = status
        self.problem = problem

    @property
    def slug(self) -> str:
        """Last part of the problem's type, ``''`` where there is none."""
        return str(self.problem.get("type", "")).rpartition("/")[2]


class Revoked(Refused):
    """This install may not sync any more: a lost one has erased itself, any other hands over what it has first (`Phone.sync`)."""

    @property
    def reason(self) -> str | None:
        """Why, as the server said; None where it did not say."""
        reason = self.problem.get("reason")
        return reason if isinstance(reason, str) else None


class AnswerNotUnderstood(PhoneError):
    """The answer does not follow the protocol; nothing of it was stored."""


class ForkNeeded(PhoneError):
    """The server knows other operations of this install than its log: it is a clone or a restored copy (S21).

    Attributes
    ----------
    expected : dict
        ``{"n", "op_id"}`` that the server consumed last.
    """

    def __init__(self, expected: dict[str, Any]) -> None:
        super().__init__(f"the log of this install differs at n = {expected.get('n')}: fork into a new install")
        self.expected = expected


class DigestMismatch(PhoneError):
    """Copies differ from the server's even after they were built again from zero.

    Attributes
    ----------
    streams : tuple of str
        The streams that differ.
    """

    def __init__(self, streams: Sequence[str]) -> None:
        super().__init__(f"copies differ after a rebuild: {', '.join(streams)}")
        self.streams = tuple(streams)


class UnknownRecord(PhoneError):
    """No copy and no own operation of this record is on the phone.

    Attributes
    ----------
    record_id : str
    """

    def __init__(self, record_id: str) -> None:
        super().__init__(f"record {record_id} is not on this phone")
        self.record_id = record_id


class InvalidFields(PhoneError):
    """What was typed breaks the form; nothing was written.

    Attributes
    ----------
    errors : tuple of FieldError
        All of them at once, with pointers, without the values.
    """

    def __init__(self, errors: Sequence[Any]) -> None:
        super().__init__("; ".join(f"{error.pointer} {error.code}" for error in errors))
        self.errors = tuple(errors)


class GroupTooLarge(PhoneError):
    """The group would never fit one batch; nothing of it was written."""


class NotAlone(PhoneError):
    """A move to another community is written by itself, never in a group with anything else (S30); nothing of it was written."""


class RescueUnreadable(PhoneError):
    """What was given is no rescue file of this community; nothing of it was written."""


class WrongArguments(PhoneError):
    """The arguments of a command cannot be meant; ``errors`` name every place by pointer and code."""

    def __init__(self, errors: Sequence[Wrong]) -> None:
        super().__init__(", ".join(f"{one.pointer}: {one.code}" for one in errors))
        self.errors = tuple(errors)
