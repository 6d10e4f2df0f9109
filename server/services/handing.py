"""Probable duplicates, records in no cell and doubtful places, handed on to whoever can ask at the door (W8)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from server.errors import InputError, InvalidInput, NotFound
from server.permissions import Scope
from server.services.audit import line_of
from server.services.checks import NOTE, checks_of
from server.services.looks import Look
from server.services.settling import demand_colleague
from server.store import audit
from server.store import handed as store
from server.store.database import stamp, write
from server.store.writing import finding_id
from sync.memory import Found

if TYPE_CHECKING:
    from server.house import House
    from server.store.database import Connection

def matters(kind: str, record_id: str, other: str | None = None) -> list[Found]:
    """The findings that may hand on a matter: of two who may be one, about either."""
    found = [store.asking(kind, record_id, other)]
    return [*found, store.asking(kind, other, record_id)] if other is not None else found


def hand_on(
    house: House, scope: Scope, community_id: str, look: Look, kind: str, record_id: str, other: str | None = None, *, user_id: str | None
) -> dict[str, Any]:
    """Ask somebody to see to it, or (None) take that back. Of two who may be one, whoever of them the asked one sees is asked about.

    Raises
    ------
    NotFound
        No such thing waits within the scope.
    InvalidInput
        There is no such user who works with records here, or it is in none of their cells.
    """
    with write(house.engine) as connection:
        sees = demand_colleague(house, connection, community_id, user_id)
        at = stamp(house.clock())
        both = matters(kind, record_id, other)
        for one in both:
            if not store.is_so(connection, scope, community_id, one):
                raise NotFound("nothing of this kind waits within your scope")
        store.take_back(connection, community_id, both, at)
        if user_id is not None and sees is not None:
            seen = next((one for one in both if store.is_so(connection, sees, community_id, one)), None)
            if seen is None:
                raise InvalidInput(errors=[InputError("/user_id", "not_their_cell", "this is in none of the cells of this user")])
            store.hand(connection, community_id, seen, user_id, at)
        audit.append(connection, line_of(house, look, scope=f"{kind}/{record_id}", community_id=community_id))
    return {"delegated_to": user_id}


def add_handed(
    house: House, connection: Connection, scope: Scope, community_id: str, rows: Sequence[dict[str, Any]], found: Sequence[list[Found]]
) -> set[str]:
    """Say in each row who is asked about its matter (``delegated_to``) and what was found there (``checks``); names of the personal fields given."""
    ids = [[finding_id(one) for one in both] for both in found]
    asked = store.handed_to(connection, community_id, [one for both in ids for one in both])
    told = checks_of(house, connection, scope, community_id, [f"finding/{one}" for both in ids for one in both])
    for row, both in zip(rows, ids, strict=True):
        row["delegated_to"] = next((asked[one] for one in both if one in asked), None)
        row["checks"] = [check for one in both for check in told.get(f"finding/{one}", [])]
    return {NOTE} if any(check["note"] for checks in told.values() for check in checks) else set()
