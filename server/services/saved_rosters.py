"""Lists of one's own: a roster with chosen columns, filters and order under a name, kept sealed, shared if wanted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from server.errors import InputError, InvalidInput, NotFound, OutsideScope
from server.house import House
from server.permissions import Actor, Scope
from server.sealing import seal
from server.services import rosters
from server.services.keys import DataKeys
from server.services.labels import PERSONAL
from server.services.looks import Look, seen
from server.services.roster_query import Query, from_body
from server.services.unsealing import learn, open_sealed
from server.store import saved_rosters as store
from server.store import writing
from server.store.database import read, stamp, write
from server.store.inbox import names_of_users

MOST_SAVED = 200
_ASKED = ("columns", "filters", "sort")
# Which question made the filters, so that its days are counted anew when the list is opened; and the past day looked at.
_MEANT = ("question", "list", "as_of")
_KEPT = _ASKED + _MEANT


def saved_rosters(house: House, actor: Actor, scope: Scope, look: Look) -> list[dict[str, Any]]:
    """The actor's own lists and those that others of the community share, by name.

    A shared list that asks for what the actor may not see is left out. Filters of others on personal fields are looks.
    """
    with read(house.engine) as connection:
        rows = store.saved_by(connection, actor.community_id, actor.user_id)
        opened = open_sealed(connection, house, actor.community_id, [(None, row.sealed) for row in rows])
        names = names_of_users(connection, actor.community_id, {row.user_id for row in rows})
    told = []
    personal: set[str] = set()
    for row, asked in zip(rows, opened, strict=True):
        if asked is None:
            continue
        mine = row.user_id == actor.user_id
        query = _allowed(house, scope, row.roster, asked)
        if query is None:
            if not mine:
                continue
        elif not mine:
            personal |= {f"{row.roster}.{one.column.name}" for one in query.filters if one.column.privacy in PERSONAL}
        told.append(
            {
                "saved_id": row.saved_id, "name": row.name, "roster": row.roster, "cell_code": row.cell_code,
                **{name: asked.get(name) for name in _KEPT}, "shared": bool(row.shared), "mine": mine,
                "usable": query is not None, "by": names.get(row.user_id), "created_at": row.created_at,
                "changed_at": row.changed_at,
            }
        )  # fmt: skip
    seen(house, look, scope, actor.community_id, fields=personal, count=len(told), where="saved rosters")
    return told


def save(house: House, actor: Actor, scope: Scope, given: Mapping[str, Any], *, saved_id: str | None = None) -> str:
    """Keep a list, or change one of the actor's own; its id.

    Parameters
    ----------
    given : ``name``, ``roster``, and if wanted ``cell_code``, ``columns``, ``filters``, ``sort``, ``shared``; ``question`` and
        ``list`` where a question made the filters, ``as_of`` a past day that is looked at

    Raises
    ------
    NotFound
        No such roster, or no list of one's own with this id.
    OutsideScope, InvalidInput
        The roster is not for this actor; or it cannot be asked like this, every place being named.
    """
    asked = {name: given.get(name) for name in _KEPT}
    _query(house, scope, given["roster"], asked)
    name = " ".join(str(given["name"]).split())
    if not name:
        raise InvalidInput(errors=[InputError("/name", "required", "a list needs a name")])
    at = stamp(house.clock())
    with write(house.engine) as connection:
        keys = DataKeys(house.keys)
        learn(keys, connection, actor.community_id, [None])
        values = {
            "name": name, "roster": given["roster"], "cell_code": given.get("cell_code"),
            "shared": int(bool(given.get("shared"))), "sealed": seal(keys.of(None), orjson.dumps(asked)),
        }  # fmt: skip
        writing.insert_keys(connection, actor.community_id, list(keys.made.items()))
        if saved_id is not None:
            if not store.change(connection, actor.community_id, saved_id, actor.user_id, at, **values):
                raise NotFound("no list of yours has this id")
            return saved_id
        if store.count_of(connection, actor.community_id, actor.user_id) >= MOST_SAVED:
            raise InvalidInput(errors=[InputError("/name", "too_many", f"at most {MOST_SAVED} lists; remove one first")])
        made = house.new_id()
        store.keep(connection, actor.community_id, made, actor.user_id, at, **values)
    return made


def remove(house: House, actor: Actor, saved_id: str) -> None:
    """Remove a list of the actor's own; NotFound for anybody else's."""
    with write(house.engine) as connection:
        if not store.remove(connection, actor.community_id, saved_id, actor.user_id):
            raise NotFound("no list of yours has this id")


def _query(house: House, scope: Scope, name: str, asked: Mapping[str, Any]) -> Query:
    roster = rosters.find_roster(house, name)
    return from_body(roster, asked, personal=rosters.sees_personal(scope, roster))


def _allowed(house: House, scope: Scope, name: str, asked: Mapping[str, Any]) -> Query | None:
    """The list as a query; None where the scope may not ask it, or the roster has changed since."""
    try:
        return _query(house, scope, name, asked)
    except (NotFound, OutsideScope, InvalidInput):
        return None
