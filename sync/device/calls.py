"""One call of the sync protocol: the token, and what a status other than 200 means."""

from __future__ import annotations

from typing import Any

from sync.device.errors import AnswerNotUnderstood, NotEnrolled, Refused, Revoked, ServerBusy
from sync.device.leaving import leaving
from sync.device.store import Store
from sync.device.transport import Answer, Transport

PROTOCOL = 1


def call(
    store: Store, transport: Transport, name: str, method: str, path: str, body: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Send one request of an enrolled phone; the body of a 200.

    No transaction is open meanwhile. Raises Offline, ServerBusy, Revoked, Refused or AnswerNotUnderstood; after each of
    them the same request may be sent again.
    """
    identity = store.identity()
    if identity is None:
        raise NotEnrolled("enrol first")
    if store.changing:
        raise RuntimeError("no request while a group is being written")
    store.fault(f"{name}: before sending")
    answer = transport.request(method, path, body=body, token=identity["token"])
    store.fault(f"{name}: answered")
    with leaving(store):
        return accepted(answer)


def accepted(answer: Answer) -> dict[str, Any]:
    """The body of a 200 or 201; everything else as an error."""
    if answer.status in (200, 201):
        return answer.body
    if answer.status in (429, 502, 503, 504):
        raise ServerBusy(_seconds(answer.headers.get("retry-after")))
    if answer.status >= 500:
        raise ServerBusy(None)
    refusal = Revoked if str(answer.body.get("type", "")).endswith("/install-revoked") else Refused
    raise refusal(answer.status, answer.body)


def wanted(body: dict[str, Any], name: str, kind: type) -> Any:
    """A member that the protocol promises.

    Raises AnswerNotUnderstood where it is missing or something else.
    """
    value = body.get(name)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise AnswerNotUnderstood(f"'{name}' is missing or not of type {kind.__name__}")
    return value


def _seconds(text: str | None) -> float | None:
    try:
        return max(0.0, float(text)) if text else None
    except ValueError:  # a date: the device's clock is not trusted to count from it
        return None
