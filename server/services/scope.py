"""Which streams an install follows, and by which scope its pushes are judged (S18, S22)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from server.permissions import WHOLE, Projection, cell_stream, dedicated_stream, projection_of
from server.services.accounts import today
from server.store import assignments as store
from server.store import places
from server.store.database import read, stamp, write
from sync.memory import UNPLACED
from sync.scope import ScopeRule

if TYPE_CHECKING:
    from server.house import House
    from server.store.database import Connection

REFERENCE = "~reference"


@dataclass(frozen=True, slots=True)
class InstallScope:
    """What an install follows now: ``streams`` without its own; ``version`` of its user's scope; what it sees of their records."""

    version: int
    streams: frozenset[str]
    projection: Projection = WHOLE


def settle_expired(house: House, community_id: str, user_id: str | None) -> None:
    """An assignment whose last day is over ends by a scope version of its own, so that late work is known as late."""
    if user_id is None:
        return
    day = today(house)
    with read(house.engine) as connection:
        if not store.expired(connection, community_id, user_id, day):
            return
    with write(house.engine) as connection:
        for one in store.expired(connection, community_id, user_id, day):
            version = store.raise_scope(connection, community_id, user_id)
            at = stamp(house.clock())
            store.revoke_assignment(connection, community_id, one, at=at, version=version)
            ended = store.assignment_of(connection, community_id, one)
            if ended is not None:
                store.journal_assignment(
                    connection, ended, change="expired", at=at, actor_id="~system", install_id="~system", source="system"
                )


def install_scope(
    connection: Connection, house: House, community_id: str, user_id: str | None, role: str
) -> InstallScope:
    """The streams of a user today. Grid workers: their cells; everybody else with a device: the whole community."""
    if role == "grid_worker" and user_id is not None:
        cells = store.assigned_cells(connection, community_id, user_id, today(house))
        version = store.scope_version(connection, community_id, user_id)
        dedicated = places.dedicated_cells(connection, community_id) if cells else frozenset()
        return InstallScope(version, frozenset(_stream(cell, dedicated) for cell in cells) | {REFERENCE})
    edition = places.published_edition(connection, community_id)
    cells = (
        [row.cell_id for row in places.cells_of(connection, community_id, edition.edition_id)] if edition else []
    )
    streams = frozenset(cell_stream(cell) for cell in cells) | {UNPLACED, REFERENCE}
    user = store.user_scope_of(connection, community_id, user_id) if user_id else None
    if user is None:
        return InstallScope(0, streams, projection_of(role, ()))
    return InstallScope(user.version, streams, projection_of(role, user.topics))


def _stream(cell_id: str, dedicated: frozenset[str]) -> str:
    return dedicated_stream(cell_id) if cell_id in dedicated else cell_stream(cell_id)


def push_scope(
    connection: Connection,
    house: House,
    community_id: str,
    user_id: str,
    echoed: tuple[int, int],
    been: Mapping[str, frozenset[str]],
) -> ScopeRule:
    """The rule for one push of a phone; ``echoed`` is (scope version applied, last n before it)."""
    applied, last_n = echoed
    user = store.user_scope_of(connection, community_id, user_id)
    current = user.version if user is not None else 0
    if user is not None and user.role == "community_worker":
        then = [topics for since, topics in user.all_topics() if since <= applied]
        ever_read = frozenset(one for topics in then for one in topics)
        return ScopeRule(None, frozenset(), last_n, current > applied, been, frozenset(then[-1]), ever_read)
    history = store.scope_history(connection, community_id, user_id)
    day = today(house)
    dedicated = places.dedicated_cells(connection, community_id) if history else frozenset()
    streams, ever = set(), set()
    for cell_id, granted, revoked, from_on, to_on in history:
        if granted > applied or from_on > day:
            continue  # not known to the phone, or not begun
        ever.add(_stream(cell_id, dedicated))
        active = (revoked is None or revoked > applied) and (to_on is None or to_on >= day)
        if active:
            streams.add(_stream(cell_id, dedicated))
    return ScopeRule(frozenset(streams), frozenset(ever), last_n, current > applied, been)
