"""Going on as an install of its own, when the server's log of this install is not this phone's (S21).

Operations keep their op_ids and bytes and get new numbers from 1 on; what the server has already is recognised by its op_id.
"""

from __future__ import annotations

from collections.abc import Callable

import orjson

from sync.device.calls import call, wanted
from sync.device.errors import NotEnrolled
from sync.device.store import Store
from sync.device.transport import Transport

MOST_LINES = 20_000


def fork(store: Store, transport: Transport, new_id: Callable[[], str]) -> str:
    """Become a fork; the new install's id. Raises as ``push``; safe to repeat.

    The id is kept before it is sent: if the phone dies before the answer, asking again gives the same install.
    """
    identity = store.identity()
    if identity is None:
        raise NotEnrolled("enrol first")
    fork_id = identity["fork_id"]
    if fork_id is None:
        fork_id = new_id()
        with store.change("fork: id"):
            store.run("UPDATE identity SET fork_id = ?", fork_id)
    rows = store.rows("SELECT n, op_id FROM log ORDER BY n DESC LIMIT ?", MOST_LINES - 1)
    lines = [[row["n"], row["op_id"]] for row in reversed(rows)]
    if identity["pruned_n"]:
        lines.insert(0, [identity["pruned_n"], identity["pruned_op_id"]])
    body = {"protocol": 1, "install_id": identity["install_id"], "fork_id": fork_id, "log": lines}
    answer = call(store, transport, "fork", "POST", "/api/v1/sync/fork", body)
    with store.change("fork"):
        _become(store, wanted(answer, "install_id", str), wanted(answer, "device_token", str))
    return str(fork_id)


def _become(store: Store, install_id: str, token: str) -> None:
    first = store.maybe("SELECT min(n) AS n FROM log")
    before = first["n"] - 1 if first is not None and first["n"] is not None else 0
    old = store.identity()
    assert old is not None
    if before:  # through negative numbers, so that no two lines have the same one meanwhile
        for table in ("log", "part"):
            store.run(f"UPDATE {table} SET n = -n")
            store.run(f"UPDATE {table} SET n = -n - ?", before)
        store.run("UPDATE log SET group_n = group_n - ?", before)
    store.run("UPDATE log SET state = 'unsent', acknowledged = 0, acknowledged_at = NULL, status = 0")
    for table in ("feed", "stream"):
        store.run(f"DELETE FROM {table} WHERE {'stream' if table == 'feed' else 'id'} = ?", f"install/{old['install_id']}")
    taken = [one | {"after": max(0, one["after"] - before), "last_n": one["last_n"] - before} for one in orjson.loads(old["taken"]) if one["last_n"] > before]
    last_n, departures_n = (max(0, min(store.last_n(), old[one] - before)) for one in ("scope_last_n", "departures_last_n"))
    store.run(
        "UPDATE identity SET install_id = ?, token = ?, cursor = NULL, scope_last_n = ?, departures_last_n = ?, taken = ?, safe_n = 0, receipt = NULL, pruned_n = 0, "
        "pruned_op_id = NULL, needs_fork = NULL, fork_id = NULL",
        install_id, token, last_n, departures_n, orjson.dumps(taken).decode(),
    )  # fmt: skip
