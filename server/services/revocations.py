"""What must outlive a restore: revocations and erasures are also written to a file beside the database, and applied again
(S26, S28).

One JSON line each, ids only. A line is on disk before its revocation is committed: at worst a restore revokes what was
about to be revoked.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from server.store import assignments, installs, jobs, people
from server.store.database import stamp

if TYPE_CHECKING:
    from server.house import House
    from server.store.database import Connection

FILE_NAME = "revocations.log"
DEVICE, USER, TOKEN, ASSIGNMENT, ERASURE = "device", "user", "read_token", "assignment", "erasure"


def log_path(house: House) -> Path:
    """Where this house writes its revocations."""
    return house.settings.data_dir / FILE_NAME


def note_revocation(
    house: House, kind: str, community_id: str, one_id: str, reason: str | None = None, **more: Any
) -> None:
    """Write one revocation or erasure down for good. Call it inside the transaction, as its last step."""
    line = {"at": stamp(house.clock()), "kind": kind, "community_id": community_id, "id": one_id, "reason": reason} | more
    handle = os.open(log_path(house), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(handle, orjson.dumps(line) + b"\n")
        os.fsync(handle)
    finally:
        os.close(handle)


def apply_again(connection: Connection, house: House, path: Path) -> int:
    """Revoke and erase in a restored database what the file says; how many were still in use there. A torn last line is
    passed over.
    """
    from server.services.erasing import erase_again  # which writes lines here
    from server.services.erasure_reach import SCRUB

    again = 0
    erased: set[str] = set()
    for raw in path.read_bytes().splitlines() if path.exists() else []:
        try:
            line = orjson.loads(raw)
            if line["kind"] == ERASURE:
                if erase_again(connection, house, line):
                    again += 1
                    erased.add(line["community_id"])
                continue
            apply, given = _KINDS[line["kind"]], (line["community_id"], line["id"], line["at"], line.get("reason"))
        except (orjson.JSONDecodeError, KeyError, TypeError):
            continue
        again += bool(apply(connection, house, *given))
    if erased:  # one job for all: the files of the whole database are written anew
        jobs.add(
            connection, community_id=min(erased), job_id=house.new_id(), kind=SCRUB, arguments={}, requested_by="~system",
            at=house.clock(),
        )  # fmt: skip
    return again


def _device(connection: Connection, _: House, community_id: str, one_id: str, at: str, reason: str | None) -> bool:
    return installs.revoke_install(connection, community_id, one_id, at=at, reason=reason or "lost")


def _user(connection: Connection, _: House, community_id: str, one_id: str, at: str, __: str | None) -> bool:
    found = people.user(connection, community_id, one_id)
    if found is None or found.closed_at is not None:
        return False
    people.change_user(connection, community_id, one_id, closed_at=at)
    return True


def _token(connection: Connection, _: House, community_id: str, one_id: str, at: str, __: str | None) -> bool:
    return people.revoke_token(connection, community_id, one_id, at)


def _assignment(connection: Connection, house: House, community_id: str, one_id: str, at: str, __: str | None) -> bool:
    found = assignments.assignment_of(connection, community_id, one_id)
    if found is None or found.revoked_at is not None:
        return False
    version = assignments.raise_scope(connection, community_id, found.user_id)
    assignments.revoke_assignment(connection, community_id, one_id, at=at, version=version)
    assignments.journal_assignment(
        connection, found, change="revoked", at=stamp(house.clock()), actor_id="~system", install_id="~system",
        source="system",
    )  # fmt: skip
    return True


_KINDS: dict[str, Callable[[Any, Any, str, str, str, str | None], bool]] = {
    DEVICE: _device,
    USER: _user,
    TOKEN: _token,
    ASSIGNMENT: _assignment,
}
