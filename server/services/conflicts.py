"""Conflict rows from disputes: base, both values, both people, both claimed times (L5, S4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from server.sealing import seal
from server.services.keys import DataKeys
from server.store import push as reading
from sync.memory import Closing, Listed, Memory, OpenConflict, OpenSibling

if TYPE_CHECKING:
    from server.house import House
    from server.store.database import Connection

Rows = dict[str, list[tuple[Any, ...]]]


def conflict_rows(
    connection: Connection,
    house: House,
    community_id: str,
    memory: Memory,
    keys: DataKeys,
    number: int,
    at: str,
    install_id: str,
) -> Rows:
    """Rows for `store.writing.write_conflicts`.

    A dispute that needs no decision is closed at birth. A second dispute of an open (record, unit) adds a sibling; a
    later value of the same chain replaces its own.
    """
    rows: Rows = {"conflicts": [], "siblings": [], "sibling_states": [], "closed": []}
    stamps = {(one.record_id, one.dispute.stamp[0], one.dispute.stamp[2]) for one in memory.listed}
    writers = reading.writers_of(connection, community_id, stamps)
    installs = {install_id} | {row.install_id for row in writers.values()}
    users = reading.users_of(connection, community_id, sorted(installs))
    claims = reading.claims_of(connection, community_id, sorted({row.op_id for row in writers.values()}))
    for listed in memory.listed:
        _list(listed, house, memory, keys, number, at, install_id, rows, writers, users, claims)
    for closing in memory.closings:
        _close(closing, memory, number, at, users.get(install_id), rows)
    return rows


def _list(
    listed: Listed,
    house: House,
    memory: Memory,
    keys: DataKeys,
    number: int,
    at: str,
    install_id: str,
    rows: Rows,
    writers: dict[tuple[str, int], Any],
    users: dict[str, str | None],
    claims: dict[str, Any],
) -> None:
    dispute, operation = listed.dispute, listed.operation
    key = keys.of(listed.subject_id)
    found = memory.conflicts.get((listed.record_id, dispute.unit)) if dispute.open else None
    state = "open" if dispute.open else "closed"
    conflict_id = found.conflict_id if found is not None else house.new_id()
    standing_role = "overwritten" if dispute.new_stands else "current"
    if found is None:
        base = seal(key, orjson.dumps({"base": dispute.base}))
        closed = (None, None, None) if dispute.open else (at, number, "policy")
        rows["conflicts"].append(
            (conflict_id, listed.record_id, dispute.unit, dispute.kind, dispute.policy, state, at, number, *closed,
             listed.subject_id, base)
        )  # fmt: skip
        found = OpenConflict(conflict_id, [])
        if dispute.open:
            memory.conflicts[(listed.record_id, dispute.unit)] = found
    v, install, n = dispute.stamp
    writer = writers.get((listed.record_id, v))
    standing_op = writer.op_id if writer is not None else f"{install}/{n}"
    if all(one.op_id != standing_op for one in found.siblings):
        claim = claims.get(standing_op)
        sealed = seal(key, orjson.dumps(dispute.standing))
        rows["siblings"].append(
            (conflict_id, standing_op, standing_role, state, install, n, users.get(install),
             claim.claimed_at if claim else None, writer.at if writer is not None else at, None, sealed)
        )  # fmt: skip
        found.siblings.append(OpenSibling(standing_op, install, n, standing_role))
    if dispute.newcomer is None:
        return
    new_role = "current" if dispute.new_stands else "set_aside"
    for sibling in found.siblings:
        if sibling.install == install_id and sibling.role == "set_aside" and sibling.op_id != operation.op_id:
            rows["sibling_states"].append(("replaced", conflict_id, sibling.op_id))
    found.siblings = [
        one for one in found.siblings if not (one.install == install_id and one.role == "set_aside")
    ]
    rows["siblings"].append(
        (conflict_id, operation.op_id, new_role, state, install_id, listed.n, users.get(install_id),
         operation.claimed_at, at, operation.form_version, seal(key, orjson.dumps(dispute.newcomer)))
    )  # fmt: skip
    found.siblings.append(OpenSibling(operation.op_id, install_id, listed.n, new_role))


def _close(closing: Closing, memory: Memory, number: int, at: str, user_id: str | None, rows: Rows) -> None:
    found = memory.conflicts.get((closing.record_id, closing.unit))
    if found is None:
        return
    for op_id in closing.siblings:
        rows["sibling_states"].append(("closed", found.conflict_id, op_id))
    if not any(one.role == "set_aside" and one.op_id not in closing.siblings for one in found.siblings):
        rows["closed"].append((found.conflict_id, at, number, user_id))
