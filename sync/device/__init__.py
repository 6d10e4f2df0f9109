"""The reference phone: what every client of the protocol must do, as small as it can be said (docs/protocol.md).

It keeps everything in one SQLite file. Every change of state is one transaction of that file, so that the process may
be killed between any two statements or calls: what was written stays, and the next ``sync()`` goes on from there.
"""

from sync.device.copies import Copy
from sync.device.errors import (
    AlreadyEnrolled,
    AnswerNotUnderstood,
    DigestMismatch,
    ForkNeeded,
    GroupTooLarge,
    InvalidFields,
    NotAlone,
    NotEnrolled,
    Offline,
    PhoneError,
    Refused,
    RescueUnreadable,
    Revoked,
    ServerBusy,
    UnknownRecord,
    WrongArguments,
)
from sync.device.phone import Phone
from sync.device.pull import PullReport
from sync.device.push import PushReport
from sync.device.standing import Standing
from sync.device.transport import Answer, HttpTransport, Transport
from sync.device.view import RecordView

__all__ = [
    "AlreadyEnrolled",
    "Answer",
    "AnswerNotUnderstood",
    "Copy",
    "DigestMismatch",
    "ForkNeeded",
    "GroupTooLarge",
    "HttpTransport",
    "InvalidFields",
    "NotAlone",
    "NotEnrolled",
    "Offline",
    "Phone",
    "PhoneError",
    "PullReport",
    "PushReport",
    "RecordView",
    "Refused",
    "RescueUnreadable",
    "Revoked",
    "ServerBusy",
    "Standing",
    "Transport",
    "UnknownRecord",
    "WrongArguments",
]
