"""How harmful the worst item of each queue is, so that the inbox opens where most harm is done (docs/operations.md)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from server.house import House
from server.permissions import Scope
from server.services import duplicate_queue
from server.services.harms import places_by_harm
from server.services.inbox import harm_of, home_of, within
from server.services.labels import form_of
from server.services.placement import anchored
from server.services.waiting import group_harm, harms_of_types
from server.store import commands, placements
from server.store import inbox as store
from server.store.database import Connection, read
from server.store.sieve import EVERYTHING, LESS

_OF_PEOPLE = 1
_AS_A_WHOLE = {"arrivals": _OF_PEOPLE, "recovery": _OF_PEOPLE}
"""Queues whose items are not told apart: each is about people."""


def of_queues(house: House, scope: Scope, community_id: str, counts: Mapping[str, int], cell: str | None = None) -> dict[str, int]:
    """The harm of the worst item of each kind in which something waits: 0 the most, `LESS` the least.

    Parameters
    ----------
    counts : how many wait, by kind
    cell : the code of a cell, or ``~unplaced``: only what waits there

    Raises
    ------
    NotFound, OutsideScope
    """
    here = scope if cell is None else within(house, scope, community_id, cell)
    sieve = replace(EVERYTHING, harms=harms_of_types(house))

    def conflicts(connection: Connection) -> int:
        light = store.open_conflicts(connection, here, community_id)
        return min((harm_of(form_of(house.registry, row["type"], None), row["unit"], row["kind"]) for row in light), default=LESS)

    def waiting(now: str) -> Callable[[Connection], int]:
        def first(connection: Connection) -> int:
            rows = store.waiting_operations(connection, here, community_id, now, after=None, limit=1, sieve=sieve)
            return rows[0]["harm"] if rows else LESS

        return first

    def findings(connection: Connection) -> int:
        groups = store.finding_groups(connection, here, community_id)
        return min((group_harm(house, row) for row in groups), default=LESS)

    def proposals(connection: Connection) -> int:
        home = None if cell is None else home_of(house, scope, community_id, cell)
        rows = commands.proposals(connection, community_id, after=None, limit=1, sieve=replace(sieve, home=home))
        return rows[0]["harm"] if rows else LESS

    def unplaced(connection: Connection) -> int:
        found = places_by_harm(house, connection, community_id, store.unplaced_where(connection, here, community_id))
        return found[0][0] if found else LESS

    def doubtful(connection: Connection) -> int:
        where = placements.doubtful_where(connection, here, community_id, anchored(house))
        found = places_by_harm(house, connection, community_id, where)
        return found[0][0] if found else LESS

    # Before the connection: it takes connections of its own.
    pairs = duplicate_queue.worst(house, here, community_id) if counts.get("duplicates") else LESS
    queues: dict[str, Callable[[Connection], int]] = {
        "conflicts": conflicts, "quarantine": waiting("quarantined"), "held": waiting("held"), "findings": findings,
        "proposals": proposals, "unplaced": unplaced, "placements": doubtful, "duplicates": lambda _: pairs,
    }  # fmt: skip
    with read(house.engine) as connection:
        return {
            kind: queues[kind](connection) if kind in queues else _AS_A_WHOLE.get(kind, LESS)
            for kind, number in counts.items() if number
        }  # fmt: skip
