"""Following the streams: rows and cursor in one transaction per page; conclusions only at a complete page (S19-S24)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import orjson

from forms.registry import Registry
from sync.device.calls import PROTOCOL, call, wanted
from sync.device.copies import drop_stream, keep_rows, rebuild, sweep
from sync.device.errors import DigestMismatch, Refused
from sync.device.keeping import another_life, is_own, prune
from sync.device.store import Store
from sync.device.totals import differing, missing_parents
from sync.device.transport import Transport
from sync.device.words import FINAL_OUTCOMES


@dataclass(slots=True)
class PullReport:
    """What a pull did.

    ``rebuilt`` are streams that differed from the server's and were built again from zero. ``missing_parents`` are
    (record id, field, parent id) of held records whose parent is not held: that is a finding only where the parent
    should be in the same cell. ``reopened`` counts own operations that the server had acknowledged and lost or is asked for again, ``pruned``
    those that were forgotten because they are safe.
    """

    pages: int = 0
    rows: int = 0
    complete: bool = False
    added: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    rebuilt: list[str] = field(default_factory=list)
    missing_parents: list[tuple[str, str, str]] = field(default_factory=list)
    reopened: int = 0
    pruned: int = 0
    needs_fork: bool = False


def pull(
    store: Store, transport: Transport, registry: Registry, *, limit: int | None = None, max_pages: int | None = None
) -> PullReport:
    """Read pages until one is complete and the copies agree with the server's digests.

    Killed anywhere, the next pull goes on from the last stored page. ``limit`` asks for smaller pages, ``max_pages``
    stops early (the copies are then shown as far as they came).

    Raises
    ------
    DigestMismatch
        Streams differ even after all of them were built again from zero.
    """
    report = PullReport()
    from_zero = False
    while max_pages is None or report.pages < max_pages:
        if not _page(store, transport, limit, report):
            continue
        doubted = _doubted(store)
        if not doubted:
            report.complete = True
            report.missing_parents = missing_parents(store, registry)
            return report
        if not report.rebuilt:
            report.rebuilt = doubted  # the next request asks for their replacement
        elif not from_zero:
            from_zero = True  # replacing them did not help: everything from zero, once
            _forget_cursor(store)
        else:
            raise DigestMismatch(doubted)
    return report


def _forget_cursor(store: Store) -> None:
    with store.change("pull: from zero"):
        store.run("UPDATE identity SET cursor = NULL")


def _doubted(store: Store) -> list[str]:
    return [row["id"] for row in store.rows("SELECT id FROM stream WHERE doubted = 1 ORDER BY id")]


def _page(store: Store, transport: Transport, limit: int | None, report: PullReport) -> bool:
    """Ask for one page and keep it. Returns whether it was complete."""
    identity = store.identity()
    cursor = identity["cursor"] if identity else None
    asked = _doubted(store) if cursor is not None else []
    body: dict[str, Any] = {
        "protocol": PROTOCOL,
        "install_id": identity["install_id"] if identity else "",
        "cursor": cursor,
        "limit": limit,
        "scope": {"version": identity["scope_version"] if identity else 0},
    }
    if asked:
        body["replace"] = asked
    if cursor is None and limit is None:
        body["snapshots"] = True
    try:
        answer = call(store, transport, "pull", "POST", "/api/v1/sync/pull", body)
        answer = _with_prepared(store, transport, body, answer)
    except Refused as refused:
        if cursor is None or "cursor" not in refused.slug:
            raise
        _forget_cursor(store)  # the server does not read it any more
        return False
    return keep_page(store, cursor, answer, report)


def _with_prepared(store: Store, transport: Transport, body: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
    """The answer with the rows of the prepared files that it names before its own; asked for anew where one is gone."""
    rows: list[Any] = []
    for one in answer.get("snapshots") or ():
        asked = {"protocol": PROTOCOL, "install_id": body["install_id"], "stream": one["stream"], "seq": one["seq"]}
        try:
            rows += wanted(call(store, transport, "snapshot", "POST", "/api/v1/sync/snapshot", asked), "rows", list)
        except Refused as refused:
            if refused.slug != "not-found":
                raise
            return call(store, transport, "pull", "POST", "/api/v1/sync/pull", body | {"snapshots": False})
    return answer | {"rows": rows + wanted(answer, "rows", list)} if rows else answer


def keep_page(store: Store, cursor: str | None, answer: dict[str, Any], report: PullReport) -> bool:
    """Keep the answer to one request: rows and cursor in one transaction. Returns whether the page was complete.

    ``cursor`` is the one that was sent: None means that every stream begins from zero.
    """
    epoch, scope = wanted(answer, "epoch", str), wanted(answer, "scope", dict)
    rows = wanted(answer, "rows", list)
    complete: bool = wanted(answer, "complete", bool)
    with store.change("pull: page"):
        known = store.one("SELECT epoch FROM identity")["epoch"]
        if known is not None and known != epoch:
            report.reopened += another_life(store, epoch)
            if cursor is not None:
                # Nothing of this page fits the copies. All of it again, from zero; the log stays.
                store.run("UPDATE identity SET epoch = ?, cursor = NULL", epoch)
                return False
        own = "install/" + store.one("SELECT install_id FROM identity")["install_id"]
        _follow_scope(store, epoch, scope, own, report)
        held = [row["id"] for row in store.rows("SELECT id FROM stream")]
        # `replace` names the streams that begin again from zero with this page
        again = held if cursor is None else answer.get("replace") or []
        rebuild(store, [stream for stream in held if stream in again])
        keep_rows(store, epoch, rows)
        if complete:
            _conclude(store, epoch, answer, report)
        store.run("UPDATE identity SET epoch = ?, cursor = ?", epoch, wanted(answer, "cursor", str))
    report.pages += 1
    report.rows += len(rows)
    return complete


def _follow_scope(store: Store, epoch: str, scope: dict[str, Any], own_stream: str, report: PullReport) -> None:
    """Take on the streams that the server names; what is not held any more goes now (S22), own operations stay."""
    streams = {*wanted(scope, "streams", list), own_stream}
    held = {row["id"] for row in store.rows("SELECT id FROM stream")}
    for stream in sorted(streams - held):
        store.run("INSERT INTO stream (id) VALUES (?)", stream)
        report.added.append(stream)
    for stream in sorted(held - streams):
        drop_stream(store, epoch, stream)
        report.dropped.append(stream)
    store.run(
        "UPDATE identity SET scope_version = ?, scope_last_n = ? WHERE scope_version <> ?",
        wanted(scope, "version", int),
        store.last_n(),
        scope["version"],
    )


def _conclude(store: Store, epoch: str, answer: dict[str, Any], report: PullReport) -> None:
    """A complete page: apply removals, compare digests, then drop the overlays that the copies contain."""
    sweep(store, epoch)
    doubted = differing(store, wanted(answer, "streams", dict))
    store.run("UPDATE stream SET doubted = 0")
    store.run_many("UPDATE stream SET doubted = 1 WHERE id = ?", [(stream,) for stream in doubted])
    if doubted:
        return
    applied = wanted(answer, "applied", dict)
    n = wanted(applied, "n", int)
    if not is_own(store, n, applied.get("op_id")):
        # The server consumed operations of this install that this log does not have: overlays stay, push will refuse.
        store.run("UPDATE identity SET needs_fork = ?", orjson.dumps(applied).decode())
        report.needs_fork = True
        return
    store.run("UPDATE log SET acknowledged = 1 WHERE n <= ? AND acknowledged = 0", n)
    # Answered, but the server does not have it (any more): it was restored. The log is sent again from there.
    lacking = store.run(
        "UPDATE log SET state = 'unsent', acknowledged = 0, acknowledged_at = NULL, settled = 0, v = NULL, status = 0 "
        "WHERE n > ? AND (state = 'answered' OR acknowledged = 1)",
        n,
    )
    report.reopened = max(report.reopened, lacking)  # in another life these are among all that is asked again
    final = ", ".join("?" for _ in FINAL_OUTCOMES)
    store.run(
        f"UPDATE log SET settled = 1 WHERE settled = 0 AND state = 'answered' AND n <= ? AND now_outcome IN ({final})",
        n,
        *FINAL_OUTCOMES,
    )
    told = answer.get("departures")
    if isinstance(told, str):  # who has left is not shown any more: from here on nobody writes of them unknowingly
        store.run("UPDATE identity SET departures = ?, departures_last_n = ? WHERE departures IS NOT ?", told, store.last_n(), told)
    safe_n = int(answer.get("safe_n") or 0)
    store.run("UPDATE identity SET safe_n = ?, asked_mark = ?, completed = completed + 1", safe_n, answer.get("asked"))
    report.pruned += prune(store, min(safe_n, n))
