"""Conflict rows from disputes: base, both values, both people, both claimed times, the forms by which both were written (L5, S4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import orjson

from server.sealing import seal
from server.services.keys import COMMUNITY, DataKeys
from server.services.unsealing import open_sealed
from server.store import push as reading
from sync.memory import Closing, Listed, Memory, Reopening

if TYPE_CHECKING:
    from server.house import House
    from server.store.database import Connection

Rows = dict[str, list[tuple[Any, ...]]]
_STATE, _CLOSED = 5, slice(8, 11)  # where a conflict's row holds its state, and when, at which number and by whom it was closed


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
    rows: Rows = {"conflicts": [], "siblings": [], "sibling_states": [], "closed": [], "reopened": []}
    listed = [one for one in memory.disputes if isinstance(one, Listed)]
    stamps = {(one.record_id, one.dispute.stamp[0], one.dispute.stamp[2]) for one in listed}
    writers = reading.writers_of(connection, community_id, stamps)
    installs = {install_id} | {row.install_id for row in writers.values()}
    users = reading.users_of(connection, community_id, sorted(installs))
    claims = reading.claims_of(connection, community_id, sorted({row.op_id for row in writers.values()}))
    versions = _form_versions(connection, house, community_id, claims)
    added: dict[tuple[str, str], list[Any]] = {}
    born: dict[str, list[Any]] = {}
    for one in memory.disputes:
        if isinstance(one, Listed):
            _list(one, house, keys, number, at, install_id, rows, born, added, writers, users, claims, versions)
        elif isinstance(one, Closing):
            _close(one, number, at, users.get(install_id), rows, born, added)
        else:
            _reopen(one, rows, born, added)
    rows["conflicts"] = [tuple(row) for row in born.values()]
    rows["siblings"] = [tuple(row) for row in added.values()]
    return rows


def _list(
    listed: Listed,
    house: House,
    keys: DataKeys,
    number: int,
    at: str,
    install_id: str,
    rows: Rows,
    born: dict[str, list[Any]],
    added: dict[tuple[str, str], list[Any]],
    writers: dict[tuple[str, int], Any],
    users: dict[str, str | None],
    claims: dict[str, Any],
    versions: Mapping[str, int],
) -> None:
    dispute, operation, conflict = listed.dispute, listed.operation, listed.conflict
    key = keys.of(listed.subject_id)
    state = "open" if dispute.open else "closed"
    if listed.is_new:
        conflict.conflict_id = house.new_id()
        base = seal(key, orjson.dumps({"base": dispute.base}))
        closed = (None, None, None) if dispute.open else (at, number, "policy")
        born[conflict.conflict_id] = [
            conflict.conflict_id, listed.record_id, dispute.unit, dispute.kind, dispute.policy, state, at, number,
            *closed, listed.subject_id, base,
        ]  # fmt: skip
    if listed.standing is not None:
        v, install, n = dispute.stamp
        writer = writers.get((listed.record_id, v))
        listed.standing.op_id = writer.op_id if writer is not None else f"{install}/{n}"
        claim = claims.get(listed.standing.op_id)
        added[conflict.conflict_id, listed.standing.op_id] = [
            conflict.conflict_id, listed.standing.op_id, listed.standing.role, state, install, n, users.get(install),
            claim.claimed_at if claim else None, writer.at if writer is not None else at, versions.get(listed.standing.op_id),
            seal(key, orjson.dumps(dispute.standing)),
        ]  # fmt: skip
    if listed.newcomer is None:
        return
    for op_id in listed.replaces:
        _say(conflict.conflict_id, op_id, "replaced", rows, added)
    added[conflict.conflict_id, operation.op_id] = [
        conflict.conflict_id, operation.op_id, listed.newcomer.role, state, install_id, listed.n, users.get(install_id),
        operation.claimed_at, at, operation.form_version, seal(key, orjson.dumps(dispute.newcomer)),
    ]  # fmt: skip


def _form_versions(connection: Connection, house: House, community_id: str, written: Mapping[str, Any]) -> dict[str, int]:
    """op_id → the version of the form by which it was written; absent where its text is in another community, or its key is gone."""
    if not written:
        return {}
    places = {
        op_id: (one.number, one.subject_id) if one.repaired_number is None else (one.repaired_number, one.repaired_subject)
        for op_id, one in written.items()
    }
    sealed = reading.payloads(connection, community_id, sorted({number for number, _ in places.values()}))
    wanted = list(dict.fromkeys(places.values()))
    texts = dict(
        zip(wanted, open_sealed(connection, house, community_id, [(subject, sealed.get((number, subject or COMMUNITY))) for number, subject in wanted]), strict=True)
    )
    found = {}
    for op_id, place in places.items():
        text = (texts[place] or {}).get(str(written[op_id].n))
        version = orjson.loads(text).get("form_version") if text is not None else None
        if isinstance(version, int):
            found[op_id] = version
    return found


def _say(conflict_id: str, op_id: str, state: str, rows: Rows, added: dict[tuple[str, str], list[Any]]) -> None:
    """A sibling that is in the table changes its state there; one of this transaction is written with it."""
    row = added.get((conflict_id, op_id))
    if row is not None:
        row[3] = state
    else:
        rows["sibling_states"].append((state, conflict_id, op_id))


def _close(
    closing: Closing,
    number: int,
    at: str,
    user_id: str | None,
    rows: Rows,
    born: dict[str, list[Any]],
    added: dict[tuple[str, str], list[Any]],
) -> None:
    for op_id in closing.siblings:
        _say(closing.conflict.conflict_id, op_id, "closed", rows, added)
    if closing.settles:
        rows["reopened"] = [row for row in rows["reopened"] if row[0] != closing.conflict.conflict_id]
        _turn(closing.conflict.conflict_id, "closed", (at, number, user_id), rows, born)


def _reopen(one: Reopening, rows: Rows, born: dict[str, list[Any]], added: dict[tuple[str, str], list[Any]]) -> None:
    rows["closed"] = [row for row in rows["closed"] if row[0] != one.conflict.conflict_id]
    _turn(one.conflict.conflict_id, "open", (None, None, None), rows, born)
    for sibling in one.conflict.siblings:
        _say(one.conflict.conflict_id, sibling.op_id, "open", rows, added)


def _turn(conflict_id: str, state: str, closed: tuple[Any, ...], rows: Rows, born: dict[str, list[Any]]) -> None:
    """A conflict of this transaction is written as it ends, so that one that closed leaves room for the next of its unit."""
    row = born.get(conflict_id)
    if row is not None:
        row[_STATE], row[_CLOSED] = state, closed
    elif state == "closed":
        rows["closed"].append((conflict_id, *closed))
    else:
        rows["reopened"].append((conflict_id,))
