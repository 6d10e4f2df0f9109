"""Installs (what writes: devices, and people at the office) and the one-time codes that make them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, or_, select, update

from server.models import enrolment_code, install, user_account
from server.store.database import run


@dataclass(frozen=True, slots=True)
class Install:
    """Something that writes operations numbered from 1."""

    community_id: str
    install_id: str
    kind: str
    user_id: str | None
    label: str
    enrolled_at: str
    last_n: int = 0
    revoked_at: str | None = None
    revoked_reason: str | None = None
    flag: str | None = None
    skew_s: float | None = None
    last_seen_at: str | None = None
    app_version: str | None = None
    unsent: int | None = None
    user_name: str | None = None


@dataclass(frozen=True, slots=True)
class CodeRow:
    """A one-time code that was given out, without the code."""

    community_id: str
    code_hash: str
    user_id: str
    created_at: str
    created_by: str
    expires_at: str
    used_at: str | None = None
    install_id: str | None = None


_INSTALL = install.c
_INSTALL_COLUMNS = tuple(
    _INSTALL[name]
    for name in (
        "community_id", "install_id", "kind", "user_id", "label", "enrolled_at", "last_n", "revoked_at",
        "revoked_reason", "flag", "skew_s", "last_seen_at", "app_version", "unsent",
    )
)  # fmt: skip
_CODE = enrolment_code.c
_CODE_COLUMNS = tuple(
    _CODE[name]
    for name in (
        "community_id", "code_hash", "user_id", "created_at", "created_by", "expires_at", "used_at", "install_id",
    )
)  # fmt: skip


def add_install(connection: Connection, new: Install) -> None:
    """Keep a new install."""
    connection.execute(insert(install).values({c.name: getattr(new, c.name) for c in _INSTALL_COLUMNS}))


def install_of(connection: Connection, community_id: str, install_id: str) -> Install | None:
    """One install, None if there is none."""
    row = connection.execute(
        select(*_INSTALL_COLUMNS).where(_INSTALL.community_id == community_id, _INSTALL.install_id == install_id)
    ).first()
    return None if row is None else Install(*row)


def installs(
    connection: Connection, community_ids: Collection[str] | None, *, kind: str | None = "device"
) -> list[Install]:
    """Installs of these communities (None: of all) with the names of their users, newest first."""
    query = (
        select(*_INSTALL_COLUMNS, user_account.c.name)
        .join_from(
            install,
            user_account,
            (_INSTALL.community_id == user_account.c.community_id) & (_INSTALL.user_id == user_account.c.user_id),
            isouter=True,
        )
        .order_by(_INSTALL.enrolled_at.desc(), _INSTALL.install_id)
    )
    if community_ids is not None:
        query = query.where(_INSTALL.community_id.in_(list(community_ids)))
    if kind is not None:
        query = query.where(_INSTALL.kind == kind)
    return [Install(*row) for row in connection.execute(query)]


def user_install(connection: Connection, community_id: str, user_id: str) -> str | None:
    """The install through which a user writes at the office, None before the first write."""
    found: str | None = connection.execute(
        select(_INSTALL.install_id).where(
            _INSTALL.community_id == community_id, _INSTALL.user_id == user_id, _INSTALL.kind == "user"
        )
    ).scalar()
    return found


def installs_of(connection: Connection, community_id: str, user_id: str) -> list[str]:
    """Every install of a user: phones, also former ones, and the office."""
    query = select(_INSTALL.install_id).where(_INSTALL.community_id == community_id, _INSTALL.user_id == user_id)
    return list(connection.execute(query).scalars())


def device_and_user(connection: Connection, community_id: str, install_id: str) -> tuple[Any, ...] | None:
    """What a request of a device needs to know, in one query; None if there is no such install.

    Returns
    -------
    tuple
        (revoked_at, revoked_reason, user_id, role, name, area_code, topics as JSON, closed_at)
    """
    row = run(
        connection,
        "SELECT i.revoked_at, i.revoked_reason, i.user_id, u.role, u.name, u.area_code, u.topics, u.closed_at FROM install i "
        "LEFT JOIN user_account u ON u.community_id = i.community_id AND u.user_id = i.user_id "
        "WHERE i.community_id = ? AND i.install_id = ?",
        (community_id, install_id),
    ).first()
    return None if row is None else tuple(row)


def heard_of(
    connection: Connection, community_id: str, install_id: str, *, at: str, unsent: int | None, app_version: str | None = None
) -> None:
    """Say when a device was last heard of, and how much it still has to send, and its program, where it told."""
    run(
        connection,
        "UPDATE install SET last_seen_at = ?, unsent = coalesce(?, unsent), app_version = coalesce(?, app_version) "
        "WHERE community_id = ? AND install_id = ?",
        (at, unsent, app_version, community_id, install_id),
    )


def revoke_install(connection: Connection, community_id: str, install_id: str, *, at: str, reason: str) -> bool:
    """Revoke an install; whether it was there and not yet revoked, or not yet as lost."""
    free = _INSTALL.revoked_at.is_(None)
    may = or_(free, _INSTALL.revoked_reason != "lost") if reason == "lost" else free
    done = connection.execute(
        update(install)
        .where(_INSTALL.community_id == community_id, _INSTALL.install_id == install_id, may)
        .values(revoked_at=at, revoked_reason=reason)
    )
    return done.rowcount == 1


def add_code(connection: Connection, code: CodeRow) -> None:
    """Keep a one-time code by its hash."""
    connection.execute(insert(enrolment_code).values({c.name: getattr(code, c.name) for c in _CODE_COLUMNS}))


def code_of(connection: Connection, code_hash: str) -> CodeRow | None:
    """The code with this hash in any community, None if it was never given out."""
    row = connection.execute(select(*_CODE_COLUMNS).where(_CODE.code_hash == code_hash)).first()
    return None if row is None else CodeRow(*row)


def use_code(connection: Connection, code: CodeRow, *, at: str, install_id: str) -> bool:
    """Use a code for an install; False if somebody else was faster."""
    done = connection.execute(
        update(enrolment_code)
        .where(_CODE.community_id == code.community_id, _CODE.code_hash == code.code_hash, _CODE.used_at.is_(None))
        .values(used_at=at, install_id=install_id)
    )
    return done.rowcount == 1


def unheard(connection: Connection, code: CodeRow, install_id: str) -> bool:
    """Whether a used code made this very install, and nothing was heard of it since: its phone may never have got the answer."""
    made = install_of(connection, code.community_id, install_id) if code.install_id == install_id else None
    return made is not None and made.revoked_at is None and made.last_seen_at is None


def parent_of(connection: Connection, community_id: str, install_id: str) -> tuple[str | None, int] | None:
    """(parent, last common n) of an install; None where there is no such install."""
    row = run(
        connection,
        "SELECT parent_install_id, parent_n FROM install WHERE community_id = ? AND install_id = ?",
        (community_id, install_id),
    ).first()
    return None if row is None else (row.parent_install_id, int(row.parent_n or 0))


def ancestors_of(connection: Connection, community_id: str, install_id: str) -> dict[str, int]:
    """The installs that an install comes from, each with the last n that belongs to its chain (S1, S21)."""
    found: dict[str, int] = {}
    line = parent_of(connection, community_id, install_id)
    while line is not None and line[0] is not None and line[0] not in found:
        found[line[0]] = line[1]
        line = parent_of(connection, community_id, line[0])
    return found


def with_relatives(connection: Connection, community_id: str, install_ids: Iterable[str]) -> set[str]:
    """These installs, those that they were forked from, and those that were forked from them (S21)."""
    statement = "SELECT install_id, parent_install_id FROM install WHERE community_id = ? AND parent_install_id IS NOT NULL"
    parents = {row.install_id: row.parent_install_id for row in run(connection, statement, (community_id,))}
    found = wanted = set(install_ids)
    for one in parents:
        line, step = [one], parents.get(one)
        while step is not None and step not in line:
            line.append(step)
            step = parents.get(step)
        if one in wanted:
            found = found | set(line)
        first = next((place for place, older in enumerate(line) if older in wanted), None)
        if first is not None:  # whatever stands before a wanted one comes from it
            found = found | set(line[:first])
    return found


def set_parent(connection: Connection, community_id: str, install_id: str, parent: str, n: int) -> None:
    """Say that an install was forked from another one behind its operation ``n``."""
    run(
        connection,
        "UPDATE install SET parent_install_id = ?, parent_n = ? WHERE community_id = ? AND install_id = ?",
        (parent, n, community_id, install_id),
    )


def last_common(
    connection: Connection, community_id: str, install_id: str, log: Sequence[tuple[int, str]]
) -> tuple[int, str | None]:
    """The last (n, op_id) of a phone's log that the server has consumed as that; (0, None) where there is none."""
    if not log:
        return 0, None
    numbers = [n for n, _ in log]
    rows = run(
        connection,
        "SELECT n, op_id FROM operation WHERE community_id = ? AND install_id = ? AND n BETWEEN ? AND ?",
        (community_id, install_id, min(numbers), max(numbers)),
    )
    there = {(int(row.n), row.op_id) for row in rows}
    common = max((one for one in log if tuple(one) in there), default=None)
    return (0, None) if common is None else (common[0], common[1])


def confirm(connection: Connection, community_id: str, install_id: str, user_id: str) -> None:
    """Say whose an install is that a restored database did not know."""
    run(
        connection,
        "UPDATE install SET user_id = ?, flag = NULL WHERE community_id = ? AND install_id = ?",
        (user_id, community_id, install_id),
    )


def confirmed_awaited(connection: Connection, community_id: str) -> list[str]:
    """What held groups of installs that are confirmed by now wait for, for the sweeper."""
    rows = run(
        connection,
        "SELECT DISTINCT w.waits_for FROM held_wait w JOIN install i ON i.community_id = w.community_id "
        "AND i.install_id = w.install_id WHERE w.community_id = ? AND w.waits_for = 'install/' || i.install_id "
        "AND i.user_id IS NOT NULL",
        (community_id,),
    )
    return [row.waits_for for row in rows]
