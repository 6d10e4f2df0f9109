"""How long own operations stay in the log (S21), and what another life of the server's database means for it (S25)."""

from __future__ import annotations

from typing import Any

from sync.device.store import Store

KEPT_S = 90 * 86_400.0
"""After this time, by the server's clock, an acknowledged operation may go even without a verified backup."""


def op_id_at(store: Store, n: int) -> str | None:
    """The own op_id at n: in the log, or the last one that was forgotten; None where this log does not know."""
    row = store.maybe("SELECT op_id FROM log WHERE n = ?", n)
    if row is not None:
        found: str = row["op_id"]
        return found
    identity = store.identity()
    return identity["pruned_op_id"] if identity is not None and n > 0 and identity["pruned_n"] == n else None


def is_own(store: Store, n: int, op_id: Any) -> bool:
    """Whether the server's head ``(n, op_id)`` is of this log (S21). What lies before the forgotten part cannot be told."""
    identity = store.identity()
    if n == 0 or (identity is not None and n < identity["pruned_n"]):
        return True
    own = op_id_at(store, n)
    return own is not None and own == op_id


def prune(store: Store, safe_n: int) -> int:
    """Forget the oldest operations that are final, contained in the copies, and safe; how many.

    Safe: in two verified backups, or acknowledged for 90 days. Whole groups from the beginning only, so that the rest can
    be offered again without a gap.
    """
    identity = store.identity()
    aged = (identity["server_time"] or 0.0) - KEPT_S if identity is not None else 0.0
    first = store.maybe(
        "SELECT group_n FROM log WHERE state <> 'answered' OR settled = 0 OR "
        "(n > ? AND coalesce(acknowledged_at, ?) >= ?) ORDER BY n LIMIT 1",
        safe_n,
        aged,
        aged,
    )
    upto = first["group_n"] - 1 if first is not None else store.last_n()
    last = store.maybe("SELECT n, op_id FROM log WHERE n = ?", upto)
    if last is None:
        return 0
    store.run("UPDATE identity SET pruned_n = ?, pruned_op_id = ?", last["n"], last["op_id"])
    store.run("DELETE FROM part WHERE n <= ?", last["n"])
    return store.run("DELETE FROM log WHERE n <= ?", last["n"])


def another_life(store: Store, epoch: str) -> int:
    """The server's database began another life: what became of operations there counts no more, what was said first is not sure any more.

    How many operations are asked for again: all that the log still has. Those that the database kept are answered from there; a copy of
    this phone (S21) may have offered others to the new life already, and its first answer, which stands in no stream, need not be the old one.
    """
    return store.run(
        "UPDATE log SET now_outcome = first_outcome, now_reason = first_reason, status = min(status, 1), settled = 0, v = NULL, epoch = ?, "
        "state = 'sent', acknowledged_at = NULL WHERE state = 'answered' AND epoch IS NOT ?",
        epoch,
        epoch,
    )
