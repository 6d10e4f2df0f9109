"""What can go wrong in the server, said without HTTP. `server.problems` maps each class to its answer.

Messages name the place, never a personal value: they reach screens and logs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class InputError:
    """One thing wrong with what was sent: where (JSON pointer), which code, in words."""

    pointer: str
    code: str
    message: str


class ServerError(Exception):
    """Base of the server's own errors.

    ``errors`` lists every place that is wrong; ``retry_after_s`` is set where trying again later helps.
    """

    def __init__(
        self, message: str = "", *, errors: Sequence[InputError] = (), retry_after_s: float | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.errors = tuple(errors)
        self.retry_after_s = retry_after_s


class NotSignedIn(ServerError):
    """Nobody is signed in, or the sign-in has ended."""


class WrongCredentials(ServerError):
    """Name or password is wrong; which of them is never told."""


class AccountLocked(ServerError):
    """Too many wrong passwords in a row; the account opens again by itself."""


class CsrfRefused(ServerError):
    """A change through the session cookie without the session's own token."""


class TokenRefused(ServerError):
    """A device or read token that this house did not sign, or that has expired."""


class InstallRevoked(ServerError):
    """The device was revoked, or its user's account closed.

    Attributes
    ----------
    reason : str
        ``lost``: it is to erase itself. ``retired``, ``replaced``, ``closed``: it may still hand over what it has, then erases itself.
    """

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class InstallUnconfirmed(ServerError):
    """The database was restored to before this device was enrolled: it may push into hold and waits for the secretary (S26)."""


class SealedUnreadable(ServerError):
    """Sealed work that this house cannot open; nothing was consumed, the phone sends it openly once its PIN was given."""


class OutsideScope(ServerError):
    """The actor may not do this, or not here."""


class NotFound(ServerError):
    """There is no such thing within the actor's scope."""


class InvalidInput(ServerError):
    """What was sent is well-formed but not acceptable; ``errors`` names every place."""


class InvalidParameter(InvalidInput):
    """A query parameter that is unknown or cannot be read, where a standard wants 400 for it."""


class CellsRefused(ServerError):
    """A draft that the publish gate refuses; ``errors`` name every problem with its cells."""


class MalformedBody(ServerError):
    """The body is not the JSON object that is expected."""


class BodyTooLarge(ServerError):
    """The body is larger than the endpoint takes, packed or unpacked."""


class UnsupportedBody(ServerError):
    """Another media type or content encoding than the endpoint reads."""


class UploadExpired(ServerError):
    """The upload was not finished in time; what had arrived is gone."""


class OffsetDiffers(ServerError):
    """The upload goes on at another byte than the one that was sent."""


class HashDiffers(ServerError):
    """The bytes that arrived are not those that were announced; they were not kept."""


class ProtocolVersion(ServerError):
    """Another version of the upload protocol than the one spoken here."""


class StorageUnreachable(ServerError):
    """The storage of photos is not there or does not answer."""


class SlowDown(ServerError):
    """Too many tries from one place."""


class AlreadyExists(ServerError):
    """A thing with this name exists."""


class AlreadyDecided(ServerError):
    """What waited for a decision does not wait any more, or waits for something else first."""


class EnrolmentCodeUnknown(ServerError):
    """No such enrolment code was given out."""


class EnrolmentCodeExpired(ServerError):
    """The enrolment code is past its time."""


class EnrolmentCodeUsed(ServerError):
    """The enrolment code has already enrolled a device."""


class DatabaseUnreachable(ServerError):
    """The database is not there or does not answer."""


class StartError(Exception):
    """Dishu cannot start; the message is one line for the person at the terminal."""
