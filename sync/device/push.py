"""Sending the log: contiguous, in groups, as often as it takes (S12, S13, S17, S21)."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

from sync.device.calls import PROTOCOL, call, wanted
from sync.device.errors import AnswerNotUnderstood, ForkNeeded, ServerBusy
from sync.device.keeping import is_own, op_id_at
from sync.device.store import Store
from sync.device.transport import Transport
from sync.device.words import FINAL_OUTCOMES
from sync.device.writing import MAX_GROUP_OPS

DEFAULT_LIMITS = {"max_ops": 2000, "max_bytes": 8_000_000}
ENVELOPE_BYTES = 4096


@dataclass(slots=True)
class PushReport:
    """What a push did: requests sent, operations answered, how often each outcome was told."""

    requests: int = 0
    answered: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)


def push(store: Store, transport: Transport, clock: Callable[[], datetime]) -> PushReport:
    """Send everything that has no answer yet, batch by batch.

    Killed anywhere, the next push sends the same bytes at the same n again and gets the same answers (L6).

    Raises
    ------
    ForkNeeded
        The server's log of this install is not this log (S21). Nothing is sent until the phone has forked.
    """
    report = PushReport()
    limits = _limits(store, transport)
    start: int | None = None
    missing: dict[str, Any] | None = None
    asked: set[tuple[int, bool]] = set()
    while True:
        identity = store.identity()
        if identity is not None and identity["needs_fork"]:
            raise ForkNeeded(orjson.loads(identity["needs_fork"]))
        batch = next_batch(store, start, limits)
        if not batch:
            return report
        sent_at = clock()
        body = _mark_sent(store, batch, sent_at)
        if missing is not None:
            body["missing"] = missing
        answer = call(store, transport, "push", "POST", "/api/v1/sync/push", body)
        report.requests += 1
        if "expected" in answer:
            _keep_receipt(store, answer)
            start, missing = _continue_after(store, answer["expected"])
            if (start, missing is None) in asked:
                raise AnswerNotUnderstood("the server expects again what it was just sent")
            asked.add((start, missing is None))
            continue
        missing = None
        results = wanted(answer, "results", list)
        if not results:
            raise ServerBusy(None)  # its time was over before the first group; nothing was consumed
        store_answers(store, batch, answer, results, sent_at)
        report.answered += len(results)
        report.outcomes.update(str((result.get("now") or {}).get("outcome")) for result in results)
        # after a jump back to the server's head everything behind it is sent again, also what was answered before
        start = batch[len(results) - 1]["n"] + 1 if start is not None else None


def _limits(store: Store, transport: Transport) -> dict[str, Any]:
    identity = store.identity()
    if identity is None or identity["limits"] is None:
        config = call(store, transport, "config", "GET", "/api/v1/sync/config")
        with store.change("config"):
            store.run("UPDATE identity SET limits = ?", orjson.dumps(wanted(config, "limits", dict)).decode())
            if isinstance(config.get("device_token"), str):  # the house has another secret now
                store.run("UPDATE identity SET token = ?", config["device_token"])
        identity = store.identity()
    assert identity is not None
    limits: dict[str, Any] = DEFAULT_LIMITS | orjson.loads(identity["limits"])
    return limits


def next_batch(store: Store, start: int | None, limits: dict[str, Any]) -> list[sqlite3.Row]:
    """Whole groups from the first operation without an answer on (or from ``start``), as many as fit; at least one."""
    if start is None:
        first = store.maybe("SELECT group_n FROM log WHERE state <> 'answered' ORDER BY n LIMIT 1")
        if first is None:
            return []
        start = first["group_n"]
    enough = int(limits["max_ops"]) + MAX_GROUP_OPS
    rows = store.rows("SELECT n, group_n, op_id, text FROM log WHERE n >= ? ORDER BY n LIMIT ?", start, enough)
    batch: list[sqlite3.Row] = []
    group: list[sqlite3.Row] = []
    size = ENVELOPE_BYTES
    for position, row in enumerate(rows):
        group.append(row)
        # the text travels as a JSON string: quotes and backslashes are escaped
        size += len(orjson.dumps(row["text"])) + 32
        last_of_group = position + 1 == len(rows) or rows[position + 1]["group_n"] != row["group_n"]
        if last_of_group:
            if batch and (len(batch) + len(group) > limits["max_ops"] or size > limits["max_bytes"]):
                break
            batch += group
            group = []
    return batch


def _mark_sent(store: Store, batch: list[sqlite3.Row], sent_at: datetime) -> dict[str, Any]:
    """The body of a push. From here on the server may know these operations."""
    first, last = batch[0]["n"], batch[-1]["n"]
    with store.change("push: sent"):
        store.run("UPDATE log SET state = 'sent' WHERE state = 'unsent' AND n BETWEEN ? AND ?", first, last)
    identity = store.identity()
    assert identity is not None
    groups: dict[int, list[dict[str, Any]]] = {}
    for row in batch:
        groups.setdefault(row["group_n"], []).append({"n": row["n"], "op": row["text"]})
    return {
        "protocol": PROTOCOL,
        "install_id": identity["install_id"],
        "after": {"n": first - 1, "op_id": op_id_at(store, first - 1)},
        "scope": {"version": identity["scope_version"], "last_n": identity["scope_last_n"]},
        "departures": departures_known(identity),
        "sent_at": sent_at.isoformat(timespec="milliseconds"),
        "receipt": identity["receipt"],
        "groups": [{"ops": operations} for operations in groups.values()],
    }


def departures_known(identity: sqlite3.Row) -> dict[str, Any] | None:
    """What this phone knows of those who have left its community, and since which own operation (S30).

    And what those knew whose work it took over, of operations that it has still.
    """
    taken = [one for one in orjson.loads(identity["taken"]) if one["last_n"] > identity["pruned_n"]]
    known = {"seen": identity["departures"] or "", "last_n": identity["departures_last_n"]}
    return known | {"taken": taken} if taken else known if known["seen"] else None


def _continue_after(store: Store, expected: dict[str, Any]) -> tuple[int, dict[str, Any] | None]:
    """Where the server's log of this install goes on, if it is this log (S12).

    Where this log begins later than that, because what came before was safe and forgotten, the server is told so (S25).
    """
    n = wanted(expected, "n", int)
    if not is_own(store, n, expected.get("op_id")):
        with store.change("push: fork needed"):
            store.run("UPDATE identity SET needs_fork = ?", orjson.dumps(expected).decode())
        raise ForkNeeded(expected)
    _lacked_behind(store, n)
    identity = store.identity()
    if identity is not None and n < identity["pruned_n"]:
        return int(identity["pruned_n"]) + 1, {"n": n, "op_id": expected.get("op_id")}
    unanswered = store.maybe("SELECT group_n FROM log WHERE state <> 'answered' ORDER BY n LIMIT 1")
    start: int = min(n + 1, unanswered["group_n"]) if unanswered else n + 1
    following = store.maybe("SELECT group_n FROM log WHERE n = ?", start)
    return (int(following["group_n"]) if following else start), None


def _lacked_behind(store: Store, n: int) -> None:
    """What was answered behind the server's head it does not have any more: it was restored.

    From now on it counts as unsent, also where the line breaks before it went again. What the copies show of it stays until a
    complete page says otherwise.
    """
    with store.change("push: lacked"):
        store.run(
            "UPDATE log SET state = 'unsent', acknowledged = 0, acknowledged_at = NULL WHERE n > ? AND state = 'answered'", n
        )


def store_answers(
    store: Store,
    batch: list[sqlite3.Row],
    answer: dict[str, Any],
    results: list[dict[str, Any]],
    sent_at: datetime | None = None,
) -> None:
    """Keep the answers, which come in order and may stop early (``continue_from``)."""
    if len(results) > len(batch):
        raise AnswerNotUnderstood("more results than operations")
    epoch = wanted(answer, "epoch", str)
    for row, result in zip(batch, results, strict=False):
        if result.get("n") != row["n"] or result.get("op_id") != row["op_id"]:
            raise AnswerNotUnderstood("a result is not about the operation that was sent at its n")
    skew_s = answer.get("skew_s")
    # the device's clock is a claim; what it is off by was measured by this very answer
    server_time = sent_at.timestamp() - skew_s if sent_at is not None and isinstance(skew_s, int | float) else None
    with store.change("push: answers"):
        for result in results:
            first, now = wanted(result, "first", dict), wanted(result, "now", dict)
            store.run(
                "UPDATE log SET state = 'answered', acknowledged = 1, first_outcome = ?, first_reason = ?, "
                "acknowledged_at = coalesce(acknowledged_at, ?) WHERE n = ?",
                first.get("outcome"),
                first.get("reason"),
                server_time,
                result["n"],
            )
            note_status(store, epoch, result["op_id"], now, result)
        store.run(
            "UPDATE identity SET safe_n = ?, skew_s = coalesce(?, skew_s), server_time = coalesce(?, server_time), "
            "receipt = coalesce(?, receipt)",
            int(answer.get("safe_n") or 0),
            skew_s,
            server_time,
            answer.get("receipt"),
        )


def _keep_receipt(store: Store, answer: dict[str, Any]) -> None:
    with store.change("push: receipt"):
        store.run("UPDATE identity SET receipt = coalesce(?, receipt)", answer.get("receipt"))


def note_status(store: Store, epoch: str, op_id: str, now: dict[str, Any], said: dict[str, Any]) -> None:
    """Keep what the server says now of an operation, unless something newer is known already. What waits is not done, be it after a restore only.

    ``said`` has the record's version after the operation (absent where the record may not be seen) and the errors.
    """
    status = now.get("status") or 0
    store.run(
        "UPDATE log SET now_outcome = ?, now_reason = ?, status = ?, errors = ?, epoch = ?, v = ?, settled = min(settled, ?) "
        "WHERE op_id = ? AND (status <= ? OR epoch IS NOT ?)",
        now.get("outcome"),
        now.get("reason"),
        status,
        orjson.dumps(said.get("errors") or []).decode(),
        epoch,
        (said.get("record") or {}).get("v"),
        now.get("outcome") in FINAL_OUTCOMES,
        op_id,
        status,
        epoch,
    )
