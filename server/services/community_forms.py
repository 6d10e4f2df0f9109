"""The forms of one community: the built-in ones and every special survey that was ever published there.

A registry is built once for each set of published versions and shared by all requests of a process; whether the set is still
the same is one small query. Nothing of a neighbour's surveys is in it (L10).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from forms.registry import Registry
from forms.survey import Survey, with_surveys
from server.store import surveys as store
from server.store.database import read

if TYPE_CHECKING:
    from server.house import House
    from server.store.database import Connection

_MOST_SHELVED = 512


def community_registry(house: House, community_id: str, connection: Connection | None = None) -> Registry:
    """Every record type, code list and roster that is known in a community; the built-in ones where it has no surveys.

    Parameters
    ----------
    connection : a transaction that is open already, where what it sees counts (a copy that is verified)
    """
    if connection is None:
        with read(house.engine) as own:
            return community_registry(house, community_id, own)
    base = house.built_in or house.registry
    there = tuple(store.in_force(connection, community_id))
    if not there:
        return base
    kept = house.shelf.get(community_id)
    if kept is not None and kept[0] == (base, there):
        return kept[1]
    documents = store.documents(connection, community_id)
    registry = with_surveys(
        base, [Survey(one["definition"], one["codelists"], state == store.CLOSED) for state, one in documents]
    )
    while len(house.shelf) >= _MOST_SHELVED:
        house.shelf.pop(next(iter(house.shelf)), None)
    house.shelf[community_id] = ((base, there), registry)
    return registry


def at_home(house: House, community_id: str, connection: Connection | None = None) -> House:
    """The same house with the forms of a community."""
    registry = community_registry(house, community_id, connection)
    return house if registry is house.registry else replace(house, registry=registry, built_in=house.built_in or house.registry)


def shared_types(connection: Connection, there: House, from_community: str, here: House, to_community: str) -> frozenset[str]:
    """Record types that mean the same in both communities: the built-in ones, and surveys of which the other has every version as it is here."""
    ours = {(name, version, content) for name, version, _, content in store.in_force(connection, to_community)}
    others = {name for name, version, _, content in store.in_force(connection, from_community) if (name, version, content) not in ours}
    return frozenset(here.registry.types()) & frozenset(there.registry.types()) - others
